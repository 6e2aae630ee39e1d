//! The line that is typed, and what could stand at its cursor.
//!
//! ```text
//!  Filter: json.id == 7 and ki█                         there is no field `ki`
//!          ╭──────────────────────────────────────╮
//!          │kind     kind of a message            │
//!          ╰──────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::selected;
use crate::sink::escape;
use crate::tui::app::{App, Areas, Kind};
use crate::tui::text::{clean, cut, fit};

/// Completions shown at a time.
const SHOWN: usize = 8;

/// Draws the line.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let Some(prompt) = &app.prompt else { return };
    let theme = &app.theme;
    let label =
        format!(" {}{} ", prompt.kind.label(), if prompt.kind == Kind::Command { "" } else { ":" });
    let text = clean(prompt.line.text());
    let width = usize::from(area.width);
    let room = width.saturating_sub(label.len() + 1);
    // The cursor stays in sight: what is left of it goes out on the left.
    let cursor = prompt.line.column();
    let hidden = cursor.saturating_sub(room.saturating_sub(1));
    let shown: String = skip(&text, hidden);
    let style = match (&prompt.error, prompt.line.text().is_empty()) {
        (_, true) => theme.text,
        (Some(_), _) => theme.error,
        (None, _) if prompt.kind == Kind::Filter => theme.good,
        _ => theme.text,
    };
    let mut spans =
        vec![Span::styled(label.clone(), theme.focus), Span::styled(cut(&shown, room), style)];
    let free = room.saturating_sub(escape::width(&shown) + 3);
    if prompt.line.text().is_empty() {
        spans.push(Span::styled(cut(prompt.kind.hint(), room), theme.dim));
    } else if let Some((reason, _)) = &prompt.error
        && free > 8
    {
        let reason = cut(reason, free);
        let pad = free.saturating_sub(escape::width(&reason)) + 2;
        spans.push(Span::raw(" ".repeat(pad)));
        spans.push(Span::styled(reason, theme.error));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    let column = label.len().saturating_add(cursor - hidden).min(width.saturating_sub(1));
    let x = area.x.saturating_add(u16::try_from(column).unwrap_or(0));
    frame.set_cursor_position(Position::new(x, area.y));
}

/// Without its first columns.
fn skip(text: &str, columns: usize) -> String {
    let mut left = columns;
    let kept = text.char_indices().find(|(_, c)| {
        let wide = escape::width(c.encode_utf8(&mut [0; 4]));
        let keep = left == 0;
        left = left.saturating_sub(wide);
        keep
    });
    kept.and_then(|(at, _)| text.get(at..)).unwrap_or("").to_owned()
}

/// Draws what could stand at the cursor, over the screen; and where the fault is.
pub(super) fn render_completions(frame: &mut Frame<'_>, areas: Areas, app: &App) {
    let Some(prompt) = &app.prompt else { return };
    let theme = &app.theme;
    let left = u16::try_from(prompt.kind.label().len() + 2).unwrap_or(0);
    let below = areas.filter.bottom();
    let room = areas.main.height.min(u16::try_from(SHOWN + 2).unwrap_or(0));
    let width = areas.filter.width.saturating_sub(left);
    if prompt.completions.is_empty() || room < 3 || width < 12 {
        return;
    }
    let shown = usize::from(room - 2).min(prompt.completions.len());
    let names = prompt.completions.iter().map(|c| escape::width(&c.text)).max().unwrap_or(0);
    let names = names.min(32);
    let help = prompt.completions.iter().map(|c| escape::width(&c.help)).max().unwrap_or(0);
    let wanted = u16::try_from(names + help + 4).unwrap_or(u16::MAX);
    let width = wanted.min(width);
    let area =
        Rect::new(areas.filter.x + left, below, width, u16::try_from(shown + 2).unwrap_or(0));
    let area = area.intersection(frame.area());
    let chosen = prompt.chosen;
    let first = chosen.map_or(0, |at| at.saturating_sub(shown.saturating_sub(1)));
    let inside = usize::from(area.width.saturating_sub(2));
    let lines: Vec<Line<'_>> = prompt
        .completions
        .iter()
        .enumerate()
        .skip(first)
        .take(shown)
        .map(|(at, completion)| {
            let line = Line::from(vec![
                Span::styled(fit(&completion.text, names), theme.name),
                Span::raw("  "),
                Span::styled(cut(&completion.help, inside.saturating_sub(names + 2)), theme.dim),
            ]);
            if Some(at) == chosen { selected(line, theme.selected, area.width - 2) } else { line }
        })
        .collect();
    let more = prompt.completions.len() - shown;
    let title =
        if more > 0 { format!(" Tab completes, {more} more ") } else { " Tab completes ".into() };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.border)
        .title_bottom(Span::styled(title, theme.dim));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
