//! Client bytes that came behind an upgrade request before its answer.
//!
//! Gets: bytes and gaps. Gives: the same, in order, with the packets that brought them, once it is
//! clear whether they are frames or further requests. Keeps: at most
//! [`crate::limits::Limits::held_bytes`], its own bookkeeping included; what is over it is a gap.

use std::collections::VecDeque;

use crate::units::Origin;

/// Client bytes held back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    bytes: Vec<u8>,
    /// Bytes in front that are used up already.
    used: usize,
    /// Their lengths add up to the bytes that are not used up.
    pieces: VecDeque<Piece>,
    /// Bytes that came and are not used up, dropped ones too.
    seen: u64,
    /// Bytes of the request's own body that are still to come, in front of anything else; 0 where
    /// none of them came before the answer.
    pub body_left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Data { origin: Origin, len: usize },
    Gap { origin: Origin, len: u64, over_limit: bool },
}

/// One of the things held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldPiece<'a> {
    /// Bytes of one packet.
    Data {
        /// The packet.
        origin: Origin,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that the capture lacks, or that the limit dropped.
    Gap {
        /// The packet at which that became certain; of dropped bytes, the first packet.
        origin: Origin,
        /// How many.
        len: u64,
        /// Seen but not kept, because of the limit.
        over_limit: bool,
    },
}

impl Held {
    /// What is held, in order.
    pub fn pieces(&self) -> impl Iterator<Item = HeldPiece<'_>> {
        let mut rest = self.bytes.get(self.used..).unwrap_or_default();
        self.pieces.iter().map(move |piece| match *piece {
            Piece::Data { origin, len } => {
                let (bytes, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                rest = behind;
                HeldPiece::Data { origin, bytes }
            }
            Piece::Gap { origin, len, over_limit } => HeldPiece::Gap { origin, len, over_limit },
        })
    }

    /// Is there nothing.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of the client that came and are not used up, those over the limit too.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Bytes of memory for it, about.
    pub(super) fn weight(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    /// The packet of the first byte.
    pub(super) fn first(&self) -> Option<Origin> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Data { origin, .. } | Piece::Gap { origin, over_limit: true, .. } => {
                Some(*origin)
            }
            Piece::Gap { .. } => None,
        })
    }

    pub(super) fn push(&mut self, origin: Origin, bytes: &[u8], limit: usize) {
        if bytes.is_empty() {
            return;
        }
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        let goes_on =
            matches!(self.pieces.back(), Some(Piece::Data { origin: o, .. }) if *o == origin);
        let over = matches!(self.pieces.back(), Some(Piece::Gap { over_limit: true, .. }));
        let extra = if goes_on { 0 } else { size_of::<Piece>() };
        // Nothing is kept behind a byte that was not: the order would be lost.
        let room = if over { 0 } else { limit.saturating_sub(self.cost()).saturating_sub(extra) };
        let (kept, dropped) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if !kept.is_empty() {
            self.bytes.extend_from_slice(kept);
            match self.pieces.back_mut() {
                Some(Piece::Data { len, .. }) if goes_on => *len = len.saturating_add(kept.len()),
                _ => self.pieces.push_back(Piece::Data { origin, len: kept.len() }),
            }
        }
        if !dropped.is_empty() {
            self.push_gap(origin, dropped.len() as u64, true);
        }
    }

    pub(super) fn gap(&mut self, origin: Origin, len: u64) {
        self.push_gap(origin, len, false);
    }

    /// Gaps that follow one another are one, so that there are never more of them than data.
    fn push_gap(&mut self, origin: Origin, more: u64, dropped: bool) {
        match self.pieces.back_mut() {
            // What is missing behind dropped bytes does not matter any more.
            Some(Piece::Gap { len, over_limit, .. }) if *over_limit || !dropped => {
                *len = len.saturating_add(more);
            }
            _ => self.pieces.push_back(Piece::Gap { origin, len: more, over_limit: dropped }),
        }
    }

    /// Uses up `n` bytes of the first piece, or the first piece where it is a gap.
    pub(super) fn consume(&mut self, n: usize) {
        let Some(Piece::Data { len, .. }) = self.pieces.front_mut() else {
            if let Some(Piece::Gap { len, over_limit: true, .. }) = self.pieces.pop_front() {
                self.seen = self.seen.saturating_sub(len);
            }
            return;
        };
        let n = n.min(*len);
        *len = len.saturating_sub(n);
        if *len == 0 {
            self.pieces.pop_front();
        }
        self.used = self.used.saturating_add(n);
        self.seen = self.seen.saturating_sub(n as u64);
        if self.pieces.is_empty() {
            *self = Self::default();
        } else if self.used > self.bytes.len() / 2 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
    }

    fn cost(&self) -> usize {
        let kept = self.bytes.len().saturating_sub(self.used);
        kept.saturating_add(self.pieces.len().saturating_mul(size_of::<Piece>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNo;

    fn packet(no: u64) -> Origin {
        Origin { packet: PacketNo(no), time: None }
    }

    #[test]
    fn pieces_come_back_in_order_with_their_packets() {
        let mut held = Held::default();
        held.push(packet(1), b"ab", 1000);
        held.push(packet(1), b"c", 1000);
        held.gap(packet(2), 3);
        held.gap(packet(2), 4);
        held.push(packet(3), b"d", 1000);
        let got: Vec<_> = held.pieces().collect();
        assert_eq!(
            got,
            [
                HeldPiece::Data { origin: packet(1), bytes: b"abc" },
                HeldPiece::Gap { origin: packet(2), len: 7, over_limit: false },
                HeldPiece::Data { origin: packet(3), bytes: b"d" },
            ]
        );
        held.consume(1);
        assert_eq!(held.pieces().next(), Some(HeldPiece::Data { origin: packet(1), bytes: b"bc" }));
        held.consume(2);
        held.consume(0);
        assert_eq!(
            held.pieces().collect::<Vec<_>>(),
            [HeldPiece::Data { origin: packet(3), bytes: b"d" }]
        );
        held.consume(1);
        assert_eq!(held, Held::default());
    }

    #[test]
    fn what_is_over_the_limit_becomes_a_gap_and_nothing_is_kept_behind_it() {
        let piece = size_of::<Piece>();
        let mut held = Held::default();
        held.push(packet(1), &[7; 10], piece + 4);
        held.push(packet(2), &[8; 5], piece * 100);
        let got: Vec<_> = held.pieces().collect();
        assert_eq!(
            got,
            [
                HeldPiece::Data { origin: packet(1), bytes: &[7; 4] },
                HeldPiece::Gap { origin: packet(1), len: 11, over_limit: true },
            ]
        );
        assert_eq!(held.seen(), 15);
    }

    #[test]
    fn bytes_in_packets_of_one_are_bounded_with_their_bookkeeping() {
        let mut held = Held::default();
        for i in 0..10_000 {
            held.push(packet(i), b"x", 4096);
        }
        assert!(held.bytes.len() + held.pieces.len() * size_of::<Piece>() <= 4096 + 64);
        assert_eq!(held.seen(), 10_000);
    }
}
