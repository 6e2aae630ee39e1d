//! Pings of one direction that no pong answered yet (RFC 6455 sections 5.5.2, 5.5.3).
//!
//! Gets: the payloads of pings, and of the pongs that come the other way. Gives: whether a pong was
//! asked for, and which pings were left without. Keeps: the latest pings, as many as it may.

use crate::units::Origin;
use crate::ws::ending::Unanswered;
use crate::ws::pings::Waiting;

/// The pings of one direction.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: Waiting<Origin>,
    /// Some were, so any pong may be an answer.
    forgotten: bool,
}

impl Pings {
    pub(super) fn sent(&mut self, payload: &[u8], origin: Origin, limit: usize) {
        self.forgotten |= self.waiting.sent(payload, origin, limit).is_some();
    }

    /// A pong came the other way.
    pub(super) fn answered(&mut self, payload: &[u8]) -> bool {
        self.waiting.answered(payload).is_some() || self.forgotten
    }

    /// Would a pong with this payload be an answer.
    pub(super) fn awaits(&self, payload: &[u8]) -> bool {
        self.forgotten || self.waiting.awaits(payload)
    }

    /// Those without pong that had the time.
    pub(super) fn unanswered(&self, had_time: impl Fn(Origin) -> bool) -> Unanswered {
        let mut pings = self.waiting.iter().filter(|ping| had_time(**ping));
        let first = pings.next().copied();
        Unanswered { count: u64::from(first.is_some()) + pings.count() as u64, first }
    }

    /// Forgets all of them.
    pub(super) fn shed(&mut self) {
        self.forgotten |= !self.waiting.is_empty();
        self.waiting = Waiting::default();
    }

    /// Bytes of memory that [`Self::shed`] gives back, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.waiting.weight()
    }
}
