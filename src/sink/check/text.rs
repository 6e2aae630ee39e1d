//! The report for people.
//!
//! ```text
//! #1 ERROR  GET /chat -> 101, invalid  127.0.0.1:40938 > 127.0.0.1:8088
//!   The client closed with 1000 (normal closure), and the server answered.
//!   error accept-mismatch (server, RFC 6455 §4.2.2)
//!     Sec-WebSocket-Accept is ..., but the key asks for ... (packet 6)
//!
//!                            request                  response
//!   ...
//! ```

use std::fmt::Write as _;

use super::gather::{Finding, Place, Verdict};
use super::table::{self, Line};
use super::{CheckOptions, Summary, Tally, Verbosity};
use crate::note::{NoteCode, Severity};
use crate::sink::escape::{self, Escaped};
use crate::sink::paint::Part;
use crate::sink::text::{Wrap, counted, summary_lines, wrap};

#[derive(Debug)]
pub(super) struct TextReport {
    options: CheckOptions,
    line: String,
    clean: u64,
    unread: u64,
    warned: u64,
    faulty: u64,
    /// The first code of severity error or warning, for the hint at the end.
    example: Option<NoteCode>,
}

impl TextReport {
    pub(super) const fn new(options: CheckOptions) -> Self {
        let line = String::new();
        Self { options, line, clean: 0, unread: 0, warned: 0, faulty: 0, example: None }
    }

    pub(super) fn verdict(&mut self, buf: &mut Vec<u8>, verdict: &Verdict) {
        self.line.clear();
        self.head(verdict);
        if let Some(end) = &verdict.end {
            self.sentence(&end.cause, 2, Part::Dim);
        }
        for finding in &verdict.findings {
            self.finding(finding);
        }
        self.table(verdict);
        self.line.push('\n');
        buf.extend_from_slice(self.line.as_bytes());
    }

    pub(super) fn finish(&mut self, buf: &mut Vec<u8>, end: &Summary<'_>, tally: &Tally) {
        self.line.clear();
        let mut parts = Vec::new();
        for (n, what) in [
            (self.clean, "fine"),
            (self.warned, "with warnings"),
            (self.faulty, "with errors"),
            (self.unread, "not read"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        }
        let total = counted(tally.connections, "WebSocket connection");
        let sum = if parts.is_empty() { total } else { format!("{total}: {}", parts.join(", ")) };
        self.options.paint.put(&mut self.line, Part::Strong, &sum);
        self.line.push('\n');
        if let Some(code) = self.example {
            let hint = format!("what a note means and how to fix it: wstap explain {code}\n");
            self.options.paint.put(&mut self.line, Part::Dim, &hint);
        }
        buf.extend_from_slice(self.line.as_bytes());
        buf.extend_from_slice(
            summary_lines(end, tally, self.options.paint, self.options.width).as_bytes(),
        );
    }

    fn head(&mut self, verdict: &Verdict) {
        let paint = self.options.paint;
        let (word, look, count) = match verdict.severity() {
            _ if verdict.unread().is_some() => ("UNREAD", Part::Dim, &mut self.unread),
            Some(Severity::Error) => ("ERROR", Part::Note(Severity::Error), &mut self.faulty),
            Some(Severity::Warning) => ("WARNING", Part::Note(Severity::Warning), &mut self.warned),
            Some(Severity::Info) | None => ("OK", Part::Good, &mut self.clean),
        };
        *count += 1;
        // Writing to a String does not fail.
        let _ = write!(self.line, "#{} ", verdict.no);
        paint.put(&mut self.line, look, word);
        self.line.push_str("  ");
        let mut asked = verdict.asked.clone().unwrap_or_else(|| "no request seen".to_owned());
        if let Some(status) = verdict.status {
            let _ = write!(asked, " -> {status}");
        }
        let _ = write!(asked, ", {}", verdict.outcome.name());
        let label = verdict.conn.stream_label();
        let ends = format!("{} > {}{label}", verdict.conn.client, verdict.conn.server);
        let used = format!("#{} {word}  ", verdict.no).len();
        let alone = self.options.width.map_or(usize::MAX, |width| width.saturating_sub(used));
        let mut head = String::new();
        // What does not fit beside the addresses stands above them.
        let beside = escape::cut(&mut head, &asked, alone.saturating_sub(ends.len() + 2).max(24));
        if !beside {
            head.clear();
            escape::cut(&mut head, &asked, alone.max(24));
        }
        paint.put(&mut self.line, Part::Strong, &head);
        self.line.push_str(if beside { "  " } else { "\n  " });
        paint.put(&mut self.line, Part::Dim, &ends);
        self.line.push('\n');
    }

    fn finding(&mut self, finding: &Finding) {
        let note = &finding.note;
        let severity = note.severity();
        if severity == Severity::Info && self.options.verbosity == Verbosity::Quiet {
            return;
        }
        if severity > Severity::Info {
            self.example = self.example.or(Some(note.code));
        }
        self.line.push_str("  ");
        let head = format!("{severity} {}", note.code);
        self.options.paint.put(&mut self.line, Part::Note(severity), &head);
        let _ = write!(self.line, " ({}, {})", note.blame, note.code.reference());
        if finding.count > 1 {
            let _ = write!(self.line, ", {} times", finding.count);
        }
        self.line.push('\n');
        let text = format!("{} ({})", note.text, places(finding));
        self.sentence(&text, 4, Part::Plain);
    }

    fn table(&mut self, verdict: &Verdict) {
        if self.options.verbosity == Verbosity::Quiet {
            return;
        }
        let Some(handshake) = &verdict.handshake else { return };
        if handshake.request.is_none() && handshake.response.is_none() {
            return;
        }
        let whole = self.options.verbosity == Verbosity::Verbose;
        let width = self.options.width.unwrap_or(120);
        self.line.push('\n');
        for line in table::lines(handshake, &verdict.findings, width, whole) {
            let (part, text) = match &line {
                Line::Head(text) => (Part::Dim, text),
                Line::Row(text) => (Part::Plain, text),
                Line::Mark(severity, text) => (Part::Note(*severity), text),
            };
            self.options.paint.put(&mut self.line, part, text);
            self.line.push('\n');
        }
    }

    fn sentence(&mut self, text: &str, indent: usize, part: Part) {
        let how = Wrap { width: self.options.width, begin: indent, indent };
        let text = wrap(&Escaped(text).to_string(), how);
        self.line.extend(std::iter::repeat_n(' ', indent));
        self.options.paint.put(&mut self.line, part, &text);
        self.line.push('\n');
    }
}

/// `handshake, packet 6`; `message 2 of the client, packet 8`; `packets 8, 9, 10, ...`.
pub(super) fn places(finding: &Finding) -> String {
    if let [place] = finding.places.as_slice() {
        return match place {
            Place::Handshake(packet) => format!("handshake, packet {packet}"),
            Place::Message(dir, no, packet) => {
                format!("message {no} of the {}, packet {packet}", dir.sender())
            }
            Place::End(packet) => format!("packet {packet}"),
        };
    }
    let packets: Vec<String> =
        finding.places.iter().map(|place| place.packet().to_string()).collect();
    let more = finding.count > finding.places.len() as u64;
    format!("packets {}{}", packets.join(", "), if more { ", ..." } else { "" })
}
