//! The body of a fuzz target: the laws that hold for any bytes.

use std::collections::BTreeMap;

use super::frame::{flag, kind};
use super::{Http2, Step};
use crate::http::{CutBy, HeldPiece};
use crate::limits::Limits;
use crate::units::{Direction, Origin, PacketNo};

/// What a run gave: the bytes of each stream and direction as far as they are joined, and all else.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Stretches with nothing missing between their bytes.
    data: BTreeMap<(u32, Direction), Vec<Vec<u8>>>,
    told: Vec<String>,
}

/// Drives [`Http2`] with what `data` describes. The first byte chooses: anything at all, or a
/// conversation of two ends of which the capture may lack something.
///
/// # Panics
/// When a law is broken: cutting the input shows, a conversation does not come out as it was, a gap
/// makes up bytes that nobody sent, or more is kept than the limits allow.
pub fn fuzz_h2(data: &[u8]) {
    match data.split_first() {
        Some((choice, rest)) if choice & 1 == 0 => anything(rest),
        Some((_, rest)) => conversation(rest),
        None => {}
    }
}

fn limits() -> Limits {
    Limits {
        head_bytes: 512,
        head_fields: 16,
        held_bytes: 256,
        h2_streams: 4,
        hpack_bytes: 512,
        resync_bytes: 1024,
        ..Limits::default()
    }
}

/// Each act is a byte (bit 0: direction; bits 1 to 3: 6 for a gap, 7 for an end, else data) and a
/// length byte; data is what follows.
fn anything(data: &[u8]) {
    let whole = run_acts(data, usize::MAX);
    if let Some(whole) = &whole.1 {
        let bytewise = run_acts(data, 1).1;
        assert_eq!(Some(whole), bytewise.as_ref(), "the cutting of the input shows");
    }
}

/// What was heard; the second time only where nothing was lost.
fn run_acts(mut data: &[u8], piece: usize) -> (usize, Option<Heard>) {
    let mut run = Run::new();
    let mut lossless = true;
    // So that all of it is about frames: the client's first bytes are its preface.
    run.give(Direction::ToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    while let Some((&[what, len], rest)) = data.split_first_chunk() {
        data = rest;
        run.packet += 1;
        let dir = if what & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        match what >> 1 & 7 {
            6 => {
                lossless = false;
                run.gap(dir, u64::from(len) + 1);
            }
            7 if len & 1 == 0 => run.closed(CutBy::Fin(dir, ORIGIN)),
            7 => run.closed(CutBy::Reset(dir, ORIGIN)),
            _ => {
                let (bytes, rest) = data.split_at_checked(len.into()).unwrap_or((data, &[]));
                data = rest;
                for bytes in bytes.chunks(piece.min(bytes.len()).max(1)) {
                    run.give(dir, bytes);
                }
            }
        }
        assert!(run.http.weight() < 1 << 18, "kept: {}", run.http.weight());
    }
    run.http.finish();
    run.drain(Direction::ToServer);
    (run.packet.try_into().unwrap_or(0), lossless.then_some(run.heard))
}

/// Streams that are opened and carry what `data` says, in frames as it says, in segments as it says;
/// then the same with a hole.
fn conversation(data: &[u8]) {
    let mut spec = data.iter().copied();
    let mut next = || spec.next();
    let (Some(streams), Some(segment), Some(hole)) = (next(), next(), next()) else { return };
    let streams: Vec<u32> = (0..=u32::from(streams % 4)).map(|n| 2 * n + 1).collect();
    let mut built = Built::new(&streams);
    while let (Some(what), Some(len)) = (next(), next()) {
        let dir = if what & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let stream = streams.get(usize::from(what >> 1 & 3)).copied();
        // Frames in what a frame carries could not be told from others: none begins in such bytes.
        let bytes: Vec<u8> = (0..len).map_while(|_| next()).map(|byte| byte | 0x80).collect();
        match (what >> 3 & 7, stream) {
            (0, _) => built.frame(dir, kind::PING, 0, 0, &[7; 8]),
            (1, _) => built.frame(dir, kind::WINDOW_UPDATE, 0, stream.unwrap_or(0), &[0, 0, 1, 0]),
            // Unknown, and greased.
            (2, _) => built.frame(dir, 0xb0 | what, len, u32::from(len), &bytes),
            (3, Some(stream)) => built.padded(dir, stream, &bytes, len),
            (_, Some(stream)) => built.data(dir, stream, &bytes),
            (_, None) => {}
        }
    }
    let segment = usize::from(segment) + 1;
    let whole = built.run(segment, None);
    for (of, want) in &built.sent {
        let got = whole.data.get(of).map(|parts| parts.concat()).unwrap_or_default();
        assert_eq!(&got, want, "stream and direction {of:?}");
    }
    assert_eq!(whole, built.run(1, None), "the cutting of the input shows");
    let holed = built.run(segment, Some(hole));
    for (of, parts) in &holed.data {
        let sent = built.sent.get(of).map_or(&[][..], |sent| sent);
        for part in parts {
            let there = part.is_empty() || sent.windows(part.len()).any(|window| window == part);
            assert!(there, "nobody sent {part:?} on {of:?}: {sent:?}");
        }
    }
}

/// What both ends say.
struct Built {
    segments: Vec<(Direction, Vec<u8>)>,
    sent: BTreeMap<(u32, Direction), Vec<u8>>,
}

impl Built {
    fn new(streams: &[u32]) -> Self {
        let mut built = Self { segments: Vec::new(), sent: BTreeMap::new() };
        built.push(Direction::ToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        built.frame(Direction::ToServer, kind::SETTINGS, 0, 0, &[]);
        built.frame(Direction::ToClient, kind::SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]);
        for &stream in streams {
            // Literals without indexing: `:method CONNECT`, `:protocol websocket`; then `:status 200`.
            let request = b"\x02\x07CONNECT\x00\x09:protocol\x09websocket\x84\x86";
            built.frame(Direction::ToServer, kind::HEADERS, flag::END_HEADERS, stream, request);
            built.frame(Direction::ToClient, kind::HEADERS, flag::END_HEADERS, stream, &[0x88]);
        }
        built
    }

    fn push(&mut self, dir: Direction, bytes: &[u8]) {
        self.segments.push((dir, bytes.to_vec()));
    }

    fn frame(&mut self, dir: Direction, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, len @ ..] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        let stream = stream.to_be_bytes();
        self.push(dir, &[&len, &[kind, flags][..], &stream, payload].concat());
    }

    fn data(&mut self, dir: Direction, stream: u32, bytes: &[u8]) {
        self.frame(dir, kind::DATA, 0, stream, bytes);
        self.sent.entry((stream, dir)).or_default().extend_from_slice(bytes);
    }

    fn padded(&mut self, dir: Direction, stream: u32, bytes: &[u8], padding: u8) {
        let payload = [&[padding][..], bytes, &vec![0; padding.into()]].concat();
        self.frame(dir, kind::DATA, flag::PADDED, stream, &payload);
        self.sent.entry((stream, dir)).or_default().extend_from_slice(bytes);
    }

    /// In segments of this size at most, without the one that `hole` chooses.
    fn run(&self, segment: usize, hole: Option<u8>) -> Heard {
        let mut run = Run::new();
        let pieces = self
            .segments
            .iter()
            .flat_map(|(dir, bytes)| bytes.chunks(segment).map(move |bytes| (*dir, bytes)));
        for (n, (dir, bytes)) in pieces.enumerate() {
            run.packet += 1;
            if hole.is_some_and(|hole| n == usize::from(hole)) {
                run.gap(dir, bytes.len() as u64);
            } else {
                run.give(dir, bytes);
            }
        }
        run.http.finish();
        run.drain(Direction::ToServer);
        run.heard
    }
}

/// Packets are of no matter here: those of another cutting are others.
const ORIGIN: Origin = Origin { packet: PacketNo(0), time: None };

struct Run {
    http: Http2,
    limits: Limits,
    packet: u64,
    heard: Heard,
}

impl Run {
    fn new() -> Self {
        Self { http: Http2::new(), limits: limits(), packet: 0, heard: Heard::default() }
    }

    fn gap(&mut self, dir: Direction, len: u64) {
        self.http.gap(dir, ORIGIN, len);
        self.drain(dir);
    }

    fn closed(&mut self, by: CutBy) {
        self.http.closed(by);
        self.drain(Direction::ToServer);
    }

    fn drain(&mut self, dir: Direction) {
        self.give(dir, &[]);
    }

    fn give(&mut self, dir: Direction, mut bytes: &[u8]) {
        while let Some(step) = self.http.data(dir, ORIGIN, &mut bytes, &self.limits) {
            match step {
                Step::Data { stream, bytes } => self.heard.join(stream, dir, bytes),
                Step::Gap { stream, .. } | Step::Lost { stream } => self.heard.part(stream, dir),
                Step::Opened(opened) => {
                    self.heard.told.push(format!("{} {:?}", opened.stream, opened.exchange));
                    for piece in opened.held.pieces() {
                        match piece {
                            HeldPiece::Data { bytes, .. } => {
                                self.heard.join(opened.stream, Direction::ToServer, bytes);
                            }
                            HeldPiece::Gap { .. } => {
                                self.heard.part(opened.stream, Direction::ToServer);
                            }
                        }
                    }
                }
                Step::Found(replay) => {
                    for (_, bytes) in replay.pieces() {
                        self.give(dir, bytes);
                    }
                }
                other => self.heard.told.push(format!("{dir} {other:?}")),
            }
        }
        assert!(bytes.is_empty(), "all of it is used");
    }
}

impl Heard {
    fn join(&mut self, stream: u32, dir: Direction, bytes: &[u8]) {
        let parts = self.data.entry((stream, dir)).or_default();
        match parts.last_mut() {
            Some(last) => last.extend_from_slice(bytes),
            None => parts.push(bytes.to_vec()),
        }
    }

    fn part(&mut self, stream: u32, dir: Direction) {
        self.data.entry((stream, dir)).or_default().push(Vec::new());
    }
}
