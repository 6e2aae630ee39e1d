use super::*;
use crate::units::Origin;

/// A PING: nothing but its header and 8 bytes that say nothing.
const PING: [u8; 17] = [0, 0, 8, kind::PING, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9];

/// Where the first frame is believed to begin, of segments that come behind a gap.
fn found(segments: &[&[u8]]) -> Option<Vec<u8>> {
    let known = |stream| if stream == 1 { Known::Open(1) } else { Known::No };
    let mut find = Find::default();
    segments.iter().find_map(|segment| {
        let pieces = find.push(Origin::default(), segment, 1 << 14, &known, 1 << 16)?;
        Some(pieces.into_iter().flat_map(|(_, bytes)| bytes).collect())
    })
}

#[test]
fn no_header_alone_is_believed_not_even_of_a_segment_that_is_a_frame() {
    let rest = vec![0xff; 1448];
    assert_eq!(found(&[&rest, &PING]), None);
    assert_eq!(found(&[&rest, &PING, &PING]), Some([PING, PING].concat()));
}

#[test]
fn where_segments_are_as_large_as_usual_their_borders_prove_something() {
    let data = [0, 0, 3, kind::DATA, 0, 0, 0, 0, 1, b'a', b'b', b'c'];
    let rest = vec![0xff; 1448];
    let two = [data, data].concat();
    assert_eq!(found(&[&rest, &[&rest[..100], &two, &rest].concat()]), None);
    assert_eq!(found(&[&rest, &two]), Some(two.clone()));
}

#[test]
fn the_borders_of_small_segments_prove_little() {
    let small = [0xff; 17];
    let data = [0, 0, 3, kind::DATA, 0, 0, 0, 0, 1, b'a', b'b', b'c'];
    assert_eq!(found(&[&small, &data, &small]), None);
    assert_eq!(found(&[&small, &data, &PING]), Some([&data[..], &PING].concat()));
}

#[test]
fn a_chain_is_believed_wherever_it_begins_and_refuted_by_any_of_its_headers() {
    let data = |stream| [0, 0, 3, kind::DATA, 0, 0, 0, 0, stream, b'a', b'b', b'c'];
    let three = [data(1), data(1), data(1)].concat();
    let inside = [&[0xff; 700][..], &three, &[0xff; 700]].concat();
    assert_eq!(found(&[&inside]), None, "what follows the chain is no frame");
    let end = [&[0xff; 700][..], &three].concat();
    assert_eq!(found(&[&end]), Some(three));
    let other = [&[0xff; 700][..], &data(1), &data(3)].concat();
    assert_eq!(found(&[&other]), None);
}
