//! Text as it stands inside JSON strings (RFC 8259 section 7).
//!
//! Gets: text. Gives: it escaped, appended to a buffer. Keeps: nothing.
//!
//! Payloads are most of what is written, and JSON in JSON has a quotation mark every few bytes. So a
//! block is looked at as a whole, which compilers turn into vector instructions: it is copied, or marks
//! in it are escaped by a table, without a branch for each byte, or it is gone through character by
//! character.

use super::write::raw;
use crate::sink::escape::is_unsafe;

/// Bytes looked at together.
const BLOCK: usize = 32;
/// So few bytes are looked at sooner each by itself than a block is put together of them.
const FEW: usize = 7;

/// Appends text, escaped.
pub(super) fn inside(buf: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if whole(buf, block) {
            at += BLOCK;
        } else {
            at = one_by_one(buf, text, at, at + BLOCK);
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.len() > FEW {
        let mut block = [b' '; BLOCK];
        if let Some(front) = block.get_mut(..rest.len()) {
            front.copy_from_slice(rest);
        }
        if whole(buf, &block) {
            return buf.truncate(buf.len() - (BLOCK - rest.len()));
        }
    }
    one_by_one(buf, text, at, bytes.len());
}

/// Appends a block in which nothing but quotation marks and backslashes is escaped; false for others.
#[inline]
fn whole(buf: &mut Vec<u8>, block: &[u8; BLOCK]) -> bool {
    match block.iter().fold(PLAIN, |all, &byte| all | look(byte)) {
        PLAIN => buf.extend_from_slice(block),
        MARK => marked(buf, block),
        _ => return false,
    }
    true
}

/// What a byte looks like, as bits: those of a block are put together.
const PLAIN: u8 = 0;
const MARK: u8 = 1;
const SPECIAL: u8 = 2;

#[inline]
const fn look(byte: u8) -> u8 {
    (if is_mark(byte) { MARK } else { PLAIN }) | if looks_special(byte) { SPECIAL } else { PLAIN }
}

/// Appends a block, with a backslash before each mark.
fn marked(buf: &mut Vec<u8>, block: &[u8; BLOCK]) {
    const ROOM: usize = 2 * BLOCK;
    let begin = buf.len();
    buf.extend_from_slice(&[0; ROOM + 1]);
    let Some(to) = buf.get_mut(begin..).and_then(<[u8]>::first_chunk_mut::<{ ROOM + 1 }>) else {
        return;
    };
    let mut at = 0;
    for &byte in block {
        let (pair, len) = PAIRS.get(usize::from(byte)).copied().unwrap_or_default();
        // The second of the two is written over where it does not count. `at` is below ROOM anyway;
        // said so, it needs no check.
        let slot = at % ROOM..at % ROOM + 2;
        if let Some(slot) = to.get_mut(slot) {
            slot.copy_from_slice(&pair);
        }
        at += usize::from(len);
    }
    buf.truncate(begin + at);
}

/// Of each byte, what stands for it where only marks are escaped, and how many bytes of that count.
static PAIRS: [([u8; 2], u16); 256] = {
    let mut pairs = [([0; 2], 1); 256];
    let mut rest = pairs.as_mut_slice();
    let mut byte = 0;
    while let Some((pair, others)) = rest.split_first_mut() {
        *pair = if is_mark(byte) { ([b'\\', byte], 2) } else { ([byte, 0], 1) };
        byte = byte.wrapping_add(1);
        rest = others;
    }
    pairs
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
