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

use std::collections::VecDeque;
use std::mem;
use std::ops::ControlFlow;

use super::cipher::Opener;
use super::common::{Common, EARLY_DATA, Epoch, HANDSHAKE, Patience, TRAFFIC};
use super::keylog::Secret;
use super::messages::{self, Messages};
use super::record::{self, HEADER, Header};
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

/// Bytes of records that may fail before the first one that opens: early data that the server refused,
/// a handshake whose secrets are not known.
const PASSED_OVER: usize = 1 << 20;

/// Records in a row that may fail before the direction is given up.
const FAILURES: u32 = 64;

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
        if common.hopeless {
            self.step = Step::Dead;
        }
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
        if went == Went::On {
            if self.buf.is_empty() {
                *bytes = bytes.get(header.whole()..).unwrap_or_default();
            } else {
                self.buf.drain(..header.whole().min(self.buf.len()));
            }
        }
        ControlFlow::Continue(went)
    }

    fn record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        content: &[u8],
    ) -> ControlFlow<(), Went> {
        if self.sealed {
            return self.sealed_record(cx, origin, header, content);
        }
        match header.kind {
            record::HANDSHAKE => {
                let side = self.side;
                let common = &mut *cx.common;
                self.messages.push(content, |kind, body| match kind {
                    messages::CLIENT_HELLO => common.client_hello(side, body),
                    messages::SERVER_HELLO => common.server_hello(side, body),
                    _ => {}
                });
                ControlFlow::Continue(Went::On)
            }
            record::CHANGE_CIPHER_SPEC => match cx.common.version {
                // Before the server's hello nobody knows whether it means anything.
                None => ControlFlow::Continue(self.wait(cx, origin, true)),
                Some(super::common::TLS13) => ControlFlow::Continue(Went::On),
                Some(_) => {
                    self.change_cipher_spec();
                    ControlFlow::Continue(Went::On)
                }
            },
            record::APPLICATION_DATA => {
                if cx.common.server_hello.is_none() {
                    return ControlFlow::Continue(self.wait(cx, origin, true));
                }
                self.epoch = self.first_epoch(cx.common);
                self.sealed = true;
                self.sealed_record(cx, origin, header, content)
            }
            _ => ControlFlow::Continue(Went::On),
        }
    }

    /// The first epoch under keys, of this side.
    pub(super) fn first_epoch(&self, common: &Common) -> Epoch {
        let early = common.client_hello.as_ref().is_some_and(|hello| hello.early_data);
        if common.is_tls13() && early && common.client == Some(self.side) {
            EARLY_DATA
        } else {
            HANDSHAKE
        }
    }

    /// TLS 1.2: what follows is under the keys agreed last.
    fn change_cipher_spec(&mut self) {
        self.sealed = true;
        self.enter(self.epoch + 1, 0);
    }

    /// From the next record on.
    pub(super) fn enter(&mut self, epoch: Epoch, seq: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.openers.retain(|(of, _)| *of >= epoch);
            self.messages.renew();
        }
        self.seq = seq;
    }

    /// What messages there were before a gap does not go on behind it.
    pub(super) fn lost_messages(&mut self) {
        self.messages.renew();
    }

    /// Keys are missing, or the other side's hello: that is waited for, or given up.
    pub(super) fn wait(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        for_hello: bool,
    ) -> Went {
        let may_come = match cx.common.patience {
            Patience::Secrets => true,
            Patience::Hello => for_hello,
            Patience::None => false,
        };
        if may_come && cx.common.client_hello.is_some() {
            return Went::Blocked;
        }
        self.give_up(cx, origin);
        Went::On
    }

    fn sealed_record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        content: &[u8],
    ) -> ControlFlow<(), Went> {
        // RFC 8446 appendix D.4: a change_cipher_spec for the sake of middleboxes; and whatever else is
        // in the clear says nothing to us.
        if cx.common.is_tls13() && header.kind != record::APPLICATION_DATA {
            return ControlFlow::Continue(Went::On);
        }
        if !cx.may_give {
            return ControlFlow::Continue(Went::Blocked);
        }
        let mut known = false;
        for (epoch, seq) in self.candidates(cx.common) {
            if !self.prepare(cx.common, epoch) {
                continue;
            }
            known = true;
            if let Some(kind) = self.open(epoch, header, content, seq) {
                self.passed(epoch, content);
                self.enter(epoch, seq + 1);
                (self.proven, self.failed) = (true, 0);
                return self.opened(cx, origin, kind).map_continue(|()| Went::On);
            }
        }
        if !known {
            return ControlFlow::Continue(self.wait(cx, origin, false));
        }
        self.passed(self.epoch, content);
        self.unopened(cx, origin, header).map_continue(|()| Went::On)
    }

    /// The keys that the next record may be under, and its number, the likeliest first.
    pub(super) fn candidates(&self, common: &Common) -> impl Iterator<Item = (Epoch, u64)> + use<> {
        let (epoch, seq) = (self.epoch, self.seq);
        let ahead = if common.is_tls13() { (epoch + 1).max(TRAFFIC) } else { epoch };
        std::iter::once((epoch, seq)).chain((epoch + 1..=ahead).map(|epoch| (epoch, 0)))
    }

    /// Makes the opener of an epoch; false where its secret is not known.
    pub(super) fn prepare(&mut self, common: &Common, epoch: Epoch) -> bool {
        if self.openers.iter().any(|(of, _)| *of == epoch) {
            return true;
        }
        if common.is_tls13() && epoch >= TRAFFIC {
            if self.traffic.is_none() {
                self.traffic = common.traffic_secret(self.side).map(|secret| (TRAFFIC, *secret));
            }
            while let Some((at, secret)) = self.traffic
                && at < epoch
            {
                self.traffic = common.next_traffic(&secret).map(|next| (at + 1, next));
            }
        }
        let traffic = self.traffic.as_ref().map(|(_, secret)| secret);
        match common.opener(self.side, epoch, traffic) {
            Some(opener) => {
                self.openers.push((epoch, opener));
                true
            }
            None => false,
        }
    }

    pub(super) fn opener(&self, epoch: Epoch) -> Option<&Opener> {
        self.openers.iter().find(|(of, _)| *of == epoch).map(|(_, opener)| opener)
    }

    /// Opens a record into [`Self::plain`].
    pub(super) fn open(
        &mut self,
        epoch: Epoch,
        header: Header,
        content: &[u8],
        seq: u64,
    ) -> Option<u8> {
        let (_, opener) = self.openers.iter().find(|(of, _)| *of == epoch)?;
        opener.open(header, content, seq, &mut self.plain)
    }

    fn passed(&mut self, epoch: Epoch, content: &[u8]) {
        if let Some((_, opener)) = self.openers.iter_mut().find(|(of, _)| *of == epoch) {
            opener.passed(content);
        }
    }

    /// A record was opened: acts on what it holds.
    fn opened(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        kind: u8,
    ) -> ControlFlow<()> {
        let plain = mem::take(&mut self.plain);
        match kind {
            record::APPLICATION_DATA if plain.is_empty() => {}
            record::APPLICATION_DATA if cx.common.is_tls13() && self.epoch == EARLY_DATA => {
                cx.common.early(self.side, origin, &plain, cx.out)?;
            }
            record::APPLICATION_DATA => {
                cx.give(self.side, StreamEvent::Data { origin, bytes: &plain })?;
            }
            record::HANDSHAKE => self.handshake(cx.common, &plain),
            record::CHANGE_CIPHER_SPEC if !cx.common.is_tls13() => self.change_cipher_spec(),
            // Alerts: TCP tells how it ends.
            _ => {}
        }
        self.plain = plain;
        ControlFlow::Continue(())
    }

    fn handshake(&mut self, common: &mut Common, plain: &[u8]) {
        let (side, tls13) = (self.side, common.is_tls13());
        let mut enters = None;
        // RFC 8446 section 5.1: a message right before new keys ends its record.
        let key_update = !self.messages.is_amid()
            && matches!(plain, [messages::KEY_UPDATE, 0, 0, 1, 0 | 1])
            && self.epoch >= TRAFFIC;
        let epoch = self.epoch;
        self.messages.push(plain, |kind, body| match kind {
            messages::CLIENT_HELLO if !tls13 => common.client_hello(side, body),
            messages::SERVER_HELLO if !tls13 => common.server_hello(side, body),
            messages::ENCRYPTED_EXTENSIONS if tls13 && epoch == HANDSHAKE => {
                common.encrypted_extensions(body);
            }
            messages::END_OF_EARLY_DATA if tls13 && epoch == EARLY_DATA => {
                common.early_ends();
                enters = Some(HANDSHAKE);
            }
            messages::FINISHED if tls13 && epoch == HANDSHAKE => enters = Some(TRAFFIC),
            messages::KEY_UPDATE if tls13 && key_update => enters = Some(epoch + 1),
            _ => {}
        });
        if let Some(epoch) = enters {
            self.enter(epoch, 0);
        }
    }

    /// A record with known keys that none of them opens.
    fn unopened(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
    ) -> ControlFlow<()> {
        if cx.common.is_tls13() && self.epoch < TRAFFIC {
            // Early data that the server refused, or that has no secret; a handshake without secret.
            self.passed_over = self.passed_over.saturating_add(header.whole());
            if self.passed_over > PASSED_OVER {
                self.give_up(cx, origin);
            }
            return ControlFlow::Continue(());
        }
        self.failed += 1;
        if !self.proven || self.failed > FAILURES {
            self.give_up(cx, origin);
            return ControlFlow::Continue(());
        }
        if self.failed == 1 {
            cx.out.unopened(self.side, origin, Unopened::Record);
        }
        self.lose_record(cx, origin, header, false)
    }

    /// The record at hand can not be read; those behind it go on.
    pub(super) fn lose_record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        snapped: bool,
    ) -> ControlFlow<()> {
        let content = usize::from(header.len);
        if !self.sealed {
            if header.kind == record::HANDSHAKE {
                self.messages.lose(content);
            }
            return ControlFlow::Continue(());
        }
        self.seq += 1;
        let tls13 = cx.common.is_tls13();
        if header.kind != record::APPLICATION_DATA || tls13 && self.epoch < TRAFFIC {
            self.messages.lose(content);
            return ControlFlow::Continue(());
        }
        self.prepare(cx.common, self.epoch);
        let Some(opener) = self.opener(self.epoch) else { return ControlFlow::Continue(()) };
        let overhead = opener.overhead();
        let len = content.saturating_sub(overhead.unwrap_or(opener.least())) as u64;
        if len == 0 {
            return ControlFlow::Continue(());
        }
        cx.gap(self.side, Missing { origin, len, snapped, exact: overhead.is_some() })
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
