//! The same way of a packet over several threads, with the same events in the same order.
//!
//! Gets: packets, read on whichever thread has nothing more urgent to do. Gives: events to a [`Sink`] on
//! the calling thread, and [`Totals`] at the end: what a [`Pipeline`](super::Pipeline) gives.
//!
//! ```text
//!             +- read, decode, deal out -+     +- follow connections -+     +- merge -------+
//!  packets -->| one thread at a time,    |---->| a thread for each    |---->| the caller's  |--> Sink
//!             | whichever                |     | part that has work   |     | thread        |
//!             +--------------------------+     +----------------------+     +---------------+
//! ```
//!
//! Why the threads can not be told from the events:
//!
//! - A connection is in one part of the [flow table](crate::flow), by its addresses and ports alone, and
//!   a part is worked on by one thread at a time, in the order of the packets. Budgets and idle times
//!   hold for each part.
//! - A packet has one segment at most, so what came of it was told by one part. The order of the
//!   packets is the order of the events.
//! - What looks over several connections is done where they are merged: numbers of connections, reused
//!   keys, filters, the sink.

mod desk;
mod intake;
mod load;
mod log;
mod merge;
mod part;
mod quiet;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::thread;

use super::Totals;
use super::keys::KeyWatch;
use crate::conn::{Sealed, Unread};
use crate::event::Sink;
use crate::flow::PARTS;
use crate::limits::Limits;
use crate::tls::KeyLog;
use crate::units::{FlowId, Origin};
use crate::ws::Scratch;

use desk::{Desk, Job};
use intake::Reader;
pub use intake::{Ahead, Intake};
use log::Log;
use merge::{Merger, Need};
use part::Core;

/// Threads of which each can have work.
pub const MOST: usize = PARTS;

/// How much goes from thread to thread at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// A batch is full with so many payload bytes: small enough that those on their way stay in the
    /// cache.
    pub(crate) batch_bytes: usize,
    /// Or with so many segments.
    pub(crate) batch_segments: usize,
    /// Bytes of a log at which it is handed over, although there is more work: one packet can hold
    /// thousands of messages, and inflate to a thousand times its size.
    pub(crate) log_bytes: usize,
    /// Bytes of logs that wait to be merged.
    pub(crate) kept_bytes: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            batch_bytes: 256 << 10,
            batch_segments: 2048,
            log_bytes: 1 << 20,
            kept_bytes: 16 << 20,
        }
    }
}

/// Reads everything into the sink, and gives it back.
///
/// `fetch` hands one packet at a time to the [`Intake`], and breaks at the end. `ahead` is called before
/// the events of each batch of packets. TLS is read with the secrets of `keys`: those that the capture
/// itself brings are to be added with the number of the packet behind them.
pub fn run<S: Sink>(
    sink: S,
    limits: &Limits,
    keys: &KeyLog,
    threads: NonZeroUsize,
    fetch: impl FnMut(&mut Intake) -> ControlFlow<()> + Send,
    ahead: impl FnMut(&mut S, Ahead),
) -> (S, Totals) {
    run_in(Sizes::default(), sink, limits, keys, threads, fetch, ahead)
}

/// The same, in pieces of other sizes.
pub(crate) fn run_in<S: Sink>(
    sizes: Sizes,
    sink: S,
    limits: &Limits,
    keys: &KeyLog,
    threads: NonZeroUsize,
    fetch: impl FnMut(&mut Intake) -> ControlFlow<()> + Send,
    mut ahead: impl FnMut(&mut S, Ahead),
) -> (S, Totals) {
    let threads = threads.get().min(MOST);
    let mut sink = KeyWatch::new(sink, limits.keys);
    let (wants, later) = (sink.wants(), sink.later());
    let cores = (0..PARTS).map(|_| Core::new(wants, later, limits, sizes, keys)).collect();
    let desk = Desk::new(Reader::new(fetch, limits, sizes), cores, threads, sizes);
    let mut merger = Merger::default();
    let flowing = thread::scope(|scope| {
        let _guard = desk.guard();
        for _ in 1..threads {
            scope.spawn(|| work(&desk));
        }
        merge(&desk, &mut merger, &mut sink, &mut ahead)
    });
    let (reader, mut cores) = desk.into_parts();
    let (last, totals) = reader.map(|reader| reader.intake.finish()).unwrap_or_default();
    if flowing.is_continue() {
        // A sink that breaks now has what it wants; there is nothing left to stop.
        let _ = finish(&mut cores, last, &mut merger, &mut sink);
    }
    let unread = cores.iter().map(Core::unread).fold(Unread::default(), |sum, unread| Unread {
        tls: sum.tls + unread.tls,
        http2: sum.http2 + unread.http2,
        other: sum.other + unread.other,
    });
    let mut sealed = Sealed::default();
    for core in &cores {
        sealed.join(core.sealed());
    }
    (sink.into_sink(), Totals { tcp_streams: merger.streams(), unread, sealed, ..totals })
}

/// A thread that helps, until the desk is closed.
fn work<F: FnMut(&mut Intake) -> ControlFlow<()>>(desk: &Desk<F>) {
    let _guard = desk.guard();
    let mut scratch = Scratch::default();
    let mut state = desk.lock();
    while !state.is_closed() {
        state = match state.job() {
            Some(job) => {
                drop(state);
                do_job(desk, job, &mut scratch);
                desk.lock()
            }
            None => desk.wait(state),
        };
    }
}

fn do_job<F: FnMut(&mut Intake) -> ControlFlow<()>>(
    desk: &Desk<F>,
    job: Job<F>,
    scratch: &mut Scratch,
) {
    match job {
        Job::Read(mut reader) => {
            reader.read();
            let mut state = desk.lock();
            state.put_batch(reader);
            desk.call(state);
        }
        Job::Work { part, mut core, mut load, log } => {
            let log = core.work(&mut load, log, scratch);
            let mut state = desk.lock();
            state.put_log(part, core, load, log);
            desk.call(state);
        }
    }
}

/// The calling thread: merges what can be merged, and helps where it would wait.
fn merge<S: Sink, F: FnMut(&mut Intake) -> ControlFlow<()>>(
    desk: &Desk<F>,
    merger: &mut Merger,
    sink: &mut KeyWatch<S>,
    ahead: &mut impl FnMut(&mut S, Ahead),
) -> ControlFlow<()> {
    let mut scratch = Scratch::default();
    loop {
        let need = merger.merge(sink)?;
        let mut state = desk.lock();
        if need == Need::Batch && merger.end() {
            state.batch_done();
        }
        loop {
            match need {
                Need::Batch => {
                    if let Some(batch) = state.next_batch() {
                        // There may be room for a batch again.
                        desk.call(state);
                        ahead(sink.sink_mut(), merger.begin(batch));
                        break;
                    }
                    if state.is_done() {
                        return ControlFlow::Continue(());
                    }
                }
                Need::Log(part) => {
                    if let Some(log) = state.next_log(part) {
                        let (log, size) = merger.put(part, log);
                        if state.log_done(log, size) {
                            desk.call(state);
                        }
                        break;
                    }
                }
            }
            if state.is_closed() {
                return ControlFlow::Break(());
            }
            state = match state.job() {
                Some(job) => {
                    drop(state);
                    do_job(desk, job, &mut scratch);
                    desk.lock()
                }
                None => desk.wait(state),
            };
        }
    }
}

/// The capture is over: ends every connection, in the order of their first packets.
fn finish<S: Sink>(
    cores: &mut [Core],
    last: Origin,
    merger: &mut Merger,
    sink: &mut KeyWatch<S>,
) -> ControlFlow<()> {
    let parts = cores.iter().enumerate();
    let mut open: Vec<(FlowId, usize, u32)> =
        parts.flat_map(|(part, core)| core.open().map(move |(id, at)| (id, part, at))).collect();
    open.sort_unstable();
    let mut log = Log::default();
    for (_, part, place) in open {
        let Some(core) = cores.get_mut(part) else { continue };
        log.clear();
        log = core.finish(place, last, log);
        merger.hand_on(part, &mut log, sink)?;
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
