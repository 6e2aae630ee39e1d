//! The ladder of a connection: who said what to whom, and when.
//!
//! ```text
//! ╭ Sequence of connection 1 /chat ───────────────────────────────────────────────────────────╮
//! │              127.0.0.1:40938                                          127.0.0.1:8088      │
//! │  0.000000            │────── GET /chat 101, chat ────────────────────────────▶│           │
//! │ +0.012 s             │◀──── text 12 B {"type":"hello"} ────────────────────────│           │
//! ╰────────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, connections, empty, messages, selected};
use crate::sink::escape;
use crate::store::{Conn, Row, RowKind};
use crate::tui::app::{App, Scope};
use crate::tui::text::{cut, fit, right, span};
use crate::tui::theme::sign;
use crate::units::Direction;

/// A pause that is worth a look.
const PAUSE: i64 = 1_000_000_000;
const TIME: usize = 12;

/// Draws it.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let theme = &app.theme;
    let inside = area.inner(Margin::new(1, 1));
    let legs = Legs::new(app);
    let title = legs.as_ref().map_or_else(
        || "Sequence".to_owned(),
        |legs| format!("Sequence of connection {} {}", legs.client.no, legs.client.target()),
    );
    let title = cut(&title, usize::from(area.width.saturating_sub(6)));
    frame.render_widget(block(theme, title, true), area);
    let Some(legs) = legs else { return connections::no_conn(frame, inside, app) };
    if app.listed() == 0 {
        let text = if app.seeking() {
            "Nothing found yet."
        } else {
            "Nothing is selected by what is set."
        };
        return empty(frame, inside, theme, &[text.to_owned()]);
    }
    let ladder = Ladder::new(&legs, usize::from(inside.width));
    let mut lines = vec![ladder.header(&legs, app)];
    let cursor = app.list.cursor;
    let height = usize::from(inside.height).saturating_sub(1);
    for place in cursor.top..cursor.top.saturating_add(height).min(app.listed()) {
        let Some(at) = app.list.row_at(place) else { break };
        let Some(row) = app.snapshot.rows.get(at as usize) else { break };
        let Some(conn) = app.snapshot.conns.get(row.conn()) else { break };
        let line = ladder.line(&legs, app, place, at, row, conn);
        let here = place == cursor.at;
        lines.push(if here { selected(line, theme.selected_dim, inside.width) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

/// The connection, and behind a proxy the other one.
struct Legs<'a> {
    client: &'a Conn,
    server: Option<&'a Conn>,
}

impl<'a> Legs<'a> {
    fn new(app: &'a App) -> Option<Self> {
        let at = match app.list.scope {
            Scope::One(at) | Scope::Ladder(at) => at,
            _ => app.conn()?.0,
        };
        let conn = app.snapshot.conns.get(at as usize)?;
        let other = conn.leg.and_then(|leg| app.snapshot.conns.get(leg as usize));
        let Some(other) = other else { return Some(Self { client: conn, server: None }) };
        // A proxy is asked before it asks.
        let (client, server) =
            if conn.begin() <= other.begin() { (conn, other) } else { (other, conn) };
        Some(Self { client, server: Some(server) })
    }
}

/// Columns of the lifelines.
struct Ladder {
    left: usize,
    middle: Option<usize>,
    right: usize,
    width: usize,
}

impl Ladder {
    fn new(legs: &Legs<'_>, width: usize) -> Self {
        let left = TIME + 4;
        let right = width.saturating_sub(3).max(left + 8);
        let middle = legs.server.map(|_| left + (right - left) / 2);
        Self { left, middle, right, width }
    }

    /// The names over the lifelines.
    fn header<'a>(&self, legs: &Legs<'_>, app: &App) -> Line<'a> {
        let client = format!("client {}", legs.client.info.client);
        let server = legs.server.unwrap_or(legs.client);
        let server = format!("{} server", server.info.server);
        let room = self.width.saturating_sub(self.left);
        let mut text = " ".repeat(self.left.saturating_sub(1));
        if self.middle.is_some() {
            let third = room / 3;
            text.push_str(&fit(&client, third));
            let proxy = format!("proxy {}", legs.client.info.server);
            let pad = third.saturating_sub(escape::width(&proxy)) / 2;
            text.push_str(&fit(&format!("{}{proxy}", " ".repeat(pad)), third));
            text.push_str(&right(&server, room.saturating_sub(2 * third)));
        } else {
            let half = room / 2;
            text.push_str(&fit(&client, half));
            text.push_str(&right(&server, room - half));
        }
        Line::styled(text, app.theme.header)
    }

    fn line<'a>(
        &self,
        legs: &Legs<'_>,
        app: &App,
        place: usize,
        at: u32,
        row: &Row,
        conn: &Conn,
    ) -> Line<'a> {
        let theme = &app.theme;
        let above = place.checked_sub(1).and_then(|above| app.list.row_at(above));
        let above = above.and_then(|at| app.snapshot.rows.get(at as usize)?.time());
        let pause = row.time().zip(above).map(|(time, above)| time.since(above));
        let long = pause.is_some_and(|ns| ns >= PAUSE);
        let time = match pause {
            Some(ns) if long => format!("+{}", span(ns)),
            _ => messages::time(app, place, row),
        };
        // Which part of the ladder the row is in.
        let second = legs.server.is_some_and(|server| server.no == conn.no);
        let (from, to) = match (self.middle, second) {
            (Some(middle), true) => (middle, self.right),
            (Some(middle), false) => (self.left, middle),
            (None, _) => (self.left, self.right),
        };
        let time_style = if long { theme.warning } else { theme.dim };
        let rail = if long { "┊" } else { "│" };
        let note = row.worst().map_or(theme.text, |worst| theme.severity(worst));
        let mut spans = vec![
            Span::styled(sign(row.worst()), note),
            Span::styled(right(&time, TIME), time_style),
            Span::raw(" ".repeat(self.left - TIME - 1)),
        ];
        let arrow = arrow(app, at, row, conn, to - from - 1);
        let style = if row.heartbeat() { theme.dim } else { messages::kind_style(app, row) };
        let mut column = self.left;
        let rails = [Some(self.left), self.middle, Some(self.right)];
        for end in rails.into_iter().flatten() {
            if end > column {
                let inside = column > from && end <= to;
                let text = if inside { arrow.clone() } else { " ".repeat(end - column) };
                spans.push(Span::styled(text, if inside { style } else { Style::new() }));
            }
            spans.push(Span::styled(rail, theme.border));
            column = end + 1;
        }
        Line::from(spans)
    }
}

/// `────── text 12 B hello ──────▶`, exactly so wide.
fn arrow(app: &App, at: u32, row: &Row, conn: &Conn, width: usize) -> String {
    let mut label = String::new();
    if !matches!(row.kind(), RowKind::Handshake | RowKind::End | RowKind::Gap) {
        label = format!("{} {} ", row.kind().name(), messages::length(row));
    }
    if let RowKind::Message(crate::event::MessageKind::Pong) = row.kind()
        && let Some(ns) = app.reader.record(row, 0).and_then(|record| record.rtt)
    {
        label.extend(["answers after ", &span(ns), " "]);
    }
    let room = width.saturating_sub(escape::width(&label) + 8);
    label.push_str(&messages::preview(app, at, row, conn, room));
    let label = cut(label.trim_end(), width.saturating_sub(6));
    let fill = width.saturating_sub(escape::width(&label) + 2);
    if matches!(row.kind(), RowKind::Handshake | RowKind::End | RowKind::Gap) {
        // What is no message goes across.
        let left = fill / 2;
        return format!("{} {label} {}", "═".repeat(left), "═".repeat(fill - left));
    }
    let before = 2.min(fill.saturating_sub(1));
    let behind = fill.saturating_sub(before + 1);
    match row.dir() {
        Direction::ToServer => format!("{} {label} {}▶", "─".repeat(before), "─".repeat(behind)),
        Direction::ToClient => format!("◀{} {label} {}", "─".repeat(before), "─".repeat(behind)),
    }
}
