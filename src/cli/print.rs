//! `wstap print`: one line an event.

use std::io;

use super::Found;
use super::args::PrintArgs;
use super::error::CliError;
use super::options::{ReadOptions, text_options};
use super::run::run;
use super::screen::Screen;
use crate::sink::json::JsonSink;
use crate::sink::text::TextSink;

pub(super) fn print(args: PrintArgs) -> Result<Found, CliError> {
    let text = text_options(&args, &Screen::of_stdout());
    let (json, frames) = (args.json, args.frames);
    let options = ReadOptions::try_from(args.read)?;
    if json {
        let sink = JsonSink::new(io::stdout(), frames).with_owners(options.owners.clone());
        run(options, sink).map(|ran| ran.found)
    } else {
        let sink = TextSink::new(io::stdout(), text).with_owners(options.owners.clone());
        run(options, sink).map(|ran| ran.found)
    }
}
