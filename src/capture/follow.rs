//! A capture that somebody else is still writing, like `tail -f`; and the files that follow it.
//!
//! Gets: a path, or a stream that may pause. Gives: packets as they come, and [`Polled::Idle`] while
//! none do. Keeps: one batch that is being filled and one that is being read.
//!
//! ```text
//!  file --Growing: waits at its end--> FileSource --> batch <--swap--> FollowSource --> packet
//!         (on a thread of its own)
//! ```
//!
//! Packets are given in the file's order: those that would have to be put in order are not there yet.
//!
//! A part of a record at the end of the file is waited for. A file is over when the next one of its
//! set is there ([`next_of_set`]), or when its name means another file (logrotate), or when it
//! was emptied (logrotate's `copytruncate`).

mod growing;
mod set;

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::growing::Growing;
use super::live::Polled;
use super::summary::Summary;
use super::{
    CaptureError, FileSource, Input, InterfaceId, LinkType, Options, PacketRecord, PacketSource,
};
use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

pub use set::next_of_set;

/// Follows a capture file, or a stream.
pub struct FollowSource {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    reading: Batch,
}

/// What the reading thread and the reader share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batch: Batch,
    summary: Summary,
    errors: VecDeque<CaptureError>,
    ended: bool,
}

/// Packets in one piece of memory.
#[derive(Debug, Default)]
struct Batch {
    arena: Vec<u8>,
    heads: Vec<Head>,
    given: usize,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    no: PacketNo,
    at: FileOffset,
    time: Option<Timestamp>,
    link: LinkType,
    interface: InterfaceId,
    orig_len: u32,
    start: usize,
    end: usize,
}

impl Batch {
    fn push(&mut self, record: &PacketRecord<'_>) {
        let start = self.arena.len();
        self.arena.extend_from_slice(record.bytes);
        let PacketRecord { no, at, time, link, interface, orig_len, .. } = *record;
        let end = self.arena.len();
        self.heads.push(Head { no, at, time, link, interface, orig_len, start, end });
    }

    fn is_full(&self) -> bool {
        self.arena.len() >= BATCH || self.heads.len() >= BATCH / 64
    }

    fn has_more(&self) -> bool {
        self.given < self.heads.len()
    }

    fn take(&mut self) -> Option<PacketRecord<'_>> {
        let head = *self.heads.get(self.given)?;
        self.given += 1;
        let Head { no, at, time, link, interface, orig_len, start, end } = head;
        let bytes = self.arena.get(start..end)?;
        Some(PacketRecord { no, at, time, link, interface, orig_len, bytes })
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.arena.shrink_to(2 * BATCH);
        self.heads.clear();
        self.given = 0;
    }
}

impl FollowSource {
    /// Follows a file. Where it is not there but a set of that name is (as `-b` of dumpcap writes
    /// it), the first file of the set is taken.
    ///
    /// # Errors
    /// When it can not be opened.
    pub fn open(path: &Path, limits: &Limits, options: &Options) -> Result<Self, CaptureError> {
        let (limits, options) = (limits.clone(), options.clone());
        let stop = Arc::<AtomicBool>::default();
        let failed = |source| CaptureError::Open { input: Input::Path(path.to_owned()), source };
        let first = Growing::open(&set::first(path), &stop).map_err(failed)?;
        let mut place = first.place();
        place.put(first);
        Ok(Self::start(stop, move || {
            let file = place.take()?;
            place = file.place();
            let name = file.name();
            Some(FileSource::from_reader(&name, file, &limits, &options))
        }))
    }

    /// Reads a stream that may pause, such as standard input from another machine: while nothing
    /// comes, [`FollowSource::next_timeout`] says so.
    pub fn stream(
        name: &str,
        reader: impl Read + Send + 'static,
        limits: &Limits,
        options: &Options,
    ) -> Self {
        let (name, limits, options) = (name.to_owned(), limits.clone(), options.clone());
        let mut reader = Some(reader);
        Self::start(Arc::default(), move || {
            let reader = reader.take()?;
            Some(FileSource::from_reader(&name, reader, &limits, &options))
        })
    }

    fn start(
        stop: Arc<AtomicBool>,
        parts: impl FnMut() -> Option<Result<FileSource, CaptureError>> + Send + 'static,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let pump = Pump {
            shared: Arc::clone(&shared),
            stop: Arc::clone(&stop),
            packets: 0,
            before: Summary::default(),
            interfaces: Vec::new(),
        };
        std::thread::spawn(move || pump.run(parts));
        Self { shared, stop, reading: Batch::default() }
    }

    /// Set it to end: what was read until then is still given.
    pub fn stop_handle(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// The next packet, or nothing when none comes in this time.
    ///
    /// # Errors
    /// When a file can not be read on; the next one of its set may be: call again.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Polled<'_>, CaptureError> {
        if !self.reading.has_more() {
            self.reading.clear();
            if let Some(other) = self.swap(timeout)? {
                return Ok(other);
            }
        }
        Ok(self.reading.take().map_or(Polled::Idle, Polled::Packet))
    }

    /// What is known beside the packets, so far.
    pub fn summary(&self) -> Summary {
        self.shared.lock().summary.clone()
    }

    /// Takes the batch that was filled; when there is none after this time, says what that means.
    fn swap(&mut self, timeout: Duration) -> Result<Option<Polled<'static>>, CaptureError> {
        let begin = Instant::now();
        let mut state = self.shared.lock();
        loop {
            if state.batch.has_more() {
                std::mem::swap(&mut state.batch, &mut self.reading);
                self.shared.changed.notify_all();
                return Ok(None);
            }
            if let Some(error) = state.errors.pop_front() {
                return Err(error);
            }
            if state.ended {
                return Ok(Some(Polled::End));
            }
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(Some(Polled::Idle));
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl PacketSource for FollowSource {
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError> {
        while !self.reading.has_more() {
            self.reading.clear();
            if let Some(Polled::End) = self.swap(Duration::from_secs(60))? {
                return Ok(None);
            }
        }
        Ok(self.reading.take())
    }
}

impl Drop for FollowSource {
    /// The thread ends by itself.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for FollowSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FollowSource {{ packets: {} }}", self.shared.lock().summary.packets)
    }
}

impl Shared {
    /// Whoever held it and panicked left whole values.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading thread.
struct Pump {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    packets: u64,
    /// What is known of the parts that were read before.
    before: Summary,
    /// The interfaces of the part being read, as they are numbered over all.
    interfaces: Vec<InterfaceId>,
}

impl Pump {
    /// Reads part after part, as one capture.
    fn run(mut self, mut parts: impl FnMut() -> Option<Result<FileSource, CaptureError>>) {
        while let Some(part) = parts() {
            if let Err(error) = part.and_then(|source| self.part(source)) {
                // What is cut because the reading was ended is not cut for the file's fault.
                if !self.is_stopped() {
                    self.shared.lock().errors.push_back(error);
                    self.shared.changed.notify_all();
                }
            }
            if self.is_stopped() {
                break;
            }
        }
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    /// Reads one part to its end.
    fn part(&mut self, mut source: FileSource) -> Result<(), CaptureError> {
        self.interfaces.clear();
        let mut known = None;
        let result = loop {
            let found = match source.advance() {
                Ok(Some(found)) => found,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let summary = source.summary();
            let sizes = (summary.interfaces.len(), summary.comments.len(), summary.dropped);
            let news = known.replace(sizes) != Some(sizes);
            if news {
                self.number_interfaces(summary);
            }
            self.packets += 1;
            let record = source.record(&found);
            let place = self.interfaces.get(record.interface.0 as usize).copied();
            let no = PacketNo(self.packets);
            let record = PacketRecord { no, interface: place.unwrap_or_default(), ..record };
            if !self.push(&record, news.then(|| self.sum(source.summary()))) {
                break Ok(());
            }
        };
        self.before = self.sum(source.summary());
        self.shared.lock().summary = self.before.clone();
        result
    }

    /// Puts a packet where the reader finds it; waits while he has enough. False when nobody wants
    /// it any more.
    fn push(&mut self, record: &PacketRecord<'_>, summary: Option<Summary>) -> bool {
        let mut state = self.shared.lock();
        while state.batch.is_full() {
            if self.is_stopped() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let was_empty = !state.batch.has_more();
        state.batch.push(record);
        state.summary = summary.unwrap_or_else(|| std::mem::take(&mut state.summary));
        state.summary.packets = self.packets;
        drop(state);
        if was_empty {
            self.shared.changed.notify_all();
        }
        !self.is_stopped()
    }

    /// Numbers the interfaces of this part: the same one in each file of a set is one.
    fn number_interfaces(&mut self, part: &Summary) {
        for interface in part.interfaces.iter().skip(self.interfaces.len()) {
            let all = &mut self.before.interfaces;
            let same = all.iter().position(|i| {
                (i.link, &i.name, i.snaplen) == (interface.link, &interface.name, interface.snaplen)
            });
            let place = same.unwrap_or(all.len());
            if same.is_none() {
                all.push(interface.clone());
            }
            self.interfaces.push(InterfaceId(u32::try_from(place).unwrap_or(u32::MAX)));
        }
    }

    /// What is known over all parts, this one included.
    fn sum(&self, part: &Summary) -> Summary {
        let mut whole = self.before.clone();
        for (interface, id) in part.interfaces.iter().zip(&self.interfaces) {
            if let Some(known) = whole.interfaces.get_mut(id.0 as usize) {
                known.clone_from(interface);
            }
        }
        whole.packets = self.packets;
        whole.format = whole.format.or(part.format);
        whole.compression = whole.compression.or(part.compression);
        whole.application = whole.application.or_else(|| part.application.clone());
        whole.hardware = whole.hardware.or_else(|| part.hardware.clone());
        whole.os = whole.os.or_else(|| part.os.clone());
        whole.bytes = whole.bytes.saturating_add(part.bytes);
        // Statistics count from the start of the capture, over all files of its set.
        whole.dropped = whole.interfaces.iter().fold(0, |sum, i| sum.saturating_add(i.dropped));
        whole.secrets.extend(part.secrets.iter().cloned());
        let room = COMMENTS.saturating_sub(whole.comments.len());
        whole.comments.extend(part.comments.iter().take(room).cloned());
        whole
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Bytes of a batch.
const BATCH: usize = 256 << 10;
/// How often the thread that waits for room looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// Comments kept over all files of a set.
const COMMENTS: usize = 1024;

#[cfg(test)]
mod tests;
