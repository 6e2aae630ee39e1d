//! What is known of one connection.
//!
//! Gets: its events. Gives: a [`Row`] when it is over. Keeps: counts, and what names it, cut to
//! [`NAME`] characters.

use super::pings::{RoundTrips, Trips};
use super::series::per_second;
use super::side::Side;
use crate::event::{
    ConnInfo, Cx, End, EndHow, Handshake, HttpVersion, Message, MessageKind, Outcome,
};
use crate::note::{Note, NoteCode, Severity};
use crate::units::{ConnNo, Direction, Origin, PacketNo, PerDirection, Timestamp};
use crate::ws::pings::Waiting;

/// Characters kept of a path, a subprotocol, extensions: what a table or a log can use.
const NAME: usize = 512;

/// One connection, or attempt.
#[derive(Debug, Clone)]
pub struct Row {
    /// What went each way.
    pub sides: PerDirection<Side>,
    /// Its number.
    pub no: ConnNo,
    /// The packet of its last event, but for messages that have told their side.
    packet: PacketNo,
    /// Something else of it than these was asked for.
    selected: bool,
    /// Pings sent each way; allocated only for connections that have some.
    pings: Option<Box<Pings>>,
    /// Its ends.
    pub conn: ConnInfo,
    /// The HTTP version of its handshake.
    pub http: HttpVersion,
    /// What came of its handshake.
    pub outcome: Outcome,
    /// Status code of the answer.
    pub status: Option<u16>,
    /// How it ended; `None` when the answer ended it, or when it was still open.
    pub how: Option<EndHow>,
    /// Who began the ending.
    pub by: Option<Direction>,
    /// The first note of the highest severity.
    pub worst: Option<(Severity, NoteCode)>,
    /// Notes by severity: info, warning, error.
    pub notes: [u64; 3],
    /// Nanoseconds from the last byte of the request to the first of the answer.
    pub handshake_ns: Option<u64>,
    /// When its first event began.
    pub begin: Option<Timestamp>,
    /// Nanoseconds from its first packet to its last; `None` where that is not known.
    pub duration_ns: Option<u64>,
    /// The request target.
    pub path: Option<String>,
    /// The subprotocol chosen.
    pub subprotocol: Option<String>,
    /// The extensions agreed.
    pub extensions: Option<String>,
    /// One sentence on the end, where it is told.
    pub cause: Option<String>,
}

/// The pings of one connection, by the way that they went.
#[derive(Debug, Clone, Default)]
struct Pings {
    waiting: PerDirection<Waiting<Timestamp>>,
    trips: PerDirection<Trips>,
}

impl Row {
    /// A connection at its first event.
    pub fn new(no: ConnNo, cx: &Cx<'_>) -> Self {
        Self {
            no,
            conn: cx.conn.clone(),
            http: HttpVersion::Http1,
            outcome: Outcome::Unseen,
            status: None,
            path: None,
            subprotocol: None,
            extensions: None,
            handshake_ns: None,
            begin: cx.origin.time,
            packet: cx.origin.packet,
            duration_ns: None,
            how: None,
            by: None,
            cause: None,
            sides: PerDirection::default(),
            pings: None,
            notes: [0; 3],
            worst: None,
            selected: false,
        }
    }

    /// Takes note of an event; `selected`: it was asked for.
    pub fn touch(&mut self, origin: Origin, selected: bool) {
        self.packet = origin.packet;
        self.selected |= selected;
    }

    /// The packet of its last event, which is its end: that may stand before its last messages, where the
    /// capture has packets in another order than they were sent.
    pub fn packet(&self) -> PacketNo {
        if self.how.is_some() {
            return self.packet;
        }
        let PerDirection { to_server, to_client } = &self.sides;
        self.packet.max(to_server.packet).max(to_client.packet)
    }

    /// Was something of it asked for.
    pub fn is_selected(&self) -> bool {
        self.selected || Direction::BOTH.into_iter().any(|dir| self.sides[dir].frames > 0)
    }

    /// Takes the handshake, known at this time.
    pub fn handshake(&mut self, handshake: &Handshake, time: Option<Timestamp>) {
        self.http = handshake.http;
        self.outcome = handshake.outcome;
        self.subprotocol = handshake.subprotocol.as_deref().map(short);
        self.extensions = handshake.extensions.as_deref().map(short);
        if let Some(request) = &handshake.request {
            self.path = Some(short(&request.target));
            self.begin = request.begin.time.or(self.begin);
        }
        if let Some(response) = &handshake.response {
            self.status = Some(response.status);
        }
        let asked = handshake.request.as_ref().and_then(|head| head.origin.time);
        let answered = handshake.response.as_ref().and_then(|head| head.begin.time);
        self.handshake_ns = asked.zip(answered).map(|(from, to)| elapsed(from, to));
        if handshake.outcome == Outcome::Rejected {
            self.duration_ns = self.begin.zip(time).map(|(from, to)| elapsed(from, to));
        }
    }

    /// Takes a ping or a pong; gives the round trip that a pong completes, in nanoseconds; `None` for any
    /// other message.
    #[inline(never)]
    pub fn heartbeat(&mut self, message: &Message<'_>) -> Option<u64> {
        let pings = match message.kind {
            MessageKind::Ping => self.pings.get_or_insert_default(),
            // Without a ping there is nothing that it could answer.
            _ => self.pings.as_mut()?,
        };
        let took = pings.waiting.round_trip(message)?;
        pings.trips[message.dir.flip()].add(took);
        Some(took)
    }

    /// Takes notes.
    #[cold]
    pub fn noted(&mut self, notes: &[Note]) {
        for note in notes {
            let severity = note.severity();
            if let Some(count) = self.notes.get_mut(severity as usize) {
                *count += 1;
            }
            if self.worst.is_none_or(|(worst, _)| severity > worst) {
                self.worst = Some((severity, note.code));
            }
        }
    }

    /// Takes the end; `cause`: also what it came from, in words.
    pub fn end(&mut self, end: &End, cause: bool) {
        self.how = Some(end.how);
        self.by = end.by;
        self.cause = cause.then(|| end.cause.clone());
        self.begin = end.begin.or(self.begin);
        self.duration_ns = end.duration_ns.map(|ns| u64::try_from(ns).unwrap_or(0));
    }

    /// Messages of every kind, both ways.
    pub fn messages(&self) -> u64 {
        self.sides.to_server.messages().saturating_add(self.sides.to_client.messages())
    }

    /// Payload bytes on the wire, both ways.
    pub fn wire_bytes(&self) -> u64 {
        self.sides.to_server.wire_bytes().saturating_add(self.sides.to_client.wire_bytes())
    }

    /// Round trips of the pings sent this way.
    pub fn round_trips(&self, dir: Direction) -> Option<RoundTrips> {
        self.pings.as_ref()?.trips[dir].summary()
    }

    /// How many in a second; `None` without a duration, and below a second, for that is no rate but a guess.
    pub fn per_second(&self, n: u64) -> Option<u64> {
        self.duration_ns.filter(|ns| *ns >= 1_000_000_000).map(|ns| per_second(n, ns))
    }

    /// How many notes of a severity.
    pub fn notes_of(&self, severity: Severity) -> u64 {
        self.notes.get(severity as usize).copied().unwrap_or(0)
    }
}

fn elapsed(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from)).unwrap_or(0)
}

fn short(text: &str) -> String {
    if text.len() <= NAME {
        return text.to_owned();
    }
    match text.char_indices().nth(NAME) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;

    fn row() -> Row {
        let info = samples::conn(1);
        Row::new(ConnNo(1), &Cx { conn: &info, origin: samples::origin(6, 412) })
    }

    #[test]
    fn a_handshake_names_and_times_the_connection() {
        let mut row = row();
        row.handshake(&samples::handshake(), None);
        assert_eq!(row.path.as_deref(), Some("/chat"));
        assert_eq!((row.status, row.outcome), (Some(101), Outcome::Accepted));
        // Asked at 120 us, answered at 412 us.
        assert_eq!(row.handshake_ns, Some(292_000));
        assert_eq!(row.duration_ns, None);
        row.end(&samples::end(), false);
        assert_eq!((row.how, row.duration_ns), (Some(EndHow::Close), Some(4_800_000)));
        assert_eq!(row.per_second(4), None, "of 4.8 ms");
        row.duration_ns = Some(2_500_000_000);
        assert_eq!(row.per_second(4), Some(2));
    }

    #[test]
    fn a_refusal_lasts_until_its_answer() {
        let mut row = row();
        row.handshake(&samples::rejected(), samples::origin(6, 412).time);
        assert_eq!((row.status, row.duration_ns), (Some(403), Some(292_000)));
    }

    #[test]
    fn the_worst_note_is_the_first_of_the_highest_severity() {
        let mut row = row();
        row.noted(&["proxy-trace", "mask-zero", "client-unmasked", "rsv-set"].map(samples::note));
        assert_eq!(row.worst, Some((Severity::Error, NoteCode::ClientUnmasked)));
        assert_eq!(row.notes, [1, 1, 2]);
        assert_eq!(row.notes_of(Severity::Error), 2);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "ü".repeat(NAME + 1);
        assert_eq!(short(&long), format!("{}…", "ü".repeat(NAME)));
        assert_eq!(short("/chat"), "/chat");
    }
}
