//! HTTP/2 on one TCP connection, and the WebSockets that its streams carry (RFC 9113, RFC 8441).
//!
//! Gets: in-order bytes and gaps of both directions. Gives: [`Step`]s to [`crate::conn`]: streams that
//! were asked to become WebSockets and what was answered, and the bytes of those that did. Knows nothing
//! of WebSocket's rules: those are [`crate::ws::handshake`]'s. Keeps: what a frame or a field block
//! lacks, the tables of header compression, requests without their answer; each bounded by [`Limits`].
//! All other streams are stepped over.
//!
//! ```text
//!  bytes -> frame -> DATA ---------------------------------> Step::Data        of open WebSockets
//!             |  \-> blocks -> hpack -> head -> attempt ----> Opened | Over     a Waiting stream
//!             \-> find (behind a gap over a header)     \---> nothing           any other
//! ```
//!
//! A gap inside a frame leaves everything in step. Where frame headers may be missing, every WebSocket
//! of that direction has lost an unknown number of bytes ([`Step::Lost`]), and fields that refer to
//! what was compressed before are not known.

mod error;
mod find;
mod frame;
mod fuzz;
mod head;
mod hpack;
mod missed;
mod sight;
mod step;

use std::collections::{BTreeMap, VecDeque};

use self::frame::{Block, Known, Lapse, Part, Reader, StreamId};
use self::missed::Missed;
use super::{Answer, CutBy, Exchange, Held};
use crate::event::{Fields, RequestHead};
use crate::limits::Limits;
use crate::units::{Direction, Origin, PacketNo, PerDirection};

pub use self::error::{error_meaning, error_name};
pub use self::frame::Replay;
pub use self::fuzz::fuzz_h2;
pub use self::sight::{Sight, Whose};
pub use self::step::{Consent, Opened, OverHttp2, Step};

/// HTTP/2 on one connection.
///
/// Call [`data`](Self::data) until it gives `None`, then go on with the next event of either direction;
/// after [`gap`](Self::gap), [`closed`](Self::closed) and [`finish`](Self::finish) with no bytes.
#[derive(Debug)]
pub struct Http2 {
    ways: PerDirection<Way>,
    /// Those that matter here.
    streams: BTreeMap<StreamId, Stream>,
    /// The highest stream that was seen.
    highest: StreamId,
    /// Streams whose requests the capture lacks, or that could not be read.
    missed: Missed,
    /// What one call gave besides its first step.
    queue: VecDeque<Step<'static>>,
    /// The server's first SETTINGS, and those with which it enabled extended CONNECT.
    settings: Option<Origin>,
    enabled: Option<Origin>,
    /// A PROXY protocol header came and no attempt has it yet.
    proxy_protocol: Option<u8>,
    /// The connection's beginning is not in the capture: any stream may have been begun.
    mid_connection: bool,
    /// The packet with which requests were found again behind a gap: those up to it are read late.
    asked_before: Option<PacketNo>,
    /// The last stream that the server's GOAWAYs let go on, and the highest one that was seen by then.
    goaway: Option<(StreamId, StreamId)>,
    /// The client's FIN.
    left: Option<CutBy>,
    /// What is kept for streams that wait for their answer, about.
    waiting: usize,
}

/// One direction.
#[derive(Debug)]
struct Way {
    reader: Reader,
    hpack: hpack::Decoder,
    /// How often frames may have been missed.
    lapses: u32,
    /// Anything was seen of it.
    seen: bool,
}

#[derive(Debug)]
enum Stream {
    /// Asked to become a WebSocket, not answered.
    Waiting(Box<Waiting>),
    /// A WebSocket, or what may be one; which sides have ended.
    Open(PerDirection<bool>),
    /// Its request was missed, and it is nothing for us.
    Other,
}

#[derive(Debug)]
struct Waiting {
    exchange: Box<Exchange>,
    held: Held,
    /// Bytes of the client are missing in front of, or among what is held, it is not known how many.
    client_lost: bool,
    client_ended: Option<Origin>,
    /// [`Way::lapses`] of the server when it was asked.
    lapses: u32,
}

impl Waiting {
    fn weight(&self) -> usize {
        let fields = self.exchange.request.as_ref().map_or(0, |request| {
            let of = |f: &crate::event::Field| size_of_val(f) + f.name.len() + f.value.len();
            request.fields.0.iter().map(of).sum()
        });
        size_of::<Self>() + size_of::<Exchange>() + fields + self.held.weight()
    }
}

/// Bytes held of a stream before its answer. RFC 9113 section 6.9.2: no more than 65535 may be sent on
/// one before its receiver allowed it.
const HELD: usize = 64 << 10;

/// The highest stream that there can be (RFC 9113 section 5.1.1).
const LAST: StreamId = 0x7fff_ffff;

impl Default for Http2 {
    fn default() -> Self {
        Self::new()
    }
}

impl Http2 {
    /// At the start of a connection.
    pub fn new() -> Self {
        let way = |client| Way {
            reader: Reader::new(client),
            hpack: hpack::Decoder::default(),
            lapses: 0,
            seen: false,
        };
        Self {
            ways: PerDirection { to_server: way(true), to_client: way(false) },
            streams: BTreeMap::new(),
            highest: 0,
            missed: Missed::default(),
            queue: VecDeque::new(),
            settings: None,
            enabled: None,
            proxy_protocol: None,
            mid_connection: false,
            asked_before: None,
            goaway: None,
            left: None,
            waiting: 0,
        }
    }

    /// Where the connection's beginning is not in the capture. Of some directions it is known where a frame
    /// begins: with the first byte that is given.
    pub fn mid_connection(at_frame: PerDirection<bool>) -> Self {
        let mut this = Self { mid_connection: true, ..Self::new() };
        for dir in Direction::BOTH {
            let way = &mut this.ways[dir];
            let found = at_frame[dir];
            way.reader = if found { Reader::at_frame() } else { Reader::mid_connection() };
            way.lapses = 1;
            way.hpack.lost();
        }
        this.missed.add_rest(0);
        this
    }

    /// Takes bytes off the front of `input`, up to the first thing that must be acted on. `None`: all of
    /// it is used.
    pub fn data<'a>(
        &mut self,
        dir: Direction,
        origin: Origin,
        input: &mut &'a [u8],
        limits: &Limits,
    ) -> Option<Step<'a>> {
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Some(step);
            }
            let before = *input;
            let Self { ways, streams, highest, mid_connection, .. } = self;
            let highest = if *mid_connection { LAST } else { *highest };
            let known = |stream| known(streams, highest, stream);
            let way = &mut ways[dir];
            way.seen |= !input.is_empty();
            let part = way.reader.next(origin, input, &known, limits)?;
            if self.mid_connection
                && let Part::Data { stream, .. } = part
            {
                self.highest = self.highest.max(stream);
            }
            match part {
                Part::Data { stream, bytes } => match self.streams.get(&stream) {
                    Some(Stream::Open(_)) => return Some(Step::Data { stream, bytes }),
                    Some(Stream::Waiting(_)) => {
                        if let Some(step) = self.early(dir, origin, stream, bytes, limits) {
                            if dir == Direction::ToClient {
                                // To be read as those of a WebSocket, once that is told.
                                self.ways[dir].reader.put_back(bytes.len());
                                let used = before.len() - input.len() - bytes.len();
                                *input = before.get(used..).unwrap_or_default();
                            }
                            return Some(step);
                        }
                    }
                    None if self.may_be_one(stream, limits) => {
                        let open = Stream::Open(PerDirection::default());
                        self.streams.insert(stream, open);
                        return Some(Step::Data { stream, bytes });
                    }
                    Some(Stream::Other) | None => {}
                },
                Part::EndStream { stream } => self.end_stream(dir, origin, stream),
                Part::Block(block) => self.block(dir, origin, block, limits),
                Part::Settings(settings) => {
                    let other = &mut self.ways[dir.flip()].reader;
                    other.max_frame = other.max_frame.max(settings.max_frame.unwrap_or(0));
                    if dir == Direction::ToClient {
                        self.settings.get_or_insert(origin);
                        // RFC 8441 section 3: no other value says anything.
                        if settings.connect == Some(1) {
                            self.enabled.get_or_insert(origin);
                        }
                        // What is not known to be said is not known to be withheld.
                        self.ways[dir].lapses += u32::from(settings.partial);
                    }
                }
                Part::Reset { stream, code } => {
                    if let Some(Stream::Open(_)) = self.streams.get(&stream) {
                        self.streams.remove(&stream);
                        return Some(Step::Reset { stream, code });
                    }
                    if let Some(Stream::Other) = self.streams.get(&stream) {
                        self.streams.remove(&stream);
                    }
                    let step = self.cut(stream, CutBy::StreamReset(dir, origin, code));
                    self.queue.extend(step);
                }
                Part::GoAway { last, code } => {
                    // One that says no more than another before it costs no walk over the streams.
                    let (lowest, highest) = self.goaway.unwrap_or((LAST, 0));
                    if dir == Direction::ToClient && (last < lowest || self.highest > highest) {
                        self.goaway = Some((lowest.min(last), self.highest));
                        let by = CutBy::GoAway(dir, origin, code);
                        self.cut_all(by, |stream| stream > last);
                    }
                    self.queue.push_back(Step::GoAway { code });
                }
                Part::Preface { proxy_protocol } => self.proxy_protocol = proxy_protocol,
                Part::Doubt => self.lapse(dir),
                Part::Found(replay) => {
                    if dir == Direction::ToServer {
                        // The answers to what is asked in these may have gone by.
                        self.ways.to_client.lapses += 1;
                        self.asked_before = Some(origin.packet);
                    }
                    return Some(Step::Found(replay));
                }
            }
        }
    }

    /// Takes a gap. What it means to WebSockets is given by [`Self::data`] with no bytes.
    pub fn gap(&mut self, dir: Direction, origin: Origin, len: u64) {
        let way = &mut self.ways[dir];
        way.seen = true;
        match way.reader.gap(len) {
            Lapse::InStep => {}
            Lapse::Data { stream, len } => match self.streams.get_mut(&stream) {
                Some(Stream::Open(_)) => self.queue.push_back(Step::Gap { stream, len }),
                Some(Stream::Waiting(waiting)) if dir == Direction::ToServer => {
                    waiting.held.gap(origin, len);
                }
                _ => {}
            },
            Lapse::Padded { stream } => self.lose_stream(dir, stream),
            Lapse::Lost => self.lapse(dir),
        }
    }

    /// It is not known how many bytes of a direction are missing: where its next frame begins has to be
    /// looked for.
    pub fn lose(&mut self, dir: Direction) {
        self.ways[dir].reader.lose();
        self.lapse(dir);
    }

    /// A side has ended TCP. After the client's FIN the server may still answer; a RST ends both.
    pub fn closed(&mut self, by: CutBy) {
        if matches!(by, CutBy::Fin(Direction::ToServer, _)) {
            self.left.get_or_insert(by);
        } else {
            self.cut_all(by, |_| true);
        }
    }

    /// The end of the capture, or of our patience.
    pub fn finish(&mut self) {
        self.cut_all(CutBy::CaptureEnd, |_| true);
    }

    /// A stream whose request was missed is none for us.
    pub fn refute(&mut self, stream: u32) {
        self.streams.insert(stream, Stream::Other);
    }

    /// Keeps no more than is needed to stay in step.
    pub fn shed(&mut self) {
        for way in [&mut self.ways.to_server, &mut self.ways.to_client] {
            way.hpack.lost();
            if way.reader.is_lost() {
                way.reader.lose();
            }
        }
        for stream in self.streams.values_mut() {
            if let Stream::Waiting(waiting) = stream {
                waiting.client_lost |= !waiting.held.is_empty();
                waiting.held = Held::default();
            }
        }
        self.weigh();
    }

    /// Bytes of memory kept, about.
    pub fn weight(&self) -> usize {
        let of = |way: &Way| way.reader.weight() + way.hpack.weight();
        of(&self.ways.to_server) + of(&self.ways.to_client) + self.waiting
    }

    /// Is a direction looked through for the next frame.
    pub const fn is_lost(&self) -> bool {
        self.ways.to_server.reader.is_lost() || self.ways.to_client.reader.is_lost()
    }

    fn weigh(&mut self) {
        self.waiting = self
            .streams
            .values()
            .map(|stream| match stream {
                Stream::Waiting(waiting) => waiting.weight(),
                Stream::Open(_) | Stream::Other => 0,
            })
            .sum();
    }

    /// Bytes of a stream that waits for its answer: held, unless the answer is known to be missing.
    fn early(
        &mut self,
        dir: Direction,
        origin: Origin,
        stream: StreamId,
        bytes: &[u8],
        limits: &Limits,
    ) -> Option<Step<'static>> {
        let lapses = self.ways.to_client.lapses;
        let Some(Stream::Waiting(waiting)) = self.streams.get_mut(&stream) else { return None };
        if dir == Direction::ToServer {
            waiting.held.push(origin, bytes, limits.held_bytes.min(HELD));
        }
        let lost = lapses > waiting.lapses;
        self.weigh();
        lost.then(|| self.open(stream, Answer::Missing)).flatten()
    }

    fn end_stream(&mut self, dir: Direction, origin: Origin, stream: StreamId) {
        match self.streams.get_mut(&stream) {
            Some(Stream::Open(ended)) => {
                if !std::mem::replace(&mut ended[dir], true) {
                    self.queue.push_back(Step::End { stream });
                }
                if ended.to_server && ended.to_client {
                    self.streams.remove(&stream);
                }
            }
            Some(Stream::Waiting(waiting)) if dir == Direction::ToServer => {
                waiting.client_ended.get_or_insert(origin);
            }
            Some(Stream::Waiting(_)) => {
                let step = self.cut(stream, CutBy::StreamEnd(dir, origin));
                self.queue.extend(step);
            }
            // The answer is over, and with it the stream.
            Some(Stream::Other) if dir == Direction::ToClient => {
                self.streams.remove(&stream);
            }
            Some(Stream::Other) | None => {}
        }
    }

    fn block(&mut self, dir: Direction, origin: Origin, block: Block, limits: &Limits) {
        let way = &mut self.ways[dir];
        let bytes = way.reader.take_block();
        let mut read = hpack::Block { partial: true, ..hpack::Block::default() };
        if block.whole {
            read = way.hpack.block(&bytes, limits);
        } else {
            way.hpack.lost();
        }
        way.reader.put_block(bytes);
        if block.promise {
            return;
        }
        if dir == Direction::ToServer && block.stream > self.highest {
            self.missed.begins(block.stream);
            if read.partial && !asks_for_websocket(&read.fields) {
                self.missed.add(block.stream - 1, block.stream + 1);
            }
        }
        self.highest = self.highest.max(block.stream);
        match dir {
            Direction::ToServer => self.request(origin, block, read, limits),
            Direction::ToClient => self.response(origin, block, read, limits),
        }
        // Behind what the block says; of trailers it is all that matters.
        if block.end_stream {
            self.end_stream(dir, origin, block.stream);
        }
    }

    fn request(&mut self, origin: Origin, block: Block, read: hpack::Block, limits: &Limits) {
        // Section 5.1.1: clients have the odd ones. What is there already has trailers.
        let new = block.stream % 2 == 1 && !self.streams.contains_key(&block.stream);
        if !new || !asks_for_websocket(&read.fields) {
            return;
        }
        let over = OverHttp2 { stream: block.stream, consent: Consent::Unknown, switching: None };
        let mut request = head::request(read.fields, block.begin, origin);
        request.notes.extend(read.over.map(|limit| limit.note("request", limits)));
        let exchange = Box::new(Exchange {
            request: Some(request),
            request_partial: read.partial,
            answer: Answer::Missing,
            interim: Vec::new(),
            request_body: false,
            early: None,
            proxy_protocol: self.proxy_protocol.take(),
            http2: Some(over),
        });
        if self.streams.len() >= limits.h2_streams {
            self.queue.push_back(Step::Over { exchange, too_many: true });
            return;
        }
        let late = self.asked_before.is_some_and(|packet| origin.packet <= packet);
        let waiting = Waiting {
            exchange,
            held: Held::default(),
            client_lost: false,
            client_ended: None,
            lapses: self.ways.to_client.lapses - u32::from(late),
        };
        self.streams.insert(block.stream, Stream::Waiting(Box::new(waiting)));
        self.weigh();
    }

    fn response(&mut self, origin: Origin, block: Block, read: hpack::Block, limits: &Limits) {
        let stream = block.stream;
        if self.may_be_refused(stream, &read.fields, limits) {
            return self.refute(stream);
        }
        let Some(Stream::Waiting(waiting)) = self.streams.get_mut(&stream) else { return };
        let lapses = self.ways.to_client.lapses;
        // Trailers have none, and frames that are missing may have been the answer before them.
        let sure = !read.partial && lapses <= waiting.lapses;
        let answer = match head::response(read.fields, block.begin, origin) {
            // RFC 9113 section 8.6: HTTP/2 has no 101; the answer is still to come.
            Ok(head) if head.status == 101 => {
                if let Some(over) = &mut waiting.exchange.http2 {
                    over.switching.get_or_insert(origin);
                }
                return;
            }
            // RFC 9110 section 15.2.
            Ok(head) if head.status < 200 => {
                let interim = &mut waiting.exchange.interim;
                if interim.len() < super::server::INTERIM {
                    interim.push(head.status);
                }
                return;
            }
            Ok(mut head) if read.partial => {
                head.notes.extend(read.over.map(|limit| limit.note("answer", limits)));
                Answer::Partial(head)
            }
            Ok(head) => Answer::Head(head),
            // RFC 9113 section 8.3.2: malformed.
            Err(start) if sure => Answer::NotHttp { start, origin },
            // An interim response, or the answer: what follows shows which.
            Err(_) => {
                self.ways.to_client.lapses += 1;
                return;
            }
        };
        let step = match &answer {
            Answer::Head(head) | Answer::Partial(head)
                if head.status < 300
                    && waiting.exchange.request.as_ref().is_some_and(is_extended) =>
            {
                self.open(stream, answer)
            }
            _ => match self.streams.remove(&stream) {
                Some(Stream::Waiting(waiting)) => {
                    let exchange = self.answered(waiting.exchange, answer);
                    Some(Step::Over { exchange, too_many: false })
                }
                _ => None,
            },
        };
        self.queue.extend(step);
        self.weigh();
    }

    /// Does the answer to a request that was missed say that the stream is no WebSocket.
    fn may_be_refused(&self, stream: StreamId, fields: &Fields, limits: &Limits) -> bool {
        let known = self.streams.contains_key(&stream);
        let refused = fields.first(":status").is_some_and(|status| !status.starts_with(b"2"));
        !known && refused && self.may_be_one(stream, limits)
    }

    /// From now on a stream is a WebSocket.
    fn open(&mut self, stream: StreamId, answer: Answer) -> Option<Step<'static>> {
        let slot = self.streams.get_mut(&stream)?;
        let Stream::Waiting(waiting) = slot else { return None };
        let answer_missing = matches!(answer, Answer::Missing);
        let held = std::mem::take(&mut waiting.held);
        if !answer_missing {
            waiting.exchange.early = held.first().map(|origin| (origin, held.seen()));
        }
        let client_lost = waiting.client_lost;
        let client_ended = waiting.client_ended;
        let ended = PerDirection { to_server: client_ended.is_some(), to_client: false };
        let Stream::Waiting(waiting) = std::mem::replace(slot, Stream::Open(ended)) else {
            return None;
        };
        let exchange = self.answered(waiting.exchange, answer);
        self.weigh();
        Some(Step::Opened(Box::new(Opened {
            stream,
            exchange,
            held,
            synced: PerDirection { to_server: !client_lost, to_client: !answer_missing },
            client_ended,
        })))
    }

    fn answered(&self, mut exchange: Box<Exchange>, answer: Answer) -> Box<Exchange> {
        let asked = exchange.request.as_ref().map(|request| request.origin.packet);
        if let (Some(over), Some(asked)) = (&mut exchange.http2, asked) {
            over.consent = match (self.enabled, self.settings) {
                (Some(enabled), _) if enabled.packet <= asked => Consent::Given,
                _ if self.ways.to_client.lapses > 0 => Consent::Unknown,
                (Some(enabled), _) => Consent::Late(enabled),
                (None, Some(settings)) => Consent::Withheld(settings),
                (None, None) => Consent::Unknown,
            };
        }
        exchange.answer = answer;
        exchange
    }

    /// A stream will not have its answer.
    fn cut(&mut self, stream: StreamId, by: CutBy) -> Option<Step<'static>> {
        let Some(Stream::Waiting(waiting)) = self.streams.get(&stream) else { return None };
        let server = &self.ways.to_client;
        let missing = server.lapses > waiting.lapses || server.reader.is_lost();
        // Client bytes where nothing at all was captured of the server tell of an answer too.
        let unheard = !server.seen && !waiting.held.is_empty();
        let of_tcp = matches!(by, CutBy::CaptureEnd | CutBy::Fin(..) | CutBy::Reset(..));
        if (missing || unheard) && !waiting.held.is_empty() && of_tcp {
            return self.open(stream, Answer::Missing);
        }
        let Some(Stream::Waiting(waiting)) = self.streams.remove(&stream) else { return None };
        let by = self.left_first(&waiting, by);
        let answer = if missing { Answer::Missing } else { Answer::Cut { seen: 0, by } };
        let exchange = self.answered(waiting.exchange, answer);
        self.weigh();
        Some(Step::Over { exchange, too_many: false })
    }

    /// A server that ends what its client has left without an answer did not break off first. Where it
    /// gives a reason of its own, that stands.
    fn left_first(&self, waiting: &Waiting, by: CutBy) -> CutBy {
        if !matches!(by, CutBy::Fin(..) | CutBy::Reset(..) | CutBy::StreamEnd(..)) {
            return by;
        }
        // An ordinary request ends its side and waits for the answer; a WebSocket has nothing to wait for.
        let extended = waiting.exchange.request.as_ref().is_some_and(is_extended);
        let ended = waiting.client_ended.filter(|_| extended);
        let ended = ended.map(|origin| CutBy::StreamEnd(Direction::ToServer, origin));
        ended.or(self.left).unwrap_or(by)
    }

    fn cut_all(&mut self, by: CutBy, which: impl Fn(StreamId) -> bool) {
        let all: Vec<StreamId> = self.streams.keys().copied().filter(|id| which(*id)).collect();
        for stream in all {
            let step = self.cut(stream, by);
            self.queue.extend(step);
        }
    }

    /// Frames of a direction may be missing.
    fn lapse(&mut self, dir: Direction) {
        if dir == Direction::ToServer {
            self.missed.add_rest(self.highest);
        }
        let way = &mut self.ways[dir];
        way.lapses += 1;
        way.hpack.lost();
        let all: Vec<StreamId> = self.streams.keys().copied().collect();
        for stream in all {
            self.lose_stream(dir, stream);
        }
    }

    /// May this be a WebSocket whose request was missed.
    fn may_be_one(&self, stream: StreamId, limits: &Limits) -> bool {
        // Half of the room is for those of which more is known.
        stream % 2 == 1 && self.streams.len() < limits.h2_streams / 2 && self.missed.has(stream)
    }

    /// An unknown number of a stream's bytes is missing.
    fn lose_stream(&mut self, dir: Direction, stream: StreamId) {
        match self.streams.get_mut(&stream) {
            Some(Stream::Open(_)) => self.queue.push_back(Step::Lost { stream }),
            Some(Stream::Waiting(waiting)) if dir == Direction::ToServer => {
                waiting.held = Held::default();
                waiting.client_lost = true;
            }
            _ => {}
        }
    }
}

fn known(streams: &BTreeMap<StreamId, Stream>, highest: StreamId, stream: StreamId) -> Known {
    /// How far behind a gap the numbers may have gone on.
    const MISSED: StreamId = 2 * 128;
    let highest = highest.saturating_add(MISSED).min(LAST);
    if streams.contains_key(&stream) {
        Known::Open(streams.len())
    } else if stream <= highest && stream != 0 {
        Known::Begun(highest)
    } else {
        Known::No
    }
}

/// Does a request want to become a WebSocket: by extended CONNECT, or by what HTTP/1.1 has for that,
/// which whoever made it will look for.
fn asks_for_websocket(fields: &Fields) -> bool {
    match fields.first(":protocol") {
        Some(protocol) => protocol.eq_ignore_ascii_case(b"websocket"),
        None => {
            fields.has_token("upgrade", "websocket")
                || fields.first("sec-websocket-key").is_some()
                || fields.first("sec-websocket-version").is_some()
        }
    }
}

/// RFC 8441 section 4: a CONNECT with `:protocol`.
fn is_extended(request: &RequestHead) -> bool {
    request.method == "CONNECT" && request.fields.first(":protocol").is_some()
}

#[cfg(test)]
mod tests;
