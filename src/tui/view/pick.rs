//! Choosing what to capture on.
//!
//! ```text
//!  wstap  Choose what to capture on
//!  Capture filter: tcp port 8088
//! ╭ Interfaces ─────────────────────────────────────────────────────────────────╮
//! │   Name      State          Packets/s    Bytes/s  Addresses                    │
//! │ * lo        up, loopback       1,204    1.2 MiB  127.0.0.1/8 ::1/128          │
//! │ ✗ eth0      up                     3      180 B  10.0.0.7/24                  │
//! │   no permission to capture on eth0: run once: sudo setcap ...                 │
//! ╰─────────────────────────────────────────────────────────────────────────────╯
//! ╭ Ports on which something listens ───────────────────────────────────────────╮
//! │ *  8088  127.0.0.1  node[4711]  node server.js                                │
//! ╰─────────────────────────────────────────────────────────────────────────────╯
//!  F1 Help  q Quit  Enter Start  Space Mark  Tab Ports  / Filter
//! ```

use crate::sink::text::grouped;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{block, empty, keys_bar, overlay, selected, within};
use crate::capture::InterfaceInfo;
use crate::note::Severity;
use crate::sink::escape;
use crate::tui::keys::Place;
use crate::tui::pick::{Pane, Picker};
use crate::tui::text::{clean, cut, fit, fold, right, size};
use crate::tui::theme::sign;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, picker: &mut Picker) {
    let screen = frame.area();
    let lines = |there: bool| Constraint::Length(u16::from(there));
    let [title, filter, main, bottom] = Layout::vertical([
        lines(screen.height >= 5),
        lines(screen.height >= 4),
        Constraint::Min(1),
        lines(screen.height >= 6),
    ])
    .areas(screen);
    let wanted = picker.offer.interfaces.len().saturating_add(3 + hindered(picker, main).len());
    let wanted = u16::try_from(wanted).unwrap_or(u16::MAX);
    let most = if main.height < 12 { main.height } else { main.height - main.height / 2 };
    let [list, ports] = Layout::vertical([
        Constraint::Length(wanted.clamp(4.min(main.height), most)),
        Constraint::Min(0),
    ])
    .areas(main);
    // Where there is no room for both, the one that has the keys is shown.
    let (list, ports) = match picker.pane {
        _ if main.height >= 12 => (list, ports),
        Pane::Interfaces => (main, Rect::default()),
        Pane::Ports => (Rect::default(), main),
    };
    picker.areas = (list, ports);
    let theme = &picker.theme;
    let text = " Choose what to capture on";
    let spans = vec![Span::styled(" wstap ", theme.key), Span::styled(text, theme.bar)];
    frame.render_widget(Paragraph::new(Line::from(spans)).style(theme.bar), title);
    render_filter(frame, filter, picker);
    render_interfaces(frame, list, picker);
    render_ports(frame, ports, picker);
    render_bottom(frame, bottom, picker);
    render_help(frame, screen, picker);
}

const LABEL: &str = " Capture filter: ";

/// Is there room behind what is typed for what is wrong with it?
fn fits(text: &str, error: &str, width: usize) -> bool {
    LABEL.len() + escape::width(text) + 2 + escape::width(error) <= width
}

fn render_filter(frame: &mut Frame<'_>, area: Rect, picker: &Picker) {
    if area.is_empty() {
        return;
    }
    let theme = &picker.theme;
    let width = usize::from(area.width);
    let room = width.saturating_sub(LABEL.len());
    let label = Span::styled(LABEL, theme.dim);
    let Some((line, error)) = &picker.line else {
        let filter = picker.filter();
        let style = if filter.is_some() { theme.good } else { theme.dim };
        let text = filter.unwrap_or_else(|| "none: everything (/ types one)".to_owned());
        let spans = vec![label, Span::styled(fit(&clean(&text), room), style)];
        return frame.render_widget(Paragraph::new(Line::from(spans)), area);
    };
    let text = clean(line.text());
    let style = if error.is_some() { theme.error } else { theme.good };
    let mut spans = vec![Span::styled(LABEL, theme.focus), Span::styled(cut(&text, room), style)];
    if let Some(error) = error.as_ref().filter(|error| fits(line.text(), error, width)) {
        spans.push(Span::styled(format!("  {}", clean(error)), theme.error));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    let column = LABEL.len().saturating_add(line.column()).min(width.saturating_sub(1));
    let x = area.x.saturating_add(u16::try_from(column).unwrap_or(0));
    frame.set_cursor_position(Position::new(x, area.y));
}

fn render_interfaces(frame: &mut Frame<'_>, area: Rect, picker: &mut Picker) {
    if area.is_empty() {
        return;
    }
    let inside = area.inner(Margin::new(1, 1));
    let width = usize::from(inside.width);
    let below = hindered(picker, area);
    let rows = usize::from(inside.height).saturating_sub(1 + below.len()).max(1);
    picker.at.show(picker.offer.interfaces.len(), rows);
    let theme = &picker.theme;
    let focus = picker.pane == Pane::Interfaces;
    frame.render_widget(block(theme, "Interfaces".into(), focus), area);
    let all = &picker.offer.interfaces;
    if all.is_empty() {
        let none = "The system lists no interface for this user.".to_owned();
        return empty(frame, inside, theme, &[none]);
    }
    let name = all.iter().map(|i| escape::width(&i.name)).max().unwrap_or(0).clamp(4, 16);
    let header = format!(
        "   {} {} {} {}  {}",
        fit("Name", name),
        fit("State", STATE),
        right("Packets/s", RATE),
        right("Bytes/s", RATE),
        "Addresses"
    );
    let mut lines = vec![Line::styled(cut(&header, width), theme.header)];
    for (place, interface) in all.iter().enumerate().skip(picker.at.top).take(rows) {
        let line = within(row(picker, interface, name), width);
        let here = place == picker.at.at;
        let style = if focus { theme.selected } else { theme.selected_dim };
        lines.push(if here { selected(line, style, inside.width) } else { line });
    }
    lines.extend(below.into_iter().map(|text| Line::styled(cut(&text, width), theme.warning)));
    frame.render_widget(Paragraph::new(lines), inside);
}

const STATE: usize = 12;
const RATE: usize = 10;

fn row<'a>(picker: &Picker, interface: &InterfaceInfo, name: usize) -> Line<'a> {
    let theme = &picker.theme;
    let marked = picker.marks.contains(&interface.name);
    let hindered = interface.problem.as_ref().map(|_| Severity::Error);
    let rate = picker.rates.get(&interface.name);
    let packets = rate.map(|rate| grouped(rate.packets)).unwrap_or_default();
    let bytes = rate.map(|rate| size(rate.bytes)).unwrap_or_default();
    let addresses: Vec<String> = interface.addresses.iter().map(|(ip, _)| ip.to_string()).collect();
    let state = match (interface.up, interface.loopback, interface.running) {
        (false, _, _) => "down",
        (true, true, _) => "up, loopback",
        (true, false, true) => "up",
        (true, false, false) => "up, no link",
    };
    Line::from(vec![
        Span::styled(if marked { "*" } else { " " }, theme.marked),
        Span::styled(sign(hindered), theme.error),
        Span::raw(" "),
        Span::styled(fit(&clean(&interface.name), name), theme.strong),
        Span::raw(" "),
        Span::styled(fit(state, STATE), if interface.up { theme.good } else { theme.dim }),
        Span::raw(" "),
        Span::raw(right(&packets, RATE)),
        Span::raw(" "),
        Span::raw(right(&bytes, RATE)),
        Span::raw("  "),
        Span::styled(addresses.join(" "), theme.dim),
    ])
}

/// Why the selected interface can not be opened, and what to run: as many lines as it takes.
fn hindered(picker: &Picker, area: Rect) -> Vec<String> {
    let Some(interface) = picker.selected() else { return Vec::new() };
    let Some(problem) = &interface.problem else { return Vec::new() };
    let width = usize::from(area.width.saturating_sub(6)).max(20);
    let remedy = interface.remedy.iter().flat_map(|remedy| fold(&clean(remedy), width));
    fold(&clean(problem), width).into_iter().chain(remedy).map(|l| format!("   {l}")).collect()
}

fn render_ports(frame: &mut Frame<'_>, area: Rect, picker: &mut Picker) {
    if area.is_empty() {
        return;
    }
    let inside = area.inner(Margin::new(1, 1));
    let rows = usize::from(inside.height).saturating_sub(1).max(1);
    picker.port_at.show(picker.offer.ports.len(), rows);
    let theme = &picker.theme;
    let focus = picker.pane == Pane::Ports;
    frame.render_widget(block(theme, "Ports on which something listens".into(), focus), area);
    if picker.offer.ports.is_empty() {
        let none = "Nothing listens on a TCP port now.".to_owned();
        return empty(frame, inside, theme, &[none]);
    }
    let header = format!("   {}  {}  {}", right("Port", 5), fit("Address", ADDRESS), "Process");
    let width = usize::from(inside.width);
    let mut lines = vec![Line::styled(cut(&header, width), theme.header)];
    for (place, port) in picker.offer.ports.iter().enumerate().skip(picker.port_at.top).take(rows) {
        let marked = picker.ports.contains(&port.number);
        let addresses: Vec<_> = port.addresses.iter().map(|a| a.ip().to_string()).collect();
        let (who, command) = port.process.clone().unwrap_or_default();
        let line = Line::from(vec![
            Span::styled(if marked { "*  " } else { "   " }, theme.marked),
            Span::styled(right(&port.number.to_string(), 5), theme.strong),
            Span::raw("  "),
            Span::styled(fit(&addresses.join(" "), ADDRESS), theme.dim),
            Span::raw("  "),
            Span::styled(clean(&who), theme.name),
            Span::styled(format!("  {}", clean(&command)), theme.dim),
        ]);
        let line = within(line, width);
        let style = if focus { theme.selected } else { theme.text };
        let here = place == picker.port_at.at && focus;
        lines.push(if here { selected(line, style, inside.width) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

const ADDRESS: usize = 18;

fn render_bottom(frame: &mut Frame<'_>, area: Rect, picker: &Picker) {
    let (theme, width) = (&picker.theme, usize::from(area.width));
    let error = picker.line.as_ref().and_then(|(line, error)| Some((line, error.as_ref()?)));
    let error = error.filter(|(line, error)| !fits(line.text(), error, width));
    let error = error.map(|(_, error)| (error, &Severity::Error));
    let message = picker.message.as_ref().map(|(text, severity)| (text, severity));
    if let Some((text, severity)) = error.or(message) {
        let style = theme.bar.patch(theme.severity(*severity));
        let text = fit(&format!(" {text}"), width);
        return frame.render_widget(Paragraph::new(Span::styled(text, style)), area);
    }
    let line = keys_bar(theme, area.width, Place::Interfaces, Picker::heeds);
    frame.render_widget(Paragraph::new(line).style(theme.bar), area);
}

fn render_help(frame: &mut Frame<'_>, screen: Rect, picker: &mut Picker) {
    let Some(top) = picker.help else { return };
    let theme = &picker.theme;
    let width = overlay::window_width(screen);
    let mut lines = Vec::new();
    let here = (Place::Interfaces, "Interfaces and ports");
    overlay::bindings(&mut lines, theme, width, here, |_| true);
    overlay::bindings(&mut lines, theme, width, (Place::Anywhere, "Everywhere"), Picker::heeds);
    let last = overlay::window(frame, screen, theme, "Keys".to_owned(), lines, top);
    picker.help = Some(last.min(top));
}
