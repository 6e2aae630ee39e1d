//! Sentences broken into lines.

use unicode_width::UnicodeWidthStr;

/// Where lines begin and end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrap {
    /// Columns of a line; `None`: one line.
    pub(crate) width: Option<usize>,
    /// Columns already used of the first line.
    pub(crate) begin: usize,
    /// Spaces in front of the others.
    pub(crate) indent: usize,
}

/// Text already escaped, broken at spaces. A word longer than a line stays whole: a header value
/// that is broken can not be copied.
pub(crate) fn wrap(text: &str, how: Wrap) -> String {
    let Some(width) = how.width else { return text.to_owned() };
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut column = how.begin;
    for (i, word) in text.split(' ').enumerate() {
        let wide = word.width();
        if i > 0 {
            if column.saturating_add(1 + wide) > width && column > how.indent {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', how.indent));
                column = how.indent;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column = column.saturating_add(wide);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_the_width_and_words_stay_whole() {
        let how = Wrap { width: Some(12), begin: 3, indent: 2 };
        assert_eq!(wrap("one two three", how), "one two\n  three");
        assert_eq!(wrap("abcdefghijklmnop one", how), "abcdefghijklmnop\n  one");
        assert_eq!(wrap("", how), "");
        assert_eq!(wrap("one two three", Wrap { width: None, ..how }), "one two three");
    }
}
