//! Decimal digits without a division for each and without a loop.
//!
//! Gets: numbers below [`LIMIT`]. Gives: their text. Keeps: nothing.

/// Numbers below this have up to eight digits.
pub(super) const LIMIT: u32 = 100_000_000;

/// Appends a number.
#[inline]
pub(super) fn push(buf: &mut Vec<u8>, value: u32) {
    if value < 10 {
        buf.push(one(value));
    } else {
        many(buf, value);
    }
}

#[inline(never)]
fn many(buf: &mut Vec<u8>, value: u32) {
    let digits = split(value);
    let zeros = digits.trailing_zeros() / 8;
    buf.extend_from_slice(&((digits | TEXT) >> (8 * zeros)).to_le_bytes());
    buf.truncate(buf.len() - zeros as usize);
}

/// The digit of a number below ten.
#[inline]
pub(super) const fn one(value: u32) -> u8 {
    b'0' + value.to_le_bytes()[0]
}

/// All eight digits of a number.
#[inline]
pub(super) const fn eight(value: u32) -> [u8; 8] {
    (split(value) | TEXT).to_le_bytes()
}

/// `0` in every byte.
const TEXT: u64 = 0x3030_3030_3030_3030;

/// The values of eight digits, the most significant in the lowest byte: halved three times, and the
/// parts of each half at once. The multiplications divide by 100 and by 10.
#[inline]
const fn split(value: u32) -> u64 {
    let (high, low) = (value / 10_000, value % 10_000);
    let fours = high as u64 | (low as u64) << 32;
    let high = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = high | (fours - high * 100) << 16;
    let high = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    high | (twos - high * 10) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_display() {
        let every = (0..20_000).chain((0..LIMIT).step_by(9_973)).chain(LIMIT - 20_000..LIMIT);
        for value in every {
            assert_eq!(eight(value), format!("{value:08}").as_bytes());
            let mut buf = b"x".to_vec();
            push(&mut buf, value);
            assert_eq!(buf, format!("x{value}").into_bytes());
        }
    }
}
