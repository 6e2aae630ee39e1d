//! Headers that whoever captured put before a packet: firewalls, packet loggers, macOS.
//!
//! Gets: a packet with such a header. Gives: the layer behind it. Keeps: nothing.

use super::Skip;
use super::link::{Layer, Version, first_layer};
use super::span::Span;
use crate::capture::LinkType;

/// Per-packet information of CACE: the link type of what follows is told in it.
pub(super) fn ppi(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[version, _, l0, l1, t0, t1, t2, t3], rest) = span.fixed(Skip::BadLinkHeader)?;
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if version != 0 || len < 8 {
        return Err(Skip::BadLinkHeader);
    }
    let layer = layer_of(u32::from_le_bytes([t0, t1, t2, t3]))?;
    Ok((layer, rest.skip(len - 8, Skip::BadLinkHeader)?))
}

/// What `tcpdump -i pktap` writes on macOS, for all interfaces at once.
pub(super) fn pktap(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[l0, l1, l2, l3, k0, k1, k2, k3, t0, t1, t2, t3], rest) =
        span.fixed(Skip::BadLinkHeader)?;
    let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if u32::from_le_bytes([k0, k1, k2, k3]) != PKTAP_PACKET {
        return Err(Skip::NotIp);
    }
    let behind = len.checked_sub(12).ok_or(Skip::BadLinkHeader)?;
    let layer = layer_of(u32::from_le_bytes([t0, t1, t2, t3]))?;
    Ok((layer, rest.skip(behind, Skip::BadLinkHeader)?))
}

fn layer_of(link: u32) -> Result<Layer, Skip> {
    let link = u16::try_from(link).map_err(|_beyond_all| Skip::LinkTypeUnknown)?;
    first_layer(LinkType(link))
}

/// The log of BSD's packet filter: its first byte is the header's length, to be rounded up to 4.
pub(super) fn pflog(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[len], _) = span.fixed(Skip::BadLinkHeader)?;
    let len = usize::from(len).next_multiple_of(4);
    Ok((Layer::AnyIp, span.skip(len, Skip::BadLinkHeader)?))
}

/// Linux's netfilter log: attributes, of which one is the packet.
pub(super) fn nflog(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[family, version, _, _], mut rest) = span.fixed(Skip::BadLinkHeader)?;
    let version = match (family, version) {
        (AF_INET, 0) => Version::V4,
        (AF_INET6, 0) => Version::V6,
        (_, 0) => return Err(Skip::NotIp),
        _ => return Err(Skip::BadLinkHeader),
    };
    loop {
        let (&[l0, l1, k0, k1], behind) = rest.fixed(Skip::BadLinkHeader)?;
        // In the byte order of whoever captured; the kinds are small numbers, so the order shows.
        let little = k1 == 0;
        let number =
            |bytes| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
        let len = usize::from(number([l0, l1]));
        let content = len.checked_sub(4).ok_or(Skip::BadLinkHeader)?;
        if number([k0, k1]) == NFULA_PAYLOAD {
            return Ok((Layer::Ip(version), behind));
        }
        rest = behind.skip(content.next_multiple_of(4), Skip::BadLinkHeader)?;
    }
}

const PKTAP_PACKET: u32 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const NFULA_PAYLOAD: u16 = 9;
