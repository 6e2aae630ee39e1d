//! WebSocket frames (RFC 6455 section 5.2).
//!
//! Gets: in-order bytes of one direction, cut anywhere. Gives: [`Part`]s that borrow them, to
//! [`crate::ws::session`]. Keeps: at most 14 header bytes. Never fails: what is wrong with a header
//! is judged by [`crate::ws::rules`].

use crate::event::Opcode;

/// The longest header: 2 bytes, a 64-bit length, a masking key.
pub const HEADER_MAX: usize = 14;

/// A frame's header, as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Last fragment of its message.
    pub fin: bool,
    /// RSV1 to RSV3, RSV1 the highest of three bits.
    pub rsv: u8,
    /// What it is.
    pub opcode: Opcode,
    /// The masking key, where the mask bit is set.
    pub mask: Option<[u8; 4]>,
    /// Payload bytes announced.
    pub len: u64,
    /// Bytes of the header itself, 2 to 14.
    pub size: u8,
}

impl Header {
    /// The header at the front of these bytes, and what follows it; `None` when it is not whole.
    #[inline]
    pub fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (len, length, rest) = match second & 0x7f {
            126 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*len)), 2, rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*len), 8, rest)
            }
            short => (u64::from(short), 0, rest),
        };
        let (mask, key, rest) = if second & 0x80 == 0 {
            (None, 0, rest)
        } else {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), 4, rest)
        };
        let header = Self {
            fin: first & 0x80 != 0,
            rsv: (first >> 4) & 0x7,
            opcode: Opcode::from_bits(first),
            mask,
            len,
            size: 2 + length + key,
        };
        Some((header, rest))
    }

    /// RSV1: the message is compressed, where that was agreed (RFC 7692 section 6).
    pub const fn rsv1(&self) -> bool {
        self.rsv & 0b100 != 0
    }

    /// Bytes that the length field takes beyond its first seven bits: 0, 2 or 8.
    pub const fn length_bytes(&self) -> u8 {
        self.size - 2 - if self.mask.is_some() { 4 } else { 0 }
    }

    /// "The minimal number of bytes MUST be used to encode the length."
    pub const fn is_minimal(&self) -> bool {
        match self.length_bytes() {
            0 => true,
            2 => self.len >= 126,
            _ => self.len > 0xffff,
        }
    }

    /// "The most significant bit MUST be 0": nothing behind such a length can be found.
    pub const fn overflows(&self) -> bool {
        self.len >> 63 != 0
    }
}

/// What comes next in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A frame begins.
    Header(Header),
    /// Payload bytes as on the wire, at least one.
    Payload(&'a [u8]),
    /// Payload bytes that the capture lacks: the frame goes on behind them.
    Missing(u64),
    /// The frame is over.
    End,
}

/// Bytes are missing and a frame header among them: where the next frame begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desync {
    /// Payload bytes that the frame at hand still had to get.
    pub missing: u64,
}

/// A whole frame at the front, when it is all there.
#[inline]
pub fn whole<'a>(input: &mut &'a [u8]) -> Option<(Header, &'a [u8])> {
    let (header, rest) = Header::split(input)?;
    let (payload, rest) = rest.split_at_checked(usize::try_from(header.len).ok()?)?;
    *input = rest;
    Some((header, payload))
}

/// Takes frames apart, whatever the cuts.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    /// The start of a header that is not whole yet; `held_len < HEADER_MAX`.
    held: [u8; HEADER_MAX],
    held_len: u8,
    /// Payload bytes still to come of the frame at hand; `None` between frames.
    left: Option<u64>,
}

impl Decoder {
    /// Takes one part off the front; `None`: more bytes are needed.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        match self.left {
            None => self.header(input).map(Part::Header),
            Some(0) => {
                self.left = None;
                Some(Part::End)
            }
            Some(_) if input.is_empty() => None,
            Some(left) => {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let (payload, rest) = input.split_at(take);
                *input = rest;
                self.left = Some(left - payload.len() as u64);
                Some(Part::Payload(payload))
            }
        }
    }

    /// A whole frame at the front, when it is all there and nothing of it came before.
    #[inline]
    pub fn whole<'a>(&self, input: &mut &'a [u8]) -> Option<(Header, &'a [u8])> {
        if self.is_between_frames() { whole(input) } else { None }
    }

    /// Takes `n` payload bytes, if the frame at hand goes on behind them: nothing else comes of them.
    #[inline]
    pub fn passes(&mut self, n: u64) -> bool {
        let Some(left) = self.left.filter(|left| n < *left) else { return false };
        self.left = Some(left - n);
        true
    }

    /// `n` bytes are missing from the capture here.
    ///
    /// # Errors
    /// [`Desync`] when a header is among them, or may be; the decoder then stands between frames,
    /// and somebody else has to find out where the next one begins.
    pub fn skip(&mut self, n: u64) -> Result<Part<'static>, Desync> {
        match self.left {
            Some(left) if n <= left => {
                self.left = Some(left - n);
                Ok(Part::Missing(n))
            }
            left => {
                *self = Self::default();
                Err(Desync { missing: left.unwrap_or(0) })
            }
        }
    }

    /// No byte of a frame has been taken that is not over.
    #[inline]
    pub const fn is_between_frames(&self) -> bool {
        self.left.is_none() && self.held_len == 0
    }

    /// Bytes of a header that is not whole.
    pub const fn header_bytes_held(&self) -> u8 {
        self.held_len
    }

    fn header(&mut self, input: &mut &[u8]) -> Option<Header> {
        if self.held_len == 0
            && let Some((header, rest)) = Header::split(input)
        {
            *input = rest;
            self.left = Some(header.len);
            return Some(header);
        }
        // Over a cut: byte by byte. It happens once per segment at most.
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if let Some(slot) = self.held.get_mut(usize::from(self.held_len)) {
                *slot = byte;
            }
            self.held_len += 1;
            let held = self.held.get(..usize::from(self.held_len)).unwrap_or(&self.held);
            if let Some((header, _)) = Header::split(held) {
                self.held_len = 0;
                self.left = Some(header.len);
                return Some(header);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of a stream given in pieces, payload pieces joined.
    fn parts(pieces: &[&[u8]]) -> Vec<(Option<Header>, Vec<u8>, bool)> {
        let mut decoder = Decoder::default();
        let mut out: Vec<(Option<Header>, Vec<u8>, bool)> = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(part) = decoder.next(&mut piece) {
                match part {
                    Part::Header(h) => out.push((Some(h), Vec::new(), false)),
                    Part::Payload(p) => out.last_mut().unwrap().1.extend_from_slice(p),
                    Part::End => out.last_mut().unwrap().2 = true,
                    Part::Missing(_) => unreachable!("nothing was skipped"),
                }
            }
            assert!(piece.is_empty());
        }
        out
    }

    fn header(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>, len: u64, size: u8) -> Header {
        Header { fin, rsv: 0, opcode, mask, len, size }
    }

    mod section_5_7 {
        use super::*;

        #[test]
        fn single_frame_unmasked_text_message() {
            let got = parts(&[&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]]);
            let want = header(true, Opcode::Text, None, 5, 2);
            assert_eq!(got, [(Some(want), b"Hello".to_vec(), true)]);
        }

        #[test]
        fn single_frame_masked_text_message() {
            let got = parts(&[&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]]);
            let want = header(true, Opcode::Text, Some([0x37, 0xfa, 0x21, 0x3d]), 5, 6);
            assert_eq!(got, [(Some(want), vec![0x7f, 0x9f, 0x4d, 0x51, 0x58], true)]);
        }

        #[test]
        fn fragmented_unmasked_text_message() {
            let got = parts(&[&[0x01, 0x03, 0x48, 0x65, 0x6c], &[0x80, 0x02, 0x6c, 0x6f]]);
            let first = header(false, Opcode::Text, None, 3, 2);
            let second = header(true, Opcode::Continuation, None, 2, 2);
            let want = [(Some(first), b"Hel".to_vec(), true), (Some(second), b"lo".to_vec(), true)];
            assert_eq!(got, want);
        }

        #[test]
        fn unmasked_ping_and_its_masked_pong() {
            let got = parts(&[
                &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
                &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            ]);
            assert_eq!(got[0].0, Some(header(true, Opcode::Ping, None, 5, 2)));
            assert_eq!(
                got[1].0,
                Some(header(true, Opcode::Pong, Some([0x37, 0xfa, 0x21, 0x3d]), 5, 6))
            );
        }

        #[test]
        fn binary_messages_of_256_bytes_and_64_kib() {
            let mut bytes = vec![0x82, 0x7e, 0x01, 0x00];
            bytes.resize(4 + 256, 0xaa);
            bytes.extend_from_slice(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
            bytes.resize(bytes.len() + 65536, 0xbb);
            let got = parts(&[&bytes]);
            assert_eq!(got[0].0, Some(header(true, Opcode::Binary, None, 256, 4)));
            assert_eq!(got[0].1.len(), 256);
            assert_eq!(got[1].0, Some(header(true, Opcode::Binary, None, 65536, 10)));
            assert_eq!(got[1].1.len(), 65536);
        }
    }

    const MIXED: &[u8] = &[
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // masked text
        0x89, 0x00, // empty ping
        0x02, 0x7e, 0x00, 0x03, 1, 2, 3, // 16-bit form of 3
        0xf3, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9, 9, 9, 5, 6, // 64-bit form, masked, reserved
        0x80, 0x80, 1, 2, 3, 4, // masked, empty
    ];

    #[test]
    fn every_cut_in_two_gives_the_same_frames() {
        let whole = parts(&[MIXED]);
        assert_eq!(whole.len(), 5);
        for cut in 0..=MIXED.len() {
            assert_eq!(parts(&[&MIXED[..cut], &MIXED[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn single_bytes_give_the_same_frames() {
        let bytes: Vec<&[u8]> = MIXED.chunks(1).collect();
        assert_eq!(parts(&bytes), parts(&[MIXED]));
    }

    #[test]
    fn whole_frames_are_taken_only_at_a_border() {
        let mut decoder = Decoder::default();
        let mut input: &[u8] = &[0x81, 0x01, b'x', 0x81, 0x02, b'y'];
        let (header, payload) = decoder.whole(&mut input).unwrap();
        assert_eq!((header.len, payload), (1, &b"x"[..]));
        assert!(decoder.whole(&mut input).is_none(), "the second is not all there");
        assert!(matches!(decoder.next(&mut input), Some(Part::Header(_))));
        assert!(decoder.whole(&mut input).is_none(), "in the midst of a frame");
    }

    #[test]
    fn bytes_pass_only_in_the_midst_of_a_payload() {
        let mut decoder = Decoder::default();
        assert!(!decoder.passes(1), "between frames");
        let mut input: &[u8] = &[0x82, 0x0a, 1, 2];
        while decoder.next(&mut input).is_some() {}
        assert!(!decoder.passes(8), "the last one ends the frame");
        assert!(decoder.passes(7));
        let mut input: &[u8] = &[9, 0x81];
        assert_eq!(decoder.next(&mut input), Some(Part::Payload(&[9])));
        assert_eq!(decoder.next(&mut input), Some(Part::End));
    }

    #[test]
    fn a_hole_inside_a_payload_keeps_the_step() {
        let mut decoder = Decoder::default();
        let mut input: &[u8] = &[0x82, 0x0a, 1, 2];
        while decoder.next(&mut input).is_some() {}
        assert_eq!(decoder.skip(8), Ok(Part::Missing(8)));
        let mut input: &[u8] = &[0x81, 0x00];
        assert_eq!(decoder.next(&mut input), Some(Part::End));
        assert!(matches!(decoder.next(&mut input), Some(Part::Header(_))));
    }

    #[test]
    fn a_hole_over_a_header_loses_it() {
        let mut decoder = Decoder::default();
        let mut input: &[u8] = &[0x82, 0x0a, 1, 2];
        while decoder.next(&mut input).is_some() {}
        assert_eq!(decoder.skip(9), Err(Desync { missing: 8 }));
        assert!(decoder.is_between_frames());
        assert_eq!(decoder.skip(1), Err(Desync { missing: 0 }));
    }

    #[test]
    fn the_shortest_form_of_a_length_is_told_from_longer_ones() {
        let minimal = |bytes: &[u8]| Header::split(bytes).unwrap().0.is_minimal();
        assert!(minimal(&[0x82, 125]));
        assert!(minimal(&[0x82, 126, 0, 126]));
        assert!(!minimal(&[0x82, 126, 0, 125]));
        assert!(minimal(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]));
        assert!(!minimal(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]));
        assert!(Header::split(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]).unwrap().0.overflows());
    }
}
