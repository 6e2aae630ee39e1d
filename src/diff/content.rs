//! What is different between two contents, side by side.
//!
//! Gets: two payloads. Gives: [`Row`]s with a cell for each: values of JSON by path, lines of text,
//! bytes in hexadecimal, and in each cell which pieces differ. Keeps: at most [`ROWS`] of them.
//!
//! ```text
//!   place     lead          left             right
//!   $.to      ··"to":␠      "alice"          "bob"        JSON
//!                           pay alice 100    pay bob 100  text
//!   00000010  0010␠␠        00 aa 00         00 bb 00     hex
//! ```
//!
//! [`align::common`] says what is the same, so the cost is bounded whatever a stranger sends.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Hash, align};

/// How two contents are laid beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Values, by their paths.
    Json,
    /// Lines.
    Text,
    /// Bytes.
    Hex,
}

impl Form {
    /// The one that tells most of both.
    pub fn of(left: &[u8], right: &[u8]) -> Self {
        let (Some(a), Some(b)) = (readable(left), readable(right)) else { return Self::Hex };
        match (nested(a), nested(b)) {
            // Equal but for white space or order: then the text itself is what to show.
            (Some(x), Some(y)) if x != y || left == right => Self::Json,
            _ => Self::Text,
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Json => Self::Text,
            Self::Text => Self::Hex,
            Self::Hex => Self::Json,
        }
    }
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    /// Bytes of a row.
    pub row: usize,
    /// Their characters behind them.
    pub ascii: bool,
}

impl Default for Hex {
    fn default() -> Self {
        Self { row: 16, ascii: false }
    }
}

/// Part of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// May hold characters from the network.
    pub text: String,
    /// The other side does not have it.
    pub differs: bool,
}

/// Two cells that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it is: a path of JSON, an offset; empty for text.
    pub place: String,
    /// What stands before the cells that are there: indentation and name, an offset.
    pub lead: String,
    /// Left and right; `None` where there is nothing.
    pub cells: [Option<Vec<Piece>>; 2],
    /// Nothing differs.
    pub same: bool,
}

/// Two contents side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which form.
    pub form: Form,
    /// Rows, in order.
    pub rows: Vec<Row>,
    /// There would have been more of them.
    pub more: bool,
}

impl Difference {
    /// Lays two contents beside each other. What is no JSON becomes text.
    pub fn between(left: &[u8], right: &[u8], form: Form, hex: Hex) -> Self {
        let mut rows = Rows { list: Vec::new(), more: false };
        let json = || {
            let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
            Some((parse(left)?, parse(right)?))
        };
        let form = match (form, json()) {
            (Form::Json, Some((a, b))) => {
                let at = At { path: "$".to_owned(), name: String::new(), depth: 0 };
                rows.value(&at, Some(&a), Some(&b));
                Form::Json
            }
            (Form::Hex, _) => {
                rows.hex(left, right, hex);
                Form::Hex
            }
            _ => {
                let (a, b) = (String::from_utf8_lossy(left), String::from_utf8_lossy(right));
                rows.text(&a, &b);
                Form::Text
            }
        };
        Self { form, rows: rows.list, more: rows.more }
    }

    /// How many rows differ.
    pub fn differing(&self) -> usize {
        self.rows.iter().filter(|row| !row.same).count()
    }
}

/// UTF-8 without what would have to be spelled out.
fn readable(bytes: &[u8]) -> Option<&str> {
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(plain))
}

/// An object or an array.
fn nested(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

struct Rows {
    list: Vec<Row>,
    more: bool,
}

/// Where in JSON.
struct At {
    path: String,
    /// `"name": ` in an object.
    name: String,
    depth: usize,
}

impl At {
    fn key(&self, key: &str) -> Self {
        Self {
            path: format!("{}.{key}", self.path),
            name: format!("{}: ", Value::from(key)),
            depth: self.depth + 1,
        }
    }

    fn index(&self, index: usize) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { path, name: String::new(), depth: self.depth + 1 }
    }
}

impl Rows {
    fn put(&mut self, row: Row) {
        if self.list.len() < ROWS {
            self.list.push(row);
        } else {
            self.more = true;
        }
    }

    fn value(&mut self, at: &At, a: Option<&Value>, b: Option<&Value>) {
        if self.more {
            return;
        }
        match (a, b) {
            (Some(Value::Object(x)), Some(Value::Object(y))) if a != b => {
                self.bracket(at, &at.name, "{");
                for (key, value) in x {
                    self.value(&at.key(key), Some(value), y.get(key));
                }
                for (key, value) in y.iter().filter(|(key, _)| !x.contains_key(*key)) {
                    self.value(&at.key(key), None, Some(value));
                }
                self.bracket(at, "", "}");
            }
            (Some(Value::Array(x)), Some(Value::Array(y))) if a != b => {
                self.bracket(at, &at.name, "[");
                self.items(at, x, y);
                self.bracket(at, "", "]");
            }
            _ => {
                let (left, right) = (a.map(Value::to_string), b.map(Value::to_string));
                // Of texts the words that differ; of anything else all of it.
                let words = matches!((a, b), (Some(Value::String(_)), Some(Value::String(_))));
                let lead = format!("{}{}", "  ".repeat(at.depth), at.name);
                self.put(row(at.path.clone(), lead, [left.as_deref(), right.as_deref()], words));
            }
        }
    }

    fn bracket(&mut self, at: &At, name: &str, sign: &str) {
        let lead = format!("{}{name}", "  ".repeat(at.depth));
        self.put(row(at.path.clone(), lead, [Some(sign), Some(sign)], false));
    }

    fn items(&mut self, at: &At, x: &[Value], y: &[Value]) {
        let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
        let (left, right) = (texts(x), texts(y));
        beside(&left, &right, |i, j| {
            let at = at.index(i.or(j).unwrap_or(0));
            self.value(&at, i.and_then(|i| x.get(i)), j.and_then(|j| y.get(j)));
        });
    }

    fn text(&mut self, a: &str, b: &str) {
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let (left, right) = (lines(a), lines(b));
        beside(&left, &right, |i, j| {
            let cell =
                |at: Option<usize>, list: &'_ [String]| at.and_then(|at| list.get(at).cloned());
            let (x, y) = (cell(i, &left), cell(j, &right));
            self.put(row(String::new(), String::new(), [x.as_deref(), y.as_deref()], true));
        });
    }

    fn hex(&mut self, a: &[u8], b: &[u8], hex: Hex) {
        let width = hex.row.max(1);
        let (mut left, mut right) = (a.chunks(width), b.chunks(width));
        for n in 0.. {
            let (x, y) = (left.next(), right.next());
            if x.is_none() && y.is_none() || self.more {
                return;
            }
            let at = n * width;
            let cells = [bytes(x, y, hex), bytes(y, x, hex)];
            let (place, lead) = (format!("{at:08x}"), format!("{at:04x}  "));
            self.put(Row { place, lead, cells, same: x == y });
        }
    }
}

fn row(place: String, lead: String, cells: [Option<&str>; 2], words: bool) -> Row {
    let [left, right] = cells;
    let same = left == right;
    let whole = |text: &str| vec![Piece { text: text.to_owned(), differs: !same }];
    let cells = match (left, right) {
        (Some(a), Some(b)) if words && !same => {
            let (x, y) = pieces(a, b);
            [Some(x), Some(y)]
        }
        _ => [left.map(whole), right.map(whole)],
    };
    Row { place, lead, cells, same }
}

/// Goes through two lists side by side: items that are the same stand together, and between two
/// such pairs the others in their order.
fn beside(left: &[String], right: &[String], mut show: impl FnMut(Option<usize>, Option<usize>)) {
    let keys =
        |list: &[String]| list.iter().map(|item| Hash::of(item.as_bytes())).collect::<Vec<_>>();
    let same = align::common(&keys(left), &keys(right));
    let (mut from, mut from_right) = (0, 0);
    for (to, to_right) in same.into_iter().chain([(left.len(), right.len())]) {
        for n in 0..(to - from).max(to_right - from_right) {
            let (at, at_right) = (from + n, from_right + n);
            show((at < to).then_some(at), (at_right < to_right).then_some(at_right));
        }
        if to < left.len() {
            show(Some(to), Some(to_right));
        }
        (from, from_right) = (to + 1, to_right + 1);
    }
}

/// Two lines in pieces that both have and pieces that only one has.
fn pieces(left: &str, right: &str) -> (Vec<Piece>, Vec<Piece>) {
    let words = [words(left), words(right)];
    let [left, right] = &words;
    let mut out = (Vec::new(), Vec::new());
    let (mut from, mut from_right) = (0, 0);
    let same = align::common(left, right);
    for (to, to_right) in same.into_iter().chain([(left.len(), right.len())]) {
        let gap = left.get(from..to).unwrap_or_default().concat();
        let gap_right = right.get(from_right..to_right).unwrap_or_default().concat();
        differing(&gap, &gap_right, &mut out.0, &mut out.1);
        join(&mut out.0, left.get(to..=to).unwrap_or_default(), false);
        join(&mut out.1, right.get(to_right..=to_right).unwrap_or_default(), false);
        (from, from_right) = (to + 1, to_right + 1);
    }
    out
}

/// What stands between two words that are the same. Of a long word only what really differs is
/// pointed at; short ones are read whole.
fn differing(a: &str, b: &str, left: &mut Vec<Piece>, right: &mut Vec<Piece>) {
    let both = a.chars().zip(b.chars());
    let before: usize = both.take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    let before = if a.len().min(b.len()) > LONG_WORD { before } else { 0 };
    for (text, list) in [(a, left), (b, right)] {
        let (same, differs) = text.split_at_checked(before).unwrap_or(("", text));
        for (part, differs) in [(same, false), (differs, true)] {
            if !part.is_empty() {
                join(list, &[part], differs);
            }
        }
    }
}

/// Words, runs of spaces, and every other character for itself.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let run = |same: fn(char) -> bool| rest.find(|c| !same(c)).unwrap_or(rest.len());
        let end = if first.is_alphanumeric() {
            run(char::is_alphanumeric)
        } else if first == ' ' {
            run(|c| c == ' ')
        } else {
            first.len_utf8()
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}

fn join(list: &mut Vec<Piece>, parts: &[&str], differs: bool) {
    for part in parts {
        match list.last_mut().filter(|last| last.differs == differs) {
            Some(piece) => piece.text.push_str(part),
            None => list.push(Piece { text: (*part).to_owned(), differs }),
        }
    }
}

/// `00 aa 00  ...`, and which of them the other row has otherwise.
fn bytes(of: Option<&[u8]>, other: Option<&[u8]>, hex: Hex) -> Option<Vec<Piece>> {
    let of = of?;
    let other = other.unwrap_or_default();
    let differs = |at: usize| of.get(at) != other.get(at);
    let mut list = Vec::new();
    for (at, byte) in of.iter().enumerate() {
        let mut text = String::with_capacity(2);
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        join(&mut list, &[&text], differs(at));
        if at + 1 < of.len() {
            // A space between two that differ belongs to both.
            join(&mut list, &[" "], differs(at) && differs(at + 1));
        }
    }
    if hex.ascii {
        let missing = hex.row.saturating_sub(of.len()).saturating_mul(3);
        join(&mut list, &[&" ".repeat(missing + 2)], false);
        for (at, byte) in of.iter().enumerate() {
            let letter = if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
            join(&mut list, &[letter.encode_utf8(&mut [0; 4])], differs(at));
        }
    }
    Some(list)
}

/// Bytes of a word that is not read whole.
const LONG_WORD: usize = 32;
/// Rows of one difference: more than anybody scrolls through.
const ROWS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(left: &str, right: &str, form: Form) -> Vec<String> {
        let hex = Hex { row: 4, ascii: true };
        let difference = Difference::between(left.as_bytes(), right.as_bytes(), form, hex);
        let cell = |cell: &Option<Vec<Piece>>| match cell {
            None => "-".to_owned(),
            Some(pieces) => pieces
                .iter()
                .map(|p| if p.differs { format!("<{}>", p.text) } else { p.text.clone() })
                .collect(),
        };
        let line = |row: &Row| {
            let [left, right] = &row.cells;
            let sign = if row.same { "=" } else { "!" };
            format!("{sign} {}|{}|{}|{}", row.place, row.lead, cell(left), cell(right))
        };
        difference.rows.iter().map(line).collect()
    }

    #[test]
    fn words_that_differ_are_pointed_at() {
        let got = shown("pay alice 100", "pay mallory 100", Form::Text);
        assert_eq!(got, ["! ||pay <alice> 100|pay <mallory> 100"]);
    }

    #[test]
    fn lines_that_are_the_same_stand_beside_each_other() {
        let got = shown("a\nb\nc", "a\nx\ny\nc", Form::Text);
        assert_eq!(got, ["= ||a|a", "! ||<b>|<x>", "! ||-|<y>", "= ||c|c"]);
    }

    #[test]
    fn json_is_compared_by_its_values() {
        let left = r#"{"to":"alice","n":[1,2,3],"same":{"a":1}}"#;
        let right = r#"{"same":{"a":1},"to":"bob","n":[2,3],"x":true}"#;
        assert_eq!(
            shown(left, right, Form::Json),
            [
                "= $||{|{",
                "! $.to|  \"to\": |\"<alice>\"|\"<bob>\"",
                "= $.n|  \"n\": |[|[",
                "! $.n[0]|    |<1>|-",
                "= $.n[1]|    |2|2",
                "= $.n[2]|    |3|3",
                "= $.n|  |]|]",
                "= $.same|  \"same\": |{\"a\":1}|{\"a\":1}",
                "! $.x|  \"x\": |-|<true>",
                "= $||}|}",
            ]
        );
    }

    #[test]
    fn bytes_are_compared_in_their_place() {
        assert_eq!(
            shown("abcdef", "abXYe", Form::Hex),
            [
                "! 00000000|0000  |61 62 <63 64>  ab<cd>|61 62 <58 59>  ab<XY>",
                "! 00000004|0004  |65 <66>        e<f>|65           e",
            ]
        );
    }

    #[test]
    fn the_form_is_the_one_that_tells_most() {
        assert_eq!(Form::of(b"{\"a\":1}", b"{\"a\":2}"), Form::Json);
        assert_eq!(Form::of(b"{\"a\":1}", b"{ \"a\": 1 }"), Form::Text);
        assert_eq!(Form::of(b"1", b"2"), Form::Text);
        assert_eq!(Form::of(b"a\x00", b"b"), Form::Hex);
        assert_eq!(Form::of(b"\xff", b"b"), Form::Hex);
        let no_json = Difference::between(b"x", b"{}", Form::Json, Hex::default());
        assert_eq!(no_json.form, Form::Text);
    }

    #[test]
    fn a_giant_is_cut_and_says_so() {
        let lines = "x\n".repeat(ROWS + 5);
        let got = Difference::between(lines.as_bytes(), b"", Form::Text, Hex::default());
        assert!(got.more);
        assert_eq!(got.rows.len(), ROWS);
    }
}
