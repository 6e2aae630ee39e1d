//! IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Gets: fragments in any order, repeated, overlapping. Gives: the datagram with the fragment that
//! completes it; the first copy of a byte wins. Keeps: incomplete datagrams, and complete ones for as
//! long as copies of their fragments may follow; bounded in number, bytes and packet time, the oldest
//! dropped first.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use etherparse::IpNumber;
use foldhash::fast::RandomState;

use super::Skip;
use super::ip::{Datagram, Fragment};
use crate::limits::Limits;
use crate::units::Timestamp;

/// What all fragments of a datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// RFC 791 counts the protocol in; RFC 8200 does not (and it may differ: the first one's counts).
    protocol: Option<u8>,
    /// How many IP headers stood before: a tunnel's addresses are its own.
    depth: usize,
}

/// A datagram of which fragments were seen.
#[derive(Debug)]
struct Partial {
    /// Order of arrival, over all.
    serial: u64,
    /// When the first fragment came.
    first: Option<Timestamp>,
    /// When it was complete; from then on `data` is the datagram and `pieces` is empty.
    done: Option<Done>,
    /// From the fragment with offset 0.
    protocol: Option<IpNumber>,
    /// Bytes of the whole datagram, once its last fragment is known.
    total: Option<usize>,
    /// Bytes received, in the order in which they came.
    data: Vec<u8>,
    /// Where `data` belongs, in the order of the datagram: never empty, never overlapping. Their
    /// lengths add up to that of `data`.
    pieces: Vec<Piece>,
    /// Packets that are waiting for the rest.
    packets: u64,
}

#[derive(Debug, Clone, Copy)]
struct Done {
    at: Option<Timestamp>,
}

/// Bytes `start..end` of a datagram, `at` in the data.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    at: usize,
}

/// What a completed datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    /// The protocol of its payload.
    pub(super) protocol: IpNumber,
    /// Packets that had been waiting for it.
    pub(super) packets: u64,
}

/// Datagrams in the making.
#[derive(Debug)]
pub(super) struct Fragments {
    partials: HashMap<Key, Partial, RandomState>,
    /// By serial: the oldest first. Holds exactly the keys of `partials`.
    order: BTreeMap<u64, Key>,
    next_serial: u64,
    /// What the partials cost together.
    bytes: usize,
    max_partials: usize,
    max_bytes: usize,
}

impl Fragments {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            partials: HashMap::default(),
            order: BTreeMap::new(),
            next_serial: 0,
            bytes: 0,
            max_partials: limits.ip_fragments,
            max_bytes: limits.ip_fragment_bytes,
        }
    }

    /// Takes one fragment, that `packets` packets brought. When it completes its datagram, that is
    /// written to `whole`.
    pub(super) fn add(
        &mut self,
        datagram: &Datagram<'_>,
        fragment: Fragment,
        depth: usize,
        packets: u64,
        now: Option<Timestamp>,
        whole: &mut Vec<u8>,
    ) -> Result<Whole, Skip> {
        self.expire(now);
        if datagram.payload.cut() > 0 {
            return Err(Skip::IpFragmentCut);
        }
        let bytes = datagram.payload.bytes;
        let end = fragment.offset.saturating_add(bytes.len());
        // RFC 791 section 3.2: fragments but the last are counted in units of 8 bytes, and no
        // datagram is longer than its length field can say.
        let units = bytes.len().is_multiple_of(8) || !fragment.more;
        if bytes.is_empty() || !units || end > usize::from(u16::MAX) {
            return Err(Skip::BadIpFragment);
        }
        let (src, dst) = datagram.ends.pair();
        let key = Key {
            src,
            dst,
            id: fragment.id,
            protocol: src.is_ipv4().then_some(datagram.protocol.0),
            depth,
        };
        if let Some(known) = self.partials.get(&key) {
            match known.done {
                Some(done) if known.repeats(fragment, bytes) && !elapsed(done.at, now, COPY_NS) => {
                    return Err(Skip::IpFragmentCopy);
                }
                // A new datagram with an old number.
                Some(_) => self.remove(known.serial),
                None => {}
            }
        }
        let outcome = self.join(key, fragment, bytes, datagram.protocol, packets, now, whole);
        while self.partials.len() > self.max_partials || self.bytes > self.max_bytes {
            let Some((&oldest, _)) = self.order.first_key_value() else { break };
            self.remove(oldest);
        }
        outcome
    }

    /// Puts a fragment to its datagram, a new one if need be.
    #[expect(clippy::too_many_arguments, reason = "one fragment, taken apart by its only caller")]
    fn join(
        &mut self,
        key: Key,
        fragment: Fragment,
        bytes: &[u8],
        protocol: IpNumber,
        packets: u64,
        now: Option<Timestamp>,
        whole: &mut Vec<u8>,
    ) -> Result<Whole, Skip> {
        let serial = self.next_serial;
        let partial = self.partials.entry(key).or_insert_with(|| Partial::new(serial, now));
        if partial.serial == serial {
            self.next_serial += 1;
            self.order.insert(serial, key);
        } else {
            self.bytes = self.bytes.saturating_sub(partial.cost());
        }
        let outcome = partial.add(fragment, bytes, protocol, packets, now, whole);
        self.bytes = self.bytes.saturating_add(partial.cost());
        outcome
    }

    /// Drops what nobody waits for any more.
    fn expire(&mut self, now: Option<Timestamp>) {
        while let Some((&serial, key)) = self.order.first_key_value() {
            let first = self.partials.get(key).and_then(|partial| partial.first);
            if !elapsed(first, now, HOLD_NS) {
                break;
            }
            self.remove(serial);
        }
    }

    fn remove(&mut self, serial: u64) {
        let gone = self.order.remove(&serial).and_then(|key| self.partials.remove(&key));
        if let Some(partial) = gone {
            self.bytes = self.bytes.saturating_sub(partial.cost());
        }
    }

    /// Is everything within the limits.
    pub(super) fn within_limits(&self) -> bool {
        self.partials.len() <= self.max_partials
            && self.bytes <= self.max_bytes
            && self.order.len() == self.partials.len()
            && self.bytes == self.partials.values().map(Partial::cost).sum::<usize>()
    }
}

impl Partial {
    fn new(serial: u64, first: Option<Timestamp>) -> Self {
        Self {
            serial,
            first,
            done: None,
            protocol: None,
            total: None,
            data: Vec::new(),
            pieces: Vec::new(),
            packets: 0,
        }
    }

    fn add(
        &mut self,
        fragment: Fragment,
        bytes: &[u8],
        protocol: IpNumber,
        packets: u64,
        now: Option<Timestamp>,
        whole: &mut Vec<u8>,
    ) -> Result<Whole, Skip> {
        let end = fragment.offset.saturating_add(bytes.len());
        // One datagram has one end: a fragment that says otherwise is not believed.
        let reached = self.pieces.last().map_or(0, |piece| piece.end);
        let fits = match self.total {
            Some(total) if fragment.more => end <= total,
            Some(total) => end == total,
            None => fragment.more || reached <= end,
        };
        if !fits {
            return Err(Skip::BadIpFragment);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if fragment.offset == 0 {
            self.protocol.get_or_insert(protocol);
        }
        self.fill(fragment.offset, bytes);
        // The pieces do not overlap, so that many bytes are all of them.
        let (Some(total), Some(protocol)) = (self.total, self.protocol) else {
            return Err(self.wait(packets));
        };
        if total != self.data.len() {
            return Err(self.wait(packets));
        }
        self.assemble(whole);
        self.done = Some(Done { at: now });
        Ok(Whole { protocol, packets: self.packets })
    }

    fn wait(&mut self, packets: u64) -> Skip {
        self.packets = self.packets.saturating_add(packets);
        Skip::IpFragment
    }

    /// Takes those of the bytes that are not there yet.
    ///
    /// ```text
    /// pieces      |----|      |---|
    /// bytes     |-----------------------|
    /// taken     |-|    |------|   |-----|
    /// ```
    fn fill(&mut self, start: usize, bytes: &[u8]) {
        let end = start.saturating_add(bytes.len());
        let mut from = start;
        let mut index = self.pieces.partition_point(|piece| piece.end <= start);
        while from < end {
            match self.pieces.get(index) {
                Some(piece) if piece.start <= from => from = piece.end,
                next => {
                    let to = next.map_or(end, |piece| piece.start.min(end));
                    let taken = bytes.get(from - start..to - start).unwrap_or(&[]);
                    let at = self.data.len();
                    self.data.extend_from_slice(taken);
                    self.pieces.insert(index, Piece { start: from, end: to, at });
                    from = to;
                }
            }
            index += 1;
        }
    }

    /// Writes the datagram to `whole` and keeps it in that order.
    fn assemble(&mut self, whole: &mut Vec<u8>) {
        whole.clear();
        for piece in &self.pieces {
            let to = piece.at.saturating_add(piece.end - piece.start);
            whole.extend_from_slice(self.data.get(piece.at..to).unwrap_or(&[]));
        }
        self.data.clone_from(whole);
        self.pieces = Vec::new();
    }

    /// Is the fragment a copy of a part of this, which is complete.
    fn repeats(&self, fragment: Fragment, bytes: &[u8]) -> bool {
        let end = fragment.offset.saturating_add(bytes.len());
        self.data.get(fragment.offset..end) == Some(bytes)
            && fragment.more == (end < self.data.len())
    }

    /// Memory it takes, near enough.
    fn cost(&self) -> usize {
        self.data.len()
            + self.pieces.len() * size_of::<Piece>()
            + size_of::<(Key, Self)>()
            + size_of::<(u64, Key)>()
    }
}

/// Has more than `limit` passed since `then`. A clock that went back tells nothing.
fn elapsed(then: Option<Timestamp>, now: Option<Timestamp>, limit: i64) -> bool {
    matches!((then, now), (Some(then), Some(now)) if now.since(then) > limit)
}

/// RFC 791 section 3.2 proposes 15 seconds, RFC 8200 section 4.5 says 60, Linux takes 30.
const HOLD_NS: i64 = 30_000_000_000;

/// How long a fragment that comes again can be the same packet, captured on another interface,
/// rather than a new datagram: IPv4 numbers wrap within seconds on a fast link.
const COPY_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ip::Ends;
    use super::super::span::Span;
    use super::*;

    fn fragment(
        all: &mut Fragments,
        id: u32,
        (offset, more): (usize, bool),
        bytes: &[u8],
        seconds: i64,
    ) -> Result<Vec<u8>, Skip> {
        let fragment = Fragment { id, offset, more };
        let datagram = Datagram {
            ends: Ends::V4(&[10, 0, 0, 1, 10, 0, 0, 2]),
            protocol: IpNumber::TCP,
            payload: Span::new(bytes, bytes.len()),
            fragment: Some(fragment),
        };
        let mut whole = Vec::new();
        let now = Some(Timestamp(seconds * 1_000_000_000));
        let outcome = all.add(&datagram, fragment, 0, 1, now, &mut whole);
        assert!(all.within_limits(), "{all:?}");
        outcome.map(|_| whole)
    }

    #[test]
    fn fragments_in_any_order_make_the_datagram() {
        let parts: [((usize, bool), &[u8]); 3] =
            [((0, true), b"01234567"), ((8, true), b"89abcdef"), ((16, false), b"ghi")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut all = Fragments::new(&Limits::default());
            let [a, b, c] = order.map(|i| fragment(&mut all, 7, parts[i].0, parts[i].1, 0));
            assert_eq!((a, b), (Err(Skip::IpFragment), Err(Skip::IpFragment)), "{order:?}");
            assert_eq!(c.as_deref(), Ok(b"0123456789abcdefghi".as_slice()), "{order:?}");
        }
    }

    #[test]
    fn the_first_copy_of_a_byte_wins() {
        let mut all = Fragments::new(&Limits::default());
        let _ = fragment(&mut all, 7, (8, true), b"bbbbbbbb", 0);
        let _ = fragment(&mut all, 7, (0, true), b"aaaaaaaaXXXXXXXXcccccccc", 0);
        let whole = fragment(&mut all, 7, (16, false), b"YYYYYYYYdd", 0);
        assert_eq!(whole.as_deref(), Ok(b"aaaaaaaabbbbbbbbccccccccdd".as_slice()));
    }

    #[test]
    fn copies_behind_a_complete_datagram_are_no_new_one() {
        let mut all = Fragments::new(&Limits::default());
        let _ = fragment(&mut all, 7, (0, true), b"aaaaaaaa", 0);
        let _ = fragment(&mut all, 7, (0, true), b"aaaaaaaa", 0);
        assert!(fragment(&mut all, 7, (8, false), b"b", 0).is_ok());
        assert_eq!(fragment(&mut all, 7, (8, false), b"b", 0), Err(Skip::IpFragmentCopy));
        // Other bytes: the number is used again, and the old last fragment has no part in it.
        assert_eq!(fragment(&mut all, 7, (0, true), b"cccccccc", 0), Err(Skip::IpFragment));
        let whole = fragment(&mut all, 7, (8, false), b"d", 0);
        assert_eq!(whole.as_deref(), Ok(b"ccccccccd".as_slice()));
        // The same bytes, but too late for a copy.
        assert_eq!(fragment(&mut all, 7, (8, false), b"d", 2), Err(Skip::IpFragment));
    }

    #[test]
    fn fragments_that_contradict_their_datagram_are_refused() {
        let mut all = Fragments::new(&Limits::default());
        let bad = Err(Skip::BadIpFragment);
        assert_eq!(fragment(&mut all, 1, (0, true), b"not eight", 0), bad);
        assert_eq!(fragment(&mut all, 1, (65528, false), b"ping of death", 0), bad);
        assert_eq!(fragment(&mut all, 1, (8, false), b"", 0), bad);
        let _ = fragment(&mut all, 1, (8, false), b"end", 0);
        assert_eq!(fragment(&mut all, 1, (8, false), b"the end", 0), bad);
        assert_eq!(fragment(&mut all, 1, (8, true), b"behind..", 0), bad);
        let _ = fragment(&mut all, 2, (16, true), b"far away", 0);
        assert_eq!(fragment(&mut all, 2, (0, false), b"early", 0), bad);
    }

    #[test]
    fn what_waits_for_thirty_seconds_is_given_up() {
        let mut all = Fragments::new(&Limits::default());
        let _ = fragment(&mut all, 1, (0, true), b"aaaaaaaa", 100);
        assert!(fragment(&mut all, 1, (8, false), b"b", 130).is_ok());
        let _ = fragment(&mut all, 2, (0, true), b"aaaaaaaa", 100);
        assert_eq!(fragment(&mut all, 2, (8, false), b"b", 131), Err(Skip::IpFragment));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut all = Fragments::new(&Limits { ip_fragments: 2, ..Limits::default() });
        for id in 1..=3 {
            let _ = fragment(&mut all, id, (0, true), b"aaaaaaaa", 0);
        }
        assert!(fragment(&mut all, 2, (8, false), b"b", 0).is_ok());
        assert!(fragment(&mut all, 3, (8, false), b"b", 0).is_ok());
        assert_eq!(fragment(&mut all, 1, (8, false), b"b", 0), Err(Skip::IpFragment));
    }

    #[test]
    fn the_oldest_goes_when_bytes_are_too_many() {
        let mut all = Fragments::new(&Limits { ip_fragment_bytes: 9000, ..Limits::default() });
        for id in 1..=100 {
            let _ = fragment(&mut all, id, (0, true), &[0; 4000], 0);
        }
        assert_eq!(fragment(&mut all, 1, (4000, false), b"b", 0), Err(Skip::IpFragment));
        assert!(fragment(&mut all, 100, (4000, false), b"b", 0).is_ok());
        let mut none = Fragments::new(&Limits { ip_fragment_bytes: 0, ..Limits::default() });
        assert_eq!(fragment(&mut none, 1, (0, true), b"aaaaaaaa", 0), Err(Skip::IpFragment));
    }

    proptest! {
        /// Against a dumb map of the first copy of each byte.
        #[test]
        fn overlapping_fragments_give_what_a_byte_map_gives(
            cuts in proptest::collection::vec((0_usize..12, 1_usize..6, any::<u8>()), 1..40),
        ) {
            let mut all = Fragments::new(&Limits::default());
            let mut map = [None; 96];
            for (start, len, fill) in cuts {
                let start = start * 8;
                let end = (start + len * 8).min(96);
                let outcome =
                    fragment(&mut all, 1, (start, end < 96), &vec![fill; end - start], 0);
                for byte in &mut map[start..end] {
                    byte.get_or_insert(fill);
                }
                let want: Option<Vec<u8>> = map.iter().copied().collect();
                prop_assert_eq!(outcome, want.clone().ok_or(Skip::IpFragment));
                if want.is_some() {
                    break;
                }
            }
        }
    }
}
