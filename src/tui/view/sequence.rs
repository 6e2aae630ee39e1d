//! The ladder of a connection, or of the legs of a proxy: who said what to whom, and when.
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
    let legs = Legs::new(app, usize::from(inside.width).saturating_sub(TIME));
    let title = legs.as_ref().map_or_else(|| "Sequence".to_owned(), Legs::title);
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

/// The connection, and behind a proxy the others, from the client to the server.
struct Legs<'a>(Vec<&'a Conn>);

impl<'a> Legs<'a> {
    /// As many as there is room for, around the one that the list is of.
    fn new(app: &'a App, width: usize) -> Option<Self> {
        let at = match app.list.scope {
            Scope::One(at) | Scope::Ladder(at) => at,
            _ => app.conn()?.0,
        };
        let all = app.ladder(at);
        let room = (width / LEG).max(2);
        let here = all.iter().position(|leg| *leg == at).unwrap_or(0);
        let from = (here + 1).saturating_sub(room).max(here.saturating_sub(room / 2));
        let from = from.min(all.len().saturating_sub(room));
        let conn = |at: &u32| app.snapshot.conns.get(*at as usize);
        let legs: Vec<_> = all.iter().skip(from).take(room).filter_map(conn).collect();
        (!legs.is_empty()).then_some(Self(legs))
    }

    fn title(&self) -> String {
        let numbers: Vec<String> = self.0.iter().map(|leg| leg.no.to_string()).collect();
        let word = if numbers.len() == 1 { "connection" } else { "connections" };
        let target = self.0.first().map_or("", |leg| leg.target());
        format!("Sequence of {word} {} {target}", numbers.join(" → "))
    }
}

/// Narrower than this, there is no room for times.
const TIMED: usize = 56;
/// Columns that a leg needs.
const LEG: usize = 28;

/// How far a name may reach over the middle between its lifeline and the next.
const SHARE: usize = 4;

/// Columns of the lifelines: one more than there are legs.
struct Ladder {
    rails: Vec<usize>,
    width: usize,
    /// Columns of the time; none where there is no room.
    time: usize,
}

impl Ladder {
    fn new(legs: &Legs<'_>, width: usize) -> Self {
        let time = if width < TIMED { 0 } else { TIME };
        let left = time + 4;
        let right = width.saturating_sub(3).max(left + 8);
        let n = legs.0.len().max(1);
        let rails = (0..=n).map(|at| left + (right - left) * at / n).collect();
        Self { rails, width, time }
    }

    /// The names over the lifelines.
    fn header<'a>(&self, legs: &Legs<'_>, app: &App) -> Line<'a> {
        let servers = legs.0.iter().map(|leg| leg.info.server);
        let client = legs.0.first().map(|leg| leg.info.client);
        let names: Vec<String> = client.into_iter().chain(servers).map(|a| a.to_string()).collect();
        let last = names.len().saturating_sub(1);
        let mut text = String::new();
        for (n, (name, rail)) in names.iter().zip(&self.rails).enumerate() {
            // A name stands around its lifeline, as far as it has room on both sides.
            let before = if n == 0 { self.time + 1 } else { escape::width(&text) + 1 };
            let end = match self.rails.get(n + 1) {
                Some(next) => usize::midpoint(*rail, *next) + SHARE,
                None => self.width.saturating_sub(1),
            };
            let room = end.saturating_sub(before);
            let role = match n {
                0 => "client",
                _ if n == last => "server",
                _ => "proxy",
            };
            let whole = format!("{role} {name}");
            let fits = |name: &&str| escape::width(name) <= room;
            let name = [whole.as_str(), name.as_str(), role].into_iter().find(fits);
            let name = cut(name.unwrap_or(role), room);
            let half = escape::width(&name) / 2;
            let begin = rail.saturating_sub(half).min(end.saturating_sub(2 * half + 1)).max(before);
            text.push_str(&" ".repeat(begin.saturating_sub(escape::width(&text))));
            text.push_str(&name);
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
        let part = app.list.line_at(place).and_then(|(_, part)| part);
        let part = part.map(|part| messages::PartText::of(app, part, row));
        let above = place.checked_sub(1).and_then(|above| app.list.row_at(above));
        let above = above.and_then(|at| app.snapshot.rows.get(at as usize)?.time());
        let pause = row.time().zip(above).map(|(time, above)| time.since(above));
        let long = part.is_none() && pause.is_some_and(|ns| ns >= PAUSE);
        let time = match (pause, &part) {
            (_, Some(part)) => messages::since(app, part.time),
            (Some(ns), _) if long => format!("+{}", span(ns)),
            _ => messages::time(app, place, row),
        };
        // Which part of the ladder the row is in.
        let leg = legs.0.iter().position(|leg| leg.no == conn.no).unwrap_or(0);
        let time_style = if long { theme.warning } else { theme.dim };
        let rail = if long { "┊" } else { "│" };
        let (mark, note) = match row.worst().filter(|_| part.is_none()) {
            None if part.is_none() && app.is_altered(row) => ("≠", theme.error),
            worst => (sign(worst), worst.map_or(theme.text, |worst| theme.severity(worst))),
        };
        let first = self.rails.first().copied().unwrap_or(0);
        let mut spans = vec![
            Span::styled(mark, note),
            Span::styled(right(&time, self.time), time_style),
            Span::raw(" ".repeat(first.saturating_sub(self.time + 1))),
            Span::styled(rail, theme.border),
        ];
        let dim = part.is_some() || row.heartbeat();
        let style = if dim { theme.dim } else { messages::kind_style(app, row) };
        for (n, ends) in self.rails.windows(2).enumerate() {
            let [from, to] = ends else { continue };
            let room = to.saturating_sub(*from + 1);
            let (text, style) = match &part {
                _ if n != leg => (" ".repeat(room), Style::new()),
                Some(part) => (of_part(part, room), style),
                None => (arrow(app, at, row, conn, room), style),
            };
            spans.push(Span::styled(text, style));
            spans.push(Span::styled(rail, theme.border));
        }
        Line::from(spans)
    }
}

/// `     · cont 5 B FIN, frame 3  lo`
fn of_part(part: &messages::PartText, width: usize) -> String {
    let size = crate::tui::text::size(part.len);
    fit(&format!("   · {} {size} {}", part.kind, part.text), width)
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
