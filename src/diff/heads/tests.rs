use super::super::testkit::*;
use super::*;

const OTHER_KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEA==";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Alterations between two requests that differ in these fields.
fn requests(near: Pairs<'_>, far: Pairs<'_>) -> Vec<Alteration> {
    heads((KEY, near), (KEY, far), (101, &[]), (101, &[]))
}

/// Alterations between two responses: what the client got, what the server sent.
fn responses(near: (u16, Pairs<'_>), far: (u16, Pairs<'_>)) -> Vec<Alteration> {
    heads((KEY, &[]), (KEY, &[]), near, far)
}

fn heads(
    near: (&str, Pairs<'_>),
    far: (&str, Pairs<'_>),
    got: (u16, Pairs<'_>),
    sent: (u16, Pairs<'_>),
) -> Vec<Alteration> {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, near.0, near.1);
    let mut s = kit.open(50001, 8088, far.0, far.1);
    s.answered(&mut kit, sent.0, sent.1);
    c.answered(&mut kit, got.0, got.1);
    let legs = kit.collected().legs;
    let leg = |port: u16| legs.iter().find(|l| l.client.port() == port).unwrap();
    let mut found = Found::new(100);
    compare(leg(40001), leg(50001), &mut found);
    found.list().to_vec()
}

#[test]
fn equal_heads_say_nothing() {
    assert_eq!(requests(&[], &[]), []);
}

#[test]
fn target_rewritten_is_no_matter_of_course() {
    let list = requests(&[(":path", "/ws/a")], &[(":path", "/a")]);
    assert_eq!(told(&list), [("target-rewritten", "request", false)]);
    assert_eq!((&list[0].before, &list[0].after), (&json!("/ws/a"), &json!("/a")));
}

#[test]
fn absolute_form_becomes_origin_form_at_any_proxy() {
    let list =
        requests(&[(":path", "http://example.com/a?b=http://c/")], &[(":path", "/a?b=http://c/")]);
    assert_eq!(told(&list), [("target-rewritten", "request", true)]);
}

#[test]
fn header_added_by_any_proxy_and_one_that_is_not() {
    let list = requests(&[], &[("X-Forwarded-For", "127.0.0.1"), ("X-Secret", "1")]);
    assert_eq!(
        told(&list),
        [("header-added", "x-forwarded-for", true), ("header-added", "x-secret", false)]
    );
}

#[test]
fn header_removed_end_to_end_and_hop_by_hop() {
    let near =
        [("Cookie", "a=b"), ("Keep-Alive", "5"), ("X-Hop", "1"), ("Connection", "Upgrade, X-Hop")];
    let list = requests(&near, &[]);
    assert_eq!(
        told(&list),
        [
            ("header-changed", "connection", true),
            ("header-removed", "cookie", false),
            ("header-removed", "keep-alive", true),
            ("header-removed", "x-hop", true),
        ]
    );
}

#[test]
fn host_of_the_upstream_is_expected_and_none_at_all_is_not() {
    assert_eq!(told(&requests(&[], &[("Host", "inner")])), [("header-changed", "host", true)]);
    assert_eq!(told(&requests(&[], &[("Host", "-")])), [("header-removed", "host", false)]);
}

#[test]
fn upgrade_dropped_breaks_the_handshake() {
    let list = requests(&[], &[("Upgrade", "-"), ("Connection", "close")]);
    assert_eq!(
        told(&list),
        [("header-removed", "upgrade", false), ("header-changed", "connection", false)]
    );
}

#[test]
fn connection_with_its_upgrade_token_is_the_proxys_own() {
    let list = requests(&[], &[("Connection", "keep-alive, upgrade")]);
    assert_eq!(told(&list).last(), Some(&("header-changed", "connection", true)));
}

#[test]
fn forwarded_for_is_appended_to_but_not_thrown_away() {
    let ip = |list: &'static str| [("X-Forwarded-For", list)];
    let code = |far: &'static str| {
        told(&requests(&ip("192.0.2.1"), &ip(far))).iter().map(|t| t.2).collect::<Vec<_>>()
    };
    assert_eq!(code("192.0.2.1, 127.0.0.1"), [true]);
    assert_eq!(code("127.0.0.1"), [true]);
    assert_eq!(code("10.0.0.1"), [false]);
    let list = requests(&ip("192.0.2.1"), &[]);
    assert_eq!(told(&list), [("header-removed", "x-forwarded-for", false)]);
}

#[test]
fn second_line_of_a_header_is_added_to_the_first() {
    let near = [("X-Forwarded-For", "192.0.2.1")];
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &near);
    let mut s = kit.open(50001, 8088, KEY, &near);
    s.request.fields.0.extend(fields(&[("X-Forwarded-For", "127.0.0.1")]).0);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    assert_eq!(told(found.list()), [("header-added", "x-forwarded-for", true)]);
    assert_eq!(found.list()[0].after, json!("192.0.2.1, 127.0.0.1"));
}

#[test]
fn lines_joined_to_one_list_say_nothing() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[("Sec-WebSocket-Protocol", "a")]);
    c.request.fields.0.extend(fields(&[("Sec-WebSocket-Protocol", "b")]).0);
    let mut s = kit.open(50001, 8088, KEY, &[("Sec-WebSocket-Protocol", "a, b")]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    assert_eq!(told(found.list()), []);
}

#[test]
fn subprotocols_and_extensions_have_codes_of_their_own() {
    let near =
        [("Sec-WebSocket-Protocol", "v2,v1"), ("Sec-WebSocket-Extensions", "permessage-deflate")];
    assert_eq!(
        told(&requests(&near, &near[..0])),
        [
            ("subprotocol-changed", "sec-websocket-protocol", false),
            ("extensions-changed", "sec-websocket-extensions", false),
        ]
    );
    let spaced =
        [("Sec-WebSocket-Protocol", "v2, v1"), ("Sec-WebSocket-Extensions", "permessage-deflate")];
    assert_eq!(
        told(&requests(&near, &spaced)),
        [("header-changed", "sec-websocket-protocol", true)]
    );
}

#[test]
fn extension_invented_in_the_response_is_the_clients_before() {
    let list = responses((101, &[]), (101, &[("Sec-WebSocket-Extensions", "permessage-deflate")]));
    assert_eq!(told(&list), [("extensions-changed", "sec-websocket-extensions", false)]);
    assert_eq!((list[0].dir, &list[0].before), (Direction::ToClient, &Value::Null));
}

#[test]
fn new_key_with_its_own_right_accept_is_expected() {
    let list = heads((KEY, &[]), (OTHER_KEY, &[]), (101, &[]), (101, &[]));
    assert_eq!(
        told(&list),
        [
            ("key-regenerated", "sec-websocket-key", true),
            ("accept-regenerated", "sec-websocket-accept", true)
        ]
    );
}

#[test]
fn new_key_whose_accept_is_passed_on_is_forged() {
    let accept = accept_for(OTHER_KEY.as_bytes());
    let got = [("Sec-WebSocket-Accept", accept.as_str())];
    let list = heads((KEY, &[]), (OTHER_KEY, &[]), (101, &got), (101, &[]));
    assert_eq!(
        told(&list),
        [
            ("key-regenerated", "sec-websocket-key", false),
            ("accept-forged", "sec-websocket-accept", false)
        ]
    );
}

#[test]
fn accept_changed_on_the_way_back_is_forged_but_a_servers_wrong_one_is_not() {
    let wrong = [("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")];
    assert_eq!(
        told(&responses((101, &wrong), (101, &[]))),
        [("accept-forged", "sec-websocket-accept", false)]
    );
    assert_eq!(responses((101, &wrong), (101, &wrong)), []);
}

#[test]
fn version_lowered_below_upgrade_is_unexpected() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.request.version = "1.0".into();
    s.answered(&mut kit, 400, &[]);
    c.answered(&mut kit, 400, &[]);
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    assert_eq!(told(found.list()), [("version-changed", "request", false)]);
}

#[test]
fn extended_connect_becomes_an_upgrade_as_expected() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[("Upgrade", "-"), ("Connection", "-"), ("Host", "-")]);
    c.request.version = "2".into();
    c.request.method = "CONNECT".into();
    c.request.fields.0.retain(|f| !f.is("sec-websocket-key"));
    c.request.fields.0.extend(fields(&[(":authority", "example.com")]).0);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 200, &[]);
    let mut legs = kit.collected().legs;
    legs[1].handshake.as_mut().unwrap().response.as_mut().unwrap().version = "2".into();
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    assert!(found.list().iter().all(|a| a.expected), "{:#?}", found.list());
    let codes: Vec<&str> = found.list().iter().map(|a| a.code.as_str()).collect();
    for code in ["version-changed", "status-changed", "key-regenerated", "header-added"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
}

#[test]
fn status_of_the_proxys_own_is_told_once_as_unexpected() {
    let list = responses((502, &[("Server", "p"), ("Content-Length", "9")]), (101, &[]));
    let unexpected: Vec<_> = told(&list).into_iter().filter(|t| !t.2).collect();
    assert_eq!(unexpected, [("status-changed", "response", false)]);
}

#[test]
fn response_headers_are_added_and_removed_along_the_way_of_travel() {
    let list = responses(
        (101, &[("Server", "nginx"), ("X-Served-By", "edge-1")]),
        (101, &[("X-Powered-By", "corpus")]),
    );
    assert_eq!(
        told(&list),
        [
            ("header-added", "server", true),
            ("header-added", "x-served-by", true),
            ("header-removed", "x-powered-by", false),
        ]
    );
    assert_eq!((&list[0].before, &list[0].after), (&json!("nginx"), &Value::Null));
}

#[test]
fn letter_case_and_order_are_one_expected_remark_each() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    for field in &mut s.request.fields.0 {
        field.name = field.name.to_ascii_lowercase().into();
    }
    s.request.fields.0.reverse();
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    assert_eq!(
        told(found.list()),
        [("header-changed", "request", true), ("header-changed", "request", true)]
    );
}

/// Two legs with these answers (0: none), ended afterwards; with a hole in the capture or without.
fn answers(near: u16, far: u16, hole: bool) -> Vec<Alteration> {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    for (leg, status) in [(&mut s, far), (&mut c, near)] {
        leg.answered(&mut kit, status, &[]);
        if hole {
            leg.gap(&mut kit, Direction::ToClient);
        }
        leg.end(&mut kit, EndHow::Fin, Some(Direction::ToServer));
    }
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    found.list().to_vec()
}

#[test]
fn answer_that_the_proxy_made_for_a_silent_server_is_its_own() {
    assert_eq!(told(&answers(504, 0, false)), [("status-changed", "response", false)]);
    assert_eq!(answers(504, 0, true), []);
}

#[test]
fn answer_that_was_not_passed_on_is_told() {
    let list = answers(0, 101, false);
    assert_eq!(told(&list), [("status-changed", "response", false)]);
    assert_eq!((&list[0].before, &list[0].after), (&Value::Null, &json!(101)));
    assert_eq!(answers(0, 101, true), []);
}

#[test]
fn sentence_of_an_added_line_names_that_line_alone() {
    let (one, two) = ([&b"one"[..]], [&b"one"[..], b"two"]);
    let text = sentence("X-Multi", Change::Added, &one, &two, "why");
    assert_eq!(text, "The proxy added X-Multi: two; why.");
    let text = sentence("X-Multi", Change::Removed, &two, &one, "why");
    assert_eq!(text, "The proxy removed X-Multi: two; why.");
}

#[test]
fn lines_of_set_cookie_made_one_are_told_one_by_one() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    c.answered(&mut kit, 101, &[("Set-Cookie", "a=1; Path=/, b=2")]);
    s.answered(&mut kit, 101, &[("Set-Cookie", "a=1; Path=/")]);
    let mut legs = kit.collected().legs;
    let far = legs[1].handshake.as_mut().and_then(|h| h.response.as_mut()).unwrap();
    far.fields.0.extend(fields(&[("Set-Cookie", "b=2")]).0);
    let mut found = Found::new(100);
    compare(&legs[0], &legs[1], &mut found);
    assert_eq!(told(found.list()), [("header-changed", "set-cookie", false)]);
    let told = &found.list()[0];
    assert_eq!(told.before, json!(["a=1; Path=/, b=2"]));
    assert_eq!(told.after, json!(["a=1; Path=/", "b=2"]));
    assert_eq!(
        told.text,
        "The proxy changed Set-Cookie from 2 lines (a=1; Path=/ | b=2) to 1 line (a=1; Path=/, b=2); \
         lines of it must not be combined (RFC 9110 section 5.3)."
    );
}

/// Of two legs with these fields in the request, alterations when the capture lacks a part of these.
fn with_cut_requests(near: Pairs<'_>, far: Pairs<'_>, cut: [bool; 2]) -> Vec<Alteration> {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, near);
    let mut s = kit.open(50001, 8088, KEY, far);
    c.answered(&mut kit, 101, &[]);
    s.answered(&mut kit, 101, &[]);
    let mut legs = kit.collected().legs;
    for (leg, partial) in legs.iter_mut().zip(cut) {
        let exchange = crate::http::Exchange {
            request: leg.request().cloned(),
            request_partial: partial,
            answer: crate::http::Answer::Head(leg.response().cloned().unwrap()),
            interim: Vec::new(),
            request_body: false,
            early: None,
            proxy_protocol: None,
            http2: None,
        };
        leg.handshake =
            Some(crate::ws::handshake::judge(exchange, &crate::limits::Limits::default()));
    }
    let mut found = Found::new(100);
    compare(&legs[0], &legs[1], &mut found);
    let of_request = |a: &&Alteration| a.dir == Direction::ToServer;
    found.list().iter().filter(of_request).cloned().collect()
}

#[test]
fn what_a_head_lacks_that_is_not_whole_was_not_removed_nor_added() {
    let near = [("Cookie", "a=b"), ("X-Both", "1"), (":path", "/a")];
    let far = [("X-Both", "2"), ("Sec-WebSocket-Key", "-"), (":path", "/a")];
    let changed = ("header-changed", "x-both", false);
    let key = ("header-removed", "sec-websocket-key", false);
    let cookie = ("header-removed", "cookie", false);
    let of = |cut| with_cut_requests(&near, &far, cut);
    assert_eq!(told(&of([false, false])), [key, cookie, changed]);
    assert_eq!(told(&of([false, true])), [changed]);
    assert_eq!(told(&of([true, false])), [key, cookie, changed]);
    assert_eq!(told(&with_cut_requests(&far, &near, [true, false])), [changed]);
}

#[test]
fn what_an_answer_lacks_that_is_not_whole_was_not_removed_nor_added() {
    let of = |near: Pairs<'_>, far: Pairs<'_>, cut: usize| {
        let mut kit = Kit::new();
        let mut c = kit.open(40001, 80, KEY, &[]);
        let mut s = kit.open(50001, 8088, KEY, &[]);
        c.answered(&mut kit, 101, near);
        s.answered(&mut kit, 101, far);
        let mut legs = kit.collected().legs;
        let exchange = crate::http::Exchange {
            request: legs[cut].request().cloned(),
            request_partial: false,
            answer: crate::http::Answer::Partial(legs[cut].response().cloned().unwrap()),
            interim: Vec::new(),
            request_body: false,
            early: None,
            proxy_protocol: None,
            http2: None,
        };
        legs[cut].handshake =
            Some(crate::ws::handshake::judge(exchange, &crate::limits::Limits::default()));
        let mut found = Found::new(100);
        compare(&legs[0], &legs[1], &mut found);
        found.list().to_vec()
    };
    let lacks = [("Sec-WebSocket-Accept", "-"), ("Upgrade", "-")];
    let has = [("X-Powered-By", "backend"), ("Sec-WebSocket-Protocol", "chat")];
    assert_eq!(of(&lacks, &has, 0), []);
    assert_eq!(of(&has, &lacks, 1), []);
    let subprotocol = ("subprotocol-changed", "sec-websocket-protocol", false);
    let more = told(&of(&has, &[], 0)).len();
    assert_eq!((told(&of(&has, &[], 0))[..].contains(&subprotocol), more), (true, 2));
}

/// A request over HTTP/2 that went on over HTTP/1.1 with these changes.
fn translated(far: Pairs<'_>) -> Vec<Alteration> {
    let mut kit = Kit::new();
    let near = [("Upgrade", "-"), ("Connection", "-"), ("Sec-WebSocket-Key", "-")];
    let mut c = kit.open(40001, 80, KEY, &near);
    c.request.version = "2".into();
    c.request.method = "CONNECT".into();
    let mut s = kit.open(50001, 8088, KEY, far);
    s.answered(&mut kit, 400, &[]);
    c.answered(&mut kit, 400, &[]);
    let legs = kit.collected().legs;
    let mut found = Found::new(100);
    compare(&legs[1], &legs[0], &mut found);
    found.list().iter().filter(|a| !a.expected).cloned().collect()
}

#[test]
fn handshake_translated_from_http2_must_have_what_http1_needs() {
    assert_eq!(translated(&[]), []);
    for (name, what) in [
        ("Sec-WebSocket-Key", "sec-websocket-key"),
        ("Upgrade", "upgrade"),
        ("Connection", "connection"),
    ] {
        let list = translated(&[(name, "-")]);
        assert_eq!(told(&list), [("header-removed", what, false)]);
        assert!(list[0].text.contains(name), "{}", list[0].text);
    }
    let list = translated(&[("Sec-WebSocket-Version", "-")]);
    assert_eq!(told(&list), [("header-removed", "sec-websocket-version", false)]);
    let list = translated(&[("Upgrade", "h2c"), ("Connection", "close")]);
    assert_eq!(
        told(&list),
        [("header-added", "upgrade", false), ("header-added", "connection", false)]
    );
}
