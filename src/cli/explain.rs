//! `wstap explain`: what a note means, and what to do about it.

use std::fmt::Write;

use super::Found;
use super::args::ExplainArgs;
use super::error::CliError;
use super::options::paint;
use super::screen::{self, Screen};
use crate::note::explain::GROUPS;
use crate::note::{NoteCode, UnknownCode};
use crate::sink::paint::{Paint, Part};
use crate::sink::text::{Wrap, wrap};

pub(super) fn explain(args: &ExplainArgs) -> Result<Found, CliError> {
    let screen = Screen::of_stdout();
    let page = Page { paint: paint(args.color, &screen), width: screen.reading_width() };
    let text = match &args.code {
        Some(name) => page.note(name.parse().map_err(|error| unknown(name, &error))?),
        None => page.list(),
    };
    screen::put(&text)?;
    Ok(Found::Nothing)
}

/// The error for a code that is none, with the one that was probably meant.
fn unknown(name: &str, error: &UnknownCode) -> CliError {
    let hint = match nearest(name) {
        Some(code) => format!("did you mean {code}?"),
        None => "wstap explain lists them all".to_owned(),
    };
    CliError::Unknown { message: error.to_string(), hint }
}

/// The code most like a name, if any is at all.
fn nearest(name: &str) -> Option<NoteCode> {
    let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let like = |code: &NoteCode| strsim::jaro_winkler(&name, code.as_str());
    let best = NoteCode::ALL.iter().copied().max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(&best) > 0.75).then_some(best)
}

/// How pages look.
struct Page {
    paint: Paint,
    width: usize,
}

impl Page {
    fn list(&self) -> String {
        let mut out = String::new();
        for group in GROUPS {
            self.paint.put(&mut out, Part::Strong, group.title);
            out.push('\n');
            for code in group.codes() {
                self.entry(&mut out, code);
            }
            out.push('\n');
        }
        out.push_str("More on one of them: wstap explain CODE\n");
        out
    }

    /// Code, severity and whom it can blame on one line, the title on the next.
    fn entry(&self, out: &mut String, code: NoteCode) {
        let e = code.explanation();
        let blames: Vec<&str> = e.blames.iter().map(|blame| blame.name()).collect();
        let severity = code.severity();
        // Writing to a String does not fail.
        let _ = write!(out, "  {code:<30}");
        self.paint.put(out, Part::Note(severity), &format!("{severity:<9}"));
        let _ = writeln!(out, "{}", blames.join(", "));
        self.paint.put(out, Part::Dim, &format!("      {}", e.title));
        out.push('\n');
    }

    fn note(&self, code: NoteCode) -> String {
        let e = code.explanation();
        let severity = code.severity();
        let mut out = String::new();
        self.paint.put(&mut out, Part::Strong, code.as_str());
        let _ = writeln!(out, ": {}", e.title);
        self.paint.put(&mut out, Part::Note(severity), severity.name());
        let who = format!(", {}, {}", e.whom(), code.reference());
        let begin = severity.name().len();
        out.push_str(&wrap(&who, Wrap { width: Some(self.width), begin, indent: 2 }));
        out.push('\n');
        self.paragraph(&mut out, "What was seen", e.rule);
        self.paragraph(&mut out, "The rule", e.demands);
        self.paragraph(&mut out, "Why it matters", e.why);
        self.heading(&mut out, "Usual causes");
        for cause in e.causes {
            self.item(&mut out, cause);
        }
        self.paragraph(&mut out, "What to do", e.fix);
        for config in e.configs {
            out.push('\n');
            self.paint.put(&mut out, Part::Dim, &format!("  # {}", config.product));
            out.push('\n');
            for line in config.lines {
                let _ = writeln!(out, "  {line}");
            }
        }
        if !e.proxies.is_empty() {
            self.heading(&mut out, "What the usual proxies do");
            for (proxy, does) in e.proxies {
                self.item(&mut out, &format!("{proxy}: {does}"));
            }
        }
        out
    }

    fn heading(&self, out: &mut String, text: &str) {
        out.push('\n');
        self.paint.put(out, Part::Strong, text);
        out.push('\n');
    }

    fn paragraph(&self, out: &mut String, heading: &str, text: &str) {
        self.heading(out, heading);
        self.indented(out, "  ", text);
    }

    fn item(&self, out: &mut String, text: &str) {
        self.indented(out, "  - ", text);
    }

    fn indented(&self, out: &mut String, begin: &str, text: &str) {
        let indent = begin.len();
        out.push_str(begin);
        out.push_str(&wrap(text, Wrap { width: Some(self.width), begin: indent, indent }));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Page = Page { paint: Paint::Plain, width: 80 };

    #[test]
    fn every_page_keeps_to_80_columns_but_for_configuration() {
        for code in NoteCode::ALL {
            let configs: Vec<String> = code
                .explanation()
                .configs
                .iter()
                .flat_map(|config| config.lines.iter().map(|line| format!("  {line}")))
                .collect();
            for line in PLAIN.note(*code).lines() {
                let long = line.chars().count() > 80;
                assert!(!long || configs.iter().any(|c| c == line), "{code}: {line}");
            }
        }
    }

    #[test]
    fn the_list_names_every_code() {
        let list = PLAIN.list();
        for code in NoteCode::ALL {
            assert!(list.contains(&format!("  {code} ")), "{code}");
        }
        assert!(list.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn misspelt_codes_find_their_neighbour() {
        let meant = |name| nearest(name).map(NoteCode::as_str);
        assert_eq!(meant("accept-missmatch"), Some("accept-mismatch"));
        assert_eq!(meant("Accept_Mismatch"), Some("accept-mismatch"));
        assert_eq!(meant("client-unmaskd"), Some("client-unmasked"));
        assert_eq!(meant("zzzz"), None);
    }
}
