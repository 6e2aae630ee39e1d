//! Is a `Sec-WebSocket-Key` used twice? The one rule that looks over several connections.
//!
//! A proxy that passes the handshake on uses its client's key on its server leg, and rightly so. Its
//! exchange lies inside the client's: asked after the client asked, answered before the client was
//! answered. A key whose other use lies elsewhere is a used-up key (RFC 6455 section 4.1: "the nonce
//! MUST be selected randomly for each connection").

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Handshake, Later, Sink, Wants};
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
}

impl Use {
    fn holds(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }
}

/// Passes events on, and notes reused keys.
#[derive(Debug)]
pub(super) struct KeyWatch<S> {
    sink: S,
    uses: HashMap<Box<[u8]>, Vec<Use>>,
    order: VecDeque<Box<[u8]>>,
    limit: usize,
}

impl<S> KeyWatch<S> {
    pub(super) fn new(sink: S, limit: usize) -> Self {
        Self { sink, uses: HashMap::new(), order: VecDeque::new(), limit }
    }

    pub(super) fn into_sink(self) -> S {
        self.sink
    }

    pub(super) const fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Remembers this use; gives an earlier one that can not be a leg of the same connection.
    fn register(&mut self, key: &[u8], this: Use) -> Option<Use> {
        if let Some(uses) = self.uses.get_mut(key) {
            let reused = uses
                .iter()
                .rev()
                .find(|other| other.flow != this.flow && !this.holds(other) && !other.holds(&this));
            let reused = reused.copied();
            if uses.len() >= USES {
                uses.remove(0);
            }
            uses.push(this);
            return reused;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.uses.remove(&oldest);
        }
        self.order.push_back(key.into());
        self.uses.insert(key.into(), vec![this]);
        None
    }

    fn judge(&mut self, cx: &Cx<'_>, handshake: &Handshake) -> Option<Note> {
        let request = handshake.request.as_ref()?;
        let key = request.fields.first("sec-websocket-key")?;
        if key.is_empty() || key.len() > KEY_BYTES {
            return None;
        }
        let to = handshake.response.as_ref().map_or(cx.origin.packet, |r| r.origin.packet);
        let this = Use { flow: cx.conn.key.flow, from: request.begin.packet, to };
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

impl<S: Sink> Sink for KeyWatch<S> {
    fn wants(&self) -> Wants {
        self.sink.wants()
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Handshake(handshake) = event
            && let Some(note) = self.judge(cx, handshake)
        {
            let mut noted = (*handshake).clone();
            noted.notes.push(note);
            return self.sink.event(cx, &Event::Handshake(&noted));
        }
        self.sink.event(cx, event)
    }

    fn later(&self) -> Later {
        self.sink.later()
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        self.sink.drafted(cx, event, draft)
    }
}
