//! TCP connections put in order: segments to a stream of bytes and gaps per direction.
//!
//! Gets: [`Segment`](crate::packet::Segment)s, in the order of the capture. Gives: [`StreamEvent`]s to a [`Handler`]
//! ([`crate::conn`]), per connection and side. Keeps: per connection the segments that came before
//! their turn, bounded by [`Limits`](crate::limits::Limits); connections without traffic are dropped by packet time, so
//! that the result depends on neither the clock nor the number of threads.
//!
//! ```text
//!   segments     +-- Table --------+   +-- half a -+
//!   ------------>| key -> flow     |-->| in order? |--> Data | Gap | Fin | Reset | Conflict
//!                | opener, SYN,    |   | hold, ack |
//!                | port reuse      |   +-----------+
//!                +-----------------+   +-- half b -+
//! ```

mod closed;
mod connection;
mod half;
mod key;
mod recent;
mod table;
mod turns;

use std::net::SocketAddr;
use std::ops::ControlFlow;

use crate::units::{FlowId, Origin, StreamNo};

pub(crate) use key::FlowKey;
pub use table::Table;
pub(crate) use table::{PARTS, Part};

/// What happens next in one direction of a TCP connection, in stream order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// Bytes, in order, from one segment.
    Data {
        /// The packet that brought them.
        origin: Origin,
        /// The bytes; never empty.
        bytes: &'a [u8],
    },
    /// Bytes that the capture lacks.
    Gap {
        /// The packet that they are missing before; the one that made it certain, where nothing came behind
        /// them.
        origin: Origin,
        /// How many; never 0.
        len: u64,
        /// Cut off by the snapshot length, rather than missing as packets.
        snapped: bool,
    },
    /// A segment repeats bytes that were there already, and says otherwise (RFC 9293 section
    /// 3.10.7.4 does not foresee it): the first ones stand.
    Conflict {
        /// The packet that differs.
        origin: Origin,
        /// Length of the stretch in which it differs somewhere.
        len: u64,
    },
    /// FIN: no more from this side.
    Fin {
        /// The packet that brought it.
        origin: Origin,
    },
    /// RST from this side: no more from either.
    Reset {
        /// The packet that brought it.
        origin: Origin,
    },
}

/// One of the two ends of a TCP connection; which of them is the client is not for this layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender of the first packet seen.
    A,
    /// The other one.
    B,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What is known of a TCP connection from its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowInfo {
    /// Identity.
    pub id: FlowId,
    /// Its number among all.
    pub stream: StreamNo,
    /// Address of [`Side::A`].
    pub a: SocketAddr,
    /// Address of [`Side::B`].
    pub b: SocketAddr,
    /// Who sent the SYN; `None` where the capture starts later.
    pub opener: Option<Side>,
    /// Its first packet.
    pub begin: Origin,
}

impl FlowInfo {
    /// The address of a side.
    pub const fn addr(&self, side: Side) -> SocketAddr {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
}

/// Does the handler want more of this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Yes.
    Keep,
    /// No: its bytes need not be put in order any more.
    Drop,
}

/// How much is to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// What can be made again when it is needed.
    Spare,
    /// Everything that [`Handler::weight`] counts, at the price of loss.
    All,
}

/// Why a connection is over for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// Both sides sent FIN, or one sent RST.
    Tcp,
    /// The capture ended first.
    CaptureEnd,
    /// Nothing came for so long, or so much else did, that it was dropped.
    Evicted,
    /// A new connection between the same addresses and ports began; the old one's end is not in
    /// the capture.
    Reused,
}

/// Takes what a [`Table`] puts in order.
pub trait Handler {
    /// Kept per connection.
    type State: Default;

    /// Takes what comes next from one side.
    fn stream(
        &mut self,
        flow: &FlowInfo,
        state: &mut Self::State,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest>;

    /// What follows is of connections in this part of the table: nothing that one part is given may
    /// depend on what another was, so that threads can have a part each.
    fn turn(&mut self, _part: usize) {}

    /// Is [`StreamEvent::Conflict`] of use? To know what a segment repeats, all that was handed on has to
    /// be looked at; without, conflicts are told only among bytes that came out of order.
    fn compares(&self) -> bool {
        true
    }

    /// Bytes of memory kept for the connection that [`Handler::shed`] can give back, about.
    fn weight(&self, _state: &Self::State) -> usize {
        0
    }

    /// The budget of all connections is exceeded and this one was idle for the longest time: keeps less.
    /// The numbers of what comes must go on as they are.
    fn shed(
        &mut self,
        _flow: &FlowInfo,
        _state: &mut Self::State,
        _what: Shed,
        _origin: Origin,
    ) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The connection is over; nothing follows. Called once for each that was not dropped.
    fn finish(
        &mut self,
        flow: &FlowInfo,
        state: &mut Self::State,
        why: Finish,
        origin: Origin,
    ) -> ControlFlow<()>;
}

#[cfg(test)]
mod tests;
