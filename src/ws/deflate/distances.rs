//! How far back a DEFLATE stream refers (RFC 1951).
//!
//! Gets: a compressed message. Gives: the largest distance in it, without output or window: only
//! symbols are walked. Used where a window smaller than 32 KiB was agreed, because zlib's inflate
//! tells nothing of distances that it can serve. Keeps: two tables of code lengths for a block.

/// The largest distance of a message's back references, and where in the output it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Farthest {
    /// Bytes back; 0 where nothing refers back.
    pub distance: u32,
    /// Offset in the message's output of the bytes that it stands for.
    pub at: u64,
}

/// Walks `data` and then `tail` (the four octets that RFC 7692 section 7.2.2 appends). Stops quietly
/// where the stream ends or is no DEFLATE: that is for the inflater to say.
pub fn farthest(data: &[u8], tail: &[u8]) -> Farthest {
    let mut bits = Bits { data, tail, buffer: 0, count: 0 };
    let mut found = Farthest::default();
    let mut at = 0;
    while let Some(()) = block(&mut bits, &mut at, &mut found) {}
    found
}

/// Do `data` and then `tail` hold whole blocks and nothing else: inflate says nothing when its input
/// ends in the midst of one.
pub fn ends_between_blocks(data: &[u8], tail: &[u8]) -> bool {
    let mut bits = Bits { data, tail, buffer: 0, count: 0 };
    let mut at = 0;
    loop {
        if bits.count == 0 && bits.data.is_empty() && bits.tail.is_empty() {
            return true;
        }
        if block(&mut bits, &mut at, &mut Farthest::default()).is_none() {
            return false;
        }
    }
}

/// One block; `None` at the end of the data or at a fault.
fn block(bits: &mut Bits<'_>, at: &mut u64, found: &mut Farthest) -> Option<()> {
    let last = bits.take(1)? == 1;
    match bits.take(2)? {
        0 => stored(bits, at)?,
        1 => symbols(bits, &Code::fixed_literals(), &Code::fixed_distances(), at, found)?,
        2 => {
            let (literals, distances) = dynamic(bits)?;
            symbols(bits, &literals, &distances, at, found)?;
        }
        _ => return None,
    }
    if last {
        // Behind a final block the next one starts at a byte (RFC 7692 section 7.2.3.4).
        bits.align();
    }
    Some(())
}

/// RFC 1951 section 3.2.4.
fn stored(bits: &mut Bits<'_>, at: &mut u64) -> Option<()> {
    bits.align();
    let len = bits.take(16)?;
    if bits.take(16)? != len ^ 0xffff {
        return None;
    }
    for _ in 0..len {
        bits.take(8)?;
    }
    *at += u64::from(len);
    Some(())
}

/// RFC 1951 section 3.2.5.
fn symbols(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    at: &mut u64,
    found: &mut Farthest,
) -> Option<()> {
    loop {
        let symbol = literals.read(bits)?;
        match symbol {
            0..=255 => *at += 1,
            256 => return Some(()),
            _ => {
                let index = usize::from(symbol).checked_sub(257)?;
                let (base, extra) = *LENGTHS.get(index)?;
                let length = u32::from(base) + bits.take(u32::from(extra))?;
                let (base, extra) = *DISTANCES.get(usize::from(distances.read(bits)?))?;
                let distance = u32::from(base) + bits.take(u32::from(extra))?;
                if distance > found.distance {
                    *found = Farthest { distance, at: *at };
                }
                *at += u64::from(length);
            }
        }
    }
}

/// RFC 1951 section 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let literals = usize::try_from(bits.take(5)?).ok()? + 257;
    let distances = usize::try_from(bits.take(5)?).ok()? + 1;
    let lengths = usize::try_from(bits.take(4)?).ok()? + 4;
    let mut code = [0_u8; 19];
    for &index in ORDER.iter().take(lengths) {
        *code.get_mut(index)? = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&code);
    let mut all = [0_u8; 320];
    let total = literals + distances;
    let mut n = 0;
    while n < total {
        let (value, repeat) = match code.read(bits)? {
            16 => (*all.get(n.checked_sub(1)?)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        let end = n + usize::try_from(repeat).ok()?;
        if end > total {
            return None;
        }
        all.get_mut(n..end)?.fill(value);
        n = end;
    }
    let (literals, rest) = all.split_at_checked(literals)?;
    Some((Code::new(literals), Code::new(rest.get(..distances)?)))
}

/// A canonical Huffman code (RFC 1951 section 3.2.2): how many codes of each length, and the symbols
/// in the order of their codes.
struct Code {
    counts: [u16; 16],
    symbols: [u16; 320],
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0_u16; 16];
        for &length in lengths {
            if let Some(count) = counts.get_mut(usize::from(length)) {
                *count += 1;
            }
        }
        let mut symbols = [0_u16; 320];
        let mut slots = symbols.iter_mut();
        for length in 1..16_u8 {
            for (symbol, _) in (0..).zip(lengths).filter(|(_, l)| **l == length) {
                if let Some(slot) = slots.next() {
                    *slot = symbol;
                }
            }
        }
        if let Some(unused) = counts.first_mut() {
            *unused = 0;
        }
        Self { counts, symbols }
    }

    fn fixed_literals() -> Self {
        let mut lengths = [8_u8; 288];
        for (symbol, length) in lengths.iter_mut().enumerate() {
            *length = match symbol {
                0..=143 | 280.. => 8,
                144..=255 => 9,
                _ => 7,
            };
        }
        Self::new(&lengths)
    }

    fn fixed_distances() -> Self {
        Self::new(&[5; 30])
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<u16> {
        // Codes of one length are consecutive; `first` is the first of this length, `index` its place.
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for &count in self.counts.get(1..)? {
            code |= bits.take(1)?;
            let count = u32::from(count);
            if let Some(offset) = code.checked_sub(first)
                && offset < count
            {
                return self.symbols.get(usize::try_from(index + offset).ok()?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits, least significant first (RFC 1951 section 3.1.1).
struct Bits<'a> {
    data: &'a [u8],
    tail: &'a [u8],
    buffer: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, n: u32) -> Option<u32> {
        while self.count < n {
            let byte = if let Some((&byte, rest)) = self.data.split_first() {
                self.data = rest;
                byte
            } else {
                let (&byte, rest) = self.tail.split_first()?;
                self.tail = rest;
                byte
            };
            self.buffer |= u32::from(byte) << self.count;
            self.count += 8;
        }
        let value = self.buffer & ((1 << n) - 1);
        self.buffer >>= n;
        self.count -= n;
        Some(value)
    }

    const fn align(&mut self) {
        self.buffer >>= self.count % 8;
        self.count -= self.count % 8;
    }
}

/// Base and extra bits of length symbols 257 to 285.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// Base and extra bits of distance symbols 0 to 29.
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn deflate(data: &[u8], level: u32, bits: u8) -> Vec<u8> {
        let mut z = Compress::new_with_window_bits(Compression::new(level), false, bits);
        let mut out = vec![0; data.len() + 1000];
        z.compress(data, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(usize::try_from(z.total_out()).unwrap());
        out
    }

    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                33 + u8::try_from((state >> 16) % 90).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_repetition_stands_at_its_distance() {
        let mut data = noise(2000);
        data.extend_from_within(..300);
        for level in [1, 6, 9] {
            let found = farthest(&deflate(&data, level, 15), &[]);
            assert_eq!(found.distance, 2000, "level {level}");
            // Lazy matching may put a literal first.
            assert!((2000..2010).contains(&found.at), "level {level}: {found:?}");
        }
    }

    #[test]
    fn fixed_codes_are_read_too() {
        // RFC 7692 section 7.2.3.2: "Hello" again, with the context kept: a back reference of 5.
        assert_eq!(farthest(&[0xf2, 0x00, 0x11, 0x00, 0x00], &[]).distance, 5);
    }

    #[test]
    fn a_small_window_is_kept_by_its_compressor() {
        let mut data = noise(2000);
        for _ in 0..3 {
            data.extend_from_within(..2000);
        }
        data.extend(std::iter::repeat_n(b'x', 5000));
        for bits in 9..15 {
            let found = farthest(&deflate(&data, 9, bits), &[]);
            assert!(found.distance <= 1 << bits, "{bits}: {found:?}");
        }
        assert_eq!(farthest(&deflate(&data, 9, 15), &[]).distance, 2000);
    }

    #[test]
    fn text_without_repetition_refers_to_nothing() {
        assert_eq!(farthest(&deflate(b"abcdefgh", 9, 15), &[]), Farthest::default());
    }

    #[test]
    fn bytes_that_are_no_deflate_end_quietly() {
        farthest(&[0xff; 40], &[]);
        farthest(&noise(5000), &[0, 0, 0xff, 0xff]);
    }
}
