//! `print` for people: one line an event, aligned, in colour.
//!
//! Gets: events. Gives: lines, and a summary at the end. Keeps: one line, the numbers of open
//! connections, and the times that others are relative to.
//!
//! ```text
//!   0.020705 #1   == open       101  GET /  accepted
//!                                    127.0.0.1:33214 > 127.0.0.1:8088
//!   0.041115 #1   -> text      18 B  hello, martian!!!!
//!   0.050132 #1   <- text      18 B  HELLO, MARTIAN!!!!
//!   0.055702 #1   -> close      2 B  1000 normal closure
//!   0.056987 #1   <- close      2 B  1000 normal closure
//!   0.063852 #1   -- end             the client closed the connection with code 1000 (normal closure); ...
//!
//! 14 packets, 1 WebSocket connection, 4 messages, no notes
//! ```

mod clock;
mod count;
mod heads;
mod lines;
mod summary;
mod wrap;

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Message, MessageKind, Payload, Sink, Wants};
use crate::note::{Note, Severity};
use crate::process::Owners;
use crate::sink::escape::{self, Escaped};
use crate::sink::outlet::Outlet;
use crate::sink::paint::{Paint, Part};
use crate::sink::{Numbers, Output, Summary, Tally, notes_of};
use crate::units::Timestamp;

pub use clock::TimeFormat;
pub(crate) use count::{bytes as byte_count, counted, grouped, push_bytes};
pub(crate) use summary::{lines as summary_lines, sealed, seen, unopened};
pub(crate) use wrap::{Wrap, wrap};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// One line an event, without payload but for the reason of a Close; no details of handshakes, no
    /// notes of severity info, no summary.
    Quiet,
    /// One line an event, payloads cut to the width.
    #[default]
    Normal,
    /// Payloads and heads whole.
    Verbose,
}

/// How `print` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of a line; `None`: as long as it is.
    pub width: Option<usize>,
    /// With colour or without.
    pub paint: Paint,
    /// How much is told.
    pub verbosity: Verbosity,
    /// How times are written.
    pub time: TimeFormat,
    /// A line for each frame too.
    pub frames: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: Some(80),
            paint: Paint::Plain,
            verbosity: Verbosity::Normal,
            time: TimeFormat::Relative,
            frames: false,
        }
    }
}

/// Writes lines for people.
#[derive(Debug)]
pub struct TextSink<W> {
    out: Outlet<W>,
    line: String,
    numbers: Numbers,
    tally: Tally,
    clock: clock::Clock,
    options: TextOptions,
    owners: Owners,
}

impl<W: Write> TextSink<W> {
    /// To a writer.
    pub fn new(writer: W, options: TextOptions) -> Self {
        Self {
            out: Outlet::new(writer),
            line: String::new(),
            numbers: Numbers::new(),
            tally: Tally::default(),
            clock: clock::Clock::new(options.time),
            options,
            owners: Owners::default(),
        }
    }

    /// Asks there for the processes at the ends of connections.
    #[must_use]
    pub fn with_owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }
}

impl<W: Write> Sink for TextSink<W> {
    fn wants(&self) -> Wants {
        Wants { frames: self.options.frames, payload: true }
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.tally.count(event);
        let no = self.numbers.of(cx.conn.key, event);
        // Behind a filter their handshakes need not come by.
        self.tally.connections = self.numbers.given();
        self.line.clear();
        self.event_lines(no, cx, event);
        self.out.buf().extend_from_slice(self.line.as_bytes());
        self.line.shrink_to(1 << 20);
        self.out.line_done()
    }
}

impl<W: Write> Output for TextSink<W> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.clock.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        if self.options.verbosity > Verbosity::Quiet {
            let text = summary::lines(end, &self.tally, self.options.paint, self.options.width);
            self.out.buf().extend_from_slice(text.as_bytes());
        }
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
