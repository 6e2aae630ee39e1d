//! A file that grows: its end is waited at, until it is known to be over.
//!
//! Gets: a path. Gives: bytes as they are appended, and the end once another file has taken its
//! place, which is then at hand. Keeps: the open file and how far it was read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::set::next_of_set;

/// A file that is read while it grows.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    read: u64,
    /// Where the file behind this one is put.
    place: Place,
    stop: Arc<AtomicBool>,
    /// A file behind this one was seen: what is read after that is all there will be.
    over: Option<PathBuf>,
    /// When its end is looked at again.
    wait: Duration,
}

impl Growing {
    pub(super) fn open(path: &Path, stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let (file, path) = (File::open(path)?, path.to_owned());
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let place = Place { path: path.clone(), stop: Arc::clone(stop), next: Arc::default() };
        Ok(Self { path, file, read: 0, place, stop: Arc::clone(stop), over: None, wait: LOOK_SOON })
    }

    /// For errors.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Where the file behind this one will be.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Nothing more is there: is the file over. Where another file has taken its place, it is read
    /// once more, a little later: its writer may have had something left.
    fn is_over(&mut self) -> io::Result<bool> {
        let Some(next) = self.over.take() else {
            self.over = self.successor()?;
            return Ok(false);
        };
        match Self::open(&next, &self.stop) {
            Ok(next) => {
                self.place.put(next);
                Ok(true)
            }
            // Gone again, or not yet readable: looked for anew.
            Err(_) => Ok(false),
        }
    }

    /// The file that has taken this one's place.
    fn successor(&mut self) -> io::Result<Option<PathBuf>> {
        let mine = self.file.metadata()?;
        // logrotate's copytruncate: the same file, from its start.
        if mine.len() < self.read {
            return Ok(Some(self.path.clone()));
        }
        if let Some(next) = next_of_set(&self.path) {
            return Ok(Some(next));
        }
        // logrotate's create: the name means another file now, once something is in it.
        let named = std::fs::metadata(&self.path).ok();
        let other = named.is_some_and(|named| named.len() > 0 && !is_same(&named, &mine));
        Ok(other.then(|| self.path.clone()))
    }
}

impl Read for Growing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.file.read(buf)?;
            self.read = self.read.saturating_add(got as u64);
            let stopped = self.stop.load(Ordering::Relaxed);
            if got > 0 || buf.is_empty() || stopped || self.is_over()? {
                self.wait = LOOK_SOON;
                return Ok(got);
            }
            // Its writer has time to write what he has left.
            let wait = if self.over.is_some() { LOOK_EVERY } else { self.wait };
            std::thread::sleep(wait);
            self.wait = (2 * wait).min(LOOK_EVERY);
        }
    }
}

/// Where the file behind another one is put.
#[derive(Clone)]
pub(super) struct Place {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    next: Arc<Mutex<Option<Growing>>>,
}

impl Place {
    pub(super) fn put(&self, file: Growing) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    /// The file behind; `None` when the reading was stopped. Where nobody read the one before to its
    /// end, because it is damaged, it is waited for here.
    pub(super) fn take(&self) -> Option<Growing> {
        let there = || self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(next) = there() {
            return Some(next);
        }
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut rest = Growing::open(&self.path, &self.stop).ok()?;
        rest.place = self.clone();
        rest.read = rest.file.seek(SeekFrom::End(0)).ok()?;
        io::copy(&mut rest, &mut io::sink()).ok()?;
        there()
    }
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// There, an open file cannot be replaced.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// How often the end of the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// And how soon after something came: what was sent is often answered at once.
const LOOK_SOON: Duration = Duration::from_millis(4);
