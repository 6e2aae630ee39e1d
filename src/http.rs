//! HTTP/1 on one TCP connection, until it switches to something else (RFC 9110, RFC 9112).
//!
//! Gets: in-order bytes and gaps of both directions. Gives: [`Step`]s to [`crate::conn`]. Knows
//! what an upgrade is, but nothing of WebSocket's rules: those are [`crate::ws::handshake`]'s.
//! Keeps: one unfinished head per direction, the requests that wait for their answer, and client
//! bytes behind an upgrade request; each bounded by [`Limits`]. Bodies are stepped over by count.
//!
//! ```text
//!  client bytes -> heads -> queue of requests without an answer -> [attempt | CONNECT] -> held bytes
//!                             |  front                               always at the back
//!  server bytes -> heads -----+-> plain: forgotten;  attempt: a Step;  CONNECT 2xx: Tunnel
//! ```
//!
//! Nothing is read behind an attempt or a CONNECT before its answer, since only the answer tells what
//! follows; so there is never more than one of them, and it is the last of the queue.

mod body;
mod client;
mod fuzz;
mod guess;
pub mod h2;
mod head;
mod held;
mod lines;
mod over;
mod server;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::body::Body;
use self::lines::HeadBuf;
use crate::event::{RequestHead, ResponseHead};
use crate::limits::Limits;
use crate::units::{Direction, Origin};

pub use self::fuzz::fuzz_http;
pub use self::guess::{Guess, looks_like, proxy_protocol};
pub(crate) use self::head::is_token_byte;
pub use self::held::{Held, HeldPiece};

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
    /// Where it is a stream of HTTP/2; `None` on HTTP/1.
    pub http2: Option<h2::OverHttp2>,
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
    /// Bytes that are no HTTP. Those taken are in `start`, unless they are a line longer than it. Over
    /// HTTP/2, fields without a status.
    NotHttp {
        /// Up to 64 of them; over HTTP/2, of what stands in place of the status.
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
    /// `END_STREAM` of the side that sends this way: of HTTP/2, this stream only.
    StreamEnd(Direction, Origin),
    /// `RST_STREAM` of the side that sends this way, and its error code; that is `None` where the capture
    /// lacks it.
    StreamReset(Direction, Origin, Option<u32>),
    /// GOAWAY of the side that sends this way, and its error code: the stream came too late for it.
    GoAway(Direction, Origin, u32),
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
    /// A CONNECT was answered 2xx, or 101 switches to HTTP/2: what follows is a new conversation between
    /// the same ends.
    Tunnel,
    /// 101 to something that is no WebSocket and was not asked as one, or bytes that are no HTTP:
    /// nothing more for us here.
    NotOurs,
}

/// HTTP/1 on one connection.
///
/// Call [`data`](Self::data) until it gives `None`, then go on with the next event of either
/// direction. After [`Step::Refused`] go on in the same way; after [`Step::Unanswered`] one may. The
/// other steps are the last.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that are independent of each other")]
pub struct Http1 {
    client: Side,
    server: Side,
    /// Requests without a final answer, oldest first; no more than the limit.
    queue: VecDeque<Outstanding>,
    /// Interim responses to the oldest of them.
    interim: Vec<u16>,
    /// Behind the attempt or CONNECT at the back of the queue.
    held: Held,
    /// The answer came and what is held are further requests.
    replay: bool,
    /// A PROXY protocol header came and no attempt has it yet.
    proxy_protocol: Option<u8>,
    /// Bytes that stand where an attempt's answer should, and are no HTTP.
    stray: Option<Stray>,
    /// Answers were lost: the next one may be to any request of the queue.
    unsure: bool,
    /// The capture may lack requests: an answer is not to be laid to one that asked for something else.
    requests_lost: bool,
    /// Anything was seen of the server, be it a gap.
    server_seen: bool,
    /// What ended the server's side.
    ended: Option<CutBy>,
    /// The client's FIN, before that.
    left: Option<CutBy>,
}

/// One direction.
#[derive(Debug)]
struct Side {
    state: State,
    head: HeadBuf,
    /// The packet that brought the latest bytes.
    last: Origin,
    /// While lost: the next byte may begin a line, since a line end, a packet's border or a gap is
    /// before it.
    fresh: bool,
}

/// What the next bytes of a direction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first bytes of a client: perhaps a PROXY protocol header.
    Start,
    /// The rest of such a header: so many bytes.
    Proxy(usize),
    /// A head.
    Head,
    /// A request head that has lost bytes. `mark`: where the line at hand starts; `first`: that line
    /// lacks its start.
    Holed { mark: usize, first: bool },
    /// The rest of a head that was used before its end.
    SkipHead,
    /// A body.
    Body(Body),
    /// Nobody knows: the next line that is plainly a start line is looked for.
    Lost,
    /// Nothing for us.
    Over,
}

/// A request without a final answer.
#[derive(Debug)]
enum Outstanding {
    /// Nothing that asks for an upgrade to WebSocket.
    Plain {
        /// `HEAD`: its answer has no body.
        is_head: bool,
        /// Its head, in case it is answered as if it had asked; only of one that is not pipelined.
        head: Option<Box<PlainHead>>,
    },
    Connect,
    /// An upgrade request, in what will be told of it and its answer; until there is one, that is
    /// [`Answer::Missing`].
    Attempt(Box<Exchange>),
}

#[derive(Debug)]
struct PlainHead {
    bytes: Box<[u8]>,
    extent: head::Extent,
    begin: Origin,
    origin: Origin,
}

/// Bytes that are no HTTP.
#[derive(Debug)]
struct Stray {
    bytes: Vec<u8>,
    origin: Origin,
}

impl Outstanding {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Plain { head: Some(head), .. } => head.bytes.len(),
                Self::Attempt(attempt) => attempt.request.as_ref().map_or(0, |request| {
                    let fields = request.fields.0.iter();
                    fields
                        .map(|f| size_of_val(f) + f.name.len() + f.value.len() + 32)
                        .fold(request.target.len(), usize::saturating_add)
                }),
                Self::Plain { .. } | Self::Connect => 0,
            }
    }
}

impl Default for Http1 {
    fn default() -> Self {
        Self::new()
    }
}

impl Http1 {
    /// At the start of a connection, or anywhere between two messages of it.
    pub fn new() -> Self {
        Self {
            client: Side::new(State::Start),
            server: Side::new(State::Head),
            queue: VecDeque::new(),
            interim: Vec::new(),
            held: Held::default(),
            replay: false,
            proxy_protocol: None,
            stray: None,
            unsure: false,
            requests_lost: false,
            server_seen: false,
            ended: None,
            left: None,
        }
    }

    /// Begins anew, for another connection, with the memory that any one needs.
    pub(crate) fn renew(&mut self) {
        let mut queue = std::mem::take(&mut self.queue);
        queue.clear();
        *self = Self { queue, ..Self::new() };
    }

    /// Takes bytes off the front of `input`. Returns at the first thing that must be acted on: what
    /// is left of `input` belongs to whatever comes next. `None`: all of it is used.
    pub fn data(
        &mut self,
        dir: Direction,
        origin: Origin,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Option<Step> {
        if let Some(step) = self.replay_held(limits) {
            return Some(step);
        }
        if input.is_empty() {
            return None;
        }
        match dir {
            Direction::ToServer => {
                self.settle_stray().or_else(|| self.client_data(origin, input, limits))
            }
            Direction::ToClient => self.server_data(origin, input, limits),
        }
    }

    /// Takes a gap, whatever is returned.
    pub fn gap(
        &mut self,
        dir: Direction,
        origin: Origin,
        len: u64,
        limits: &Limits,
    ) -> Option<Step> {
        if let Some(step) = self.replay_held(limits) {
            return Some(step);
        }
        match dir {
            Direction::ToServer => {
                self.client_gap(origin, len);
                None
            }
            Direction::ToClient => self.server_gap(len, limits),
        }
    }

    /// A side has ended. After the client's FIN the server may still answer; a RST ends both.
    pub fn closed(&mut self, by: CutBy, limits: &Limits) -> Option<Step> {
        if let Some(step) = self.replay_held(limits) {
            return Some(step);
        }
        self.settle_request(limits);
        let half = matches!(by, CutBy::Fin(Direction::ToServer, _));
        if half && self.ended.is_none() {
            self.left.get_or_insert(by);
            return None;
        }
        // A server that has not begun to answer a client that left did not break off first.
        let first = self.left.filter(|_| !self.answer_begun()).unwrap_or(by);
        let by = *self.ended.get_or_insert(first);
        self.settle_stray().or_else(|| self.cut_short(by).map(Step::Unanswered))
    }

    /// The end of the capture, or of our patience: the attempt that still has no answer, if any.
    pub fn finish(&mut self, limits: &Limits) -> Option<Box<Exchange>> {
        if self.replay_held(limits).is_some() {
            return None;
        }
        self.settle_request(limits);
        if let Some(Step::Unanswered(exchange)) = self.settle_stray() {
            return Some(exchange);
        }
        // Client bytes that follow a request where nothing at all was captured of the server: they
        // tell of an answer that the capture lacks.
        if !self.server_seen && !self.held.is_empty() {
            return self.answer_missing();
        }
        // Who left first did not wait for what the capture may have missed.
        let left = self.left.filter(|_| !self.answer_begun());
        self.cut_short(self.ended.or(left).unwrap_or(CutBy::CaptureEnd))
    }

    /// Gives up waiting: whoever knows that the answer was sent (acknowledgement numbers tell) says so
    /// here. The attempt that waits, if any.
    pub fn answer_missing(&mut self) -> Option<Box<Exchange>> {
        let attempt = self.take_attempt()?;
        self.unsure = true;
        self.replay = true;
        Some(self.exchange(attempt, Answer::Missing))
    }

    /// Client bytes that came behind the attempt or CONNECT before its answer, in order.
    pub fn take_held(&mut self) -> Held {
        self.replay = false;
        let mut held = std::mem::take(&mut self.held);
        // A body of which nothing came before a 101 is not to be waited for: a client that sends one
        // only after the answer would have had to say so (Expect), and what comes is frames.
        if let State::Body(Body::Length { left, begun: true }) = self.client.state {
            held.body_left = left;
        }
        held
    }

    /// Where the client sent its FIN, if it did: the answer came to nobody.
    pub fn client_left(&self) -> Option<Origin> {
        match self.left {
            Some(CutBy::Fin(Direction::ToServer, origin)) => Some(origin),
            _ => None,
        }
    }

    /// Is an attempt waiting for its answer.
    pub fn is_waiting(&self) -> bool {
        matches!(self.queue.back(), Some(Outstanding::Attempt(_)))
    }

    /// What is held, without taking it.
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// Bytes of memory kept, about; 0 where that is little.
    pub fn weight(&self) -> usize {
        /// What any connection may have.
        const LITTLE: usize = 4096;
        let queued: usize = self.queue.iter().map(Outstanding::weight).sum();
        let heads = self.client.head.weight() + self.server.head.weight();
        let weight = heads + self.held.weight() + queued;
        if weight > LITTLE { weight } else { 0 }
    }

    /// Has this direction lost its step: bytes are looked through for the next start line.
    pub fn is_lost(&self, dir: Direction) -> bool {
        let side = match dir {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        };
        side.state == State::Lost
    }

    /// Is the last request one whose answer decides what follows it.
    fn is_holding(&self) -> bool {
        matches!(self.queue.back(), Some(Outstanding::Attempt(_) | Outstanding::Connect))
    }

    /// Has the answer to the attempt at the back begun.
    fn answer_begun(&self) -> bool {
        self.queue.len() == 1 && (!self.server.head.bytes().is_empty() || self.stray.is_some())
    }

    /// The attempt that waits, and with it forgets what is before it in the queue.
    fn take_attempt(&mut self) -> Option<Box<Exchange>> {
        match self.queue.pop_back() {
            Some(Outstanding::Attempt(attempt)) => {
                if !self.queue.is_empty() {
                    self.interim.clear();
                }
                self.queue.clear();
                Some(attempt)
            }
            Some(other) => {
                self.queue.push_back(other);
                None
            }
            None => None,
        }
    }

    /// The attempt that waits, with what cut its answer short.
    fn cut_short(&mut self, by: CutBy) -> Option<Box<Exchange>> {
        // It may be among the bytes that were lost.
        if self.server.state == State::Lost {
            return self.answer_missing();
        }
        let seen = if self.answer_begun() { self.server.head.bytes().len() as u64 } else { 0 };
        let attempt = self.take_attempt()?;
        self.replay = true;
        Some(self.exchange(attempt, Answer::Cut { seen, by }))
    }

    /// Whoever goes on with HTTP after this reads what was held as further requests.
    fn unanswered(&mut self, attempt: Box<Exchange>, answer: Answer) -> Step {
        self.replay = true;
        Step::Unanswered(self.exchange(attempt, answer))
    }

    fn exchange(&mut self, mut attempt: Box<Exchange>, answer: Answer) -> Box<Exchange> {
        attempt.answer = answer;
        attempt.interim = std::mem::take(&mut self.interim);
        attempt
    }
}

impl Side {
    fn new(state: State) -> Self {
        Self { state, head: HeadBuf::default(), last: Origin::default(), fresh: true }
    }

    /// Takes note of the packet that brings bytes: its border may be the border of a head.
    fn packet(&mut self, origin: Origin) {
        if self.last != origin {
            self.last = origin;
            self.fresh = true;
        }
    }

    /// Looks, line by line, for one that is plainly a start line; it is then put back as the start of
    /// a head.
    fn search(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
        may_be: fn(&[u8]) -> bool,
        is: fn(&[u8]) -> bool,
    ) {
        if self.head.bytes().is_empty() && !std::mem::take(&mut self.fresh) {
            let lf = memchr::memchr(b'\n', input);
            lines::advance(input, lf.map_or(input.len(), |lf| lf.saturating_add(1)));
            self.fresh = lf.is_some();
            return;
        }
        self.fresh = false;
        // A candidate is given up at its first wrong byte, and then the rest of its line is skipped.
        let line_end = self.head.take_line(input, self.last);
        let fits = self.head.bytes().len() <= limits.head_bytes;
        if line_end && fits && is(self.head.bytes()) {
            self.head.begin_with_line();
            self.state = State::Head;
        } else if line_end {
            self.head.clear();
            self.fresh = true;
        } else if !fits || !may_be(self.head.bytes()) {
            self.head.clear();
        }
    }

    /// Goes on a search from here.
    fn lose(&mut self) {
        self.head.clear();
        self.state = State::Lost;
    }
}
