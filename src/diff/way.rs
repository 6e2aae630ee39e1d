//! The way from client to server, through every proxy that was captured.
//!
//! Gets: a [`Report`]. Gives: which pairs make a chain, and its [`Hop`]s to be drawn.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Leg, Pair, Report};

/// A party on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// `client`, `proxy`, `server`; `nowhere` where a request was not sent on.
    pub role: &'static str,
    /// Where it listens; the client's own address.
    pub address: Option<SocketAddr>,
    /// Which connection leads to it: index in [`Report::legs`].
    pub leg: Option<usize>,
    /// The connection in words; may hold characters of a file's name.
    pub remark: String,
}

/// Which pair leads from a leg, and which to it. Made once, so that many chains cost no more than
/// their length.
#[derive(Debug, Default)]
pub struct Ways {
    /// Of each leg the pair in which it is the client leg.
    onward: Vec<Option<usize>>,
    /// Of each leg the pair in which it is the server leg.
    back: Vec<Option<usize>>,
}

impl Ways {
    /// All of a report.
    pub fn of(report: &Report) -> Self {
        let none = vec![None; report.legs.len()];
        let mut ways = Self { onward: none.clone(), back: none };
        for (at, pair) in report.pairs.iter().enumerate() {
            if let Some(slot) = ways.onward.get_mut(pair.client) {
                *slot = Some(at);
            }
            if let Some(slot) = pair.server.and_then(|leg| ways.back.get_mut(leg)) {
                *slot = Some(at);
            }
        }
        ways
    }

    /// The pair in which a leg is the client leg.
    pub fn onward(&self, leg: usize) -> Option<usize> {
        self.onward.get(leg).copied().flatten()
    }

    /// The pair in which a leg is the server leg.
    pub fn back(&self, leg: usize) -> Option<usize> {
        self.back.get(leg).copied().flatten()
    }

    /// The pairs of the chain that a leg is part of, from the client to the server, by their
    /// indices; empty when it is part of none.
    pub fn chain(&self, report: &Report, leg: usize) -> Vec<usize> {
        let pair = |at: usize| report.pairs.get(at);
        let mut first = leg;
        // Links never run in a circle; a bound costs nothing.
        for _ in 0..HOPS {
            let Some(before) = self.back(first).and_then(pair) else { break };
            first = before.client;
        }
        let mut chain = Vec::new();
        let mut next = self.onward(first);
        while let Some(at) = next.filter(|_| chain.len() < HOPS) {
            chain.push(at);
            next = pair(at).and_then(|pair| pair.server).and_then(|leg| self.onward(leg));
        }
        chain
    }

    /// The parties of some pairs that follow each other.
    pub fn hops(&self, report: &Report, chain: &[&Pair]) -> Vec<Hop> {
        let (Some(first), Some(last)) = (chain.first(), chain.last()) else { return Vec::new() };
        let Some(client) = report.leg(first.client) else { return Vec::new() };
        let mut hops = vec![Hop {
            role: if self.back(first.client).is_some() { "proxy" } else { "client" },
            address: Some(client.client),
            leg: None,
            remark: String::new(),
        }];
        let goes_on = |leg: usize| {
            let behind = self.onward(leg).and_then(|at| report.pairs.get(at));
            behind.is_some_and(|pair| pair.server.is_some())
        };
        let legs = [first.client].into_iter().chain(chain.iter().filter_map(|pair| pair.server));
        let mut at_this_end = String::new();
        for (n, at) in legs.enumerate() {
            let Some(leg) = report.leg(at) else { continue };
            let mut remark = format!("connection {}{}", leg.no, report.capture_of(leg));
            if chain.get(n).is_some_and(|pair| report.has_one_connection(pair)) {
                at_this_end = remark + " and ";
                continue;
            }
            if !at_this_end.is_empty() {
                at_this_end.push_str(&remark);
                remark = std::mem::take(&mut at_this_end);
                remark.push_str(": the same addresses, so no proxy, or a transparent one");
            } else if n > 0 {
                // Writing to a String does not fail.
                let _ = write!(remark, ", from {}", leg.client);
            }
            let end = n == chain.len() && last.server == Some(at) && !goes_on(at);
            let role = if end { "server" } else { "proxy" };
            hops.push(Hop { role, address: Some(leg.server), leg: Some(at), remark });
        }
        if last.server.is_none() {
            let remark = String::new();
            hops.push(Hop { role: "nowhere", address: None, leg: None, remark });
        }
        hops
    }
}

impl Report {
    /// Do both legs of a pair have the same addresses and ports: one TCP connection captured twice, unless
    /// a proxy lends its client's address?
    pub(crate) fn has_one_connection(&self, pair: &Pair) -> bool {
        let ends = |at: usize| self.leg(at).map(|leg| (leg.client, leg.server));
        pair.server
            .is_some_and(|server| ends(server).is_some() && ends(server) == ends(pair.client))
    }

    /// How long messages and the handshake took from leg to leg, in a sentence, if that is known.
    pub(crate) fn delay(&self, pair: &Pair) -> Option<String> {
        let by = if self.has_one_connection(pair) { "on the way" } else { "added by the proxy" };
        Some(format!("Delay {by}: {}", pair.delays.text()?))
    }

    /// ` of FILE`, where there are two.
    fn capture_of(&self, leg: &Leg) -> String {
        let name = self.captures.get(leg.capture).filter(|_| self.captures.len() > 1);
        let file = name.map(|name| name.rsplit('/').next().unwrap_or(name));
        file.map_or(String::new(), |file| format!(" of {file}"))
    }
}

impl Hop {
    /// `proxy 127.0.0.1:8080`
    pub fn name(&self) -> String {
        match self.address {
            Some(address) => format!("{} {address}", self.role),
            None => self.role.to_owned(),
        }
    }
}

/// Proxies behind one another: nobody has more.
const HOPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::testkit::*;
    use super::super::{Options, compare};
    use super::*;

    /// Two proxies behind one another, and a connection of its own.
    fn report() -> Report {
        let mut kit = Kit::new();
        let mut a = kit.open(40001, 8090, KEY, &[]);
        let mut b = kit.open(50001, 8091, KEY, &[("X-Forwarded-For", "127.0.0.1")]);
        let more = [("X-Forwarded-For", "127.0.0.1, 127.0.0.1")];
        let mut c = kit.open(60001, 8088, KEY, &more);
        for leg in [&mut c, &mut b, &mut a] {
            leg.answered(&mut kit, 101, &[]);
        }
        let mut other = kit.open(7001, 9999, "AAAAAAAAAAAAAAAAAAAAAA==", &[(":path", "/other")]);
        other.answered(&mut kit, 101, &[]);
        compare(vec![kit.collected()], &Options::default())
    }

    fn drawn(report: &Report, chain: &[&Pair]) -> Vec<String> {
        let hops = Ways::of(report).hops(report, chain);
        hops.iter().map(|hop| format!("{} {}", hop.name(), hop.remark).trim().to_owned()).collect()
    }

    #[test]
    fn a_chain_is_found_from_any_of_its_legs() {
        let report = report();
        let leg = |port: u16| report.legs.iter().position(|l| l.client.port() == port).unwrap();
        let ways = Ways::of(&report);
        let chain = |port: u16| ways.chain(&report, leg(port));
        assert_eq!(chain(40001).len(), 2);
        assert_eq!((chain(50001), chain(60001)), (chain(40001), chain(40001)));
        assert_eq!(chain(7001), [0_usize; 0]);
    }

    #[test]
    fn a_connection_captured_at_both_ends_has_no_proxy() {
        let end = |capture: usize| {
            let mut kit = Kit::side(capture);
            kit.open(40001, 80, KEY, &[]).answered(&mut kit, 101, &[]);
            kit.collected()
        };
        let report = compare(vec![end(0), end(1)], &Options::default());
        let [pair] = report.pairs.as_slice() else { panic!("{:?}", report.pairs) };
        let hops = drawn(&report, &[pair]);
        let [client, server] = hops.as_slice() else { panic!("{hops:?}") };
        assert_eq!(client, "client 127.0.0.1:40001");
        assert!(server.starts_with("server 127.0.0.1:80 connection 1 of "), "{server}");
        assert!(server.contains(" and connection 1 of "), "{server}");
        assert!(server.ends_with("no proxy, or a transparent one"), "{server}");
    }

    #[test]
    fn a_chain_is_drawn_whole_or_pair_by_pair() {
        let report = report();
        let [one, two] = report.pairs.as_slice() else { panic!("two pairs") };
        assert_eq!(
            drawn(&report, &[two, one]),
            [
                "client 127.0.0.1:40001",
                "proxy 127.0.0.1:8090 connection 3",
                "proxy 127.0.0.1:8091 connection 2, from 127.0.0.1:50001",
                "server 127.0.0.1:8088 connection 1, from 127.0.0.1:60001",
            ]
        );
        assert_eq!(
            drawn(&report, &[one]),
            [
                "proxy 127.0.0.1:50001",
                "proxy 127.0.0.1:8091 connection 2",
                "server 127.0.0.1:8088 connection 1, from 127.0.0.1:60001",
            ]
        );
    }
}
