//! HTTP/1 on one TCP connection, until it switches to something else (RFC 9110, RFC 9112).
//!
//! Gets: in-order bytes and gaps of both directions. Gives: [`Step`]s to [`crate::conn`]. Knows
//! what an upgrade is, but nothing of WebSocket's rules: those are [`crate::ws::handshake`]'s.

use crate::event::{RequestHead, ResponseHead};
use crate::units::{Direction, Origin};

/// A WebSocket upgrade attempt and what was answered: evidence for the judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The request; `None` where the capture lacks it.
    pub request: Option<RequestHead>,
    /// Not all of the request was there to be read (a gap, the snapshot length, a limit, or an end in
    /// its middle): fields may be missing from it that were sent.
    pub request_partial: bool,
    /// What came back.
    pub answer: Answer,
    /// Interim responses (100, 103) that came before it.
    pub interim: Vec<u16>,
    /// The request announced a body (Content-Length above 0, or Transfer-Encoding).
    pub request_body: bool,
    /// Packet and number of client bytes that came behind the request before the answer.
    pub early: Option<(Origin, u64)>,
    /// A PROXY protocol header that came before the first request: 1 or 2.
    pub proxy_protocol: Option<u8>,
}

/// The answer to an upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A final response head (101 or any other but 1xx).
    Head(ResponseHead),
    /// The start of a final response head, at least its status: the rest is missing from the capture
    /// or over a limit, so fields may be missing from it that were sent.
    Partial(ResponseHead),
    /// The capture lacks it: a gap stands where it should be, or that direction was not captured.
    Missing,
    /// The connection, or the capture, ended before the head was complete.
    Cut {
        /// Bytes of the answer that were seen; 0: none at all.
        seen: u64,
        /// What ended it.
        by: CutBy,
    },
    /// Bytes that are no HTTP.
    NotHttp {
        /// Up to 64 of them.
        start: Box<[u8]>,
        /// The packet that brought the first.
        origin: Origin,
    },
}

/// What cut an answer short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutBy {
    /// FIN of the side that sends this way.
    Fin(Direction, Origin),
    /// RST of the side that sends this way.
    Reset(Direction, Origin),
    /// The end of the capture.
    CaptureEnd,
}

/// What the connection must act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An attempt was answered with a final status other than 101; HTTP goes on.
    Refused(Box<Exchange>),
    /// An attempt was answered 101 (or can not be followed further as HTTP although its client went
    /// on): what follows in both directions is the new protocol's, [`Http1::take_held`] first.
    Switched(Box<Exchange>),
    /// An attempt will never have its answer: missing from the capture, cut off, or not HTTP. What
    /// follows may still be frames.
    Unanswered(Box<Exchange>),
    /// A CONNECT was answered 2xx: what follows is a new conversation between the same ends.
    Tunnel,
    /// 101 to something that is no WebSocket and was not asked as one, or bytes that are no HTTP:
    /// nothing more for us here.
    NotOurs,
}

/// HTTP/1 on one connection.
#[derive(Debug)]
pub struct Http1 {}
