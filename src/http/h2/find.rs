//! Where does the next frame begin, after one or more headers of frames were lost.
//!
//! Gets: the segments behind a gap. Gives: those from the frame on, once the evidence for it is strong.
//! Keeps: these segments, within a budget.
//!
//! A header is added up in bits: how much of it must be as it is, in that place, on this connection. A
//! chain of headers, each of which leads to the next, adds up too. *n* bits mean that random bytes look
//! like this once in 2^n places.
//!
//! Where the beginning of the connection was missed too, nothing is known of its streams, and other
//! protocols may look alike: then a chain must begin and end where segments do, as what is written at once
//! does, and what tells of a stream is that the chain has it more than once.

use crate::units::Origin;

use super::LAST;
use super::frame::{HEAD, Head, Known, PREFACE, StreamId, flag, kind};

/// Evidence that is believed: more than any one header can have, and its borders. Two of DATA inside of
/// regular bytes have nearly as much (a PING's payload of sevens makes one for stream 7).
const ENOUGH: u32 = 104;
/// Evidence with which nothing else is believed meanwhile: more than any header has that does not begin and
/// end with a segment.
const SUSPECTED: u32 = 40;
/// Evidence that a segment's border is a frame's, at most.
const BORDER: u32 = 12;
/// Places followed at once.
const ALIVE: usize = 64;
/// Headers of a chain looked at in one go.
const CHAIN: usize = 16;
/// Headers that a chain needs where nothing is known of the connection.
const MID_CHAIN: usize = 3;

/// Looks for the beginning of a frame.
#[derive(Debug, Default)]
pub(super) struct Find {
    bytes: Vec<u8>,
    segments: Vec<(Origin, usize)>,
    /// Offsets before this were looked at.
    looked: usize,
    /// Offsets whose chain is sound as far as it goes.
    alive: Vec<usize>,
    /// The connection's beginning was missed.
    mid_connection: bool,
    /// There is a chain that has some evidence.
    suspects: bool,
}

impl Find {
    /// For a connection of which nothing is known.
    pub(super) fn mid_connection() -> Self {
        Self { mid_connection: true, ..Self::default() }
    }

    /// Adds a segment. Gives what is to be read, where a frame was found.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        segment: &[u8],
        max_frame: u32,
        known: &impl Fn(StreamId) -> Known,
        budget: usize,
    ) -> Option<Vec<(Origin, Vec<u8>)>> {
        if self.weight().saturating_add(segment.len()) > budget {
            *self = Self { mid_connection: self.mid_connection, ..Self::default() };
        }
        self.segments.push((origin, self.bytes.len()));
        if self.mid_connection && segment.starts_with(PREFACE) {
            // The beginning after all, of one side.
            self.segments.push((origin, self.bytes.len() + PREFACE.len()));
        }
        self.bytes.extend_from_slice(segment);
        let mut alive = std::mem::take(&mut self.alive);
        let mut found = None;
        self.suspects = false;
        alive.retain(|&at| match self.follow(at, max_frame, known) {
            Follow::Believed => {
                found = found.or(Some(at));
                true
            }
            Follow::Open(bits) => {
                self.suspects |= bits >= SUSPECTED;
                true
            }
            Follow::Refuted => false,
        });
        while found.is_none() && self.looked + HEAD <= self.bytes.len() {
            let at = self.looked;
            self.looked += 1;
            if self.mid_connection && !self.is_border(at) {
                continue;
            }
            match self.follow(at, max_frame, known) {
                Follow::Believed => found = Some(at),
                Follow::Open(bits) if alive.len() < ALIVE => {
                    self.suspects |= bits >= SUSPECTED;
                    alive.push(at);
                }
                Follow::Open(_) | Follow::Refuted => {}
            }
        }
        self.alive = alive;
        found.map(|at| self.pieces_from(at))
    }

    /// Bytes of memory kept, about.
    pub(super) const fn weight(&self) -> usize {
        self.bytes.len() + self.segments.len() * size_of::<(Origin, usize)>()
    }

    fn follow(&self, start: usize, max_frame: u32, known: &impl Fn(StreamId) -> Known) -> Follow {
        // Where segments are small, a border proves as little as it is rare.
        let segment = self.bytes.len() / self.segments.len().max(1);
        let of_border = segment.max(1).ilog2().min(BORDER);
        let mut bits = if self.is_border(start) { of_border } else { 0 };
        let mut at = start;
        let mut streams = Vec::new();
        for nth in 1..=CHAIN {
            let Some(head) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) else { break };
            let head = Head::read(*head);
            let again = streams.contains(&head.stream);
            let in_chain = |stream| match stream {
                0 => Known::No,
                _ if again => Known::Open(1),
                _ => Known::Begun(LAST),
            };
            let more = if self.mid_connection {
                evidence(head, max_frame, &in_chain)
            } else {
                evidence(head, max_frame, known)
            };
            let Some(more) = more else { return Follow::Refuted };
            bits = bits.saturating_add(more);
            streams.push(head.stream);
            at = at.saturating_add(HEAD).saturating_add(head.len as usize);
            let ends = at == self.bytes.len() || self.is_border(at);
            if ends {
                bits = bits.saturating_add(of_border);
            }
            if self.mid_connection && ends && nth >= MID_CHAIN && bits >= ENOUGH {
                return Follow::Believed;
            }
        }
        if bits >= ENOUGH && !self.mid_connection { Follow::Believed } else { Follow::Open(bits) }
    }

    /// Is there some evidence already, if not enough.
    pub(super) const fn suspects(&self) -> bool {
        self.suspects
    }

    /// Does a segment begin here.
    fn is_border(&self, at: usize) -> bool {
        self.segments.binary_search_by_key(&at, |(_, at)| *at).is_ok()
    }

    fn pieces_from(&mut self, at: usize) -> Vec<(Origin, Vec<u8>)> {
        let ends = self.segments.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.bytes.len()]);
        let pieces = self.segments.iter().zip(ends).filter_map(|((origin, start), end)| {
            let bytes = self.bytes.get((*start).max(at)..end)?;
            (!bytes.is_empty()).then(|| (*origin, bytes.to_vec()))
        });
        pieces.collect()
    }
}

enum Follow {
    Believed,
    /// With so many bits of evidence.
    Open(u32),
    Refuted,
}

/// The evidence, in bits, that this is a header (RFC 9113 section 6); `None`: it is none.
pub(super) fn evidence(
    head: Head,
    max_frame: u32,
    known: &impl Fn(StreamId) -> Known,
) -> Option<u32> {
    if head.reserved || head.len > max_frame {
        return None;
    }
    let any_length = 24_u32.saturating_sub(max_frame.max(1).ilog2() + 1);
    // Lengths, flags, and whether it is of a stream.
    let (length, flags, of_stream) = match head.kind {
        kind::DATA => (any_length, flag::END_STREAM | flag::PADDED, true),
        kind::HEADERS => {
            (any_length, flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY, true)
        }
        kind::CONTINUATION => (any_length, flag::END_HEADERS, true),
        kind::PRIORITY if head.len == 5 => (24, 0, true),
        kind::RST_STREAM if head.len == 4 => (24, 0, true),
        kind::WINDOW_UPDATE if head.len == 4 => (24, 0, head.stream != 0),
        kind::PING if head.len == 8 => (24, flag::ACK, false),
        kind::GOAWAY if head.len >= 8 => (any_length, 0, false),
        kind::SETTINGS if head.len.is_multiple_of(6) && head.len <= 120 => (17, flag::ACK, false),
        // ALTSVC (RFC 7838), ORIGIN (RFC 8336), PRIORITY_UPDATE (RFC 9218).
        0xa | 0xc | 0x10 => (any_length, 0, head.stream != 0),
        _ => return None,
    };
    if head.flags & !flags != 0 {
        return None;
    }
    let stream = if of_stream {
        match known(head.stream) {
            Known::No => return None,
            Known::Open(of) => 32_u32.saturating_sub(of.max(1).ilog2() + 1),
            Known::Begun(highest) => 32_u32.saturating_sub(highest.max(1).ilog2() + 1),
        }
    } else if head.stream == 0 {
        32
    } else {
        return None;
    };
    // Few of 256 types are one of these.
    Some(length + 4 + (8 - flags.count_ones()) + stream)
}

#[cfg(test)]
mod tests;
