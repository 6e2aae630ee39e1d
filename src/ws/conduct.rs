//! What one side does over many frames: the keys that it masks them with, and what it sends behind
//! its Close.
//!
//! Gets: headers, Closes, losses. Gives: notes. Keeps: the last key, counts, where the Close stood.

use crate::event::Opcode;
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, Origin};
use crate::ws::frame::Header;
use crate::ws::rules::{Notes, Place};

/// The conduct of one side.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Conduct {
    /// [`word`] of the key of the frame before. It and the Close are asked for at every frame.
    last_key: u64,
    close: Option<Origin>,
    /// Bytes were lost since: what follows may be of a later connection between the same ports.
    lost_since_close: bool,
    keys_reused: u64,
    keys_zero: u64,
}

impl Conduct {
    /// Judges the next frame.
    pub(super) fn judge(
        &mut self,
        header: &Header,
        place: Place,
        notes: &mut Notes,
        budget: usize,
    ) {
        // Server frames have none, and what is wrong with one that has is said already.
        if place.dir == Direction::ToServer {
            self.judge_key(header.mask, place, notes, budget);
        }
        if header.opcode != Opcode::Pong {
            self.judge_after_close(header.opcode, place, notes, budget);
        }
    }

    /// Judges a pong, of which only its payload tells whether it answers a ping. RFC 6455 section 5.5.2:
    /// one that does is due until the peer's Close has come, be the sender's own under way.
    pub(super) fn judge_pong(&self, is_due: bool, place: Place, notes: &mut Notes, budget: usize) {
        if !is_due {
            self.judge_after_close(Opcode::Pong, place, notes, budget);
        }
    }

    /// Takes the key of a frame, if nothing is to be said of it; otherwise it is still to be judged.
    #[inline]
    pub(super) fn takes(&mut self, mask: Option<[u8; 4]>) -> bool {
        let word = word(mask);
        let fresh = mask != Some([0; 4]) && (mask.is_none() || word != self.last_key);
        if fresh {
            self.last_key = word;
        }
        fresh
    }

    /// Has this side sent a Close.
    #[inline]
    pub(super) const fn has_closed(&self) -> bool {
        self.close.is_some()
    }

    /// It sends its Close.
    pub(super) const fn closed(&mut self, origin: Origin) {
        self.close = Some(origin);
    }

    /// Whole frames may be missing here.
    pub(super) fn lost(&mut self) {
        self.last_key = word(None);
        self.lost_since_close = self.close.is_some();
    }

    /// RFC 6455 section 5.3: a fresh key for every frame, that others can not predict. Told once,
    /// and counted.
    fn judge_key(&mut self, mask: Option<[u8; 4]>, place: Place, notes: &mut Notes, budget: usize) {
        let before = std::mem::replace(&mut self.last_key, word(mask));
        let Some(key) = mask else { return };
        let [a, b, c, d] = key;
        if key == [0; 4] {
            self.keys_zero += 1;
            if self.keys_zero == 1 {
                let text =
                    format!("{place} has the masking key 00000000: it is not masked in effect");
                notes.push(place.note(NoteCode::MaskZero, text), budget);
            }
        } else if before == word(mask) {
            self.keys_reused += 1;
            if self.keys_reused == 1 {
                let text = format!(
                    "{place} has the masking key {a:02x}{b:02x}{c:02x}{d:02x} of the frame before it"
                );
                notes.push(place.note(NoteCode::MaskReused, text), budget);
            }
        }
    }

    /// RFC 6455 section 5.5.1: after a Close no more data; and nothing else has a use either.
    fn judge_after_close(&self, opcode: Opcode, place: Place, notes: &mut Notes, budget: usize) {
        let Some(close) = self.close.filter(|_| !self.lost_since_close) else { return };
        let code = if opcode.is_control() {
            NoteCode::ControlAfterClose
        } else {
            NoteCode::DataAfterClose
        };
        let text = format!("{place} comes after the Close frame of packet {}", close.packet);
        notes.push(place.note(code, text), budget);
    }

    /// What was told once, counted, at the end of the connection.
    pub(super) fn last_words(&self, dir: Direction, notes: &mut Notes, budget: usize) {
        let (who, blame) = (dir.sender(), Blame::from(dir));
        if self.keys_zero > 1 {
            let text =
                format!("{} frames of the {who} have the masking key 00000000", self.keys_zero);
            notes.push(Note::new(NoteCode::MaskZero, blame, text), budget);
        }
        if self.keys_reused > 1 {
            let text = format!(
                "{} frames of the {who} have the masking key of the frame before them",
                self.keys_reused
            );
            notes.push(Note::new(NoteCode::MaskReused, blame, text), budget);
        }
    }
}

/// A masking key, or that there is none, as one number: kept and compared in one piece, where an
/// `Option` of an array would be written and read in pieces that do not match.
#[inline]
fn word(key: Option<[u8; 4]>) -> u64 {
    key.map_or(0, |key| 1 << 32 | u64::from(u32::from_le_bytes(key)))
}
