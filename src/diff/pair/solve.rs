//! Which candidates are taken.
//!
//! Gets: scored candidates. Gives: those that nothing else disputes, until none is left
//! ([`Solved`]). Keeps: the candidates of each leg.
//!
//! A candidate is taken when it is the best of both its legs by a margin. That takes its legs out of
//! the others' candidates, so that what was disputed may be so no more. Two that stay equally good
//! are both left.

use std::collections::{HashMap, HashSet, VecDeque};

use super::MatchedBy;
use super::evidence::{ENOUGH, Edge};

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Solved {
    pub(super) taken: Vec<Edge>,
    /// Client legs that have good candidates, but no best one; and those candidates' server legs.
    pub(super) undecided: Vec<usize>,
}

impl Solved {
    pub(super) fn map_links(mut self, change: impl FnMut(&mut Edge)) -> Self {
        self.taken.iter_mut().for_each(change);
        self
    }
}

type Lists = HashMap<usize, Vec<usize>, foldhash::fast::RandomState>;

/// Of a chain of proxies only the adjacent legs are a pair: leaves out what goes over a leg between.
pub(super) fn innermost(edges: Vec<Edge>) -> Vec<Edge> {
    let good = |e: &Edge| e.score >= ENOUGH;
    let class = |e: &Edge| (e.by == MatchedBy::Key, e.equal >= CHAIN_MESSAGES);
    let mut of_client: Lists = Lists::default();
    for (at, edge) in edges.iter().enumerate().filter(|(_, e)| good(e)) {
        of_client.entry(edge.client).or_default().push(at);
    }
    let get = |at: &usize| edges.get(*at);
    let over: HashSet<(usize, usize)> = edges
        .iter()
        .filter(|e| good(e))
        .flat_map(|first| {
            let next = of_client.get(&first.server).into_iter().flatten().filter_map(get);
            next.filter_map(move |second| {
                let ((key_a, equal_a), (key_b, equal_b)) = (class(first), class(second));
                let one_kind = key_a && key_b || equal_a && equal_b;
                one_kind.then_some((first.client, second.server))
            })
        })
        .collect();
    edges.into_iter().filter(|e| !over.contains(&(e.client, e.server))).collect()
}

/// Takes the undisputed candidates of at least this score.
pub(super) fn solve(edges: Vec<Edge>, enough: i32) -> Solved {
    let mut graph = Graph::new(edges.into_iter().filter(|e| e.score >= enough).collect());
    let mut queue: VecDeque<usize> = graph.clients().into();
    let mut taken = Vec::new();
    while let Some(client) = queue.pop_front() {
        let Some(at) = graph.undisputed(client) else { continue };
        // Whoever had one of the two legs as a candidate has one fewer to choose from.
        queue.extend(graph.take(at));
        taken.push(at);
    }
    let disputed =
        graph.clients().into_iter().filter(|c| graph.alive(&graph.of_client, *c).next().is_some());
    let mut undecided: Vec<usize> = disputed.collect();
    let left = undecided.iter().flat_map(|client| graph.alive(&graph.of_client, *client));
    let wanted: Vec<usize> = left.filter_map(|at| Some(graph.edges.get(at)?.server)).collect();
    undecided.extend(wanted);
    let taken = taken.into_iter().filter_map(|at| graph.edges.get(at).cloned()).collect();
    Solved { taken, undecided }
}

struct Graph {
    edges: Vec<Edge>,
    gone: Vec<bool>,
    of_client: Lists,
    of_server: Lists,
}

impl Graph {
    fn new(edges: Vec<Edge>) -> Self {
        let (mut of_client, mut of_server) = (Lists::default(), Lists::default());
        for (at, edge) in edges.iter().enumerate() {
            of_client.entry(edge.client).or_default().push(at);
            of_server.entry(edge.server).or_default().push(at);
        }
        Self { gone: vec![false; edges.len()], edges, of_client, of_server }
    }

    /// Client legs, in order.
    fn clients(&self) -> Vec<usize> {
        let mut clients: Vec<usize> = self.of_client.keys().copied().collect();
        clients.sort_unstable();
        clients
    }

    fn alive<'a>(&'a self, lists: &'a Lists, leg: usize) -> impl Iterator<Item = usize> + 'a {
        let list = lists.get(&leg).into_iter().flatten().copied();
        list.filter(|&at| self.gone.get(at) == Some(&false))
    }

    fn edge(&self, at: usize) -> Option<&Edge> {
        self.edges.get(at)
    }

    /// The candidate of a client leg that nothing disputes, if there is one.
    fn undisputed(&self, client: usize) -> Option<usize> {
        let rank = |at: &usize| self.edge(*at).map(|e| (e.score, e.start));
        let mut list: Vec<usize> = self.alive(&self.of_client, client).collect();
        list.sort_by_key(|at| std::cmp::Reverse(rank(at)));
        let best = self.edge(*list.first()?)?.score;
        let near = |score: i32| score > best - MARGIN;
        list.retain(|&at| self.edge(at).is_some_and(|e| near(e.score)));
        // Legs that can be nobody else's are this one's retries: the last was answered.
        let retry = |&at: &usize| {
            self.edge(at).is_some_and(|e| {
                e.by == MatchedBy::Key && self.alive(&self.of_server, e.server).count() == 1
            })
        };
        if list.iter().all(retry) {
            return list.first().copied();
        }
        let forced = list.iter().copied().find(|&at| self.forced(at, &list));
        forced.or_else(|| list.iter().copied().find(|&at| self.told_by_target(at, &list)))
    }

    /// Is it the only good candidate of both its legs that asks for the same, while each of the others
    /// has one that does? Where a target was rewritten somebody's is nobody else's, and nothing is told.
    fn told_by_target(&self, at: usize, of_client: &[usize]) -> bool {
        let Some(edge) = self.edge(at).filter(|e| e.same_target && e.score >= ENOUGH) else {
            return false;
        };
        let same = |&at: &usize| self.edge(at).is_some_and(|e| e.same_target);
        let explained = |lists: &Lists, leg: usize| self.alive(lists, leg).any(|at| same(&at));
        let near = |&other: &usize| {
            other != at && self.edge(other).is_some_and(|e| e.score > edge.score - MARGIN)
        };
        let rivals = of_client.iter().copied().filter(|&other| other != at).all(|other| {
            !same(&other) && self.edge(other).is_some_and(|e| explained(&self.of_server, e.server))
        });
        rivals
            && self.alive(&self.of_server, edge.server).filter(near).all(|other| {
                !same(&other)
                    && self.edge(other).is_some_and(|e| explained(&self.of_client, e.client))
            })
    }

    /// Is it the only good candidate of one of its legs, while whoever else has the other leg as a
    /// candidate has another one as good?
    fn forced(&self, at: usize, of_client: &[usize]) -> bool {
        let Some(edge) = self.edge(at) else { return false };
        let rivals = |lists: &Lists, leg: usize, except: usize, score: i32| -> Vec<usize> {
            let good = |&other: &usize| {
                other != except && self.edge(other).is_some_and(|e| e.score > score - MARGIN)
            };
            self.alive(lists, leg).filter(good).collect()
        };
        let of_client: Vec<usize> = of_client.iter().copied().filter(|&o| o != at).collect();
        let of_server = rivals(&self.of_server, edge.server, at, edge.score);
        let elsewhere = |lists: &Lists, other: usize, leg: fn(&Edge) -> usize| {
            self.edge(other).is_some_and(|e| !rivals(lists, leg(e), other, e.score).is_empty())
        };
        match (of_client.is_empty(), of_server.is_empty()) {
            (true, true) => true,
            (false, true) => of_client.iter().all(|&o| elsewhere(&self.of_server, o, |e| e.server)),
            (true, false) => of_server.iter().all(|&o| elsewhere(&self.of_client, o, |e| e.client)),
            (false, false) => false,
        }
    }

    /// Takes a candidate; gives the client legs that lose one by it.
    fn take(&mut self, at: usize) -> Vec<usize> {
        let Some(edge) = self.edges.get(at) else { return Vec::new() };
        let (client, server) = (edge.client, edge.server);
        let mut lost: Vec<usize> = self.alive(&self.of_client, client).collect();
        lost.extend(self.alive(&self.of_server, server));
        let mut touched = Vec::new();
        for &gone in &lost {
            if let Some(slot) = self.gone.get_mut(gone) {
                *slot = true;
            }
        }
        for gone in lost {
            let Some(edge) = self.edges.get(gone) else { continue };
            touched.push(edge.client);
            let rivals = self.alive(&self.of_server, edge.server);
            touched.extend(rivals.filter_map(|at| Some(self.edges.get(at)?.client)));
        }
        touched.retain(|&c| c != client);
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

/// How much better the best must be than the next.
const MARGIN: i32 = 15;
/// Equal messages from which a leg in the middle of two is taken for one in a chain.
const CHAIN_MESSAGES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::pair::evidence::Order;

    fn edge(client: usize, server: usize, score: i32) -> Edge {
        Edge {
            client,
            server,
            score,
            by: MatchedBy::Headers,
            order: Order::Within,
            last_resort: true,
            on_known_way: true,
            same_target: false,
            equal: 0,
            start: i64::try_from(server).unwrap(),
        }
    }

    fn keyed(client: usize, server: usize) -> Edge {
        Edge { by: MatchedBy::Key, score: 130, ..edge(client, server, 0) }
    }

    fn taken(edges: Vec<Edge>) -> Vec<(usize, usize)> {
        let mut list: Vec<_> =
            solve(edges, ENOUGH).taken.iter().map(|e| (e.client, e.server)).collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn clear_best_is_taken() {
        assert_eq!(taken(vec![edge(0, 10, 90), edge(0, 11, 60)]), [(0, 10)]);
    }

    #[test]
    fn equally_good_ones_are_left() {
        let all = vec![edge(0, 10, 90), edge(0, 11, 90), edge(1, 10, 90), edge(1, 11, 90)];
        let solved = solve(all, ENOUGH);
        assert!(solved.taken.is_empty());
        assert_eq!(solved.undecided, [0, 1, 10, 11, 10, 11]);
    }

    #[test]
    fn what_is_taken_settles_the_others() {
        // 12 can only be of 2; that leaves 11 to 1, and 10 to 0.
        let all = vec![
            edge(0, 10, 90),
            edge(0, 11, 90),
            edge(1, 11, 90),
            edge(1, 12, 90),
            edge(2, 12, 130),
        ];
        assert_eq!(taken(all), [(0, 10), (1, 11), (2, 12)]);
    }

    fn asking(client: usize, server: usize) -> Edge {
        Edge { same_target: true, ..edge(client, server, 90) }
    }

    #[test]
    fn of_equally_good_ones_the_target_tells_when_it_tells_of_all() {
        let all = vec![asking(0, 10), edge(0, 11, 85), edge(1, 10, 85), asking(1, 11)];
        assert_eq!(taken(all), [(0, 10), (1, 11)]);
        // Nobody asks for what 11 asks for: somebody's target was rewritten.
        let all = vec![asking(0, 10), edge(0, 11, 85), edge(1, 10, 85), edge(1, 11, 85)];
        assert_eq!(taken(all), []);
        let all = vec![asking(0, 10), asking(0, 11), asking(1, 10), asking(1, 11)];
        assert_eq!(taken(all), []);
    }

    #[test]
    fn poor_one_is_not_taken_although_it_is_the_only_one() {
        assert_eq!(taken(vec![edge(0, 10, ENOUGH - 1)]), []);
    }

    #[test]
    fn chain_gives_adjacent_legs_only() {
        let all = innermost(vec![keyed(0, 1), keyed(0, 2), keyed(1, 2)]);
        assert_eq!(taken(all), [(0, 1), (1, 2)]);
    }

    #[test]
    fn of_retries_with_one_key_the_last_is_taken() {
        assert_eq!(taken(vec![keyed(0, 10), keyed(0, 11)]), [(0, 11)]);
    }
}
