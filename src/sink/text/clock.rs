//! Times as tshark's `-t` writes them.
//!
//! Gets: packet times. Gives: text of a fixed number of columns. Keeps: the first and the last time.

use std::fmt::Write;

use crate::units::Timestamp;

/// How times are written; the names are those of tshark's `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// `r`: seconds since the first packet.
    #[default]
    Relative,
    /// `d`: seconds since the line before.
    Delta,
    /// `e`: seconds since 1970-01-01 UTC.
    Epoch,
    /// `a`: local time of day.
    Clock,
    /// `ad`: local date and time.
    Date,
    /// `u`: time of day, UTC.
    UtcClock,
    /// `ud`: date and time, UTC.
    UtcDate,
}

/// Microseconds shown: what tcpdump and tshark show of most captures.
const DECIMALS: usize = 6;

#[derive(Debug)]
pub(super) struct Clock {
    format: TimeFormat,
    zone: Option<jiff::tz::TimeZone>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Clock {
    pub(super) fn new(format: TimeFormat) -> Self {
        let zone = match format {
            TimeFormat::Clock | TimeFormat::Date => Some(jiff::tz::TimeZone::system()),
            TimeFormat::UtcClock | TimeFormat::UtcDate => Some(jiff::tz::TimeZone::UTC),
            TimeFormat::Relative | TimeFormat::Delta | TimeFormat::Epoch => None,
        };
        Self { format, zone, first: None, last: None }
    }

    /// Sets what relative times count from.
    pub(super) fn begin(&mut self, first: Option<Timestamp>) {
        self.first = self.first.or(first);
    }

    /// Columns of [`Self::text`], unless seconds outgrow them.
    pub(super) const fn columns(&self) -> usize {
        match self.format {
            TimeFormat::Relative | TimeFormat::Delta => 10,
            TimeFormat::Epoch => 17,
            TimeFormat::Clock | TimeFormat::UtcClock => 15,
            TimeFormat::Date | TimeFormat::UtcDate => 26,
        }
    }

    /// The time of a line; a dash for a packet without one.
    pub(super) fn text(&mut self, time: Option<Timestamp>) -> String {
        let width = self.columns();
        let Some(time) = time else { return format!("{:>width$}", "-") };
        let first = *self.first.get_or_insert(time);
        let last = self.last.replace(time).unwrap_or(first);
        match self.format {
            TimeFormat::Relative => seconds(time.since(first), width),
            TimeFormat::Delta => seconds(time.since(last), width),
            TimeFormat::Epoch => seconds(time.0, width),
            TimeFormat::Clock | TimeFormat::UtcClock => self.civil(time, "%H:%M:%S%.6f"),
            TimeFormat::Date | TimeFormat::UtcDate => self.civil(time, "%Y-%m-%d %H:%M:%S%.6f"),
        }
    }

    fn civil(&self, time: Timestamp, format: &str) -> String {
        let zone = self.zone.clone().unwrap_or(jiff::tz::TimeZone::UTC);
        match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
            Ok(time) => time.to_zoned(zone).strftime(format).to_string(),
            // Every i64 of nanoseconds is in jiff's range.
            Err(_) => time.rfc3339().to_string(),
        }
    }
}

/// Nanoseconds as seconds with six decimals, right-aligned.
fn seconds(ns: i64, width: usize) -> String {
    let micros = ns.unsigned_abs() / 1000;
    let sign = if ns < 0 { "-" } else { "" };
    let mut text = String::with_capacity(width);
    // Writing to a String does not fail.
    let _ = write!(text, "{sign}{}.{:0DECIMALS$}", micros / 1_000_000, micros % 1_000_000);
    format!("{text:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_795_348_800_123_456_789);

    fn shown(format: TimeFormat, times: &[i64]) -> Vec<String> {
        let mut clock = Clock::new(format);
        clock.begin(Some(NOON));
        times
            .iter()
            .map(|ns| {
                let text = clock.text(Some(Timestamp(NOON.0 + ns)));
                assert_eq!(text.len(), clock.columns(), "{text}");
                text
            })
            .collect()
    }

    #[test]
    fn each_format_is_as_tshark_writes_it() {
        use TimeFormat as F;
        let times = [0, 1_500_000, 2_000_001_000];
        assert_eq!(shown(F::Relative, &times), ["  0.000000", "  0.001500", "  2.000001"]);
        assert_eq!(shown(F::Delta, &times), ["  0.000000", "  0.001500", "  1.998501"]);
        assert_eq!(shown(F::Epoch, &[0]), ["1795348800.123456"]);
        assert_eq!(shown(F::UtcClock, &[0]), ["12:00:00.123456"]);
        assert_eq!(shown(F::UtcDate, &[0]), ["2026-11-22 12:00:00.123456"]);
    }

    #[test]
    fn time_may_go_back_and_may_be_missing() {
        assert_eq!(shown(TimeFormat::Relative, &[-2_500_000]), [" -0.002500"]);
        assert_eq!(Clock::new(TimeFormat::Relative).text(None), "         -");
    }
}
