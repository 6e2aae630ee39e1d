//! Times of two captures brought together.
//!
//! Gets: the facts of all legs. Gives: an [`Axis`] on which starts and answers of all legs can be
//! compared: packet numbers in one capture, which no jump of a clock disturbs; times corrected by the
//! estimated offset of the second clock in two.
//!
//! The offset is estimated as NTP does it: a proxied handshake on the server side lies within the one
//! on the client side, so each leaves an interval in which the offset must be.

use std::collections::HashMap;

use super::facts::Facts;
use crate::units::{Origin, Timestamp};

/// How much the second capture's clock is ahead of the first's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Nanoseconds that the server side's clock is ahead; negative when it is behind.
    pub server_ahead_ns: i64,
    /// The true offset is at most this far from it, when every handshake was truly proxied.
    pub uncertainty_ns: i64,
    /// Handshakes that it was estimated from.
    pub handshakes: usize,
}

/// Where packets of all captures can be compared.
#[derive(Debug)]
pub(super) enum Axis {
    /// One capture: the order of its packets.
    Packets,
    /// Two captures with their clocks brought together.
    Times(ClockOffset),
    /// Two captures whose clocks nothing brings together.
    Apart,
}

impl Axis {
    pub(super) fn of(facts: &[Facts<'_>], captures: usize) -> Self {
        if captures <= 1 {
            return Self::Packets;
        }
        estimate(facts).map_or(Self::Apart, Self::Times)
    }

    pub(super) fn clock(&self) -> Option<ClockOffset> {
        match self {
            Self::Times(clock) => Some(*clock),
            Self::Packets | Self::Apart => None,
        }
    }

    /// Where a packet of a leg is; comparable for two legs unless [`Axis::Apart`].
    pub(super) fn at(&self, facts: &Facts<'_>, origin: Origin) -> Option<i64> {
        match self {
            Self::Packets => i64::try_from(origin.packet.place()).ok(),
            Self::Times(clock) if facts.leg.capture > 0 => {
                Some(origin.time?.0.saturating_sub(clock.server_ahead_ns))
            }
            Self::Times(_) => Some(origin.time?.0),
            Self::Apart => Some(0),
        }
    }

    pub(super) fn start(&self, facts: &Facts<'_>) -> Option<i64> {
        self.at(facts, facts.start?)
    }

    pub(super) fn answered(&self, facts: &Facts<'_>) -> Option<i64> {
        self.at(facts, facts.answered?)
    }

    /// How far two places may be in the wrong order and still be right.
    pub(super) fn slack(&self) -> i64 {
        match self {
            Self::Packets | Self::Apart => 0,
            Self::Times(clock) => {
                clock.uncertainty_ns.saturating_add(JITTER).clamp(JITTER, MOST_SLACK)
            }
        }
    }

    /// Is the second place before the first by more than slack; `None` when that can not be told.
    pub(super) fn before(&self, same_capture: bool, first: i64, second: i64) -> bool {
        let slack = if same_capture { 0 } else { self.slack() };
        second < first.saturating_sub(slack)
    }

    /// Until where a server leg of this client leg may start.
    pub(super) fn window(&self, facts: &Facts<'_>) -> i64 {
        let end = self
            .answered(facts)
            .or_else(|| facts.leg.end.as_ref().and_then(|end| self.at(facts, end.origin)));
        match self {
            Self::Packets => end.map_or(i64::MAX, |end| end.saturating_add(PACKETS_BEHIND)),
            Self::Times(_) => {
                end.map_or(i64::MAX, |end| end.saturating_add(BEHIND).saturating_add(self.slack()))
            }
            Self::Apart => i64::MAX,
        }
    }
}

/// Interval in which the offset must be, from one handshake on both sides.
fn interval(near: &Facts<'_>, far: &Facts<'_>) -> Option<(i64, i64)> {
    let time = |origin: Option<Origin>| -> Option<Timestamp> { origin?.time };
    let (asked, answered) = (time(near.start)?, time(near.answered)?);
    let (far_asked, far_answered) = (time(far.start)?, time(far.answered)?);
    // near.asked + offset <= far.asked, far.answered <= near.answered + offset
    Some((far_answered.since(answered), far_asked.since(asked)))
}

/// What a leg may have in common with its other side.
type Way<'a> = &'a dyn Fn(&Facts<'_>) -> Option<Vec<u8>>;

fn estimate(facts: &[Facts<'_>]) -> Option<ClockOffset> {
    let by_key = |f: &Facts<'_>| f.key.map(<[u8]>::to_vec);
    let by_content = |f: &Facts<'_>| {
        let hashes = [&f.data.to_server, &f.data.to_client];
        let bytes: Vec<u8> = hashes
            .iter()
            .flat_map(|list| list.iter().filter_map(|m| m.hash))
            .flat_map(|hash| hash.0.to_be_bytes())
            .collect();
        (!bytes.is_empty()).then_some(bytes)
    };
    let by_path = |f: &Facts<'_>| {
        (!f.path.is_empty()).then(|| super::facts::last_segment(f.path).as_bytes().to_vec())
    };
    let ways: [Way<'_>; 3] = [&by_key, &by_content, &by_path];
    ways.iter()
        .map(|way| unique_on_both_sides(facts, way))
        .find_map(|intervals| agree(&intervals))
        .or_else(|| agree(&in_turn(facts)))
}

fn unique_on_both_sides(facts: &[Facts<'_>], way: Way<'_>) -> Vec<(i64, i64)> {
    let mut sides: HashMap<Vec<u8>, [Vec<usize>; 2], foldhash::fast::RandomState> =
        HashMap::default();
    for (at, fact) in facts.iter().enumerate() {
        let Some(mark) = way(fact) else { continue };
        let side = usize::from(fact.leg.capture > 0);
        if let Some(list) = sides.entry(mark).or_default().get_mut(side) {
            list.push(at);
        }
    }
    let lone = sides.into_values().filter_map(|[near, far]| match (&*near, &*far) {
        ([near], [far]) => interval(facts.get(*near)?, facts.get(*far)?),
        _ => None,
    });
    lone.collect()
}

/// As many on one side as on the other: presumed to be the same, in turn.
fn in_turn(facts: &[Facts<'_>]) -> Vec<(i64, i64)> {
    let side = |far: bool| {
        let mut list: Vec<&Facts<'_>> =
            facts.iter().filter(|f| (f.leg.capture > 0) == far && f.start.is_some()).collect();
        list.sort_by_key(|f| f.start.map(|o| o.packet));
        list
    };
    let (near, far) = (side(false), side(true));
    if near.len() != far.len() {
        return Vec::new();
    }
    near.iter().zip(far).filter_map(|(near, far)| interval(near, far)).collect()
}

/// The offset that most intervals allow: a client that used a key twice must not decide.
fn agree(intervals: &[(i64, i64)]) -> Option<ClockOffset> {
    let mut edges: Vec<(i64, i8)> = Vec::new();
    for &(low, high) in intervals.iter().filter(|(low, high)| low <= high) {
        edges.push((low, -1));
        edges.push((high, 1));
    }
    edges.sort_unstable();
    let (mut depth, mut deepest, mut at) = (0_usize, 0_usize, None);
    for (n, &(place, kind)) in edges.iter().enumerate() {
        if kind < 0 {
            depth += 1;
            if depth > deepest {
                deepest = depth;
                at = Some((place, edges.get(n + 1).map_or(place, |next| next.0)));
            }
        } else {
            depth = depth.saturating_sub(1);
        }
    }
    let (low, high) = at?;
    let half = high.saturating_sub(low) / 2;
    Some(ClockOffset {
        server_ahead_ns: low.saturating_add(half),
        uncertainty_ns: half,
        handshakes: deepest,
    })
}

/// A proxy that answers before it asks its upstream does so at once.
pub(super) const BEHIND: i64 = 1_000_000_000;
/// The same, in packets.
const PACKETS_BEHIND: i64 = 64;
/// How much clocks wander and capture points differ.
const JITTER: i64 = 2_000_000;
/// An uncertain offset must not make everything possible.
const MOST_SLACK: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_is_in_the_middle_of_what_all_handshakes_allow() {
        let clock = agree(&[(100, 200), (150, 400), (140, 170)]).unwrap();
        assert_eq!((clock.server_ahead_ns, clock.uncertainty_ns, clock.handshakes), (160, 10, 3));
    }

    #[test]
    fn one_handshake_that_disagrees_does_not_decide() {
        let clock = agree(&[(-9000, -8000), (100, 200), (150, 400)]).unwrap();
        assert_eq!((clock.server_ahead_ns, clock.handshakes), (175, 2));
    }

    #[test]
    fn without_handshakes_there_is_no_offset() {
        assert_eq!(agree(&[]), None);
        assert_eq!(agree(&[(5, 4)]), None);
    }
}
