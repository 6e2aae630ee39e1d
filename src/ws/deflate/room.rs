//! Where messages are inflated to: behind what they may refer to, so that nothing is copied twice.
//!
//! ```text
//! own    | forgotten | up to 32 KiB known | the message → | room |
//!                    floor or before      start           at
//! ```
//!
//! Gets: bytes of a message, one after another. Gives: the message, and what is known for the next.
//! Keeps: for a direction up to 64 KiB. A message that is too large for that moves to a buffer that
//! all connections of a thread share, and leaves its last 32 KiB behind.

use super::Stop;

/// LZ77's largest window.
pub(super) const WINDOW: usize = 1 << 15;

/// What a direction keeps at most: half is window, so that what slides out of reach is moved once for
/// each 32 KiB of output.
const MOST: usize = 2 * WINDOW;

/// The least that it keeps.
const LEAST: usize = 1 << 11;

/// Behind [`Room::at`] there is always this much while a symbol is looked at: the longest match (258)
/// and what is copied in whole chunks behind it.
pub(super) const SLACK: usize = 288;

/// The last output of a direction.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Initialised to its length.
    bytes: Vec<u8>,
    /// What is known begins here.
    begin: usize,
    /// Behind the last known byte.
    end: usize,
}

impl History {
    /// Bytes that are known, of those that can be referred to.
    pub(super) fn len(&self) -> usize {
        (self.end - self.begin).min(WINDOW)
    }

    /// Bytes of memory.
    pub(super) fn weight(&self) -> usize {
        self.bytes.capacity()
    }

    /// Nothing is known any longer.
    pub(super) fn forget(&mut self) {
        self.begin = self.end;
    }

    /// Keeps no more memory than what is known needs.
    pub(super) fn shed(&mut self) {
        let begin = self.end - self.len();
        self.bytes.copy_within(begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - begin);
        self.bytes.truncate(self.end);
        self.bytes.shrink_to_fit();
    }

    /// Room for a message; `alone`: it may not refer to what was before.
    pub(super) fn open<'a>(
        &'a mut self,
        alone: bool,
        limit: usize,
        large: &'a mut Vec<u8>,
    ) -> Room<'a> {
        let floor = if alone { self.end } else { self.begin };
        let (start, at) = (self.end, self.end);
        Room { history: self, large, moved: false, floor, start, at, limit }
    }

    /// The bytes of a message that was inflated here.
    pub(super) fn span(&self, span: &Span) -> &[u8] {
        self.bytes.get(span.start..span.end).unwrap_or(&[])
    }
}

/// Where a message's bytes are, in one buffer or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// In the buffer for large ones.
    pub(super) large: bool,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Room<'a> {
    history: &'a mut History,
    large: &'a mut Vec<u8>,
    moved: bool,
    /// Nothing before this may be referred to.
    floor: usize,
    /// Where the message begins.
    start: usize,
    /// Where its next byte goes.
    pub(super) at: usize,
    limit: usize,
}

impl Room<'_> {
    /// The buffer, and the last place in it that the next symbol may begin at.
    #[inline]
    pub(super) fn bytes(&mut self) -> (&mut [u8], usize) {
        let bytes = if self.moved { &mut *self.large } else { &mut self.history.bytes };
        let last = bytes.len().saturating_sub(SLACK).min(self.start.saturating_add(self.limit));
        (bytes, last)
    }

    #[inline]
    pub(super) const fn floor(&self) -> usize {
        self.floor
    }

    /// Bytes of the message so far.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.at - self.start
    }

    /// They themselves.
    pub(super) fn message(&self) -> &[u8] {
        let bytes = if self.moved { &*self.large } else { &self.history.bytes };
        bytes.get(self.start..self.at).unwrap_or(&[])
    }

    /// Where they are.
    pub(super) const fn span(&self) -> Span {
        Span { start: self.start, end: self.at, large: self.moved }
    }

    /// There is room for a symbol now, or the message is too large.
    #[inline]
    pub(super) fn more(&mut self) -> Result<(), Stop> {
        if self.len() > self.limit {
            return Err(Stop::Over);
        }
        while self.at + SLACK > self.bytes().0.len() {
            self.grow();
        }
        Ok(())
    }

    #[cold]
    fn grow(&mut self) {
        let History { bytes, begin, end } = &mut *self.history;
        // What comes before this is out of reach of the message's first byte.
        let passed = self.start.saturating_sub(WINDOW).max(*begin);
        if self.moved {
            let most = self.start.saturating_add(self.limit).saturating_add(1 + SLACK);
            self.large.resize((self.large.len() * 2).min(most), 0);
        } else if bytes.len() < MOST {
            let len = (bytes.len() * 2).clamp(LEAST, MOST);
            bytes.reserve_exact(len - bytes.len());
            bytes.resize(len, 0);
        } else if passed >= WINDOW / 2 {
            bytes.copy_within(passed..self.at, 0);
            *begin = 0;
            *end -= passed;
            self.rebase(passed);
        } else {
            let least = 2 * MOST;
            if self.large.len() < least {
                self.large.resize(least, 0);
            }
            if let (Some(to), Some(from)) =
                (self.large.get_mut(..self.at - passed), bytes.get(passed..self.at))
            {
                to.copy_from_slice(from);
            }
            self.moved = true;
            self.rebase(passed);
        }
    }

    fn rebase(&mut self, by: usize) {
        self.floor = self.floor.saturating_sub(by);
        self.start -= by;
        self.at -= by;
    }

    /// The message is whole: it is part of what is known.
    pub(super) fn keep(self) {
        if !self.moved {
            self.history.end = self.at;
            return;
        }
        let History { bytes, begin, end } = self.history;
        let known = self.at.min(WINDOW);
        if let (Some(to), Some(from)) =
            (bytes.get_mut(..known), self.large.get(self.at - known..self.at))
        {
            to.copy_from_slice(from);
        }
        (*begin, *end) = (0, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ from those near them.
    fn byte(n: usize) -> u8 {
        (n ^ n >> 8 ^ n >> 16).to_le_bytes()[0]
    }

    #[test]
    fn the_window_holds_the_last_32_kib_whatever_the_pieces() {
        for piece in [1, 7, 1000, 20_000, 32_767, 32_768, 32_769, 100_000] {
            let mut history = History::default();
            let mut large = Vec::new();
            let mut total = 0;
            while total < 250_000 {
                let mut room = history.open(false, 1 << 20, &mut large);
                for n in total..total + piece {
                    room.more().unwrap();
                    let at = room.at;
                    room.bytes().0[at] = byte(n);
                    room.at += 1;
                }
                total += piece;
                let span = room.span();
                room.keep();
                let message =
                    if span.large { &large[span.start..span.end] } else { history.span(&span) };
                assert!(message.iter().copied().eq((total - piece..total).map(byte)), "{piece}");
                assert_eq!(history.len(), total.min(WINDOW));
                // All of it now and then.
                if total % 10_000 < piece {
                    let known = &history.bytes[history.end - history.len()..history.end];
                    let expected = (total - total.min(WINDOW)..total).map(byte);
                    assert!(known.iter().copied().eq(expected), "pieces of {piece}");
                }
                assert!(history.weight() <= MOST);
            }
            history.shed();
            assert_eq!((history.weight(), history.len()), (WINDOW, WINDOW));
            assert!(history.bytes.iter().copied().eq((total - WINDOW..total).map(byte)));
        }
    }

    #[test]
    fn a_message_that_is_not_kept_leaves_what_is_known_as_it_was() {
        let mut history = History::default();
        let mut large = Vec::new();
        for len in [100, 5000, 40_000, 33_000, 70_000] {
            for keep in [false, true] {
                let before = history.bytes[history.end - history.len()..history.end].to_vec();
                let mut room = history.open(true, 1 << 20, &mut large);
                for n in 0..len {
                    room.more().unwrap();
                    let at = room.at;
                    room.bytes().0[at] = byte(n + len);
                    room.at += 1;
                }
                assert_eq!(room.len(), len);
                if keep {
                    room.keep();
                } else {
                    let after = &history.bytes[history.end - history.len()..history.end];
                    assert!(after == before, "{len}");
                }
            }
        }
    }

    #[test]
    fn what_is_over_the_limit_has_no_room() {
        for limit in [0, 10, 3000, 70_000] {
            let (mut history, mut large) = (History::default(), Vec::new());
            let mut room = history.open(false, limit, &mut large);
            let mut made = 0;
            while room.more().is_ok() {
                room.at += 1;
                made += 1;
            }
            assert_eq!(made, limit + 1);
        }
    }
}
