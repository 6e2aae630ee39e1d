//! What is this connection? Decided from its first bytes, as few as possible.
//!
//! Gets: the stream events of both sides. Gives: a [`Verdict`]; until then everything is kept, in
//! the order it came, and [`Probe::replay`]ed into the stage that is chosen. Keeps: at most
//! [`Limits::probe_bytes`] per side.
//!
//! A connection whose start is in the capture says at once what it is. One that starts in
//! mid-connection (or lacks the answer to its upgrade request) is watched for a head at the start of
//! a segment, and for frames that are consistent with each other.

use super::{ConnInfo, Direction, Limits, Origin, Side, StreamEvent};
use crate::event::DeflateAgreement;
use crate::http::{self, Guess};
use crate::ws::resync::{Finder, Found};

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
    /// HTTP/2 with prior knowledge.
    Http2,
    /// None of these.
    Other,
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
    no_frames: (bool, bool),
}

/// What a connection is, as far as it is known.
#[derive(Debug)]
pub(super) struct Probe {
    kept: Vec<(Side, Kept)>,
    a: Heard,
    b: Heard,
    /// Who opened the connection; `None` in mid-connection.
    opener: Option<Side>,
    /// The upgrade attempt whose answer the capture lacks, and what was presumed of compression.
    attempt: Option<(ConnInfo, Option<DeflateAgreement>)>,
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
    pub(super) fn after_lost_answer(
        client: Side,
        attempt: ConnInfo,
        deflate: Option<DeflateAgreement>,
    ) -> Self {
        Self { attempt: Some((attempt, deflate)), ..Self::new(Some(client)) }
    }

    /// The attempt that lacks its answer.
    pub(super) const fn attempt(&self) -> Option<&(ConnInfo, Option<DeflateAgreement>)> {
        self.attempt.as_ref()
    }

    /// The first packet kept.
    pub(super) const fn begin(&self) -> Option<Origin> {
        self.begin
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
                for finder in [&mut heard.as_client, &mut heard.as_server].into_iter().flatten() {
                    finder.gap();
                }
                self.keep(side, Kept::Other(StreamEvent::Gap { origin, len, snapped }));
                return Verdict::Undecided;
            }
            StreamEvent::Conflict { origin, len } => {
                self.keep(side, Kept::Other(StreamEvent::Conflict { origin, len }));
                return Verdict::Undecided;
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
        self.begin.get_or_insert(origin);
        let heard = self.heard_mut(side);
        let from = heard.bytes.len();
        heard.bytes.extend_from_slice(bytes);
        let to = heard.bytes.len();
        heard.segments += 1;
        self.keep(side, Kept::Data { origin, from, to });
        let verdict = match self.by_head(side, from) {
            Verdict::Undecided => self.by_frames(side, bytes, limits),
            decided => decided,
        };
        match verdict {
            Verdict::Undecided if to > limits.probe_bytes => Verdict::Other,
            // What stood before the head is of no use to anybody.
            Verdict::Http { .. } if from > 0 && self.mid_connection() => {
                self.kept.drain(..self.kept.len() - 1);
                verdict
            }
            verdict => verdict,
        }
    }

    fn keep(&mut self, side: Side, kept: Kept) {
        self.kept.push((side, kept));
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
        if heard.segments == 1 || !self.mid_connection() {
            if is_tls(bytes) {
                return Verdict::Tls;
            }
        }
        match http::looks_like(bytes) {
            Guess::Request => Verdict::Http { client: side },
            Guess::Response => Verdict::Http { client: side.flip() },
            Guess::Http2Preface => Verdict::Http2,
            Guess::NeedMore => Verdict::Undecided,
            // Whoever speaks first says what it is; the answer to it need not be looked at.
            Guess::No if !self.mid_connection() => Verdict::Other,
            Guess::No => Verdict::Undecided,
        }
    }

    /// Are there frames that are consistent with each other?
    fn by_frames(&mut self, side: Side, bytes: &[u8], limits: &Limits) -> Verdict {
        if !self.mid_connection() {
            return Verdict::Undecided;
        }
        let opener = self.opener;
        let behind_request = self.attempt.is_some();
        let heard = self.heard_mut(side);
        if behind_request && opener == Some(side) && !heard.gap && heard.segments == 1 {
            // The bytes right behind an upgrade request start a frame, or there was no upgrade.
            let first = crate::ws::resync::could_start_frame(bytes, Direction::ToServer);
            if first {
                return Verdict::Frames { client: side, client_synced: true };
            }
        }
        if opener != Some(side.flip()) && !heard.no_frames.0 {
            let finder = heard
                .as_client
                .get_or_insert_with(|| Finder::new(Direction::ToServer, limits.probe_bytes));
            match finder.segment(bytes) {
                Found::At(_) => return Verdict::Frames { client: side, client_synced: false },
                Found::NeedMore => {}
                Found::No => heard.no_frames.0 = true,
            }
        }
        if opener != Some(side) && !heard.no_frames.1 {
            let finder = heard
                .as_server
                .get_or_insert_with(|| Finder::new(Direction::ToClient, limits.probe_bytes));
            match finder.segment(bytes) {
                Found::At(_) => {
                    return Verdict::Frames { client: side.flip(), client_synced: false };
                }
                Found::NeedMore => {}
                Found::No => heard.no_frames.1 = true,
            }
        }
        Verdict::Undecided
    }

    /// Nothing more comes: does what there is suffice, if only to tell an attempt's end?
    pub(super) fn last_chance(&mut self) -> Verdict {
        match &self.attempt {
            Some(_) if self.a.bytes.is_empty() && self.b.bytes.is_empty() => Verdict::Other,
            _ => Verdict::Undecided,
        }
    }
}

/// A TLS record that starts a handshake, or carries data in mid-connection (RFC 8446 section 5.1).
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, 0..=4, high, ..] if *high <= 0x48)
}
