//! Which way requests flow between addresses.
//!
//! Gets: all candidates. Gives: whether one goes with the others of the same addresses.
//!
//! Where many connections are open at once, some seem to lie within others by accident. But a proxy
//! at one address that sends to another does so for all its clients, and the other does not send back.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::MatchedBy;
use super::evidence::{ENOUGH, Edge};
use super::facts::Facts;

/// An address that is connected to, in one capture.
type Listener = (usize, SocketAddr);
type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What all candidates together say.
#[derive(Debug)]
pub(super) struct Stream {
    listeners: Vec<Listener>,
    /// Connections to each.
    legs: Map<Listener, usize>,
    /// Client legs of good candidates from one to another.
    support: Map<(Listener, Listener), usize>,
    /// What was paired already.
    sure: HashSet<(Listener, Listener)>,
    /// From where each is reached.
    sources: Map<Listener, Vec<Listener>>,
}

impl Stream {
    pub(super) fn of(
        facts: &[Facts<'_>],
        edges: &[Edge],
        links: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let listeners: Vec<Listener> =
            facts.iter().map(|f| (f.leg.capture, f.leg.server)).collect();
        let mut legs: Map<Listener, usize> = Map::default();
        for listener in &listeners {
            *legs.entry(*listener).or_default() += 1;
        }
        let at = |leg: usize| listeners.get(leg).copied();
        let mut clients: Map<(Listener, Listener), HashSet<usize>> = Map::default();
        for edge in edges.iter().filter(|e| e.score >= ENOUGH) {
            if let Some(way) = at(edge.client).zip(at(edge.server)) {
                clients.entry(way).or_default().insert(edge.client);
            }
        }
        let sure: HashSet<(Listener, Listener)> =
            links.filter_map(|(client, server)| at(client).zip(at(server))).collect();
        let mut sources: Map<Listener, Vec<Listener>> = Map::default();
        for &(from, to) in clients.keys().chain(&sure) {
            let list = sources.entry(to).or_default();
            if list.len() < SOURCES && !list.contains(&from) {
                list.push(from);
            }
        }
        let support = clients.into_iter().map(|(way, clients)| (way, clients.len())).collect();
        Self { listeners, legs, support, sure, sources }
    }

    /// Does the candidate go with the stream?
    pub(super) fn carries(&self, edge: &Edge) -> bool {
        let at = |leg: usize| self.listeners.get(leg).copied();
        let Some((from, to)) = at(edge.client).zip(at(edge.server)) else { return true };
        if self.weight((from, to)) < self.weight((to, from)) {
            return false;
        }
        edge.by == MatchedBy::Key || !self.siblings(from, to)
    }

    fn weight(&self, way: (Listener, Listener)) -> usize {
        let sure = if self.sure.contains(&way) { usize::MAX / 2 } else { 0 };
        sure + self.support.get(&way).copied().unwrap_or(0)
    }

    /// Are they two upstreams of one proxy, that has as many connections as both together? In a chain
    /// each of the three has the same number.
    fn siblings(&self, one: Listener, two: Listener) -> bool {
        let count = |listener: &Listener| self.legs.get(listener).copied().unwrap_or(0);
        let both = count(&one) + count(&two);
        let (Some(of_one), Some(of_two)) = (self.sources.get(&one), self.sources.get(&two)) else {
            return false;
        };
        let mut shared = of_one.iter().filter(|l| **l != two && of_two.contains(l));
        shared.any(|proxy| *proxy != one && count(proxy) >= both)
    }
}

/// Addresses remembered from which another is reached.
const SOURCES: usize = 64;
