//! A run: packets from a feed through the pipeline into an output, until it ends or is stopped.
//!
//! Gets: options and an output. Gives: events to the output, packets to the file of -w, what could not
//! be read to standard error.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Found;
use super::error::{self, CliError};
use super::feed::{Feed, Next, Pace};
use super::guard;
use super::options::{ReadOptions, Stop};
use super::progress::Bar;
use super::save::Saver;
use super::screen::complain;
use super::several;
use crate::capture::{CaptureError, PacketRecord};
use crate::event::{Cx, Event, Later, Sink, Wants};
use crate::filter::{FilterSink, Watched};
use crate::pipeline::{Pipeline, Totals};
use crate::process::{Finder, Owned};
use crate::sink::escape::Escaped;
use crate::sink::{Output, Remarks, Summary};
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
pub(super) fn run<O: Output>(mut options: ReadOptions, output: O) -> Result<Ran<O>, CliError> {
    if options.keylog.is_some() {
        complain("wstap: --keylog: TLS is not decrypted yet; its connections are only counted");
    }
    if let Some(threads) = several::threads(&options) {
        return several::run(options, output, threads);
    }
    let mut feed = Feed::open(&options)?;
    // One file may lie where only root can write; the files of a set are made by the user.
    let rotates = options.rotation.rotates();
    let early = options.write.as_deref().filter(|_| !rotates);
    let mut saver = early.map(|path| Saver::create(path, options.rotation, &feed)).transpose()?;
    // Before any thread is started, and before anything that a stranger sent is looked at.
    let finder = guard::live(&options)?;
    if let Some(path) = options.write.as_deref().filter(|_| rotates) {
        saver = Some(Saver::create(path, options.rotation, &feed)?);
    }
    let mut run = Run {
        stop: catch_signals(),
        ends: Ends::new(options.stop),
        pipeline: Pipeline::new(
            chain(&mut options, output, finder.clone(), saver.is_some()),
            options.limits,
        ),
        saver,
        shown: Shown::new(feed.pace()),
        unread: Vec::new(),
        packets: 0,
    };
    if let Some(finder) = finder {
        run.pipeline.on_open(move |client, server| finder.expect((client, server)));
    }
    let mut bar = Bar::new(feed.progress());
    while run.step(&mut feed)?.is_continue() {
        bar.tick(run.packets);
    }
    bar.clear();
    run.finish(&mut feed)
}

/// A run on its way.
struct Run<O: Output> {
    stop: Arc<AtomicBool>,
    ends: Ends,
    pipeline: Pipeline<Chain<O>>,
    saver: Option<Saver>,
    shown: Shown,
    unread: Vec<CaptureError>,
    packets: u64,
}

/// What an event passes: whose sockets they are, what is to be said of its packet, who waits for it,
/// who wants to see it.
pub(super) type Chain<O> = Owned<Remarks<Watched<Selected<O>>>>;

/// Puts everything before the output that the options ask for.
pub(super) fn chain<O: Output>(
    options: &mut ReadOptions,
    output: O,
    finder: Option<Finder>,
    saves: bool,
) -> Chain<O> {
    let owners = options.owners.clone();
    let selected = match options.display_filter.take() {
        Some(filter) => {
            let filter = FilterSink::new(filter, output).with_owners(owners.clone());
            Selected::Matching(Box::new(filter))
        }
        None => Selected::All(output),
    };
    let mut watched = Watched::new(selected);
    if let Some(filter) = options.on_match.take() {
        watched = watched.on_match(filter, &owners, tell_match());
    }
    if let Some(filter) = options.stop_on.take() {
        watched = watched.stop_on(filter, &owners);
    }
    let remarks = Remarks::new(watched, saves.then(|| owners.clone()));
    Owned::new(remarks, owners, finder)
}

impl<O: Output> Run<O> {
    /// Takes what comes next; `Break` at the end.
    fn step(&mut self, feed: &mut Feed) -> Result<ControlFlow<()>, CliError> {
        let (bytes, files) = self.saver.as_ref().map_or((0, 0), |s| (s.bytes(), s.files()));
        if self.ends.have_come(self.packets, bytes, files) {
            return Ok(ControlFlow::Break(()));
        }
        if (self.ends.is_late() || self.stop.load(Ordering::Relaxed)) && feed.stop() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(saver) = &mut self.saver {
            saver.catch_up(feed)?;
        }
        let flow = match feed.next() {
            Ok(Next::Packet(record)) => self.packet(&record)?,
            Ok(Next::Idle) => return self.look_around(feed),
            Ok(Next::End) => ControlFlow::Break(()),
            Err(error) => {
                if feed.is_live() {
                    error::unread(&error);
                }
                self.unread.push(error);
                ControlFlow::Continue(())
            }
        };
        if flow.is_continue() && self.shown.is_due() { self.look_around(feed) } else { Ok(flow) }
    }

    /// Reads a packet, then saves it with what is to be said of it.
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<ControlFlow<()>, CliError> {
        self.packets += 1;
        if self.packets == 1 {
            self.selected().begin(record.time);
        }
        let flow = self.pipeline.push(record);
        if let Some(saver) = &mut self.saver {
            saver.packet(record, self.pipeline.sink_mut().inner_mut().take())?;
        }
        Ok(flow)
    }

    /// Shows what has gathered, and says what happened meanwhile.
    fn look_around(&mut self, feed: &mut Feed) -> Result<ControlFlow<()>, CliError> {
        for news in feed.news() {
            let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
            complain(&format!("wstap: {time} {}", Escaped(&news)));
        }
        if let Some(saver) = &mut self.saver {
            saver.drops(feed)?;
            saver.idle()?;
        }
        Ok(self.selected().output().flush())
    }

    fn selected(&mut self) -> &mut Selected<O> {
        self.pipeline.sink_mut().inner_mut().inner_mut().inner_mut()
    }

    fn finish(self, feed: &mut Feed) -> Result<Ran<O>, CliError> {
        if let Some(saver) = self.saver {
            saver.finish(feed)?;
        }
        let (chain, totals) = self.pipeline.finish();
        conclude(chain, &totals, &self.unread, feed)
    }
}

/// Everything was read: what the output says at its end, and what could not be read.
pub(super) fn conclude<O: Output>(
    chain: Chain<O>,
    totals: &Totals,
    unread: &[CaptureError],
    feed: &Feed,
) -> Result<Ran<O>, CliError> {
    let mut output = chain.into_inner().into_inner().into_inner().into_output();
    let truncated = unread.first().map(ToString::to_string);
    let end = Summary { totals, dropped: feed.dropped(), truncated: truncated.as_deref() };
    output.finish(&end).map_err(CliError::Output)?;
    if !feed.is_live() {
        unread.iter().for_each(error::unread);
    }
    let found = if unread.is_empty() { Found::Nothing } else { Found::Unread };
    Ok(Ran { output, found })
}

/// When a run ends by itself.
pub(super) struct Ends {
    stop: Stop,
    deadline: Option<Instant>,
}

impl Ends {
    pub(super) fn new(stop: Stop) -> Self {
        let deadline = stop.duration.and_then(|after| Instant::now().checked_add(after));
        Self { stop, deadline }
    }

    /// Enough packets, bytes or files.
    pub(super) fn have_come(&self, packets: u64, bytes: u64, files: u64) -> bool {
        self.stop.packets.is_some_and(|limit| packets >= limit)
            || self.stop.bytes.is_some_and(|limit| bytes >= limit)
            || self.stop.files.is_some_and(|limit| files > limit)
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Says on standard error what matched, a bell with it where somebody may hear it.
fn tell_match() -> impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static {
    let bell = if io::stderr().is_terminal() { "\x07" } else { "" };
    let mut last: Option<Instant> = None;
    let mut silent: u64 = 0;
    move |cx, event| {
        // A bell that never stops says nothing.
        if last.is_some_and(|last| last.elapsed() < OFTEN) {
            silent = silent.saturating_add(1);
            return;
        }
        last = Some(Instant::now());
        let more = if silent > 0 { format!(" ({silent} more before)") } else { String::new() };
        silent = 0;
        let what = match event {
            Event::Handshake(_) => "handshake".to_owned(),
            Event::Frame(frame) => format!("frame {} {}", frame.dir, frame.no),
            Event::Message(message) => {
                format!("{} message {} {}", message.kind.name(), message.dir, message.no)
            }
            Event::Gap(gap) => format!("gap {}", gap.dir),
            Event::End(_) => "end".to_owned(),
        };
        let (conn, packet) = (cx.conn, cx.origin.packet);
        let ends = format!("{} > {}", conn.client, conn.server);
        complain(&format!("{bell}wstap: match: {what} of {ends}, packet {packet}{more}"));
    }
}

/// Set when the user, or the system, wants the run to end. Asked twice, it ends at once.
pub(super) fn catch_signals() -> Arc<AtomicBool> {
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
pub(super) enum Selected<O> {
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

    pub(super) fn begin(&mut self, first: Option<Timestamp>) {
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

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match self {
            Self::All(output) => output.event(cx, event),
            Self::Matching(filter) => apart(filter, cx, event),
        }
    }

    fn later(&self) -> Later {
        match self {
            Self::All(output) => output.later(),
            // It may ask for anything.
            Self::Matching(_) => Later::Whole,
        }
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        match self {
            Self::All(output) => output.drafted(cx, event, draft),
            Self::Matching(filter) => filter.event(cx, event),
        }
    }
}

/// The filter's way by itself, so that the way without one stays short enough to be inlined.
#[inline(never)]
fn apart<O: Output>(filter: &mut FilterSink<O>, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
    filter.event(cx, event)
}
