//! wss: what is inside of TLS, with secrets from a file, from the capture, late, and with packets lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Got, Packet, Recorder, key_log, packets, resegmented, run_wstap, samples, wstap};
use wstap::limits::Limits;
use wstap::pipeline::{Pipeline, Totals};
use wstap::tls::KeyLog;
use wstap::units::PacketNo;

const SAMPLES: [&str; 3] = ["wss-tls13.pcapng", "wss-tls12.pcapng", "wss-keylog.pcapng"];

/// All of a sample that a test needs: packets and secrets.
fn sample(name: &str) -> (Vec<Packet>, Vec<u8>) {
    let path = samples().join(name);
    (packets(&path), key_log(&path).unwrap())
}

/// Runs packets, those that are there, with what `keys` does before each.
fn run(
    packets: impl IntoIterator<Item = (PacketNo, Packet)>,
    keys: &KeyLog,
    mut before: impl FnMut(PacketNo),
) -> (Recorder, Totals) {
    let pipeline = Pipeline::new(Recorder::default(), Limits::default());
    let mut pipeline = pipeline.with_keys(keys.clone());
    for (no, packet) in packets {
        before(no);
        assert!(pipeline.push(&packet.record(no)).is_continue());
    }
    pipeline.finish()
}

fn numbered(packets: &[Packet]) -> impl Iterator<Item = (PacketNo, Packet)> {
    (1..).map(PacketNo).zip(packets.iter().cloned())
}

fn known(secrets: &[u8]) -> KeyLog {
    let keys = KeyLog::new();
    assert!(keys.add(secrets, PacketNo(0)).secrets > 0);
    keys
}

#[test]
fn a_key_log_opens_what_is_closed_without_it() {
    let file = "samples/wss-keylog.pcapng";
    let closed = run_wstap(["print", "--json", file]);
    assert!(!closed.stdout.contains("\"handshake\""), "{}", closed.stdout);
    assert!(closed.stdout.contains("\"unread\":{\"tls\":1,"), "{}", closed.stdout);
    let args = ["print", "--json", "--keylog", "samples/wss-keylog.keys", file];
    let open = run_wstap(args);
    assert_eq!((open.code, open.stderr.as_str()), (Some(0), ""));
    let tls = "\"tls\":{\"version\":\"1.3\",\"cipher\":\"TLS_CHACHA20_POLY1305_SHA256\",\
               \"sni\":\"chat.example\",\"alpn\":null}";
    assert!(open.stdout.contains(tls), "{}", open.stdout);
    assert_eq!(open.stdout.matches("\"event\":\"message\"").count(), 10);
    assert!(open.stdout.contains("\"text\":\"HELLO OVER TLS\""));
    let several = run_wstap(args.into_iter().chain(["-j", "3"]));
    assert_eq!(open.stdout, several.stdout);
}

#[test]
fn a_key_log_that_is_none_is_complained_of() {
    let file = "samples/wss-keylog.pcapng";
    let none = run_wstap(["print", "--keylog", "/no/such/file", file]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("cannot read the key log /no/such/file"), "{}", none.stderr);
    let useless = run_wstap(["print", "--keylog", "samples/README.md", file]);
    assert_eq!(useless.code, Some(0));
    assert!(useless.stderr.contains("samples/README.md has no TLS secrets"), "{}", useless.stderr);
    assert!(useless.stdout.contains("could not be read (to chat.example)"), "{}", useless.stdout);
}

#[test]
fn secrets_that_come_late_open_what_was_kept() {
    for name in SAMPLES {
        let (packets, secrets) = sample(name);
        let (early, _) = run(numbered(&packets), &known(&secrets), |_| {});
        assert!(early.messages.len() >= 10, "{name}");
        // The first connection goes on for longer.
        for late in 1..12 {
            let keys = KeyLog::new();
            keys.expect_more();
            let (got, totals) = run(numbered(&packets), &keys, |no| {
                if no.0 == late {
                    keys.add(&secrets, no);
                }
            });
            assert_eq!(got.messages, early.messages, "{name}: known from packet {late} on");
            assert_eq!(totals.unread.tls, 0);
        }
        let keys = KeyLog::new();
        keys.expect_more();
        let (got, totals) = run(numbered(&packets), &keys, |_| {});
        assert!(got.messages.is_empty() && totals.unread.tls > 0, "{name}");
    }
}

#[test]
fn secrets_that_come_while_nothing_is_said_open_what_was_kept() {
    let (packets, secrets) = sample("wss-keylog.pcapng");
    let keys = KeyLog::new();
    keys.expect_more();
    let pipeline = Pipeline::new(Recorder::default(), Limits::default());
    let mut pipeline = pipeline.with_keys(keys.clone());
    // All but the end of the connection.
    for (no, packet) in numbered(&packets).take(packets.len() - 4) {
        assert!(pipeline.push(&packet.record(no)).is_continue());
    }
    assert!(pipeline.look_again().is_continue());
    assert!(pipeline.sink_mut().messages.is_empty());
    keys.add(&secrets, PacketNo(0));
    assert!(pipeline.look_again().is_continue());
    assert!(pipeline.sink_mut().messages.len() >= 8, "{}", pipeline.sink_mut().log);
}

#[test]
fn secrets_known_ahead_are_not_used_before_their_packet() {
    for name in SAMPLES {
        let (packets, secrets) = sample(name);
        for late in [1, 5, 9, 20] {
            let (ahead, behind) = (KeyLog::new(), KeyLog::new());
            ahead.expect_more();
            behind.expect_more();
            ahead.add(&secrets, PacketNo(late));
            let (one, _) = run(numbered(&packets), &ahead, |_| {});
            let (other, _) = run(numbered(&packets), &behind, |no| {
                if no.0 == late {
                    behind.add(&secrets, no);
                }
            });
            assert_eq!(one.log, other.log, "{name}: from packet {late} on");
        }
    }
}

/// Numbers without a pattern, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn lost_packets_take_messages_away_and_invent_none() {
    for name in SAMPLES {
        let (packets, secrets) = sample(name);
        let keys = known(&secrets);
        let (whole, _) = run(numbered(&packets), &keys, |_| {});
        let mut chance = Chance(7);
        let mut behind_a_gap = 0;
        for round in 0..150 {
            let lost: Vec<u64> =
                (0..=chance.below(3)).map(|_| 1 + chance.below(packets.len() as u64)).collect();
            let left = numbered(&packets).filter(|(no, _)| !lost.contains(&no.0));
            let (got, _) = run(left, &keys, |_| {});
            for message in got.messages.iter().filter(|message| message.complete) {
                let sent = |known: &Got| {
                    (known.dir, known.kind, &known.bytes)
                        == (message.dir, message.kind, &message.bytes)
                };
                assert!(whole.messages.iter().any(sent), "{name} {round} {lost:?}: {message:?}");
                behind_a_gap += u64::from(message.begin.0 > lost[0]);
            }
        }
        assert!(behind_a_gap > 100, "{name}: {behind_a_gap} messages behind what was lost");
    }
}

fn contents(got: &Recorder) -> Vec<(&'static str, &[u8], bool)> {
    got.messages.iter().map(|m| (m.kind, m.bytes.as_slice(), m.complete)).collect()
}

#[test]
fn a_handshake_within_the_connection_has_secrets_of_its_own_wherever_segments_end() {
    let (packets, secrets) = sample("wss-tls12-renegotiated.pcapng");
    let keys = known(&secrets);
    let (want, _) = run(numbered(&packets), &keys, |_| {});
    assert_eq!(want.messages.len(), 9);
    for joined in [false, true] {
        let again = resegmented(&packets, b"", joined);
        let (got, _) = run(numbered(&again), &keys, |_| {});
        assert_eq!(contents(&got), contents(&want), "joined: {joined}");
    }
}

#[test]
fn a_resumed_session_is_read_with_the_secret_of_another_connection() {
    let (packets, secrets) = sample("wss-tls12-resumed.pcapng");
    let (got, totals) = run(numbered(&packets), &known(&secrets), |_| {});
    assert_eq!((got.messages.len(), totals.unread.tls), (19, 0));
    // Secrets of others come before and behind it.
    let other = format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "cd".repeat(48));
    let among =
        [other.as_bytes(), secrets.as_slice(), other.replace("ab", "ac").as_bytes()].concat();
    // The first connection is over before packet 28, the second goes on until the last one.
    let second = &got.messages[10..];
    for late in [1, 20, 28, 38, 45, 54] {
        let keys = KeyLog::new();
        keys.expect_more();
        let (again, _) = run(numbered(&packets), &keys, |no| {
            if no.0 == late {
                keys.add(&among, no);
            }
        });
        assert!(again.messages.ends_with(second), "known from packet {late} on");
    }
    let (none, totals) = run(numbered(&packets), &known(other.as_bytes()), |_| {});
    assert_eq!((none.messages.len(), totals.unread.tls), (0, 2));
}

#[test]
fn a_proxy_protocol_header_may_come_before_tls() {
    const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n";
    const V2: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x12\x67\x01\xbb";
    for name in SAMPLES {
        let (packets, secrets) = sample(name);
        let keys = known(&secrets);
        let (want, _) = run(numbered(&packets), &keys, |_| {});
        for (prefix, version) in [(V1, "version 1"), (V2, "version 2")] {
            let (got, _) = run(numbered(&resegmented(&packets, prefix, false)), &keys, |_| {});
            assert_eq!(contents(&got), contents(&want), "{name}");
            assert!(got.log.contains(&format!("a PROXY protocol {version} header")), "{name}");
        }
    }
}

#[test]
fn a_cipher_that_is_not_read_is_named() {
    let (mut packets, secrets) = sample("wss-tls12.pcapng");
    for packet in &mut packets {
        let hello = packet.bytes.windows(6).position(|b| matches!(b, [22, 3, _, _, _, 2]));
        if let Some(hello) = hello {
            // Behind the record's and the message's header, version, random and session: another cipher.
            let session = usize::from(packet.bytes[hello + 43]);
            packet.bytes[hello + 44 + session..][..2].copy_from_slice(&[0xc0, 0x73]);
        }
    }
    let (got, totals) = run(numbered(&packets), &known(&secrets), |_| {});
    assert!(totals.unread.tls > 0 && got.messages.is_empty());
    let text =
        "cipher suite TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384 is none that is read here";
    assert!(got.log.contains(text), "{}", got.log);
}

#[test]
fn check_and_stats_tell_tls_in_the_same_words() {
    let tls = |args: [&str; 3]| {
        let got = run_wstap(args).stdout;
        let from = got.find("\"tls\":").map(|at| got[at..].split('}').next().unwrap().to_owned());
        from.unwrap_or_else(|| panic!("{got}"))
    };
    let file = "samples/wss-tls13.pcapng";
    let want = tls(["print", "--json", file]);
    assert!(want.contains("chat.example"), "{want}");
    assert_eq!(tls(["check", "--json", file]), want);
    assert_eq!(tls(["stats", "--json", file]), want);
    assert!(tls(["check", "--json", "samples/nginx-good.pcapng"]).starts_with("\"tls\":null,"));
}

#[test]
fn copies_of_a_capture_bring_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let said = |file: PathBuf| {
        let got = run_wstap(["print", "--json", file.to_str().unwrap()]);
        let events = got.stdout.lines().filter(|line| !line.contains("\"event\":\"capture\""));
        events.map(str::to_owned).collect::<Vec<_>>()
    };
    let sample = samples().join("wss-tls13.pcapng");
    let want = said(sample.clone());
    assert!(want.len() > 20);
    let file = sample.to_str().unwrap();
    let copies = [
        ("w.pcapng", vec!["print", "-q", "-w"]),
        ("x.pcapng", vec!["export", "--to", "pcapng", "-o"]),
    ];
    for (name, command) in copies {
        let copy = path(name);
        let out = wstap().args(command).arg(&copy).arg(file).output().unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(said(copy), want, "{name}");
    }
    // Those of --keylog are nobody else's business.
    let copy = path("k.pcapng");
    let args = ["print", "-q", "--keylog", "samples/wss-keylog.keys", "-w"];
    let args = args.iter().map(std::ffi::OsStr::new).chain([copy.as_os_str()]);
    let out = wstap().args(args).arg("samples/wss-keylog.pcapng").output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let random = fs::read_to_string(samples().join("wss-keylog.keys")).unwrap();
    let secret = random.split_whitespace().nth(2).unwrap();
    assert!(!String::from_utf8_lossy(&fs::read(copy).unwrap()).contains(secret));
}

#[test]
fn tls_is_a_field_of_the_display_filter() {
    for (filter, lines) in [
        ("tls.version == 1.3 and tls.sni contains example and kind == ping", 2),
        ("tls.cipher matches CHACHA", 0),
        ("not tls", 0),
    ] {
        let got = run_wstap(["print", "--json", "-Y", filter, "samples/wss-tls13.pcapng"]);
        assert_eq!(got.code, Some(0), "{}", got.stderr);
        assert_eq!(got.stdout.matches("\"event\":\"message\"").count(), lines, "{filter}");
    }
}
