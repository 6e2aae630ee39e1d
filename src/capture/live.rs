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

mod link;
mod mover;
pub(super) mod open;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use ::pcap::{Active, Capture};

use self::link::{LinkState, Works};
use self::mover::{Batch, Counts, Message, Mover, TICK};
use self::open::{activate, link_type};
use super::summary::{Interface, Summary};
use super::{CaptureError, InterfaceId, Netns, PacketRecord, PacketSource};
use crate::units::{Count, FileOffset, PacketNo};

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
    /// In whose network; `None`: this program's own.
    pub netns: Option<Netns>,
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
            // Nobody sees it, and of what comes all the time 250 wake-ups a second cost nothing. Less would
            // be too little for the buffer, which has as many blocks whatever is in each of them.
            latency: Duration::from_millis(4),
            netns: None,
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
    /// What happened to interfaces and was not told yet.
    news: Vec<String>,
    /// Whom to ask whether an interface is up.
    works: Works,
    /// When drops were last told.
    told: Option<Instant>,
}

/// An interface, as both sides know it.
#[derive(Debug, Clone)]
struct Link {
    described: Interface,
    counts: Arc<Counts>,
    /// Drops that were told.
    told: u64,
    /// Empty batches on their way back.
    empty: Option<SyncSender<Batch>>,
}

impl LiveSource {
    /// Opens the interfaces. Packets are gathered by the kernel from now on.
    ///
    /// # Errors
    /// No permission, no such interface, a filter that does not parse: each says what to do.
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let Some(netns) = &options.netns else { return Self::open_here(options) };
        netns
            .within(|| Self::open_here(options))
            .map_err(|source| CaptureError::Netns { netns: netns.clone(), source })?
    }

    fn open_here(options: &LiveOptions) -> Result<Self, CaptureError> {
        let mut opened = Vec::with_capacity(options.interfaces.len());
        for name in &options.interfaces {
            let capture = activate(name, options)?;
            let described = Interface {
                snaplen: options.snaplen,
                name: Some(name.clone()),
                filter: options.filter.clone(),
                ..Interface::new(link_type(capture.get_datalink().0))
            };
            opened
                .push((capture, Link { described, counts: Arc::default(), told: 0, empty: None }));
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
            news: Vec::new(),
            // In another network namespace the same name may be another interface.
            works: if options.netns.is_some() { link::inside() } else { link::here() },
            told: None,
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

    /// What happened that whoever watches should know, a line each: packets dropped, an interface
    /// that went down or came up. Of drops at most once a second.
    pub fn take_news(&mut self) -> Vec<String> {
        let mut news = std::mem::take(&mut self.news);
        if self.told.is_some_and(|told| told.elapsed() < Duration::from_secs(1)) {
            return news;
        }
        for link in &mut self.links {
            let dropped = link.counts.dropped.load(Ordering::Relaxed);
            let more = dropped.saturating_sub(link.told);
            if more > 0 {
                self.told = Some(Instant::now());
                let name = link.described.name.as_deref().unwrap_or_default();
                news.push(format!(
                    "{name}: {} dropped, the capture buffer was full ({dropped} in all)",
                    Count(more, "packet")
                ));
                link.told = dropped;
            }
        }
        news
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
            let name = link.described.name.unwrap_or_default();
            let state = LinkState::of(&name, &self.works);
            let mover = Mover {
                place,
                name,
                batch: Batch::default(),
                spare: None,
                queue: sender.clone(),
                emptied,
                stop: Arc::clone(&self.stop),
                counts: link.counts,
                link: state,
            };
            let latency = self.latency;
            std::thread::spawn(move || mover.run(capture, latency));
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
            let Some(link) = self.links.get(place) else { return };
            link.counts.queued.fetch_sub(batch.bytes(), Ordering::Relaxed);
            batch.clear();
            self.current = None;
            if let Some(empty) = &link.empty {
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
                Message::News(text) => self.news.push(text),
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
        // So that they see that the queue is gone, instead of waiting for room in it.
        self.links.iter().for_each(|link| link.counts.queued.store(0, Ordering::Relaxed));
    }
}

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.links.iter().map(|l| l.described.name.as_deref()).collect();
        write!(f, "LiveSource {{ interfaces: {names:?}, packets: {} }}", self.packets)
    }
}

/// Batches in the queue, however small: when packets trickle, each is what came in a few
/// milliseconds. Their bytes are bounded by themselves.
const QUEUE: usize = 1 << 14;
/// Empty batches that are kept.
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::super::{LinkType, interfaces};
    use super::open::NANOSECONDS;
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
            ("  tcp port 80 $x", Some(13)),
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
