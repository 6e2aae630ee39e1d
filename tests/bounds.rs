//! Memory in the worst cases that a stranger can make. Each is generated packet by packet, never held
//! as a whole, and measured by the process's peak.
//!
//! `cargo test --release --test bounds -- --ignored --test-threads=1 --nocapture`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::large_stack_arrays,
    clippy::similar_names,
    clippy::items_after_statements,
    clippy::format_collect,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Instant;

use wstap::capture::{InterfaceId, LinkType, PacketRecord};
use wstap::event::{Cx, Event, Sink, Wants};
use wstap::limits::Limits;
use wstap::note::Note;
use wstap::pipeline::Pipeline;
use wstap::sink::Output;
use wstap::sink::check::{CheckOptions, CheckSink, Format};
use wstap::sink::export::HarSink;
use wstap::sink::export::csv::{Cells, CsvSink};
use wstap::sink::json::JsonSink;
use wstap::sink::stats::{StatsOptions, StatsSink};
use wstap::units::{FileOffset, PacketNo, Timestamp};

/// Counts what came out, by name.
#[derive(Debug, Default)]
struct Counts {
    messages: u64,
    whole: u64,
    handshakes: u64,
    ends: u64,
    gaps: u64,
    notes: std::collections::BTreeMap<&'static str, u64>,
    last_texts: std::collections::BTreeMap<&'static str, String>,
}

impl Counts {
    fn notes(&mut self, notes: &[Note]) {
        for note in notes {
            *self.notes.entry(note.code.as_str()).or_default() += 1;
            self.last_texts.insert(note.code.as_str(), note.text.to_string());
        }
    }
}

impl Sink for Counts {
    fn wants(&self) -> Wants {
        Wants::ALL
    }

    fn event(&mut self, _: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Handshake(handshake) => {
                self.handshakes += 1;
                self.notes(&handshake.notes);
            }
            Event::Message(message) => {
                self.messages += 1;
                self.whole += u64::from(message.complete);
                self.notes(message.notes);
            }
            Event::End(end) => {
                self.ends += 1;
                self.notes(&end.notes);
            }
            Event::Gap(_) => self.gaps += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

const SYN: u8 = 2;
const ACK: u8 = 16;

/// A network of clients and one server, packets straight into a pipeline.
struct Net<S: Sink = Counts> {
    pipeline: Pipeline<S>,
    packet: u64,
    buffer: Vec<u8>,
    before: u64,
    begin: Instant,
}

impl Net {
    fn new() -> Self {
        Self::to(Counts::default())
    }

    /// Peak of resident memory since the beginning, in MiB, and what came out.
    fn done(self, what: &str) -> (u64, Counts) {
        let peak = status("VmHWM:").saturating_sub(self.before) / 1024;
        let packets = self.packet;
        let (counts, totals) = self.pipeline.finish();
        let all = status("VmHWM:").saturating_sub(self.before) / 1024;
        println!(
            "{what}: peak {peak} MiB, at the end {all} MiB, {packets} packets, {:.1} s, {} streams, {counts:?}",
            self.begin.elapsed().as_secs_f64(),
            totals.tcp_streams
        );
        (all, counts)
    }
}

impl<S: Sink> Net<S> {
    fn to(sink: S) -> Self {
        Self {
            pipeline: Pipeline::new(sink, Limits::default()),
            packet: 0,
            buffer: Vec::new(),
            before: status("VmRSS:"),
            begin: Instant::now(),
        }
    }

    /// A segment of client `n` (a port and an address of its own), as raw IPv4.
    fn send(&mut self, n: u32, from_client: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        let client = Ipv4Addr::from(0x0a00_0000 + n / 50_000);
        let client = SocketAddr::from((client, u16::try_from(10_000 + n % 50_000).unwrap()));
        let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80));
        let (src, dst) = if from_client { (client, server) } else { (server, client) };
        let total = u16::try_from(40 + payload.len()).unwrap();
        let b = &mut self.buffer;
        b.clear();
        b.extend_from_slice(&[0x45, 0]);
        b.extend_from_slice(&total.to_be_bytes());
        b.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
        for end in [src, dst] {
            let SocketAddr::V4(v4) = end else { unreachable!() };
            b.extend_from_slice(&v4.ip().octets());
        }
        b.extend_from_slice(&src.port().to_be_bytes());
        b.extend_from_slice(&dst.port().to_be_bytes());
        b.extend_from_slice(&seq.to_be_bytes());
        b.extend_from_slice(&ack.to_be_bytes());
        b.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        b.extend_from_slice(payload);
        self.packet += 1;
        let record = PacketRecord {
            no: PacketNo(self.packet),
            at: FileOffset(0),
            // A microsecond each: nothing becomes idle.
            time: Some(Timestamp(i64::try_from(self.packet).unwrap() * 1000)),
            link: LinkType(101),
            interface: InterfaceId::default(),
            orig_len: total.into(),
            bytes: &self.buffer,
        };
        assert!(self.pipeline.push(&record).is_continue());
    }

    /// A WebSocket's opening; the next numbers of client and server are given back.
    fn open(&mut self, n: u32, extensions: &str) -> (u32, u32) {
        use base64::Engine as _;
        use sha1::Digest as _;
        let base64 = base64::engine::general_purpose::STANDARD;
        let mut nonce = [7; 16];
        nonce[..4].copy_from_slice(&n.to_be_bytes());
        let key = base64.encode(nonce);
        let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let accept = base64.encode(sha1::Sha1::digest(format!("{key}{guid}")));
        let request = format!(
            "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
        );
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
        );
        self.send(n, true, SYN, 0, 0, b"");
        self.send(n, false, SYN | ACK, 0, 1, b"");
        self.send(n, true, ACK, 1, 1, request.as_bytes());
        let client = 1 + u32::try_from(request.len()).unwrap();
        self.send(n, false, ACK, 1, client, response.as_bytes());
        (client, 1 + u32::try_from(response.len()).unwrap())
    }

    /// An attempt of which nothing more comes: ended before its answer by FIN or RST, or answered with
    /// another protocol; the fourth kind is a stream of HTTP/2 that is reset.
    fn attempt(&mut self, n: u32) {
        const RST: u8 = 4;
        const FIN: u8 = 1;
        let other =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n";
        let request = format!(
            "GET /attempts/{n} HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {n:022}==\r\nSec-WebSocket-Version: 13\r\n\
             User-Agent: {}\r\n\r\n",
            "x".repeat(200)
        );
        let bytes = if n % 4 == 3 { h2_attempt() } else { request.into_bytes() };
        let next = 1 + u32::try_from(bytes.len()).unwrap();
        self.send(n, true, SYN, 0, 0, b"");
        self.send(n, false, SYN | ACK, 0, 1, b"");
        self.send(n, true, ACK, 1, 1, &bytes);
        match n % 4 {
            0 => self.send(n, false, ACK | FIN, 1, next, b""),
            1 => self.send(n, false, ACK | RST, 1, next, b""),
            2 => self.send(n, false, ACK, 1, next, other.as_bytes()),
            // SETTINGS, and RST_STREAM of stream 1: CANCEL.
            _ => {
                let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
                let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
                self.send(n, false, ACK, 1, next, &[&settings[..], &reset].concat());
            }
        }
        self.send(n, true, ACK | RST, next, 1, b"");
    }
}

/// The preface, SETTINGS, and an extended CONNECT on stream 1 (RFC 8441 section 5.1).
fn h2_attempt() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "example.com"),
        ("sec-websocket-version", "13"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(&[0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend_from_slice(&block);
    bytes
}

/// Lines that were written so far.
#[derive(Debug, Clone, Default)]
struct Lines(std::rc::Rc<std::cell::Cell<usize>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let lines = bytes.split(|&b| b == b'\n').count() - 1;
        self.0.set(self.0.get() + lines);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Is this process for this case alone? If not, runs one that is: what other cases left with the
/// allocator would hide what this one needs.
fn alone(name: &str) -> bool {
    if std::env::var_os("WSTAP_BOUNDS_ALONE").is_some() {
        return true;
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env("WSTAP_BOUNDS_ALONE", "1")
        .status();
    assert!(status.unwrap().success(), "{name}");
    false
}

/// A number of `/proc/self/status`, in KiB; 0 where there is none.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// A masked frame of a client; the key is `1 2 3 4`.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[1, 2, 3, 4]);
    frame.extend(payload.iter().zip([1, 2, 3, 4].into_iter().cycle()).map(|(b, k)| b ^ k));
    frame
}

/// An unmasked header of a server's frame.
fn header(first: u8, len: u64) -> Vec<u8> {
    let mut frame = vec![first, 127];
    frame.extend_from_slice(&len.to_be_bytes());
    frame
}

fn deflate(data: &[u8], level: u32) -> Vec<u8> {
    compressed(&mut flate2::Compress::new(flate2::Compression::new(level), false), data)
}

/// One message: RFC 7692 section 7.2.1.
fn compressed(packer: &mut flate2::Compress, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 4096);
    let before = packer.total_in();
    while !out.ends_with(&[0, 0, 0xff, 0xff]) {
        let taken = usize::try_from(packer.total_in() - before).unwrap();
        packer.compress_vec(&data[taken..], &mut out, flate2::FlushCompress::Sync).unwrap();
    }
    out.truncate(out.len() - 4);
    out
}

/// Bytes that do not compress.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    (0..len)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[0]
        })
        .collect()
}

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

#[test]
#[ignore = "measures"]
fn two_hundred_thousand_websockets_open_at_once() {
    if !alone("two_hundred_thousand_websockets_open_at_once") {
        return;
    }
    let mut net = Net::new();
    for n in 0..200_000 {
        let (client, server) = net.open(n, "");
        net.send(n, true, ACK, client, server, &masked(0x81, b"hello"));
    }
    let (peak, counts) = net.done("200,000 WebSockets");
    assert_eq!((counts.handshakes, counts.whole, counts.ends), (200_000, 200_000, 200_000));
    assert!(peak < 640, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn a_million_half_open_connections() {
    if !alone("a_million_half_open_connections") {
        return;
    }
    let mut net = Net::new();
    for n in 0..1_000_000 {
        net.send(n, true, SYN, n, 0, b"");
    }
    let (peak, _) = net.done("SYN flood of 1,000,000");
    assert!(peak < 256, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn ten_thousand_compressed_connections_with_full_windows() {
    if !alone("ten_thousand_compressed_connections_with_full_windows") {
        return;
    }
    let mut net = Net::new();
    let packed = deflate(&noise(33_000, 5), 1);
    let frame = masked(0xc2, &packed);
    let mut answer = vec![0xc2, 126];
    answer.extend_from_slice(&u16::try_from(packed.len()).unwrap().to_be_bytes());
    answer.extend_from_slice(&packed);
    let mut next = Vec::new();
    for n in 0..10_000 {
        let (mut client, mut server) = net.open(n, DEFLATE);
        for piece in frame.chunks(1400) {
            net.send(n, true, ACK, client, server, piece);
            client += u32::try_from(piece.len()).unwrap();
        }
        for piece in answer.chunks(1400) {
            net.send(n, false, ACK, server, client, piece);
            server += u32::try_from(piece.len()).unwrap();
        }
        next.push((client, server));
    }
    // All are still in use: the same again, which now refers to the window.
    let mut packer = flate2::Compress::new(flate2::Compression::best(), false);
    let text = noise(33_000, 5);
    compressed(&mut packer, &text);
    let again = masked(0xc2, &compressed(&mut packer, &text[32_000..32_400]));
    for (n, (client, server)) in (0..).zip(next) {
        net.send(n, true, ACK, client, server, &again);
    }
    let (peak, counts) = net.done("10,000 compressed, both windows full");
    assert_eq!(counts.messages, 30_000);
    assert_eq!(counts.whole, 30_000, "both windows of all are within the budget");
    assert!(peak < 1280, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn a_message_of_two_gibibytes() {
    if !alone("a_message_of_two_gibibytes") {
        return;
    }
    let mut net = Net::new();
    let (client, server) = net.open(0, "");
    let piece = [b'x'; 1000];
    let len = 2 << 30;
    let mut at = server;
    let head = header(0x82, len);
    net.send(0, false, ACK, at, client, &head);
    at = at.wrapping_add(10);
    let mut left = len;
    let mut count = 0_u64;
    while left > 0 {
        let part = &piece[..usize::try_from(left.min(1000)).unwrap()];
        count += 1;
        // Now and then a packet is missing.
        if !count.is_multiple_of(10_000) {
            net.send(0, false, ACK, at, client, part);
        }
        at = at.wrapping_add(u32::try_from(part.len()).unwrap());
        left -= part.len() as u64;
    }
    net.send(0, false, ACK, at, client, &[0x81, 2, b'o', b'k']);
    let (peak, counts) = net.done("a message of 2 GiB with gaps");
    assert_eq!((counts.messages, counts.whole), (2, 1));
    assert!(peak < 160, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn a_head_that_never_ends() {
    if !alone("a_head_that_never_ends") {
        return;
    }
    let mut net = Net::new();
    net.send(0, true, SYN, 0, 0, b"");
    let mut at = 1;
    net.send(0, true, ACK, at, 1, b"GET / HTTP/1.1\r\n");
    at += 16;
    for _ in 0..1_000_000 {
        net.send(
            0,
            true,
            ACK,
            at,
            1,
            b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
        );
        at += 67;
    }
    let (peak, _) = net.done("a head that never ends");
    assert!(peak < 16, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn twenty_thousand_heads_that_never_end() {
    if !alone("twenty_thousand_heads_that_never_end") {
        return;
    }
    let mut net = Net::new();
    let line = [b"X: ", [b'a'; 1393].as_slice(), b"\r\n"].concat();
    for n in 0..20_000 {
        net.send(n, true, SYN, 0, 0, b"");
        net.send(n, true, ACK, 1, 1, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n");
        let mut at = 1 + 36;
        for _ in 0..150 {
            net.send(n, true, ACK, at, 1, &line);
            at += 1398;
        }
    }
    let (peak, _) = net.done("20,000 heads of 200 KiB that never end");
    assert!(peak < 1024, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn sequence_spaces_full_of_holes() {
    if !alone("sequence_spaces_full_of_holes") {
        return;
    }
    let mut net = Net::new();
    for n in 0..2_000 {
        let (client, server) = net.open(n, "");
        for i in 0..4_000 {
            net.send(n, true, ACK, client + 2 + i * 300, server, &[b'x'; 200]);
        }
    }
    let (peak, _) = net.done("2,000 sequence spaces with 4,000 holes each");
    assert!(peak < 1024, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn five_hundred_messages_of_sixteen_mebibytes_at_once() {
    if !alone("five_hundred_messages_of_sixteen_mebibytes_at_once") {
        return;
    }
    let mut net = Net::new();
    let piece = vec![b'x'; 60_000];
    let mut next = Vec::new();
    for n in 0..500 {
        let (client, server) = net.open(n, "");
        net.send(n, false, ACK, server, client, &header(0x82, 16 << 20));
        next.push((client, server + 10));
    }
    for _ in 0..279 {
        for (n, (client, server)) in (0..).zip(&mut next) {
            net.send(n, false, ACK, *server, *client, &piece);
            *server = server.wrapping_add(60_000);
        }
    }
    for (n, (client, server)) in (0..).zip(next) {
        let rest = (16 << 20) - 279 * 60_000;
        net.send(n, false, ACK, server, client, &piece[..rest]);
        net.send(
            n,
            false,
            ACK,
            server + u32::try_from(rest).unwrap(),
            client,
            &[0x81, 2, b'o', b'k'],
        );
    }
    let (peak, counts) = net.done("500 messages of 16 MiB at once");
    assert_eq!(counts.messages, 1000, "all are in step");
    assert!(counts.whole >= 500);
    assert_eq!(counts.whole + counts.notes["message-limit"], 1000, "never silently");
    assert!(peak < 1400, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn three_thousand_connections_that_are_not_clear() {
    if !alone("three_thousand_connections_that_are_not_clear") {
        return;
    }
    let mut net = Net::new();
    // In mid-connection, and nothing that is known.
    let bytes = noise(250_000, 3);
    for n in 0..3_000 {
        let mut at = 1;
        for piece in bytes[usize::try_from(n % 1000).unwrap()..].chunks(1400) {
            net.send(n, true, ACK, at, 1, piece);
            at += u32::try_from(piece.len()).unwrap();
        }
    }
    let (peak, _) = net.done("3,000 connections of random bytes, undecided");
    assert!(peak < 1024, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn bytes_in_packets_of_one_that_are_not_clear() {
    if !alone("bytes_in_packets_of_one_that_are_not_clear") {
        return;
    }
    let mut net = Net::new();
    let bytes = noise(250_000, 3);
    for n in 0..100 {
        for (at, byte) in (1..).zip(&bytes) {
            net.send(n, true, ACK, at, 1, &[*byte]);
        }
    }
    let (peak, _) = net.done("100 connections of random bytes in packets of one, undecided");
    assert!(peak < 256, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn an_inflate_bomb() {
    if !alone("an_inflate_bomb") {
        return;
    }
    let mut net = Net::new();
    let (mut client, server) = net.open(0, DEFLATE);
    let packed = deflate(&vec![0; 50_000_000], 9);
    assert!(packed.len() < 50_000, "{}", packed.len());
    for piece in [masked(0xc2, &packed), masked(0x81, b"in step")].concat().chunks(1400) {
        net.send(0, true, ACK, client, server, piece);
        client += u32::try_from(piece.len()).unwrap();
    }
    let (peak, counts) = net.done("an inflate bomb of 50 MB");
    assert_eq!((counts.messages, counts.whole), (2, 1));
    assert_eq!(counts.notes.get("inflate-limit"), Some(&1));
    assert!(peak < 160, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn a_hundred_thousand_notes_on_one_connection() {
    if !alone("a_hundred_thousand_notes_on_one_connection") {
        return;
    }
    let mut net = Net::new();
    let (client, mut server) = net.open(0, "");
    let frame = [0x80, 0x00];
    for _ in 0..100_000 {
        net.send(0, false, ACK, server, client, &frame);
        server += 2;
    }
    let (peak, counts) = net.done("100,000 notes on one connection");
    let told: u64 = counts.notes.values().sum();
    assert!(told < 200, "{told}");
    let last = counts.last_texts.get("continuation-unexpected").unwrap();
    assert!(last.contains("notes more"), "{last}");
    assert!(peak < 16, "{peak} MiB");
}

#[test]
#[ignore = "measures"]
fn notes_on_a_hundred_thousand_connections() {
    if !alone("notes_on_a_hundred_thousand_connections") {
        return;
    }
    let mut net = Net::new();
    for n in 0..100_000 {
        let (client, server) = net.open(n, "");
        net.send(n, false, ACK, server, client, &[0x80, 0].repeat(200));
    }
    let (peak, counts) = net.done("200 notes on each of 100,000 connections");
    assert_eq!(counts.ends, 100_000);
    assert!(peak < 1024, "{peak} MiB");
}

fn check(lines: &Lines) -> CheckSink<Lines> {
    CheckSink::new(lines.clone(), CheckOptions { format: Format::Json, ..CheckOptions::default() })
}

fn stats(lines: &Lines) -> StatsSink<Lines> {
    StatsSink::new(lines.clone(), StatsOptions { json: true, ..StatsOptions::default() })
}

#[test]
fn attempts_without_an_end_are_told_when_they_are_over() {
    fn told(lines: &Lines, sink: impl Output) {
        let mut net = Net::to(sink);
        for n in 0..8 {
            net.attempt(n);
            assert!(net.pipeline.sink_mut().flush().is_continue());
            assert_eq!(lines.0.get(), n as usize + 1);
        }
    }
    let lines = Lines::default();
    told(&lines, check(&lines));
    let lines = Lines::default();
    told(&lines, stats(&lines));
}

/// Peak of memory of all so far, in MiB, with many attempts given to this sink.
fn attempts(what: &str, sink: impl Sink) -> u64 {
    let mut net = Net::to(sink);
    for n in 0..80_000 {
        net.attempt(n);
    }
    let peak = status("VmHWM:") / 1024;
    println!("80,000 attempts without an end, {what}: peak so far {peak} MiB");
    peak
}

#[test]
#[ignore = "measures"]
fn attempts_without_an_end() {
    if !alone("attempts_without_an_end") {
        return;
    }
    let lines = Lines::default();
    let of_others = attempts("nobody asks", Counts::default());
    assert!(of_others < 48, "{of_others} MiB");
    for peak in [
        attempts("json", JsonSink::new(lines.clone(), false)),
        attempts("check", check(&lines)),
        attempts("stats", stats(&lines)),
        attempts("csv", CsvSink::new(lines.clone(), Cells::default())),
        attempts("har", HarSink::new(lines.clone())),
    ] {
        assert!(peak < of_others + 16, "{peak} MiB");
    }
}
