//! CSV (RFC 4180): a line for each message, for spreadsheets.
//!
//! Gets: every event, and which are asked for. Gives: a heading and lines that end with CR LF. Keeps: what
//! names the open connections.
//!
//! A cell that begins like a formula (`=`, `+`, `-`, `@`) gets an apostrophe in front, for spreadsheets
//! would run it; control characters and those that change the order of text are spelled out (`\n`,
//! `\x1b`), while a backslash stays as it is: doubled, it would break the JSON in a cell. So a line feed looks
//! like the two characters `\n`; [`Cells::Verbatim`] writes text exactly as it was sent.

use std::io::{self, Write};
use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::known::Known;
use crate::event::{Cx, Event, Message, Payload, Sink, Wants};
use crate::sink::escape::Escaped;
use crate::sink::outlet::Outlet;
use crate::sink::select::{Everything, Select};
use crate::sink::{Output, Summary, Tally};
use crate::units::Timestamp;

/// How text from the network is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// Harmless for spreadsheets and terminals.
    #[default]
    Guarded,
    /// As it was sent.
    Verbatim,
}

/// The columns.
pub const COLUMNS: [&str; 19] = [
    "conn",
    "client",
    "server",
    "path",
    "time",
    "packet",
    "dir",
    "n",
    "kind",
    "len",
    "wire_len",
    "frames",
    "compressed",
    "complete",
    "close_code",
    "close_reason",
    "notes",
    "text",
    "data_base64",
];

/// Writes CSV.
#[derive(Debug)]
pub struct CsvSink<W, S = Everything> {
    out: Outlet<W>,
    select: S,
    cells: Cells,
    known: Known,
    tally: Tally,
}

impl<W: Write> CsvSink<W> {
    /// Of everything, to a writer.
    pub fn new(writer: W, cells: Cells) -> Self {
        Self::of(writer, cells, Everything)
    }
}

impl<W: Write, S: Select> CsvSink<W, S> {
    /// Of what is selected, to a writer.
    pub fn of(writer: W, cells: Cells, select: S) -> Self {
        let mut out = Outlet::new(writer);
        out.buf().extend_from_slice(COLUMNS.join(",").as_bytes());
        out.buf().extend_from_slice(b"\r\n");
        Self { out, select, cells, known: Known::default(), tally: Tally::default() }
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    fn message(&mut self, cx: &Cx<'_>, message: &Message<'_>) {
        let Some(name) = self.known.name(cx) else { return };
        let mut row = Row { buf: self.out.buf(), cells: self.cells, first: true };
        row.plain(&name.no.to_string());
        row.plain(&cx.conn.client.to_string());
        row.plain(&cx.conn.server.to_string());
        row.text(name.path.as_deref().unwrap_or_default());
        row.plain(cx.origin.time.map(Timestamp::rfc3339).as_ref().map_or("", |time| time.as_str()));
        row.plain(&cx.origin.packet.to_string());
        row.plain(message.dir.name());
        row.plain(&message.no.to_string());
        row.plain(message.kind.name());
        row.plain(&message.len.to_string());
        row.plain(&message.wire_len.to_string());
        row.plain(&message.frames.to_string());
        row.plain(if message.compressed { "true" } else { "false" });
        row.plain(if message.complete { "true" } else { "false" });
        row.plain(&message.close_code.map(|code| code.to_string()).unwrap_or_default());
        row.text(message.close_reason.unwrap_or_default());
        let codes: Vec<&str> = message.notes.iter().map(|note| note.code.as_str()).collect();
        row.plain(&codes.join(" "));
        match message.payload {
            Payload::Text(text) => {
                row.text(text);
                row.plain("");
            }
            payload => {
                row.plain("");
                // Letters, digits, `+`, `/` and `=`: base64 may begin with a plus.
                row.text(&STANDARD.encode(payload.bytes()));
            }
        }
        row.end();
    }
}

impl<W: Write, S: Select> Sink for CsvSink<W, S> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.known.see(cx, event);
        if !self.select.selects(cx, event) {
            return ControlFlow::Continue(());
        }
        self.tally.count(event);
        if let Event::Message(message) = event {
            self.message(cx, message);
        }
        self.out.line_done()
    }
}

impl<W: Write, S: Select> Output for CsvSink<W, S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, _end: &Summary<'_>) -> io::Result<()> {
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// A line that is being written.
pub(super) struct Row<'a> {
    pub(super) buf: &'a mut Vec<u8>,
    pub(super) cells: Cells,
    pub(super) first: bool,
}

impl Row<'_> {
    /// A cell of our own words and numbers, which need no quotes.
    pub(super) fn plain(&mut self, cell: &str) {
        if !self.first {
            self.buf.push(b',');
        }
        self.first = false;
        self.buf.extend_from_slice(cell.as_bytes());
    }

    /// A cell with text from the network.
    pub(super) fn text(&mut self, cell: &str) {
        self.plain("");
        match self.cells {
            Cells::Verbatim => self.quoted(cell),
            Cells::Guarded => {
                let shown = Escaped(cell).to_string();
                // What OWASP lists under "CSV Injection"; tab and CR are spelled out already.
                let formula = shown.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
                if formula { self.quoted(&format!("'{shown}")) } else { self.quoted(&shown) }
            }
        }
    }

    pub(super) fn end(self) {
        self.buf.extend_from_slice(b"\r\n");
    }

    /// RFC 4180 section 2: quotes where the cell holds a comma, a quote or a line break; a quote
    /// inside is doubled.
    fn quoted(&mut self, cell: &str) {
        if !cell.contains(['"', ',', '\r', '\n']) {
            self.buf.extend_from_slice(cell.as_bytes());
            return;
        }
        self.buf.push(b'"');
        self.buf.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
        self.buf.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;
    use crate::sink::select::Where;

    fn written(cells: Cells, payloads: &[&[u8]]) -> String {
        let handshake = samples::handshake();
        let messages: Vec<_> = payloads.iter().map(|payload| samples::text(payload)).collect();
        let mut events = vec![(6, 412, Event::Handshake(&handshake))];
        events.extend(messages.iter().map(|message| (8, 1893, Event::Message(message))));
        let mut sink = CsvSink::new(Vec::new(), cells);
        samples::feed(&mut sink, &events);
        samples::finish(&mut sink);
        String::from_utf8(sink.into_inner()).unwrap()
    }

    #[test]
    fn a_message_is_a_line_below_the_heading() {
        let text = written(Cells::Guarded, &[b"hello"]);
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "1,127.0.0.1:40938,[::1]:8088,/chat,2026-11-22T16:00:00.001893000Z,8,c2s,1,text,5,5,1,\
             false,true,,,,hello,"
        );
        assert_eq!(lines[2..], [""]);
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_says() {
        let text = written(Cells::Verbatim, &[b"a,\"b\"\r\nc"]);
        assert!(text.ends_with(",\"a,\"\"b\"\"\r\nc\",\r\n"), "{text}");
    }

    #[test]
    fn formulas_do_not_run_and_nothing_acts_on_a_terminal() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"] {
            let text = written(Cells::Guarded, &[formula.as_bytes()]);
            assert!(text.contains(&format!(",'{formula},")), "{text}");
            assert!(
                written(Cells::Verbatim, &[formula.as_bytes()]).contains(&format!(",{formula},"))
            );
        }
        let text = written(Cells::Guarded, &[b"\t=1\r\n\x1b[2J"]);
        assert!(text.contains(",\\t=1\\r\\n\\x1b[2J,"), "{text:?}");
        assert!(!text.replace("\r\n", "").contains(char::is_control));
    }

    #[test]
    fn binary_is_base64() {
        // RFC 4648 section 10.
        assert!(written(Cells::Guarded, &[b"\xff"]).ends_with(",,/w==\r\n"));
    }

    #[test]
    fn messages_not_asked_for_are_left_out_and_numbers_stay() {
        let hello = samples::text(b"hello");
        let select = Where(|cx: &Cx<'_>, _: &Event<'_>| cx.conn.stream.0 == 1);
        let mut sink = CsvSink::of(Vec::new(), Cells::Guarded, select);
        for packet in [1, 2] {
            let info = samples::conn(packet);
            let cx = Cx { conn: &info, origin: samples::origin(8, 0) };
            let _ = sink.event(&cx, &Event::Message(&hello));
        }
        samples::finish(&mut sink);
        let text = String::from_utf8(sink.into_inner()).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().nth(1).unwrap().starts_with("2,"));
    }
}
