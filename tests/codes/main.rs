//! Every code is fired by a sample or by a case here, and `wstap explain` has a text for each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::NamedTempFile;
use wstap::note::NoteCode;

use cases::{CASES, SEALED};
use wire::{Tcp, ToClient, ToServer, Wire, answer, request, text};

fn wstap(arguments: &[&str], file: Option<&Path>) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wstap")).args(arguments).args(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Codes of notes and alterations that a capture fires, with the severity they are given.
fn fired(file: &Path) -> BTreeMap<String, String> {
    let printed = wstap(&["print", "--json"], Some(file));
    let compared = wstap(&["diff", "--json"], Some(file));
    let mut codes = BTreeMap::new();
    for line in printed.lines().chain(compared.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        for list in ["notes", "alterations"] {
            for note in line[list].as_array().into_iter().flatten() {
                let of = |key: &str| note[key].as_str().unwrap().to_owned();
                codes.insert(of("code"), of("severity"));
            }
        }
    }
    codes
}

#[test]
fn every_code_is_fired_by_a_sample_or_a_case() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut known: BTreeSet<String> = BTreeSet::new();
    for entry in std::fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "pcap" || e == "pcapng") {
            known.extend(fired(&path).into_keys());
        }
    }
    for code in CASES.iter().map(|(code, _)| *code).chain([SEALED]) {
        assert!(!known.contains(code), "{code} is fired by a sample: its line here can go");
        assert!(known.insert(code.to_owned()), "{code} is listed twice");
    }
    let all: BTreeSet<String> = NoteCode::ALL.iter().map(ToString::to_string).collect();
    let missing: Vec<&String> = all.difference(&known).collect();
    assert!(missing.is_empty(), "fired by nothing: {missing:?}");
    let invented: Vec<&String> = known.difference(&all).collect();
    assert!(invented.is_empty(), "no codes: {invented:?}");
}

#[test]
fn every_case_fires_its_code() {
    for (code, make) in CASES {
        let file = make().file();
        let fired = fired(file.path());
        assert!(fired.contains_key(*code), "{code} is not among {fired:?}");
    }
}

#[test]
fn explain_tells_everybody_whom_a_note_blames() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut captures = Vec::new();
    // The shared corpus, where it is at hand.
    for folder in ["samples", "../shared/corpus"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        captures.extend(entries.map(|entry| entry.unwrap().path()));
    }
    captures.retain(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"));
    let cases: Vec<_> = CASES.iter().map(|(_, make)| make().file()).collect();
    let mut seen = BTreeSet::new();
    for path in captures.iter().map(PathBuf::as_path).chain(cases.iter().map(NamedTempFile::path)) {
        for line in wstap(&["print", "--json"], Some(path)).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for note in line["notes"].as_array().into_iter().flatten() {
                let of = |key: &str| note[key].as_str().unwrap().to_owned();
                seen.insert((of("code"), of("blame")));
            }
        }
    }
    assert!(seen.len() > 60, "{seen:?}");
    seen.retain(|(code, blame)| {
        let code: NoteCode = code.parse().unwrap();
        !code.explanation().blames.iter().any(|listed| listed.name() == blame)
    });
    assert!(seen.is_empty(), "explain does not say that they can be blamed: {seen:?}");
}

#[test]
fn tls_is_undecryptable_where_there_are_secrets_and_none_fits() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let capture = samples.join("wss-keylog.pcapng");
    let keys = std::fs::read_to_string(samples.join("wss-keylog.keys")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Of another session: the client random, in the second column, is one that no client sent.
    let others = folder.path().join("others.keys");
    let other = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [label, random, secret] => format!("{label} {} {secret}\n", "5a".repeat(random.len() / 2)),
        _ => String::new(),
    };
    std::fs::write(&others, keys.lines().map(other).collect::<String>()).unwrap();
    let fires = |keylog: Option<&Path>| {
        let mut arguments = vec!["print", "--json"];
        arguments.extend(keylog.into_iter().flat_map(|path| ["--keylog", path.to_str().unwrap()]));
        let said = wstap(&arguments, Some(&capture));
        said.contains("\"code\":\"undecryptable\",\"severity\":\"info\",\"blame\":\"capture\"")
    };
    assert!(fires(Some(&others)));
    assert!(!fires(Some(&samples.join("wss-keylog.keys"))));
    assert!(!fires(None), "TLS without secrets may be anything");
}

#[test]
fn client_that_left_before_a_late_answer_owes_no_close() {
    let mut wire = Wire::new();
    let mut tcp = Tcp::new(40_001, 8088);
    wire.open(&mut tcp);
    wire.send(&mut tcp, ToServer, &request(""));
    wire.fin(&mut tcp, ToServer);
    wire.wait(2);
    wire.send(&mut tcp, ToClient, &answer(""));
    wire.send(&mut tcp, ToClient, &text(ToClient, "too late"));
    wire.fin(&mut tcp, ToClient);
    let file = wire.file();
    assert!(!fired(file.path()).contains_key("no-close-frame"));
    let printed = wstap(&["print"], Some(file.path()));
    assert!(printed.contains("the client ended TCP (FIN) in packet 6"), "{printed}");
    assert!(printed.contains("it did not wait for the answer"), "{printed}");
}

#[test]
fn explain_has_a_text_for_every_code() {
    for code in NoteCode::ALL {
        let output = Command::new(env!("CARGO_BIN_EXE_wstap"))
            .args(["explain", code.as_str()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{code}");
        assert!(text.contains(code.as_str()) && text.contains(code.reference()), "{code}: {text}");
        assert!(text.lines().count() >= 8, "{code}: {text}");
    }
    let list = wstap(&["explain"], None);
    for code in NoteCode::ALL {
        let listed = |line: &str| line.split_whitespace().any(|word| word == code.as_str());
        assert!(list.lines().any(listed), "{code} is not listed");
    }
}
