//! The handshake of which nothing is to be said, told at a glance: nearly all of them.
//!
//! Gets: an [`Exchange`]. Gives: true only where every rule of the modules beside this one would stay
//! silent and no extension or subprotocol is agreed; in doubt, false, and the rules are asked one by
//! one. Keeps: nothing.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{SWITCHING_PROTOCOLS, digest};
use crate::event::{Fields, RequestHead, ResponseHead};
use crate::http::{Answer, Exchange};

/// Would every rule stay silent.
pub(super) fn is_usual(exchange: &Exchange) -> bool {
    let Exchange { request: Some(request), answer: Answer::Head(answer), .. } = exchange else {
        return false;
    };
    let undisturbed = !exchange.request_partial
        && !exchange.request_body
        && exchange.early.is_none()
        && exchange.proxy_protocol.is_none();
    undisturbed && key_of(request).is_some_and(|key| answers(answer, key))
}

/// The key of a request that breaks no rule and offers nothing.
fn key_of(head: &RequestHead) -> Option<&[u8]> {
    let target = head.target.as_bytes();
    let plain = head.method == "GET"
        && head.version == "1.1"
        && head.notes.is_empty()
        && target.first() == Some(&b'/')
        && target.iter().all(|&b| b.is_ascii_graphic() && b != b'#');
    let mut host = Once::default();
    let mut version = Once::default();
    let mut key = Once::default();
    let known = plain
        && switches(&head.fields, |name, value| match name.len() {
            4 if is(name, "host") => host.is(!value.is_empty()),
            21 if is(name, "sec-websocket-version") => version.is(value == b"13"),
            17 if is(name, "sec-websocket-key") => key.is(is_nonce(value)),
            _ => REQUEST.iter().any(|harmless| is(name, harmless)),
        });
    if known && host.seen && version.seen && key.seen {
        head.fields.first("sec-websocket-key")
    } else {
        None
    }
}

/// A 101 that this key demands, and nothing beside it.
fn answers(head: &ResponseHead, key: &[u8]) -> bool {
    let plain =
        head.status == SWITCHING_PROTOCOLS && head.version == "1.1" && head.notes.is_empty();
    let mut accept = Once::default();
    plain
        && switches(&head.fields, |name, value| {
            if is(name, "sec-websocket-accept") {
                return accept.is(is_accept(value, key));
            }
            RESPONSE.iter().any(|harmless| is(name, harmless))
        })
        && accept.seen
}

/// Are `Upgrade: websocket` and `Connection: Upgrade` there once each, and all other fields of those
/// that `known` knows.
fn switches(fields: &Fields, mut known: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
    let mut upgrade = Once::default();
    let mut connection = Once::default();
    fields.0.iter().all(|field| match field.name.len() {
        7 if field.is("upgrade") => upgrade.is(field.value.eq_ignore_ascii_case(b"websocket")),
        10 if field.is("connection") => {
            let mut tokens = field.value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
            connection.is(tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade")))
        }
        _ => known(&field.name, &field.value),
    }) && upgrade.seen
        && connection.seen
}

/// A field that must be there, once.
#[derive(Debug, Default)]
struct Once {
    seen: bool,
}

impl Once {
    /// Takes one, good or not; true when it is good and the first.
    const fn is(&mut self, good: bool) -> bool {
        let first = !self.seen;
        self.seen = true;
        first && good
    }
}

fn is(name: &[u8], known: &str) -> bool {
    name.eq_ignore_ascii_case(known.as_bytes())
}

/// Base64 of 16 bytes: 22 symbols and the padding.
fn is_nonce(value: &[u8]) -> bool {
    let symbol = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    match value.split_at_checked(22) {
        Some((symbols, b"==")) => symbols.iter().all(symbol),
        _ => false,
    }
}

fn is_accept(value: &[u8], key: &[u8]) -> bool {
    let mut text = [0; 28];
    let written = BASE64_STANDARD.encode_slice(digest(key), &mut text);
    written.is_ok_and(|len| text.get(..len) == Some(value))
}

/// Fields of a request on which there is no rule.
const REQUEST: &[&str] = &[
    "origin",
    "user-agent",
    "pragma",
    "cache-control",
    "accept-encoding",
    "accept-language",
    "accept",
    "cookie",
    "authorization",
];

/// And of an answer.
const RESPONSE: &[&str] = &["server", "date", "cache-control"];

#[cfg(test)]
mod tests {
    use super::super::closely;
    use super::super::testing::{REQUEST, RESPONSE, edited, exchange, judge, packet, response};
    use super::*;
    use crate::event::Outcome;
    use crate::http::{Http1, Step};
    use crate::limits::Limits;
    use crate::units::Direction;

    fn of(request: &str, answer: &str) -> Exchange {
        exchange(request, Answer::Head(response(answer)))
    }

    #[test]
    fn handshake_of_rfc_6455_section_1_2_without_its_options_is_usual() {
        assert!(is_usual(&of(REQUEST, RESPONSE)));
        let more = edited(REQUEST, "", "User-Agent: a/1\nOrigin: http://example.com");
        assert!(is_usual(&of(&more, &edited(RESPONSE, "", "Server: b"))));
    }

    /// Each line of both heads, changed in every way that a rule looks at.
    fn altered() -> Vec<Exchange> {
        const ADDED: &[&str] = &[
            "Host: b",
            "Upgrade: websocket",
            "Upgrade: h2c",
            "Connection: close",
            "Connection: Upgrade",
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            "Via: 1.1 edge",
            "X-Forwarded-For: 192.0.2.1",
            "CF-Ray: 1",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol:",
            "Sec-WebSocket-Extensions: permessage-deflate",
        ];
        const VALUES: &[&str] =
            &["", "x", "13", "8", "websocket", "WebSocket, h2c", "keep-alive, upgrade", "Upgrade"];
        const TARGETS: &[&str] = &[
            "GET /a#b HTTP/1.1",
            "GET http://a/ HTTP/1.1",
            "GET a HTTP/1.1",
            "GET /ü HTTP/1.1",
            "POST / HTTP/1.1",
            "GET / HTTP/1.0",
        ];
        let harmless =
            super::REQUEST.iter().chain(super::RESPONSE).map(|name| format!("{name}: x"));
        let added: Vec<String> =
            ADDED.iter().map(|&line| line.to_owned()).chain(harmless).collect();
        let mut all: Vec<Exchange> =
            TARGETS.iter().map(|line| of(&edited(REQUEST, "GET", line), RESPONSE)).collect();
        for line in ["HTTP/1.0 101 x", "HTTP/1.1 200 OK", "HTTP/1.1 101 "] {
            all.push(of(REQUEST, &edited(RESPONSE, "HTTP", line)));
        }
        let mut each = |old: &str, new: &str, in_request: bool| {
            all.push(if in_request {
                of(&edited(REQUEST, old, new), RESPONSE)
            } else {
                of(REQUEST, &edited(RESPONSE, old, new))
            });
        };
        for (head, in_request) in [(REQUEST, true), (RESPONSE, false)] {
            for line in &added {
                each("", line, in_request);
            }
            for line in head.lines().skip(1) {
                each(line, "", in_request);
                let name = line.split(':').next().unwrap();
                for value in VALUES {
                    each(line, &format!("{name}: {value}"), in_request);
                }
            }
        }
        let mut with = |change: fn(&mut Exchange)| {
            let mut exchange = of(REQUEST, RESPONSE);
            change(&mut exchange);
            all.push(exchange);
        };
        with(|it| it.request_partial = true);
        with(|it| it.request_body = true);
        with(|it| it.request = None);
        with(|it| it.proxy_protocol = Some(1));
        with(|it| it.early = Some((crate::units::Origin::default(), 1)));
        with(|it| it.answer = Answer::Missing);
        with(|it| it.answer = Answer::Partial(response(RESPONSE)));
        all
    }

    #[test]
    fn where_nothing_is_asked_the_rules_have_nothing_to_say() {
        let mut usual = 0;
        for exchange in altered() {
            let close = closely(exchange.clone(), &Limits::default());
            if is_usual(&exchange) {
                usual += 1;
                assert_eq!((close.outcome, &close.notes[..]), (Outcome::Accepted, &[][..]));
            }
            assert_eq!(judge(exchange), close);
        }
        // As they are, with harmless headers of their side, with other letter case and further tokens.
        assert!(usual > 15, "{usual}");
    }

    #[test]
    fn any_byte_of_both_heads_changed_is_judged_as_every_rule_would() {
        const BYTES: &[u8] = b"\0\t\n\r #,:;=/AaZ0139~\x7f\x80\xff";
        let raw = |head: &str| (head.replace('\n', "\r\n") + "\r\n").into_bytes();
        let heads = [raw(REQUEST), raw(RESPONSE)];
        let mut usual = 0;
        for (which, head) in heads.iter().enumerate() {
            for at in 0..head.len() {
                for &byte in BYTES {
                    let mut heads = heads.clone();
                    heads[which][at] = byte;
                    let Some(exchange) = read(&heads) else { continue };
                    let close = closely(exchange.clone(), &Limits::default());
                    if is_usual(&exchange) {
                        usual += 1;
                        assert_eq!((close.outcome, &close.notes[..]), (Outcome::Accepted, &[][..]));
                    }
                    assert_eq!(judge(exchange), close, "byte {at} of head {which} as {byte:#x}");
                }
            }
        }
        // Letters of the target, of Host, of the key's last symbol, of the reason, and bytes as they are.
        assert!(usual > 500, "{usual}");
    }

    fn read(heads: &[Vec<u8>; 2]) -> Option<Exchange> {
        let mut http = Http1::new();
        let limits = Limits::default();
        for (dir, head) in Direction::BOTH.into_iter().zip(heads) {
            match http.data(dir, packet(1), &mut head.as_slice(), &limits) {
                Some(Step::Switched(exchange) | Step::Unanswered(exchange)) => {
                    return Some(*exchange);
                }
                Some(Step::Refused(exchange)) => return Some(*exchange),
                _ => {}
            }
        }
        http.finish(&limits).map(|exchange| *exchange)
    }
}
