//! One row in detail: its tree, its payload as JSON or text, its bytes.
//!
//! Gets: a row's [`Record`]. Gives: lines to draw, and which bytes are pointed at. Keeps: the record
//! of one row, at most [`SHOWN`] bytes of it.

pub mod json;
pub mod tree;

use std::collections::BTreeSet;
use std::ops::Range;

use super::action::Motion;
use super::cursor::Cursor;
use super::text;
use crate::store::{Conn, Reader, Record, Row};
use crate::units::Timestamp;
use json::JsonLine;
use tree::{Node, Source, Tree};

/// Bytes of a payload that are shown; saving and searching know all of it.
pub const SHOWN: usize = 1 << 20;

/// How the payload is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As a JSON tree where it is JSON, as text where it is text, otherwise in hexadecimal.
    #[default]
    Body,
    /// The payload in hexadecimal and ASCII.
    Payload,
    /// The frames, headers and all, in hexadecimal and ASCII.
    Wire,
}

/// What [`Mode::Body`] shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// A tree.
    Json(Vec<JsonLine>),
    /// Lines of text, escaped and broken to a width.
    Text {
        /// The width that the lines were broken to.
        width: usize,
        /// The lines.
        lines: Vec<String>,
    },
    /// Bytes that are no text.
    Binary,
}

/// One row in detail.
#[derive(Debug, Default)]
pub struct Detail {
    /// Which row.
    pub row: Option<u32>,
    /// What the spool has of it.
    pub record: Option<Record>,
    /// Its fields and frames.
    pub tree: Tree,
    /// The selected field, among [`Detail::visible`].
    pub tree_at: Cursor,
    /// The payload.
    pub body: Body,
    /// The selected line of it.
    pub body_at: Cursor,
    /// How it is shown.
    pub mode: Mode,
    /// The selected byte; its `top` counts lines.
    pub hex_at: Cursor,
    /// Bytes that are pointed at.
    pub highlight: Option<(Source, Range<usize>)>,
    /// JSON strings as they are meant.
    pub unescape: bool,
    /// Which of its frames was pointed at from outside.
    frame: Option<usize>,
    folded: BTreeSet<usize>,
    json_folded: BTreeSet<usize>,
}

impl Detail {
    /// Shows another row, or the same one anew.
    pub fn show(
        &mut self,
        at: u32,
        row: &Row,
        conn: &Conn,
        reader: &Reader,
        first: Option<Timestamp>,
    ) {
        let record = reader.record(row, SHOWN);
        self.tree = Tree::new(row, conn, record.as_ref(), first);
        self.folded = self.folded_at_first();
        self.record = record;
        self.row = Some(at);
        self.frame = None;
        self.json_folded.clear();
        self.highlight = None;
        self.hex_at = Cursor::default();
        self.body_at = Cursor::default();
        self.tree_at.at = self.tree_at.at.min(self.visible().count().saturating_sub(1));
        self.build_body(0);
    }

    /// Points at one of its frames, when it is another one than before.
    pub fn show_frame(&mut self, frame: Option<usize>) {
        if self.frame == frame {
            return;
        }
        self.frame = frame;
        let is_frame = |node: &&Node| node.name.starts_with("Frame ");
        let Some(node) = frame.and_then(|n| self.tree.nodes.iter().filter(is_frame).nth(n)) else {
            return;
        };
        let (fold, place) = (node.fold, node.place.clone());
        if let Some(fold) = fold {
            self.folded.remove(&fold);
        }
        let at = self.visible().position(|node| node.fold == fold);
        self.tree_at.at = at.unwrap_or(self.tree_at.at);
        self.point(place);
    }

    /// Nothing is shown.
    pub fn clear(&mut self) {
        *self = Self { mode: self.mode, unescape: self.unescape, ..Self::default() };
    }

    /// Of a message in many frames only the first is open.
    fn folded_at_first(&self) -> BTreeSet<usize> {
        let frames = |node: &&Node| node.name.starts_with("Frame ");
        self.tree.nodes.iter().filter(frames).skip(1).filter_map(|node| node.fold).collect()
    }

    /// The nodes of the tree that are not folded away.
    pub fn visible(&self) -> impl Iterator<Item = &Node> {
        let mut under: Option<usize> = None;
        self.tree.nodes.iter().filter(move |node| {
            if under.is_some_and(|depth| node.depth > depth) {
                return false;
            }
            under = self.is_folded(node).then_some(node.depth);
            true
        })
    }

    /// Is what belongs to the node hidden?
    pub fn is_folded(&self, node: &Node) -> bool {
        node.fold.is_some_and(|fold| self.folded.contains(&fold))
    }

    /// The selected field.
    pub fn node(&self) -> Option<&Node> {
        self.visible().nth(self.tree_at.at)
    }

    /// The selected line of JSON.
    pub fn json_line(&self) -> Option<&JsonLine> {
        match &self.body {
            Body::Json(lines) => lines.get(self.body_at.at),
            _ => None,
        }
    }

    /// The bytes of a source.
    pub fn bytes(&self, source: Source) -> &[u8] {
        match source {
            Source::Wire => &self.tree.wire,
            Source::Payload => self.record.as_ref().map_or(&[], |record| &record.payload),
        }
    }

    /// What the hex pane shows; `beside`: it stands beside the body.
    pub fn hex_source(&self, beside: bool) -> Source {
        match (self.mode, beside) {
            (Mode::Wire, _) => Source::Wire,
            // Beside the body it shows whatever is pointed at.
            (Mode::Body, true) if self.highlight.is_some() => {
                self.highlight.as_ref().map_or(Source::Payload, |(source, _)| *source)
            }
            (Mode::Body, true) if self.bytes(Source::Payload).is_empty() => Source::Wire,
            _ => Source::Payload,
        }
    }

    /// Lines of the body.
    pub fn body_len(&self) -> usize {
        match &self.body {
            Body::Json(lines) => lines.len(),
            Body::Text { lines, .. } => lines.len(),
            Body::Empty | Body::Binary => 0,
        }
    }

    /// Breaks text to a width, when it is not already.
    pub fn set_width(&mut self, width: usize) {
        if matches!(self.body, Body::Text { width: is, .. } if is != width) {
            self.build_body(width);
        }
    }

    fn build_body(&mut self, width: usize) {
        let Some(record) = &self.record else {
            self.body = Body::Empty;
            return;
        };
        let cut = record.payload.len() < record.payload_len as usize;
        self.body = match std::str::from_utf8(&record.payload) {
            _ if record.payload.is_empty() => Body::Empty,
            _ if record.kind == Some(crate::event::MessageKind::Close) => Body::Binary,
            _ if !record.text && !cut && record.payload.contains(&0) => Body::Binary,
            _ => match json::lines(&record.payload, &self.json_folded, self.unescape) {
                Some(lines) => Body::Json(lines),
                None if record.text => {
                    let text = String::from_utf8_lossy(&record.payload);
                    Body::Text { width, lines: text::wrap(&text, width.max(20)) }
                }
                None => Body::Binary,
            },
        };
    }

    /// Moves in the tree.
    pub fn move_tree(&mut self, motion: Motion, page: usize) {
        match motion {
            Motion::Left => self.fold(true),
            Motion::Right => self.fold(false),
            _ => {
                let len = self.visible().count();
                self.tree_at.step(motion, len, page);
            }
        }
        self.point(self.node().and_then(|node| node.place.clone()));
    }

    /// Folds or unfolds the selected node, or goes to the node that it belongs to.
    fn fold(&mut self, close: bool) {
        let Some(node) = self.node() else { return };
        match node.fold {
            Some(fold) if close => self.folded.insert(fold),
            Some(fold) => self.folded.remove(&fold),
            None if close => {
                let visible: Vec<bool> = self.visible().map(|node| node.fold.is_some()).collect();
                let up = visible.iter().take(self.tree_at.at).rposition(|head| *head);
                self.tree_at.at = up.unwrap_or(self.tree_at.at);
                false
            }
            None => false,
        };
    }

    /// Folds or unfolds whatever the selected line can.
    pub fn toggle_tree(&mut self) {
        let folded = self.node().map(|node| self.is_folded(node));
        self.fold(folded == Some(false));
    }

    /// Moves in the body.
    pub fn move_body(&mut self, motion: Motion, page: usize) {
        match motion {
            Motion::Left => self.fold_json(Some(true)),
            Motion::Right => self.fold_json(Some(false)),
            _ => {
                let len = self.body_len();
                self.body_at.step(motion, len, page);
            }
        }
        let place = self.json_line().map(|line| (Source::Payload, line.range.clone()));
        if place.is_some() {
            self.point(place);
        }
    }

    /// Folds (`true`), unfolds or toggles the selected container.
    pub fn fold_json(&mut self, close: Option<bool>) {
        let Some(line) = self.json_line() else { return };
        let (Some(folded), start) = (line.folded, line.range.start) else { return };
        if close.unwrap_or(!folded) {
            self.json_folded.insert(start);
        } else {
            self.json_folded.remove(&start);
        }
        self.build_body(0);
    }

    /// Strings as they are meant, or as they were sent.
    pub fn toggle_unescape(&mut self) {
        self.unescape = !self.unescape;
        let at = self.body_at;
        self.build_body(0);
        self.body_at = at;
    }

    /// Moves in the bytes, `width` of which make a line.
    pub fn move_hex(&mut self, motion: Motion, page: usize, width: usize, beside: bool) {
        let source = self.hex_source(beside);
        let len = self.bytes(source).len();
        let lines = |n: usize| n.saturating_mul(width);
        let at = self.hex_at.at;
        let to = match motion {
            Motion::Up => at.checked_sub(width).unwrap_or(at),
            Motion::Down if at.saturating_add(width) < len => at + width,
            Motion::Down => at,
            Motion::Left => at.saturating_sub(1),
            Motion::Right => at.saturating_add(1),
            Motion::PageUp => at.saturating_sub(lines(page)),
            Motion::PageDown => at.saturating_add(lines(page)),
            Motion::Top => 0,
            Motion::Bottom => len,
        };
        self.hex_at.at = to.min(len.saturating_sub(1));
        self.field_of_byte(source);
    }

    /// The byte's field becomes the selected one: the smallest that holds it.
    pub fn field_of_byte(&mut self, source: Source) {
        let at = self.hex_at.at;
        let holds = |node: &Node| match &node.place {
            Some((place, range)) if *place == source && range.contains(&at) => Some(range.len()),
            _ => None,
        };
        let best = self.visible().enumerate().filter_map(|(n, node)| Some((holds(node)?, n))).min();
        if let Some((_, n)) = best {
            self.tree_at.at = n;
        }
        self.highlight = self.node().and_then(|node| node.place.clone()).filter(|_| best.is_some());
        if let (Source::Payload, Body::Json(lines)) = (source, &self.body) {
            let around = |line: &&JsonLine| line.range.contains(&at);
            let smallest = lines.iter().filter(around).map(|line| line.range.len()).min();
            let line = lines.iter().position(|l| Some(l.range.len()) == smallest && around(&l));
            if let Some(line) = line {
                self.body_at.at = line;
                self.highlight = lines.get(line).map(|line| (Source::Payload, line.range.clone()));
            }
        }
    }

    /// Points at bytes, and shows them where bytes are shown.
    pub fn point(&mut self, place: Option<(Source, Range<usize>)>) {
        if let Some((source, range)) = &place {
            self.hex_at.at = range.start;
            self.mode = match (self.mode, source) {
                (Mode::Body, Source::Payload) => Mode::Body,
                (Mode::Body, Source::Wire) if self.body_len() > 0 => Mode::Body,
                (_, Source::Payload) => Mode::Payload,
                (_, Source::Wire) => Mode::Wire,
            };
        }
        self.highlight = place;
    }

    /// The next way to show the payload.
    pub fn next_mode(&mut self) {
        self.mode = match self.mode {
            Mode::Body => Mode::Payload,
            Mode::Payload => Mode::Wire,
            Mode::Wire => Mode::Body,
        };
        self.hex_at = Cursor::default();
        self.highlight = None;
    }
}
