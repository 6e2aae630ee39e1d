//! What the README shows is what the program prints: every `$ ` line of its console blocks is run, and
//! the output stands below it. So does the table of filter fields.
//!
//! `UPDATE_GOLDEN=1 cargo test --test readme` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by them")]

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::assert_same_lines;
use wstap::filter::fields;

/// Runs a command line of the README, with the built program as `wstap`.
fn output(line: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_wstap"));
    let path = std::env::var("PATH").unwrap();
    let out = Command::new("sh")
        .args(["-c", &format!("{{ {line} ; }} 2>&1")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

/// A table row per field of the display filter.
fn field_table() -> String {
    let mut table = "| field | also | what it is |\n| --- | --- | --- |\n".to_owned();
    for field in fields() {
        let also: Vec<String> = field.aliases.iter().map(|name| format!("`{name}`")).collect();
        writeln!(table, "| `{}` | {} | {} |", field.name, also.join(", "), field.help).unwrap();
    }
    table
}

/// The README with the outputs that its commands have now.
fn refreshed(readme: &str) -> (String, usize) {
    let mut fresh = String::new();
    let (mut console, mut table, mut commands) = (false, false, 0);
    for line in readme.lines() {
        match line {
            "```console" => console = true,
            "```" if console => console = false,
            "<!-- fields -->" => {
                table = true;
                write!(fresh, "{line}\n{}", field_table()).unwrap();
                continue;
            }
            "<!-- end of fields -->" => table = false,
            _ if table => continue,
            _ if console => {
                let Some(command) = line.strip_prefix("$ ") else { continue };
                commands += 1;
                write!(fresh, "{line}\n{}", output(command)).unwrap();
                continue;
            }
            _ => {}
        }
        writeln!(fresh, "{line}").unwrap();
    }
    (fresh, commands)
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (fresh, commands) = refreshed(&readme);
    assert!(commands >= 5, "only {commands} commands");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, fresh).unwrap();
    } else {
        assert_same_lines(&readme, &fresh, "README.md");
    }
}
