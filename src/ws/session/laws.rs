//! Laws that hold for every session, on sessions that proptest makes up.

use proptest::prelude::*;

use super::tests::{C, S, deflate, frame};
use super::*;
use crate::event::Wants;
use crate::limits::Limits;
use crate::ws::fuzzing::{Recorder, Step, run, session as fuzz_session, singles};

#[derive(Debug, Clone)]
enum Item {
    Message { dir: Direction, text: bool, payload: Vec<u8>, cuts: u8, compress: bool },
    Control { dir: Direction, first: u8, payload: Vec<u8> },
}

fn dir() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(C), Just(S)]
}

fn payload() -> impl Strategy<Value = (bool, Vec<u8>)> {
    prop_oneof![
        "[ -~]{0,200}".prop_map(|text| (true, text.into_bytes())),
        "[а-яА-Я ]{0,60}".prop_map(|text| (true, text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| (false, bytes)),
        (any::<u8>(), 1_usize..6000).prop_map(|(byte, n)| (false, vec![byte; n])),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        5 => (dir(), payload(), 0..3_u8, any::<bool>()).prop_map(
            |(dir, (text, payload), cuts, compress)| Item::Message { dir, text, payload, cuts, compress }
        ),
        1 => (dir(), prop_oneof![Just(0x89_u8), Just(0x8a)], prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(dir, first, payload)| Item::Control { dir, first, payload }),
    ]
}

/// Bytes of the frames of each message in turn, and the messages that they hold.
fn written(items: &[Item], compressing: bool) -> (Vec<(Direction, Vec<u8>)>, Recorder) {
    let mut contexts: PerDirection<Option<flate2::Compress>> = PerDirection::default();
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Control { dir, first, payload } => out.push((*dir, frame(*dir, *first, payload))),
            Item::Message { dir, text, payload, cuts, compress } => {
                let mut first = if *text { 0x01 } else { 0x02 };
                let mut body = payload.clone();
                if compressing && *compress && !payload.is_empty() {
                    first |= 0x40;
                    let z = contexts[*dir].get_or_insert_with(|| {
                        flate2::Compress::new(flate2::Compression::new(6), false)
                    });
                    let before = z.total_out();
                    let mut buffer = vec![0; payload.len() + 500];
                    z.compress(payload, &mut buffer, flate2::FlushCompress::Sync).unwrap();
                    buffer.truncate(usize::try_from(z.total_out() - before).unwrap() - 4);
                    body = buffer;
                }
                let size = (body.len() / (usize::from(*cuts) + 1)).max(1);
                let mut parts: Vec<&[u8]> = body.chunks(size).collect();
                if parts.is_empty() {
                    parts.push(&[]);
                }
                let last = parts.len() - 1;
                let mut bytes = Vec::new();
                for (i, part) in parts.into_iter().enumerate() {
                    let opcode = if i == 0 { first } else { 0 };
                    let fin = if i == last { 0x80 } else { 0 };
                    bytes.extend(frame(*dir, opcode | fin, part));
                }
                out.push((*dir, bytes));
            }
        }
    }
    let steps: Vec<Step> = out.iter().map(|(dir, b)| Step::Data(*dir, b.clone())).collect();
    let setup = if compressing { deflate(true, 15) } else { Setup::default() };
    let truth = run(setup, Wants::ALL, &Limits::default(), &steps, true);
    (out, truth)
}

fn setup(compressing: bool) -> Setup {
    if compressing { deflate(true, 15) } else { Setup::default() }
}

/// Is `few` what is left of `many` when some are taken out.
fn is_within<T: PartialEq>(few: &[T], many: &[T]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|one| rest.any(|other| other == one))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(items in prop::collection::vec(item(), 1..12), compressing: bool) {
        let (_, got) = written(&items, compressing);
        let want: Vec<Vec<u8>> = items.iter().map(|item| match item {
            Item::Message { payload, .. } | Item::Control { payload, .. } => payload.clone(),
        }).collect();
        let read: Vec<Vec<u8>> = got.complete().map(|m| m.2.to_vec()).collect();
        prop_assert_eq!(read, want);
        prop_assert!(!got.codes.iter().any(|code| *code != "pong-unsolicited" && !code.starts_with("mask-")), "{:?}", got.texts);
    }

    #[test]
    fn any_cutting_gives_the_same_events(
        items in prop::collection::vec(item(), 1..8),
        compressing: bool,
        size in 1_usize..40,
    ) {
        let (frames, truth) = written(&items, compressing);
        let steps: Vec<Step> = frames.iter().map(|(dir, b)| Step::Data(*dir, b.clone())).collect();
        let limits = Limits::default();
        let single = run(setup(compressing), Wants::ALL, &limits, &singles(&steps), true);
        prop_assert_eq!(&single.events, &truth.events);
        let pieces: Vec<Step> = frames.iter()
            .flat_map(|(dir, b)| b.chunks(size).map(|c| Step::Data(*dir, c.to_vec())))
            .collect();
        let cut = run(setup(compressing), Wants::ALL, &limits, &pieces, true);
        prop_assert_eq!(&cut.events, &truth.events);
    }

    #[test]
    fn a_gap_anywhere_never_invents_a_message(
        items in prop::collection::vec(item(), 4..30),
        compressing: bool,
        segment in 1_usize..1500,
        from in 0.0..1.0_f64,
        len in 1_usize..2000,
        dir in dir(),
    ) {
        let (frames, truth) = written(&items, compressing);
        let total: usize = frames.iter().filter(|f| f.0 == dir).map(|f| f.1.len()).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place somewhere in it")]
        let from = (total as f64 * from) as usize;
        let to = (from + len).min(total);
        let mut steps = Vec::new();
        let mut at = 0;
        for (way, bytes) in &frames {
            if *way != dir {
                steps.push(Step::Data(*way, bytes.clone()));
                continue;
            }
            for piece in bytes.chunks(segment) {
                let (start, end) = (at, at + piece.len());
                at = end;
                let keep_before = from.clamp(start, end) - start;
                let keep_after = to.clamp(start, end) - start;
                if keep_before > 0 {
                    steps.push(Step::Data(*way, piece[..keep_before].to_vec()));
                }
                if (start..end).contains(&from) && to > from {
                    steps.push(Step::Gap(*way, (to - from) as u64));
                }
                if keep_after < piece.len() {
                    steps.push(Step::Data(*way, piece[keep_after..].to_vec()));
                }
            }
        }
        let got = run(setup(compressing), Wants::MESSAGES, &Limits::default(), &steps, true);
        for way in Direction::BOTH {
            let read: Vec<_> = got.complete().filter(|m| m.0 == way).collect();
            let sent: Vec<_> = truth.complete().filter(|m| m.0 == way).collect();
            prop_assert!(is_within(&read, &sent), "{read:?} not within {sent:?}");
        }
        for code in &got.codes {
            prop_assert!(
                ["bytes-missing", "resynchronised", "inflate-context-lost", "pong-unsolicited", "mask-reused"].contains(code),
                "{:?}", got.texts
            );
        }
    }

    #[test]
    fn fuzz_bodies_hold(data in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz_session(&data);
        crate::ws::fuzzing::frames(&data);
        crate::ws::fuzzing::inflate(&data);
    }
}
