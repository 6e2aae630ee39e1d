use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::super::rotate::{Rotation, Saver};
use super::super::summary::Interface;
use super::*;

/// A pcap file of `n` packets, each 4 bytes that count from `from`.
fn pcap(from: u32, n: u32) -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([0, 0, 4, 0, 1, 0, 0, 0]);
    bytes.extend(records(from, n));
    bytes
}

fn records(from: u32, n: u32) -> Vec<u8> {
    let head = |no: u32| [no, 0, 4, 4, no].map(u32::to_le_bytes).concat();
    (from..from + n).flat_map(head).collect()
}

fn follow(path: &Path) -> FollowSource {
    FollowSource::open(path, &Limits::default(), &Options::default()).unwrap()
}

/// Everything that comes until nothing did for a while.
fn read(source: &mut FollowSource) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Polled::Packet(record) = source.next_timeout(Duration::from_millis(600)).unwrap() {
        numbers.push(u32::from_le_bytes(*record.bytes.first_chunk().unwrap()));
    }
    numbers
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cap.pcap");
    (dir, path)
}

#[test]
fn what_is_appended_is_given_and_half_a_record_is_waited_for() {
    let (_dir, path) = folder();
    // Not even the header is whole.
    std::fs::write(&path, &pcap(0, 3)[..10]).unwrap();
    let mut source = follow(&path);
    assert_eq!(read(&mut source), [0; 0]);
    append(&path, &pcap(0, 3)[10..]);
    assert_eq!(read(&mut source), [0, 1, 2]);
    let more = records(3, 2);
    append(&path, &more[..30]);
    assert_eq!(read(&mut source), [3]);
    append(&path, &more[30..]);
    assert_eq!(read(&mut source), [4]);
    append(&path, &more[..5]);
    source.stop_handle().store(true, Ordering::Relaxed);
    // What is cut by stopping is no fault of the file.
    assert_eq!(source.next_timeout(Duration::from_secs(5)).unwrap(), Polled::End);
    assert_eq!(source.summary().packets, 5);
}

#[test]
fn a_file_that_was_rotated_away_is_read_to_its_end_and_then_the_new_one() {
    let (dir, path) = folder();
    std::fs::write(&path, pcap(0, 2)).unwrap();
    let mut old = OpenOptions::new().append(true).open(&path).unwrap();
    let mut source = follow(&path);
    assert_eq!(read(&mut source), [0, 1]);
    // logrotate: the writer goes on with the old one until it opens the new one.
    std::fs::rename(&path, dir.path().join("cap.pcap.1")).unwrap();
    old.write_all(&records(2, 2)).unwrap();
    assert_eq!(read(&mut source), [2, 3]);
    File::create(&path).unwrap().write_all(&pcap(4, 1)).unwrap();
    assert_eq!(read(&mut source), [4]);
    append(&path, &records(5, 1));
    assert_eq!(read(&mut source), [5]);
    assert_eq!(source.summary().interfaces.len(), 1, "the same one");
}

#[test]
fn a_file_that_was_emptied_is_read_from_its_start() {
    let (_dir, path) = folder();
    std::fs::write(&path, pcap(0, 9)).unwrap();
    let mut source = follow(&path);
    assert_eq!(read(&mut source).len(), 9);
    std::fs::write(&path, pcap(9, 2)).unwrap();
    assert_eq!(read(&mut source), [9, 10]);
}

#[test]
fn a_damaged_file_is_told_and_the_next_of_its_set_is_read() {
    let (dir, path) = folder();
    let mut bytes = pcap(0, 2);
    // A record of 4 GB, and packets that say nothing any more.
    bytes.extend([0xff; 64]);
    std::fs::write(&path, bytes).unwrap();
    let mut source = follow(&path);
    let mut errors = 0;
    let mut packets = Vec::new();
    std::fs::write(dir.path().join("cap.pcap1"), pcap(7, 1)).unwrap();
    for _ in 0..40 {
        match source.next_timeout(Duration::from_millis(50)) {
            Ok(Polled::Packet(record)) => packets.push(record.bytes[0]),
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error, CaptureError::Damaged { .. }), "{error}");
                errors += 1;
            }
        }
    }
    assert_eq!((packets, errors), (vec![0, 1, 7], 1));
}

#[test]
fn a_set_that_is_still_being_written_is_followed_from_file_to_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.pcapng");
    let rotation = Rotation { packets: Some(100), ..Rotation::default() };
    let lo = Interface { name: Some("lo".into()), ..Interface::new(LinkType::ETHERNET) };
    let lo = [lo];
    let mut saver = Saver::create(&path, rotation, &lo).unwrap();
    // Named as it was given to `-w`: the set's first file is found.
    let mut source = follow(&path);
    let writer = std::thread::spawn(move || {
        for no in 0..1050_u32 {
            let bytes = no.to_le_bytes();
            let record = PacketRecord {
                no: PacketNo(1),
                at: FileOffset(0),
                time: Some(Timestamp(1)),
                link: LinkType::ETHERNET,
                interface: InterfaceId(0),
                orig_len: 4,
                bytes: &bytes,
            };
            saver.write(&record, &[]).unwrap();
            if no % 10 == 0 {
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        saver.tick().unwrap();
        saver
    });
    let numbers = read(&mut source);
    let saver = writer.join().unwrap();
    assert!(numbers.iter().copied().eq(0..1050), "{} packets", numbers.len());
    assert_eq!(source.summary().interfaces.len(), 1);
    saver.finish(&lo).unwrap();
}

#[test]
fn a_stream_that_pauses_is_idle_and_then_goes_on() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut source = FollowSource::stream("pipe", reader, &Limits::default(), &Options::default());
    assert_eq!(source.next_timeout(Duration::from_millis(50)).unwrap(), Polled::Idle);
    writer.write_all(&pcap(0, 2)).unwrap();
    assert_eq!(read(&mut source), [0, 1]);
    writer.write_all(&records(2, 1)).unwrap();
    drop(writer);
    assert_eq!(read(&mut source), [2]);
    assert_eq!(source.next_timeout(Duration::from_secs(1)).unwrap(), Polled::End);
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    let (_dir, path) = folder();
    std::fs::write(&path, pcap(0, 50_000)).unwrap();
    let mut source = follow(&path);
    std::thread::sleep(Duration::from_millis(100));
    assert!(read(&mut source).into_iter().eq(0..50_000));
}
