//! IP headers, options and extension headers.
//!
//! Gets: a packet from its IP header on. Gives: a [`Datagram`], or a fragment of one. Keeps: nothing.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, err};

use super::Skip;
use super::link::Version;
use super::span::Span;

/// An IP packet without its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    /// Sender and receiver.
    pub(super) ends: Ends<'a>,
    /// What the payload is.
    pub(super) protocol: IpNumber,
    /// The payload; of a fragment, its part of it.
    pub(super) payload: Span<'a>,
    /// `None` when it is whole.
    pub(super) fragment: Option<Fragment>,
}

impl Datagram<'_> {
    /// Is it whole, and TCP: what nearly every packet is.
    #[inline]
    pub(super) fn is_plain_tcp(&self) -> bool {
        self.protocol == IpNumber::TCP && self.fragment.is_none()
    }
}

/// The addresses of a packet, where they stand in it: to carry an [`IpAddr`] through every layer
/// would cost as much as the decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends<'a> {
    /// Source and destination, 4 bytes each.
    V4(&'a [u8; 8]),
    /// Source and destination, 16 bytes each.
    V6(&'a [u8; 32]),
}

impl Ends<'_> {
    /// Source and destination.
    #[inline]
    pub(super) fn pair(self) -> (IpAddr, IpAddr) {
        match self {
            Ends::V4(both) => halves(both.first_chunk::<4>(), both.last_chunk()),
            Ends::V6(both) => halves(both.first_chunk::<16>(), both.last_chunk()),
        }
    }

    /// Are they of IPv6.
    pub(super) const fn are_v6(self) -> bool {
        matches!(self, Ends::V6(_))
    }
}

/// Two addresses; both halves are there, or the caller's array would be shorter.
#[inline]
fn halves<const N: usize>(src: Option<&[u8; N]>, dst: Option<&[u8; N]>) -> (IpAddr, IpAddr)
where
    IpAddr: From<[u8; N]>,
{
    let address = |half: Option<&[u8; N]>| IpAddr::from(half.copied().unwrap_or([0; N]));
    (address(src), address(dst))
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The number that all fragments of a datagram share.
    pub(super) id: u32,
    /// Bytes of the datagram before it.
    pub(super) offset: usize,
    /// It is not the last.
    pub(super) more: bool,
}

/// Reads the header of an IP packet; [`extensions`] may follow it.
#[inline]
pub(super) fn header(version: Version, span: Span<'_>) -> Result<Datagram<'_>, Skip> {
    match version {
        Version::V4 => v4(span),
        Version::V6 => v6(span),
    }
}

#[inline]
fn v4(span: Span<'_>) -> Result<Datagram<'_>, Skip> {
    let header = Ipv4HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        err::ipv4::HeaderSliceError::Len(len) => span.lacks(len.required_len, Skip::BadIpHeader),
        err::ipv4::HeaderSliceError::Content(_) => Skip::BadIpHeader,
    })?;
    // RFC 791 section 3.1: the total length is that of header and data; what is behind it is the
    // link layer's padding. Segmentation offload leaves 0 there: then all that was captured is meant.
    let packet = match usize::from(header.total_len()) {
        0 => span,
        total => span.limit(total),
    };
    let payload = packet.skip(header.slice().len(), Skip::BadIpHeader)?;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset: usize::from(header.fragments_offset().byte_offset()),
        more: header.more_fragments(),
    });
    Ok(Datagram {
        ends: Ends::V4(ends(header.slice(), 12)?),
        protocol: header.protocol(),
        payload,
        fragment,
    })
}

#[inline]
fn v6(span: Span<'_>) -> Result<Datagram<'_>, Skip> {
    let header = Ipv6HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        err::ipv6::HeaderSliceError::Len(len) => span.lacks(len.required_len, Skip::BadIpHeader),
        err::ipv6::HeaderSliceError::Content(_) => Skip::BadIpHeader,
    })?;
    let payload = span.skip(header.slice().len(), Skip::BadIpHeader)?;
    // RFC 8200 section 3: extension headers count as payload. RFC 2675 section 2: a jumbogram has 0
    // here, and so has what offload left open: then all that was captured is meant.
    let payload = match usize::from(header.payload_length()) {
        0 => payload,
        len => payload.limit(len),
    };
    Ok(Datagram {
        ends: Ends::V6(ends(header.slice(), 8)?),
        protocol: header.next_header(),
        payload,
        fragment: None,
    })
}

/// The two addresses, which stand side by side.
#[inline]
fn ends<const N: usize>(header: &[u8], at: usize) -> Result<&[u8; N], Skip> {
    header.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Skip::BadIpHeader)
}

/// Takes off extension headers (RFC 8200 section 4), up to the payload or a fragment's. An
/// Authentication Header (RFC 4302) may stand in IPv4 too.
pub(super) fn extensions(mut datagram: Datagram<'_>) -> Result<Datagram<'_>, Skip> {
    // The payload of a fragment starts anywhere.
    while datagram.fragment.is_none() {
        let span = datagram.payload;
        let (len, next) = match (datagram.ends, datagram.protocol) {
            (_, IpNumber::AUTHENTICATION_HEADER) => {
                let (&[next, len], _) = span.fixed(Skip::BadIpHeader)?;
                ((usize::from(len) + 2) * 4, next)
            }
            (
                Ends::V6(_),
                IpNumber::IPV6_HEADER_HOP_BY_HOP
                | IpNumber::IPV6_ROUTE_HEADER
                | IpNumber::IPV6_DESTINATION_OPTIONS
                | IpNumber::MOBILITY_HEADER
                | IpNumber::HIP
                | IpNumber::SHIM6,
            ) => {
                let (&[next, len], _) = span.fixed(Skip::BadIpHeader)?;
                ((usize::from(len) + 1) * 8, next)
            }
            (Ends::V6(_), IpNumber::IPV6_FRAGMENTATION_HEADER) => {
                let header = Ipv6FragmentHeaderSlice::from_slice(span.bytes)
                    .map_err(|error| span.lacks(error.required_len, Skip::BadIpHeader))?;
                // RFC 6946: an atomic fragment is a whole datagram.
                if header.is_fragmenting_payload() {
                    datagram.fragment = Some(Fragment {
                        id: header.identification(),
                        offset: usize::from(header.fragment_offset().byte_offset()),
                        more: header.more_fragments(),
                    });
                }
                (header.slice().len(), header.next_header().0)
            }
            _ => break,
        };
        datagram.payload = span.header(len, Skip::BadIpHeader)?.1;
        datagram.protocol = IpNumber(next);
    }
    Ok(datagram)
}
