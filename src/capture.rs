//! Packets from files, standard input and live interfaces.
//!
//! Gets: paths, `-`, interface names. Gives: [`PacketRecord`]s, one at a time, borrowed, to
//! [`crate::packet`]. Keeps: a window of each file, at most one record beyond its usual size.
//!
//! ```text
//!  path, -    input: open, unpack      window: one big buffer     classic | pcapng | snoop
//!  ------> gzip, zstd, lz4 by magic -> sequential reads       -> records borrowed from it -> merge -> packet
//! ```
//!
//! Packets are given in the file's order; where it has several interfaces, and they stand in batches, in the
//! order of their times, with the numbers that they have in the file. What is written while it is read (a
//! pipe, a followed file) is given as it comes.
//!
//! The format is told by content, never by name. Whatever can be read is given; what stops the
//! reading is one [`CaptureError`] that says which input, which packet and which offset.

mod classic;
mod error;
mod file;
pub mod follow;
#[doc(hidden)]
pub mod fuzz;
mod input;
pub mod interfaces;
pub mod live;
mod merge;
pub mod netns;
mod pcapng;
mod reorder;
pub mod rotate;
mod snoop;
mod summary;
mod window;
pub mod write;

#[cfg(test)]
mod samples;

pub use error::{CaptureError, Fault, Looks};
pub use file::FileSource;
pub use follow::FollowSource;
pub use input::{Compression, Input, Progress};
pub use interfaces::{InterfaceInfo, Traffic, interfaces, traffic};
pub use live::open::check_filter;
pub use live::{LiveOptions, LiveSource, Polled};
pub use merge::MergeSource;
pub use netns::Netns;
pub use rotate::{Bound, Rotation, Saver};
pub use summary::{Comment, Format, Interface, Secrets, Summary};
pub use write::PcapngWriter;

use std::ops::ControlFlow;

use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// A packet as the capture holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketRecord<'a> {
    /// Its number, and its place where that is another.
    pub no: PacketNo,
    /// Where its record starts in the file; 0 for a live packet.
    pub at: FileOffset,
    /// When it was captured; `None` where the capture does not say.
    pub time: Option<Timestamp>,
    /// The link-layer header type (`LINKTYPE_` number of its interface).
    pub link: LinkType,
    /// The interface that saw it: its place in [`Summary::interfaces`].
    pub interface: InterfaceId,
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// Bytes that were captured, at most `orig_len`.
    pub bytes: &'a [u8],
}

/// A `LINKTYPE_` number as files have it (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
}

/// An interface's place in [`Summary::interfaces`], over all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InterfaceId(pub u32);

/// Gives packets, one after the other.
pub trait PacketSource {
    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// When the rest can not be read. What came before stays good, and calling again is allowed:
    /// of several inputs each may have its error; after the last comes `None`.
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError>;
}

/// How to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes read at a time. 256 KiB makes system calls negligible and stays in the second-level cache,
    /// with room beside it for connections; with many inputs each gets less.
    pub buffer_bytes: usize,
    /// Comments kept for [`Summary::comments`], over all blocks of an input.
    pub comments: usize,
    /// Is shown every comment as it is read, before its packet is given.
    pub listener: Option<Listener>,
    /// Is given all secrets as they are read, before the packet behind them is given.
    pub secrets: Option<SecretsListener>,
    /// In which order the packets of a file are given.
    pub order: FileOrder,
}

/// In which order the packets of a file are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileOrder {
    /// Those of several interfaces in the order of their times, as far as they are those of one clock;
    /// else as they stand.
    #[default]
    Sorted,
    /// As they stand: of a file that was written in the order in which they were given.
    AsWritten,
}

/// Is given secrets for decryption.
#[derive(Clone)]
pub struct SecretsListener(pub std::sync::Arc<dyn Fn(&Secrets) + Send + Sync>);

impl std::fmt::Debug for SecretsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretsListener")
    }
}

impl PartialEq for SecretsListener {
    fn eq(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SecretsListener {}

/// Is shown comments.
#[derive(Clone)]
pub struct Listener(pub std::sync::Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl PartialEq for Listener {
    fn eq(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Listener {}

impl Default for Options {
    fn default() -> Self {
        Self {
            buffer_bytes: 256 << 10,
            comments: 1024,
            listener: None,
            secrets: None,
            order: FileOrder::default(),
        }
    }
}

/// Opens inputs as one capture.
///
/// With several, they are merged by time, and an input that can not be opened or read on gives its
/// error after everything that could be read (unless none could be opened).
///
/// # Errors
/// When nothing can be read: the first input's reason.
pub fn open(inputs: &[Input], limits: &Limits, options: &Options) -> Result<Source, CaptureError> {
    match inputs {
        [one] => FileSource::open(one, limits, options).map(Box::new).map(Source::File),
        several => MergeSource::open(several, limits, options).map(Box::new).map(Source::Merge),
    }
}

/// Where packets come from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Source {
    /// One file, or standard input.
    File(Box<FileSource>),
    /// Several, merged by time.
    Merge(Box<MergeSource>),
    /// Interfaces.
    Live(Box<LiveSource>),
}

impl PacketSource for Source {
    #[inline]
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError> {
        match self {
            Self::File(source) => source.next(),
            Self::Merge(source) => source.next(),
            Self::Live(source) => source.next(),
        }
    }
}

impl Source {
    /// Gives the packets that are at hand, as [`FileSource::at_hand`]; of one that comes by itself as it
    /// is asked for, none are.
    #[inline]
    pub fn at_hand(
        &mut self,
        take: impl FnMut(&PacketRecord<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self {
            Self::File(source) => source.at_hand(take),
            Self::Merge(_) | Self::Live(_) => ControlFlow::Continue(()),
        }
    }

    /// What is known of the capture beside its packets, so far.
    pub fn summary(&self) -> Summary {
        match self {
            Self::File(source) => source.summary().clone(),
            Self::Merge(source) => source.summary(),
            Self::Live(source) => source.summary(),
        }
    }

    /// How far the reading is; a handle for another thread. Of a live capture there is nothing to
    /// tell.
    pub fn progress(&self) -> Progress {
        match self {
            Self::File(source) => source.progress(),
            Self::Merge(source) => source.progress(),
            Self::Live(_) => Progress::default(),
        }
    }
}
