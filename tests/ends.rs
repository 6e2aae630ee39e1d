//! How a run ends that could not do all that was asked of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by them, and says loudly what it could not test"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{run_wstap, samples};
use serde_json::Value;

/// A file system of so many bytes, until it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this user may not make one.
    fn of(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(dir.path());
        let made = mount.output().is_ok_and(|out| out.status.success());
        made.then(|| Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn on_a_full_disk_what_was_read_is_shown_and_what_was_saved_is_whole() {
    let Some(small) = Small::of("100k") else {
        eprintln!("SKIPPED, NOTHING IS TESTED: this user may not mount");
        return;
    };
    let sample = std::fs::read(samples().join("deflate-default.pcapng")).unwrap();
    // More than is gathered before it is written.
    let large = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(large.path(), sample.repeat(1 + 600_000 / sample.len())).unwrap();
    let saved = small.0.path().join("saved.pcapng");
    let ran = run_wstap(["print", "--json", &text(large.path()), "-w", &text(&saved)]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write"), "{}", ran.stderr);
    let got = lines(&ran.stdout);
    assert!(got.iter().any(|line| line["event"] == "message"), "nothing is shown");
    let last = got.last().unwrap();
    assert_eq!(last["event"], "capture");
    let truncated = last["truncated"].as_str().unwrap();
    assert!(truncated.starts_with("cannot write"), "{truncated}");
    let ran = run_wstap(["print", "--json", &text(&saved)]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "a torn block at its end");
    let packets = lines(&ran.stdout).last().unwrap()["packets"].as_u64();
    assert!(packets.is_some_and(|packets| packets > 10), "{packets:?} packets are left");
}

#[test]
fn matches_that_follow_too_closely_are_all_counted() {
    let sample = text(&samples().join("graphql-ws.pcapng"));
    let matching = run_wstap(["print", "--json", &sample, "-Y", "kind == text"]);
    let want = lines(&matching.stdout).iter().filter(|line| line["event"] == "message").count();
    assert!(want > 1);
    let ran = run_wstap(["print", "-q", &sample, "--on-match", "kind == text"]);
    let number = |line: &str, before: &str| -> usize {
        let words: Vec<&str> = line.split([' ', '(']).collect();
        let at = words.windows(2).position(|pair| pair[1] == before);
        at.and_then(|at| words[at].parse().ok()).unwrap_or(0)
    };
    let told = |line: &str| {
        let first = usize::from(line.starts_with("wstap: match: text message "));
        first + number(line, "more")
    };
    assert_eq!(ran.stderr.lines().map(told).sum::<usize>(), want, "{}", ran.stderr);
}
