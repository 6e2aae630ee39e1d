use super::super::testing::{Judged, exchange, packet, response};
use super::*;
use crate::event::{HttpVersion, Outcome};
use crate::http::CutBy;
use crate::note::Severity;
use crate::units::{Direction, Origin};

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
    exchange.http2 = Some(OverHttp2 { stream: 1, consent, switching: None });
    Judged(super::super::testing::judge(exchange))
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
        .has(&["hop-by-hop-in-h2", "status-not-101"])
        .says("status-not-101", Blame::Server, "as it arrived there; nothing in the answer");
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
        .says("status-not-101", Blame::Client, "the answer is 200: the request was no extended");
    let twice = format!("{get}connection=Upgrade\n");
    judged(&twice, "HTTP/2 404\n:status=404\n").says(
        "status-not-101",
        Blame::Client,
        "(request-method, hop-by-hop-in-h2)",
    );
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
    exchange.http2 = Some(OverHttp2 { stream: 1, consent: Consent::Unknown, switching: None });
    let request: &mut RequestHead = exchange.request.as_mut().unwrap();
    request.fields = fields("\n:method=CONNECT\n:protocol=websocket");
    Judged(super::super::testing::judge(exchange))
        .has(&["handshake-incomplete", "handshake-incomplete"])
        .comes_to(Outcome::Incomplete);
}

#[test]
fn an_answer_of_200_to_a_request_in_part_is_laid_to_nobody() {
    let mut answer = response("HTTP/2 200\n");
    answer.fields = fields(":\n:status=200");
    let mut exchange = exchange("CONNECT  HTTP/2\n", Answer::Head(answer));
    exchange.request_partial = true;
    exchange.http2 = Some(OverHttp2 { stream: 1, consent: Consent::Unknown, switching: None });
    Judged(super::super::testing::judge(exchange)).says(
        "status-not-101",
        Blame::Server,
        "nothing in the capture shows that the request was an extended CONNECT",
    );
}

/// What becomes of the request with this in place of an answer.
fn unanswered(answer: Answer, switching: Option<Origin>) -> Judged {
    let mut exchange = exchange("CONNECT /chat HTTP/2\n", answer);
    exchange.request.as_mut().unwrap().fields = fields(REQUEST);
    exchange.http2 = Some(OverHttp2 { stream: 1, consent: Consent::Given, switching });
    let judged = Judged(super::super::testing::judge(exchange));
    judged.comes_to(Outcome::Incomplete);
    judged
}

#[test]
fn a_malformed_answer_is_the_servers_fault() {
    for (status, part) in [("", "packet 6 has no :status"), ("2x0", "its :status is \"2x0\"")] {
        let start = status.as_bytes().into();
        unanswered(Answer::NotHttp { start, origin: packet(6) }, None)
            .has(&["response-not-http"])
            .says("response-not-http", Blame::Server, part);
    }
}

#[test]
fn a_101_is_the_servers_fault_whoever_ends_the_stream() {
    for (by, part) in [
        (CutBy::StreamEnd(Direction::ToClient, packet(9)), "the server ended the stream"),
        (CutBy::StreamReset(Direction::ToServer, packet(9), Some(1)), "the client reset"),
        (CutBy::CaptureEnd, "the capture ends before any other answer"),
    ] {
        let judged = unanswered(Answer::Cut { seen: 0, by }, Some(packet(6)));
        judged
            .has(&["handshake-incomplete"])
            .says("handshake-incomplete", Blame::Server, "answered 101 (packet 6), which HTTP/2")
            .says("handshake-incomplete", Blame::Server, part);
    }
}
