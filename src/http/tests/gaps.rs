//! Bytes that the capture lacks, in heads, in bodies and between them.

use super::*;

#[test]
fn gap_in_bodies_of_known_length_keeps_step() {
    let got = lawful(&[
        C(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab"),
        GapC(8),
        S(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        GapS(4),
        S(b"efghij"),
        C(REQUEST),
        S(SWITCH),
    ]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
}

#[test]
fn answer_to_an_unknown_request_is_not_believed_to_last_until_the_end() {
    // The CONNECT that it answers is missing from the capture.
    let got = lawful(&[S(b"HTTP/1.1 200 Connection established\r\n\r\n"), C(REQUEST), S(SWITCH)]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
}

#[test]
fn missing_answer_is_told_at_the_gap() {
    let got = lawful(&[C(REQUEST), GapS(129), C(MASKED)]);
    let Step::Unanswered(e) = &got.steps[0] else { panic!("{got:?}") };
    assert_eq!((&e.answer, target(e)), (&Answer::Missing, "/chat"));
}

#[test]
fn http_goes_on_behind_a_gap_at_the_next_start_line() {
    // A gap over the end of a body of unknown length, then a response and a request in packets
    // of their own; also behind bytes that are no line.
    let got = lawful(&[
        C(PLAIN),
        S(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        GapS(100),
        S(b"rest of a chunk HTTP/1.1 101 no\r\n0\r\n\r\n"),
        GapC(30),
        C(b"end of something"),
        C(PLAIN),
        S(OK2),
        C(REQUEST),
        S(SWITCH),
    ]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    assert_eq!(target(only(&got)), "/chat");
}

#[test]
fn lost_answers_do_not_keep_a_101_from_its_request() {
    let got = lawful(&[C(&[PLAIN, REQUEST].concat()), GapS(50), S(SWITCH)]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    assert_eq!(target(only(&got)), "/chat");
}

#[test]
fn snapped_heads_show_what_is_left_of_them() {
    // 96 bytes of each packet, 66 of them headers.
    let got = lawful(&[
        C(b"GET /link HTTP/1.1\r\nHost: 127."),
        GapC(190),
        S(b"HTTP/1.1 101 Switching Protoco"),
        GapS(99),
    ]);
    let Step::Unanswered(e) = &got.steps[0] else { panic!("{got:?}") };
    assert!(e.request_partial);
    assert_eq!(target(e), "/link");
    assert_eq!(e.request.as_ref().unwrap().fields.0, []);
    let Answer::Partial(answer) = &e.answer else { panic!("{e:?}") };
    assert_eq!((answer.status, &*answer.reason), (101, "Switching Protoco"));
}

#[test]
fn snapped_plain_traffic_gives_nothing() {
    let got = lawful(&[
        C(b"GET /link HTTP/1.1\r\nHost: 127."),
        GapC(190),
        S(b"HTTP/1.1 200 OK\r\nContent-"),
        GapS(99),
        C(b"GET /more HTTP/1.1\r\nHost: 127."),
        GapC(190),
        S(b"HTTP/1.1 200 OK\r\nContent-"),
        GapS(99),
    ]);
    assert_eq!(got.steps, []);
    assert_eq!(got.last, None);
    let h2c = b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n";
    let got = lawful(&[C(h2c), S(b"HTTP/1.1 101 Switching Protoco"), GapS(99)]);
    assert_eq!(got.steps, []);
}

#[test]
fn snapped_refusal_is_one_and_http_goes_on() {
    let got = lawful(&[
        C(REQUEST),
        S(b"HTTP/1.1 403 Forbidden\r\nContent-Type: te"),
        GapS(99),
        C(REQUEST),
        S(SWITCH),
    ]);
    let [Step::Refused(a), Step::Switched(_)] = got.steps.as_slice() else { panic!("{got:?}") };
    assert!(matches!(&a.answer, Answer::Partial(h) if h.status == 403));
}

#[test]
fn request_head_with_a_hole_keeps_the_fields_around_it() {
    // The gap takes "lue\r\nCut: x\r\nSec-Web"; what is left of that name names nothing.
    let got = lawful(&[
        C(b"GET /hole HTTP/1.1\r\nHost: x\r\nCookie: va"),
        GapC(21),
        C(b"Socket-Key: y\r\nUpgrade: websocket\r\n\r\n"),
        C(MASKED),
        S(SWITCH),
    ]);
    let e = only(&got);
    assert!(e.request_partial);
    let names: Vec<_> =
        e.request.as_ref().unwrap().fields.0.iter().map(|f| f.name_text().into_owned()).collect();
    assert_eq!(names, ["Host", "Upgrade"]);
    assert_eq!(held_bytes(&got.held), MASKED);
}

#[test]
fn gap_behind_an_attempt_is_held_in_its_place() {
    let got = lawful(&[C(REQUEST), C(MASKED), GapC(5), C(MASKED), S(SWITCH)]);
    let pieces: Vec<_> = got.held.pieces().collect();
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces[1], HeldPiece::Gap { origin: packet(3), len: 5, over_limit: false });
}
