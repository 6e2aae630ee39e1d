//! Where one is in a list, and which part of it is on the screen.

use super::action::Motion;

/// The selected line of a list, and the first one shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The selected one.
    pub at: usize,
    /// The first one shown.
    pub top: usize,
}

impl Cursor {
    /// Moves in a list of `len` lines of which `page` are shown; true when it moved.
    pub fn step(&mut self, motion: Motion, len: usize, page: usize) -> bool {
        let before = self.at;
        let page = page.saturating_sub(1).max(1);
        self.at = match motion {
            Motion::Up => self.at.saturating_sub(1),
            Motion::Down => self.at.saturating_add(1),
            Motion::PageUp => self.at.saturating_sub(page),
            Motion::PageDown => self.at.saturating_add(page),
            Motion::Top => 0,
            Motion::Bottom => usize::MAX,
            Motion::Left | Motion::Right => self.at,
        };
        self.at = self.at.min(len.saturating_sub(1));
        self.at != before
    }

    /// Makes the selected line one of `height` shown, of `len`.
    pub fn show(&mut self, len: usize, height: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        let last_top = len.saturating_sub(height);
        self.top = self.top.min(last_top).min(self.at);
        if height > 0 && self.at >= self.top.saturating_add(height) {
            self.top = self.at + 1 - height;
        }
    }

    /// The wheel: what is shown moves, and takes the selection along at its edges.
    pub fn scroll(&mut self, lines: isize, len: usize, height: usize) {
        let last_top = len.saturating_sub(height);
        self.top = self.top.saturating_add_signed(lines).min(last_top);
        let bottom = self.top.saturating_add(height).saturating_sub(1);
        self.at = self.at.clamp(self.top, bottom.max(self.top)).min(len.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_line_is_always_shown() {
        let mut cursor = Cursor::default();
        assert!(cursor.step(Motion::Bottom, 100, 10));
        cursor.show(100, 10);
        assert_eq!((cursor.at, cursor.top), (99, 90));
        cursor.step(Motion::PageUp, 100, 10);
        cursor.show(100, 10);
        assert_eq!((cursor.at, cursor.top), (90, 90));
        cursor.show(5, 10);
        assert_eq!((cursor.at, cursor.top), (4, 0));
        cursor.show(0, 0);
        assert_eq!((cursor.at, cursor.top), (0, 0));
        assert!(!cursor.step(Motion::Down, 0, 0));
    }

    #[test]
    fn the_wheel_takes_the_selection_along() {
        let mut cursor = Cursor { at: 5, top: 0 };
        cursor.scroll(9, 100, 10);
        assert_eq!((cursor.at, cursor.top), (9, 9));
        cursor.scroll(-6, 100, 10);
        assert_eq!((cursor.at, cursor.top), (9, 3));
        cursor.scroll(isize::MAX, 3, 10);
        assert_eq!((cursor.at, cursor.top), (2, 0));
    }
}
