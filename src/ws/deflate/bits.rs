//! Bits of a compressed message, least significant first (RFC 1951 section 3.1.1).
//!
//! Gets: its bytes. Gives: numbers of some bits, and the bytes behind a byte border. Keeps: up to
//! eight bytes ahead.

use super::Stop;

/// What has not been read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The first byte of `data` that does not count in `count`.
    at: usize,
    /// The next bits. Those above `count` are either zero or what `data` has there, so that reading
    /// the same bytes again changes nothing.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, buffer: 0, count: 0 }
    }

    /// Reads on: then there are 56 bits (0x38) at least, or all that the message has.
    #[inline]
    pub(super) fn fill(&mut self) {
        if let Some(word) = self.data.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.buffer |= u64::from_le_bytes(*word) << self.count;
            self.at += ((63 - self.count) / 8) as usize;
            self.count |= 0x38;
        } else {
            self.fill_with_the_last();
        }
    }

    fn fill_with_the_last(&mut self) {
        let rest = self.data.get(self.at..).unwrap_or(&[]);
        let free = (63 - self.count) / 8;
        for &byte in rest.iter().take(free as usize) {
            self.buffer |= u64::from(byte) << self.count;
            self.at += 1;
            self.count += 8;
        }
    }

    /// The next bits; only as many as there are mean something.
    #[inline]
    pub(super) const fn peek(&self) -> u64 {
        self.buffer
    }

    /// How many there are before the next [`Self::fill`].
    #[inline]
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Goes on behind `n` bits, of those that there are.
    #[inline]
    pub(super) const fn skip(&mut self, n: u32) {
        self.buffer >>= n;
        self.count -= n;
    }

    /// A number of up to 32 bits.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> Result<u32, Stop> {
        if self.count < n {
            self.fill();
            if self.count < n {
                return Err(Stop::Early);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "masked to up to 32 bits")]
        let value = (self.buffer & ((1 << n) - 1)) as u32;
        self.skip(n);
        Ok(value)
    }

    /// Goes on at the next byte border, and gives the bytes behind it.
    pub(super) fn align(&mut self) -> &'a [u8] {
        self.at -= (self.count / 8) as usize;
        self.buffer = 0;
        self.count = 0;
        self.data.get(self.at..).unwrap_or(&[])
    }

    /// Goes on behind `n` bytes, at a byte border.
    pub(super) fn skip_bytes(&mut self, n: usize) {
        self.align();
        self.at += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_are_the_bits_of_the_data() {
        let data: Vec<u8> = (0..40_u8).map(|i| i.wrapping_mul(151) ^ 0x5a).collect();
        let bit = |i: usize| u32::from(data[i / 8] >> (i % 8) & 1);
        for width in 1..=32 {
            let mut bits = Bits::new(&data);
            let mut at = 0;
            while let Ok(value) = bits.take(width) {
                let width = width as usize;
                assert_eq!(value, (0..width).map(|i| bit(at + i) << i).sum::<u32>());
                at += width;
            }
            assert!(data.len() * 8 - at < width as usize, "all of it is read");
        }
    }

    #[test]
    fn bytes_behind_a_border_are_those_that_no_bit_was_taken_of() {
        let data: Vec<u8> = (0..20).collect();
        for taken in 0..=160_usize {
            let mut bits = Bits::new(&data);
            for _ in 0..taken {
                bits.take(1).unwrap();
            }
            assert_eq!(bits.align(), &data[taken.div_ceil(8)..], "{taken} bits");
            bits.skip_bytes(0);
            assert_eq!(bits.take(8).ok(), data.get(taken.div_ceil(8)).map(|b| u32::from(*b)));
        }
    }
}
