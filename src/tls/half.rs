//! One direction of a TLS connection: bytes to records, records to plaintext.
//!
//! Gets: events of one side. Gives: plaintext events, and what handshake messages say to [`Common`].
//! Keeps: the record at hand, and events that wait for keys, in order.
//!
//! ```text
//!   Reading -gap in a record--> Skipping --its end--> Reading
//!      |                                                ^
//!      +--gap over a header--> Searching --proven-------+      any --> Dead
//! ```

mod records;

use std::collections::VecDeque;
use std::mem;
use std::ops::ControlFlow;

use super::cipher::Opener;
use super::common::{Common, EARLY_DATA, Epoch, TRAFFIC};
use super::keylog::Secret;
use super::messages::Messages;
use super::record::{HEADER, Header};
use super::search::Search;
use super::{Output, Unopened};
use crate::flow::{Side, StreamEvent};
use crate::units::Origin;

/// See the module.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) side: Side,
    /// The record at hand; when searching, what is searched.
    pub(super) buf: Vec<u8>,
    pub(super) step: Step,
    /// Records are protected.
    pub(super) sealed: bool,
    pub(super) epoch: Epoch,
    /// Number of the next record in its epoch.
    pub(super) seq: u64,
    openers: Vec<(Epoch, Opener)>,
    /// The latest traffic secret that was asked for.
    traffic: Option<(Epoch, Secret)>,
    messages: Messages,
    /// A record was opened.
    proven: bool,
    /// One had padding (RFC 8446 section 5.4): lost ones may have some too.
    pub(super) pads: bool,
    /// Records in a row that could not be opened, and bytes of such before the first that could.
    failed: u32,
    passed_over: usize,
    /// Bytes tried in vain in searches.
    pub(super) work: u64,
    /// Bytes that will not be read any more, and the packet of the first.
    missing: Option<(Origin, u64)>,
    /// What waits for keys, each with its place among all that was kept of both sides.
    queue: VecDeque<(u64, Kept)>,
    queued: usize,
    pub(super) plain: Vec<u8>,
}

/// How the bytes to come are read.
#[derive(Debug)]
pub(super) enum Step {
    /// A record begins, or goes on.
    Reading,
    /// So many bytes belong to a record that is lost.
    Skipping(usize),
    /// Nobody knows where the next record begins.
    Searching(Search),
    /// Nothing is read any more.
    Dead,
}

#[derive(Debug)]
enum Kept {
    Data { origin: Origin, bytes: Vec<u8>, from: usize },
    Other(StreamEvent<'static>),
}

/// What came of an event.
#[derive(Debug)]
pub(super) enum Moved<'a> {
    All,
    /// This is left of it until keys are there.
    Blocked(StreamEvent<'a>),
}

/// What came of a record, or a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    On,
    /// It waits for keys, or the other side's hello.
    Blocked,
}

impl Half {
    pub(super) const fn new(side: Side) -> Self {
        Self {
            side,
            buf: Vec::new(),
            step: Step::Reading,
            sealed: false,
            epoch: 0,
            seq: 0,
            openers: Vec::new(),
            traffic: None,
            messages: Messages::new(),
            proven: false,
            pads: false,
            failed: 0,
            passed_over: 0,
            work: 0,
            missing: None,
            queue: VecDeque::new(),
            queued: 0,
            plain: Vec::new(),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn waits_since(&self) -> Option<u64> {
        self.queue.front().map(|(nth, _)| *nth)
    }

    pub(super) const fn is_dead(&self) -> bool {
        matches!(self.step, Step::Dead)
    }

    pub(super) const fn is_proven(&self) -> bool {
        self.proven
    }

    /// It has all the secrets that it needs, as far as is known, or needs none any more.
    pub(super) fn is_settled(&self) -> bool {
        self.is_dead()
            || self.proven
                && self.queue.is_empty()
                && self.openers.iter().any(|(epoch, _)| *epoch == self.epoch)
                && (self.epoch >= TRAFFIC || self.traffic.is_none() && self.epoch > EARLY_DATA)
    }

    /// Every record so far was opened, and is whole.
    pub(super) const fn opened_all(&self) -> bool {
        matches!(self.step, Step::Reading)
            && self.proven
            && self.passed_over == 0
            && self.buf.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        self.queued
            + self.queue.capacity() * size_of::<(u64, Kept)>()
            + self.buf.capacity()
            + self.plain.capacity()
    }

    /// Keeps an event until it is its turn.
    pub(super) fn keep(&mut self, nth: u64, event: StreamEvent<'_>) {
        let kept = match event {
            StreamEvent::Data { origin, bytes } => {
                self.queued += bytes.len();
                Kept::Data { origin, bytes: bytes.to_vec(), from: 0 }
            }
            StreamEvent::Gap { origin, len, snapped } => {
                Kept::Other(StreamEvent::Gap { origin, len, snapped })
            }
            StreamEvent::Conflict { origin, len } => {
                Kept::Other(StreamEvent::Conflict { origin, len })
            }
            StreamEvent::Fin { origin } => Kept::Other(StreamEvent::Fin { origin }),
            StreamEvent::Reset { origin } => Kept::Other(StreamEvent::Reset { origin }),
        };
        self.queue.push_back((nth, kept));
    }

    /// Tries again what is kept first. Did anything move? Without `may_give`, only what is in the clear.
    pub(super) fn retry(
        &mut self,
        common: &mut Common,
        may_give: bool,
        out: &mut impl Output,
    ) -> ControlFlow<(), bool> {
        let Some((nth, kept)) = self.queue.pop_front() else {
            return ControlFlow::Continue(false);
        };
        let (origin, bytes, from) = match kept {
            Kept::Other(event) => {
                let moved = self.take(common, event, may_give, out)?;
                let blocked = matches!(moved, Moved::Blocked(_));
                if blocked {
                    self.queue.push_front((nth, Kept::Other(event)));
                }
                return ControlFlow::Continue(!blocked);
            }
            Kept::Data { origin, bytes, from } => (origin, bytes, from),
        };
        let event = StreamEvent::Data { origin, bytes: bytes.get(from..).unwrap_or_default() };
        let Moved::Blocked(StreamEvent::Data { bytes: left, .. }) =
            self.take(common, event, may_give, out)?
        else {
            self.queued = self.queued.saturating_sub(bytes.len());
            return ControlFlow::Continue(true);
        };
        let left = left.len();
        let now = bytes.len() - left;
        self.queue.push_front((nth, Kept::Data { origin, bytes, from: now }));
        ControlFlow::Continue(now > from)
    }

    /// Takes an event, as far as that is possible now.
    pub(super) fn take<'a>(
        &mut self,
        common: &mut Common,
        event: StreamEvent<'a>,
        may_give: bool,
        out: &mut impl Output,
    ) -> ControlFlow<(), Moved<'a>> {
        let mut cx = Cx { common, may_give, out };
        let (origin, mut bytes) = match event {
            StreamEvent::Data { origin, bytes } => (origin, bytes),
            StreamEvent::Gap { origin, .. }
            | StreamEvent::Conflict { origin, .. }
            | StreamEvent::Fin { origin }
            | StreamEvent::Reset { origin } => (origin, &[][..]),
        };
        if self.read(&mut cx, origin, &mut bytes)? == Went::Blocked {
            return ControlFlow::Continue(Moved::Blocked(match event {
                StreamEvent::Data { origin, .. } => StreamEvent::Data { origin, bytes },
                event => event,
            }));
        }
        match event {
            StreamEvent::Data { .. } => {}
            StreamEvent::Gap { origin, len, snapped } => {
                self.gap(&mut cx, origin, len, snapped)?;
            }
            StreamEvent::Conflict { .. } => cx.give(self.side, event)?,
            StreamEvent::Fin { .. } | StreamEvent::Reset { .. } => {
                self.end(cx.common, cx.out)?;
                cx.give(self.side, event)?;
            }
        }
        ControlFlow::Continue(Moved::All)
    }

    /// Nothing more comes: what was not read is missing.
    pub(super) fn end(&mut self, common: &mut Common, out: &mut impl Output) -> ControlFlow<()> {
        if let Step::Searching(search) = &self.step {
            let len = search.distance + self.buf.len() as u64;
            self.missing.get_or_insert((search.origin, 0)).1 += len;
            self.buf.clear();
            self.step = Step::Dead;
        }
        if let Some((origin, len)) = self.missing.take()
            && len > 0
        {
            common.give(self.side, StreamEvent::Gap { origin, len, snapped: false }, out)?;
        }
        ControlFlow::Continue(())
    }

    /// Reads records from these bytes, behind what is at hand.
    fn read(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        bytes: &mut &[u8],
    ) -> ControlFlow<(), Went> {
        loop {
            if cx.common.hopeless {
                self.step = Step::Dead;
            }
            match &mut self.step {
                Step::Dead => {
                    self.pass_over(origin, bytes);
                    return ControlFlow::Continue(Went::On);
                }
                Step::Skipping(left) => {
                    let skipped = (*left).min(bytes.len());
                    *left -= skipped;
                    *bytes = bytes.get(skipped..).unwrap_or_default();
                    if *left > 0 {
                        return ControlFlow::Continue(Went::On);
                    }
                    self.step = Step::Reading;
                }
                Step::Searching(_) => {
                    self.buf.extend_from_slice(bytes);
                    *bytes = &[];
                    if self.search(cx)? == Went::Blocked {
                        return ControlFlow::Continue(Went::Blocked);
                    }
                    if matches!(self.step, Step::Searching(_)) {
                        return ControlFlow::Continue(Went::On);
                    }
                }
                Step::Reading => {
                    if !self.gather(bytes) {
                        return ControlFlow::Continue(Went::On);
                    }
                    if self.next_record(cx, origin, bytes)? == Went::Blocked {
                        return ControlFlow::Continue(Went::Blocked);
                    }
                }
            }
        }
    }

    fn pass_over(&mut self, origin: Origin, bytes: &mut &[u8]) {
        let len = self.buf.len() + bytes.len();
        if len > 0 {
            self.missing.get_or_insert((origin, 0)).1 += len as u64;
        }
        (self.buf, *bytes) = (Vec::new(), &[]);
    }

    /// Puts bytes to what is at hand until a record is whole: there, or in the bytes where nothing was at
    /// hand. What can be no record is whole with its header. False where more bytes are needed.
    fn gather(&mut self, bytes: &mut &[u8]) -> bool {
        let whole = |begun: &[u8]| match begun.get(..HEADER) {
            None => HEADER,
            Some(header) => Header::new(header).map_or(HEADER, Header::whole),
        };
        if self.buf.is_empty() && bytes.len() >= whole(bytes) {
            return true;
        }
        // First its header, which tells how long it is.
        while self.buf.len() < whole(&self.buf) {
            if bytes.is_empty() {
                return false;
            }
            let needs = whole(&self.buf) - self.buf.len();
            let (now, later) = bytes.split_at_checked(needs).unwrap_or((bytes, &[]));
            self.buf.extend_from_slice(now);
            *bytes = later;
        }
        true
    }

    /// Reads the record that is whole.
    fn next_record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        bytes: &mut &[u8],
    ) -> ControlFlow<(), Went> {
        let buf = mem::take(&mut self.buf);
        let from = if buf.is_empty() { *bytes } else { buf.as_slice() };
        let Some(header) = Header::new(from) else {
            // No TLS, or not any more.
            self.buf = buf;
            self.give_up(cx, origin);
            return ControlFlow::Continue(Went::On);
        };
        let content = from.get(HEADER..header.whole()).unwrap_or_default();
        let went = self.record(cx, origin, header, content)?;
        let gave_back = mem::replace(&mut self.buf, buf);
        debug_assert!(gave_back.is_empty(), "records do not touch what is at hand");
        // What could not be read any more is missing, this record too.
        if went == Went::On && !self.is_dead() {
            if self.buf.is_empty() {
                *bytes = bytes.get(header.whole()..).unwrap_or_default();
            } else {
                self.buf.drain(..header.whole().min(self.buf.len()));
            }
        }
        ControlFlow::Continue(went)
    }

    /// Bytes of this direction are missing.
    fn gap(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        len: u64,
        snapped: bool,
    ) -> ControlFlow<()> {
        let here = usize::try_from(len).unwrap_or(usize::MAX);
        match &mut self.step {
            Step::Dead => self.missing.get_or_insert((origin, 0)).1 += len,
            Step::Searching(search) => {
                search.distance = search.distance.saturating_add(self.buf.len() as u64 + len);
                self.buf.clear();
            }
            Step::Skipping(left) if here <= *left => *left -= here,
            Step::Skipping(left) => {
                let over = len - *left as u64;
                self.step = Step::Searching(Search::new(origin, over, snapped));
            }
            Step::Reading => {
                let have = self.buf.len();
                let header = Header::new(&self.buf);
                let left = header.map_or(0, Header::whole).saturating_sub(have);
                self.buf.clear();
                if let Some(header) = header
                    && here <= left
                {
                    self.step = Step::Skipping(left - here);
                    return self.lose_record(cx, origin, header, snapped);
                }
                let distance = len.saturating_add(have as u64);
                self.step = Step::Searching(Search::new(origin, distance, snapped));
            }
        }
        ControlFlow::Continue(())
    }

    /// Nothing more of this direction is read.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_, impl Output>, origin: Origin) {
        if self.proven {
            cx.out.unopened(self.side, origin, Unopened::Rest);
        }
        self.step = Step::Dead;
    }
}

/// What a half works with.
pub(super) struct Cx<'a, O> {
    pub(super) common: &'a mut Common,
    /// It is this side's turn.
    pub(super) may_give: bool,
    pub(super) out: &'a mut O,
}

/// Plaintext that is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) origin: Origin,
    pub(super) len: u64,
    pub(super) snapped: bool,
    /// Is it that many bytes, or about that many.
    pub(super) exact: bool,
}

impl<O: Output> Cx<'_, O> {
    pub(super) fn gap(&mut self, side: Side, missing: Missing) -> ControlFlow<()> {
        let Missing { origin, len, snapped, exact } = missing;
        self.give(side, StreamEvent::Gap { origin, len, snapped })?;
        if exact { ControlFlow::Continue(()) } else { self.out.uncertain(side, origin) }
    }

    pub(super) fn give(&mut self, side: Side, event: StreamEvent<'_>) -> ControlFlow<()> {
        self.common.give(side, event, self.out)
    }
}
