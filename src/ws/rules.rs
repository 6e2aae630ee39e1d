//! Rules for frame headers (RFC 6455 section 5, RFC 7692 section 6).
//!
//! Gets: a header and what was agreed. Gives: notes, and how far the header is from being one at
//! all. Keeps: nothing. What frames add up to is judged by [`crate::ws::session`].

use std::borrow::Cow;

use crate::event::Opcode;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, PacketNo};
use crate::ws::frame::Header;

pub use crate::note::Notes;

/// Bytes of payload that a control frame may have (RFC 6455 section 5.5).
pub(super) const CONTROL_BYTES: usize = 125;

/// What RSV1 stands for in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rsv1 {
    /// Nothing was agreed that uses it.
    Fault,
    /// The handshake was not captured: it may stand for compression.
    Unknown,
    /// A compressed message, on its first frame (permessage-deflate).
    Message,
    /// A compressed frame, on each (`deflate-frame`).
    Frame,
}

/// Where a frame stands, as its notes say it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Which way it goes.
    pub dir: Direction,
    /// Its number.
    pub no: u64,
    /// The packet that brought its first byte.
    pub packet: PacketNo,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} frame {} (packet {})", self.dir.sender(), self.no, self.packet)
    }
}

impl Place {
    /// A note on this frame, blamed on its sender.
    pub fn note(&self, code: NoteCode, text: impl Into<Cow<'static, str>>) -> Note {
        Note::new(code, Blame::from(self.dir), text)
    }
}

/// Nothing in this header asks for a closer look: the way of nearly all frames.
#[inline]
pub fn is_plain(header: &Header, dir: Direction, rsv1: Rsv1) -> bool {
    let rsv_fits = header.rsv == 0
        || header.rsv == 4
            && matches!(header.opcode, Opcode::Text | Opcode::Binary)
            && rsv1 != Rsv1::Fault;
    let shape_fits = match header.opcode {
        Opcode::Reserved(_) => false,
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            header.fin && header.len <= CONTROL_BYTES as u64
        }
        _ => true,
    };
    rsv_fits
        && shape_fits
        && !masks_wrongly(header, dir)
        && header.is_minimal()
        && !header.overflows()
}

/// RFC 6455 section 5.1: a client MUST mask all frames, a server MUST NOT mask any.
pub fn masks_wrongly(header: &Header, dir: Direction) -> bool {
    header.mask.is_some() != (dir == Direction::ToServer)
}

/// Both of its first bytes are such as text begins with: an error page, for one, where frames should be.
pub fn reads_as_text(header: &Header) -> bool {
    let length = match header.length_bytes() {
        0 => u8::try_from(header.len).unwrap_or(127),
        2 => 126,
        _ => 127,
    };
    let first = u8::from(header.fin) << 7 | header.rsv << 4 | header.opcode.bits();
    let second = u8::from(header.mask.is_some()) << 7 | length;
    [first, second].iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n'))
}

/// Judges one header by itself. Returns how many of its few fixed bits are wrong: several at once
/// are a sign that these bytes are no frame.
///
/// With `other_extension` one was agreed of which nothing is known.
pub fn judge(
    header: &Header,
    place: Place,
    rsv1: Rsv1,
    other_extension: bool,
    mut note: impl FnMut(Note),
) -> u32 {
    let mut wrong = 0;
    match (place.dir, header.mask) {
        (Direction::ToServer, None) => {
            wrong += 1;
            note(place.note(NoteCode::ClientUnmasked, format!("{place} is not masked")));
        }
        (Direction::ToClient, Some([a, b, c, d])) => {
            wrong += 1;
            note(place.note(
                NoteCode::ServerMasked,
                format!("{place} is masked, with the key {a:02x}{b:02x}{c:02x}{d:02x}"),
            ));
        }
        _ => {}
    }
    // Section 5.2: reserved opcodes, further data (3 to 7) and control frames (b to f); section 5.8: for
    // extensions too.
    if let Opcode::Reserved(bits) = header.opcode
        && !other_extension
    {
        wrong += 1;
        let kind = if header.opcode.is_control() { "control" } else { "data" };
        note(place.note(
            NoteCode::OpcodeReserved,
            format!("{place} has opcode {bits:#x}, a reserved {kind} opcode"),
        ));
    }
    wrong += u32::from(reserved_bits(header, place, rsv1, other_extension, &mut note));
    if header.opcode.is_control() {
        // Section 5.5: at most 125 bytes, and not fragmented. Longer ones are still skipped by
        // length, to stay in step.
        if header.len > CONTROL_BYTES as u64 {
            wrong += 1;
            note(place.note(
                NoteCode::ControlTooLong,
                format!(
                    "{place}, a control frame, has {} bytes; {CONTROL_BYTES} are allowed",
                    header.len
                ),
            ));
        }
        if !header.fin {
            wrong += 1;
            note(place.note(
                NoteCode::ControlFragmented,
                format!("{place}, a control frame, has FIN clear"),
            ));
        }
    }
    if header.overflows() {
        note(place.note(
            NoteCode::LengthOverflow,
            format!(
                "{place} announces {} bytes: the top bit of the length is set, and nothing behind \
                 it can be read",
                header.len
            ),
        ));
    } else if !header.is_minimal() {
        note(place.note(
            NoteCode::LengthNotMinimal,
            format!(
                "{place} gives its length of {} in {} bits; a shorter form holds it",
                header.len,
                u32::from(header.length_bytes()) * 8
            ),
        ));
    }
    wrong
}

/// Section 5.2: RSV bits MUST be 0 unless an extension that defines them was negotiated.
fn reserved_bits(
    header: &Header,
    place: Place,
    rsv1: Rsv1,
    other_extension: bool,
    note: &mut impl FnMut(Note),
) -> bool {
    if header.rsv == 0 || rsv1 == Rsv1::Unknown {
        // Without the handshake it is not known which extensions there are.
        return false;
    }
    let mut wrong = false;
    let mut others = header.rsv;
    if header.rsv1() && rsv1 != Rsv1::Fault {
        others &= 0b011;
        // RFC 7692 section 6.1: only on the first fragment of a data message.
        if header.opcode.is_control() {
            wrong = true;
            note(place.note(
                NoteCode::CompressedControl,
                format!("{place}, a control frame, has RSV1 (\"compressed\") set"),
            ));
        } else if header.opcode == Opcode::Continuation && rsv1 == Rsv1::Message {
            note(place.note(
                NoteCode::CompressedContinuation,
                format!("{place}, a continuation, has RSV1 (\"compressed\") set"),
            ));
        }
    }
    if others != 0 && !other_extension {
        wrong = true;
        let names = (1..=3)
            .filter(|n| others & (0b1000 >> n) != 0)
            .map(|n| format!("RSV{n}"))
            .collect::<Vec<_>>()
            .join(" and ");
        note(place.note(
            NoteCode::RsvSet,
            format!("{place} has {names} set, which no agreed extension defines"),
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(bytes: &[u8], dir: Direction, rsv1: Rsv1) -> Vec<&'static str> {
        let header = Header::split(bytes).unwrap().0;
        let mut out = Vec::new();
        let place = Place { dir, no: 3, packet: PacketNo(17) };
        judge(&header, place, rsv1, false, |note| {
            assert!(note.text.starts_with(dir.sender()), "{}", note.text);
            assert!(note.text.contains("frame 3 (packet 17)"), "{}", note.text);
            out.push(note.code.as_str());
        });
        if out.is_empty() {
            assert!(is_plain(&header, dir, rsv1) || header.rsv != 0, "{header:?}");
        } else {
            assert!(!is_plain(&header, dir, rsv1), "{header:?}");
        }
        out
    }

    const C: Direction = Direction::ToServer;
    const S: Direction = Direction::ToClient;

    #[test]
    fn sound_headers_get_no_note() {
        assert!(codes(&[0x81, 0x85, 1, 2, 3, 4], C, Rsv1::Fault).is_empty());
        assert!(codes(&[0x8a, 125], S, Rsv1::Fault).is_empty());
        assert!(codes(&[0xc1, 0x05], S, Rsv1::Message).is_empty());
        assert!(codes(&[0x40, 0x05], S, Rsv1::Frame).is_empty());
        assert!(codes(&[0x00, 126, 0, 126], S, Rsv1::Fault).is_empty());
        assert!(codes(&[0xf1, 0x05], S, Rsv1::Unknown).is_empty(), "extensions are not known");
    }

    #[test]
    fn each_fault_gets_its_note() {
        assert_eq!(codes(&[0x81, 0x05], C, Rsv1::Fault), ["client-unmasked"]);
        assert_eq!(codes(&[0x81, 0x85, 1, 2, 3, 4], S, Rsv1::Fault), ["server-masked"]);
        assert_eq!(codes(&[0x83, 0x00], S, Rsv1::Fault), ["opcode-reserved"]);
        assert_eq!(codes(&[0x8b, 0x00], S, Rsv1::Fault), ["opcode-reserved"]);
        assert_eq!(codes(&[0xc1, 0x00], S, Rsv1::Fault), ["rsv-set"]);
        assert_eq!(codes(&[0xe1, 0x00], S, Rsv1::Message), ["rsv-set"]);
        assert_eq!(codes(&[0xc9, 0x00], S, Rsv1::Message), ["compressed-control"]);
        assert_eq!(codes(&[0x40, 0x00], S, Rsv1::Message), ["compressed-continuation"]);
        assert_eq!(codes(&[0x89, 126, 0, 126], S, Rsv1::Fault), ["control-too-long"]);
        assert_eq!(codes(&[0x09, 0x00], S, Rsv1::Fault), ["control-fragmented"]);
        assert_eq!(codes(&[0x81, 126, 0, 125], S, Rsv1::Fault), ["length-not-minimal"]);
        assert_eq!(
            codes(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], S, Rsv1::Fault),
            ["length-overflow"]
        );
    }
}
