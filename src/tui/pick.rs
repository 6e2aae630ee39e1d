//! Choosing what to capture on: interfaces with their traffic, and the ports on which something
//! listens.
//!
//! Gets: [`Action`]s, what the system has ([`Offer`]), the traffic from time to time. Gives: itself to
//! [`super::view::pick`], and in the end a [`Choice`]. Opens nothing, draws nothing, looks at no clock.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use ratatui::layout::Rect;

use super::action::{Action, Motion, Mouse};
use super::cursor::Cursor;
use super::edit::{Edit, Line};
use super::theme::{Palette, Theme};
use crate::capture::{CaptureError, InterfaceInfo, Traffic, check_filter};
use crate::note::Severity;

/// What there is to choose from.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Interfaces, loopback first.
    pub interfaces: Vec<InterfaceInfo>,
    /// Ports on which something listens.
    pub ports: Vec<Port>,
}

impl Offer {
    /// What the system has now.
    ///
    /// # Errors
    /// When it does not tell.
    pub fn now() -> Result<Self, CaptureError> {
        Ok(Self { interfaces: crate::capture::interfaces()?, ports: listening() })
    }
}

/// A port on which something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Where.
    pub addresses: Vec<SocketAddr>,
    /// Who: name and number, and the command line; `None` where this user may not know.
    pub process: Option<(String, String)>,
}

/// Each port once, whatever the addresses.
#[cfg(target_os = "linux")]
fn listening() -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    // Without them there is less to choose from; interfaces are there all the same.
    for listener in crate::process::listening_ports().unwrap_or_default() {
        let number = listener.addr.port();
        let process = listener.process.map(|process| (process.to_string(), process.command));
        match ports.iter_mut().find(|port| port.number == number) {
            Some(port) => {
                port.addresses.push(listener.addr);
                port.process = port.process.take().or(process);
            }
            None => ports.push(Port { number, addresses: vec![listener.addr], process }),
        }
    }
    ports.sort_by_key(|port| port.number);
    ports
}

#[cfg(not(target_os = "linux"))]
fn listening() -> Vec<Port> {
    Vec::new()
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Interfaces by name.
    pub interfaces: Vec<String>,
    /// A capture filter.
    pub filter: Option<String>,
}

/// How it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing was decided.
    Stay,
    /// To the shell, until it says otherwise.
    Suspend,
    /// Somebody left.
    Leave,
    /// It begins.
    Start(Choice),
}

/// A list that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// Of interfaces.
    #[default]
    Interfaces,
    /// Of ports.
    Ports,
}

/// Packets and bytes in a second, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The state.
#[derive(Debug)]
pub struct Picker {
    /// Colours.
    pub theme: Theme,
    /// What there is.
    pub offer: Offer,
    /// Which list has the keys.
    pub pane: Pane,
    /// The selected interface.
    pub at: Cursor,
    /// The selected port.
    pub port_at: Cursor,
    /// Marked interfaces by name.
    pub marks: BTreeSet<String>,
    /// Marked ports.
    pub ports: BTreeSet<u16>,
    /// The capture filter that was typed.
    pub typed: String,
    /// The same while it is typed, with what is wrong with it.
    pub line: Option<(Line, Option<String>)>,
    /// What goes over each interface, by name; none before it was looked at twice.
    pub rates: HashMap<String, Rate>,
    /// The first line shown of the help.
    pub help: Option<usize>,
    /// What came of the last action.
    pub message: Option<(String, Severity)>,
    /// Where the lists are: interfaces, ports.
    pub areas: (Rect, Rect),
    counted: HashMap<String, Traffic>,
}

impl Picker {
    /// Offers something; a filter that was given already is kept.
    pub fn new(offer: Offer, palette: Palette, filter: Option<&str>) -> Self {
        Self {
            theme: Theme::new(palette),
            offer,
            pane: Pane::default(),
            at: Cursor::default(),
            port_at: Cursor::default(),
            marks: BTreeSet::new(),
            ports: BTreeSet::new(),
            typed: filter.unwrap_or("").to_owned(),
            line: None,
            rates: HashMap::new(),
            help: None,
            message: None,
            areas: (Rect::default(), Rect::default()),
            counted: HashMap::new(),
        }
    }

    /// Offers what there is now; what is selected and marked stays so.
    pub fn renew(&mut self, offer: Offer) {
        let name = self.selected().map(|interface| interface.name.clone());
        let port = self.selected_port().map(|port| port.number);
        self.offer = offer;
        let at = self.offer.interfaces.iter().position(|i| Some(&i.name) == name.as_ref());
        self.at.at = at.unwrap_or(0);
        let at = self.offer.ports.iter().position(|p| Some(p.number) == port);
        self.port_at.at = at.unwrap_or(self.port_at.at);
        self.settle();
        let interfaces = &self.offer.interfaces;
        self.marks.retain(|name| interfaces.iter().any(|i| i.name == *name));
    }

    /// Takes in what has gone over the interfaces, so long after the time before.
    pub fn count(&mut self, now: HashMap<String, Traffic>, since: Duration) {
        let seconds = since.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate to be shown"
        )]
        let rate = |more: u64| (more as f64 / seconds).round() as u64;
        if seconds > 0.0 {
            let rates = now.iter().filter_map(|(name, now)| {
                let before = self.counted.get(name)?;
                let packets =
                    (now.received + now.sent).checked_sub(before.received + before.sent)?;
                let bytes = now.received_bytes.saturating_add(now.sent_bytes);
                let bytes = bytes.checked_sub(before.received_bytes + before.sent_bytes)?;
                // Over loopback everything goes out and comes in again.
                let loopback = self.offer.interfaces.iter().any(|i| i.name == *name && i.loopback);
                let times = if loopback { 2 } else { 1 };
                let rate = Rate { packets: rate(packets / times), bytes: rate(bytes / times) };
                Some((name.clone(), rate))
            });
            self.rates = rates.collect();
        }
        self.counted = now;
    }

    /// The capture filter, as marks and typing make it.
    pub fn filter(&self) -> Option<String> {
        let ports: Vec<_> = self.ports.iter().map(|port| format!("tcp port {port}")).collect();
        let ports = ports.join(" or ");
        let typed = self.typed.trim();
        match (self.ports.len(), typed) {
            (0, "") => None,
            (0, _) => Some(typed.to_owned()),
            (_, "") => Some(ports),
            _ => Some(format!("({ports}) and ({typed})")),
        }
    }

    /// The selected interface.
    pub fn selected(&self) -> Option<&InterfaceInfo> {
        self.offer.interfaces.get(self.at.at)
    }

    /// The selected port.
    pub fn selected_port(&self) -> Option<&Port> {
        self.offer.ports.get(self.port_at.at)
    }

    /// A filter is typed: keys are letters.
    pub const fn typing(&self) -> bool {
        self.line.is_some()
    }

    /// Does what an action says.
    pub fn update(&mut self, action: Action) -> Next {
        if !matches!(action, Action::Tick) {
            self.message = None;
        }
        if self.help.is_some() {
            self.update_help(&action);
            return Next::Stay;
        }
        if self.line.is_some() {
            self.update_line(action);
            return Next::Stay;
        }
        match action {
            Action::Quit | Action::Back => return Next::Leave,
            Action::Suspend => return Next::Suspend,
            Action::Enter => return self.start(),
            Action::Help => self.help = Some(0),
            Action::Move(motion) => self.step(motion),
            Action::Mark => self.mark(),
            Action::ClearMarks => self.marks.clear(),
            Action::NextPane | Action::PrevPane => {
                self.pane = match self.pane {
                    Pane::Interfaces if !self.offer.ports.is_empty() => Pane::Ports,
                    _ => Pane::Interfaces,
                };
            }
            Action::Filter => {
                self.line = Some((Line::new(self.typed.as_str()), None));
                self.judge();
            }
            Action::ClearFilter => {
                self.typed.clear();
                self.ports.clear();
            }
            Action::Theme => self.theme = Theme::new(self.theme.palette.next()),
            Action::Mouse(mouse) => self.mouse(mouse),
            _ => {}
        }
        Next::Stay
    }

    /// Does it do anything here?
    pub const fn heeds(action: &Action) -> bool {
        matches!(
            action,
            Action::Quit
                | Action::Suspend
                | Action::Help
                | Action::Move(
                    Motion::Up
                        | Motion::Down
                        | Motion::PageUp
                        | Motion::PageDown
                        | Motion::Top
                        | Motion::Bottom
                )
                | Action::ClearMarks
                | Action::Theme
        )
    }

    fn update_help(&mut self, action: &Action) {
        let Some(top) = &mut self.help else { return };
        match action {
            Action::Move(Motion::Up) | Action::Mouse(Mouse::WheelUp(..)) => {
                *top = top.saturating_sub(1);
            }
            Action::Move(Motion::Down) | Action::Mouse(Mouse::WheelDown(..)) => {
                *top = top.saturating_add(1);
            }
            Action::Tick | Action::Mouse(_) | Action::Move(_) => {}
            _ => self.help = None,
        }
    }

    fn update_line(&mut self, action: Action) {
        let Some((line, error)) = &mut self.line else { return };
        match action {
            Action::Edit(Edit::Backspace) if line.text().is_empty() => self.line = None,
            Action::Edit(edit) => {
                line.edit(edit);
                self.judge();
            }
            Action::Paste(text) => {
                line.insert(&text);
                self.judge();
            }
            // What can not be taken stays to be mended.
            Action::Accept if error.is_none() => {
                line.text().trim().clone_into(&mut self.typed);
                self.line = None;
            }
            Action::Back | Action::Quit => self.line = None,
            _ => {}
        }
    }

    /// Is what is typed a capture filter?
    fn judge(&mut self) {
        let Some((line, error)) = &mut self.line else { return };
        let text = line.text().trim();
        let checked = if text.is_empty() { Ok(()) } else { check_filter(text) };
        *error = checked.err().map(|error| match error {
            // The expression stands beside it.
            CaptureError::Filter { message, .. } => message,
            other => other.to_string(),
        });
    }

    fn step(&mut self, motion: Motion) {
        let (interfaces, ports) = self.areas;
        let page = |area: Rect| super::app::inner(area, 1);
        match self.pane {
            Pane::Interfaces => {
                self.at.step(motion, self.offer.interfaces.len(), page(interfaces));
            }
            Pane::Ports => {
                self.port_at.step(motion, self.offer.ports.len(), page(ports));
            }
        }
    }

    fn mark(&mut self) {
        match self.pane {
            Pane::Interfaces => {
                let name = self.selected().map(|interface| interface.name.clone());
                if let Some(name) = name
                    && !self.marks.remove(&name)
                {
                    self.marks.insert(name);
                }
            }
            Pane::Ports => {
                if let Some(port) = self.selected_port().map(|port| port.number)
                    && !self.ports.remove(&port)
                {
                    self.ports.insert(port);
                }
            }
        }
        self.step(Motion::Down);
    }

    fn start(&mut self) -> Next {
        // Who is at a port and marked none means this one.
        if self.pane == Pane::Ports && self.ports.is_empty() {
            self.ports.extend(self.offer.ports.get(self.port_at.at).map(|port| port.number));
        }
        let selected = self.selected().map(|interface| interface.name.clone());
        let names: Vec<String> = if self.marks.is_empty() {
            selected.into_iter().collect()
        } else {
            self.marks.iter().cloned().collect()
        };
        let all = &self.offer.interfaces;
        let hindered = all.iter().find(|i| names.contains(&i.name) && i.problem.is_some());
        if let Some(InterfaceInfo { problem: Some(problem), remedy, .. }) = hindered {
            let remedy = remedy.as_deref().map(|remedy| format!(": {remedy}")).unwrap_or_default();
            let text = format!("{problem}{remedy}");
            self.warn(&text);
            return Next::Stay;
        }
        if names.is_empty() {
            self.warn("there is no interface to capture on");
            return Next::Stay;
        }
        Next::Start(Choice { interfaces: names, filter: self.filter() })
    }

    /// Says what is wrong.
    pub fn warn(&mut self, text: &str) {
        self.message = Some((super::text::clean(text), Severity::Warning));
    }

    fn mouse(&mut self, mouse: Mouse) {
        let (interfaces, ports) = self.areas;
        let (Mouse::Click(x, y) | Mouse::WheelUp(x, y) | Mouse::WheelDown(x, y)) = mouse else {
            return;
        };
        let here = (x, y).into();
        let (pane, area) = match (interfaces.contains(here), ports.contains(here)) {
            (true, _) => (Pane::Interfaces, interfaces),
            (_, true) => (Pane::Ports, ports),
            _ => return,
        };
        self.pane = pane;
        match mouse {
            Mouse::WheelUp(..) => self.step(Motion::Up),
            Mouse::WheelDown(..) => self.step(Motion::Down),
            _ => {
                let cursor = match pane {
                    Pane::Interfaces => &mut self.at,
                    Pane::Ports => &mut self.port_at,
                };
                // Below the border and the header.
                if let Some(line) = y.checked_sub(area.y + 2) {
                    cursor.at = cursor.top.saturating_add(line.into());
                }
                self.settle();
            }
        }
    }

    /// Nothing is selected that is not there.
    fn settle(&mut self) {
        self.at.at = self.at.at.min(self.offer.interfaces.len().saturating_sub(1));
        self.port_at.at = self.port_at.at.min(self.offer.ports.len().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
