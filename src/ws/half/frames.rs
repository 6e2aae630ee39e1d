//! Frames in step: each begins where the one before it ends.
//!
//! Gets: the bytes of a segment, cut anywhere. Gives: frames, and messages put together from them
//! (section 5.4). Keeps: the frame at hand and the unfinished message, in [`Half`].

use std::ops::ControlFlow;

use super::{Half, Stage};
use crate::event::{Cx, Event, Frame, MessageKind, Opcode, Sink};
use crate::note::{Note, NoteCode};
use crate::units::{FrameNo, Origin};
use crate::ws::frame::{Decoder, Header, Part};
use crate::ws::message::{Head, Open};
use crate::ws::rules::{CONTROL_BYTES, Notes, Place, Rsv1, is_plain, judge, masks_wrongly};
use crate::ws::session::Common;
use crate::ws::{Out, mask};

/// A frame whose payload is coming in.
#[derive(Debug)]
pub(in crate::ws) struct Current {
    pub(super) header: Header,
    pub(super) no: u64,
    pub(super) begin: Origin,
    to: To,
    /// Payload bytes passed, missing ones included: the phase of the mask.
    pub(super) phase: u64,
    pub(super) missing: u64,
    /// Where its payload starts in the bytes of the open message.
    pub(super) start: usize,
    /// Payload of a frame that belongs to no data message.
    pub(super) own: Vec<u8>,
    pub(super) own_over: bool,
    pub(super) notes: Notes,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// It belongs to the open message.
    Message,
    /// It is a message by itself.
    Control(MessageKind),
    /// It makes no message.
    Nothing,
}

impl Current {
    #[inline]
    pub(super) fn is_of_message(&self) -> bool {
        self.to == To::Message
    }

    /// How many bytes of its own are kept. A control frame of a sound length is none too many under any
    /// limit: a Close that was not read would be one that was not sent.
    pub(super) fn own_limit(&self, message_bytes: usize) -> usize {
        match self.to {
            To::Control(_) => message_bytes.max(CONTROL_BYTES),
            To::Message | To::Nothing => message_bytes,
        }
    }

    /// Forgets bytes of its own, but those of a control frame of a sound length.
    pub(super) fn shed(&mut self) {
        if self.own.len() > self.own_limit(0) {
            self.own_over = true;
            self.own = Vec::new();
        }
        self.notes.shed();
    }

    /// Payload bytes have gone by that nobody wants.
    #[inline]
    pub(super) const fn passed(&mut self, n: u64) {
        self.phase = self.phase.saturating_add(n);
    }
}

impl Half {
    /// Reads frames as long as the direction is in step; returns what is left when it is not.
    pub(super) fn read<'a, S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        mut bytes: &'a [u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<(), &'a [u8]> {
        loop {
            if self.is_calm() {
                self.simple_ones(common.rsv1, origin, &mut bytes, out)?;
                if bytes.is_empty() {
                    return ControlFlow::Continue(&[]);
                }
            }
            self.stirred = true;
            let before = bytes;
            if let Some((header, payload)) = self.decoder.whole(&mut bytes) {
                self.frame_begin = origin;
                if !self.begin(common, &header, out)? {
                    return ControlFlow::Continue(if self.is_lost() { before } else { &[] });
                }
                self.payload(payload, out);
                self.end_current(common, Some(other), origin, true, out)?;
                continue;
            }
            if self.decoder.is_between_frames() {
                self.frame_begin = origin;
            }
            match self.decoder.next(&mut bytes) {
                None => return ControlFlow::Continue(&[]),
                Some(Part::Header(header)) => {
                    if !self.begin(common, &header, out)? {
                        self.decoder = Decoder::default();
                        // A header over a cut is not all in `before`: what is behind it is searched.
                        return ControlFlow::Continue(if self.is_lost() { bytes } else { &[] });
                    }
                }
                Some(Part::Payload(payload)) => self.payload(payload, out),
                Some(Part::Missing(_)) => {}
                Some(Part::End) => self.end_current(common, Some(other), origin, true, out)?,
            }
        }
    }

    /// A header: judged, and its frame begun. False when it is not one to go on from.
    fn begin<S: Sink>(
        &mut self,
        common: &mut Common,
        header: &Header,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<(), bool> {
        let budget = out.limits.notes;
        let place = Place { dir: self.dir, no: self.frames + 1, packet: self.frame_begin.packet };
        let mut notes = Notes::default();
        if is_plain(header, self.dir, common.rsv1) {
            self.strikes = 0;
            self.masks_wrongly = false;
        } else {
            let other = common.setup.other_extension;
            let wrong = judge(header, place, common.rsv1, other, |note| notes.push(note, budget));
            if !self.is_believable(wrong, header, place, common, budget) {
                return ControlFlow::Continue(false);
            }
            self.masks_wrongly = masks_wrongly(header, self.dir);
            if self.masks_wrongly {
                // Section 5.1: the other side has to close the connection.
                common.facts().wrong_mask[self.dir].get_or_insert(self.frame_begin);
            }
        }
        self.unproven = self.unproven.saturating_sub(1);
        self.frames += 1;
        notes.append(&mut self.pending, budget);
        self.conduct.judge(header, place, &mut notes, budget);
        let to = self.destination(common, header, place, &mut notes, out)?;
        let start = self.open.as_ref().map_or(0, |open| open.bytes.len());
        let own = if to == To::Message { Vec::new() } else { out.scratch.take() };
        self.current = Some(out.scratch.currents.boxed(Current {
            header: *header,
            no: self.frames,
            begin: self.frame_begin,
            to,
            phase: 0,
            missing: 0,
            start,
            own,
            own_over: false,
            notes,
        }));
        if header.overflows() {
            // Where it would end can not be told, so nothing behind it can be read.
            self.end_current(common, None, self.frame_begin, false, out)?;
            self.give_up_open(None, self.frame_begin, out)?;
            self.stage = Stage::Dead;
            self.decoder = Decoder::default();
            return ControlFlow::Continue(false);
        }
        ControlFlow::Continue(true)
    }

    /// What a frame belongs to (RFC 6455 section 5.4).
    fn destination<S: Sink>(
        &mut self,
        common: &Common,
        header: &Header,
        place: Place,
        notes: &mut Notes,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<(), To> {
        let budget = out.limits.notes;
        ControlFlow::Continue(match header.opcode {
            Opcode::Close => To::Control(MessageKind::Close),
            Opcode::Ping => To::Control(MessageKind::Ping),
            Opcode::Pong => To::Control(MessageKind::Pong),
            Opcode::Reserved(_) => {
                self.reserved_open = !header.fin && !header.opcode.is_control();
                To::Nothing
            }
            // What is unknown was begun, so this is part of it.
            Opcode::Continuation if self.open.is_none() && self.reserved_open => {
                self.reserved_open = !header.fin;
                To::Nothing
            }
            Opcode::Continuation => {
                if self.open.is_none() && self.unsure {
                    // Its beginning was lost, and with it what kind it is.
                    self.open = Some(self.new_message(MessageKind::Binary, false, false, out));
                }
                if self.open.is_some() {
                    To::Message
                } else {
                    if !common.setup.other_extension {
                        let text = format!("{place} is a continuation, but no message is begun");
                        notes.push(place.note(NoteCode::ContinuationUnexpected, text), budget);
                    }
                    To::Nothing
                }
            }
            Opcode::Text | Opcode::Binary => {
                self.reserved_open = false;
                if self.open.is_some() {
                    // Section 5.4: unless an extension can interpret the interleaving.
                    if !self.unsure && !common.setup.other_extension {
                        let text = format!(
                            "{place} begins a new message while a fragmented one is unfinished"
                        );
                        notes.push(place.note(NoteCode::MessageInterleaved, text), budget);
                    }
                    self.give_up_open(None, self.frame_begin, out)?;
                }
                self.unsure = false;
                let compressed = header.rsv1() && common.rsv1 != Rsv1::Fault;
                self.open = Some(self.new_message(kind_of(header.opcode), compressed, true, out));
                To::Message
            }
        })
    }

    #[expect(clippy::unnecessary_box_returns, reason = "the box is an old one")]
    fn new_message<S>(
        &self,
        kind: MessageKind,
        compressed: bool,
        whole: bool,
        out: &mut Out<'_, S>,
    ) -> Box<Open> {
        let bytes = if out.wants.payload { out.scratch.take() } else { Vec::new() };
        out.scratch.opens.boxed(Open {
            head: Head {
                kind,
                compressed,
                shown_compressed: compressed,
                wire_len: 0,
                frames: 0,
                begin: self.frame_begin,
                whole,
                over: false,
                shed: false,
                encoded: false,
                unfinished: false,
            },
            bytes,
            notes: Notes::default(),
        })
    }

    fn payload<S>(&mut self, bytes: &[u8], out: &mut Out<'_, S>) {
        let Some(current) = &mut self.current else { return };
        let (key, phase) = (current.header.mask, current.phase);
        current.phase = phase.saturating_add(bytes.len() as u64);
        let limit = out.limits.message_bytes;
        match (current.to, &mut self.open) {
            (To::Message, Some(open)) if out.wants.payload => open.take(bytes, key, phase, limit),
            (To::Control(_) | To::Nothing, _)
                if !current.own_over
                    && (matches!(current.to, To::Control(_))
                        || out.wants.frames && out.wants.payload) =>
            {
                // As many as there is room for, wherever segments end.
                let room = current.own_limit(limit).saturating_sub(current.own.len());
                let fits = bytes.get(..room).unwrap_or(bytes);
                mask::append(&mut current.own, fits, key, phase);
                current.own_over = fits.len() < bytes.len();
            }
            _ => {}
        }
    }

    /// The frame at hand is over, whole or not: its events.
    pub(super) fn end_current<S: Sink>(
        &mut self,
        common: &mut Common,
        other: Option<&mut Self>,
        origin: Origin,
        ended: bool,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let Some(mut current) = self.current.take() else { return ControlFlow::Continue(()) };
        let whole = ended && current.missing == 0;
        let flow = match current.to {
            To::Message => self.end_data_frame(common, &mut current, whole, ended, origin, out),
            To::Control(kind) => {
                let own = std::mem::take(&mut current.own);
                let flow =
                    self.control(common, other, kind, &mut current, &own, whole, origin, out);
                out.scratch.put(own);
                flow
            }
            To::Nothing => {
                let own = std::mem::take(&mut current.own);
                let shown = whole && !current.own_over;
                let flow = self.frame_event(
                    &current.header,
                    current.no,
                    current.begin,
                    &own,
                    shown,
                    &mut current.notes,
                    origin,
                    out,
                );
                out.scratch.put(own);
                common.notes.append(&mut current.notes, out.limits.notes);
                flow
            }
        };
        out.scratch.currents.put(current);
        flow
    }

    fn end_data_frame<S: Sink>(
        &mut self,
        common: &Common,
        current: &mut Current,
        whole: bool,
        ended: bool,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let Some(mut open) = self.open.take() else { return ControlFlow::Continue(()) };
        let header = current.header;
        let bytes = open.bytes.get(current.start..).unwrap_or(&[]);
        let shown = whole && !open.head.over;
        self.frame_event(
            &header,
            current.no,
            current.begin,
            bytes,
            shown,
            &mut current.notes,
            origin,
            out,
        )?;
        open.head.frames = open.head.frames.saturating_add(1);
        open.head.wire_len = open.head.wire_len.saturating_add(header.len);
        open.head.whole &= whole;
        let known = if common.rsv1 == Rsv1::Fault { 0 } else { 0b100 };
        open.head.encoded |= common.setup.other_extension && header.rsv & !known != 0;
        if common.rsv1 == Rsv1::Frame && out.wants.payload {
            if header.rsv1() && !open.head.over {
                self.counter.inflate_frame(&mut open, current.start, out);
            }
            open.head.compressed = false;
            open.head.shown_compressed |= header.rsv1();
        }
        open.notes.append(&mut current.notes, out.limits.notes);
        if header.fin && ended {
            self.unsure = false;
            return self.deliver(open, origin, out);
        }
        self.open = Some(open);
        ControlFlow::Continue(())
    }

    fn deliver<S: Sink>(
        &mut self,
        mut open: Box<Open>,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let (bytes, notes) = (std::mem::take(&mut open.bytes), std::mem::take(&mut open.notes));
        let flow = self.counter.data(open.head.clone(), &bytes, notes, origin, out);
        out.scratch.put(bytes);
        out.scratch.opens.put(open);
        flow
    }

    /// A message that will not be finished.
    pub(super) fn give_up_open<S: Sink>(
        &mut self,
        note: Option<Note>,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let Some(mut open) = self.open.take() else { return ControlFlow::Continue(()) };
        open.head.unfinished = std::mem::replace(&mut open.head.whole, false);
        if let Some(note) = note {
            open.notes.push(note, out.limits.notes);
        }
        self.deliver(open, origin, out)
    }

    #[expect(clippy::too_many_arguments, reason = "all there is about a frame")]
    #[inline]
    pub(super) fn frame_event<S: Sink>(
        &self,
        header: &Header,
        no: u64,
        begin: Origin,
        payload: &[u8],
        complete: bool,
        notes: &mut Notes,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if !out.wants.frames {
            return ControlFlow::Continue(());
        }
        let frame = Frame {
            dir: self.dir,
            no: FrameNo(no),
            fin: header.fin,
            rsv: header.rsv,
            opcode: header.opcode,
            mask: header.mask,
            len: header.len,
            header_len: header.size,
            begin,
            payload,
            complete,
            notes: notes.close(),
        };
        out.sink.event(&Cx { conn: out.conn, origin }, &Event::Frame(&frame))
    }
}

pub(super) const fn kind_of(opcode: Opcode) -> MessageKind {
    match opcode {
        Opcode::Text => MessageKind::Text,
        _ => MessageKind::Binary,
    }
}
