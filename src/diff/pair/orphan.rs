//! Legs without a partner, and why.
//!
//! Gets: what was paired. Gives: links without a server leg, for requests that a proxy plainly did
//! not send on, and [`Unpaired`] for the rest.

use std::collections::HashSet;

use super::evidence::Judge;
use super::facts::Facts;
use super::{Axis, CANDIDATES, Link, MatchedBy};
use crate::diff::Unpaired;
use crate::diff::heads::{is_gateway, unanswered};

/// Says of every leg in no pair why, and adds links for requests that were not forwarded.
pub(super) fn find(
    judge: &Judge<'_>,
    links: &mut Vec<Link>,
    from: &HashSet<usize>,
    to: &HashSet<usize>,
    undecided: &HashSet<usize>,
) -> Vec<Unpaired> {
    let listener = |leg: usize| judge.facts.get(leg).map(|f| (f.leg.capture, f.leg.server));
    let proxies: HashSet<_> = from.iter().filter_map(|&leg| listener(leg)).collect();
    let two_sides = !matches!(judge.axis, Axis::Packets);
    let paired_keys: HashSet<&[u8]> =
        from.iter().chain(to).filter_map(|&leg| judge.facts.get(leg)?.key).collect();
    let doubtful = doubtful(judge, from, to);
    // A capture with holes may lack the server leg too: then only the status tells.
    let lossy = judge.facts.iter().any(|f| {
        let gaps = &f.leg.gaps;
        !gaps.to_server.is_empty() || !gaps.to_client.is_empty()
    });
    let mut unpaired = Vec::new();
    for (at, facts) in judge.facts.iter().enumerate() {
        if from.contains(&at) {
            continue;
        }
        let known_proxy = listener(at).is_some_and(|l| proxies.contains(&l));
        let client_side = two_sides && facts.leg.capture == 0;
        let end_of_chain = to.contains(&at);
        // The last leg of a chain ends at a server, which may refuse as it likes.
        if !end_of_chain && facts.key.is_some_and(|key| paired_keys.contains(key)) {
            let why = "its Sec-WebSocket-Key is that of a pair: another attempt of the proxy, whose \
                       answer was not the one passed on, or a client that repeats its key.";
            unpaired.push(Unpaired { leg: at, why: why.to_owned() });
            continue;
        }
        let evidence = if end_of_chain {
            (known_proxy && !lossy).then_some("others that came to the same address were sent on")
        } else {
            proxy_answered(facts, known_proxy, client_side)
                .filter(|_| !lossy || upstream_failed(facts))
        };
        let refused = facts.leg.request().is_some()
            && facts.status.map_or_else(|| unanswered(facts.leg), |status| status != 101);
        match evidence {
            Some(_) if refused && doubtful.contains(&at) => {
                let why = "another connection without a partner may be its other leg.";
                unpaired.push(Unpaired { leg: at, why: why.to_owned() });
            }
            Some(why) if refused => {
                links.push(Link {
                    client: at,
                    server: None,
                    by: MatchedBy::Time,
                    why: why.to_owned(),
                });
            }
            _ if end_of_chain => {}
            _ => unpaired
                .push(Unpaired { leg: at, why: reason(facts, undecided.contains(&at), two_sides) }),
        }
    }
    unpaired
}

/// Refused requests and the free legs that may carry them on, so that neither is called the end.
fn doubtful(judge: &Judge<'_>, from: &HashSet<usize>, to: &HashSet<usize>) -> HashSet<usize> {
    let legs = judge.facts.iter().enumerate();
    let free = legs.filter(|(at, _)| !from.contains(at) && !to.contains(at));
    let mut starts: Vec<(i64, usize)> =
        free.filter_map(|(at, facts)| Some((judge.axis.start(facts)?, at))).collect();
    starts.sort_unstable();
    let mut doubtful = HashSet::new();
    for &(start, client) in &starts {
        if judge.facts.get(client).is_some_and(|f| f.status == Some(101)) {
            continue;
        }
        let earliest = start.saturating_sub(judge.axis.slack());
        let first = starts.partition_point(|&(at, _)| at < earliest);
        for &(_, server) in starts.iter().skip(first).take(CANDIDATES) {
            if judge.edge(client, server).is_some_and(|edge| edge.on_known_way) {
                doubtful.extend([client, server]);
            }
        }
    }
    doubtful
}

/// What tells that a proxy got this request and did not send it on.
fn proxy_answered(facts: &Facts<'_>, known: bool, client_side: bool) -> Option<&'static str> {
    if known {
        return Some("others that came to the same address were sent on");
    }
    if client_side {
        return Some("it is on the client side only");
    }
    let response = facts.leg.response()?;
    if upstream_failed(facts) {
        return Some("the status is what gateways answer when their upstream fails");
    }
    if response.fields.first("via").is_some() {
        return Some("the answer has a Via");
    }
    let server = response.fields.first("server")?;
    is_gateway(server).then_some("the answer is signed by a gateway")
}

/// RFC 9110 sections 15.6.3 to 15.6.5: what a gateway says when its upstream fails.
fn upstream_failed(facts: &Facts<'_>) -> bool {
    matches!(facts.status, Some(502..=504))
}

fn reason(facts: &Facts<'_>, disputed: bool, two_sides: bool) -> String {
    if disputed {
        return "several connections fit equally well: the heads, the messages and the times do not \
                tell which."
            .to_owned();
    }
    if two_sides {
        let other = if facts.leg.capture == 0 { "server" } else { "client" };
        return format!("no connection on the {other} side fits.");
    }
    match facts.status {
        Some(101) => "no other connection has its key, a like head or its messages.",
        _ => "no other connection carries its request, and nothing shows that a proxy answered it.",
    }
    .to_owned()
}
