//! Documents read back as HAR 1.2 describes them.

use serde::Deserialize;

use super::*;
use crate::sink::samples;
use crate::sink::select::Where;

/// HAR 1.2: the fields that must be there, as types. Unknown fields are refused, custom ones aside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Har {
    log: Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it is there is the test")]
struct Log {
    version: String,
    creator: Creator,
    pages: Vec<()>,
    entries: Vec<HarEntry>,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it is there is the test")]
struct Creator {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it is there is the test")]
struct HarEntry {
    started_date_time: String,
    time: f64,
    request: Request,
    response: Response,
    cache: Cache,
    timings: Timings,
    #[serde(rename = "serverIPAddress")]
    server_ip_address: String,
    connection: String,
    comment: Option<String>,
    #[serde(rename = "_resourceType")]
    resource_type: String,
    #[serde(rename = "_webSocketMessages")]
    messages: Vec<HarMessage>,
    #[serde(rename = "_conn")]
    conn: u64,
    #[serde(rename = "_outcome")]
    outcome: String,
    #[serde(rename = "_how")]
    how: Option<String>,
    #[serde(rename = "_notes", default)]
    notes: Vec<serde_json::Value>,
    #[serde(rename = "_endNotes", default)]
    end_notes: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cache {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timings {
    send: f64,
    wait: f64,
    receive: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it is there is the test")]
struct Request {
    method: String,
    url: String,
    http_version: String,
    cookies: Vec<Cookie>,
    headers: Vec<Pair>,
    query_string: Vec<Pair>,
    headers_size: i64,
    body_size: i64,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it is there is the test")]
struct Response {
    status: u16,
    status_text: String,
    http_version: String,
    cookies: Vec<Cookie>,
    headers: Vec<Pair>,
    content: Content,
    #[serde(rename = "redirectURL")]
    redirect_url: String,
    headers_size: i64,
    body_size: i64,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it is there is the test")]
struct Content {
    size: i64,
    mime_type: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Cookie {
    name: String,
    value: String,
    path: Option<String>,
    domain: Option<String>,
    http_only: Option<bool>,
    secure: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HarMessage {
    r#type: String,
    time: f64,
    opcode: u8,
    data: String,
    #[serde(rename = "_incomplete", default)]
    incomplete: bool,
    #[serde(rename = "_text")]
    text: Option<bool>,
    #[serde(rename = "_notes", default)]
    notes: Vec<serde_json::Value>,
}

fn read<S: Select>(mut sink: HarSink<Vec<u8>, S>, events: &[(u64, i64, Event<'_>)]) -> Log {
    samples::feed(&mut sink, events);
    samples::finish(&mut sink);
    serde_json::from_slice::<Har>(&sink.into_inner()).unwrap().log
}

#[test]
fn a_connection_is_an_entry_as_browsers_write_it() {
    let mut handshake = samples::handshake();
    let request = handshake.request.as_mut().unwrap();
    request.target = "/chat?room=a+b&x".into();
    request.fields.0.extend(samples::fields(&[("Cookie", "sid=1; theme=dark")]).0);
    let response = handshake.response.as_mut().unwrap();
    let set = [("Set-Cookie", "sid=2; Path=/; HttpOnly; Max-Age=3")];
    response.fields.0.extend(samples::fields(&set).0);
    let (hello, end) = (samples::text(b"hello"), samples::end());
    let bytes = Message { dir: Direction::ToClient, ..samples::binary(b"foob") };
    let notes = [samples::note("utf8-invalid")];
    let wrong = Message { complete: false, notes: &notes, ..samples::text(b"\xff") };
    let close = samples::close();
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (8, 1893, Event::Message(&hello)),
        (9, 2115, Event::Message(&bytes)),
        (10, 2500, Event::Message(&wrong)),
        (11, 3000, Event::Message(&close)),
        (14, 4800, Event::End(&end)),
    ];
    let log = read(HarSink::new(Vec::new()), &events);
    assert_eq!((log.version.as_str(), log.creator.name.as_str()), ("1.2", "wstap"));
    let [entry] = log.entries.as_slice() else { panic!("{log:?}") };
    assert_eq!(entry.started_date_time, "2026-11-22T16:00:00.000Z");
    assert_eq!(entry.resource_type, "websocket");
    assert_eq!(entry.request.url, "ws://server.example.com/chat?room=a+b&x");
    assert_eq!(entry.request.http_version, "HTTP/1.1");
    let pair = |name: &str, value: &str| Pair { name: name.into(), value: value.into() };
    assert_eq!(entry.request.query_string, [pair("room", "a b"), pair("x", "")]);
    assert_eq!(entry.request.headers[0], pair("Host", "server.example.com"));
    let cookies: Vec<_> = entry.request.cookies.iter().map(|c| (&*c.name, &*c.value)).collect();
    assert_eq!(cookies, [("sid", "1"), ("theme", "dark")]);
    let set = &entry.response.cookies[0];
    assert_eq!((set.value.as_str(), set.path.as_deref()), ("2", Some("/")));
    assert_eq!((set.http_only, set.secure), (Some(true), None));
    assert_eq!((entry.response.status, entry.server_ip_address.as_str()), (101, "::1"));
    // Sent at 120 us, answered at 412 us, over at 4,800 us.
    let timings = [entry.timings.send, entry.timings.wait, entry.timings.receive, entry.time];
    assert_eq!(
        timings.map(|ms| format!("{ms:.6}")),
        ["0.000000", "0.292000", "4.388000", "4.680000"]
    );
    let told: Vec<_> = entry.messages.iter().map(|m| (&*m.r#type, m.opcode, &*m.data)).collect();
    // RFC 4648 section 10: "foob" is Zm9vYg==. The Close is 03 e8 and "bye".
    let want = [
        ("send", 1, "hello"),
        ("receive", 2, "Zm9vYg=="),
        ("send", 1, "/w=="),
        ("send", 8, "A+hieWU="),
    ];
    assert_eq!(told, want);
    assert_eq!(format!("{:.6}", entry.messages[0].time), "1795363200.001893");
    let wrong = &entry.messages[2];
    assert_eq!((wrong.incomplete, wrong.text, wrong.notes.len()), (true, Some(false), 1));
    assert_eq!(entry.how.as_deref(), Some("close"));
}

#[test]
fn a_refused_attempt_and_an_unseen_handshake_are_entries_too() {
    let refused = samples::rejected();
    let log = read(HarSink::new(Vec::new()), &[(6, 412, Event::Handshake(&refused))]);
    assert_eq!((log.entries[0].response.status, log.entries[0].messages.len()), (403, 0));

    let mut unseen = samples::handshake();
    unseen.outcome = crate::event::Outcome::Unseen;
    (unseen.request, unseen.response) = (None, None);
    let log = read(HarSink::new(Vec::new()), &[(6, 412, Event::Handshake(&unseen))]);
    assert_eq!(log.entries[0].request.url, "ws://[::1]:8088/");
    assert_eq!(log.entries[0].response.status, 0);
}

#[test]
fn only_messages_asked_for_are_there_with_their_handshake() {
    let (handshake, end) = (samples::handshake(), samples::end());
    let (yes, no) = (samples::text(b"yes"), samples::text(b"no"));
    let events = [
        (6, 412, Event::Handshake(&handshake)),
        (8, 1893, Event::Message(&yes)),
        (9, 2000, Event::Message(&no)),
        (14, 4800, Event::End(&end)),
    ];
    let select = Where(
        |_: &Cx<'_>, event: &Event<'_>| matches!(event, Event::Message(m) if m.payload == Payload::Text("yes")),
    );
    let log = read(HarSink::of(Vec::new(), select), &events);
    assert_eq!(log.entries[0].messages.len(), 1);
    assert_eq!(log.entries[0].request.method, "GET");
    let nothing = Where(|_: &Cx<'_>, _: &Event<'_>| false);
    assert!(read(HarSink::of(Vec::new(), nothing), &events).entries.is_empty());
}

#[test]
fn large_connections_at_once_are_spooled_and_come_out_apart() {
    let mut sink = HarSink::new(Vec::new());
    let infos = [samples::conn(1), samples::conn(2)];
    let (handshake, end) = (samples::handshake(), samples::end());
    let event = |sink: &mut HarSink<Vec<u8>>, at: usize, event: Event<'_>| {
        let cx = Cx { conn: &infos[at], origin: samples::origin(6, 412) };
        assert!(sink.event(&cx, &event).is_continue());
    };
    event(&mut sink, 0, Event::Handshake(&handshake));
    event(&mut sink, 1, Event::Handshake(&handshake));
    for n in 0..2000 {
        let text = format!("{n} {}", "x".repeat(200));
        let at = n % 2;
        event(&mut sink, at, Event::Message(&samples::text(text.as_bytes())));
    }
    event(&mut sink, 1, Event::End(&end));
    event(&mut sink, 0, Event::End(&end));
    samples::finish(&mut sink);
    let log = serde_json::from_slice::<Har>(&sink.into_inner()).unwrap().log;
    assert_eq!(log.entries.iter().map(|e| e.conn).collect::<Vec<_>>(), [2, 1]);
    for entry in &log.entries {
        let rest = entry.conn - 1;
        for (i, message) in (0..).zip(&entry.messages) {
            assert!(message.data.starts_with(&format!("{} ", 2 * i + rest)));
        }
        assert_eq!(entry.messages.len(), 1000);
    }
}
