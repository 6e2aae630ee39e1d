//! `Sec-WebSocket-Extensions`: its grammar (RFC 6455 section 9.1) and what is agreed by it (RFC 7692).
//!
//! Gets: header values as sent. Gives: [`Parsed`] lists of [`Extension`]s, and a [`Negotiation`] to
//! [`crate::ws::handshake`]. Keeps: nothing. Never fails: what breaks the grammar is a [`Fault`],
//! and the elements around it are still read.
//!
//! ```
//! use wstap::ws::extension::parse;
//!
//! let value: &[u8] = br#"permessage-deflate; client_max_window_bits="10", x-foo"#;
//! let parsed = parse([value]);
//! assert_eq!(parsed.extensions[0].params[0].value.as_deref(), Some("10"));
//! assert_eq!(parsed.extensions[1].name, "x-foo");
//! assert_eq!(parsed.fault, None);
//! ```

use std::fmt;

use crate::http::is_token_byte;

mod negotiate;

pub use negotiate::{Accepted, Negotiation, names_other, negotiate, presume};

/// An element of the list: an extension offered, or accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name: a token.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<Param>,
}

/// A parameter of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name: a token.
    pub name: String,
    /// Its value, quotes and backslashes taken off; `None` where it has none.
    pub value: Option<String>,
    /// The value was sent as a quoted string.
    pub quoted: bool,
}

/// What all the headers of one head say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The elements, in order. Of a faulty one: its name and the parameters before the fault.
    pub extensions: Vec<Extension>,
    /// The first place that breaks the grammar.
    pub fault: Option<Fault>,
    /// More was sent than is kept: [`KEPT`] elements, as many parameters of each.
    pub more: bool,
}

/// Elements kept of one head, and parameters of each. Clients offer two or three; a head full of
/// them would cost its square to compare.
pub const KEPT: usize = 64;

/// Where a value breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// In which of several headers, from 0.
    pub header: usize,
    /// Byte position in its value, from 0.
    pub at: usize,
    /// What stands there; `None` at the end of the value.
    pub found: Option<u8>,
    /// What the grammar wants there.
    pub wanted: &'static str,
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => f.write_str(&self.name),
            Some(value) if self.quoted => write!(f, "{}=\"{value}\"", self.name),
            Some(value) => write!(f, "{}={value}", self.name),
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.params.iter().try_for_each(|param| write!(f, "; {param}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            None => write!(f, "ends at byte {} where {} is wanted", self.at, self.wanted)?,
            Some(byte) => write!(
                f,
                "has '{}' at byte {} where {} is wanted",
                byte.escape_ascii(),
                self.at,
                self.wanted
            )?,
        }
        match self.header {
            0 => Ok(()),
            n => write!(f, " (header {} of that name)", n.saturating_add(1)),
        }
    }
}

/// Reads the values of all `Sec-WebSocket-Extensions` headers of one head, in order. No header at
/// all is an empty list without fault.
pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut end = None;
    // RFC 6455 9.1: the header may be split over several headers, or combined into one.
    for (header, value) in values.into_iter().enumerate() {
        let mut cursor = Cursor { value, at: 0 };
        while let Err(wanted) = cursor.list(&mut parsed) {
            let fault = Fault { header, at: cursor.at, found: cursor.peek(), wanted };
            parsed.fault.get_or_insert(fault);
            cursor.skip_element();
        }
        end = Some(Fault { header, at: value.len(), found: None, wanted: NAME });
    }
    // RFC 2616 2.1, on which section 9.1 builds: "1#element" is at least one.
    if parsed.extensions.is_empty() && parsed.fault.is_none() {
        parsed.fault = end;
    }
    parsed
}

/// Reads one value; `at` stays at the fault when a part is not as wanted.
struct Cursor<'a> {
    value: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// `[ extension ] *( "," [ extension ] )`: RFC 2616 section 2.1 lets elements of a list be empty.
    fn list(&mut self, out: &mut Parsed) -> Result<(), &'static str> {
        loop {
            self.space();
            match self.peek() {
                None => return Ok(()),
                Some(b',') => self.step(),
                Some(_) => self.extension(out)?,
            }
        }
    }

    /// `extension-token *( ";" extension-param )`, up to the comma or the end.
    fn extension(&mut self, out: &mut Parsed) -> Result<(), &'static str> {
        let name = self.token(NAME)?;
        let kept = out.extensions.len() < KEPT;
        out.more |= !kept;
        if kept {
            out.extensions.push(Extension { name, params: Vec::new() });
        }
        loop {
            self.space();
            match self.peek() {
                None | Some(b',') => return Ok(()),
                Some(b';') => self.step(),
                Some(_) => return Err("a comma or a semicolon"),
            }
            self.space();
            let param = self.param()?;
            match out.extensions.last_mut() {
                Some(last) if kept && last.params.len() < KEPT => last.params.push(param),
                _ => out.more = true,
            }
        }
    }

    /// `token [ "=" ( token / quoted-string ) ]`.
    fn param(&mut self) -> Result<Param, &'static str> {
        let name = self.token("a parameter name")?;
        self.space();
        if self.peek() != Some(b'=') {
            return Ok(Param { name, value: None, quoted: false });
        }
        self.step();
        self.space();
        let quoted = self.peek() == Some(b'"');
        let value = if quoted { self.quoted()? } else { self.token("a parameter value")? };
        Ok(Param { name, value: Some(value), quoted })
    }

    fn token(&mut self, wanted: &'static str) -> Result<String, &'static str> {
        let rest = self.value.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&b| !is_token_byte(b)).unwrap_or(rest.len());
        if len == 0 {
            return Err(wanted);
        }
        self.at += len;
        Ok(rest.iter().take(len).map(|&b| char::from(b)).collect())
    }

    /// RFC 6455 9.1: a quoted value, once unescaped, must be a token too.
    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut text = String::new();
        self.step();
        loop {
            match self.peek() {
                None => return Err("a closing quote"),
                Some(b'"') if text.is_empty() => return Err("a value that is not empty"),
                Some(b'"') => break,
                Some(b'\\') => self.step(),
                Some(_) => {}
            }
            match self.peek() {
                Some(byte) if is_token_byte(byte) => text.push(char::from(byte)),
                _ => return Err("a byte that may stand in a token"),
            }
            self.step();
        }
        self.step();
        Ok(text)
    }

    /// Goes on to the comma that ends a faulty element.
    fn skip_element(&mut self) {
        let mut in_quotes = false;
        while let Some(byte) = self.peek() {
            match byte {
                b',' if !in_quotes => return,
                b'"' => in_quotes = !in_quotes,
                _ => {}
            }
            self.step();
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.step();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }
}

const NAME: &str = "an extension name";

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Parsed {
        parse([value.as_bytes()])
    }

    fn shown(parsed: &Parsed) -> Vec<String> {
        parsed.extensions.iter().map(ToString::to_string).collect()
    }

    fn fault(value: &str) -> (usize, &'static str) {
        let fault = one(value).fault.unwrap_or_else(|| panic!("no fault in {value:?}"));
        assert_eq!(fault.found, value.as_bytes().get(fault.at).copied());
        (fault.at, fault.wanted)
    }

    mod rfc6455_section_9_1 {
        use super::*;

        #[test]
        fn the_examples_of_the_rfc() {
            for value in ["foo", "bar; baz=2", "deflate-stream", "foo, bar; baz=2"] {
                let parsed = one(value);
                assert_eq!(parsed.fault, None, "{value}");
                assert_eq!(shown(&parsed).join(", "), value);
            }
        }

        #[test]
        fn several_headers_are_one_list() {
            let parsed = parse([&b"foo"[..], b"bar; baz=2"]);
            assert_eq!(shown(&parsed), ["foo", "bar; baz=2"]);
            assert_eq!(parsed.fault, None);
        }

        #[test]
        fn white_space_and_empty_elements_mean_nothing() {
            let parsed = one(" ,, foo ;\ta = 1\t;b ,\t, bar,");
            assert_eq!(shown(&parsed), ["foo; a=1; b", "bar"]);
            assert_eq!(parsed.fault, None);
        }

        #[test]
        fn a_quoted_value_loses_its_quotes_and_backslashes() {
            let parsed = one(r#"foo; a="1\0""#);
            let param = Param { name: "a".into(), value: Some("10".into()), quoted: true };
            assert_eq!(parsed.extensions[0].params, [param]);
            assert_eq!(parsed.fault, None);
        }

        #[test]
        fn a_quoted_value_must_be_a_token() {
            assert_eq!(fault(r#"foo; a="1 0""#), (9, "a byte that may stand in a token"));
            assert_eq!(fault(r#"foo; a="""#), (8, "a value that is not empty"));
            assert_eq!(fault(r#"foo; a="10"#), (10, "a closing quote"));
            assert_eq!(fault(r#"foo; a="1\""#), (10, "a byte that may stand in a token"));
        }

        #[test]
        fn each_part_that_is_missing_is_named_with_its_place() {
            assert_eq!(fault("foo;"), (4, "a parameter name"));
            assert_eq!(fault("foo; =1"), (5, "a parameter name"));
            assert_eq!(fault("foo; a="), (7, "a parameter value"));
            assert_eq!(fault("foo bar"), (4, "a comma or a semicolon"));
            assert_eq!(fault("; a"), (0, "an extension name"));
            assert_eq!(fault("foo; a=\u{e9}"), (7, "a parameter value"));
        }

        #[test]
        fn a_header_without_any_element_is_a_fault_but_no_header_is_none() {
            assert_eq!(fault(""), (0, "an extension name"));
            assert_eq!(fault(" , "), (3, "an extension name"));
            assert_eq!(parse([]), Parsed::default());
            assert_eq!(parse([&b""[..], b"foo"]).fault, None);
        }

        #[test]
        fn what_stands_around_a_fault_is_still_read() {
            let parsed = one(r#"foo; a=1; =2, "x,y", bar"#);
            assert_eq!(shown(&parsed), ["foo; a=1", "bar"]);
            assert_eq!(parsed.fault.map(|f| f.at), Some(10));
        }

        #[test]
        fn a_head_full_of_elements_is_read_but_not_kept() {
            let parsed = one(&"a;b,".repeat(KEPT));
            assert_eq!((parsed.extensions.len(), parsed.more), (KEPT, false));
            let parsed = one(&"a;b,".repeat(KEPT + 1));
            assert_eq!((parsed.extensions.len(), parsed.more), (KEPT, true));
            let parsed = one(&format!("a{}", ";b".repeat(KEPT + 1)));
            assert_eq!((parsed.extensions[0].params.len(), parsed.more), (KEPT, true));
        }

        #[test]
        fn a_fault_reads_as_a_sentence() {
            let parsed = parse([&b"foo"[..], b"bar;;"]);
            assert_eq!(
                parsed.fault.unwrap().to_string(),
                "has ';' at byte 4 where a parameter name is wanted (header 2 of that name)"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value: Vec<u8>) {
            let parsed = parse([&value[..]]);
            for extension in &parsed.extensions {
                proptest::prop_assert!(extension.name.bytes().all(is_token_byte));
            }
        }

        #[test]
        fn what_is_shown_reads_back_the_same(
            value in r#"[a-z-]{1,9}(; ?[a-z_]{1,5}(=("[0-9]{1,2}"|[0-9a-z]{1,3}))?){0,3}"#
        ) {
            let first = one(&value);
            proptest::prop_assert_eq!(first.fault, None);
            let again = one(&shown(&first).join(", "));
            proptest::prop_assert_eq!(first, again);
        }
    }
}
