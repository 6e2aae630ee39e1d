//! What HTTP/2 gives to the connection, and what the judge of a handshake needs to know of it.

use super::frame::Replay;
use crate::http::{Exchange, Held};
use crate::units::{Origin, PerDirection};

/// Where an [`Exchange`] is a stream of HTTP/2, what its judge needs to know of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverHttp2 {
    /// The stream.
    pub stream: u32,
    /// The server's word on extended CONNECT.
    pub consent: Consent,
    /// The packet of a 101 that came, which HTTP/2 does not have (RFC 9113 section 8.6).
    pub switching: Option<Origin>,
}

/// What the server had said of extended CONNECT when it was asked (RFC 8441 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` was 1.
    Given,
    /// It had sent SETTINGS, in this packet first, and that was not among them.
    Withheld(Origin),
    /// It was, but in this packet, behind the request.
    Late(Origin),
    /// The capture does not tell.
    Unknown,
}

/// What the connection must act on, of the direction that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// A stream is a WebSocket from now on, or went on as one where its answer is missing.
    Opened(Box<Opened>),
    /// A stream did not become one.
    Over {
        /// The attempt.
        exchange: Box<Exchange>,
        /// It is not followed further because there are too many.
        too_many: bool,
    },
    /// Bytes of a WebSocket; or of a stream that was never opened, since its request was missed, and may
    /// be one ([`Http2::refute`](super::Http2::refute)).
    Data {
        /// Its stream.
        stream: u32,
        /// As they came: the borders of DATA frames mean nothing.
        bytes: &'a [u8],
    },
    /// Bytes of a WebSocket that the capture lacks.
    Gap {
        /// Its stream.
        stream: u32,
        /// How many.
        len: u64,
    },
    /// Bytes of a WebSocket may be missing, it is not known how many.
    Lost {
        /// Its stream.
        stream: u32,
    },
    /// `END_STREAM`: no more of a WebSocket this way.
    End {
        /// Its stream.
        stream: u32,
    },
    /// `RST_STREAM` from this side: no more of a WebSocket either way.
    Reset {
        /// Its stream.
        stream: u32,
        /// Why (RFC 9113 section 7); `None` where the capture lacks that.
        code: Option<u32>,
    },
    /// GOAWAY: this side wants to end the connection.
    GoAway {
        /// Why.
        code: u32,
    },
    /// Behind a gap, frames were found again: these bytes come before any others of this direction.
    Found(Replay),
}

/// A stream that is a WebSocket from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The stream.
    pub stream: u32,
    /// Request and answer.
    pub exchange: Box<Exchange>,
    /// What the client sent before the answer.
    pub held: Held,
    /// Nothing is missing at the beginning of these directions.
    pub synced: PerDirection<bool>,
    /// The client had ended its side before the answer.
    pub client_ended: Option<Origin>,
}
