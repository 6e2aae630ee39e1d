//! Exports and statistics of the samples, by the program as users run it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn wstap(args: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wstap")).args(args).args(files).output().unwrap()
}

fn ok(args: &[&str], files: &[&Path]) -> String {
    let out = wstap(args, files);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn events(text: &str, event: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

/// What was said, without packet numbers, which an export of fewer packets changes.
fn said(capture: &Path) -> Vec<[Value; 6]> {
    let messages = events(&ok(&["print", "--json"], &[capture]), "message");
    let fields = ["time", "dir", "kind", "text", "data", "complete"];
    messages.into_iter().map(|message| fields.map(|field| message[field].clone())).collect()
}

#[test]
fn an_exported_capture_says_what_the_first_one_said() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["frames-bad.pcapng", "story-direct.pcapng", "damage-loss-deflate.pcap"] {
        let to = folder.path().join(name).with_extension("out");
        let args = ["export", "--to", "pcapng", "-o", to.to_str().unwrap()];
        assert_eq!(wstap(&args, &[&sample(name)]).status.code(), Some(0), "{name}");
        let before = said(&sample(name));
        assert!(!before.is_empty());
        assert_eq!(said(&to), before, "{name}");
    }
}

#[test]
fn only_connections_asked_for_are_exported_with_their_notes() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("one.pcapng");
    let from = sample("frames-bad.pcapng");
    let args = ["export", "--to", "pcapng", "-o", to.to_str().unwrap(), "-Y"];
    ok(&[&args[..], &["note.code == client-unmasked"]].concat(), &[&from]);
    let (all, some) = (ok(&["print", "--json"], &[&from]), ok(&["print", "--json"], &[&to]));
    let marked: Vec<Value> = events(&all, "message")
        .into_iter()
        .filter(|m| m["notes"].as_array().unwrap().iter().any(|n| n["code"] == "client-unmasked"))
        .map(|m| m["conn"].clone())
        .collect();
    let handshakes = events(&some, "handshake").len();
    assert!(handshakes > 0 && handshakes < events(&all, "handshake").len());
    assert!(handshakes <= marked.len());
    let bytes = std::fs::read(&to).unwrap();
    let comment = b"wstap: error client-unmasked (RFC 6455 ";
    assert!(bytes.windows(comment.len()).any(|window| window == comment));
}

#[test]
fn standard_input_can_be_exported_as_packets_too() {
    let from = std::fs::File::open(sample("story-direct.pcapng")).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_wstap"))
        .args(["export", "--to", "pcapng", "-o", "-", "-"])
        .stdin(from)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.pcapng");
    std::fs::write(&to, out.stdout).unwrap();
    assert_eq!(said(&to), said(&sample("story-direct.pcapng")));
}

#[test]
fn har_has_every_message_of_every_sample() {
    for path in std::fs::read_dir(sample("")).unwrap().map(|entry| entry.unwrap().path()) {
        if !path.extension().is_some_and(|e| e == "pcap" || e == "pcapng") {
            continue;
        }
        let har: Value =
            serde_json::from_str(&ok(&["export", "--to", "har", "-o", "-"], &[&path])).unwrap();
        let print = ok(&["print", "--json"], &[&path]);
        let entries = har["log"]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), events(&print, "handshake").len(), "{}", path.display());
        for entry in entries {
            let told: Vec<Value> = events(&print, "message")
                .into_iter()
                .filter(|message| message["conn"] == entry["_conn"])
                .map(|m| if m["text"].is_null() { m["data"].clone() } else { m["text"].clone() })
                .map(|data| if data.is_null() { "".into() } else { data })
                .collect();
            let messages = entry["_webSocketMessages"].as_array().unwrap();
            let data: Vec<Value> = messages.iter().map(|m| m["data"].clone()).collect();
            assert_eq!(data, told, "{}", path.display());
        }
    }
}

#[test]
fn statistics_add_up_to_what_is_printed() {
    for path in std::fs::read_dir(sample("")).unwrap().map(|entry| entry.unwrap().path()) {
        if !path.extension().is_some_and(|e| e == "pcap" || e == "pcapng") {
            continue;
        }
        let stats = ok(&["stats", "--json", "--inflate"], &[&path]);
        let print = ok(&["print", "--json"], &[&path]);
        let all = events(&stats, "stats").remove(0);
        let counted = events(&ok(&["stats", "--json"], &[&path]), "stats").remove(0);
        let messages = events(&print, "message");
        assert_eq!(events(&stats, "connection").len(), events(&print, "handshake").len());
        for dir in ["c2s", "s2c"] {
            let of = |test: &dyn Fn(&Value) -> bool| {
                messages.iter().filter(|m| m["dir"] == dir && test(m)).collect::<Vec<_>>()
            };
            for kind in ["text", "binary", "ping", "pong", "close"] {
                let n = of(&|m| m["kind"] == kind && m["complete"] == true).len();
                assert_eq!(all[dir][kind], n, "{kind} {dir} of {}", path.display());
            }
            let data =
                of(&|m| (m["kind"] == "text" || m["kind"] == "binary") && m["complete"] == true);
            let bytes: u64 = data.iter().map(|m| m["len"].as_u64().unwrap()).sum();
            assert_eq!(all[dir]["payload_bytes"], bytes, "{dir} of {}", path.display());
            assert_eq!(all[dir]["incomplete"], of(&|m| m["complete"] == false).len());
            let wire: u64 = of(&|_| true).iter().map(|m| m["wire_len"].as_u64().unwrap()).sum();
            for stats in [&all, &counted] {
                assert_eq!(stats[dir]["wire_payload_bytes"], wire, "{dir} of {}", path.display());
            }
        }
        let last = events(&print, "capture").remove(0);
        assert_eq!((&all["notes"], &all["packets"]), (&last["notes"], &last["packets"]));
    }
}

#[test]
fn outputs_are_not_overwritten_and_inputs_never() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("a.pcapng");
    std::fs::copy(sample("story-direct.pcapng"), &capture).unwrap();
    let before = std::fs::read(&capture).unwrap();
    let to = capture.to_str().unwrap();
    for force in [&[][..], &["--force"][..]] {
        let args = [&["export", "--to", "pcapng", "-o", to][..], force].concat();
        assert_eq!(wstap(&args, &[&capture]).status.code(), Some(2));
        assert!(std::fs::read(&capture).unwrap() == before);
    }
    let har = folder.path().join("a.har");
    let args = ["export", "--to", "har", "-o", har.to_str().unwrap()];
    ok(&args, &[&capture]);
    let again = wstap(&args, &[&capture]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
    ok(&[&args[..], &["--force"]].concat(), &[&capture]);
}

#[test]
fn an_export_is_not_given_up_for_an_input_that_can_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("payloads");
    let args = ["export", "--to", "payloads", "--force", "-o", to.to_str().unwrap()];
    ok(&args, &[&sample("story-direct.pcapng")]);
    let files = || {
        let all = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> = all.map(|path| (std::fs::read(&path).unwrap(), path)).collect();
        all.sort();
        all
    };
    let before = files();
    assert_eq!(before.len(), 3);
    for name in ["none.pcapng", "README.md"] {
        assert_eq!(wstap(&args, &[&sample(name)]).status.code(), Some(2), "{name}");
        assert_eq!(files(), before, "{name}");
    }
}

#[test]
fn what_could_not_be_read_is_said_beside_every_export() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["har", "pcapng", "ndjson", "payloads", "csv"] {
        let to = folder.path().join(format);
        let args = ["export", "--to", format, "-o", to.to_str().unwrap()];
        let said = |name: &str| {
            let out = wstap(&[&args[..], &["--force"]].concat(), &[&sample(name)]);
            assert_eq!(out.status.code(), Some(0), "{format}");
            String::from_utf8(out.stderr).unwrap()
        };
        let sealed = said("wss-keylog.pcapng");
        assert!(sealed.starts_with("wstap: 1 TCP connection encrypted with TLS: "), "{sealed}");
        assert!(sealed.contains("\n  its secrets are needed: "), "{sealed}");
        assert_eq!(said("story-direct.pcapng"), "", "{format}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_told_in_the_same_words() {
    let to = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let from = sample("story-direct.pcapng");
    let from = from.to_str().unwrap();
    let all: [&[&str]; 4] = [
        &["--help"],
        &["explain", "reset"],
        &["print", from],
        &["export", "--to", "csv", "-o", "-", from],
    ];
    for args in all {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wstap"));
        let out = command.args(args).stdout(to()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(said.starts_with("wstap: cannot write to standard output: "), "{args:?}: {said}");
    }
}

#[test]
fn a_run_ends_with_the_last_file_that_was_asked_for() {
    let from = sample("story-direct.pcapng");
    for (bounds, packets) in [(["packets:2", "files:2"], 4), (["packets:3", "files:1"], 3)] {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("set.pcapng");
        let [each, files] = bounds;
        let args = ["print", "--json", "-b", each, "-a", files, "-w", to.to_str().unwrap()];
        let capture = events(&ok(&args, &[&from]), "capture");
        assert_eq!(capture[0]["packets"], packets, "{bounds:?}");
        let written = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(format!("files:{written}"), files);
    }
}
