//! The messages, one row each.
//!
//! ```text
//! ╭ Messages ─────────────────────────────────────────────────────────────────────────────────╮
//! │      No        Time  Conn   Kind        Size  Preview                                      │
//! │ *     1    0.000000     1 → open              GET /chat 101                                 │
//! │ !     2    0.012345     1 → text        12 B  {"type":"subscribe"}                          │
//! ╰────────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use crate::sink::text::counted;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, connections, empty, selected};
use crate::event::{MessageKind, Opcode, Outcome};
use crate::sink::escape;
use crate::store::{Conn, Row, RowKind};
use crate::tui::app::{App, Pane, Part, Scope, Times};
use crate::tui::detail::tree::meaning;
use crate::tui::text::{clock, cut, fit, right, seconds, size};
use crate::tui::theme::{arrow, sign};
use crate::units::Timestamp;

/// Draws the list.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    let focus = app.pane == Pane::List;
    frame.render_widget(block(theme, heading(app), focus), area);
    let inside = area.inner(Margin::new(1, 1));
    if app.listed() == 0 {
        return nothing(frame, inside, app);
    }
    let widths = Widths::new(app, usize::from(inside.width));
    let mut lines = vec![Line::styled(widths.header(app), theme.header)];
    let cursor = app.list.cursor;
    let height = usize::from(inside.height).saturating_sub(1);
    for place in cursor.top..cursor.top.saturating_add(height).min(app.listed()) {
        let Some((at, part)) = app.list.line_at(place) else { break };
        let Some(row) = app.snapshot.rows.get(at as usize) else { break };
        let Some(conn) = app.snapshot.conns.get(row.conn()) else { break };
        let line = match part {
            None => widths.line(app, place, at, row, conn),
            Some(part) => widths.part(app, place, at, row, part),
        };
        let style = if focus { theme.selected } else { theme.selected_dim };
        let here = place == cursor.at;
        lines.push(if here { selected(line, style, inside.width) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn heading(app: &App) -> String {
    let whose = match app.list.scope {
        Scope::All => String::new(),
        Scope::One(conn) | Scope::Ladder(conn) => {
            let conn = app.snapshot.conns.get(conn as usize);
            conn.map(|c| format!(" of connection {} {}", c.no, c.target())).unwrap_or_default()
        }
        Scope::Marked => {
            format!(" of {}", counted(app.conns.marks.len() as u64, "marked connection"))
        }
    };
    cut(&format!("Messages{whose}"), usize::from(app.areas.list.width.saturating_sub(6)))
}

fn nothing(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if app.snapshot.rows.is_empty() {
        return connections::no_conn(frame, area, app);
    }
    let lines = if app.seeking() {
        vec!["Nothing found yet.".to_owned()]
    } else {
        let mut lines = vec!["Nothing is selected by what is set:".to_owned()];
        if app.filter.is_some() {
            lines.push("A takes the filter away.".into());
        }
        if app.list.no_heartbeats {
            lines.push("b shows heartbeats again.".into());
        }
        if app.list.scope != Scope::All {
            lines.push("c shows all connections.".into());
        }
        lines
    };
    empty(frame, area, &app.theme, &lines);
}

/// How wide the columns are.
struct Widths {
    number: usize,
    time: usize,
    conn: usize,
    preview: usize,
    /// Size on the wire, where there is room.
    wire: bool,
}

const NARROW: usize = 56;
const KIND: usize = 6;
const SIZE: usize = 7;

impl Widths {
    fn new(app: &App, width: usize) -> Self {
        let digits = |n: usize| n.max(1).ilog10() as usize + 1;
        let number = digits(app.snapshot.rows.len()).max(4);
        let conn = digits(app.snapshot.conns.len()).max(4);
        let time = match app.list.times {
            Times::Date if width < 70 => Times::Clock.width(),
            times => times.width(),
        };
        // Where there is no room, what is said matters more than when and on which connection.
        let (time, conn) = if width < NARROW { (0, 0) } else { (time + 1, conn + 1) };
        let wire = width >= 110;
        // Two signs in front, the arrow, and a space between any two columns.
        let fixed = 2 + number + time + conn + 3 + KIND + 1 + SIZE + 2;
        let fixed = fixed + if wire { SIZE + 2 } else { 0 };
        Self { number, time, conn, preview: width.saturating_sub(fixed), wire }
    }

    fn header(&self, app: &App) -> String {
        let mut text = format!(
            "  {}{}{}   {} {}  ",
            right("No", self.number),
            right(if self.time == 0 { "" } else { app.list.times.title() }, self.time),
            right("Conn", self.conn),
            fit("Kind", KIND),
            right("Size", SIZE),
        );
        if self.wire {
            text.push_str(&right("Wire", SIZE));
            text.push_str("  ");
        }
        text.push_str(&cut("Preview", self.preview));
        text
    }

    fn line<'a>(&self, app: &App, place: usize, at: u32, row: &Row, conn: &Conn) -> Line<'a> {
        let theme = &app.theme;
        let marked = app.list.marks.contains(&at);
        let number = (u64::from(at) + 1).to_string();
        let note = row.worst().map_or(theme.text, |worst| theme.severity(worst));
        let dir = theme.dir(row.dir());
        let compressed = row.compressed() && row.wire_len() != row.len();
        let mut spans = vec![
            Span::styled(if marked { "*" } else { " " }, theme.marked),
            Span::styled(sign(row.worst()), note),
            Span::styled(right(&number, self.number), theme.dim),
            Span::styled(right(&time(app, place, row), self.time), theme.dim),
            Span::raw(right(&conn.no.to_string(), self.conn)),
            Span::styled(format!(" {} ", direction(row)), dir),
            Span::styled(fit(row.kind().name(), KIND), kind_style(app, row)),
            Span::raw(" "),
            Span::raw(right(&length(row), SIZE)),
            Span::raw(match (row.fragmented(), app.list.unfolded.contains_key(&at)) {
                (false, _) => "  ",
                (true, false) => "+ ",
                (true, true) => "- ",
            }),
        ];
        if self.wire {
            let wire = if compressed { size(row.wire_len().into()) } else { String::new() };
            spans.push(Span::styled(right(&wire, SIZE), theme.dim));
            spans.push(Span::raw("  "));
        }
        let style = if row.heartbeat() { theme.dim } else { theme.text };
        spans.push(Span::styled(
            fit(&preview(app, at, row, conn, self.preview), self.preview),
            style,
        ));
        Line::from(spans)
    }

    /// A frame of an unfolded message, or a control frame that came between.
    fn part<'a>(&self, app: &App, place: usize, at: u32, row: &Row, part: &Part) -> Line<'a> {
        let theme = &app.theme;
        let last = app.list.row_at(place.saturating_add(1)) != Some(at);
        let told = PartText::of(app, part, row);
        let mut spans = vec![
            Span::raw("  "),
            Span::styled(right(if last { "└" } else { "├" }, self.number), theme.dim),
            Span::styled(right(&since(app, told.time), self.time), theme.dim),
            Span::raw(" ".repeat(self.conn)),
            Span::styled(format!(" {} ", arrow(row.dir())), theme.dir(row.dir())),
            Span::styled(fit(&told.kind, KIND), theme.dim),
            Span::raw(" "),
            Span::styled(right(&size(told.len), SIZE), theme.dim),
            Span::raw("  "),
        ];
        if self.wire {
            spans.push(Span::raw(" ".repeat(SIZE + 2)));
        }
        spans.push(Span::styled(fit(&told.text, self.preview), theme.dim));
        Line::from(spans)
    }
}

/// What is told of a part of an unfolded message.
pub(super) struct PartText {
    pub(super) time: Option<Timestamp>,
    pub(super) kind: String,
    pub(super) len: u64,
    pub(super) text: String,
}

impl PartText {
    pub(super) fn of(app: &App, part: &Part, message: &Row) -> Self {
        match part {
            Part::Frame(frame, _, text) => {
                let kind = match frame.opcode {
                    Opcode::Continuation => "cont",
                    _ => message.kind().name(),
                };
                let fin = if frame.fin { "FIN, " } else { "" };
                let text = format!("{fin}frame {}  {text}", frame.no);
                Self { time: frame.end.time, kind: kind.to_owned(), len: frame.len, text }
            }
            Part::Control(at) => {
                let row = app.snapshot.rows.get(*at as usize);
                let kind = row.map_or("", |row| row.kind().name()).to_owned();
                Self {
                    time: row.and_then(Row::time),
                    kind,
                    len: row.map_or(0, |row| row.len().into()),
                    text: format!("between the frames, row {}", u64::from(*at) + 1),
                }
            }
        }
    }
}

/// The time of a part, in the column of the others.
pub(super) fn since(app: &App, time: Option<Timestamp>) -> String {
    let since = time.zip(app.snapshot.first_time()).map(|(time, first)| time.since(first));
    match (app.list.times, time) {
        (Times::Relative | Times::Delta, _) => since.map(seconds).unwrap_or_default(),
        (Times::Clock | Times::Date, Some(time)) => clock(time),
        (Times::Clock | Times::Date, None) => String::new(),
    }
}

/// The arrow of what has a direction.
pub(super) fn direction(row: &Row) -> &'static str {
    match row.kind() {
        RowKind::Handshake | RowKind::End => " ",
        _ => arrow(row.dir()),
    }
}

pub(super) fn kind_style(app: &App, row: &Row) -> Style {
    let theme = &app.theme;
    match row.kind() {
        RowKind::Message(MessageKind::Text | MessageKind::Binary) => theme.dir(row.dir()),
        RowKind::Message(MessageKind::Ping | MessageKind::Pong) => theme.dim,
        RowKind::Message(MessageKind::Close) | RowKind::End => theme.strong,
        RowKind::Handshake => theme.good,
        RowKind::Gap | RowKind::Frame => theme.warning,
    }
}

pub(super) fn length(row: &Row) -> String {
    match row.kind() {
        RowKind::Handshake | RowKind::End => String::new(),
        _ => size(row.len().into()),
    }
}

/// The time as it is to be written.
pub(super) fn time(app: &App, place: usize, row: &Row) -> String {
    let Some(time) = row.time() else { return "-".to_owned() };
    match app.list.times {
        Times::Relative => {
            app.snapshot.first_time().map_or_else(String::new, |first| seconds(time.since(first)))
        }
        Times::Delta => {
            let above = place.checked_sub(1).and_then(|above| app.list.row_at(above));
            let above = above.and_then(|at| app.snapshot.rows.get(at as usize)?.time());
            above.map_or_else(String::new, |above| seconds(time.since(above)))
        }
        Times::Clock => clock(time),
        Times::Date => time.rfc3339().as_str().get(..26).unwrap_or("").replace('T', " "),
    }
}

/// A line about the row, cut to so many columns.
pub(super) fn preview(app: &App, at: u32, row: &Row, conn: &Conn, columns: usize) -> String {
    match row.kind() {
        RowKind::Handshake => cut(&opening(conn), columns),
        RowKind::End => {
            let end = conn.end.as_ref();
            cut(end.map_or("", |end| &end.cause), columns)
        }
        RowKind::Gap => {
            cut(&format!("{} missing from the capture", counted(row.len().into(), "byte")), columns)
        }
        RowKind::Message(MessageKind::Close) => {
            app.preview(at, |bytes, _| cut(&close(bytes), columns)).unwrap_or_default()
        }
        // As empty as it looks it was not sent.
        _ if row.compressed() && !row.complete() && row.is_empty() => cut("not inflated", columns),
        _ => app.preview(at, |bytes, text| payload(bytes, text, columns)).unwrap_or_default(),
    }
}

fn opening(conn: &Conn) -> String {
    let Some(opening) = &conn.opening else { return String::new() };
    let judged = match opening.outcome {
        Outcome::Accepted => String::new(),
        outcome => format!(": {}", outcome.name()),
    };
    let request = opening.request.as_ref();
    let mut text = request.map_or_else(
        || "request not captured".to_owned(),
        |request| format!("{} {}", request.method, request.target),
    );
    match &opening.response {
        Some(response) => text.extend([" ", &response.status.to_string()]),
        None if request.is_none() => return format!("handshake not captured{judged}"),
        None => text.push_str(" without an answer"),
    }
    for part in [&opening.subprotocol, &opening.extensions].into_iter().flatten() {
        text.push_str(", ");
        text.push_str(part);
    }
    text + &judged
}

fn close(bytes: &[u8]) -> String {
    let Some((code, reason)) = bytes.split_first_chunk::<2>() else { return "no code".into() };
    let code = u16::from_be_bytes(*code);
    let reason = String::from_utf8_lossy(reason);
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{code} {}{reason}", meaning(code))
}

fn payload(bytes: &[u8], text: bool, columns: usize) -> String {
    // A character cut in two at the end of what was read is no fault of the payload.
    let readable = match std::str::from_utf8(bytes) {
        Ok(whole) => whole,
        Err(error) => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or(&[])).unwrap_or("")
        }
    };
    let plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text || !bytes.is_empty() && readable.len() == bytes.len() && readable.chars().all(plain) {
        return cut(readable, columns);
    }
    let mut out = String::new();
    if !bytes.is_empty() {
        escape::hex_dump(&mut out, bytes, columns.min(72));
    }
    out
}
