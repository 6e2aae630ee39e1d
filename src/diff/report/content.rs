//! What changed in a message: in text, in JSON by path, in bytes as a hex dump.
//!
//! Gets: an alteration with both contents. Gives: a few indented lines.

use std::io::{self, Write};

use base64::Engine as _;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::style::{self, Paint, Tone};
use crate::diff::Alteration;
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
            if let Some((a, b)) = binary(alteration, before, after) {
                lines.hex(&a, &b)?;
            } else if let Some(paths) = json(before, after) {
                for (path, old, new) in paths {
                    lines.put(Tone::Faint, "@", &path)?;
                    lines.optional(Tone::Removed, "-", old)?;
                    lines.optional(Tone::Added, "+", new)?;
                }
            } else {
                lines.text(before, after)?;
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

/// Both contents as bytes when they were given as base64: told by the sentence's kind of message.
fn binary(alteration: &Alteration, before: &str, after: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let is_binary = alteration.text.contains("the binary message");
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    is_binary.then(|| Some((decode(before)?, decode(after)?))).flatten()
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

    fn optional(&mut self, tone: Tone, sign: &str, text: Option<String>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.put(tone, sign, &text))
    }

    fn end(&mut self) -> io::Result<()> {
        if self.left == 0 { writeln!(self.out, "      \u{2026}") } else { Ok(()) }
    }

    fn text(&mut self, before: &str, after: &str) -> io::Result<()> {
        if before.contains('\n') || after.contains('\n') {
            let diff = TextDiff::from_lines(before, after);
            let changes: Vec<(ChangeTag, String)> = diff
                .iter_all_changes()
                .filter(|c| c.tag() != ChangeTag::Equal)
                .map(|c| (c.tag(), c.value().trim_end_matches('\n').to_owned()))
                .take(LINES)
                .collect();
            for (tag, line) in changes {
                let removed = tag == ChangeTag::Delete;
                let (tone, sign) = if removed { (Tone::Removed, "-") } else { (Tone::Added, "+") };
                self.put(tone, sign, &line)?;
            }
            return Ok(());
        }
        // One long line: from a little before what differs.
        let same = before.char_indices().zip(after.chars()).take_while(|((_, a), b)| a == b);
        let at = same.map(|((at, c), _)| at + c.len_utf8()).last().unwrap_or(0);
        let room = self.width / 3;
        let from = if at > room {
            let start = before.char_indices().map(|(i, _)| i).take_while(|i| i + room <= at).last();
            start.unwrap_or(0)
        } else {
            0
        };
        let window = |text: &str| {
            let dots = if from > 0 { "\u{2026}" } else { "" };
            format!("{dots}{}", text.get(from..).unwrap_or(text))
        };
        self.put(Tone::Removed, "-", &window(before))?;
        self.put(Tone::Added, "+", &window(after))
    }

    /// Rows of 16 bytes that differ.
    fn hex(&mut self, before: &[u8], after: &[u8]) -> io::Result<()> {
        let rows = before.len().max(after.len()).div_ceil(16);
        for row in 0..rows {
            let of = |bytes: &'_ [u8]| {
                let from = row.saturating_mul(16);
                let to = from.saturating_add(16).min(bytes.len());
                bytes.get(from..to).map(<[u8]>::to_vec).unwrap_or_default()
            };
            let (a, b) = (of(before), of(after));
            if a == b {
                continue;
            }
            let line = |bytes: &[u8]| {
                let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                format!("{:08x}  {}", row * 16, hex.join(" "))
            };
            if !a.is_empty() {
                self.put(Tone::Removed, "-", &line(&a))?;
            }
            if !b.is_empty() {
                self.put(Tone::Added, "+", &line(&b))?;
            }
            if self.left == 0 {
                break;
            }
        }
        Ok(())
    }
}

type Change = (String, Option<String>, Option<String>);

/// Where two JSON texts differ, by path; `None` when they are not both objects or arrays.
fn json(before: &str, after: &str) -> Option<Vec<Change>> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (a, b) = (parse(before)?, parse(after)?);
    let nested = |v: &Value| v.is_object() || v.is_array();
    if !nested(&a) || !nested(&b) {
        return None;
    }
    let mut changes = Vec::new();
    walk("$", Some(&a), Some(&b), &mut changes);
    // Equal but for white space or order: then the text itself is what to show.
    (!changes.is_empty()).then_some(changes)
}

fn walk(path: &str, a: Option<&Value>, b: Option<&Value>, changes: &mut Vec<Change>) {
    if a == b || changes.len() >= LINES {
        return;
    }
    match (a, b) {
        (Some(Value::Object(x)), Some(Value::Object(y))) => {
            for (key, value) in x {
                walk(&format!("{path}.{key}"), Some(value), y.get(key), changes);
            }
            for (key, value) in y.iter().filter(|(key, _)| !x.contains_key(*key)) {
                walk(&format!("{path}.{key}"), None, Some(value), changes);
            }
        }
        (Some(Value::Array(x)), Some(Value::Array(y))) => {
            for at in 0..x.len().max(y.len()) {
                walk(&format!("{path}[{at}]"), x.get(at), y.get(at), changes);
            }
        }
        _ => changes.push((path.to_owned(), a.map(Value::to_string), b.map(Value::to_string))),
    }
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
