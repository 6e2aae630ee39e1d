//! The line that is typed, and what could stand at its cursor.
//!
//! ```text
//!  Filter: json.id == 7 and ki█                         there is no field `ki`
//!                           ~~ underlined; the reason stands below where there is no room
//!          ╭──────────────────────────────────────╮
//!          │kind     kind of a message            │
//!          ╰──────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::selected;
use crate::sink::escape;
use crate::tui::app::{App, Areas, Kind, Prompt};
use crate::tui::text::{clean, cut, fit, fold};

/// Completions shown at a time.
const SHOWN: usize = 8;

/// Draws the line.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let Some(prompt) = &app.prompt else { return };
    let theme = &app.theme;
    let label = label(prompt);
    let width = usize::from(area.width);
    let room = width.saturating_sub(label.len() + 1);
    // The cursor stays in sight: what is left of it goes out on the left.
    let cursor = prompt.line.column();
    let hidden = cursor.saturating_sub(room.saturating_sub(1));
    let (sound, wrong) = sound_and_wrong(prompt);
    let wrong = cut(&skip(&wrong, hidden.saturating_sub(escape::width(&sound))), room);
    let sound = cut(&skip(&sound, hidden), room);
    let style = match &prompt.error {
        None if prompt.kind == Kind::Filter => theme.good,
        _ => theme.text,
    };
    let used = escape::width(&sound);
    let wrong = cut(&wrong, room.saturating_sub(used));
    let used = used + escape::width(&wrong);
    let mut spans = vec![
        Span::styled(label.clone(), theme.focus),
        Span::styled(sound, style),
        Span::styled(wrong, theme.error.add_modifier(Modifier::UNDERLINED)),
    ];
    if prompt.line.text().is_empty() {
        spans.push(Span::styled(cut(prompt.kind.hint(), room), theme.dim));
    } else if let Some((reason, _)) = prompt.error.as_ref().filter(|_| fits(prompt, width)) {
        spans.push(Span::raw(" ".repeat(room.saturating_sub(used + escape::width(reason)))));
        spans.push(Span::styled(reason.clone(), theme.error));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    let column = label.len().saturating_add(cursor - hidden).min(width.saturating_sub(1));
    let x = area.x.saturating_add(u16::try_from(column).unwrap_or(0));
    frame.set_cursor_position(Position::new(x, area.y));
}

/// Why the line can not be taken, where there is no room for that behind it; harmless.
pub(super) fn reason_below(app: &App, width: u16) -> Vec<String> {
    let width = usize::from(width);
    let Some(prompt) = app.prompt.as_ref().filter(|prompt| !prompt.line.text().is_empty()) else {
        return Vec::new();
    };
    match &prompt.error {
        Some((reason, _)) if !fits(prompt, width) => fold(reason, width.saturating_sub(2)),
        _ => Vec::new(),
    }
}

/// Is there room for the reason behind the line?
fn fits(prompt: &Prompt, width: usize) -> bool {
    let reason = prompt.error.as_ref().map_or(0, |(reason, _)| escape::width(reason));
    let line = label(prompt).len() + escape::width(prompt.line.text());
    line + 3 + reason < width
}

fn label(prompt: &Prompt) -> String {
    format!(" {}{} ", prompt.kind.label(), if prompt.kind == Kind::Command { "" } else { ":" })
}

/// The line up to where it is wrong, and from there on: what is missing is a space there.
fn sound_and_wrong(prompt: &Prompt) -> (String, String) {
    let text = prompt.line.text();
    let Some((_, column)) = &prompt.error else { return (clean(text), String::new()) };
    let at = text.char_indices().nth(*column).map_or(text.len(), |(at, _)| at);
    let (sound, wrong) = text.split_at_checked(at).unwrap_or((text, ""));
    (clean(sound), if wrong.is_empty() { " ".to_owned() } else { clean(wrong) })
}

/// Without its first columns.
fn skip(text: &str, columns: usize) -> String {
    let mut left = columns;
    let kept = escape::pieces(text).skip_while(|piece| {
        let hidden = left > 0;
        left = left.saturating_sub(escape::width(piece));
        hidden
    });
    kept.collect()
}

/// Draws what could stand at the cursor, over the screen.
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
