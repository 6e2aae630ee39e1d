//! The run behind the terminal UI: the same as for any output, into the store, on a thread.
//!
//! Gets: what was opened, and wishes ([`Loading`]). Gives: rows to the store, and how far it is.
//! Keeps: what any run keeps.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::{self, CliError};
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
    faults: &Faults,
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
    let (live, told) = (feed.is_interface(), faults.clone());
    let audience = Box::new(OnScreen { loading: loading.clone(), live, faults: told });
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
        if let Err(error) = &result {
            let input = matches!(error, CliError::Capture(_));
            let why = if input { &mut load.error } else { &mut load.failed };
            why.get_or_insert(error.line());
            faults.add(error.lines());
        }
        load.stopped |= loading.stopping();
        load.done = true;
    });
}

/// Why something could not be read or written whole: for standard error, when the screen is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    fn add(&self, lines: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
    }

    /// What there were; taken once.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
    faults: Faults,
}

impl Audience for OnScreen {
    fn news(&mut self, text: &str) {
        self.loading.news(text);
    }

    /// Without one of its interfaces a live capture goes on; of a file the rest can not be read.
    fn unread(&mut self, error: &CaptureError) {
        self.loading.news(&error.to_string());
        self.faults.add(error::unread_lines(error));
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::args::ReadArgs;
    use super::*;
    use crate::store::Reader;
    use crate::tui::load::Load;

    fn sample(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
    }

    /// What is shown of a file, and what is printed in the end.
    fn loaded(path: PathBuf) -> (Reader, Load, Vec<String>) {
        let args = ReadArgs { words: vec![path.into()], ..ReadArgs::default() };
        let options = ReadOptions::try_from(args).unwrap();
        let feed = Feed::open_watched(&options).unwrap();
        let opened = Opened { feed, saver: None, finder: None };
        let (writer, reader) = crate::store::new().unwrap();
        let (loading, faults) = (Loading::default(), Faults::default());
        load(opened, None, options, writer, &loading, &faults);
        (reader, loading.now(), faults.take())
    }

    #[test]
    fn times_count_from_the_first_packet_as_they_are_printed() {
        let (reader, load, faults) = loaded(sample("evil-rewrite.pcapng"));
        let snapshot = reader.snapshot();
        let row = snapshot.rows.get(0).unwrap().time().unwrap();
        let ns = row.since(snapshot.first_time().unwrap());
        assert_eq!(ns / 1000, 110_367);
        assert!(faults.is_empty() && load.error.is_none() && load.failed.is_none());
    }

    #[test]
    fn what_can_not_be_read_is_printed_in_the_end() {
        let bytes = std::fs::read(sample("evil-rewrite.pcapng")).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes[..bytes.len() - 30]).unwrap();
        let (_, load, faults) = loaded(file.path().to_owned());
        let [told] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(told.starts_with("wstap: ") && told.contains("cut short"), "{told}");
        assert!(load.complaint().unwrap().starts_with("the rest can not be read: "), "{load:?}");
    }
}
