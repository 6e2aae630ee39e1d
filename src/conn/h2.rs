//! The WebSockets that streams of one HTTP/2 connection carry (RFC 8441).
//!
//! Gets: what the flow says of the TCP connection. Gives: to the sink, the events of each WebSocket by
//! itself. Keeps: the [`Http2`], and a session for each stream that is a WebSocket; as many as
//! [`Limits::h2_streams`](crate::limits::Limits::h2_streams) allow.
//!
//! ```text
//!   TCP bytes -> Http2 -+- Opened, Over --> handshake::judge --> Event::Handshake
//!                       +- Data, Gap -----> Session of the stream
//!                       +- End, Reset ----> what FIN and RST are to TCP, for one stream
//!                       |  of a stream whose request was missed: Probe --> Handshake unseen, Session
//!   TCP's FIN, RST, end ------------------> all sessions
//! ```

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::probe::{Probe, Verdict};
use super::{Conn, Conns, Live};
use crate::event::{Handshake, HttpVersion, Sink};
use crate::flow::{Finish, FlowInfo, StreamEvent};
use crate::http::h2::{Http2, Opened, Step};
use crate::http::{CutBy, HeldPiece};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, Origin, PerDirection};
use crate::ws::session::{Session, Setup};

/// An HTTP/2 connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    http: Http2,
    /// By stream.
    lives: BTreeMap<u32, Live>,
    /// Streams whose requests were missed, until it is clear what they are.
    probes: BTreeMap<u32, Probe>,
    /// The first GOAWAY of either side: the only one that a session tells of.
    goaway: Option<(Said, u32)>,
    /// What the sessions and these weigh, added up.
    weight: usize,
    /// A WebSocket was asked for.
    any: bool,
}

impl Streams {
    /// Where the start of the connection is not in the capture. Of the client, and of the server: does a
    /// frame begin with their first byte?
    pub(super) fn mid_connection((to_server, to_client): (bool, bool)) -> Self {
        let http = Http2::mid_connection(PerDirection { to_server, to_client });
        Self { http, ..Self::default() }
    }

    /// Follows a WebSocket from now on.
    fn insert(&mut self, stream: u32, mut live: Live) {
        if let Some((Said { dir, origin }, code)) = self.goaway {
            live.session.goaway(dir, origin, code);
        }
        self.lives.insert(stream, live);
    }

    /// Bytes of memory kept, about.
    pub(super) fn weight(&self) -> usize {
        self.http.weight() + self.weight
    }

    fn drop_probe(&mut self, stream: u32) -> Option<Probe> {
        let probe = self.probes.remove(&stream)?;
        self.weight = self.weight.saturating_sub(probe.weight());
        Some(probe)
    }

    /// Keeps less; with `all`, no more than is needed to stay in step.
    pub(super) fn shed(&mut self, all: bool) {
        if all {
            self.http.shed();
        }
        self.each_session(|session| session.shed(all));
    }

    /// Leaves a note with each session.
    pub(super) fn note(&mut self, note: &Note, limits: &Limits) {
        self.each_session(|session| session.note(note.clone(), limits));
    }

    /// It is not known how many bytes of a direction are missing.
    pub(super) fn lose(&mut self, dir: Direction) {
        self.http.lose(dir);
    }

    fn each_session(&mut self, mut act: impl FnMut(&mut Session)) {
        self.weight = 0;
        for stream in std::mem::take(&mut self.probes).into_keys() {
            self.http.refute(stream);
        }
        for live in self.lives.values_mut() {
            act(&mut live.session);
            self.weight += live.session.weight();
        }
    }
}

/// What one session is given.
#[derive(Debug, Clone, Copy)]
enum Given<'a> {
    Data(&'a [u8]),
    Gap { len: u64, snapped: bool },
    Lost { of: u64, snapped: bool },
    TcpFin,
    TcpReset,
    End,
    Reset(Option<u32>),
    GoAway(u32),
}

/// A gap of the TCP connection, and how it came about: for the sessions that it concerns.
#[derive(Debug, Clone, Copy, Default)]
struct Hole {
    len: u64,
    snapped: bool,
}

/// An HTTP/2 connection that is acted on: the TCP connection that it is, and its streams.
struct At<'a> {
    flow: &'a FlowInfo,
    conn: &'a mut Conn,
    streams: &'a mut Streams,
}

/// Which side says something, and in which packet.
#[derive(Debug, Clone, Copy)]
struct Said {
    dir: Direction,
    origin: Origin,
}

impl<S: Sink> Conns<S> {
    /// Takes what the flow says, in stream order.
    pub(super) fn feed_h2(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        streams: &mut Streams,
        dir: Direction,
        event: StreamEvent<'_>,
    ) -> ControlFlow<()> {
        let at = &mut At { flow, conn, streams };
        let said = |origin| Said { dir, origin };
        match event {
            StreamEvent::Data { origin, bytes } => {
                self.steps(at, said(origin), bytes, Hole::default())
            }
            StreamEvent::Gap { origin, len, snapped } => {
                at.streams.http.gap(dir, origin, len);
                self.steps(at, said(origin), &[], Hole { len, snapped })
            }
            StreamEvent::Fin { origin } => {
                at.streams.http.closed(CutBy::Fin(dir, origin));
                self.steps(at, said(origin), &[], Hole::default())?;
                self.give_all(at, said(origin), Given::TcpFin)
            }
            StreamEvent::Reset { origin } => {
                at.streams.http.closed(CutBy::Reset(dir, origin));
                self.steps(at, said(origin), &[], Hole::default())?;
                self.give_all(at, said(origin), Given::TcpReset)
            }
            StreamEvent::Conflict { origin, len } => {
                at.streams.note(&super::conflict(dir, origin, len), &self.limits);
                ControlFlow::Continue(())
            }
        }
    }

    /// The TCP connection is over for us.
    pub(super) fn finish_h2(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        streams: &mut Streams,
        why: Finish,
        origin: Origin,
    ) -> ControlFlow<()> {
        let at = &mut At { flow, conn, streams };
        at.streams.http.finish();
        self.steps(at, Said { dir: Direction::ToServer, origin }, &[], Hole::default())?;
        if at.streams.http.is_lost() && !at.streams.any {
            self.unread.http2 += 1;
        }
        for stream in at.streams.probes.keys().copied().collect::<Vec<u32>>() {
            let probe = at.streams.probes.get_mut(&stream);
            let verdict = probe.map_or(Verdict::Undecided, Probe::last_chance);
            self.probed(at, stream, verdict)?;
        }
        for live in at.streams.lives.values_mut() {
            let Live { info, session, .. } = live;
            session.finish(why, origin, &mut self.out(info))?;
        }
        at.streams.lives.clear();
        ControlFlow::Continue(())
    }

    /// Reads bytes of a direction, and acts on all that they say.
    fn steps(
        &mut self,
        at: &mut At<'_>,
        said: Said,
        mut bytes: &[u8],
        hole: Hole,
    ) -> ControlFlow<()> {
        while let Some(step) = at.streams.http.data(said.dir, said.origin, &mut bytes, &self.limits)
        {
            match step {
                Step::Data { stream, bytes } => {
                    self.give(at, stream, said, Given::Data(bytes))?;
                }
                Step::Gap { stream, len } => {
                    let given = Given::Gap { len, snapped: hole.snapped };
                    self.give(at, stream, said, given)?;
                }
                Step::Lost { stream } => {
                    let given = Given::Lost { of: hole.len, snapped: hole.snapped };
                    self.give(at, stream, said, given)?;
                }
                Step::End { stream } => {
                    self.give(at, stream, said, Given::End)?;
                }
                Step::Reset { stream, code } => {
                    self.give(at, stream, said, Given::Reset(code))?;
                }
                // A connection may have any number of them.
                Step::GoAway { code } => {
                    if at.streams.goaway.is_none() {
                        at.streams.goaway = Some((said, code));
                        self.give_all(at, said, Given::GoAway(code))?;
                    }
                }
                Step::Opened(opened) => self.open_stream(at, *opened, said.origin)?,
                Step::Over { exchange, too_many } => {
                    at.streams.any = true;
                    let mut info = at.conn.next_attempt(at.flow);
                    info.h2_stream = exchange.http2.map(|over| over.stream);
                    let mut judged =
                        Handshake { last: true, ..at.conn.judge(*exchange, &self.limits) };
                    if too_many {
                        let text = format!(
                            "{} WebSockets of this connection are open or asked for already, and no more are \
                             followed at once",
                            self.limits.h2_streams
                        );
                        let note = Note::new(NoteCode::HandshakeIncomplete, Blame::Capture, text);
                        judged.notes.push(note);
                    }
                    self.tell(&info, said.origin, &judged)?;
                }
                Step::Found(replay) => {
                    for (origin, bytes) in replay.pieces() {
                        self.steps(at, Said { origin, ..said }, bytes, Hole::default())?;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn open_stream(&mut self, at: &mut At<'_>, opened: Opened, origin: Origin) -> ControlFlow<()> {
        at.streams.any = true;
        let Opened { stream, exchange, held, synced, client_ended } = opened;
        let begin = exchange.request.as_ref().and_then(|request| request.begin.time);
        let offer_known = exchange.request.is_some() && !exchange.request_partial;
        let answered = !matches!(exchange.answer, crate::http::Answer::Missing);
        let mut info = at.conn.next_attempt(at.flow);
        info.h2_stream = Some(stream);
        let judged = at.conn.judge(*exchange, &self.limits);
        self.tell(&info, origin, &judged)?;
        let setup = Setup {
            begin: begin.or(at.flow.begin.time),
            synced,
            // What was not offered can not have been agreed.
            handshake_known: answered || offer_known,
            ..Setup::of(&judged)
        };
        let mut live = Live::new(info, setup);
        if answered {
            live.session.opened(origin);
        }
        at.streams.insert(stream, live);
        let client = |origin| Said { dir: Direction::ToServer, origin };
        for piece in held.pieces() {
            let (origin, given) = match piece {
                HeldPiece::Data { origin, bytes } => (origin, Given::Data(bytes)),
                HeldPiece::Gap { origin, len, .. } => (origin, Given::Gap { len, snapped: false }),
            };
            self.give(at, stream, client(origin), given)?;
        }
        match client_ended {
            Some(origin) => self.give(at, stream, client(origin), Given::End),
            None => ControlFlow::Continue(()),
        }
    }

    /// Gives one session something; a stream that is over with it ends.
    fn give(
        &mut self,
        at: &mut At<'_>,
        stream: u32,
        said: Said,
        given: Given<'_>,
    ) -> ControlFlow<()> {
        let Some(live) = at.streams.lives.get_mut(&stream) else {
            return self.probe(at, stream, said, given);
        };
        let before = live.session.weight();
        let over = self.give_live(live, said, given)?;
        at.streams.weight = at.streams.weight.saturating_sub(before);
        if over {
            at.streams.lives.remove(&stream);
        } else {
            at.streams.weight += live.session.weight();
        }
        ControlFlow::Continue(())
    }

    fn give_all(&mut self, at: &mut At<'_>, said: Said, given: Given<'_>) -> ControlFlow<()> {
        let all: Vec<u32> = at.streams.lives.keys().copied().collect();
        all.into_iter().try_for_each(|stream| self.give(at, stream, said, given))
    }

    /// A stream whose request was missed: are these the frames of a WebSocket?
    fn probe(
        &mut self,
        at: &mut At<'_>,
        stream: u32,
        said: Said,
        given: Given<'_>,
    ) -> ControlFlow<()> {
        let client = at.conn.client_side();
        let Said { dir, origin } = said;
        let side = if dir == Direction::ToServer { client } else { client.flip() };
        let event = match given {
            Given::Data(bytes) => StreamEvent::Data { origin, bytes },
            Given::Gap { len, snapped } => StreamEvent::Gap { origin, len, snapped },
            // What came before it can not be joined to what comes.
            Given::Lost { .. } => {
                at.streams.drop_probe(stream);
                return ControlFlow::Continue(());
            }
            Given::End | Given::Reset(_) => {
                let probe = at.streams.probes.get_mut(&stream);
                let verdict = probe.map_or(Verdict::Undecided, Probe::last_chance);
                self.probed(at, stream, verdict)?;
                if at.streams.lives.contains_key(&stream) {
                    return self.give(at, stream, said, given);
                }
                at.streams.drop_probe(stream);
                return ControlFlow::Continue(());
            }
            Given::TcpFin | Given::TcpReset | Given::GoAway(_) => return ControlFlow::Continue(()),
        };
        let probe = at.streams.probes.entry(stream).or_insert_with(|| Probe::new(None));
        let before = probe.weight();
        let verdict = match event {
            // Masked frames of a client are unlike anything else that is sent to a server; what a server
            // sends may be any page.
            StreamEvent::Data { origin, bytes } if dir == Direction::ToClient => {
                probe.hold(side, origin, bytes, &self.limits)
            }
            event => probe.take(side, event, &self.limits),
        };
        at.streams.weight = (at.streams.weight + probe.weight()).saturating_sub(before);
        self.probed(at, stream, verdict)
    }

    /// Acts on what a stream proved to be.
    fn probed(&mut self, at: &mut At<'_>, stream: u32, verdict: Verdict) -> ControlFlow<()> {
        let client = at.conn.client_side();
        match verdict {
            Verdict::Undecided => return ControlFlow::Continue(()),
            Verdict::Frames { client: masks, .. } if masks == client => {}
            _ => {
                at.streams.drop_probe(stream);
                at.streams.http.refute(stream);
                return ControlFlow::Continue(());
            }
        }
        let Some(probe) = at.streams.drop_probe(stream) else { return ControlFlow::Continue(()) };
        at.streams.any = true;
        let mut info = at.conn.next_attempt(at.flow);
        info.h2_stream = Some(stream);
        let begin = probe.begin().unwrap_or(at.flow.begin);
        let unseen = Handshake { http: HttpVersion::Http2, ..super::unseen(&info) };
        self.tell(&info, begin, &unseen)?;
        at.streams.insert(stream, Live::new(info, Setup::unseen(begin)));
        for (side, event) in probe.replay() {
            let dir = at.conn.direction(side);
            let (origin, given) = match event {
                StreamEvent::Data { origin, bytes } => (origin, Given::Data(bytes)),
                StreamEvent::Gap { origin, len, snapped } => (origin, Given::Gap { len, snapped }),
                _ => continue,
            };
            self.give(at, stream, Said { dir, origin }, given)?;
        }
        ControlFlow::Continue(())
    }

    /// True when the stream is over with it.
    fn give_live(
        &mut self,
        live: &mut Live,
        said: Said,
        given: Given<'_>,
    ) -> ControlFlow<(), bool> {
        let Said { dir, origin } = said;
        let Live { info, session, .. } = live;
        let mut out = self.out(info);
        match given {
            Given::Data(bytes) => session.data(dir, origin, bytes, &mut out)?,
            Given::Gap { len, snapped } => session.gap(dir, origin, len, snapped, &mut out)?,
            Given::Lost { of, snapped } => session.lost(dir, origin, of, snapped, &mut out)?,
            Given::TcpFin => session.fin(dir, origin, &mut out)?,
            Given::TcpReset => session.reset(dir, origin, &mut out)?,
            Given::End => session.end_stream(dir, origin, &mut out)?,
            Given::Reset(code) => session.reset_stream(dir, origin, code, &mut out)?,
            Given::GoAway(code) => session.goaway(dir, origin, code),
        }
        let over = matches!(given, Given::End | Given::Reset(_)) && session.stream_over();
        if over {
            // Nothing more comes of this stream, as of a TCP connection that both sides have ended.
            session.finish(Finish::Tcp, origin, &mut out)?;
        }
        ControlFlow::Continue(over)
    }
}

#[cfg(test)]
mod tests;
