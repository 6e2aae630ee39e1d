//! Messages: frames put together, inflated and checked.
//!
//! Gets: the unmasked payload of a message's frames from [`crate::ws::session`]. Gives:
//! [`Event::Message`]. Keeps: the payload of a message until its last frame, within a budget.

use std::ops::ControlFlow;

use crate::event::{Counted, Cx, Event, Message, MessageKind, Payload, Sink};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Count, Direction, MessageNo, Origin};
use crate::ws::deflate::{Inflated, Inflater, Loss, Outcome, Shared};
use crate::ws::rules::Notes;
use crate::ws::{Out, mask};

/// What is known of a message besides its bytes.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, none of them a state")]
pub(super) struct Head {
    pub(super) kind: MessageKind,
    /// Its bytes are compressed still.
    pub(super) compressed: bool,
    /// It was compressed on the wire.
    pub(super) shown_compressed: bool,
    pub(super) wire_len: u64,
    pub(super) frames: u32,
    pub(super) begin: Origin,
    /// Nothing of it is missing.
    pub(super) whole: bool,
    /// Over the limit: its bytes were not kept.
    pub(super) over: bool,
    /// They were kept, until all connections together were over their limit.
    pub(super) shed: bool,
    /// An extension that is not known here may have changed its bytes.
    pub(super) encoded: bool,
    /// It was given up, and nothing is missing of what came of it.
    pub(super) unfinished: bool,
}

/// A message whose last frame has not come yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) head: Head,
    pub(super) bytes: Vec<u8>,
    pub(super) notes: Notes,
}

impl Open {
    /// Takes payload bytes of a frame, `phase` bytes into it.
    pub(super) fn take(&mut self, bytes: &[u8], key: Option<[u8; 4]>, phase: u64, limit: usize) {
        if self.head.over {
            return;
        }
        if self.bytes.len().saturating_add(bytes.len()) > limit {
            self.head.over = true;
            self.bytes = Vec::new();
        } else {
            mask::append(&mut self.bytes, bytes, key, phase);
        }
    }
}

impl Open {
    /// Bytes of memory that [`Self::shed`] gives back, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.bytes.capacity() + self.notes.weight()
    }

    /// Forgets its bytes; it stays in step.
    pub(super) fn shed(&mut self) {
        self.notes.shed();
        if !self.bytes.is_empty() {
            self.head.over = true;
            self.head.shed = true;
        }
        self.bytes = Vec::new();
    }
}

/// Numbers and state of a direction that its messages share.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) dir: Direction,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) inflater: Option<Box<Inflater>>,
    /// What was agreed is known, so a sender may be blamed for not keeping to it.
    pub(super) judged: bool,
}

impl Counter {
    #[inline]
    pub(super) fn next(&mut self) -> MessageNo {
        self.messages += 1;
        MessageNo(self.messages)
    }

    /// Bytes of memory for inflating, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.inflater.as_deref().map_or(0, Inflater::weight)
    }

    /// Keeps less for inflating; with `all`, nothing.
    pub(super) fn shed(&mut self, all: bool) {
        if let Some(inflater) = &mut self.inflater {
            inflater.shed(all);
        }
    }

    pub(super) fn lose_context(&mut self, loss: Loss) {
        if let Some(inflater) = &mut self.inflater {
            inflater.lose(loss);
        }
    }

    /// Hands on a data message of one sound frame whose bytes nobody wants.
    #[inline]
    pub(super) fn unread<S: Sink>(
        &mut self,
        kind: MessageKind,
        compressed: bool,
        wire_len: u64,
        cx: &Cx<'_>,
        sink: &mut S,
    ) -> ControlFlow<()> {
        let no = self.next();
        let len = if compressed { 0 } else { wire_len };
        self.bytes = self.bytes.saturating_add(len);
        sink.counted(cx, Counted { dir: self.dir, no, kind, compressed, wire_len })
    }

    /// Hands a data message on.
    pub(super) fn data<S: Sink>(
        &mut self,
        mut head: Head,
        bytes: &[u8],
        mut notes: Notes,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let no = self.next();
        let budget = out.limits.notes;
        if !out.wants.payload {
            let len = if head.compressed || head.shown_compressed { 0 } else { head.wire_len };
            self.bytes = self.bytes.saturating_add(len);
            return self.emit(no, &head, len, Payload::Skipped, &mut notes, origin, out);
        }
        if head.over {
            notes.push(self.over_limit(no, &head, out.limits.message_bytes), budget);
            self.lose_if(head.compressed, Loss::Failure);
            self.bytes = self.bytes.saturating_add(head.wire_len);
            head.whole = false;
            return self.emit(no, &head, head.wire_len, Payload::Skipped, &mut notes, origin, out);
        }
        if !head.compressed {
            self.bytes = self.bytes.saturating_add(bytes.len() as u64);
            let payload = self.checked(no, &head, bytes, &mut notes, budget);
            return self.emit(no, &head, bytes.len() as u64, payload, &mut notes, origin, out);
        }
        if !head.whole {
            self.lose_if(true, Loss::Capture);
            return self.emit(no, &head, 0, Payload::Data(&[]), &mut notes, origin, out);
        }
        // A receiver that begins anew with each message comes to no harm.
        if bytes.is_empty()
            && self.judged
            && self.inflater.as_deref().is_some_and(Inflater::takes_over)
        {
            notes.push(self.compressed_to_nothing(no), budget);
        }
        let mut shared = std::mem::take(&mut out.scratch.inflater);
        let got = self.inflate(&head, bytes, &mut shared, out.limits);
        self.note_inflated(no, &got, &mut notes, out.limits);
        // Later messages may refer to it, so it was inflated for them all the same.
        let over = got.outcome != Outcome::OverLimit && got.len > out.limits.message_bytes;
        if over {
            notes.push(self.inflated_over_limit(no, got.len, out.limits.message_bytes), budget);
        }
        head.whole = got.outcome == Outcome::Whole && !over;
        let len = got.len as u64;
        self.bytes = self.bytes.saturating_add(len);
        let payload = if over || got.outcome == Outcome::OverLimit {
            Payload::Skipped
        } else {
            self.checked(no, &head, self.plain(&got, &shared), &mut notes, budget)
        };
        let flow = self.emit(no, &head, len, payload, &mut notes, origin, out);
        shared.shrink();
        out.scratch.inflater = shared;
        flow
    }

    fn inflate(
        &mut self,
        head: &Head,
        bytes: &[u8],
        shared: &mut Shared,
        limits: &Limits,
    ) -> Inflated {
        let text = head.kind == MessageKind::Text;
        match &mut self.inflater {
            Some(inflater) => inflater.message(bytes, text, limits.inflate_bytes, shared),
            None => Inflated::nothing(Outcome::ContextLost(Loss::Capture)),
        }
    }

    fn plain<'a>(&'a self, inflated: &Inflated, shared: &'a Shared) -> &'a [u8] {
        self.inflater.as_deref().map_or(&[], |inflater| inflater.plain(inflated, shared))
    }

    /// Inflates one frame of `deflate-frame` and replaces its bytes, from `start` on.
    pub(super) fn inflate_frame<S>(&mut self, open: &mut Open, start: usize, out: &mut Out<'_, S>) {
        let mut shared = std::mem::take(&mut out.scratch.inflater);
        let frame = open.bytes.get(start..).unwrap_or(&[]);
        // Where a character may be cut by the frame, UTF-8 says nothing of one frame.
        let head = Head { kind: MessageKind::Binary, ..open.head.clone() };
        let got = if open.head.whole {
            self.inflate(&head, frame, &mut shared, out.limits)
        } else {
            self.lose_if(true, Loss::Capture);
            Inflated::nothing(Outcome::ContextLost(Loss::Capture))
        };
        if open.head.whole {
            let mut notes = std::mem::take(&mut open.notes);
            self.note_inflated(MessageNo(self.messages + 1), &got, &mut notes, out.limits);
            open.notes = notes;
            open.head.whole = got.outcome == Outcome::Whole;
        }
        open.bytes.truncate(start);
        if open.bytes.len().saturating_add(got.len) > out.limits.message_bytes {
            open.head.over = true;
            open.bytes = Vec::new();
        } else {
            open.bytes.extend_from_slice(self.plain(&got, &shared));
        }
        shared.shrink();
        out.scratch.inflater = shared;
    }

    fn lose_if(&mut self, compressed: bool, loss: Loss) {
        if compressed {
            self.lose_context(loss);
        }
    }

    /// Text is UTF-8 (RFC 6455 section 8.1): of a whole message that is judged, of a part it only
    /// decides how to show it.
    #[inline]
    fn checked<'a>(
        &self,
        no: MessageNo,
        head: &Head,
        bytes: &'a [u8],
        notes: &mut Notes,
        budget: usize,
    ) -> Payload<'a> {
        if head.kind != MessageKind::Text {
            return Payload::Data(bytes);
        }
        if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
            return Payload::Text(text);
        }
        self.not_utf8(no, head, bytes, notes, budget);
        Payload::Data(bytes)
    }

    #[cold]
    fn not_utf8(&self, no: MessageNo, head: &Head, bytes: &[u8], notes: &mut Notes, budget: usize) {
        let fault = simdutf8::compat::from_utf8(bytes).err();
        // Of what was not finished the last character may be one that was only begun.
        let judged = head.whole
            || head.unfinished
                && !head.compressed
                && fault.is_some_and(|fault| fault.error_len().is_some());
        if judged && !head.encoded {
            let at = fault.map_or(0, |fault| fault.valid_up_to());
            let byte = bytes.get(at).copied().unwrap_or(0);
            notes.push(
                self.note(
                    NoteCode::Utf8Invalid,
                    format!(
                        "{} text message {no} is not UTF-8 at byte {at} of {} ({byte:#04x})",
                        self.dir.sender(),
                        bytes.len()
                    ),
                ),
                budget,
            );
        }
    }

    fn note_inflated(&self, no: MessageNo, got: &Inflated, notes: &mut Notes, limits: &Limits) {
        let who = self.dir.sender();
        let mut push = |note| notes.push(note, limits.notes);
        match got.outcome {
            Outcome::Whole => {}
            Outcome::Corrupt => push(self.note_if_agreed(
                NoteCode::InflateFailed,
                format!("{who} message {no} can not be inflated: it is not valid DEFLATE data"),
            )),
            Outcome::EndsEarly => push(self.note_if_agreed(
                NoteCode::InflateFailed,
                format!(
                    "{who} message {no} can not be inflated to its end: its compressed data stops \
                     in the midst of a block, after {}",
                    Count(got.len as u64, "byte")
                ),
            )),
            Outcome::OverLimit => push(Note::new(
                NoteCode::InflateLimit,
                Blame::Capture,
                format!(
                    "{who} message {no} inflates to more than {} bytes, the limit",
                    limits.inflate_bytes
                ),
            )),
            Outcome::ContextLost(loss) => push(Note::new(
                NoteCode::InflateContextLost,
                Blame::Capture,
                format!(
                    "{who} message {no} refers to earlier messages, {}",
                    match loss {
                        Loss::Capture => "which are missing from the capture",
                        Loss::Failure => "one of which could not be inflated",
                        Loss::Budget => "which were forgotten to keep memory within its budget",
                    }
                ),
            )),
        }
        let Some(inflater) = self.inflater.as_ref().filter(|_| self.judged) else { return };
        if got.took_over {
            push(self.note(
                NoteCode::TakeoverViolated,
                format!(
                    "{who} message {no} refers to an earlier message although \
                     {who}_no_context_takeover was agreed"
                ),
            ));
        }
        if let Some(far) = got.too_far {
            let bits = inflater.side().window_bits;
            push(self.note(
                NoteCode::WindowExceeded,
                format!(
                    "{who} message {no} refers {} bytes back at byte {}; {who}_max_window_bits={bits} \
                     allows {}",
                    far.distance,
                    far.at,
                    1_u32 << bits.min(15)
                ),
            ));
        }
    }

    /// RFC 7692 section 7.2.1: at least the header of the block whose last 4 bytes are taken off is left.
    /// Those 4, put back behind nothing, are read as the header of another.
    fn compressed_to_nothing(&self, no: MessageNo) -> Note {
        self.note(
            NoteCode::InflateFailed,
            format!(
                "{} message {no} is compressed to no bytes at all, where an empty one takes the byte \
                 00: it is read as empty here, but receivers that inflate all as one \
                 stream lose their step in what follows",
                self.dir.sender()
            ),
        )
    }

    fn over_limit(&self, no: MessageNo, head: &Head, limit: usize) -> Note {
        let (who, wire) = (self.dir.sender(), Count(head.wire_len, "byte"));
        let text = if head.shed {
            format!(
                "{who} message {no} of {wire} was forgotten before it was whole, to keep memory \
                 within its budget"
            )
        } else {
            format!(
                "{who} message {no} of {wire} is over the limit of {limit}: its bytes are skipped"
            )
        };
        Note::new(NoteCode::MessageLimit, Blame::Capture, text)
    }

    fn inflated_over_limit(&self, no: MessageNo, len: usize, limit: usize) -> Note {
        let (who, len) = (self.dir.sender(), Count(len as u64, "byte"));
        let text = format!(
            "{who} message {no} inflates to {len}, over the limit of {limit}: they are skipped"
        );
        Note::new(NoteCode::MessageLimit, Blame::Capture, text)
    }

    fn note(&self, code: NoteCode, text: String) -> Note {
        Note::new(code, self.dir.into(), text)
    }

    fn note_if_agreed(&self, code: NoteCode, text: String) -> Note {
        let blame = if self.judged { self.dir.into() } else { Blame::Capture };
        Note::new(code, blame, text)
    }

    #[expect(clippy::too_many_arguments, reason = "one call that ends all the ways above")]
    fn emit<S: Sink>(
        &self,
        no: MessageNo,
        head: &Head,
        len: u64,
        payload: Payload<'_>,
        notes: &mut Notes,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let message = Message {
            dir: self.dir,
            no,
            kind: head.kind,
            len,
            wire_len: head.wire_len,
            frames: head.frames,
            compressed: head.compressed || head.shown_compressed,
            complete: head.whole,
            begin: head.begin,
            payload,
            close_code: None,
            close_reason: None,
            notes: notes.close(),
        };
        out.sink.event(&Cx { conn: out.conn, origin }, &Event::Message(&message))
    }
}
