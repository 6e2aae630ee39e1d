//! Looking at a store while it grows.

use std::sync::Arc;

use super::record::{self, HEAD, Head, Record};
use super::row::Row;
use super::spool::Spool;
use super::{Conns, Rows, Shared, Size};
use crate::units::Timestamp;

/// What there was at one moment. Costs a counter a chunk; never changes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The rows, in the order of the packets that completed them.
    pub rows: Rows,
    /// The connections, in the order of their first events.
    pub conns: Conns,
    /// How often everything was forgotten before.
    pub epoch: u64,
    first: Option<Timestamp>,
}

impl Snapshot {
    /// How much it has.
    pub const fn size(&self) -> Size {
        Size { epoch: self.epoch, rows: self.rows.len(), conns: self.conns.len() }
    }

    /// When the first packet of the capture was: relative times count from there. The first of what is
    /// shown, where nobody told.
    pub fn first_time(&self) -> Option<Timestamp> {
        let first = self.first.or_else(|| self.conns.iter().next().and_then(super::Conn::begin));
        first.or_else(|| self.rows.get(0)?.time())
    }
}

/// Looks at a store. Cheap to clone, for other threads.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What there is now.
    pub fn snapshot(&self) -> Snapshot {
        let table = self.shared.table();
        let (rows, conns) = (table.rows.clone(), table.conns.clone());
        Snapshot { rows, conns, epoch: table.epoch, first: table.first }
    }

    /// How much there is now.
    pub fn size(&self) -> Size {
        let table = self.shared.table();
        Size { epoch: table.epoch, rows: table.rows.len(), conns: table.conns.len() }
    }

    /// The beginning of a row's payload, and whether it is text; `None` where a row has none.
    pub fn preview(&self, row: &Row, bytes: usize) -> Option<(Vec<u8>, bool)> {
        let mut buffer = Vec::with_capacity(HEAD + bytes);
        self.shared.spool.read(row.spool(), HEAD + bytes, &mut buffer).ok()?;
        let head = Head::read(&buffer)?;
        buffer.drain(..HEAD);
        buffer.truncate(head.payload);
        Some((buffer, head.text()))
    }

    /// All that is kept of a row, at most `limit` bytes of its payload; `None` where it has no
    /// record.
    pub fn record(&self, row: &Row, limit: usize) -> Option<Record> {
        let mut buffer = Vec::new();
        self.shared.spool.read(row.spool(), HEAD, &mut buffer).ok()?;
        let head = Head::read(&buffer)?;
        buffer.clear();
        self.shared.spool.read(row.spool(), head.total, &mut buffer).ok()?;
        record::read(&buffer, limit)
    }

    /// The file of payloads.
    pub fn spool(&self) -> &Spool {
        &self.shared.spool
    }
}
