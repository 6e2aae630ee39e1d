//! One side of a connection in whose middle the capture begins: is it HTTP/2, and the client's side?
//!
//! Gets: the side's bytes. Gives: whose they are. Keeps: a [`Sight`], and for some streams what is looked
//! for in them: the masked frames that a client sends.

use std::collections::BTreeMap;

use crate::http::h2::{Sight, Whose};
use crate::limits::Limits;
use crate::units::Origin;
use crate::ws::resync::{Finder, Search, Shape};

/// See the module.
#[derive(Debug)]
pub(super) struct SideInSight {
    sight: Sight,
    /// Bytes of the side that it was not shown, before the others.
    before: usize,
    frames: BTreeMap<u32, Finder>,
}

/// Streams that are looked through.
const STREAMS: usize = 16;

impl SideInSight {
    /// Behind so many bytes of its side.
    pub(super) fn new(before: usize) -> Self {
        Self { sight: Sight::default(), before, frames: BTreeMap::new() }
    }

    /// Takes bytes; whose they are, once that is clear.
    pub(super) fn push(&mut self, origin: Origin, bytes: &[u8], limits: &Limits) -> Option<Whose> {
        let Self { sight, frames, .. } = self;
        let mut masked = false;
        let mut data = |stream, origin, bytes: &[u8]| {
            if frames.len() >= STREAMS && !frames.contains_key(&stream) {
                return;
            }
            // Compression may have been agreed.
            let shape = Shape { masked: true, rsv1: true, rsv1_anywhere: false };
            let finder = frames.entry(stream).or_insert_with(|| Finder::new(shape, 0));
            masked |= matches!(finder.push(origin, bytes, limits.probe_bytes), Search::Found(_));
        };
        let whose = sight.push(origin, bytes, limits, &mut data);
        whose.or(masked.then_some(Whose::Client))
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> Option<Whose> {
        let found = |finder: &mut Finder| matches!(finder.finish(), Search::Found(_));
        let masked = self.begin().is_some() && self.frames.values_mut().any(found);
        masked.then_some(Whose::Client)
    }

    /// It may well be HTTP/2.
    pub(super) fn suspects(&self) -> bool {
        self.sight.suspects()
    }

    /// Where its frames begin, if it is HTTP/2.
    pub(super) fn begin(&self) -> Option<usize> {
        Some(self.before + self.sight.begin()?)
    }

    /// Bytes of memory kept, about.
    pub(super) fn weight(&self) -> usize {
        self.sight.weight() + self.frames.values().map(Finder::weight).sum::<usize>()
    }
}
