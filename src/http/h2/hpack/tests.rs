use proptest::prelude::*;

use super::*;

fn limits() -> Limits {
    Limits::default()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A block's fields, one a line; a last line `...` where some are missing.
fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
    let block = decoder.block(block, &limits());
    let fields = block.fields.0.iter();
    let lines = fields.map(|f| format!("{}: {}", f.name_text(), f.value_text()));
    lines.chain(block.partial.then(|| "...".to_owned())).collect()
}

mod appendix_c {
    use super::*;

    fn requests(blocks: [&str; 3]) {
        let mut decoder = Decoder::default();
        let mut next = |block: &str| read(&mut decoder, &bytes(block));
        assert_eq!(
            next(blocks[0]),
            [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
        );
        assert_eq!(
            next(blocks[1]),
            [
                ":method: GET",
                ":scheme: http",
                ":path: /",
                ":authority: www.example.com",
                "cache-control: no-cache"
            ]
        );
        assert_eq!(
            next(blocks[2]),
            [
                ":method: GET",
                ":scheme: https",
                ":path: /index.html",
                ":authority: www.example.com",
                "custom-key: custom-value"
            ]
        );
        assert_eq!(decoder.weight(), 164);
    }

    #[test]
    fn requests_without_huffman() {
        requests([
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ]);
    }

    #[test]
    fn requests_with_huffman() {
        requests([
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ]);
    }

    fn responses(blocks: [&str; 3]) {
        let mut decoder = Decoder::default();
        // Section 6.3: a table of 256 bytes, from which the third block evicts.
        assert_eq!(read(&mut decoder, &bytes("3fe101")), [""; 0]);
        let mut next = |block: &str| read(&mut decoder, &bytes(block));
        let date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
        let location = "location: https://www.example.com";
        assert_eq!(next(blocks[0]), [":status: 302", "cache-control: private", date, location]);
        assert_eq!(next(blocks[1]), [":status: 307", "cache-control: private", date, location]);
        assert_eq!(
            next(blocks[2]),
            [
                ":status: 200",
                "cache-control: private",
                "date: Mon, 21 Oct 2013 20:13:22 GMT",
                location,
                "content-encoding: gzip",
                "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
            ]
        );
        assert_eq!(decoder.weight(), 215);
    }

    #[test]
    fn responses_without_huffman() {
        responses([
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
             3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "4803 3330 37c1 c0bf",
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04
             677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49
             553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
        ]);
    }

    #[test]
    fn responses_with_huffman() {
        responses([
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
             919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7
             821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed
             4ee5 b106 3d50 07",
        ]);
    }

    #[test]
    fn integers() {
        // C.1.1 to C.1.3.
        let value = |hex: &str, prefix| integer(&mut &*bytes(hex), prefix);
        assert_eq!(value("0a", 5), Ok(10));
        assert_eq!(value("1f9a0a", 5), Ok(1337));
        assert_eq!(value("2a", 8), Ok(42));
        assert_eq!(value("1f9a", 5), Err(Malformed), "cut");
        assert_eq!(value("1fffffffff7f", 5), Err(Malformed), "too large");
        assert_eq!(value("1f80808000", 5), Ok(31), "zeroes say nothing");
        assert_eq!(value(&format!("1f{}", "80".repeat(12)), 5), Err(Malformed));
    }
}

#[test]
fn what_was_lost_is_left_out_and_what_comes_later_is_known() {
    let mut decoder = Decoder::default();
    let literal = |name: &str, value: &str| {
        let mut block = vec![0x40];
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
        block
    };
    assert_eq!(read(&mut decoder, &literal("a", "1")), ["a: 1"]);
    decoder.lost();
    // 62 is now what the lost block added last, or "a", nobody knows. Static entries are as ever.
    assert_eq!(read(&mut decoder, &[0xbe, 0x82]), [":method: GET", "..."]);
    assert_eq!(read(&mut decoder, &literal("b", "2")), ["b: 2"]);
    assert_eq!(read(&mut decoder, &[0xbe, 0xbf]), ["b: 2", "..."]);
    // A literal whose name is lost still takes its place in the table.
    assert_eq!(read(&mut decoder, &[0x7f, 0x00, 1, b'3']), ["..."]);
    assert_eq!(read(&mut decoder, &[0xbe, 0xbf]), ["b: 2", "..."]);
    // A table of size 0 holds nothing that could be unknown.
    assert_eq!(read(&mut decoder, &[0x20, 0x3f, 0xe1, 0x1f]), [""; 0]);
    assert_eq!(read(&mut decoder, &literal("c", "4")), ["c: 4"]);
    assert_eq!(read(&mut decoder, &[0xbe]), ["c: 4"]);
}

#[test]
fn an_index_beyond_the_table_is_malformed_and_loses_it() {
    let mut decoder = Decoder::default();
    assert_eq!(read(&mut decoder, &[0x40, 1, b'a', 1, b'1']), ["a: 1"]);
    assert_eq!(read(&mut decoder, &[0xbf, 0x82]), ["..."], "62 is the last");
    assert_eq!(read(&mut decoder, &[0xbe]), ["..."]);
    assert_eq!(read(&mut decoder, &[0x80]), ["..."], "there is no 0");
}

#[test]
fn lists_and_tables_stay_within_their_limits() {
    let few = Limits { head_fields: 2, head_bytes: 200, hpack_bytes: 100, ..limits() };
    let mut decoder = Decoder::default();
    let block = decoder.block(&[0x82, 0x82, 0x82], &few);
    assert_eq!((block.fields.0.len(), block.partial), (2, true));
    // One byte stands for 60, again and again.
    let value = [&[0x40, 1, b'a', 60][..], &[b'x'; 60]].concat();
    let block = decoder.block(&[&value[..], &[0xbe; 100]].concat(), &few);
    assert_eq!((block.fields.0.len(), block.partial), (2, true));
    // The encoder has more in its table than is kept here: that is not known, not malformed.
    let block = decoder.block(&[&value[..], &[0xbf, 0x82]].concat(), &few);
    assert_eq!((block.fields.0.len(), block.partial), (2, true));
    assert!(decoder.weight() <= 100);
}

/// httlib-hpack's encoder, in every way in which a field can be coded.
#[test]
fn names_are_held_to_the_limit_that_is_given() {
    // 320,000 times "a", which is 00011.
    let name = [0x18, 0xc6, 0x31, 0x8c, 0x63].repeat(40_000);
    let block = [&[0x00, 0xff, 0xc1, 0x99, 0x0c][..], &name, &[0x01, b'v']].concat();
    let much = Limits { head_bytes: 1 << 20, ..limits() };
    for (limits, fields) in [(much, 1), (limits(), 0)] {
        let read = Decoder::default().block(&block, &limits);
        assert_eq!((read.fields.0.len(), read.partial), (fields, fields == 0));
    }
}

fn encoded(encoder: &mut httlib_hpack::Encoder<'_>, fields: &[(Vec<u8>, Vec<u8>, u8)]) -> Vec<u8> {
    let mut block = Vec::new();
    for field in fields {
        encoder.encode(field.clone(), &mut block).unwrap();
    }
    block
}

proptest! {
    #[test]
    fn any_bytes_are_no_trouble(blocks: Vec<Vec<u8>>) {
        let mut decoder = Decoder::default();
        for block in blocks {
            decoder.block(&block, &limits());
        }
        prop_assert!(decoder.weight() <= limits().hpack_bytes);
    }

    #[test]
    fn another_encoder_is_understood(
        blocks in prop::collection::vec(
            prop::collection::vec(
                // Few names and values, so that they come again and are indexed.
                ("[a-e:]{1,3}", prop_oneof!["[x-z]{0,2}", ".{0,40}"], 0_u8..16),
                0..8,
            ),
            0..20,
        ),
    ) {
        let mut encoder = httlib_hpack::Encoder::default();
        let mut decoder = Decoder::default();
        for block in blocks {
            let fields: Vec<_> = block
                .into_iter()
                .map(|(name, value, how)| (name.into_bytes(), value.into_bytes(), how))
                .collect();
            let got = decoder.block(&encoded(&mut encoder, &fields), &limits());
            let want: Vec<_> = fields.iter().map(|(n, v, _)| (&**n, &**v)).collect();
            let got_fields: Vec<_> = got.fields.0.iter().map(|f| (&*f.name, &*f.value)).collect();
            prop_assert_eq!(got_fields, want);
            prop_assert!(!got.partial);
        }
    }
}
