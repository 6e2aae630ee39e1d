//! The store below the terminal UI: what a session saw, as a table that grows while it is looked at.
//!
//! Gets: events, through [`Writer`], on the loading or capturing thread. Gives: [`Snapshot`]s and
//! payloads to any number of [`Reader`]s. Keeps: 40 bytes a row in memory, a few hundred a
//! connection; payloads wait in a file ([`spool`]).
//!
//! ```text
//!  loading thread                               drawing thread         seeking thread
//!  Event -> Writer -> rows, conns  --snapshot-->  Reader  <-- found --  Seeker
//!                 \-> spool (file) --------read-----^------------------^
//! ```
//!
//! Payloads could also be had again by replaying a connection from a checkpoint of its decoder. The
//! spool was taken instead, because one way then serves files, standard input and live captures; a
//! filter over all payloads reads one file from start to end; and nothing of the decoders' state has
//! to be kept. It costs disk as large as the payloads, written once, in the temporary directory.

mod conns;
mod reader;
pub mod record;
pub mod replay;
mod row;
pub mod seek;
mod shelf;
pub mod spool;
#[cfg(test)]
pub(crate) mod testing;
mod writer;

pub use conns::{Conn, Rtt, Traffic};
pub use reader::{Reader, Snapshot};
pub use record::{FrameMeta, Record};
pub use row::{Parts, Row, RowKind};
pub use shelf::Shelf;
pub use writer::Writer;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spool::Spool;

use crate::units::Timestamp;

/// Rows in chunks of 160 KiB.
pub type Rows = Shelf<Row, 4096>;
/// Connections: one changes with every message, so the chunks are small.
pub type Conns = Shelf<Conn, 64>;

/// What the writer fills and the readers copy from.
#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    spool: Spool,
}

#[derive(Debug, Default, Clone)]
struct Table {
    rows: Rows,
    conns: Conns,
    /// When the first packet was captured.
    first: Option<Timestamp>,
    /// How often everything was forgotten: numbers of rows and connections hold within one of them.
    epoch: u64,
}

/// How much there is: has anything changed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// How often everything was forgotten.
    pub epoch: u64,
    /// Rows.
    pub rows: usize,
    /// Connections.
    pub conns: usize,
}

/// What stays when a store is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Connections that are open, with their handshakes and without what was said on them.
    Open,
    /// None.
    Nothing,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty store.
///
/// # Errors
/// When no temporary file can be made.
pub fn new() -> io::Result<(Writer, Reader)> {
    let shared = Arc::new(Shared { table: Mutex::default(), spool: Spool::new()? });
    Ok((Writer::new(Arc::clone(&shared)), Reader::new(shared)))
}
