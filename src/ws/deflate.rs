//! permessage-deflate (RFC 7692) from the reading side.
//!
//! Gets: whole compressed messages of one direction, and word of what was lost. Gives: their bytes,
//! and whether the sender kept to what it agreed. Keeps: the last 32 KiB of output of a direction
//! that compresses, and room behind it. Nothing is allocated before the first compressed message.
//!
//! The inflater is our own since a general one answers none of the questions here: how far back does a
//! message refer, does it end between two blocks. Nor is it made for messages of some dozen bytes, each
//! in a window of 32 KiB that it must keep to itself.

mod bits;
mod blocks;
mod code;
mod room;

use crate::event::DeflateSide;
use blocks::Reach;
use code::Codes;
use room::{History, Span, WINDOW};

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

/// The largest distance of a message's back references, and where in the output it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farthest {
    /// Bytes back.
    pub distance: u32,
    /// Offset in the message's output of the bytes that it stands for.
    pub at: u64,
}

/// Why a message can not be inflated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// These bytes are no DEFLATE.
    Corrupt,
    /// They end in the midst of a block.
    Early,
    /// There is more output than the limit allows.
    Over,
}

/// A compressed message, inflated as far as it went: [`Inflater::plain`] has its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inflated {
    /// How many bytes it went. Over the limit, they are not to be had.
    pub len: usize,
    span: Span,
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
    history: History,
    /// What came before is not known, and why.
    lost: Option<Loss>,
    /// Known again, but only as far back as the window reaches.
    since: Option<Loss>,
}

/// What all directions of a thread share, since it holds nothing between two messages.
#[derive(Debug, Default)]
pub struct Shared {
    /// Of the block at hand.
    codes: Option<Box<Codes>>,
    /// A message that is too large for what a direction keeps; initialised to its length.
    large: Vec<u8>,
}

impl Shared {
    /// Kept for large messages to come; more is given back when the message at hand is done.
    const KEEP: usize = 4 << 20;

    /// After a large message: memory follows what is needed now.
    pub fn shrink(&mut self) {
        if self.large.capacity() > Self::KEEP {
            self.large = Vec::new();
        }
    }
}

impl Inflated {
    /// A message of which nothing can be had, for this reason.
    pub const fn nothing(outcome: Outcome) -> Self {
        let span = Span { start: 0, end: 0, large: false };
        Self { len: 0, span, outcome, took_over: false, too_far: None }
    }
}

impl Inflater {
    /// At the beginning of a connection.
    pub fn new(side: DeflateSide) -> Self {
        Self { side, history: History::default(), lost: None, since: None }
    }

    /// What this sender agreed to.
    pub const fn side(&self) -> DeflateSide {
        self.side
    }

    /// The bytes of the message that was inflated last.
    pub fn plain<'a>(&'a self, inflated: &Inflated, shared: &'a Shared) -> &'a [u8] {
        let Span { start, end, large } = inflated.span;
        if large {
            shared.large.get(start..end).unwrap_or(&[])
        } else {
            self.history.span(&inflated.span)
        }
    }

    /// A compressed message is not whole, or was not inflated.
    pub fn lose(&mut self, loss: Loss) {
        self.forget(loss);
        self.history = History::default();
    }

    fn forget(&mut self, loss: Loss) {
        self.history.forget();
        if self.side.context_takeover {
            self.lost = Some(self.lost.unwrap_or(loss));
        }
    }

    /// Do messages go on in one stream, each able to refer to those before it.
    pub const fn takes_over(&self) -> bool {
        self.side.context_takeover
    }

    /// Bytes of memory kept from message to message, about.
    #[inline]
    pub fn weight(&self) -> usize {
        self.history.weight()
    }

    /// Gives the room for further messages back, or `all`: what they may refer to as well.
    pub fn shed(&mut self, all: bool) {
        if all && self.history.len() > 0 {
            self.lose(Loss::Budget);
        }
        self.history.shed();
    }

    /// Inflates a message of not much more than `limit` bytes.
    pub fn message(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        shared: &mut Shared,
    ) -> Inflated {
        // Nothing at all can only mean an empty message.
        if data.is_empty() {
            return Inflated::nothing(Outcome::Whole);
        }
        if self.lost.is_some() {
            self.trying_alone(data, text, limit, shared)
        } else if self.side.context_takeover {
            self.taking_over(data, limit, shared)
        } else {
            self.standing_alone(data, text, limit, shared)
        }
    }

    fn taking_over(&mut self, data: &[u8], limit: usize, shared: &mut Shared) -> Inflated {
        let got = self.run(data, false, limit, shared, |_| true);
        match (got.outcome, self.since) {
            (Outcome::Whole, _) => {}
            // It may refer to what came before the loss: not its sender's fault.
            (Outcome::Corrupt | Outcome::EndsEarly, Some(loss)) => {
                self.forget(loss);
                return Inflated::nothing(Outcome::ContextLost(loss));
            }
            _ => self.forget(Loss::Failure),
        }
        got
    }

    /// After a loss a message is believed only if it refers to nothing before itself: then what it
    /// inflates to does not depend on what was lost.
    fn trying_alone(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        shared: &mut Shared,
    ) -> Inflated {
        let got = self.run(data, true, limit, shared, |plain| is_plausible(plain, text));
        let lost = Outcome::ContextLost(self.lost.unwrap_or(Loss::Capture));
        match got.outcome {
            Outcome::Whole => {
                self.since = self.lost.filter(|_| self.history.len() < WINDOW);
                self.lost = None;
                got
            }
            Outcome::OverLimit => got,
            _ => Inflated::nothing(lost),
        }
    }

    fn standing_alone(
        &mut self,
        data: &[u8],
        text: bool,
        limit: usize,
        shared: &mut Shared,
    ) -> Inflated {
        let got = self.run(data, true, limit, shared, |_| true);
        if got.outcome != Outcome::Corrupt || self.history.len() == 0 {
            return got;
        }
        // RFC 7692 section 7.1.1: does it refer back although that was ruled out?
        let with = self.run(data, false, limit, shared, |plain| is_plausible(plain, text));
        if with.outcome == Outcome::Whole {
            return Inflated { took_over: true, ..with };
        }
        got
    }

    /// Inflates a message, and remembers it if it is whole and believed.
    fn run(
        &mut self,
        data: &[u8],
        alone: bool,
        limit: usize,
        shared: &mut Shared,
        is_believed: impl Fn(&[u8]) -> bool,
    ) -> Inflated {
        let agreed = 1_usize << self.side.window_bits.min(15);
        let mut reach = Reach { agreed, farthest: None };
        let codes = shared.codes.get_or_insert_default();
        let mut room = self.history.open(alone, limit, &mut shared.large);
        let stop = blocks::inflate(data, codes, &mut room, &mut reach);
        let (len, span) = (room.len(), room.span());
        let nothing = Inflated::nothing;
        match stop {
            _ if len > limit => Inflated { len: limit + 1, ..nothing(Outcome::OverLimit) },
            Err(Stop::Over) => Inflated { len, ..nothing(Outcome::OverLimit) },
            Err(Stop::Corrupt) => nothing(Outcome::Corrupt),
            Err(Stop::Early) => Inflated { len, span, ..nothing(Outcome::EndsEarly) },
            Ok(()) if !is_believed(room.message()) => nothing(Outcome::Corrupt),
            Ok(()) => {
                room.keep();
                if self.history.len() == WINDOW {
                    self.since = None;
                }
                // RFC 7692 section 7.1.2: a sender keeps to the window it agreed to.
                Inflated { len, span, too_far: reach.farthest, ..nothing(Outcome::Whole) }
            }
        }
    }
}

fn is_plausible(plain: &[u8], text: bool) -> bool {
    !text || simdutf8::basic::from_utf8(plain).is_ok()
}

#[cfg(test)]
mod tests;
