//! What speaks for two legs being of one connection, and what against.
//!
//! Gets: the facts of two legs. Gives: an [`Edge`] with a score, or nothing where it can not be.
//!
//! Points, not probabilities; [`ENOUGH`] is what identical heads within each other's handshake make,
//! or two equal messages besides.

use super::MatchedBy;
use super::clock::{Axis, BEHIND};
use super::facts::{COMPARED, Facts, last_segment};
use crate::diff::collect::Msg;
use crate::diff::heads::same_line;
use crate::event::EndHow;
use crate::units::{Direction, PerDirection};

/// Where the server leg's handshake is to the client leg's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Asked after and answered before: the client waited for it.
    Within,
    /// The proxy answered its client before its upstream answered.
    Behind,
    /// Neither, or not to be told.
    Other,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) client: usize,
    pub(super) server: usize,
    pub(super) score: i32,
    pub(super) by: MatchedBy,
    /// Where the server leg's handshake is.
    pub(super) order: Order,
    /// Nothing speaks against it, and the addresses fit: may be taken for want of any other.
    pub(super) last_resort: bool,
    /// As `last_resort`, but only where others went the same way.
    pub(super) on_known_way: bool,
    /// Both ask for the same, in the same subprotocols.
    pub(super) same_target: bool,
    /// Data messages that are equal.
    pub(super) equal: u32,
    /// Where the server leg starts: of retries the last one's answer is passed on.
    pub(super) start: i64,
}

/// Judges candidates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) facts: &'a [Facts<'a>],
    pub(super) axis: &'a Axis,
}

/// Points of each kind of evidence.
#[derive(Debug, Clone, Copy, Default)]
struct Points {
    key: i32,
    place: i32,
    heads: i32,
    forwarded: i32,
    payload: i32,
    delay: i32,
}

impl Judge<'_> {
    /// Judges a client leg and a server leg; `None` when they can not be of one connection.
    pub(super) fn edge(&self, client: usize, server: usize) -> Option<Edge> {
        let (c, s) = (self.facts.get(client)?, self.facts.get(server)?);
        if client == server || !self.possible(c, s) {
            return None;
        }
        let same_key = c.key.is_some() && c.key == s.key;
        let order = self.order(c, s);
        let (nested, behind) = (order == Order::Within, order == Order::Behind);
        // One key in two handshakes, one after the other: a client that repeats its key, or a retry.
        if same_key && !nested && !(c.status == Some(101) && s.status == Some(101)) {
            let late = self.axis.answered(c).zip(self.axis.start(s));
            if late.is_some_and(|(answered, start)| {
                self.axis.before(c.leg.capture == s.leg.capture, start, answered)
            }) {
                return None;
            }
        }
        let courses = PerDirection {
            to_server: self.course((c, s), Direction::ToServer),
            to_client: self.course((c, s), Direction::ToClient),
        };
        let payload = Payload::of(c, s, &courses);
        let points = Points {
            key: if same_key { KEY } else { 0 },
            place: self.place(c, s, order),
            heads: heads(c, s),
            forwarded: forwarded(c, s),
            payload: payload.points,
            delay: self.delay(&courses),
        };
        let alike = points.heads + points.forwarded;
        let score = points.key + points.place + alike + points.payload + points.delay;
        // Place alone is no evidence: somebody opens two connections at a time every day.
        // Nor are like heads of one after the other: a page opens several.
        let content =
            same_key || payload.points > 0 || if behind { points.forwarded } else { alike } >= 25;
        let by = if same_key {
            MatchedBy::Key
        } else if points.payload > alike {
            MatchedBy::Payload
        } else {
            MatchedBy::Headers
        };
        let same_target = same_target(c, s);
        let fits = !payload.contradicts
            && !payload.excused
            && points.heads > -15
            && (same_target || !payload.disagrees);
        let refused = behind && self.ended_by_refusal(c, s);
        let last_resort = fits && (nested && points.place >= 20 || refused && points.heads > 0);
        let on_known_way = fits && (nested || behind) && points.place > 0;
        let score = if content { score } else { score.min(ENOUGH - 1) };
        let start = self.axis.start(s).unwrap_or(0);
        // Where not even the order of the two legs is known, the messages have to tell it: question
        // within question and answer within answer, more often than two clients happen to.
        let told = Direction::BOTH.iter().all(|&dir| courses[dir].pairs.len() >= TOLD);
        let unordered = !c.start_seen && self.axis.start(c).is_none_or(|first| first > start);
        if unordered && !told {
            return None;
        }
        let equal = payload.equal;
        Some(Edge {
            client,
            server,
            score,
            by,
            order,
            last_resort,
            on_known_way,
            same_target,
            equal,
            start,
        })
    }

    /// The evidence in words.
    pub(super) fn why(&self, edge: &Edge) -> String {
        let (Some(c), Some(s)) = (self.facts.get(edge.client), self.facts.get(edge.server)) else {
            return String::new();
        };
        let mut why: Vec<String> = Vec::new();
        if c.key.is_some() && c.key == s.key {
            why.push("the same Sec-WebSocket-Key".to_owned());
        }
        if forwarded(c, s) >= 25 {
            why.push("a forwarding header names the client".to_owned());
        }
        if edge.by != MatchedBy::Key && heads(c, s) >= 15 {
            why.push("request heads alike".to_owned());
        }
        if edge.equal > 0 {
            let n = edge.equal;
            why.push(format!("{n} equal message{}", if n == 1 { "" } else { "s" }));
        }
        if edge.order == Order::Within {
            why.push("one handshake within the other".to_owned());
        }
        why.join(", ")
    }

    fn possible(&self, c: &Facts<'_>, s: &Facts<'_>) -> bool {
        let same_capture = c.leg.capture == s.leg.capture;
        if s.leg.capture < c.leg.capture || same_capture && c.leg.key.flow == s.leg.key.flow {
            return false;
        }
        let same_key = c.key.is_some() && c.key == s.key;
        if same_capture {
            // With two captures the proxy stands between them; within one only the key tells of another.
            if !matches!(self.axis, Axis::Packets) && !same_key {
                return false;
            }
            // Where clocks can not be compared, the packets of one capture still can.
            let backwards = matches!(self.axis, Axis::Apart)
                && c.start.zip(s.start).is_some_and(|(asked, on)| on.packet <= asked.packet);
            if backwards {
                return false;
            }
            // Two connections to one listener are two clients', unless something intercepts.
            let intercepted = same_key && c.leg.client.ip() != s.leg.client.ip();
            if c.leg.server == s.leg.server && !intercepted {
                return false;
            }
        }
        let (Some(asked), Some(asked_on)) = (self.axis.start(c), self.axis.start(s)) else {
            return false;
        };
        let backwards = self.axis.before(same_capture, asked, asked_on)
            || same_capture && matches!(self.axis, Axis::Packets) && asked_on == asked;
        // A leg that was there before it was first seen may have been there before the other.
        if backwards && c.start_seen {
            return false;
        }
        let end = c.leg.end.as_ref().filter(|end| end.how != EndHow::CaptureEnd);
        let ended = end.map(|end| end.origin).or(c.leg.given_up);
        let ended = ended.and_then(|origin| self.axis.at(c, origin));
        ended.is_none_or(|ended| !self.axis.before(same_capture, asked_on, ended))
    }

    /// Was the server leg asked after, and answered before, the client leg.
    fn nested(&self, c: &Facts<'_>, s: &Facts<'_>) -> bool {
        let same = c.leg.capture == s.leg.capture;
        let (Some(answered), Some(start)) = (self.axis.answered(c), self.axis.start(s)) else {
            return false;
        };
        let Some(answered_on) = self.axis.answered(s) else { return false };
        !self.axis.before(same, start, answered) && !self.axis.before(same, answered_on, answered)
    }

    /// Was the server leg asked for once the client was answered, or answered only then: by a proxy
    /// that takes every client on before it knows what its upstream says?
    fn behind(&self, c: &Facts<'_>, s: &Facts<'_>) -> bool {
        let (Some(answered), Some(start)) = (self.axis.answered(c), self.axis.start(s)) else {
            return false;
        };
        let late = self.axis.answered(s).is_none_or(|on| on > answered);
        // Packets do not tell how long: others' may stand between.
        let soon = match self.axis {
            Axis::Packets => c.answered.zip(s.start).is_some_and(|(answered, start)| {
                answered.time.zip(start.time).is_some_and(|(a, b)| b.since(a) <= BEHIND)
            }),
            Axis::Times(_) => start <= self.axis.window(c),
            Axis::Apart => true,
        };
        late && soon && c.status == Some(101)
    }

    /// Did the proxy end the client leg as soon as it was refused on the server leg?
    fn ended_by_refusal(&self, c: &Facts<'_>, s: &Facts<'_>) -> bool {
        let refused = s.status.is_some_and(|status| status != 101);
        let end = c.leg.end.as_ref().filter(|end| end.by == Some(Direction::ToClient));
        let told = s.answered.and_then(|o| o.time).zip(end.and_then(|end| end.origin.time));
        let on_one_clock = matches!(self.axis, Axis::Packets);
        refused
            && on_one_clock
            && told.is_some_and(|(told, end)| (0..ENDS_TOGETHER).contains(&end.since(told)))
    }

    fn order(&self, c: &Facts<'_>, s: &Facts<'_>) -> Order {
        if self.nested(c, s) {
            Order::Within
        } else if self.behind(c, s) {
            Order::Behind
        } else {
            Order::Other
        }
    }

    /// Was the server leg answered before the client leg for certain?
    fn knew(&self, c: &Facts<'_>, s: &Facts<'_>) -> bool {
        let same = c.leg.capture == s.leg.capture;
        let answers = self.axis.answered(c).zip(self.axis.answered(s));
        matches!(self.axis, Axis::Apart)
            || answers.is_none_or(|(told, known)| self.axis.before(same, told, known))
    }

    fn place(&self, c: &Facts<'_>, s: &Facts<'_>, order: Order) -> i32 {
        let mut points = match order {
            _ if matches!(self.axis, Axis::Apart) => 0,
            Order::Within => 20,
            Order::Other if c.answered.is_some() && s.answered.is_some() => -10,
            Order::Behind | Order::Other => 10,
        };
        points += match (c.status, s.status) {
            (Some(a), Some(b)) if a == b => 10,
            // No proxy makes an upgrade of a refusal that it knows of.
            (Some(101), Some(_)) if self.knew(c, s) => -30,
            (Some(_), Some(101)) => -10,
            _ => 0,
        };
        let (client, proxy) = (c.leg.client.ip().to_canonical(), c.leg.server.ip().to_canonical());
        let upstream_client = s.leg.client.ip().to_canonical();
        if !proxy.is_loopback() && proxy == upstream_client {
            points += 20;
        } else if client == upstream_client && client != proxy && !client.is_loopback() {
            // The client itself opened both, as far as addresses tell.
            points -= 40;
        }
        let end = |f: &Facts<'_>| {
            let end = f.leg.end.as_ref().filter(|end| end.how != EndHow::CaptureEnd)?;
            end.origin.time
        };
        if matches!(self.axis, Axis::Packets) {
            let apart = end(c).zip(end(s)).map(|(a, b)| a.since(b).saturating_abs());
            points += apart.map_or(0, |ns| if ns < ENDS_TOGETHER { 5 } else { 0 });
        }
        points
    }

    /// Lays the messages of one direction on the later leg beside those on the earlier one, in order.
    fn course<'m>(&self, (c, s): (&Facts<'m>, &Facts<'m>), dir: Direction) -> Course<'m> {
        let same = c.leg.capture == s.leg.capture;
        let (first, then) = if dir == Direction::ToServer { (c, s) } else { (s, c) };
        let (sent, passed) = (&first.data[dir], &then.data[dir]);
        let comes_before = |copy: &Msg, msg: &Msg| {
            let places = self.axis.at(first, msg.origin).zip(self.axis.at(then, copy.origin));
            places.is_some_and(|(a, b)| self.axis.before(same, a, b))
        };
        let mut course = Course::default();
        let mut early: Vec<&Msg> = Vec::new();
        let mut left: Vec<&Msg> = Vec::new();
        let mut rest = sent.as_slice();
        let shared = |copy: &Msg| {
            copy.hash.is_some_and(|hash| first.hashes[dir].binary_search(&hash).is_ok())
        };
        for &copy in passed.iter().filter(|copy| shared(copy)) {
            let twin = rest.iter().position(|msg| msg.hash.is_some() && msg.hash == copy.hash);
            let Some((skipped, [msg, behind @ ..])) = twin.and_then(|at| rest.split_at_checked(at))
            else {
                continue;
            };
            if comes_before(copy, msg) {
                early.push(copy);
                continue;
            }
            left.extend(skipped);
            course.pairs.push((msg, copy));
            rest = behind;
        }
        // Of a list that was not looked at to its end the originals' copies may still come.
        if passed.len() < COMPARED {
            left.extend(rest);
        }
        course.early = early.len();
        // A proxy may send something of its own that the client happens to send later. But then that
        // passes too; where it never does, the copy is no copy.
        course.impossible = early
            .iter()
            .any(|copy| left.iter().any(|msg| msg.hash == copy.hash && comes_before(copy, msg)));
        let unseen = !first.start_seen
            || !first.leg.gaps[dir].is_empty()
            || first.leg.unkept[dir] > 0
            || sent.len() >= COMPARED;
        if !unseen {
            let unknown = sent.len() - known(sent);
            course.injected = known(passed).saturating_sub(course.pairs.len() + unknown);
        }
        course
    }

    /// Points off for messages passed on late, once there are enough of them to tell.
    fn delay(&self, courses: &PerDirection<Course<'_>>) -> i32 {
        if !matches!(self.axis, Axis::Packets) {
            return 0;
        }
        let (mut sum, mut n) = (0_i64, 0_i64);
        for (msg, copy) in Direction::BOTH.into_iter().flat_map(|dir| &courses[dir].pairs) {
            if let Some((a, b)) = msg.origin.time.zip(copy.origin.time) {
                sum = sum.saturating_add(b.since(a).saturating_abs());
                n += 1;
            }
        }
        if n < TELLING {
            return 0;
        }
        // Six points for each doubling of the mean beyond a millisecond.
        let millis = sum.checked_div(n).unwrap_or(0) / 1_000_000;
        let doublings = i64::BITS - millis.leading_zeros();
        -(i32::try_from(doublings).unwrap_or(0) * 6).min(40)
    }
}

/// The messages of one direction, on their way from one leg to the other.
#[derive(Debug, Default)]
struct Course<'a> {
    /// Equal ones in order, each with the copy that came after it.
    pairs: Vec<(&'a Msg, &'a Msg)>,
    /// Copies that came before anything they could be copies of, so that they must be injected.
    early: usize,
    /// One of those is a copy for certain, so that the legs are not of one connection.
    impossible: bool,
    /// Messages on the later leg that were never sent on the earlier one.
    injected: usize,
}

/// What the messages of two legs say.
#[derive(Debug, Clone, Copy)]
struct Payload {
    points: i32,
    /// Equal messages.
    equal: u32,
    contradicts: bool,
    /// Of one direction nothing is equal, and of the other no more than one message.
    disagrees: bool,
    /// Fits only if some messages were injected.
    excused: bool,
}

impl Payload {
    const CONTRADICTION: Self = Self {
        points: CONTRADICTION,
        equal: 0,
        contradicts: true,
        disagrees: true,
        excused: false,
    };

    /// What the messages say, both ways together.
    fn of(c: &Facts<'_>, s: &Facts<'_>, courses: &PerDirection<Course<'_>>) -> Self {
        let (mut equal, mut shorter, mut against) = (0_usize, 0_usize, false);
        let (mut early, mut injected) = (0_usize, 0_usize);
        let mut unlike = false;
        for dir in Direction::BOTH {
            let course = &courses[dir];
            if course.impossible {
                return Self::CONTRADICTION;
            }
            let same = course.pairs.len();
            let least = known(&c.data[dir]).min(known(&s.data[dir]));
            equal += same;
            shorter += least;
            early += course.early;
            injected += course.injected;
            against |= same == 0 && least > 1;
            unlike |= same == 0 && least > 0;
        }
        let nothing_shared = equal == 0 && (against || shorter > 1);
        if nothing_shared || injected >= MANY && injected > equal * 2 {
            return Self::CONTRADICTION;
        }
        let disagrees = unlike && equal < 2;
        let points = if equal == 0 || early > 0 {
            // They may be of another connection with the same content.
            0
        } else if equal * 2 >= shorter && !disagrees {
            20 + i32::try_from(equal.min(4)).unwrap_or(4) * 10
        } else {
            5
        };
        let equal = u32::try_from(equal).unwrap_or(u32::MAX);
        Self { points, equal, contradicts: false, disagrees, excused: early > 0 }
    }
}

/// Messages whose content is known.
fn known(list: &[&Msg]) -> usize {
    list.iter().filter(|m| m.hash.is_some()).count()
}

/// How alike the request heads are, as far as a proxy should leave them alone.
fn heads(c: &Facts<'_>, s: &Facts<'_>) -> i32 {
    let mut points = 0;
    if !c.path.is_empty() && !s.path.is_empty() {
        if c.path == s.path {
            points += 10;
        } else if c.path.ends_with(s.path)
            || s.path.ends_with(c.path)
            || last_segment(c.path) == last_segment(s.path)
        {
            points += 8;
        }
    }
    let mut equal = 0;
    for (name, value) in &c.end_to_end {
        let mut twins = s.end_to_end.iter().filter(|(n, _)| n == name).map(|(_, v)| v).peekable();
        if twins.peek().is_none() {
            continue;
        }
        if twins.any(|v| same_line(name, v, value)) {
            // The version is 13 for everybody.
            equal += i32::from(name != "sec-websocket-version");
        } else {
            points -= match name.as_str() {
                // A proxy that makes its own handshake has its own name.
                "user-agent" if c.key != s.key => 10,
                "user-agent" | "cookie" | "authorization" => 15,
                "origin" | "sec-websocket-protocol" => 5,
                _ => 2,
            };
        }
    }
    points + (equal * 6).min(30)
}

/// Do the requests ask for the same, in the same subprotocols?
fn same_target(c: &Facts<'_>, s: &Facts<'_>) -> bool {
    const SUBPROTOCOL: &str = "sec-websocket-protocol";
    let offered = |f: &Facts<'_>| -> Vec<u8> {
        let lines = f.end_to_end.iter().filter(|(name, _)| name == SUBPROTOCOL).map(|(_, v)| *v);
        lines.collect::<Vec<_>>().join(&b","[..])
    };
    // The last segment is what a proxy that changes prefixes leaves alone.
    let same = c.path == s.path || c.path.len() > 1 && last_segment(c.path) == last_segment(s.path);
    !c.path.is_empty()
        && !s.path.is_empty()
        && same
        && same_line(SUBPROTOCOL, &offered(c), &offered(s))
}

/// Does the server leg's request say that it was forwarded for the client leg's client.
fn forwarded(c: &Facts<'_>, s: &Facts<'_>) -> i32 {
    let mut points = 0;
    let client = c.leg.client.ip().to_canonical();
    // Each hop adds one; without one more it was not this hop that named anybody.
    if let (Some(last), true) = (s.forwarded.last(), s.forwarded.len() > c.forwarded.len()) {
        if *last == client.to_string() {
            points += if client.is_loopback() { 25 } else { 30 };
            let appended =
                s.forwarded.starts_with(&c.forwarded) && s.forwarded.len() == c.forwarded.len() + 1;
            points += if appended { 10 } else { -10 };
        } else {
            points -= 15;
        }
    } else if s.forwarded.len() < c.forwarded.len() {
        points -= 10;
    }
    if s.forwarded_host.is_some() && c.forwarded_host.is_none() && s.forwarded_host == c.host {
        points += 10;
    }
    points
}

/// From here on two legs are taken for one connection's, if nothing else comes near.
pub(super) const ENOUGH: i32 = 60;
/// For two legs that nothing contradicts and that have no other candidate.
pub(super) const LAST_RESORT: i32 = 25;
/// So much less is enough on the way that others were paired on.
pub(super) const KNOWN_WAY: i32 = 15;
/// 128 random bits.
const KEY: i32 = 100;
/// Both legs have messages and share none.
const CONTRADICTION: i32 = -40;
/// Legs whose ends are no further apart ended together, in nanoseconds.
const ENDS_TOGETHER: i64 = 2_000_000_000;
/// So many messages that nobody sent are the proxy's own only where twice as many pass are not.
const MANY: usize = 3;
/// Messages each way that tell which of two legs is nearer the client.
const TOLD: usize = 2;
/// Messages from which a mean delay tells something.
const TELLING: i64 = 4;
