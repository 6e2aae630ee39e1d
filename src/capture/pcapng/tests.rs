//! Blocks as they come, whole and damaged.

use super::super::samples::{self, Found, SECTION as HEAD, block, read};
use super::super::{CaptureError, Format};
use super::*;

/// Link type 1, snapshot length 0, no options.
const PLAIN: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

/// Interface 0, time `0x1_0000_0002`, 3 of 5 bytes captured.
const PACKET: [u8; 23] =
    [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0xaa, 0xbb, 0xcc];

fn file(blocks: &[(u32, &[u8])]) -> Vec<u8> {
    blocks.iter().fold(HEAD.to_vec(), |mut file, (kind, body)| {
        file.extend(block(*kind, body));
        file
    })
}

fn found(at: u64, time: Option<i64>) -> Found {
    Found { at, time, link: LinkType(1), orig_len: 5, bytes: vec![0xaa, 0xbb, 0xcc] }
}

fn fault(blocks: &[(u32, &[u8])]) -> Fault {
    match read(&file(blocks)).1 {
        Some(CaptureError::Damaged { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_enhanced_packet_counts_microseconds_unless_told_otherwise() {
    let (records, error) = read(&file(&[(1, &PLAIN), (6, &PACKET)]));
    assert_eq!(records, [found(48, Some(0x1_0000_0002 * 1000))]);
    assert!(error.is_none());
}

#[test]
fn times_follow_the_resolution_and_offset_of_their_interface() {
    // if_tsresol values and what 0x1_0000_0002 units are in nanoseconds.
    let cases: [(u8, i64); 7] = [
        (0, 4_294_967_298_000_000_000),
        (3, 4_294_967_298_000_000),
        (9, 4_294_967_298),
        (12, 4_294_967),
        (127, 0),
        (0xa0, 1_000_000_000),
        (0x8a, 4_194_304_001_953_125),
    ];
    for (resolution, want) in cases {
        let body = [&PLAIN[..], &[9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0]].concat();
        let records = read(&file(&[(1, &body), (6, &PACKET)])).0;
        assert_eq!(records[0].time, Some(want), "if_tsresol {resolution:#x}");
    }
    // if_tsoffset is in seconds, whatever the resolution, and may be negative.
    let body = [
        &PLAIN[..],
        &[9, 0, 1, 0, 9, 0, 0, 0, 14, 0, 8, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]
    .concat();
    let records = read(&file(&[(1, &body), (6, &PACKET)])).0;
    assert_eq!(records[0].time, Some(4_294_967_298 - 2_000_000_000));
}

#[test]
fn a_simple_packet_has_no_time_and_is_cut_by_the_snapshot_length() {
    let three = [1, 0, 0, 0, 3, 0, 0, 0];
    let simple = [5, 0, 0, 0, 0xaa, 0xbb, 0xcc];
    let records = read(&file(&[(1, &three), (3, &simple)])).0;
    assert_eq!(records, [found(48, None)]);
}

#[test]
fn an_obsolete_packet_brings_its_drops() {
    let mut packet = PACKET;
    packet[2] = 7;
    let mut source = samples::source(&file(&[(1, &PLAIN), (2, &packet), (2, &packet)])).unwrap();
    let records = samples::drain(&mut source).0;
    assert_eq!(records[0], found(48, Some(0x1_0000_0002 * 1000)));
    assert_eq!(source.summary().interfaces[0].dropped, 14);
}

#[test]
fn packets_at_hand_are_those_that_come_one_by_one() {
    let comment = [&PACKET[..], &[0], &[1, 0, 2, 0, b'h', b'i', 0, 0, 0, 0, 0, 0]].concat();
    let drops = [&PACKET[..], &[0], &[4, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut unpadded = PACKET[..20].to_vec();
    unpadded[12] = 0;
    let simple = [5, 0, 0, 0, 0xaa, 0xbb, 0xcc];
    let blocks: &[(u32, &[u8])] = &[
        (1, &PLAIN),
        (6, &PACKET),
        (6, &comment),
        (0xbad, &[1, 2, 3, 4]),
        (6, &PACKET),
        (6, &drops),
        (6, &unpadded),
        (3, &simple),
        (2, &PACKET),
        (6, &PACKET),
    ];
    let mut bytes = file(blocks);
    samples::check_at_hand(&bytes);
    // Cut in the last packet, its length not repeated, and of an interface that is not there.
    let end = bytes.len();
    samples::check_at_hand(&bytes[..end - 5]);
    bytes[end - 4] += 4;
    samples::check_at_hand(&bytes);
    bytes[end - 4] -= 4;
    bytes[end - 28] = 9;
    samples::check_at_hand(&bytes);
}

#[test]
fn a_section_in_big_endian_order_starts_its_interfaces_anew() {
    let big = [
        0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28, //
        0, 0, 0, 1, 0, 0, 0, 20, 0, 113, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, //
        0, 0, 0, 6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0xaa,
        0xbb, 0xcc, 0, 0, 0, 0, 36,
    ];
    let first = file(&[(1, &PLAIN), (1, &PLAIN), (6, &PACKET)]);
    let both = [&first[..], &big].concat();
    let mut source = samples::source(&both).unwrap();
    let (records, error) = samples::drain(&mut source);
    assert!(error.is_none(), "{error:?}");
    let at = first.len() as u64 + 48;
    let last = Found { link: LinkType(113), ..found(at, Some(0x1_0000_0002 * 1000)) };
    assert_eq!(records, [found(68, Some(0x1_0000_0002 * 1000)), last]);
    let links: Vec<_> = source.summary().interfaces.iter().map(|i| i.link.0).collect();
    assert_eq!(links, [1, 1, 113]);
    assert_eq!(source.summary().format, Some(Format::Pcapng));
}

#[test]
fn unknown_blocks_are_skipped_by_length_and_their_end_checked() {
    let custom = vec![7; 5000];
    let records = read(&file(&[(0xbad, &custom), (1, &PLAIN), (4, &[]), (6, &PACKET)])).0;
    assert_eq!(records.len(), 1);
    let mut broken = file(&[(0xbad, &[1, 2, 3, 4])]);
    *broken.last_mut().unwrap() = 1;
    let error = read(&broken).1.unwrap().to_string();
    assert!(error.contains("block length 16 is repeated as 16777232 at its end"), "{error}");
}

#[test]
fn names_comments_statistics_and_secrets_are_read() {
    let interface = [
        &PLAIN[..],
        &[2, 0, 2, 0, b'l', b'o', 0, 0, 3, 0, 4, 0, b'l', b'o', b'o', b'p'],
        &[11, 0, 4, 0, 0, b't', b'c', b'p', 15, 0, 3, 0, b'n', b'i', b'c', 0, 0, 0, 0, 0],
    ]
    .concat();
    let packet = [&PACKET[..], &[0], &[1, 0, 2, 0, b'h', b'i', 0, 0, 0, 0, 0, 0]].concat();
    let statistics = [
        &[0; 12][..],
        &[4, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0],
        &[7, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let secrets = [&b"KSLT"[..], &[4, 0, 0, 0], b"keys"].concat();
    let bytes =
        file(&[(1, &interface), (10, &secrets), (6, &packet), (5, &statistics), (6, &PACKET)]);
    let mut source = samples::source(&bytes).unwrap();
    let (records, error) = samples::drain(&mut source);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.len(), 2);
    let summary = source.summary();
    let lo = &summary.interfaces[0];
    assert_eq!(
        [&lo.name, &lo.description, &lo.filter, &lo.hardware].map(|t| t.as_deref().unwrap()),
        ["lo", "loop", "tcp", "nic"]
    );
    assert_eq!((lo.received, lo.dropped, summary.dropped), (Some(100), 5, 5));
    assert_eq!(summary.comments, [Comment { packet: Some(PacketNo(1)), text: "hi".into() }]);
    let want = Secrets { kind: Secrets::TLS_KEY_LOG, data: b"keys".to_vec() };
    assert_eq!(summary.secrets, [want]);
}

#[test]
fn what_cannot_be_is_an_error_and_what_came_before_it_is_given() {
    let mut no_interface = PACKET;
    no_interface[0] = 3;
    let error = fault(&[(1, &PLAIN), (6, &no_interface)]);
    assert_eq!(error, Fault::NoInterface { id: 3, count: 1 });

    let mut too_long = PACKET;
    too_long[12] = 5;
    let error = fault(&[(1, &PLAIN), (6, &too_long)]);
    assert_eq!(error, Fault::PacketLength { captured: 5, len: 36 });

    for (len, want) in [
        (7, "block length 7 is not a multiple of 4"),
        (8, "block length 8 is too small for its type"),
        (u32::MAX - 3, "record claims 4294967260 bytes"),
    ] {
        let mut bytes = file(&[(1, &PLAIN), (6, &PACKET), (6, &PACKET)]);
        bytes[48 + 36 + 4..][..4].copy_from_slice(&len.to_le_bytes());
        let (records, error) = read(&bytes);
        assert_eq!(records.len(), 1);
        let text = error.unwrap().to_string();
        assert!(text.contains(want) && text.contains("packet 2, offset 0x54"), "{text}");
    }
}

#[test]
fn a_pipe_gives_its_first_packet_before_the_second_comes() {
    let mut source = samples::stuck_after(&file(&[(1, &PLAIN), (6, &PACKET)]));
    let record = super::super::PacketSource::next(&mut source).unwrap().unwrap();
    assert_eq!(record.bytes, [0xaa, 0xbb, 0xcc]);
}
