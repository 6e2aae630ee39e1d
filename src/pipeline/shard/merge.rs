//! Events put back in the order of their packets.
//!
//! Gets: for each batch the order of its segments, and the logs of the parts. Gives: events to the sink,
//! as one thread would have given them; TCP connections get their numbers here. Keeps: a log of each
//! part, as far as it is not handed on.

use std::ops::ControlFlow;

use super::intake::{Ahead, Batch};
use super::log::{Cursor, Log, Streams};
use crate::event::Sink;
use crate::flow::PARTS;

/// Where the merging stands.
#[derive(Default)]
pub(super) struct Merger {
    batch: Option<Batch>,
    /// How much of the batch's order is done.
    done: usize,
    fronts: [Front; PARTS],
    streams: u64,
}

/// What is at hand of one part.
#[derive(Default)]
struct Front {
    log: Log,
    size: usize,
    cursor: Cursor,
    places: Streams,
}

/// What is needed to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The next batch.
    Batch,
    /// The next log of this part.
    Log(usize),
}

impl Merger {
    /// Hands on what is at hand. `Break`: the sink has seen enough.
    pub(super) fn merge<S: Sink>(&mut self, sink: &mut S) -> ControlFlow<(), Need> {
        let Some(batch) = &mut self.batch else { return ControlFlow::Continue(Need::Batch) };
        while let Some(&turn) = batch.order.get(self.done) {
            let part = usize::from(turn);
            match self.fronts.get_mut(part) {
                Some(front) => {
                    let Front { log, cursor, places, .. } = front;
                    if !log.has_next(cursor) {
                        return ControlFlow::Continue(Need::Log(part));
                    }
                    log.hand_on(cursor, places, &mut self.streams, sink)?;
                }
                None => {
                    if let Some(call) = batch.calls.pop_front() {
                        call();
                    }
                }
            }
            self.done += 1;
        }
        ControlFlow::Continue(Need::Batch)
    }

    /// Begins the next batch. Gives what is known ahead of it.
    pub(super) fn begin(&mut self, batch: Batch) -> Ahead {
        let ahead = batch.ahead;
        self.batch = Some(batch);
        self.done = 0;
        ahead
    }

    /// Puts a merged batch away; false where there was none.
    pub(super) fn end(&mut self) -> bool {
        self.batch.take().is_some()
    }

    /// Takes the next log of a part. Gives the one that was used up, and what its size was.
    pub(super) fn put(&mut self, part: usize, log: Log) -> (Log, usize) {
        let Some(front) = self.fronts.get_mut(part) else { return (log, 0) };
        front.cursor = Cursor::default();
        let size = std::mem::replace(&mut front.size, log.size());
        (std::mem::replace(&mut front.log, log), size)
    }

    /// Hands on a log of a part beyond all batches.
    pub(super) fn hand_on<S: Sink>(
        &mut self,
        part: usize,
        log: &mut Log,
        sink: &mut S,
    ) -> ControlFlow<()> {
        let Some(front) = self.fronts.get_mut(part) else { return ControlFlow::Continue(()) };
        log.hand_on(&mut Cursor::default(), &mut front.places, &mut self.streams, sink)
    }

    /// TCP connections so far.
    pub(super) const fn streams(&self) -> u64 {
        self.streams
    }
}
