//! Which connection is which leg.
//!
//! Gets: all legs of one capture, or of a client-side and a server-side capture. Gives: [`Link`]s from
//! client leg to server leg, and why the rest have none. Keeps: at most [`CANDIDATES`] candidates per
//! leg and index, so the cost grows with the number of legs and not with its square.
//!
//! Evidence is gathered for candidates that share a key, a head, a message, or a time
//! ([`evidence`]); the links that no other candidate disputes are taken, which settles others, and so
//! on ([`solve`]). What stays disputed is not paired: a wrong pair is worse than none.

mod clock;
mod evidence;
mod facts;
mod orphan;
mod solve;
mod stream;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::Unpaired;
use super::collect::Leg;

use clock::Axis;
pub use clock::ClockOffset;
use evidence::{Edge, Judge, Order};
use facts::Facts;

/// What evidence tells that two legs belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    /// The same `Sec-WebSocket-Key`.
    Key,
    /// Request heads that are alike, or name the client.
    Headers,
    /// The same messages in the same order.
    Payload,
    /// One handshake within the other and no other candidate.
    Time,
    /// Nothing but somebody's word ([`super::compare_chosen`]).
    Chosen,
}

impl MatchedBy {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Headers => "headers",
            Self::Payload => "payload",
            Self::Time => "time",
            Self::Chosen => "chosen",
        }
    }
}

/// A client leg and its server leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) server: Option<usize>,
    pub(super) by: MatchedBy,
    pub(super) why: String,
}

/// What pairing found.
#[derive(Debug)]
pub(super) struct Matching {
    pub(super) links: Vec<Link>,
    pub(super) unpaired: Vec<Unpaired>,
    pub(super) clock: Option<ClockOffset>,
}

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Pairs the legs of so many captures.
pub(super) fn pair(legs: &[Leg], captures: usize) -> Matching {
    let facts: Vec<Facts<'_>> = legs.iter().map(Facts::of).collect();
    let axis = Axis::of(&facts, captures);
    let judge = Judge { facts: &facts, axis: &axis };
    let mut state = State {
        judge: &judge,
        links: Vec::new(),
        from: HashSet::new(),
        to: HashSet::new(),
        undecided: HashSet::new(),
        hasty: HashSet::new(),
    };
    // A key is 16 random bytes: where it survives nothing else is asked.
    let index = Index::of(&judge);
    let keyed = state.keyed(&index);
    let keyed = solve::solve(solve::innermost(state.directed(keyed)), evidence::ENOUGH);
    state.take(keyed);
    let alike = state.alike(&index);
    let alike = solve::innermost(state.patient(state.directed(alike)));
    let alike = solve::solve(alike, evidence::ENOUGH);
    state.take(alike);
    let rest = state.alike(&index);
    let mut rest = state.for_want_of_others(rest);
    // What nothing tells apart is not told by leaving out those of less score.
    rest.retain(|edge| [edge.client, edge.server].iter().all(|leg| !state.undecided.contains(leg)));
    let rest = solve::solve(state.directed(rest), i32::MIN);
    state.take(rest.map_links(|edge| edge.by = MatchedBy::Time));
    let State { mut links, from, to, undecided, .. } = state;
    let unpaired = orphan::find(&judge, &mut links, &from, &to, &undecided);
    links.sort_by_key(|link| (link.client, link.server));
    Matching { links, unpaired, clock: axis.clock() }
}

struct State<'a> {
    judge: &'a Judge<'a>,
    links: Vec<Link>,
    /// Legs that are a client leg, and legs that are a server leg.
    from: HashSet<usize>,
    to: HashSet<usize>,
    /// Legs that fit several others equally well.
    undecided: HashSet<usize>,
    /// Addresses of proxies that answered a client before their upstream answered.
    hasty: HashSet<Option<(usize, SocketAddr)>>,
}

impl State<'_> {
    fn keyed(&self, index: &Index<'_>) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (c, facts) in self.judge.facts.iter().enumerate() {
            let Some(list) = facts.key.and_then(|key| index.key.get(key)) else { continue };
            let near = self.after(list, c, i64::MAX);
            edges.extend(near.filter_map(|s| self.judge.edge(c, s)));
        }
        edges
    }

    /// Candidates among the legs that are still free, by what they have in common.
    fn alike(&self, index: &Index<'_>) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut near: Vec<usize> = Vec::new();
        for (c, facts) in self.judge.facts.iter().enumerate() {
            if self.from.contains(&c) {
                continue;
            }
            near.clear();
            for mark in &facts.marks {
                if let Some(list) = index.marks.get(mark) {
                    near.extend(self.after(list, c, i64::MAX));
                    near.extend(self.unseen_before(list, c));
                }
            }
            near.extend(self.unseen_before(&index.starts, c));
            let until = self.judge.axis.window(facts);
            near.extend(self.after(&index.starts, c, until));
            near.sort_unstable();
            near.dedup();
            let free = near.iter().filter(|s| !self.to.contains(s));
            edges.extend(free.filter_map(|&s| self.judge.edge(c, s)));
        }
        edges
    }

    /// The first candidates of a list that start no earlier than a leg.
    fn after<'l>(
        &'l self,
        list: &'l [(i64, usize)],
        c: usize,
        until: i64,
    ) -> impl Iterator<Item = usize> + 'l {
        let from = self.judge.facts.get(c).and_then(|f| self.judge.axis.start(f));
        let from = from.unwrap_or(i64::MAX).saturating_sub(self.judge.axis.slack());
        let begin = list.partition_point(|&(at, _)| at < from);
        let rest = list.get(begin..).unwrap_or_default();
        rest.iter().take_while(move |&&(at, _)| at <= until).map(|&(_, s)| s).take(CANDIDATES)
    }

    /// The last candidates of a list that start before a leg was first seen, if it may be older.
    fn unseen_before<'l>(
        &self,
        list: &'l [(i64, usize)],
        c: usize,
    ) -> impl Iterator<Item = usize> + 'l {
        let unseen = self.judge.facts.get(c).filter(|f| !f.start_seen);
        let seen = unseen.and_then(|f| self.judge.axis.start(f)).unwrap_or(i64::MIN);
        let before = list.partition_point(|&(at, _)| at < seen);
        let earlier = list.get(..before).unwrap_or_default();
        earlier.iter().rev().map(|&(_, s)| s).take(CANDIDATES)
    }

    /// Leaves out candidates in which the proxy would have answered its client before its upstream
    /// answered, unless it did so for another: what it does for one it does for all.
    fn patient(&self, edges: Vec<Edge>) -> Vec<Edge> {
        let good = || edges.iter().filter(|e| e.score >= evidence::ENOUGH);
        let waits: HashSet<usize> =
            good().filter(|e| e.order == Order::Within).map(|e| e.client).collect();
        let hasty = good().filter(|e| !waits.contains(&e.client)).map(|e| self.listener(e.client));
        let hasty: HashSet<_> = hasty.collect();
        let fits = |e: &Edge| e.order == Order::Within || hasty.contains(&self.listener(e.client));
        edges.into_iter().filter(fits).collect()
    }

    /// Candidates that may be taken for want of others: what nothing speaks against, and with less to
    /// speak for it what goes the way that others were paired on.
    fn for_want_of_others(&self, edges: Vec<Edge>) -> Vec<Edge> {
        let way = |client: usize, server: usize| (self.listener(client), self.listener(server));
        let links = self.links.iter().filter_map(|link| Some(way(link.client, link.server?)));
        let ways: HashSet<_> = links.collect();
        let fits = |edge: &Edge| {
            let known = edge.on_known_way
                && ways.contains(&way(edge.client, edge.server))
                && (edge.order == Order::Within
                    || self.hasty.contains(&self.listener(edge.client)));
            let enough = evidence::LAST_RESORT - if known { evidence::KNOWN_WAY } else { 0 };
            (known || edge.last_resort) && edge.score >= enough
        };
        edges.into_iter().filter(fits).collect()
    }

    fn listener(&self, leg: usize) -> Option<(usize, SocketAddr)> {
        self.judge.facts.get(leg).map(|f| (f.leg.capture, f.leg.server))
    }

    /// Leaves out candidates that the others of the same addresses speak against.
    fn directed(&self, edges: Vec<Edge>) -> Vec<Edge> {
        let links = self.links.iter().filter_map(|link| Some((link.client, link.server?)));
        let stream = stream::Stream::of(self.judge.facts, &edges, links);
        edges.into_iter().filter(|edge| stream.carries(edge)).collect()
    }

    /// Takes what was solved, and remembers what was not.
    fn take(&mut self, solved: solve::Solved) {
        for edge in solved.taken {
            let why = self.judge.why(&edge);
            if edge.order == Order::Behind {
                self.hasty.insert(self.listener(edge.client));
            }
            self.from.insert(edge.client);
            self.to.insert(edge.server);
            self.links.push(Link {
                client: edge.client,
                server: Some(edge.server),
                by: edge.by,
                why,
            });
        }
        self.undecided.extend(solved.undecided);
    }
}

/// Legs by what they may have in common with others, each list in the order of their starts.
struct Index<'a> {
    key: Map<&'a [u8], Vec<(i64, usize)>>,
    marks: Map<u64, Vec<(i64, usize)>>,
    starts: Vec<(i64, usize)>,
}

impl<'a> Index<'a> {
    fn of(judge: &Judge<'a>) -> Self {
        let mut starts: Vec<(i64, usize)> = Vec::new();
        for (at, facts) in judge.facts.iter().enumerate() {
            starts.extend(judge.axis.start(facts).map(|start| (start, at)));
        }
        starts.sort_unstable();
        let mut key: Map<&'a [u8], Vec<(i64, usize)>> = Map::default();
        let mut marks: Map<u64, Vec<(i64, usize)>> = Map::default();
        for &(start, at) in &starts {
            let Some(facts) = judge.facts.get(at) else { continue };
            if let Some(bytes) = facts.key {
                key.entry(bytes).or_default().push((start, at));
            }
            for &mark in &facts.marks {
                marks.entry(mark).or_default().push((start, at));
            }
        }
        Self { key, marks, starts }
    }
}

/// Candidates looked at per leg and index: more connections than this seldom start within one
/// handshake, and those that share a key are few.
const CANDIDATES: usize = 64;

#[cfg(test)]
mod tests;
