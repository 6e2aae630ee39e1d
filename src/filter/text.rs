//! Text as the filter language writes it, and as a terminal may see it.
//!
//! Gets: strings. Gives: [`quoted`] and [`shown`].

use std::fmt::Write as _;

/// A string literal of the language for this text.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text with what could act on a terminal escaped, cut after `max` characters.
pub(super) fn shown(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            out.push_str("...");
            break;
        }
        show(&mut out, c);
    }
    out
}

/// Appends one character, escaped where it could act on a terminal.
pub(super) fn show(out: &mut String, c: char) {
    if is_unsafe(c) { escape(out, c) } else { out.push(c) }
}

fn escape(out: &mut String, c: char) {
    // Writing to a String does not fail.
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// Control characters, and those that turn the direction of writing or break the line.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The candidate nearest to what was typed, if any is near enough to be meant.
pub(super) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Longer words are no slip of the finger, and the distance costs the product of the lengths.
    if typed.is_empty() || typed.len() > 48 {
        return None;
    }
    let typed = typed.to_ascii_lowercase();
    let allowed = (typed.chars().count() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        // `uri` for `http.request.uri`: the last part alone is as good as one slip.
        let tail = candidate.rsplit('.').next() == Some(typed.as_str());
        let distance = if tail { 1 } else { distance(&typed, candidate) };
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, ca) in a.chars().enumerate() {
        let mut row = Vec::with_capacity(above.len());
        row.push(i + 1);
        for (j, &cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&above, j) + usize::from(ca != cb))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            if let Some(j) = j.checked_sub(1)
                && previous == Some(cb)
                && b.get(j) == Some(&ca)
            {
                least = least.min(at(&before, j).saturating_add(1));
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(ca);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        assert_eq!(nearest("con", ["conn", "kind"]), Some("conn"));
        assert_eq!(nearest("kidn", ["conn", "kind"]), Some("kind"));
        assert_eq!(nearest("uri", ["conn", "http.request.uri"]), Some("http.request.uri"));
        assert_eq!(nearest("elephant", ["conn", "kind"]), None);
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_is_shown_raw() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}", 80), "a\\u{1b}[31m\\u{202e}");
        assert_eq!(shown("abcdef", 3), "abc...");
        assert_eq!(quoted("a\"\\\n\u{7f}ä"), "\"a\\\"\\\\\\n\\u{7f}ä\"");
    }
}
