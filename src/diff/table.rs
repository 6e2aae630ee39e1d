//! The two heads of a pair as a table: a row for each line of a head.
//!
//! Gets: the legs and what was altered. Gives: [`Table`]s for request and response, in which lines of
//! one header field stand beside each other, each with what is to be thought of it.

use super::collect::Leg;
use super::{Alteration, Pair, Report};
use crate::event::Fields;
use crate::note::NoteCode;
use crate::units::Direction;

/// One head, on both legs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Whose: the request travels to the server.
    pub dir: Direction,
    /// Its lines: the start line first.
    pub rows: Vec<Row>,
}

/// A line of a head on both legs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Altered: as any correct proxy may do it (`true`), or not; `None`: equal.
    pub expected: Option<bool>,
    /// On the client leg and on the server leg, empty where it is not there. May hold characters
    /// from the network.
    pub cells: [String; 2],
    /// As in [`Alteration::what`]: a header's name in lower case, `request` or `response`.
    pub what: String,
}

impl Table {
    /// `Request` or `Response`.
    pub const fn title(&self) -> &'static str {
        match self.dir {
            Direction::ToServer => "Request",
            Direction::ToClient => "Response",
        }
    }
}

impl Row {
    /// Does the alteration, of the same head, speak of this line?
    pub fn is_of(&self, alteration: &Alteration) -> bool {
        let start_line = matches!(self.what.as_str(), "request" | "response");
        // What is said of a head as a whole (letter case, order) is said of none of its lines.
        self.what == alteration.what && !(start_line && alteration.code == NoteCode::HeaderChanged)
    }
}

impl Report {
    /// The heads of a pair, as far as they were captured.
    pub fn heads(&self, pair: &Pair) -> Vec<Table> {
        let client = self.leg(pair.client);
        let server = pair.server.and_then(|at| self.leg(at));
        let both = |dir: Direction| {
            let heads = [client, server].map(|leg| leg.and_then(|leg| Head::of(leg, dir)));
            heads.iter().any(Option::is_some).then(|| {
                let altered: Vec<_> = pair.alterations.iter().filter(|a| a.dir == dir).collect();
                Table { dir, rows: rows(&heads, &altered) }
            })
        };
        Direction::BOTH.into_iter().filter_map(both).collect()
    }
}

struct Head<'a> {
    what: &'static str,
    start: String,
    fields: &'a Fields,
}

impl<'a> Head<'a> {
    fn of(leg: &'a Leg, dir: Direction) -> Option<Self> {
        Some(match dir {
            Direction::ToServer => {
                let r = leg.request()?;
                let start = format!("{} {} HTTP/{}", r.method, r.target, r.version);
                Self { what: "request", start, fields: &r.fields }
            }
            Direction::ToClient => {
                let r = leg.response()?;
                let start = format!("HTTP/{} {} {}", r.version, r.status, r.reason);
                Self { what: "response", start: start.trim_end().to_owned(), fields: &r.fields }
            }
        })
    }
}

fn rows(heads: &[Option<Head<'_>>; 2], altered: &[&Alteration]) -> Vec<Row> {
    let what = heads.iter().flatten().next().map_or("", |head| head.what).to_owned();
    let start = heads.each_ref().map(|head| head.as_ref().map(|h| h.start.clone()));
    let mut out = vec![];
    let mut put = |cells: [Option<String>; 2], what: String| {
        let cells = cells.map(Option::unwrap_or_default);
        let mut row = Row { expected: None, cells, what };
        row.expected = verdict(altered.iter().copied().filter(|a| row.is_of(a)));
        out.push(row);
    };
    put(start, what);
    let fields = heads.each_ref().map(|h| h.as_ref().map_or(&[][..], |h| h.fields.0.as_slice()));
    let [near, far] = fields;
    let mut done: Vec<Vec<u8>> = Vec::new();
    for field in near.iter().chain(far).take(ROWS) {
        let name = field.name.to_ascii_lowercase();
        if done.contains(&name) {
            continue;
        }
        let lines = fields.map(|fields| {
            let list = fields.iter().filter(|f| f.name.eq_ignore_ascii_case(&name));
            list.map(|f| format!("{}: {}", f.name_text(), f.value_text())).collect::<Vec<_>>()
        });
        for n in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
            let cells = lines.each_ref().map(|list| list.get(n).cloned());
            put(cells, field.name_text().to_ascii_lowercase());
        }
        done.push(name);
    }
    // Of a field in several lines only those that are not the same are altered.
    for row in out.iter_mut().skip(1) {
        let [left, right] = &row.cells;
        row.expected = row.expected.filter(|_| left != right);
    }
    out
}

/// Nothing, all expected, or something unexpected.
fn verdict<'a>(mut alterations: impl Iterator<Item = &'a Alteration>) -> Option<bool> {
    let first = alterations.next()?.expected;
    Some(alterations.fold(first, |all, a| all && a.expected))
}

/// Header fields shown of a head.
const ROWS: usize = 200;
