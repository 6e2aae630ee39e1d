//! Heads as they come, sound and not.

use super::*;

type Pairs = Vec<(String, String)>;

fn fields_of(head: &str) -> (Pairs, Vec<(NoteCode, String)>) {
    let limits = Limits::default();
    let head = request(head.as_bytes(), Extent::Whole, &limits).unwrap();
    let text = |b: &[u8]| header_text(b).into_owned();
    (
        head.fields.iter().map(|f| (text(f.name), text(&f.value))).collect(),
        head.notes.iter().map(|n| (n.code, n.text.to_string())).collect(),
    )
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn request_of_rfc_6455_section_1_2_is_read_without_a_note() {
    let (fields, notes) = fields_of(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(fields.len(), 7);
    assert_eq!(fields[3], field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(notes, []);
}

#[test]
fn values_are_trimmed_and_names_keep_their_case() {
    let (fields, notes) = fields_of("GET / HTTP/1.1\r\nhOST: \t a b \t\r\nEmpty:\r\n\r\n");
    assert_eq!(fields, [field("hOST", "a b"), field("Empty", "")]);
    assert_eq!(notes, []);
}

#[test]
fn bytes_not_allowed_are_kept_and_named_with_their_offset() {
    let (fields, notes) =
        fields_of("GET / HTTP/1.1\r\nHost: x\r\nBad Header\u{1}: va\0l\u{7f}ue\r\n\r\n");
    assert_eq!(fields[1], field("Bad Header\u{1}", "va\0l\u{7f}ue"));
    // 16 bytes of request line, 9 of Host, then "Bad" and the space.
    assert_eq!(
        notes,
        [
            (
                NoteCode::HeaderInvalid,
                "the header \"Bad Header\\u{1}\" has the byte 0x20 in its name, at offset 28 of \
                 the head"
                    .to_owned()
            ),
            (
                NoteCode::HeaderInvalid,
                "the header \"Bad Header\\u{1}\" has the byte 0x00 in its value, at offset 40 \
                 of the head"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn folded_line_joins_the_value_before_it() {
    let (fields, notes) =
        fields_of("GET / HTTP/1.1\r\nX-Folded: first\r\n second\r\nHost: x\r\n\r\n");
    assert_eq!(fields, [field("X-Folded", "first second"), field("Host", "x")]);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].0, NoteCode::HeaderInvalid);
    assert!(notes[0].1.contains("X-Folded") && notes[0].1.contains("offset 33"), "{notes:?}");
}

#[test]
fn line_feeds_alone_are_taken_and_noted_once() {
    let (fields, notes) = fields_of("GET / HTTP/1.1\nHost: x\n\n");
    assert_eq!(fields, [field("Host", "x")]);
    assert_eq!(
        notes,
        [(
            NoteCode::LineEnding,
            "3 lines end in LF without CR, the first at offset 14 of the head".to_owned()
        )]
    );
}

#[test]
fn space_before_the_colon_does_not_hide_the_header() {
    let (fields, notes) = fields_of("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
    assert_eq!(fields, [field("Host", "x")]);
    assert_eq!(notes[0].0, NoteCode::HeaderInvalid);
}

#[test]
fn lines_without_colon_or_name_are_kept_with_a_note() {
    let (fields, notes) = fields_of("GET / HTTP/1.1\r\nwhat is this\r\n: v\r\n\r\n");
    assert_eq!(fields, [field("what is this", ""), field("", "v")]);
    assert_eq!(notes.len(), 2);
}

#[test]
fn white_space_line_before_the_first_field_is_read_as_a_field() {
    let (fields, notes) = fields_of("GET / HTTP/1.1\r\n Host: x\r\n\r\n");
    assert_eq!(fields, [field("Host", "x")]);
    assert_eq!(notes[0].0, NoteCode::HeaderInvalid);
}

#[test]
fn bytes_above_127_are_allowed_in_values() {
    let limits = Limits::default();
    let head = b"GET / HTTP/1.1\r\nX-Name: J\xfcrgen\r\n\r\n";
    let head = request(head, Extent::Whole, &limits).unwrap();
    assert_eq!(head.fields[0].value.as_ref(), b"J\xfcrgen");
    assert_eq!(head.notes, []);
}

#[test]
fn more_than_64_fields_are_read_up_to_the_limit() {
    use std::fmt::Write as _;
    let mut head = "GET / HTTP/1.1\r\n".to_owned();
    for i in 0..100 {
        write!(head, "X-{i}: {i}\r\n").unwrap();
    }
    head.push_str("\r\n");
    let read = |head_fields| {
        let limits = Limits { head_fields, ..Limits::default() };
        let head = request(head.as_bytes(), Extent::Whole, &limits).unwrap();
        (head.fields.len(), head.partial)
    };
    assert_eq!(read(1024), (100, false));
    assert_eq!(read(100), (100, false));
    assert_eq!(read(99), (99, true));
    assert_eq!(read(3), (3, true));
}

#[test]
fn faults_of_the_bytes_leave_room_for_others() {
    let answer = [&b"HTTP/1.1 101 x\r\n"[..], &b"a b: 1\r\n".repeat(70), b"\r\n"].concat();
    let head = response(&answer, Extent::Whole, &Limits::default()).unwrap();
    assert_eq!((head.fields.len(), head.notes.len()), (70, Limits::default().notes / 4));
    assert!(head.notes.last().unwrap().text.ends_with("(and 54 notes more)"), "{:?}", head.notes);
}

#[test]
fn a_head_over_a_limit_says_which() {
    let limits = Limits { head_fields: 2, head_bytes: 900, ..Limits::default() };
    let answer = b"HTTP/1.1 101 x\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n";
    let head = response(answer, Extent::Whole, &limits).unwrap();
    let text = "the answer's head has more than 2 header fields, which is wstap's limit";
    assert!(head.partial && head.notes[0].text.starts_with(text), "{:?}", head.notes);
    let head = request(b"GET / HTTP/1.1\r\na: 1\r\nb: ", Extent::Over, &limits).unwrap();
    let text = "the request's head has more than 900 bytes, which is wstap's limit";
    assert!(head.partial && head.notes[0].text.starts_with(text), "{:?}", head.notes);
    let head = request(b"GET / HTTP/1.1\r\na: 1\r\nb: ", Extent::Cut, &limits).unwrap();
    assert!(head.partial && head.notes.is_empty(), "{:?}", head.notes);
}

#[test]
fn notes_over_the_budget_are_counted_in_the_last() {
    let limits = Limits { notes: 8, ..Limits::default() };
    let head = b"GET / HTTP/1.1\r\na b: 1\r\na b: 2\r\na b: 3\r\na b: 4\r\n\r\n";
    let head = request(head, Extent::Whole, &limits).unwrap();
    assert_eq!((head.fields.len(), head.notes.len()), (4, 2));
    assert!(head.notes[1].text.ends_with("(and 2 notes more)"), "{:?}", head.notes);
}

#[test]
fn request_lines_are_told_from_other_lines() {
    let read =
        |line: &'static str| request_line(line.as_bytes()).map(|l| (l.method, l.target, l.version));
    assert_eq!(read("GET /a HTTP/1.0"), Some((&b"GET"[..], &b"/a"[..], &b"1.0"[..])));
    assert_eq!(read("get  /a b  HTTP/1.1 "), Some((&b"get"[..], &b"/a b"[..], &b"1.1"[..])));
    for line in [
        "",
        "GET",
        "GET /",
        "GET / http/1.1",
        "GET HTTP/1.1",
        "G\u{1}T / HTTP/1.1",
        "OPTIONS rtsp://h/ RTSP/1.0",
        "PRI * HTTP/2.0",
        "GET / HTTP/1.11",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn status_lines_are_told_from_other_lines() {
    let read = |line: &'static str| status_line(line.as_bytes()).map(|l| (l.status, l.reason));
    assert_eq!(read("HTTP/1.1 101 Switching Protocols"), Some((101, &b"Switching Protocols"[..])));
    assert_eq!(read("HTTP/1.0 200"), Some((200, &b""[..])));
    assert_eq!(read("HTTP/1.1 404 "), Some((404, &b""[..])));
    for line in ["ICY 200 OK", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 2x0", "HTTP/1.1"] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn spaces_in_the_target_are_noted() {
    let (_, notes) = fields_of("GET /a b HTTP/1.1\r\n\r\n");
    assert_eq!(notes[0].0, NoteCode::TargetInvalid);
    assert!(notes[0].1.contains("0x20 at offset 6 "), "{notes:?}");
}

#[test]
fn cut_head_gives_the_whole_lines_that_make_sense() {
    let limits = Limits::default();
    let bytes = b"GET /a HTTP/1.1\r\nHost: x\r\nno sense\r\nUpgrade: webso";
    let head = request(bytes, Extent::Cut, &limits).unwrap();
    assert_eq!(head.fields.len(), 1);
    assert!(head.partial && head.notes.is_empty());
    let head = response(b"HTTP/1.1 101 Switching Protoco", Extent::Cut, &limits).unwrap();
    assert_eq!((head.line.status, head.line.reason), (101, &b"Switching Protoco"[..]));
    assert_eq!(request(b"GET /a HTTP/1.1", Extent::Cut, &limits), None);
}

#[test]
fn attempts_are_told_by_any_of_their_headers() {
    let limits = Limits::default();
    for (field, want) in [
        ("Upgrade: WebSocket", true),
        ("upgrade: h2c, WEBSOCKET/13", true),
        ("Upgrade: h2c\r\nUpgrade: websocket", true),
        ("Sec-WebSocket-Key: x", true),
        ("sec-websocket-version: 13", true),
        ("Sec-WebSocket-Protocol: chat", true),
        ("Sec-WebSocket-Extensions: x", true),
        ("Upgrade: h2c", false),
        ("Upgrade: websockets", false),
        ("X-Upgrade: websocket", false),
        ("Connection: Upgrade", false),
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n");
        let head = request(head.as_bytes(), Extent::Whole, &limits).unwrap();
        assert_eq!(head.is_attempt(), want, "{field}");
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What httparse takes, the tolerant reader reads alike and without a note.
        #[test]
        fn tolerant_reader_agrees_with_httparse(
            fields in prop::collection::vec("[a-zA-Z-]{1,9}:[ \t]{0,2}[a-z,;=\u{e4} \t]{0,12}", 0..8)
        ) {
            let limits = Limits::default();
            let text = [fields, vec![String::new()]].concat().join("\r\n") + "\r\n";
            let (mut strict, mut lenient) = (RawFields::new(), RawFields::new());
            prop_assert!(strict_fields(text.as_bytes(), &limits, &mut strict));
            let mut notes = Notes::new(Blame::Client, &limits);
            let bytes = text.as_bytes();
            let over = lenient_fields(
                bytes, 0, Extent::Whole, &mut notes, &limits, &mut lenient
            );
            prop_assert_eq!(strict, lenient);
            prop_assert!(!over && notes.list.is_empty());
        }

        /// Whatever the bytes: no panic, and no more fields than lines.
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let limits = Limits::default();
            let mut text = b"GET / HTTP/1.1\r\n".to_vec();
            text.extend_from_slice(&bytes);
            let lines = memchr::memchr_iter(b'\n', &text).count();
            let head = request(&text, Extent::Whole, &limits).unwrap();
            prop_assert!(head.fields.len() < lines);
        }
    }
}
