//! Numbers over rows: how many over time, how large, of which kind.
//!
//! Gets: rows, some at a time. Gives: bins. Keeps: at most [`BINS`] of them, whatever the time that
//! the capture spans: when it outgrows them, two become one.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::event::MessageKind;
use crate::store::{RowKind, Snapshot};
use crate::units::{Direction, PerDirection, Timestamp};

/// Bins over time.
pub const BINS: usize = 512;
/// Classes of size: powers of two.
pub const SIZES: usize = 28;

/// What went one way in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bin {
    /// Messages.
    pub messages: u64,
    /// Bytes after inflating.
    pub bytes: u64,
}

/// The numbers.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// When the first bin begins.
    pub start: Option<Timestamp>,
    /// Nanoseconds that a bin spans.
    pub width: i64,
    /// What went each way in each.
    pub bins: Vec<PerDirection<Bin>>,
    /// Messages of each kind, in the order of [`MessageKind::ALL`].
    pub kinds: PerDirection<[u64; 5]>,
    /// Data messages by the number of bits of their length.
    pub sizes: PerDirection<Vec<u64>>,
    looked_at: usize,
    marks: Option<BTreeSet<u32>>,
}

/// How long one call may take: the screen waits for it.
const BUDGET: Duration = Duration::from_millis(6);

impl Stats {
    /// Rows that are counted.
    pub const fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// Goes on counting, of marked connections or of all.
    pub fn update(&mut self, snapshot: &Snapshot, marks: Option<&BTreeSet<u32>>) {
        if self.marks.as_ref() != marks {
            *self = Self { marks: marks.cloned(), ..Self::default() };
        }
        let begin = Instant::now();
        let (mut looked, from) = (0, self.looked_at);
        for row in snapshot.rows.iter_from(from) {
            if looked % 4096 == 4095 && begin.elapsed() > BUDGET {
                break;
            }
            looked += 1;
            let conn = u32::try_from(row.conn()).unwrap_or(u32::MAX);
            let counted = self.marks.as_ref().is_none_or(|marks| marks.contains(&conn));
            if let (RowKind::Message(kind), true) = (row.kind(), counted) {
                self.count(row.dir(), kind, row.len(), row.time());
            }
        }
        self.looked_at = from + looked;
    }

    fn count(&mut self, dir: Direction, kind: MessageKind, len: u32, time: Option<Timestamp>) {
        let at = MessageKind::ALL.iter().position(|k| *k == kind);
        if let Some(count) = at.and_then(|at| self.kinds[dir].get_mut(at)) {
            *count += 1;
        }
        if !kind.is_control() {
            let sizes = &mut self.sizes[dir];
            sizes.resize(SIZES, 0);
            let class = (u32::BITS - len.leading_zeros()) as usize;
            if let Some(count) = sizes.get_mut(class.min(SIZES - 1)) {
                *count += 1;
            }
        }
        if let Some(time) = time
            && let Some(bin) = self.bin(time)
        {
            bin[dir].messages += 1;
            bin[dir].bytes += u64::from(len);
        }
    }

    fn bin(&mut self, time: Timestamp) -> Option<&mut PerDirection<Bin>> {
        let start = *self.start.get_or_insert(time);
        self.width = self.width.max(1_000_000);
        // A clock that went back counts as the start.
        let since = time.since(start).max(0);
        while since / self.width >= i64::try_from(BINS).unwrap_or(i64::MAX) {
            self.halve();
        }
        let at = usize::try_from(since / self.width).unwrap_or(0);
        if self.bins.len() <= at {
            self.bins.resize(at + 1, PerDirection::default());
        }
        self.bins.get_mut(at)
    }

    /// Two bins become one.
    fn halve(&mut self) {
        self.width = self.width.saturating_mul(2);
        let add =
            |a: Bin, b: Bin| Bin { messages: a.messages + b.messages, bytes: a.bytes + b.bytes };
        let pairs = self.bins.chunks(2).map(|pair| {
            let (a, b) = (pair.first().copied(), pair.get(1).copied());
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            PerDirection {
                to_server: add(a.to_server, b.to_server),
                to_client: add(a.to_client, b.to_client),
            }
        });
        self.bins = pairs.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Play;

    #[test]
    fn bins_grow_wider_instead_of_more() {
        let mut play = Play::new();
        play.open(1, "/");
        for _ in 0..2000 {
            play.text(1, Direction::ToServer, "abc");
        }
        let mut stats = Stats::default();
        stats.update(&play.reader.snapshot(), None);
        assert!(stats.bins.len() <= BINS);
        assert_eq!(stats.bins.iter().map(|bin| bin.to_server.messages).sum::<u64>(), 2000);
        assert_eq!(stats.bins.iter().map(|bin| bin.to_server.bytes).sum::<u64>(), 6000);
        assert_eq!(stats.kinds.to_server, [2000, 0, 0, 0, 0]);
        // Three bytes are two bits long.
        assert_eq!(stats.sizes.to_server[2], 2000);
    }

    #[test]
    fn only_marked_connections_are_counted() {
        let mut play = Play::new();
        play.open(1, "/");
        play.open(2, "/");
        play.text(1, Direction::ToServer, "a");
        play.text(2, Direction::ToServer, "b");
        play.text(2, Direction::ToServer, "c");
        let mut stats = Stats::default();
        let snapshot = play.reader.snapshot();
        stats.update(&snapshot, None);
        assert_eq!(stats.kinds.to_server[0], 3);
        stats.update(&snapshot, Some(&BTreeSet::from([1])));
        assert_eq!(stats.kinds.to_server[0], 2);
    }
}
