use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::capture::{self, Input, InterfaceId, LinkType, PacketRecord, PacketSource, Source};
use crate::event::{Cx, Event, Wants};
use crate::filter::{Filter, FilterSink};
use crate::pipeline::Pipeline;
use crate::sink::check::{CheckOptions, CheckSink, Format};
use crate::sink::json::JsonSink;
use crate::sink::stats::{StatsOptions, StatsSink};
use crate::sink::text::{TextOptions, TextSink, TimeFormat, Verbosity};
use crate::sink::{Output, Summary};
use crate::tls::KeyLog;
use crate::units::{FileOffset, PacketNo};

/// All samples as one capture: hundreds of connections, at the same time where their clocks say so.
fn all_samples() -> Vec<Input> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let captures = paths.into_iter().filter(|path| {
        matches!(path.extension().and_then(|e| e.to_str()), Some("pcap" | "pcapng"))
    });
    captures.map(Input::Path).collect()
}

fn open(inputs: &[Input], limits: &Limits) -> Source {
    capture::open(inputs, limits, &capture::Options::default()).unwrap()
}

/// A packet of the source, or the end. What can not be read is left out.
fn fetch(source: &mut Source, intake: &mut Intake) -> ControlFlow<()> {
    match source.next() {
        Ok(Some(record)) => intake.packet(&record),
        Ok(None) => return ControlFlow::Break(()),
        Err(_) => {}
    }
    ControlFlow::Continue(())
}

fn finished<O: Output>((mut sink, totals): (O, Totals)) -> O {
    sink.finish(&Summary { totals: &totals, dropped: None, truncated: None }).unwrap();
    sink
}

fn on_one<O: Output>(limits: &Limits, mut sink: O) -> O {
    let mut source = open(&all_samples(), limits);
    let mut begun = false;
    sink.begin(None);
    let mut pipeline = Pipeline::new(sink, limits.clone());
    loop {
        match source.next() {
            Ok(Some(record)) => {
                if !std::mem::replace(&mut begun, true) {
                    pipeline.sink_mut().begin(record.time);
                }
                assert!(pipeline.push(&record).is_continue());
            }
            Ok(None) => return finished(pipeline.finish()),
            Err(_) => {}
        }
    }
}

fn on_several<O: Output>(sizes: Sizes, threads: usize, limits: &Limits, sink: O) -> O {
    let mut source = open(&all_samples(), limits);
    let threads = NonZeroUsize::new(threads).unwrap();
    let fetch = |intake: &mut Intake| fetch(&mut source, intake);
    finished(run_in(sizes, sink, limits, &KeyLog::new(), threads, fetch, |sink, ahead| {
        if let Some(first) = ahead.first {
            sink.begin(first);
        }
    }))
}

/// From one segment at a time, and nobody may work ahead, to everything at once.
const SIZES: [Sizes; 3] = [
    Sizes { batch_bytes: 1, batch_segments: 1, log_bytes: 1, kept_bytes: 1 },
    Sizes { batch_bytes: 9000, batch_segments: 50, log_bytes: 2000, kept_bytes: 5000 },
    Sizes {
        batch_bytes: 512 << 10,
        batch_segments: 4096,
        log_bytes: 1 << 20,
        kept_bytes: 16 << 20,
    },
];

/// Everything is dropped that can be: connections, what is kept of them, messages, notes.
fn tight() -> Limits {
    Limits {
        hold_bytes: 4000,
        hold_segments: 8,
        flows: 64,
        kept_bytes: 256 << 10,
        head_bytes: 2000,
        message_bytes: 5000,
        inflate_bytes: 20_000,
        notes: 2,
        ip_fragments: 2,
        keys: 16,
        ..Limits::default()
    }
}

/// The lines of an output are the same, whatever the threads, the pieces and the limits.
fn same<O: Output>(make: impl Fn() -> O, lines: impl Fn(O) -> Vec<u8>) {
    for limits in [Limits::default(), tight()] {
        let one = String::from_utf8(lines(on_one(&limits, make()))).unwrap();
        assert!(one.lines().count() > 20, "{one}");
        for sizes in SIZES {
            for threads in [1, 2, 3, 16] {
                let sink = on_several(sizes, threads, &limits, make());
                let several = String::from_utf8(lines(sink)).unwrap();
                for (one, several) in one.lines().zip(several.lines()) {
                    assert_eq!(one, several, "{threads} threads, {sizes:?}");
                }
                assert!(one == several, "{threads} threads, {sizes:?}: other lines at the end");
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_ndjson() {
    same(|| JsonSink::new(Vec::new(), true), JsonSink::into_inner);
}

#[test]
fn any_number_of_threads_gives_the_same_text() {
    let options = TextOptions {
        verbosity: Verbosity::Verbose,
        time: TimeFormat::Delta,
        ..TextOptions::default()
    };
    same(|| TextSink::new(Vec::new(), options), TextSink::into_inner);
}

#[test]
fn any_number_of_threads_gives_the_same_statistics() {
    for inflate in [false, true] {
        let options = StatsOptions { json: true, inflate, ..StatsOptions::default() };
        same(|| StatsSink::new(Vec::new(), options.clone()), StatsSink::into_inner);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_verdicts() {
    let options = CheckOptions { format: Format::Json, ..CheckOptions::default() };
    same(|| CheckSink::new(Vec::new(), options.clone()), CheckSink::into_inner);
}

#[test]
fn any_number_of_threads_selects_the_same() {
    let filter = || Filter::parse("conn > 3 and (text contains \"e\" or kind == ping)").unwrap();
    let make = || Filtered(FilterSink::new(filter(), JsonSink::new(Vec::new(), false)));
    same(make, |sink| sink.0.into_inner().into_inner());
}

/// A filter before an output.
struct Filtered<O>(FilterSink<O>);

impl<O: Output> Sink for Filtered<O> {
    fn wants(&self) -> Wants {
        self.0.wants()
    }
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.0.event(cx, event)
    }
}

impl<O: Output> Output for Filtered<O> {
    fn flush(&mut self) -> ControlFlow<()> {
        self.0.inner_mut().flush()
    }
    fn finish(&mut self, end: &Summary<'_>) -> std::io::Result<()> {
        self.0.inner_mut().finish(end)
    }
    fn tally(&self) -> &crate::sink::Tally {
        unreachable!("nobody asks")
    }
}

/// Takes a number of events, and remembers their packets.
#[derive(Clone)]
struct Enough(usize, Arc<Mutex<Vec<PacketNo>>>);

impl Sink for Enough {
    fn wants(&self) -> Wants {
        Wants::ALL
    }
    fn event(&mut self, cx: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
        let mut seen = self.1.lock().unwrap();
        seen.push(cx.origin.packet);
        if seen.len() < self.0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[test]
fn a_sink_that_has_seen_enough_ends_all_threads() {
    let limits = Limits::default();
    for sizes in SIZES {
        for enough in [1, 7, 100] {
            let mut source = open(&all_samples(), &limits);
            let sink = Enough(enough, Arc::default());
            let seen = Arc::clone(&sink.1);
            let threads = NonZeroUsize::new(3).unwrap();
            let fetch = |intake: &mut Intake| fetch(&mut source, intake);
            let _ = run_in(sizes, sink, &limits, &KeyLog::new(), threads, fetch, |_, _| {});
            assert_eq!(seen.lock().unwrap().len(), enough, "and no event behind it");
        }
    }
}

#[test]
fn calls_come_between_the_events_of_the_packets_around_them() {
    let limits = Limits::default();
    for sizes in SIZES {
        let mut source = open(&all_samples(), &limits);
        let sink = Enough(usize::MAX, Arc::default());
        let seen = Arc::clone(&sink.1);
        let called = Arc::new(Mutex::new(Vec::new()));
        let mut packets = 0;
        let fetch = |intake: &mut Intake| {
            packets += 1;
            if packets % 10 == 0 {
                let (seen, called) = (Arc::clone(&seen), Arc::clone(&called));
                let before = packets;
                intake.call(move || {
                    called.lock().unwrap().push((before, seen.lock().unwrap().len()));
                });
            }
            fetch(&mut source, intake)
        };
        let threads = NonZeroUsize::new(2).unwrap();
        let _ = run_in(sizes, sink, &limits, &KeyLog::new(), threads, fetch, |_, _| {});
        // What one thread has told before each packet.
        let one = Enough(usize::MAX, Arc::default());
        let told = Arc::clone(&one.1);
        let mut pipeline = Pipeline::new(one, limits.clone());
        let mut source = open(&all_samples(), &limits);
        let mut want = Vec::new();
        for packet in 1.. {
            if packet % 10 == 0 {
                want.push((packet, told.lock().unwrap().len()));
            }
            match source.next() {
                Ok(Some(record)) => drop(pipeline.push(&record)),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        assert!(want.len() > 100);
        assert_eq!(*called.lock().unwrap(), want);
    }
}

#[test]
fn a_thread_that_panics_does_not_leave_the_others_waiting() {
    let record = PacketRecord {
        no: PacketNo(1),
        at: FileOffset(0),
        time: None,
        link: LinkType(1),
        interface: InterfaceId::default(),
        orig_len: 14,
        bytes: &[0; 14],
    };
    for threads in [1, 2, 5] {
        let mut packets = 0;
        let fetch = |intake: &mut Intake| {
            packets += 1;
            assert!(packets < 100_000, "the reader has a fault");
            intake.packet(&record);
            ControlFlow::Continue(())
        };
        let ended = panic::catch_unwind(AssertUnwindSafe(|| {
            let sink = Enough(usize::MAX, Arc::default());
            let threads = NonZeroUsize::new(threads).unwrap();
            drop(run(sink, &Limits::default(), &KeyLog::new(), threads, fetch, |_, _| {}));
        }));
        assert!(ended.is_err(), "{threads} threads");
    }
}
