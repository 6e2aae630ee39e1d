//! Legs without a partner, and why.
//!
//! Gets: what was paired. Gives: links without a server leg, for requests that a proxy plainly did
//! not send on, and [`Unpaired`] for the rest.

use std::collections::HashSet;

use super::evidence::Judge;
use super::facts::Facts;
use super::{Axis, Link, MatchedBy};
use crate::diff::Unpaired;
use crate::diff::heads::is_gateway;

/// Says of every leg in no pair why, and adds links for requests that were not forwarded.
pub(super) fn find(
    judge: &Judge<'_>,
    links: &mut Vec<Link>,
    from: &HashSet<usize>,
    to: &HashSet<usize>,
    disputed: &[usize],
) -> Vec<Unpaired> {
    let listener = |leg: usize| judge.facts.get(leg).map(|f| (f.leg.capture, f.leg.server));
    let proxies: HashSet<_> = from.iter().filter_map(|&leg| listener(leg)).collect();
    let disputed: HashSet<usize> = disputed.iter().copied().collect();
    let two_sides = !matches!(judge.axis, Axis::Packets);
    let paired_keys: HashSet<&[u8]> =
        from.iter().chain(to).filter_map(|&leg| judge.facts.get(leg)?.key).collect();
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
            known_proxy.then_some("others that came to the same address were sent on")
        } else {
            proxy_answered(facts, known_proxy, client_side)
        };
        match evidence {
            Some(why) if facts.status != Some(101) && facts.leg.request().is_some() => {
                links.push(Link {
                    client: at,
                    server: None,
                    by: MatchedBy::Time,
                    why: why.to_owned(),
                });
            }
            _ if end_of_chain => {}
            _ => unpaired
                .push(Unpaired { leg: at, why: reason(facts, disputed.contains(&at), two_sides) }),
        }
    }
    unpaired
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
    // RFC 9110 sections 15.6.3 to 15.6.5: what a gateway says when its upstream fails.
    if matches!(response.status, 502..=504) {
        return Some("the status is what gateways answer when their upstream fails");
    }
    if response.fields.first("via").is_some() {
        return Some("the answer has a Via");
    }
    let server = response.fields.first("server")?;
    is_gateway(server).then_some("the answer is signed by a gateway")
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
