//! Text made harmless, coloured, and fitted into columns.
//!
//! Gets: text from the network. Gives: text that moves no terminal: control characters and those that
//! change the order of what is shown are spelled out.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use super::Alteration;
use crate::sink::escape::{self, Escaped};

/// What a piece of text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Title,
    Expected,
    Unexpected,
    Good,
    Faint,
    Removed,
    Added,
    Plain,
}

impl Tone {
    pub(super) fn of(alteration: &Alteration) -> Self {
        if alteration.expected { Self::Expected } else { Self::Unexpected }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Expected => "36",
            Self::Unexpected => "1;31",
            Self::Good | Self::Added => "32",
            Self::Faint => "2",
            Self::Removed => "31",
            Self::Plain => "",
        }
    }
}

pub(super) use crate::diff::sign as mark;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) color: bool,
}

impl Paint {
    /// Text in its colour. The text must be escaped already.
    pub(super) fn tone(self, tone: Tone, text: &str) -> Cow<'_, str> {
        if !self.color || tone == Tone::Plain || text.is_empty() {
            return text.into();
        }
        format!("\x1b[{}m{text}\x1b[0m", tone.code()).into()
    }
}

/// The text with what could move a terminal, or fool a reader, spelled out.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(escape::is_unsafe) { Escaped(text).to_string().into() } else { text.into() }
}

/// Columns that escaped text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Lines of at most so many columns, broken at spaces where there are any.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            if gap > 0 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut pieces = chop(word, columns);
        line = pieces.pop().unwrap_or_default();
        lines.append(&mut pieces);
    }
    lines.push(line);
    lines
}

/// Pieces of at most so many columns.
pub(super) fn chop(text: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns && used > 0 {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_reordering_characters_are_spelled_out() {
        assert_eq!(escape("a\x1b[31m\n\u{202e}b\u{7f}"), "a\\x1b[31m\\n\\u{202e}b\\x7f");
        assert_eq!(escape("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("世界世界", 4), ["世界", "世界"]);
    }
}
