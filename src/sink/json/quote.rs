//! Text as it stands inside JSON strings (RFC 8259 section 7).
//!
//! Gets: text. Gives: it escaped, appended to a buffer. Keeps: nothing.
//!
//! Payloads are most of what is written, and JSON in JSON has a quotation mark every few bytes. So a
//! block is looked at as a whole, by vector instructions where the processor has them: it is copied, or
//! room is made for the backslashes of eight bytes at a time, or it is gone through character by
//! character.

#![expect(clippy::inline_always, reason = "or it is not compiled for what the processor has")]

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x32};

use super::write::raw;
use crate::sink::escape::is_unsafe;

/// Bytes looked at together.
const BLOCK: usize = 32;
/// So few bytes are looked at sooner each by itself than a block is put together of them.
const FEW: usize = 7;

/// Appends text, escaped.
pub(super) fn inside(buf: &mut Vec<u8>, text: &str) {
    if text.len() > FEW {
        dispatch!(Level::new(), simd => blocks(simd, buf, text));
    } else {
        one_by_one(buf, text, 0, text.len());
    }
}

#[inline(always)]
fn blocks<S: Simd>(simd: S, buf: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if whole(simd, buf, block, BLOCK) {
            at += BLOCK;
        } else {
            at = one_by_one(buf, text, at, at + BLOCK);
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.len() > FEW {
        let block = match bytes.last_chunk() {
            Some(last) => moved_up(simd, last, rest.len()),
            None => padded(rest),
        };
        if whole(simd, buf, &block, rest.len()) {
            return;
        }
    }
    one_by_one(buf, text, at, bytes.len());
}

/// A block that begins with the last `len` bytes of another one; anything comes behind them.
#[inline(always)]
fn moved_up<S: Simd>(simd: S, block: &[u8; BLOCK], len: usize) -> [u8; BLOCK] {
    let by = u8::try_from(BLOCK.saturating_sub(len)).unwrap_or(0);
    let places = u8x32::load_array(simd, PLACES) + by;
    u8x32::load_array_ref(simd, block).swizzle_dyn(places).to_array()
}

const PLACES: [u8; BLOCK] = {
    let mut places = [0; BLOCK];
    let mut rest = places.as_mut_slice();
    let mut place = 0;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = place;
        (place, rest) = (place + 1, others);
    }
    places
};

/// A block that begins with these bytes.
#[inline]
fn padded(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if let Some(front) = block.get_mut(..bytes.len()) {
        front.copy_from_slice(bytes);
    }
    block
}

/// Appends the first `len` bytes of a block if nothing but marks is escaped in them; false otherwise.
#[inline(always)]
fn whole<S: Simd>(simd: S, buf: &mut Vec<u8>, block: &[u8; BLOCK], len: usize) -> bool {
    let counted = u64::MAX >> (64 - len);
    let looks = looks(simd, u8x32::load_array_ref(simd, block));
    let begin = buf.len();
    let others = looks.simd_ne(0).to_bitmask() & counted;
    if others == 0 {
        buf.extend_from_slice(block);
        buf.truncate(begin + len);
        return true;
    }
    let marks_only = (looks & SPECIAL).simd_ne(0).to_bitmask() & counted == 0;
    if marks_only {
        marked(simd, buf, block, others);
        buf.truncate(begin + len + others.count_ones() as usize);
    }
    marks_only
}

/// What each byte looks like: nothing, a mark, or one of [`SPECIAL`].
///
/// A bit that both halves of a byte have in their tables is one that the byte has.
#[inline(always)]
fn looks<S: Simd>(simd: S, bytes: u8x32<S>) -> u8x32<S> {
    let table = |halves| u8x32::block_splat(u8x16::load_array(simd, halves));
    let low = table(LOW_HALF).swizzle_dyn_within_blocks(bytes & 0x0f);
    low & table(HIGH_HALF).swizzle_dyn_within_blocks(bytes >> 4)
}

// Bits: 0 is 00 to 1F, 1 is 7F and EF, 2 is D8 to DF, 3 is C2, 4 is E0 to E2, 5 is F0 and F3; 6 is a
// quotation mark, 7 a backslash.

/// Those that [`looks_special`].
const SPECIAL: u8 = 0b0011_1111;
const LOW_HALF: [u8; 16] =
    [0x31, 0x11, 0x59, 0x21, 1, 1, 1, 1, 0x05, 0x05, 0x05, 0x05, 0x85, 0x05, 0x05, 0x07];
const HIGH_HALF: [u8; 16] =
    [0x01, 0x01, 0x40, 0, 0, 0x80, 0, 0x02, 0, 0, 0, 0, 0x08, 0x04, 0x12, 0x20];

/// Appends a block, with a backslash before each mark, and something behind it.
#[inline(always)]
fn marked<S: Simd>(simd: S, buf: &mut Vec<u8>, block: &[u8; BLOCK], marks: u64) {
    let begin = buf.len();
    buf.extend_from_slice(&[0; 2 * BLOCK]);
    let Some(room) = buf.get_mut(begin..) else { return };
    let mut at = 0;
    for (eight, marks) in block.as_chunks::<8>().0.iter().zip(marks.to_le_bytes()) {
        let from = u128::from(u64::from_le_bytes(*eight)) | BACKSLASHES;
        let from = u8x16::load_array(simd, from.to_le_bytes());
        let places = SPREAD.get(usize::from(marks)).unwrap_or(&[0; 16]);
        let spread = from.swizzle_dyn_within_blocks(u8x16::load_array_ref(simd, places));
        // What this has too much is written over, or cut off by the caller.
        if let Some(to) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            spread.store_array(to);
        }
        at += 8 + marks.count_ones() as usize;
    }
}

/// Behind eight bytes.
const BACKSLASHES: u128 = 0x5c5c_5c5c_5c5c_5c5c << 64;

/// By which of eight bytes are marks, from where each byte of what they become is taken: 8 is a
/// backslash.
#[expect(clippy::indexing_slicing, reason = "it is done when this is compiled")]
static SPREAD: [[u8; 16]; 256] = {
    let mut spread = [[8; 16]; 256];
    let mut marks = 0;
    while marks < 256 {
        let (mut from, mut to) = (0, 0);
        while from < 8 {
            if marks >> from & 1 == 1 {
                to += 1;
            }
            spread[marks][to] = from;
            (from, to) = (from + 1, to + 1);
        }
        marks += 1;
    }
    spread
};

/// Appends text from `at` on, up to `end` or the end of the character there: tells which.
fn one_by_one(buf: &mut Vec<u8>, text: &str, mut at: usize, end: usize) -> usize {
    while let Some(rest) = text.as_bytes().get(at..end).filter(|rest| !rest.is_empty()) {
        let plain = rest.iter().position(|&byte| is_mark(byte) || looks_special(byte));
        let (plain, rest) = rest.split_at(plain.unwrap_or(rest.len()));
        buf.extend_from_slice(plain);
        at += plain.len();
        at += match rest.first() {
            None => 0,
            Some(&byte) if is_mark(byte) => {
                buf.extend_from_slice(&[b'\\', byte]);
                1
            }
            Some(_) => character(buf, text.get(at..).and_then(|rest| rest.chars().next())),
        };
    }
    at
}

#[inline]
const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// Appends a character, escaped where it must be; tells how many bytes it has.
fn character(buf: &mut Vec<u8>, c: Option<char>) -> usize {
    // A byte that begins no character can not be met.
    let Some(c) = c else { return 1 };
    if needs_escape(c) {
        escape(buf, c);
    } else {
        buf.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    c.len_utf8()
}

/// Needs escaping and is no mark, or begins a UTF-8 sequence that may.
#[inline]
const fn looks_special(byte: u8) -> bool {
    // C2: C1 controls, soft hyphen. D8 to DC, E0 to E2, EF, F0, F3: format characters.
    byte < 0x20
        || byte == 0x7f
        || byte == 0xc2
        || (byte >= 0xd8 && byte <= 0xe2)
        || byte == 0xef
        || byte == 0xf0
        || byte == 0xf3
}

const fn needs_escape(c: char) -> bool {
    matches!(c, '"' | '\\') || is_unsafe(c)
}

fn escape(buf: &mut Vec<u8>, c: char) {
    match c {
        '"' => raw(buf, "\\\""),
        '\\' => raw(buf, "\\\\"),
        '\n' => raw(buf, "\\n"),
        '\r' => raw(buf, "\\r"),
        '\t' => raw(buf, "\\t"),
        '\x08' => raw(buf, "\\b"),
        '\x0c' => raw(buf, "\\f"),
        _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| escape_unit(buf, unit)),
    }
}

/// `\u` and four hex digits.
fn escape_unit(buf: &mut Vec<u8>, unit: u16) {
    raw(buf, "\\u");
    for shift in [12, 8, 4, 0] {
        let digit = u32::from((unit >> shift) & 0xf);
        buf.push(char::from_digit(digit, 16).map_or(b'0', |c| u8::try_from(c).unwrap_or(b'0')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut buf = b"\"".to_vec();
        inside(&mut buf, text);
        buf.push(b'"');
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn what_looks_harmless_is() {
        for c in ('\0'..=char::MAX).filter(|c| needs_escape(*c)) {
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(is_mark(first) || looks_special(first), "{c:?}");
        }
    }

    #[test]
    fn bytes_of_a_block_look_as_each_by_itself() {
        for byte in 0..=255 {
            let looks = dispatch!(Level::new(), simd => {
                looks(simd, u8x32::splat(simd, byte)).to_array()
            });
            let want = (looks_special(byte), is_mark(byte));
            assert!(
                looks.iter().all(|&bits| (bits & SPECIAL != 0, bits & !SPECIAL != 0) == want),
                "{byte:#x}"
            );
        }
    }

    #[test]
    fn no_unsafe_character_is_written_raw() {
        for c in ('\0'..=char::MAX).filter(|c| is_unsafe(*c)) {
            assert!(!written(&c.to_string()).contains(c), "{c:?}");
        }
    }

    #[test]
    fn escapes_are_those_of_rfc_8259() {
        assert_eq!(
            written("\"\\\n\r\t\x08\x0c\x1b\u{e0001}"),
            r#""\"\\\n\r\t\b\f\u001b\udb40\udc01""#
        );
        assert_eq!(written("/ Grüße 日本 🚀"), "\"/ Grüße 日本 🚀\"");
    }

    #[test]
    fn characters_across_blocks_are_whole() {
        for before in 0..70 {
            for c in ["\u{e9}", "\u{65e5}", "\u{1f680}", "\u{85}", "\"", "\u{e0001}", "\\"] {
                for after in ["", "\u{7}", "\"", "\u{e9}\u{7}"] {
                    let quote = if before % 2 == 0 { "" } else { "\"" };
                    let text = format!("{quote}{}{c}{after}{}", "x".repeat(before), "y".repeat(40));
                    let json = written(&text);
                    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{text}");
                }
            }
        }
    }
}
