//! Bodies of the fuzz targets, a plain function each: what must hold whatever the bytes are.
//!
//! Gets: arbitrary bytes. Gives: nothing; a broken law panics. Keeps: nothing. `fuzz/` only calls
//! these, and `tests/fuzz_bodies.rs` runs them over the samples and their mutations.
//!
//! The laws, besides that nothing panics and nothing grows without bound:
//!
//! - *Splits*: cutting the input differently gives the same.
//! - *Order*: segments in any order, with copies and overlaps, give the ordered stream; where some are
//!   missing, never a wrong byte.
//! - *Replay*: the same again gives the same.
//! - *Threads*: several give what one gives.
//! - *Output*: every NDJSON line is JSON, and no control character reaches a terminal.

#![allow(clippy::panic, reason = "a panic is how a fuzz target tells of a broken law")]

mod conversation;
mod streams;
mod whole;

/// A capture file, or anything else: [`crate::capture`].
pub fn capture(data: &[u8]) {
    crate::capture::fuzz::fuzz_capture(data);
}

/// A packet under every link type: [`crate::packet`].
pub fn packet(data: &[u8]) {
    crate::packet::fuzz_decode(data);
}

/// Segments to streams: [`crate::flow`]. The first byte chooses what the others are.
pub fn flow(data: &[u8]) {
    match data.split_first() {
        Some((kind, rest)) if kind & 1 == 0 => streams::schedule(rest),
        Some((_, rest)) => streams::anything(rest),
        None => {}
    }
}

/// HTTP/1 of both directions: [`crate::http`].
pub fn http(data: &[u8]) {
    crate::http::fuzz_http(data);
}

/// HTTP/2 of both directions: [`crate::http::h2`].
pub fn h2(data: &[u8]) {
    crate::http::h2::fuzz_h2(data);
}

/// WebSocket frame headers and payloads: [`crate::ws::frame`].
pub fn frames(data: &[u8]) {
    crate::ws::fuzzing::frames(data);
}

/// Compressed messages of one direction: [`crate::ws::deflate`].
pub fn inflate(data: &[u8]) {
    crate::ws::fuzzing::inflate(data);
}

/// A WebSocket connection behind its handshake: [`crate::ws::session`].
pub fn session(data: &[u8]) {
    crate::ws::fuzzing::session(data);
}

/// A TCP connection's content, from its first byte: [`crate::conn`].
pub fn conversation(data: &[u8]) {
    conversation::conversation(data);
}

/// TLS records of both directions, and a key log: [`crate::tls`].
pub fn tls(data: &[u8]) {
    crate::tls::fuzzing::fuzz_tls(data);
}

/// A display filter: [`crate::filter`].
pub fn filter(data: &[u8]) {
    crate::filter::fuzz_filter(data);
}

/// A whole capture file, to the output: [`crate::pipeline`] and [`crate::sink`].
pub fn pipeline(data: &[u8]) {
    whole::pipeline(data);
}

/// A body, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("capture", capture),
    ("packet", packet),
    ("flow", flow),
    ("http", http),
    ("h2", h2),
    ("frames", frames),
    ("inflate", inflate),
    ("session", session),
    ("conversation", conversation),
    ("tls", tls),
    ("filter", filter),
    ("pipeline", pipeline),
];
