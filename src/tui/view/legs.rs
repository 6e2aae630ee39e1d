//! What a proxy altered between its legs.
//!
//! ```text
//! ╭ Legs of connections 2 → 1 ───────────────────────────────────────────────────────────────╮
//! │ client 127.0.0.1:37116                                                                     │
//! │   └─> proxy 127.0.0.1:8080              connection 2                                       │
//! │ ! GET /ws/ HTTP/1.1                     │ GET / HTTP/1.1                                   │
//! │ ! message-changed     The proxy changed the text message c2s 1 (13 bytes became 15).       │
//! ╰────────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ 1 line differs, as text ──────────────────────────────────────────────────────────────────╮
//! │ pay alice 100                           │ pay mallory 100                                  │
//! ╰────────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use crate::sink::text::counted;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, compare, connections, empty, overlay, selected};
use crate::diff::Alteration;
use crate::tui::action::View;
use crate::tui::app::{App, Areas};
use crate::tui::legs::page::{self, Item, Tone, Whose};

use crate::tui::text::{cut, fold};
use crate::tui::theme::Theme;

/// Draws it, and what is selected of it below.
pub(super) fn render(frame: &mut Frame<'_>, areas: Areas, app: &App) {
    let theme = &app.theme;
    let area = areas.list;
    let title = cut(&title(app), usize::from(area.width.saturating_sub(6)));
    frame.render_widget(block(theme, title, true), area);
    let inside = area.inner(Margin::new(1, 1));
    if app.snapshot.conns.is_empty() {
        return connections::no_conn(frame, inside, app);
    }
    if app.shown_legs().is_none() {
        return empty(frame, inside, theme, &[progress(app).unwrap_or_default()]);
    }
    let legs = &app.legs;
    let here = legs.item();
    let shown = legs.lines().iter().enumerate().skip(legs.cursor.top);
    let lines: Vec<Line<'_>> = shown
        .take(usize::from(inside.height))
        .map(|(n, line)| {
            let drawn = drawn(theme, line);
            match (n == legs.cursor.at, here.is_some() && line.item == here) {
                (true, _) => selected(drawn, theme.selected, inside.width),
                (_, true) => selected(drawn, theme.selected_dim, inside.width),
                _ => drawn,
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
    below(frame, area, theme, legs.lines().len().saturating_sub(legs.cursor.top), inside.height);
    selection(frame, areas.body, app);
}

/// How much there is below, on the border.
fn below(frame: &mut Frame<'_>, area: Rect, theme: &Theme, left: usize, height: u16) {
    let more = left.saturating_sub(usize::from(height));
    if more > 0 {
        let text = format!(" ↓ {} ", counted(more as u64, "more line"));
        let border = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        let place = border.inner(Margin::new(2, 0));
        frame.render_widget(Paragraph::new(Span::styled(text, theme.dim)), place);
    }
}

fn title(app: &App) -> String {
    let whose = app.whose();
    let of = match (whose, app.shown_legs()) {
        (Some(Whose::Chain(conn)), Some(legs)) => legs.ladder(conn).unwrap_or_else(|| vec![conn]),
        (Some(Whose::Chain(conn)), None) => vec![conn],
        (Some(Whose::Two(two)), _) => two.to_vec(),
        (None, _) => return "Legs".to_owned(),
    };
    let numbers: Vec<String> = of.iter().map(|conn| (u64::from(*conn) + 1).to_string()).collect();
    let word = if of.len() == 1 { "connection" } else { "connections" };
    let first = of.first().and_then(|conn| app.snapshot.conns.get(*conn as usize));
    let target = first.map_or("", |conn| conn.target());
    format!("Legs of {word} {} {target}", numbers.join(" → "))
}

/// How far the comparison is; `None` when there is none.
pub(super) fn progress(app: &App) -> Option<String> {
    let (done, all) = app.legs.progress()?;
    Some(match done.saturating_mul(100).checked_div(all) {
        Some(100) => "pairing connections".to_owned(),
        Some(percent) => format!("comparing {percent} %"),
        None => "comparing".to_owned(),
    })
}

/// Is it worth telling how far the comparison is? One that nobody asked for is done in a moment.
pub(super) const fn wanted(app: &App) -> bool {
    matches!(app.view, View::Legs | View::Sequence)
}

fn drawn<'a>(theme: &Theme, line: &'a page::Line) -> Line<'a> {
    let span = |(tone, text): &'a (Tone, String)| Span::styled(text.as_str(), style(theme, *tone));
    Line::from(line.pieces.iter().map(span).collect::<Vec<_>>())
}

const fn style(theme: &Theme, tone: Tone) -> Style {
    match tone {
        Tone::Title => theme.header,
        Tone::Plain => theme.text,
        Tone::Dim => theme.dim,
        Tone::Expected => theme.info,
        Tone::Unexpected => theme.error,
        Tone::Good => theme.good,
        Tone::Rule => theme.border,
    }
}

/// What was done, how it is to be taken, and what its code means.
fn explained<'a>(theme: &Theme, alteration: &Alteration, width: usize) -> Vec<Line<'a>> {
    let (verdict, style) = if alteration.expected {
        ("~ Any correct proxy may do this.", theme.info)
    } else {
        ("! No proxy needs to do this.", theme.error)
    };
    let text = fold(&alteration.text, width.saturating_sub(2));
    let mut lines: Vec<Line<'_>> =
        text.into_iter().map(|part| Line::raw(format!(" {part}"))).collect();
    lines.push(Line::styled(format!(" {verdict}"), style));
    lines.push(Line::raw(""));
    lines.extend(overlay::explain(theme, alteration.code, width));
    lines
}

/// What is selected: the difference of a message, the meaning of an alteration.
fn selection(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    if let Some(compare) = &app.legs.shown {
        return compare::pane(frame, area, theme, compare);
    }
    let inside = area.inner(Margin::new(1, 1));
    let (title, lines) = match (app.legs.item(), app.alteration()) {
        (_, Some((_, alteration))) => {
            (alteration.code.as_str(), explained(theme, alteration, usize::from(inside.width)))
        }
        (Some(Item::Conn(_)), _) => {
            ("Selected", vec![Line::styled(" Enter shows the messages of it.", theme.dim)])
        }
        (Some(Item::Pair(_)), _) => {
            ("Selected", vec![Line::styled(" Enter shows the pair.", theme.dim)])
        }
        _ => {
            let text = " ] goes to the next alteration, which is explained here.";
            ("Selected", vec![Line::styled(text, theme.dim)])
        }
    };
    frame.render_widget(block(theme, title.into(), false), area);
    let left = lines.len();
    frame.render_widget(Paragraph::new(lines), inside);
    if left > usize::from(inside.height) {
        below(frame, area, theme, left, inside.height);
    }
}
