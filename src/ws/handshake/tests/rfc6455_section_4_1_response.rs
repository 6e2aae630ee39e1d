//! What makes a client fail the connection at the answer (RFC 6455 section 4.1).

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
    let wrong =
        |accept: &str| answered("Sec-WebSocket-Accept", &format!("Sec-WebSocket-Accept: {accept}"));
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
    wrong("Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=").says("accept-mismatch", Blame::Server, "an empty key");
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
    let offer =
        edited(REQUEST, "", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits");
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

#[test]
fn the_chosen_subprotocol_is_the_whole_value() {
    let offered = edited(REQUEST, "", "Sec-WebSocket-Protocol: chat");
    judged(&offered, &edited(RESPONSE, "", "Sec-WebSocket-Protocol: chat,"))
        .has(&["subprotocol-invalid"])
        .says("subprotocol-invalid", Blame::Server, "\"chat,\" is no token");
    judged(&offered, &edited(RESPONSE, "", "Sec-WebSocket-Protocol:  chat ")).is_clean();
}
