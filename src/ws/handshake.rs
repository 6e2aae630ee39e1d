//! The opening handshake, judged (RFC 6455 section 4; over HTTP/2, RFC 8441; RFC 7692 section 7).
//!
//! Gets: an [`Exchange`] from [`crate::http`]. Gives: a [`Handshake`]: outcome, agreement, notes in
//! the order request, answer. Keeps: nothing. A rule whose evidence the capture lacks stays silent.
//!
//! ```
//! use wstap::ws::handshake::accept_for;
//!
//! // RFC 6455 section 1.3.
//! assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! ```
//!
//! The whole handshake of that section:
//!
//! ```
//! use wstap::event::{Field, Fields, Outcome, RequestHead, ResponseHead};
//! use wstap::http::{Answer, Exchange};
//! use wstap::limits::Limits;
//! use wstap::units::Origin;
//! use wstap::ws::handshake::judge;
//!
//! fn fields(lines: &[(&str, &str)]) -> Fields {
//!     let field = |(name, value): &(&str, &str)| Field {
//!         name: name.as_bytes().into(),
//!         value: value.as_bytes().into(),
//!     };
//!     Fields(lines.iter().map(field).collect())
//! }
//!
//! let request = RequestHead {
//!     method: "GET".into(),
//!     target: "/chat".into(),
//!     version: "1.1".into(),
//!     fields: fields(&[
//!         ("Host", "server.example.com"),
//!         ("Upgrade", "websocket"),
//!         ("Connection", "Upgrade"),
//!         ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
//!         ("Origin", "http://example.com"),
//!         ("Sec-WebSocket-Protocol", "chat, superchat"),
//!         ("Sec-WebSocket-Version", "13"),
//!     ]),
//!     origin: Origin::default(),
//!     begin: Origin::default(),
//!     notes: Vec::new(),
//! };
//! let response = ResponseHead {
//!     status: 101,
//!     reason: "Switching Protocols".into(),
//!     version: "1.1".into(),
//!     fields: fields(&[
//!         ("Upgrade", "websocket"),
//!         ("Connection", "Upgrade"),
//!         ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
//!         ("Sec-WebSocket-Protocol", "chat"),
//!     ]),
//!     origin: Origin::default(),
//!     begin: Origin::default(),
//!     notes: Vec::new(),
//! };
//! let exchange = Exchange {
//!     request: Some(request),
//!     request_partial: false,
//!     answer: Answer::Head(response),
//!     interim: Vec::new(),
//!     request_body: false,
//!     early: None,
//!     proxy_protocol: None,
//!     http2: None,
//! };
//! let handshake = judge(exchange, &Limits::default());
//! assert_eq!(handshake.outcome, Outcome::Accepted);
//! assert_eq!(handshake.subprotocol.as_deref(), Some("chat"));
//! assert_eq!(handshake.notes, []);
//! ```

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

use crate::event::{
    Fields, Handshake, HttpVersion, Outcome, RequestHead, ResponseHead, header_text,
};
use crate::http::{Answer, Exchange};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode, Notes};
use crate::units::PerDirection;
use crate::ws::extension::{negotiate, presume};

mod h2;
mod place;
mod refusal;
mod request;
mod response;
mod trace;
mod unanswered;
mod usual;
pub(crate) mod words;

#[cfg(test)]
mod testing;

pub use place::{START_LINE, Side, header_of};

/// The `Sec-WebSocket-Accept` that a `Sec-WebSocket-Key` demands (RFC 6455 section 4.2.2): of the
/// key as sent, not of the bytes that it encodes.
pub fn accept_for(key: &[u8]) -> String {
    BASE64_STANDARD.encode(digest(key))
}

/// What the accept is the base64 of.
fn digest(key: &[u8]) -> impl AsRef<[u8]> + use<> {
    Sha1::new().chain_update(key).chain_update(GUID).finalize()
}

/// What is put behind the key before it is hashed (RFC 6455 section 1.3).
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Judges an upgrade attempt and its answer.
pub fn judge(exchange: Exchange, limits: &Limits) -> Handshake {
    if !usual::is_usual(&exchange) {
        return closely(exchange, limits);
    }
    let same = cfg!(debug_assertions).then(|| closely(exchange.clone(), limits));
    let handshake = Handshake {
        http: HttpVersion::Http1,
        outcome: Outcome::Accepted,
        subprotocol: None,
        extensions: None,
        deflate: None,
        notes: Vec::new(),
        cut: PerDirection::default(),
        last: false,
        request: exchange.request,
        response: into_head(exchange.answer),
    };
    // The law of the quick way, asserted wherever tests and fuzz targets come by.
    debug_assert!(same.is_none_or(|same| same == handshake), "every rule is silent: {handshake:?}");
    handshake
}

/// Asks every rule.
fn closely(exchange: Exchange, limits: &Limits) -> Handshake {
    let request = exchange.request.as_ref();
    let final_head = match &exchange.answer {
        Answer::Head(head) | Answer::Partial(head) => Some(head),
        _ => None,
    };
    let switched = final_head.filter(|head| opens(&exchange, head));
    let over_h2 = exchange.http2;
    let whole_request = request.filter(|_| !exchange.request_partial);
    let negotiation = negotiate(whole_request.map(|r| &r.fields), switched.map(|r| &r.fields));

    let mut of_request = match over_h2 {
        Some(over) => h2::request(&exchange, over),
        None => request::judge(&exchange),
    };
    of_request.extend(negotiation.request_notes);
    let mut of_answer = Vec::new();
    let outcome = match final_head {
        Some(head) if switched.is_some() => {
            of_answer = match over_h2 {
                Some(_) => h2::response(&exchange, head),
                None => response::judge(&exchange, head),
            };
            of_answer.extend(negotiation.response_notes);
            outcome_of(&exchange.answer, &of_answer)
        }
        Some(head) => {
            if over_h2.is_some() {
                of_answer = h2::hop_by_hop(&head.fields, "answer", Blame::Server);
            }
            of_answer.extend(refusal::judge(request, head, &of_request));
            Outcome::Rejected
        }
        None => Outcome::Incomplete,
    };
    let mut of_both = unanswered::judge(&exchange);
    of_both.extend(trace::judge(request.map(|r| &r.fields), final_head.map(|r| &r.fields)));
    let notes = within(limits.notes, of_request, of_answer, of_both);

    let deflate = negotiation.deflate.or_else(|| match (&exchange.answer, switched) {
        (Answer::Missing, _) | (Answer::Partial(_), Some(_)) => presume(&request?.fields),
        _ => None,
    });
    let cut = PerDirection {
        to_server: exchange.request.is_some() && exchange.request_partial,
        to_client: matches!(exchange.answer, Answer::Partial(_)),
    };
    let agreed = |name| switched.and_then(|head| value_as_sent(&head.fields, name));
    Handshake {
        http: if over_h2.is_some() { HttpVersion::Http2 } else { HttpVersion::Http1 },
        outcome,
        subprotocol: agreed("Sec-WebSocket-Protocol"),
        extensions: agreed("Sec-WebSocket-Extensions"),
        deflate,
        notes,
        cut,
        last: false,
        request: exchange.request,
        response: into_head(exchange.answer),
    }
}

const SWITCHING_PROTOCOLS: u16 = 101;

/// Is this the answer behind which frames follow.
fn opens(exchange: &Exchange, head: &ResponseHead) -> bool {
    match exchange.http2 {
        None => head.status == SWITCHING_PROTOCOLS,
        // RFC 8441 section 5: any of these accepts an extended CONNECT.
        Some(_) => {
            (200..300).contains(&head.status) && exchange.request.as_ref().is_some_and(is_extended)
        }
    }
}

/// RFC 8441 section 4: a CONNECT with `:protocol`.
fn is_extended(request: &RequestHead) -> bool {
    request.method == "CONNECT" && request.fields.first(":protocol").is_some()
}

/// RFC 6455 section 4.1, at the end, and section 9.1, RFC 7692 section 7.1: what makes a client
/// fail the connection although the status is 101.
fn outcome_of(answer: &Answer, answer_notes: &[Note]) -> Outcome {
    let fails = |note: &Note| {
        matches!(
            note.code,
            NoteCode::AcceptMissing
                | NoteCode::AcceptMismatch
                | NoteCode::AcceptDuplicate
                | NoteCode::ResponseUpgradeMissing
                | NoteCode::ResponseConnectionMissing
                | NoteCode::OtherProtocol
                | NoteCode::SubprotocolUnoffered
                | NoteCode::SubprotocolInvalid
                | NoteCode::ExtensionSyntax
                | NoteCode::ExtensionUnoffered
                | NoteCode::ExtensionDuplicate
                | NoteCode::DeflateParamInvalid
                | NoteCode::DeflateParamUnoffered
        )
    };
    match answer {
        _ if answer_notes.iter().any(fails) => Outcome::Invalid,
        Answer::Head(_) => Outcome::Accepted,
        _ => Outcome::Incomplete,
    }
}

/// A head can break one rule thousands of times, and hide no fault of the other by that: each may have
/// half of the room, and what the other leaves of its own.
fn within(
    budget: usize,
    of_request: Vec<Note>,
    of_answer: Vec<Note>,
    of_both: Vec<Note>,
) -> Vec<Note> {
    let room = budget.saturating_sub(of_both.len());
    let mut notes = first(room - of_answer.len().min(room / 2), of_request);
    notes.extend(first(room.saturating_sub(notes.len()), of_answer));
    notes.extend(of_both);
    notes
}

/// As many as there is room for; the last tells how many more there are.
fn first(budget: usize, list: Vec<Note>) -> Vec<Note> {
    if list.len() <= budget {
        return list;
    }
    let mut notes = Notes::default();
    for note in list {
        notes.push(note, budget);
    }
    notes.into_vec()
}

/// All values of a header as one text; `None` without the header, or where it is empty.
fn value_as_sent(fields: &Fields, name: &str) -> Option<String> {
    let value = words::joined(fields, name)?;
    (!value.is_empty()).then(|| header_text(&value).into_owned())
}

fn into_head(answer: Answer) -> Option<ResponseHead> {
    match answer {
        Answer::Head(head) | Answer::Partial(head) => Some(head),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
