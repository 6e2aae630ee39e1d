//! A TLS connection's way: decrypted, what is inside goes through the protocols anew.
//!
//! Gets: stream events of a connection that begins with TLS records. Gives: the plaintext to a [`Conn`] of
//! its own. Keeps: the [`Decoder`], and that connection.

use std::ops::ControlFlow;

use super::{Conn, Conns, Live, Stage, unseen};
use crate::event::{Handshake, Sink};
use crate::flow::{FlowInfo, Side, StreamEvent};
use crate::note::{Blame, Note, NoteCode};
use crate::tls::{Agreed, Decoder, Output, Unopened};
use crate::units::{Direction, Origin, PacketNo};
use crate::ws::session::Setup;

/// A TLS connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    decoder: Decoder,
    inner: Conn,
    /// How TCP ended, as far as it did.
    ends: Vec<(Side, StreamEvent<'static>)>,
}

/// TLS inside TLS (a tunnel through an https proxy) is followed so deep.
const DEPTH: u8 = 3;

impl Tunnel {
    /// Around what is to follow in a connection.
    pub(super) fn new(outer: &Conn) -> Self {
        let inner = Conn {
            depth: outer.depth.saturating_add(1),
            attempts: outer.attempts,
            ..Conn::default()
        };
        Self { decoder: Decoder::default(), inner, ends: Vec::new() }
    }

    /// May another one begin inside of what is at this depth.
    pub(super) const fn may_begin(outer: &Conn) -> bool {
        outer.depth < DEPTH
    }

    pub(super) fn weight(&self) -> usize {
        self.decoder.weight()
    }

    /// Something of it was read.
    pub(super) fn is_proven(&self) -> bool {
        self.decoder.is_proven()
    }

    pub(super) const fn inner(&self) -> &Conn {
        &self.inner
    }

    pub(super) const fn inner_mut(&mut self) -> &mut Conn {
        &mut self.inner
    }

    /// Does it keep anything but what is inside.
    pub(super) fn is_waiting(&self) -> bool {
        self.decoder.is_waiting()
    }
}

/// Gives plaintext to what is inside.
struct Inside<'a, S> {
    conns: &'a mut Conns<S>,
    flow: &'a FlowInfo,
    inner: &'a mut Conn,
}

impl<S: Sink> Output for Inside<'_, S> {
    fn plain(&mut self, agreed: &Agreed, side: Side, event: StreamEvent<'_>) -> ControlFlow<()> {
        if self.inner.tls.as_ref() != Some(&agreed.info) {
            self.inner.tls = Some(agreed.info.clone());
        }
        // Whoever opened the TCP connection: the client of TLS speaks first inside.
        let flow = FlowInfo { opener: Some(agreed.client), ..*self.flow };
        self.conns.feed_stage(&flow, self.inner, side, event)
    }

    fn uncertain(&mut self, side: Side, origin: Origin) -> ControlFlow<()> {
        let dir = self.inner.direction(side);
        match &mut self.inner.stage {
            Stage::Ws(live) => {
                let Live { info, session, .. } = &mut **live;
                session.astray(dir, origin, &mut self.conns.out(info))
            }
            Stage::H2(h2) => {
                h2.lose(dir);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn unopened(&mut self, side: Side, origin: Origin, what: Unopened) {
        let dir = self.inner.direction(side);
        let what = match what {
            Unopened::Record => "a TLS record",
            Unopened::Rest => "what follows",
        };
        let text = format!(
            "{what} of the {} from packet {} on can not be decrypted: it does not fit the keys",
            dir.sender(),
            origin.packet
        );
        let note = Note::new(NoteCode::Undecryptable, Blame::Capture, text);
        self.inner.note(&note, &self.conns.limits);
    }
}

impl<S: Sink> Conns<S> {
    /// Takes an event of a TLS connection.
    pub(super) fn feed_tls(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        mut tunnel: Box<Tunnel>,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let keys = self.keys.clone();
        let Tunnel { decoder, inner, ends } = &mut *tunnel;
        match event {
            StreamEvent::Fin { origin } => ends.push((side, StreamEvent::Fin { origin })),
            StreamEvent::Reset { origin } => ends.push((side, StreamEvent::Reset { origin })),
            _ => {}
        }
        let now = origin_of(&event).packet;
        let mut out = Inside { conns: self, flow, inner };
        decoder.push(side, event, now, &keys, &mut out)?;
        let limits = &out.conns.limits;
        let room = if keys.is_promising(now) { limits.tls_bytes } else { limits.tls_hope_bytes };
        if decoder.is_waiting() && decoder.weight() > room {
            decoder.last_chance(now, &keys, &mut out)?;
        }
        self.after_tls(flow, conn, tunnel, origin_of(&event))
    }

    /// Were secrets added since this was asked for the last time.
    pub(crate) fn has_new_keys(&mut self) -> bool {
        if !self.keys.grows() {
            return false;
        }
        self.keys.poll();
        let version = self.keys.version();
        std::mem::replace(&mut self.keys_seen, version) != version
    }

    /// Secrets were added: tries again what waits for some, behind the packet `origin`.
    pub(crate) fn retry_tls(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        origin: Origin,
    ) -> ControlFlow<()> {
        if !matches!(&conn.stage, Stage::Tls(tunnel) if tunnel.is_waiting()) {
            return ControlFlow::Continue(());
        }
        let Stage::Tls(mut tunnel) = std::mem::take(&mut conn.stage) else {
            return ControlFlow::Continue(());
        };
        let keys = self.keys.clone();
        let Tunnel { decoder, inner, .. } = &mut *tunnel;
        decoder.retry(origin.packet, &keys, &mut Inside { conns: self, flow, inner })?;
        self.after_tls(flow, conn, tunnel, origin)
    }

    /// No secrets are waited for any more: reads what can be read.
    pub(super) fn give_up_tls(
        &mut self,
        flow: &FlowInfo,
        tunnel: &mut Tunnel,
        now: PacketNo,
    ) -> ControlFlow<()> {
        let keys = self.keys.clone();
        let Tunnel { decoder, inner, .. } = tunnel;
        decoder.last_chance(now, &keys, &mut Inside { conns: self, flow, inner })
    }

    /// Where a TLS connection stands behind an event.
    pub(super) fn after_tls(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        mut tunnel: Box<Tunnel>,
        origin: Origin,
    ) -> ControlFlow<()> {
        if tunnel.decoder.is_unreadable() {
            return self.tls_unread(flow, conn, &mut tunnel, origin);
        }
        if matches!(tunnel.inner.stage, Stage::Ignored) {
            // What is inside is nothing for us.
            conn.stage = Stage::Ignored;
        } else {
            conn.stage = Stage::Tls(tunnel);
        }
        ControlFlow::Continue(())
    }

    /// A TLS connection can not be read. Who has secrets of others is told of it, where it may be a
    /// WebSocket.
    pub(super) fn tls_unread(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        tunnel: &mut Tunnel,
        origin: Origin,
    ) -> ControlFlow<()> {
        self.unread.tls += 1;
        if let Some(name) = tunnel.decoder.server_name() {
            self.sealed.add(flow.id, name);
        }
        conn.stage = Stage::Ignored;
        let told = tunnel.decoder.may_be_websocket() && self.keys.knows_any(origin.packet);
        let Some(agreed) = tunnel.decoder.agreed().filter(|_| told) else {
            return ControlFlow::Continue(());
        };
        conn.client = Some(agreed.client);
        conn.tls = Some(agreed.info.clone());
        let info = conn.next_attempt(flow);
        let why = match tunnel.decoder.foreign_cipher() {
            Some(cipher) => format!("its cipher suite {cipher} is none that is read here"),
            None => "there are secrets, but none that fit it".to_owned(),
        };
        let text = format!(
            "TLS between {} and {} can not be decrypted: {why}; it may be a WebSocket",
            info.client, info.server
        );
        let note = Note::new(NoteCode::Undecryptable, Blame::Capture, text);
        self.tell(&info, origin, &Handshake { notes: vec![note], ..unseen(&info) })?;
        let mut live = Box::new(Live::new(info, Setup::unseen(flow.begin)));
        for (side, event) in &tunnel.ends {
            self.feed_session(&mut live, conn.direction(*side), *event)?;
        }
        conn.stage = Stage::Sealed(live);
        ControlFlow::Continue(())
    }

    /// Nothing but its end is told of a connection that can not be read.
    pub(super) fn feed_sealed(
        &mut self,
        live: &mut Live,
        dir: Direction,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        match event {
            StreamEvent::Fin { .. } | StreamEvent::Reset { .. } => {
                self.feed_session(live, dir, event)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn origin_of(event: &StreamEvent<'_>) -> Origin {
    match *event {
        StreamEvent::Data { origin, .. }
        | StreamEvent::Gap { origin, .. }
        | StreamEvent::Conflict { origin, .. }
        | StreamEvent::Fin { origin }
        | StreamEvent::Reset { origin } => origin,
    }
}
