//! How a run ends that could not do all that was asked of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by them"
)]

mod common;

use std::path::Path;

use common::{run_wstap, samples};
use serde_json::Value;

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
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
    let told = |line: &str| match line.starts_with("wstap: match: text message ") {
        true => 1 + number(line, "more"),
        false => number(line, "more"),
    };
    assert_eq!(ran.stderr.lines().map(told).sum::<usize>(), want, "{}", ran.stderr);
}
