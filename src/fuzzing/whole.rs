//! From a file's bytes to what a user or a script reads.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{
    Compression, FileSource, Options, PacketRecord, PacketSource, Secrets, SecretsListener,
};
use crate::limits::Limits;
use crate::note::NoteCode;
use crate::pipeline::shard::{self, Intake, Sizes};
use crate::pipeline::{Pipeline, Totals};
use crate::sink::escape::is_unsafe;
use crate::sink::json::JsonSink;
use crate::sink::paint::Paint;
use crate::sink::stats::{StatsOptions, StatsSink};
use crate::sink::text::{TextOptions, TextSink, TimeFormat, Verbosity};
use crate::sink::{Output, Summary};
use crate::tls::KeyLog;
use crate::units::PacketNo;

/// The bytes as a capture file: read in different pieces, on several threads, printed in all ways.
pub(super) fn pipeline(data: &[u8]) {
    let (json, format) = run(data, usize::MAX, JsonSink::new(Vec::new(), true));
    let json = json.into_inner();
    check_json(&json);
    let (again, other) = run(data, 1 + data.len() % 61, JsonSink::new(Vec::new(), true));
    // Where variants share a magic number, pieces are judged by less than the whole; and how much a
    // decoder gives before damage depends on how much it is asked for.
    if format == other && Compression::of(data).is_none() {
        assert_eq!(String::from_utf8_lossy(&json), String::from_utf8_lossy(&again.into_inner()));
    }
    let several = run_on_several(data, JsonSink::new(Vec::new(), true)).into_inner();
    assert_eq!(String::from_utf8_lossy(&json), String::from_utf8_lossy(&several));
    let counted = || {
        let options = StatsOptions { json: true, ..StatsOptions::default() };
        StatsSink::new(Vec::new(), options)
    };
    let one = run(data, usize::MAX, counted()).0.into_inner();
    let several = run_on_several(data, counted()).into_inner();
    assert_eq!(String::from_utf8_lossy(&one), String::from_utf8_lossy(&several));
    for (paint, verbosity, width) in [
        (Paint::Plain, Verbosity::Normal, Some(80)),
        (Paint::Colour, Verbosity::Verbose, None),
        (Paint::Plain, Verbosity::Quiet, Some(1)),
    ] {
        let time = TimeFormat::Relative;
        let options = TextOptions { width, paint, verbosity, time, frames: true };
        let (text, _) = run(data, usize::MAX, TextSink::new(Vec::new(), options));
        check_text(&text.into_inner(), paint);
    }
}

/// Reads the capture to its end into a sink; gives it back, and what the file was taken for.
fn run<S: Output>(data: &[u8], piece: usize, sink: S) -> (S, String) {
    let limits = limits();
    let mut reading = Reading::of(data, piece, &limits);
    let mut pipeline = Pipeline::new(sink, limits.clone()).with_keys(reading.keys.clone());
    while let Some(record) = reading.next() {
        assert!(pipeline.push(&record).is_continue(), "a Vec takes everything");
    }
    let format = reading.format();
    (finish(pipeline.finish(), reading), format)
}

/// The same on several threads, in pieces of any size.
fn run_on_several<S: Output>(data: &[u8], sink: S) -> S {
    let limits = limits();
    let chance = data.iter().fold(7_usize, |sum, b| sum.wrapping_mul(31) ^ usize::from(*b));
    let sizes = Sizes {
        batch_bytes: 1 + chance % 5000,
        batch_segments: 1 + chance % 37,
        log_bytes: 1 + chance % 3001,
        kept_bytes: 1 + chance % 9001,
    };
    let threads = NonZeroUsize::MIN.saturating_add(1 + chance % 3);
    let mut reading = Reading::of(data, usize::MAX, &limits);
    let keys = reading.keys.clone();
    let fetch = |intake: &mut Intake| match reading.next() {
        Some(record) => {
            intake.packet(&record);
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let run = shard::run_in(sizes, sink, &limits, &keys, threads, fetch, |_, _| {});
    finish(run, reading)
}

fn finish<S: Output>((mut sink, totals): (S, Totals), reading: Reading) -> S {
    let truncated = reading.truncated;
    let summary = Summary { totals: &totals, dropped: None, truncated: truncated.as_deref() };
    assert!(sink.finish(&summary).is_ok(), "a Vec takes everything");
    sink
}

fn limits() -> Limits {
    Limits {
        record_bytes: 1 << 16,
        message_bytes: 1 << 16,
        inflate_bytes: 1 << 17,
        head_bytes: 1 << 12,
        flows: 64,
        kept_bytes: 1 << 18,
        notes: 8,
        ..Limits::default()
    }
}

/// A capture being read.
struct Reading {
    source: Option<FileSource>,
    truncated: Option<String>,
    /// Secrets that were read since the packet before.
    found: Arc<Mutex<Vec<Secrets>>>,
    keys: KeyLog,
    packets: u64,
}

impl Reading {
    fn of(data: &[u8], piece: usize, limits: &Limits) -> Self {
        let reader = Pieces(io::Cursor::new(data.to_vec()), piece);
        // Small: what it costs to clear a large buffer is not worth it here.
        let found = Arc::<Mutex<Vec<Secrets>>>::default();
        let secrets = Arc::clone(&found);
        let listener = SecretsListener(Arc::new(move |block: &Secrets| {
            lock(&secrets).push(block.clone());
        }));
        let options =
            Options { buffer_bytes: 1 << 12, secrets: Some(listener), ..Options::default() };
        let keys = KeyLog::new();
        keys.expect_more();
        match FileSource::from_reader("fuzz", reader, limits, &options) {
            Ok(source) => Self { source: Some(source), truncated: None, found, keys, packets: 0 },
            Err(error) => {
                Self { source: None, truncated: Some(error.to_string()), found, keys, packets: 0 }
            }
        }
    }

    /// A compressed bomb has no end that is worth waiting for.
    fn next(&mut self) -> Option<PacketRecord<'_>> {
        let next = self.source.as_mut()?.next();
        self.packets += 1;
        for secrets in std::mem::take(&mut *lock(&self.found)) {
            self.keys.add(&secrets.data, PacketNo(self.packets));
        }
        match next {
            Ok(record) => record.filter(|record| record.no.number() <= 20_000),
            Err(error) => {
                self.truncated = Some(error.to_string());
                None
            }
        }
    }

    fn format(&self) -> String {
        self.source
            .as_ref()
            .map_or_else(String::new, |source| format!("{:?}", source.summary().format))
    }
}

fn lock(found: &Mutex<Vec<Secrets>>) -> MutexGuard<'_, Vec<Secrets>> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_json(lines: &[u8]) {
    let Ok(text) = std::str::from_utf8(lines) else { panic!("the output is not UTF-8") };
    assert!(text.ends_with('\n'), "the last line has an end");
    for line in text.lines() {
        assert!(!line.contains(is_unsafe), "a raw control character: {line:?}");
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(value) => {
                assert!(value.get("event").is_some_and(serde_json::Value::is_string), "{line}");
                let notes = value.get("notes").and_then(serde_json::Value::as_array);
                notes.into_iter().flatten().for_each(check_blame);
            }
            Err(error) => panic!("{error}: {line}"),
        }
    }
}

/// The page of a note's code names who is blamed.
fn check_blame(note: &serde_json::Value) {
    let of = |key: &str| note.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let Ok(code) = of("code").parse::<NoteCode>() else { panic!("no such code: {note}") };
    let listed = code.explanation().blames.iter().any(|blame| blame.name() == of("blame"));
    assert!(listed, "explain does not tell whom it blames: {note}");
}

/// No control characters but line ends and, with colour, SGR sequences.
pub(super) fn check_text(text: &[u8], paint: Paint) {
    let Ok(text) = std::str::from_utf8(text) else { panic!("the output is not UTF-8") };
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\n') {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let sgr = found.strip_prefix("\x1b[").and_then(|sgr| sgr.split_once('m'));
        match sgr {
            Some((codes, behind))
                if paint == Paint::Colour
                    && codes.bytes().all(|b| b.is_ascii_digit() || b == b';') =>
            {
                rest = behind;
            }
            _ => panic!("a raw control character behind {before:?}: {found:?}"),
        }
    }
}

/// Gives at most `.1` bytes at a time.
struct Pieces(io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.1);
        self.0.read(buf.get_mut(..n).unwrap_or_default())
    }
}
