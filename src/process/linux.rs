//! The helper that looks at `/proc`.
//!
//! Gets: pairs of addresses, a line each. Gives: the processes that have these sockets. Keeps: the
//! last reading of the kernel's tables, read again when something is not in it. All questions that
//! wait are answered by one reading, and between two readings there is a pause: a burst of new
//! connections costs a few readings, however many they are and however slow the machine is.

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use procfs::FromReadSI;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, all_processes};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Answer, Process, Question};

/// Answers questions until there are no more.
///
/// # Errors
/// When an answer can not be written.
pub fn serve(questions: impl BufRead + Send, mut answers: impl Write) -> io::Result<()> {
    let mut tables = Tables::default();
    // Servers are there before the capture mostly: known, they cost no reading later.
    // What can not be read now is read when it is asked for.
    let _ = tables.sockets.read(read_sockets);
    let _ = tables.owners.read(read_owners);
    // An empty line: ready.
    answers.write_all(b"\n")?;
    answers.flush()?;
    let gone = AtomicBool::new(false);
    let (ask, asked) = mpsc::channel::<Question>();
    std::thread::scope(|scope| {
        // Questions are taken in at once, so that it is noticed when nobody waits for their answers
        // any more: looking up what is long over is slow.
        scope.spawn(|| {
            let lines = questions.lines().map_while(Result::ok);
            let read = lines.map_while(|line| serde_json::from_str(&line).ok());
            let _ = read.into_iter().try_for_each(|question| ask.send(question));
            gone.store(true, Ordering::Relaxed);
            drop(ask);
        });
        while let Ok(first) = asked.recv() {
            let mut batch = vec![first];
            tables.look_up(&mut batch, &asked);
            if gone.load(Ordering::Relaxed) {
                break;
            }
            for question in &batch {
                serde_json::to_writer(&mut answers, &tables.answer(question))?;
                answers.write_all(b"\n")?;
            }
            answers.flush()?;
        }
        Ok(())
    })
}

/// Waits for the empty line with which a helper begins; not long, it may also come later.
pub(super) fn wait_until_ready(from: &mut (impl Read + AsFd)) -> io::Result<()> {
    let timeout = Timespec { tv_sec: 1, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&timeout))?;
    if ready > 0 { from.read_exact(&mut [0]) } else { Ok(()) }
}

/// A port on which something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub addr: SocketAddr,
    /// Who; `None` where this user may not know.
    pub process: Option<Process>,
}

impl Listener {
    /// The capture filter that selects what goes to and from it.
    pub fn capture_filter(&self) -> String {
        format!("tcp port {}", self.addr.port())
    }
}

/// The TCP ports on which something listens now, each once, those of this user first known by name.
///
/// # Errors
/// When the system does not tell.
pub fn listening_ports() -> io::Result<Vec<Listener>> {
    let mut tables = Tables::default();
    tables.sockets.read(read_sockets)?;
    tables.owners.read(read_owners)?;
    let mut found: Vec<_> = tables.sockets.value.listening.iter().collect();
    found.sort_unstable();
    let listener = |(addr, inode): &(SocketAddr, u64)| Listener {
        addr: *addr,
        process: tables.owners.value.get(inode).and_then(|&pid| describe(pid)),
    };
    Ok(found.into_iter().map(listener).collect())
}

/// What the kernel tells.
#[derive(Debug, Default)]
struct Tables {
    sockets: Reading<Sockets>,
    /// Processes by the inodes of their sockets.
    owners: Reading<HashMap<u64, u32>>,
}

#[derive(Debug, Default)]
struct Sockets {
    /// Inodes by local and remote address.
    connected: HashMap<(SocketAddr, SocketAddr), u64>,
    listening: Vec<(SocketAddr, u64)>,
}

/// Something read, when, and how long that took.
#[derive(Debug, Default)]
struct Reading<T> {
    value: T,
    at: Option<Instant>,
    took: Duration,
}

impl<T> Reading<T> {
    fn read(&mut self, read: impl FnOnce() -> io::Result<T>) -> io::Result<()> {
        let begin = Instant::now();
        let result = read().map(|value| self.value = value);
        let now = Instant::now();
        (self.at, self.took) = (Some(now), now.duration_since(begin));
        result
    }

    /// Waits so long that reading takes a tenth of the time; but not so long that an answer would be
    /// late for it, where a reading takes long.
    fn pause(&self) {
        if let Some(at) = self.at {
            let rest = (self.took * 9).clamp(PAUSE, 20 * PAUSE);
            std::thread::sleep(rest.saturating_sub(at.elapsed()));
        }
    }

    fn is_older_than(&self, age: Duration) -> bool {
        self.at.is_none_or(|at| at.elapsed() > age)
    }
}

impl Tables {
    /// Reads again what the questions need, once for all of them and for those that came meanwhile.
    fn look_up(&mut self, batch: &mut Vec<Question>, more: &mpsc::Receiver<Question>) {
        batch.extend(more.try_iter());
        // A socket's addresses can soon be those of another one.
        if self.sockets.is_older_than(FRESH) || batch.iter().any(|q| self.lacks_socket(q)) {
            self.sockets.pause();
            batch.extend(more.try_iter());
            // What can not be read now is not known: the last reading stands. So below.
            let _ = self.sockets.read(read_sockets);
        }
        let lacks_owner = |inode: &u64| !self.owners.value.contains_key(inode);
        if batch.iter().any(|q| self.inodes(q).iter().flatten().any(lacks_owner)) {
            self.owners.pause();
            let _ = self.owners.read(read_owners);
        }
    }

    /// As far as is known without reading.
    fn answer(&self, question: &Question) -> Answer {
        let inodes = self.inodes(question);
        // A listener's process may still hand the connection to another one.
        let certain = ends(question).iter().all(|&(local, remote)| {
            self.connected(local, remote).is_some() || self.listener(local).is_none()
        }) && inodes.iter().any(Option::is_some);
        let [client_process, server_process] =
            inodes.map(|inode| describe(*self.owners.value.get(&inode?)?));
        let &Question { client, server } = question;
        Answer { client, server, client_process, server_process, certain }
    }

    /// Is an end that may be here not in the table.
    fn lacks_socket(&self, question: &Question) -> bool {
        let ends = ends(question);
        ends.iter().any(|&(local, remote)| self.connected(local, remote).is_none())
            && ends.iter().any(|&(local, _)| self.may_be_local(local))
    }

    /// The inodes of both ends.
    fn inodes(&self, question: &Question) -> [Option<u64>; 2] {
        ends(question)
            .map(|(local, remote)| self.connected(local, remote).or_else(|| self.listener(local)))
    }

    /// The inode of a connected socket; a connection that nobody has taken yet has none.
    fn connected(&self, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
        self.sockets.value.connected.get(&(local, remote)).copied().filter(|&inode| inode != 0)
    }

    /// The inode of the socket that takes connections there.
    fn listener(&self, local: SocketAddr) -> Option<u64> {
        let mut listening = self.sockets.value.listening.iter();
        let takes = |at: &SocketAddr| {
            at.port() == local.port() && (at.ip() == local.ip() || at.ip().is_unspecified())
        };
        listening.find(|(at, _)| takes(at)).map(|&(_, inode)| inode)
    }

    /// Loopback, a port that is listened on, or an address that some socket here has.
    fn may_be_local(&self, addr: SocketAddr) -> bool {
        let known =
            || self.sockets.value.connected.keys().any(|(local, _)| local.ip() == addr.ip());
        addr.ip().is_loopback() || self.listener(addr).is_some() || known()
    }
}

/// Local and remote address of the client's end, and of the server's.
fn ends(&Question { client, server }: &Question) -> [(SocketAddr, SocketAddr); 2] {
    [(client, server), (server, client)].map(|(a, b)| (canonical(a), canonical(b)))
}

fn read_sockets() -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    // Of this thread, not of the program: they differ in their network namespace.
    for path in ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] {
        let read = procfs::net::TcpNetEntries::from_file(path, procfs::current_system_info());
        let entries = match read {
            Ok(entries) => entries.0,
            // A kernel without IPv6.
            Err(procfs::ProcError::NotFound(_)) => continue,
            Err(error) => return Err(io::Error::other(error)),
        };
        for TcpNetEntry { local_address, remote_address, state, inode, .. } in entries {
            let local = canonical(local_address);
            if state == TcpState::Listen {
                sockets.listening.push((local, inode));
            } else {
                // One that is over has no inode; another one may have its addresses already.
                let known = sockets.connected.entry((local, canonical(remote_address)));
                let known = known.or_default();
                *known = inode.max(*known);
            }
        }
    }
    Ok(sockets)
}

/// Which process has which socket. Where several have one, the oldest: the others inherited it.
fn read_owners() -> io::Result<HashMap<u64, u32>> {
    let mut owners = HashMap::new();
    // Processes that end meanwhile, and those of others, are left out.
    for process in all_processes().map_err(io::Error::other)?.flatten() {
        let Ok(pid) = u32::try_from(process.pid) else { continue };
        for fd in process.fd().into_iter().flatten().flatten() {
            if let FDTarget::Socket(inode) = fd.target {
                owners.entry(inode).and_modify(|old: &mut u32| *old = pid.min(*old)).or_insert(pid);
            }
        }
    }
    Ok(owners)
}

fn describe(pid: u32) -> Option<Process> {
    let read = |what: &str| -> Option<Vec<u8>> {
        let file = std::fs::File::open(format!("/proc/{pid}/{what}")).ok()?;
        let mut bytes = Vec::new();
        file.take(COMMAND).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let name = String::from_utf8_lossy(&read("comm")?).trim_end_matches('\n').to_owned();
    let command = read("cmdline").unwrap_or_default();
    let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
    Some(Process { pid, name, command })
}

/// IPv4 stays IPv4, on a socket of IPv6 too.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Between two readings at least.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a reading is believed.
const FRESH: Duration = Duration::from_millis(500);
/// Bytes of a command line that are kept.
const COMMAND: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::super::{Ends, Finder, Owners};
    use super::*;

    /// A helper on a thread instead of a process.
    fn finder() -> Finder {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let questions = BufReader::new(theirs.try_clone().unwrap());
        std::thread::spawn(move || serve(questions, theirs));
        Finder::new(ours.try_clone().unwrap(), ours, Owners::default())
    }

    /// Asks, and then waits as long as a busy machine may need.
    fn known_in_the_end(finder: &Finder, pair: (SocketAddr, SocketAddr)) -> Ends {
        let begin = Instant::now();
        let mut ends = finder.ends(pair);
        while (ends.client.is_none() || ends.server.is_none()) && begin.elapsed().as_secs() < 30 {
            std::thread::sleep(Duration::from_millis(1));
            ends = finder.known(pair);
        }
        ends
    }

    /// As the helper does it.
    fn answers(mut batch: Vec<Question>, more: Vec<Question>) -> Vec<Answer> {
        let (ask, asked) = mpsc::channel();
        for question in more {
            ask.send(question).unwrap();
        }
        let mut tables = Tables::default();
        tables.look_up(&mut batch, &asked);
        batch.iter().map(|question| tables.answer(question)).collect()
    }

    #[test]
    fn both_ends_of_a_connection_within_this_process_are_this_process() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            let pair = (client.local_addr().unwrap(), server.local_addr().unwrap());
            let ends = known_in_the_end(&finder(), pair);
            for process in [ends.client.unwrap(), ends.server.unwrap()] {
                assert_eq!(process.pid, std::process::id());
                let name = std::env::args().next().unwrap();
                assert!(process.command.starts_with(&name), "{process:?}");
            }
        }
    }

    #[test]
    fn an_ipv4_connection_of_an_ipv6_socket_is_found() {
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_server, _) = listener.accept().unwrap();
        let pair = (client.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], port)));
        let ends = known_in_the_end(&finder(), pair);
        assert_eq!(ends.server.unwrap().pid, std::process::id());
    }

    #[test]
    fn before_the_server_takes_it_a_connection_is_its_listeners() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (a, b) = (client.local_addr().unwrap(), listener.local_addr().unwrap());
        let question = Question { client: a, server: b };
        let answer = answers(vec![question], Vec::new()).remove(0);
        assert_eq!(answer.server_process.unwrap().pid, std::process::id());
        assert!(!answer.certain);
    }

    #[test]
    fn addresses_of_others_have_no_process() {
        let question = Question {
            client: "192.0.2.1:1000".parse().unwrap(),
            server: "192.0.2.2:80".parse().unwrap(),
        };
        let answer = answers(vec![question], Vec::new()).remove(0);
        assert!(answer.client_process.is_none() && answer.server_process.is_none());
    }

    #[test]
    fn all_questions_that_wait_are_answered_by_one_reading() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let pairs: Vec<_> = (0..100)
            .map(|_| (TcpStream::connect(server).unwrap(), listener.accept().unwrap()))
            .collect();
        let question = |(client, _): &(TcpStream, _)| {
            let client = client.local_addr().unwrap();
            Question { client, server }
        };
        let mut questions: Vec<_> = pairs.iter().map(question).collect();
        let answers = answers(questions.split_off(99), questions);
        assert_eq!(answers.len(), 100);
        let me = Some(std::process::id());
        let mine = |answer: &&Answer| {
            let Answer { client_process, server_process, .. } = answer;
            let pids = [client_process, server_process].map(|p| p.as_ref().map(|p| p.pid));
            answer.certain && pids == [me, me]
        };
        assert_eq!(answers.iter().filter(mine).count(), 100);
    }

    #[test]
    fn a_burst_of_connections_is_known_soon_although_nobody_waits_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let pairs: Vec<_> = (0..100)
            .map(|_| (TcpStream::connect(server).unwrap(), listener.accept().unwrap()))
            .collect();
        let finder = finder();
        let pairs = pairs.iter().map(|(client, _)| (client.local_addr().unwrap(), server));
        pairs.clone().for_each(|pair| finder.expect(pair));
        let begin = Instant::now();
        for pair in pairs {
            assert!(known_in_the_end(&finder, pair).client.is_some(), "{pair:?}");
        }
        // Ten times what a busy machine needs; a reading for each would take longer.
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }

    #[test]
    fn ports_that_are_listened_on_are_listed_with_who_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let all = listening_ports().unwrap();
        let mine = all.iter().find(|l| l.addr == addr).unwrap();
        assert_eq!(mine.process.as_ref().unwrap().pid, std::process::id());
    }
}
