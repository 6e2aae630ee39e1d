//! What is kept of a connection: who, how it opened and ended, and its counters.

use std::sync::Arc;

use crate::event::{ConnInfo, End, Handshake, MessageKind};
use crate::note::{Note, Severity};
use crate::units::{ConnNo, Direction, Origin, PerDirection, Timestamp};

/// A connection or attempt.
#[derive(Debug, Clone)]
pub struct Conn {
    /// Who.
    pub info: ConnInfo,
    /// Its number as shown.
    pub no: ConnNo,
    /// Its opening handshake; `None` only until it is known.
    pub opening: Option<Arc<Handshake>>,
    /// How it ended; `None` while it is open.
    pub end: Option<Arc<End>>,
    /// The packet of its first event.
    pub first: Origin,
    /// The packet of its latest one.
    pub last: Origin,
    /// What went each way.
    pub traffic: PerDirection<Traffic>,
    /// TCP bytes that the capture lacks.
    pub missing: u64,
    /// Notes of each severity: info, warning, error.
    pub notes: [u32; 3],
    /// Round trips of its pings.
    pub rtt: Rtt,
    /// The same `Sec-WebSocket-Key` was seen on this other connection (its index): the legs of a
    /// proxy.
    pub leg: Option<u32>,
}

/// What went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages of each kind, in the order of [`MessageKind::ALL`].
    pub kinds: [u64; 5],
    /// Bytes after inflating.
    pub bytes: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Of compressed messages alone: bytes after inflating, and on the wire.
    pub compressed: (u64, u64),
}

impl Traffic {
    /// Messages of every kind.
    pub fn messages(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// Messages of one kind.
    pub fn of(&self, kind: MessageKind) -> u64 {
        let at = MessageKind::ALL.iter().position(|k| *k == kind);
        at.and_then(|at| self.kinds.get(at)).copied().unwrap_or(0)
    }
}

/// Round trips, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rtt {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: i64,
    /// The shortest.
    pub min: i64,
    /// The longest.
    pub max: i64,
}

impl Rtt {
    /// Counts one more.
    pub fn add(&mut self, ns: i64) {
        self.min = if self.count == 0 { ns } else { self.min.min(ns) };
        self.max = self.max.max(ns);
        self.sum = self.sum.saturating_add(ns);
        self.count += 1;
    }

    /// Counts those of another connection too.
    pub fn merge(&mut self, other: &Self) {
        if other.count > 0 {
            self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
            self.max = self.max.max(other.max);
            self.sum = self.sum.saturating_add(other.sum);
            self.count += other.count;
        }
    }

    /// The mean, in nanoseconds, rounded toward 0; `None` without any.
    pub fn mean(&self) -> Option<i64> {
        i64::try_from(self.count).ok().and_then(|count| self.sum.checked_div(count))
    }
}

impl Conn {
    /// Nothing known but who.
    pub fn new(info: ConnInfo, no: ConnNo, first: Origin) -> Self {
        Self {
            info,
            no,
            opening: None,
            end: None,
            first,
            last: first,
            traffic: PerDirection::default(),
            missing: 0,
            notes: [0; 3],
            rtt: Rtt::default(),
            leg: None,
        }
    }

    /// The same connection with nothing said on it yet, under another number.
    #[must_use]
    pub fn emptied(&self, no: ConnNo) -> Self {
        let mut conn = Self::new(self.info.clone(), no, self.first);
        conn.opening.clone_from(&self.opening);
        if let Some(opening) = &conn.opening {
            let notes = Arc::clone(opening);
            conn.count(&notes.notes);
        }
        conn
    }

    /// When it began: its first packet, as far as that is known.
    pub fn begin(&self) -> Option<Timestamp> {
        let opening = self.opening.as_ref();
        let request = opening.and_then(|h| h.request.as_ref()).and_then(|r| r.begin.time);
        self.end.as_ref().and_then(|end| end.begin).or(request).or(self.first.time)
    }

    /// Nanoseconds from its first packet to its last, as far as seen.
    pub fn duration(&self) -> Option<i64> {
        let ended = self.end.as_ref().and_then(|end| end.duration_ns);
        ended.or_else(|| Some(self.last.time?.since(self.begin()?)))
    }

    /// Nothing more will come.
    pub fn over(&self) -> bool {
        self.end.is_some() || self.opening.as_ref().is_some_and(|opening| opening.last)
    }

    /// The worst of its notes.
    pub fn worst(&self) -> Option<Severity> {
        let [info, warning, error] = self.notes;
        match (error, warning, info) {
            (0, 0, 0) => None,
            (0, 0, _) => Some(Severity::Info),
            (0, _, _) => Some(Severity::Warning),
            _ => Some(Severity::Error),
        }
    }

    /// Counts notes.
    pub fn count(&mut self, notes: &[Note]) {
        for note in notes {
            let [info, warning, error] = &mut self.notes;
            let slot = match note.severity() {
                Severity::Info => info,
                Severity::Warning => warning,
                Severity::Error => error,
            };
            *slot = slot.saturating_add(1);
        }
    }

    /// The request target, or what stands for it.
    pub fn target(&self) -> &str {
        let request = self.opening.as_ref().and_then(|h| h.request.as_ref());
        request.map_or("", |request| &request.target)
    }

    /// Messages both ways.
    pub fn messages(&self) -> u64 {
        Direction::BOTH.iter().map(|dir| self.traffic[*dir].messages()).sum()
    }
}

/// The worst of some notes.
pub(super) fn worst(notes: &[Note]) -> Option<Severity> {
    notes.iter().map(Note::severity).max()
}
