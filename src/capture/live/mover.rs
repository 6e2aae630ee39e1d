//! The thread of an interface.
//!
//! Gets: packets from the kernel's buffer, by libpcap. Gives: [`Batch`]es of copies to the queue.
//! Keeps: the batch that is being filled, and an empty one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use ::pcap::{Active, Capture, Packet};

use super::link::LinkState;
use super::open::{NANOSECONDS, message};
use crate::units::Timestamp;

/// What is counted on an interface; drops as of the last tenth of a second.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Bytes in the queue and in the hands of the reader.
    pub(super) queued: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) dropped: AtomicU64,
}

pub(super) enum Message {
    Batch(usize, Batch),
    /// Something to be told; the capture goes on.
    News(String),
    /// An interface failed.
    Failed(String, String),
}

/// Packets in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Batch {
    arena: Vec<u8>,
    heads: Vec<Head>,
    /// Packets already given.
    given: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) time: Timestamp,
    pub(super) orig_len: u32,
    start: usize,
    end: usize,
}

impl Batch {
    fn push(&mut self, packet: &Packet<'_>) {
        let start = self.arena.len();
        self.arena.extend_from_slice(packet.data);
        let end = self.arena.len();
        let captured = u32::try_from(end - start).unwrap_or(u32::MAX);
        let orig_len = packet.header.len.max(captured);
        self.heads.push(Head { time: time(packet.header), orig_len, start, end });
    }

    pub(super) fn peek(&self) -> Option<&Head> {
        self.heads.get(self.given)
    }

    pub(super) fn take(&mut self) -> Option<(Head, &[u8])> {
        let head = *self.peek()?;
        self.given += 1;
        Some((head, self.arena.get(head.start..head.end)?))
    }

    fn is_full(&self) -> bool {
        self.arena.len() >= BATCH || self.heads.len() >= BATCH / 64
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> u64 {
        (self.arena.len() + self.heads.len() * size_of::<Head>()) as u64
    }

    pub(super) fn clear(&mut self) {
        self.arena.clear();
        // A batch that was once stretched by a giant packet does not stay so.
        self.arena.shrink_to(2 * BATCH);
        self.heads.clear();
        self.given = 0;
    }
}

fn time(header: &::pcap::PacketHeader) -> Timestamp {
    #[allow(clippy::useless_conversion, reason = "these are narrower on some systems")]
    let (seconds, fraction) = (i64::from(header.ts.tv_sec), i64::from(header.ts.tv_usec));
    let unit = if NANOSECONDS { 1 } else { 1000 };
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(fraction.saturating_mul(unit)))
}

/// The thread of an interface: moves packets from the kernel to the queue.
pub(super) struct Mover {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) batch: Batch,
    /// An empty one.
    pub(super) spare: Option<Batch>,
    pub(super) queue: SyncSender<Message>,
    pub(super) emptied: Receiver<Batch>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) counts: Arc<Counts>,
    /// What to look at while nothing comes; `None`: that can not be seen from here.
    pub(super) link: Option<LinkState>,
}

impl Mover {
    pub(super) fn run(mut self, mut capture: Capture<Active>, latency: Duration) {
        let counts = Arc::clone(&self.counts);
        let counts = &*counts;
        let mut counter = Counter::default();
        let mut stopping: Option<Instant> = None;
        let mut down = false;
        loop {
            let moved = capture.dispatch(Some(DISPATCH), |packet| self.push(&packet));
            let quiet = matches!(moved, Ok(0));
            // libpcap's own count has loopback packets twice.
            counts.received.fetch_add(*moved.as_ref().unwrap_or(&0) as u64, Ordering::Relaxed);
            match moved {
                Ok(0) => {}
                Ok(_) if down => {
                    down = false;
                    self.tell(format!("{}: packets come again", self.name));
                }
                Ok(_) => {}
                Err(error) => {
                    if !self.failed(&error, &mut down) {
                        break;
                    }
                }
            }
            if !self.hand_over(quiet) {
                break;
            }
            counter.update(&mut capture, counts, stopping.is_some());
            // After the signal: what the kernel gathers for its latency still comes.
            let since = self
                .stop
                .load(Ordering::Relaxed)
                .then(|| *stopping.get_or_insert_with(Instant::now));
            match since.map(|since| since.elapsed()) {
                Some(past) if past > GATHERED.max(2 * latency) && quiet || past > LAST_CALL => {
                    break;
                }
                _ => {}
            }
            if quiet {
                self.look_at_link();
                wait_for(&capture, if since.is_some() { latency } else { TICK });
            }
        }
        self.hand_over(true);
        counter.update(&mut capture, counts, true);
    }

    fn push(&mut self, packet: &Packet<'_>) {
        self.batch.push(packet);
        if self.batch.is_full() {
            self.hand_over(true);
        }
    }

    /// Puts the batch into the queue. With `patient` it waits for room (and the kernel's buffer
    /// takes what comes meanwhile); otherwise a batch that is not full is kept and added to.
    /// False when nobody takes it any more.
    fn hand_over(&mut self, patient: bool) -> bool {
        while !self.batch.heads.is_empty() {
            let bytes = self.batch.bytes();
            if self.counts.queued.load(Ordering::Relaxed) >= QUEUED {
                if !patient && !self.batch.is_full() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            self.counts.queued.fetch_add(bytes, Ordering::Relaxed);
            let next = self.spare.take().or_else(|| self.emptied.try_recv().ok());
            let next = next.unwrap_or_default();
            let batch = std::mem::replace(&mut self.batch, next);
            match self.queue.try_send(Message::Batch(self.place, batch)) {
                Ok(()) => return true,
                Err(TrySendError::Full(Message::Batch(_, batch))) => {
                    self.counts.queued.fetch_sub(bytes, Ordering::Relaxed);
                    self.spare = Some(std::mem::replace(&mut self.batch, batch));
                    if !patient && !self.batch.is_full() {
                        return true;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(_) => {
                    self.batch.clear();
                    return false;
                }
            }
        }
        true
    }

    /// Tells when the interface goes down or comes up again.
    fn look_at_link(&mut self) {
        let Some(works) = self.link.as_mut().and_then(|link| link.change(&self.name)) else {
            return;
        };
        let state = if works { "is up again" } else { "is down; waiting for it to come up" };
        self.tell(format!("{}: the interface {state}", self.name));
    }

    /// Tells of a failure; true when it may pass, as when an interface goes down.
    fn failed(&mut self, error: &::pcap::Error, down: &mut bool) -> bool {
        if matches!(error, ::pcap::Error::TimeoutExpired) {
            return true;
        }
        let text = message(error);
        if !text.contains("went down") {
            // Whoever reads may be gone.
            let _ = self.queue.send(Message::Failed(self.name.clone(), text));
            return false;
        }
        if !std::mem::replace(down, true) {
            self.tell(format!("{}: the interface went down; waiting for it to come up", self.name));
        }
        std::thread::sleep(TICK);
        true
    }

    /// Tells without waiting for room: packets go first.
    fn tell(&self, news: String) {
        let _ = self.queue.try_send(Message::News(news));
    }
}

/// Sums up the kernel's drops, which libpcap counts in 32 bits that wrap.
#[derive(Debug, Default)]
struct Counter {
    last: Option<Instant>,
    dropped: u32,
}

impl Counter {
    fn update(&mut self, capture: &mut Capture<Active>, counts: &Counts, now: bool) {
        if !now && self.last.is_some_and(|last| last.elapsed() < COUNT_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let Ok(stats) = capture.stats() else { return };
        let dropped = stats.dropped.wrapping_add(stats.if_dropped);
        let more = u64::from(dropped.wrapping_sub(self.dropped));
        counts.dropped.fetch_add(more, Ordering::Relaxed);
        self.dropped = dropped;
    }
}

/// Sleeps until there are packets, at most this long.
#[cfg(unix)]
fn wait_for(capture: &Capture<Active>, timeout: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::os::fd::AsFd;
    let fd = capture.as_fd();
    let timeout = Timespec::try_from(timeout).ok();
    // An interrupted call only makes us look earlier.
    let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref());
}

/// There, the call that moves packets waits itself.
#[cfg(not(unix))]
fn wait_for(_: &Capture<Active>, _: Duration) {}

/// How often a thread that waits looks for the stop signal.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How often drops are counted.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// How long the kernel may gather at most where its clock ticks a hundred times a second, whatever latency
/// it was given.
const GATHERED: Duration = Duration::from_millis(20);
/// How long a busy interface is still read after the stop signal.
const LAST_CALL: Duration = Duration::from_millis(60);
/// Bytes in the queue, beside the kernel's buffer.
const QUEUED: u64 = 64 << 20;
/// Bytes of a batch. Half of a second-level cache: the reader finds it warm.
const BATCH: usize = 256 << 10;
/// Packets moved before the stop signal is looked for.
const DISPATCH: usize = 4096;
