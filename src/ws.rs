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
pub mod resync;
pub mod rules;
pub mod session;

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
    /// Inflated bytes of the message at hand; initialised to its length, of which a part is used.
    pub inflated: Vec<u8>,
    /// For compressed messages that stand alone.
    pub inflater: deflate::Shared,
    /// Buffers of messages that are done, for those to come.
    spare: Vec<Vec<u8>>,
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
    /// Buffers kept for messages to come; more are only in use while more messages are open.
    const SPARE: usize = 8;

    /// An empty buffer for a message that comes in pieces.
    fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// A buffer that is no longer needed.
    fn put(&mut self, mut buffer: Vec<u8>) {
        if (1..=Self::KEEP).contains(&buffer.capacity()) && self.spare.len() < Self::SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// After a large message: memory follows what is needed now.
    fn shrink(&mut self) {
        for buffer in [&mut self.unmasked, &mut self.inflated] {
            if buffer.capacity() > Self::KEEP {
                *buffer = Vec::new();
            }
        }
    }
}
