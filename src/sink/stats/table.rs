//! A table of connections for people.
//!
//! ```text
//!    #  ended        duration msgs -> msgs <- bytes -> bytes <-     ping  notes
//!    1  close         4.80 ms       2       2     23 B     20 B        -  accept-mismatch
//!       127.0.0.1:40938 > 127.0.0.1:8088  /chat  subprotocol chat
//! ```
//!
//! Gets: a row for each connection when it is over. Gives: its lines, sorted while they are few.
//! Keeps: the text of up to [`SORTED`] rows. Written without general formatting: with short connections
//! the table would cost more than reading them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use super::row::Row;
use super::text::{duration, line, push_duration};
use super::{SORTED, Sort, StatsOptions};
use crate::event::{MessageKind, Outcome};
use crate::note::Severity;
use crate::sink::address;
use crate::sink::escape::{self, Escaped};
use crate::sink::paint::{Paint, Part};
use crate::sink::text::{Verbosity, Wrap, byte_count, counted, grouped, push_bytes, wrap};
use crate::units::{ConnNo, Direction, PerDirection};

/// The rows: kept to be sorted while they are few.
#[derive(Debug)]
pub(super) struct Table {
    kept: Vec<Kept>,
    /// Their text, in the order in which they came.
    text: Vec<u8>,
    /// The row at hand, and the line below it.
    row: String,
    below: String,
    sort: Sort,
    width: Option<usize>,
    paint: Paint,
    verbosity: Verbosity,
    /// Rows were written: further ones follow as they come.
    begun: bool,
    /// Rows written in the order of ending.
    unsorted: u64,
}

/// A row that waits to be sorted.
#[derive(Debug)]
struct Kept {
    rank: [u64; 4],
    no: ConnNo,
    /// Its text.
    range: Range<usize>,
}

impl Table {
    pub(super) const fn new(options: &StatsOptions) -> Self {
        Self {
            kept: Vec::new(),
            text: Vec::new(),
            row: String::new(),
            below: String::new(),
            sort: options.sort,
            width: options.width,
            paint: options.paint,
            verbosity: options.verbosity,
            begun: false,
            unsorted: 0,
        }
    }

    pub(super) fn add(&mut self, buf: &mut Vec<u8>, row: &Row) {
        if matches!(self.verbosity, Verbosity::Quiet) {
            return;
        }
        self.write(row);
        if self.begun {
            self.unsorted += 1;
            buf.extend_from_slice(self.row.as_bytes());
            return;
        }
        let from = self.text.len();
        self.text.extend_from_slice(self.row.as_bytes());
        let range = from..self.text.len();
        self.kept.push(Kept { rank: rank(row, self.sort), no: row.no, range });
        if self.kept.len() >= SORTED {
            self.begin(buf);
        }
    }

    pub(super) fn finish(&mut self, buf: &mut Vec<u8>) {
        if !self.begun && !self.kept.is_empty() {
            self.begin(buf);
        }
        if self.unsorted > 0 {
            let text = format!(
                "{} more than the {SORTED} that are sorted stand in the order in which they ended",
                counted(self.unsorted, "connection"),
            );
            line(buf, self.paint, Part::Dim, &text);
        }
        if self.begun {
            buf.push(b'\n');
        }
    }

    /// Writes what was kept, sorted.
    fn begin(&mut self, buf: &mut Vec<u8>) {
        self.begun = true;
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_unstable_by_key(|row| (Reverse(row.rank), row.no));
        let head = format!(
            "{:>5}  {:<12} {:>8} {:>7} {:>7} {:>8} {:>8} {:>8}  notes",
            "#", "ended", "duration", "msgs ->", "msgs <-", "bytes ->", "bytes <-", "ping",
        );
        line(buf, self.paint, Part::Strong, &head);
        let text = std::mem::take(&mut self.text);
        for row in kept {
            buf.extend_from_slice(text.get(row.range).unwrap_or_default());
        }
    }

    /// Writes a row, and what stands below it.
    fn write(&mut self, row: &Row) {
        let mut out = std::mem::take(&mut self.row);
        out.clear();
        let mut digits = itoa::Buffer::new();
        let PerDirection { to_server, to_client } = &row.sides;
        right(&mut out, 5, |out| out.push_str(digits.format(row.no.0)));
        out.push_str("  ");
        let part = look(row);
        self.paint.on(&mut out, part);
        let text = ending(row);
        out.push_str(&text);
        fill(&mut out, 12_usize.saturating_sub(text.len()));
        self.paint.off(&mut out, part);
        out.push(' ');
        right(&mut out, 8, |out| match row.duration_ns {
            Some(ns) => push_duration(out, ns),
            None => out.push('-'),
        });
        for messages in [to_server.messages(), to_client.messages()] {
            out.push(' ');
            right(&mut out, 7, |out| out.push_str(digits.format(messages)));
        }
        for bytes in [to_server.wire_bytes(), to_client.wire_bytes()] {
            out.push(' ');
            right(&mut out, 8, |out| push_bytes(out, bytes));
        }
        out.push(' ');
        let ping = Direction::BOTH.into_iter().find_map(|dir| row.round_trips(dir));
        right(&mut out, 8, |out| match ping {
            Some(trips) => push_duration(out, trips.median),
            None => out.push('-'),
        });
        let more = row.notes.iter().sum::<u64>().saturating_sub(1);
        match row.worst {
            Some((severity, code)) => {
                // A note that the width has no room for stands below the numbers.
                let room = NOTE + code.as_str().len() + if more > 0 { 6 } else { 0 };
                out.push_str(if self.width.is_some_and(|width| width < room) {
                    "\n       "
                } else {
                    "  "
                });
                self.paint.put(&mut out, Part::Note(severity), code.as_str());
                if more > 0 {
                    out.push_str(" +");
                    out.push_str(digits.format(more));
                }
            }
            None => out.push_str("  -"),
        }
        out.push('\n');
        let mut below = std::mem::take(&mut self.below);
        below.clear();
        identity(&mut below, row);
        self.dim(&mut out, &below);
        self.below = below;
        if matches!(self.verbosity, Verbosity::Verbose) {
            for text in details(row) {
                self.dim(&mut out, &text);
            }
        }
        self.row = out;
    }

    /// A line below a row, cut to the width; verbose, broken.
    fn dim(&self, out: &mut String, text: &str) {
        out.push_str("       ");
        self.paint.on(out, Part::Dim);
        if matches!(self.verbosity, Verbosity::Verbose) {
            let how = Wrap { width: self.width, begin: 7, indent: 9 };
            out.push_str(&wrap(&Escaped(text).to_string(), how));
        } else {
            let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(7));
            let _ = escape::cut(out, text, room);
        }
        self.paint.off(out, Part::Dim);
        out.push('\n');
    }
}

/// The column in which notes begin.
const NOTE: usize = 73;

/// What a row is sorted by, largest first; rows that are equal stay in the order of their numbers.
fn rank(row: &Row, sort: Sort) -> [u64; 4] {
    match sort {
        Sort::Number => [0; 4],
        Sort::Messages => [row.messages(), 0, 0, 0],
        Sort::Bytes => [row.wire_bytes(), 0, 0, 0],
        Sort::Duration => [row.duration_ns.unwrap_or(0), 0, 0, 0],
        Sort::Notes => {
            let [info, warning, error] = row.notes;
            let worst = row.worst.map_or(0, |(severity, _)| severity as u64 + 1);
            [worst, error, warning, info]
        }
    }
}

/// How it ended, or why it did not begin.
fn ending(row: &Row) -> Cow<'static, str> {
    match (row.outcome, row.how, row.status) {
        (Outcome::Accepted | Outcome::Unseen, Some(how), _) => how.name().into(),
        (outcome, _, Some(status)) if status != 101 => {
            format!("{} {status}", outcome.name()).into()
        }
        (outcome, ..) => outcome.name().into(),
    }
}

/// Text at the right of a column so wide; of characters of a column each.
fn right(out: &mut String, columns: usize, put: impl FnOnce(&mut String)) {
    const SPACES: &str = "              ";
    let begin = out.len();
    put(out);
    let put = out.get(begin..).map_or(0, |text| text.chars().count());
    let lacks = columns.saturating_sub(put);
    out.insert_str(begin, SPACES.get(..lacks).unwrap_or_default());
}

fn fill(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

const fn look(row: &Row) -> Part {
    match row.outcome {
        Outcome::Accepted => Part::Good,
        Outcome::Invalid => Part::Note(Severity::Error),
        Outcome::Rejected | Outcome::Incomplete => Part::Note(Severity::Warning),
        Outcome::Unseen => Part::Plain,
    }
}

fn identity(text: &mut String, row: &Row) {
    address::spell(&row.conn.client, |part| text.push_str(part));
    text.push_str(" > ");
    address::spell(&row.conn.server, |part| text.push_str(part));
    match &row.path {
        Some(path) => text.extend(["  ", path]),
        None => text.push_str("  no request seen"),
    }
    if let Some(tls) = &row.conn.tls {
        text.extend(["  TLS ", tls.version]);
    }
    for (what, value) in [("subprotocol", &row.subprotocol), ("extensions", &row.extensions)] {
        if let Some(value) = value {
            text.extend(["  ", what, " ", value]);
        }
    }
}

fn details(row: &Row) -> Vec<String> {
    let mut lines = Vec::new();
    for dir in Direction::BOTH {
        let side = &row.sides[dir];
        if side.messages() == 0 && side.gaps == 0 {
            continue;
        }
        let mut parts: Vec<String> = MessageKind::ALL
            .into_iter()
            .filter(|kind| side.of_kind(*kind) > 0)
            .map(|kind| {
                let (n, bytes) = (side.of_kind(kind), side.wire_of(kind));
                format!("{} {} ({})", grouped(n), kind.name(), byte_count(bytes))
            })
            .collect();
        if side.incomplete > 0 {
            let (n, bytes) = (side.incomplete, side.incomplete_bytes);
            parts.push(format!("{} incomplete ({})", grouped(n), byte_count(bytes)));
        }
        if let Some((wire, inflated)) = side.compression() {
            parts.push(format!("{} inflated to {}", byte_count(wire), byte_count(inflated)));
        }
        let rates = (row.per_second(side.messages()), row.per_second(side.wire_bytes()));
        if let (Some(messages), Some(bytes)) = rates {
            parts.push(format!("{}/s, {}/s", counted(messages, "message"), byte_count(bytes)));
        }
        if let Some(trips) = row.round_trips(dir) {
            parts.push(format!(
                "{} answered in {} / {} / {} (min / median / max)",
                counted(trips.count, "ping"),
                duration(trips.min),
                duration(trips.median),
                duration(trips.max),
            ));
        }
        if side.gaps > 0 {
            parts.push(format!(
                "{} missing in {}",
                counted(side.gap_bytes, "byte"),
                counted(side.gaps, "gap")
            ));
        }
        lines.push(format!("{}: {}", dir.sender(), parts.join(", ")));
    }
    if let Some(ns) = row.handshake_ns {
        lines.push(format!("handshake answered after {}", duration(ns)));
    }
    lines.extend(row.cause.clone());
    lines
}
