//! Tests of what a filter selects.

use super::fixtures::{GAP, TIME, close, conn, cx, data, end, frame, handshake, text};
use super::{Filter, Needs, Opening, Subject, Unknown};
use crate::event::{Event, Message, MessageKind, Outcome, Payload};
use crate::note::{Blame, Note, NoteCode};
use crate::process::{Ends, Process};
use crate::units::{ConnNo, Timestamp};

/// Does the filter select the event, on connection 3, two seconds into the capture.
fn selects(filter: &str, event: &Event<'_>) -> bool {
    let filter = match Filter::parse(filter) {
        Ok(filter) => filter,
        Err(error) => panic!("{error}"),
    };
    let (conn, handshake) = (conn(10), handshake(Outcome::Accepted));
    let cx = cx(&conn);
    let node = Process { pid: 77, name: "node".into(), command: "node a.js".into() };
    let ends = Ends { client: None, server: Some(std::sync::Arc::new(node)) };
    let subject = Subject {
        conn: Some(ConnNo(3)),
        opening: Opening::Whole(&handshake),
        first_time: Some(Timestamp(TIME.0 - 2_000_000_000)),
        process: Some(&ends),
        ..Subject::new(&cx, event)
    };
    let answer = filter.matches(&subject);
    let facts = filter.facts(&handshake);
    let short = Subject { opening: Opening::Facts(&facts), ..subject };
    assert_eq!(filter.matches(&short), answer, "facts instead of the handshake: {filter}");
    assert_eq!(filter.decide(&subject), Some(answer), "nothing is unknown: {filter}");
    answer
}

fn all(event: &Event<'_>, yes: &[&str], no: &[&str]) {
    for filter in yes {
        assert!(selects(filter, event), "{filter}");
    }
    for filter in no {
        assert!(!selects(filter, event), "{filter}");
    }
}

#[test]
fn every_event_has_its_connection_packet_and_time() {
    let (message, frame, handshake, end) =
        (text("x"), frame(), handshake(Outcome::Accepted), end());
    for event in [
        Event::Message(&message),
        Event::Frame(&frame),
        Event::Handshake(&handshake),
        Event::End(&end),
        GAP,
    ] {
        all(
            &event,
            &[
                "conn == 3",
                "conn in {1, 3..5}",
                "conn != 4",
                "packet == 12",
                "frame.number in {10..12}",
                "time == 2026-11-22T16:01:02.5Z",
                "time > \"2026-11-22 16:01\"",
                "time_relative == 2",
                "time_relative > 1999ms",
                "tcp_stream == 4",
                "client == 10.1.2.3",
                "client == 10.1.2.3:50000",
                "client == 10.1.0.0/16",
                "server != 10.1.0.0/16",
                "ip.addr == 10.9.9.9",
                "ip.addr == 10.0.0.0/8",
                "tcp.port == 8088",
                "process == node",
                "process.pid == 77",
                "process.command contains \"a.js\"",
                "ip and tcp",
                "outcome == accepted",
            ],
            &[
                "conn == 4",
                "conn not in {3}",
                "conn > 3",
                "time < 2026-11-22T16:01:02.5Z",
                "time_relative < 2",
                "client == 10.1.2.3:50001",
                "client != 10.1.2.3",
                "server == 10.1.0.0/16",
                "ip.addr == 11.0.0.0/8",
                "ip.addr == ::/0",
                "tcp.port == 80",
                "ipv6",
            ],
        );
    }
}

#[test]
fn messages_are_told_by_what_they_are() {
    let message = text("hello wörld");
    all(
        &Event::Message(&message),
        &[
            "websocket",
            "event == message",
            "dir == c2s",
            "kind == text",
            "kind in {text, binary}",
            "kind contains ex",
            "kind matches \"^T\"",
            "opcode == 1",
            "websocket.opcode == text",
            "n == 7",
            "len == 12",
            "len <= 12",
            "len < 1k",
            "wire_len == 5",
            "frames > 1",
            "compressed",
            "compressed == true",
            "complete",
            "text",
            "payload == \"hello wörld\"",
            "payload contains 68:65",
        ],
        &[
            "dir == s2c",
            "kind != text",
            "kind == ping",
            "opcode == 9",
            "len != 12",
            "len > 12",
            "len in {1..11, 13}",
            "not compressed",
            "complete == false",
            "data",
            "fin",
            "masked",
            "close.code",
            "event == frame",
            "http",
            "note",
            "end.how",
            "gap.bytes",
        ],
    );
}

#[test]
fn text_is_searched_and_compared() {
    let message = text("Hello \"wörld\" 42");
    all(
        &Event::Message(&message),
        &[
            "text contains Hello",
            "text contains \"\\\"w\"",
            "text contains \"\"",
            "text matches \"hello\"",
            "text ~ \"HELLO\"",
            "text ~ \"\\d+$\"",
            "text ~ r\"\\d+$\"",
            "text matches \"WÖRLD\"",
            "text > H and text < I",
            "text in {A..Z}",
            "text == \"Hello \\\"wörld\\\" 42\"",
        ],
        &[
            "text contains hello",
            "text ~ \"(?-i)hello\"",
            "text ~ \"^ello\"",
            "text == Hello",
            "text contains \"Hello \\\"wörld\\\" 42!\"",
            "text > I",
        ],
    );
}

#[test]
fn other_payloads_are_bytes() {
    let message = data(MessageKind::Binary, b"\x00\xffGET");
    all(
        &Event::Message(&message),
        &[
            "data",
            "data contains 00:ff",
            "data contains \"GET\"",
            "data contains \"\\xffG\"",
            "data == 00ff474554",
            "data > 00:fe",
            "data matches \"get$\"",
            "data matches \"(?-u)^\\x00\\xff\"",
            "payload contains ff-47",
            "ip.src == 10.9.9.9",
            "tcp.srcport == 8088 and tcp.dstport == 50000",
        ],
        &["text", "data contains \"get\"", "data == 00:ff", "json", "ip.src == 10.1.2.3"],
    );
}

#[test]
fn closes_have_code_and_reason() {
    let message = close();
    all(
        &Event::Message(&message),
        &[
            "close.code == 1001",
            "close.code in {1000..1015}",
            "close.reason contains away",
            "websocket.payload.close.status_code != 1000",
            "kind == close",
        ],
        &["close.code == 1000", "close.code > 0x3e9"],
    );
}

#[test]
fn frames_have_their_header() {
    let frame = frame();
    all(
        &Event::Frame(&frame),
        &[
            "event == frame",
            "websocket",
            "opcode == ping",
            "rsv == 4",
            "fin == 0",
            "not fin",
            "masked",
            "websocket.mask == 1",
            "mask == 01:02:03:ff",
            "n == 3",
            "len == 2",
            "payload == \"hi\"",
        ],
        &["fin", "kind", "text", "compressed", "masked == false"],
    );
}

#[test]
fn handshake_is_known_to_every_event_of_its_connection() {
    let (message, head) = (text("x"), handshake(Outcome::Accepted));
    for event in [Event::Message(&message), Event::Handshake(&head)] {
        all(
            &event,
            &[
                "http.request.method == GET",
                "http.request.uri == \"/chat/room?id=1\"",
                "http.request.path == /chat/room",
                "http.request.uri.query == \"id=1\"",
                "http.request.version == 1.1",
                "http.request.version == \"HTTP/1.1\"",
                "http.request.packet == 4",
                "http.response.packet == 6",
                "http.request.time == 2026-11-22T16:01:02.5Z",
                "http.response.code == 101",
                "http.response.phrase contains Switching",
                "http.host == example.org",
                "http.header.origin matches \"^https://\"",
                "http.request.header.x-forwarded-for == 5.6.7.8",
                "http.response.header.server == nginx",
                "http.header.upgrade",
                "http.header[\"Upgrade\"] == websocket",
                "subprotocol == mqtt",
                "extensions contains permessage-deflate",
                "http.version == 1.1",
            ],
            &[
                "http.response.header.origin",
                "http.request.header.server",
                "http.header.cookie",
                "http.response.code in {200, 400..599}",
                "subprotocol != mqtt",
                "outcome in {rejected, invalid}",
            ],
        );
    }
}

#[test]
fn comparisons_with_several_values_are_as_in_wireshark() {
    let head = handshake(Outcome::Accepted);
    // x-forwarded-for has the values 1.2.3.4 and 5.6.7.8; x-none has none.
    all(
        &Event::Handshake(&head),
        &[
            "http.header.x-forwarded-for == 1.2.3.4",
            "http.header.x-forwarded-for != 9.9.9.9",
            "http.header.x-forwarded-for !== 1.2.3.4",
            "http.header.x-forwarded-for not in {9.9.9.9}",
            "not http.header.x-none == 1",
            "ip.addr != 10.0.0.1",
            "note.severity === error or note.severity !== error",
        ],
        &[
            "http.header.x-forwarded-for != 1.2.3.4",
            "http.header.x-forwarded-for === 1.2.3.4",
            "http.header.x-forwarded-for not in {1.2.3.4}",
            "http.header.x-none != 1",
            "http.header.x-none not in {1}",
            "http.header.x-none !== 1",
            "ip.addr != 10.1.2.3",
        ],
    );
}

#[test]
fn notes_are_told_by_code_severity_and_blame() {
    let head = handshake(Outcome::Accepted);
    all(
        &Event::Handshake(&head),
        &[
            "note",
            "http",
            "note.code == accept-mismatch",
            "note.code matches \"^accept\"",
            "note.severity == error",
            "note.severity > warning",
            "note.severity in {warning..error}",
            "note.severity < warning",
            "note.blame == proxy",
            "note.text contains \"want\"",
            "note.ref contains \"6455\"",
        ],
        &["note.code == mask-zero", "note.severity == warning", "note.blame == client"],
    );
    // A code of severity error is a warning where the capture is to blame.
    let notes = [Note::new(NoteCode::Utf8Invalid, Blame::Capture, "cut")];
    let message = Message { notes: &notes, ..text("x") };
    all(
        &Event::Message(&message),
        &["note.severity == warning", "severity >= warning"],
        &["note.severity >= error", "note.severity != warning"],
    );
}

#[test]
fn gaps_and_ends_have_their_own_fields() {
    all(
        &GAP,
        &["event == gap", "gap.bytes > 1k", "gap.bytes == 1460", "dir == s2c"],
        &["websocket", "gap.bytes > 2k", "kind"],
    );
    let end = end();
    all(
        &Event::End(&end),
        &[
            "end.how == rst",
            "end.how in {rst, fin}",
            "end.by == server",
            "end.cause contains reset",
            "end.evidence == 91",
            "duration == 1.5",
            "duration > 1499ms",
            "duration_ns == 1500000000",
            "end.messages == 5",
            "end.bytes > 4k",
            "ip.src == 10.1.2.3",
        ],
        &["end.how == fin", "end.by == client", "duration > 2s", "dir", "end.messages > 5"],
    );
}

#[test]
fn json_paths_reach_into_payloads() {
    let message = text(
        r#"{"user":{"id":7,"name":"Zoë","tags":["a","b"]},"items":[{"type":"ack","x":1.5},{"type":"nak","x":-2}],"ok":true,"none":null,"big":18446744073709551615}"#,
    );
    all(
        &Event::Message(&message),
        &[
            "json",
            "json.user",
            "json.user.id == 7",
            "json.user.id == 7.0",
            "json.user.id != 8",
            "json.user.id in {5..9}",
            "json.user.name == \"Zoë\"",
            "json.user.name contains \"oë\"",
            "json.user.name matches \"^zO\"",
            "json.user.tags[1] == b",
            "json.user.tags[*] == a",
            "json.items[0].type == \"ack\"",
            "json.items[*].type == nak",
            "json.items[*].x < 0",
            "json.items[0].x > 1.25",
            "json..x == -2",
            "json..id",
            "json.ok == true",
            "json.none",
            "json.none == null",
            "json.big == 18446744073709551615",
            "json[\"user\"][\"id\"] == 7",
        ],
        &[
            "json.user.id == 8",
            "json.user.id == \"7\"",
            "json.user.id contains 7",
            "json.user.ID",
            "json.id",
            "json.user == 7",
            "json.items[2]",
            "json.items[*].type != nak",
            "json.user.name > 5",
            "json.ok == 1",
            "json.ok == false",
            "json.missing != 7",
        ],
    );
    for broken in ["{\"a\":1", "{\"a\":1}}", "a", ""] {
        all(&Event::Message(&text(broken)), &["not json"], &["json", "json.a", "json.a == 1"]);
    }
    all(&Event::Message(&data(MessageKind::Binary, b"{\"a\":1}")), &["json.a == 1"], &[]);
    all(&Event::Message(&data(MessageKind::Ping, b"{\"a\":1}")), &[], &["json.a == 1", "json"]);
}

#[test]
fn logic_combines_as_written() {
    let message = text("x");
    all(
        &Event::Message(&message),
        &[
            "conn == 4 and conn == 3 or conn == 3",
            "conn == 3 or conn == 3 and conn == 4",
            "not conn == 4 and conn == 3",
            "not not conn == 3",
            "!(conn == 4 || n == 8)",
        ],
        &["conn == 4 and (conn == 3 or conn == 3)", "not (conn == 3 or n == 8)"],
    );
}

/// What is known of a row without payload, or without more.
fn decide(filter: &str, message: &Message<'_>, unknown: Unknown) -> Option<bool> {
    let conn = conn(10);
    let cx = cx(&conn);
    let event = Event::Message(message);
    let subject = Subject { conn: Some(ConnNo(3)), unknown, ..Subject::new(&cx, &event) };
    Filter::parse(filter).unwrap().decide_without_payload(&subject)
}

#[test]
fn rows_are_decided_without_payload_where_that_is_possible() {
    let row = Message { payload: Payload::Skipped, ..text("x") };
    let none = Unknown::default();
    for (filter, want) in [
        ("conn == 3", Some(true)),
        ("text contains x", None),
        ("not text contains x", None),
        ("conn == 4 and text contains x", Some(false)),
        ("text contains x and conn == 4", Some(false)),
        ("conn == 3 and text contains x", None),
        ("conn == 3 or text contains x", Some(true)),
        ("conn == 4 or text contains x", None),
        ("not (conn == 4 and text contains x)", Some(true)),
        ("json.a == 1", None),
        ("payload contains ff", None),
        ("close.code == 1000", Some(false)),
        ("note", Some(false)),
        ("text contains x or not text contains x", None),
    ] {
        assert_eq!(decide(filter, &row, none), want, "{filter}");
    }
    let ping = Message { kind: MessageKind::Ping, ..row };
    assert_eq!(decide("text contains x", &ping, none), Some(false), "a ping has no text");
    assert_eq!(decide("json.a == 1", &ping, none), Some(false));
    let less = Unknown { notes: true, close: true, frames: true, payload: true };
    assert_eq!(decide("note.code == mask-zero", &row, less), None);
    assert_eq!(decide("frames > 1", &row, less), None);
    assert_eq!(decide("close.code == 1000", &row, less), Some(false), "a text has no code");
    assert_eq!(
        decide("close.code == 1000", &Message { payload: Payload::Skipped, ..close() }, less),
        None
    );
}

#[test]
fn a_payload_that_was_not_kept_counts_as_not_there() {
    let skipped = Message { payload: Payload::Skipped, ..text("x") };
    all(
        &Event::Message(&skipped),
        &["not text", "not text contains x"],
        &["text", "text contains x", "payload", "json"],
    );
}

#[test]
fn needs_are_what_is_read() {
    let needs = |filter: &str| Filter::parse(filter).unwrap().needs();
    assert_eq!(needs("conn == 3 and dir == c2s"), Needs::default());
    assert_eq!(needs("text"), Needs { payload: true, ..Needs::default() });
    assert_eq!(needs("len > 4k"), Needs { payload: true, ..Needs::default() });
    assert_eq!(needs("note"), Needs { payload: true, ..Needs::default() });
    assert_eq!(needs("not json.a"), Needs { payload: true, json: true, ..Needs::default() });
    assert_eq!(needs("fin or rsv == 1"), Needs { frames: true, ..Needs::default() });
    assert_eq!(needs("http.host == x"), Needs { handshake: true, ..Needs::default() });
}

#[test]
fn facts_have_room_for_any_number_of_questions() {
    let asked = (0..200).map(|n| format!("http.response.code == {n}")).collect::<Vec<_>>();
    let message = text("x");
    assert!(selects(&asked.join(" or "), &Event::Message(&message)));
    assert!(!selects(&asked[..101].join(" or "), &Event::Message(&message)));
}

#[test]
fn addresses_compare_in_both_families_and_as_mapped() {
    let mut info = conn(10);
    info.client = "[::ffff:10.0.0.7]:1".parse().unwrap();
    info.server = "[2001:db8::5]:443".parse().unwrap();
    let cx = cx(&info);
    let message = text("x");
    let event = Event::Message(&message);
    let subject = Subject::new(&cx, &event);
    let selects = |filter: &str| Filter::parse(filter).unwrap().matches(&subject);
    for yes in [
        "ip.src == 10.0.0.7",
        "ip.src == 10.0.0.0/8",
        "ip.src == 0.0.0.0/0",
        "client == 10.0.0.7:1",
        "ip.dst == 2001:db8::/32",
        "ipv6.dst == 2001:db8::5",
        "ip.dst in {2001:db8::1..2001:db8::9}",
        "server == [2001:db8::5]:443",
        "ip.src > 10.0.0.6",
        "ip.addr == ::/0",
    ] {
        assert!(selects(yes), "{yes}");
    }
    for no in ["ip.dst == 0.0.0.0/0", "ip.src == ::/0", "ip.dst == 2001:db9::/32", "ip.src > ::1"] {
        assert!(!selects(no), "{no}");
    }
}
