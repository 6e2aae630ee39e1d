//! The lines of one header field on both legs, and what happened to them on the way.
//!
//! Gets: the values of a name before and after. Gives: a [`Change`], or nothing where both say the
//! same in as many words.

use super::known::{self, Kind};
use crate::event::{Fields, header_text};

/// What happened to a header on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
    /// White space, letter case or the number of lines only.
    Cosmetic,
}

pub(super) fn lines<'a>(fields: &'a Fields, name: &str) -> Vec<&'a [u8]> {
    // HTTP/2's `:authority` is what HTTP/1.1 calls Host.
    let is = |f: &crate::event::Field| f.is(name) || name == "host" && f.is(":authority");
    fields.0.iter().filter(|f| is(f)).map(|f| &*f.value).collect()
}

pub(super) fn change(name: &str, kind: Kind, from: &[&[u8]], to: &[&[u8]]) -> Option<Change> {
    if from == to {
        return None;
    }
    if name == ":authority" {
        return None;
    }
    if from.is_empty() {
        return Some(Change::Added);
    }
    if to.is_empty() {
        return Some(Change::Removed);
    }
    // RFC 9113 section 8.2.3: HTTP/2 may cut a Cookie at its semicolons, HTTP/1.1 has one line.
    if name == "cookie" && from.join(COOKIE_PAIRS) == to.join(COOKIE_PAIRS) {
        return None;
    }
    let list = known::is_list(name);
    if list && elements(from) == elements(to) {
        // Lines joined or split (RFC 9110 section 5.3) say nothing worth a word.
        return (from.join(&b", "[..]) != to.join(&b", "[..])).then_some(Change::Cosmetic);
    }
    let folded = |lines: &[&[u8]]| -> Vec<Vec<u8>> {
        elements(lines).into_iter().map(<[u8]>::to_ascii_lowercase).collect()
    };
    // RFC 9110 sections 7.6.1, 7.8: these tokens know no letter case, and Connection no order.
    if kind == Kind::Upgrade && folded(from) == folded(to) {
        return Some(Change::Cosmetic);
    }
    if kind == Kind::Connection {
        let (mut a, mut b) = (folded(from), folded(to));
        a.sort();
        b.sort();
        if a == b {
            return Some(Change::Cosmetic);
        }
    }
    if besides(from, to).is_some() {
        return Some(Change::Added);
    }
    if besides(to, from).is_some() {
        return Some(Change::Removed);
    }
    Some(Change::Changed)
}

/// The lines of `all` besides those of `kept`; `None` when it lacks one of them, or the order.
pub(super) fn besides<'a>(kept: &[&[u8]], all: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let mut kept = kept.iter().peekable();
    let more = all.iter().copied().filter(|line| kept.next_if(|k| *k == line).is_none()).collect();
    kept.peek().is_none().then_some(more)
}

/// Elements of a list, with the white space around commas and semicolons left out.
fn elements<'a>(lines: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let pieces = lines.iter().flat_map(|line| line.split(|&b| b == b','));
    let mut all: Vec<&[u8]> = Vec::new();
    for (i, piece) in pieces.enumerate() {
        if i > 0 {
            all.push(b",");
        }
        for (j, part) in piece.split(|&b| b == b';').enumerate() {
            if j > 0 {
                all.push(b";");
            }
            all.push(part.trim_ascii());
        }
    }
    all
}

pub(super) fn has_token(lines: &[&[u8]], token: &[u8]) -> bool {
    let mut tokens = lines.iter().flat_map(|line| line.split(|&b| b == b','));
    tokens.any(|t| t.trim_ascii().eq_ignore_ascii_case(token))
}

pub(super) fn joined(name: &str, lines: &[&[u8]]) -> Option<String> {
    let between = if name.eq_ignore_ascii_case("cookie") { COOKIE_PAIRS } else { b", " };
    (!lines.is_empty()).then(|| header_text(&lines.join(between)).into_owned())
}

/// Do two lines of a header say the same?
pub(in crate::diff) fn same_line(name: &str, one: &[u8], two: &[u8]) -> bool {
    one == two || known::is_list(name) && elements(&[one]) == elements(&[two])
}

/// What stands between the pairs of a Cookie (RFC 6265 section 4.2.1).
const COOKIE_PAIRS: &[u8] = b"; ";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, from: &[&[u8]], to: &[&[u8]]) -> Option<Change> {
        change(name, known::kind(name), from, to)
    }

    #[test]
    fn line_put_before_or_between_the_others_is_added() {
        let server: [&[u8]; 1] = [b"backend/1"];
        assert_eq!(of("server", &server, &[b"Caddy", b"backend/1"]), Some(Change::Added));
        assert_eq!(of("x-multi", &[b"a", b"c"], &[b"a", b"b", b"c"]), Some(Change::Added));
        assert_eq!(of("set-cookie", &[b"a=1", b"b=2"], &[b"b=2"]), Some(Change::Removed));
        assert_eq!(of("x-multi", &[b"a", b"b"], &[b"b", b"a"]), Some(Change::Changed));
        assert_eq!(besides(&[b"a", b"c"], &[b"a", b"b", b"c", b"c"]), Some(vec![&b"b"[..], b"c"]));
    }

    #[test]
    fn cookie_cut_up_by_http2_is_the_same_cookie() {
        assert_eq!(of("cookie", &[b"a=b", b"c=d"], &[b"a=b; c=d"]), None);
        assert_eq!(of("cookie", &[b"a=b; c=d"], &[b"a=b", b"c=d"]), None);
        assert_eq!(of("cookie", &[b"a=b", b"c=d"], &[b"a=b; c=e"]), Some(Change::Changed));
        assert_eq!(joined("Cookie", &[b"a=b", b"c=d"]).as_deref(), Some("a=b; c=d"));
    }

    #[test]
    fn white_space_of_a_list_says_nothing() {
        assert!(same_line("sec-websocket-protocol", b"chat.v2, chat.v1", b"chat.v2,chat.v1"));
        assert!(!same_line("sec-websocket-protocol", b"chat.v2, chat.v1", b"chat.v2"));
        assert!(!same_line("user-agent", b"a, b", b"a,b"));
    }
}
