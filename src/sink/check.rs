//! `check`: a verdict for each connection, with everything that is to be said of it.
//!
//! Gets: events. Gives: a report in the format asked for, connection by connection as they end. Keeps:
//! of each open connection its handshake and one entry for each kind of note, within a budget.

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
use crate::sink::text::Verbosity;
use crate::sink::{Numbers, Output, Summary, Tally};

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
    /// Quiet: no handshake tables. Verbose: whole heads.
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

/// Judges connections.
#[derive(Debug)]
pub struct CheckSink<W> {
    out: Outlet<W>,
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
    /// To a writer.
    pub fn new(writer: W, options: CheckOptions) -> Self {
        let report = match options.format {
            Format::Text => Report::Text(text::TextReport::new(options)),
            Format::Json => Report::Json,
            Format::Sarif => Report::Sarif(sarif::SarifReport::new(&options.capture)),
            Format::Junit => Report::Junit(junit::JunitReport::new(options.capture)),
        };
        Self {
            out: Outlet::new(writer),
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

impl<W: Write> Sink for CheckSink<W> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.tally.count(event);
        let no = self.numbers.of(cx.conn.key, event);
        // Behind a filter their handshakes need not come by.
        self.tally.connections = self.numbers.given();
        match self.gather.event(no, cx, event) {
            Some(verdict) => {
                self.verdict(&verdict);
                self.out.line_done()
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn later(&self) -> Later {
        Later::Facts
    }
}

impl<W: Write> Output for CheckSink<W> {
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
