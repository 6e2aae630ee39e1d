//! A session played by hand, for tests.

use std::net::SocketAddr;

use super::{Reader, Writer};
use crate::event::{
    ConnInfo, Cx, End, EndHow, Event, Field, Fields, Frame, Gap, Handshake, HttpVersion, Message,
    MessageKind, Opcode, Outcome, Payload, RequestHead, ResponseHead, Sink,
};
use crate::note::Note;
use crate::units::{
    ConnKey, Direction, FlowId, FrameNo, MessageNo, Origin, PacketNo, PerDirection, StreamNo,
    Timestamp,
};

/// Plays events into a store, one packet each, [`Play::STEP`] apart.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    packet: u64,
    numbers: PerDirection<u64>,
}

/// 2026-11-22T16:00:00Z.
pub(crate) const T0: i64 = 1_795_363_200_000_000_000;

impl Play {
    /// Nanoseconds between packets.
    pub(crate) const STEP: i64 = 25_000_000;

    pub(crate) fn new() -> Self {
        let (writer, reader) = super::new().unwrap();
        Self { writer, reader, packet: 0, numbers: PerDirection::default() }
    }

    pub(crate) fn info(conn: u64) -> ConnInfo {
        ConnInfo {
            key: ConnKey { flow: FlowId(PacketNo(conn)), nth: 0 },
            stream: StreamNo(conn - 1),
            client: SocketAddr::from(([127, 0, 0, 1], 40000 + u16::try_from(conn).unwrap())),
            server: SocketAddr::from(([127, 0, 0, 1], 8088)),
            tls: None,
            h2_stream: None,
        }
    }

    pub(crate) fn origin(&mut self) -> Origin {
        self.packet += 1;
        let time = T0 + i64::try_from(self.packet).unwrap() * Self::STEP;
        Origin { packet: PacketNo(self.packet), time: Some(Timestamp(time)) }
    }

    pub(crate) fn event(&mut self, conn: u64, origin: Origin, event: &Event<'_>) {
        let info = Self::info(conn);
        let _ = self.writer.event(&Cx { conn: &info, origin }, event);
    }

    pub(crate) fn open(&mut self, conn: u64, target: &str) {
        self.open_with_key(conn, target, "dGhlIHNhbXBsZSBub25jZQ==");
    }

    pub(crate) fn open_with_key(&mut self, conn: u64, target: &str, key: &str) {
        let handshake = self.handshake(target, key);
        let origin = handshake.response.as_ref().unwrap().origin;
        self.event(conn, origin, &Event::Handshake(&handshake));
    }

    pub(crate) fn handshake(&mut self, target: &str, key: &str) -> Handshake {
        let (begin, end) = (self.origin(), self.origin());
        Handshake {
            http: HttpVersion::Http1,
            outcome: Outcome::Accepted,
            request: Some(RequestHead {
                method: "GET".into(),
                target: target.into(),
                version: "1.1".into(),
                fields: fields(&[
                    ("Host", "localhost:8088"),
                    ("Upgrade", "websocket"),
                    ("Connection", "Upgrade"),
                    ("Sec-WebSocket-Key", key),
                    ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Protocol", "chat, superchat"),
                    ("Origin", "http://localhost"),
                ]),
                origin: begin,
                begin,
                notes: vec![],
            }),
            response: Some(ResponseHead {
                status: 101,
                reason: "Switching Protocols".into(),
                version: "1.1".into(),
                fields: fields(&[
                    ("Upgrade", "websocket"),
                    ("Connection", "Upgrade"),
                    ("Sec-WebSocket-Accept", &crate::ws::handshake::accept_for(key.as_bytes())),
                    ("Sec-WebSocket-Protocol", "chat"),
                ]),
                origin: end,
                begin: end,
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

    pub(crate) fn text(&mut self, conn: u64, dir: Direction, text: &str) {
        self.message(conn, dir, MessageKind::Text, Payload::Text(text), &[]);
    }

    pub(crate) fn control(&mut self, conn: u64, dir: Direction, kind: MessageKind, bytes: &[u8]) {
        self.message(conn, dir, kind, Payload::Data(bytes), &[]);
    }

    pub(crate) fn message(
        &mut self,
        conn: u64,
        dir: Direction,
        kind: MessageKind,
        payload: Payload<'_>,
        notes: &[Note],
    ) {
        let origin = self.origin();
        let frame = frame(dir, kind.opcode(), true, payload.bytes(), origin);
        self.event(conn, origin, &Event::Frame(&Frame { notes, ..frame }));
        let message = self.whole(dir, kind, payload, 1, origin);
        self.event(conn, origin, &Event::Message(&Message { notes, ..message }));
    }

    pub(crate) fn fragments(&mut self, conn: u64, dir: Direction, parts: &[&str]) {
        let mut origin = Origin::default();
        let mut begin = None;
        for (n, part) in parts.iter().enumerate() {
            origin = self.origin();
            begin = begin.or(Some(origin));
            let opcode = if n == 0 { Opcode::Text } else { Opcode::Continuation };
            let frame = frame(dir, opcode, n + 1 == parts.len(), part.as_bytes(), origin);
            self.event(conn, origin, &Event::Frame(&frame));
        }
        let text = parts.concat();
        let count = u32::try_from(parts.len()).unwrap();
        let message = self.whole(dir, MessageKind::Text, Payload::Text(&text), count, origin);
        let message = Message { begin: begin.unwrap_or_default(), ..message };
        self.event(conn, origin, &Event::Message(&message));
    }

    pub(crate) fn gap(&mut self, conn: u64, dir: Direction, bytes: u64) {
        let origin = self.origin();
        self.event(conn, origin, &Event::Gap(Gap { dir, bytes }));
    }

    pub(crate) fn end(&mut self, conn: u64) {
        let origin = self.origin();
        let end = End {
            how: EndHow::Close,
            by: Some(Direction::ToServer),
            cause: "client sent Close 1000, server answered".into(),
            evidence: vec![origin.packet],
            ended: PerDirection { to_server: true, to_client: true },
            begin: None,
            duration_ns: Some(i64::try_from(self.packet).unwrap() * Self::STEP),
            messages: PerDirection::default(),
            bytes: PerDirection::default(),
            notes: vec![],
        };
        self.event(conn, origin, &Event::End(&end));
    }

    fn whole<'a>(
        &mut self,
        dir: Direction,
        kind: MessageKind,
        payload: Payload<'a>,
        frames: u32,
        origin: Origin,
    ) -> Message<'a> {
        self.numbers[dir] += 1;
        let bytes = payload.bytes();
        let close = kind == MessageKind::Close;
        let code = bytes.first_chunk().map(|code| u16::from_be_bytes(*code));
        Message {
            dir,
            no: MessageNo(self.numbers[dir]),
            kind,
            len: bytes.len() as u64,
            wire_len: bytes.len() as u64,
            frames,
            compressed: false,
            complete: true,
            begin: origin,
            payload,
            close_code: code.filter(|_| close),
            close_reason: None,
            notes: &[],
        }
    }
}

fn frame(dir: Direction, opcode: Opcode, fin: bool, payload: &[u8], begin: Origin) -> Frame<'_> {
    let mask = (dir == Direction::ToServer).then_some([0x37, 0xfa, 0x21, 0x3d]);
    let extended = match payload.len() {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    Frame {
        dir,
        no: FrameNo(begin.packet.0),
        fin,
        rsv: 0,
        opcode,
        mask,
        len: payload.len() as u64,
        header_len: 2 + extended + if mask.is_some() { 4 } else { 0 },
        begin,
        payload,
        complete: true,
        notes: &[],
    }
}

pub(crate) fn fields(list: &[(&str, &str)]) -> Fields {
    let field = |(name, value): &(&str, &str)| Field {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    };
    Fields(list.iter().map(field).collect())
}
