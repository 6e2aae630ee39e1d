//! One direction of a WebSocket connection.
//!
//! Gets: its bytes and gaps from [`crate::ws::session`]. Gives: its frames and messages. Keeps: the
//! frame at hand, an unfinished message, segments in which a lost border is looked for.
//!
//! ```text
//!  segment -> simple --> messages          whole ones in one frame each, as long as there are some
//!               | ^
//!               v |
//!             frames --> messages          cut, fragmented, remarkable ones; control frames (control)
//!               | ^
//!               v |
//!              lost                        after a gap: looks for a border
//! ```

mod control;
mod frames;
mod lost;
mod pings;
mod simple;

use std::ops::ControlFlow;

use crate::event::Sink;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Count, Direction, Origin};
use crate::ws::Out;
use crate::ws::conduct::Conduct;
use crate::ws::deflate::{Inflater, Loss};
use crate::ws::ending::Unanswered;
use crate::ws::frame::Decoder;
use crate::ws::message::{Counter, Open};
use crate::ws::resync::{FLUSHED, Finder};
use crate::ws::rules::{Notes, Rsv1};
use crate::ws::session::{Common, Setup};

pub(super) use frames::Current;
use lost::{PROOF, shape};
use pings::Pings;

/// A direction. What the segments of simple messages ask for comes first and takes 64 bytes: with many
/// connections it is the cache lines that cost.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Half {
    /// Between frames, and nothing is going on that the next one would have to be looked at for: all
    /// of [`Self::is_calm`], found out whenever something else than simple messages came.
    calm: bool,
    dir: Direction,
    /// Since it was last weighed, something came that was not simple.
    stirred: bool,
    /// A message that is not known may be open: its first frame was lost.
    unsure: bool,
    /// Frames still to come before a border that was found again is trusted.
    unproven: u8,
    /// Doubt whether these are frames at all.
    strikes: u8,
    /// How often a border that was found again was not to be trusted.
    relapses: u8,
    ended: bool,
    frames: u64,
    /// Segments that began with a frame, and, with `unaligned`, others: what to expect behind a gap.
    aligned: u32,
    /// Bytes of the largest segment that was read.
    largest: u32,
    counter: Counter,
    conduct: Conduct,
    unaligned: u32,
    /// The frame before was masked where it must not be, or the other way round.
    masks_wrongly: bool,
    /// A fragmented message of a reserved opcode is open.
    reserved_open: bool,
    decoder: Decoder,
    stage: Stage,
    /// Boxed, as is `current`: most frames need neither.
    open: Option<Box<Open>>,
    current: Option<Box<Current>>,
    /// Notes for the next frame.
    pending: Notes,
    /// Where the frame at hand, or its header's first byte, came from.
    frame_begin: Origin,
    pings: Pings,
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
        let mut half = Self {
            calm: false,
            dir,
            stage: if synced {
                Stage::InStep
            } else {
                // RFC 6455 section 4.1: a client sends nothing behind its request before it has the answer.
                let waited = setup.handshake_known && dir == Direction::ToServer;
                let shape = shape(dir, setup);
                let finder =
                    if waited { Finder::new(shape, FLUSHED) } else { Finder::at_beginning(shape) };
                Stage::Lost(Box::new(finder))
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
            masks_wrongly: false,
            reserved_open: false,
            pending: Notes::default(),
            conduct: Conduct::default(),
            pings: Pings::default(),
            aligned: 0,
            unaligned: 0,
            largest: 0,
            unread: 0,
            ended: false,
            stirred: false,
        };
        half.calm = half.is_calm();
        half
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
        let mut weight = self.counter.weight() + self.pings.weight();
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
        self.pings.shed();
        self.pending.shed();
        if let Some(open) = &mut self.open {
            open.shed();
            if let Some(current) = &mut self.current {
                current.start = 0;
            }
        }
        if let Some(current) = &mut self.current {
            current.shed();
        }
        if let Stage::Lost(finder) = &mut self.stage {
            finder.shed();
        }
    }

    /// Any frame of it was seen.
    pub(super) const fn has_sent(&self) -> bool {
        self.frames > 0
    }

    /// Something of it was not read.
    pub(super) const fn is_blind(&self) -> bool {
        !matches!(self.stage, Stage::InStep) || self.unread > 0
    }

    /// Pings without pong, of those that had the time.
    pub(super) fn unanswered(&self, had_time: impl Fn(Origin) -> bool) -> Unanswered {
        self.pings.unanswered(had_time)
    }

    /// The bytes of one segment.
    #[inline]
    pub(super) fn segment<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        mut bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if self.calm {
            self.aligned = self.aligned.saturating_add(1);
            self.largest = self.largest.max(len);
            self.simple_ones(common.rsv1, origin, &mut bytes, out)?;
            if bytes.is_empty() {
                return ControlFlow::Continue(());
            }
        } else if matches!(self.stage, Stage::InStep) {
            self.largest = self.largest.max(len);
            if self.decoder.is_between_frames() {
                self.aligned = self.aligned.saturating_add(1);
            } else {
                self.unaligned = self.unaligned.saturating_add(1);
                let len = bytes.len() as u64;
                if !out.wants.payload
                    && let Some(current) = &mut self.current
                    && current.is_of_message()
                    && self.decoder.passes(len)
                {
                    current.passed(len);
                    return ControlFlow::Continue(());
                }
            }
        }
        self.remarkable(common, other, origin, bytes, out)
    }

    /// The rest of a segment, from the first frame on that is not simple.
    #[inline(never)]
    fn remarkable<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        self.calm = false;
        match self.stage {
            Stage::InStep => {
                let rest = self.read(common, other, origin, bytes, out)?;
                self.search(common, other, origin, rest, out)?;
            }
            Stage::Lost(_) => self.search(common, other, origin, bytes, out)?,
            Stage::Dead => {}
        }
        self.calm = self.is_calm();
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
        self.calm = false;
        if self.is_lost() {
            self.search_ended(common, other, out)?;
        }
        let budget = out.limits.notes;
        let who = self.dir.sender();
        let in_frame = self.current.is_some();
        // Who only follows has no choice but to leave off.
        let ending = by.map(|by| {
            let (ender, did) = common.ender(by, origin);
            (Blame::from(ender), did)
        });
        if let Some(current) = &mut self.current {
            // Where the capture lacks its last bytes, no other has told its end yet.
            let passed = current.phase >= current.header.len;
            if let Some((blame, did)) = ending.as_ref().filter(|_| !passed) {
                let text = format!(
                    "{who} frame {} (packet {}) ends after {} of {}: {did}",
                    current.no,
                    current.begin.packet,
                    current.phase.saturating_sub(current.missing),
                    Count(current.header.len, "byte"),
                );
                current.notes.push(Note::new(NoteCode::FrameCut, *blame, text), budget);
            }
            self.end_current(common, Some(other), origin, passed, out)?;
        } else if self.decoder.header_bytes_held() > 0
            && let Some((blame, did)) = &ending
        {
            let text = format!(
                "{who} frame {} (packet {}) ends inside its header, after {}: {did}",
                self.frames + 1,
                self.frame_begin.packet,
                Count(self.decoder.header_bytes_held().into(), "byte"),
            );
            common.notes.push(Note::new(NoteCode::FrameCut, *blame, text), budget);
        }
        let unfinished = ending.filter(|_| !self.unsure && !in_frame).and_then(|(blame, did)| {
            let open = self.open.as_ref()?;
            let text = format!(
                "the {who}'s message begun in packet {} is unfinished after {}: {did}",
                open.head.begin.packet,
                Count(open.head.frames.into(), "frame"),
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
