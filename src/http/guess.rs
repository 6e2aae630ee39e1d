//! What the first bytes of one direction look like, for a probe that must choose a stage; and the
//! PROXY protocol header that may come before them.
//!
//! Gets: the first bytes of a direction. Gives: a [`Guess`]. Keeps: nothing.

use super::head::{first_line, is_token_byte, may_start_request, may_start_response, request_line};

/// What bytes at the start of a direction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A client speaking HTTP/1, with or without a PROXY protocol header in front.
    Request,
    /// A server speaking HTTP/1.
    Response,
    /// A client speaking HTTP/2 (RFC 9113 section 3.4).
    Http2Preface,
    /// A server speaking HTTP/2: SETTINGS, its first frame (RFC 9113 section 3.4), which need not wait
    /// for the client.
    Http2Settings,
    /// Not HTTP.
    No,
    /// Too few bytes to tell.
    NeedMore,
}

/// Tells what the bytes look like; the first line is enough, and of common methods its beginning.
pub fn looks_like(bytes: &[u8]) -> Guess {
    let mut rest = bytes;
    match proxy_header(bytes) {
        ProxyHeader::No => {}
        ProxyHeader::Maybe => return Guess::NeedMore,
        ProxyHeader::Bad => return Guess::No,
        ProxyHeader::V1(len) | ProxyHeader::V2(len) => match bytes.get(len..) {
            None | Some([]) => return Guess::NeedMore,
            // Something else may follow it, but a server never sends one.
            Some(behind) => rest = behind,
        },
    }
    while let [b'\r' | b'\n', behind @ ..] = rest {
        rest = behind;
    }
    if rest.is_empty() {
        return Guess::NeedMore;
    }
    if rest.starts_with(HTTP2) {
        return Guess::Http2Preface;
    }
    if HTTP2.starts_with(rest) {
        return Guess::NeedMore;
    }
    if let [0, rest @ ..] = bytes {
        return settings(rest);
    }
    if may_start_response(rest) {
        return response(rest);
    }
    if may_start_request(first_line(rest).map_or(rest, |(line, _)| line)) {
        return request(rest);
    }
    Guess::No
}

/// The header of a SETTINGS frame that is no answer to one, behind its first byte: of a few settings of
/// 6 bytes each, on stream 0.
fn settings(bytes: &[u8]) -> Guess {
    let Some(head) = bytes.first_chunk::<8>() else {
        let like = bytes.iter().zip([None, None, Some(4), Some(0), Some(0), Some(0), Some(0)]);
        let may = like.into_iter().all(|(byte, want)| want.is_none_or(|want| *byte == want));
        return if may { Guess::NeedMore } else { Guess::No };
    };
    match *head {
        [high @ 0..=1, low, 4, 0, 0, 0, 0, 0] if u16::from_be_bytes([high, low]) % 6 == 0 => {
            Guess::Http2Settings
        }
        _ => Guess::No,
    }
}

/// By version and status, whatever comes behind them: a cut packet may hold no more of the line.
fn response(bytes: &[u8]) -> Guess {
    let Some((version, mut rest)) = bytes.split_first_chunk::<9>() else {
        return Guess::NeedMore;
    };
    if !matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b' ']) {
        return Guess::No;
    }
    while let [b' ' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    match rest {
        [a, b, c, ..] if [a, b, c].into_iter().all(u8::is_ascii_digit) => Guess::Response,
        [_, _, _, ..] => Guess::No,
        _ => Guess::NeedMore,
    }
}

/// Judged in the order in which the bytes come, so that a verdict does not depend on how many of them
/// are there.
fn request(bytes: &[u8]) -> Guess {
    let whole = first_line(bytes).map(|(line, _)| line);
    let line = whole.unwrap_or_else(|| bytes.strip_suffix(b"\r").unwrap_or(bytes));
    let mut words = line.splitn(2, |&b| b == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let begins = match method {
        // RFC 9112 section 3.2.3: the authority form, "host:port".
        b"CONNECT" => target.first().is_some_and(|&b| is_token_byte(b) || b == b'['),
        b"OPTIONS" => matches!(target.first(), Some(b'/' | b'*' | b'h' | b'H')),
        _ => matches!(target.first(), Some(b'/' | b'h' | b'H')),
    };
    if begins && METHODS.contains(&method) {
        return Guess::Request;
    }
    // Nobody who speaks HTTP begins with control characters.
    if line.iter().any(|&b| b < b' ' || b == 0x7f) {
        return Guess::No;
    }
    match whole {
        Some(line) if request_line(line).is_some() => Guess::Request,
        Some(_) => Guess::No,
        None => Guess::NeedMore,
    }
}

/// Is this line, in the middle of unknown bytes, plainly a request line.
pub(super) fn plainly_request(line: &[u8]) -> bool {
    let line = first_line(line).map_or(line, |(line, _)| line);
    request_line(line).is_some_and(|l| {
        METHODS.contains(&l.method)
            && l.version.starts_with(b"1.")
            && l.target.iter().all(|&b| b > b' ' && b != 0x7f)
    })
}

/// Can it still become one.
pub(super) fn may_be_plainly_request(bytes: &[u8]) -> bool {
    let mut words = bytes.splitn(2, |&b| b == b' ');
    let method = words.next().unwrap_or_default();
    match words.next() {
        Some(_) => METHODS.contains(&method),
        None => METHODS.iter().any(|m| m.starts_with(method)),
    }
}

/// A PROXY protocol header at the start of a connection
/// (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyHeader {
    /// There is none.
    No,
    /// Too few bytes to tell.
    Maybe,
    /// It begins as one and is broken.
    Bad,
    /// Version 1, so many bytes in all.
    V1(usize),
    /// Version 2, so many bytes in all; they need not be there yet.
    V2(usize),
}

/// Version and length of the PROXY protocol header that these bytes begin with, whatever comes behind it.
pub fn proxy_protocol(bytes: &[u8]) -> Option<(u8, usize)> {
    let (version, len) = match proxy_header(bytes) {
        ProxyHeader::V1(len) => (1, len),
        ProxyHeader::V2(len) => (2, len),
        ProxyHeader::No | ProxyHeader::Maybe | ProxyHeader::Bad => return None,
    };
    (bytes.len() >= len).then_some((version, len))
}

pub(super) fn proxy_header(bytes: &[u8]) -> ProxyHeader {
    if let Some((start, rest)) = bytes.split_first_chunk::<12>()
        && start == V2_SIGNATURE
    {
        return match rest {
            // Section 2.2: the high four bits are the version.
            [version, ..] if version >> 4 != 2 => ProxyHeader::Bad,
            [_, _, high, low, ..] => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                ProxyHeader::V2(len.saturating_add(16))
            }
            _ => ProxyHeader::Maybe,
        };
    }
    if bytes.starts_with(b"PROXY ") {
        // Section 2.1: at most 107 bytes with the line end.
        let window = bytes.get(..V1_MAX).unwrap_or(bytes);
        return match memchr::memchr(b'\n', window) {
            Some(lf) => ProxyHeader::V1(lf.saturating_add(1)),
            None if bytes.len() >= V1_MAX => ProxyHeader::Bad,
            None => ProxyHeader::Maybe,
        };
    }
    if V2_SIGNATURE.starts_with(bytes) || b"PROXY ".starts_with(bytes) {
        ProxyHeader::Maybe
    } else {
        ProxyHeader::No
    }
}

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V1_MAX: usize = 107;
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Methods of RFC 9110, RFC 5789 and RFC 4918: enough to know a request by its first word.
const METHODS: [&[u8]; 16] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"REPORT",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_told_apart() {
        for (bytes, want) in [
            (&b""[..], Guess::NeedMore),
            (b"G", Guess::NeedMore),
            (b"GET ", Guess::NeedMore),
            (b"GET /", Guess::Request),
            (b"\r\n\nGET /chat HTTP/1.1\r\n", Guess::Request),
            (b"CONNECT h", Guess::Request),
            (b"OPTIONS *", Guess::Request),
            (b"BREW /pot", Guess::NeedMore),
            (b"BREW /pot HTTP/1.1\n", Guess::Request),
            (b"BREW /pot RTSP/1.0\n", Guess::No),
            (b"GET / HTTP/1.1", Guess::Request),
            (b"GET \x01", Guess::No),
            (b"GET \x01 HTTP/1.1\r\n", Guess::No),
            (b"GET /\x01 HTTP/1.1\r\n", Guess::Request),
            (b"H", Guess::NeedMore),
            (b"HEAD /", Guess::Request),
            (b"HTTP/1.1 10", Guess::NeedMore),
            (b"\0\0\x12\x04", Guess::NeedMore),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03", Guess::Http2Settings),
            (b"\0\0\x11\x04\0\0\0\0\0\0\x03", Guess::No),
            (b"\0\0\x12\x04\x01", Guess::No),
            (b"HTTP/1.1 101 Switching Protoco", Guess::Response),
            (b"HTTP/1.0 200\r\n", Guess::Response),
            (b"HTTP/1.1 xyz OK\r\n", Guess::No),
            (b"ICY 200 OK\r\n", Guess::No),
            (b"PRI", Guess::NeedMore),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Guess::Http2Preface),
            (b"PR", Guess::NeedMore),
            (b"\x16\x03\x01\x02\x00", Guess::No),
            (b"\x81\x85", Guess::No),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Guess::No),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Guess::NeedMore),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /", Guess::Request),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02", Guess::NeedMore),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02abGET /", Guess::Request),
            (b"\r\n\r\n\0\r\nQUIT\n\x31", Guess::No),
        ] {
            assert_eq!(looks_like(bytes), want, "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn verdict_never_changes_once_given() {
        for text in [
            &b"GET /chat HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"GET \0\x9dGEk HTTP/1.1\r\n",
            b"GET /\x01\r\n",
            b"BREW /\x01 HTTP/1.1\r\n",
            b"BREW / HTTP/1.1\r\r\n",
            b"HTTP/1.1 1012 Strange\r\n",
            b"HTTP/1.1  \t101 Switching Protocols\r\n",
            b"HTTP/1.1 1\n\n\n",
        ] {
            let last = looks_like(text);
            for len in 0..text.len() {
                let guess = looks_like(&text[..len]);
                assert!(guess == last || guess == Guess::NeedMore, "{len} of {text:?}: {guess:?}");
            }
        }
    }

    #[test]
    fn version_1_header_may_not_be_longer_than_107_bytes() {
        let mut long = b"PROXY ".to_vec();
        long.resize(106, b'x');
        assert_eq!(proxy_header(&long), ProxyHeader::Maybe);
        long.push(b'x');
        assert_eq!(proxy_header(&long), ProxyHeader::Bad);
        *long.last_mut().unwrap() = b'\n';
        assert_eq!(proxy_header(&long), ProxyHeader::V1(107));
    }
}
