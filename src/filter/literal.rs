//! Literals, read as the field beside them wants them.
//!
//! Gets: a string or a run of characters, and the field. Gives: a [`Literal`], or what is wrong.

use std::net::{IpAddr, SocketAddr};

use regex::bytes::RegexBuilder;

use super::ast::{Literal, Net, Op, Pattern};
use super::field::{FieldRef, FieldSpec, FieldType, Heads, Id, OPCODES, lookup};
use super::text::{nearest, quoted, shown};
use crate::units::Timestamp;

/// A literal before its field gave it a meaning.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw<'a> {
    Bare(&'a str),
    Quoted(Vec<u8>),
}

/// What is wrong with a literal.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) reason: String,
    pub(super) suggestion: Option<String>,
}

/// Bytes that a compiled regular expression may take: a tenth of the crate's default, and still
/// several hundred alternatives.
const REGEX_SIZE: usize = 1 << 20;

/// How deep groups of a regular expression may nest.
const REGEX_DEPTH: u32 = 64;

/// Reads the literal behind `field op`.
pub(super) fn read(field: &FieldRef, op: Op, raw: &Raw<'_>) -> Result<Literal, Fault> {
    if op == Op::Matches {
        return pattern(utf8(raw)?);
    }
    if op == Op::Contains && field.spec.kind != FieldType::Bytes {
        return text(field.spec, raw).map(Literal::Text);
    }
    match field.spec.kind {
        FieldType::Presence => fault("nothing to compare with"),
        FieldType::Number => number(field.spec, utf8(raw)?),
        FieldType::Size => size(utf8(raw)?).map_or_else(
            || wrong(raw, "a size", "for example `4096`, `4k`, `1.5MiB`"),
            |n| Ok(Literal::Int(n)),
        ),
        FieldType::Duration => duration(utf8(raw)?).map_or_else(
            || wrong(raw, "a duration", "for example `1.5` (seconds), `20ms`, `2m`"),
            |ns| Ok(Literal::Duration(ns)),
        ),
        FieldType::Time => time(utf8(raw)?).map_or_else(
            || wrong(raw, "a time", "for example `2026-11-22T16:01:02.5Z`, `\"2026-11-22 16:01\"`"),
            |time| Ok(Literal::Time(time)),
        ),
        FieldType::Boolean => match utf8(raw)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(Literal::Bool(true)),
            "false" | "0" | "no" => Ok(Literal::Bool(false)),
            _ => wrong(raw, "true or false", "write `true` or `false`"),
        },
        FieldType::Text => text(field.spec, raw).map(Literal::Text),
        FieldType::Bytes => bytes(raw).map_or_else(
            || wrong(raw, "bytes", &format!("write hex `01:02:ff`, or text in quotes: {}",
                quoted(utf8(raw).unwrap_or("text")))),
            |bytes| Ok(Literal::Bytes(bytes)),
        ),
        FieldType::Word => word(field.spec, utf8(raw)?),
        FieldType::Address => net(utf8(raw)?).map_or_else(
            || wrong(raw, "an IP address", "for example `10.0.0.1`, `10.0.0.0/8`, `fe80::/10`; names are not looked up"),
            |net| Ok(Literal::Net(net)),
        ),
        FieldType::Endpoint => endpoint(utf8(raw)?).map_or_else(
            || wrong(raw, "an address", "for example `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1:8088`, `[::1]:80`; names are not looked up"),
            |(net, port)| Ok(Literal::Endpoint(net, port)),
        ),
        FieldType::Json => json(raw),
    }
}

fn fault<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { reason: reason.into(), suggestion: None })
}

fn wrong<T>(raw: &Raw<'_>, what: &str, suggestion: &str) -> Result<T, Fault> {
    let typed = shown(&utf8(raw).map(str::to_owned).unwrap_or_default(), 40);
    Err(Fault {
        reason: format!("`{typed}` is not {what}"),
        suggestion: Some(suggestion.to_owned()),
    })
}

fn utf8<'a>(raw: &'a Raw<'_>) -> Result<&'a str, Fault> {
    match raw {
        Raw::Bare(text) => Ok(text),
        Raw::Quoted(bytes) => std::str::from_utf8(bytes).ok().ok_or_else(|| Fault {
            reason: "this text is not UTF-8".to_owned(),
            suggestion: Some("bytes are found with `payload contains ff:00`".to_owned()),
        }),
    }
}

fn text(spec: &FieldSpec, raw: &Raw<'_>) -> Result<String, Fault> {
    let text = utf8(raw)?;
    // Compared with the text `http.origin`, `http.host == http.origin` would silently find nothing.
    // A name without dot is more likely meant as text: `http.upgrade == websocket`.
    if let Raw::Bare(name) = raw
        && name.contains('.')
        && spec.kind == FieldType::Text
        && lookup(name).is_some()
    {
        return Err(Fault {
            reason: format!("`{name}` is a field; fields are not compared with each other"),
            suggestion: Some(format!("for the text, quote it: {}", quoted(name))),
        });
    }
    let version = matches!(spec.id, Id::HttpVersion | Id::RequestVersion | Id::ResponseVersion);
    // Wireshark has `HTTP/1.1` where the NDJSON has `1.1`.
    let text = text.strip_prefix("HTTP/").filter(|_| version).unwrap_or(text);
    Ok(text.to_owned())
}

fn pattern(source: &str) -> Result<Literal, Fault> {
    let built = RegexBuilder::new(source)
        .case_insensitive(true)
        .size_limit(REGEX_SIZE)
        .dfa_size_limit(REGEX_SIZE)
        .nest_limit(REGEX_DEPTH)
        .build();
    match built {
        Ok(regex) => Ok(Literal::Pattern(Pattern { source: source.to_owned(), regex })),
        Err(regex::Error::CompiledTooBig(_)) => {
            fault("the regular expression is too large when compiled")
        }
        Err(error) => {
            // The crate draws the pattern with a caret of its own; its last line is the reason.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            fault(format!("regular expression: {}", shown(reason, 120)))
        }
    }
}

fn number(spec: &FieldSpec, text: &str) -> Result<Literal, Fault> {
    if let Some(n) = integer(text) {
        return Ok(Literal::Int(n));
    }
    if spec.id != Id::Opcode {
        return wrong(&Raw::Bare(text), "a number", "for example `3` or `0x1f`");
    }
    let known = OPCODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map_or_else(|| unknown_word(spec, text), |(_, n)| Ok(Literal::Int(*n)))
}

fn word(spec: &FieldSpec, text: &str) -> Result<Literal, Fault> {
    let known = spec.values().into_iter().find(|value| value.eq_ignore_ascii_case(text));
    known.map_or_else(|| unknown_word(spec, text), |value| Ok(Literal::Word(value)))
}

fn unknown_word(spec: &FieldSpec, text: &str) -> Result<Literal, Fault> {
    let values = spec.values();
    let near = nearest(text, values.iter().copied());
    let suggestion = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if values.len() <= 8 => format!("it is one of: {}", values.join(", ")),
        None => "`wstap explain` lists them".to_owned(),
    };
    let reason = format!("`{}` is never `{}`", spec.name, shown(text, 40));
    Err(Fault { reason, suggestion: Some(suggestion) })
}

/// Decimal or hexadecimal, maybe negative.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let plain = |digits: &str| digits.starts_with(|c: char| c.is_ascii_hexdigit());
    let n = match hex {
        Some(hex) if plain(hex) => i128::from_str_radix(hex, 16).ok()?,
        None if plain(digits) => digits.parse().ok()?,
        _ => return None,
    };
    if negative { n.checked_neg() } else { Some(n) }
}

/// A decimal number times `scale`, exactly, rounded to zero.
fn decimal(text: &str, scale: i128) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |run: &str| run.bytes().all(|b| b.is_ascii_digit());
    // 18 digits behind the point are finer than a nanosecond of anything.
    if !digits(whole) || !digits(part) || whole.len() + part.len() == 0 || part.len() > 18 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let below = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let value = whole.checked_mul(scale)?.checked_add(fraction.checked_mul(scale)? / below)?;
    if negative { value.checked_neg() } else { Some(value) }
}

/// A number and the unit behind it, in lower case.
fn with_unit(text: &str) -> (&str, String) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    let (number, unit) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
    (number.trim(), unit.trim().to_lowercase())
}

/// Units as GNU tools read them: `k` and `KiB` are 1024, `kB` is 1000.
fn size(text: &str) -> Option<i128> {
    if let Some(n) = integer(text) {
        return Some(n);
    }
    let (number, unit) = with_unit(text);
    let scale = match unit.as_str() {
        "" | "b" => 1,
        "k" | "ki" | "kib" => 1 << 10,
        "m" | "mi" | "mib" => 1 << 20,
        "g" | "gi" | "gib" => 1 << 30,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    decimal(number, scale)
}

fn duration(text: &str) -> Option<i128> {
    let (number, unit) = with_unit(text);
    let scale = match unit.as_str() {
        "ns" => 1,
        "us" | "µs" | "μs" => 1000,
        "ms" => 1_000_000,
        "" | "s" | "sec" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => 86_400 * SECOND,
        _ => return None,
    };
    decimal(number, scale)
}

const SECOND: i128 = 1_000_000_000;

fn time(text: &str) -> Option<Timestamp> {
    let ns = if text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        decimal(text, SECOND)?
    } else {
        let utc = jiff::tz::TimeZone::UTC;
        let parsed = text.parse::<jiff::Timestamp>().or_else(|_| {
            text.parse::<jiff::civil::DateTime>().and_then(|time| utc.to_timestamp(time))
        });
        parsed.ok()?.as_nanosecond()
    };
    i64::try_from(ns).ok().map(Timestamp)
}

/// Hex digits in pairs, with or without one sort of separator; or what the quotes hold.
fn bytes(raw: &Raw<'_>) -> Option<Vec<u8>> {
    let text = match raw {
        Raw::Quoted(bytes) => return Some(bytes.clone()),
        Raw::Bare(text) => *text,
    };
    let separated = |separator: char| text.split(separator).map(byte).collect::<Option<Vec<u8>>>();
    if text.contains(':') {
        return separated(':');
    }
    if text.contains('-') {
        return separated('-');
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(byte))
        .collect::<Option<Vec<u8>>>()
        .filter(|bytes| !bytes.is_empty())
}

fn byte(pair: &str) -> Option<u8> {
    let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    u8::from_str_radix(pair, 16).ok().filter(|_| digits)
}

fn net(text: &str) -> Option<Net> {
    let Some((addr, bits)) = text.split_once('/') else {
        let addr: IpAddr = text.parse().ok()?;
        return Some(Net { addr: addr.to_canonical(), prefix: None });
    };
    let addr: IpAddr = addr.parse().ok()?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse::<u8>().ok())??;
    (prefix <= most).then_some(Net { addr, prefix: Some(prefix) })
}

fn endpoint(text: &str) -> Option<(Net, Option<u16>)> {
    if let Some(net) = net(text) {
        return Some((net, None));
    }
    let full: SocketAddr = text.parse().ok()?;
    Some((Net { addr: full.ip().to_canonical(), prefix: None }, Some(full.port())))
}

fn json(raw: &Raw<'_>) -> Result<Literal, Fault> {
    let Raw::Bare(text) = raw else {
        return utf8(raw).map(|text| Literal::Text(text.to_owned()));
    };
    let begins = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    let float = || text.parse::<f64>().ok().filter(|n| begins && n.is_finite());
    Ok(match *text {
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        "null" => Literal::Null,
        text => match (integer(text), float()) {
            (Some(n), _) => Literal::Int(n),
            (None, Some(n)) => Literal::Float(n),
            (None, None) => Literal::Text(text.to_owned()),
        },
    })
}

/// The heads in which a header field is looked for, and its name.
pub(super) fn header(field: &FieldRef) -> Option<(Heads, &str)> {
    match (&field.param, field.spec.id) {
        (super::field::Param::Header(name), Id::AnyHeader(heads)) => Some((heads, name)),
        (_, Id::Header(heads, name)) => Some((heads, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_nothing_else() {
        assert_eq!(integer("10"), Some(10));
        assert_eq!(integer("-10"), Some(-10));
        assert_eq!(integer("0xfF"), Some(255));
        for none in ["", "-", "0x", "0x-1", "+1", "1.5", "ff", "1e3", "--1", "1_0"] {
            assert_eq!(integer(none), None, "{none}");
        }
        assert_eq!(integer("170141183460469231731687303715884105728"), None, "over 127 bits");
    }

    #[test]
    fn sizes_and_durations_have_units() {
        assert_eq!(size("4k"), Some(4096));
        assert_eq!(size("4kB"), Some(4000));
        assert_eq!(size("1.5MiB"), Some(1_572_864));
        assert_eq!(size("0x10"), Some(16));
        assert_eq!(size("4x"), None);
        assert_eq!(size("k"), None);
        assert_eq!(duration("1.5"), Some(1_500_000_000));
        assert_eq!(duration("-0.25s"), Some(-250_000_000));
        assert_eq!(duration("20ms"), Some(20_000_000));
        assert_eq!(duration("1.5µs"), Some(1500));
        assert_eq!(duration("2h"), Some(7_200_000_000_000));
        for none in ["", ".", "-", "1.2.3", "1 2", "ms", "1-2"] {
            assert_eq!(duration(none), None, "{none}");
        }
    }

    #[test]
    fn times_are_rfc_3339_or_utc_or_seconds() {
        let want = Some(Timestamp(1_795_363_262_500_000_000));
        assert_eq!(time("2026-11-22T16:01:02.5Z"), want);
        assert_eq!(time("2026-11-22T17:01:02.5+01:00"), want);
        assert_eq!(time("2026-11-22 16:01:02.5"), want);
        assert_eq!(time("1795363262.5"), want);
        assert_eq!(time("2026-11-22"), Some(Timestamp(1_795_305_600_000_000_000)));
        assert_eq!(time("9999-01-01"), None, "beyond what nanoseconds in 64 bits hold");
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn bytes_are_pairs_of_hex_digits() {
        assert_eq!(bytes(&Raw::Bare("01:02:fF")), Some(vec![1, 2, 255]));
        assert_eq!(bytes(&Raw::Bare("01-02")), Some(vec![1, 2]));
        assert_eq!(bytes(&Raw::Bare("0102ff")), Some(vec![1, 2, 255]));
        for none in ["", "1", "01:2", "0x01", "01:02-03", "xy", "+1", "012", "ä0"] {
            assert_eq!(bytes(&Raw::Bare(none)), None, "{none}");
        }
    }

    #[test]
    fn prefixes_are_no_longer_than_the_address() {
        assert!(net("10.0.0.0/32").is_some());
        assert!(net("::/128").is_some());
        for none in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0", "localhost"] {
            assert!(net(none).is_none(), "{none}");
        }
    }
}
