//! What changed in a message: in text, in JSON by path, in bytes as a hex dump.
//!
//! Gets: an alteration with both contents. Gives: a few indented lines.

use std::io::{self, Write};

use base64::Engine as _;
use serde_json::Value;

use super::style::{self, Paint, Tone};
use crate::diff::Alteration;
use crate::diff::content::{Difference, Form, Hex, Piece, Row};
use crate::note::NoteCode;

/// Shows what is different.
pub(super) fn difference(
    out: &mut impl Write,
    paint: Paint,
    width: usize,
    alteration: &Alteration,
) -> io::Result<()> {
    let mut lines = Lines { out, paint, width: width.saturating_sub(6).max(20), left: LINES };
    match (alteration.code, &alteration.before, &alteration.after) {
        (NoteCode::MessageChanged, Value::String(before), Value::String(after)) => {
            let difference = between(alteration, before, after);
            for row in difference.rows.iter().filter(|row| !row.same) {
                lines.row(difference.form, row)?;
            }
        }
        (NoteCode::MessageLost | NoteCode::MessageInjected, before, after) => {
            let (tone, sign) = if alteration.code == NoteCode::MessageLost {
                (Tone::Removed, "-")
            } else {
                (Tone::Added, "+")
            };
            let content = if before.is_null() { after } else { before };
            match content {
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => lines.put(tone, sign, text)?,
                other => lines.put(tone, sign, &other.to_string())?,
            }
        }
        _ => {}
    }
    lines.end()
}

fn between(alteration: &Alteration, before: &str, after: &str) -> Difference {
    // Binary messages are given as base64: told by the sentence's kind of message.
    let is_binary = alteration.text.contains("the binary message");
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    if let Some((a, b)) = is_binary.then(|| Some((decode(before)?, decode(after)?))).flatten() {
        return Difference::between(&a, &b, Form::Hex, Hex::default());
    }
    let (a, b) = (before.as_bytes(), after.as_bytes());
    // What the terminal can not show is spelled out in its place.
    let form = if Form::of(a, b) == Form::Json { Form::Json } else { Form::Text };
    Difference::between(a, b, form, Hex::default())
}

struct Lines<'a, W> {
    out: &'a mut W,
    paint: Paint,
    width: usize,
    left: usize,
}

impl<W: Write> Lines<'_, W> {
    fn put(&mut self, tone: Tone, sign: &str, text: &str) -> io::Result<()> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
        self.left = left;
        let shown = style::escape(text);
        let mut pieces = style::chop(&shown, self.width.saturating_sub(2));
        let long = pieces.len() > 1;
        let mut line = pieces.swap_remove(0);
        if long {
            line.pop();
            line.push('\u{2026}');
        }
        writeln!(self.out, "      {}", self.paint.tone(tone, &format!("{sign} {line}")))
    }

    fn end(&mut self) -> io::Result<()> {
        if self.left == 0 { writeln!(self.out, "      \u{2026}") } else { Ok(()) }
    }

    fn row(&mut self, form: Form, row: &Row) -> io::Result<()> {
        if form == Form::Json {
            self.put(Tone::Faint, "@", &row.place)?;
        }
        let [before, after] = &row.cells;
        for (cell, tone, sign) in [(before, Tone::Removed, "-"), (after, Tone::Added, "+")] {
            let Some(pieces) = cell else { continue };
            let text = match form {
                Form::Hex => {
                    let bytes = pieces.iter().map(|piece| piece.text.as_str());
                    format!("{}  {}", row.place, bytes.collect::<String>())
                }
                _ => window(pieces, self.width / 3),
            };
            self.put(tone, sign, &text)?;
        }
        Ok(())
    }
}

/// The text from a little before what differs: at most `room` characters.
fn window(pieces: &[Piece], room: usize) -> String {
    let before: usize =
        pieces.iter().take_while(|p| !p.differs).map(|p| p.text.chars().count()).sum();
    let skipped = before.saturating_sub(room);
    let dots = if skipped > 0 { "\u{2026}" } else { "" };
    let text = pieces.iter().flat_map(|piece| piece.text.chars()).skip(skipped);
    dots.chars().chain(text).collect()
}

/// Lines shown of one message.
const LINES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Direction;
    use serde_json::json;

    fn shown(kind: &str, before: &str, after: &str) -> String {
        let alteration = Alteration {
            code: NoteCode::MessageChanged,
            dir: Direction::ToServer,
            what: "c2s 1".to_owned(),
            before: json!(before),
            after: json!(after),
            text: format!("The proxy changed the {kind} message c2s 1.").into(),
            expected: false,
            numbers: [None; 2],
        };
        let mut out = Vec::new();
        difference(&mut out, Paint { color: false }, 60, &alteration).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn short_text_is_shown_whole() {
        let got = shown("text", "pay alice 100", "pay mallory 100");
        assert_eq!(got, "      - pay alice 100\n      + pay mallory 100\n");
    }

    #[test]
    fn long_text_is_shown_from_before_the_difference() {
        let long = "x".repeat(200);
        let got = shown("text", &format!("{long}A"), &format!("{long}B"));
        assert!(
            got.contains("xA\n") && got.contains("xB\n") && got.contains("- \u{2026}x"),
            "{got}"
        );
    }

    #[test]
    fn json_is_shown_by_path() {
        let got =
            shown("text", r#"{"to":"alice","n":[1,2]}"#, r#"{"to":"bob","n":[1,3],"x":true}"#);
        let want = "      @ $.to\n      - \"alice\"\n      + \"bob\"\n      @ $.n[1]\n      - 2\n      \
                    + 3\n      @ $.x\n      + true\n";
        assert_eq!(got, want);
    }

    #[test]
    fn bytes_are_shown_by_the_row_that_differs() {
        let b64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let (mut a, mut b) = (vec![0; 40], vec![0; 40]);
        (a[17], b[17]) = (0xaa, 0xbb);
        let got = shown("binary", &b64(&a), &b64(&b));
        assert_eq!(got.lines().count(), 2, "{got}");
        assert!(got.starts_with("      - 00000010  00 aa 00"), "{got}");
    }

    #[test]
    fn lines_of_text_that_differ_are_shown() {
        assert_eq!(shown("text", "a\nb\nc", "a\nB\nc"), "      - b\n      + B\n");
    }
}
