//! What the integration tests share: samples as owned packets, and what came out of them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by them")]

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use wstap::capture::{self, Input, InterfaceId, LinkType, PacketRecord, PacketSource, Source};
use wstap::event::{Cx, Event, Payload, Sink, Wants};
use wstap::limits::Limits;
use wstap::packet::{Decoded, Decoder, TcpFlags};
use wstap::pipeline::{Pipeline, Totals};
use wstap::tls::KeyLog;
use wstap::units::{ConnKey, Direction, FileOffset, PacketNo, Timestamp};

/// A packet that owns its bytes.
#[derive(Debug, Clone)]
pub struct Packet {
    pub time: Option<Timestamp>,
    pub link: LinkType,
    pub orig_len: u32,
    pub bytes: Vec<u8>,
}

impl Packet {
    /// As the library takes it.
    pub fn record(&self, no: PacketNo) -> PacketRecord<'_> {
        PacketRecord {
            no,
            at: FileOffset(0),
            time: self.time,
            link: self.link,
            interface: InterfaceId::default(),
            orig_len: self.orig_len,
            bytes: &self.bytes,
        }
    }
}

/// The folder of samples.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// Every sample capture, by name.
pub fn sample_files() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(samples())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"))
        .collect();
    found.sort();
    assert!(found.len() >= 10, "samples are missing: {found:?}");
    found
}

/// A message as it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub key: ConnKey,
    pub dir: Direction,
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub compressed: bool,
    pub complete: bool,
    pub begin: PacketNo,
    pub end: PacketNo,
    /// Of a stream of HTTP/2: the packet of its handshake.
    pub opened: Option<PacketNo>,
}

/// Everything that came out, as text, and the messages.
#[derive(Debug, Default)]
pub struct Recorder {
    pub log: String,
    pub messages: Vec<Got>,
    /// Packets of the handshakes that streams of HTTP/2 began with.
    opened: HashMap<ConnKey, PacketNo>,
}

impl Sink for Recorder {
    fn wants(&self) -> Wants {
        Wants::ALL
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        writeln!(self.log, "{:?} {:?}", cx.conn.key, event).unwrap();
        if let Event::Handshake(_) = event
            && cx.conn.h2_stream.is_some()
        {
            self.opened.insert(cx.conn.key, cx.origin.packet);
        }
        if let Event::Message(m) = event {
            self.messages.push(Got {
                key: cx.conn.key,
                dir: m.dir,
                kind: m.kind.name(),
                bytes: match m.payload {
                    Payload::Text(text) => text.as_bytes().to_vec(),
                    Payload::Data(data) => data.to_vec(),
                    Payload::Skipped => Vec::new(),
                },
                compressed: m.compressed,
                complete: m.complete,
                begin: m.begin.packet,
                end: cx.origin.packet,
                opened: self.opened.get(&cx.conn.key).copied(),
            });
        }
        ControlFlow::Continue(())
    }
}

/// Runs packets, numbered as they come, through the whole library.
pub fn run(packets: impl IntoIterator<Item = Packet>) -> (Recorder, Totals) {
    run_numbered((1..).map(PacketNo).zip(packets))
}

/// The same, with numbers: several pieces of one packet can have its number.
pub fn run_numbered(packets: impl IntoIterator<Item = (PacketNo, Packet)>) -> (Recorder, Totals) {
    let mut pipeline = Pipeline::new(Recorder::default(), Limits::default()).with_keys(all_keys());
    for (no, packet) in packets {
        if pipeline.push(&packet.record(no)).is_break() {
            break;
        }
    }
    pipeline.finish()
}

/// The same with another sink.
pub fn run_with<S: Sink>(packets: impl IntoIterator<Item = Packet>, sink: S) -> (S, Totals) {
    let mut pipeline = Pipeline::new(sink, Limits::default()).with_keys(all_keys());
    for (no, packet) in (1..).map(PacketNo).zip(packets) {
        if pipeline.push(&packet.record(no)).is_break() {
            break;
        }
    }
    pipeline.finish()
}

/// A capture file, opened.
pub fn open(path: &Path) -> Source {
    let input = Input::Path(path.to_owned());
    capture::open(&[input], &Limits::default(), &capture::Options::default())
        .unwrap_or_else(|e| panic!("{e}"))
}

/// The packets of a capture file.
pub fn packets(path: &Path) -> Vec<Packet> {
    let mut source = open(path);
    let mut packets = Vec::new();
    while let Some(record) = source.next().unwrap() {
        packets.push(Packet {
            time: record.time,
            link: record.link,
            orig_len: record.orig_len,
            bytes: record.bytes.to_vec(),
        });
    }
    assert!(!packets.is_empty(), "{}", path.display());
    packets
}

/// The TLS secrets of all samples.
pub fn all_keys() -> KeyLog {
    static KEYS: LazyLock<KeyLog> = LazyLock::new(|| {
        let keys = KeyLog::new();
        for secrets in sample_files().iter().filter_map(|path| key_log(path)) {
            keys.add(&secrets, PacketNo(0));
        }
        keys
    });
    KEYS.clone()
}

/// The TLS secrets of a capture: those that it brings, or those of the `.keys` file beside it.
pub fn key_log(path: &Path) -> Option<Vec<u8>> {
    let mut source = open(path);
    while source.next().unwrap().is_some() {}
    let inside: Vec<u8> = source.summary().secrets.iter().flat_map(|s| s.data.clone()).collect();
    let beside = std::fs::read(path.with_extension("keys"));
    (!inside.is_empty()).then_some(inside).or(beside.ok())
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// The built program, in the project's folder, with no colours and no terminal.
pub fn wstap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wstap"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run_wstap<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    let out = wstap().args(args).output().unwrap();
    Ran {
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
        code: out.status.code(),
    }
}

/// Fails at the first line that differs, and shows both.
pub fn assert_same_lines(expected: &str, got: &str, what: &str) {
    for (n, (e, g)) in (1..).zip(expected.lines().zip(got.lines())) {
        assert_eq!(e, g, "{what}, line {n}");
    }
    let (expected, got) = (expected.lines().count(), got.lines().count());
    assert_eq!(expected, got, "{what}: number of lines (expected, got)");
}

/// The TCP segments with data of a capture, in packets of their own.
///
/// `prefix` comes before what each client says; where `joined`, what one side says before the other does
/// is one segment.
pub fn resegmented(all: &[Packet], prefix: &[u8], joined: bool) -> Vec<Packet> {
    let mut decoder = Decoder::new(&Limits::default());
    let mut out: Vec<(Packet, SocketAddr, SocketAddr, u32, Vec<u8>, u8)> = Vec::new();
    let mut clients: HashMap<(SocketAddr, SocketAddr), bool> = HashMap::new();
    for (no, packet) in (1..).map(PacketNo).zip(all) {
        let record = packet.record(no);
        let Decoded::Segment(segment) = decoder.decode(&record) else { panic!("no TCP: {no:?}") };
        let ends = (segment.src, segment.dst);
        let syn = segment.flags.has(TcpFlags::SYN);
        if syn && !segment.flags.has(TcpFlags::ACK) {
            clients.insert(ends, true);
        }
        let first = clients.get_mut(&ends);
        let mut payload = segment.payload.to_vec();
        let mut seq = segment.seq.0;
        if !syn && let Some(first) = first {
            if !payload.is_empty() && std::mem::take(first) {
                payload.splice(..0, prefix.iter().copied());
            } else {
                seq = seq.wrapping_add(u32::try_from(prefix.len()).unwrap());
            }
        }
        let (flags, fin) = (segment.flags, segment.flags.has(TcpFlags::FIN));
        let flags =
            [(TcpFlags::FIN, 1), (TcpFlags::SYN, 2), (TcpFlags::RST, 4), (TcpFlags::ACK, 16)]
                .into_iter()
                .filter_map(|(flag, bit)| flags.has(flag).then_some(bit))
                .sum();
        if payload.is_empty() && flags == 16 {
            continue;
        }
        if let Some((_, src, dst, _, before, _)) = out.last_mut()
            && joined
            && (*src, *dst) == ends
            && !before.is_empty()
            && !payload.is_empty()
            && !fin
            && before.len() + payload.len() < 60_000
        {
            before.extend(payload);
            continue;
        }
        out.push((packet.clone(), segment.src, segment.dst, seq, payload, flags));
    }
    out.into_iter()
        .map(|(packet, src, dst, seq, payload, flags)| {
            let (SocketAddr::V4(a), SocketAddr::V4(b)) = (src, dst) else { panic!("not IPv4") };
            let len = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
            let mut bytes = packet.bytes.split_at(14).0.to_vec();
            bytes.extend([0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, 6, 0, 0]);
            bytes.extend(a.ip().octets());
            bytes.extend(b.ip().octets());
            bytes.extend(a.port().to_be_bytes());
            bytes.extend(b.port().to_be_bytes());
            bytes.extend(seq.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend([0x50, flags & !16, 0xff, 0xff, 0, 0, 0, 0]);
            bytes.extend(payload);
            Packet { orig_len: u32::try_from(bytes.len()).unwrap(), bytes, ..packet }
        })
        .collect()
}
