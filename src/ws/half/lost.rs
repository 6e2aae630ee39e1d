//! Bytes are missing, or the beginning of the direction: where does the next frame begin?
//!
//! Gets: gaps, segments while the border is not known, headers that are none. Gives: frames again, once
//! [`Finder`] has found a border, and notes on what could not be read. Keeps: the segments looked at, in
//! [`Stage::Lost`].

use std::ops::ControlFlow;

use super::{Half, Stage};
use crate::event::Sink;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Count, Direction, Origin};
use crate::ws::Out;
use crate::ws::deflate::Loss;
use crate::ws::frame::{Decoder, Header};
use crate::ws::resync::{Finder, Search, Shape, prior};
use crate::ws::rules::{Place, Rsv1, masks_wrongly, reads_as_text};
use crate::ws::session::{Common, Setup};

/// After this many sound frames a border that was found is no longer in doubt.
pub(super) const PROOF: u8 = 8;
/// After so many borders that proved wrong the direction is given up.
const RELAPSES: u8 = 8;
/// Wrong bits beyond the first of a header, added up over headers in a row, that make it no frames.
const STRIKES: u8 = 2;

impl Half {
    /// Looks for a border with these bytes too, and reads on from it.
    pub(super) fn search<S: Sink>(
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
                let (mut packet, mut bytes) = (itoa::Buffer::new(), itoa::Buffer::new());
                let parts = [
                    "frames of the ",
                    self.dir.sender(),
                    " were found again in packet ",
                    packet.format(origin.packet.number()),
                    if skipped > 0 { ", after " } else { "" },
                    if skipped > 0 { bytes.format(skipped) } else { "" },
                    match skipped {
                        0 => "",
                        1 => " byte that can not be read",
                        _ => " bytes that can not be read",
                    },
                ];
                if self.frames > 0 || skipped > 0 || !self.pending.is_empty() {
                    self.pending.push(
                        Note::new(NoteCode::Resynchronised, Blame::Capture, parts.concat()),
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

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Lost(_))
    }

    /// Are these still frames: several wrong bits in one header, or in headers in a row, are none. To mask
    /// always or never is one fault and no sign of that.
    pub(super) fn is_believable(
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
                Stage::Lost(Box::new(Finder::new(shape(self.dir, &common.setup), 0)))
            };
            return false;
        }
        let habit = self.masks_wrongly && masks_wrongly(header, self.dir);
        let wrong = wrong.saturating_sub(habit.into());
        if wrong == 0 {
            self.strikes = 0;
            return true;
        }
        self.strikes = if self.frames == 0 && wrong > 1 && reads_as_text(header) {
            STRIKES
        } else {
            self.strikes.saturating_add(u8::try_from(wrong - 1).unwrap_or(u8::MAX))
        };
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

    /// Bytes are missing.
    pub(in crate::ws) fn gap<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        len: u64,
        note: Note,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        self.calm = false;
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

    /// The gap before this was about as long as was said, not exactly: where the next frame begins has to be
    /// looked for.
    pub(in crate::ws) fn astray<S: Sink>(
        &mut self,
        common: &mut Common,
        other: &mut Self,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if matches!(self.stage, Stage::InStep) {
            self.calm = false;
            self.end_current(common, Some(other), origin, true, out)?;
            if let Some(open) = &mut self.open {
                open.head.whole = false;
            }
            self.lose_step(common, 1);
        }
        ControlFlow::Continue(())
    }

    fn lose_step(&mut self, common: &Common, gap: u64) {
        self.unsure = true;
        self.conduct.lost();
        self.unproven = PROOF;
        self.decoder = Decoder::default();
        self.counter.lose_context(Loss::Capture);
        let largest = usize::try_from(self.largest).unwrap_or(usize::MAX);
        let prior = prior(self.aligned.into(), self.unaligned.into(), gap, largest);
        self.stage = Stage::Lost(Box::new(Finder::new(shape(self.dir, &common.setup), prior)));
    }

    /// No more segments for the search at hand: the last look, and what it leaves unread.
    pub(super) fn search_ended<S: Sink>(
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
                "{} of the {} could not be read: no frame was found there for certain",
                Count(finder.searched(), "byte"),
                self.dir.sender()
            );
            let note = Note::new(NoteCode::BytesMissing, Blame::Capture, text);
            common.notes.push(note, out.limits.notes);
        }
        ControlFlow::Continue(())
    }
}

/// What headers of a direction look like.
pub(super) fn shape(dir: Direction, setup: &Setup) -> Shape {
    let rsv1 = setup.rsv1();
    Shape {
        masked: dir == Direction::ToServer,
        rsv1: rsv1 != Rsv1::Fault || setup.other_extension,
        rsv1_anywhere: rsv1 == Rsv1::Frame || setup.other_extension,
    }
}
