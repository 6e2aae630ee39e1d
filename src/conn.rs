//! One TCP connection's way through the protocols: probe, HTTP, WebSocket.
//!
//! Gets: [`StreamEvent`]s of both sides from [`crate::flow`]. Gives: events to a [`Sink`]. Keeps: per
//! connection one [`Stage`]; what came before it was clear is held (bounded) and replayed into the
//! stage that is chosen.
//!
//! ```text
//!            +-- nothing for us --> Ignored
//!   Probe ---+-- HTTP/1 ----------> Http --101----> Ws
//!     ^      +-- HTTP/2 ----------> H2      streams, a session each
//!     |      +-- frames, no head -> Ws    --CONNECT 2xx, 101 to h2c--> Probe
//!     |      |                      |
//!     |      +-- TLS -> Tls: all of this anew, for what is inside
//!     |                             |
//!     +-- answer not in the capture-+
//! ```

mod h2;
mod handler;
mod probe;
mod sealed;
mod sight;
mod tls;

use std::mem;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::event::{ConnInfo, Cx, Event, Handshake, HttpVersion, Outcome, Sink, TlsInfo, Wants};
use crate::flow::{FlowInfo, Side, StreamEvent};
use crate::http::{Answer, CutBy, Exchange, Guess, HeldPiece, Http1, Step, looks_like};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode};
use crate::tls::KeyLog;
use crate::units::{ConnKey, Count, Direction, Origin, PerDirection};
use crate::ws::ending::FailedOpening;
use crate::ws::session::{Session, Setup};
use crate::ws::{Out, Scratch, handshake};
use h2::Streams;
use probe::{LostAnswer, Probe, Verdict};
pub use sealed::Sealed;
use tls::Tunnel;

/// TCP connections that were found to carry something that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// TLS whose secrets are not known.
    pub tls: u64,
    /// HTTP/2 that could not be followed, as too much of it is missing.
    pub http2: u64,
    /// Anything else.
    pub other: u64,
}

/// Follows all connections, and hands their events to the sink.
#[derive(Debug)]
pub struct Conns<S> {
    sink: S,
    wants: Wants,
    limits: Limits,
    scratch: Scratch,
    /// Of connections that went on to something else, for those to come.
    #[expect(clippy::vec_box, reason = "connections hold the boxes")]
    spare: Vec<Box<Http1>>,
    unread: Unread,
    sealed: Sealed,
    keys: KeyLog,
    /// The version of the key log at which waiting connections were looked at.
    keys_seen: u64,
}

/// What is kept of one TCP connection.
#[derive(Debug, Default)]
pub struct Conn {
    stage: Stage,
    /// The side that is the client; `None` until that is clear.
    client: Option<Side>,
    /// Upgrade attempts so far.
    attempts: u32,
    /// So many TLS connections are around it.
    depth: u8,
    /// A PROXY protocol header came before these, and no attempt has it yet.
    proxy_protocol: Option<u8>,
    /// What was agreed in the innermost of these.
    tls: Option<Arc<TlsInfo>>,
}

/// Where a connection stands.
#[derive(Debug, Default)]
enum Stage {
    /// Nothing came yet.
    #[default]
    New,
    /// Not clear what it is.
    Probe(Box<Probe>),
    /// HTTP/1, before an upgrade.
    Http(Box<Http1>),
    /// HTTP/2, and the WebSockets in it.
    H2(Box<Streams>),
    /// WebSocket frames.
    Ws(Box<Live>),
    /// TLS, with all of this for what is inside.
    Tls(Box<Tunnel>),
    /// TLS that can not be read, of which that is told.
    Sealed(Box<Live>),
    /// Nothing for us.
    Ignored,
}

/// A WebSocket connection that is open; what each segment asks for stands close together.
#[derive(Debug)]
#[repr(C)]
struct Live {
    session: Session,
    /// Bytes of the request's own body that the client still sends before its frames.
    body_left: u64,
    info: ConnInfo,
}

impl Live {
    fn new(info: ConnInfo, setup: Setup) -> Self {
        Self { info, session: Session::new(setup), body_left: 0 }
    }
}

impl<S: Sink> Conns<S> {
    /// Events go to `sink`.
    pub fn new(sink: S, limits: Limits) -> Self {
        let wants = sink.wants();
        Self {
            sink,
            wants,
            limits,
            scratch: Scratch::default(),
            spare: Vec::new(),
            unread: Unread::default(),
            sealed: Sealed::default(),
            keys: KeyLog::new(),
            keys_seen: 0,
        }
    }

    /// Reads TLS with the secrets of this key log.
    pub fn set_keys(&mut self, keys: KeyLog) {
        self.keys = keys;
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// The sink.
    pub const fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Working memory, to be lent and taken back.
    pub(crate) const fn scratch_mut(&mut self) -> &mut Scratch {
        &mut self.scratch
    }

    /// What was not read.
    pub const fn unread(&self) -> Unread {
        self.unread
    }

    /// Which servers the unread TLS connections were to.
    pub const fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// What a session of this connection works with.
    #[inline]
    fn out<'a>(&'a mut self, conn: &'a ConnInfo) -> Out<'a, S> {
        Out {
            sink: &mut self.sink,
            wants: self.wants,
            limits: &self.limits,
            conn,
            scratch: &mut self.scratch,
        }
    }

    /// Takes an event into whatever stage the connection is in.
    #[expect(
        clippy::inline_always,
        reason = "what a segment says is handed down through all of it"
    )]
    #[inline(always)]
    fn feed(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let dir = conn.direction(side);
        // The way of nearly all segments.
        if let Stage::Ws(live) = &mut conn.stage
            && let StreamEvent::Data { origin, bytes } = event
            && live.body_left == 0
        {
            let Live { info, session, .. } = &mut **live;
            return session.data(dir, origin, bytes, &mut self.out(info));
        }
        self.feed_stage(flow, conn, side, event)
    }

    #[inline(never)]
    fn feed_stage(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let dir = conn.direction(side);
        if let Stage::Ws(live) = &mut conn.stage {
            return self.feed_session(live, dir, event);
        }
        match mem::take(&mut conn.stage) {
            Stage::New => {
                if let StreamEvent::Data { bytes, .. } = event
                    && flow.opener == Some(side)
                    && looks_like(bytes) == Guess::Request
                {
                    // The usual start, which needs no copy of it to be tried out on.
                    conn.client = Some(side);
                    let http = self.spare.pop().unwrap_or_default();
                    return self.feed_http(flow, conn, http, side, event);
                }
                conn.stage = Stage::Probe(Box::new(Probe::new(flow.opener)));
                self.feed(flow, conn, side, event)
            }
            Stage::Probe(mut probe) => {
                let verdict = probe.take(side, event, &self.limits);
                self.after_probe(flow, conn, probe, verdict)
            }
            Stage::Http(http) => self.feed_http(flow, conn, http, side, event),
            Stage::Tls(tunnel) => self.feed_tls(flow, conn, tunnel, side, event),
            Stage::H2(mut h2) => {
                let flow_on = self.feed_h2(flow, conn, &mut h2, dir, event);
                conn.stage = Stage::H2(h2);
                flow_on
            }
            Stage::Sealed(mut live) => {
                let flowing = self.feed_sealed(&mut live, dir, event);
                conn.stage = Stage::Sealed(live);
                flowing
            }
            stage @ (Stage::Ws(_) | Stage::Ignored) => {
                conn.stage = stage;
                ControlFlow::Continue(())
            }
        }
    }

    fn feed_session(
        &mut self,
        live: &mut Live,
        dir: Direction,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let event = match event {
            StreamEvent::Data { origin, bytes }
                if live.body_left > 0 && dir == Direction::ToServer =>
            {
                let skip = usize::try_from(live.body_left).unwrap_or(usize::MAX).min(bytes.len());
                live.body_left -= skip as u64;
                StreamEvent::Data { origin, bytes: bytes.get(skip..).unwrap_or_default() }
            }
            StreamEvent::Gap { origin, len, snapped }
                if live.body_left > 0 && dir == Direction::ToServer =>
            {
                let skip = live.body_left.min(len);
                live.body_left -= skip;
                StreamEvent::Gap { origin, len: len - skip, snapped }
            }
            event => event,
        };
        let Live { info, session, .. } = live;
        let mut out = self.out(info);
        match event {
            StreamEvent::Data { origin, bytes } => session.data(dir, origin, bytes, &mut out),
            StreamEvent::Gap { origin, len, snapped } => {
                session.gap(dir, origin, len, snapped, &mut out)
            }
            StreamEvent::Fin { origin } => session.fin(dir, origin, &mut out),
            StreamEvent::Reset { origin } => session.reset(dir, origin, &mut out),
            StreamEvent::Conflict { origin, len } => {
                session.note(conflict(dir, origin, len), out.limits);
                ControlFlow::Continue(())
            }
        }
    }

    fn feed_http(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        mut http: Box<Http1>,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let dir = conn.direction(side);
        match event {
            StreamEvent::Data { origin, mut bytes } => {
                while let Some(step) = http.data(dir, origin, &mut bytes, &self.limits) {
                    match self.step(flow, conn, http, step, origin)? {
                        // HTTP goes on behind a refused upgrade.
                        Some(again) => http = again,
                        None if bytes.is_empty() => return ControlFlow::Continue(()),
                        None => {
                            return self.feed(
                                flow,
                                conn,
                                side,
                                StreamEvent::Data { origin, bytes },
                            );
                        }
                    }
                }
                conn.stage = Stage::Http(http);
                ControlFlow::Continue(())
            }
            StreamEvent::Gap { origin, len, .. } => {
                let step = http.gap(dir, origin, len, &self.limits);
                self.http_moved(flow, conn, http, step, origin, (side, event))
            }
            StreamEvent::Fin { origin } => {
                let step = http.closed(CutBy::Fin(dir, origin), &self.limits);
                self.http_moved(flow, conn, http, step, origin, (side, event))
            }
            StreamEvent::Reset { origin } => {
                let step = http.closed(CutBy::Reset(dir, origin), &self.limits);
                self.http_moved(flow, conn, http, step, origin, (side, event))
            }
            StreamEvent::Conflict { .. } => {
                conn.stage = Stage::Http(http);
                ControlFlow::Continue(())
            }
        }
    }

    /// Acts on what a gap or an end meant to HTTP; the event itself goes on to the next stage.
    fn http_moved(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        http: Box<Http1>,
        step: Option<Step>,
        origin: Origin,
        (side, event): (Side, StreamEvent<'_>),
    ) -> ControlFlow<()> {
        let Some(step) = step else {
            conn.stage = Stage::Http(http);
            return ControlFlow::Continue(());
        };
        if let Some(http) = self.step(flow, conn, http, step, origin)? {
            conn.stage = Stage::Http(http);
            return ControlFlow::Continue(());
        }
        self.feed(flow, conn, side, event)
    }

    /// Acts on a step of HTTP. Gives HTTP back where it goes on.
    fn step(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        mut http: Box<Http1>,
        step: Step,
        origin: Origin,
    ) -> ControlFlow<(), Option<Box<Http1>>> {
        match step {
            Step::Refused(exchange) => {
                let info = conn.next_attempt(flow);
                let refused = Handshake { last: true, ..conn.judge(*exchange, &self.limits) };
                self.tell(&info, origin, &refused)?;
                return ControlFlow::Continue(Some(http));
            }
            Step::Switched(exchange) => {
                let info = conn.next_attempt(flow);
                // Where bytes of the request are missing, frames behind it may be missing with them.
                let request_whole = exchange.request.is_some() && !exchange.request_partial;
                let mut judged = conn.judge(*exchange, &self.limits);
                judged.last = judged.notes.iter().any(|n| n.code == NoteCode::OtherProtocol);
                self.tell(&info, origin, &judged)?;
                if judged.last {
                    conn.stage = Stage::Ignored;
                    return ControlFlow::Continue(None);
                }
                let mut setup = Setup {
                    begin: flow.begin.time,
                    synced: PerDirection { to_server: request_whole, to_client: true },
                    ..Setup::of(&judged)
                };
                let left = http.client_left();
                if left.is_some() {
                    setup.failed_opening = Some(FailedOpening::Left);
                }
                let mut live = Box::new(Live::new(info, setup));
                live.session.opened(origin);
                conn.stage = Stage::Ws(live);
                self.replay_held(flow, conn, &mut http)?;
                if let Some(origin) = left {
                    let client = conn.client_side();
                    self.feed(flow, conn, client, StreamEvent::Fin { origin })?;
                }
            }
            Step::Unanswered(exchange) => {
                let goes_on = matches!(exchange.answer, Answer::Missing | Answer::Partial(_));
                // What the request did not offer can not have been agreed.
                let offer_known = exchange.request.is_some() && !exchange.request_partial;
                let info = conn.next_attempt(flow);
                let judged = Handshake { last: !goes_on, ..conn.judge(*exchange, &self.limits) };
                self.tell(&info, origin, &judged)?;
                if goes_on {
                    let attempt = LostAnswer { info, deflate: judged.deflate, offer_known };
                    let probe = Probe::after_lost_answer(conn.client_side(), attempt);
                    conn.stage = Stage::Probe(Box::new(probe));
                    self.replay_held(flow, conn, &mut http)?;
                } else {
                    conn.stage = Stage::Ignored;
                }
            }
            Step::Tunnel => {
                conn.stage = Stage::Probe(Box::new(Probe::tunnel(conn.client_side())));
                self.replay_held(flow, conn, &mut http)?;
            }
            Step::NotOurs => {
                self.unread.other += 1;
                conn.stage = Stage::Ignored;
            }
        }
        if self.spare.len() < SPARE {
            http.renew();
            self.spare.push(http);
        }
        ControlFlow::Continue(None)
    }

    /// What the client sent before it had its answer goes into the stage that the answer chose.
    fn replay_held(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        http: &mut Http1,
    ) -> ControlFlow<()> {
        let client = conn.client_side();
        let held = http.take_held();
        for piece in held.pieces() {
            let event = match piece {
                HeldPiece::Data { origin, bytes } => StreamEvent::Data { origin, bytes },
                HeldPiece::Gap { origin, len, .. } => {
                    StreamEvent::Gap { origin, len, snapped: false }
                }
            };
            self.feed(flow, conn, client, event)?;
        }
        if let Stage::Ws(live) = &mut conn.stage {
            live.body_left = held.body_left;
        }
        ControlFlow::Continue(())
    }

    fn after_probe(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        mut probe: Box<Probe>,
        verdict: Verdict,
    ) -> ControlFlow<()> {
        match verdict {
            Verdict::Undecided => {
                conn.stage = Stage::Probe(probe);
                return ControlFlow::Continue(());
            }
            Verdict::Http { client } => {
                conn.client = Some(client);
                conn.stage = Stage::Http(Box::default());
            }
            Verdict::Tls { proxy_protocol } if Tunnel::may_begin(conn) => {
                let mut tunnel = Tunnel::new(conn);
                if let Some((side, version, len)) = proxy_protocol {
                    probe.drop_front(side, len);
                    tunnel.inner_mut().proxy_protocol = Some(version);
                }
                conn.stage = Stage::Tls(Box::new(tunnel));
            }
            Verdict::Tls { .. } => {
                self.unread.tls += 1;
                conn.stage = Stage::Ignored;
            }
            Verdict::Http2 { client, mid_connection } => {
                conn.client = Some(client);
                let streams = if mid_connection {
                    let (a, b) = probe.begin_http2();
                    let at_frame = if client == Side::A { (a, b) } else { (b, a) };
                    Streams::mid_connection(at_frame)
                } else {
                    Streams::default()
                };
                conn.stage = Stage::H2(Box::new(streams));
            }
            Verdict::Other => {
                self.unread.other += 1;
                conn.stage = Stage::Ignored;
            }
            Verdict::Frames { client, client_synced } => {
                conn.client = Some(client);
                self.open_without_answer(flow, conn, &probe, client_synced)?;
            }
        }
        if matches!(conn.stage, Stage::Ignored) {
            return ControlFlow::Continue(());
        }
        probe.replay().try_for_each(|(side, event)| self.feed(flow, conn, side, event))
    }

    /// Frames were recognised where the capture lacks the handshake, or its answer.
    fn open_without_answer(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        probe: &Probe,
        client_synced: bool,
    ) -> ControlFlow<()> {
        let (info, deflate, handshake_known) = if let Some(attempt) = probe.attempt() {
            (attempt.info.clone(), attempt.deflate, attempt.offer_known)
        } else {
            let info = conn.next_attempt(flow);
            self.tell(&info, probe.begin().unwrap_or(flow.begin), &unseen(&info))?;
            (info, None, false)
        };
        let setup = Setup {
            deflate,
            synced: PerDirection { to_server: client_synced, to_client: false },
            handshake_known,
            ..Setup::unseen(flow.begin)
        };
        conn.stage = Stage::Ws(Box::new(Live::new(info, setup)));
        ControlFlow::Continue(())
    }

    fn tell(&mut self, info: &ConnInfo, origin: Origin, judged: &Handshake) -> ControlFlow<()> {
        self.sink.event(&Cx { conn: info, origin }, &Event::Handshake(judged))
    }
}

/// HTTP stages kept for connections to come; more are only in use while more handshakes are going on.
const SPARE: usize = 64;

/// A segment says otherwise than the one it repeats.
fn conflict(dir: Direction, origin: Origin, len: u64) -> Note {
    let text = format!(
        "packet {} repeats {} of the {} with other content; the first copy stands",
        origin.packet,
        Count(len, "byte"),
        dir.sender(),
    );
    Note::new(NoteCode::OverlapConflict, Blame::Capture, text)
}

/// What stands in place of a handshake that the capture lacks.
fn unseen(info: &ConnInfo) -> Handshake {
    Handshake {
        http: HttpVersion::Http1,
        outcome: Outcome::Unseen,
        request: None,
        response: None,
        subprotocol: None,
        extensions: None,
        deflate: None,
        notes: vec![Note::new(
            NoteCode::HandshakeUnseen,
            Blame::Capture,
            format!(
                "the capture has frames between {} and {}, but not their opening handshake",
                info.client, info.server
            ),
        )],
        cut: PerDirection::default(),
        last: false,
    }
}

impl Conn {
    fn client_side(&self) -> Side {
        self.client.unwrap_or(Side::A)
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client_side() { Direction::ToServer } else { Direction::ToClient }
    }

    /// Leaves a note with every WebSocket session that goes on in it, or inside its TLS.
    fn note(&mut self, note: &Note, limits: &Limits) {
        match &mut self.stage {
            Stage::Ws(live) => live.session.note(note.clone(), limits),
            Stage::H2(h2) => h2.note(note, limits),
            Stage::Tls(tunnel) => tunnel.inner_mut().note(note, limits),
            _ => {}
        }
    }

    /// Judges an attempt, with what came before it.
    fn judge(&mut self, mut exchange: Exchange, limits: &Limits) -> Handshake {
        exchange.proxy_protocol = exchange.proxy_protocol.or(self.proxy_protocol.take());
        handshake::judge(exchange, limits)
    }

    fn next_attempt(&mut self, flow: &FlowInfo) -> ConnInfo {
        let nth = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        let client = self.client_side();
        let (client, server): (SocketAddr, SocketAddr) =
            (flow.addr(client), flow.addr(client.flip()));
        ConnInfo {
            key: ConnKey { flow: flow.id, nth },
            stream: flow.stream,
            client,
            server,
            tls: self.tls.clone(),
            h2_stream: None,
        }
    }
}
