//! Who does what next: the work that lies ready, and the threads that wait for some.
//!
//! ```text
//!            room for a batch                loads of a part            logs of a part
//!  Reader <------------------- threads ----------------------> Core ----------------------> Merger
//!    (one thread at a time reads)     (one thread at a time for each part)   (on the calling thread)
//! ```
//!
//! Everything is bounded: the batches that were read and not yet merged, and the bytes of logs that
//! wait. Over that no part goes on but the one that the merger waits for, whose logs are used up: so
//! there is always one that may go on.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Sizes;
use super::intake::{Batch, Reader};
use super::load::Load;
use super::log::Log;
use super::part::Core;
use crate::flow::PARTS;

/// Batches read and not yet merged, for each thread.
const BATCHES: usize = 3;

/// Batches that should lie ready: with less, reading comes first.
const READY: usize = 2;

/// Empty buffers of each kind that wait to be used again.
const SPARE: usize = 4 * PARTS;

/// What is to be done.
#[expect(clippy::large_enum_variant, reason = "a thread has one at a time")]
pub(super) enum Job<F> {
    /// Read a batch.
    Read(Box<Reader<F>>),
    /// Follow the connections of a part.
    Work { part: usize, core: Box<Core>, load: Load, log: Log },
}

/// Where work lies.
pub(super) struct Desk<F>(Mutex<State<F>>, Condvar);

pub(super) struct State<F> {
    /// `None` while a thread reads.
    reader: Option<Box<Reader<F>>>,
    /// There is nothing more to read.
    ended: bool,
    /// Everything is over, or a thread has panicked.
    closed: bool,
    parts: Vec<Slot>,
    /// Batches whose merging has not begun.
    batches: VecDeque<Batch>,
    /// Batches read so far, and of these, those that are merged.
    read: u64,
    merged: u64,
    /// Bytes of logs that are not merged yet.
    kept: usize,
    /// The part that the merger waits for.
    awaited: Option<usize>,
    /// Batches and bytes over which nobody reads or works ahead.
    limit: u64,
    most: usize,
    loads: Vec<Load>,
    logs: Vec<Log>,
    /// Threads that have nothing to do.
    waiting: usize,
}

#[derive(Default)]
struct Slot {
    /// `None` while a thread works with it.
    core: Option<Box<Core>>,
    loads: VecDeque<Load>,
    logs: VecDeque<Log>,
}

impl<F> Desk<F> {
    pub(super) fn new(reader: Reader<F>, cores: Vec<Core>, threads: usize, sizes: Sizes) -> Self {
        let slot = |core| Slot { core: Some(Box::new(core)), ..Slot::default() };
        let state = State {
            reader: Some(Box::new(reader)),
            ended: false,
            closed: false,
            parts: cores.into_iter().map(slot).collect(),
            batches: VecDeque::new(),
            read: 0,
            merged: 0,
            kept: 0,
            awaited: None,
            limit: (BATCHES * threads) as u64,
            most: sizes.kept_bytes,
            loads: Vec::new(),
            logs: Vec::new(),
            waiting: 0,
        };
        Self(Mutex::new(state), Condvar::new())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<F>> {
        // What a thread that panicked left is not used: the run is over then.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until something changes.
    pub(super) fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<F>>,
    ) -> MutexGuard<'a, State<F>> {
        state.waiting += 1;
        let mut state = self.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Something changed. To call everybody costs a system call, whether they sleep or not.
    pub(super) fn call(&self, state: MutexGuard<'_, State<F>>) {
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.1.notify_all();
        }
    }

    /// Closes the desk when it is dropped, whatever for.
    pub(super) const fn guard(&self) -> Guard<'_, F> {
        Guard(self)
    }

    /// What is left when all threads are gone, but for what one that panicked took with it.
    pub(super) fn into_parts(self) -> (Option<Reader<F>>, Vec<Core>) {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let cores = state.parts.into_iter().filter_map(|slot| slot.core);
        (state.reader.map(|reader| *reader), cores.map(|core| *core).collect())
    }
}

/// Sends everybody home when a thread ends.
pub(super) struct Guard<'a, F>(&'a Desk<F>);

impl<F> Drop for Guard<'_, F> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.call(state);
    }
}

impl<F> State<F> {
    /// The run is over.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Everything was read, and its merging has begun.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.batches.is_empty()
    }

    /// What to do next; `None` when there is nothing at the moment.
    pub(super) fn job(&mut self) -> Option<Job<F>> {
        let open = self.read - self.merged;
        let loaded = self.parts.iter().filter_map(|slot| Some(slot.loads.front()?.batch)).min();
        let ready = loaded.map_or(0, |oldest| self.read - oldest);
        let may_read = !self.ended && self.reader.is_some() && open < self.limit;
        if may_read && ready < READY as u64 {
            return self.read();
        }
        match self.work() {
            None if may_read => self.read(),
            work => work,
        }
    }

    fn read(&mut self) -> Option<Job<F>> {
        let mut reader = self.reader.take()?;
        reader.lend(&mut self.loads);
        Some(Job::Read(reader))
    }

    /// The part that the merger waits for, or the one whose work is oldest.
    fn work(&mut self) -> Option<Job<F>> {
        let is_free = |slot: &Slot| slot.core.is_some();
        let full = self.kept >= self.most;
        let oldest = (0..)
            .zip(&self.parts)
            .filter(|(part, slot)| is_free(slot) && (!full || Some(*part) == self.awaited));
        let oldest = oldest.filter_map(|(part, slot)| {
            Some((Some(part) != self.awaited, slot.loads.front()?.batch, part))
        });
        let (.., part) = oldest.min()?;
        let slot = self.parts.get_mut(part)?;
        let load = slot.loads.pop_front()?;
        let core = slot.core.take()?;
        Some(Job::Work { part, core, load, log: self.logs.pop().unwrap_or_default() })
    }

    /// A batch was read.
    pub(super) fn put_batch(&mut self, mut reader: Box<Reader<F>>) {
        let no = self.read;
        let (batch, loads, ended) = reader.take();
        for (slot, mut load) in self.parts.iter_mut().zip(loads) {
            if !load.is_done() {
                load.batch = no;
                slot.loads.push_back(load);
            }
        }
        self.read += 1;
        self.batches.push_back(batch);
        self.ended = ended;
        self.reader = Some(reader);
    }

    /// A load was worked off, or a piece of it.
    pub(super) fn put_log(&mut self, part: usize, core: Box<Core>, mut load: Load, log: Log) {
        self.kept += log.size();
        let Some(slot) = self.parts.get_mut(part) else { return };
        slot.core = Some(core);
        slot.logs.push_back(log);
        if load.is_done() {
            if self.loads.len() < SPARE {
                load.clear();
                self.loads.push(load);
            }
        } else {
            // It was taken from the front, and others may lie behind it.
            slot.loads.push_front(load);
        }
    }

    /// The next batch to be merged.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        self.batches.pop_front()
    }

    /// A batch is merged.
    pub(super) const fn batch_done(&mut self) {
        self.merged += 1;
    }

    /// The next log of a part; without one, it is waited for.
    pub(super) fn next_log(&mut self, part: usize) -> Option<Log> {
        let log = self.parts.get_mut(part).and_then(|slot| slot.logs.pop_front());
        self.awaited = log.is_none().then_some(part);
        log
    }

    /// A log is merged. Is there room again, for which others may wait?
    pub(super) fn log_done(&mut self, mut log: Log, size: usize) -> bool {
        let was_full = self.kept >= self.most;
        self.kept = self.kept.saturating_sub(size);
        if self.logs.len() < SPARE {
            log.clear();
            self.logs.push(log);
        }
        was_full && self.kept < self.most
    }
}
