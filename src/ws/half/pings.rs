//! Pings of one direction that no pong answered yet (RFC 6455 sections 5.5.2, 5.5.3).
//!
//! Gets: the payloads of pings, and of the pongs that come the other way. Gives: whether a pong was
//! asked for, and which pings were left without. Keeps: the latest pings, as many as it may.

use std::collections::VecDeque;

use crate::units::Origin;
use crate::ws::ending::Unanswered;

/// The pings of one direction.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: VecDeque<Ping>,
    /// Some were, so any pong may be an answer.
    forgotten: bool,
}

/// A ping that no pong answered yet.
#[derive(Debug, Clone, Copy)]
struct Ping {
    payload: u64,
    len: u64,
    origin: Origin,
}

impl Pings {
    pub(super) fn sent(&mut self, payload: &[u8], origin: Origin, limit: usize) {
        if self.waiting.len() >= limit.max(1) {
            self.waiting.pop_front();
            self.forgotten = true;
        }
        self.waiting.push_back(Ping { payload: hash(payload), len: payload.len() as u64, origin });
    }

    /// A pong came the other way. Section 5.5.3: it may answer the latest ping only, for all before.
    pub(super) fn answered(&mut self, payload: &[u8]) -> bool {
        let found = self.latest(payload);
        if let Some(at) = found {
            self.waiting.drain(..=at);
        }
        found.is_some() || self.forgotten
    }

    /// Would a pong with this payload be an answer.
    pub(super) fn awaits(&self, payload: &[u8]) -> bool {
        self.forgotten || self.latest(payload).is_some()
    }

    fn latest(&self, payload: &[u8]) -> Option<usize> {
        let (hash, len) = (hash(payload), payload.len() as u64);
        self.waiting.iter().rposition(|ping| ping.payload == hash && ping.len == len)
    }

    /// Those without pong that had the time.
    pub(super) fn unanswered(&self, had_time: impl Fn(Origin) -> bool) -> Unanswered {
        let mut pings = self.waiting.iter().filter(|ping| had_time(ping.origin));
        let first = pings.next().map(|ping| ping.origin);
        Unanswered { count: u64::from(first.is_some()) + pings.count() as u64, first }
    }

    /// Forgets all of them.
    pub(super) fn shed(&mut self) {
        self.forgotten |= !self.waiting.is_empty();
        self.waiting = VecDeque::new();
    }

    /// Bytes of memory that [`Self::shed`] gives back, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.waiting.capacity() * size_of::<Ping>()
    }
}

/// FNV-1a: pings are told apart by it; nobody gains by making two alike.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
