//! What the spool keeps of a message: all that its row does not say.
//!
//! Gets: a [`Message`] and the metadata of its frames. Gives: bytes, and [`Record`] read from them.
//!
//! ```text
//!  record   | total u32 | payload u32 | wire u32 | flags u8 | payload .. | wire .. | meta .. |
//!  meta     | begin | len | wire_len | rtt | close code | frames .. | notes .. |
//! ```
//!
//! The payload comes first, so that a preview reads only the first bytes. Numbers are little-endian.

use crate::event::{Frame, Message, MessageKind, Opcode, Payload};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, FrameNo, MessageNo, Origin, PacketNo, Timestamp};

/// A frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMeta {
    /// Its number in its direction.
    pub no: FrameNo,
    /// Last fragment of its message.
    pub fin: bool,
    /// RSV1 to RSV3 as a number, RSV1 the highest bit.
    pub rsv: u8,
    /// What it is.
    pub opcode: Opcode,
    /// The masking key.
    pub mask: Option<[u8; 4]>,
    /// Payload bytes announced.
    pub len: u64,
    /// Bytes of the header.
    pub header_len: u8,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// The packet that brought its last byte.
    pub end: Origin,
    /// Nothing of it is missing.
    pub complete: bool,
    /// How many of its payload bytes are there.
    pub kept: u32,
}

impl FrameMeta {
    /// What is to be remembered of a frame.
    pub fn new(frame: &Frame<'_>, end: Origin) -> Self {
        Self {
            no: frame.no,
            fin: frame.fin,
            rsv: frame.rsv,
            opcode: frame.opcode,
            mask: frame.mask,
            len: frame.len,
            header_len: frame.header_len,
            begin: frame.begin,
            end,
            complete: frame.complete,
            kept: u32::try_from(frame.payload.len()).unwrap_or(u32::MAX),
        }
    }

    /// The header's bytes, as RFC 6455 section 5.2 draws them.
    pub fn header(&self) -> Vec<u8> {
        let first = u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode.bits();
        let masked = u8::from(self.mask.is_some()) << 7;
        let mut bytes = vec![first];
        // The form of the length that was used, which need not be the shortest.
        match self.header_len.saturating_sub(if self.mask.is_some() { 4 } else { 0 }) {
            0..=2 => bytes.push(masked | u8::try_from(self.len).unwrap_or(0x7f) & 0x7f),
            3..=4 => {
                bytes.push(masked | 0x7e);
                bytes.extend(u16::try_from(self.len).unwrap_or(u16::MAX).to_be_bytes());
            }
            _ => {
                bytes.push(masked | 0x7f);
                bytes.extend(self.len.to_be_bytes());
            }
        }
        bytes.extend(self.mask.into_iter().flatten());
        bytes
    }
}

/// All that is kept of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states")]
pub struct Record {
    /// Which way it went.
    pub dir: Direction,
    /// What it is; `None`: a frame that made no message.
    pub kind: Option<MessageKind>,
    /// Its number.
    pub no: MessageNo,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// Bytes after inflating.
    pub len: u64,
    /// Bytes on the wire.
    pub wire_len: u64,
    /// Frames it came in; the first of them are in `frames`.
    pub frame_count: u32,
    /// Compressed on the wire.
    pub compressed: bool,
    /// Nothing is missing.
    pub complete: bool,
    /// The payload is valid UTF-8 of a text message.
    pub text: bool,
    /// The payload was not computed.
    pub skipped: bool,
    /// Of a pong: nanoseconds since the ping that it answers.
    pub rtt: Option<i64>,
    /// Status code of a Close.
    pub close_code: Option<u16>,
    /// Its frames.
    pub frames: Vec<FrameMeta>,
    /// What is to be said of it.
    pub notes: Vec<Note>,
    /// The bytes; at most as many as were asked for.
    pub payload: Vec<u8>,
    /// Bytes of the payload that the spool has.
    pub payload_len: u32,
    /// The frames' payloads as on the wire, unmasked; `None` where they are the payload.
    pub wire: Option<Vec<u8>>,
}

impl Record {
    /// It came compressed, and nothing of it could be inflated.
    pub const fn is_sealed(&self) -> bool {
        self.compressed && !self.complete && self.payload_len == 0 && self.wire_len > 0
    }

    /// As an event to be asked by a filter.
    pub fn message(&self) -> Option<Message<'_>> {
        let kind = self.kind?;
        let payload = match std::str::from_utf8(&self.payload) {
            _ if self.skipped => Payload::Skipped,
            Ok(text) if self.text => Payload::Text(text),
            _ => Payload::Data(&self.payload),
        };
        let reason = match kind {
            MessageKind::Close => self.payload.get(2..).and_then(|r| std::str::from_utf8(r).ok()),
            _ => None,
        };
        Some(Message {
            dir: self.dir,
            no: self.no,
            kind,
            len: self.len,
            wire_len: self.wire_len,
            frames: self.frame_count,
            compressed: self.compressed,
            complete: self.complete,
            begin: self.begin,
            payload,
            close_code: self.close_code,
            close_reason: reason.filter(|_| self.close_code.is_some()),
            notes: &self.notes,
        })
    }

    /// The payloads of the frames, one behind the other, unmasked.
    pub fn wire_bytes(&self) -> &[u8] {
        self.wire.as_deref().unwrap_or(&self.payload)
    }
}

/// Bytes before the payload.
pub const HEAD: usize = 13;
/// Frames of one message whose metadata is kept.
pub const FRAMES: usize = 1024;

const TEXT: u8 = 1;
const SKIPPED: u8 = 2;
const WIRE: u8 = 4;

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the whole record.
    pub total: usize,
    /// Bytes of the payload.
    pub payload: usize,
    /// Bytes of the wire's payload.
    pub wire: usize,
    flags: u8,
}

impl Head {
    /// From the first bytes of a record.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let total = usize::try_from(input.u32()?).ok()?;
        let payload = usize::try_from(input.u32()?).ok()?;
        let wire = usize::try_from(input.u32()?).ok()?;
        let flags = input.u8()?;
        (HEAD.checked_add(payload)?.checked_add(wire)? <= total).then_some(Self {
            total,
            payload,
            wire,
            flags,
        })
    }

    /// The payload is text.
    pub const fn text(&self) -> bool {
        self.flags & TEXT != 0
    }
}

/// Writes the record of a message at the end of `out`.
pub fn write(
    out: &mut Vec<u8>,
    message: &Message<'_>,
    frames: &[FrameMeta],
    wire: Option<&[u8]>,
    rtt: Option<i64>,
) {
    let text = matches!(message.payload, Payload::Text(_));
    let skipped = matches!(message.payload, Payload::Skipped);
    let start = begin(out, message.payload.bytes(), wire, text, skipped);
    let kind = MessageKind::ALL.iter().position(|kind| *kind == message.kind).unwrap_or(0);
    put_u8(out, u8::try_from(kind).unwrap_or(0));
    let bits = u8::from(message.dir == Direction::ToClient)
        | u8::from(message.compressed) << 1
        | u8::from(message.complete) << 2;
    put_u8(out, bits);
    put_u64(out, message.no.0);
    put_origin(out, message.begin);
    put_u64(out, message.len);
    put_u64(out, message.wire_len);
    put_u32(out, message.frames);
    put_i64(out, rtt.unwrap_or(i64::MIN));
    put_u32(out, message.close_code.map_or(u32::MAX, u32::from));
    put_frames(out, frames);
    put_notes(out, message.notes);
    finish(out, start);
}

/// Writes the record of a frame that made no message.
pub fn write_frame(out: &mut Vec<u8>, frame: &Frame<'_>, end: Origin) {
    let start = begin(out, frame.payload, None, false, false);
    put_u8(out, u8::MAX);
    let bits = u8::from(frame.dir == Direction::ToClient) | u8::from(frame.complete) << 2;
    put_u8(out, bits);
    put_u64(out, 0);
    put_origin(out, frame.begin);
    put_u64(out, frame.len);
    put_u64(out, frame.len);
    put_u32(out, 1);
    put_i64(out, i64::MIN);
    put_u32(out, u32::MAX);
    put_frames(out, &[FrameMeta::new(frame, end)]);
    put_notes(out, frame.notes);
    finish(out, start);
}

/// Reads a record, at most `limit` bytes of each payload.
pub fn read(bytes: &[u8], limit: usize) -> Option<Record> {
    let head = Head::read(bytes)?;
    let body = bytes.get(HEAD..head.total)?;
    let (payload, rest) = body.split_at_checked(head.payload)?;
    let (wire, meta) = rest.split_at_checked(head.wire)?;
    let mut input = Input(meta);
    let kind = MessageKind::ALL.get(usize::from(input.u8()?)).copied();
    let bits = input.u8()?;
    let no = MessageNo(input.u64()?);
    let begin = input.origin()?;
    let (len, wire_len) = (input.u64()?, input.u64()?);
    let frame_count = input.u32()?;
    let rtt = Some(input.i64()?).filter(|ns| *ns != i64::MIN);
    let close_code = u16::try_from(input.u32()?).ok();
    let frames = input.frames()?;
    let notes = input.notes()?;
    let cut = |bytes: &[u8]| bytes.get(..limit).unwrap_or(bytes).to_vec();
    Some(Record {
        dir: if bits & 1 == 1 { Direction::ToClient } else { Direction::ToServer },
        kind,
        no,
        begin,
        len,
        wire_len,
        frame_count,
        compressed: bits & 2 != 0,
        complete: bits & 4 != 0,
        text: head.text(),
        skipped: head.flags & SKIPPED != 0,
        rtt,
        close_code,
        frames,
        notes,
        payload: cut(payload),
        payload_len: u32::try_from(head.payload).unwrap_or(u32::MAX),
        wire: (head.flags & WIRE != 0).then(|| cut(wire)),
    })
}

fn begin(
    out: &mut Vec<u8>,
    payload: &[u8],
    wire: Option<&[u8]>,
    text: bool,
    skipped: bool,
) -> usize {
    let start = out.len();
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0);
    put_u32(out, 0);
    put_u32(out, len(payload));
    put_u32(out, wire.map_or(0, len));
    let wire_flag = if wire.is_some() { WIRE } else { 0 };
    put_u8(out, (u8::from(text) * TEXT) | (u8::from(skipped) * SKIPPED) | wire_flag);
    out.extend_from_slice(payload);
    out.extend_from_slice(wire.unwrap_or(&[]));
    start
}

fn finish(out: &mut [u8], start: usize) {
    let total = u32::try_from(out.len().saturating_sub(start)).unwrap_or(0);
    if let Some(slot) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *slot = total.to_le_bytes();
    }
}

fn put_u8(out: &mut Vec<u8>, n: u8) {
    out.push(n);
}

fn put_u32(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_i64(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_origin(out: &mut Vec<u8>, origin: Origin) {
    put_u64(out, origin.packet.0);
    put_i64(out, origin.time.map_or(i64::MIN, |time| time.0));
}

fn put_frames(out: &mut Vec<u8>, frames: &[FrameMeta]) {
    let frames = frames.get(..FRAMES).unwrap_or(frames);
    put_u32(out, u32::try_from(frames.len()).unwrap_or(0));
    for frame in frames {
        put_u64(out, frame.no.0);
        let bits = u8::from(frame.fin) << 7 | (frame.rsv & 7) << 4 | frame.opcode.bits();
        put_u8(out, bits);
        put_u8(out, u8::from(frame.complete) | u8::from(frame.mask.is_some()) << 1);
        out.extend_from_slice(&frame.mask.unwrap_or_default());
        put_u64(out, frame.len);
        put_u8(out, frame.header_len);
        put_origin(out, frame.begin);
        put_origin(out, frame.end);
        put_u32(out, frame.kept);
    }
}

fn put_notes(out: &mut Vec<u8>, notes: &[Note]) {
    put_u32(out, u32::try_from(notes.len()).unwrap_or(0));
    for note in notes {
        put_str(out, note.code.as_str());
        let blame = match note.blame {
            Blame::Client => 0,
            Blame::Server => 1,
            Blame::Proxy => 2,
            Blame::Capture => 3,
        };
        put_u8(out, blame);
        put_str(out, &note.text);
    }
}

fn put_str(out: &mut Vec<u8>, text: &str) {
    put_u32(out, u32::try_from(text.len()).unwrap_or(0));
    out.extend_from_slice(text.as_bytes());
}

/// A cursor over a record's metadata.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn origin(&mut self) -> Option<Origin> {
        let packet = PacketNo(self.u64()?);
        let time = Some(self.i64()?).filter(|ns| *ns != i64::MIN).map(Timestamp);
        Some(Origin { packet, time })
    }

    fn frames(&mut self) -> Option<Vec<FrameMeta>> {
        (0..self.u32()?).map(|_| self.frame()).collect()
    }

    fn frame(&mut self) -> Option<FrameMeta> {
        let no = FrameNo(self.u64()?);
        let (bits, flags) = (self.u8()?, self.u8()?);
        let mask = self.take()?;
        Some(FrameMeta {
            no,
            fin: bits & 0x80 != 0,
            rsv: bits >> 4 & 7,
            opcode: Opcode::from_bits(bits),
            mask: (flags & 2 != 0).then_some(mask),
            len: self.u64()?,
            header_len: self.u8()?,
            begin: self.origin()?,
            end: self.origin()?,
            complete: flags & 1 != 0,
            kept: self.u32()?,
        })
    }

    fn notes(&mut self) -> Option<Vec<Note>> {
        (0..self.u32()?).map(|_| self.note()).collect()
    }

    fn note(&mut self) -> Option<Note> {
        let code: NoteCode = self.str()?.parse().ok()?;
        let blame = match self.u8()? {
            0 => Blame::Client,
            1 => Blame::Server,
            2 => Blame::Proxy,
            _ => Blame::Capture,
        };
        Some(Note::new(code, blame, self.str()?.to_owned()))
    }

    fn str(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(packet: u64) -> Origin {
        Origin { packet: PacketNo(packet), time: Some(Timestamp(packet.cast_signed() * 10)) }
    }

    fn frame() -> FrameMeta {
        FrameMeta {
            no: FrameNo(4),
            fin: true,
            rsv: 4,
            opcode: Opcode::Text,
            mask: Some([0x37, 0xfa, 0x21, 0x3d]),
            len: 7,
            header_len: 6,
            begin: origin(5),
            end: origin(6),
            complete: true,
            kept: 7,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let notes = [Note::new(NoteCode::MaskReused, Blame::Client, "the same key")];
        let message = Message {
            dir: Direction::ToServer,
            no: MessageNo(3),
            kind: MessageKind::Text,
            len: 5,
            wire_len: 7,
            frames: 1,
            compressed: true,
            complete: true,
            begin: origin(5),
            payload: Payload::Text("Hello"),
            close_code: None,
            close_reason: None,
            notes: &notes,
        };
        let mut bytes = vec![];
        write(&mut bytes, &message, &[frame()], Some(b"\xf2\x48\xcd\xc9\xc9\x07\x00"), Some(12));
        let record = read(&bytes, usize::MAX).unwrap();
        assert_eq!(record.frames, [frame()]);
        assert_eq!(record.notes, notes);
        assert_eq!(record.rtt, Some(12));
        assert_eq!(record.wire_bytes(), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        let again = record.message().unwrap();
        assert_eq!((again.payload, again.no, again.len), (message.payload, message.no, 5));
        assert_eq!(read(&bytes, 2).unwrap().payload, b"He");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut], 9), None, "cut at {cut}");
        }
    }

    #[test]
    fn header_bytes_are_those_of_the_wire() {
        // RFC 6455 section 5.7: a masked text message "Hello"; here with RSV1 and 7 bytes.
        assert_eq!(frame().header(), [0xc1, 0x87, 0x37, 0xfa, 0x21, 0x3d]);
        let long = FrameMeta { mask: None, len: 256, header_len: 4, rsv: 0, ..frame() };
        assert_eq!(long.header(), [0x81, 0x7e, 0x01, 0x00]);
        let huge = FrameMeta { header_len: 10, len: 65536, ..long };
        assert_eq!(huge.header(), [0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
