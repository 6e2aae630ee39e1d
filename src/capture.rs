//! Packets from files, standard input and live interfaces.
//!
//! Gets: paths, `-`, interface names. Gives: [`PacketRecord`]s, one at a time, borrowed, to
//! [`crate::packet`].

use crate::units::{FileOffset, PacketNo, Timestamp};

/// A packet as the capture holds it.
#[derive(Debug, Clone, Copy)]
pub struct PacketRecord<'a> {
    /// Its number.
    pub no: PacketNo,
    /// Where its record starts in the file; 0 for a live packet.
    pub at: FileOffset,
    /// When it was captured; `None` where the capture does not say.
    pub time: Option<Timestamp>,
    /// The link-layer header type (`LINKTYPE_` number of its interface).
    pub link: LinkType,
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// Bytes that were captured, at most `orig_len`.
    pub bytes: &'a [u8],
}

/// A `LINKTYPE_` number as files have it (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

/// Gives packets, one after the other.
pub trait PacketSource {
    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// When the rest can not be read. What came before stays good.
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError>;
}

/// Why a capture can not be read (on).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {}
