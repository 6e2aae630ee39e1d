//! A capture saved while it runs, in one file or a set of them as dumpcap has it.
//!
//! Gets: [`PacketRecord`]s with their comments, and what is known of the interfaces. Gives: pcapng
//! files that are valid at every moment: only whole blocks are written, and what came is on its way
//! to the disk within a second. Keeps: the names of the files of a ring.
//!
//! ```text
//!  -w cap.pcapng                    cap.pcapng
//!  -w cap.pcapng -b duration:60     cap_00001_20261122160102.pcapng
//!                                   cap_00002_20261122160202.pcapng ...
//! ```

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::summary::{Interface, Secrets};
use super::write::PcapngWriter;
use super::{InterfaceId, PacketRecord};
use crate::units::Timestamp;

/// When the next file begins, as dumpcap's `-b` says it. Nothing set: one file.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rotation {
    /// `duration:N`: a file for so long, in seconds.
    pub duration: Option<Duration>,
    /// `filesize:N`: a file of about so many bytes (N is kB).
    pub bytes: Option<u64>,
    /// `packets:N`: a file of so many packets.
    pub packets: Option<u64>,
    /// `files:N`: only the newest so many are kept.
    pub files: Option<usize>,
    /// `files:N` of `-a`: so many are written, and no more are begun.
    pub most: Option<u64>,
}

impl Rotation {
    /// Adds what another `-b` says.
    ///
    /// # Errors
    /// When it is none that dumpcap has: says which there are.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        self.set(Bound::from_str(text)?);
        Ok(())
    }

    /// The same, read already.
    pub const fn set(&mut self, bound: Bound) {
        match bound {
            Bound::Duration(duration) => self.duration = Some(duration),
            Bound::Bytes(bytes) => self.bytes = Some(bytes),
            Bound::Packets(packets) => self.packets = Some(packets),
            Bound::Files(files) => self.files = Some(files),
        }
    }

    /// Does anything make a next file begin.
    pub const fn rotates(&self) -> bool {
        self.duration.is_some() || self.bytes.is_some() || self.packets.is_some()
    }
}

/// One bound, as `-b` and `-a` take it: `duration:10`, `filesize:1000`, `packets:5`, `files:3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// So long.
    Duration(Duration),
    /// So many bytes; given in kB, of 1000 bytes as dumpcap's.
    Bytes(u64),
    /// So many packets.
    Packets(u64),
    /// So many files.
    Files(usize),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is none of duration:SECONDS, filesize:KB, packets:NUMBER, files:NUMBER"
            )
        };
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let whole = || value.parse::<u64>().ok().filter(|&n| n > 0).ok_or_else(wrong);
        match name {
            "duration" => {
                let seconds = value.parse::<f64>().ok().filter(|&s| s > 0.0).ok_or_else(wrong)?;
                Duration::try_from_secs_f64(seconds).ok().map(Self::Duration).ok_or_else(wrong)
            }
            "filesize" => Ok(Self::Bytes(whole()?.saturating_mul(1000))),
            "packets" => Ok(Self::Packets(whole()?)),
            "files" => usize::try_from(whole()?).ok().map(Self::Files).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

/// Saves packets as they come.
#[derive(Debug)]
pub struct Saver {
    path: PathBuf,
    rotation: Rotation,
    /// What is known of the interfaces, by their [`InterfaceId`].
    interfaces: Vec<Interface>,
    /// What each file of the set needs to be decrypted.
    secrets: Vec<Secrets>,
    writer: PcapngWriter<File>,
    /// Files of this capture that are there, oldest first, the one being written last.
    files: VecDeque<PathBuf>,
    /// Number of the file being written, from 1.
    number: u64,
    /// When it was begun.
    begun: Instant,
    /// When something was last handed to the system, and whether something came since.
    flushed: Instant,
    dirty: bool,
    packets: u64,
    bytes: u64,
}

impl Saver {
    /// Begins the first file.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn create(path: &Path, rotation: Rotation, interfaces: &[Interface]) -> io::Result<Self> {
        let name = if rotation.rotates() { numbered(path, 1) } else { path.to_owned() };
        let writer = begin(&name, interfaces)?;
        let now = Instant::now();
        Ok(Self {
            path: path.to_owned(),
            rotation,
            interfaces: interfaces.to_vec(),
            secrets: Vec::new(),
            writer,
            files: VecDeque::from([name]),
            number: 1,
            begun: now,
            flushed: now,
            dirty: false,
            packets: 0,
            bytes: 0,
        })
    }

    /// Saves a packet with comments on it.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn write(&mut self, record: &PacketRecord<'_>, comments: &[&str]) -> io::Result<()> {
        let now = Instant::now();
        if self.is_full(now) && self.may_begin() {
            self.rotate(now)?;
        }
        self.writer.write_commented(record, comments)?;
        self.packets += 1;
        self.dirty = true;
        self.flush_after(now, FLUSH_EVERY)
    }

    /// Looks at the clock: to be called when no packets come, now and then.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn tick(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.flush_after(now, Duration::ZERO)?;
        let over = self.rotation.duration.is_some_and(|d| now.duration_since(self.begun) >= d);
        let empty = self.writer.packets() == 0;
        if over && !empty && self.may_begin() { self.rotate(now) } else { Ok(()) }
    }

    /// Takes in what is known of the interfaces by now, for the statistics; new ones are described.
    ///
    /// # Errors
    /// When they can not be written.
    pub fn learn(&mut self, interfaces: &[Interface]) -> io::Result<()> {
        self.interfaces.clear();
        self.interfaces.extend_from_slice(interfaces);
        for (id, interface) in (0..).zip(interfaces) {
            self.writer.interface(InterfaceId(id), interface)?;
        }
        Ok(())
    }

    /// Writes down secrets for decryption that the capture brought along; they are in each file from now
    /// on.
    ///
    /// # Errors
    /// When they can not be written.
    pub fn secrets(&mut self, secrets: &Secrets) -> io::Result<()> {
        if self.rotation.rotates() {
            self.secrets.push(secrets.clone());
        }
        self.dirty = true;
        self.writer.secrets(secrets)
    }

    /// Writes down how many packets were dropped until now.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn dropped(&mut self, interfaces: &[Interface], now: Timestamp) -> io::Result<()> {
        self.learn(interfaces)?;
        self.writer.statistics(&self.interfaces, Some(now))?;
        self.dirty = true;
        self.flush_after(Instant::now(), Duration::ZERO)
    }

    /// Ends the last file with its statistics.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn finish(mut self, interfaces: &[Interface]) -> io::Result<()> {
        let ended = self.end(interfaces);
        if ended.is_err() {
            self.cut_back();
        }
        ended
    }

    fn end(&mut self, interfaces: &[Interface]) -> io::Result<()> {
        self.learn(interfaces)?;
        self.writer.statistics(&self.interfaces, None)?;
        self.writer.flush()
    }

    /// After a failure: cuts off what was not written whole, where that can be done. Nothing more may be
    /// written.
    pub fn cut_back(&mut self) {
        self.writer.cut_back();
    }

    /// The file being written.
    pub fn file(&self) -> &Path {
        self.files.back().unwrap_or(&self.path)
    }

    /// Packets saved, over all files.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes written, over all files.
    pub const fn bytes(&self) -> u64 {
        self.bytes.saturating_add(self.writer.bytes())
    }

    /// Files begun.
    pub const fn begun(&self) -> u64 {
        self.number
    }

    /// All files that may be written are full ([`Rotation::most`]).
    pub fn is_done(&self) -> bool {
        !self.may_begin() && self.is_full(Instant::now())
    }

    /// May there be a next file.
    fn may_begin(&self) -> bool {
        self.rotation.most.is_none_or(|most| self.number < most)
    }

    /// Is it time for the next file. An empty one is never left behind.
    fn is_full(&self, now: Instant) -> bool {
        let Rotation { duration, bytes, packets, .. } = self.rotation;
        self.writer.packets() > 0
            && (bytes.is_some_and(|n| self.writer.bytes() >= n)
                || packets.is_some_and(|n| self.writer.packets() >= n)
                || duration.is_some_and(|d| now.duration_since(self.begun) >= d))
    }

    /// Ends the file and begins the next one.
    fn rotate(&mut self, now: Instant) -> io::Result<()> {
        // Whole before the next one is there: who follows the set then turns to that.
        self.writer.statistics(&self.interfaces, None)?;
        self.writer.flush()?;
        let number = self.number.saturating_add(1);
        let name = numbered(&self.path, number);
        let mut next = begin(&name, &self.interfaces)?;
        self.secrets.iter().try_for_each(|secrets| next.secrets(secrets))?;
        let ended = std::mem::replace(&mut self.writer, next);
        self.bytes = self.bytes.saturating_add(ended.bytes());
        self.files.push_back(name);
        (self.number, self.begun, self.flushed) = (number, now, now);
        self.dirty = false;
        self.remove_oldest()
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        let Some(keep) = self.rotation.files else {
            // Without a ring nobody asks for the names.
            self.files.drain(..self.files.len().saturating_sub(1));
            return Ok(());
        };
        while self.files.len() > keep.max(1) {
            let Some(oldest) = self.files.pop_front() else { break };
            match std::fs::remove_file(&oldest) {
                // Somebody else has removed or moved it: that is his right.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Hands everything to the system, when that was last done at least so long ago.
    fn flush_after(&mut self, now: Instant, age: Duration) -> io::Result<()> {
        if !self.dirty || now.duration_since(self.flushed) < age {
            return Ok(());
        }
        (self.flushed, self.dirty) = (now, false);
        self.writer.flush()
    }
}

/// A new file with its interfaces described.
fn begin(path: &Path, interfaces: &[Interface]) -> io::Result<PcapngWriter<File>> {
    let mut writer = PcapngWriter::new(File::create(path)?)?;
    for (id, interface) in (0..).zip(interfaces) {
        writer.interface(InterfaceId(id), interface)?;
    }
    writer.flush()?;
    Ok(writer)
}

/// The name of a file in a set, in local time: `cap.pcapng` to `cap_00001_20261122160102.pcapng`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let time = jiff::Zoned::now().strftime("%Y%m%d%H%M%S").to_string();
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{number:05}_{time}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Packets are on their way to the disk this soon.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::{FileSource, Input, LinkType, Options, PacketSource};
    use super::*;
    use crate::limits::Limits;
    use crate::units::{FileOffset, PacketNo};

    fn record(no: u64) -> PacketRecord<'static> {
        PacketRecord {
            no: PacketNo(no),
            at: FileOffset(0),
            time: Some(Timestamp(1_700_000_000_000_000_000 + i64::try_from(no).unwrap())),
            link: LinkType::ETHERNET,
            interface: InterfaceId(0),
            orig_len: 60,
            bytes: &[7; 60],
        }
    }

    fn lo(dropped: u64) -> Interface {
        let received = Some(100);
        let name = Some("lo".to_owned());
        Interface { name, received, dropped, ..Interface::new(LinkType::ETHERNET) }
    }

    fn source(path: &Path) -> FileSource {
        let input = Input::Path(path.to_owned());
        FileSource::open(&input, &Limits::default(), &Options::default()).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn rotation(texts: &[&str]) -> Rotation {
        let mut rotation = Rotation::default();
        for text in texts {
            rotation.add(text).unwrap();
        }
        rotation
    }

    #[test]
    fn bounds_read_as_dumpcap_has_them() {
        let all = rotation(&["duration:1.5", "filesize:2", "packets:7", "files:3"]);
        let want = Rotation {
            duration: Some(Duration::from_millis(1500)),
            bytes: Some(2000),
            packets: Some(7),
            files: Some(3),
            most: None,
        };
        assert_eq!(all, want);
        for wrong in
            ["", "7", "packets", "packets:", "packets:0", "size:7", "duration:-1", "duration:1e99"]
        {
            let error = Bound::from_str(wrong).unwrap_err();
            assert!(error.contains("duration:SECONDS"), "{error}");
        }
    }

    #[test]
    fn a_ring_keeps_the_newest_files_each_whole_and_with_statistics() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cap.pcapng");
        let mut saver =
            Saver::create(&path, rotation(&["packets:10", "files:3"]), &[lo(0)]).unwrap();
        for no in 1..=45 {
            saver.write(&record(no), &[]).unwrap();
        }
        assert_eq!((saver.packets(), saver.begun()), (45, 5));
        saver.finish(&[lo(4)]).unwrap();
        let names = names(dir.path());
        let numbers: Vec<_> = names.iter().map(|n| &n[..10]).collect();
        assert_eq!(numbers, ["cap_00003_", "cap_00004_", "cap_00005_"]);
        for name in &names {
            // cap_00003_20261122160102.pcapng
            let digits = name.strip_suffix(".pcapng").unwrap().get(10..).unwrap();
            assert!(digits.len() == 14 && digits.starts_with("20"), "{name}");
        }
        for (name, packets) in names.iter().zip([10, 10, 5]) {
            let mut source = source(&dir.path().join(name));
            let (found, error) = samples::drain(&mut source);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(found.len(), packets);
            assert_eq!(source.summary().interfaces[0].name.as_deref(), Some("lo"));
            assert_eq!(source.summary().interfaces[0].received, Some(100));
        }
        assert_eq!(source(&dir.path().join(&names[2])).summary().dropped, 0, "not read to its end");
    }

    #[test]
    fn no_more_files_are_begun_than_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let most = Rotation { most: Some(2), ..rotation(&["packets:2"]) };
        let mut saver = Saver::create(&dir.path().join("p"), most, &[lo(0)]).unwrap();
        let mut done = Vec::new();
        for no in 1..=5 {
            saver.write(&record(no), &[]).unwrap();
            done.push(saver.is_done());
        }
        assert_eq!(done, [false, false, false, true, true]);
        saver.finish(&[lo(0)]).unwrap();
        assert_eq!(names(dir.path()).len(), 2);
        let dir = tempfile::tempdir().unwrap();
        let most = Rotation { most: Some(1), ..rotation(&["duration:0.02"]) };
        let mut saver = Saver::create(&dir.path().join("d"), most, &[lo(0)]).unwrap();
        saver.write(&record(1), &[]).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        saver.tick().unwrap();
        assert!(saver.is_done());
        saver.finish(&[lo(0)]).unwrap();
        assert_eq!(names(dir.path()).len(), 1);
    }

    #[test]
    fn a_file_ends_at_its_size_and_by_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut saver =
            Saver::create(&dir.path().join("s.pcapng"), rotation(&["filesize:1"]), &[lo(0)])
                .unwrap();
        // Each packet takes 92 bytes.
        (1..=30).for_each(|no| saver.write(&record(no), &[]).unwrap());
        saver.finish(&[lo(0)]).unwrap();
        let all = names(dir.path());
        assert!((3..=4).contains(&all.len()), "{all:?}");
        for name in &all[..all.len() - 1] {
            let len = std::fs::metadata(dir.path().join(name)).unwrap().len();
            assert!((1000..1300).contains(&len), "{len}");
        }
        let dir = tempfile::tempdir().unwrap();
        let mut saver =
            Saver::create(&dir.path().join("d"), rotation(&["duration:0.05"]), &[lo(0)]).unwrap();
        saver.tick().unwrap();
        saver.write(&record(1), &[]).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        saver.tick().unwrap();
        saver.tick().unwrap();
        saver.finish(&[lo(0)]).unwrap();
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn what_was_written_a_second_ago_can_be_read_while_the_file_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cap.pcapng");
        let mut saver = Saver::create(&path, Rotation::default(), &[lo(0)]).unwrap();
        for no in 1..=20 {
            saver.write(&record(no), &["wstap: a note"]).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut read = source(&path);
        let (found, error) = samples::drain(&mut read);
        assert!(error.is_none(), "{error:?}");
        assert!(found.len() >= 10, "{}", found.len());
        assert_eq!(read.summary().comments[0].text, "wstap: a note");
        saver.dropped(&[lo(3)], Timestamp(1_700_000_001_000_000_000)).unwrap();
        let mut read = source(&path);
        while read.next().unwrap().is_some() {}
        assert_eq!((read.summary().packets, read.summary().dropped), (20, 3));
    }
}
