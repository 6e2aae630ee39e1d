//! Expression text to syntax tree, checked against the scheme.
//!
//! Gets: text. Gives: an [`Expr`], or a [`FilterError`] with the place. Keeps: what was expected
//! where, for completion.
//!
//! Written by hand, not with a parser library: how a literal is read depends on the field before it
//! (`01:02` is bytes, an address or text), every error names one place and what would fit there, and
//! completion asks the same parser what it expected. Combinators that backtrack make that worse.

use std::cmp::Ordering;
use std::ops::Range;

use super::ast::{Expr, Item, Literal, OPERATORS, Op, Test};
use super::error::FilterError;
use super::field::{FieldRef, FieldSpec, FieldType, Id, Param, is_word, lookup};
use super::json::{Path, is_key};
use super::literal::{self, Raw};
use super::scan::{floor, leading};
use super::text::{nearest, quoted, shown};
use super::value::order;

/// Parses a whole expression.
pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    Parser::new(text).whole()
}

/// The longest expression: generous for generated ones, small against its cost.
pub(super) const MAX_LEN: usize = 64 << 10;

/// How deep parentheses and `not` may nest: bounds the stack here and in all that walk the tree.
pub(super) const MAX_DEPTH: usize = 64;

/// What the parser looked for at some place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Expect {
    Field,
    Operator(&'static FieldSpec),
    Value(&'static FieldSpec),
    /// `and`, `or`, the end.
    More,
}

/// Regular expressions in one filter; each has a budget of its own, so their number needs one too.
pub(super) const MAX_PATTERNS: usize = 64;

/// The parser: where it is, and what it has met.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
    depth: usize,
    patterns: usize,
    /// What was looked for, at which byte, in the order of places.
    pub(super) expected: Vec<(usize, Expect)>,
}

impl<'a> Parser<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, pos: 0, depth: 0, patterns: 0, expected: Vec::new() }
    }

    pub(super) fn whole(&mut self) -> Result<Expr, FilterError> {
        if self.text.len() > MAX_LEN {
            let at = floor(self.text, MAX_LEN);
            return Err(self.fail(at..at, format!("longer than {MAX_LEN} bytes")));
        }
        let expr = self.any()?;
        match self.peek() {
            None => Ok(expr),
            Some(')') => Err(self.fail(self.next_char(), "there is no `(` for this `)`")),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// `or` binds loosest.
    fn any(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.all()?];
        while self.connective("||", "or") {
            parts.push(self.all()?);
        }
        Ok(Expr::or(parts))
    }

    fn all(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.unary()?];
        while self.connective("&&", "and") {
            parts.push(self.unary()?);
        }
        Ok(Expr::and(parts))
    }

    /// `not` binds tightest, but around a whole comparison.
    fn unary(&mut self) -> Result<Expr, FilterError> {
        self.expect(Expect::Field);
        let start = self.pos;
        if self.eat("!") || self.eat_word("not") {
            self.deeper(start)?;
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.eat("(") {
            self.deeper(start)?;
            let inner = self.any()?;
            if !self.eat(")") {
                if self.peek().is_some() {
                    return Err(self.unexpected());
                }
                return Err(self
                    .fail(start..start + 1, "this `(` is not closed")
                    .suggest("add `)`"));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        self.comparison()
    }

    fn deeper(&mut self, start: usize) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(start..self.pos, format!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    fn comparison(&mut self) -> Result<Expr, FilterError> {
        let start = self.pos;
        let field = self.field()?;
        let name = start..self.pos;
        self.expect(Expect::Operator(field.spec));
        let at = self.pos;
        let Some(op) = self.operator() else {
            return self.alone(field, name);
        };
        self.check_operator(&field, op, at..self.pos)?;
        let items = match op {
            Op::In | Op::NotIn => self.set(&field)?,
            _ => vec![Item { low: self.literal(&field, op, false)?, high: None }],
        };
        Ok(Expr::Test(Test { field, op, items }))
    }

    /// A field without a comparison behind it.
    fn alone(&self, field: FieldRef, name: Range<usize>) -> Result<Expr, FilterError> {
        if matches!(&field.param, Param::Header(header) if header.is_empty()) {
            let reason = format!("`{}` needs a header's name behind it", field.spec.name);
            return Err(self
                .fail(name, reason)
                .suggest(format!("for example `{}.origin`", field.spec.name)));
        }
        let rest = self.rest();
        let word = leading(rest, is_word);
        let fits = rest.is_empty()
            || rest.starts_with(')')
            || rest.starts_with("&&")
            || rest.starts_with("||")
            || ["and", "or"].iter().any(|known| known.eq_ignore_ascii_case(word));
        if fits {
            return Ok(Expr::Has(field));
        }
        Err(self.no_operator(&field, word))
    }

    fn no_operator(&self, field: &FieldRef, word: &str) -> FilterError {
        let what = if word.is_empty() { leading(self.rest(), is_symbol) } else { word };
        let what = if what.is_empty() { self.slice(self.next_char()) } else { what };
        let span = self.pos..self.pos + what.len();
        let error = self.fail(
            span,
            format!("expected an operator behind `{field}`, found `{}`", shown(what, 40)),
        );
        match what {
            "=" | "is" | "equals" | ":" => error.suggest("did you mean `==`?"),
            "<>" | "=!" => error.suggest("did you mean `!=`?"),
            "=>" => error.suggest("did you mean `>=`?"),
            "=<" => error.suggest("did you mean `<=`?"),
            "=~" | "~=" | "like" => error.suggest("did you mean `matches`?"),
            "has" | "includes" => error.suggest("did you mean `contains`?"),
            "&" => error.suggest("did you mean `&&`?"),
            "|" => error.suggest("did you mean `||`?"),
            word => {
                let known = OPERATORS.iter().map(|(name, ..)| *name).chain(["and", "or"]);
                match nearest(word, known.filter(|name| name.starts_with(is_word))) {
                    Some(near) => error.suggest(format!("did you mean `{near}`?")),
                    None => error,
                }
            }
        }
    }

    fn check_operator(
        &self,
        field: &FieldRef,
        op: Op,
        span: Range<usize>,
    ) -> Result<(), FilterError> {
        let kind = field.spec.kind;
        let textual =
            matches!(kind, FieldType::Text | FieldType::Bytes | FieldType::Word | FieldType::Json);
        let fits = match op {
            _ if kind == FieldType::Presence => false,
            _ if field.spec.id == Id::Json && field.param == Param::Path(Path::default()) => false,
            Op::Eq | Op::Ne | Op::AllEq | Op::AnyNe => true,
            Op::Contains | Op::Matches => textual,
            Op::Gt | Op::Lt | Op::Ge | Op::Le => field.spec.is_ordered(),
            Op::In | Op::NotIn => kind != FieldType::Boolean,
        };
        if fits {
            return self.check_header(field, span);
        }
        let typed = self.slice(span.clone());
        let reason =
            format!("`{}` does not apply to `{field}` ({})", shown(typed, 40), kind.name());
        let advice = match kind {
            FieldType::Presence => format!("use `{field}` alone"),
            FieldType::Json if !textual || field.param == Param::Path(Path::default()) => {
                "use `json` alone, or a path: `json.type == \"ack\"`".to_owned()
            }
            FieldType::Address | FieldType::Endpoint => {
                format!("use `==` with a prefix: `{field} == 10.0.0.0/8`")
            }
            _ if !field.spec.is_ordered() => "use `==`, `!=` or `in {...}`".to_owned(),
            _ => "use `==`, `!=`, `>`, `<`, `>=`, `<=` or `in {...}`".to_owned(),
        };
        Err(self.fail(span, reason).suggest(advice))
    }

    fn check_header(&self, field: &FieldRef, at: Range<usize>) -> Result<(), FilterError> {
        match &field.param {
            Param::Header(name) if name.is_empty() => {
                let reason = format!("`{}` needs a header's name behind it", field.spec.name);
                Err(self
                    .fail(at.start..at.start, reason)
                    .suggest(format!("for example `{}.origin`", field.spec.name)))
            }
            _ => Ok(()),
        }
    }

    /// The operator at hand; `None`, and nothing taken, when there is none.
    fn operator(&mut self) -> Option<Op> {
        let rest = self.rest();
        let word = leading(rest, |c| c.is_ascii_alphanumeric() || c == '_');
        if word.is_empty() {
            let (symbol, op, _) = OPERATORS.iter().find(|(symbol, ..)| rest.starts_with(symbol))?;
            // `=~`, `=>`, `<>` are other languages': taking their first half would mislead.
            let whole = leading(rest, is_symbol);
            let foreign = ["<>", "~="].contains(&whole);
            if foreign {
                return None;
            }
            self.pos += symbol.len();
            return Some(*op);
        }
        if word.eq_ignore_ascii_case("not") {
            let start = self.pos;
            self.pos += word.len();
            self.space();
            if self.eat_word("in") {
                return Some(Op::NotIn);
            }
            self.pos = start;
            return None;
        }
        let (_, op, _) = OPERATORS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word))?;
        self.pos += word.len();
        Some(*op)
    }

    /// `{1, 2, 5..9}`; spaces separate as well as commas.
    fn set(&mut self, field: &FieldRef) -> Result<Vec<Item>, FilterError> {
        self.space();
        let open = self.pos;
        if !self.eat("{") {
            return Err(self
                .fail(self.next_char(), "expected `{` behind `in`")
                .suggest("for example `in {1, 2, 5..9}`"));
        }
        let mut items = Vec::new();
        loop {
            self.expect(Expect::Value(field.spec));
            if !items.is_empty() && self.eat("}") {
                return Ok(items);
            }
            if self.peek().is_none() {
                return Err(self.fail(open..open + 1, "this `{` is not closed").suggest("add `}`"));
            }
            if self.peek() == Some('}') {
                return Err(self.fail(self.next_char(), "the set is empty"));
            }
            items.push(self.item(field)?);
            self.space();
            self.eat(",");
        }
    }

    fn item(&mut self, field: &FieldRef) -> Result<Item, FilterError> {
        let start = self.pos;
        let low = self.literal(field, Op::In, true)?;
        self.space();
        let at = self.pos;
        if !self.eat("..") {
            return Ok(Item { low, high: None });
        }
        if !field.spec.is_ordered() {
            let reason =
                format!("a range does not apply to `{field}` ({})", field.spec.kind.name());
            return Err(self.fail(at..self.pos, reason).suggest("list the values: `{a, b}`"));
        }
        self.expect(Expect::Value(field.spec));
        let high = self.literal(field, Op::In, true)?;
        if order(&low, &high) == Some(Ordering::Greater) {
            let reason = "the range ends before it begins";
            return Err(self
                .fail(start..self.pos, reason)
                .suggest("the smaller value comes first"));
        }
        Ok(Item { low, high: Some(high) })
    }

    fn literal(&mut self, field: &FieldRef, op: Op, in_set: bool) -> Result<Literal, FilterError> {
        self.expect(Expect::Value(field.spec));
        let start = self.pos;
        let raw = self.raw(op == Op::Matches, in_set)?;
        let span = start..self.pos;
        self.patterns += usize::from(op == Op::Matches);
        if self.patterns > MAX_PATTERNS {
            let reason = format!("more than {MAX_PATTERNS} regular expressions");
            return Err(self.fail(span, reason).suggest("join them: `matches \"a|b|c\"`"));
        }
        if matches!(&raw, Raw::Bare("")) {
            let found = self.peek().map_or("the end", |_| self.slice(self.next_char()));
            let at = if self.peek().is_some() { self.next_char() } else { start..start };
            let reason = format!(
                "expected a value for `{field}` ({}), found {}",
                field.spec.kind.name(),
                shown(found, 40)
            );
            return Err(self.fail(at, reason));
        }
        literal::read(field, op, &raw).map_err(|fault| {
            let error = self.fail(span, fault.reason);
            match fault.suggestion {
                Some(suggestion) => error.suggest(suggestion),
                None => error,
            }
        })
    }

    /// Something behind a whole comparison.
    fn unexpected(&self) -> FilterError {
        let rest = self.rest();
        let word = leading(rest, is_word);
        let what = if word.is_empty() { self.slice(self.next_char()) } else { word };
        let span = self.pos..self.pos + what.len();
        let reason = format!("expected `and`, `or` or the end, found `{}`", shown(what, 40));
        let error = self.fail(span, reason);
        match what {
            "&" => error.suggest("did you mean `&&`?"),
            "|" => error.suggest("did you mean `||`?"),
            word if lookup(word).is_some() || Self::header(word).is_some() => {
                error.suggest(format!("did you mean `and {}`?", shown(word, 40)))
            }
            word => match nearest(word, ["and", "or"]) {
                Some(near) => error.suggest(format!("did you mean `{near}`?")),
                None if word.starts_with(is_key) => {
                    error.suggest(format!("text of several words needs quotes: {}", quoted("a b")))
                }
                None => error,
            },
        }
    }

    fn expect(&mut self, what: Expect) {
        self.space();
        self.expected.push((self.pos, what));
    }

    fn connective(&mut self, symbol: &str, word: &str) -> bool {
        self.expect(Expect::More);
        self.eat(symbol) || self.eat_word(word)
    }
}

const fn is_symbol(c: char) -> bool {
    matches!(c, '=' | '!' | '<' | '>' | '~' | '&' | '|' | ':')
}
