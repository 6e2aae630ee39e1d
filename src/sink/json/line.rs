//! The lines of NDJSON, each a pure function of its event and its connection's number.
//!
//! Gets: an event. Gives: one line with its line feed, appended to a buffer. Keeps: nothing.

use crate::event::{
    ConnInfo, Cx, End, Event, Fields, Frame, Gap, Handshake, Message, MessageKind, Payload,
    RequestHead, ResponseHead, header_text,
};
use crate::note::Note;
use crate::process::{Ends, Process};
use crate::sink::json::write::{
    address, base64, boolean, null, number, opt_number, opt_string, raw, string, time,
};
use crate::sink::{Summary, Tally};
use crate::units::{ConnNo, Direction, PerDirection};

/// The line of any event.
pub fn event(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, event: &Event<'_>) {
    match event {
        Event::Message(m) => message(buf, no, cx, m),
        Event::Frame(f) => frame(buf, no, cx, f),
        Event::Handshake(h) => handshake(buf, no, cx, h),
        Event::Gap(g) => gap(buf, no, cx, *g),
        Event::End(e) => end(buf, no, cx, e),
    }
}

/// The line of an event whose connection has no number yet: [`numbered`] puts it in.
pub fn draft(buf: &mut Vec<u8>, cx: &Cx<'_>, of: &Event<'_>) {
    event(buf, UNNUMBERED, cx, of);
}

/// A [`draft`] with the number of its connection.
pub fn numbered(buf: &mut Vec<u8>, no: ConnNo, draft: &[u8]) {
    // No name of an event has a digit: the first one is the number.
    let at = draft.iter().position(u8::is_ascii_digit).unwrap_or(draft.len());
    let (before, rest) = draft.split_at_checked(at).unwrap_or((draft, &[]));
    buf.extend_from_slice(before);
    number(buf, no.0);
    buf.extend_from_slice(rest.get(1..).unwrap_or(rest));
}

/// One digit.
const UNNUMBERED: ConnNo = ConnNo(0);

/// The line of a message.
pub fn message(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, message: &Message<'_>) {
    message_opening(buf, no, cx, message.dir);
    message_rest(buf, message);
}

/// What the line of a message begins with: the same for all of a packet.
pub fn message_opening(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, dir: Direction) {
    begin_directed(buf, "{\"event\":\"message\",\"conn\":", no, cx, dir);
    raw(buf, ",\"n\":");
}

/// The line of a message behind its opening.
pub fn message_rest(buf: &mut Vec<u8>, message: &Message<'_>) {
    number(buf, message.no.0);
    raw(buf, ",\"kind\":\"");
    // Each arm copies words that are known when this is compiled.
    match message.kind {
        MessageKind::Text => raw(buf, "text"),
        MessageKind::Binary => raw(buf, "binary"),
        other => raw(buf, other.name()),
    }
    raw(buf, "\",\"len\":");
    number(buf, message.len);
    raw(buf, ",\"wire_len\":");
    number(buf, message.wire_len);
    match (message.frames, message.compressed, message.complete) {
        (1, false, true) => raw(buf, ",\"frames\":1,\"compressed\":false,\"complete\":true"),
        (frames, compressed, complete) => {
            raw(buf, ",\"frames\":");
            number(buf, frames);
            raw(buf, ",\"compressed\":");
            boolean(buf, compressed);
            raw(buf, ",\"complete\":");
            boolean(buf, complete);
        }
    }
    payload(buf, message.kind, message.payload);
    if message.close_code.is_none() && message.close_reason.is_none() {
        raw(buf, ",\"close_code\":null,\"close_reason\":null");
    } else {
        raw(buf, ",\"close_code\":");
        opt_number(buf, message.close_code);
        raw(buf, ",\"close_reason\":");
        opt_string(buf, message.close_reason);
    }
    finish_with_notes(buf, message.notes);
}

/// The line of a frame.
pub fn frame(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, frame: &Frame<'_>) {
    begin_directed(buf, "{\"event\":\"frame\",\"conn\":", no, cx, frame.dir);
    raw(buf, ",\"n\":");
    number(buf, frame.no.0);
    raw(buf, ",\"fin\":");
    boolean(buf, frame.fin);
    raw(buf, ",\"rsv\":");
    number(buf, frame.rsv);
    raw(buf, ",\"opcode\":");
    number(buf, frame.opcode.bits());
    raw(buf, ",\"masked\":");
    boolean(buf, frame.mask.is_some());
    raw(buf, ",\"mask\":");
    match frame.mask {
        Some(mask) => hex_key(buf, mask),
        None => null(buf),
    }
    raw(buf, ",\"len\":");
    number(buf, frame.len);
    raw(buf, ",\"payload\":");
    base64(buf, frame.payload);
    raw(buf, ",\"complete\":");
    boolean(buf, frame.complete);
    finish_with_notes(buf, frame.notes);
}

/// The line of a gap.
pub fn gap(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, gap: Gap) {
    begin_directed(buf, "{\"event\":\"gap\",\"conn\":", no, cx, gap.dir);
    raw(buf, ",\"bytes\":");
    number(buf, gap.bytes);
    raw(buf, "}\n");
}

/// The line of a handshake, nothing being known of the processes.
pub fn handshake(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, handshake: &Handshake) {
    handshake_of(buf, no, cx, handshake, None);
}

/// The line of a handshake, with the processes at both ends.
pub fn handshake_of(
    buf: &mut Vec<u8>,
    no: ConnNo,
    cx: &Cx<'_>,
    handshake: &Handshake,
    ends: Option<&Ends>,
) {
    begin(buf, "{\"event\":\"handshake\",\"conn\":", no, cx);
    raw(buf, ",\"tcp_stream\":");
    number(buf, cx.conn.stream.0);
    raw(buf, ",\"client\":");
    address(buf, &cx.conn.client);
    raw(buf, ",\"server\":");
    address(buf, &cx.conn.server);
    raw(buf, ",\"process\":");
    processes(buf, ends);
    raw(buf, ",\"http\":\"");
    raw(buf, handshake.http.name());
    raw(buf, "\",\"h2_stream\":");
    opt_number(buf, cx.conn.h2_stream);
    raw(buf, ",\"tls\":");
    tls(buf, cx.conn);
    raw(buf, ",\"outcome\":\"");
    raw(buf, handshake.outcome.name());
    raw(buf, "\",\"request\":");
    match &handshake.request {
        Some(head) => request(buf, head),
        None => null(buf),
    }
    raw(buf, ",\"response\":");
    match &handshake.response {
        Some(head) => response(buf, head),
        None => null(buf),
    }
    raw(buf, ",\"subprotocol\":");
    opt_string(buf, handshake.subprotocol.as_deref());
    raw(buf, ",\"extensions\":");
    opt_string(buf, handshake.extensions.as_deref());
    finish_with_notes(buf, &handshake.notes);
}

/// What TLS the connection was inside of, or null.
pub fn tls(buf: &mut Vec<u8>, conn: &ConnInfo) {
    let Some(info) = conn.tls.as_deref() else { return null(buf) };
    raw(buf, "{\"version\":");
    string(buf, info.version);
    raw(buf, ",\"cipher\":");
    string(buf, &info.cipher);
    raw(buf, ",\"sni\":");
    opt_string(buf, info.sni.as_deref());
    raw(buf, ",\"alpn\":");
    opt_string(buf, info.alpn.as_deref());
    raw(buf, "}");
}

/// Both ends, or null where nothing is known of either.
fn processes(buf: &mut Vec<u8>, ends: Option<&Ends>) {
    let Some(ends) = ends else { return null(buf) };
    raw(buf, "{\"client\":");
    process(buf, ends.client.as_deref());
    raw(buf, ",\"server\":");
    process(buf, ends.server.as_deref());
    raw(buf, "}");
}

/// A process as an object, or null.
pub fn process(buf: &mut Vec<u8>, process: Option<&Process>) {
    let Some(process) = process else { return null(buf) };
    raw(buf, "{\"pid\":");
    number(buf, process.pid);
    raw(buf, ",\"name\":");
    string(buf, &process.name);
    raw(buf, ",\"command\":");
    string(buf, &process.command);
    raw(buf, "}");
}

/// The line of a connection's end, nothing having been learned since its handshake.
pub fn end(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, end: &End) {
    end_of(buf, no, cx, end, None);
}

/// The line of a connection's end, with the processes that were not known at its handshake.
pub fn end_of(buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, end: &End, late: Option<&Ends>) {
    begin(buf, "{\"event\":\"end\",\"conn\":", no, cx);
    raw(buf, ",\"how\":\"");
    raw(buf, end.how.name());
    raw(buf, "\",\"by\":");
    opt_string(buf, end.by.map(Direction::sender));
    raw(buf, ",\"cause\":");
    string(buf, &end.cause);
    raw(buf, ",\"evidence\":[");
    separated(buf, &end.evidence, |buf, packet| number(buf, packet.number()));
    raw(buf, "],\"duration_ns\":");
    opt_number(buf, end.duration_ns);
    raw(buf, ",\"messages\":");
    per_direction(buf, &end.messages);
    raw(buf, ",\"bytes\":");
    per_direction(buf, &end.bytes);
    if late.is_some() {
        raw(buf, ",\"process\":");
        processes(buf, late);
    }
    finish_with_notes(buf, &end.notes);
}

/// The last line: the capture as a whole.
pub fn capture(buf: &mut Vec<u8>, end: &Summary<'_>, tally: &Tally) {
    let totals = end.totals;
    raw(buf, "{\"event\":\"capture\",\"packets\":");
    number(buf, totals.packets);
    raw(buf, ",\"bytes\":");
    number(buf, totals.bytes);
    raw(buf, ",\"first_time\":");
    time(buf, totals.first_time);
    raw(buf, ",\"last_time\":");
    time(buf, totals.last_time);
    raw(buf, ",\"tcp_streams\":");
    number(buf, totals.tcp_streams);
    raw(buf, ",\"connections\":");
    number(buf, tally.connections);
    raw(buf, ",\"messages\":");
    number(buf, tally.messages);
    raw(buf, ",\"notes\":{\"error\":");
    number(buf, tally.errors);
    raw(buf, ",\"warning\":");
    number(buf, tally.warnings);
    raw(buf, ",\"info\":");
    number(buf, tally.infos);
    raw(buf, "}");
    unread(buf, end);
    raw(buf, "}\n");
}

/// What was not read, skipped, dropped or cut off, as fields behind others.
pub(crate) fn unread(buf: &mut Vec<u8>, end: &Summary<'_>) {
    let totals = end.totals;
    raw(buf, ",\"unread\":{\"tls\":");
    number(buf, totals.unread.tls);
    raw(buf, ",\"http2\":");
    number(buf, totals.unread.http2);
    raw(buf, ",\"other\":");
    number(buf, totals.unread.other);
    raw(buf, "},\"skipped\":{");
    reasons(buf, totals, true);
    raw(buf, "},\"no_tcp\":{");
    reasons(buf, totals, false);
    raw(buf, "},\"dropped\":");
    opt_number(buf, end.dropped);
    raw(buf, ",\"truncated\":");
    opt_string(buf, end.truncated);
}

/// Packets without a TCP segment by reason: those that could not be decoded, or those that are
/// something else and none the worse for it.
fn reasons(buf: &mut Vec<u8>, totals: &crate::pipeline::Totals, trouble: bool) {
    let some = totals.skipped.iter().filter(|(reason, _)| reason.is_trouble() == trouble);
    separated(buf, some, |buf, (reason, count)| {
        string(buf, reason.as_str());
        raw(buf, ":");
        number(buf, *count);
    });
}

/// A note as an object.
pub fn note(buf: &mut Vec<u8>, note: &Note) {
    raw(buf, "{\"code\":\"");
    raw(buf, note.code.as_str());
    raw(buf, "\",\"severity\":\"");
    raw(buf, note.severity().name());
    raw(buf, "\",\"blame\":\"");
    raw(buf, note.blame.name());
    raw(buf, "\",\"text\":");
    string(buf, &note.text);
    raw(buf, ",\"ref\":");
    string(buf, note.code.reference());
    raw(buf, "}");
}

/// `[a,b,c]` without the brackets.
pub(crate) fn separated<T>(
    buf: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut put: impl FnMut(&mut Vec<u8>, T),
) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            buf.push(b',');
        }
        put(buf, item);
    }
}

/// `open`, the number, time and packet.
#[inline]
fn begin(buf: &mut Vec<u8>, open: &str, no: ConnNo, cx: &Cx<'_>) {
    raw(buf, open);
    number(buf, no.0);
    when(buf, cx);
}

#[inline]
fn begin_directed(buf: &mut Vec<u8>, open: &str, no: ConnNo, cx: &Cx<'_>, dir: Direction) {
    raw(buf, open);
    number(buf, no.0);
    match dir {
        Direction::ToServer => raw(buf, ",\"dir\":\"c2s\""),
        Direction::ToClient => raw(buf, ",\"dir\":\"s2c\""),
    }
    when(buf, cx);
}

fn when(buf: &mut Vec<u8>, cx: &Cx<'_>) {
    raw(buf, ",\"time\":");
    time(buf, cx.origin.time);
    raw(buf, ",\"packet\":");
    number(buf, cx.origin.packet.number());
}

/// `text` for text that is UTF-8, `data` for anything else, and both null for what was not kept.
#[inline]
fn payload(buf: &mut Vec<u8>, kind: MessageKind, payload: Payload<'_>) {
    raw(buf, ",\"text\":");
    match (kind, payload) {
        (MessageKind::Text, Payload::Text(text)) => {
            string(buf, text);
            raw(buf, ",\"data\":null");
        }
        (_, Payload::Skipped) => raw(buf, "null,\"data\":null"),
        (_, payload) => {
            raw(buf, "null,\"data\":");
            base64(buf, payload.bytes());
        }
    }
}

#[inline]
fn finish_with_notes(buf: &mut Vec<u8>, notes: &[Note]) {
    if notes.is_empty() {
        return raw(buf, ",\"notes\":[]}\n");
    }
    raw(buf, ",\"notes\":[");
    separated(buf, notes, note);
    raw(buf, "]}\n");
}

fn request(buf: &mut Vec<u8>, head: &RequestHead) {
    raw(buf, "{\"method\":");
    string(buf, &head.method);
    raw(buf, ",\"target\":");
    string(buf, &head.target);
    raw(buf, ",\"version\":");
    string(buf, &head.version);
    fields(buf, &head.fields);
    raw(buf, ",\"packet\":");
    number(buf, head.origin.packet.number());
    raw(buf, ",\"time\":");
    time(buf, head.origin.time);
    raw(buf, "}");
}

fn response(buf: &mut Vec<u8>, head: &ResponseHead) {
    raw(buf, "{\"status\":");
    number(buf, head.status);
    raw(buf, ",\"reason\":");
    string(buf, &head.reason);
    raw(buf, ",\"version\":");
    string(buf, &head.version);
    fields(buf, &head.fields);
    raw(buf, ",\"packet\":");
    number(buf, head.origin.packet.number());
    raw(buf, ",\"time\":");
    time(buf, head.origin.time);
    raw(buf, "}");
}

fn fields(buf: &mut Vec<u8>, fields: &Fields) {
    raw(buf, ",\"headers\":[");
    separated(buf, &fields.0, |buf, field| {
        raw(buf, "[");
        string(buf, &header_text(&field.name));
        raw(buf, ",");
        string(buf, &header_text(&field.value));
        raw(buf, "]");
    });
    raw(buf, "]");
}

fn per_direction(buf: &mut Vec<u8>, value: &PerDirection<u64>) {
    raw(buf, "{\"c2s\":");
    number(buf, value.to_server);
    raw(buf, ",\"s2c\":");
    number(buf, value.to_client);
    raw(buf, "}");
}

/// A masking key as 8 hex digits.
fn hex_key(buf: &mut Vec<u8>, mask: [u8; 4]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    buf.push(b'"');
    for byte in mask {
        for nibble in [byte >> 4, byte & 0xf] {
            buf.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
        }
    }
    buf.push(b'"');
}
