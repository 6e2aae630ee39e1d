//! Events to rows, counters and records.
//!
//! Gets: [`Event`]s. Gives: rows and connections under a lock that is held for one event, and
//! records to the spool. Keeps: of each open connection the frames of unfinished messages, and the
//! pings that wait for their pong.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::{FixedState, RandomState};

use super::conns::worst;
use super::record::{self, FrameMeta};
use super::row::{Parts, Row, RowKind};
use super::{Conn, Keep, Rows, Shared};
use crate::event::{
    Cx, End, Event, Frame, Gap, Handshake, Message, MessageKind, Opcode, Outcome, Sink, Wants,
};
use crate::units::{ConnKey, ConnNo, Direction, Origin, PerDirection, Timestamp};
use crate::ws::pings::Waiting;

/// Fills a store.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    open: HashMap<ConnKey, Active, RandomState>,
    /// Connections by their key, to find the other leg of a proxy; bounded.
    legs: HashMap<u64, u32, RandomState>,
    scratch: Vec<u8>,
}

/// What is remembered of an open connection.
#[derive(Debug, Default)]
struct Active {
    index: u32,
    halves: PerDirection<Half>,
    /// Pings that wait for their pong, with their times.
    pings: PerDirection<Waiting<Timestamp>>,
}

#[derive(Debug, Default)]
struct Half {
    /// Frames of the data message that is not finished.
    data: Vec<FrameMeta>,
    /// Their payloads, when they are compressed.
    wire: Vec<u8>,
    compressed: bool,
    /// The control frame whose message comes next.
    control: Option<FrameMeta>,
    /// Of the last data message, to recognise a repeated one.
    last: Option<u64>,
}

/// Frames remembered of one unfinished message; of more only the first and the last are.
const FRAMES: usize = record::FRAMES;
/// Wire bytes kept of one message.
const WIRE: usize = 64 << 20;
/// Handshake keys remembered.
const LEGS: usize = 1 << 16;
/// A message that is no keep-alive is longer.
const KEEP_ALIVE: usize = 128;
/// Where a row has no record.
const NO_RECORD: u64 = u64::MAX;

/// What applications send to keep a connection alive: engine.io, graphql-ws, `SockJS`, Phoenix, and
/// the plain words.
const KEEP_ALIVES: [&[u8]; 12] = [
    b"2",
    b"3",
    b"h",
    b"ping",
    b"pong",
    b"PING",
    b"PONG",
    b"{\"type\":\"ping\"}",
    b"{\"type\":\"pong\"}",
    b"{\"type\":\"ka\"}",
    b"{\"op\":\"ping\"}",
    b"{\"op\":\"pong\"}",
];

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: HashMap::default(), legs: HashMap::default(), scratch: Vec::new() }
    }

    /// Tells when the first packet was captured, whether or not anything comes of it.
    pub fn begin(&mut self, first: Option<Timestamp>) {
        let mut table = self.shared.table();
        table.first = table.first.or(first);
    }

    /// Forgets all rows, and the connections that are over; numbers begin anew.
    pub fn clear(&mut self, keep: Keep) {
        if keep == Keep::Nothing {
            self.open.clear();
        }
        self.legs.clear();
        let mut open: Vec<&mut Active> = self.open.values_mut().collect();
        open.sort_unstable_by_key(|active| active.index);
        let mut table = self.shared.table();
        if keep == Keep::Nothing {
            table.first = None;
        }
        let old = std::mem::take(&mut table.conns);
        for active in open {
            let index = u32::try_from(table.conns.len()).unwrap_or(u32::MAX);
            let Some(conn) = old.get(active.index as usize) else { continue };
            table.conns.push(conn.emptied(ConnNo(u64::from(index) + 1)));
            active.index = index;
        }
        table.rows = Rows::default();
        table.epoch += 1;
        self.shared.spool.clear();
    }

    fn handshake(&mut self, cx: &Cx<'_>, handshake: &Handshake) {
        let index = self.index(cx);
        let leg = self.leg(handshake, index);
        let parts = Parts {
            kind: RowKind::Handshake,
            complete: handshake.outcome != Outcome::Incomplete,
            worst: worst(&handshake.notes),
            ..bare(cx.origin, index)
        };
        self.row(cx, &parts, |conn| {
            conn.opening = Some(Arc::new(handshake.clone()));
            conn.count(&handshake.notes);
            conn.leg = leg;
        });
        if let Some(other) = leg
            && let Some(conn) = self.shared.table().conns.get_mut(other as usize)
        {
            conn.leg = Some(index);
        }
        if handshake.last {
            self.open.remove(&cx.conn.key);
        }
    }

    /// The other leg of a proxy that passes the key on; both ends of it have one key.
    fn leg(&mut self, handshake: &Handshake, index: u32) -> Option<u32> {
        let key = handshake.request.as_ref()?.fields.first("sec-websocket-key")?;
        let hash = hash(key);
        let other = self.legs.get(&hash).copied();
        if self.legs.len() < LEGS {
            self.legs.insert(hash, index);
        }
        other
    }

    fn frame(&mut self, cx: &Cx<'_>, frame: &Frame<'_>) {
        let meta = FrameMeta::new(frame, cx.origin);
        let index = self.index(cx);
        let half = self.half(cx, frame.dir);
        match frame.opcode {
            Opcode::Reserved(_) => self.stray(cx, index, frame),
            opcode if opcode.is_control() => half.control = Some(meta),
            opcode => half.take(opcode, meta, frame.payload),
        }
    }

    fn stray(&mut self, cx: &Cx<'_>, index: u32, frame: &Frame<'_>) {
        self.scratch.clear();
        record::write_frame(&mut self.scratch, frame, cx.origin);
        let spool = self.shared.spool.append(&self.scratch).unwrap_or(NO_RECORD);
        let parts = Parts {
            kind: RowKind::Frame,
            dir: frame.dir,
            len: frame.len,
            wire_len: frame.len,
            complete: frame.complete,
            worst: worst(frame.notes),
            spool,
            ..bare(cx.origin, index)
        };
        self.row(cx, &parts, |conn| conn.count(frame.notes));
    }

    fn message(&mut self, cx: &Cx<'_>, message: &Message<'_>) {
        let index = self.index(cx);
        let active = self.open.entry(cx.conn.key).or_default();
        let rtt = active.pings.round_trip(message).and_then(|ns| i64::try_from(ns).ok());
        let half = &mut active.halves[message.dir];
        let bytes = message.payload.bytes();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let mut repeated = false;
        if message.kind.is_control() {
            let frames = half.control.take();
            record::write(&mut scratch, message, frames.as_slice(), None, rtt);
        } else {
            repeated = half.repeats(bytes);
            let wire = half.compressed.then_some(&*half.wire);
            record::write(&mut scratch, message, &half.data, wire, rtt);
            half.clear();
        }
        let spool = self.shared.spool.append(&scratch).unwrap_or(NO_RECORD);
        // After a giant, back to a usual size.
        self.scratch = if scratch.capacity() > 1 << 22 { Vec::new() } else { scratch };
        let parts = Parts {
            kind: RowKind::Message(message.kind),
            dir: message.dir,
            no: message.no.0,
            len: message.len,
            wire_len: message.wire_len,
            complete: message.complete,
            compressed: message.compressed,
            fragmented: message.frames > 1,
            repeated,
            worst: worst(message.notes),
            spool,
            ..bare(cx.origin, index)
        };
        self.row(cx, &parts, |conn| {
            conn.count(message.notes);
            conn.traffic[message.dir].count(message);
            if let Some(ns) = rtt {
                conn.rtt.add(ns);
            }
        });
    }

    fn gap(&mut self, cx: &Cx<'_>, gap: Gap) {
        let index = self.index(cx);
        let parts = Parts {
            kind: RowKind::Gap,
            dir: gap.dir,
            len: gap.bytes,
            wire_len: gap.bytes,
            complete: false,
            worst: Some(crate::note::Severity::Warning),
            ..bare(cx.origin, index)
        };
        self.row(cx, &parts, |conn| conn.missing = conn.missing.saturating_add(gap.bytes));
    }

    fn end(&mut self, cx: &Cx<'_>, end: &End) {
        let index = self.index(cx);
        let dir = end.by.unwrap_or(Direction::ToServer);
        let parts =
            Parts { kind: RowKind::End, dir, worst: worst(&end.notes), ..bare(cx.origin, index) };
        self.row(cx, &parts, |conn| {
            conn.count(&end.notes);
            conn.end = Some(Arc::new(end.clone()));
        });
        self.open.remove(&cx.conn.key);
    }

    /// Adds the row and changes its connection, under one lock.
    fn row(&self, cx: &Cx<'_>, parts: &Parts, change: impl FnOnce(&mut Conn)) {
        let mut table = self.shared.table();
        // A row's number is 32 bits wide in every list of rows: 160 GB of them are enough.
        if u32::try_from(table.rows.len()).is_ok() {
            table.rows.push(Row::new(parts));
        }
        if let Some(conn) = table.conns.get_mut(parts.conn as usize) {
            conn.last = cx.origin;
            change(conn);
        }
    }

    /// The connection's index, which a first event gives it.
    fn index(&mut self, cx: &Cx<'_>) -> u32 {
        if let Some(active) = self.open.get(&cx.conn.key) {
            return active.index;
        }
        let mut table = self.shared.table();
        let index = u32::try_from(table.conns.len()).unwrap_or(u32::MAX);
        let no = ConnNo(u64::from(index) + 1);
        table.conns.push(Conn::new(cx.conn.clone(), no, cx.origin));
        drop(table);
        self.open.insert(cx.conn.key, Active { index, ..Active::default() });
        index
    }

    fn half(&mut self, cx: &Cx<'_>, dir: Direction) -> &mut Half {
        &mut self.open.entry(cx.conn.key).or_default().halves[dir]
    }
}

impl Half {
    fn take(&mut self, opcode: Opcode, meta: FrameMeta, payload: &[u8]) {
        if opcode != Opcode::Continuation {
            // What was there belonged to a message that was never finished.
            self.clear();
            self.compressed = meta.rsv & 0b100 != 0;
        }
        let full = self.data.len() >= FRAMES;
        match self.data.last_mut().filter(|_| full) {
            Some(last) => *last = meta,
            None => self.data.push(meta),
        }
        if self.compressed && self.wire.len().saturating_add(payload.len()) <= WIRE {
            self.wire.extend_from_slice(payload);
        }
    }

    fn clear(&mut self) {
        self.data.clear();
        self.wire.clear();
        self.compressed = false;
        if self.wire.capacity() > 1 << 20 {
            self.wire = Vec::new();
        }
    }

    /// Is it a keep-alive: the same as the one before, or one of the usual words.
    fn repeats(&mut self, payload: &[u8]) -> bool {
        if payload.len() > KEEP_ALIVE {
            self.last = None;
            return false;
        }
        let this = Some(hash(payload));
        let same = self.last == this && !payload.is_empty();
        self.last = this;
        same || KEEP_ALIVES.contains(&payload)
    }
}

impl super::Traffic {
    fn count(&mut self, message: &Message<'_>) {
        let at = MessageKind::ALL.iter().position(|kind| *kind == message.kind);
        if let Some(count) = at.and_then(|at| self.kinds.get_mut(at)) {
            *count += 1;
        }
        self.bytes = self.bytes.saturating_add(message.len);
        // What was cut off was announced only: that can be any number up to 2^63.
        let came = if message.complete { u64::MAX } else { message.len };
        self.wire_bytes = self.wire_bytes.saturating_add(message.wire_len.min(came));
        if message.compressed && message.complete {
            let (plain, wire) = &mut self.compressed;
            *plain = plain.saturating_add(message.len);
            *wire = wire.saturating_add(message.wire_len);
        }
    }
}

impl Sink for Writer {
    fn wants(&self) -> Wants {
        Wants::ALL
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Handshake(handshake) => self.handshake(cx, handshake),
            Event::Frame(frame) => self.frame(cx, frame),
            Event::Message(message) => self.message(cx, message),
            Event::Gap(gap) => self.gap(cx, *gap),
            Event::End(end) => self.end(cx, end),
        }
        ControlFlow::Continue(())
    }
}

/// A row that says nothing but where it belongs.
fn bare(origin: Origin, conn: u32) -> Parts {
    Parts {
        kind: RowKind::Frame,
        dir: Direction::ToServer,
        time: origin.time,
        packet: origin.packet,
        conn,
        no: 0,
        len: 0,
        wire_len: 0,
        complete: true,
        compressed: false,
        fragmented: false,
        repeated: false,
        worst: None,
        spool: NO_RECORD,
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;
    use crate::store::testing::Play;

    #[test]
    fn a_fragmented_message_is_one_row_with_all_its_frames() {
        let mut play = Play::new();
        play.open(1, "/chat");
        play.fragments(1, Direction::ToClient, &["Hel", "lo"]);
        let snapshot = play.reader.snapshot();
        let row = snapshot.rows.get(1).unwrap();
        assert_eq!(row.kind(), RowKind::Message(MessageKind::Text));
        assert!(row.fragmented());
        let record = play.reader.record(row, usize::MAX).unwrap();
        assert_eq!(record.payload, b"Hello");
        assert_eq!(record.frames.len(), 2);
        assert_eq!(record.frames[0].opcode, Opcode::Text);
        assert_eq!(record.frames[1].opcode, Opcode::Continuation);
    }

    #[test]
    fn a_pong_knows_its_round_trip() {
        let mut play = Play::new();
        play.open(1, "/");
        play.control(1, Direction::ToServer, MessageKind::Ping, b"a");
        play.control(1, Direction::ToServer, MessageKind::Ping, b"b");
        play.control(1, Direction::ToClient, MessageKind::Pong, b"b");
        let snapshot = play.reader.snapshot();
        let rtt = snapshot.conns.get(0).unwrap().rtt;
        assert_eq!((rtt.count, rtt.max), (1, Play::STEP));
        let pong = snapshot.rows.get(3).unwrap();
        assert_eq!(play.reader.record(pong, 9).unwrap().rtt, Some(Play::STEP));
    }

    #[test]
    fn a_pong_answers_the_latest_of_equal_pings() {
        let mut play = Play::new();
        play.open(1, "/");
        play.control(1, Direction::ToServer, MessageKind::Ping, b"");
        play.text(1, Direction::ToServer, "later");
        play.control(1, Direction::ToServer, MessageKind::Ping, b"");
        play.control(1, Direction::ToClient, MessageKind::Pong, b"");
        let rtt = play.reader.snapshot().conns.get(0).unwrap().rtt;
        assert_eq!((rtt.count, rtt.max), (1, Play::STEP));
    }

    #[test]
    fn keep_alives_of_applications_are_heartbeats() {
        let mut play = Play::new();
        play.open(1, "/");
        for text in ["tick", "tick", "news", "{\"type\":\"ping\"}"] {
            play.text(1, Direction::ToClient, text);
        }
        let rows = play.reader.snapshot().rows;
        let beats: Vec<_> = rows.iter().skip(1).map(Row::heartbeat).collect();
        assert_eq!(beats, [false, true, false, true]);
    }

    #[test]
    fn both_legs_of_a_proxy_know_of_each_other() {
        let mut play = Play::new();
        play.open(1, "/");
        play.open(2, "/");
        play.open_with_key(3, "/", "eDEyMzQ1Njc4OTAxMjM0NQ==");
        let conns = play.reader.snapshot().conns;
        let legs: Vec<_> = conns.iter().map(|conn| conn.leg).collect();
        assert_eq!(legs, [Some(1), Some(0), None]);
    }

    #[test]
    fn counters_follow_the_messages_of_each_direction() {
        let mut play = Play::new();
        play.open(1, "/");
        play.text(1, Direction::ToServer, "abc");
        play.control(1, Direction::ToClient, MessageKind::Ping, b"");
        play.end(1);
        let conn = play.reader.snapshot().conns.get(0).unwrap().clone();
        assert_eq!(conn.traffic.to_server.bytes, 3);
        assert_eq!(conn.traffic.to_client.of(MessageKind::Ping), 1);
        assert_eq!(conn.messages(), 2);
        assert!(conn.over());
    }

    #[test]
    fn bytes_that_were_only_announced_are_not_counted() {
        let mut traffic = super::super::Traffic::default();
        let whole = samples::text(b"hello");
        traffic.count(&whole);
        traffic.count(&Message { complete: false, wire_len: 1 << 62, ..whole });
        assert_eq!(traffic.wire_bytes, 10);
    }
}
