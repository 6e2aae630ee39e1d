mod rfc6455_section_4_1_request;
mod rfc6455_section_4_1_response;

use super::accept_for;
use super::testing::{
    Judged, REQUEST, RESPONSE, answered, asked, edited, exchange, judge, judged, packet, request,
    response,
};
use crate::event::Outcome::{Accepted, Incomplete, Invalid, Rejected};
use crate::event::{RequestHead, ResponseHead};
use crate::http::{Answer, CutBy, Exchange};
use crate::note::{Blame, Note, NoteCode, Severity};
use crate::units::Direction;

fn head(text: &str) -> Answer {
    Answer::Head(response(text))
}

fn unanswered(answer: Answer) -> Judged {
    Judged(judge(exchange(REQUEST, answer)))
}

fn with(change: impl FnOnce(&mut Exchange)) -> Judged {
    let mut it = exchange(REQUEST, head(RESPONSE));
    change(&mut it);
    Judged(judge(it))
}

mod rfc6455_section_3_targets {
    use super::*;

    fn target(target: &str) -> Judged {
        asked("GET", &format!("GET {target} HTTP/1.1"))
    }

    #[test]
    fn a_fragment_or_raw_bytes_are_not_allowed() {
        target("/a#part").has(&["target-invalid"]).says(
            "target-invalid",
            Blame::Client,
            "fragment at byte 2",
        );
        target("/caf\u{e9}").has(&["target-invalid"]).says(
            "target-invalid",
            Blame::Client,
            "'\\u{e9}' at byte 4",
        );
        target("/a\tb").has(&["target-invalid"]);
        with(|it| {
            let head = it.request.as_mut().unwrap();
            head.target = "/a b".into();
            head.notes.push(Note::new(NoteCode::TargetInvalid, Blame::Client, "found in parsing"));
        })
        .has(&["target-invalid"]);
        target("chat").has(&["target-invalid"]).says(
            "target-invalid",
            Blame::Client,
            "neither a path",
        );
        target("ws://server.example.com/chat").has(&["target-invalid"]);
        target("*").has(&["target-invalid"]);
    }

    #[test]
    fn paths_queries_and_absolute_http_addresses_are() {
        target("/a?token=s3cret&x=%20%2F").is_clean();
        target("/a?x={y}|z^").is_clean();
        target("/a%23b").is_clean();
        target("http://server.example.com/chat").is_clean();
        target("HTTPS://server.example.com/chat").is_clean();
    }
}

mod rfc6455_section_11_3_1 {
    use super::*;

    #[test]
    fn key_duplicate() {
        asked("", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==").has(&["key-duplicate"]).says(
            "key-duplicate",
            Blame::Client,
            "\"AQIDBAUGBwgJCgsMDQ4PEA==\"",
        );
        let second =
            edited(REQUEST, "Sec-WebSocket-Key", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==");
        let both = edited(&second, "", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
        judged(&both, RESPONSE).has(&["key-duplicate"]).comes_to(Accepted);
    }
}

mod rfc6455_section_4_2_2_subprotocol {
    use super::*;

    fn chosen(offer: &str, answer: &str) -> Judged {
        let line = |value: &str| format!("Sec-WebSocket-Protocol: {value}");
        let request =
            if offer.is_empty() { REQUEST.into() } else { edited(REQUEST, "", &line(offer)) };
        let response =
            if answer.is_empty() { RESPONSE.into() } else { edited(RESPONSE, "", &line(answer)) };
        judged(&request, &response)
    }

    #[test]
    fn one_that_was_offered() {
        let it = chosen("chat, superchat", "superchat");
        assert_eq!(it.is_clean().0.subprotocol.as_deref(), Some("superchat"));
    }

    #[test]
    fn subprotocol_unoffered() {
        chosen("", "mqtt")
            .has(&["subprotocol-unoffered"])
            .says("subprotocol-unoffered", Blame::Server, "\"mqtt\", but the client offered none")
            .comes_to(Invalid);
        chosen("chat.v1, chat.v2", "chat.v3").has(&["subprotocol-unoffered"]).says(
            "subprotocol-unoffered",
            Blame::Server,
            "\"chat.v1\" and \"chat.v2\"",
        );
        chosen("Chat", "chat").has(&["subprotocol-unoffered"]).says(
            "subprotocol-unoffered",
            Blame::Server,
            "spelt it \"Chat\"",
        );
    }

    #[test]
    fn subprotocol_unselected() {
        chosen("soap", "")
            .has(&["subprotocol-unselected"])
            .says("subprotocol-unselected", Blame::Server, "\"soap\"")
            .has_severity("subprotocol-unselected", Severity::Info)
            .comes_to(Accepted);
        chosen("", "").is_clean();
    }

    #[test]
    fn subprotocol_invalid() {
        let it = chosen("chat.v1, chat.v2", "chat.v1, chat.v2");
        it.has(&["subprotocol-invalid"]).says(
            "subprotocol-invalid",
            Blame::Server,
            "names more than one",
        );
        assert_eq!(it.0.subprotocol.as_deref(), Some("chat.v1, chat.v2"));
        let twice = edited(
            &edited(RESPONSE, "", "Sec-WebSocket-Protocol: chat"),
            "",
            "Sec-WebSocket-Protocol: chat",
        );
        judged(&edited(REQUEST, "", "Sec-WebSocket-Protocol: chat"), &twice)
            .has(&["subprotocol-invalid"]);
        chosen("chat", " ").has(&["subprotocol-invalid"]).says(
            "subprotocol-invalid",
            Blame::Server,
            "is empty",
        );
    }
}

mod rfc6455_section_4_1_status {
    use super::*;

    fn refused(response: &str) -> Judged {
        let it = judged(REQUEST, response);
        it.comes_to(Rejected).has_severity("status-not-101", Severity::Warning);
        it
    }

    #[test]
    fn each_status_says_what_it_means_for_a_websocket() {
        for (response, blame, part) in [
            ("HTTP/1.1 200 OK\n", Blame::Server, "\"/chat\" was answered as a plain HTTP resource"),
            (
                "HTTP/1.1 302 Found\nLocation: https://a.example/\n",
                Blame::Server,
                "\"https://a.example/\"",
            ),
            ("HTTP/1.1 302 Found\nLocation: https://a.example/\n", Blame::Server, "over TLS"),
            ("HTTP/1.1 400 Bad Request\n", Blame::Server, "400 \"Bad Request\" instead of 101"),
            (
                "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic\n",
                Blame::Client,
                "no Authorization",
            ),
            ("HTTP/1.1 403 Forbidden\n", Blame::Client, "no Origin"),
            ("HTTP/1.1 404 Not Found\n", Blame::Server, "nothing is served at \"/chat\""),
            ("HTTP/1.1 405 Method Not Allowed\nAllow: POST\n", Blame::Server, "\"POST\""),
            (
                "HTTP/1.1 429 Too Many Requests\nRetry-After: 9\n",
                Blame::Client,
                "Retry-After: \"9\"",
            ),
            ("HTTP/1.1 431 \n", Blame::Client, "bytes"),
            ("HTTP/1.1 500 Oops\n", Blame::Server, "failed"),
            ("HTTP/1.1 502 Bad Gateway\n", Blame::Proxy, "a gateway got no proper answer"),
            (
                "HTTP/1.1 503 Service Unavailable\nRetry-After: 30\n",
                Blame::Server,
                "Retry-After: \"30\"",
            ),
            ("HTTP/1.1 504 Gateway Timeout\n", Blame::Proxy, "in vain"),
            ("HTTP/1.1 522 \n", Blame::Proxy, "only a proxy answers with this status"),
            ("HTTP/1.1 304 Not Modified\n", Blame::Server, "\"/chat\" has not changed"),
            ("HTTP/1.1 418 Teapot\n", Blame::Server, "refused"),
            ("HTTP/1.1 777 Odd\n", Blame::Server, "no meaning"),
        ] {
            refused(response).has(&["status-not-101"]).says("status-not-101", blame, part);
        }
    }

    #[test]
    fn an_origin_or_authorization_that_was_sent_is_told() {
        let request = edited(REQUEST, "", "Origin: http://evil.example");
        judged(&request, "HTTP/1.1 403 Forbidden\n").says(
            "status-not-101",
            Blame::Client,
            "Origin: \"http://evil.example\"",
        );
        let request = edited(REQUEST, "", "Authorization: Bearer x");
        judged(&request, "HTTP/1.1 401 Unauthorized\n").says(
            "status-not-101",
            Blame::Client,
            "was not accepted",
        );
    }

    #[test]
    fn who_made_it_is_told_by_its_headers() {
        refused("HTTP/1.1 200 OK\nServer: nginx/1.22.1\n").says(
            "status-not-101",
            Blame::Proxy,
            "Server: \"nginx/1.22.1\"",
        );
        refused("HTTP/1.1 200 OK\nServer: Kestrel\n").says(
            "status-not-101",
            Blame::Server,
            "Server: \"Kestrel\"",
        );
        refused(
            "HTTP/1.1 503 Service Unavailable\nCache-Control: no-cache\nContent-Type: text/html\n",
        )
        .says("status-not-101", Blame::Proxy, "HAProxy");
        refused("HTTP/1.1 404 Not Found\nVia: 1.1 edge\n")
            .has(&["status-not-101", "proxy-trace"])
            .says("status-not-101", Blame::Proxy, "Via: \"1.1 edge\"");
    }

    #[test]
    fn a_fault_of_the_request_is_the_likeliest_reason() {
        let request = edited(REQUEST, "Sec-WebSocket-Key", "");
        judged(&request, "HTTP/1.1 400 Bad Request\nServer: nginx\n")
            .has(&["key-missing", "status-not-101"])
            .says("status-not-101", Blame::Client, "(key-missing)");
    }

    #[test]
    fn version_negotiation() {
        let answer =
            "HTTP/1.1 426 Upgrade Required\nSec-WebSocket-Version: 13, 8\nUpgrade: websocket\n";
        let old = edited(REQUEST, "Sec-WebSocket-Version", "Sec-WebSocket-Version: 7");
        judged(&old, answer)
            .has(&["version-unsupported", "status-not-101", "version-negotiation"])
            .says("version-negotiation", Blame::Client, "\"13, 8\"; \"7\" was asked for")
            .has_severity("version-negotiation", Severity::Info);
        refused(answer).says("version-negotiation", Blame::Server, "not the reason");
        refused("HTTP/1.1 426 Upgrade Required\nUpgrade: h2c\n").has(&["status-not-101"]).says(
            "status-not-101",
            Blame::Server,
            "another protocol",
        );
        refused("HTTP/1.1 426 Upgrade Required\nUpgrade: websocket\n").says(
            "status-not-101",
            Blame::Server,
            "a proxy on the way",
        );
    }
}

mod answers_that_are_not_whole {
    use super::*;

    #[test]
    fn missing_from_the_capture_is_nobodys_fault() {
        let mut it = exchange(
            &edited(REQUEST, "", "Sec-WebSocket-Extensions: permessage-deflate"),
            Answer::Missing,
        );
        it.early = Some((packet(5), 3));
        let it = Judged(judge(it));
        it.has(&["handshake-incomplete"])
            .says("handshake-incomplete", Blame::Capture, "answer is missing")
            .comes_to(Incomplete);
        assert!(it.0.deflate.unwrap().presumed);
        assert_eq!(unanswered(Answer::Missing).0.deflate, None);
    }

    #[test]
    fn who_cut_it_short_is_told_with_packet_and_time() {
        for (by, blame, part) in [
            (
                CutBy::Fin(Direction::ToClient, packet(9)),
                Blame::Server,
                "the server closed the connection (FIN in packet 9), 5.0 s after the request, before any answer",
            ),
            (CutBy::Reset(Direction::ToClient, packet(9)), Blame::Server, "(RST in packet 9)"),
            (CutBy::Fin(Direction::ToServer, packet(9)), Blame::Client, "the client closed"),
            (CutBy::CaptureEnd, Blame::Capture, "the capture ends"),
        ] {
            unanswered(Answer::Cut { seen: 0, by })
                .has(&["handshake-incomplete"])
                .says("handshake-incomplete", blame, part)
                .has_severity("handshake-incomplete", Severity::Warning)
                .comes_to(Incomplete);
        }
        let gone = CutBy::Fin(Direction::ToClient, packet(2));
        unanswered(Answer::Cut { seen: 0, by: gone }).says(
            "handshake-incomplete",
            Blame::Server,
            ", 2.0 s before the request, before any answer",
        );
        unanswered(Answer::Cut { seen: 46, by: CutBy::CaptureEnd }).says(
            "handshake-incomplete",
            Blame::Capture,
            "46 bytes",
        );
    }

    #[test]
    fn what_may_stand_in_the_missing_part_of_a_head_is_not_held_against_anybody() {
        let mut it = exchange("GET /chat HTTP/1.1\nHost: a.example\n", head(RESPONSE));
        it.request_partial = true;
        it.answer = head(&edited(RESPONSE, "", "Sec-WebSocket-Protocol: chat"));
        Judged(judge(it))
            .has(&["handshake-incomplete"])
            .says("handshake-incomplete", Blame::Capture, "the request's head is not whole")
            .comes_to(Accepted);

        let offer = edited(REQUEST, "", "Sec-WebSocket-Extensions: permessage-deflate");
        let start = response("HTTP/1.1 101 Switching Protocols\nServer: x\n");
        let it = Judged(judge(exchange(&offer, Answer::Partial(start))));
        it.has(&["handshake-incomplete"]).comes_to(Incomplete);
        assert!(it.0.deflate.unwrap().presumed);
        assert_eq!(it.0.response.unwrap().status, 101);
    }

    #[test]
    fn a_head_over_a_limit_is_not_said_to_be_missing_from_the_capture() {
        let over = || vec![Note::new(NoteCode::HandshakeIncomplete, Blame::Capture, "too long")];
        let mut it = exchange(REQUEST, Answer::Missing);
        it.answer = Answer::Partial(ResponseHead { notes: over(), ..response(RESPONSE) });
        Judged(judge(it.clone()))
            .has(&["handshake-incomplete"])
            .says("handshake-incomplete", Blame::Capture, "too long")
            .comes_to(Incomplete);
        it.request_partial = true;
        it.request = Some(RequestHead { notes: over(), ..request(REQUEST) });
        Judged(judge(it)).has(&["handshake-incomplete", "handshake-incomplete"]);
    }

    #[test]
    fn what_stands_in_the_part_that_is_there_is_judged() {
        let mut it = exchange("POST /chat HTTP/1.0\nSec-WebSocket-Key: short\n", Answer::Missing);
        it.request_partial = true;
        Judged(judge(it))
            .says("request-method", Blame::Client, "\"POST\"")
            .says("request-version", Blame::Client, "HTTP/1.0")
            .has(&[
                "request-method",
                "request-version",
                "key-invalid",
                "handshake-incomplete",
                "handshake-incomplete",
            ]);
        let start = response("HTTP/1.1 101 Switching Protocols\nSec-WebSocket-Accept: AAAA\n");
        unanswered(Answer::Partial(start))
            .has(&["accept-mismatch", "handshake-incomplete"])
            .comes_to(Invalid);
        let start = response("HTTP/1.1 503 Service Unavailable\n");
        unanswered(Answer::Partial(start))
            .has(&["status-not-101", "handshake-incomplete"])
            .comes_to(Rejected);
    }

    #[test]
    fn response_not_http() {
        let start = b"SSH-2.0-OpenSSH_9.2\r\n"[..].into();
        unanswered(Answer::NotHttp { start, origin: packet(6) })
            .has(&["response-not-http"])
            .says("response-not-http", Blame::Server, "packet 6")
            .says("response-not-http", Blame::Server, "\"SSH-2.0-OpenSSH_9.2\\r\\n\"")
            .comes_to(Incomplete);
    }

    #[test]
    fn the_request_is_judged_all_the_same() {
        let it = exchange(&edited(REQUEST, "Host", ""), Answer::Missing);
        Judged(judge(it)).has(&["host-missing", "handshake-incomplete"]);
    }
}

mod rfc9110_section_7_6_proxies {
    use super::*;

    #[test]
    fn proxy_trace_names_the_headers() {
        asked("", "X-Forwarded-For: 203.0.113.9")
            .has(&["proxy-trace"])
            .says(
                "proxy-trace",
                Blame::Proxy,
                "the request has headers that a proxy adds: X-Forwarded-For: \"203.0.113.9\"",
            )
            .has_severity("proxy-trace", Severity::Info)
            .comes_to(Accepted);
        answered("", "Via: 1.1 edge").has(&["proxy-trace"]).says(
            "proxy-trace",
            Blame::Proxy,
            "the response",
        );
        asked("", "Viable: yes").is_clean();
        asked("", "X-Forwarded: yes").is_clean();
    }
}

mod notes_of_the_bytes {
    use super::*;

    #[test]
    fn what_parsing_found_is_passed_on() {
        let fold = || Note::new(NoteCode::HeaderInvalid, Blame::Client, "folded");
        let lf = || Note::new(NoteCode::LineEnding, Blame::Server, "bare LF");
        with(|it| {
            it.request.as_mut().unwrap().notes.push(fold());
            let Answer::Head(head) = &mut it.answer else { return };
            head.notes.push(lf());
        })
        .has(&["header-invalid", "line-ending"])
        .comes_to(Accepted);
    }
}

mod hostile_heads {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_rule_broken_thousands_of_times_leaves_a_bounded_number_of_notes() {
        let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{}", "; x".repeat(64));
        let it = asked("", &[offer.as_str(); 500].join("\n"));
        assert_eq!(it.0.notes.len(), Limits::default().notes);
        let last = &it.0.notes.last().unwrap().text;
        assert!(last.ends_with("notes more)"), "{last}");
    }

    #[test]
    fn faults_of_one_head_hide_none_of_the_other() {
        let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{}", "; x".repeat(64));
        let request = edited(REQUEST, "", &[offer.as_str(); 500].join("\n"));
        let response = edited(RESPONSE, "Sec-WebSocket-Accept", "Sec-WebSocket-Accept: wrong");
        let exchange = exchange(&request, head(&response));
        for notes in [8, 64] {
            let limits = Limits { notes, ..Limits::default() };
            let it = super::super::judge(exchange.clone(), &limits);
            assert_eq!(it.notes.len(), notes);
            let faulty = it.notes.iter().any(|note| note.code == NoteCode::AcceptMismatch);
            assert!(faulty && it.outcome == Invalid, "{:?}", it.notes);
        }
    }

    #[test]
    fn a_head_full_of_names_is_judged_in_time() {
        let many = |name: &str| {
            (0..30_000).map(|n| format!("x{n}, ")).fold(format!("{name}: "), |all, x| all + &x)
        };
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            let (request, response) =
                (edited(REQUEST, "", &many(name)), edited(RESPONSE, "", &many(name)));
            assert!(judged(&request, &response).0.notes.len() <= Limits::default().notes);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_values_are_judged_without_panic(
            target in "[^ \r\n]{0,9}",
            value in "[^\r\n]{0,40}",
            name in "Host|Upgrade|Connection|Sec-WebSocket-(Key|Version|Protocol|Extensions|Accept)|Via",
            status in 100..600u16,
        ) {
            let line = format!("{name}: {value}");
            let request = format!("GET {target} HTTP/1.1\n{line}\nSec-WebSocket-Key: x\n");
            let answer = format!("HTTP/1.1 {status} x\n{line}\n");
            for note in judged(&request, &answer).0.notes {
                proptest::prop_assert!(!note.text.is_empty());
            }
        }
    }
}
