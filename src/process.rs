//! Whose socket it is: the process at each end of a connection that is local.
//!
//! Gets: connections as they appear; for stored captures the comments that wstap left in them.
//! Gives: [`Owners`], to be asked for by connection. Keeps: the ends of the newest connections,
//! those that are over too.
//!
//! ```text
//!  SYN -----------> Finder.expect --+   pipe    +-- helper: /proc/net/tcp, /proc/*/fd
//!  handshake -----> Finder.ends ----+---------->+   (a process of its own, with the privileges
//!       |                           <-----------+    that this takes and no traffic to parse)
//!       v
//!  Owned (a sink) -> Owners <- asked by: NDJSON, text, display filter, comments in the saved file
//! ```
//!
//! Who parses what strangers send has given up all privileges ([`crate::privilege`]), and a sandboxed
//! process may not look at others. So a helper answers, which is told two addresses and nothing else.

#[cfg(target_os = "linux")]
mod linux;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::event::{ConnInfo, Cx, Event, Sink, Wants};
use crate::units::ConnKey;

#[cfg(target_os = "linux")]
pub use linux::{Listener, listening_ports, serve};

/// A process, as it was when its connection appeared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name, as `ps` has it.
    pub name: String,
    /// Its command line, words joined by spaces; empty where it can not be read.
    pub command: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.pid)
    }
}

/// The processes at both ends of a connection; `None` for one that is not local or not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ends {
    /// The client's.
    pub client: Option<Arc<Process>>,
    /// The server's.
    pub server: Option<Arc<Process>>,
}

impl Ends {
    /// Neither is known.
    pub const fn is_empty(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }

    /// Those that are known, the client's first.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Process)> {
        let client = self.client.iter().map(|p| ("client", &**p));
        client.chain(self.server.iter().map(|p| ("server", &**p)))
    }

    /// The comments that stand for them in a saved capture.
    pub fn comments(&self, conn: &ConnInfo) -> impl Iterator<Item = String> {
        let ConnInfo { client, server, .. } = conn;
        self.iter().map(move |(end, process)| {
            let text =
                format!("{MARK}{end} process {process} ({client} > {server}) {}", process.command);
            // One comment is one line.
            text.replace(|c: char| c.is_control(), " ").trim_end().to_owned()
        })
    }
}

/// Before every comment of ours.
pub const MARK: &str = "wstap: ";

/// What is known of the processes at the ends of connections. Cheap to clone, all are the same.
#[derive(Debug, Clone, Default)]
pub struct Owners(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    ends: Newest<ConnKey, Ends>,
    /// From comments of the capture, by client and server.
    told: Newest<(SocketAddr, SocketAddr), Ends>,
}

impl Owners {
    /// The ends of a connection; `None` where nothing is known of either.
    pub fn of(&self, key: &ConnKey) -> Option<Ends> {
        self.lock().ends.map.get(key).cloned()
    }

    /// Learns from a comment in a capture, if it is one of ours.
    pub fn read_comment(&self, comment: &str) {
        let Some(told) = Told::parse(comment) else { return };
        let mut book = self.lock();
        let ends = book.told.entry((told.client, told.server));
        let end = if told.is_server { &mut ends.server } else { &mut ends.client };
        *end = Some(Arc::new(told.process));
    }

    /// What comments of the capture tell of a connection.
    fn told(&self, conn: &ConnInfo) -> Ends {
        self.lock().told.map.get(&(conn.client, conn.server)).cloned().unwrap_or_default()
    }

    fn put(&self, key: ConnKey, ends: Ends) {
        if !ends.is_empty() {
            *self.lock().ends.entry(key) = ends;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
struct Newest<K, V> {
    map: HashMap<K, V, foldhash::fast::RandomState>,
    order: VecDeque<K>,
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self { map: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: std::hash::Hash + Eq + Copy, V: Default> Newest<K, V> {
    fn entry(&mut self, key: K) -> &mut V {
        if !self.map.contains_key(&key) {
            if self.order.len() >= KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.map.remove(&oldest);
            }
            self.order.push_back(key);
        }
        self.map.entry(key).or_default()
    }
}

/// Passes events on, after finding out whose the sockets of a new connection are.
#[derive(Debug)]
pub struct Owned<S> {
    sink: S,
    owners: Owners,
    finder: Option<Finder>,
}

impl<S> Owned<S> {
    /// Before a sink. Live, `finder` is asked; of stored captures the comments tell.
    pub const fn new(sink: S, owners: Owners, finder: Option<Finder>) -> Self {
        Self { sink, owners, finder }
    }

    /// The sink behind.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The sink behind.
    pub fn into_inner(self) -> S {
        self.sink
    }
}

impl<S> Owned<S> {
    /// Whose the sockets of a new connection are.
    #[inline(never)]
    fn look_up(&self, cx: &Cx<'_>) {
        let ends = match &self.finder {
            Some(finder) => finder.ends(cx.conn.client, cx.conn.server),
            None => self.owners.told(cx.conn),
        };
        self.owners.put(cx.conn.key, ends);
    }
}

impl<S: Sink> Sink for Owned<S> {
    fn wants(&self) -> Wants {
        self.sink.wants()
    }

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if matches!(event, Event::Handshake(_)) {
            self.look_up(cx);
        }
        self.sink.event(cx, event)
    }
}

/// Asks the helper. Cheap to clone, all are the same.
#[derive(Debug, Clone)]
pub struct Finder(Arc<Asking>);

struct Asking {
    to: Mutex<Outbound>,
    heard: Arc<Heard>,
}

/// What has been answered; the listening thread has this and no more, so that the helper ends when
/// nobody asks it any more.
#[derive(Default)]
struct Heard {
    answers: Mutex<Answers>,
    answered: Condvar,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asking")
    }
}

struct Outbound {
    writer: Option<Box<dyn Write + Send>>,
    reader: Option<Box<dyn Read + Send>>,
    child: Option<std::process::Child>,
    /// How long the asking thread may still wait for answers.
    patience: Duration,
    last: Instant,
}

#[derive(Default)]
struct Answers {
    known: Newest<(SocketAddr, SocketAddr), Known>,
    /// Asked and not yet answered.
    open: usize,
    gone: bool,
}

#[derive(Default, Clone)]
struct Known {
    ends: Ends,
    /// Both are as certain as they will ever be.
    certain: bool,
    /// Questions not yet answered.
    open: usize,
}

/// A question: who has these two addresses. The client's comes first.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    client: SocketAddr,
    server: SocketAddr,
}

/// And its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    client: SocketAddr,
    server: SocketAddr,
    client_process: Option<Process>,
    server_process: Option<Process>,
    certain: bool,
}

impl Finder {
    /// Speaks with a helper ([`serve`]) over these.
    pub fn new(to: impl Write + Send + 'static, from: impl Read + Send + 'static) -> Self {
        Self::with(Box::new(to), Box::new(from), None)
    }

    /// Starts the helper: this very program, by these arguments, which must lead it to [`serve`].
    ///
    /// # Errors
    /// When it can not be started.
    #[cfg(target_os = "linux")]
    pub fn start(args: &[&std::ffi::OsStr]) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};
        // The program that runs, whatever its name stands for by now.
        let mut child = Command::new("/proc/self/exe")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for this program; the helper ends with it.
            .process_group(0)
            .spawn()?;
        let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        linux::wait_until_ready(&mut from)?;
        Ok(Self::with(Box::new(to), Box::new(from), Some(child)))
    }

    fn with(
        to: Box<dyn Write + Send>,
        from: Box<dyn Read + Send>,
        child: Option<std::process::Child>,
    ) -> Self {
        let to = Outbound {
            writer: Some(to),
            reader: Some(from),
            child,
            patience: PATIENCE,
            last: Instant::now(),
        };
        Self(Arc::new(Asking { to: Mutex::new(to), heard: Arc::default() }))
    }

    /// A connection appeared: who has it is looked up meanwhile.
    pub fn expect(&self, client: SocketAddr, server: SocketAddr) {
        self.ask(client, server);
    }

    /// The ends of a connection. Waits a little for the answer, not much in all.
    pub fn ends(&self, client: SocketAddr, server: SocketAddr) -> Ends {
        let pair = (client, server);
        let known = |answers: &Answers| answers.known.map.get(&pair).cloned().unwrap_or_default();
        let before = known(&self.answers());
        if before.certain {
            return before.ends;
        }
        // Before the server took the connection, it was its listener's.
        if before.open == 0 && !self.ask(client, server) {
            return before.ends;
        }
        let begin = Instant::now();
        let patience = self.patience(begin);
        let mut answers = self.answers();
        loop {
            let now = known(&answers);
            let left = patience.saturating_sub(begin.elapsed());
            if now.certain || now.open == 0 || answers.gone || left.is_zero() {
                drop(answers);
                self.outbound().patience = patience.saturating_sub(begin.elapsed());
                return now.ends;
            }
            let waited = self.0.heard.answered.wait_timeout(answers, left);
            answers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the helper; false when it can not be asked.
    fn ask(&self, client: SocketAddr, server: SocketAddr) -> bool {
        {
            let mut answers = self.answers();
            if answers.gone || answers.open >= OPEN {
                return false;
            }
            answers.open += 1;
            let known = answers.known.entry((client, server));
            known.open += 1;
            // The addresses may have had another connection before.
            known.certain = false;
        }
        let mut to = self.outbound();
        if let Some(reader) = to.reader.take() {
            // Not earlier: a thread has the privileges that its program had when it was started.
            let heard = Arc::clone(&self.0.heard);
            std::thread::spawn(move || heard.listen(reader));
        }
        let line = serde_json::to_string(&Question { client, server }).unwrap_or_default() + "\n";
        let sent = to.writer.as_mut().is_some_and(|to| to.write_all(line.as_bytes()).is_ok());
        if !sent {
            self.answers().gone = true;
        }
        sent
    }

    /// What may still be waited: a twentieth of the time that passes.
    fn patience(&self, now: Instant) -> Duration {
        let mut to = self.outbound();
        to.patience = PATIENCE.min(to.patience + now.duration_since(to.last) / 20);
        to.last = now;
        to.patience
    }

    fn outbound(&self) -> MutexGuard<'_, Outbound> {
        self.0.to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.heard.answers()
    }
}

impl Heard {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in answers until the helper is gone.
    fn listen(&self, reader: Box<dyn Read + Send>) {
        for line in BufReader::new(reader).lines() {
            let Ok(line) = line else { break };
            if line.is_empty() {
                // It was ready, later than was waited for.
                continue;
            }
            let Ok(answer) = serde_json::from_str::<Answer>(&line) else { break };
            let mut answers = self.answers();
            answers.open = answers.open.saturating_sub(1);
            let known = answers.known.entry((answer.client, answer.server));
            known.open = known.open.saturating_sub(1);
            known.certain = answer.certain;
            let ends = &mut known.ends;
            ends.client = answer.client_process.map(Arc::new).or(ends.client.take());
            ends.server = answer.server_process.map(Arc::new).or(ends.server.take());
            drop(answers);
            self.answered.notify_all();
        }
        self.answers().gone = true;
        self.answered.notify_all();
    }
}

impl Drop for Outbound {
    /// The helper ends when nobody can ask it any more.
    fn drop(&mut self) {
        self.writer = None;
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// Connections whose ends are remembered, those that are over too.
const KEPT: usize = 1 << 16;
/// Questions open at once: a port scan asks more than is worth an answer.
const OPEN: usize = 512;
/// The most that is waited for answers at a stretch: the kernel's buffer takes what comes meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::StreamNo;

    fn conn() -> ConnInfo {
        ConnInfo {
            key: ConnKey::default(),
            stream: StreamNo(0),
            client: "[::1]:4711".parse().unwrap(),
            server: "[::1]:8088".parse().unwrap(),
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
    fn only_the_newest_are_kept() {
        let mut newest = Newest::<usize, u8>::default();
        for no in 0..KEPT + 10 {
            *newest.entry(no) = 1;
        }
        assert_eq!((newest.map.len(), newest.order.len()), (KEPT, KEPT));
        assert!(!newest.map.contains_key(&9) && newest.map.contains_key(&10));
    }

    #[test]
    fn a_helper_that_is_gone_or_silent_is_not_waited_for_long() {
        let conn = conn();
        let gone = Finder::new(io::sink(), io::empty());
        assert!(gone.ends(conn.client, conn.server).is_empty());
        let (from, _silent) = io::pipe().unwrap();
        let silent = Finder::new(io::sink(), from);
        let begin = Instant::now();
        for _ in 0..50 {
            assert!(silent.ends(conn.client, conn.server).is_empty());
        }
        assert!(begin.elapsed() < 3 * PATIENCE, "{:?}", begin.elapsed());
    }
}
