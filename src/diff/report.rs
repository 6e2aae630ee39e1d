//! The report as text for people.
//!
//! Gets: a [`Report`]. Gives: per pair the way drawn, both heads side by side, what each change means,
//! the messages that differ, and a last line that sums up. Keeps: nothing.
//!
//! ```text
//! Pair 1, matched by key
//!   the same Sec-WebSocket-Key, one handshake within the other
//!   client 127.0.0.1:37116
//!     -> proxy 127.0.0.1:8080            connection 2
//!       -> server 127.0.0.1:8088         connection 1, from 127.0.0.1:37314
//!
//!   Request   client leg                     | server leg
//!   ! GET /ws/ HTTP/1.1                      | GET / HTTP/1.1
//!   ~ Host: 127.0.0.1:8080                   | Host: 127.0.0.1:8088
//!   ~                                        | X-Forwarded-For: 127.0.0.1
//! ```
//!
//! All text from the network is escaped here: see [`style`].

mod content;
mod style;
mod table;

use std::collections::HashMap;
use std::io::{self, Write};

use super::cut::human_ns;
use super::way::Ways;
use super::{Alteration, Pair, Report};
use crate::note::NoteCode;
use crate::units::{Count, Direction};
use style::{Paint, Tone};

/// How the text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns, at least 40.
    pub width: usize,
    /// Colours by SGR sequences.
    pub color: bool,
    /// Every pair and every message in full, not the first of those that are alike.
    pub all: bool,
    /// The heads side by side, and not only what their differences mean.
    pub heads: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 100, color: false, all: false, heads: true }
    }
}

impl Report {
    /// Writes the report for people.
    pub fn write_text(&self, options: &TextOptions, out: &mut impl Write) -> io::Result<()> {
        let mut page = Page {
            report: self,
            paint: Paint { color: options.color },
            width: options.width.max(40),
            all: options.all,
            heads: options.heads,
            ways: Ways::of(self),
            out,
        };
        page.clock()?;
        page.pairs()?;
        page.unpaired()?;
        page.sum()
    }
}

struct Page<'a, W> {
    report: &'a Report,
    paint: Paint,
    width: usize,
    all: bool,
    heads: bool,
    ways: Ways,
    out: &'a mut W,
}

impl<W: Write> Page<'_, W> {
    fn clock(&mut self) -> io::Result<()> {
        if self.report.captures.len() < 2 {
            return Ok(());
        }
        match self.report.clock {
            Some(clock) => {
                let ahead = clock.server_ahead_ns;
                let way = if ahead < 0 { "behind" } else { "ahead of" };
                let text = format!(
                    "The server side's clock is {} {way} the client side's (\u{b1} {}, from {}).",
                    human_ns(ahead.saturating_abs()),
                    human_ns(clock.uncertainty_ns),
                    Count(clock.handshakes as u64, "handshake"),
                );
                for line in style::wrap(&text, self.width) {
                    writeln!(self.out, "{line}")?;
                }
                writeln!(self.out)
            }
            None => writeln!(self.out, "Nothing tells how the two clocks compare.\n"),
        }
    }

    fn pairs(&mut self) -> io::Result<()> {
        let report = self.report;
        // Alike: the same alterations of the handshake and no message that differs.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<Vec<(NoteCode, Direction, &str)>, usize> = HashMap::new();
        for (at, pair) in report.pairs.iter().enumerate() {
            let plain = !self.all
                && pair.server.is_some()
                && !pair.alterations.iter().any(Alteration::of_message);
            let group = plain.then(|| *known.entry(signature(pair)).or_insert(groups.len()));
            match group.and_then(|group| groups.get_mut(group)) {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        for group in groups {
            let Some((first, more)) = group.split_first() else { continue };
            self.pair(*first)?;
            self.more(more)?;
        }
        Ok(())
    }

    fn pair(&mut self, at: usize) -> io::Result<()> {
        let report = self.report;
        let Some(pair) = report.pairs.get(at) else { return Ok(()) };
        let title = format!("Pair {}, {}", at.saturating_add(1), pair.heading());
        writeln!(self.out, "{}", self.paint.tone(Tone::Title, &title))?;
        let why = style::wrap(&pair.why, self.width.saturating_sub(2));
        for line in why.iter().filter(|line| !line.is_empty()) {
            writeln!(self.out, "  {}", self.paint.tone(Tone::Faint, line))?;
        }
        self.way(pair)?;
        writeln!(self.out)?;
        if self.heads {
            table::heads(self.out, self.paint, self.width, &report.heads(pair))?;
        }
        self.meanings(&pair.alterations)?;
        if pair.server.is_some() && !pair.alterations.iter().all(Alteration::of_message) {
            writeln!(self.out)?;
        }
        self.messages(pair)?;
        writeln!(self.out)
    }

    /// The way, drawn: the legs of the pair, and where it goes on before and behind.
    fn way(&mut self, pair: &Pair) -> io::Result<()> {
        for (n, hop) in self.ways.hops(self.report, &[pair]).iter().enumerate() {
            match n {
                0 => writeln!(self.out, "  {}", hop.name())?,
                _ => self.hop(2 + 2 * n, &hop.name(), &style::escape(&hop.remark))?,
            }
        }
        Ok(())
    }

    fn hop(&mut self, indent: usize, to: &str, remark: &str) -> io::Result<()> {
        let line = format!("{:indent$}\u{2514}\u{2500}> {to}", "");
        let pad = HOP_COLUMNS.saturating_sub(style::width(&line)).max(2);
        if style::width(&line) + pad + style::width(remark) > self.width && !remark.is_empty() {
            writeln!(self.out, "{line}")?;
            let indent = indent + 4;
            for line in style::wrap(remark, self.width.saturating_sub(indent)) {
                writeln!(self.out, "{:indent$}{}", "", self.paint.tone(Tone::Faint, &line))?;
            }
            return Ok(());
        }
        let line = format!("{line}{:pad$}{}", "", self.paint.tone(Tone::Faint, remark));
        writeln!(self.out, "{}", line.trim_end())
    }

    /// What the changes in the heads mean, the unexpected first.
    fn meanings(&mut self, alterations: &[Alteration]) -> io::Result<()> {
        for expected in [false, true] {
            let list = alterations.iter().filter(|a| a.expected == expected && !a.of_message());
            for alteration in list {
                self.meaning(alteration)?;
            }
        }
        Ok(())
    }

    fn meaning(&mut self, alteration: &Alteration) -> io::Result<()> {
        let mark = style::mark(alteration.expected);
        let tone = Tone::of(alteration);
        let code = format!("{:CODE_COLUMNS$}", alteration.code.as_str());
        let head = format!("  {} {} ", self.paint.tone(tone, mark), self.paint.tone(tone, &code));
        let indent = 5 + CODE_COLUMNS;
        let text = style::escape(&alteration.text);
        let lines = style::wrap(&text, self.width.saturating_sub(indent).max(20));
        write!(self.out, "{head}")?;
        for (n, line) in lines.iter().enumerate() {
            let pad = if n == 0 { 0 } else { indent };
            writeln!(self.out, "{:pad$}{line}", "")?;
        }
        Ok(())
    }

    fn messages(&mut self, pair: &Pair) -> io::Result<()> {
        if pair.server.is_none() {
            return Ok(());
        }
        writeln!(self.out, "  Messages: {}", pair.counts.text())?;
        self.delays(pair)?;
        let list = pair.alterations.iter().filter(|a| a.of_message());
        let (mut shown, mut hidden) = (0_usize, 0_u64);
        for alteration in list {
            if !self.all && shown >= MESSAGES {
                hidden += 1;
                continue;
            }
            shown += 1;
            self.meaning(alteration)?;
            content::difference(self.out, self.paint, self.width, alteration)?;
        }
        let hidden = hidden.saturating_add(pair.more);
        if hidden > 0 {
            writeln!(self.out, "    and {hidden} more")?;
        }
        if let Some(cut) = &pair.cut {
            for line in style::wrap(&cut.text, self.width.saturating_sub(2)) {
                writeln!(self.out, "  {line}")?;
            }
        }
        Ok(())
    }

    fn delays(&mut self, pair: &Pair) -> io::Result<()> {
        let Some(text) = self.report.delay(pair) else { return Ok(()) };
        for line in style::wrap(&text, self.width.saturating_sub(2)) {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// Pairs that are as the one just shown.
    fn more(&mut self, more: &[usize]) -> io::Result<()> {
        if more.is_empty() {
            return Ok(());
        }
        let report = self.report;
        let legs = more.iter().filter_map(|at| {
            let pair = report.pairs.get(*at)?;
            let (c, s) = (report.leg(pair.client)?, report.leg(pair.server?)?);
            Some(format!("{} \u{2192} {}", c.no, s.no))
        });
        let mut list: Vec<String> = legs.take(ALIKE_LISTED).collect();
        if more.len() > list.len() {
            list.push("\u{2026}".to_owned());
        }
        let n = more.len();
        let text = format!(
            "The same alterations in {n} more {} (connections {}).",
            if n == 1 { "pair" } else { "pairs" },
            list.join(", ")
        );
        for line in style::wrap(&text, self.width) {
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out)
    }

    fn unpaired(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.unpaired.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.tone(Tone::Title, "Not paired"))?;
        let room = if self.all { usize::MAX } else { UNPAIRED };
        for unpaired in report.unpaired.iter().take(room) {
            let Some(leg) = report.leg(unpaired.leg) else { continue };
            let text = format!(
                "connection {}, {} to {}: {}",
                leg.no, leg.client, leg.server, unpaired.why
            );
            for (n, line) in style::wrap(&text, self.width.saturating_sub(4)).iter().enumerate() {
                writeln!(self.out, "{}{line}", if n == 0 { "  " } else { "    " })?;
            }
        }
        let hidden = report.unpaired.len().saturating_sub(room);
        if hidden > 0 {
            writeln!(self.out, "  and {hidden} more")?;
        }
        writeln!(self.out)
    }

    fn sum(&mut self) -> io::Result<()> {
        let report = self.report;
        let all = report.pairs.iter().fold(0_u64, |sum, p| sum.saturating_add(p.counted(true)));
        let unexpected =
            report.pairs.iter().fold(0_u64, |sum, p| sum.saturating_add(p.counted(false)));
        let n = report.pairs.len();
        if n == 0 {
            return self.nothing();
        }
        let expected = all.saturating_sub(unexpected);
        let alterations = |n: u64| if n == 1 { "alteration" } else { "alterations" };
        let what = match (unexpected, expected) {
            (0, 0) => "nothing was altered".to_owned(),
            (0, _) => format!(
                "{expected} {}, and only such as any correct proxy makes",
                alterations(expected)
            ),
            (_, 0) => format!("{unexpected} unexpected {}", alterations(unexpected)),
            _ => format!("{unexpected} unexpected and {expected} expected alterations"),
        };
        let text = format!("{n} {}: {what}.", if n == 1 { "pair" } else { "pairs" });
        let tone = if unexpected > 0 { Tone::Unexpected } else { Tone::Good };
        writeln!(self.out, "{}", self.paint.tone(tone, &text))?;
        self.legend()?;
        if report.legs_dropped > 0 {
            writeln!(
                self.out,
                "{} beyond the limit {} not looked at.",
                Count(report.legs_dropped, "connection"),
                if report.legs_dropped == 1 { "was" } else { "were" }
            )?;
        }
        Ok(())
    }
}

impl<W: Write> Page<'_, W> {
    /// No two connections belong together: says so, and what to try.
    fn nothing(&mut self) -> io::Result<()> {
        let report = self.report;
        let (text, hint) = if report.legs.is_empty() {
            ("There is no WebSocket connection to compare.", None)
        } else if report.captures.len() > 1 {
            let hint = "Both captures must hold the same connections: the client's side is named \
                        first, the server's side second.";
            ("No two connections belong together: nothing was compared.", Some(hint))
        } else {
            let hint = "Both legs of the proxy must be captured: in one file, or in two, as in \
                        wstap diff CLIENT-SIDE SERVER-SIDE";
            ("No two connections belong together: nothing was compared.", Some(hint))
        };
        writeln!(self.out, "{}", self.paint.tone(Tone::Title, text))?;
        for line in hint.into_iter().flat_map(|hint| style::wrap(hint, self.width)) {
            writeln!(self.out, "{}", self.paint.tone(Tone::Faint, &line))?;
        }
        Ok(())
    }

    /// What the marks mean, and where there is more.
    fn legend(&mut self) -> io::Result<()> {
        let all = || self.report.pairs.iter().flat_map(|pair| &pair.alterations);
        let Some(example) = all().min_by_key(|a| a.expected) else { return Ok(()) };
        let mut marks = vec![];
        if all().any(|a| !a.expected) {
            marks.push("! altered".to_owned());
        }
        if all().any(|a| a.expected) {
            marks.push("~ any correct proxy may do this".to_owned());
        }
        if all().any(Alteration::of_message) {
            marks.push("c2s 3: the client's third message, s2c: the server's".to_owned());
        }
        let explain = format!("wstap explain {}: what it means and what to do", example.code);
        for text in [marks.join("; "), explain] {
            for line in style::wrap(&text, self.width) {
                writeln!(self.out, "{}", self.paint.tone(Tone::Faint, &line))?;
            }
        }
        Ok(())
    }
}

fn signature(pair: &Pair) -> Vec<(NoteCode, Direction, &str)> {
    pair.alterations.iter().map(|a| (a.code, a.dir, a.what.as_str())).collect()
}

/// Columns of a code: `subprotocol-changed` is the longest.
const CODE_COLUMNS: usize = 19;
/// Columns before the remark on a hop.
const HOP_COLUMNS: usize = 42;
/// Messages shown of a pair.
const MESSAGES: usize = 20;
/// Pairs named that are like another.
const ALIKE_LISTED: usize = 20;
/// Connections without a partner shown.
const UNPAIRED: usize = 20;

#[cfg(test)]
mod tests;
