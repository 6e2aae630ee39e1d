//! How values of a head stand in the text of a note.

use std::fmt::Write as _;

use crate::event::{Fields, header_text};

/// Longest value shown whole: a target or a cookie can be 32 KiB.
const SHOWN_CHARS: usize = 120;

/// A value in quotes, cut where it is long.
pub(crate) fn quote(value: impl AsRef<[u8]>) -> String {
    let text = header_text(value.as_ref());
    match text.char_indices().nth(SHOWN_CHARS) {
        None => format!("\"{text}\""),
        Some((end, _)) => {
            let start = text.get(..end).unwrap_or_default();
            format!("\"{start}…\" ({} bytes)", value.as_ref().len())
        }
    }
}

/// All values of a header as one, as RFC 9110 section 5.3 combines them; `None` without the header.
pub(crate) fn joined(fields: &Fields, name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = fields.all(name).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

/// `"a", "b" and "c"`, cut after a few.
pub(crate) fn list<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 8;
    let mut values = values.into_iter();
    let mut quoted: Vec<String> = values.by_ref().take(SHOWN).map(quote).collect();
    let more = values.count();
    let last = if more > 0 { Some(format!("{more} more")) } else { quoted.pop() };
    let mut text = quoted.join(", ");
    if let Some(last) = last {
        let _ = write!(text, "{}{last}", if text.is_empty() { "" } else { " and " });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_their_length_told() {
        assert_eq!(quote("short"), "\"short\"");
        assert_eq!(quote("ü".repeat(120)), format!("\"{}\"", "ü".repeat(120)));
        assert_eq!(quote("ü".repeat(121)), format!("\"{}…\" (242 bytes)", "ü".repeat(120)));
    }

    #[test]
    fn lists_read_as_speech() {
        assert_eq!(list::<&str>([]), "");
        assert_eq!(list(["a"]), "\"a\"");
        assert_eq!(list(["a", "b", "c"]), "\"a\", \"b\" and \"c\"");
        assert!(list(["x"; 20]).ends_with(" and 12 more"));
    }
}
