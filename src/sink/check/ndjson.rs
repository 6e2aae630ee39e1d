//! A verdict as a line of NDJSON.
//!
//! `{"event":"verdict", conn, tcp_stream, client, server, h2_stream, tls (as in handshakes), request
//! ("GET /chat"), status, outcome, severity (the worst, or null), how, by, cause, messages {c2s, s2c},
//! notes: [{code, severity, blame, text, ref, count, packets (the first few)}]}`, worst note first.

use super::{Finding, Verdict};
use crate::note::Severity;
use crate::sink::json::line::{separated, tls};
use crate::sink::json::write::{null, number, opt_number, opt_string, raw, string};
use crate::units::Direction;

pub(super) fn verdict(buf: &mut Vec<u8>, verdict: &Verdict) {
    raw(buf, "{\"event\":\"verdict\",\"conn\":");
    number(buf, verdict.no.0);
    raw(buf, ",\"tcp_stream\":");
    number(buf, verdict.conn.stream.0);
    raw(buf, ",\"client\":");
    string(buf, &verdict.conn.client.to_string());
    raw(buf, ",\"server\":");
    string(buf, &verdict.conn.server.to_string());
    raw(buf, ",\"h2_stream\":");
    opt_number(buf, verdict.conn.h2_stream);
    raw(buf, ",\"tls\":");
    tls(buf, &verdict.conn);
    raw(buf, ",\"request\":");
    opt_string(buf, verdict.asked.as_deref());
    raw(buf, ",\"status\":");
    opt_number(buf, verdict.status);
    raw(buf, ",\"outcome\":\"");
    raw(buf, verdict.outcome.name());
    raw(buf, "\",\"severity\":");
    opt_string(buf, verdict.severity().map(Severity::name));
    let end = verdict.end.as_deref();
    raw(buf, ",\"how\":");
    opt_string(buf, end.map(|end| end.how.name()));
    raw(buf, ",\"by\":");
    opt_string(buf, end.and_then(|end| end.by).map(Direction::sender));
    raw(buf, ",\"cause\":");
    opt_string(buf, end.map(|end| end.cause.as_str()));
    raw(buf, ",\"messages\":");
    match end {
        Some(end) => {
            raw(buf, "{\"c2s\":");
            number(buf, end.messages.to_server);
            raw(buf, ",\"s2c\":");
            number(buf, end.messages.to_client);
            raw(buf, "}");
        }
        None => null(buf),
    }
    raw(buf, ",\"notes\":[");
    separated(buf, &verdict.findings, finding);
    raw(buf, "]}\n");
}

fn finding(buf: &mut Vec<u8>, finding: &Finding) {
    let note = &finding.note;
    raw(buf, "{\"code\":\"");
    raw(buf, note.code.as_str());
    raw(buf, "\",\"severity\":\"");
    raw(buf, note.severity().name());
    raw(buf, "\",\"blame\":\"");
    raw(buf, note.blame.name());
    raw(buf, "\",\"text\":");
    string(buf, &note.text);
    raw(buf, ",\"ref\":");
    string(buf, note.code.reference());
    raw(buf, ",\"count\":");
    number(buf, finding.count);
    raw(buf, ",\"packets\":[");
    separated(buf, &finding.places, |buf, place| number(buf, place.packet().number()));
    raw(buf, "]}");
}
