//! Why a capture can not be read, or not to its end.
//!
//! Gets: what the readers met. Gives: [`CaptureError`], whose text is one line that says which
//! input, which packet, which byte offset, and [`CaptureError::hint`], a line that says what to try.

use std::fmt;
use std::io;

use super::input::{Compression, Input};
use crate::units::{FileOffset, PacketNo};

/// Why a capture can not be read (on).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// It can not be opened.
    #[error("cannot open {input}: {}", reason(source))]
    Open {
        /// Which input.
        input: Input,
        /// What the system says.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{input} is a directory, not a capture file")]
    Directory {
        /// Which input.
        input: Input,
    },
    /// It has no bytes at all.
    #[error("{input} is empty: not even a capture file's header is there")]
    Empty {
        /// Which input.
        input: Input,
    },
    /// Its first bytes are those of no capture format.
    #[error("{input} is not a capture file{looks}")]
    NotCapture {
        /// Which input.
        input: Input,
        /// What it seems to be.
        looks: Looks,
    },
    /// Reading stopped with an error of the system.
    #[error("{input}: packet {packet}, offset {at}: cannot read on: {}", reason(source))]
    Read {
        /// Which input.
        input: Input,
        /// The packet that would have come next, counted in this input.
        packet: PacketNo,
        /// Where the reading stopped.
        at: FileOffset,
        /// What the system says.
        source: io::Error,
    },
    /// The compressed data ends too early or is damaged.
    #[error(
        "{input}: packet {packet}, offset {at} of the unpacked data: the {compression} data is {}",
        unpack_reason(source)
    )]
    Unpack {
        /// Which input.
        input: Input,
        /// The packet that would have come next, counted in this input.
        packet: PacketNo,
        /// Where the unpacked data stops.
        at: FileOffset,
        /// How it is compressed.
        compression: Compression,
        /// What the decoder says.
        source: io::Error,
    },
    /// The file ends inside a record.
    #[error(
        "{input}: packet {packet}, offset {at}: {} cut short (needs {needs} bytes, file has {has})",
        if at.0 == 0 { "file header" } else { "record" }
    )]
    Truncated {
        /// Which input.
        input: Input,
        /// The packet that is cut, or would have come next, counted in this input.
        packet: PacketNo,
        /// Where its record (or the block) starts.
        at: FileOffset,
        /// Bytes it needs from there, as far as is known.
        needs: u64,
        /// Bytes there are.
        has: u64,
    },
    /// A record that cannot be what the format says.
    #[error("{input}: packet {packet}, offset {at}: {fault}")]
    Damaged {
        /// Which input.
        input: Input,
        /// The packet that is damaged, or would have come next, counted in this input.
        packet: PacketNo,
        /// Where its record (or the block) starts.
        at: FileOffset,
        /// What is wrong there.
        fault: Fault,
    },
    /// This user may not capture.
    #[error("no permission to capture on {name}")]
    Permission {
        /// The interface.
        name: String,
    },
    /// There is no such interface.
    #[error("no interface {name:?}; there are: {}", have.join(", "))]
    NoInterface {
        /// What was asked for.
        name: String,
        /// What there is, loopback first.
        have: Vec<String>,
    },
    /// A network namespace can not be entered.
    #[error("cannot enter the network namespace {netns}: {}", reason(source))]
    Netns {
        /// Which.
        netns: super::Netns,
        /// What the system says.
        source: io::Error,
    },
    /// The capture filter does not parse.
    #[error("capture filter {expression:?}: {message}{}", place(expression, *column))]
    Filter {
        /// The filter.
        expression: String,
        /// What libpcap says.
        message: String,
        /// Where it stops, from 1, in characters.
        column: Option<usize>,
    },
    /// An interface can not be opened, or not be read on.
    #[error("{name}: {message}")]
    Interface {
        /// The interface.
        name: String,
        /// What libpcap says.
        message: String,
    },
}

impl CaptureError {
    /// A line that says what to try, where there is something to try.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "read it with the rights of its owner: sudo, or have it made readable (chmod +r)"
                }
                io::ErrorKind::NotFound => {
                    "check the path; to capture live, name the interface: -i lo"
                }
                _ => return None,
            },
            Self::Directory { .. } => {
                "name the capture files in it, for instance DIRECTORY/*.pcapng"
            }
            Self::Empty { .. } => {
                "was the capture stopped before its first packet was written? tcpdump writes at once with -U"
            }
            Self::NotCapture { looks, .. } => return Some(looks.hint()),
            Self::Permission { .. } => return Some(permission_hint()),
            Self::Netns { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "that takes root: run wstap with sudo"
            }
            Self::Netns { .. } => {
                "name a process by its number (docker inspect -f '{{.State.Pid}}' NAME), or one of ip netns list"
            }
            Self::NoInterface { .. } => "wstap interfaces lists them with their addresses",
            Self::Filter { .. } => {
                "filters are libpcap's, as tcpdump has them: tcp port 8088 and host 10.0.0.1 (man pcap-filter)"
            }
            Self::Read { .. } | Self::Interface { .. } => return None,
            Self::Unpack { .. } | Self::Truncated { .. } => {
                "the packets before it were read; was the capture still being written, or the copy cut off?"
            }
            Self::Damaged { fault: Fault::RecordLength { .. }, .. } => {
                "the packets before it were read; the length is not believable, so the file is damaged there"
            }
            Self::Damaged { .. } => "the packets before it were read; the file is damaged there",
        };
        // Nothing was read of a file that ends, or breaks, in its header.
        let text = match self.packet() {
            Some(PacketNo(1)) => text.strip_prefix(BEFORE_IT_READ).unwrap_or(text),
            _ => text,
        };
        Some(text.to_owned())
    }

    /// The packet at which reading stopped, counted in its input.
    pub fn packet(&self) -> Option<PacketNo> {
        match self {
            Self::Read { packet, .. }
            | Self::Unpack { packet, .. }
            | Self::Truncated { packet, .. }
            | Self::Damaged { packet, .. } => Some(*packet),
            _ => None,
        }
    }

    /// The byte offset at which reading stopped.
    pub fn offset(&self) -> Option<FileOffset> {
        match self {
            Self::Read { at, .. }
            | Self::Unpack { at, .. }
            | Self::Truncated { at, .. }
            | Self::Damaged { at, .. } => Some(*at),
            _ => None,
        }
    }
}

/// What is wrong with a record or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A packet longer than any is believed to be.
    #[error("record claims {len} bytes, more than the {limit} that are believed of one packet")]
    RecordLength {
        /// Bytes claimed.
        len: u64,
        /// [`Limits::record_bytes`](crate::limits::Limits::record_bytes).
        limit: u64,
    },
    /// A snoop record shorter than what it holds.
    #[error("record length {len} does not hold its {captured} bytes")]
    RecordTooShort {
        /// Bytes of the record.
        len: u32,
        /// Bytes of the packet.
        captured: u32,
    },
    /// A pcapng block length that no block can have.
    #[error("block length {len} is {}", if len % 4 == 0 { "too small for its type" } else { "not a multiple of 4" })]
    BlockLength {
        /// The length.
        len: u32,
    },
    /// A pcapng block other than a packet that is too long to be believed.
    #[error("block claims {len} bytes, more than the {limit} that are believed")]
    BlockTooLong {
        /// The length.
        len: u32,
        /// What is believed.
        limit: u64,
    },
    /// The two lengths of a pcapng block differ.
    #[error("block length {len} is repeated as {trailer} at its end")]
    BlockTrailer {
        /// The length in front.
        len: u32,
        /// The length behind.
        trailer: u32,
    },
    /// A pcapng packet longer than the block that holds it.
    #[error("packet of {captured} bytes in a block of {len}")]
    PacketLength {
        /// Bytes of the packet.
        captured: u32,
        /// Bytes of the block.
        len: u32,
    },
    /// A pcapng packet of an interface that its section does not describe.
    #[error("packet of interface {id}, but the section describes {count}")]
    NoInterface {
        /// The interface named.
        id: u32,
        /// Interfaces described.
        count: usize,
    },
    /// More interfaces in one section than are believed.
    #[error("more than {limit} interfaces in one section")]
    Interfaces {
        /// What is believed.
        limit: usize,
    },
    /// A pcapng section in neither byte order.
    #[error("section header without a byte-order magic ({magic:#010x})")]
    ByteOrder {
        /// What stands there.
        magic: u32,
    },
    /// A version of the format that is not known.
    #[error("version {major}.{minor} of the format is not known")]
    Version {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
    /// A snoop file of another network than those that have a `LINKTYPE_`.
    #[error("snoop datalink type {0} is not supported")]
    SnoopLink(u32),
}

/// What a file that is no capture seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Looks {
    /// JSON.
    Json,
    /// HTML or XML.
    Markup,
    /// Other text.
    Text,
    /// Compressed, but not in a way that is unpacked here: the program that does.
    Packed(&'static str),
    /// A capture in a format that is not read here.
    OtherCapture(&'static str),
    /// Anything else.
    Unknown,
}

impl Looks {
    /// From the first bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        const MAGICS: [(&[u8], Looks); 7] = [
            (b"\xfd7zXZ\0", Looks::Packed("xz")),
            (b"BZh", Looks::Packed("bzip2")),
            (b"PK\x03\x04", Looks::Packed("unzip")),
            (b"GMBU", Looks::OtherCapture("Microsoft Network Monitor")),
            (b"RTSS", Looks::OtherCapture("Microsoft Network Monitor 1")),
            (b"btsnoop\0", Looks::OtherCapture("Bluetooth HCI log")),
            (b"TRSNIFF data", Looks::OtherCapture("NetXray or Sniffer")),
        ];
        if let Some((_, looks)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *looks;
        }
        let head = bytes.get(..512).unwrap_or(bytes);
        let text = head.iter().all(|&b| b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r' | 0x1b));
        match head.trim_ascii_start().first() {
            Some(b'{' | b'[') if text => Self::Json,
            Some(b'<') if text => Self::Markup,
            Some(_) if text => Self::Text,
            _ => Self::Unknown,
        }
    }

    fn hint(self) -> String {
        match self {
            Self::Packed("unzip") => "unpack it first: unzip -p FILE | wstap print -".to_owned(),
            Self::Packed(tool) => format!("unpack it first: {tool} -dc FILE | wstap print -"),
            Self::OtherCapture(_) => {
                "convert it with Wireshark's editcap: editcap -F pcapng FILE OUT.pcapng".to_owned()
            }
            _ => {
                "capture files are what tcpdump -w FILE and Wireshark's Save write (pcap, pcapng); \
                  text output cannot be read back"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str(": it looks like JSON"),
            Self::Markup => f.write_str(": it looks like HTML or XML"),
            Self::Text => f.write_str(": it looks like text"),
            Self::Packed("unzip") => f.write_str(": it is a zip archive"),
            Self::Packed(tool) => {
                write!(f, ": it is compressed with {tool}, which is not unpacked here")
            }
            Self::OtherCapture(what) => write!(f, " that can be read here: it looks like {what}"),
            Self::Unknown => {
                f.write_str(": neither pcap, pcapng nor snoop, plain or in gzip, zstd or lz4")
            }
        }
    }
}

/// How hints on damaged files begin.
const BEFORE_IT_READ: &str = "the packets before it were read; ";

/// What lets this very program capture.
fn permission_hint() -> String {
    let program = std::env::current_exe().map(|path| path.display().to_string());
    let program = program.unwrap_or_else(|_| "wstap".to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let quoted = if program.chars().all(plain) {
        program
    } else {
        format!("'{}'", program.replace('\'', "'\\''"))
    };
    if cfg!(target_os = "linux") {
        format!("run once: sudo setcap cap_net_raw=ep {quoted} (or run wstap with sudo)")
    } else {
        format!("run it with sudo: sudo {quoted}")
    }
}

/// Where a filter stops to make sense, with the word that stands there.
fn place(expression: &str, column: Option<usize>) -> String {
    let Some(column) = column else { return String::new() };
    let word: String = expression
        .chars()
        .skip(column.saturating_sub(1))
        .take_while(|c| !c.is_whitespace())
        .collect();
    format!(" at column {column}, {word:?}")
}

/// The system's reason without the error number that the standard library appends.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn unpack_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "cut short".to_owned(),
        _ => format!("damaged ({})", reason(error)),
    }
}
