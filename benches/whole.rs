//! From the bytes of a capture to its events, over one capture of 4 MiB of each kind.

#![allow(
    missing_docs,
    dead_code,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark, not a library"
)]

mod common;

use common::{Count, Profile, each_packet};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use wstap::event::Sink;
use wstap::filter::{Filter, FilterSink};
use wstap::limits::Limits;
use wstap::pipeline::Pipeline;
use wstap::sink::check::{CheckOptions, CheckSink, Format};
use wstap::sink::json::JsonSink;
use wstap::sink::stats::{StatsOptions, StatsSink};
use wstap::sink::text::{TextOptions, TextSink};

fn main() {
    divan::main();
}

fn run<S: Sink>(bencher: Bencher<'_, '_>, profile: Profile, sink: impl Fn() -> S + Sync) {
    let capture = profile.capture();
    bencher
        .counter(BytesCount::new(capture.len()))
        .with_inputs(|| capture.clone())
        .bench_local_values(|capture| {
            let mut pipeline = Pipeline::new(sink(), Limits::default());
            each_packet(capture, |record| {
                let _ = pipeline.push(record);
            });
            black_box(pipeline.finish())
        });
}

/// The way to the messages, which are counted: payloads are not read.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn counted(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || Count { payload: false, messages: 0 });
}

/// Unmasked, inflated and checked.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn read(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || Count { payload: true, messages: 0 });
}

/// `stats`.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn stats(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || StatsSink::new(std::io::sink(), StatsOptions::default()));
}

/// `check --json`.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn check(bencher: Bencher<'_, '_>, profile: Profile) {
    let options = CheckOptions { format: Format::Json, ..CheckOptions::default() };
    run(bencher, profile, || CheckSink::new(std::io::sink(), options.clone()));
}

/// Into the store below the terminal UI.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn store(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || wstap::store::new().expect("a temporary file").0);
}

/// Every row of a store had again, with its payload.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn replay(bencher: Bencher<'_, '_>, profile: Profile) {
    let (writer, reader) = wstap::store::new().expect("a temporary file");
    let mut pipeline = Pipeline::new(writer, Limits::default());
    each_packet(profile.capture(), |record| {
        let _ = pipeline.push(record);
    });
    let _ = pipeline.finish();
    let snapshot = reader.snapshot();
    bencher.counter(ItemsCount::new(snapshot.rows.len())).bench_local(|| {
        for row in snapshot.rows.iter() {
            black_box(reader.record(row, usize::MAX));
        }
    });
}

/// `print --json`.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn json(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || JsonSink::new(std::io::sink(), false));
}

/// `print`.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn text(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || TextSink::new(std::io::sink(), TextOptions::default()));
}

/// `print -Y`, with a filter on every payload.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn filtered(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || {
        let filter = Filter::parse("text contains \"nowhere\"").expect("a filter");
        FilterSink::new(filter, Count { payload: false, messages: 0 })
    });
}
