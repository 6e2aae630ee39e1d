use super::super::testing::{Judged, exchange, packet, response};
use super::*;
use crate::event::{HttpVersion, Outcome};
use crate::note::Severity;

/// RFC 8441 section 5.1, in the form of the tests beside this.
const REQUEST: &str = "CONNECT /chat HTTP/2
:method=CONNECT
:protocol=websocket
:scheme=https
:path=/chat
:authority=server.example.com
sec-websocket-protocol=chat, superchat
sec-websocket-extensions=permessage-deflate
sec-websocket-version=13
origin=http://www.example.com
";
const RESPONSE: &str = "HTTP/2 200
:status=200
sec-websocket-protocol=chat
";

/// Fields have `=` between name and value, since names begin with a colon.
fn fields(head: &str) -> Fields {
    let field = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        crate::event::Field { name: name.as_bytes().into(), value: value.as_bytes().into() }
    };
    Fields(head.lines().skip(1).map(field).collect())
}

fn judged_with(asked: &str, answered: &str, consent: Consent) -> Judged {
    let start = |head: &str| format!("{}\n", head.lines().next().unwrap());
    let mut answer = response(&start(answered));
    answer.fields = fields(answered);
    let mut exchange = exchange(&start(asked), Answer::Head(answer));
    let request: &mut RequestHead = exchange.request.as_mut().unwrap();
    request.fields = fields(asked);
    exchange.http2 = Some(OverHttp2 { stream: 1, consent });
    Judged(super::super::judge(exchange))
}

fn judged(asked: &str, answered: &str) -> Judged {
    judged_with(asked, answered, Consent::Given)
}

fn asked(old: &str, new: &str) -> Judged {
    assert!(REQUEST.contains(old));
    judged(&REQUEST.replace(old, new), RESPONSE)
}

#[test]
fn the_example_of_rfc_8441_is_accepted() {
    let judged = judged(REQUEST, RESPONSE);
    judged.is_clean();
    assert_eq!(judged.0.http, HttpVersion::Http2);
    assert_eq!(judged.0.subprotocol.as_deref(), Some("chat"));
    assert_eq!((judged.0.extensions.as_deref(), judged.0.deflate), (None, None));
}

#[test]
fn any_2xx_accepts_and_agrees_as_in_http_1() {
    let answer = RESPONSE.replace("200", "204") + "sec-websocket-extensions=permessage-deflate\n";
    let judged = judged(REQUEST, &answer);
    judged.is_clean();
    assert!(judged.0.deflate.is_some());
    let answer = RESPONSE.replace("=chat", "=other");
    self::judged(REQUEST, &answer).has(&["subprotocol-unoffered"]).comes_to(Outcome::Invalid);
    let answer = RESPONSE.to_owned() + "sec-websocket-extensions=x-odd\n";
    self::judged(REQUEST, &answer).has(&["extension-unoffered"]).comes_to(Outcome::Invalid);
}

#[test]
fn what_http_1_asks_for_is_asked_for_only_where_it_has_a_meaning() {
    asked("sec-websocket-version=13\n", "").has(&["version-missing"]);
    asked("=13\n", "=8\n").has(&["version-unsupported"]);
    asked("chat, superchat", "chat, chat").has(&["subprotocol-duplicate"]);
    asked(":path=/chat", ":path=/chat#top").is_clean();
    let fragment = REQUEST.replace("/chat", "/chat#top");
    judged(&fragment, RESPONSE).has(&["target-invalid"]);
    asked(":authority=server.example.com\n", "host=server.example.com\n").is_clean();
    asked(":authority=server.example.com\n", "").has(&["host-missing"]);
    asked(":scheme=https\n", "").has(&["header-invalid"]).says(
        "header-invalid",
        Blame::Client,
        "lacks :scheme",
    );
    asked(":scheme=https\n", ":scheme=http\n").is_clean();
    for scheme in ["wss", "ftp", ""] {
        let odd = format!(":scheme={scheme}\n");
        asked(":scheme=https\n", &odd).has(&["header-invalid"]).says(
            "header-invalid",
            Blame::Client,
            &format!(":scheme is \"{scheme}\""),
        );
    }
    // Key and accept are of no use, and no harm.
    asked(":method", "sec-websocket-key=AA==\n:method").is_clean();
    judged(REQUEST, &(RESPONSE.to_owned() + "sec-websocket-accept=AA==\n")).is_clean();
}

#[test]
fn the_target_is_a_path_and_nothing_else() {
    for path in ["https://server/a", "chat", "*", ""] {
        asked(":path=/chat", &format!(":path={path}")).has(&["target-invalid"]).says(
            "target-invalid",
            Blame::Client,
            &format!(":path is \"{path}\""),
        );
    }
    // Of one that nobody sent nothing is said but that.
    let pathless = REQUEST.replace(":path=/chat\n", "").replace("/chat", "server.example.com");
    judged(&pathless, RESPONSE).has(&["header-invalid"]).says(
        "header-invalid",
        Blame::Client,
        "lacks :path",
    );
}

#[test]
fn fields_of_one_connection_have_no_place_in_either_head() {
    let more = "upgrade=websocket\nconnection=Upgrade\nte=trailers\n";
    judged(&(REQUEST.to_owned() + more), RESPONSE)
        .has(&["hop-by-hop-in-h2", "hop-by-hop-in-h2"])
        .says("hop-by-hop-in-h2", Blame::Client, "connection: \"Upgrade\"")
        .has_severity("hop-by-hop-in-h2", Severity::Error);
    judged(&(REQUEST.to_owned() + "te=gzip\n"), RESPONSE).has(&["hop-by-hop-in-h2"]);
    judged(REQUEST, &(RESPONSE.to_owned() + "connection=Upgrade\n"))
        .has(&["hop-by-hop-in-h2"])
        .says("hop-by-hop-in-h2", Blame::Server, "the answer has connection")
        .comes_to(Outcome::Accepted);
    judged(REQUEST, "HTTP/2 400\n:status=400\nkeep-alive=timeout=5\n")
        .has(&["hop-by-hop-in-h2", "status-not-101"]);
}

#[test]
fn the_server_must_have_allowed_it() {
    judged_with(REQUEST, RESPONSE, Consent::Withheld(packet(3)))
        .has(&["connect-not-enabled"])
        .says("connect-not-enabled", Blame::Client, "SETTINGS (packet 3) do not have")
        .has_severity("connect-not-enabled", Severity::Error);
    judged_with(REQUEST, RESPONSE, Consent::Late(packet(5))).has(&["connect-not-enabled"]).says(
        "connect-not-enabled",
        Blame::Client,
        "before the server allowed it",
    );
    judged_with(REQUEST, RESPONSE, Consent::Unknown).is_clean();
}

#[test]
fn a_refusal_is_measured_by_200() {
    judged(REQUEST, "HTTP/2 403\n:status=403\n").comes_to(Outcome::Rejected).says(
        "status-not-101",
        Blame::Client,
        "the answer is 403 instead of 200: access is refused",
    );
    judged(REQUEST, "HTTP/2 405\n:status=405\nallow=GET\n").says(
        "status-not-101",
        Blame::Server,
        "CONNECT is not allowed there",
    );
}

#[test]
fn who_asks_as_in_http_1_is_told_how_to_ask() {
    let get = "GET /chat HTTP/2\n:method=GET\n:scheme=http\n:path=/chat\n:authority=a\n\
               upgrade=websocket\nsec-websocket-version=13\n";
    judged(get, "HTTP/2 200\n:status=200\n")
        .comes_to(Outcome::Rejected)
        .says("request-method", Blame::Client, "CONNECT with :protocol websocket")
        .says("hop-by-hop-in-h2", Blame::Client, "upgrade: \"websocket\"")
        .says("status-not-101", Blame::Client, "answered as a plain HTTP resource");
    let tunnel = "CONNECT a:1 HTTP/2\n:method=CONNECT\n:authority=a:1\nsec-websocket-version=13\n";
    judged(tunnel, "HTTP/2 200\n:status=200\n").comes_to(Outcome::Rejected).says(
        "request-method",
        Blame::Client,
        "has no :protocol",
    );
}

#[test]
fn of_a_request_in_part_nothing_is_said_to_be_missing() {
    let mut exchange = exchange("CONNECT  HTTP/2\n", Answer::Missing);
    exchange.request_partial = true;
    exchange.http2 = Some(OverHttp2 { stream: 1, consent: Consent::Unknown });
    let request: &mut RequestHead = exchange.request.as_mut().unwrap();
    request.fields = fields("\n:method=CONNECT\n:protocol=websocket");
    Judged(super::super::judge(exchange))
        .has(&["handshake-incomplete", "handshake-incomplete"])
        .comes_to(Outcome::Incomplete);
}
