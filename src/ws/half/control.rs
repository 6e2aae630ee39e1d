//! Control frames: Ping, Pong, Close (RFC 6455 section 5.5).
//!
//! Gets: the frame at hand, when it is one of these and is over. Gives: its message, with notes on what
//! it says. Keeps: nothing.

use std::ops::ControlFlow;

use super::{Current, Half};
use crate::event::{Cx, Event, Message, MessageKind, Payload, Sink};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Count, Origin};
use crate::ws::Out;
use crate::ws::close::{CloseBody, code_fault};
use crate::ws::ending::CloseSeen;
use crate::ws::rules::{Notes, Place};
use crate::ws::session::Common;

impl Half {
    /// A control frame is over, whole or not.
    #[expect(clippy::too_many_arguments, reason = "all there is about a control frame")]
    pub(super) fn control<S: Sink>(
        &mut self,
        common: &mut Common,
        other: Option<&mut Self>,
        kind: MessageKind,
        current: &mut Current,
        payload: &[u8],
        whole: bool,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let header = current.header;
        let whole = whole && !current.own_over;
        let budget = out.limits.notes;
        let place = Place { dir: self.dir, no: current.no, packet: current.begin.packet };
        if kind == MessageKind::Pong && self.conduct.has_closed() {
            let peer = other.as_deref().filter(|_| whole);
            let is_due = peer.is_some_and(|peer| {
                !peer.conduct.has_closed()
                    && (common.blind[self.dir.flip()] || peer.pings.awaits(payload))
            });
            self.conduct.judge_pong(is_due, place, &mut current.notes, budget);
        }
        self.frame_event(
            &header,
            current.no,
            current.begin,
            payload,
            whole,
            &mut current.notes,
            origin,
            out,
        )?;
        let limit = current.own_limit(out.limits.message_bytes);
        let notes = &mut current.notes;
        if current.own_over {
            let why = if header.len > limit as u64 {
                format!("is over the limit of {limit}: its bytes are skipped")
            } else {
                "was forgotten before it was whole, to keep memory within its budget".to_owned()
            };
            let text = format!("{place} of {} {why}", Count(header.len, "byte"));
            notes.push(Note::new(NoteCode::MessageLimit, Blame::Capture, text), budget);
        }
        let mut close = None;
        if whole {
            match kind {
                MessageKind::Close => {
                    let body = CloseBody::read(payload);
                    judge_close(&body, payload, place, notes, budget);
                    self.closed(common, &body, origin);
                    close = Some(body);
                }
                MessageKind::Ping => self.pings.sent(payload, origin, out.limits.pings),
                MessageKind::Pong => {
                    // Only where every ping that it may answer was seen.
                    let answers = other.is_none_or(|other| other.pings.answered(payload));
                    let dir = self.dir.flip();
                    if !answers && common.setup.handshake_known && !common.blind[dir] {
                        let text = format!("{place} is a pong that no ping asked for");
                        notes.push(place.note(NoteCode::PongUnsolicited, text), budget);
                    }
                }
                MessageKind::Text | MessageKind::Binary => {}
            }
        }
        let no = self.counter.next();
        self.counter.bytes = self.counter.bytes.saturating_add(payload.len() as u64);
        let message = Message {
            dir: self.dir,
            no,
            kind,
            len: if current.own_over { header.len } else { payload.len() as u64 },
            wire_len: header.len,
            frames: 1,
            compressed: false,
            complete: whole,
            begin: current.begin,
            payload: if current.own_over { Payload::Skipped } else { Payload::Data(payload) },
            close_code: close.and_then(|body| body.code),
            close_reason: close.and_then(|body| body.reason),
            notes: notes.close(),
        };
        out.sink.event(&Cx { conn: out.conn, origin }, &Event::Message(&message))
    }

    fn closed(&mut self, common: &mut Common, body: &CloseBody<'_>, origin: Origin) {
        if self.conduct.has_closed() {
            return;
        }
        self.conduct.closed(origin);
        let before = common.data_before(origin);
        let facts = common.facts();
        facts.first_close.get_or_insert(self.dir);
        facts.act(self.dir, origin, before);
        facts.closes[self.dir] =
            Some(CloseSeen { code: body.code, reason: body.reason.map(str::to_owned), origin });
    }
}

/// What is wrong with the body of a Close (RFC 6455 sections 5.5.1, 7.4).
fn judge_close(
    body: &CloseBody<'_>,
    payload: &[u8],
    place: Place,
    notes: &mut Notes,
    budget: usize,
) {
    if payload.len() == 1 {
        let text = format!("{place} is a Close with a payload of 1 byte: a status code takes 2");
        notes.push(place.note(NoteCode::CloseLength, text), budget);
    }
    if let Some(code) = body.code
        && let Some(why) = code_fault(code)
    {
        let text = format!("{place} is a Close with code {code}: {why}");
        notes.push(place.note(NoteCode::CloseCodeInvalid, text), budget);
    }
    if let Some(at) = body.not_utf8_at {
        let text = format!("{place} is a Close whose reason is not UTF-8 at payload byte {at}");
        notes.push(place.note(NoteCode::CloseReasonUtf8, text), budget);
    }
}
