//! The lines of the view of a proxy's legs: the chain, the heads, what was altered.
//!
//! Gets: [`Legs`] and whose. Gives: [`Line`]s for a width, each with what can be done with it. All
//! texts are those of `wstap diff`, made harmless here.
//!
//! ```text
//!  client 127.0.0.1:37116
//!    └─> proxy 127.0.0.1:8080            connection 2
//!      └─> server 127.0.0.1:8088         connection 1, from 127.0.0.1:37314
//!
//!    Request, client leg              │ server leg
//!  ! GET /ws/ HTTP/1.1                │ GET / HTTP/1.1
//!  ~ Host: 127.0.0.1:8080             │ Host: 127.0.0.1:8088
//!
//!  ! target-rewritten   The request target was rewritten: /ws/ became /.
//! ```

use super::Legs;
use crate::diff::table::Table;
use crate::diff::way::Hop;
use crate::diff::{Alteration, Pair, sign};
use crate::sink::escape;
use crate::tui::text::{cut, fit, fold, wrap};

/// What a piece of text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Title,
    /// Text.
    Plain,
    /// Less important text.
    Dim,
    /// What any correct proxy may do.
    Expected,
    /// What it need not do.
    Unexpected,
    /// All is well.
    Good,
    /// Between two columns.
    Rule,
}

/// What can be done with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// An alteration: of which pair (by its client leg), and which of it.
    Alteration(usize, usize),
    /// A connection (by index) whose messages can be looked at.
    Conn(u32),
    /// A connection whose pair can be looked at.
    Pair(u32),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Harmless text and what it is.
    pub pieces: Vec<(Tone, String)>,
    /// What it stands for; lines of one item belong together.
    pub item: Option<Item>,
}

/// Whose legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the chain that a connection is part of.
    Chain(u32),
    /// Two marked connections: the client leg, the server leg.
    Two([u32; 2]),
}

impl Legs {
    /// The pairs to be shown.
    pub fn pairs(&self, whose: Whose) -> Vec<&Pair> {
        match whose {
            Whose::Chain(conn) => self.chain(conn),
            Whose::Two([one, other]) => self.pair(one, other).into_iter().collect(),
        }
    }

    /// One alteration, and its pair.
    pub fn alteration(&self, item: Item) -> Option<(&Pair, &Alteration)> {
        let Item::Alteration(client, at) = item else { return None };
        let pair = self.report.pairs.get(self.ways.onward(client)?)?;
        Some((pair, pair.alterations.get(at)?))
    }

    /// Everything, broken into lines of so many columns; first what is to be said before.
    pub fn lines(&self, whose: Whose, though: Option<&str>, width: usize) -> Vec<Line> {
        let mut page = Page { legs: self, width: width.max(20), lines: Vec::new() };
        if let Some(though) = though {
            page.told(Tone::Unexpected, though);
            page.blank();
        }
        let pairs = self.pairs(whose);
        if pairs.is_empty() {
            page.alone(whose);
        } else {
            page.way(&pairs);
            for (n, pair) in pairs.iter().enumerate() {
                page.pair(pair, (n + 1, pairs.len()));
            }
            page.legend(&pairs);
        }
        page.lines
    }
}

struct Page<'a> {
    legs: &'a Legs,
    width: usize,
    lines: Vec<Line>,
}

impl Page<'_> {
    fn put(&mut self, tone: Tone, text: String, item: Option<Item>) {
        self.lines.push(Line { pieces: vec![(tone, text)], item });
    }

    fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// A sentence.
    fn told(&mut self, tone: Tone, text: &str) {
        for part in fold(text, self.width.saturating_sub(2)) {
            self.put(tone, format!(" {part}"), None);
        }
    }

    fn way(&mut self, pairs: &[&Pair]) {
        for (n, hop) in self.legs.ways.hops(&self.legs.report, pairs).iter().enumerate() {
            self.hop(n, hop);
        }
    }

    fn hop(&mut self, n: usize, hop: &Hop) {
        let arrow = if n == 0 { String::new() } else { format!("{}└─> ", "  ".repeat(n)) };
        let name = format!(" {arrow}{}", hop.name());
        let item = hop.leg.and_then(|leg| self.legs.conn(leg)).map(Item::Conn);
        let column = REMARK.max(escape::width(&name) + 2);
        if column + escape::width(&hop.remark) <= self.width {
            let pieces = vec![
                (Tone::Plain, fit(&name, column)),
                (Tone::Dim, cut(&hop.remark, self.width - column)),
            ];
            self.lines.push(Line { pieces, item });
            return;
        }
        self.put(Tone::Plain, name, item);
        if !hop.remark.is_empty() {
            let remark = format!("{}{}", " ".repeat(2 * n + 5), hop.remark);
            self.put(Tone::Dim, cut(&remark, self.width), item);
        }
    }

    fn pair(&mut self, pair: &Pair, (n, of): (usize, usize)) {
        self.blank();
        let no = |leg: usize| self.legs.report.leg(leg).map_or(0, |leg| leg.no.0);
        let heading = match (pair.server, of) {
            (Some(server), 2..) => {
                let (client, server) = (no(pair.client), no(server));
                format!("Proxy {n}, connections {client} and {server}, {}", pair.heading())
            }
            (None, 2..) => format!("Proxy {n}, connection {}, {}", no(pair.client), pair.heading()),
            _ => capital(&pair.heading()),
        };
        self.told(Tone::Title, &heading);
        if !pair.why.is_empty() {
            self.told(Tone::Dim, &pair.why);
        }
        if pair.server.is_some() {
            self.sum(pair);
        }
        for table in self.legs.report.heads(pair) {
            self.blank();
            self.table(pair, &table);
        }
        let list = |of_message: bool| {
            let mine = pair.alterations.iter().enumerate();
            let mut list: Vec<_> = mine.filter(|(_, a)| a.of_message() == of_message).collect();
            // Of the heads the unexpected first; messages in their order.
            list.sort_by_key(|(at, a)| (!of_message && a.expected, *at));
            list
        };
        for (title, list) in
            [("What was altered in the heads", list(false)), ("Messages that differ", list(true))]
        {
            if list.is_empty() {
                continue;
            }
            self.blank();
            self.told(Tone::Title, title);
            for (at, alteration) in list {
                self.alteration(Item::Alteration(pair.client, at), alteration);
            }
        }
        if pair.more > 0 {
            self.told(Tone::Dim, &format!("and {} more", pair.more));
        }
    }

    /// How the messages compare, what it cost, and who ended it.
    fn sum(&mut self, pair: &Pair) {
        let altered = pair.counts.changed + pair.counts.lost + pair.counts.injected;
        let tone = if altered > 0 { Tone::Unexpected } else { Tone::Good };
        self.told(tone, &format!("Messages: {}", pair.counts.text()));
        if let Some(delay) = self.legs.report.delay(pair) {
            self.told(Tone::Plain, &delay);
        }
        if let Some(cut) = &pair.cut {
            self.told(Tone::Plain, &cut.text);
        }
    }

    fn table(&mut self, pair: &Pair, table: &Table) {
        // A sign and two spaces in front, a rule between.
        let column = self.width.saturating_sub(7) / 2;
        let titles = [format!("{}, client leg", table.title()), "server leg".to_owned()];
        self.cells(column, None, Tone::Dim, &titles, None);
        for row in &table.rows {
            let tone = match row.expected {
                None => Tone::Plain,
                Some(true) => Tone::Expected,
                Some(false) => Tone::Unexpected,
            };
            let of_it = |a: &Alteration| a.dir == table.dir && row.is_of(a);
            let at = pair.alterations.iter().position(of_it).filter(|_| row.expected.is_some());
            let item = at.map(|at| Item::Alteration(pair.client, at));
            self.cells(column, row.expected, tone, &row.cells, item);
        }
    }

    fn cells(
        &mut self,
        column: usize,
        expected: Option<bool>,
        tone: Tone,
        cells: &[String; 2],
        item: Option<Item>,
    ) {
        if column < NARROW {
            return self.stacked(expected, tone, cells, item);
        }
        let [left, right] = cells.each_ref().map(|text| first_of(wrap(text, column)));
        for n in 0..left.len().max(right.len()) {
            let mark = expected.filter(|_| n == 0).map_or(" ", sign);
            let cell = |list: &[String]| list.get(n).cloned().unwrap_or_default();
            let left = cell(&left);
            let pad = column.saturating_sub(escape::width(&left));
            let pieces = vec![
                (tone, format!(" {mark} {left}{:pad$}", "")),
                (Tone::Rule, " │ ".to_owned()),
                (tone, cell(&right)),
            ];
            self.lines.push(Line { pieces, item });
        }
    }

    /// One below the other, where there is no room for two columns; once, when they are equal.
    fn stacked(
        &mut self,
        expected: Option<bool>,
        tone: Tone,
        [left, right]: &[String; 2],
        item: Option<Item>,
    ) {
        let mark = expected.map_or(" ", sign);
        let list = match expected {
            Some(_) => vec![("client ", left), ("server ", right)],
            None => vec![("", left)],
        };
        for (side, text) in list.into_iter().filter(|(_, text)| !text.is_empty()) {
            let room = self.width.saturating_sub(3 + side.len());
            for (n, part) in first_of(wrap(text, room)).into_iter().enumerate() {
                let (mark, side) =
                    if n == 0 { (mark, side.to_owned()) } else { (" ", " ".repeat(side.len())) };
                let pieces = vec![(tone, format!(" {mark} ")), (Tone::Dim, side), (tone, part)];
                self.lines.push(Line { pieces, item });
            }
        }
    }

    /// `! message-changed  The proxy changed ...`
    fn alteration(&mut self, item: Item, alteration: &Alteration) {
        let tone = if alteration.expected { Tone::Expected } else { Tone::Unexpected };
        let code = alteration.code.as_str();
        let head = format!(" {} {} ", alteration.sign(), fit(code, CODE));
        let indent = escape::width(&head);
        if self.width < indent + NARROW {
            self.put(tone, format!(" {} {code}", alteration.sign()), Some(item));
            for part in fold(&alteration.text, self.width.saturating_sub(4)) {
                self.put(Tone::Plain, format!("   {part}"), Some(item));
            }
            return;
        }
        for (n, part) in fold(&alteration.text, self.width - indent - 1).into_iter().enumerate() {
            let head = if n == 0 { head.clone() } else { " ".repeat(indent) };
            let pieces = vec![(tone, head), (Tone::Plain, part)];
            self.lines.push(Line { pieces, item: Some(item) });
        }
    }

    fn legend(&mut self, pairs: &[&Pair]) {
        let all = || pairs.iter().flat_map(|pair| &pair.alterations);
        self.blank();
        if all().next().is_none() {
            return self.told(Tone::Good, "Nothing was altered.");
        }
        let mut signs = Vec::new();
        for (there, text) in [
            (all().any(|a| !a.expected), "! altered"),
            (all().any(|a| a.expected), "~ any correct proxy may do this"),
            (
                all().any(Alteration::of_message),
                "c2s 3: the client's third message, s2c: the server's",
            ),
        ] {
            signs.extend(there.then_some(text));
        }
        self.told(Tone::Dim, &signs.join("; "));
    }

    /// No pair: why, and what there is instead.
    fn alone(&mut self, whose: Whose) {
        let legs = self.legs;
        let conns = match whose {
            Whose::Chain(conn) => vec![conn],
            Whose::Two(conns) => conns.to_vec(),
        };
        for conn in conns {
            let no = u64::from(conn) + 1;
            self.told(Tone::Title, &format!("Connection {no} is not paired"));
            let why = match legs.why_not(conn) {
                Some(why) => why,
                None if legs.knows(conn) => "it is part of another pair.",
                None => "it began after the comparison: r compares again.",
            };
            self.told(Tone::Plain, &capital(why));
            self.blank();
        }
        let n = legs.report.pairs.len();
        if n == 0 {
            let text = "No two connections here belong together. Both legs of a proxy must be \
                        captured: on its own host, on every interface that it uses.";
            return self.told(Tone::Dim, text);
        }
        let found = if n == 1 { "pair was found" } else { "pairs were found" };
        self.told(Tone::Dim, &format!("{n} {found}; Enter shows one:"));
        for pair in legs.report.pairs.iter().take(LISTED) {
            self.listed(pair);
        }
        if n > LISTED {
            self.told(Tone::Dim, &format!("and {} more", n - LISTED));
        }
    }

    fn listed(&mut self, pair: &Pair) {
        let Some(client) = self.legs.report.leg(pair.client) else { return };
        let server = pair.server.and_then(|at| self.legs.report.leg(at));
        let unexpected = pair.counted(false);
        let expected = pair.counted(true).saturating_sub(unexpected);
        let tone = if unexpected > 0 { Tone::Unexpected } else { Tone::Expected };
        let to = server.map_or("nowhere".to_owned(), |leg| leg.no.to_string());
        let target = client.request().map_or("", |request| &request.target);
        let text = format!(
            " {} {} → {to}  {unexpected} altered, {expected} expected  {target}",
            sign(unexpected == 0),
            client.no
        );
        let item = self.legs.conn(pair.client).map(Item::Pair);
        self.put(tone, cut(&text, self.width), item);
    }
}

/// With a capital at its begin.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}", letters.as_str())
}

/// The first lines of many.
fn first_of(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > CELL_LINES {
        lines.truncate(CELL_LINES);
        if let Some(last) = lines.last_mut() {
            last.pop();
            last.push('…');
        }
    }
    lines
}

/// Columns before the remark on a hop.
const REMARK: usize = 42;
/// Columns of a code: `subprotocol-changed` is the longest.
const CODE: usize = 19;
/// Narrower than this, text does not stand beside other text.
const NARROW: usize = 24;
/// Lines of one cell.
const CELL_LINES: usize = 4;
/// Pairs listed where a connection is in none.
const LISTED: usize = 1000;
