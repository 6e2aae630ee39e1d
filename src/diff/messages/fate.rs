//! Which messages were changed into which, and what is said of each fate.
//!
//! Gets: messages that stand between two equal ones. Gives: partners that look alike, and alterations.

use serde_json::{Value, json};

use super::super::collect::{Leg, Msg};
use super::super::heads::clip;
use super::super::{Alteration, Found};
use super::{Fate, Way};
use crate::event::MessageKind;
use crate::note::NoteCode;
use crate::units::{Count, Direction, MessageNo};

/// Pairs of places in `left` and `right`, increasing in both, of messages that became each other.
pub(super) fn partners(way: &Way<'_>, left: &[usize], right: &[usize]) -> Vec<(usize, usize)> {
    let cells = left.len().saturating_mul(right.len());
    if cells == 0 {
        return Vec::new();
    }
    if cells > CELLS {
        // Too many to weigh: in their order, as far as they look alike.
        let pairs = (0..left.len().min(right.len())).map(|i| (i, i));
        return pairs.filter(|&(i, j)| weigh(way, left, right, i, j) > 0).collect();
    }
    let width = right.len() + 1;
    let mut best = vec![0_u32; (left.len() + 1) * width];
    let get = |best: &[u32], i: usize, j: usize| best.get(i * width + j).copied().unwrap_or(0);
    let weights: Vec<u32> =
        (0..cells).map(|at| weigh(way, left, right, at / right.len(), at % right.len())).collect();
    let weight = |i: usize, j: usize| weights.get(i * right.len() + j).copied().unwrap_or(0);
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let mut value = get(&best, i + 1, j).max(get(&best, i, j + 1));
            if weight(i, j) > 0 {
                value = value.max(get(&best, i + 1, j + 1).saturating_add(weight(i, j)));
            }
            if let Some(cell) = best.get_mut(i * width + j) {
                *cell = value;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < left.len() && j < right.len() {
        let here = get(&best, i, j);
        let taken = get(&best, i + 1, j + 1).saturating_add(weight(i, j));
        if weight(i, j) > 0 && here == taken {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == get(&best, i + 1, j) {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// How well one message may have become another: 0 not at all.
fn weigh(way: &Way<'_>, left: &[usize], right: &[usize], i: usize, j: usize) -> u32 {
    let (Some(&from), Some(&to)) = (left.get(i), right.get(j)) else { return 0 };
    let (Some(first), Some(other)) = (way.msg(0, from), way.msg(1, to)) else { return 0 };
    let close = |m: &Msg| m.kind == MessageKind::Close;
    if close(first) && close(other) {
        return 1000;
    }
    if !way.causal(from, to) {
        return 0;
    }
    let alike = similarity(&first.payload, &other.payload);
    let prompt = way.delay(from, to).is_none_or(|delay| delay <= PROMPT);
    // Alone in their place and passed on at once, they are one message however little is left of it.
    let in_place = left.len() == right.len() && i == j && prompt;
    if alike >= ALIKE || in_place { alike.max(1) } else { 0 }
}

/// How alike two byte strings are, 0 to 1000: pairs of neighbouring bytes that both have.
fn similarity(a: &[u8], b: &[u8]) -> u32 {
    let (a, b) = (a.get(..COMPARED).unwrap_or(a), b.get(..COMPARED).unwrap_or(b));
    let mut bins = vec![0_i32; 4096];
    let bin = |pair: &[u8]| match pair {
        [x, y] => usize::from(*x).wrapping_mul(31).wrapping_add(usize::from(*y)) & 4095,
        _ => 0,
    };
    for pair in a.windows(2) {
        if let Some(slot) = bins.get_mut(bin(pair)) {
            *slot += 1;
        }
    }
    let mut shared = 0_usize;
    for pair in b.windows(2) {
        if let Some(slot) = bins.get_mut(bin(pair)).filter(|slot| **slot > 0) {
            *slot -= 1;
            shared += 1;
        }
    }
    let all = a.len().saturating_add(b.len()).saturating_sub(2);
    let share = shared.saturating_mul(2000).checked_div(all).unwrap_or(0);
    u32::try_from(share).unwrap_or(1000).min(1000)
}

impl Way<'_> {
    /// Says what is to be said of a fate.
    pub(super) fn report(&self, fate: &Fate, found: &mut Found) {
        match *fate {
            Fate::Same(a, b) => self.reframed(a, b, found),
            Fate::Changed(a, b) => self.changed(a, b, found),
            Fate::Reordered(a, b) => {
                self.one(NoteCode::MessageReordered, [Some(a), Some(b)], found, |m| {
                    let there = self.msg(1, b).map_or(0, |m| m.no.0);
                    let text = format!(
                        "The {} message {} {} was passed on out of order, as number {there}.",
                        m.kind.name(),
                        self.dir,
                        m.no
                    );
                    (json!(m.no.0), json!(there), text, false)
                });
            }
            Fate::Lost(a) => self.lost_one(a, found),
            Fate::Injected(b) => self.one(NoteCode::MessageInjected, [None, Some(b)], found, |m| {
                (Value::Null, shown(m), self.injected_text(m), false)
            }),
            Fate::Unknown => {}
        }
    }

    /// Adds an alteration of a message at its places along the way. `say` gives what it is on the
    /// first side and on the other.
    fn one(
        &self,
        code: NoteCode,
        places: [Option<usize>; 2],
        found: &mut Found,
        say: impl FnOnce(&Msg) -> (Value, Value, String, bool),
    ) {
        let [first, other] = self.on_the_way(places);
        let Some(message) = first.or(other) else { return };
        found.add(false, || {
            let (before, after, text, expected) = say(message);
            self.alteration(code, [first, other], before, after, text, expected)
        });
    }

    fn on_the_way(&self, [first, other]: [Option<usize>; 2]) -> [Option<&Msg>; 2] {
        [first.and_then(|at| self.msg(0, at)), other.and_then(|at| self.msg(1, at))]
    }

    fn alteration(
        &self,
        code: NoteCode,
        messages: [Option<&Msg>; 2],
        first: Value,
        other: Value,
        text: String,
        expected: bool,
    ) -> Alteration {
        let mut numbers = messages.map(|message| message.map(|message| message.no));
        let no = numbers.into_iter().flatten().next().unwrap_or(MessageNo(0));
        let what = format!("{} {no}", self.dir);
        // Before is the client leg, whichever way the message goes.
        let (before, after) = match self.dir {
            Direction::ToServer => (first, other),
            Direction::ToClient => (other, first),
        };
        if self.dir == Direction::ToClient {
            numbers.reverse();
        }
        let (dir, text) = (self.dir, text.into());
        Alteration { code, dir, what, before, after, text, expected, numbers }
    }

    /// Equal in content: was it cut or compressed another way?
    fn reframed(&self, a: usize, b: usize, found: &mut Found) {
        let (Some(first), Some(other)) = (self.msg(0, a), self.msg(1, b)) else { return };
        let both = [Some(first), Some(other)];
        // RFC 6455 section 5.4: an intermediary may change the fragmentation of a message.
        if first.frames != other.frames {
            found.add(true, || {
                let text = format!(
                    "The {} message {} {} was sent in {} and passed on in {}: the same content.",
                    first.kind.name(),
                    self.dir,
                    first.no,
                    frames(first.frames),
                    frames(other.frames)
                );
                let (x, y) = (json!(first.frames), json!(other.frames));
                self.alteration(NoteCode::Refragmented, both, x, y, text, true)
            });
        }
        let packed = first.compressed != other.compressed
            || first.compressed && first.wire_len != other.wire_len;
        if packed {
            found.add(true, || {
                let say = |m: &Msg| if m.compressed { "compressed" } else { "not compressed" };
                let text = format!(
                    "The {} message {} {} was sent {} in {} and passed on {} in {}: the same content.",
                    first.kind.name(),
                    self.dir,
                    first.no,
                    say(first),
                    Count(first.wire_len, "byte"),
                    say(other),
                    other.wire_len
                );
                let wire = |m: &Msg| json!({"compressed": m.compressed, "wire_len": m.wire_len});
                let (x, y) = (wire(first), wire(other));
                self.alteration(NoteCode::Recompressed, both, x, y, text, true)
            });
        }
    }

    fn changed(&self, a: usize, b: usize, found: &mut Found) {
        let (Some(first), Some(other)) = (self.msg(0, a), self.msg(1, b)) else { return };
        let close = first.kind == MessageKind::Close;
        let code = if close { NoteCode::CloseChanged } else { NoteCode::MessageChanged };
        found.add(false, || {
            let text = if close && !self.causal(a, b) {
                format!(
                    "The {} closed with {}; the proxy had sent {} of its own on the other leg.",
                    self.dir.sender(),
                    close_text(first),
                    close_text(other)
                )
            } else if close {
                format!(
                    "The {} closed with {}, the proxy passed on {}.",
                    self.dir.sender(),
                    close_text(first),
                    close_text(other)
                )
            } else if first.kind == other.kind {
                format!(
                    "The proxy changed the {} message {} {} ({} became {}).",
                    first.kind.name(),
                    self.dir,
                    first.no,
                    Count(first.len, "byte"),
                    other.len
                )
            } else {
                format!(
                    "The proxy made the {} message {} {} a {} message.",
                    first.kind.name(),
                    self.dir,
                    first.no,
                    other.kind.name()
                )
            };
            self.alteration(
                code,
                [Some(first), Some(other)],
                shown(first),
                shown(other),
                text,
                false,
            )
        });
    }

    fn lost_one(&self, at: usize, found: &mut Found) {
        let Some(message) = self.msg(0, at) else { return };
        let late = self.after_end(at);
        let own = self.answers_own_close(message);
        // A leg that its far end has closed takes nothing any more, whatever the proxy is. And the
        // answer to a Close goes no further than that Close came from (RFC 6455 section 5.5.1).
        let expected = late == Some(true) || own;
        found.add(expected, || {
            let name = format!("{} message {} {}", message.kind.name(), self.dir, message.no);
            let text = match late {
                _ if own => {
                    format!("The {name} answers a Close of the proxy's own and was not passed on.")
                }
                Some(true) => format!(
                    "The {name} could not be passed on: the {} had ended the other leg.",
                    self.dir.flip().sender()
                ),
                Some(false) => {
                    format!("The {name} was not passed on: the proxy had ended the other leg.")
                }
                None => self.lost_text(message, &name),
            };
            self.alteration(
                NoteCode::MessageLost,
                [Some(message), None],
                shown(message),
                Value::Null,
                text,
                expected,
            )
        });
    }

    /// Is it the answer to a Close that was on its leg only?
    fn answers_own_close(&self, message: &Msg) -> bool {
        let asked = |leg: &Leg| {
            let mut back = leg.messages[self.dir.flip()].iter();
            back.find(|m| m.kind == MessageKind::Close).map(|m| m.origin.packet)
        };
        let [here, there] = self.legs;
        let missed = !there.gaps[self.dir.flip()].is_empty();
        message.kind == MessageKind::Close
            && asked(here).is_some_and(|packet| packet < message.origin.packet)
            && asked(there).is_none()
            && !missed
    }

    /// Was the message sent when the other leg had ended? True when its far end ended it.
    fn after_end(&self, at: usize) -> Option<bool> {
        let end = self.legs.get(1)?.end.as_ref()?;
        if end.how == crate::event::EndHow::CaptureEnd {
            return None;
        }
        let ended = self.shifted(1, end.origin.time?);
        let late = self.time(0, at)? > ended.saturating_add(self.slack);
        late.then(|| end.by == Some(self.dir.flip()))
    }

    fn lost_text(&self, message: &Msg, name: &str) -> String {
        let response = self.legs.first().and_then(|leg| leg.response());
        let with_101 = self.dir == Direction::ToClient
            && message.no.0 == 1
            && response.is_some_and(|r| r.origin.packet == message.begin);
        if with_101 {
            return format!(
                "The {name} came in the packet of the 101, and the proxy did not pass it on: bytes \
                 behind the response head were dropped."
            );
        }
        let here = self.legs.first().copied();
        match message.kind {
            MessageKind::Ping if answers(here, self.dir.flip(), MessageKind::Pong, message) => {
                format!("The {name} was not passed on: the proxy answered it itself.")
            }
            MessageKind::Pong if answers(here, self.dir.flip(), MessageKind::Ping, message) => {
                format!("The {name} answers a ping and was not passed on.")
            }
            _ => format!("The {name} was not passed on."),
        }
    }

    fn injected_text(&self, message: &Msg) -> String {
        let name = format!("{} message {} {}", message.kind.name(), self.dir, message.no);
        let there = self.legs.get(1).copied();
        match message.kind {
            MessageKind::Pong if answers(there, self.dir.flip(), MessageKind::Ping, message) => {
                format!("The {name} is the proxy's own answer to a ping.")
            }
            MessageKind::Ping => format!("The {name} is the proxy's own, to keep the leg alive."),
            MessageKind::Close => format!(
                "The {name} is the proxy's own: {} did not come from the {}.",
                close_text(message),
                self.dir.sender()
            ),
            _ => format!("The {name} was not sent by the {}.", self.dir.sender()),
        }
    }
}

/// Is there a control frame of this kind, the other way on the same leg, with the same payload?
fn answers(leg: Option<&Leg>, dir: Direction, kind: MessageKind, message: &Msg) -> bool {
    let twin = |m: &Msg| m.kind == kind && m.hash.is_some() && m.hash == message.hash;
    leg.is_some_and(|leg| leg.messages[dir].iter().take(SEARCHED).any(twin))
}

fn frames(n: u32) -> String {
    if n == 1 { "1 frame".to_owned() } else { format!("{n} frames") }
}

fn close_text(message: &Msg) -> String {
    match message.close_code {
        None => "no status code".to_owned(),
        Some(code) => match std::str::from_utf8(message.close_reason()) {
            Ok("") => code.to_string(),
            Ok(reason) => format!("{code} \"{}\"", clip(reason)),
            Err(_) => format!("{code} and a reason that is no UTF-8"),
        },
    }
}

/// A message as a value: text as it is, anything else as base64, the beginning of a long one.
fn shown(message: &Msg) -> Value {
    use base64::Engine as _;
    if message.kind == MessageKind::Close {
        let reason = String::from_utf8_lossy(message.close_reason());
        return json!({"code": message.close_code, "reason": reason});
    }
    let bytes = message.payload.get(..SHOWN).unwrap_or(&message.payload);
    if message.kind != MessageKind::Binary {
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            // Cut inside a character.
            Err(error) if error.error_len().is_none() => {
                bytes.get(..error.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok())
            }
            Err(_) => None,
        };
        if let Some(text) = valid {
            return Value::String(text.to_owned());
        }
    }
    Value::String(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Pairs of messages weighed against each other at once.
const CELLS: usize = 4096;
/// Bytes of each message compared for likeness.
const COMPARED: usize = 4096;
/// From this likeness, of 1000, two messages are one that was changed.
const ALIKE: u32 = 400;
/// A message changed in its place is passed on within a second.
const PROMPT: i64 = 1_000_000_000;
/// Bytes of a message given in an alteration.
const SHOWN: usize = 16 << 10;
/// Messages looked through for a ping's pong.
const SEARCHED: usize = 4096;
