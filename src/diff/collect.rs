//! Everything of a capture that pairing and comparing need.
//!
//! Gets: events. Gives: a [`Leg`] for each connection. Keeps: handshakes, and of each message its
//! hash and numbers; payloads only up to a budget, so that differences can be shown. Two messages are
//! equal when hash and length are, whether their payloads were kept or not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;

use sha1::{Digest, Sha1};

use crate::event::{
    ConnInfo, Cx, End, EndHow, Event, Handshake, Message, MessageKind, Payload, RequestHead,
    ResponseHead, Sink, Wants,
};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{
    ConnKey, ConnNo, Direction, MessageNo, Origin, PacketNo, PerDirection, StreamNo, Timestamp,
};

/// What one capture holds, ready to be compared.
#[derive(Debug, Default)]
pub struct Collected {
    /// Its name as shown: the file's.
    pub name: String,
    /// Its connections, in the order of their first events.
    pub legs: Vec<Leg>,
    /// Time of its last event.
    pub last_time: Option<Timestamp>,
    /// Connections that were not kept because there are too many.
    pub legs_dropped: u64,
}

/// One connection, seen as a side of a proxy.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Which capture it is from, from 0.
    pub capture: usize,
    /// Its number as `print` gives it.
    pub no: ConnNo,
    /// Identity in its capture.
    pub key: ConnKey,
    /// The TCP connection's number.
    pub stream: StreamNo,
    /// The side that asked for the upgrade.
    pub client: SocketAddr,
    /// The side that answers.
    pub server: SocketAddr,
    /// The opening handshake; `None` when no event told of it.
    pub handshake: Option<Handshake>,
    /// Messages of every kind, in the order of their numbers.
    pub messages: PerDirection<Vec<Msg>>,
    /// Holes in the capture: how many messages of the direction came before each.
    pub gaps: PerDirection<Vec<usize>>,
    /// Messages that came after those kept.
    pub unkept: PerDirection<u64>,
    /// How it ended; `None` when nothing was told of it.
    pub end: Option<Ending>,
    /// Where it was over before it was open: an attempt whose answer never came.
    pub given_up: Option<Origin>,
    /// Payload bytes kept of it.
    kept_bytes: usize,
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub how: EndHow,
    /// Who began it, by the direction in which it sends.
    pub by: Option<Direction>,
    /// One sentence.
    pub cause: String,
    /// Whether the end of what a side sent is in the capture.
    pub seen: PerDirection<bool>,
    /// The packet that ended it.
    pub origin: Origin,
}

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msg {
    /// Its number in its direction.
    pub no: MessageNo,
    /// What it is.
    pub kind: MessageKind,
    /// Bytes after unmasking, reassembling and inflating.
    pub len: u64,
    /// Payload bytes on the wire.
    pub wire_len: u64,
    /// Frames it came in.
    pub frames: u32,
    /// Compressed on the wire.
    pub compressed: bool,
    /// Whether all of it is known.
    pub complete: bool,
    /// The packet that brought its first byte.
    pub begin: PacketNo,
    /// The packet that completed it.
    pub origin: Origin,
    /// Hash of its bytes; `None` when not all of them are known.
    pub hash: Option<Hash>,
    /// Status code of a Close.
    pub close_code: Option<u16>,
    /// Its first bytes, as far as the budget went.
    pub payload: Box<[u8]>,
}

/// The first half of SHA-1 over a message: equal in practice only for equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub u128);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha1::digest(bytes);
        Self(digest.iter().take(16).fold(0, |sum, &byte| sum << 8 | u128::from(byte)))
    }
}

impl Msg {
    /// Whether all its bytes were kept.
    pub fn whole(&self) -> bool {
        self.complete && u64::try_from(self.payload.len()).is_ok_and(|kept| kept == self.len)
    }

    /// Reason of a Close, as bytes.
    pub fn close_reason(&self) -> &[u8] {
        self.payload.get(2..).unwrap_or_default()
    }
}

impl Leg {
    /// An empty leg.
    pub fn new(capture: usize, no: ConnNo, conn: &ConnInfo) -> Self {
        Self {
            capture,
            no,
            key: conn.key,
            stream: conn.stream,
            client: conn.client,
            server: conn.server,
            handshake: None,
            messages: PerDirection::default(),
            gaps: PerDirection::default(),
            unkept: PerDirection::default(),
            end: None,
            given_up: None,
            kept_bytes: 0,
        }
    }

    /// The request head, when it was captured.
    pub fn request(&self) -> Option<&RequestHead> {
        self.handshake.as_ref()?.request.as_ref()
    }

    /// The final response head, when it was captured.
    pub fn response(&self) -> Option<&ResponseHead> {
        self.handshake.as_ref()?.response.as_ref()
    }

    /// The first value of `Sec-WebSocket-Key`, unless empty.
    pub fn ws_key(&self) -> Option<&[u8]> {
        let key = self.request()?.fields.all("sec-websocket-key").next()?.trim_ascii();
        (!key.is_empty()).then_some(key)
    }

    /// Where it starts: the request's first byte, or what was seen first.
    pub fn started(&self) -> Option<Origin> {
        let head = self.request().map(|r| r.begin).or_else(|| self.response().map(|r| r.begin));
        head.or_else(|| {
            let first = |dir: Direction| self.messages[dir].first().map(|m| m.origin);
            match (first(Direction::ToServer), first(Direction::ToClient)) {
                (Some(a), Some(b)) => Some(if a.packet <= b.packet { a } else { b }),
                (a, b) => a.or(b),
            }
        })
    }

    /// Where the final response starts.
    pub fn answered(&self) -> Option<Origin> {
        self.response().map(|r| r.begin)
    }

    /// The last message of either direction.
    pub fn last_message(&self) -> Option<&Msg> {
        let last = |dir: Direction| self.messages[dir].last();
        match (last(Direction::ToServer), last(Direction::ToClient)) {
            (Some(a), Some(b)) => Some(if a.origin.packet > b.origin.packet { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    fn keep(&mut self, message: &Message<'_>, origin: Origin, budget: &mut Budget) {
        let list = &mut self.messages[message.dir];
        if budget.messages == 0 {
            self.unkept[message.dir] = self.unkept[message.dir].saturating_add(1);
            return;
        }
        budget.messages -= 1;
        let bytes = message.payload.bytes();
        let known = message.complete && !matches!(message.payload, Payload::Skipped);
        let room = if message.kind.is_control() {
            CONTROL_BYTES
        } else {
            MESSAGE_BYTES.min(LEG_BYTES.saturating_sub(self.kept_bytes)).min(budget.bytes)
        };
        let payload: Box<[u8]> = bytes.iter().take(room).copied().collect();
        self.kept_bytes = self.kept_bytes.saturating_add(payload.len());
        budget.bytes = budget.bytes.saturating_sub(payload.len());
        list.push(Msg {
            no: message.no,
            kind: message.kind,
            len: message.len,
            wire_len: message.wire_len,
            frames: message.frames,
            compressed: message.compressed,
            complete: message.complete,
            begin: message.begin.packet,
            origin,
            hash: known.then(|| Hash::of(bytes)),
            close_code: message.close_code,
            payload,
        });
    }
}

/// Gathers the legs of one capture.
#[derive(Debug)]
pub struct Collector {
    capture: usize,
    collected: Collected,
    index: HashMap<ConnKey, usize, foldhash::fast::RandomState>,
    budget: Budget,
    seen: u64,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    bytes: usize,
    messages: usize,
    head_bytes: usize,
}

impl Collector {
    /// For the capture of this number (from 0) and name.
    pub fn new(capture: usize, name: impl Into<String>) -> Self {
        Self {
            capture,
            collected: Collected { name: name.into(), ..Collected::default() },
            index: HashMap::default(),
            budget: Budget { bytes: ALL_BYTES, messages: ALL_MESSAGES, head_bytes: HEAD_BYTES },
            seen: 0,
        }
    }

    /// With room for so many bytes of payloads. They serve to show what differs, and to tell which
    /// message became which; what is equal is told by hashes.
    #[must_use]
    pub const fn keeping(mut self, bytes: usize) -> Self {
        self.budget.bytes = bytes;
        self
    }

    /// What was gathered.
    pub fn finish(self) -> Collected {
        self.collected
    }

    /// The leg of a connection; a new one for the event that opens it, while there is room.
    fn leg(&mut self, conn: &ConnInfo, opens: bool) -> Option<&mut Leg> {
        let known = self.index.get(&conn.key).copied();
        if known.is_none() && opens {
            self.seen = self.seen.saturating_add(1);
        }
        let full = self.collected.legs.len() >= LEGS || self.budget.head_bytes == 0;
        let at = match known {
            Some(at) => at,
            None if full => {
                let dropped = &mut self.collected.legs_dropped;
                *dropped = dropped.saturating_add(u64::from(opens));
                return None;
            }
            None => {
                let at = self.collected.legs.len();
                self.collected.legs.push(Leg::new(self.capture, ConnNo(self.seen), conn));
                self.index.insert(conn.key, at);
                at
            }
        };
        self.collected.legs.get_mut(at)
    }
}

impl Sink for Collector {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.collected.last_time = self.collected.last_time.max(cx.origin.time);
        let mut budget = self.budget;
        let opens = matches!(event, Event::Handshake(_));
        if let Some(leg) = self.leg(cx.conn, opens) {
            match event {
                Event::Handshake(handshake) => {
                    budget.head_bytes =
                        budget.head_bytes.saturating_sub(head_bytes(handshake).max(1));
                    leg.given_up = Some(cx.origin).filter(|_| given_up(handshake));
                    leg.handshake = Some((*handshake).clone());
                }
                Event::Message(message) => leg.keep(message, cx.origin, &mut budget),
                Event::Gap(gap) => {
                    let at = leg.messages[gap.dir].len();
                    let gaps = &mut leg.gaps[gap.dir];
                    if gaps.last() != Some(&at) {
                        gaps.push(at);
                    }
                }
                Event::End(end) => leg.end = Some(ending(end, cx.origin)),
                Event::Frame(_) => {}
            }
        }
        self.budget = budget;
        ControlFlow::Continue(())
    }
}

/// Is it an attempt that ended without an answer, by the word of one of the two?
fn given_up(handshake: &Handshake) -> bool {
    let unanswered = |note: &Note| match note.code {
        NoteCode::ResponseNotHttp => true,
        NoteCode::HandshakeIncomplete => note.blame != Blame::Capture,
        _ => false,
    };
    handshake.request.is_some()
        && handshake.response.is_none()
        && handshake.notes.iter().any(unanswered)
}

fn ending(end: &End, origin: Origin) -> Ending {
    Ending { how: end.how, by: end.by, cause: end.cause.clone(), seen: end.ended, origin }
}

/// Bytes of the heads that a handshake holds.
fn head_bytes(handshake: &Handshake) -> usize {
    let request = handshake.request.iter().flat_map(|r| &r.fields.0);
    let response = handshake.response.iter().flat_map(|r| &r.fields.0);
    let fields = request.chain(response).map(|f| f.name.len().saturating_add(f.value.len()));
    let target = handshake.request.as_ref().map_or(0, |r| r.target.len());
    fields.chain([target]).fold(0, usize::saturating_add)
}

/// Payload bytes kept of one message: more than anybody reads of a difference.
const MESSAGE_BYTES: usize = 64 << 10;
/// Payload bytes kept of one connection, so that a busy one leaves room for the others.
const LEG_BYTES: usize = 4 << 20;
/// Payload bytes kept of a capture.
const ALL_BYTES: usize = 256 << 20;
/// A control frame's payload is at most this (RFC 6455 section 5.5), and always kept.
const CONTROL_BYTES: usize = 125;
/// Messages remembered of a capture, at about 130 bytes each.
const ALL_MESSAGES: usize = 1 << 22;
/// Connections remembered of a capture: as many as are followed at once.
const LEGS: usize = 1 << 18;
/// Bytes of handshakes remembered of a capture.
const HEAD_BYTES: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use super::super::testkit::*;
    use super::*;

    #[test]
    fn connections_are_numbered_by_their_first_event() {
        let mut kit = Kit::new();
        kit.leg(40001, 80).finish();
        kit.leg(40002, 80).finish();
        let legs = kit.collected().legs;
        assert_eq!(
            legs.iter().map(|l| (l.no.0, l.client.port())).collect::<Vec<_>>(),
            [(1, 40001), (2, 40002)]
        );
    }

    #[test]
    fn long_payload_is_cut_but_still_told_apart_by_its_hash() {
        let mut kit = Kit::new();
        let long = vec![b'x'; MESSAGE_BYTES + 1];
        let mut other = long.clone();
        *other.last_mut().unwrap() = b'y';
        let mut leg = kit.leg(40001, 80);
        leg.data(Direction::ToServer, MessageKind::Binary, &long);
        leg.data(Direction::ToServer, MessageKind::Binary, &other);
        leg.finish();
        let legs = kit.collected().legs;
        let [one, two] = legs[0].messages.to_server.as_slice() else { panic!("two messages") };
        assert_eq!(one.payload, two.payload);
        assert!(!one.whole());
        assert_ne!(one.hash, two.hash);
    }

    #[test]
    fn payloads_of_one_connection_stay_in_their_budget() {
        let mut kit = Kit::new();
        let long = vec![b'x'; MESSAGE_BYTES];
        let mut leg = kit.leg(40001, 80);
        for _ in 0..LEG_BYTES / MESSAGE_BYTES + 3 {
            leg.data(Direction::ToServer, MessageKind::Binary, &long);
        }
        leg.finish();
        let legs = kit.collected().legs;
        let kept: usize = legs[0].messages.to_server.iter().map(|m| m.payload.len()).sum();
        assert_eq!(kept, LEG_BYTES);
    }

    #[test]
    fn sha1_of_abc_is_the_one_of_fips_180() {
        assert_eq!(Hash::of(b"abc"), Hash(0xa999_3e36_4706_816a_ba3e_2571_7850_c26c));
    }
}
