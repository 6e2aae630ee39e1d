//! All that is known of one row, as a tree of fields that know their bytes.
//!
//! ```text
//! ▾ Message 3, client to server: text, 48 bytes (32 on the wire)
//!     Connection: 1, 127.0.0.1:40938 → 127.0.0.1:8088
//!     Packets: 12 to 14
//! ▾ Frame 3: text, last fragment, masked, 32 bytes
//!     1... .... FIN: last fragment of its message
//!     .1.. .... RSV1: compressed
//! ```

use crate::sink::text::{counted, grouped};
use std::ops::Range;

use crate::event::{MessageKind, Opcode};
use crate::note::Severity;
use crate::process::Ends;
use crate::store::{Conn, FrameMeta, Record, Row, RowKind};
use crate::tui::text::{size, span};
use crate::units::{Direction, Origin, Timestamp};
use crate::ws::close::{code_meaning, code_name};

/// Which bytes a field's place is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The message's payload.
    Payload,
    /// Its frames, headers and all, unmasked.
    Wire,
}

/// A line of the tree. Its texts may hold anything from the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// How deep; deeper ones that follow belong to it.
    pub depth: usize,
    /// What it is about.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Of a note: how bad.
    pub severity: Option<Severity>,
    /// Its bytes.
    pub place: Option<(Source, Range<usize>)>,
    /// A filter for rows like it in this.
    pub filter: Option<String>,
    /// Its number among those that can be folded.
    pub fold: Option<usize>,
}

/// The tree of a row, and its frames' bytes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// In the order they are drawn.
    pub nodes: Vec<Node>,
    /// [`Source::Wire`].
    pub wire: Vec<u8>,
    folds: usize,
}

/// The field that says whose row it is.
const CONNECTION: &str = "Connection";

impl Tree {
    /// Of a row.
    pub fn new(row: &Row, conn: &Conn, record: Option<&Record>, first: Option<Timestamp>) -> Self {
        let mut tree = Self::default();
        tree.summary(row, conn, record);
        tree.times(row, record, first);
        if let Some(record) = record {
            tree.payload(record);
            tree.notes(&record.notes);
            tree.frames(record);
        }
        match row.kind() {
            RowKind::Handshake => {
                let notes = conn.opening.as_ref().map(|opening| opening.notes.as_slice());
                tree.notes(notes.unwrap_or(&[]));
            }
            RowKind::End => tree.end(conn),
            _ => {}
        }
        tree
    }

    /// Puts the processes at the ends behind the connection that they belong to.
    pub fn processes(&mut self, ends: &Ends) {
        let at = self.nodes.iter().position(|node| node.name == CONNECTION).map_or(0, |at| at + 1);
        let before = self.nodes.len();
        for (end, process) in ends.iter() {
            let name = if end == "client" { "Client process" } else { "Server process" };
            let text = format!("{process} {}", process.command);
            self.field(name, text.trim_end()).filter =
                Some(format!("process.pid == {}", process.pid));
        }
        let added = self.nodes.len() - before;
        if let Some(behind) = self.nodes.get_mut(at..) {
            behind.rotate_right(added);
        }
    }

    fn head(&mut self, name: impl Into<String>) -> &mut Node {
        let fold = Some(self.folds);
        self.folds += 1;
        self.push(Node { name: name.into(), fold, ..Node::default() })
    }

    fn field(&mut self, name: &str, value: impl Into<String>) -> &mut Node {
        self.push(Node { depth: 1, name: name.into(), value: value.into(), ..Node::default() })
    }

    fn push(&mut self, node: Node) -> &mut Node {
        self.nodes.push(node);
        let last = self.nodes.len() - 1;
        // Just pushed; the fallback is never made.
        #[expect(clippy::indexing_slicing, reason = "pushed on the line above")]
        &mut self.nodes[last]
    }

    fn summary(&mut self, row: &Row, conn: &Conn, record: Option<&Record>) {
        let way = match row.dir() {
            Direction::ToServer => "client to server",
            Direction::ToClient => "server to client",
        };
        let len = record.map_or(u64::from(row.len()), |record| record.len);
        let head = match row.kind() {
            RowKind::Message(kind) => {
                format!("Message {}, {way}: {}, {}", row.no(), kind.name(), counted(len, "byte"))
            }
            RowKind::Frame => format!("Frame without a message, {way}"),
            RowKind::Handshake => {
                let outcome = conn.opening.as_ref().map_or("", |opening| opening.outcome.name());
                format!("Opening handshake: {outcome}")
            }
            RowKind::Gap => format!("{} missing from the capture, {way}", counted(len, "byte")),
            RowKind::End => "End of the connection".to_owned(),
        };
        self.head(head);
        let label = conn.info.stream_label();
        let ends = format!("{}, {} → {}{label}", conn.no, conn.info.client, conn.info.server);
        self.field(CONNECTION, ends).filter = Some(format!("conn == {}", conn.no));
        self.field("TCP stream", conn.info.stream.to_string()).filter =
            Some(format!("tcp.stream == {}", conn.info.stream));
        if !conn.target().is_empty() {
            self.field("Path", conn.target()).filter =
                Some(format!("http.request.uri == {}", quoted(conn.target())));
        }
        if let RowKind::Message(kind) = row.kind() {
            self.field("Kind", kind.name()).filter = Some(format!("kind == {}", kind.name()));
            self.field("Direction", way).filter = Some(format!("dir == {}", row.dir()));
        }
        if let Some(record) = record {
            self.lengths(record);
        }
    }

    fn lengths(&mut self, record: &Record) {
        let len = counted(record.len, "byte");
        self.field("Length", len).filter = Some(format!("len == {}", record.len));
        if record.compressed {
            let saved = record.len.saturating_sub(record.wire_len).saturating_mul(100);
            let saved = saved.checked_div(record.len).unwrap_or(0);
            let wire = counted(record.wire_len, "byte");
            let text = if record.is_sealed() {
                format!("not inflated, {wire} on the wire")
            } else if record.complete {
                format!("{wire} on the wire, {saved} % saved")
            } else {
                format!("{wire} on the wire")
            };
            self.field("Compressed", text).filter = Some("compressed".to_owned());
        }
        if record.frame_count != 1 {
            self.field("Fragments", counted(record.frame_count.into(), "frame")).filter =
                Some(format!("frames == {}", record.frame_count));
        }
        if !record.complete {
            let what = if record.is_sealed() { "not inflated" } else { "bytes are missing" };
            self.field("Incomplete", format!("{what}: see the notes")).filter =
                Some("not complete".to_owned());
        }
        if let Some(ns) = record.rtt {
            self.field("Round trip", format!("{} after the ping that it answers", span(ns)));
        }
    }

    fn times(&mut self, row: &Row, record: Option<&Record>, first: Option<Timestamp>) {
        let (begin, end) = (record.map_or(row.packet(), |r| r.begin.packet), row.packet());
        let packets = if begin == end { format!("{end}") } else { format!("{begin} to {end}") };
        self.field("Packet", packets).filter = Some(format!("packet == {end}"));
        let Some(time) = row.time() else {
            self.field("Time", "the capture has none");
            return;
        };
        self.field("Time", time.rfc3339().as_str()).filter =
            Some(format!("time == \"{}\"", time.rfc3339()));
        if let Some(first) = first {
            self.field("Since the start", span(time.since(first)));
        }
        if let Some(taken) = record.and_then(|r| r.begin.time).filter(|_| begin != end) {
            self.field("Took", span(time.since(taken)));
        }
    }

    fn payload(&mut self, record: &Record) {
        if record.kind == Some(MessageKind::Close) {
            self.close(record);
        }
        if record.skipped {
            self.field("Payload", "not kept: over a limit");
        } else if !record.payload.is_empty() {
            let kind = if record.text { "UTF-8 text" } else { "binary" };
            let all = 0..record.payload.len();
            let value = format!("{kind}, {}", counted(record.payload_len.into(), "byte"));
            self.field("Payload", value).place = Some((Source::Payload, all));
        }
    }

    /// RFC 6455 section 5.5.1: a status code of two bytes, then a reason.
    fn close(&mut self, record: &Record) {
        match record.close_code {
            Some(code) => {
                let node = self.field("Close code", format!("{code}: {}", meaning(code)));
                node.place = Some((Source::Payload, 0..2));
                node.filter = Some(format!("close.code == {code}"));
            }
            None => {
                self.field("Close code", "none (1005 to the application)");
            }
        }
        let reason = record.payload.get(2..).filter(|reason| !reason.is_empty());
        if let (Some(reason), Some(_)) = (reason, record.close_code) {
            let text = String::from_utf8_lossy(reason).into_owned();
            let filter = format!("close.reason == {}", quoted(&text));
            let end = record.payload.len();
            let node = self.field("Close reason", text);
            node.place = Some((Source::Payload, 2..end));
            node.filter = Some(filter);
        }
    }

    fn notes(&mut self, notes: &[crate::note::Note]) {
        if notes.is_empty() {
            return;
        }
        self.head(counted(notes.len() as u64, "note"));
        for note in notes {
            let node = self.field(note.code.as_str(), note.text.clone());
            node.severity = Some(note.severity());
            node.filter = Some(format!("note.code == {}", note.code));
            let line = format!("{}, blamed on the {}", note.code.reference(), note.blame);
            self.push(Node { depth: 2, value: line, ..Node::default() });
            let fix = note.code.explanation().fix;
            if !fix.is_empty() {
                let name = "What to do".to_owned();
                self.push(Node { depth: 2, name, value: fix.to_owned(), ..Node::default() });
            }
        }
    }

    fn end(&mut self, conn: &Conn) {
        let Some(end) = &conn.end else { return };
        self.field("How", end.how.name()).filter = Some(format!("end.how == {}", end.how.name()));
        self.field("Cause", end.cause.clone());
        let packets: Vec<_> = end.evidence.iter().map(ToString::to_string).collect();
        if !packets.is_empty() {
            self.field("Evidence", format!("packets {}", packets.join(", ")));
        }
        if let Some(ns) = conn.duration() {
            self.field("Duration", span(ns));
        }
        self.notes(&end.notes);
    }

    fn frames(&mut self, record: &Record) {
        let mut from = 0;
        for frame in &record.frames {
            let bytes = record.wire_bytes();
            let to = from + frame.kept as usize;
            let payload = bytes.get(from..to.min(bytes.len())).unwrap_or(&[]).to_vec();
            from = to;
            self.frame(frame, &payload, record.compressed);
        }
        let more = (record.frame_count as usize).saturating_sub(record.frames.len());
        if more > 0 {
            self.head(format!("{} more, not kept", counted(more as u64, "frame")));
        }
    }

    /// The header as RFC 6455 section 5.2 draws it.
    fn frame(&mut self, frame: &FrameMeta, payload: &[u8], compressed: bool) {
        let start = self.wire.len();
        let header = frame.header();
        let (first, second) = match header.as_slice() {
            [first, second, ..] => (*first, *second),
            _ => (0, 0),
        };
        self.wire.extend(&header);
        self.wire.extend(payload);
        let end = self.wire.len();
        let wire = |range: Range<usize>| Some((Source::Wire, range));
        let fin = if frame.fin { ", FIN" } else { "" };
        let masked = if frame.mask.is_some() { ", masked" } else { "" };
        let head = format!(
            "Frame {}: {}{fin}{masked}, {}",
            frame.no,
            opcode(frame.opcode),
            counted(frame.len, "byte")
        );
        self.head(head).place = wire(start..end);
        let fin = if frame.fin { "last fragment of its message" } else { "more fragments follow" };
        let rsv1 = match (frame.rsv & 4 != 0, compressed) {
            (true, true) => "compressed (RFC 7692)",
            (true, false) => "set",
            (false, _) => "not set",
        };
        let set = |bit: u8| if frame.rsv & bit != 0 { "set" } else { "not set" };
        for (mask, name, value) in [
            (0x80, "FIN", fin.to_owned()),
            (0x40, "RSV1", rsv1.to_owned()),
            (0x20, "RSV2", set(2).to_owned()),
            (0x10, "RSV3", set(1).to_owned()),
            (0x0f, "Opcode", format!("{} ({:#x})", opcode(frame.opcode), frame.opcode.bits())),
        ] {
            self.bits(first, mask, name, value).place = wire(start..start + 1);
        }
        let masked = if frame.mask.is_some() { "masked" } else { "not masked" };
        self.bits(second, 0x80, "MASK", masked.to_owned()).place = wire(start + 1..start + 2);
        self.length(frame, second, start);
        if let Some(key) = frame.mask {
            let [a, b, c, d] = key;
            let at = start + header.len() - 4;
            self.field("Masking key", format!("{a:02x}{b:02x}{c:02x}{d:02x}")).place =
                wire(at..at + 4);
        }
        if !payload.is_empty() {
            let what = if compressed { "compressed, " } else { "" };
            let note = if frame.mask.is_some() { ", unmasked here" } else { "" };
            let text = format!("{what}{}{note}", counted(payload.len() as u64, "byte"));
            self.field("Payload", text).place = wire(start + header.len()..end);
        }
        let missing = frame.len.saturating_sub(frame.kept.into());
        if missing > 0 {
            self.field("Missing", counted(missing, "byte"));
        }
        self.field("Packet", packets(frame.begin, frame.end)).filter =
            Some(format!("packet == {}", frame.end.packet));
    }

    fn length(&mut self, frame: &FrameMeta, second: u8, start: usize) {
        let short = second & 0x7f;
        let wire = |range: Range<usize>| Some((Source::Wire, range));
        let (text, extended) = match short {
            126 => ("126: the next 2 bytes say".to_owned(), 2),
            127 => ("127: the next 8 bytes say".to_owned(), 8),
            _ => (counted(short.into(), "byte"), 0),
        };
        self.bits(second, 0x7f, "Length", text).place = wire(start + 1..start + 2);
        if extended > 0 {
            let text = format!("{} bytes ({})", grouped(frame.len), size(frame.len));
            self.field("Extended length", text).place = wire(start + 2..start + 2 + extended);
        }
    }

    /// Some bits of a byte: `.1.. .... RSV1: compressed`.
    fn bits(&mut self, byte: u8, mask: u8, name: &str, value: String) -> &mut Node {
        let mut drawn = String::with_capacity(9);
        for bit in (0..8).rev() {
            drawn.push(match (mask >> bit & 1, byte >> bit & 1) {
                (0, _) => '.',
                (_, 0) => '0',
                _ => '1',
            });
            if bit == 4 {
                drawn.push(' ');
            }
        }
        self.field(&format!("{drawn} {name}"), value)
    }
}

fn packets(begin: Origin, end: Origin) -> String {
    if begin.packet == end.packet {
        end.packet.to_string()
    } else {
        format!("{} to {}", begin.packet, end.packet)
    }
}

fn opcode(opcode: Opcode) -> String {
    match opcode {
        Opcode::Continuation => "continuation".into(),
        Opcode::Text => "text".into(),
        Opcode::Binary => "binary".into(),
        Opcode::Close => "close".into(),
        Opcode::Ping => "ping".into(),
        Opcode::Pong => "pong".into(),
        Opcode::Reserved(bits) => format!("reserved {bits:#x}"),
    }
}

/// Text as a string of the filter language.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What a status code means, in few words.
pub fn meaning(code: u16) -> &'static str {
    code_name(code).unwrap_or_else(|| code_meaning(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Play;

    fn tree(play: &Play, at: usize) -> Tree {
        let snapshot = play.reader.snapshot();
        let row = snapshot.rows.get(at).unwrap();
        let record = play.reader.record(row, usize::MAX);
        Tree::new(row, snapshot.conns.get(row.conn()).unwrap(), record.as_ref(), None)
    }

    fn value<'a>(tree: &'a Tree, name: &str) -> &'a Node {
        tree.nodes.iter().find(|node| node.name == name).unwrap()
    }

    #[test]
    fn header_bits_are_drawn_and_know_their_bytes() {
        let mut play = Play::new();
        play.open(1, "/");
        play.text(1, Direction::ToServer, "Hello");
        let tree = tree(&play, 1);
        // RFC 6455 section 5.7, unmasked here: 81 85, the key, "Hello".
        assert_eq!(tree.wire, b"\x81\x85\x37\xfa\x21\x3dHello");
        assert_eq!(value(&tree, "1... .... FIN").place, Some((Source::Wire, 0..1)));
        assert_eq!(value(&tree, ".... 0001 Opcode").value, "text (0x1)");
        assert_eq!(value(&tree, ".000 0101 Length").value, "5 bytes");
        assert_eq!(value(&tree, "Masking key").value, "37fa213d");
        assert_eq!(value(&tree, "Masking key").place, Some((Source::Wire, 2..6)));
    }

    #[test]
    fn a_close_tells_its_code_and_what_that_means() {
        let mut play = Play::new();
        play.open(1, "/");
        play.control(1, Direction::ToServer, MessageKind::Close, b"\x03\xe9bye");
        let tree = tree(&play, 1);
        assert_eq!(value(&tree, "Close code").value, "1001: going away");
        assert_eq!(value(&tree, "Close reason").value, "bye");
        assert_eq!(value(&tree, "Close reason").filter.as_deref(), Some("close.reason == \"bye\""));
    }

    #[test]
    fn every_field_that_offers_a_filter_offers_one_that_parses() {
        let mut play = Play::new();
        play.open(1, "/a\"b\\c\u{1b}");
        play.fragments(1, Direction::ToClient, &["a", "b"]);
        play.control(1, Direction::ToServer, MessageKind::Close, b"\x03\xe8x\"\\");
        play.end(1);
        for at in 0..4 {
            for node in tree(&play, at).nodes {
                if let Some(filter) = node.filter {
                    assert!(crate::filter::Filter::parse(&filter).is_ok(), "{filter}");
                }
            }
        }
    }
}
