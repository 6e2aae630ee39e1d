//! Numbers of the marked connections, or of all.
//!
//! ```text
//! ╭ Messages a second ────────────────────────╮╭ Kinds ──────────────────────────────────────╮
//! │ chart, a line for each direction          ││ text   ████████ 1,204   ██ 77                │
//! ├ Bytes a second ───────────────────────────┤├ Sizes ──────────────────────────────────────┤
//! │                                           ││                                              │
//! ╰───────────────────────────────────────────╯╰ Compression, round trips, top talkers ───────╯
//! ```

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "dots of a chart, and labels beside it"
)]

use crate::sink::text::{counted, grouped};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Paragraph};

use super::{block, connections};
use crate::event::MessageKind;
use crate::store::{Conn, Rtt, Traffic};
use crate::tui::app::App;
use crate::tui::stats::Bin;
use crate::tui::text::{cut, fit, right, size, span};
use crate::units::Direction;

/// Draws them; gives the last line with which the numbers beside the charts can begin.
pub(super) fn render(frame: &mut Frame<'_>, area: Rect, app: &App) -> usize {
    if app.snapshot.conns.is_empty() {
        frame.render_widget(block(&app.theme, "Statistics".into(), true), area);
        connections::no_conn(frame, area.inner(Margin::new(1, 1)), app);
        return 0;
    }
    if area.width < 70 || area.height < 16 {
        return numbers(frame, area, app);
    }
    let [left, side] =
        Layout::horizontal([Constraint::Percentage(54), Constraint::Fill(1)]).areas(area);
    let [top, bottom] = Layout::vertical([Constraint::Fill(1); 2]).areas(left);
    chart(frame, top, app, "Messages", |bin| bin.messages);
    chart(frame, bottom, app, "Bytes", |bin| bin.bytes);
    let classes = sizes(app);
    // Who talks most is to be seen too.
    let wanted = u16::try_from(classes.len() + 2).unwrap_or(u16::MAX).clamp(3, 13);
    let [kinds, sizes, rest] =
        Layout::vertical([Constraint::Length(7), Constraint::Max(wanted), Constraint::Min(10)])
            .areas(side);
    self::kinds(frame, kinds, app);
    bar_groups(frame, sizes, app, &classes);
    numbers(frame, rest, app)
}

/// What goes each way over time.
fn chart(frame: &mut Frame<'_>, area: Rect, app: &App, what: &str, of: fn(&Bin) -> u64) {
    let (theme, stats) = (&app.theme, &app.stats);
    if stats.bins.is_empty() {
        frame.render_widget(block(theme, format!("{what} a second"), false), area);
        let text = "No message with a time yet.".to_owned();
        return super::empty(frame, area.inner(Margin::new(1, 1)), theme, &[text]);
    }
    let seconds = as_f64(stats.width) / 1e9;
    let points = |dir: Direction| -> Vec<(f64, f64)> {
        let bins = stats.bins.iter().enumerate();
        bins.map(|(n, bin)| (n as f64 * seconds, as_f64(of(&bin[dir])) / seconds)).collect()
    };
    // A short capture has few bins: wider ones say more than spikes.
    let averaged = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        let columns = usize::from(area.width.max(20)) * 2 / 3;
        let group = points.len().div_ceil(columns).max(1);
        let mean = |part: &[(f64, f64)]| {
            let (x, _) = part.first().copied().unwrap_or_default();
            (x, part.iter().map(|(_, y)| y).sum::<f64>() / group as f64)
        };
        points.chunks(group).map(mean).collect()
    };
    let lines = Direction::BOTH.map(|dir| averaged(points(dir)));
    let high = lines.iter().flatten().map(|(_, y)| *y).fold(0.0, f64::max).max(1.0);
    let wide = (stats.bins.len().max(2) as f64) * seconds;
    let datasets = lines.iter().zip(Direction::BOTH).map(|(points, dir)| {
        let (name, marker) = match dir {
            Direction::ToServer => ("→ client", Marker::Braille),
            Direction::ToClient => ("← server", Marker::Braille),
        };
        Dataset::default()
            .name(name)
            .marker(marker)
            .graph_type(GraphType::Line)
            .style(theme.dir(dir))
            .data(points)
    });
    let rate = |y: f64| if what == "Bytes" { size(y as u64) } else { grouped(y as u64) };
    let ns = |x: f64| span((x * 1e9) as i64);
    let chart = Chart::new(datasets.collect())
        .block(block(theme, format!("{what} a second"), false))
        .x_axis(
            Axis::default()
                .bounds([0.0, wide])
                .labels(["0".to_owned(), ns(wide / 2.0), ns(wide)])
                .style(theme.dim),
        )
        .y_axis(
            Axis::default()
                .bounds([0.0, high])
                .labels(["0".to_owned(), rate(high / 2.0), rate(high)])
                .style(theme.dim),
        );
    frame.render_widget(chart, area);
}

fn as_f64(n: impl TryInto<i64>) -> f64 {
    n.try_into().unwrap_or(i64::MAX) as f64
}

fn kinds(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let stats = &app.stats;
    let rows = MessageKind::ALL.iter().enumerate().map(|(n, kind)| {
        let of = |dir: Direction| stats.kinds[dir].get(n).copied().unwrap_or(0);
        (kind.name().to_owned(), of(Direction::ToServer), of(Direction::ToClient))
    });
    bars(frame, area, app, "Messages by kind", &rows.collect::<Vec<_>>());
}

/// Data messages of each size that there is, from the smallest on.
fn sizes(app: &App) -> Vec<(String, u64, u64)> {
    let stats = &app.stats;
    let of = |dir: Direction, n: usize| stats.sizes[dir].get(n).copied().unwrap_or(0);
    let all: Vec<_> = (0..crate::tui::stats::SIZES)
        .map(|n| {
            let name = if n == 0 { "0 B".to_owned() } else { format!("< {}", size(1 << n)) };
            (name, of(Direction::ToServer, n), of(Direction::ToClient, n))
        })
        .collect();
    let used = |(_, a, b): &&(String, u64, u64)| a + b > 0;
    let first = all.iter().position(|row| used(&row)).unwrap_or(0);
    let last = all.iter().rposition(|row| used(&row)).unwrap_or(0);
    all.get(first..=last).unwrap_or(&[]).to_vec()
}

fn bar_groups(frame: &mut Frame<'_>, area: Rect, app: &App, rows: &[(String, u64, u64)]) {
    // Where they do not fit, two classes become one.
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let group = rows.len().div_ceil(room).max(1);
    let rows: Vec<_> = rows
        .chunks(group)
        .map(|part| {
            let name = part.last().map(|(name, ..)| name.clone()).unwrap_or_default();
            let sum = |of: fn(&(String, u64, u64)) -> u64| part.iter().map(of).sum::<u64>();
            (name, sum(|row| row.1), sum(|row| row.2))
        })
        .collect();
    bars(frame, area, app, "Data messages by size", &rows);
}

/// Columns of the longest name: `< 65.5 K`.
const LABEL: usize = 8;

/// Rows of a name and two bars, one for each direction.
fn bars(frame: &mut Frame<'_>, area: Rect, app: &App, title: &str, rows: &[(String, u64, u64)]) {
    let theme = &app.theme;
    frame.render_widget(block(theme, title.into(), false), area);
    let inside = area.inner(Margin::new(1, 1));
    let width = usize::from(inside.width);
    let digits = rows.iter().map(|(_, a, b)| grouped(*a.max(b)).len()).max().unwrap_or(1) + 1;
    let bar = width.saturating_sub(LABEL + 2 + 2 * (digits + 1)) / 2;
    let high = rows.iter().map(|(_, a, b)| *a.max(b)).max().unwrap_or(0).max(1);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .take(usize::from(inside.height))
        .map(|(name, to_server, to_client)| {
            let mut spans = vec![Span::raw(format!(" {} ", fit(name, LABEL)))];
            for (n, dir) in [(*to_server, Direction::ToServer), (*to_client, Direction::ToClient)] {
                let style = theme.dir(dir);
                spans.push(Span::styled(fit(&blocks(n, high, bar), bar), style));
                spans.push(Span::styled(
                    right(&grouped(n), digits),
                    if n == 0 { theme.dim } else { style },
                ));
                spans.push(Span::raw(" "));
            }
            Line::from(spans)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A bar in eighths of a column; something is never drawn as nothing.
fn blocks(n: u64, high: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let full = u128::from(n) * (width as u128) * 8 / u128::from(high.max(1));
    let full = usize::try_from(full).unwrap_or(0).max(usize::from(n > 0));
    let rest = EIGHTHS.get(full % 8).copied().unwrap_or("");
    format!("{}{rest}", "█".repeat(full / 8))
}

/// Totals, compression, round trips, top talkers.
fn numbers(frame: &mut Frame<'_>, area: Rect, app: &App) -> usize {
    let theme = &app.theme;
    let marked = &app.conns.marks;
    let whose = if marked.is_empty() {
        counted(app.snapshot.conns.len() as u64, "connection")
    } else {
        counted(marked.len() as u64, "marked connection")
    };
    let unfiltered = if app.filter.is_some() { ", not filtered" } else { "" };
    frame.render_widget(block(theme, format!("{whose}{unfiltered}"), true), area);
    let inside = area.inner(Margin::new(1, 1));
    let included =
        |at: usize| marked.is_empty() || u32::try_from(at).is_ok_and(|at| marked.contains(&at));
    let conns = app.snapshot.conns.iter().enumerate();
    let conns: Vec<&Conn> = conns.filter(|(at, _)| included(*at)).map(|(_, conn)| conn).collect();
    let mut lines = Vec::new();
    for dir in Direction::BOTH {
        let sum = |of: fn(&Traffic) -> u64| conns.iter().map(|c| of(&c.traffic[dir])).sum::<u64>();
        let messages = sum(Traffic::messages);
        let (plain, wire) = (sum(|t| t.compressed.0), sum(|t| t.compressed.1));
        let saved = plain.saturating_sub(wire).saturating_mul(100).checked_div(plain);
        let saved = saved.map(|percent| format!(", compression saved {percent} %"));
        let text = format!(
            " {} {}, {}{}",
            if dir == Direction::ToServer { "→" } else { "←" },
            counted(messages, "message"),
            size(sum(|t| t.bytes)),
            saved.unwrap_or_default()
        );
        lines.push(Line::styled(cut(&text, usize::from(inside.width)), theme.dir(dir)));
    }
    let mut rtt = Rtt::default();
    for conn in &conns {
        rtt.merge(&conn.rtt);
    }
    let text = match rtt.mean() {
        Some(mean) => format!(
            " pings answered: {}, mean {}, {} to {}",
            grouped(rtt.count),
            span(mean),
            span(rtt.min),
            span(rtt.max)
        ),
        None => " no ping answered".to_owned(),
    };
    lines.push(Line::styled(cut(&text, usize::from(inside.width)), theme.text));
    let notes = conns.iter().fold([0_u64; 3], |sum, conn| {
        let [a, b, c] = sum;
        let [info, warning, error] = conn.notes.map(u64::from);
        [a + info, b + warning, c + error]
    });
    let [info, warning, error] = notes;
    let notes = [(error, "error"), (warning, "warning"), (info, "remark")];
    let notes: Vec<String> =
        notes.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(n, what)).collect();
    let notes = if notes.is_empty() { "no notes".to_owned() } else { notes.join(", ") };
    lines.push(Line::raw(cut(&format!(" {notes}"), usize::from(inside.width))));
    lines.push(Line::raw(""));
    lines.push(Line::styled(" Top talkers", theme.header));
    lines.extend(talkers(app, &conns, usize::from(inside.width)));
    let last = lines.len().saturating_sub(usize::from(inside.height));
    let top = app.screen_at.top.min(last);
    let shown: Vec<_> = lines.into_iter().skip(top).collect();
    frame.render_widget(Paragraph::new(shown), inside);
    if last > 0 {
        let text = format!(" ↑↓ {} ", counted((last - top) as u64, "more line"));
        let border = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        let place = border.inner(Margin::new(2, 0));
        frame.render_widget(Paragraph::new(Span::styled(text, theme.dim)), place);
    }
    last
}

fn talkers<'a>(app: &App, conns: &[&Conn], width: usize) -> Vec<Line<'a>> {
    let bytes =
        |conn: &Conn| Direction::BOTH.iter().map(|dir| conn.traffic[*dir].wire_bytes).sum::<u64>();
    let mut sorted: Vec<&&Conn> = conns.iter().filter(|conn| bytes(conn) > 0).collect();
    sorted.sort_by_key(|conn| std::cmp::Reverse(bytes(conn)));
    let line = |conn: &&&Conn| {
        let head =
            format!(" {} {}  ", right(&conn.no.to_string(), 5), right(&size(bytes(conn)), 7));
        let tail = format!("{} → {} {}", conn.info.client, conn.info.server, conn.target());
        let room = width.saturating_sub(head.chars().count());
        Line::from(vec![Span::styled(head, app.theme.strong), Span::raw(cut(&tail, room))])
    };
    sorted.iter().take(12).map(line).collect()
}
