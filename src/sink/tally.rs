//! Counts over the events of a run: what the last line says.
//!
//! Gets: events. Gives: [`Tally`].

use crate::event::{Event, Outcome};
use crate::note::{Note, Severity};
use crate::sink::notes_of;

/// Events counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// WebSocket connections and attempts: handshakes counted, or, where a sink numbers them, those of
    /// which any event came.
    pub connections: u64,
    /// Of them, those with the outcome `accepted`.
    pub accepted: u64,
    /// Messages of every kind.
    pub messages: u64,
    /// Of them, those that lack bytes.
    pub incomplete: u64,
    /// TCP bytes that the capture lacks.
    pub gap_bytes: u64,
    /// Notes of severity error.
    pub errors: u64,
    /// Notes of severity warning.
    pub warnings: u64,
    /// Notes of severity info.
    pub infos: u64,
}

impl Tally {
    /// Counts one event.
    #[inline]
    pub fn count(&mut self, event: &Event<'_>) {
        match event {
            Event::Handshake(handshake) => {
                self.connections += 1;
                self.accepted += u64::from(handshake.outcome == Outcome::Accepted);
            }
            Event::Message(message) => {
                self.messages += 1;
                self.incomplete += u64::from(!message.complete);
            }
            Event::Gap(gap) => self.gap_bytes = self.gap_bytes.saturating_add(gap.bytes),
            Event::Frame(_) | Event::End(_) => {}
        }
        for note in notes_of(event) {
            self.note(note);
        }
    }

    /// Notes of every severity.
    pub const fn notes(&self) -> u64 {
        self.errors + self.warnings + self.infos
    }

    fn note(&mut self, note: &Note) {
        *match note.severity() {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
            Severity::Info => &mut self.infos,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Frame;
    use crate::sink::samples;

    #[test]
    fn notes_of_frames_are_counted_once_with_their_message() {
        let notes = [samples::note("server-masked"), samples::note("mask-zero")];
        let frame = Frame { notes: &notes, ..samples::frame(b"x") };
        let message = crate::event::Message { notes: &notes, ..samples::text(b"x") };
        let mut tally = Tally::default();
        tally.count(&Event::Handshake(&samples::handshake()));
        tally.count(&Event::Frame(&frame));
        tally.count(&Event::Message(&message));
        assert_eq!((tally.errors, tally.warnings, tally.infos), (1, 1, 0));
        assert_eq!((tally.connections, tally.accepted, tally.messages), (1, 1, 1));
    }
}
