//! Exports: connections as other programs read them.
//!
//! Gets: every event, and which of them are asked for ([`Select`](crate::sink::select::Select)). Gives: a
//! file, or a folder of files. Keeps: of each open connection what names it; what must wait for a
//! connection's end waits in a temporary file.
//!
//! ```text
//! events -+-> har       an entry for each connection, as browsers export them
//!         +-> csv       a line for each message
//!         +-> payloads  a file for each message
//!         +-> survey    which TCP connections, and notes by packet: a second pass writes their packets
//! ```
//!
//! NDJSON is [`crate::sink::json`] to a file.

pub mod csv;
pub mod har;
mod known;
pub mod payloads;
mod spool;
pub mod survey;
pub mod target;

pub use csv::CsvSink;
pub use har::HarSink;
pub use payloads::PayloadSink;
pub use survey::Survey;
pub use target::Target;
