//! Which ping a pong answers (RFC 6455 sections 5.5.2, 5.5.3).
//!
//! Gets: the payloads of the pings that went one way, and of the pongs that come back. Gives: the ping that
//! a pong answers, and the round trip. Keeps: the latest pings without pong, as many as it may.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use crate::event::{Message, MessageKind};
use crate::units::{PerDirection, Timestamp};

/// Pings kept of one direction where only round trips are asked for. A sender seldom has more than one on
/// the way.
const KEPT: usize = 64;

/// The pings of one direction that no pong answered yet, each with what is known of it.
#[derive(Debug, Clone)]
pub struct Waiting<T> {
    pings: VecDeque<(u64, T)>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { pings: VecDeque::new() }
    }
}

impl<T> Waiting<T> {
    /// A ping was sent. Of more than `limit` that wait, the oldest is forgotten: that one is given.
    pub fn sent(&mut self, payload: &[u8], ping: T, limit: usize) -> Option<T> {
        let oldest = if self.pings.len() < limit.max(1) { None } else { self.pings.pop_front() };
        self.pings.push_back((hash(payload), ping));
        oldest.map(|(_, ping)| ping)
    }

    /// A pong came back: gives the ping that it answers, and forgets those before; `None` when nothing
    /// asked for it.
    ///
    /// Section 5.5.3: a pong has the payload of its ping, and who got several pings may answer the latest
    /// alone. So of those with this payload it is the latest, and those before it will get none.
    pub fn answered(&mut self, payload: &[u8]) -> Option<T> {
        let found = self.latest(payload)?;
        self.pings.drain(..=found).next_back().map(|(_, ping)| ping)
    }

    /// Would a pong with this payload be an answer.
    pub fn awaits(&self, payload: &[u8]) -> bool {
        self.latest(payload).is_some()
    }

    /// Those that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pings.iter().map(|(_, ping)| ping)
    }

    /// Does none wait.
    pub fn is_empty(&self) -> bool {
        self.pings.is_empty()
    }

    /// Bytes of memory that it holds, about.
    #[inline]
    pub fn weight(&self) -> usize {
        self.pings.capacity() * size_of::<(u64, T)>()
    }

    fn latest(&self, payload: &[u8]) -> Option<usize> {
        let payload = hash(payload);
        self.pings.iter().rposition(|(ping, _)| *ping == payload)
    }
}

impl PerDirection<Waiting<Timestamp>> {
    /// Takes a message: a ping begins to wait, a pong ends that. Gives the nanoseconds from the first byte
    /// of the ping passing by to that of its pong, 0 where the capture has them the other way round; `None`
    /// for any other message, for a pong that answers no ping of these, and without times.
    pub fn round_trip(&mut self, message: &Message<'_>) -> Option<u64> {
        let time = message.begin.time?;
        let payload = message.payload.bytes();
        match message.kind {
            // What lacks bytes does not tell its payload.
            _ if !message.complete => None,
            MessageKind::Ping => {
                self[message.dir].sent(payload, time, KEPT);
                None
            }
            MessageKind::Pong => {
                let sent = self[message.dir.flip()].answered(payload)?;
                Some(u64::try_from(time.since(sent)).unwrap_or(0))
            }
            MessageKind::Text | MessageKind::Binary | MessageKind::Close => None,
        }
    }
}

/// Pings are told apart by it; nobody gains by making two alike.
fn hash(payload: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    mod section_5_5_3 {
        use super::*;

        #[test]
        fn a_pong_answers_the_ping_with_its_payload_and_those_before() {
            let mut pings = Waiting::default();
            for ping in 1..=3 {
                assert_eq!(pings.sent(&[ping], ping, 9), None);
            }
            assert!(pings.awaits(&[1]));
            assert_eq!(pings.answered(&[2]), Some(2));
            assert_eq!(pings.answered(&[1]), None, "passed over");
            assert_eq!(pings.answered(&[3]), Some(3));
            assert_eq!(pings.answered(&[]), None, "nobody asked");
            assert!(pings.is_empty());
        }

        #[test]
        fn of_equal_pings_the_latest_is_answered() {
            let mut pings = Waiting::default();
            pings.sent(b"", 1, 9);
            pings.sent(b"", 2, 9);
            assert_eq!(pings.answered(b""), Some(2));
            assert_eq!(pings.answered(b""), None);
        }
    }

    #[test]
    fn beyond_the_limit_the_oldest_is_forgotten() {
        let mut pings = Waiting::default();
        assert_eq!(pings.sent(b"a", 1, 2), None);
        assert_eq!(pings.sent(b"b", 2, 2), None);
        assert_eq!(pings.sent(b"c", 3, 2), Some(1));
        assert_eq!(pings.iter().copied().collect::<Vec<_>>(), [2, 3]);
    }
}
