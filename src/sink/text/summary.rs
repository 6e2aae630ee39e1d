//! The last lines: what was seen, and what was not.

use super::count::{counted, grouped};
use super::wrap::{Wrap, wrap};
use crate::note::Severity;
use crate::sink::escape::Escaped;
use crate::sink::paint::{Paint, Part};
use crate::sink::{Summary, Tally};

/// An empty line, then what was seen and each kind of loss, in lines of so many columns; `None`: a line each.
pub(crate) fn lines(
    end: &Summary<'_>,
    tally: &Tally,
    paint: Paint,
    width: Option<usize>,
) -> String {
    let mut out = String::from("\n");
    let mut put = |part, line: &str| {
        paint.put(&mut out, part, &wrap(line, Wrap { width, begin: 0, indent: 2 }));
        out.push('\n');
    };
    put(Part::Strong, &seen(end, tally));
    for line in lost(end, tally) {
        put(Part::Note(Severity::Warning), &line);
    }
    for line in unread(end) {
        put(Part::Dim, &line);
    }
    out
}

/// `14 packets, 1 WebSocket connection, 4 messages, no notes`.
pub(crate) fn seen(end: &Summary<'_>, tally: &Tally) -> String {
    format!(
        "{}, {}, {}, {}",
        counted(end.totals.packets, "packet"),
        counted(tally.connections, "WebSocket connection"),
        counted(tally.messages, "message"),
        notes(tally),
    )
}

/// `1 error, 2 warnings, 3 remarks` without those that are none.
pub(crate) fn notes(tally: &Tally) -> String {
    let parts: Vec<String> =
        [(tally.errors, "error"), (tally.warnings, "warning"), (tally.infos, "remark")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| counted(n, what))
            .collect();
    if parts.is_empty() { "no notes".to_owned() } else { parts.join(", ") }
}

fn lost(end: &Summary<'_>, tally: &Tally) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(dropped) = end.dropped.filter(|n| *n > 0) {
        lines.push(format!(
            "{} dropped by the kernel: a larger buffer (-B) or a narrower filter (-f) helps",
            counted(dropped, "packet")
        ));
    }
    if tally.gap_bytes > 0 {
        lines.push(format!("{} of TCP missing from the capture", counted(tally.gap_bytes, "byte")));
    }
    if let Some(truncated) = end.truncated {
        lines.push(format!("not read to its end: {}", Escaped(truncated)));
    }
    lines
}

/// ` (to example.org, example.com and 3 others)`; nothing without names.
fn servers(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| Escaped(name).to_string()).collect();
    match names.len().saturating_sub(SHOWN) {
        _ if shown.is_empty() => String::new(),
        0 => format!(" (to {})", shown.join(", ")),
        more => format!(" (to {} and {})", shown.join(", "), counted(more as u64, "other")),
    }
}

/// What stays unread for want of secrets, and how to come by them.
pub(crate) fn sealed(end: &Summary<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let unread = end.totals.unread;
    if unread.tls > 0 {
        let (carry, their) =
            if unread.tls == 1 { ("it carries", "its") } else { ("they carry", "their") };
        lines.push(format!(
            "{} encrypted with TLS: what {carry} could not be read{}",
            counted(unread.tls, "TCP connection"),
            servers(&end.totals.sealed.names())
        ));
        lines.push(format!(
            "  {their} secrets are needed: start a client with SSLKEYLOGFILE=keys.log, and wstap with \
             --keylog keys.log"
        ));
    }
    lines
}

/// Connections that could not be read, and what would help.
pub(crate) fn unopened(end: &Summary<'_>) -> Vec<String> {
    let mut lines = sealed(end);
    let unread = end.totals.unread;
    if unread.http2 > 0 {
        lines.push(format!("{} with HTTP/2, not read", counted(unread.http2, "TCP connection")));
    }
    if unread.other > 0 {
        let what = counted(unread.other, "TCP connection");
        lines.push(format!("{what} with something other than HTTP or WebSocket"));
    }
    lines
}

fn unread(end: &Summary<'_>) -> Vec<String> {
    let mut lines = unopened(end);
    for (trouble, what) in
        [(true, "packets that could not be decoded"), (false, "packets that are no TCP")]
    {
        let reasons: Vec<String> = end
            .totals
            .skipped
            .iter()
            .filter(|(why, _)| why.is_trouble() == trouble)
            .map(|(why, n)| format!("{} {why}", grouped(*n)))
            .collect();
        if !reasons.is_empty() {
            lines.push(format!("{what}: {}", reasons.join(", ")));
        }
    }
    lines
}
