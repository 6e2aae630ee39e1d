//! The reference page of all notes, in Markdown, made of the same table as `explain`.
//!
//! Gets: the table. Gives: the text of `src/note/reference.md`, which the documentation includes.

use std::fmt::Write;

use crate::note::NoteCode;

/// Codes that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its heading.
    pub title: &'static str,
    /// The first code of it in [`NoteCode::ALL`]; it reaches to the next group's first.
    first: NoteCode,
}

/// The groups, in the order of [`NoteCode::ALL`].
pub const GROUPS: &[Group] = &[
    Group { title: "Opening handshake: the request", first: NoteCode::RequestMethod },
    Group { title: "Opening handshake: the response", first: NoteCode::AcceptMissing },
    Group { title: "HTTP/2", first: NoteCode::ConnectNotEnabled },
    Group { title: "Frames and messages", first: NoteCode::ClientUnmasked },
    Group { title: "Connection", first: NoteCode::PingUnanswered },
    Group { title: "Alterations", first: NoteCode::HeaderAdded },
];

impl Group {
    /// Its codes, in order.
    pub fn codes(&self) -> impl Iterator<Item = NoteCode> + '_ {
        let is_other_first =
            |code: &NoteCode| GROUPS.iter().any(|g| g.first == *code && g.first != self.first);
        NoteCode::ALL
            .iter()
            .copied()
            .skip_while(|code| *code != self.first)
            .take_while(move |code| !is_other_first(code))
    }
}

/// The page: a heading for each group and each code.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Notes\n\nEvery remark that wstap makes on traffic, by its code. `wstap explain CODE` \
         prints the same.\n",
    );
    for group in GROUPS {
        // Writing to a String does not fail.
        let _ = write!(page, "\n## {}\n", group.title);
        group.codes().for_each(|code| entry(&mut page, code));
    }
    page
}

fn entry(page: &mut String, code: NoteCode) {
    let e = code.explanation();
    let severity = code.severity();
    let _ = write!(page, "\n### `{code}`\n\n**{}**\n\n", e.title);
    let _ = write!(page, "{severity} · {} · {}\n\n", e.whom(), code.reference());
    for (head, text) in [("", e.rule), ("The rule: ", e.demands), ("Why it matters: ", e.why)] {
        let _ = write!(page, "{head}{}\n\n", plain(text));
    }
    page.push_str("Usual causes:\n\n");
    for cause in e.causes {
        let _ = writeln!(page, "- {}", plain(cause));
    }
    let _ = write!(page, "\nWhat to do: {}\n", plain(e.fix));
    for config in e.configs {
        let _ =
            write!(page, "\n{}:\n\n```text\n{}\n```\n", config.product, config.lines.join("\n"));
    }
    if !e.proxies.is_empty() {
        page.push_str("\nWhat the usual proxies do:\n\n");
        for (proxy, does) in e.proxies {
            let _ = writeln!(page, "- {proxy}: {}", plain(does));
        }
    }
}

/// Text in which nothing is Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '_' | '[' | ']' | '<' | '>' | '|' | '`' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_code_once_and_in_order() {
        let codes: Vec<_> = GROUPS.iter().flat_map(Group::codes).collect();
        assert_eq!(codes, NoteCode::ALL);
    }

    #[test]
    fn the_page_in_the_documentation_is_the_one_that_the_table_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/note/reference.md");
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == reference_page(),
            "src/note/reference.md is out of step: run this test with UPDATE_REFERENCE=1"
        );
    }
}
