//! The line of each event, and the notes below it.
//!
//! Gets: an event and the number of its connection. Gives: finished lines in [`TextSink::line`].

use std::fmt::Write as _;
use std::io::Write;

use super::{
    Cx, Escaped, Event, Message, MessageKind, Note, Part, Payload, Severity, TextSink, Verbosity,
    Wrap, byte_count, counted, escape, heads, notes_of, wrap,
};
use crate::event::{End, Frame, Gap, Handshake, Opcode, Outcome};
use crate::process::Ends;
use crate::units::{ConnNo, Direction, Origin};
use crate::ws::close::code_name;

/// The columns in front of a line's text.
struct Margin<'a> {
    /// `->`, `<-`, `==` (both) or `--` (the end).
    arrow: &'a str,
    kind: &'a str,
    size: &'a str,
    part: Part,
}

/// Columns of a connection number, arrow, kind and size, with their spaces.
const NUMBER: usize = 4;
const KIND: usize = 6;
const SIZE: usize = 7;

impl<W: Write> TextSink<W> {
    /// Lines of any event, its notes below.
    pub(super) fn event_lines(&mut self, no: ConnNo, cx: &Cx<'_>, event: &Event<'_>) {
        match event {
            Event::Handshake(handshake) => self.handshake(no, cx, handshake),
            Event::Frame(frame) => self.frame(no, cx.origin, frame),
            Event::Message(message) => self.message(no, cx.origin, message),
            Event::Gap(gap) => self.gap(no, cx.origin, *gap),
            Event::End(end) => {
                self.end(no, cx.origin, end);
                if self.options.verbosity > Verbosity::Quiet {
                    self.processes(self.owners.late(&cx.conn.key).as_ref());
                }
            }
        }
        for note in notes_of(event) {
            self.note(note);
        }
    }

    fn handshake(&mut self, no: ConnNo, cx: &Cx<'_>, handshake: &Handshake) {
        let status = handshake.response.as_ref().map_or(String::new(), |r| r.status.to_string());
        let part = Part::Strong;
        self.margin(no, cx.origin, &Margin { arrow: "==", kind: "open", size: &status, part });
        let (word, look) = match handshake.outcome {
            Outcome::Accepted => ("accepted", Part::Good),
            Outcome::Rejected => ("rejected", Part::Note(Severity::Warning)),
            Outcome::Invalid => ("invalid", Part::Note(Severity::Error)),
            Outcome::Incomplete => ("incomplete", Part::Note(Severity::Warning)),
            Outcome::Unseen => ("unseen", Part::Dim),
        };
        if let Some(request) = &handshake.request {
            let asked = format!("{} {}", request.method, request.target);
            let room = self.room().map(|columns| columns.saturating_sub(word.len() + 2));
            self.cut(Part::Strong, &asked, room);
            self.line.push_str("  ");
        }
        self.options.paint.put(&mut self.line, look, word);
        self.line.push('\n');
        if self.options.verbosity > Verbosity::Quiet {
            self.handshake_details(cx, handshake);
        }
    }

    fn handshake_details(&mut self, cx: &Cx<'_>, handshake: &Handshake) {
        let label = cx.conn.stream_label();
        let ends = format!("{} > {}{label}", cx.conn.client, cx.conn.server);
        self.detail(&ends);
        self.processes(self.owners.of(&cx.conn.key).as_ref());
        if let Some(tls) = &cx.conn.tls {
            self.detail(&tls.to_string());
        }
        if let Some(subprotocol) = &handshake.subprotocol {
            self.detail(&format!("subprotocol {subprotocol}"));
        }
        if let Some(extensions) = &handshake.extensions {
            self.detail(&format!("extensions {extensions}"));
        }
        if self.options.verbosity == Verbosity::Verbose {
            for line in heads::lines(handshake) {
                self.detail(&line);
            }
        }
    }

    fn frame(&mut self, no: ConnNo, origin: Origin, frame: &Frame<'_>) {
        let size = byte_count(frame.len);
        self.directed(no, origin, frame.dir, "frame", &size, frame.dir.into());
        let mut text = match frame.opcode {
            Opcode::Continuation => "continuation".to_owned(),
            Opcode::Text => "text".to_owned(),
            Opcode::Binary => "binary".to_owned(),
            Opcode::Close => "close".to_owned(),
            Opcode::Ping => "ping".to_owned(),
            Opcode::Pong => "pong".to_owned(),
            Opcode::Reserved(bits) => format!("opcode {bits:#x}"),
        };
        text.push_str(if frame.fin { " FIN" } else { " ..." });
        for (bit, name) in [(4, " RSV1"), (2, " RSV2"), (1, " RSV3")] {
            text.push_str(if frame.rsv & bit != 0 { name } else { "" });
        }
        if let Some(mask) = frame.mask {
            // Writing to a String does not fail.
            let _ = write!(text, " mask {:08x}", u32::from_be_bytes(mask));
        }
        if !frame.complete {
            text.push_str(" (bytes missing)");
        }
        self.cut(Part::Dim, &text, self.room());
        self.line.push('\n');
    }

    fn message(&mut self, no: ConnNo, origin: Origin, message: &Message<'_>) {
        let part = match message.kind {
            MessageKind::Text | MessageKind::Binary => message.dir.into(),
            MessageKind::Ping | MessageKind::Pong => Part::Heartbeat,
            MessageKind::Close => Part::Closing,
        };
        let size = byte_count(message.len);
        self.directed(no, origin, message.dir, message.kind.name(), &size, part);
        if self.options.verbosity > Verbosity::Quiet {
            self.annotations(message);
            self.payload(message, part);
        } else if message.kind == MessageKind::Close {
            self.payload(message, part);
        }
        let line = self.line.trim_end_matches(' ').len();
        self.line.truncate(line);
        self.line.push('\n');
    }

    /// What is to be known before the payload: compressed from how much, in pieces, incomplete.
    fn annotations(&mut self, message: &Message<'_>) {
        let mut remarks = Vec::new();
        if !message.complete {
            remarks.push("incomplete".to_owned());
        }
        if message.compressed {
            remarks.push(format!("{} deflated", byte_count(message.wire_len).trim_start()));
        }
        if message.frames > 1 {
            remarks.push(counted(u64::from(message.frames), "frame"));
        }
        if !remarks.is_empty() {
            let text = format!("[{}] ", remarks.join(", "));
            self.options.paint.put(&mut self.line, Part::Dim, &text);
        }
    }

    fn payload(&mut self, message: &Message<'_>, part: Part) {
        let room = self.room();
        match (message.kind, message.payload) {
            (MessageKind::Close, _) => {
                let text = close_text(message);
                self.cut(part, &text, room);
            }
            (_, Payload::Text(text)) => self.cut(part, text, room),
            (MessageKind::Ping | MessageKind::Pong, payload)
                if let Ok(text) = std::str::from_utf8(payload.bytes())
                    && !text.chars().any(escape::is_unsafe) =>
            {
                self.cut(part, text, room);
            }
            (_, Payload::Skipped) => self.cut(Part::Dim, "(not kept)", room),
            (_, Payload::Data([])) => {}
            (_, Payload::Data(bytes)) => {
                let paint = self.options.paint;
                paint.on(&mut self.line, part);
                escape::hex_dump(&mut self.line, bytes, room.unwrap_or(usize::MAX));
                paint.off(&mut self.line, part);
            }
        }
    }

    fn gap(&mut self, no: ConnNo, origin: Origin, gap: Gap) {
        let size = byte_count(gap.bytes);
        let part = Part::Note(Severity::Warning);
        self.directed(no, origin, gap.dir, "gap", &size, part);
        self.cut(part, "missing from the capture", self.room());
        self.line.push('\n');
    }

    fn end(&mut self, no: ConnNo, origin: Origin, end: &End) {
        self.margin(no, origin, &Margin { arrow: "--", kind: "end", size: "", part: Part::Strong });
        let indent = self.indent();
        let how = Wrap { width: self.options.width, begin: indent, indent };
        self.line.push_str(&wrap(&Escaped(&end.cause).to_string(), how));
        self.line.push('\n');
    }

    /// Whose sockets they are.
    fn processes(&mut self, ends: Option<&Ends>) {
        for (end, process) in ends.into_iter().flat_map(Ends::iter) {
            self.detail(&format!("{end} {process} {}", process.command));
        }
    }

    fn note(&mut self, note: &Note) {
        let severity = note.severity();
        if severity == Severity::Info && self.options.verbosity == Verbosity::Quiet {
            return;
        }
        let indent = self.clock.columns() + 1;
        self.line.extend(std::iter::repeat_n(' ', indent));
        let head = format!("{severity} {} ({}): ", note.code, note.blame);
        self.options.paint.put(&mut self.line, Part::Note(severity), &head);
        let text = Escaped(&note.text).to_string();
        let begin = indent + head.len();
        let how = Wrap { width: self.options.width, begin, indent: indent + 2 };
        self.line.push_str(&wrap(&text, how));
        self.line.push('\n');
    }

    /// A line under the text of the one before.
    fn detail(&mut self, text: &str) {
        let indent = self.indent();
        self.line.extend(std::iter::repeat_n(' ', indent));
        self.cut(Part::Dim, text, self.room());
        self.line.push('\n');
    }

    fn directed(
        &mut self,
        no: ConnNo,
        origin: Origin,
        dir: Direction,
        kind: &str,
        size: &str,
        part: Part,
    ) {
        let arrow = match dir {
            Direction::ToServer => "->",
            Direction::ToClient => "<-",
        };
        self.margin(no, origin, &Margin { arrow, kind, size, part });
    }

    fn margin(&mut self, no: ConnNo, origin: Origin, margin: &Margin<'_>) {
        let paint = self.options.paint;
        let time = self.clock.text(origin.time);
        paint.put(&mut self.line, Part::Dim, &time);
        // Writing to a String does not fail.
        let _ = write!(self.line, " #{no:<NUMBER$}");
        paint.on(&mut self.line, margin.part);
        let _ = write!(self.line, "{} {:<KIND$}", margin.arrow, margin.kind);
        paint.off(&mut self.line, margin.part);
        let _ = write!(self.line, " {:>SIZE$}  ", margin.size);
    }

    /// Columns of the margin.
    const fn indent(&self) -> usize {
        self.clock.columns() + 2 + NUMBER + 3 + KIND + 1 + SIZE + 2
    }

    /// Columns left of the line being written; `None`: no limit.
    fn room(&self) -> Option<usize> {
        if self.options.verbosity == Verbosity::Verbose {
            return None;
        }
        let begin = self.line.rfind('\n').map_or(0, |at| at + 1);
        let used = visible_width(self.line.get(begin..).unwrap_or(""));
        self.options.width.map(|width| width.saturating_sub(used))
    }

    fn cut(&mut self, part: Part, text: &str, room: Option<usize>) {
        let paint = self.options.paint;
        paint.on(&mut self.line, part);
        // That something was cut is seen even where there is no room for it.
        escape::cut(&mut self.line, text, room.unwrap_or(usize::MAX).max(1));
        paint.off(&mut self.line, part);
    }
}

/// `1000 normal closure "bye"`, or what stands in its place.
fn close_text(message: &Message<'_>) -> String {
    let mut text = match message.close_code {
        Some(code) => match code_name(code) {
            Some(name) => format!("{code} {name}"),
            None => code.to_string(),
        },
        None if !message.complete => "status code not captured".to_owned(),
        None => "no status code".to_owned(),
    };
    if let Some(reason) = message.close_reason.filter(|reason| !reason.is_empty()) {
        // Writing to a String does not fail.
        let _ = write!(text, " \"{reason}\"");
    }
    text
}

/// Columns of text that may hold our own SGR sequences.
fn visible_width(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let first = parts.next().map_or(0, escape::width);
    parts.fold(first, |sum, part| {
        sum + part.split_once('m').map_or(0, |(_, shown)| escape::width(shown))
    })
}
