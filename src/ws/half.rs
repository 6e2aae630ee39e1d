//! One direction of a WebSocket connection.
//!
//! Gets: its bytes and gaps from [`crate::ws::session`]. Gives: its frames and messages. Keeps: the
//! frame at hand, an unfinished message, segments in which a lost border is looked for.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Frame, Message, MessageKind, Opcode, Payload, Sink};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, FrameNo, Origin};
use crate::ws::close::{CloseBody, code_fault};
use crate::ws::conduct::Conduct;
use crate::ws::deflate::{Inflater, Loss};
use crate::ws::ending::{CloseSeen, Unanswered};
use crate::ws::frame::{Decoder, Header, Part, whole};
use crate::ws::message::{Counter, Head, Open};
use crate::ws::resync::{FLUSHED, Finder, Search, Shape, prior};
use crate::ws::rules::{Notes, Place, Rsv1, is_plain, judge};
use crate::ws::session::{Common, Setup};
use crate::ws::{Out, mask};

/// A direction; what each segment asks for comes first: with many connections it is the cache lines
/// that cost.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Half {
    decoder: Decoder,
    frames: u64,
    counter: Counter,
    conduct: Conduct,
    dir: Direction,
    /// A message that is not known may be open: its first frame was lost.
    unsure: bool,
    /// Frames still to come before a border that was found again is trusted.
    unproven: u8,
    /// Since it was last weighed, something came that was not simple.
    stirred: bool,
    /// Doubt whether these are frames at all.
    strikes: u32,
    stage: Stage,
    /// Boxed, as is `current`: most frames need neither.
    open: Option<Box<Open>>,
    current: Option<Box<Current>>,
    /// Segments that began with a frame, and others: what to expect behind a gap.
    aligned: u64,
    unaligned: u64,
    /// Notes for the next frame.
    pending: Notes,
    /// Where the frame at hand, or its header's first byte, came from.
    frame_begin: Origin,
    /// How often a border that was found again was not to be trusted.
    relapses: u8,
    ended: bool,
    pings_forgotten: bool,
    pings: VecDeque<Ping>,
    /// Bytes passed over in search of a border.
    unread: u64,
}

/// Where a direction stands.
#[derive(Debug)]
enum Stage {
    /// The next byte's meaning is known.
    InStep,
    /// A border is looked for.
    Lost(Box<Finder>),
    /// Nothing more can be read.
    Dead,
}

/// A frame whose payload is coming in.
#[derive(Debug)]
pub(super) struct Current {
    header: Header,
    no: u64,
    begin: Origin,
    to: To,
    /// Payload bytes passed, missing ones included: the phase of the mask.
    phase: u64,
    missing: u64,
    /// Where its payload starts in the bytes of the open message.
    start: usize,
    /// Payload of a frame that belongs to no data message.
    own: Vec<u8>,
    own_over: bool,
    notes: Notes,
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

/// A ping that no pong answered yet.
#[derive(Debug, Clone, Copy)]
struct Ping {
    payload: u64,
    len: u64,
    origin: Origin,
}

/// After this many sound frames a border that was found is no longer in doubt.
const PROOF: u8 = 8;
/// After so many borders that proved wrong the direction is given up.
const RELAPSES: u8 = 8;
/// Wrong bits beyond the first of a header, added up over headers in a row, that make it no frames.
const STRIKES: u32 = 2;

impl Half {
    pub(super) fn new(dir: Direction, setup: &Setup) -> Self {
        let synced = setup.synced[dir];
        let mut inflater = match (setup.rsv1(), setup.deflate) {
            (Rsv1::Fault, _) => None,
            (_, Some(deflate)) => Some(Inflater::new(deflate.sides[dir])),
            (_, None) => Some(Inflater::new(crate::event::DeflateSide::default())),
        };
        if !synced || !setup.handshake_known && setup.deflate.is_none() {
            // What came before the capture may be referred to.
            if let Some(inflater) = &mut inflater {
                inflater.lose(Loss::Capture);
            }
        }
        let judged = setup.handshake_known && setup.deflate.is_some_and(|d| !d.presumed);
        Self {
            dir,
            stage: if synced {
                Stage::InStep
            } else {
                // RFC 6455 section 4.1: a client sends nothing behind its request before it has the answer.
                let waited = setup.handshake_known && dir == Direction::ToServer;
                let prior = if waited { FLUSHED } else { 0 };
                Stage::Lost(Box::new(Finder::new(shape(dir, setup.rsv1()), prior)))
            },
            decoder: Decoder::default(),
            frame_begin: Origin::default(),
            current: None,
            frames: 0,
            counter: Counter {
                dir,
                messages: 0,
                bytes: 0,
                inflater: inflater.map(Box::new),
                judged,
            },
            open: None,
            unsure: !synced,
            unproven: if synced { 0 } else { PROOF },
            relapses: 0,
            strikes: 0,
            pending: Notes::default(),
            conduct: Conduct::default(),
            pings: VecDeque::new(),
            pings_forgotten: false,
            aligned: 0,
            unaligned: 0,
            unread: 0,
            ended: false,
            stirred: false,
        }
    }

    /// May its weight be another than when this was asked last.
    #[inline]
    pub(super) const fn take_stirred(&mut self) -> bool {
        std::mem::replace(&mut self.stirred, false)
    }

    pub(super) const fn messages(&self) -> u64 {
        self.counter.messages
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.counter.bytes
    }

    /// Bytes of memory that [`Self::shed`] gives back, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        let mut weight = self.counter.weight() + self.pings.capacity() * size_of::<Ping>();
        if let Some(open) = &self.open {
            weight += open.weight();
        }
        if let Some(current) = &self.current {
            weight += current.own.capacity() + current.notes.weight();
        }
        if let Stage::Lost(finder) = &self.stage {
            weight += finder.weight();
        }
        weight + self.pending.weight()
    }

    /// Keeps less; with `all`, no more than numbers and what is needed to stay in step.
    pub(super) fn shed(&mut self, all: bool) {
        self.counter.shed(all);
        if !all {
            return;
        }
        self.pings_forgotten |= !self.pings.is_empty();
        self.pings = VecDeque::new();
        self.pending.shed();
        if let Some(open) = &mut self.open {
            open.shed();
            if let Some(current) = &mut self.current {
                current.start = 0;
            }
        }
        if let Some(current) = &mut self.current {
            current.own_over |= !current.own.is_empty();
            current.own = Vec::new();
            current.notes.shed();
        }
        if let Stage::Lost(finder) = &mut self.stage {
            finder.shed();
        }
    }

    /// Something of it was not read.
    pub(super) const fn is_blind(&self) -> bool {
        !matches!(self.stage, Stage::InStep) || self.unread > 0
    }

    /// Pings without pong, of those that had the time.
    pub(super) fn unanswered(&self, had_time: impl Fn(Origin) -> bool) -> Unanswered {
        let mut pings = self.pings.iter().filter(|ping| had_time(ping.origin));
        let first = pings.next().map(|ping| ping.origin);
        Unanswered { count: u64::from(first.is_some()) + pings.count() as u64, first }
    }

    /// The bytes of one segment.
    pub(super) fn segment<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        match self.stage {
            Stage::InStep => {
                if self.decoder.is_between_frames() {
                    self.aligned += 1;
                } else {
                    self.unaligned += 1;
                }
                let rest = self.read(common, other, origin, bytes, out)?;
                self.search(common, other, origin, rest, out)
            }
            Stage::Lost(_) => self.search(common, other, origin, bytes, out),
            Stage::Dead => ControlFlow::Continue(()),
        }
    }

    /// Looks for a border with these bytes too, and reads on from it.
    fn search<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let Stage::Lost(finder) = &mut self.stage else { return ControlFlow::Continue(()) };
        self.stirred = true;
        let found = finder.push(origin, bytes, out.limits.resync_bytes);
        self.settle(common, other, found, out)
    }

    /// Reads what was kept, from a border that was found on; and again, if that proves wrong.
    fn settle<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        mut found: Search,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        while let Search::Found(offset) = found {
            found = Search::NeedMore;
            let Stage::Lost(finder) = std::mem::replace(&mut self.stage, Stage::InStep) else {
                break;
            };
            let all = finder.segments_from(0).map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            let skipped = finder.searched() - (all - offset as u64);
            self.unread = self.unread.saturating_add(skipped);
            self.decoder = Decoder::default();
            self.unproven = PROOF;
            self.strikes = 0;
            if let Some((origin, _)) = finder.segments_from(offset).next() {
                let text = format!(
                    "frames of the {} were found again in packet {}, after {skipped} bytes that \
                     can not be read",
                    self.dir.sender(),
                    origin.packet
                );
                if self.frames > 0 || skipped > 0 || !self.pending.is_empty() {
                    self.pending.push(
                        Note::new(NoteCode::Resynchronised, Blame::Capture, text),
                        out.limits.notes,
                    );
                }
            }
            for (origin, bytes) in finder.segments_from(offset) {
                let rest = match self.stage {
                    Stage::InStep => self.read(common, other, origin, bytes, out)?,
                    _ => bytes,
                };
                if let Stage::Lost(next) = &mut self.stage
                    && !rest.is_empty()
                {
                    found = next.push(origin, rest, out.limits.resync_bytes);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads frames as long as the direction is in step; returns what is left when it is not.
    fn read<'a, S: Sink>(
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
                self.finish_frame(common, other, origin, true, out)?;
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
                Some(Part::End) => self.finish_frame(common, other, origin, true, out)?,
            }
        }
    }

    const fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Lost(_))
    }

    /// Between frames, and nothing is going on that the next one would have to be looked at for.
    #[inline]
    fn is_calm(&self) -> bool {
        self.decoder.is_between_frames()
            && self.open.is_none()
            && self.unproven == 0
            && !self.unsure
            && self.strikes == 0
            && !self.conduct.has_closed()
            && self.pending.is_empty()
    }

    /// Whole data messages in one sound frame each, as long as there are some: the way of nearly all.
    /// None of them disturbs the calm.
    #[inline]
    fn simple_ones<S: Sink>(
        &mut self,
        rsv1: Rsv1,
        origin: Origin,
        bytes: &mut &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let mut rest = *bytes;
        let counted = !out.wants.payload && !out.wants.frames;
        // Put together once: read again right after it was written, it would stall each time.
        let cx = Cx { conn: out.conn, origin };
        while let Some((header, payload)) = whole(&mut rest) {
            if !self.is_simple(&header, rsv1) {
                break;
            }
            *bytes = rest;
            self.frames += 1;
            self.conduct.keep_key(header.mask);
            if counted {
                self.counter.unread(kind_of(header.opcode), &header, &cx, out.sink)?;
            } else {
                self.simple(header, payload, origin, out)?;
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn is_simple(&self, header: &Header, rsv1: Rsv1) -> bool {
        matches!(header.opcode, Opcode::Text | Opcode::Binary)
            && header.fin
            && is_plain(header, self.dir, rsv1)
            && self.conduct.is_fresh(header.mask)
            && !(header.rsv1() && rsv1 == Rsv1::Frame)
    }

    #[inline]
    fn simple<S: Sink>(
        &mut self,
        header: Header,
        payload: &[u8],
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let compressed = header.rsv1();
        self.stirred |= compressed;
        let head = Head {
            kind: kind_of(header.opcode),
            compressed,
            shown_compressed: compressed,
            wire_len: header.len,
            frames: 1,
            begin: origin,
            whole: true,
            over: payload.len() > out.limits.message_bytes,
            shed: false,
        };
        let Some(key) = header.mask.filter(|_| out.wants.payload && !head.over) else {
            let payload = if head.over || !out.wants.payload { &[] } else { payload };
            self.frame_event(
                &header,
                self.frames,
                origin,
                payload,
                !head.over,
                &mut Notes::default(),
                origin,
                out,
            )?;
            return self.counter.data(head, payload, Notes::default(), origin, out);
        };
        let mut unmasked = std::mem::take(&mut out.scratch.unmasked);
        unmasked.clear();
        mask::append(&mut unmasked, payload, Some(key), 0);
        let mut flow = self.frame_event(
            &header,
            self.frames,
            origin,
            &unmasked,
            true,
            &mut Notes::default(),
            origin,
            out,
        );
        if flow.is_continue() {
            flow = self.counter.data(head, &unmasked, Notes::default(), origin, out);
        }
        out.scratch.unmasked = unmasked;
        out.scratch.shrink();
        flow
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
        } else {
            let wrong = judge(header, place, common.rsv1, |note| notes.push(note, budget));
            if !self.is_believable(wrong, header, place, common, budget) {
                return ControlFlow::Continue(false);
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

    /// Are these still frames: several wrong bits in one header, or in headers in a row, are none.
    fn is_believable(
        &mut self,
        wrong: u32,
        header: &Header,
        place: Place,
        common: &mut Common,
        budget: usize,
    ) -> bool {
        if self.unproven > 0 && (wrong > 0 || header.overflows()) {
            // The border was not one. Nothing of it is anybody's fault.
            self.relapses += 1;
            self.unsure = true;
            self.conduct.lost();
            self.counter.lose_context(Loss::Capture);
            self.stage = if self.relapses > RELAPSES {
                common.notes.push(
                    Note::new(
                        NoteCode::BytesMissing,
                        Blame::Capture,
                        format!(
                            "frames of the {} were not found again for certain; packet {} and what \
                             follows is not read",
                            self.dir.sender(),
                            place.packet
                        ),
                    ),
                    budget,
                );
                Stage::Dead
            } else {
                Stage::Lost(Box::new(Finder::new(shape(self.dir, common.rsv1), 0)))
            };
            return false;
        }
        if wrong == 0 {
            self.strikes = 0;
            return true;
        }
        self.strikes += wrong - 1;
        if self.strikes < STRIKES {
            return true;
        }
        let blame = if common.setup.handshake_known { self.dir.into() } else { Blame::Capture };
        common.notes.push(
            Note::new(
                NoteCode::NotWebsocket,
                blame,
                format!(
                    "what the {} sends from packet {} on is no WebSocket frames: opcode {:#x}, RSV \
                     {}, mask bit {}; it is not read",
                    self.dir.sender(),
                    place.packet,
                    header.opcode.bits(),
                    header.rsv,
                    u8::from(header.mask.is_some())
                ),
            ),
            budget,
        );
        self.stage = Stage::Dead;
        false
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
            Opcode::Reserved(_) => To::Nothing,
            Opcode::Continuation => {
                if self.open.is_none() && self.unsure {
                    // Its beginning was lost, and with it what kind it is.
                    self.open = Some(self.new_message(MessageKind::Binary, false, false, out));
                }
                if self.open.is_some() {
                    To::Message
                } else {
                    let text = format!("{place} is a continuation, but no message is begun");
                    notes.push(place.note(NoteCode::ContinuationUnexpected, text), budget);
                    To::Nothing
                }
            }
            Opcode::Text | Opcode::Binary => {
                if self.open.is_some() {
                    if !self.unsure {
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
                if matches!(current.to, To::Control(_))
                    || out.wants.frames && out.wants.payload =>
            {
                if current.own.len().saturating_add(bytes.len()) > limit {
                    current.own_over = true;
                } else if !current.own_over {
                    mask::append(&mut current.own, bytes, key, phase);
                }
            }
            _ => {}
        }
    }

    fn finish_frame<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        whole: bool,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        self.end_current(common, Some(other), origin, whole, out)
    }

    /// The frame at hand is over, whole or not: its events.
    fn end_current<S: Sink>(
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
    fn give_up_open<S: Sink>(
        &mut self,
        note: Option<Note>,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let Some(mut open) = self.open.take() else { return ControlFlow::Continue(()) };
        open.head.whole = false;
        if let Some(note) = note {
            open.notes.push(note, out.limits.notes);
        }
        self.deliver(open, origin, out)
    }

    /// Ping, Pong, Close (RFC 6455 section 5.5).
    #[expect(clippy::too_many_arguments, reason = "all there is about a control frame")]
    fn control<S: Sink>(
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
        let place = Place { dir: self.dir, no: current.no, packet: current.begin.packet };
        let notes = &mut current.notes;
        if current.own_over {
            let text =
                format!("{place} of {} bytes is over the limit: its bytes are skipped", header.len);
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
                MessageKind::Ping => self.ping(payload, origin, out.limits.pings),
                MessageKind::Pong => {
                    // Only where every ping that it may answer was seen.
                    let answers = other.is_none_or(|other| other.answered(payload));
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

    fn ping(&mut self, payload: &[u8], origin: Origin, limit: usize) {
        if self.pings.len() >= limit.max(1) {
            self.pings.pop_front();
            self.pings_forgotten = true;
        }
        self.pings.push_back(Ping { payload: hash(payload), len: payload.len() as u64, origin });
    }

    /// A pong came the other way. Section 5.5.3: it may answer the latest ping only, for all before.
    fn answered(&mut self, payload: &[u8]) -> bool {
        let (hash, len) = (hash(payload), payload.len() as u64);
        let found = self.pings.iter().rposition(|ping| ping.payload == hash && ping.len == len);
        if let Some(at) = found {
            self.pings.drain(..=at);
        }
        found.is_some() || self.pings_forgotten
    }

    #[expect(clippy::too_many_arguments, reason = "all there is about a frame")]
    #[inline]
    fn frame_event<S: Sink>(
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

    /// Bytes are missing.
    pub(super) fn gap<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        len: u64,
        note: Note,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let budget = out.limits.notes;
        let hit = match (&mut self.current, &mut self.open) {
            (Some(current), _) => &mut current.notes,
            (None, Some(open)) => &mut open.notes,
            (None, None) => &mut common.notes,
        };
        hit.push(note, budget);
        if self.is_lost() {
            // What was kept before it can not be joined to what comes.
            self.search_ended(common, other, out)?;
        }
        match self.stage {
            Stage::InStep => {}
            Stage::Lost(_) => {
                self.lose_step(common, len);
                return ControlFlow::Continue(());
            }
            Stage::Dead => return ControlFlow::Continue(()),
        }
        let skipped = self.decoder.skip(len);
        let missing = skipped.map_or_else(|desync| desync.missing, |_| len);
        if let Some(current) = &mut self.current {
            current.missing = current.missing.saturating_add(missing);
            current.phase = current.phase.saturating_add(missing);
        }
        if skipped.is_err() {
            self.end_current(common, Some(other), origin, true, out)?;
            if let Some(open) = &mut self.open {
                // Its next frame may be among what is missing.
                open.head.whole = false;
            }
            self.lose_step(common, len);
        }
        ControlFlow::Continue(())
    }

    fn lose_step(&mut self, common: &Common, gap: u64) {
        self.unsure = true;
        self.conduct.lost();
        self.unproven = PROOF;
        self.decoder = Decoder::default();
        self.counter.lose_context(Loss::Capture);
        let prior = prior(self.aligned, self.unaligned, gap);
        self.stage = Stage::Lost(Box::new(Finder::new(shape(self.dir, common.rsv1), prior)));
    }

    /// No more segments for the search at hand: the last look, and what it leaves unread.
    fn search_ended<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if let Stage::Lost(finder) = &mut self.stage {
            let found = finder.finish();
            self.settle(common, other, found, out)?;
        }
        if let Stage::Lost(finder) = &self.stage
            && finder.searched() > 0
        {
            self.unread = self.unread.saturating_add(finder.searched());
            let text = format!(
                "{} bytes of the {} could not be read: no frame was found in them for certain",
                finder.searched(),
                self.dir.sender()
            );
            let note = Note::new(NoteCode::BytesMissing, Blame::Capture, text);
            common.notes.push(note, out.limits.notes);
        }
        ControlFlow::Continue(())
    }

    /// The direction is over: `by` whoever ended TCP, `None` when only the capture did.
    pub(super) fn end<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        by: Option<Direction>,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.ended {
            return ControlFlow::Continue(());
        }
        self.ended = true;
        if self.is_lost() {
            self.search_ended(common, other, out)?;
        }
        let budget = out.limits.notes;
        let who = self.dir.sender();
        let in_frame = self.current.is_some();
        let ending = by.map(|by| (Blame::from(by), by.sender()));
        if let Some(current) = &mut self.current {
            if let Some((blame, ender)) = ending {
                let text = format!(
                    "{who} frame {} (packet {}) ends after {} of {} bytes: the {ender} ended TCP in \
                     packet {}",
                    current.no,
                    current.begin.packet,
                    current.phase.saturating_sub(current.missing),
                    current.header.len,
                    origin.packet
                );
                current.notes.push(Note::new(NoteCode::FrameCut, blame, text), budget);
            }
            self.end_current(common, Some(other), origin, false, out)?;
        } else if self.decoder.header_bytes_held() > 0
            && let Some((blame, ender)) = ending
        {
            let text = format!(
                "{who} frame {} (packet {}) ends inside its header, after {} bytes: the {ender} ended \
                 TCP in packet {}",
                self.frames + 1,
                self.frame_begin.packet,
                self.decoder.header_bytes_held(),
                origin.packet
            );
            common.notes.push(Note::new(NoteCode::FrameCut, blame, text), budget);
        }
        let unfinished = ending.filter(|_| !self.unsure && !in_frame).and_then(|(blame, ender)| {
            let open = self.open.as_ref()?;
            let text = format!(
                "the {who}'s message begun in packet {} is unfinished after {} frames: the {ender} \
                 ended TCP in packet {}",
                open.head.begin.packet, open.head.frames, origin.packet
            );
            Some(Note::new(NoteCode::MessageUnfinished, blame, text))
        });
        self.give_up_open(unfinished, origin, out)
    }

    /// What is left to say at the end of the connection.
    pub(super) fn last_words(&mut self, notes: &mut Notes, budget: usize) {
        notes.append(&mut self.pending, budget);
        self.conduct.last_words(self.dir, notes, budget);
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

const fn kind_of(opcode: Opcode) -> MessageKind {
    match opcode {
        Opcode::Text => MessageKind::Text,
        _ => MessageKind::Binary,
    }
}

fn shape(dir: Direction, rsv1: Rsv1) -> Shape {
    Shape {
        masked: dir == Direction::ToServer,
        rsv1: rsv1 != Rsv1::Fault,
        rsv1_anywhere: rsv1 == Rsv1::Frame,
    }
}

/// FNV-1a: pings are told apart by it; nobody gains by making two alike.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
