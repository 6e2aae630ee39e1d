//! Events of a part of the connections, kept until it is their turn.
//!
//! Gets: events, and which segment they came of. Gives: the same events again, segment by segment.
//! Keeps: what the sink will ask for ([`Later`]), in a few buffers that are used again.

use std::ops::{ControlFlow, Range};

use super::quiet::Quiet;
use crate::event::{
    ConnInfo, Cx, End, Event, Frame, Gap, Handshake, Later, Message, Payload, Sink, Wants,
};
use crate::note::Note;
use crate::units::{Origin, PacketNo, StreamNo};

/// What happened in one part of the connections, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// For each segment of which something came.
    turns: Vec<Turn>,
    items: Vec<Item>,
    /// Messages of which there is little to say, and their payloads or drafts, one behind the other.
    quiet: Vec<Quiet>,
    quiet_bytes: Vec<u8>,
    /// Items since the last of these messages.
    since: u32,
    /// What packet numbers are counted from.
    base: PacketNo,
    conns: Vec<ConnInfo>,
    texts: String,
    bytes: Vec<u8>,
    notes: Vec<Note>,
    /// Bytes that notes, handshakes and ends hold beside these buffers, about.
    beside: usize,
    /// Segments it covers.
    pub(super) segments: u32,
}

/// What came of a segment: which it is of those that the log covers, and where that ends.
#[derive(Debug)]
struct Turn {
    segment: u32,
    items: u32,
    quiet: u32,
}

#[derive(Debug)]
struct Item {
    /// Which of the connections.
    conn: u32,
    origin: Origin,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A TCP connection begins, which will stand at this place.
    Opened(u32),
    Handshake(Box<Handshake>),
    Frame(Box<KeptFrame>),
    Message(KeptMessage),
    Gap(Gap),
    End(Box<End>),
}

/// A message without what it borrows, and where that is.
#[derive(Debug)]
struct KeptMessage {
    message: Message<'static>,
    payload: Bytes,
    reason: Option<Range<usize>>,
    notes: Range<usize>,
}

#[derive(Debug)]
struct KeptFrame {
    frame: Frame<'static>,
    payload: Bytes,
    notes: Range<usize>,
}

/// Where the bytes of a payload are.
#[derive(Debug)]
enum Bytes {
    Skipped,
    Text(Range<usize>),
    Data(Range<usize>),
    /// What the sink made of the event ahead of its time.
    Draft(Range<usize>),
}

/// The numbers of the TCP connections of a part, by their places.
#[derive(Debug, Default)]
pub(super) struct Streams(Vec<StreamNo>);

impl Streams {
    fn set(&mut self, place: u32, stream: StreamNo) {
        let place = place as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, StreamNo::default());
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = stream;
        }
    }

    /// Events of this part name the place of a connection where its number belongs.
    fn of(&self, place: StreamNo) -> StreamNo {
        let place = usize::try_from(place.0).unwrap_or(usize::MAX);
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// How far a log was read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    segment: u32,
    turn: usize,
    item: usize,
    quiet: usize,
    quiet_bytes: usize,
    /// Connections that have their numbers. The last of them is that of the last event.
    numbered: usize,
}

impl Log {
    /// Bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        self.items.len() * size_of::<Item>()
            + self.quiet.len() * size_of::<Quiet>()
            + self.quiet_bytes.len()
            + self.conns.len() * size_of::<ConnInfo>()
            + self.texts.len()
            + self.bytes.len()
            + self.beside
    }

    /// Empties it, to be used again. Room for much more than usual is given back.
    pub(super) fn clear(&mut self) {
        const KEEP: usize = 1 << 20;
        self.turns.clear();
        self.items.clear();
        self.items.shrink_to(KEEP / size_of::<Item>());
        self.quiet.clear();
        self.quiet.shrink_to(KEEP / size_of::<Quiet>());
        self.quiet_bytes.clear();
        self.quiet_bytes.shrink_to(KEEP);
        self.since = 0;
        self.base = PacketNo(0);
        self.conns.clear();
        self.conns.shrink_to(KEEP / size_of::<ConnInfo>());
        self.texts.clear();
        self.texts.shrink_to(KEEP);
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.notes.clear();
        self.beside = 0;
        self.segments = 0;
    }

    /// A segment was worked on: what came of it is whole.
    pub(super) fn end_turn(&mut self) {
        let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let (items, quiet) = (len(self.items.len()), len(self.quiet.len()));
        let before = self.turns.last().map_or((0, 0), |turn| (turn.items, turn.quiet));
        if before != (items, quiet) {
            self.turns.push(Turn { segment: self.segments, items, quiet });
        }
        self.segments += 1;
        self.since = 0;
    }

    /// Is there a segment that was not handed on yet.
    pub(super) const fn has_next(&self, cursor: &Cursor) -> bool {
        cursor.segment < self.segments
    }

    /// Hands on what came of the next segment. `streams` are those of all parts together so far,
    /// `places` those of this part.
    pub(super) fn hand_on<S: Sink>(
        &mut self,
        cursor: &mut Cursor,
        places: &mut Streams,
        streams: &mut u64,
        sink: &mut S,
    ) -> ControlFlow<()> {
        let segment = cursor.segment;
        cursor.segment += 1;
        let Some(turn) = self.turns.get(cursor.turn).filter(|turn| turn.segment == segment) else {
            return ControlFlow::Continue(());
        };
        let (items, quiet) = (turn.items as usize, turn.quiet as usize);
        cursor.turn += 1;
        while let Some(next) = self.quiet.get(cursor.quiet).filter(|_| cursor.quiet < quiet) {
            let next = *next;
            cursor.quiet += 1;
            self.tell_items(cursor.item + usize::from(next.items), cursor, places, streams, sink)?;
            let bytes = cursor.quiet_bytes..cursor.quiet_bytes.saturating_add(next.bytes as usize);
            cursor.quiet_bytes = bytes.end;
            if next.is_of_next_connection() {
                self.number(cursor.numbered, cursor, places);
            }
            let Some(conn) = self.conns.get(cursor.numbered.saturating_sub(1)) else { continue };
            let bytes = self.quiet_bytes.get(bytes).unwrap_or_default();
            let (origin, message, drafted) = next.message(self.base, bytes);
            let (cx, event) = (Cx { conn, origin }, Event::Message(&message));
            if drafted {
                sink.drafted(&cx, &event, bytes)?;
            } else {
                sink.event(&cx, &event)?;
            }
        }
        self.tell_items(items, cursor, places, streams, sink)
    }

    /// Hands on the items before this place.
    fn tell_items<S: Sink>(
        &mut self,
        end: usize,
        cursor: &mut Cursor,
        places: &mut Streams,
        streams: &mut u64,
        sink: &mut S,
    ) -> ControlFlow<()> {
        while cursor.item < end {
            let at = cursor.item;
            cursor.item += 1;
            let Some(item) = self.items.get(at) else { continue };
            if let What::Opened(place) = item.what {
                places.set(place, StreamNo(*streams));
                *streams += 1;
                continue;
            }
            self.number(item.conn as usize, cursor, places);
            let Some(item) = self.items.get(at) else { continue };
            let Some(conn) = self.conns.get(item.conn as usize) else { continue };
            self.tell(&Cx { conn, origin: item.origin }, &item.what, sink)?;
        }
        ControlFlow::Continue(())
    }

    /// Gives the connections up to this one their numbers.
    fn number(&mut self, conn: usize, cursor: &mut Cursor, places: &Streams) {
        while cursor.numbered <= conn {
            if let Some(info) = self.conns.get_mut(cursor.numbered) {
                info.stream = places.of(info.stream);
            }
            cursor.numbered += 1;
        }
    }

    fn tell<S: Sink>(&self, cx: &Cx<'_>, what: &What, sink: &mut S) -> ControlFlow<()> {
        match what {
            What::Opened(_) => ControlFlow::Continue(()),
            What::Handshake(handshake) => sink.event(cx, &Event::Handshake(handshake)),
            What::Gap(gap) => sink.event(cx, &Event::Gap(*gap)),
            What::End(end) => sink.event(cx, &Event::End(end)),
            What::Message(kept) => {
                let message = Message {
                    payload: self.payload(&kept.payload),
                    close_reason: kept.reason.clone().and_then(|range| self.texts.get(range)),
                    notes: self.notes.get(kept.notes.clone()).unwrap_or_default(),
                    ..kept.message
                };
                self.give(cx, &Event::Message(&message), &kept.payload, sink)
            }
            What::Frame(kept) => {
                let frame = Frame {
                    payload: self.payload(&kept.payload).bytes(),
                    notes: self.notes.get(kept.notes.clone()).unwrap_or_default(),
                    ..kept.frame
                };
                self.give(cx, &Event::Frame(&frame), &kept.payload, sink)
            }
        }
    }

    fn give<S: Sink>(
        &self,
        cx: &Cx<'_>,
        event: &Event<'_>,
        payload: &Bytes,
        sink: &mut S,
    ) -> ControlFlow<()> {
        match payload {
            Bytes::Draft(range) => {
                sink.drafted(cx, event, self.bytes.get(range.clone()).unwrap_or_default())
            }
            _ => sink.event(cx, event),
        }
    }

    fn payload(&self, payload: &Bytes) -> Payload<'_> {
        match payload {
            Bytes::Skipped | Bytes::Draft(_) => Payload::Skipped,
            Bytes::Text(range) => Payload::Text(self.texts.get(range.clone()).unwrap_or_default()),
            Bytes::Data(range) => Payload::Data(self.bytes.get(range.clone()).unwrap_or_default()),
        }
    }

    fn text(&mut self, text: &str) -> Range<usize> {
        let begin = self.texts.len();
        self.texts.push_str(text);
        begin..self.texts.len()
    }

    fn data(&mut self, bytes: &[u8]) -> Range<usize> {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        begin..self.bytes.len()
    }

    fn noted(&mut self, notes: &[Note]) -> Range<usize> {
        let begin = self.notes.len();
        self.notes.extend_from_slice(notes);
        self.beside += notes.iter().map(|note| size_of::<Note>() + note.text.len()).sum::<usize>();
        begin..self.notes.len()
    }
}

/// Writes a log.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) log: Log,
    wants: Wants,
    later: Later,
}

impl Recorder {
    /// For a sink with these needs.
    pub(super) fn new(wants: Wants, later: Later) -> Self {
        Self { log: Log::default(), wants, later }
    }

    /// A TCP connection begins, which will stand at this place. Gives what stands for its number.
    pub(super) fn opened(&mut self, place: u32) -> StreamNo {
        let origin = Origin::default();
        self.item(Item { conn: 0, origin, what: What::Opened(place) });
        StreamNo(u64::from(place))
    }

    fn item(&mut self, item: Item) {
        self.log.items.push(item);
        self.log.since += 1;
    }

    /// Does the log go over to another connection with an event of this one.
    fn change(&mut self, conn: &ConnInfo) -> bool {
        let conns = &mut self.log.conns;
        let changes = conns.last().is_none_or(|last| last.key != conn.key);
        if changes {
            conns.push(conn.clone());
        }
        changes
    }

    /// Keeps a message in little room, if that can hold it.
    fn quietly(&mut self, changes: bool, cx: &Cx<'_>, message: &Message<'_>) -> bool {
        let log = &mut self.log;
        if log.quiet.is_empty() {
            log.base = cx.origin.packet;
        }
        let begin = log.quiet_bytes.len();
        let Some(mut quiet) = Quiet::new(log.base, changes, log.since, cx.origin, message) else {
            return false;
        };
        match (self.later, message.payload) {
            (Later::Drafts(draft), _) => {
                draft(&mut log.quiet_bytes, cx, &Event::Message(message));
                quiet.payload_is_drafted();
            }
            (Later::Facts, _) if !message.kind.is_control() => quiet.payload_is_skipped(),
            (_, payload) => log.quiet_bytes.extend_from_slice(payload.bytes()),
        }
        let Ok(bytes) = u32::try_from(log.quiet_bytes.len() - begin) else {
            log.quiet_bytes.truncate(begin);
            return false;
        };
        quiet.bytes = bytes;
        log.quiet.push(quiet);
        log.since = 0;
        true
    }

    fn message(&mut self, cx: &Cx<'_>, event: &Event<'_>, message: &Message<'_>) -> What {
        let log = &mut self.log;
        let payload = match (self.later, message.payload) {
            (Later::Drafts(draft), _) => {
                let begin = log.bytes.len();
                draft(&mut log.bytes, cx, event);
                Bytes::Draft(begin..log.bytes.len())
            }
            (_, Payload::Skipped) => Bytes::Skipped,
            (Later::Facts, _) if !message.kind.is_control() => Bytes::Skipped,
            (_, Payload::Text(text)) => Bytes::Text(log.text(text)),
            (_, Payload::Data(bytes)) => Bytes::Data(log.data(bytes)),
        };
        What::Message(KeptMessage {
            payload,
            reason: message.close_reason.map(|reason| log.text(reason)),
            notes: log.noted(message.notes),
            message: Message {
                payload: Payload::Skipped,
                close_reason: None,
                notes: &[],
                ..*message
            },
        })
    }

    fn frame(&mut self, cx: &Cx<'_>, event: &Event<'_>, frame: &Frame<'_>) -> What {
        let log = &mut self.log;
        let payload = match self.later {
            Later::Drafts(draft) => {
                let begin = log.bytes.len();
                draft(&mut log.bytes, cx, event);
                Bytes::Draft(begin..log.bytes.len())
            }
            Later::Facts => Bytes::Skipped,
            Later::Whole => Bytes::Data(log.data(frame.payload)),
        };
        let notes = log.noted(frame.notes);
        let frame = Frame { payload: &[], notes: &[], ..*frame };
        What::Frame(Box::new(KeptFrame { frame, payload, notes }))
    }
}

impl Sink for Recorder {
    fn wants(&self) -> Wants {
        self.wants
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let changes = self.change(cx.conn);
        if let Event::Message(message) = event
            && self.quietly(changes, cx, message)
        {
            return ControlFlow::Continue(());
        }
        let what = match event {
            Event::Message(message) => self.message(cx, event, message),
            Event::Frame(frame) => self.frame(cx, event, frame),
            Event::Gap(gap) => What::Gap(*gap),
            Event::Handshake(handshake) => {
                self.log.beside += handshake.size();
                What::Handshake(Box::new((*handshake).clone()))
            }
            Event::End(end) => {
                self.log.beside += size_of::<End>() + end.notes.len() * size_of::<Note>();
                What::End(Box::new((*end).clone()))
            }
        };
        let conn = u32::try_from(self.log.conns.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.item(Item { conn, origin: cx.origin, what });
        ControlFlow::Continue(())
    }
}
