//! Two messages beside each other.
//!
//! Gets: two payloads. Gives: lines to draw, with what differs. Keeps: at most [`COMPARED`] bytes of
//! each, and the lines for one width.
//!
//! [`crate::diff::content`] says what differs, as for `wstap diff`.

use super::cursor::Cursor;
use super::text::clean;
use crate::diff::content::{Difference, Form, Hex, Piece, Row};
use crate::sink::escape;

/// Bytes of a message that are compared.
pub const COMPARED: usize = 1 << 18;
/// Narrower than this, the two do not stand side by side.
const STACKED: usize = 60;

/// One of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Which row; `None` where there is no such message.
    pub row: Option<u32>,
    /// What it is; harmless.
    pub title: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// There are more of them.
    pub cut: bool,
}

/// A cell's part: harmless text, and whether the other side has it otherwise.
pub type Part = (String, bool);

/// A line to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Both cells; side by side, or the one whose line it is.
    pub cells: [Option<Vec<Part>>; 2],
    /// The row of the difference that it belongs to.
    pub row: usize,
    /// Nothing differs.
    pub same: bool,
}

/// Two messages, and where one looks.
#[derive(Debug, Clone)]
pub struct Compare {
    /// Left and right.
    pub sides: [Side; 2],
    /// What differs.
    pub difference: Difference,
    /// The form that was asked for.
    pub form: Form,
    /// The selected line.
    pub at: Cursor,
    /// For this width.
    pub width: usize,
    lines: Vec<Drawn>,
}

impl Compare {
    /// Compares them, in the form that tells most.
    pub fn new(sides: [Side; 2]) -> Self {
        let [left, right] = &sides;
        let there = |side: &Side| side.row.is_some();
        // Of one message alone its own form.
        let form = match (there(left), there(right)) {
            (true, false) => Form::of(&left.payload, &left.payload),
            (false, true) => Form::of(&right.payload, &right.payload),
            _ => Form::of(&left.payload, &right.payload),
        };
        let difference = Difference { form, rows: Vec::new(), more: false };
        Self { sides, difference, form, at: Cursor::default(), width: 0, lines: Vec::new() }
    }

    /// In the next form that is another one.
    pub fn next_form(&mut self) {
        let before = self.difference.form;
        let mut form = before.next();
        // What is no JSON is text already.
        if form == Form::Json && !self.has_json() {
            form = form.next();
        }
        self.form = form;
        self.width = 0;
        self.at = Cursor::default();
    }

    fn has_json(&self) -> bool {
        let parses =
            |side: &Side| serde_json::from_slice::<serde_json::Value>(&side.payload).is_ok();
        self.sides.iter().filter(|side| side.row.is_some()).all(parses)
    }

    /// Lays the lines out for a width, when they are not already.
    pub fn set_width(&mut self, width: usize) {
        if self.width == width {
            return;
        }
        self.width = width;
        let [left, right] = &self.sides;
        let column = self.column();
        // An offset, two digits and a space a byte; one character each, where there is room.
        let all = [(16, true), (8, true), (8, false), (4, true)];
        let fits = |(row, ascii): &(usize, bool)| {
            6 + (3 * row - 1) + if *ascii { 2 + row } else { 0 } <= column
        };
        let (row, ascii) = all.into_iter().find(fits).unwrap_or((4, false));
        let hex = Hex { row, ascii };
        self.difference = match (left.row, right.row) {
            (Some(_), Some(_)) => {
                Difference::between(&left.payload, &right.payload, self.form, hex)
            }
            (Some(_), None) => self.alone(&left.payload, 1, hex),
            (None, _) => self.alone(&right.payload, 0, hex),
        };
        self.lines = self.drawn(column);
        self.at.at = self.at.at.min(self.lines.len().saturating_sub(1));
    }

    /// A message that has no other: one side is empty.
    fn alone(&self, payload: &[u8], missing: usize, hex: Hex) -> Difference {
        let mut difference = Difference::between(payload, payload, self.form, hex);
        for row in &mut difference.rows {
            if let Some(cell) = row.cells.get_mut(missing) {
                *cell = None;
            }
            row.same = false;
        }
        difference
    }

    /// Side by side, or one below the other.
    pub const fn beside(&self) -> bool {
        self.width >= STACKED
    }

    /// Columns of a cell.
    pub const fn column(&self) -> usize {
        // A sign and a space in front, a rule between.
        if self.beside() { (self.width - 5) / 2 } else { self.width.saturating_sub(2) }
    }

    /// All lines.
    pub fn lines(&self) -> &[Drawn] {
        &self.lines
    }

    fn drawn(&self, column: usize) -> Vec<Drawn> {
        let mut lines = Vec::new();
        for (n, row) in self.difference.rows.iter().enumerate() {
            let cells = row.cells.each_ref().map(|cell| {
                let pieces = cell.as_ref()?;
                Some(broken(&row.lead, pieces, column))
            });
            if self.beside() {
                let height = cells.iter().flatten().map(Vec::len).max().unwrap_or(0);
                lines.extend((0..height).map(|at| Drawn {
                    cells: cells.each_ref().map(|c| c.as_ref()?.get(at).cloned()),
                    row: n,
                    same: row.same,
                }));
            } else {
                lines.extend(stacked(n, row, cells));
            }
        }
        lines
    }

    /// To the next line that differs, or the one before; false when there is none.
    pub fn seek(&mut self, forward: bool) -> bool {
        let here = self.lines.get(self.at.at).map_or(0, |line| line.row);
        let differs = |line: &Drawn| !line.same && line.row != here;
        let found = if forward {
            let behind = self.lines.iter().enumerate().skip(self.at.at);
            behind.skip_while(|(_, line)| line.row == here).find(|(_, line)| differs(line))
        } else {
            let before = self.lines.iter().enumerate().take(self.at.at);
            before.rev().find(|(_, line)| differs(line))
        };
        // Of a row of many lines the first.
        let Some((_, line)) = found else { return false };
        let row = line.row;
        self.at.at = self.lines.partition_point(|line| line.row < row);
        true
    }

    /// What came of it, in words.
    pub fn verdict(&self) -> String {
        let [left, right] = &self.sides;
        let n = self.difference.differing();
        let form = self.difference.form.name();
        let mut text = match (left.row, right.row) {
            (Some(_), Some(_)) if left.payload == right.payload => "the same content".to_owned(),
            (Some(_), Some(_)) => {
                let what = match self.difference.form {
                    Form::Json => "value",
                    Form::Text => "line",
                    Form::Hex => "row of bytes",
                };
                let rows = if n == 1 { what.to_owned() } else { plural(what) };
                format!("{n} {rows} differ{}", if n == 1 { "s" } else { "" })
            }
            (Some(_), None) => "only on the left".to_owned(),
            (None, _) => "only on the right".to_owned(),
        };
        text.extend([", as ", form]);
        if self.difference.more || self.sides.iter().any(|side| side.cut) {
            text.push_str(", the beginning of it");
        }
        text
    }
}

fn plural(what: &str) -> String {
    what.strip_suffix(" of bytes").map_or_else(|| format!("{what}s"), |w| format!("{w}s of bytes"))
}

/// One below the other: once, when they are equal.
fn stacked(n: usize, row: &Row, cells: [Option<Vec<Vec<Part>>>; 2]) -> Vec<Drawn> {
    let [left, right] = cells;
    let mut lines = Vec::new();
    let put = |side: usize, cell: Vec<Vec<Part>>, lines: &mut Vec<Drawn>| {
        lines.extend(cell.into_iter().map(|line| {
            let cells = if side == 0 { [Some(line), None] } else { [None, Some(line)] };
            Drawn { cells, row: n, same: row.same }
        }));
    };
    put(0, left.unwrap_or_default(), &mut lines);
    if !row.same {
        put(1, right.unwrap_or_default(), &mut lines);
    }
    lines
}

/// A cell broken into lines of so many columns, harmless.
fn broken(lead: &str, pieces: &[Piece], column: usize) -> Vec<Vec<Part>> {
    let column = column.max(1);
    let mut lines: Vec<Vec<Part>> = vec![Vec::new()];
    let mut used = 0;
    let lead = clean(lead);
    // An indentation as wide as the column would leave no room for anything.
    let lead = if escape::width(&lead) + 4 > column { lead.trim_start().to_owned() } else { lead };
    let parts = [(lead.as_str(), false)].into_iter();
    for (text, differs) in parts.chain(pieces.iter().map(|p| (p.text.as_str(), p.differs))) {
        for c in text.chars() {
            // A tab is four columns, whatever stands before it.
            let shown =
                if c == '\t' { "    ".to_owned() } else { clean(c.encode_utf8(&mut [0; 4])) };
            let wide = escape::width(&shown);
            if used + wide > column && used > 0 {
                lines.push(Vec::new());
                used = 0;
            }
            used += wide;
            let Some(line) = lines.last_mut() else { continue };
            match line.last_mut().filter(|(_, last)| *last == differs) {
                Some((text, _)) => text.push_str(&shown),
                None => line.push((shown, differs)),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(row: u32, payload: &str) -> Side {
        Side { row: Some(row), payload: payload.as_bytes().to_vec(), ..Side::default() }
    }

    fn drawn(sides: [Side; 2], width: usize) -> Vec<String> {
        let mut compare = Compare::new(sides);
        compare.set_width(width);
        let cell = |cell: &Option<Vec<Part>>| -> String {
            let parts = cell.iter().flatten();
            parts
                .map(|(text, differs)| if *differs { format!("<{text}>") } else { text.clone() })
                .collect()
        };
        compare.lines().iter().map(|line| line.cells.each_ref().map(cell).join("|")).collect()
    }

    #[test]
    fn two_stand_side_by_side_where_there_is_room() {
        let sides = [side(1, "same\npay alice"), side(2, "same\npay mallory")];
        assert_eq!(drawn(sides.clone(), 80), ["same|same", "pay <alice>|pay <mallory>"]);
        // Otherwise one below the other, and what is the same once.
        assert_eq!(drawn(sides, 40), ["same|", "pay <alice>|", "|pay <mallory>"]);
    }

    #[test]
    fn a_message_without_a_partner_has_one_side() {
        let mut compare = Compare::new([Side::default(), side(2, "injected")]);
        compare.set_width(80);
        assert_eq!(compare.verdict(), "only on the right, as text");
        assert_eq!(drawn([Side::default(), side(2, "injected")], 80), ["|injected"]);
    }

    #[test]
    fn nothing_in_it_acts_on_a_terminal_and_every_line_fits() {
        let evil = "\x1b[31mred\u{202e}\t\u{7f}世界".repeat(9);
        for width in [20, 60, 80] {
            let mut compare = Compare::new([side(1, &evil), side(2, "{\"a\":\"\\u001b\"}")]);
            for _ in 0..3 {
                compare.set_width(width);
                let column = compare.column();
                for cell in compare.lines().iter().flat_map(|line| line.cells.iter().flatten()) {
                    let text: String = cell.iter().map(|(text, _)| text.as_str()).collect();
                    assert!(!text.contains(escape::is_unsafe), "{text:?}");
                    assert!(escape::width(&text) <= column, "{width}: {text}");
                }
                compare.next_form();
            }
        }
    }

    #[test]
    fn the_next_difference_is_found_and_the_one_before() {
        let mut compare = Compare::new([side(1, "a\nb\nc\nd"), side(2, "a\nB\nc\nD")]);
        compare.set_width(80);
        assert!(compare.seek(true));
        assert_eq!(compare.at.at, 1);
        assert!(compare.seek(true));
        assert_eq!(compare.at.at, 3);
        assert!(!compare.seek(true));
        assert!(compare.seek(false));
        assert_eq!(compare.at.at, 1);
    }
}
