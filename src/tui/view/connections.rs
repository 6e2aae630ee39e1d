//! The connections.
//!
//! ```text
//! ╭ Connections ─────────────────────────────────────────────────────────────────────────────╮
//! │    #  Start      Client            Server           Path   Outcome   Msgs →  ← ...  Notes │
//! │▌*  1  0.000000   127.0.0.1:40938   127.0.0.1:8088   /chat  accepted      12  14    ✗ 2 ! 1│
//! ╰───────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use crate::sink::text::{counted, grouped};
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, empty, handshake, selected};
use crate::event::Outcome;
use crate::note::Severity;
use crate::sink::escape;
use crate::store::Conn;
use crate::tui::app::{App, Areas, Column};
use crate::tui::legs::Mark;
use crate::tui::text::{clean, fit, right, seconds, size, span};
use crate::tui::theme::{Theme, sign};
use crate::units::Direction;

/// A column: its title, how wide at most, whether numbers, what it is sorted as, and how early it gets
/// room on a narrow screen.
struct Field {
    title: &'static str,
    width: usize,
    number: bool,
    sort: Option<Column>,
    rank: u8,
    show: fn(&Conn, &App) -> (String, Option<StyleOf>),
}

impl Field {
    /// The path has what the others leave.
    const fn is_path(&self) -> bool {
        self.width == 0
    }
}

type StyleOf = fn(&Conn, &Theme) -> Style;

const FIELDS: &[Field] = &[
    Field {
        title: "#",
        width: 5,
        number: true,
        sort: Some(Column::No),
        rank: 0,
        show: |c, _| (c.no.to_string(), None),
    },
    Field { title: "Start", width: 11, number: true, sort: None, rank: 3, show: start },
    Field {
        title: "Client",
        width: 21,
        number: false,
        sort: Some(Column::Client),
        rank: 7,
        show: |c, _| (c.info.client.to_string(), None),
    },
    Field {
        title: "Server",
        width: 21,
        number: false,
        sort: Some(Column::Server),
        rank: 2,
        show: |c, _| (c.info.server.to_string(), None),
    },
    Field {
        title: "Path",
        width: 0,
        number: false,
        sort: Some(Column::Path),
        rank: 0,
        show: |c, _| (c.target().to_owned(), None),
    },
    Field {
        title: PROCESSES,
        width: 28,
        number: false,
        sort: None,
        rank: 4,
        show: |c, app| (processes(c, app), None),
    },
    Field {
        title: "Outcome",
        width: 14,
        number: false,
        sort: None,
        rank: 2,
        show: |c, _| (outcome(c), Some(outcome_style)),
    },
    Field {
        title: CARRIER,
        width: 11,
        number: false,
        sort: None,
        rank: 5,
        show: |c, _| (carrier(c), Some(|_, t| t.dim)),
    },
    Field {
        title: SUBPROTOCOL,
        width: 14,
        number: false,
        sort: None,
        rank: 8,
        show: |c, _| (subprotocol(c), None),
    },
    Field {
        title: EXTENSIONS,
        width: 18,
        number: false,
        sort: None,
        rank: 9,
        show: |c, _| (extensions(c), None),
    },
    Field {
        title: "Msgs →",
        width: 7,
        number: true,
        sort: Some(Column::Messages),
        rank: 0,
        show: |c, _| (grouped(c.traffic.to_server.messages()), Some(|_, t| t.to_server)),
    },
    Field {
        title: "Msgs ←",
        width: 7,
        number: true,
        sort: Some(Column::Messages),
        rank: 0,
        show: |c, _| (grouped(c.traffic.to_client.messages()), Some(|_, t| t.to_client)),
    },
    Field {
        title: "Bytes →",
        width: 8,
        number: true,
        sort: Some(Column::Bytes),
        rank: 5,
        show: |c, _| (size(c.traffic.to_server.bytes), Some(|_, t| t.to_server)),
    },
    Field {
        title: "Bytes ←",
        width: 8,
        number: true,
        sort: Some(Column::Bytes),
        rank: 5,
        show: |c, _| (size(c.traffic.to_client.bytes), Some(|_, t| t.to_client)),
    },
    Field {
        title: "Length",
        width: 8,
        number: true,
        sort: Some(Column::Duration),
        rank: 6,
        show: |c, _| (c.duration().map(span).unwrap_or_default(), None),
    },
    Field { title: "End", width: 12, number: false, sort: None, rank: 3, show: end },
    Field {
        title: "Notes",
        width: 9,
        number: false,
        sort: Some(Column::Notes),
        rank: 1,
        show: |c, _| (notes(c), Some(notes_style)),
    },
];

/// Draws the list, and the handshake of the selected one where there is room.
pub(super) fn render(frame: &mut Frame<'_>, areas: Areas, app: &App) {
    let theme = &app.theme;
    let area = areas.list;
    let focus = areas.body.is_empty();
    frame.render_widget(block(theme, "Connections".into(), true), area);
    let inside = area.inner(Margin::new(1, 1));
    if app.conns.order.is_empty() {
        return empty(frame, inside, theme, &nothing(app));
    }
    let cursor = app.conns.cursor;
    let columns = columns_in(app, inside);
    let mut lines = vec![header(app, &columns)];
    for (place, index) in seen(app, inside) {
        let Some(conn) = app.snapshot.conns.get(*index as usize) else { continue };
        let line = row(app, conn, *index, &columns);
        let here = place == cursor.at;
        lines.push(if here { selected(line, theme.selected, inside.width) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inside);
    if !focus {
        handshake::render(frame, areas.body, app);
    }
}

/// The connections that are on the screen, and their places.
fn seen(app: &App, inside: Rect) -> impl Iterator<Item = (usize, &u32)> {
    let height = usize::from(inside.height).saturating_sub(1);
    app.conns.order.iter().enumerate().skip(app.conns.cursor.top).take(height)
}

/// The columns for what is on the screen.
fn columns_in(app: &App, inside: Rect) -> Vec<(&'static Field, usize)> {
    columns(usize::from(inside.width), |field| {
        let first = app.conns.order.iter().take(MEASURED);
        let conns = first.chain(seen(app, inside).map(|(_, index)| index));
        let conns = conns.filter_map(|index| app.snapshot.conns.get(*index as usize));
        conns.map(|conn| escape::width(&(field.show)(conn, app).0)).max().unwrap_or(0)
    })
}

/// What the list can be sorted by so that one sees it, in an area of this size.
pub(super) fn sortable(app: &App, area: Rect) -> Vec<Column> {
    let columns = columns_in(app, area.inner(Margin::new(1, 1)));
    columns.iter().filter_map(|(field, _)| field.sort).collect()
}

/// The titles of columns that are shown where there is something to show.
const PROCESSES: &str = "Processes";
const CARRIER: &str = "Over";
const SUBPROTOCOL: &str = "Subprotocol";
const EXTENSIONS: &str = "Extensions";

/// Columns that a path gets before anything but numbers and counts has room, and before what can wait.
const PATH_LEAST: usize = 8;
const PATH_ENOUGH: usize = 24;
/// The last rank that does not wait for the path.
const EARLY: u8 = 2;
/// Lines from the first on that say how wide columns are wherever one is in the list, so that they
/// do not jump; beside those that are seen.
const MEASURED: usize = 200;

/// The columns that fit, and how wide each is; `widest` tells what the longest text of one needs.
///
/// Texts take no more than they need, so that paths get the rest. A column of a later rank has room only
/// where all before it have it.
fn columns(width: usize, widest: impl Fn(&Field) -> usize) -> Vec<(&'static Field, usize)> {
    let mut path = 0;
    let wanted = |field: &'static Field| {
        let widest = widest(field);
        let wide = match field.title {
            _ if field.is_path() => {
                path = widest;
                0
            }
            PROCESSES | CARRIER | SUBPROTOCOL | EXTENSIONS if widest == 0 => 0,
            _ if field.number => field.width,
            // A column that sorts has an arrow behind its title.
            title => {
                let title = title.chars().count() + usize::from(field.sort.is_some());
                widest.max(title).min(field.width)
            }
        };
        (field, wide)
    };
    let mut wanted: Vec<_> = FIELDS.iter().map(wanted).collect();
    // Mark and leg in front, the space behind the path.
    let (mut used, mut last) = (2 + 1, 0);
    for rank in 0..=FIELDS.iter().map(|field| field.rank).max().unwrap_or(0) {
        let of_rank = wanted.iter().filter(|(field, wide)| field.rank == rank && *wide > 0);
        let more: usize = of_rank.map(|(_, wide)| wide + 1).sum();
        let reserved = match rank {
            0 => 0,
            1..=EARLY => path.min(PATH_LEAST),
            _ => path.clamp(PATH_LEAST, PATH_ENOUGH),
        };
        if rank > 0 && used + more + reserved > width {
            break;
        }
        (used, last) = (used + more, rank);
    }
    for (field, wide) in &mut wanted {
        if field.is_path() {
            *wide = width.saturating_sub(used).min(path.max(PATH_ENOUGH)).max(4);
        }
    }
    wanted.retain(|(field, wide)| field.rank <= last && *wide > 0);
    wanted
}

fn header<'a>(app: &App, columns: &[(&Field, usize)]) -> Line<'a> {
    let mut text = String::from("  ");
    let mut told = false;
    for (field, width) in columns {
        let sorted = field.sort == Some(app.conns.sort) && !told;
        told |= sorted;
        let arrow = match (sorted, app.conns.reversed) {
            (false, _) => "",
            (true, false) => "▾",
            (true, true) => "▴",
        };
        let title = format!("{}{arrow}", field.title);
        text.push_str(&if field.number { right(&title, *width) } else { fit(&title, *width) });
        text.push(' ');
    }
    Line::styled(text, app.theme.header)
}

fn row<'a>(app: &App, conn: &Conn, index: u32, columns: &[(&Field, usize)]) -> Line<'a> {
    let theme = &app.theme;
    let marked = app.conns.marks.contains(&index);
    let (leg, leg_style) = match app.mark_of(index) {
        None => (" ", theme.text),
        Some(Mark::Guess) => ("⇄", theme.dim),
        Some(Mark::Leg) => ("⇄", theme.info),
        Some(Mark::Altered) => ("≠", theme.error),
    };
    let mut spans = vec![
        Span::styled(if marked { "*" } else { " " }, theme.marked),
        Span::styled(leg, leg_style),
    ];
    for (field, width) in columns {
        let (text, style) = (field.show)(conn, app);
        let text = if field.number { right(&text, *width) } else { fit(&text, *width) };
        let style = style.map_or(theme.text, |style| style(conn, theme));
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn start(conn: &Conn, app: &App) -> (String, Option<StyleOf>) {
    let since = conn.begin().zip(app.snapshot.first_time()).map(|(at, first)| at.since(first));
    (since.map(seconds).unwrap_or_default(), Some(|_, theme| theme.dim))
}

/// `TLS 1.3`, `h2 #5`: what carries it, and the stream of HTTP/2; both are `TLS h2 #5`.
fn carrier(conn: &Conn) -> String {
    let tls = conn.info.tls.as_deref();
    match (tls, conn.info.h2_stream) {
        (None, None) => String::new(),
        (Some(tls), None) => format!("TLS {}", tls.version),
        (None, Some(stream)) => format!("h2 #{stream}"),
        (Some(_), Some(stream)) => format!("TLS h2 #{stream}"),
    }
}

fn outcome(conn: &Conn) -> String {
    let Some(opening) = &conn.opening else { return String::new() };
    match (&opening.response, opening.outcome) {
        (Some(response), Outcome::Rejected) => format!("{} rejected", response.status),
        (_, outcome) => outcome.name().to_owned(),
    }
}

fn outcome_style(conn: &Conn, theme: &Theme) -> Style {
    match conn.opening.as_ref().map(|opening| opening.outcome) {
        Some(Outcome::Accepted) => theme.good,
        Some(Outcome::Rejected | Outcome::Invalid) => theme.error,
        Some(Outcome::Incomplete) => theme.warning,
        Some(Outcome::Unseen) | None => theme.dim,
    }
}

/// `node[4711] > python3[815]`: client and server, as far as they are known.
fn processes(conn: &Conn, app: &App) -> String {
    let Some(ends) = app.owners.of(&conn.info.key) else { return String::new() };
    let [client, server] = [ends.client, ends.server]
        .map(|end| end.map_or("?".to_owned(), |process| clean(&process.to_string())));
    format!("{client} > {server}")
}

/// Its version; nothing in the clear.
fn subprotocol(conn: &Conn) -> String {
    conn.opening.as_ref().and_then(|o| o.subprotocol.clone()).unwrap_or_default()
}

fn extensions(conn: &Conn) -> String {
    conn.opening.as_ref().and_then(|o| o.extensions.clone()).unwrap_or_default()
}

fn end(conn: &Conn, _: &App) -> (String, Option<StyleOf>) {
    match &conn.end {
        Some(end) => {
            let by = end.by.map_or("", |by| match by {
                Direction::ToServer => " →",
                Direction::ToClient => " ←",
            });
            (format!("{}{by}", end.how.name()), None)
        }
        None if conn.over() => ("refused".into(), None),
        None => ("open".into(), Some(|_, theme| theme.good)),
    }
}

/// The signs and counts of the two worst kinds.
fn notes(conn: &Conn) -> String {
    let [info, warning, error] = conn.notes;
    let all = [(Severity::Error, error), (Severity::Warning, warning), (Severity::Info, info)];
    let parts = all.iter().filter(|(_, n)| *n > 0).take(2);
    let parts: Vec<_> =
        parts.map(|(severity, n)| format!("{}{n}", sign(Some(*severity)))).collect();
    parts.join(" ")
}

fn notes_style(conn: &Conn, theme: &Theme) -> Style {
    conn.worst().map_or(theme.text, |worst| theme.severity(worst))
}

/// What to say where there is no connection.
pub(super) fn nothing(app: &App) -> Vec<String> {
    let load = &app.load;
    let seen = format!(
        "{} seen, {}, no WebSocket",
        counted(load.packets, "packet"),
        counted(load.streams, "TCP connection")
    );
    if app.filter.is_some() && !app.snapshot.conns.is_empty() {
        return vec![
            "No connection has anything that the filter selects.".into(),
            "A takes the filter away.".into(),
        ];
    }
    if app.live && !load.done {
        let mut lines = vec![format!("Waiting for an upgrade on {}:", app.name)];
        lines.push(if app.cleared {
            format!("{} seen; the list was begun anew.", counted(load.packets, "packet"))
        } else {
            format!("{seen} yet.")
        });
        lines.extend(tls(load.tls));
        lines.extend(
            app.capture_filter.iter().map(|text| format!("Capture filter: {}", clean(text))),
        );
        lines.extend(app.written.iter().map(|path| format!("Written to {}", path.display())));
        if let Some(path) = app.recorded.as_ref().filter(|_| app.unsaved) {
            lines.push(String::new());
            lines.push(format!("Until it is saved, the recording is {}", path.display()));
        }
        return lines;
    }
    if !load.done {
        return vec![format!("Loading {}:", app.name), format!("{seen} yet.")];
    }
    let mut lines = vec![format!("{}: {seen}.", app.name)];
    if let Some(error) = &load.error {
        lines.push(format!("The rest can not be read: {error}"));
    }
    lines.extend(load.failed.iter().map(|why| format!("It ended early: {why}")));
    if load.streams == 0 && load.packets > 0 {
        lines.push("Was the capture filter right, and the interface?".into());
    }
    if load.streams > load.tls {
        lines.push("Nobody asked for an upgrade, and nothing looks like frames.".into());
        lines.push("Was it the right port, and the capture on before the client connected?".into());
    }
    lines.extend(tls(load.tls));
    for (reason, n) in load.skipped.iter().take(4) {
        lines.push(format!("{}: {reason}", counted(*n, "packet")));
    }
    lines.push("q quits.".into());
    lines
}

/// There may be WebSockets in TLS.
fn tls(connections: u64) -> Option<String> {
    let what = counted(connections, "TCP connection");
    (connections > 0).then(|| format!("{what} encrypted with TLS: --keylog FILE reads wss."))
}

/// What is said instead of a pane that needs a connection.
pub(super) fn no_conn(frame: &mut Frame<'_>, area: Rect, app: &App) {
    empty(frame, area, &app.theme, &nothing(app));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The titles of the columns on a screen; paths and what else there is are so long.
    fn titles(width: usize, of: &[(&str, usize)]) -> Vec<&'static str> {
        let columns = columns(width, |field| {
            let known = of.iter().find(|(title, _)| *title == field.title);
            known.map_or(0, |(_, wide)| *wide)
        });
        let used: usize = columns.iter().map(|(_, width)| width + 1).sum();
        assert!(used + 2 <= width.max(32), "{used} of {width}");
        columns.iter().map(|(field, _)| field.title).collect()
    }

    const TYPICAL: &[(&str, usize)] =
        &[("Path", 12), ("Server", 14), ("Client", 15), ("Outcome", 8), ("End", 7), ("Notes", 5)];

    #[test]
    fn no_column_goes_beyond_the_edge_on_a_screen_of_any_width() {
        let all: Vec<_> = FIELDS.iter().map(|field| (field.title, 80)).collect();
        let mut most = 0;
        for width in 0..300 {
            titles(width, TYPICAL);
            let some = titles(width, &all).len();
            assert!(some >= most, "{width}");
            most = some;
        }
        assert_eq!(most, FIELDS.len());
    }

    #[test]
    fn the_path_is_not_starved_by_what_matters_less() {
        for width in 60..300 {
            let long =
                [("Path", 80), ("Server", 21), ("Client", 21), ("Outcome", 12), ("Notes", 9)];
            let columns = columns(width, |field| {
                long.iter().find(|(title, _)| *title == field.title).map_or(0, |(_, wide)| *wide)
            });
            let path =
                columns.iter().find(|(field, _)| field.is_path()).map_or(0, |(_, wide)| *wide);
            assert!(path >= PATH_LEAST, "{path} of {width}");
        }
        let typical = titles(78, TYPICAL);
        assert!(["Server", "Path", "Outcome", "Notes"].iter().all(|t| typical.contains(t)));
    }

    #[test]
    fn columns_that_are_often_empty_are_shown_where_there_is_something() {
        let with = |more: &[(&'static str, usize)]| [TYPICAL, more].concat();
        assert!(!titles(240, TYPICAL).contains(&CARRIER));
        assert!(!titles(78, &with(&[(CARRIER, 7)])).contains(&CARRIER));
        assert!(titles(118, &with(&[(CARRIER, 7)])).contains(&CARRIER));
        let live = with(&[(PROCESSES, 24), (EXTENSIONS, 18)]);
        assert!(titles(118, &live).contains(&PROCESSES));
        assert!(!titles(118, &live).contains(&EXTENSIONS));
        assert!(titles(198, &live).contains(&EXTENSIONS));
    }
}
