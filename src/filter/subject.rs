//! What a filter looks at: an event, and what is known of its connection.
//!
//! Gets: an [`Event`] with its [`Cx`]. Gives: [`Subject`], and the values of each field of it.

use std::net::SocketAddr;
use std::slice;

use super::field::{FieldRef, Heads, Id, Param};
use super::json;
use super::literal::header;
use super::value::Value;
use super::{Facts, Unknown};
use crate::event::{
    Cx, Event, Frame, Handshake, Message, MessageKind, Payload, RequestHead, ResponseHead,
};
use crate::note::Note;
use crate::process::Ends;
use crate::units::{ConnNo, Direction, Origin, Timestamp};

/// An event, and what is known of its connection.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Connection and packet.
    pub cx: &'a Cx<'a>,
    /// The event.
    pub event: &'a Event<'a>,
    /// The connection's number as shown; `None`: it has no `conn`.
    pub conn: Option<ConnNo>,
    /// The connection's handshake. Of a handshake event that event itself, if not given.
    pub opening: Opening<'a>,
    /// Time of the capture's first packet; `None`: there is no `time_relative`.
    pub first_time: Option<Timestamp>,
    /// The processes at the ends; `None`: there is no `process`.
    pub process: Option<&'a Ends>,
    /// What the holder of the event did not keep. Only [`Filter::decide`](super::Filter::decide)
    /// asks for it.
    pub unknown: Unknown,
}

/// What is known of a connection's handshake.
#[derive(Debug, Clone, Copy, Default)]
pub enum Opening<'a> {
    /// Nothing: its fields are not there.
    #[default]
    Missing,
    /// All of it.
    Whole(&'a Handshake),
    /// What [`Filter::facts`](super::Filter::facts) of the same filter found out from it.
    Facts(&'a Facts),
}

/// What came of showing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All there are were shown.
    All,
    /// There may be some, but they were not kept.
    Unknown,
    /// What was shown does not count: the payload turned out to be no JSON.
    Void,
}

impl<'a> Subject<'a> {
    /// The event alone.
    pub fn new(cx: &'a Cx<'a>, event: &'a Event<'a>) -> Self {
        Self {
            cx,
            event,
            conn: None,
            opening: Opening::Missing,
            first_time: None,
            process: None,
            unknown: Unknown::default(),
        }
    }

    /// Shows every value of the field.
    pub(super) fn each(&self, field: &FieldRef, show: &mut dyn FnMut(Value<'_>)) -> Shown {
        if self.hides(field) {
            return Shown::Unknown;
        }
        let id = field.spec.id;
        if field.spec.is_of_handshake() {
            if let Some(handshake) = self.handshake() {
                of_handshake(handshake, field, show);
            }
            return Shown::All;
        }
        if let Param::Path(path) = &field.param {
            return self.of_json(path, show);
        }
        match self.event {
            Event::Message(message) => of_message(message, id, show),
            Event::Frame(frame) => of_frame(frame, id, show),
            Event::Handshake(_) | Event::Gap(_) | Event::End(_) => {}
        }
        match id {
            Id::Note
            | Id::NoteCode
            | Id::NoteSeverity
            | Id::NoteBlame
            | Id::NoteText
            | Id::NoteRef => self.notes().iter().for_each(|note| of_note(note, id, show)),
            Id::EndHow
            | Id::EndBy
            | Id::EndCause
            | Id::EndEvidence
            | Id::Duration
            | Id::DurationNs
            | Id::EndMessages
            | Id::EndBytes => self.of_end(id, show),
            _ => self.of_connection(id, show),
        }
        Shown::All
    }

    fn of_json(&self, path: &json::Path, show: &mut dyn FnMut(Value<'_>)) -> Shown {
        let Event::Message(message) = self.event else { return Shown::All };
        if message.kind.is_control() {
            return Shown::All;
        }
        let whole = json::walk(message.payload.bytes(), path, &mut |found| show(found.into()));
        if whole { Shown::All } else { Shown::Void }
    }

    fn handshake(&self) -> Option<&'a Handshake> {
        match (self.opening, *self.event) {
            (Opening::Whole(handshake), _) | (_, Event::Handshake(handshake)) => Some(handshake),
            _ => None,
        }
    }

    /// Is the field one whose value exists but was not kept.
    fn hides(&self, field: &FieldRef) -> bool {
        let Unknown { payload, notes, close, frames } = self.unknown;
        let kind = match self.event {
            Event::Message(message) => Some(message.kind),
            Event::Frame(_) => return payload && field.spec.id == Id::Payload,
            _ => None,
        };
        match field.spec.id {
            Id::Text => payload && kind == Some(MessageKind::Text),
            Id::Json => payload && matches!(kind, Some(MessageKind::Text | MessageKind::Binary)),
            Id::Data | Id::Payload => payload && kind.is_some(),
            Id::CloseCode | Id::CloseReason => close && kind == Some(MessageKind::Close),
            Id::Frames => frames && kind.is_some(),
            Id::Note
            | Id::NoteCode
            | Id::NoteSeverity
            | Id::NoteBlame
            | Id::NoteText
            | Id::NoteRef => notes,
            _ => false,
        }
    }

    fn notes(&self) -> &'a [Note] {
        match self.event {
            Event::Handshake(handshake) => &handshake.notes,
            Event::Frame(frame) => frame.notes,
            Event::Message(message) => message.notes,
            Event::End(end) => &end.notes,
            Event::Gap(_) => &[],
        }
    }

    fn dir(&self) -> Option<Direction> {
        match self.event {
            Event::Frame(frame) => Some(frame.dir),
            Event::Message(message) => Some(message.dir),
            Event::Gap(gap) => Some(gap.dir),
            Event::Handshake(_) | Event::End(_) => None,
        }
    }

    fn of_connection(&self, id: Id, show: &mut dyn FnMut(Value<'_>)) {
        let conn = self.cx.conn;
        let ends = [conn.client, conn.server];
        // What goes both ways has both ends as sender and as receiver.
        let (client, server) = (slice::from_ref(&conn.client), slice::from_ref(&conn.server));
        let (from, to) = match self.dir() {
            Some(Direction::ToServer) => (client, server),
            Some(Direction::ToClient) => (server, client),
            None => (&ends[..], &ends[..]),
        };
        let time = self.cx.origin.time;
        let is_v4 = conn.client.ip().to_canonical().is_ipv4();
        match id {
            Id::Event => show(Value::Bytes(self.event.name().as_bytes())),
            Id::Conn => self.conn.iter().for_each(|no| show(int(no.0))),
            Id::Dir => self.dir().iter().for_each(|dir| show(Value::Bytes(dir.name().as_bytes()))),
            Id::Packet => show(int(self.cx.origin.packet.number())),
            Id::Time => time.iter().for_each(|time| show(Value::Int(time.0.into()))),
            Id::TimeRelative => {
                if let (Some(time), Some(first)) = (time, self.first_time) {
                    show(Value::Int(time.since(first).into()));
                }
            }
            Id::TcpStream => show(int(conn.stream.0)),
            Id::H2Stream => conn.h2_stream.iter().for_each(|&stream| show(int(stream.into()))),
            Id::Client => show(Value::Endpoint(conn.client)),
            Id::Server => show(Value::Endpoint(conn.server)),
            Id::Process | Id::ProcessPid | Id::ProcessCommand => self.of_process(id, show),
            Id::Http => presence(matches!(self.event, Event::Handshake(_)), show),
            Id::Tcp => show(Value::Present),
            Id::Tls => presence(conn.tls.is_some(), show),
            Id::TlsVersion | Id::TlsCipher | Id::TlsSni | Id::TlsAlpn => {
                let Some(tls) = &conn.tls else { return };
                let text = match id {
                    Id::TlsVersion => Some(tls.version),
                    Id::TlsCipher => Some(&*tls.cipher),
                    Id::TlsSni => tls.sni.as_deref(),
                    _ => tls.alpn.as_deref(),
                };
                if let Some(text) = text {
                    show(Value::Bytes(text.as_bytes()));
                }
            }
            Id::Ip => presence(is_v4, show),
            Id::Ipv6 => presence(!is_v4, show),
            Id::Addr => addresses(&ends, show),
            Id::AddrSrc => addresses(from, show),
            Id::AddrDst => addresses(to, show),
            Id::Port => ports(&ends, show),
            Id::PortSrc => ports(from, show),
            Id::PortDst => ports(to, show),
            Id::GapBytes => {
                if let Event::Gap(gap) = self.event {
                    show(int(gap.bytes));
                }
            }
            _ => {}
        }
    }

    fn of_process(&self, id: Id, show: &mut dyn FnMut(Value<'_>)) {
        for (_, process) in self.process.iter().flat_map(|ends| ends.iter()) {
            show(match id {
                Id::ProcessPid => int(process.pid.into()),
                Id::ProcessCommand => Value::Bytes(process.command.as_bytes()),
                _ => Value::Bytes(process.name.as_bytes()),
            });
        }
    }

    fn of_end(&self, id: Id, show: &mut dyn FnMut(Value<'_>)) {
        let Event::End(end) = self.event else { return };
        match id {
            Id::EndHow => show(Value::Bytes(end.how.name().as_bytes())),
            Id::EndBy => end.by.iter().for_each(|by| show(Value::Bytes(by.sender().as_bytes()))),
            Id::EndCause => show(Value::Bytes(end.cause.as_bytes())),
            Id::EndEvidence => end.evidence.iter().for_each(|packet| show(int(packet.number()))),
            Id::Duration | Id::DurationNs => {
                end.duration_ns.iter().for_each(|ns| show(Value::Int((*ns).into())));
            }
            Id::EndMessages => Direction::BOTH.iter().for_each(|d| show(int(end.messages[*d]))),
            Id::EndBytes => Direction::BOTH.iter().for_each(|d| show(int(end.bytes[*d]))),
            _ => {}
        }
    }
}

fn int<'a>(n: u64) -> Value<'a> {
    Value::Int(n.into())
}

fn presence(there: bool, show: &mut dyn FnMut(Value<'_>)) {
    if there {
        show(Value::Present);
    }
}

fn addresses(ends: &[SocketAddr], show: &mut dyn FnMut(Value<'_>)) {
    for end in ends {
        show(Value::Addr(end.ip().to_canonical()));
    }
}

fn ports(ends: &[SocketAddr], show: &mut dyn FnMut(Value<'_>)) {
    for end in ends {
        show(int(end.port().into()));
    }
}

fn of_note(note: &Note, id: Id, show: &mut dyn FnMut(Value<'_>)) {
    show(match id {
        Id::NoteCode => Value::Bytes(note.code.as_str().as_bytes()),
        Id::NoteSeverity => Value::Bytes(note.severity().name().as_bytes()),
        Id::NoteBlame => Value::Bytes(note.blame.name().as_bytes()),
        Id::NoteText => Value::Bytes(note.text.as_bytes()),
        Id::NoteRef => Value::Bytes(note.code.reference().as_bytes()),
        _ => Value::Present,
    });
}

fn of_message(message: &Message<'_>, id: Id, show: &mut dyn FnMut(Value<'_>)) {
    match id {
        Id::Websocket => show(Value::Present),
        Id::Kind => show(Value::Bytes(message.kind.name().as_bytes())),
        Id::Opcode => show(Value::Int(message.kind.opcode().bits().into())),
        Id::N => show(int(message.no.0)),
        Id::Len => show(int(message.len)),
        Id::WireLen => show(int(message.wire_len)),
        Id::Frames => show(int(message.frames.into())),
        Id::Compressed => show(Value::Bool(message.compressed)),
        Id::Complete => show(Value::Bool(message.complete)),
        Id::CloseCode => message.close_code.iter().for_each(|code| show(int((*code).into()))),
        Id::CloseReason => {
            message.close_reason.iter().for_each(|text| show(Value::Bytes(text.as_bytes())));
        }
        Id::Text => {
            if let Payload::Text(text) = message.payload {
                show(Value::Bytes(text.as_bytes()));
            }
        }
        Id::Data => {
            if let Payload::Data(bytes) = message.payload {
                show(Value::Bytes(bytes));
            }
        }
        Id::Payload if message.payload != Payload::Skipped => {
            show(Value::Bytes(message.payload.bytes()));
        }
        _ => {}
    }
}

fn of_frame(frame: &Frame<'_>, id: Id, show: &mut dyn FnMut(Value<'_>)) {
    match id {
        Id::Websocket => show(Value::Present),
        Id::Opcode => show(Value::Int(frame.opcode.bits().into())),
        Id::N => show(int(frame.no.0)),
        Id::Len | Id::WireLen => show(int(frame.len)),
        Id::Complete => show(Value::Bool(frame.complete)),
        Id::Payload => show(Value::Bytes(frame.payload)),
        Id::Fin => show(Value::Bool(frame.fin)),
        Id::Rsv => show(int(frame.rsv.into())),
        Id::Masked => show(Value::Bool(frame.mask.is_some())),
        Id::Mask => frame.mask.iter().for_each(|mask| show(Value::Bytes(mask))),
        _ => {}
    }
}

fn of_handshake(handshake: &Handshake, field: &FieldRef, show: &mut dyn FnMut(Value<'_>)) {
    if let Some((heads, name)) = header(field) {
        return of_headers(handshake, heads, name, show);
    }
    let mut text = |text: &str| show(Value::Bytes(text.as_bytes()));
    match field.spec.id {
        Id::Outcome => text(handshake.outcome.name()),
        Id::Subprotocol => handshake.subprotocol.iter().for_each(|name| text(name)),
        Id::Extensions => handshake.extensions.iter().for_each(|value| text(value)),
        Id::HttpVersion => text(handshake.http.name()),
        id => {
            if let Some(request) = &handshake.request {
                of_request(request, id, show);
            }
            if let Some(response) = &handshake.response {
                of_response(response, id, show);
            }
        }
    }
}

fn of_headers(handshake: &Handshake, heads: Heads, name: &str, show: &mut dyn FnMut(Value<'_>)) {
    let request = handshake.request.as_ref().filter(|_| heads != Heads::Response);
    let response = handshake.response.as_ref().filter(|_| heads != Heads::Request);
    let heads = request.map(|head| &head.fields).into_iter();
    heads
        .chain(response.map(|head| &head.fields))
        .flat_map(|fields| fields.all(name))
        .for_each(|value| show(Value::Bytes(value)));
}

fn of_request(head: &RequestHead, id: Id, show: &mut dyn FnMut(Value<'_>)) {
    match id {
        Id::RequestMethod => show(Value::Bytes(head.method.as_bytes())),
        Id::RequestUri => show(Value::Bytes(head.target.as_bytes())),
        Id::RequestPath => show(Value::Bytes(path_and_query(&head.target).0.as_bytes())),
        Id::RequestQuery => {
            if let Some(query) = path_and_query(&head.target).1 {
                show(Value::Bytes(query.as_bytes()));
            }
        }
        Id::RequestVersion => show(Value::Bytes(head.version.as_bytes())),
        Id::RequestPacket => show(int(head.origin.packet.number())),
        Id::RequestTime => show_time(head.origin, show),
        _ => {}
    }
}

fn of_response(head: &ResponseHead, id: Id, show: &mut dyn FnMut(Value<'_>)) {
    match id {
        Id::ResponseCode => show(int(head.status.into())),
        Id::ResponsePhrase => show(Value::Bytes(head.reason.as_bytes())),
        Id::ResponseVersion => show(Value::Bytes(head.version.as_bytes())),
        Id::ResponsePacket => show(int(head.origin.packet.number())),
        Id::ResponseTime => show_time(head.origin, show),
        _ => {}
    }
}

fn show_time(origin: Origin, show: &mut dyn FnMut(Value<'_>)) {
    origin.time.iter().for_each(|time| show(Value::Int(time.0.into())));
}

/// Path and query of a request target, in absolute form too (RFC 9112 section 3.2.2).
fn path_and_query(target: &str) -> (&str, Option<&str>) {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let Some((_, behind)) = path.split_once("://") else { return (path, query) };
    (behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("/"), query)
}
