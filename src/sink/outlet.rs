//! The way out: one large buffer in front of a writer.
//!
//! Gets: lines appended to the buffer. Gives: big writes. Keeps: the buffer, and why writing ended.
//! A closed pipe ends the run silently; any other failure is told by [`Outlet::finish`].

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// Bytes gathered before a write. Large enough that the system call does not count, small enough
/// to stay in the second-level cache.
const GATHER: usize = 256 << 10;

/// Room that is kept after a write: that of usual large messages, so that it is not asked of the system
/// again for each of them, but not that of one of 64 MiB for the rest of the run.
const KEPT: usize = 4 << 20;

/// A buffer that a sink appends whole lines to.
pub struct Outlet<W> {
    buf: Vec<u8>,
    writer: W,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// The reader has gone.
    Closed,
    Failed(io::Error),
}

impl<W: Write> Outlet<W> {
    /// In front of a writer.
    pub fn new(writer: W) -> Self {
        Self { buf: Vec::with_capacity(GATHER + (GATHER >> 2)), writer, state: State::Open }
    }

    /// Where the next line goes.
    pub const fn buf(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// After whole lines: writes when enough has gathered.
    pub fn line_done(&mut self) -> ControlFlow<()> {
        if self.buf.len() < GATHER { ControlFlow::Continue(()) } else { self.flush() }
    }

    /// Writes everything gathered; `Break` once the output takes no more.
    pub fn flush(&mut self) -> ControlFlow<()> {
        if matches!(self.state, State::Open) {
            let written = self.writer.write_all(&self.buf).and_then(|()| self.writer.flush());
            if let Err(error) = written {
                self.state = match error.kind() {
                    io::ErrorKind::BrokenPipe => State::Closed,
                    _ => State::Failed(error),
                };
            }
        }
        self.buf.clear();
        self.buf.shrink_to(KEPT);
        match self.state {
            State::Open => ControlFlow::Continue(()),
            State::Closed | State::Failed(_) => ControlFlow::Break(()),
        }
    }

    /// Writes everything, and says whether all of it got out.
    ///
    /// # Errors
    /// What the writer said first. A closed pipe is none.
    pub fn finish(&mut self) -> io::Result<()> {
        // The state says the same as the flow here.
        let _ = self.flush();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Failed(error) => Err(error),
            State::Open => {
                self.state = State::Open;
                Ok(())
            }
            State::Closed => Ok(()),
        }
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W> fmt::Debug for Outlet<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("gathered", &self.buf.len())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts writes, and fails from the second on.
    struct Fails(u32, io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(self.1.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn small_lines_are_written_together() {
        let mut out = Outlet::new(Vec::new());
        for _ in 0..1000 {
            out.buf().extend_from_slice(b"line\n");
            assert!(out.line_done().is_continue());
        }
        assert!(out.writer.is_empty());
        out.finish().unwrap();
        assert_eq!(out.into_inner().len(), 5000);
    }

    #[test]
    fn a_closed_pipe_breaks_and_is_no_error() {
        let mut out = Outlet::new(Fails(0, io::ErrorKind::BrokenPipe));
        out.buf().push(b'a');
        assert!(out.flush().is_continue());
        out.buf().push(b'b');
        assert!(out.flush().is_break());
        assert!(out.flush().is_break(), "remembered");
        assert!(out.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_told_at_the_end() {
        let mut out = Outlet::new(Fails(1, io::ErrorKind::StorageFull));
        out.buf().push(b'a');
        assert!(out.flush().is_break());
        assert_eq!(out.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_huge_line_gives_its_room_back() {
        let mut out = Outlet::new(io::sink());
        out.buf().resize(32 << 20, b'x');
        assert!(out.line_done().is_continue());
        assert!(out.buf().capacity() <= KEPT);
    }
}
