//! The two heads, side by side.
//!
//! Gets: the legs and what was altered. Gives: a row for each line of a head: equal ones plain, changed
//! ones marked `~` (expected) or `!`.

use std::borrow::Cow;
use std::io::{self, Write};

use super::style::{self, Paint, Tone};
use crate::diff::Alteration;
use crate::diff::collect::Leg;
use crate::event::Fields;
use crate::units::Direction;

/// Writes request and response of both legs.
pub(super) fn heads(
    out: &mut impl Write,
    paint: Paint,
    width: usize,
    client: &Leg,
    server: Option<&Leg>,
    alterations: &[Alteration],
) -> io::Result<()> {
    let request = |leg: &Leg| {
        let r = leg.request()?;
        Some(Head {
            start: format!("{} {} HTTP/{}", r.method, r.target, r.version),
            fields: r.fields.clone(),
        })
    };
    let response = |leg: &Leg| {
        let r = leg.response()?;
        Some(Head {
            start: format!("HTTP/{} {} {}", r.version, r.status, r.reason).trim_end().to_owned(),
            fields: r.fields.clone(),
        })
    };
    let mut table = Table { out, paint, column: width.saturating_sub(7) / 2, alterations };
    let (near, far) = (request(client), server.and_then(request));
    table.head(Direction::ToServer, near.as_ref(), far.as_ref())?;
    let (near, far) = (response(client), server.and_then(response));
    table.head(Direction::ToClient, near.as_ref(), far.as_ref())
}

struct Head {
    start: String,
    fields: Fields,
}

struct Table<'a, W> {
    out: &'a mut W,
    paint: Paint,
    /// Columns of a cell.
    column: usize,
    alterations: &'a [Alteration],
}

impl<W: Write> Table<'_, W> {
    fn head(&mut self, dir: Direction, near: Option<&Head>, far: Option<&Head>) -> io::Result<()> {
        if near.is_none() && far.is_none() {
            return Ok(());
        }
        let name = if dir == Direction::ToServer { "Request" } else { "Response" };
        let (left, right) = (format!("{name}, client leg"), "server leg".to_owned());
        self.cells(None, Tone::Faint, &left, &right)?;
        let start = |head: Option<&Head>| head.map(|h| h.start.clone()).unwrap_or_default();
        let start_line = |a: &&Alteration| {
            let what = a.what == "request" || a.what == "response";
            a.dir == dir && what && a.code != crate::note::NoteCode::HeaderChanged
        };
        let mark = verdict(self.alterations.iter().filter(start_line));
        self.row(mark, &start(near), &start(far))?;
        let empty = Fields::default();
        let near = near.map_or(&empty, |h| &h.fields);
        let far = far.map_or(&empty, |h| &h.fields);
        let mut done: Vec<Vec<u8>> = Vec::new();
        for field in near.0.iter().chain(&far.0).take(ROWS) {
            let name = field.name.to_ascii_lowercase();
            if done.contains(&name) {
                continue;
            }
            self.field(dir, &name, near, far)?;
            done.push(name);
        }
        writeln!(self.out)
    }

    fn field(
        &mut self,
        dir: Direction,
        name: &[u8],
        near: &Fields,
        far: &Fields,
    ) -> io::Result<()> {
        let lines = |fields: &Fields| -> Vec<String> {
            let list = fields.0.iter().filter(|f| f.name.eq_ignore_ascii_case(name));
            list.map(|f| format!("{}: {}", f.name_text(), f.value_text())).collect()
        };
        let (near, far) = (lines(near), lines(far));
        let of_it = |a: &&Alteration| a.dir == dir && a.what.as_bytes() == name;
        let mark = verdict(self.alterations.iter().filter(of_it));
        for n in 0..near.len().max(far.len()) {
            let cell = |list: &[String]| list.get(n).cloned().unwrap_or_default();
            let (left, right) = (cell(&near), cell(&far));
            self.row(mark.filter(|_| left != right), &left, &right)?;
        }
        Ok(())
    }

    fn row(&mut self, mark: Option<bool>, left: &str, right: &str) -> io::Result<()> {
        let tone = match mark {
            None => Tone::Plain,
            Some(true) => Tone::Expected,
            Some(false) => Tone::Unexpected,
        };
        self.cells(mark, tone, left, right)
    }

    fn cells(&mut self, mark: Option<bool>, tone: Tone, left: &str, right: &str) -> io::Result<()> {
        let cut = |text: &str| -> Vec<String> {
            let text: Cow<'_, str> = style::escape(text);
            let mut pieces = style::chop(&text, self.column);
            if pieces.len() > LINES {
                pieces.truncate(LINES);
                if let Some(last) = pieces.last_mut() {
                    last.pop();
                    last.push('\u{2026}');
                }
            }
            pieces
        };
        let (left, right) = (cut(left), cut(right));
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
}

/// Nothing, all expected, or something unexpected.
fn verdict<'a>(mut alterations: impl Iterator<Item = &'a Alteration>) -> Option<bool> {
    let first = alterations.next()?.expected;
    Some(alterations.fold(first, |all, a| all && a.expected))
}

/// Lines of one cell.
const LINES: usize = 4;
/// Header fields shown of a head.
const ROWS: usize = 200;
