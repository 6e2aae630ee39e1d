//! Why an expression is no filter, and where.
//!
//! Gets: the expression and a place in it. Gives: [`FilterError`], which draws itself.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::text::{show, shown};

/// Why an expression is no filter: what is wrong, at which column, and what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    expression: String,
    span: Range<usize>,
    reason: String,
    suggestion: Option<String>,
}

impl FilterError {
    /// `span`: bytes of `expression`, on character boundaries; empty where something is missing.
    pub(super) fn new(expression: &str, span: Range<usize>, reason: String) -> Self {
        Self { expression: expression.to_owned(), span, reason, suggestion: None }
    }

    /// With something to try.
    #[must_use]
    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Where it is: characters before it, from 0.
    pub fn column(&self) -> usize {
        self.before().chars().count()
    }

    /// Which bytes of the expression it is about; empty where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is wrong, in one line without control characters.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What may have been meant, in one line without control characters.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    fn before(&self) -> &str {
        self.expression.get(..self.span.start).unwrap_or(&self.expression)
    }

    fn marked(&self) -> &str {
        self.expression.get(self.span.clone()).unwrap_or("")
    }

    fn after(&self) -> &str {
        self.expression.get(self.span.end..).unwrap_or("")
    }
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    /// The reason, the expression, a caret under the column, the suggestion:
    ///
    /// ```text
    /// there is no field `con`
    ///   con == 3
    ///   ^^^
    /// did you mean `conn`?
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.before();
        let skipped = before.chars().count().saturating_sub(CONTEXT);
        let mut lead = String::from(if skipped > 0 { "..." } else { "" });
        before.chars().skip(skipped).for_each(|c| show(&mut lead, c));
        let marked = shown(self.marked(), CONTEXT);
        let rest = shown(self.after(), CONTEXT);
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "  {lead}{marked}{rest}")?;
        write!(f, "  {:pad$}{}", "", "^".repeat(width(&marked).max(1)), pad = width(&lead))?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n{suggestion}"),
            None => Ok(()),
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().filter_map(char::width).sum()
}

/// Characters shown before, in and behind the place: a long expression must not bury it.
const CONTEXT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_under_the_place_behind_wide_and_escaped_characters() {
        let error = FilterError::new("世\u{1b} con", 5..8, "no".into()).suggest("yes");
        assert_eq!(error.column(), 3);
        assert_eq!(error.to_string(), "no\n  世\\u{1b} con\n           ^^^\nyes");
    }

    #[test]
    fn missing_end_is_marked_behind_the_text() {
        let error = FilterError::new("conn ==", 7..7, "no".into());
        assert_eq!(error.to_string(), "no\n  conn ==\n         ^");
    }

    #[test]
    fn long_expressions_are_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let error = FilterError::new(&text, 500..501, "no".into());
        let want =
            format!("no\n  ...{}X{}...\n  {}^", "a".repeat(100), "b".repeat(100), " ".repeat(103));
        assert_eq!(error.to_string(), want);
    }
}
