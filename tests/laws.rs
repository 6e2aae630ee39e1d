//! What must hold for every capture, whatever is in it: order, copies and losses of packets.

mod common;

use std::collections::HashMap;

use common::{Got, Packet, Recorder, run, sample_files, samples};
use wstap::units::{ConnKey, Direction};

/// What a listener to one connection would remember: messages in order, by direction.
fn heard(recorder: &Recorder) -> Vec<(Direction, Vec<(&'static str, Vec<u8>, bool)>)> {
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

#[test]
fn any_one_packet_lost_invents_nothing_and_costs_only_what_it_touched() {
    for name in
        ["story-direct.pcapng", "control-pings.pcapng", "graphql-ws.pcapng", "evil-rewrite.pcapng"]
    {
        let packets = common::packets(&samples().join(name));
        let whole = run(packets.clone()).0;
        for lost in 0..packets.len() {
            let rest =
                packets.iter().enumerate().filter(|(i, _)| *i != lost).map(|(_, p)| p.clone());
            let got = run(rest).0;
            let no = lost as u64 + 1;
            for dir in Direction::BOTH {
                // The connection's number may change with its first packet: compare by content.
                let all: Vec<&Got> =
                    whole.messages.iter().filter(|m| m.dir == dir && m.complete).collect();
                let have: Vec<&Got> =
                    got.messages.iter().filter(|m| m.dir == dir && m.complete).collect();
                let untouched = all.iter().filter(|m| !(m.begin.0..=m.end.0).contains(&no)).count();
                let mut contents: HashMap<(&str, &[u8]), i64> = HashMap::new();
                for m in &all {
                    *contents.entry((m.kind, &m.bytes)).or_default() += 1;
                }
                for m in &have {
                    let left = contents.entry((m.kind, &m.bytes)).or_default();
                    *left -= 1;
                    assert!(*left >= 0, "{name}: without packet {no}, {dir} {m:?} is invented");
                }
                assert!(
                    have.len() >= untouched,
                    "{name}: without packet {no}, {dir} has {} of {untouched} untouched messages",
                    have.len(),
                );
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
