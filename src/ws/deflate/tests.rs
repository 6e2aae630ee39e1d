use flate2::{Compress, Compression, FlushCompress};

use super::*;

const PLAIN: DeflateSide = DeflateSide { context_takeover: true, window_bits: 15 };
const ALONE: DeflateSide = DeflateSide { context_takeover: false, window_bits: 15 };
const LIMIT: usize = 1 << 20;

struct Reader {
    inflater: Inflater,
    shared: Shared,
    out: Vec<u8>,
}

impl Reader {
    fn new(side: DeflateSide) -> Self {
        Self { inflater: Inflater::new(side), shared: Shared::default(), out: Vec::new() }
    }

    fn read(&mut self, data: &[u8]) -> (Vec<u8>, Inflated) {
        let got = self.inflater.message(data, false, LIMIT, &mut self.shared, &mut self.out);
        (self.out[..got.len].to_vec(), got)
    }

    fn whole(&mut self, data: &[u8]) -> Vec<u8> {
        let (out, got) = self.read(data);
        assert_eq!(got.outcome, Outcome::Whole, "{data:02x?}");
        out
    }
}

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
                let fine = Inflated {
                    len: 1400,
                    outcome: Outcome::Whole,
                    took_over: false,
                    too_far: None,
                };
                assert_eq!(got, fine, "bits {bits}, takeover {takeover}, message {i}");
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
    assert!(reader.out.len() <= LIMIT + 1);
    assert!(matches!(
        reader.read(&[0xf2, 0x00, 0x11, 0x00, 0x00]).1.outcome,
        Outcome::ContextLost(Loss::Failure)
    ));
}

#[test]
fn the_window_holds_the_last_32_kib_whatever_the_pieces() {
    let all = noise(200_000, 9);
    for piece in [1, 7, 1000, 32_767, 32_768, 32_769, 100_000] {
        let mut window = Window::default();
        for chunk in all.chunks(piece) {
            window.push(chunk);
        }
        let (newer, older) = window.bytes.split_at(window.oldest);
        assert_eq!([older, newer].concat(), all[all.len() - WINDOW..], "pieces of {piece}");
        assert!(window.bytes.capacity() <= WINDOW);
    }
}
