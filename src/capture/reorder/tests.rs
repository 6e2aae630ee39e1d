//! Files of several interfaces, in batches and with clocks of all sorts.

use std::sync::{Arc, Mutex};

use super::super::samples::{self, SECTION, block};
use super::super::{CaptureError, FileOrder, FileSource, Options, PacketSource};
use super::*;
use crate::limits::Limits;

/// Link type 1, times in milliseconds.
const INTERFACE: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 3, 0, 0, 0];
/// An hour, in milliseconds.
const HOUR: u64 = 3_600_000;

fn header(interfaces: usize) -> Vec<u8> {
    let mut file = SECTION.to_vec();
    (0..interfaces).for_each(|_| file.extend(block(1, &INTERFACE)));
    file
}

/// A packet of `len` bytes, of an interface at a time.
fn packet(interface: u32, time: u64, len: u32, options: &[u8]) -> Vec<u8> {
    let [high, low] = [time >> 32, time & 0xffff_ffff].map(|n| u32::try_from(n).unwrap());
    let words = [interface, high, low, len, len].map(u32::to_le_bytes).concat();
    let padded = len.next_multiple_of(4) as usize;
    block(6, &[&words[..], &vec![0; padded], options].concat())
}

fn file(interfaces: usize, packets: &[(u32, u64)]) -> Vec<u8> {
    packets.iter().fold(header(interfaces), |mut file, (interface, time)| {
        file.extend(packet(*interface, *time, 1, &[]));
        file
    })
}

/// Numbers of the packets as they are given, and the error at the end.
fn numbers(mut source: FileSource) -> (Vec<u64>, Option<CaptureError>) {
    let mut numbers = Vec::new();
    let mut last = PacketNo(0);
    let error = loop {
        match source.next() {
            Ok(Some(record)) => {
                assert!(record.no > last && record.no.place() == numbers.len() as u64 + 1);
                last = record.no;
                numbers.push(record.no.number());
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(source.next().unwrap().is_none());
    (numbers, error)
}

fn given(file: &[u8]) -> Vec<u64> {
    let (numbers, error) = numbers(samples::source(file).unwrap());
    assert!(error.is_none());
    numbers
}

#[test]
fn batches_of_two_interfaces_are_put_in_order_and_keep_numbers_and_offsets() {
    let file = file(2, &[(0, 100), (0, 200), (0, 300), (1, 110), (1, 210), (0, 310), (1, 305)]);
    assert_eq!(given(&file), [1, 4, 2, 5, 3, 7, 6]);
    let (found, _) = samples::read(&file);
    let first = header(2).len() as u64;
    let offsets: Vec<_> = found.iter().map(|found| (found.at - first) / 36).collect();
    assert_eq!(offsets, [0, 3, 1, 4, 2, 6, 5]);
    samples::stuck_after(&file[..]).next().unwrap().unwrap();
}

#[test]
fn packets_of_one_time_stay_as_they_are() {
    assert_eq!(given(&file(2, &[(0, 5), (1, 5), (0, 5), (1, 5)])), [1, 2, 3, 4]);
}

#[test]
fn each_interface_keeps_its_own_order() {
    let file = file(2, &[(0, 300), (0, 100), (0, 400), (1, 200), (1, 350)]);
    assert_eq!(given(&file), [4, 1, 2, 5, 3]);
}

#[test]
fn a_silent_interface_does_not_hold_up_more_than_the_window() {
    let packets: Vec<_> = (0..1000).map(|n| (0, n * 100)).collect();
    let bytes = file(2, &packets);
    assert!(given(&bytes).into_iter().eq(1..=1000));
    let mut source = samples::source(&bytes).unwrap();
    source.next().unwrap().unwrap();
    assert_eq!(source.summary().packets, 22, "two seconds and what shows that they are over");
}

#[test]
fn one_interface_and_files_that_are_to_be_read_as_written_are_not_read_ahead() {
    let mut source = samples::source(&file(1, &[(0, 2), (0, 1), (0, 3)])).unwrap();
    source.next().unwrap().unwrap();
    assert_eq!(source.summary().packets, 1);
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut on_disk, &file(2, &[(0, 2), (1, 1)])).unwrap();
    let input = super::super::Input::Path(on_disk.path().to_owned());
    for (order, want) in [(FileOrder::AsWritten, [1, 2]), (FileOrder::Sorted, [2, 1])] {
        let options = Options { order, ..Options::default() };
        let source = FileSource::open(&input, &Limits::default(), &options).unwrap();
        assert_eq!(numbers(source).0, want);
    }
}

#[test]
fn a_clock_an_hour_off_leaves_its_packets_where_they_stand_and_the_others_in_order() {
    for off in [HOUR, 0] {
        // The others are an hour ahead of it, or behind.
        let base = HOUR - off;
        let mut packets = Vec::new();
        let mut want = Vec::new();
        for round in 0..40 {
            let time = round * 3000;
            let no = round * 5;
            // 1 and 2 in batches, then one of the clock that is off.
            packets.extend([
                (0, base + time + 100),
                (0, base + time + 300),
                (1, base + time + 200),
                (1, base + time + 400),
                (2, off + time + 450),
            ]);
            want.extend([1, 3, 2, 4, 5].map(|n| no + n));
        }
        let got = given(&file(3, &packets));
        let unlike = got.iter().zip(&want).filter(|(got, want)| got != want).count();
        assert!(unlike <= 10, "{unlike} of {}: {got:?}", want.len());
        assert_eq!(got[50..], want[50..]);
    }
}

#[test]
fn two_interfaces_whose_clocks_have_nothing_in_common_are_given_as_they_stand() {
    let time = |n: u32| u64::from(n) * 10 + u64::from(n % 2) * HOUR;
    let packets: Vec<_> = (0..5000).map(|n| (n % 2, time(n))).collect();
    let bytes = file(2, &packets);
    assert!(given(&bytes).into_iter().eq(1..=5000));
    let mut source = samples::source(&bytes).unwrap();
    for _ in 0..1000 {
        source.next().unwrap().unwrap();
    }
    assert!(source.summary().packets < 1300, "{}", source.summary().packets);
}

#[test]
fn a_clock_that_is_set_is_followed() {
    // Set back an hour, while one interface still has a batch of before.
    let packets = [
        (0, HOUR + 100),
        (0, HOUR + 300),
        (0, 400),
        (1, HOUR + 200),
        (0, 600),
        (0, 700),
        (1, 500),
        (1, 650),
        (0, 900),
        (0, 1000),
        (1, 950),
    ];
    let got = given(&file(2, &packets));
    let of = |interface| {
        let mine = packets.iter().zip(1..).filter(move |((at, _), _)| *at == interface);
        mine.map(|(_, no)| no).collect::<Vec<u64>>()
    };
    for interface in [0, 1] {
        let mine = of(interface);
        assert!(got.iter().filter(|no| mine.contains(no)).eq(&mine), "{got:?}");
    }
    assert_eq!(got[8..], [9, 11, 10]);
    // After a pause, the same.
    let pause = [(0, 100), (0, 300), (1, 200), (0, 60_000), (0, 60_200), (1, 60_100), (1, 60_300)];
    assert_eq!(given(&file(2, &pause)), [1, 3, 2, 4, 6, 5, 7]);
}

#[test]
fn packets_without_a_time_stay_where_they_are() {
    let mut bytes = header(2);
    for mark in 0..100 {
        bytes.extend(block(3, &[1, 0, 0, 0, mark]));
    }
    assert!(given(&bytes).into_iter().eq(1..=100));
    bytes.extend(packet(0, 300, 1, &[]));
    bytes.extend(packet(1, 200, 1, &[]));
    bytes.extend(block(3, &[1, 0, 0, 0, 0]));
    let got = given(&bytes);
    assert!(got.iter().copied().take(100).eq(1..=100));
    assert_eq!(got[100..], [102, 101, 103]);
}

#[test]
fn what_waits_is_bounded_by_bytes_and_packets() {
    let mut bytes = header(2);
    (0..40).for_each(|n| bytes.extend(packet(0, n, 1 << 20, &[])));
    let mut source = samples::source(&bytes).unwrap();
    source.next().unwrap().unwrap();
    assert_eq!(source.summary().packets, 17);
    let many: Vec<_> = (0..40_000).map(|_| (0, 7)).collect();
    let mut source = samples::source(&file(2, &many)).unwrap();
    source.next().unwrap().unwrap();
    assert_eq!(source.summary().packets, HELD_PACKETS as u64);
    assert!(given(&file(2, &many)).into_iter().eq(1..=40_000));
}

#[test]
fn what_was_held_comes_out_before_the_error_is_told() {
    let bytes = file(2, &[(0, 100), (0, 200), (1, 110), (1, 210)]);
    let (got, error) = numbers(samples::source(&bytes[..bytes.len() - 5]).unwrap());
    assert_eq!(got, [1, 3, 2]);
    let at = (header(2).len() + 3 * 36) as u64;
    let want = CaptureError::Truncated {
        input: super::super::Input::from("sample"),
        packet: PacketNo(4),
        at: FileOffset(at),
        needs: 36,
        has: 31,
    };
    assert_eq!(error.unwrap().to_string(), want.to_string());
}

#[test]
fn sections_follow_each_other_whatever_their_times() {
    let first = file(2, &[(0, 1000), (0, 1200), (1, 1100)]);
    let second = file(2, &[(0, 500), (0, 700), (1, 600)]);
    assert_eq!(given(&[first, second].concat()), [1, 3, 2, 4, 6, 5]);
}

#[test]
fn comments_are_shown_with_the_packet_that_they_are_of() {
    let comment = |text: &[u8; 4]| [&[1, 0, 4, 0], &text[..], &[0; 4]].concat();
    let mut bytes = header(2);
    bytes.extend(packet(0, 300, 1, &comment(b"late")));
    bytes.extend(packet(1, 100, 1, &comment(b"soon")));
    bytes.extend(packet(1, 400, 1, &[]));
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut on_disk, &bytes).unwrap();
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let into = Arc::clone(&heard);
    let listener = Listener(Arc::new(move |text: &str| lock(&into).push(text.to_owned())));
    let options = Options { listener: Some(listener), ..Options::default() };
    let input = super::super::Input::Path(on_disk.path().to_owned());
    let mut source = FileSource::open(&input, &Limits::default(), &options).unwrap();
    let mut steps = Vec::new();
    while let Some(record) = source.next().unwrap() {
        steps.push((record.no.number(), mem::take(&mut *lock(&heard))));
    }
    assert_eq!(steps, [(2, vec!["soon".into()]), (1, vec!["late".into()]), (3, vec![])]);
    let told: Vec<_> = source.summary().comments.iter().map(|c| c.packet.unwrap().0).collect();
    assert_eq!(told, [1, 2], "as they stand in the file");
}
