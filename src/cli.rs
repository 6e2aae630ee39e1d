//! The command line: arguments to options, options to a run, errors to one line.
//!
//! Gets: the program's arguments. Gives: output, and the exit status. Keeps: nothing.
//!
//! ```text
//!  args (what was typed) -> options (what is used) -> command: print, check, explain, ...
//!                                                     run: feed -> [-w] -> pipeline -> [-Y] -> output
//! ```

mod args;
mod check;
mod diff;
mod error;
mod explain;
mod export;
mod feed;
mod generate;
mod guard;
mod interfaces;
mod keys;
mod load;
mod options;
mod print;
mod progress;
mod run;
mod save;
mod screen;
mod select;
mod several;
mod stats;
mod tui;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, Command};
use error::CliError;

/// What a command found out, apart from what it could not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing to complain of.
    Nothing,
    /// `check`: a note of severity error; `diff`: an alteration.
    Fault,
    /// An input could not be read whole; said already.
    Unread,
}

/// Runs the program with its arguments, its own name first.
pub fn main<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return error::usage(&error),
    };
    match dispatch(args) {
        Ok(Found::Nothing) => ExitCode::SUCCESS,
        Ok(Found::Fault) => ExitCode::from(1),
        Ok(Found::Unread) => ExitCode::from(2),
        Err(error) => error.report(),
    }
}

/// From command to function.
fn dispatch(args: Args) -> Result<Found, CliError> {
    let terminal = screen::Screen::of_stdout().terminal && std::io::stdin().is_terminal();
    match args.command {
        Some(Command::Print(args)) => print::print(args),
        Some(Command::Check(args)) => check::check(args),
        Some(Command::Diff(args)) => diff::diff(&args),
        Some(Command::Stats(args)) => stats::stats(args),
        Some(Command::Export(args)) => export::export(&args),
        Some(Command::Interfaces(args)) => interfaces::interfaces(args),
        Some(Command::Explain(args)) => explain::explain(&args),
        Some(Command::Completions(args)) => generate::completions(&args),
        Some(Command::Man(args)) => generate::man(&args),
        Some(Command::Helper(args)) => guard::helper(&args),
        // Nothing to read was named, and nobody is there to be asked: say what there is.
        None if args.print.read.names_no_source() && !terminal => {
            screen::put(&Args::command().render_long_help().to_string())?;
            Ok(Found::Nothing)
        }
        None if screen::Screen::of_stdout().terminal => tui::tui(args.print),
        None => print::print(args.print),
    }
}
