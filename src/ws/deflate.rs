//! permessage-deflate (RFC 7692) from the reading side.
//!
//! Gets: whole compressed messages of one direction, and word of what was lost. Gives: their bytes,
//! and whether the sender kept to what it agreed. Keeps: the last 32 KiB of output of a direction
//! that compresses, and zlib's state where the context is taken over. Nothing is allocated before
//! the first compressed message.

pub mod distances;

use flate2::{Decompress, FlushDecompress, Status};

use crate::event::DeflateSide;
use distances::Farthest;

/// The four octets that a sender removed from the end of a message (RFC 7692 section 7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// LZ77's largest window, and what is kept of the output.
const WINDOW: usize = 1 << 15;

/// What zlib keeps of a stream: a window too, and tables.
const STREAM: usize = 48 << 10;

/// What became of a compressed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Inflated to its end.
    Whole,
    /// These bytes are no DEFLATE.
    Corrupt,
    /// The compressed bytes end in the midst of a block.
    EndsEarly,
    /// It became larger than the limit.
    OverLimit,
    /// It refers back to what is not known.
    ContextLost(Loss),
}

/// Why what a message refers back to is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The capture lacks it.
    Capture,
    /// A message before could not be inflated, or was over a limit.
    Failure,
    /// It was forgotten: all connections together were over the memory budget.
    Budget,
}

/// A compressed message, inflated as far as it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes written to the output buffer.
    pub len: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// It refers to earlier messages although the sender agreed not to.
    pub took_over: bool,
    /// It refers further back than the agreed window.
    pub too_far: Option<Farthest>,
}

/// The inflating end of one direction.
#[derive(Debug)]
pub struct Inflater {
    side: DeflateSide,
    /// With context takeover: the stream that goes on from message to message.
    stream: Option<Box<Decompress>>,
    window: Window,
    /// What came before is not known, and why.
    lost: Option<Loss>,
    /// Known again, but only as far back as the window reaches.
    since: Option<Loss>,
}

/// What all directions of a thread may share: messages that stand alone leave no state behind.
#[derive(Debug, Default)]
pub struct Shared {
    stream: Option<Box<Decompress>>,
}

impl Inflater {
    /// At the beginning of a connection.
    pub fn new(side: DeflateSide) -> Self {
        Self { side, stream: None, window: Window::default(), lost: None, since: None }
    }

    /// What this sender agreed to.
    pub const fn side(&self) -> DeflateSide {
        self.side
    }

    /// A compressed message is not whole, or was not inflated.
    pub fn lose(&mut self, loss: Loss) {
        self.window = Window::default();
        if self.side.context_takeover {
            self.stream = None;
            self.lost = Some(self.lost.unwrap_or(loss));
        }
    }

    /// Bytes of memory kept from message to message, about.
    #[inline]
    pub fn weight(&self) -> usize {
        let stream = if self.stream.is_some() { STREAM } else { 0 };
        self.window.bytes.capacity() + stream
    }

    /// Gives zlib's state back, which is made again from the window.
    pub fn shed(&mut self) {
        self.stream = None;
    }

    /// Inflates a message to the front of `out`, which grows as needed but not far over `limit`.
    pub fn message(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Inflated {
        let mut whole =
            Inflated { len: 0, outcome: Outcome::Whole, took_over: false, too_far: None };
        // Nothing at all can only mean an empty message; zlib would wait for more.
        if data.is_empty() {
            return whole;
        }
        let (len, outcome, took_over) = if self.side.context_takeover {
            let (len, outcome) = self.taking_over(data, text, limit, out);
            (len, outcome, false)
        } else {
            self.standing_alone(data, text, limit, shared, out)
        };
        whole.len = len;
        whole.outcome = outcome;
        whole.took_over = took_over;
        if outcome == Outcome::Whole {
            whole.too_far = self.too_far(data, len, took_over);
            self.window.push(out.get(..len).unwrap_or(&[]));
            if self.window.len() == WINDOW {
                self.since = None;
            }
        }
        whole
    }

    fn taking_over(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> (usize, Outcome) {
        if let Some(loss) = self.lost {
            return self.trying_alone(data, text, limit, out, loss);
        }
        let window = &self.window;
        let stream = self.stream.get_or_insert_with(|| {
            let mut fresh = Box::new(Decompress::new(false));
            window.prime(&mut fresh);
            fresh
        });
        let (len, outcome) = run(stream, Some(window), data, limit, out);
        match (outcome, self.since) {
            (Outcome::Whole, _) => (len, Outcome::Whole),
            // It may refer to what came before the loss: not its sender's fault.
            (Outcome::Corrupt | Outcome::EndsEarly, Some(loss)) => {
                self.lose(loss);
                (0, Outcome::ContextLost(loss))
            }
            _ => {
                self.lose(Loss::Failure);
                (len, outcome)
            }
        }
    }

    /// After a loss a message is believed only if it refers to nothing before itself: then what it
    /// inflates to does not depend on what was lost. zlib refuses any distance beyond its start.
    fn trying_alone(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        out: &mut Vec<u8>,
        loss: Loss,
    ) -> (usize, Outcome) {
        let mut stream = Box::new(Decompress::new(false));
        let (len, outcome) = run(&mut stream, None, data, limit, out);
        match outcome {
            Outcome::Whole if is_plausible(out, len, text) => {
                self.lost = None;
                self.since = Some(loss);
                self.stream = Some(stream);
                (len, Outcome::Whole)
            }
            Outcome::OverLimit => (len, outcome),
            _ => (0, Outcome::ContextLost(loss)),
        }
    }

    fn standing_alone(
        &self,
        data: &[u8],
        text: bool,
        limit: usize,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> (usize, Outcome, bool) {
        let stream = shared.stream.get_or_insert_with(|| Box::new(Decompress::new(false)));
        stream.reset(false);
        let (len, outcome) = run(stream, None, data, limit, out);
        if outcome != Outcome::Corrupt || self.window.len() == 0 {
            return (len, outcome, false);
        }
        // RFC 7692 section 7.1.1: does it refer back although that was ruled out?
        stream.reset(false);
        self.window.prime(stream);
        let (with, outcome_with) = run(stream, Some(&self.window), data, limit, out);
        if outcome_with == Outcome::Whole && is_plausible(out, with, text) {
            return (with, Outcome::Whole, true);
        }
        stream.reset(false);
        let (len, outcome) = run(stream, None, data, limit, out);
        (len, outcome, false)
    }

    /// RFC 7692 section 7.1.2: a sender keeps to the window it agreed to. Looked at only where
    /// there is enough history to break that.
    fn too_far(&self, data: &[u8], len: usize, took_over: bool) -> Option<Farthest> {
        let agreed = 1_usize << self.side.window_bits.min(15);
        let before = if self.side.context_takeover || took_over { self.window.len() } else { 0 };
        if agreed >= WINDOW || before.saturating_add(len) <= agreed {
            return None;
        }
        let found = distances::farthest(data, &TAIL);
        (usize::try_from(found.distance).unwrap_or(usize::MAX) > agreed).then_some(found)
    }
}

fn is_plausible(out: &[u8], len: usize, text: bool) -> bool {
    !text || simdutf8::basic::from_utf8(out.get(..len).unwrap_or(&[])).is_ok()
}

/// One message through zlib.
fn run(
    stream: &mut Decompress,
    before: Option<&Window>,
    data: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> (usize, Outcome) {
    let mut run = Run { stream, before, out, len: 0, limit, ended: false };
    match run.feed(data) {
        Ok(()) => {}
        // How much zlib gave before it found that out depends on the room it had, which other
        // connections may have left behind.
        Err(Outcome::Corrupt) => return (0, Outcome::Corrupt),
        Err(outcome) => return (run.len, outcome),
    }
    // A final block at the very end: there is nothing for the tail to complete.
    if run.ended {
        return (run.len, Outcome::Whole);
    }
    let len = run.len;
    // The last octet holds the end of an empty stored block's header, so its two top bits are clear
    // (RFC 7692 section 7.2.1); and behind the tail, empty blocks are all that inflates to nothing.
    let mut closing = [0_u8; 4 + 5 * 64];
    let blocks = if data.len() > 1024 { 64 } else { 2 };
    let closing = closing_blocks(&mut closing, blocks);
    let at_border = data.last().is_some_and(|last| *last < 0x40)
        && run.feed(closing).is_ok()
        && run.len == len
        && (len > 0 || data == [0] || distances::ends_between_blocks(data, &TAIL));
    (len, if at_border { Outcome::Whole } else { Outcome::EndsEarly })
}

/// The tail and `blocks` empty stored blocks.
fn closing_blocks(buffer: &mut [u8; 4 + 5 * 64], blocks: usize) -> &[u8] {
    let (tail, rest) = buffer.split_at_mut(TAIL.len());
    tail.copy_from_slice(&TAIL);
    for block in rest.as_chunks_mut::<5>().0.iter_mut().take(blocks) {
        *block = [0x00, 0x00, 0x00, 0xff, 0xff];
    }
    buffer.get(..TAIL.len() + 5 * blocks).unwrap_or(&[])
}

struct Run<'a> {
    stream: &'a mut Decompress,
    before: Option<&'a Window>,
    out: &'a mut Vec<u8>,
    len: usize,
    limit: usize,
    /// The last byte taken was the end of a final block.
    ended: bool,
}

impl Run<'_> {
    fn feed(&mut self, mut input: &[u8]) -> Result<(), Outcome> {
        loop {
            self.make_room();
            let room = self.out.get_mut(self.len..).unwrap_or(&mut []);
            let (taken, made) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress(input, room, FlushDecompress::Sync)
                .map_err(|_corrupt| Outcome::Corrupt)?;
            let taken = usize::try_from(self.stream.total_in() - taken).unwrap_or(usize::MAX);
            let made = usize::try_from(self.stream.total_out() - made).unwrap_or(usize::MAX);
            self.len = self.len.saturating_add(made).min(self.out.len());
            input = input.get(taken..).unwrap_or(&[]);
            if self.len > self.limit {
                return Err(Outcome::OverLimit);
            }
            self.ended = status == Status::StreamEnd;
            if self.ended {
                self.restart();
            }
            if input.is_empty() && (self.ended || self.len < self.out.len()) {
                return Ok(());
            }
            if taken == 0 && made == 0 && self.len < self.out.len() {
                return Err(Outcome::Corrupt);
            }
        }
    }

    /// Behind a block with BFINAL set the stream is over for zlib, but not for RFC 7692 section
    /// 7.2.3.4: the next block may still refer to what came before.
    fn restart(&mut self) {
        self.stream.reset(false);
        if let Some(window) = self.before {
            window.prime(self.stream);
        }
        let fresh = self.out.get(self.len.saturating_sub(WINDOW)..self.len).unwrap_or(&[]);
        prime(self.stream, fresh);
    }

    fn make_room(&mut self) {
        const FIRST: usize = 64 << 10;
        if self.len == self.out.len() {
            let more = (self.out.len() * 2).min(self.limit.saturating_add(1)).max(self.len + 1);
            self.out.resize(more.max(FIRST), 0);
        }
    }
}

fn prime(stream: &mut Decompress, dictionary: &[u8]) {
    if !dictionary.is_empty() {
        // Refused only for streams with a zlib header, which this is not.
        let _ = stream.set_dictionary(dictionary);
    }
}

/// The last 32 KiB of a direction's output.
#[derive(Debug, Default)]
struct Window {
    /// Grows to `WINDOW`, then is written round and round.
    bytes: Vec<u8>,
    /// Where the oldest byte stands, once it is full.
    oldest: usize,
}

impl Window {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, fresh: &[u8]) {
        let fresh = fresh.get(fresh.len().saturating_sub(WINDOW)..).unwrap_or(fresh);
        let (grow, wrap) = fresh.split_at(fresh.len().min(WINDOW - self.bytes.len()));
        let need = self.bytes.len() + grow.len();
        if need > self.bytes.capacity() {
            let to = need.next_power_of_two().min(WINDOW);
            self.bytes.reserve_exact(to - self.bytes.len());
        }
        self.bytes.extend_from_slice(grow);
        let (first, second) = wrap.split_at(wrap.len().min(WINDOW - self.oldest));
        if let Some(to) = self.bytes.get_mut(self.oldest..self.oldest + first.len()) {
            to.copy_from_slice(first);
        }
        if let Some(to) = self.bytes.get_mut(..second.len()) {
            to.copy_from_slice(second);
        }
        self.oldest = (self.oldest + wrap.len()) % WINDOW;
    }

    fn prime(&self, stream: &mut Decompress) {
        let (newer, older) = self.bytes.split_at(self.oldest.min(self.bytes.len()));
        prime(stream, older);
        prime(stream, newer);
    }
}

#[cfg(test)]
mod tests;
