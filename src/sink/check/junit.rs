//! The report as JUnit XML: a test case for each connection, which fails when there is an error, and counts
//! as skipped when nothing of it could be read.
//!
//! Gets: verdicts. Gives: one XML document at the end, since its counts come first. Keeps: the test
//! cases, in memory up to [`IN_MEMORY`], beyond that in a temporary file.
//!
//! The elements and attributes are those that the schemas of Ant and of Jenkins have in common.

use std::fmt::Write as _;
use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;

use super::gather::{Finding, Verdict};
use super::text::places;
use crate::note::Severity;
use crate::sink::{Summary, Tally};

/// Bytes of test cases kept in memory.
const IN_MEMORY: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct JunitReport {
    capture: String,
    cases: SpooledTempFile,
    /// What went wrong with the temporary file; told at the end.
    failed: Option<io::Error>,
    tests: u64,
    failures: u64,
    skipped: u64,
    nanos: u64,
}

impl JunitReport {
    pub(super) fn new(capture: String) -> Self {
        let cases = SpooledTempFile::new(IN_MEMORY);
        Self { capture, cases, failed: None, tests: 0, failures: 0, skipped: 0, nanos: 0 }
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        let failing = verdict.count(Severity::Error) > 0;
        let unread = verdict.unread();
        let nanos = verdict.end.as_ref().and_then(|end| end.duration_ns).unwrap_or(0);
        let nanos = u64::try_from(nanos).unwrap_or(0);
        self.tests += 1;
        self.failures += u64::from(failing);
        self.skipped += u64::from(unread.is_some());
        self.nanos = self.nanos.saturating_add(nanos);
        let mut xml = String::new();
        let asked = verdict.asked.as_deref().unwrap_or("no request seen");
        let name = format!("#{} {asked}", verdict.no);
        let label = verdict.conn.stream_label();
        let class = format!("{} > {}{label}", verdict.conn.client, verdict.conn.server);
        // Writing to a String does not fail.
        let _ = write!(
            xml,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"{}\"",
            Xml(&name),
            Xml(&class),
            seconds(nanos)
        );
        if failing {
            xml.push_str(">\n");
            failure(&mut xml, verdict);
            xml.push_str("    </testcase>\n");
        } else if let Some(finding) = unread {
            let why = Xml(&finding.note.text);
            let _ = write!(xml, ">\n      <skipped message=\"{why}\"/>\n    </testcase>\n");
        } else {
            xml.push_str("/>\n");
        }
        if let Err(error) = self.cases.write_all(xml.as_bytes()) {
            self.failed.get_or_insert(error);
        }
    }

    pub(super) fn finish(
        &mut self,
        buf: &mut Vec<u8>,
        end: &Summary<'_>,
        tally: &Tally,
    ) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let time = end.totals.first_time.unwrap_or_default().rfc3339();
        // The schema's time stamp has neither fraction nor zone.
        let stamp = time.as_str().get(..19).unwrap_or("1970-01-01T00:00:00").to_owned();
        let errors = u64::from(end.truncated.is_some());
        if let Some(truncated) = end.truncated {
            self.tests += 1;
            // A case of its own: build servers count the cases, not the attribute.
            write!(
                self.cases,
                "    <testcase name=\"the capture is read whole\" classname=\"wstap\" \
                 time=\"0.000\">\n      <error type=\"unread\" message=\"{}\"/>\n    \
                 </testcase>\n",
                Xml(truncated)
            )?;
        }
        write!(
            buf,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite \
             name=\"{}\" package=\"wstap\" id=\"0\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" \
             skipped=\"{}\" time=\"{}\" timestamp=\"{stamp}\" hostname=\"localhost\">\n    <properties>\n      \
             <property name=\"wstap\" value=\"{}\"/>\n    </properties>\n",
            Xml(&self.capture),
            self.tests,
            self.failures,
            self.skipped,
            seconds(self.nanos),
            env!("CARGO_PKG_VERSION"),
        )?;
        self.cases.rewind()?;
        self.cases.read_to_end(buf)?;
        let seen = crate::sink::text::seen(end, tally);
        writeln!(buf, "    <system-out>{}</system-out>", Xml(&seen))?;
        writeln!(buf, "    <system-err>{}</system-err>", Xml(end.truncated.unwrap_or("")))?;
        buf.extend_from_slice(b"  </testsuite>\n</testsuites>\n");
        Ok(())
    }
}

fn failure(xml: &mut String, verdict: &Verdict) {
    let told: Vec<&Finding> =
        verdict.findings.iter().filter(|f| f.note.severity() > Severity::Info).collect();
    let Some(worst) = told.first() else { return };
    let _ = write!(
        xml,
        "      <failure type=\"{}\" message=\"{}\">",
        worst.note.code,
        Xml(&worst.note.text)
    );
    for finding in &told {
        let note = &finding.note;
        let text = format!(
            "{} {} ({}, {}): {} ({})\n",
            note.severity(),
            note.code,
            note.blame,
            note.code.reference(),
            note.text,
            places(finding)
        );
        let _ = write!(xml, "{}", Xml(&text));
    }
    xml.push_str("</failure>\n");
}

/// Nanoseconds as seconds, a decimal number.
fn seconds(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
}

/// Text for an attribute or an element: markup escaped, and what XML 1.0 (section 2.2) can not hold at
/// all, or a terminal should not, spelled out.
struct Xml<'a>(&'a str);

impl std::fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\n' => f.write_str("&#10;")?,
                '\u{fffe}' | '\u{ffff}' => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => write!(f, "{}", crate::sink::escape::Escaped(c.encode_utf8(&mut [0; 4])))?,
            }
        }
        Ok(())
    }
}
