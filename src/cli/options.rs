//! What was typed, made into what is used: checked once, then plain values.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{ColorWhen, FormatArg, LookArgs, PrintArgs, ReadArgs, TimeArg};
use super::error::CliError;
use super::keys::Keys;
use super::screen::Screen;
use crate::capture::{Bound, FileOrder, Input, LiveOptions, Rotation};
use crate::filter::Filter;
use crate::limits::Limits;
use crate::process::Owners;
use crate::sink::check::Format;
use crate::sink::paint::Paint;
use crate::sink::text::{TextOptions, TimeFormat, Verbosity};

/// What is read, and when to stop.
#[derive(Debug)]
pub(super) struct ReadOptions {
    pub(super) from: From,
    /// In which order the packets of files are given.
    pub(super) order: FileOrder,
    pub(super) display_filter: Option<Filter>,
    pub(super) write: Option<PathBuf>,
    pub(super) rotation: Rotation,
    pub(super) stop: Stop,
    pub(super) stop_on: Option<Filter>,
    pub(super) on_match: Option<Filter>,
    /// Where the processes at the ends of connections will be known.
    pub(super) owners: Owners,
    pub(super) limits: Limits,
    pub(super) keylog: Option<PathBuf>,
    /// What TLS is read with.
    pub(super) keys: Keys,
    /// Threads asked for.
    pub(super) jobs: Option<NonZeroUsize>,
}

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Stop {
    pub(super) packets: Option<u64>,
    pub(super) duration: Option<Duration>,
    pub(super) bytes: Option<u64>,
}

/// Where packets come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Files or standard input.
    Inputs(Vec<Input>),
    /// Interfaces.
    Live(LiveOptions),
    /// A file that is still being written, and those that follow it.
    Follow(PathBuf),
}

impl From {
    /// This file is among what is read: written to, it would be lost before it is read.
    pub(super) fn reads(&self, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return false };
        let same = |path: &Path| path.canonicalize().is_ok_and(|path| path == file);
        let read = match self {
            Self::Inputs(inputs) => inputs.iter().any(|input| match input {
                Input::Path(path) => same(path),
                Input::Stdin => false,
            }),
            Self::Follow(path) => same(path),
            Self::Live(_) => false,
        };
        read && file.is_file()
    }

    /// The name that results point to.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Inputs(inputs) => {
                inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            Self::Live(live) => live.interfaces.join(" "),
            Self::Follow(path) => Input::Path(path.clone()).to_string(),
        }
    }
}

impl TryFrom<ReadArgs> for ReadOptions {
    type Error = CliError;

    fn try_from(args: ReadArgs) -> Result<Self, CliError> {
        let mut limits = Limits::default();
        if let Some(bytes) = args.max_message {
            limits.message_bytes = bytes;
            limits.inflate_bytes = limits.inflate_bytes.max(bytes);
        }
        if args.write.as_ref().is_some_and(|path| path.as_os_str() == "-") {
            return Err(CliError::usage(
                "-w - would mix packets with the lines on standard output",
                "name a file",
            ));
        }
        let from = from(&args)?;
        // Rotated files have names of their own.
        if args.rotation.is_empty() && args.write.as_ref().is_some_and(|path| from.reads(path)) {
            return Err(CliError::usage("-w names one of the inputs", "name another file"));
        }
        let filter = |text: &Option<String>| {
            text.as_deref().map(Filter::parse).transpose().map_err(CliError::DisplayFilter)
        };
        Ok(Self {
            display_filter: filter(&args.display_filter)?,
            stop_on: filter(&args.stop_on)?,
            on_match: filter(&args.on_match)?,
            from,
            order: FileOrder::default(),
            write: args.write,
            rotation: Rotation { most: most_files(&args.autostop), ..rotation(&args.rotation)? },
            stop: stop(args.count, &args.autostop),
            owners: Owners::default(),
            limits,
            keylog: args.keylog,
            keys: Keys::default(),
            jobs: args.jobs,
        })
    }
}

/// `-b`, several times: without something that begins a next file there is no set to keep.
fn rotation(bounds: &[Bound]) -> Result<Rotation, CliError> {
    let mut rotation = Rotation::default();
    for bound in bounds {
        rotation.set(*bound);
    }
    if !bounds.is_empty() && !rotation.rotates() {
        return Err(CliError::usage(
            "-b files:N alone begins no next file",
            "add -b duration:SECONDS, -b filesize:KB or -b packets:N",
        ));
    }
    Ok(rotation)
}

/// `-c` and `-a`, several times.
fn stop(count: Option<u64>, bounds: &[Bound]) -> Stop {
    let mut stop = Stop { packets: count, ..Stop::default() };
    for bound in bounds {
        match *bound {
            Bound::Duration(duration) => stop.duration = Some(duration),
            Bound::Bytes(bytes) => stop.bytes = Some(bytes),
            Bound::Packets(packets) => {
                stop.packets = Some(stop.packets.map_or(packets, |count| count.min(packets)));
            }
            // Whoever writes them knows: [`most_files`].
            Bound::Files(_) => {}
        }
    }
    stop
}

/// `-a files:N`.
fn most_files(bounds: &[Bound]) -> Option<u64> {
    let files = |bound: &Bound| match *bound {
        Bound::Files(files) => Some(files as u64),
        _ => None,
    };
    bounds.iter().rev().find_map(files)
}

fn from(args: &ReadArgs) -> Result<From, CliError> {
    if !args.interfaces.is_empty() || args.netns.is_some() {
        return live(args).map(From::Live);
    }
    for (given, flag) in [
        (args.capture_filter.is_some(), "-f"),
        (args.snaplen.is_some(), "-s"),
        (args.buffer_mib.is_some(), "-B"),
    ] {
        if given {
            return Err(CliError::usage(
                format!("{flag} is for live capture, and no interface is named"),
                "name one with -i; to select from a file, use -Y",
            ));
        }
    }
    if let Some(path) = &args.follow {
        if !args.words.is_empty() {
            return Err(CliError::usage(
                "-F follows one file, and others are named too",
                "name the first file of a set: the next ones are followed",
            ));
        }
        return Ok(From::Follow(path.clone()));
    }
    if args.words.is_empty() {
        return Err(CliError::usage(
            "nothing to read: no file and no interface",
            "name a capture file, - for standard input, or an interface: -i lo",
        ));
    }
    let inputs: Vec<Input> =
        args.words.iter().cloned().map(|word: OsString| Input::from(word)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(CliError::usage(
            "standard input is named twice, and can be read only once",
            "name - once; of the other captures, their files",
        ));
    }
    Ok(From::Inputs(inputs))
}

/// With -i, trailing words are a capture filter, as tcpdump has it.
fn live(args: &ReadArgs) -> Result<LiveOptions, CliError> {
    let mut options = LiveOptions::on(args.interfaces.iter().cloned());
    options.netns.clone_from(&args.netns);
    if options.interfaces.is_empty() {
        // A container has a loopback and an interface or two: all of them.
        options.interfaces.push("any".to_owned());
    }
    let words: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
    options.filter = match (&args.capture_filter, words.as_slice()) {
        (Some(_), [_, ..]) => {
            return Err(CliError::usage(
                "a capture filter both behind -f and as trailing words",
                "keep one of them; a file can not be read together with an interface",
            ));
        }
        (Some(filter), []) => Some(filter.clone()),
        (None, []) => None,
        (None, words) => Some(words.join(" ")),
    };
    if let Some(bytes) = args.snaplen.filter(|bytes| *bytes > 0) {
        options.snaplen = bytes;
    }
    if let Some(mib) = args.buffer_mib {
        let mib = usize::try_from(mib).unwrap_or(usize::MAX);
        // libpcap takes an int.
        options.buffer_bytes = mib.saturating_mul(1 << 20).clamp(1 << 16, 2047 << 20);
    }
    Ok(options)
}

/// How lines for people look on this screen.
pub(super) fn text_options(args: &PrintArgs, screen: &Screen) -> TextOptions {
    TextOptions {
        width: Some(screen.width),
        paint: paint(args.look.color, screen),
        verbosity: verbosity(args.look),
        time: match args.time {
            TimeArg::A => TimeFormat::Clock,
            TimeArg::Ad => TimeFormat::Date,
            TimeArg::D => TimeFormat::Delta,
            TimeArg::E => TimeFormat::Epoch,
            TimeArg::R => TimeFormat::Relative,
            TimeArg::U => TimeFormat::UtcClock,
            TimeArg::Ud => TimeFormat::UtcDate,
        },
        frames: args.frames,
    }
}

pub(super) fn paint(when: ColorWhen, screen: &Screen) -> Paint {
    let colour = match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => screen.terminal && !screen.no_color,
    };
    if colour { Paint::Colour } else { Paint::Plain }
}

pub(super) const fn verbosity(look: LookArgs) -> Verbosity {
    match (look.quiet, look.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    }
}

pub(super) const fn format(arg: FormatArg, json: bool) -> Format {
    match arg {
        _ if json => Format::Json,
        FormatArg::Text => Format::Text,
        FormatArg::Json => Format::Json,
        FormatArg::Sarif => Format::Sarif,
        FormatArg::Junit => Format::Junit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(words: &[&str]) -> ReadArgs {
        ReadArgs { words: words.iter().map(OsString::from).collect(), ..ReadArgs::default() }
    }

    #[test]
    fn words_are_files_and_a_dash_is_standard_input() {
        let options = ReadOptions::try_from(files(&["a.pcap", "-"])).unwrap();
        assert_eq!(options.from, From::Inputs(vec!["a.pcap".into(), Input::Stdin]));
        assert_eq!(options.from.name(), "a.pcap standard input");
    }

    #[test]
    fn with_an_interface_words_are_a_filter() {
        let args = ReadArgs {
            interfaces: vec!["lo".into()],
            buffer_mib: Some(64),
            snaplen: Some(0),
            ..files(&["tcp", "port", "8088"])
        };
        let From::Live(live) = ReadOptions::try_from(args.clone()).unwrap().from else {
            panic!("not live")
        };
        assert_eq!(live.filter.as_deref(), Some("tcp port 8088"));
        assert_eq!((live.buffer_bytes, live.snaplen), (64 << 20, 262_144));
        let both = ReadArgs { capture_filter: Some("tcp".into()), ..args };
        assert!(ReadOptions::try_from(both).is_err());
    }

    #[test]
    fn a_message_limit_reaches_inflating_too() {
        let args = ReadArgs { max_message: Some(256 << 20), ..files(&["a"]) };
        let limits = ReadOptions::try_from(args).unwrap().limits;
        assert_eq!((limits.message_bytes, limits.inflate_bytes), (256 << 20, 256 << 20));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad = [
            files(&[]),
            ReadArgs { capture_filter: Some("tcp".into()), ..files(&["a"]) },
            ReadArgs { write: Some("-".into()), ..files(&["a"]) },
            ReadArgs { display_filter: Some("len ==".into()), ..files(&["a"]) },
        ];
        for args in bad {
            assert!(ReadOptions::try_from(args.clone()).is_err(), "{args:?}");
        }
    }

    #[test]
    fn colour_is_for_terminals_unless_told_otherwise() {
        let terminal = Screen { terminal: true, no_color: false, width: 80 };
        let pipe = Screen { terminal: false, ..terminal };
        let no_color = Screen { no_color: true, ..terminal };
        assert_eq!(paint(ColorWhen::Auto, &terminal), Paint::Colour);
        assert_eq!(paint(ColorWhen::Auto, &pipe), Paint::Plain);
        assert_eq!(paint(ColorWhen::Auto, &no_color), Paint::Plain);
        assert_eq!(paint(ColorWhen::Always, &pipe), Paint::Colour);
        assert_eq!(paint(ColorWhen::Never, &terminal), Paint::Plain);
    }
}
