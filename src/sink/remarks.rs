//! What is to be said of a packet in the file that it is saved to.
//!
//! Gets: events. Gives: all of them to the sink within; and for the packet that completed them, their
//! notes and the processes of its connection, as comments, as soon as they are known. Keeps: those of one packet.

use std::ops::ControlFlow;

use crate::event::{Counted, Cx, Event, Later, Sink, Wants};
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

    /// Gathers what is to be said at this event.
    #[cold]
    fn gather(&mut self, cx: &Cx<'_>, event: &Event<'_>) {
        let Some(owners) = &self.owners else { return };
        let ends = match event {
            Event::Handshake(_) => owners.of(&cx.conn.key),
            _ => owners.take_late(&cx.conn.key),
        };
        if let Some(ends) = ends {
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

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        if self.owners.is_some() {
            return self.event(cx, &Event::Message(&counted.message(cx.origin)));
        }
        self.sink.counted(cx, counted)
    }

    fn later(&self) -> Later {
        self.sink.later()
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        if self.owners.is_some() {
            self.gather(cx, event);
        }
        self.sink.drafted(cx, event, draft)
    }
}

/// Comments on one packet: it can complete many events.
const COMMENTS: usize = 64;
/// Bytes of a comment: what an option of pcapng holds is more.
const LENGTH: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Owned;
    use crate::sink::json::JsonSink;
    use crate::sink::{Output as _, samples};

    /// What is told of a connection that the comments come of `late`, or else early: remarks on the
    /// packets of its handshake, message and end, and the lines of NDJSON.
    fn told(late: bool) -> ([usize; 3], Vec<serde_json::Value>) {
        let owners = Owners::default();
        let conn = samples::conn(1);
        let comment =
            format!("{MARK}client process node[7] ({} > {}) node a.js", conn.client, conn.server);
        let sink = JsonSink::new(Vec::new(), false).with_owners(owners.clone());
        let remarks = Remarks::new(sink, Some(owners.clone()));
        let mut owned = Owned::new(remarks, owners.clone(), None);
        let (handshake, text, end) = (samples::handshake(), samples::text(b"hi"), samples::end());
        let mut events =
            [Event::Handshake(&handshake), Event::Message(&text), Event::End(&end)].into_iter();
        let mut remarked = [0; 3];
        for (no, count) in remarked.iter_mut().enumerate() {
            if (no == 1) == late && no < 2 {
                owners.read_comment(&comment);
            }
            let cx = Cx { conn: &conn, origin: samples::origin(1, 0) };
            assert!(owned.event(&cx, &events.next().unwrap()).is_continue());
            *count = owned.inner_mut().take().iter().filter(|c| **c == comment).count();
        }
        assert!(owned.inner_mut().inner_mut().flush().is_continue());
        let text = owned.into_inner().into_inner().into_inner();
        let lines = String::from_utf8(text).unwrap();
        (remarked, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn what_is_known_at_the_handshake_is_told_there() {
        let (remarked, lines) = told(false);
        assert_eq!(remarked, [1, 0, 0]);
        assert_eq!(lines[0]["process"]["client"]["pid"], 7);
        assert!(lines[2].get("process").is_none(), "{}", lines[2]);
    }

    #[test]
    fn what_becomes_known_later_is_remarked_at_the_next_packet_and_told_at_the_end() {
        let (remarked, lines) = told(true);
        assert_eq!(remarked, [0, 1, 0]);
        assert!(lines[0]["process"].is_null());
        assert_eq!(lines[2]["event"], "end");
        assert_eq!(lines[2]["process"]["client"]["name"], "node");
        assert!(lines[2]["process"]["server"].is_null());
    }

    #[test]
    fn long_comments_are_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let cut = cut("\u{e9}".repeat(5000));
        assert_eq!(cut.len(), LENGTH);
        assert!(cut.chars().all(|c| c == '\u{e9}'));
    }
}
