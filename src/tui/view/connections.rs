//! The connections.
//!
//! ```text
//! ╭ Connections ─────────────────────────────────────────────────────────────────────────────╮
//! │    #  Start      Client            Server           Path   Outcome   Msgs →  ← ...  Notes │
//! │▌*  1  0.000000   127.0.0.1:40938   127.0.0.1:8088   /chat  accepted      12  14    ✗ 2 ! 1│
//! ╰───────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, empty, handshake, selected};
use crate::event::Outcome;
use crate::note::Severity;
use crate::store::Conn;
use crate::tui::app::{App, Areas, Column};
use crate::tui::legs::Mark;
use crate::tui::text::{clean, count, fit, right, seconds, size, span, thousands};
use crate::tui::theme::{Theme, sign};
use crate::units::Direction;

/// A column: its title, how wide, whether numbers, what it is sorted as, and from which width of
/// the screen on it is shown.
struct Field {
    title: &'static str,
    width: usize,
    number: bool,
    sort: Option<Column>,
    from: usize,
    show: fn(&Conn, &App) -> (String, Option<StyleOf>),
}

type StyleOf = fn(&Conn, &Theme) -> Style;

const FIELDS: &[Field] = &[
    Field {
        title: "#",
        width: 5,
        number: true,
        sort: Some(Column::No),
        from: 0,
        show: |c, _| (c.no.to_string(), None),
    },
    Field { title: "Start", width: 11, number: true, sort: None, from: 90, show: start },
    Field {
        title: "Client",
        width: 21,
        number: false,
        sort: Some(Column::Client),
        from: 120,
        show: |c, _| (c.info.client.to_string(), None),
    },
    Field {
        title: "Server",
        width: 21,
        number: false,
        sort: Some(Column::Server),
        from: 60,
        show: |c, _| (c.info.server.to_string(), None),
    },
    Field {
        title: "Path",
        width: 0,
        number: false,
        sort: Some(Column::Path),
        from: 0,
        show: |c, _| (c.target().to_owned(), None),
    },
    Field {
        title: PROCESSES,
        width: 28,
        number: false,
        sort: None,
        from: ROOM,
        show: |c, app| (processes(c, app), None),
    },
    Field {
        title: "Outcome",
        width: 14,
        number: false,
        sort: None,
        from: 50,
        show: |c, _| (outcome(c), Some(outcome_style)),
    },
    Field {
        title: CARRIER,
        width: 11,
        number: false,
        sort: None,
        from: 100,
        show: |c, _| (carrier(c), Some(|_, t| t.dim)),
    },
    Field {
        title: SUBPROTOCOL,
        width: 14,
        number: false,
        sort: None,
        from: 132,
        show: |c, _| (subprotocol(c), None),
    },
    Field {
        title: EXTENSIONS,
        width: 18,
        number: false,
        sort: None,
        from: 152,
        show: |c, _| (extensions(c), None),
    },
    Field {
        title: "Msgs →",
        width: 7,
        number: true,
        sort: Some(Column::Messages),
        from: 0,
        show: |c, _| (thousands(c.traffic.to_server.messages()), Some(|_, t| t.to_server)),
    },
    Field {
        title: "Msgs ←",
        width: 7,
        number: true,
        sort: Some(Column::Messages),
        from: 0,
        show: |c, _| (thousands(c.traffic.to_client.messages()), Some(|_, t| t.to_client)),
    },
    Field {
        title: "Bytes →",
        width: 8,
        number: true,
        sort: Some(Column::Bytes),
        from: 100,
        show: |c, _| (size(c.traffic.to_server.bytes), Some(|_, t| t.to_server)),
    },
    Field {
        title: "Bytes ←",
        width: 8,
        number: true,
        sort: Some(Column::Bytes),
        from: 100,
        show: |c, _| (size(c.traffic.to_client.bytes), Some(|_, t| t.to_client)),
    },
    Field {
        title: "Length",
        width: 8,
        number: true,
        sort: Some(Column::Duration),
        from: 110,
        show: |c, _| (c.duration().map(span).unwrap_or_default(), None),
    },
    Field { title: "End", width: 11, number: false, sort: None, from: 90, show: end },
    Field {
        title: "Notes",
        width: 9,
        number: false,
        sort: Some(Column::Notes),
        from: 40,
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
    let shown = Shown { processes: app.owners.version() > 0, carriers: app.conns.carried };
    let columns = columns(usize::from(inside.width), shown);
    let mut lines = vec![header(app, &columns)];
    let height = usize::from(inside.height).saturating_sub(1);
    let cursor = app.conns.cursor;
    for (place, index) in app.conns.order.iter().enumerate().skip(cursor.top).take(height) {
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

/// The title of a column that is shown where processes are known; then it matters more than two
/// others.
const PROCESSES: &str = "Processes";
const SUBPROTOCOL: &str = "Subprotocol";
const EXTENSIONS: &str = "Extensions";
/// Columns of a screen that shows it, and of one that shows all.
const ROOM: usize = 180;
const ALL: usize = 230;

/// The title of a column that is shown where not all is HTTP/1.1 in the clear; it matters more than what
/// extensions there are.
const CARRIER: &str = "Over";

/// What there is to show.
#[derive(Clone, Copy)]
struct Shown {
    processes: bool,
    carriers: bool,
}

/// The columns that fit, and how wide each is.
fn columns(width: usize, shown: Shown) -> Vec<(&'static Field, usize)> {
    let Shown { processes, carriers } = shown;
    let fits = |field: &&Field| {
        let crowded = width < ALL
            && match field.title {
                SUBPROTOCOL => processes && width >= ROOM,
                EXTENSIONS => processes && width >= ROOM || carriers,
                _ => false,
            };
        let filled = match field.title {
            PROCESSES => processes,
            CARRIER => carriers,
            _ => true,
        };
        field.from <= width && !crowded && filled
    };
    let fields: Vec<_> = FIELDS.iter().filter(fits).collect();
    // Mark and leg in front, a space between any two.
    let fixed: usize = fields.iter().map(|field| field.width + 1).sum::<usize>() + 2;
    let path = width.saturating_sub(fixed).clamp(4, 80);
    fields.into_iter().map(|f| (f, if f.width == 0 { path } else { f.width })).collect()
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
        count(load.packets, "packet"),
        count(load.streams, "TCP connection")
    );
    if app.filter.is_some() && !app.snapshot.conns.is_empty() {
        return vec![
            "No connection has anything that the filter selects.".into(),
            "A takes the filter away.".into(),
        ];
    }
    if app.live && !load.done {
        let mut lines =
            vec![format!("Waiting for an upgrade on {}:", app.name), format!("{seen} yet.")];
        lines.extend(tls(load.tls));
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
    if load.streams == 0 && load.packets > 0 {
        lines.push("Was the capture filter right, and the interface?".into());
    }
    lines.extend(tls(load.tls));
    for (reason, n) in load.skipped.iter().take(4) {
        lines.push(format!("{}: {reason}", count(*n, "packet")));
    }
    lines.push("q quits.".into());
    lines
}

/// There may be WebSockets in TLS.
fn tls(connections: u64) -> Option<String> {
    let what = count(connections, "TCP connection");
    (connections > 0).then(|| format!("{what} encrypted with TLS: --keylog FILE reads wss."))
}

/// What is said instead of a pane that needs a connection.
pub(super) fn no_conn(frame: &mut Frame<'_>, area: Rect, app: &App) {
    empty(frame, area, &app.theme, &nothing(app));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_a_connection_is_shown_where_it_matters_and_there_is_room() {
        let has = |width, carriers, title| {
            let columns = columns(width, Shown { processes: false, carriers });
            let used: usize = columns.iter().map(|(_, width)| width + 1).sum();
            assert!(used + 2 <= width, "{used} of {width}");
            columns.iter().any(|(field, _)| field.title == title)
        };
        assert!(!has(198, false, CARRIER) && has(198, false, EXTENSIONS));
        assert!(has(198, true, CARRIER) && !has(198, true, EXTENSIONS));
        assert!(has(240, true, CARRIER) && has(240, true, EXTENSIONS));
        assert!(!has(78, true, CARRIER) && has(78, true, "Notes"));
    }
}
