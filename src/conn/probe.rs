//! What is this connection? Decided from its first bytes, as few as possible.
//!
//! Gets: the stream events of both sides. Gives: a [`Verdict`]; until then everything is kept, in
//! the order it came, and [`Probe::replay`]ed into the stage that is chosen. Keeps: at most
//! [`Limits::probe_bytes`] per side.
//!
//! A connection whose start is in the capture says at once what it is. One that starts in
//! mid-connection (or lacks the answer to its upgrade request) is watched for a head at the start of
//! a segment, and for frames that are consistent with each other.

use super::sight::SideInSight;
use super::{ConnInfo, Limits, Origin, Side, StreamEvent};
use crate::event::{DeflateAgreement, Opcode};
use crate::http::h2::Whose;
use crate::http::{self, Guess};
use crate::ws::frame::Header;
use crate::ws::resync::{Finder, Search, Shape};

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not clear yet.
    Undecided,
    /// HTTP/1.
    Http {
        /// Who asks.
        client: Side,
    },
    /// WebSocket frames whose handshake was not (wholly) captured.
    Frames {
        /// Who masks.
        client: Side,
        /// The client's bytes start at a frame border: they stand right behind its request.
        client_synced: bool,
    },
    /// TLS, behind a PROXY protocol header of this version and length, where there is one.
    Tls {
        /// Who sent that, and what it was.
        proxy_protocol: Option<(Side, u8, usize)>,
    },
    /// HTTP/2.
    Http2 {
        /// Who asks.
        client: Side,
        /// Its beginning is not in the capture.
        mid_connection: bool,
    },
    /// None of these.
    Other,
}

/// An upgrade attempt whose answer the capture lacks.
#[derive(Debug)]
pub(super) struct LostAnswer {
    pub(super) info: ConnInfo,
    /// What is presumed of compression.
    pub(super) deflate: Option<DeflateAgreement>,
    /// The request was captured whole: extensions that it did not offer were not agreed.
    pub(super) offer_known: bool,
}

/// An event, kept.
#[derive(Debug)]
enum Kept {
    Data { origin: Origin, from: usize, to: usize },
    Other(StreamEvent<'static>),
}

/// One side's bytes so far.
#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    /// Segments, and other events, so far.
    segments: u32,
    gap: bool,
    /// Frames of a client, of a server: what this side could be.
    as_client: Option<Finder>,
    as_server: Option<Finder>,
    /// Frames of HTTP/2 that carry whatever they do.
    as_http2: Option<Box<SideInSight>>,
}

impl Heard {
    /// Where frames of HTTP/2 begin, if it is that.
    fn http2_begin(&self) -> Option<usize> {
        self.as_http2.as_ref().and_then(|seen| seen.begin())
    }

    #[inline]
    fn weight(&self) -> usize {
        let finder = |finder: &Option<Finder>| finder.as_ref().map_or(0, Finder::weight);
        let http2 = self.as_http2.as_ref().map_or(0, |side| side.weight());
        self.bytes.capacity() + finder(&self.as_client) + finder(&self.as_server) + http2
    }
}

/// What a connection is, as far as it is known.
#[derive(Debug)]
pub(super) struct Probe {
    kept: Vec<(Side, Kept)>,
    a: Heard,
    b: Heard,
    /// Who opened the connection; `None` in mid-connection.
    opener: Option<Side>,
    attempt: Option<LostAnswer>,
    begin: Option<Origin>,
    /// Whose requests there are, if it is HTTP/2.
    asks: Option<Side>,
}

impl Probe {
    /// For a connection's first packet.
    pub(super) fn new(opener: Option<Side>) -> Self {
        Self {
            kept: Vec::new(),
            a: Heard::default(),
            b: Heard::default(),
            opener,
            attempt: None,
            begin: None,
            asks: None,
        }
    }

    /// For what follows a CONNECT: a new conversation between the same ends.
    pub(super) fn tunnel(client: Side) -> Self {
        Self::new(Some(client))
    }

    /// For what follows an upgrade request whose answer the capture lacks.
    pub(super) fn after_lost_answer(client: Side, attempt: LostAnswer) -> Self {
        Self { attempt: Some(attempt), ..Self::new(Some(client)) }
    }

    /// The attempt that lacks its answer.
    pub(super) const fn attempt(&self) -> Option<&LostAnswer> {
        self.attempt.as_ref()
    }

    /// The first packet kept.
    pub(super) const fn begin(&self) -> Option<Origin> {
        self.begin
    }

    /// Bytes of memory kept, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        let kept = self.kept.capacity() * size_of::<(Side, Kept)>();
        kept.saturating_add(self.a.weight()).saturating_add(self.b.weight())
    }

    /// Everything kept, in the order it came.
    pub(super) fn replay(&self) -> impl Iterator<Item = (Side, StreamEvent<'_>)> {
        self.kept.iter().map(|(side, kept)| {
            let event = match kept {
                Kept::Data { origin, from, to } => StreamEvent::Data {
                    origin: *origin,
                    bytes: self.heard(*side).bytes.get(*from..*to).unwrap_or_default(),
                },
                Kept::Other(event) => *event,
            };
            (*side, event)
        })
    }

    /// What came of a side before this byte of it is not replayed.
    pub(super) fn drop_front(&mut self, side: Side, begin: usize) {
        let mut behind = false;
        self.kept.retain_mut(|(of, kept)| {
            if *of != side {
                return true;
            }
            if let Kept::Data { from, to, .. } = kept {
                *from = (*from).max(begin);
                behind |= *from < *to;
                return *from < *to;
            }
            behind
        });
    }

    const fn heard(&self, side: Side) -> &Heard {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    const fn heard_mut(&mut self, side: Side) -> &mut Heard {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Takes an event, and says what it makes clear.
    pub(super) fn take(&mut self, side: Side, event: StreamEvent<'_>, limits: &Limits) -> Verdict {
        let (origin, bytes) = match event {
            StreamEvent::Data { origin, bytes } => (origin, bytes),
            StreamEvent::Gap { origin, len, snapped } => {
                let heard = self.heard_mut(side);
                heard.gap = true;
                // What came before proves nothing about what follows.
                heard.as_client = None;
                heard.as_server = None;
                heard.as_http2 = None;
                self.keep(side, Kept::Other(StreamEvent::Gap { origin, len, snapped }));
                return self.within(side, limits);
            }
            StreamEvent::Conflict { origin, len } => {
                self.keep(side, Kept::Other(StreamEvent::Conflict { origin, len }));
                return self.within(side, limits);
            }
            StreamEvent::Fin { origin } => {
                self.keep(side, Kept::Other(StreamEvent::Fin { origin }));
                return self.last_chance();
            }
            StreamEvent::Reset { origin } => {
                self.keep(side, Kept::Other(StreamEvent::Reset { origin }));
                return self.last_chance();
            }
        };
        let from = self.add(side, origin, bytes);
        let verdict = match self.by_head(side, from) {
            Verdict::Undecided => match self.by_http2(side, origin, bytes, limits) {
                Verdict::Undecided if !self.suspects_http2() => {
                    self.by_frames(side, origin, bytes, limits)
                }
                decided => decided,
            },
            decided => decided,
        };
        match verdict {
            Verdict::Undecided => self.within(side, limits),
            // What stood before the head is of no use to anybody.
            Verdict::Http { .. } if from > 0 && self.mid_connection() => {
                self.kept.drain(..self.kept.len() - 1);
                verdict
            }
            verdict => verdict,
        }
    }

    /// Keeps bytes that are not to be judged: the other side's tell what it is.
    pub(super) fn hold(
        &mut self,
        side: Side,
        origin: Origin,
        bytes: &[u8],
        limits: &Limits,
    ) -> Verdict {
        self.add(side, origin, bytes);
        self.within(side, limits)
    }

    /// Keeps bytes; where they start among those of their side.
    fn add(&mut self, side: Side, origin: Origin, bytes: &[u8]) -> usize {
        self.begin.get_or_insert(origin);
        let heard = self.heard_mut(side);
        let from = heard.bytes.len();
        heard.bytes.extend_from_slice(bytes);
        let to = heard.bytes.len();
        heard.segments += 1;
        self.keep(side, Kept::Data { origin, from, to });
        from
    }

    fn keep(&mut self, side: Side, kept: Kept) {
        match (&kept, self.kept.last_mut()) {
            // Of one packet: one piece.
            (
                Kept::Data { origin, to: end, .. },
                Some((before, Kept::Data { origin: o, to, .. })),
            ) if *before == side && o == origin => {
                *to = *end;
            }
            _ => self.kept.push((side, kept)),
        }
    }

    /// Undecided, as long as the budget allows. What is kept of each packet besides its bytes counts:
    /// of small ones it is more than the bytes.
    fn within(&self, side: Side, limits: &Limits) -> Verdict {
        let book = self.kept.len().saturating_mul(size_of::<(Side, Kept)>());
        if self.heard(side).bytes.len().saturating_add(book) <= limits.probe_bytes {
            return Verdict::Undecided;
        }
        match self.http2() {
            Verdict::Undecided => Verdict::Other,
            decided => decided,
        }
    }

    /// Frames may come without a handshake before them: the start of the conversation is not in the
    /// capture.
    fn mid_connection(&self) -> bool {
        self.opener.is_none() || self.attempt.is_some() || self.a.gap || self.b.gap
    }

    /// Does a known kind of conversation begin with the segment that starts at `from`, or did one
    /// begin with the connection?
    fn by_head(&self, side: Side, from: usize) -> Verdict {
        let heard = self.heard(side);
        let whole_start = !self.mid_connection() || heard.segments == 1;
        let start = if whole_start { 0 } else { from };
        let bytes = heard.bytes.get(start..).unwrap_or_default();
        let proxy_protocol = http::proxy_protocol(bytes);
        let behind = bytes.get(proxy_protocol.map_or(0, |(_, len)| len)..).unwrap_or_default();
        match is_tls(behind).filter(|_| whole_start) {
            Some(true) => {
                let proxy_protocol = proxy_protocol.map(|(version, len)| (side, version, len));
                return Verdict::Tls { proxy_protocol };
            }
            // The start of a record's header is none of HTTP.
            None if whole_start => return Verdict::Undecided,
            Some(false) | None => {}
        }
        match http::looks_like(bytes) {
            Guess::Request => Verdict::Http { client: side },
            Guess::Response => Verdict::Http { client: side.flip() },
            Guess::Http2Preface => Verdict::Http2 { client: side, mid_connection: false },
            // Only what a connection, or its capture, begins with.
            Guess::Http2Settings if whole_start && self.opener == Some(side.flip()) => {
                Verdict::Http2 { client: side.flip(), mid_connection: false }
            }
            // Whoever speaks first says what it is; the answer to it need not be looked at.
            Guess::No | Guess::Http2Settings if !self.mid_connection() => Verdict::Other,
            Guess::No | Guess::Http2Settings | Guess::NeedMore => Verdict::Undecided,
        }
    }

    /// Are there frames of HTTP/2 that lead to each other, and is it clear who asks?
    fn by_http2(&mut self, side: Side, origin: Origin, bytes: &[u8], limits: &Limits) -> Verdict {
        if !self.mid_connection() || self.attempt.is_some() || bytes.is_empty() {
            return Verdict::Undecided;
        }
        let heard = self.heard_mut(side);
        let before = heard.bytes.len() - bytes.len();
        let seen = heard.as_http2.get_or_insert_with(|| Box::new(SideInSight::new(before)));
        let whose = seen.push(origin, bytes, limits);
        if heard.http2_begin().is_some() {
            self.asked_by(side, whose);
        }
        // What both sides say is read in the order in which it came, so the second one is waited for: of
        // streams whose requests were missed the client's frames are needed anyway.
        let both = self.a.http2_begin().and(self.b.http2_begin());
        if both.is_some() { self.http2() } else { Verdict::Undecided }
    }

    fn asked_by(&mut self, side: Side, whose: Option<Whose>) {
        let asks = match whose {
            None => self.opener,
            Some(Whose::Client) => Some(side),
            Some(Whose::Server) => Some(side.flip()),
        };
        self.asks = self.asks.or(asks);
    }

    /// HTTP/2, where it is that and it is clear who asks.
    fn http2(&self) -> Verdict {
        match self.asks {
            Some(client) if self.is_http2() => Verdict::Http2 { client, mid_connection: true },
            _ => Verdict::Undecided,
        }
    }

    /// It is HTTP/2, although it may not be clear who asks.
    pub(super) fn is_http2(&self) -> bool {
        self.a.http2_begin().or(self.b.http2_begin()).is_some()
    }

    /// It may well be HTTP/2: what it carries is not to be taken for a WebSocket on its own.
    fn suspects_http2(&self) -> bool {
        [&self.a, &self.b].iter().any(|heard| heard.as_http2.as_ref().is_some_and(|s| s.suspects()))
    }

    /// What came before the first frame of HTTP/2 of either side is not replayed. Of A and of B: is that known?
    pub(super) fn begin_http2(&mut self) -> (bool, bool) {
        (self.begin_http2_of(Side::A), self.begin_http2_of(Side::B))
    }

    fn begin_http2_of(&mut self, side: Side) -> bool {
        let begin = self.heard(side).http2_begin();
        if let Some(begin) = begin {
            self.drop_front(side, begin);
        }
        begin.is_some()
    }

    /// Are there frames that are consistent with each other?
    fn by_frames(&mut self, side: Side, origin: Origin, bytes: &[u8], limits: &Limits) -> Verdict {
        if !self.mid_connection() {
            return Verdict::Undecided;
        }
        let opener = self.opener;
        let behind_request = self.attempt.is_some() && opener == Some(side);
        let heard = self.heard_mut(side);
        if behind_request && !heard.gap {
            // The bytes right behind an upgrade request start a frame, or there was no upgrade.
            match starts_client_frame(&heard.bytes) {
                Some(true) => return Verdict::Frames { client: side, client_synced: true },
                Some(false) => {}
                None => return Verdict::Undecided,
            }
        }
        if opener != Some(side.flip()) && look(&mut heard.as_client, true, origin, bytes, limits) {
            return Verdict::Frames { client: side, client_synced: false };
        }
        if opener != Some(side) && look(&mut heard.as_server, false, origin, bytes, limits) {
            return Verdict::Frames { client: side.flip(), client_synced: false };
        }
        Verdict::Undecided
    }

    /// Nothing more comes: does what there is suffice?
    pub(super) fn last_chance(&mut self) -> Verdict {
        for side in [Side::A, Side::B] {
            let heard = self.heard_mut(side);
            let whose = heard.as_http2.as_mut().and_then(|seen| seen.finish());
            if heard.http2_begin().is_some() {
                self.asked_by(side, whose);
            }
        }
        if self.suspects_http2() {
            return self.http2();
        }
        for side in [Side::A, Side::B] {
            let opener = self.opener;
            let heard = self.heard_mut(side);
            let found = |finder: &mut Option<Finder>| {
                finder.as_mut().is_some_and(|f| matches!(f.finish(), Search::Found(_)))
            };
            if opener != Some(side.flip()) && found(&mut heard.as_client) {
                return Verdict::Frames { client: side, client_synced: false };
            }
            if opener != Some(side) && found(&mut heard.as_server) {
                return Verdict::Frames { client: side.flip(), client_synced: false };
            }
        }
        Verdict::Undecided
    }
}

/// Shows a segment to a side's finder of frames.
fn look(
    finder: &mut Option<Finder>,
    masked: bool,
    origin: Origin,
    bytes: &[u8],
    limits: &Limits,
) -> bool {
    // Compression may have been agreed.
    let shape = Shape { masked, rsv1: true, rsv1_anywhere: false };
    let finder = finder.get_or_insert_with(|| Finder::new(shape, 0));
    matches!(finder.push(origin, bytes, limits.probe_bytes), Search::Found(_))
}

/// Can these bytes, as the first behind an upgrade request, be a client's frame: masked, a known
/// opcode, no reserved bits but compression's, the length in its shortest form. `None` as long as there are
/// too few of them.
fn starts_client_frame(bytes: &[u8]) -> Option<bool> {
    let (header, _) = Header::split(bytes)?;
    Some(
        header.mask.is_some()
            && !matches!(header.opcode, Opcode::Reserved(_))
            && matches!(header.rsv, 0 | 4)
            && header.is_minimal(),
    )
}

/// A TLS record that starts a handshake, or carries data in mid-connection (RFC 8446 section 5.1). `None`
/// as long as it may be one.
fn is_tls(bytes: &[u8]) -> Option<bool> {
    let ranges = [0x14..=0x17, 3..=3, 0..=4, 0..=0x48];
    let fits = bytes.iter().zip(&ranges).all(|(byte, range)| range.contains(byte));
    (!fits || bytes.len() >= ranges.len()).then_some(fits)
}
