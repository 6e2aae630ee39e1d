//! The client's direction: PROXY protocol header, requests, and what waits behind an attempt.

use super::body::{self, Body, Bridged, Framing, Skipped};
use super::guess::{ProxyHeader, may_be_plainly_request, plainly_request, proxy_header};
use super::head::{self, Extent, Head, RequestLine, first_line, may_start_request, request_line};
use super::held::HeldPiece;
use super::lines::{StartCheck, Taken, advance};
use super::{Answer, Exchange, Http1, Outstanding, PlainHead, State, Step};
use crate::limits::Limits;
use crate::units::Origin;

const REQUEST_LINE: StartCheck = StartCheck {
    prefix: may_start_request,
    line: |bytes| first_line(bytes).is_some_and(|(line, _)| request_line(line).is_some()),
};

impl Http1 {
    /// Bytes of the client: parsed, or held behind an attempt.
    pub(super) fn client_data(
        &mut self,
        origin: Origin,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Option<Step> {
        let step = self.client_parse(origin, input, limits);
        if step.is_none() && !input.is_empty() {
            let begun = self.answer_begun();
            if !begun && let Some(Outstanding::Attempt(attempt)) = self.queue.back_mut() {
                let early = attempt.early.get_or_insert((origin, 0));
                early.1 = early.1.saturating_add(input.len() as u64);
            }
            self.held.push(origin, input, limits.held_bytes);
            *input = &[];
        }
        step
    }

    /// Stops, with input left, where only an answer can tell what the rest is.
    fn client_parse(&mut self, origin: Origin, input: &mut &[u8], limits: &Limits) -> Option<Step> {
        self.client.packet(origin);
        while !input.is_empty() {
            let step = match self.client.state {
                State::Start => self.client_start(origin, input, limits),
                State::Proxy(left) => {
                    let left = left.saturating_sub(advance(input, left).len());
                    self.client.state = if left == 0 { State::Start } else { State::Proxy(left) };
                    None
                }
                State::Head if self.is_holding() => return None,
                State::Head => self.client_head(origin, input, limits),
                State::Holed { mark, first } => {
                    self.client_holed(origin, input, mark, first, limits);
                    None
                }
                State::SkipHead => {
                    if self.client.head.skip(input) {
                        self.client.state = State::Head;
                    }
                    None
                }
                State::Body(mut body) => {
                    match body.skip(input) {
                        Skipped::More => self.client.state = State::Body(body),
                        Skipped::End => self.client.state = State::Head,
                        Skipped::Broken => self.client_lost(),
                    }
                    None
                }
                State::Lost => {
                    self.client.search(input, limits, may_be_plainly_request, plainly_request);
                    None
                }
                State::Over => {
                    *input = &[];
                    None
                }
            };
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// The very first bytes. They are few, and kept until it is clear what they are.
    fn client_start(&mut self, origin: Origin, input: &mut &[u8], limits: &Limits) -> Option<Step> {
        // The usual start needs no copy of its own.
        if self.client.head.bytes().is_empty() && proxy_header(input) == ProxyHeader::No {
            self.client.state = State::Head;
            return self.client_head(origin, input, limits);
        }
        // At most 107 bytes (version 1) or 16 (version 2) are ever kept here.
        while let Some((&byte, rest)) = input.split_first() {
            let kept = self.client.head.start_byte(byte, origin);
            *input = rest;
            match proxy_header(kept) {
                ProxyHeader::Maybe => {}
                ProxyHeader::V1(_) => {
                    self.proxy_protocol = Some(1);
                    self.client.head.clear();
                }
                ProxyHeader::V2(len) => {
                    self.proxy_protocol = Some(2);
                    let left = len.saturating_sub(kept.len());
                    self.client.head.clear();
                    if left > 0 {
                        self.client.state = State::Proxy(left);
                        return None;
                    }
                }
                ProxyHeader::Bad => return Some(self.not_ours()),
                ProxyHeader::No => {
                    let (bytes, begin) = self.client.head.take_bytes();
                    self.client.state = State::Head;
                    // They reach less far than a request line does, so nothing is left of them.
                    return self.client_head(begin, &mut bytes.as_slice(), limits);
                }
            }
        }
        None
    }

    fn client_head(&mut self, origin: Origin, input: &mut &[u8], limits: &Limits) -> Option<Step> {
        match self.client.head.take(input, origin, limits.head_bytes, REQUEST_LINE) {
            Taken::More => None,
            Taken::NotHttp => Some(self.not_ours()),
            Taken::Whole(bytes, begin) => {
                self.request(&bytes, begin, origin, Extent::Whole, limits);
                None
            }
            Taken::Over => {
                self.settle(Extent::Over, limits);
                // Where a plain request's head ends, and how long its body is, is not worth knowing.
                if self.is_holding() { None } else { Some(self.not_ours()) }
            }
        }
    }

    /// A request head that has lost bytes goes on, line by line, as long as these are its lines.
    fn client_holed(
        &mut self,
        origin: Origin,
        input: &mut &[u8],
        mark: usize,
        first: bool,
        limits: &Limits,
    ) {
        let room = limits.head_bytes.saturating_sub(self.client.head.bytes().len());
        let mut window = input.get(..room).unwrap_or(input);
        let before = window.len();
        let line_end = self.client.head.take_line(&mut window, origin);
        advance(input, before.saturating_sub(window.len()));
        if !line_end {
            if self.client.head.bytes().len() >= limits.head_bytes {
                self.settle_request(limits);
            }
            return;
        }
        let line = self.client.head.bytes().get(mark..).unwrap_or_default();
        if plainly_request(line) {
            let line = line.to_vec();
            self.client.head.truncate(mark);
            self.settle_request(limits);
            // Behind an attempt it stays there until a refusal lets it go on.
            self.client.head.put_back(&line, origin);
            self.client.state = State::Head;
        } else if first {
            // Its start is missing: what is left may look like another field than it is.
            self.client.head.truncate(mark);
            self.client.state = State::Holed { mark, first: false };
        } else if first_line(line).is_some_and(|(line, _)| line.is_empty()) {
            self.settle_request(limits);
        } else {
            let mark = self.client.head.bytes().len();
            self.client.state = State::Holed { mark, first: false };
        }
    }

    /// Uses what there is of an unfinished request head: more will not come, or not in time.
    pub(super) fn settle_request(&mut self, limits: &Limits) {
        self.settle(Extent::Cut, limits);
    }

    fn settle(&mut self, extent: Extent, limits: &Limits) {
        let holed = matches!(self.client.state, State::Holed { .. });
        let unfinished = self.client.state == State::Head && self.client.head.started();
        if self.is_holding() || (!holed && !unfinished) {
            return;
        }
        let (bytes, begin) = self.client.head.take_bytes();
        self.client.state = State::Head;
        self.request(&bytes, begin, self.client.last, extent, limits);
        if unfinished {
            self.client.state = State::SkipHead;
        }
    }

    /// A request head.
    fn request(
        &mut self,
        bytes: &[u8],
        begin: Origin,
        origin: Origin,
        extent: Extent,
        limits: &Limits,
    ) {
        let Some(head) = head::request(bytes, extent, limits) else {
            self.client.lose();
            return;
        };
        let framing = body::of_request(&head.fields);
        let item = if head.line.method == b"CONNECT" {
            Outstanding::Connect
        } else if head.is_attempt() {
            Outstanding::Attempt(Box::new(self.attempt(&head, framing, begin, origin)))
        } else {
            let alone = self.queue.is_empty();
            let is_head = head.line.method == b"HEAD";
            let head = || Box::new(PlainHead { bytes: bytes.into(), extent, begin, origin });
            Outstanding::Plain { is_head, head: alone.then(head) }
        };
        // An answer that never comes (one direction captured) must not fill the queue.
        while self.queue.len() >= limits.pipelined_requests.max(1) {
            self.queue.pop_front();
            self.unsure = true;
        }
        self.queue.push_back(item);
        let known = self.is_holding() || (framing != Framing::Unknown && !head.partial);
        match Body::new(framing) {
            // RFC 9110 section 9.3.6: a CONNECT has no body.
            _ if matches!(self.queue.back(), Some(Outstanding::Connect)) => {
                self.client.state = State::Head;
            }
            Some(body) => self.client.state = State::Body(body),
            None if known => self.client.state = State::Head,
            None => self.client.lose(),
        }
    }

    fn attempt(
        &mut self,
        head: &Head<'_, RequestLine<'_>>,
        framing: Framing,
        begin: Origin,
        origin: Origin,
    ) -> Exchange {
        Exchange {
            request: Some(head.to_owned(begin, origin)),
            request_partial: head.partial,
            request_body: framing != Framing::None,
            early: None,
            proxy_protocol: self.proxy_protocol.take(),
            answer: Answer::Missing,
            interim: Vec::new(),
            http2: None,
        }
    }

    pub(super) fn client_gap(&mut self, origin: Origin, len: u64) {
        self.client.fresh = true;
        // Only inside a head or a body of known length no whole request can be missing.
        self.requests_lost |= match self.client.state {
            State::Body(mut body) => matches!(body.gap(len), Bridged::Lost(_)),
            State::Head => !self.client.head.started(),
            State::Holed { .. } => false,
            _ => true,
        };
        match self.client.state {
            State::Head if self.is_holding() => self.held.gap(origin, len),
            State::Head | State::Holed { .. } => match self.client.head.hole() {
                Some(mark) => self.client.state = State::Holed { mark, first: true },
                None => self.client.lose(),
            },
            State::Body(mut body) => match body.gap(len) {
                Bridged::More => self.client.state = State::Body(body),
                Bridged::End => self.client.state = State::Head,
                Bridged::Lost(rest) => {
                    self.client_lost();
                    if self.is_holding() {
                        self.held.gap(origin, rest);
                    }
                }
            },
            State::Start | State::Proxy(_) | State::SkipHead => self.client_lost(),
            State::Lost => self.client.lose(),
            State::Over => {}
        }
    }

    /// Where the next request starts is not known; behind an attempt it need not be.
    fn client_lost(&mut self) {
        self.client.lose();
        if self.is_holding() {
            self.client.state = State::Head;
        }
    }

    /// After a refusal, what is held are requests: up to the next attempt among them.
    pub(super) fn replay_held(&mut self, limits: &Limits) -> Option<Step> {
        if !std::mem::take(&mut self.replay) {
            return None;
        }
        let mut held = std::mem::take(&mut self.held);
        let mut step = None;
        while step.is_none() && !(self.is_holding() && self.client.state == State::Head) {
            let used = match held.pieces().next() {
                None => break,
                Some(HeldPiece::Data { origin, bytes }) => {
                    let mut rest = bytes;
                    step = self.client_parse(origin, &mut rest, limits);
                    bytes.len().saturating_sub(rest.len())
                }
                Some(HeldPiece::Gap { origin, len, .. }) => {
                    self.client_gap(origin, len);
                    0
                }
            };
            held.consume(used);
        }
        if let (Some(Outstanding::Attempt(attempt)), Some(origin)) =
            (self.queue.back_mut(), held.first())
        {
            attempt.early = Some((origin, held.seen()));
        }
        self.held = held;
        step
    }

    /// No HTTP, or nothing of interest: from here on, everything is ignored.
    pub(super) fn not_ours(&mut self) -> Step {
        for side in [&mut self.client, &mut self.server] {
            side.head.clear();
            side.state = State::Over;
        }
        self.queue.clear();
        self.held = super::Held::default();
        Step::NotOurs
    }
}
