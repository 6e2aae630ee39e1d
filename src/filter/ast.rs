//! The syntax tree of a filter, already checked against the scheme: what is in it makes sense.
//!
//! Gets: nothing. Gives: [`Expr`]. Displayed, it is an expression that parses to the same tree.

use std::fmt;
use std::net::IpAddr;

use super::field::FieldRef;
use super::text::quoted;
use crate::units::Timestamp;

/// An expression. `And` and `Or` hold at least two, none of its own sort.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    /// The field alone: it is there; of a boolean: it is true.
    Has(FieldRef),
    Test(Test),
}

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Test {
    pub(super) field: FieldRef,
    pub(super) op: Op,
    /// What it is compared with: one, or the items of a set.
    pub(super) items: Vec<Item>,
}

/// A value, or a range of values with both ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) low: Literal,
    pub(super) high: Option<Literal>,
}

impl Expr {
    /// True when any of the parts is.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::Or, |part| match part {
            Self::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// True when all parts are.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::And, |part| match part {
            Self::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn join(
        parts: Vec<Self>,
        make: fn(Vec<Self>) -> Self,
        open: fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match open(part) {
                Ok(inner) => flat.extend(inner),
                Err(part) => flat.push(part),
            }
        }
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            last => {
                flat.extend(last);
                make(flat)
            }
        }
    }
}

/// A comparison operator. Fields can have several values: all but `Ne`, `AllEq` and `NotIn` are true
/// when any value does it; these three when all do, and there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    /// As Wireshark 4: no value equals.
    Ne,
    AllEq,
    AnyNe,
    Gt,
    Lt,
    Ge,
    Le,
    Contains,
    Matches,
    In,
    NotIn,
}

/// Every spelling of every operator, the one that is displayed first; longer symbols before those
/// that they begin with.
pub(super) const OPERATORS: &[(&str, Op, &str)] = &[
    ("===", Op::AllEq, "all values equal"),
    ("!==", Op::AnyNe, "any value differs"),
    ("==", Op::Eq, "equal"),
    ("!=", Op::Ne, "not equal: no value equals"),
    (">=", Op::Ge, "greater or equal"),
    ("<=", Op::Le, "less or equal"),
    (">", Op::Gt, "greater"),
    ("<", Op::Lt, "less"),
    ("contains", Op::Contains, "has this inside, letter case as given"),
    ("matches", Op::Matches, "a regular expression is found, whatever the letter case"),
    ("in", Op::In, "one of a set: in {1, 5..9}"),
    ("not in", Op::NotIn, "none of a set"),
    ("~", Op::Matches, "a regular expression is found, whatever the letter case"),
    ("eq", Op::Eq, "equal"),
    ("ne", Op::Ne, "not equal: no value equals"),
    ("gt", Op::Gt, "greater"),
    ("lt", Op::Lt, "less"),
    ("ge", Op::Ge, "greater or equal"),
    ("le", Op::Le, "less or equal"),
    ("any_eq", Op::Eq, "equal"),
    ("all_ne", Op::Ne, "not equal: no value equals"),
    ("all_eq", Op::AllEq, "all values equal"),
    ("any_ne", Op::AnyNe, "any value differs"),
];

impl Op {
    /// Its first spelling.
    pub(super) fn symbol(self) -> &'static str {
        OPERATORS.iter().find(|(_, op, _)| *op == self).map_or("", |(symbol, ..)| symbol)
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Int(i128),
    Float(f64),
    /// Nanoseconds.
    Duration(i128),
    Time(Timestamp),
    Bool(bool),
    Null,
    Text(String),
    Bytes(Vec<u8>),
    Word(&'static str),
    Net(Net),
    Endpoint(Net, Option<u16>),
    Pattern(Pattern),
}

/// An address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    pub(super) addr: IpAddr,
    /// How many bits count; `None`: all.
    pub(super) prefix: Option<u8>,
}

impl Net {
    /// Is the address one of it.
    pub(super) fn holds(self, addr: IpAddr) -> bool {
        match (self.addr, addr) {
            (IpAddr::V4(net), IpAddr::V4(addr)) => {
                let shift = 32_u32.saturating_sub(self.prefix.map_or(32, u32::from));
                ((net.to_bits() ^ addr.to_bits()).checked_shr(shift)).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(addr)) => {
                let shift = 128_u32.saturating_sub(self.prefix.map_or(128, u32::from));
                ((net.to_bits() ^ addr.to_bits()).checked_shr(shift)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)?;
        self.prefix.map_or(Ok(()), |bits| write!(f, "/{bits}"))
    }
}

/// A regular expression; equal when written the same.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) source: String,
    pub(super) regex: regex::bytes::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => join(f, parts, " or ", |_| false),
            Self::And(parts) => join(f, parts, " and ", |part| matches!(part, Self::Or(_))),
            Self::Not(part) => {
                f.write_str("not ")?;
                bracket(f, part, matches!(**part, Self::Or(_) | Self::And(_)))
            }
            Self::Has(field) => field.fmt(f),
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    between: &str,
    loose: fn(&Expr) -> bool,
) -> fmt::Result {
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            f.write_str(between)?;
        }
        bracket(f, part, loose(part))?;
    }
    Ok(())
}

fn bracket(f: &mut fmt::Formatter<'_>, part: &Expr, needed: bool) -> fmt::Result {
    if needed { write!(f, "({part})") } else { fmt::Display::fmt(part, f) }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.field, self.op.symbol())?;
        let set = matches!(self.op, Op::In | Op::NotIn);
        f.write_str(if set { "{" } else { "" })?;
        for (n, item) in self.items.iter().enumerate() {
            f.write_str(if n > 0 { ", " } else { "" })?;
            item.low.fmt(f)?;
            if let Some(high) = &item.high {
                write!(f, "..{high}")?;
            }
        }
        f.write_str(if set { "}" } else { "" })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Float(n) => write!(f, "{n:?}"),
            Self::Duration(ns) => seconds(f, *ns),
            Self::Time(time) => time.rfc3339().fmt(f),
            Self::Bool(truth) => truth.fmt(f),
            Self::Null => f.write_str("null"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Bytes(bytes) => hex(f, bytes),
            Self::Word(word) => f.write_str(word),
            Self::Net(net) | Self::Endpoint(net, None) => net.fmt(f),
            Self::Endpoint(net, Some(port)) => std::net::SocketAddr::new(net.addr, *port).fmt(f),
            Self::Pattern(pattern) => {
                // Only these two are escapes in a pattern; the rest is the regular expression's.
                write!(f, "\"{}\"", pattern.source.replace('\\', "\\\\").replace('"', "\\\""))
            }
        }
    }
}

/// Nanoseconds as seconds with as many digits as it takes.
fn seconds(f: &mut fmt::Formatter<'_>, ns: i128) -> fmt::Result {
    let (whole, part) = (ns.unsigned_abs() / 1_000_000_000, ns.unsigned_abs() % 1_000_000_000);
    write!(f, "{}{whole}", if ns < 0 { "-" } else { "" })?;
    if part == 0 {
        return Ok(());
    }
    write!(f, ".{}", format!("{part:09}").trim_end_matches('0'))
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if bytes.is_empty() {
        return f.write_str("\"\"");
    }
    for (n, byte) in bytes.iter().enumerate() {
        write!(f, "{}{byte:02x}", if n > 0 { ":" } else { "" })?;
    }
    Ok(())
}
