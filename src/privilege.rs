//! Privileges given up, once the capture handle is open and before the first packet is parsed.
//!
//! Gets: what the program still has to write. Gives: nothing back, for good: the user who called
//! sudo, no capabilities, no way to new ones, and where the kernel has Landlock a sandbox in which
//! only that can be written, and next to nothing be read. Keeps: nothing.
//!
//! | started as | goes on as |
//! |---|---|
//! | root by sudo, doas or pkexec | the user who called it, with his groups |
//! | a program that is setuid root | the user who started it |
//! | root himself | root without capabilities, in the sandbox; where there is none and nothing is to be written, `nobody` |
//! | a user, with capabilities of the file (`setcap`) | the same user without them |
//!
//! Open handles stay open: the capture, output that was begun. Threads that were started before keep
//! what they have (capabilities and sandbox are a thread's), so there must be none yet.

use std::path::PathBuf;

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::{give_up, give_up_but_looking, hand_over};

/// What is still needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// Folders in which files are still to be made, changed or removed. Those for temporary files
    /// need not be named.
    pub write: Vec<PathBuf>,
    /// Folders in which files are still to be made, and none be read.
    pub make: Vec<PathBuf>,
    /// Files and folders that are still to be opened for reading.
    pub read: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The user whose rights are left.
    pub user: u32,
    /// Is the rest in a sandbox.
    pub sandbox: bool,
}

/// Why privileges could not be given up: nothing must be parsed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// The user can not be changed.
    #[error("cannot give up the rights of root: {0}")]
    User(#[source] std::io::Error),
    /// Capabilities can not be dropped.
    #[error("cannot drop capabilities: {0}")]
    Capabilities(#[source] std::io::Error),
    /// The sandbox can not be entered, although the kernel has one.
    #[error("cannot enter the sandbox: {0}")]
    Sandbox(String),
}

/// The file stays whose it is.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn hand_over(_: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// Elsewhere than on Linux only the user is left as he is: libpcap's device is all that was open.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn give_up(_: &Keep) -> Result<Left, PrivilegeError> {
    Ok(Left { user: 0, sandbox: false })
}
