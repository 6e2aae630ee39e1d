//! Heads of which the capture lacks a part.
//!
//! Gets: a leg. Gives: whether its request and its response are all there. What a head lacks that is
//! not whole may have been in it: nothing was removed on the way to it, nor added on the way from it.

use crate::diff::collect::Leg;
use crate::units::{Direction, PerDirection};

/// Is the head of each direction cut: read in part only?
pub(super) fn cut(leg: &Leg) -> PerDirection<bool> {
    leg.handshake.as_ref().map(|handshake| handshake.cut).unwrap_or_default()
}

/// The heads of one direction: whether the one it comes from and the one it goes to are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cuts {
    pub(super) from: bool,
    pub(super) to: bool,
}

impl Cuts {
    pub(super) fn of(client: &Leg, server: &Leg, dir: Direction) -> Self {
        let (client, server) = (cut(client)[dir], cut(server)[dir]);
        match dir {
            Direction::ToServer => Self { from: client, to: server },
            Direction::ToClient => Self { from: server, to: client },
        }
    }

    /// Can it be that a header is the same on both legs, though these lines are all that was read?
    pub(super) fn excuse(self, from: &[&[u8]], to: &[&[u8]]) -> bool {
        // Of a header in several lines some may be missing.
        let one_each = from.len() == 1 && to.len() == 1;
        match (from.is_empty(), to.is_empty()) {
            (true, _) => self.from,
            (false, true) => self.to,
            (false, false) => !one_each && (self.from || self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_from_a_cut_head_is_excused_and_what_differs_is_not() {
        let excused = |cuts: [bool; 2], from: &[&[u8]], to: &[&[u8]]| {
            Cuts { from: cuts[0], to: cuts[1] }.excuse(from, to)
        };
        assert!(excused([true, false], &[], &[b"a"]) && !excused([false, true], &[], &[b"a"]));
        assert!(excused([false, true], &[b"a"], &[]) && !excused([true, false], &[b"a"], &[]));
        assert!(!excused([true, true], &[b"a"], &[b"b"]));
        assert!(excused([true, false], &[b"a"], &[b"a", b"b"]));
        assert!(!excused([false, false], &[b"a"], &[b"a", b"b"]));
    }
}
