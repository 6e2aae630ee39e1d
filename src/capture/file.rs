//! One file or stream, whatever its format.
//!
//! Gets: an [`Input`], or any reader. Gives: its packets, numbered from 1 in the file's order, and
//! a [`Summary`]. Keeps: the [`Window`] and what the format needs to be read.
//!
//! They come in the file's order too, unless a file has a section of several interfaces: from there on it
//! is read ahead, and they come in the order of their times ([`super::reorder`]). What is no file, but
//! written while it is read, is not waited for.

use std::io::Read;
use std::ops::{ControlFlow, Range};

use super::classic::Classic;
use super::input::{self, Input, Opened, Progress};
use super::pcapng::Pcapng;
use super::reorder::Ahead;
use super::snoop::Snoop;
use super::summary::Summary;
use super::window::{Halt, Window};
use super::{
    CaptureError, FileOrder, InterfaceId, LinkType, Looks, Options, PacketRecord, PacketSource,
};
use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// A record found, not yet borrowed: where its bytes stand in the window.
#[derive(Debug, Clone)]
pub(super) struct RawRecord {
    /// Its number: known to who counts them.
    pub(super) no: PacketNo,
    pub(super) at: FileOffset,
    pub(super) time: Option<Timestamp>,
    pub(super) link: LinkType,
    pub(super) interface: InterfaceId,
    pub(super) orig_len: u32,
    pub(super) bytes: Range<usize>,
}

/// Reads one capture file or stream.
#[derive(Debug)]
pub struct FileSource {
    input: Input,
    /// Of a file that is read ahead, the packet given last.
    window: Window,
    /// `None` at the end, or when it is read ahead.
    format: Option<Reader>,
    ahead: Option<Box<Ahead>>,
    summary: Summary,
    progress: Progress,
}

#[derive(Debug)]
enum Reader {
    Classic(Classic),
    Pcapng(Pcapng),
    Snoop(Snoop),
}

impl Reader {
    /// Apart, so that the way of the usual format is short enough to be inlined.
    #[inline(never)]
    fn next(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
    ) -> Result<Option<RawRecord>, Halt> {
        match self {
            Self::Classic(reader) => reader.next(window, summary),
            Self::Pcapng(reader) => reader.next(window, summary),
            Self::Snoop(reader) => reader.next(window, summary),
        }
    }

    /// The record at the front, when it is all there and nothing is to be said of it; and what follows it.
    #[inline]
    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(PacketRecord<'a>, &'a [u8])> {
        match self {
            Self::Classic(reader) => reader.split(bytes),
            Self::Pcapng(reader) => reader.split(bytes),
            Self::Snoop(_) => None,
        }
    }
}

impl FileSource {
    /// Opens an input and reads its header.
    ///
    /// # Errors
    /// When it can not be opened, or its first bytes are those of no capture.
    pub fn open(input: &Input, limits: &Limits, options: &Options) -> Result<Self, CaptureError> {
        Self::counting(input, limits, options, &Progress::default())
    }

    /// The same, counting into the progress of several inputs.
    pub(super) fn counting(
        input: &Input,
        limits: &Limits,
        options: &Options,
        progress: &Progress,
    ) -> Result<Self, CaptureError> {
        let opened = input::open(input, progress)?;
        let progress = progress.with_total(opened.size);
        Self::start(input.clone(), opened, progress, limits, options)
    }

    /// Reads a capture from any reader; `name` stands for it in errors.
    ///
    /// # Errors
    /// When its first bytes can not be read, or are those of no capture.
    pub fn from_reader(
        name: &str,
        reader: impl Read + Send + 'static,
        limits: &Limits,
        options: &Options,
    ) -> Result<Self, CaptureError> {
        let input = Input::Path(name.into());
        let (reader, compression) = input::unpack(Box::new(reader))
            .map_err(|source| CaptureError::Open { input: input.clone(), source })?;
        let opened = Opened { reader, compression, size: None };
        Self::start(input, opened, Progress::default(), limits, options)
    }

    pub(super) fn start(
        input: Input,
        opened: Opened,
        progress: Progress,
        limits: &Limits,
        options: &Options,
    ) -> Result<Self, CaptureError> {
        // A small file needs no big buffer. A compressed one may be any size.
        let size = match (opened.size, opened.compression) {
            (Some(size), None) => usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1),
            _ => usize::MAX,
        };
        let mut window = Window::new(opened.reader, options.buffer_bytes.min(size));
        let mut summary = Summary { compression: opened.compression, ..Summary::default() };
        let patient = opened.size.is_some();
        let begun = begin(&mut window, &mut summary, patient, limits, options);
        let mut source = Self { input, window, format: None, ahead: None, summary, progress };
        match begun {
            Ok(Begun::Format(format)) => source.format = Some(format),
            Ok(Begun::Empty) => return Err(CaptureError::Empty { input: source.input }),
            Ok(Begun::Strange(looks)) => {
                return Err(CaptureError::NotCapture { input: source.input, looks });
            }
            Err(halt) => return Err(source.error(source.window.at(), halt)),
        }
        Ok(source)
    }

    /// What is known beside the packets, so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How far the reading is.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Gives the records that are at hand, until one is answered with `Break`: much cheaper than one by
    /// one. It ends where [`PacketSource::next`] has to read on, or is at the end, or knows better.
    #[inline]
    pub fn at_hand(
        &mut self,
        mut take: impl FnMut(&PacketRecord<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(reader) = &self.format else { return ControlFlow::Continue(()) };
        let Self { window, summary, .. } = self;
        let (begin, all) = (window.at().0, window.bytes());
        let (mut rest, mut flow) = (all, ControlFlow::Continue(()));
        while flow.is_continue()
            && let Some((record, behind)) = reader.split(rest)
        {
            summary.packets += 1;
            summary.bytes += record.bytes.len() as u64;
            flow = take(&PacketRecord {
                no: PacketNo(summary.packets),
                at: FileOffset(begin + (all.len() - rest.len()) as u64),
                ..record
            });
            rest = behind;
        }
        let taken = all.len() - rest.len();
        window.consume(taken);
        flow
    }

    /// Finds the next record; its bytes are there until the next call.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<RawRecord>, CaptureError> {
        let Some(format) = &mut self.format else { return self.next_in_order() };
        let begin = self.window.at();
        let found = match format {
            Reader::Classic(reader) => reader.next(&mut self.window, &mut self.summary),
            other => other.next(&mut self.window, &mut self.summary),
        };
        match found {
            Ok(Some(record)) => {
                self.summary.packets += 1;
                self.summary.bytes += record.bytes.len() as u64;
                Ok(Some(RawRecord { no: PacketNo(self.summary.packets), ..record }))
            }
            Ok(None) => self.ended(),
            Err(halt) => Err(self.stopped(begin, halt)),
        }
    }

    /// The end, or where reading ahead begins.
    #[cold]
    fn ended(&mut self) -> Result<Option<RawRecord>, CaptureError> {
        if let Some(Reader::Pcapng(reader)) = self.format.take()
            && reader.has_several()
        {
            let window = std::mem::replace(&mut self.window, Window::lent());
            self.ahead = Some(Box::new(Ahead::new(reader, window)));
        }
        self.next_in_order()
    }

    /// The next record of a file that is read ahead.
    #[inline(never)]
    fn next_in_order(&mut self) -> Result<Option<RawRecord>, CaptureError> {
        let Some(mut ahead) = self.ahead.take() else { return Ok(None) };
        loop {
            if let Some(held) = ahead.take() {
                self.window.lend(held.bytes);
                self.ahead = Some(ahead);
                return Ok(Some(held.raw));
            }
            match ahead.read(&mut self.summary) {
                Ok(true) => {}
                Ok(false) => return ahead.finish().map_or(Ok(None), Err),
                Err(halt) => {
                    let error = self.error(ahead.block_at(), halt);
                    ahead.fail(error);
                }
            }
        }
    }

    /// Nothing can be read any more.
    #[cold]
    fn stopped(&mut self, begin: FileOffset, halt: Halt) -> CaptureError {
        let at = match &self.format {
            Some(Reader::Pcapng(reader)) => reader.block_at(),
            _ => begin,
        };
        self.format = None;
        self.error(at, halt)
    }

    /// Borrows a record just found.
    #[inline]
    pub(super) fn record(&self, raw: &RawRecord) -> PacketRecord<'_> {
        PacketRecord {
            no: raw.no,
            at: raw.at,
            time: raw.time,
            link: raw.link,
            interface: raw.interface,
            orig_len: raw.orig_len,
            bytes: self.window.taken(raw.bytes.clone()),
        }
    }

    fn error(&self, at: FileOffset, halt: Halt) -> CaptureError {
        let input = self.input.clone();
        let packet = PacketNo(self.summary.packets.saturating_add(1));
        match (halt, self.summary.compression) {
            (Halt::Cut { needs, has }, _) => {
                CaptureError::Truncated { input, packet, at, needs, has }
            }
            (Halt::Fault(fault), _) => CaptureError::Damaged { input, packet, at, fault },
            (Halt::Read(source), Some(compression)) => {
                CaptureError::Unpack { input, packet, at, compression, source }
            }
            (Halt::Read(source), None) => CaptureError::Read { input, packet, at, source },
        }
    }
}

impl PacketSource for FileSource {
    #[inline]
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError> {
        let found = self.advance()?;
        Ok(found.map(|raw| self.record(&raw)))
    }
}

enum Begun {
    Format(Reader),
    Empty,
    Strange(Looks),
}

/// Tells the format and reads its header.
fn begin(
    window: &mut Window,
    summary: &mut Summary,
    patient: bool,
    limits: &Limits,
    options: &Options,
) -> Result<Begun, Halt> {
    if !window.fill(MAGIC_BYTES) {
        if window.is_done() {
            return Ok(Begun::Empty);
        }
        let begun = MAGICS.iter().any(|magic| magic.starts_with(window.bytes()));
        if begun || window.has_failed() {
            return Err(window.cut(MAGIC_BYTES as u64));
        }
        return Ok(strange(window));
    }
    let Some(&magic) = window.bytes().first_chunk::<MAGIC_BYTES>() else {
        return Ok(strange(window));
    };
    let reader = match magic {
        PCAPNG => {
            let sorted = patient && options.order == FileOrder::Sorted;
            Reader::Pcapng(Pcapng::begin(window, summary, sorted, limits, options)?)
        }
        SNOOP => Reader::Snoop(Snoop::begin(window, summary, limits)?),
        magic if MAGICS.contains(&magic) => {
            Reader::Classic(Classic::begin(window, summary, patient, limits)?)
        }
        _ => return Ok(strange(window)),
    };
    Ok(Begun::Format(reader))
}

fn strange(window: &mut Window) -> Begun {
    window.fill(LOOKED_AT);
    Begun::Strange(Looks::of(window.bytes()))
}

const MAGIC_BYTES: usize = 4;
/// Bytes by which something else is described.
const LOOKED_AT: usize = 512;
/// `SHB` block type: reads the same in both byte orders.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The first half of `"snoop\0\0\0"`.
const SNOOP: [u8; 4] = *b"snoo";
/// First four bytes of every format.
const MAGICS: [[u8; 4]; 8] = [
    PCAPNG,
    SNOOP,
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xcd, 0x34],
    [0x34, 0xcd, 0xb2, 0xa1],
];

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::super::samples::{self, SECTION, block, read};
    use super::*;

    fn open(path: &std::path::Path) -> Result<FileSource, CaptureError> {
        let input = Input::Path(path.to_owned());
        FileSource::open(&input, &Limits::default(), &Options::default())
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// A nanosecond pcap of `count` packets of 1000 bytes.
    fn many(count: u32) -> Vec<u8> {
        let mut bytes = vec![
            0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0,
        ];
        for no in 0..count {
            bytes.extend([1, 0, 0, 0]);
            bytes.extend(no.to_le_bytes());
            bytes.extend([0xe8, 3, 0, 0, 0xe8, 3, 0, 0]);
            bytes.extend([no.to_le_bytes()[0]; 1000]);
        }
        bytes
    }

    #[test]
    fn an_empty_file_is_told_apart_from_one_with_nothing_but_a_header() {
        let error = open(file(b"").path()).unwrap_err();
        assert!(matches!(error, CaptureError::Empty { .. }) && error.hint().is_some());
        let mut source = open(file(&many(0)).path()).unwrap();
        assert!(source.next().unwrap().is_none());
    }

    #[test]
    fn what_is_no_capture_is_told_by_its_first_bytes() {
        let noise: Vec<u8> = (0..2000_u32).map(|i| (i * 37 + 200).to_le_bytes()[0]).collect();
        let cases: [(&[u8], &str); 7] = [
            (b"GET / HTTP/1.1\r\n", "it looks like text"),
            (b" {\"event\":\"handshake\"}\n", "it looks like JSON"),
            (b"<html>", "it looks like HTML"),
            (b"x", "it looks like text"),
            (b"\xfd7zXZ\0abc", "it is compressed with xz"),
            (b"PK\x03\x04abc", "it is a zip archive"),
            (&noise, "neither pcap, pcapng nor snoop"),
        ];
        for (bytes, want) in cases {
            let error = open(file(bytes).path()).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_directory_and_a_missing_file_say_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(open(dir.path()), Err(CaptureError::Directory { .. })));
        let error = open(&dir.path().join("none.pcap")).unwrap_err().to_string();
        assert!(error.ends_with("none.pcap: No such file or directory"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_may_not_be_read_says_so() {
        use std::os::unix::fs::PermissionsExt;
        let file = file(&many(1));
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o0)).unwrap();
        // The superuser may read it all the same.
        if let Err(error) = open(file.path()) {
            assert!(error.to_string().ends_with("Permission denied"), "{error}");
            assert!(error.hint().unwrap().contains("sudo"));
        }
    }

    #[test]
    fn a_big_file_is_read_through_a_small_buffer() {
        let bytes = many(5000);
        let options = Options { buffer_bytes: 1, ..Options::default() };
        let reader = io::Cursor::new(bytes.clone());
        let mut source =
            FileSource::from_reader("big", reader, &Limits::default(), &options).unwrap();
        let (found, error) = samples::drain(&mut source);
        assert!(error.is_none());
        assert_eq!(found, read(&bytes).0);
        assert!(found.iter().enumerate().all(|(i, f)| f.bytes == [i.to_le_bytes()[0]; 1000]));
        assert_eq!(source.summary().bytes, 5_000_000);
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_says_so() {
        let file = file(&many(5000));
        let mut source = open(file.path()).unwrap();
        let (size, mut count) = (file.as_file().metadata().unwrap().len(), 0);
        let error = loop {
            match source.next() {
                Ok(Some(_)) => count += 1,
                Ok(None) => panic!("taken for whole after {count} packets"),
                Err(error) => break error.to_string(),
            }
            file.as_file().set_len(2_000_000).unwrap();
        };
        assert!(count > 1000 && count < 2000, "{count}");
        let want = format!("the file shrank while it was read (from {size} to 2000000 bytes)");
        assert!(error.ends_with(&want), "{error}");
    }

    #[test]
    fn progress_counts_up_to_the_size() {
        let file = file(&many(3000));
        let mut source = open(file.path()).unwrap();
        let progress = source.progress();
        assert_eq!(progress.total(), Some(3000 * 1016 + 24));
        assert!(progress.read() < 3000 * 1016);
        while source.next().unwrap().is_some() {}
        assert_eq!(Some(progress.read()), progress.total());
    }

    #[test]
    fn compressed_files_give_the_same_packets() {
        let bytes = many(300);
        let plain = read(&bytes).0;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&bytes).unwrap();
        let zstd = zstd::encode_all(&bytes[..], 1).unwrap();
        for packed in [gzip.finish().unwrap(), lz4.finish().unwrap(), zstd] {
            let (found, error) = read(&packed);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(found, plain);
            let (part, error) = read(&packed[..packed.len() * 2 / 3]);
            assert_eq!(part, plain[..part.len()]);
            assert!(error.unwrap().to_string().contains("data is cut short"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_whose_writer_stops_early_gives_what_came() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|s| s.success()) {
            eprintln!("skipped: no mkfifo");
            return;
        }
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, &many(3)[..24 + 2 * 1016 + 100])
        });
        let mut source = open(&path).unwrap();
        assert_eq!(source.progress().total(), None);
        let (found, error) = samples::drain(&mut source);
        writer.join().unwrap().unwrap();
        assert_eq!(found.len(), 2);
        assert!(matches!(
            error,
            Some(CaptureError::Truncated { packet: PacketNo(3), has: 100, .. })
        ));
    }

    #[test]
    fn a_lying_length_does_not_grow_memory_beyond_the_limit() {
        let limits = Limits { record_bytes: 1 << 20, ..Limits::default() };
        let mut bytes = [&SECTION[..], &block(1, &[1, 0, 0, 0, 0, 0, 0, 0])].concat();
        bytes.extend([6, 0, 0, 0, 0xfc, 0xff, 0x0f, 0]);
        bytes.extend([0; 100]);
        let reader = io::Cursor::new(bytes);
        let options = Options::default();
        let mut source = FileSource::from_reader("lies", reader, &limits, &options).unwrap();
        assert!(matches!(source.next(), Err(CaptureError::Truncated { needs: 0x000f_fffc, .. })));
        assert!(source.window.capacity() <= 3 << 20);
    }
}
