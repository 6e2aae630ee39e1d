//! Events for tests.

use crate::event::{
    ConnInfo, Cx, End, EndHow, Event, Field, Fields, Frame, Gap, Handshake, HttpVersion, Message,
    MessageKind, Opcode, Outcome, Payload, RequestHead, ResponseHead,
};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{
    ConnKey, Direction, FlowId, FrameNo, MessageNo, Origin, PacketNo, PerDirection, StreamNo,
    Timestamp,
};

/// 2026-11-22T16:01:02.5Z.
pub(super) const TIME: Timestamp = Timestamp(1_795_363_262_500_000_000);

pub(super) fn conn(flow: u64) -> ConnInfo {
    ConnInfo {
        key: ConnKey { flow: FlowId(PacketNo(flow)), nth: 0 },
        stream: StreamNo(4),
        client: "10.1.2.3:50000".parse().unwrap(),
        server: "10.9.9.9:8088".parse().unwrap(),
        tls: None,
        h2_stream: None,
    }
}

pub(super) fn cx(conn: &ConnInfo) -> Cx<'_> {
    Cx { conn, origin: Origin { packet: PacketNo(12), time: Some(TIME) } }
}

pub(super) fn text(text: &str) -> Message<'_> {
    Message {
        dir: Direction::ToServer,
        no: MessageNo(7),
        kind: MessageKind::Text,
        len: text.len() as u64,
        wire_len: 5,
        frames: 2,
        compressed: true,
        complete: true,
        begin: Origin::default(),
        payload: Payload::Text(text),
        close_code: None,
        close_reason: None,
        notes: &[],
    }
}

pub(super) fn data(kind: MessageKind, bytes: &[u8]) -> Message<'_> {
    Message {
        dir: Direction::ToClient,
        kind,
        len: bytes.len() as u64,
        compressed: false,
        payload: Payload::Data(bytes),
        ..text("")
    }
}

pub(super) fn close() -> Message<'static> {
    Message {
        close_code: Some(1001),
        close_reason: Some("going away"),
        ..data(MessageKind::Close, b"\x03\xe9going away")
    }
}

pub(super) fn frame() -> Frame<'static> {
    Frame {
        dir: Direction::ToServer,
        no: FrameNo(3),
        fin: false,
        rsv: 4,
        opcode: Opcode::Ping,
        mask: Some([1, 2, 3, 0xff]),
        len: 2,
        header_len: 6,
        begin: Origin::default(),
        payload: b"hi",
        complete: true,
        notes: &[],
    }
}

pub(super) fn handshake(outcome: Outcome) -> Handshake {
    let field = |name: &str, value: &str| Field {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    };
    Handshake {
        http: HttpVersion::Http1,
        outcome,
        cut: PerDirection::default(),
        last: outcome == Outcome::Rejected,
        request: Some(RequestHead {
            method: "GET".into(),
            target: "/chat/room?id=1".into(),
            version: "1.1".into(),
            fields: Fields(vec![
                field("Host", "example.org"),
                field("Origin", "https://example.org"),
                field("X-Forwarded-For", "1.2.3.4"),
                field("x-forwarded-for", "5.6.7.8"),
            ]),
            origin: Origin { packet: PacketNo(4), time: Some(TIME) },
            begin: Origin { packet: PacketNo(4), time: Some(TIME) },
            notes: vec![],
        }),
        response: Some(ResponseHead {
            status: 101,
            reason: "Switching Protocols".into(),
            version: "1.1".into(),
            fields: Fields(vec![field("Server", "nginx"), field("Upgrade", "websocket")]),
            origin: Origin { packet: PacketNo(6), time: Some(TIME) },
            begin: Origin { packet: PacketNo(6), time: Some(TIME) },
            notes: vec![],
        }),
        subprotocol: Some("mqtt".into()),
        extensions: Some("permessage-deflate; server_max_window_bits=12".into()),
        deflate: None,
        notes: vec![
            Note::new(NoteCode::AcceptMismatch, Blame::Server, "got \"a\", want \"b\""),
            Note::new(NoteCode::ProxyTrace, Blame::Proxy, "Via: 1.1 x"),
        ],
    }
}

pub(super) fn end() -> End {
    End {
        how: EndHow::Rst,
        by: Some(Direction::ToClient),
        cause: "the server reset the connection".into(),
        evidence: vec![PacketNo(90), PacketNo(91)],
        ended: PerDirection { to_server: true, to_client: true },
        begin: Some(TIME),
        duration_ns: Some(1_500_000_000),
        messages: PerDirection { to_server: 3, to_client: 5 },
        bytes: PerDirection { to_server: 100, to_client: 5000 },
        notes: vec![],
    }
}

pub(super) const GAP: Event<'static> = Event::Gap(Gap { dir: Direction::ToClient, bytes: 1460 });
