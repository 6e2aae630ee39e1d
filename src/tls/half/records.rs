//! What a record says: hellos in the clear, plaintext under keys, other keys from the next record on.
//!
//! Gets: whole records, in order. Gives: plaintext; to [`Common`] what handshake messages say; to
//! [`Half`] the keys that it is under.

use std::mem;
use std::ops::ControlFlow;

use super::{Cx, Half, Missing, Went};
use crate::flow::StreamEvent;
use crate::tls::cipher::Opener;
use crate::tls::common::{Common, EARLY_DATA, Epoch, HANDSHAKE, Patience, TLS13, TRAFFIC};
use crate::tls::messages;
use crate::tls::record::{self, Header};
use crate::tls::{Output, Unopened};
use crate::units::Origin;

/// Bytes of records that may fail before the first one that opens: early data that the server refused,
/// a handshake whose secrets are not known.
const PASSED_OVER: usize = 1 << 20;

/// Records in a row that may fail before the direction is given up.
const FAILURES: u32 = 64;

impl Half {
    pub(super) fn record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        content: &[u8],
    ) -> ControlFlow<(), Went> {
        if self.sealed {
            return self.sealed_record(cx, origin, header, content);
        }
        match header.kind {
            record::HANDSHAKE => {
                let side = self.side;
                let common = &mut *cx.common;
                self.messages.push(content, |kind, body| match kind {
                    messages::CLIENT_HELLO => common.client_hello(side, body),
                    messages::SERVER_HELLO => common.server_hello(side, body),
                    _ => {}
                });
                ControlFlow::Continue(Went::On)
            }
            record::CHANGE_CIPHER_SPEC => match cx.common.version {
                // Before the server's hello nobody knows whether it means anything.
                None => ControlFlow::Continue(self.wait(cx, origin, true)),
                Some(TLS13) => ControlFlow::Continue(Went::On),
                Some(_) => {
                    self.change_cipher_spec();
                    ControlFlow::Continue(Went::On)
                }
            },
            record::APPLICATION_DATA => {
                if cx.common.server_hello.is_none() {
                    return ControlFlow::Continue(self.wait(cx, origin, true));
                }
                self.epoch = self.first_epoch(cx.common);
                self.sealed = true;
                self.sealed_record(cx, origin, header, content)
            }
            _ => ControlFlow::Continue(Went::On),
        }
    }

    /// The first epoch under keys, of this side.
    pub(in crate::tls) fn first_epoch(&self, common: &Common) -> Epoch {
        let early = common.client_hello.as_ref().is_some_and(|hello| hello.early_data);
        if common.is_tls13() && early && common.client == Some(self.side) {
            EARLY_DATA
        } else {
            HANDSHAKE
        }
    }

    /// TLS 1.2: what follows is under the keys agreed last.
    fn change_cipher_spec(&mut self) {
        self.sealed = true;
        self.enter(self.epoch + 1, 0);
    }

    /// From the next record on.
    pub(in crate::tls) fn enter(&mut self, epoch: Epoch, seq: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.openers.retain(|(of, _)| *of >= epoch);
            self.messages.renew();
        }
        self.seq = seq;
    }

    /// What messages there were before a gap does not go on behind it.
    pub(in crate::tls) fn lost_messages(&mut self) {
        self.messages.renew();
    }

    /// Keys are missing, or the other side's hello: that is waited for, or given up.
    pub(in crate::tls) fn wait(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        for_hello: bool,
    ) -> Went {
        let may_come = match cx.common.patience {
            Patience::Secrets => true,
            Patience::Hello => for_hello,
            Patience::None => false,
        };
        // Where neither came, the capture begins later.
        let begun = cx.common.client_hello.is_some() || cx.common.server_hello.is_some();
        if may_come && begun {
            return Went::Blocked;
        }
        self.give_up(cx, origin);
        Went::On
    }

    fn sealed_record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        content: &[u8],
    ) -> ControlFlow<(), Went> {
        // RFC 8446 appendix D.4: a change_cipher_spec for the sake of middleboxes; and whatever else is
        // in the clear says nothing to us.
        if cx.common.is_tls13() && header.kind != record::APPLICATION_DATA {
            return ControlFlow::Continue(Went::On);
        }
        if !cx.may_give {
            return ControlFlow::Continue(Went::Blocked);
        }
        let mut known = false;
        for (epoch, seq) in self.candidates(cx.common) {
            if !self.prepare(cx.common, epoch) {
                continue;
            }
            known = true;
            if let Some(kind) = self.open(epoch, header, content, seq) {
                let overhead = self.opener(epoch).and_then(Opener::overhead);
                self.pads |= overhead.is_some_and(|more| self.plain.len() + more < content.len());
                self.passed(epoch, content);
                self.enter(epoch, seq + 1);
                (self.proven, self.failed) = (true, 0);
                return self.opened(cx, origin, kind).map_continue(|()| Went::On);
            }
        }
        if !known && self.seq == 0 && cx.common.resume(self.side, header, content) {
            return self.sealed_record(cx, origin, header, content);
        }
        if !known {
            let for_hello = cx.common.client_hello.is_none();
            return ControlFlow::Continue(self.wait(cx, origin, for_hello));
        }
        self.passed(self.epoch, content);
        self.unopened(cx, origin, header).map_continue(|()| Went::On)
    }

    /// The keys that the next record may be under, and its number, the likeliest first.
    pub(in crate::tls) fn candidates(
        &self,
        common: &Common,
    ) -> impl Iterator<Item = (Epoch, u64)> + use<> {
        let (epoch, seq) = (self.epoch, self.seq);
        let ahead = if common.is_tls13() { (epoch + 1).max(TRAFFIC) } else { epoch };
        std::iter::once((epoch, seq)).chain((epoch + 1..=ahead).map(|epoch| (epoch, 0)))
    }

    /// Makes the opener of an epoch; false where its secret is not known.
    pub(in crate::tls) fn prepare(&mut self, common: &Common, epoch: Epoch) -> bool {
        if self.openers.iter().any(|(of, _)| *of == epoch) {
            return true;
        }
        if common.is_tls13() && epoch >= TRAFFIC {
            if self.traffic.is_none() {
                self.traffic = common.traffic_secret(self.side).map(|secret| (TRAFFIC, *secret));
            }
            while let Some((at, secret)) = self.traffic
                && at < epoch
            {
                self.traffic = common.next_traffic(&secret).map(|next| (at + 1, next));
            }
        }
        let traffic = self.traffic.as_ref().map(|(_, secret)| secret);
        match common.opener(self.side, epoch, traffic) {
            Some(opener) => {
                self.openers.push((epoch, opener));
                true
            }
            None => false,
        }
    }

    pub(in crate::tls) fn opener(&self, epoch: Epoch) -> Option<&Opener> {
        self.openers.iter().find(|(of, _)| *of == epoch).map(|(_, opener)| opener)
    }

    /// Opens a record into [`Self::plain`].
    pub(in crate::tls) fn open(
        &mut self,
        epoch: Epoch,
        header: Header,
        content: &[u8],
        seq: u64,
    ) -> Option<u8> {
        let (_, opener) = self.openers.iter().find(|(of, _)| *of == epoch)?;
        opener.open(header, content, seq, &mut self.plain)
    }

    fn passed(&mut self, epoch: Epoch, content: &[u8]) {
        if let Some((_, opener)) = self.openers.iter_mut().find(|(of, _)| *of == epoch) {
            opener.passed(content);
        }
    }

    /// A record was opened: acts on what it holds.
    fn opened(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        kind: u8,
    ) -> ControlFlow<()> {
        let plain = mem::take(&mut self.plain);
        match kind {
            record::APPLICATION_DATA if plain.is_empty() => {}
            record::APPLICATION_DATA if cx.common.is_tls13() && self.epoch == EARLY_DATA => {
                cx.common.early(self.side, origin, &plain, cx.out)?;
            }
            record::APPLICATION_DATA => {
                cx.give(self.side, StreamEvent::Data { origin, bytes: &plain })?;
            }
            record::HANDSHAKE => self.handshake(cx.common, &plain),
            record::CHANGE_CIPHER_SPEC if !cx.common.is_tls13() => self.change_cipher_spec(),
            // Alerts: TCP tells how it ends.
            _ => {}
        }
        self.plain = plain;
        ControlFlow::Continue(())
    }

    fn handshake(&mut self, common: &mut Common, plain: &[u8]) {
        let (side, tls13) = (self.side, common.is_tls13());
        let mut enters = None;
        // RFC 8446 section 5.1: a message right before new keys ends its record.
        let key_update = !self.messages.is_amid()
            && matches!(plain, [messages::KEY_UPDATE, 0, 0, 1, 0 | 1])
            && self.epoch >= TRAFFIC;
        let epoch = self.epoch;
        self.messages.push(plain, |kind, body| match kind {
            messages::CLIENT_HELLO if !tls13 => common.client_hello(side, body),
            messages::SERVER_HELLO if !tls13 => common.server_hello(side, body),
            messages::ENCRYPTED_EXTENSIONS if tls13 && epoch == HANDSHAKE => {
                common.encrypted_extensions(body);
            }
            messages::END_OF_EARLY_DATA if tls13 && epoch == EARLY_DATA => {
                common.early_ends();
                enters = Some(HANDSHAKE);
            }
            messages::FINISHED if tls13 && epoch == HANDSHAKE => enters = Some(TRAFFIC),
            messages::KEY_UPDATE if tls13 && key_update => enters = Some(epoch + 1),
            _ => {}
        });
        if let Some(epoch) = enters {
            self.enter(epoch, 0);
        }
    }

    /// A record with known keys that none of them opens.
    fn unopened(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
    ) -> ControlFlow<()> {
        if cx.common.is_tls13() && self.epoch < TRAFFIC {
            // Early data that the server refused, or that has no secret; a handshake without secret.
            self.passed_over = self.passed_over.saturating_add(header.whole());
            if self.passed_over > PASSED_OVER {
                self.give_up(cx, origin);
            }
            return ControlFlow::Continue(());
        }
        self.failed += 1;
        if !self.proven || self.failed > FAILURES {
            self.give_up(cx, origin);
            return ControlFlow::Continue(());
        }
        if self.failed == 1 {
            cx.out.unopened(self.side, origin, Unopened::Record);
        }
        self.lose_record(cx, origin, header, false)
    }

    /// The record at hand can not be read; those behind it go on.
    pub(in crate::tls) fn lose_record(
        &mut self,
        cx: &mut Cx<'_, impl Output>,
        origin: Origin,
        header: Header,
        snapped: bool,
    ) -> ControlFlow<()> {
        let content = usize::from(header.len);
        if !self.sealed {
            if header.kind == record::HANDSHAKE {
                self.messages.lose(content);
            }
            return ControlFlow::Continue(());
        }
        self.seq += 1;
        let tls13 = cx.common.is_tls13();
        if header.kind != record::APPLICATION_DATA || tls13 && self.epoch < TRAFFIC {
            self.messages.lose(content);
            return ControlFlow::Continue(());
        }
        self.prepare(cx.common, self.epoch);
        let Some(opener) = self.opener(self.epoch) else { return ControlFlow::Continue(()) };
        let overhead = opener.overhead();
        let len = content.saturating_sub(overhead.unwrap_or(opener.least())) as u64;
        if len == 0 {
            return ControlFlow::Continue(());
        }
        let exact = overhead.is_some() && !self.pads;
        cx.gap(self.side, Missing { origin, len, snapped, exact })
    }
}
