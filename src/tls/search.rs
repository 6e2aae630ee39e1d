//! Where records go on behind a gap: where one opens, which no other bytes do.
//!
//! Gets: the bytes behind the gap. Gives: the place and number of the next record, and how much
//! plaintext is missing. Keeps: at most one candidate record.

use std::mem;
use std::ops::ControlFlow;

use super::Output;
use super::common::{Common, Epoch, TRAFFIC};
use super::half::{Cx, Half, Missing, Step, Went};
use super::record::{self, HEADER, Header};
use crate::units::Origin;

/// Bytes that may be tried in vain for one direction: about a second's work. Some thousand small records
/// may be lost in one gap and still be counted.
const WORK: u64 = 512 << 20;

/// What is tried for a record besides its bytes: setting up counts as much as so many.
const TRY: u64 = 64;

/// A search that goes on.
#[derive(Debug)]
pub(super) struct Search {
    /// The packet at which the gap became certain.
    pub(super) origin: Origin,
    /// Bytes from the last known border of records to the ones that are searched.
    pub(super) distance: u64,
    snapped: bool,
}

/// A record that was found.
struct Found {
    at: usize,
    epoch: Epoch,
    seq: u64,
}

impl Search {
    pub(super) const fn new(origin: Origin, distance: u64, snapped: bool) -> Self {
        Self { origin, distance, snapped }
    }
}

impl Half {
    /// Looks for a record in what is at hand.
    pub(super) fn search(&mut self, cx: &mut Cx<'_, impl Output>) -> ControlFlow<(), Went> {
        let Step::Searching(Search { origin, .. }) = self.step else {
            return ControlFlow::Continue(Went::On);
        };
        if self.buf.is_empty() {
            return ControlFlow::Continue(Went::On);
        }
        if cx.common.server_hello.is_none() {
            // The other side's hello may still come; what this side lost never does.
            let lost = cx.common.client != Some(self.side);
            if lost {
                self.give_up(cx, origin);
                return ControlFlow::Continue(Went::On);
            }
            return ControlFlow::Continue(self.wait(cx, origin, true));
        }
        if !cx.may_give {
            return ControlFlow::Continue(Went::Blocked);
        }
        let epochs = self.epochs(cx.common);
        let known: Vec<Epoch> =
            epochs.into_iter().filter(|epoch| self.prepare(cx.common, *epoch)).collect();
        if known.is_empty() {
            return ControlFlow::Continue(self.wait(cx, origin, false));
        }
        let buf = mem::take(&mut self.buf);
        let (found, looked) = self.look(&buf, &known, cx.common.is_tls13());
        self.buf = buf;
        let Step::Searching(search) = &mut self.step else {
            return ControlFlow::Continue(Went::On);
        };
        let from = found.as_ref().map_or(looked, |found| found.at);
        search.distance = search.distance.saturating_add(from as u64);
        self.buf.drain(..from.min(self.buf.len()));
        if let Some(found) = found {
            return self.resume(cx, &found).map_continue(|()| Went::On);
        }
        if self.work > WORK {
            self.give_up(cx, origin);
        }
        ControlFlow::Continue(Went::On)
    }

    /// The epochs that a record behind the gap may be of.
    fn epochs(&self, common: &Common) -> Vec<Epoch> {
        if !self.sealed {
            let first = self.first_epoch(common);
            return if common.is_tls13() { (first..=TRAFFIC).collect() } else { vec![first] };
        }
        self.candidates(common).map(|(epoch, _)| epoch).collect()
    }

    /// Finds a record that opens; or tells how many bytes need not be looked at again.
    fn look(&mut self, buf: &[u8], epochs: &[Epoch], tls13: bool) -> (Option<Found>, usize) {
        let Step::Searching(Search { distance, .. }) = self.step else { return (None, 0) };
        let mut at = 0;
        while let Some(rest) = buf.get(at..).filter(|rest| rest.len() >= HEADER) {
            if self.work > WORK {
                return (None, buf.len());
            }
            let header = Header::new(rest).filter(|header| is_likely(*header, tls13));
            let Some(header) = header else {
                at += 1;
                continue;
            };
            let Some(content) = rest.get(HEADER..header.whole()) else { return (None, at) };
            let lost = distance + at as u64;
            for epoch in epochs {
                let least = self.opener(*epoch).map_or(1, super::cipher::Opener::least);
                if content.len() < least {
                    continue;
                }
                let begin = if self.sealed && *epoch == self.epoch { self.seq } else { 0 };
                let most = lost / (HEADER + least) as u64;
                for seq in begin..=begin.saturating_add(most) {
                    if self.open(*epoch, header, content, seq).is_some() {
                        return (Some(Found { at, epoch: *epoch, seq }), at);
                    }
                    self.work += content.len() as u64 + TRY;
                    if self.work > WORK {
                        break;
                    }
                }
            }
            at += 1;
        }
        (None, at)
    }

    /// Goes on from a record that was found, behind what is missing.
    fn resume(&mut self, cx: &mut Cx<'_, impl Output>, found: &Found) -> ControlFlow<()> {
        let Step::Searching(Search { origin, distance, snapped }) =
            mem::replace(&mut self.step, Step::Reading)
        else {
            return ControlFlow::Continue(());
        };
        let Found { epoch, seq, .. } = *found;
        let tls13 = cx.common.is_tls13();
        let (same, before) = (self.sealed && epoch == self.epoch, self.epoch);
        let opener = self.opener(epoch);
        let overhead = opener.and_then(super::cipher::Opener::overhead);
        let each = HEADER + overhead.or(opener.map(super::cipher::Opener::least)).unwrap_or(0);
        // All records that are missing are of this epoch, but for what stands between two.
        let (lost, between) = match (same, tls13) {
            (true, _) => (seq - self.seq, 0),
            (false, true) if self.sealed && before >= TRAFFIC => (seq, KEY_UPDATE),
            (false, _) => (seq, 0),
        };
        // In TLS 1.2 the first record under new keys is Finished.
        let exact = same && overhead.is_some() && !self.pads && (tls13 || self.seq > 0);
        let data = if tls13 { epoch >= TRAFFIC } else { same || lost > 1 };
        let any = lost > 0 || between > 0;
        let len = distance.saturating_sub(lost.saturating_mul(each as u64) + between);
        self.sealed = true;
        self.enter(epoch, seq);
        self.lost_messages();
        if !data || !any || len == 0 {
            return ControlFlow::Continue(());
        }
        cx.gap(self.side, Missing { origin, len, snapped, exact })
    }
}

/// Bytes of a KeyUpdate's record: header, message, content type, tag.
const KEY_UPDATE: u64 = 5 + 5 + 1 + 16;

/// Can it be a header of a protected record.
const fn is_likely(header: Header, tls13: bool) -> bool {
    let kind = if tls13 {
        header.kind == record::APPLICATION_DATA
    } else {
        matches!(header.kind, record::ALERT..=record::APPLICATION_DATA)
    };
    // RFC 8446 section 5.1: 0x0303 in all records but perhaps the first, which is in the clear.
    kind && header.len > 0 && (!tls13 || header.version == 0x0303)
}
