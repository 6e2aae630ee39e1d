//! Where does the next frame begin: after a lost header, and in connections whose beginning was not
//! captured.
//!
//! Gets: the segments of one direction that follow. Gives: an offset at which a frame begins, once
//! the evidence for it is strong. Keeps: those segments, bounded by a budget.
//!
//! A header has few bits that can be wrong, so one alone proves nothing. What counts is a chain: each
//! header leads to the next, and frames tend to end where segments end. The evidence of a chain is
//! added up in bits: *n* bits mean that random bytes look like this once in 2^n places.
//!
//! ```text
//!   gap ][ segment ............ ][ segment ..... ][ segment
//!        ^header--payload--------^header-payload--^         each lands on a segment's end
//! ```
//!
//! A frame is given out only when what was added up *before and with* it is enough: a chance header
//! whose length happens to lead to a true one must not become a message. Where it leads there exactly,
//! and more speaks for it than chance would, it is given out with the others ([`Finder::firm_bits`]).

use crate::event::Opcode;
use crate::units::Origin;
use crate::ws::close::{CloseBody, code_fault};
use crate::ws::frame::Header;
use crate::ws::mask;

/// What headers of this direction look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The mask bit: set from clients, clear from servers.
    pub masked: bool,
    /// RSV1 may be set: compression was agreed, or is not ruled out.
    pub rsv1: bool,
    /// RSV1 may also be set on continuations (`deflate-frame`).
    pub rsv1_anywhere: bool,
}

/// What became of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// A frame begins this far into what is kept.
    Found(usize),
    /// Not yet.
    NeedMore,
}

/// Looks for a frame's beginning in one direction.
#[derive(Debug)]
pub struct Finder {
    shape: Shape,
    /// Evidence, in bits, that the first byte given is a frame's: what is known from elsewhere.
    prior: u32,
    /// The first byte given is the first that was captured, and nothing is known of what came before.
    begins: bool,
    bytes: Vec<u8>,
    /// Ends of the segments in `bytes`, ascending; the last is its length.
    ends: Vec<usize>,
    origins: Vec<Origin>,
    /// Starts of segments that may still prove to be starts of frames.
    alive: Vec<usize>,
    /// Size at which all offsets are looked at the next time.
    next_sweep: usize,
    /// Bytes given up because the budget was full.
    dropped: u64,
    /// Bytes of the largest segment.
    largest: usize,
}

/// What is kept of a segment besides its bytes: many small ones cost more than their bytes.
const SEGMENT: usize = size_of::<usize>() + size_of::<Origin>();
/// Bits of evidence with which a frame at a segment's start is believed.
const AT_SEGMENT: u32 = 22;
/// And anywhere else, besides a bit for each doubling of the bytes: there chance has as many places.
const ANYWHERE: u32 = 26;
/// Bits of evidence with which the frame that a capture begins with is given out, once those behind it
/// are believed: 1 in 1,000 rests of a frame in a segment of their own looks like one.
const FIRST: u32 = 10;
/// Evidence that a frame begins behind a segment that was not full: its sender had no more to send,
/// so what it wrote ends there. (Where a long frame is cut, all segments but its last are full.)
pub const FLUSHED: u32 = 10;
/// Starts of segments followed at once; each new segment is tried against the chains of these.
const ALIVE: usize = 64;
/// Headers of one chain looked at in one go.
const CHAIN: usize = 256;
/// After so many headers without evidence it is a pattern that is followed.
const PATTERN: usize = 16;
/// The first size at which every offset is tried; then at each doubling.
const FIRST_SWEEP: usize = 4096;

impl Finder {
    /// Looks for frames of this shape. `prior`: see [`prior`].
    pub fn new(shape: Shape, prior: u32) -> Self {
        Self {
            shape,
            prior,
            begins: false,
            bytes: Vec::new(),
            ends: Vec::new(),
            origins: Vec::new(),
            alive: Vec::new(),
            next_sweep: FIRST_SWEEP,
            dropped: 0,
            largest: 0,
        }
    }

    /// Looks for frames of this shape in a direction whose beginning was not captured. Most captures do
    /// not begin inside a message, so of its first frame less has to be known ([`FIRST`]).
    pub fn at_beginning(shape: Shape) -> Self {
        Self { begins: true, ..Self::new(shape, 0) }
    }

    /// Adds a segment, and looks.
    pub fn push(&mut self, origin: Origin, segment: &[u8], budget: usize) -> Search {
        if segment.is_empty() {
            return Search::NeedMore;
        }
        let kept = self.bytes.len().saturating_add(self.ends.len() * SEGMENT);
        if kept.saturating_add(segment.len()) > budget {
            self.forget();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(segment);
        self.ends.push(self.bytes.len());
        self.origins.push(origin);
        self.largest = self.largest.max(segment.len());
        if self.alive.len() < ALIVE {
            self.alive.push(start);
        }
        self.look(false)
    }

    /// The direction ended here: no more segments, and the end is a border too.
    pub fn finish(&mut self) -> Search {
        self.look(true)
    }

    /// Bytes of memory kept, about.
    #[inline]
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * SEGMENT
    }

    /// Keeps nothing; the search goes on with what comes.
    pub fn shed(&mut self) {
        self.dropped = self.searched();
        self.bytes = Vec::new();
        self.ends = Vec::new();
        self.origins = Vec::new();
        self.alive = Vec::new();
        self.next_sweep = FIRST_SWEEP;
        self.prior = 0;
        self.begins = false;
    }

    /// Bytes that were searched and are not kept any more, and those that still are.
    pub fn searched(&self) -> u64 {
        self.dropped.saturating_add(self.bytes.len() as u64)
    }

    /// What is kept from `offset` on, by segment: what is to be read as frames.
    pub fn segments_from(&self, offset: usize) -> impl Iterator<Item = (Origin, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.origins.iter().zip(starts.zip(&self.ends)).filter_map(
            move |(origin, (start, &end))| {
                let part = self.bytes.get(start.max(offset)..end)?;
                (!part.is_empty()).then_some((*origin, part))
            },
        )
    }

    /// The budget is full: the older half goes, and what was learnt about it.
    fn forget(&mut self) {
        let keep = self.ends.partition_point(|end| *end <= self.bytes.len() / 2);
        let at = self.ends.get(keep).copied().unwrap_or(self.bytes.len());
        self.bytes.drain(..at);
        self.ends.drain(..self.ends.len().min(keep + 1));
        self.origins.drain(..self.origins.len().min(keep + 1));
        for end in &mut self.ends {
            *end -= at;
        }
        self.dropped = self.dropped.saturating_add(at as u64);
        self.alive.clear();
        self.next_sweep = self.bytes.len() + FIRST_SWEEP;
        self.prior = 0;
        self.begins = false;
    }

    fn look(&mut self, ended: bool) -> Search {
        let mut alive = std::mem::take(&mut self.alive);
        let mut found = None;
        alive.retain(|&start| match self.follow(start, self.known_of(start), AT_SEGMENT, None) {
            _ if found.is_some() => true,
            Follow::Believed(at) => {
                found = Some(at);
                true
            }
            Follow::Open => true,
            Follow::Refuted => false,
        });
        self.alive = alive;
        // Frames may also begin inside segments, before one that was found at a segment's start.
        let due = self.bytes.len() >= self.next_sweep || ended;
        if due || found.is_some() {
            self.next_sweep = self.bytes.len().saturating_mul(2).max(FIRST_SWEEP);
            let until = found.unwrap_or(self.bytes.len());
            found = self.sweep(until).or(found);
        }
        found.map_or(Search::NeedMore, Search::Found)
    }

    /// Tries every offset before `until`.
    fn sweep(&self, until: usize) -> Option<usize> {
        let enough = ANYWHERE + self.bytes.len().max(1).ilog2();
        // A chain that joins one that was followed has nothing new to tell: each offset counts once.
        let mut met = vec![false; self.bytes.len()];
        (0..until).find_map(|start| match self.follow(start, 0, enough, Some(&mut met)) {
            Follow::Believed(at) if at < until => Some(at),
            _ => None,
        })
    }

    /// What is known beforehand of a segment's start.
    fn known_of(&self, start: usize) -> u32 {
        if start == 0 {
            return self.prior;
        }
        let index = self.ends.partition_point(|end| *end < start);
        let before = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        // A sender whose segments can be shorter than any frame cuts frames wherever it likes.
        let smallest = if self.shape.masked { 6 } else { 2 };
        if (smallest..self.largest).contains(&(start - before)) { FLUSHED } else { 0 }
    }

    /// Follows the chain that starts here as far as the bytes go.
    fn follow(
        &self,
        start: usize,
        prior: u32,
        enough: u32,
        mut met: Option<&mut Vec<bool>>,
    ) -> Follow {
        let mut chain = Chain { bits: prior, open: None, seen: [0; 4], next: 0 };
        let mut at = start;
        let mut firm = None;
        for length in 0..CHAIN {
            let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) else {
                return Follow::Open;
            };
            if !self.may_start(rest) {
                return Follow::Refuted;
            }
            let Some((header, rest)) = Header::split(rest) else { return Follow::Open };
            if !chain.allows(&header) || length > PATTERN && chain.bits < prior + 8 {
                return Follow::Refuted;
            }
            if let Some(met) = met.as_mut().and_then(|met| met.get_mut(at))
                && std::mem::replace(met, true)
            {
                return Follow::Refuted;
            }
            let Some(payload) = usize::try_from(header.len).ok().and_then(|len| rest.get(..len))
            else {
                return Follow::Open;
            };
            let Some(content) = content_bits(&header, payload) else { return Follow::Refuted };
            let end = at + usize::from(header.size) + payload.len();
            chain.add(&header, content, self.landing(&header, at, end));
            if self.begins && at == 0 && chain.bits >= FIRST {
                firm = Some(at);
            }
            if chain.bits >= enough {
                return Follow::Believed(firm.unwrap_or(at));
            }
            if firm.is_none() && content > 0 {
                let (known, enough) = match met {
                    Some(_) => (0, enough),
                    // At a segment's start chance has one place.
                    None if at == start => (prior, ANYWHERE),
                    None => (0, ANYWHERE),
                };
                if known + self.firm_bits(at, &header, payload) >= enough {
                    firm = Some(at);
                }
            }
            at = end;
        }
        Follow::Open
    }

    /// Evidence for this frame if its end were proven: its header, a length that leads to one place of so
    /// many, text, and text before it that goes on nowhere else. No text has a byte that begins a frame
    /// but inside of a character.
    fn firm_bits(&self, at: usize, header: &Header, payload: &[u8]) -> u32 {
        if header.opcode != Opcode::Text || !header.fin || header.rsv != 0 {
            return 0;
        }
        let leads = if header.length_bytes() == 0 { 7 } else { 23 };
        // Text that was not masked may be the rest of a longer one, so it says less.
        let says = if header.mask.is_some() { 32 } else { 12 };
        let behind_text = header.mask.is_none() && self.bytes.get(..at).is_some_and(is_text);
        let content = u32::try_from(payload.len()).unwrap_or(u32::MAX).min(says);
        5 + leads + content + if behind_text { 16 } else { 0 }
    }

    /// Can these bytes be the start of a header: all that holds for one header alone.
    fn may_start(&self, bytes: &[u8]) -> bool {
        let Some(&first) = bytes.first() else { return true };
        let (opcode, fin) = (Opcode::from_bits(first), first & 0x80 != 0);
        let rsv1 = self.shape.rsv1
            && (matches!(opcode, Opcode::Text | Opcode::Binary)
                || self.shape.rsv1_anywhere && opcode == Opcode::Continuation);
        let rsv_fits = match (first >> 4) & 0x7 {
            0 => true,
            4 => rsv1,
            _ => false,
        };
        if matches!(opcode, Opcode::Reserved(_)) || !rsv_fits || opcode.is_control() && !fin {
            return false;
        }
        let Some(&second) = bytes.get(1) else { return true };
        if (second & 0x80 != 0) != self.shape.masked || opcode.is_control() && second & 0x7f > 125 {
            return false;
        }
        if opcode == Opcode::Close && second & 0x7f == 1 {
            return false;
        }
        // A length of more than 2^40 bytes, or not in its shortest form, is no evidence of sanity.
        Header::split(bytes).is_none_or(|(header, _)| header.is_minimal() && header.len < 1 << 40)
    }

    /// Evidence from where a frame ends: on a segment's end, which a random length rarely hits.
    fn landing(&self, header: &Header, at: usize, end: usize) -> u32 {
        if self.ends.binary_search(&end).is_err() {
            // Others follow in the segment. A long form of the length is rare in random bytes.
            return if header.length_bytes() == 0 { 0 } else { 5 };
        }
        let (bits, reach) = if header.length_bytes() == 0 { (7, 127) } else { (23, 65_535) };
        let targets = self.ends.partition_point(|e| *e <= at.saturating_add(reach))
            - self.ends.partition_point(|e| *e <= at);
        bits - targets.max(1).ilog2().min(bits - 1)
    }
}

/// What following a chain gave.
enum Follow {
    /// Believed, from the frame that begins here on.
    Believed(usize),
    /// Nothing speaks against it.
    Open,
    /// It leads to what is no header.
    Refuted,
}

/// A chain of headers, and what was added up.
struct Chain {
    bits: u32,
    /// Is a fragmented message open; `None` while that is not known.
    open: Option<bool>,
    /// First two bytes of headers met, the last four kinds.
    seen: [u16; 4],
    next: usize,
}

impl Chain {
    /// Fragments follow one another (RFC 6455 section 5.4).
    fn allows(&mut self, header: &Header) -> bool {
        if header.opcode.is_control() {
            return true;
        }
        let continues = header.opcode == Opcode::Continuation;
        let fits = self.open.is_none_or(|open| open == continues);
        self.open = Some(!header.fin);
        fits
    }

    fn add(&mut self, header: &Header, content: u32, landing: u32) {
        let kind = u16::from(header.opcode.bits())
            | u16::from(header.fin) << 4
            | u16::from(header.rsv) << 5
            | u16::try_from(header.len & 0x7f).unwrap_or(0) << 8
            | 0x8000;
        if self.seen.contains(&kind) {
            // What repeats itself may be a pattern in somebody's data, a picture of one colour for
            // one: the second time says little, and landing only as much as its period is long.
            let period = (header.len + u64::from(header.size)).ilog2();
            // Under a fresh key nothing repeats itself by chance.
            let content = if header.mask.is_some() { content } else { content.min(4) };
            self.bits += landing.min(period).min(8) + content;
            return;
        }
        if let Some(slot) = self.seen.get_mut(self.next % 4) {
            *slot = kind;
        }
        self.next += 1;
        // Of 256 first bytes 9 to 13 can begin a data frame and three a control frame; the mask bit
        // halves it. Frames that carry nothing and end nothing are what zeros look like.
        let own = match (header.opcode.is_control(), header.fin, header.len) {
            (true, ..) => 7,
            (_, true, 1..) => 5,
            (_, true, 0) if landing > 0 => 5,
            (_, true, 0) => 3,
            (_, false, 1..) => 2,
            (_, false, 0) => return,
        };
        self.bits += own + landing + content;
    }
}

/// Evidence from a payload; `None` when it refutes the header.
fn content_bits(header: &Header, payload: &[u8]) -> Option<u32> {
    match header.opcode {
        Opcode::Close if !payload.is_empty() => {
            let mut body = Vec::with_capacity(payload.len());
            mask::append(&mut body, payload, header.mask, 0);
            let read = CloseBody::read(&body);
            let sound = read.code.is_some_and(|code| code_fault(code).is_none());
            // Some 5,000 of 65,536 codes may be sent; the dozen of RFC 6455 nearly always is.
            let usual = read.code.is_some_and(|code| code < 3000);
            (sound && read.not_utf8_at.is_none()).then_some(if usual { 10 } else { 3 })
        }
        Opcode::Text if header.fin && header.rsv == 0 => text_bits(header, payload),
        _ => Some(0),
    }
}

/// The end of a text that is long enough to be told from chance.
fn is_text(bytes: &[u8]) -> bool {
    const LOOK: usize = 64;
    let look = bytes.get(bytes.len().saturating_sub(LOOK)..).unwrap_or(bytes);
    // It may begin inside of a character.
    let begun = look.iter().take(3).take_while(|b| **b & 0xc0 == 0x80).count();
    let text = look.get(begun..).unwrap_or_default();
    text.len() >= 16 && std::str::from_utf8(text).is_ok_and(|text| text.chars().all(|c| c >= ' '))
}

/// A bit for every byte of text without control characters, up to a dozen. Those matter: where the
/// key is only taken from masked text, "unmasking" gives one text XOR another, which is ASCII too,
/// but half of it control characters.
fn text_bits(header: &Header, payload: &[u8]) -> Option<u32> {
    const LOOK: usize = 4096;
    let (look, cut) = payload.split_at(payload.len().min(LOOK));
    let mut unmasked = Vec::new();
    let text = if header.mask.is_some() {
        mask::append(&mut unmasked, look, header.mask, 0);
        &unmasked
    } else {
        look
    };
    let valid = match std::str::from_utf8(text) {
        Ok(_) => true,
        // The last character may be cut by our looking at a part only.
        Err(e) => !cut.is_empty() && e.error_len().is_none(),
    };
    if !valid {
        return None;
    }
    let printable = text.iter().all(|b| *b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'));
    Some(if printable { u32::try_from(look.len()).unwrap_or(u32::MAX).min(12) } else { 0 })
}

/// What is known beforehand, in bits, of the first byte behind a gap: in a direction whose segments
/// always began with a frame the next one will too, and the more so if what is missing was no full
/// segment (those are where long frames are cut). `largest` is the largest segment of the direction.
pub fn prior(aligned: u64, unaligned: u64, gap: u64, largest: usize) -> u32 {
    // What a full segment holds on the way: an Ethernet's or a tunnel's. Where the capture has larger
    // ones, they were put together after or cut up behind the place of capture, into any number of these.
    let full = (largest as u64).clamp(1_200, 1_460);
    let history = if unaligned > 0 {
        ((aligned + 1) / (unaligned + 1)).max(1).ilog2().min(6)
    } else if aligned > 0 {
        (4 + 2 * aligned.ilog2()).min(10)
    } else {
        0
    };
    history + if (1..full).contains(&gap) { FLUSHED } else { 0 }
}

#[cfg(test)]
mod tests;
