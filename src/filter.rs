//! The display filter: which events to show. One language for `-Y` in every command and for the UI.
//!
//! Gets: an expression, then events. Gives: yes or no for each ([`Filter::matches`]), or yes, no or
//! unknown where the payload is not at hand ([`Filter::decide`]). Keeps: one bit per connection for
//! each question about its handshake ([`Facts`]).
//!
//! ```text
//! text --parse--> Expr --compile--> predicate --ask(Subject)--> yes, no, unknown
//!        ^ field table: names, types, help
//! ```
//!
//! The language is Wireshark's where Wireshark has one (its Display Filter reference, version 4):
//!
//! - A field alone: it is there; a boolean field alone: it is true (Wireshark: it is there).
//! - `==` `!=` `>` `<` `>=` `<=` `contains` `matches` (`~`) `in {1, 5..9}` `not in`, and `eq`, `ne`,
//!   `gt`, `lt`, `ge`, `le`. A field can have several values (`ip.addr`, headers, `json..x`): any may
//!   satisfy the comparison, but `!=` and `not in` want that none equals, and that there is one.
//!   `not` in front has no such wish: `not conn == 3` is also true where there is no `conn`.
//! - `not` (`!`) binds tighter than `and` (`&&`), `and` tighter than `or` (`||`).
//! - `contains` minds the letter case, `matches` does not, unless the pattern says `(?-i)`.
//! - Strings in `"` or `'`, with `\n \t \" \\ \xff \u{1f600}`, or raw: `r"\d"`. Words need no quotes.
//! - `json.a.b[0]`, `json.a[*].b`, `json..b`, `json["odd key"]`: values in a payload that is JSON.
//!   They are typed: `json.id == 7` does not find `"7"`.
//!
//! ```
//! use wstap::filter::Filter;
//!
//! assert!(Filter::parse("dir == c2s and text contains \"subscribe\"").is_ok());
//! let error = Filter::parse("con == 3").unwrap_err();
//! assert_eq!((error.column(), error.suggestion()), (0, Some("did you mean `conn`?")));
//! ```

mod ast;
mod complete;
mod error;
mod field;
mod json;
mod literal;
mod names;
mod parse;
mod predicate;
mod scan;
mod sink;
mod subject;
mod table;
mod text;
mod value;
mod watch;

#[cfg(test)]
mod ask_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod parse_tests;

use std::fmt;

use smallvec::SmallVec;

pub use complete::{Completion, complete};
pub use error::FilterError;
pub use field::{FieldSpec, FieldType, fields};
pub use sink::FilterSink;
pub use subject::{Opening, Subject};
pub use watch::Watched;

use crate::event::{ConnInfo, Cx, Event, Handshake};
use crate::units::{ConnKey, Origin, StreamNo};
use ast::Expr;
use field::Id;
use predicate::{Node, Tri};

/// A filter, ready to be asked. Displayed, it is an expression of the same meaning.
#[derive(Debug, Clone)]
pub struct Filter {
    expr: Expr,
    root: Node,
    facts: usize,
    needs: Needs,
}

/// What a filter reads, to be computed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent answers, not states")]
pub struct Needs {
    /// [`Wants::payload`](crate::event::Wants): it reads payloads, or what only they tell (a
    /// compressed message's length, whether it is complete, its notes).
    pub payload: bool,
    /// [`Wants::frames`](crate::event::Wants): it asks for what only frames have (`fin`, `rsv`,
    /// `masked`, `mask`): without frames it finds nothing.
    pub frames: bool,
    /// It reads payloads as JSON, which costs more than searching them.
    pub json: bool,
    /// It asks for the handshake of an event's connection.
    pub handshake: bool,
    /// It asks for the processes at the ends.
    pub process: bool,
}

/// What the holder of an event did not keep: a row of a table has no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent answers, not states")]
pub struct Unknown {
    /// The payload.
    pub payload: bool,
    /// The notes of the event.
    pub notes: bool,
    /// Status code and reason of a Close.
    pub close: bool,
    /// How many frames a message came in.
    pub frames: bool,
}

/// What one filter found out from one handshake: all that it will ever ask of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(SmallVec<[u64; 1]>);

impl Facts {
    fn has(&self, fact: usize) -> bool {
        self.0.get(fact / 64).is_some_and(|bits| bits >> (fact % 64) & 1 == 1)
    }

    fn set(&mut self, fact: usize) {
        if self.0.len() <= fact / 64 {
            self.0.resize(fact / 64 + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(fact / 64) {
            *bits |= 1 << (fact % 64);
        }
    }
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is none: with the place, the reason, and what may have been meant.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(Self::new(parse::parse(text)?))
    }

    fn new(expr: Expr) -> Self {
        let mut facts = 0;
        let root = Node::new(&expr, &mut facts);
        let mut needs = Needs::default();
        root.leaves(&mut |leaf| needs.add(leaf.field.spec));
        Self { expr, root, facts, needs }
    }

    /// What it reads.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// Does it select the event. What is marked as unknown counts as not there.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let known = Subject { unknown: Unknown::default(), ..*subject };
        self.root.ask(&known) == Tri::Yes
    }

    /// Does it select the event, whatever [`Subject::unknown`] may turn out to be; `None` when that
    /// depends on it.
    pub fn decide(&self, subject: &Subject<'_>) -> Option<bool> {
        match self.root.ask(subject) {
            Tri::Yes => Some(true),
            Tri::No => Some(false),
            Tri::Unknown => None,
        }
    }

    /// [`Filter::decide`] for an event whose payload is not at hand.
    pub fn decide_without_payload(&self, subject: &Subject<'_>) -> Option<bool> {
        let unknown = Unknown { payload: true, ..subject.unknown };
        self.decide(&Subject { unknown, ..*subject })
    }

    /// Asks of a handshake all that it will ever ask: for [`Opening::Facts`], instead of keeping the
    /// handshake.
    pub fn facts(&self, handshake: &Handshake) -> Facts {
        let mut facts = Facts::default();
        if self.facts == 0 {
            return facts;
        }
        // The questions are about the handshake alone; whose it is does not matter.
        let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
        let conn = ConnInfo {
            key: ConnKey::default(),
            stream: StreamNo(0),
            client: nowhere,
            server: nowhere,
            tls: None,
            h2_stream: None,
        };
        let cx = Cx { conn: &conn, origin: Origin::default() };
        let event = Event::Handshake(handshake);
        let subject = Subject::new(&cx, &event);
        self.root.leaves(&mut |leaf| leaf.note(&subject, &mut facts));
        facts
    }
}

impl Needs {
    fn add(&mut self, spec: &FieldSpec) {
        self.handshake |= spec.is_of_handshake();
        match spec.id {
            Id::Json => (self.payload, self.json) = (true, true),
            Id::Text | Id::Data | Id::Payload | Id::Len | Id::Complete | Id::EndBytes => {
                self.payload = true;
            }
            Id::Note
            | Id::NoteCode
            | Id::NoteSeverity
            | Id::NoteBlame
            | Id::NoteText
            | Id::NoteRef => self.payload = true,
            Id::Process | Id::ProcessPid | Id::ProcessCommand => self.process = true,
            Id::Fin | Id::Rsv | Id::Masked | Id::Mask => self.frames = true,
            _ => {}
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

/// For fuzzing: the first byte is a cursor, the rest an expression.
///
/// # Panics
/// When a law of the language is broken: errors and completions point into the text, errors show no
/// control characters, what parses is displayed as something that parses to the same.
pub fn fuzz_filter(data: &[u8]) {
    let Some((&cursor, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    for completion in complete(&text, usize::from(cursor)) {
        assert!(text.get(completion.range.clone()).is_some(), "{completion:?}");
    }
    match parse::parse(&text) {
        Ok(expr) => {
            let shown = expr.to_string();
            assert_eq!(parse::parse(&shown).as_ref(), Ok(&expr), "{shown}");
        }
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{error:?}");
            assert!(!error.to_string().contains(|c: char| c.is_control() && c != '\n'));
        }
    }
}
