//! Hand-made events for the tests of the sinks.

use std::net::SocketAddr;

use crate::event::{
    ConnInfo, Cx, End, EndHow, Event, Field, Fields, Frame, Gap, Handshake, HttpVersion, Message,
    MessageKind, Opcode, Outcome, Payload, RequestHead, ResponseHead,
};
use crate::note::{Blame, Note};
use crate::pipeline::Totals;
use crate::sink::{Output, Summary};
use crate::units::{
    ConnKey, Direction, FlowId, FrameNo, MessageNo, Origin, PacketNo, PerDirection, StreamNo,
    Timestamp,
};

/// 2026-11-22T16:00:00Z.
pub(crate) const T0: Timestamp = Timestamp(1_795_363_200_000_000_000);

pub(crate) fn origin(packet: u64, micros: i64) -> Origin {
    Origin { packet: PacketNo(packet), time: Some(Timestamp(T0.0 + micros * 1000)) }
}

pub(crate) fn conn(packet: u64) -> ConnInfo {
    ConnInfo {
        key: ConnKey { flow: FlowId(PacketNo(packet)), nth: 0 },
        stream: StreamNo(packet.saturating_sub(1)),
        client: SocketAddr::from(([127, 0, 0, 1], 40938)),
        server: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 8088)),
        tls: None,
        h2_stream: None,
    }
}

pub(crate) fn note(code: &str) -> Note {
    Note::new(code.parse().unwrap(), Blame::Server, format!("the text of {code}"))
}

pub(crate) fn fields(list: &[(&str, &str)]) -> Fields {
    Fields(
        list.iter()
            .map(|(name, value)| Field {
                name: name.as_bytes().into(),
                value: value.as_bytes().into(),
            })
            .collect(),
    )
}

/// RFC 6455 section 1.2's handshake, asked as the story asks.
pub(crate) fn handshake() -> Handshake {
    Handshake {
        http: HttpVersion::Http1,
        outcome: Outcome::Accepted,
        request: Some(RequestHead {
            method: "GET".into(),
            target: "/chat".into(),
            version: "1.1".into(),
            fields: fields(&[
                ("Host", "server.example.com"),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Origin", "http://example.com"),
                ("Sec-WebSocket-Protocol", "chat, superchat"),
                ("Sec-WebSocket-Version", "13"),
            ]),
            origin: origin(4, 120),
            begin: origin(4, 120),
            notes: vec![],
        }),
        response: Some(ResponseHead {
            status: 101,
            reason: "Switching Protocols".into(),
            version: "1.1".into(),
            fields: fields(&[
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                ("Sec-WebSocket-Protocol", "chat"),
            ]),
            origin: origin(6, 412),
            begin: origin(6, 412),
            notes: vec![],
        }),
        subprotocol: Some("chat".into()),
        extensions: None,
        deflate: None,
        notes: vec![],
        cut: PerDirection::default(),
        last: false,
    }
}

/// The same request, answered 403.
pub(crate) fn rejected() -> Handshake {
    let mut handshake = handshake();
    handshake.outcome = Outcome::Rejected;
    handshake.last = true;
    handshake.subprotocol = None;
    handshake.response = handshake.response.map(|mut response| {
        response.status = 403;
        response.reason = "Forbidden".into();
        response.fields = fields(&[("Content-Length", "0")]);
        response
    });
    handshake.notes = vec![note("status-not-101")];
    handshake
}

pub(crate) fn frame(payload: &[u8]) -> Frame<'_> {
    Frame {
        dir: Direction::ToServer,
        no: FrameNo(1),
        fin: true,
        rsv: 0,
        opcode: Opcode::Text,
        mask: Some([0x37, 0xfa, 0x21, 0x3d]),
        len: payload.len() as u64,
        header_len: 6,
        begin: origin(8, 1893),
        payload,
        complete: true,
        notes: &[],
    }
}

/// A text message where the bytes are UTF-8.
pub(crate) fn text(payload: &[u8]) -> Message<'_> {
    Message {
        dir: Direction::ToServer,
        no: MessageNo(1),
        kind: MessageKind::Text,
        len: payload.len() as u64,
        wire_len: payload.len() as u64,
        frames: 1,
        compressed: false,
        complete: true,
        begin: origin(8, 1893),
        payload: std::str::from_utf8(payload).map_or(Payload::Data(payload), Payload::Text),
        close_code: None,
        close_reason: None,
        notes: &[],
    }
}

pub(crate) fn binary(payload: &[u8]) -> Message<'_> {
    Message { kind: MessageKind::Binary, payload: Payload::Data(payload), ..text(payload) }
}

/// A Close of the client: 1000, "bye".
pub(crate) fn close() -> Message<'static> {
    Message {
        kind: MessageKind::Close,
        no: MessageNo(2),
        close_code: Some(1000),
        close_reason: Some("bye"),
        payload: Payload::Data(b"\x03\xe8bye"),
        ..text(b"\x03\xe8bye")
    }
}

pub(crate) fn gap() -> Gap {
    Gap { dir: Direction::ToClient, bytes: 1448 }
}

pub(crate) fn end() -> End {
    End {
        how: EndHow::Close,
        by: Some(Direction::ToServer),
        cause: "The client closed with 1000 (normal closure), and the server answered.".into(),
        evidence: vec![PacketNo(12), PacketNo(13)],
        ended: PerDirection { to_server: true, to_client: true },
        begin: Some(T0),
        duration_ns: Some(4_800_000),
        messages: PerDirection { to_server: 2, to_client: 2 },
        bytes: PerDirection { to_server: 23, to_client: 20 },
        notes: vec![],
    }
}

pub(crate) fn totals() -> Totals {
    Totals {
        packets: 14,
        bytes: 1620,
        first_time: Some(T0),
        last_time: Some(Timestamp(T0.0 + 4_800_000)),
        tcp_streams: 1,
        ..Totals::default()
    }
}

/// Feeds events of one connection, each with its packet and microseconds since the first packet.
pub(crate) fn feed(sink: &mut impl Output, events: &[(u64, i64, Event<'_>)]) {
    let info = conn(1);
    sink.begin(Some(T0));
    for (packet, micros, event) in events {
        let cx = Cx { conn: &info, origin: origin(*packet, *micros) };
        assert!(sink.event(&cx, event).is_continue());
    }
}

/// Ends the run with [`totals`].
pub(crate) fn finish(sink: &mut impl Output) {
    sink.finish(&Summary { totals: &totals(), dropped: None, truncated: None }).unwrap();
}
