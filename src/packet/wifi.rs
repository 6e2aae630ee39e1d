//! Wi-Fi: frames of IEEE 802.11, and what captures put before them.
//!
//! Gets: a frame that carries data in the clear. Gives: its payload, which is LLC. Keeps: nothing.
//!
//! Frames of which a radio made several (fragments, aggregates of several packets) are not put
//! together or taken apart.

use super::Skip;
use super::link::Layer;
use super::span::Span;

/// A frame of IEEE 802.11 section 9.2.3; `aligned`: its header is filled up to a multiple of 4 bytes.
pub(super) fn frame(aligned: bool, span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&fixed, rest) = span.fixed::<24>(Skip::BadLinkHeader)?;
    let [kind, flags, .., sequence, _] = fixed;
    let has = |bit: u8| flags & bit != 0;
    if kind & VERSION_AND_TYPE != DATA || kind & NO_DATA != 0 {
        return Err(Skip::NotIp);
    }
    if has(PROTECTED) {
        return Err(Skip::WifiEncrypted);
    }
    if has(MORE_FRAGMENTS) || sequence & FRAGMENT != 0 {
        return Err(Skip::NotIp);
    }
    let fourth_address = if has(TO_DS) && has(FROM_DS) { 6 } else { 0 };
    let mut rest = rest.skip(fourth_address, Skip::BadLinkHeader)?;
    let mut len = 24 + fourth_address;
    if kind & QOS != 0 {
        let (&[control, _], behind) = rest.fixed(Skip::BadLinkHeader)?;
        if control & AGGREGATE != 0 {
            return Err(Skip::NotIp);
        }
        let throughput = if has(HT_CONTROL) { 4 } else { 0 };
        rest = behind.skip(throughput, Skip::BadLinkHeader)?;
        len += 2 + throughput;
    }
    if aligned {
        rest = rest.skip(len.next_multiple_of(4) - len, Skip::BadLinkHeader)?;
    }
    Ok((Layer::Llc, rest))
}

/// Radiotap (<https://www.radiotap.org>): its flags tell whether the frame's header is filled up.
pub(super) fn radiotap(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[version, _, low, high], _) = span.fixed(Skip::BadLinkHeader)?;
    let len = usize::from(u16::from_le_bytes([low, high]));
    if version != 0 || len < 8 {
        return Err(Skip::BadLinkHeader);
    }
    let (header, rest) = span.header(len, Skip::BadLinkHeader)?;
    Ok((Layer::Wifi { aligned: radiotap_flags(header) & RADIOTAP_ALIGNED != 0 }, rest))
}

/// The field Flags; 0 where there is none.
fn radiotap_flags(header: &[u8]) -> u8 {
    let words = header.get(4..).unwrap_or_default().as_chunks::<4>().0;
    let present = words.first().copied().map_or(0, u32::from_le_bytes);
    let more = words.iter().take_while(|word| u32::from_le_bytes(**word) & RADIOTAP_MORE != 0);
    let mut at = 4 + 4 * (more.count() + 1);
    if present & RADIOTAP_TSFT != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if present & RADIOTAP_FLAGS == 0 { 0 } else { header.get(at).copied().unwrap_or(0) }
}

/// The header of AVS (its lengths in network byte order), or the one of Prism (in that of whoever
/// captured): both may stand under the number of the latter.
pub(super) fn prism_or_avs(span: Span<'_>) -> Result<(Layer, Span<'_>), Skip> {
    let (&[m0, m1, m2, m3, l0, l1, l2, l3], rest) = span.fixed(Skip::BadLinkHeader)?;
    let (magic, len) = ([m0, m1, m2, m3], [l0, l1, l2, l3]);
    let big = u32::from_be_bytes(len);
    let len = match u32::from_be_bytes(magic) & AVS_MASK {
        AVS_MAGIC => big,
        _ => big.min(u32::from_le_bytes(len)),
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let behind = len.checked_sub(8).ok_or(Skip::BadLinkHeader)?;
    Ok((Layer::Wifi { aligned: false }, rest.skip(behind, Skip::BadLinkHeader)?))
}

const VERSION_AND_TYPE: u8 = 0x0f;
const DATA: u8 = 0x08;
const NO_DATA: u8 = 0x40;
const QOS: u8 = 0x80;
const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const HT_CONTROL: u8 = 0x80;
/// Of the sequence control, the number of the fragment.
const FRAGMENT: u8 = 0x0f;
/// Of the quality of service control: an A-MSDU.
const AGGREGATE: u8 = 0x80;
const RADIOTAP_TSFT: u32 = 1;
const RADIOTAP_FLAGS: u32 = 1 << 1;
const RADIOTAP_MORE: u32 = 1 << 31;
const RADIOTAP_ALIGNED: u8 = 0x20;
const AVS_MASK: u32 = 0xffff_f000;
const AVS_MAGIC: u32 = 0x8021_1000;
