//! Arguments as they are typed. What they mean together is decided in [`super::options`].

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::capture::{Bound, Netns};

/// Wireshark for WebSockets, in a terminal.
///
/// Reads captures (pcap, pcapng; plain, gzip, zstd or lz4; told by content), standard input, or live
/// interfaces, and shows WebSocket handshakes and messages, what is wrong with them, and whose fault
/// it is.
#[derive(Debug, Parser)]
#[command(
    name = "wstap",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = EXAMPLES
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) print: PrintArgs,
}

const EXAMPLES: &str = "\
Examples:
  sudo wstap                            in a terminal: choose an interface, and watch
  wstap print capture.pcapng            what was said, one line an event
  wstap check capture.pcapng            what is wrong, and whose fault it is
  wstap diff proxied.pcapng             what a proxy between the two ends changed
  wstap print -i lo tcp port 8088       live, on loopback, as tcpdump takes filters
  ssh host tcpdump -U -w - | wstap -    what happens on another machine
  wstap explain accept-mismatch         what a note means, and how to fix it

Exit status: 0 done; 1 check found an error, or diff an alteration; 2 wrong usage, or an
input that could not be read whole (what could be read is printed all the same).";

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show handshakes and messages, one line an event
    Print(PrintArgs),
    /// Judge each connection: a verdict, its notes, and the handshake side by side
    Check(CheckArgs),
    /// Compare the legs of a proxy: what did it alter, lose, inject, delay
    Diff(DiffArgs),
    /// Count: messages, bytes, rates, round trips, per connection and in total
    Stats(super::stats::StatsArgs),
    /// Write connections to a file: HAR, pcapng, NDJSON, CSV, or a folder of payloads
    Export(super::export::ExportArgs),
    /// List what can be captured on, loopback first
    Interfaces(InterfacesArgs),
    /// Say what a note means, what causes it, and how to fix it; without CODE, list all
    Explain(ExplainArgs),
    /// Write the completions of a shell to standard output
    Completions(CompletionsArgs),
    /// Write the manual page to standard output
    Man(ManArgs),
    /// Answer whose sockets they are: started by a live capture, not by hand
    #[command(name = super::guard::HELPER, hide = true)]
    Helper(HelperArgs),
}

/// Arguments of the helper.
#[derive(Debug, ClapArgs)]
pub(super) struct HelperArgs {
    /// Look in this network namespace
    #[arg(long)]
    pub(super) netns: Option<Netns>,
}

/// What is read, and how much of it.
#[derive(Debug, Default, Clone, ClapArgs)]
pub(super) struct ReadArgs {
    /// Capture files (`-` for standard input), merged by time; with -i, words of a capture filter
    #[arg(value_name = "INPUT")]
    pub(super) words: Vec<OsString>,

    /// Capture live on this interface (`any` for all); may be given several times
    #[arg(short = 'i', long = "interface", value_name = "IFACE", help_heading = "Capture")]
    pub(super) interfaces: Vec<String>,

    /// Capture filter, in libpcap's language: 'tcp port 8088'
    #[arg(short = 'f', long = "filter", value_name = "BPF", help_heading = "Capture")]
    pub(super) capture_filter: Option<String>,

    /// Show only events that match, in Wireshark's manner: 'text contains "x" and conn == 3'
    #[arg(short = 'Y', long = "display-filter", value_name = "EXPR", help_heading = "Selection")]
    pub(super) display_filter: Option<String>,

    /// Also save the packets to a pcapng file
    #[arg(short = 'w', long = "write", value_name = "FILE", help_heading = "Capture")]
    pub(super) write: Option<PathBuf>,

    /// Stop after so many packets
    #[arg(short = 'c', long = "count", value_name = "N", help_heading = "Selection")]
    pub(super) count: Option<u64>,

    /// Bytes captured of each packet; 0 for all
    #[arg(short = 's', long = "snapshot-length", value_name = "LEN", help_heading = "Capture")]
    pub(super) snaplen: Option<u32>,

    /// Begin a next file after duration:SECONDS, filesize:KB or packets:N; keep the newest files:N
    #[arg(
        short = 'b',
        long = "ring-buffer",
        value_name = "COND",
        requires = "write",
        help_heading = "Capture"
    )]
    pub(super) rotation: Vec<Bound>,

    /// Follow a capture file that is still being written, and the files of its set
    #[arg(
        short = 'F',
        long = "follow",
        value_name = "FILE",
        help_heading = "Capture",
        conflicts_with = "interfaces"
    )]
    pub(super) follow: Option<PathBuf>,

    /// Capture in the network namespace of a process or container (its number), or of `ip netns`
    #[arg(long, value_name = "PID|NAME", help_heading = "Capture")]
    pub(super) netns: Option<Netns>,

    /// Stop after duration:SECONDS, filesize:KB, packets:N or files:N; may be given several times
    #[arg(short = 'a', long = "autostop", value_name = "COND", help_heading = "Selection")]
    pub(super) autostop: Vec<Bound>,

    /// Stop at the first event that matches
    #[arg(long, value_name = "EXPR", help_heading = "Selection")]
    pub(super) stop_on: Option<String>,

    /// Say so on standard error, with a bell, when an event matches
    #[arg(long, value_name = "EXPR", help_heading = "Selection")]
    pub(super) on_match: Option<String>,

    /// The kernel's buffer for each interface, in MiB
    #[arg(short = 'B', long = "buffer-size", value_name = "MIB", help_heading = "Capture")]
    pub(super) buffer_mib: Option<u32>,

    /// Bytes kept of one message: 64M, 1G
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Selection")]
    pub(super) max_message: Option<usize>,

    /// Threads; the output does not depend on it
    ///
    /// By default as many as there are cores where most messages are compressed, and otherwise one: so
    /// for files under 4 MiB, and for stats. Standard input, live capture, -F, -w, --stop-on, diff and
    /// the terminal UI have one.
    #[arg(short = 'j', long, value_name = "N", value_parser = threads, help_heading = "Selection")]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Read wss with TLS secrets as SSLKEYLOGFILE writes them
    ///
    /// With -i, -F and standard input the file may grow, or come later. Secrets in a pcapng file are used
    /// without this.
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub(super) keylog: Option<PathBuf>,

    /// Show addresses and ports as numbers, as is always done
    ///
    /// Names are never looked up.
    #[arg(short = 'n', hide_short_help = true, overrides_with = "numbers")]
    pub(super) numbers: bool,
}

impl ReadArgs {
    /// Neither a file nor an interface was named.
    pub(super) fn names_no_source(&self) -> bool {
        self.words.is_empty()
            && self.interfaces.is_empty()
            && self.follow.is_none()
            && self.netns.is_none()
    }
}

/// How output looks.
#[derive(Debug, Default, Clone, Copy, ClapArgs)]
pub(super) struct LookArgs {
    /// When to use colour; `NO_COLOR` is honoured
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(super) color: ColorWhen,

    /// Less: no remarks (notes of severity info) and no tables; print also without payloads, addresses
    /// and summary
    ///
    /// print leaves out payloads (but for the reason of a Close), addresses and what else was agreed,
    /// remarks, and the summary; check the handshake tables and remarks; diff the heads side by side;
    /// stats all but the totals. What --json prints, and what is counted, stay the same.
    #[arg(
        short = 'q',
        long,
        conflicts_with = "verbose",
        overrides_with = "quiet",
        help_heading = "Output"
    )]
    pub(super) quiet: bool,

    /// More: whole payloads and heads
    #[arg(short = 'v', long, overrides_with = "verbose", help_heading = "Output")]
    pub(super) verbose: bool,
}

/// Arguments of `print`.
#[derive(Debug, Default, Clone, ClapArgs)]
pub(super) struct PrintArgs {
    #[command(flatten)]
    pub(super) read: ReadArgs,

    #[command(flatten)]
    pub(super) look: LookArgs,

    /// NDJSON: an object a line
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// A line for each frame too
    #[arg(long, help_heading = "Output")]
    pub(super) frames: bool,

    /// How times are shown
    #[arg(short = 't', value_name = "FORMAT", default_value = "r", help_heading = "Output")]
    pub(super) time: TimeArg,
}

/// Arguments of `check`.
#[derive(Debug, Clone, ClapArgs)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) read: ReadArgs,

    #[command(flatten)]
    pub(super) look: LookArgs,

    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(super) format: FormatArg,

    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(super) json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Clone, ClapArgs)]
#[command(mut_arg("words", |words| words.help(
    "A capture with both legs, or two: the client's side and the server's side (`-` for standard input); \
     with -i, words of a capture filter"
)))]
pub(super) struct DiffArgs {
    #[command(flatten)]
    pub(super) read: ReadArgs,

    #[command(flatten)]
    pub(super) look: LookArgs,

    /// NDJSON: an object for each pair of legs
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Count what any correct proxy does too
    #[arg(long, help_heading = "Output")]
    pub(super) strict: bool,
}

/// Arguments of `interfaces`.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(super) struct InterfacesArgs {
    /// NDJSON: an object for each interface
    #[arg(long)]
    pub(super) json: bool,

    /// The ports on which something listens, and a capture filter for each, instead
    #[arg(long)]
    pub(super) listening: bool,
}

/// Arguments of `explain`.
#[derive(Debug, ClapArgs)]
pub(super) struct ExplainArgs {
    /// A note's code, like accept-mismatch
    pub(super) code: Option<String>,

    /// When to use colour; `NO_COLOR` is honoured
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorWhen,
}

/// Arguments of `completions`.
#[derive(Debug, ClapArgs)]
pub(super) struct CompletionsArgs {
    /// For which shell
    pub(super) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, ClapArgs)]
pub(super) struct ManArgs {
    /// The page of a command; without it, that of wstap
    pub(super) command: Option<String>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorWhen {
    /// When standard output is a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum TimeArg {
    /// Local time of day
    A,
    /// Local date and time
    Ad,
    /// Seconds since the line before
    #[value(alias = "dd")]
    D,
    /// Seconds since 1970
    E,
    /// Seconds since the first packet
    #[default]
    R,
    /// Time of day, UTC
    U,
    /// Date and time, UTC
    Ud,
}

/// How `check` writes its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum FormatArg {
    /// For people
    #[default]
    Text,
    /// NDJSON
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for build servers
    Junit,
}

/// A number of threads.
fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().ok().ok_or("a number of threads, from 1")
}

/// `65536`, `64k`, `64M`, `1G`: powers of 1024.
fn size(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let (digits, unit) = match lower.as_bytes().last() {
        Some(b'k') => (lower.trim_end_matches('k'), 1_usize << 10),
        Some(b'm') => (lower.trim_end_matches('m'), 1 << 20),
        Some(b'g') => (lower.trim_end_matches('g'), 1 << 30),
        _ => (lower, 1),
    };
    let n = digits.parse::<usize>().ok();
    let n = n.ok_or("a size is a number of bytes, or of k, M or G: 65536, 64M")?;
    n.checked_mul(unit).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn words_after_an_interface_are_kept_in_order() {
        let Some(Command::Print(args)) = parsed("wstap print -i lo tcp port 8088").command else {
            panic!("not print")
        };
        assert_eq!(args.read.interfaces, ["lo"]);
        assert_eq!(args.read.words, ["tcp", "port", "8088"]);
    }

    #[test]
    fn a_file_without_a_command_is_an_input() {
        let args = parsed("wstap a.pcap - -q");
        assert!(args.command.is_none());
        assert_eq!(args.print.read.words, ["a.pcap", "-"]);
        assert!(args.print.look.quiet);
    }

    #[test]
    fn flags_are_those_of_tcpdump_and_tshark() {
        let line = "wstap print -i lo -i eth0 -f x -Y y -w z -c 3 -s 0 -a duration:1.5 -n -t ad \
            -B 64 -j 2 --max-message 1M --keylog k --color always --frames --json -v";
        let Some(Command::Print(args)) =
            parsed(&line.split_whitespace().collect::<Vec<_>>().join(" ")).command
        else {
            panic!("not print")
        };
        assert_eq!(args.read.autostop, [Bound::Duration(std::time::Duration::from_millis(1500))]);
        assert_eq!(args.read.max_message, Some(1 << 20));
        assert_eq!(
            (args.read.count, args.read.snaplen, args.read.buffer_mib),
            (Some(3), Some(0), Some(64))
        );
        assert_eq!((args.time, args.look.color), (TimeArg::Ad, ColorWhen::Always));
        assert!(args.json && args.frames && args.look.verbose && args.read.numbers);
    }

    #[test]
    fn flags_may_be_repeated_as_tcpdump_has_it() {
        let look = |line: &str| {
            let args = parsed(line).print;
            (args.look.verbose, args.look.quiet, args.read.numbers)
        };
        assert_eq!(look("wstap -nn -vvv a.pcap"), (true, false, true));
        assert_eq!(look("wstap -qq -n a.pcap"), (false, true, true));
        assert!(Args::try_parse_from(["wstap", "-qv", "a.pcap"]).is_err());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("65536"), Ok(65536));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1kb"), Ok(1024));
        assert!(size("1X").unwrap_err().contains("64M"));
        assert!(size("").is_err() && size("M").is_err() && size("99999999999G").is_err());
    }
}
