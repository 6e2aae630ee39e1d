//! How many messages there were when.
//!
//! Gets: times. Gives: counts for equal stretches of time. Keeps: 256 counts for each direction: when
//! time goes beyond them, neighbours are added up and each stretch is twice as long.

use crate::units::{Direction, PerDirection, Timestamp};

/// Stretches of time.
const STRETCHES: usize = 256;

/// The first length of a stretch, as a power of two of nanoseconds: about a millisecond.
const FIRST_POWER: u32 = 20;

const SECOND: u64 = 1_000_000_000;

/// Counts over time.
#[derive(Debug, Clone)]
pub struct Series {
    start: Option<Timestamp>,
    power: u32,
    counts: PerDirection<Vec<u64>>,
    /// Stretches up to the last one with a message.
    used: usize,
    /// The second at hand, counted from the start, and its messages.
    second: (u64, u64),
    /// The most messages that a second had, or a rate known from elsewhere.
    busiest: u64,
}

impl Default for Series {
    fn default() -> Self {
        let counts = PerDirection { to_server: vec![0; STRETCHES], to_client: vec![0; STRETCHES] };
        Self { start: None, power: FIRST_POWER, counts, used: 0, second: (0, 0), busiest: 0 }
    }
}

impl Series {
    /// Time counts from here; without it, from the first message.
    pub fn begin(&mut self, start: Option<Timestamp>) {
        self.start = self.start.or(start);
    }

    /// Counts a message. One without a time, or from before the start, counts at the start.
    #[inline]
    pub fn add(&mut self, dir: Direction, time: Option<Timestamp>) {
        let mut at = 0;
        if let Some(time) = time {
            let since = time.since(*self.start.get_or_insert(time));
            at = u64::try_from(since).unwrap_or(0);
        }
        while at >> self.power >= STRETCHES as u64 {
            self.widen();
        }
        let stretch = usize::try_from(at >> self.power).unwrap_or(0);
        if let Some(count) = self.counts[dir].get_mut(stretch) {
            *count += 1;
        }
        self.used = self.used.max(stretch + 1);
        // Stretches may grow longer than a second.
        if self.second.0 != at / SECOND {
            self.second = (at / SECOND, 0);
        }
        self.second.1 += 1;
        self.busiest = self.busiest.max(self.second.1);
    }

    /// Takes note of a rate over a second or more: [`Self::peak_per_second`] is no lower.
    pub fn at_least(&mut self, rate: u64) {
        self.busiest = self.busiest.max(rate);
    }

    /// What the counts start from; `None` when no message had a time.
    pub const fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Nanoseconds of a stretch.
    pub const fn stretch_ns(&self) -> u64 {
        1 << self.power
    }

    /// The counts of a direction, up to the last stretch with a message of either.
    pub fn counts(&self, dir: Direction) -> &[u64] {
        self.counts[dir].get(..self.used).unwrap_or(&[])
    }

    /// Messages per second from the start to the last message, both directions together; `None` below a
    /// second, for that is no rate but a guess.
    pub fn mean_per_second(&self) -> Option<u64> {
        let span = self.stretch_ns().saturating_mul(self.used as u64);
        let all = Direction::BOTH.map(|dir| self.counts(dir).iter().sum::<u64>());
        (span >= SECOND).then(|| per_second(all.iter().sum(), span))
    }

    /// The most messages in a second, both directions together, as far as that was kept: never below the
    /// rate over any longer time, so that no mean is above it.
    pub fn peak_per_second(&self) -> u64 {
        let (a, b) = (self.counts(Direction::ToServer), self.counts(Direction::ToClient));
        let mut sums = vec![0];
        sums.extend(a.iter().zip(b).scan(0, |sum, (a, b)| {
            *sum += a + b;
            Some(*sum)
        }));
        let mut peak = self.busiest;
        for (from, before) in sums.iter().enumerate() {
            for (to, until) in sums.iter().enumerate().skip(from + 1) {
                let ns = self.stretch_ns().saturating_mul((to - from) as u64);
                // What lies within less than a second lies within a second.
                peak = peak.max(per_second(until - before, ns.max(SECOND)));
            }
        }
        peak
    }

    #[cold]
    fn widen(&mut self) {
        // 2^63 >> 55 is 256: no time of an i64 needs more.
        self.power = (self.power + 1).min(56);
        for dir in Direction::BOTH {
            let counts = &mut self.counts[dir];
            let halved: Vec<u64> = counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            counts.clear();
            counts.extend(halved);
            counts.resize(STRETCHES, 0);
        }
        self.used = self.used.div_ceil(2);
    }
}

/// How many that is in a second, to the nearest.
pub(super) fn per_second(n: u64, ns: u64) -> u64 {
    if ns == 0 {
        return 0;
    }
    let rate = (u128::from(n) * u128::from(SECOND) + u128::from(ns / 2)) / u128::from(ns);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn series(millis: &[i64]) -> Series {
        let mut series = Series::default();
        series.begin(Some(Timestamp(0)));
        for ms in millis {
            series.add(Direction::ToServer, Some(Timestamp(ms * MS)));
        }
        series
    }

    #[test]
    fn no_message_is_lost_however_long_the_capture() {
        let millis: Vec<i64> = (0..10_000).map(|n| n * n).collect();
        let series = series(&millis);
        assert_eq!(series.counts(Direction::ToServer).iter().sum::<u64>(), 10_000);
        assert_eq!(series.counts(Direction::ToClient).iter().sum::<u64>(), 0);
        assert!(series.counts(Direction::ToServer).len() <= STRETCHES);
        // The last message lies in the last stretch: 99,980,001 ms in 256 stretches of 2^39 ns.
        assert_eq!(series.stretch_ns(), 1 << 39);
    }

    #[test]
    fn times_at_both_ends_of_what_a_number_holds_are_counted() {
        let mut series = Series::default();
        for time in [i64::MIN, i64::MAX, 0, -1] {
            series.add(Direction::ToClient, Some(Timestamp(time)));
        }
        series.add(Direction::ToClient, None);
        assert_eq!(series.counts(Direction::ToClient).iter().sum::<u64>(), 5);
    }

    #[test]
    fn the_peak_is_of_a_second() {
        // 300 in the first 100 ms, nothing for long, 100 at once.
        let mut millis: Vec<i64> = (0..300).map(|n| n / 3).collect();
        millis.extend([5000; 100]);
        assert_eq!(series(&millis).peak_per_second(), 300);
        assert_eq!(series(&[]).peak_per_second(), 0);
        assert_eq!(series(&[7]).peak_per_second(), 1);
        // Far apart the stretches are longer than a second: 100 at once, after an hour.
        let mut millis = vec![0];
        millis.extend([3_600_000; 100]);
        assert_eq!(series(&millis).peak_per_second(), 100);
    }

    #[test]
    fn no_mean_is_above_the_peak() {
        let means = |millis: &[i64]| {
            let series = series(millis);
            (series.mean_per_second(), series.peak_per_second())
        };
        assert_eq!(means(&[0, 20, 40, 60]), (None, 4), "below a second");
        // Ten at each end of 1.4 seconds: no second has more than ten.
        let millis: Vec<i64> = [0, 1400].into_iter().flat_map(|ms| [ms; 10]).collect();
        let (mean, peak) = means(&millis);
        assert_eq!((mean, peak), (Some(14), 14));
        let (mean, peak) = means(&(0..10_000).map(|n| n * 10).collect::<Vec<_>>());
        assert!(mean == Some(100) && (100..=101).contains(&peak), "{peak}");
        let mut series = series(&[0, 5000]);
        series.at_least(28);
        assert_eq!(series.peak_per_second(), 28);
    }

    #[test]
    fn rates_do_not_overflow() {
        assert_eq!(per_second(10, 2_000_000_000), 5);
        assert_eq!(per_second(2879, 100_000_000_000), 29);
        assert_eq!(per_second(u64::MAX, 1), u64::MAX);
        assert_eq!(per_second(3, 0), 0);
    }
}
