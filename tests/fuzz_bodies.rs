//! The bodies of the fuzz targets over the samples, over the seeds, and over mutations of both:
//! bit flips, cuts, swaps, copies; the same ones each time.
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

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use wstap::capture::PacketRecord;
use wstap::fuzzing::{TARGETS, Target};
use wstap::limits::Limits;
use wstap::packet::{Decoded, Decoder};
use wstap::units::{FileOffset, PacketNo};

/// Numbers that look like chance (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % n.max(1)
    }

    /// One to four things wrong.
    fn mutated(&mut self, input: &[u8]) -> Vec<u8> {
        let mut data = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len());
            let to = (at + 1 + self.below(64)).min(data.len());
            match self.below(7) {
                0 => data.truncate(at),
                1 if at < data.len() => data[at] ^= 1 << self.below(8),
                2 if at < data.len() => {
                    data[at] = [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 0xff][self.below(7)];
                }
                3 => drop(data.drain(at..to)),
                4 => {
                    let copy = data[at..to].to_vec();
                    let there = self.below(data.len());
                    data.splice(there..there, copy);
                }
                5 if to - at > 1 => {
                    let middle = at + self.below(to - at);
                    data[at..to].rotate_left(middle - at);
                }
                _ if data.len() > 8 => {
                    let there = self.below(data.len() - 4);
                    let here = self.below(data.len() - 4);
                    let word: [u8; 4] = data[here..here + 4].try_into().unwrap();
                    data[there..there + 4].copy_from_slice(&word);
                }
                _ => {}
            }
        }
        data
    }
}

/// The TCP payloads of a capture's first connection that has some, with who sent them.
fn talk(path: &Path) -> Vec<(bool, Vec<u8>)> {
    let mut decoder = Decoder::new(&Limits::default());
    let mut talks: BTreeMap<_, Vec<(bool, Vec<u8>)>> = BTreeMap::new();
    let mut first = None;
    for (no, packet) in (1..).zip(common::packets(path)) {
        let record = PacketRecord {
            no: PacketNo(no),
            at: FileOffset(0),
            time: packet.time,
            link: packet.link,
            interface: wstap::capture::InterfaceId(0),
            orig_len: packet.orig_len,
            bytes: &packet.bytes,
        };
        let Decoded::Segment(segment) = decoder.decode(&record) else { continue };
        let from_client = segment.src.port() > segment.dst.port();
        let key = if from_client { (segment.src, segment.dst) } else { (segment.dst, segment.src) };
        if !segment.payload.is_empty() {
            first.get_or_insert(key);
            talks.entry(key).or_default().push((from_client, segment.payload.to_vec()));
        }
    }
    first.and_then(|key| talks.remove(&key)).unwrap_or_default()
}

/// Payloads as acts: a byte for who and what, a byte of length, the bytes.
fn acts(talk: &[(bool, Vec<u8>)], data_bits: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for (from_client, bytes) in talk {
        for piece in bytes.chunks(255) {
            out.push(data_bits | u8::from(!from_client));
            out.push(u8::try_from(piece.len()).unwrap());
            out.extend_from_slice(piece);
        }
    }
    out
}

/// A key log, which act is to be lost, and payloads as the target takes them.
fn records(keys: &[u8], talk: &[(bool, Vec<u8>)], lost: u8) -> Vec<u8> {
    let mut out = u16::try_from(keys.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(keys);
    out.push(lost);
    for (from_client, bytes) in talk {
        for piece in bytes.chunks(0xffff) {
            out.push(u8::from(!from_client));
            out.extend(u16::try_from(piece.len()).unwrap().to_be_bytes());
            out.extend_from_slice(piece);
        }
    }
    out
}

/// What comes behind the head of this side.
fn behind_head(talk: &[(bool, Vec<u8>)], client: bool) -> Vec<u8> {
    let all: Vec<u8> =
        talk.iter().filter(|(side, _)| *side == client).flat_map(|(_, b)| b.clone()).collect();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
    all[end..].to_vec()
}

/// A WebSocket over HTTP/2 and a plain request beside it: both sides' settings, indexed fields, padding,
/// DATA that cuts a WebSocket frame, the ends of the streams.
fn h2_talk() -> Vec<(bool, Vec<u8>)> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| -> Vec<u8> {
        let len = u8::try_from(payload.len()).unwrap();
        [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let fields = b"\x42\x07CONNECT\x40\x09:protocol\x09websocket\x84\x86\x41\x01a\
                   \x40\x15sec-websocket-version\x0213\x40\x18sec-websocket-extensions\
                   \x12permessage-deflate";
    let masked = [0x81, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3];
    let close = [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8];
    vec![
        (true, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(4, 0, 0, &[])].concat()),
        (false, [frame(4, 0, 0, &[0, 8, 0, 0, 0, 1]), frame(4, 1, 0, &[])].concat()),
        (true, [frame(1, 5, 1, &[0x82, 0x84, 0x86]), frame(1, 4, 3, fields)].concat()),
        (false, [frame(1, 4, 1, &[0x88]), frame(0, 1, 1, b"plain")].concat()),
        (false, frame(1, 4, 3, &[0x88])),
        // The same fields again, by their indices.
        (true, frame(1, 4, 5, &[0xc2, 0xc1, 0x84, 0x86, 0xc0, 0xbf, 0xbe])),
        (false, frame(1, 4, 5, &[0x48, 3, b'4', b'0', b'3'])),
        (
            true,
            [
                frame(0, 0, 3, &masked[..4]),
                frame(0, 8, 3, &[&[2][..], &masked[4..], &[0, 0]].concat()),
            ]
            .concat(),
        ),
        (false, [frame(6, 0, 0, &[0; 8]), frame(0, 0, 3, b"\x81\x03ABC")].concat()),
        (true, [frame(8, 0, 3, &[0, 0, 1, 0]), frame(0, 1, 3, &close)].concat()),
        (false, [frame(0, 1, 3, b"\x88\x02\x03\xe8"), frame(7, 0, 0, &[0; 8])].concat()),
        (true, frame(3, 0, 5, &[0, 0, 0, 8])),
    ]
}

fn deflated(messages: &[&[u8]]) -> Vec<u8> {
    let mut packer = flate2::Compress::new(flate2::Compression::default(), false);
    let mut out = vec![0];
    for (i, message) in messages.iter().enumerate() {
        if i > 0 {
            out.push(0xa5);
        }
        let mut room = Vec::with_capacity(message.len() + 64);
        packer.compress_vec(message, &mut room, flate2::FlushCompress::Sync).unwrap();
        // RFC 7692 section 7.2.3.6: an empty message is one octet.
        out.extend_from_slice(room.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap_or(&[0]));
    }
    out
}

const FILTERS: [&str; 8] = [
    "dir == c2s and text contains \"subscribe\"",
    "not (conn == 3 or kind in {ping, pong, close}) && len >= 125",
    "json.a.b[0] == 7 or json..x ~ \"(?-i)ab+\"",
    "json[\"odd key\"] != true and ip.addr == 10.0.0.1",
    "close.code in {1000..1015, 4000} || note.severity == error",
    "path matches r\"^/ws/\\d+\" and request.header[\"origin\"]",
    "text == 'a\\x1b\\u{1f600}\\n'",
    "!complete && frames > 2 and compressed",
];

/// Inputs made of the samples, for each target.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = Vec::new();
    for path in common::sample_files() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // A handshake of TLS takes its room.
        let most = if target == "tls" { 16_000 } else { 12_000 };
        if std::fs::metadata(&path).unwrap().len() > most {
            continue;
        }
        let talk = talk(&path);
        match target {
            "capture" | "pipeline" => out.push((name, std::fs::read(&path).unwrap())),
            "packet" => {
                let packets = common::packets(&path);
                let row: Vec<u8> = packets
                    .iter()
                    .take(6)
                    .flat_map(|p| {
                        let len = u16::try_from(p.bytes.len()).unwrap();
                        [&len.to_be_bytes(), p.bytes.as_slice()].concat()
                    })
                    .collect();
                out.push((format!("{name}-row"), [&[0], row.as_slice()].concat()));
                let last = packets.last().unwrap();
                out.push((name, [&[40], last.bytes.as_slice()].concat()));
            }
            "http" => out.push((name, acts(&talk, 0))),
            "conversation" => out.push((name, [&[0], acts(&talk, 0).as_slice()].concat())),
            "tls" => {
                if let Some(keys) = common::key_log(&path) {
                    out.extend(
                        [3, 9].map(|lost| (format!("{name}-{lost}"), records(&keys, &talk, lost))),
                    );
                }
            }
            "session" => {
                let both = [(true, behind_head(&talk, true)), (false, behind_head(&talk, false))];
                out.push((name, [&[0], acts(&both, 16).as_slice()].concat()));
            }
            "frames" => {
                out.push((format!("{name}-c2s"), behind_head(&talk, true)));
                out.push((format!("{name}-s2c"), behind_head(&talk, false)));
            }
            _ => {}
        }
    }
    let h2 = h2_talk();
    match target {
        "h2" => {
            // The target says the client's preface itself.
            out.push(("talk".into(), [&[0], &acts(&h2, 0)[26..]].concat()));
            let mut chance = Chance(11);
            for n in 0..4 {
                let mut spec: Vec<u8> =
                    (0..300).map(|_| chance.next().to_le_bytes()[3] & 31).collect();
                spec[0] = 1;
                out.push((format!("conversation-{n}"), spec));
            }
        }
        "conversation" => out.push(("h2".into(), [&[0], &*acts(&h2, 0)].concat())),
        "filter" => out.extend(FILTERS.iter().enumerate().map(|(i, text)| {
            (format!("filter-{i}"), [&[u8::try_from(i * 3).unwrap()], text.as_bytes()].concat())
        })),
        "inflate" => {
            let text =
                b"{\"type\":\"tick\",\"price\":1234,\"type\":\"tick\",\"price\":1235}".as_slice();
            out.push(("takeover".into(), deflated(&[text, text, b"", text])));
            out.push(("zeros".into(), deflated(&[&[0; 4000], text])));
        }
        "flow" => {
            let mut chance = Chance(7);
            for i in 0..4 {
                let mut data: Vec<u8> = (0..160).map(|_| chance.next().to_le_bytes()[3]).collect();
                (data[0], data[1]) = (0, i);
                out.push((format!("schedule-{i}"), data.clone()));
                data[0] = 1;
                out.push((format!("segments-{i}"), data));
            }
        }
        _ => {}
    }
    assert!(!out.is_empty(), "{target} has no seeds");
    out
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

fn check((name, body): Target, rounds: usize) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    body(b"");
    let mut inputs = seeds(name);
    // Beside those made here: what a fuzzer once found. Some targets need none.
    for entry in std::fs::read_dir(folder(name)).into_iter().flatten() {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let each = rounds / inputs.len() + 1;
    for (input, data) in inputs {
        let tell = |data: &[u8]| {
            // Written only when a law breaks: the input that broke it.
            let bytes = data.escape_ascii();
            let _ = writeln!(std::io::stderr(), "{name}, from {input}: b\"{bytes}\"");
        };
        let run = |data: &[u8]| {
            if let Err(cause) = std::panic::catch_unwind(|| body(data)) {
                tell(data);
                std::panic::resume_unwind(cause);
            }
        };
        run(&data);
        for _ in 0..each {
            run(&chance.mutated(&data));
        }
    }
}

macro_rules! targets {
    ($($name:ident: $rounds:literal),* $(,)?) => {
        $(#[test] fn $name() {
            let target = TARGETS.into_iter().find(|(name, _)| *name == stringify!($name)).unwrap();
            check(target, $rounds);
        })*

        #[test]
        fn every_target_is_run_and_has_a_crate_of_its_own() {
            let run = [$(stringify!($name)),*];
            for (name, _) in TARGETS {
                assert!(run.contains(&name), "{name}");
                let source = format!("fuzz/fuzz_targets/{name}.rs");
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.contains(&format!("wstap::fuzzing::{name}(data)")), "{text}");
            }
            assert_eq!(run.len(), TARGETS.len());
        }
    };
}

targets! {
    capture: 300,
    packet: 2000,
    flow: 2000,
    http: 1000,
    h2: 2000,
    frames: 2000,
    inflate: 1000,
    session: 1000,
    conversation: 600,
    tls: 200,
    filter: 3000,
    pipeline: 100,
}

/// Writes `fuzz/seeds`: `cargo test --test fuzz_bodies -- --ignored`.
#[test]
#[ignore = "writes files"]
fn write_the_seeds() {
    for (target, _) in TARGETS {
        std::fs::create_dir_all(folder(target)).unwrap();
        // Captures are read from the samples themselves.
        if !matches!(target, "capture" | "pipeline") {
            for (name, data) in seeds(target) {
                std::fs::write(folder(target).join(name), data).unwrap();
            }
        }
    }
}
