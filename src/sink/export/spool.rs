//! Text of many connections at once, gathered for each until it ends.
//!
//! Gets: text for one [`Thread`] or another. Gives: the whole of a thread, in order. Keeps: in memory a
//! budget for all together; the rest in one temporary file, whose name is already deleted.
//!
//! ```text
//! file:  [begin of the part before | its length | text] [...] [...]
//!                                 ^--------- tail of a thread: its last part
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of one thread gathered before they go to the file.
const PART: usize = 64 << 10;

/// Bytes gathered over all threads before all go to the file.
const BUDGET: usize = 32 << 20;

/// Bytes before the text of a part.
const HEAD: u64 = 16;

/// Where a part lies; `len` is that of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    at: u64,
    len: u64,
}

/// One connection's text.
#[derive(Debug, Default)]
pub(super) struct Thread {
    buf: Vec<u8>,
    tail: Option<Part>,
}

/// What all threads share.
#[derive(Debug, Default)]
pub(super) struct Spool {
    file: Option<File>,
    end: u64,
    /// Bytes in memory, over all threads.
    held: usize,
    /// Threads with parts in the file.
    parted: usize,
}

impl Spool {
    /// Appends what `write` writes.
    pub(super) fn append(
        &mut self,
        thread: &mut Thread,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let before = thread.buf.len();
        write(&mut thread.buf);
        self.held = self.held.saturating_add(thread.buf.len().saturating_sub(before));
        if thread.buf.len() >= PART { self.spill(thread) } else { Ok(()) }
    }

    /// Must every thread be spilled, for there are too many.
    pub(super) const fn is_crowded(&self) -> bool {
        self.held > BUDGET
    }

    /// Moves what a thread holds in memory to the file.
    pub(super) fn spill(&mut self, thread: &mut Thread) -> io::Result<()> {
        if thread.buf.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let before = thread.tail.unwrap_or(Part { at: u64::MAX, len: 0 });
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(&[before.at.to_le_bytes(), before.len.to_le_bytes()].concat())?;
        file.write_all(&thread.buf)?;
        let len = thread.buf.len() as u64;
        self.parted += usize::from(thread.tail.is_none());
        thread.tail = Some(Part { at: self.end, len });
        self.end = self.end.saturating_add(HEAD).saturating_add(len);
        self.held = self.held.saturating_sub(thread.buf.len());
        thread.buf = Vec::new();
        Ok(())
    }

    /// Gives the whole text of a thread, piece by piece.
    pub(super) fn take(
        &mut self,
        thread: &Thread,
        mut give: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.held = self.held.saturating_sub(thread.buf.len());
        if let (Some(tail), Some(file)) = (thread.tail, &mut self.file) {
            for part in parts(file, tail)?.into_iter().rev() {
                file.seek(SeekFrom::Start(part.at.saturating_add(HEAD)))?;
                copy(&mut file.take(part.len), &mut give)?;
            }
        }
        give(&thread.buf)?;
        self.forget(thread)
    }

    /// Drops a thread that nobody asks for.
    pub(super) fn drop_thread(&mut self, thread: &Thread) -> io::Result<()> {
        self.held = self.held.saturating_sub(thread.buf.len());
        self.forget(thread)
    }

    /// When the last thread with parts is gone, the file is empty again.
    fn forget(&mut self, thread: &Thread) -> io::Result<()> {
        if thread.tail.is_some() {
            self.parted = self.parted.saturating_sub(1);
            if self.parted == 0
                && let Some(file) = &mut self.file
            {
                self.end = 0;
                file.set_len(0)?;
            }
        }
        Ok(())
    }
}

/// The parts of a thread, last first.
fn parts(file: &mut File, tail: Part) -> io::Result<Vec<Part>> {
    let mut parts = vec![tail];
    let mut at = tail.at;
    loop {
        let (mut begin, mut len) = ([0; 8], [0; 8]);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut begin)?;
        file.read_exact(&mut len)?;
        let before = Part { at: u64::from_le_bytes(begin), len: u64::from_le_bytes(len) };
        // A part lies behind those before it.
        if before.at >= at {
            return Ok(parts);
        }
        at = before.at;
        parts.push(before);
    }
}

fn copy(from: &mut impl Read, give: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; PART];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            n => give(piece.get(..n).unwrap_or_default())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(spool: &mut Spool, thread: &Thread) -> Vec<u8> {
        let mut out = Vec::new();
        spool
            .take(thread, |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn threads_come_back_whole_however_they_were_mixed() {
        let mut spool = Spool::default();
        let mut threads: Vec<(Thread, Vec<u8>)> =
            (0..5).map(|_| (Thread::default(), Vec::new())).collect();
        for round in 0..400_usize {
            let (thread, want) = &mut threads[round * 7 % 5];
            let text = round.to_string().repeat(round * 3 % 1500).into_bytes();
            spool.append(thread, |buf| buf.extend_from_slice(&text)).unwrap();
            want.extend_from_slice(&text);
            if round % 31 == 0 {
                spool.spill(thread).unwrap();
            }
        }
        assert!(spool.end > 0 && spool.parted == 5);
        for (thread, want) in threads {
            assert!(whole(&mut spool, &thread) == want);
        }
        assert_eq!((spool.end, spool.held, spool.parted), (0, 0, 0), "nothing is left");
    }

    #[test]
    fn little_text_needs_no_file() {
        let mut spool = Spool::default();
        let mut thread = Thread::default();
        spool.append(&mut thread, |buf| buf.extend_from_slice(b"abc")).unwrap();
        assert_eq!(spool.held, 3);
        assert_eq!(whole(&mut spool, &thread), b"abc");
        assert!(spool.file.is_none() && spool.held == 0);
    }

    #[test]
    fn many_small_threads_are_crowded_too() {
        let mut spool = Spool::default();
        let mut threads: Vec<Thread> = (0..1000).map(|_| Thread::default()).collect();
        for thread in &mut threads {
            spool.append(thread, |buf| buf.resize(PART - 1, b'x')).unwrap();
        }
        assert!(spool.is_crowded());
        for thread in &mut threads {
            spool.spill(thread).unwrap();
        }
        assert!(!spool.is_crowded());
    }
}
