//! A distribution of numbers in bounded memory.
//!
//! Gets: numbers. Gives: how many lie below. Keeps: 1,920 counters, whatever the numbers are.

/// Numbers below this are kept exactly.
const EXACT: u64 = 64;

/// Parts of each power of two above: a number is known to 1 part in 32, about 3 %.
const PARTS: u32 = 32;

/// The exact ones, and 32 parts for each power of two from 2^6 to 2^63.
const BUCKETS: usize = 64 + 58 * 32;

/// Counts numbers by size.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    min: u64,
    max: u64,
}

/// What is told of a distribution. Each number is at most 3 % above the true one, and never above
/// `max`, which is exact, as `min` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// How many numbers there are.
    pub count: u64,
    /// The smallest.
    pub min: u64,
    /// Half are at most this.
    pub p50: u64,
    /// Nine of ten are at most this.
    pub p90: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, min: u64::MAX, max: 0 }
    }
}

impl Histogram {
    /// Counts one number.
    #[inline]
    pub fn add(&mut self, n: u64) {
        if let Some(bucket) = self.buckets.get_mut(place(n)) {
            *bucket += 1;
        }
        self.count += 1;
        self.min = self.min.min(n);
        self.max = self.max.max(n);
    }

    /// `None` when there are no numbers.
    pub fn quantiles(&self) -> Option<Quantiles> {
        (self.count > 0).then(|| Quantiles {
            count: self.count,
            min: self.min,
            p50: self.at_percent(50),
            p90: self.at_percent(90),
            p99: self.at_percent(99),
            max: self.max,
        })
    }

    /// The number that so many percent are at most (nearest rank), as far as its bucket tells.
    fn at_percent(&self, percent: u64) -> u64 {
        // In 128 bits: the product can not overflow.
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        let mut below: u128 = 0;
        for (place, n) in self.buckets.iter().enumerate() {
            below += u128::from(*n);
            if below >= rank {
                return top(place).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

/// The bucket of a number.
#[inline]
fn place(n: u64) -> usize {
    if n < EXACT {
        return usize::try_from(n).unwrap_or(0);
    }
    let power = n.ilog2();
    let part = (n >> (power - 5)) & u64::from(PARTS - 1);
    let place = EXACT + u64::from((power - 6) * PARTS) + part;
    usize::try_from(place).unwrap_or(BUCKETS - 1)
}

/// The largest number of a bucket.
fn top(place: usize) -> u64 {
    let place = place as u64;
    let Some(above) = place.checked_sub(EXACT) else { return place };
    let (power, part) = (above / u64::from(PARTS) + 6, above % u64::from(PARTS));
    let width = 1_u64 << (power - 5).min(58);
    (u64::from(PARTS) + part) * width + (width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_its_bucket_and_the_bucket_is_narrow() {
        let numbers = (0..5000).chain((0..64).flat_map(|p| {
            let power = 1_u64 << p;
            [power - 1, power, power | power >> 1, power | power >> 5, power | power >> 6]
        }));
        for n in numbers.chain([u64::MAX]) {
            let top = top(place(n));
            assert!(top >= n, "{n}: {top}");
            assert!(top - n <= n / 32, "{n}: {top}");
            assert_eq!(place(top), place(n), "{n}");
            if top < u64::MAX {
                assert_eq!(place(top + 1), place(n) + 1, "{n}");
            }
        }
        assert_eq!(place(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_nearest_rank() {
        let mut histogram = Histogram::default();
        assert!(histogram.quantiles().is_none());
        // 1 to 50: each its own bucket.
        (1..=50).for_each(|n| histogram.add(n));
        let want = Quantiles { count: 50, min: 1, p50: 25, p90: 45, p99: 50, max: 50 };
        assert_eq!(histogram.quantiles(), Some(want));
    }

    #[test]
    fn no_quantile_is_above_the_largest_number() {
        let mut histogram = Histogram::default();
        histogram.add(1_000_003);
        let got = histogram.quantiles().unwrap();
        assert_eq!(
            (got.min, got.p50, got.p99, got.max),
            (1_000_003, 1_000_003, 1_000_003, 1_000_003)
        );
    }
}
