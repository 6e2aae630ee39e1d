//! Is a `Sec-WebSocket-Key` used twice? The one rule that looks over several connections.
//!
//! A proxy that passes the handshake on uses its client's key on its server leg, and rightly so. Its
//! exchange lies inside the client's: asked after the client asked, answered before the client was
//! answered. Captures that were taken in several places, or by several queues, may have that a little out of
//! order. A key whose other use lies elsewhere is a used-up key (RFC 6455 section 4.1: "the nonce MUST be
//! selected randomly for each connection").

use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::event::{Counted, Cx, Event, Handshake, Later, Sink, Wants};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{FlowId, PacketNo};

/// Uses remembered of one key: enough for any chain of proxies, and for retries of theirs.
const USES: usize = 16;

/// Longest key remembered; a right one has 24 characters.
const KEY_BYTES: usize = 64;

/// From request to answer.
#[derive(Debug, Clone, Copy)]
struct Use {
    flow: FlowId,
    from: PacketNo,
    to: PacketNo,
    server: SocketAddr,
}

impl Use {
    fn holds(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Can they be legs of the same connection: one within the other, or at the same time to different
    /// servers, whatever the order in which their packets were captured.
    fn may_be_leg_of(&self, other: &Self) -> bool {
        let meet = self.from <= other.to && other.from <= self.to;
        self.holds(other) || other.holds(self) || meet && self.server != other.server
    }
}

/// A key and its uses: in place for a right key that is used once, which is nearly every key.
#[derive(Debug)]
struct Seen {
    key: SmallVec<[u8; 24]>,
    uses: SmallVec<[Use; 1]>,
}

/// Passes events on, and notes reused keys.
#[derive(Debug)]
pub(super) struct KeyWatch<S> {
    sink: S,
    /// The keys seen last, in the order of their first use; once full, round and round.
    seen: Vec<Seen>,
    /// Where the oldest stands, once it is full.
    oldest: usize,
    /// Places in `seen`.
    index: HashTable<u32>,
    hasher: RandomState,
    limit: usize,
}

impl<S> KeyWatch<S> {
    pub(super) fn new(sink: S, limit: usize) -> Self {
        Self {
            sink,
            seen: Vec::new(),
            oldest: 0,
            index: HashTable::new(),
            hasher: RandomState::default(),
            limit: limit.clamp(1, u32::MAX as usize),
        }
    }

    pub(super) fn into_sink(self) -> S {
        self.sink
    }

    pub(super) const fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Remembers this use; gives an earlier one that can not be a leg of the same connection.
    fn register(&mut self, key: &[u8], this: Use) -> Option<Use> {
        let hash = self.hasher.hash_one(key);
        let is_it = |at: &u32| self.seen.get(*at as usize).is_some_and(|s| *s.key == *key);
        if let Some(&at) = self.index.find(hash, is_it) {
            let uses = &mut self.seen.get_mut(at as usize)?.uses;
            let reused = uses
                .iter()
                .rev()
                .find(|other| other.flow != this.flow && !this.may_be_leg_of(other));
            let reused = reused.copied();
            if uses.len() >= USES {
                uses.remove(0);
            }
            uses.push(this);
            return reused;
        }
        let at = self.place();
        let fresh = Seen { key: SmallVec::from_slice(key), uses: SmallVec::from_elem(this, 1) };
        match self.seen.get_mut(at as usize) {
            Some(slot) => *slot = fresh,
            None => self.seen.push(fresh),
        }
        let Self { seen, index, hasher, .. } = self;
        index.insert_unique(hash, at, |at| {
            seen.get(*at as usize).map_or(0, |s| hasher.hash_one(&*s.key))
        });
        None
    }

    /// Where the next key goes: behind the others, or in place of the oldest, which is forgotten.
    fn place(&mut self) -> u32 {
        let (at, full) = match self.seen.len() {
            len if len < self.limit => (len, false),
            len => (self.oldest % len, true),
        };
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        if full && let Some(old) = self.seen.get(at) {
            self.oldest = at + 1;
            let hash = self.hasher.hash_one(&*old.key);
            if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
                entry.remove();
            }
        }
        place
    }

    fn judge(&mut self, cx: &Cx<'_>, handshake: &Handshake) -> Option<Note> {
        let request = handshake.request.as_ref()?;
        let key = request.fields.first("sec-websocket-key")?;
        if key.is_empty() || key.len() > KEY_BYTES {
            return None;
        }
        let to = handshake.response.as_ref().map_or(cx.origin.packet, |r| r.origin.packet);
        let server = cx.conn.server;
        let this = Use { flow: cx.conn.key.flow, from: request.begin.packet, to, server };
        let earlier = self.register(key, this)?;
        Some(Note::new(
            NoteCode::KeyReused,
            Blame::Client,
            format!(
                "Sec-WebSocket-Key \"{}\" was used before, by the request in packet {}; each \
                 connection needs a new random one",
                crate::event::header_text(key),
                earlier.from,
            ),
        ))
    }
}

impl<S: Sink> KeyWatch<S> {
    /// Passes a handshake on, with a note where its key was used before.
    #[inline(never)]
    fn handshake(&mut self, cx: &Cx<'_>, handshake: &Handshake) -> ControlFlow<()> {
        let Some(note) = self.judge(cx, handshake) else {
            return self.sink.event(cx, &Event::Handshake(handshake));
        };
        let mut noted = handshake.clone();
        noted.notes.push(note);
        self.sink.event(cx, &Event::Handshake(&noted))
    }
}

impl<S: Sink> Sink for KeyWatch<S> {
    fn wants(&self) -> Wants {
        self.sink.wants()
    }

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Handshake(handshake) => self.handshake(cx, handshake),
            _ => self.sink.event(cx, event),
        }
    }

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        self.sink.counted(cx, counted)
    }

    fn later(&self) -> Later {
        self.sink.later()
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        self.sink.drafted(cx, event, draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(flow: u64) -> Use {
        between(flow, flow, flow, 8088)
    }

    fn between(flow: u64, from: u64, to: u64, port: u16) -> Use {
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        Use { flow: FlowId(PacketNo(flow)), from: PacketNo(from), to: PacketNo(to), server }
    }

    #[test]
    fn keys_are_remembered_up_to_the_limit_and_the_oldest_is_forgotten_first() {
        let mut watch = KeyWatch::new((), 3);
        let keys: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
        for (flow, key) in (1..).zip(keys) {
            assert!(watch.register(key, used(flow)).is_none());
        }
        // "c", "d" and "e" are left.
        for (flow, key) in (3..).zip(&keys[2..]) {
            assert_eq!(watch.register(key, used(10)).map(|u| u.flow.0.0), Some(flow));
        }
        assert!(watch.register(b"b", used(11)).is_none());
        assert!(watch.register(b"c", used(12)).is_none(), "the place of c was taken by b");
        assert_eq!(watch.seen.len(), 3);
        assert_eq!(watch.index.len(), 3);
    }

    #[test]
    fn leg_inside_of_another_is_no_reuse() {
        let mut watch = KeyWatch::new((), 3);
        assert!(watch.register(b"k", between(2, 2, 8, 8088)).is_none());
        assert!(watch.register(b"k", between(1, 1, 9, 80)).is_none());
        assert!(watch.register(b"k", between(10, 10, 12, 443)).is_some());
    }

    #[test]
    fn leg_that_was_captured_a_little_out_of_order_is_no_reuse() {
        let mut watch = KeyWatch::new((), 3);
        assert!(watch.register(b"k", between(1, 2, 9, 80)).is_none());
        assert!(watch.register(b"k", between(2, 1, 8, 8088)).is_none());
        assert!(watch.register(b"k", between(3, 3, 10, 80)).is_some(), "the same server");
    }
}
