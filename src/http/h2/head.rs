//! Field sections as heads (RFC 9113 section 8.3, RFC 8441 section 4).
//!
//! Gets: the fields of a block. Gives: a [`RequestHead`] or [`ResponseHead`], pseudo-header fields among
//! the others as they were sent, with a note for each fault that makes it malformed. Keeps: nothing.

use std::borrow::Cow;

use crate::event::{Field, Fields, RequestHead, ResponseHead, Word, header_text};
use crate::note::{Blame, Note, NoteCode};
use crate::units::Origin;

/// The version of HTTP that a head says.
pub(super) const VERSION: Word = Cow::Borrowed("2");

/// A request: its target is the `:path`, or of an ordinary CONNECT the `:authority`.
pub(super) fn request(fields: Fields, begin: Origin, origin: Origin) -> RequestHead {
    let text = |name| fields.first(name).map(|value| header_text(value).into_owned());
    let notes = faults(&fields, Blame::Client, &REQUEST);
    RequestHead {
        method: match text(":method") {
            Some(method) if method == "CONNECT" => Cow::Borrowed("CONNECT"),
            Some(method) if method == "GET" => Cow::Borrowed("GET"),
            method => method.unwrap_or_default().into(),
        },
        target: text(":path").or_else(|| text(":authority")).unwrap_or_default(),
        version: VERSION,
        fields,
        origin,
        begin,
        notes,
    }
}

/// A response.
///
/// # Errors
/// Without a status that is one: what stands in its place, in part where that is long.
pub(super) fn response(
    fields: Fields,
    begin: Origin,
    origin: Origin,
) -> Result<ResponseHead, Box<[u8]>> {
    let Some(status) = status(&fields) else {
        let odd = fields.first(":status").unwrap_or_default();
        return Err(odd.get(..SHOWN).unwrap_or(odd).into());
    };
    let notes = faults(&fields, Blame::Server, &[":status"]);
    let reason = Cow::Borrowed("");
    Ok(ResponseHead { status, reason, version: VERSION, fields, origin, begin, notes })
}

/// Bytes shown of a `:status` that is none.
const SHOWN: usize = 64;

/// Three digits.
fn status(fields: &Fields) -> Option<u16> {
    let text = fields.first(":status").filter(|value| value.len() == 3)?;
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// Pseudo-header fields of requests.
const REQUEST: [&str; 5] = [":method", ":scheme", ":authority", ":path", ":protocol"];

/// RFC 9113 sections 8.2.1 and 8.3: what makes a message malformed, whatever it asks for; the first
/// fault of each kind.
fn faults(fields: &Fields, from: Blame, pseudo: &[&str]) -> Vec<Note> {
    let list = &fields.0;
    let is_pseudo = |field: &Field| field.name.first() == Some(&b':');
    let first_regular = list.iter().position(|field| !is_pseudo(field)).unwrap_or(list.len());
    let quoted = |field: &Field| header_text(&field.name).escape_debug().to_string();
    let mut texts = Vec::new();
    let upper = list.iter().find(|field| field.name.iter().any(u8::is_ascii_uppercase));
    texts.extend(upper.map(|field| {
        format!(
            "the name of the field \"{}\" has upper case letters, and HTTP/2 has none",
            quoted(field)
        )
    }));
    // Section 8.2.1: at least these octets make a name or a value invalid.
    let odd = list.iter().find(|field| {
        let behind = field.name.strip_prefix(b":").unwrap_or(&field.name);
        behind.is_empty() || behind.iter().any(|&b| matches!(b, 0..=0x20 | b':' | 0x7f..))
    });
    texts.extend(odd.map(|field| {
        format!("the name of the field \"{}\" has bytes that no name may have", quoted(field))
    }));
    let bad = list.iter().find(|field| field.value.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')));
    texts.extend(bad.map(|field| {
        format!("the value of the field \"{}\" has a line end or NUL in it", quoted(field))
    }));
    let late = list.iter().skip(first_regular).find(|field| is_pseudo(field));
    texts.extend(late.map(|field| {
        format!("the pseudo-header field {} comes behind other fields", quoted(field))
    }));
    let known = |field: &&Field| !pseudo.iter().any(|name| name.as_bytes() == &*field.name);
    let unknown = list.iter().filter(|field| is_pseudo(field)).find(known);
    texts.extend(
        unknown.map(|field| {
            format!("there is no pseudo-header field {} in this place", quoted(field))
        }),
    );
    let twice = pseudo.iter().find(|name| fields.all(name).nth(1).is_some());
    texts.extend(
        twice.map(|name| format!("the pseudo-header field {name} is there more than once")),
    );
    texts.into_iter().map(|text| Note::new(NoteCode::HeaderInvalid, from, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let field = |(name, value): &(&str, &str)| Field {
            name: name.as_bytes().into(),
            value: value.as_bytes().into(),
        };
        Fields(list.iter().map(field).collect())
    }

    fn read(list: &[(&str, &str)]) -> RequestHead {
        request(fields(list), Origin::default(), Origin::default())
    }

    /// RFC 8441 section 5.1.
    const EXAMPLE: [(&str, &str); 9] = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "server.example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ];

    #[test]
    fn the_example_of_rfc_8441_is_a_connect_to_its_path() {
        let head = read(&EXAMPLE);
        assert_eq!((&*head.method, &*head.target, &*head.version), ("CONNECT", "/chat", "2"));
        assert_eq!(head.fields, fields(&EXAMPLE));
        assert_eq!(head.notes, []);
    }

    #[test]
    fn an_ordinary_connect_asks_for_its_authority() {
        let head = read(&[(":method", "CONNECT"), (":authority", "example.com:80")]);
        assert_eq!((&*head.method, &*head.target), ("CONNECT", "example.com:80"));
    }

    #[test]
    fn a_status_is_three_digits() {
        let of = |status| {
            let list = fields(&[(":status", status)]);
            response(list, Origin::default(), Origin::default()).map(|head| head.status)
        };
        assert_eq!(of("200"), Ok(200));
        for odd in ["", "20", "2000", "+20", "2x0"] {
            assert_eq!(of(odd), Err(odd.as_bytes().into()));
        }
    }

    #[test]
    fn malformed_fields_are_told_once_each() {
        let texts = |list: &[(&str, &str)]| -> Vec<String> {
            read(list).notes.iter().map(|note| note.text.to_string()).collect()
        };
        for (list, part) in [
            (&[("X-Odd", "1"), ("Y-Odd", "1")][..], "\"X-Odd\" has upper case"),
            (&[("a b", "1")], "bytes that no name may have"),
            (&[("", "1")], "bytes that no name may have"),
            (&[("a", "1\r\nb: 2")], "a line end or NUL"),
            (&[("a", "1"), (":path", "/")], ":path comes behind"),
            (&[(":status", "200")], "no pseudo-header field :status"),
            (&[(":path", "/"), (":path", "/")], ":path is there more than once"),
        ] {
            let texts = texts(list);
            assert_eq!(texts.len(), 1, "{texts:?}");
            assert!(texts[0].contains(part), "{texts:?}");
        }
    }
}
