use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::event::Wants;
use crate::flow::{Handler, Side};
use crate::limits::Limits;
use crate::units::{FlowId, PacketNo, StreamNo, Timestamp};
use crate::ws::fuzzing::Recorder;
use Side::{A, B};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// SETTINGS with extended CONNECT enabled.
const ENABLE: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01";
const TEXT: &[u8] = &[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
const ANSWER: &[u8] = b"\x81\x02HI";

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat()
}

fn request(stream: u8) -> Vec<u8> {
    let fields = b"\x02\x07CONNECT\x00\x09:protocol\x09websocket\x84\x86\x01\x01a\
                   \x00\x15sec-websocket-version\x0213";
    frame(1, 4, stream, fields)
}

fn accepted(stream: u8) -> Vec<u8> {
    frame(1, 4, stream, &[0x88])
}

struct Tcp {
    conns: Conns<Recorder>,
    conn: Conn,
    flow: FlowInfo,
    packet: u64,
}

impl Tcp {
    fn new() -> Self {
        let end = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            conns: Conns::new(Recorder::new(Wants::MESSAGES), Limits::default()),
            conn: Conn::default(),
            flow: FlowInfo {
                id: FlowId(PacketNo(1)),
                stream: StreamNo(0),
                a: end(40_000),
                b: end(80),
                opener: Some(A),
                begin: Origin::default(),
            },
            packet: 0,
        }
    }

    fn origin(&mut self) -> Origin {
        self.packet += 1;
        let time = i64::try_from(self.packet).unwrap() * 1_000_000;
        Origin { packet: PacketNo(self.packet), time: Some(Timestamp(time)) }
    }

    fn say(&mut self, side: Side, bytes: &[u8]) {
        let origin = self.origin();
        self.give(side, StreamEvent::Data { origin, bytes });
    }

    fn give(&mut self, side: Side, event: StreamEvent<'_>) {
        assert!(self.conns.stream(&self.flow, &mut self.conn, side, event).is_continue());
    }

    /// Two WebSockets, open at once.
    fn two() -> Self {
        let mut tcp = Self::new();
        tcp.say(A, PREFACE);
        tcp.say(B, ENABLE);
        tcp.say(A, &[request(1), request(3)].concat());
        tcp.say(B, &[accepted(3), accepted(1)].concat());
        tcp
    }

    fn finish(mut self) -> Recorder {
        let origin = self.origin();
        assert!(self.conns.finish(&self.flow, &mut self.conn, Finish::Tcp, origin).is_continue());
        self.conns.into_sink()
    }
}

fn payloads(heard: &Recorder) -> Vec<&str> {
    heard.messages.iter().map(|m| std::str::from_utf8(&m.payload).unwrap()).collect()
}

#[test]
fn streams_have_a_session_each() {
    let mut tcp = Tcp::two();
    // One frame over two DATA frames of one stream, the other's in between.
    tcp.say(A, &[frame(0, 0, 1, &TEXT[..3]), frame(0, 0, 3, TEXT)].concat());
    tcp.say(A, &frame(0, 0, 1, &TEXT[3..]));
    tcp.say(B, &frame(0, 0, 1, ANSWER));
    tcp.say(B, &frame(3, 0, 3, &[0, 0, 0, 8]));
    let heard = tcp.finish();
    assert_eq!(payloads(&heard), ["hi", "hi", "HI"]);
    let ends: Vec<&String> = heard.events.iter().filter(|e| e.contains("cause:")).collect();
    assert_eq!(ends.len(), 2);
    assert!(ends[0].contains("the server reset the stream (RST_STREAM CANCEL"), "{}", ends[0]);
    assert!(ends[1].contains("its end is not in the capture"), "{}", ends[1]);
}

const CALM: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x03\0\0\0\x0b";

#[test]
fn goaway_is_told_of_streams_that_were_opened_behind_it_too() {
    let mut tcp = Tcp::two();
    tcp.say(B, CALM);
    tcp.say(A, &request(5));
    tcp.say(B, &[&accepted(5), CALM].concat());
    let origin = tcp.origin();
    tcp.give(B, StreamEvent::Reset { origin });
    let heard = tcp.finish();
    let told = |event: &&String| event.contains("(GOAWAY ENHANCE_YOUR_CALM in packet 5)");
    assert_eq!(heard.events.iter().filter(told).count(), 3, "{:?}", heard.events);
}

#[test]
fn goaways_cost_no_walk_over_all_streams_each() {
    let mut tcp = Tcp::new();
    tcp.say(A, PREFACE);
    tcp.say(B, ENABLE);
    for stream in (1..2001_u32).step_by(2) {
        let on = |frame: Vec<u8>| [&frame[..5], &stream.to_be_bytes(), &frame[9..]].concat();
        tcp.say(A, &on(request(0)));
        tcp.say(B, &on(accepted(0)));
    }
    let begin = std::time::Instant::now();
    let many = CALM.repeat(1000);
    for _ in 0..100 {
        tcp.say(B, &many);
    }
    // As many walks over 1,000 streams take most of a minute without optimisation.
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    assert_eq!(tcp.finish().events.iter().filter(|e| e.contains("cause:")).count(), 1000);
}

#[test]
fn tcp_ends_all_streams_and_says_so() {
    let mut tcp = Tcp::two();
    tcp.say(B, CALM);
    let origin = tcp.origin();
    tcp.give(B, StreamEvent::Reset { origin });
    let heard = tcp.finish();
    let ends: Vec<&String> = heard.events.iter().filter(|e| e.contains("cause:")).collect();
    assert_eq!(ends.len(), 2);
    for end in ends {
        assert!(end.contains("the server reset TCP (RST) in packet 6"), "{end}");
        assert!(end.contains("(GOAWAY ENHANCE_YOUR_CALM in packet 5)"), "{end}");
    }
}

#[test]
fn a_server_may_speak_first() {
    let mut tcp = Tcp::new();
    tcp.say(B, &ENABLE[..5]);
    tcp.say(B, &ENABLE[5..]);
    tcp.say(A, PREFACE);
    tcp.say(A, &request(1));
    tcp.say(B, &accepted(1));
    tcp.say(A, &frame(0, 0, 1, TEXT));
    assert_eq!(payloads(&tcp.finish()), ["hi"]);
}

#[test]
fn an_upgrade_to_h2c_is_followed() {
    let mut tcp = Tcp::new();
    tcp.say(
        A,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
          HTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    tcp.say(B, &[&switch[..], ENABLE].concat());
    tcp.say(A, PREFACE);
    // The answer to the upgrade's own request is stream 1.
    tcp.say(B, &[accepted(1), frame(0, 1, 1, b"plain")].concat());
    tcp.say(A, &request(3));
    tcp.say(B, &accepted(3));
    tcp.say(A, &frame(0, 0, 3, TEXT));
    let heard = tcp.finish();
    assert_eq!(payloads(&heard), ["hi"]);
    assert!(!heard.codes.contains(&"connect-not-enabled"), "{:?}", heard.codes);
}

#[test]
fn a_gap_over_frame_headers_costs_what_it_held_and_is_laid_to_nobody() {
    let mut tcp = Tcp::two();
    tcp.say(A, &frame(0, 0, 1, TEXT));
    let origin = tcp.origin();
    tcp.give(A, StreamEvent::Gap { origin, len: 34, snapped: false });
    for _ in 0..4 {
        tcp.say(A, &[frame(0, 0, 1, TEXT), frame(0, 0, 3, TEXT)].concat());
    }
    let heard = tcp.finish();
    // Short frames are little evidence: not all of them need be found again, but none is made up.
    assert!(payloads(&heard).len() > 1 && payloads(&heard).len() <= 9, "{:?}", payloads(&heard));
    assert!(payloads(&heard).iter().all(|text| *text == "hi"));
    assert!(heard.codes.contains(&"bytes-missing"));
    let others: Vec<_> = heard
        .codes
        .iter()
        .filter(|c| !["bytes-missing", "resynchronised", "mask-reused"].contains(c))
        .collect();
    assert_eq!(others, [&"mask-reused"; 0], "{:?}", heard.texts);
}

#[test]
fn memory_that_is_taken_away_costs_no_step() {
    let mut tcp = Tcp::two();
    tcp.say(A, &frame(0, 0, 1, &TEXT[..4]));
    tcp.say(A, &[request(5), frame(0, 0, 5, TEXT)].concat());
    let origin = tcp.origin();
    let all = crate::flow::Shed::All;
    assert!(tcp.conns.shed(&tcp.flow, &mut tcp.conn, all, origin).is_continue());
    tcp.say(A, &frame(0, 0, 1, &TEXT[4..]));
    tcp.say(A, &frame(0, 0, 3, TEXT));
    tcp.say(B, &accepted(5));
    assert!(payloads(&tcp.finish()).contains(&"hi"));
}

#[test]
fn a_stream_whose_request_was_missed_is_known_by_its_frames() {
    let mut tcp = Tcp::new();
    tcp.say(A, PREFACE);
    tcp.say(B, ENABLE);
    let origin = tcp.origin();
    let len = (request(1).len() + request(3).len()) as u64;
    tcp.give(A, StreamEvent::Gap { origin, len, snapped: false });
    tcp.say(B, &[accepted(1), accepted(3), frame(1, 4, 7, &[0x88])].concat());
    for n in 0..8_u8 {
        let text = |mask: u8| {
            let body = format!("{{\"n\": {n}, \"ask\": true}}").into_bytes();
            let key = [mask, n, 7, 9];
            let body: Vec<u8> = body.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
            [&[0x81, 0x80 | u8::try_from(body.len()).unwrap()], &key[..], &body].concat()
        };
        tcp.say(A, &frame(0, 0, 1, &text(3)));
        tcp.say(A, &frame(0, 0, 3, &text(5)));
        tcp.say(B, &frame(0, 0, 1, ANSWER));
    }
    let heard = tcp.finish();
    let seen = payloads(&heard);
    assert_eq!(seen.iter().filter(|text| text.starts_with("{\"n\"")).count(), 16, "{seen:?}");
    let handshakes: Vec<_> = heard.events.iter().filter(|e| e.contains("outcome:")).collect();
    assert_eq!(handshakes.len(), 2);
    assert!(handshakes.iter().all(|e| e.contains("Unseen") && e.contains("Http2")));
}

/// A client's text frame under a masking key of its own.
fn masked(n: u8) -> Vec<u8> {
    let body = format!("{{\"n\": {n}, \"ask\": true}}").into_bytes();
    let key = [n ^ 0x5a, n, 7, 9];
    let body: Vec<u8> = body.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
    [&[0x81, 0x80 | u8::try_from(body.len()).unwrap()], &key[..], &body].concat()
}

/// Nobody knows who opened it, and the capture begins with what is said next.
fn mid_connection() -> Tcp {
    let mut tcp = Tcp::new();
    tcp.flow.opener = None;
    tcp
}

#[test]
fn in_the_midst_of_a_connection_streams_are_known_by_their_clients_frames() {
    for swapped in [false, true] {
        let mut tcp = mid_connection();
        let (client, server) = if swapped { (B, A) } else { (A, B) };
        // The rest of a frame that began before the capture did.
        tcp.say(server, b"the end of a page, and more of it: none of this is a frame");
        for n in 0..8 {
            tcp.say(client, &frame(0, 0, 5, &masked(n)));
            tcp.say(server, &frame(8, 0, 5, &[0, 0, 0, 9]));
            tcp.say(server, &frame(0, 0, 5, ANSWER));
        }
        // Asked for since then, where what was compressed before does not matter.
        tcp.say(client, &request(9));
        tcp.say(server, &accepted(9));
        tcp.say(client, &frame(0, 0, 9, TEXT));
        tcp.say(client, &frame(3, 0, 5, &[0, 0, 0, 8]));
        let heard = tcp.finish();
        let texts = payloads(&heard);
        let asked = texts.iter().filter(|text| text.starts_with("{\"n\"")).count();
        let answered = texts.iter().filter(|text| **text == "HI").count();
        // Small frames of a server take some to be believed.
        assert!((5..=8).contains(&answered), "{texts:?}");
        assert_eq!((asked, texts.contains(&"hi")), (8, true), "{texts:?}");
        let outcomes = |outcome: &str| heard.events.iter().filter(|e| e.contains(outcome)).count();
        assert_eq!((outcomes("outcome: Unseen"), outcomes("outcome: Accepted")), (1, 1));
        assert!(!heard.codes.contains(&"connect-not-enabled"), "{:?}", heard.codes);
    }
}

#[test]
fn in_the_midst_of_a_connection_nothing_is_a_websocket_that_no_client_says() {
    // A server's pages, and what only looks like frames of HTTP/2.
    let page: Vec<u8> = (0..8).flat_map(|_| frame(0, 0, 3, b"\x81\x05hello page")).collect();
    let regular: Vec<u8> = [0, 0, 7, 0, 0, 0, 0, 0, 7].repeat(400);
    let zeros = vec![0; 4000];
    for (client, server) in [(&page, &page), (&regular, &page), (&zeros, &regular)] {
        let mut tcp = mid_connection();
        for _ in 0..4 {
            tcp.say(A, client);
            tcp.say(B, server);
        }
        let heard = tcp.finish();
        assert_eq!(heard.events, [""; 0]);
    }
}

#[test]
fn requests_that_are_found_late_blame_nobody_for_their_answers() {
    let mut tcp = Tcp::two();
    let origin = tcp.origin();
    tcp.give(A, StreamEvent::Gap { origin, len: 30, snapped: false });
    // These are believed only with the frames that follow.
    tcp.say(A, &request(5));
    tcp.say(B, &[accepted(5), frame(0, 1, 5, ANSWER)].concat());
    for n in 0..6 {
        tcp.say(A, &[frame(0, 0, 1, &masked(n)), frame(6, 0, 0, &[n; 8])].concat());
    }
    let heard = tcp.finish();
    let blamed = |text: &&String| text.contains("before any answer");
    assert_eq!(heard.texts.iter().filter(blamed).count(), 0, "{:?}", heard.texts);
}

#[test]
fn in_the_midst_of_a_connection_frames_behind_headers_are_no_connection_of_their_own() {
    let mut tcp = mid_connection();
    // Alone these were believed to be WebSocket frames before their headers were to be those of HTTP/2.
    let long = |n: u8| [&[0x81, 0xfe, 0x0f, 0xa0, n, 7, 9, n][..], &[0x20 ^ n; 4000]].concat();
    let data = |payload: &[u8]| {
        let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0, high, low, 0, 0, 0, 0, 0, 3], payload].concat()
    };
    tcp.say(A, &data(&long(1)));
    tcp.say(A, &data(&[&long(2), &[0x89, 0x80, 1, 2, 3, 4][..], &long(3)].concat()));
    for n in 4..8 {
        tcp.say(A, &frame(0, 0, 3, &masked(n)));
        tcp.say(A, &frame(0, 0, 5, &masked(n)));
        tcp.say(B, &frame(0, 0, 3, ANSWER));
    }
    let heard = tcp.finish();
    let handshakes: Vec<_> = heard.events.iter().filter(|e| e.contains("outcome:")).collect();
    assert_eq!(handshakes.len(), 2, "{handshakes:?}");
    assert!(handshakes.iter().all(|e| e.contains("Http2")), "{handshakes:?}");
}
