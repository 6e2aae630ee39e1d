//! What lies over the screen: the keys, what a note means, a question.

use crate::sink::text::counted;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::block;
use crate::note::NoteCode;
use crate::tui::action::{Action, COMMANDS};
use crate::tui::app::{App, Overlay, Whole};
use crate::tui::keys::{KEYS, Key, Place};
use crate::tui::text::{cut, fit, fold, wrap};
use crate::tui::theme::{Theme, sign};

/// Draws it, where there is one.
pub(super) fn render(frame: &mut Frame<'_>, screen: Rect, app: &mut App) {
    let theme = &app.theme;
    let width = window_width(screen);
    let (title, lines, top) = match &app.overlay {
        None => return,
        Some(Overlay::Help(top)) => ("Keys".to_owned(), help(theme, width), *top),
        Some(Overlay::Explain(code, top)) => {
            (code.as_str().to_owned(), explain(theme, *code, width), *top)
        }
        Some(Overlay::Whole(whole, top)) => {
            (cut(&whole.title, width.saturating_sub(4)), self::whole(theme, whole, width), *top)
        }
        Some(Overlay::Capture(top)) => ("Capture".to_owned(), capture(app, width), *top),
        Some(Overlay::Quit) => {
            let answers = [("S", SAVE), ("q", "quit and lose them"), ("Esc", "go on")];
            ("Not saved".to_owned(), question(app, &answers, screen), 0)
        }
        Some(Overlay::Restart) => {
            let answers =
                [("S", SAVE), ("Enter", "begin anew and lose them"), ("Esc", "go on as before")];
            ("Not saved".to_owned(), question(app, &answers, screen), 0)
        }
    };
    let last = window(frame, screen, theme, title, lines, top);
    // Keys that were pressed at the end do not have to be taken back.
    if let Some(top) = app.overlay.as_mut().and_then(Overlay::top) {
        *top = last.min(*top);
    }
}

/// Columns inside of a window on this screen.
pub(super) fn window_width(screen: Rect) -> usize {
    usize::from(screen.width.saturating_sub(4)).min(92)
}

/// Draws lines over the screen, from one on; gives the last line that it can begin with.
pub(super) fn window(
    frame: &mut Frame<'_>,
    screen: Rect,
    theme: &Theme,
    title: String,
    lines: Vec<Line<'_>>,
    top: usize,
) -> usize {
    let width = window_width(screen);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = middle(screen, u16::try_from(width + 2).unwrap_or(u16::MAX), height);
    frame.render_widget(Clear, area);
    frame.render_widget(block(theme, title, true), area);
    let inside = area.inner(Margin::new(1, 1));
    let last = lines.len().saturating_sub(usize::from(inside.height));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(top.min(last)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
    if last > 0 {
        let below = last.saturating_sub(top.min(last)) as u64;
        let text = format!(" ↑↓ {} ", counted(below, "more line"));
        let below =
            Rect { y: area.bottom().saturating_sub(1), height: 1, ..area }.inner(Margin::new(2, 0));
        frame.render_widget(Paragraph::new(Span::styled(text, theme.dim)), below);
    }
    last
}

fn middle(screen: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(screen.width);
    let height = height.min(screen.height);
    let (x, y) = ((screen.width - width) / 2, (screen.height - height) / 2);
    Rect::new(screen.x + x, screen.y + y, width, height)
}

fn help<'a>(theme: &Theme, width: usize) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (place, title) in [
        (Place::Anywhere, "Everywhere"),
        (Place::Connections, "Connections"),
        (Place::Messages, "Messages and sequence"),
        (Place::Detail, "Fields, payload and bytes"),
        (Place::Legs, "Legs of a proxy"),
        (Place::Compare, "Two messages compared"),
    ] {
        bindings(&mut lines, theme, width, (place, title), |_| true);
    }
    lines.push(Line::raw(""));
    lines.push(Line::styled("Commands, behind :", theme.header));
    for (name, argument, help) in COMMANDS {
        entry(&mut lines, theme, &format!("{name} {argument}"), help, width);
    }
    lines.push(Line::raw(""));
    lines.push(Line::styled("Signs", theme.header));
    for (keys, text) in [
        ("→  ←", "from the client, from the server"),
        ("✗  !  i", "a note: broken, likely to harm, worth knowing"),
        ("⇄", "both legs of a proxy are in the capture; dim: guessed by the key"),
        ("≠", "the proxy altered more of it than it needs to"),
        ("+  -", "came in several frames; the same unfolded"),
        ("!  ~", "altered by a proxy; as any correct proxy may do it"),
        ("*", "marked"),
    ] {
        entry(&mut lines, theme, keys, text, width);
    }
    lines
}

/// The keys of a place, under its title.
pub(super) fn bindings(
    lines: &mut Vec<Line<'_>>,
    theme: &Theme,
    width: usize,
    (place, title): (Place, &'static str),
    counts: impl Fn(&Action) -> bool,
) {
    if !lines.is_empty() {
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled(title, theme.header));
    // What counts in several places stands with the first of them.
    for binding in KEYS.iter().filter(|b| b.places.contains(&place) && counts(&b.action)) {
        let names: Vec<_> = binding.keys.iter().map(Key::name).collect();
        entry(lines, theme, &names.join("  "), binding.help, width);
    }
}

fn entry(lines: &mut Vec<Line<'_>>, theme: &Theme, keys: &str, text: &str, width: usize) {
    let left = if width < 60 { 14 } else { 24 };
    for (n, part) in fold(text, width.saturating_sub(left + 3)).into_iter().enumerate() {
        let keys = if n == 0 { keys } else { "" };
        lines.push(Line::from(vec![
            Span::styled(format!("  {} ", fit(keys, left)), theme.name),
            Span::raw(part),
        ]));
    }
}

pub(super) fn explain<'a>(theme: &Theme, code: NoteCode, width: usize) -> Vec<Line<'a>> {
    let told = code.explanation();
    let severity = code.severity();
    let head = format!("{} {}, {}", sign(Some(severity)), severity.name(), code.reference());
    let mut lines = vec![Line::styled(head, theme.severity(severity))];
    for part in fold(told.title, width) {
        lines.push(Line::styled(part, theme.strong));
    }
    let (causes, whom) = (told.causes.join("; "), told.whom());
    for (title, text) in [
        ("What was seen", told.rule),
        ("What is demanded", told.demands),
        ("Who", &whom),
        ("Why it matters", told.why),
        ("Usual causes", &causes),
        ("What to do", told.fix),
    ] {
        if text.is_empty() {
            continue;
        }
        lines.push(Line::raw(""));
        lines.push(Line::styled(title, theme.header));
        lines.extend(
            fold(text, width.saturating_sub(2)).into_iter().map(|l| Line::raw(format!("  {l}"))),
        );
    }
    for config in told.configs {
        lines.push(Line::raw(""));
        lines.push(Line::styled(format!("{}:", config.product), theme.header));
        lines.extend(
            config.lines.iter().map(|line| Line::styled(format!("  {line}"), theme.string)),
        );
    }
    lines
}

/// Longer texts are for a file.
const WHOLE: usize = 64 * 1024;

fn whole<'a>(theme: &Theme, whole: &Whole, width: usize) -> Vec<Line<'a>> {
    if let Some(code) = whole.note {
        let mut lines: Vec<_> = fold(&whole.text, width).into_iter().map(Line::raw).collect();
        lines.push(Line::raw(""));
        lines.extend(explain(theme, code, width));
        return lines;
    }
    let most = WHOLE.min(whole.text.len());
    let end = (0..=most).rev().find(|end| whole.text.is_char_boundary(*end)).unwrap_or(0);
    let text = whole.text.get(..end).unwrap_or_default();
    let mut lines: Vec<_> = wrap(text, width).into_iter().map(Line::raw).collect();
    let more = whole.text.len() - text.len();
    if more > 0 {
        let text = format!("and {}; v copies all", counted(more as u64, "more byte"));
        lines.push(Line::styled(text, theme.dim));
    }
    lines
}

const SAVE: &str = "save them as pcapng";

fn question<'a>(app: &App, answers: &[(&str, &'static str)], screen: Rect) -> Vec<Line<'a>> {
    let width = window_width(screen);
    let more = if app.saved() > 0 { "last " } else { "" };
    let packets = counted(app.load.packets.saturating_sub(app.saved()), "packet");
    let text = format!("The {more}{packets} captured on {} are saved nowhere.", app.name);
    let mut lines: Vec<Line<'_>> = fold(&text, width).into_iter().map(Line::raw).collect();
    lines.push(Line::raw(""));
    // Where there is no room for both, what one can answer matters more than what is asked.
    let small = usize::from(screen.height) < lines.len() + answers.len() + 2;
    if small {
        lines.clear();
    }
    for (key, text) in answers {
        let key = if small { format!("{key} ") } else { format!("  {key:<7}") };
        let text = cut(text, width.saturating_sub(key.len()));
        lines.push(Line::from(vec![Span::styled(key, app.theme.name), Span::raw(text)]));
    }
    lines
}

fn capture<'a>(app: &App, width: usize) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (name, text) in app.capture() {
        entry(&mut lines, &app.theme, name, &text, width);
    }
    lines
}
