//! The report as NDJSON.
//!
//! Gets: a [`Report`]. Gives: one object a line: `pair` for each pair, `unpaired` for each connection
//! without one, `clock` when two clocks were brought together.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Alteration, Leg, Pair, Report};
use crate::sink::json::write::Harmless;

#[derive(Debug, Serialize)]
struct PairLine<'a> {
    event: &'static str,
    client_leg: u64,
    server_leg: Option<u64>,
    client_capture: usize,
    server_capture: Option<usize>,
    client_addr: Addresses,
    server_addr: Option<Addresses>,
    matched_by: &'static str,
    why: &'a str,
    alterations: Vec<AlterationLine<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    alterations_not_shown: u64,
    messages: CountsLine,
    delay_ns: DelaysLine,
    ended: Option<EndedLine<'a>>,
}

#[derive(Debug, Serialize)]
struct Addresses {
    client: String,
    server: String,
}

impl Addresses {
    fn of(leg: &Leg) -> Self {
        Self { client: leg.client.to_string(), server: leg.server.to_string() }
    }
}

#[derive(Debug, Serialize)]
struct AlterationLine<'a> {
    code: &'static str,
    dir: &'static str,
    what: &'a str,
    before: &'a Value,
    after: &'a Value,
    text: &'a str,
    severity: &'static str,
    expected: bool,
}

impl<'a> AlterationLine<'a> {
    fn of(alteration: &'a Alteration) -> Self {
        Self {
            code: alteration.code.as_str(),
            dir: alteration.dir.name(),
            what: &alteration.what,
            before: &alteration.before,
            after: &alteration.after,
            text: &alteration.text,
            severity: alteration.severity().name(),
            expected: alteration.expected,
        }
    }
}

#[derive(Debug, Serialize)]
struct CountsLine {
    same: u64,
    changed: u64,
    lost: u64,
    injected: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unknown: u64,
}

#[derive(Debug, Serialize)]
struct DelaysLine {
    handshake: Option<i64>,
    p50: Option<i64>,
    p99: Option<i64>,
    max: Option<i64>,
}

#[derive(Debug, Serialize)]
struct EndedLine<'a> {
    first: &'static str,
    by: &'static str,
    how: &'static str,
    between_ns: Option<i64>,
    idle_ns: Option<i64>,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct UnpairedLine<'a> {
    event: &'static str,
    conn: u64,
    capture: usize,
    addr: Addresses,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct ClockLine {
    event: &'static str,
    server_ahead_ns: i64,
    uncertainty_ns: i64,
    handshakes: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Report {
    /// Writes the report, one JSON object a line.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(clock) = self.clock {
            line(
                out,
                &ClockLine {
                    event: "clock",
                    server_ahead_ns: clock.server_ahead_ns,
                    uncertainty_ns: clock.uncertainty_ns,
                    handshakes: clock.handshakes,
                },
            )?;
        }
        for pair in &self.pairs {
            if let Some(pair) = self.pair_line(pair) {
                line(out, &pair)?;
            }
        }
        for unpaired in &self.unpaired {
            let Some(leg) = self.leg(unpaired.leg) else { continue };
            line(
                out,
                &UnpairedLine {
                    event: "unpaired",
                    conn: leg.no.0,
                    capture: leg.capture.saturating_add(1),
                    addr: Addresses::of(leg),
                    why: &unpaired.why,
                },
            )?;
        }
        Ok(())
    }

    fn pair_line<'a>(&'a self, pair: &'a Pair) -> Option<PairLine<'a>> {
        let client = self.leg(pair.client)?;
        let server = pair.server.and_then(|at| self.leg(at));
        Some(PairLine {
            event: "pair",
            client_leg: client.no.0,
            server_leg: server.map(|leg| leg.no.0),
            // The first INPUT is 1.
            client_capture: client.capture.saturating_add(1),
            server_capture: server.map(|leg| leg.capture.saturating_add(1)),
            client_addr: Addresses::of(client),
            server_addr: server.map(Addresses::of),
            matched_by: pair.matched_by.name(),
            why: &pair.why,
            alterations: pair.alterations.iter().map(AlterationLine::of).collect(),
            alterations_not_shown: pair.more,
            messages: CountsLine {
                same: pair.counts.same,
                changed: pair.counts.changed,
                lost: pair.counts.lost,
                injected: pair.counts.injected,
                unknown: pair.counts.unknown,
            },
            delay_ns: DelaysLine {
                handshake: pair.delays.handshake,
                p50: pair.delays.p50,
                p99: pair.delays.p99,
                max: pair.delays.max,
            },
            ended: pair.cut.as_ref().map(|cut| EndedLine {
                first: if cut.client_first { "client_leg" } else { "server_leg" },
                by: cut.by.name(),
                how: cut.how.name(),
                between_ns: cut.between_ns,
                idle_ns: cut.idle_ns,
                text: &cut.text,
            }),
        })
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    // A line may be shown on a terminal, and holds what came from the network.
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Harmless))?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::testkit::*;
    use super::super::*;
    use serde_json::json;

    #[test]
    fn pair_is_one_object_with_the_fields_of_the_contract() {
        let mut kit = Kit::new();
        let mut c = kit.open(40001, 80, KEY, &[]);
        let mut s = kit.open(50001, 8088, KEY, &[("X-Forwarded-For", "127.0.0.1")]);
        s.answered(&mut kit, 101, &[]);
        c.answered(&mut kit, 101, &[]);
        let mut other = kit.open(60001, 9999, "AAAAAAAAAAAAAAAAAAAAAA==", &[(":path", "/other")]);
        other.answered(&mut kit, 101, &[]);
        let report = compare(vec![kit.collected()], &Options::default());
        let mut out = Vec::new();
        report.write_json(&mut out).unwrap();
        let lines: Vec<Value> = out
            .split(|&b| b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        let [pair, unpaired] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(pair["event"], "pair");
        // Numbered by their first events: the server leg was answered first.
        assert_eq!((&pair["client_leg"], &pair["server_leg"]), (&json!(2), &json!(1)));
        assert_eq!(
            pair["client_addr"],
            json!({"client": "127.0.0.1:40001", "server": "127.0.0.1:80"})
        );
        assert_eq!(pair["matched_by"], "key");
        assert_eq!(
            pair["alterations"],
            json!([{
                "code": "header-added", "dir": "c2s", "what": "x-forwarded-for", "before": null,
                "after": "127.0.0.1", "severity": "info", "expected": true,
                "text": "The proxy added X-Forwarded-For: 127.0.0.1; it tells the server where the request came from."
            }])
        );
        assert_eq!(pair["messages"], json!({"same": 0, "changed": 0, "lost": 0, "injected": 0}));
        assert_eq!(
            pair["delay_ns"],
            json!({"handshake": 2000, "p50": null, "p99": null, "max": null})
        );
        assert_eq!((&unpaired["event"], &unpaired["conn"]), (&json!("unpaired"), &json!(3)));
    }
}
