//! Notes of one event, bounded.
//!
//! Gets: notes, as many as there are. Gives: the first ones, and how many more there were. Keeps: what
//! fits the budget.

use super::Note;
use crate::units::Count;

/// Notes, bounded: what is over the budget is counted, and the count told in the last.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    list: Vec<Note>,
    over: u64,
    /// How many of those the last note tells of already, and the length of its text without that.
    told: (u64, usize),
}

impl Notes {
    /// Adds one, or counts it.
    pub fn push(&mut self, note: Note, budget: usize) {
        self.push_with(budget, || note);
    }

    /// Adds one that is made only where there is room for it.
    pub fn push_with(&mut self, budget: usize, note: impl FnOnce() -> Note) {
        if self.list.len() < budget.max(1) {
            self.list.push(note());
        } else {
            self.over += 1;
        }
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &mut Self, budget: usize) {
        if self.list.is_empty() && self.over == 0 {
            std::mem::swap(self, other);
            return;
        }
        other.untell();
        self.over += std::mem::take(&mut other.over);
        for note in other.list.drain(..) {
            self.push(note, budget);
        }
    }

    /// All there are; the last says how many more there were.
    pub fn close(&mut self) -> &[Note] {
        let (told, len) = self.told;
        if self.over > told
            && let Some(last) = self.list.last_mut()
        {
            let text = if told > 0 { last.text.get(..len) } else { None }.unwrap_or(&last.text);
            self.told = (self.over, text.len());
            last.text = format!("{text} (and {} more)", Count(self.over, "note")).into();
        }
        &self.list
    }

    /// The same, to keep.
    pub fn into_vec(mut self) -> Vec<Note> {
        self.close();
        self.list
    }

    /// Bytes of memory that [`Self::shed`] gives back, about.
    pub const fn weight(&self) -> usize {
        /// A text, and the allocator's part.
        const TEXT: usize = 160;
        match self.list.len().checked_sub(Self::FEW) {
            Some(more) => more.saturating_mul(size_of::<Note>() + TEXT),
            None => 0,
        }
    }

    /// Takes the count out of the last text: others follow.
    fn untell(&mut self) {
        let (told, len) = std::mem::take(&mut self.told);
        if told > 0
            && let Some(last) = self.list.last_mut()
            && let Some(text) = last.text.get(..len)
        {
            last.text = text.to_owned().into();
        }
    }

    /// Keeps the first few, and counts the others.
    pub fn shed(&mut self) {
        self.untell();
        self.over += self.list.len().saturating_sub(Self::FEW) as u64;
        self.list.truncate(Self::FEW);
        self.list.shrink_to_fit();
    }

    /// Notes that are always kept.
    const FEW: usize = 4;

    /// None were made.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Blame, NoteCode};

    #[test]
    fn notes_over_the_budget_are_counted() {
        let note = |text: String| Note::new(NoteCode::MaskZero, Blame::Client, text);
        let mut notes = Notes::default();
        for i in 0..5 {
            notes.push(note(format!("note {i}")), 2);
        }
        let mut more = notes.clone();
        notes.append(&mut more, 2);
        let texts: Vec<&str> = notes.close().iter().map(|n| &*n.text).collect();
        assert_eq!(texts, ["note 0", "note 1 (and 8 notes more)"]);
    }
}
