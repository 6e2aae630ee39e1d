//! What both sides of a TLS connection share: their hellos, the secrets, what they agreed on.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::cipher::{Opener, Shape};
use super::hello::{ClientHello, ServerHello, encrypted_extensions};
use super::keylog::{KeyLog, Secret, Secrets};
use super::record::Header;
use super::schedule::{Prf, key_block, traffic_keys};
use super::suite::{self, Suite};
use super::{Agreed, Output};
use crate::event::TlsInfo;
use crate::flow::{Side, StreamEvent};
use crate::units::{Origin, PacketNo};

/// Bytes of early data kept until it is clear whether the server takes it: servers take 16 KiB or less.
const EARLY: usize = 64 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) client: Option<Side>,
    pub(super) client_hello: Option<ClientHello>,
    pub(super) server_hello: Option<ServerHello>,
    /// Known from a HelloRetryRequest, or the ServerHello.
    pub(super) version: Option<u16>,
    suite: Option<Suite>,
    pub(super) secrets: Secrets,
    /// Master secrets of other connections, one of which may be that of the session that is resumed;
    /// of how many, and which sides' records have been tried.
    others: Vec<Secret>,
    others_of: usize,
    tried: (bool, bool),
    /// The one that it was.
    resumed: Option<Secret>,
    /// It can not be read, whatever keys there are.
    pub(super) hopeless: bool,
    pub(super) patience: Patience,
    alpn: Option<String>,
    agreed: Option<Agreed>,
    early_taken: bool,
    early: Vec<(Origin, Vec<u8>)>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Patience {
    /// The other side's hello.
    #[default]
    Hello,
    /// That, and secrets that are not known yet.
    Secrets,
    /// Nothing any more.
    None,
}

/// Which keys a record is under. TLS 1.3: early data, handshake, then traffic secrets 0, 1...
/// Before that: so many ChangeCipherSpecs.
pub(super) type Epoch = u32;
pub(super) const EARLY_DATA: Epoch = 0;
pub(super) const HANDSHAKE: Epoch = 1;
/// Of the first traffic secret.
pub(super) const TRAFFIC: Epoch = 2;

pub(super) const TLS13: u16 = 0x0304;

impl Common {
    pub(super) fn is_tls13(&self) -> bool {
        self.version == Some(TLS13)
    }

    /// Bytes of memory kept, about.
    pub(super) fn weight(&self) -> usize {
        let early: usize = self.early.iter().map(|(_, bytes)| bytes.capacity()).sum();
        early + self.others.capacity() * size_of::<Secret>()
    }

    /// A ClientHello: the first, the one after a HelloRetryRequest, one that negotiates anew.
    pub(super) fn client_hello(&mut self, side: Side, body: &[u8]) {
        if *self.client.get_or_insert(side) != side {
            return;
        }
        if let Some(hello) = ClientHello::new(body) {
            if self.client_hello.as_ref().is_none_or(|before| before.random != hello.random) {
                self.secrets = Secrets::default();
                self.resumed = None;
                self.others_of = 0;
            }
            self.client_hello = Some(hello);
            self.agreed = None;
        }
    }

    pub(super) fn server_hello(&mut self, side: Side, body: &[u8]) {
        if *self.client.get_or_insert(side.flip()) == side {
            return;
        }
        let Some(hello) = ServerHello::new(body) else { return };
        self.version = Some(hello.version);
        if hello.retry {
            return;
        }
        self.suite = Suite::new(hello.cipher);
        let old = matches!(hello.version, 0x0301..=0x0303) && !hello.compressed;
        if self.suite.is_none() || !(old || hello.version == TLS13) {
            self.hopeless = true;
        }
        self.alpn.clone_from(&hello.alpn);
        self.server_hello = Some(hello);
        self.agreed = None;
    }

    pub(super) fn encrypted_extensions(&mut self, body: &[u8]) {
        let (alpn, early_data) = encrypted_extensions(body);
        self.alpn = alpn;
        self.early_taken |= early_data;
        self.agreed = None;
    }

    /// Takes what is known of this connection.
    pub(super) fn learn(&mut self, now: PacketNo, keys: &KeyLog) {
        if let Some(hello) = &self.client_hello {
            self.secrets = keys.secrets(&hello.random, now);
            self.secrets.master = self.secrets.master.or(self.resumed);
            if hello.resumes
                && self.lacks_master()
                && let Some((count, others)) = keys.more_masters(self.others_of, now)
            {
                (self.others_of, self.others, self.tried) = (count, others, (false, false));
            }
        }
    }

    /// The cipher suite is none that is read.
    pub(super) const fn is_foreign(&self) -> bool {
        self.server_hello.is_some() && self.suite.is_none()
    }

    /// Nothing can be read for want of a master secret, as far as is known by now.
    pub(super) fn lacks_master(&self) -> bool {
        !self.is_tls13() && self.client_hello.is_some() && self.secrets.master.is_none()
    }

    /// A resumed session has the master secret of another connection: is it one of those that are known,
    /// and the first record that this side protects proves it.
    pub(super) fn resume(&mut self, side: Side, header: Header, content: &[u8]) -> bool {
        let (tried_a, tried_b) = &mut self.tried;
        let tried = if side == Side::A { tried_a } else { tried_b };
        if std::mem::replace(tried, true) || !self.lacks_master() {
            return false;
        }
        let mut plain = Vec::new();
        let others = std::mem::take(&mut self.others);
        self.resumed = others.iter().copied().find(|secret| {
            self.secrets.master = Some(*secret);
            let opener = self.opener(side, 1, None);
            opener.is_some_and(|opener| opener.open(header, content, 0, &mut plain).is_some())
        });
        self.secrets.master = self.resumed;
        if self.resumed.is_none() {
            self.others = others;
        }
        self.resumed.is_some()
    }

    /// What was agreed; `None` before both hellos.
    pub(super) fn agreed(&mut self) -> Option<&Agreed> {
        if self.agreed.is_none() {
            let (client, hello) = (self.client?, self.server_hello.as_ref()?);
            let version = match hello.version {
                TLS13 => "1.3",
                0x0303 => "1.2",
                0x0302 => "1.1",
                _ => "1.0",
            };
            let info = TlsInfo {
                version,
                cipher: suite::name(hello.cipher),
                sni: self.client_hello.as_ref().and_then(|hello| hello.sni.clone()),
                alpn: self.alpn.clone(),
            };
            self.agreed = Some(Agreed { client, info: Arc::new(info) });
        }
        self.agreed.as_ref()
    }

    /// What opens records of a side; `None` where its secret is not known. `traffic` is the traffic
    /// secret of the epoch, from the second on.
    pub(super) fn opener(
        &self,
        side: Side,
        epoch: Epoch,
        traffic: Option<&Secret>,
    ) -> Option<Opener> {
        let (suite, hello) = (self.suite?, self.server_hello.as_ref()?);
        let is_client = self.client? == side;
        if self.is_tls13() {
            let secrets = &self.secrets;
            let secret = match (epoch, is_client) {
                (EARLY_DATA, true) => secrets.early.as_ref(),
                (EARLY_DATA, false) => None,
                (HANDSHAKE, true) => secrets.client_handshake.as_ref(),
                (HANDSHAKE, false) => secrets.server_handshake.as_ref(),
                (TRAFFIC, _) => self.traffic_secret(side),
                _ => traffic,
            };
            return Opener::new(suite, Shape::Inner, traffic_keys(suite, secret?)?);
        }
        let (prf, shape) = match (self.version?, hello.encrypt_then_mac) {
            (0x0303, false) => (Prf::New(suite.hash), Shape::Explicit),
            (0x0303, true) => (Prf::New(suite.hash), Shape::EncryptThenMac),
            (0x0302, false) => (Prf::Old, Shape::Explicit),
            (0x0302, true) => (Prf::Old, Shape::EncryptThenMac),
            (_, false) => (Prf::Old, Shape::Chained),
            (_, true) => (Prf::Old, Shape::ChainedEncryptThenMac),
        };
        let client_random = &self.client_hello.as_ref()?.random;
        let master = self.secrets.master.as_ref()?;
        let [client, server] = key_block(prf, suite, master, client_random, &hello.random);
        Opener::new(suite, shape, if is_client { client } else { server })
    }

    /// The first traffic secret of a side.
    pub(super) fn traffic_secret(&self, side: Side) -> Option<&Secret> {
        let is_client = self.client? == side;
        let secrets = &self.secrets;
        if is_client { secrets.client_traffic.as_ref() } else { secrets.server_traffic.as_ref() }
    }

    /// The traffic secret behind this one.
    pub(super) fn next_traffic(&self, secret: &Secret) -> Option<Secret> {
        super::schedule::next_traffic_secret(self.suite?.hash, secret)
    }

    /// Early data was decrypted: it is given when it is clear that the server took it.
    pub(super) fn early(
        &mut self,
        side: Side,
        origin: Origin,
        bytes: &[u8],
        out: &mut impl Output,
    ) -> ControlFlow<()> {
        if self.early_taken {
            return self.give(side, StreamEvent::Data { origin, bytes }, out);
        }
        if self.weight() + bytes.len() <= EARLY {
            self.early.push((origin, bytes.to_vec()));
        }
        ControlFlow::Continue(())
    }

    /// The client says that its early data ends, which it only does where that was taken.
    pub(super) const fn early_ends(&mut self) {
        self.early_taken = true;
    }

    /// Gives plaintext, behind the early data before it.
    pub(super) fn give(
        &mut self,
        side: Side,
        event: StreamEvent<'_>,
        out: &mut impl Output,
    ) -> ControlFlow<()> {
        let early = std::mem::take(&mut self.early);
        let (taken, client) = (self.early_taken, self.client);
        let Some(agreed) = self.agreed() else { return ControlFlow::Continue(()) };
        if let Some(client) = client.filter(|_| taken) {
            for (origin, bytes) in &early {
                out.plain(agreed, client, StreamEvent::Data { origin: *origin, bytes })?;
            }
        }
        out.plain(agreed, side, event)
    }
}
