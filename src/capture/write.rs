//! pcapng files written (draft-ietf-opsawg-pcapng).
//!
//! Gets: [`PacketRecord`]s, their interfaces, comments. Gives: a file that Wireshark opens. Keeps:
//! whole blocks that are not yet handed on: what was written is a valid file at every moment, so a
//! killed program leaves one that can be read.

use std::fs::File;
use std::io::{self, Write};

use super::summary::{Interface, Secrets};
use super::{InterfaceId, LinkType, PacketRecord};
use crate::units::Timestamp;

/// Writes a capture file, one section of it, in little-endian order and nanoseconds.
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    inner: W,
    /// Whole blocks only.
    pending: Vec<u8>,
    /// What was described, in order: an interface's number in the file is its place here.
    described: Vec<Written>,
    /// Bytes handed on and pending.
    bytes: u64,
    /// Bytes of the blocks that were handed on whole.
    whole: u64,
    packets: u64,
}

#[derive(Debug, Clone)]
struct Written {
    /// What it is for the capture.
    id: InterfaceId,
    link: LinkType,
    packets: u64,
    last: Option<Timestamp>,
}

impl<W: Write> PcapngWriter<W> {
    /// Starts a file: a section header.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn new(inner: W) -> io::Result<Self> {
        let pending = Vec::with_capacity(BUFFER);
        let mut writer =
            Self { inner, pending, described: Vec::new(), bytes: 0, whole: 0, packets: 0 };
        writer.block(SECTION, |body| {
            body.extend(BYTE_ORDER.to_le_bytes());
            body.extend(1_u16.to_le_bytes());
            body.extend(0_u16.to_le_bytes());
            // The section's length is not known beforehand.
            body.extend(u64::MAX.to_le_bytes());
            let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
            option(body, SHB_OS, system.as_bytes());
            option(body, SHB_USERAPPL, concat!("wstap ", env!("CARGO_PKG_VERSION")).as_bytes());
            end_of_options(body);
        })?;
        writer.flush()?;
        Ok(writer)
    }

    /// Describes an interface, once, before its first packet. Packets of interfaces that are not
    /// described get one by their link type alone.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn interface(&mut self, id: InterfaceId, interface: &Interface) -> io::Result<()> {
        if self.place(id, interface.link).is_none() {
            self.describe(id, interface)?;
        }
        Ok(())
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn write(&mut self, record: &PacketRecord<'_>) -> io::Result<()> {
        self.write_commented(record, &[])
    }

    /// Writes a packet with comments on it.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn write_commented(
        &mut self,
        record: &PacketRecord<'_>,
        comments: &[&str],
    ) -> io::Result<()> {
        let place = match self.place(record.interface, record.link) {
            Some(place) => place,
            None => self.describe(record.interface, &Interface::new(record.link))?,
        };
        if let Some(written) = self.described.get_mut(place) {
            written.packets += 1;
            written.last = record.time.or(written.last);
        }
        self.packets += 1;
        let captured = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
        let bytes = record.bytes.get(..captured as usize).unwrap_or_default();
        // Only a Simple Packet Block can be without a time, and it is always of the first interface
        // and never cut. Other packets without one get 1970.
        if record.time.is_none() && place == 0 && record.orig_len == captured && comments.is_empty()
        {
            return self.block(SIMPLE, |body| {
                body.extend(record.orig_len.to_le_bytes());
                body.extend(bytes);
            });
        }
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.block(ENHANCED, |body| {
            body.extend(place.to_le_bytes());
            body.extend(time_words(record.time.unwrap_or_default()));
            body.extend(captured.to_le_bytes());
            body.extend(record.orig_len.max(captured).to_le_bytes());
            body.extend(bytes);
            pad(body);
            for comment in comments {
                option(body, COMMENT, comment.as_bytes());
            }
            if !comments.is_empty() {
                end_of_options(body);
            }
        })
    }

    /// Writes secrets for decryption; they must stand before the packets that need them.
    ///
    /// # Errors
    /// When they can not be written.
    pub fn secrets(&mut self, secrets: &Secrets) -> io::Result<()> {
        self.block(SECRETS, |body| {
            body.extend(secrets.kind.to_le_bytes());
            body.extend(u32::try_from(secrets.data.len()).unwrap_or(u32::MAX).to_le_bytes());
            body.extend(&secrets.data);
        })
    }

    /// Hands everything on.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.inner.flush()
    }

    /// Hands on the blocks that are pending.
    fn hand_on(&mut self) -> io::Result<()> {
        let mut rest = self.pending.as_slice();
        let result = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.inner.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let taken = self.pending.len().saturating_sub(rest.len());
        let whole = if result.is_ok() { taken } else { whole_blocks(&self.pending, taken) };
        self.whole = self.whole.saturating_add(whole as u64);
        // Not again after a failure: a part of it may have been taken.
        self.pending.clear();
        result
    }

    /// Ends the file with the statistics of its interfaces, as far as they are given, and gives
    /// back what was written to.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn finish(mut self, interfaces: &[Interface]) -> io::Result<W> {
        self.statistics(interfaces, None)?;
        self.flush()?;
        Ok(self.inner)
    }

    /// Writes the statistics of the interfaces as they are now. They count from the start of the
    /// capture, so the last ones of a file are those that hold. Without a time they get that of the
    /// interface's last packet.
    ///
    /// # Errors
    /// When they can not be written.
    pub fn statistics(
        &mut self,
        interfaces: &[Interface],
        now: Option<Timestamp>,
    ) -> io::Result<()> {
        for (place, written) in self.described.clone().into_iter().enumerate() {
            let known = interfaces.get(written.id.0 as usize).filter(|i| i.link == written.link);
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            self.block(STATISTICS, |body| {
                body.extend(place.to_le_bytes());
                body.extend(time_words(now.or(written.last).unwrap_or_default()));
                if let Some(received) = known.and_then(|i| i.received) {
                    option(body, ISB_IFRECV, &received.to_le_bytes());
                }
                if let Some(known) = known {
                    option(body, ISB_IFDROP, &known.dropped.to_le_bytes());
                }
                option(body, ISB_USRDELIV, &written.packets.to_le_bytes());
                end_of_options(body);
            })?;
        }
        Ok(())
    }

    /// Bytes of the file so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets written so far.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    fn place(&self, id: InterfaceId, link: LinkType) -> Option<usize> {
        self.described.iter().position(|w| w.id == id && w.link == link)
    }

    fn describe(&mut self, id: InterfaceId, interface: &Interface) -> io::Result<usize> {
        self.block(INTERFACE, |body| {
            body.extend(interface.link.0.to_le_bytes());
            body.extend(0_u16.to_le_bytes());
            body.extend(interface.snaplen.to_le_bytes());
            let texts = [
                (IF_NAME, &interface.name),
                (IF_DESCRIPTION, &interface.description),
                (IF_HARDWARE, &interface.hardware),
            ];
            for (code, text) in texts {
                if let Some(text) = text {
                    option(body, code, text.as_bytes());
                }
            }
            option(body, IF_TSRESOL, &[9]);
            if let Some(filter) = &interface.filter {
                // The first byte says that it is a text as libpcap takes it.
                option(body, IF_FILTER, &[b"\0", filter.as_bytes()].concat());
            }
            end_of_options(body);
        })?;
        self.described.push(Written { id, link: interface.link, packets: 0, last: None });
        Ok(self.described.len() - 1)
    }

    /// Appends a block: type, length, padded body, length.
    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let start = self.pending.len();
        self.pending.extend(kind.to_le_bytes());
        self.pending.extend([0; 4]);
        body(&mut self.pending);
        pad(&mut self.pending);
        let len = self.pending.len().saturating_sub(start).saturating_add(4);
        let Ok(len32) = u32::try_from(len) else {
            self.pending.truncate(start);
            return Err(io::Error::other("a block of pcapng holds less than 4 GiB"));
        };
        self.pending.extend(len32.to_le_bytes());
        let place = start.saturating_add(4)..start.saturating_add(8);
        if let Some(slot) = self.pending.get_mut(place) {
            slot.copy_from_slice(&len32.to_le_bytes());
        }
        self.bytes = self.bytes.saturating_add(len as u64);
        if self.pending.len() >= BUFFER { self.hand_on() } else { Ok(()) }
    }
}

impl PcapngWriter<File> {
    /// After a failure: cuts off the part of a block that was written last. Where that can not be done,
    /// as with a pipe, nothing happens. Nothing more may be written.
    pub fn cut_back(&mut self) {
        // It has failed already, and that was told.
        let _ = self.inner.set_len(self.whole);
    }
}

/// Of so many bytes of these blocks, how many are whole blocks.
fn whole_blocks(blocks: &[u8], bytes: usize) -> usize {
    let mut whole = 0;
    while let Some(len) = blocks.get(whole..).and_then(|block| block.get(4..)?.first_chunk()) {
        let end = whole.saturating_add(u32::from_le_bytes(*len) as usize);
        if end > bytes || end == whole {
            break;
        }
        whole = end;
    }
    whole
}

/// Blocks all start at a multiple of 4 of the buffer, so it can be padded as a whole.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// High and low half; the format knows no time before 1970.
fn time_words(time: Timestamp) -> [u8; 8] {
    let nanos = u64::try_from(time.0).unwrap_or(0);
    nanos.rotate_left(32).to_le_bytes()
}

const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const SIMPLE: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED: u32 = 6;
const SECRETS: u32 = 10;

const COMMENT: u16 = 1;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_FILTER: u16 = 11;
const IF_HARDWARE: u16 = 15;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_USRDELIV: u16 = 8;

/// Bytes gathered before they are handed on.
const BUFFER: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::super::samples::{self, Found};
    use super::*;
    use crate::units::{FileOffset, PacketNo};

    fn record(time: Option<i64>, interface: u32, link: u16, bytes: &[u8]) -> PacketRecord<'_> {
        PacketRecord {
            no: PacketNo(1),
            at: FileOffset(0),
            time: time.map(Timestamp),
            link: LinkType(link),
            interface: InterfaceId(interface),
            orig_len: 9,
            bytes,
        }
    }

    fn lo() -> Interface {
        Interface {
            snaplen: 262_144,
            name: Some("lo".into()),
            description: Some("loopback".into()),
            hardware: Some("none".into()),
            filter: Some("tcp port 8088".into()),
            received: Some(3),
            dropped: 2,
            ..Interface::new(LinkType(1))
        }
    }

    fn file() -> Vec<u8> {
        let mut writer = PcapngWriter::new(Vec::new()).unwrap();
        writer.interface(InterfaceId(0), &lo()).unwrap();
        let first = record(Some(1_700_000_000_123_456_789), 0, 1, b"abcde");
        writer.write(&first).unwrap();
        let second = record(Some(1_700_000_001_000_000_001), 1, 113, b"123456789");
        writer.write_commented(&second, &["first", "second \u{e9}"]).unwrap();
        writer.write(&record(None, 0, 1, b"fullsized")).unwrap();
        let packets = writer.packets();
        assert_eq!(packets, 3);
        let bytes = writer.bytes();
        let file = writer.finish(&[lo()]).unwrap();
        assert!(file.len() as u64 > bytes);
        file
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut source = samples::source(&file()).unwrap();
        let (found, error) = samples::drain(&mut source);
        assert!(error.is_none(), "{error:?}");
        let want = [
            (Some(1_700_000_000_123_456_789), 1, &b"abcde"[..]),
            (Some(1_700_000_001_000_000_001), 113, b"123456789"),
            (None, 1, b"fullsized"),
        ];
        let found: Vec<_> = found.iter().map(|f| (f.time, f.link.0, &f.bytes[..])).collect();
        assert_eq!(found, want);
        let summary = source.summary();
        assert_eq!(summary.interfaces[0], lo());
        assert_eq!(summary.interfaces[1].link, LinkType(113));
        assert_eq!(summary.dropped, 2);
        assert_eq!(
            summary.application.as_deref(),
            Some(concat!("wstap ", env!("CARGO_PKG_VERSION")))
        );
        let comments: Vec<_> =
            summary.comments.iter().map(|c| (c.packet.unwrap().0, &c.text[..])).collect();
        assert_eq!(comments, [(2, "first"), (2, "second \u{e9}")]);
    }

    #[test]
    fn an_enhanced_packet_block_is_as_the_draft_draws_it() {
        let mut writer = PcapngWriter::new(Vec::new()).unwrap();
        writer.interface(InterfaceId(0), &lo()).unwrap();
        let before = usize::try_from(writer.bytes()).unwrap();
        writer.write(&record(Some(0x0102_0304_0506_0708), 0, 1, b"abcde")).unwrap();
        writer.flush().unwrap();
        let want = [
            6, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 5, 0, 0, 0, 9, 0, 0,
            0, //
            b'a', b'b', b'c', b'd', b'e', 0, 0, 0, 40, 0, 0, 0,
        ];
        assert_eq!(writer.inner[before..], want);
    }

    #[test]
    fn everything_handed_on_is_whole_blocks() {
        struct Pieces(Vec<Vec<u8>>);
        impl Write for Pieces {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.push(buf.to_vec());
                Ok(buf.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = PcapngWriter::new(Pieces(Vec::new())).unwrap();
        for len in 0..1500 {
            writer.write(&record(Some(1), 0, 1, &[7; 1500][..len])).unwrap();
        }
        let pieces = writer.inner.0;
        assert!(pieces.len() > 3);
        for end in 1..=pieces.len() {
            let (_, error) = samples::read(&pieces[..end].concat());
            assert!(error.is_none(), "{error:?}");
        }
    }

    /// Takes so many bytes, a few at a time, and no more.
    struct Full(Vec<u8>, usize);

    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = buf.len().min(room).min(1000);
            self.0.extend(&buf[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_written_whole_before_a_failure_is_known() {
        for room in 400..700 {
            let mut writer = PcapngWriter::new(Full(Vec::new(), room)).unwrap();
            for len in 0..10 {
                writer.write(&record(Some(1), 0, 1, &[7; 90][..9 * len])).unwrap();
            }
            let error = writer.flush().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let whole = usize::try_from(writer.whole).unwrap();
            assert!(whole <= room && room - whole < 124, "{whole} of {room}");
            let (_, error) = samples::read(&writer.inner.0[..whole]);
            assert!(error.is_none(), "cut at {whole}: {error:?}");
        }
    }

    #[test]
    fn a_cut_anywhere_gives_the_whole_packets_before_it() {
        let file = file();
        let (all, _) = samples::read(&file);
        let len = |at: u64| {
            let at = usize::try_from(at).unwrap();
            u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize + at
        };
        let ends: Vec<usize> = all.iter().map(|f: &Found| len(f.at)).collect();
        for cut in 1..file.len() {
            let (found, error) = samples::read(&file[..cut]);
            let want = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(found, all[..want], "cut at {cut}");
            let slow = samples::read_slowly(&file[..cut]);
            assert_eq!(slow.0, found, "cut at {cut}");
            let text = |e: Option<super::super::CaptureError>| e.map(|e| e.to_string());
            assert_eq!(text(slow.1), text(error), "cut at {cut}");
        }
    }

    #[test]
    fn capinfos_and_tshark_agree_where_they_are_installed() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file()).unwrap();
        let run = |program: &str, args: &[&str]| {
            let out =
                std::process::Command::new(program).args(args).arg(path.path()).output().ok()?;
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            Some(String::from_utf8_lossy(&out.stdout).into_owned())
        };
        let Some(text) = run("capinfos", &["-t", "-c", "-I"]) else {
            eprintln!("skipped: capinfos is not installed");
            return;
        };
        for part in ["pcapng", "Number of packets:   3", "Name = lo", "Number of stat entries = 1"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        let fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment", "-r"];
        let Some(text) = run("tshark", &fields) else { return };
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "1700000000.123456789");
        assert_eq!(lines[1], "1700000001.000000001\tfirst,second \u{e9}");
    }
}
