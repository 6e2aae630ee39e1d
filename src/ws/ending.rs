//! How a connection ended, by whom, and why, as far as the packets tell.
//!
//! Gets: the facts that [`crate::ws::session`] gathered. Gives: the fields of
//! [`End`](crate::event::End) and the notes on closing (RFC 6455 section 7). Keeps: nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::event::EndHow;
use crate::http::h2::{error_meaning, error_name};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, Origin, PacketNo, PerDirection};
use crate::ws::close::code_meaning;

pub use crate::flow::Finish;

/// A Close frame that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseSeen {
    /// Its status code.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: Option<String>,
    /// The packet that completed it.
    pub origin: Origin,
}

impl CloseSeen {
    /// " with code 1000 (normal closure), reason "bye""
    fn describe(&self, text: &mut String) {
        if let Some(code) = self.code {
            let mut digits = itoa::Buffer::new();
            let code_text = digits.format(code);
            push(text, &[" with code ", code_text, " (", code_meaning(code), ")"]);
        } else {
            text.push_str(" without a code");
        }
        if let Some(reason) = self.reason.as_deref().filter(|reason| !reason.is_empty()) {
            push(text, &[", reason \"", reason, "\""]);
        }
    }
}

/// The first thing that anybody did to end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstAct {
    /// Who.
    pub dir: Direction,
    /// The packet.
    pub origin: Origin,
    /// The last packet with data before it, whichever way that went.
    pub before: Option<Origin>,
}

/// Pings that no pong answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unanswered {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Option<Origin>,
}

/// What carries a connection, and so what FIN and RST of a side are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// TCP.
    #[default]
    Tcp,
    /// A stream of HTTP/2: `END_STREAM`, or `RST_STREAM` with this error code (RFC 8441 section 5); it is
    /// `None` for the former, or where the capture lacks it.
    Stream(Option<u32>),
}

impl Carrier {
    /// What is ended.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Stream(_) => "the stream",
        }
    }

    const fn fin(self) -> &'static str {
        match self {
            Self::Tcp => "FIN",
            Self::Stream(_) => "END_STREAM",
        }
    }

    fn rst(self) -> Cow<'static, str> {
        match self {
            Self::Tcp => "RST".into(),
            Self::Stream(None) => "RST_STREAM".into(),
            Self::Stream(Some(code)) => {
                let name = error_name(code);
                match error_meaning(code) {
                    Some(meaning) => format!("RST_STREAM {name}: {meaning}").into(),
                    None => format!("RST_STREAM {name}").into(),
                }
            }
        }
    }
}

/// Why a client does not use a connection that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedOpening {
    /// The answer is invalid (RFC 6455 section 4.1).
    Answer,
    /// It chose none of the subprotocols that were offered, which browsers fail on (WHATWG WebSockets).
    Subprotocol,
    /// It had ended TCP before the answer came.
    Left,
}

/// What is known of an ending.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The first Close frame of each sender.
    pub closes: PerDirection<Option<CloseSeen>>,
    /// Whose came first.
    pub first_close: Option<Direction>,
    /// FIN of each sender.
    pub fins: PerDirection<Option<Origin>>,
    /// The first RST and its sender.
    pub reset: Option<(Direction, Origin)>,
    /// What each FIN is.
    pub fin_of: PerDirection<Carrier>,
    /// What the RST is.
    pub rst_of: Carrier,
    /// GOAWAY of the HTTP/2 connection that carries this as one of its streams, and its error code.
    pub goaway: Option<(Direction, Origin, u32)>,
    /// What came first of all these.
    pub first_act: Option<FirstAct>,
    /// A direction is not known whole: a Close or a Pong may be among what is missing.
    pub blind: PerDirection<bool>,
    /// The capture has it whole, but it is no frames that could be read to their end.
    pub unreadable: PerDirection<bool>,
    /// Pings without pong, by the direction of the ping.
    pub unanswered: PerDirection<Unanswered>,
    /// What of the answer makes the client fail the connection, which sent no frame.
    pub failed_opening: Option<FailedOpening>,
    /// The first frame of each sender that was masked where it must not be, or the other way round.
    pub wrong_mask: PerDirection<Option<Origin>>,
}

/// The ending, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// How it ended.
    pub how: EndHow,
    /// Who began it.
    pub by: Option<Direction>,
    /// One sentence.
    pub cause: String,
    /// Packets that show it.
    pub evidence: Vec<PacketNo>,
    /// Notes on it.
    pub notes: Vec<Note>,
}

/// Idle timeouts that people meet, in seconds, and whose they are.
const TIMEOUTS: [(i64, &str); 11] = [
    (
        30,
        "the default of Google Cloud load balancers' backend services and of many HAProxy examples",
    ),
    (50, "the timeout client/server of many HAProxy configurations"),
    (55, "Heroku's router"),
    (60, "nginx proxy_read_timeout, httpd ProxyTimeout, AWS ALB, HAProxy timeout of 1m"),
    (100, "Cloudflare"),
    (120, "a common timeout of 2 minutes"),
    (230, "Azure App Service"),
    (240, "Azure Load Balancer"),
    (300, "a common timeout of 5 minutes (httpd Timeout in older versions)"),
    (350, "AWS NLB"),
    (3600, "HAProxy timeout tunnel of 1h, Cloud Run"),
];

const SECOND: i64 = 1_000_000_000;
/// A ping that was sent less than this before the end had no time to be answered.
pub const PATIENCE: i64 = SECOND;

impl Facts {
    /// Remembers the first act.
    pub fn act(&mut self, dir: Direction, origin: Origin, before: Option<Origin>) {
        self.first_act.get_or_insert(FirstAct { dir, origin, before });
    }

    /// Why whoever acted first had to, and needed no Close for it.
    fn forced(&self, act: FirstAct) -> Option<&'static str> {
        let wrong_mask = self.wrong_mask[act.dir.flip()];
        match (act.dir, self.failed_opening) {
            // RFC 6455 section 7.1.7: the connection was not established for it.
            (Direction::ToServer, Some(FailedOpening::Answer)) => {
                Some("after such an answer it has to fail the connection")
            }
            (Direction::ToServer, Some(FailedOpening::Subprotocol)) => {
                Some("browsers fail a connection for which none of their subprotocols was chosen")
            }
            (Direction::ToServer, Some(FailedOpening::Left)) => {
                Some("it did not wait for the answer")
            }
            // Section 5.1: it MUST close the connection, and MAY send a Close.
            _ if wrong_mask.is_some_and(|frame| frame.packet <= act.origin.packet) => {
                Some(match act.dir {
                    Direction::ToServer => "after a masked frame it has to close the connection",
                    Direction::ToClient => "after an unmasked frame it has to close the connection",
                })
            }
            _ => None,
        }
    }

    /// The other side had ended, or reset, what carries the connection before this one sent its Close,
    /// which can only have been an answer to that.
    fn cut_before(&self, closer: Direction) -> bool {
        let close = self.closes[closer].as_ref().map(|close| close.origin);
        self.first_act.is_some_and(|act| act.dir != closer && Some(act.origin) != close)
    }

    /// "ended TCP in packet 9"
    fn cut(&self, act: FirstAct) -> String {
        let carrier = if self.begun_by_reset() { self.rst_of } else { self.fin_of[act.dir] };
        format!("ended {} in packet {}", carrier.name(), act.origin.packet)
    }

    /// The first act was the RST.
    fn begun_by_reset(&self) -> bool {
        self.first_act.is_some_and(|act| self.reset == Some((act.dir, act.origin)))
    }

    /// What a side ended, or reset.
    pub fn ended_by(&self, by: Direction) -> Carrier {
        let reset = self.reset.is_some_and(|(dir, _)| dir == by);
        if reset { self.rst_of } else { self.fin_of[by] }
    }

    /// TCP was seen to end.
    pub fn tcp_ended(&self) -> bool {
        self.reset.is_some() || self.fins.to_server.is_some() || self.fins.to_client.is_some()
    }

    /// Puts it all together.
    pub fn explain(&self, why: Finish) -> Explained {
        let closes = (&self.closes.to_server, &self.closes.to_client);
        let how = match closes {
            (Some(_), Some(_)) => EndHow::Close,
            (None, None) => match (self.first_act, self.reset) {
                (None, _) => EndHow::CaptureEnd,
                // A RST ends it even where a FIN came first from the other side.
                (Some(_), Some(_)) => EndHow::Rst,
                (Some(_), None) => EndHow::Fin,
            },
            _ => EndHow::HalfClose,
        };
        let by = self.first_act.map(|act| act.dir);
        let mut cause = match (how, self.first_close) {
            (EndHow::Close, Some(dir)) => self.closed(dir),
            (EndHow::HalfClose, Some(dir)) if !self.cut_before(dir) => self.half_closed(dir, why),
            _ => self.without_close(why),
        };
        self.add_pings(&mut cause);
        Explained { how, by, cause, evidence: self.evidence(), notes: self.notes() }
    }

    /// The usual end: put together without `write!`, which costs more than all the rest of it.
    fn closed(&self, dir: Direction) -> String {
        let mut text = self.close_sentence(dir);
        let (first, answer) = (&self.closes[dir], &self.closes[dir.flip()]);
        if let (Some(first), Some(answer)) = (first, answer) {
            push(&mut text, &["; the ", dir.flip().sender(), " answered"]);
            if let Some(ns) = since(Some(first.origin), answer.origin) {
                text.push(' ');
                push_span(&mut text, ns);
                text.push_str(" later");
            }
            if answer.code != first.code {
                let _ = match answer.code {
                    Some(code) => write!(text, " with code {code}"),
                    None => write!(text, " without a code"),
                };
            }
        }
        text
    }

    fn half_closed(&self, dir: Direction, why: Finish) -> String {
        let other = dir.flip();
        let mut text = self.close_sentence(dir);
        let close = self.closes[dir].as_ref().map(|close| close.origin);
        text.push_str("; ");
        if self.blind[other] {
            let _ = write!(
                text,
                "whether the {} answered is unknown: {}",
                other.sender(),
                if self.unreadable[other] {
                    "not all that it sent could be read"
                } else {
                    "bytes of it are missing from the capture"
                }
            );
        } else if let Some((who, origin)) = self.reset {
            let what = self.rst_of.name();
            let _ = write!(text, "no Close came back, and the {} reset {what}", who.sender());
            Self::later(&mut text, close, origin);
        } else if let Some(origin) = self.fins[other] {
            let what = self.fin_of[other].name();
            let _ = write!(text, "the {} ended {what} instead of answering it", other.sender());
            Self::later(&mut text, close, origin);
            let own = self.fins[dir].filter(|own| own.packet < origin.packet);
            if let Some(own) = own {
                let _ =
                    write!(text, ", the {} itself before it (packet {})", dir.sender(), own.packet);
            }
        } else if let Some(origin) = self.fins[dir] {
            let what = self.fin_of[dir].name();
            let _ = write!(text, "it ended {what} itself without waiting for the answer");
            Self::later(&mut text, close, origin);
        } else {
            text.push_str(match why {
                Finish::CaptureEnd => "the capture ends before an answer",
                _ => "no answer was captured",
            });
        }
        text
    }

    fn later(text: &mut String, from: Option<Origin>, to: Origin) {
        if let Some(ns) = since(from, to) {
            text.push(' ');
            push_span(text, ns);
            text.push_str(" later");
        }
        let _ = write!(text, " (packet {})", to.packet);
    }

    /// "the server sent Close 1001 (going away: ...) in packet 7 after 60.0 s of silence ..."
    fn close_sentence(&self, dir: Direction) -> String {
        let mut text = String::with_capacity(USUAL_CAUSE);
        push(&mut text, &["the ", dir.sender(), " closed the connection"]);
        if let Some(close) = &self.closes[dir] {
            close.describe(&mut text);
        }
        self.add_silence(&mut text);
        text
    }

    fn without_close(&self, why: Finish) -> String {
        let Some(act) = self.first_act else {
            return match why {
                Finish::CaptureEnd => "unknown: the capture ends while the connection is open",
                Finish::Evicted => {
                    "unknown: nothing more of it was captured, for so long that it was given up"
                }
                Finish::Reused => {
                    "unknown: its end is not in the capture; a new connection took its ports"
                }
                Finish::Tcp => "unknown: its end is not in the capture",
            }
            .to_owned();
        };
        let how = if self.begun_by_reset() {
            format!("reset {} ({})", self.rst_of.name(), self.rst_of.rst())
        } else {
            let carrier = self.fin_of[act.dir];
            format!("ended {} ({})", carrier.name(), carrier.fin())
        };
        let who = act.dir.sender();
        let mut text =
            format!("the {who} {how} in packet {} without a Close frame", act.origin.packet);
        if self.blind[act.dir] {
            text.push_str(if self.unreadable[act.dir] {
                " that could be read"
            } else {
                " that the capture holds (bytes are missing from it)"
            });
        }
        self.add_silence(&mut text);
        let forced = self.forced(act);
        if let Some(why) = forced {
            push(&mut text, &[": ", why]);
        }
        let other = act.dir.flip();
        let answered = self.closes[other].is_some();
        if let Some(close) = &self.closes[other] {
            text.push_str("; ");
            match since(Some(act.origin), close.origin) {
                Some(ns) => {
                    push_span(&mut text, ns);
                    text.push_str(" later");
                }
                None => text.push_str("then"),
            }
            push(&mut text, &[" the ", other.sender(), " sent a Close"]);
            close.describe(&mut text);
            let _ = write!(text, " (packet {})", close.origin.packet);
        }
        if let Some((dir, origin)) = self.reset
            && origin != act.origin
        {
            let it = if answered { self.rst_of.name() } else { "it" };
            let _ =
                write!(text, "; the {} then reset {it} (packet {})", dir.sender(), origin.packet);
        }
        if let Some((dir, origin, code)) = self.goaway {
            let _ = write!(
                text,
                "; the {} had announced the end of the HTTP/2 connection (GOAWAY {} in packet {})",
                dir.sender(),
                error_name(code),
                origin.packet
            );
        }
        if forced.is_none() {
            let _ = write!(text, "; on this leg that is the {who} itself or a proxy in its place");
        }
        text
    }

    /// How long nothing was said before the first act, where that is worth telling.
    fn add_silence(&self, text: &mut String) {
        let Some(act) = self.first_act else { return };
        let Some(ns) = since(act.before, act.origin).filter(|ns| *ns >= 5 * SECOND) else { return };
        text.push_str(" after ");
        push_span(text, ns);
        text.push_str(" of silence");
        if let Some((seconds, whose)) = usual_timeout(ns) {
            let _ = write!(text, ", which matches an idle timeout of {seconds} s ({whose})");
        }
    }

    fn add_pings(&self, cause: &mut String) {
        for dir in Direction::BOTH {
            let pings = self.unanswered[dir];
            if pings.count > 0 && !self.blind[dir.flip()] && self.tcp_ended() {
                let plural = if pings.count == 1 { "" } else { "s" };
                let _ = write!(
                    cause,
                    "; the {} left {} ping{plural} of the {} unanswered before that",
                    dir.flip().sender(),
                    pings.count,
                    dir.sender()
                );
            }
        }
    }

    fn evidence(&self) -> Vec<PacketNo> {
        let mut packets: Vec<PacketNo> = Vec::with_capacity(8);
        packets.extend(self.first_act.and_then(|act| act.before).map(|o| o.packet));
        for dir in Direction::BOTH {
            packets.extend(self.closes[dir].as_ref().map(|close| close.origin.packet));
            packets.extend(self.fins[dir].map(|origin| origin.packet));
            packets.extend(self.unanswered[dir].first.map(|origin| origin.packet));
        }
        packets.extend(self.reset.map(|(_, origin)| origin.packet));
        packets.sort_unstable();
        packets.dedup();
        if self.first_act.is_none() { Vec::new() } else { packets }
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        let both = self.closes.to_server.is_some() && self.closes.to_client.is_some();
        if let Some((dir, origin)) = self.reset
            && !both
        {
            notes.push(Note::new(
                NoteCode::Reset,
                dir.into(),
                match self.rst_of {
                    Carrier::Tcp => {
                        format!("the {} reset TCP in packet {}", dir.sender(), origin.packet)
                    }
                    stream @ Carrier::Stream(_) => format!(
                        "the {} reset the stream in packet {} ({})",
                        dir.sender(),
                        origin.packet,
                        stream.rst()
                    ),
                },
            ));
        }
        if !self.tcp_ended() {
            return notes;
        }
        match self.first_close {
            // RFC 6455 section 5.5.1: a Close is answered with a Close.
            Some(dir) if !both && !self.blind[dir.flip()] => {
                let packet = self.closes[dir].as_ref().map_or(PacketNo(0), |c| c.origin.packet);
                let (who, other) = (dir.sender(), dir.flip().sender());
                // Behind its RST nothing can reach a side any more, so it left the other no way to answer.
                let (blame, text) = match self.reset {
                    Some((by, origin)) if by == dir && self.fins[dir.flip()].is_none() => (
                        dir,
                        format!(
                            "the {who}'s Close (packet {packet}) could not be answered by the {other}: \
                             the {who} reset {} itself in packet {}",
                            self.rst_of.name(),
                            origin.packet
                        ),
                    ),
                    _ if self.cut_before(dir) => (
                        dir.flip(),
                        format!(
                            "the {who}'s Close (packet {packet}) was not answered by the {other}, which \
                             had {} before",
                            self.first_act.map(|act| self.cut(act)).unwrap_or_default()
                        ),
                    ),
                    _ => (
                        dir.flip(),
                        format!(
                            "the {who}'s Close (packet {packet}) was not answered by the {other}"
                        ),
                    ),
                };
                notes.push(Note::new(NoteCode::CloseUnanswered, blame.into(), text));
            }
            // Section 7.1.2: ending begins with a Close frame.
            None if !self.blind.to_server && !self.blind.to_client => {
                if let Some(act) = self.first_act.filter(|act| self.forced(*act).is_none()) {
                    notes.push(Note::new(
                        NoteCode::NoCloseFrame,
                        act.dir.into(),
                        format!(
                            "the {} {}; neither side had sent a Close frame",
                            act.dir.sender(),
                            self.cut(act)
                        ),
                    ));
                }
            }
            _ => {}
        }
        for dir in Direction::BOTH {
            let pings = self.unanswered[dir];
            // Section 5.5.2: a pong answers each ping, unless a Close was already received.
            if let Some(first) = pings.first
                && !self.blind[dir.flip()]
            {
                notes.push(Note::new(
                    NoteCode::PingUnanswered,
                    Blame::from(dir.flip()),
                    format!(
                        "{} of the {}'s pings had no pong, the first in packet {}",
                        pings.count,
                        dir.sender(),
                        first.packet
                    ),
                ));
            }
        }
        notes
    }
}

/// Nanoseconds between two packets, where both have a time and it did not run backwards.
pub fn since(from: Option<Origin>, to: Origin) -> Option<i64> {
    let ns = to.time?.since(from?.time?);
    (ns >= 0).then_some(ns)
}

/// The usual idle timeout that a silence matches: timers fire a little late, never early.
fn usual_timeout(ns: i64) -> Option<(i64, &'static str)> {
    TIMEOUTS
        .into_iter()
        .find(|(seconds, _)| (-SECOND / 4..=SECOND * 3 / 2).contains(&(ns - seconds * SECOND)))
}

/// A span of time with the precision that matters.
pub(super) fn push_span(text: &mut String, ns: i64) {
    const MS: i64 = 1_000_000;
    let rounded = |unit: i64| (ns + unit / 2) / unit;
    let (mut whole, mut part) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (tenths, unit) = match ns {
        0..MS => return push(text, &[whole.format(rounded(1000)), " µs"]),
        MS..10_000_000 => (rounded(MS / 10), " ms"),
        10_000_000..SECOND => return push(text, &[whole.format(rounded(MS)), " ms"]),
        _ => (rounded(SECOND / 10), " s"),
    };
    push(text, &[whole.format(tenths / 10), ".", part.format(tenths % 10), unit]);
}

fn push(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

/// Room for the sentence of most endings.
const USUAL_CAUSE: usize = 128;

#[cfg(test)]
mod tests;
