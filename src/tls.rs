//! TLS: records in, what they carry out, where the secrets are known (RFC 8446, RFC 5246).
//!
//! Gets: [`StreamEvent`]s of both sides from [`crate::flow`], secrets from a [`KeyLog`]. Gives:
//! [`StreamEvent`]s of the plaintext to an [`Output`], each with the packet that completed its record.
//! Keeps: per side the record at hand; and what came before its keys did, which is bounded by whoever
//! asks for [`Decoder::weight`].
//!
//! ```text
//!   a ---> Half: records -> Opener --+
//!            |  hellos, secrets      +--> Output, in the order in which it came
//!   b ---> Half: records -> Opener --+
//! ```
//!
//! Nothing is guessed: what is given has been authenticated by its key and its place in the sequence
//! (AEAD or MAC). So it is also known where records begin again behind a gap, how many are missing, and
//! with AEAD ciphers how many bytes of plaintext.

mod cipher;
mod common;
#[doc(hidden)]
pub(crate) mod fuzzing;
mod half;
mod hello;
pub mod keylog;
mod messages;
mod record;
mod schedule;
mod search;
mod suite;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::event::TlsInfo;
use crate::flow::{Side, StreamEvent};
use crate::units::{Origin, PacketNo};
use common::{Common, Patience};
use half::{Half, Moved};
pub use keylog::KeyLog;

/// What the two ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Who sent the ClientHello.
    pub client: Side,
    /// What can be told of it.
    pub info: Arc<TlsInfo>,
}

/// Takes what was inside.
pub trait Output {
    /// The next of one side's plaintext.
    fn plain(&mut self, agreed: &Agreed, side: Side, event: StreamEvent<'_>) -> ControlFlow<()>;

    /// How long the gap was that was given before is only roughly known.
    fn uncertain(&mut self, side: Side, origin: Origin) -> ControlFlow<()>;

    /// A record, or everything from there on, could not be opened although its keys are known.
    fn unopened(&mut self, side: Side, origin: Origin, what: Unopened);
}

/// What could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// One record: it is not authentic.
    Record,
    /// Everything from there on.
    Rest,
}

/// One TLS connection.
#[derive(Debug)]
pub struct Decoder {
    common: Common,
    a: Half,
    b: Half,
    /// Events that were kept, so far: their order.
    kept: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { common: Common::default(), a: Half::new(Side::A), b: Half::new(Side::B), kept: 0 }
    }
}

impl Decoder {
    /// Takes what comes next from one side. `keys` is asked for what is known at the packet `now`.
    pub fn push(
        &mut self,
        side: Side,
        event: StreamEvent<'_>,
        now: PacketNo,
        keys: &KeyLog,
        out: &mut impl Output,
    ) -> ControlFlow<()> {
        self.learn(now, keys);
        if self.is_waiting() {
            self.keep(side, event);
        } else {
            let (half, common) = self.split(side);
            match half.take(common, event, true, out)? {
                Moved::All => return ControlFlow::Continue(()),
                Moved::Blocked(rest) => self.keep(side, rest),
            }
        }
        self.drain(out)?;
        if self.is_waiting() {
            keys.poll();
            self.learn(now, keys);
            self.drain(out)?;
        }
        ControlFlow::Continue(())
    }

    /// Secrets may have come, although no packet did.
    pub fn retry(
        &mut self,
        now: PacketNo,
        keys: &KeyLog,
        out: &mut impl Output,
    ) -> ControlFlow<()> {
        self.learn(now, keys);
        self.drain(out)
    }

    /// No more is waited for: what can be read with what is known by now is given, the rest is a gap.
    pub fn last_chance(
        &mut self,
        now: PacketNo,
        keys: &KeyLog,
        out: &mut impl Output,
    ) -> ControlFlow<()> {
        keys.poll();
        self.learn(now, keys);
        self.common.patience = Patience::None;
        self.drain(out)?;
        for side in [Side::A, Side::B] {
            let (half, common) = self.split(side);
            half.end(common, out)?;
        }
        ControlFlow::Continue(())
    }

    /// Something waits for its keys.
    pub fn is_waiting(&self) -> bool {
        self.a.is_waiting() || self.b.is_waiting()
    }

    /// Nothing of it will ever be read.
    pub fn is_unreadable(&self) -> bool {
        !self.is_proven() && (self.common.hopeless || self.a.is_dead() && self.b.is_dead())
    }

    /// Something of it was read.
    pub fn is_proven(&self) -> bool {
        self.a.is_proven() || self.b.is_proven()
    }

    /// The server name that the client asked for.
    pub fn server_name(&self) -> Option<&str> {
        self.common.client_hello.as_ref()?.sni.as_deref()
    }

    /// What is known of the agreement, although nothing was read.
    pub fn agreed(&mut self) -> Option<&Agreed> {
        self.common.agreed()
    }

    /// What keeps all of it from being read, whatever secrets there are: its cipher suite.
    pub fn foreign_cipher(&mut self) -> Option<&str> {
        let foreign = self.common.is_foreign();
        self.common.agreed().filter(|_| foreign).map(|agreed| &*agreed.info.cipher)
    }

    /// The client does not offer HTTP/2. Browsers do but for WebSockets, which they open on HTTP/1.1
    /// connections; other clients of WebSockets know nothing else.
    pub fn may_be_websocket(&self) -> bool {
        self.common.client_hello.as_ref().is_some_and(|hello| !hello.offers_h2)
    }

    /// Bytes of memory kept, about.
    pub fn weight(&self) -> usize {
        self.a.weight() + self.b.weight() + self.common.weight()
    }

    /// Asks for secrets, where some are still missing.
    fn learn(&mut self, now: PacketNo, keys: &KeyLog) {
        // A handshake inside of the connection (RFC 5246 section 7.4.1.1) has secrets of its own.
        if self.a.is_settled() && self.b.is_settled() && !self.common.lacks_master() {
            return;
        }
        if self.common.patience != Patience::None {
            self.common.patience = match (keys.is_barren(), keys.grows()) {
                (true, _) => Patience::None,
                (false, true) => Patience::Secrets,
                (false, false) => Patience::Hello,
            };
        }
        self.common.learn(now, keys);
    }

    fn keep(&mut self, side: Side, event: StreamEvent<'_>) {
        let nth = self.kept;
        self.kept += 1;
        self.split(side).0.keep(nth, event);
    }

    /// Takes what was kept, in the order it came, as far as keys are there. A side that is still in the
    /// clear may go ahead: its hello may be what the other one waits for.
    fn drain(&mut self, out: &mut impl Output) -> ControlFlow<()> {
        loop {
            let first = match (self.a.waits_since(), self.b.waits_since()) {
                (Some(a), Some(b)) if a < b => Side::A,
                (Some(_), None) => Side::A,
                (_, Some(_)) => Side::B,
                (None, None) => return ControlFlow::Continue(()),
            };
            let (half, common) = self.split(first);
            if half.retry(common, true, out)? {
                continue;
            }
            let (other, common) = self.split(first.flip());
            if other.is_waiting() && other.retry(common, false, out)? {
                continue;
            }
            return ControlFlow::Continue(());
        }
    }

    const fn split(&mut self, side: Side) -> (&mut Half, &mut Common) {
        match side {
            Side::A => (&mut self.a, &mut self.common),
            Side::B => (&mut self.b, &mut self.common),
        }
    }
}
