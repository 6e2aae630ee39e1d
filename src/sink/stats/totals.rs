//! What is known of all connections together.
//!
//! Gets: rows when they are over, sizes and times as they come. Gives: [`Totals`] at the end. Keeps: a
//! fixed number of counters, one for each note code seen, and the ten largest connections.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::row::Row;
use super::series::Series;
use super::side::Side;
use crate::event::{EndHow, Outcome};
use crate::note::{Note, NoteCode};
use crate::units::{ConnNo, PerDirection};

/// How many of the largest connections are named.
const TOP: usize = 10;

/// Every outcome, good ones first.
pub const OUTCOMES: [Outcome; 5] =
    [Outcome::Accepted, Outcome::Rejected, Outcome::Invalid, Outcome::Incomplete, Outcome::Unseen];

/// Every way to end, good ones first.
pub const ENDS: [EndHow; 5] =
    [EndHow::Close, EndHow::HalfClose, EndHow::Fin, EndHow::Rst, EndHow::CaptureEnd];

/// All connections together.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Connections by outcome, as [`OUTCOMES`] has them.
    pub outcomes: [u64; 5],
    /// Connections by their end, as [`ENDS`] has them.
    pub ends: [u64; 5],
    /// What went each way.
    pub sides: PerDirection<Side>,
    /// Payload bytes on the wire of whole text and binary messages.
    pub wire_sizes: PerDirection<Histogram>,
    /// The same after inflating, of those whose length is known.
    pub sizes: PerDirection<Histogram>,
    /// Messages over time.
    pub series: Series,
    /// Nanoseconds of all round trips of pings.
    pub round_trips: Histogram,
    /// Notes by code.
    pub codes: BTreeMap<NoteCode, u64>,
    /// The largest connections, largest first.
    pub top: Vec<Talker>,
}

/// One of the largest connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talker {
    /// Its number.
    pub no: ConnNo,
    /// `ip:port` of the client.
    pub client: String,
    /// `ip:port` of the server.
    pub server: String,
    /// The request target.
    pub path: Option<String>,
    /// Messages of every kind, both ways.
    pub messages: u64,
    /// Payload bytes on the wire, both ways.
    pub wire_bytes: u64,
}

impl Totals {
    /// Counts notes by code.
    #[cold]
    pub fn noted(&mut self, notes: &[Note]) {
        for note in notes {
            *self.codes.entry(note.code).or_default() += 1;
        }
    }

    /// Adds a connection that is over.
    pub fn add(&mut self, row: &Row) {
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == row.outcome);
        if let Some(count) = outcome.and_then(|at| self.outcomes.get_mut(at)) {
            *count += 1;
        }
        let end = ENDS.iter().position(|end| Some(*end) == row.how);
        if let Some(count) = end.and_then(|at| self.ends.get_mut(at)) {
            *count += 1;
        }
        self.sides.to_server.merge(&row.sides.to_server);
        self.sides.to_client.merge(&row.sides.to_client);
        if let Some(rate) = row.per_second(row.messages()) {
            self.series.at_least(rate);
        }
        self.rank(row);
    }

    /// Connections and attempts.
    pub fn connections(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Messages of every kind, both ways.
    pub fn messages(&self) -> u64 {
        self.sides.to_server.messages().saturating_add(self.sides.to_client.messages())
    }

    fn rank(&mut self, row: &Row) {
        let bytes = row.wire_bytes();
        let behind = self.top.get(TOP - 1).is_some_and(|last| last.wire_bytes >= bytes);
        if bytes == 0 || behind {
            return;
        }
        let at = self.top.partition_point(|talker| talker.wire_bytes >= bytes);
        self.top.truncate(TOP - 1);
        self.top.insert(
            at,
            Talker {
                no: row.no,
                client: row.conn.client.to_string(),
                server: row.conn.server.to_string(),
                path: row.path.clone(),
                messages: row.messages(),
                wire_bytes: bytes,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Cx, Message};
    use crate::sink::samples;

    #[test]
    fn the_ten_largest_are_named_and_no_more() {
        let info = samples::conn(1);
        let mut totals = Totals::default();
        for n in [5, 30, 7, 12, 19, 2, 25, 8, 3, 11, 17, 1, 30, 0] {
            let mut row = Row::new(ConnNo(n), &Cx { conn: &info, origin: samples::origin(1, 0) });
            let message = Message { wire_len: n, ..samples::text(b"") };
            row.sides.to_client.add(&message, false);
            totals.add(&row);
        }
        let sizes: Vec<u64> = totals.top.iter().map(|talker| talker.wire_bytes).collect();
        assert_eq!(sizes, [30, 30, 25, 19, 17, 12, 11, 8, 7, 5]);
        assert_eq!((totals.connections(), totals.outcomes), (14, [0, 0, 0, 0, 14]));
    }
}
