//! Which events an output is about, when not all.
//!
//! Gets: every event. Gives: yes or no. An output that tells of whole connections needs their
//! handshakes and ends even where only some messages are asked for, so it is not put behind a filter:
//! it is given every event, and asks.

use crate::event::{Cx, Event};
use crate::units::Timestamp;

/// Says of each event whether it is asked for. Asked once for each, in order.
pub trait Select {
    /// Is this one asked for.
    fn selects(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> bool;

    /// Is everything asked for, so that nobody need ask.
    fn selects_all(&self) -> bool {
        false
    }

    /// Does the answer depend on payloads ([`Wants::payload`](crate::event::Wants)).
    fn needs_payload(&self) -> bool;

    /// Told once, before the first event, when the first packet was captured.
    fn begin(&mut self, _first: Option<Timestamp>) {}
}

/// Everything is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Everything;

impl Select for Everything {
    #[inline]
    fn selects(&mut self, _: &Cx<'_>, _: &Event<'_>) -> bool {
        true
    }

    #[inline]
    fn selects_all(&self) -> bool {
        true
    }

    fn needs_payload(&self) -> bool {
        false
    }
}

/// Asks for events by a function: for tests, and for callers with a rule of their own.
#[derive(Debug, Clone, Copy)]
pub struct Where<F>(pub F);

impl<F: FnMut(&Cx<'_>, &Event<'_>) -> bool> Select for Where<F> {
    fn selects(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> bool {
        (self.0)(cx, event)
    }

    fn needs_payload(&self) -> bool {
        true
    }
}
