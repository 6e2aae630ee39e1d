//! What is known of the processes at the ends of connections, early or late.
//!
//! Gets: the ends of a connection when it appears; what is learned later, by its addresses. Gives:
//! them to whoever asks for a connection. Keeps: those of the newest connections, those that are over
//! too.
//!
//! ```text
//!  handshake --put--> known --of--> handshake line, filter, screen
//!      |
//!  wait_for           answers of the helper, comments in a capture
//!      |                               |
//!      v                               v
//!  waiting (addresses -> connection) <-learn-> known, late --late--> end line, comment
//! ```

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Ends, MARK, Process};
use crate::event::ConnInfo;
use crate::units::ConnKey;

/// A client's address and a server's.
pub(super) type Pair = (SocketAddr, SocketAddr);

/// What is known of the processes at the ends of connections. Cheap to clone, all are the same.
#[derive(Debug, Clone, Default)]
pub struct Owners(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    /// Grows with everything that is learned.
    version: AtomicU64,
    /// Connections of which something was learned late and not yet remarked.
    unremarked: AtomicUsize,
}

#[derive(Debug, Default)]
struct Book {
    known: Newest<ConnKey, Known>,
    /// From comments of the capture.
    told: Newest<Pair, Ends>,
    /// Whose handshake has gone by, although more may be learned.
    waiting: Newest<Pair, Option<ConnKey>>,
}

#[derive(Debug, Default)]
struct Known {
    ends: Ends,
    /// Some of it was learned after the handshake had gone by.
    late: bool,
    /// That was not yet remarked in the saved capture.
    unremarked: bool,
}

impl Owners {
    /// The ends of a connection; `None` where nothing is known of either.
    pub fn of(&self, key: &ConnKey) -> Option<Ends> {
        Some(self.lock().known.map.get(key)?.ends.clone())
    }

    /// The ends of a connection, if some of it was learned after its handshake had gone by.
    pub fn late(&self, key: &ConnKey) -> Option<Ends> {
        let book = self.lock();
        Some(book.known.map.get(key).filter(|known| known.late)?.ends.clone())
    }

    /// The same, once: for a remark in the saved capture.
    pub fn take_late(&self, key: &ConnKey) -> Option<Ends> {
        // Asked with every event, and mostly there is nothing.
        if self.0.unremarked.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut book = self.lock();
        let known = book.known.map.get_mut(key).filter(|known| known.unremarked)?;
        known.unremarked = false;
        self.0.unremarked.fetch_sub(1, Ordering::Relaxed);
        Some(known.ends.clone())
    }

    /// Another number whenever something was learned.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// Learns from a comment in a capture, if it is one of ours.
    pub fn read_comment(&self, comment: &str) {
        let Some(told) = Told::parse(comment) else { return };
        let pair = (told.client, told.server);
        let ends = {
            let mut book = self.lock();
            let ends = book.told.entry(pair, drop);
            let end = if told.is_server { &mut ends.server } else { &mut ends.client };
            *end = Some(Arc::new(told.process));
            ends.clone()
        };
        self.learn(pair, &ends);
    }

    /// What comments of the capture tell of a connection.
    pub(super) fn told(&self, conn: &ConnInfo) -> Ends {
        self.lock().told.map.get(&(conn.client, conn.server)).cloned().unwrap_or_default()
    }

    /// What is known when the handshake goes by.
    pub(super) fn put(&self, key: ConnKey, ends: Ends) {
        if !ends.is_empty() {
            self.lock().known.entry(key, |old| self.forget_remark(&old)).ends = ends;
            self.0.version.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The handshake has gone by: what is learned from now on is late.
    pub(super) fn wait_for(&self, conn: &ConnInfo) {
        *self.lock().waiting.entry((conn.client, conn.server), drop) = Some(conn.key);
    }

    /// What is learned of these addresses is no more about the connection that had them.
    pub(super) fn stop_waiting(&self, pair: Pair) {
        if let Some(key) = self.lock().waiting.map.get_mut(&pair) {
            *key = None;
        }
    }

    /// A connection read from a capture is over: comments on its addresses are about another one.
    pub(super) fn forget_told(&self, pair: Pair) {
        self.stop_waiting(pair);
        if let Some(ends) = self.lock().told.map.get_mut(&pair) {
            *ends = Ends::default();
        }
    }

    /// Something was learned of the connection with these addresses.
    pub(super) fn learn(&self, pair: Pair, learned: &Ends) {
        let mut book = self.lock();
        let Some(key) = book.waiting.map.get(&pair).copied().flatten() else { return };
        let known = book.known.entry(key, |old| self.forget_remark(&old));
        let ends = Ends {
            client: learned.client.clone().or_else(|| known.ends.client.clone()),
            server: learned.server.clone().or_else(|| known.ends.server.clone()),
        };
        if ends == known.ends {
            return;
        }
        if !known.unremarked {
            self.0.unremarked.fetch_add(1, Ordering::Relaxed);
        }
        *known = Known { ends, late: true, unremarked: true };
        self.0.version.fetch_add(1, Ordering::Relaxed);
    }

    fn forget_remark(&self, known: &Known) {
        if known.unremarked {
            self.0.unremarked.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A comment of ours, read back.
struct Told {
    is_server: bool,
    client: SocketAddr,
    server: SocketAddr,
    process: Process,
}

impl Told {
    fn parse(comment: &str) -> Option<Self> {
        let (end, rest) = comment.strip_prefix(MARK)?.split_once(" process ")?;
        let is_server = match end {
            "client" => false,
            "server" => true,
            _ => return None,
        };
        let (process, rest) = rest.split_once("] (")?;
        let (name, pid) = process.rsplit_once('[')?;
        let (addresses, command) = rest.split_once(')')?;
        let (client, server) = addresses.split_once(" > ")?;
        let pid = pid.parse().ok()?;
        let command = command.trim_start().to_owned();
        let process = Process { pid, name: name.to_owned(), command };
        Some(Self {
            is_server,
            client: client.parse().ok()?,
            server: server.parse().ok()?,
            process,
        })
    }
}

/// The newest entries of what would grow for ever.
#[derive(Debug)]
pub(super) struct Newest<K, V> {
    pub(super) map: HashMap<K, V, foldhash::fast::RandomState>,
    order: VecDeque<K>,
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self { map: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: std::hash::Hash + Eq + Copy, V: Default> Newest<K, V> {
    /// The value of a key, which may put out that of the oldest one.
    pub(super) fn entry(&mut self, key: K, out: impl FnOnce(V)) -> &mut V {
        if !self.map.contains_key(&key) {
            if self.order.len() >= KEPT
                && let Some(oldest) = self.order.pop_front()
                && let Some(old) = self.map.remove(&oldest)
            {
                out(old);
            }
            self.order.push_back(key);
        }
        self.map.entry(key).or_default()
    }
}

/// Connections whose ends are remembered, those that are over too.
const KEPT: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{FlowId, PacketNo, StreamNo};

    fn conn() -> ConnInfo {
        ConnInfo {
            key: ConnKey::default(),
            stream: StreamNo(0),
            client: "[::1]:4711".parse().unwrap(),
            server: "[::1]:8088".parse().unwrap(),
            tls: None,
            h2_stream: None,
        }
    }

    fn process(pid: u32, name: &str, command: &str) -> Arc<Process> {
        Arc::new(Process { pid, name: name.into(), command: command.into() })
    }

    #[test]
    fn comments_read_back_as_they_were_written() {
        let ends = Ends {
            client: Some(process(1234, "node", "node client.js --url (x) > y")),
            server: Some(process(7, "odd [name]", "")),
        };
        let comments: Vec<_> = ends.comments(&conn()).collect();
        assert_eq!(
            comments,
            [
                "wstap: client process node[1234] ([::1]:4711 > [::1]:8088) node client.js --url (x) > y",
                "wstap: server process odd [name][7] ([::1]:4711 > [::1]:8088)",
            ]
        );
        let owners = Owners::default();
        for comment in &comments {
            owners.read_comment(comment);
        }
        assert_eq!(owners.told(&conn()), ends);
    }

    #[test]
    fn other_comments_are_none_of_ours() {
        let owners = Owners::default();
        for other in [
            "",
            "wstap: ",
            "client process a[1] (x > y)",
            "wstap: proxy process a[1] ([::1]:1 > [::1]:2)",
            "wstap: client process a[-1] ([::1]:1 > [::1]:2)",
            "wstap: client process a[1] (1 > 2)",
        ] {
            owners.read_comment(other);
        }
        assert!(owners.lock().told.map.is_empty());
    }

    #[test]
    fn what_is_learned_after_the_handshake_is_late_and_remarked_once() {
        let (owners, conn) = (Owners::default(), conn());
        let pair = (conn.client, conn.server);
        let ends = |client: Option<u32>, server: Option<u32>| Ends {
            client: client.map(|pid| process(pid, "a", "a")),
            server: server.map(|pid| process(pid, "b", "b")),
        };
        owners.learn(pair, &ends(Some(9), None));
        assert_eq!(owners.of(&conn.key), None, "of whom this was, nobody knows");
        owners.put(conn.key, ends(Some(1), None));
        owners.wait_for(&conn);
        assert_eq!((owners.late(&conn.key), owners.take_late(&conn.key)), (None, None));
        let before = owners.version();
        owners.learn(pair, &ends(Some(1), None));
        assert_eq!((owners.version(), owners.late(&conn.key)), (before, None), "nothing new");
        owners.learn(pair, &ends(None, Some(2)));
        assert_ne!(owners.version(), before);
        let both = Some(ends(Some(1), Some(2)));
        assert_eq!((owners.of(&conn.key), owners.late(&conn.key)), (both.clone(), both.clone()));
        assert_eq!((owners.take_late(&conn.key), owners.take_late(&conn.key)), (both, None));
        // The addresses are another connection's.
        owners.stop_waiting(pair);
        owners.learn(pair, &ends(Some(3), Some(4)));
        assert_eq!(owners.of(&conn.key), Some(ends(Some(1), Some(2))));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut newest = Newest::<usize, u8>::default();
        for no in 0..KEPT + 10 {
            *newest.entry(no, drop) = 1;
        }
        assert_eq!((newest.map.len(), newest.order.len()), (KEPT, KEPT));
        assert!(!newest.map.contains_key(&9) && newest.map.contains_key(&10));
    }

    #[test]
    fn a_remark_that_was_never_made_goes_with_its_connection() {
        let owners = Owners::default();
        for no in 0..=KEPT as u64 {
            let key = ConnKey { flow: FlowId(PacketNo(no)), nth: 0 };
            let conn = ConnInfo { key, ..conn() };
            owners.wait_for(&conn);
            let ends = Ends { client: Some(process(1, "a", "a")), server: None };
            owners.learn((conn.client, conn.server), &ends);
        }
        assert_eq!(owners.0.unremarked.load(Ordering::Relaxed), KEPT);
    }
}
