//! The body of a fuzz target: the laws that hold for any bytes.

use super::{CutBy, Exchange, Guess, Held, HeldPiece, Http1, Step, looks_like};
use crate::limits::Limits;
use crate::units::{Direction, Origin, PacketNo};

/// Something that happens to the connection.
enum Act<'a> {
    Data(Direction, &'a [u8]),
    Gap(Direction, u64),
    Closed(CutBy),
}

/// What a run gave.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    steps: Vec<Step>,
    last: Option<Box<Exchange>>,
    held: Held,
}

/// Drives [`Http1`] with what `data` describes, once in whole pieces and once byte by byte.
///
/// Each act is a byte (bit 0: direction; bits 1 to 3: 6 for a gap, 7 for an end, else data) and a
/// length byte; data is what follows.
///
/// # Panics
/// When the two runs differ, or more is held than the limits allow.
pub fn fuzz_http(data: &[u8]) {
    let whole = run(data, usize::MAX);
    let bytewise = run(data, 1);
    assert_eq!(whole, bytewise, "the cutting of the input shows in what comes out");
    guess_law(data.get(2..data.len().min(400)).unwrap_or_default());
}

/// What bytes look like is told by the first of them that suffice, whatever follows.
fn guess_law(bytes: &[u8]) {
    let whole = looks_like(bytes);
    let first = (1..bytes.len())
        .filter_map(|len| bytes.get(..len).map(looks_like))
        .find(|guess| *guess != Guess::NeedMore);
    assert!(first.is_none_or(|first| first == whole), "first {first:?}, then {whole:?}");
}

fn run(mut data: &[u8], piece: usize) -> Outcome {
    let limits = Limits {
        head_bytes: 512,
        head_fields: 16,
        pipelined_requests: 4,
        held_bytes: 256,
        notes: 4,
        ..Limits::default()
    };
    let mut http = Http1::new();
    let mut steps = Vec::new();
    let mut packet = 0;
    while let Some(act) = next_act(&mut data) {
        packet += 1;
        let origin = Origin { packet: PacketNo(packet), time: None };
        let over = match act {
            Act::Data(dir, bytes) => {
                feed(&mut http, dir, origin, bytes, piece, &limits, &mut steps)
            }
            Act::Gap(dir, len) => note(http.gap(dir, origin, len, &limits), &mut steps),
            Act::Closed(by) => note(http.closed(by, &limits), &mut steps),
        };
        assert_bounded(&http, &limits);
        if over {
            break;
        }
    }
    let last = http.finish(&limits);
    let held = http.take_held();
    Outcome { steps, last, held }
}

/// Feeds bytes in pieces; true where the stage is over.
fn feed(
    http: &mut Http1,
    dir: Direction,
    origin: Origin,
    bytes: &[u8],
    piece: usize,
    limits: &Limits,
    steps: &mut Vec<Step>,
) -> bool {
    for mut input in bytes.chunks(piece.min(bytes.len()).max(1)) {
        while let Some(step) = http.data(dir, origin, &mut input, limits) {
            if note(Some(step), steps) {
                return true;
            }
        }
        assert!(input.is_empty(), "input is left without a step");
    }
    false
}

/// Keeps a step; true where HTTP does not go on after it.
fn note(step: Option<Step>, steps: &mut Vec<Step>) -> bool {
    let over = matches!(
        step,
        Some(Step::Switched(_) | Step::Tunnel | Step::NotOurs | Step::Unanswered(_))
    );
    steps.extend(step);
    over
}

fn next_act<'a>(data: &mut &'a [u8]) -> Option<Act<'a>> {
    let (&[what, len], rest) = data.split_first_chunk::<2>()?;
    *data = rest;
    let dir = if what & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    Some(match what >> 1 & 7 {
        6 => Act::Gap(dir, len.into()),
        7 if len & 1 == 0 => Act::Closed(CutBy::Fin(dir, Origin::default())),
        7 => Act::Closed(CutBy::Reset(dir, Origin::default())),
        _ => {
            let (bytes, rest) = rest.split_at_checked(len.into()).unwrap_or((rest, &[]));
            *data = rest;
            Act::Data(dir, bytes)
        }
    })
}

fn assert_bounded(http: &Http1, limits: &Limits) {
    let held: usize = http
        .held()
        .pieces()
        .map(|piece| match piece {
            HeldPiece::Data { bytes, .. } => bytes.len(),
            HeldPiece::Gap { .. } => 0,
        })
        .sum();
    assert!(held <= limits.held_bytes, "{held} bytes held");
    for side in [&http.client, &http.server] {
        // A head that lost bytes may reach a packet over the limit before that is noticed.
        let len = side.head.bytes().len();
        assert!(len <= limits.head_bytes + 255, "{len} bytes of a head");
    }
    assert!(http.queue.len() <= limits.pipelined_requests, "{} requests", http.queue.len());
}
