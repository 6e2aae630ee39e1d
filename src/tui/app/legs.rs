//! The legs of a proxy: which are shown, what is selected of them, and two messages compared.

use std::sync::Arc;

use super::{App, Overlay, Scope};
use crate::diff::{Alteration, Pair};
use crate::store::{Reader, Row, RowKind};
use crate::tui::action::{Motion, View};
use crate::tui::compare::{COMPARED, Compare, Side};
use crate::tui::cursor::Cursor;
use crate::tui::legs::page::{Item, Line, Whose};
use crate::tui::legs::{Comparer, Job, Legs, Mark, in_order};
use crate::tui::text::clean;
use crate::units::{Direction, MessageNo, PacketNo};

/// Rows up to which connections are compared without being asked for: done within a moment.
const UNASKED: usize = 100_000;
/// Bytes of their payloads, for the same reason.
const UNASKED_BYTES: u64 = 64 << 20;

/// Views remembered to go back to.
const WAY_BACK: usize = 16;

/// The view, and what it shows.
#[derive(Debug)]
pub struct LegsView {
    /// What the engine said of all connections.
    pub found: Option<Arc<Legs>>,
    /// The same of two that are no pair to it.
    chosen: Option<Arc<Legs>>,
    /// The selected line.
    pub cursor: Cursor,
    /// What differs in the selected message.
    pub shown: Option<Compare>,
    lines: Vec<Line>,
    /// What the lines are of: whose, for which width, and of how many rows.
    drawn: Option<(Whose, usize, usize)>,
    selected: Option<Item>,
    comparer: Comparer,
    pending: Option<Job>,
}

impl LegsView {
    pub(super) fn new(reader: Reader) -> std::io::Result<Self> {
        Ok(Self {
            found: None,
            chosen: None,
            cursor: Cursor::default(),
            shown: None,
            lines: Vec::new(),
            drawn: None,
            selected: None,
            comparer: Comparer::new(reader)?,
            pending: None,
        })
    }

    /// All lines, for the width they were asked for last.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Is there anything to be explained, or compared?
    pub fn altered(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.item, Some(Item::Alteration(..))))
    }

    /// What is selected.
    pub fn item(&self) -> Option<Item> {
        self.lines.get(self.cursor.at)?.item
    }

    /// Rows looked at, of how many; `None` when nothing is being compared.
    pub fn progress(&self) -> Option<(usize, usize)> {
        self.pending.map(|_| self.comparer.progress())
    }
}

impl App {
    /// Takes what was found, and asks for what is wanted.
    pub(super) fn refresh_legs(&mut self) {
        if let Some(found) = self.legs.comparer.take() {
            self.legs.pending = None;
            match found.job {
                Job::All => self.legs.found = Some(found),
                Job::Two(_) => self.legs.chosen = Some(found),
            }
            self.legs.drawn = None;
            // What was guessed by keys may be otherwise.
            if matches!(self.list.scope, Scope::Ladder(_)) {
                self.requery();
            }
        }
        if self.legs.pending.is_none()
            && let Some(job) = self.wanted_job()
        {
            self.legs.pending = Some(job);
            self.legs.comparer.ask(job);
        }
        self.show_difference();
    }

    fn wanted_job(&self) -> Option<Job> {
        let (rows, conns) = (self.snapshot.rows.len(), self.snapshot.conns.len());
        let looking = matches!(self.view, View::Legs | View::Sequence);
        let behind = |legs: &Arc<Legs>| {
            // While rows come it is done anew when they have doubled, so that it costs no more
            // than twice as much.
            legs.rows < rows && (self.load.done || looking && legs.rows <= rows / 2)
        };
        let few = self.load.done
            && conns > 1
            && rows <= UNASKED
            && self.reader.spool().len() <= UNASKED_BYTES;
        if conns > 0 && (looking || few) && self.legs.found.as_ref().is_none_or(behind) {
            return Some(Job::All);
        }
        if self.view != View::Legs {
            return None;
        }
        let Some(Whose::Two(two)) = self.whose() else { return None };
        let [one, other] = two;
        let paired = self.legs.found.as_ref()?.pair(one, other).is_some();
        let there = self.legs.chosen.as_ref().filter(|legs| legs.job == Job::Two(two));
        (!paired && there.is_none_or(behind)).then_some(Job::Two(two))
    }

    /// Whose legs are shown: of the two marked connections, or of the selected one.
    pub fn whose(&self) -> Option<Whose> {
        let mut marks = self.conns.marks.iter().copied();
        if let (2, Some(one), Some(other)) = (marks.len(), marks.next(), marks.next()) {
            let conn = |at: u32| Some((at, self.snapshot.conns.get(at as usize)?));
            return Some(Whose::Two(in_order([conn(one)?, conn(other)?])));
        }
        let conn = self.conn()?.0;
        let ladder = self.legs.found.as_ref().and_then(|found| found.ladder(conn));
        // All of a chain are the same to look at.
        Some(Whose::Chain(ladder.and_then(|legs| legs.first().copied()).unwrap_or(conn)))
    }

    /// What there is to be shown of them, once it is known.
    fn legs_of(&self, whose: Whose) -> Option<&Arc<Legs>> {
        let found = self.legs.found.as_ref()?;
        if let Whose::Two([one, other]) = whose
            && found.pair(one, other).is_none()
            && let Some(chosen) = self.legs.chosen.as_ref()
            && chosen.job == Job::Two([one, other])
        {
            return Some(chosen);
        }
        Some(found)
    }

    /// The legs that are shown now.
    pub fn shown_legs(&self) -> Option<&Arc<Legs>> {
        self.legs_of(self.whose()?)
    }

    /// Why two marked connections are compared although they are no pair.
    fn though(&self, whose: Whose) -> Option<String> {
        let Whose::Two(two) = whose else { return None };
        let chosen = self.legs_of(whose).is_some_and(|legs| legs.job != Job::All);
        let found = self.legs.found.as_ref().filter(|_| chosen)?;
        let why = |conn: u32| {
            let why = found.why_not(conn).unwrap_or("it is part of another pair.");
            format!("Connection {}: {why}", u64::from(conn) + 1)
        };
        let [one, other] = two.map(why);
        Some(format!("No pair, compared because both are marked. {one} {other}"))
    }

    /// Lays out the lines for a width, when they are not already.
    pub fn lay_legs(&mut self, width: usize) {
        let Some((whose, legs)) = self.whose().and_then(|w| Some((w, self.legs_of(w)?))) else {
            self.legs.lines.clear();
            self.legs.drawn = None;
            return;
        };
        let key = Some((whose, width, legs.rows));
        if self.legs.drawn == key {
            return;
        }
        let lines = legs.lines(whose, self.though(whose).as_deref(), width);
        let kept = self.legs.drawn.is_some_and(|(before, ..)| before == whose);
        let item = self.legs.item().filter(|_| kept);
        // What is selected stays selected when only the width is another.
        let at = item.and_then(|item| lines.iter().position(|line| line.item == Some(item)));
        let at = at.unwrap_or(if kept { self.legs.cursor.at } else { 0 });
        self.legs.cursor =
            Cursor { at: at.min(lines.len().saturating_sub(1)), ..Cursor::default() };
        self.legs.lines = lines;
        self.legs.drawn = key;
        self.legs.selected = None;
        self.legs.shown = None;
    }

    /// What a list says of a connection that is a leg: a guess by its key, until it was compared.
    pub fn mark_of(&self, conn: u32) -> Option<Mark> {
        match self.legs.found.as_ref().filter(|found| found.knows(conn)) {
            Some(found) => found.mark(conn),
            None => self.snapshot.conns.get(conn as usize)?.leg.map(|_| Mark::Guess),
        }
    }

    /// Was this message altered by a proxy, as far as that is known?
    pub fn is_altered(&self, row: &Row) -> bool {
        let conn = u32::try_from(row.conn()).unwrap_or(u32::MAX);
        let message = matches!(row.kind(), RowKind::Message(_));
        let found = self.legs.found.as_ref().filter(|_| message);
        found.is_some_and(|found| found.altered(conn, row.dir(), row.no().into()))
    }

    /// The connections of a ladder, from the client to the server: one, or the legs of a proxy.
    pub fn ladder(&self, conn: u32) -> Vec<u32> {
        if let Some(found) = self.legs.found.as_ref().filter(|found| found.knows(conn)) {
            return found.ladder(conn).unwrap_or_else(|| vec![conn]);
        }
        let get = |at: u32| Some((at, self.snapshot.conns.get(at as usize)?));
        let legs = get(conn).and_then(|this| Some(in_order([this, get(this.1.leg?)?])));
        legs.map_or_else(|| vec![conn], Vec::from)
    }

    /// Compares anew what is there now.
    pub(super) fn compare_again(&mut self) {
        self.legs.found = None;
        self.legs.chosen = None;
        self.legs.drawn = None;
    }

    /// The alteration that is selected, and its pair.
    pub fn alteration(&self) -> Option<(&Pair, &Alteration)> {
        self.shown_legs()?.alteration(self.legs.item()?)
    }

    /// Reads what differs in the selected message, when it is another one.
    pub fn show_difference(&mut self) {
        if self.view != View::Legs || self.legs.selected == self.legs.item() {
            return;
        }
        self.legs.selected = self.legs.item();
        self.legs.shown = self.difference();
    }

    fn difference(&self) -> Option<Compare> {
        let (pair, alteration) = self.alteration().filter(|(_, a)| a.of_message())?;
        let legs = self.shown_legs()?;
        let [client, server] = alteration.numbers;
        let side = |leg: Option<usize>, no: Option<MessageNo>, name: &str| {
            let conn = leg.and_then(|leg| legs.conn(leg))?;
            let no = no?.0;
            let packet = legs.packet(conn, alteration.dir, no)?;
            let row = self.row_of(conn, alteration.dir, no, packet)?;
            Some(self.side(row, &self.about(name, row)))
        };
        let left = side(Some(pair.client), client, "client leg");
        let right = side(pair.server, server, "server leg");
        let none = |name: &str| Side { title: format!("{name}: not there"), ..Side::default() };
        let sides = [
            left.unwrap_or_else(|| none("client leg")),
            right.unwrap_or_else(|| none("server leg")),
        ];
        sides.iter().any(|side| side.row.is_some()).then(|| Compare::new(sides))
    }

    /// The row of a message that a packet completed.
    fn row_of(&self, conn: u32, dir: Direction, no: u64, packet: PacketNo) -> Option<u32> {
        let no = u32::try_from(no).ok()?;
        let rows = &self.snapshot.rows;
        let from = rows.partition_point(|row| row.packet() < packet);
        let there = (from..).zip(rows.iter_from(from));
        let mut there = there.take_while(|(_, row)| row.packet() == packet);
        let found = there.find(|(_, row)| {
            let message = matches!(row.kind(), RowKind::Message(_));
            message && row.conn() == conn as usize && row.dir() == dir && row.no() == no
        });
        u32::try_from(found?.0).ok()
    }

    /// `client leg 1, row 5: → text 12 B`
    fn about(&self, name: &str, at: u32) -> String {
        let Some(row) = self.snapshot.rows.get(at as usize) else { return String::new() };
        format!(
            "{name} {}, row {}: {} {} {}",
            row.conn() + 1,
            u64::from(at) + 1,
            crate::tui::theme::arrow(row.dir()),
            row.kind().name(),
            crate::tui::text::size(row.len().into()),
        )
    }

    fn side(&self, at: u32, title: &str) -> Side {
        let row = self.snapshot.rows.get(at as usize);
        let record = row.and_then(|row| self.reader.record(row, COMPARED));
        let (payload, len) =
            record.map_or((Vec::new(), 0), |r| (r.payload, r.payload_len as usize));
        Side { row: Some(at), title: clean(title), cut: payload.len() < len, payload }
    }

    /// Into what is selected: what an alteration means, what differs in a message.
    pub(super) fn enter_legs(&mut self) {
        match self.legs.item() {
            Some(Item::Pair(conn)) => {
                self.conns.marks.clear();
                self.current = Some(conn);
            }
            Some(Item::Conn(conn)) => {
                self.set_scope(Scope::One(conn));
                self.visit(View::Messages);
            }
            Some(Item::Alteration(..)) => match self.legs.shown.clone() {
                Some(compare) => {
                    self.compare = Some(compare);
                    self.visit(View::Compare);
                }
                None => self.explain(),
            },
            None => self.say("nothing to enter: go to a line with ! or ~"),
        }
    }

    /// What the selected alteration means.
    pub(super) fn explain(&mut self) {
        match self.alteration() {
            Some((_, alteration)) => self.overlay = Some(Overlay::Explain(alteration.code, 0)),
            None => self.say("nothing to explain: go to a line with ! or ~"),
        }
    }

    /// To a message that is compared, in the list of messages.
    pub(super) fn go_to_side(&mut self, side: usize) {
        let compare = match self.view {
            View::Compare => self.compare.as_ref(),
            _ => self.legs.shown.as_ref(),
        };
        let row = compare.and_then(|compare| compare.sides.get(side)?.row);
        let Some(row) = row else { return self.warn("there is no such message on this side") };
        let conn = self.snapshot.rows.get(row as usize).map(Row::conn);
        if let Some(conn) = conn.and_then(|conn| u32::try_from(conn).ok())
            && !self.in_scope(conn)
        {
            self.set_scope(Scope::One(conn));
        }
        self.visit(View::Messages);
        self.go_to(row);
        self.say(&self.about("connection", row));
    }

    fn in_scope(&self, conn: u32) -> bool {
        self.scope_set().is_none_or(|set| set.contains(&conn))
            && !matches!(self.list.scope, Scope::Ladder(_))
    }

    /// Another view, from which one comes back here.
    fn visit(&mut self, view: View) {
        let mut from = std::mem::take(&mut self.came_from);
        from.push(self.view);
        self.show(view);
        from.drain(..from.len().saturating_sub(WAY_BACK));
        self.came_from = from;
    }

    /// Compares the two marked messages, or the marked one and the selected one.
    pub(super) fn compare_marked(&mut self) {
        let marks = &self.list.marks;
        let other = self.selected_row().filter(|row| marks.len() == 1 && !marks.contains(row));
        let rows: Vec<u32> = marks.iter().copied().chain(other).collect();
        match rows.as_slice() {
            [one, other] => self.compare_rows(*one.min(other), *one.max(other)),
            _ => self.warn("Space marks two messages, or one beside the selected one: = compares"),
        }
    }

    pub(super) fn compare_rows(&mut self, one: u32, other: u32) {
        let is_message = |at: u32| {
            let row = self.snapshot.rows.get(at as usize);
            row.is_some_and(|row| matches!(row.kind(), RowKind::Message(_) | RowKind::Frame))
        };
        if !is_message(one) || !is_message(other) {
            return self.warn("only messages are compared");
        }
        let sides = [one, other].map(|row| self.side(row, &self.about("connection", row)));
        self.compare = Some(Compare::new(sides));
        self.visit(View::Compare);
    }

    pub(super) fn step_legs(&mut self, motion: Motion) {
        let page = super::inner(self.areas.list, 0);
        let len = self.legs.lines.len();
        self.legs.cursor.step(motion, len, page);
    }

    pub(super) fn step_compare(&mut self, motion: Motion) {
        let page = super::inner(self.areas.main, 1);
        if let Some(compare) = &mut self.compare {
            let len = compare.lines().len();
            compare.at.step(motion, len, page);
        }
    }

    /// To the next alteration, or the next line that differs.
    pub(super) fn seek_difference(&mut self, forward: bool) {
        let found = if self.view == View::Compare {
            self.compare.as_mut().is_some_and(|compare| compare.seek(forward))
        } else {
            self.seek_alteration(forward)
        };
        if !found {
            self.say(if forward { "nothing more below" } else { "nothing above" });
        }
    }

    /// Shows the lines of what is selected, in so many: all, if they fit.
    pub fn settle_legs(&mut self, height: usize) {
        let legs = &mut self.legs;
        let (len, at, item) = (legs.lines.len(), legs.cursor.at, legs.item());
        let same = |line: &&Line| item.is_some() && line.item == item;
        let behind = legs.lines.iter().skip(at).take_while(same).count().saturating_sub(1);
        let mut last = Cursor { at: at + behind, ..legs.cursor };
        last.show(len, height);
        legs.cursor.top = last.top;
        legs.cursor.show(len, height);
    }

    fn seek_alteration(&mut self, forward: bool) -> bool {
        let (lines, at, here) = (&self.legs.lines, self.legs.cursor.at, self.legs.item());
        let other = |place: &usize| {
            let item = lines.get(*place).and_then(|line| line.item);
            matches!(item, Some(Item::Alteration(..))) && item != here
        };
        let found = if forward {
            (at + 1..lines.len()).find(other)
        } else {
            // The first line of what is found.
            let last = (0..at.min(lines.len())).rev().find(other);
            last.map(|last| {
                let item = lines.get(last).and_then(|line| line.item);
                let same = |at: &usize| lines.get(*at).is_some_and(|line| line.item == item);
                (0..=last).rev().take_while(same).last().unwrap_or(last)
            })
        };
        self.legs.cursor.at = found.unwrap_or(at);
        found.is_some()
    }
}
