//! The samples' expected output, line by line, missing and extra lines alike.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes it anew; read the difference before you keep it.
#![allow(clippy::unwrap_used, reason = "a test fails by them")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{assert_same_lines, run_wstap, sample_files, samples};

#[test]
fn every_sample_prints_what_is_expected_of_it() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for path in sample_files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let got = run_wstap(["print", "--json", "--frames", &format!("samples/{name}")]);
        assert_eq!((got.code, got.stderr.as_str()), (Some(0), ""), "{name}");
        let expected = path.with_extension("ndjson");
        if update {
            fs::write(&expected, &got.stdout).unwrap();
        }
        let expected = fs::read_to_string(&expected)
            .unwrap_or_else(|e| panic!("{}: {e}; UPDATE_GOLDEN=1 writes it", expected.display()));
        assert_same_lines(&expected, &got.stdout, name);
    }
}

#[test]
fn every_expected_output_has_its_sample() {
    let captures: BTreeSet<_> = sample_files().iter().map(|p| p.with_extension("")).collect();
    let expected: BTreeSet<_> = fs::read_dir(samples())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
        .map(|path| path.with_extension(""))
        .collect();
    assert_eq!(captures, expected);
}

#[test]
fn every_sample_stands_in_their_readme() {
    let readme = fs::read_to_string(samples().join("README.md")).unwrap();
    for path in sample_files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
