//! What is to be said of a packet in the file that it is saved to.
//!
//! Gets: events. Gives: all of them to the sink within; and for the packet that completed them, their
//! notes and the processes of a new connection, as comments. Keeps: those of one packet.

use std::ops::ControlFlow;

use crate::event::{Cx, Event, Sink, Wants};
use crate::note::Note;
use crate::process::{MARK, Owners};
use crate::sink::notes_of;

/// Gathers comments on the packet that is being read.
#[derive(Debug)]
pub struct Remarks<S> {
    sink: S,
    /// `None`: nothing is saved, nothing gathered.
    owners: Option<Owners>,
    comments: Vec<String>,
}

impl<S> Remarks<S> {
    /// Before a sink; with `owners`, comments are gathered.
    pub const fn new(sink: S, owners: Option<Owners>) -> Self {
        Self { sink, owners, comments: Vec::new() }
    }

    /// The comments since this was last asked.
    pub fn take(&mut self) -> Vec<String> {
        // No allocation for most packets: an empty one has none.
        std::mem::take(&mut self.comments)
    }

    /// The sink within.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The sink within.
    pub fn into_inner(self) -> S {
        self.sink
    }

    #[cold]
    fn gather(&mut self, cx: &Cx<'_>, event: &Event<'_>) {
        if let Some(owners) = &self.owners
            && matches!(event, Event::Handshake(_))
            && let Some(ends) = owners.of(&cx.conn.key)
        {
            self.comments.extend(ends.comments(cx.conn).map(cut));
        }
        for note in notes_of(event) {
            self.remark(note);
        }
    }

    fn remark(&mut self, note: &Note) {
        if self.comments.len() < COMMENTS {
            let Note { code, blame, text, .. } = note;
            let line = format!("{MARK}{} {code} ({blame}): {text}", note.severity());
            let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.comments.push(cut(line));
        }
    }
}

/// Whole characters, as many as a comment should have.
fn cut(mut line: String) -> String {
    let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= LENGTH).last();
    if line.len() > LENGTH {
        line.truncate(end.unwrap_or(0));
    }
    line
}

impl<S: Sink> Sink for Remarks<S> {
    fn wants(&self) -> Wants {
        self.sink.wants()
    }

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if self.owners.is_some() {
            self.gather(cx, event);
        }
        self.sink.event(cx, event)
    }
}

/// Comments on one packet: it can complete many events.
const COMMENTS: usize = 64;
/// Bytes of a comment: what an option of pcapng holds is more.
const LENGTH: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_comments_are_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let cut = cut("\u{e9}".repeat(5000));
        assert_eq!(cut.len(), LENGTH);
        assert!(cut.chars().all(|c| c == '\u{e9}'));
    }
}
