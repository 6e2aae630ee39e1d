//! Heads put together from pieces.
//!
//! Gets: in-order bytes. Gives: whole heads, borrowed where they came in one piece. Keeps: the bytes
//! of one unfinished head, at most [`crate::limits::Limits::head_bytes`]; nothing between heads.
//! Every byte is looked at once, however the head is cut.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::units::Origin;

/// What is known of the line at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Line {
    /// No byte yet.
    #[default]
    Empty,
    /// A CR and nothing else.
    Cr,
    /// Something.
    Filled,
}

impl Line {
    /// Looks for an empty line; the offset behind it. Without one, remembers where the line stands.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        for lf in memchr::memchr_iter(b'\n', bytes) {
            self.add(bytes.get(from..lf).unwrap_or_default());
            let ends = *self != Self::Filled;
            *self = Self::Empty;
            from = lf.saturating_add(1);
            if ends {
                return Some(from);
            }
        }
        self.add(bytes.get(from..).unwrap_or_default());
        None
    }

    const fn add(&mut self, bytes: &[u8]) {
        *self = match (&*self, bytes) {
            (state, []) => *state,
            (Self::Empty, [b'\r']) => Self::Cr,
            _ => Self::Filled,
        };
    }
}

/// A head that is not finished.
#[derive(Debug, Default)]
pub(super) struct HeadBuf {
    bytes: Vec<u8>,
    line: Line,
    begin: Origin,
    /// The start line is whole, and one.
    started: bool,
}

/// What came of taking bytes for a head.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// All input is used, and more is needed.
    More,
    /// A head, and the packet that brought its first byte.
    Whole(Cow<'a, [u8]>, Origin),
    /// The start line is none. What was taken of it is in [`HeadBuf::take_bytes`].
    NotHttp,
    /// It fills the limit and has no end yet. What was taken is in [`HeadBuf::take_bytes`].
    Over,
}

/// Tells start lines from other bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartCheck {
    /// Can a start line begin like this. May look at the first [`PREFIX`] bytes only.
    pub(super) prefix: fn(&[u8]) -> bool,
    /// Is this line, with its line end, one.
    pub(super) line: fn(&[u8]) -> bool,
}

impl HeadBuf {
    /// Takes bytes off the front of `input` until the head is whole.
    pub(super) fn take<'a>(
        &mut self,
        input: &mut &'a [u8],
        origin: Origin,
        limit: usize,
        check: StartCheck,
    ) -> Taken<'a> {
        if self.bytes.is_empty() && !self.started {
            // RFC 9112 section 2.2: empty lines before a request line are skipped.
            while let [b'\r' | b'\n', rest @ ..] = *input {
                *input = rest;
            }
            if input.is_empty() {
                return Taken::More;
            }
            self.begin = origin;
        }
        if self.bytes.is_empty()
            && !self.started
            && let Some(end) = whole_head(input.get(..limit).unwrap_or(input), check)
        {
            self.line = Line::Empty;
            return Taken::Whole(Cow::Borrowed(advance(input, end)), self.begin);
        }
        if !self.started
            && let Some(early) = self.take_start(input, limit, check)
        {
            return early;
        }
        let window = input.get(..limit.saturating_sub(self.bytes.len())).unwrap_or(input);
        let Some(end) = self.line.scan(window) else {
            self.bytes.extend_from_slice(advance(input, window.len()));
            return if self.bytes.len() >= limit { Taken::Over } else { Taken::More };
        };
        let head = advance(input, end);
        self.started = false;
        if self.bytes.is_empty() {
            return Taken::Whole(Cow::Borrowed(head), self.begin);
        }
        self.bytes.extend_from_slice(head);
        Taken::Whole(Cow::Owned(std::mem::take(&mut self.bytes)), self.begin)
    }

    /// The start line. Nothing is taken of bytes that can not begin one; of a line that is none, all.
    fn take_start<'a>(
        &mut self,
        input: &mut &'a [u8],
        limit: usize,
        check: StartCheck,
    ) -> Option<Taken<'a>> {
        if self.bytes.len() < PREFIX {
            let front = |len: usize| input.get(..len).unwrap_or(input);
            let mut joined = SmallVec::<[u8; PREFIX]>::new();
            let prefix: &[u8] = if self.bytes.is_empty() {
                front(PREFIX)
            } else {
                joined.extend_from_slice(&self.bytes);
                joined.extend_from_slice(front(PREFIX.saturating_sub(self.bytes.len())));
                &joined
            };
            let prefix = prefix.split(|&b| b == b'\n').next().unwrap_or_default();
            if !(check.prefix)(prefix) {
                return Some(Taken::NotHttp);
            }
        }
        let window = input.get(..limit.saturating_sub(self.bytes.len())).unwrap_or(input);
        let Some(lf) = memchr::memchr(b'\n', window) else {
            self.bytes.extend_from_slice(advance(input, window.len()));
            // A start line that fills the whole budget is none.
            let over = self.bytes.len() >= limit;
            return Some(if over { Taken::NotHttp } else { Taken::More });
        };
        let len = lf.saturating_add(1);
        if self.bytes.is_empty() {
            let line = window.get(..len).unwrap_or_default();
            if !(check.line)(line) {
                self.bytes.extend_from_slice(advance(input, len));
                return Some(Taken::NotHttp);
            }
        } else {
            self.bytes.extend_from_slice(advance(input, len));
            if !(check.line)(&self.bytes) {
                return Some(Taken::NotHttp);
            }
        }
        self.started = true;
        self.line = Line::Empty;
        None
    }

    /// Takes one byte, whatever it is; all that are there.
    pub(super) fn start_byte(&mut self, byte: u8, origin: Origin) -> &[u8] {
        if self.bytes.is_empty() {
            self.begin = origin;
        }
        self.bytes.push(byte);
        &self.bytes
    }

    /// Drops the rest of a head that is not wanted; true behind its empty line.
    pub(super) fn skip(&mut self, input: &mut &[u8]) -> bool {
        let end = self.line.scan(input);
        advance(input, end.unwrap_or(input.len()));
        end.is_some()
    }

    /// Takes the next bytes up to the end of their line, unconditionally; true at that end.
    pub(super) fn take_line(&mut self, input: &mut &[u8], origin: Origin) -> bool {
        if self.bytes.is_empty() {
            self.begin = origin;
        }
        let lf = memchr::memchr(b'\n', input);
        let len = lf.map_or(input.len(), |lf| lf.saturating_add(1));
        self.bytes.extend_from_slice(advance(input, len));
        lf.is_some()
    }

    /// Treats the one line taken as a start line that was checked elsewhere.
    pub(super) const fn begin_with_line(&mut self) {
        self.started = true;
        self.line = Line::Empty;
    }

    /// Bytes are missing behind these: forgets the line they cut. The length of what is left;
    /// `None` (and nothing left) where not even the start line is whole.
    pub(super) fn hole(&mut self) -> Option<usize> {
        if !self.started {
            self.clear();
            return None;
        }
        let whole = memchr::memrchr(b'\n', &self.bytes)?.saturating_add(1);
        self.bytes.truncate(whole);
        Some(whole)
    }

    /// What is there, and the packet that brought its first byte. Line state stays, for `skip`.
    pub(super) fn take_bytes(&mut self) -> (Vec<u8>, Origin) {
        self.started = false;
        (std::mem::take(&mut self.bytes), self.begin)
    }

    /// Puts back the start of a head, as it was taken.
    pub(super) fn put_back(&mut self, line: &[u8], origin: Origin) {
        self.bytes = line.to_vec();
        self.begin = origin;
        self.begin_with_line();
    }

    /// Forgets everything from here on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Forgets everything, memory too.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes of memory for it.
    pub(super) const fn weight(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes of the unfinished head.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Is its start line whole.
    pub(super) const fn started(&self) -> bool {
        self.started
    }
}

/// Where a head ends that is all there and whose lines all end in CR LF, as nearly every head; in doubt
/// `None`, and it is read piece by piece.
fn whole_head(bytes: &[u8], check: StartCheck) -> Option<usize> {
    let mut begin = 0_usize;
    for lf in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(begin..=lf)?;
        let first = begin == 0;
        begin = lf.saturating_add(1);
        match line {
            [b'\r', b'\n'] if !first => return Some(begin),
            [.., b'\r', b'\n'] => {}
            _ => return None,
        }
        if first && !((check.prefix)(line.get(..PREFIX).unwrap_or(line)) && (check.line)(line)) {
            return None;
        }
    }
    None
}

/// Takes `len` bytes off the front.
pub(super) fn advance<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
    *input = rest;
    taken
}

/// Bytes of a start line looked at before it is whole.
const PREFIX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_line_is_found_wherever_the_input_is_cut() {
        for text in [&b"a\r\nb\r\n\r\nrest"[..], b"a\nb\n\nrest", b"a\r\nb\n\r\nrest"] {
            let end = text.len() - 4;
            for cut in 0..=text.len() {
                let mut line = Line::default();
                let (a, b) = text.split_at(cut);
                let found = line.scan(a).or_else(|| line.scan(b).map(|n| cut + n));
                assert_eq!(found, Some(end), "{cut}");
            }
        }
    }

    #[test]
    fn carriage_returns_alone_make_no_empty_line() {
        assert_eq!(Line::default().scan(b"a\r\n\r\r\n"), None);
        assert_eq!(Line::default().scan(b"a\r\r\r\r"), None);
    }
}
