//! Legs made by hand, for tests.
//!
//! A [`Kit`] is a capture: each call is a packet a microsecond later. [`LegMaker`] sends events of one
//! connection to the [`Collector`], as the pipeline would.

use super::collect::{Collected, Collector};
use super::*;
use crate::event::*;
use crate::units::*;
use crate::ws::handshake::accept_for;

pub(crate) const MS: i64 = 1_000_000;
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) struct Kit {
    pub(crate) collector: Collector,
    pub(crate) now: i64,
    pub(crate) packet: u64,
    pub(crate) client_ip: &'static str,
    pub(crate) server_ip: &'static str,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::side(0)
    }

    pub(crate) fn side(capture: usize) -> Self {
        Self {
            collector: Collector::new(capture, "test.pcap"),
            now: 0,
            packet: 0,
            client_ip: "127.0.0.1",
            server_ip: "127.0.0.1",
        }
    }

    /// Sets the clock.
    pub(crate) fn at(&mut self, ns: i64) {
        self.now = ns;
    }

    pub(crate) fn packet(&mut self) -> Origin {
        self.packet += 1;
        self.now += 1000;
        Origin { packet: PacketNo(self.packet), time: Some(Timestamp(self.now)) }
    }

    /// A connection from this client port to this server port: `GET /chat` and its 101.
    pub(crate) fn leg(&mut self, client: u16, server: u16) -> LegMaker<'_> {
        let mut open = self.open(client, server, KEY, &[]);
        open.answered(self, 101, &[]);
        LegMaker { kit: self, open }
    }

    /// A request; [`Open::answered`] completes its handshake.
    pub(crate) fn open(
        &mut self,
        client: u16,
        server: u16,
        key: &str,
        more: &[(&str, &str)],
    ) -> Open {
        let origin = self.packet();
        let address = |ip: &str, port: u16| format!("{ip}:{port}").parse().unwrap();
        let conn = ConnInfo {
            key: ConnKey { flow: FlowId(origin.packet), nth: 0 },
            stream: StreamNo(origin.packet.0),
            client: address(self.client_ip, client),
            server: address(self.server_ip, server),
            tls: None,
            h2_stream: None,
        };
        let mut fields = fields(&[
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
            ("User-Agent", "tester/1"),
        ]);
        let mut target = "/chat".to_owned();
        for (name, value) in more {
            if *name == ":path" {
                target = (*value).to_owned();
                continue;
            }
            set(&mut fields, name, value);
        }
        let request = RequestHead {
            method: "GET".into(),
            target,
            version: "1.1".into(),
            fields,
            origin,
            begin: origin,
            notes: Vec::new(),
        };
        Open { conn, request, numbers: PerDirection::default(), notes: Vec::new() }
    }

    pub(crate) fn collected(self) -> Collected {
        self.collector.finish()
    }
}

/// A connection that was asked for.
pub(crate) struct Open {
    pub(crate) conn: ConnInfo,
    pub(crate) request: RequestHead,
    pub(crate) numbers: PerDirection<u64>,
    /// Of its handshake.
    pub(crate) notes: Vec<crate::note::Note>,
}

impl Open {
    /// Answers it; 101 with the right accept unless `more` says otherwise. 0: never answered.
    pub(crate) fn answered(&mut self, kit: &mut Kit, status: u16, more: &[(&str, &str)]) {
        let origin = kit.packet();
        let accept = accept_for(self.request.fields.first("sec-websocket-key").unwrap_or(b""));
        let mut list = if status == 101 {
            fields(&[
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", &accept),
            ])
        } else {
            Fields::default()
        };
        for (name, value) in more {
            set(&mut list, name, value);
        }
        let response = ResponseHead {
            status,
            reason: "".into(),
            version: "1.1".into(),
            fields: list,
            origin,
            begin: origin,
            notes: Vec::new(),
        };
        let handshake = Handshake {
            http: HttpVersion::Http1,
            outcome: match status {
                101 => Outcome::Accepted,
                0 => Outcome::Incomplete,
                _ => Outcome::Rejected,
            },
            cut: PerDirection::default(),
            last: status != 101,
            request: Some(self.request.clone()),
            response: (status != 0).then_some(response),
            subprotocol: None,
            extensions: None,
            deflate: None,
            notes: std::mem::take(&mut self.notes),
        };
        self.emit(kit, origin, &Event::Handshake(&handshake));
    }

    /// Its handshake is not in the capture, which begins here.
    pub(crate) fn joined(&mut self, kit: &mut Kit) {
        let origin = kit.packet();
        let handshake = Handshake {
            http: HttpVersion::Http1,
            outcome: Outcome::Unseen,
            request: None,
            response: None,
            subprotocol: None,
            extensions: None,
            deflate: None,
            notes: Vec::new(),
            cut: PerDirection::default(),
            last: false,
        };
        self.emit(kit, origin, &Event::Handshake(&handshake));
    }

    fn emit(&self, kit: &mut Kit, origin: Origin, event: &Event<'_>) {
        let _ = kit.collector.event(&Cx { conn: &self.conn, origin }, event);
    }

    /// A message in one frame, uncompressed.
    pub(crate) fn data(&mut self, kit: &mut Kit, dir: Direction, kind: MessageKind, bytes: &[u8]) {
        self.shaped(kit, dir, kind, bytes, 1, None);
    }

    /// A message in so many frames, compressed to so many bytes.
    pub(crate) fn shaped(
        &mut self,
        kit: &mut Kit,
        dir: Direction,
        kind: MessageKind,
        bytes: &[u8],
        frames: u32,
        packed: Option<u64>,
    ) {
        self.send(kit, dir, kind, bytes, (frames, packed, true));
    }

    /// A message of which the capture lacks bytes.
    pub(crate) fn cut(&mut self, kit: &mut Kit, dir: Direction) {
        self.send(kit, dir, MessageKind::Text, b"", (1, None, false));
    }

    fn send(
        &mut self,
        kit: &mut Kit,
        dir: Direction,
        kind: MessageKind,
        bytes: &[u8],
        (frames, packed, complete): (u32, Option<u64>, bool),
    ) {
        let origin = kit.packet();
        self.numbers[dir] += 1;
        let close = kind == MessageKind::Close && bytes.len() >= 2;
        let message = Message {
            dir,
            no: MessageNo(self.numbers[dir]),
            kind,
            len: bytes.len() as u64,
            wire_len: packed.unwrap_or(bytes.len() as u64),
            frames,
            compressed: packed.is_some(),
            complete,
            begin: origin,
            payload: Payload::Data(bytes),
            close_code: close.then(|| u16::from_be_bytes([bytes[0], bytes[1]])),
            close_reason: None,
            notes: &[],
        };
        self.emit(kit, origin, &Event::Message(&message));
    }

    pub(crate) fn gap(&mut self, kit: &mut Kit, dir: Direction) {
        let origin = kit.packet();
        self.emit(kit, origin, &Event::Gap(Gap { dir, bytes: 100 }));
    }

    pub(crate) fn end(&mut self, kit: &mut Kit, how: EndHow, by: Option<Direction>) {
        let ended = how != EndHow::CaptureEnd;
        self.end_seen(kit, how, by, PerDirection { to_server: ended, to_client: ended });
    }

    /// An end of which the capture has not all.
    pub(crate) fn end_seen(
        &mut self,
        kit: &mut Kit,
        how: EndHow,
        by: Option<Direction>,
        ended: PerDirection<bool>,
    ) {
        let origin = kit.packet();
        let end = End {
            how,
            by,
            cause: String::new(),
            evidence: Vec::new(),
            ended,
            begin: None,
            duration_ns: None,
            messages: PerDirection::default(),
            bytes: PerDirection::default(),
            notes: Vec::new(),
        };
        self.emit(kit, origin, &Event::End(&end));
    }
}

/// A connection made in one go.
pub(crate) struct LegMaker<'a> {
    pub(crate) kit: &'a mut Kit,
    pub(crate) open: Open,
}

impl LegMaker<'_> {
    pub(crate) fn data(&mut self, dir: Direction, kind: MessageKind, bytes: &[u8]) {
        self.open.data(self.kit, dir, kind, bytes);
    }

    pub(crate) fn text(&mut self, dir: Direction, text: &str) {
        self.data(dir, MessageKind::Text, text.as_bytes());
    }

    pub(crate) fn end(&mut self, how: EndHow, by: Option<Direction>) {
        self.open.end(self.kit, how, by);
    }

    pub(crate) fn finish(mut self) {
        self.end(EndHow::Fin, Some(Direction::ToServer));
    }
}

pub(crate) fn fields(list: &[(&str, &str)]) -> Fields {
    let field = |(name, value): &(&str, &str)| Field {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    };
    Fields(list.iter().map(field).collect())
}

/// Changes a field in its place, adds it at the end, or removes it (`-`).
fn set(list: &mut Fields, name: &str, value: &str) {
    match list.0.iter_mut().find(|f| f.is(name)) {
        _ if value == "-" => list.0.retain(|f| !f.is(name)),
        Some(field) => field.value = value.as_bytes().into(),
        None => list.0.extend(fields(&[(name, value)]).0),
    }
}

/// Code, what and expected of each alteration.
pub(crate) fn told(list: &[Alteration]) -> Vec<(&'static str, &str, bool)> {
    list.iter().map(|a| (a.code.as_str(), a.what.as_str(), a.expected)).collect()
}
