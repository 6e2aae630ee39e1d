//! What is done with what is selected: copied, saved, made a filter.

use std::path::{Path, PathBuf};

use super::{App, Effect, Kind, Pane, Scope};
use crate::store::{Row, RowKind};
use crate::tui::action::{Copied, Motion, View};
use crate::tui::detail::Mode;
use crate::tui::export;

/// What a file of packets is called, unless somebody knows better.
pub(super) const RECORDING: &str = "wstap.pcapng";
/// Names that are tried.
const NAMES: usize = 100;

impl App {
    /// The selected row, and its number.
    fn row(&self) -> Option<(u32, Row)> {
        let at = self.selected_row()?;
        Some((at, *self.snapshot.rows.get(at as usize)?))
    }

    pub(super) fn mark(&mut self) {
        match self.view {
            View::Connections => {
                if let Some(conn) = self.current
                    && !self.conns.marks.remove(&conn)
                {
                    self.conns.marks.insert(conn);
                }
            }
            _ => {
                if let Some(row) = self.selected_row()
                    && !self.list.marks.remove(&row)
                {
                    self.list.marks.insert(row);
                }
            }
        }
        self.step(Motion::Down);
    }

    pub(super) fn clear_marks(&mut self) {
        self.conns.marks.clear();
        self.list.marks.clear();
        if self.list.scope == Scope::Marked {
            self.set_scope(Scope::All);
        }
        self.say("no marks");
    }

    pub(super) fn copy(&mut self, what: Copied) {
        let copied = match what {
            Copied::Payload => self.copied_payload(),
            Copied::Row => self.row().and_then(|(_, row)| {
                let record = self.reader.record(&row, usize::MAX)?;
                let conn = self.snapshot.conns.get(row.conn())?;
                Some(("the row as JSON", export::row_json(&row, conn, &record)?))
            }),
            Copied::Field => self.copied_field().map(|text| ("the field", text)),
            Copied::Curl => {
                let command = self.conn().and_then(|(_, conn)| export::curl(conn));
                command.map(|command| ("a curl command", command))
            }
            Copied::Websocat => {
                let command = self.conn().and_then(|(_, conn)| export::websocat(conn));
                command.map(|command| ("a websocat command", command))
            }
        };
        match copied {
            Some((what, text)) => {
                let size = crate::tui::text::size(text.len() as u64);
                self.effects.push(Effect::Clipboard(text));
                self.say(&format!("copied {what} ({size})"));
            }
            None => self.warn(match what {
                Copied::Curl | Copied::Websocat => "the capture has no request of this connection",
                _ => "nothing to copy is selected",
            }),
        }
    }

    fn copied_payload(&self) -> Option<(&'static str, String)> {
        let (_, row) = self.row()?;
        let record = self.reader.record(&row, usize::MAX)?;
        match String::from_utf8(record.payload) {
            Ok(text) if record.text => Some(("the payload", text)),
            Ok(text) => Some(("the payload in hex", export::hex(text.as_bytes()))),
            Err(error) => Some(("the payload in hex", export::hex(error.as_bytes()))),
        }
    }

    pub(super) fn copied_field(&self) -> Option<String> {
        if self.pane == Pane::Body && self.detail.mode == Mode::Body {
            let line = self.detail.json_line()?;
            let bytes = &self.detail.record.as_ref()?.payload;
            let text = String::from_utf8_lossy(bytes.get(line.range.clone())?).into_owned();
            // A string is copied as it is meant.
            return Some(serde_json::from_str::<String>(&text).unwrap_or(text));
        }
        self.detail.node().map(|node| match node.value.as_str() {
            "" => node.name.clone(),
            value => value.to_owned(),
        })
    }

    /// The selected field, or what makes the selected row special, becomes the filter.
    pub(super) fn filter_field(&mut self) {
        let text = match self.pane {
            Pane::Body => self.json_filter(),
            Pane::List => self
                .row()
                .and_then(|(_, row)| self.snapshot.conns.get(row.conn()))
                .map(|conn| format!("conn == {}", conn.no)),
            _ => self.detail.node().and_then(|node| node.filter.clone()),
        };
        match text {
            Some(text) => {
                self.apply_filter(&text);
                self.open_filter();
            }
            None => self.warn("the selected field is none that a filter knows"),
        }
    }

    fn json_filter(&self) -> Option<String> {
        let line = self.detail.json_line()?;
        if !line.scalar {
            return Some(line.path.clone());
        }
        let bytes = &self.detail.record.as_ref()?.payload;
        let value = std::str::from_utf8(bytes.get(line.range.clone())?).ok()?;
        let value = match serde_json::from_str::<String>(value) {
            Ok(text) => crate::tui::detail::tree::quoted(&text),
            Err(_) => value.to_owned(),
        };
        Some(format!("{} == {value}", line.path))
    }

    pub(super) fn open_save_payload(&mut self) {
        let Some((_, row)) = self
            .row()
            .filter(|(_, row)| matches!(row.kind(), RowKind::Message(_) | RowKind::Frame))
        else {
            return self.warn("select a message first");
        };
        let conn = row.conn() + 1;
        let end = if row.kind().name() == "text" { "txt" } else { "bin" };
        let name = format!("conn{conn}-{}-{}.{end}", row.dir(), row.no());
        self.open_prompt(Kind::SavePayload, &self.free_name(&name));
    }

    /// A name of which there is no file yet.
    pub(super) fn free_name(&self, name: &str) -> String {
        let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut names =
            std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{stem}-{n}.{end}")));
        let free = names.by_ref().take(NAMES).find(|name| !(self.taken)(Path::new(name)));
        free.unwrap_or_else(|| name.to_owned())
    }

    pub(super) fn save_payload(&mut self, path: PathBuf) {
        let record = self.row().and_then(|(_, row)| self.reader.record(&row, usize::MAX));
        match record {
            Some(record) if record.skipped => self.warn("the payload was not kept"),
            Some(record) => self.effects.push(Effect::WriteFile(path, record.payload)),
            None => self.warn("select a message first"),
        }
    }

    pub(super) fn open_save_connections(&mut self) {
        if self.snapshot.conns.is_empty() {
            return self.warn("there is no connection to be saved");
        }
        self.open_prompt(Kind::SaveConnections, &self.free_name(RECORDING));
    }

    /// The marked ones; without marks the selected one, or all of the list.
    pub(super) fn save_connections(&mut self, path: PathBuf) {
        let conns: Vec<u32> = match (self.conns.marks.is_empty(), self.view, self.current) {
            (false, ..) => self.conns.marks.iter().copied().collect(),
            (true, View::Connections, _) => self.conns.order.clone(),
            (true, _, Some(conn)) => vec![conn],
            (true, _, None) => Vec::new(),
        };
        self.effects.push(Effect::SaveConnections(path, conns));
    }
}
