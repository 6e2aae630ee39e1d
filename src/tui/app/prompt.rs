//! What is typed in the line at the top: filter, search, number, command, file name.

use std::path::PathBuf;
use std::sync::Arc;

use super::{App, Effect, Overlay, Search};
use crate::filter::{Completion, Filter, complete};
use crate::store::seek::Needle;
use crate::tui::action::{Action, COMMANDS, Copied, View};
use crate::tui::edit::{Edit, Line};
use crate::tui::theme::Palette;

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A display filter.
    Filter,
    /// A search for text.
    Text,
    /// A search for bytes.
    Hex,
    /// A search for a pattern.
    Pattern,
    /// A row's number.
    Goto,
    /// A command.
    Command,
    /// A file for a payload.
    SavePayload,
    /// A file for connections.
    SaveConnections,
    /// A file for everything.
    SaveAll,
}

impl Kind {
    /// What stands before the line.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Filter => "Filter",
            Self::Text => "Search text",
            Self::Hex => "Search hex",
            Self::Pattern => "Search regex",
            Self::Goto => "Go to row",
            Self::Command => ":",
            Self::SavePayload => "Save payload to",
            Self::SaveConnections => "Save as pcapng to",
            Self::SaveAll => "Save all packets to",
        }
    }

    /// What may be typed, while nothing is.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Filter => "kind == text and text contains \"error\"",
            Self::Text => "any case, unless there are capitals; Tab: hex",
            Self::Hex => "81 05 4a; Tab: regular expression",
            Self::Pattern => "id\":\\s*7; Tab: text",
            Self::Goto => "1204, or p77 for packet 77",
            Self::Command => "help",
            Self::SavePayload | Self::SaveConnections | Self::SaveAll => {
                "a file that does not exist yet"
            }
        }
    }
}

/// A line that is typed.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What for.
    pub kind: Kind,
    /// The line.
    pub line: Line,
    /// What could stand at the cursor.
    pub completions: Vec<Completion>,
    /// The one that stands there now.
    pub chosen: Option<usize>,
    /// Why it can not be taken, and at which column.
    pub error: Option<(String, usize)>,
    /// How far back in the history.
    past: usize,
}

/// Lines remembered of each kind.
const HISTORY: usize = 100;

impl Prompt {
    fn new(kind: Kind, text: &str) -> Self {
        let mut prompt = Self {
            kind,
            line: Line::new(text),
            completions: Vec::new(),
            chosen: None,
            error: None,
            past: 0,
        };
        prompt.check();
        prompt
    }

    /// Judges what is typed, and looks for what could follow.
    fn check(&mut self) {
        self.judge();
        self.chosen = None;
        self.completions.clear();
        let text = self.line.text();
        match self.kind {
            Kind::Filter => self.completions = complete(text, self.line.cursor()),
            Kind::Command => {
                let words = COMMANDS.iter().filter(|(name, ..)| name.starts_with(text));
                self.completions = words
                    .map(|(name, argument, help)| Completion {
                        text: (*name).to_owned(),
                        range: 0..text.len(),
                        help: format!("{argument}  {help}").trim().to_owned(),
                    })
                    .collect();
            }
            _ => {}
        }
    }

    /// Can it be taken as it is?
    fn judge(&mut self) {
        let text = self.line.text();
        self.error = match self.kind {
            _ if text.trim().is_empty() => None,
            Kind::Filter => Filter::parse(text).err().map(|error| {
                let hint = error.suggestion().map(|s| format!("; {s}")).unwrap_or_default();
                (format!("{}{hint}", error.reason()), error.column())
            }),
            Kind::Text | Kind::Hex | Kind::Pattern => self.needle().err().map(|error| (error, 0)),
            _ => None,
        };
    }

    fn needle(&self) -> Result<Needle, String> {
        let text = self.line.text();
        match self.kind {
            Kind::Hex => Needle::hex(text),
            Kind::Pattern => Needle::pattern(text),
            _ => Needle::text(text),
        }
    }

    /// Puts the next completion in, or the one before.
    fn complete(&mut self) {
        let next = self.chosen.map_or(0, |chosen| chosen + 1);
        let next = if next < self.completions.len() { next } else { 0 };
        let Some(completion) = self.completions.get(next).cloned() else { return };
        self.line.replace(completion.range.clone(), &completion.text);
        let end = completion.range.start + completion.text.len();
        if self.completions.len() == 1 {
            // The only one is taken: what comes behind it is what one needs next.
            self.line.edit(Edit::Insert(' '));
            self.check();
            return;
        }
        // The others would take the same place.
        for other in &mut self.completions {
            other.range.end = end;
        }
        self.chosen = Some(next);
        self.judge();
    }
}

impl App {
    pub(super) fn open_prompt(&mut self, kind: Kind, text: &str) {
        self.prompt = Some(Prompt::new(kind, text));
    }

    /// What was typed can not be done: it is asked for again.
    pub fn refuse(&mut self, kind: Kind, text: &str, reason: &str) {
        self.open_prompt(kind, text);
        if let Some(prompt) = &mut self.prompt {
            prompt.error = Some((crate::tui::text::clean(reason), 0));
        }
    }

    pub(super) fn open_filter(&mut self) {
        let text = self.filter.as_ref().map(|(text, _)| text.clone()).unwrap_or_default();
        self.open_prompt(Kind::Filter, &text);
    }

    pub(super) fn update_prompt(&mut self, action: Action) {
        let Some(prompt) = &mut self.prompt else { return };
        match action {
            Action::Edit(Edit::Backspace) if prompt.line.text().is_empty() => self.prompt = None,
            Action::Edit(edit) => {
                prompt.line.edit(edit);
                prompt.check();
            }
            Action::Paste(text) => {
                prompt.line.insert(&text);
                prompt.check();
            }
            Action::Complete => match prompt.kind {
                Kind::Text => self.become_kind(Kind::Hex),
                Kind::Hex => self.become_kind(Kind::Pattern),
                Kind::Pattern => self.become_kind(Kind::Text),
                _ => prompt.complete(),
            },
            Action::History(back) => self.recall(back),
            Action::Accept => self.accept(),
            Action::Back | Action::Quit => self.prompt = None,
            _ => {}
        }
    }

    fn become_kind(&mut self, kind: Kind) {
        if let Some(prompt) = &mut self.prompt {
            prompt.kind = kind;
            prompt.check();
        }
    }

    fn recall(&mut self, back: bool) {
        let Some(prompt) = &mut self.prompt else { return };
        // While completions are shown, the arrows choose among them.
        if prompt.chosen.is_some() && !back {
            return prompt.complete();
        }
        let Some(lines) = self.history.get(&prompt.kind) else { return };
        let past = if back { prompt.past + 1 } else { prompt.past.saturating_sub(1) };
        if past > lines.len() {
            return;
        }
        let text = lines.len().checked_sub(past).and_then(|at| lines.get(at));
        prompt.line = Line::new(text.cloned().unwrap_or_default());
        prompt.check();
        prompt.past = past;
    }

    fn accept(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        let text = prompt.line.text().trim().to_owned();
        let result = match prompt.kind {
            Kind::Filter => Filter::parse(&text).map(drop).or_else(|error| match text.as_str() {
                "" => Ok(()),
                _ => Err(error.reason().to_owned()),
            }),
            Kind::Text | Kind::Hex | Kind::Pattern if text.is_empty() => Ok(()),
            Kind::Text | Kind::Hex | Kind::Pattern => prompt.needle().map(drop),
            Kind::Goto if !text.is_empty() => self.go_to_number(&text),
            Kind::Command => self.command(&text),
            _ => Ok(()),
        };
        if let Err(error) = result {
            // What can not be taken stays to be mended.
            let column = prompt.error.as_ref().map_or(0, |(_, column)| *column);
            self.prompt = Some(Prompt { error: Some((error, column)), ..prompt });
            return;
        }
        self.remember(prompt.kind, &text);
        match prompt.kind {
            Kind::Filter => self.apply_filter(&text),
            Kind::Text | Kind::Hex | Kind::Pattern => {
                self.search = match prompt.needle() {
                    Ok(needle) if !text.is_empty() => {
                        Some(Search { text, needle: Arc::new(needle) })
                    }
                    _ => None,
                };
                self.begin_search();
            }
            Kind::SavePayload if !text.is_empty() => self.save_payload(PathBuf::from(text)),
            Kind::SaveConnections if !text.is_empty() => {
                self.save_connections(PathBuf::from(text));
            }
            Kind::SaveAll if !text.is_empty() => {
                self.effects.push(Effect::SaveAll(PathBuf::from(text)));
            }
            _ => {}
        }
    }

    fn remember(&mut self, kind: Kind, text: &str) {
        if text.is_empty() {
            return;
        }
        let lines = self.history.entry(kind).or_default();
        lines.retain(|line| line != text);
        if lines.len() >= HISTORY {
            lines.remove(0);
        }
        lines.push(text.to_owned());
    }

    /// A filter from now on; an empty one for none. What does not parse changes nothing.
    pub fn apply_filter(&mut self, text: &str) {
        let text = text.trim();
        self.filter = match Filter::parse(text) {
            _ if text.is_empty() => None,
            Ok(filter) => Some((text.to_owned(), Arc::new(filter))),
            Err(error) => return self.warn(error.reason()),
        };
        self.requery();
    }

    fn command(&mut self, text: &str) -> Result<(), String> {
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = argument.trim();
        match name {
            "" => {}
            "q" | "quit" => self.quit(),
            "q!" | "quit!" => self.effects.push(Effect::Quit),
            "help" | "h" => self.overlay = Some(Overlay::Help(0)),
            "stop" => self.stop(),
            "pause" => self.pause(),
            "clear" => self.clear(),
            "restart" => self.restart(),
            "capture" => self.overlay = Some(Overlay::Capture(0)),
            "goto" => self.go_to_number(argument)?,
            "filter" => match Filter::parse(argument) {
                Err(error) if !argument.is_empty() => return Err(error.reason().to_owned()),
                _ => self.apply_filter(argument),
            },
            "theme" => {
                let palette = Palette::named(argument);
                self.set_theme(palette.ok_or("dark, light, colour-blind or plain")?);
            }
            "sort" => {
                let column = super::Column::named(argument);
                self.conns.sort_by(
                    column.ok_or("no, client, server, path, messages, bytes, duration or notes")?,
                );
            }
            "legs" | "diff" => self.show(View::Legs),
            "compare" if argument.is_empty() => self.compare_marked(),
            "compare" => {
                let number = |text: &str| text.parse::<u32>().ok()?.checked_sub(1);
                let mut rows = argument.split_whitespace().map(number);
                let (Some(Some(one)), Some(Some(other))) = (rows.next(), rows.next()) else {
                    return Err("two numbers of rows".into());
                };
                self.compare_rows(one, other);
            }
            "save" if !argument.is_empty() => self.save_connections(PathBuf::from(argument)),
            "save" => self.open_save_connections(),
            "write" if !argument.is_empty() => self.save_payload(PathBuf::from(argument)),
            "write" => self.open_save_payload(),
            "copy" => self.copy(match argument {
                "payload" | "" => Copied::Payload,
                "row" => Copied::Row,
                "field" => Copied::Field,
                "curl" => Copied::Curl,
                "websocat" => Copied::Websocat,
                _ => return Err("payload, row, field, curl or websocat".into()),
            }),
            "explain" => {
                let code = argument.parse().ok().ok_or("no note has this code")?;
                self.overlay = Some(Overlay::Explain(code, 0));
            }
            // A number alone goes there, as in vi.
            _ if name.parse::<u64>().is_ok() => self.go_to_number(name)?,
            _ => return Err("there is no such command; help lists them".into()),
        }
        Ok(())
    }
}
