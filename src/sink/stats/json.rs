//! The lines of `stats --json`, as the module above documents them.

use super::histogram::{Histogram, Quantiles};
use super::pings::RoundTrips;
use super::row::Row;
use super::side::Side;
use super::totals::{ENDS, OUTCOMES, Talker, Totals};
use crate::event::{EndHow, MessageKind};
use crate::note::Severity;
use crate::sink::json::line::{separated, tls, unread};
use crate::sink::json::write::{address, null, number, opt_number, opt_string, raw, string, time};
use crate::sink::{Summary, Tally};
use crate::units::Direction;

pub(super) fn connection(buf: &mut Vec<u8>, row: &Row) {
    raw(buf, "{\"event\":\"connection\",\"conn\":");
    number(buf, row.no.0);
    raw(buf, ",\"tcp_stream\":");
    number(buf, row.conn.stream.0);
    field(buf, "client", |buf| address(buf, &row.conn.client));
    field(buf, "server", |buf| address(buf, &row.conn.server));
    field(buf, "http", |buf| string(buf, row.http.name()));
    field(buf, "h2_stream", |buf| opt_number(buf, row.conn.h2_stream));
    field(buf, "tls", |buf| tls(buf, &row.conn));
    field(buf, "outcome", |buf| string(buf, row.outcome.name()));
    field(buf, "status", |buf| opt_number(buf, row.status));
    field(buf, "path", |buf| opt_string(buf, row.path.as_deref()));
    field(buf, "subprotocol", |buf| opt_string(buf, row.subprotocol.as_deref()));
    field(buf, "extensions", |buf| opt_string(buf, row.extensions.as_deref()));
    field(buf, "time", |buf| time(buf, row.begin));
    field(buf, "packet", |buf| number(buf, row.packet().number()));
    field(buf, "duration_ns", |buf| opt_number(buf, row.duration_ns));
    field(buf, "handshake_ns", |buf| opt_number(buf, row.handshake_ns));
    field(buf, "how", |buf| opt_string(buf, row.how.map(EndHow::name)));
    field(buf, "by", |buf| opt_string(buf, row.by.map(Direction::sender)));
    field(buf, "cause", |buf| opt_string(buf, row.cause.as_deref()));
    for dir in Direction::BOTH {
        let side = &row.sides[dir];
        field(buf, dir.name(), |buf| {
            raw(buf, "{");
            counts(buf, side);
            let messages = row.per_second(side.messages());
            field(buf, "messages_per_second", |buf| opt_number(buf, messages));
            let bytes = row.per_second(side.wire_bytes());
            field(buf, "bytes_per_second", |buf| opt_number(buf, bytes));
            field(buf, "pings", |buf| round_trips(buf, row.round_trips(dir)));
            raw(buf, "}");
        });
    }
    let count = |severity| row.notes_of(severity);
    severities(buf, count(Severity::Error), count(Severity::Warning), count(Severity::Info));
    field(buf, "worst_note", |buf| match row.worst {
        Some((severity, code)) => {
            raw(buf, "{\"code\":");
            string(buf, code.as_str());
            field(buf, "severity", |buf| string(buf, severity.name()));
            raw(buf, "}");
        }
        None => null(buf),
    });
    raw(buf, "}\n");
}

pub(super) fn totals(
    buf: &mut Vec<u8>,
    all: &Totals,
    end: &Summary<'_>,
    tally: &Tally,
    inflated: bool,
) {
    let run = end.totals;
    raw(buf, "{\"event\":\"stats\",\"packets\":");
    number(buf, run.packets);
    field(buf, "bytes", |buf| number(buf, run.bytes));
    field(buf, "first_time", |buf| time(buf, run.first_time));
    field(buf, "last_time", |buf| time(buf, run.last_time));
    field(buf, "tcp_streams", |buf| number(buf, run.tcp_streams));
    field(buf, "connections", |buf| number(buf, all.connections()));
    field(buf, "messages", |buf| number(buf, all.messages()));
    let outcomes = OUTCOMES.iter().map(|outcome| outcome.name()).zip(all.outcomes);
    field(buf, "outcomes", |buf| named(buf, outcomes));
    let ends = ENDS.iter().map(|end| end.name()).zip(all.ends);
    field(buf, "ended", |buf| named(buf, ends));
    for dir in Direction::BOTH {
        let side = &all.sides[dir];
        field(buf, dir.name(), |buf| {
            raw(buf, "{");
            counts(buf, side);
            let wire = &all.wire_sizes[dir];
            field(buf, "wire_sizes", |buf| quantiles(buf, wire.quantiles()));
            let sizes = sizes(side, wire, &all.sizes[dir], inflated);
            field(buf, "sizes", |buf| quantiles(buf, sizes));
            raw(buf, "}");
        });
    }
    over_time(buf, all);
    field(buf, "pings", |buf| match all.round_trips.quantiles() {
        Some(q) => named(
            buf,
            [
                ("answered", q.count),
                ("min_ns", q.min),
                ("p50_ns", q.p50),
                ("p90_ns", q.p90),
                ("p99_ns", q.p99),
                ("max_ns", q.max),
            ],
        ),
        None => null(buf),
    });
    severities(buf, tally.errors, tally.warnings, tally.infos);
    let codes = all.codes.iter().map(|(code, n)| (code.as_str(), *n));
    field(buf, "notes_by_code", |buf| named(buf, codes));
    field(buf, "top", |buf| {
        raw(buf, "[");
        separated(buf, &all.top, talker);
        raw(buf, "]");
    });
    unread(buf, end);
    raw(buf, "}\n");
}

/// Sizes after inflating: those of the wire where nothing was compressed.
pub(super) fn sizes(
    side: &Side,
    wire: &Histogram,
    sizes: &Histogram,
    inflated: bool,
) -> Option<Quantiles> {
    match (inflated, side.payload_bytes()) {
        (true, _) => sizes.quantiles(),
        (false, Some(_)) => wire.quantiles(),
        (false, None) => None,
    }
}

/// The fields of a direction, without the braces.
fn counts(buf: &mut Vec<u8>, side: &Side) {
    raw(buf, "\"messages\":");
    number(buf, side.messages());
    for kind in MessageKind::ALL {
        field(buf, kind.name(), |buf| number(buf, side.of_kind(kind)));
    }
    field(buf, "incomplete", |buf| number(buf, side.incomplete));
    field(buf, "frames", |buf| number(buf, side.frames));
    field(buf, "fragmented_messages", |buf| number(buf, side.fragmented));
    field(buf, "compressed_messages", |buf| number(buf, side.compressed));
    field(buf, "payload_bytes", |buf| opt_number(buf, side.payload_bytes()));
    field(buf, "wire_payload_bytes", |buf| number(buf, side.wire_bytes()));
    field(buf, "control_payload_bytes", |buf| number(buf, side.control_bytes()));
    let kinds = MessageKind::ALL.into_iter().map(|kind| (kind.name(), side.wire_of(kind)));
    field(buf, "wire_bytes_by_kind", |buf| named(buf, kinds));
    field(buf, "compression", |buf| match side.compression() {
        Some((wire, inflated)) => named(buf, [("wire", wire), ("inflated", inflated)]),
        None => null(buf),
    });
    field(buf, "gaps", |buf| number(buf, side.gaps));
    field(buf, "gap_bytes", |buf| number(buf, side.gap_bytes));
}

fn over_time(buf: &mut Vec<u8>, all: &Totals) {
    let series = &all.series;
    field(buf, "over_time", |buf| {
        raw(buf, "{\"start\":");
        time(buf, series.start());
        field(buf, "stretch_ns", |buf| number(buf, series.stretch_ns()));
        for dir in Direction::BOTH {
            field(buf, dir.name(), |buf| {
                raw(buf, "[");
                separated(buf, series.counts(dir), |buf, n| number(buf, *n));
                raw(buf, "]");
            });
        }
        field(buf, "peak_per_second", |buf| number(buf, series.peak_per_second()));
        raw(buf, "}");
    });
}

fn talker(buf: &mut Vec<u8>, talker: &Talker) {
    raw(buf, "{\"conn\":");
    number(buf, talker.no.0);
    field(buf, "client", |buf| string(buf, &talker.client));
    field(buf, "server", |buf| string(buf, &talker.server));
    field(buf, "path", |buf| opt_string(buf, talker.path.as_deref()));
    field(buf, "messages", |buf| number(buf, talker.messages));
    field(buf, "wire_payload_bytes", |buf| number(buf, talker.wire_bytes));
    raw(buf, "}");
}

fn round_trips(buf: &mut Vec<u8>, trips: Option<RoundTrips>) {
    match trips {
        Some(trips) => named(
            buf,
            [
                ("answered", trips.count),
                ("min_ns", trips.min),
                ("median_ns", trips.median),
                ("max_ns", trips.max),
            ],
        ),
        None => null(buf),
    }
}

fn quantiles(buf: &mut Vec<u8>, quantiles: Option<Quantiles>) {
    match quantiles {
        Some(q) => named(
            buf,
            [
                ("count", q.count),
                ("min", q.min),
                ("p50", q.p50),
                ("p90", q.p90),
                ("p99", q.p99),
                ("max", q.max),
            ],
        ),
        None => null(buf),
    }
}

fn severities(buf: &mut Vec<u8>, errors: u64, warnings: u64, infos: u64) {
    let notes = [("error", errors), ("warning", warnings), ("info", infos)];
    field(buf, "notes", |buf| named(buf, notes));
}

/// An object of numbers.
fn named<'a>(buf: &mut Vec<u8>, numbers: impl IntoIterator<Item = (&'a str, u64)>) {
    raw(buf, "{");
    separated(buf, numbers, |buf, (name, n)| {
        string(buf, name);
        raw(buf, ":");
        number(buf, n);
    });
    raw(buf, "}");
}

/// `,"name":` and a value.
fn field(buf: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    raw(buf, ",\"");
    raw(buf, name);
    raw(buf, "\":");
    value(buf);
}
