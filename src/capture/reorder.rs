//! Packets of several interfaces, put in order.
//!
//! Gets: the packets of a file as they stand there. Gives: the earliest first, each interface's in their
//! own order. Keeps: two seconds of them, within budgets.
//!
//! Who captures on several interfaces at once (`dumpcap -i eth0 -i lo`) takes from each by turns what has
//! gathered there, so that in the file packets stand up to seconds behind packets of other interfaces that
//! came after them.
//!
//! ```text
//!  file:   a1 a2 a5  b3 b4  a6 ...         lane a: a5 a6 |
//!                                  ------>               | -> a1 a2 b3 b4 | a5 goes when b has one too,
//!                                          lane b:       |    or when time has gone on
//! ```
//!
//! Times are compared only where they may be those of one clock. A packet that is far from all others, or
//! without a time, stays where it stands in the file; so does everything around a jump of the clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file::RawRecord;
use super::pcapng::Pcapng;
use super::summary::Summary;
use super::window::{Halt, Window};
use super::{CaptureError, Listener};
use crate::units::{FileOffset, PacketNo, Timestamp};

/// A file that is read ahead, to be put in order.
#[derive(Debug)]
pub(super) struct Ahead {
    reader: Pcapng,
    window: Window,
    lanes: Lanes,
    section: u64,
    /// Packets given.
    given: u64,
    /// Comments read since the last packet: they are shown when what they are of is given.
    comments: Arc<Mutex<Vec<String>>>,
    listener: Option<Listener>,
    /// Why nothing more can be read: told when everything before it was given.
    error: Option<CaptureError>,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) raw: RawRecord,
    pub(super) bytes: Vec<u8>,
    comments: Vec<String>,
}

impl Ahead {
    pub(super) fn new(mut reader: Pcapng, window: Window) -> Self {
        let comments = Arc::<Mutex<Vec<String>>>::default();
        let into = Arc::clone(&comments);
        let listener = reader.listener.take();
        if listener.is_some() {
            reader.listener =
                Some(Listener(Arc::new(move |text: &str| lock(&into).push(text.to_owned()))));
        }
        let (lanes, section) = (Lanes::default(), reader.section_no());
        Self { reader, window, lanes, section, given: 0, comments, listener, error: None }
    }

    /// The next packet, where none that is not read yet can be before it.
    pub(super) fn take(&mut self) -> Option<Held> {
        let mut held = self.lanes.pop()?;
        self.given += 1;
        held.raw.no = held.raw.no.given_as(self.given);
        self.tell(&mem::take(&mut held.comments));
        Some(held)
    }

    /// Reads one more packet, or finds the end; false behind it.
    pub(super) fn read(&mut self, summary: &mut Summary) -> Result<bool, Halt> {
        if self.lanes.ended {
            return Ok(false);
        }
        let found = self.reader.next(&mut self.window, summary);
        self.lanes.ended = !matches!(found, Ok(Some(_)));
        let Some(raw) = found? else { return Ok(true) };
        summary.packets += 1;
        summary.bytes += raw.bytes.len() as u64;
        if mem::replace(&mut self.section, self.reader.section_no()) != self.section {
            self.lanes.part();
        }
        self.lanes.expected = self.reader.interfaces();
        let bytes = self.window.taken(raw.bytes.clone()).to_vec();
        let raw = RawRecord { no: PacketNo(summary.packets), bytes: 0..bytes.len(), ..raw };
        let comments = mem::take(&mut *lock(&self.comments));
        self.lanes.push(Held { raw, bytes, comments });
        Ok(true)
    }

    /// Where the block starts that was read last.
    pub(super) fn block_at(&self) -> FileOffset {
        self.reader.block_at()
    }

    pub(super) fn fail(&mut self, error: CaptureError) {
        self.error = Some(error);
    }

    /// Everything was given: what there is to say behind it.
    pub(super) fn finish(&mut self) -> Option<CaptureError> {
        let comments = mem::take(&mut *lock(&self.comments));
        self.tell(&comments);
        self.error.take()
    }

    fn tell(&self, comments: &[String]) {
        let Some(listener) = &self.listener else { return };
        for text in comments {
            (listener.0)(text);
        }
    }
}

fn lock(list: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a packet stands among those of other interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Times are compared only within one.
    era: u64,
    time: Timestamp,
    no: PacketNo,
    /// It stands here because the file has it here, not because of its time.
    by_file: bool,
}

/// The packets that wait, by their interfaces.
#[derive(Debug, Default)]
struct Lanes {
    all: Vec<Lane>,
    /// The first of each that has any.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    /// Interfaces of which packets may come.
    expected: usize,
    bytes: usize,
    packets: usize,
    era: u64,
    /// The latest time of this era.
    now: Option<Timestamp>,
    /// The lane that set the time far from where it was, until another one agrees.
    jumped: Option<usize>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<(Key, Held)>,
    /// Time of its last packet that had one.
    last: Option<Timestamp>,
    /// How far its clock is ahead of the others', when it is too far off to be compared.
    off: Option<i64>,
}

impl Lanes {
    fn push(&mut self, held: Held) {
        let at = held.raw.interface.0 as usize;
        if self.all.len() <= at {
            self.all.resize_with(at + 1, Lane::default);
        }
        let key = self.key(at, held.raw.time, held.raw.no);
        let Some(lane) = self.all.get_mut(at) else { return };
        self.bytes += held.bytes.len();
        self.packets += 1;
        if lane.queue.is_empty() {
            self.heads.push(Reverse((key, at)));
        }
        lane.queue.push_back((key, held));
    }

    /// The first, if it can be told which that is.
    fn pop(&mut self) -> Option<Held> {
        let &Reverse((key, at)) = self.heads.peek()?;
        let is_due = self.ended
            || key.by_file
            || key.era < self.era
            || self.heads.len() >= self.expected
            || self.now.is_some_and(|now| now.since(key.time) > WINDOW)
            || self.bytes > HELD_BYTES
            || self.packets >= HELD_PACKETS;
        if !is_due {
            return None;
        }
        self.heads.pop();
        let lane = self.all.get_mut(at)?;
        let (_, held) = lane.queue.pop_front()?;
        if let Some((next, _)) = lane.queue.front() {
            self.heads.push(Reverse((*next, at)));
        }
        self.bytes -= held.bytes.len();
        self.packets -= 1;
        Some(held)
    }

    /// What comes now is behind everything that came.
    fn part(&mut self) {
        self.era += 1;
        (self.now, self.jumped) = (None, None);
    }

    fn key(&mut self, at: usize, time: Option<Timestamp>, no: PacketNo) -> Key {
        let by_time = self.compares(at, time);
        let now = *self.now.get_or_insert(Timestamp(i64::MIN));
        let time = time.filter(|_| by_time).unwrap_or(now);
        Key { era: self.era, time, no, by_file: !by_time }
    }

    /// Can this time be compared with those around? Keeps account of what the time is.
    fn compares(&mut self, at: usize, time: Option<Timestamp>) -> bool {
        let (Some(time), Some(lane)) = (time, self.all.get_mut(at)) else { return false };
        let is_steady = lane.last.replace(time).is_some_and(|last| near(last.since(time)));
        let Some(now) = self.now.filter(|now| now.0 > i64::MIN) else {
            self.now = Some(time);
            return true;
        };
        let ahead = time.since(now);
        if near(ahead) {
            lane.off = None;
            self.jumped = self.jumped.filter(|jumped| *jumped == at);
            self.now = Some(now.max(time));
            return true;
        }
        if lane.off.is_some_and(|off| near(off.saturating_sub(ahead))) {
            lane.off = Some(ahead);
            return false;
        }
        if is_steady {
            // Here nothing has jumped: it was the other's clock, and only its.
            let Some(jumped) = self.jumped.take().filter(|jumped| *jumped != at) else {
                lane.off = Some(ahead);
                return false;
            };
            if let Some(jumped) = self.all.get_mut(jumped) {
                jumped.off = jumped.last.map(|last| last.since(time));
            }
            self.era += 1;
        } else {
            // Nothing came for a while, or a clock was set, or it is another one: the others will tell.
            lane.off = None;
            self.era += u64::from(ahead < 0);
            self.jumped = Some(at);
        }
        self.now = Some(time);
        true
    }
}

const fn near(difference: i64) -> bool {
    difference.unsigned_abs() <= WINDOW.unsigned_abs()
}

/// How far packets are put in order, in nanoseconds: dumpcap's usual delay is a quarter of a second.
const WINDOW: i64 = 2_000_000_000;
/// Bytes that wait.
const HELD_BYTES: usize = 16 << 20;
/// Packets that wait: as far as [`PacketNo::given_as`] reaches.
const HELD_PACKETS: usize = 32_000;

#[cfg(test)]
mod tests;
