//! Names in an expression: fields, headers, JSON paths.
//!
//! Gets: the parser at a name. Gives: the [`FieldRef`], or what may have been meant.

use super::error::FilterError;
use super::field::{FieldRef, FieldSpec, Id, Param, fields, is_word, lookup, names};
use super::json::{MAX_STEPS, Path, Step, is_key};
use super::literal::Raw;
use super::parse::Parser;
use super::scan::leading;
use super::text::{nearest, shown};

impl Parser<'_> {
    /// A field, with its header's name or path.
    pub(super) fn field(&mut self) -> Result<FieldRef, FilterError> {
        let start = self.pos;
        let word = leading(self.rest(), is_word);
        if word.is_empty() || matches!(word, "and" | "or" | "in" | "contains" | "matches") {
            return Err(self.no_field());
        }
        let root = word.get(..4).filter(|root| root.eq_ignore_ascii_case("json"));
        if root.is_some() && word.get(4..5).is_none_or(|next| next == ".") {
            self.pos += 4;
            let path = self.path()?;
            let spec = lookup("json").ok_or_else(|| self.no_field())?;
            return Ok(FieldRef { spec, param: Param::Path(path) });
        }
        self.pos += word.len();
        if let Some(spec) = lookup(word) {
            return Ok(FieldRef { spec, param: self.header_in_brackets(spec)? });
        }
        Self::header(word).ok_or_else(|| self.unknown_field(start, word))
    }

    /// `http.header.NAME`.
    pub(super) fn header(word: &str) -> Option<FieldRef> {
        let heads = fields().iter().filter(|spec| matches!(spec.id, Id::AnyHeader(_)));
        let word = word.to_ascii_lowercase();
        let found = heads.flat_map(|spec| names(spec).map(move |name| (spec, name)));
        found
            .filter_map(|(spec, name)| Some((spec, word.strip_prefix(name)?.strip_prefix('.')?)))
            .map(|(spec, name)| FieldRef { spec, param: Param::Header(name.to_owned()) })
            .next()
    }

    /// `http.header["NAME"]`, for names with characters that mean something here.
    fn header_in_brackets(&mut self, spec: &'static FieldSpec) -> Result<Param, FilterError> {
        if !matches!(spec.id, Id::AnyHeader(_)) {
            return Ok(Param::None);
        }
        if !self.eat_here("[") {
            return Ok(Param::Header(String::new()));
        }
        let name = self.bracketed_text()?;
        self.close_bracket()?;
        Ok(Param::Header(name.to_ascii_lowercase()))
    }

    /// The steps behind `json`.
    fn path(&mut self) -> Result<Path, FilterError> {
        let mut steps = Vec::new();
        loop {
            let start = self.pos;
            if self.eat_here(".") {
                if self.eat_here(".") {
                    steps.push(Step::Deep);
                }
                if self.peek_here() == Some('[') {
                    if steps.last() != Some(&Step::Deep) {
                        return Err(self.fail(start..self.pos, "a dot before `[`"));
                    }
                } else {
                    steps.push(self.member()?);
                }
            }
            if self.eat_here("[") {
                steps.push(self.bracket()?);
                self.close_bracket()?;
            }
            if self.pos == start {
                return Ok(Path(steps));
            }
            if steps.len() > MAX_STEPS {
                let reason = format!("a path of more than {MAX_STEPS} steps");
                return Err(self.fail(start..self.pos, reason));
            }
        }
    }

    fn member(&mut self) -> Result<Step, FilterError> {
        if self.eat_here("*") {
            return Ok(Step::Each);
        }
        if self.peek_here() == Some('"') {
            return Ok(Step::Key(self.bracketed_text()?));
        }
        let key = leading(self.rest(), is_key);
        if key.is_empty() {
            let reason = "a name, `*` or `\"a name\"` must follow the dot";
            return Err(self.fail(self.next_char(), reason));
        }
        self.pos += key.len();
        Ok(Step::Key(key.to_owned()))
    }

    fn bracket(&mut self) -> Result<Step, FilterError> {
        if self.eat_here("*") {
            return Ok(Step::Each);
        }
        if matches!(self.peek_here(), Some('"' | '\'')) {
            return Ok(Step::Key(self.bracketed_text()?));
        }
        let start = self.pos;
        let digits = leading(self.rest(), |c| c.is_ascii_digit());
        self.pos += digits.len();
        let span = if digits.is_empty() { self.next_char() } else { start..self.pos };
        let Ok(index) = digits.parse() else {
            let reason = "expected a number from 0, `*` or `\"a name\"` in the brackets";
            return Err(self.fail(span, reason));
        };
        Ok(Step::Index(index))
    }

    fn bracketed_text(&mut self) -> Result<String, FilterError> {
        let start = self.pos;
        let Some(quote @ ('"' | '\'')) = self.peek_here() else {
            return Err(self.fail(self.next_char(), "expected `\"a name\"` in the brackets"));
        };
        let Raw::Quoted(bytes) = self.string(quote, false, false)? else {
            return Err(self.fail(start..self.pos, "expected a name"));
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(self.fail(start..self.pos, "this name is not UTF-8"));
        };
        Ok(text)
    }

    fn close_bracket(&mut self) -> Result<(), FilterError> {
        if self.eat_here("]") {
            return Ok(());
        }
        Err(self.fail(self.next_char(), "expected `]`"))
    }

    fn no_field(&self) -> FilterError {
        let rest = self.rest();
        if rest.is_empty() {
            let whole = self.text.trim().is_empty();
            let reason = if whole { "the filter is empty" } else { "expected a field here" };
            return self
                .fail(self.pos..self.pos, reason)
                .suggest("for example `conn == 3`, `text contains \"x\"`");
        }
        let word = leading(rest, is_word);
        let span = if word.is_empty() { self.next_char() } else { self.pos..self.pos + word.len() };
        let reason = format!("expected a field, found `{}`", shown(self.slice(span.clone()), 40));
        let error = self.fail(span, reason);
        if rest.starts_with(['"', '\'']) {
            return error.suggest("to find text: `text contains \"...\"`");
        }
        error
    }

    fn unknown_field(&self, start: usize, word: &str) -> FilterError {
        let span = start..start + word.len();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let reason = format!("expected a field, found `{}`", shown(word, 40));
            return self.fail(span, reason).suggest("the field comes first: `conn == 3`");
        }
        let error = self.fail(span, format!("there is no field `{}`", shown(word, 40)));
        match nearest(word, fields().iter().flat_map(names)) {
            Some(near) => error.suggest(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}
