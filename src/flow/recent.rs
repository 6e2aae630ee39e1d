//! What was delivered of a direction last: does a retransmission say the same?
//!
//! Gets: the segments that were delivered, and those that repeat some. Gives: how many bytes of these are
//! others. Keeps: a hash of each of the last [`STRETCHES`].

use std::hash::BuildHasher;

/// Segments of which the hash is remembered.
const STRETCHES: usize = 8;

/// The last stretches, round and round.
#[derive(Debug, Default)]
pub(super) struct Recent {
    stretches: [Stretch; STRETCHES],
    /// Where the next one goes, modulo their number.
    at: u8,
}

/// A stretch that was delivered.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    /// Stream offset, modulo 2^32: what is remembered is never that far back.
    at: u32,
    len: u32,
    hash: u64,
}

impl Recent {
    /// These bytes were delivered at this offset.
    #[inline]
    pub(super) fn add(&mut self, at: u64, bytes: &[u8]) {
        let stretch = Stretch {
            at: low(at),
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            hash: hash(bytes),
        };
        if let Some(slot) = self.stretches.get_mut(usize::from(self.at) % STRETCHES) {
            *slot = stretch;
        }
        self.at = self.at.wrapping_add(1);
    }

    /// Bytes of the stretches that these bytes, from this offset on, cover whole and say otherwise.
    pub(super) fn differing(&self, from: u64, bytes: &[u8]) -> u64 {
        let differs = |stretch: &&Stretch| {
            let skip = stretch.at.wrapping_sub(low(from)) as usize;
            let part = bytes.get(skip..skip.saturating_add(stretch.len as usize));
            stretch.len > 0 && part.is_some_and(|part| hash(part) != stretch.hash)
        };
        self.stretches.iter().filter(differs).map(|stretch| u64::from(stretch.len)).sum()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
const fn low(offset: u64) -> u32 {
    offset as u32
}

/// A hash for telling different bytes apart; not against an adversary with a wish to collide.
fn hash(bytes: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(bytes)
}
