//! `stats`: counts, sizes, rates and round trips, per connection and in total.
//!
//! Gets: events. Gives: a row for each connection when it is over, and totals at the end. Keeps: counts
//! of open connections, totals of fixed size, and for the table the rows of up to [`SORTED`]
//! connections: nothing that grows with the capture, but for attempts whose answer it lacks and that nothing
//! followed, which stay open.
//!
//! Payloads are not read unless [`StatsOptions::inflate`] asks for it. Then the lengths of
//! compressed messages after inflating are not known, and are said to be unknown (`null`); bytes on the
//! wire always are. Notes that only payloads tell (`utf8-invalid`, `inflate-failed`) are missing too, and
//! `overlap-conflict` where the first copy came in order.
//!
//! NDJSON has one `connection` line for each connection or attempt, in the order in which they end:
//!
//! - `conn`, `tcp_stream`, `client`, `server`, `http`, `h2_stream`, `tls`, `outcome`, `subprotocol`,
//!   `extensions`: as in `handshake` of `print --json`, but that behind `-Y` `conn` counts those that nothing
//!   is asked of too; `status`; `path` (the request target, cut at 512
//!   characters).
//! - `time` (its first packet), `packet` (its last event), `duration_ns`, `handshake_ns` (from the
//!   request's last byte to the answer's first); `how`, `by`, `cause`: as in `end`.
//! - `c2s` and `s2c`: `messages` (of every kind, incomplete ones too); whole messages by kind: `text`,
//!   `binary`, `ping`, `pong`, `close`; `incomplete`; of all of these `frames`,
//!   `fragmented_messages`, `compressed_messages` and `wire_payload_bytes` (on the wire, as frames
//!   announce them); of the whole ones `payload_bytes` (text and binary, after inflating; null where not
//!   inflated), `control_payload_bytes` and `wire_bytes_by_kind`; `compression` ({wire, inflated}
//!   bytes of the compressed messages; null where there are none or they were not inflated);
//!   `gaps`, `gap_bytes`; `messages_per_second`, `bytes_per_second` (on the wire, over
//!   `duration_ns`; null where that is below a second); `pings` (`{answered, min_ns, median_ns, max_ns}`:
//!   round trips of the pings sent this way).
//! - `notes` {error, warning, info}, `worst_note` ({code, severity} or null).
//!
//! The last line is `stats`: `packets`, `bytes`, `first_time`, `last_time`, `tcp_streams`, `connections`,
//! `messages`; `outcomes` and `ended` by name; `c2s` and `s2c` as above, without `pings` and with
//! `wire_sizes` and `sizes` ({count, min, p50, p90, p99, max} of whole text and binary messages, on the
//! wire and after inflating; quantiles at most 3 % too high; `sizes` is null where `payload_bytes` is);
//! `over_time` (`{start, stretch_ns, c2s: [messages...], s2c: [...], peak_per_second}`: at most in a second,
//! both ways together, and no less than any rate above); `pings`
//! (`{answered, min_ns, p50_ns, p90_ns, p99_ns, max_ns}`); `notes` {error, warning, info},
//! `notes_by_code`; `top` (the ten largest connections by bytes on the wire); `unread`, `skipped`, `no_tcp`,
//! `dropped`, `truncated` as in `capture`.

pub mod histogram;
mod json;
pub mod pings;
pub mod row;
pub mod series;
pub mod side;
mod table;
mod text;
pub mod totals;

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Counted, Cx, Event, Later, Message, Sink, Wants};
use crate::sink::numbers::is_last;
use crate::sink::outlet::Outlet;
use crate::sink::paint::Paint;
use crate::sink::select::{Everything, Select};
use crate::sink::text::Verbosity;
use crate::sink::{Output, Summary, Tally, notes_of};
use crate::units::{ConnKey, ConnNo, Timestamp};

use row::Row;
use totals::Totals;

/// Rows kept to be sorted before they are written: a few MiB. Beyond, they are written as connections end.
pub const SORTED: usize = 10_000;

/// What the rows of the table are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Number, which is the order of first appearance.
    #[default]
    Number,
    /// Messages, most first.
    Messages,
    /// Payload bytes on the wire, most first.
    Bytes,
    /// Duration, longest first.
    Duration,
    /// Worst note, then how many.
    Notes,
}

/// How statistics look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsOptions {
    /// NDJSON instead of text.
    pub json: bool,
    /// Read payloads too: lengths after inflating, and all notes.
    pub inflate: bool,
    /// Order of the table.
    pub sort: Sort,
    /// Columns of a line of text; `None`: as long as it is.
    pub width: Option<usize>,
    /// Text with colour or without.
    pub paint: Paint,
    /// Quiet: totals only. Verbose: more of each connection.
    pub verbosity: Verbosity,
}

impl Default for StatsOptions {
    fn default() -> Self {
        Self {
            json: false,
            inflate: false,
            sort: Sort::Number,
            width: Some(80),
            paint: Paint::Plain,
            verbosity: Verbosity::Normal,
        }
    }
}

/// Counts. With a [`Select`], only the events that it selects count, and only connections of which it
/// selects some.
#[derive(Debug)]
pub struct StatsSink<W, S = Everything> {
    out: Outlet<W>,
    options: StatsOptions,
    select: S,
    inflated: bool,
    /// What ended each connection is told.
    causes: bool,
    tally: Tally,
    open: Open,
    totals: Totals,
    table: table::Table,
}

impl<W: Write> StatsSink<W> {
    /// Of everything, to a writer.
    pub fn new(writer: W, options: StatsOptions) -> Self {
        Self::of(writer, options, Everything)
    }
}

impl<W: Write, S: Select> StatsSink<W, S> {
    /// Of what is selected, to a writer.
    pub fn of(writer: W, mut options: StatsOptions, select: S) -> Self {
        let inflated = options.inflate || select.needs_payload();
        options.inflate = inflated;
        Self {
            out: Outlet::new(writer),
            table: table::Table::new(&options),
            causes: options.json || options.verbosity == Verbosity::Verbose,
            options,
            select,
            inflated,
            tally: Tally::default(),
            open: Open::default(),
            totals: Totals::default(),
        }
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    /// Takes a message: the way of nearly all events.
    #[inline]
    fn message(&mut self, cx: &Cx<'_>, event: &Event<'_>, message: &Message<'_>) {
        let place = self.open.place(cx);
        let selected = self.select.selects(cx, event);
        let Some(row) = self.open.row(place) else { return };
        row.touch(cx.origin, selected);
        if !selected {
            return;
        }
        if !message.notes.is_empty() {
            row.noted(message.notes);
            self.totals.noted(message.notes);
        }
        self.tally.count(event);
        row.sides[message.dir].add(message, self.inflated);
        self.totals.series.add(message.dir, cx.origin.time);
        if message.kind.is_control() {
            if let Some(took) = row.heartbeat(message) {
                self.totals.round_trips.add(took);
            }
        } else if message.complete {
            self.totals.wire_sizes[message.dir].add(message.wire_len);
            // Without inflating, the two differ by nothing or are not told.
            if self.inflated {
                self.totals.sizes[message.dir].add(message.len);
            }
        }
    }

    /// Takes anything but a message.
    #[inline(never)]
    fn other(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let place = self.open.place(cx);
        let selected = self.select.selects(cx, event);
        if let Some(row) = self.open.row(place) {
            row.touch(cx.origin, selected);
            match event {
                Event::Handshake(handshake) => row.handshake(handshake, cx.origin.time),
                Event::End(end) => row.end(end, self.causes),
                Event::Gap(gap) if selected => row.sides[gap.dir].gap(gap.bytes),
                _ => {}
            }
            let notes = notes_of(event);
            if selected && !notes.is_empty() {
                row.noted(notes);
                self.totals.noted(notes);
            }
        }
        if selected {
            self.tally.count(event);
        }
        if is_last(event)
            && let Some(place) = self.open.close(cx.conn.key)
        {
            return self.over(place);
        }
        ControlFlow::Continue(())
    }

    /// The connection whose row is there is over.
    fn over(&mut self, place: usize) -> ControlFlow<()> {
        let row = self.open.rows.get(place).filter(|row| row.is_selected());
        let Some(row) = row else { return ControlFlow::Continue(()) };
        self.totals.add(row);
        if self.options.json {
            json::connection(self.out.buf(), row);
        } else {
            self.table.add(self.out.buf(), row);
        }
        self.out.line_done()
    }
}

impl<W: Write, S: Select> Sink for StatsSink<W, S> {
    fn wants(&self) -> Wants {
        Wants { frames: false, payload: self.inflated }
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Message(message) => {
                self.message(cx, event, message);
                ControlFlow::Continue(())
            }
            _ => self.other(cx, event),
        }
    }

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        if !self.select.selects_all() {
            return self.event(cx, &Event::Message(&counted.message(cx.origin)));
        }
        let Counted { dir, kind, compressed, wire_len, .. } = counted;
        let place = self.open.place(cx);
        let Some(row) = self.open.row(place) else { return ControlFlow::Continue(()) };
        row.sides[dir].single(cx.origin.packet, kind, compressed, wire_len);
        self.tally.messages += 1;
        self.totals.series.add(dir, cx.origin.time);
        self.totals.wire_sizes[dir].add(wire_len);
        ControlFlow::Continue(())
    }

    fn later(&self) -> Later {
        if self.select.needs_payload() { Later::Whole } else { Later::Facts }
    }
}

impl<W: Write, S: Select> Output for StatsSink<W, S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
        self.totals.series.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        for place in self.open.rest() {
            // The outlet remembers a failure, and tells it below.
            let _ = self.over(place);
        }
        // Of those asked for the handshakes need not be.
        self.tally.connections = self.totals.connections();
        let buf = self.out.buf();
        if self.options.json {
            json::totals(buf, &self.totals, end, &self.tally, self.inflated);
        } else {
            self.table.finish(buf);
            text::totals(buf, &self.totals, end, &self.tally, &self.options);
        }
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    places: HashMap<ConnKey, usize, foldhash::fast::RandomState>,
    /// Their rows; those that are over stand there until their places are needed.
    rows: Vec<Row>,
    free: Vec<usize>,
    /// The connection of the last event: most events are of the same one as the one before.
    last: Option<(ConnKey, usize)>,
    /// Connections so far; they are numbered in the order of first appearance.
    given: u64,
}

impl Open {
    /// Where the row of an event's connection is; a new one for a new connection.
    #[inline]
    fn place(&mut self, cx: &Cx<'_>) -> usize {
        let key = cx.conn.key;
        if let Some((last, place)) = self.last
            && last == key
        {
            return place;
        }
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.add(cx),
        };
        self.last = Some((key, place));
        place
    }

    fn row(&mut self, place: usize) -> Option<&mut Row> {
        self.rows.get_mut(place)
    }

    fn add(&mut self, cx: &Cx<'_>) -> usize {
        self.given += 1;
        let row = Row::new(ConnNo(self.given), cx);
        let free = self.free.pop();
        let place =
            if let Some((place, slot)) = free.and_then(|at| Some((at, self.rows.get_mut(at)?))) {
                *slot = row;
                place
            } else {
                self.rows.push(row);
                self.rows.len() - 1
            };
        self.places.insert(cx.conn.key, place);
        place
    }

    /// A connection is over: its row stays where it is until the next one begins.
    fn close(&mut self, key: ConnKey) -> Option<usize> {
        self.last = None;
        let place = self.places.remove(&key)?;
        self.free.push(place);
        Some(place)
    }

    /// Connections without an end, by number.
    fn rest(&mut self) -> Vec<usize> {
        self.last = None;
        let mut rest: Vec<usize> = self.places.drain().map(|(_, place)| place).collect();
        rest.sort_by_key(|place| self.rows.get(*place).map(|row| row.no));
        rest
    }
}

#[cfg(test)]
mod tests;
