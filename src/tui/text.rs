//! Text for cells: harmless, cut to its columns, numbers and times as people read them.
//!
//! Everything that came from the network passes through here (or [`crate::sink::escape`], which
//! this uses) before it becomes a [`Span`](ratatui::text::Span).

use std::borrow::Cow;

use crate::sink::escape::{self, Escaped};
use crate::units::Timestamp;

/// Escaped whole.
pub fn clean(text: &str) -> String {
    Escaped(text).to_string()
}

/// Escaped and cut to so many columns, with `…` where something is missing.
pub fn cut(text: &str, columns: usize) -> String {
    let mut out = String::new();
    escape::cut(&mut out, text, columns);
    out
}

/// Escaped, cut, and filled with spaces to exactly so many columns.
pub fn fit(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    let used = escape::width(&out);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// The same at the right edge.
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let used = escape::width(&text);
    let mut out: String = std::iter::repeat_n(' ', columns.saturating_sub(used)).collect();
    out.push_str(&text);
    out
}

/// Escaped text broken into lines of at most so many columns; a line break of its own begins a new
/// line too, and a tab is four spaces.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (mut out, mut used) = (String::new(), 0);
        for part in escape::pieces(line) {
            let piece = match part {
                "\t" => Cow::Borrowed("    "),
                part if part.contains(escape::is_unsafe) => Cow::Owned(clean(part)),
                part => Cow::Borrowed(part),
            };
            let wide = escape::width(&piece);
            if used + wide > columns && used > 0 {
                lines.push(std::mem::take(&mut out));
                used = 0;
            }
            out.push_str(&piece);
            used += wide;
        }
        lines.push(out);
    }
    lines
}

/// Sentences broken at their spaces.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let word = clean(word);
        let wide = escape::width(&word);
        if !line.is_empty() && escape::width(&line) + 1 + wide > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if wide > columns {
            let mut parts = wrap(&format!("{line}{word}"), columns);
            line = parts.pop().unwrap_or_default();
            lines.append(&mut parts);
        } else {
            line.push_str(&word);
        }
    }
    lines.push(line);
    lines
}

/// Bytes in at most six columns: `999 B`, `12.3 K`, `4.0 M`.
pub fn size(bytes: u64) -> String {
    let mut unit = ' ';
    // Tenths, so that no float is needed.
    let mut tenths = bytes.saturating_mul(10);
    for next in ['K', 'M', 'G', 'T', 'P'] {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = next;
    }
    match unit {
        ' ' => format!("{bytes} B"),
        _ if tenths >= 1000 => format!("{} {unit}", tenths / 10),
        _ => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

/// Nanoseconds in at most eight columns: `831 ns`, `12.4 µs`, `25.0 ms`, `3.20 s`, `4m 07s`, `2h 05m`.
pub fn span(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let point = |unit: u64, places: u64| {
        let scaled = ns / (unit / places);
        let width = if places == 10 { 1 } else { 2 };
        format!("{}.{:0width$}", scaled / places, scaled % places)
    };
    match ns {
        0..1_000 => format!("{sign}{ns} ns"),
        1_000..1_000_000 => format!("{sign}{} µs", point(1_000, 10)),
        1_000_000..1_000_000_000 => format!("{sign}{} ms", point(1_000_000, 10)),
        1_000_000_000..60_000_000_000 => format!("{sign}{} s", point(1_000_000_000, 100)),
        _ => {
            let seconds = ns / 1_000_000_000;
            match seconds / 3600 {
                0 => format!("{sign}{}m {:02}s", seconds / 60, seconds % 60),
                hours @ 1..100 => format!("{sign}{hours}h {:02}m", seconds / 60 % 60),
                hours => format!("{sign}{}d {}h", hours / 24, hours % 24),
            }
        }
    }
}

/// Seconds with microseconds: `12.345678`.
pub fn seconds(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let micros = ns.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Time of day in UTC: `16:01:02.000003`.
pub fn clock(time: Timestamp) -> String {
    time.rfc3339().as_str().get(11..26).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_their_columns() {
        let sizes = [0, 999, 1000, 12_345, 999_999, 4_000_000, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 K", "12.3 K", "999 K", "4.0 M", "1844 P"]);
    }

    #[test]
    fn times_read_as_people_write_them() {
        let cases = [
            (831, "831 ns"),
            (12_400, "12.4 µs"),
            (25_000_000, "25.0 ms"),
            (3_207_000_000, "3.20 s"),
            (247_000_000_000, "4m 07s"),
            (7_500_000_000_000, "2h 05m"),
            (-1_000, "-1.0 µs"),
        ];
        for (ns, want) in cases {
            assert_eq!(span(ns), want);
        }
        assert_eq!(seconds(-12_345_678_901), "-12.345678");
        assert_eq!(clock(Timestamp(1_795_363_200_000_003_000)), "16:00:00.000003");
    }

    #[test]
    fn text_fits_its_columns_whatever_it_holds() {
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(right("ab", 4), "  ab");
        assert_eq!(clean("\x1b[2J"), "\\x1b[2J");
        assert_eq!(wrap("日本語\tab\nc\r\n", 6), ["日本語", "    ab", "c", ""]);
        assert_eq!(wrap("\x1b]0;", 4), ["\\x1b", "]0;"]);
        assert_eq!(fold("the key is not base64", 10), ["the key is", "not base64"]);
        assert_eq!(fold("aaaaaaaa", 3), ["aaa", "aaa", "aa"]);
    }
}
