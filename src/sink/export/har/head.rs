//! The front of an entry: request and response, up to the messages.

use std::borrow::Cow;

use crate::event::{Cx, Fields, Handshake, RequestHead, ResponseHead, header_text};
use crate::sink::json::line::separated;
use crate::sink::json::write::{number, raw, string};
use crate::units::{ConnNo, Timestamp};

pub(super) fn entry(
    buf: &mut Vec<u8>,
    no: ConnNo,
    cx: &Cx<'_>,
    handshake: &Handshake,
    begin: Option<Timestamp>,
) {
    raw(buf, "{\"startedDateTime\":");
    started(buf, begin);
    raw(buf, ",\"_resourceType\":\"websocket\",\"_conn\":");
    number(buf, no.0);
    raw(buf, ",\"_outcome\":\"");
    raw(buf, handshake.outcome.name());
    raw(buf, "\",\"request\":");
    request(buf, cx, handshake.request.as_ref());
    raw(buf, ",\"response\":");
    response(buf, handshake.response.as_ref());
    raw(buf, ",\"cache\":{},\"serverIPAddress\":");
    string(buf, &cx.conn.server.ip().to_string());
    // "ID of the parent TCP/IP connection, can be the client or server port number".
    raw(buf, ",\"connection\":");
    string(buf, &cx.conn.client.port().to_string());
    super::notes(buf, "_notes", &handshake.notes);
    raw(buf, ",\"_webSocketMessages\":[");
}

/// ISO 8601 with milliseconds, as browsers write it.
fn started(buf: &mut Vec<u8>, time: Option<Timestamp>) {
    let text = time.unwrap_or_default().rfc3339();
    let millis = text.as_str().get(..23).unwrap_or_default();
    string(buf, &format!("{millis}Z"));
}

fn request(buf: &mut Vec<u8>, cx: &Cx<'_>, head: Option<&RequestHead>) {
    let none = Fields::default();
    let fields = head.map_or(&none, |head| &head.fields);
    raw(buf, "{\"method\":");
    string(buf, head.map_or("GET", |head| &head.method));
    raw(buf, ",\"url\":");
    string(buf, &url(cx, head));
    raw(buf, ",\"httpVersion\":");
    version(buf, head.map(|head| &*head.version));
    raw(buf, ",\"cookies\":[");
    let pairs = fields.all("cookie").flat_map(|value| value.split(|b| *b == b';'));
    separated(buf, pairs.filter(|pair| !pair.trim_ascii().is_empty()), |buf, pair| {
        cookie(buf, pair);
        raw(buf, "}");
    });
    headers(buf, fields);
    raw(buf, ",\"queryString\":[");
    let query = head.and_then(|head| head.target.split_once('?')).map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    separated(buf, query.split('&').filter(|pair| !pair.is_empty()), |buf, pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        named(buf, &decoded(name), &decoded(value));
        raw(buf, "}");
    });
    raw(buf, "],\"headersSize\":-1,\"bodySize\":0");
    if head.is_none() {
        raw(buf, ",\"comment\":\"the capture lacks the request\"");
    }
    raw(buf, "}");
}

fn response(buf: &mut Vec<u8>, head: Option<&ResponseHead>) {
    let none = Fields::default();
    let fields = head.map_or(&none, |head| &head.fields);
    raw(buf, "{\"status\":");
    number(buf, head.map_or(0, |head| head.status));
    raw(buf, ",\"statusText\":");
    string(buf, head.map_or("", |head| &head.reason));
    raw(buf, ",\"httpVersion\":");
    version(buf, head.map(|head| &*head.version));
    raw(buf, ",\"cookies\":[");
    separated(buf, fields.all("set-cookie"), |buf, value| {
        let mut parts = value.split(|b| *b == b';');
        cookie(buf, parts.next().unwrap_or_default());
        parts.for_each(|part| attribute(buf, part));
        raw(buf, "}");
    });
    headers(buf, fields);
    let first = |name| fields.first(name).map_or(Cow::Borrowed(""), header_text);
    raw(buf, ",\"content\":{\"size\":0,\"mimeType\":");
    string(buf, &first("content-type"));
    raw(buf, "},\"redirectURL\":");
    string(buf, &first("location"));
    raw(buf, ",\"headersSize\":-1,\"bodySize\":-1");
    if head.is_none() {
        raw(buf, ",\"comment\":\"the capture lacks the answer\"");
    }
    raw(buf, "}");
}

/// `ws://host/path`, `wss://` where it came out of TLS: the host as the client named it, or the server's
/// address.
fn url(cx: &Cx<'_>, head: Option<&RequestHead>) -> String {
    let server = cx.conn.server.to_string();
    let scheme = if cx.conn.tls.is_some() { "wss" } else { "ws" };
    let Some(head) = head else { return format!("{scheme}://{server}/") };
    // A request through a forward proxy names the whole URL (RFC 9112 section 3.2.2).
    if let Some(rest) = head.target.strip_prefix("http://") {
        return format!("{scheme}://{rest}");
    }
    if let Some(rest) = head.target.strip_prefix("https://") {
        return format!("wss://{rest}");
    }
    let host = ["host", ":authority"].into_iter().find_map(|name| head.fields.first(name));
    let host = host.filter(|host| !host.is_empty()).map_or(Cow::Owned(server), header_text);
    let slash = if head.target.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{}", head.target)
}

fn version(buf: &mut Vec<u8>, version: Option<&str>) {
    match version {
        Some(version) => string(buf, &format!("HTTP/{version}")),
        None => raw(buf, "\"unknown\""),
    }
}

/// Closes the list of cookies, and writes that of headers.
fn headers(buf: &mut Vec<u8>, fields: &Fields) {
    raw(buf, "],\"headers\":[");
    separated(buf, &fields.0, |buf, field| {
        named(buf, &field.name_text(), &field.value_text());
        raw(buf, "}");
    });
    raw(buf, "]");
}

/// An object with name and value, still open.
fn named(buf: &mut Vec<u8>, name: &str, value: &str) {
    raw(buf, "{\"name\":");
    string(buf, name);
    raw(buf, ",\"value\":");
    string(buf, value);
}

/// Name and value of a cookie (RFC 6265 section 4), the object still open.
fn cookie(buf: &mut Vec<u8>, pair: &[u8]) {
    let pair = header_text(pair.trim_ascii());
    let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
    named(buf, name.trim(), value.trim());
}

/// An attribute of Set-Cookie, as far as HAR has a field for it.
fn attribute(buf: &mut Vec<u8>, part: &[u8]) {
    let part = header_text(part.trim_ascii());
    let (name, value) = part.split_once('=').unwrap_or((&part, ""));
    let lower = name.trim().to_ascii_lowercase();
    match lower.as_str() {
        "path" | "domain" => {
            raw(buf, if lower == "path" { ",\"path\":" } else { ",\"domain\":" });
            string(buf, value.trim());
        }
        "httponly" => raw(buf, ",\"httpOnly\":true"),
        "secure" => raw(buf, ",\"secure\":true"),
        _ => {}
    }
}

/// A part of a query, percent-decoded where that gives UTF-8 (WHATWG URL, `x-www-form-urlencoded`).
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = tail.first_chunk::<2>().filter(|_| byte == b'%');
        let hex = escaped.and_then(|[a, b]| {
            let digit = |b: u8| char::from(b).to_digit(16);
            u8::try_from(digit(*a)? * 16 + digit(*b)?).ok()
        });
        match hex {
            Some(hex) => {
                bytes.push(hex);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => bytes.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_where_that_is_text() {
        let cases =
            [("a+b", "a b"), ("%C3%BC", "ü"), ("%ff", "%ff"), ("100%", "100%"), ("%2", "%2")];
        for (sent, want) in cases {
            assert_eq!(decoded(sent), want);
        }
    }
}
