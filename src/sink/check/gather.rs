//! Everything that is to be said of a connection, gathered until it ends.
//!
//! Gets: events with their connection's number. Gives: a [`Verdict`] when a connection is over. Keeps: of
//! each open connection its handshake while the budget for heads lasts, and one [`Finding`] for each
//! code and blame, however often it was seen.

use std::collections::HashMap;

use crate::event::{ConnInfo, Cx, End, Event, Handshake, Outcome};
use crate::note::{Note, NoteCode, Severity};
use crate::sink::notes_of;
use crate::sink::numbers::is_last;
use crate::units::{ConnKey, ConnNo, Direction, MessageNo, PacketNo};

/// Bytes of heads kept over all open connections. A head has about 1 KiB: enough for 30,000
/// connections open at once; further ones are judged all the same, without their table.
const HEAD_BUDGET: usize = 32 << 20;

/// Packets named with a finding: enough to go and look.
const PLACES: usize = 8;

/// One kind of note on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The first of its kind.
    pub note: Note,
    /// How many there were.
    pub count: u64,
    /// The first few places.
    pub places: Vec<Place>,
}

/// What a note stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The handshake.
    Handshake(PacketNo),
    /// A message.
    Message(Direction, MessageNo, PacketNo),
    /// The connection's end.
    End(PacketNo),
}

impl Place {
    /// The packet that completed it.
    pub const fn packet(self) -> PacketNo {
        match self {
            Self::Handshake(packet) | Self::Message(_, _, packet) | Self::End(packet) => packet,
        }
    }
}

/// A connection that is over, and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Its number.
    pub no: ConnNo,
    /// Its ends.
    pub conn: ConnInfo,
    /// Its outcome.
    pub outcome: Outcome,
    /// Its handshake; `None` when none was seen, or when the budget for heads was spent.
    pub handshake: Option<Box<Handshake>>,
    /// Method and target of the request, as far as they were seen.
    pub asked: Option<String>,
    /// Status code of the response.
    pub status: Option<u16>,
    /// How it ended; `None` for an attempt of which nothing follows ([`Handshake::last`]).
    pub end: Option<Box<End>>,
    /// What was found, worst first, then in the order of the capture.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The worst severity; `None` when there is no note.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.note.severity()).max()
    }

    /// How many notes of a severity.
    pub fn count(&self, severity: Severity) -> u64 {
        let same = self.findings.iter().filter(|f| f.note.severity() == severity);
        same.map(|f| f.count).sum()
    }

    /// The finding that says why nothing of it could be read, where that is so: whether such a connection
    /// is in order nobody knows. One of severity error is still a fault.
    pub fn unread(&self) -> Option<&Finding> {
        let told = |end: &End| end.messages.to_server > 0 || end.messages.to_client > 0;
        let read = self.asked.is_some() || self.status.is_some();
        if read
            || self.outcome != Outcome::Unseen
            || self.end.as_deref().is_some_and(told)
            || self.severity() == Some(Severity::Error)
        {
            return None;
        }
        self.findings.iter().find(|finding| finding.note.code == NoteCode::Undecryptable)
    }
}

#[derive(Debug, Default)]
pub(super) struct Gather {
    open: HashMap<ConnKey, Open, foldhash::fast::RandomState>,
    head_bytes: usize,
    /// Connections so far of which something was asked for.
    selected: u64,
}

#[derive(Debug)]
struct Open {
    verdict: Verdict,
    head_bytes: usize,
    /// Something of it was asked for.
    selected: bool,
}

impl Gather {
    /// Takes an event; gives the verdict when it was the connection's last.
    pub(super) fn event(&mut self, no: ConnNo, cx: &Cx<'_>, event: &Event<'_>) -> Option<Verdict> {
        let notes = notes_of(event);
        let tells = matches!(event, Event::Handshake(_) | Event::End(_));
        // The hot case: a message without a note costs no look-up.
        if notes.is_empty() && !tells {
            return None;
        }
        self.take(no, cx, event, notes, true)
    }

    /// The same where not every event was asked for.
    pub(super) fn event_of_some(
        &mut self,
        no: ConnNo,
        cx: &Cx<'_>,
        event: &Event<'_>,
        selected: bool,
    ) -> Option<Verdict> {
        let tells = matches!(event, Event::Handshake(_) | Event::End(_));
        if !selected && !tells {
            return None;
        }
        let notes = if selected { notes_of(event) } else { &[] };
        self.take(no, cx, event, notes, selected)
    }

    /// Connections of which something was asked for.
    pub(super) const fn selected(&self) -> u64 {
        self.selected
    }

    fn take(
        &mut self,
        no: ConnNo,
        cx: &Cx<'_>,
        event: &Event<'_>,
        notes: &[Note],
        selected: bool,
    ) -> Option<Verdict> {
        let room = HEAD_BUDGET.saturating_sub(self.head_bytes);
        let open = self.open.entry(cx.conn.key).or_insert_with(|| Open::new(no, cx));
        self.selected += u64::from(selected && !open.selected);
        open.selected |= selected;
        match event {
            Event::Handshake(handshake) => self.head_bytes += open.handshake(handshake, room),
            Event::End(end) => open.verdict.end = Some(Box::new((*end).clone())),
            _ => {}
        }
        let place = place(cx, event);
        for note in notes {
            open.note(note, place);
        }
        if is_last(event) { self.close(cx.conn.key) } else { None }
    }

    /// Connections without an end, by number.
    pub(super) fn rest(&mut self) -> Vec<Verdict> {
        let mut rest: Vec<Verdict> =
            self.open.drain().filter_map(|(_, open)| open.over()).collect();
        rest.sort_by_key(|verdict| verdict.no);
        self.head_bytes = 0;
        rest
    }

    fn close(&mut self, key: ConnKey) -> Option<Verdict> {
        let open = self.open.remove(&key)?;
        self.head_bytes = self.head_bytes.saturating_sub(open.head_bytes);
        open.over()
    }
}

impl Open {
    fn new(no: ConnNo, cx: &Cx<'_>) -> Self {
        let verdict = Verdict {
            no,
            conn: cx.conn.clone(),
            outcome: Outcome::Unseen,
            handshake: None,
            asked: None,
            status: None,
            end: None,
            findings: Vec::new(),
        };
        Self { verdict, head_bytes: 0, selected: false }
    }

    /// Keeps the handshake if there is room for it; gives the bytes that it takes.
    fn handshake(&mut self, handshake: &Handshake, room: usize) -> usize {
        let verdict = &mut self.verdict;
        verdict.outcome = handshake.outcome;
        verdict.status = handshake.response.as_ref().map(|head| head.status);
        verdict.asked = handshake.request.as_ref().map(|head| {
            // A target may be a whole head's budget long; what is shown of it is not.
            let target: String = head.target.chars().take(1024).collect();
            let method: String = head.method.chars().take(64).collect();
            format!("{method} {target}")
        });
        let bytes = handshake.size();
        if bytes > room {
            return 0;
        }
        self.head_bytes = bytes;
        verdict.handshake = Some(Box::new(Handshake { notes: Vec::new(), ..handshake.clone() }));
        bytes
    }

    fn note(&mut self, note: &Note, place: Place) {
        let findings = &mut self.verdict.findings;
        let same = |f: &&mut Finding| f.note.code == note.code && f.note.blame == note.blame;
        match findings.iter_mut().find(same) {
            Some(finding) => {
                finding.count += 1;
                if finding.places.len() < PLACES && finding.places.last() != Some(&place) {
                    finding.places.push(place);
                }
            }
            None => findings.push(Finding { note: note.clone(), count: 1, places: vec![place] }),
        }
    }

    /// The verdict, if anything of the connection was asked for.
    fn over(self) -> Option<Verdict> {
        let mut verdict = self.verdict;
        // Stable: equal ones stay in the order of the capture.
        verdict.findings.sort_by_key(|f| std::cmp::Reverse(f.note.severity()));
        self.selected.then_some(verdict)
    }
}

fn place(cx: &Cx<'_>, event: &Event<'_>) -> Place {
    let packet = cx.origin.packet;
    match event {
        Event::Message(message) => Place::Message(message.dir, message.no, packet),
        Event::Handshake(_) => Place::Handshake(packet),
        _ => Place::End(packet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Message;
    use crate::sink::samples;

    #[test]
    fn the_same_note_many_times_is_one_finding() {
        let info = samples::conn(1);
        let notes = [samples::note("client-unmasked")];
        let message = Message { notes: &notes, ..samples::text(b"x") };
        let mut gather = Gather::default();
        for packet in 1..=100_000 {
            let cx = Cx { conn: &info, origin: samples::origin(packet, 0) };
            assert!(gather.event(ConnNo(1), &cx, &Event::Message(&message)).is_none());
        }
        let verdict = gather.rest().remove(0);
        assert_eq!(verdict.findings.len(), 1);
        assert_eq!(verdict.count(Severity::Error), 100_000);
        assert_eq!(verdict.findings[0].places.len(), PLACES);
        assert_eq!(verdict.findings[0].places[1].packet(), PacketNo(2));
    }

    #[test]
    fn the_worst_comes_first() {
        let info = samples::conn(1);
        let mut handshake = samples::handshake();
        handshake.notes =
            ["proxy-trace", "key-reused", "accept-mismatch"].map(samples::note).to_vec();
        let cx = Cx { conn: &info, origin: samples::origin(6, 0) };
        let mut gather = Gather::default();
        assert!(gather.event(ConnNo(1), &cx, &Event::Handshake(&handshake)).is_none());
        let verdict = gather.event(ConnNo(1), &cx, &Event::End(&samples::end())).unwrap();
        let codes: Vec<_> = verdict.findings.iter().map(|f| f.note.code.as_str()).collect();
        assert_eq!(codes, ["accept-mismatch", "key-reused", "proxy-trace"]);
        assert_eq!(verdict.severity(), Some(Severity::Error));
        assert!(gather.open.is_empty());
        assert_eq!(gather.head_bytes, 0);
    }

    #[test]
    fn heads_beyond_the_budget_are_judged_without_their_table() {
        let info = samples::conn(1);
        let cx = Cx { conn: &info, origin: samples::origin(6, 0) };
        let mut gather = Gather { head_bytes: HEAD_BUDGET, ..Gather::default() };
        assert!(gather.event(ConnNo(1), &cx, &Event::Handshake(&samples::handshake())).is_none());
        let verdict = gather.rest().remove(0);
        assert!(verdict.handshake.is_none());
        assert_eq!(verdict.asked.as_deref(), Some("GET /chat"));
        assert_eq!(verdict.outcome, Outcome::Accepted);
    }
}
