//! What the tests of the readers share.

use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use super::input::{self, Input, Opened, Progress};
use super::{CaptureError, FileSource, LinkType, Options, PacketRecord, PacketSource};
use crate::limits::Limits;

/// A packet, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) at: u64,
    pub(super) time: Option<i64>,
    pub(super) link: LinkType,
    pub(super) orig_len: u32,
    pub(super) bytes: Vec<u8>,
}

impl From<PacketRecord<'_>> for Found {
    fn from(r: PacketRecord<'_>) -> Self {
        let time = r.time.map(|t| t.0);
        let bytes = r.bytes.to_vec();
        Self { at: r.at.0, time, link: r.link, orig_len: r.orig_len, bytes }
    }
}

pub(super) fn source(bytes: &[u8]) -> Result<FileSource, CaptureError> {
    reading(Cursor::new(bytes.to_vec()), Some(bytes.len() as u64))
}

fn reading(
    reader: impl Read + Send + 'static,
    size: Option<u64>,
) -> Result<FileSource, CaptureError> {
    let (reader, compression) = input::unpack(Box::new(reader)).unwrap();
    let opened = Opened { reader, compression, size };
    let (limits, options) = (Limits::default(), Options::default());
    FileSource::start(Input::from("sample"), opened, Progress::default(), &limits, &options)
}

/// All packets, and the error that ended them.
pub(super) fn drain(source: &mut impl PacketSource) -> (Vec<Found>, Option<CaptureError>) {
    let mut found = Vec::new();
    loop {
        match source.next() {
            Ok(Some(record)) => {
                assert!(record.bytes.len() <= record.orig_len as usize);
                found.push(record.into());
            }
            Ok(None) => return (found, None),
            Err(error) => {
                assert!(source.next().unwrap().is_none(), "an error is told once");
                return (found, Some(error));
            }
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> (Vec<Found>, Option<CaptureError>) {
    source(bytes).map_or_else(|error| (Vec::new(), Some(error)), |mut source| drain(&mut source))
}

/// Holds the records that are at hand against those that come one by one, with an interruption behind
/// each of them.
pub(super) fn check_at_hand(file: &[u8]) {
    let mut plain = source(file).unwrap();
    let (want, end) = drain(&mut plain);
    let told = |end: Option<CaptureError>| end.map(|error| error.to_string());
    let end = told(end);
    for stop in 0..=want.len() + 1 {
        let mut source = source(file).unwrap();
        let (mut got, mut numbers) = (Vec::new(), Vec::new());
        let mut take = |record: &PacketRecord<'_>| {
            numbers.push(record.no.0);
            got.push(Found::from(*record));
            if got.len() == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let ended = loop {
            let _ = source.at_hand(&mut take);
            match source.next() {
                Ok(Some(record)) => _ = take(&record),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!((&got, told(ended)), (&want, end.clone()), "after {stop}");
        assert!(numbers.iter().copied().eq(1..=want.len() as u64), "{numbers:?}");
        let (got, want) = (source.summary(), plain.summary());
        assert_eq!((got.packets, got.bytes), (want.packets, want.bytes));
        assert_eq!((got.comments.len(), got.dropped), (want.comments.len(), want.dropped));
    }
}

/// The same from a reader that gives one byte at a time.
pub(super) fn read_slowly(bytes: &[u8]) -> (Vec<Found>, Option<CaptureError>) {
    struct Slow(Cursor<Vec<u8>>);
    impl Read for Slow {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let one = buf.len().min(1);
            self.0.read(&mut buf[..one])
        }
    }
    let slow = Slow(Cursor::new(bytes.to_vec()));
    reading(slow, Some(bytes.len() as u64))
        .map_or_else(|error| (Vec::new(), Some(error)), |mut source| drain(&mut source))
}

/// A pipe that has given these bytes and now has no more for a long time: reading on would hang.
pub(super) fn stuck_after(bytes: &[u8]) -> FileSource {
    struct Pipe(Cursor<Vec<u8>>);
    impl Read for Pipe {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => panic!("waits for more before it gives what is there"),
                n => Ok(n),
            }
        }
    }
    reading(Pipe(Cursor::new(bytes.to_vec())), None).unwrap()
}

/// A pcapng block in little-endian order; `body` is padded.
pub(super) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = u32::try_from(padded + 12).unwrap().to_le_bytes();
    let mut block = [&kind.to_le_bytes(), &len, body].concat();
    block.resize(8 + padded, 0);
    block.extend(len);
    block
}

/// Section header in little-endian order, version 1.0, of unknown length.
pub(super) const SECTION: [u8; 28] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
];

/// A pcapng file of Simple Packet Blocks of one byte each.
pub(super) fn timeless(marks: &[u8]) -> Vec<u8> {
    let mut file = [&SECTION[..], &block(1, &[1, 0, 0, 0, 0, 0, 0, 0])].concat();
    for &mark in marks {
        file.extend(block(3, &[1, 0, 0, 0, mark]));
    }
    file
}
