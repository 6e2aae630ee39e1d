//! A run on several threads: which ones may, and how.
//!
//! Gets: options and an output, as [`run`](super::run). Gives: the same events to the output, in the same
//! order, and the same end.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::error::{self, CliError};
use super::feed::{Feed, Next};
use super::keys::Keys;
use super::options::{From, ReadOptions};
use super::progress::Bar;
use super::run::{Ends, Ran, catch_signals, chain, conclude};
use crate::capture::{self, Input, Listener, PacketSource};
use crate::event::{Cx, Event, MessageKind, Sink, Wants};
use crate::pipeline::Pipeline;
use crate::pipeline::shard::{self, Intake};
use crate::process::{MARK, Owners};
use crate::sink::Output;
use crate::units::PacketNo;

/// Files that are smaller than this together are read before other threads would have begun.
const SMALL: u64 = 4 << 20;

/// Bytes at a capture's beginning that tell what most of the work will be.
const BEGINNING: usize = 1 << 20;

/// How many threads a run is worth; `None` for one.
///
/// Inflating is worth as many as there are cores, inside of TLS too. Any other message is done with about as
/// fast as it is handed from one core to another: one thread, if no number is asked for. Decryption does not
/// change that, by whatever cipher: 146 MB took 0.15 s with AES-GCM, 0.24 s with ChaCha20-Poly1305, 0.48 s with
/// AES-CBC and HMAC, and no less on two threads.
///
/// What is written while it is read is worth one only: it is shown packet by packet. So is a run that
/// ends with an event (what was read ahead would be counted), and one that saves packets together with
/// what is to be said of them.
pub(super) fn threads(options: &ReadOptions) -> Option<NonZeroUsize> {
    let From::Inputs(inputs) = &options.from else { return None };
    if options.write.is_some() || options.stop_on.is_some() {
        return None;
    }
    let size = inputs.iter().map(size).sum::<Option<u64>>()?;
    let threads = match options.jobs {
        Some(jobs) => jobs,
        None if size < SMALL || !begins_compressed(inputs, options) => return None,
        None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    (threads > NonZeroUsize::MIN).then_some(threads)
}

/// Are most messages at the beginning compressed.
fn begins_compressed(inputs: &[Input], options: &ReadOptions) -> bool {
    // Those that the capture brings are for this look at it: the run learns them by and by.
    let brought = Keys::default();
    let keys = if options.keylog.is_some() { &options.keys } else { &brought };
    let secrets = Some(brought.listener());
    let opening = capture::Options { secrets, ..capture::Options::default() };
    // What can not be read is told by the run itself.
    let Ok(mut source) = capture::open(inputs, &options.limits, &opening) else { return false };
    let pipeline = Pipeline::new(Share::default(), options.limits.clone());
    let mut pipeline = pipeline.with_keys(keys.log.clone());
    let mut bytes = 0;
    while bytes < BEGINNING
        && let Ok(Some(record)) = source.next()
        && pipeline.push(&record).is_continue()
    {
        bytes += record.bytes.len();
    }
    let Share { compressed, all } = *pipeline.sink_mut();
    2 * compressed > all
}

/// Counts data messages.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    compressed: u64,
    all: u64,
}

impl Sink for Share {
    fn wants(&self) -> Wants {
        Wants { frames: false, payload: false }
    }

    fn event(&mut self, _: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Message(message) = event
            && matches!(message.kind, MessageKind::Text | MessageKind::Binary)
        {
            self.compressed += u64::from(message.compressed);
            self.all += 1;
        }
        ControlFlow::Continue(())
    }
}

/// Bytes of a file; `None` for what is no file.
fn size(input: &Input) -> Option<u64> {
    let Input::Path(path) = input else { return None };
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(metadata.len())
}

/// Reads everything that the options name into the output.
pub(super) fn run<O: Output>(
    mut options: ReadOptions,
    output: O,
    threads: NonZeroUsize,
    tell: impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static,
) -> Result<Ran<O>, CliError> {
    let comments = Comments::default();
    let keys = options.keys.clone();
    let mut feed = Feed::listening(&options, comments.listener(), keys.listener_ahead())?;
    let silent = feed.is_silent();
    let mut bar = Bar::new(feed.progress());
    let stop = catch_signals();
    let ends = Ends::new(options.stop);
    let owners = options.owners.clone();
    let limits = options.limits.clone();
    let (mut packets, mut unread, mut secrets) = (0, Vec::new(), 0);
    let fetch = |intake: &mut Intake| {
        if ends.have_come(packets, 0) || ends.is_late() || stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let next = feed.next();
        // Before the packet, as they were read, and also at the end.
        comments.pass_on(intake, &owners);
        for secrets in keys.behind(&mut secrets) {
            keys.learn(&secrets, PacketNo(packets + 1));
        }
        match next {
            Ok(Next::Packet(record)) => {
                packets += 1;
                intake.packet(&record);
            }
            Ok(Next::Idle) => {}
            Ok(Next::End) => return ControlFlow::Break(()),
            Err(error) => unread.push(error),
        }
        ControlFlow::Continue(())
    };
    let sink = chain(&mut options, output, None, false, silent, tell);
    let (chain, totals) = shard::run(sink, &limits, &keys.log, threads, fetch, |chain, ahead| {
        if let Some(first) = ahead.first {
            chain.inner_mut().inner_mut().inner_mut().begin(first);
        }
        bar.tick(ahead.packets);
    });
    bar.clear();
    let truncated = unread.first().map(ToString::to_string);
    let ran = conclude(chain, &totals, truncated.as_deref(), &feed)?;
    unread.iter().for_each(error::unread);
    Ok(ran)
}

/// Comments of ours, which tell of processes: they are read ahead of the events that ask for them, and
/// what stands behind a packet is not known before it.
#[derive(Default, Clone)]
struct Comments(Arc<(AtomicBool, Mutex<Vec<String>>)>);

impl Comments {
    fn listener(&self) -> Listener {
        let comments = self.clone();
        Listener(Arc::new(move |comment: &str| {
            if comment.starts_with(MARK) {
                let (some, list) = &*comments.0;
                list.lock().unwrap_or_else(PoisonError::into_inner).push(comment.to_owned());
                some.store(true, Ordering::Relaxed);
            }
        }))
    }

    /// To be learned when it is their turn.
    fn pass_on(&self, intake: &mut Intake, owners: &Owners) {
        let (some, list) = &*self.0;
        if !some.load(Ordering::Relaxed) {
            return;
        }
        some.store(false, Ordering::Relaxed);
        let list = std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner));
        let owners = owners.clone();
        intake.call(move || list.iter().for_each(|comment| owners.read_comment(comment)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use super::super::args::ReadArgs;
    use super::*;

    fn options(file: &std::path::Path, args: ReadArgs) -> ReadOptions {
        ReadOptions::try_from(ReadArgs { words: vec![file.into()], ..args }).unwrap()
    }

    #[test]
    fn small_files_and_what_may_not_be_read_ahead_have_one_thread() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let two = NonZeroUsize::new(2);
        let given = || ReadArgs { jobs: two, ..ReadArgs::default() };
        assert_eq!(threads(&options(file.path(), ReadArgs::default())), None);
        assert_eq!(threads(&options(file.path(), given())), two, "asked for");
        let one = ReadArgs { jobs: NonZeroUsize::new(1), ..ReadArgs::default() };
        assert_eq!(threads(&options(file.path(), one)), None);
        let saved = ReadArgs { write: Some(PathBuf::from("x")), ..given() };
        let ending = ReadArgs { stop_on: Some("conn == 1".to_owned()), ..given() };
        assert_eq!(threads(&options(file.path(), saved)), None);
        assert_eq!(threads(&options(file.path(), ending)), None);
        assert_eq!(threads(&options("-".as_ref(), given())), None, "a pipe may pause");
        assert_eq!(threads(&options("/none/such".as_ref(), given())), None);
    }

    /// A sample, as often as it takes to be worth it.
    fn large(sample: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let section =
            fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(sample))
                .unwrap();
        for _ in 0..=SMALL / section.len() as u64 {
            file.write_all(&section).unwrap();
        }
        file
    }

    #[test]
    fn compressed_messages_are_worth_all_cores_and_others_one() {
        let all = thread::available_parallelism().ok().filter(|n| n.get() > 1);
        let file = large("deflate-default.pcapng");
        assert_eq!(threads(&options(file.path(), ReadArgs::default())), all);
        let given = ReadArgs { jobs: NonZeroUsize::new(3), ..ReadArgs::default() };
        assert_eq!(threads(&options(file.path(), given)), NonZeroUsize::new(3));
        let inside_tls = large("wss-tls13.pcapng");
        assert_eq!(threads(&options(inside_tls.path(), ReadArgs::default())), all);
        for sample in ["graphql-ws.pcapng", "wss-tls12.pcapng"] {
            let file = large(sample);
            assert_eq!(threads(&options(file.path(), ReadArgs::default())), None, "{sample}");
        }
    }
}
