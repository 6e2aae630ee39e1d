//! Colours: which part of a line looks how, as SGR sequences.
//!
//! Gets: text already escaped. Gives: it with colour, or as it is.

use crate::note::Severity;
use crate::units::Direction;

/// What a part of a line is; its look follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Plain,
    /// What matters less: times, addresses.
    Dim,
    /// What the eye should find first.
    Strong,
    /// What the client sent.
    ToServer,
    /// What the server sent.
    ToClient,
    /// Pings and pongs.
    Heartbeat,
    /// Closing.
    Closing,
    /// A good outcome.
    Good,
    /// By severity.
    Note(Severity),
}

impl From<Direction> for Part {
    fn from(dir: Direction) -> Self {
        match dir {
            Direction::ToServer => Self::ToServer,
            Direction::ToClient => Self::ToClient,
        }
    }
}

/// Colour or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paint {
    /// Text only.
    #[default]
    Plain,
    /// With SGR sequences of the sixteen colours that every terminal and theme has.
    Colour,
}

impl Paint {
    /// Appends text in the look of its part.
    pub fn put(self, out: &mut String, part: Part, text: &str) {
        self.on(out, part);
        out.push_str(text);
        self.off(out, part);
    }

    /// Begins a part.
    pub fn on(self, out: &mut String, part: Part) {
        out.push_str(self.sgr(part));
    }

    /// Ends a part.
    pub fn off(self, out: &mut String, part: Part) {
        if !self.sgr(part).is_empty() {
            out.push_str("\x1b[0m");
        }
    }

    const fn sgr(self, part: Part) -> &'static str {
        match (self, part) {
            (Self::Plain, _) | (_, Part::Plain) => "",
            (_, Part::Dim | Part::Heartbeat) => "\x1b[2m",
            (_, Part::Strong) => "\x1b[1m",
            (_, Part::ToServer) => "\x1b[36m",
            (_, Part::ToClient) => "\x1b[33m",
            (_, Part::Closing) => "\x1b[35m",
            (_, Part::Good) => "\x1b[32m",
            (_, Part::Note(Severity::Error)) => "\x1b[1;31m",
            (_, Part::Note(Severity::Warning)) => "\x1b[1;33m",
            (_, Part::Note(Severity::Info)) => "\x1b[34m",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paint_adds_nothing() {
        let mut out = String::new();
        Paint::Plain.put(&mut out, Part::Note(Severity::Error), "x");
        assert_eq!(out, "x");
    }

    #[test]
    fn every_colour_is_switched_off_again() {
        let mut out = String::new();
        Paint::Colour.put(&mut out, Part::ToServer, "x");
        Paint::Colour.put(&mut out, Part::Plain, "y");
        assert_eq!(out, "\x1b[36mx\x1b[0my");
    }
}
