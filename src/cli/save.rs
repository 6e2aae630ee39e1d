//! The file of -w, while the run goes on.
//!
//! Gets: packets with what is to be said of them. Gives: them to a [`capture::Saver`], after their
//! interfaces. Keeps: one packet whose interface is not described yet.

use std::io;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::feed::Feed;
use super::keys::Keys;
use crate::capture::{self, PacketRecord, Rotation};
use crate::units::Timestamp;

/// The file of -w.
pub(super) struct Saver {
    path: PathBuf,
    files: capture::Saver,
    /// Interfaces described so far.
    described: usize,
    /// A packet whose interface is not described yet: what the feed lends must be given back before
    /// it can be asked for its interfaces. Seldom: once for each interface.
    held: Option<Held>,
    dropped: u64,
    /// Where the secrets are that the capture brings, and how many of them were written.
    keys: Keys,
    secrets: usize,
}

/// A packet of our own.
struct Held {
    record: PacketRecord<'static>,
    bytes: Vec<u8>,
    comments: Vec<String>,
}

impl Saver {
    pub(super) fn create(
        path: &Path,
        rotation: Rotation,
        feed: &Feed,
        keys: &Keys,
    ) -> Result<Self, CliError> {
        let interfaces = feed.interfaces();
        let path = path.to_owned();
        match capture::Saver::create(&path, rotation, &interfaces) {
            Ok(files) => {
                let (described, keys) = (interfaces.len(), keys.clone());
                Ok(Self { path, files, described, held: None, dropped: 0, keys, secrets: 0 })
            }
            Err(source) => Err(CliError::Write { path, source }),
        }
    }

    /// Writes a packet, or keeps it until its interface can be described.
    pub(super) fn packet(
        &mut self,
        record: &PacketRecord<'_>,
        comments: &[String],
    ) -> Result<(), CliError> {
        // What was read of them so far stands before this packet.
        for secrets in self.keys.behind(&mut self.secrets) {
            self.files.secrets(&secrets).map_err(|source| self.failed(source))?;
        }
        if usize::try_from(record.interface.0).is_ok_and(|place| place < self.described) {
            return self.write(record, comments);
        }
        let bytes = record.bytes.to_vec();
        let record = PacketRecord { bytes: &[], ..*record };
        let comments = comments.to_vec();
        self.held = Some(Held { record, bytes, comments });
        Ok(())
    }

    /// Describes new interfaces, and writes the packet that waited for that.
    pub(super) fn catch_up(&mut self, feed: &Feed) -> Result<(), CliError> {
        let Some(Held { record, bytes, comments }) = self.held.take() else { return Ok(()) };
        let interfaces = feed.interfaces();
        self.described = interfaces.len();
        self.files.learn(&interfaces).map_err(|source| self.failed(source))?;
        self.write(&PacketRecord { bytes: &bytes, ..record }, &comments)
    }

    /// No packet is there: what came goes to the disk, and drops are written down.
    pub(super) fn idle(&mut self) -> Result<(), CliError> {
        self.files.tick().map_err(|source| self.failed(source))
    }

    /// Writes down drops as soon as they are known, with the time.
    pub(super) fn drops(&mut self, feed: &Feed) -> Result<(), CliError> {
        let dropped = feed.dropped().unwrap_or(0);
        if dropped == self.dropped {
            return Ok(());
        }
        self.dropped = dropped;
        let now = jiff::Timestamp::now().as_nanosecond();
        let now = Timestamp(i64::try_from(now).unwrap_or(i64::MAX));
        self.files.dropped(&feed.interfaces(), now).map_err(|source| self.failed(source))
    }

    /// Begins the one file anew, without what was in it.
    pub(super) fn restart(&mut self, feed: &Feed) -> Result<(), CliError> {
        *self = Self::create(&self.path, Rotation::default(), feed, &self.keys)?;
        Ok(())
    }

    /// Bytes written, over all files.
    pub(super) const fn bytes(&self) -> u64 {
        self.files.bytes()
    }

    /// The last file of `-a files:N` is full.
    pub(super) fn is_done(&self) -> bool {
        self.files.is_done()
    }

    pub(super) fn finish(mut self, feed: &Feed) -> Result<(), CliError> {
        self.catch_up(feed)?;
        let Self { path, files, .. } = self;
        files.finish(&feed.interfaces()).map_err(|source| CliError::Write { path, source })
    }

    fn write(&mut self, record: &PacketRecord<'_>, comments: &[String]) -> Result<(), CliError> {
        let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
        self.files.write(record, &comments).map_err(|source| self.failed(source))
    }

    /// Nothing more is written; what was is left as a file that reads.
    fn failed(&mut self, source: io::Error) -> CliError {
        self.files.cut_back();
        CliError::Write { path: self.path.clone(), source }
    }
}
