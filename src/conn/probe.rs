//! What is this connection? Decided from its first bytes, as few as possible.
//!
//! Gets: the stream events of both sides. Gives: a [`Verdict`]; until then everything is kept, in
//! the order it came, and [`Probe::replay`]ed into the stage that is chosen. Keeps: at most
//! [`Limits::probe_bytes`] per side.
//!
//! A connection whose start is in the capture says at once what it is. One that starts in
//! mid-connection (or lacks the answer to its upgrade request) is watched for a head at the start of
//! a segment, and for frames that are consistent with each other.

use super::{ConnInfo, Limits, Origin, Side, StreamEvent};
use crate::event::{DeflateAgreement, Opcode};
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
    /// TLS.
    Tls,
    /// HTTP/2, from its preface on.
    Http2 {
        /// Who asks.
        client: Side,
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
}

impl Heard {
    #[inline]
    fn weight(&self) -> usize {
        let finder = |finder: &Option<Finder>| finder.as_ref().map_or(0, Finder::weight);
        self.bytes.capacity() + finder(&self.as_client) + finder(&self.as_server)
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
            Verdict::Undecided => self.by_frames(side, origin, bytes, limits),
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
    const fn within(&self, side: Side, limits: &Limits) -> Verdict {
        let book = self.kept.len().saturating_mul(size_of::<(Side, Kept)>());
        if self.heard(side).bytes.len().saturating_add(book) > limits.probe_bytes {
            Verdict::Other
        } else {
            Verdict::Undecided
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
        match is_tls(bytes).filter(|_| whole_start) {
            Some(true) => return Verdict::Tls,
            // The start of a record's header is none of HTTP.
            None if whole_start => return Verdict::Undecided,
            Some(false) | None => {}
        }
        match http::looks_like(bytes) {
            Guess::Request => Verdict::Http { client: side },
            Guess::Response => Verdict::Http { client: side.flip() },
            Guess::Http2Preface => Verdict::Http2 { client: side },
            // Only what a connection, or its capture, begins with.
            Guess::Http2Settings if whole_start && self.opener != Some(side) => {
                Verdict::Http2 { client: side.flip() }
            }
            // Whoever speaks first says what it is; the answer to it need not be looked at.
            Guess::No | Guess::Http2Settings if !self.mid_connection() => Verdict::Other,
            Guess::No | Guess::Http2Settings | Guess::NeedMore => Verdict::Undecided,
        }
    }

    /// Are there frames that are consistent with each other?
    fn by_frames(&mut self, side: Side, origin: Origin, bytes: &[u8], limits: &Limits) -> Verdict {
        if !self.mid_connection() {
            return Verdict::Undecided;
        }
        let opener = self.opener;
        let behind_request = self.attempt.is_some() && opener == Some(side);
        let heard = self.heard_mut(side);
        if behind_request && !heard.gap && heard.segments == 1 && starts_client_frame(bytes) {
            // The bytes right behind an upgrade request start a frame, or there was no upgrade.
            return Verdict::Frames { client: side, client_synced: true };
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
/// opcode, no reserved bits but compression's, the length in its shortest form.
fn starts_client_frame(bytes: &[u8]) -> bool {
    Header::split(bytes).is_some_and(|(header, _)| {
        header.mask.is_some()
            && !matches!(header.opcode, Opcode::Reserved(_))
            && matches!(header.rsv, 0 | 4)
            && header.is_minimal()
    })
}

/// A TLS record that starts a handshake, or carries data in mid-connection (RFC 8446 section 5.1). `None`
/// as long as it may be one.
fn is_tls(bytes: &[u8]) -> Option<bool> {
    let ranges = [0x14..=0x17, 3..=3, 0..=4, 0..=0x48];
    let fits = bytes.iter().zip(&ranges).all(|(byte, range)| range.contains(byte));
    (!fits || bytes.len() >= ranges.len()).then_some(fits)
}
