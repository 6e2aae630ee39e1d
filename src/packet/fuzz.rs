//! What a fuzzer runs: the laws of decoding on arbitrary bytes.

use super::link::LINKS;
use super::{Decoded, Decoder, Skip};
use crate::capture::{LinkType, PacketRecord};
use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// Decodes arbitrary bytes under every link type, whole and cut, and as a row of packets.
///
/// # Panics
/// When a law is broken: a packet cut anywhere gives the same segment, with the bytes that lack
/// counted; what is held stays within its limits.
#[doc(hidden)]
pub fn fuzz_decode(data: &[u8]) {
    let (cut, data) = data.split_first().map_or((0, data), |(&cut, data)| (usize::from(cut), data));
    for &(link, _) in LINKS {
        let whole = record(link, data, data.len(), 1);
        cut_law(&whole, cut.min(data.len()));
        row_law(link, data);
    }
    let unknown = record(0xffff, data, data.len(), 1);
    let other = Decoder::new(&Limits::default()).decode(&unknown)
        == Decoded::Other(match data {
            [] => Skip::Empty,
            _ => Skip::LinkTypeUnknown,
        });
    assert!(other, "an unknown link type was read");
}

/// The first `cut` bytes of a packet give its segment, or lack headers.
pub(super) fn cut_law(whole: &PacketRecord<'_>, cut: usize) {
    let bytes = whole.bytes.get(..cut).unwrap_or(whole.bytes);
    let part = PacketRecord { bytes, ..*whole };
    let (mut a, mut b) = (Decoder::new(&Limits::default()), Decoder::new(&Limits::default()));
    match (a.decode(whole), b.decode(&part)) {
        (Decoded::Segment(whole), Decoded::Segment(part)) => {
            let length = |payload: &[u8], cut: u32| payload.len() as u64 + u64::from(cut);
            assert_eq!(length(whole.payload, whole.cut), length(part.payload, part.cut));
            assert!(whole.payload.starts_with(part.payload), "{part:?}");
            assert!(bytes.ends_with(part.payload) || part.cut == whole.cut, "{part:?}");
            assert_eq!((whole.src, whole.dst, whole.seq), (part.src, part.dst, part.seq));
        }
        (Decoded::Segment(_), Decoded::Other(skip)) => assert_eq!(skip, Skip::CutInHeaders),
        (
            // That it was cut is told before what else is wrong with it.
            Decoded::Other(Skip::IpFragment | Skip::BadIpFragment),
            Decoded::Other(Skip::IpFragmentCut),
        ) => {}
        (whole, part) => {
            let cut = part == Decoded::Other(Skip::CutInHeaders);
            assert!(cut || whole == part, "{whole:?} {part:?}");
        }
    }
}

/// The bytes as packets of two bytes of length each, so that fragments meet.
fn row_law(link: u16, mut data: &[u8]) {
    let limits = Limits { ip_fragments: 4, ip_fragment_bytes: 4096, ..Limits::default() };
    let mut decoder = Decoder::new(&limits);
    let mut packets = 0;
    let mut segments = 0;
    while let Some((&[high, low], rest)) = data.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (bytes, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        data = rest;
        packets += 1;
        let record = record(link, bytes, len, packets);
        segments += u64::from(matches!(decoder.decode(&record), Decoded::Segment(_)));
        assert!(decoder.fragments.within_limits(), "{:?}", decoder.fragments);
    }
    let skipped: u64 = decoder.skipped().map(|(_, count)| count).sum();
    assert!(segments + skipped <= packets, "more packets counted than there were");
}

fn record(link: u16, bytes: &[u8], wire: usize, no: u64) -> PacketRecord<'_> {
    PacketRecord {
        interface: crate::capture::InterfaceId(0),
        no: PacketNo(no),
        at: FileOffset(0),
        time: Some(Timestamp(0)),
        link: LinkType(link),
        orig_len: u32::try_from(wire).unwrap_or(u32::MAX),
        bytes,
    }
}
