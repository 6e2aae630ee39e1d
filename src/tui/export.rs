//! What leaves the UI: commands for a shell, a row as JSON, bytes in hexadecimal digits.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use crate::event::{Field, Payload, RequestHead, header_text};
use crate::store::{Conn, Record, Row};

/// Hexadecimal digits, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The handshake as a curl command; `None` when the capture lacks the request.
pub fn curl(conn: &Conn) -> Option<String> {
    let request = conn.opening.as_ref()?.request.as_ref()?;
    // -N: frames are shown as they come. Headers that curl would send of itself are replaced.
    let mut command = "curl -i -N --http1.1".to_owned();
    let mut put = |header: &str| {
        command.push_str(" \\\n  -H ");
        command.push_str(&quote(header));
    };
    // curl makes the host of the URL.
    for field in request.fields.0.iter().filter(|field| !field.is("host") && !is_pseudo(field)) {
        put(&header(field));
    }
    // What HTTP/2 says by other means.
    for (name, value) in OPENS_HTTP1 {
        if is_http2(request) && request.fields.first(name).is_none() {
            put(&format!("{name}: {value}"));
        }
    }
    command.push_str(" \\\n  ");
    command.push_str(&quote(&url(["http", "https"], conn)?));
    Some(command)
}

/// The connection as a websocat command; `None` when the capture lacks the request.
pub fn websocat(conn: &Conn) -> Option<String> {
    let request = conn.opening.as_ref()?.request.as_ref()?;
    let mut command = "websocat".to_owned();
    for field in &request.fields.0 {
        // What belongs to one connection only, websocat makes anew.
        let own = ["host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"];
        let own = own.iter().any(|name| field.is(name)) || is_pseudo(field);
        if own || field.is("sec-websocket-extensions") {
            continue;
        }
        if field.is("sec-websocket-protocol") {
            command.push_str(" --protocol ");
            command.push_str(&quote(&field.value_text()));
        } else {
            command.push_str(" -H ");
            let header = format!("{}: {}", field.name_text(), field.value_text());
            command.push_str(&quote(&header));
        }
    }
    command.push(' ');
    command.push_str(&quote(&url(["ws", "wss"], conn)?));
    Some(command)
}

/// What a request has to say to open a WebSocket over HTTP/1.1, with the key of RFC 6455 section 1.3.
const OPENS_HTTP1: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn is_http2(request: &RequestHead) -> bool {
    request.fields.0.iter().any(is_pseudo)
}

/// `:path` and the like: of HTTP/2, and no headers.
fn is_pseudo(field: &Field) -> bool {
    field.name.starts_with(b":")
}

/// As curl wants it: a name with nothing behind the colon would take the header away.
fn header(field: &Field) -> String {
    match field.value_text() {
        value if value.trim().is_empty() => format!("{};", field.name_text()),
        value => format!("{}: {value}", field.name_text()),
    }
}

/// Where the request went; the scheme is the one in the clear, or the one inside of TLS.
fn url([clear, sealed]: [&str; 2], conn: &Conn) -> Option<String> {
    let request = conn.opening.as_ref()?.request.as_ref()?;
    let secure = match request.fields.first(":scheme") {
        Some(scheme) => {
            scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss")
        }
        None => conn.info.tls.is_some(),
    };
    let scheme = if secure { sealed } else { clear };
    let absolute = request.target.split_once("://").filter(|_| !request.target.starts_with('/'));
    if let Some((_, rest)) = absolute {
        return Some(format!("{scheme}://{rest}"));
    }
    let host = request.fields.first(":authority").or_else(|| request.fields.first("host"));
    let host = host.map(header_text);
    let host = host.map_or_else(|| conn.info.server.to_string(), std::borrow::Cow::into_owned);
    Some(format!("{scheme}://{host}{}", request.target))
}

/// One word for a POSIX shell. What could act on a terminal while it is pasted is spelled out.
fn quote(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str("\\x");
                    out.push_str(&hex(&[byte]));
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A message as `print --json` writes it.
pub fn row_json(row: &Row, conn: &Conn, record: &Record) -> Option<String> {
    let message = record.message()?;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    put("event", "message".into());
    put("conn", conn.no.0.into());
    put("dir", message.dir.name().into());
    put("time", row.time().map_or(Value::Null, |time| time.rfc3339().as_str().into()));
    put("packet", row.packet().number().into());
    put("n", message.no.0.into());
    put("kind", message.kind.name().into());
    put("len", message.len.into());
    put("wire_len", message.wire_len.into());
    put("frames", message.frames.into());
    put("compressed", message.compressed.into());
    put("complete", message.complete.into());
    match message.payload {
        Payload::Text(text) => put("text", text.into()),
        Payload::Data(bytes) => put("data", BASE64_STANDARD.encode(bytes).into()),
        Payload::Skipped => {}
    }
    if let Some(code) = message.close_code {
        put("close_code", code.into());
    }
    if let Some(reason) = message.close_reason {
        put("close_reason", reason.into());
    }
    let notes = message.notes.iter().map(|note| {
        json!({
            "code": note.code.as_str(),
            "severity": note.severity().name(),
            "blame": note.blame.name(),
            "text": note.text,
            "ref": note.code.reference(),
        })
    });
    put("notes", notes.collect::<Vec<_>>().into());
    Some(Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::store::testing::{Play, fields};
    use crate::units::Direction;

    #[test]
    fn the_handshake_is_a_curl_command() {
        let mut play = Play::new();
        play.open(1, "/it's?a=1");
        let conn = play.reader.snapshot().conns.get(0).unwrap().clone();
        assert_eq!(
            curl(&conn).unwrap(),
            "curl -i -N --http1.1 \\\n  -H 'Upgrade: websocket' \\\n  -H 'Connection: Upgrade' \\\n  \
             -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \\\n  -H 'Sec-WebSocket-Version: 13' \
             \\\n  -H 'Sec-WebSocket-Protocol: chat, superchat' \\\n  -H 'Origin: http://localhost' \
             \\\n  'http://localhost:8088/it'\\''s?a=1'"
        );
        assert_eq!(
            websocat(&conn).unwrap(),
            "websocat --protocol 'chat, superchat' -H 'Origin: http://localhost' \
             'ws://localhost:8088/it'\\''s?a=1'"
        );
    }

    #[test]
    fn what_http2_opened_is_opened_over_http1() {
        let mut play = Play::new();
        let mut handshake = play.handshake("/chat?to=http://x/", "");
        let request = handshake.request.as_mut().unwrap();
        request.method = "CONNECT".into();
        request.fields = fields(&[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":path", "/chat?to=http://x/"),
            (":authority", "example.com:8100"),
            (":scheme", "https"),
            ("sec-websocket-version", "13"),
            ("x-empty", ""),
        ]);
        let origin = play.origin();
        play.event(1, origin, &Event::Handshake(&handshake));
        let conn = play.reader.snapshot().conns.get(0).unwrap().clone();
        assert_eq!(
            curl(&conn).unwrap(),
            "curl -i -N --http1.1 \\\n  -H 'sec-websocket-version: 13' \\\n  -H 'x-empty;' \\\n  \
             -H 'Upgrade: websocket' \\\n  -H 'Connection: Upgrade' \\\n  \
             -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \\\n  \
             'https://example.com:8100/chat?to=http://x/'"
        );
        assert_eq!(
            websocat(&conn).unwrap(),
            "websocat -H 'x-empty: ' 'wss://example.com:8100/chat?to=http://x/'"
        );
    }

    #[test]
    fn nothing_in_a_command_acts_on_a_terminal() {
        assert_eq!(quote("a\x1b]0;x\u{9b}'\\"), r"$'a\x1b]0;x\xc2\x9b\'\\'");
    }

    #[test]
    fn a_row_is_json_as_printed() {
        let mut play = Play::new();
        play.open(1, "/");
        play.text(1, Direction::ToClient, "a\u{1b}b");
        let snapshot = play.reader.snapshot();
        let row = snapshot.rows.get(1).unwrap();
        let record = play.reader.record(row, usize::MAX).unwrap();
        assert_eq!(
            row_json(row, snapshot.conns.get(0).unwrap(), &record).unwrap(),
            "{\"event\":\"message\",\"conn\":1,\"dir\":\"s2c\",\
             \"time\":\"2026-11-22T16:00:00.075000000Z\",\"packet\":3,\"n\":1,\"kind\":\"text\",\
             \"len\":3,\"wire_len\":3,\"frames\":1,\"compressed\":false,\"complete\":true,\
             \"text\":\"a\\u001bb\",\"notes\":[]}"
        );
    }
}
