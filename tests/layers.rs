//! Imports go one way, as the crate docs draw it.
#![allow(clippy::unwrap_used, reason = "a test fails by them")]

use std::path::{Path, PathBuf};

/// The rooms of the house, lowest first; rooms of one row do not import each other, unless listed.
const ROWS: &[&[&str]] = &[
    &["units"],
    &["note", "limits"],
    &["event"],
    &["capture", "packet", "flow", "tls", "http", "process", "privilege"],
    &["ws"],
    &["conn"],
    &["pipeline"],
    &["sink", "filter", "diff", "store"],
    &["tui", "cli"],
    &["fuzzing"],
];

/// Neighbours in a row that may import each other, with the reason.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("packet", "capture", "a packet record is what it decodes"),
    ("flow", "packet", "a segment is what it puts in order"),
    ("tls", "flow", "what was inside goes on as the events it came in"),
    ("filter", "sink", "a filter is a sink in front of another"),
    ("diff", "sink", "reports escape what they print as the sinks do"),
    ("store", "filter", "rows are selected by the display filter"),
    ("store", "sink", "rows are previewed as the sinks escape text"),
    ("cli", "tui", "the command line starts the terminal UI"),
];

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_room_imports_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        let here = row(room).unwrap_or_else(|| panic!("room {room} is in no row"));
        let text = std::fs::read_to_string(&file).unwrap();
        // Unit tests may reach up, to drive what they test by the whole pipeline.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if inside.ends_with("tests.rs") {
            continue;
        }
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for part in line.split("crate::").skip(1) {
                let target: String =
                    part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let Some(there) = row(&target) else { continue };
                seen += 1;
                let allowed = there < here
                    || target == room
                    || NEIGHBOURS.iter().any(|(a, b, _)| *a == room && *b == target);
                if !allowed {
                    wrong.push(format!("{}: {}", inside.display(), line.trim()));
                }
            }
        }
    }
    assert!(seen > 50, "the search found only {seen} imports");
    assert!(wrong.is_empty(), "imports that go up:\n{}", wrong.join("\n"));
}
