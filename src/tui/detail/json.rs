//! JSON as a tree of lines, each with the bytes that it stands for.
//!
//! Gets: bytes that are JSON. Gives: [`JsonLine`]s. Numbers are shown as they were sent, whatever
//! their size, and a name that comes twice is shown twice: nothing is parsed into something else.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::IgnoredAny;

/// What a piece of a line is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// A name or an index.
    Name,
    /// A string.
    String,
    /// A number.
    Number,
    /// `true`, `false`, `null`.
    Literal,
    /// What stands between.
    Plain,
}

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLine {
    /// How far it is indented.
    pub depth: usize,
    /// The bytes of its value.
    pub range: Range<usize>,
    /// Can be folded: true when it is.
    pub folded: Option<bool>,
    /// Its path, as a filter has it: `json.user.id`.
    pub path: String,
    /// What it shows; may hold anything from the network.
    pub pieces: Vec<(Piece, String)>,
    /// A value that a filter can compare with.
    pub scalar: bool,
}

/// More lines are no help to anybody.
const LINES: usize = 100_000;
/// Characters of one string that are shown.
const SHOWN: usize = 4096;

/// The lines of a document; `None` when it is no JSON object or array. Containers that begin at a
/// byte in `folded` show only how much is in them.
pub fn lines(bytes: &[u8], folded: &BTreeSet<usize>, unescape: bool) -> Option<Vec<JsonLine>> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    // Checked once; what follows need not doubt it. Nesting is bounded by serde_json (128).
    serde_json::from_slice::<IgnoredAny>(bytes).ok()?;
    let mut walk = Walk { bytes, at: 0, folded, unescape, lines: Vec::new(), hidden: 0 };
    walk.value(0, None, "json".to_owned());
    Some(walk.lines)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    folded: &'a BTreeSet<usize>,
    unescape: bool,
    lines: Vec<JsonLine>,
    /// Above 0 inside of a folded container.
    hidden: usize,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn value(&mut self, depth: usize, name: Option<String>, path: String) {
        let Some(first) = self.peek() else { return };
        let start = self.at;
        match first {
            b'{' | b'[' => self.container(first, depth, name, &path),
            b'"' => {
                let text = self.string();
                self.scalar(depth, name, path, start, Piece::String, &text);
            }
            _ => {
                let text = self.word();
                let piece = match first {
                    b't' | b'f' | b'n' => Piece::Literal,
                    _ => Piece::Number,
                };
                self.scalar(depth, name, path, start, piece, &text);
            }
        }
    }

    fn container(&mut self, open: u8, depth: usize, name: Option<String>, path: &str) {
        let start = self.at;
        self.at += 1;
        let folded = self.folded.contains(&start);
        let line = self.lines.len();
        let shown = self.push(JsonLine {
            depth,
            range: start..start,
            folded: Some(folded),
            path: path.to_owned(),
            pieces: name.into_iter().map(|name| (Piece::Name, name)).collect(),
            scalar: false,
        });
        self.hidden += usize::from(folded);
        let mut count: usize = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b'}' | b']' => break,
                b',' => self.at += 1,
                _ => {
                    let (name, path) = self.member(open, count, path);
                    self.value(depth + 1, Some(name), path);
                    count += 1;
                }
            }
        }
        self.at += 1;
        self.hidden -= usize::from(folded);
        if shown && let Some(line) = self.lines.get_mut(line) {
            line.range.end = self.at;
            let what = match (open, count, line.folded) {
                (b'{', 0, _) => "{}".to_owned(),
                (_, 0, _) => "[]".to_owned(),
                (b'{', n, _) => format!("{{{n}}}"),
                (_, n, _) => format!("[{n}]"),
            };
            line.folded = line.folded.filter(|_| count > 0);
            line.pieces.push((Piece::Plain, what));
        }
    }

    /// Name and path of the next member or element.
    fn member(&mut self, open: u8, count: usize, path: &str) -> (String, String) {
        if open == b'[' {
            return (count.to_string(), format!("{path}[{count}]"));
        }
        let raw = self.string();
        if self.peek() == Some(b':') {
            self.at += 1;
        }
        let name = serde_json::from_str::<String>(&raw).unwrap_or_default();
        let plain = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let path = if plain { format!("{path}.{name}") } else { format!("{path}[{raw}]") };
        let shown = raw.trim_matches('"').chars().take(SHOWN).collect();
        (shown, path)
    }

    fn scalar(
        &mut self,
        depth: usize,
        name: Option<String>,
        path: String,
        start: usize,
        piece: Piece,
        text: &str,
    ) {
        let mut pieces: Vec<_> = name.into_iter().map(|name| (Piece::Name, name)).collect();
        let range = start..self.at;
        let line = |pieces, path| JsonLine {
            depth,
            range: range.clone(),
            folded: None,
            path,
            pieces,
            scalar: true,
        };
        let meant = if self.unescape && piece == Piece::String {
            serde_json::from_str::<String>(text).ok()
        } else {
            None
        };
        let Some(meant) = meant else {
            pieces.push((piece, text.chars().take(SHOWN).collect()));
            self.push(line(pieces, path));
            return;
        };
        // Unescaped, a line of the string has a line of its own.
        for (n, part) in meant.split('\n').enumerate() {
            let part = part.chars().take(SHOWN).collect();
            if n == 0 {
                let mut pieces = std::mem::take(&mut pieces);
                pieces.push((piece, part));
                self.push(line(pieces, path.clone()));
            } else {
                let more = JsonLine { depth: depth + 1, ..line(vec![(piece, part)], path.clone()) };
                self.push(more);
            }
        }
    }

    fn push(&mut self, line: JsonLine) -> bool {
        let shown = self.hidden == 0 && self.lines.len() < LINES;
        if shown {
            self.lines.push(line);
        }
        shown
    }

    /// A string with its quotes.
    fn string(&mut self) -> String {
        self.peek();
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.bytes.len());
        self.text(start)
    }

    fn word(&mut self) -> String {
        let start = self.at;
        let end = |b: &u8| b.is_ascii_whitespace() || matches!(b, b',' | b']' | b'}');
        while self.bytes.get(self.at).is_some_and(|b| !end(b)) {
            self.at += 1;
        }
        self.text(start)
    }

    fn text(&self, start: usize) -> String {
        String::from_utf8_lossy(self.bytes.get(start..self.at).unwrap_or(&[])).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lines: &[JsonLine]) -> Vec<String> {
        lines
            .iter()
            .map(|line| {
                let text: Vec<_> = line.pieces.iter().map(|(_, text)| text.as_str()).collect();
                format!("{}{}", "  ".repeat(line.depth), text.join(": "))
            })
            .collect()
    }

    const DOCUMENT: &str =
        r#"{"id":12345678901234567890123,"user":{"name":"a\"\nb","odd key":[true,null]},"e":[]}"#;

    #[test]
    fn a_document_is_drawn_as_sent() {
        let lines = lines(DOCUMENT.as_bytes(), &BTreeSet::new(), false).unwrap();
        assert_eq!(
            drawn(&lines),
            [
                "{3}",
                "  id: 12345678901234567890123",
                "  user: {2}",
                r#"    name: "a\"\nb""#,
                "    odd key: [2]",
                "      0: true",
                "      1: null",
                "  e: []",
            ]
        );
        assert_eq!(&DOCUMENT[lines[1].range.clone()], "12345678901234567890123");
        assert_eq!(&DOCUMENT[lines[2].range.clone()], r#"{"name":"a\"\nb","odd key":[true,null]}"#);
        assert_eq!(lines[5].path, r#"json.user["odd key"][0]"#);
        assert_eq!(lines[0].range, 0..DOCUMENT.len());
        assert_eq!(lines[7].folded, None);
    }

    #[test]
    fn what_is_folded_hides_what_is_in_it() {
        let user = DOCUMENT.find("{\"name").unwrap();
        let lines = lines(DOCUMENT.as_bytes(), &BTreeSet::from([user]), false).unwrap();
        assert_eq!(
            drawn(&lines),
            ["{3}", "  id: 12345678901234567890123", "  user: {2}", "  e: []"]
        );
        assert_eq!(lines[2].folded, Some(true));
    }

    #[test]
    fn strings_are_unescaped_on_demand() {
        let lines = lines(DOCUMENT.as_bytes(), &BTreeSet::new(), true).unwrap();
        assert_eq!(drawn(&lines)[3..5], ["    name: a\"", "      b"]);
    }

    #[test]
    fn what_is_no_document_is_not_drawn() {
        for text in ["", "7", "\"a\"", "{", "{\"a\":}", "hello"] {
            assert_eq!(lines(text.as_bytes(), &BTreeSet::new(), false), None, "{text}");
        }
    }
}
