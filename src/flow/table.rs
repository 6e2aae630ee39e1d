//! The connections that are open, and which of them a segment belongs to.

use std::hash::BuildHasher;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::closed::{CLOSED_NS, Closed};
use super::connection::{Flow, Kept, Phase, idle};
use super::key::FlowKey;
use super::{Finish, FlowInfo, Handler, Shed};
use crate::limits::Limits;
use crate::packet::{Segment, TcpFlags};
use crate::units::{FlowId, Origin, PacketNo, StreamNo, Timestamp};

/// Parts of the table, by a number made of the key alone. Budgets hold for each part, so what is
/// dropped does not depend on how the parts are spread over threads.
pub(crate) const PARTS: usize = 16;

/// Bytes above which one connection's share of the memory is more than its due.
const HEAVY: usize = 1 << 20;

/// Packet time after which a part looks for idle connections again.
const SWEEP_NS: i64 = 10_000_000_000;

/// Puts the segments of all connections in order.
#[derive(Debug)]
pub struct Table<H: Handler> {
    parts: Vec<Part<H::State>>,
    limits: Limits,
    streams: u64,
    /// The part of the segment pushed last.
    turn: usize,
}

/// Connections of the same [`FlowKey::spread`]. Nothing that happens in one part depends on another.
#[derive(Debug)]
pub(crate) struct Part<T> {
    /// Places by the key found there: 4 bytes each, so that the index stays in the cache.
    index: HashTable<Place>,
    hasher: RandomState,
    flows: Vec<Option<Flow<T>>>,
    free: Vec<u32>,
    closed: Closed,
    /// What the connections weigh together.
    weight: usize,
    /// The last segment's connection: most segments are followed by one of the same.
    last: Option<(FlowKey, Place)>,
    /// The connection of the segment pushed last.
    current: Option<Place>,
    swept: Option<Timestamp>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::default(),
            flows: Vec::new(),
            free: Vec::new(),
            closed: Closed::default(),
            weight: 0,
            last: None,
            current: None,
            swept: None,
        }
    }
}

/// Where a connection is kept: in `flows`, or, with the highest bit set, in `closed` by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u32);

impl Place {
    const CLOSED: u32 = 1 << 31;

    /// The number of a closed one.
    const fn closed(self) -> Option<u32> {
        if self.0 & Self::CLOSED == 0 { None } else { Some(self.0 & !Self::CLOSED) }
    }
}

impl<H: Handler> Table<H> {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect(), limits, streams: 0, turn: 0 }
    }

    /// TCP connections seen so far.
    pub const fn streams(&self) -> u64 {
        self.streams
    }

    /// The connection of the segment pushed last.
    pub fn current(&self) -> Option<FlowId> {
        self.parts.get(self.turn)?.current()
    }

    /// Takes the next segment of the capture.
    pub fn push(&mut self, segment: &Segment<'_>, handler: &mut H) -> ControlFlow<()> {
        let (key, src_first) = FlowKey::new(&segment.src, &segment.dst);
        let turn = key.spread(PARTS);
        if turn != self.turn {
            self.turn = turn;
            handler.turn(turn);
        }
        let Some(part) = self.parts.get_mut(turn) else { return ControlFlow::Continue(()) };
        let streams = &mut self.streams;
        part.push(segment, (key, src_first), &self.limits, handler, |_, _| {
            let stream = StreamNo(*streams);
            *streams += 1;
            stream
        })
    }

    /// Shows each open connection to `look`, without a packet.
    pub fn visit(
        &mut self,
        mut look: impl FnMut(&FlowInfo, &mut H::State) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.parts.iter_mut().try_for_each(|part| part.visit(&mut look))
    }

    /// The capture is over: flushes every connection, in the order of their first packets.
    pub fn finish(&mut self, origin: Origin, handler: &mut H) -> ControlFlow<()> {
        let parts = self.parts.iter().enumerate();
        let mut open: Vec<(FlowId, usize, u32)> = parts
            .flat_map(|(turn, part)| part.open().map(move |(id, at)| (id, turn, at)))
            .collect();
        open.sort_unstable();
        open.into_iter().try_for_each(|(_, turn, at)| match self.parts.get_mut(turn) {
            Some(part) => part.finish(at, origin, handler),
            None => ControlFlow::Continue(()),
        })
    }
}

impl<T: Default> Part<T> {
    /// Takes the next segment of those that have its [`FlowKey`] spread to this part. A connection that
    /// begins is given the number that `number` says; it is told the handler, and the place of the
    /// connection, which no other has while it is open.
    pub(crate) fn push<H: Handler<State = T>>(
        &mut self,
        segment: &Segment<'_>,
        (key, src_first): (FlowKey, bool),
        limits: &Limits,
        handler: &mut H,
        number: impl FnOnce(&mut H, u32) -> StreamNo,
    ) -> ControlFlow<()> {
        self.sweep(segment.origin, limits, handler)?;
        let found = match self.last {
            Some((last, place)) if last == key => Some(place),
            _ => self.find(&key),
        };
        let at = match found {
            Some(place) if !self.is_reused(place, segment, src_first) => match place.closed() {
                None => place.0,
                Some(no) => {
                    self.closed.touch(no, segment.origin);
                    self.last = Some((key, place));
                    self.current = Some(place);
                    return self.keep_within(None, segment.origin, limits, handler);
                }
            },
            found => {
                if let Some(place) = found {
                    self.remove(place, Finish::Reused, segment.origin, handler)?;
                }
                let stream = number(handler, self.next_place());
                self.insert(Flow::new(segment, key, src_first, stream, handler.compares()))
            }
        };
        self.last = Some((key, Place(at)));
        self.current = Some(Place(at));
        let Some(flow) = self.flows.get_mut(at as usize).and_then(Option::as_mut) else {
            return ControlFlow::Continue(());
        };
        let was = flow.phase;
        let kept = flow.push(segment, src_first, limits, handler)?;
        if flow.phase == Phase::Closed {
            self.retire(at);
            return self.keep_within(None, segment.origin, limits, handler);
        }
        if kept == Kept::Other || flow.phase != was {
            flow.weigh(&mut self.weight, handler);
        }
        self.keep_within(Some(at), segment.origin, limits, handler)
    }

    /// The connection of the segment pushed last.
    pub(crate) fn current(&self) -> Option<FlowId> {
        let place = self.current?;
        match place.closed() {
            Some(no) => self.closed.get(no).map(|husk| husk.id),
            None => self.flows.get(place.0 as usize)?.as_ref().map(|flow| flow.info.id),
        }
    }

    /// The connections that are open: who they are, and their places.
    pub(crate) fn open(&self) -> impl Iterator<Item = (FlowId, u32)> + '_ {
        let flows = (0u32..).zip(&self.flows);
        flows.filter_map(|(at, flow)| {
            let flow = flow.as_ref().filter(|flow| flow.phase == Phase::Open)?;
            Some((flow.info.id, at))
        })
    }

    fn visit(
        &mut self,
        look: &mut impl FnMut(&FlowInfo, &mut T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let flows = self.flows.iter_mut().flatten();
        flows.filter(|flow| flow.phase == Phase::Open).try_for_each(|flow| flow.visit(look))
    }

    /// The capture is over: flushes the connection at this place.
    pub(crate) fn finish<H: Handler<State = T>>(
        &mut self,
        at: u32,
        origin: Origin,
        handler: &mut H,
    ) -> ControlFlow<()> {
        match self.flow(at) {
            Some(flow) => flow.finish(Finish::CaptureEnd, origin, handler),
            None => ControlFlow::Continue(()),
        }
    }

    fn flow(&mut self, at: u32) -> Option<&mut Flow<T>> {
        self.flows.get_mut(at as usize)?.as_mut()
    }

    fn find(&self, key: &FlowKey) -> Option<Place> {
        let is_it = |place: &Place| key_at(&self.flows, &self.closed, *place) == Some(key);
        self.index.find(self.hasher.hash_one(key), is_it).copied()
    }

    /// Does this segment begin another connection than the one that is there?
    #[inline]
    fn is_reused(&self, place: Place, segment: &Segment<'_>, src_first: bool) -> bool {
        if !segment.flags.has(TcpFlags::SYN) || segment.flags.has(TcpFlags::RST) {
            return false;
        }
        if let Some(no) = place.closed() {
            return self.closed.get(no).is_some_and(|husk| husk.is_reused_by(segment, src_first));
        }
        let flow = self.flows.get(place.0 as usize).and_then(Option::as_ref);
        flow.is_some_and(|flow| flow.is_reused_by(segment, src_first))
    }

    /// A connection was closed: what little must be known of it is kept a while, to absorb what still
    /// comes of it.
    fn retire(&mut self, at: u32) {
        let Some(slot) = self.flows.get_mut(at as usize) else { return };
        let Some(flow) = slot else { return };
        let husk = flow.husk();
        self.weight = self.weight.saturating_sub(flow.weight());
        *slot = None;
        self.free.push(at);
        let key = husk.key;
        let (no, oldest) = self.closed.push(husk);
        let place = Place(no | Place::CLOSED);
        let hash = self.hasher.hash_one(key);
        if let Some(entry) = self.index.find_mut(hash, |other| *other == Place(at)) {
            *entry = place;
        }
        self.last = Some((key, place));
        self.current = self.last.map(|(_, place)| place);
        if let Some((no, husk)) = oldest {
            self.unlist(&husk.key, Place(no | Place::CLOSED));
        }
    }

    /// Takes a place out of the index.
    fn unlist(&mut self, key: &FlowKey, place: Place) {
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        if self.last.is_some_and(|(_, last)| last == place) {
            self.last = None;
        }
    }

    /// Where the next connection will stand.
    fn next_place(&self) -> u32 {
        self.free
            .last()
            .copied()
            .unwrap_or_else(|| u32::try_from(self.flows.len()).unwrap_or(u32::MAX))
    }

    fn insert(&mut self, flow: Flow<T>) -> u32 {
        let (key, at) = (flow.key, self.next_place());
        match self.free.pop() {
            Some(free) => {
                if let Some(slot) = self.flows.get_mut(free as usize) {
                    *slot = Some(flow);
                }
            }
            None => self.flows.push(Some(flow)),
        }
        let Self { index, hasher, flows, closed, .. } = self;
        index.insert_unique(hasher.hash_one(key), Place(at), |place| {
            key_at(flows, closed, *place).map_or(0, |key| hasher.hash_one(key))
        });
        at
    }

    fn remove<H: Handler<State = T>>(
        &mut self,
        place: Place,
        why: Finish,
        origin: Origin,
        handler: &mut H,
    ) -> ControlFlow<()> {
        if let Some(no) = place.closed() {
            if let Some(husk) = self.closed.take(no) {
                self.unlist(&husk.key, place);
            }
            return ControlFlow::Continue(());
        }
        let Some(mut flow) = self.flows.get_mut(place.0 as usize).and_then(Option::take) else {
            return ControlFlow::Continue(());
        };
        self.free.push(place.0);
        self.unlist(&flow.key, place);
        self.weight = self.weight.saturating_sub(flow.weight());
        flow.finish(why, origin, handler)
    }

    /// Brings the sum of weights up to date with this connection's.
    #[inline]
    fn weigh<H: Handler<State = T>>(&mut self, at: u32, handler: &H) {
        if let Some(flow) = self.flows.get_mut(at as usize).and_then(Option::as_mut) {
            flow.weigh(&mut self.weight, handler);
        }
    }

    /// What the connections weigh together, without this one: its own limits bound that.
    #[inline]
    fn weight_beside(&self, at: Option<u32>) -> usize {
        let flow = at.and_then(|at| self.flows.get(at as usize)?.as_ref());
        self.weight.saturating_sub(flow.map_or(0, Flow::weight))
    }

    /// Gives back memory where the connections weigh more than they may, beside this one.
    #[inline]
    fn keep_within<H: Handler<State = T>>(
        &mut self,
        keep: Option<u32>,
        now: Origin,
        limits: &Limits,
        handler: &mut H,
    ) -> ControlFlow<()> {
        let budget = limits.kept_bytes / PARTS;
        if self.weight > budget && self.weight_beside(keep) > budget {
            return self.shed(keep, now, limits, handler);
        }
        ControlFlow::Continue(())
    }

    /// Gives back a quarter of the budget: from heavy connections first, as one of them makes room for
    /// many, and from the longest idle ones first.
    #[cold]
    fn shed<H: Handler<State = T>>(
        &mut self,
        keep: Option<u32>,
        now: Origin,
        limits: &Limits,
        handler: &mut H,
    ) -> ControlFlow<()> {
        let budget = limits.kept_bytes / PARTS;
        let enough = budget / 4 * 3;
        // What costs nothing but time is given back first; loss is only worth it where that does not
        // make room for long.
        let dire = budget / 16 * 15;
        let mut by_age: Vec<(bool, PacketNo, u32)> = (0u32..)
            .zip(&self.flows)
            .filter_map(|(at, flow)| Some((flow.as_ref().filter(|f| f.weight() > 0)?, at)))
            .map(|(flow, at)| (flow.weight() < HEAVY, flow.last.packet, at))
            .filter(|(.., at)| Some(*at) != keep)
            .collect();
        by_age.sort_unstable();
        for what in [Shed::Spare, Shed::All] {
            if what == Shed::All && self.weight_beside(keep) <= dire {
                break;
            }
            for &(.., at) in &by_age {
                if self.weight_beside(keep) <= enough {
                    return ControlFlow::Continue(());
                }
                if let Some(flow) = self.flow(at) {
                    flow.shed(what, now, handler)?;
                }
                self.weigh(at, handler);
            }
        }
        ControlFlow::Continue(())
    }

    /// Drops connections that were idle too long, and the longest idle ones when there are too many.
    #[inline]
    fn sweep<H: Handler<State = T>>(
        &mut self,
        now: Origin,
        limits: &Limits,
        handler: &mut H,
    ) -> ControlFlow<()> {
        let crowded = self.index.len() > limits.flows / PARTS;
        let due = match (self.swept, now.time) {
            (Some(swept), Some(time)) => time.since(swept) > SWEEP_NS,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if !crowded && !due {
            return ControlFlow::Continue(());
        }
        self.sweep_now(now, limits, handler)
    }

    #[cold]
    fn sweep_now<H: Handler<State = T>>(
        &mut self,
        now: Origin,
        limits: &Limits,
        handler: &mut H,
    ) -> ControlFlow<()> {
        self.swept = now.time.or(self.swept);
        let mut doomed: Vec<(FlowId, Place)> = Vec::new();
        for (at, flow) in (0u32..).zip(&self.flows) {
            if let Some(flow) = flow
                && flow.idle_too_long(now, limits)
            {
                doomed.push((flow.info.id, Place(at)));
            }
        }
        for (no, husk) in self.closed.iter() {
            if idle(husk.last, now).is_some_and(|idle| idle > CLOSED_NS) {
                doomed.push((husk.id, Place(no | Place::CLOSED)));
            }
        }
        if self.index.len() - doomed.len() > limits.flows / PARTS {
            // A quarter at once, so that the search for the longest idle ones is rare.
            let flows = (0u32..).zip(&self.flows).filter_map(|(at, flow)| {
                flow.as_ref().map(|flow| (flow.last, flow.info.id, Place(at)))
            });
            let closed = self.closed.iter();
            let closed = closed.map(|(no, husk)| (husk.last, husk.id, Place(no | Place::CLOSED)));
            let mut by_age: Vec<(Origin, FlowId, Place)> = flows.chain(closed).collect();
            by_age.sort_unstable_by_key(|(last, ..)| last.packet);
            let quarter = by_age.len() / 4;
            doomed =
                by_age.into_iter().take(quarter.max(1)).map(|(_, id, place)| (id, place)).collect();
        }
        doomed.sort_unstable();
        doomed
            .into_iter()
            .try_for_each(|(_, place)| self.remove(place, Finish::Evicted, now, handler))
    }
}

/// The key of the connection at a place.
#[inline]
fn key_at<'a, T>(
    flows: &'a [Option<Flow<T>>],
    closed: &'a Closed,
    place: Place,
) -> Option<&'a FlowKey> {
    match place.closed() {
        Some(no) => closed.get(no).map(|husk| &husk.key),
        None => flows.get(place.0 as usize)?.as_ref().map(|flow| &flow.key),
    }
}
