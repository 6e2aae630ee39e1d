//! The run behind the terminal UI: the same as for any output, into the store, on a thread.
//!
//! Gets: what was opened, and wishes ([`Loading`]). Gives: rows to the store, and how far it is.
//! Keeps: what any run keeps.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use super::feed::{Feed, Pace};
use super::options::ReadOptions;
use super::run::{Audience, Opened, Parts, Run, tell_match};
use super::save::Saver;
use crate::capture::CaptureError;
use crate::event::{Cx, Event, Sink, Wants};
use crate::sink::{Output, Summary, Tally};
use crate::store::{Keep, Writer};
use crate::tui::load::{Loading, Order};
use crate::units::Timestamp;

/// Runs until the end, or until it is stopped.
pub(super) fn load(
    opened: Opened,
    recording: Option<Saver>,
    mut options: ReadOptions,
    writer: Writer,
    loading: &Loading,
) {
    // Rows are selected on the screen.
    options.display_filter = None;
    let Opened { mut feed, saver, finder } = opened;
    let silent = feed.is_silent();
    let parts = Parts { saver, recording, finder, silent, stop: loading.stop_flag() };
    let rows = Rows { writer, loading: loading.clone(), tally: Tally::default() };
    let matched = loading.clone();
    let tell = tell_match(move |text| {
        matched.news(text);
        matched.ring();
    });
    // Whoever watches a file being loaded wants to see how far it is.
    let pace = if feed.lasts() { Pace::Often } else { feed.pace() };
    let audience = Box::new(OnScreen { loading: loading.clone(), live: feed.is_interface() });
    let mut run = Run::new(&mut options, parts, rows, audience, tell, pace);
    let result = loop {
        match loading.take_order() {
            Some(Order::Clear) => run.output().writer.clear(Keep::Open),
            Some(Order::Restart) => {
                run = run.restart(&feed);
                let before = run.before_recording();
                loading.tell(|load| load.before = before);
                run.output().writer.clear(Keep::Nothing);
            }
            None => {}
        }
        match run.step(&mut feed) {
            Ok(ControlFlow::Continue(())) => tell_progress(&mut run, &feed, loading),
            other => break other,
        }
    };
    let packets = run.packets();
    loading.tell(|load| load.packets = packets);
    let result = result.and_then(|_| run.finish(&mut feed).map(drop));
    loading.tell(|load| {
        if let Err(error) = result {
            load.error.get_or_insert(error.line());
        }
        load.stopped |= loading.stopping();
        load.done = true;
    });
}

/// How far it is, several times a second.
fn tell_progress(run: &mut Run<Rows>, feed: &Feed, loading: &Loading) {
    if !run.was_shown() {
        return;
    }
    let (packets, dropped) = (run.packets(), feed.dropped());
    let (streams, tls) = run.streams();
    let now = jiff::Timestamp::now().as_nanosecond();
    // Stored packets are old, and none the worse for it.
    let last = run.last().filter(|_| feed.is_interface());
    let lag = last.map(|last| now.saturating_sub(last.0.into()).max(0));
    let lag = lag.and_then(|ns| u64::try_from(ns).ok()).map(Duration::from_nanos);
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let fraction = feed.progress().and_then(|progress| {
        let total = progress.total().filter(|total| *total > 0)?;
        Some((progress.read() as f64 / total as f64).min(1.0))
    });
    loading.tell(|load| {
        load.packets = packets;
        load.written += 1;
        load.streams = streams;
        load.tls = tls;
        load.dropped = dropped;
        load.lag = lag.filter(|lag| *lag >= LAG);
        load.fraction = fraction;
    });
}

/// Packets that are read later than this after they were captured are worth a word.
const LAG: Duration = Duration::from_secs(1);

/// Somebody who watches the screen.
struct OnScreen {
    loading: Loading,
    live: bool,
}

impl Audience for OnScreen {
    fn news(&mut self, text: &str) {
        self.loading.news(text);
    }

    /// Without one of its interfaces a live capture goes on; of a file the rest can not be read.
    fn unread(&mut self, error: &CaptureError) {
        self.loading.news(&error.to_string());
        if !self.live {
            let text = crate::tui::text::clean(&error.to_string());
            self.loading.tell(|load| load.error = load.error.take().or(Some(text)));
        }
    }

    /// It is on the screen, over which nothing else is to be written.
    fn ended(&mut self, _: &[CaptureError]) {}
}

/// The store as an output.
struct Rows {
    writer: Writer,
    loading: Loading,
    tally: Tally,
}

impl Sink for Rows {
    fn wants(&self) -> Wants {
        self.writer.wants()
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.tally.count(event);
        self.writer.event(cx, event)
    }
}

impl Output for Rows {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.writer.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        let totals = end.totals;
        self.loading.tell(|load| {
            load.streams = totals.tcp_streams;
            load.tls = totals.unread.tls;
            load.dropped = end.dropped;
            load.lag = None;
            let skipped = totals.skipped.iter();
            load.skipped = skipped.map(|(skip, n)| (skip.to_string(), *n)).collect();
        });
        Ok(())
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
