//! NDJSON: one object a line, as scripts read it.
//!
//! Gets: events. Gives: a line for each, and the `capture` line at the end. Keeps: the output buffer
//! and the numbers of open connections.
//!
//! ```text
//! {"event":"handshake","conn":1,"time":"2026-11-22T16:00:00.000412000Z","packet":6,...}
//! {"event":"message","conn":1,"dir":"c2s","time":"...","packet":8,"n":1,"kind":"text",...}
//! {"event":"end","conn":1,...}
//! {"event":"capture","packets":14,...}
//! ```
//!
//! The lines themselves are pure functions in [`mod@line`], so that several threads can render them.

mod digits;
pub mod line;
mod quote;
pub mod write;

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::process::Owners;
use crate::sink::outlet::Outlet;
use crate::sink::{Numbers, Output, Summary, Tally};
use crate::units::ConnNo;

/// Writes NDJSON.
#[derive(Debug)]
pub struct JsonSink<W> {
    out: Outlet<W>,
    numbers: Numbers,
    tally: Tally,
    wants: Wants,
    owners: Owners,
}

impl<W: Write> JsonSink<W> {
    /// To a writer; with `frames`, a line for each frame too.
    pub fn new(writer: W, frames: bool) -> Self {
        Self {
            out: Outlet::new(writer),
            numbers: Numbers::new(),
            tally: Tally::default(),
            wants: Wants { frames, payload: true },
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

    /// Counts the event, and tells the number of its connection.
    fn count(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ConnNo {
        self.tally.count(event);
        let no = self.numbers.of(cx.conn.key, event);
        // Behind a filter their handshakes need not come by.
        self.tally.connections = self.numbers.given();
        no
    }
}

impl<W: Write> Sink for JsonSink<W> {
    fn wants(&self) -> Wants {
        self.wants
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let no = self.count(cx, event);
        match event {
            Event::Handshake(handshake) => {
                let ends = self.owners.of(&cx.conn.key);
                line::handshake_of(self.out.buf(), no, cx, handshake, ends.as_ref());
            }
            Event::End(end) => {
                let late = self.owners.late(&cx.conn.key);
                line::end_of(self.out.buf(), no, cx, end, late.as_ref());
            }
            other => line::event(self.out.buf(), no, cx, other),
        }
        self.out.line_done()
    }

    fn later(&self) -> Later {
        Later::Drafts(line::draft)
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        let no = self.count(cx, event);
        line::numbered(self.out.buf(), no, draft);
        self.out.line_done()
    }
}

impl<W: Write> Output for JsonSink<W> {
    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        line::capture(self.out.buf(), end, &self.tally);
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
