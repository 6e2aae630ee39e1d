//! One part of the connections: what a thread works with while it has it.
//!
//! Gets: a [`Load`] of segments. Gives: a [`Log`] of what came of them. Keeps: the part's connections.

use std::ops::ControlFlow;

use super::Sizes;
use super::load::Load;
use super::log::{Log, Recorder};
use crate::conn::{Conn, Conns, Sealed, Unread};
use crate::event::{Later, Wants};
use crate::flow::{FlowKey, Part};
use crate::limits::Limits;
use crate::tls::KeyLog;
use crate::units::{FlowId, Origin};
use crate::ws::Scratch;

/// The connections of a part.
#[derive(Debug)]
pub(super) struct Core {
    part: Part<Conn>,
    conns: Conns<Recorder>,
    limits: Limits,
    log_bytes: usize,
}

impl Core {
    /// Without connections yet, for a sink with these needs.
    pub(super) fn new(
        wants: Wants,
        later: Later,
        limits: &Limits,
        sizes: Sizes,
        keys: &KeyLog,
    ) -> Self {
        let mut conns = Conns::new(Recorder::new(wants, later), limits.clone());
        conns.set_keys(keys.clone());
        Self { part: Part::default(), conns, limits: limits.clone(), log_bytes: sizes.log_bytes }
    }

    /// Works off a load, or as much of it as fills the log. Gives the log back.
    pub(super) fn work(&mut self, load: &mut Load, log: Log, scratch: &mut Scratch) -> Log {
        self.conns.sink_mut().log = log;
        self.conns.scratch_mut().swap(scratch);
        let Self { part, conns, limits, log_bytes } = self;
        while let Some(segment) = load.next() {
            let key = FlowKey::new(&segment.src, &segment.dst);
            // A recorder takes everything.
            let _ = part
                .push(&segment, key, limits, conns, |conns, place| conns.sink_mut().opened(place));
            let log = &mut conns.sink_mut().log;
            log.end_turn();
            if log.size() >= *log_bytes {
                break;
            }
        }
        conns.scratch_mut().swap(scratch);
        std::mem::take(&mut conns.sink_mut().log)
    }

    /// The connections that are open, and their places.
    pub(super) fn open(&self) -> impl Iterator<Item = (FlowId, u32)> + '_ {
        self.part.open()
    }

    /// The capture is over: ends the connection at this place.
    pub(super) fn finish(&mut self, place: u32, origin: Origin, log: Log) -> Log {
        self.conns.sink_mut().log = log;
        // A recorder takes everything.
        let _: ControlFlow<()> = self.part.finish(place, origin, &mut self.conns);
        let mut log = std::mem::take(&mut self.conns.sink_mut().log);
        log.end_turn();
        log
    }

    /// TCP connections that carry something else.
    pub(super) const fn unread(&self) -> Unread {
        self.conns.unread()
    }

    /// Which servers the unread TLS connections were to.
    pub(super) const fn sealed(&self) -> &Sealed {
        self.conns.sealed()
    }
}
