//! The opening handshake, judged in place.
//!
//! ```text
//! ╭ Handshake of connection 3 ────────────────────────────────────────────────────────────────╮
//! │ 127.0.0.1:40938 → 127.0.0.1:8088   accepted   answered after 1.2 ms                       │
//! │ Request, packet 4                            │ Response, packet 6                         │
//! │   GET /chat HTTP/1.1                         │   HTTP/1.1 101 Switching Protocols         │
//! │ ✓ Upgrade: websocket                         │ ✗ Sec-WebSocket-Accept: x3JJ...            │
//! │ Key and answer                                                                            │
//! │   expected accept    s3pPLMBiTxaQ9kYGzzhZRbK+xOo=                                         │
//! ╰───────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use crate::sink::text::counted;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, connections};
use crate::event::{Fields, Handshake, Outcome, TlsInfo, header_text};
use crate::note::{Blame, Note};
use crate::process::Ends;
use crate::sink::escape;
use crate::store::Conn;
use crate::tui::app::App;
use crate::tui::legs::Mark;
use crate::tui::text::{clean, cut, fit, fold, span, wrap};
use crate::tui::theme::{Theme, sign};
use crate::ws::handshake::{GUID, START_LINE, Side, accept_for, header_of};

/// Narrower than this, request and response do not stand side by side.
const STACKED: usize = 60;

/// Headers that the opening handshake is made of.
const OWN: [&str; 8] = [
    ":protocol",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

/// Draws it, from the line on that it was scrolled to.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let theme = &app.theme;
    let inside = area.inner(Margin::new(1, 1));
    let focus = app.view == crate::tui::action::View::Handshake;
    let Some((_, conn)) = app.conn() else {
        frame.render_widget(block(theme, "Handshake".into(), focus), area);
        return connections::no_conn(frame, inside, app);
    };
    let title = cut(
        &format!("Handshake of connection {} {}", conn.no, conn.target()),
        usize::from(area.width.saturating_sub(6)),
    );
    frame.render_widget(block(theme, title, focus), area);
    let lines = lines(app, conn, usize::from(inside.width));
    let last = lines.len().saturating_sub(usize::from(inside.height));
    let top = if focus { app.screen_at.top.min(last) } else { 0 };
    let shown: Vec<Line<'_>> = lines.into_iter().skip(top).collect();
    frame.render_widget(Paragraph::new(shown), inside);
    if top < last {
        let text = format!(" ↓ {} ", counted((last - top) as u64, "more line"));
        let below = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        frame.render_widget(
            Paragraph::new(Span::styled(text, theme.dim)),
            below.inner(Margin::new(2, 0)),
        );
    }
}

/// How many lines it has on this screen.
pub fn height(app: &App) -> usize {
    let width = usize::from(app.areas.main.width.saturating_sub(2));
    app.conn().map_or(0, |(_, conn)| lines(app, conn, width).len())
}

fn lines<'a>(app: &App, conn: &Conn, width: usize) -> Vec<Line<'a>> {
    let theme = &app.theme;
    let Some(opening) = &conn.opening else {
        return vec![Line::styled(" No handshake yet.", theme.dim)];
    };
    let mut lines = summary(conn, opening, theme, width);
    let ends = app.owners.of(&conn.info.key);
    for (end, process) in ends.iter().flat_map(Ends::iter) {
        let text = format!(" {end} process {process} {}", clean(&process.command));
        lines.push(Line::styled(cut(&clean(&text), width), theme.text));
    }
    lines.extend(legs(app).map(|text| Line::styled(cut(&text, width), theme.info)));
    if opening.outcome == Outcome::Unseen {
        let text = "The capture began after the handshake: frames were recognised without it. Start \
                    the capture before the client connects to see who agreed to what.";
        lines.extend(
            fold(text, width).into_iter().map(|l| Line::styled(format!(" {l}"), theme.dim)),
        );
    } else {
        lines.push(Line::raw(""));
        lines.extend(heads(opening, theme, width));
        lines.extend(key(opening, theme, width));
        lines.extend(agreed(opening, conn.info.tls.as_deref(), theme, width));
    }
    lines.extend(notes(&opening.notes, theme, width));
    lines
}

/// What is known of the other legs of its proxy.
fn legs(app: &App) -> Option<String> {
    let conn = app.conn()?.0;
    let mark = app.mark_of(conn)?;
    let numbers: Vec<String> =
        app.ladder(conn).iter().map(|leg| (u64::from(*leg) + 1).to_string()).collect();
    let way = numbers.join(" → ");
    Some(match mark {
        Mark::Guess => format!(" ⇄ legs of a proxy, by their key: connections {way}"),
        Mark::Leg if numbers.len() < 2 => {
            " ⇄ a proxy did not forward this: d tells more".to_owned()
        }
        Mark::Leg => format!(" ⇄ legs of a proxy: connections {way}; d compares them"),
        Mark::Altered => format!(" ≠ altered by a proxy: connections {way}; d tells what"),
    })
}

fn summary<'a>(conn: &Conn, opening: &Handshake, theme: &Theme, width: usize) -> Vec<Line<'a>> {
    let style = match opening.outcome {
        Outcome::Accepted => theme.good,
        Outcome::Rejected | Outcome::Invalid => theme.error,
        Outcome::Incomplete | Outcome::Unseen => theme.warning,
    };
    let asked = opening.request.as_ref().and_then(|head| head.origin.time);
    let answered = opening.response.as_ref().and_then(|head| head.origin.time);
    let stream = conn.info.stream_label();
    let ends = format!(" {} → {}{stream}", conn.info.client, conn.info.server);
    let mut spans =
        vec![Span::raw("  "), Span::styled(opening.outcome.name(), style.patch(theme.strong))];
    if let (Some(asked), Some(answered)) = (asked, answered) {
        spans.push(Span::styled(format!("  after {}", span(answered.since(asked))), theme.dim));
    }
    let outcome = Line::from(spans);
    if escape::width(&ends) + outcome.width() > width {
        return vec![Line::raw(cut(&ends, width)), outcome];
    }
    vec![[Line::raw(ends), outcome].into_iter().flatten().collect()]
}

/// Request and response side by side.
fn heads<'a>(opening: &Handshake, theme: &Theme, width: usize) -> Vec<Line<'a>> {
    // Narrow screens have one below the other.
    let stacked = width < STACKED;
    let left_width = if stacked { width } else { width.saturating_sub(3) / 2 };
    let right_width = if stacked { width } else { width.saturating_sub(3 + left_width) };
    let left = match &opening.request {
        Some(head) => {
            let start = format!("{} {} HTTP/{}", head.method, head.target, head.version);
            let title = format!("Request, packet {}", head.origin.packet);
            side(&title, &start, &head.fields, Side::Request, opening, theme, left_width)
        }
        None => absent("Request", "The capture lacks it.", theme, left_width),
    };
    let right = match &opening.response {
        Some(head) => {
            let start = format!("HTTP/{} {} {}", head.version, head.status, head.reason);
            let title = format!("Response, packet {}", head.origin.packet);
            side(&title, &start, &head.fields, Side::Response, opening, theme, right_width)
        }
        None => absent("Response", "There is none in the capture.", theme, right_width),
    };
    if stacked {
        return left.into_iter().chain([Line::raw("")]).chain(right).collect();
    }
    let rows = left.len().max(right.len());
    let mut right = right.into_iter();
    let mut left = left.into_iter();
    let mut lines = Vec::with_capacity(rows);
    for _ in 0..rows {
        let mut line = left.next().unwrap_or_default();
        let used: usize = line.spans.iter().map(|span| escape::width(&span.content)).sum();
        let pad = left_width.saturating_sub(used);
        line.spans.push(Span::raw(" ".repeat(pad)));
        line.spans.push(Span::styled(" │ ", theme.border));
        line.spans.extend(right.next().unwrap_or_default().spans);
        lines.push(line);
    }
    lines
}

fn absent<'a>(title: &str, text: &str, theme: &Theme, width: usize) -> Vec<Line<'a>> {
    let mut lines = vec![Line::styled(format!(" {title}"), theme.header)];
    lines.extend(
        fold(text, width.saturating_sub(3))
            .into_iter()
            .map(|l| Line::styled(format!("   {l}"), theme.dim)),
    );
    lines
}

fn side<'a>(
    title: &str,
    start: &str,
    fields: &Fields,
    side: Side,
    opening: &Handshake,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'a>> {
    let notes = opening.notes.as_slice();
    // A refusal agrees to nothing: there is nothing in it to be in order.
    let judged =
        side == Side::Request || matches!(opening.outcome, Outcome::Accepted | Outcome::Invalid);
    let mut lines = vec![Line::styled(cut(&format!(" {title}"), width), theme.header)];
    let worst = |name: &str| {
        let here = notes.iter().filter(|note| stands_at(note, name, side));
        here.map(Note::severity).max()
    };
    let mark = |name: &str| match worst(name) {
        Some(severity) => (sign(Some(severity)), theme.severity(severity)),
        None if judged && OWN.contains(&name) => ("✓", theme.good),
        None => (" ", theme.text),
    };
    let (start_sign, start_style) = mark(START_LINE);
    for (n, part) in wrap(start, width.saturating_sub(3)).into_iter().enumerate() {
        let sign = if n == 0 { start_sign } else { " " };
        lines.push(Line::from(vec![
            Span::styled(format!(" {sign} "), start_style),
            Span::styled(part, theme.strong),
        ]));
    }
    for field in &fields.0 {
        let lower = field.name_text().to_ascii_lowercase();
        let (sign, style) = mark(&lower);
        let own = OWN.contains(&lower.as_str());
        let name = clean(&field.name_text());
        let text = format!("{name}: {}", clean(&field.value_text()));
        for (n, part) in wrap(&text, width.saturating_sub(3)).into_iter().enumerate() {
            let sign = if n == 0 { sign } else { " " };
            let mut spans = vec![Span::styled(format!(" {sign} "), style)];
            let named = if n == 0 { part.split_at_checked(name.len()) } else { None };
            match named {
                Some((name, value)) => {
                    spans.push(Span::styled(
                        name.to_owned(),
                        if own { theme.name } else { theme.dim },
                    ));
                    spans.push(Span::raw(value.to_owned()));
                }
                None => spans.push(Span::raw(part)),
            }
            lines.push(Line::from(spans));
        }
    }
    // What is missing has a line too: it is what one looks for.
    for name in OWN {
        if fields.first(name).is_none()
            && let Some(severity) = worst(name)
        {
            let text = fit(&format!(" {} {name}: missing", sign(Some(severity))), width);
            lines.push(Line::styled(text.trim_end().to_owned(), theme.severity(severity)));
        }
    }
    lines
}

/// Does the note speak of this header of this head?
fn stands_at(note: &Note, name: &str, side: Side) -> bool {
    let Some((header, place)) = header_of(note) else { return false };
    let of_side = match place {
        Side::Both => match note.blame {
            Blame::Client => side == Side::Request,
            Blame::Server => side == Side::Response,
            Blame::Proxy | Blame::Capture => true,
        },
        place => place == side,
    };
    header.eq_ignore_ascii_case(name) && of_side
}

/// RFC 6455 section 4.2.2: the accept is computed from the key.
fn key<'a>(opening: &Handshake, theme: &Theme, width: usize) -> Vec<Line<'a>> {
    let request = opening.request.as_ref();
    let Some(key) = request.and_then(|head| head.fields.first("sec-websocket-key")) else {
        return Vec::new();
    };
    let expected = accept_for(key);
    let mut lines = heading("Key and answer (RFC 6455 §4.2.2)", theme);
    let mut put = |name: &str, value: &str, style: Style, what: &str| {
        let room = width.saturating_sub(22 + escape::width(what));
        lines.push(Line::from(vec![
            Span::styled(format!("   {} ", fit(name, 16)), theme.dim),
            Span::raw(cut(value, room)),
            Span::styled(what.to_owned(), style),
        ]));
    };
    put("key", &header_text(key), theme.text, "");
    put("+ GUID", GUID, theme.text, "");
    put("base64(SHA-1)", &expected, theme.text, "");
    let response = opening.response.as_ref();
    match response.and_then(|head| head.fields.first("sec-websocket-accept")) {
        Some(accept) if *accept == *expected.as_bytes() => {
            put("accept received", &header_text(accept), theme.good, "  ✓ the same");
        }
        Some(accept) => put("accept received", &header_text(accept), theme.error, "  ✗ another"),
        None if response.is_some() => put("accept received", "none", theme.dim, ""),
        None => {}
    }
    lines
}

/// What was offered, and what was agreed.
fn agreed<'a>(
    opening: &Handshake,
    tls: Option<&TlsInfo>,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'a>> {
    let mut lines = heading("Offered and agreed", theme);
    let before = lines.len();
    if let Some(tls) = tls {
        for (n, part) in
            fold(&clean(&tls.to_string()), width.saturating_sub(18)).into_iter().enumerate()
        {
            let label = if n == 0 { "wss" } else { "" };
            lines.push(Line::from(vec![
                Span::styled(format!("   {} ", fit(label, 12)), theme.dim),
                Span::raw(part),
            ]));
        }
    }
    for (name, header) in
        [("subprotocol", "sec-websocket-protocol"), ("extensions", "sec-websocket-extensions")]
    {
        let of = |fields: Option<&Fields>| -> Option<String> {
            let values: Vec<_> =
                fields?.all(header).map(|value| header_text(value).into_owned()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        let offered = of(opening.request.as_ref().map(|head| &head.fields));
        let answered = of(opening.response.as_ref().map(|head| &head.fields));
        if offered.is_none() && answered.is_none() {
            continue;
        }
        for (what, text, none) in
            [("offered", offered, "nothing"), ("answered", answered, "nothing")]
        {
            let text = text.as_deref().unwrap_or(none).to_owned();
            for (n, part) in fold(&text, width.saturating_sub(28)).into_iter().enumerate() {
                let label = match (n, what) {
                    (0, "offered") => format!("   {} {} ", fit(name, 12), fit(what, 9)),
                    (0, _) => format!("   {} {} ", fit("", 12), fit(what, 9)),
                    _ => " ".repeat(26),
                };
                lines.push(Line::from(vec![Span::styled(label, theme.dim), Span::raw(part)]));
            }
        }
    }
    if let Some(deflate) = &opening.deflate {
        for dir in crate::units::Direction::BOTH {
            let side = deflate.sides[dir];
            let text = format!(
                "   {} {} window 2^{} bytes, {}{}",
                fit("compression", 12),
                fit(dir.sender(), 9),
                side.window_bits,
                if side.context_takeover { "context takeover" } else { "no context takeover" },
                if deflate.presumed { " (presumed: the answer is missing)" } else { "" },
            );
            lines.push(Line::raw(cut(&text, width)));
        }
    }
    if lines.len() == before { Vec::new() } else { lines }
}

fn notes<'a>(notes: &[Note], theme: &Theme, width: usize) -> Vec<Line<'a>> {
    if notes.is_empty() {
        return Vec::new();
    }
    let mut lines = heading("Notes", theme);
    let mut sorted: Vec<&Note> = notes.iter().collect();
    sorted.sort_by_key(|note| std::cmp::Reverse(note.severity()));
    for note in sorted {
        let severity = note.severity();
        lines.push(Line::from(vec![
            Span::styled(
                format!(" {} {}", sign(Some(severity)), note.code),
                theme.severity(severity),
            ),
            Span::styled(
                format!("  {}, blamed on the {}", note.code.reference(), note.blame),
                theme.dim,
            ),
        ]));
        let told = note.code.explanation();
        let indented = |text: &str, style: Style| -> Vec<Line<'a>> {
            let parts = fold(text, width.saturating_sub(4));
            parts.into_iter().map(|part| Line::styled(format!("   {part}"), style)).collect()
        };
        lines.extend(indented(&note.text, theme.text));
        if !told.fix.is_empty() {
            lines.extend(indented(&format!("Fix: {}", told.fix), theme.dim));
        }
    }
    lines
}

fn heading<'a>(text: &str, theme: &Theme) -> Vec<Line<'a>> {
    vec![Line::raw(""), Line::styled(format!(" {text}"), theme.header)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::NoteCode;
    use crate::sink::samples;
    use crate::tui::theme::Palette;

    #[test]
    fn a_header_that_is_at_fault_is_marked_where_it_stands() {
        let mut handshake = samples::handshake();
        let text = "the 101 has Transfer-Encoding: \"chunked\", which a 101 must not have";
        handshake.notes = vec![Note::new(NoteCode::ResponseBody, Blame::Server, text)];
        let fields = samples::fields(&[("Transfer-Encoding", "chunked")]);
        let theme = Theme::new(Palette::Dark);
        let drawn = |at: Side| -> String {
            let lines = side("title", "start", &fields, at, &handshake, &theme, 60);
            lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(drawn(Side::Response).contains("✗ Transfer-Encoding: chunked"));
        assert!(drawn(Side::Request).contains("  Transfer-Encoding: chunked"));
    }
}
