//! Could the capture have missed a message?
//!
//! Gets: the two legs of a direction, and which of their messages are the same. Gives: whether one that
//! is on a single leg may have passed unseen on the other. Keeps: nothing.
//!
//! A message passes between its neighbours, so a hole of the capture hides it only when the hole is there too. Of
//! data messages the neighbours that are on both legs say where that is ([`Span`]); of the others, which may
//! overtake them, the time does.

use super::super::collect::{Leg, Msg};
use super::super::heads::unanswered;
use super::{Key, Way};
use crate::event::MessageKind;
use crate::units::Direction;

/// Between which messages of the other leg one passed, or would have: from this many messages of the direction on,
/// and before more than that many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: usize,
    to: usize,
}

impl Span {
    /// Is one of these holes in it? They ascend.
    fn has_any(self, gaps: &[usize]) -> bool {
        let next = gaps.partition_point(|gap| *gap < self.from);
        gaps.get(next).is_some_and(|gap| *gap <= self.to)
    }
}

/// For each message of a sequence, the nearest ones of the other leg around it that are certain: equal
/// messages in a row may stand for each other.
///
/// `partners`: places in `other` of those that are on both legs. `other`: places of that leg's sequence among
/// all its `count` messages of the direction.
pub(super) fn spans(
    keys: &[Key],
    partners: &[Option<usize>],
    other: &[usize],
    count: usize,
) -> Vec<Span> {
    let place = |partner: Option<usize>| partner.and_then(|j| other.get(j).copied());
    let mut spans = Vec::with_capacity(keys.len());
    let mut from = 0;
    for run in keys.chunk_by(|a, b| a == b) {
        spans.extend(run.iter().map(|_| Span { from, to: count }));
        let of_run = partners.get(spans.len() - run.len()..spans.len()).unwrap_or_default();
        from = of_run.iter().rev().find_map(|&p| place(p)).map_or(from, |at| at + 1);
    }
    let mut to = count;
    let mut end = keys.len();
    for run in keys.chunk_by(|a, b| a == b).rev() {
        let begin = end - run.len();
        for span in spans.get_mut(begin..end).unwrap_or_default() {
            span.to = to;
        }
        let of_run = partners.get(begin..end).unwrap_or_default();
        to = of_run.iter().find_map(|&p| place(p)).unwrap_or(to);
        end = begin;
    }
    spans
}

impl Way<'_> {
    /// Could the message at this place of one side have passed on the other side, unseen? `span`: where that was,
    /// if its neighbours tell. `rivals`: so many messages of the other side may be what became of it.
    pub(super) fn unseen(
        &self,
        side: usize,
        message: &Msg,
        span: Option<Span>,
        rivals: usize,
    ) -> bool {
        let there = 1 - side;
        let Some(leg) = self.legs.get(there).filter(|leg| !unread(leg)) else { return true };
        let list = &leg.messages[self.dir];
        let closes = message.kind == MessageKind::Close;
        let time = message.origin.time.map(|time| self.shifted(side, time));
        let gaps = &leg.gaps[self.dir];
        if !gaps.is_empty() {
            // A Close comes last, whenever that is.
            if closes && gaps.last().is_some_and(|&gap| gap >= list.len()) {
                return true;
            }
            let Some(time) = time else { return true };
            let before = |m: &Msg| m.origin.time.is_some_and(|t| self.shifted(there, t) < time);
            let place = list.partition_point(before);
            let near = Span { from: place.saturating_sub(1 + rivals), to: place + 1 + rivals };
            if near.has_any(gaps) || span.is_some_and(|span| span.has_any(gaps)) {
                return true;
            }
        }
        // Captured from the middle: what passed before the first message that could be read was not seen.
        if leg.request().is_none() && leg.response().is_none() {
            let first = list.first().and_then(|m| m.origin.time);
            let first = first.map(|t| self.shifted(there, t));
            if time.zip(first).is_none_or(|(time, first)| time < first.saturating_add(self.slack)) {
                return true;
            }
        }
        let until = self.last_times.get(there).copied().flatten();
        match time.zip(until.map(|t| self.shifted(there, t))) {
            Some((time, until)) if self.may_go_on(leg) => {
                // What was sent before it came should be there until the end; what follows it may take its time.
                let patience = if side == 0 { IN_FLIGHT } else { 0 };
                time.saturating_add(patience) > until
            }
            _ => false,
        }
    }

    /// More may have been sent after what the capture has of a leg.
    fn may_go_on(&self, leg: &Leg) -> bool {
        let ended = leg.end.as_ref().is_some_and(|end| end.seen[self.dir]);
        // Nothing follows a Close (RFC 6455 section 5.5.1).
        let closed = leg.messages[self.dir].last().is_some_and(|m| m.kind == MessageKind::Close);
        !ended && !closed
    }
}

/// Does the capture lack the answer that would have opened it, so that nothing after it was read?
pub(super) fn unread(leg: &Leg) -> bool {
    let nothing = Direction::BOTH.into_iter().all(|dir| leg.messages[dir].is_empty());
    nothing && leg.request().is_some() && leg.response().is_none() && !unanswered(leg)
}

/// A message this long before a capture's end may still have been on its way.
const IN_FLIGHT: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.bytes().map(|byte| Key::Content(byte, 0, 0)).collect()
    }

    fn of(text: &str, partners: &[Option<usize>], other: &[usize]) -> Vec<(usize, usize)> {
        let spans = spans(&keys(text), partners, other, 10);
        spans.into_iter().map(|s| (s.from, s.to)).collect()
    }

    #[test]
    fn message_passes_between_its_neighbours() {
        let got = of("abc", &[Some(0), None, Some(1)], &[3, 5]);
        assert_eq!(got[1], (4, 5));
    }

    #[test]
    fn without_neighbours_it_may_be_anywhere() {
        assert_eq!(of("a", &[None], &[]), [(0, 10)]);
    }

    #[test]
    fn equal_messages_in_a_row_may_stand_for_each_other() {
        let got = of("appppz", &[Some(0), None, Some(1), Some(2), None, Some(3)], &[0, 1, 2, 3]);
        assert_eq!(&got[1..5], [(1, 3); 4]);
    }
}
