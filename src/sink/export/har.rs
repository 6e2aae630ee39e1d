//! HAR 1.2 with WebSocket messages, as Chrome writes them.
//!
//! Gets: every event, and which are asked for. Gives: one JSON document, an entry for each connection
//! or attempt of which something is asked for, in the order in which they end. Keeps: for each open
//! connection what is written of it so far, in a [`Spool`].
//!
//! `_webSocketMessages` holds `type` (`send`: by the client, `receive`), `time` (seconds since 1970),
//! `opcode` (control frames too: 8, 9, 10), `data` (text as it is with opcode 1, anything else in
//! base64). What wstap adds begins with `_` as HAR 1.2 section "Custom fields" asks: `_incomplete` on
//! messages that lack bytes, `_text: false` where a text message is no UTF-8 and its data is base64, and of
//! an entry `_conn`, `_outcome`, and `_how` where it has an end. Notes, where there are some, are `_notes` of
//! a message and of an entry (its handshake's), and `_endNotes` (those of its end).

mod head;

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Cx, End, Event, Handshake, Message, MessageKind, Payload, Sink, Wants};
use crate::note::Note;
use crate::sink::json::line::{note, separated};
use crate::sink::json::write::{base64, number, raw, string};
use crate::sink::numbers::is_last;
use crate::sink::outlet::Outlet;
use crate::sink::select::{Everything, Select};
use crate::sink::{Output, Summary, Tally};
use crate::units::{ConnKey, ConnNo, Direction, Timestamp};

use super::spool::{Spool, Thread};

/// Writes a HAR document.
#[derive(Debug)]
pub struct HarSink<W, S = Everything> {
    out: Outlet<W>,
    select: S,
    tally: Tally,
    spool: Spool,
    open: HashMap<ConnKey, Entry, foldhash::fast::RandomState>,
    given: u64,
    written: u64,
    failed: Option<io::Error>,
}

/// A connection that is open.
#[derive(Debug, Default)]
struct Entry {
    no: ConnNo,
    text: Thread,
    messages: u64,
    selected: bool,
    times: Times,
}

/// What the timings of an entry come from.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    begin: Option<Timestamp>,
    asked: Option<Timestamp>,
    answered: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl<W: Write> HarSink<W> {
    /// Of everything, to a writer.
    pub fn new(writer: W) -> Self {
        Self::of(writer, Everything)
    }
}

impl<W: Write, S: Select> HarSink<W, S> {
    /// Of what is selected, to a writer.
    pub fn of(writer: W, select: S) -> Self {
        let mut out = Outlet::new(writer);
        raw(
            out.buf(),
            "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"wstap\",\"version\":",
        );
        string(out.buf(), env!("CARGO_PKG_VERSION"));
        raw(out.buf(), "},\"pages\":[],\"entries\":[");
        Self {
            out,
            select,
            tally: Tally::default(),
            spool: Spool::default(),
            open: HashMap::default(),
            given: 0,
            written: 0,
            failed: None,
        }
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    fn take(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> io::Result<()> {
        let selected = self.select.selects(cx, event);
        let Self { open, spool, given, tally, .. } = self;
        let entry = open.entry(cx.conn.key).or_insert_with(|| {
            *given += 1;
            Entry { no: ConnNo(*given), ..Entry::default() }
        });
        entry.selected |= selected;
        entry.times.last = cx.origin.time.max(entry.times.last);
        match event {
            Event::Handshake(handshake) => {
                entry.times.learn(handshake, cx);
                let (no, begin) = (entry.no, entry.times.begin);
                spool.append(&mut entry.text, |buf| head::entry(buf, no, cx, handshake, begin))?;
            }
            Event::Message(m) if selected => {
                let first = entry.messages == 0;
                entry.messages += 1;
                spool.append(&mut entry.text, |buf| {
                    raw(buf, if first { "\n" } else { ",\n" });
                    message(buf, cx, m);
                })?;
            }
            _ => {}
        }
        if selected {
            tally.count(event);
        }
        if self.spool.is_crowded() {
            self.open.values_mut().try_for_each(|entry| self.spool.spill(&mut entry.text))?;
        }
        if is_last(event) {
            let end = if let Event::End(end) = event { Some(*end) } else { None };
            if let Some(entry) = self.open.remove(&cx.conn.key) {
                self.over(&entry, end)?;
            }
        }
        Ok(())
    }

    /// Writes an entry, if anything of it was asked for.
    fn over(&mut self, entry: &Entry, end: Option<&End>) -> io::Result<()> {
        if !entry.selected {
            return self.spool.drop_thread(&entry.text);
        }
        let (out, times) = (&mut self.out, entry.times);
        raw(out.buf(), if self.written == 0 { "\n" } else { ",\n" });
        self.written += 1;
        let mut going = true;
        self.spool.take(&entry.text, |piece| {
            out.buf().extend_from_slice(piece);
            going &= out.line_done().is_continue();
            Ok(())
        })?;
        times.write(out.buf());
        finish_entry(out.buf(), end);
        Ok(())
    }
}

impl<W: Write, S: Select> Sink for HarSink<W, S> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if let Err(error) = self.take(cx, event) {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        self.out.line_done()
    }
}

impl<W: Write, S: Select> Output for HarSink<W, S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        let mut rest: Vec<Entry> = self.open.drain().map(|(_, entry)| entry).collect();
        rest.sort_by_key(|entry| entry.no);
        let mut failed = self.failed.take();
        for entry in rest {
            if failed.is_none() {
                failed = self.over(&entry, None).err();
            }
        }
        raw(self.out.buf(), "\n]");
        if let Some(truncated) = end.truncated {
            raw(self.out.buf(), ",\"comment\":");
            string(self.out.buf(), &format!("the capture was not read to its end: {truncated}"));
        }
        raw(self.out.buf(), "}}\n");
        let finished = self.out.finish();
        failed.map_or(finished, Err)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Times {
    fn learn(&mut self, handshake: &Handshake, cx: &Cx<'_>) {
        let (request, response) = (handshake.request.as_ref(), handshake.response.as_ref());
        let heads = request.map(|head| head.begin).or(response.map(|head| head.begin));
        self.begin = heads.unwrap_or(cx.origin).time;
        self.asked = request.and_then(|head| head.origin.time);
        self.answered = response.and_then(|head| head.begin.time);
    }

    /// `time` and `timings`, in milliseconds: `receive` lasts until the connection ends, as in Chrome.
    fn write(&self, buf: &mut Vec<u8>) {
        let begin = self.begin.or(self.asked).or(self.answered);
        let asked = self.asked.or(begin);
        let answered = self.answered.or(asked);
        let parts = [(begin, asked), (asked, answered), (answered, self.last)];
        let [send, wait, receive] = parts.map(|(from, to)| {
            from.zip(to).map_or(0, |(from, to)| u64::try_from(to.since(from)).unwrap_or(0))
        });
        raw(buf, "\n],\"time\":");
        millis(buf, send.saturating_add(wait).saturating_add(receive));
        for (name, ns) in [("send", send), ("wait", wait), ("receive", receive)] {
            raw(buf, if name == "send" { ",\"timings\":{\"" } else { ",\"" });
            raw(buf, name);
            raw(buf, "\":");
            millis(buf, ns);
        }
        raw(buf, "}");
    }
}

/// What comes behind the messages and the timings.
fn finish_entry(buf: &mut Vec<u8>, end: Option<&End>) {
    if let Some(end) = end {
        raw(buf, ",\"_how\":\"");
        raw(buf, end.how.name());
        raw(buf, "\",\"comment\":");
        string(buf, &end.cause);
        notes(buf, "_endNotes", &end.notes);
    }
    raw(buf, "}");
}

fn message(buf: &mut Vec<u8>, cx: &Cx<'_>, message: &Message<'_>) {
    raw(
        buf,
        match message.dir {
            Direction::ToServer => "{\"type\":\"send\",\"time\":",
            Direction::ToClient => "{\"type\":\"receive\",\"time\":",
        },
    );
    seconds(buf, cx.origin.time);
    raw(buf, ",\"opcode\":");
    number(buf, message.kind.opcode().bits());
    raw(buf, ",\"data\":");
    match (message.kind, message.payload) {
        (MessageKind::Text, Payload::Text(text)) => string(buf, text),
        (kind, payload) => {
            base64(buf, payload.bytes());
            if kind == MessageKind::Text {
                raw(buf, ",\"_text\":false");
            }
        }
    }
    if !message.complete {
        raw(buf, ",\"_incomplete\":true");
    }
    notes(buf, "_notes", message.notes);
    raw(buf, "}");
}

/// Notes, where there are some.
fn notes(buf: &mut Vec<u8>, name: &str, list: &[Note]) {
    if list.is_empty() {
        return;
    }
    raw(buf, ",\"");
    raw(buf, name);
    raw(buf, "\":[");
    separated(buf, list, note);
    raw(buf, "]");
}

/// Nanoseconds as milliseconds.
fn millis(buf: &mut Vec<u8>, ns: u64) {
    number(buf, ns / 1_000_000);
    fraction(buf, ns % 1_000_000, 6);
}

/// A time as seconds since 1970; 0 for a packet without one.
fn seconds(buf: &mut Vec<u8>, time: Option<Timestamp>) {
    let ns = time.unwrap_or_default().0;
    if ns < 0 {
        buf.push(b'-');
    }
    let ns = ns.unsigned_abs();
    number(buf, ns / 1_000_000_000);
    fraction(buf, ns % 1_000_000_000, 9);
}

fn fraction(buf: &mut Vec<u8>, part: u64, digits: usize) {
    raw(buf, &format!(".{part:0digits$}"));
}

#[cfg(test)]
mod tests;
