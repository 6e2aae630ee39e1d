//! Values in a JSON payload, by path, read in one pass without building a tree.
//!
//! Gets: a payload and a [`Path`]. Gives: each value that the path leads to. Keeps: nothing.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text::quoted;

/// Steps from the whole payload to values in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Path(pub(super) Vec<Step>);

/// One step down.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// `.name`, `["name"]`: a member of an object.
    Key(String),
    /// `[0]`: an element of an array.
    Index(u64),
    /// `[*]`, `.*`: every element or member.
    Each,
    /// The second dot of `..`: any number of levels, none too.
    Deep,
}

/// The most steps: sets of steps are the bits of a word.
pub(super) const MAX_STEPS: usize = 31;

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut deep = false;
        for step in &self.0 {
            match step {
                Step::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                // Behind `..`, a bracket needs no dot of its own: one is there already.
                Step::Key(key) => write!(f, "{}[{}]", if deep { "." } else { "" }, quoted(key))?,
                Step::Index(n) => write!(f, "{}[{n}]", if deep { "." } else { "" })?,
                Step::Each => write!(f, "{}[*]", if deep { "." } else { "" })?,
                Step::Deep => f.write_str(".")?,
            }
            deep = *step == Step::Deep;
        }
        Ok(())
    }
}

/// Can the key stand behind a dot without quotes.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(is_key)
}

/// Characters of a key that stands without quotes.
pub(super) fn is_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@')
}

/// A value that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
    /// An object or an array.
    Inner,
}

/// Shows every value that the path leads to; false when the payload as a whole is no JSON, in which
/// case what was shown does not count.
pub(super) fn walk(payload: &[u8], path: &Path, show: &mut dyn FnMut(Found<'_>)) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let steps = path.0.as_slice();
    let state = if steps.is_empty() {
        IgnoredAny::deserialize_any_value(&mut reader)
    } else {
        Walk { steps, at: reach(steps, 1), show: &mut *show }.deserialize(&mut reader)
    };
    let whole = state.is_ok() && reader.end().is_ok();
    if whole && steps.is_empty() {
        show(Found::Inner);
    }
    whole
}

/// Skips a value whatever it is; [`IgnoredAny`] does not recurse, so depth costs no stack.
trait Skip {
    fn deserialize_any_value<'de, D: Deserializer<'de>>(reader: D) -> Result<(), D::Error>;
}

impl Skip for IgnoredAny {
    fn deserialize_any_value<'de, D: Deserializer<'de>>(reader: D) -> Result<(), D::Error> {
        reader.deserialize_ignored_any(Self).map(drop)
    }
}

/// The steps that may come next, a bit for each place in the path (bit 0: before the first step),
/// so that `..` can be in several places at once without visiting a value twice.
type Places = u32;

/// A [`Step::Deep`] may take no level at all: whoever stands before it also stands behind it.
fn reach(steps: &[Step], mut at: Places) -> Places {
    for (n, step) in steps.iter().enumerate() {
        if *step == Step::Deep && at & (1 << n) != 0 {
            at |= 2 << n;
        }
    }
    at
}

/// Where one level down leads.
fn descend(steps: &[Step], at: Places, takes: impl Fn(&Step) -> bool) -> Places {
    let mut next = 0;
    for (n, step) in steps.iter().enumerate() {
        if at & (1 << n) == 0 {
            continue;
        }
        if *step == Step::Deep {
            next |= 1 << n;
        } else if takes(step) {
            next |= 2 << n;
        }
    }
    reach(steps, next)
}

struct Walk<'p, 'f> {
    steps: &'p [Step],
    at: Places,
    show: &'f mut dyn FnMut(Found<'_>),
}

impl Walk<'_, '_> {
    fn found(&mut self, value: Found<'_>) {
        if self.at & (1 << self.steps.len()) != 0 {
            (self.show)(value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    // serde_json itself refuses more than 128 levels here, so the stack is bounded.
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        if self.at == 0 {
            return IgnoredAny::deserialize_any_value(reader);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<(), E> {
        self.found(Found::Null);
        Ok(())
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        self.found(Found::Bool(value));
        Ok(())
    }

    fn visit_i64<E: de::Error>(mut self, value: i64) -> Result<(), E> {
        self.found(Found::Int(value.into()));
        Ok(())
    }

    fn visit_u64<E: de::Error>(mut self, value: u64) -> Result<(), E> {
        self.found(Found::Int(value.into()));
        Ok(())
    }

    fn visit_f64<E: de::Error>(mut self, value: f64) -> Result<(), E> {
        self.found(Found::Float(value));
        Ok(())
    }

    fn visit_str<E: de::Error>(mut self, value: &str) -> Result<(), E> {
        self.found(Found::Text(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        self.found(Found::Inner);
        let mut index = 0_u64;
        loop {
            let at = descend(self.steps, self.at, |step| match step {
                Step::Index(n) => *n == index,
                step => *step == Step::Each,
            });
            let inner = Walk { steps: self.steps, at, show: &mut *self.show };
            if array.next_element_seed(inner)?.is_none() {
                return Ok(());
            }
            index = index.saturating_add(1);
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        self.found(Found::Inner);
        while let Some(at) = object.next_key_seed(Member { steps: self.steps, at: self.at })? {
            object.next_value_seed(Walk { steps: self.steps, at, show: &mut *self.show })?;
        }
        Ok(())
    }
}

/// Reads a member's name without keeping it: only where it leads.
struct Member<'p> {
    steps: &'p [Step],
    at: Places,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Places;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Places, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Places;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Places, E> {
        Ok(descend(self.steps, self.at, |step| match step {
            Step::Key(key) => key == name,
            step => *step == Step::Each,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    fn numbers(payload: &str, steps: &[Step]) -> Vec<i128> {
        let mut all = Vec::new();
        let whole = walk(payload.as_bytes(), &Path(steps.to_vec()), &mut |found| {
            if let Found::Int(n) = found {
                all.push(n);
            }
        });
        if whole { all } else { vec![] }
    }

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let payload = r#"{"a":{"x":1},"b":[{"x":2},{"x":3,"y":[4]}],"x":5}"#;
        assert_eq!(numbers(payload, &[key("a"), key("x")]), [1]);
        assert_eq!(numbers(payload, &[key("b"), Step::Index(1), key("x")]), [3]);
        assert_eq!(numbers(payload, &[key("b"), Step::Each, key("x")]), [2, 3]);
        assert_eq!(numbers(payload, &[Step::Deep, key("x")]), [1, 2, 3, 5]);
        assert_eq!(numbers(payload, &[Step::Deep, Step::Index(0)]), [4]);
        assert_eq!(numbers(payload, &[Step::Each, key("x")]), [1]);
        assert_eq!(numbers(payload, &[key("b"), Step::Deep, Step::Each]), [2, 3, 4]);
        assert_eq!(numbers(payload, &[key("c")]), []);
    }

    #[test]
    fn every_value_is_shown_once_however_many_ways_lead_to_it() {
        let steps = [Step::Deep, Step::Deep, Step::Each, Step::Deep, Step::Each];
        assert_eq!(numbers("[[[1]],2,[3]]", &steps), [1, 3]);
    }

    #[test]
    fn what_is_no_json_as_a_whole_has_no_values() {
        for broken in ["", "{\"x\":1", "{\"x\":1} x", "{'x':1}", "[{\"x\":1},]"] {
            assert_eq!(numbers(broken, &[Step::Deep, key("x")]), [], "{broken}");
        }
        assert_eq!(numbers("  {\"x\" : 1} \n", &[key("x")]), [1]);
        assert_eq!(numbers("{\"\\u0078\":1}", &[key("x")]), [1], "an escaped name");
    }

    #[test]
    fn depth_is_bounded_where_we_descend_and_harmless_where_we_skip() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(numbers(&deep, &[Step::Deep, key("x")]), []);
        let mut shown = 0;
        assert!(walk(deep.as_bytes(), &Path::default(), &mut |_| shown += 1));
        assert_eq!(shown, 1);
    }
}
