//! What must hold for every capture, whatever is in it: order, copies and losses of packets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod common;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use common::{Got, Packet, Recorder, assert_same_lines, run, run_numbered, sample_files, samples};
use serde_json::Value;
use wstap::capture::{Interface, InterfaceId, LinkType, PacketRecord, PcapngWriter};
use wstap::limits::Limits;
use wstap::packet::{Decoded, Decoder, Segment, TcpFlags};
use wstap::units::{ConnKey, Direction, PacketNo, SeqNo};

/// A message: its kind, its bytes, and whether it is whole.
type Heard = (&'static str, Vec<u8>, bool);

/// What a listener to one connection would remember: messages in order, by direction.
fn heard(recorder: &Recorder) -> Vec<(Direction, Vec<Heard>)> {
    let mut by_dir: HashMap<(ConnKey, Direction), Vec<_>> = HashMap::new();
    let mut order: Vec<(ConnKey, Direction)> = Vec::new();
    for m in &recorder.messages {
        let list = by_dir.entry((m.key, m.dir)).or_insert_with(|| {
            order.push((m.key, m.dir));
            Vec::new()
        });
        list.push((m.kind, m.bytes.clone(), m.complete));
    }
    order.sort();
    order.into_iter().map(|key| (key.1, by_dir.remove(&key).unwrap())).collect()
}

/// Samples in which nothing was lost and no rule of TCP is bent.
fn clean() -> Vec<(String, Vec<Packet>)> {
    sample_files()
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with("damage-") && !name.starts_with("link-snaplen")
        })
        .map(|path| (path.display().to_string(), common::packets(&path)))
        .collect()
}

#[test]
fn every_packet_twice_gives_the_same_messages() {
    for (name, packets) in clean() {
        let once = run(packets.clone()).0;
        assert!(
            !once.messages.is_empty() || name.contains("curl") || name.contains("nginx-bad"),
            "{name}"
        );
        let twice = run(packets.into_iter().flat_map(|p| [p.clone(), p])).0;
        assert_eq!(heard(&once), heard(&twice), "{name}");
    }
}

#[test]
fn neighbours_swapped_give_the_same_messages() {
    for (name, packets) in clean() {
        let straight = run(packets.clone()).0;
        for first in [0, 1] {
            let mut swapped = packets.clone();
            for pair in swapped[first..].chunks_exact_mut(2) {
                pair.swap(0, 1);
            }
            let swapped = run(swapped).0;
            assert_eq!(heard(&straight), heard(&swapped), "{name}, from {first}");
        }
    }
}

/// Is `part` what is left of `whole` when some of it is taken away.
fn is_subsequence(part: &[&Got], whole: &[&Got]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|p| rest.any(|w| w.kind == p.kind && w.bytes == p.bytes))
}

/// Does what the lost packet held bear on this message: on its own bytes, or on those that it was
/// compressed against (what its connection agreed to is in the first of them). Of a stream of HTTP/2, it
/// is heads that tell that it is a WebSocket, and they are compressed against all heads before them. Right
/// behind it a frame is believed by itself only if it is text.
fn touched(message: &Got, by: PacketNo, whole: &Recorder) -> bool {
    let of_same_sender = |m: &&Got| m.key == message.key && m.dir == message.dir;
    let behind = whole.messages.iter().filter(of_same_sender).filter(|m| m.begin > by);
    message.opened.is_some_and(|opened| by <= opened)
        || (message.begin..=message.end).contains(&by)
        || message.kind != "text" && behind.map(|m| m.begin).min() == Some(message.begin)
        || message.compressed
            && by >= message.key.flow.0
            && whole
                .messages
                .iter()
                .filter(of_same_sender)
                .any(|m| m.compressed && by <= m.end && m.end <= message.end)
}

/// Does a TLS record with a ClientHello or ServerHello begin in it.
fn says_hello(packet: &Packet) -> bool {
    packet.bytes.windows(6).any(|bytes| matches!(bytes, [22, 3, 0..=4, _, _, 1 | 2]))
}

/// Does a TLS record with some message of a handshake begin in it.
fn is_of_handshake(packet: &Packet) -> bool {
    packet.bytes.windows(3).any(|bytes| bytes == [22, 3, 3])
}

#[test]
fn any_one_packet_lost_invents_nothing_and_costs_only_what_it_touched() {
    let mut tried = 0;
    for (name, packets) in clean() {
        // Those break the rules by which frames are found again after a loss.
        if name.ends_with("-bad.pcapng") {
            continue;
        }
        let whole = run(packets.clone()).0;
        for lost in 0..packets.len() {
            // Without both hellos nobody knows the keys; those of a second handshake are under the keys of
            // the first one.
            let hello = says_hello(&packets[lost])
                || name.contains("renegotiated") && is_of_handshake(&packets[lost]);
            if name.contains("wss-") && hello {
                continue;
            }
            let rest =
                packets.iter().enumerate().filter(|(i, _)| *i != lost).map(|(_, p)| p.clone());
            let got = run(rest).0;
            let no = PacketNo(lost as u64 + 1);
            tried += 1;
            for dir in Direction::BOTH {
                // The connection's number may change with its first packet: compare by content.
                let all: Vec<&Got> =
                    whole.messages.iter().filter(|m| m.dir == dir && m.complete).collect();
                let have: Vec<&Got> =
                    got.messages.iter().filter(|m| m.dir == dir && m.complete).collect();
                let mut contents: HashMap<(&str, &[u8]), i64> = HashMap::new();
                for m in &all {
                    *contents.entry((m.kind, &m.bytes)).or_default() += 1;
                }
                for m in &have {
                    let left = contents.entry((m.kind, &m.bytes)).or_default();
                    *left -= 1;
                    assert!(*left >= 0, "{name}: without packet {no}, {dir} {m:?} is invented");
                }
                let untouched = all.iter().filter(|m| !touched(m, no, &whole)).count();
                assert!(
                    have.len() >= untouched,
                    "{name}: without packet {no}, {dir} has {} of {untouched} untouched messages",
                    have.len(),
                );
            }
        }
    }
    assert!(tried > 300, "only {tried} packets");
}

/// A segment as a packet without a link layer (RFC 791, RFC 8200, RFC 9293). Checksums stay 0.
fn packet_of(segment: &Segment<'_>, original: &Packet) -> Packet {
    let len = u16::try_from(20 + segment.payload.len()).unwrap();
    let mut bytes = match (segment.src.ip(), segment.dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let [high, low] = (20 + len).to_be_bytes();
            let fixed = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0];
            [&fixed[..], &src.octets(), &dst.octets()].concat()
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let [high, low] = len.to_be_bytes();
            let fixed = [0x60, 0, 0, 0, high, low, 6, 64];
            [&fixed[..], &src.octets(), &dst.octets()].concat()
        }
        ends => panic!("{ends:?}"),
    };
    bytes.extend(segment.src.port().to_be_bytes());
    bytes.extend(segment.dst.port().to_be_bytes());
    bytes.extend(segment.seq.0.to_be_bytes());
    bytes.extend(segment.ack.0.to_be_bytes());
    bytes.extend([5 << 4, segment.flags.0]);
    bytes.extend(segment.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(segment.payload);
    let orig_len = u32::try_from(bytes.len()).unwrap();
    Packet { time: original.time, link: LinkType(101), orig_len, bytes }
}

/// Every packet as the segments that `cuts` makes of its payload, each with the packet's number.
fn resegmented(
    packets: &[Packet],
    mut cuts: impl FnMut(PacketNo, usize) -> Vec<usize>,
) -> Vec<(PacketNo, Packet)> {
    let mut decoder = Decoder::new(&Limits::default());
    let mut out = Vec::new();
    for (no, packet) in (1..).map(PacketNo).zip(packets) {
        let record = packet.record(no);
        let Decoded::Segment(segment) = decoder.decode(&record) else {
            out.push((no, packet.clone()));
            continue;
        };
        let len = segment.payload.len();
        let borders = [vec![0], cuts(no, len), vec![len]].concat();
        for border in borders.windows(2) {
            let (from, to) = (border[0], border[1]);
            let mut flags = segment.flags.0;
            let mut seq = segment.seq.0.wrapping_add(u32::try_from(from).unwrap());
            if from > 0 && segment.flags.has(TcpFlags::SYN) {
                flags &= !TcpFlags::SYN.0;
                seq = seq.wrapping_add(1);
            }
            if to < len {
                flags &= !(TcpFlags::FIN.0 | TcpFlags::PSH.0);
            }
            let (seq, flags) = (SeqNo(seq), TcpFlags(flags));
            let piece = Segment { seq, flags, payload: &segment.payload[from..to], ..segment };
            out.push((no, packet_of(&piece, packet)));
        }
    }
    out
}

#[test]
fn segments_cut_into_pieces_of_any_size_give_the_same_events() {
    for (name, packets) in clean() {
        let uncut = run(packets.clone()).0;
        assert!(!uncut.log.is_empty(), "{name}");
        for size in [1, 2, 3, 5, 14, 64, 1000] {
            let pieces = resegmented(&packets, |_, len| (size..len).step_by(size).collect());
            let got = run_numbered(pieces).0;
            assert_same_lines(&uncut.log, &got.log, &format!("{name} in pieces of {size}"));
        }
    }
}

#[test]
fn any_one_segment_cut_anywhere_gives_the_same_events() {
    for (name, packets) in clean() {
        let bytes: usize = packets.iter().map(|p| p.bytes.len()).sum();
        if bytes > 10_000 {
            continue;
        }
        let uncut = run(packets.clone()).0;
        for (no, packet) in (1..).map(PacketNo).zip(&packets) {
            for at in 1..packet.bytes.len() {
                let mut cut = false;
                let pieces = resegmented(&packets, |this, len| {
                    let here = this == no && at < len;
                    cut |= here;
                    if here { vec![at] } else { Vec::new() }
                });
                if !cut {
                    break;
                }
                let got = run_numbered(pieces).0;
                let what = format!("{name}, packet {no} cut behind byte {at} of its payload");
                assert_same_lines(&uncut.log, &got.log, &what);
            }
        }
    }
}

#[test]
fn cut_captures_tell_a_beginning_of_the_whole() {
    let packets = common::packets(&samples().join("graphql-ws.pcapng"));
    let whole = run(packets.clone()).0;
    for n in 0..packets.len() {
        let part = run(packets[..n].iter().cloned()).0;
        for dir in Direction::BOTH {
            let all: Vec<&Got> = whole.messages.iter().filter(|m| m.dir == dir).collect();
            let have: Vec<&Got> =
                part.messages.iter().filter(|m| m.dir == dir && m.complete).collect();
            assert!(is_subsequence(&have, &all), "the first {n} packets, {dir}");
        }
    }
}

/// Samples with both legs of a proxy.
const PROXIED: [&str; 2] = ["story-httpd", "nginx-good"];

/// What an interface sees.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sees {
    Direction,
    Leg,
}

/// The packets as a pcapng file of two interfaces; and their numbers before. In batches: those that the
/// second one saw come a quarter of a second later, all at once.
fn two_interfaces(
    packets: &[Packet],
    sees: Sees,
    batches: bool,
) -> (tempfile::NamedTempFile, Vec<usize>) {
    let mut servers = HashMap::new();
    let mut decoder = Decoder::new(&Limits::default());
    let mut order: Vec<_> = packets
        .iter()
        .enumerate()
        .map(|(at, packet)| {
            let interface = match decoder.decode(&packet.record(PacketNo(1))) {
                Decoded::Segment(segment) if sees == Sees::Leg => {
                    let port = segment.src.port().min(segment.dst.port());
                    let next = u32::try_from(servers.len()).unwrap();
                    *servers.entry(port).or_insert(next) % 2
                }
                Decoded::Segment(segment) => u32::from(segment.src < segment.dst),
                Decoded::Other(_) => 0,
            };
            let batch = packet.time.unwrap().0 / 250_000_000;
            (batch, interface, at)
        })
        .collect();
    if batches {
        order.sort_unstable();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapngWriter::new(file.reopen().unwrap()).unwrap();
    for interface in 0..2 {
        let described = Interface::new(packets[0].link);
        writer.interface(InterfaceId(interface), &described).unwrap();
    }
    for &(_, interface, at) in &order {
        let record = packets[at].record(PacketNo(1));
        let record = PacketRecord { interface: InterfaceId(interface), ..record };
        writer.write(&record).unwrap();
    }
    writer.finish(&[]).unwrap();
    (file, order.iter().map(|(.., at)| at + 1).collect())
}

/// Packets get the numbers that they had.
fn renumber(value: &mut Value, numbers: &[usize], is_packet: bool) {
    match value {
        Value::Number(no) if is_packet => {
            *value = numbers[usize::try_from(no.as_u64().unwrap()).unwrap() - 1].into();
        }
        Value::String(text) => {
            let parts = text.split("packet ").enumerate().map(|(nth, part)| {
                let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                match part[..end].parse::<usize>() {
                    Ok(no) if nth > 0 => format!("{}{}", numbers[no - 1], &part[end..]),
                    _ => part.to_owned(),
                }
            });
            let parts: Vec<_> = parts.collect();
            *text = parts.join("packet ");
        }
        Value::Array(list) => list.iter_mut().for_each(|v| renumber(v, numbers, is_packet)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            renumber(value, numbers, name == "packet" || name == "evidence");
        }),
        _ => {}
    }
}

#[test]
fn interfaces_in_batches_give_the_events_of_the_sorted_file() {
    let mut moved = 0;
    let samples = ["story-httpd", "nginx-good", "story-direct", "socketio-upgrade", "h2-node"];
    let every = samples.iter().map(|name| (*name, Sees::Direction));
    for (name, sees) in every.chain([("story-httpd", Sees::Leg), ("nginx-good", Sees::Leg)]) {
        let path = sample_files().into_iter().find(|p| p.file_stem().unwrap() == name).unwrap();
        let mut packets = common::packets(&path);
        packets.sort_by_key(|packet| packet.time);
        let print = |path: &Path, numbers: &[usize], more: &[&str]| {
            let path = path.to_str().unwrap();
            let ran = common::run_wstap(["print", "--json", path].iter().chain(more));
            let lines = ran.stdout.lines().map(|line| {
                let mut line = serde_json::from_str(line).unwrap();
                renumber(&mut line, numbers, false);
                format!("{line}\n")
            });
            lines.collect::<String>()
        };
        let (sorted, numbers) = two_interfaces(&packets, sees, false);
        let want = print(sorted.path(), &numbers, &[]);
        assert!(numbers.is_sorted() && want.contains("\"event\":\"message\""), "{name}");
        let (batched, numbers) = two_interfaces(&packets, sees, true);
        moved += numbers.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert_same_lines(&want, &print(batched.path(), &numbers, &[]), name);
        assert_same_lines(&want, &print(batched.path(), &numbers, &["-j", "2"]), name);

        let diff =
            |path: &Path| common::run_wstap(["diff", "--json", path.to_str().unwrap()]).stdout;
        let want_of_diff = diff(sorted.path());
        assert_eq!(want_of_diff.contains("\"event\":\"pair\""), PROXIED.contains(&name), "{name}");
        assert_same_lines(&want_of_diff, &diff(batched.path()), name);

        // What is saved or exported of it is in order.
        let folder = tempfile::tempdir().unwrap();
        let to = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let from = batched.path().to_str().unwrap();
        let (saved, exported, both) = (to("saved"), to("exported"), to("both"));
        common::run_wstap(["print", from, "-w", &saved]);
        common::run_wstap(["export", "--to", "pcapng", "-o", &exported, from]);
        common::run_wstap(["export", "--to", "pcapng", "-o", &both, from, "-w", &to("way")]);
        let bytes = |path: &str| common::packets(path.as_ref()).into_iter().map(|p| p.bytes);
        assert!(bytes(&saved).eq(packets.iter().map(|p| p.bytes.clone())), "{name}");
        let as_given: Vec<_> = (1..=packets.len()).collect();
        assert_same_lines(&want, &print(saved.as_ref(), &as_given, &[]), name);
        assert!(bytes(&exported).eq(bytes(&both)), "{name}");
        assert!(bytes(&exported).count() > 0, "{name}");
    }
    assert!(moved > 10, "only {moved} packets moved");
}
