//! One big buffer over an input: records are borrowed straight from it.
//!
//! Gets: a reader. Gives: the next `n` bytes in one piece, and where they stand in the file.
//! Keeps: what was read and not yet consumed; grows only as far as its user asks, who bounds that.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use crate::units::FileOffset;

/// Why a reader of records stops.
#[derive(Debug)]
pub(super) enum Halt {
    /// The input ends inside a record.
    Cut { needs: u64, has: u64 },
    /// The input can not be read on.
    Read(io::Error),
    /// The record is wrong.
    Fault(super::Fault),
}

impl From<super::Fault> for Halt {
    fn from(fault: super::Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The buffer.
///
/// ```text
///  0        start              end           len
///  | consumed | not yet consumed | room to read |
///             ^ file offset `at`
/// ```
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buf: Vec<u8>,
    /// `start <= end <= buf.len()`.
    start: usize,
    end: usize,
    /// File offset of `start`.
    at: u64,
    /// The reader has said that there is no more, or failed.
    ended: bool,
    /// Why it failed: told when the reading gets there, after everything before it was used.
    trouble: Option<io::Error>,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>, size: usize) -> Self {
        let buf = vec![0; size.max(MIN_SIZE)];
        Self { reader, buf, start: 0, end: 0, at: 0, ended: false, trouble: None }
    }

    /// One over nothing, for [`Self::lend`].
    pub(super) fn lent() -> Self {
        Self { ended: true, ..Self::new(Box::new(io::empty()), 0) }
    }

    /// Puts a record here that was copied, for [`Self::taken`].
    pub(super) fn lend(&mut self, record: Vec<u8>) {
        self.buf = record;
    }

    /// Are `n` bytes there, after reading on where needed. What was given by [`Self::taken`] is
    /// void after this.
    #[inline]
    pub(super) fn fill(&mut self, n: usize) -> bool {
        self.end - self.start >= n || self.read_until(n)
    }

    /// Nothing is left and nothing went wrong.
    pub(super) fn is_done(&mut self) -> bool {
        !self.fill(1) && self.trouble.is_none()
    }

    /// The reader has failed, not merely ended.
    pub(super) fn has_failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// What is there.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Where [`Self::bytes`] starts in the file.
    #[inline]
    pub(super) fn at(&self) -> FileOffset {
        FileOffset(self.at)
    }

    /// Steps over `n` bytes that are there.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.at = self.at.saturating_add(n as u64);
    }

    /// Steps over a record of `n` bytes that are there, and tells where `part` of it stands, for
    /// [`Self::taken`].
    #[inline]
    pub(super) fn take(&mut self, n: usize, part: Range<usize>) -> Range<usize> {
        let range = self.start.saturating_add(part.start)..self.start.saturating_add(part.end);
        self.consume(n);
        range
    }

    /// Bytes taken since the last [`Self::fill`].
    #[inline]
    pub(super) fn taken(&self, range: Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    /// Steps over `n` bytes that need not be there yet, without keeping them.
    pub(super) fn skip(&mut self, n: u64) -> Result<(), Halt> {
        let mut left = n;
        loop {
            let step = left.min((self.end - self.start) as u64);
            self.consume(usize::try_from(step).unwrap_or(usize::MAX));
            left -= step;
            if left == 0 {
                return Ok(());
            }
            if !self.fill(1) {
                return Err(self.halt(n, n - left));
            }
        }
    }

    /// The end of the records: clean when nothing is left, otherwise `needs` bytes were.
    #[cold]
    pub(super) fn end<T>(&mut self, needs: usize) -> Result<Option<T>, Halt> {
        if self.is_done() { Ok(None) } else { Err(self.cut(needs as u64)) }
    }

    /// The input ends where `needs` bytes should be.
    #[cold]
    pub(super) fn cut(&mut self, needs: u64) -> Halt {
        let has = (self.end - self.start) as u64;
        self.halt(needs, has)
    }

    fn halt(&mut self, needs: u64, has: u64) -> Halt {
        match self.trouble.take() {
            Some(error) => Halt::Read(error),
            None => Halt::Cut { needs, has },
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buf.capacity()
    }

    #[cold]
    fn read_until(&mut self, n: usize) -> bool {
        if self.ended {
            return false;
        }
        // Only what is not yet consumed moves to the front: a part of one record.
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buf.len() < n {
            self.buf.resize(n, 0);
        }
        while self.end < n {
            match self.reader.read(self.buf.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = true;
                    return false;
                }
                Ok(got) => self.end = self.end.saturating_add(got).min(self.buf.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.trouble = Some(error);
                    return false;
                }
            }
        }
        true
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Window {{ at: {:#x}, has: {}, of: {} }}",
            self.at,
            self.end - self.start,
            self.buf.len()
        )
    }
}

/// Byte order of numbers in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// The first `N` words of four bytes.
    #[inline]
    pub(super) fn words<const N: usize>(self, bytes: &[u8]) -> Option<[u32; N]> {
        let words: &[[u8; 4]; N] = bytes.as_chunks::<4>().0.first_chunk()?;
        Some(words.map(|word| self.u32(word)))
    }
}

/// Any header fits.
const MIN_SIZE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: &'static [u8]) -> Window {
        Window::new(Box::new(bytes), 0)
    }

    #[test]
    fn what_is_taken_stays_until_the_next_fill() {
        let mut w = window(b"abcdefgh");
        assert!(w.fill(5));
        let part = w.take(4, 1..3);
        assert_eq!(w.taken(part), b"bc");
        assert_eq!(w.at(), FileOffset(4));
        assert!(w.fill(4) && !w.fill(5));
        assert_eq!(w.bytes(), b"efgh");
    }

    #[test]
    fn skipping_past_the_end_says_how_much_was_there() {
        let mut w = window(b"abcdefgh");
        w.skip(3).unwrap();
        assert!(matches!(w.skip(9), Err(Halt::Cut { needs: 9, has: 5 })));
    }

    #[test]
    fn an_error_of_the_reader_is_told_only_after_what_came_before_it() {
        struct Fails(bool);
        impl Read for Fails {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("disk on fire"));
                }
                buf[..2].copy_from_slice(b"ab");
                Ok(2)
            }
        }
        let mut w = Window::new(Box::new(Fails(false)), 0);
        assert!(w.fill(2) && !w.fill(3));
        w.consume(2);
        assert!(!w.is_done());
        assert!(matches!(w.end::<()>(1), Err(Halt::Read(e)) if e.to_string() == "disk on fire"));
    }
}
