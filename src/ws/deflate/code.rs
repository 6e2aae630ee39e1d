//! Huffman codes (RFC 1951 section 3.2.2), as tables in which the next bits stand for a symbol.
//!
//! Gets: code lengths. Gives: for the next bits of a message the [`Entry`] of their symbol. Keeps: two
//! tables for the block at hand, which all connections of a thread share.

use std::sync::LazyLock;

use super::Stop;

/// What the next bits stand for, in one word so that a look-up is one load:
///
/// ```text
/// 31             16 15   13 12     8  7  6  5  4      0
/// |      value     |   -   |  extra  |what|sub|  len  |
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    const SUB: u32 = 1 << 5;
    const LITERAL: u32 = 1 << 6;
    const END: u32 = 1 << 7;
    const INVALID: u32 = Self::END | Self::LITERAL;
    const KIND: u32 = Self::INVALID;

    const fn new(kind: u32, value: u16, extra: u8) -> Self {
        Self((value as u32) << 16 | (extra as u32) << 8 | kind)
    }

    const fn with_len(self, len: u32) -> Self {
        Self(self.0 | len)
    }

    /// Bits of its code.
    #[inline]
    pub(super) const fn len(self) -> u32 {
        self.0 & 31
    }

    /// Bits behind its code that are part of the number.
    #[inline]
    const fn extra(self) -> u32 {
        self.0 >> 8 & 31
    }

    /// Bits in all.
    #[inline]
    pub(super) const fn width(self) -> u32 {
        self.len() + self.extra()
    }

    /// The byte, where it is a literal.
    #[inline]
    pub(super) const fn literal(self) -> Option<u8> {
        let [_, _, byte, _] = self.0.to_le_bytes();
        if self.0 & Self::KIND == Self::LITERAL { Some(byte) } else { None }
    }

    /// The end of the block.
    #[inline]
    pub(super) const fn is_end(self) -> bool {
        self.0 & Self::KIND == Self::END
    }

    /// No symbol has this code, or the symbol stands for nothing.
    #[inline]
    pub(super) const fn is_invalid(self) -> bool {
        self.0 & Self::KIND == Self::INVALID
    }

    /// The length or distance; `bits` begin with its code.
    #[inline]
    pub(super) const fn number(self, bits: u64) -> usize {
        let extra = (bits >> self.len()) & ((1 << self.extra()) - 1);
        #[expect(clippy::cast_possible_truncation, reason = "up to 13 bits")]
        let extra = extra as usize;
        (self.0 >> 16) as usize + extra
    }
}

/// A code's table: the next `ROOT` bits lead to the symbol, or to a table for the bits behind them.
/// `SIZE` is what both need at most (zlib's `enough`).
#[derive(Debug, Clone)]
pub(super) struct Code<const ROOT: u32, const SIZE: usize> {
    entries: [Entry; SIZE],
}

/// 288 symbols of up to 15 bits.
pub(super) type Literals = Code<10, 1334>;
/// 32 symbols of up to 15 bits.
pub(super) type Distances = Code<8, 402>;
/// 19 symbols of up to 7 bits.
pub(super) type CodeLengths = Code<7, 128>;

impl<const ROOT: u32, const SIZE: usize> Default for Code<ROOT, SIZE> {
    fn default() -> Self {
        Self { entries: [Entry::default(); SIZE] }
    }
}

impl<const ROOT: u32, const SIZE: usize> Code<ROOT, SIZE> {
    /// The entry that `bits` begin with.
    #[inline]
    pub(super) fn find(&self, bits: u64) -> Entry {
        let entry = self.at(bits & ((1 << ROOT) - 1));
        if entry.0 & Entry::SUB == 0 {
            return entry;
        }
        let below = (bits >> ROOT) & ((1 << entry.extra()) - 1);
        self.at(u64::from(entry.0 >> 16) + below)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked above")]
    fn at(&self, index: u64) -> Entry {
        self.entries.get(index as usize).copied().unwrap_or(Entry(Entry::INVALID | 1))
    }

    /// Fills the table for the symbols that have these lengths; `symbol` says what one stands for.
    /// What zlib refuses is refused: too many codes, or too few unless there is one at most.
    fn build(&mut self, lengths: &[u8], symbol: impl Fn(u16) -> Entry) -> Result<(), Stop> {
        let mut counts = [0_u16; 16];
        for &length in lengths {
            *counts.get_mut(usize::from(length)).ok_or(Stop::Corrupt)? += 1;
        }
        counts[0] = 0;
        let mut free = 1_i32;
        let mut longest = 0;
        for (length, &count) in (0..).zip(&counts).skip(1) {
            free = (free << 1) - i32::from(count);
            if free < 0 {
                return Err(Stop::Corrupt);
            }
            if count > 0 {
                longest = length;
            }
        }
        if free > 0 {
            if longest > 1 {
                return Err(Stop::Corrupt);
            }
            let root = self.entries.get_mut(..1 << ROOT).ok_or(Stop::Corrupt)?;
            root.fill(Entry(Entry::INVALID | 1));
        }
        // Symbols in the order of their codes: by length, then as they are.
        let mut starts = [0_u16; 16];
        let mut next = 0;
        for (start, count) in starts.iter_mut().zip(counts) {
            *start = next;
            next += count;
        }
        let mut sorted = [0_u16; 320];
        for (number, &length) in (0..).zip(lengths).filter(|(_, length)| **length > 0) {
            let start = starts.get_mut(usize::from(length)).ok_or(Stop::Corrupt)?;
            *sorted.get_mut(usize::from(*start)).ok_or(Stop::Corrupt)? = number;
            *start += 1;
        }
        let mut code = 0_u32;
        let mut previous = 0;
        let (mut sub, mut sub_end) = (None, 1_usize << ROOT);
        for number in sorted.iter().take(usize::from(next)) {
            let length = u32::from(lengths.get(usize::from(*number)).copied().unwrap_or(1));
            code <<= length - previous;
            previous = length;
            // Codes are packed from their most significant bit on (section 3.1.1).
            let reversed = (code.reverse_bits() >> (32 - length)) as usize;
            code += 1;
            let entry = symbol(*number).with_len(length);
            if length <= ROOT {
                let root = self.entries.get_mut(reversed..1 << ROOT).ok_or(Stop::Corrupt)?;
                root.iter_mut().step_by(1 << length).for_each(|slot| *slot = entry);
            } else {
                let prefix = reversed & ((1 << ROOT) - 1);
                let start = match sub {
                    Some((of, start)) if of == prefix => start,
                    _ => {
                        let start = sub_end;
                        let width = Self::width_below(&counts, length, longest);
                        sub_end = start + (1 << width);
                        let link = u16::try_from(start).map_err(|_too_large| Stop::Corrupt)?;
                        *self.entries.get_mut(prefix).ok_or(Stop::Corrupt)? =
                            Entry::new(Entry::SUB, link, width);
                        sub = Some((prefix, start));
                        start
                    }
                };
                let below = self.entries.get_mut(start..sub_end).ok_or(Stop::Corrupt)?;
                let slots = below.iter_mut().skip(reversed >> ROOT).step_by(1 << (length - ROOT));
                slots.for_each(|slot| *slot = entry);
            }
            *counts.get_mut(length as usize).ok_or(Stop::Corrupt)? -= 1;
        }
        Ok(())
    }

    /// How many bits a table needs whose first code has `length` bits: until those that are `left`
    /// fill it.
    fn width_below(left: &[u16; 16], length: u32, longest: u32) -> u8 {
        let mut width = length - ROOT;
        let mut free = 1_i32 << width;
        for &count in left.iter().take(longest as usize).skip(length as usize) {
            free -= i32::from(count);
            if free <= 0 {
                break;
            }
            width += 1;
            free <<= 1;
        }
        u8::try_from(width).unwrap_or(0)
    }
}

impl CodeLengths {
    pub(super) fn of(lengths: &[u8; 19]) -> Result<Self, Stop> {
        let mut code = Self::default();
        // Not even a single code may be missing here.
        let space: u32 = lengths.iter().filter(|l| **l > 0).map(|l| 128 >> l).sum();
        if space != 128 {
            return Err(Stop::Corrupt);
        }
        code.build(lengths, |symbol| Entry::new(0, symbol, 0))?;
        Ok(code)
    }
}

/// Both codes of a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Codes {
    pub(super) literals: Literals,
    pub(super) distances: Distances,
}

impl Codes {
    /// Makes them those with these lengths (RFC 1951 section 3.2.7).
    pub(super) fn set(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), Stop> {
        // What no block can end with is refused before its first symbol.
        if literals.get(256).is_none_or(|length| *length == 0) {
            return Err(Stop::Corrupt);
        }
        self.literals.build(literals, |symbol| match symbol {
            0..256 => Entry::new(Entry::LITERAL, symbol, 0),
            256 => Entry::new(Entry::END, 0, 0),
            _ => match LENGTHS.get(usize::from(symbol - 257)) {
                Some(&(base, extra)) => Entry::new(0, base, extra),
                None => Entry::new(Entry::INVALID, 0, 0),
            },
        })?;
        self.distances.build(distances, |symbol| match DISTANCES.get(usize::from(symbol)) {
            Some(&(base, extra)) => Entry::new(0, base, extra),
            None => Entry::new(Entry::INVALID, 0, 0),
        })
    }

    /// RFC 1951 section 3.2.6.
    pub(super) fn fixed() -> &'static Self {
        static FIXED: LazyLock<Codes> = LazyLock::new(|| {
            let mut lengths = [8; 288];
            for (symbol, length) in lengths.iter_mut().enumerate() {
                *length = match symbol {
                    0..=143 | 280.. => 8,
                    144..=255 => 9,
                    _ => 7,
                };
            }
            let mut codes = Codes::default();
            let sound = codes.set(&lengths, &[5; 32]).is_ok();
            debug_assert!(sound, "complete codes");
            codes
        });
        &FIXED
    }
}

/// Base and extra bits of length symbols 257 to 285.
#[rustfmt::skip]
const LENGTHS: [(u16, u8); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0),
    (11, 1), (13, 1), (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2),
    (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4),
    (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];

/// Base and extra bits of distance symbols 0 to 29.
#[rustfmt::skip]
const DISTANCES: [(u16, u8); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2),
    (17, 3), (25, 3), (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6),
    (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10), (3073, 10),
    (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];
