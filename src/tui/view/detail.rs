//! One message: its fields, its payload, its bytes.
//!
//! ```text
//! ╭ Fields ──────────────────────╮╭ JSON ────────────────────╮╭ Bytes: payload ──────────────────╮
//! │▾ Message 3, client to server ││▾ {2}                      ││0000  7b 22 69 64 ...  {"id":7}    │
//! │    Connection: 1, ...        ││    id: 7                  ││                                   │
//! ╰──────────────────────────────╯╰───────────────────────────╯╰───────────────────────────────────╯
//! ```

use crate::sink::text::grouped;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, empty, selected};
use crate::sink::escape;
use crate::store::RowKind;
use crate::tui::app::{App, Areas, Pane, inner};
use crate::tui::detail::json::{JsonLine, Piece};
use crate::tui::detail::tree::{Node, Source};
use crate::tui::detail::{Body, Mode};
use crate::tui::text::{clean, cut};
use crate::tui::theme::{Theme, sign};

/// Draws the panes that have a place.
pub(super) fn render(frame: &mut Frame<'_>, areas: Areas, app: &App) {
    tree(frame, areas.tree, app);
    body(frame, areas.body, app);
    if !areas.hex.is_empty() {
        bytes(frame, areas.hex, app, app.pane == Pane::Hex);
    }
}

fn tree(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let (theme, focus) = (&app.theme, app.pane == Pane::Tree);
    frame.render_widget(block(theme, "Fields".into(), focus), area);
    let inside = area.inner(Margin::new(1, 1));
    let cursor = app.detail.tree_at;
    let nodes = app.detail.visible().enumerate().skip(cursor.top);
    let lines: Vec<Line<'_>> = nodes
        .take(usize::from(inside.height))
        .map(|(n, node)| {
            let line = field(app, node, usize::from(inside.width));
            match (n == cursor.at, focus) {
                (true, true) => selected(line, theme.selected, inside.width),
                (true, false) => selected(line, theme.selected_dim, inside.width),
                _ => line,
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn field<'a>(app: &App, node: &Node, width: usize) -> Line<'a> {
    let theme = &app.theme;
    let fold = match node.fold {
        Some(_) if app.detail.is_folded(node) => "▸ ",
        Some(_) => "▾ ",
        None => "  ",
    };
    let indent = "  ".repeat(node.depth);
    let mut text = format!("{fold}{indent}");
    if let Some(severity) = node.severity {
        text.push_str(sign(Some(severity)));
        text.push(' ');
    }
    let begin = escape::width(&text);
    let name = clean(&node.name);
    let style = match node.severity {
        Some(severity) => theme.severity(severity),
        None if node.fold.is_some() => theme.strong,
        None => theme.name,
    };
    let colon = if node.value.is_empty() || node.name.is_empty() { "" } else { ": " };
    let used = begin + escape::width(&name) + colon.len();
    let name = cut(&name, width.saturating_sub(begin));
    let value = cut(&node.value, width.saturating_sub(used));
    Line::from(vec![
        Span::styled(text, style),
        Span::styled(name, style),
        Span::styled(colon, theme.dim),
        Span::styled(value, if node.depth > 1 { theme.dim } else { theme.text }),
    ])
}

fn body(frame: &mut Frame<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let focus = app.pane == Pane::Body;
    if app.detail.mode != Mode::Body && !app.hex_beside() {
        return bytes(frame, area, app, focus);
    }
    let theme = &app.theme;
    let inside = area.inner(Margin::new(1, 1));
    match &app.detail.body {
        Body::Binary if app.hex_beside() => {
            frame.render_widget(block(theme, "Payload".into(), focus), area);
            empty(frame, inside, theme, &["No text: see its bytes.".to_owned()]);
        }
        Body::Binary => bytes(frame, area, app, focus),
        Body::Empty => {
            frame.render_widget(block(theme, "Payload".into(), focus), area);
            empty(frame, inside, theme, &[no_payload(app)]);
        }
        Body::Json(lines) => {
            let title = if app.detail.unescape { "JSON, strings as meant" } else { "JSON" };
            frame.render_widget(block(theme, title.into(), focus), area);
            json(frame, inside, app, lines, focus);
        }
        Body::Text { lines, .. } => {
            let part = of_all(app, app.detail.bytes(Source::Payload).len());
            let title = part.map_or("Text".to_owned(), |part| format!("Text, {part}"));
            frame.render_widget(block(theme, title, focus), area);
            text(frame, inside, app, lines, focus);
        }
    }
}

/// `the first 1,048,576 of 10,485,760 bytes`, where the payload has more than was read again.
fn of_all(app: &App, shown: usize) -> Option<String> {
    let all = app.detail.record.as_ref()?.payload_len as usize;
    let (shown_text, all_text) = (grouped(shown as u64), grouped(all as u64));
    (shown < all).then(|| format!("the first {shown_text} of {all_text} bytes"))
}

fn no_payload(app: &App) -> String {
    let row = app.detail.row.and_then(|at| app.snapshot.rows.get(at as usize));
    match (row.map(crate::store::Row::kind), &app.detail.record) {
        (Some(RowKind::Handshake), _) => "F4 shows the handshake.".into(),
        (_, Some(record)) if record.skipped => {
            "The payload is over a limit and was not kept.".into()
        }
        (_, Some(record)) if record.is_sealed() => {
            // The worst note is the one that says why.
            let why = record.notes.iter().max_by_key(|note| note.severity());
            let why = why.map_or("bytes are missing from the capture", |note| &note.text);
            clean(&format!("Not inflated: {why}."))
        }
        (Some(RowKind::Message(_)), None) => match app.reader.spool().failure() {
            Some(reason) => format!("The payload could not be kept: {reason}"),
            None => "The payload can not be read again.".into(),
        },
        (Some(RowKind::Message(_)), _) => "No payload.".into(),
        (Some(_), _) => "See its fields.".into(),
        (None, _) => String::new(),
    }
}

fn json(frame: &mut Frame<'_>, area: Rect, app: &App, lines: &[JsonLine], focus: bool) {
    let theme = &app.theme;
    let cursor = app.detail.body_at;
    let width = usize::from(area.width);
    let shown = lines.iter().enumerate().skip(cursor.top).take(usize::from(area.height));
    let shown: Vec<Line<'_>> = shown
        .map(|(n, line)| {
            let drawn = json_line(theme, line, width);
            match (n == cursor.at, focus) {
                (true, true) => selected(drawn, theme.selected, area.width),
                (true, false) => selected(drawn, theme.selected_dim, area.width),
                _ => drawn,
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(shown), area);
}

fn json_line<'a>(theme: &Theme, line: &JsonLine, width: usize) -> Line<'a> {
    let fold = match line.folded {
        Some(true) => "▸ ",
        Some(false) => "▾ ",
        None => "  ",
    };
    // What is deep is told how deep it is, and has half of the width for itself.
    let most = width / 2;
    let indent = if line.depth * 2 <= most {
        format!("{}{fold}", "  ".repeat(line.depth))
    } else {
        format!("{:>most$} {fold}", format!("⋯{}", line.depth))
    };
    let mut left = width.saturating_sub(indent.chars().count());
    let mut spans = vec![Span::styled(indent, theme.dim)];
    for (piece, text) in &line.pieces {
        let style = match piece {
            Piece::Name => theme.name,
            Piece::String => theme.string,
            Piece::Number => theme.number,
            Piece::Literal => theme.literal,
            Piece::Plain => theme.dim,
        };
        let text = cut(text, left);
        left = left.saturating_sub(escape::width(&text));
        spans.push(Span::styled(text, style));
        if *piece == Piece::Name {
            let colon = cut(": ", left);
            left = left.saturating_sub(colon.len());
            spans.push(Span::styled(colon, theme.dim));
        }
    }
    Line::from(spans)
}

fn text(frame: &mut Frame<'_>, area: Rect, app: &App, lines: &[String], focus: bool) {
    let cursor = app.detail.body_at;
    let shown = lines.iter().enumerate().skip(cursor.top).take(usize::from(area.height));
    let search = app.search.as_ref();
    let shown: Vec<Line<'_>> = shown
        .map(|(n, line)| {
            let found = search.and_then(|search| search.needle.find(line.as_bytes()));
            let drawn = match found.and_then(|found| {
                let (before, rest) = line.split_at_checked(found.start)?;
                let (hit, behind) = rest.split_at_checked(found.len())?;
                Some([before, hit, behind])
            }) {
                Some([before, hit, behind]) => Line::from(vec![
                    Span::raw(before),
                    Span::styled(hit, app.theme.highlight),
                    Span::raw(behind),
                ]),
                None => Line::raw(line),
            };
            let here = n == cursor.at && focus && lines.len() > usize::from(area.height);
            if here { selected(drawn, app.theme.selected_dim, area.width) } else { drawn }
        })
        .collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// Bytes in a line of the hex pane: as many as fit, in eights.
pub fn hex_width(area: Rect) -> usize {
    // "0000  " in front, three columns and one letter each, a space between the eights.
    match area.width.saturating_sub(2) {
        73.. => 16,
        40.. => 8,
        _ => 4,
    }
}

/// Where the bytes are, and whether beside the body.
fn hex_area(app: &App) -> (Rect, bool) {
    if app.hex_beside() { (app.areas.hex, true) } else { (app.areas.body, false) }
}

/// Shows the line of the selected byte.
pub(super) fn settle_hex(app: &mut App) {
    let (area, beside) = hex_area(app);
    let width = hex_width(area);
    let source = app.detail.hex_source(beside);
    let lines = app.detail.bytes(source).len().div_ceil(width);
    let mut cursor = app.detail.hex_at;
    cursor.at /= width;
    cursor.show(lines, inner(area, 0));
    app.detail.hex_at.top = cursor.top;
}

fn bytes(frame: &mut Frame<'_>, area: Rect, app: &App, focus: bool) {
    let theme = &app.theme;
    let source = app.detail.hex_source(app.hex_beside());
    let bytes = app.detail.bytes(source);
    let title = match (source, of_all(app, bytes.len())) {
        (Source::Payload, Some(part)) => format!("Payload, {part}"),
        (Source::Payload, None) => "Bytes of the payload".to_owned(),
        (Source::Wire, _) => "Bytes of the frames, unmasked".to_owned(),
    };
    frame.render_widget(block(theme, title, focus), area);
    let inside = area.inner(Margin::new(1, 1));
    if bytes.is_empty() {
        return empty(frame, inside, theme, &[no_payload(app)]);
    }
    let width = hex_width(area);
    let marked = app.detail.highlight.as_ref().filter(|(place, _)| *place == source);
    let marked = marked.map_or(0..0, |(_, range)| range.clone());
    let lines: Vec<Line<'_>> = bytes
        .chunks(width)
        .enumerate()
        .skip(app.detail.hex_at.top)
        .take(usize::from(inside.height))
        .map(|(n, chunk)| {
            let style = |at: usize| {
                let at = n * width + at;
                match (focus && at == app.detail.hex_at.at, marked.contains(&at)) {
                    (true, _) => theme.selected,
                    (_, true) => theme.highlight,
                    _ => theme.text,
                }
            };
            hex_line(n * width, chunk, width, theme, style)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// `0000  48 65 6c 6c 6f                                    Hello`
fn hex_line<'a>(
    offset: usize,
    chunk: &[u8],
    width: usize,
    theme: &Theme,
    style: impl Fn(usize) -> Style,
) -> Line<'a> {
    let mut spans = vec![Span::styled(format!("{offset:04x}  "), theme.dim)];
    for at in 0..width {
        let gap = if at % 8 == 7 { "  " } else { " " };
        match chunk.get(at) {
            Some(byte) => {
                spans.push(Span::styled(format!("{byte:02x}"), style(at)));
                // Bytes that belong together are marked together.
                let together = chunk.len() > at + 1 && style(at) == style(at + 1) && gap == " ";
                spans.push(Span::styled(gap, if together { style(at) } else { Style::new() }));
            }
            None => spans.push(Span::raw(format!("  {gap}"))),
        }
    }
    for (at, byte) in chunk.iter().enumerate() {
        let letter = if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
        spans.push(Span::styled(letter.to_string(), style(at)));
    }
    Line::from(spans)
}
