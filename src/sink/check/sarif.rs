//! The report as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format).
//!
//! Gets: verdicts. Gives: one JSON document, written as verdicts come. Keeps: whether a result stands
//! before the next. The rules are the table of notes; a result's location is the capture, and the
//! connection as logical location.

use super::gather::{Finding, Verdict};
use super::text::places;
use crate::note::{NoteCode, Severity};
use crate::sink::Summary;
use crate::sink::json::line::separated;
use crate::sink::json::write::{boolean, number, raw, string};

#[derive(Debug)]
pub(super) struct SarifReport {
    uri: String,
    begun: bool,
    results: u64,
}

impl SarifReport {
    pub(super) fn new(capture: &str) -> Self {
        Self { uri: uri_reference(capture), begun: false, results: 0 }
    }

    pub(super) fn verdict(&mut self, buf: &mut Vec<u8>, verdict: &Verdict) {
        self.begin(buf);
        for finding in &verdict.findings {
            if self.results > 0 {
                buf.push(b',');
            }
            self.results += 1;
            raw(buf, "\n");
            self.result(buf, verdict, finding);
        }
    }

    pub(super) fn finish(&mut self, buf: &mut Vec<u8>, end: &Summary<'_>) {
        self.begin(buf);
        raw(buf, "\n],\"invocations\":[{\"executionSuccessful\":");
        boolean(buf, end.truncated.is_none());
        if let Some(truncated) = end.truncated {
            raw(
                buf,
                ",\"toolExecutionNotifications\":[{\"level\":\"error\",\"message\":{\"text\":",
            );
            string(buf, truncated);
            raw(buf, "}}]");
        }
        raw(buf, "}],\"artifacts\":[{\"location\":{\"uri\":");
        string(buf, &self.uri);
        raw(buf, "}}]}]}\n");
    }

    /// Everything up to the results, once.
    fn begin(&mut self, buf: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        raw(buf, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",");
        raw(buf, "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"wstap\",");
        raw(buf, "\"version\":");
        string(buf, env!("CARGO_PKG_VERSION"));
        raw(buf, ",\"semanticVersion\":");
        string(buf, env!("CARGO_PKG_VERSION"));
        raw(buf, ",\"rules\":[\n");
        separated(buf, NoteCode::ALL, |buf, code| rule(buf, *code));
        raw(buf, "]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
    }

    fn result(&self, buf: &mut Vec<u8>, verdict: &Verdict, finding: &Finding) {
        let note = &finding.note;
        let index = NoteCode::ALL.iter().position(|code| *code == note.code).unwrap_or(0);
        raw(buf, "{\"ruleId\":\"");
        raw(buf, note.code.as_str());
        raw(buf, "\",\"ruleIndex\":");
        number(buf, index);
        raw(buf, ",\"level\":\"");
        raw(buf, level(note.severity()));
        raw(buf, "\",\"message\":{\"text\":");
        string(buf, &format!("{} ({})", note.text, places(finding)));
        raw(buf, "},\"occurrenceCount\":");
        number(buf, finding.count);
        raw(buf, ",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
        string(buf, &self.uri);
        raw(buf, ",\"index\":0}},\"logicalLocations\":[{\"name\":");
        string(buf, &format!("connection {}", verdict.no));
        raw(buf, ",\"fullyQualifiedName\":");
        let label = verdict.conn.stream_label();
        string(buf, &format!("{} > {}{label}", verdict.conn.client, verdict.conn.server));
        raw(buf, ",\"kind\":\"object\"}]}],\"properties\":{\"blame\":\"");
        raw(buf, note.blame.name());
        raw(buf, "\",\"packets\":[");
        separated(buf, &finding.places, |buf, place| number(buf, place.packet().number()));
        raw(buf, "]}}");
    }
}

fn rule(buf: &mut Vec<u8>, code: NoteCode) {
    let e = code.explanation();
    raw(buf, "{\"id\":\"");
    raw(buf, code.as_str());
    raw(buf, "\",\"shortDescription\":{\"text\":");
    string(buf, e.title);
    raw(buf, "},\"fullDescription\":{\"text\":");
    string(buf, &format!("{} {}", e.rule, e.why));
    raw(buf, "},\"help\":{\"text\":");
    string(buf, &format!("{}\n\nWhat to do: {}", e.demands, e.fix));
    raw(buf, "},\"defaultConfiguration\":{\"level\":\"");
    raw(buf, level(code.severity()));
    raw(buf, "\"}}\n");
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a URI reference (RFC 3986): what is not allowed is percent-encoded.
fn uri_reference(path: &str) -> String {
    // A colon in the first segment would make it a scheme (section 4.2).
    let needs_dot = path.split('/').next().is_some_and(|first| first.contains(':'));
    let mut uri = String::from(if needs_dot { "./" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                uri.push(char::from(byte));
            }
            _ => {
                use std::fmt::Write;
                // Writing to a String does not fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri_reference("samples/a b.pcapng"), "samples/a%20b.pcapng");
        assert_eq!(uri_reference("a:b.pcap"), "./a:b.pcap");
        assert_eq!(uri_reference("/tmp/ü\u{1b}.pcap"), "/tmp/%C3%BC%1B.pcap");
    }
}
