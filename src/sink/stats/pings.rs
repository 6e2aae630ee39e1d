//! Round trips of pings.
//!
//! Gets: the round trips of one direction's pings ([`crate::ws::pings`]). Gives: how many, the shortest, the
//! median, the longest. Keeps: 64 times spread over all.

/// Times kept of one connection for their median.
const KEPT: usize = 64;

/// The round trips of one direction's pings.
#[derive(Debug, Clone, Default)]
pub struct Trips {
    kept: Vec<u64>,
    /// Every so many-th time is kept.
    stride: u64,
    count: u64,
    min: u64,
    max: u64,
}

/// What is told of round trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrips {
    /// Pings that were answered.
    pub count: u64,
    /// Nanoseconds, the shortest.
    pub min: u64,
    /// The median; of more than 64, that of 32 to 64 that lie evenly among them.
    pub median: u64,
    /// The longest.
    pub max: u64,
}

impl Trips {
    /// `None` when no ping was answered.
    pub fn summary(&self) -> Option<RoundTrips> {
        let mut kept = self.kept.clone();
        kept.sort_unstable();
        let median = kept.get(kept.len().saturating_sub(1) / 2).copied()?;
        Some(RoundTrips { count: self.count, min: self.min, median, max: self.max })
    }

    /// Counts one of so many nanoseconds.
    pub fn add(&mut self, took: u64) {
        if self.count == 0 {
            (self.stride, self.min) = (1, took);
        }
        if self.count.is_multiple_of(self.stride) {
            if self.kept.len() >= KEPT {
                // Every second one goes, and from now on every second one is kept.
                let mut nth = 0_usize;
                self.kept.retain(|_| {
                    nth += 1;
                    nth % 2 == 1
                });
                self.stride = self.stride.saturating_mul(2);
            }
            if self.count.is_multiple_of(self.stride) {
                self.kept.push(took);
            }
        }
        self.count += 1;
        self.min = self.min.min(took);
        self.max = self.max.max(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_round_trips_keep_their_median_in_little_room() {
        let mut trips = Trips::default();
        assert!(trips.summary().is_none());
        (0..10_001).for_each(|n| trips.add(n * 1_000_000));
        assert!(trips.kept.len() <= KEPT && trips.kept.len() >= KEPT / 2);
        let got = trips.summary().unwrap();
        assert_eq!((got.count, got.min, got.max), (10_001, 0, 10_000_000_000));
        assert!(got.median.abs_diff(5_000_000_000) < 200_000_000, "{}", got.median);
    }
}
