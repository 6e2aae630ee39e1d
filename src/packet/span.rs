//! What is left of a packet: the bytes captured, and how many there were on the wire.
//!
//! Gets: a record, or a datagram put together. Gives: headers taken off the front. A header that is
//! not there was either cut off by the snapshot length (loss) or never sent (a broken packet): every
//! check of a length ends in one of the two.

use super::Skip;

/// The rest of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span<'a> {
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
    /// How long it was on the wire; never less than `bytes`.
    wire: usize,
}

impl<'a> Span<'a> {
    /// Bytes captured of `wire` ones. A capture that claims to hold more than there was is believed
    /// in what it holds.
    pub(super) fn new(bytes: &'a [u8], wire: usize) -> Self {
        Self { bytes, wire: wire.max(bytes.len()) }
    }

    /// Takes a header of `len` bytes off the front; `broken` when it was not even sent.
    #[inline]
    pub(super) fn header(self, len: usize, broken: Skip) -> Result<(&'a [u8], Self), Skip> {
        let Some((header, bytes)) = self.bytes.split_at_checked(len) else {
            return Err(self.lacks(len, broken));
        };
        Ok((header, Self { bytes, wire: self.wire.saturating_sub(len) }))
    }

    /// Takes a header of fixed length off the front.
    #[inline]
    pub(super) fn fixed<const N: usize>(self, broken: Skip) -> Result<(&'a [u8; N], Self), Skip> {
        let Some((header, bytes)) = self.bytes.split_first_chunk() else {
            return Err(self.lacks(N, broken));
        };
        Ok((header, Self { bytes, wire: self.wire.saturating_sub(N) }))
    }

    /// Takes `len` bytes off the front whether or not they were captured; `broken` when they were
    /// not sent.
    #[inline]
    pub(super) fn skip(self, len: usize, broken: Skip) -> Result<Self, Skip> {
        let wire = self.wire.checked_sub(len).ok_or(broken)?;
        Ok(Self { bytes: self.bytes.get(len..).unwrap_or(&[]), wire })
    }

    /// Why `len` bytes are not there.
    pub(super) fn lacks(self, len: usize, broken: Skip) -> Skip {
        if len <= self.wire { Skip::CutInHeaders } else { broken }
    }

    /// This with the length on the wire that a header states: what lies behind it is padding, what
    /// lacks was cut off.
    #[inline]
    pub(super) fn limit(self, wire: usize) -> Self {
        Self { bytes: self.bytes.get(..wire).unwrap_or(self.bytes), wire }
    }

    /// Bytes that were on the wire but not captured.
    pub(super) fn cut(self) -> usize {
        self.wire.saturating_sub(self.bytes.len())
    }
}
