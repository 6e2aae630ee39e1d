//! One direction of a TCP connection: what is next, what came early, what is missing.
//!
//! ```text
//!            next                acked
//!   ----------|....hole....|#####|....hole....|####|
//!   delivered               held (first bytes win)  ^ fin
//! ```
//! Bytes wait, too, while the other direction lacks bytes that their sender had acknowledged: see
//! [`super::turns`], which says when either direction goes on.
//!
//! A hole becomes a gap when the receiver has acknowledged past it (and a few more segments did not
//! fill it), when too much is held behind it, when it has stood too long, or at the end.

mod parts;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use self::parts::{Astray, Fin, Held, Start, differing};
pub(super) use self::parts::{Piece, Turn};
use super::StreamEvent;
use super::recent::Recent;
use crate::limits::Limits;
use crate::packet::{Segment, TcpFlags};
use crate::units::{Origin, PacketNo, SeqNo};

/// Where stream events go: `true` as long as they are wanted.
pub(super) type Give<'a> = &'a mut dyn FnMut(StreamEvent<'_>) -> ControlFlow<()>;

/// Beyond the largest window that TCP can scale to in practice: such a segment is not of this stream.
const FAR: i32 = 64 << 20;

/// As long as no more than this came, what lies behind the beginning is told from what lies far ahead.
const YOUNG: u64 = 1 << 30;

/// Segments in a row that agree with each other, but not with the stream, until they are the stream.
const STRAYS: u8 = 3;

/// Segments after which an acknowledgement is no news any more: once or twice as many may go by.
const SETTLING: u32 = 4;

/// One direction. In the order in which it stands here: what each segment asks for comes first and
/// shares a cache line, since with many connections it is the lines that cost.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Half {
    /// Stream offset of the next byte to deliver.
    next: u64,
    /// The other side has acknowledged up to here; beyond `next` it proves a hole.
    acked: u64,
    /// Sequence number of `next`; meaningless until the start is known.
    next_seq: SeqNo,
    start: Start,
    /// FIN was delivered, or RST: nothing follows.
    ended: bool,
    /// A segment with data, SYN or FIN came from this side (not only an acknowledgement of it).
    pub(super) seen: bool,
    /// Nobody asks whether retransmissions say the same: nothing is remembered to tell.
    forgetful: bool,
    recent: Option<Box<Recent>>,
    /// Apart, since most segments come in order and have no use for it.
    astray: Option<Box<Astray>>,
}

/// How a direction began: all that is to be known of it when it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    /// Sequence number of its first byte, if known.
    pub(super) first: Option<SeqNo>,
    /// A segment with data, SYN or FIN came from this side.
    pub(super) seen: bool,
}

impl Begun {
    /// Did it begin with this SYN (which may be a repeated one), as far as is known.
    pub(super) fn with(&self, seq: SeqNo) -> bool {
        self.first.is_none_or(|first| first == seq.plus(1))
    }
}

impl Half {
    /// A direction of which nothing came yet; `compares`: what is handed on is remembered, to tell
    /// [`StreamEvent::Conflict`].
    pub(super) fn new(compares: bool) -> Self {
        Self { forgetful: !compares, ..Self::default() }
    }

    /// The stream begins right after this SYN.
    pub(super) fn syn(&mut self, seq: SeqNo) {
        let first = seq.plus(1);
        if self.started() && self.first_byte() == first {
            self.start = Start::Syn;
        } else if self.start != Start::Syn && self.is_silent() {
            // An acknowledgement that came before it was not of this connection.
            self.begin(first, Start::Syn);
            self.acked = self.next;
        }
        self.seen = true;
    }

    fn begin(&mut self, at: SeqNo, start: Start) {
        self.next_seq = at;
        self.start = start;
    }

    #[inline]
    fn started(&self) -> bool {
        self.start != Start::Unknown
    }

    /// Sequence number of its first byte, where it has begun.
    #[inline]
    fn first_byte(&self) -> SeqNo {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        SeqNo(self.next_seq.0.wrapping_sub(self.next as u32))
    }

    /// How far a sequence number of this direction lies before its first byte; never, unless its SYN says
    /// where that is.
    #[inline]
    fn before(&self, seq: SeqNo) -> u32 {
        if self.start != Start::Syn || self.next > YOUNG {
            return 0;
        }
        seq.ahead_of(self.first_byte()).min(0).unsigned_abs()
    }

    /// Is a segment from here, to `peer`, a late one (or a late copy of one) of an older connection between
    /// the same addresses and ports?
    #[inline]
    pub(super) fn predates(&self, segment: &Segment<'_>, peer: &Self) -> bool {
        let goes_on = segment.seq == self.next_seq && segment.ack == peer.next_seq;
        !goes_on && self.is_before_its_syn(segment, peer)
    }

    fn is_before_its_syn(&self, segment: &Segment<'_>, peer: &Self) -> bool {
        let has = |flag| segment.flags.has(flag);
        // RFC 9293 section 3.8.4: a keep-alive may bear the number of the SYN. Section 3.10.7: a RST is judged
        // by what it acknowledges only where its own number can not be judged.
        !has(TcpFlags::SYN) && self.before(segment.seq) > 1
            || has(TcpFlags::ACK)
                && peer.before(segment.ack) > 0
                && !(has(TcpFlags::RST) && self.start == Start::Syn)
    }

    /// How the stream began, as far as is known.
    pub(super) fn begun(&self) -> Begun {
        Begun { first: self.started().then(|| self.first_byte()), seen: self.seen }
    }

    /// Is this SYN the one that began the stream (a repeated one), as far as is known.
    pub(super) fn began_with(&self, seq: SeqNo) -> bool {
        self.begun().with(seq)
    }

    /// Could a segment with this sequence number be of this stream.
    pub(super) fn plausible(&self, seq: SeqNo) -> bool {
        !self.started() || self.distance(seq).abs() <= FAR
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Has its FIN been seen, delivered or not.
    pub(super) fn has_fin(&self) -> bool {
        self.fin().is_some()
    }

    /// Did no byte of it come yet.
    pub(super) fn is_silent(&self) -> bool {
        self.next == 0 && self.holds_none()
    }

    /// Forgets everything that is held: nobody wants this connection.
    pub(super) fn drop_held(&mut self) {
        self.recent = None;
        match &mut self.astray {
            // Where it ends is still asked for.
            Some(astray) if astray.fin.is_some() => {
                astray.held = VecDeque::new();
                astray.held_bytes = 0;
            }
            astray => *astray = None,
        }
    }

    /// Bytes of memory that [`Self::drop_held`] gives back, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        /// An entry, and the allocator's part of it and of its bytes.
        const ENTRY: usize = size_of::<Held>() + 48;
        self.astray.as_deref().map_or(0, |astray| {
            astray.held_bytes.saturating_add(astray.held.len().saturating_mul(ENTRY))
        })
    }

    #[inline]
    fn holds_none(&self) -> bool {
        self.astray.as_deref().is_none_or(|astray| astray.held.is_empty())
    }

    #[inline]
    fn fin(&self) -> Option<Fin> {
        self.astray.as_deref()?.fin
    }

    /// What is held first.
    fn first(&self) -> Option<&Held> {
        self.astray.as_deref()?.held.front()
    }

    fn astray(&mut self) -> &mut Astray {
        self.astray.get_or_insert_default()
    }

    /// How far ahead of the next byte.
    fn distance(&self, seq: SeqNo) -> i32 {
        seq.ahead_of(self.next_seq)
    }

    /// Takes a segment of this direction: hands it on at once, or holds it.
    pub(super) fn data(
        &mut self,
        piece: Piece<'_>,
        peer: &Self,
        give: Give<'_>,
    ) -> ControlFlow<()> {
        if self.ended {
            return ControlFlow::Continue(());
        }
        if !self.started() {
            self.begin(piece.seq, Start::Presumed);
        }
        let ahead = self.distance(piece.seq);
        if self.begins_earlier(&piece, ahead, peer) {
            self.acked = self.acked.saturating_add(u64::from(ahead.unsigned_abs()));
            self.begin(piece.seq, Start::Presumed);
        }
        if ahead.abs() > FAR && !self.adopt_stray(&piece, give)? {
            return ControlFlow::Continue(());
        }
        let ahead = i64::from(self.distance(piece.seq));
        let len = piece.bytes.len() as u64 + u64::from(piece.cut);
        self.seen |= len > 0 || piece.fin;
        if piece.fin && !self.has_fin() {
            // RFC 9293 section 3.4: FIN takes the number behind the last byte.
            let at = self.next.saturating_add_signed(ahead.saturating_add_unsigned(len));
            self.astray().fin = Some(Fin { at, origin: piece.origin, heard: piece.heard });
        }
        if ahead == 0 && self.holds_none() && peer.covers(piece.heard) {
            // The common case: in order, nothing held, nothing copied.
            self.deliver(piece.origin, piece.bytes, u64::from(piece.cut), give)
        } else if len > 0 {
            self.out_of_order(&piece, ahead, len, peer, give)
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Is this what the other side's acknowledgement, of which alone the beginning is known, was for? It was
    /// captured behind that. (Where the other side has said more, that would come before what it answers.)
    fn begins_earlier(&self, piece: &Piece<'_>, ahead: i32, peer: &Self) -> bool {
        let keep_alive = ahead == -1 && piece.bytes.len() <= 1;
        self.start == Start::Presumed
            && !self.seen
            && (-FAR..0).contains(&ahead)
            && !keep_alive
            && self.is_silent()
            && peer.is_silent()
    }

    /// The usual segment: what is next, and all there is to say of it is its bytes, which are to be
    /// handed on. False for any other; that has changed nothing.
    #[inline]
    pub(super) fn passes(&mut self, piece: &Piece<'_>, peer: &Self) -> bool {
        let usual = self.started()
            && piece.seq == self.next_seq
            && !self.ended
            && !piece.fin
            && piece.cut == 0
            && !piece.bytes.is_empty()
            && self.holds_none()
            && peer.covers(piece.heard);
        if usual {
            self.seen = true;
            self.remember(piece.bytes);
            self.advance(piece.bytes.len() as u64);
        }
        usual
    }

    /// Everything but the next segment in an orderly stream.
    fn out_of_order(
        &mut self,
        piece: &Piece<'_>,
        ahead: i64,
        len: u64,
        peer: &Self,
        give: Give<'_>,
    ) -> ControlFlow<()> {
        let (mut bytes, mut at) = (piece.bytes, self.next.saturating_add_signed(ahead.max(0)));
        if ahead < 0 {
            let old = ahead.unsigned_abs();
            // RFC 9293 section 3.8.4: a keep-alive is a byte (any) below the next one.
            let keep_alive = old == 1 && bytes.len() <= 1;
            if !keep_alive {
                self.compare_delivered(piece.origin, bytes, old, give)?;
            }
            if old >= len {
                return ControlFlow::Continue(());
            }
            at = self.next;
            let skip = usize::try_from(old).unwrap_or(usize::MAX).min(bytes.len());
            bytes = bytes.get(skip..).unwrap_or_default();
        }
        // In one step: the segment may begin before the first byte that there is an offset for.
        let end = self.next.saturating_add_signed(ahead.saturating_add_unsigned(len));
        let cut = end.saturating_sub(at).saturating_sub(bytes.len() as u64);
        if at == self.next && self.holds_none() && peer.covers(piece.heard) {
            return self.deliver(piece.origin, bytes, cut, give);
        }
        self.hold(&Piece { bytes, ..*piece }, at, cut, give)
    }

    /// Is everything up to there handed on, or given up?
    #[inline]
    pub(super) fn covers(&self, offset: u64) -> bool {
        // One acknowledged byte with nothing behind it is most likely a FIN that was not captured: it
        // takes a sequence number too.
        offset <= self.next || offset - self.next == 1 && self.holds_none()
    }

    /// Bytes at `next` that are missing so far: up to what is held, or up to what is acknowledged.
    pub(super) fn hole(&self) -> Option<u64> {
        if self.ended {
            return None;
        }
        let end = match self.first() {
            Some(held) if self.next < self.acked && self.acked < held.at => self.acked,
            Some(held) => held.at,
            None if self.covers(self.acked) => return None,
            None => self.acked,
        };
        end.checked_sub(self.next).filter(|&len| len > 0)
    }

    /// Bytes that are missing before FIN, with nothing held.
    pub(super) fn hole_before_fin(&self) -> Option<u64> {
        let fin = self.fin().filter(|_| self.holds_none() && !self.ended)?;
        fin.at.checked_sub(self.next).filter(|&len| len > 0)
    }

    /// Does the capture lack (so far) bytes that the other side has acknowledged?
    pub(super) fn lacks(&self) -> bool {
        self.acked > self.next && self.hole().is_some()
    }

    /// What stands at `next`: bytes, or FIN.
    pub(super) fn turn(&self) -> Option<Turn> {
        match (self.first(), self.fin()) {
            (Some(&Held { at, origin, heard, .. }), _) if at <= self.next => {
                Some(Turn { packet: origin.packet, heard, fin: false })
            }
            (None, Some(Fin { at, origin, heard })) if at <= self.next && !self.ended => {
                Some(Turn { packet: origin.packet, heard, fin: true })
            }
            _ => None,
        }
    }

    /// The packet that brought the first of what is held.
    pub(super) fn first_held(&self) -> Option<PacketNo> {
        self.first().map(|held| held.origin.packet)
    }

    /// Is more held than may be.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.astray.as_deref().is_some_and(|astray| {
            astray.held_bytes > limits.hold_bytes || astray.held.len() > limits.hold_segments
        })
    }

    /// The other side has everything up to `ack`; gives where in this direction that is.
    #[inline]
    pub(super) fn acknowledged(&mut self, ack: SeqNo) -> u64 {
        if !self.started() {
            // Nothing of this side was captured yet: what it sends next starts here.
            self.begin(ack, Start::Presumed);
            return self.next;
        }
        let ahead = self.distance(ack);
        if ahead <= 0 || ahead > FAR {
            return self.next;
        }
        let to = self.next.saturating_add(u64::from(ahead.unsigned_abs()));
        // FIN takes a number too, but is no byte.
        let to = self.fin().map_or(to, |fin| to.min(fin.at));
        if self.acked <= self.next && to > self.next {
            self.begin_waiting();
            let astray = self.astray();
            astray.grace = 0;
            astray.settled = [to; 2];
        }
        self.acked = self.acked.max(to);
        to
    }

    /// This side has sent everything up to `seq`, received or not.
    #[inline]
    pub(super) fn stands_at(&mut self, seq: SeqNo) {
        let ahead = self.distance(seq);
        if ahead > 0 && ahead <= FAR && self.started() {
            let to = self.next.saturating_add(u64::from(ahead.unsigned_abs()));
            let astray = self.astray();
            astray.said = astray.said.max(to);
        }
    }

    /// Nothing follows: what this side said that it sent, and nobody acknowledged in the capture, is missing
    /// as well. Before, it might have been sent again.
    pub(super) fn take_its_word(&mut self) {
        let said = self.astray.as_deref().map_or(0, |astray| astray.said);
        let end = self.fin().map_or(u64::MAX, |fin| fin.at);
        self.acked = self.acked.max(said.min(end));
    }

    /// Before something waits: if nothing did, it does from now on.
    fn begin_waiting(&mut self) {
        if !self.is_waiting() {
            self.waits_no_more();
        }
    }

    /// Called once for each segment of the connection, whichever side sent it, while something waits.
    pub(super) fn tick(&mut self, now: Origin) {
        let next = self.next;
        if let Some(astray) = &mut self.astray
            && astray.waits_at != next
        {
            // A direction that is captured later than the other one all the time has holes all the time.
            astray.waits_at = next;
            astray.waits_since = None;
            astray.grace = 0;
        }
        if self.acked > self.next {
            let acked = self.acked;
            let astray = self.astray();
            astray.grace = astray.grace.saturating_add(1);
            if astray.grace.is_multiple_of(SETTLING) {
                astray.settled = [astray.settled[1], acked];
            }
        }
        if self.is_waiting() {
            let since = &mut self.astray().waits_since;
            *since = since.or(now.time);
        }
    }

    /// Gives up the hole at `next` when nothing will fill it any more; `true` when it did.
    pub(super) fn give_up_if_due(
        &mut self,
        now: Origin,
        limits: &Limits,
        give: Give<'_>,
    ) -> ControlFlow<(), bool> {
        let Some(len) = self.hole() else { return ControlFlow::Continue(false) };
        let astray = self.astray();
        let (segments, settled) = (astray.grace, astray.settled[0]);
        let waited = now.time.zip(astray.waits_since).map_or(0, |(now, since)| now.since(since));
        let grace = &limits.hole_grace_segments;
        let enough = if waited < limits.hole_grace_ns { grace.end } else { grace.start };
        let proven = self.acked > self.next && segments > enough;
        if self.is_full(limits) || waited > limits.hold_ns {
            self.give_up(now, len, give)?;
            return ControlFlow::Continue(true);
        }
        let settled = settled.saturating_sub(self.next);
        if !proven || settled == 0 {
            return ControlFlow::Continue(false);
        }
        self.give_up(now, len.min(settled), give)?;
        let acked = self.acked;
        let astray = self.astray();
        astray.grace = 0;
        astray.settled = [acked; 2];
        ControlFlow::Continue(true)
    }

    /// These bytes at `next` will not come. The gap is of the packet that showed it, the one behind it:
    /// events stand in the order of their packets.
    pub(super) fn give_up(&mut self, now: Origin, len: u64, give: Give<'_>) -> ControlFlow<()> {
        self.waits_no_more();
        let end = self.next.saturating_add(len);
        let held = self.first().map(|held| (held.at, held.origin));
        let behind = held.or(self.fin().map(|fin| (fin.at, fin.origin)));
        let shown_by = behind.filter(|&(at, _)| at == end).map_or(now, |(_, origin)| origin);
        self.gap(shown_by, len, false, give)
    }

    fn waits_no_more(&mut self) {
        if let Some(astray) = &mut self.astray {
            astray.waits_since = None;
        }
    }

    /// Is something held, or a hole to be filled or given up.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        !self.holds_none() || self.acked > self.next
    }

    /// After each segment: gives up what is kept for trouble when that is over, so that the next segment
    /// need not ask about it.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Some(astray) = self.astray.as_deref()
            && self.acked <= self.next
            && astray.said <= self.next
            && astray.is_over()
        {
            self.astray = None;
        }
    }

    /// Nothing follows (RST from either side).
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.drop_held();
    }

    /// Hands on bytes that are next, and the part of them that the snapshot length cut off.
    fn deliver(
        &mut self,
        origin: Origin,
        bytes: &[u8],
        cut: u64,
        give: Give<'_>,
    ) -> ControlFlow<()> {
        if !bytes.is_empty() {
            self.remember(bytes);
            self.advance(bytes.len() as u64);
            give(StreamEvent::Data { origin, bytes })?;
        }
        if cut > 0 {
            self.gap(origin, cut, true, give)?;
        }
        ControlFlow::Continue(())
    }

    fn gap(&mut self, origin: Origin, len: u64, snapped: bool, give: Give<'_>) -> ControlFlow<()> {
        self.advance(len);
        give(StreamEvent::Gap { origin, len, snapped })
    }

    #[inline]
    fn advance(&mut self, len: u64) {
        self.next = self.next.saturating_add(len);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let step = len as u32;
        self.next_seq = self.next_seq.plus(step);
    }

    /// What stands at `next` goes out.
    pub(super) fn hand_on(&mut self, give: Give<'_>) -> ControlFlow<()> {
        if let Some(astray) = &mut self.astray
            && let Some(held) = astray.held.pop_front()
        {
            astray.held_bytes = astray.held_bytes.saturating_sub(held.bytes.len());
            if astray.held.is_empty() {
                astray.waits_since = None;
            }
            return self.deliver(held.origin, &held.bytes, held.cut, give);
        }
        match self.fin() {
            Some(Fin { at, origin, .. }) if at <= self.next && !self.ended => {
                self.end();
                give(StreamEvent::Fin { origin })
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Keeps a segment that came early, where nothing is held yet: the first bytes win.
    fn hold(&mut self, piece: &Piece<'_>, at: u64, cut: u64, give: Give<'_>) -> ControlFlow<()> {
        let &Piece { origin, bytes, heard, .. } = piece;
        self.begin_waiting();
        let end = at.saturating_add(bytes.len() as u64).saturating_add(cut);
        let mut conflict = 0;
        let Astray { held: all, held_bytes, .. } = &mut **self.astray.get_or_insert_default();
        let mut keep = |all: &mut VecDeque<Held>, nth: usize, from: u64, to: u64| {
            let range = usize::try_from(from - at).unwrap_or(usize::MAX)
                ..usize::try_from(to - at).unwrap_or(usize::MAX).min(bytes.len());
            let part = bytes.get(range).unwrap_or_default();
            let cut = (to - from).saturating_sub(part.len() as u64);
            // Only cut bytes in a stretch whose bytes are known to be cut: still worth holding, it
            // keeps the step.
            *held_bytes += part.len();
            all.insert(nth, Held { at: from, origin, bytes: part.into(), cut, heard });
        };
        // From the first held stretch on that ends behind `at`: what lies between them is kept.
        let mut nth = all.partition_point(|held| held.end() <= at);
        let mut free = at;
        while let Some(held) = all.get(nth).filter(|held| held.at < end) {
            let (start, stop) = (held.at, held.end());
            conflict += differing(start, &held.bytes, at, bytes);
            if start > free {
                keep(all, nth, free, start);
                nth += 1;
            }
            free = free.max(stop);
            nth += 1;
        }
        if free < end {
            keep(all, nth, free, end);
        }
        if conflict > 0 {
            give(StreamEvent::Conflict { origin, len: conflict })?;
        }
        ControlFlow::Continue(())
    }

    /// A segment whose number is far from the stream's: noise, or has the stream moved on unseen?
    fn adopt_stray(&mut self, piece: &Piece<'_>, give: Give<'_>) -> ControlFlow<(), bool> {
        let stray = &mut self.astray().stray;
        let (expected, count) = *stray;
        let count = if count > 0 && expected == piece.seq { count + 1 } else { 1 };
        let len = u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX).wrapping_add(piece.cut);
        *stray = (piece.seq.plus(len), count);
        if count < STRAYS {
            return ControlFlow::Continue(false);
        }
        // The number of bytes between is unknown modulo 2^32; what counts is that there is a gap.
        self.flush_held(piece.origin, give)?;
        let missing = u64::from(piece.seq.0.wrapping_sub(self.next_seq.0)).max(1);
        self.astray().stray = (SeqNo(0), 0);
        self.gap(piece.origin, missing, false, give)?;
        self.next_seq = piece.seq;
        self.acked = self.next;
        self.astray().fin = None;
        ControlFlow::Continue(true)
    }

    fn flush_held(&mut self, now: Origin, give: Give<'_>) -> ControlFlow<()> {
        while let Some(at) = self.first().map(|held| held.at) {
            if at > self.next {
                self.give_up(now, at - self.next, give)?;
            }
            self.hand_on(give)?;
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn remember(&mut self, bytes: &[u8]) {
        if !self.forgetful {
            self.recent.get_or_insert_default().add(self.next, bytes);
        }
    }

    /// A retransmission that begins `old` bytes before `next`: does it say what was delivered?
    fn compare_delivered(
        &self,
        origin: Origin,
        bytes: &[u8],
        old: u64,
        give: Give<'_>,
    ) -> ControlFlow<()> {
        let (Some(from), Some(recent)) = (self.next.checked_sub(old), &self.recent) else {
            return ControlFlow::Continue(());
        };
        match recent.differing(from, bytes) {
            0 => ControlFlow::Continue(()),
            len => give(StreamEvent::Conflict { origin, len }),
        }
    }
}

#[cfg(test)]
mod tests;
