//! The counts of one direction: of a connection, or of all.
//!
//! Gets: messages. Gives: [`Side`]. A handful of additions for each message.

use crate::event::{Message, MessageKind};
use crate::units::PacketNo;

/// What went one way. What most messages count into comes first and shares a cache line: with many
/// connections it is the lines that cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(64))]
pub struct Side {
    /// The packet of the last [`Self::single`] message.
    pub packet: PacketNo,
    /// Frames of all these messages.
    pub frames: u64,
    /// Payload bytes of whole text and binary messages after inflating, those of
    /// [`Self::unread`] messages left out.
    known_bytes: u64,
    /// Whole messages by kind, in the order of [`MessageKind::ALL`], and their payload bytes on the
    /// wire.
    kinds: [(u64, u64); 5],
    /// Messages of any kind that lack bytes.
    pub incomplete: u64,
    /// Their payload bytes on the wire, as their frames announce them.
    pub incomplete_bytes: u64,
    /// Messages in more than one frame.
    pub fragmented: u64,
    /// Messages compressed.
    pub compressed: u64,
    /// Wire bytes of compressed messages whose length after inflating is known.
    packed_bytes: u64,
    /// And their bytes after inflating.
    unpacked_bytes: u64,
    /// Whole compressed messages that were not inflated.
    pub unread: u64,
    /// Holes in the TCP stream.
    pub gaps: u64,
    /// Bytes that they lack.
    pub gap_bytes: u64,
}

impl Side {
    /// Counts a message; `inflated`: the lengths of compressed ones are known.
    #[inline]
    pub fn add(&mut self, message: &Message<'_>, inflated: bool) {
        self.frames += u64::from(message.frames);
        if message.frames > 1 {
            self.fragmented += 1;
        }
        if message.compressed {
            self.compressed += 1;
        }
        if !message.complete {
            self.incomplete += 1;
            self.incomplete_bytes = self.incomplete_bytes.saturating_add(message.wire_len);
            return;
        }
        // `ALL` lists the kinds in the order in which they are declared.
        let kind = message.kind as usize;
        if let Some((n, wire)) = self.kinds.get_mut(kind) {
            *n += 1;
            *wire = wire.saturating_add(message.wire_len);
        }
        if message.kind.is_control() {
            return;
        }
        if !message.compressed {
            self.known_bytes = self.known_bytes.saturating_add(message.len);
        } else if inflated {
            self.known_bytes = self.known_bytes.saturating_add(message.len);
            self.packed_bytes = self.packed_bytes.saturating_add(message.wire_len);
            self.unpacked_bytes = self.unpacked_bytes.saturating_add(message.len);
        } else {
            self.unread += 1;
        }
    }

    /// Counts a whole text or binary message in one frame that was not inflated.
    #[inline]
    pub fn single(&mut self, packet: PacketNo, kind: MessageKind, compressed: bool, wire_len: u64) {
        self.packet = packet;
        self.frames += 1;
        if let Some((n, wire)) = self.kinds.get_mut(kind as usize) {
            *n += 1;
            *wire = wire.saturating_add(wire_len);
        }
        if compressed {
            self.compressed += 1;
            self.unread += 1;
        } else {
            self.known_bytes = self.known_bytes.saturating_add(wire_len);
        }
    }

    /// Adds up two directions, or two connections.
    pub fn merge(&mut self, other: &Self) {
        for ((n, wire), (more, bytes)) in self.kinds.iter_mut().zip(other.kinds) {
            *n = n.saturating_add(more);
            *wire = wire.saturating_add(bytes);
        }
        let pairs = [
            (&mut self.incomplete, other.incomplete),
            (&mut self.incomplete_bytes, other.incomplete_bytes),
            (&mut self.frames, other.frames),
            (&mut self.fragmented, other.fragmented),
            (&mut self.compressed, other.compressed),
            (&mut self.known_bytes, other.known_bytes),
            (&mut self.packed_bytes, other.packed_bytes),
            (&mut self.unpacked_bytes, other.unpacked_bytes),
            (&mut self.unread, other.unread),
            (&mut self.gaps, other.gaps),
            (&mut self.gap_bytes, other.gap_bytes),
        ];
        for (sum, n) in pairs {
            *sum = sum.saturating_add(n);
        }
    }

    /// Counts a hole.
    pub const fn gap(&mut self, bytes: u64) {
        self.gaps += 1;
        self.gap_bytes = self.gap_bytes.saturating_add(bytes);
    }

    /// Messages of every kind, incomplete ones too.
    pub fn messages(&self) -> u64 {
        self.kinds.iter().map(|(n, _)| n).sum::<u64>() + self.incomplete
    }

    /// Payload bytes on the wire, of messages of every kind, incomplete ones too: whether a message could be
    /// inflated does not change what it took.
    pub fn wire_bytes(&self) -> u64 {
        self.kinds.iter().fold(self.incomplete_bytes, |sum, (_, wire)| sum.saturating_add(*wire))
    }

    /// Of them, those of whole control frames.
    pub fn control_bytes(&self) -> u64 {
        let control = MessageKind::ALL.into_iter().filter(|kind| kind.is_control());
        control.map(|kind| self.wire_of(kind)).fold(0, u64::saturating_add)
    }

    /// Payload bytes of whole text and binary messages after inflating; `None` where some of them were
    /// not inflated.
    pub const fn payload_bytes(&self) -> Option<u64> {
        if self.unread == 0 { Some(self.known_bytes) } else { None }
    }

    /// Bytes of compressed messages on the wire and after inflating; `None` where there are none, or
    /// some were not inflated.
    pub const fn compression(&self) -> Option<(u64, u64)> {
        if self.unread == 0 && self.unpacked_bytes > 0 {
            Some((self.packed_bytes, self.unpacked_bytes))
        } else {
            None
        }
    }

    /// How many whole messages of a kind.
    pub fn of_kind(&self, kind: MessageKind) -> u64 {
        self.kinds.get(kind as usize).map_or(0, |(n, _)| *n)
    }

    /// Payload bytes on the wire of whole messages of a kind.
    pub fn wire_of(&self, kind: MessageKind) -> u64 {
        self.kinds.get(kind as usize).map_or(0, |(_, wire)| *wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;

    #[test]
    fn whole_messages_are_counted_by_kind_and_incomplete_ones_apart() {
        let mut side = Side::default();
        side.add(&samples::text(b"hello"), false);
        side.add(&samples::binary(b"abc"), false);
        side.add(&samples::close(), false);
        side.add(&Message { complete: false, frames: 3, ..samples::text(b"he") }, false);
        assert_eq!(MessageKind::ALL.map(|kind| side.of_kind(kind)), [1, 1, 0, 0, 1]);
        assert_eq!(MessageKind::ALL.map(|kind| side.wire_of(kind)), [5, 3, 0, 0, 5]);
        assert_eq!(side.incomplete, 1);
        assert_eq!((side.messages(), side.frames, side.fragmented), (4, 6, 1));
        // 5 and 3 bytes of data, 2 for the status code and 3 for "bye", 2 of the incomplete one.
        assert_eq!((side.wire_bytes(), side.control_bytes()), (15, 5));
        assert_eq!(side.payload_bytes(), Some(8));
        assert_eq!(side.compression(), None);
    }

    #[test]
    fn what_was_not_inflated_has_no_length() {
        let packed = Message { compressed: true, wire_len: 7, len: 0, ..samples::text(b"") };
        let mut side = Side::default();
        side.add(&samples::text(b"hello"), false);
        side.add(&packed, false);
        assert_eq!((side.payload_bytes(), side.wire_bytes(), side.unread), (None, 12, 1));
        let mut side = Side::default();
        side.add(&Message { len: 70, ..packed }, true);
        assert_eq!(side.payload_bytes(), Some(70));
        assert_eq!(side.compression(), Some((7, 70)));
    }

    #[test]
    fn sums_are_those_of_all_parts() {
        let mut side = Side::default();
        side.add(&samples::text(b"hello"), false);
        side.gap(10);
        let mut sum = Side::default();
        sum.merge(&side);
        assert_eq!(sum, side);
        sum.merge(&side);
        assert_eq!((sum.messages(), sum.gaps, sum.gap_bytes, sum.wire_bytes()), (2, 2, 20, 10));
    }

    #[test]
    fn what_most_messages_count_into_shares_a_cache_line() {
        let text_and_binary = 2 * size_of::<(u64, u64)>();
        assert!(std::mem::offset_of!(Side, kinds) + text_and_binary <= 64);
        assert_eq!(align_of::<Side>(), 64);
    }
}
