//! What is made of events: lines for people, NDJSON, verdicts.
//!
//! Gets: [`Event`]s in order, and [`Summary`] at the end. Gives: bytes to a
//! writer. Keeps: one output buffer, the numbers of open connections, and counters.

pub(crate) mod address;
pub mod check;
pub mod escape;
pub mod export;
pub mod json;
pub mod numbers;
pub mod outlet;
pub mod paint;
pub mod remarks;
pub mod select;
pub mod stats;
pub mod tally;
pub mod text;

use std::io;
use std::ops::ControlFlow;

use crate::event::{Event, Sink};
use crate::note::Note;
use crate::pipeline::Totals;
use crate::units::Timestamp;

pub use numbers::Numbers;
pub use remarks::Remarks;
pub use tally::Tally;

/// A sink that writes: what a command hands the events of a capture to.
pub trait Output: Sink {
    /// Told once, before the first event, when the first packet was captured: relative times count
    /// from there.
    fn begin(&mut self, _first: Option<Timestamp>) {}

    /// Writes out what is buffered: the input is idle, and somebody may be watching.
    fn flush(&mut self) -> ControlFlow<()>;

    /// Writes what comes last, and everything still buffered.
    ///
    /// # Errors
    /// When the output could not be written. A closed pipe is no error: the reader had enough.
    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()>;

    /// What was seen.
    fn tally(&self) -> &Tally;
}

/// What is known of the capture as a whole when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// What the run saw.
    pub totals: &'a Totals,
    /// Packets that the kernel dropped; `None` where that is not known (files).
    pub dropped: Option<u64>,
    /// Where and why reading stopped early; `None` when the capture was read whole.
    pub truncated: Option<&'a str>,
}

/// The notes that an event carries. A frame's stand with its message again, so they are left out.
pub(crate) const fn notes_of<'a>(event: &Event<'a>) -> &'a [Note] {
    match event {
        Event::Handshake(handshake) => handshake.notes.as_slice(),
        Event::Message(message) => message.notes,
        Event::End(end) => end.notes.as_slice(),
        Event::Frame(_) | Event::Gap(_) => &[],
    }
}

#[cfg(test)]
pub(crate) mod samples;
