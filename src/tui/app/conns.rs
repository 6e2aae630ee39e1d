//! The list of connections: which of them, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::App;
use crate::store::Conn;
use crate::tui::action::View;
use crate::tui::cursor::Cursor;
use crate::units::Direction;

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    /// Number: the order in which they appeared.
    #[default]
    No,
    /// The client's address.
    Client,
    /// The server's address.
    Server,
    /// The request target.
    Path,
    /// Messages both ways.
    Messages,
    /// Bytes both ways.
    Bytes,
    /// How long it was open.
    Duration,
    /// The worst note.
    Notes,
}

impl Column {
    const ALL: [Self; 8] = [
        Self::No,
        Self::Client,
        Self::Server,
        Self::Path,
        Self::Messages,
        Self::Bytes,
        Self::Duration,
        Self::Notes,
    ];

    /// Its name for `:sort`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Client => "client",
            Self::Server => "server",
            Self::Path => "path",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Notes => "notes",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    fn compare(self, a: &Conn, b: &Conn) -> Ordering {
        let bytes = |conn: &Conn| -> u64 {
            Direction::BOTH.iter().map(|dir| conn.traffic[*dir].bytes).sum()
        };
        // What is large is wanted first.
        match self {
            Self::No => a.no.cmp(&b.no),
            Self::Client => a.info.client.cmp(&b.info.client),
            Self::Server => a.info.server.cmp(&b.info.server),
            Self::Path => a.target().cmp(b.target()),
            Self::Messages => b.messages().cmp(&a.messages()),
            Self::Bytes => bytes(b).cmp(&bytes(a)),
            Self::Duration => b.duration().cmp(&a.duration()),
            Self::Notes => b.worst().cmp(&a.worst()).then_with(|| b.notes.cmp(&a.notes)),
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct ConnList {
    /// The selected one's place among the listed ones.
    pub cursor: Cursor,
    /// What it is sorted by.
    pub sort: Column,
    /// The other way round.
    pub reversed: bool,
    /// Marked ones, by index.
    pub marks: BTreeSet<u32>,
    /// The listed ones' indexes, in order.
    pub order: Vec<u32>,
    /// What there is room for, of what it can be sorted by.
    pub shown: Vec<Column>,
    /// Those that have something that the filter selects; `None` without a filter.
    selected: Option<BTreeSet<u32>>,
    /// How much of what was found is in it.
    counted: usize,
    /// One that is to be selected as soon as it is listed, and how many rows may tell that it is.
    anchor: Option<(u32, usize)>,
    /// Sort anew.
    stale: bool,
    rows: usize,
}

/// With more connections than this, counters that change do not sort them anew at once.
const MANY: usize = 5000;

impl ConnList {
    /// The selected one's index.
    pub fn selected(&self) -> Option<u32> {
        self.order.get(self.cursor.at).copied()
    }

    /// Selects what is at a place.
    pub(super) const fn select(&mut self, place: usize) {
        self.cursor.at = place;
        self.anchor = None;
    }

    /// Selects one by its index, when it is known where it is.
    pub(super) fn await_conn(&mut self, conn: Option<u32>, rows: usize) {
        self.anchor = conn.map(|conn| (conn, rows));
    }

    /// Where one is; where it would be, in the order of their numbers.
    fn place_of(&self, conn: u32) -> Option<usize> {
        let listed = self.order.iter().position(|at| *at == conn);
        let beside = || match (self.sort, self.reversed) {
            (Column::No, false) => Some(self.order.partition_point(|at| *at < conn)),
            (Column::No, true) => Some(self.order.partition_point(|at| *at > conn)),
            _ => None,
        };
        listed.or_else(beside)
    }

    /// Columns that are not on the screen are left out.
    pub(super) fn next_column(&mut self) {
        let at = Column::ALL.iter().position(|column| *column == self.sort).unwrap_or(0);
        let shown = |column: &&Column| self.shown.is_empty() || self.shown.contains(column);
        let next = Column::ALL.iter().skip(at + 1).find(shown);
        self.sort_by(next.copied().unwrap_or_default());
    }

    pub(super) fn sort_by(&mut self, column: Column) {
        self.sort = column;
        self.reversed = false;
        self.stale = true;
    }

    pub(super) const fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.stale = true;
    }

    /// The store was emptied.
    pub(super) fn forget(&mut self) {
        *self = Self { sort: self.sort, reversed: self.reversed, ..Self::default() };
    }

    /// What is listed changes: the selected one stays selected, if it is still there.
    pub(super) fn requery(&mut self, rows: usize) {
        let keep = self.anchor.map(|(conn, _)| conn).or_else(|| self.selected());
        self.await_conn(keep, rows);
        self.selected = None;
        self.counted = 0;
        self.stale = true;
    }
}

impl App {
    pub(super) fn refresh_conns(&mut self) {
        let all = self.snapshot.conns.len();
        let rows = self.snapshot.rows.len();
        self.count_selected();
        let list = &mut self.conns;
        let len = list.selected.as_ref().map_or(all, BTreeSet::len);
        // Most columns change as messages come.
        let grown = rows != list.rows && list.sort != Column::No;
        let often = all < MANY || rows.saturating_sub(list.rows) > rows / 16;
        if list.stale || len != list.order.len() || grown && often {
            let keep = list.selected();
            self.list_conns();
            let list = &mut self.conns;
            let at = keep.and_then(|keep| list.order.iter().position(|conn| *conn == keep));
            list.cursor.at = at.unwrap_or(list.cursor.at);
        }
        self.settle_anchor();
        let list = &mut self.conns;
        list.cursor.at = list.cursor.at.min(list.order.len().saturating_sub(1));
        if self.view == View::Connections {
            self.current = self.conns.selected();
        }
    }

    /// Selects what is waited for, until all that could list it was looked at.
    fn settle_anchor(&mut self) {
        let Some((conn, rows)) = self.conns.anchor else { return };
        let found = self.list.found.as_ref().filter(|_| self.filter.is_some());
        if let Some(place) = self.conns.place_of(conn) {
            self.conns.cursor.at = place;
        }
        if found.is_none_or(|found| found.looked_at >= rows) || self.conns.order.contains(&conn) {
            self.conns.anchor = None;
        }
    }

    /// Lists those that are wanted, in order.
    fn list_conns(&mut self) {
        let all = self.snapshot.conns.len();
        let list = &mut self.conns;
        list.order.clear();
        match &list.selected {
            Some(selected) => list.order.extend(selected),
            None => list.order.extend((0..all).filter_map(|at| u32::try_from(at).ok())),
        }
        if list.sort != Column::No {
            let conns = &self.snapshot.conns;
            let (sort, of) = (list.sort, |at: u32| conns.get(at as usize));
            list.order.sort_by(|a, b| match (of(*a), of(*b)) {
                (Some(a), Some(b)) => sort.compare(a, b),
                _ => Ordering::Equal,
            });
        }
        if list.reversed {
            list.order.reverse();
        }
        list.stale = false;
        list.rows = self.snapshot.rows.len();
    }

    /// A filter lists the connections in which it selects something.
    fn count_selected(&mut self) {
        let (Some(found), Some(_)) = (&self.list.found, &self.filter) else {
            if self.conns.selected.take().is_some() {
                self.conns.stale = true;
            }
            return;
        };
        let list = &mut self.conns;
        let selected = list.selected.get_or_insert_default();
        for row in found.rows.iter_from(list.counted) {
            let conn = self.snapshot.rows.get(*row as usize).map(crate::store::Row::conn);
            selected.extend(conn.and_then(|conn| u32::try_from(conn).ok()));
        }
        list.counted = found.rows.len();
    }

    pub(super) fn go_noted_conn(&mut self, forward: bool) {
        let at = self.conns.cursor.at;
        let noted = |place: &usize| {
            let conn = self.conns.order.get(*place);
            conn.and_then(|conn| self.snapshot.conns.get(*conn as usize))
                .is_some_and(|conn| conn.worst().is_some())
        };
        let found = if forward {
            (at + 1..self.conns.order.len()).find(noted)
        } else {
            (0..at.min(self.conns.order.len())).rev().find(noted)
        };
        match found {
            Some(place) => {
                self.conns.select(place);
                self.current = self.conns.selected();
            }
            None => self.say(if forward { "no more notes below" } else { "no notes above" }),
        }
    }
}
