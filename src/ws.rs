//! WebSocket (RFC 6455, RFC 7692): frames, messages, handshake rules, closing.
//!
//! Gets: in-order bytes or gaps per direction. Gives: events to a [`Sink`].

pub mod extension;
pub mod handshake;

use std::ops::ControlFlow;

use crate::event::{ConnInfo, Cx, Event, Sink, Wants};
use crate::limits::Limits;
use crate::units::Origin;

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
    /// Inflated bytes of the message at hand.
    pub inflated: Vec<u8>,
}
