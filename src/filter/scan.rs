//! The parser's cursor: characters, words, strings.
//!
//! Gets: the text and a place in it. Gives: what stands there, taken off.

use std::ops::Range;

use super::error::FilterError;
use super::field::is_word;
use super::literal::Raw;
use super::parse::Parser;
use super::text::shown;

impl<'a> Parser<'a> {
    /// A string, or a run of characters without quotes.
    pub(super) fn raw(&mut self, pattern: bool, in_set: bool) -> Result<Raw<'a>, FilterError> {
        let rest = self.rest();
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            return self.string(quote, pattern, false);
        }
        if rest.starts_with("r\"") {
            self.pos += 1;
            return self.string('"', pattern, true);
        }
        let fits =
            |c: char| !c.is_whitespace() && !c.is_control() && !"(){}\"',;&|!=<>~".contains(c);
        let mut run = leading(rest, fits);
        if in_set && let Some((before, _)) = run.split_once("..") {
            run = before;
        }
        self.pos += run.len();
        Ok(Raw::Bare(run))
    }

    /// A quoted string. With `raw`, a backslash is only that. In a pattern, only `\\` and the quote
    /// are escapes here, so that `"\d"` and Wireshark's `"\\d"` mean the same.
    pub(super) fn string(
        &mut self,
        quote: char,
        pattern: bool,
        raw: bool,
    ) -> Result<Raw<'a>, FilterError> {
        let open = self.pos;
        self.pos += 1;
        let mut bytes = Vec::new();
        loop {
            let at = self.pos;
            let Some(c) = self.take_char() else {
                let reason = format!("this {quote} is not closed");
                return Err(self.fail(open..open + 1, reason).suggest(format!("add {quote}")));
            };
            match c {
                c if c == quote => break,
                '\\' if !raw && pattern => match self.peek_here() {
                    Some(c) if c == '\\' || c == quote => {
                        self.take_char();
                        push(&mut bytes, c);
                    }
                    _ => bytes.push(b'\\'),
                },
                '\\' if !raw => self.escape(at, &mut bytes)?,
                c if c.is_control() => {
                    return Err(self
                        .fail(at..self.pos, "a control character in a string")
                        .suggest("write it as an escape: \\n, \\t, \\x1b"));
                }
                c => push(&mut bytes, c),
            }
        }
        Ok(Raw::Quoted(bytes))
    }

    fn escape(&mut self, start: usize, bytes: &mut Vec<u8>) -> Result<(), FilterError> {
        let kind = self.take_char();
        let code = match kind {
            Some('n') => Some(u32::from(b'\n')),
            Some('r') => Some(u32::from(b'\r')),
            Some('t') => Some(u32::from(b'\t')),
            Some('0') => Some(0),
            Some(c @ ('\\' | '"' | '\'')) => Some(u32::from(c)),
            Some('x') => {
                let byte = self.hex(2, 2).and_then(|code| u8::try_from(code).ok());
                if let Some(byte) = byte {
                    bytes.push(byte);
                    return Ok(());
                }
                None
            }
            Some('u') if self.eat_here("{") => self.hex(1, 6).filter(|_| self.eat_here("}")),
            Some('u') => self.hex(4, 4),
            _ => None,
        };
        if let Some(c) = code.and_then(char::from_u32) {
            push(bytes, c);
            return Ok(());
        }
        let typed = shown(self.slice(start..self.pos), 12);
        let error = self.fail(start..self.pos, format!("`{typed}` is no escape"));
        Err(error.suggest(
            "escapes are \\n \\r \\t \\0 \\\\ \\\" \\xff \\u{1f600}; a backslash itself is \\\\",
        ))
    }

    fn hex(&mut self, least: usize, most: usize) -> Option<u32> {
        let run = leading(self.rest(), |c| c.is_ascii_hexdigit());
        let digits = run.get(..most.min(run.len()))?;
        if digits.len() < least {
            return None;
        }
        self.pos += digits.len();
        u32::from_str_radix(digits, 16).ok()
    }

    pub(super) fn fail(&self, span: Range<usize>, reason: impl Into<String>) -> FilterError {
        FilterError::new(self.text, span, reason.into())
    }

    /// Skips white space.
    pub(super) fn space(&mut self) {
        self.pos += self.rest().len() - self.rest().trim_start().len();
    }

    /// Skips space; takes the symbol if it comes next.
    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        self.space();
        self.eat_here(symbol)
    }

    /// Takes the symbol if it stands right here.
    pub(super) fn eat_here(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        self.pos += if found { symbol.len() } else { 0 };
        found
    }

    /// Skips space; takes the word, whatever its letter case, if it comes next and goes no further.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.space();
        let found = leading(self.rest(), is_word).eq_ignore_ascii_case(word);
        self.pos += if found { word.len() } else { 0 };
        found
    }

    pub(super) fn take_char(&mut self) -> Option<char> {
        let c = self.peek_here()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    pub(super) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or("")
    }

    /// The next character that is no space.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().trim_start().chars().next()
    }

    pub(super) fn peek_here(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The bytes of the next character; empty at the end.
    pub(super) fn next_char(&self) -> Range<usize> {
        self.pos..self.pos + self.peek_here().map_or(0, char::len_utf8)
    }
}

/// The part of `text`, from its begin, that is made of such characters.
pub(super) fn leading(text: &str, fits: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

/// The nearest character boundary at or before a byte offset.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}
