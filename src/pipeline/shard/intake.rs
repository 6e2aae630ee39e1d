//! Packets read ahead and dealt out, in batches: the segments of each part of the connections.
//!
//! Gets: [`PacketRecord`]s. Gives: a [`Load`] for each part, and with the [`Batch`] the order in which
//! their segments came. Keeps: incomplete IP datagrams, totals, one batch.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;

use crate::capture::PacketRecord;
use crate::flow::{FlowKey, PARTS};
use crate::limits::Limits;
use crate::packet::{Decoded, Decoder};
use crate::pipeline::Totals;
use crate::units::{Origin, Timestamp};

use super::Sizes;
use super::load::Load;

/// Something to be done before the events of the next packet are handed on.
type Call = Box<dyn FnOnce() + Send>;

/// In which order the segments of a batch came.
#[derive(Default)]
pub(super) struct Batch {
    /// The part of each segment; [`Batch::CALL`]: a call.
    pub(super) order: Vec<u8>,
    pub(super) calls: VecDeque<Call>,
    pub(super) ahead: Ahead,
}

impl Batch {
    /// No part has that number.
    pub(super) const CALL: u8 = u8::MAX;
}

/// What is known before the events of a batch are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ahead {
    /// Packets read so far, those of the batch too.
    pub packets: u64,
    /// The time of the capture's first packet, when that is in the batch.
    pub first: Option<Option<Timestamp>>,
}

/// Takes the packets that are read.
pub struct Intake {
    decoder: Decoder,
    totals: Totals,
    last: Origin,
    batch: Batch,
    loads: Vec<Load>,
    bytes: usize,
    /// Packets at which the batch is full.
    full: u64,
    sizes: Sizes,
}

impl Intake {
    fn new(limits: &Limits, sizes: Sizes) -> Self {
        Self {
            decoder: Decoder::new(limits),
            totals: Totals::default(),
            last: Origin::default(),
            batch: Batch::default(),
            loads: fresh(&mut Vec::new()),
            bytes: 0,
            full: PACKETS,
            sizes,
        }
    }

    /// Takes the next packet.
    pub fn packet(&mut self, record: &PacketRecord<'_>) {
        if self.totals.packets == 0 {
            self.batch.ahead.first = Some(record.time);
        }
        self.totals.count(record);
        self.last = Origin { packet: record.no, time: record.time };
        if let Decoded::Segment(segment) = self.decoder.decode(record) {
            let part = FlowKey::new(&segment.src, &segment.dst).0.spread(PARTS);
            if let Some(load) = self.loads.get_mut(part) {
                load.push(&segment);
                self.bytes += segment.payload.len();
                self.batch.order.push(u8::try_from(part).unwrap_or(Batch::CALL));
            }
        }
    }

    /// Calls this when the events of all packets before have been handed on, and those of the next one
    /// have not.
    pub fn call(&mut self, call: impl FnOnce() + Send + 'static) {
        self.batch.calls.push_back(Box::new(call));
        self.batch.order.push(Batch::CALL);
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.sizes.batch_bytes
            || self.batch.order.len() >= self.sizes.batch_segments
            || self.totals.packets >= self.full
    }

    /// The last packet, and what was seen in all; TCP connections and what they carry are not counted
    /// here.
    pub(super) fn finish(self) -> (Origin, Totals) {
        let skipped = self.decoder.skipped().collect();
        (self.last, Totals { skipped, ..self.totals })
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("totals", &self.totals).finish_non_exhaustive()
    }
}

/// Reads batches.
pub(super) struct Reader<F> {
    fetch: F,
    pub(super) intake: Intake,
    ended: bool,
    spare: Vec<Load>,
}

impl<F: FnMut(&mut Intake) -> ControlFlow<()>> Reader<F> {
    pub(super) fn new(fetch: F, limits: &Limits, sizes: Sizes) -> Self {
        Self { fetch, intake: Intake::new(limits, sizes), ended: false, spare: Vec::new() }
    }

    /// Reads until the batch is full, or everything is read.
    pub(super) fn read(&mut self) {
        while !self.intake.is_full() {
            if (self.fetch)(&mut self.intake).is_break() {
                self.ended = true;
                break;
            }
        }
    }
}

impl<F> Reader<F> {
    /// Takes empty buffers to be used again.
    pub(super) fn lend(&mut self, spare: &mut Vec<Load>) {
        self.spare.append(spare);
    }

    /// The batch, what it brings to each part, and whether it is the last one.
    pub(super) fn take(&mut self) -> (Batch, Vec<Load>, bool) {
        let intake = &mut self.intake;
        intake.bytes = 0;
        intake.full = intake.totals.packets.saturating_add(PACKETS);
        let mut batch = std::mem::take(&mut intake.batch);
        batch.ahead.packets = intake.totals.packets;
        let loads = std::mem::replace(&mut intake.loads, fresh(&mut self.spare));
        (batch, loads, self.ended)
    }
}

/// A batch is full after so many packets, whatever they were.
const PACKETS: u64 = 1 << 14;

/// An empty load for each part.
fn fresh(spare: &mut Vec<Load>) -> Vec<Load> {
    (0..PARTS).map(|_| spare.pop().unwrap_or_default()).collect()
}
