//! The state of the UI, and what changes it.
//!
//! Gets: [`Action`]s, and what the store has. Gives: itself to the views, and [`Effect`]s to
//! whoever can touch the world. Draws nothing, reads no key, and looks at no clock.
//!
//! ```text
//!  key, mouse -> Action -> App::update -> Effect (clipboard, file, quit)
//!  store -----snapshot--> App::refresh -> view::draw(&App)
//! ```

mod act;
mod conns;
mod legs;
mod list;
mod live;
mod mouse;
mod over;
mod prompt;
mod unfold;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ratatui::layout::Rect;

pub use conns::{Column, ConnList};
pub use legs::LegsView;
pub use list::{MessageList, Scope, Times};
pub use over::{Overlay, Whole};
pub use prompt::{Kind, Prompt};
pub use unfold::Part;

use super::action::{Action, Motion, View};
use super::compare::Compare;
use super::cursor::Cursor;
use super::detail::{Body, Detail, Mode};
use super::keys::Place;
use super::load::{Load, Order};
use super::stats::Stats;
use super::theme::{Palette, Theme};
use crate::filter::Filter;
use crate::note::Severity;
use crate::process::{Ends, Owners};
use crate::store::seek::{Needle, Query, Seeker};
use crate::store::{Conn, Reader, Snapshot};

/// What the UI asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Text for the clipboard.
    Clipboard(String),
    /// Bytes for a file that must not exist yet.
    WriteFile(PathBuf, Vec<u8>),
    /// Packets of connections (by index) for a pcapng file that must not exist yet.
    SaveConnections(PathBuf, Vec<u32>),
    /// All packets for a pcapng file that must not exist yet.
    SaveAll(PathBuf),
    /// No more packets.
    StopLoading,
    /// A wish of the loading thread.
    Order(Order),
    /// To the shell, until it says otherwise.
    Suspend,
    /// The end.
    Quit,
}

/// A part of the screen that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The list: connections, messages, the ladder.
    #[default]
    List,
    /// The tree of a message's fields.
    Tree,
    /// Its payload; or its bytes, when there is one pane for both.
    Body,
    /// Its bytes.
    Hex,
}

/// Where everything is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// Title and tabs.
    pub title: Rect,
    /// Filter, or whatever is typed.
    pub filter: Rect,
    /// Between the bars.
    pub main: Rect,
    /// The list, with its border.
    pub list: Rect,
    /// The tree, with its border.
    pub tree: Rect,
    /// The payload, with its border.
    pub body: Rect,
    /// The bytes, with their border.
    pub hex: Rect,
    /// The keys.
    pub bottom: Rect,
}

/// How much of a recording is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saved {
    /// Packets that were numbered before its first one: which recording it is.
    pub before: u64,
    /// Packets, from its first one on.
    pub packets: u64,
}

/// What a search looks for.
#[derive(Debug, Clone)]
pub struct Search {
    /// As typed.
    pub text: String,
    /// Ready to be found.
    pub needle: Arc<Needle>,
}

/// A line that tells what came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The line; harmless.
    pub text: String,
    /// How bad.
    pub severity: Severity,
}

/// The state.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states")]
pub struct App {
    /// Colours.
    pub theme: Theme,
    /// Where the packets come from.
    pub name: String,
    /// They come from an interface, and go on coming.
    pub live: bool,
    /// Where the packets can be read again, where that is worth a word.
    pub recorded: Option<PathBuf>,
    /// Of all that comes there, what is taken.
    pub capture_filter: Option<String>,
    /// A file that packets are written to meanwhile.
    pub written: Option<PathBuf>,
    /// Is there a file of this name?
    pub taken: fn(&Path) -> bool,
    /// The processes at the ends of connections.
    pub owners: Owners,
    /// The screen stands still: packets that had come by then.
    pub paused: Option<u64>,
    /// How far loading is.
    pub load: Load,
    /// The store, for payloads.
    pub reader: Reader,
    /// What was in it when the screen was drawn last.
    pub snapshot: Snapshot,
    /// The screen.
    pub view: View,
    /// The connections.
    pub conns: ConnList,
    /// The messages.
    pub list: MessageList,
    /// One of them.
    pub detail: Detail,
    /// The first line shown of the handshake, and of the numbers beside the charts.
    pub screen_at: Cursor,
    /// Numbers.
    pub stats: Stats,
    /// The legs of a proxy.
    pub legs: LegsView,
    /// Two messages beside each other.
    pub compare: Option<Compare>,
    /// Which pane has the keys.
    pub pane: Pane,
    /// That pane has the whole screen.
    pub zoom: bool,
    /// Part of the height that the list has, in percent.
    pub split: u16,
    /// What is typed.
    pub prompt: Option<Prompt>,
    /// What is over everything else.
    pub overlay: Option<Overlay>,
    /// What came of the last action.
    pub message: Option<Message>,
    /// The display filter: its text, and itself.
    pub filter: Option<(String, Arc<Filter>)>,
    /// What was searched for.
    pub search: Option<Search>,
    /// Where everything is.
    pub areas: Areas,
    /// The list was begun anew: there were others before.
    pub cleared: bool,
    /// Packets come from no file and nobody else saves them.
    pub unsaved: bool,
    /// What was saved all the same.
    pub saved: Saved,
    history: HashMap<Kind, Vec<String>>,
    current: Option<u32>,
    /// The views that one goes back to, the nearest last.
    came_from: Vec<View>,
    seeker: Seeker,
    searcher: Seeker,
    effects: Vec<Effect>,
    previews: RefCell<HashMap<u32, (Vec<u8>, bool)>>,
    dragging: bool,
    /// News that were told.
    told: usize,
    /// The processes that the detail shows.
    detail_ends: Ends,
    /// What was known of processes when something was last looked for.
    owners_seen: u64,
}

/// Previews kept: several screens of them.
const PREVIEWS: usize = 1024;
/// Bytes read for a preview: as wide as any screen.
const PREVIEW_BYTES: usize = 512;

impl App {
    /// Shows what a store has.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(reader: Reader, name: &str, live: bool, palette: Palette) -> io::Result<Self> {
        Ok(Self {
            theme: Theme::new(palette),
            name: super::text::clean(name),
            live,
            recorded: None,
            capture_filter: None,
            written: None,
            taken: |_| false,
            owners: Owners::default(),
            paused: None,
            load: Load::default(),
            snapshot: reader.snapshot(),
            view: View::Connections,
            conns: ConnList::default(),
            list: MessageList { follow: live, ..MessageList::default() },
            detail: Detail::default(),
            screen_at: Cursor::default(),
            stats: Stats::default(),
            legs: LegsView::new(reader.clone())?,
            compare: None,
            pane: Pane::List,
            zoom: false,
            split: 55,
            prompt: None,
            overlay: None,
            message: None,
            filter: None,
            search: None,
            areas: Areas::default(),
            cleared: false,
            unsaved: false,
            saved: Saved::default(),
            history: HashMap::new(),
            current: None,
            came_from: Vec::new(),
            seeker: Seeker::new(reader.clone())?,
            searcher: Seeker::new(reader.clone())?,
            effects: Vec::new(),
            previews: RefCell::default(),
            dragging: false,
            told: 0,
            detail_ends: Ends::default(),
            owners_seen: 0,
            reader,
        })
    }

    /// What the world is to do; taken once.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Where the next key counts.
    pub const fn place(&self) -> Place {
        match (self.view, self.pane) {
            (View::Connections, _) => Place::Connections,
            (View::Messages, Pane::List) | (View::Sequence, _) => Place::Messages,
            (View::Messages, _) => Place::Detail,
            (View::Handshake, _) => Place::Handshake,
            (View::Legs, _) => Place::Legs,
            (View::Compare, _) => Place::Compare,
            (View::Statistics, _) => Place::Anywhere,
        }
    }

    /// Something is typed: keys are letters.
    pub const fn typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// Takes what the store has now.
    pub fn refresh(&mut self) {
        self.take_in();
        if self.current.is_none() && !self.snapshot.conns.is_empty() {
            self.current = Some(0);
        }
        // Not only when it is shown: the list may have been empty then, or begin anew.
        if let (View::Sequence, Some(conn), Scope::All | Scope::Marked) =
            (self.view, self.current, self.list.scope)
        {
            self.set_scope(Scope::Ladder(conn));
        }
        self.refresh_list();
        self.refresh_conns();
        self.refresh_legs();
        if self.view == View::Statistics {
            let marks = (!self.conns.marks.is_empty()).then_some(&self.conns.marks);
            self.stats.update(&self.snapshot, marks);
        }
        self.show_detail();
    }

    /// Work is left that the next [`App::refresh`] goes on with.
    pub fn busy(&self) -> bool {
        !self.load.done
            || self.seeking()
            || self.legs.progress().is_some()
            || self.view == View::Statistics && self.stats.looked_at() < self.snapshot.rows.len()
    }

    /// Does what an action says.
    pub fn update(&mut self, action: Action) {
        if !matches!(action, Action::Tick) {
            self.message = None;
        }
        if self.overlay.is_some() {
            return self.update_overlay(&action);
        }
        if self.prompt.is_some() && !matches!(action, Action::Mouse(_) | Action::Tick) {
            return self.update_prompt(action);
        }
        match action {
            Action::Quit => self.quit(),
            Action::Back => self.back(),
            Action::Enter => self.enter(),
            Action::Help => self.overlay = Some(Overlay::Help(0)),
            Action::Show(view) => self.show(view),
            Action::NextPane => self.next_pane(true),
            Action::PrevPane => self.next_pane(false),
            Action::Move(motion) => self.step(motion),
            Action::Mark => self.mark(),
            Action::ClearMarks => self.clear_marks(),
            Action::Filter => self.open_filter(),
            Action::ClearFilter => self.apply_filter(""),
            Action::FilterField => self.filter_field(),
            Action::Search => self.open_prompt(Kind::Text, ""),
            Action::Goto => self.open_prompt(Kind::Goto, ""),
            Action::Command => self.open_prompt(Kind::Command, ""),
            Action::SavePayload => self.open_save_payload(),
            Action::SaveConnections => self.open_save_connections(),
            Action::NextFound => self.go_found(true),
            Action::PrevFound => self.go_found(false),
            Action::NextNote | Action::PrevNote
                if matches!(self.view, View::Legs | View::Compare) =>
            {
                self.seek_difference(action == Action::NextNote);
            }
            Action::NextNote => self.go_note(true),
            Action::PrevNote => self.go_note(false),
            Action::Compare => self.compare_marked(),
            Action::Frames => self.toggle_frames(),
            Action::Explain => self.explain(),
            Action::Side(side) => self.go_to_side(side),
            Action::Again => self.compare_again(),
            Action::Times => self.list.times = self.list.times.next(),
            Action::Follow => self.toggle_follow(),
            Action::Heartbeats => self.toggle_heartbeats(),
            Action::Scope => self.toggle_scope(),
            Action::Sort => self.conns.next_column(),
            Action::Reverse => self.conns.reverse(),
            Action::Payload => match self.compare.as_mut().filter(|_| self.view == View::Compare) {
                Some(compare) => compare.next_form(),
                None => self.detail.next_mode(),
            },
            Action::Unescape => self.detail.toggle_unescape(),
            Action::Copy(what) => self.copy(what),
            Action::StopLoading => self.stop(),
            Action::Pause => self.pause(),
            Action::Clear => self.clear(),
            Action::Restart => self.restart(),
            Action::Capture => self.overlay = Some(Overlay::Capture(0)),
            Action::Theme => self.set_theme(self.theme.palette.next()),
            Action::Zoom => self.zoom = !self.zoom && self.view == View::Messages,
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Mouse(mouse) => self.mouse(mouse),
            Action::Tick
            | Action::Edit(_)
            | Action::Paste(_)
            | Action::Accept
            | Action::Complete
            | Action::History(_) => {}
        }
    }

    fn quit(&mut self) {
        if self.loses() {
            self.overlay = Some(Overlay::Quit);
        } else {
            self.effects.push(Effect::Quit);
        }
    }

    /// Would packets be lost by leaving? What comes after a save is not saved by it.
    pub fn loses(&self) -> bool {
        // How many packets there are is told only now and then.
        let first = self.saved() == 0 && !self.snapshot.rows.is_empty();
        self.unsaved && (self.load.packets > self.saved() || first)
    }

    /// Packets of this recording that were saved, from its first on.
    pub fn saved(&self) -> u64 {
        // A recording that began anew holds nothing of what was saved before.
        if self.saved.before == self.load.before { self.saved.packets } else { 0 }
    }

    fn stop(&mut self) {
        if self.load.done {
            self.say("everything is loaded already");
        } else {
            self.effects.push(Effect::StopLoading);
            self.say("stopping");
        }
    }

    /// Out of what was entered last.
    fn back(&mut self) {
        if self.zoom {
            self.zoom = false;
        } else if self.pane != Pane::List && self.view == View::Messages {
            self.pane = Pane::List;
        } else if let Some(view) = self.came_from.pop() {
            let further = std::mem::take(&mut self.came_from);
            self.show(view);
            self.came_from = further;
        } else if self.view != View::Connections {
            self.show(View::Connections);
        } else if self.filter.is_some() {
            self.apply_filter("");
        }
    }

    fn enter(&mut self) {
        match (self.view, self.pane) {
            (View::Connections, _) => {
                if self.conns.marks.is_empty() {
                    if let Some(conn) = self.current {
                        self.set_scope(Scope::One(conn));
                    }
                } else {
                    self.set_scope(Scope::Marked);
                }
                self.show(View::Messages);
            }
            (View::Messages, Pane::List) if self.areas.tree.is_empty() => {
                let empty = self.detail.mode == Mode::Body && self.detail.body == Body::Empty;
                self.pane = if empty { Pane::Tree } else { Pane::Body };
                self.zoom = true;
            }
            (View::Messages, Pane::List) => self.pane = Pane::Tree,
            (View::Messages, Pane::Tree) => self.enter_field(),
            (View::Messages, Pane::Body) if self.detail.mode == Mode::Body => {
                match self.detail.json_line() {
                    Some(line) if line.folded.is_none() => self.whole_value(),
                    _ => self.detail.fold_json(None),
                }
            }
            (View::Messages | View::Statistics | View::Compare, _) => {}
            (View::Legs, _) => self.enter_legs(),
            (View::Sequence, _) => self.show(View::Messages),
            (View::Handshake, _) => {
                if let Some(conn) = self.current {
                    self.set_scope(Scope::One(conn));
                }
                self.show(View::Messages);
            }
        }
    }

    fn show(&mut self, view: View) {
        let before = self.view;
        self.view = view;
        self.came_from.clear();
        self.zoom = false;
        self.pane = Pane::List;
        self.screen_at = Cursor::default();
        match (view, self.current) {
            (View::Sequence, Some(conn)) => self.set_scope(Scope::Ladder(conn)),
            (View::Messages, _) => {
                if let Scope::Ladder(conn) = self.list.scope {
                    self.set_scope(Scope::One(conn));
                }
            }
            (View::Connections, current) if before != View::Connections => {
                // What was looked at elsewhere is what keys act on here, too.
                self.conns.await_conn(current, self.snapshot.rows.len());
                self.set_scope(Scope::All);
            }
            _ => {}
        }
    }

    fn next_pane(&mut self, forward: bool) {
        if self.view != View::Messages {
            let at = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
            let step = if forward { 1 } else { View::ALL.len() - 1 };
            let next = View::ALL.get((at + step) % View::ALL.len()).copied();
            return self.show(next.unwrap_or(View::Connections));
        }
        let all = [Pane::List, Pane::Tree, Pane::Body, Pane::Hex];
        let there = |pane: &Pane| match pane {
            Pane::Hex => self.hex_beside() || self.zoom && self.areas.main.width >= WIDE,
            _ => true,
        };
        let panes: Vec<Pane> = all.into_iter().filter(there).collect();
        let at = panes.iter().position(|pane| *pane == self.pane).unwrap_or(0);
        let step = if forward { 1 } else { panes.len() - 1 };
        self.pane = panes.get((at + step) % panes.len()).copied().unwrap_or_default();
    }

    /// The bytes have a pane of their own.
    pub const fn hex_beside(&self) -> bool {
        !self.areas.hex.is_empty()
    }

    fn step(&mut self, motion: Motion) {
        match (self.view, self.pane) {
            (View::Connections, _) => {
                let page = inner(self.areas.list, 1);
                let len = self.conns.order.len();
                self.conns.cursor.step(motion, len, page);
                self.conns.select(self.conns.cursor.at);
                self.current = self.conns.selected();
            }
            (View::Messages, Pane::List) | (View::Sequence, _) => self.step_list(motion),
            (View::Messages, Pane::Tree) => {
                self.detail.move_tree(motion, inner(self.areas.tree, 0));
            }
            (View::Messages, Pane::Body) if self.detail.mode == Mode::Body => {
                self.detail.move_body(motion, inner(self.areas.body, 0));
            }
            (View::Messages, pane) => {
                let area = if pane == Pane::Hex { self.areas.hex } else { self.areas.body };
                let beside = self.hex_beside();
                let width = super::view::hex_width(area);
                self.detail.move_hex(motion, inner(area, 0), width, beside);
            }
            (View::Handshake, _) => {
                let lines = super::view::handshake_lines(self);
                let page = usize::from(self.areas.main.height).saturating_sub(2);
                // The selection is the screen itself.
                let top = &mut self.screen_at;
                top.at = top.top;
                top.step(motion, lines.saturating_sub(page).saturating_add(1), page);
                top.top = top.at;
            }
            (View::Legs, _) => self.step_legs(motion),
            (View::Compare, _) => self.step_compare(motion),
            (View::Statistics, _) => {
                let page = usize::from(self.areas.main.height) / 2;
                let top = &mut self.screen_at.top;
                // Drawing knows how many lines there are.
                *top = match motion {
                    Motion::Up => top.saturating_sub(1),
                    Motion::Down => top.saturating_add(1),
                    Motion::PageUp => top.saturating_sub(page),
                    Motion::PageDown => top.saturating_add(page),
                    Motion::Top => 0,
                    Motion::Bottom => usize::MAX,
                    Motion::Left | Motion::Right => *top,
                };
            }
        }
    }

    fn set_theme(&mut self, palette: Palette) {
        self.theme = Theme::new(palette);
        self.say(&format!("colours: {}", palette.name()));
    }

    /// The connection that handshake, ladder and commands are about.
    pub fn conn(&self) -> Option<(u32, &Conn)> {
        let at = self.current?;
        Some((at, self.snapshot.conns.get(at as usize)?))
    }

    /// What is looked for now, in words of the store.
    fn query(&self) -> Query {
        Query {
            conns: self.scope_set(),
            filter: self.filter.as_ref().map(|(_, filter)| Arc::clone(filter)),
            no_heartbeats: self.list.no_heartbeats,
            needle: None,
            until: self.paused.map(|_| self.snapshot.rows.len()),
            owners: self.owners.clone(),
        }
    }

    fn scope_set(&self) -> Option<Arc<BTreeSet<u32>>> {
        let set = match self.list.scope {
            Scope::All => return None,
            Scope::One(conn) => BTreeSet::from([conn]),
            Scope::Marked => self.conns.marks.clone(),
            Scope::Ladder(conn) => self.ladder(conn).into_iter().collect(),
        };
        Some(Arc::new(set))
    }

    fn say(&mut self, text: &str) {
        let text = super::text::clean(text);
        self.message = Some(Message { text, severity: Severity::Info });
    }

    fn warn(&mut self, text: &str) {
        let text = super::text::clean(text);
        self.message = Some(Message { text, severity: Severity::Warning });
    }

    /// Tells what came of an effect.
    pub fn tell(&mut self, result: Result<String, String>) {
        match result {
            Ok(text) => self.say(&text),
            Err(text) => self.warn(&text),
        }
    }

    /// The beginning of a row's payload, read once.
    pub fn preview<R>(&self, at: u32, show: impl FnOnce(&[u8], bool) -> R) -> Option<R> {
        let mut previews = self.previews.borrow_mut();
        if let Some((bytes, text)) = previews.get(&at) {
            return Some(show(bytes, *text));
        }
        let row = self.snapshot.rows.get(at as usize)?;
        let (bytes, text) = self.reader.preview(row, PREVIEW_BYTES)?;
        let shown = show(&bytes, text);
        if previews.len() >= PREVIEWS {
            previews.clear();
        }
        previews.insert(at, (bytes, text));
        Some(shown)
    }
}

/// Screens of at least so many columns show everything side by side.
pub const WIDE: u16 = 160;

/// Lines inside of a border, below so many of a header.
pub fn inner(area: Rect, header: u16) -> usize {
    usize::from(area.height.saturating_sub(2 + header))
}

#[cfg(test)]
mod pictures;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_conns;
#[cfg(test)]
mod tests_legs;
#[cfg(test)]
mod tests_whole;
