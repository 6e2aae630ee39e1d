//! Text from the network made harmless for a terminal.
//!
//! Gets: any text or bytes. Gives: text in which every character that a terminal or a reader could be
//! fooled by is spelled out: `\n`, `\x1b`, `\u{202e}`. Keeps: nothing.
//!
//! A backslash itself stays as it is: doubled ones would make JSON and Windows paths unreadable,
//! and no terminal is moved by one.

use std::fmt::{self, Write};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Must this character not reach a terminal as it is?
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and what is invisible or changes
/// the order of what is shown: bidirectional controls, zero-width and other format characters, tags.
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{70f}' | '\u{180e}' | '\u{feff}'
        | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{8e2}' | '\u{890}' | '\u{891}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Shows text with [`is_unsafe`] characters spelled out.
///
/// ```
/// use wstap::sink::escape::Escaped;
/// assert_eq!(Escaped("a\x1b[31m\n\u{202e}b").to_string(), "a\\x1b[31m\\n\\u{202e}b");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (clean, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            f.write_str(clean)?;
            spell(c, f)?;
            rest = tail.get(c.len_utf8()..).unwrap_or("");
        }
        f.write_str(rest)
    }
}

/// Appends as much of the text, escaped, as fits into so many columns; true when all of it did.
/// Otherwise the last column holds `…`. Looks at no more of the text than it shows.
pub fn cut(out: &mut String, text: &str, columns: usize) -> bool {
    let looked_at = text.as_bytes().get(..columns.saturating_add(1)).unwrap_or(text.as_bytes());
    if looked_at.iter().all(|b| matches!(b, b' '..=b'~')) {
        return cut_ascii(out, text, columns);
    }
    let begin = out.len();
    let mut width: usize = 0;
    // Where to cut back to, so that the ellipsis has its column.
    let mut keep = begin;
    for piece in pieces(text) {
        let wide = piece_width(piece);
        if width.saturating_add(wide) > columns {
            out.truncate(keep);
            if columns > 0 {
                out.push('…');
            }
            return false;
        }
        piece.chars().for_each(|c| push(out, c));
        width += wide;
        if width < columns {
            keep = out.len();
        }
    }
    true
}

/// Text of which as much as can be shown is one column for each byte.
fn cut_ascii(out: &mut String, text: &str, columns: usize) -> bool {
    if text.len() <= columns {
        out.push_str(text);
        return true;
    }
    if let Some(shown) = columns.checked_sub(1) {
        out.push_str(text.get(..shown).unwrap_or_default());
        out.push('…');
    }
    false
}

/// Columns that text takes when shown escaped.
pub fn width(text: &str) -> usize {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return text.len();
    }
    pieces(text).map(piece_width).sum()
}

/// Text in parts that are drawn as one: a character with its marks, an emoji of several characters, a
/// flag; a character that is spelled out is one of its own.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(|cluster| {
        let whole = !cluster.contains(is_unsafe);
        let mut rest = cluster;
        std::iter::from_fn(move || {
            let first = rest.chars().next()?;
            let end = if whole { rest.len() } else { first.len_utf8() };
            let (piece, behind) = rest.split_at_checked(end)?;
            rest = behind;
            Some(piece)
        })
    })
}

/// Columns of one of the [`pieces`]: an emoji with its modifier takes fewer than its characters one by one.
fn piece_width(piece: &str) -> usize {
    match piece.chars().next() {
        Some(c) if is_unsafe(c) => width_of(c),
        _ => piece.width(),
    }
}

/// Bytes as hex pairs and, behind two spaces, as ASCII with dots, cut to so many columns.
pub fn hex_dump(out: &mut String, bytes: &[u8], columns: usize) {
    // "xx " and one letter a byte, one space more between the two parts, one column for `…`.
    let fits = columns.saturating_sub(2) / 4;
    let shown = bytes.get(..fits).unwrap_or(bytes);
    for byte in shown {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02x} ");
    }
    out.push(' ');
    out.extend(shown.iter().map(|&b| if matches!(b, b' '..=b'~') { char::from(b) } else { '.' }));
    if shown.len() < bytes.len() {
        out.push('…');
    }
}

fn push(out: &mut String, c: char) {
    if is_unsafe(c) {
        // Writing to a String does not fail.
        let _ = spell(c, out);
    } else {
        out.push(c);
    }
}

fn spell(c: char, out: &mut impl Write) -> fmt::Result {
    match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\u{9f}' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// Columns of one character as [`push`] shows it.
fn width_of(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        '\n' | '\r' | '\t' => 2,
        '\0'..='\u{9f}' => 4,
        _ if is_unsafe(c) => {
            // `\u{` and `}` around the hex digits.
            4 + usize::try_from(u32::from(c).ilog2() / 4 + 1).unwrap_or(8)
        }
        _ => c.width().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does anything in it act on a terminal?
    fn harmless(text: &str) -> bool {
        text.chars().all(|c| !c.is_control() && !is_unsafe(c))
    }

    #[test]
    fn no_byte_gets_through_raw() {
        for byte in 0..=255_u8 {
            let text = char::from(byte).to_string();
            assert!(harmless(&Escaped(&text).to_string()), "{byte:#x}");
            let mut out = String::new();
            hex_dump(&mut out, &[byte], 80);
            assert!(harmless(&out), "{byte:#x}");
        }
    }

    #[test]
    fn no_control_or_format_character_gets_through_raw() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            assert!(is_unsafe(c), "{c:?}");
        }
        for c in "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\
            \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\
            \u{feff}\u{fff9}\u{e0001}\u{e007f}"
            .chars()
        {
            assert!(is_unsafe(c), "{c:?}");
        }
    }

    #[test]
    fn every_family_of_escape_sequences_is_spelled_out() {
        let families = [
            "\x1b[2J",                  // CSI
            "\x1b]0;title\x07",         // OSC ended by BEL
            "\x1b]52;c;aGk=\x1b\\",     // OSC 52 ended by ST
            "\x1bP$q\x1b\\",            // DCS
            "\x1b_app\x1b\\",           // APC
            "\x1b^pm\x1b\\",            // PM
            "\x1bX sos\x1b\\",          // SOS
            "\x1bc",                    // RIS
            "\x1b(0",                   // character set
            "\u{9b}31m",                // CSI in one C1 character
            "\u{9d}0;title\u{9c}",      // OSC in one C1 character
            "\u{90}q\u{9c}",            // DCS in one C1 character
            "a\rb\x08c\x0bd\x0ce\x07f", // movement and bell
            "\x0e\x0f\x18\x1a\x7f",     // shifts, cancel, delete
        ];
        for family in families {
            let shown = Escaped(family).to_string();
            assert!(harmless(&shown), "{shown:?}");
            let mut out = String::new();
            assert!(cut(&mut out, family, 1000));
            assert_eq!(out, shown, "both ways of escaping agree");
        }
    }

    #[test]
    fn what_people_write_stays_readable() {
        for text in ["hello, martian!!!!", r#"{"a":"b\n"}"#, "Grüße", "日本語", "🚀", "a\\b"]
        {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }

    #[test]
    fn cut_text_keeps_to_its_columns() {
        let cases = [
            ("hello", 5, "hello"),
            ("hello!", 5, "hell…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab\ncd", 4, "ab\\n"),
            ("abc", 0, ""),
        ];
        for (text, columns, want) in cases {
            let mut out = String::new();
            let whole = cut(&mut out, text, columns);
            if text == "ab\ncd" {
                // The ellipsis needs a column of its own, so the escape goes.
                assert_eq!((out.as_str(), whole), ("ab…", false));
            } else {
                assert_eq!(out, want, "{text} in {columns}");
                assert_eq!(whole, want == text, "{text} in {columns}");
            }
        }
    }

    #[test]
    fn widths_are_those_of_the_escapes() {
        for text in ["\u{202e}", "\u{e0001}", "\x1b", "\n", "\u{ad}", "日", "a"] {
            let shown = Escaped(text).to_string();
            let plain: usize = shown.chars().map(|c| c.width().unwrap()).sum();
            assert_eq!(width(text), plain, "{shown}");
        }
    }

    #[test]
    fn what_is_drawn_as_one_is_measured_and_cut_as_one() {
        for (text, columns) in [
            ("👍🏽", 2),
            ("❤\u{fe0f}", 2),
            ("🇩🇪", 2),
            ("e\u{301}", 1),
            ("ｶﾞ", 2),
            ("👩\u{200d}👩", 12),
        ] {
            assert_eq!(width(text), columns, "{text}");
            let mut out = String::new();
            assert!(cut(&mut out, text, columns), "{text}");
            assert_eq!(out, Escaped(text).to_string());
        }
        for (text, want) in [("👍🏽👍🏽", "👍🏽…"), ("🇩🇪🇫🇷", "🇩🇪…")]
        {
            let mut out = String::new();
            assert!(!cut(&mut out, text, 3));
            assert_eq!(out, want);
        }
    }

    #[test]
    fn hex_dumps_are_cut_to_their_columns() {
        let mut out = String::new();
        hex_dump(&mut out, b"\x82\xa7compact\xc3", 80);
        assert_eq!(out, "82 a7 63 6f 6d 70 61 63 74 c3  ..compact.");
        for columns in 6..80 {
            let mut out = String::new();
            hex_dump(&mut out, &[0; 100], columns);
            assert!(out.chars().count() <= columns, "{out}");
        }
    }
}
