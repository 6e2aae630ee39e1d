//! Completion of a filter while it is typed.
//!
//! Gets: the text and the cursor. Gives: what could stand there. Asks the parser what it looked
//! for at the word under the cursor, so both always agree.

use std::ops::Range;

use super::ast::OPERATORS;
use super::field::{FieldSpec, FieldType, HEADERS, Id, OPCODES, fields, is_word, names};
use super::parse::{Expect, Parser};
use super::scan::floor;
use crate::note::NoteCode;

/// Something that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What to put there.
    pub text: String,
    /// Which bytes of the input it replaces.
    pub range: Range<usize>,
    /// What it means, in one line.
    pub help: String,
}

/// What could stand at the cursor (a byte offset): field names, operators behind a field, the words
/// of a field behind an operator, `and` and `or` behind a comparison. What begins with the word
/// under the cursor comes first, then what has it inside.
pub fn complete(input: &str, cursor: usize) -> Vec<Completion> {
    let cursor = floor(input, cursor);
    let (before, after) = input.split_at_checked(cursor).unwrap_or((input, ""));
    let mut parser = Parser::new(before);
    // Where the text so far fails does not matter, only what was looked for on the way.
    let failed = parser.whole().err().map(|error| error.span().start);
    let start = word_start(before);
    let Some(&(at, _)) = parser.expected.iter().rev().find(|(at, _)| *at <= start) else {
        return Vec::new();
    };
    // The parser gave up before the word, so it never got to know what fits here.
    if failed.is_some_and(|failed| failed < start && failed > at) || at < start {
        return Vec::new();
    }
    let typed = before.get(start..).unwrap_or("");
    let range = start..cursor + word_end(typed, after);
    let mut fitting = Vec::new();
    // Behind a field alone, an operator and `and` fit alike.
    let mut here: Vec<Expect> = Vec::new();
    for (_, expect) in parser.expected.iter().filter(|(place, _)| *place == at) {
        if !here.contains(expect) {
            here.push(*expect);
            fitting.extend(candidates(*expect, typed));
        }
    }
    rank(fitting, typed.trim_start_matches(['"', '\'']), &range)
}

/// Where the word, or the symbol, that ends at the end of the text begins.
fn word_start(before: &str) -> usize {
    let in_word = |c: char| is_word(c) || matches!(c, '[' | ']' | '*');
    let in_symbol = |c: char| matches!(c, '=' | '!' | '<' | '>' | '~' | '&' | '|');
    let word = before.trim_end_matches(in_word);
    if word.len() < before.len() {
        // A string that is still open is replaced whole.
        return word.strip_suffix(['"', '\'']).unwrap_or(word).len();
    }
    if let Some(open) = before.strip_suffix(['"', '\''])
        && open.ends_with([' ', '=', '{', ','])
    {
        return open.len();
    }
    before.trim_end_matches(in_symbol).len()
}

/// How far the word goes on behind the cursor.
fn word_end(typed: &str, after: &str) -> usize {
    if typed.is_empty() || !typed.ends_with(|c| is_word(c) || c == '"') {
        return 0;
    }
    let rest = after.trim_start_matches(is_word);
    let quote = typed.chars().next().filter(|c| matches!(c, '"' | '\''));
    let rest = quote.and_then(|quote| rest.strip_prefix(quote)).unwrap_or(rest);
    after.len() - rest.len()
}

fn candidates(expect: Expect, typed: &str) -> Vec<(String, String)> {
    match expect {
        Expect::Field => field_names(typed),
        Expect::Operator(spec) => operators(spec),
        Expect::Value(spec) => values(spec),
        Expect::More => more(),
    }
}

fn more() -> Vec<(String, String)> {
    let known = [("and", "both sides"), ("or", "either side")];
    known.map(|(word, help)| (word.to_owned(), help.to_owned())).to_vec()
}

fn field_names(typed: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for spec in fields() {
        let help = format!("{} ({})", spec.help, spec.kind.name());
        for name in names(spec) {
            // An alias is offered to who begins to write it.
            let begun = is_prefix(typed, name) || is_prefix(name, typed);
            if name != spec.name && !begun {
                continue;
            }
            if matches!(spec.id, Id::AnyHeader(_)) {
                all.extend(header_names(name, typed, &help));
            } else {
                all.push((name.to_owned(), help.clone()));
            }
        }
    }
    all.push(("not".to_owned(), "the opposite of what follows".to_owned()));
    all
}

fn header_names(name: &str, typed: &str, help: &str) -> Vec<(String, String)> {
    if !is_prefix(&format!("{name}."), typed) {
        return vec![(format!("{name}."), help.to_owned())];
    }
    HEADERS.iter().map(|header| (format!("{name}.{header}"), help.to_owned())).collect()
}

fn operators(spec: &FieldSpec) -> Vec<(String, String)> {
    let textual =
        matches!(spec.kind, FieldType::Text | FieldType::Bytes | FieldType::Word | FieldType::Json);
    let fits = |word: &str| match word {
        "==" | "!=" => spec.kind != FieldType::Presence,
        ">" | "<" | ">=" | "<=" => spec.is_ordered(),
        "contains" | "matches" => textual,
        "in" | "not in" => !matches!(spec.kind, FieldType::Presence | FieldType::Boolean),
        _ => false,
    };
    let fitting = OPERATORS.iter().filter(|(word, ..)| fits(word));
    let known = fitting.map(|(word, _, help)| ((*word).to_owned(), (*help).to_owned()));
    known.collect()
}

fn values(spec: &FieldSpec) -> Vec<(String, String)> {
    let help = |value: &str| match spec.id {
        Id::NoteCode => value
            .parse::<NoteCode>()
            .map(|code| format!("{}, {}", code.severity(), code.reference()))
            .unwrap_or_default(),
        Id::Opcode => OPCODES
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, bits)| format!("opcode {bits}"))
            .unwrap_or_default(),
        _ => spec.help.to_owned(),
    };
    spec.values().into_iter().map(|value| (value.to_owned(), help(value))).collect()
}

fn rank(all: Vec<(String, String)>, typed: &str, range: &Range<usize>) -> Vec<Completion> {
    let typed = typed.to_ascii_lowercase();
    let (mut first, rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(text, _)| is_prefix(&typed, text));
    first.extend(rest.into_iter().filter(|(text, _)| text.contains(&typed)));
    first.into_iter().map(|(text, help)| Completion { text, range: range.clone(), help }).collect()
}

/// Does `text` begin with `prefix`, whatever the letter case; nothing typed is no beginning of an
/// alias, so that the plain list holds each field once.
fn is_prefix(prefix: &str, text: &str) -> bool {
    !prefix.is_empty()
        && text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered at the end of the text.
    fn texts(input: &str) -> Vec<String> {
        complete(input, input.len()).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn field_names_are_offered_where_a_field_is_due() {
        assert_eq!(texts("con").first().map(String::as_str), Some("conn"));
        assert_eq!(texts("").len(), fields().len() + 1, "each field once, and `not`");
        for before in ["", "conn == 3 and ", "!", "(", "not (", "conn == 3||"] {
            let input = format!("{before}http.req");
            assert!(texts(&input).contains(&"http.request.uri".to_owned()), "{input}");
            let found = complete(&input, input.len());
            assert!(found.iter().all(|c| c.range == (before.len()..input.len())), "{input}");
        }
        assert!(texts("websocket.op").contains(&"websocket.opcode".to_owned()), "an alias");
        assert!(texts("uri").contains(&"http.request.uri".to_owned()), "inside of the name");
    }

    #[test]
    fn header_names_are_offered_behind_the_dot() {
        assert_eq!(texts("http.header.ori"), ["http.header.origin"]);
        assert!(texts("http.request.h").contains(&"http.request.header.".to_owned()));
    }

    #[test]
    fn operators_that_fit_are_offered_behind_a_field() {
        assert_eq!(
            texts("text "),
            ["==", "!=", ">=", "<=", ">", "<", "contains", "matches", "in", "not in", "and", "or"]
        );
        assert_eq!(texts("text con"), ["contains"]);
        assert_eq!(texts("fin "), ["==", "!=", "and", "or"]);
        assert_eq!(texts("client "), ["==", "!=", "in", "not in", "and", "or"]);
        assert_eq!(texts("websocket "), ["and", "or"]);
        assert_eq!(texts("len >"), [">=", ">"]);
    }

    #[test]
    fn words_are_offered_behind_an_operator() {
        assert_eq!(texts("kind == "), ["text", "binary", "ping", "pong", "close"]);
        assert_eq!(texts("kind == te"), ["text"]);
        assert_eq!(texts("kind in {text, p"), ["ping", "pong"]);
        assert_eq!(texts("note.code == mask-"), ["mask-zero", "mask-reused"]);
        assert_eq!(texts("fin == "), ["true", "false"]);
        assert_eq!(texts("websocket.opcode == pi"), ["ping"]);
        assert!(texts("conn == ").is_empty());
        assert!(texts("text contains \"and co").is_empty());
    }

    #[test]
    fn and_and_or_are_offered_behind_a_comparison() {
        assert_eq!(texts("conn == 3 "), ["and", "or"]);
        assert_eq!(texts("conn == 3 a"), ["and"]);
    }

    #[test]
    fn the_whole_word_is_replaced_also_behind_the_cursor() {
        let found = complete("kind == te or conn == 1", 9);
        assert_eq!(
            found.first().map(|c| (c.text.as_str(), c.range.clone())),
            Some(("text", 8..10))
        );
        let found = complete("kind == \"te\" or fin", 10);
        assert_eq!(
            found.first().map(|c| (c.text.as_str(), c.range.clone())),
            Some(("text", 8..12))
        );
    }

    #[test]
    fn nothing_is_offered_behind_a_fault() {
        assert!(texts("foo == 3 and con").is_empty());
        assert!(texts("conn == 3 4 ki").is_empty());
    }
}
