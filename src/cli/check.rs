//! `wstap check`: a verdict for each connection.

use std::io;

use super::Found;
use super::args::CheckArgs;
use super::error::CliError;
use super::options::{ReadOptions, format, paint, verbosity};
use super::run::{Ran, run};
use super::screen::Screen;
use super::select::Chosen;
use crate::sink::Output;
use crate::sink::check::{CheckOptions, CheckSink};

pub(super) fn check(args: CheckArgs) -> Result<Found, CliError> {
    let screen = Screen::of_stdout();
    let mut read = ReadOptions::try_from(args.read)?;
    let options = CheckOptions {
        format: format(args.format, args.json),
        width: Some(screen.reading_width()),
        paint: paint(args.look.color, &screen),
        verbosity: verbosity(args.look),
        capture: read.from.name(),
    };
    let chosen = Chosen::by(&mut read);
    let Ran { output, found } = run(read, CheckSink::of(io::stdout(), options, chosen))?;
    Ok(match found {
        Found::Nothing if output.tally().errors > 0 => Found::Fault,
        found => found,
    })
}
