use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;
use crate::ws::fuzzing::compare_with_zlib;

const PLAIN: DeflateSide = DeflateSide { context_takeover: true, window_bits: 15 };
const ALONE: DeflateSide = DeflateSide { context_takeover: false, window_bits: 15 };
const LIMIT: usize = 1 << 20;

struct Reader {
    inflater: Inflater,
    shared: Shared,
}

impl Reader {
    fn new(side: DeflateSide) -> Self {
        Self { inflater: Inflater::new(side), shared: Shared::default() }
    }

    fn read(&mut self, data: &[u8]) -> (Vec<u8>, Inflated) {
        let got = self.inflater.message(data, false, LIMIT, &mut self.shared);
        (self.inflater.plain(&got, &self.shared).to_vec(), got)
    }

    fn whole(&mut self, data: &[u8]) -> Vec<u8> {
        let (out, got) = self.read(data);
        assert_eq!(got.outcome, Outcome::Whole, "{data:02x?}");
        out
    }
}

/// The four octets that a sender removed from the end of a message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A sender of compressed messages with one context.
struct Writer(Compress);

impl Writer {
    fn new(bits: u8) -> Self {
        Self(Compress::new_with_window_bits(Compression::new(9), false, bits))
    }

    fn message(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = vec![0; data.len() + 1000];
        let before = self.0.total_out();
        self.0.compress(data, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(usize::try_from(self.0.total_out() - before).unwrap());
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - 4);
        out
    }
}

fn noise(n: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            33 + u8::try_from((state >> 16) % 90).unwrap()
        })
        .collect()
}

mod rfc_7692_section_7_2_3 {
    use super::*;

    #[test]
    fn a_message_in_one_block() {
        // 7.2.3.1
        let got = Reader::new(PLAIN).whole(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        assert_eq!(got, b"Hello");
    }

    #[test]
    fn sharing_the_window_with_the_message_before() {
        // 7.2.3.2
        let mut reader = Reader::new(PLAIN);
        reader.whole(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        assert_eq!(reader.whole(&[0xf2, 0x00, 0x11, 0x00, 0x00]), b"Hello");
    }

    #[test]
    fn a_block_without_compression() {
        // 7.2.3.3
        let data = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(Reader::new(PLAIN).whole(&data), b"Hello");
    }

    #[test]
    fn a_block_with_bfinal_set() {
        // 7.2.3.4
        let data = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        let mut reader = Reader::new(PLAIN);
        assert_eq!(reader.whole(&data), b"Hello");
        // The window outlives the final block.
        assert_eq!(reader.whole(&[0xf2, 0x00, 0x11, 0x00, 0x00]), b"Hello");
    }

    #[test]
    fn two_blocks_in_one_message() {
        // 7.2.3.5
        let data = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(Reader::new(PLAIN).whole(&data), b"Hello");
    }

    #[test]
    fn an_empty_message() {
        // 7.2.3.6
        let mut reader = Reader::new(PLAIN);
        assert_eq!(reader.whole(&[0x00]), b"");
        assert_eq!(reader.whole(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
    }
}

#[test]
fn every_window_size_with_and_without_takeover() {
    for bits in 9..=15 {
        for takeover in [true, false] {
            let side = DeflateSide { context_takeover: takeover, window_bits: bits };
            let mut reader = Reader::new(side);
            let mut writer = Writer::new(bits);
            for i in 0..40 {
                let mut data = noise(700, i % 3);
                data.extend_from_within(..);
                let (out, got) = reader.read(&writer.message(&data));
                assert_eq!(out, data);
                let fine = (1400, Outcome::Whole, false, None);
                let told = (got.len, got.outcome, got.took_over, got.too_far);
                assert_eq!(told, fine, "bits {bits}, takeover {takeover}, message {i}");
                if !takeover {
                    writer = Writer::new(bits);
                }
            }
        }
    }
}

#[test]
fn large_messages_and_large_outputs() {
    let mut reader = Reader::new(PLAIN);
    let mut writer = Writer::new(15);
    for data in [noise(300_000, 1), vec![b'x'; 900_000], noise(70_000, 2)] {
        assert!(reader.whole(&writer.message(&data)) == data);
    }
}

#[test]
fn a_final_block_in_the_midst_keeps_the_window_of_this_and_earlier_messages() {
    let mut reader = Reader::new(PLAIN);
    let mut writer = Writer::new(15);
    let first = noise(40_000, 1);
    reader.whole(&writer.message(&first));
    // "Hello" in a final block, then a non-final fixed block that copies it.
    let data = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(reader.whole(&data), b"HelloHello");
    // Ended by a final block and nothing more.
    assert_eq!(reader.whole(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
    assert_eq!(reader.whole(&[0xf2, 0x00, 0x11, 0x00, 0x00]), b"Hello");
}

#[test]
fn a_context_taken_over_against_the_agreement_is_told() {
    let mut reader = Reader::new(ALONE);
    let mut writer = Writer::new(15);
    let data = b"the same long sentence again and again, the same long sentence";
    assert!(!reader.read(&writer.message(data)).1.took_over);
    let (out, got) = reader.read(&writer.message(data));
    assert_eq!((out.as_slice(), got.took_over, got.outcome), (&data[..], true, Outcome::Whole));
}

#[test]
fn distances_beyond_the_agreed_window_are_told() {
    let side = DeflateSide { context_takeover: true, window_bits: 9 };
    let mut data = noise(2000, 1);
    data.extend_from_within(..300);
    let (out, got) = Reader::new(side).read(&Writer::new(15).message(&data));
    assert_eq!(out, data);
    assert!(got.too_far.is_some_and(|far| far.distance == 2000 && far.at >= 2000), "{got:?}");
    let near = Reader::new(side).read(&Writer::new(9).message(&data)).1;
    assert_eq!(near.too_far, None);
}

#[test]
fn bytes_that_are_no_deflate_fail_and_later_messages_do_not_pretend() {
    let mut reader = Reader::new(PLAIN);
    let mut writer = Writer::new(15);
    let data = b"a sentence of some length, to be found again";
    let first = writer.message(data);
    let second = writer.message(data);
    assert_eq!(reader.whole(&first), data);
    assert_eq!(
        reader.read(b"\xff\xff\xff\xff\xff\xff this is not deflate").1.outcome,
        Outcome::Corrupt
    );
    assert_eq!(reader.read(&second).1.outcome, Outcome::ContextLost(Loss::Failure));
    assert_eq!(reader.whole(&first), data, "this one refers to nothing");
    assert_eq!(reader.whole(&second), data, "and now the context is known");
}

#[test]
fn a_message_cut_short_is_never_taken_for_whole() {
    for (size, level) in [(59, 9), (400, 9), (400, 1), (5000, 6), (50_000, 9)] {
        let text = if size == 59 {
            b"complete sentence, complete sentence, other words here 12345".to_vec()
        } else {
            noise(size, 3)
        };
        let mut z = Compress::new(Compression::new(level), false);
        let mut all = vec![0; size + 1000];
        z.compress(&text, &mut all, FlushCompress::Sync).unwrap();
        all.truncate(usize::try_from(z.total_out()).unwrap() - 4);
        let step = if size > 1000 { 61 } else { 1 };
        for cut in (1..all.len()).step_by(step) {
            let (out, got) = Reader::new(PLAIN).read(&all[..cut]);
            if got.outcome == Outcome::Whole {
                assert_eq!(out, text, "cut at {cut} of {}", all.len());
            }
        }
        assert_eq!(Reader::new(PLAIN).whole(&all), text);
    }
}

#[test]
fn after_a_loss_only_messages_that_stand_alone_are_believed() {
    let mut reader = Reader::new(PLAIN);
    let mut writer = Writer::new(15);
    let (a, b) = (noise(500, 1), noise(500, 2));
    let messages: Vec<Vec<u8>> = [&a, &a, &b, &b, &a].map(|m| writer.message(m)).to_vec();
    reader.whole(&messages[0]);
    reader.inflater.lose(Loss::Capture);
    assert_eq!(reader.read(&messages[1]).1.outcome, Outcome::ContextLost(Loss::Capture));
    assert_eq!(reader.whole(&messages[2]), b, "noise that was not there before");
    assert_eq!(reader.whole(&messages[3]), b, "refers to the one before");
    assert_eq!(
        reader.read(&messages[4]).1.outcome,
        Outcome::ContextLost(Loss::Capture),
        "refers to what was before the loss: nobody's fault"
    );
}

#[test]
fn without_takeover_a_loss_does_no_harm() {
    let mut reader = Reader::new(ALONE);
    reader.inflater.lose(Loss::Capture);
    assert_eq!(reader.whole(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let mut reader = Reader::new(PLAIN);
    let data = Writer::new(15).message(&vec![0; 50 << 20]);
    assert!(data.len() < 60_000);
    assert_eq!(reader.read(&data).1.outcome, Outcome::OverLimit);
    assert!(reader.shared.large.len() <= LIMIT + 4 * WINDOW, "not much more than the limit");
    assert!(matches!(
        reader.read(&[0xf2, 0x00, 0x11, 0x00, 0x00]).1.outcome,
        Outcome::ContextLost(Loss::Failure)
    ));
}

/// Code lengths, as a message of one empty block.
fn dynamic(literals: &[u8], distances: &[u8], body: &[(u32, u32)]) -> Vec<u8> {
    let mut bits: Vec<(u32, u32)> = vec![
        (0, 1),
        (2, 2),
        (u32::try_from(literals.len()).unwrap() - 257, 5),
        (u32::try_from(distances.len()).unwrap() - 1, 5),
        (15, 4),
    ];
    // All lengths from 0 to 15 have a code of four bits: the number itself.
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] {
        bits.push((if symbol < 16 { 4 } else { 0 }, 3));
    }
    let reversed = |n: u8| (u32::from(n).reverse_bits() >> 28, 4);
    bits.extend(literals.iter().chain(distances).map(|length| reversed(*length)));
    bits.extend(body);
    bits.push((0, 3));
    let mut out = vec![0];
    let mut count = 0;
    for (value, width) in bits {
        for i in 0..width {
            if count == 8 {
                out.push(0);
                count = 0;
            }
            *out.last_mut().unwrap() |= u8::try_from(value >> i & 1).unwrap() << count;
            count += 1;
        }
    }
    out
}

mod codes_of_a_block {
    use super::*;

    fn outcome(literals: &[u8], distances: &[u8], body: &[(u32, u32)]) -> Outcome {
        Reader::new(PLAIN).read(&dynamic(literals, distances, body)).1.outcome
    }

    fn literals(lengths: &[(usize, u8)], count: usize) -> Vec<u8> {
        let mut all = vec![0; count];
        for &(symbol, length) in lengths {
            all[symbol] = length;
        }
        all
    }

    #[test]
    fn complete_codes_are_fine() {
        let code = literals(&[(65, 1), (256, 1)], 257);
        let data = dynamic(&code, &[0], &[(0, 1), (0, 1), (1, 1)]);
        assert_eq!(Reader::new(PLAIN).whole(&data), b"AA");
    }

    #[test]
    fn codes_of_all_lengths_reach_the_tables_below() {
        let mut lengths: Vec<(usize, u8)> = (0..14).map(|i| (usize::from(i) + 65, i + 1)).collect();
        lengths.extend([(90, 15), (256, 15)]);
        // Symbol n has n ones and a zero, the last two have fifteen and fourteen ones.
        let body: Vec<(u32, u32)> = (0..14)
            .map(|i| ((1 << i) - 1, i + 1))
            .chain([((1 << 14) - 1, 15), (0x7fff, 15)])
            .collect();
        let data = dynamic(&literals(&lengths, 257), &[0], &body);
        assert_eq!(Reader::new(PLAIN).whole(&data), b"ABCDEFGHIJKLMNZ");
    }

    #[test]
    fn too_many_too_few_and_no_end_are_refused() {
        let too_many = literals(&[(65, 1), (66, 1), (256, 1)], 257);
        assert_eq!(outcome(&too_many, &[0], &[]), Outcome::Corrupt);
        let too_few = literals(&[(65, 2), (66, 2), (256, 2)], 257);
        assert_eq!(outcome(&too_few, &[0], &[]), Outcome::Corrupt);
        let no_end = literals(&[(65, 1), (66, 1)], 257);
        assert_eq!(outcome(&no_end, &[0], &[(0, 1)]), Outcome::Corrupt);
        let only_the_end = literals(&[(256, 1)], 257);
        assert_eq!(outcome(&only_the_end, &[0], &[(0, 1)]), Outcome::Whole);
    }

    #[test]
    fn a_length_without_a_distance_is_refused() {
        // "A", then three bytes from a distance that has no code.
        let code = literals(&[(65, 2), (66, 2), (256, 2), (257, 2)], 258);
        let body = [(0, 2), (3, 2), (0, 1), (1, 2)];
        assert_eq!(outcome(&code, &[0], &body), Outcome::Corrupt);
        let whole = dynamic(&code, &[1], &body);
        assert_eq!(Reader::new(PLAIN).whole(&whole), b"AAAA");
        assert_eq!(outcome(&code, &[1], &[(0, 2), (3, 2), (1, 1)]), Outcome::Corrupt);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 5_000 }))]

    #[test]
    fn damaged_messages_are_what_zlib_says(
        seed in any::<u32>(),
        len in 1_usize..3000,
        level in 1_u32..10,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut text: Vec<u8> = noise(len, seed).into_iter().map(|b| 97 + (b - 33) % 20).collect();
        text.extend_from_within(len / 3..len / 2);
        let mut z = Compress::new(Compression::new(level), false);
        let mut data = vec![0; 2 * text.len() + 100];
        z.compress(&text, &mut data, FlushCompress::Sync).unwrap();
        data.truncate(usize::try_from(z.total_out()).unwrap() - 4);
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] ^= byte;
        }
        if let Some(cut) = cut {
            data.truncate(1 + cut.index(data.len()));
        }
        let mut reader = Reader::new(PLAIN);
        let (out, got) = reader.read(&data);
        compare_with_zlib(&[], &data, &got, &out, LIMIT);
    }
}
