//! `wstap diff` as it is called: what it says when there is nothing to compare, or something is amiss.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;
use std::process::Command;

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

/// Exit status, standard output, standard error.
fn diff(names: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wstap"))
        .arg("diff")
        .args(names.iter().map(|name| sample(name)))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn both_legs_in_one_capture_are_found() {
    let (status, out, err) = diff(&["nginx-good.pcapng"]);
    assert_eq!((status, err.as_str()), (1, ""));
    assert!(out.contains("\n1 pair: 1 unexpected and 9 expected alterations.\n"), "{out}");
    assert!(out.contains("wstap explain target-rewritten"), "{out}");
}

#[test]
fn a_connection_without_a_proxy_has_nothing_to_compare() {
    let (status, out, err) = diff(&["story-direct.pcapng"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("nothing was compared"), "{out}");
}

#[test]
fn legs_that_could_not_be_decrypted_are_told() {
    let (status, out, err) = diff(&["wss-keylog.pcapng"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let told = "\n1 TCP connection encrypted with TLS: what it carries could not be read (to chat.example)\n";
    assert!(out.contains(told) && out.contains("--keylog"), "{out}");
    let (_, out, _) = diff(&["story-direct.pcapng", "wss-keylog.pcapng"]);
    assert!(out.contains(&format!("\nthe server's side: {}", &told[1..])), "{out}");
    let (_, out, _) = diff(&["story-direct.pcapng"]);
    assert!(!out.contains("TLS"), "{out}");
}

#[test]
fn one_file_named_twice_is_wrong_usage() {
    let (status, out, err) = diff(&["nginx-good.pcapng", "../samples/nginx-good.pcapng"]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.starts_with("wstap: both words name one file\n"), "{err}");
}

#[test]
fn three_captures_are_wrong_usage() {
    let (status, out, err) = diff(&["nginx-good.pcapng", "nginx-bad.pcapng", "story-curl.pcap"]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("the client's side, the server's side"), "{err}");
}

#[test]
fn what_is_no_capture_is_named() {
    let (status, out, err) = diff(&["../Cargo.toml", "nginx-good.pcapng"]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("Cargo.toml is not a capture file"), "{err}");
}
