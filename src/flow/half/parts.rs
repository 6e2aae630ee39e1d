//! What a direction is made of: its beginning, segments' parts that came, those that wait, its end.

use std::collections::VecDeque;

use super::Half;
use crate::units::{Origin, PacketNo, SeqNo, Timestamp};

/// How it is known where a direction begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Start {
    /// It is not: nothing came.
    #[default]
    Unknown,
    /// From the first segment that was captured, or from the other side's acknowledgement: more may have
    /// come before.
    Presumed,
    /// From its SYN.
    Syn,
}

/// A segment's part in one direction.
#[derive(Debug, Clone, Copy)]
pub(in crate::flow) struct Piece<'a> {
    pub(in crate::flow) origin: Origin,
    pub(in crate::flow) seq: SeqNo,
    pub(in crate::flow) bytes: &'a [u8],
    pub(in crate::flow) cut: u32,
    pub(in crate::flow) fin: bool,
    /// Up to where its sender had the other direction when it sent this: what comes of that there
    /// comes before it.
    pub(in crate::flow) heard: u64,
}

/// A segment that came before its turn.
#[derive(Debug)]
pub(super) struct Held {
    /// Stream offset.
    pub(super) at: u64,
    pub(super) origin: Origin,
    pub(super) bytes: Box<[u8]>,
    /// Bytes behind these that the snapshot length cut off.
    pub(super) cut: u64,
    /// As in [`Piece`].
    pub(super) heard: u64,
}

/// Where a direction ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fin {
    pub(super) at: u64,
    pub(super) origin: Origin,
    /// As in [`Piece`].
    pub(super) heard: u64,
}

/// What a direction goes on with.
#[derive(Debug, Clone, Copy)]
pub(in crate::flow) struct Turn {
    /// The packet that brought it.
    pub(in crate::flow) packet: PacketNo,
    /// As in [`Piece`].
    pub(in crate::flow) heard: u64,
    pub(in crate::flow) fin: bool,
}

impl Turn {
    /// Was all that its sender had heard handed on; [`Half::covers`] is content with one byte less.
    pub(in crate::flow) fn answers_all(&self, other: &Half) -> bool {
        self.heard <= other.next
    }
}

impl Held {
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }

    pub(super) fn end(&self) -> u64 {
        self.at.saturating_add(self.len())
    }
}

/// What is kept of a direction that is not just going on.
#[derive(Debug, Default)]
pub(super) struct Astray {
    /// What came early, by offset; the ranges do not overlap and all lie beyond `next`, or at it while
    /// they wait for the other direction. Nearly always a few, and the next one belongs behind them.
    pub(super) held: VecDeque<Held>,
    pub(super) held_bytes: usize,
    pub(super) fin: Option<Fin>,
    /// Since when something waits behind what is missing at `waits_at`.
    pub(super) waits_since: Option<Timestamp>,
    /// What `next` was then: each hole is given its own time.
    pub(super) waits_at: u64,
    /// Segments of the connection since `acked` went beyond `next`, or `next` came to stand here.
    pub(super) grace: u32,
    /// What `acked` was some segments ago, and a few segments ago: what has just been acknowledged may
    /// be in the capture's next packet.
    pub(super) settled: [u64; 2],
    /// Up to where this side has sent, by the numbers of its segments without data.
    pub(super) said: u64,
    /// Segments far outside the stream: the sequence number that would follow, and how many.
    pub(super) stray: (SeqNo, u8),
}

impl Astray {
    /// Is there nothing in it that a later segment would ask for, while nothing is waited for?
    pub(super) fn is_over(&self) -> bool {
        self.held.is_empty() && self.fin.is_none() && self.stray.1 == 0
    }
}

/// Bytes of the common stretch of two placed slices if they differ there; 0 when they agree.
pub(super) fn differing(a_at: u64, a: &[u8], b_at: u64, b: &[u8]) -> u64 {
    let start = a_at.max(b_at);
    let stop = (a_at + a.len() as u64).min(b_at + b.len() as u64);
    if start >= stop || part(a_at, a, start, stop) == part(b_at, b, start, stop) {
        return 0;
    }
    stop - start
}

/// The bytes from `start` to `stop` of a slice that lies at `at`.
fn part(at: u64, bytes: &[u8], start: u64, stop: u64) -> Option<&[u8]> {
    let from = usize::try_from(start.checked_sub(at)?).ok()?;
    let to = usize::try_from(stop.checked_sub(at)?).ok()?;
    bytes.get(from..to)
}
