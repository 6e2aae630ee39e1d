//! `wstap FILE`, `wstap -i IFACE` in a terminal: the terminal UI.

use super::Found;
use super::args::PrintArgs;
use super::error::CliError;
use super::options::{From, ReadOptions};
use super::screen::complain;
use crate::capture::{self, Input, LiveSource};
use crate::tui::theme::Palette;
use crate::tui::{Ended, Packets, Session, run};

/// Opens what was named, and shows it.
pub(super) fn tui(args: PrintArgs) -> Result<Found, CliError> {
    let filter = args.read.display_filter.clone();
    let options = ReadOptions::try_from(args.read)?;
    let name = options.from.name();
    let (packets, inputs) = match options.from {
        From::Live(live) => (Packets::Live(Box::new(LiveSource::open(&live)?)), Vec::new()),
        From::Follow(_) => {
            return Err(CliError::usage(
                "the terminal UI does not follow a growing file",
                "wstap print -F FILE does",
            ));
        }
        From::Inputs(inputs) => {
            let source =
                Box::new(capture::open(&inputs, &options.limits, &capture::Options::default())?);
            let file = |input: &Input| match input {
                Input::Path(path) => std::fs::metadata(path).is_ok_and(|data| data.is_file()),
                Input::Stdin => false,
            };
            if inputs.iter().all(file) {
                (Packets::Files(source), inputs)
            } else {
                (Packets::Pipe(source), Vec::new())
            }
        }
    };
    let palette = Palette::from_environment();
    let session = Session { packets, name, inputs, limits: options.limits, palette, filter };
    match run(session).map_err(|error| CliError::usage(error.to_string(), "try wstap print"))? {
        Ended::Signal(Some(path)) => {
            complain(&format!("wstap: what was captured is in {}", path.display()));
            Ok(Found::Unread)
        }
        _ => Ok(Found::Nothing),
    }
}
