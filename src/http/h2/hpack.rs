//! Header compression (RFC 7541): the dynamic table of one direction, and the field blocks that use it.
//!
//! Gets: whole field blocks, in order; word of those that were lost. Gives: [`Block`]s. Keeps: the
//! dynamic table, as large as the encoder makes it, within [`Limits::hpack_bytes`].
//!
//! This is written by hand because of what a capture is: once a block is lost, entries of the table are
//! not known, and those that come later are. A library decoder ends the connection there, as a peer
//! has to; here a field that refers to what was lost is left out, and all others are still read.
//!
//! ```text
//!   index   1 ...... 61 | 62 .............. | ................
//!           static      | added since then  | lost: not known, until they are evicted
//! ```

mod huffman;
mod table;

use self::table::{Found, Table};
use crate::event::{Field, FieldBytes, Fields};
use crate::http::over::Over;
use crate::limits::Limits;

/// The fields of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Block {
    /// In the order they were sent.
    pub(super) fields: Fields,
    /// Some may be missing: they refer to what was lost, are over a limit, or can not be read.
    pub(super) partial: bool,
    /// Of these, some are over a limit.
    pub(super) over: Option<Over>,
}

/// Decodes the blocks of one direction.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    table: Table,
}

/// A block breaks the rules of section 5 or 6, or was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Decoder {
    /// Reads a block.
    pub(super) fn block(&mut self, mut bytes: &[u8], limits: &Limits) -> Block {
        let mut list = List { block: Block::default(), left: limits.head_bytes, limits };
        while !bytes.is_empty() {
            if self.representation(&mut bytes, &mut list).is_err() {
                // What it would have added to the table is not known.
                self.lost();
                list.block.partial = true;
                break;
            }
        }
        list.block
    }

    /// A block of this direction was not read: what it added to the table is not known.
    pub(super) fn lost(&mut self) {
        self.table.lose();
    }

    /// Bytes of memory kept, about.
    pub(super) const fn weight(&self) -> usize {
        self.table.weight()
    }

    /// One representation of section 6.
    fn representation(&mut self, input: &mut &[u8], list: &mut List<'_>) -> Result<(), Malformed> {
        let first = *input.first().ok_or(Malformed)?;
        match first {
            // 6.1: indexed.
            0x80.. => {
                let index = integer(input, 7)?;
                match self.table.entry(index)? {
                    Found::Entry(Some(name), value) => list.push(name, value),
                    Found::Entry(None, _) | Found::Lost => list.block.partial = true,
                }
            }
            // 6.2.1: literal, to be added to the table.
            0x40.. => {
                let name = self.name(input, 6, list.limits)?;
                let value = string(input, list.limits)?;
                match &name {
                    Some(name) => list.push(name, &value),
                    None => list.block.partial = true,
                }
                self.table.add(name, value, list.limits.hpack_bytes);
            }
            // 6.3: a new size of the table. RFC 9113 4.3.1 wants it at most what the receiver has set;
            // that is between the two, and the table is bounded by our own limit anyway.
            0x20.. => {
                let size = integer(input, 5)?;
                self.table.resize(size, list.limits.hpack_bytes);
            }
            // 6.2.2, 6.2.3: literal, not to be added.
            _ => {
                let name = self.name(input, 4, list.limits)?;
                let value = string(input, list.limits)?;
                match name {
                    Some(name) => list.push(&name, &value),
                    None => list.block.partial = true,
                }
            }
        }
        Ok(())
    }

    /// The name of a literal; `None` where it refers to what was lost.
    fn name(
        &self,
        input: &mut &[u8],
        prefix: u8,
        limits: &Limits,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        match integer(input, prefix)? {
            0 => string(input, limits).map(Some),
            index => Ok(match self.table.entry(index)? {
                Found::Entry(name, _) => name.map(<[u8]>::to_vec),
                Found::Lost => None,
            }),
        }
    }
}

/// The field list at hand, within its limits (RFC 9113 section 6.5.2 counts as this does).
struct List<'a> {
    block: Block,
    left: usize,
    limits: &'a Limits,
}

impl List<'_> {
    fn push(&mut self, name: &[u8], value: &[u8]) {
        let cost = name.len().saturating_add(value.len()).saturating_add(table::OVERHEAD);
        let many = self.block.fields.0.len() >= self.limits.head_fields;
        if cost > self.left || many {
            self.block.partial = true;
            self.block.over.get_or_insert(if many { Over::Fields } else { Over::Bytes });
            return;
        }
        self.left -= cost;
        let (name, value) = (FieldBytes::from_slice(name), FieldBytes::from_slice(value));
        self.block.fields.0.push(Field { name, value });
    }
}

/// Section 5.1: an integer with a prefix of so many bits.
fn integer(input: &mut &[u8], prefix: u8) -> Result<usize, Malformed> {
    let (&first, mut rest) = input.split_first().ok_or(Malformed)?;
    let mask = 0xff_u8 >> (8 - prefix.clamp(1, 8));
    let mut value = usize::from(first & mask);
    if first & mask == mask {
        let mut shift = 0_u32;
        loop {
            let (&byte, behind) = rest.split_first().ok_or(Malformed)?;
            rest = behind;
            // No table and no string is larger than 2^28; zeroes may follow, but not for ever.
            let part = usize::from(byte & 0x7f);
            if shift > 21 && part > 0 || shift > 63 {
                return Err(Malformed);
            }
            value = value.saturating_add(part.checked_shl(shift).unwrap_or(0));
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *input = rest;
    Ok(value)
}

/// Section 5.2: a string literal.
fn string(input: &mut &[u8], limits: &Limits) -> Result<Vec<u8>, Malformed> {
    let coded = input.first().is_some_and(|first| first & 0x80 != 0);
    let len = integer(input, 7)?;
    let (text, rest) = input.split_at_checked(len).ok_or(Malformed)?;
    *input = rest;
    if coded { huffman::decode(text, limits.head_bytes) } else { Ok(text.to_vec()) }
}

#[cfg(test)]
mod tests;
