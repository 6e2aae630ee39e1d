//! `wstap diff` on live captures of proxies: real ones, and faulty ones made for the purpose.
//!
//! Client and server are tungstenite's. Each test captures its own ports on loopback with the built
//! program, and compares what `diff --json` says with what the test knows of the connections. Where the
//! right to capture or a proxy is missing a test says so and passes, unless `CI` is `true`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking; what it skips it must say"
)]

mod debian;
mod faulty;
mod many;
mod peers;
mod tap;

/// Says why a test did not run; on a build server that is a failure.
fn skip(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "can not be tested: {why}");
    eprintln!("\n*** NOT TESTED: {why} ***\n");
}
