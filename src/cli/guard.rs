//! What a live capture does between opening and its first packet: the helper that looks for
//! processes is started, then every privilege given up.
//!
//! Gets: options, the opened feed and file. Gives: the [`Finder`], or none. Keeps: nothing.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use super::Found;
use super::args::HelperArgs;
use super::error::CliError;
use super::options::{From, ReadOptions};
use super::screen::complain;
use crate::privilege::Keep;
use crate::process::{Finder, Owners};

/// Starts the helper, where there is something local to look for, and gives up all privileges but what
/// the options need and what is to be kept.
pub(super) fn live(options: &ReadOptions, keep: Keep) -> Result<Option<Finder>, CliError> {
    let From::Live(live) = &options.from else { return Ok(None) };
    let finder = finder(live.netns.as_ref(), &options.owners);
    if let Some(path) = &options.write {
        // Not there yet where it is one of a set.
        let _ = crate::privilege::hand_over(path);
    }
    give_up(options, keep)?;
    Ok(finder)
}

#[cfg(target_os = "linux")]
fn finder(netns: Option<&crate::capture::Netns>, owners: &Owners) -> Option<Finder> {
    let netns = netns.map(|netns| netns.path().into_os_string());
    let mut args = vec![std::ffi::OsStr::new(HELPER)];
    if let Some(path) = &netns {
        args.extend([std::ffi::OsStr::new("--netns"), path]);
    }
    match Finder::start(&args, owners.clone()) {
        Ok(finder) => Some(finder),
        Err(error) => {
            complain(&format!("wstap: processes are not looked up: {error}"));
            None
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn finder(_: Option<&crate::capture::Netns>, _: &Owners) -> Option<Finder> {
    None
}

/// Back to the user who called sudo, without capabilities, in a sandbox.
fn give_up(options: &ReadOptions, mut keep: Keep) -> Result<(), CliError> {
    let rotates = options.rotation.rotates();
    keep.write.extend(options.write.iter().filter(|_| rotates).map(|path| folder_of(path)));
    // One that is not there yet is waited for.
    let keylog = options.keylog.iter();
    keep.read.extend(keylog.map(|path| if path.exists() { path.clone() } else { folder_of(path) }));
    crate::privilege::give_up(&keep).map(drop).map_err(CliError::Privilege)
}

/// The folder of a file; that of no name is the current one.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    path.parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// The helper: answers until who asks is gone.
#[cfg(target_os = "linux")]
pub(super) fn helper(args: &HelperArgs) -> Result<Found, CliError> {
    if let Some(netns) = &args.netns {
        let entered = netns.enter();
        entered.map_err(|source| {
            CliError::Capture(crate::capture::CaptureError::Netns { netns: netns.clone(), source })
        })?;
    }
    crate::privilege::give_up_but_looking().map_err(CliError::Privilege)?;
    let (questions, mut answers) = (BufReader::new(std::io::stdin()), std::io::stdout());
    // Who asked is gone: nothing to complain of.
    let _ = crate::process::serve(questions, &mut answers);
    let _ = answers.flush();
    Ok(Found::Nothing)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn helper(_: &HelperArgs) -> Result<Found, CliError> {
    Ok(Found::Nothing)
}

/// The name of the helper's command.
pub(super) const HELPER: &str = "look-for-processes";
