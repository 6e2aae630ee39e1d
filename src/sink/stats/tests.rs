//! Statistics over hand-made events.

use serde_json::Value;

use super::*;
use crate::event::{MessageKind, Payload};
use crate::sink::samples;
use crate::sink::select::Where;
use crate::units::{Direction, MessageNo, Origin};

fn json(options: &StatsOptions, events: &[(u64, i64, Event<'_>)]) -> Vec<Value> {
    let options = StatsOptions { json: true, ..options.clone() };
    lines(StatsSink::new(Vec::new(), options), events)
}

fn lines<S: Select>(
    mut sink: StatsSink<Vec<u8>, S>,
    events: &[(u64, i64, Event<'_>)],
) -> Vec<Value> {
    samples::feed(&mut sink, events);
    samples::finish(&mut sink);
    let text = String::from_utf8(sink.into_inner()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(options: StatsOptions, events: &[(u64, i64, Event<'_>)]) -> String {
    let mut sink = StatsSink::new(Vec::new(), options);
    samples::feed(&mut sink, events);
    samples::finish(&mut sink);
    String::from_utf8(sink.into_inner()).unwrap()
}

fn ping(payload: &[u8], kind: MessageKind, dir: Direction, micros: i64) -> Message<'_> {
    let begin = samples::origin(9, micros);
    Message { kind, dir, begin, payload: Payload::Data(payload), ..samples::text(payload) }
}

#[test]
fn a_connection_is_told_whole_when_it_ends() {
    let (handshake, end) = (samples::handshake(), samples::end());
    let hello = samples::text(b"hello, martian!!!!");
    let echo = Message { dir: Direction::ToClient, ..hello };
    let notes = [samples::note("mask-zero")];
    let asked =
        Message { notes: &notes, ..ping(b"p", MessageKind::Ping, Direction::ToClient, 2200) };
    let pong = ping(b"p", MessageKind::Pong, Direction::ToServer, 2900);
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (8, 1893, Event::Message(&hello)),
        (9, 2115, Event::Message(&echo)),
        (10, 2200, Event::Message(&asked)),
        (11, 2900, Event::Message(&pong)),
        (12, 3000, Event::Gap(samples::gap())),
        (14, 4800, Event::End(&end)),
    ];
    let lines = json(&StatsOptions::default(), &events);
    assert_eq!(lines.len(), 2);
    let row = &lines[0];
    assert_eq!((&row["event"], &row["conn"]), (&"connection".into(), &1.into()));
    assert_eq!((&row["path"], &row["status"]), (&"/chat".into(), &101.into()));
    assert_eq!((&row["how"], &row["by"]), (&"close".into(), &"client".into()));
    assert_eq!(row["duration_ns"], 4_800_000);
    assert_eq!((&row["c2s"]["text"], &row["c2s"]["pong"]), (&1.into(), &1.into()));
    assert_eq!(
        (&row["c2s"]["payload_bytes"], &row["c2s"]["wire_payload_bytes"]),
        (&18.into(), &19.into())
    );
    assert_eq!(row["c2s"]["wire_bytes_by_kind"]["pong"], 1);
    // 2 messages in 4.8 ms are no rate.
    assert!(row["c2s"]["messages_per_second"].is_null());
    assert_eq!(row["s2c"]["pings"]["median_ns"], 700_000);
    assert!(row["c2s"]["pings"].is_null() && row["c2s"]["compression"].is_null());
    assert_eq!((&row["s2c"]["gaps"], &row["s2c"]["gap_bytes"]), (&1.into(), &1448.into()));
    assert_eq!(row["worst_note"]["code"], "mask-zero");
    let all = &lines[1];
    assert_eq!((&all["event"], &all["connections"]), (&"stats".into(), &1.into()));
    assert_eq!((&all["outcomes"]["accepted"], &all["ended"]["close"]), (&1.into(), &1.into()));
    assert_eq!((&all["messages"], &all["packets"]), (&4.into(), &14.into()));
    assert_eq!(all["c2s"]["wire_sizes"]["p99"], 18);
    assert_eq!(all["c2s"]["sizes"], all["c2s"]["wire_sizes"]);
    assert_eq!(all["notes_by_code"]["mask-zero"], 1);
    assert_eq!(all["pings"]["p50_ns"], 700_000);
    assert_eq!(all["over_time"]["c2s"].as_array().unwrap().len(), 3);
    assert_eq!(all["over_time"]["peak_per_second"], 4);
    assert_eq!(all["top"][0]["wire_payload_bytes"], 38);
}

#[test]
fn what_was_not_inflated_is_said_to_be_unknown() {
    let packed = Message {
        compressed: true,
        len: 0,
        wire_len: 7,
        payload: Payload::Skipped,
        ..samples::text(b"")
    };
    let end = samples::end();
    let events = [(8, 1893, Event::Message(&packed)), (14, 4800, Event::End(&end))];
    let lines = json(&StatsOptions::default(), &events);
    for line in &lines {
        assert!(line["c2s"]["payload_bytes"].is_null(), "{line}");
        assert_eq!(line["c2s"]["wire_payload_bytes"], 7);
        assert_eq!(line["s2c"]["payload_bytes"], 0);
    }
    assert!(lines[1]["c2s"]["sizes"].is_null());
    assert!(text(StatsOptions::default(), &events).contains("not inflated"));

    let read = Message { len: 70, ..packed };
    let events = [(8, 1893, Event::Message(&read)), (14, 4800, Event::End(&end))];
    let options = StatsOptions { inflate: true, ..StatsOptions::default() };
    let lines = json(&options, &events);
    assert_eq!(lines[1]["c2s"]["payload_bytes"], 70);
    assert_eq!(lines[1]["c2s"]["compression"]["wire"], 7);
    assert_eq!(lines[1]["c2s"]["sizes"]["max"], 70);
}

#[test]
fn rows_keep_to_the_width_and_a_note_without_room_stands_below() {
    let handshake = samples::handshake();
    let notes = [samples::note("handshake-incomplete"), samples::note("mask-zero")];
    let ping =
        Message { notes: &notes, ..ping(b"p", MessageKind::Ping, Direction::ToClient, 2200) };
    let end = samples::end();
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (11, 2415, Event::Message(&ping)),
        (14, 4800, Event::End(&end)),
    ];
    let table = |width| {
        let said = text(StatsOptions { width, ..StatsOptions::default() }, &events);
        said.split("\n\n").next().unwrap().to_owned()
    };
    let narrow = table(Some(80));
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    assert!(narrow.lines().any(|line| line == "       handshake-incomplete +1"), "{narrow}");
    let verbose = StatsOptions { verbosity: Verbosity::Verbose, ..StatsOptions::default() };
    let verbose = text(verbose, &events);
    assert!(verbose.contains("\n       server: 1 ping (1 B)"), "{verbose}");
    assert!(verbose.lines().all(|line| line.chars().count() <= 80), "{verbose}");
    let wide = table(Some(120));
    assert!(wide.lines().nth(1).unwrap().ends_with("  handshake-incomplete +1"), "{wide}");
}

#[test]
fn payloads_are_asked_for_only_when_something_needs_them() {
    let wants = |inflate| {
        StatsSink::new(Vec::new(), StatsOptions { inflate, ..StatsOptions::default() }).wants()
    };
    assert_eq!(wants(false), Wants { frames: false, payload: false });
    assert_eq!(wants(true), Wants { frames: false, payload: true });
}

#[test]
fn only_what_is_selected_counts_but_connections_are_still_named() {
    let (handshake, end) = (samples::handshake(), samples::end());
    let (hello, bye) = (samples::text(b"hello"), samples::close());
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (8, 1893, Event::Message(&hello)),
        (9, 2000, Event::Message(&bye)),
        (14, 4800, Event::End(&end)),
    ];
    let options = StatsOptions { json: true, ..StatsOptions::default() };
    let texts = Where(
        |_: &Cx<'_>, event: &Event<'_>| matches!(event, Event::Message(m) if m.kind == MessageKind::Text),
    );
    let mut said = StatsSink::of(Vec::new(), StatsOptions::default(), texts);
    samples::feed(&mut said, &events);
    samples::finish(&mut said);
    let said = String::from_utf8(said.into_inner()).unwrap();
    assert!(said.contains("\n14 packets, 1 WebSocket connection, 1 message, no notes\n"), "{said}");
    let got = lines(StatsSink::of(Vec::new(), options.clone(), texts), &events);
    assert_eq!((&got[0]["path"], &got[0]["how"]), (&"/chat".into(), &"close".into()));
    assert_eq!((&got[1]["messages"], &got[1]["connections"]), (&1.into(), &1.into()));
    let nothing = Where(|_: &Cx<'_>, _: &Event<'_>| false);
    let got = lines(StatsSink::of(Vec::new(), options, nothing), &events);
    assert_eq!((got.len(), &got[0]["connections"]), (1, &0.into()));
}

#[test]
fn connections_that_never_end_are_told_at_the_end_by_number() {
    let hello = samples::text(b"x");
    let mut sink =
        StatsSink::new(Vec::new(), StatsOptions { json: true, ..StatsOptions::default() });
    for packet in [30, 10, 20] {
        let info = samples::conn(packet);
        let cx = Cx { conn: &info, origin: Origin::default() };
        assert!(sink.event(&cx, &Event::Message(&hello)).is_continue());
    }
    samples::finish(&mut sink);
    let text = String::from_utf8(sink.into_inner()).unwrap();
    let streams: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["tcp_stream"].clone())
        .collect();
    assert_eq!(streams, [29.into(), 9.into(), 19.into(), Value::Null]);
}

/// Feeds `n` refused attempts, the first the busiest by its number.
fn refused(n: u64, options: StatsOptions) -> String {
    let refused = samples::rejected();
    let mut sink = StatsSink::new(Vec::new(), options);
    for packet in 1..=n {
        let info = samples::conn(packet);
        let cx = Cx { conn: &info, origin: samples::origin(packet, 412) };
        assert!(sink.event(&cx, &Event::Handshake(&refused)).is_continue());
    }
    assert!(sink.open.places.is_empty() && sink.open.rows.len() <= 1, "nothing is kept");
    samples::finish(&mut sink);
    String::from_utf8(sink.into_inner()).unwrap()
}

#[test]
fn beyond_what_is_sorted_rows_come_as_they_end_and_that_is_said() {
    let few = refused(3, StatsOptions::default());
    assert!(few.contains("rejected 403") && !few.contains("order in which they ended"), "{few}");
    let many = refused(SORTED as u64 + 2, StatsOptions::default());
    assert!(many.contains("2 connections more than the 10000"), "{}", &many[many.len() - 400..]);
    assert_eq!(many.matches("rejected 403").count(), SORTED + 2);
    let quiet = StatsOptions { verbosity: Verbosity::Quiet, ..StatsOptions::default() };
    assert!(!refused(3, quiet).contains("rejected 403"));
}

#[test]
fn rows_are_sorted_as_asked() {
    let end = samples::end();
    let by = |sort| {
        let mut sink = StatsSink::new(Vec::new(), StatsOptions { sort, ..StatsOptions::default() });
        for (packet, bytes) in [(1, 5), (2, 50), (3, 20)] {
            let info = samples::conn(packet);
            let cx = Cx { conn: &info, origin: samples::origin(packet, 412) };
            let message = Message { no: MessageNo(1), wire_len: bytes, ..samples::text(b"") };
            let _ = sink.event(&cx, &Event::Message(&message));
            let _ = sink.event(&cx, &Event::End(&end));
        }
        samples::finish(&mut sink);
        let text = String::from_utf8(sink.into_inner()).unwrap();
        let rows = text.lines().filter(|line| line.contains("  close "));
        rows.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by(Sort::Number), ["1", "2", "3"]);
    assert_eq!(by(Sort::Bytes), ["2", "3", "1"]);
}

#[test]
fn nothing_of_the_network_reaches_the_terminal_raw() {
    let mut handshake = samples::handshake();
    let nasty = "\x1b[2J\u{9b}31m\r\n\u{202e}";
    handshake.subprotocol = Some(nasty.into());
    handshake.extensions = Some(nasty.into());
    handshake.request.as_mut().unwrap().target = nasty.into();
    let mut end = samples::end();
    end.cause = nasty.into();
    let events = [(6, 412, Event::Handshake(&handshake)), (14, 4800, Event::End(&end))];
    for json in [false, true] {
        let verbosity = Verbosity::Verbose;
        let options = StatsOptions { json, verbosity, ..StatsOptions::default() };
        let text = text(options, &events);
        let raw = |c: char| c != '\n' && crate::sink::escape::is_unsafe(c);
        assert!(!text.contains(raw), "{text:?}");
    }
}

#[test]
fn messages_that_are_only_counted_leave_the_same_rows() {
    let (handshake, end) = (samples::handshake(), samples::end());
    let message = Message { len: 5, wire_len: 5, payload: Payload::Skipped, ..samples::text(b"") };
    let (begun, ended) = (Event::Handshake(&handshake), Event::End(&end));
    // The last message stands in the capture behind the packet that ended the connection.
    for last in [12, 26] {
        let rows = [false, true].map(|counted| {
            let info = samples::conn(1);
            let cx = |packet| Cx { conn: &info, origin: samples::origin(packet, 400) };
            let options = StatsOptions { json: true, ..StatsOptions::default() };
            let mut sink = StatsSink::new(Vec::new(), options);
            let mut flow = vec![sink.event(&cx(6), &begun)];
            for (packet, dir) in [(8, Direction::ToServer), (last, Direction::ToClient)] {
                let (kind, no, wire_len) = (message.kind, MessageNo(1), message.wire_len);
                flow.push(if counted {
                    let counted = Counted { dir, no, kind, compressed: false, wire_len };
                    sink.counted(&cx(packet), counted)
                } else {
                    sink.event(&cx(packet), &Event::Message(&Message { dir, ..message }))
                });
            }
            flow.push(sink.event(&cx(18), &ended));
            assert!(flow.iter().all(ControlFlow::is_continue));
            samples::finish(&mut sink);
            String::from_utf8(sink.into_inner()).unwrap()
        });
        assert_eq!(rows[0], rows[1]);
        assert!(rows[0].contains("\"packet\":18,"), "{}", rows[0]);
    }
}
