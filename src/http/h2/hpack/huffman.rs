//! The Huffman code of header strings (RFC 7541 section 5.2, appendix B).
//!
//! Gets: a coded string. Gives: its bytes. Keeps: nothing. The code is canonical, so that the lengths
//! of its symbols say all of it: among those of one length, codes ascend with the symbols.

use super::Malformed;

/// Bits of each symbol's code; the last is EOS.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const EOS: u16 = 256;
const LONGEST: usize = 30;

/// What decoding asks for.
struct Code {
    /// Of each length: its first code, and the place of that code's symbol.
    first: [(u32, u16); LONGEST + 2],
    /// By length, then by code.
    symbols: [u16; 257],
}

static CODE: Code = Code::new();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "worked out by the compiler, which does not build what is out of bounds"
)]
impl Code {
    const fn new() -> Self {
        let mut code = Self { first: [(0, 0); LONGEST + 2], symbols: [0; 257] };
        let (mut length, mut next, mut place) = (1, 0_u32, 0_u16);
        while length <= LONGEST {
            next <<= 1;
            code.first[length] = (next, place);
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    code.symbols[place as usize] = symbol as u16;
                    place += 1;
                    next += 1;
                }
                symbol += 1;
            }
            length += 1;
        }
        code.first[LONGEST + 1] = (u32::MAX, place);
        code
    }
}

/// The bytes of a coded string, at most so many.
pub(super) fn decode(coded: &[u8], most: usize) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(coded.len().min(most));
    let (mut code, mut length) = (0_u32, 0_usize);
    for byte in coded {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            length += 1;
            let Some(symbol) = symbol(code, length) else {
                // No code is longer.
                if length >= LONGEST {
                    return Err(Malformed);
                }
                continue;
            };
            // Section 5.2: EOS must not be in a string.
            let symbol = u8::try_from(symbol).ok().filter(|_| symbol != EOS).ok_or(Malformed)?;
            if out.len() >= most {
                return Err(Malformed);
            }
            out.push(symbol);
            (code, length) = (0, 0);
        }
    }
    // What is left is padding: less than a byte, of the bits of EOS, which are ones.
    let padded = length < 8 && code == (1 << length) - 1;
    padded.then_some(out).ok_or(Malformed)
}

fn symbol(code: u32, length: usize) -> Option<u16> {
    let (first, from) = *CODE.first.get(length)?;
    let (_, until) = *CODE.first.get(length + 1)?;
    let nth = u16::try_from(code.checked_sub(first)?).ok()?;
    (nth < until - from).then(|| CODE.symbols.get(usize::from(from + nth)).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_code_are_those_of_appendix_b() {
        // '0' is 00000, '~' 1111111111101, LF 111111111111111111111111111100, EOS all ones.
        assert_eq!(symbol(0, 5), Some(u16::from(b'0')));
        assert_eq!(symbol(0x1ffd, 13), Some(u16::from(b'~')));
        assert_eq!(symbol(0x3fff_fffc, 30), Some(u16::from(b'\n')));
        assert_eq!(symbol(0x3fff_ffff, 30), Some(EOS));
        assert_eq!(symbol(0x3f, 6), None);
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        assert_eq!(decode(&[0x07], 9), Ok(b"0".to_vec()));
        assert_eq!(decode(&[0x06], 9), Err(Malformed), "a zero in the padding");
        assert_eq!(decode(&[0x07, 0xff], 9), Err(Malformed), "a byte of padding");
        assert_eq!(decode(&[0xff; 4], 9), Err(Malformed), "EOS");
        assert_eq!(decode(&[0, 0, 0, 0, 0], 7), Err(Malformed), "more than are wanted");
    }
}
