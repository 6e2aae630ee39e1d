//! Which packets to keep: found out in one pass, used in the next.
//!
//! Gets: every event, and which are asked for. Gives: [`Survey::keeps`] for each packet of a second
//! pass over the same capture, and the notes that stand at it. Keeps: the TCP connections asked for, 8
//! bytes each, and notes within a budget.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::pipeline::Whose;
use crate::sink::escape::Escaped;
use crate::sink::select::{Everything, Select};
use crate::sink::{Output, Summary, Tally, notes_of};
use crate::units::{PacketNo, Timestamp};

/// Bytes of notes kept: some hundred thousand of them.
const NOTES: usize = 32 << 20;

/// Bytes of one comment: pcapng options hold 65,535, and nobody reads that much.
const COMMENT: usize = 8 << 10;

/// Finds out what to keep.
#[derive(Debug)]
pub struct Survey<S = Everything> {
    select: S,
    tally: Tally,
    /// By the places of their first packets: what is saved on the way is numbered in the order in which
    /// it was given.
    flows: HashSet<u64, foldhash::fast::RandomState>,
    notes: HashMap<u64, Vec<(u64, String)>, foldhash::fast::RandomState>,
    note_bytes: usize,
    left_out: u64,
}

impl<S: Select> Survey<S> {
    /// For what is selected.
    pub fn of(select: S) -> Self {
        Self {
            select,
            tally: Tally::default(),
            flows: HashSet::default(),
            notes: HashMap::default(),
            note_bytes: 0,
            left_out: 0,
        }
    }

    /// Is this packet to be kept? Of fragmented IP datagrams every fragment is, for only the last tells
    /// whose they are.
    pub fn keeps(&self, whose: Whose) -> bool {
        match whose {
            Whose::Flow(flow) => self.flows.contains(&flow.0.place()),
            Whose::Fragment => !self.flows.is_empty(),
            Whose::Nobody => false,
        }
    }

    /// What is to be said at a packet of the connections that are kept.
    pub fn comments(&self, packet: PacketNo) -> Vec<&str> {
        let here = self.notes.get(&packet.place()).map(Vec::as_slice).unwrap_or_default();
        here.iter().filter(|(flow, _)| self.flows.contains(flow)).map(|(_, text)| &**text).collect()
    }

    /// TCP connections to keep.
    pub fn connections(&self) -> usize {
        self.flows.len()
    }

    /// Notes that the budget had no room for.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn note(&mut self, cx: &Cx<'_>, event: &Event<'_>) {
        for note in notes_of(event) {
            let mut text = format!(
                "wstap: {} {} ({}): {}",
                note.severity(),
                note.code,
                note.code.reference(),
                Escaped(&note.text),
            );
            let end = (0..=COMMENT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            let bytes = text.len() + 64;
            if self.note_bytes.saturating_add(bytes) > NOTES {
                self.left_out += 1;
                continue;
            }
            self.note_bytes += bytes;
            let here = self.notes.entry(cx.origin.packet.place()).or_default();
            here.push((cx.conn.key.flow.0.place(), text));
        }
    }
}

impl<S: Select> Sink for Survey<S> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if self.select.selects(cx, event) {
            self.tally.count(event);
            self.flows.insert(cx.conn.key.flow.0.place());
        }
        if !notes_of(event).is_empty() {
            self.note(cx, event);
        }
        ControlFlow::Continue(())
    }

    fn later(&self) -> Later {
        if self.select.needs_payload() { Later::Whole } else { Later::Facts }
    }
}

impl<S: Select> Output for Survey<S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finish(&mut self, _end: &Summary<'_>) -> io::Result<()> {
        Ok(())
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// Wants nothing: for the second pass, which only asks whose a packet is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Sink for Nothing {
    fn wants(&self) -> Wants {
        Wants { frames: false, payload: false }
    }

    fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Message;
    use crate::sink::samples;
    use crate::sink::select::Where;
    use crate::units::FlowId;

    #[test]
    fn connections_asked_for_are_kept_whole_with_their_notes() {
        let notes = [samples::note("mask-zero")];
        let message = Message { notes: &notes, ..samples::text(b"x") };
        let mut survey = Survey::of(Where(|cx: &Cx<'_>, event: &Event<'_>| {
            cx.conn.stream.0 == 1 && matches!(event, Event::End(_))
        }));
        assert!(!survey.keeps(Whose::Fragment));
        for (first, at) in [(1, 8), (2, 9)] {
            let info = samples::conn(first);
            let cx = Cx { conn: &info, origin: samples::origin(at, 0) };
            let _ = survey.event(&cx, &Event::Message(&message));
            let _ = survey.event(&cx, &Event::End(&samples::end()));
        }
        let flow = |n| Whose::Flow(FlowId(PacketNo(n)));
        assert!(survey.keeps(flow(2)) && survey.keeps(Whose::Fragment));
        assert!(!survey.keeps(flow(1)) && !survey.keeps(Whose::Nobody));
        assert!(survey.comments(PacketNo(8)).is_empty());
        let want = "wstap: warning mask-zero (RFC 6455 §5.3): the text of mask-zero";
        assert_eq!(survey.comments(PacketNo(9)), [want]);
    }

    #[test]
    fn notes_beyond_the_budget_are_counted() {
        let long =
            [crate::note::Note { text: "ü".repeat(COMMENT).into(), ..samples::note("reset") }];
        let message = Message { notes: &long, ..samples::text(b"x") };
        let info = samples::conn(1);
        let mut survey = Survey::of(Everything);
        for packet in 1..=5000 {
            let cx = Cx { conn: &info, origin: samples::origin(packet, 0) };
            let _ = survey.event(&cx, &Event::Message(&message));
        }
        assert!(survey.note_bytes <= NOTES && survey.left_out() > 0);
        let comments = survey.comments(PacketNo(1));
        assert!(comments[0].len() <= COMMENT && comments[0].len() > COMMENT - 2);
    }
}
