//! Both directions of a connection: which of them goes on, and when.
//!
//! A segment says what its sender had received when it was sent. What that was comes out before the
//! segment's own bytes, so that an answer never comes before its request, even where the capture has
//! them the wrong way round; where both could go on, the order is that of the capture.
//!
//! ```text
//!   half  ----|####|  sent when `heard` was ->|
//!   peer  ------------|..hole..|####|---------|      half waits, peer fills its hole or gives it up
//! ```

use std::ops::ControlFlow;

use super::half::{Half, Turn};
use super::{Side, StreamEvent};
use crate::limits::Limits;
use crate::units::{Origin, PacketNo};

/// Where the events of both directions go.
pub(super) type Give<'a> = &'a mut dyn FnMut(Side, StreamEvent<'_>) -> ControlFlow<()>;

/// Both directions; `side` is the sender of `half`.
pub(super) struct Turns<'a> {
    pub(super) half: &'a mut Half,
    pub(super) peer: &'a mut Half,
    pub(super) side: Side,
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Half,
    Peer,
}

impl Turns<'_> {
    /// After each segment: hands on what may go on, and gives up holes that nothing fills.
    pub(super) fn go_on(
        &mut self,
        now: Origin,
        limits: &Limits,
        give: Give<'_>,
    ) -> ControlFlow<()> {
        self.half.tick(now);
        self.peer.tick(now);
        loop {
            self.hand_on(Some(now.packet), give)?;
            let mut moved = false;
            for which in [Which::Half, Which::Peer] {
                let (half, side) = self.get(which);
                let own = &mut |event: StreamEvent<'_>| give(side, event);
                moved |= half.give_up_if_due(now, limits, own)?;
                if !moved && half.is_full(limits) {
                    // No hole: it waits for the other direction, and has waited long enough.
                    half.hand_on(own)?;
                    moved = true;
                }
            }
            if !moved {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Hands on all that is held, as if no hole were ever to be filled.
    pub(super) fn shed(&mut self, now: Origin, give: Give<'_>) -> ControlFlow<()> {
        self.hand_on(None, give)?;
        while self.half.first_held().or(self.peer.first_held()).is_some() {
            if !self.give_up_first(now, Half::hole, give)? {
                break;
            }
            self.hand_on(None, give)?;
        }
        ControlFlow::Continue(())
    }

    /// The connection is over: every hole is a gap.
    pub(super) fn flush(&mut self, now: Origin, give: Give<'_>) -> ControlFlow<()> {
        loop {
            self.hand_on(None, give)?;
            if !self.give_up_first(now, Half::hole, give)?
                && !self.give_up_first(now, Half::hole_before_fin, give)?
            {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Gives up one hole: the one that has stood longest of those that something waits behind.
    fn give_up_first(
        &mut self,
        now: Origin,
        hole: impl Fn(&Half) -> Option<u64>,
        give: Give<'_>,
    ) -> ControlFlow<(), bool> {
        let behind = |half: &Half| half.first_held().unwrap_or(PacketNo(u64::MAX));
        let which = match (hole(self.half), hole(self.peer)) {
            (None, None) => return ControlFlow::Continue(false),
            (Some(_), None) => Which::Half,
            (Some(_), Some(_)) if behind(self.half) <= behind(self.peer) => Which::Half,
            (_, Some(_)) => Which::Peer,
        };
        let (half, side) = self.get(which);
        if let Some(len) = hole(half) {
            half.give_up(now, len, &mut |event| give(side, event))?;
        }
        ControlFlow::Continue(true)
    }

    /// Both directions take turns, packet by packet, as far as they may. `latest`: the last packet of the
    /// connection so far; `None` when no other is waited for.
    fn hand_on(&mut self, latest: Option<PacketNo>, give: Give<'_>) -> ControlFlow<()> {
        while let Some(which) = self.next(latest) {
            let (half, side) = self.get(which);
            half.hand_on(&mut |event| give(side, event))?;
        }
        ControlFlow::Continue(())
    }

    /// Whose turn it is.
    fn next(&self, latest: Option<PacketNo>) -> Option<Which> {
        let (mine, theirs) = (self.half.turn(), self.peer.turn());
        let may = |turn: Option<Turn>, other: &Half| {
            // A FIN that acknowledges the other side's is behind it, and that may be in the next packet.
            turn.filter(|turn| other.covers(turn.heard)).is_some_and(|turn| {
                !turn.fin || turn.answers_all(other) || latest != Some(turn.packet)
            })
        };
        let (mine_may, theirs_may) = (may(mine, self.peer), may(theirs, self.half));
        let by_packet = || {
            let (mine, theirs) = mine.zip(theirs)?;
            Some(if theirs.packet < mine.packet { Which::Peer } else { Which::Half })
        };
        match (mine_may, theirs_may) {
            (true, false) => Some(Which::Half),
            (false, true) => Some(Which::Peer),
            (true, true) => {
                let all = |turn: Option<Turn>, other| turn.is_some_and(|t| t.answers_all(other));
                match (all(mine, self.peer), all(theirs, self.half)) {
                    (true, false) => Some(Which::Half),
                    (false, true) => Some(Which::Peer),
                    _ => by_packet(),
                }
            }
            // Each says that it heard the other first: that is no TCP, but it must not stop here.
            (false, false) => by_packet(),
        }
    }

    fn get(&mut self, which: Which) -> (&mut Half, Side) {
        match which {
            Which::Half => (self.half, self.side),
            Which::Peer => (self.peer, self.side.flip()),
        }
    }
}
