//! The thread that loads: packets through the pipeline into the store.
//!
//! Gets: a source of packets. Gives: rows to the store, and how far it is to [`Loading`]. What can
//! not be read again (interfaces, pipes) is recorded as pcapng on its way ([`Tape`]).

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::load::Loading;
use super::tape::Tape;
use crate::capture::{
    CaptureError, Interface, LiveSource, PacketRecord, PacketSource as _, Polled, Source,
};
use crate::limits::Limits;
use crate::pipeline::Pipeline;
use crate::store::Writer;

/// Where packets come from.
#[derive(Debug)]
pub enum Packets {
    /// Files that can be read again.
    Files(Box<Source>),
    /// A pipe: packets come as they happen, and only once.
    Pipe(Box<Source>),
    /// Interfaces.
    Live(Box<LiveSource>),
}

/// How long a live capture may be silent before what is recorded is written out.
const IDLE: Duration = Duration::from_millis(50);
/// Packets between two looks at the clock.
const OFTEN: u64 = 512;
/// The recording is written out at least so often.
const FLUSH: Duration = Duration::from_millis(200);

enum Next<'a> {
    Packet(PacketRecord<'a>),
    Idle,
    End,
}

impl Packets {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        Ok(match self {
            Self::Files(source) | Self::Pipe(source) => {
                source.next()?.map_or(Next::End, Next::Packet)
            }
            Self::Live(source) => match source.next_timeout(IDLE)? {
                Polled::Packet(record) => Next::Packet(record),
                Polled::Idle => Next::Idle,
                Polled::End => Next::End,
            },
        })
    }

    /// They go on coming until somebody ends that.
    pub const fn live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// They can not be read again.
    pub const fn once(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    fn interfaces(&self) -> Vec<Interface> {
        match self {
            Self::Files(source) | Self::Pipe(source) => source.summary().interfaces,
            Self::Live(source) => source.summary().interfaces,
        }
    }

    fn fraction(&self) -> Option<f64> {
        let Self::Files(source) = self else { return None };
        let progress = source.progress();
        let total = progress.total().filter(|total| *total > 0)?;
        // Lossy above 2^53 bytes, of which a percentage is wanted.
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let fraction = progress.read() as f64 / total as f64;
        Some(fraction.min(1.0))
    }

    /// True when nothing more is to be read; an interface first gives what it has.
    fn stop(&self) -> bool {
        match self {
            Self::Files(_) | Self::Pipe(_) => true,
            Self::Live(source) => {
                source.stop_handle().store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

/// Loads everything, until the end or until it is stopped.
pub fn load(
    mut packets: Packets,
    writer: Writer,
    limits: Limits,
    loading: &Loading,
    tape: Option<Tape>,
) {
    let mut tape = tape;
    let mut pipeline = Pipeline::new(writer, limits);
    let mut count: u64 = 0;
    let mut told = Instant::now();
    let each = packets.once();
    let paused = matches!(packets, Packets::Pipe(_));
    loop {
        if loading.stopping() && packets.stop() {
            loading.tell(|load| load.stopped = true);
            break;
        }
        if let Some(tape) = &mut tape {
            tape.catch_up(|| packets.interfaces());
        }
        match packets.next() {
            Ok(Next::Packet(record)) => {
                count += 1;
                if let Some(tape) = &mut tape {
                    tape.packet(&record);
                    // Asking a pipe for the next one may take for ever.
                    if paused {
                        tape.flush();
                    }
                }
                if pipeline.push(&record) == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(Next::Idle) => told = told.checked_sub(FLUSH).unwrap_or(told),
            Ok(Next::End) => break,
            Err(error) => {
                let text = super::text::clean(&error.to_string());
                loading.tell(|load| load.error = load.error.take().or(Some(text)));
            }
        }
        if each || count.is_multiple_of(OFTEN) {
            let late = told.elapsed() >= FLUSH;
            if let (true, Some(tape)) = (late, &mut tape) {
                tape.flush();
            }
            if late || each && count < OFTEN {
                told = Instant::now();
                let (totals, fraction) = (pipeline.totals(), packets.fraction());
                loading.tell(|load| {
                    load.packets = count;
                    load.streams = totals.tcp_streams;
                    load.fraction = fraction;
                });
            }
        }
    }
    let interfaces = packets.interfaces();
    if let Some(tape) = &mut tape {
        tape.catch_up(|| interfaces);
        tape.flush();
    }
    let (_, totals) = pipeline.finish();
    loading.tell(|load| {
        load.packets = count;
        load.streams = totals.tcp_streams;
        let skipped = totals.skipped.iter();
        load.skipped = skipped.map(|(skip, n)| (skip.to_string(), *n)).collect();
        load.stopped |= loading.stopping();
        load.done = true;
    });
}
