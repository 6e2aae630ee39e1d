//! The two heads, side by side.
//!
//! Gets: the tables of a pair. Gives: text: equal lines plain, changed ones marked `~` (expected) or
//! `!`.

use std::io::{self, Write};

use super::style::{self, Paint, Tone};
use crate::diff::table::Table;

/// Writes request and response of both legs.
pub(super) fn heads(
    out: &mut impl Write,
    paint: Paint,
    width: usize,
    tables: &[Table],
) -> io::Result<()> {
    let mut page = Page { out, paint, column: width.saturating_sub(7) / 2 };
    for table in tables {
        let titles = [format!("{}, client leg", table.title()), "server leg".to_owned()];
        page.cells(None, Tone::Faint, &titles)?;
        for row in &table.rows {
            let tone = match row.expected {
                None => Tone::Plain,
                Some(true) => Tone::Expected,
                Some(false) => Tone::Unexpected,
            };
            page.cells(row.expected, tone, &row.cells)?;
        }
        writeln!(page.out)?;
    }
    Ok(())
}

struct Page<'a, W> {
    out: &'a mut W,
    paint: Paint,
    /// Columns of a cell.
    column: usize,
}

impl<W: Write> Page<'_, W> {
    fn cells(&mut self, mark: Option<bool>, tone: Tone, cells: &[String; 2]) -> io::Result<()> {
        let [left, right] = cells.each_ref().map(|text| self.pieces(text));
        for n in 0..left.len().max(right.len()) {
            let sign = if n == 0 { mark.map_or(" ", style::mark) } else { " " };
            let (l, r) = (left.get(n).map_or("", |s| s), right.get(n).map_or("", |s| s));
            let pad = self.column.saturating_sub(style::width(l));
            let line = format!(
                "  {} {}{:pad$} \u{2502} {}",
                self.paint.tone(tone, sign),
                self.paint.tone(tone, l),
                "",
                self.paint.tone(tone, r)
            );
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn pieces(&self, text: &str) -> Vec<String> {
        let mut pieces = style::chop(&style::escape(text), self.column);
        if pieces.len() > LINES {
            pieces.truncate(LINES);
            if let Some(last) = pieces.last_mut() {
                last.pop();
                last.push('\u{2026}');
            }
        }
        pieces
    }
}

/// Lines of one cell.
const LINES: usize = 4;
