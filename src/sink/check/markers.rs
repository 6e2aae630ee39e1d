//! Which headers a note speaks of.

use super::gather::{Finding, Place};
use crate::ws::handshake::header_of;

/// Does a finding speak of a header: by its code, or by naming it in its text as it was sent.
pub(super) fn speaks_of(finding: &Finding, name: &str) -> bool {
    if let Some((header, _)) = header_of(&finding.note) {
        return header.eq_ignore_ascii_case(name);
    }
    let handshake = |place: &Place| matches!(place, Place::Handshake(_));
    finding.places.iter().any(handshake) && names(&finding.note.text, name)
}

/// Is the name in the text as a word of its own, in this letter case.
fn names(text: &str, name: &str) -> bool {
    // RFC 9110 section 5.6.2: what a name can go on with.
    let more = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            let after = rest.strip_prefix(name).unwrap_or("");
            !before.ends_with(more) && !after.starts_with(more)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_of_its_own_in_its_letter_case() {
        let text = "the request has headers that a proxy adds: X-Forwarded-For: \"::1\", Via";
        assert!(names(text, "X-Forwarded-For") && names(text, "Via"));
        for other in ["For", "X-Forwarded", "Forwarded", "via", "The", ""] {
            assert!(!names(text, other), "{other}");
        }
    }
}
