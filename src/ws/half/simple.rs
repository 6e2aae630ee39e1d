//! The way of nearly all messages: whole in one sound frame, of which all is in the segment at hand.
//!
//! Gets: the bytes of a segment, while nothing else is going on. Gives: messages, and frames where they
//! are wanted. Keeps: counts, and the last masking key.

use std::ops::ControlFlow;

use super::frames::kind_of;
use super::{Half, Stage};
use crate::event::{Cx, MessageKind, Opcode, Sink};
use crate::units::{Direction, Origin};
use crate::ws::frame::Header;
use crate::ws::message::Head;
use crate::ws::rules::{Notes, Rsv1};
use crate::ws::{Out, mask};

/// A whole data message in one frame.
#[derive(Debug, Clone, Copy)]
struct Simple<'a> {
    kind: MessageKind,
    /// RSV1.
    compressed: bool,
    key: Option<[u8; 4]>,
    payload: &'a [u8],
}

impl<'a> Simple<'a> {
    /// The one at the front, when nothing is to be said of its header but that of a message in this
    /// direction; and what follows it. Those of 64 KiB and more are none: a segment holds none whole.
    #[inline]
    fn split(bytes: &'a [u8], masked: bool, rsv1: bool) -> Option<(Self, &'a [u8])> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let kind = match first & 0x0f {
            1 => MessageKind::Text,
            2 => MessageKind::Binary,
            _ => return None,
        };
        let compressed = first & 0xf0 == 0xc0;
        if first & 0xf0 != 0x80 && !(compressed && rsv1) || (second & 0x80 != 0) != masked {
            return None;
        }
        let (len, rest) = match second & 0x7f {
            126 => {
                let (len, rest) = rest.split_first_chunk()?;
                let len = u16::from_be_bytes(*len);
                // Section 5.2: "the minimal number of bytes MUST be used".
                if len < 126 {
                    return None;
                }
                (len, rest)
            }
            127 => return None,
            len => (u16::from(len), rest),
        };
        let (key, rest) = if masked {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        let (payload, rest) = rest.split_at_checked(usize::from(len))?;
        Some((Self { kind, compressed, key, payload }, rest))
    }

    fn header(&self) -> Header {
        let len = self.payload.len() as u64;
        let length = if len < 126 { 0 } else { 2 };
        Header {
            fin: true,
            rsv: if self.compressed { 0b100 } else { 0 },
            opcode: match self.kind {
                MessageKind::Text => Opcode::Text,
                _ => Opcode::Binary,
            },
            mask: self.key,
            len,
            size: 2 + length + if self.key.is_some() { 4 } else { 0 },
        }
    }
}

impl Half {
    /// Between frames, and nothing is going on that the next one would have to be looked at for.
    pub(super) fn is_calm(&self) -> bool {
        matches!(self.stage, Stage::InStep)
            && self.decoder.is_between_frames()
            && self.open.is_none()
            && self.unproven == 0
            && !self.unsure
            && self.strikes == 0
            && !self.masks_wrongly
            && !self.reserved_open
            && !self.conduct.has_closed()
            && self.pending.is_empty()
    }

    /// Whole data messages in one sound frame each, as long as there are some. None of them disturbs
    /// the calm.
    pub(super) fn simple_ones<S: Sink>(
        &mut self,
        rsv1: Rsv1,
        origin: Origin,
        bytes: &mut &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        let counted = !out.wants.payload && !out.wants.frames;
        let masked = self.dir == Direction::ToServer;
        // What RSV1 of a single frame means is another matter.
        let rsv1 = matches!(rsv1, Rsv1::Message | Rsv1::Unknown);
        // Put together once: read again right after it was written, it would stall each time.
        let cx = Cx { conn: out.conn, origin };
        while let Some((message, rest)) = Simple::split(bytes, masked, rsv1) {
            if !self.conduct.takes(message.key) {
                break;
            }
            *bytes = rest;
            self.frames += 1;
            if counted {
                let Simple { kind, compressed, payload, .. } = message;
                self.counter.unread(kind, compressed, payload.len() as u64, &cx, out.sink)?;
            } else {
                self.simple(message.header(), message.payload, origin, out)?;
            }
        }
        ControlFlow::Continue(())
    }

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
            unfinished: false,
            encoded: false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::rules::is_plain;

    /// The same by the rules for all headers.
    fn by_the_rules(bytes: &[u8], dir: Direction, rsv1: Rsv1) -> Option<(Header, &[u8])> {
        let (header, rest) = Header::split(bytes)?;
        let payload = rest.get(..usize::try_from(header.len).ok()?)?;
        let simple = matches!(header.opcode, Opcode::Text | Opcode::Binary)
            && header.fin
            && is_plain(&header, dir, rsv1)
            && !(header.rsv1() && rsv1 == Rsv1::Frame);
        simple.then_some((header, payload))
    }

    #[test]
    fn what_is_simple_at_a_glance_is_so_by_the_rules() {
        let mut rest: Vec<u8> = (0..=255).cycle().take(400).collect();
        let mut simple = 0;
        for (first, second) in (0..=255).flat_map(|a| (0..=255).map(move |b| (a, b))) {
            for len in [125_u16, 126, 300] {
                rest[..2].copy_from_slice(&len.to_be_bytes());
                let bytes = [&[first, second], &*rest].concat();
                for dir in Direction::BOTH {
                    for rsv1 in [Rsv1::Fault, Rsv1::Unknown, Rsv1::Message, Rsv1::Frame] {
                        let allowed = matches!(rsv1, Rsv1::Message | Rsv1::Unknown);
                        let got = Simple::split(&bytes, dir == Direction::ToServer, allowed);
                        let want = by_the_rules(&bytes, dir, rsv1);
                        let got = got.map(|(simple, rest)| {
                            let header = simple.header();
                            let whole = usize::from(header.size) + simple.payload.len();
                            assert_eq!(rest.len(), bytes.len() - whole);
                            (header, simple.payload)
                        });
                        assert_eq!(got, want, "{first:#x} {second:#x} {len} {dir} {rsv1:?}");
                        simple += usize::from(got.is_some());
                    }
                }
            }
        }
        assert!(simple > 1000, "{simple}");
    }

    #[test]
    fn a_message_that_is_not_all_there_is_not_simple() {
        let bytes = [&[0x82, 126, 0, 200], &[7; 200][..]].concat();
        for end in 0..bytes.len() {
            assert!(Simple::split(&bytes[..end], false, false).is_none(), "{end}");
        }
        assert!(Simple::split(&bytes, false, false).is_some());
    }

    #[test]
    fn what_a_simple_message_asks_for_shares_a_cache_line() {
        // The last masking key is the first of what is kept of the conduct.
        assert_eq!(std::mem::offset_of!(Half, conduct) + size_of::<u64>(), 64);
        assert_eq!(align_of::<Half>(), 64);
    }
}
