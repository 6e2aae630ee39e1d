//! Rules on a 101 (RFC 6455 section 4.1, at the end, and section 4.2.2).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

use super::request::is_below_1_1;
use super::trace::leaves_any;
use super::words::{joined, list, quote};
use super::{GUID, accept_for, digest};
use crate::event::{RequestHead, ResponseHead};
use crate::http::{Answer, Exchange, is_token_byte};
use crate::note::{Blame, Note, NoteCode};

/// Every note on a 101 but those on extensions.
pub(super) fn judge(exchange: &Exchange, head: &ResponseHead) -> Vec<Note> {
    let request = exchange.request.as_ref();
    let mut notes = head.notes.clone();
    notes.extend(version(head));
    let upgrade = upgrade(head);
    // A switch to something else owes nothing to a WebSocket key.
    let elsewhere = upgrade.as_ref().is_some_and(|note| note.code == NoteCode::OtherProtocol);
    notes.extend(upgrade);
    notes.extend(connection(head));
    if !elsewhere {
        notes.extend(accept(request, head));
        notes.extend(subprotocol(request.filter(|_| !exchange.request_partial), head));
    }
    notes.extend(body(head));
    let whole = matches!(exchange.answer, Answer::Head(_));
    notes.retain(|note| whole || !misses_something(note.code));
    notes
}

/// Rules that a header breaks by not being there: where part of the head is missing from the
/// capture, nothing proves that.
const fn misses_something(code: NoteCode) -> bool {
    matches!(
        code,
        NoteCode::AcceptMissing
            | NoteCode::ResponseUpgradeMissing
            | NoteCode::ResponseConnectionMissing
            | NoteCode::SubprotocolUnselected
    )
}

/// RFC 6455 4.2.2: an HTTP/1.1 status line; RFC 9110 15.2: a 1xx does not exist in HTTP/1.0.
fn version(head: &ResponseHead) -> Option<Note> {
    is_below_1_1(&head.version).then(|| {
        let text = format!("the 101 is HTTP/{}, and it must be 1.1 at least", head.version);
        Note::new(NoteCode::ResponseVersion, Blame::Server, text)
    })
}

/// RFC 6455 4.1: Upgrade must be "websocket", in any letter case, and nothing else.
fn upgrade(head: &ResponseHead) -> Option<Note> {
    let protocols: Vec<&[u8]> = head.fields.tokens("Upgrade").collect();
    let is_websocket = |name: &&[u8]| name.eq_ignore_ascii_case(b"websocket");
    let (code, text) = match protocols.as_slice() {
        [one] if is_websocket(one) => return None,
        [] => {
            let text = "the 101 lacks Upgrade: websocket".to_owned();
            (NoteCode::ResponseUpgradeMissing, text)
        }
        several if several.iter().all(is_websocket) => {
            let text = "the 101 has Upgrade: websocket more than once".to_owned();
            (NoteCode::ResponseUpgradeMissing, text)
        }
        several if several.iter().any(is_websocket) => {
            let text = format!("the 101's Upgrade names {}, not websocket alone", list(several));
            (NoteCode::ResponseUpgradeMissing, text)
        }
        others => {
            let text = format!("the 101 switches to {}, not to websocket", list(others));
            (NoteCode::OtherProtocol, text)
        }
    };
    Some(Note::new(code, sender_of(head), text))
}

/// RFC 6455 4.1: Connection must hold the token "Upgrade".
fn connection(head: &ResponseHead) -> Option<Note> {
    if head.fields.has_token("Connection", "upgrade") {
        return None;
    }
    let text = match joined(&head.fields, "Connection") {
        Some(value) => format!("the 101's Connection is {}, without Upgrade", quote(value)),
        None => "the 101 lacks Connection: Upgrade".to_owned(),
    };
    Some(Note::new(NoteCode::ResponseConnectionMissing, sender_of(head), text))
}

/// Hop-by-hop headers are written anew by the last hop.
fn sender_of(head: &ResponseHead) -> Blame {
    if leaves_any(&head.fields) { Blame::Proxy } else { Blame::Server }
}

/// RFC 6455 4.1: the accept that the key demands; 11.3.3: not more than once.
fn accept(request: Option<&RequestHead>, head: &ResponseHead) -> Vec<Note> {
    let accepts: Vec<&[u8]> = head.fields.all("Sec-WebSocket-Accept").collect();
    let keys: Vec<&[u8]> =
        request.into_iter().flat_map(|r| r.fields.all("Sec-WebSocket-Key")).take(TRIED).collect();
    let mut notes = Vec::new();
    match accepts.as_slice() {
        [] => {
            let mut text = "the 101 lacks Sec-WebSocket-Accept".to_owned();
            if let Some(key) = keys.first() {
                let demanded = accept_for(key);
                text = format!("{text}: the key {} demands \"{demanded}\"", quote(key));
            }
            notes.push(Note::new(NoteCode::AcceptMissing, Blame::Server, text));
        }
        [_] => {}
        several => {
            let text = format!("Sec-WebSocket-Accept is there more than once: {}", list(several));
            notes.push(Note::new(NoteCode::AcceptDuplicate, Blame::Server, text));
        }
    }
    notes.extend(accepts.iter().take(TRIED).find_map(|accept| mismatch(accept, &keys)));
    notes
}

/// Keys and accepts hashed and compared of one head, where there should be one.
const TRIED: usize = 8;

/// Of several keys, the accept of any will do: the fault is then the request's alone.
fn mismatch(accept: &[u8], keys: &[&[u8]]) -> Option<Note> {
    let key = keys.first()?;
    if keys.iter().any(|key| accept_for(key).as_bytes() == accept) {
        return None;
    }
    let demanded = accept_for(key);
    let mut text = format!(
        "Sec-WebSocket-Accept is {}, but the key {} demands \"{demanded}\"",
        quote(accept),
        quote(key)
    );
    if let Some(mistake) = mistake(accept, key) {
        text.push_str(": ");
        text.push_str(mistake);
    }
    Some(Note::new(NoteCode::AcceptMismatch, Blame::Server, text))
}

/// How a wrong accept came to be, where that can be told.
fn mistake(accept: &[u8], key: &[u8]) -> Option<&'static str> {
    let is = |value: &str| value.as_bytes() == accept;
    let hex: String = digest(key)
        .as_ref()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect();
    let of = |key: &[u8], guid: &[u8]| {
        BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(guid).finalize())
    };
    let decoded = BASE64_STANDARD.decode(key).unwrap_or_default();
    if accept_for(key).as_bytes().eq_ignore_ascii_case(accept) {
        return Some("only the letter case differs");
    }
    if accept.is_empty() {
        return Some("it is empty");
    }
    if accept == key {
        return Some("it is the key itself");
    }
    if is(&accept_for(b"")) {
        return Some("it is right for an empty key, so the key did not reach who made the answer");
    }
    if ["undefined", "null", "None", "nil"].iter().any(|k| is(&accept_for(k.as_bytes()))) {
        return Some("it is right for a key that a program did not find and wrote as a word");
    }
    if !decoded.is_empty() && is(&accept_for(&decoded)) {
        return Some("it was made of the bytes that the key encodes, not of the key as sent");
    }
    if is(&of(key, b"")) {
        return Some("the GUID was left out");
    }
    if is(&of(key, GUID.to_ascii_lowercase().as_bytes())) {
        return Some("the GUID was taken in lower case");
    }
    if is(&hex) || is(&BASE64_STANDARD.encode(&hex)) {
        return Some("it was made of the hash in hexadecimal, not of its bytes");
    }
    None
}

/// RFC 6455 4.1, 4.2.2, 11.3.4: at most one subprotocol, and one that was offered.
pub(super) fn subprotocol(request: Option<&RequestHead>, head: &ResponseHead) -> Vec<Note> {
    const NAME: &str = "Sec-WebSocket-Protocol";
    let offered: Option<Vec<&[u8]>> = request.map(|r| r.fields.tokens(NAME).collect());
    let Some(value) = joined(&head.fields, NAME) else {
        return unselected(offered.as_deref()).into_iter().collect();
    };
    let named: Vec<&[u8]> = head.fields.tokens(NAME).collect();
    let mut notes = Vec::new();
    let fault = match named.as_slice() {
        [] => Some("is empty"),
        // A client compares the whole value with what it offered.
        [one] if *one != value.trim_ascii() => Some("is no token"),
        [one] if one.iter().all(|&b| is_token_byte(b)) => None,
        [_] => Some("is no token"),
        _ => Some("names more than one"),
    };
    if let Some(fault) = fault {
        let text = format!("the server's {NAME} {} {fault}", quote(value));
        notes.push(Note::new(NoteCode::SubprotocolInvalid, Blame::Server, text));
    }
    if let Some(offered) = offered
        && let Some(name) = named.iter().take(TRIED).find(|name| !offered.contains(name))
    {
        let but = match offered.iter().find(|o| o.eq_ignore_ascii_case(name)) {
            Some(same) => format!("spelt it {}", quote(same)),
            None if offered.is_empty() => "offered none".to_owned(),
            None => format!("offered only {}", list(&offered)),
        };
        let text =
            format!("the server chose the subprotocol {}, but the client {but}", quote(name));
        notes.push(Note::new(NoteCode::SubprotocolUnoffered, Blame::Server, text));
    }
    notes
}

fn unselected(offered: Option<&[&[u8]]>) -> Option<Note> {
    let offered = offered.filter(|offered| !offered.is_empty())?;
    let offer = if let [one] = offered {
        format!("subprotocol {}", quote(one))
    } else {
        format!("subprotocols {}", list(offered))
    };
    let text = format!(
        "the client offers the {offer}, and the server chose none, which RFC 6455 allows but browsers \
         fail on"
    );
    Some(Note::new(NoteCode::SubprotocolUnselected, Blame::Server, text))
}

/// RFC 9110 8.6, RFC 9112 6.1: a 1xx must have neither; what follows are frames at once.
fn body(head: &ResponseHead) -> Option<Note> {
    let (name, rule) =
        [("Transfer-Encoding", "RFC 9112 section 6.1"), ("Content-Length", "RFC 9110 section 8.6")]
            .into_iter()
            .find(|(name, _)| head.fields.first(name).is_some())?;
    let value = joined(&head.fields, name).unwrap_or_default();
    let text = format!("the 101 has {name}: {}, which a 101 must not have ({rule})", quote(value));
    Some(Note::new(NoteCode::ResponseBody, Blame::Server, text))
}
