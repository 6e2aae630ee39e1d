//! To come.

use std::collections::BTreeMap;

use crate::conn::Unread;
use crate::units::Timestamp;

/// What a run saw in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets read.
    pub packets: u64,
    /// Bytes they had on the wire.
    pub bytes: u64,
    /// Earliest packet time.
    pub first_time: Option<Timestamp>,
    /// Latest packet time.
    pub last_time: Option<Timestamp>,
    /// TCP connections.
    pub tcp_streams: u64,
    /// TCP connections that were seen to carry something else, by what it is.
    pub unread: Unread,
    /// Packets that were not decoded, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}
