//! Two messages beside each other.
//!
//! ```text
//! ╭ 1 line differs, as text ──────────────────────────────────────────────────────────────────╮
//! │   connection 2, row 5: → text 13 B         │ connection 1, row 6: → text 15 B             │
//! │ ! pay alice 100                            │ pay mallory 100                              │
//! ╰────────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, empty, selected};
use crate::sink::escape;
use crate::tui::app::App;
use crate::tui::compare::{Compare, Drawn, Part};
use crate::tui::text::cut;
use crate::tui::theme::Theme;

/// Draws the view.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if let Some(compare) = &app.compare {
        return draw(frame, area, &app.theme, compare, true);
    }
    frame.render_widget(block(&app.theme, "Compare".into(), true), area);
    let lines = ["Space marks two messages, = compares them.".to_owned()];
    empty(frame, area.inner(Margin::new(1, 1)), &app.theme, &lines);
}

/// Draws it as a pane that has no keys.
pub(super) fn pane(frame: &mut Frame<'_>, area: Rect, theme: &Theme, compare: &Compare) {
    draw(frame, area, theme, compare, false);
}

fn draw(frame: &mut Frame<'_>, area: Rect, theme: &Theme, compare: &Compare, focus: bool) {
    let title = cut(&compare.verdict(), usize::from(area.width.saturating_sub(6)));
    frame.render_widget(block(theme, title, focus), area);
    let inside = area.inner(Margin::new(1, 1));
    let mut lines = heads(theme, compare, usize::from(inside.width));
    lines.truncate(head_lines(compare, usize::from(inside.height)));
    let height = usize::from(inside.height).saturating_sub(lines.len());
    let shown = compare.lines().iter().enumerate().skip(compare.at.top).take(height);
    lines.extend(shown.map(|(n, line)| {
        let drawn = row(theme, compare, line);
        let here = focus && n == compare.at.at;
        if here { selected(drawn, theme.selected_dim, inside.width) } else { drawn }
    }));
    frame.render_widget(Paragraph::new(lines), inside);
}

/// Lines above the rows, in so many: none where they would leave no room for what differs.
pub(super) const fn head_lines(compare: &Compare, height: usize) -> usize {
    match (height, compare.beside()) {
        (0..4, _) => 0,
        (_, true) => 1,
        (_, false) => 2,
    }
}

fn heads<'a>(theme: &Theme, compare: &Compare, width: usize) -> Vec<Line<'a>> {
    let [left, right] = compare.sides.each_ref().map(|side| side.title.as_str());
    if compare.beside() {
        let column = compare.column();
        let left = cut(left, column);
        let pad = " ".repeat(column.saturating_sub(escape::width(&left)));
        return vec![Line::from(vec![
            Span::styled(format!("  {left}{pad}"), theme.dim),
            Span::styled(" │ ", theme.border),
            Span::styled(cut(right, column), theme.dim),
        ])];
    }
    let line =
        |sign: &str, text: &str| Line::styled(cut(&format!("{sign} {text}"), width), theme.dim);
    vec![line("-", left), line("+", right)]
}

fn row<'a>(theme: &Theme, compare: &Compare, line: &'a Drawn) -> Line<'a> {
    let [left, right] = &line.cells;
    let mark = if line.same { " " } else { "!" };
    if compare.beside() {
        let mut spans = vec![Span::styled(format!("{mark} "), theme.error)];
        let used = parts(theme, left.as_deref(), theme.error, &mut spans);
        spans.push(Span::raw(" ".repeat(compare.column().saturating_sub(used))));
        spans.push(Span::styled(" │ ", theme.border));
        parts(theme, right.as_deref(), theme.good, &mut spans);
        return Line::from(spans);
    }
    let (sign, style) = match (line.same, left) {
        (true, _) => (" ", theme.text),
        (false, Some(_)) => ("-", theme.error),
        (false, None) => ("+", theme.good),
    };
    let mut spans = vec![Span::styled(format!("{sign} "), style)];
    parts(theme, left.as_deref().or(right.as_deref()), style, &mut spans);
    Line::from(spans)
}

/// Puts a cell's parts, and tells their columns. What differs is told by more than a colour.
fn parts<'a>(
    theme: &Theme,
    cell: Option<&'a [Part]>,
    style: Style,
    spans: &mut Vec<Span<'a>>,
) -> usize {
    let mut used = 0;
    for (text, differs) in cell.unwrap_or_default() {
        used += escape::width(text);
        let style = if *differs { style.patch(theme.differs) } else { theme.text };
        spans.push(Span::styled(text.as_str(), style));
    }
    used
}
