//! Statistics for people.
//!
//! ```text
//! 1 WebSocket connection: 1 accepted
//!                       client ->    <- server
//! text                          1            1
//! ...
//! ```

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::StatsOptions;
use super::histogram::Quantiles;
use super::totals::{ENDS, OUTCOMES, Totals};
use crate::event::MessageKind;
use crate::sink::escape;
use crate::sink::paint::{Paint, Part};
use crate::sink::text::{Verbosity, byte_count, counted, grouped, summary_lines};
use crate::sink::{Summary, Tally};
use crate::units::Direction;

/// The totals, and what was not seen.
pub(super) fn totals(
    buf: &mut Vec<u8>,
    all: &Totals,
    end: &Summary<'_>,
    tally: &Tally,
    options: &StatsOptions,
) {
    let paint = options.paint;
    let outcomes = OUTCOMES.iter().map(|outcome| outcome.name()).zip(all.outcomes);
    let mut head = counted(all.connections(), "WebSocket connection");
    append_named(&mut head, ": ", outcomes);
    line(buf, paint, Part::Strong, &head);
    let ends = ENDS.iter().map(|end| end.name()).zip(all.ends);
    let mut ended = String::new();
    append_named(&mut ended, "ended by: ", ends);
    if !ended.is_empty() {
        line(buf, paint, Part::Plain, &ended);
    }
    if all.messages() > 0 {
        buf.push(b'\n');
        directions(buf, all, options);
        over_time(buf, all, options);
    }
    pings(buf, all);
    codes(buf, all, paint);
    top(buf, all, options);
    let mut out = summary_lines(end, tally, paint, options.width);
    let gaps = all.sides.to_server.gaps + all.sides.to_client.gaps;
    if gaps > 0 {
        let _ = writeln!(out, "{} in the TCP streams", counted(gaps, "gap"));
    }
    buf.extend_from_slice(out.as_bytes());
    if !options.inflate && options.verbosity != Verbosity::Quiet && all.messages() > 0 {
        let text = "notes that only payloads tell are not among these: --inflate reads them";
        line(buf, paint, Part::Dim, text);
    }
}

/// A line for each count, client's and server's beside each other.
fn directions(buf: &mut Vec<u8>, all: &Totals, options: &StatsOptions) {
    let sides = &all.sides;
    let mut row = |name: &str, cells: [String; 2]| {
        let [there, back] = cells;
        line(buf, Paint::Plain, Part::Plain, &format!("{name:<22} {there:>14} {back:>14}"));
    };
    let both = |f: &dyn Fn(Direction) -> String| Direction::BOTH.map(f);
    row("", ["client ->".to_owned(), "<- server".to_owned()]);
    for kind in MessageKind::ALL {
        if Direction::BOTH.iter().any(|dir| sides[*dir].of_kind(kind) > 0) {
            row(kind.name(), both(&|dir| grouped(sides[dir].of_kind(kind))));
        }
    }
    if Direction::BOTH.iter().any(|dir| sides[*dir].incomplete > 0) {
        row("incomplete", both(&|dir| grouped(sides[dir].incomplete)));
    }
    row("frames", both(&|dir| grouped(sides[dir].frames)));
    if Direction::BOTH.iter().any(|dir| sides[*dir].compressed > 0) {
        row("compressed", both(&|dir| grouped(sides[dir].compressed)));
    }
    row("payload on the wire", both(&|dir| byte_count(sides[dir].wire_bytes())));
    if Direction::BOTH.iter().any(|dir| sides[*dir].compressed > 0) {
        // Without reading payloads that is not known; --inflate tells.
        let inflated = |dir: Direction| {
            sides[dir].payload_bytes().map_or_else(|| "not inflated".to_owned(), byte_count)
        };
        row("data inflated", both(&inflated));
        let ratio = |dir: Direction| match sides[dir].compression() {
            Some((wire, inflated)) => {
                let inflated = u128::from(inflated.max(1));
                let percent = (u128::from(wire) * 100 + inflated / 2) / inflated;
                format!("{percent} %")
            }
            None => "-".to_owned(),
        };
        row("compressed to", both(&ratio));
    }
    let read = options.inflate;
    let known = Direction::BOTH.map(|dir| {
        let told = super::json::sizes(&sides[dir], &all.wire_sizes[dir], &all.sizes[dir], read);
        told.or_else(|| all.wire_sizes[dir].quantiles())
    });
    if known.iter().any(Option::is_some) {
        let mut put = |name: &str, of: &dyn Fn(Quantiles) -> u64| {
            row(name, known.map(|q| q.map_or_else(|| "-".to_owned(), |q| byte_count(of(q)))));
        };
        put("size, half up to", &|q| q.p50);
        put("size, 90 % up to", &|q| q.p90);
        put("size, 99 % up to", &|q| q.p99);
        put("largest", &|q| q.max);
    }
}

/// Messages over time, as bars of eight heights.
fn over_time(buf: &mut Vec<u8>, all: &Totals, options: &StatsOptions) {
    let series = &all.series;
    let (there, back) = (series.counts(Direction::ToServer), series.counts(Direction::ToClient));
    let both: Vec<u64> = there.iter().zip(back).map(|(a, b)| a + b).collect();
    let columns = options.width.unwrap_or(80).saturating_sub(2).clamp(16, 128);
    let per_bar = both.len().div_ceil(columns).max(1);
    let bars: Vec<u64> = both.chunks(per_bar).map(|chunk| chunk.iter().sum()).collect();
    let most = bars.iter().max().copied().unwrap_or(0);
    if bars.len() > 1 && most > 0 {
        let picture: String = bars.iter().map(|n| bar(*n, most)).collect();
        let each = duration(series.stretch_ns().saturating_mul(per_bar as u64));
        let text = format!("\nmessages over time, {each} each, at most {}:", grouped(most));
        line(buf, Paint::Plain, Part::Plain, &text);
        line(buf, options.paint, Part::ToServer, &picture);
    }
    let peak = grouped(series.peak_per_second());
    let text = match series.mean_per_second() {
        // Less than one in two seconds.
        Some(0) => return,
        Some(mean) => format!("messages per second: {} on average, {peak} at most", grouped(mean)),
        None => format!("messages per second: {peak} at most"),
    };
    line(buf, Paint::Plain, Part::Plain, &text);
}

/// The height of a bar; the smallest is for any number but 0.
fn bar(n: u64, most: u64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if n == 0 {
        return ' ';
    }
    let height = u128::from(n) * 8 / u128::from(most.max(1));
    let place = usize::try_from(height).unwrap_or(8).saturating_sub(1);
    BARS.get(place).copied().unwrap_or('█')
}

fn pings(buf: &mut Vec<u8>, all: &Totals) {
    if let Some(q) = all.round_trips.quantiles() {
        let text = format!(
            "{} answered in {} / {} / {} (min / median / max)",
            counted(q.count, "ping"),
            duration(q.min),
            duration(q.p50),
            duration(q.max),
        );
        line(buf, Paint::Plain, Part::Plain, &text);
    }
}

fn codes(buf: &mut Vec<u8>, all: &Totals, paint: Paint) {
    if all.codes.is_empty() {
        return;
    }
    line(buf, paint, Part::Strong, "\nnotes");
    let mut codes: Vec<_> = all.codes.iter().collect();
    codes.sort_by_key(|(code, n)| (Reverse(code.severity()), Reverse(**n)));
    for (code, n) in codes {
        let mut out = format!("{:>10}  ", grouped(*n));
        paint.put(&mut out, Part::Note(code.severity()), code.as_str());
        line(buf, Paint::Plain, Part::Plain, &out);
    }
}

fn top(buf: &mut Vec<u8>, all: &Totals, options: &StatsOptions) {
    // The table shows them all when there are few.
    if all.connections() <= all.top.len() as u64 || all.top.is_empty() {
        return;
    }
    line(buf, options.paint, Part::Strong, "\nlargest connections");
    for talker in &all.top {
        let mut out =
            format!("{:>10} {:>9}  ", format!("#{}", talker.no), byte_count(talker.wire_bytes));
        let path = talker.path.as_deref().unwrap_or("");
        let who = format!("{} > {}  {path}", talker.client, talker.server);
        let room = options.width.map_or(usize::MAX, |width| width.saturating_sub(22));
        let _ = escape::cut(&mut out, &who, room);
        line(buf, Paint::Plain, Part::Plain, &out);
    }
}

/// Names with their counts, without those that are 0.
fn append_named<'a>(
    out: &mut String,
    lead: &str,
    counts: impl IntoIterator<Item = (&'a str, u64)>,
) {
    let some = counts.into_iter().filter(|(_, n)| *n > 0);
    for (i, (name, n)) in some.enumerate() {
        let _ = write!(out, "{}{} {name}", if i == 0 { lead } else { ", " }, grouped(n));
    }
}

/// A length of time in at most 8 columns: three or four digits and its unit.
pub(super) fn duration(ns: u64) -> String {
    let mut text = String::new();
    push_duration(&mut text, ns);
    text
}

/// The same, appended.
pub(super) fn push_duration(out: &mut String, ns: u64) {
    let (unit, name, ns) = UNITS
        .into_iter()
        .find_map(|(unit, name, below)| {
            let ns = three_digits(ns, unit);
            (ns < below).then_some((unit, name, ns))
        })
        .unwrap_or((HOUR, " h", three_digits(ns, HOUR)));
    let (whole, part) = (ns / unit, ns % unit);
    let mut digits = itoa::Buffer::new();
    out.push_str(digits.format(whole));
    match whole {
        _ if unit == 1 => {}
        0..10 => {
            let hundredths = part / (unit / 100);
            out.push_str(if hundredths < 10 { ".0" } else { "." });
            out.push_str(digits.format(hundredths));
        }
        10..100 => {
            out.push('.');
            out.push_str(digits.format(part / (unit / 10)));
        }
        _ => {}
    }
    out.push_str(name);
}

/// Units of time with their nanoseconds, and from where on the next one is used.
const UNITS: [(u64, &str, u64); 5] = [
    (1, " ns", 1_000),
    (1_000, " µs", 1_000_000),
    (1_000_000, " ms", 1_000_000_000),
    (1_000_000_000, " s", 120_000_000_000),
    (60_000_000_000, " min", 7_200_000_000_000),
];

const HOUR: u64 = 3_600_000_000_000;

/// Rounded to what is shown of so many of a unit: two decimals, one, or none.
const fn three_digits(ns: u64, unit: u64) -> u64 {
    let step = match ns / unit {
        _ if unit == 1 => 1,
        0..10 => unit / 100,
        10..100 => unit / 10,
        _ => unit,
    };
    ns.saturating_add(step / 2) / step * step
}

pub(super) fn line(buf: &mut Vec<u8>, paint: Paint, part: Part, text: &str) {
    let mut out = String::with_capacity(text.len() + 16);
    paint.put(&mut out, part, text);
    out.push('\n');
    buf.extend_from_slice(out.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_fit_their_column() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_500, "1.00 ms"),
            (4_800_000, "4.80 ms"),
            (69_470_000, "69.5 ms"),
            (999_499_999, "999 ms"),
            (999_999_999, "1.00 s"),
            (61_000_000_000, "61.0 s"),
            (150_000_000_000, "2.50 min"),
            (119_999_999_999, "2.00 min"),
            (86_400_000_000_000, "24.0 h"),
            (u64::MAX, "5124095 h"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
            assert!(ns == u64::MAX || text.chars().count() <= 8);
        }
    }

    #[test]
    fn bars_grow_with_their_numbers() {
        assert_eq!([0, 1, 50, 100].map(|n| bar(n, 100)), [' ', '▁', '▄', '█']);
    }
}
