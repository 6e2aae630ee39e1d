//! Proxy legs, paired and compared: did the proxy alter it?
//!
//! Gets: what [`Collector`] gathered of one capture that holds all legs, or of two captures taken on
//! each side of a proxy. Gives: a [`Report`], as text for people or as NDJSON. Keeps: nothing.
//!
//! ```text
//!  events -> Collector -> Collected (legs) -> pair -> heads + messages + cut -> Report -> text, JSON
//!                                             |         |       |       |
//!                                             clock     known   align   who ended it
//! ```
//!
//! What is shown of it has one form for the text and for the terminal UI: [`table`] for the heads,
//! [`way`] for the chain, [`content`] for what differs in a message.
//!
//! A *leg* is one WebSocket connection seen as a side of a proxy. In a chain
//! `client - proxy - proxy - server` the middle leg is the server leg of one pair and the client leg of
//! the next. Before is always the client leg, after the server leg, whichever way the bytes travel;
//! added, removed, lost and injected are meant along the way of travel.

pub mod align;
pub mod collect;
pub mod content;
pub mod cut;
pub mod heads;
pub mod json;
pub mod messages;
pub mod pair;
pub mod report;
pub mod table;
pub mod way;

#[cfg(test)]
pub(crate) mod testkit;

use std::borrow::Cow;

use serde_json::Value;

use crate::note::{NoteCode, Severity};
use crate::units::{ConnKey, Direction, MessageNo, Timestamp};

pub use collect::{Collected, Collector, Hash, Leg};
pub use cut::Cut;
pub use messages::{Counts, Delays};
pub use pair::{ClockOffset, MatchedBy};

/// What may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Count expected alterations too.
    pub strict: bool,
    /// Alterations kept of one pair; further ones are counted.
    pub alterations: usize,
}

impl Default for Options {
    fn default() -> Self {
        // A recompressing proxy alters every message: what is beyond this nobody reads one by one.
        Self { strict: false, alterations: 1 << 16 }
    }
}

/// One thing that is not on the server leg as it is on the client leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Alteration {
    /// What happened.
    pub code: NoteCode,
    /// Which way the altered thing travels.
    pub dir: Direction,
    /// A header's name in lower case, `request`, `response`, or a message: `c2s 3`.
    pub what: String,
    /// On the client leg; null when it is not there.
    pub before: Value,
    /// On the server leg; null when it is not there.
    pub after: Value,
    /// One sentence. May hold characters from the network.
    pub text: Cow<'static, str>,
    /// Whether any correct proxy does this.
    pub expected: bool,
    /// The message's number on the client leg and on the server leg; `None` where it is not there,
    /// and of what is no message.
    pub numbers: [Option<MessageNo>; 2],
}

impl Alteration {
    /// Is it one of a message, not of a head?
    pub const fn of_message(&self) -> bool {
        matches!(
            self.code,
            NoteCode::MessageLost
                | NoteCode::MessageChanged
                | NoteCode::MessageInjected
                | NoteCode::MessageReordered
                | NoteCode::Refragmented
                | NoteCode::Recompressed
                | NoteCode::CloseChanged
        )
    }

    /// A sign of one column: `~` for what any correct proxy may do, `!` for the rest.
    pub const fn sign(&self) -> &'static str {
        sign(self.expected)
    }

    /// The severity of its code; `info` when expected, and never less than a warning when not.
    pub fn severity(&self) -> Severity {
        if self.expected { Severity::Info } else { self.code.severity().max(Severity::Warning) }
    }
}

/// Two legs of one proxy, or a client leg that the proxy did not carry on.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Index of the client leg in [`Report::legs`].
    pub client: usize,
    /// Index of the server leg; `None` when there is none.
    pub server: Option<usize>,
    /// What evidence tells that they belong together.
    pub matched_by: MatchedBy,
    /// The evidence in words.
    pub why: String,
    /// What was altered: request, response, then messages.
    pub alterations: Vec<Alteration>,
    /// Alterations beyond [`Options::alterations`].
    pub more: u64,
    /// How many of those not kept were unexpected.
    pub more_unexpected: u64,
    /// How the messages compare.
    pub counts: Counts,
    /// What the proxy added in time.
    pub delays: Delays,
    /// Which leg ended first and who did it.
    pub cut: Option<Cut>,
}

impl Pair {
    /// `matched by key`, or that it was not forwarded.
    pub fn heading(&self) -> String {
        match self.server {
            Some(_) if self.matched_by == MatchedBy::Chosen => "chosen by hand".to_owned(),
            Some(_) => format!("matched by {}", self.matched_by.name()),
            None => "not forwarded".to_owned(),
        }
    }

    /// Alterations that count.
    pub fn counted(&self, strict: bool) -> u64 {
        let kept = self.alterations.iter().filter(|a| strict || !a.expected).count();
        let more = if strict { self.more } else { self.more_unexpected };
        u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(more)
    }
}

/// A connection that is part of no pair, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaired {
    /// Index in [`Report::legs`].
    pub leg: usize,
    /// One sentence.
    pub why: String,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Names of the captures.
    pub captures: Vec<String>,
    /// Every connection of every capture.
    pub legs: Vec<Leg>,
    /// Pairs, in the order of their client legs.
    pub pairs: Vec<Pair>,
    /// What has no partner.
    pub unpaired: Vec<Unpaired>,
    /// How the clocks of two captures disagree; `None` for one capture, or when nothing tells.
    pub clock: Option<ClockOffset>,
    /// Connections beyond the budget.
    pub legs_dropped: u64,
    /// Whether expected alterations count.
    pub strict: bool,
}

impl Report {
    /// Whether an alteration that counts was found: exit status 1.
    pub fn altered(&self) -> bool {
        self.pairs.iter().any(|p| p.counted(self.strict) > 0)
    }

    /// Whether two captures seem to be named in the wrong order: every handshake took longer on the
    /// server's side than on the client's, which waits for the server's as well.
    pub fn looks_swapped(&self) -> bool {
        let wait = |leg: &Leg| {
            let (asked, answered) = (leg.request()?.origin.time?, leg.response()?.origin.time?);
            Some(answered.since(asked))
        };
        let mut waits = self.pairs.iter().filter_map(|pair| {
            let (client, server) = (self.leg(pair.client)?, self.leg(pair.server?)?);
            (client.capture != server.capture).then_some((wait(client)?, wait(server)?))
        });
        let first = waits.next();
        first.into_iter().chain(waits).all(|(near, far)| far > near) && first.is_some()
    }

    /// A leg by its index.
    pub fn leg(&self, index: usize) -> Option<&Leg> {
        self.legs.get(index)
    }
}

/// Pairs the legs of one capture, or of a client-side and a server-side capture, and compares them.
pub fn compare(captures: Vec<Collected>, options: &Options) -> Report {
    let given = Given::new(captures);
    let matching = pair::pair(&given.legs, given.names.len());
    given.report(matching, options)
}

/// Compares two legs of one capture that somebody says belong together, whatever pairing would say;
/// without a pair when one of them is not there.
pub fn compare_chosen(capture: Collected, chosen: [ConnKey; 2], options: &Options) -> Report {
    let given = Given::new(vec![capture]);
    let place = |key: ConnKey| given.legs.iter().position(|leg| leg.key == key);
    let link = |[client, server]: [ConnKey; 2]| {
        Some(pair::Link {
            client: place(client)?,
            server: Some(place(server)?),
            by: MatchedBy::Chosen,
            why: String::new(),
        })
    };
    let links = link(chosen).into_iter().collect();
    given.report(pair::Matching { links, unpaired: Vec::new(), clock: None }, options)
}

/// What is to be compared.
struct Given {
    names: Vec<String>,
    legs: Vec<Leg>,
    last_times: Vec<Option<Timestamp>>,
    legs_dropped: u64,
}

impl Given {
    fn new(captures: Vec<Collected>) -> Self {
        Self {
            names: captures.iter().map(|c| c.name.clone()).collect(),
            last_times: captures.iter().map(|c| c.last_time).collect(),
            legs_dropped: captures.iter().fold(0, |sum, c| sum.saturating_add(c.legs_dropped)),
            legs: captures.into_iter().flat_map(|c| c.legs).collect(),
        }
    }

    fn report(self, matching: pair::Matching, options: &Options) -> Report {
        let ahead = matching.clock.map_or(0, |clock| clock.server_ahead_ns);
        let links = matching.links.into_iter();
        let pairs = links.filter_map(|link| self.pair(link, ahead, options)).collect();
        Report {
            captures: self.names,
            legs: self.legs,
            pairs,
            unpaired: matching.unpaired,
            clock: matching.clock,
            legs_dropped: self.legs_dropped,
            strict: options.strict,
        }
    }

    /// `ahead`: nanoseconds that the clock of the server side's capture is ahead.
    fn pair(&self, link: pair::Link, ahead: i64, options: &Options) -> Option<Pair> {
        let client = self.legs.get(link.client)?;
        let server = link.server.and_then(|at| self.legs.get(at));
        let mut found = Found::new(options.alterations);
        let mut counts = Counts::default();
        let mut delays = Delays::default();
        let mut cut = None;
        if let Some(server) = server {
            let offset = if client.capture == server.capture { 0 } else { ahead };
            heads::compare(client, server, &mut found);
            let last_time = |leg: &Leg| self.last_times.get(leg.capture).copied().flatten();
            let last_times = [last_time(client), last_time(server)];
            let view = messages::View { offset, last_times };
            (counts, delays) = messages::compare(client, server, &view, &mut found);
            cut = cut::find(client, server, offset);
        } else {
            heads::not_forwarded(client, &mut found);
        }
        Some(Pair {
            client: link.client,
            server: link.server,
            matched_by: link.by,
            why: link.why,
            alterations: found.list,
            more: found.more,
            more_unexpected: found.more_unexpected,
            counts,
            delays,
            cut,
        })
    }
}

/// The mark of a change: also for who sees no colours.
pub const fn sign(expected: bool) -> &'static str {
    if expected { "~" } else { "!" }
}

/// Alterations found so far, bounded.
#[derive(Debug)]
pub(crate) struct Found {
    list: Vec<Alteration>,
    room: usize,
    more: u64,
    more_unexpected: u64,
}

impl Found {
    pub(crate) fn new(room: usize) -> Self {
        Self { list: Vec::new(), room, more: 0, more_unexpected: 0 }
    }

    /// Keeps an alteration while there is room, and counts it beyond. Made only when kept.
    pub(crate) fn add(&mut self, expected: bool, make: impl FnOnce() -> Alteration) {
        if self.list.len() < self.room {
            self.list.push(make());
        } else {
            self.more = self.more.saturating_add(1);
            self.more_unexpected = self.more_unexpected.saturating_add(u64::from(!expected));
        }
    }

    pub(crate) fn push(&mut self, alteration: Alteration) {
        self.add(alteration.expected, || alteration);
    }

    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Alteration] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::testkit::*;
    use super::*;
    use crate::event::MessageKind;

    #[test]
    fn two_legs_are_compared_at_somebodys_word_whatever_pairing_says() {
        let mut kit = Kit::new();
        let mut a = kit.leg(40001, 80);
        a.data(Direction::ToServer, MessageKind::Text, b"one");
        a.finish();
        let mut other = kit.open(50001, 9999, "AAAAAAAAAAAAAAAAAAAAAA==", &[(":path", "/other")]);
        other.answered(&mut kit, 101, &[]);
        let collected = kit.collected();
        let keys: Vec<ConnKey> = collected.legs.iter().map(|leg| leg.key).collect();
        let report = compare_chosen(collected, [keys[0], keys[1]], &Options::default());
        let [pair] = report.pairs.as_slice() else { panic!("{:?}", report.pairs) };
        assert_eq!(
            (pair.client, pair.server, pair.heading().as_str()),
            (0, Some(1), "chosen by hand")
        );
        assert!(pair.alterations.iter().any(|a| a.code == NoteCode::TargetRewritten));
        let nobody = ConnKey { flow: crate::units::FlowId(crate::units::PacketNo(99)), nth: 0 };
        let report = compare_chosen(Collected::default(), [nobody; 2], &Options::default());
        assert!(report.pairs.is_empty());
    }
}
