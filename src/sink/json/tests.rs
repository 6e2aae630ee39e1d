//! The lines read back as the table of fields promises.

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::event::{Frame, Message, MessageKind, Opcode, Payload};
use crate::packet::Skip;
use crate::pipeline::Totals;
use crate::sink::samples;
use crate::units::Direction;

/// Every field named, none unknown: a missing or an extra key fails.
#[allow(clippy::large_enum_variant, reason = "a few lines in a test")]
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "event")]
enum Line {
    Handshake {
        conn: u64,
        time: Option<String>,
        packet: u64,
        tcp_stream: u64,
        client: String,
        server: String,
        http: String,
        h2_stream: Option<u32>,
        process: Box<Value>,
        tls: Value,
        outcome: String,
        request: Option<Request>,
        response: Option<Response>,
        subprotocol: Option<String>,
        extensions: Option<String>,
        notes: Vec<NoteLine>,
    },
    Frame {
        conn: u64,
        dir: String,
        time: Option<String>,
        packet: u64,
        n: u64,
        fin: bool,
        rsv: u8,
        opcode: u8,
        masked: bool,
        mask: Option<String>,
        len: u64,
        payload: String,
        complete: bool,
        notes: Vec<NoteLine>,
    },
    Message {
        conn: u64,
        dir: String,
        time: Option<String>,
        packet: u64,
        n: u64,
        kind: String,
        len: u64,
        wire_len: u64,
        frames: u32,
        compressed: bool,
        complete: bool,
        text: Option<String>,
        data: Option<String>,
        close_code: Option<u16>,
        close_reason: Option<String>,
        notes: Vec<NoteLine>,
    },
    Gap {
        conn: u64,
        dir: String,
        time: Option<String>,
        packet: u64,
        bytes: u64,
    },
    End {
        conn: u64,
        time: Option<String>,
        packet: u64,
        how: String,
        by: Option<String>,
        cause: String,
        evidence: Vec<u64>,
        duration_ns: Option<i64>,
        messages: Both,
        bytes: Both,
        notes: Vec<NoteLine>,
    },
    Capture {
        packets: u64,
        bytes: u64,
        first_time: Option<String>,
        last_time: Option<String>,
        tcp_streams: u64,
        connections: u64,
        messages: u64,
        notes: Severities,
        unread: Value,
        skipped: Value,
        no_tcp: Value,
        dropped: Option<u64>,
        truncated: Option<String>,
    },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    target: String,
    version: String,
    headers: Vec<(String, String)>,
    packet: u64,
    time: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    reason: String,
    version: String,
    headers: Vec<(String, String)>,
    packet: u64,
    time: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct NoteLine {
    code: String,
    severity: String,
    blame: String,
    text: String,
    r#ref: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Both {
    c2s: u64,
    s2c: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Severities {
    error: u64,
    warning: u64,
    info: u64,
}

fn lines(events: &[(u64, i64, Event<'_>)]) -> Vec<Line> {
    let mut sink = JsonSink::new(Vec::new(), true);
    samples::feed(&mut sink, events);
    samples::finish(&mut sink);
    let text = String::from_utf8(sink.into_inner()).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn handshake_line_tells_both_heads() {
    let handshake = samples::handshake();
    let Line::Handshake {
        conn,
        time,
        packet,
        client,
        server,
        http,
        outcome,
        request,
        response,
        subprotocol,
        tls,
        ..
    } = lines(&[(6, 412, Event::Handshake(&handshake))]).remove(0)
    else {
        panic!("not a handshake")
    };
    assert_eq!((conn, packet), (1, 6));
    assert_eq!(time.unwrap(), "2026-11-22T16:00:00.000412000Z");
    assert_eq!((client.as_str(), server.as_str()), ("127.0.0.1:40938", "[::1]:8088"));
    assert_eq!((http.as_str(), outcome.as_str(), tls), ("1.1", "accepted", Value::Null));
    let request = request.unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/chat"));
    assert_eq!(request.headers[0], ("Host".into(), "server.example.com".into()));
    assert_eq!((request.packet, request.headers.len()), (4, 7));
    assert_eq!(response.unwrap().status, 101);
    assert_eq!(subprotocol.unwrap(), "chat");
}

#[test]
fn absent_heads_are_null() {
    let mut handshake = samples::handshake();
    handshake.request = None;
    handshake.response = None;
    let Line::Handshake { request, response, .. } =
        lines(&[(6, 412, Event::Handshake(&handshake))]).remove(0)
    else {
        panic!("not a handshake")
    };
    assert_eq!((request, response), (None, None));
}

#[test]
fn header_bytes_beyond_utf8_stand_for_themselves() {
    let mut handshake = samples::rejected();
    if let Some(response) = &mut handshake.response {
        response.fields.0[0].value = b"caf\xe9\x1b".as_slice().into();
    }
    let Line::Handshake { response, .. } =
        lines(&[(6, 412, Event::Handshake(&handshake))]).remove(0)
    else {
        panic!("not a handshake")
    };
    assert_eq!(response.unwrap().headers[0].1, "caf\u{e9}\u{1b}");
}

#[test]
fn text_goes_as_text_and_anything_else_as_base64() {
    let not_utf8 = Message { payload: Payload::Data(b"\xff"), ..samples::text(b"\xff") };
    let ping = Message { kind: MessageKind::Ping, ..samples::binary(b"hi") };
    let skipped = Message { payload: Payload::Skipped, ..samples::text(b"") };
    let got: Vec<_> = lines(&[
        (8, 1, Event::Message(&samples::text("Grüße".as_bytes()))),
        (9, 2, Event::Message(&not_utf8)),
        (10, 3, Event::Message(&ping)),
        (11, 4, Event::Message(&samples::close())),
        (12, 5, Event::Message(&skipped)),
    ])
    .into_iter()
    .filter_map(|line| match line {
        Line::Message { kind, text, data, close_code, close_reason, .. } => {
            Some((kind, text, data, close_code, close_reason))
        }
        _ => None,
    })
    .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        got,
        [
            ("text".into(), some("Grüße"), None, None, None),
            ("text".into(), None, some("/w=="), None, None),
            ("ping".into(), None, some("aGk="), None, None),
            ("close".into(), None, some("A+hieWU="), Some(1000), some("bye")),
            ("text".into(), None, None, None, None),
        ]
    );
}

#[test]
fn message_line_byte_for_byte() {
    let mut sink = JsonSink::new(Vec::new(), false);
    let message = Message {
        dir: Direction::ToClient,
        wire_len: 3,
        compressed: true,
        notes: &[samples::note("rsv-set")],
        ..samples::text(b"Hello")
    };
    samples::feed(&mut sink, &[(8, 1893, Event::Message(&message))]);
    assert!(sink.flush().is_continue());
    assert_eq!(
        String::from_utf8(sink.into_inner()).unwrap(),
        concat!(
            r#"{"event":"message","conn":1,"dir":"s2c","time":"2026-11-22T16:00:00.001893000Z","#,
            r#""packet":8,"n":1,"kind":"text","len":5,"wire_len":3,"frames":1,"compressed":true,"#,
            r#""complete":true,"text":"Hello","data":null,"close_code":null,"close_reason":null,"#,
            r#""notes":[{"code":"rsv-set","severity":"error","blame":"server","#,
            r#""text":"the text of rsv-set","ref":"RFC 6455 §5.2"}]}"#,
            "\n"
        )
    );
}

#[test]
fn frame_line_has_the_header_as_sent() {
    let masked = samples::frame(b"Hello");
    let bare = Frame { mask: None, opcode: Opcode::Reserved(11), rsv: 4, fin: false, ..masked };
    let got = lines(&[(8, 1, Event::Frame(&masked)), (9, 2, Event::Frame(&bare))]);
    let Line::Frame { mask, masked, payload, opcode, rsv, fin, len, .. } = &got[0] else {
        panic!("not a frame")
    };
    assert_eq!((mask.as_deref(), *masked, payload.as_str()), (Some("37fa213d"), true, "SGVsbG8="));
    assert_eq!((*opcode, *rsv, *fin, *len), (1, 0, true, 5));
    let Line::Frame { mask, masked, opcode, rsv, fin, .. } = &got[1] else { panic!("not a frame") };
    assert_eq!((mask.as_deref(), *masked, *opcode, *rsv, *fin), (None, false, 11, 4, false));
}

#[test]
fn gap_end_and_capture_lines() {
    let end = samples::end();
    let got = lines(&[(9, 1, Event::Gap(samples::gap())), (14, 4800, Event::End(&end))]);
    let [Line::Gap { dir, bytes, .. }, end, capture] = &got[..] else { panic!("{got:?}") };
    assert_eq!((dir.as_str(), *bytes), ("s2c", 1448));
    let Line::End { how, by, evidence, duration_ns, messages, bytes, .. } = end else {
        panic!("not an end")
    };
    assert_eq!((how.as_str(), by.as_deref()), ("close", Some("client")));
    assert_eq!((&evidence[..], *duration_ns), (&[12, 13][..], Some(4_800_000)));
    assert_eq!((messages, bytes), (&Both { c2s: 2, s2c: 2 }, &Both { c2s: 23, s2c: 20 }));
    let Line::Capture { packets, bytes, first_time, dropped, truncated, .. } = capture else {
        panic!("the last line is not the capture's")
    };
    assert_eq!((*packets, *bytes, *dropped, truncated.as_deref()), (14, 1620, None, None));
    assert_eq!(first_time.as_deref(), Some("2026-11-22T16:00:00.000000000Z"));
}

#[test]
fn capture_line_counts_and_names_what_was_skipped() {
    let mut sink = JsonSink::new(Vec::new(), false);
    let handshake = samples::rejected();
    samples::feed(&mut sink, &[(6, 412, Event::Handshake(&handshake))]);
    let skipped = vec![(Skip::BadTcpHeader, 3), (Skip::Udp, 40)];
    let totals = Totals { skipped, ..samples::totals() };
    let end = Summary { totals: &totals, dropped: Some(2), truncated: Some("cut at packet 15") };
    sink.finish(&end).unwrap();
    let text = String::from_utf8(sink.into_inner()).unwrap();
    let last: Line = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let Line::Capture { connections, notes, skipped, no_tcp, dropped, truncated, .. } = last else {
        panic!("the last line is not the capture's")
    };
    assert_eq!((connections, dropped), (1, Some(2)));
    assert_eq!(notes, Severities { error: 0, warning: 1, info: 0 });
    assert_eq!(skipped, serde_json::json!({"bad-tcp-header": 3}));
    assert_eq!(no_tcp, serde_json::json!({"udp": 40}));
    assert_eq!(truncated.as_deref(), Some("cut at packet 15"));
}

#[test]
fn every_field_stands_in_the_table() {
    let docs: Vec<&str> =
        include_str!("../json.rs").lines().take_while(|line| line.starts_with("//!")).collect();
    let lists = |field: &str| {
        let name = format!("`{field}`");
        docs.iter().any(|row| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name)))
    };
    let (handshake, end) = (samples::handshake(), samples::end());
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (8, 500, Event::Frame(&samples::frame(b"x"))),
        (8, 500, Event::Message(&samples::text(b"x"))),
        (9, 600, Event::Gap(crate::event::Gap { dir: Direction::ToServer, bytes: 1 })),
        (14, 4800, Event::End(&end)),
    ];
    let mut sink = JsonSink::new(Vec::new(), true);
    samples::feed(&mut sink, &events);
    samples::finish(&mut sink);
    let text = String::from_utf8(sink.into_inner()).unwrap();
    assert_eq!(text.lines().count(), 6);
    for line in text.lines() {
        let line: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        for field in line.keys() {
            assert!(lists(field), "{field} is not told of");
        }
    }
}

#[test]
fn a_closed_pipe_ends_the_run_silently() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = JsonSink::new(Gone, false);
    samples::feed(&mut sink, &[(8, 1, Event::Message(&samples::text(b"x")))]);
    assert!(sink.flush().is_break());
    samples::finish(&mut sink);
}

#[test]
fn messages_of_one_packet_have_the_lines_of_messages_on_their_own() {
    let there = samples::text(b"there");
    let back = Message { dir: Direction::ToClient, ..samples::binary(b"back") };
    let (a, b) = (samples::conn(1), samples::conn(2));
    let (first, second) = (samples::origin(7, 1), samples::origin(8, 1));
    let course = [
        (1, &a, first, &there),
        (1, &a, first, &there),
        (1, &a, first, &there),
        (1, &a, first, &back),
        (1, &a, first, &there),
        (2, &b, first, &there),
        (2, &b, first, &there),
        (1, &a, second, &there),
        (1, &a, second, &there),
    ];
    let mut sink = JsonSink::new(Vec::new(), false);
    let mut want = Vec::new();
    for (no, conn, origin, message) in course {
        let cx = Cx { conn, origin };
        assert!(sink.event(&cx, &Event::Message(message)).is_continue());
        line::message(&mut want, ConnNo(no), &cx, message);
    }
    assert!(sink.flush().is_continue());
    assert_eq!(String::from_utf8(sink.into_inner()), String::from_utf8(want));
}
