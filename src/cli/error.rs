//! Why a command can not go on, and the one printer of errors.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::screen::complain;
use crate::capture::CaptureError;
use crate::filter::FilterError;
use crate::sink::escape::Escaped;

/// Why a command can not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// What was typed makes no sense together.
    #[error("{message}")]
    Usage { message: Cow<'static, str>, hint: &'static str },
    /// A word that names nothing.
    #[error("{message}")]
    Unknown { message: String, hint: String },
    /// A capture can not be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The display filter does not parse; draws itself over several lines.
    #[error("{0}")]
    DisplayFilter(FilterError),
    /// The file for -w can not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The file of --keylog can not be read.
    #[error("cannot read the key log {}: {source}", .path.display())]
    KeyLog { path: PathBuf, source: io::Error },
    /// Privileges can not be given up.
    #[error(transparent)]
    Privilege(crate::privilege::PrivilegeError),
    /// What listens is not told.
    #[error("cannot list listening ports: {0}")]
    Listening(#[source] io::Error),
    /// Standard output can not be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
}

impl CliError {
    /// Wrong usage that clap can not know of.
    pub(super) fn usage(message: impl Into<Cow<'static, str>>, hint: &'static str) -> Self {
        Self::Usage { message: message.into(), hint }
    }

    /// In one line, harmless, with what to try.
    pub(super) fn line(&self) -> String {
        let hint = self.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        Escaped(&format!("{self}{hint}")).to_string()
    }

    /// Prints it, and gives the exit status.
    pub(super) fn report(&self) -> ExitCode {
        complain(&self.lines());
        ExitCode::from(2)
    }

    /// As it is printed.
    pub(super) fn lines(&self) -> String {
        lines(&self.to_string(), self.hint().as_deref())
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some((*hint).to_owned()),
            Self::Unknown { hint, .. } => Some(hint.clone()),
            Self::Capture(error) => error.hint(),
            _ => None,
        }
    }
}

/// Prints why an input could not be read whole; the run went on without the rest.
pub(super) fn unread(error: &CaptureError) {
    complain(&unread_lines(error));
}

/// The same, to be printed later.
pub(super) fn unread_lines(error: &CaptureError) -> String {
    lines(&error.to_string(), error.hint().as_deref())
}

/// Prints what clap has to say: help to standard output, complaints to standard error.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if error.use_stderr() => ExitCode::from(2),
        // A closed pipe behind `--help | head` is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => CliError::Output(error).report(),
        _ => ExitCode::SUCCESS,
    }
}

/// `wstap: what is wrong`, and below it, indented, what to try.
fn lines(message: &str, hint: Option<&str>) -> String {
    let mut text = format!("wstap: {}", harmless(message));
    if let Some(hint) = hint {
        text.push_str("\n  ");
        text.push_str(&harmless(hint));
    }
    text
}

/// Our own line feeds stay; what a file name or a filter brought along is escaped.
fn harmless(text: &str) -> String {
    text.lines().map(|line| Escaped(line).to_string()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line_and_a_hint() {
        assert_eq!(lines("no such file", None), "wstap: no such file");
        assert_eq!(lines("a\x1b[2J", Some("b")), "wstap: a\\x1b[2J\n  b");
    }
}
