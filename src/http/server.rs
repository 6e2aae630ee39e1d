//! The server's direction: responses, each to the oldest request that waits.

use super::body::{self, Body, Bridged, Framing, Skipped};
use super::head::{self, Extent, Head, StatusLine, first_line, may_start_response, status_line};
use super::lines::{StartCheck, Taken, advance};
use super::{Answer, Exchange, Http1, Outstanding, PlainHead, State, Step, Stray};
use crate::limits::Limits;
use crate::units::Origin;

const STATUS_LINE: StartCheck = StartCheck {
    prefix: may_start_response,
    line: |bytes| first_line(bytes).is_some_and(|(line, _)| status_line(line).is_some()),
};

impl Http1 {
    pub(super) fn server_data(
        &mut self,
        origin: Origin,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Option<Step> {
        self.server_seen = true;
        self.server.packet(origin);
        while !input.is_empty() {
            self.settle_holed(limits);
            if self.stray.is_some() {
                if let Some(step) = self.stray_bytes(input) {
                    return Some(step);
                }
                continue;
            }
            let step = match self.server.state {
                State::Head => self.server_head(origin, input, limits),
                State::Body(mut body) => {
                    match body.skip(input) {
                        Skipped::More => self.server.state = State::Body(body),
                        Skipped::End => self.server.state = State::Head,
                        Skipped::Broken => self.server.lose(),
                    }
                    None
                }
                State::Lost => {
                    self.server.search(input, limits, STATUS_LINE.prefix, STATUS_LINE.line);
                    None
                }
                // The client's states; here nothing is left to read.
                State::Start
                | State::Proxy(_)
                | State::Holed { .. }
                | State::SkipHead
                | State::Over => {
                    *input = &[];
                    None
                }
            };
            // What is held must be queued before the next response looks for its request.
            if let Some(step) = step.or_else(|| self.replay_held(limits)) {
                return Some(step);
            }
        }
        None
    }

    fn server_head(&mut self, origin: Origin, input: &mut &[u8], limits: &Limits) -> Option<Step> {
        match self.server.head.take(input, origin, limits.head_bytes, STATUS_LINE) {
            Taken::More => None,
            Taken::Whole(bytes, begin) => self.response(&bytes, begin, origin, limits),
            Taken::NotHttp => {
                let (bytes, begin) = self.server.head.take_bytes();
                self.server.lose();
                self.server.fresh = bytes.ends_with(b"\n");
                if matches!(self.queue.front(), Some(Outstanding::Attempt(_))) {
                    let begin = if bytes.is_empty() { origin } else { begin };
                    self.stray = Some(Stray { bytes, origin: begin });
                    return self.stray_bytes(input);
                }
                None
            }
            Taken::Over => self.server_lost(Extent::Over, limits),
        }
    }

    /// Collects bytes that are no HTTP: up to a line's end, or enough to show.
    fn stray_bytes(&mut self, input: &mut &[u8]) -> Option<Step> {
        let bytes = &mut self.stray.as_mut()?.bytes;
        if bytes.last() != Some(&b'\n') {
            let window = input.get(..STRAY.saturating_sub(bytes.len())).unwrap_or(input);
            let lf = memchr::memchr(b'\n', window);
            let len = lf.map_or(window.len(), |lf| lf.saturating_add(1));
            bytes.extend_from_slice(advance(input, len));
        }
        let enough = bytes.len() >= STRAY || bytes.last() == Some(&b'\n');
        if enough { self.settle_stray() } else { None }
    }

    /// Bytes that are no HTTP stand where the answer should, and these are all.
    pub(super) fn settle_stray(&mut self) -> Option<Step> {
        let Stray { mut bytes, origin } = self.stray.take()?;
        bytes.truncate(STRAY);
        let attempt = self.take_attempt()?;
        let answer = Answer::NotHttp { start: bytes.into(), origin };
        Some(self.unanswered(attempt, answer))
    }

    /// The server speaks: whatever the client's head has lost, it is over.
    fn settle_holed(&mut self, limits: &Limits) {
        if matches!(self.client.state, State::Holed { .. }) {
            self.settle_request(limits);
        }
    }

    fn response(
        &mut self,
        bytes: &[u8],
        begin: Origin,
        origin: Origin,
        limits: &Limits,
    ) -> Option<Step> {
        let Some(head) = head::response(bytes, Extent::Whole, limits) else {
            self.server.lose();
            return None;
        };
        let status = head.line.status;
        if self.is_interim(status) {
            return None;
        }
        if self.queue.is_empty() {
            // An answer before the end of the request (408, 431): the part seen is what it answers.
            self.settle_request(limits);
        }
        if status == 101 {
            return Some(self.switched(&head, begin, origin, limits));
        }
        let front = self.queue.pop_front();
        let to_head = matches!(front, Some(Outstanding::Plain { is_head: true, .. }));
        let tunnel = matches!(front, Some(Outstanding::Connect)) && (200..300).contains(&status);
        let framing = body::of_response(&head.fields, status, to_head);
        match Body::new(framing) {
            // RFC 9110 section 9.3.6: a 2xx to a CONNECT has no body, whatever its fields say.
            _ if tunnel => {}
            // The answer to a CONNECT, or to HEAD, has no body, and which request this answers is not known.
            Some(Body::UntilClose) if front.is_none() || self.unsure => self.server.lose(),
            Some(body) => self.server.state = State::Body(body),
            None if framing == Framing::Unknown => self.server.lose(),
            None => {}
        }
        match front {
            Some(Outstanding::Attempt(attempt)) => {
                let answer = head_answer(&head, begin, origin);
                Some(self.refused(attempt, answer))
            }
            Some(Outstanding::Connect) if tunnel => Some(Step::Tunnel),
            Some(Outstanding::Connect) => {
                self.interim.clear();
                self.replay = true;
                None
            }
            Some(Outstanding::Plain { .. }) | None => {
                self.interim.clear();
                None
            }
        }
    }

    /// RFC 9110 section 15.2: any number of 1xx come before the answer; 101 is one that stays.
    fn is_interim(&mut self, status: u16) -> bool {
        let interim = (100..200).contains(&status) && status != 101;
        if interim && self.interim.len() < INTERIM {
            self.interim.push(status);
        }
        interim
    }

    fn refused(&mut self, mut attempt: Box<Exchange>, answer: Answer) -> Step {
        self.replay = true;
        // What came behind a refused attempt and reads as a request, or may, is no early frame.
        if let Some(super::HeldPiece::Data { bytes, .. }) = self.held.pieces().next()
            && !matches!(super::looks_like(bytes), super::Guess::No)
        {
            attempt.early = None;
        }
        Step::Refused(self.exchange(attempt, answer))
    }

    /// 101: from here on, another protocol.
    fn switched(
        &mut self,
        head: &Head<'_, StatusLine<'_>>,
        begin: Origin,
        origin: Origin,
        limits: &Limits,
    ) -> Step {
        let answer = head_answer(head, begin, origin);
        let Some(attempt) = self.switching(head.names_websocket(), limits) else {
            // RFC 7540 section 3.2: HTTP/2 begins anew behind it, with a preface.
            return if head.names_h2c() { Step::Tunnel } else { self.not_ours() };
        };
        Step::Switched(self.exchange(attempt, answer))
    }

    /// The request that a 101 answers; `None` where neither it nor the answer is about WebSocket.
    fn switching(&mut self, names_websocket: bool, limits: &Limits) -> Option<Box<Exchange>> {
        let front_waits = matches!(self.queue.front(), Some(Outstanding::Attempt(_)));
        // Answers were lost: this one can only be to the attempt.
        if (front_waits || self.unsure)
            && let Some(attempt) = self.take_attempt()
        {
            return Some(attempt);
        }
        if !names_websocket {
            return None;
        }
        let mut attempt = Exchange {
            request: None,
            request_partial: false,
            request_body: false,
            early: None,
            proxy_protocol: self.proxy_protocol.take(),
            answer: Answer::Missing,
            interim: Vec::new(),
            http2: None,
        };
        if let Some(Outstanding::Plain { head: Some(plain), .. }) = self.queue.pop_front()
            && !self.requests_lost
        {
            let PlainHead { bytes, extent, begin, origin } = *plain;
            if let Some(head) = head::request(&bytes, extent, limits) {
                attempt.request_body = body::of_request(&head.fields) != Framing::None;
                attempt.request_partial = head.partial;
                attempt.request = Some(head.to_owned(begin, origin));
            }
        }
        Some(Box::new(attempt))
    }

    pub(super) fn server_gap(&mut self, len: u64, limits: &Limits) -> Option<Step> {
        self.server_seen = true;
        self.server.fresh = true;
        self.settle_holed(limits);
        if self.stray.is_some() {
            return self.settle_stray();
        }
        let step = match self.server.state {
            State::Body(mut body) => match body.gap(len) {
                Bridged::More => {
                    self.server.state = State::Body(body);
                    None
                }
                Bridged::End => {
                    self.server.state = State::Head;
                    None
                }
                Bridged::Lost(_) => self.server_lost(Extent::Cut, limits),
            },
            State::Over => None,
            _ => self.server_lost(Extent::Cut, limits),
        };
        self.server.fresh = true;
        step.or_else(|| self.replay_held(limits))
    }

    /// Bytes are missing where a head should be, or a head is over the limit. An attempt that waits
    /// for it never has its answer, though the status may have been seen.
    fn server_lost(&mut self, extent: Extent, limits: &Limits) -> Option<Step> {
        let (bytes, begin) = self.server.head.take_bytes();
        self.server.lose();
        self.unsure = true;
        let head = head::response(&bytes, extent, limits);
        let head = head.filter(|h| h.line.status == 101 || !self.is_interim(h.line.status));
        let Some(head) = head else {
            return match self.queue.front() {
                Some(Outstanding::Attempt(_)) => self.answer_missing().map(Step::Unanswered),
                // What follows may well be the tunnel's; a probe finds out.
                Some(Outstanding::Connect) => Some(Step::Tunnel),
                _ => None,
            };
        };
        let status = head.line.status;
        let answer = Answer::Partial(head.to_owned(begin, self.server.last));
        if status == 101 {
            // What is not there of the two heads speaks for nothing and against nothing.
            let whole = |item: &Outstanding| match item {
                Outstanding::Plain { head, .. } => {
                    head.as_ref().is_none_or(|h| h.extent == Extent::Whole)
                }
                _ => false,
            };
            let told = self.queue.front().is_some_and(whole);
            let ours = head.names_websocket() || !(told || head.names_other());
            let attempt = self.switching(ours, limits)?;
            return Some(self.unanswered(attempt, answer));
        }
        match self.queue.pop_front() {
            Some(Outstanding::Attempt(attempt)) => Some(self.refused(attempt, answer)),
            Some(Outstanding::Connect) if (200..300).contains(&status) => Some(Step::Tunnel),
            Some(Outstanding::Connect) => {
                self.replay = true;
                None
            }
            Some(Outstanding::Plain { .. }) | None => None,
        }
    }
}

fn head_answer(head: &Head<'_, StatusLine<'_>>, begin: Origin, origin: Origin) -> Answer {
    let owned = head.to_owned(begin, origin);
    if head.partial { Answer::Partial(owned) } else { Answer::Head(owned) }
}

/// Bytes shown of an answer that is no HTTP.
const STRAY: usize = 64;
/// Interim responses remembered for one request: some send a 102 every few seconds.
pub(super) const INTERIM: usize = 64;
