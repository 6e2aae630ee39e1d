//! One WebSocket connection, from behind its handshake to its end.
//!
//! Gets: bytes, gaps, FIN and RST of both directions, in stream order. Gives: frames, messages, gaps
//! and the end, as [`Event`]s. Keeps: per direction the frame at hand, an unfinished message, and
//! pings without pong; all within [`Limits`].

use std::ops::ControlFlow;

use crate::event::{DeflateAgreement, End, Event, Gap, Handshake, Outcome, Sink};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Count, Direction, Origin, PerDirection, Timestamp};
use crate::ws::Out;
pub use crate::ws::ending::Finish;
use crate::ws::ending::{Carrier, Facts, FailedOpening, since};
use crate::ws::extension::names_other;
use crate::ws::half::Half;
use crate::ws::rules::{Notes, Rsv1};

/// What is known when the frames begin.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The agreed compression.
    pub deflate: Option<DeflateAgreement>,
    /// Time of the connection's first packet.
    pub begin: Option<Timestamp>,
    /// The first byte given is the first of a frame. False where the capture starts in
    /// mid-connection, or lost the answer: the first border is then looked for.
    pub synced: PerDirection<bool>,
    /// The handshake was captured, so that what was not agreed in it is a fault.
    pub handshake_known: bool,
    /// An extension was agreed, or may have been, that is not known here: RSV bits may be its, and the
    /// data of frames that have them.
    pub other_extension: bool,
    /// The answer was one that the client must fail the connection on, or does if it is a browser.
    pub failed_opening: Option<FailedOpening>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            deflate: None,
            begin: None,
            synced: PerDirection { to_server: true, to_client: true },
            handshake_known: true,
            other_extension: false,
            failed_opening: None,
        }
    }
}

impl Setup {
    /// What a handshake says of the frames behind it: a whole answer tells what was agreed, whatever the
    /// request was.
    pub fn of(judged: &Handshake) -> Self {
        let unselected =
            judged.notes.iter().any(|note| note.code == NoteCode::SubprotocolUnselected);
        Self {
            deflate: judged.deflate,
            other_extension: judged.extensions.as_deref().is_some_and(names_other),
            failed_opening: match judged.outcome {
                Outcome::Invalid => Some(FailedOpening::Answer),
                _ if unselected => Some(FailedOpening::Subprotocol),
                _ => None,
            },
            ..Self::default()
        }
    }

    /// For frames of a connection that began there, whose handshake is not in the capture.
    pub fn unseen(begin: Origin) -> Self {
        Self {
            begin: begin.time,
            synced: PerDirection { to_server: false, to_client: false },
            handshake_known: false,
            ..Self::default()
        }
    }

    /// What RSV1 stands for.
    pub(super) fn rsv1(&self) -> Rsv1 {
        match self.deflate {
            Some(deflate) if deflate.per_frame => Rsv1::Frame,
            Some(_) => Rsv1::Message,
            None if self.handshake_known => Rsv1::Fault,
            None => Rsv1::Unknown,
        }
    }
}

/// A connection; what each segment asks for comes first, as in [`Half`].
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    common: Common,
    halves: PerDirection<Half>,
}

/// What both directions write to; what each segment asks for comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Common {
    over: bool,
    pub(super) rsv1: Rsv1,
    /// The capture lacks bytes of a direction.
    gapped: PerDirection<bool>,
    /// What [`Session::weight`] gives: kept, as most packets leave it as it is.
    weight: usize,
    /// The latest packet with data, and the latest other one before it.
    pub(super) now: Option<Origin>,
    pub(super) before: Option<Origin>,
    /// The latest time of any packet but [`Self::now`].
    last: Option<Timestamp>,
    /// How it ends; nothing before anybody does something about that. Boxed, since for nearly all of a
    /// connection's life it would only be in the way.
    pub(super) facts: Option<Box<Facts>>,
    /// A direction is not known whole.
    pub(super) blind: PerDirection<bool>,
    /// Notes that belong to no message.
    pub(super) notes: Notes,
    pub(super) setup: Setup,
}

impl Common {
    /// The last packet with data before this one.
    pub(super) fn data_before(&self, origin: Origin) -> Option<Origin> {
        if self.now.is_some_and(|now| now.packet == origin.packet) { self.before } else { self.now }
    }

    pub(super) fn facts(&mut self) -> &mut Facts {
        self.facts.get_or_insert_default()
    }

    /// What a side ended, or nobody.
    fn carrier_of(&self, by: Option<Direction>) -> &'static str {
        let facts = self.facts.as_ref();
        facts.zip(by).map_or(Carrier::Tcp, |(facts, by)| facts.ended_by(by)).name()
    }

    /// Who began the ending that `by` took part in, and what that was.
    pub(super) fn ender(&self, by: Direction, origin: Origin) -> (Direction, String) {
        let facts = self.facts.as_ref();
        let act = facts.and_then(|facts| facts.first_act);
        let (dir, origin) = act.map_or((by, origin), |act| (act.dir, act.origin));
        let close = facts.and_then(|facts| facts.closes[dir].as_ref());
        let did = if close.is_some_and(|close| close.origin == origin) {
            "sent its Close".to_owned()
        } else {
            format!("ended {}", self.carrier_of(Some(dir)))
        };
        (dir, format!("the {} {did} in packet {}", dir.sender(), origin.packet))
    }

    #[inline]
    fn active(&mut self, origin: Origin) {
        if self.now.is_none_or(|now| now.packet != origin.packet) {
            let before = self.now.replace(origin);
            self.before = before;
            // Time hardly ever goes back.
            if let Some(Origin { time, .. }) = before
                && time > origin.time
            {
                self.last = self.last.max(time);
            }
        }
    }
}

impl Session {
    /// A connection whose frames come next.
    pub fn new(setup: Setup) -> Self {
        let half = |dir| Half::new(dir, &setup);
        let mut session = Self {
            halves: PerDirection {
                to_server: half(Direction::ToServer),
                to_client: half(Direction::ToClient),
            },
            common: Common {
                setup,
                rsv1: setup.rsv1(),
                facts: None,
                blind: PerDirection {
                    to_server: !setup.synced.to_server,
                    to_client: !setup.synced.to_client,
                },
                notes: Notes::default(),
                now: None,
                before: None,
                last: None,
                over: false,
                gapped: PerDirection { to_server: false, to_client: false },
                weight: 0,
            },
        };
        session.weigh();
        session
    }

    /// This packet completed the handshake: silence before the first frame begins here.
    pub fn opened(&mut self, origin: Origin) {
        self.common.now = Some(origin);
    }

    /// The next bytes of a direction, from one segment.
    #[inline]
    pub fn data<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over || bytes.is_empty() {
            return ControlFlow::Continue(());
        }
        self.common.active(origin);
        let (half, other) = self.split(dir);
        half.1.segment(half.0, other, origin, bytes, out)?;
        if half.1.take_stirred() {
            self.weigh();
        }
        ControlFlow::Continue(())
    }

    /// Bytes of a direction that the capture lacks: `snapped` when the snapshot length cut them off.
    pub fn gap<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        len: u64,
        snapped: bool,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over || len == 0 {
            return ControlFlow::Continue(());
        }
        self.common.blind[dir] = true;
        self.common.gapped[dir] = true;
        out.event(origin, &Event::Gap(Gap { dir, bytes: len }))?;
        let (mut bytes, mut packet) = (itoa::Buffer::new(), itoa::Buffer::new());
        let parts = [
            bytes.format(len),
            if len == 1 { " byte of the " } else { " bytes of the " },
            dir.sender(),
            if len == 1 { " is" } else { " are" },
            " missing from the capture before packet ",
            packet.format(origin.packet.number()),
            if snapped { ": packets were cut by the snapshot length" } else { "" },
        ];
        let text = parts.concat();
        let code = if snapped { NoteCode::Snapped } else { NoteCode::BytesMissing };
        let note = Note::new(code, Blame::Capture, text);
        let (half, other) = self.split(dir);
        half.1.gap(half.0, other, origin, len, note, out)?;
        self.weigh();
        ControlFlow::Continue(())
    }

    /// Bytes of a direction may be missing, it is not known how many; because `of` bytes are of what
    /// carries several connections (0: they were told of before).
    pub fn lost<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        of: u64,
        snapped: bool,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over {
            return ControlFlow::Continue(());
        }
        self.common.blind[dir] = true;
        self.common.gapped[dir] = true;
        if of > 0 {
            out.event(origin, &Event::Gap(Gap { dir, bytes: of }))?;
        }
        let why = if snapped { ": packets were cut by the snapshot length" } else { "" };
        let missing = if of > 0 { Count(of, "byte").to_string() } else { "bytes".to_owned() };
        let text = format!(
            "{missing} that the {} sent over HTTP/2 {} missing from the capture before packet {}, some \
             of this stream may be among them{why}",
            dir.sender(),
            if of == 1 { "is" } else { "are" },
            origin.packet,
        );
        let code = if snapped { NoteCode::Snapped } else { NoteCode::BytesMissing };
        let note = Note::new(code, Blame::Capture, text);
        let (half, other) = self.split(dir);
        // More than any frame has.
        half.1.gap(half.0, other, origin, u64::MAX, note, out)?;
        self.weigh();
        ControlFlow::Continue(())
    }

    /// The sender of this direction sends no more.
    pub fn fin<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over || self.common.facts.as_ref().is_some_and(|f| f.fins[dir].is_some()) {
            return ControlFlow::Continue(());
        }
        let before = self.common.data_before(origin);
        self.common.last = self.common.last.max(origin.time);
        let facts = self.common.facts();
        facts.fins[dir] = Some(origin);
        facts.act(dir, origin, before);
        let (half, other) = self.split(dir);
        half.1.end(half.0, other, Some(dir), origin, out)?;
        self.weigh();
        ControlFlow::Continue(())
    }

    /// The same by `END_STREAM`, where a stream of HTTP/2 carries the connection.
    pub fn end_stream<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if !self.common.over && self.common.facts.as_ref().is_none_or(|f| f.fins[dir].is_none()) {
            self.common.facts().fin_of[dir] = Carrier::Stream(None);
        }
        self.fin(dir, origin, out)
    }

    /// The same by `RST_STREAM` with this error code, where a stream of HTTP/2 carries the connection.
    pub fn reset_stream<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        code: Option<u32>,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if !self.common.over && self.common.facts.as_ref().is_none_or(|f| f.reset.is_none()) {
            self.common.facts().rst_of = Carrier::Stream(code);
        }
        self.reset(dir, origin, out)
    }

    /// This side has announced the end of the HTTP/2 connection that carries this one.
    pub fn goaway(&mut self, dir: Direction, origin: Origin, code: u32) {
        self.common.facts().goaway.get_or_insert((dir, origin, code));
    }

    /// The stream that carries it is over: both sides have ended it, or one has reset it.
    pub fn stream_over(&self) -> bool {
        self.common.facts.as_ref().is_some_and(|facts| {
            let fins = &facts.fins;
            facts.reset.is_some() || fins.to_server.is_some() && fins.to_client.is_some()
        })
    }

    /// The sender of this direction reset the connection: nothing more comes from either.
    pub fn reset<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over || self.common.facts.as_ref().is_some_and(|f| f.reset.is_some()) {
            return ControlFlow::Continue(());
        }
        let before = self.common.data_before(origin);
        self.common.last = self.common.last.max(origin.time);
        let facts = self.common.facts();
        facts.reset = Some((dir, origin));
        facts.act(dir, origin, before);
        for way in Direction::BOTH {
            let (half, other) = self.split(way);
            half.1.end(half.0, other, Some(dir), origin, out)?;
        }
        self.weigh();
        ControlFlow::Continue(())
    }

    /// How long the gap before this was is only roughly known.
    pub fn astray<S: Sink>(
        &mut self,
        dir: Direction,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over {
            return ControlFlow::Continue(());
        }
        let (half, other) = self.split(dir);
        half.1.astray(half.0, other, origin, out)?;
        self.weigh();
        ControlFlow::Continue(())
    }

    /// Bytes of memory that [`Self::shed`] gives back, about.
    #[inline]
    pub fn weight(&self) -> usize {
        debug_assert_eq!(self.common.weight, self.sum(), "weighed after every change");
        self.common.weight
    }

    fn sum(&self) -> usize {
        let PerDirection { to_server, to_client } = &self.halves;
        to_server.weight() + to_client.weight() + self.common.notes.weight()
    }

    fn weigh(&mut self) {
        self.common.weight = self.sum();
    }

    /// Keeps less; with `all`, no more than is needed to stay in step.
    pub fn shed(&mut self, all: bool) {
        for dir in Direction::BOTH {
            self.halves[dir].shed(all);
        }
        if all {
            self.common.notes.shed();
        }
        self.weigh();
    }

    /// A remark on the connection from a lower layer; it goes with [`Event::End`].
    pub fn note(&mut self, note: Note, limits: &Limits) {
        self.common.notes.push(note, limits.notes);
        self.weigh();
    }

    /// Nothing more comes. What is unfinished is given out, then [`Event::End`]; once only.
    pub fn finish<S: Sink>(
        &mut self,
        why: Finish,
        origin: Origin,
        out: &mut Out<'_, S>,
    ) -> ControlFlow<()> {
        if self.common.over {
            return ControlFlow::Continue(());
        }
        if why == Finish::Tcp {
            self.common.last = self.common.last.max(origin.time);
        }
        for dir in Direction::BOTH {
            let (half, other) = self.split(dir);
            half.1.end(half.0, other, None, origin, out)?;
        }
        self.common.over = true;
        let end = self.summary(why, out.limits.notes);
        out.event(origin, &Event::End(&end))
    }

    fn summary(&mut self, why: Finish, budget: usize) -> End {
        let common = &mut self.common;
        let mut facts = common.facts.take().unwrap_or_default();
        facts.failed_opening =
            common.setup.failed_opening.filter(|_| !self.halves.to_server.has_sent());
        facts.blind = common.blind;
        for dir in Direction::BOTH {
            let half = &mut self.halves[dir];
            half.last_words(&mut common.notes, budget);
            facts.unreadable[dir] = half.is_blind() && !common.gapped[dir];
            facts.blind[dir] |= half.is_blind();
            let stop = [facts.fins[dir.flip()], facts.reset.map(|(_, origin)| origin)]
                .into_iter()
                .chain([facts.closes[dir.flip()].as_ref().map(|close| close.origin)])
                .flatten()
                .min_by_key(|origin| origin.packet)
                .or(common.now);
            // Section 5.5.2: no pong is owed for what comes behind a Close.
            let own_close = facts.closes[dir].as_ref().map(|close| close.origin.packet);
            facts.unanswered[dir] = half.unanswered(|ping| {
                own_close.is_none_or(|close| ping.packet <= close)
                    && stop.is_some_and(|stop| {
                        since(Some(ping), stop) >= Some(super::ending::PATIENCE)
                    })
            });
        }
        let reset = facts.reset.is_some();
        let ended = PerDirection {
            to_server: reset || facts.fins.to_server.is_some(),
            to_client: reset || facts.fins.to_client.is_some(),
        };
        let explained = facts.explain(why);
        for note in explained.notes {
            common.notes.push(note, budget);
        }
        let begin = common.setup.begin;
        let last = common.last.max(common.now.and_then(|now| now.time)).max(begin);
        End {
            how: explained.how,
            by: explained.by,
            cause: explained.cause,
            evidence: explained.evidence,
            ended,
            begin,
            duration_ns: begin.zip(last).map(|(from, to)| to.since(from)),
            messages: PerDirection {
                to_server: self.halves.to_server.messages(),
                to_client: self.halves.to_client.messages(),
            },
            bytes: PerDirection {
                to_server: self.halves.to_server.bytes(),
                to_client: self.halves.to_client.bytes(),
            },
            notes: common.notes.close().to_vec(),
        }
    }

    /// A direction with what is common, and the other direction.
    #[inline]
    fn split(&mut self, dir: Direction) -> ((&mut Common, &mut Half), &mut Half) {
        let Self { halves: PerDirection { to_server, to_client }, common, .. } = self;
        match dir {
            Direction::ToServer => ((common, to_server), to_client),
            Direction::ToClient => ((common, to_client), to_server),
        }
    }
}

#[cfg(test)]
mod blame;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
