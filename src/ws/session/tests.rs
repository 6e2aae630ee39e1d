use super::*;
use crate::event::{DeflateSide, EndHow, MessageKind, Wants};
use crate::limits::Limits;
use crate::units::PacketNo;
use crate::ws::Scratch;
use crate::ws::fuzzing::{Recorder, Step, run};
use crate::ws::testkit::framed;

pub(super) const C: Direction = Direction::ToServer;
pub(super) const S: Direction = Direction::ToClient;

/// A frame with a header as given: first byte, payload; masked with a key of its own when from C.
pub(super) fn frame(dir: Direction, first: u8, payload: &[u8]) -> Vec<u8> {
    let n = u8::try_from(payload.len() % 251).unwrap();
    let key = [0x11 ^ n, 0x22 ^ first, 0x33, payload.first().copied().unwrap_or(9) | 1];
    framed(first, (dir == C).then_some(key), payload)
}

pub(super) fn deflate(takeover: bool, bits: u8) -> Setup {
    let side = DeflateSide { context_takeover: takeover, window_bits: bits };
    Setup {
        deflate: Some(DeflateAgreement {
            sides: PerDirection { to_server: side, to_client: side },
            per_frame: false,
            presumed: false,
        }),
        ..Setup::default()
    }
}

pub(super) fn given(setup: Setup, steps: &[Step]) -> Recorder {
    run(setup, Wants::ALL, &Limits::default(), steps, false)
}

/// What a direction that sends these bytes and then ends gives.
pub(super) fn sends(dir: Direction, bytes: &[u8]) -> Recorder {
    given(Setup::default(), &[Step::Data(dir, bytes.to_vec())])
}

pub(super) fn kinds(got: &Recorder) -> Vec<(MessageKind, &[u8], bool)> {
    got.messages.iter().map(|m| (m.kind, m.payload.as_slice(), m.complete)).collect()
}

use MessageKind::{Binary, Close, Ping, Pong, Text};

#[test]
fn hello_masked_and_unmasked() {
    let got = sends(C, &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(kinds(&got), [(Text, &b"Hello"[..], true)]);
    let got = sends(S, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(kinds(&got), [(Text, &b"Hello"[..], true)]);
    assert!(got.codes.is_empty());
}

#[test]
fn fragments_with_a_ping_between() {
    let bytes = [frame(S, 0x01, b"Hel"), frame(S, 0x89, b"?"), frame(S, 0x80, b"lo")];
    let got = sends(S, &bytes.concat());
    assert_eq!(kinds(&got), [(Ping, &b"?"[..], true), (Text, b"Hello", true)]);
    assert!(got.codes.is_empty());
    let end = got.end.unwrap();
    assert_eq!((end.messages.to_client, end.bytes.to_client), (2, 6));
}

#[test]
fn text_may_be_cut_inside_a_character() {
    let euro = "€".as_bytes();
    let bytes = [frame(C, 0x01, &euro[..1]), frame(C, 0x80, &euro[1..])].concat();
    let got = sends(C, &bytes);
    assert_eq!(kinds(&got), [(Text, euro, true)]);
    assert!(got.codes.is_empty());
}

/// A fault between two sound messages: those stay, and the codes are exactly these.
#[track_caller]
fn fault(dir: Direction, fault: &[u8], codes: &[&str], between: &[(MessageKind, &[u8], bool)]) {
    let bytes = [&frame(dir, 0x81, b"before")[..], fault, &frame(dir, 0x81, b"after")].concat();
    let got = sends(dir, &bytes);
    assert_eq!(got.codes, codes, "{:?}", got.texts);
    let mut want = vec![(Text, &b"before"[..], true)];
    want.extend_from_slice(between);
    want.push((Text, b"after", true));
    assert_eq!(kinds(&got), want);
}

#[test]
fn single_faults_are_noted_and_reading_goes_on() {
    let key = Some([1, 2, 3, 4]);
    fault(C, &framed(0x81, None, b"x"), &["client-unmasked"], &[(Text, b"x", true)]);
    fault(S, &framed(0x81, key, b"x"), &["server-masked"], &[(Text, b"x", true)]);
    fault(C, &framed(0x81, Some([0; 4]), b"x"), &["mask-zero"], &[(Text, b"x", true)]);
    fault(S, &framed(0xa1, None, b"x"), &["rsv-set"], &[(Text, b"x", true)]);
    fault(S, &framed(0xc1, None, b"x"), &["rsv-set"], &[(Text, b"x", true)]);
    fault(S, &framed(0x83, None, b"x"), &["opcode-reserved"], &[]);
    fault(S, &framed(0x8b, None, b"x"), &["opcode-reserved"], &[]);
    fault(S, &framed(0x09, None, b"x"), &["control-fragmented"], &[(Ping, b"x", true)]);
    let long = [b'p'; 126];
    fault(S, &framed(0x89, None, &long), &["control-too-long"], &[(Ping, &long, true)]);
    fault(S, &framed(0x80, None, b"x"), &["continuation-unexpected"], &[]);
    let padded = [0x81, 0x7e, 0x00, 0x01, b'x'];
    fault(S, &padded, &["length-not-minimal"], &[(Text, b"x", true)]);
    let bad = b"ab\xff";
    fault(S, &framed(0x81, None, bad), &["utf8-invalid"], &[(Text, bad, true)]);
}

#[test]
fn the_same_key_twice_is_noted_but_not_keys_that_differ() {
    let key = Some([1, 2, 3, 4]);
    let bytes = [framed(0x81, key, b"a"), framed(0x81, key, b"b"), framed(0x81, key, b"c")];
    let got = sends(C, &bytes.concat());
    assert_eq!(got.codes, ["mask-reused", "mask-reused"], "once on a message, once as a sum");
    assert!(got.texts[0].contains("client frame 2 (packet 2)"), "{:?}", got.texts);
    assert!(got.texts[1].contains("2 frames"), "{:?}", got.texts);
    let other = [framed(0x81, key, b"a"), framed(0x81, Some([1, 2, 3, 5]), b"b")];
    assert!(sends(C, &other.concat()).codes.is_empty());
}

#[test]
fn a_message_begun_inside_another_ends_that_one() {
    let bytes = [
        frame(S, 0x01, b"unfinished "),
        frame(S, 0x81, b"new"),
        frame(S, 0x80, b"tail"),
        frame(S, 0x81, b"after"),
    ];
    let got = sends(S, &bytes.concat());
    assert_eq!(
        kinds(&got),
        [(Text, &b"unfinished "[..], false), (Text, b"new", true), (Text, b"after", true)]
    );
    assert_eq!(got.codes, ["message-interleaved", "continuation-unexpected"]);
}

#[test]
fn close_bodies_are_judged() {
    for (body, codes) in [
        (&[][..], &[][..]),
        (&[0x03, 0xe8], &[]),
        (&[0x03, 0xf4], &[]), // 1012
        (&[0x03], &["close-length"]),
        (&[0x03, 0xed], &["close-code-invalid"]), // 1005
        (&[0x03, 0xe8, 0xff], &["close-reason-utf8"]),
    ] {
        let got = sends(S, &frame(S, 0x88, body));
        assert_eq!(got.codes, codes, "{body:02x?}");
        assert_eq!(kinds(&got), [(Close, body, true)]);
    }
}

#[test]
fn frames_after_a_close_are_shown_and_noted() {
    let bytes = [frame(C, 0x88, &[0x03, 0xe8]), frame(C, 0x81, b"more"), frame(C, 0x89, b"")];
    let got = sends(C, &bytes.concat());
    assert_eq!(got.codes, ["data-after-close", "control-after-close"]);
    assert_eq!(got.messages.len(), 3);
    // The other direction may go on until it has answered.
    let steps = [
        Step::Data(C, frame(C, 0x88, &[0x03, 0xe8])),
        Step::Data(S, frame(S, 0x81, b"last words")),
        Step::Data(S, frame(S, 0x88, &[0x03, 0xe8])),
        Step::Fin(S),
    ];
    let got = given(Setup::default(), &steps);
    assert!(got.codes.is_empty(), "{:?}", got.codes);
    let end = got.end.unwrap();
    assert_eq!((end.how, end.by), (EndHow::Close, Some(C)));
}

#[test]
fn a_length_with_the_top_bit_set_ends_reading() {
    let mut bytes = frame(S, 0x81, b"before");
    bytes.extend_from_slice(&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 10]);
    bytes.extend_from_slice(&frame(S, 0x81, b"not to be read"));
    let got = sends(S, &bytes);
    assert_eq!(got.codes, ["length-overflow"]);
    assert_eq!(kinds(&got), [(Text, &b"before"[..], true), (Binary, b"", false)]);
    assert!(got.events.iter().any(|e| e.contains("Frame") && e.contains("9223372036854775818")));
}

#[test]
fn one_is_told_in_the_singular() {
    let sent = |bytes: &[u8]| Step::Data(C, bytes.to_vec());
    let begun = frame(C, 0x01, b"begun");
    let text = given(Setup::default(), &[sent(&begun), Step::Fin(C)]).texts;
    assert!(text[0].contains("is unfinished after 1 frame: "), "{text:?}");
    let text = given(Setup::default(), &[sent(&begun[..1]), Step::Fin(C)]).texts;
    assert!(text[0].contains("ends inside its header, after 1 byte: "), "{text:?}");
    let whole = frame(C, 0x82, b"12");
    let text = given(Setup::default(), &[sent(&whole[..7]), Step::Gap(C, 1)]).texts;
    assert!(text[0].starts_with("1 byte of the client is missing from the capture "), "{text:?}");
}

#[test]
fn frames_and_messages_cut_by_tcp_are_noted_but_not_those_cut_by_the_captures_end() {
    let cut_frame = [&[0x81, 0x64][..], &[b'c'; 60]].concat();
    let cut_header = vec![0x82];
    let unfinished = [frame(S, 0x01, b"begun"), frame(S, 0x00, b" and not ended")].concat();
    for (bytes, code) in
        [(cut_frame, "frame-cut"), (cut_header, "frame-cut"), (unfinished, "message-unfinished")]
    {
        let data = Step::Data(S, bytes);
        let got = given(Setup::default(), &[data.clone(), Step::Fin(S)]);
        assert_eq!(got.codes, [code, "no-close-frame"], "{:?}", got.texts);
        assert!(got.complete().next().is_none());
        let got = given(Setup::default(), &[data.clone(), Step::Reset(C)]);
        assert_eq!(got.codes, [code, "reset", "no-close-frame"]);
        let got = given(Setup::default(), std::slice::from_ref(&data));
        assert!(got.codes.is_empty(), "{:?}", got.codes);
    }
}

#[test]
fn bytes_that_are_no_frames_are_given_up() {
    let got = sends(C, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(got.codes, ["not-websocket"], "{:?}", got.texts);
    assert!(got.messages.is_empty());
}

#[test]
fn pings_and_pongs_are_matched() {
    let ping = |b: &[u8]| Step::Data(C, frame(C, 0x89, b));
    let answer = |b: &[u8]| Step::Data(S, frame(S, 0x8a, b));
    assert!(given(Setup::default(), &[ping(b"1"), ping(b"2"), answer(b"2")]).codes.is_empty());
    let got = given(Setup::default(), &[ping(b"1"), answer(b"other")]);
    assert_eq!(got.codes, ["pong-unsolicited"]);
    let got = given(Setup::default(), &[Step::Gap(C, 10), answer(b"1")]);
    assert_eq!(got.codes, ["bytes-missing"], "the ping may be among the missing bytes");
}

#[test]
fn pings_without_pong_are_noted_when_there_was_time() {
    let mut steps = vec![Step::Data(C, frame(C, 0x89, b"1"))];
    let silent = [steps.clone(), vec![Step::Fin(S)]].concat();
    assert_eq!(given(Setup::default(), &silent).codes, ["no-close-frame"]);
    // A packet each millisecond: two seconds.
    steps.extend((0..2000).map(|_| Step::Data(C, frame(C, 0x81, b"x"))));
    let open = given(Setup::default(), &steps);
    assert!(!open.codes.contains(&"ping-unanswered"), "the capture ended, not the connection");
    steps.push(Step::Fin(S));
    let got = given(Setup::default(), &steps);
    assert!(got.codes.contains(&"ping-unanswered"), "{:?}", got.texts);
}

#[test]
fn a_hole_in_a_payload_spoils_that_message_only() {
    let steps = [
        Step::Data(C, frame(C, 0x82, &[7; 3000])[..1000].to_vec()),
        Step::Gap(C, 1000),
        Step::Data(C, frame(C, 0x82, &[7; 3000])[2000..].to_vec()),
        Step::Data(C, frame(C, 0x81, b"next")),
    ];
    let got = given(Setup::default(), &steps);
    assert_eq!(got.messages[0].codes, ["bytes-missing"]);
    assert!(!got.messages[0].complete);
    assert_eq!(got.messages[0].payload, vec![7; 2000], "the mask goes on in phase");
    assert_eq!(got.complete().collect::<Vec<_>>(), [(C, Text, &b"next"[..])]);
}

#[test]
fn after_a_lost_header_frames_are_found_again() {
    let lost = frame(C, 0x81, b"this one is lost");
    let steps = [
        Step::Data(C, frame(C, 0x81, b"before the gap")),
        Step::Gap(C, lost.len() as u64),
        Step::Data(C, frame(C, 0x81, b"hello again")),
        Step::Data(C, frame(C, 0x81, b"and again")),
    ];
    let got = given(Setup::default(), &steps);
    let texts: Vec<&[u8]> = got.complete().map(|m| m.2).collect();
    assert_eq!(texts, [&b"before the gap"[..], b"hello again", b"and again"]);
    assert_eq!(got.messages[1].codes, ["resynchronised"]);
    assert_eq!(got.end.unwrap().notes[0].code, NoteCode::BytesMissing);
}

#[test]
fn behind_a_loss_after_a_close_may_be_another_connection() {
    let steps = [
        Step::Data(C, frame(C, 0x88, &[0x03, 0xe8])),
        Step::Gap(C, 70_000),
        Step::Data(C, frame(C, 0x81, b"of the next use of the port")),
        Step::Data(C, frame(C, 0x81, b"and again")),
    ];
    let got = given(Setup::default(), &steps);
    assert_eq!(got.codes, ["resynchronised", "bytes-missing"]);
}

#[test]
fn a_continuation_after_a_loss_is_nobodys_fault() {
    let steps = [
        Step::Gap(S, 100),
        Step::Data(S, frame(S, 0x80, b"end of something")),
        Step::Data(S, frame(S, 0x81, b"a new message, then")),
        Step::Data(S, frame(S, 0x81, b"and another one too")),
    ];
    let got = given(Setup::default(), &steps);
    assert!(!got.codes.contains(&"continuation-unexpected"), "{:?}", got.codes);
    let texts: Vec<&[u8]> = got.complete().map(|m| m.2).collect();
    assert_eq!(texts, [&b"a new message, then"[..], b"and another one too"]);
}

#[test]
fn a_midstream_start_finds_the_first_border() {
    let setup =
        Setup { synced: PerDirection::default(), handshake_known: false, ..Setup::default() };
    let steps =
        [Step::Data(S, vec![0xcc; 700]), Step::Data(S, frame(S, 0x81, b"{\"id\":1,\"x\":2}"))];
    let got = given(setup, &steps);
    assert_eq!(got.complete().count(), 1);
    assert!(got.end.unwrap().notes.is_empty());
}

#[test]
fn messages_over_the_limit_keep_the_step() {
    let limits = Limits { message_bytes: 100, ..Limits::default() };
    let steps = [
        Step::Data(C, frame(C, 0x82, &[7; 3000])[..1000].to_vec()),
        Step::Data(C, frame(C, 0x82, &[7; 3000])[1000..].to_vec()),
        Step::Data(C, frame(C, 0x82, &[8; 3000])),
        Step::Data(C, frame(C, 0x81, b"next")),
    ];
    let got = run(Setup::default(), Wants::ALL, &limits, &steps, false);
    assert_eq!(got.codes, ["message-limit", "message-limit"]);
    assert_eq!(got.complete().collect::<Vec<_>>(), [(C, Text, &b"next"[..])]);
    assert_eq!(got.end.unwrap().bytes.to_server, 6004);
}

#[test]
fn control_frames_of_a_sound_length_are_under_every_limit() {
    let limits = Limits { message_bytes: 0, ..Limits::default() };
    let body = [&[0x03, 0xe8][..], &[b'r'; 123]].concat();
    let there = frame(C, 0x88, &body);
    let steps = [
        Step::Data(C, there[..40].to_vec()),
        Step::Data(C, there[40..].to_vec()),
        Step::Data(S, frame(S, 0x88, &body)),
    ];
    let got = run(Setup::default(), Wants::ALL, &limits, &steps, false);
    assert!(got.codes.is_empty(), "{:?}", got.codes);
    assert_eq!(got.complete().count(), 2);
    let end = got.end.unwrap();
    assert_eq!((end.how, end.notes), (EndHow::Close, Vec::new()));
    let too_long = Step::Data(S, frame(S, 0x89, &[b'p'; 126]));
    let got = run(Setup::default(), Wants::ALL, &limits, &[too_long], false);
    assert_eq!(got.codes, ["control-too-long", "message-limit"]);
}

#[test]
fn compressed_messages_of_rfc_7692() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let steps = [
        Step::Data(S, frame(S, 0xc1, &hello)),
        Step::Data(S, frame(S, 0x81, b"plain")),
        // Fragmented, 7.2.3.1.
        Step::Data(S, [0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00].to_vec()),
        Step::Data(S, frame(S, 0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])),
    ];
    let got = given(deflate(true, 15), &steps);
    let texts: Vec<&[u8]> = got.complete().map(|m| m.2).collect();
    assert_eq!(texts, [&b"Hello"[..], b"plain", b"Hello", b"Hello"]);
    assert!(got.codes.is_empty());
}

#[test]
fn compression_faults_are_noted() {
    let corrupt = frame(C, 0xc1, b"\xff\xff\xff\xff\xff\xff this is not deflate");
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let after = frame(C, 0x81, b"after");
    let codes = |setup, frames: &[Vec<u8>]| {
        let got = given(setup, &[Step::Data(C, frames.concat())]);
        assert_eq!(got.messages.last().unwrap().payload, b"after");
        got.codes
    };
    let on = deflate(true, 15);
    assert_eq!(codes(on, &[corrupt.clone(), after.clone()]), ["inflate-failed"]);
    let cut = frame(C, 0xc1, &hello[..3]);
    assert_eq!(codes(on, &[cut, after.clone()]), ["inflate-failed"]);
    assert_eq!(codes(on, &[frame(C, 0xc9, b"x"), after.clone()]), ["compressed-control"]);
    let split = [frame(C, 0x41, &hello[..3]), frame(C, 0xc0, &hello[3..]), after.clone()];
    assert_eq!(codes(on, &split), ["compressed-continuation"]);
    let took = [frame(C, 0xc1, &hello), frame(C, 0xc1, &again), after.clone()];
    assert_eq!(codes(deflate(false, 15), &took), ["takeover-violated"]);
    assert!(codes(on, &took).is_empty());
    assert_eq!(
        codes(on, &[corrupt, frame(C, 0xc1, &again), after]),
        ["inflate-failed", "inflate-context-lost"]
    );
}

#[test]
fn an_empty_message_compressed_to_nothing_is_noted() {
    let hello = frame(C, 0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let send = |empty: &[u8]| {
        let steps = [Step::Data(C, [&hello, empty, &hello].concat())];
        given(deflate(true, 15), &steps)
    };
    let got = send(&frame(C, 0xc1, b""));
    assert_eq!(got.messages[1].codes, ["inflate-failed"]);
    assert!(got.texts[0].contains("client message 2 is compressed to no bytes"), "{:?}", got.texts);
    assert_eq!(kinds(&got)[1..], [(Text, &b""[..], true), (Text, b"Hello", true)]);
    assert!(send(&frame(C, 0xc1, b"\x00")).codes.is_empty());
    let alone = given(deflate(false, 15), &[Step::Data(C, frame(C, 0xc1, b""))]);
    assert_eq!((kinds(&alone), alone.codes.len()), (vec![(Text, &b""[..], true)], 0));
    assert!(send(&frame(C, 0x81, b"")).codes.is_empty());
    let parts = [frame(C, 0x41, b""), frame(C, 0x80, b"\x00")].concat();
    assert!(send(&parts).codes.is_empty());
}

#[test]
fn bits_of_an_extension_that_is_not_known_here_are_no_fault() {
    let bytes = [frame(C, 0xc1, b"\xff\x01"), frame(C, 0x41, b"\xff"), frame(C, 0xb0, b"\xfe")];
    let steps = [Step::Data(C, bytes.concat())];
    let setup = Setup { other_extension: true, ..Setup::default() };
    let got = given(setup, &steps);
    assert_eq!(kinds(&got), [(Text, &b"\xff\x01"[..], true), (Text, b"\xff\xfe", true)]);
    assert!(got.codes.is_empty(), "{:?}", got.texts);
    // What no extension can have changed is judged.
    let plain = given(setup, &[Step::Data(C, frame(C, 0x81, b"\xff"))]);
    assert_eq!(plain.codes, ["utf8-invalid"]);
    // Beside compression the other bits are its.
    let both = Setup { other_extension: true, ..deflate(true, 15) };
    assert!(given(both, &[Step::Data(C, frame(C, 0xa2, b"x"))]).codes.is_empty());
    assert_eq!(given(deflate(true, 15), &[Step::Data(C, frame(C, 0xa2, b"x"))]).codes, ["rsv-set"]);
}

#[test]
fn presumed_parameters_blame_nobody() {
    let mut setup = deflate(false, 15);
    setup.deflate = setup.deflate.map(|d| DeflateAgreement { presumed: true, ..d });
    let steps = [
        Step::Data(C, frame(C, 0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])),
        Step::Data(C, frame(C, 0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])),
    ];
    let got = given(setup, &steps);
    assert_eq!(got.complete().count(), 2);
    assert!(got.codes.is_empty());
}

#[test]
fn after_a_gap_in_a_compressed_direction_the_context_is_lost() {
    let hello = frame(S, 0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let again = frame(S, 0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    let steps = [
        Step::Data(S, hello.clone()),
        Step::Data(S, hello[..4].to_vec()),
        Step::Gap(S, 5),
        Step::Data(S, again.clone()),
        Step::Data(S, hello),
        Step::Data(S, again),
    ];
    let got = given(deflate(true, 15), &steps);
    let complete: Vec<bool> = got.messages.iter().map(|m| m.complete).collect();
    assert_eq!(complete, [true, false, false, true, true]);
    assert_eq!(got.messages[1].codes, ["bytes-missing"]);
    assert_eq!(got.messages[2].codes, ["inflate-context-lost"]);
}

#[test]
fn frames_compressed_each_by_itself() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut setup = deflate(true, 15);
    setup.deflate = setup.deflate.map(|d| DeflateAgreement { per_frame: true, ..d });
    let steps = [
        Step::Data(C, frame(C, 0xc1, &hello)),
        Step::Data(C, frame(C, 0x41, &hello)),
        Step::Data(C, frame(C, 0x00, b", plain, ")),
        Step::Data(C, frame(C, 0xc0, &[0xf2, 0x00, 0x11, 0x00, 0x00])),
    ];
    let got = given(setup, &steps);
    let texts: Vec<&[u8]> = got.complete().map(|m| m.2).collect();
    assert_eq!(texts, [&b"Hello"[..], b"Hello, plain, Hello"]);
    assert!(got.codes.is_empty(), "{:?}", got.texts);
}

#[test]
fn a_bomb_is_stopped_and_the_step_kept() {
    let mut z = flate2::Compress::new(flate2::Compression::new(9), false);
    let mut bomb = vec![0; 100_000];
    z.compress(&vec![0; 5 << 20], &mut bomb, flate2::FlushCompress::Sync).unwrap();
    bomb.truncate(usize::try_from(z.total_out()).unwrap() - 4);
    let limits = Limits { inflate_bytes: 1 << 20, ..Limits::default() };
    let steps = [Step::Data(S, frame(S, 0xc2, &bomb)), Step::Data(S, frame(S, 0x81, b"next"))];
    let got = run(deflate(true, 15), Wants::ALL, &limits, &steps, false);
    assert_eq!(got.codes, ["inflate-limit"]);
    assert_eq!(got.complete().collect::<Vec<_>>(), [(S, Text, &b"next"[..])]);
}

#[test]
fn inflated_messages_over_the_limit_are_skipped_and_referred_to() {
    let mut z = flate2::Compress::new(flate2::Compression::new(9), false);
    let mut packed = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(1000);
        z.compress_vec(bytes, &mut out, flate2::FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        out
    };
    let words: Vec<u8> = (0..800_u32).flat_map(|n| (n / 40).to_be_bytes()).collect();
    let steps = [&words[..], &words[..100], &words[2000..2100]]
        .map(|bytes| Step::Data(S, frame(S, 0xc2, &packed(bytes))));
    for (message_bytes, whole) in [(3200, 3), (3199, 2)] {
        let limits = Limits { message_bytes, ..Limits::default() };
        let got = run(deflate(true, 15), Wants::ALL, &limits, &steps, false);
        assert_eq!(got.complete().count(), whole);
        assert_eq!(got.complete().last(), Some((S, Binary, &words[2000..2100])));
        assert_eq!(got.codes, ["message-limit"][..3 - whole]);
        assert!(got.texts.iter().all(|text| text.contains("inflates to 3200 bytes")));
        assert_eq!(got.end.unwrap().bytes.to_client, 3400);
    }
}

#[test]
fn notes_without_number_are_summed_up() {
    let bytes = frame(S, 0x83, b"").repeat(1000);
    let got = sends(S, &bytes);
    assert_eq!(got.codes.len(), Limits::default().notes);
    assert!(got.texts.last().unwrap().ends_with("(and 936 notes more)"), "{:?}", got.texts.last());
}

#[test]
fn a_close_without_answer_is_noted_once_tcp_is_over() {
    let close = Step::Data(C, frame(C, 0x88, &[0x03, 0xe9]));
    let got = given(Setup::default(), &[close.clone(), Step::Fin(S)]);
    assert_eq!(got.codes, ["close-unanswered"]);
    assert_eq!(got.end.unwrap().how, EndHow::HalfClose);
    assert!(given(Setup::default(), &[close]).codes.is_empty());
}

#[test]
fn a_pong_that_answers_is_due_until_the_peers_close_has_come() {
    let close = |dir| Step::Data(dir, frame(dir, 0x88, &[0x03, 0xe8]));
    let asked = Step::Data(S, frame(S, 0x89, b"srv"));
    let answer = Step::Data(C, frame(C, 0x8a, b"srv"));
    let crossing = [asked.clone(), close(C), answer.clone(), close(S)];
    assert!(given(Setup::default(), &crossing).codes.is_empty());
    let later = [close(C), asked.clone(), answer.clone(), close(S)];
    assert!(given(Setup::default(), &later).codes.is_empty());
    let late = [asked, close(C), close(S), answer.clone()];
    assert_eq!(given(Setup::default(), &late).codes, ["control-after-close"]);
    let unasked = given(Setup::default(), &[close(C), answer]);
    assert_eq!(unasked.codes, ["control-after-close", "pong-unsolicited"]);
}

#[test]
fn pongs_are_messages() {
    let got = given(
        Setup::default(),
        &[Step::Data(S, frame(S, 0x89, b"hi")), Step::Data(C, frame(C, 0x8a, b"hi"))],
    );
    assert_eq!(kinds(&got), [(Ping, &b"hi"[..], true), (Pong, b"hi", true)]);
}

#[test]
fn a_message_forgotten_for_the_budget_is_said_to_be_and_the_next_one_is_whole() {
    let mut first = frame(S, 0x02, b"kept until now");
    first.truncate(9);
    let rest = frame(S, 0x02, b"kept until now").split_off(9);
    let got = given(
        Setup::default(),
        &[
            Step::Data(S, first),
            Step::Shed(true),
            Step::Data(S, rest),
            Step::Data(S, frame(S, 0x80, b", and on")),
            Step::Data(S, frame(S, 0x81, b"next")),
        ],
    );
    assert_eq!(kinds(&got), [(Binary, b"".as_slice(), false), (Text, b"next", true)]);
    assert_eq!(got.messages[0].codes, ["message-limit"]);
    assert!(got.texts[0].contains("to keep memory within its budget"), "{:?}", got.texts);
}

#[test]
fn a_window_forgotten_for_the_budget_is_said_to_be_and_a_spare_one_changes_nothing() {
    // RFC 7692 section 7.2.3.2: "Hello" twice, the second referring to the first.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let steps = |all| {
        [
            Step::Data(S, frame(S, 0xc1, &hello)),
            Step::Shed(all),
            Step::Data(S, frame(S, 0xc1, &again)),
            Step::Data(S, frame(S, 0xc1, &hello)),
        ]
    };
    let spare = given(deflate(true, 15), &steps(false));
    assert_eq!(
        kinds(&spare),
        [b"Hello", b"Hello", b"Hello"].map(|text| (Text, text.as_slice(), true))
    );
    let all = given(deflate(true, 15), &steps(true));
    assert_eq!(
        kinds(&all),
        [(Text, b"Hello".as_slice(), true), (Text, b"", false), (Text, b"Hello", true)]
    );
    assert_eq!(all.messages[1].codes, ["inflate-context-lost"]);
    assert!(all.texts[0].contains("to keep memory within its budget"), "{:?}", all.texts);
}

#[test]
fn where_nothing_was_known_nothing_was_forgotten_for_the_budget() {
    // Refers five bytes back, which nobody ever sent.
    let wild = Step::Data(S, frame(S, 0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]));
    let empty = Step::Data(S, frame(S, 0xc1, &[0x00]));
    let got = given(deflate(true, 15), &[wild.clone(), empty, Step::Shed(true), wild]);
    assert_eq!(kinds(&got), [(Text, b"".as_slice(), false), (Text, b"", true), (Text, b"", false)]);
    assert_eq!(got.messages[2].codes, ["inflate-context-lost"]);
    assert!(got.texts[1].contains("one of which could not be inflated"), "{:?}", got.texts);
}

#[test]
fn a_hundred_thousand_notes_are_counted_in_the_last() {
    let got = sends(S, &[0x80, 0x00].repeat(100_000));
    let texts: Vec<&String> =
        got.texts.iter().filter(|text| text.contains("is a continuation")).collect();
    assert_eq!(texts.len(), Limits::default().notes);
    assert!(texts[63].ends_with("(and 99936 notes more)"), "{}", texts[63]);
}

#[test]
fn a_connection_lasts_until_its_latest_time_wherever_that_stands() {
    for (times, want) in [
        (&[Some(5), Some(9), Some(3), Some(4)][..], Some(9)),
        (&[Some(5), Some(3), Some(9)], Some(9)),
        (&[Some(9), None, None], Some(9)),
        (&[None, Some(2)], Some(2)),
        (&[None], Some(0)),
    ] {
        let mut session = Session::new(Setup { begin: Some(Timestamp(0)), ..Setup::default() });
        let end = end_of(|out| {
            let mut origin = Origin::default();
            for time in times {
                let packet = PacketNo(origin.packet.0 + 1);
                origin = Origin { packet, time: time.map(Timestamp) };
                session.data(S, origin, &frame(S, 0x81, b"x"), out)?;
            }
            session.finish(Finish::CaptureEnd, origin, out)
        });
        assert_eq!(end.duration_ns, want, "{times:?}");
    }
}

#[test]
fn silence_begins_with_the_handshake_where_no_frame_was_sent() {
    let mut session = Session::new(Setup::default());
    let at = |packet, s: i64| Origin {
        packet: PacketNo(packet),
        time: Some(Timestamp(s * 1_000_000_000)),
    };
    session.opened(at(6, 5));
    let end = end_of(|out| {
        session.fin(S, at(8, 65), out)?;
        session.finish(Finish::Tcp, at(9, 66), out)
    });
    assert!(
        end.cause.contains("after 60.0 s of silence, which matches an idle timeout"),
        "{end:?}"
    );
    assert_eq!(end.evidence, [6, 8].map(PacketNo));
}

/// What comes out at the end of a connection that is told packet by packet.
fn end_of(tell: impl FnOnce(&mut Out<'_, Recorder>) -> ControlFlow<()>) -> End {
    let mut sink = Recorder::new(Wants::ALL);
    let mut out = Out {
        sink: &mut sink,
        wants: Wants::ALL,
        limits: &Limits::default(),
        conn: &crate::sink::samples::conn(1),
        scratch: &mut Scratch::default(),
    };
    assert!(tell(&mut out).is_continue());
    sink.end.unwrap()
}

#[test]
fn what_each_segment_asks_for_shares_a_cache_line() {
    use std::mem::offset_of;
    assert_eq!(offset_of!(Session, common) + offset_of!(Common, last), 64);
    assert_eq!(align_of::<Session>(), 64);
}
