//! From link layer to TCP: one captured packet to one segment.
//!
//! Gets: [`PacketRecord`](crate::capture::PacketRecord)s. Gives: [`Segment`]s to [`crate::flow`], or
//! the reason why there is none. Keeps: incomplete IP datagrams, bounded by [`crate::limits`].

use std::net::SocketAddr;

use crate::units::{Origin, SeqNo};

/// A TCP segment (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The packet that brought it.
    pub origin: Origin,
    /// Sender.
    pub src: SocketAddr,
    /// Receiver.
    pub dst: SocketAddr,
    /// Sequence number of the first payload byte (of the SYN, when that is set).
    pub seq: SeqNo,
    /// Acknowledgement number; only with [`TcpFlags::ACK`].
    pub ack: SeqNo,
    /// Control bits.
    pub flags: TcpFlags,
    /// Receive window as sent, not scaled.
    pub window: u16,
    /// Captured payload bytes.
    pub payload: &'a [u8],
    /// Payload bytes that were on the wire behind `payload` but were cut by the snapshot length.
    pub cut: u32,
}

/// Control bits of a TCP header (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// Are all bits of `other` set here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
