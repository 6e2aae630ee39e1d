//! A row of the message table in 40 bytes.
//!
//! Gets: an event. Gives: what a table shows of it without reading its payload.

use crate::event::MessageKind;
use crate::note::Severity;
use crate::units::{Direction, PacketNo, Timestamp};

/// What a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// A message.
    Message(MessageKind),
    /// A frame that made no message: its opcode is reserved.
    Frame,
    /// An opening handshake.
    Handshake,
    /// TCP bytes that the capture lacks.
    Gap,
    /// A connection's end.
    End,
}

impl RowKind {
    const ALL: [Self; 9] = [
        Self::Message(MessageKind::Text),
        Self::Message(MessageKind::Binary),
        Self::Message(MessageKind::Ping),
        Self::Message(MessageKind::Pong),
        Self::Message(MessageKind::Close),
        Self::Frame,
        Self::Handshake,
        Self::Gap,
        Self::End,
    ];

    /// A short name for a column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message(kind) => kind.name(),
            Self::Frame => "frame",
            Self::Handshake => "open",
            Self::Gap => "gap",
            Self::End => "end",
        }
    }
}

/// One row. Numbers that do not fit are kept as the largest that does; the record in the spool has
/// them exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    time: i64,
    spool: u64,
    conn: u32,
    no: u32,
    len: u32,
    wire_len: u32,
    packet_low: u32,
    packet_high: u16,
    /// kind 0-3, direction 4, complete 5, compressed 6, fragmented 7, repeated 8, worst note 9-10,
    /// packet's place 11.
    bits: u16,
}

/// What a [`Row`] is made of.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states")]
pub struct Parts {
    /// What it is.
    pub kind: RowKind,
    /// Which way; of what has none, that of the client.
    pub dir: Direction,
    /// When its last packet came.
    pub time: Option<Timestamp>,
    /// Its last packet.
    pub packet: PacketNo,
    /// Index of its connection.
    pub conn: u32,
    /// Number in its direction; 0: it has none.
    pub no: u64,
    /// Bytes of payload.
    pub len: u64,
    /// The same on the wire.
    pub wire_len: u64,
    /// All bytes are there.
    pub complete: bool,
    /// It was compressed.
    pub compressed: bool,
    /// It came in several frames.
    pub fragmented: bool,
    /// The same payload as the one before it in this direction: an application's keep-alive.
    pub repeated: bool,
    /// The worst of its notes.
    pub worst: Option<Severity>,
    /// Where its record is.
    pub spool: u64,
}

const NO_TIME: i64 = i64::MIN;
/// The upper half of the packet is its place, not its number.
const PLACE: u16 = 1 << 11;

impl Row {
    /// Packs it.
    pub fn new(parts: &Parts) -> Self {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let kind = RowKind::ALL.iter().position(|kind| *kind == parts.kind).unwrap_or(0);
        let worst: u16 = match parts.worst {
            None => 0,
            Some(Severity::Info) => 1,
            Some(Severity::Warning) => 2,
            Some(Severity::Error) => 3,
        };
        let bits = u16::try_from(kind).unwrap_or(0)
            | u16::from(parts.dir == Direction::ToClient) << 4
            | u16::from(parts.complete) << 5
            | u16::from(parts.compressed) << 6
            | u16::from(parts.fragmented) << 7
            | u16::from(parts.repeated) << 8
            | worst << 9;
        let (packet, bits) = match (parts.packet.0, parts.packet.number()) {
            (whole, number) if whole == number => (whole, bits),
            // Its place stands where the upper bits of its number would, which very few captures need.
            (whole, number) if number <= u32::MAX.into() => {
                (number | whole >> 48 << 32, bits | PLACE)
            }
            (_, number) => (number, bits),
        };
        Self {
            time: parts.time.map_or(NO_TIME, |time| time.0),
            spool: parts.spool,
            conn: parts.conn,
            no: small(parts.no),
            len: small(parts.len),
            wire_len: small(parts.wire_len),
            packet_low: small(packet & 0xffff_ffff),
            packet_high: u16::try_from(packet >> 32).unwrap_or(u16::MAX),
            bits,
        }
    }

    /// What it is.
    pub fn kind(&self) -> RowKind {
        RowKind::ALL.get(usize::from(self.bits & 0xf)).copied().unwrap_or(RowKind::Frame)
    }

    /// Which way it went.
    pub const fn dir(&self) -> Direction {
        if self.bits >> 4 & 1 == 1 { Direction::ToClient } else { Direction::ToServer }
    }

    /// When its last packet came.
    pub const fn time(&self) -> Option<Timestamp> {
        if self.time == NO_TIME { None } else { Some(Timestamp(self.time)) }
    }

    /// Its last packet.
    pub fn packet(&self) -> PacketNo {
        let shift = if self.bits & PLACE == 0 { 32 } else { 48 };
        PacketNo(u64::from(self.packet_high) << shift | u64::from(self.packet_low))
    }

    /// Index of its connection.
    pub const fn conn(&self) -> usize {
        self.conn as usize
    }

    /// Number in its direction; 0: it has none.
    pub const fn no(&self) -> u32 {
        self.no
    }

    /// Bytes of payload.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// No payload.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of payload on the wire.
    pub const fn wire_len(&self) -> u32 {
        self.wire_len
    }

    /// All bytes are there.
    pub const fn complete(&self) -> bool {
        self.bits >> 5 & 1 == 1
    }

    /// It was compressed.
    pub const fn compressed(&self) -> bool {
        self.bits >> 6 & 1 == 1
    }

    /// It came in several frames.
    pub const fn fragmented(&self) -> bool {
        self.bits >> 7 & 1 == 1
    }

    /// Ping, pong, or a message that says the same as the one before it in its direction.
    pub fn heartbeat(&self) -> bool {
        matches!(self.kind(), RowKind::Message(MessageKind::Ping | MessageKind::Pong))
            || self.bits >> 8 & 1 == 1
    }

    /// The worst of its notes.
    pub const fn worst(&self) -> Option<Severity> {
        match self.bits >> 9 & 3 {
            1 => Some(Severity::Info),
            2 => Some(Severity::Warning),
            3 => Some(Severity::Error),
            _ => None,
        }
    }

    /// Where its record is.
    pub const fn spool(&self) -> u64 {
        self.spool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_forty_bytes() {
        assert_eq!(size_of::<Row>(), 40);
    }

    #[test]
    fn what_is_packed_is_read_again() {
        for (n, kind) in RowKind::ALL.into_iter().enumerate() {
            let parts = Parts {
                kind,
                dir: Direction::BOTH[n % 2],
                time: (n != 3).then_some(Timestamp(-5)),
                packet: [
                    PacketNo(0x12_3456_789a),
                    PacketNo(9).given_as(7),
                    PacketNo(7).given_as(9),
                ][n % 3],
                conn: 77,
                no: 9,
                len: 5_000_000_000,
                wire_len: 12,
                complete: n % 2 == 0,
                compressed: n % 3 == 0,
                fragmented: n % 4 == 0,
                repeated: n % 5 == 0,
                worst: [None, Some(Severity::Info), Some(Severity::Warning), Some(Severity::Error)]
                    [n % 4],
                spool: u64::MAX - 1,
            };
            let row = Row::new(&parts);
            assert_eq!(row.kind(), kind);
            assert_eq!(row.dir(), parts.dir);
            assert_eq!(row.time(), parts.time);
            assert_eq!(row.packet(), parts.packet);
            assert_eq!((row.conn(), row.no(), row.len(), row.wire_len()), (77, 9, u32::MAX, 12));
            assert_eq!(row.complete(), parts.complete);
            assert_eq!(row.compressed(), parts.compressed);
            assert_eq!(row.fragmented(), parts.fragmented);
            assert_eq!(row.worst(), parts.worst);
            assert_eq!(row.spool(), parts.spool);
        }
    }
}
