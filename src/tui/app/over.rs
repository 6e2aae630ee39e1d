//! What is shown over the screen, and what keys do there.

use super::act::RECORDING;
use super::{App, Effect, Kind};
use crate::tui::action::{Action, Motion, Mouse};

/// Something over everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// All keys; the first line shown.
    Help(usize),
    /// What a note means; the first line shown.
    Explain(crate::note::NoteCode, usize),
    /// A field, a value or a note of which there is no room for all; the first line shown.
    Whole(Whole, usize),
    /// What is known of the capture; the first line shown.
    Capture(usize),
    /// Shall it end, although something is not saved?
    Quit,
    /// Shall it begin anew, although something is not saved?
    Restart,
}

impl Overlay {
    /// The first line shown, where there may be more than fit.
    pub const fn top(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help(top) | Self::Explain(_, top) | Self::Whole(_, top) | Self::Capture(top) => {
                Some(top)
            }
            Self::Quit | Self::Restart => None,
        }
    }
}

/// What is shown whole, over the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// What it is.
    pub title: String,
    /// Its text, which may hold anything from the network.
    pub text: String,
    /// Of a note: its code, whose meaning is told too.
    pub note: Option<crate::note::NoteCode>,
}

impl App {
    pub(super) fn update_overlay(&mut self, action: &Action) {
        let page = usize::from(self.areas.main.height);
        let top = match &mut self.overlay {
            Some(question @ (Overlay::Quit | Overlay::Restart)) => {
                let quit = matches!(question, Overlay::Quit);
                let again = if quit { Action::Quit } else { Action::Restart };
                match action {
                    yes if [Action::Accept, Action::Enter, again].contains(yes) => {
                        if quit {
                            self.effects.push(Effect::Quit);
                        } else {
                            self.begin_anew();
                        }
                    }
                    Action::SaveConnections => {
                        self.overlay = None;
                        self.open_prompt(Kind::SaveAll, &self.free_name(RECORDING));
                    }
                    Action::Tick | Action::Mouse(_) => {}
                    _ => self.overlay = None,
                }
                return;
            }
            Some(overlay) => match overlay.top() {
                Some(top) => top,
                None => return,
            },
            None => return,
        };
        match action {
            Action::Move(Motion::Up) | Action::Mouse(Mouse::WheelUp(..)) => {
                *top = top.saturating_sub(1);
            }
            Action::Move(Motion::Down) | Action::Mouse(Mouse::WheelDown(..)) => {
                *top = top.saturating_add(1);
            }
            Action::Move(Motion::PageUp) => *top = top.saturating_sub(page),
            Action::Move(Motion::PageDown) => *top = top.saturating_add(page),
            Action::Move(Motion::Top) => *top = 0,
            // Drawing knows how many lines there are.
            Action::Move(Motion::Bottom) => *top = usize::MAX,
            Action::Tick | Action::Mouse(_) | Action::Move(_) => {}
            _ => self.overlay = None,
        }
    }

    pub(super) fn enter_field(&mut self) {
        match self.detail.node() {
            Some(node) if node.fold.is_none() && !node.value.is_empty() => {
                let code = node.severity.and_then(|_| node.name.parse().ok());
                let title = if node.name.is_empty() { "Note" } else { &node.name }.to_owned();
                let whole = Whole { title, text: node.value.clone(), note: code };
                self.overlay = Some(Overlay::Whole(whole, 0));
            }
            _ => self.detail.toggle_tree(),
        }
    }

    /// A value of JSON, for which there may be no room in its line.
    pub(super) fn whole_value(&mut self) {
        let title = self.detail.json_line().map(|line| line.path.clone()).unwrap_or_default();
        if let Some(text) = self.copied_field() {
            self.overlay = Some(Overlay::Whole(Whole { title, text, note: None }, 0));
        }
    }
}
