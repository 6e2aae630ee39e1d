use super::*;
use crate::ws::testkit::framed as frame;

const SERVER: Shape = Shape { masked: false, rsv1: false, rsv1_anywhere: false };
const CLIENT: Shape = Shape { masked: true, rsv1: false, rsv1_anywhere: false };
const BUDGET: usize = 1 << 20;

fn noise(n: usize, mut state: u64) -> Vec<u8> {
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56).to_le_bytes()[0]
        })
        .collect()
}

fn search(shape: Shape, segments: &[&[u8]]) -> Search {
    let mut finder = Finder::new(shape, 0);
    for segment in segments {
        if let found @ Search::Found(_) = finder.push(Origin::default(), segment, BUDGET) {
            return found;
        }
    }
    finder.finish()
}

#[test]
fn a_text_in_a_segment_of_its_own_is_believed() {
    assert_eq!(search(SERVER, &[&frame(0x81, None, b"hello, world!")]), Search::Found(0));
    let masked = frame(0x81, Some([9, 8, 7, 6]), b"hello, world!");
    assert_eq!(search(CLIENT, &[&masked]), Search::Found(0));
}

#[test]
fn the_other_directions_mask_bit_is_not() {
    assert_eq!(search(CLIENT, &[&frame(0x81, None, b"hello, world!")]), Search::NeedMore);
}

#[test]
fn a_close_frame_alone_is_believed() {
    assert_eq!(search(SERVER, &[&[0x88, 0x02, 0x03, 0xe8]]), Search::Found(0));
    assert_eq!(search(SERVER, &[&[0x88, 0x02, 0x03, 0xed]]), Search::NeedMore, "1005");
}

#[test]
fn the_rest_of_a_long_frame_is_passed_over() {
    let tail = noise(5000, 1);
    let next = frame(0x82, None, &noise(3000, 2));
    let last = frame(0x82, None, &noise(20, 3));
    let mut segments: Vec<&[u8]> = tail.chunks(1448).collect();
    segments.extend(next.chunks(1448));
    segments.push(&last);
    assert_eq!(search(SERVER, &segments), Search::Found(5000));
}

#[test]
fn a_short_binary_frame_alone_needs_what_is_known_beforehand() {
    let bytes = frame(0x82, None, &[1, 2]);
    assert_eq!(search(SERVER, &[&bytes]), Search::NeedMore);
    let mut finder = Finder::new(SERVER, prior(8, 0, 100, 0));
    assert_eq!(finder.push(Origin::default(), &bytes, BUDGET), Search::Found(0));
}

#[test]
fn patterns_are_not_frames() {
    let zeros = vec![0; 100_000];
    let empty_texts = [0x81, 0x00].repeat(50_000);
    let counted: Vec<u8> = (0..50_000_u16).flat_map(u16::to_be_bytes).collect();
    let pixels = [0x82, 0x02, 0xaa, 0xbb].repeat(20_000);
    for data in [zeros, empty_texts, counted, pixels] {
        let segments: Vec<&[u8]> = data.chunks(1448).collect();
        assert_eq!(search(SERVER, &segments), Search::NeedMore, "{:02x?}", &data[..8]);
    }
}

#[test]
fn noise_is_not_frames() {
    for seed in 0..40 {
        let data = noise(20_000 + 37 * usize::try_from(seed).unwrap(), seed);
        let segments: Vec<&[u8]> = data.chunks(1448).collect();
        for shape in [SERVER, CLIENT, Shape { rsv1: true, ..SERVER }] {
            assert_eq!(search(shape, &segments), Search::NeedMore, "seed {seed}");
        }
    }
}

#[test]
fn noise_in_segments_shorter_than_a_frame_is_not_frames() {
    for seed in 0..8 {
        let data = noise(3_000, seed);
        let (first, rest) = data.split_at(100);
        let segments: Vec<&[u8]> = std::iter::once(first).chain(rest.chunks(1)).collect();
        for shape in [SERVER, CLIENT] {
            assert_eq!(search(shape, &segments), Search::NeedMore, "seed {seed}");
        }
    }
}

#[test]
fn a_chance_header_that_leads_to_a_true_one_is_not_given_out() {
    // The end of a lost frame happens to look like a binary frame of 2 bytes.
    let mut segment = vec![0x82, 0x02, 0xaa, 0xbb];
    segment.extend(frame(0x81, None, b"{\"a\":\"true message\"}"));
    let next = frame(0x81, None, b"{\"b\":\"true message\"}");
    assert_eq!(search(SERVER, &[&segment, &next]), Search::Found(4));
}

#[test]
fn first_frame_behind_the_rest_of_a_text_is_given_out_with_those_that_follow() {
    let first = frame(0x81, None, &[b'a'; 60]);
    let next = frame(0x81, None, &[b'b'; 300]);
    let rest = "…end of a message that was begun in what is lost, 日本\"}".as_bytes();
    let segment = [&rest[1..], &first, &next, &next].concat();
    assert_eq!(search(SERVER, &[&segment]), Search::Found(rest.len() - 1));
    // Under a mask text is no chance either, whatever stands before it.
    let first = frame(0x81, Some([9, 208, 7, 146]), &[b'a'; 60]);
    let next = frame(0x81, Some([77, 8, 211, 5]), &[b'b'; 300]);
    let segment = [&noise(50, 7)[..], &first, &next, &next].concat();
    assert_eq!(search(CLIENT, &[&segment]), Search::Found(50));
}

#[test]
fn first_frame_of_a_segment_is_given_out_with_those_that_follow() {
    let next = frame(0x81, Some([77, 8, 211, 5]), &[b'b'; 300]);
    let first = frame(0x81, Some([9, 208, 7, 146]), &[b'a'; 14]);
    assert_eq!(search(CLIENT, &[&[&first[..], &next, &next].concat()]), Search::Found(0));
    // A control frame may be chance, and so may text that was not masked.
    let first = frame(0x8a, Some([9, 208, 7, 146]), b"");
    assert_eq!(search(CLIENT, &[&[&first[..], &next, &next].concat()]), Search::Found(first.len()));
    let next = frame(0x81, None, &[b'b'; 300]);
    let first = frame(0x81, None, &[b'a'; 69]);
    let segment = [&first[..], &next, &next].concat();
    assert_eq!(search(SERVER, &[&segment]), Search::Found(first.len()));
    // Unless frames tend to begin where segments do.
    let mut finder = Finder::new(SERVER, prior(80, 10, 5000, 1460));
    assert_eq!(finder.push(Origin::default(), &segment, BUDGET), Search::Found(0));
}

#[test]
fn frame_that_a_capture_begins_with_is_given_out_when_the_next_proves_it() {
    let first = frame(0xc1, None, &noise(30, 3));
    let next = frame(0x81, None, b"{\"b\":\"true message\"}");
    let shape = Shape { rsv1: true, ..SERVER };
    let mut finder = Finder::at_beginning(shape);
    assert_eq!(finder.push(Origin::default(), &first, BUDGET), Search::NeedMore);
    assert_eq!(finder.push(Origin::default(), &next, BUDGET), Search::Found(0));
    // Not where a segment's end is everywhere, nor where what precedes the proven frame is none.
    let mut finder = Finder::at_beginning(shape);
    let pieces = first.chunks(1).chain([&next[..]]);
    let found = pieces.map(|piece| finder.push(Origin::default(), piece, BUDGET)).last();
    assert_eq!(found, Some(Search::Found(first.len())));
    let mut finder = Finder::at_beginning(shape);
    finder.push(Origin::default(), &noise(32, 4), BUDGET);
    assert_eq!(finder.push(Origin::default(), &next, BUDGET), Search::Found(32));
}

#[test]
fn less_than_a_full_segment_ended_with_a_frame() {
    assert_eq!(prior(0, 0, 1_308, 1_460), FLUSHED);
    assert_eq!(prior(0, 0, 1_448, 1_448), 0, "that was a full one");
    assert_eq!(prior(0, 0, 1_308, 0), 0, "nobody knows what a full one has");
    assert_eq!(prior(0, 0, 1_500, 65_160), 0, "as many as there are in it, on the way");
}

#[test]
fn character_that_looks_like_a_header_and_leads_to_a_true_one_is_not_given_out() {
    // The last byte of U+0441 is that of a whole text frame, and the space a length of 32.
    let tail = [" вот как голос".replace('л', "с").as_bytes(), &b" "[..], &[b'x'; 32]].concat();
    let at = tail.len() - 34;
    assert_eq!(&tail[at - 1..=at + 1], [0xd1, 0x81, 0x20]);
    let next = frame(0x81, None, &[b'b'; 300]);
    let segment = [&tail[..], &next, &next].concat();
    assert_eq!(search(SERVER, &[&segment]), Search::Found(tail.len()));
}

#[test]
fn masked_text_does_not_pass_for_a_text_frame() {
    let text: Vec<u8> = b"The quick brown fox jumps over the lazy dog, and again. ".repeat(400);
    for seed in 0..50 {
        let key = <[u8; 4]>::try_from(noise(4, seed)).unwrap();
        let masked = &frame(0x81, Some(key), &text)[100..];
        let segments: Vec<&[u8]> = masked.chunks(1448).collect();
        assert_eq!(search(CLIENT, &segments), Search::NeedMore, "seed {seed}");
    }
}

#[test]
fn the_budget_bounds_what_is_kept() {
    let mut finder = Finder::new(SERVER, 0);
    let data = noise(1000, 5);
    for _ in 0..500 {
        finder.push(Origin::default(), &data, 20_000);
        assert!(finder.bytes.len() <= 20_000);
    }
    assert_eq!(finder.searched(), 500_000);
}

#[test]
fn segments_are_given_back_from_the_offset_on() {
    let mut finder = Finder::new(SERVER, 0);
    for segment in [&b"abc"[..], b"defg", b"h"] {
        finder.push(Origin::default(), segment, BUDGET);
    }
    let parts: Vec<&[u8]> = finder.segments_from(4).map(|(_, bytes)| bytes).collect();
    assert_eq!(parts, [&b"efg"[..], b"h"]);
}
