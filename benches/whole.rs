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
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use wstap::event::Sink;
use wstap::filter::{Filter, FilterSink};
use wstap::limits::Limits;
use wstap::pipeline::Pipeline;
use wstap::sink::json::JsonSink;
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

/// What `stats` does: payloads are not read.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn counted(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || Count { payload: false, messages: 0 });
}

/// Unmasked, inflated and checked.
#[divan::bench(args = Profile::ALL, sample_count = 10)]
fn read(bencher: Bencher<'_, '_>, profile: Profile) {
    run(bencher, profile, || Count { payload: true, messages: 0 });
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
