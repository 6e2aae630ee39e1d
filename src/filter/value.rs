//! How values compare.
//!
//! Gets: a value of an event and a literal. Gives: their order, where there is one.

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use super::ast::Literal;
use super::json::Found;

/// One value of a field, borrowed from the event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// There, and nothing to compare with: also a JSON object or array.
    Present,
    Int(i128),
    Float(f64),
    Bool(bool),
    Null,
    /// Text, bytes, and words.
    Bytes(&'a [u8]),
    Addr(IpAddr),
    Endpoint(SocketAddr),
}

impl<'a> From<Found<'a>> for Value<'a> {
    fn from(found: Found<'a>) -> Self {
        match found {
            Found::Null => Self::Null,
            Found::Bool(truth) => Self::Bool(truth),
            Found::Int(n) => Self::Int(n),
            Found::Float(n) => Self::Float(n),
            Found::Text(text) => Self::Bytes(text.as_bytes()),
            Found::Inner => Self::Present,
        }
    }
}

/// How a value stands to a literal; `None` where they do not compare (a JSON text and a number).
pub(super) fn compare(value: Value<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Int(a), Literal::Int(b) | Literal::Duration(b)) => Some(a.cmp(b)),
        (Value::Int(a), Literal::Time(b)) => Some(a.cmp(&i128::from(b.0))),
        (Value::Int(a), Literal::Float(b)) => float(a).partial_cmp(b),
        (Value::Float(a), Literal::Int(b)) => a.partial_cmp(&float(*b)),
        (Value::Float(a), Literal::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Literal::Bool(b)) => equal(a == *b),
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Bytes(a), Literal::Text(b)) => Some(a.cmp(b.as_bytes())),
        (Value::Bytes(a), Literal::Bytes(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Literal::Word(b)) => words(a, b.as_bytes()),
        (Value::Addr(a), Literal::Net(b)) => {
            if b.holds(a) {
                return Some(Ordering::Equal);
            }
            (a.is_ipv4() == b.addr.is_ipv4()).then(|| a.cmp(&b.addr))
        }
        (Value::Endpoint(a), Literal::Endpoint(net, port)) => {
            equal(net.holds(a.ip().to_canonical()) && port.is_none_or(|port| port == a.port()))
        }
        _ => None,
    }
}

/// How two literals of one field stand to each other; `None` where that says nothing.
pub(super) fn order(a: &Literal, b: &Literal) -> Option<Ordering> {
    let value = match a {
        Literal::Int(n) | Literal::Duration(n) => Value::Int(*n),
        Literal::Float(n) => Value::Float(*n),
        Literal::Time(time) => Value::Int(time.0.into()),
        Literal::Text(text) => Value::Bytes(text.as_bytes()),
        Literal::Bytes(bytes) => Value::Bytes(bytes),
        Literal::Word(word) => Value::Bytes(word.as_bytes()),
        Literal::Net(net) => Value::Addr(net.addr),
        _ => return None,
    };
    compare(value, b)
}

fn equal(yes: bool) -> Option<Ordering> {
    yes.then_some(Ordering::Equal)
}

/// Words are equal or not; severities also have a rank.
fn words(a: &[u8], b: &[u8]) -> Option<Ordering> {
    let rank = |word: &[u8]| [&b"info"[..], b"warning", b"error"].iter().position(|w| *w == word);
    if a == b { Some(Ordering::Equal) } else { Some(rank(a)?.cmp(&rank(b)?)) }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a number that has no more digits")]
const fn float(n: i128) -> f64 {
    n as f64
}
