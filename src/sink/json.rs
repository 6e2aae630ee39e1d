//! NDJSON: one object a line, as scripts read it.
//!
//! Gets: events. Gives: a line for each, and the `capture` line at the end. Keeps: the output buffer
//! and the numbers of open connections.
//!
//! ```text
//! {"event":"handshake","conn":1,"time":"2026-11-22T16:00:00.000412000Z","packet":6,...}
//! {"event":"message","conn":1,"dir":"c2s","time":"...","packet":8,"n":1,"kind":"text",...}
//! {"event":"end","conn":1,...}
//! {"event":"capture","packets":14,...}
//! ```
//!
//! The lines themselves are pure functions in [`mod@line`], so that several threads can render them.
//!
//! # Fields
//!
//! Lines come in the order of the packets that completed them, but for what waits: for the handshake of its
//! connection, for earlier bytes of its direction, or for what the other side said before. `packet` may then
//! be lower than in the line before. A gap has the packet that proved it.
//!
//! What is not known is null; bytes are in base64; numbers in names end in their unit where they have one
//! (`duration_ns`), lengths are bytes.
//!
//! Of each event but `capture`:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `event` | `handshake`, `frame`, `message`, `gap`, `end` | never |
//! | `conn` | number of the connection or attempt, from 1, in the order of first appearance in this output | never |
//! | `time` | when the packet was captured: RFC 3339, UTC, nanoseconds | the capture gives it no time |
//! | `packet` | its number in the capture, from 1, as Wireshark's `frame.number` | never |
//! | `dir` | `c2s`, `s2c`; not in `handshake` and `end` | never |
//! | `notes` | list of notes, see below; not in `gap` | never |
//!
//! `handshake`:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `tcp_stream` | which TCP connection, from 0, as Wireshark's `tcp.stream` | never |
//! | `client`, `server` | `ip:port`, `[ip6]:port` | never |
//! | `process` | `{client, server}`, each `{pid, name, command}` or null: who had the sockets ([`crate::process`]) | not known by then; always in files |
//! | `http` | `1.1`, `2` | never |
//! | `h2_stream` | number of the HTTP/2 stream that the connection is (RFC 8441) | it has a TCP connection to itself |
//! | `tls` | `{version, cipher, sni, alpn}`, the last two null where they were not sent; of a connection that could not be decrypted too | not over TLS |
//! | `outcome` | `accepted`; `rejected`: a final status other than 101 (2xx on HTTP/2); `invalid`: 101 that a client must fail on; `incomplete`: no whole answer; `unseen`: frames without a handshake | never |
//! | `request` | `{method, target, version, headers, packet, time}`, headers as `[name, value]` in the order sent | the capture lacks it |
//! | `response` | `{status, reason, version, headers, packet, time}` | the capture lacks it |
//! | `subprotocol`, `extensions` | the negotiated header value as sent | none, or not accepted |
//!
//! `frame`, only where frames are asked for:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `n` | number in its direction, from 1 | never |
//! | `fin`, `masked` | the bits | never |
//! | `rsv` | RSV1 to RSV3 as one number, 0 to 7, RSV1 the highest bit | never |
//! | `opcode` | 0 to 15 | never |
//! | `mask` | masking key, 8 hex digits | not masked |
//! | `len` | payload bytes that the header announces | never |
//! | `payload` | unmasked, compressed still; what there is of it | never |
//! | `complete` | false: payload bytes are missing, cut off, or over a limit | never |
//!
//! `message`, control frames too:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `n` | number in its direction, from 1, over messages of every kind | never |
//! | `kind` | `text`, `binary`, `ping`, `pong`, `close` | never |
//! | `len` | bytes after unmasking, reassembling, inflating ([`Message::len`](crate::event::Message::len)) | never |
//! | `wire_len` | payload bytes that its frames announce | never |
//! | `frames` | how many frames it came in | never |
//! | `compressed` | is it, on the wire | never |
//! | `complete` | false: bytes missing, cut off, not kept or not inflated; a note says which | never |
//! | `text` | a text message, or what there is of it, that is UTF-8 | any other, or not kept |
//! | `data` | the bytes of what `text` is null for | `text` is there, or not kept |
//! | `close_code` | status code of a Close | it has none |
//! | `close_reason` | its reason; `""` where there is a code alone | no code, or not UTF-8 |
//!
//! `gap`:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `bytes` | TCP bytes that the capture lacks; on HTTP/2, of the TCP connection where it is not known how many of the stream are missing | never |
//!
//! `end`; an attempt that came to nothing may have none:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `how` | `close`: both Close frames; `half-close`: one; `fin`, `rst`: TCP ended without; `capture-end` | never |
//! | `by` | `client`, `server`: who began the ending | the capture does not tell |
//! | `cause` | one sentence: who ended it and why, as far as packets tell | never |
//! | `evidence` | numbers of the packets that show it | never |
//! | `duration_ns` | nanoseconds from the connection's first packet to its last | the first has no time |
//! | `messages` | `{c2s, s2c}`: how many, of every kind | never |
//! | `bytes` | `{c2s, s2c}`: their payload after inflating | never |
//! | `process` | as in `handshake`; only there where more is known by now | never |
//!
//! `capture`, the last line:
//!
//! | field | what it is | null |
//! |---|---|---|
//! | `packets`, `bytes` | packets read, and their bytes on the wire | never |
//! | `first_time`, `last_time` | the earliest and the latest | no packet has a time |
//! | `tcp_streams` | TCP connections, whatever they carry | never |
//! | `connections`, `messages` | of what this output tells | never |
//! | `notes` | `{error, warning, info}`: how many, likewise | never |
//! | `unread` | `{tls, http2, other}`: TCP connections that carry something not read here: TLS whose secrets are not known, HTTP/2 of which too much is missing to follow it, anything else | never |
//! | `skipped` | packets that could not be decoded, by reason ([`Skip`](crate::packet::Skip)) | never |
//! | `no_tcp` | packets that are sound and just no TCP (`udp`, `arp`), by what they are | never |
//! | `dropped` | packets that the kernel dropped | not a live capture |
//! | `truncated` | where and why reading stopped early | the capture was read whole |
//!
//! A note is `{code, severity, blame, text, ref}`: a [`NoteCode`](crate::note::NoteCode); `error`,
//! `warning`, `info`; `client`, `server`, `proxy`, `capture`; one sentence with the values at hand; the
//! document and section. None is ever null.

mod digits;
pub mod line;
mod quote;
pub mod write;

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::process::Owners;
use crate::sink::outlet::Outlet;
use crate::sink::{Numbers, Output, Summary, Tally};
use crate::units::{ConnNo, Direction, Origin};

/// Writes NDJSON.
#[derive(Debug)]
pub struct JsonSink<W> {
    out: Outlet<W>,
    numbers: Numbers,
    tally: Tally,
    wants: Wants,
    owners: Owners,
    opening: Opening,
}

/// How the lines of messages begin, kept while many come in one packet.
#[derive(Debug, Default)]
struct Opening {
    of: Option<(ConnNo, Direction, Origin)>,
    /// Empty until a second one comes.
    text: Vec<u8>,
}

impl Opening {
    #[inline]
    fn write(&mut self, buf: &mut Vec<u8>, no: ConnNo, cx: &Cx<'_>, dir: Direction) {
        let of = Some((no, dir, cx.origin));
        if self.of != of {
            self.of = of;
            self.text.clear();
            return line::message_opening(buf, no, cx, dir);
        }
        if self.text.is_empty() {
            line::message_opening(&mut self.text, no, cx, dir);
        }
        buf.extend_from_slice(&self.text);
    }
}

impl<W: Write> JsonSink<W> {
    /// To a writer; with `frames`, a line for each frame too.
    pub fn new(writer: W, frames: bool) -> Self {
        Self {
            out: Outlet::new(writer),
            numbers: Numbers::new(),
            tally: Tally::default(),
            wants: Wants { frames, payload: true },
            owners: Owners::default(),
            opening: Opening::default(),
        }
    }

    /// Asks there for the processes at the ends of connections.
    #[must_use]
    pub fn with_owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// The writer, when the run is over.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    /// Counts the event, and tells the number of its connection.
    #[inline]
    fn count(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ConnNo {
        self.tally.count(event);
        let no = self.numbers.of(cx.conn.key, event);
        // Behind a filter their handshakes need not come by.
        self.tally.connections = self.numbers.given();
        no
    }
}

impl<W: Write> Sink for JsonSink<W> {
    fn wants(&self) -> Wants {
        self.wants
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let no = self.count(cx, event);
        match event {
            Event::Message(message) => {
                self.opening.write(self.out.buf(), no, cx, message.dir);
                line::message_rest(self.out.buf(), message);
            }
            Event::Handshake(handshake) => {
                let ends = self.owners.of(&cx.conn.key);
                line::handshake_of(self.out.buf(), no, cx, handshake, ends.as_ref());
            }
            Event::End(end) => {
                let late = self.owners.late(&cx.conn.key);
                line::end_of(self.out.buf(), no, cx, end, late.as_ref());
            }
            other => line::event(self.out.buf(), no, cx, other),
        }
        self.out.line_done()
    }

    fn later(&self) -> Later {
        Later::Drafts(line::draft)
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        let no = self.count(cx, event);
        line::numbered(self.out.buf(), no, draft);
        self.out.line_done()
    }
}

impl<W: Write> Output for JsonSink<W> {
    fn flush(&mut self) -> ControlFlow<()> {
        self.out.flush()
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        line::capture(self.out.buf(), end, &self.tally);
        self.out.finish()
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
