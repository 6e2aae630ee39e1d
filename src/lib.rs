//! wstap: Wireshark for WebSockets, in a terminal.
//!
//! One pass, one direction. Bytes go down by call with borrowed data; only events and
//! [`ControlFlow`](std::ops::ControlFlow) come back up. No layer asks a lower one for more.
//!
//! ```text
//!  file/stdin/live      L2-L4          per TCP flow            per connection
//!  PacketRecord<'a> -> Segment<'a> -> StreamEvent<'a> -> Stage: Probe|Http1|Ws -> Event<'a> -> Sink
//!  capture             packet         flow               conn (+ http, ws)        event     print, check,
//!                                                                                           diff, store, ...
//! ```
//!
//! Imports go one way:
//! `units < note, limits < event < {capture, packet, flow, http} < ws < conn < pipeline <
//! {sink, filter, store, diff} < {tui, cli} < main`.

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
pub mod tui;
pub mod units;
pub mod ws;
