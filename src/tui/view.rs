//! Draws the state: where everything is, the bars, and the screens.
//!
//! ```text
//! ┌──────────────────────────────────────────────────────────────────────────┐
//! │ wstap  1 Connections  2 Messages  3 Handshake  4 Sequence  5 Stats  6 Legs │ title
//! │ / kind == text                                     12 of 1,204 messages   │ filter
//! │┌ Messages ──────────────────────────────────────────────────────────────┐│
//! ││ list                                                                    ││ main
//! │└─────────────────────────────────────────────────────────────────────────┘│
//! │┌ Fields ─────────────┐┌ Payload ───────────────┐┌ Bytes ───────────────┐│
//! │└─────────────────────┘└─────────────────────────┘└───────────────────────┘│
//! │F1 Help  F2 Conns  F3 Msgs ...                                             │ keys
//! └──────────────────────────────────────────────────────────────────────────┘
//! ```

mod clusters;
mod compare;
mod connections;
mod detail;
mod handshake;
mod legs;
mod messages;
mod overlay;
pub mod pick;
mod prompt;
mod sequence;
mod statistics;

use crate::sink::text::{counted, grouped};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

pub use detail::hex_width;
pub use handshake::height as handshake_lines;

use super::action::{Action, View};
use super::app::{App, Areas, Pane, WIDE, inner};
use super::keys::{KEYS, Place};
use super::text::{cut, fit, fold};
use super::theme::Theme;
use crate::note::Severity;
use crate::sink::escape;

/// Screens of at least so many columns show the tree beside the payload.
const TWO_PANES: u16 = 100;
/// Fewer lines than this do not hold list and detail.
const SPLIT: u16 = 14;
/// The same for the legs of a proxy, and what is selected of them.
const SPLIT_LEGS: u16 = 18;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &mut App) {
    app.areas = areas(app, frame.area());
    if app.view == View::Legs {
        // Whether there is a second pane depends on the lines.
        app.lay_legs(usize::from(app.areas.list.width.saturating_sub(2)));
        app.areas = areas(app, frame.area());
    }
    settle(app);
    let areas = app.areas;
    title(frame, areas.title, app);
    match app.view {
        View::Connections => connections::render(frame, areas, app),
        View::Messages => {
            messages::render(frame, areas.list, app);
            detail::render(frame, areas, app);
        }
        View::Handshake => handshake::render(frame, areas.main, app),
        View::Sequence => sequence::render(frame, areas.list, app),
        View::Statistics => {
            let last = statistics::render(frame, areas.main, app);
            app.screen_at.top = last.min(app.screen_at.top);
        }
        View::Legs => legs::render(frame, areas, app),
        View::Compare => compare::render(frame, areas.main, app),
    }
    filter(frame, areas.filter, app);
    bottom(frame, areas.bottom, app);
    prompt::render_completions(frame, areas, app);
    overlay::render(frame, frame.area(), app);
    clusters::split(frame.buffer_mut());
}

/// Where everything is on a screen of this size.
pub fn areas(app: &App, screen: Rect) -> Areas {
    // What one can do without goes first when there is no room.
    let lines = |there: bool| Constraint::Length(u16::from(there));
    let told = told(app, screen.width).map_or(0, |(lines, _)| lines.len());
    let told = told.min(if screen.height >= SPLIT { 3 } else { 1 });
    let bottom = usize::from(screen.height >= 6).max(told);
    let [title, filter, main, bottom] = Layout::vertical([
        lines(screen.height >= 5),
        lines(screen.height >= 8 || app.prompt.is_some()),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(bottom).unwrap_or(1)),
    ])
    .areas(screen);
    let mut areas = Areas { title, filter, main, bottom, ..Areas::default() };
    match app.view {
        View::Connections => {
            areas.list = main;
            if main.height >= 36 {
                let wanted = u16::try_from(app.conns.order.len()).unwrap_or(u16::MAX);
                let [list, below] = Layout::vertical([
                    Constraint::Length(wanted.saturating_add(3).clamp(8, main.height / 2)),
                    Constraint::Min(1),
                ])
                .areas(main);
                (areas.list, areas.body) = (list, below);
            }
        }
        View::Messages => panes(app, &mut areas),
        View::Sequence => areas.list = main,
        View::Legs => {
            areas.list = main;
            if main.height >= SPLIT_LEGS && app.legs.altered() {
                let [list, below] =
                    Layout::vertical([Constraint::Fill(5), Constraint::Fill(2)]).areas(main);
                (areas.list, areas.body) = (list, below);
            }
        }
        View::Handshake | View::Statistics | View::Compare => {}
    }
    areas
}

fn panes(app: &App, areas: &mut Areas) {
    let main = areas.main;
    if app.zoom || main.height < SPLIT {
        let area = match app.pane {
            Pane::List => &mut areas.list,
            Pane::Tree => &mut areas.tree,
            Pane::Body => &mut areas.body,
            Pane::Hex => &mut areas.hex,
        };
        *area = main;
        return;
    }
    let [list, below] =
        Layout::vertical([Constraint::Percentage(app.split), Constraint::Min(4)]).areas(main);
    areas.list = list;
    match main.width {
        WIDE.. => {
            [areas.tree, areas.body, areas.hex] = Layout::horizontal([
                Constraint::Fill(10),
                Constraint::Fill(10),
                Constraint::Length(78),
            ])
            .areas(below);
        }
        TWO_PANES.. => {
            [areas.tree, areas.body] =
                Layout::horizontal([Constraint::Percentage(42), Constraint::Fill(1)]).areas(below);
        }
        _ if app.pane == Pane::Tree => areas.tree = below,
        _ => areas.body = below,
    }
}

/// Moves what is shown so that what is selected is seen.
fn settle(app: &mut App) {
    settle_comparisons(app);
    let rows = inner(app.areas.list, 1);
    let (listed, conns) = (app.listed(), app.conns.order.len());
    if app.view == View::Connections {
        app.conns.cursor.show(conns, rows);
        app.conns.shown = connections::sortable(app, app.areas.list);
    } else if app.view != View::Legs {
        app.list.cursor.show(listed, rows);
    }
    let visible = app.detail.visible().count();
    app.detail.tree_at.show(visible, inner(app.areas.tree, 0));
    app.detail.set_width(usize::from(app.areas.body.width.saturating_sub(2)));
    let body = app.detail.body_len();
    app.detail.body_at.show(body, inner(app.areas.body, 0));
    detail::settle_hex(app);
}

/// The same where two things are compared.
fn settle_comparisons(app: &mut App) {
    let width = |area: Rect| usize::from(area.width.saturating_sub(2));
    if app.view == View::Legs {
        app.settle_legs(inner(app.areas.list, 0));
        // What is selected may be another line now.
        app.show_difference();
        if let Some(compare) = &mut app.legs.shown {
            compare.set_width(width(app.areas.body));
        }
    }
    if let (View::Compare, Some(compare)) = (app.view, &mut app.compare) {
        compare.set_width(width(app.areas.main));
        let len = compare.lines().len();
        let height = inner(app.areas.main, 0);
        compare.at.show(len, height.saturating_sub(compare::head_lines(compare, height)));
    }
}

/// ` wstap  1 Connections  2 Messages …                     capture.pcapng`
fn title(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let theme = &app.theme;
    let mut spans = vec![Span::styled(" wstap ", theme.key)];
    for (view, text) in tabs(area.width) {
        let style = if view == app.view { theme.selected } else { theme.bar };
        spans.push(Span::styled(text, style));
    }
    let used: usize = spans.iter().map(|span| escape::width(&span.content)).sum();
    let free = usize::from(area.width).saturating_sub(used + 2);
    let state = match (app.paused, app.live && !app.load.done) {
        (Some(_), _) => "PAUSED  ",
        (None, true) => "● live  ",
        (None, false) => "",
    };
    if free > 4 {
        let whole = format!("{state}{}", app.name);
        // Of a path that does not fit, the end tells more; of the state, its sign. A pause is told below.
        let last = app.name.rsplit('/').next().unwrap_or("");
        let sign = if state.starts_with('●') { "● " } else { "" };
        let name = if escape::width(&whole) > free { format!("{sign}{last}") } else { whole };
        let name = cut(&name, free);
        let pad = free.saturating_sub(escape::width(&name));
        spans.push(Span::styled(" ".repeat(pad + 1), theme.bar));
        spans.push(Span::styled(name, theme.bar));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)).style(theme.bar), area);
}

fn tabs(width: u16) -> impl Iterator<Item = (View, String)> {
    View::ALL.into_iter().zip(1..).map(move |(view, n)| {
        let title = match width {
            ..72 => view.title().get(..4).unwrap_or(""),
            72..92 => view.short(),
            _ => view.title(),
        };
        (view, format!(" {n} {title} "))
    })
}

/// The tab at a column of the title bar.
pub fn tab_at(app: &App, x: u16) -> Option<View> {
    let mut left = app.areas.title.x + 7;
    for (view, text) in tabs(app.areas.title.width) {
        let right = left.saturating_add(u16::try_from(text.len()).unwrap_or(0));
        if (left..right).contains(&x) {
            return Some(view);
        }
        left = right;
    }
    None
}

/// `/ kind == text                         12 of 1,204 messages · conn 3 · following`
fn filter(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if app.prompt.is_some() {
        return prompt::render(frame, area, app);
    }
    let theme = &app.theme;
    let right = summary(app);
    let alarm = app.paused.is_some() || app.load.lag.is_some() || app.load.dropped > Some(0);
    let width = usize::from(area.width);
    let left = width.saturating_sub(escape::width(&right) + 2);
    let (text, style) = match &app.filter {
        // Numbers are of all.
        Some((text, _)) if app.view == View::Statistics => {
            (format!(" not filtered by / {text}"), theme.dim)
        }
        Some((text, _)) => (format!(" / {text}"), theme.good),
        None if left > 20 => (" / to filter".to_owned(), theme.dim),
        None => (String::new(), theme.dim),
    };
    let line = Line::from(vec![
        Span::styled(fit(&text, left), style),
        Span::styled(format!(" {right} "), if alarm { theme.warning } else { theme.dim }),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

/// How much there is, and what one does not see of it.
fn summary(app: &App) -> String {
    let mut parts: Vec<String> = Vec::new();
    let all = app.snapshot.rows.len();
    if let Some(held) = app.held() {
        parts.push(format!("PAUSED, {} held", counted(held, "packet")));
    }
    if let Some(dropped) = app.load.dropped.filter(|n| *n > 0) {
        parts.push(format!("{} dropped", grouped(dropped)));
    }
    if let Some(lag) = app.load.lag {
        parts.push(format!("{:.1} s behind", lag.as_secs_f64()));
    }
    if app.view == View::Connections {
        let (shown, conns) = (app.conns.order.len(), app.snapshot.conns.len());
        parts.push(if shown == conns {
            counted(conns as u64, "connection")
        } else {
            format!("{} of {}", grouped(shown as u64), counted(conns as u64, "connection"))
        });
    } else if app.list.found.is_some() && app.view != View::Statistics {
        let listed = grouped(app.list.rows(all) as u64);
        parts.push(format!("{listed} of {}", counted(all as u64, "row")));
    } else {
        parts.push(counted(all as u64, "row"));
    }
    let marks = app.conns.marks.len();
    if marks > 0 {
        parts.push(format!("{marks} marked"));
    }
    let listed = !matches!(app.view, View::Connections | View::Statistics);
    if app.list.no_heartbeats && listed {
        parts.push("no heartbeats".to_owned());
    }
    let grows = !app.load.done && app.view == View::Messages;
    if app.new_below() > 0 && grows && app.list.held > 0 {
        parts.push(format!("{} new below", grouped(app.new_below() as u64)));
    } else if app.list.follow && grows {
        parts.push("following".to_owned());
    }
    if app.seeking() {
        parts.push("searching".to_owned());
    }
    let stale = app.shown_legs().is_some_and(|legs| legs.rows < all);
    if let Some(progress) = legs::progress(app).filter(|_| legs::wanted(app)) {
        parts.push(progress);
    } else if app.view == View::Legs && stale {
        parts.push("r: with what came since".to_owned());
    }
    if let (false, Some(fraction)) = (app.load.done, app.load.fraction) {
        parts.push(format!("loading {:.0} %", fraction * 100.0));
    } else if !app.load.done && !app.live {
        parts.push(format!("loading, {}", counted(app.load.packets, "packet")));
    } else if app.load.stopped {
        parts.push("stopped".to_owned());
    } else if app.live && app.load.done {
        parts.push("ended".to_owned());
    }
    parts.join(" · ")
}

/// What is told in place of the keys: why a line can not be taken, what came of the last action, why
/// there is no more.
fn told(app: &App, width: u16) -> Option<(Vec<String>, Severity)> {
    let fold = |text: &str| fold(text, usize::from(width).saturating_sub(2));
    let reason = prompt::reason_below(app, width);
    if !reason.is_empty() {
        return Some((reason, Severity::Error));
    }
    if let Some(message) = &app.message {
        return Some((fold(&message.text), message.severity));
    }
    let complaint = app.load.complaint().filter(|_| app.view == View::Connections)?;
    Some((fold(&complaint), Severity::Error))
}

/// The keys that matter here; or what came of the last action.
fn bottom(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let theme = &app.theme;
    if let Some((lines, severity)) = told(app, area.width) {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let whole = lines.len() <= height;
        let lines = lines.into_iter().enumerate().take(height).map(|(n, line)| {
            // What is left out is in the window of the capture, or in what one typed.
            let more = if !whole && n + 1 == height { "…" } else { "" };
            let room = width.saturating_sub(escape::width(more));
            Line::raw(format!("{}{more}", cut(&format!(" {line}"), room)))
        });
        let style = theme.bar.patch(theme.severity(severity));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).style(style), area);
        return;
    }
    let line = keys_bar(theme, area.width, app.place(), |action| {
        // Elsewhere there is no time that is written as one likes.
        *action != Action::Times || matches!(app.view, View::Messages | View::Sequence)
    });
    frame.render_widget(Paragraph::new(line).style(theme.bar), area);
}

/// The keys that matter in a place, as many as there is room for.
fn keys_bar<'a>(
    theme: &Theme,
    width: u16,
    place: Place,
    counts: impl Fn(&Action) -> bool,
) -> Line<'a> {
    let mut spans = Vec::new();
    let mut left = usize::from(width);
    // What counts here alone matters more than what counts everywhere; views have numbers above.
    let here = KEYS.iter().filter(|key| key.places.contains(&place) && place != Place::Anywhere);
    let all =
        KEYS.iter().filter(|key| key.places.contains(&Place::Anywhere) && counts(&key.action));
    let (views, rest): (Vec<_>, Vec<_>) =
        all.partition(|key| matches!(key.action, Action::Show(_)));
    let (help, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|key| matches!(key.action, Action::Help | Action::Quit));
    for binding in help.into_iter().chain(here).chain(rest).chain(views) {
        let Some(key) = binding.keys.first().filter(|_| !binding.bar.is_empty()) else { continue };
        let name = key.name();
        let wide = escape::width(&name) + binding.bar.len() + 3;
        if wide > left {
            continue;
        }
        left -= wide;
        spans.push(Span::styled(format!(" {name}"), theme.key));
        spans.push(Span::styled(format!(" {} ", binding.bar), theme.bar));
    }
    Line::from(spans)
}

/// A pane's border, with a title; strong when it has the keys.
#[expect(clippy::needless_pass_by_value, reason = "titles are made where they are given")]
fn block<'a>(theme: &Theme, title: String, focus: bool) -> Block<'a> {
    let style = if focus { theme.focus } else { theme.border };
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(style)
        .title(Span::styled(format!(" {title} "), if focus { theme.focus } else { theme.strong }))
}

/// A line that is selected, over the whole width.
fn selected(line: Line<'_>, style: Style, width: u16) -> Line<'_> {
    let used = line.width();
    let pad = usize::from(width).saturating_sub(used);
    let mut line = line;
    line.spans.push(Span::raw(" ".repeat(pad)));
    for span in &mut line.spans {
        span.style = span.style.patch(style);
    }
    line
}

/// A line of so many columns at most; where there is more, it ends with a sign of that.
fn within(line: Line<'_>, width: usize) -> Line<'_> {
    let whole: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    if escape::width(whole.trim_end()) <= width {
        return line;
    }
    let (mut rest, mut left) = (whole.as_str(), width);
    let mut spans = Vec::new();
    for span in line.spans {
        let wide = escape::width(&span.content);
        if wide >= left {
            spans.push(Span::styled(cut(rest, left), span.style));
            break;
        }
        left -= wide;
        rest = rest.get(span.content.len()..).unwrap_or("");
        spans.push(span);
    }
    Line::from(spans).style(line.style)
}

/// Lines in the middle of a pane that has nothing to show, which say what to do.
fn empty(frame: &mut Frame<'_>, area: Rect, theme: &Theme, lines: &[String]) {
    let width = usize::from(area.width);
    let folded: Vec<String> =
        lines.iter().flat_map(|line| fold(line, width.saturating_sub(4))).collect();
    let height = u16::try_from(folded.len()).unwrap_or(u16::MAX).min(area.height);
    let top = area.y + (area.height - height) / 2;
    let area = Rect { y: top, height, ..area };
    let lines: Vec<Line<'_>> = folded.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).style(theme.dim).centered(), area);
}
