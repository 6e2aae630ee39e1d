//! The list of messages: which rows, in which part of the screen, and how one moves in it.

use crate::sink::text::counted;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{App, Pane, Part, inner};
use crate::store::Row;
use crate::store::seek::{Found, Query};
use crate::tui::action::{Motion, View};
use crate::tui::cursor::Cursor;

/// Which connections' messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// Of one.
    One(u32),
    /// Of the marked ones.
    Marked,
    /// Of one, and of the other legs of its proxy.
    Ladder(u32),
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// Since the first packet.
    #[default]
    Relative,
    /// Since the row above.
    Delta,
    /// Time of day, UTC.
    Clock,
    /// Date and time of day, UTC.
    Date,
}

impl Times {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Relative => Self::Delta,
            Self::Delta => Self::Clock,
            Self::Clock => Self::Date,
            Self::Date => Self::Relative,
        }
    }

    /// Columns that it takes.
    pub const fn width(self) -> usize {
        match self {
            Self::Relative | Self::Delta => 12,
            Self::Clock => 15,
            Self::Date => 26,
        }
    }

    /// The title of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Relative => "Time",
            Self::Delta => "Delta",
            Self::Clock => "Time (UTC)",
            Self::Date => "Date and time (UTC)",
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct MessageList {
    /// The selected row's place among the listed ones.
    pub cursor: Cursor,
    /// Whose messages.
    pub scope: Scope,
    /// How times are written.
    pub times: Times,
    /// Stays at the end.
    pub follow: bool,
    /// Rows that were listed when following was given up.
    pub held: usize,
    /// Without pings, pongs and keep-alives.
    pub no_heartbeats: bool,
    /// Marked rows.
    pub marks: BTreeSet<u32>,
    /// What is listed, when it is not everything.
    pub found: Option<Found>,
    /// What the search found.
    pub hits: Option<Found>,
    /// Rows whose frames are shown, a line for each part.
    pub unfolded: BTreeMap<u32, Arc<[Part]>>,
    /// A row to be selected as soon as it is known where it is.
    pub(super) anchor: Option<u32>,
    /// A search that waits for its first hit, and from which row on.
    pub(super) awaited: Option<u32>,
}

impl MessageList {
    /// Rows listed, of `all`.
    pub fn rows(&self, all: usize) -> usize {
        self.found.as_ref().map_or(all, |found| found.rows.len())
    }

    /// Lines of the list: a row each, and those of unfolded ones.
    pub fn len(&self, all: usize) -> usize {
        self.rows(all) + self.open().map(|(_, _, parts)| parts.len()).sum::<usize>()
    }

    /// The row that a line is of, and which part of it, where it is one.
    pub fn line_at(&self, line: usize) -> Option<(u32, Option<&Part>)> {
        let mut before = 0;
        for (place, row, parts) in self.open() {
            let at = place + before;
            if line <= at {
                break;
            }
            if let Some(part) = parts.get(line - at - 1) {
                return Some((row, Some(part)));
            }
            before += parts.len();
        }
        let place = line - before;
        let row = match &self.found {
            Some(found) => found.rows.get(place).copied(),
            None => u32::try_from(place).ok(),
        };
        Some((row?, None))
    }

    /// The number of the row that a line is of.
    pub fn row_at(&self, line: usize) -> Option<u32> {
        self.line_at(line).map(|(row, _)| row)
    }

    /// The line of a row, or where it would be.
    pub fn place_of(&self, row: u32) -> usize {
        let above = self.open().take_while(|(_, at, _)| *at < row);
        self.place(row) + above.map(|(_, _, parts)| parts.len()).sum::<usize>()
    }

    /// Where a row is among the listed ones, or would be.
    fn place(&self, row: u32) -> usize {
        match &self.found {
            Some(found) => found.rows.partition_point(|at| *at < row),
            None => row as usize,
        }
    }

    /// Unfolded rows that are listed: place, row and parts.
    fn open(&self) -> impl Iterator<Item = (usize, u32, &[Part])> {
        self.unfolded.iter().filter_map(|(row, parts)| {
            let place = self.place(*row);
            let found = self.found.as_ref();
            let listed = found.is_none_or(|found| found.rows.get(place) == Some(row));
            listed.then_some((place, *row, &**parts))
        })
    }
}

impl App {
    /// Lines listed.
    pub fn listed(&self) -> usize {
        self.list.len(self.snapshot.rows.len())
    }

    /// The selected row's number.
    pub fn selected_row(&self) -> Option<u32> {
        let row = self.list.row_at(self.list.cursor.at)?;
        ((row as usize) < self.snapshot.rows.len()).then_some(row)
    }

    /// Rows that came since following was given up.
    pub fn new_below(&self) -> usize {
        if self.list.follow { 0 } else { self.listed().saturating_sub(self.list.held) }
    }

    /// The filter has not looked at everything yet.
    pub fn seeking(&self) -> bool {
        let behind = |found: &Option<Found>| {
            found.as_ref().is_some_and(|found| found.looked_at < self.snapshot.rows.len())
        };
        behind(&self.list.found) || behind(&self.list.hits)
    }

    pub(super) fn refresh_list(&mut self) {
        let rows = self.snapshot.rows.len();
        // What is found beyond a screen that stands still is for later.
        let (paused, more) = (self.paused.is_some(), |f: &Found| f.looked_at < rows);
        if self.list.found.as_ref().is_some_and(|found| !paused || more(found)) {
            self.list.found = Some(self.seeker.found());
        }
        if self.list.hits.as_ref().is_some_and(|hits| !paused || more(hits)) {
            self.list.hits = Some(self.searcher.found());
        }
        self.await_hit();
        let len = self.listed();
        if let Some(row) = self.list.anchor {
            self.list.cursor.at = self.list.place_of(row);
            let known = self.list.found.as_ref().is_none_or(|f| f.looked_at > row as usize);
            if known {
                self.list.anchor = None;
            }
        }
        if self.list.follow {
            self.list.cursor.at = len.saturating_sub(1);
            self.list.held = len;
        }
        self.list.cursor.at = self.list.cursor.at.min(len.saturating_sub(1));
    }

    /// Shows the selected row in detail, when it is another one.
    pub(super) fn show_detail(&mut self) {
        if !matches!(self.view, View::Messages | View::Sequence) {
            return;
        }
        let Some(at) = self.selected_row() else { return self.detail.clear() };
        let Some(row) = self.snapshot.rows.get(at as usize) else { return };
        self.current = u32::try_from(row.conn()).ok();
        let Some(conn) = self.snapshot.conns.get(row.conn()) else { return };
        let ends = self.owners.of(&conn.info.key).unwrap_or_default();
        let frame = match self.list.line_at(self.list.cursor.at) {
            Some((_, Some(Part::Frame(_, n, _)))) => Some(*n),
            _ => None,
        };
        // Processes may become known while it is looked at.
        if self.detail.row == Some(at) && self.detail_ends == ends {
            return self.detail.show_frame(frame);
        }
        self.detail.show(at, row, conn, &self.reader, self.snapshot.first_time());
        self.detail.tree.processes(&ends);
        self.detail_ends = ends;
        self.detail.show_frame(frame);
        self.point_at_hit();
    }

    /// What is listed changes: the selected row stays selected, if it is still there.
    pub(super) fn requery(&mut self) {
        let keep = self.list.anchor.or_else(|| self.selected_row());
        let query = self.query();
        if query.is_all() {
            self.seeker.ask(None);
            self.list.found = None;
        } else {
            self.seeker.ask(Some(query));
            self.list.found = Some(Found::default());
        }
        self.list.anchor = keep;
        self.conns.requery(self.snapshot.rows.len());
        if self.search.is_some() {
            self.research();
        }
    }

    /// The search looks where the list does.
    pub(super) fn research(&mut self) {
        let Some(search) = &self.search else { return };
        let needle = Some(Arc::clone(&search.needle));
        self.searcher.ask(Some(Query { needle, ..self.query() }));
        self.list.hits = Some(Found::default());
    }

    pub(super) fn set_scope(&mut self, scope: Scope) {
        if self.list.scope != scope || scope == Scope::Marked {
            self.list.scope = scope;
            self.requery();
        }
    }

    pub(super) fn toggle_scope(&mut self) {
        match (self.list.scope, self.current) {
            // A ladder has the lifelines of its own legs only.
            (Scope::Ladder(conn), _) if self.view == View::Sequence => {
                if self.ladder(conn).len() < 2 {
                    self.say("this connection has no other legs");
                } else {
                    self.set_scope(Scope::One(conn));
                }
            }
            (Scope::One(conn), _) if self.view == View::Sequence => {
                self.set_scope(Scope::Ladder(conn));
            }
            (Scope::All, Some(conn)) => self.set_scope(Scope::One(conn)),
            _ => self.set_scope(Scope::All),
        }
    }

    pub(super) fn toggle_heartbeats(&mut self) {
        self.list.no_heartbeats = !self.list.no_heartbeats;
        self.unfold_anew();
        self.requery();
        self.say(if self.list.no_heartbeats {
            "heartbeats are hidden"
        } else {
            "heartbeats are shown"
        });
    }

    pub(super) fn toggle_follow(&mut self) {
        self.list.follow = !self.list.follow;
        self.list.held = self.listed();
        self.say(if self.list.follow { "following" } else { "not following" });
    }

    pub(super) fn step_list(&mut self, motion: Motion) {
        let len = self.listed();
        let page = inner(self.areas.list, 1);
        match motion {
            Motion::Left => return self.fold_frames(),
            Motion::Right => return self.unfold_frames(),
            _ => {}
        }
        self.list.anchor = None;
        self.list.cursor.step(motion, len, page);
        self.hold_or_follow(motion == Motion::Bottom);
    }

    /// Scrolling up holds the list; going to the end of one that grows follows it.
    pub(super) fn hold_or_follow(&mut self, to_end: bool) {
        let len = self.listed();
        if to_end && !self.load.done {
            self.list.follow = true;
        } else if self.list.follow && self.list.cursor.at + 1 < len {
            self.list.follow = false;
            self.list.held = len;
        }
        self.list.held = self.list.held.max(self.list.cursor.at + 1).min(len);
    }

    /// Selects a row, wherever the list is.
    pub(super) fn go_to(&mut self, row: u32) {
        self.list.follow = false;
        self.list.held = self.listed();
        self.list.anchor = Some(row);
        self.list.cursor.at = self.list.place_of(row);
        if !matches!(self.view, View::Messages | View::Sequence) {
            self.view = View::Messages;
            self.pane = Pane::List;
        }
    }

    /// To a row by its number, from 1; or to the first row of a packet.
    pub(super) fn go_to_number(&mut self, text: &str) -> Result<(), String> {
        let (packet, digits) = match text.strip_prefix('p') {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        let number: u64 =
            digits.replace(',', "").parse().ok().ok_or("a number, or p and a packet's number")?;
        let len = self.snapshot.rows.len();
        let row = if packet {
            self.snapshot.rows.partition_point(|row| row.packet().number() < number)
        } else {
            usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX)
        };
        if row >= len {
            let rows = counted(len as u64, "row");
            return Err(if packet {
                "there is no row of this packet, or of one behind it".to_owned()
            } else {
                format!("there is no row {digits}, only {rows}")
            });
        }
        self.go_to(u32::try_from(row).unwrap_or(u32::MAX));
        Ok(())
    }

    pub(super) fn go_note(&mut self, forward: bool) {
        if self.view == View::Connections {
            return self.go_noted_conn(forward);
        }
        let noted = |row: &Row| row.worst().is_some();
        let at = self.list.cursor.at;
        let len = self.listed();
        let has_note = |place: &usize| {
            let row = self.list.row_at(*place);
            row.and_then(|row| self.snapshot.rows.get(row as usize)).is_some_and(noted)
        };
        let found = if forward {
            (at.saturating_add(1)..len).find(has_note)
        } else {
            (0..at.min(len)).rev().find(has_note)
        };
        match found {
            Some(place) => {
                self.list.anchor = None;
                self.list.follow = false;
                self.list.cursor.at = place;
            }
            None => self.say(if forward { "no more notes below" } else { "no notes above" }),
        }
    }

    pub(super) fn go_found(&mut self, forward: bool) {
        let Some(hits) = &self.list.hits else {
            return self.say("nothing was searched for: Ctrl-F");
        };
        if !matches!(self.view, View::Messages | View::Sequence) {
            self.view = View::Messages;
        }
        let row = self.selected_row().unwrap_or(0);
        let (total, done) = (hits.rows.len(), hits.looked_at >= self.snapshot.rows.len());
        let next = hits.rows.partition_point(|hit| *hit <= row);
        let before = hits.rows.partition_point(|hit| *hit < row);
        // At the ends it goes on from the other one.
        let place = match (forward, total) {
            (_, 0) => None,
            (true, _) => Some(if next < total { next } else { 0 }),
            (false, _) => Some(before.checked_sub(1).unwrap_or(total - 1)),
        };
        let hit = place.and_then(|place| hits.rows.get(place).copied());
        match (hit, place) {
            (Some(hit), Some(place)) => {
                self.go_to(hit);
                self.say(&format!("{} of {total}{}", place + 1, if done { "" } else { " so far" }));
                self.detail.row = None;
            }
            _ if done => self.warn("not found"),
            _ => self.list.awaited = Some(row),
        }
    }

    /// A search begins: its first hit from the selected row on is shown as soon as it is known.
    pub(super) fn begin_search(&mut self) {
        self.research();
        self.list.awaited = Some(self.selected_row().unwrap_or(0));
    }

    fn await_hit(&mut self) {
        let (Some(from), Some(hits)) = (self.list.awaited, &self.list.hits) else { return };
        let next = hits.rows.get(hits.rows.partition_point(|hit| *hit < from)).copied();
        let done = hits.looked_at >= self.snapshot.rows.len();
        let hit = next.or_else(|| hits.rows.get(0).copied().filter(|_| done));
        let total = hits.rows.len();
        match hit {
            Some(hit) => {
                self.list.awaited = None;
                self.go_to(hit);
                self.detail.row = None;
                let more = if done { "" } else { " so far" };
                self.say(&format!(
                    "found in {}{more}; n: next, N: before",
                    counted(total as u64, "message")
                ));
            }
            None if done => {
                self.list.awaited = None;
                self.warn("not found");
            }
            None => {}
        }
    }

    /// Points at what the search found in the row.
    fn point_at_hit(&mut self) {
        let Some(search) = &self.search else { return };
        let found =
            search.needle.find(self.detail.bytes(super::super::detail::tree::Source::Payload));
        if let Some(range) = found {
            self.detail.hex_at.at = range.start;
            self.detail.field_of_byte(super::super::detail::tree::Source::Payload);
            self.detail.highlight = Some((super::super::detail::tree::Source::Payload, range));
        }
    }
}
