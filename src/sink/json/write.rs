//! JSON written by hand into a byte buffer: no tree, no allocation.
//!
//! Gets: values. Gives: their JSON text, appended. Keeps: nothing.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::Simd;
use base64::engine::general_purpose::{PAD, STANDARD};

use super::digits;
use super::quote;
use crate::sink::address::spell;
use crate::units::Timestamp;

/// Appends a string in quotes.
///
/// Control and format characters are escaped beyond what JSON demands (RFC 8259 section 7), so that a
/// line may be shown on a terminal.
pub fn string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    quote::inside(buf, text);
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
        quote::inside(&mut escaped, fragment);
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
    // Which instructions the processor has is asked once.
    static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
    // In pieces that stay in the cache, since their room is filled twice. They are whole groups of three
    // bytes, so that only the last is padded.
    const PIECE: usize = 3 << 10;
    // What is too short for them is sooner done without.
    const SHORT: usize = 24;
    buf.push(b'"');
    if bytes.len() <= SHORT {
        let begin = buf.len();
        buf.extend_from_slice(&[0; SHORT / 3 * 4]);
        encode(buf, begin, &STANDARD, bytes);
    } else {
        buf.reserve(bytes.len().div_ceil(3).saturating_mul(4));
        for piece in bytes.chunks(PIECE) {
            let begin = buf.len();
            buf.resize(begin + piece.len().div_ceil(3) * 4, 0);
            encode(buf, begin, &*ENGINE, piece);
        }
    }
    buf.push(b'"');
}

/// Puts bytes in base64 into the room from `begin` on, which is enough for them with their padding, and
/// gives back what is left of it.
#[inline]
fn encode(buf: &mut Vec<u8>, begin: usize, engine: &impl Engine, bytes: &[u8]) {
    let written = buf.get_mut(begin..).and_then(|to| engine.encode_slice(bytes, to).ok());
    buf.truncate(begin + written.unwrap_or(0));
}

/// Appends a whole number.
#[inline]
pub fn number(buf: &mut Vec<u8>, value: impl itoa::Integer + TryInto<u32> + Copy) {
    match value.try_into() {
        Ok(small) if small < digits::LIMIT => digits::push(buf, small),
        _ => buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends a whole number or null.
pub fn opt_number(buf: &mut Vec<u8>, value: Option<impl itoa::Integer + TryInto<u32> + Copy>) {
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
    LAST.with_borrow_mut(|last| {
        if last.time == Some(time) {
            return buf.extend_from_slice(&last.text);
        }
        last.calendar(time);
        buf.extend_from_slice(&last.text);
        // The part of the second goes where it belongs at once: a text that was put together just before
        // it is copied has to be waited for.
        let nanos = u32::try_from(time.0.rem_euclid(SECOND)).unwrap_or(0);
        let digits = (digits::one(nanos / digits::LIMIT), digits::eight(nanos % digits::LIMIT));
        put_nanos(buf, digits);
        put_nanos(&mut last.text, digits);
    });
}

/// Into a text that ends in them, `Z` and a quotation mark.
#[inline]
fn put_nanos(text: &mut [u8], digits: (u8, [u8; 8])) {
    if let Some([first, rest @ .., _, _]) = text.last_chunk_mut::<11>() {
        (*first, *rest) = digits;
    }
}

const SECOND: i64 = 1_000_000_000;

thread_local! {
    static LAST: RefCell<Clock> = const { RefCell::new(Clock { time: None, text: [0; 32] }) };
}

/// The time that was written last, and its text in quotes. The lines of a packet share it, and most
/// others share their second with the line before: a calendar costs more than all the rest of a short
/// line.
#[derive(Debug)]
struct Clock {
    time: Option<Timestamp>,
    text: [u8; 32],
}

impl Clock {
    /// Another time; its text is right but for the part of the second.
    #[inline]
    fn calendar(&mut self, time: Timestamp) {
        let second = |time: Timestamp| time.0.div_euclid(SECOND);
        if self.time.replace(time).map(second) != Some(second(time)) {
            self.text = quoted(time);
        }
    }
}

#[cold]
fn quoted(time: Timestamp) -> [u8; 32] {
    let mut text = [b'"'; 32];
    if let Some(inside) = text.get_mut(1..31) {
        inside.copy_from_slice(time.rfc3339().as_bytes());
    }
    text
}

/// Appends `null`.
pub fn null(buf: &mut Vec<u8>) {
    buf.extend_from_slice(b"null");
}

/// Appends raw JSON text: keys and punctuation.
pub fn raw(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(text.as_bytes());
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
    fn times_are_written_whatever_was_written_before() {
        let times = [0, 1, 999_999_999, 1_000_000_000, -1, 1_763_827_262_000_000_003, 5, i64::MAX];
        for first in times {
            for second in [first, i64::MIN, 7, 1_763_827_262_123_456_789] {
                let mut buf = Vec::new();
                time(&mut buf, Some(Timestamp(first)));
                time(&mut buf, Some(Timestamp(second)));
                let want =
                    [first, second].map(|ns| format!("\"{}\"", Timestamp(ns).rfc3339().as_str()));
                assert_eq!(String::from_utf8(buf).unwrap(), want.concat());
            }
        }
    }

    #[test]
    fn numbers_of_every_length_are_their_digits() {
        let mut value = 0_u64;
        for digit in (1..=9).chain(0..=9) {
            for near in [value.saturating_sub(1), value, value + 1] {
                let mut buf = b"x".to_vec();
                number(&mut buf, near);
                assert_eq!(buf, format!("x{near}").into_bytes());
            }
            value = value * 10 + digit;
        }
        for power in 0..19 {
            let mut buf = Vec::new();
            number(&mut buf, 10_u64.pow(power) - 1);
            number(&mut buf, 10_u64.pow(power));
            let want = format!("{}{}", 10_u64.pow(power) - 1, 10_u64.pow(power));
            assert_eq!(buf, want.into_bytes());
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

    #[test]
    fn large_payloads_are_the_same_in_pieces() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|n| n.wrapping_mul(n).to_le_bytes()[1]).collect();
        for len in [3071, 3072, 3073, 3074, 6144, 6145, 20_000] {
            let mut buf = Vec::new();
            base64(&mut buf, &bytes[..len]);
            let want = STANDARD.encode(&bytes[..len]);
            assert_eq!(String::from_utf8(buf).unwrap(), format!("\"{want}\""), "{len} bytes");
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
