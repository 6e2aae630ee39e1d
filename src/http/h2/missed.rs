//! Streams whose requests the capture lacks, or that could not be read.
//!
//! Gets: between which streams requests may have been missed. Gives: whether a stream's was. Keeps: up to
//! [`STRETCHES`] of them.

use super::frame::StreamId;

/// Stretches that are remembered; there is one for each gap over frame headers.
const STRETCHES: usize = 64;

/// Those behind the first of a pair, and before the second.
#[derive(Debug, Default)]
pub(super) struct Missed(Vec<(StreamId, StreamId)>);

impl Missed {
    /// Requests of streams in between were missed.
    pub(super) fn add(&mut self, behind: StreamId, before: StreamId) {
        let room = self.0.len() < STRETCHES;
        match self.0.last_mut() {
            Some((_, end)) if *end >= behind => *end = before.max(*end),
            _ if room => self.0.push((behind, before)),
            _ => {}
        }
    }

    /// Those of streams behind this one, up to the one that [`Self::begins`] next.
    pub(super) fn add_rest(&mut self, behind: StreamId) {
        self.add(behind, StreamId::MAX);
    }

    /// A stream begins: those before it were begun already (RFC 9113 section 5.1.1).
    pub(super) fn begins(&mut self, stream: StreamId) {
        if let Some((_, end)) = self.0.last_mut().filter(|(_, end)| *end == StreamId::MAX) {
            *end = stream;
        }
    }

    /// Was the request of this stream missed.
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.0.iter().any(|(behind, before)| (*behind + 1..*before).contains(&stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_stream_ends_what_was_missed_without_end() {
        let mut missed = Missed::default();
        missed.add_rest(5);
        assert_eq!([5, 7, 901].map(|stream| missed.has(stream)), [false, true, true]);
        missed.begins(11);
        assert_eq!([9, 11, 13].map(|stream| missed.has(stream)), [true, false, false]);
        missed.add(12, 14);
        missed.begins(15);
        assert_eq!([11, 13, 15].map(|stream| missed.has(stream)), [false, true, false]);
    }
}
