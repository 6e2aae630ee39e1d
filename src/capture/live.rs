//! Packets as they happen, from one or several interfaces.
//!
//! Gets: interface names and a filter. Gives: packets, in the order of their times as far as that
//! is known when they are asked for. Keeps: the kernel's buffer, and a bounded queue of batches.
//!
//! ```text
//!  kernel ring --dispatch--> capture thread --full batches--> queue --> LiveSource --> packet
//!  (per interface)           copies, no more <--empty ones---           lends from the batch
//! ```
//!
//! A full queue is waited for, not overrun: meanwhile the kernel's buffer fills, and what that
//! cannot take the kernel counts. So there is one count of drops, and it is exact.
//!
//! The kernel hands packets over when a block of its buffer is full or [`LiveOptions::latency`] has
//! passed. libpcap's immediate mode would save those milliseconds, but it has a slot of the full
//! snapshot length for each packet: 32 MiB would hold 500 packets of the loopback interface.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use ::pcap::{Active, Capture, Packet};

use super::interfaces;
use super::summary::{Interface, Summary};
use super::{CaptureError, InterfaceId, LinkType, PacketRecord, PacketSource};
use crate::units::{FileOffset, PacketNo, Timestamp};

/// How to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// Interface names; `any` stands for all of them.
    pub interfaces: Vec<String>,
    /// Filter expression of libpcap (`tcp port 8088`).
    pub filter: Option<String>,
    /// Most bytes captured of a packet.
    pub snaplen: u32,
    /// Bytes of the kernel's buffer, per interface.
    pub buffer_bytes: usize,
    /// Also packets that are not for this machine. Never on loopback and `any`.
    pub promiscuous: bool,
    /// How long the kernel may gather packets before it hands them over.
    pub latency: Duration,
}

impl LiveOptions {
    /// On these interfaces, everything, as a whole.
    pub fn on<S: Into<String>>(interfaces: impl IntoIterator<Item = S>) -> Self {
        Self {
            interfaces: interfaces.into_iter().map(Into::into).collect(),
            filter: None,
            // What tcpdump and Wireshark take: more than any packet, with offload.
            snaplen: 262_144,
            // A third of a second at 100 MB/s.
            buffer_bytes: 32 << 20,
            promiscuous: false,
            // Nobody sees it, and a hundred wake-ups a second cost nothing.
            latency: Duration::from_millis(10),
        }
    }
}

/// What [`LiveSource::next_timeout`] has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled<'a> {
    /// A packet.
    Packet(PacketRecord<'a>),
    /// None came in time: the moment to flush what is shown.
    Idle,
    /// The capture was stopped, and all of it was given.
    End,
}

/// Captures on interfaces.
pub struct LiveSource {
    /// Opened, not yet running: threads start at the first call for a packet, so that privileges can
    /// be given up in between.
    opened: Vec<(Capture<Active>, Link)>,
    queue: Option<Receiver<Message>>,
    /// Batches of each interface that have come, the first one being read.
    waiting: Vec<VecDeque<Batch>>,
    /// Where its packets are read: interface, and place in its first batch.
    current: Option<usize>,
    links: Vec<Link>,
    stop: Arc<AtomicBool>,
    latency: Duration,
    packets: u64,
    bytes: u64,
}

/// An interface, as both sides know it.
#[derive(Debug, Clone)]
struct Link {
    described: Interface,
    counts: Arc<Counts>,
    /// Empty batches on their way back.
    empty: Option<SyncSender<Batch>>,
}

/// What is counted on an interface; drops as of the last tenth of a second.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    dropped: AtomicU64,
}

enum Message {
    Batch(usize, Batch),
    /// An interface failed.
    Failed(String, String),
}

impl LiveSource {
    /// Opens the interfaces. Packets are gathered by the kernel from now on.
    ///
    /// # Errors
    /// No permission, no such interface, a filter that does not parse: each says what to do.
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let mut opened = Vec::with_capacity(options.interfaces.len());
        for name in &options.interfaces {
            let capture = activate(name, options)?;
            let described = Interface {
                snaplen: options.snaplen,
                name: Some(name.clone()),
                filter: options.filter.clone(),
                ..Interface::new(link_type(capture.get_datalink().0))
            };
            opened.push((capture, Link { described, counts: Arc::default(), empty: None }));
        }
        Ok(Self {
            waiting: opened.iter().map(|_| VecDeque::new()).collect(),
            links: opened.iter().map(|(_, link)| link.clone()).collect(),
            opened,
            queue: None,
            current: None,
            stop: Arc::default(),
            latency: options.latency,
            packets: 0,
            bytes: 0,
        })
    }

    /// Set it to end the capture: what was captured until then is still given.
    pub fn stop_handle(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// The next packet, or nothing when none comes in this time.
    ///
    /// # Errors
    /// When an interface fails. The others go on: call again.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Polled<'_>, CaptureError> {
        self.start();
        let Some(place) = self.choose(timeout)? else {
            return Ok(if self.has_ended() { Polled::End } else { Polled::Idle });
        };
        Ok(self.lend(place).map_or(Polled::Idle, Polled::Packet))
    }

    /// Interfaces, drops and totals so far.
    pub fn summary(&self) -> Summary {
        let counted = |link: &Link| Interface {
            received: Some(link.counts.received.load(Ordering::Relaxed)),
            dropped: link.counts.dropped.load(Ordering::Relaxed),
            ..link.described.clone()
        };
        let interfaces: Vec<_> = self.links.iter().map(counted).collect();
        Summary {
            packets: self.packets,
            bytes: self.bytes,
            dropped: interfaces.iter().fold(0, |sum, i| sum.saturating_add(i.dropped)),
            interfaces,
            ..Summary::default()
        }
    }

    /// Packets that the kernel had no room for, so far.
    pub fn dropped(&self) -> u64 {
        self.links.iter().map(|l| l.counts.dropped.load(Ordering::Relaxed)).sum()
    }

    /// Starts the capture threads.
    fn start(&mut self) {
        if self.opened.is_empty() {
            return;
        }
        let (sender, queue) = mpsc::sync_channel(QUEUE);
        for (place, (capture, link)) in self.opened.drain(..).enumerate() {
            let (empty, emptied) = mpsc::sync_channel(SPARE);
            if let Some(known) = self.links.get_mut(place) {
                known.empty = Some(empty);
            }
            let mover = Mover {
                place,
                name: link.described.name.unwrap_or_default(),
                batch: Batch::default(),
                spare: None,
                queue: sender.clone(),
                emptied,
                stop: Arc::clone(&self.stop),
            };
            let latency = self.latency;
            std::thread::spawn(move || mover.run(capture, &link.counts, latency));
        }
        self.queue = Some(queue);
    }

    /// The interface whose next packet is the earliest of those that are here.
    fn choose(&mut self, timeout: Duration) -> Result<Option<usize>, CaptureError> {
        self.put_away();
        // With one interface, as long as its batch lasts: nothing to compare, nothing to ask.
        if let Some(place) = self.current.filter(|_| self.waiting.len() == 1) {
            return Ok(Some(place));
        }
        self.take_in(Duration::ZERO)?;
        if self.earliest().is_none() {
            self.wait(timeout)?;
        }
        self.current = self.earliest();
        Ok(self.current)
    }

    /// Lends the next packet of this interface.
    fn lend(&mut self, place: usize) -> Option<PacketRecord<'_>> {
        let link = self.links.get(place)?.described.link;
        let (head, bytes) = self.waiting.get_mut(place)?.front_mut()?.take()?;
        self.packets += 1;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Some(PacketRecord {
            no: PacketNo(self.packets),
            at: FileOffset(0),
            time: Some(head.time),
            link,
            interface: InterfaceId(u32::try_from(place).unwrap_or(u32::MAX)),
            orig_len: head.orig_len,
            bytes,
        })
    }

    /// No thread puts anything into the queue any more, and nothing is left in it.
    fn has_ended(&self) -> bool {
        self.queue.is_none() && self.current.is_none()
    }

    fn earliest(&self) -> Option<usize> {
        let heads = self.waiting.iter().enumerate();
        let times = heads.filter_map(|(place, w)| Some((w.front()?.peek()?.time, place)));
        times.min().map(|(_, place)| place)
    }

    /// Sends the batch that was just read back to its thread, when there is nothing left of it.
    fn put_away(&mut self) {
        let Some(place) = self.current else { return };
        let Some(waiting) = self.waiting.get_mut(place) else { return };
        if waiting.front().is_some_and(|batch| batch.peek().is_none())
            && let Some(mut batch) = waiting.pop_front()
        {
            batch.clear();
            self.current = None;
            if let Some(empty) = self.links.get(place).and_then(|l| l.empty.as_ref()) {
                // No room: there are enough of them.
                let _ = empty.try_send(batch);
            }
        }
    }

    /// Waits for a batch, and looks for the stop signal meanwhile.
    fn wait(&mut self, timeout: Duration) -> Result<(), CaptureError> {
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            self.take_in(left.min(TICK))?;
            if self.queue.is_none() || left.is_zero() || self.earliest().is_some() {
                return Ok(());
            }
        }
    }

    /// Takes what is in the queue, waiting for the first of it, as much as is needed to compare
    /// times: the rest stays in the queue, where it is bounded.
    fn take_in(&mut self, timeout: Duration) -> Result<(), CaptureError> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let mut timeout = timeout;
        while self.waiting.iter().any(VecDeque::is_empty)
            && self.waiting.iter().map(VecDeque::len).sum::<usize>() < QUEUE
        {
            let message = match queue.recv_timeout(timeout) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    self.queue = None;
                    return Ok(());
                }
            };
            timeout = Duration::ZERO;
            match message {
                Message::Batch(place, batch) => {
                    if let Some(waiting) = self.waiting.get_mut(place) {
                        waiting.push_back(batch);
                    }
                }
                Message::Failed(name, message) => {
                    return Err(CaptureError::Interface { name, message });
                }
            }
        }
        Ok(())
    }
}

impl PacketSource for LiveSource {
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError> {
        self.start();
        let place = loop {
            match self.choose(TICK)? {
                Some(place) => break place,
                None if self.has_ended() => return Ok(None),
                None => {}
            }
        };
        Ok(self.lend(place))
    }
}

impl Drop for LiveSource {
    /// The threads end by themselves.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.links.iter().map(|l| l.described.name.as_deref()).collect();
        write!(f, "LiveSource {{ interfaces: {names:?}, packets: {} }}", self.packets)
    }
}

/// Packets in one piece of memory.
#[derive(Debug, Default)]
struct Batch {
    arena: Vec<u8>,
    heads: Vec<Head>,
    /// Packets already given.
    given: usize,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    time: Timestamp,
    orig_len: u32,
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

    fn peek(&self) -> Option<&Head> {
        self.heads.get(self.given)
    }

    fn take(&mut self) -> Option<(Head, &[u8])> {
        let head = *self.peek()?;
        self.given += 1;
        Some((head, self.arena.get(head.start..head.end)?))
    }

    fn is_full(&self) -> bool {
        self.arena.len() >= BATCH || self.heads.len() >= BATCH / 64
    }

    fn clear(&mut self) {
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
struct Mover {
    place: usize,
    name: String,
    batch: Batch,
    /// An empty one.
    spare: Option<Batch>,
    queue: SyncSender<Message>,
    emptied: Receiver<Batch>,
    stop: Arc<AtomicBool>,
}

impl Mover {
    fn run(mut self, mut capture: Capture<Active>, counts: &Counts, latency: Duration) {
        let mut counter = Counter::default();
        let mut stopping: Option<Instant> = None;
        loop {
            let moved = capture.dispatch(Some(DISPATCH), |packet| self.push(&packet));
            let quiet = matches!(moved, Ok(0));
            // libpcap's own count has loopback packets twice.
            counts.received.fetch_add(*moved.as_ref().unwrap_or(&0) as u64, Ordering::Relaxed);
            if let Err(error) = moved
                && !self.failed(&error)
            {
                break;
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
                Some(past) if past > 2 * latency && quiet || past > LAST_CALL => break,
                _ => {}
            }
            if quiet {
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
            let next = self.spare.take().or_else(|| self.emptied.try_recv().ok());
            let next = next.unwrap_or_default();
            let batch = std::mem::replace(&mut self.batch, next);
            match self.queue.try_send(Message::Batch(self.place, batch)) {
                Ok(()) => return true,
                Err(TrySendError::Full(Message::Batch(_, batch))) => {
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

    /// Tells of a failure; true when it may pass, as when an interface goes down.
    fn failed(&mut self, error: &::pcap::Error) -> bool {
        if matches!(error, ::pcap::Error::TimeoutExpired) {
            return true;
        }
        let text = message(error);
        let passes = text.contains("went down");
        let told = self.queue.send(Message::Failed(self.name.clone(), text)).is_ok();
        if passes {
            std::thread::sleep(TICK);
        }
        told && passes
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

/// Opens an interface and sets its filter.
fn activate(name: &str, options: &LiveOptions) -> Result<Capture<Active>, CaptureError> {
    let loopback = interfaces::is_loopback(name);
    let promiscuous = options.promiscuous && !loopback && name != "any";
    let size = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let millis = i32::try_from(options.latency.as_millis()).unwrap_or(i32::MAX);
    let failed = |error| open_error(name, &error);
    let inactive = Capture::from_device(name).map_err(failed)?;
    let inactive = inactive
        .snaplen(size(options.snaplen as usize))
        .buffer_size(size(options.buffer_bytes))
        .promisc(promiscuous)
        .timeout(millis.max(1));
    let inactive = if NANOSECONDS { inactive.precision(::pcap::Precision::Nano) } else { inactive };
    let mut capture = inactive.open().map_err(failed)?;
    if name == "any" {
        // The newer header tells which interface it was; where it is missing the older one does.
        let _ = capture.set_datalink(::pcap::Linktype(SLL2));
    }
    set_filter(&mut capture, options.filter.as_deref())?;
    if cfg!(unix) { capture.setnonblock().map_err(failed) } else { Ok(capture) }
}

/// Opens an interface only to see whether that can be done.
pub(super) fn try_open(name: &str) -> Result<(), CaptureError> {
    let failed = |error| open_error(name, &error);
    let inactive = Capture::from_device(name).map_err(failed)?;
    inactive.snaplen(64).buffer_size(1 << 16).open().map_err(failed).map(drop)
}

fn open_error(name: &str, error: &::pcap::Error) -> CaptureError {
    let name = name.to_owned();
    let message = message(error);
    let lower = message.to_lowercase();
    if ["permission", "not permitted", "cap_net_raw"].iter().any(|p| lower.contains(p)) {
        return CaptureError::Permission { name };
    }
    let have = interfaces::names();
    if !have.contains(&name) && name != "any" {
        return CaptureError::NoInterface { name, have };
    }
    CaptureError::Interface { name, message }
}

/// libpcap's own words.
pub(super) fn message(error: &::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(text) if text.is_empty() => "no reason given".to_owned(),
        ::pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Compiles the filter into the kernel.
fn set_filter(capture: &mut Capture<Active>, expression: Option<&str>) -> Result<(), CaptureError> {
    let Some(expression) = expression.map(str::trim).filter(|e| !e.is_empty()) else {
        return Ok(());
    };
    // On loopback each packet is in the kernel's buffer twice, going out and coming in, and libpcap
    // drops the first copy. `and inbound` would keep it out of the buffer, but libpcap applies a new
    // filter by itself to the first block, where it does not know directions, and loses that block.
    capture.filter(expression, true).map_err(|error| filter_error(capture, expression, &error))
}

/// libpcap tells what is wrong, but not where: that is behind the longest beginning that it takes.
fn filter_error(
    capture: &Capture<Active>,
    expression: &str,
    error: &::pcap::Error,
) -> CaptureError {
    let message = message(error);
    let quoted = message.split('\'').nth(1).filter(|word| !word.is_empty());
    let at = match quoted.and_then(|word| expression.find(word)) {
        Some(at) => Some(at),
        None => stops_at(expression, |part| capture.compile(part, false).is_ok()),
    };
    let column = at.and_then(|at| expression.get(..at)).map(|before| before.chars().count() + 1);
    CaptureError::Filter { expression: expression.to_owned(), message, column }
}

/// The start of the first word that cannot be in any expression that begins so.
fn stops_at(expression: &str, takes: impl Fn(&str) -> bool) -> Option<usize> {
    let starts = expression.match_indices(char::is_whitespace).map(|(at, _)| at);
    let ends: Vec<_> = starts.take(WORDS).collect();
    let good = ends.iter().rev().find_map(|&end| expression.get(..end).filter(|part| takes(part)));
    let rest = expression.get(good.map_or(0, str::len)..)?;
    Some(expression.len() - rest.trim_start().len())
}

/// `DLT_` numbers, which libpcap uses in memory, to `LINKTYPE_` numbers, which files have. They
/// differ only where systems once disagreed.
fn link_type(dlt: i32) -> LinkType {
    LinkType(match dlt {
        11 => 100,
        12 if cfg!(target_os = "openbsd") => 108,
        12 => 101,
        14 if cfg!(target_os = "openbsd") => 101,
        other => u16::try_from(other).unwrap_or_default(),
    })
}

/// Systems on which libpcap gives nanoseconds whatever the interface.
const NANOSECONDS: bool = cfg!(target_os = "linux");
/// `DLT_LINUX_SLL2`
const SLL2: i32 = 276;
/// How often a thread that waits looks for the stop signal.
const TICK: Duration = Duration::from_millis(50);
/// How often drops are counted.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// How long a busy interface is still read after the stop signal.
const LAST_CALL: Duration = Duration::from_millis(60);
/// Bytes of a batch. Half of a second-level cache: the reader finds it warm.
const BATCH: usize = 256 << 10;
/// Batches in the queue: 64 MiB, beside the kernel's buffer.
const QUEUE: usize = 256;
/// Empty batches that are kept.
const SPARE: usize = 32;
/// Packets moved before the stop signal is looked for.
const DISPATCH: usize = 4096;
/// Words of a filter looked at for the place of an error.
const WORDS: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    fn lo(filter: &str) -> LiveOptions {
        let names = interfaces::names();
        let name = names.into_iter().next().unwrap_or_else(|| "lo".to_owned());
        LiveOptions { filter: Some(filter.to_owned()), ..LiveOptions::on([name]) }
    }

    /// Opens, or tells that this user may not and gives `None`.
    fn open(options: &LiveOptions) -> Option<LiveSource> {
        match LiveSource::open(options) {
            Ok(source) => Some(source),
            Err(error @ CaptureError::Permission { .. }) => {
                eprintln!("skipped: {error}; {}", error.hint().unwrap());
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Everything until the end, after `stop`.
    fn rest(source: &mut LiveSource) -> Vec<Vec<u8>> {
        source.stop_handle().store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(record) = source.next().unwrap() {
            all.push(record.bytes.to_vec());
        }
        all
    }

    #[test]
    fn every_datagram_on_loopback_comes_once_in_order_and_with_its_time() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = receiver.local_addr().unwrap().port();
        let Some(mut source) = open(&lo(&format!("udp dst port {port}"))) else { return };
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = std::time::SystemTime::now();
        for no in 0..20_000_u32 {
            sender.send_to(&no.to_be_bytes(), ("127.0.0.1", port)).unwrap();
        }
        let begin = before.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let mut numbers = Vec::new();
        let mut last = i64::try_from(begin).unwrap() - 1_000_000_000;
        while numbers.len() < 20_000 {
            let Polled::Packet(record) = source.next_timeout(Duration::from_secs(2)).unwrap()
            else {
                break;
            };
            assert_eq!(record.link, LinkType(1));
            assert_eq!(record.orig_len as usize, record.bytes.len());
            assert!(record.time.unwrap().0 >= last);
            last = record.time.unwrap().0;
            let end = record.bytes.last_chunk::<4>().unwrap();
            numbers.push(u32::from_be_bytes(*end));
        }
        assert!(numbers.iter().copied().eq(0..20_000), "{} packets", numbers.len());
        assert!(rest(&mut source).is_empty());
        let summary = source.summary();
        assert_eq!((summary.packets, summary.dropped), (20_000, 0));
        assert_eq!(summary.interfaces[0].received, Some(20_000));
        // A clock of microseconds would show.
        assert!(!NANOSECONDS || last % 1000 != 0 || begin.is_multiple_of(1000));
    }

    #[test]
    fn the_snapshot_length_cuts_and_the_length_on_the_wire_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = LiveOptions { snaplen: 80, ..lo(&format!("tcp src port {port}")) };
        let Some(mut source) = open(&options) else { return };
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        listener.accept().unwrap().0.write_all(&[7; 500]).unwrap();
        client.read_exact(&mut [0; 500]).unwrap();
        let long = loop {
            let record = source.next().unwrap().unwrap();
            if record.orig_len >= 554 {
                break record.bytes.len();
            }
        };
        assert_eq!(long, 80);
    }

    #[test]
    fn an_idle_capture_says_so_and_ends_soon_after_the_stop_signal() {
        let Some(mut source) = open(&lo("udp dst port 9 and udp src port 9")) else { return };
        let begin = Instant::now();
        assert_eq!(source.next_timeout(Duration::from_millis(120)).unwrap(), Polled::Idle);
        assert!(begin.elapsed() >= Duration::from_millis(120));
        let stop = source.stop_handle();
        let waiting = std::thread::spawn(move || {
            let ended = source.next().unwrap().is_none();
            (ended, Instant::now())
        });
        std::thread::sleep(Duration::from_millis(50));
        let stopped = Instant::now();
        stop.store(true, Ordering::Relaxed);
        let (ended, at) = waiting.join().unwrap();
        assert!(ended);
        // 100 ms are promised; a loaded machine gets more.
        assert!(at - stopped < Duration::from_secs(1), "{:?}", at - stopped);
    }

    #[test]
    fn two_interfaces_are_one_capture_with_their_own_link_types() {
        if cfg!(not(target_os = "linux")) {
            return;
        }
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = receiver.local_addr().unwrap().port();
        let mut options = lo(&format!("udp dst port {port}"));
        options.interfaces.push("any".to_owned());
        let Some(mut source) = open(&options) else { return };
        for no in 0..100_u8 {
            receiver.send_to(&[no], ("127.0.0.1", port)).unwrap();
        }
        let mut seen = [Vec::new(), Vec::new()];
        while seen.iter().map(Vec::len).sum::<usize>() < 200 {
            let Polled::Packet(record) = source.next_timeout(Duration::from_secs(2)).unwrap()
            else {
                break;
            };
            seen[record.interface.0 as usize].push((record.link.0, *record.bytes.last().unwrap()));
        }
        assert!(seen[0].iter().copied().eq((0..100).map(|no| (1, no))), "{seen:?}");
        assert!(seen[1].iter().copied().eq((0..100).map(|no| (276, no))), "{seen:?}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        match LiveSource::open(&LiveOptions::on(["no-such-0"])) {
            Err(CaptureError::Permission { .. }) => eprintln!("skipped: no permission"),
            Err(error @ CaptureError::NoInterface { .. }) => {
                let text = error.to_string();
                assert!(text.starts_with("no interface \"no-such-0\"; there are: lo"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_filter_that_does_not_parse_is_told_with_its_column() {
        for (filter, column) in [
            ("tcp port 80 adn port 90", Some(13)),
            ("tcp port nosuchservice", Some(10)),
            ("  tcp foo", Some(5)),
        ] {
            match LiveSource::open(&lo(filter)) {
                Err(CaptureError::Permission { .. }) => return eprintln!("skipped: no permission"),
                Err(CaptureError::Filter { column: is, message, .. }) => {
                    assert_eq!(is, column, "{filter}: {message}");
                }
                other => panic!("{filter}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_reader_that_is_slow_loses_nothing_that_fits_the_buffers() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = receiver.local_addr().unwrap().port();
        let Some(mut source) = open(&lo(&format!("udp dst port {port}"))) else { return };
        receiver.send_to(&[0; 1000], ("127.0.0.1", port)).unwrap();
        assert!(source.next().unwrap().is_some());
        for _ in 0..30_000 {
            receiver.send_to(&[1; 1000], ("127.0.0.1", port)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(300));
        let got = rest(&mut source).len() as u64;
        assert_eq!((got, source.dropped()), (30_000, 0));
    }
}
