//! The way of nearly all messages: whole in one sound frame, of which all is in the segment at hand.
//!
//! Gets: the bytes of a segment, while nothing else is going on. Gives: messages, and frames where they
//! are wanted. Keeps: counts, and the last masking key.

use std::ops::ControlFlow;

use super::Half;
use super::frames::kind_of;
use crate::event::{Cx, Opcode, Sink};
use crate::units::Origin;
use crate::ws::frame::{Header, whole};
use crate::ws::message::Head;
use crate::ws::rules::{Notes, Rsv1, is_plain};
use crate::ws::{Out, mask};

impl Half {
    /// Between frames, and nothing is going on that the next one would have to be looked at for.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
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
    pub(super) fn simple_ones<S: Sink>(
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
}
