//! `wstap stats`: how much, how fast, how it ended; per connection and in total.

use std::io;
use std::num::NonZeroUsize;

use clap::{Args as ClapArgs, ValueEnum};

use super::Found;
use super::args::{LookArgs, ReadArgs};
use super::error::CliError;
use super::options::{ReadOptions, paint, verbosity};
use super::run::{Ran, run};
use super::screen::Screen;
use super::select::Chosen;
use crate::sink::stats::{Sort, StatsOptions, StatsSink};

/// Arguments of `stats`.
#[derive(Debug, Clone, ClapArgs)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    read: ReadArgs,

    #[command(flatten)]
    look: LookArgs,

    /// NDJSON: a line for each connection as it ends, and one for all
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Read payloads too: lengths after inflating, compression gained, notes on payloads
    #[arg(long, help_heading = "Output")]
    inflate: bool,

    /// What connections are sorted by
    #[arg(long, value_name = "BY", default_value = "number", help_heading = "Output")]
    sort: SortArg,
}

/// What connections are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum SortArg {
    /// Order of first appearance
    #[default]
    Number,
    /// Most messages first
    Messages,
    /// Most payload bytes on the wire first
    Bytes,
    /// Longest first
    Duration,
    /// Worst first
    Notes,
}

pub(super) fn stats(mut args: StatsArgs) -> Result<Found, CliError> {
    // Counting, and inflating only to count, is done with before another core could take it over.
    args.read.jobs = args.read.jobs.or(Some(NonZeroUsize::MIN));
    let screen = Screen::of_stdout();
    let options = StatsOptions {
        json: args.json,
        inflate: args.inflate,
        sort: match args.sort {
            SortArg::Number => Sort::Number,
            SortArg::Messages => Sort::Messages,
            SortArg::Bytes => Sort::Bytes,
            SortArg::Duration => Sort::Duration,
            SortArg::Notes => Sort::Notes,
        },
        width: Some(screen.reading_width()),
        paint: paint(args.look.color, &screen),
        verbosity: verbosity(args.look),
    };
    let mut read = ReadOptions::try_from(args.read)?;
    let chosen = Chosen::by(&mut read);
    let Ran { found, .. } = run(read, StatsSink::of(io::stdout(), options, chosen))?;
    Ok(found)
}
