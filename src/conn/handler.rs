//! What the flow table asks of a connection: to take what comes, to weigh little, to end.
//!
//! Gets: [`StreamEvent`]s, budgets that are exceeded, ends. Gives: each to the [`Stage`] that the
//! connection is in. Keeps: nothing.

use std::mem;
use std::ops::ControlFlow;

use super::probe::Verdict;
use super::{Conn, Conns, Live, Stage};
use crate::event::{Handshake, Sink};
use crate::flow::{Finish, FlowInfo, Handler, Interest, Shed, Side, StreamEvent};
use crate::http::Step;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Origin, PacketNo};

impl<S: Sink> Handler for Conns<S> {
    type State = Conn;

    #[inline]
    fn stream(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest> {
        self.feed(flow, conn, side, event)?;
        ControlFlow::Continue(match conn.stage {
            Stage::Ignored => Interest::Drop,
            _ => Interest::Keep,
        })
    }

    fn turn(&mut self, part: usize) {
        self.scratch.turn(part);
    }

    fn compares(&self) -> bool {
        self.wants.payload || self.wants.frames
    }

    #[inline]
    fn weight(&self, conn: &Conn) -> usize {
        match &conn.stage {
            Stage::New | Stage::Sealed(_) | Stage::Ignored => 0,
            Stage::Probe(probe) => probe.weight(),
            Stage::Http(http) => http.weight(),
            Stage::H2(h2) => h2.weight(),
            Stage::Ws(live) => live.session.weight(),
            Stage::Tls(tunnel) => tunnel.weight() + self.weight(tunnel.inner()),
        }
    }

    fn shed(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        what: Shed,
        origin: Origin,
    ) -> ControlFlow<()> {
        match (&mut conn.stage, what) {
            (Stage::Ws(live), _) => live.session.shed(what == Shed::All),
            (Stage::H2(h2), _) => h2.shed(what == Shed::All),
            (Stage::Http(http), Shed::All) => {
                let waiting = http.answer_missing();
                conn.stage = Stage::Ignored;
                let Some(exchange) = waiting else {
                    self.unread.other += 1;
                    return ControlFlow::Continue(());
                };
                let info = conn.next_attempt(flow);
                let mut judged = Handshake { last: true, ..conn.judge(*exchange, &self.limits) };
                judged.notes.push(Note::new(
                    NoteCode::HandshakeIncomplete,
                    Blame::Capture,
                    "the request was forgotten before its answer came, to keep memory within its budget",
                ));
                return self.tell(&info, origin, &judged);
            }
            (Stage::Tls(tunnel), Shed::All) if tunnel.is_waiting() => {
                let Stage::Tls(mut tunnel) = mem::take(&mut conn.stage) else {
                    return ControlFlow::Continue(());
                };
                self.give_up_tls(flow, &mut tunnel, origin.packet)?;
                return self.after_tls(flow, conn, tunnel, origin);
            }
            (Stage::Tls(tunnel), _) => {
                return self.shed(flow, tunnel.inner_mut(), what, origin);
            }
            (Stage::Probe(_), Shed::All) => {
                self.unread.other += 1;
                conn.stage = Stage::Ignored;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn finish(
        &mut self,
        flow: &FlowInfo,
        conn: &mut Conn,
        why: Finish,
        origin: Origin,
    ) -> ControlFlow<()> {
        match mem::take(&mut conn.stage) {
            Stage::New | Stage::Ignored => ControlFlow::Continue(()),
            Stage::Probe(mut probe) => {
                let verdict = probe.last_chance();
                if verdict == Verdict::Undecided {
                    self.unread.http2 += u64::from(probe.is_http2());
                    return ControlFlow::Continue(());
                }
                self.after_probe(flow, conn, probe, verdict)?;
                self.finish(flow, conn, why, origin)
            }
            Stage::Http(mut http) => {
                let Some(exchange) = http.finish(&self.limits) else {
                    return ControlFlow::Continue(());
                };
                // A client's frames may be all that was captured of a connection.
                let step = Step::Unanswered(exchange);
                self.step(flow, conn, http, step, origin)?;
                self.finish(flow, conn, why, origin)
            }
            Stage::H2(mut h2) => self.finish_h2(flow, conn, &mut h2, why, origin),
            Stage::Tls(mut tunnel) => {
                let now = match why {
                    Finish::CaptureEnd => PacketNo(u64::MAX),
                    _ => origin.packet,
                };
                self.give_up_tls(flow, &mut tunnel, now)?;
                if tunnel.is_proven() {
                    return self.finish(flow, tunnel.inner_mut(), why, origin);
                }
                self.tls_unread(flow, conn, &mut tunnel, origin)?;
                self.finish(flow, conn, why, origin)
            }
            Stage::Ws(mut live) | Stage::Sealed(mut live) => {
                let Live { info, session, .. } = &mut *live;
                session.finish(why, origin, &mut self.out(info))
            }
        }
    }
}
