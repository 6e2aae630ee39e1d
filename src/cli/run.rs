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
use super::keys::{self, Keys};
use super::options::{ReadOptions, Stop};
use super::progress::Bar;
use super::save::Saver;
use super::screen::complain;
use super::several;
use crate::capture::{CaptureError, PacketRecord};
use crate::event::{Counted, Cx, Event, Later, Sink, Wants};
use crate::filter::{FilterSink, Watched};
use crate::limits::Limits;
use crate::pipeline::{Pipeline, Totals};
use crate::privilege::Keep;
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
    keys::load(&options)?;
    let bell = if io::stderr().is_terminal() { "\x07" } else { "" };
    let tell = tell_match(move |text| complain(&format!("{bell}wstap: {text}")));
    if let Some(threads) = several::threads(&options) {
        return several::run(options, output, threads, tell);
    }
    let opened = open(Feed::open(&options)?, &options, Keep::default())?;
    let audience = OnStderr { live: opened.feed.is_live() };
    let Opened { mut feed, saver, finder } = opened;
    let silent = feed.is_silent();
    let parts = Parts { saver, finder, recording: None, silent, stop: catch_signals() };
    let mut run = Run::new(&mut options, parts, output, Box::new(audience), tell, feed.pace());
    let mut bar = Bar::new(feed.progress());
    while run.step(&mut feed)?.is_continue() {
        bar.tick(run.packets);
    }
    bar.clear();
    run.finish(&mut feed)
}

/// A feed that was opened, the file of -w begun, and all privileges given up where it is live.
pub(super) struct Opened {
    pub(super) feed: Feed,
    pub(super) saver: Option<Saver>,
    pub(super) finder: Option<Finder>,
}

/// Begins the file of -w, and then gives up what is not needed any more.
pub(super) fn open(feed: Feed, options: &ReadOptions, keep: Keep) -> Result<Opened, CliError> {
    // One file may lie where only root can write; the files of a set are made by the user.
    let rotates = options.rotation.rotates();
    let early = options.write.as_deref().filter(|_| !rotates);
    let mut saver = early
        .map(|path| Saver::create(path, options.rotation, &feed, &options.keys))
        .transpose()?;
    // Before any thread is started, and before anything that a stranger sent is looked at.
    let finder = guard::live(options, keep)?;
    if let Some(path) = options.write.as_deref().filter(|_| rotates) {
        saver = Some(Saver::create(path, options.rotation, &feed, &options.keys)?);
    }
    Ok(Opened { feed, saver, finder })
}

/// Who is told what happens beside the events.
pub(super) trait Audience: Send {
    /// Something happened to the capture.
    fn news(&mut self, text: &str);
    /// A part of the input can not be read; it goes on with the others.
    fn unread(&mut self, error: &CaptureError);
    /// It is over; these parts could not be read.
    fn ended(&mut self, unread: &[CaptureError]);
}

struct OnStderr {
    live: bool,
}

impl Audience for OnStderr {
    fn news(&mut self, text: &str) {
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        complain(&format!("wstap: {time} {}", Escaped(text)));
    }

    /// Of what is not watched while it happens it is said at the end.
    fn unread(&mut self, error: &CaptureError) {
        if self.live {
            error::unread(error);
        }
    }

    fn ended(&mut self, unread: &[CaptureError]) {
        if !self.live {
            unread.iter().for_each(error::unread);
        }
    }
}

/// What a run is made of, beside its options.
pub(super) struct Parts {
    /// The file of -w.
    pub(super) saver: Option<Saver>,
    /// A file of our own, for what can not be read again. Without it the run goes on.
    pub(super) recording: Option<Saver>,
    pub(super) finder: Option<Finder>,
    /// As [`Feed::is_silent`].
    pub(super) silent: bool,
    /// Set when somebody wants the run to end.
    pub(super) stop: Arc<AtomicBool>,
}

/// A run on its way.
pub(super) struct Run<O: Output> {
    ends: Ends,
    limits: Limits,
    keys: Keys,
    pipeline: Pipeline<Chain<O>>,
    parts: Parts,
    audience: Box<dyn Audience>,
    shown: Shown,
    unread: Vec<CaptureError>,
    packets: u64,
    /// Of those, how many came before it was begun anew.
    before: u64,
    last: Option<Timestamp>,
    looked: bool,
    /// Between two packets there is nothing to do: those at hand may be taken in one step.
    steady: bool,
}

/// What an event passes: whose sockets they are, what is to be said of its packet, who waits for it,
/// who wants to see it.
pub(super) type Chain<O> = Owned<Remarks<Watched<Selected<O>>>>;

/// Puts everything before the output that the options ask for; `silent`: the capture has no comments.
pub(super) fn chain<O: Output>(
    options: &mut ReadOptions,
    output: O,
    finder: Option<Finder>,
    saves: bool,
    silent: bool,
    tell: impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static,
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
        watched = watched.on_match(filter, &owners, tell);
    }
    if let Some(filter) = options.stop_on.take() {
        watched = watched.stop_on(filter, &owners);
    }
    let remarks = Remarks::new(watched, saves.then(|| owners.clone()));
    Owned::new(remarks, owners, finder).unless_silent(silent)
}

impl<O: Output> Run<O> {
    /// Nothing read yet.
    pub(super) fn new(
        options: &mut ReadOptions,
        parts: Parts,
        output: O,
        audience: Box<dyn Audience>,
        tell: impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static,
        pace: Pace,
    ) -> Self {
        let saves = parts.saver.is_some() || parts.recording.is_some();
        let steady = !saves && options.stop == Stop::default() && pace == Pace::Whenever;
        let chain = chain(options, output, parts.finder.clone(), saves, parts.silent, tell);
        Self {
            ends: Ends::new(options.stop),
            limits: options.limits.clone(),
            keys: options.keys.clone(),
            pipeline: pipeline(chain, &options.limits, &options.keys, parts.finder.as_ref()),
            parts,
            audience,
            shown: Shown::new(pace),
            unread: Vec::new(),
            packets: 0,
            before: 0,
            last: None,
            looked: false,
            steady,
        }
    }

    /// Takes what comes next, a packet or several; `Break` at the end.
    pub(super) fn step(&mut self, feed: &mut Feed) -> Result<ControlFlow<()>, CliError> {
        self.looked = false;
        if self.steady {
            if self.parts.stop.load(Ordering::Relaxed) && feed.stop() {
                return Ok(ControlFlow::Break(()));
            }
            if feed.at_hand(|record| self.push(record)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            return self.next(feed);
        }
        // A packet that waits counts: its file may be full with it.
        if let Some(saver) = &mut self.parts.saver {
            saver.catch_up(feed)?;
        }
        let saver = self.parts.saver.as_ref();
        let done = saver.is_some_and(Saver::is_done);
        if done || self.ends.have_come(self.packets, saver.map_or(0, Saver::bytes)) {
            return Ok(ControlFlow::Break(()));
        }
        let stop = self.ends.is_late() || self.parts.stop.load(Ordering::Relaxed);
        if stop && feed.stop() {
            return Ok(ControlFlow::Break(()));
        }
        self.record(|recording| recording.catch_up(feed));
        let flow = self.next(feed)?;
        if flow.is_continue() && !self.looked && self.shown.is_due() {
            return self.look_around(feed);
        }
        Ok(flow)
    }

    /// The next packet, or what there is instead.
    fn next(&mut self, feed: &mut Feed) -> Result<ControlFlow<()>, CliError> {
        match feed.next() {
            Ok(Next::Packet(record)) => self.packet(&record),
            Ok(Next::Idle) => {
                self.last = None;
                self.look_around(feed)
            }
            Ok(Next::End) => Ok(ControlFlow::Break(())),
            Err(error) => {
                self.audience.unread(&error);
                self.unread.push(error);
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// Reads a packet.
    #[inline]
    fn push(&mut self, record: &PacketRecord<'_>) -> ControlFlow<()> {
        self.packets += 1;
        self.last = record.time;
        if self.packets == self.before + 1 {
            self.selected().begin(record.time);
        }
        self.pipeline.push(record)
    }

    /// Reads a packet, then saves it with what is to be said of it.
    #[inline(never)]
    fn packet(&mut self, record: &PacketRecord<'_>) -> Result<ControlFlow<()>, CliError> {
        let flow = self.push(record);
        if self.parts.saver.is_some() || self.parts.recording.is_some() {
            let comments = self.pipeline.sink_mut().inner_mut().take();
            if let Some(saver) = &mut self.parts.saver {
                saver.packet(record, &comments)?;
            }
            self.record(|recording| recording.packet(record, &comments));
        }
        Ok(flow)
    }

    /// Shows what has gathered, and says what happened meanwhile.
    fn look_around(&mut self, feed: &mut Feed) -> Result<ControlFlow<()>, CliError> {
        self.looked = true;
        for news in feed.news() {
            self.audience.news(&news);
        }
        if let Some(saver) = &mut self.parts.saver {
            saver.drops(feed)?;
            saver.idle()?;
        }
        self.record(|recording| {
            recording.drops(feed)?;
            recording.idle()
        });
        if self.pipeline.look_again().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(self.selected().output().flush())
    }

    /// Does something with the recording. What can not be recorded is told, and is no reason to end.
    fn record(&mut self, put: impl FnOnce(&mut Saver) -> Result<(), CliError>) {
        let Some(recording) = &mut self.parts.recording else { return };
        if let Err(error) = put(recording) {
            self.parts.recording = None;
            self.audience.news(&format!("no more is recorded: {}", error.line()));
        }
    }

    /// Forgets everything, as if it began now; what is opened stays so.
    pub(super) fn restart(mut self, feed: &Feed) -> Self {
        self.record(|recording| recording.restart(feed));
        let (chain, _) = self.pipeline.finish();
        let pipeline = pipeline(chain, &self.limits, &self.keys, self.parts.finder.as_ref());
        Self { pipeline, before: self.packets, ..self }
    }

    /// What is written to.
    pub(super) fn output(&mut self) -> &mut O {
        self.selected().output()
    }

    /// Packets since it was begun, anew or not.
    pub(super) const fn packets(&self) -> u64 {
        self.packets - self.before
    }

    /// Packets before the first one in the recording.
    pub(super) const fn before_recording(&self) -> u64 {
        if self.parts.recording.is_some() { self.before } else { 0 }
    }

    /// Did it just look around: a moment to tell how far it is.
    pub(super) const fn was_shown(&self) -> bool {
        self.looked
    }

    /// TCP connections among them, and those of TLS that could not be read.
    pub(super) fn streams(&self) -> (u64, u64) {
        let totals = self.pipeline.totals();
        (totals.tcp_streams, totals.unread.tls)
    }

    /// When the last packet was captured, while there are more at hand.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    fn selected(&mut self) -> &mut Selected<O> {
        self.pipeline.sink_mut().inner_mut().inner_mut().inner_mut()
    }

    pub(super) fn finish(mut self, feed: &mut Feed) -> Result<Ran<O>, CliError> {
        let saved = self.parts.saver.map_or(Ok(()), |saver| saver.finish(feed));
        // What can not be recorded is no reason to end; and it has ended.
        let _ = self.parts.recording.map(|recording| recording.finish(feed));
        let (chain, totals) = self.pipeline.finish();
        let ran = conclude(chain, &totals, &self.unread, feed)?;
        self.audience.ended(&self.unread);
        saved.map(|()| ran)
    }
}

/// A pipeline whose new connections are looked for.
fn pipeline<S: Sink>(
    sink: S,
    limits: &Limits,
    keys: &Keys,
    finder: Option<&Finder>,
) -> Pipeline<S> {
    let mut pipeline = Pipeline::new(sink, limits.clone()).with_keys(keys.log.clone());
    if let Some(finder) = finder.cloned() {
        pipeline.on_open(move |client, server| finder.expect((client, server)));
    }
    pipeline
}

/// Everything was read: what the output says at its end.
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

    /// Enough packets or bytes.
    pub(super) fn have_come(&self, packets: u64, bytes: u64) -> bool {
        self.stop.packets.is_some_and(|limit| packets >= limit)
            || self.stop.bytes.is_some_and(|limit| bytes >= limit)
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Says what matched; not more often than somebody can hear it.
pub(super) fn tell_match(
    mut say: impl FnMut(&str) + Send + 'static,
) -> impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static {
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
        say(&format!("match: {what} of {ends}, packet {packet}{more}"));
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

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        match self {
            Self::All(output) => output.counted(cx, counted),
            Self::Matching(filter) => {
                apart(filter, cx, &Event::Message(&counted.message(cx.origin)))
            }
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
