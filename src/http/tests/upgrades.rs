//! Exchanges that lead to WebSockets, and the bytes around them.

use super::*;

#[test]
fn frames_behind_the_101_are_left_to_whoever_comes_next() {
    let got = lawful(&[C(REQUEST), S(&[SWITCH, HELLO].concat())]);
    let Step::Switched(e) = &got.steps[0] else { panic!("{got:?}") };
    assert_eq!(got.steps.len(), 1);
    assert_eq!(got.rest, HELLO);
    assert!(got.held.is_empty());
    let request = e.request.as_ref().unwrap();
    assert_eq!((&*request.method, &*request.target, &*request.version), ("GET", "/chat", "1.1"));
    assert_eq!((request.begin, request.origin), (packet(1), packet(1)));
    assert_eq!(request.fields.0.len(), 5);
    assert_eq!(&*request.fields.0[1].name, b"Upgrade");
    assert_eq!((head(e).status, &*head(e).reason), (101, "Switching Protocols"));
    assert_eq!(head(e).origin, packet(2));
    assert!(!e.request_partial && !e.request_body && e.early.is_none() && e.interim.is_empty());
}

#[test]
fn heads_over_several_packets_name_the_first_and_the_last() {
    let (asked, more) = REQUEST.split_at(30);
    let (told, rest) = SWITCH.split_at(7);
    let got = lawful(&[C(asked), C(more), S(told), S(rest)]);
    let e = only(&got);
    let request = e.request.as_ref().unwrap();
    assert_eq!((request.begin, request.origin), (packet(1), packet(2)));
    assert_eq!((head(e).begin, head(e).origin), (packet(3), packet(4)));
}

#[test]
fn frames_sent_before_the_answer_are_held_and_counted() {
    let got = lawful(&[C(&[REQUEST, MASKED].concat()), C(MASKED), S(&SWITCH[..9]), C(MASKED)]);
    assert_eq!(got.last.as_ref().unwrap().early, Some((packet(1), 22)));
    let (a, b) = SWITCH.split_at(9);
    let got = lawful(&[C(REQUEST), C(MASKED), S(a), C(MASKED), S(b)]);
    assert_eq!(only(&got).early, Some((packet(2), 11)));
    let pieces: Vec<_> = got.held.pieces().collect();
    assert_eq!(
        pieces,
        [
            HeldPiece::Data { origin: packet(2), bytes: MASKED },
            HeldPiece::Data { origin: packet(4), bytes: MASKED },
        ]
    );
}

#[test]
fn held_bytes_are_bounded() {
    let limits = Limits { held_bytes: 100, ..Limits::default() };
    let got = lawful_with(&[C(REQUEST), C(&[7; 300]), C(&[8; 5]), S(SWITCH)], &limits);
    assert_eq!(only(&got).early, Some((packet(2), 305)));
    let pieces: Vec<_> = got.held.pieces().collect();
    let [HeldPiece::Data { bytes, .. }, HeldPiece::Gap { len, over_limit: true, .. }] =
        pieces.as_slice()
    else {
        panic!("{pieces:?}")
    };
    assert_eq!(bytes.len() as u64 + len, 305);
    assert!(bytes.len() < 100);
}

#[test]
fn any_101_to_an_attempt_switches_whatever_its_fields() {
    for answer in [
        &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"[..],
        b"HTTP/1.0 101 x\r\n\r\n",
        b"HTTP/1.1 101\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 101 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 x\nUpgrade: websocket\n\n",
    ] {
        let got = lawful(&[C(REQUEST), S(&[answer, HELLO].concat())]);
        assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
        assert_eq!(got.rest, HELLO);
    }
}

#[test]
fn attempt_without_upgrade_is_one_by_its_other_headers() {
    let request = b"GET /s HTTP/1.1\r\nHost: x\r\nsec-websocket-key: a\r\n\r\n";
    let got = lawful(&[C(request), S(OK2)]);
    let Step::Refused(e) = &got.steps[0] else { panic!("{got:?}") };
    assert_eq!((target(e), head(e).status), ("/s", 200));
}

#[test]
fn plain_request_answered_by_a_websocket_101_is_an_attempt() {
    let got = lawful(&[C(PLAIN), S(SWITCH)]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    assert_eq!(target(only(&got)), "/page");
}

#[test]
fn switch_to_something_else_that_nobody_asked_us_about_is_not_ours() {
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: foo/2\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo/2\r\n\r\n";
    let got = lawful(&[C(request), S(answer)]);
    assert_eq!(got.steps, [Step::NotOurs]);
}

#[test]
fn switch_to_http_2_is_followed_by_a_new_conversation() {
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    let got = lawful(&[C(request), S(answer)]);
    assert_eq!(got.steps, [Step::Tunnel]);
}

#[test]
fn answer_101_without_a_captured_request_switches() {
    for acts in [&[S(SWITCH)][..], &[GapC(200), S(SWITCH)]] {
        let got = lawful(acts);
        assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
        assert_eq!(only(&got).request, None);
    }
}

#[test]
fn answer_101_is_not_laid_to_a_plain_request_when_requests_may_be_lost() {
    let plain = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    let answered = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let got = lawful(&[C(plain), GapC(90), S(SWITCH)]);
    assert_eq!(only(&got).request, None);
    // Nothing is missing: it was answered as if it had asked.
    assert!(only(&lawful(&[C(plain), S(SWITCH)])).request.is_some());
    // Bytes missing inside a body of known length hide no request.
    let holed = [C(&plain[..plain.len() - 2]), GapC(2), S(SWITCH)];
    assert!(only(&lawful(&holed)).request.is_some());
    let later = [C(plain), S(answered), C(plain), S(SWITCH)];
    assert!(only(&lawful(&later)).request.is_some());
}

#[test]
fn interim_responses_are_recorded() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let got = lawful(&[C(REQUEST), S(&[interim, SWITCH].concat())]);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    assert_eq!(only(&got).interim, [100, 103]);
}

#[test]
fn body_of_the_request_is_no_early_frame() {
    let request = b"GET /b HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nbody";
    let got = lawful(&[C(&[request, MASKED].concat()), S(SWITCH)]);
    let e = only(&got);
    assert!(e.request_body);
    assert_eq!(e.early, Some((packet(1), 11)));
    assert_eq!(held_bytes(&got.held), MASKED);
    // Cut off by the answer: what is still to come is told.
    let got = lawful(&[C(&request[..request.len() - 3]), S(SWITCH)]);
    assert_eq!(got.held.body_left, 3);
    let chunked = b"GET /b HTTP/1.1\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n";
    let got = lawful(&[C(&[chunked, &b"1\r\nx\r\n0\r\n\r\n"[..], MASKED].concat()), S(SWITCH)]);
    assert_eq!(held_bytes(&got.held), MASKED);
    // It said chunks and sent frames.
    let got = lawful(&[C(&[chunked, MASKED].concat()), S(SWITCH)]);
    assert_eq!(held_bytes(&got.held), MASKED);
}

#[test]
fn faults_of_the_bytes_do_not_hide_the_handshake() {
    use crate::note::{Blame, NoteCode};
    let request = b"GET /f HTTP/1.1\nHost: x\nUpgrade: websocket\nX: first\n second\n\n";
    let answer = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nBad Header\x01: va\x00l\r\n\r\n";
    let got = lawful(&[C(request), S(answer)]);
    let e = only(&got);
    let codes =
        |notes: &[crate::note::Note]| notes.iter().map(|n| (n.code, n.blame)).collect::<Vec<_>>();
    assert_eq!(
        codes(&e.request.as_ref().unwrap().notes),
        [(NoteCode::LineEnding, Blame::Client), (NoteCode::HeaderInvalid, Blame::Client)]
    );
    assert_eq!(codes(&head(e).notes), [(NoteCode::HeaderInvalid, Blame::Server); 2]);
}
