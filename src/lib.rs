//! wstap: Wireshark for WebSockets, in a terminal.
//!
//! One pass, one direction. Bytes go down by call with borrowed data; only events and
//! [`ControlFlow`](std::ops::ControlFlow) come back up. No layer asks a lower one for more.
//!
//! ```text
//!  file/stdin/live      L2-L4          per TCP flow            per connection
//!  PacketRecord<'a> -> Segment<'a> -> StreamEvent<'a> -> Stage: Probe|Http1|H2|Ws -> Event<'a> -> Sink
//!  capture             packet         flow               conn (+ http, ws)        event     print, check,
//!                                                        |         ^                        diff, store, ...
//!                                                        +-> Tls --+ what was inside, anew
//! ```
//!
//! Somebody's integration test can use it without the program: push packets into a
//! [`pipeline::Pipeline`] (which has an example), and take events from a sink of one's own.
//!
//! Big files of compressed messages are read on as many threads as there are cores, with the same events
//! in the same order ([`pipeline::shard`]); others are, where that is asked for. One thread it is for small
//! files, for `stats`, for what is written while it is read (standard input, live capture, `-F`), with `-w` and
//! `--stop-on`, and in `diff` and the terminal UI.
//!
//! Two things are done here that libraries do too. Messages are inflated by [`ws`]'s own inflater: it tells
//! how far back a message refers and whether it ends between two blocks, which rules ask, and it inflates
//! behind what it keeps of a direction anyway. flate2 reads captures in gzip, and tests hold ours against it.
//! Header fields of HTTP/2 are decoded by [`http`]'s own HPACK: behind a loss it goes on with what is still
//! known of the table, where a peer, and so a library, has to give the connection up.
//!
//! Three troubles are never mixed. An *error* ends the reading ([`capture::CaptureError`]). A *note*
//! says what is wrong with the traffic ([`note::NoteCode`]). *Loss* means that we lack bytes: it is said
//! as such, never blamed on a peer, and rules whose evidence is missing stay silent.
//!
//! The lines of `print --json`, their fields, units, and when they are null: [`sink::json`]. The lines of
//! connections in `check --json` and `stats --json` have `h2_stream` and `tls` in the same words.
//! `h2_stream` and `tcp_stream` together tell which connection it is of those between the same ports.
//!
//! The terminal UI keeps 40 bytes a row in memory and the payloads in a spool file ([`store`]), so that
//! files, pipes and live capture can all be looked at again without decoding anything twice.
//!
//! Imports go one way (a test checks it, and names the exceptions):
//! `units < note, limits < event < {capture, packet, flow, tls, http, process, privilege} < ws < conn <
//! pipeline < {sink, filter, store, diff} < {tui, cli} < main`.

pub mod capture;
pub mod cli;
pub mod conn;
pub mod diff;
pub mod event;
pub mod filter;
pub mod flow;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod limits;
pub mod note;
pub mod packet;
pub mod pipeline;
pub mod privilege;
pub mod process;
pub mod sink;
pub mod store;
pub mod tls;
pub mod tui;
pub mod units;
pub mod ws;
