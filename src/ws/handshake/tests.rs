use super::testing::{
    Judged, REQUEST, RESPONSE, answered, asked, edited, exchange, judged, packet, response,
};
use super::{accept_for, judge};
use crate::event::Outcome::{Accepted, Incomplete, Invalid, Rejected};
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

mod rfc6455_section_4_1_request {
    use super::*;

    #[test]
    fn the_rfcs_own_handshake_is_clean() {
        judged(REQUEST, RESPONSE).is_clean();
    }

    #[test]
    fn letter_case_lists_and_empty_reasons_are_no_faults() {
        asked("Upgrade", "UPGRADE: WebSocket").is_clean();
        asked("Connection", "connection: keep-alive, UPGRADE").is_clean();
        asked("Upgrade", "Upgrade: h2c, websocket").is_clean();
        answered("HTTP/1.1", "HTTP/1.1 101 ").is_clean();
        answered("HTTP/1.1", "HTTP/1.1 101").is_clean();
        answered("Upgrade", "upgrade: WebSocket").is_clean();
        answered("Connection", "connection: keep-alive, upgrade").is_clean();
        answered("Sec-WebSocket-Accept", "SEC-WEBSOCKET-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ")
            .is_clean();
        with(|it| it.interim = vec![100, 103]).is_clean();
    }

    #[test]
    fn request_method() {
        asked("GET", "POST /chat HTTP/1.1")
            .has(&["request-method"])
            .says("request-method", Blame::Client, "\"POST\"")
            .comes_to(Accepted);
        asked("GET", "get /chat HTTP/1.1").has(&["request-method"]);
    }

    #[test]
    fn request_version() {
        asked("GET", "GET /chat HTTP/1.0").has(&["request-version"]).says(
            "request-version",
            Blame::Client,
            "HTTP/1.0",
        );
        asked("GET", "GET /chat HTTP/1.2").is_clean();
        asked("GET", "GET /chat HTTP/2.0").is_clean();
    }

    #[test]
    fn host_missing() {
        asked("Host", "").has(&["host-missing"]).says("host-missing", Blame::Client, "lacks Host");
        asked("Host", "Host:").has(&["host-missing"]);
        asked("Host", "host: [::1]:8080").is_clean();
        asked("", "Host: other.example").has(&["header-invalid"]).says(
            "header-invalid",
            Blame::Client,
            "\"other.example\"",
        );
    }

    #[test]
    fn upgrade_missing() {
        asked("Upgrade", "Upgrade: h2c").has(&["upgrade-missing"]).says(
            "upgrade-missing",
            Blame::Client,
            "\"h2c\"",
        );
        asked("Upgrade", "Upgrade: websocketx").has(&["upgrade-missing"]);
    }

    #[test]
    fn upgrade_stripped_is_the_proxys_deed_in_all_it_shows() {
        let nginx = edited(&edited(REQUEST, "Upgrade", ""), "Connection", "Connection: close");
        let nginx = edited(&nginx, "GET", "GET /chat HTTP/1.0");
        judged(&nginx, "HTTP/1.1 200 OK\n")
            .has(&["request-version", "upgrade-stripped", "connection-missing", "status-not-101"])
            .says("request-version", Blame::Proxy, "a proxy")
            .says("upgrade-stripped", Blame::Proxy, "Connection: \"close\"")
            .says("connection-missing", Blame::Proxy, "\"close\"")
            .says(
                "status-not-101",
                Blame::Proxy,
                "(request-version, upgrade-stripped, connection-missing)",
            )
            .comes_to(Rejected);
        // The key went too: nothing proves that it was ever there.
        let bare = edited(&edited(REQUEST, "Upgrade", ""), "Sec-WebSocket-Key", "");
        judged(&bare, "HTTP/1.1 404 Not Found\n")
            .has(&["upgrade-missing", "key-missing", "status-not-101"])
            .says("upgrade-missing", Blame::Client, "lacks Upgrade");
    }

    #[test]
    fn connection_missing() {
        asked("Connection", "").has(&["connection-missing"]).says(
            "connection-missing",
            Blame::Client,
            "lacks Connection",
        );
        asked("Connection", "Connection: keep-alive").says(
            "connection-missing",
            Blame::Client,
            "\"keep-alive\"",
        );
        asked("Connection", "Connection: close").says(
            "connection-missing",
            Blame::Proxy,
            "\"close\"",
        );
        let forwarded = edited(REQUEST, "Connection", "X-Forwarded-For: 10.0.0.9");
        judged(&forwarded, RESPONSE).says("connection-missing", Blame::Proxy, "proxy");
    }

    #[test]
    fn key_missing() {
        asked("Sec-WebSocket-Key", "").has(&["key-missing"]).says(
            "key-missing",
            Blame::Client,
            "lacks Sec-WebSocket-Key",
        );
        let forwarded = edited(REQUEST, "Sec-WebSocket-Key", "Via: 1.1 edge");
        judged(&forwarded, RESPONSE).says("key-missing", Blame::Proxy, "lacks Sec-WebSocket-Key");
    }

    #[test]
    fn key_invalid() {
        let keyed = |key: &str| {
            let request =
                edited(REQUEST, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}"));
            let accept = format!("Sec-WebSocket-Accept: {}", accept_for(key.as_bytes()));
            judged(&request, &edited(RESPONSE, "Sec-WebSocket-Accept", &accept))
        };
        keyed("dGVzdA==").has(&["key-invalid"]).says("key-invalid", Blame::Client, "4 bytes");
        keyed("this is not base64 !").has(&["key-invalid"]).says(
            "key-invalid",
            Blame::Client,
            "not base64",
        );
        keyed("dGhlIHNhbXBsZSBub25jZQ").has(&["key-invalid"]);
        keyed("").has(&["key-invalid"]);
        // 16 zero bytes; and the same with bits set that no byte needs.
        keyed("AAAAAAAAAAAAAAAAAAAAAA==").is_clean();
        keyed("AAAAAAAAAAAAAAAAAAAAAB==").is_clean();
    }

    #[test]
    fn version_missing_or_unsupported() {
        asked("Sec-WebSocket-Version", "").has(&["version-missing"]).says(
            "version-missing",
            Blame::Client,
            "13",
        );
        asked("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8")
            .has(&["version-unsupported"])
            .says("version-unsupported", Blame::Client, "\"8\"");
        asked("", "Sec-WebSocket-Version: 13").has(&["version-unsupported"]);
    }

    #[test]
    fn subprotocols_are_tokens_and_all_different() {
        let chosen = edited(RESPONSE, "", "Sec-WebSocket-Protocol: chat");
        let offered = |value: &str| {
            judged(&edited(REQUEST, "", &format!("Sec-WebSocket-Protocol: {value}")), &chosen)
        };
        offered("chat, superchat, chat").has(&["subprotocol-duplicate"]).says(
            "subprotocol-duplicate",
            Blame::Client,
            "\"chat\"",
        );
        offered("chat, Chat").is_clean();
        offered("chat,,v1.x~y").is_clean();
        offered("chat, a/b")
            .has(&["subprotocol-invalid"])
            .says("subprotocol-invalid", Blame::Client, "byte 1 ('/')")
            .comes_to(Accepted);
        asked("", "Sec-WebSocket-Protocol:").has(&["subprotocol-invalid"]).comes_to(Accepted);
    }

    #[test]
    fn early_frames_need_an_answer_that_shows_them_early() {
        let early = Some((packet(5), 17));
        with(|it| it.early = early)
            .has(&["early-frames"])
            .says("early-frames", Blame::Client, "17 bytes from packet 5")
            .says("early-frames", Blame::Client, "packet 6");
        // An answer that came first, but waited behind a gap.
        with(|it| it.early = Some((packet(7), 17))).is_clean();
        let mut unseen = exchange(REQUEST, Answer::Missing);
        unseen.early = early;
        Judged(judge(unseen)).has(&["handshake-incomplete"]);
        let mut refused = exchange(REQUEST, head("HTTP/1.1 403 Forbidden\n"));
        refused.early = early;
        Judged(judge(refused)).has(&["status-not-101"]);
    }

    #[test]
    fn a_body_in_the_request() {
        let mut it = exchange(&edited(REQUEST, "", "Content-Length: 4"), head(RESPONSE));
        it.request_body = true;
        Judged(judge(it))
            .has(&["request-body"])
            .says("request-body", Blame::Client, "Content-Length: \"4\"")
            .has_severity("request-body", Severity::Warning);
        asked("", "Content-Length: 0").is_clean();
    }

    #[test]
    fn proxy_protocol_is_only_told() {
        with(|it| it.proxy_protocol = Some(2))
            .has(&["proxy-protocol"])
            .says("proxy-protocol", Blame::Proxy, "version 2")
            .has_severity("proxy-protocol", Severity::Info)
            .comes_to(Accepted);
    }
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

mod rfc6455_section_4_1_response {
    use super::*;

    #[test]
    fn accepts_of_known_keys() {
        assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(accept_for(b"lkUx3lTpjFwO5OI7xY3+1Q=="), "2T9o4TGeL7V6QJ/PnOsqmx4nEBk=");
    }

    #[test]
    fn accept_missing() {
        answered("Sec-WebSocket-Accept", "")
            .has(&["accept-missing"])
            .says("accept-missing", Blame::Server, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            .comes_to(Invalid);
    }

    #[test]
    fn accept_mismatch_gives_both_values_and_the_likely_mistake() {
        let wrong = |accept: &str| {
            answered("Sec-WebSocket-Accept", &format!("Sec-WebSocket-Accept: {accept}"))
        };
        wrong("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .has(&["accept-mismatch"])
            .says("accept-mismatch", Blame::Server, "\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\"")
            .says("accept-mismatch", Blame::Server, "demands \"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"")
            .comes_to(Invalid);
        wrong("s3pplmbitxaq9kygzzhzrbk+xoo=").says(
            "accept-mismatch",
            Blame::Server,
            "only the letter case",
        );
        wrong("").says("accept-mismatch", Blame::Server, "it is empty");
        wrong("dGhlIHNhbXBsZSBub25jZQ==").says("accept-mismatch", Blame::Server, "the key itself");
        // SHA-1 of the GUID alone.
        wrong("Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=").says(
            "accept-mismatch",
            Blame::Server,
            "an empty key",
        );
        // The hash of section 1.3 in hexadecimal.
        wrong("b37a4f2cc0624f1690f64606cf385945b2bec4ea").says(
            "accept-mismatch",
            Blame::Server,
            "hexadecimal",
        );
    }

    #[test]
    fn without_a_key_or_a_request_an_accept_can_not_be_wrong() {
        asked("Sec-WebSocket-Key", "").has(&["key-missing"]).comes_to(Accepted);
        with(|it| it.request = None)
            .has(&["handshake-incomplete"])
            .says("handshake-incomplete", Blame::Capture, "the request is missing")
            .comes_to(Accepted);
    }

    #[test]
    fn accept_duplicate() {
        answered("", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            .has(&["accept-duplicate"])
            .comes_to(Invalid);
        answered("", "Sec-WebSocket-Accept: AAAA").has(&["accept-duplicate", "accept-mismatch"]);
    }

    #[test]
    fn response_upgrade_missing() {
        answered("Upgrade", "")
            .has(&["response-upgrade-missing"])
            .says("response-upgrade-missing", Blame::Server, "lacks")
            .comes_to(Invalid);
        answered("Upgrade", "Upgrade: websocket, h2c")
            .has(&["response-upgrade-missing"])
            .comes_to(Invalid);
        answered("", "Upgrade: websocket").has(&["response-upgrade-missing"]).says(
            "response-upgrade-missing",
            Blame::Server,
            "more than once",
        );
    }

    #[test]
    fn other_protocol_owes_no_accept() {
        let h2c = edited(&edited(RESPONSE, "Upgrade", "Upgrade: h2c"), "Sec-WebSocket-Accept", "");
        judged(REQUEST, &h2c)
            .has(&["other-protocol"])
            .says("other-protocol", Blame::Server, "\"h2c\"")
            .comes_to(Invalid);
    }

    #[test]
    fn response_connection_missing() {
        answered("Connection", "")
            .has(&["response-connection-missing"])
            .says("response-connection-missing", Blame::Server, "lacks")
            .comes_to(Invalid);
        answered("Connection", "Connection: close").says(
            "response-connection-missing",
            Blame::Server,
            "\"close\"",
        );
        let via = edited(&edited(RESPONSE, "Connection", ""), "", "Via: 1.1 edge");
        judged(REQUEST, &via).says("response-connection-missing", Blame::Proxy, "lacks");
    }

    #[test]
    fn response_version() {
        answered("HTTP/1.1", "HTTP/1.0 101 Switching Protocols").has(&["response-version"]).says(
            "response-version",
            Blame::Server,
            "HTTP/1.0",
        );
        judged(REQUEST, "HTTP/1.0 403 Forbidden\n").has(&["status-not-101"]);
    }

    #[test]
    fn response_body() {
        answered("", "Content-Length: 5")
            .has(&["response-body"])
            .says("response-body", Blame::Server, "\"5\"")
            .comes_to(Accepted);
        answered("", "Content-Length: 0").has(&["response-body"]);
        answered("", "Transfer-Encoding: chunked").has(&["response-body"]).says(
            "response-body",
            Blame::Server,
            "\"chunked\"",
        );
        judged(REQUEST, "HTTP/1.1 403 Forbidden\nContent-Length: 5\n").has(&["status-not-101"]);
    }

    #[test]
    fn extensions_reach_the_outcome_and_the_event() {
        let offer = edited(
            REQUEST,
            "",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        );
        let accept = |value: &str| {
            judged(&offer, &edited(RESPONSE, "", &format!("Sec-WebSocket-Extensions: {value}")))
        };
        let good = accept("permessage-deflate; client_max_window_bits=\"10\"");
        good.is_clean();
        assert_eq!(
            good.0.extensions.as_deref(),
            Some("permessage-deflate; client_max_window_bits=\"10\"")
        );
        assert_eq!(good.0.deflate.unwrap().sides.to_server.window_bits, 10);
        for (value, code) in [
            ("x-foo", "extension-unoffered"),
            ("permessage-deflate, permessage-deflate", "extension-duplicate"),
            ("permessage-deflate; server_max_window_bits=7", "deflate-param-invalid"),
            ("permessage-deflate;", "extension-syntax"),
        ] {
            accept(value).has(&[code]).comes_to(Invalid);
        }
        asked("", "Sec-WebSocket-Extensions: permessage-deflate; fast")
            .has(&["deflate-param-invalid"])
            .comes_to(Accepted);
        judged(&offer, "HTTP/1.1 404 Not Found\nSec-WebSocket-Extensions: x-foo\n")
            .has(&["status-not-101"]);
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
        refused("HTTP/1.1 426 Upgrade Required\nUpgrade: h2c\n").has(&["status-not-101"]);
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
                "the server closed the connection (FIN in packet 9), 5.000 s after the request, before any answer",
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
            ", 2.000 s before the request, before any answer",
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
        assert!(last.ends_with("more notes)"), "{last}");
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
