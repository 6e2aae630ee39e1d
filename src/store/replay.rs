//! Rows as the events that they were.
//!
//! Gets: a [`Snapshot`] and its [`Reader`]. Gives: events again, in their order, to any [`Sink`] that
//! needs no frames: what compares the legs of a proxy works on a session as on a capture. Keeps:
//! one window of the spool.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::record;
use super::spool::Window;
use super::{Conn, Reader, Row, RowKind, Snapshot};
use crate::event::{Cx, Event, Gap, Message, MessageKind, Payload, Sink};
use crate::filter::Unknown;
use crate::units::{MessageNo, Origin};

/// Rows between two calls of `told`.
const OFTEN: usize = 1024;

/// Gives a sink the events of all connections, or of some (by index), and tells now and then how
/// many rows were looked at. `Break` of either ends it.
pub fn replay(
    reader: &Reader,
    snapshot: &Snapshot,
    conns: Option<&BTreeSet<u32>>,
    sink: &mut impl Sink,
    mut told: impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut window = Window::default();
    for (at, row) in snapshot.rows.iter().enumerate() {
        if at.is_multiple_of(OFTEN) {
            told(at)?;
        }
        let index = u32::try_from(row.conn()).unwrap_or(u32::MAX);
        let Some(conn) = snapshot.conns.get(row.conn()) else { continue };
        // A frame that made no message is no event of a message, a gap, or a connection.
        if row.kind() == RowKind::Frame || conns.is_some_and(|set| !set.contains(&index)) {
            continue;
        }
        let bytes = matches!(row.kind(), RowKind::Message(_))
            .then(|| window.record(reader.spool(), row.spool()))
            .flatten();
        let record = bytes.and_then(|bytes| record::read(bytes, usize::MAX));
        let message = record.as_ref().and_then(record::Record::message);
        with_event(row, conn, message, |cx, event, _| sink.event(cx, event))?;
    }
    told(snapshot.rows.len())
}

/// The event that a row stands for; of a message what the row knows of it, if nothing better is
/// given.
pub(super) fn with_event<R>(
    row: &Row,
    conn: &Conn,
    message: Option<Message<'_>>,
    ask: impl FnOnce(&Cx<'_>, &Event<'_>, Unknown) -> R,
) -> R {
    let origin = Origin { packet: row.packet(), time: row.time() };
    let cx = Cx { conn: &conn.info, origin };
    let known = Unknown::default();
    let gap = Gap { dir: row.dir(), bytes: row.len().into() };
    match (row.kind(), &conn.opening, &conn.end) {
        (RowKind::Handshake, Some(handshake), _) => ask(&cx, &Event::Handshake(handshake), known),
        (RowKind::End, _, Some(end)) => ask(&cx, &Event::End(end), known),
        (RowKind::Message(kind), _, _) => {
            let unknown = Unknown { payload: true, notes: true, close: true, frames: true };
            let message = message.unwrap_or_else(|| of_row(row, kind));
            ask(&cx, &Event::Message(&message), unknown)
        }
        // A stray frame is none of the events that a row can stand for but this: it has bytes.
        _ => ask(&cx, &Event::Gap(gap), known),
    }
}

fn of_row(row: &Row, kind: MessageKind) -> Message<'static> {
    Message {
        dir: row.dir(),
        no: MessageNo(row.no().into()),
        kind,
        len: row.len().into(),
        wire_len: row.wire_len().into(),
        frames: 1,
        compressed: row.compressed(),
        complete: row.complete(),
        begin: Origin::default(),
        payload: Payload::Skipped,
        close_code: None,
        close_reason: None,
        notes: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Wants;
    use crate::store::testing::Play;
    use crate::units::Direction;

    /// Writes down what comes.
    #[derive(Default)]
    struct Heard(Vec<String>);

    impl Sink for Heard {
        fn wants(&self) -> Wants {
            Wants::MESSAGES
        }

        fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
            let what = match event {
                Event::Handshake(_) => "open".to_owned(),
                Event::Message(m) => format!("{} {} {:?}", m.dir, m.no, m.payload),
                Event::Gap(gap) => format!("gap of {}", gap.bytes),
                Event::End(end) => end.how.name().to_owned(),
                Event::Frame(_) => "frame".to_owned(),
            };
            self.0.push(format!("{} {what} in {}", cx.conn.client.port(), cx.origin.packet));
            ControlFlow::Continue(())
        }
    }

    fn heard(play: &Play, conns: Option<&BTreeSet<u32>>) -> Vec<String> {
        let mut heard = Heard::default();
        let mut told = Vec::new();
        let _ = replay(&play.reader, &play.reader.snapshot(), conns, &mut heard, |n| {
            told.push(n);
            ControlFlow::Continue(())
        });
        assert_eq!(told, [0, 6], "begin and end");
        heard.0
    }

    #[test]
    fn events_come_again_as_they_were() {
        let mut play = Play::new();
        play.open(1, "/");
        play.open(2, "/");
        play.text(1, Direction::ToServer, "one");
        play.gap(2, Direction::ToClient, 9);
        play.fragments(2, Direction::ToClient, &["t", "wo"]);
        play.end(1);
        let all = [
            "40001 open in 2",
            "40002 open in 4",
            "40001 c2s 1 Text(\"one\") in 5",
            "40002 gap of 9 in 6",
            "40002 s2c 1 Text(\"two\") in 8",
            "40001 close in 9",
        ];
        assert_eq!(heard(&play, None), all);
        assert_eq!(heard(&play, Some(&BTreeSet::from([1]))), [all[1], all[3], all[4]]);
    }
}
