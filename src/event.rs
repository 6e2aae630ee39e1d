//! What comes out: handshakes, frames, messages, gaps and ends of WebSocket connections.
//!
//! Gets: nothing. Gives: [`Event`] and [`Sink`] to every producer and consumer. Events borrow what
//! they tell of; a sink copies what it wants to keep. Results leave only through the sink.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::note::Note;
use crate::units::{
    ConnKey, Direction, FrameNo, MessageNo, Origin, PacketNo, PerDirection, StreamNo, Timestamp,
    named,
};

/// What a sink has use for; the rest need not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// [`Event::Frame`] for each frame.
    pub frames: bool,
    /// Payloads: unmasking, reassembling, inflating, checking of UTF-8. Without it
    /// [`Message::payload`] is [`Payload::Skipped`] for data messages, and a compressed message's
    /// length is unknown; control frames are always read.
    pub payload: bool,
}

impl Wants {
    /// Everything but frames: what `print` wants.
    pub const MESSAGES: Self = Self { frames: false, payload: true };
    /// Everything.
    pub const ALL: Self = Self { frames: true, payload: true };
}

/// Takes events, in the order of the packets that completed them, but for what had to wait: for the
/// handshake of its connection, for earlier bytes of its direction, or for what the other side said before.
pub trait Sink {
    /// What it has use for. Asked once.
    fn wants(&self) -> Wants;

    /// Takes one event; `Break` ends the run (a closed pipe, enough seen).
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()>;

    /// Takes a message of which there is no more to say than this, instead of [`Self::event`]: where
    /// nobody wants payloads, that is nearly every one. Everything in it is counted, so to make a
    /// [`Message`] of it first would be most of the work.
    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        self.event(cx, &Event::Message(&counted.message(cx.origin)))
    }

    /// What it needs of a message or frame that happened on another thread and waited for its turn.
    /// Asked once.
    fn later(&self) -> Later {
        Later::Whole
    }

    /// Takes a message or frame of which it made a draft ([`Later::Drafts`]); its payload is there no
    /// more.
    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, _draft: &[u8]) -> ControlFlow<()> {
        self.event(cx, event)
    }
}

/// A text or binary message in one sound frame in one packet, whose payload nobody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Which way it went.
    pub dir: Direction,
    /// Its number in its direction.
    pub no: MessageNo,
    /// Text or binary.
    pub kind: MessageKind,
    /// Was it compressed.
    pub compressed: bool,
    /// Payload bytes on the wire.
    pub wire_len: u64,
}

impl Counted {
    /// The message, of the packet that brought it.
    pub const fn message(self, origin: Origin) -> Message<'static> {
        let Self { dir, no, kind, compressed, wire_len } = self;
        Message {
            dir,
            no,
            kind,
            len: if compressed { 0 } else { wire_len },
            wire_len,
            frames: 1,
            compressed,
            complete: true,
            begin: origin,
            payload: Payload::Skipped,
            close_code: None,
            close_reason: None,
            notes: &[],
        }
    }
}

/// What a sink needs of messages and frames that waited for their turn ([`crate::pipeline::shard`]).
#[derive(Debug, Clone, Copy)]
pub enum Later {
    /// All of it.
    Whole,
    /// All but the payloads of data messages and frames.
    Facts,
    /// What this wrote when it happened, and all but the payload.
    Drafts(Draft),
}

/// Writes, of a message or frame, what does not depend on the events before it.
pub type Draft = fn(&mut Vec<u8>, &Cx<'_>, &Event<'_>);

/// Which connection an event is of, and the packet that completed it.
#[derive(Debug, Clone, Copy)]
pub struct Cx<'a> {
    /// The connection.
    pub conn: &'a ConnInfo,
    /// The packet that completed the event.
    pub origin: Origin,
}

/// A WebSocket connection or attempt; its identity, which is asked for at each event, comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct ConnInfo {
    /// Identity.
    pub key: ConnKey,
    /// The TCP connection's number.
    pub stream: StreamNo,
    /// The side that asked for the upgrade.
    pub client: SocketAddr,
    /// The side that answers.
    pub server: SocketAddr,
    /// The TLS that it runs over, decrypted or not; `None` in the clear.
    pub tls: Option<Arc<TlsInfo>>,
    /// The HTTP/2 stream that it is (RFC 8441); `None` on HTTP/1.1, which gives it the TCP connection.
    pub h2_stream: Option<u32>,
}

impl ConnInfo {
    /// ` (HTTP/2 stream 5)`, to stand behind its ends, which it has in common with others; nothing for
    /// one that has a TCP connection to itself.
    pub fn stream_label(&self) -> String {
        self.h2_stream.map_or_else(String::new, |stream| format!(" (HTTP/2 stream {stream})"))
    }
}

/// What was agreed in a TLS handshake (RFC 8446 section 4.1.3, RFC 5246 section 7.4.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `1.3`, `1.2`.
    pub version: &'static str,
    /// The cipher suite's name in IANA's registry.
    pub cipher: Cow<'static, str>,
    /// The server name that the client asked for (RFC 6066 section 3).
    pub sni: Option<String>,
    /// The application protocol that the server selected (RFC 7301).
    pub alpn: Option<String>,
}

impl fmt::Display for TlsInfo {
    /// `TLS 1.3, TLS_AES_128_GCM_SHA256, example.org, ALPN http/1.1`. The last two are strangers' words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS {}, {}", self.version, self.cipher)?;
        let names = [("", &self.sni), ("ALPN ", &self.alpn)];
        names.into_iter().try_for_each(|(what, name)| match name {
            Some(name) => write!(f, ", {what}{name}"),
            None => Ok(()),
        })
    }
}

/// One thing that happened on a WebSocket connection.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An opening handshake, or what stands in its place; always the first of its connection.
    Handshake(&'a Handshake),
    /// A frame, when [`Wants::frames`].
    Frame(&'a Frame<'a>),
    /// A message of any kind, control frames too.
    Message(&'a Message<'a>),
    /// TCP bytes that the capture lacks.
    Gap(Gap),
    /// The end; always the last of its connection. An attempt of which nothing follows has none
    /// ([`Handshake::last`]).
    End(&'a End),
}

impl Event<'_> {
    /// What [`Self::name`] gives, of each kind of event.
    pub const NAMES: [&'static str; 5] = ["handshake", "frame", "message", "gap", "end"];

    /// The name in NDJSON.
    pub const fn name(&self) -> &'static str {
        let [handshake, frame, message, gap, end] = Self::NAMES;
        match self {
            Self::Handshake(_) => handshake,
            Self::Frame(_) => frame,
            Self::Message(_) => message,
            Self::Gap(_) => gap,
            Self::End(_) => end,
        }
    }
}

/// An opening handshake (RFC 6455 section 4; over HTTP/2, RFC 8441).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The HTTP version that carries it.
    pub http: HttpVersion,
    /// What came of it.
    pub outcome: Outcome,
    /// The request; `None` where the capture lacks it.
    pub request: Option<RequestHead>,
    /// The final response; `None` where the capture lacks it.
    pub response: Option<ResponseHead>,
    /// The subprotocol that the server named, as sent, several values with a comma between them; `None`
    /// when it named none, did not accept, or its answer is missing.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted, as sent, several values with a comma between them; `None`
    /// when it named none, did not accept, or its answer is missing.
    pub extensions: Option<String>,
    /// What permessage-deflate (or `deflate-frame`) was agreed; `None` when neither was.
    pub deflate: Option<DeflateAgreement>,
    /// What is to be said of it.
    pub notes: Vec<Note>,
    /// Whether the request (to the server) and the response (to the client) were read in part only: the
    /// rest is missing from the capture, or over a limit. False of one that is not there at all.
    pub cut: PerDirection<bool>,
    /// It is the last event of its connection: the attempt was refused, broken off or not followed, or went
    /// on as something else. Of one whose answer the capture lacks this is not known, and no end may come.
    pub last: bool,
}

impl Handshake {
    /// Bytes of memory that it holds, near enough.
    pub fn size(&self) -> usize {
        let fields = |fields: &Fields| -> usize {
            fields.0.iter().map(|f| f.name.len() + f.value.len() + size_of_val(f)).sum()
        };
        let request = self.request.as_ref();
        let response = self.response.as_ref();
        size_of::<Self>()
            + request.map_or(0, |head| head.target.len() + fields(&head.fields))
            + response.map_or(0, |head| head.reason.len() + fields(&head.fields))
    }
}

/// Version of HTTP that carries the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1 Upgrade.
    Http1,
    /// HTTP/2 extended CONNECT.
    Http2,
}

impl HttpVersion {
    /// The name in NDJSON: `1.1` or `2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// What came of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 101 (or 2xx on HTTP/2), and a client may go on.
    Accepted,
    /// Another final status.
    Rejected,
    /// 101, but it breaks a MUST that a client must fail on.
    Invalid,
    /// No whole answer in the capture.
    Incomplete,
    /// Frames without a captured handshake.
    Unseen,
}

named!(Outcome {
    Accepted "accepted",
    Rejected "rejected",
    Invalid "invalid",
    Incomplete "incomplete",
    Unseen "unseen",
});

/// Agreed compression (RFC 7692 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeflateAgreement {
    /// What each sender may do.
    pub sides: PerDirection<DeflateSide>,
    /// True for `deflate-frame` and `x-webkit-deflate-frame`: each frame is compressed on its own, RSV1 on
    /// each.
    pub per_frame: bool,
    /// True when the parameters were presumed (the answer is missing from the capture) and so may
    /// not be used to blame a peer.
    pub presumed: bool,
}

/// What one sender agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateSide {
    /// May a message refer back to earlier ones.
    pub context_takeover: bool,
    /// Base-2 logarithm of the LZ77 window, 8 to 15.
    pub window_bits: u8,
}

impl Default for DeflateSide {
    fn default() -> Self {
        Self { context_takeover: true, window_bits: 15 }
    }
}

/// A header field as sent, name and value, white space around the value removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, in the letter case it was sent in.
    pub name: FieldBytes,
    /// The value.
    pub value: FieldBytes,
}

/// A name or value: in place as long as those of opening handshakes usually are, so that a head costs
/// one allocation instead of two for each of its fields.
pub type FieldBytes = SmallVec<[u8; 32]>;

impl Field {
    /// The name as text.
    pub fn name_text(&self) -> Cow<'_, str> {
        header_text(&self.name)
    }

    /// The value as text.
    pub fn value_text(&self) -> Cow<'_, str> {
        header_text(&self.value)
    }

    /// Is it this header, whatever the letter case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Bytes of a head as text: UTF-8 where it is that, otherwise a character per byte (ISO-8859-1, what
/// `obs-text` of RFC 9110 section 5.5 historically means), so that nothing is lost.
pub fn header_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect::<String>().into(),
    }
}

/// Header fields in the order they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(pub Vec<Field>);

impl Fields {
    /// All values of a header, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.iter().filter(move |f| f.is(name)).map(|f| &*f.value)
    }

    /// The first value of a header.
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The comma-separated tokens of all values of a header, trimmed, empty ones left out.
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.all(name)
            .flat_map(|v| v.split(|&b| b == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|t| !t.is_empty())
    }

    /// Does a comma-separated header hold this token, whatever the letter case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|t| t.eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// A part of a start line. Nearly always it is one of a few words, which need no memory of their own.
pub type Word = Cow<'static, str>;

/// A request head (RFC 9112 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// `GET`; on HTTP/2 `CONNECT`.
    pub method: Word,
    /// The request target as sent.
    pub target: String,
    /// `1.1`, `1.0`, `2`.
    pub version: Word,
    /// Header fields as sent.
    pub fields: Fields,
    /// The packet that completed the head.
    pub origin: Origin,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// Faults of the bytes themselves (line ends, folding, octets), found while parsing.
    pub notes: Vec<Note>,
}

/// A response head (RFC 9112 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// Reason phrase as sent; empty when there is none.
    pub reason: Word,
    /// `1.1`, `1.0`, `2`.
    pub version: Word,
    /// Header fields as sent.
    pub fields: Fields,
    /// The packet that completed the head.
    pub origin: Origin,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// Faults of the bytes themselves (line ends, folding, octets), found while parsing.
    pub notes: Vec<Note>,
}

/// Opcode of a frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// `0x0`
    Continuation,
    /// `0x1`
    Text,
    /// `0x2`
    Binary,
    /// `0x8`
    Close,
    /// `0x9`
    Ping,
    /// `0xa`
    Pong,
    /// `0x3`-`0x7` and `0xb`-`0xf`: the value is kept.
    Reserved(u8),
}

impl Opcode {
    /// From the low four bits of a frame's first byte.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            other => Self::Reserved(other),
        }
    }

    /// The four bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
            Self::Reserved(bits) => bits,
        }
    }

    /// Opcodes with the top bit set are control frames, reserved ones too (section 5.5).
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// A frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Which way it went.
    pub dir: Direction,
    /// Its number in its direction.
    pub no: FrameNo,
    /// Last fragment of its message.
    pub fin: bool,
    /// RSV1 to RSV3 as a number, RSV1 the highest bit (0-7).
    pub rsv: u8,
    /// What it is.
    pub opcode: Opcode,
    /// The masking key; `None` when not masked.
    pub mask: Option<[u8; 4]>,
    /// Payload bytes announced.
    pub len: u64,
    /// Bytes of the header, 2 to 14.
    pub header_len: u8,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// Payload bytes, unmasked, still compressed; what there is of them when incomplete.
    pub payload: &'a [u8],
    /// False when payload bytes are missing from the capture, cut off, or over a limit.
    pub complete: bool,
    /// What is to be said of it. The same notes stand with its message.
    pub notes: &'a [Note],
}

/// Kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
    /// Opcode 9.
    Ping,
    /// Opcode 10.
    Pong,
    /// Opcode 8.
    Close,
}

impl MessageKind {
    /// Every kind, data first.
    pub const ALL: [Self; 5] = [Self::Text, Self::Binary, Self::Ping, Self::Pong, Self::Close];

    /// The name in NDJSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
        }
    }

    /// The opcode of its first frame.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
            Self::Ping => Opcode::Ping,
            Self::Pong => Opcode::Pong,
            Self::Close => Opcode::Close,
        }
    }

    /// Ping, pong or close.
    pub const fn is_control(self) -> bool {
        self.opcode().is_control()
    }
}

/// A message: data reassembled from its frames and inflated, or a control frame.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Which way it went.
    pub dir: Direction,
    /// Its number in its direction.
    pub no: MessageNo,
    /// What it is.
    pub kind: MessageKind,
    /// Bytes after unmasking, reassembling and inflating.
    ///
    /// Of an incomplete message, those that are there; of a compressed one, those that came out until it
    /// failed, none where some of it is missing. What was not kept as it is over the limit
    /// on the wire already has [`Self::wire_len`]. Where [`Wants::payload`] is off nothing is inflated: 0 for a compressed message,
    /// for any other [`Self::wire_len`].
    pub len: u64,
    /// Payload bytes on the wire, as the frame headers announce them.
    pub wire_len: u64,
    /// Frames it came in.
    pub frames: u32,
    /// RSV1 on its first frame with permessage-deflate, on any of its frames with `deflate-frame`.
    pub compressed: bool,
    /// False: bytes missing from the capture, or cut off by its end, or not kept or not inflated
    /// (a note says which).
    pub complete: bool,
    /// The packet that brought its first byte.
    pub begin: Origin,
    /// The bytes, as far as they are there.
    pub payload: Payload<'a>,
    /// Status code of a Close that has one.
    pub close_code: Option<u16>,
    /// Reason of a Close that has one, where it is UTF-8.
    pub close_reason: Option<&'a str>,
    /// What is to be said of it, its frames' notes included.
    pub notes: &'a [Note],
}

/// Bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A text message that is valid UTF-8.
    Text(&'a str),
    /// Anything else.
    Data(&'a [u8]),
    /// Not computed: the sink does not want it, or it is over a limit.
    Skipped,
}

impl<'a> Payload<'a> {
    /// The bytes there are.
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Data(bytes) => bytes,
            Self::Skipped => &[],
        }
    }
}

/// TCP bytes that the capture lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Which way they went.
    pub dir: Direction,
    /// How many.
    pub bytes: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndHow {
    /// Both Close frames, then TCP.
    Close,
    /// One Close frame.
    HalfClose,
    /// TCP's FIN without Close.
    Fin,
    /// TCP's RST without Close.
    Rst,
    /// The capture ended first.
    CaptureEnd,
}

named!(EndHow {
    Close "close",
    HalfClose "half-close",
    Fin "fin",
    Rst "rst",
    CaptureEnd "capture-end",
});

/// The end of a connection, and its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub how: EndHow,
    /// Who began the ending: the sender of what this names; `None` when the capture does not tell.
    pub by: Option<Direction>,
    /// One sentence: who ended it and why, as far as the packets tell.
    pub cause: String,
    /// Packets that show it.
    pub evidence: Vec<PacketNo>,
    /// Whether the capture has the end of what a side sent: its FIN, or an RST of either. Without it more
    /// may have followed.
    pub ended: PerDirection<bool>,
    /// Time of the first packet of the TCP connection, on HTTP/2 of the stream; `None` where the capture
    /// gives that packet no time.
    pub begin: Option<Timestamp>,
    /// Nanoseconds from [`Self::begin`] to the connection's last packet; `None` without a begin.
    pub duration_ns: Option<i64>,
    /// Messages seen, of every kind.
    pub messages: PerDirection<u64>,
    /// Payload bytes after inflating.
    pub bytes: PerDirection<u64>,
    /// What is to be said of the connection, and of frames that made no message.
    pub notes: Vec<Note>,
}
