//! What a request must have (RFC 6455 section 4.1).

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
    // Connection is still there, so not all of them are gone.
    asked("Upgrade", "").says(
        "upgrade-stripped",
        Blame::Proxy,
        "no Upgrade header, though Connection: \"Upgrade\" names it: a proxy passed it on without that",
    );
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
    asked("Connection", "Connection: close").says("connection-missing", Blame::Proxy, "\"close\"");
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
        let request = edited(REQUEST, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}"));
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
    asked("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8").has(&["version-unsupported"]).says(
        "version-unsupported",
        Blame::Client,
        "\"8\"",
    );
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
    Judged(judge(refused)).has(&["early-frames", "status-not-101"]);
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
