//! The table of fields.
//!
//! Gets: nothing. Gives: [`FIELDS`], in the order in which help shows them.

use super::field::FieldType::{
    Address, Boolean, Bytes, Duration, Endpoint, Json, Number, Presence, Size, Text, Time, Word,
};
use super::field::{FieldSpec, FieldType, Heads, Id};

#[rustfmt::skip]
/// Every field: what is not here does not exist for parser, completion and help.
pub(super) const FIELDS: &[FieldSpec] = &[
    // Every event.
    field(Id::Event, Word, "event", &[], "what happened: handshake, frame, message, gap or end"),
    field(Id::Conn, Number, "conn", &["connection"], "number of the connection, from 1"),
    field(Id::Packet, Number, "packet", &["frame.number"], "number of the packet that completed the event, from 1"),
    field(Id::Time, Time, "time", &["frame.time", "frame.time_epoch", "frame.time_utc"], "when that packet was captured"),
    field(Id::TimeRelative, Duration, "time_relative", &["frame.time_relative"], "time since the first packet of the capture"),
    field(Id::TcpStream, Number, "tcp_stream", &["tcp.stream"], "number of the TCP connection, from 0"),
    field(Id::H2Stream, Number, "h2_stream", &["h2.stream", "http2.streamid"], "stream of HTTP/2 that the connection is"),
    field(Id::Client, Endpoint, "client", &[], "the side that asked for the upgrade"),
    field(Id::Server, Endpoint, "server", &[], "the side that answers"),
    field(Id::Process, Text, "process", &["process.name"], "the program at an end, where it is known"),
    field(Id::ProcessPid, Number, "process.pid", &[], "its process number"),
    field(Id::ProcessCommand, Text, "process.command", &[], "its command line"),
    field(Id::Dir, Word, "dir", &["direction"], "c2s: client to server; s2c: server to client"),
    field(Id::Websocket, Presence, "websocket", &["ws"], "any message or frame"),
    // Messages.
    field(Id::Kind, Word, "kind", &["type"], "kind of a message"),
    field(Id::N, Number, "n", &[], "number of the message or frame in its direction, from 1"),
    field(Id::Len, Size, "len", &["length", "websocket.payload_length", "data.len"], "bytes of a message after inflating; of a frame, as announced"),
    field(Id::WireLen, Size, "wire_len", &[], "payload bytes on the wire"),
    field(Id::Frames, Number, "frames", &[], "number of frames a message came in"),
    field(Id::Compressed, Boolean, "compressed", &[], "the message was compressed (permessage-deflate)"),
    field(Id::Complete, Boolean, "complete", &[], "no bytes are missing from the message or frame"),
    field(Id::Text, Text, "text", &["websocket.payload.text"], "payload of a text message"),
    field(Id::Data, Bytes, "data", &["websocket.payload.binary", "data.data"], "payload of any other message"),
    field(Id::Payload, Bytes, "payload", &["websocket.payload"], "payload of any message; of a frame, as on the wire but unmasked"),
    field(Id::Json, Json, "json", &[], "payload is JSON; json.user.id, json.items[0].type, json.items[*].x, json..x: a value in it"),
    field(Id::CloseCode, Number, "close.code", &["close_code", "websocket.payload.close.status_code"], "status code of a Close"),
    field(Id::CloseReason, Text, "close.reason", &["close_reason", "websocket.payload.close.reason"], "reason of a Close"),
    // Frames.
    field(Id::Opcode, Number, "opcode", &["websocket.opcode"], "opcode: a number, or text, binary, close, ping, pong, continuation"),
    field(Id::Fin, Boolean, "fin", &["websocket.fin"], "last fragment of its message (frames)"),
    field(Id::Rsv, Number, "rsv", &["websocket.rsv"], "reserved bits, 0 to 7, RSV1 is 4 (frames)"),
    field(Id::Masked, Boolean, "masked", &["websocket.mask"], "the frame is masked (frames)"),
    field(Id::Mask, Bytes, "mask", &["websocket.masking_key"], "masking key (frames)"),
    // Notes.
    field(Id::Note, Presence, "note", &["notes"], "there is something to be said of the event"),
    field(Id::NoteCode, Word, "note.code", &[], "what rule a note is about"),
    field(Id::NoteSeverity, Word, "note.severity", &["severity"], "how bad it is: info < warning < error"),
    field(Id::NoteBlame, Word, "note.blame", &["blame"], "whose fault it is"),
    field(Id::NoteText, Text, "note.text", &[], "a note's sentence"),
    field(Id::NoteRef, Text, "note.ref", &[], "the document and section a note stands on"),
    // The handshake, of every event of its connection.
    field(Id::Outcome, Word, "outcome", &[], "what came of the opening handshake"),
    field(Id::Subprotocol, Text, "subprotocol", &[], "the subprotocol that the server named"),
    field(Id::Extensions, Text, "extensions", &[], "the extensions that the server accepted, as sent"),
    field(Id::Http, Presence, "http", &[], "the handshake itself"),
    field(Id::HttpVersion, Text, "http.version", &[], "HTTP version that carries the handshake: 1.1 or 2"),
    field(Id::RequestMethod, Text, "http.request.method", &["request.method", "method"], "method of the request"),
    field(Id::RequestUri, Text, "http.request.uri", &["http.request.target", "request.target", "uri"], "request target as sent"),
    field(Id::RequestPath, Text, "http.request.uri.path", &["http.request.path", "path"], "path of the request target"),
    field(Id::RequestQuery, Text, "http.request.uri.query", &["http.request.query", "query"], "query of the request target"),
    field(Id::RequestVersion, Text, "http.request.version", &["request.version"], "HTTP version of the request"),
    field(Id::AnyHeader(Heads::Request), Text, "http.request.header", &["request.header"], "a header of the request: http.request.header.origin"),
    field(Id::RequestPacket, Number, "http.request.packet", &["request.packet"], "packet that completed the request"),
    field(Id::RequestTime, Time, "http.request.time", &["request.time"], "when that was"),
    field(Id::ResponseCode, Number, "http.response.code", &["http.response.status", "response.status", "status"], "status code of the response"),
    field(Id::ResponsePhrase, Text, "http.response.phrase", &["http.response.reason", "response.reason"], "reason phrase of the response"),
    field(Id::ResponseVersion, Text, "http.response.version", &["response.version"], "HTTP version of the response"),
    field(Id::AnyHeader(Heads::Response), Text, "http.response.header", &["response.header"], "a header of the response: http.response.header.server"),
    field(Id::ResponsePacket, Number, "http.response.packet", &["response.packet"], "packet that completed the response"),
    field(Id::ResponseTime, Time, "http.response.time", &["response.time"], "when that was"),
    field(Id::AnyHeader(Heads::Both), Text, "http.header", &["header"], "a header of request or response: http.header.sec-websocket-key"),
    field(Id::Header(Heads::Request, "host"), Text, "http.host", &["host"], "Host header"),
    field(Id::Header(Heads::Request, "origin"), Text, "http.origin", &["origin"], "Origin header"),
    field(Id::Header(Heads::Request, "user-agent"), Text, "http.user_agent", &[], "User-Agent header"),
    field(Id::Header(Heads::Request, "cookie"), Text, "http.cookie", &[], "Cookie header"),
    field(Id::Header(Heads::Both, "upgrade"), Text, "http.upgrade", &[], "Upgrade header"),
    field(Id::Header(Heads::Both, "connection"), Text, "http.connection", &[], "Connection header"),
    field(Id::Header(Heads::Response, "server"), Text, "http.server", &[], "Server header"),
    field(Id::Header(Heads::Response, "location"), Text, "http.location", &[], "Location header"),
    field(Id::Header(Heads::Request, "sec-websocket-key"), Text, "http.sec_websocket_key", &[], "Sec-WebSocket-Key header"),
    field(Id::Header(Heads::Request, "sec-websocket-version"), Text, "http.sec_websocket_version", &[], "Sec-WebSocket-Version header of the request"),
    field(Id::Header(Heads::Response, "sec-websocket-accept"), Text, "http.sec_websocket_accept", &[], "Sec-WebSocket-Accept header"),
    field(Id::Header(Heads::Both, "sec-websocket-protocol"), Text, "http.sec_websocket_protocol", &[], "Sec-WebSocket-Protocol header, offered or chosen"),
    field(Id::Header(Heads::Both, "sec-websocket-extensions"), Text, "http.sec_websocket_extensions", &[], "Sec-WebSocket-Extensions header, offered or accepted"),
    // Addresses.
    field(Id::Addr, Address, "ip.addr", &["ipv6.addr", "ip.host"], "either address, IPv4 or IPv6"),
    field(Id::AddrSrc, Address, "ip.src", &["ipv6.src"], "the sender's address; both, where an event goes both ways"),
    field(Id::AddrDst, Address, "ip.dst", &["ipv6.dst"], "the receiver's address; both, where an event goes both ways"),
    field(Id::Ip, Presence, "ip", &["ipv4"], "the connection runs over IPv4"),
    field(Id::Ipv6, Presence, "ipv6", &[], "the connection runs over IPv6"),
    field(Id::Port, Number, "tcp.port", &["port"], "either port"),
    field(Id::PortSrc, Number, "tcp.srcport", &[], "the sender's port"),
    field(Id::PortDst, Number, "tcp.dstport", &[], "the receiver's port"),
    field(Id::Tcp, Presence, "tcp", &[], "everything"),
    // TLS.
    field(Id::Tls, Presence, "tls", &["ssl"], "the connection runs over TLS (wss), decrypted or not"),
    field(Id::TlsVersion, Text, "tls.version", &[], "its version: 1.3, 1.2"),
    field(Id::TlsCipher, Text, "tls.cipher", &["tls.handshake.ciphersuite"], "its cipher suite, by its name in IANA's registry"),
    field(Id::TlsSni, Text, "tls.sni", &["tls.handshake.extensions_server_name"], "the server name that the client asked for"),
    field(Id::TlsAlpn, Text, "tls.alpn", &["tls.handshake.extensions_alpn_str"], "the application protocol that the server selected"),
    // Gaps and ends.
    field(Id::GapBytes, Size, "gap.bytes", &["bytes"], "TCP bytes that the capture lacks"),
    field(Id::EndHow, Word, "end.how", &["how"], "how the connection ended"),
    field(Id::EndBy, Word, "end.by", &["by"], "who began the ending"),
    field(Id::EndCause, Text, "end.cause", &["cause"], "who ended it and why, in a sentence"),
    field(Id::EndEvidence, Number, "end.evidence", &["evidence"], "packets that show it"),
    field(Id::Duration, Duration, "duration", &["end.duration"], "how long the connection was, of its end"),
    field(Id::DurationNs, Number, "duration_ns", &["end.duration_ns"], "the same in nanoseconds"),
    field(Id::EndMessages, Number, "end.messages", &["messages"], "messages of each direction, of the connection's end"),
    field(Id::EndBytes, Size, "end.bytes", &[], "payload bytes of each direction, of the connection's end"),
];

const fn field(
    id: Id,
    kind: FieldType,
    name: &'static str,
    aliases: &'static [&'static str],
    help: &'static str,
) -> FieldSpec {
    FieldSpec { name, aliases, kind, help, id }
}
