//! What became of each message.
//!
//! Gets: the client leg and the server leg. Gives: alterations of messages, how many are the same, and
//! the delay that the proxy added. Keeps: indices while it works.
//!
//! Data messages are one sequence; pings and pongs are one each, because they may overtake the
//! frames of a message (RFC 6455 section 5.4), and so is Close: a proxy may answer one before the
//! other end does, and each leg has one of each direction all the same. A message that is not whole
//! in the capture matches whatever stands in its place, and where the capture has a hole nothing is
//! called lost.

mod fate;
mod unseen;

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Found;
use super::align;
use super::collect::{Leg, Msg};
use super::cut::human_ns;
use crate::event::MessageKind;
use crate::units::{Direction, Timestamp};
use unseen::{Span, spans};

/// How many messages share which fate, both directions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Equal in content, refragmented and recompressed ones too.
    pub same: u64,
    /// Changed on the way; reordered ones too.
    pub changed: u64,
    /// Sent on the first leg only.
    pub lost: u64,
    /// Sent on the second leg only.
    pub injected: u64,
    /// Not to be told: missing from the capture, or beyond the budget.
    pub unknown: u64,
}

impl Counts {
    /// `6 same, 1 changed, 0 lost, 0 injected`
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} same, {} changed, {} lost, {} injected",
            self.same, self.changed, self.lost, self.injected
        );
        if self.unknown > 0 {
            // Writing to a String does not fail.
            let _ = write!(text, ", {} unknown", self.unknown);
        }
        text
    }
}

/// Nanoseconds that the proxy added; `None` when the capture does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// From request to answer.
    pub handshake: Option<i64>,
    /// Half of the messages took no longer.
    pub p50: Option<i64>,
    /// 99 of 100 messages took no longer.
    pub p99: Option<i64>,
    /// The longest.
    pub max: Option<i64>,
}

impl Delays {
    /// `handshake 2.00 µs, messages p50 ...`; `None` when nothing is known.
    pub fn text(&self) -> Option<String> {
        let named = [
            ("handshake", self.handshake),
            ("messages p50", self.p50),
            ("p99", self.p99),
            ("max", self.max),
        ];
        let parts: Vec<String> = named
            .iter()
            .filter_map(|(name, ns)| Some(format!("{name} {}", human_ns((*ns)?))))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// How the times of two legs compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Nanoseconds that the server leg's clock is ahead of the client leg's.
    pub(crate) offset: i64,
    /// Times of the last event in the client leg's and the server leg's capture.
    pub(crate) last_times: [Option<Timestamp>; 2],
}

/// Compares the messages of two legs.
pub(crate) fn compare(
    client: &Leg,
    server: &Leg,
    view: &View,
    found: &mut Found,
) -> (Counts, Delays) {
    let mut counts = Counts::default();
    let mut delays = Vec::new();
    for dir in Direction::BOTH {
        let mut way = Way::new(client, server, dir, view);
        let fates = way.fates();
        for fate in &fates {
            way.count(fate, &mut counts, &mut delays);
            way.report(fate, found);
        }
    }
    (counts, summary(handshake_delay(client, server), delays))
}

/// Where a message is on the leg it travels first, and on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Same(usize, usize),
    Changed(usize, usize),
    Reordered(usize, usize),
    Lost(usize),
    Injected(usize),
    /// Something in the capture is missing that would tell.
    Unknown,
}

/// One direction of a pair, along the way of travel.
struct Way<'a> {
    dir: Direction,
    /// The leg it travels first, and the other.
    legs: [&'a Leg; 2],
    /// Nanoseconds to add to a time on either leg to compare them.
    shift: [i64; 2],
    last_times: [Option<Timestamp>; 2],
    /// Times of different captures agree only about.
    slack: i64,
}

impl<'a> Way<'a> {
    fn new(client: &'a Leg, server: &'a Leg, dir: Direction, view: &View) -> Self {
        let slack = if client.capture == server.capture { 0 } else { CLOCK_SLACK };
        let back = view.offset.saturating_neg();
        let [first, last] = view.last_times;
        match dir {
            Direction::ToServer => Self {
                dir,
                legs: [client, server],
                shift: [0, back],
                last_times: [first, last],
                slack,
            },
            Direction::ToClient => Self {
                dir,
                legs: [server, client],
                shift: [back, 0],
                last_times: [last, first],
                slack,
            },
        }
    }

    fn list(&self, side: usize) -> &'a [Msg] {
        self.legs.get(side).map_or(&[], |leg| &leg.messages[self.dir])
    }

    fn msg(&self, side: usize, at: usize) -> Option<&'a Msg> {
        self.list(side).get(at)
    }

    /// A time on one side, by the client leg's clock.
    fn shifted(&self, side: usize, time: Timestamp) -> i64 {
        time.0.saturating_add(self.shift.get(side).copied().unwrap_or(0))
    }

    fn time(&self, side: usize, at: usize) -> Option<i64> {
        Some(self.shifted(side, self.msg(side, at)?.origin.time?))
    }

    /// Nanoseconds from the first leg to the other; negative against causality.
    fn delay(&self, a: usize, b: usize) -> Option<i64> {
        Some(self.time(1, b)?.saturating_sub(self.time(0, a)?))
    }

    fn causal(&self, a: usize, b: usize) -> bool {
        self.delay(a, b).is_none_or(|delay| delay >= -self.slack)
    }

    /// What became of every message of this direction, in the order of the way.
    fn fates(&mut self) -> Vec<Fate> {
        let mut fates = Vec::new();
        for class in [Class::Data, Class::Close, Class::Ping, Class::Pong] {
            let of = |list: &[Msg]| -> Vec<usize> {
                let matching = list.iter().enumerate().filter(|(_, m)| class.has(m.kind));
                matching.map(|(i, _)| i).collect()
            };
            let (a, b) = (of(self.list(0)), of(self.list(1)));
            self.align(class, &a, &b, &mut fates);
        }
        // Beyond the budget of either leg nothing is known of the other's either.
        if self.legs.iter().any(|leg| leg.unkept[self.dir] > 0) {
            for fate in &mut fates {
                if matches!(fate, Fate::Lost(_) | Fate::Injected(_)) {
                    *fate = Fate::Unknown;
                }
            }
        }
        fates
    }

    fn align(&self, class: Class, a: &[usize], b: &[usize], fates: &mut Vec<Fate>) {
        let keys = |side: usize, list: &[usize]| -> Vec<Key> {
            list.iter().map(|&at| self.key(side, at)).collect()
        };
        let (keys_a, keys_b) = (keys(0, a), keys(1, b));
        let mut partners = vec![None; a.len()];
        for (i, j) in align::common(&keys_a, &keys_b) {
            if let Some(slot) = partners.get_mut(i) {
                *slot = Some(j);
            }
        }
        self.slide(a, b, &keys_a, &mut partners);
        self.slide_injected(a, b, &keys_b, &mut partners);
        let moved = moved(&keys_a, &keys_b, &partners);
        // What is no data may overtake data, and stands where its own neighbours do not tell.
        let spans = match class {
            Class::Data => self.spans([a, b], [&keys_a, &keys_b], &partners),
            Class::Close | Class::Ping | Class::Pong => Spans::default(),
        };
        let mut taken = vec![false; b.len()];
        for j in partners.iter().flatten().chain(moved.values()) {
            if let Some(slot) = taken.get_mut(*j) {
                *slot = true;
            }
        }
        let mut from_b = 0;
        let mut block = Block::default();
        for (i, &at) in a.iter().enumerate() {
            match partners.get(i).copied().flatten() {
                Some(j) => {
                    block.right.extend(open(b, &taken, from_b, j));
                    self.settle(&mut block, &spans, fates);
                    fates.push(Fate::Same(at, b.get(j).copied().unwrap_or_default()));
                    from_b = j + 1;
                }
                None => match moved.get(&i) {
                    Some(&j) => {
                        let there = b.get(j).copied().unwrap_or_default();
                        fates.push(if self.are_two(at, there, &spans, 0) {
                            Fate::Unknown
                        } else {
                            Fate::Reordered(at, there)
                        });
                    }
                    None => block.left.push(at),
                },
            }
        }
        block.right.extend(open(b, &taken, from_b, b.len()));
        self.settle(&mut block, &spans, fates);
    }

    fn key(&self, side: usize, at: usize) -> Key {
        match self.msg(side, at) {
            Some(Msg { kind, hash: Some(hash), len, .. }) => {
                Key::Content(*kind as u8, *len, hash.0)
            }
            _ => Key::Unknown(side, at),
        }
    }

    /// Where messages without a partner would be on the other leg.
    fn spans(&self, places: [&[usize]; 2], keys: [&[Key]; 2], partners: &[Option<usize>]) -> Spans {
        let [a, b] = places;
        let senders = senders(partners, b.len());
        let lone = |places: &[usize], spans: Vec<Span>, partners: &[Option<usize>]| {
            let all = places.iter().copied().zip(spans).zip(partners);
            all.filter(|(_, partner)| partner.is_none()).map(|(span, _)| span).collect()
        };
        let of_a = spans(keys[0], partners, b, self.list(1).len());
        let of_b = spans(keys[1], &senders, a, self.list(0).len());
        [lone(a, of_a, partners), lone(b, of_b, &senders)]
    }

    /// Of equal messages, of which some were lost, those that came just before their copies were
    /// passed on are the ones passed on.
    fn slide(&self, a: &[usize], b: &[usize], keys: &[Key], partners: &mut [Option<usize>]) {
        let mut begin = 0;
        for run in keys.chunk_by(|a, b| a == b) {
            let places = begin..begin + run.len();
            begin = places.end;
            let (Some(from), Some(slots)) = (a.get(places.clone()), partners.get_mut(places))
            else {
                return;
            };
            let copies: Vec<usize> = slots.iter().flatten().copied().collect();
            if copies.len() < slots.len() {
                slots.fill(None);
                let mut end = slots.len();
                for (left, &j) in copies.iter().enumerate().rev() {
                    let sent_before = |i: &usize| {
                        let pair = from.get(*i).copied().zip(b.get(j).copied());
                        let delay = pair.and_then(|(from, to)| self.delay(from, to));
                        delay.is_some_and(|delay| delay >= 0)
                    };
                    // Each copy before this one needs a place too.
                    end = (left..end).rev().find(sent_before).unwrap_or(left);
                    if let Some(slot) = slots.get_mut(end) {
                        *slot = Some(j);
                    }
                }
            }
        }
    }

    /// Of equal messages, of which one was injected, none is the copy of what was sent only later.
    fn slide_injected(
        &self,
        a: &[usize],
        b: &[usize],
        keys: &[Key],
        partners: &mut [Option<usize>],
    ) {
        let mut senders = senders(partners, b.len());
        let mut steps = SLIDES;
        for injected in 1..senders.len() {
            let mut at = injected;
            while at > 0
                && steps > 0
                && senders.get(at) == Some(&None)
                && keys.get(at) == keys.get(at - 1)
            {
                steps -= 1;
                let Some(Some(i)) = senders.get(at - 1).copied() else { break };
                let (Some(&from), Some(&to)) = (a.get(i), b.get(at - 1)) else { break };
                if self.causal(from, to) {
                    break;
                }
                if let Some(partner) = partners.get_mut(i) {
                    *partner = Some(at);
                }
                senders.swap(at - 1, at);
                at -= 1;
            }
        }
    }

    /// Decides what stands between two messages that are the same on both legs.
    fn settle(&self, block: &mut Block, spans: &Spans, fates: &mut Vec<Fate>) {
        let Block { left, right } = std::mem::take(block);
        let (left, right) = self.unknown(left, right, fates);
        let mut partner_of = fate::partners(self, &left, &right).into_iter();
        let mut next = partner_of.next();
        let mut from = 0;
        for (i, &at) in left.iter().enumerate() {
            if let Some((_, j)) = next.filter(|(x, _)| *x == i) {
                for &free in right.get(from..j).unwrap_or_default() {
                    fates.push(self.injected(free, spans));
                }
                let there = right.get(j).copied().unwrap_or_default();
                fates.push(if self.are_two(at, there, spans, right.len()) {
                    Fate::Unknown
                } else {
                    Fate::Changed(at, there)
                });
                from = j + 1;
                next = partner_of.next();
            } else {
                fates.push(self.lost(at, spans, right.len()));
            }
        }
        for &free in right.get(from..).unwrap_or_default() {
            fates.push(self.injected(free, spans));
        }
    }

    /// Takes out messages that are not whole in the capture, and what stands in their place.
    fn unknown(
        &self,
        mut left: Vec<usize>,
        mut right: Vec<usize>,
        fates: &mut Vec<Fate>,
    ) -> (Vec<usize>, Vec<usize>) {
        let is_unknown =
            |side: usize, at: usize| self.msg(side, at).is_none_or(|m| m.hash.is_none());
        let mut partial = [Vec::new(), Vec::new()];
        for (side, list) in [(0, &mut left), (1, &mut right)] {
            let (unclear, clear) = list.iter().partition(|&&at| is_unknown(side, at));
            *list = clear;
            if let Some(slot) = partial.get_mut(side) {
                *slot = unclear;
            }
        }
        let [unclear_left, unclear_right] = partial;
        let lone = unclear_left.len().abs_diff(unclear_right.len());
        let other = if unclear_left.len() > unclear_right.len() { &mut right } else { &mut left };
        other.truncate(other.len().saturating_sub(lone));
        let n = unclear_left.len().max(unclear_right.len());
        fates.extend(std::iter::repeat_n(Fate::Unknown, n));
        (left, right)
    }

    /// A message that is not on the other leg: lost, unless the capture could have missed it there.
    fn lost(&self, at: usize, spans: &Spans, rivals: usize) -> Fate {
        if self.may_hide(0, at, spans, rivals) { Fate::Unknown } else { Fate::Lost(at) }
    }

    fn injected(&self, at: usize, spans: &Spans) -> Fate {
        if self.may_hide(1, at, spans, 0) { Fate::Unknown } else { Fate::Injected(at) }
    }

    /// May these be two messages, of which the capture missed one on either leg? However alike they are:
    /// so are the messages of a feed. Of a Close there is one on each leg.
    fn are_two(&self, at: usize, there: usize, spans: &Spans, rivals: usize) -> bool {
        let closes = self.msg(0, at).is_some_and(|message| message.kind == MessageKind::Close);
        !closes && self.may_hide(0, at, spans, rivals) && self.may_hide(1, there, spans, 0)
    }

    fn may_hide(&self, side: usize, at: usize, spans: &Spans, rivals: usize) -> bool {
        let span = spans.get(side).and_then(|of_side| of_side.get(&at).copied());
        self.msg(side, at).is_none_or(|message| self.unseen(side, message, span, rivals))
    }

    fn count(&self, fate: &Fate, counts: &mut Counts, delays: &mut Vec<i64>) {
        let slot = match fate {
            Fate::Same(..) => &mut counts.same,
            Fate::Changed(..) | Fate::Reordered(..) => &mut counts.changed,
            Fate::Lost(_) => &mut counts.lost,
            Fate::Injected(_) => &mut counts.injected,
            Fate::Unknown => &mut counts.unknown,
        };
        *slot = slot.saturating_add(1);
        if let Fate::Same(a, b) | Fate::Changed(a, b) = *fate
            // Sent before it came, it was not passed on: a Close that the proxy answered itself.
            && self.causal(a, b)
        {
            // Clocks that were only estimated to agree can make it negative.
            delays.extend(self.delay(a, b).map(|delay| delay.max(0)));
        }
    }
}

/// Which messages keep their order among themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Data,
    Close,
    Ping,
    Pong,
}

impl Class {
    fn has(self, kind: MessageKind) -> bool {
        let class = match kind {
            MessageKind::Text | MessageKind::Binary => Self::Data,
            MessageKind::Close => Self::Close,
            MessageKind::Ping => Self::Ping,
            MessageKind::Pong => Self::Pong,
        };
        class == self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Content(u8, u64, u128),
    /// Equal to nothing.
    Unknown(usize, usize),
}

/// What stands between two messages that are the same on both legs.
#[derive(Debug, Default)]
struct Block {
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Where the messages of both sides that have no partner would be on the other leg.
type Spans = [HashMap<usize, Span, foldhash::fast::RandomState>; 2];

/// Which message of the first leg each of `count` on the other is the same as.
fn senders(partners: &[Option<usize>], count: usize) -> Vec<Option<usize>> {
    let mut senders = vec![None; count];
    for (i, partner) in partners.iter().enumerate() {
        if let Some(slot) = partner.and_then(|j| senders.get_mut(j)) {
            *slot = Some(i);
        }
    }
    senders
}

/// Equal messages that stand at different places.
fn moved(
    a: &[Key],
    b: &[Key],
    partners: &[Option<usize>],
) -> HashMap<usize, usize, foldhash::fast::RandomState> {
    let mut used = vec![false; b.len()];
    for slot in partners.iter().flatten() {
        if let Some(used) = used.get_mut(*slot) {
            *used = true;
        }
    }
    let mut places: HashMap<Key, Vec<usize>, foldhash::fast::RandomState> = HashMap::default();
    for (j, key) in b.iter().enumerate().rev() {
        if used.get(j) == Some(&false) && matches!(key, Key::Content(..)) {
            places.entry(*key).or_default().push(j);
        }
    }
    let mut moved = HashMap::default();
    for (i, key) in a.iter().enumerate() {
        if partners.get(i) == Some(&None)
            && let Some(j) = places.get_mut(key).and_then(Vec::pop)
        {
            moved.insert(i, j);
        }
    }
    moved
}

fn open<'a>(
    b: &'a [usize],
    taken: &'a [bool],
    from: usize,
    to: usize,
) -> impl Iterator<Item = usize> + 'a {
    let places = (from..to).filter(|&j| taken.get(j) == Some(&false));
    places.filter_map(|j| b.get(j).copied())
}

/// How much longer the client waited for its answer than the proxy for the server's.
fn handshake_delay(client: &Leg, server: &Leg) -> Option<i64> {
    let wait = |leg: &Leg| {
        let (asked, answered) = (leg.request()?.origin.time?, leg.response()?.origin.time?);
        Some(answered.since(asked))
    };
    Some(wait(client)?.saturating_sub(wait(server)?).max(0))
}

fn summary(handshake: Option<i64>, mut delays: Vec<i64>) -> Delays {
    delays.sort_unstable();
    // Nearest rank: the smallest value that this many of a hundred do not exceed.
    let rank = |percent: usize| {
        let at = delays.len().saturating_mul(percent).div_ceil(100);
        delays.get(at.checked_sub(1)?).copied()
    };
    Delays { handshake, p50: rank(50), p99: rank(99), max: delays.last().copied() }
}

/// How far clocks that were brought together may still disagree.
const CLOCK_SLACK: i64 = 50_000_000;
/// So often a place is changed for which of equal messages was injected: only captures made to cost time
/// have more to change, and of those a later one is named.
const SLIDES: usize = 1 << 24;

#[cfg(test)]
mod tests;
