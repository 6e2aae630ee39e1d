//! What is left of connections that are over.
//!
//! Late segments of a connection (its last acknowledgements, retransmissions) must not begin it again,
//! and a SYN between the same addresses and ports may begin another one. What that asks for is a small
//! part of what an open connection needs; so a closed one gives its place there up at once.

use std::collections::VecDeque;

use super::half::Begun;
use super::key::FlowKey;
use crate::packet::{Segment, TcpFlags};
use crate::units::{FlowId, Origin};

/// Packet time that a closed connection is kept, to absorb its last acknowledgements.
pub(super) const CLOSED_NS: i64 = 60_000_000_000;

/// Closed connections kept per part of the table, whatever their age.
const CLOSED: usize = 512;

/// Numbers go round before they would reach the bit that tells closed connections from open ones.
const NUMBERS: u32 = 1 << 31;

/// A connection that is over: both sides sent FIN, or one sent RST.
#[derive(Debug)]
pub(super) struct Husk {
    pub(super) key: FlowKey,
    pub(super) id: FlowId,
    /// Its last segment.
    pub(super) last: Origin,
    /// What came from the first address of the key, and from the second.
    pub(super) first: Begun,
    pub(super) second: Begun,
}

impl Husk {
    /// Does this SYN begin another connection between the same addresses and ports?
    pub(super) fn is_reused_by(&self, segment: &Segment<'_>, src_first: bool) -> bool {
        let sender = if src_first { &self.first } else { &self.second };
        let is_other = !sender.with(segment.seq);
        // The SYN of a new connection may be missing, and this be its answer.
        is_other && (sender.seen || !segment.flags.has(TcpFlags::ACK))
    }
}

/// The connections closed last, in the order in which they were closed.
#[derive(Debug, Default)]
pub(super) struct Closed {
    husks: VecDeque<Option<Husk>>,
    /// Number of the one in front.
    front: u32,
}

impl Closed {
    /// Takes one more; gives its number, and the one closed first where there are too many.
    pub(super) fn push(&mut self, husk: Husk) -> (u32, Option<(u32, Husk)>) {
        let mut oldest = None;
        if self.husks.len() >= CLOSED {
            oldest = self.husks.pop_front().flatten().map(|husk| (self.front, husk));
            self.front = self.front.wrapping_add(1) % NUMBERS;
        }
        let len = u32::try_from(self.husks.len()).unwrap_or(0);
        self.husks.push_back(Some(husk));
        (self.front.wrapping_add(len) % NUMBERS, oldest)
    }

    /// The one with this number, as long as it is kept.
    #[inline]
    pub(super) fn get(&self, no: u32) -> Option<&Husk> {
        self.husks.get(self.at(no))?.as_ref()
    }

    /// Another segment of it came.
    pub(super) fn touch(&mut self, no: u32, origin: Origin) {
        let at = self.at(no);
        if let Some(Some(husk)) = self.husks.get_mut(at) {
            husk.last = origin;
        }
    }

    /// Forgets one, and gives what it was.
    pub(super) fn take(&mut self, no: u32) -> Option<Husk> {
        let at = self.at(no);
        self.husks.get_mut(at)?.take()
    }

    /// All of them, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Husk)> {
        let numbers = (0u32..).map(|nth| self.front.wrapping_add(nth) % NUMBERS);
        numbers.zip(&self.husks).filter_map(|(no, husk)| Some((no, husk.as_ref()?)))
    }

    fn at(&self, no: u32) -> usize {
        (no.wrapping_sub(self.front) % NUMBERS) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNo, SeqNo};

    fn husk(packet: u64) -> Husk {
        let begun = Begun { first: Some(SeqNo(7)), seen: true };
        let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        Husk {
            key: FlowKey::new(&a, &b).0,
            id: FlowId(PacketNo(packet)),
            last: Origin::default(),
            first: begun,
            second: begun,
        }
    }

    #[test]
    fn the_longest_closed_one_is_forgotten_first_and_numbers_go_round() {
        let mut closed = Closed { front: NUMBERS - 3, ..Closed::default() };
        let mut numbers = Vec::new();
        for packet in 0..=CLOSED as u64 {
            let (no, oldest) = closed.push(husk(packet));
            assert!(no < NUMBERS);
            numbers.push(no);
            let is_full = packet == CLOSED as u64;
            assert_eq!(
                oldest.map(|(no, husk)| (no, husk.id.0.0)),
                is_full.then_some((NUMBERS - 3, 0))
            );
        }
        assert!(closed.get(numbers[0]).is_none(), "forgotten");
        for (packet, no) in numbers.iter().enumerate().skip(1) {
            assert_eq!(closed.get(*no).map(|husk| husk.id.0.0), Some(packet as u64));
        }
        assert_eq!(closed.iter().map(|(no, _)| no).collect::<Vec<_>>(), numbers[1..]);
        assert_eq!(closed.take(numbers[9]).map(|husk| husk.id.0.0), Some(9));
        assert!(closed.take(numbers[9]).is_none() && closed.get(numbers[9]).is_none());
        assert_eq!(closed.iter().count(), CLOSED - 1);
    }
}
