//! What a capture tells beside its packets.
//!
//! Gets: headers, interface descriptions, statistics and comments, from the readers. Gives:
//! [`Summary`] to outputs and writers. Texts are the file's own and may hold control characters.

use super::LinkType;
use super::input::Compression;
use crate::units::PacketNo;

/// What is known of a capture, so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The file format; of several inputs that of the first. `None` for a live capture.
    pub format: Option<Format>,
    /// How it was compressed.
    pub compression: Option<Compression>,
    /// Interfaces in the order of their description, over all sections and inputs.
    pub interfaces: Vec<Interface>,
    /// Packets given so far.
    pub packets: u64,
    /// Bytes of these packets, as captured.
    pub bytes: u64,
    /// Program that wrote the capture.
    pub application: Option<String>,
    /// Hardware it was captured on.
    pub hardware: Option<String>,
    /// Operating system it was captured on.
    pub os: Option<String>,
    /// Comments on the capture, its interfaces and packets, as many as
    /// [`Options::comments`](super::Options::comments) allows.
    pub comments: Vec<Comment>,
    /// Secrets for decryption that the capture brings along.
    pub secrets: Vec<Secrets>,
    /// Packets that the capturing program counts as lost.
    pub dropped: u64,
}

/// A capture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// pcap, microseconds.
    Pcap,
    /// pcap, nanoseconds.
    PcapNano,
    /// pcap with longer record headers (Kuznetzov's patches to libpcap).
    PcapModified,
    /// pcap as Nokia's firewalls write it.
    PcapNokia,
    /// pcapng.
    Pcapng,
    /// Solaris snoop (RFC 1761).
    Snoop,
}

impl Format {
    /// Can there be comments in it.
    pub const fn has_comments(self) -> bool {
        matches!(self, Self::Pcapng)
    }

    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNano => "pcap (nanoseconds)",
            Self::PcapModified => "pcap (modified)",
            Self::PcapNokia => "pcap (Nokia)",
            Self::Pcapng => "pcapng",
            Self::Snoop => "snoop",
        }
    }
}

/// An interface that packets were captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The link-layer header type of its packets.
    pub link: LinkType,
    /// Most bytes captured of a packet; 0 for no limit.
    pub snaplen: u32,
    /// Name, like `lo`.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Hardware.
    pub hardware: Option<String>,
    /// Capture filter.
    pub filter: Option<String>,
    /// Packets that it received, where the capture says.
    pub received: Option<u64>,
    /// Packets lost on it, by the interface, the system or the capturing program.
    pub dropped: u64,
}

impl Interface {
    /// One of which nothing but the link type is known.
    pub const fn new(link: LinkType) -> Self {
        Self {
            link,
            snaplen: 0,
            name: None,
            description: None,
            hardware: None,
            filter: None,
            received: None,
            dropped: 0,
        }
    }
}

/// A comment in a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The packet it is on, counted in its input; `None` for one on the capture or an interface.
    pub packet: Option<PacketNo>,
    /// The text.
    pub text: String,
}

/// Secrets for decryption (pcapng Decryption Secrets Block).
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Their kind; `0x544c534b` is a TLS key log.
    pub kind: u32,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Secrets {
    /// A TLS key log as `SSLKEYLOGFILE` has it.
    pub const TLS_KEY_LOG: u32 = 0x544c_534b;
}

impl std::fmt::Debug for Secrets {
    // The bytes are secrets: not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets {{ kind: {:#x}, {} bytes }}", self.kind, self.data.len())
    }
}
