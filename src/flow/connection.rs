//! One connection of the table: its two directions, what they carry, and where it stands.
//!
//! Gets: the segments of the connection, in the order of the capture. Gives: stream events to a
//! [`Handler`], as long as it wants them. Keeps: a [`Half`] for each direction and the handler's state.

use std::ops::ControlFlow;

use super::closed::{CLOSED_NS, Husk};
use super::half::{Half, Piece};
use super::key::FlowKey;
use super::turns::Turns;
use super::{Finish, FlowInfo, Handler, Interest, Shed, Side, StreamEvent};
use crate::limits::Limits;
use crate::packet::{Segment, TcpFlags};
use crate::units::{FlowId, Origin, StreamNo};

/// A connection; what each segment asks for comes first, as in [`Half`], and shares as few cache lines as
/// it can.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Flow<T> {
    pub(super) key: FlowKey,
    /// Is [`Side::A`] the first address of the key.
    a_is_first: bool,
    pub(super) phase: Phase,
    /// Bytes that are kept of it beyond its own size, when it was looked at last; no more than this can
    /// hold.
    weight: u32,
    state: T,
    pub(super) last: Origin,
    /// A RST came from this side, before all that was sent ahead of it. Boxed: each segment asks for it,
    /// and few connections have one.
    reset: Option<Box<(Side, Origin)>>,
    a: Half,
    b: Half,
    pub(super) info: FlowInfo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nobody wants its bytes; kept to know its segments when they come.
    Ignored,
    /// Over: what is to be known of it later is kept as a [`Husk`].
    Closed,
}

/// Is what a connection keeps the same after a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nobody was told of anything, and nothing came: a mere acknowledgement.
    Same,
    /// It may be other than before.
    Other,
}

/// Nanoseconds without a segment, where both packets have a time.
pub(super) fn idle(last: Origin, now: Origin) -> Option<i64> {
    Some(now.time?.since(last.time?))
}

impl<T: Default> Flow<T> {
    pub(super) fn new(
        segment: &Segment<'_>,
        key: FlowKey,
        src_first: bool,
        stream: StreamNo,
        compares: bool,
    ) -> Self {
        Self {
            info: FlowInfo {
                id: FlowId(segment.origin.packet),
                stream,
                a: segment.src,
                b: segment.dst,
                opener: None,
                begin: segment.origin,
            },
            key,
            a_is_first: src_first,
            a: Half::new(compares),
            b: Half::new(compares),
            last: segment.origin,
            reset: None,
            weight: 0,
            phase: Phase::Open,
            state: T::default(),
        }
    }

    /// What is to be known of it when it is over.
    pub(super) fn husk(&self) -> Husk {
        let (first, second) = if self.a_is_first { (&self.a, &self.b) } else { (&self.b, &self.a) };
        Husk {
            key: self.key,
            id: self.info.id,
            last: self.last,
            first: first.begun(),
            second: second.begun(),
        }
    }

    /// Does this SYN begin another connection between the same addresses and ports?
    pub(super) fn is_reused_by(&self, segment: &Segment<'_>, src_first: bool) -> bool {
        let from_a = src_first == self.a_is_first;
        let (sender, receiver) = if from_a { (&self.a, &self.b) } else { (&self.b, &self.a) };
        let over = self.reset.is_some() || self.a.has_fin() || self.b.has_fin();
        let is_other = !sender.began_with(segment.seq);
        if segment.flags.has(TcpFlags::ACK) {
            // The SYN of a new connection was not captured; its answer fits nothing of the old one.
            return is_other && sender.seen && (over || !receiver.plausible(segment.ack));
        }
        is_other && (over || sender.seen)
    }

    pub(super) fn idle_too_long(&self, now: Origin, limits: &Limits) -> bool {
        let Some(idle) = idle(self.last, now) else { return false };
        match self.phase {
            // What would still have come before the RST, or before the second FIN, does not come any more.
            Phase::Open if self.reset.is_some() || self.has_both_fins() => idle > limits.hold_ns,
            Phase::Open if self.a.is_silent() && self.b.is_silent() => idle > limits.idle_ns,
            Phase::Open => idle > limits.idle_websocket_ns,
            Phase::Ignored => idle > limits.idle_ns,
            Phase::Closed => idle > CLOSED_NS,
        }
    }

    /// Takes the next segment of it.
    #[inline]
    pub(super) fn push<H: Handler<State = T>>(
        &mut self,
        segment: &Segment<'_>,
        src_first: bool,
        limits: &Limits,
        handler: &mut H,
    ) -> ControlFlow<(), Kept> {
        self.last = segment.origin;
        if self.phase != Phase::Open {
            return ControlFlow::Continue(Kept::Same);
        }
        let flags = segment.flags;
        let side = if src_first == self.a_is_first { Side::A } else { Side::B };
        if flags.has(TcpFlags::SYN) && self.info.opener.is_none() {
            // A SYN with ACK answers one that was not captured.
            let opener = if flags.has(TcpFlags::ACK) { side.flip() } else { side };
            self.info.opener = Some(opener);
        }
        let Self { info, a, b, state, reset, .. } = self;
        let (half, peer) = match side {
            Side::A => (a, b),
            Side::B => (b, a),
        };
        if flags.has(TcpFlags::RST) && !half.plausible(segment.seq) || half.predates(segment, peer)
        {
            return ControlFlow::Continue(Kept::Same);
        }
        let mut interest = Interest::Keep;
        let came = !segment.payload.is_empty() || segment.cut > 0;
        let mut kept = if came { Kept::Other } else { Kept::Same };
        let mut give = |from: Side, event: StreamEvent<'_>| -> ControlFlow<()> {
            kept = Kept::Other;
            if interest == Interest::Keep {
                interest = handler.stream(info, state, from, event)?;
            }
            ControlFlow::Continue(())
        };
        let mut seq = segment.seq;
        if flags.has(TcpFlags::SYN) {
            half.syn(seq);
            seq = seq.plus(1);
        }
        let heard = if flags.has(TcpFlags::ACK) { peer.acknowledged(segment.ack) } else { 0 };
        let fin = flags.has(TcpFlags::FIN);
        if flags.has(TcpFlags::RST) {
            // RFC 9293 section 3.10.7.4: a RST takes effect at its place in the sequence; in a capture
            // what was sent before it may stand behind it. Data of its own is a diagnostic text at
            // most (section 3.5.3).
            half.acknowledged(seq);
            reset.get_or_insert_with(|| Box::new((side, segment.origin)));
        } else if fin || came {
            let piece = Piece {
                origin: segment.origin,
                seq,
                bytes: segment.payload,
                cut: segment.cut,
                fin,
                heard,
            };
            if half.passes(&piece, peer) {
                give(side, StreamEvent::Data { origin: piece.origin, bytes: piece.bytes })?;
            } else {
                half.data(piece, peer, &mut |event| give(side, event))?;
            }
        } else {
            half.stands_at(seq);
        }
        if fin || half.is_waiting() || peer.is_waiting() {
            Turns { half: &mut *half, peer: &mut *peer, side }.go_on(
                segment.origin,
                limits,
                &mut give,
            )?;
        }
        half.settle();
        peer.settle();
        let reset_is_due = reset.is_some() && !half.lacks() && !peer.lacks();
        if interest == Interest::Drop {
            self.ignore();
            return ControlFlow::Continue(Kept::Other);
        }
        if reset_is_due || self.a.is_ended() && self.b.is_ended() {
            self.finish(Finish::Tcp, segment.origin, handler)?;
            return ControlFlow::Continue(Kept::Other);
        }
        ControlFlow::Continue(kept)
    }

    /// Both sides closed it; it is open only as long as what they sent before may still come.
    fn has_both_fins(&self) -> bool {
        self.a.has_fin() && self.b.has_fin()
    }

    /// What is kept of it beyond its own size.
    #[inline]
    fn heavy<H: Handler<State = T>>(&self, handler: &H) -> u32 {
        if self.phase != Phase::Open {
            return 0;
        }
        let held = self.a.weight().saturating_add(self.b.weight());
        let weight = held.saturating_add(handler.weight(&self.state));
        u32::try_from(weight).unwrap_or(u32::MAX)
    }

    /// Looks at what is kept of it, and brings a sum of weights up to date with that.
    #[inline]
    pub(super) fn weigh<H: Handler<State = T>>(&mut self, sum: &mut usize, handler: &H) {
        let weight = self.heavy(handler);
        *sum = sum.saturating_sub(self.weight()).saturating_add(weight as usize);
        self.weight = weight;
    }

    /// Bytes that were kept of it when it was weighed last.
    #[inline]
    pub(super) const fn weight(&self) -> usize {
        self.weight as usize
    }

    /// Keeps less, or as little as it can.
    pub(super) fn shed<H: Handler<State = T>>(
        &mut self,
        what: Shed,
        now: Origin,
        handler: &mut H,
    ) -> ControlFlow<()> {
        if self.phase != Phase::Open {
            return ControlFlow::Continue(());
        }
        let Self { info, a, b, state, .. } = self;
        let mut interest = Interest::Keep;
        if what == Shed::All {
            let mut give = |side: Side, event: StreamEvent<'_>| -> ControlFlow<()> {
                if interest == Interest::Keep {
                    interest = handler.stream(info, state, side, event)?;
                }
                ControlFlow::Continue(())
            };
            Turns { half: a, peer: b, side: Side::A }.shed(now, &mut give)?;
        }
        if interest == Interest::Drop {
            self.ignore();
            return ControlFlow::Continue(());
        }
        handler.shed(info, state, what, now)
    }

    fn ignore(&mut self) {
        self.phase = Phase::Ignored;
        self.a.drop_held();
        self.b.drop_held();
        self.state = T::default();
    }

    /// Shows the handler's state of it to `look`.
    pub(super) fn visit(
        &mut self,
        look: &mut impl FnMut(&FlowInfo, &mut T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        look(&self.info, &mut self.state)
    }

    pub(super) fn finish<H: Handler<State = T>>(
        &mut self,
        why: Finish,
        origin: Origin,
        handler: &mut H,
    ) -> ControlFlow<()> {
        if self.phase != Phase::Open {
            return ControlFlow::Continue(());
        }
        self.phase = Phase::Closed;
        let mut state = std::mem::take(&mut self.state);
        let mut wanted = true;
        let both_fins = self.has_both_fins();
        let Self { info, a, b, reset, .. } = self;
        let (why, origin) = match reset.as_deref() {
            Some((_, at)) => (Finish::Tcp, *at),
            None if both_fins => (Finish::Tcp, self.last),
            None => (why, origin),
        };
        let mut give = |side: Side, event: StreamEvent<'_>| {
            if wanted {
                wanted = handler.stream(info, &mut state, side, event)? == Interest::Keep;
            }
            ControlFlow::Continue(())
        };
        a.take_its_word();
        b.take_its_word();
        Turns { half: a, peer: b, side: Side::A }.flush(origin, &mut give)?;
        if let Some((side, origin)) = reset.as_deref().copied() {
            give(side, StreamEvent::Reset { origin })?;
        }
        a.drop_held();
        b.drop_held();
        if wanted {
            handler.finish(&self.info, &mut state, why, origin)
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    /// As large as what is kept of a connection for the protocols on it.
    type State = [u64; 4];

    #[test]
    fn what_each_segment_asks_for_shares_three_cache_lines() {
        assert_eq!(offset_of!(Flow<State>, info), 3 * 64);
        assert_eq!(size_of::<State>(), size_of::<crate::conn::Conn>());
    }
}
