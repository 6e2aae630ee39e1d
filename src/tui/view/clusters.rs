//! Characters that one writes together, in cells of their own.
//!
//! A flag, or a syllable of Devanagari, is one grapheme cluster of several characters, each of which has
//! columns. What is drawn keeps such a cluster in the first of its cells; many terminals keep a character
//! a cell. When something narrower comes there, only the first cell changes, and the rest would stay on
//! such a terminal. In cells of their own they are written one behind the other as before, and replaced
//! one by one.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthChar;

/// Divides what can be divided without anything moving.
pub(super) fn split(buffer: &mut Buffer) {
    for at in 0..buffer.content.len() {
        let Some(cell) = buffer.content.get(at) else { break };
        // Two characters of which one is not ASCII.
        if cell.symbol().len() < 3 {
            continue;
        }
        let Some(parts) = parts(cell.symbol()) else { continue };
        let style = cell.style();
        let mut to = at;
        for (part, wide) in parts {
            if let Some(cell) = buffer.content.get_mut(to) {
                cell.set_symbol(&part).set_style(style);
            }
            to += wide;
        }
    }
}

/// A cluster's characters that have columns, each with its marks, and their columns; `None` where there is
/// only one, or where together they take others than one by one.
fn parts(cluster: &str) -> Option<Vec<(String, usize)>> {
    let mut parts: Vec<(String, usize)> = Vec::new();
    for c in cluster.chars() {
        match (c.width().unwrap_or(0), parts.last_mut()) {
            (0, Some((part, _))) => part.push(c),
            (wide, _) => parts.push((c.to_string(), wide)),
        }
    }
    let one_by_one: usize = parts.iter().map(|(_, wide)| wide).sum();
    let together = unicode_width::UnicodeWidthStr::width(cluster);
    (parts.len() > 1 && one_by_one == together).then_some(parts)
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    /// The symbols of the cells that a text is drawn in.
    fn cells(text: &str) -> Vec<String> {
        let mut buffer = Buffer::with_lines([text]);
        buffer.set_style(buffer.area, Style::new().bold());
        split(&mut buffer);
        assert!(buffer.content.iter().all(|cell| cell.style().add_modifier.bits() != 0));
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn what_has_columns_of_its_own_has_a_cell_of_its_own() {
        assert_eq!(cells("🇩🇪x"), ["🇩", "🇪", "x"]);
        assert_eq!(cells("a\u{301}x"), ["a\u{301}", "x"]);
    }

    #[test]
    fn what_takes_fewer_columns_together_stays_together() {
        for text in ["日", "👍🏽", "❤\u{fe0f}", "🚀"] {
            assert_eq!(cells(text).first().map(String::as_str), Some(text));
        }
    }

    #[test]
    fn texts_are_measured_as_they_are_drawn() {
        for text in ["🇩🇪", "👍🏽", "❤\u{fe0f}", "हिन्दी नमस्ते", "ไทยำ", "ភាសាខ្មែរ", "日本", "لا", "क्षि"]
        {
            let mut buffer = Buffer::with_lines([" ".repeat(40)]);
            let (drawn, _) = buffer.set_stringn(0, 0, text, 40, Style::new());
            assert_eq!(crate::sink::escape::width(text), usize::from(drawn), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_flag_stays_behind() {
        let mut before = Buffer::with_lines(["🇩🇪x"]);
        let mut after = Buffer::with_lines(["  x"]);
        split(&mut before);
        split(&mut after);
        let changed: Vec<_> = before.diff(&after).into_iter().map(|(x, ..)| x).collect();
        assert_eq!(changed, [0, 1]);
    }
}
