//! Tunnels: packets inside of packets.
//!
//! Gets: the payload of an IP packet that may be a tunnel's. Gives: the layer at which the packet
//! inside begins. Keeps: nothing.

use etherparse::EtherType;

use super::Skip;
use super::link::Layer;
use super::span::Span;

/// RFC 2784 and RFC 2890 (version 0), RFC 2637 section 4.1 (version 1).
pub(super) fn gre(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[flags, version, high, low], mut rest) = span.fixed(Skip::BadTunnelHeader)?;
    let has = |bit: u8| flags & bit != 0;
    if version & 0x07 > 1 || has(GRE_ROUTING) {
        return Err(Skip::NotIp);
    }
    let acknowledgment = version & 0x07 == 1 && version & 0x80 != 0;
    for present in [has(GRE_CHECKSUM), has(GRE_KEY), has(GRE_SEQUENCE), acknowledgment] {
        if present {
            rest = rest.skip(4, Skip::BadTunnelHeader)?;
        }
    }
    match u16::from_be_bytes([high, low]) {
        GRE_PPP => Ok((Layer::Ppp, rest)),
        // ERSPAN: a mirrored port. Type I has no header of its own and no sequence number, type II
        // has both.
        ERSPAN if has(GRE_SEQUENCE) => Ok((Layer::Ethernet, rest.skip(8, Skip::BadTunnelHeader)?)),
        TRANSPARENT_ETHERNET | ERSPAN => Ok((Layer::Ethernet, rest)),
        number @ 0x0600.. => Ok((Layer::Ether(number), rest)),
        _ => Err(Skip::NotIp),
    }
}

/// UDP that carries packets; any other is [`Skip::Udp`].
pub(super) fn udp(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[_, _, high, low, ..], rest) = span.fixed::<8>(Skip::Udp)?;
    match u16::from_be_bytes([high, low]) {
        VXLAN | VXLAN_LINUX => vxlan(rest),
        GENEVE => geneve(rest),
        TZSP => tzsp(rest),
        _ => Err(Skip::Udp),
    }
}

/// RFC 7348 section 5. Other programs may own the port for a while: only a header with the I flag
/// and no unknown ones (0x80 is Group Policy) is taken for VXLAN.
fn vxlan(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    match span.fixed(Skip::Udp)? {
        (&[0x08 | 0x88, _, _, _, _, _, _, 0], rest) => Ok((Layer::Ethernet, rest)),
        _ => Err(Skip::Udp),
    }
}

/// RFC 8926 section 3.4.
fn geneve(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[lengths, flags, high, low, _, _, _, reserved], rest) = span.fixed(Skip::Udp)?;
    if lengths >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 {
        return Err(Skip::Udp);
    }
    let rest = rest.skip(usize::from(lengths & 0x3f) * 4, Skip::BadTunnelHeader)?;
    match EtherType(u16::from_be_bytes([high, low])) {
        EtherType(TRANSPARENT_ETHERNET) => Ok((Layer::Ethernet, rest)),
        EtherType(number @ 0x0600..) => Ok((Layer::Ether(number), rest)),
        _ => Err(Skip::NotIp),
    }
}

/// TZSP, the `TaZmen` Sniffer Protocol: what access points and routers send their captures with. Tags up to the one
/// that ends them, and the packet.
fn tzsp(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[version, kind, high, low], mut rest) = span.fixed(Skip::Udp)?;
    if version != 1 || kind > TZSP_TO_SEND {
        return Err(Skip::Udp);
    }
    loop {
        let (&[tag], behind) = rest.fixed(Skip::BadTunnelHeader)?;
        rest = behind;
        match tag {
            TZSP_PADDING => {}
            TZSP_END => break,
            _ => {
                let (&[len], behind) = rest.fixed(Skip::BadTunnelHeader)?;
                rest = behind.skip(usize::from(len), Skip::BadTunnelHeader)?;
            }
        }
    }
    match u16::from_be_bytes([high, low]) {
        TZSP_ETHERNET => Ok((Layer::Ethernet, rest)),
        TZSP_WIFI => Ok((Layer::Wifi { aligned: false }, rest)),
        _ => Err(Skip::NotIp),
    }
}

const GRE_CHECKSUM: u8 = 0x80;
const GRE_ROUTING: u8 = 0x40;
const GRE_KEY: u8 = 0x20;
const GRE_SEQUENCE: u8 = 0x10;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const GRE_PPP: u16 = 0x880b;
const ERSPAN: u16 = 0x88be;
const VXLAN: u16 = 4789;
/// What Linux took before there was a number.
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const TZSP: u16 = 37008;
/// Types: 0 a packet that was received, 1 one that is to be sent.
const TZSP_TO_SEND: u8 = 1;
const TZSP_PADDING: u8 = 0;
const TZSP_END: u8 = 1;
const TZSP_ETHERNET: u16 = 1;
const TZSP_WIFI: u16 = 18;
