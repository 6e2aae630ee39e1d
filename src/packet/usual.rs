//! The usual packet, told at a glance: TCP in IPv4 in Ethernet, with nothing beside it and nothing cut.
//!
//! Gets: a record. Gives: the segment that the way through the layers would give, or nothing where that
//! way must be gone. Keeps: nothing.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{Segment, TcpFlags};
use crate::capture::{LinkType, PacketRecord};
use crate::units::{Origin, SeqNo};

/// Ethernet, IPv4 without options, TCP without options: what is read of every packet.
const HEADERS: usize = 14 + 20 + 20;

/// The segment of a usual packet.
#[inline]
pub(super) fn segment<'a>(record: &PacketRecord<'a>) -> Option<Segment<'a>> {
    let bytes = record.bytes;
    let &[
        ..,
        0x08,
        0x00,
        // IPv4: version and header length, service, total length, identification, fragmentation,
        // time to live, protocol, checksum, addresses.
        0x45,
        _,
        total_0,
        total_1,
        _,
        _,
        fragment_0,
        fragment_1,
        _,
        6,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
        // TCP (RFC 9293 section 3.1).
        sp0,
        sp1,
        dp0,
        dp1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        w0,
        w1,
        _,
        _,
        _,
        _,
    ] = bytes.first_chunk::<HEADERS>()?
    else {
        return None;
    };
    // More fragments, or an offset: a part of a datagram. The reserved bit does not count.
    if record.link != LinkType::ETHERNET || fragment_0 & 0x3f != 0 || fragment_1 != 0 {
        return None;
    }
    // Shorter than its headers it is broken, or 0: left open by offload.
    let header = usize::from(offset >> 4) * 4;
    let end = 14 + usize::from(u16::from_be_bytes([total_0, total_1]));
    if header < 20 {
        return None;
    }
    let payload = bytes.get(14 + 20 + header..end)?;
    let address = |ip: [u8; 4], port: [u8; 2]| {
        SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_be_bytes(port)))
    };
    Some(Segment {
        origin: Origin { packet: record.no, time: record.time },
        src: address([s0, s1, s2, s3], [sp0, sp1]),
        dst: address([d0, d1, d2, d3], [dp0, dp1]),
        seq: SeqNo(u32::from_be_bytes([q0, q1, q2, q3])),
        ack: SeqNo(u32::from_be_bytes([a0, a1, a2, a3])),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload,
        cut: 0,
    })
}
