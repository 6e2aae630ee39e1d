use serde_json::Value;

use super::*;
use crate::event::{Message, Outcome};
use crate::note::NoteCode;
use crate::sink::samples;
use crate::sink::select::Where;

/// A connection whose accept is wrong and whose server masks; and one that is fine.
fn report(options: CheckOptions) -> String {
    let mut invalid = samples::handshake();
    invalid.outcome = Outcome::Invalid;
    invalid.notes = vec![samples::note("proxy-trace"), samples::note("accept-mismatch")];
    let masked = [samples::note("server-masked")];
    let message = Message { notes: &masked, ..samples::text(b"x") };
    let end = samples::end();
    let mut sink = CheckSink::new(Vec::new(), options);
    let events = [
        (6, 412, Event::Handshake(&invalid)),
        (8, 500, Event::Message(&message)),
        (9, 600, Event::Message(&message)),
        (14, 4800, Event::End(&end)),
        (20, 9000, Event::Handshake(&samples::handshake())),
        (24, 9900, Event::End(&end)),
    ];
    samples::feed(&mut sink, &events);
    samples::finish(&mut sink);
    assert_eq!(sink.tally().errors, 3);
    String::from_utf8(sink.into_inner()).unwrap()
}

fn with(format: Format) -> CheckOptions {
    CheckOptions { format, capture: "a <b>.pcap".into(), ..CheckOptions::default() }
}

#[test]
fn text_reads_well_in_80_columns() {
    let text = report(CheckOptions { verbosity: Verbosity::Quiet, ..with(Format::Text) });
    assert_eq!(
        text,
        "\
#1 ERROR  GET /chat -> 101, invalid  127.0.0.1:40938 > [::1]:8088
  The client closed with 1000 (normal closure), and the server answered.
  error accept-mismatch (server, RFC 6455 §4.2.2)
    the text of accept-mismatch (handshake, packet 6)
  error server-masked (server, RFC 6455 §5.1), 2 times
    the text of server-masked (packets 8, 9)

#2 OK  GET /chat -> 101, accepted  127.0.0.1:40938 > [::1]:8088
  The client closed with 1000 (normal closure), and the server answered.

2 WebSocket connections: 1 fine, 1 with errors
what a note means and how to fix it: wstap explain accept-mismatch

14 packets, 2 WebSocket connections, 2 messages, 3 errors, 1 remark
"
    );
    let whole = report(with(Format::Text));
    assert!(whole.contains("    ^ error accept-mismatch\n"));
    assert!(whole.contains("  info proxy-trace (server, "));
    assert!(whole.lines().all(|line| line.chars().count() <= 80), "{whole}");
}

#[test]
fn a_head_that_does_not_fit_beside_the_addresses_has_a_line_to_itself() {
    let mut handshake = samples::handshake();
    if let Some(request) = &mut handshake.request {
        request.target = format!("/chat/{}", "x".repeat(30));
    }
    let options = CheckOptions { verbosity: Verbosity::Quiet, ..with(Format::Text) };
    let mut sink = CheckSink::new(Vec::new(), options);
    let events = [(6, 412, Event::Handshake(&handshake)), (24, 9900, Event::End(&samples::end()))];
    samples::feed(&mut sink, &events);
    samples::finish(&mut sink);
    let text = String::from_utf8(sink.into_inner()).unwrap();
    let head: Vec<&str> = text.lines().take(2).collect();
    let want = "#1 OK  GET /chat/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx -> 101, accepted";
    assert_eq!(head, [want, "  127.0.0.1:40938 > [::1]:8088"]);
}

#[test]
fn json_has_a_verdict_for_each_connection_and_ends_with_the_capture() {
    let text = report(with(Format::Json));
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["verdict", "verdict", "capture"]);
    let first = &lines[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["outcome"], "invalid");
    assert_eq!(first["request"], "GET /chat");
    assert_eq!(first["how"], "close");
    assert_eq!(first["notes"][0]["code"], "accept-mismatch");
    assert_eq!(first["notes"][1]["count"], 2);
    assert_eq!(first["notes"][1]["packets"], serde_json::json!([8, 9]));
    assert_eq!(first["notes"][2]["severity"], "info");
    assert_eq!(lines[1]["severity"], Value::Null);
}

#[test]
fn sarif_has_the_rules_and_a_result_for_each_finding() {
    let log: Value = serde_json::from_str(&report(with(Format::Sarif))).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), NoteCode::ALL.len());
    let results = run["results"].as_array().unwrap();
    let levels: Vec<_> = results.iter().map(|r| r["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "error", "note"]);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "index and id agree");
        let location = &result["locations"][0];
        let uri = &location["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "a%20%3Cb%3E.pcap");
        assert_eq!(location["logicalLocations"][0]["name"], "connection 1");
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

/// What the schema of SARIF 2.1.0 asks for by `required`, on the way down to what is written here.
#[test]
fn sarif_has_what_its_schema_requires() {
    let text = report(with(Format::Sarif));
    let log: Value = serde_json::from_str(&text).unwrap();
    let has = |value: &Value, names: &[&str]| {
        for name in names {
            assert!(!value[*name].is_null(), "{name} is missing in {value}");
        }
    };
    has(&log, &["version", "runs"]);
    for run in log["runs"].as_array().unwrap() {
        has(run, &["tool"]);
        has(&run["tool"], &["driver"]);
        has(&run["tool"]["driver"], &["name"]);
        assert!(
            ["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap())
        );
        let mut ids = std::collections::BTreeSet::new();
        for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
            has(rule, &["id"]);
            assert!(ids.insert(rule["id"].as_str().unwrap()), "rules are unique");
            for text in ["shortDescription", "fullDescription", "help"] {
                has(&rule[text], &["text"]);
            }
        }
        for result in run["results"].as_array().unwrap() {
            has(result, &["message"]);
            has(&result["message"], &["text"]);
            let level = result["level"].as_str().unwrap();
            assert!(["none", "note", "warning", "error"].contains(&level));
            assert!(result["occurrenceCount"].as_u64().unwrap() >= 1);
        }
        for invocation in run["invocations"].as_array().unwrap() {
            has(invocation, &["executionSuccessful"]);
        }
    }
}

/// What the schemas of Ant and of Jenkins ask for: the attributes, the order of the elements, a
/// property at least in `properties`.
#[test]
fn junit_has_what_its_schemas_require() {
    let xml = report(with(Format::Junit));
    let tag = |begin: &str| -> String {
        let at = xml.find(begin).unwrap_or_else(|| panic!("{begin} in {xml}"));
        xml[at..].split('>').next().unwrap().to_owned()
    };
    let required = [
        ("<testsuite ", "name package id tests failures errors time timestamp hostname"),
        ("<property ", "name value"),
        ("<testcase ", "name classname time"),
        ("<failure ", "type message"),
    ];
    for (begin, names) in required {
        for name in names.split(' ') {
            assert!(tag(begin).contains(&format!(" {name}=\"")), "{name} in {}", tag(begin));
        }
    }
    let order = [
        "<properties>",
        "<property ",
        "</properties>",
        "<testcase ",
        "<system-out>",
        "<system-err>",
    ];
    let places: Vec<usize> = order.iter().map(|tag| xml.find(tag).unwrap()).collect();
    assert!(places.is_sorted(), "{xml}");
    assert!(xml.rfind("<testcase ").unwrap() < xml.find("<system-out>").unwrap());
}

#[test]
fn what_is_asked_for_decides_what_is_judged_and_not_what_is_known() {
    let noted = [samples::note("server-masked")];
    let bad = Message { notes: &noted, ..samples::text(b"bad") };
    let (good, yes, end) = (samples::text(b"good"), samples::handshake(), samples::end());
    let events = [
        (1, 1, Event::Handshake(&yes)),
        (2, 2, Event::End(&end)),
        (3, 3, Event::Handshake(&yes)),
        (4, 4, Event::Message(&bad)),
        (5, 5, Event::Message(&good)),
        (6, 6, Event::End(&end)),
        (7, 7, Event::Handshake(&yes)),
        (8, 8, Event::Message(&good)),
        (9, 9, Event::End(&end)),
    ];
    let report = |packets: &'static [u64]| {
        let select = Where(|cx: &Cx<'_>, _: &Event<'_>| packets.contains(&cx.origin.packet.0));
        let mut sink = CheckSink::of(Vec::new(), with(Format::Json), select);
        samples::feed(&mut sink, &events);
        samples::finish(&mut sink);
        let tally = *sink.tally();
        let text = String::from_utf8(sink.into_inner()).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let verdicts = lines.iter().filter(|line| line["event"] == "verdict");
        let said: Vec<String> = verdicts
            .map(|v| format!("{} {} {} {}", v["conn"], v["outcome"], v["how"], v["severity"]))
            .collect();
        (said.join(", "), tally.connections, tally.messages, tally.errors)
    };
    let noted = "2 \"accepted\" \"close\" \"error\"";
    assert_eq!(report(&[4]), (noted.to_owned(), 1, 1, 1));
    let (two, three) = ("2 \"accepted\" \"close\" null", "3 \"accepted\" \"close\" null");
    assert_eq!(report(&[5, 8]), (format!("{two}, {three}"), 2, 2, 0), "nothing said of them");
    assert_eq!(report(&[6]), (two.to_owned(), 1, 0, 0));
    assert_eq!(report(&[]), (String::new(), 0, 0, 0));
}

#[test]
fn a_capture_that_is_not_read_whole_is_an_error_of_its_own() {
    let mut sink = CheckSink::new(Vec::new(), with(Format::Junit));
    samples::feed(&mut sink, &[(6, 412, Event::Handshake(&samples::rejected()))]);
    let totals = crate::pipeline::Totals::default();
    let end = Summary { totals: &totals, dropped: None, truncated: Some("packet 7 <cut>") };
    sink.finish(&end).unwrap();
    let xml = String::from_utf8(sink.into_inner()).unwrap();
    assert!(xml.contains(" tests=\"2\"") && xml.contains(" errors=\"1\""), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 2);
    assert!(xml.contains("<error type=\"unread\" message=\"packet 7 &lt;cut&gt;\"/>"), "{xml}");
}

#[test]
fn sarif_without_a_connection_is_whole() {
    let mut sink = CheckSink::new(Vec::new(), with(Format::Sarif));
    samples::finish(&mut sink);
    let log: Value = serde_json::from_slice(&sink.into_inner()).unwrap();
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn junit_counts_first_and_fails_what_has_errors() {
    let xml = report(with(Format::Junit));
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"));
    assert!(xml.contains("name=\"a &lt;b&gt;.pcap\""));
    assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"0.009\""));
    assert!(xml.contains("timestamp=\"2026-11-22T16:00:00\""));
    assert_eq!(xml.matches("<testcase ").count(), 2);
    assert_eq!(xml.matches("<failure ").count(), 1);
    assert!(
        xml.contains("<failure type=\"accept-mismatch\" message=\"the text of accept-mismatch\">")
    );
    assert!(xml.ends_with("  </testsuite>\n</testsuites>\n"));
}

/// A connection inside TLS without secrets; `more` notes stand on it.
fn sealed(format: Format, read: u64, more: &[&str]) -> String {
    let mut handshake = samples::handshake();
    handshake.outcome = Outcome::Unseen;
    (handshake.request, handshake.response) = (None, None);
    let codes = ["undecryptable"].iter().chain(more);
    handshake.notes = codes.map(|code| samples::note(code)).collect();
    let mut end = samples::end();
    (end.messages.to_server, end.messages.to_client) = (read, 0);
    let options = CheckOptions { verbosity: Verbosity::Quiet, ..with(format) };
    let mut sink = CheckSink::new(Vec::new(), options);
    let events = [(6, 412, Event::Handshake(&handshake)), (14, 4800, Event::End(&end))];
    samples::feed(&mut sink, &events);
    samples::finish(&mut sink);
    String::from_utf8(sink.into_inner()).unwrap()
}

#[test]
fn what_could_not_be_read_is_neither_fine_nor_passed() {
    let text = sealed(Format::Text, 0, &[]);
    assert!(text.starts_with("#1 UNREAD  no request seen, unseen  "), "{text}");
    assert!(text.contains("1 WebSocket connection: 1 not read\n"), "{text}");
    let xml = sealed(Format::Junit, 0, &[]);
    assert!(xml.contains(" errors=\"0\" skipped=\"1\" "), "{xml}");
    assert!(xml.contains("<skipped message=\"the text of undecryptable\"/>"), "{xml}");
    // Something of it was read, or something is at fault.
    let read = sealed(Format::Text, 1, &[]);
    assert!(read.starts_with("#1 OK ") && read.contains(": 1 fine\n"), "{read}");
    let faulty = sealed(Format::Text, 0, &["accept-mismatch"]);
    assert!(faulty.starts_with("#1 ERROR ") && !faulty.contains("not read"), "{faulty}");
    assert!(sealed(Format::Junit, 0, &["accept-mismatch"]).contains(" skipped=\"0\" "));
}

#[test]
fn reports_are_harmless_whatever_the_network_sent() {
    let mut evil: String = (0..=255_u8).map(char::from).collect();
    evil.push_str("\u{202e}\u{200b}\u{2028}]]>\u{ffff}");
    let mut handshake = samples::rejected();
    if let Some(head) = &mut handshake.request {
        head.method = evil.clone().into();
        head.target.clone_from(&evil);
        head.fields.0[0].name = evil.as_bytes().into();
        head.fields.0[1].value = (0..=255).collect();
    }
    handshake.notes[0].text = evil.clone().into();
    for format in [Format::Text, Format::Json, Format::Sarif, Format::Junit] {
        let options = CheckOptions { verbosity: Verbosity::Verbose, ..with(format) };
        let mut sink = CheckSink::new(Vec::new(), options);
        samples::feed(&mut sink, &[(6, 412, Event::Handshake(&handshake))]);
        samples::finish(&mut sink);
        let text = String::from_utf8(sink.into_inner()).unwrap();
        let raw = text.chars().find(|c| *c != '\n' && crate::sink::escape::is_unsafe(*c));
        assert_eq!(raw, None, "{format:?}");
    }
}
