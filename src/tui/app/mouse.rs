//! The mouse: click, wheel, and drag of the border between list and detail.

use ratatui::layout::{Position, Rect};

use super::{App, Pane, inner};
use crate::tui::action::{Motion, Mouse, View};
use crate::tui::detail::{Body, Mode};

/// Lines that one turn of the wheel moves.
const WHEEL: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: Mouse) {
        match mouse {
            Mouse::Click(x, y) => self.click(Position::new(x, y)),
            Mouse::Drag(_, y) if self.dragging => self.drag(y),
            Mouse::Drag(..) => {}
            Mouse::Release => self.dragging = false,
            Mouse::WheelUp(x, y) => self.wheel(Position::new(x, y), -WHEEL),
            Mouse::WheelDown(x, y) => self.wheel(Position::new(x, y), WHEEL),
        }
    }

    fn click(&mut self, at: Position) {
        if self.prompt.is_some() {
            if !self.areas.filter.contains(at) {
                self.prompt = None;
            }
            return;
        }
        if self.areas.title.contains(at) {
            let tab = super::super::view::tab_at(self, at.x);
            return tab.map_or((), |view| self.show(view));
        }
        if self.areas.filter.contains(at) {
            return self.open_filter();
        }
        // The lowest line of the list's border is the handle.
        let border = self.areas.list.bottom().saturating_sub(1);
        let below = self.areas.tree.union(self.areas.body);
        let split = self.view == View::Messages && !below.is_empty();
        if at.y == border && split && self.areas.list.contains(at) {
            self.dragging = true;
            return;
        }
        self.click_pane(at);
    }

    fn click_pane(&mut self, at: Position) {
        let line = |area: Rect, header: u16| {
            let top = area.y.saturating_add(1 + header);
            let inside = at.y >= top && at.y.saturating_add(1) < area.bottom();
            (area.contains(at) && inside).then(|| usize::from(at.y - top))
        };
        if self.view == View::Legs {
            if let Some(line) = line(self.areas.list, 0) {
                let place = self.legs.cursor.top + line;
                if place < self.legs.lines().len() {
                    self.legs.cursor.at = place;
                }
            }
        } else if let Some(line) = line(self.areas.list, 1) {
            self.pane = Pane::List;
            if self.view == View::Connections {
                let place = self.conns.cursor.top + line;
                if place < self.conns.order.len() {
                    // A second click on the same goes in.
                    if place == self.conns.cursor.at {
                        return self.enter();
                    }
                    self.conns.select(place);
                    self.current = self.conns.selected();
                }
            } else {
                let place = self.list.cursor.top + line;
                if place < self.listed() {
                    self.list.cursor.at = place;
                    self.hold_or_follow(false);
                }
            }
        } else if let Some(line) = line(self.areas.tree, 0) {
            self.pane = Pane::Tree;
            let place = self.detail.tree_at.top + line;
            let again = place == self.detail.tree_at.at;
            self.detail.tree_at.at = place.min(self.detail.visible().count().saturating_sub(1));
            self.detail.move_tree(Motion::Up, 0);
            if self.detail.tree_at.at < place {
                self.detail.move_tree(Motion::Down, 0);
            }
            if again {
                self.detail.toggle_tree();
            }
        } else if let Some(line) = line(self.areas.body, 0) {
            self.pane = Pane::Body;
            let place = self.detail.body_at.top + line;
            if place < self.detail.body_len() {
                self.detail.body_at.at = place;
                self.detail.move_body(Motion::Up, 0);
                if self.detail.body_at.at < place {
                    self.detail.move_body(Motion::Down, 0);
                }
            }
        } else if line(self.areas.hex, 0).is_some() {
            self.pane = Pane::Hex;
        }
    }

    fn wheel(&mut self, at: Position, lines: isize) {
        let (rows, len) = (inner(self.areas.list, 1), self.listed());
        let motion = if lines < 0 { Motion::Up } else { Motion::Down };
        if self.areas.list.contains(at) {
            if self.view == View::Connections {
                self.conns.cursor.scroll(lines, self.conns.order.len(), rows);
                self.conns.select(self.conns.cursor.at);
                self.current = self.conns.selected();
            } else if self.view == View::Legs {
                let len = self.legs.lines().len();
                self.legs.cursor.scroll(lines, len, inner(self.areas.list, 0));
            } else {
                self.list.cursor.scroll(lines, len, rows);
                self.hold_or_follow(self.list.cursor.at + 1 == len && lines > 0);
            }
        } else if self.areas.tree.contains(at) {
            let len = self.detail.visible().count();
            self.detail.tree_at.scroll(lines, len, inner(self.areas.tree, 0));
        } else if self.areas.body.contains(at) && self.shows_bytes() {
            self.wheel_bytes(self.areas.body, motion);
        } else if self.areas.body.contains(at) {
            let len = self.detail.body_len();
            self.detail.body_at.scroll(lines, len, inner(self.areas.body, 0));
        } else if self.areas.hex.contains(at) {
            self.wheel_bytes(self.areas.hex, motion);
        } else if matches!(self.view, View::Handshake | View::Compare | View::Statistics) {
            (0..WHEEL).for_each(|_| self.step(motion));
        }
    }

    /// Are there bytes in the pane of the body?
    const fn shows_bytes(&self) -> bool {
        let bytes =
            !matches!(self.detail.mode, Mode::Body) || matches!(self.detail.body, Body::Binary);
        bytes && !self.hex_beside()
    }

    fn wheel_bytes(&mut self, area: Rect, motion: Motion) {
        let width = super::super::view::hex_width(area);
        let beside = self.hex_beside();
        (0..WHEEL).for_each(|_| self.detail.move_hex(motion, inner(area, 0), width, beside));
    }

    fn drag(&mut self, y: u16) {
        let main = self.areas.main;
        let above = y.saturating_sub(main.y).saturating_add(1);
        let percent = u32::from(above) * 100 / u32::from(main.height.max(1));
        self.split = u16::try_from(percent).unwrap_or(100).clamp(15, 85);
    }
}
