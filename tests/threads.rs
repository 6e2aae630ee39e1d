//! `-j N`: the output is the same bytes for any number of threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{assert_same_lines, run_wstap, sample_files};

/// Commands, each with what it is asked for; the inputs come behind.
const COMMANDS: [&[&str]; 14] = [
    &["print"],
    &["print", "-v", "--frames", "-t", "d"],
    &["print", "--json", "--frames"],
    &["print", "--json", "-Y", "conn > 2 and text contains \"e\""],
    &["print", "--on-match", "kind == close", "-q"],
    &["print", "--json", "-c", "100"],
    &["check"],
    &["check", "--json"],
    &["check", "--format", "sarif"],
    &["stats"],
    &["stats", "--json", "--inflate"],
    &["stats", "--json", "-Y", "kind == text"],
    &["export", "--to", "har", "-o", "-"],
    &["export", "--to", "csv", "-o", "-", "-Y", "len > 10"],
];

/// Those that between them ask for everything there is, for many files.
const FEW: [usize; 4] = [1, 2, 6, 10];

/// One thread, then several: output, errors and status are the same.
fn same(command: &[&str], inputs: &[PathBuf], threads: &[&str]) {
    let run = |threads: &str| {
        let inputs = inputs.iter().map(|path| path.to_str().unwrap());
        run_wstap(command.iter().copied().chain(["-j", threads]).chain(inputs))
    };
    let one = run("1");
    for threads in threads {
        let several = run(threads);
        let what = format!("{command:?} -j {threads} {}", inputs[0].display());
        assert_same_lines(&one.stdout, &several.stdout, &what);
        assert!(one.stdout == several.stdout, "{what}: other line ends");
        // Lines of --on-match that follow too closely are counted together: that is up to the clock.
        if !command.contains(&"--on-match") {
            assert_eq!(one.stderr, several.stderr, "{what}");
        }
        assert_eq!(one.code, several.code, "{what}");
    }
}

/// Captures of the shared corpus, where it is at hand.
fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = fs::read_dir(folder) else {
        eprintln!("skipped: no ../shared/corpus");
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let is_capture = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        [".pcap", ".pcapng", ".gz"].iter().any(|end| name.ends_with(end))
    };
    paths.retain(is_capture);
    paths.sort();
    paths
}

#[test]
fn all_samples_at_once_give_the_same_with_any_number_of_threads() {
    for command in COMMANDS {
        same(command, &sample_files(), &["2", "3", "16", "100"]);
    }
}

#[test]
fn each_sample_gives_the_same_with_two_threads() {
    for path in sample_files() {
        for command in FEW.map(|n| COMMANDS[n]) {
            same(command, std::slice::from_ref(&path), &["2"]);
        }
    }
}

#[test]
fn each_capture_of_the_corpus_gives_the_same_with_three_threads() {
    for path in corpus() {
        for command in FEW.map(|n| COMMANDS[n]) {
            same(command, std::slice::from_ref(&path), &["3"]);
        }
    }
}

#[test]
fn the_whole_corpus_at_once_gives_the_same_with_two_threads() {
    let corpus = corpus();
    if corpus.is_empty() {
        return;
    }
    for command in COMMANDS {
        same(command, &corpus, &["2"]);
    }
}

#[test]
fn exported_files_are_the_same() {
    for format in ["payloads", "pcapng", "ndjson"] {
        let folder = tempfile::tempdir().unwrap();
        let ran = ["1", "2"].map(|threads| {
            let path = folder.path().join(threads);
            let options = ["export", "--to", format, "-j", threads, "-o", path.to_str().unwrap()];
            let inputs = sample_files();
            let inputs = inputs.iter().map(|path| path.to_str().unwrap());
            let ran = run_wstap(options.into_iter().chain(inputs));
            assert_eq!(ran.code, Some(0), "{format}: {}", ran.stderr);
            (contents(&path), ran.stderr)
        });
        let [(one, told), (two, told_too)] = ran;
        assert!(!one.is_empty());
        assert!(one == two, "{format}");
        // One of the samples lacks its secrets.
        assert!(told.starts_with("wstap: 1 TCP connection encrypted with TLS: "), "{told}");
        assert_eq!(told, told_too, "{format}");
    }
}

/// A file's bytes, or those of all files of a folder with their names.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(PathBuf::new(), fs::read(path).unwrap())];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        let name = PathBuf::from(entry.file_name().unwrap());
        let within = contents(&entry).into_iter();
        found.extend(within.map(|(below, bytes)| (name.join(below), bytes)));
    }
    found.sort();
    found
}

#[test]
fn a_closed_pipe_ends_all_threads_silently() {
    use std::io::Read;
    let mut command = common::wstap();
    command.args(["print", "--json", "--frames", "-j", "3"]).args(sample_files());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = [0];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""));
}
