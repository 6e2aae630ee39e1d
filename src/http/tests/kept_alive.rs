//! Several exchanges on one connection: bodies are stepped over, and answers put to their requests.

use super::*;

fn switches(acts: &[Act<'_>]) -> Outcome {
    let got = lawful(acts);
    assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    assert_eq!(target(only(&got)), "/chat");
    got
}

#[test]
fn bodies_of_every_framing_are_stepped_over() {
    switches(&[
        C(PLAIN),
        S(OK2),
        C(b"GET /chunked HTTP/1.1\r\n\r\n"),
        S(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789"),
        S(b"\r\n0\r\nTrailer: x\r\n\r\n"),
        C(b"HEAD / HTTP/1.1\r\n\r\n"),
        S(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"),
        C(b"POST /form HTTP/1.1\r\nContent-Length: 12\r\n\r\nbody of post"),
        S(b"HTTP/1.1 204 No Content\r\n\r\n"),
        C(b"POST /chunky HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        S(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n"),
        C(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        S(b"HTTP/1.1 100 Continue\r\n\r\n"),
        C(b"ab"),
        S(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok\r\n"),
        C(b"\r\n"),
        C(REQUEST),
        S(SWITCH),
    ]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let got = switches(&[C(&[PLAIN, PLAIN, REQUEST].concat()), S(OK2), S(OK2), S(SWITCH)]);
    assert!(only(&got).interim.is_empty());
}

#[test]
fn interim_responses_of_earlier_requests_are_theirs() {
    let got = switches(&[
        C(PLAIN),
        S(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        S(OK2),
        C(REQUEST),
        S(SWITCH),
    ]);
    assert!(only(&got).interim.is_empty());
}

#[test]
fn requests_without_answers_do_not_pile_up() {
    let limits = Limits { pipelined_requests: 4, ..Limits::default() };
    let mut http = Http1::new();
    for _ in 0..100 {
        assert_eq!(http.data(ToServer, packet(1), &mut &PLAIN[..], &limits), None);
        assert!(http.queue.len() <= 4);
    }
    assert_eq!(http.data(ToServer, packet(1), &mut &REQUEST[..], &limits), None);
    assert_eq!(http.data(ToServer, packet(2), &mut &MASKED[..], &limits), None);
    let last = http.finish(&limits).unwrap();
    assert_eq!((target(&last), &last.answer), ("/chat", &Answer::Missing));
}

#[test]
fn plain_traffic_gives_nothing_and_keeps_nothing() {
    let limits = Limits::default();
    let mut http = Http1::new();
    for _ in 0..3 {
        assert_eq!(http.data(ToServer, packet(1), &mut &PLAIN[..], &limits), None);
        assert_eq!(http.data(ToClient, packet(2), &mut &OK2[..], &limits), None);
    }
    assert!(http.queue.is_empty() && http.held().is_empty());
    assert!(http.client.head.bytes().is_empty() && http.server.head.bytes().is_empty());
    assert_eq!(http.closed(CutBy::Fin(ToClient, packet(3)), &limits), None);
    assert_eq!(http.finish(&limits), None);
}

#[test]
fn client_bytes_that_are_no_http_are_not_ours() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        MASKED,
        b"EHLO mail.example\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://x/ RTSP/1.0\r\n\r\n",
        b"PROXY TCP4 and far too long a line 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
    ] {
        assert_eq!(lawful(&[C(bytes)]).steps, [Step::NotOurs]);
    }
    assert_eq!(lawful(&[C(PLAIN), S(OK2), C(MASKED)]).steps, [Step::NotOurs]);
}
