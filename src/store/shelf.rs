//! A list that grows at its end while others read it.
//!
//! Gets: values. Gives: copies of itself that cost one counter a chunk, and that never change
//! whatever is pushed later. Keeps: chunks of a fixed size behind [`Arc`]; a chunk that a copy still
//! looks at is copied once before it is changed.
//!
//! ```text
//!  writer  [ full ][ full ][ tail.. ]
//!             |       |       \ copied on the next push, if a snapshot holds it
//!  snapshot [ full ][ full ][ tail ]
//! ```

use std::sync::Arc;

/// Values in chunks of `N`.
#[derive(Debug)]
pub struct Shelf<T, const N: usize> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T, const N: usize> Clone for Shelf<T, N> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len }
    }
}

impl<T, const N: usize> Default for Shelf<T, N> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone, const N: usize> Shelf<T, N> {
    /// Puts a value at the end.
    pub fn push(&mut self, value: T) {
        if let Some(tail) = self.chunks.last_mut().filter(|chunk| chunk.len() < N) {
            owned::<T, N>(tail).push(value)
        } else {
            // A list of few values must not cost a whole chunk; a second chunk will be filled.
            let room = if self.chunks.is_empty() { 4 } else { N };
            let mut chunk = Vec::with_capacity(room.min(N));
            chunk.push(value);
            self.chunks.push(Arc::new(chunk));
        }
        self.len += 1;
    }

    /// Changes a value in place.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let chunk = self.chunks.get_mut(at / N)?;
        owned::<T, N>(chunk).get_mut(at % N)
    }
}

impl<T, const N: usize> Shelf<T, N> {
    /// How many.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// None at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / N)?.get(at % N)
    }

    /// All from `at` on.
    pub fn iter_from(&self, at: usize) -> impl Iterator<Item = &T> {
        self.chunks.iter().skip(at / N).flat_map(|chunk| chunk.iter()).skip(at % N)
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }

    /// Where the first value is for which `before` is false; all of those for which it is true must
    /// come first.
    pub fn partition_point(&self, before: impl Fn(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(&before) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// The chunk, copied first when a snapshot holds it too, with room to grow.
fn owned<T: Clone, const N: usize>(chunk: &mut Arc<Vec<T>>) -> &mut Vec<T> {
    if Arc::get_mut(chunk).is_none() {
        let mut copy = Vec::with_capacity(chunk.len().saturating_mul(2).clamp(4, N.max(4)));
        copy.extend_from_slice(chunk);
        *chunk = Arc::new(copy);
    }
    Arc::make_mut(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was_when_more_is_pushed_or_changed() {
        let mut shelf = Shelf::<u32, 4>::default();
        for n in 0..6 {
            shelf.push(n);
        }
        let copy = shelf.clone();
        shelf.push(6);
        *shelf.get_mut(5).unwrap() = 50;
        *shelf.get_mut(0).unwrap() = 10;
        assert_eq!(copy.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(shelf.iter().copied().collect::<Vec<_>>(), [10, 1, 2, 3, 4, 50, 6]);
        assert_eq!((copy.len(), shelf.len()), (6, 7));
    }

    #[test]
    fn values_are_found_by_place_and_by_order() {
        let mut shelf = Shelf::<u32, 4>::default();
        for n in 0..11 {
            shelf.push(n * 2);
        }
        assert_eq!(shelf.get(10), Some(&20));
        assert_eq!(shelf.get(11), None);
        assert_eq!(shelf.iter_from(9).copied().collect::<Vec<_>>(), [18, 20]);
        assert_eq!(shelf.partition_point(|n| *n < 9), 5);
        assert_eq!(shelf.partition_point(|n| *n < 100), 11);
    }
}
