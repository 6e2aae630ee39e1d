//! Captures made in memory for the benchmarks: the same at every run, small, one for each kind of load.

use flate2::{Compress, Compression, FlushCompress, Status};
use wstap::capture::{FileSource, Options, PacketRecord, PacketSource};
use wstap::event::{Cx, Event, Sink, Wants};
use wstap::limits::Limits;
use wstap::units::Direction;
use wstap::ws::handshake::accept_for;

use std::io::Cursor;
use std::ops::ControlFlow;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Many short text messages, a packet each, of 50 connections in turn.
    Chat,
    /// Messages of 256 KiB over full segments.
    Bulk,
    /// Frames of 0 to 20 bytes, hundreds in a packet.
    Flood,
    /// Compressed JSON with context takeover.
    Ticker,
    /// Connections that open, say a word and close.
    ManyFlows,
}

impl Profile {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Chat, Self::Bulk, Self::Flood, Self::Ticker, Self::ManyFlows];

    /// A capture of about 4 MiB.
    pub(crate) fn capture(self) -> Vec<u8> {
        let mut capture = Capture::new();
        match self {
            Self::Chat => chat(&mut capture),
            Self::Bulk => bulk(&mut capture),
            Self::Flood => flood(&mut capture),
            Self::Ticker => ticker(&mut capture),
            Self::ManyFlows => many_flows(&mut capture),
        }
        capture.bytes
    }
}

const SIZE: usize = 4 << 20;
const MSS: usize = 1448;

fn chat(capture: &mut Capture) {
    let mut conns: Vec<Conn> = (0..50).map(|no| Conn::open(capture, no, None)).collect();
    let mut random = Random(1);
    while capture.bytes.len() < SIZE {
        let which = random.below(conns.len());
        let text = json(&mut random, 60, 240);
        let dir = if random.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
        if let Some(conn) = conns.get_mut(which) {
            conn.send(capture, dir, &frame(&mut random, dir, 0x81, text.as_bytes()));
        }
    }
    conns.iter_mut().for_each(|conn| conn.close(capture));
}

fn bulk(capture: &mut Capture) {
    let mut conn = Conn::open(capture, 0, None);
    let mut random = Random(2);
    let payload: Vec<u8> = std::iter::repeat_with(|| random.byte()).take(256 << 10).collect();
    while capture.bytes.len() < SIZE {
        for dir in Direction::BOTH {
            conn.send(capture, dir, &frame(&mut random, dir, 0x82, &payload));
        }
    }
    conn.close(capture);
}

fn flood(capture: &mut Capture) {
    let mut conn = Conn::open(capture, 0, None);
    let mut random = Random(3);
    while capture.bytes.len() < SIZE {
        for dir in Direction::BOTH {
            let bytes = frames(&mut random, dir, 60_000);
            conn.send(capture, dir, &bytes);
        }
    }
    conn.close(capture);
}

fn ticker(capture: &mut Capture) {
    let mut conn = Conn::open(capture, 0, Some("permessage-deflate"));
    let mut random = Random(4);
    let mut deflate = Compress::new(Compression::fast(), false);
    while capture.bytes.len() < SIZE {
        let text = json(&mut random, 200, 900);
        let bytes = compressed(&mut deflate, text.as_bytes());
        let bytes = frame(&mut random, Direction::ToClient, 0xc1, &bytes);
        conn.send(capture, Direction::ToClient, &bytes);
    }
    conn.close(capture);
}

fn many_flows(capture: &mut Capture) {
    let mut random = Random(5);
    let mut open: Vec<Conn> = Vec::new();
    for no in 0.. {
        if capture.bytes.len() >= SIZE {
            break;
        }
        open.push(Conn::open(capture, no, None));
        let which = random.below(open.len());
        if open.len() > 200 {
            let mut conn = open.swap_remove(which);
            let dir = Direction::ToServer;
            let bytes = frame(&mut random, dir, 0x81, b"hello");
            conn.send(capture, dir, &bytes);
            conn.close(capture);
        }
    }
    open.iter_mut().for_each(|conn| conn.close(capture));
}

/// Frames of 0 to 20 bytes, about so many bytes in all.
pub(crate) fn frames(random: &mut Random, dir: Direction, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let payload = vec![b'x'; random.below(21)];
        bytes.extend(frame(random, dir, 0x82, &payload));
    }
    bytes
}

/// A message compressed as RFC 7692 section 7.2.1 has it.
pub(crate) fn compressed(deflate: &mut Compress, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + 64);
    let status = deflate.compress_vec(plain, &mut out, FlushCompress::Sync);
    assert!(matches!(status, Ok(Status::Ok)), "{status:?}");
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

/// A frame, masked if a client sends it.
pub(crate) fn frame(random: &mut Random, dir: Direction, first: u8, payload: &[u8]) -> Vec<u8> {
    let bit = if dir == Direction::ToServer { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(bit | u8::try_from(len).unwrap_or(0)),
        len @ 126..=0xffff => {
            bytes.push(bit | 126);
            bytes.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
        }
        len => {
            bytes.push(bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if bit == 0 {
        bytes.extend_from_slice(payload);
        return bytes;
    }
    let key = [random.byte() | 1, random.byte(), random.byte(), random.byte()];
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A JSON text of about so many bytes.
pub(crate) fn json(random: &mut Random, from: usize, to: usize) -> String {
    const WORDS: [&str; 8] =
        ["price", "volume", "bid", "ask", "symbol", "Zürich", "sequence", "timestamp"];
    let size = from + random.below(to - from);
    let mut text = String::from("{\"type\":\"update\"");
    while text.len() < size {
        let word = WORDS.get(random.below(WORDS.len())).copied().unwrap_or_default();
        text.push_str(&format!(",\"{word}\":{}", random.below(1_000_000)));
    }
    text.push('}');
    text
}

/// A pcap file that grows.
pub(crate) struct Capture {
    bytes: Vec<u8>,
    micros: u32,
}

impl Capture {
    fn new() -> Self {
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(262_144_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        Self { bytes, micros: 0 }
    }

    fn packet(&mut self, ports: [u16; 2], seq: u32, ack: u32, flags: u8, payload: &[u8]) {
        self.micros += 50;
        let len = 54 + payload.len();
        let word = u32::try_from(len).unwrap_or(0);
        for number in [1_700_000_000 + self.micros / 1_000_000, self.micros % 1_000_000, word, word]
        {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let total = u16::try_from(len - 14).unwrap_or(0).to_be_bytes();
        self.bytes.extend([0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 6, 0, 0]);
        self.bytes.extend([127, 0, 0, 1, 127, 0, 0, 1]);
        ports.iter().for_each(|port| self.bytes.extend(port.to_be_bytes()));
        [seq, ack].iter().for_each(|number| self.bytes.extend(number.to_be_bytes()));
        self.bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(payload);
    }
}

/// A TCP connection that carries a WebSocket.
struct Conn {
    port: u16,
    /// Next sequence numbers, client first.
    seqs: [u32; 2],
}

const SERVER: u16 = 8080;
const ACK: u8 = 0x10;

impl Conn {
    fn open(capture: &mut Capture, no: u16, extensions: Option<&str>) -> Self {
        let mut conn = Self { port: 10_000 + no, seqs: [1, 1] };
        capture.packet([conn.port, SERVER], 0, 0, 0x02, &[]);
        capture.packet([SERVER, conn.port], 0, 1, 0x12, &[]);
        capture.packet([conn.port, SERVER], 1, 1, ACK, &[]);
        let key = format!("{no:0>22}==");
        let line =
            extensions.map_or(String::new(), |e| format!("Sec-WebSocket-Extensions: {e}\r\n"));
        let request = format!(
            "GET /chat/{no} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{line}\r\n"
        );
        conn.send(capture, Direction::ToServer, request.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{line}\r\n",
            accept_for(key.as_bytes())
        );
        conn.send(capture, Direction::ToClient, answer.as_bytes());
        conn
    }

    fn send(&mut self, capture: &mut Capture, dir: Direction, bytes: &[u8]) {
        for part in bytes.chunks(MSS) {
            self.packet(capture, dir, 0x18, part);
        }
    }

    fn packet(&mut self, capture: &mut Capture, dir: Direction, flags: u8, bytes: &[u8]) {
        let [client, server] = &mut self.seqs;
        let (ports, seq, ack) = match dir {
            Direction::ToServer => ([self.port, SERVER], client, *server),
            Direction::ToClient => ([SERVER, self.port], server, *client),
        };
        capture.packet(ports, *seq, ack, flags, bytes);
        let fin = u32::from(flags & 1);
        *seq = seq.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0)).wrapping_add(fin);
    }

    fn close(&mut self, capture: &mut Capture) {
        let mut random = Random(u64::from(self.port));
        for dir in Direction::BOTH {
            let bytes = frame(&mut random, dir, 0x88, &[0x03, 0xe8]);
            self.send(capture, dir, &bytes);
        }
        for dir in Direction::BOTH {
            self.packet(capture, dir, 0x11, &[]);
        }
    }
}

/// Numbers that look random, the same at every run (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from((self.next() >> 11) % n.max(1) as u64).unwrap_or(0)
    }
}

/// Counts messages, and wants their payload or not.
pub(crate) struct Count {
    /// What it wants.
    pub(crate) payload: bool,
    /// Messages.
    pub(crate) messages: u64,
}

impl Sink for Count {
    fn wants(&self) -> Wants {
        Wants { frames: false, payload: self.payload }
    }

    fn event(&mut self, _: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.messages += u64::from(matches!(event, Event::Message(_)));
        ControlFlow::Continue(())
    }
}

/// Hands each packet of a capture on.
pub(crate) fn each_packet(capture: Vec<u8>, mut take: impl FnMut(&PacketRecord<'_>)) {
    let limits = Limits::default();
    let source =
        FileSource::from_reader("memory", Cursor::new(capture), &limits, &Options::default());
    let mut source = source.expect("a capture");
    while let Some(record) = source.next().expect("a whole capture") {
        take(&record);
    }
}
