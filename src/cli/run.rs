//! A run: packets from a feed through the pipeline into an output, until it ends or is stopped.
//!
//! Gets: options and an output. Gives: events to the output, packets to the file of -w, what could not
//! be read to standard error.

use std::fs::File;
use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Found;
use super::error::{self, CliError};
use super::feed::{Feed, Next, Pace};
use super::options::ReadOptions;
use super::progress::Bar;
use super::screen::complain;
use crate::capture::{Interface, InterfaceId, PacketRecord, PcapngWriter};
use crate::event::{Cx, Event, Sink, Wants};
use crate::filter::FilterSink;
use crate::pipeline::Pipeline;
use crate::sink::{Output, Summary};
use crate::units::Timestamp;

/// How a run went.
pub(super) struct Ran<O> {
    /// The output, with what it saw.
    pub(super) output: O,
    /// Whether all of the input was read.
    pub(super) found: Found,
}

/// Output is shown at least this often while a live capture is busy.
const OFTEN: Duration = Duration::from_millis(100);

/// Reads everything that the options name into the output.
pub(super) fn run<O: Output>(options: ReadOptions, output: O) -> Result<Ran<O>, CliError> {
    if options.keylog.is_some() {
        complain("wstap: --keylog: TLS is not decrypted yet; its connections are only counted");
    }
    let stop = catch_signals();
    let mut feed = Feed::open(&options)?;
    let mut saver = options.write.as_deref().map(Saver::create).transpose()?;
    let deadline = options.duration.and_then(|after| Instant::now().checked_add(after));
    let sink = match options.display_filter {
        Some(filter) => Selected::Matching(Box::new(FilterSink::new(filter, output))),
        None => Selected::All(output),
    };
    let mut pipeline = Pipeline::new(sink, options.limits);
    let mut bar = Bar::new(feed.progress());
    let mut shown = Shown::new(feed.pace());
    let mut unread = Vec::new();
    let mut packets: u64 = 0;
    while options.packets.is_none_or(|limit| packets < limit) {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if (late || stop.load(Ordering::Relaxed)) && feed.stop() {
            break;
        }
        if let Some(saver) = &mut saver {
            saver.catch_up(&feed)?;
        }
        let record = match feed.next() {
            Ok(Next::Packet(record)) => record,
            Ok(Next::Idle) => {
                if pipeline.sink_mut().output().flush().is_break() {
                    break;
                }
                continue;
            }
            Ok(Next::End) => break,
            Err(error) => {
                unread.push(error);
                continue;
            }
        };
        packets += 1;
        if packets == 1 {
            pipeline.sink_mut().begin(record.time);
        }
        if let Some(saver) = &mut saver {
            saver.packet(&record)?;
        }
        let mut flow = pipeline.push(&record);
        if flow.is_continue() && shown.is_due() {
            flow = pipeline.sink_mut().output().flush();
        }
        if flow.is_break() {
            break;
        }
        bar.tick(packets);
    }
    bar.clear();
    if let Some(saver) = saver {
        saver.finish(&feed)?;
    }
    let (sink, totals) = pipeline.finish();
    let mut output = sink.into_output();
    let truncated = unread.first().map(ToString::to_string);
    let end = Summary { totals: &totals, dropped: feed.dropped(), truncated: truncated.as_deref() };
    output.finish(&end).map_err(CliError::Output)?;
    unread.iter().for_each(error::unread);
    let found = if unread.is_empty() { Found::Nothing } else { Found::Unread };
    Ok(Ran { output, found })
}

/// Set when the user, or the system, wants the run to end. Asked twice, it ends at once.
fn catch_signals() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let stop = STOP.get_or_init(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        // Where signals can not be caught, they end the program as they always did.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                // 128 and the number of SIGINT, as shells have it.
                std::process::exit(130);
            }
        });
        stop
    });
    Arc::clone(stop)
}

/// When output was last shown.
struct Shown {
    pace: Pace,
    last: Instant,
}

impl Shown {
    fn new(pace: Pace) -> Self {
        Self { pace, last: Instant::now() }
    }

    /// Is it time again.
    fn is_due(&mut self) -> bool {
        match self.pace {
            Pace::Whenever => false,
            Pace::EachPacket => true,
            Pace::Often => {
                let due = self.last.elapsed() >= OFTEN;
                if due {
                    self.last = Instant::now();
                }
                due
            }
        }
    }
}

/// An output, behind the display filter if there is one.
enum Selected<O> {
    All(O),
    Matching(Box<FilterSink<O>>),
}

impl<O: Output> Selected<O> {
    fn output(&mut self) -> &mut O {
        match self {
            Self::All(output) => output,
            Self::Matching(filter) => filter.inner_mut(),
        }
    }

    fn into_output(self) -> O {
        match self {
            Self::All(output) => output,
            Self::Matching(filter) => filter.into_inner(),
        }
    }

    fn begin(&mut self, first: Option<Timestamp>) {
        if let (Self::Matching(filter), Some(time)) = (&mut *self, first) {
            filter.set_first_time(time);
        }
        self.output().begin(first);
    }
}

impl<O: Output> Sink for Selected<O> {
    fn wants(&self) -> Wants {
        match self {
            Self::All(output) => output.wants(),
            Self::Matching(filter) => filter.wants(),
        }
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match self {
            Self::All(output) => output.event(cx, event),
            Self::Matching(filter) => filter.event(cx, event),
        }
    }
}

/// The file of -w.
struct Saver {
    path: PathBuf,
    writer: PcapngWriter<BufWriter<File>>,
    /// Interfaces described so far.
    described: usize,
    /// A packet whose interface is not described yet: what the feed lends must be given back before
    /// it can be asked for its interfaces. Seldom: once for each interface.
    held: Option<Held>,
}

/// A packet of our own.
struct Held {
    record: PacketRecord<'static>,
    bytes: Vec<u8>,
}

impl Saver {
    fn create(path: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::Write { path: path.to_owned(), source };
        let file = File::create(path).map_err(failed)?;
        let writer = PcapngWriter::new(BufWriter::new(file)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer, described: 0, held: None })
    }

    /// Writes a packet, or keeps it until its interface can be described.
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<(), CliError> {
        if usize::try_from(record.interface.0).is_ok_and(|place| place < self.described) {
            return self.writer.write(record).map_err(|source| self.failed(source));
        }
        let bytes = record.bytes.to_vec();
        self.held = Some(Held { record: PacketRecord { bytes: &[], ..*record }, bytes });
        Ok(())
    }

    /// Describes new interfaces, and writes the packet that waited for that.
    fn catch_up(&mut self, feed: &Feed) -> Result<(), CliError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        self.describe(&feed.interfaces(), &held).map_err(|source| self.failed(source))
    }

    fn describe(&mut self, interfaces: &[Interface], held: &Held) -> io::Result<()> {
        for (place, interface) in interfaces.iter().enumerate().skip(self.described) {
            let id = InterfaceId(u32::try_from(place).unwrap_or(u32::MAX));
            self.writer.interface(id, interface)?;
        }
        self.described = interfaces.len();
        self.writer.write(&PacketRecord { bytes: &held.bytes, ..held.record })
    }

    fn failed(&self, source: io::Error) -> CliError {
        CliError::Write { path: self.path.clone(), source }
    }

    fn finish(mut self, feed: &Feed) -> Result<(), CliError> {
        self.catch_up(feed)?;
        let Self { path, writer, .. } = self;
        match writer.finish(&feed.interfaces()) {
            Ok(_) => Ok(()),
            Err(source) => Err(CliError::Write { path, source }),
        }
    }
}
