//! Input that can not be read, or not to its end: what can be read is printed, one line says what is
//! wrong and where, the exit status is 2.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, run_wstap, samples, wstap};
use tempfile::TempDir;

fn sample() -> Vec<u8> {
    fs::read(samples().join("story-direct.pcapng")).unwrap()
}

/// Where each block of a little-endian pcapng file begins.
fn blocks(file: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < file.len() {
        found.push(at);
        at += u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    found
}

/// Where each record of a little-endian pcap file begins.
fn records(file: &[u8]) -> Vec<usize> {
    let mut at = 24;
    let mut found = Vec::new();
    while at < file.len() {
        found.push(at);
        at += 16 + u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    found
}

/// The one line, without the program's name in front; lines below it that say what to try are indented.
fn complaint(ran: &Ran) -> &str {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let said = ran.stderr.lines().filter(|line| !line.starts_with("  ")).collect::<Vec<_>>();
    assert_eq!(said.len(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    said[0].strip_prefix("wstap: ").unwrap_or_else(|| panic!("{ran:?}"))
}

/// Prints these bytes as a file; gives what came of it, and the file's path.
fn print(bytes: &[u8]) -> (Ran, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bad.pcapng");
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (run_wstap(["print", "--json", &path]), path)
}

/// Messages and the reason why reading stopped, of NDJSON.
fn read(ran: &Ran) -> (usize, Option<String>) {
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "capture");
    let messages = events.iter().filter(|e| e["event"] == "message").count();
    (messages, last["truncated"].as_str().map(str::to_owned))
}

#[test]
fn empty_file() {
    let (ran, path) = print(b"");
    assert!(complaint(&ran).starts_with(&format!("{path} is empty")), "{ran:?}");
}

#[test]
fn text_file() {
    let (ran, path) = print(b"# Notes\n\nNothing to capture here.\n");
    assert!(complaint(&ran).starts_with(&format!("{path} is not a capture file")), "{ran:?}");
}

#[test]
fn a_cut_header_has_no_packets_before_it() {
    let (ran, _) = print(&sample()[..10]);
    assert!(
        complaint(&ran).contains("file header cut short (needs 12 bytes, file has 10)"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("packets before") && ran.stderr.contains("cut off?"), "{ran:?}");
    let (ran, _) = print(&sample()[..1500]);
    assert!(
        complaint(&ran).contains("packet 9") && ran.stderr.contains("packets before"),
        "{ran:?}"
    );
}

#[test]
fn standard_input_is_read_once() {
    for command in ["print", "check", "stats"] {
        let ran = run_wstap([command, "-", "-"]);
        assert_eq!(complaint(&ran), "standard input is named twice, and can be read only once");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn the_capture_that_is_read_is_not_written_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    fs::write(&path, sample()).unwrap();
    let other = folder.path().join("../").join(folder.path().file_name().unwrap()).join("a.pcapng");
    let other = other.to_str().unwrap();
    let path = path.to_str().unwrap();
    for arguments in [
        &["print", "-w", other, path][..],
        &["check", "-w", other, "samples/story-curl.pcap", path],
        &["print", "-a", "duration:1", "-w", other, "-F", path],
    ] {
        let ran = run_wstap(arguments);
        assert_eq!(complaint(&ran), "-w names one of the inputs");
        assert_eq!(fs::read(path).unwrap(), sample());
    }
}

#[test]
fn directory() {
    let ran = run_wstap(["print", "--json", "samples"]);
    assert!(complaint(&ran).contains("samples is a directory"), "{ran:?}");
}

#[test]
fn no_such_file() {
    let ran = run_wstap(["print", "--json", "samples/no-such.pcapng"]);
    assert!(complaint(&ran).contains("cannot open samples/no-such.pcapng"), "{ran:?}");
}

#[test]
fn no_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret.pcapng");
    fs::write(&path, sample()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        eprintln!("SKIPPED: this user may read every file (root), so nothing is refused");
        return;
    }
    let ran = run_wstap(["print".as_ref(), path.as_os_str()]);
    let line = complaint(&ran);
    assert!(line.contains("cannot open") && line.contains("secret.pcapng"), "{ran:?}");
}

#[test]
fn header_only_is_a_capture_without_packets() {
    let pcap = fs::read(samples().join("story-curl.pcap")).unwrap();
    let pcapng = sample();
    let packets = blocks(&pcapng)[2];
    for header in [&pcap[..24], &pcapng[..packets]] {
        let (ran, _) = print(header);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(read(&ran), (0, None));
    }
}

#[test]
fn header_that_is_cut() {
    let pcap = fs::read(samples().join("story-curl.pcap")).unwrap();
    for header in [&pcap[..20], &sample()[..20]] {
        let (ran, path) = print(header);
        let line = complaint(&ran);
        assert!(line.starts_with(&path) && line.contains("cut short"), "{ran:?}");
    }
}

#[test]
fn truncated_record() {
    let file = sample();
    let whole = read(&print(&file).0);
    assert_eq!(whole, (4, None));
    let at = blocks(&file);
    // The tenth packet's block: the section and the interface come first, and message 1 before it.
    for (block, cut) in [(11, 4), (11, 8), (11, 40)] {
        let (ran, path) = print(&file[..at[block] + cut]);
        let line = complaint(&ran);
        let place = format!("packet 10, offset {:#x}: ", at[block]);
        assert!(line.starts_with(&format!("{path}: {place}")), "{ran:?}");
        let (messages, truncated) = read(&ran);
        assert!((1..4).contains(&messages), "{ran:?}");
        assert!(truncated.is_some_and(|t| t.contains(&place)), "{ran:?}");
    }
}

#[test]
fn block_lengths_that_lie() {
    let file = sample();
    let at = blocks(&file);
    for length in [0, 7, 8, 0x1000_0000, 0xffff_fffc] {
        let mut bad = file.clone();
        bad[at[11] + 4..at[11] + 8].copy_from_slice(&u32::to_le_bytes(length));
        let (ran, path) = print(&bad);
        let line = complaint(&ran);
        let place = format!("{path}: packet 10, offset {:#x}: ", at[11]);
        assert!(line.starts_with(&place), "{length:#x}: {ran:?}");
        assert!((1..4).contains(&read(&ran).0), "{length:#x}: {ran:?}");
    }
}

#[test]
fn record_of_4_gib() {
    let mut file = fs::read(samples().join("story-curl.pcap")).unwrap();
    let at = records(&file)[8];
    file[at + 8..at + 16].copy_from_slice(&[0xff; 8]);
    let (ran, path) = print(&file);
    let place = format!("{path}: packet 9, offset {at:#x}: ");
    assert!(complaint(&ran).starts_with(&place), "{ran:?}");
    assert!(ran.stdout.contains("\"event\":\"handshake\""), "{ran:?}");
}

/// A FIFO in a folder of its own.
fn fifo() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (folder, path)
}

#[test]
fn fifo_that_ends_early() {
    let file = sample();
    let at = blocks(&file)[11];
    let (_folder, path) = fifo();
    let writer = std::thread::spawn({
        let (path, part) = (path.clone(), file[..at + 30].to_vec());
        move || OpenOptions::new().write(true).open(path).unwrap().write_all(&part).unwrap()
    });
    let ran = run_wstap(["print".as_ref(), "--json".as_ref(), path.as_os_str()]);
    writer.join().unwrap();
    let line = complaint(&ran);
    assert!(line.contains(&format!("packet 10, offset {at:#x}: ")), "{ran:?}");
    assert!((1..4).contains(&read(&ran).0), "{ran:?}");
}

/// An IPv4 packet with a TCP segment (RFC 791, RFC 9293); checksums stay 0.
fn packet(to_server: bool, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
    let mut out = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0];
    out.extend([127, 0, 0, 1, 127, 0, 0, 1]);
    let (src, dst) = if to_server { (40_000u16, 8088u16) } else { (8088, 40_000) };
    out.extend([src.to_be_bytes(), dst.to_be_bytes()].concat());
    out.extend([seq.to_be_bytes(), ack.to_be_bytes()].concat());
    out.extend([5 << 4, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// A capture of a server that sends texts of 1000 bytes, `count` of them.
fn chatter(count: u32, path: &Path) {
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    let mut record = |packet: &[u8]| {
        let len = u32::try_from(packet.len()).unwrap().to_le_bytes();
        file.write_all(&[&[0; 8][..], &len, &len, packet].concat()).unwrap();
    };
    let request = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let acked = u32::try_from(request.len()).unwrap();
    let mut seq = u32::try_from(answer.len()).unwrap();
    record(&packet(true, 0, 0, request));
    record(&packet(false, 0, acked, answer));
    let frame = [&[0x81, 126, 0x03, 0xe8][..], &[b'x'; 1000]].concat();
    for _ in 0..count {
        record(&packet(false, seq, acked, &frame));
        seq += 1004;
    }
    drop(file);
    let mut whole = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    whole.extend([0xff, 0xff, 0, 0, 101, 0, 0, 0]);
    whole.extend(fs::read(path).unwrap());
    fs::write(path, whole).unwrap();
}

#[test]
fn file_that_shrinks_while_it_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shrinking.pcap");
    chatter(30_000, &path);
    let whole = fs::metadata(&path).unwrap().len();
    let mut program = wstap()
        .args(["print".as_ref(), "--json".as_ref(), path.as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(program.stdout.take().unwrap());
    let mut stdout = String::new();
    // It has begun, and waits for us to read on: a pipe holds much less than the file.
    out.read_line(&mut stdout).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(whole - 1_000_000).unwrap();
    out.read_to_string(&mut stdout).unwrap();
    let mut stderr = String::new();
    program.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let ran = Ran { stdout, stderr, code: program.wait().unwrap().code() };
    let (messages, truncated) = read(&ran);
    assert!((28_900..29_200).contains(&messages), "{messages}");
    let line = ran.stderr.lines().next().unwrap_or_default().to_owned();
    assert!(complaint(&ran).contains(", offset 0x"), "{line}");
    assert!(truncated.is_some(), "{line}");
}

#[test]
fn of_several_inputs_the_good_ones_are_printed() {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.pcap");
    fs::write(&empty, b"").unwrap();
    let empty = empty.to_str().unwrap();
    let ran = run_wstap(["print", "--json", "samples/story-direct.pcapng", empty]);
    assert!(complaint(&ran).contains("empty.pcap is empty"), "{ran:?}");
    assert_eq!(read(&ran).0, 4);
}
