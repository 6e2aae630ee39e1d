//! Rules on a handshake over HTTP/2 (RFC 8441; RFC 9113 sections 8.2.2, 8.3 and 8.5).
//!
//! What of HTTP/1.1's handshake has no meaning here is not asked for: the method GET, Upgrade,
//! Connection, the key and its accept. Versions, subprotocols and extensions are as they are there.

use super::is_extended;
use super::request::{early, protocol_version, subprotocols, target};
use super::response::subprotocol;
use super::trace::sender_of;
use super::words::{joined, quote};
use crate::event::{Fields, RequestHead, ResponseHead};
use crate::http::h2::{Consent, OverHttp2};
use crate::http::{Answer, Exchange};
use crate::note::{Blame, Note, NoteCode};

/// Every note on the request but those on extensions.
pub(super) fn request(exchange: &Exchange, over: OverHttp2) -> Vec<Note> {
    let mut notes: Vec<Note> = super::request::proxy_protocol(exchange).into_iter().collect();
    let Some(head) = &exchange.request else { return notes };
    let whole = !exchange.request_partial;
    notes.extend(head.notes.iter().cloned());
    notes.extend(method(head).filter(|_| whole));
    if is_extended(head) {
        notes.extend(pseudo(head).filter(|_| whole));
        notes.extend(scheme(head));
        notes.extend(path(head));
        notes.extend(consent(head, over));
    }
    notes.extend(host(head).filter(|_| whole));
    let version = protocol_version(head);
    notes.extend(version.filter(|note| whole || note.code != NoteCode::VersionMissing));
    notes.extend(subprotocols(head));
    notes.extend(hop_by_hop(&head.fields, "request", sender_of(head)));
    notes.extend(early(exchange));
    notes
}

/// Every note on a 2xx but those on extensions.
pub(super) fn response(exchange: &Exchange, head: &ResponseHead) -> Vec<Note> {
    let request = exchange.request.as_ref().filter(|_| !exchange.request_partial);
    let whole = matches!(exchange.answer, Answer::Head(_));
    let mut notes = head.notes.clone();
    notes.extend(subprotocol(request, head));
    notes.extend(hop_by_hop(&head.fields, "answer", Blame::Server));
    notes.retain(|note| whole || note.code != NoteCode::SubprotocolUnselected);
    notes
}

/// RFC 8441 4: CONNECT with `:protocol`. What asks as in HTTP/1.1 gets an ordinary answer.
fn method(head: &RequestHead) -> Option<Note> {
    let method = quote(&*head.method);
    let text = match head.fields.first(":protocol") {
        _ if is_extended(head) => return None,
        Some(_) => {
            format!("the request's method is {method}, and with :protocol it must be CONNECT")
        }
        None if head.method == "CONNECT" => {
            "the CONNECT has no :protocol, so it asks for a tunnel and not for a WebSocket"
                .to_owned()
        }
        None => format!(
            "the request is a {method} as HTTP/1.1 has it: over HTTP/2 a WebSocket is asked for by \
             CONNECT with :protocol websocket (RFC 8441), and Upgrade means nothing"
        ),
    };
    Some(Note::new(NoteCode::RequestMethod, sender_of(head), text))
}

/// RFC 8441 4: `:scheme` and `:path` must be there with `:protocol`.
fn pseudo(head: &RequestHead) -> Option<Note> {
    let missing =
        [":scheme", ":path"].into_iter().find(|name| head.fields.first(name).is_none())?;
    let text = format!("the extended CONNECT lacks {missing}");
    Some(Note::new(NoteCode::HeaderInvalid, Blame::Client, text))
}

/// RFC 8441 5: of wss it is "https", of ws "http".
fn scheme(head: &RequestHead) -> Option<Note> {
    let scheme = head.fields.first(":scheme")?;
    let known = [&b"https"[..], b"http"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    (!known).then(|| {
        let text = format!(":scheme is {}, and it must be https or http", quote(scheme));
        Note::new(NoteCode::HeaderInvalid, Blame::Client, text)
    })
}

/// RFC 9113 8.3.1: a path with an optional query, and nothing in front of it.
fn path(head: &RequestHead) -> Option<Note> {
    let path = head.fields.first(":path")?;
    if path.starts_with(b"/") {
        return target(head);
    }
    let text = format!("the request's :path is {}, and it must begin with \"/\"", quote(path));
    Some(Note::new(NoteCode::TargetInvalid, Blame::Client, text))
}

/// RFC 9113 8.3.1: `:authority`, or Host where the request comes from HTTP/1.1.
fn host(head: &RequestHead) -> Option<Note> {
    let named = [":authority", "host"].into_iter().find_map(|name| head.fields.first(name));
    named.is_none_or(<[u8]>::is_empty).then(|| {
        let text = "the request has neither :authority nor Host";
        Note::new(NoteCode::HostMissing, Blame::Client, text)
    })
}

/// RFC 8441 3: the client must have received `SETTINGS_ENABLE_CONNECT_PROTOCOL = 1`.
fn consent(head: &RequestHead, over: OverHttp2) -> Option<Note> {
    let text = match over.consent {
        Consent::Given | Consent::Unknown => return None,
        Consent::Withheld(settings) => format!(
            "the request in packet {} has :protocol, and the server's SETTINGS (packet {}) do not have \
             SETTINGS_ENABLE_CONNECT_PROTOCOL = 1",
            head.origin.packet, settings.packet
        ),
        Consent::Late(settings) => format!(
            "the request in packet {} has :protocol, before the server allowed it by \
             SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 in packet {}",
            head.origin.packet, settings.packet
        ),
    };
    Some(Note::new(NoteCode::ConnectNotEnabled, sender_of(head), text))
}

/// RFC 9113 8.2.2: fields of one connection have no place in HTTP/2; TE may say "trailers". What else
/// HTTP/1.1's handshake has (key and accept) is only of no use: RFC 8441 5.
pub(super) fn hop_by_hop(fields: &Fields, what: &str, blame: Blame) -> Vec<Note> {
    const NAMES: [&str; 5] =
        ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"];
    let te = fields.tokens("te").any(|te| !te.eq_ignore_ascii_case(b"trailers"));
    let names = NAMES.into_iter().filter(|name| fields.first(name).is_some());
    names
        .chain(te.then_some("te"))
        .map(|name| {
            let value = quote(joined(fields, name).unwrap_or_default());
            let text = format!("the {what} has {name}: {value}, which HTTP/2 must not have");
            Note::new(NoteCode::HopByHopInH2, blame, text)
        })
        .collect()
}

#[cfg(test)]
mod tests;
