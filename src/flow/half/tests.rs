//! What is held, and what is left of it.

use super::*;

/// A direction whose first byte has the number 1, and what came out of it.
struct Direction {
    half: Half,
    peer: Half,
    out: Vec<u8>,
    conflicts: u64,
}

impl Direction {
    fn new() -> Self {
        let mut half = Half::default();
        half.syn(SeqNo(0));
        Self { half, peer: Half::default(), out: Vec::new(), conflicts: 0 }
    }

    /// A segment that begins with the byte `at`; then all that may go on does.
    fn comes(&mut self, at: u32, bytes: &[u8], fin: bool) {
        let Self { half, peer, out, conflicts } = self;
        let mut give = |event: StreamEvent<'_>| {
            match event {
                StreamEvent::Data { bytes, .. } => out.extend_from_slice(bytes),
                StreamEvent::Conflict { len, .. } => *conflicts += len,
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let seq = SeqNo(1).plus(at);
        let piece = Piece { origin: Origin::default(), seq, bytes, cut: 0, fin, heard: 0 };
        assert!(half.data(piece, peer, &mut give).is_continue());
        while half.turn().is_some() {
            assert!(half.hand_on(&mut give).is_continue());
        }
        half.settle();
    }
}

#[test]
fn when_nothing_waits_any_more_nothing_is_kept_for_it() {
    let mut direction = Direction::new();
    direction.comes(3, b"def", false);
    assert!(direction.half.is_waiting() && direction.half.astray.is_some());
    direction.comes(0, b"abc", false);
    assert_eq!(direction.out, b"abcdef");
    assert!(!direction.half.is_waiting() && direction.half.astray.is_none());
}

#[test]
fn where_it_ends_and_that_it_may_have_moved_on_is_not_forgotten() {
    let mut direction = Direction::new();
    direction.comes(200 << 20, b"far off", false);
    assert!(direction.half.astray.is_some(), "the next one may follow it");
    let mut direction = Direction::new();
    direction.comes(0, b"abc", true);
    assert!(direction.half.is_ended() && direction.half.has_fin());
}

#[test]
fn segment_over_several_that_are_held_fills_what_is_between_them() {
    let mut direction = Direction::new();
    for (at, bytes) in [(7, b"HI"), (3, b"DE"), (10, b"KL")] {
        direction.comes(at, bytes, false);
    }
    direction.comes(2, b"cDefgHijkl", false);
    assert_eq!(direction.conflicts, 2 + 2 + 2);
    let held: Vec<(u64, &[u8])> = direction.half.astray.as_ref().map_or(Vec::new(), |astray| {
        astray.held.iter().map(|held| (held.at, &*held.bytes)).collect()
    });
    let want: [(u64, &[u8]); 6] =
        [(2, b"c"), (3, b"DE"), (5, b"fg"), (7, b"HI"), (9, b"j"), (10, b"KL")];
    assert_eq!(held, want);
    direction.comes(0, b"ab", false);
    assert_eq!(direction.out, b"abcDEfgHIjKL", "the first bytes win");
    assert_eq!(direction.half.weight(), 0);
}
