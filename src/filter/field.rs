//! The field scheme of the display filter: one table for parser, completion, help and docs.
//!
//! Gets: nothing. Gives: [`FieldSpec`]s by name or alias, and [`FieldRef`], a field as an expression
//! names it (with the header's name or the JSON path, where it takes one).

use std::fmt;

use super::json::Path;
use super::table::FIELDS;
use super::text::quoted;
use crate::event::{EndHow, Event, MessageKind, Outcome};
use crate::note::{Blame, NoteCode, Severity};
use crate::units::Direction;

/// What a field's values are, and so which operators and literals it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// Only there or not there.
    Presence,
    /// A whole number, decimal or hexadecimal.
    Number,
    /// Bytes: `4k`, `1.5MiB`, `2kB`; k, M and G count by 1024, kB, MB and GB by 1000.
    Size,
    /// Seconds, or with a unit: `1.5`, `20ms`, `3us`, `2m`, `1h`.
    Duration,
    /// A point in time, RFC 3339 or seconds since 1970; without an offset it is UTC.
    Time,
    /// True or false; alone, it means true.
    Boolean,
    /// Text.
    Text,
    /// Bytes: `01:02:ff`, `"text"`.
    Bytes,
    /// One of a list of words.
    Word,
    /// An IP address, alone or with a prefix: `10.0.0.0/8`.
    Address,
    /// An IP address, with or without a prefix or a port: `10.0.0.1:8088`, `[::1]:80`.
    Endpoint,
    /// A value in a JSON payload: number, text, `true`, `false`, `null`.
    Json,
}

impl FieldType {
    /// What it is called in errors and help.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Number => "number",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Time => "time",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Word => "word",
            Self::Address => "address",
            Self::Endpoint => "address and port",
            Self::Json => "JSON value",
        }
    }
}

/// A field of the display filter.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name. `http.header` takes a header's name behind it, `json` a path.
    pub name: &'static str,
    /// Other names for the same, Wireshark's first of all.
    pub aliases: &'static [&'static str],
    /// What its values are.
    pub kind: FieldType,
    /// What it says, in one line.
    pub help: &'static str,
    pub(super) id: Id,
}

impl FieldSpec {
    /// The words that it can be compared with, where there is a list of them.
    pub fn values(&self) -> Vec<&'static str> {
        match self.id {
            Id::Event => Event::NAMES.to_vec(),
            Id::Dir => Direction::BOTH.map(Direction::name).to_vec(),
            Id::Kind => MessageKind::ALL.iter().map(|kind| kind.name()).collect(),
            Id::Opcode => OPCODES.iter().map(|(name, _)| *name).collect(),
            Id::Outcome => Outcome::ALL.iter().map(|outcome| outcome.name()).collect(),
            Id::NoteCode => NoteCode::ALL.iter().map(|code| code.as_str()).collect(),
            Id::NoteSeverity => Severity::ALL.iter().map(|severity| severity.name()).collect(),
            Id::NoteBlame => Blame::ALL.iter().map(|blame| blame.name()).collect(),
            Id::EndHow => EndHow::ALL.iter().map(|how| how.name()).collect(),
            Id::EndBy => Direction::BOTH.map(Direction::sender).to_vec(),
            _ if self.kind == FieldType::Boolean => vec!["true", "false"],
            _ => Vec::new(),
        }
    }

    /// The name with a placeholder for what is to follow it: `http.header.NAME`, `json.PATH`.
    pub fn usage(&self) -> String {
        match self.id {
            Id::AnyHeader(_) => format!("{}.NAME", self.name),
            Id::Json => format!("{}.PATH", self.name),
            _ => self.name.to_owned(),
        }
    }

    /// Does `>` mean something between its words.
    pub(super) fn is_ordered(&self) -> bool {
        match self.kind {
            FieldType::Word => self.id == Id::NoteSeverity,
            FieldType::Presence | FieldType::Boolean | FieldType::Endpoint => false,
            _ => true,
        }
    }

    /// Its value is the same for all events of a connection once the handshake is known.
    pub(super) const fn is_of_handshake(&self) -> bool {
        matches!(
            self.id,
            Id::Outcome
                | Id::Subprotocol
                | Id::Extensions
                | Id::HttpVersion
                | Id::RequestMethod
                | Id::RequestUri
                | Id::RequestPath
                | Id::RequestQuery
                | Id::RequestVersion
                | Id::RequestPacket
                | Id::RequestTime
                | Id::ResponseCode
                | Id::ResponsePhrase
                | Id::ResponseVersion
                | Id::ResponsePacket
                | Id::ResponseTime
                | Id::Header(..)
                | Id::AnyHeader(_)
        )
    }
}

/// Which head's fields are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    Request,
    Response,
    Both,
}

/// What the evaluator does for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Websocket,
    Http,
    Tcp,
    Ip,
    Ipv6,
    Event,
    Conn,
    Dir,
    Kind,
    N,
    Packet,
    Time,
    TimeRelative,
    TcpStream,
    H2Stream,
    Len,
    WireLen,
    Frames,
    Compressed,
    Complete,
    Text,
    Data,
    Payload,
    Json,
    Opcode,
    Fin,
    Rsv,
    Masked,
    Mask,
    CloseCode,
    CloseReason,
    Note,
    NoteCode,
    NoteSeverity,
    NoteBlame,
    NoteText,
    NoteRef,
    Client,
    Server,
    Addr,
    AddrSrc,
    AddrDst,
    Port,
    PortSrc,
    PortDst,
    Tls,
    TlsVersion,
    TlsCipher,
    TlsSni,
    TlsAlpn,
    Process,
    ProcessPid,
    ProcessCommand,
    Outcome,
    Subprotocol,
    Extensions,
    HttpVersion,
    RequestMethod,
    RequestUri,
    RequestPath,
    RequestQuery,
    RequestVersion,
    RequestPacket,
    RequestTime,
    ResponseCode,
    ResponsePhrase,
    ResponseVersion,
    ResponsePacket,
    ResponseTime,
    Header(Heads, &'static str),
    AnyHeader(Heads),
    GapBytes,
    EndHow,
    EndBy,
    EndCause,
    EndEvidence,
    Duration,
    DurationNs,
    EndMessages,
    EndBytes,
}

/// A field as an expression names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldRef {
    pub(super) spec: &'static FieldSpec,
    pub(super) param: Param,
}

/// What stands behind the field's name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    None,
    /// A header's name, in lower case.
    Header(String),
    Path(Path),
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec.name)?;
        match &self.param {
            Param::None => Ok(()),
            Param::Header(name) if !name.is_empty() && name.chars().all(is_word) => {
                write!(f, ".{name}")
            }
            Param::Header(name) => write!(f, "[{}]", quoted(name)),
            Param::Path(path) => path.fmt(f),
        }
    }
}

/// Characters of a field's name.
pub(super) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Every field, in the order in which help shows them.
pub const fn fields() -> &'static [FieldSpec] {
    FIELDS
}

/// The field with this name or alias, whatever the letter case.
pub(super) fn lookup(name: &str) -> Option<&'static FieldSpec> {
    FIELDS.iter().find(|spec| names(spec).any(|known| known.eq_ignore_ascii_case(name)))
}

/// The name of a field and its aliases.
pub(super) fn names(spec: &FieldSpec) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(spec.name).chain(spec.aliases.iter().copied())
}

/// Header names that `http.header.` completes to.
pub(super) const HEADERS: &[&str] = &[
    "connection",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "server",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
];

/// Opcodes by name (RFC 6455 section 5.2).
pub(super) const OPCODES: &[(&str, i128)] =
    &[("continuation", 0), ("text", 1), ("binary", 2), ("close", 8), ("ping", 9), ("pong", 10)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_given_twice() {
        let mut all: Vec<_> = FIELDS.iter().flat_map(names).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn every_name_leads_back_to_its_field() {
        for spec in FIELDS {
            for name in names(spec) {
                assert_eq!(lookup(name), Some(spec), "{name}");
                assert!(name.chars().all(is_word), "{name}");
            }
        }
        assert_eq!(lookup("WebSocket.Opcode").map(|spec| spec.name), Some("opcode"));
        assert_eq!(lookup(""), None);
    }

    #[test]
    fn every_word_field_has_its_words_and_every_word_can_stand_bare() {
        for spec in FIELDS {
            assert!(spec.kind != FieldType::Word || !spec.values().is_empty(), "{}", spec.name);
            for value in spec.values() {
                assert!(value.chars().all(is_word), "{value}");
            }
        }
    }
}
