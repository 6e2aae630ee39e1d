//! Link layers: whatever stands before an IP header.
//!
//! Gets: a link type and a packet, or what a tunnel carried. Gives: the version of IP, and the
//! packet from its IP header on. Keeps: nothing.

use etherparse::EtherType;

use super::span::Span;
use super::{Skip, pseudo, wifi};
use crate::capture::LinkType;

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// What the next byte is the first of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// An Ethernet frame, from its destination address on.
    Ethernet,
    /// What an `EtherType` (or an IEEE 802.3 length) announces.
    Ether(u16),
    /// An IEEE 802.2 LLC header.
    Llc,
    /// Linux "cooked" capture, version 1.
    Sll,
    /// Linux "cooked" capture, version 2.
    Sll2,
    /// A BSD address family, in the byte order of whoever captured.
    Family,
    /// PPP, with or without HDLC-like framing.
    Ppp,
    /// PPP over a serial line, or Cisco HDLC.
    SerialPpp,
    /// A PPPoE session header.
    Pppoe,
    /// A stack of MPLS labels.
    Mpls,
    /// A frame of IEEE 802.11; with `aligned`, its header is filled up to a multiple of 4 bytes.
    Wifi {
        /// Is it.
        aligned: bool,
    },
    /// The same behind a radiotap header.
    Radiotap,
    /// The same behind a header of Prism or AVS.
    PrismOrAvs,
    /// Per-packet information, and a link layer that it tells.
    Ppi,
    /// The header of macOS's pktap, and a link layer that it tells.
    Pktap,
    /// The log of BSD's packet filter.
    Pflog,
    /// Linux's netfilter log.
    Nflog,
    /// A header with an `EtherType` in it.
    EtherAt {
        /// Where.
        at: usize,
        /// Bytes of the header.
        len: usize,
    },
    /// So many bytes that do not matter, and an IP header of either version.
    IpBehind(usize),
    /// An IP header of either version.
    AnyIp,
    /// An IP header.
    Ip(Version),
}

/// Cisco HDLC: an address byte, a control byte.
const CISCO_HDLC: Layer = Layer::EtherAt { at: 2, len: 4 };

/// Link types that can be read, with how their packets begin
/// (<https://www.tcpdump.org/linktypes.html>).
pub(super) const LINKS: &[(u16, Layer)] = &[
    (1, Layer::Ethernet),
    (113, Layer::Sll),
    (276, Layer::Sll2),
    (0, Layer::Family),
    (108, Layer::Family),
    // RAW is 101 in files; 12 and 14 are what systems call it, and some write that.
    (101, Layer::AnyIp),
    (12, Layer::AnyIp),
    (14, Layer::AnyIp),
    (228, Layer::Ip(Version::V4)),
    (229, Layer::Ip(Version::V6)),
    (9, Layer::Ppp),
    (50, Layer::SerialPpp),
    (51, Layer::Pppoe),
    (104, CISCO_HDLC),
    (105, Layer::Wifi { aligned: false }),
    (127, Layer::Radiotap),
    (119, Layer::PrismOrAvs),
    (163, Layer::PrismOrAvs),
    (192, Layer::Ppi),
    (258, Layer::Pktap),
    (117, Layer::Pflog),
    (239, Layer::Nflog),
    // LLC over ATM (RFC 2684).
    (100, Layer::Llc),
    // IP over FireWire as macOS has it: two addresses of 8 bytes.
    (138, Layer::EtherAt { at: 16, len: 18 }),
    // IP over InfiniBand (RFC 4391): its global routing header, the number and two reserved bytes.
    (242, Layer::EtherAt { at: 40, len: 44 }),
    // OpenBSD's view into IPsec, and the IPNET of Solaris.
    (109, Layer::IpBehind(12)),
    (226, Layer::IpBehind(24)),
];

/// How packets of a link type begin.
#[inline]
pub(super) fn first_layer(link: LinkType) -> Result<Layer, Skip> {
    LINKS
        .iter()
        .find(|(number, _)| *number == link.0)
        .map(|&(_, layer)| layer)
        .ok_or(Skip::LinkTypeUnknown)
}

/// Walks down to the IP header. Every step but the last two takes bytes off, so it ends.
#[inline]
pub(super) fn network(mut layer: Layer, mut span: Span<'_>) -> Result<(Version, Span<'_>), Skip> {
    loop {
        (layer, span) = match layer {
            Layer::Ip(version) => return Ok((version, span)),
            Layer::AnyIp => (by_nibble(span)?, span),
            Layer::Ethernet => {
                let (&[.., high, low], rest) = span.fixed::<14>(Skip::BadLinkHeader)?;
                (Layer::Ether(u16::from_be_bytes([high, low])), rest)
            }
            Layer::Ether(number) => ether(number, span)?,
            Layer::Llc => llc(span)?,
            Layer::Sll => sll(span)?,
            Layer::Sll2 => sll2(span)?,
            Layer::Family => family(span)?,
            Layer::Ppp => ppp(span)?,
            Layer::SerialPpp => serial_ppp(span)?,
            Layer::Pppoe => pppoe(span)?,
            Layer::Wifi { aligned } => wifi::frame(aligned, span)?,
            Layer::Radiotap => wifi::radiotap(span)?,
            Layer::PrismOrAvs => wifi::prism_or_avs(span)?,
            Layer::Ppi => pseudo::ppi(span)?,
            Layer::Pktap => pseudo::pktap(span)?,
            Layer::Pflog => pseudo::pflog(span)?,
            Layer::Nflog => pseudo::nflog(span)?,
            Layer::EtherAt { at, len } => {
                let number = span.skip(at, Skip::BadLinkHeader)?;
                let (&[high, low], _) = number.fixed(Skip::BadLinkHeader)?;
                let rest = span.skip(len, Skip::BadLinkHeader)?;
                (Layer::Ether(u16::from_be_bytes([high, low])), rest)
            }
            Layer::IpBehind(len) => (Layer::AnyIp, span.skip(len, Skip::BadLinkHeader)?),
            Layer::Mpls => mpls(span)?,
        };
    }
}

/// IPv4 or IPv6, told by the first four bits.
fn by_nibble(span: Span<'_>) -> Result<Layer, Skip> {
    let (&[first], _) = span.fixed(Skip::BadIpHeader)?;
    match first >> 4 {
        4 => Ok(Layer::Ip(Version::V4)),
        6 => Ok(Layer::Ip(Version::V6)),
        _ => Err(Skip::NotIp),
    }
}

/// What follows an `EtherType`.
#[inline]
fn ether(number: u16, span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    match EtherType(number) {
        EtherType::IPV4 => Ok((Layer::Ip(Version::V4), span)),
        EtherType::IPV6 => Ok((Layer::Ip(Version::V6), span)),
        // IEEE 802.1Q, 802.1ad, and the number that QinQ had before there was a standard.
        EtherType::VLAN_TAGGED_FRAME
        | EtherType::PROVIDER_BRIDGING
        | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
            let (&[_, _, high, low], rest) = span.fixed(Skip::BadLinkHeader)?;
            Ok((Layer::Ether(u16::from_be_bytes([high, low])), rest))
        }
        EtherType::ARP => Err(Skip::Arp),
        EtherType(MPLS_UNICAST | MPLS_MULTICAST) => Ok((Layer::Mpls, span)),
        EtherType(PPPOE_SESSION) => Ok((Layer::Pppoe, span)),
        // IEEE 802.3 3.2.6: up to 1500 it is a length, and an LLC header follows.
        EtherType(0..=1500) => Ok((Layer::Llc, span)),
        _ => Err(Skip::NotIp),
    }
}

/// RFC 1042: a SNAP header behind LLC brings the `EtherType` back.
fn llc(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[dsap, ssap, control], rest) = span.fixed(Skip::BadLinkHeader)?;
    if [dsap, ssap, control] != [0xaa, 0xaa, 0x03] {
        return Err(Skip::NotIp);
    }
    let (&[a, b, c, high, low], rest) = rest.fixed(Skip::BadLinkHeader)?;
    match ([a, b, c], u16::from_be_bytes([high, low])) {
        // A length here would be LLC inside of LLC: nobody sends it.
        ([0, 0, 0], number @ 0x0600..) => Ok((Layer::Ether(number), rest)),
        _ => Err(Skip::NotIp),
    }
}

/// Linux "cooked" capture. Read by hand: what the hardware type is does not matter here, and
/// tunnels and other odd interfaces have many.
fn sll(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[_, _, hardware_0, hardware_1, .., high, low], rest) =
        span.fixed::<16>(Skip::BadLinkHeader)?;
    cooked([hardware_0, hardware_1], [high, low]).map(|layer| (layer, rest))
}

/// Linux "cooked" capture with an interface number.
fn sll2(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[high, low, _, _, _, _, _, _, hardware_0, hardware_1, ..], rest) =
        span.fixed::<20>(Skip::BadLinkHeader)?;
    cooked([hardware_0, hardware_1], [high, low]).map(|layer| (layer, rest))
}

/// The protocol field of a cooked capture: an `EtherType`, unless the hardware type says otherwise.
fn cooked(hardware: [u8; 2], protocol: [u8; 2]) -> Result<Layer, Skip> {
    match (u16::from_be_bytes(hardware), u16::from_be_bytes(protocol)) {
        (ARPHRD_NETLINK, _) => Err(Skip::NotIp),
        // Below the `EtherType`s stand Linux's own numbers.
        (_, LINUX_ETH_P_802_2) => Ok(Layer::Llc),
        (_, ..=0x05ff) => Err(Skip::NotIp),
        (_, number) => Ok(Layer::Ether(number)),
    }
}

/// BSD loopback: four bytes of address family, in the byte order of the machine that captured
/// (NULL) or of the network (LOOP). Families are small numbers, so the order shows.
fn family(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&bytes, rest) = span.fixed(Skip::BadLinkHeader)?;
    let little = u32::from_le_bytes(bytes);
    let family = if little > 0xffff { little.swap_bytes() } else { little };
    match family {
        2 => Ok((Layer::Ip(Version::V4), rest)),
        // Linux; Windows; NetBSD and OpenBSD; FreeBSD; macOS.
        10 | 23 | 24 | 28 | 30 => Ok((Layer::Ip(Version::V6), rest)),
        _ => Err(Skip::NotIp),
    }
}

/// RFC 1661 section 2, with the address and control bytes of RFC 1662 or without.
fn ppp(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[first], after_first) = span.fixed(Skip::BadLinkHeader)?;
    if first == 0xff {
        return ppp_protocol(after_first.skip(1, Skip::BadLinkHeader)?);
    }
    ppp_protocol(span)
}

/// RFC 1661 section 6.5: the protocol field may be compressed to one byte. The last byte of it is
/// the one that is odd.
fn ppp_protocol(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[first], rest) = span.fixed(Skip::BadLinkHeader)?;
    let (protocol, rest) = if first & 1 == 1 {
        (u16::from(first), rest)
    } else {
        let (&[second], rest) = rest.fixed(Skip::BadLinkHeader)?;
        (u16::from_be_bytes([first, second]), rest)
    };
    match protocol {
        0x0021 => Ok((Layer::Ip(Version::V4), rest)),
        0x0057 => Ok((Layer::Ip(Version::V6), rest)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, rest)),
        _ => Err(Skip::NotIp),
    }
}

/// Serial lines: RFC 1662 framing, or Cisco HDLC told by its address byte.
fn serial_ppp(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[first], _) = span.fixed(Skip::BadLinkHeader)?;
    let layer = if matches!(first, 0x0f | 0x8f) { CISCO_HDLC } else { Layer::Ppp };
    Ok((layer, span))
}

/// RFC 2516 section 4: version and type 1, code 0 in a session. The length is left to IP.
fn pppoe(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    match span.fixed(Skip::BadLinkHeader)? {
        (&[0x11, 0, _, _, _, _], rest) => Ok((Layer::Ppp, rest)),
        _ => Err(Skip::NotIp),
    }
}

/// RFC 3032: labels up to the one with the bottom-of-stack bit; none says what it carries.
fn mpls(mut span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    loop {
        let (&[_, _, bottom, _], rest) = span.fixed(Skip::BadLinkHeader)?;
        span = rest;
        if bottom & 1 == 1 {
            break;
        }
    }
    // RFC 4928: what does not start with 4 or 6 is no IP. RFC 4448 section 4.6: a pseudowire's
    // control word starts with 0, and an Ethernet frame follows it.
    let (&[first], _) = span.fixed(Skip::BadLinkHeader)?;
    if first >> 4 == 0 {
        return Ok((Layer::Ethernet, span.skip(4, Skip::BadLinkHeader)?));
    }
    Ok((by_nibble(span)?, span))
}

const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const ARPHRD_NETLINK: u16 = 824;
const LINUX_ETH_P_802_2: u16 = 4;
