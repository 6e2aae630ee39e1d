//! JSON written by hand into a byte buffer: no tree, no allocation.
//!
//! Gets: values. Gives: their JSON text, appended. Keeps: nothing.

use std::io;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sink::address::spell;
use crate::sink::escape::is_unsafe;
use crate::units::Timestamp;

/// Appends a string in quotes.
///
/// Control and format characters are escaped beyond what JSON demands (RFC 8259 section 7), so that a
/// line may be shown on a terminal.
pub fn string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    string_inside(buf, text);
    buf.push(b'"');
}

/// The same for what serde writes: `Serializer::with_formatter(writer, Harmless)`.
#[derive(Debug, Clone, Copy)]
pub struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut escaped = Vec::with_capacity(fragment.len());
        string_inside(&mut escaped, fragment);
        writer.write_all(&escaped)
    }
}

/// Appends an address with its port, as a string.
pub fn address(buf: &mut Vec<u8>, address: &SocketAddr) {
    buf.push(b'"');
    spell(address, |part| raw(buf, part));
    buf.push(b'"');
}

/// Appends a string or null.
pub fn opt_string(buf: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => string(buf, text),
        None => null(buf),
    }
}

/// Appends bytes as a string in base64.
pub fn base64(buf: &mut Vec<u8>, bytes: &[u8]) {
    buf.push(b'"');
    let begin = buf.len();
    buf.resize(begin.saturating_add(bytes.len().div_ceil(3).saturating_mul(4)), 0);
    let written = buf.get_mut(begin..).and_then(|to| STANDARD.encode_slice(bytes, to).ok());
    // The room is exactly that of the padded text.
    buf.truncate(begin + written.unwrap_or(0));
    buf.push(b'"');
}

/// Appends a whole number.
pub fn number(buf: &mut Vec<u8>, value: impl itoa::Integer) {
    buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a whole number or null.
pub fn opt_number(buf: &mut Vec<u8>, value: Option<impl itoa::Integer>) {
    match value {
        Some(value) => number(buf, value),
        None => null(buf),
    }
}

/// Appends `true` or `false`.
pub fn boolean(buf: &mut Vec<u8>, value: bool) {
    buf.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends a time in RFC 3339, or null.
pub fn time(buf: &mut Vec<u8>, time: Option<Timestamp>) {
    let Some(time) = time else { return null(buf) };
    buf.push(b'"');
    buf.extend_from_slice(time.rfc3339().as_bytes());
    buf.push(b'"');
}

/// Appends `null`.
pub fn null(buf: &mut Vec<u8>) {
    buf.extend_from_slice(b"null");
}

/// Appends raw JSON text: keys and punctuation.
pub fn raw(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(text.as_bytes());
}

fn string_inside(buf: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Most text needs a backslash now and then.
    buf.reserve(bytes.len() + bytes.len() / 8);
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WORD>) {
        buf.extend_from_slice(word);
        let clean = clean_bytes(*word);
        at += clean;
        if clean < WORD {
            buf.truncate(buf.len() - (WORD - clean));
            at += special(buf, text, at);
        }
    }
    while let Some(&byte) = bytes.get(at) {
        if looks_special(byte) {
            at += special(buf, text, at);
        } else {
            buf.push(byte);
            at += 1;
        }
    }
}

/// Appends what stands at a byte that may need escaping; tells how many bytes that was.
#[inline]
fn special(buf: &mut Vec<u8>, text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    match rest.first() {
        Some(b'"') => raw(buf, "\\\""),
        Some(b'\\') => raw(buf, "\\\\"),
        Some(&byte) if !looks_special(byte) => {
            let plain = |b: &&u8| **b >= 0x80 && !looks_special(**b);
            let len = rest.iter().take_while(plain).count().max(1);
            buf.extend_from_slice(rest.get(..len).unwrap_or(rest));
            return len;
        }
        _ => return character(buf, text.get(at..).and_then(|rest| rest.chars().next())),
    }
    1
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

/// Bytes looked at together, as one number.
const WORD: usize = size_of::<u64>();

/// Bytes at the front that need no look: ASCII without control characters, quotation marks and
/// backslashes.
#[inline]
fn clean_bytes(word: [u8; WORD]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(word);
    // The high bit of each byte that is below `n`, up to the first such byte exactly: what is borrowed
    // goes upwards only.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let found = (word | below(word, 0x20) | is(b'"') | is(b'\\') | is(0x7f)) & HIGH;
    found.trailing_zeros() as usize / 8
}

/// Needs escaping, or begins a UTF-8 sequence that may.
const fn looks_special(byte: u8) -> bool {
    // C2: C1 controls, soft hyphen. D8 to DC, E0 to E2, EF, F0, F3: format characters.
    byte < 0x20
        || byte == b'"'
        || byte == b'\\'
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
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let mut buf = Vec::new();
        string(&mut buf, text);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn every_character_reads_back() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            let json = written(&text);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{c:?}");
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

    #[test]
    fn base64_is_that_of_rfc_4648() {
        // RFC 4648 section 10.
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            let mut buf = b"x".to_vec();
            base64(&mut buf, bytes.as_bytes());
            assert_eq!(buf, format!("x\"{text}\"").into_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in "\\PC*|(.|\n|\"|\\\\){0,200}") {
            let json = written(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
