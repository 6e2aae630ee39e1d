use super::frame::{flag, kind};
use super::*;
use crate::http::HeldPiece;
use crate::units::PacketNo;
use Direction::{ToClient, ToServer};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` = 1.
const ENABLE: &[u8] = &[0, 8, 0, 0, 0, 1];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(kind::DATA, 0, stream, bytes)
}

/// Literals without indexing.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn headers(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, &block(fields))
}

const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "example.com"),
    ("sec-websocket-version", "13"),
];
const OK: [(&str, &str); 1] = [(":status", "200")];

/// Both ends, a packet each call; what comes out as short lines.
struct Talk {
    http: Http2,
    packet: u64,
    lines: Vec<String>,
}

impl Talk {
    fn new() -> Self {
        Self { http: Http2::new(), packet: 0, lines: Vec::new() }
    }

    /// After both prefaces, extended CONNECT enabled.
    fn begun() -> Self {
        let mut talk = Self::new();
        talk.say(ToServer, &[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat());
        talk.say(ToClient, &frame(kind::SETTINGS, 0, 0, ENABLE));
        talk
    }

    /// With an open WebSocket on stream 1.
    fn open() -> Self {
        let mut talk = Self::begun();
        talk.say(ToServer, &headers(1, &CONNECT));
        talk.say(ToClient, &headers(1, &OK));
        assert_eq!(talk.heard(), ["1 opened by 200, Given"]);
        talk
    }

    fn origin(&self) -> Origin {
        Origin { packet: PacketNo(self.packet), time: None }
    }

    fn say(&mut self, dir: Direction, bytes: &[u8]) {
        self.packet += 1;
        self.give(dir, bytes);
    }

    fn gap(&mut self, dir: Direction, len: usize) {
        self.packet += 1;
        let origin = self.origin();
        self.http.gap(dir, origin, len as u64);
        self.give(dir, &[]);
    }

    fn closed(&mut self, by: CutBy) {
        self.http.closed(by);
        self.give(ToServer, &[]);
    }

    fn finish(&mut self) {
        self.http.finish();
        self.give(ToServer, &[]);
    }

    fn give(&mut self, dir: Direction, mut bytes: &[u8]) {
        let origin = self.origin();
        while let Some(step) = self.http.data(dir, origin, &mut bytes, &Limits::default()) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let line = match step {
                Step::Opened(opened) => {
                    let over = opened.exchange.http2.unwrap();
                    let mut line = format!(
                        "{} opened by {}, {:?}",
                        opened.stream,
                        answer(&opened.exchange.answer),
                        over.consent
                    );
                    for piece in opened.held.pieces() {
                        match piece {
                            HeldPiece::Data { bytes, .. } => {
                                line = format!("{line}, {}", text(bytes));
                            }
                            HeldPiece::Gap { len, .. } => line = format!("{line}, {len} missing"),
                        }
                    }
                    line
                }
                Step::Over { exchange, too_many } => {
                    let over = exchange.http2.unwrap();
                    let many = if too_many { ", too many" } else { "" };
                    format!("{} over by {}{many}", over.stream, answer(&exchange.answer))
                }
                Step::Data { stream, bytes } => format!("{stream} {dir} {}", text(bytes)),
                Step::Gap { stream, len } => format!("{stream} {dir} {len} missing"),
                Step::Lost { stream } => format!("{stream} {dir} lost"),
                Step::End { stream } => format!("{stream} {dir} end"),
                Step::Reset { stream, code } => format!("{stream} {dir} reset {code:?}"),
                Step::GoAway { code } => format!("{dir} goaway {code}"),
                Step::Found(replay) => {
                    self.lines.push(format!("{dir} found"));
                    for (_, bytes) in replay.pieces() {
                        self.give(dir, bytes);
                    }
                    continue;
                }
            };
            self.lines.push(line);
        }
    }

    /// What came since the last time.
    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Head(head) => head.status.to_string(),
        Answer::Partial(head) => format!("{} in part", head.status),
        Answer::Missing => "something missing".into(),
        Answer::Cut { by, .. } => {
            format!("{by:?}").split(',').next().unwrap().replace("(To", " to ").to_lowercase()
        }
        Answer::NotHttp { start, .. } => format!("no status {:?}", String::from_utf8_lossy(start)),
    }
}

#[test]
fn streams_open_and_carry_bytes_whatever_the_frame_borders() {
    let mut talk = Talk::open();
    talk.say(ToServer, &[data(1, b"ab"), data(1, b""), data(1, b"c")].concat());
    let cut = data(1, b"defg");
    talk.say(ToClient, &cut[..11]);
    talk.say(ToClient, &cut[11..]);
    assert_eq!(talk.heard(), ["1 c2s ab", "1 c2s c", "1 s2c de", "1 s2c fg"]);
}

#[test]
fn streams_are_told_apart_and_others_are_stepped_over() {
    let mut talk = Talk::open();
    talk.say(ToServer, &headers(3, &[(":method", "GET"), (":scheme", "http"), (":path", "/")]));
    talk.say(ToServer, &headers(5, &CONNECT));
    talk.say(ToClient, &[headers(3, &OK), data(3, b"a page"), headers(5, &OK)].concat());
    talk.say(ToServer, &[data(5, b"five"), data(1, b"one"), data(7, b"?")].concat());
    assert_eq!(talk.heard(), ["5 opened by 200, Given", "5 c2s five", "1 c2s one"]);
    // An extended CONNECT to something else.
    let webtransport = CONNECT.map(|(name, value)| match name {
        ":protocol" => (name, "webtransport"),
        _ => (name, value),
    });
    talk.say(ToServer, &headers(9, &webtransport));
    talk.say(ToClient, &headers(9, &OK));
    talk.say(ToServer, &data(9, b"?"));
    assert_eq!(talk.heard(), [""; 0]);
}

#[test]
fn refusals_to_requests_that_were_missed_are_remembered_within_the_limit() {
    let limits = Limits { h2_streams: 8, ..Limits::default() };
    let mut http = Http2::mid_connection(PerDirection { to_server: true, to_client: true });
    for stream in (1..99).step_by(2) {
        let refusal = headers(stream, &[(":status", "404")]);
        assert_eq!(http.data(ToClient, Origin::default(), &mut &refusal[..], &limits), None);
    }
    assert_eq!(http.streams.len(), 4);
}

#[test]
fn padding_priority_continuation_and_unknown_frames_are_no_trouble() {
    let mut talk = Talk::begun();
    let block = block(&CONNECT);
    let (a, b) = block.split_at(20);
    let flags = flag::PADDED | flag::PRIORITY;
    let first = [&[4][..], &[0, 0, 0, 0, 15], a, &[0; 4]].concat();
    // A greased type and setting, PRIORITY_UPDATE, an empty CONTINUATION.
    talk.say(ToServer, &frame(kind::SETTINGS, 0, 0, &[0x4a, 0x4a, 1, 2, 3, 4]));
    talk.say(ToServer, &frame(0x10, 0, 0, b"\0\0\0\x01u=3"));
    talk.say(ToServer, &frame(0xfa, 0xff, 77, b"grease"));
    talk.say(ToServer, &frame(kind::HEADERS, flags, 1, &first));
    talk.say(ToServer, &frame(kind::CONTINUATION, 0, 1, b""));
    talk.say(ToServer, &frame(kind::CONTINUATION, flag::END_HEADERS, 1, b));
    talk.say(ToClient, &headers(1, &[(":status", "103"), ("link", "</a.css>")]));
    talk.say(ToClient, &headers(1, &OK));
    talk.say(ToServer, &frame(kind::DATA, flag::PADDED, 1, b"\x03data\0\0\0"));
    talk.say(ToServer, &frame(kind::DATA, flag::PADDED, 1, b"\xff\0\0"));
    talk.say(ToServer, &frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0]));
    talk.say(ToServer, &data(1, b"more"));
    assert_eq!(talk.heard(), ["1 opened by 200, Given", "1 c2s data", "1 c2s more"]);
}

#[test]
fn a_block_that_something_else_interrupts_is_not_believed() {
    let mut talk = Talk::begun();
    talk.say(ToServer, &frame(kind::HEADERS, 0, 1, &block(&CONNECT)));
    talk.say(ToServer, &frame(kind::PING, 0, 0, &[0; 8]));
    talk.say(ToServer, &frame(kind::CONTINUATION, flag::END_HEADERS, 1, b""));
    talk.say(ToClient, &headers(1, &OK));
    assert_eq!(talk.heard(), [""; 0]);
}

#[test]
fn promised_requests_use_the_table_of_the_others() {
    let mut talk = Talk::open();
    // ":status: 299" goes into the table with a promise, and is told by its index.
    let promise = [&[0, 0, 0, 2, 0x48, 3][..], b"299"].concat();
    talk.say(ToClient, &frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &promise));
    talk.say(ToServer, &headers(3, &CONNECT));
    talk.say(ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 3, &[0xbe]));
    assert_eq!(talk.heard(), ["3 opened by 299, Given"]);
}

#[test]
fn both_ends_of_a_stream_end_it_or_one_resets_it() {
    let mut talk = Talk::open();
    talk.say(ToServer, &frame(kind::DATA, flag::END_STREAM, 1, b"bye"));
    // Trailers end a stream too.
    let trailers = flag::END_HEADERS | flag::END_STREAM;
    talk.say(ToClient, &frame(kind::HEADERS, trailers, 1, &block(&[("x", "y")])));
    talk.say(ToClient, &data(1, b"late"));
    assert_eq!(talk.heard(), ["1 c2s bye", "1 c2s end", "1 s2c end"]);
    talk.say(ToServer, &headers(3, &CONNECT));
    talk.say(ToClient, &headers(3, &OK));
    talk.say(ToServer, &frame(kind::RST_STREAM, 0, 3, &[0, 0, 0, 8]));
    talk.say(ToClient, &data(3, b"late"));
    assert_eq!(talk.heard(), ["3 opened by 200, Given", "3 c2s reset Some(8)"]);
}

#[test]
fn an_answer_that_ends_the_stream_opens_and_ends_it() {
    let mut talk = Talk::begun();
    talk.say(ToServer, &headers(1, &CONNECT));
    let ends = flag::END_HEADERS | flag::END_STREAM;
    talk.say(ToClient, &frame(kind::HEADERS, ends, 1, &block(&OK)));
    assert_eq!(talk.heard(), ["1 opened by 200, Given", "1 s2c end"]);
}

#[test]
fn refusals_of_all_kinds_are_over() {
    let mut talk = Talk::begun();
    for stream in [1, 3, 5, 7, 9, 11] {
        talk.say(ToServer, &headers(stream, &CONNECT));
    }
    talk.say(ToClient, &headers(1, &[(":status", "403")]));
    talk.say(ToClient, &frame(kind::RST_STREAM, 0, 3, &[0, 0, 0, 7]));
    talk.say(ToClient, &frame(kind::DATA, flag::END_STREAM, 5, b""));
    talk.say(ToClient, &frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 9, 0, 0, 0, 0]));
    assert_eq!(
        talk.heard(),
        [
            "1 over by 403",
            "3 over by streamreset to client",
            "5 over by streamend to client",
            "11 over by goaway to client",
            "s2c goaway 0"
        ]
    );
    // After the client's FIN the server may still answer.
    talk.closed(CutBy::Fin(ToServer, talk.origin()));
    talk.say(ToClient, &headers(7, &OK));
    talk.closed(CutBy::Fin(ToClient, talk.origin()));
    assert_eq!(talk.heard(), ["7 opened by 200, Given", "9 over by fin to server"]);
}

#[test]
fn a_server_that_ends_what_its_client_has_left_did_not_break_off_first() {
    let ended = frame(kind::DATA, flag::END_STREAM, 1, b"");
    let refused = frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 7]);
    let last = |before: &dyn Fn(&mut Talk), after: &dyn Fn(&mut Talk)| {
        let mut talk = Talk::begun();
        talk.say(ToServer, &headers(1, &CONNECT));
        before(&mut talk);
        assert_eq!(talk.heard(), [""; 0]);
        after(&mut talk);
        talk.heard().remove(0)
    };
    let stays = |_: &mut Talk| {};
    let ends = |talk: &mut Talk| talk.say(ToServer, &ended);
    let leaves = |talk: &mut Talk| talk.closed(CutBy::Fin(ToServer, talk.origin()));
    let server_ends = |talk: &mut Talk| talk.say(ToClient, &ended);
    let server_leaves = |talk: &mut Talk| talk.closed(CutBy::Fin(ToClient, talk.origin()));
    let server_resets = |talk: &mut Talk| talk.closed(CutBy::Reset(ToClient, talk.origin()));
    let server_refuses = |talk: &mut Talk| talk.say(ToClient, &refused);
    assert_eq!(last(&stays, &server_ends), "1 over by streamend to client");
    assert_eq!(last(&stays, &server_leaves), "1 over by fin to client");
    assert_eq!(last(&ends, &server_ends), "1 over by streamend to server");
    assert_eq!(last(&ends, &server_leaves), "1 over by streamend to server");
    assert_eq!(last(&leaves, &server_ends), "1 over by fin to server");
    assert_eq!(last(&leaves, &server_leaves), "1 over by fin to server");
    assert_eq!(last(&leaves, &server_resets), "1 over by fin to server");
    // This one says why.
    assert_eq!(last(&ends, &server_refuses), "1 over by streamreset to client");
    // What asks as in HTTP/1 ends its side, as every request does, and waits.
    let mut talk = Talk::begun();
    let get = block(&[(":method", "GET"), (":path", "/"), ("upgrade", "websocket")]);
    talk.say(ToServer, &frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &get));
    server_leaves(&mut talk);
    assert_eq!(talk.heard(), ["1 over by fin to client"]);
}

#[test]
fn an_answer_without_a_status_is_malformed_and_not_missing() {
    let mut talk = Talk::begun();
    talk.say(ToServer, &[headers(1, &CONNECT), headers(3, &CONNECT)].concat());
    talk.say(ToClient, &headers(1, &[("x", "y")]));
    assert_eq!(talk.heard(), ["1 over by no status \"\""]);
    // The capture lacks nothing for it.
    talk.say(ToClient, &headers(3, &[(":status", "2x0")]));
    talk.say(ToServer, &headers(5, &CONNECT));
    talk.say(ToClient, &[data(1, b"late"), headers(5, &OK)].concat());
    assert_eq!(talk.heard(), ["3 over by no status \"2x0\"", "5 opened by 200, Given"]);
    // A status may be among what refers to fields that are lost.
    talk.say(ToServer, &headers(7, &CONNECT));
    talk.say(ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 7, &[0xbe]));
    talk.closed(CutBy::Fin(ToClient, talk.origin()));
    assert_eq!(talk.heard(), ["7 over by something missing"]);
}

#[test]
fn http_2_has_no_101() {
    let mut talk = Talk::begun();
    talk.say(ToServer, &headers(1, &CONNECT));
    talk.say(ToClient, &headers(1, &[(":status", "101")]));
    assert_eq!(talk.heard(), [""; 0]);
    let Some(Stream::Waiting(waiting)) = talk.http.streams.get(&1) else { panic!("not asked") };
    assert!(waiting.exchange.interim.is_empty());
    let over = waiting.exchange.http2.unwrap();
    assert_eq!(over.switching.unwrap().packet, PacketNo(talk.packet));
}

#[test]
fn what_asks_as_http_1_does_is_an_attempt_that_no_answer_opens() {
    let mut talk = Talk::begun();
    let get = [(":method", "GET"), (":path", "/"), ("upgrade", "websocket")];
    talk.say(ToServer, &headers(1, &get));
    talk.say(ToClient, &headers(1, &OK));
    let tunnel = [(":method", "CONNECT"), (":authority", "a:1"), ("sec-websocket-version", "13")];
    talk.say(ToServer, &headers(3, &tunnel));
    talk.say(ToClient, &headers(3, &OK));
    assert_eq!(talk.heard(), ["1 over by 200", "3 over by 200"]);
}

#[test]
fn what_the_client_sends_early_is_held() {
    let mut talk = Talk::begun();
    talk.say(ToServer, &[headers(1, &CONNECT), data(1, b"early")].concat());
    talk.say(ToServer, &frame(kind::DATA, flag::END_STREAM, 1, b"bird"));
    talk.say(ToClient, &headers(1, &OK));
    assert_eq!(talk.heard(), ["1 opened by 200, Given, early, bird"]);
}

#[test]
fn consent_is_what_the_server_said_before() {
    let asked = |before: Option<&[u8]>, after: Option<&[u8]>| {
        let mut talk = Talk::new();
        let settings = |payload: &[u8]| frame(kind::SETTINGS, 0, 0, payload);
        talk.say(ToServer, &[PREFACE, &settings(&[])].concat());
        if let Some(before) = before {
            talk.say(ToClient, &settings(before));
        }
        talk.say(ToServer, &headers(1, &CONNECT));
        if let Some(after) = after {
            talk.say(ToClient, &settings(after));
        }
        talk.say(ToClient, &headers(1, &OK));
        talk.heard().remove(0)
    };
    let at = |packet| format!("Origin {{ packet: PacketNo({packet}), time: None }}");
    assert_eq!(asked(Some(ENABLE), None), "1 opened by 200, Given");
    assert_eq!(asked(Some(&[]), None), format!("1 opened by 200, Withheld({})", at(2)));
    assert_eq!(asked(Some(&[]), Some(ENABLE)), format!("1 opened by 200, Late({})", at(4)));
    assert_eq!(asked(None, Some(&[])), format!("1 opened by 200, Withheld({})", at(3)));
    assert_eq!(asked(None, None), "1 opened by 200, Unknown");
    // Neither 0 nor any other value but 1 allows it.
    for value in [0, 2] {
        let odd = [0, 8, 0, 0, 0, value];
        assert_eq!(asked(Some(&odd), None), format!("1 opened by 200, Withheld({})", at(2)));
    }
    // What the capture lacks may have been it.
    let mut talk = Talk::new();
    talk.say(ToServer, PREFACE);
    talk.gap(ToClient, 15);
    talk.say(ToClient, &frame(kind::SETTINGS, 0, 0, &[0; 6]));
    talk.say(ToServer, &headers(1, &CONNECT));
    talk.say(ToClient, &headers(1, &OK));
    assert_eq!(talk.heard(), ["s2c found", "1 opened by 200, Unknown"]);
}

#[test]
fn too_many_streams_are_told_and_not_followed() {
    let mut talk = Talk::begun();
    let many = u32::try_from(Limits::default().h2_streams).unwrap();
    for n in 0..=many {
        talk.say(ToServer, &headers(2 * n + 1, &CONNECT));
    }
    assert_eq!(talk.heard(), [format!("{} over by something missing, too many", 2 * many + 1)]);
}

#[test]
fn a_proxy_protocol_header_goes_with_the_first_attempt() {
    let mut talk = Talk::new();
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n";
    for byte in [&header[..], PREFACE].concat() {
        talk.say(ToServer, &[byte]);
    }
    talk.say(ToServer, &headers(1, &CONNECT));
    let Some(Stream::Waiting(waiting)) = talk.http.streams.get(&1) else { panic!("not asked") };
    assert_eq!(waiting.exchange.proxy_protocol, Some(1));
}

mod loss {
    use super::*;

    #[test]
    fn a_gap_inside_data_has_its_length() {
        let mut talk = Talk::open();
        let bytes = [data(1, b"0123456789"), data(1, b"next")].concat();
        talk.say(ToServer, &bytes[..11]);
        talk.gap(ToServer, 3);
        talk.say(ToServer, &bytes[14..]);
        assert_eq!(talk.heard(), ["1 c2s 01", "1 c2s 3 missing", "1 c2s 56789", "1 c2s next"]);
    }

    #[test]
    fn a_gap_up_to_the_end_of_a_frame_still_ends_the_stream() {
        let mut talk = Talk::open();
        let bytes = frame(kind::DATA, flag::END_STREAM | flag::PADDED, 1, b"\x02data\0\0");
        talk.say(ToServer, &bytes[..12]);
        talk.gap(ToServer, 3);
        talk.say(ToServer, &bytes[15..]);
        assert_eq!(talk.heard(), ["1 c2s da", "1 c2s 2 missing", "1 c2s end"]);
        // The byte that tells of padding is missing too.
        let mut talk = Talk::open();
        talk.say(ToServer, &bytes[..9]);
        talk.gap(ToServer, 5);
        talk.say(ToServer, &bytes[14..]);
        assert_eq!(talk.heard(), ["1 c2s lost", "1 c2s end"]);
    }

    #[test]
    fn behind_a_gap_over_headers_frames_are_found_again() {
        let mut talk = Talk::open();
        talk.say(ToServer, &headers(3, &CONNECT));
        talk.say(ToClient, &headers(3, &OK));
        talk.heard();
        talk.say(ToServer, &data(1, b"01234")[..10]);
        talk.gap(ToServer, 40);
        // The rest of a frame, then whole ones.
        let rest = [b"rest".to_vec(), data(3, b"three"), data(1, b"one")].concat();
        talk.say(ToServer, &rest);
        talk.say(ToServer, &data(3, b"on"));
        assert_eq!(
            talk.heard(),
            [
                "1 c2s 0",
                "1 c2s lost",
                "3 c2s lost",
                "c2s found",
                "3 c2s three",
                "1 c2s one",
                "3 c2s on"
            ]
        );
    }

    #[test]
    fn one_header_alone_is_no_proof() {
        let mut talk = Talk::open();
        talk.gap(ToServer, 40);
        talk.say(ToServer, &[b"rest".to_vec(), data(1, b"0123")].concat()[..15]);
        assert_eq!(talk.heard(), ["1 c2s lost"]);
    }

    #[test]
    fn fields_that_refer_to_a_lost_block_are_missing() {
        let mut talk = Talk::begun();
        let indexed = |fields: &[(&str, &str)]| -> Vec<u8> {
            let mut bytes = block(fields);
            let mut at = 0;
            for (name, value) in fields {
                bytes[at] = 0x40;
                at += 3 + name.len() + value.len();
            }
            bytes
        };
        let first = frame(kind::HEADERS, flag::END_HEADERS, 1, &indexed(&CONNECT));
        talk.say(ToServer, &first[..30]);
        talk.gap(ToServer, 10);
        talk.say(ToServer, &first[40..]);
        talk.say(ToClient, &headers(1, &OK));
        assert_eq!(talk.heard(), [""; 0], "the request of stream 1 is lost");
        // The second block is all in literals, but for the scheme, which is lost.
        let asked = [block(&CONNECT), vec![0xbe]].concat();
        talk.say(ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 3, &asked));
        let Some(Stream::Waiting(waiting)) = talk.http.streams.get(&3) else { panic!("not asked") };
        assert!(waiting.exchange.request_partial);
        talk.say(ToClient, &headers(3, &OK));
        assert_eq!(talk.heard(), ["3 opened by 200, Given"]);
    }

    #[test]
    fn an_answer_that_is_lost_is_not_waited_for_once_the_server_speaks() {
        let mut talk = Talk::begun();
        talk.say(ToServer, &headers(1, &CONNECT));
        talk.gap(ToClient, 20);
        talk.say(ToClient, &[data(1, b"hello"), data(1, b"again")].concat());
        assert_eq!(
            talk.heard(),
            ["s2c found", "1 opened by something missing, Given", "1 s2c hello", "1 s2c again"]
        );
    }

    #[test]
    fn a_server_that_was_not_captured_is_not_waited_for_at_the_end() {
        let mut talk = Talk::new();
        talk.say(ToServer, PREFACE);
        talk.say(ToServer, &[headers(1, &CONNECT), headers(3, &CONNECT)].concat());
        talk.say(ToServer, &data(1, b"hello"));
        talk.finish();
        assert_eq!(
            talk.heard(),
            ["1 opened by something missing, Unknown, hello", "3 over by captureend"]
        );
    }
}

#[test]
fn heads_over_a_limit_say_so() {
    let limits = Limits { head_fields: 6, ..Limits::default() };
    let more = CONNECT.iter().chain([&("a", "b")]).copied().collect::<Vec<_>>();
    let asked = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[]), &headers(1, &more)].concat();
    let answer = headers(1, &[OK[0]].into_iter().chain([("a", "b"); 6]).collect::<Vec<_>>());
    let mut http = Http2::new();
    assert_eq!(http.data(ToServer, Origin::default(), &mut &asked[..], &limits), None);
    let step = http.data(ToClient, Origin::default(), &mut &answer[..], &limits);
    let Some(Step::Opened(opened)) = step else { panic!("{step:?}") };
    let Answer::Partial(head) = opened.exchange.answer else { panic!("{:?}", opened.exchange) };
    assert!(head.notes[0].text.contains("the answer's head has more than 6 header fields"));
    let request = opened.exchange.request.unwrap();
    assert!(request.notes[0].text.contains("the request's head has more than 6 header fields"));
}
