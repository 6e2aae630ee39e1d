//! Messages that came in several frames, unfolded: a line for each frame below its message, and for
//! each control frame that came between.

use std::sync::Arc;

use super::App;
use crate::event::MessageKind;
use crate::store::{FrameMeta, Row, RowKind};
use crate::tui::text::cut;
use crate::units::PacketNo;

/// A line below an unfolded message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// One of its frames, the place among those kept, and the beginning of what it brought.
    Frame(FrameMeta, usize, String),
    /// A control frame that came between them: its row.
    Control(u32),
}

/// Lines that may be unfolded at once.
const LINES: usize = 4096;
/// Rows above a message in which control frames between its frames are looked for.
const ABOVE: usize = 4096;
/// Columns of a preview: as wide as any screen.
const PREVIEW: usize = 256;

impl App {
    /// Unfolds the selected message, or folds it.
    pub(super) fn toggle_frames(&mut self) {
        let Some(row) = self.selected_row() else { return };
        if self.list.unfolded.contains_key(&row) {
            self.fold_frames();
        } else {
            self.unfold_frames();
        }
    }

    pub(super) fn unfold_frames(&mut self) {
        let Some(at) = self.selected_row() else { return };
        if self.list.unfolded.contains_key(&at) {
            return;
        }
        let Some(parts) = self.parts(at) else {
            return self.say("it came in one frame: nothing to unfold");
        };
        let lines: usize = self.list.unfolded.values().map(|parts| parts.len()).sum();
        if lines + parts.len() > LINES {
            return self.warn("too many frames are unfolded: fold some first");
        }
        self.list.unfolded.insert(at, parts);
        self.list.follow = false;
    }

    /// Folds the selected message, or the one whose frame is selected.
    pub(super) fn fold_frames(&mut self) {
        let Some(at) = self.selected_row() else { return };
        if self.list.unfolded.remove(&at).is_some() {
            self.list.cursor.at = self.list.place_of(at);
        }
    }

    /// Control frames come and go with the other heartbeats.
    pub(super) fn unfold_anew(&mut self) {
        let rows: Vec<u32> = self.list.unfolded.keys().copied().collect();
        for at in rows {
            if let Some(parts) = self.parts(at) {
                self.list.unfolded.insert(at, parts);
            }
        }
    }

    /// The frames of a message that came in several; `None` of any other row.
    fn parts(&self, at: u32) -> Option<Arc<[Part]>> {
        let row = self.snapshot.rows.get(at as usize).filter(|row| row.fragmented())?;
        let record = self.reader.record(row, usize::MAX)?;
        let (first, last) = (record.frames.first()?, record.frames.last()?);
        let mut parts: Vec<(PacketNo, Part)> = Vec::with_capacity(record.frames.len());
        let mut from = 0;
        for (n, frame) in record.frames.iter().enumerate() {
            let to = from + frame.kept as usize;
            let bytes = record.wire_bytes().get(from..to).unwrap_or(&[]);
            let text =
                if record.compressed { String::new() } else { beginning(bytes, record.text) };
            parts.push((frame.end.packet, Part::Frame(*frame, n, text)));
            from = to;
        }
        if !self.list.no_heartbeats {
            let above = (0..at).rev().take(ABOVE);
            let between = above
                .map_while(|above| {
                    let there = self.snapshot.rows.get(above as usize)?;
                    (there.packet() >= first.begin.packet).then_some((above, there))
                })
                .filter(|(_, there)| is_between(there, row) && there.packet() <= last.end.packet);
            parts.extend(between.map(|(at, there)| (there.packet(), Part::Control(at))));
        }
        parts.sort_by_key(|(packet, part)| match part {
            Part::Frame(frame, ..) => (*packet, frame.no.0),
            Part::Control(row) => (*packet, u64::from(*row)),
        });
        Some(parts.into_iter().map(|(_, part)| part).collect())
    }
}

/// Is it a control frame of the same connection and direction?
fn is_between(there: &Row, message: &Row) -> bool {
    let control = matches!(there.kind(), RowKind::Message(MessageKind::Ping | MessageKind::Pong));
    control && there.conn() == message.conn() && there.dir() == message.dir()
}

fn beginning(bytes: &[u8], text: bool) -> String {
    let bytes = bytes.get(..4 * PREVIEW).unwrap_or(bytes);
    if text {
        // A frame may end inside a character (RFC 6455 section 5.6).
        return cut(&String::from_utf8_lossy(bytes), PREVIEW);
    }
    let mut out = String::new();
    crate::sink::escape::hex_dump(&mut out, bytes, 72);
    out
}
