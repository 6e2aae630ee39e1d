//! Frames of one direction of an HTTP/2 connection (RFC 9113 sections 4 and 6).
//!
//! Gets: in-order bytes and gaps. Gives: [`Part`]s; data as it comes, borrowed from the input. Keeps: the
//! 9 bytes of a header, the payload of a frame that is read as a whole, a field block until its end.
//! Never fails: what breaks a rule is stepped over by its length.
//!
//! ```text
//!   +-- length 24 --+- type 8 -+- flags 8 -+- R 1 -+- stream 31 -+  payload: length bytes
//! ```

use crate::http::guess::{ProxyHeader, proxy_header};
use crate::limits::Limits;
use crate::units::Origin;

use super::find::Find;

/// Stream identifier (section 5.1.1).
pub(super) type StreamId = u32;

/// What a direction says next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The client's preface is over; a PROXY protocol header of this version came before it.
    Preface { proxy_protocol: Option<u8> },
    /// Bytes of a stream.
    Data { stream: StreamId, bytes: &'a [u8] },
    /// No more of a stream in this direction.
    EndStream { stream: StreamId },
    /// A field block is over: [`Reader::take_block`] has it.
    Block(Block),
    /// SETTINGS, of a peer, not the word that they were received.
    Settings(Settings),
    /// `RST_STREAM`; the code is `None` where it is missing from the capture.
    Reset { stream: StreamId, code: Option<u32> },
    /// GOAWAY.
    GoAway { last: StreamId, code: u32 },
    /// A border that was found behind a gap proved to be none: what came since is not to be trusted.
    Doubt,
    /// Behind a gap, the next frame was found: these bytes are to be given again, from it on.
    Found(Replay),
}

/// A field block: of HEADERS or `PUSH_PROMISE`, with what continues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) stream: StreamId,
    /// Of `PUSH_PROMISE`: a request that the server makes up.
    pub(super) promise: bool,
    pub(super) end_stream: bool,
    /// All of it is there.
    pub(super) whole: bool,
    /// The packet of its frame's header.
    pub(super) begin: Origin,
}

/// What SETTINGS say that matters here (section 6.5.2, RFC 8441 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settings {
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
    pub(super) connect: Option<u32>,
    /// `SETTINGS_MAX_FRAME_SIZE`, for the frames of the other side.
    pub(super) max_frame: Option<u32>,
    /// Not all of the frame was there.
    pub(super) partial: bool,
}

/// Bytes that are to be given again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    pub(super) pieces: Vec<(Origin, Vec<u8>)>,
}

impl Replay {
    /// The bytes, by the packets that brought them.
    pub fn pieces(&self) -> impl Iterator<Item = (Origin, &[u8])> {
        self.pieces.iter().map(|(origin, bytes)| (*origin, &**bytes))
    }
}

/// What a gap did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// The border of the frame at hand is still known; nothing of a stream that matters is missing.
    InStep,
    /// So many bytes of this stream are missing.
    Data { stream: StreamId, len: u64 },
    /// Bytes of this stream are missing, it is not known how many: those that tell of padding were
    /// among them.
    Padded { stream: StreamId },
    /// Frames may be missing.
    Lost,
}

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) len: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) reserved: bool,
    pub(super) stream: StreamId,
}

/// Bytes of a frame header.
pub(super) const HEAD: usize = 9;

/// Frame types (section 6).
pub(super) mod kind {
    pub(in crate::http::h2) const DATA: u8 = 0;
    pub(in crate::http::h2) const HEADERS: u8 = 1;
    pub(in crate::http::h2) const PRIORITY: u8 = 2;
    pub(in crate::http::h2) const RST_STREAM: u8 = 3;
    pub(in crate::http::h2) const SETTINGS: u8 = 4;
    pub(in crate::http::h2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::http::h2) const PING: u8 = 6;
    pub(in crate::http::h2) const GOAWAY: u8 = 7;
    pub(in crate::http::h2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::http::h2) const CONTINUATION: u8 = 9;
}

/// Flags (section 6); `ACK` and `END_STREAM` are the same bit.
pub(super) mod flag {
    pub(in crate::http::h2) const END_STREAM: u8 = 0x1;
    pub(in crate::http::h2) const ACK: u8 = 0x1;
    pub(in crate::http::h2) const END_HEADERS: u8 = 0x4;
    pub(in crate::http::h2) const PADDED: u8 = 0x8;
    pub(in crate::http::h2) const PRIORITY: u8 = 0x20;
}

/// Section 3.4.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a GOAWAY, or SETTINGS, that are kept: a server may send as many as it likes.
const GATHERED: usize = 16 << 10;
/// Frames behind a border that was found which must look like frames.
const PROOF: u8 = 8;
/// After so many borders that proved to be none the direction is given up: whoever reads what was found
/// again does so in the midst of what was found before.
const RELAPSES: u8 = 8;

impl Head {
    pub(super) const fn read(bytes: [u8; HEAD]) -> Self {
        let [high, mid, low, kind, flags, stream @ ..] = bytes;
        let stream = u32::from_be_bytes(stream);
        Self {
            len: u32::from_be_bytes([0, high, mid, low]),
            kind,
            flags,
            reserved: stream >> 31 != 0,
            stream: stream & 0x7fff_ffff,
        }
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Reads the frames of one direction.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    held: [u8; HEAD],
    have: usize,
    /// Of the frame at hand, where it is read as a whole; before the preface, what came so far.
    payload: Vec<u8>,
    /// The packet of the frame's first byte.
    begin: Origin,
    block: Option<Block>,
    block_bytes: Vec<u8>,
    /// Frames that still have to prove a border that was found.
    unproven: u8,
    /// How often one proved to be none.
    relapses: u8,
    /// What the other side's SETTINGS allow a frame here.
    pub(super) max_frame: u32,
}

#[derive(Debug)]
enum State {
    /// Before the client's first frame.
    Preface,
    Head,
    /// The length of the padding, then data, then the padding.
    Data {
        stream: StreamId,
        padding: Padding,
        left: u64,
        end: bool,
    },
    Gather {
        head: Head,
        left: u64,
        hole: bool,
    },
    Skip {
        left: u64,
    },
    /// Nobody knows where the next frame begins.
    Lost(Box<Find>),
}

#[derive(Debug, Clone, Copy)]
enum Padding {
    /// The first byte tells.
    ToBeTold,
    Bytes(u64),
}

impl Reader {
    /// For the client's direction, which begins with a preface, or the server's.
    pub(super) fn new(client: bool) -> Self {
        Self {
            state: if client { State::Preface } else { State::Head },
            held: [0; HEAD],
            have: 0,
            payload: Vec::new(),
            begin: Origin::default(),
            block: None,
            block_bytes: Vec::new(),
            unproven: 0,
            relapses: 0,
            max_frame: 1 << 14,
        }
    }

    /// For a direction whose beginning is not in the capture.
    pub(super) fn mid_connection() -> Self {
        Self { state: State::Lost(Box::new(Find::mid_connection())), ..Self::new(false) }
    }

    /// For one that is believed to go on with a frame.
    pub(super) fn at_frame() -> Self {
        Self { unproven: PROOF, ..Self::new(false) }
    }

    /// Takes a part off the front of `input`; `None`: more is needed.
    pub(super) fn next<'a>(
        &mut self,
        origin: Origin,
        input: &mut &'a [u8],
        known: &impl Fn(StreamId) -> Known,
        limits: &Limits,
    ) -> Option<Part<'a>> {
        loop {
            match &mut self.state {
                State::Preface => {
                    let part = self.preface(input, limits)?;
                    return Some(part);
                }
                State::Head => {
                    if input.is_empty() {
                        return None;
                    }
                    if self.have == 0 {
                        self.begin = origin;
                    }
                    let wanted = HEAD - self.have;
                    let (taken, rest) = input.split_at_checked(wanted).unwrap_or((input, &[]));
                    *input = rest;
                    let end = self.have + taken.len();
                    if let Some(room) = self.held.get_mut(self.have..end) {
                        room.copy_from_slice(taken);
                    }
                    self.have = end;
                    if self.have < HEAD {
                        return None;
                    }
                    self.have = 0;
                    let head = Head::read(self.held);
                    if self.unproven > 0 {
                        if super::find::evidence(head, self.max_frame, known).is_none() {
                            self.lose();
                            self.relapses += 1;
                            if self.relapses > RELAPSES {
                                self.state = State::Skip { left: u64::MAX };
                            }
                            return Some(Part::Doubt);
                        }
                        self.unproven -= 1;
                    }
                    if let Some(part) = self.begin_frame(head) {
                        return Some(part);
                    }
                }
                State::Data { stream, padding, left, end } => {
                    let stream = *stream;
                    let Padding::Bytes(pad) = *padding else {
                        let (&told, rest) = input.split_first()?;
                        *input = rest;
                        *left -= 1;
                        // Section 6.1: padding as long as the payload or longer is an error; as much of
                        // it as there can be.
                        let pad = u64::from(told).min(*left);
                        *left -= pad;
                        *padding = Padding::Bytes(pad);
                        continue;
                    };
                    if *left > 0 {
                        if input.is_empty() {
                            return None;
                        }
                        let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                        let (bytes, rest) = input.split_at_checked(here).unwrap_or((input, &[]));
                        *input = rest;
                        *left -= bytes.len() as u64;
                        return Some(Part::Data { stream, bytes });
                    }
                    let end = *end;
                    self.state = State::Skip { left: pad };
                    if end {
                        return Some(Part::EndStream { stream });
                    }
                }
                State::Gather { left, .. } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (bytes, rest) = input.split_at_checked(here).unwrap_or((input, &[]));
                    *input = rest;
                    *left -= bytes.len() as u64;
                    let room = limits.head_bytes.max(GATHERED).saturating_sub(self.payload.len());
                    self.payload.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                    if *left > 0 {
                        return None;
                    }
                    if let Some(part) = self.end_frame(limits) {
                        return Some(part);
                    }
                }
                State::Skip { left } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *input = input.get(here..).unwrap_or_default();
                    *left -= here as u64;
                    if *left > 0 {
                        return None;
                    }
                    self.state = State::Head;
                }
                State::Lost(find) => {
                    if input.is_empty() {
                        return None;
                    }
                    let bytes = std::mem::take(input);
                    let pieces =
                        find.push(origin, bytes, self.max_frame, known, limits.resync_bytes)?;
                    self.state = State::Head;
                    self.unproven = PROOF;
                    return Some(Part::Found(Replay { pieces }));
                }
            }
        }
    }

    /// Bytes are missing.
    pub(super) fn gap(&mut self, len: u64) -> Lapse {
        match &mut self.state {
            State::Data { stream, padding: Padding::Bytes(pad), left, .. }
                if len <= *left + *pad =>
            {
                let (stream, missing) = (*stream, len.min(*left));
                *left -= missing;
                *pad -= len - missing;
                if missing > 0 { Lapse::Data { stream, len: missing } } else { Lapse::InStep }
            }
            State::Data { stream, padding: Padding::ToBeTold, left, end } if len <= *left => {
                let (stream, end) = (*stream, *end);
                // Where the data end is not known, so that none of the rest is read.
                let padding = Padding::Bytes(*left - len);
                self.state = State::Data { stream, padding, left: 0, end };
                Lapse::Padded { stream }
            }
            State::Gather { left, hole, .. } if len <= *left => {
                *left -= len;
                *hole = true;
                Lapse::InStep
            }
            State::Skip { left } if len <= *left => {
                *left -= len;
                Lapse::InStep
            }
            _ => {
                self.lose();
                Lapse::Lost
            }
        }
    }

    /// The last data given are to be given again.
    pub(super) const fn put_back(&mut self, len: usize) {
        if let State::Data { left, .. } = &mut self.state {
            *left += len as u64;
        }
    }

    /// Nobody knows where the next frame begins; what was gathered is of no use.
    pub(super) fn lose(&mut self) {
        self.state = State::Lost(Box::default());
        self.payload = Vec::new();
        self.block = None;
        self.block_bytes = Vec::new();
        self.have = 0;
    }

    /// Is it so.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost(_))
    }

    /// Is there some evidence of where it begins.
    pub(super) fn suspects(&self) -> bool {
        matches!(&self.state, State::Lost(find) if find.suspects())
    }

    /// The bytes of the block that was given last.
    pub(super) fn take_block(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.block_bytes)
    }

    /// Memory to be used for the next block.
    pub(super) fn put_block(&mut self, mut bytes: Vec<u8>) {
        /// More is given back.
        const KEPT: usize = 16 << 10;
        bytes.clear();
        if bytes.capacity() <= KEPT {
            self.block_bytes = bytes;
        }
    }

    /// Bytes of memory kept, about.
    pub(super) fn weight(&self) -> usize {
        let find = if let State::Lost(find) = &self.state { find.weight() } else { 0 };
        self.payload.capacity() + self.block_bytes.capacity() + find
    }

    fn preface<'a>(&mut self, input: &mut &'a [u8], limits: &Limits) -> Option<Part<'a>> {
        // It is short, and comes once: looked at as a whole, with the bytes before.
        let before = self.payload.len();
        self.payload.extend_from_slice(input);
        let (version, len) = match proxy_header(&self.payload) {
            ProxyHeader::V1(len) => (Some(1), len),
            ProxyHeader::V2(len) => (Some(2), len),
            ProxyHeader::Maybe if self.payload.len() < limits.probe_bytes => {
                *input = &[];
                return None;
            }
            _ => (None, 0),
        };
        let behind = self.payload.get(len..).unwrap_or_default();
        let blank = behind.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let start = behind.get(blank..).unwrap_or_default();
        if start.len() < PREFACE.len() && PREFACE.starts_with(start) {
            *input = &[];
            return None;
        }
        let used = if start.starts_with(PREFACE) { len + blank + PREFACE.len() } else { before };
        *input = input.get(used.saturating_sub(before)..).unwrap_or_default();
        let sound = start.starts_with(PREFACE);
        self.payload = Vec::new();
        // What begins otherwise is no client of HTTP/2, so that there is nothing to be found in it.
        self.state = if sound { State::Head } else { State::Skip { left: u64::MAX } };
        Some(Part::Preface { proxy_protocol: version })
    }

    fn begin_frame<'a>(&mut self, head: Head) -> Option<Part<'a>> {
        // Section 6.10: only CONTINUATION of the same stream may follow a block that is not over.
        let continues = head.kind == kind::CONTINUATION
            && self.block.is_some_and(|block| block.stream == head.stream);
        let broken = if continues { None } else { self.block.take() };
        let left = u64::from(head.len);
        self.state = match head.kind {
            kind::DATA => State::Data {
                stream: head.stream,
                padding: if head.has(flag::PADDED) && left > 0 {
                    Padding::ToBeTold
                } else {
                    Padding::Bytes(0)
                },
                left,
                end: head.has(flag::END_STREAM),
            },
            kind::CONTINUATION if !continues => State::Skip { left },
            kind::SETTINGS if head.has(flag::ACK) => State::Skip { left },
            kind::HEADERS
            | kind::PUSH_PROMISE
            | kind::CONTINUATION
            | kind::SETTINGS
            | kind::RST_STREAM
            | kind::GOAWAY => {
                self.payload.clear();
                State::Gather { head, left, hole: false }
            }
            _ => State::Skip { left },
        };
        broken.map(|block| Part::Block(Block { whole: false, ..block }))
    }

    /// A frame that was gathered is over.
    fn end_frame<'a>(&mut self, limits: &Limits) -> Option<Part<'a>> {
        let State::Gather { head, hole, .. } = std::mem::replace(&mut self.state, State::Head)
        else {
            return None;
        };
        let whole = !hole && self.payload.len() as u64 == u64::from(head.len);
        let payload = std::mem::take(&mut self.payload);
        let part = match head.kind {
            kind::SETTINGS => Some(Part::Settings(settings(&payload, whole))),
            kind::RST_STREAM => {
                let code = payload.first_chunk().filter(|_| whole);
                let code = code.map(|bytes| u32::from_be_bytes(*bytes));
                Some(Part::Reset { stream: head.stream, code })
            }
            kind::GOAWAY => goaway(&payload).filter(|_| whole),
            _ => self.end_block_frame(head, &payload, whole, limits),
        };
        self.payload = payload;
        self.payload.clear();
        part
    }

    fn end_block_frame<'a>(
        &mut self,
        head: Head,
        payload: &[u8],
        whole: bool,
        limits: &Limits,
    ) -> Option<Part<'a>> {
        let continued = self.block.take().filter(|_| head.kind == kind::CONTINUATION);
        let mut block = continued.unwrap_or_else(|| {
            self.block_bytes.clear();
            Block {
                stream: head.stream,
                promise: head.kind == kind::PUSH_PROMISE,
                end_stream: head.kind == kind::HEADERS && head.has(flag::END_STREAM),
                whole: true,
                begin: self.begin,
            }
        });
        let fragment = fragment(head, payload);
        block.whole &= whole && fragment.is_some();
        if block.whole {
            let fragment = fragment.unwrap_or_default();
            block.whole = self.block_bytes.len() + fragment.len() <= limits.head_bytes;
            if block.whole {
                self.block_bytes.extend_from_slice(fragment);
            }
        }
        if head.has(flag::END_HEADERS) {
            return Some(Part::Block(block));
        }
        self.block = Some(block);
        None
    }
}

/// What is known of a stream where frames are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A WebSocket is open, or asked for, on it; so many are.
    Open(usize),
    /// It may have been begun: such numbers were seen, up to this one.
    Begun(StreamId),
    /// There can be no such stream.
    No,
}

/// The field block fragment of a frame, without padding and priority (sections 6.2, 6.6, 6.10).
fn fragment(head: Head, payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    if head.kind == kind::CONTINUATION {
        return Some(rest);
    }
    let mut padding = 0;
    if head.has(flag::PADDED) {
        let (&told, behind) = rest.split_first()?;
        padding = usize::from(told);
        rest = behind;
    }
    let skip = match head.kind {
        kind::PUSH_PROMISE => 4,
        _ if head.has(flag::PRIORITY) => 5,
        _ => 0,
    };
    rest = rest.get(skip..)?;
    rest.get(..rest.len().checked_sub(padding)?)
}

fn settings(payload: &[u8], whole: bool) -> Settings {
    let mut told = Settings { partial: !whole, ..Settings::default() };
    if !whole {
        return told;
    }
    for [a, b, value @ ..] in payload.as_chunks::<6>().0 {
        let value = u32::from_be_bytes(*value);
        match u16::from_be_bytes([*a, *b]) {
            0x5 => told.max_frame = Some(value.clamp(1 << 14, (1 << 24) - 1)),
            0x8 => told.connect = Some(value),
            _ => {}
        }
    }
    told
}

fn goaway<'a>(payload: &[u8]) -> Option<Part<'a>> {
    let (last, rest) = payload.split_first_chunk()?;
    let code = rest.first_chunk()?;
    let last = u32::from_be_bytes(*last) & 0x7fff_ffff;
    Some(Part::GoAway { last, code: u32::from_be_bytes(*code) })
}
