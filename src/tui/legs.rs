//! Which connections are legs of one proxy, and what it altered: the engine of `wstap diff` over what
//! the session saw, in the background.
//!
//! Gets: what is to be compared ([`Job`]). Gives: [`Legs`], and how far it is. Keeps: of the latest
//! comparison the heads and what was altered; payloads only while it works, at most [`PAYLOADS`]
//! bytes. One thread, which sleeps while nothing is asked.

pub mod page;

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use serde_json::Value;

use crate::diff::way::Ways;
use crate::diff::{Collector, Leg, Options, Pair, Report, compare, compare_chosen};
use crate::store::replay::replay;
use crate::store::{Conn, Reader, Snapshot};
use crate::units::{ConnKey, Direction, MessageNo, PacketNo, PerDirection};

/// What is to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// All connections with each other.
    All,
    /// These two (by index), whatever pairing says: the client leg, the server leg.
    Two([u32; 2]),
}

/// What was found.
#[derive(Debug)]
pub struct Legs {
    /// What was compared.
    pub job: Job,
    /// What the engine says. Its legs have no messages any more.
    pub report: Report,
    /// Rows there were.
    pub rows: usize,
    /// How the pairs follow each other.
    pub ways: Ways,
    /// Of each leg its connection's index.
    conns: Vec<u32>,
    /// Of each connection its leg.
    leg_of: HashMap<u32, usize, RandomState>,
    /// Messages that differ, on every leg that has them: of which connection, which way, which
    /// number.
    messages: HashMap<(u32, Direction, u64), Differing, RandomState>,
}

/// What is known of a message that differs.
#[derive(Debug, Clone, Copy)]
struct Differing {
    /// The packet that completed it.
    packet: PacketNo,
    /// No proxy needs to do what was done to it.
    altered: bool,
}

/// What is known of a connection that may be a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The same key was seen on another one; nobody looked closer.
    Guess,
    /// One of a pair, and only what any correct proxy may alter was altered.
    Leg,
    /// One of a pair in which more was altered.
    Altered,
}

impl Legs {
    fn new(job: Job, mut report: Report, snapshot: &Snapshot) -> Self {
        let index: HashMap<ConnKey, u32, RandomState> =
            snapshot.conns.iter().zip(0..).map(|(conn, at)| (conn.info.key, at)).collect();
        let conns: Vec<u32> = report
            .legs
            .iter()
            .map(|leg| index.get(&leg.key).copied().unwrap_or(u32::MAX))
            .collect();
        let leg_of = conns.iter().zip(0..).map(|(conn, leg)| (*conn, leg)).collect();
        let mut messages = HashMap::default();
        for pair in &mut report.pairs {
            let both = [Some(pair.client), pair.server];
            for alteration in pair.alterations.iter_mut().filter(|a| a.of_message()) {
                // The store has the payloads.
                (alteration.before, alteration.after) = (Value::Null, Value::Null);
                for (leg, no) in both.into_iter().zip(alteration.numbers) {
                    let (Some(leg), Some(no)) = (leg, no) else { continue };
                    let Some((conn, packet)) =
                        message(&report.legs, &conns, leg, alteration.dir, no)
                    else {
                        continue;
                    };
                    let known = messages.entry((conn, alteration.dir, no.0));
                    let known = known.or_insert(Differing { packet, altered: false });
                    known.altered |= !alteration.expected;
                }
            }
        }
        for (leg, conn) in report.legs.iter_mut().zip(&conns) {
            // Of some connections only, they would be counted anew.
            leg.no = snapshot.conns.get(*conn as usize).map_or(leg.no, |conn| conn.no);
            leg.messages = PerDirection::default();
            leg.gaps = PerDirection::default();
        }
        let ways = Ways::of(&report);
        Self { job, report, rows: snapshot.rows.len(), ways, conns, leg_of, messages }
    }

    /// The connection (its index) that a leg is.
    pub fn conn(&self, leg: usize) -> Option<u32> {
        self.conns.get(leg).copied()
    }

    /// Was the connection looked at?
    pub fn knows(&self, conn: u32) -> bool {
        self.leg_of.contains_key(&conn)
    }

    /// The chain of pairs that a connection is part of, from the client to the server.
    pub fn chain(&self, conn: u32) -> Vec<&Pair> {
        let Some(leg) = self.leg_of.get(&conn) else { return Vec::new() };
        let chain = self.ways.chain(&self.report, *leg);
        chain.into_iter().filter_map(|at| self.report.pairs.get(at)).collect()
    }

    /// The connections of that chain; `None` when it is part of none.
    pub fn ladder(&self, conn: u32) -> Option<Vec<u32>> {
        let chain = self.chain(conn);
        let first = chain.first()?.client;
        let legs = [first].into_iter().chain(chain.iter().filter_map(|pair| pair.server));
        Some(legs.filter_map(|leg| self.conn(leg)).collect())
            .filter(|legs: &Vec<u32>| legs.len() > 1)
    }

    /// The pair that two connections are.
    pub fn pair(&self, one: u32, other: u32) -> Option<&Pair> {
        let (one, other) = (*self.leg_of.get(&one)?, *self.leg_of.get(&other)?);
        let joined = |client: usize, server: usize| {
            self.ways.onward(client).filter(|at| self.ways.back(server) == Some(*at))
        };
        self.report.pairs.get(joined(one, other).or_else(|| joined(other, one))?)
    }

    /// Why a connection is in no pair.
    pub fn why_not(&self, conn: u32) -> Option<&str> {
        let leg = *self.leg_of.get(&conn)?;
        let unpaired = self.report.unpaired.iter().find(|unpaired| unpaired.leg == leg)?;
        Some(&unpaired.why)
    }

    /// Was this message altered as no proxy needs to?
    pub fn altered(&self, conn: u32, dir: Direction, no: u64) -> bool {
        self.messages.get(&(conn, dir, no)).is_some_and(|message| message.altered)
    }

    /// The packet that completed a message that differs.
    pub fn packet(&self, conn: u32, dir: Direction, no: u64) -> Option<PacketNo> {
        self.messages.get(&(conn, dir, no)).map(|message| message.packet)
    }

    /// What a list says of a connection.
    pub fn mark(&self, conn: u32) -> Option<Mark> {
        let leg = *self.leg_of.get(&conn)?;
        let pairs = [self.ways.onward(leg), self.ways.back(leg)];
        let mut pairs = pairs.into_iter().flatten().peekable();
        pairs.peek()?;
        let altered = |at: usize| self.report.pairs.get(at).is_some_and(|p| p.counted(false) > 0);
        Some(if pairs.any(altered) { Mark::Altered } else { Mark::Leg })
    }
}

/// The connection and the packet of a message.
fn message(
    legs: &[Leg],
    conns: &[u32],
    leg: usize,
    dir: Direction,
    no: MessageNo,
) -> Option<(u32, PacketNo)> {
    let list = &legs.get(leg)?.messages[dir];
    let message = list.get(list.partition_point(|message| message.no < no))?;
    (message.no == no).then_some((*conns.get(leg)?, message.origin.packet))
}

/// The client leg and the server leg of two connections: a proxy is asked before it asks.
pub fn in_order(conns: [(u32, &Conn); 2]) -> [u32; 2] {
    let [(a, one), (b, other)] = conns;
    if one.begin() <= other.begin() { [a, b] } else { [b, a] }
}

/// Compares, on a thread of its own.
#[derive(Debug)]
pub struct Comparer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reader: Reader,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts jobs: what became of an old one is thrown away.
    turn: u64,
    /// Not begun yet.
    job: Option<Job>,
    /// Rows looked at, of how many.
    progress: (usize, usize),
    found: Option<Arc<Legs>>,
    stop: bool,
}

/// Payload bytes kept while comparing: enough to tell which message became which.
const PAYLOADS: usize = 64 << 20;
/// Alterations kept of one pair; further ones are counted.
const ALTERATIONS: usize = 1 << 12;

impl Comparer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(reader: Reader) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { reader, state: Mutex::default(), wake: Condvar::new() });
        let worker = Arc::clone(&shared);
        // Never joined: pairing many connections is not to hold up who leaves.
        std::thread::Builder::new().name("legs".into()).spawn(move || worker.run())?;
        Ok(Self { shared })
    }

    /// Compares something else from now on.
    pub fn ask(&self, job: Job) {
        let mut state = self.shared.lock();
        state.turn += 1;
        state.job = Some(job);
        state.found = None;
        state.progress = (0, 0);
        drop(state);
        self.shared.wake.notify_all();
    }

    /// What was found, once.
    pub fn take(&self) -> Option<Arc<Legs>> {
        self.shared.lock().found.take()
    }

    /// Rows looked at, of how many; equal when they are being paired.
    pub fn progress(&self) -> (usize, usize) {
        self.shared.lock().progress
    }
}

impl Drop for Comparer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        state.turn += 1;
        drop(state);
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some((turn, job)) = self.next() {
            let snapshot = self.reader.snapshot();
            let Some(legs) = self.work(turn, job, &snapshot) else { continue };
            let mut state = self.lock();
            if state.turn == turn {
                state.found = Some(Arc::new(legs));
            }
        }
    }

    /// Waits for something to do; `None`: nobody will ask any more.
    fn next(&self) -> Option<(u64, Job)> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(job) = state.job.take() {
                return Some((state.turn, job));
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// `None` when it was given up for another job.
    fn work(&self, turn: u64, job: Job, snapshot: &Snapshot) -> Option<Legs> {
        let all = snapshot.rows.len();
        let mut collector = Collector::new(0, "").keeping(PAYLOADS);
        let only = match job {
            Job::All => None,
            Job::Two(conns) => Some(BTreeSet::from(conns)),
        };
        let told = |rows: usize| {
            let mut state = self.lock();
            state.progress = (rows, all);
            if state.turn == turn { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        if replay(&self.reader, snapshot, only.as_ref(), &mut collector, told).is_break() {
            return None;
        }
        let options = Options { alterations: ALTERATIONS, ..Options::default() };
        let collected = collector.finish();
        let report = match job {
            Job::All => compare(vec![collected], &options),
            Job::Two(conns) => {
                let key = |at: u32| Some(snapshot.conns.get(at as usize)?.info.key);
                let [client, server] = conns.map(key);
                compare_chosen(collected, [client?, server?], &options)
            }
        };
        Some(Legs::new(job, report, snapshot))
    }
}
