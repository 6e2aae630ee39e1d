//! The static and the dynamic table (RFC 7541 section 2.3, appendix A).
//!
//! Gets: what a block adds, sizes that it sets, word of what was lost. Gives: entries by index. Keeps:
//! the entries that are known, within the size that the encoder has set and a limit of ours.

use std::collections::VecDeque;

use super::Malformed;

/// Section 4.1: what an entry counts besides its bytes.
pub(super) const OVERHEAD: usize = 32;
/// RFC 9113 section 6.5.2: before anything is said about it.
const USUAL_SIZE: usize = 4096;

/// What stands at an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Name and value; the name is `None` where it was lost.
    Entry(Option<&'a [u8]>, &'a [u8]),
    /// Something that is not known.
    Lost,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    /// As section 4.1 counts them.
    size: usize,
    most: usize,
    /// Older entries than these may be in the table, and are not known.
    lost: bool,
}

#[derive(Debug)]
struct Entry {
    name: Option<Vec<u8>>,
    value: Vec<u8>,
}

impl Entry {
    fn size(&self) -> usize {
        self.name.as_ref().map_or(0, Vec::len) + self.value.len() + OVERHEAD
    }
}

impl Default for Table {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, most: USUAL_SIZE, lost: false }
    }
}

impl Table {
    /// Section 2.3.3: the static entries from 1 on, the dynamic ones behind them.
    pub(super) fn entry(&self, index: usize) -> Result<Found<'_>, Malformed> {
        let place = index.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Ok(Found::Entry(Some(name.as_bytes()), value.as_bytes()));
        }
        match self.entries.get(place - STATIC.len()) {
            Some(entry) => Ok(Found::Entry(entry.name.as_deref(), &entry.value)),
            None if self.lost => Ok(Found::Lost),
            None => Err(Malformed),
        }
    }

    /// Section 4.4: older ones make room; one that is larger than the table empties it.
    pub(super) fn add(&mut self, name: Option<Vec<u8>>, value: Vec<u8>, limit: usize) {
        let entry = Entry { name, value };
        self.size = self.size.saturating_add(entry.size());
        self.entries.push_front(entry);
        self.evict(limit);
    }

    /// Section 4.3: the encoder changes the size.
    pub(super) fn resize(&mut self, most: usize, limit: usize) {
        self.most = most;
        // With no room for one entry, none is there that could be unknown.
        if most < OVERHEAD {
            self.lost = false;
        }
        self.evict(limit);
    }

    /// Nothing that is in it now is known any more.
    pub(super) fn lose(&mut self) {
        *self = Self { most: self.most, lost: true, ..Self::default() };
    }

    /// Bytes of memory kept, about: by the count of the RFC, which is for that.
    pub(super) const fn weight(&self) -> usize {
        self.size
    }

    fn evict(&mut self, limit: usize) {
        while self.size > self.most.min(limit) {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(oldest.size());
            // The encoder still has it where it is only our limit that is too small for it.
            self.lost |= self.size.saturating_add(oldest.size()) <= self.most;
        }
    }
}

#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),];
