//! Round trips of pings.
//!
//! Gets: pings and pongs of one connection. Gives: round-trip times as the capture saw them, from the ping
//! passing by to its pong. Keeps: the last pings that wait, and 64 times spread over all.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use crate::units::Timestamp;

/// Pings whose pong may still come. A sender seldom has more than one on the way.
const WAITING: usize = 16;

/// Times kept of one connection for their median.
const KEPT: usize = 64;

/// The pings of one direction.
#[derive(Debug, Clone, Default)]
pub struct Pings {
    waiting: VecDeque<Ping>,
    kept: Vec<u64>,
    /// Every so many-th time is kept.
    stride: u64,
    count: u64,
    min: u64,
    max: u64,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    payload: u64,
    time: Timestamp,
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

impl Pings {
    /// A ping was sent.
    pub fn ping(&mut self, payload: &[u8], time: Timestamp) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Ping { payload: hash(payload), time });
    }

    /// A pong came back; gives the round trip when it answers a ping.
    ///
    /// RFC 6455 section 5.5.3: a pong has the payload of its ping, and may answer the last of several
    /// alone; those before it will get none.
    pub fn pong(&mut self, payload: &[u8], time: Timestamp) -> Option<u64> {
        let payload = hash(payload);
        let found = self.waiting.iter().rposition(|ping| ping.payload == payload)?;
        let ping = self.waiting.drain(..=found).next_back()?;
        let took = u64::try_from(time.since(ping.time)).unwrap_or(0);
        self.add(took);
        Some(took)
    }

    /// `None` when no ping was answered.
    pub fn round_trips(&self) -> Option<RoundTrips> {
        let mut kept = self.kept.clone();
        kept.sort_unstable();
        let median = kept.get(kept.len().saturating_sub(1) / 2).copied()?;
        Some(RoundTrips { count: self.count, min: self.min, median, max: self.max })
    }

    fn add(&mut self, took: u64) {
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

fn hash(payload: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp(ms * 1_000_000)
    }

    #[test]
    fn a_pong_answers_the_ping_with_its_payload_and_those_before() {
        let mut pings = Pings::default();
        pings.ping(b"1", at(0));
        pings.ping(b"2", at(10));
        pings.ping(b"3", at(20));
        assert_eq!(pings.pong(b"2", at(25)), Some(15_000_000));
        assert_eq!(pings.pong(b"1", at(26)), None, "passed over");
        assert_eq!(pings.pong(b"3", at(27)), Some(7_000_000));
        assert_eq!(pings.pong(b"", at(28)), None, "nobody asked");
        let want = RoundTrips { count: 2, min: 7_000_000, median: 7_000_000, max: 15_000_000 };
        assert_eq!(pings.round_trips(), Some(want));
    }

    #[test]
    fn many_round_trips_keep_their_median_in_little_room() {
        let mut pings = Pings::default();
        assert!(pings.round_trips().is_none());
        for n in 0..10_001 {
            pings.ping(b"x", at(n * 100_000));
            assert!(pings.pong(b"x", at(n * 100_000 + n)).is_some());
        }
        assert!(pings.kept.len() <= KEPT && pings.kept.len() >= KEPT / 2);
        let got = pings.round_trips().unwrap();
        assert_eq!((got.count, got.min, got.max), (10_001, 0, 10_000_000_000));
        assert!(got.median.abs_diff(5_000_000_000) < 200_000_000, "{}", got.median);
    }

    #[test]
    fn pings_that_nobody_answers_are_forgotten() {
        let mut pings = Pings::default();
        (0..1000).for_each(|n| pings.ping(&[0], at(n)));
        assert_eq!(pings.waiting.len(), WAITING);
    }
}
