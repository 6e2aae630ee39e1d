//! Two sequences laid beside each other.
//!
//! Gets: a key for each item of both sides. Gives: which items are the same, in an order that both
//! sides have ([`common`]). Keeps: one table of at most [`TABLE`] cells.
//!
//! Long sequences are cut at keys that occur once on each side (patience), the pieces are aligned
//! by longest common subsequence, and what is left over that is still too long by the same in a window that
//! moves along. So the cost is bounded whatever a stranger sends.

use std::collections::HashMap;
use std::hash::Hash;

/// Indices of the items that both sides share, increasing on both.
pub fn common<K: Eq + Hash + Copy>(a: &[K], b: &[K]) -> Vec<(usize, usize)> {
    let mut out = Vec::with_capacity(a.len().min(b.len()));
    piece(a, b, (0, 0), PATIENCE_DEPTH, &mut out);
    out
}

fn piece<K: Eq + Hash + Copy>(
    mut a: &[K],
    mut b: &[K],
    mut base: (usize, usize),
    depth: u32,
    out: &mut Vec<(usize, usize)>,
) {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    out.extend((0..prefix).map(|i| (base.0 + i, base.1 + i)));
    a = a.get(prefix..).unwrap_or_default();
    b = b.get(prefix..).unwrap_or_default();
    base = (base.0 + prefix, base.1 + prefix);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a_end, b_end) = (a.len() - suffix, b.len() - suffix);
    a = a.get(..a_end).unwrap_or_default();
    b = b.get(..b_end).unwrap_or_default();
    if !a.is_empty() && !b.is_empty() {
        middle(a, b, base, depth, out);
    }
    out.extend((0..suffix).map(|i| (base.0 + a_end + i, base.1 + b_end + i)));
}

fn middle<K: Eq + Hash + Copy>(
    a: &[K],
    b: &[K],
    base: (usize, usize),
    depth: u32,
    out: &mut Vec<(usize, usize)>,
) {
    if a.len().checked_mul(b.len()).is_some_and(|cells| cells <= TABLE) {
        table(a, b, base, out);
        return;
    }
    let anchors = if depth == 0 { Vec::new() } else { anchors(a, b) };
    if anchors.is_empty() {
        windows(a, b, base, out);
        return;
    }
    let (mut i, mut j) = (0, 0);
    for (x, y) in anchors.into_iter().chain([(a.len(), b.len())]) {
        let (left, right) = (a.get(i..x).unwrap_or_default(), b.get(j..y).unwrap_or_default());
        piece(left, right, (base.0 + i, base.1 + j), depth - 1, out);
        if x < a.len() {
            out.push((base.0 + x, base.1 + y));
        }
        (i, j) = (x + 1, y + 1);
    }
}

/// The longest run, increasing on both sides, of keys that occur once on each.
fn anchors<K: Eq + Hash + Copy>(a: &[K], b: &[K]) -> Vec<(usize, usize)> {
    #[derive(Default)]
    struct Seen {
        a: Option<usize>,
        b: Option<usize>,
        often: bool,
    }
    let mut seen: HashMap<K, Seen, foldhash::fast::RandomState> = HashMap::default();
    for (i, key) in a.iter().enumerate() {
        let entry = seen.entry(*key).or_default();
        entry.often |= entry.a.replace(i).is_some();
    }
    for (j, key) in b.iter().enumerate() {
        let entry = seen.entry(*key).or_default();
        entry.often |= entry.b.replace(j).is_some();
    }
    let mut once: Vec<(usize, usize)> =
        seen.into_values().filter(|s| !s.often).filter_map(|s| Some((s.a?, s.b?))).collect();
    once.sort_unstable();
    longest_increasing(&once)
}

/// Of pairs sorted by the first, the longest subsequence that also increases in the second.
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // tails[n]: index of the smallest end of an increasing run of n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: usize| pairs.get(at).map_or(0, |p| p.1);
    for (at, pair) in pairs.iter().enumerate() {
        let n = tails.partition_point(|&t| second(t) < pair.1);
        before.push(n.checked_sub(1).and_then(|n| tails.get(n).copied()));
        match tails.get_mut(n) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut run = Vec::with_capacity(tails.len());
    let mut at = tails.last().copied();
    while let Some(here) = at {
        run.extend(pairs.get(here).copied());
        at = before.get(here).copied().flatten();
    }
    run.reverse();
    run
}

/// Longest common subsequence by the textbook table.
fn table<K: Eq>(a: &[K], b: &[K], base: (usize, usize), out: &mut Vec<(usize, usize)>) {
    let width = b.len() + 1;
    // cells[i * width + j]: length of the longest common subsequence of a[i..] and b[j..].
    let mut cells = vec![0_u32; (a.len() + 1) * width];
    let get = |cells: &[u32], i: usize, j: usize| cells.get(i * width + j).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            let best = if x == y {
                get(&cells, i + 1, j + 1) + 1
            } else {
                get(&cells, i + 1, j).max(get(&cells, i, j + 1))
            };
            if let Some(cell) = cells.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x == y {
            out.push((base.0 + i, base.1 + j));
            (i, j) = (i + 1, j + 1);
        } else if get(&cells, i + 1, j) >= get(&cells, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// The textbook table over a window that moves along both: of each, the half that what follows does not
/// change is kept.
fn windows<K: Eq>(a: &[K], b: &[K], base: (usize, usize), out: &mut Vec<(usize, usize)>) {
    const HALF: usize = WINDOW / 2;
    let (mut from, mut to) = (0, 0);
    let mut pairs = Vec::new();
    while from < a.len() && to < b.len() {
        let ends = ((from + WINDOW).min(a.len()), (to + WINDOW).min(b.len()));
        let (Some(left), Some(right)) = (a.get(from..ends.0), b.get(to..ends.1)) else { return };
        pairs.clear();
        table(left, right, (0, 0), &mut pairs);
        let last = ends == (a.len(), b.len());
        let kept = pairs.partition_point(|&(i, j)| last || i < HALF && j < HALF);
        let kept = pairs.get(..kept).unwrap_or_default();
        out.extend(kept.iter().map(|&(i, j)| (base.0 + from + i, base.1 + to + j)));
        let step = match kept.last() {
            _ if last => return,
            // Smaller steps would make it slow for who wants that.
            Some(&(i, j)) if i.max(j) >= HALF / 2 => (i + 1, j + 1),
            _ => (HALF, HALF),
        };
        (from, to) = (from + step.0, to + step.1);
    }
}

/// Cells of the table of one piece: a megabyte.
const TABLE: usize = 1 << 18;
/// How often a piece is cut at unique keys again.
const PATIENCE_DEPTH: u32 = 8;
/// Items of either side looked at together where nothing else helps.
const WINDOW: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(a: &str, b: &str) -> Vec<(usize, usize)> {
        common(a.as_bytes(), b.as_bytes())
    }

    #[test]
    fn one_lost_in_the_middle() {
        assert_eq!(pairs("abcd", "abd"), [(0, 0), (1, 1), (3, 2)]);
    }

    #[test]
    fn one_swapped_pair_loses_one_of_the_two() {
        assert_eq!(pairs("axyb", "ayxb").len(), 3);
    }

    #[test]
    fn nothing_in_common() {
        assert_eq!(pairs("abc", "xyz"), []);
        assert_eq!(pairs("", "xyz"), []);
    }

    #[test]
    fn long_sequence_of_unique_keys_with_one_loss_and_one_move() {
        let a: Vec<u32> = (0..5000).collect();
        let mut b = a.clone();
        b.remove(2500);
        let moved = b.remove(100);
        b.insert(4000, moved);
        assert_eq!(common(&a, &b).len(), 4998);
    }

    #[test]
    fn long_sequence_of_few_keys_stays_cheap() {
        let a: Vec<u8> = (0..100_000_u32).map(|i| u8::from(i % 3 == 0)).collect();
        let b: Vec<u8> = (0..100_000_u32).map(|i| u8::from(i % 5 == 0)).collect();
        assert!(common(&a, &b).len() > 50_000);
    }

    #[test]
    fn long_sequence_of_two_keys_that_lost_some_is_found_nearly_whole() {
        let a: Vec<u8> = (0..20_000_u32).map(|i| u8::from(i % 2 == 0)).collect();
        let b: Vec<u8> =
            a.iter().enumerate().filter(|(i, _)| i % 5 != 3).map(|(_, &x)| x).collect();
        assert!(common(&a, &b).len() > b.len() * 99 / 100);
    }

    proptest! {
        #[test]
        fn pairs_increase_and_hold_equal_keys(
            a in prop::collection::vec(0_u8..6, 0..60),
            b in prop::collection::vec(0_u8..6, 0..60),
        ) {
            let pairs = common(&a, &b);
            prop_assert!(pairs.iter().all(|&(i, j)| a[i] == b[j]));
            prop_assert!(pairs.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1));
        }

        #[test]
        fn what_is_left_of_a_sequence_is_found_whole(
            a in prop::collection::vec(0_u16..1000, 0..1500),
            keep in prop::collection::vec(any::<bool>(), 1500),
        ) {
            let unique: std::collections::BTreeSet<u16> = a.into_iter().collect();
            let a: Vec<u16> = unique.into_iter().collect();
            let b: Vec<u16> =
                a.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(x, _)| *x).collect();
            prop_assert_eq!(common(&a, &b).len(), b.len());
        }
    }
}
