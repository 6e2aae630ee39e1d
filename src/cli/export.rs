//! `wstap export`: connections as other programs read them.

use std::fs;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};

use super::Found;
use super::args::ReadArgs;
use super::error::CliError;
use super::feed::{Feed, Next};
use super::keys::Keys;
use super::options::{From, ReadOptions, Stop};
use super::run::{Ran, run};
use super::screen::complain;
use super::select::Chosen;
use crate::capture::{self, FileOrder, Input, InterfaceId, PcapngWriter, Rotation};
use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::pipeline::Pipeline;
use crate::process::Owners;
use crate::sink::export::csv::Cells;
use crate::sink::export::payloads::{INDEX, PayloadOptions};
use crate::sink::export::survey::Nothing;
use crate::sink::export::{CsvSink, HarSink, PayloadSink, Survey, Target};
use crate::sink::json::JsonSink;
use crate::sink::text::{counted, unopened};
use crate::sink::{Output, Summary, Tally};
use crate::units::Timestamp;

/// Arguments of `export`.
#[derive(Debug, Clone, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "a flag each, as typed")]
pub(super) struct ExportArgs {
    /// What to write
    #[arg(long, value_name = "FORMAT")]
    to: FormatArg,

    /// Where to: a file (`-` for standard output), for payloads a folder
    #[arg(short = 'o', long = "output", value_name = "PATH")]
    output: PathBuf,

    /// Replace what is there
    #[arg(long)]
    force: bool,

    /// ndjson: a line for each frame too
    #[arg(long)]
    frames: bool,

    /// payloads: pings, pongs and Close frames too
    #[arg(long)]
    control: bool,

    /// csv: text exactly as sent, even where a spreadsheet takes it for a formula
    ///
    /// Without this, control characters are spelled out (`\n`, `\x1b`; a backslash stays as it is), and what
    /// begins like a formula has an apostrophe in front.
    #[arg(long)]
    verbatim: bool,

    #[command(flatten)]
    read: ReadArgs,
}

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// HAR 1.2 with WebSocket messages, as browsers export it
    Har,
    /// The packets of the connections, notes as comments
    Pcapng,
    /// The lines of print --json
    Ndjson,
    /// A folder with a file for each message
    Payloads,
    /// A line for each message, for spreadsheets
    Csv,
}

pub(super) fn export(args: &ExportArgs) -> Result<Found, CliError> {
    let mut read = ReadOptions::try_from(args.read.clone())?;
    check(args, &read)?;
    if args.to == FormatArg::Pcapng {
        return packets(args, read);
    }
    if args.to == FormatArg::Payloads {
        return payloads(args, read);
    }
    let target = target(args)?;
    match args.to {
        FormatArg::Har => {
            let chosen = Chosen::by(&mut read);
            write(args, read, HarSink::of(target, chosen), HarSink::into_inner)
        }
        FormatArg::Csv => {
            let chosen = Chosen::by(&mut read);
            let cells = if args.verbatim { Cells::Verbatim } else { Cells::Guarded };
            write(args, read, CsvSink::of(target, cells, chosen), CsvSink::into_inner)
        }
        _ => write(args, read, JsonSink::new(target, args.frames), JsonSink::into_inner),
    }
}

/// What can not be meant.
fn check(args: &ExportArgs, read: &ReadOptions) -> Result<(), CliError> {
    let for_one = [
        (args.frames, FormatArg::Ndjson, "--frames is for --to ndjson"),
        (args.control, FormatArg::Payloads, "--control is for --to payloads"),
        (args.verbatim, FormatArg::Csv, "--verbatim is for --to csv"),
    ];
    for (given, format, message) in for_one {
        if given && args.to != format {
            return Err(CliError::usage(message, "leave it out, or choose that format"));
        }
    }
    if is_stdout(&args.output) {
        if args.to == FormatArg::Payloads {
            return Err(CliError::usage("payloads need a folder", "name one: -o payloads/"));
        }
        let raw = args.to == FormatArg::Pcapng || args.verbatim;
        if raw && io::stdout().is_terminal() {
            return Err(CliError::usage(
                "this export is not for a terminal",
                "name a file behind -o, or send it into a pipe",
            ));
        }
    }
    if read.from.reads(&args.output) {
        return Err(CliError::usage("the output is one of the inputs", "name another file"));
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn target(args: &ExportArgs) -> Result<Target, CliError> {
    if is_stdout(&args.output) {
        return Ok(Target::stdout());
    }
    Target::file(&args.output, args.force).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => there_already(&args.output),
        _ => failed(&args.output, source),
    })
}

fn there_already(path: &Path) -> CliError {
    CliError::usage(
        format!("{} is there already", path.display()),
        "name another one, or replace it with --force",
    )
}

fn failed(path: &Path, source: io::Error) -> CliError {
    if is_stdout(path) {
        return CliError::Output(source);
    }
    CliError::Write { path: path.to_owned(), source }
}

/// Runs an output that leads to a target, and gives the file its name.
fn write<O: Output>(
    args: &ExportArgs,
    read: ReadOptions,
    output: O,
    into_target: impl FnOnce(O) -> Target,
) -> Result<Found, CliError> {
    let (inner, found) = kept(args, read, output)?;
    into_target(inner).keep().map_err(|error| failed(&args.output, error))?;
    Ok(found)
}

/// Runs an output, and says what it could not be told of: an export that is empty should not come as a
/// surprise.
fn kept<O: Output>(
    args: &ExportArgs,
    read: ReadOptions,
    output: O,
) -> Result<(O, Found), CliError> {
    let Ran { output: Kept { inner, error, unopened }, found } =
        run(read, Kept { inner: output, error: None, unopened: Vec::new() })?;
    if let Some(error) = error {
        return Err(failed(&args.output, error));
    }
    for line in unopened {
        // What would help stands indented below.
        complain(&if line.starts_with(' ') { line } else { format!("wstap: {line}") });
    }
    Ok((inner, found))
}

fn payloads(args: &ExportArgs, mut read: ReadOptions) -> Result<Found, CliError> {
    let chosen = Chosen::by(&mut read);
    if !args.force && args.output.join(INDEX).exists() {
        return Err(there_already(&args.output.join(INDEX)));
    }
    if let From::Inputs(inputs) = &read.from
        && inputs.iter().all(may_be_opened_twice)
    {
        // For an input that can not be read an earlier export is not given up.
        capture::open(inputs, &read.limits, &capture::Options::default())?;
    }
    let options = PayloadOptions { control: args.control, replace: args.force };
    let sink = PayloadSink::of(args.output.clone(), options, chosen)
        .map_err(|error| failed(&args.output, error))?;
    let (inner, found) = kept(args, read, sink)?;
    if inner.skipped() > 0 {
        complain(&format!(
            "wstap: {} over the limit, without a file; --max-message raises it",
            counted(inner.skipped(), "message"),
        ));
    }
    Ok(found)
}

/// Two passes: which connections, then their packets.
fn packets(args: &ExportArgs, mut read: ReadOptions) -> Result<Found, CliError> {
    let target = target(args)?;
    let chosen = Chosen::by(&mut read);
    // What can be read only once is saved on the way.
    let spool = match &read.from {
        From::Inputs(inputs) if read.stop.duration.is_none() && inputs.iter().all(is_file) => None,
        _ if read.write.is_some() => None,
        _ => Some(tempfile::NamedTempFile::new().map_err(|e| failed(&std::env::temp_dir(), e))?),
    };
    if let Some(spool) = &spool {
        read.write = Some(spool.path().to_owned());
    }
    let limits = read.limits.clone();
    let (from, order) = match (&read.from, &read.write) {
        (From::Inputs(inputs), write) if inputs.iter().all(is_file) && write.is_none() => {
            (From::Inputs(inputs.clone()), read.order)
        }
        (_, write) => {
            let written = write.iter().cloned().map(Input::Path).collect();
            (From::Inputs(written), FileOrder::AsWritten)
        }
    };
    let packets = read.stop.packets;
    let (survey, found) = kept(args, read, Survey::of(chosen))?;
    if survey.left_out() > 0 {
        complain(&format!("wstap: {} left out: too many", counted(survey.left_out(), "note")));
    }
    let second = ReadOptions {
        from,
        order,
        display_filter: None,
        write: None,
        rotation: Rotation::default(),
        stop: Stop { packets, ..Stop::default() },
        stop_on: None,
        on_match: None,
        owners: Owners::default(),
        limits,
        keylog: None,
        keys: Keys::default(),
        jobs: None,
    };
    copy(&second, &survey, target).map_err(|error| match error {
        Copy::Cli(error) => error,
        Copy::Write(source) => failed(&args.output, source),
    })?;
    Ok(found)
}

fn is_file(input: &Input) -> bool {
    matches!(input, Input::Path(path) if fs::metadata(path).is_ok_and(|m| m.is_file()))
}

/// A file, or what is not there.
fn may_be_opened_twice(input: &Input) -> bool {
    matches!(input, Input::Path(path) if fs::metadata(path).map_or(true, |there| there.is_file()))
}

/// Why the second pass stopped.
enum Copy {
    Cli(CliError),
    Write(io::Error),
}

impl std::convert::From<io::Error> for Copy {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// The second pass. It reads what the first one read, so it says nothing of what can not be read.
fn copy(read: &ReadOptions, survey: &Survey<Chosen>, target: Target) -> Result<(), Copy> {
    let mut feed = Feed::open(read).map_err(Copy::Cli)?;
    let mut pipeline = Pipeline::new(Nothing, read.limits.clone());
    let mut writer = PcapngWriter::new(target)?;
    let (mut described, mut secrets) = (0, 0);
    let mut seen = 0;
    while read.stop.packets.is_none_or(|limit| seen < limit) {
        let record = match feed.next() {
            Ok(Next::Packet(record)) => record,
            Ok(Next::Idle) | Err(_) => continue,
            Ok(Next::End) => break,
        };
        seen += 1;
        // It never breaks: nothing asks it to.
        let _ = pipeline.push(&record);
        if !survey.keeps(pipeline.whose()) {
            continue;
        }
        // As they stood before this packet.
        for secrets in read.keys.behind(&mut secrets) {
            writer.secrets(&secrets)?;
        }
        let comments = survey.comments(record.no);
        if usize::try_from(record.interface.0).is_ok_and(|place| place < described) {
            writer.write_commented(&record, &comments)?;
            continue;
        }
        // Seldom, once for each interface: what the feed lends must be given back before it can be
        // asked for its interfaces.
        let (bytes, header) =
            (record.bytes.to_vec(), capture::PacketRecord { bytes: &[], ..record });
        let interfaces = feed.interfaces();
        for (place, interface) in interfaces.iter().enumerate().skip(described) {
            writer.interface(InterfaceId(u32::try_from(place).unwrap_or(u32::MAX)), interface)?;
        }
        described = interfaces.len();
        writer.write_commented(&capture::PacketRecord { bytes: &bytes, ..header }, &comments)?;
    }
    writer.finish(&feed.interfaces())?.keep()?;
    Ok(())
}

/// An output whose failure to write is kept for us: it is not standard output's. So is what was not read.
struct Kept<O> {
    inner: O,
    error: Option<io::Error>,
    /// Connections that could not be read, in words.
    unopened: Vec<String>,
}

impl<O: Sink> Sink for Kept<O> {
    fn wants(&self) -> Wants {
        self.inner.wants()
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.inner.event(cx, event)
    }

    fn later(&self) -> Later {
        self.inner.later()
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        self.inner.drafted(cx, event, draft)
    }
}

impl<O: Output> Output for Kept<O> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.inner.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.inner.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        self.error = self.inner.finish(end).err();
        self.unopened = unopened(end);
        Ok(())
    }

    fn tally(&self) -> &Tally {
        self.inner.tally()
    }
}
