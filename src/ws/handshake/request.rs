//! Rules on the request (RFC 6455 sections 4.1 and 4.2.1).

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};

use super::trace::{is_stripped, leaves_any, sender_of};
use super::words::{joined, list, quote};
use crate::event::RequestHead;
use crate::http::{Answer, Exchange, is_token_byte};
use crate::note::{Blame, Note, NoteCode};
use crate::units::Count;

/// Every note on the request but those on extensions.
pub(super) fn judge(exchange: &Exchange) -> Vec<Note> {
    let mut notes: Vec<Note> = proxy_protocol(exchange).into_iter().collect();
    let Some(head) = &exchange.request else { return notes };
    let whole = !exchange.request_partial;
    notes.extend(head.notes.iter().cloned());
    notes.extend(method(head));
    // A byte that no target may hold is found where the head is parsed.
    if head.notes.iter().all(|note| note.code != NoteCode::TargetInvalid) {
        notes.extend(target(head));
    }
    notes.extend(version(head, whole));
    notes.extend(host(head));
    notes.extend(upgrade(head));
    notes.extend(connection(head));
    notes.extend(key(head));
    notes.extend(protocol_version(head));
    notes.extend(subprotocols(head));
    notes.extend(body(exchange, head));
    notes.extend(early(exchange));
    notes.retain(|note| whole || !misses_something(note.code));
    notes
}

/// Rules that a header breaks by not being there: where part of the head is missing from the
/// capture, nothing proves that.
const fn misses_something(code: NoteCode) -> bool {
    matches!(
        code,
        NoteCode::HostMissing
            | NoteCode::UpgradeMissing
            | NoteCode::UpgradeStripped
            | NoteCode::ConnectionMissing
            | NoteCode::KeyMissing
            | NoteCode::VersionMissing
    )
}

pub(super) fn proxy_protocol(exchange: &Exchange) -> Option<Note> {
    let version = exchange.proxy_protocol?;
    let text = format!(
        "a PROXY protocol version {version} header comes before the request: a load balancer put \
         it there, and the server must be set to expect it"
    );
    Some(Note::new(NoteCode::ProxyProtocol, Blame::Proxy, text))
}

/// RFC 6455 4.1: the method must be GET.
fn method(head: &RequestHead) -> Option<Note> {
    (head.method != "GET").then(|| {
        let text = format!("the request's method is {}, and it must be GET", quote(&*head.method));
        Note::new(NoteCode::RequestMethod, Blame::Client, text)
    })
}

/// RFC 6455 4.1: a path with an optional query, or an absolute http or https URI; 3: no fragment.
pub(super) fn target(head: &RequestHead) -> Option<Note> {
    let target = head.target.as_str();
    let begins = |scheme: &str| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    // RFC 3986 2: anything but printable ASCII must be percent-encoded. What else is reserved there
    // is sent by browsers as typed, and no server minds.
    let odd = target.char_indices().find(|&(_, c)| c == '#' || !c.is_ascii_graphic());
    let text = match odd {
        Some((at, '#')) => {
            format!("the request target {} has a fragment at byte {at}", quote(target))
        }
        Some((at, c)) => format!(
            "the request target {} has '{}' at byte {at}, which must be percent-encoded",
            quote(target),
            c.escape_default()
        ),
        None if target.starts_with('/') || begins("http://") || begins("https://") => return None,
        None => format!(
            "the request target {} is neither a path nor an http or https address",
            quote(target)
        ),
    };
    Some(Note::new(NoteCode::TargetInvalid, Blame::Client, text))
}

/// RFC 6455 4.1: at least HTTP/1.1.
fn version(head: &RequestHead, whole: bool) -> Option<Note> {
    if !is_below_1_1(&head.version) {
        return None;
    }
    let blame = if whole { sender_of(head) } else { missing_by(head) };
    let mut text = format!("the request is HTTP/{}, and it must be 1.1 at least", head.version);
    if blame == Blame::Proxy {
        text.push_str(": a proxy sends it on in a lower version than the upgrade needs");
    } else if head.fields.first("Upgrade").is_some() {
        text.push_str(" (so does nginx send it on without proxy_http_version 1.1)");
    }
    Some(Note::new(NoteCode::RequestVersion, blame, text))
}

pub(super) fn is_below_1_1(version: &str) -> bool {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    matches!((major.parse::<u8>(), minor.parse::<u8>()), (Ok(major), Ok(minor)) if (major, minor) < (1, 1))
}

/// RFC 6455 4.1: a Host header; RFC 9112 3.2: exactly one.
fn host(head: &RequestHead) -> Option<Note> {
    let hosts: Vec<&[u8]> = head.fields.all("Host").collect();
    let (code, text) = match hosts.as_slice() {
        [] => (NoteCode::HostMissing, "the request lacks Host".to_owned()),
        [[]] => (NoteCode::HostMissing, "the request's Host is empty".to_owned()),
        [_] => return None,
        several => (
            NoteCode::HeaderInvalid,
            format!("the request has Host more than once: {}", list(several)),
        ),
    };
    Some(Note::new(code, Blame::Client, text))
}

/// RFC 6455 4.1: Upgrade must hold the token "websocket".
fn upgrade(head: &RequestHead) -> Option<Note> {
    if head.fields.has_token("Upgrade", "websocket") {
        return None;
    }
    let connection = joined(&head.fields, "Connection");
    if is_stripped(head) {
        let named = head.fields.has_token("Connection", "upgrade");
        let rest = connection
            .map_or_else(|| "no Connection".to_owned(), |v| format!("Connection: {}", quote(v)));
        let (rest, dropped) = if named {
            (format!("though {rest} names it"), "that header")
        } else {
            (format!("and {rest}"), "its hop-by-hop headers")
        };
        let text = format!(
            "the request has a Sec-WebSocket-Key but no Upgrade header, {rest}: a proxy passed it on \
             without {dropped} and is not set up for WebSockets"
        );
        return Some(Note::new(NoteCode::UpgradeStripped, Blame::Proxy, text));
    }
    let text = match joined(&head.fields, "Upgrade") {
        Some(value) => format!("Upgrade is {}, without the token websocket", quote(value)),
        None => "the request lacks Upgrade: websocket".to_owned(),
    };
    let blame = if leaves_any(&head.fields) { Blame::Proxy } else { Blame::Client };
    Some(Note::new(NoteCode::UpgradeMissing, blame, text))
}

/// RFC 6455 4.1: Connection must hold the token "Upgrade".
fn connection(head: &RequestHead) -> Option<Note> {
    if head.fields.has_token("Connection", "upgrade") {
        return None;
    }
    let value = joined(&head.fields, "Connection");
    let has_key = head.fields.first("Sec-WebSocket-Key").is_some();
    // A client that sends a key does not ask for the connection to close; proxies put that there.
    let replaced = has_key && head.fields.has_token("Connection", "close");
    let blame = if replaced { Blame::Proxy } else { sender_of(head) };
    let mut text = match value {
        Some(value) => format!("Connection is {}, without the token Upgrade", quote(value)),
        None => "the request lacks Connection: Upgrade".to_owned(),
    };
    if blame == Blame::Proxy {
        text.push_str(": a proxy put its own in place of the client's");
    }
    Some(Note::new(NoteCode::ConnectionMissing, blame, text))
}

/// RFC 6455 4.1: a key of 16 bytes in base64; 11.3.1: not more than once.
fn key(head: &RequestHead) -> Vec<Note> {
    let keys: Vec<&[u8]> = head.fields.all("Sec-WebSocket-Key").collect();
    let mut notes: Vec<Note> = keys.iter().find_map(|key| invalid_key(key)).into_iter().collect();
    match keys.as_slice() {
        [] => {
            let text = "the request lacks Sec-WebSocket-Key";
            notes.push(Note::new(NoteCode::KeyMissing, missing_by(head), text));
        }
        [_] => {}
        several => {
            let text = format!("Sec-WebSocket-Key is there more than once: {}", list(several));
            notes.push(Note::new(NoteCode::KeyDuplicate, Blame::Client, text));
        }
    }
    notes
}

fn invalid_key(key: &[u8]) -> Option<Note> {
    // Some clients leave bits in the last symbol that no byte needs; every server takes them.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let what = match LENIENT.decode(key) {
        Ok(bytes) if bytes.len() == 16 => return None,
        Ok(bytes) => {
            let count = Count(bytes.len() as u64, "byte");
            format!("is base64 of {count}, and it must be of 16")
        }
        Err(error) => {
            let why = match error {
                DecodeError::InvalidByte(at, byte) if byte != b'=' => {
                    format!("byte {at} is {byte:#04x}, which base64 does not have")
                }
                DecodeError::InvalidLength(_) => "its length is none that base64 has".to_owned(),
                _ => "its end is wrong".to_owned(),
            };
            format!("is not base64 of 16 bytes: {why}")
        }
    };
    let text = format!("Sec-WebSocket-Key {} {what}", quote(key));
    Some(Note::new(NoteCode::KeyInvalid, Blame::Client, text))
}

/// RFC 6455 4.1: the version must be 13; 11.3.5: not more than once.
pub(super) fn protocol_version(head: &RequestHead) -> Option<Note> {
    let Some(value) = joined(&head.fields, "Sec-WebSocket-Version") else {
        let text = "the request lacks Sec-WebSocket-Version: 13";
        return Some(Note::new(NoteCode::VersionMissing, missing_by(head), text));
    };
    (value != b"13").then(|| {
        let text = format!("Sec-WebSocket-Version is {}, and it must be 13", quote(value));
        Note::new(NoteCode::VersionUnsupported, Blame::Client, text)
    })
}

/// End-to-end headers get lost only on the way; without a trace of one, it is the client's lack.
fn missing_by(head: &RequestHead) -> Blame {
    if leaves_any(&head.fields) { Blame::Proxy } else { Blame::Client }
}

/// RFC 6455 4.1: tokens, all different.
pub(super) fn subprotocols(head: &RequestHead) -> Vec<Note> {
    const NAME: &str = "Sec-WebSocket-Protocol";
    let offered: Vec<&[u8]> = head.fields.tokens(NAME).collect();
    let mut notes = Vec::new();
    if offered.is_empty() && head.fields.first(NAME).is_some() {
        let text = "the request's Sec-WebSocket-Protocol is empty, and it must name one at least";
        notes.push(Note::new(NoteCode::SubprotocolInvalid, Blame::Client, text));
    }
    let odd = offered.iter().find_map(|name| {
        let at = name.iter().position(|&b| !is_token_byte(b))?;
        Some((name, at, name.get(at)?))
    });
    if let Some((name, at, byte)) = odd {
        let text = format!(
            "the client offers the subprotocol {}, whose byte {at} ('{}') may not stand in a token",
            quote(name),
            byte.escape_ascii()
        );
        notes.push(Note::new(NoteCode::SubprotocolInvalid, Blame::Client, text));
    }
    let mut sorted = offered;
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find_map(|w| w.first().filter(|&a| w.last() == Some(a)))
    {
        let text = format!("the client offers the subprotocol {} more than once", quote(twice));
        notes.push(Note::new(NoteCode::SubprotocolDuplicate, Blame::Client, text));
    }
    notes
}

/// RFC 9110 9.3.1: content in a GET means nothing, and a server may take it for frames.
fn body(exchange: &Exchange, head: &RequestHead) -> Option<Note> {
    exchange.request_body.then(|| {
        let header =
            match (head.fields.first("Transfer-Encoding"), head.fields.first("Content-Length")) {
                (Some(value), _) => format!("Transfer-Encoding: {}", quote(value)),
                (None, Some(value)) => format!("Content-Length: {}", quote(value)),
                (None, None) => "as the bytes show".to_owned(),
            };
        let text = format!("the request has a body ({header}), which an upgrade has no use for");
        Note::new(NoteCode::RequestBody, Blame::Client, text)
    })
}

/// RFC 6455 4.1: nothing more may be sent until the server has answered. Before an answer that the
/// capture lacks, nothing is known.
pub(super) fn early(exchange: &Exchange) -> Option<Note> {
    let (origin, bytes) = exchange.early?;
    let answered_in = match &exchange.answer {
        // Behind a gap an answer may have waited for its turn until after what the client said to it.
        Answer::Head(head) | Answer::Partial(head) if origin.packet < head.begin.packet => {
            format!(", and the answer began in packet {}", head.begin.packet)
        }
        Answer::NotHttp { .. } | Answer::Cut { .. } => String::new(),
        Answer::Head(_) | Answer::Partial(_) | Answer::Missing => return None,
    };
    let text = format!(
        "the client sent {} from packet {} on before the server had answered{answered_in}",
        Count(bytes, "byte"),
        origin.packet
    );
    Some(Note::new(NoteCode::EarlyFrames, Blame::Client, text))
}
