//! What of a leg tells which other leg it belongs to.
//!
//! Gets: a leg. Gives: [`Facts`], read once so that each candidate is judged quickly.

use std::hash::BuildHasher;
use std::net::IpAddr;

use crate::diff::collect::{Hash, Leg, Msg};
use crate::event::{MessageKind, RequestHead, header_text};
use crate::units::{Direction, Origin, PerDirection};

/// What is read of a leg once.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) leg: &'a Leg,
    pub(super) key: Option<&'a [u8]>,
    /// Where it starts, or what was seen of it first.
    pub(super) start: Option<Origin>,
    /// Whether its request was seen: otherwise it started earlier than `start`.
    pub(super) start_seen: bool,
    pub(super) answered: Option<Origin>,
    pub(super) status: Option<u16>,
    /// Addresses that forwarding headers name, nearest the server last.
    pub(super) forwarded: Vec<String>,
    /// Fields that go from end to end.
    pub(super) end_to_end: Vec<(String, &'a [u8])>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) forwarded_host: Option<&'a [u8]>,
    pub(super) path: &'a str,
    /// The first data messages, for comparing.
    pub(super) data: PerDirection<Vec<&'a Msg>>,
    /// Hashes of those, sorted: most candidates share none of them.
    pub(super) hashes: PerDirection<Vec<Hash>>,
    /// Hashes of what candidates are looked up by.
    pub(super) marks: Vec<u64>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(leg: &'a Leg) -> Self {
        let request = leg.request();
        let fields = request.map(|r| &r.fields);
        let data = |dir: Direction| -> Vec<&'a Msg> {
            let list = leg.messages[dir].iter();
            let data = list.filter(|m| matches!(m.kind, MessageKind::Text | MessageKind::Binary));
            data.take(COMPARED).collect()
        };
        let data = PerDirection {
            to_server: data(Direction::ToServer),
            to_client: data(Direction::ToClient),
        };
        let sorted = |list: &[&Msg]| {
            let mut hashes: Vec<Hash> = list.iter().filter_map(|m| m.hash).collect();
            hashes.sort_unstable();
            hashes
        };
        let hashes =
            PerDirection { to_server: sorted(&data.to_server), to_client: sorted(&data.to_client) };
        let mut facts = Self {
            leg,
            key: leg.ws_key(),
            start: leg.started(),
            start_seen: request.is_some(),
            answered: leg.answered(),
            status: leg.response().map(|r| {
                if r.version.starts_with('2') && r.status / 100 == 2 { 101 } else { r.status }
            }),
            forwarded: request.map(forwarded).unwrap_or_default(),
            end_to_end: request.map(end_to_end).unwrap_or_default(),
            host: fields.and_then(|f| f.first("host").or_else(|| f.first(":authority"))),
            forwarded_host: fields.and_then(|f| f.first("x-forwarded-host")),
            path: request.map_or("", |r| path(&r.target)),
            data,
            hashes,
            marks: Vec::new(),
        };
        facts.marks = facts.find_marks();
        facts
    }

    fn find_marks(&self) -> Vec<u64> {
        let mut marks = Vec::new();
        // Fixed: an index that a stranger could fill with one hash is bounded by what is read of it.
        let state = foldhash::fast::FixedState::default();
        let mut mark = |what: &dyn Fn(&mut foldhash::fast::FoldHasher<'_>)| {
            let mut hasher = state.build_hasher();
            what(&mut hasher);
            marks.push(std::hash::Hasher::finish(&hasher));
        };
        if !self.path.is_empty() {
            let last = last_segment(self.path);
            let agent = self.end_to_end.iter().find(|(name, _)| name == "user-agent");
            mark(&|h| std::hash::Hash::hash(&(0_u8, last, agent.map(|a| a.1)), h));
        }
        for dir in Direction::BOTH {
            // The first message may be one that the proxy lost or changed: the first few are marks.
            for hash in self.data[dir].iter().filter_map(|m| m.hash).take(MARKS) {
                mark(&|h| std::hash::Hash::hash(&(1_u8, dir, hash), h));
            }
        }
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// Path and query of a target in any form.
fn path(target: &str) -> &str {
    let rest = target
        .split_once("://")
        .map_or(target, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
    rest.split('#').next().unwrap_or(rest)
}

/// From the last slash of the path on, with the query.
pub(super) fn last_segment(path: &str) -> &str {
    let end = path.find('?').unwrap_or(path.len());
    let at = path.get(..end).and_then(|p| p.rfind('/')).unwrap_or(0);
    path.get(at..).unwrap_or(path)
}

fn end_to_end(request: &RequestHead) -> Vec<(String, &[u8])> {
    let fields = request.fields.0.iter();
    let named = fields.map(|f| (f.name_text().to_ascii_lowercase(), &*f.value));
    named.filter(|(name, _)| crate::diff::heads::goes_end_to_end(name)).take(FIELDS).collect()
}

/// Every address that says whom the request was sent for, in order.
fn forwarded(request: &RequestHead) -> Vec<String> {
    let mut all = Vec::new();
    for value in request.fields.tokens("x-forwarded-for").take(FIELDS) {
        all.push(address(&header_text(value)));
    }
    if all.is_empty() {
        for value in request.fields.tokens("forwarded").take(FIELDS) {
            // RFC 7239 section 4: for="[2001:db8::1]:8080";proto=http
            let text = header_text(value);
            let of = text.split(';').filter_map(|pair| pair.trim().split_once('='));
            for (_, value) in of.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")) {
                all.push(address(value));
            }
        }
    }
    if all.is_empty() {
        let own = ["x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];
        let value = own.iter().find_map(|name| request.fields.first(name));
        all.extend(value.map(|v| address(&header_text(v))));
    }
    all
}

/// An address without quotes, brackets and port.
fn address(text: &str) -> String {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        // One colon: a port behind it; more: an IPv6 address.
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or(text),
        None => text,
    };
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

/// Data messages of each direction compared between candidates.
pub(super) const COMPARED: usize = 64;
/// Messages of each direction that candidates are looked up by.
const MARKS: usize = 4;
/// Header fields compared between candidates.
const FIELDS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_quotes_brackets_and_port() {
        assert_eq!(address("192.0.2.43"), "192.0.2.43");
        assert_eq!(address("192.0.2.43:47011"), "192.0.2.43");
        assert_eq!(address("\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
        assert_eq!(address("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(address("_hidden"), "_hidden");
    }

    #[test]
    fn last_segment_keeps_the_query_and_no_slash_of_it() {
        assert_eq!(last_segment("/ws/room2"), "/room2");
        assert_eq!(last_segment("/app/chat?next=/a/b"), "/chat?next=/a/b");
        assert_eq!(last_segment("/"), "/");
    }
}
