//! `wstap FILE`, `wstap -i IFACE`, `wstap` in a terminal: the terminal UI.

use std::path::PathBuf;

use super::Found;
use super::args::PrintArgs;
use super::error::CliError;
use super::feed::Feed;
use super::guard::folder_of;
use super::keys;
use super::load::{self, Faults};
use super::options::{From, ReadOptions};
use super::run::{self, Opened};
use super::save::Saver;
use super::screen::complain;
use crate::capture::{FileOrder, Input, Rotation};
use crate::privilege::Keep;
use crate::tui::pick::Offer;
use crate::tui::tape::{FOLDER, Recorded, Tape};
use crate::tui::theme::Palette;
use crate::tui::{Ended, Picker, Session, TuiError};

/// Opens what was named, and shows it.
pub(super) fn tui(args: PrintArgs) -> Result<Found, CliError> {
    if args.read.names_no_source() {
        return choose(&args);
    }
    let filter = args.read.display_filter.clone();
    let options = ReadOptions::try_from(args.read)?;
    let feed = Feed::open_watched(&options)?;
    show(feed, options, filter)
}

/// Nothing was named: lets somebody choose interfaces, until they can be opened.
fn choose(args: &PrintArgs) -> Result<Found, CliError> {
    let palette = Palette::from_environment();
    let mut picker = Picker::new(Offer::now()?, palette, args.read.capture_filter.as_deref());
    loop {
        let Some(choice) = crate::tui::choose(&mut picker).map_err(failed)? else {
            return Ok(Found::Nothing);
        };
        let mut read = args.read.clone();
        (read.interfaces, read.capture_filter) = (choice.interfaces, choice.filter);
        let filter = read.display_filter.clone();
        let options = ReadOptions::try_from(read)?;
        match Feed::open_watched(&options) {
            Ok(feed) => return show(feed, options, filter),
            Err(error) => picker.warn(&error.line()),
        }
    }
}

/// Shows what was opened.
fn show(feed: Feed, options: ReadOptions, filter: Option<String>) -> Result<Found, CliError> {
    // What somebody else is still writing is watched as it comes, too.
    let live = feed.is_interface() || matches!(options.from, From::Follow(_));
    let folders = if feed.is_interface() { folders(&options) } else { Vec::new() };
    let keep = Keep {
        write: vec![PathBuf::from(FOLDER)],
        make: folders.clone(),
        // From there connections are saved.
        read: options.write.iter().cloned().collect(),
    };
    keys::load(&options)?;
    let opened = run::open(feed, &options, keep)?;
    let Kept { recording, recorded, inputs, order, unsaved } = Kept::of(&opened, &options)?;
    if let Some(recorded) = recorded.as_ref().filter(|_| unsaved) {
        // On the screen that is there again after a kill that nobody could do anything about.
        complain(&format!("wstap: recording to {}", recorded.path().display()));
    }
    let tape = Tape { inputs, order, before: 0, folders, limits: options.limits.clone() };
    let faults = Faults::default();
    let told = faults.clone();
    let capture_filter = match &options.from {
        From::Live(live) => live.filter.clone(),
        _ => None,
    };
    let session = Session {
        capture_filter,
        written: options.write.clone(),
        name: options.from.name(),
        live,
        tape,
        recorded,
        unsaved,
        owners: options.owners.clone(),
        palette: Palette::from_environment(),
        filter,
        load: Box::new(move |writer, loading| {
            load::load(opened, recording, options, writer, loading, &told);
        }),
    };
    let ended = crate::tui::run(session).map_err(failed)?;
    // On the screen it was told, and that is gone.
    let faults = faults.take();
    for lines in &faults {
        complain(lines);
    }
    match ended {
        Ended::Signal(Some(path)) => {
            complain(&format!("wstap: what was captured is in {}", path.display()));
            Ok(Found::Unread)
        }
        _ if faults.is_empty() => Ok(Found::Nothing),
        _ => Ok(Found::Unread),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn failed(error: TuiError) -> CliError {
    CliError::usage(error.to_string(), "try wstap print")
}

/// The folders in which somebody who watches a live capture may save files: where he is, and where -w
/// writes. Not the root, in which everything is.
fn folders(options: &ReadOptions) -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let written = options.write.as_deref().map(folder_of);
    let mut folders: Vec<PathBuf> =
        [here.clone()].into_iter().chain(written.map(|folder| here.join(folder))).collect();
    folders.dedup();
    folders.retain(|folder| folder.parent().is_some());
    folders
}

/// Where packets are kept, so that they can be read again.
struct Kept {
    /// What writes the file of our own.
    recording: Option<Saver>,
    recorded: Option<Recorded>,
    inputs: Vec<Input>,
    order: FileOrder,
    /// They are nowhere else.
    unsaved: bool,
}

impl Kept {
    fn of(opened: &Opened, options: &ReadOptions) -> Result<Self, CliError> {
        let order = FileOrder::AsWritten;
        let nowhere =
            Self { recording: None, recorded: None, inputs: Vec::new(), order, unsaved: false };
        if let From::Inputs(inputs) = &options.from
            && opened.feed.lasts()
        {
            return Ok(Self { inputs: inputs.clone(), order: options.order, ..nowhere });
        }
        if let Some(path) = options.write.as_ref().filter(|_| !options.rotation.rotates()) {
            return Ok(Self { inputs: vec![Input::Path(path.clone())], ..nowhere });
        }
        let recorded = Recorded::new().map_err(|error| failed(error.into()))?;
        let path = recorded.path().to_owned();
        let recording = Saver::create(&path, Rotation::default(), &opened.feed, &options.keys)?;
        // What is followed, or saved in a set, is there without us.
        let elsewhere = matches!(options.from, From::Follow(_)) || options.write.is_some();
        Ok(Self {
            recording: Some(recording),
            recorded: Some(recorded),
            inputs: vec![Input::Path(path)],
            order,
            unsaved: !elsewhere,
        })
    }
}
