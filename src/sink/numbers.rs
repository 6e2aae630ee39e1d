//! Connection numbers as shown.
//!
//! Gets: the events in output order. Gives: a [`ConnNo`] for each. Keeps: the open connections.

use std::collections::HashMap;

use crate::event::Event;
use crate::units::{ConnKey, ConnNo};

/// Numbers connections from 1 in the order in which they first appear in the output.
#[derive(Debug, Default)]
pub struct Numbers {
    open: HashMap<ConnKey, ConnNo, foldhash::fast::RandomState>,
    /// The connection of the last event: most events are of the same one as the one before.
    last: Option<(ConnKey, ConnNo)>,
    given: u64,
}

impl Numbers {
    /// Nothing numbered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number for the connection of an event; forgotten after its last event.
    #[inline]
    pub fn of(&mut self, key: ConnKey, event: &Event<'_>) -> ConnNo {
        let no = match self.last {
            Some((last, no)) if last == key => no,
            _ => self.look_up(key),
        };
        if is_last(event) {
            self.open.remove(&key);
            self.last = None;
        } else {
            self.last = Some((key, no));
        }
        no
    }

    /// How many were given.
    pub const fn given(&self) -> u64 {
        self.given
    }

    #[inline(never)]
    fn look_up(&mut self, key: ConnKey) -> ConnNo {
        *self.open.entry(key).or_insert_with(|| {
            self.given += 1;
            ConnNo(self.given)
        })
    }
}

/// Nothing of the same connection comes after it.
pub(crate) const fn is_last(event: &Event<'_>) -> bool {
    match event {
        Event::End(_) => true,
        Event::Handshake(handshake) => handshake.last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;
    use crate::units::{FlowId, PacketNo};

    fn key(packet: u64) -> ConnKey {
        ConnKey { flow: FlowId(PacketNo(packet)), nth: 0 }
    }

    #[test]
    fn numbers_follow_first_appearance() {
        let message = samples::text(b"x");
        let event = Event::Message(&message);
        let mut numbers = Numbers::new();
        let given = [7, 3, 7, 3, 9].map(|packet| numbers.of(key(packet), &event).0);
        assert_eq!(given, [1, 2, 1, 2, 3]);
        assert_eq!(numbers.given(), 3);
    }

    #[test]
    fn ended_connections_and_attempts_without_an_end_are_forgotten() {
        let end = samples::end();
        let refused = samples::rejected();
        let mut numbers = Numbers::new();
        let first = numbers.of(key(1), &Event::Handshake(&samples::handshake()));
        assert_eq!(numbers.of(key(1), &Event::End(&end)), first);
        assert_eq!(numbers.of(key(2), &Event::Handshake(&refused)), ConnNo(2));
        assert!(numbers.open.is_empty());
        assert_eq!(numbers.of(key(1), &Event::End(&end)), ConnNo(3), "an identity used again");
    }
}
