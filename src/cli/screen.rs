//! What standard output is, and text put there.

use std::io::{self, IsTerminal, Write};

use super::error::CliError;

/// Columns for what goes into a pipe or a file: `grep` should find what is far to the right, and a
/// message of megabytes should not be one line. `-v` shows all.
const NO_TERMINAL: usize = 1000;

/// Where lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    /// Standard output is a terminal.
    pub(super) terminal: bool,
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub(super) no_color: bool,
    /// Columns.
    pub(super) width: usize,
}

impl Screen {
    /// As standard output and the environment are.
    pub(super) fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        // Some shells say 0 where they do not know.
        let set = set.filter(|&columns| columns > 0);
        let width = set.unwrap_or_else(|| if terminal { terminal_width() } else { NO_TERMINAL });
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, no_color, width: width.max(40) }
    }

    /// Columns for running text: wide lines are hard to read.
    pub(super) fn reading_width(self) -> usize {
        if self.width == NO_TERMINAL { 80 } else { self.width.min(100) }
    }
}

fn terminal_width() -> usize {
    columns(crossterm::terminal::size().ok())
}

/// Columns of a terminal; what does not know says 0.
fn columns(size: Option<(u16, u16)>) -> usize {
    size.map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0).unwrap_or(80)
}

/// Writes text to standard output. A closed pipe is no error: the reader had enough.
pub(super) fn put(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. Where that fails there is nobody left to tell.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_does_not_know_its_width_has_80_columns() {
        assert_eq!([None, Some((0, 0)), Some((132, 24))].map(columns), [80, 80, 132]);
    }
}
