//! Asking the helper, without waiting long for its answers.
//!
//! Gets: pairs of addresses. Gives: the processes that have these sockets: at once, after a short
//! wait, or later to [`Owners`]. Keeps: the newest answers.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::owners::{Newest, Pair};
use super::{Answer, Ends, Owners, Process, Question};

/// Asks the helper. Cheap to clone, all are the same.
#[derive(Debug, Clone)]
pub struct Finder(Arc<Asking>);

struct Asking {
    to: Mutex<Outbound>,
    heard: Arc<Heard>,
}

/// What has been answered; the listening thread has this and no more, so that the helper ends when
/// nobody asks it any more.
struct Heard {
    answers: Mutex<Answers>,
    answered: Condvar,
    /// Who is told of every answer, early or late.
    owners: Owners,
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
    known: Newest<Pair, Known>,
    /// Who was last found behind the address of a server.
    servers: Newest<SocketAddr, Option<Served>>,
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

/// Who serves at an address.
struct Served {
    by: Arc<Process>,
    /// When that was last found to be so.
    at: Instant,
    /// When it was last found to be another process than before.
    changed: Option<Instant>,
}

impl Answers {
    /// This process was found behind the address of a server.
    fn serves(&mut self, server: SocketAddr, by: &Arc<Process>) {
        let at = Instant::now();
        let last = self.servers.entry(server, drop);
        let changed = last
            .as_ref()
            .and_then(|last| if last.by.pid == by.pid { last.changed } else { Some(at) });
        *last = Some(Served { by: Arc::clone(by), at, changed });
    }

    /// Who has a new connection to this server, as far as that can be told of others: a connection that
    /// is over soon is gone before it is looked for. Not where several processes take turns.
    fn presumed(&self, server: SocketAddr) -> Option<Arc<Process>> {
        let last = self.servers.map.get(&server)?.as_ref()?;
        let settled = last.changed.is_none_or(|changed| changed.elapsed() > SETTLED);
        (settled && last.at.elapsed() < BELIEVED).then(|| Arc::clone(&last.by))
    }
}

impl Finder {
    /// Speaks with a helper ([`serve`](super::serve)) over these, and tells `owners` its answers.
    pub fn new(
        to: impl Write + Send + 'static,
        from: impl Read + Send + 'static,
        owners: Owners,
    ) -> Self {
        Self::with(Box::new(to), Box::new(from), None, owners)
    }

    /// Starts the helper: this very program, by these arguments, which must lead it to
    /// [`serve`](super::serve).
    ///
    /// # Errors
    /// When it can not be started.
    #[cfg(target_os = "linux")]
    pub fn start(args: &[&std::ffi::OsStr], owners: Owners) -> io::Result<Self> {
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
        super::linux::wait_until_ready(&mut from)?;
        Ok(Self::with(Box::new(to), Box::new(from), Some(child), owners))
    }

    fn with(
        to: Box<dyn Write + Send>,
        from: Box<dyn Read + Send>,
        child: Option<std::process::Child>,
        owners: Owners,
    ) -> Self {
        let to = Outbound {
            writer: Some(to),
            reader: Some(from),
            child,
            patience: PATIENCE,
            last: Instant::now(),
        };
        let heard = Heard { answers: Mutex::default(), answered: Condvar::new(), owners };
        Self(Arc::new(Asking { to: Mutex::new(to), heard: Arc::new(heard) }))
    }

    /// A connection appeared: who has it is looked up meanwhile.
    pub fn expect(&self, pair: Pair) {
        self.0.heard.owners.stop_waiting(pair);
        if let Some(known) = self.answers().known.map.get_mut(&pair) {
            // The addresses had another connection before.
            (known.ends, known.certain) = (Ends::default(), false);
        }
        self.ask(pair);
    }

    /// What is known of these addresses now.
    pub(super) fn known(&self, pair: Pair) -> Ends {
        self.answers().known.map.get(&pair).map(|known| known.ends.clone()).unwrap_or_default()
    }

    /// The ends of a connection. Waits a little for the answer, not much in all; without one, the server
    /// is taken to be who it was for other connections just now.
    pub fn ends(&self, pair: Pair) -> Ends {
        let mut ends = self.found(pair);
        if ends.server.is_none() {
            ends.server = self.answers().presumed(pair.1);
        }
        ends
    }

    /// What the helper answers soon enough.
    fn found(&self, pair: Pair) -> Ends {
        let known = |answers: &Answers| answers.known.map.get(&pair).cloned().unwrap_or_default();
        let before = known(&self.answers());
        // Before the server took the connection, it was its listener's.
        if before.certain || !self.ask(pair) {
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
    fn ask(&self, (client, server): Pair) -> bool {
        {
            let mut answers = self.answers();
            if answers.gone || answers.open >= OPEN {
                return false;
            }
            answers.open += 1;
            let known = answers.known.entry((client, server), drop);
            known.open += 1;
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
            let pair = (answer.client, answer.server);
            let known = answers.known.entry(pair, drop);
            known.open = known.open.saturating_sub(1);
            known.certain = answer.certain;
            let server = answer.server_process.map(Arc::new);
            let ends = &mut known.ends;
            ends.client = answer.client_process.map(Arc::new).or(ends.client.take());
            ends.server = server.clone().or(ends.server.take());
            let ends = ends.clone();
            if let Some(server) = &server {
                answers.serves(pair.1, server);
            }
            drop(answers);
            self.answered.notify_all();
            self.owners.learn(pair, &ends);
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

/// Questions open at once: a port scan asks more than is worth an answer.
const OPEN: usize = 4096;
/// The most that is waited for answers at a stretch: the kernel's buffer takes what comes meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the process that was found for a server is taken to be that of its other connections.
const BELIEVED: Duration = Duration::from_secs(1);
/// So long after another one was found, there may be several.
const SETTLED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ConnInfo;
    use crate::units::{ConnKey, StreamNo};

    const PAIR: (&str, &str) = ("[::1]:4711", "[::1]:8088");

    fn pair() -> Pair {
        (PAIR.0.parse().unwrap(), PAIR.1.parse().unwrap())
    }

    #[test]
    fn a_helper_that_is_gone_or_silent_is_not_waited_for_long() {
        let gone = Finder::new(io::sink(), io::empty(), Owners::default());
        assert!(gone.ends(pair()).is_empty());
        let (from, _silent) = io::pipe().unwrap();
        let silent = Finder::new(io::sink(), from, Owners::default());
        let begin = Instant::now();
        for _ in 0..50 {
            assert!(silent.ends(pair()).is_empty());
        }
        // It gets back a twentieth of what passes; and a busy machine adds to each wait.
        assert!(begin.elapsed() < 10 * PATIENCE, "{:?}", begin.elapsed());
    }

    #[test]
    fn an_answer_that_comes_after_the_wait_is_learned_all_the_same() {
        let (from, mut helper) = io::pipe().unwrap();
        let owners = Owners::default();
        let finder = Finder::new(io::sink(), from, owners.clone());
        let (client, server): (SocketAddr, SocketAddr) = pair();
        assert!(finder.ends((client, server)).is_empty());
        let conn = ConnInfo {
            key: ConnKey::default(),
            stream: StreamNo(0),
            client,
            server,
            tls: None,
            h2_stream: None,
        };
        owners.wait_for(&conn);
        let process = Process { pid: 7, name: "node".into(), command: "node server.js".into() };
        let answer = Answer {
            client,
            server,
            client_process: None,
            server_process: Some(process.clone()),
            certain: true,
        };
        let line = serde_json::to_string(&answer).unwrap() + "\n";
        helper.write_all(line.as_bytes()).unwrap();
        let begin = Instant::now();
        while owners.late(&conn.key).is_none() {
            assert!(begin.elapsed() < Duration::from_secs(30), "it is never learned");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(*owners.of(&conn.key).unwrap().server.unwrap(), process);
        assert_eq!(finder.ends((client, server)).server.as_deref(), Some(&process));
    }
    #[test]
    fn a_server_that_was_found_for_one_connection_is_that_of_the_next_ones() {
        let (from, mut helper) = io::pipe().unwrap();
        let finder = Finder::new(io::sink(), from, Owners::default());
        let server: SocketAddr = PAIR.1.parse().unwrap();
        let pair = |port: u16| (SocketAddr::from(([127, 0, 0, 1], port)), server);
        let mut found = |port: u16, pid: u32| {
            let process = Process { pid, name: "node".into(), command: "node".into() };
            finder.expect(pair(port));
            let answer = Answer {
                client: pair(port).0,
                server,
                client_process: None,
                server_process: Some(process),
                certain: true,
            };
            let line = serde_json::to_string(&answer).unwrap() + "\n";
            helper.write_all(line.as_bytes()).unwrap();
            let begin = Instant::now();
            while finder.known(pair(port)).server.is_none() {
                assert!(begin.elapsed() < Duration::from_secs(30), "it is never heard");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        found(1, 7);
        // As when it was waited for others.
        finder.outbound().patience = Duration::ZERO;
        let next = finder.ends(pair(2));
        assert_eq!(next.server.map(|process| process.pid), Some(7));
        assert_eq!(next.client, None);
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(finder.ends((pair(2).0, elsewhere)).server, None, "another address");
        found(3, 8);
        assert_eq!(finder.ends(pair(4)).server, None, "they take turns");
    }
}
