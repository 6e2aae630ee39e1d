//! A syntax tree made ready to be asked a million times.
//!
//! Gets: an [`Expr`]. Gives: a [`Node`], which answers for a [`Subject`] with yes, no or unknown.
//! Keeps: compiled searches; asking allocates nothing.
//!
//! An enum, not closures: it can be shown, cloned and sent to threads, and it knows its cost.

use std::cmp::Ordering;

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::Facts;
use super::ast::{Expr, Item, Literal, Op, Test};
use super::field::{FieldRef, FieldType, Id};
use super::subject::{Opening, Shown, Subject};
use super::value::{Value, compare};

/// An answer in Kleene's logic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tri {
    Yes,
    No,
    Unknown,
}

/// A predicate.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Any of these; the cheapest first.
    Or(Box<[Self]>),
    /// All of these; the cheapest first.
    And(Box<[Self]>),
    Not(Box<Self>),
    Leaf(Box<Leaf>),
}

/// A question about one field.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) field: FieldRef,
    check: Check,
    /// How many values have to pass: all of at least one, or any.
    all: bool,
    /// Its bit in [`Facts`], when the handshake alone decides it.
    fact: Option<usize>,
}

/// A question about one value.
#[derive(Debug, Clone)]
enum Check {
    There,
    /// The order is one of these, and is it.
    Order(Literal, fn(Option<Ordering>) -> bool),
    Inside(Box<[Item]>),
    NotInside(Box<[Item]>),
    Contains(Box<Finder<'static>>),
    Matches(Regex),
}

impl Node {
    /// Compiles a tree; `facts` counts the leaves that the handshake alone decides.
    pub(super) fn new(expr: &Expr, facts: &mut usize) -> Self {
        match expr {
            Expr::Or(parts) => Self::Or(Self::sorted(parts, facts)),
            Expr::And(parts) => Self::And(Self::sorted(parts, facts)),
            Expr::Not(part) => Self::Not(Box::new(Self::new(part, facts))),
            Expr::Has(field) if field.spec.kind == FieldType::Boolean => {
                let check =
                    Check::Order(Literal::Bool(true), |order| order == Some(Ordering::Equal));
                Self::leaf(field, check, false, facts)
            }
            Expr::Has(field) => Self::leaf(field, Check::There, false, facts),
            Expr::Test(test) => {
                let all = matches!(test.op, Op::Ne | Op::AllEq | Op::NotIn);
                Self::leaf(&test.field, Check::new(test), all, facts)
            }
        }
    }

    // The order of the parts is free: nothing has side effects.
    fn sorted(parts: &[Expr], facts: &mut usize) -> Box<[Self]> {
        let mut nodes: Vec<_> = parts.iter().map(|part| Self::new(part, facts)).collect();
        nodes.sort_by_key(Self::cost);
        nodes.into()
    }

    fn leaf(field: &FieldRef, check: Check, all: bool, facts: &mut usize) -> Self {
        let fact = field.spec.is_of_handshake().then(|| {
            *facts += 1;
            *facts - 1
        });
        Self::Leaf(Box::new(Leaf { field: field.clone(), check, all, fact }))
    }

    fn cost(&self) -> u32 {
        match self {
            Self::Or(parts) | Self::And(parts) => {
                parts.iter().map(Self::cost).fold(0, u32::saturating_add)
            }
            Self::Not(part) => part.cost(),
            Self::Leaf(leaf) => match (leaf.field.spec.id, &leaf.check) {
                (Id::Json, _) => 1000,
                (Id::Text | Id::Data | Id::Payload, Check::Matches(_)) => 200,
                (Id::Text | Id::Data | Id::Payload, Check::Contains(_)) => 100,
                (_, Check::Matches(_)) => 20,
                (_, Check::Contains(_)) => 10,
                _ => 1,
            },
        }
    }

    /// Shows every leaf.
    pub(super) fn leaves(&self, show: &mut dyn FnMut(&Leaf)) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.leaves(show)),
            Self::Not(part) => part.leaves(show),
            Self::Leaf(leaf) => show(leaf),
        }
    }

    /// Does the subject satisfy it, as far as is known.
    pub(super) fn ask(&self, subject: &Subject<'_>) -> Tri {
        match self {
            Self::Or(parts) => first(parts, subject, Tri::Yes, Tri::No),
            Self::And(parts) => first(parts, subject, Tri::No, Tri::Yes),
            Self::Not(part) => match part.ask(subject) {
                Tri::Yes => Tri::No,
                Tri::No => Tri::Yes,
                Tri::Unknown => Tri::Unknown,
            },
            Self::Leaf(leaf) => leaf.ask(subject),
        }
    }
}

/// `decisive` if any part gives it; else unknown if any part does; else the `rest`.
fn first(parts: &[Node], subject: &Subject<'_>, decisive: Tri, rest: Tri) -> Tri {
    let mut answer = rest;
    for part in parts {
        match part.ask(subject) {
            tri if tri == decisive => return decisive,
            Tri::Unknown => answer = Tri::Unknown,
            _ => {}
        }
    }
    answer
}

impl Leaf {
    fn ask(&self, subject: &Subject<'_>) -> Tri {
        if let (Some(fact), Opening::Facts(facts)) = (self.fact, subject.opening) {
            return if facts.has(fact) { Tri::Yes } else { Tri::No };
        }
        let (mut any, mut every) = (false, true);
        let shown = subject.each(&self.field, &mut |value| {
            if self.all || !any {
                let pass = self.check.pass(value);
                any |= pass;
                every &= pass;
            }
        });
        match shown {
            Shown::Unknown => Tri::Unknown,
            // With no value at all, `any` stays false.
            Shown::All if any && (every || !self.all) => Tri::Yes,
            Shown::All | Shown::Void => Tri::No,
        }
    }

    /// Puts what the handshake decides into the facts.
    pub(super) fn note(&self, subject: &Subject<'_>, facts: &mut Facts) {
        if let Some(fact) = self.fact
            && self.ask(subject) == Tri::Yes
        {
            facts.set(fact);
        }
    }
}

impl Check {
    fn new(test: &Test) -> Self {
        if matches!(test.op, Op::In) {
            return Self::Inside(test.items.clone().into());
        }
        if matches!(test.op, Op::NotIn) {
            return Self::NotInside(test.items.clone().into());
        }
        let Some(literal) = test.items.first().map(|item| item.low.clone()) else {
            return Self::Inside(Box::default());
        };
        match (test.op, literal) {
            (Op::Matches, Literal::Pattern(pattern)) => Self::Matches(pattern.regex),
            (Op::Contains, Literal::Text(needle)) => Self::contains(needle.as_bytes()),
            (Op::Contains, Literal::Bytes(needle)) => Self::contains(&needle),
            (op, literal) => Self::Order(literal, accepts(op)),
        }
    }

    fn contains(needle: &[u8]) -> Self {
        Self::Contains(Box::new(Finder::new(needle).into_owned()))
    }

    fn pass(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::There, _) => true,
            (Self::Order(literal, accepts), value) => accepts(compare(value, literal)),
            (Self::Inside(items), value) => items.iter().any(|item| is_in(value, item)),
            (Self::NotInside(items), value) => !items.iter().any(|item| is_in(value, item)),
            (Self::Contains(finder), Value::Bytes(bytes)) => finder.find(bytes).is_some(),
            (Self::Matches(regex), Value::Bytes(bytes)) => regex.is_match(bytes),
            (Self::Contains(_) | Self::Matches(_), _) => false,
        }
    }
}

/// Which orders of value to literal satisfy an operator.
fn accepts(op: Op) -> fn(Option<Ordering>) -> bool {
    match op {
        Op::Ne | Op::AnyNe => |order| order != Some(Ordering::Equal),
        Op::Gt => |order| order == Some(Ordering::Greater),
        Op::Lt => |order| order == Some(Ordering::Less),
        Op::Ge => |order| order.is_some_and(Ordering::is_ge),
        Op::Le => |order| order.is_some_and(Ordering::is_le),
        _ => |order| order == Some(Ordering::Equal),
    }
}

fn is_in(value: Value<'_>, item: &Item) -> bool {
    let order = compare(value, &item.low);
    match &item.high {
        None => order == Some(Ordering::Equal),
        Some(high) => {
            order.is_some_and(Ordering::is_ge) && compare(value, high).is_some_and(Ordering::is_le)
        }
    }
}
