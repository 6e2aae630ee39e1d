//! Every encapsulation, with its bytes written out, and the laws of cutting.

use std::net::SocketAddr;

use etherparse::{PacketBuilder, TcpOptionElement};
use proptest::prelude::*;

use super::*;
use crate::capture::LinkType;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// 10.0.0.1 to 10.0.0.2, 25 bytes of payload; checksums are not looked at, so 0.
const IPV4: [u8; 20] = [
    0x45, 0x00, 0x00, 0x2d, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, //
    10, 0, 0, 1, 10, 0, 0, 2,
];

/// `fd00::1` to `fd00::2`, 25 bytes of payload.
const IPV6: [u8; 40] = [
    0x60, 0x00, 0x00, 0x00, 0x00, 0x19, 0x06, 0x40, //
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
];

/// 40000 to 8088, PSH and ACK, window 512, "hello".
const TCP: [u8; 25] = [
    0x9c, 0x40, 0x1f, 0x98, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, //
    0x50, 0x18, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, //
    b'h', b'e', b'l', b'l', b'o',
];

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

fn v4() -> Vec<u8> {
    [&IPV4[..], &TCP].concat()
}

fn v6() -> Vec<u8> {
    [&IPV6[..], &TCP].concat()
}

fn ethernet(ether_type: u16, rest: &[u8]) -> Vec<u8> {
    [&MACS[..], &ether_type.to_be_bytes(), rest].concat()
}

/// An IPv4 header that states the length of what it carries.
fn ipv4(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = IPV4;
    header[2..4].copy_from_slice(&u16::try_from(20 + rest.len()).unwrap().to_be_bytes());
    header[9] = protocol;
    [&header[..], rest].concat()
}

fn ipv6(next_header: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = IPV6;
    header[4..6].copy_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
    header[6] = next_header;
    [&header[..], rest].concat()
}

fn record(link: u16, bytes: &[u8]) -> PacketRecord<'_> {
    PacketRecord {
        interface: crate::capture::InterfaceId(0),
        no: PacketNo(3),
        at: FileOffset(0),
        time: Some(Timestamp(1)),
        link: LinkType(link),
        orig_len: u32::try_from(bytes.len()).unwrap(),
        bytes,
    }
}

fn decode(link: u16, bytes: &[u8]) -> Result<(Vec<u8>, u32), Skip> {
    segment(&mut Decoder::new(&Limits::default()), &record(link, bytes))
}

fn segment(decoder: &mut Decoder, record: &PacketRecord<'_>) -> Result<(Vec<u8>, u32), Skip> {
    match decoder.decode(record) {
        Decoded::Segment(segment) => Ok((segment.payload.to_vec(), segment.cut)),
        Decoded::Other(skip) => Err(skip),
    }
}

/// The packet gives "hello" whole, and every cut of it keeps the law.
#[track_caller]
fn gives_hello(link: u16, bytes: &[u8]) {
    assert_eq!(decode(link, bytes), Ok((b"hello".to_vec(), 0)), "link type {link}");
    let record = record(link, bytes);
    for cut in 0..=bytes.len() {
        fuzz::cut_law(&record, cut);
    }
}

#[test]
fn every_field_of_a_segment_is_read() {
    let bytes = ethernet(0x0800, &v4());
    let segment = Segment {
        origin: Origin { packet: PacketNo(3), time: Some(Timestamp(1)) },
        src: SocketAddr::from(([10, 0, 0, 1], 40000)),
        dst: SocketAddr::from(([10, 0, 0, 2], 8088)),
        seq: SeqNo(0x0102_0304),
        ack: SeqNo(0x0506_0708),
        flags: TcpFlags::PSH | TcpFlags::ACK,
        window: 512,
        payload: b"hello",
        cut: 0,
    };
    let mut decoder = Decoder::new(&Limits::default());
    assert_eq!(decoder.decode(&record(1, &bytes)), Decoded::Segment(segment));
    let bytes = v6();
    let segment = Segment {
        src: SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 40000)),
        dst: SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 8088)),
        ..segment
    };
    assert_eq!(decoder.decode(&record(101, &bytes)), Decoded::Segment(segment));
}

#[test]
fn what_etherparse_builds_is_read_alike() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .double_vlan(100.try_into().unwrap(), 42.try_into().unwrap())
        .ipv6([1; 16], [2; 16], 64)
        .tcp(443, 50000, 99, 1024)
        .syn()
        .options(&[TcpOptionElement::MaximumSegmentSize(1460), TcpOptionElement::Timestamp(1, 2)])
        .unwrap()
        .write(&mut bytes, b"fast open")
        .unwrap();
    let mut decoder = Decoder::new(&Limits::default());
    let Decoded::Segment(segment) = decoder.decode(&record(1, &bytes)) else { panic!() };
    assert_eq!((segment.src.port(), segment.dst.port(), segment.seq), (443, 50000, SeqNo(99)));
    assert_eq!((segment.flags, segment.window), (TcpFlags::SYN, 1024));
    assert_eq!((segment.payload, segment.cut), (b"fast open".as_slice(), 0));
}

mod link_types {
    use super::*;

    #[test]
    fn ethernet_with_tags() {
        gives_hello(1, &ethernet(0x0800, &v4()));
        gives_hello(1, &ethernet(0x86dd, &v6()));
        let vlan = [&[0x00, 0x2a, 0x08, 0x00], &v4()[..]].concat();
        gives_hello(1, &ethernet(0x8100, &vlan));
        let inner = [&[0x00, 0x64, 0x81, 0x00], &vlan[..]].concat();
        gives_hello(1, &ethernet(0x88a8, &inner));
        gives_hello(1, &ethernet(0x9100, &inner));
    }

    #[test]
    fn ethernet_with_llc_and_snap() {
        let snap = [&[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00], &v4()[..]].concat();
        gives_hello(1, &ethernet(53, &snap));
        // Spanning tree.
        assert_eq!(decode(1, &ethernet(38, &[0x42, 0x42, 0x03, 0, 0, 0])), Err(Skip::NotIp));
    }

    #[test]
    fn mpls_labels_carry_ip_or_ethernet() {
        let label = |bottom: u8| [0x00, 0x01, bottom, 0x40];
        let stack = |rest: &[u8]| [&label(0)[..], &label(1), rest].concat();
        gives_hello(1, &ethernet(0x8847, &stack(&v4())));
        gives_hello(1, &ethernet(0x8848, &stack(&v6())));
        let pseudowire = [&[0; 4], &ethernet(0x0800, &v4())[..]].concat();
        gives_hello(1, &ethernet(0x8847, &stack(&pseudowire)));
        assert_eq!(decode(1, &ethernet(0x8847, &label(0))), Err(Skip::BadLinkHeader));
    }

    #[test]
    fn pppoe_session() {
        let ppp = [&[0x11, 0x00, 0x00, 0x07, 0x00, 0x2f, 0x00, 0x21], &v4()[..]].concat();
        gives_hello(1, &ethernet(0x8864, &ppp));
        gives_hello(51, &ppp);
        assert_eq!(decode(1, &ethernet(0x8863, &[0x11, 0x09, 0, 0, 0, 0])), Err(Skip::NotIp));
    }

    #[test]
    fn linux_cooked_captures() {
        let sll = [0, 0, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00];
        gives_hello(113, &[&sll[..], &v4()].concat());
        // A tun device: hardware type 65534.
        let tun = [0, 4, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd];
        gives_hello(113, &[&tun[..], &v6()].concat());
        let sll2 = [0x08, 0, 0, 0, 0, 0, 0, 1, 0x03, 0x04, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
        gives_hello(276, &[&sll2[..], &v4()].concat());
        let vlan = [0x81, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 42, 0x08, 0];
        gives_hello(276, &[&vlan[..], &v4()].concat());
        let netlink = [0, 4, 0x03, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00];
        assert_eq!(decode(113, &[&netlink[..], &v4()].concat()), Err(Skip::NotIp));
    }

    #[test]
    fn bsd_families_in_both_byte_orders() {
        for link in [0, 108] {
            gives_hello(link, &[&[2, 0, 0, 0], &v4()[..]].concat());
            gives_hello(link, &[&[0, 0, 0, 2], &v4()[..]].concat());
            for family in [10, 23, 24, 28, 30] {
                gives_hello(link, &[&[family, 0, 0, 0], &v6()[..]].concat());
                gives_hello(link, &[&[0, 0, 0, family], &v6()[..]].concat());
            }
        }
        assert_eq!(decode(0, &[7, 0, 0, 0, 0x45]), Err(Skip::NotIp));
    }

    #[test]
    fn raw_ip_by_all_its_numbers() {
        for link in [12, 14, 101] {
            gives_hello(link, &v4());
            gives_hello(link, &v6());
            assert_eq!(decode(link, &[0x50; 40]), Err(Skip::NotIp));
        }
        gives_hello(228, &v4());
        gives_hello(229, &v6());
        assert_eq!(decode(228, &v6()), Err(Skip::BadIpHeader));
    }

    #[test]
    fn ppp_framed_compressed_and_serial() {
        for link in [9, 50] {
            gives_hello(link, &[&[0xff, 0x03, 0x00, 0x21], &v4()[..]].concat());
            gives_hello(link, &[&[0xff, 0x03, 0x00, 0x57], &v6()[..]].concat());
            gives_hello(link, &[&[0x00, 0x21], &v4()[..]].concat());
            gives_hello(link, &[&[0x21], &v4()[..]].concat());
            assert_eq!(decode(link, &[0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4]), Err(Skip::NotIp));
        }
        gives_hello(50, &[&[0x0f, 0x00, 0x08, 0x00], &v4()[..]].concat());
        gives_hello(104, &[&[0x0f, 0x00, 0x86, 0xdd], &v6()[..]].concat());
    }

    /// LLC and SNAP with IPv4, as Wi-Fi frames carry it.
    fn snap() -> Vec<u8> {
        [&[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00], &v4()[..]].concat()
    }

    /// A Wi-Fi frame: frame control, the addresses and sequence of all of them, and more.
    fn wifi(kind: u8, flags: u8, more: &[u8]) -> Vec<u8> {
        let mut frame = [0; 24];
        (frame[0], frame[1]) = (kind, flags);
        [&frame[..], more, &snap()].concat()
    }

    #[test]
    fn wifi_frames_with_data_in_the_clear() {
        let (data, qos) = (0x08, 0x88);
        gives_hello(105, &wifi(data, 0x01, &[]));
        gives_hello(105, &wifi(data, 0x02, &[]));
        // Between access points there is a fourth address; QoS, and the HT control behind it.
        gives_hello(105, &wifi(data, 0x03, &[0; 6]));
        gives_hello(105, &wifi(qos, 0x01, &[0; 2]));
        gives_hello(105, &wifi(qos, 0x83, &[0; 6 + 2 + 4]));
        for (kind, flags, more) in [
            // A beacon, a null function, a QoS one; a fragment, an A-MSDU.
            (0x80, 0, &[][..]),
            (0x48, 0x01, &[]),
            (0xc8, 0x01, &[0; 2]),
            (data, 0x05, &[]),
            (qos, 0x01, &[0x80, 0]),
        ] {
            assert_eq!(decode(105, &wifi(kind, flags, more)), Err(Skip::NotIp), "{kind:#x}");
        }
        let mut last_fragment = wifi(data, 0x01, &[]);
        last_fragment[22] = 1;
        assert_eq!(decode(105, &last_fragment), Err(Skip::NotIp));
        assert_eq!(decode(105, &wifi(data, 0x41, &[0; 8])), Err(Skip::WifiEncrypted));
        assert!(Skip::WifiEncrypted.is_trouble());
    }

    #[test]
    fn wifi_frames_behind_the_headers_of_captures() {
        let data = wifi(0x08, 0x01, &[]);
        let plain = [0, 0, 8, 0, 0, 0, 0, 0];
        gives_hello(127, &[&plain[..], &data].concat());
        // Two words say what is present; flags follow the time: the frame's header, of 26 bytes, is
        // filled up to 28.
        let present = [0, 0, 32, 0, 3, 0, 0, 0x80, 0, 0, 0, 0];
        let fields = [&[0; 4 + 8][..], &[0x20, 0, 0, 0, 0, 0, 0, 0]].concat();
        let padded = [&present[..], &fields].concat();
        gives_hello(127, &[&padded[..], &wifi(0x88, 0x01, &[0; 2 + 2])].concat());
        // The flags, without time: nothing is filled up.
        let flags = [0, 0, 9, 0, 2, 0, 0, 0, 0x10];
        gives_hello(127, &[&flags[..], &wifi(0x88, 0x01, &[0; 2])].concat());
        assert_eq!(decode(127, &[0, 0, 7, 0, 0, 0, 0, 0]), Err(Skip::BadLinkHeader));
        let mut prism = [0; 144];
        (prism[0], prism[4]) = (0x44, 144);
        gives_hello(119, &[&prism[..], &data].concat());
        prism[..8].copy_from_slice(&[0, 0, 0, 0x44, 0, 0, 0, 144]);
        gives_hello(119, &[&prism[..], &data].concat());
        let mut avs = [0; 64];
        avs[..8].copy_from_slice(&[0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64]);
        for link in [119, 163] {
            gives_hello(link, &[&avs[..], &data].concat());
        }
        gives_hello(192, &[&[0, 0, 12, 0, 105, 0, 0, 0, 9, 9, 9, 9], &data[..]].concat());
    }

    #[test]
    fn headers_that_tell_the_link_type() {
        let mut pktap = [0; 108];
        (pktap[0], pktap[4], pktap[8]) = (108, 1, 1);
        gives_hello(258, &[&pktap[..], &ethernet(0x0800, &v4())].concat());
        pktap[8] = 0;
        gives_hello(258, &[&pktap[..], &[2, 0, 0, 0], &v4()].concat());
        pktap[4] = 0;
        assert_eq!(decode(258, &pktap), Err(Skip::NotIp));
        let ppi = |link: u8| [&[0, 0, 8, 0, link, 0, 0, 0], &v6()[..]].concat();
        gives_hello(192, &ppi(101));
        assert_eq!(decode(192, &ppi(147)), Err(Skip::LinkTypeUnknown));
    }

    #[test]
    fn logs_of_packet_filters() {
        let mut pflog = [0; 64];
        pflog[0] = 61;
        gives_hello(117, &[&pflog[..], &v4()].concat());
        gives_hello(117, &[&pflog[..], &v6()].concat());
        let little = [2, 0, 0, 0, 5, 0, 10, 0, b'x', 0, 0, 0, 49, 0, 9, 0];
        gives_hello(239, &[&little[..], &v4()].concat());
        let big = [10, 0, 0, 0, 0, 5, 0, 10, b'x', 0, 0, 0, 0, 69, 0, 9];
        gives_hello(239, &[&big[..], &v6()].concat());
        assert_eq!(decode(239, &[7, 0, 0, 0]), Err(Skip::NotIp));
        assert_eq!(decode(239, &[2, 0, 0, 0, 3, 0, 10, 0]), Err(Skip::BadLinkHeader));
        gives_hello(109, &[&[2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], &v4()[..]].concat());
        gives_hello(226, &[&[1, 2, 0, 0][..], &[0; 20], &v4()].concat());
    }

    #[test]
    fn buses_that_carry_ip() {
        gives_hello(100, &snap());
        gives_hello(138, &[&[0; 16][..], &[0x08, 0x00], &v4()].concat());
        gives_hello(242, &[&[0; 40][..], &[0x86, 0xdd, 0, 0], &v6()].concat());
    }

    #[test]
    fn what_is_no_tcp_is_no_trouble() {
        for (bytes, skip) in [
            (ethernet(0x0806, &[0; 28]), Skip::Arp),
            (ethernet(0x88cc, &[0; 28]), Skip::NotIp),
            (ethernet(0x0800, &ipv4(17, &[0; 8])), Skip::Udp),
            (ethernet(0x0800, &ipv4(1, &[8; 8])), Skip::Icmp),
            (ethernet(0x86dd, &ipv6(58, &[8; 8])), Skip::Icmp),
            (ethernet(0x86dd, &ipv6(59, &[])), Skip::NotTcp),
            (ethernet(0x0800, &ipv4(50, &[8; 8])), Skip::Esp),
        ] {
            assert_eq!(decode(1, &bytes), Err(skip));
            assert!(!skip.is_trouble(), "{skip}");
        }
        for (link, bytes, skip) in [
            (147, &[0; 60][..], Skip::LinkTypeUnknown),
            (1, &[], Skip::Empty),
            (1, &[0; 13], Skip::BadLinkHeader),
        ] {
            assert_eq!(decode(link, bytes), Err(skip));
            assert!(skip.is_trouble(), "{skip}");
        }
    }
}

mod ip_headers {
    use super::*;

    #[test]
    fn ethernet_padding_is_no_payload() {
        let trailer = [0xee; 20];
        gives_hello(1, &[&ethernet(0x0800, &v4())[..], &trailer].concat());
        gives_hello(1, &[&ethernet(0x86dd, &v6())[..], &trailer].concat());
        // A bare ACK, filled up to 60 bytes.
        let ack = [&ethernet(0x0800, &ipv4(6, &TCP[..20]))[..], &[0; 6]].concat();
        assert_eq!(decode(1, &ack), Ok((Vec::new(), 0)));
    }

    #[test]
    fn ipv4_options() {
        let mut packet = [&IPV4[..], &[0x94, 0x04, 0x00, 0x00], &TCP].concat();
        packet[0] = 0x46;
        packet[3] += 4;
        gives_hello(101, &packet);
    }

    #[test]
    fn a_total_length_of_zero_means_all_there_is() {
        let mut packet = v4();
        packet[2..4].fill(0);
        gives_hello(101, &packet);
        let mut packet = v6();
        packet[4..6].fill(0);
        gives_hello(101, &packet);
        // RFC 2675: a jumbogram says its length in a hop-by-hop option.
        let mut jumbo = ipv6(0, &[&[6, 0, 0xc2, 4, 0, 0, 0, 33], &TCP[..]].concat());
        jumbo[4..6].fill(0);
        gives_hello(101, &jumbo);
    }

    #[test]
    fn ipv6_extension_headers() {
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination = [43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let routing = [51, 0, 4, 0, 0, 0, 0, 0];
        let authentication =
            [44, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let atomic_fragment = [6, 0, 0, 0, 0, 0, 0, 9];
        let packet = ipv6(
            0,
            &[&hop_by_hop[..], &destination, &routing, &authentication, &atomic_fragment, &TCP]
                .concat(),
        );
        gives_hello(101, &packet);
    }

    #[test]
    fn lengths_that_contradict_the_packet_are_refused() {
        let mut packet = v4();
        packet[3] = 19;
        assert_eq!(decode(101, &packet), Err(Skip::BadIpHeader));
        let mut packet = v4();
        packet[0] = 0x44;
        assert_eq!(decode(101, &packet), Err(Skip::BadIpHeader));
        assert_eq!(decode(101, &IPV4[..19]), Err(Skip::BadIpHeader));
        assert_eq!(decode(101, &IPV6[..39]), Err(Skip::BadIpHeader));
        assert_eq!(decode(101, &ipv6(0, &[6, 1, 0, 0, 0, 0, 0, 0])), Err(Skip::BadIpHeader));
    }

    #[test]
    fn data_offsets_that_contradict_the_packet_are_refused() {
        for offset in [0x00, 0x40, 0x70, 0xf0] {
            let mut packet = v4();
            packet[32] = offset;
            assert_eq!(decode(101, &packet), Err(Skip::BadTcpHeader), "{offset:#x}");
        }
        assert_eq!(decode(101, &ipv4(6, &TCP[..19])), Err(Skip::BadTcpHeader));
    }
}

mod snapshot_length {
    use super::*;

    fn cut(bytes: &[u8], len: usize) -> Result<(Vec<u8>, u32), Skip> {
        let record = PacketRecord { bytes: &bytes[..len], ..record(1, bytes) };
        segment(&mut Decoder::new(&Limits::default()), &record)
    }

    #[test]
    fn bytes_behind_it_are_counted() {
        let packet = ethernet(0x0800, &v4());
        assert_eq!(cut(&packet, 59), Ok((b"hello".to_vec(), 0)));
        assert_eq!(cut(&packet, 57), Ok((b"hel".to_vec(), 2)));
        assert_eq!(cut(&packet, 54), Ok((Vec::new(), 5)));
        assert_eq!(cut(&packet, 53), Err(Skip::CutInHeaders));
        assert_eq!(cut(&packet, 0), Err(Skip::CutInHeaders));
    }

    #[test]
    fn a_cut_inside_of_tcp_options_keeps_the_segment() {
        let mut tcp = [&TCP[..20], &[1; 12], b"hello"].concat();
        tcp[12] = 0x80;
        let packet = ethernet(0x0800, &ipv4(6, &tcp));
        assert_eq!(cut(&packet, 68), Ok((b"he".to_vec(), 3)));
        assert_eq!(cut(&packet, 60), Ok((Vec::new(), 5)));
        assert_eq!(cut(&packet, 54), Ok((Vec::new(), 5)));
        assert_eq!(cut(&packet, 53), Err(Skip::CutInHeaders));
    }

    #[test]
    fn the_ip_length_counts_where_the_record_claims_to_be_whole() {
        assert_eq!(decode(101, &v4()[..42]), Ok((b"he".to_vec(), 3)));
        assert_eq!(decode(101, &v6()[..62]), Ok((b"he".to_vec(), 3)));
    }
}

mod tunnels {
    use super::*;

    fn gre(rest: &[u8]) -> Vec<u8> {
        ethernet(0x0800, &ipv4(47, rest))
    }

    #[test]
    fn gre_with_its_options() {
        gives_hello(1, &gre(&[&[0, 0, 0x08, 0x00], &v4()[..]].concat()));
        gives_hello(1, &gre(&[&[0, 0, 0x86, 0xdd], &v6()[..]].concat()));
        let all = [0xb0, 0, 0x08, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1];
        gives_hello(1, &gre(&[&all[..], &v4()].concat()));
        let framed = [&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7], &ethernet(0x0800, &v4())[..]].concat();
        gives_hello(1, &gre(&framed));
        // PPTP: key, sequence and acknowledgment numbers, PPP inside.
        let pptp = [0x30, 0x81, 0x88, 0x0b, 0, 47, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21];
        gives_hello(1, &gre(&[&pptp[..], &v4()].concat()));
        let erspan = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0];
        gives_hello(1, &gre(&[&erspan[..], &ethernet(0x0800, &v4())].concat()));
        assert_eq!(decode(1, &gre(&[0x80, 0, 0x08, 0])), Err(Skip::BadTunnelHeader));
    }

    #[test]
    fn ip_in_ip_in_all_four_ways() {
        gives_hello(101, &ipv4(4, &v4()));
        gives_hello(101, &ipv4(41, &v6()));
        gives_hello(101, &ipv6(4, &v4()));
        gives_hello(101, &ipv6(41, &v6()));
    }

    fn udp(port: u16, rest: &[u8]) -> Vec<u8> {
        let [high, low] = port.to_be_bytes();
        ethernet(0x0800, &ipv4(17, &[&[0xc0, 0, high, low, 0, 0, 0, 0], rest].concat()))
    }

    #[test]
    fn captures_sent_by_access_points() {
        let tags = [1, 0, 0, 1, 0, 10, 1, 0xd8, 1];
        gives_hello(1, &udp(37008, &[&tags[..], &ethernet(0x0800, &v4())].concat()));
        let wifi = [&[0x08, 0x01][..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]].concat();
        gives_hello(1, &udp(37008, &[&[1, 1, 0, 18, 1], &wifi[..], &v6()].concat()));
        assert_eq!(decode(1, &udp(37008, &[1, 0, 0, 1, 10, 1])), Err(Skip::BadTunnelHeader));
        // A keep-alive; and something else on this port.
        assert_eq!(decode(1, &udp(37008, &[1, 4, 0, 0, 1])), Err(Skip::Udp));
        assert_eq!(decode(1, &udp(37008, b"hello")), Err(Skip::Udp));
    }

    #[test]
    fn vxlan_and_geneve() {
        let vxlan = [&[0x08, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &v4())[..]].concat();
        gives_hello(1, &udp(4789, &vxlan));
        gives_hello(1, &udp(8472, &vxlan));
        assert_eq!(decode(1, &udp(4790, &vxlan)), Err(Skip::Udp));
        assert_eq!(decode(1, &udp(4789, &[0x12; 70])), Err(Skip::Udp));
        let option = [0x02, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 0x80, 1, 0, 0, 0, 1];
        gives_hello(1, &udp(6081, &[&option[..], &ethernet(0x86dd, &v6())].concat()));
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth| (0..depth).fold(v4(), |packet, _| ipv4(4, &packet));
        gives_hello(101, &nested(8));
        assert_eq!(decode(101, &nested(9)), Err(Skip::TunnelDepth));
    }
}

mod fragmented {
    use super::*;

    fn v4_fragment(id: u8, offset: u8, more: bool, bytes: &[u8]) -> Vec<u8> {
        let mut packet = ipv4(6, bytes);
        packet[4..8].copy_from_slice(&[0, id, if more { 0x20 } else { 0 }, offset]);
        packet
    }

    fn v6_fragment(next: u8, offset: u8, more: bool, bytes: &[u8]) -> Vec<u8> {
        let header = [next, 0, 0, offset * 8 + u8::from(more), 0, 0, 0, 9];
        ipv6(44, &[&header[..], bytes].concat())
    }

    fn counts(decoder: &Decoder) -> Vec<(Skip, u64)> {
        decoder.skipped().collect()
    }

    #[test]
    fn the_packet_that_completes_it_brings_the_segment() {
        let first = v4_fragment(7, 0, true, &TCP[..16]);
        let last = v4_fragment(7, 2, false, &TCP[16..]);
        for (a, b) in [(&first, &last), (&last, &first)] {
            let mut decoder = Decoder::new(&Limits::default());
            assert_eq!(segment(&mut decoder, &record(101, a)), Err(Skip::IpFragment));
            assert_eq!(counts(&decoder), [(Skip::IpFragment, 1)]);
            assert_eq!(segment(&mut decoder, &record(101, b)), Ok((b"hello".to_vec(), 0)));
            assert_eq!(counts(&decoder), []);
        }
    }

    #[test]
    fn ipv6_takes_the_protocol_of_the_first_one() {
        // A destination options header is part of what is fragmented.
        let whole = [&[6, 0, 1, 4, 0, 0, 0, 0], &TCP[..]].concat();
        let parts = [
            v6_fragment(99, 3, false, &whole[24..]),
            v6_fragment(60, 0, true, &whole[..16]),
            v6_fragment(99, 2, true, &whole[16..24]),
        ];
        let mut decoder = Decoder::new(&Limits::default());
        let [a, b, c] = parts.map(|part| segment(&mut decoder, &record(101, &part)));
        assert_eq!((a, b), (Err(Skip::IpFragment), Err(Skip::IpFragment)));
        assert_eq!(c, Ok((b"hello".to_vec(), 0)));
    }

    #[test]
    fn fragments_of_a_tunnel_and_inside_of_it() {
        let inner = [v4_fragment(7, 0, true, &TCP[..16]), v4_fragment(7, 2, false, &TCP[16..])];
        let mut decoder = Decoder::new(&Limits::default());
        let mut outcomes = Vec::new();
        for (id, packet) in (1_u8..).zip(&inner) {
            for (offset, more, part) in [(0, true, &packet[..16]), (2, false, &packet[16..])] {
                let mut outer = v4_fragment(id, offset, more, part);
                outer[9] = 4;
                outcomes.push(segment(&mut decoder, &record(101, &outer)));
            }
        }
        let waits = Err(Skip::IpFragment);
        let hello = Ok((b"hello".to_vec(), 0));
        assert_eq!(outcomes, [waits.clone(), waits.clone(), waits, hello]);
        assert_eq!(counts(&decoder), []);
    }

    #[test]
    fn a_fragment_cut_by_the_snapshot_length_says_so() {
        let first = v4_fragment(7, 0, true, &TCP[..16]);
        let mut decoder = Decoder::new(&Limits::default());
        let cut = PacketRecord { bytes: &first[..30], ..record(101, &first) };
        assert_eq!(segment(&mut decoder, &cut), Err(Skip::IpFragmentCut));
        let last = v4_fragment(7, 2, false, &TCP[16..]);
        assert_eq!(segment(&mut decoder, &record(101, &last)), Err(Skip::IpFragment));
        assert_eq!(counts(&decoder), [(Skip::IpFragment, 1), (Skip::IpFragmentCut, 1)]);
    }

    #[test]
    fn fragments_count_for_what_their_datagram_was() {
        let mut decoder = Decoder::new(&Limits::default());
        for (offset, more) in [(0, true), (1, false)] {
            let mut packet = v4_fragment(7, offset, more, &[0; 8]);
            packet[9] = 17;
            let _ = decoder.decode(&record(101, &packet));
        }
        assert_eq!(counts(&decoder), [(Skip::Udp, 2)]);
    }
}

#[test]
fn names_are_unique_kebab_case() {
    let mut names: Vec<&str> = Skip::ALL.iter().map(|skip| skip.as_str()).collect();
    assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Skip::ALL.len());
}

proptest! {
    /// Fragments of one datagram as a row of packets, cut up at random.
    #[test]
    fn rows_of_fragments_keep_the_laws(
        parts in proptest::collection::vec((0_u8..8, 1_usize..5, any::<bool>()), 1..20),
    ) {
        let mut data = vec![0];
        for (offset, len, more) in parts {
            let mut packet = ipv4(6, &vec![0x50; len * 8]);
            packet[4..8].copy_from_slice(&[0, 1, if more { 0x20 } else { 0 }, offset]);
            data.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
            data.extend(packet);
        }
        fuzz_decode(&data);
    }

    #[test]
    fn random_bytes_keep_the_laws(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz_decode(&data);
    }

    /// Bytes that are nearly right go deeper than random ones.
    #[test]
    fn broken_packets_keep_the_laws(
        base in 0_usize..6,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<u8>(),
    ) {
        let vxlan = [&[0xc0, 0, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0][..], &ethernet(0x0800, &v4())].concat();
        let mut packet = match base {
            0 => ethernet(0x0800, &v4()),
            1 => ethernet(0x86dd, &ipv6(0, &[&[60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0][..], &TCP].concat())),
            2 => ethernet(0x0800, &ipv4(17, &vxlan)),
            3 => ethernet(0x0800, &ipv4(47, &[&[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1][..], &v4()].concat())),
            4 => v4(),
            _ => ipv6(41, &v6()),
        };
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        fuzz_decode(&[&[cut][..], &packet].concat());
    }
}
