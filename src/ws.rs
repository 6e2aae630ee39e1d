//! WebSocket (RFC 6455, RFC 7692): frames, messages, handshake rules, closing.
//!
//! Gets: in-order bytes or gaps per direction. Gives: events to a [`Sink`].
//!
//! ```text
//!  bytes, gaps -> frame -> session (rules, mask) -> message (deflate, close) -> Event::Frame, Message
//!                   ^ lost header: resync             \-> ending -> Event::End
//! ```

pub mod extension;
pub mod handshake;

use std::ops::ControlFlow;

use crate::event::{ConnInfo, Cx, Event, Sink, Wants};
use crate::flow::PARTS;
use crate::limits::Limits;
use crate::units::Origin;

pub mod close;
mod conduct;
pub mod deflate;
pub mod ending;
pub mod frame;
pub mod fuzzing;
mod half;
pub mod mask;
pub mod message;
pub mod pings;
pub mod resync;
pub mod rules;
pub mod session;
#[cfg(test)]
mod testkit;

pub use session::{Finish, Session, Setup};

/// Where a decoder of one connection leaves its events, and what it may borrow while it works.
#[derive(Debug)]
pub struct Out<'a, S> {
    /// Takes the events.
    pub sink: &'a mut S,
    /// What it has use for.
    pub wants: Wants,
    /// The budgets.
    pub limits: &'a Limits,
    /// The connection.
    pub conn: &'a ConnInfo,
    /// Buffers shared by all connections of a thread.
    pub scratch: &'a mut Scratch,
}

impl<S: Sink> Out<'_, S> {
    /// Hands one event on.
    pub fn event(&mut self, origin: Origin, event: &Event<'_>) -> ControlFlow<()> {
        self.sink.event(&Cx { conn: self.conn, origin }, event)
    }
}

/// Buffers that live as long as a thread, so that a frame costs no allocation.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Unmasked bytes of the frame at hand.
    pub unmasked: Vec<u8>,
    /// For compressed messages.
    pub inflater: deflate::Shared,
    /// Buffers of messages that are done, for those to come: of each part of the flow table its own. A
    /// connection is weighed with the room that its buffers have, so who had them before must not
    /// depend on how many threads there are.
    spare: [Vec<Vec<u8>>; PARTS],
    /// The part that is being worked for.
    part: usize,
    currents: Boxes<half::Current>,
    opens: Boxes<message::Open>,
}

/// Boxes of what is over, for what is to come.
#[derive(Debug)]
struct Boxes<T>(Vec<Box<T>>);

impl<T> Default for Boxes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Boxes<T> {
    /// Kept; more are only in use while more frames or messages are open.
    const SPARE: usize = 8;

    fn boxed(&mut self, value: T) -> Box<T> {
        let Some(mut spare) = self.0.pop() else { return Box::new(value) };
        *spare = value;
        spare
    }

    fn put(&mut self, done: Box<T>) {
        if self.0.len() < Self::SPARE {
            self.0.push(done);
        }
    }
}

impl Scratch {
    /// Buffers above this size are given back to the system when their message is done.
    const KEEP: usize = 4 << 20;
    /// The same for the buffers of messages in pieces, of which each part has some.
    const KEEP_SPARE: usize = 2 << 20;
    /// Buffers kept by a part for messages to come; more are only in use while more messages are open.
    const SPARE: usize = 2;

    /// What follows is of connections in this part of the flow table.
    pub fn turn(&mut self, part: usize) {
        self.part = part;
    }

    /// Changes what holds nothing between two segments for that of another: so that a thread that works
    /// for several parts in turn needs it once.
    pub fn swap(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.unmasked, &mut other.unmasked);
        std::mem::swap(&mut self.inflater, &mut other.inflater);
        std::mem::swap(&mut self.currents, &mut other.currents);
        std::mem::swap(&mut self.opens, &mut other.opens);
    }

    /// An empty buffer for a message that comes in pieces.
    fn take(&mut self) -> Vec<u8> {
        self.spare.get_mut(self.part).and_then(Vec::pop).unwrap_or_default()
    }

    /// A buffer that is no longer needed.
    fn put(&mut self, mut buffer: Vec<u8>) {
        if let Some(spare) = self.spare.get_mut(self.part)
            && (1..=Self::KEEP_SPARE).contains(&buffer.capacity())
            && spare.len() < Self::SPARE
        {
            buffer.clear();
            spare.push(buffer);
        }
    }

    /// After a large message: memory follows what is needed now.
    fn shrink(&mut self) {
        if self.unmasked.capacity() > Self::KEEP {
            self.unmasked = Vec::new();
        }
    }
}
