//! The handshake side by side: header, request, response.
//!
//! Gets: a handshake and what was found. Gives: lines of text, escaped. Long values go on in further
//! lines of their cell: a key or an accept that is cut off can not be compared.
//!
//! ```text
//!                           request                  response
//!                           GET /chat HTTP/1.1       HTTP/1.1 101 Switching
//!                                                    Protocols
//!   Upgrade                 websocket                websocket
//!   Sec-WebSocket-Key       dGhlIHNhbXBsZSBub25jZQ==
//!   Sec-WebSocket-Accept                             s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
//!     ^ error accept-mismatch
//! ```

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Finding;
use super::markers::speaks_of;
use crate::event::{Fields, Handshake, header_text};
use crate::note::Severity;
use crate::sink::escape::Escaped;
use crate::ws::handshake::{START_LINE, header_of};

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The heading.
    Head(String),
    /// Cells.
    Row(String),
    /// A note at the row above.
    Mark(Severity, String),
}

/// Headers that make or break a handshake, in the order in which they are read.
const ORDER: &[&str] = &[
    // HTTP/2's, where it stands for Upgrade and Host.
    ":protocol",
    ":authority",
    "Host",
    "Origin",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
];

/// Others worth a row even without `-v`: what proxies leave, and what explains a refusal.
const TELLING: &[&str] = &[
    "Via",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Server",
    "Location",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Retry-After",
    "Content-Type",
    "Transfer-Encoding",
];

/// Indentation, and columns of the three cells at 80: the longest header name, a key, an accept.
const INDENT: usize = 2;
const NAME: usize = 24;
const LEFT: usize = 24;
const RIGHT: usize = 28;

/// The table; with `whole`, every header.
pub(super) fn lines(
    handshake: &Handshake,
    findings: &[Finding],
    width: usize,
    whole: bool,
) -> Vec<Line> {
    let spare = width.saturating_sub(INDENT + NAME + 1 + LEFT + 1 + RIGHT);
    let cells = Cells { left: LEFT + spare / 2, right: RIGHT + spare.div_ceil(2) };
    let mut lines = vec![Line::Head(cells.row("", "request", "response").join("\n"))];
    let (request, response) = start_lines(handshake);
    cells.put(&mut lines, "", &request, &response);
    marks(&mut lines, findings.iter().filter(|f| stands_at(f, START_LINE)));
    let empty = Fields::default();
    let asked = handshake.request.as_ref().map_or(&empty, |head| &head.fields);
    let answered = handshake.response.as_ref().map_or(&empty, |head| &head.fields);
    let names = names(asked, answered, findings, whole);
    for (at, name) in names.iter().enumerate() {
        let shown = spelled(asked, name).or_else(|| spelled(answered, name));
        let shown = shown.unwrap_or_else(|| name.clone());
        cells.put(&mut lines, &shown, &values(asked, name), &values(answered, name));
        // A note that names several headers stands once, at the last of them.
        let later = names.get(at + 1..).unwrap_or_default();
        let here = |f: &&Finding| {
            let again = |name: &String| header_of(&f.note).is_none() && speaks_of(f, name);
            speaks_of(f, name) && !later.iter().any(again)
        };
        marks(&mut lines, findings.iter().filter(here));
    }
    lines
}

fn start_lines(handshake: &Handshake) -> (String, String) {
    let request = handshake.request.as_ref().map_or_else(
        || "(not in the capture)".to_owned(),
        |head| format!("{} {} HTTP/{}", head.method, head.target, head.version),
    );
    let response = handshake.response.as_ref().map_or_else(
        || "(no answer seen)".to_owned(),
        |head| format!("HTTP/{} {} {}", head.version, head.status, head.reason),
    );
    (request, response)
}

/// Names of the rows, in order: those of [`ORDER`], then others as they come.
fn names(asked: &Fields, answered: &Fields, findings: &[Finding], whole: bool) -> Vec<String> {
    let present = |name: &str| asked.first(name).is_some() || answered.first(name).is_some();
    let spoken_of = |name: &str| findings.iter().any(|finding| stands_at(finding, name));
    let mut names: Vec<String> = ORDER
        .iter()
        .filter(|name| present(name) || spoken_of(name))
        .map(|name| (*name).to_owned())
        .collect();
    for field in asked.0.iter().chain(&answered.0) {
        let name = field.name_text();
        let telling = TELLING.iter().any(|t| t.eq_ignore_ascii_case(&name))
            || findings.iter().any(|finding| speaks_of(finding, &name));
        let known = names.iter().any(|known| known.eq_ignore_ascii_case(&name));
        if !known && (whole || telling) {
            names.push(name.into_owned());
        }
    }
    names
}

/// Does a finding stand at this row by its code.
fn stands_at(finding: &Finding, name: &str) -> bool {
    header_of(&finding.note).is_some_and(|(header, _)| header == name)
}

/// The name as its sender wrote it.
fn spelled(fields: &Fields, name: &str) -> Option<String> {
    fields.0.iter().find(|field| field.is(name)).map(|field| field.name_text().into_owned())
}

/// All values of a header, a line each.
fn values(fields: &Fields, name: &str) -> String {
    let values: Vec<_> = fields.all(name).map(|value| header_text(value).into_owned()).collect();
    // An escape shows a line feed inside a value; this one separates values.
    values.iter().map(|v| Escaped(v).to_string()).collect::<Vec<_>>().join("\n")
}

fn marks<'a>(lines: &mut Vec<Line>, findings: impl Iterator<Item = &'a Finding>) {
    for finding in findings {
        let severity = finding.note.severity();
        let text = format!("{:indent$}^ {severity} {}", "", finding.note.code, indent = INDENT + 2);
        lines.push(Line::Mark(severity, text));
    }
}

#[derive(Debug, Clone, Copy)]
struct Cells {
    left: usize,
    right: usize,
}

impl Cells {
    fn put(self, lines: &mut Vec<Line>, name: &str, left: &str, right: &str) {
        lines.extend(self.row(name, left, right).into_iter().map(Line::Row));
    }

    /// As many lines as the longest cell needs.
    fn row(self, name: &str, left: &str, right: &str) -> Vec<String> {
        let columns = [fold(name, NAME), fold(left, self.left), fold(right, self.right)];
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let widths = [NAME, self.left, 0];
        (0..height)
            .map(|at| {
                let mut line = " ".repeat(INDENT);
                for (cell, width) in columns.iter().zip(widths) {
                    let text = cell.get(at).map_or("", String::as_str);
                    line.push_str(text);
                    let pad = (width + 1).saturating_sub(text.width());
                    line.extend(std::iter::repeat_n(' ', pad));
                }
                line.truncate(line.trim_end().len());
                line
            })
            .collect()
    }
}

/// Text, escaped, in lines of at most so many columns: broken at spaces, and inside words that are
/// longer than a line.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        let part = Escaped(part).to_string();
        let mut line = String::new();
        for word in part.split_inclusive(' ') {
            if !line.is_empty() && line.width() + word.trim_end().width() > width {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                if line.width() + c.width().unwrap_or(0) > width && c != ' ' {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    for line in &mut lines {
        line.truncate(line.trim_end_matches(' ').len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::check::Place;
    use crate::sink::samples;
    use crate::units::PacketNo;

    fn text(lines: &[Line]) -> String {
        lines
            .iter()
            .map(|line| match line {
                Line::Head(text) | Line::Row(text) | Line::Mark(_, text) => format!("{text}\n"),
            })
            .collect()
    }

    fn finding(code: &str) -> Finding {
        Finding { note: samples::note(code), count: 1, places: vec![] }
    }

    #[test]
    fn a_whole_handshake_fits_80_columns() {
        let table = text(&lines(&samples::handshake(), &[finding("accept-mismatch")], 80, false));
        assert_eq!(
            table,
            concat!(
                "                           request                  response\n",
                "                           GET /chat HTTP/1.1       HTTP/1.1 101 Switching\n",
                "                                                    Protocols\n",
                "  Host                     server.example.com\n",
                "  Origin                   http://example.com\n",
                "  Upgrade                  websocket                websocket\n",
                "  Connection               Upgrade                  Upgrade\n",
                "  Sec-WebSocket-Version    13\n",
                "  Sec-WebSocket-Key        dGhlIHNhbXBsZSBub25jZQ==\n",
                "  Sec-WebSocket-Accept                              s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n",
                "    ^ error accept-mismatch\n",
                "  Sec-WebSocket-Protocol   chat, superchat          chat\n",
            )
        );
        assert!(table.lines().all(|line| line.width() <= 80));
    }

    #[test]
    fn a_header_that_is_missing_has_its_row_when_a_note_speaks_of_it() {
        let mut handshake = samples::handshake();
        if let Some(head) = &mut handshake.request {
            head.fields.0.retain(|field| !field.is("Upgrade"));
        }
        if let Some(head) = &mut handshake.response {
            head.fields.0.retain(|field| !field.is("Upgrade"));
        }
        let table = text(&lines(&handshake, &[finding("upgrade-stripped")], 80, false));
        assert!(table.contains("\n  Upgrade\n    ^ error upgrade-stripped\n"), "{table}");
    }

    #[test]
    fn every_header_that_a_note_names_is_shown() {
        let mut handshake = samples::handshake();
        if let Some(head) = &mut handshake.request {
            let forwarded = [("X-Forwarded-For", "::1"), ("X-Forwarded-Server", "a"), ("X-A", "b")];
            head.fields.0.extend(samples::fields(&forwarded).0);
        }
        let mut trace = finding("proxy-trace");
        trace.note.text = "it has X-Forwarded-For: \"::1\", X-Forwarded-Server: \"a\"".into();
        trace.places = vec![Place::Handshake(PacketNo(6))];
        let table = text(&lines(&handshake, &[trace], 80, false));
        let end = "  X-Forwarded-For          ::1\n  X-Forwarded-Server       a\n    \
                   ^ info proxy-trace\n";
        assert!(table.ends_with(end), "{table}");
        assert!(!table.contains("X-A"));
    }

    #[test]
    fn long_values_are_folded_not_cut() {
        assert_eq!(fold("aaa bbb ccc", 7), ["aaa bbb", "ccc"]);
        assert_eq!(fold("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(fold("a\nb", 4), ["a", "b"]);
        assert_eq!(fold("", 4), [""]);
        assert_eq!(fold("x\x1by", 80), ["x\\x1by"]);
    }

    #[test]
    fn verbose_tables_show_every_header() {
        let mut handshake = samples::handshake();
        if let Some(head) = &mut handshake.request {
            head.fields.0.extend(samples::fields(&[("User-Agent", "curl/8"), ("Via", "1.1 a")]).0);
        }
        let short = text(&lines(&handshake, &[], 80, false));
        assert!(short.contains("Via") && !short.contains("User-Agent"));
        assert!(text(&lines(&handshake, &[], 80, true)).contains("User-Agent"));
    }
}
