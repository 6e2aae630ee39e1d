//! The file that payloads wait in.
//!
//! Gets: records from one writing thread. Gives: any stretch of them to any thread, at once, written
//! to the file or not. Keeps: at most two buffers of [`BUFFER`] bytes. The file has no name: the
//! system removes it when the program ends, however it ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes gathered before they are written.
pub const BUFFER: usize = 1 << 20;

/// Records, one behind the other.
#[derive(Debug)]
pub struct Spool {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that the file has.
    written: u64,
    /// Those that are being written, behind the ones that are.
    leaving: Arc<Vec<u8>>,
    /// Those that came since.
    pending: Vec<u8>,
    /// Why nothing is kept any more.
    failed: Option<String>,
}

impl Spool {
    /// An empty one on disk, or where temporary files go if there is no better place.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub fn new() -> io::Result<Self> {
        // /tmp is often memory, which the payloads are not to fill.
        let file = if Path::new("/var/tmp").is_dir() {
            tempfile::tempfile_in("/var/tmp").or_else(|_| tempfile::tempfile())
        } else {
            tempfile::tempfile()
        }?;
        Ok(Self { file, state: Mutex::default() })
    }

    /// Keeps a record and tells where; `None` when the disk is full or broken.
    pub fn append(&self, record: &[u8]) -> Option<u64> {
        let mut state = self.lock();
        if state.failed.is_some() {
            return None;
        }
        let at = state.end();
        state.pending.extend_from_slice(record);
        let full = state.pending.len() >= BUFFER;
        drop(state);
        if full {
            self.write_out();
        }
        Some(at)
    }

    /// Forgets everything, and gives the disk back. Only for who appends: whoever still asks for a
    /// record gets none, or another one.
    pub fn clear(&self) {
        let mut state = self.lock();
        // What can not be cut off is overwritten.
        let _ = self.file.set_len(0);
        *state = State::default();
    }

    /// Bytes kept.
    pub fn len(&self) -> u64 {
        self.lock().end()
    }

    /// Nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Why nothing is kept any more.
    pub fn failure(&self) -> Option<String> {
        self.lock().failed.clone()
    }

    /// Reads up to `len` bytes from `at` to the end of `out`: less only at the end of the spool.
    ///
    /// # Errors
    /// When the file can not be read.
    pub fn read(&self, at: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let mut at = at;
        let mut left = len;
        while left > 0 {
            let got = self.read_some(at, left, out)?;
            if got == 0 {
                break;
            }
            left -= got;
            at += got as u64;
        }
        Ok(())
    }

    fn read_some(&self, at: u64, len: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        let state = self.lock();
        let (written, leaving) = (state.written, Arc::clone(&state.leaving));
        let behind = written.saturating_add(leaving.len() as u64);
        if at >= behind {
            return Ok(copy(&state.pending, at - behind, len, out));
        }
        drop(state);
        if at >= written {
            return Ok(copy(&leaving, at - written, len, out));
        }
        let start = out.len();
        let len = usize::try_from(written - at).unwrap_or(usize::MAX).min(len);
        out.resize(start + len, 0);
        let got = self.file.read_at(out.get_mut(start..).unwrap_or(&mut []), at);
        out.truncate(start + got.as_ref().copied().unwrap_or(0));
        got
    }

    /// Writes what is pending, without holding up those who read.
    fn write_out(&self) {
        let (at, bytes) = {
            let mut state = self.lock();
            let next = Vec::with_capacity(BUFFER + BUFFER / 4);
            state.leaving = Arc::new(std::mem::replace(&mut state.pending, next));
            (state.written, Arc::clone(&state.leaving))
        };
        let result = self.file.write_all_at(&bytes, at);
        let mut state = self.lock();
        match result {
            Ok(()) => {
                state.written += bytes.len() as u64;
                state.leaving = Arc::default();
            }
            // What is in memory stays readable; nothing more is taken.
            Err(error) => state.failed = Some(error.to_string()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.written + self.leaving.len() as u64 + self.pending.len() as u64
    }
}

fn copy(from: &[u8], at: u64, len: usize, out: &mut Vec<u8>) -> usize {
    let from = usize::try_from(at).ok().and_then(|at| from.get(at..)).unwrap_or(&[]);
    let part = from.get(..len).unwrap_or(from);
    out.extend_from_slice(part);
    part.len()
}

/// Reads records in order, many at a time.
#[derive(Debug, Default)]
pub struct Window {
    at: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The record that starts there; `None` when it can not be read.
    pub fn record(&mut self, spool: &Spool, at: u64) -> Option<&[u8]> {
        let head = self.stretch(spool, at, super::record::HEAD)?;
        let total = super::record::Head::read(head)?.total;
        self.stretch(spool, at, total)
    }

    fn stretch(&mut self, spool: &Spool, at: u64, len: usize) -> Option<&[u8]> {
        if self.part(at, len).is_none() {
            self.at = at;
            self.bytes.clear();
            // After a giant, back to a usual size.
            if self.bytes.capacity() > 4 * BUFFER {
                self.bytes = Vec::new();
            }
            spool.read(at, len.max(BUFFER), &mut self.bytes).ok()?;
        }
        self.part(at, len)
    }

    fn part(&self, at: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_appended_is_read_whether_written_or_not() {
        let spool = Spool::new().unwrap();
        let piece: Vec<u8> = (0..=250).collect();
        let mut places = vec![];
        for _ in 0..(3 * BUFFER / piece.len()) {
            places.push(spool.append(&piece).unwrap());
        }
        assert!(spool.lock().written > 0);
        assert!(!spool.lock().pending.is_empty());
        for at in places {
            let mut out = vec![];
            spool.read(at, piece.len(), &mut out).unwrap();
            assert_eq!(out, piece);
        }
        let mut all = vec![];
        spool.read(0, usize::MAX, &mut all).unwrap();
        assert_eq!(all.len() as u64, spool.len());
    }
}
