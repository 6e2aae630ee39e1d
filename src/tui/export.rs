//! What leaves the UI: commands for a shell, a row as JSON, bytes in hexadecimal digits.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use crate::event::{Field, Payload, header_text};
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
    for field in &request.fields.0 {
        // curl makes this one of the URL.
        if !field.is("host") {
            command.push_str(" \\\n  -H ");
            command.push_str(&quote(&header(field)));
        }
    }
    command.push_str(" \\\n  ");
    command.push_str(&quote(&url(if conn.info.tls.is_some() { "https" } else { "http" }, conn)?));
    Some(command)
}

/// The connection as a websocat command; `None` when the capture lacks the request.
pub fn websocat(conn: &Conn) -> Option<String> {
    let request = conn.opening.as_ref()?.request.as_ref()?;
    let mut command = "websocat".to_owned();
    for field in &request.fields.0 {
        // What belongs to one connection only, websocat makes anew.
        let own = ["host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"];
        if own.iter().any(|name| field.is(name)) || field.is("sec-websocket-extensions") {
            continue;
        }
        if field.is("sec-websocket-protocol") {
            command.push_str(" --protocol ");
            command.push_str(&quote(&field.value_text()));
        } else {
            command.push_str(" -H ");
            command.push_str(&quote(&header(field)));
        }
    }
    command.push(' ');
    command.push_str(&quote(&url(if conn.info.tls.is_some() { "wss" } else { "ws" }, conn)?));
    Some(command)
}

fn header(field: &Field) -> String {
    format!("{}: {}", field.name_text(), field.value_text())
}

fn url(scheme: &str, conn: &Conn) -> Option<String> {
    let request = conn.opening.as_ref()?.request.as_ref()?;
    if let Some((_, rest)) = request.target.split_once("://") {
        return Some(format!("{scheme}://{rest}"));
    }
    let host = request.fields.first("host").map(header_text);
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
    use crate::store::testing::Play;
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
