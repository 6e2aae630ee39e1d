//! `check`: a verdict for each connection, with everything that is to be said of it.
//!
//! Gets: every event, and which are asked for. Gives: a report in the format asked for, connection by
//! connection as they end: those of which something is asked for, with the notes of what is asked for;
//! how they began and ended is told in any case. One of which nothing could be read is neither fine nor
//! faulty. Keeps: of each open connection its handshake, within a budget, and one entry for each kind of
//! note. An attempt whose answer the capture lacks is open until the run ends if nothing follows it; any
//! other is told as soon as it is over.

mod gather;
mod junit;
mod markers;
mod ndjson;
mod sarif;
mod table;
mod text;

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::sink::outlet::Outlet;
use crate::sink::paint::Paint;
use crate::sink::select::{Everything, Select};
use crate::sink::text::Verbosity;
use crate::sink::{Numbers, Output, Summary, Tally};
use crate::units::Timestamp;

use gather::Gather;
pub use gather::{Finding, Place, Verdict};

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// NDJSON: a `verdict` line for each connection, and the `capture` line.
    Json,
    /// SARIF 2.1.0: what code scanning reads.
    Sarif,
    /// JUnit XML: what build servers read.
    Junit,
}

/// How the report looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// How it is written.
    pub format: Format,
    /// Columns of a line of text; `None`: as long as it is.
    pub width: Option<usize>,
    /// Text with colour or without.
    pub paint: Paint,
    /// Quiet: no handshake tables, no notes of severity info. Verbose: whole heads.
    pub verbosity: Verbosity,
    /// The capture's name, as results point to it.
    pub capture: String,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            format: Format::Text,
            width: Some(80),
            paint: Paint::Plain,
            verbosity: Verbosity::Normal,
            capture: "-".to_owned(),
        }
    }
}

/// Judges connections. With a [`Select`], only the events that it selects count, and only connections
/// of which it selects some.
#[derive(Debug)]
pub struct CheckSink<W, S = Everything> {
    out: Outlet<W>,
    select: S,
    numbers: Numbers,
    tally: Tally,
    gather: Gather,
    report: Report,
}

/// What the report needs between connections.
#[derive(Debug)]
enum Report {
    Text(text::TextReport),
    Json,
    Sarif(sarif::SarifReport),
    Junit(junit::JunitReport),
}

impl<W: Write> CheckSink<W> {
    /// Of everything, to a writer.
    pub fn new(writer: W, options: CheckOptions) -> Self {
        Self::of(writer, options, Everything)
    }
}

impl<W: Write, S: Select> CheckSink<W, S> {
    /// Of what is selected, to a writer.
    pub fn of(writer: W, options: CheckOptions, select: S) -> Self {
        let report = match options.format {
            Format::Text => Report::Text(text::TextReport::new(options)),
            Format::Json => Report::Json,
            Format::Sarif => Report::Sarif(sarif::SarifReport::new(&options.capture)),
            Format::Junit => Report::Junit(junit::JunitReport::new(options.capture)),
        };
        Self {
            out: Outlet::new(writer),
            select,
            numbers: Numbers::new(),
            tally: Tally::default(),
            gather: Gather::default(),
            report,
        }
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let buf = self.out.buf();
        match &mut self.report {
            Report::Text(report) => report.verdict(buf, verdict),
            Report::Json => ndjson::verdict(buf, verdict),
            Report::Sarif(report) => report.verdict(buf, verdict),
            Report::Junit(report) => report.verdict(verdict),
        }
    }
}

impl<W: Write, S: Select> Sink for CheckSink<W, S> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let selected = self.select.selects(cx, event);
        let no = self.numbers.of(cx.conn.key, event);
        if selected {
            self.tally.count(event);
        }
        let verdict = if self.select.selects_all() {
            self.gather.event(no, cx, event)
        } else {
            self.gather.event_of_some(no, cx, event, selected)
        };
        // Of those asked for the handshakes need not be.
        self.tally.connections =
            if self.select.selects_all() { self.numbers.given() } else { self.gather.selected() };
        match verdict {
            Some(verdict) => {
                self.verdict(&verdict);
                self.out.line_done()
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn later(&self) -> Later {
        if self.select.needs_payload() { Later::Whole } else { Later::Facts }
    }
}

impl<W: Write, S: Select> Output for CheckSink<W, S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        for verdict in self.gather.rest() {
            self.verdict(&verdict);
        }
        let buf = self.out.buf();
        match &mut self.report {
            Report::Text(report) => report.finish(buf, end, &self.tally),
            Report::Json => crate::sink::json::line::capture(buf, end, &self.tally),
            Report::Sarif(report) => report.finish(buf, end),
            Report::Junit(report) => report.finish(buf, end, &self.tally)?,
        }
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
