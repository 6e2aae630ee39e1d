//! A message of which there is little to say, in little room: nearly all are such.
//!
//! Logs go from the cache of one core to that of another, so their bytes count.

use crate::event::{Message, MessageKind, Payload};
use crate::units::{Direction, MessageNo, Origin, PacketNo, Timestamp};

/// A message that came whole in one packet, without notes, with numbers that fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet {
    time: Timestamp,
    /// Counted from the log's first.
    packet: u32,
    no: u32,
    len: u32,
    wire_len: u32,
    /// Bytes of its payload, or of what the sink made of it.
    pub(super) bytes: u32,
    frames: u8,
    /// Items of the log that come before it.
    pub(super) items: u8,
    flags: u16,
}

const TO_CLIENT: u16 = 1;
const COMPRESSED: u16 = 1 << 1;
const COMPLETE: u16 = 1 << 2;
/// Its connection is the next one of the log, not that of the event before.
const NEXT: u16 = 1 << 3;
/// Its payload is text, or anything else, or a draft; with none of these it is skipped.
const TEXT: u16 = 1 << 4;
const DATA: u16 = 1 << 5;
const DRAFT: u16 = 1 << 6;
/// Where its kind begins, by its place in [`KINDS`].
const KIND: u16 = 8;

/// A Close has more to say.
const KINDS: [MessageKind; 4] =
    [MessageKind::Text, MessageKind::Binary, MessageKind::Ping, MessageKind::Pong];

impl Quiet {
    /// `None` for a message that has more to say. Its payload is not looked at, only what it is.
    pub(super) fn new(
        base: PacketNo,
        next: bool,
        items: u32,
        origin: Origin,
        message: &Message<'_>,
    ) -> Option<Self> {
        if message.begin != origin || !message.notes.is_empty() {
            return None;
        }
        let kind = match message.kind {
            MessageKind::Text => 0,
            MessageKind::Binary => 1,
            MessageKind::Ping => 2,
            MessageKind::Pong => 3,
            MessageKind::Close => return None,
        };
        let flag = |set: bool, flag: u16| if set { flag } else { 0 };
        let payload = match message.payload {
            Payload::Text(_) => TEXT,
            Payload::Data(_) => DATA,
            Payload::Skipped => 0,
        };
        Some(Self {
            time: origin.time?,
            packet: u32::try_from(origin.packet.0.checked_sub(base.0)?).ok()?,
            no: u32::try_from(message.no.0).ok()?,
            len: u32::try_from(message.len).ok()?,
            wire_len: u32::try_from(message.wire_len).ok()?,
            bytes: 0,
            frames: u8::try_from(message.frames).ok()?,
            items: u8::try_from(items).ok()?,
            flags: flag(message.dir == Direction::ToClient, TO_CLIENT)
                | flag(message.compressed, COMPRESSED)
                | flag(message.complete, COMPLETE)
                | flag(next, NEXT)
                | payload
                | kind << KIND,
        })
    }

    /// What the sink made of it stands in place of the payload.
    pub(super) const fn payload_is_drafted(&mut self) {
        self.flags = self.flags & !(TEXT | DATA) | DRAFT;
    }

    /// The payload is not kept.
    pub(super) const fn payload_is_skipped(&mut self) {
        self.flags &= !(TEXT | DATA);
    }

    pub(super) const fn is_of_next_connection(&self) -> bool {
        self.has(NEXT)
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The message again, with these bytes; and whether they are a draft of it.
    pub(super) fn message<'a>(
        &self,
        base: PacketNo,
        bytes: &'a [u8],
    ) -> (Origin, Message<'a>, bool) {
        let packet = PacketNo(base.0.saturating_add(u64::from(self.packet)));
        let origin = Origin { packet, time: Some(self.time) };
        let kind = KINDS.get(usize::from(self.flags >> KIND)).copied();
        let payload = if self.has(TEXT) {
            // It was text before, so it is now.
            simdutf8::basic::from_utf8(bytes).map_or(Payload::Data(bytes), Payload::Text)
        } else if self.has(DATA) {
            Payload::Data(bytes)
        } else {
            Payload::Skipped
        };
        let message = Message {
            dir: if self.has(TO_CLIENT) { Direction::ToClient } else { Direction::ToServer },
            no: MessageNo(u64::from(self.no)),
            kind: kind.unwrap_or(MessageKind::Binary),
            len: u64::from(self.len),
            wire_len: u64::from(self.wire_len),
            frames: u32::from(self.frames),
            compressed: self.has(COMPRESSED),
            complete: self.has(COMPLETE),
            begin: origin,
            payload,
            close_code: None,
            close_reason: None,
            notes: &[],
        };
        (origin, message, self.has(DRAFT))
    }
}
