//! From link layer to TCP: one captured packet to one segment.
//!
//! Gets: [`PacketRecord`]s. Gives: [`Segment`]s to [`crate::flow`], or the reason why there is none.
//! Keeps: incomplete IP datagrams, bounded by [`crate::limits`]. Never fails.
//!
//! ```text
//! link layers (link) -> IP header (ip) -> fragments put together (fragments) -> TCP header
//!      ^                                                                     |
//!      '------- packets inside of packets, 8 deep at most (tunnel) <---------'
//! ```
//!
//! Checksums are not looked at: with offload they are filled in after the packet was captured.

use std::net::SocketAddr;

use etherparse::IpNumber;

use crate::capture::PacketRecord;
use crate::limits::Limits;
use crate::units::{Origin, SeqNo};

mod fragments;
mod fuzz;
mod ip;
mod link;
mod pseudo;
mod skip;
mod span;
#[cfg(test)]
mod tests;
mod tunnel;
mod usual;
mod wifi;

pub use fuzz::fuzz_decode;
pub use skip::Skip;

use fragments::Fragments;
use ip::{Datagram, Ends};
use link::{Layer, Version};
use span::Span;

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

/// Takes packets apart.
///
/// ```
/// use wstap::capture::{InterfaceId, LinkType, PacketRecord};
/// use wstap::limits::Limits;
/// use wstap::packet::{Decoded, Decoder, Skip};
/// use wstap::units::{FileOffset, PacketNo};
///
/// let mut decoder = Decoder::new(&Limits::default());
/// let record = PacketRecord {
///     no: PacketNo(1),
///     at: FileOffset(24),
///     time: None,
///     link: LinkType(1),
///     interface: InterfaceId::default(),
///     orig_len: 3,
///     bytes: b"abc",
/// };
/// assert_eq!(decoder.decode(&record), Decoded::Other(Skip::BadLinkHeader));
/// assert_eq!(decoder.skipped().collect::<Vec<_>>(), [(Skip::BadLinkHeader, 1)]);
/// ```
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    /// Datagrams put together of the packet at hand: the outer one, and one that was in it.
    whole: [Vec<u8>; 2],
    /// Packets not decoded, by reason.
    counts: skip::Counts,
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// Anything else, or the part of a datagram whose rest is still to come.
    Other(Skip),
}

impl Decoder {
    /// Holds as much for incomplete datagrams as `limits` allow.
    pub fn new(limits: &Limits) -> Self {
        Self {
            fragments: Fragments::new(limits),
            whole: [Vec::new(), Vec::new()],
            counts: skip::Counts::default(),
        }
    }

    /// Takes one packet apart. The segment of a fragmented datagram comes with the packet that
    /// completes it, and is borrowed from the decoder.
    pub fn decode<'a>(&'a mut self, record: &PacketRecord<'a>) -> Decoded<'a> {
        match self.at_a_glance(record) {
            Some(segment) => Decoded::Segment(segment),
            None => self.descend(record),
        }
    }

    /// The segment of a usual packet; any other is to be decoded.
    #[inline]
    pub(crate) fn at_a_glance<'a>(&mut self, record: &PacketRecord<'a>) -> Option<Segment<'a>> {
        let segment = usual::segment(record)?;
        // The law of the short way, asserted wherever tests and fuzz targets come by.
        debug_assert_eq!(self.descend(record), Decoded::Segment(segment));
        Some(segment)
    }

    /// Goes through the layers one by one.
    #[inline(never)]
    fn descend<'a>(&'a mut self, record: &PacketRecord<'a>) -> Decoded<'a> {
        let mut descent = Descent {
            fragments: &mut self.fragments,
            whole: &mut self.whole,
            counts: &mut self.counts,
            origin: Origin { packet: record.no, time: record.time },
            packets: 1,
        };
        match descent.segment(record) {
            Ok(segment) => Decoded::Segment(segment),
            Err(skip) => {
                let packets = descent.packets;
                self.counts.add(skip, packets);
                Decoded::Other(skip)
            }
        }
    }

    /// Packets that gave no segment, by reason, without reasons that never occurred. Fragments of
    /// datagrams that were completed are not counted, or count for what the datagram was.
    pub fn skipped(&self) -> impl Iterator<Item = (Skip, u64)> + '_ {
        self.counts.iter()
    }
}

/// The way down through one packet.
struct Descent<'a, 'd> {
    fragments: &'d mut Fragments,
    /// Buffers not yet used for this packet.
    whole: &'a mut [Vec<u8>],
    counts: &'d mut skip::Counts,
    origin: Origin,
    /// Packets that make up what is looked at: more than one in a datagram put together.
    packets: u64,
}

impl<'a> Descent<'a, '_> {
    #[inline]
    fn segment(&mut self, record: &PacketRecord<'a>) -> Result<Segment<'a>, Skip> {
        let wire = usize::try_from(record.orig_len).unwrap_or(usize::MAX);
        let mut span = Span::new(record.bytes, wire);
        if record.bytes.is_empty() {
            return Err(span.lacks(1, Skip::Empty));
        }
        let mut layer = link::first_layer(record.link)?;
        for depth in 0..=MAX_TUNNELS {
            let (version, packet) = link::network(layer, span)?;
            let header = ip::header(version, packet)?;
            if header.is_plain_tcp() {
                return tcp(self.origin, header.ends, header.payload);
            }
            let mut datagram = ip::extensions(header)?;
            while let Some(fragment) = datagram.fragment {
                datagram = self.put_together(datagram, fragment, depth)?;
            }
            let payload = datagram.payload;
            (layer, span) = match datagram.protocol {
                IpNumber::TCP => return tcp(self.origin, datagram.ends, payload),
                IpNumber::IPV4 => (Layer::Ip(Version::V4), payload),
                IpNumber::IPV6 => (Layer::Ip(Version::V6), payload),
                IpNumber::GRE => tunnel::gre(payload)?,
                IpNumber::UDP => tunnel::udp(payload)?,
                other => return Err(Skip::of_protocol(other)),
            };
        }
        Err(Skip::TunnelDepth)
    }

    /// The datagram that a fragment completes.
    #[cold]
    fn put_together(
        &mut self,
        datagram: Datagram<'a>,
        fragment: ip::Fragment,
        depth: usize,
    ) -> Result<Datagram<'a>, Skip> {
        // Not worth the memory. In IPv6 the protocol stands in the first fragment and may be hidden
        // behind further headers.
        if !carries_tcp(datagram.protocol) && !datagram.ends.are_v6() {
            return Err(Skip::of_protocol(datagram.protocol));
        }
        let Some((buffer, rest)) = std::mem::take(&mut self.whole).split_first_mut() else {
            return Err(Skip::TunnelDepth);
        };
        // Datagrams inside of a fragmented datagram number their fragments for themselves.
        let depth = depth * 2 + rest.len();
        self.whole = rest;
        let now = self.origin.time;
        let whole = self.fragments.add(&datagram, fragment, depth, self.packets, now, buffer)?;
        self.counts.take_back(Skip::IpFragment, whole.packets);
        self.packets = self.packets.saturating_add(whole.packets);
        ip::extensions(Datagram {
            protocol: whole.protocol,
            payload: Span::new(buffer, buffer.len()),
            fragment: None,
            ..datagram
        })
    }
}

/// Can there be TCP in it, deeper down.
fn carries_tcp(protocol: IpNumber) -> bool {
    matches!(
        protocol,
        IpNumber::TCP
            | IpNumber::UDP
            | IpNumber::GRE
            | IpNumber::IPV4
            | IpNumber::IPV6
            | IpNumber::AUTHENTICATION_HEADER
    )
}

/// RFC 9293 section 3.1. Read by hand: the first 20 bytes are all that is needed, and a packet cut
/// inside of the options must still tell how much it carried.
#[inline]
fn tcp<'a>(origin: Origin, ends: Ends<'_>, span: Span<'a>) -> Result<Segment<'a>, Skip> {
    let (header, _) = span.fixed::<20>(Skip::BadTcpHeader)?;
    let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = header;
    // RFC 9293 section 3.1: the data offset counts words of 4 bytes, 5 of which are always there.
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < header.len() {
        return Err(Skip::BadTcpHeader);
    }
    let payload = span.skip(header_len, Skip::BadTcpHeader)?;
    let (src, dst) = ends.pair();
    Ok(Segment {
        origin,
        src: SocketAddr::new(src, u16::from_be_bytes([s0, s1])),
        dst: SocketAddr::new(dst, u16::from_be_bytes([d0, d1])),
        seq: SeqNo(u32::from_be_bytes([q0, q1, q2, q3])),
        ack: SeqNo(u32::from_be_bytes([a0, a1, a2, a3])),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload: payload.bytes,
        cut: u32::try_from(payload.cut()).unwrap_or(u32::MAX),
    })
}

/// Tunnels inside of tunnels: real networks have two or three.
const MAX_TUNNELS: usize = 8;
