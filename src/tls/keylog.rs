//! Key logs (draft-ietf-tls-keylogfile, as `SSLKEYLOGFILE` names them): secrets by client random.
//!
//! Gets: the text of key logs: a file, one that still grows, blocks of a capture. Gives: the [`Secrets`]
//! of a connection. Keeps: at most [`KEPT`] secrets; no text.
//!
//! Each secret has the packet since which it is known, and a connection is only given those known at
//! the packet it is at: so threads that are ahead of each other see the same.

mod follow;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::units::PacketNo;
use follow::Follower;

/// A secret: a master secret, or a traffic secret as long as the hash of its cipher suite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    bytes: [u8; 48],
    len: u8,
}

impl Secret {
    /// `None` for a length that no secret has.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self { bytes: [0; 48], len: u8::try_from(bytes.len()).ok()? };
        if !matches!(bytes.len(), 32 | 48) {
            return None;
        }
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    // Not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len)
    }
}

/// What is known of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Secrets {
    /// `CLIENT_RANDOM`: the master secret of TLS 1.2 and before.
    pub master: Option<Secret>,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    pub early: Option<Secret>,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    pub client_handshake: Option<Secret>,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    pub server_handshake: Option<Secret>,
    /// `CLIENT_TRAFFIC_SECRET_0`.
    pub client_traffic: Option<Secret>,
    /// `SERVER_TRAFFIC_SECRET_0`.
    pub server_traffic: Option<Secret>,
}

/// The random of a ClientHello, by which secrets are found.
pub type Random = [u8; 32];

/// What a line of a key log gives a secret for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Master,
    Early,
    ClientHandshake,
    ServerHandshake,
    ClientTraffic,
    ServerTraffic,
}

impl Label {
    fn new(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::Early,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerTraffic,
            // EXPORTER_SECRET and the like protect no records.
            _ => return None,
        })
    }

    fn of(self, secrets: &mut Secrets) -> &mut Option<Secret> {
        match self {
            Self::Master => &mut secrets.master,
            Self::Early => &mut secrets.early,
            Self::ClientHandshake => &mut secrets.client_handshake,
            Self::ServerHandshake => &mut secrets.server_handshake,
            Self::ClientTraffic => &mut secrets.client_traffic,
            Self::ServerTraffic => &mut secrets.server_traffic,
        }
    }
}

/// What there was in a key log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Read {
    /// Lines with a secret, known before or not.
    pub secrets: u64,
    /// Lines that are neither that, nor a comment, nor empty.
    pub others: u64,
}

/// The secrets that are known; its clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct KeyLog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    /// Changes with every secret that is added.
    version: AtomicU64,
    /// More may be added at any time.
    grows: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    by_random: HashMap<Random, Vec<(Label, Secret, PacketNo)>, foldhash::quality::RandomState>,
    /// The master secrets among them, in the order in which they came.
    masters: Vec<(Secret, PacketNo)>,
    count: usize,
    /// The packet since which there is one.
    first: Option<PacketNo>,
    follower: Option<Follower>,
}

/// Secrets kept: those of 100,000 TLS 1.3 connections and more, in about 60 MB.
pub const KEPT: usize = 1 << 19;

/// Master secrets that are tried for one session: about 20 ms.
const MASTERS: usize = 1 << 10;

impl KeyLog {
    /// An empty one, to which nobody adds anything any more unless [`Self::expect_more`] says so.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the secrets of a key log, which are known from `since` on.
    pub fn add(&self, text: &[u8], since: PacketNo) -> Read {
        let mut known = self.lock();
        let read = known.add(text, since);
        drop(known);
        if read.secrets > 0 {
            self.0.version.fetch_add(1, Ordering::Release);
        }
        read
    }

    /// More secrets may come while packets are read: connections that lack theirs wait for them.
    pub fn expect_more(&self) {
        self.0.grows.store(true, Ordering::Relaxed);
    }

    /// Reads a file, and what is added to it later whenever a connection lacks its secrets. It need not
    /// be there yet.
    pub fn follow(&self, path: PathBuf) {
        self.expect_more();
        self.lock().follower = Some(Follower::new(path));
        self.poll();
    }

    /// Reads what was added to the file that is followed.
    pub fn poll(&self) {
        let mut known = self.lock();
        let Some(mut follower) = known.follower.take() else { return };
        let mut secrets = 0;
        follower.read(|text| secrets += known.add(text, PacketNo(0)).secrets);
        known.follower = Some(follower);
        drop(known);
        if secrets > 0 {
            self.0.version.fetch_add(1, Ordering::Release);
        }
    }

    /// May more secrets come.
    pub fn grows(&self) -> bool {
        self.0.grows.load(Ordering::Relaxed)
    }

    /// Changes when secrets are added.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Nothing is known, and nothing will be.
    pub fn is_barren(&self) -> bool {
        !self.grows() && self.version() == 0
    }

    /// Secrets of connections are likely to come: some came by this packet, or a file is followed.
    pub fn is_promising(&self, at: PacketNo) -> bool {
        let known = self.lock();
        known.follower.is_some() || known.first.is_some_and(|first| first <= at)
    }

    /// Is any secret known at this packet, of whatever connection.
    pub fn knows_any(&self, at: PacketNo) -> bool {
        self.lock().first.is_some_and(|first| first <= at)
    }

    /// What is known of a connection at this packet.
    pub fn secrets(&self, random: &Random, at: PacketNo) -> Secrets {
        let mut secrets = Secrets::default();
        for (label, secret, since) in self.lock().by_random.get(random).into_iter().flatten() {
            if *since <= at {
                label.of(&mut secrets).get_or_insert(*secret);
            }
        }
        secrets
    }

    /// The master secrets that are known at this packet, the last ones first: a session that is resumed
    /// has that of another connection (RFC 5246 section 7.3), and not all who write key logs repeat it.
    /// Tells how many there are; `None` where that are no more than `than`.
    pub fn more_masters(&self, than: usize, at: PacketNo) -> Option<(usize, Vec<Secret>)> {
        let known = self.lock();
        if known.masters.len() <= than {
            // Asked for at each packet: nothing has to be counted again.
            return None;
        }
        let of_now = known.masters.iter().filter(|(_, since)| *since <= at);
        let count = of_now.clone().count();
        let last = of_now.rev().take(MASTERS).map(|(secret, _)| *secret);
        (count > than).then(|| (count, last.collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Secrets are added one by one: there is nothing half done.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, text: &[u8], since: PacketNo) -> Read {
        let mut read = Read::default();
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            // Editors put a byte order mark in front.
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some((label, random, secret)) = parse(line) else {
                read.others += 1;
                continue;
            };
            read.secrets += 1;
            self.first = Some(self.first.map_or(since, |first| first.min(since)));
            let list = self.by_random.entry(random).or_default();
            if self.count < KEPT && !list.iter().any(|(of, ..)| *of == label) {
                list.push((label, secret, since));
                self.count += 1;
                if label == Label::Master && self.masters.last() != Some(&(secret, since)) {
                    self.masters.push((secret, since));
                }
            }
        }
        read
    }
}

/// `LABEL client-random secret`, the last two in hexadecimal.
fn parse(line: &[u8]) -> Option<(Label, Random, Secret)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
    let label = Label::new(label)?;
    let (mut client_random, mut bytes) = ([0; 32], [0; 48]);
    let len = hex(random, &mut client_random)?;
    let secret = Secret::new(hex(secret, &mut bytes).and_then(|len| bytes.get(..len))?)?;
    (len == 32 && words.next().is_none()).then_some((label, client_random, secret))
}

/// Decodes hexadecimal; `None` where it is none, or longer than `out`.
fn hex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let out = out.get_mut(..pairs.len())?;
    for (byte, pair) in out.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    rest.is_empty().then_some(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, random: u8, secret: u8, len: usize) -> String {
        let hex = |byte: u8, n: usize| format!("{byte:02x}").repeat(n);
        format!("{label} {} {}", hex(random, 32), hex(secret, len))
    }

    #[test]
    fn lines_of_every_kind_of_writer_are_read() {
        let text = [
            "# SSL/TLS secrets log file, generated by NSS".to_owned(),
            String::new(),
            line("CLIENT_RANDOM", 1, 7, 48) + "\r",
            line("SERVER_TRAFFIC_SECRET_0", 2, 8, 32).to_uppercase(),
            format!("  {}  ", line("CLIENT_TRAFFIC_SECRET_0", 2, 9, 48)),
            line("EXPORTER_SECRET", 2, 9, 48),
            line("CLIENT_RANDOM", 3, 7, 47),
            "CLIENT_RANDOM 0102 zz".to_owned(),
            "\u{1b}[31mnonsense".to_owned(),
        ];
        let log = KeyLog::new();
        let marked = format!("\u{feff}{}", text.join("\n"));
        let read = log.add(marked.as_bytes(), PacketNo(0));
        assert_eq!(read, Read { secrets: 3, others: 4 });
        let one = log.secrets(&[1; 32], PacketNo(1));
        assert_eq!(one, Secrets { master: Secret::new(&[7; 48]), ..Secrets::default() });
        let two = log.secrets(&[2; 32], PacketNo(1));
        assert_eq!(two.server_traffic, Secret::new(&[8; 32]));
        assert_eq!(two.client_traffic, Secret::new(&[9; 48]));
        assert_eq!(log.secrets(&[3; 32], PacketNo(1)), Secrets::default());
    }

    #[test]
    fn a_secret_is_known_from_its_packet_on_and_the_first_one_stands() {
        let log = KeyLog::new();
        assert!(log.is_barren());
        log.add(line("CLIENT_RANDOM", 1, 7, 48).as_bytes(), PacketNo(5));
        log.add(line("CLIENT_RANDOM", 1, 8, 48).as_bytes(), PacketNo(6));
        assert!(!log.is_barren());
        assert_eq!(log.secrets(&[1; 32], PacketNo(4)).master, None);
        assert_eq!(log.secrets(&[1; 32], PacketNo(5)).master, Secret::new(&[7; 48]));
        assert_eq!(log.secrets(&[1; 32], PacketNo(9)).master, Secret::new(&[7; 48]));
    }

    #[test]
    fn secrets_are_not_shown() {
        let log = KeyLog::new();
        log.add(line("CLIENT_RANDOM", 1, 0xab, 48).as_bytes(), PacketNo(0));
        assert!(!format!("{log:?}").contains("171"), "{log:?}");
    }
}
