//! A line that is typed: filter, search, goto, command, file name.

use crate::sink::escape;

/// A change to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// A character at the cursor.
    Insert(char),
    /// The character before the cursor goes.
    Backspace,
    /// The character at the cursor goes.
    Delete,
    /// The word before the cursor goes.
    DeleteWord,
    /// Everything before the cursor goes.
    DeleteToStart,
    /// Everything behind the cursor goes.
    DeleteToEnd,
    /// The cursor moves.
    Left,
    /// The cursor moves.
    Right,
    /// The cursor moves to the line's begin.
    Home,
    /// The cursor moves to the line's end.
    End,
}

/// A line and its cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// A byte offset on a character boundary.
    cursor: usize,
}

/// Longer lines are no filters.
const MAX: usize = 8192;

impl Line {
    /// A line with the cursor at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Where the cursor is, in columns.
    pub fn column(&self) -> usize {
        escape::width(self.before())
    }

    /// Changes it; true when the text is another.
    pub fn edit(&mut self, edit: Edit) -> bool {
        let before = self.text.len();
        match edit {
            Edit::Insert(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Edit::Backspace => {
                let start = self.left();
                self.remove(start, self.cursor);
            }
            Edit::Delete => {
                let end = self.right();
                self.remove(self.cursor, end);
            }
            Edit::DeleteWord => {
                let start = self.word();
                self.remove(start, self.cursor);
            }
            Edit::DeleteToStart => self.remove(0, self.cursor),
            Edit::DeleteToEnd => self.remove(self.cursor, self.text.len()),
            Edit::Left => self.cursor = self.left(),
            Edit::Right => self.cursor = self.right(),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.text.len(),
        }
        self.text.len() != before
    }

    /// Puts text at the cursor. Lines of a paste become one, with a space between them; other control
    /// characters are left out.
    pub fn insert(&mut self, text: &str) {
        let text = text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n");
        let spaced = text.chars().map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c });
        for c in spaced.filter(|c| !c.is_control()) {
            if self.text.len() + c.len_utf8() > MAX {
                break;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Puts text in the place of some bytes, the cursor behind it.
    pub fn replace(&mut self, range: std::ops::Range<usize>, with: &str) {
        if self.text.get(range.clone()).is_some() {
            self.text.replace_range(range.clone(), with);
            self.cursor = range.start + with.len();
        }
    }

    fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or("")
    }

    fn left(&self) -> usize {
        self.before().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        let next = self.text.get(self.cursor..).and_then(|rest| rest.chars().next());
        self.cursor + next.map_or(0, char::len_utf8)
    }

    /// Where the word before the cursor begins; of signs, the last one.
    fn word(&self) -> usize {
        let before = self.before().trim_end();
        let word = before.trim_end_matches(char::is_alphanumeric);
        if word.len() < before.len() {
            return word.len();
        }
        before.char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn remove(&mut self, start: usize, end: usize) {
        if self.text.get(start..end).is_some() {
            self.text.replace_range(start..end, "");
            self.cursor = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_characters_whatever_their_bytes() {
        let mut line = Line::new("aé日");
        line.edit(Edit::Left);
        assert!(line.edit(Edit::Backspace));
        assert_eq!((line.text(), line.column()), ("a日", 1));
        line.edit(Edit::Insert('x'));
        line.edit(Edit::Delete);
        assert_eq!(line.text(), "ax");
        assert!(!line.edit(Edit::Delete));
        line.insert("\x1b[2J\n!");
        assert_eq!(line.text(), "ax[2J !");
        let mut line = Line::default();
        line.insert("kind == text\r\nand len > 3\n  and\tdir == c2s\r");
        assert_eq!(line.text(), "kind == text and len > 3   and dir == c2s");
    }

    #[test]
    fn words_and_stretches_go_at_once() {
        let mut line = Line::new("conn == 3 and kind");
        line.edit(Edit::DeleteWord);
        assert_eq!(line.text(), "conn == 3 and ");
        line.edit(Edit::DeleteWord);
        assert_eq!(line.text(), "conn == 3 ");
        line.edit(Edit::DeleteToStart);
        assert_eq!(line.text(), "");
        line.edit(Edit::DeleteWord);
        line.replace(0..0, "len");
        assert_eq!((line.text(), line.cursor()), ("len", 3));
    }
}
