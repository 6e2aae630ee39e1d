//! Bodies: how long they are (RFC 9112 section 6), and how to step over them without keeping a byte.
//!
//! Gets: the fields of a head; in-order bytes and gaps. Gives: where the next head begins.
//! Keeps: a few counters.

use super::head::{RawField, tokens, values};
use super::lines::{Line, advance};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The end of the connection.
    UntilClose,
    /// The head does not tell, or contradicts itself.
    Unknown,
}

/// RFC 9112 section 6.3, for requests.
pub(super) fn of_request(fields: &[RawField<'_>]) -> Framing {
    match (transfer_coding(fields), content_length(fields)) {
        (Some(Coding::Chunked), _) => Framing::Chunked,
        (Some(Coding::Other), _) | (None, ContentLength::Invalid) => Framing::Unknown,
        (None, ContentLength::Is(0) | ContentLength::Absent) => Framing::None,
        (None, ContentLength::Is(len)) => Framing::Length(len),
    }
}

/// RFC 9112 section 6.3, for responses.
pub(super) fn of_response(fields: &[RawField<'_>], status: u16, to_head: bool) -> Framing {
    if to_head || status < 200 || status == 204 || status == 304 {
        return Framing::None;
    }
    match (transfer_coding(fields), content_length(fields)) {
        (Some(Coding::Chunked), _) => Framing::Chunked,
        (Some(Coding::Other), _) | (None, ContentLength::Absent) => Framing::UntilClose,
        (None, ContentLength::Invalid) => Framing::Unknown,
        (None, ContentLength::Is(0)) => Framing::None,
        (None, ContentLength::Is(len)) => Framing::Length(len),
    }
}

enum Coding {
    Chunked,
    Other,
}

/// The last transfer coding decides.
fn transfer_coding(fields: &[RawField<'_>]) -> Option<Coding> {
    let last = tokens(fields, "Transfer-Encoding").last()?;
    let name = last.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
    Some(if name.eq_ignore_ascii_case(b"chunked") { Coding::Chunked } else { Coding::Other })
}

enum ContentLength {
    Absent,
    Is(u64),
    Invalid,
}

/// RFC 9110 section 8.6: several equal values count as one.
fn content_length(fields: &[RawField<'_>]) -> ContentLength {
    let mut found = None;
    for token in tokens(fields, "Content-Length") {
        let digits = token.iter().all(u8::is_ascii_digit);
        let number =
            std::str::from_utf8(token).ok().filter(|_| digits).and_then(|t| t.parse().ok());
        let Some(number) = number else { return ContentLength::Invalid };
        if found.is_some_and(|f: u64| f != number) {
            return ContentLength::Invalid;
        }
        found = Some(number);
    }
    match (found, values(fields, "Content-Length").next()) {
        (Some(number), _) => ContentLength::Is(number),
        (None, Some(_)) => ContentLength::Invalid,
        (None, None) => ContentLength::Absent,
    }
}

/// A body under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Bytes left.
    Length { left: u64, begun: bool },
    /// Chunks.
    Chunked(Chunk),
    /// To the end of the connection.
    UntilClose,
}

/// Where in a chunked body (RFC 9112 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the digits of a chunk's size.
    Size { size: u64, digits: u8 },
    /// Behind them, up to the line's end: extensions.
    Extension { size: u64 },
    /// In the data.
    Data { left: u64 },
    /// In the line end behind the data.
    DataEnd,
    /// Behind the last chunk.
    Trailer(Line),
}

/// What came of stepping over body bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    /// All input was body; more is to come.
    More,
    /// The body is over.
    End,
    /// These are no chunks: nobody knows where the next head begins.
    Broken,
}

/// What came of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bridged {
    /// The body goes on behind it.
    More,
    /// The body ends where the gap ends.
    End,
    /// The end of the body, and so many bytes more, are in it.
    Lost(u64),
}

impl Body {
    /// The body that this framing announces; `None` for none, and where nobody knows.
    pub(super) const fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::None | Framing::Unknown => None,
            Framing::Length(left) => Some(Self::Length { left, begun: false }),
            Framing::Chunked => Some(Self::Chunked(Chunk::Size { size: 0, digits: 0 })),
            Framing::UntilClose => Some(Self::UntilClose),
        }
    }

    /// Steps over body bytes at the front of `input`.
    pub(super) fn skip(&mut self, input: &mut &[u8]) -> Skipped {
        match self {
            Self::UntilClose => {
                *input = &[];
                Skipped::More
            }
            Self::Length { left, begun } => {
                *begun |= !input.is_empty();
                skip_counted(left, input);
                if *left == 0 { Skipped::End } else { Skipped::More }
            }
            Self::Chunked(chunk) => {
                while !input.is_empty() {
                    match chunk.step(input) {
                        Skipped::More => {}
                        done => return done,
                    }
                }
                Skipped::More
            }
        }
    }

    /// Steps over a gap.
    pub(super) fn gap(&mut self, len: u64) -> Bridged {
        let left = match self {
            Self::UntilClose => return Bridged::More,
            Self::Length { left, begun } => {
                *begun = true;
                left
            }
            Self::Chunked(Chunk::Data { left }) => {
                let Some(rest) = left.checked_sub(len) else { return Bridged::Lost(len) };
                *left = rest;
                if rest == 0 {
                    *self = Self::Chunked(Chunk::DataEnd);
                }
                return Bridged::More;
            }
            Self::Chunked(_) => return Bridged::Lost(len),
        };
        match left.checked_sub(len) {
            Some(0) => Bridged::End,
            Some(rest) => {
                *left = rest;
                Bridged::More
            }
            None => Bridged::Lost(len.saturating_sub(*left)),
        }
    }
}

impl Chunk {
    /// One step; takes at least a byte unless the bytes are no chunks.
    fn step(&mut self, input: &mut &[u8]) -> Skipped {
        match *self {
            Self::Size { size, digits } => return self.size_byte(size, digits, input),
            Self::Extension { size } => {
                let lf = memchr::memchr(b'\n', input);
                advance(input, lf.map_or(input.len(), |lf| lf.saturating_add(1)));
                if lf.is_some() {
                    *self = Self::behind_size(size);
                }
            }
            Self::Data { mut left } => {
                skip_counted(&mut left, input);
                *self = if left == 0 { Self::DataEnd } else { Self::Data { left } };
            }
            Self::DataEnd => match input.first() {
                Some(b'\r') => {
                    advance(input, 1);
                }
                Some(b'\n') => {
                    advance(input, 1);
                    *self = Self::Size { size: 0, digits: 0 };
                }
                _ => return Skipped::Broken,
            },
            Self::Trailer(mut line) => {
                let end = line.scan(input);
                advance(input, end.unwrap_or(input.len()));
                *self = Self::Trailer(line);
                if end.is_some() {
                    return Skipped::End;
                }
            }
        }
        Skipped::More
    }

    fn size_byte(&mut self, size: u64, digits: u8, input: &mut &[u8]) -> Skipped {
        let Some((&byte, rest)) = input.split_first() else { return Skipped::More };
        let digit = char::from(byte).to_digit(16);
        *self = match (byte, digit) {
            // Sixteen digits fill 64 bits; zeros in front are allowed, but not without end.
            (_, Some(digit)) if digits < 32 => {
                let Some(size) = size.checked_mul(16).and_then(|s| s.checked_add(digit.into()))
                else {
                    return Skipped::Broken;
                };
                Self::Size { size, digits: digits.saturating_add(1) }
            }
            (b'\n', _) if digits > 0 => Self::behind_size(size),
            // Extensions, the line end, and white space that some put before either.
            (b';' | b'\r' | b' ' | b'\t', _) if digits > 0 => Self::Extension { size },
            _ => return Skipped::Broken,
        };
        *input = rest;
        Skipped::More
    }

    const fn behind_size(size: u64) -> Self {
        if size == 0 { Self::Trailer(Line::Empty) } else { Self::Data { left: size } }
    }
}

fn skip_counted(left: &mut u64, input: &mut &[u8]) {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left = left.saturating_sub(advance(input, len).len() as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn fields<'a>(list: &[(&'a str, &'a str)]) -> Vec<RawField<'a>> {
        let field = |&(name, value): &(&'a str, &'a str)| RawField {
            name: name.as_bytes(),
            value: Cow::Borrowed(value.as_bytes()),
        };
        list.iter().map(field).collect()
    }

    #[test]
    fn request_bodies_need_a_header_that_says_so() {
        for (list, want) in [
            (&[][..], Framing::None),
            (&[("Content-Length", "0")], Framing::None),
            (&[("content-length", "12")], Framing::Length(12)),
            (&[("Content-Length", "5"), ("Content-Length", "5")], Framing::Length(5)),
            (&[("Content-Length", "5, 5")], Framing::Length(5)),
            (&[("Content-Length", "5"), ("Content-Length", "6")], Framing::Unknown),
            (&[("Content-Length", "-1")], Framing::Unknown),
            (&[("Content-Length", "+1")], Framing::Unknown),
            (&[("Content-Length", "")], Framing::Unknown),
            (&[("Content-Length", "18446744073709551616")], Framing::Unknown),
            (&[("Transfer-Encoding", "Chunked"), ("Content-Length", "9")], Framing::Chunked),
            (&[("Transfer-Encoding", "gzip, chunked")], Framing::Chunked),
            (&[("Transfer-Encoding", "gzip")], Framing::Unknown),
        ] {
            assert_eq!(of_request(&fields(list)), want, "{list:?}");
        }
    }

    #[test]
    fn response_bodies_last_to_the_close_unless_told_otherwise() {
        let twelve = fields(&[("Content-Length", "12")]);
        assert_eq!(of_response(&twelve, 200, false), Framing::Length(12));
        assert_eq!(of_response(&twelve, 200, true), Framing::None);
        assert_eq!(of_response(&twelve, 304, false), Framing::None);
        assert_eq!(of_response(&twelve, 204, false), Framing::None);
        assert_eq!(of_response(&[], 200, false), Framing::UntilClose);
        let coded = fields(&[("Transfer-Encoding", "gzip")]);
        assert_eq!(of_response(&coded, 200, false), Framing::UntilClose);
    }

    #[test]
    fn chunks_with_extensions_and_trailers_end_where_they_end() {
        // RFC 9112 section 7.1: sizes in hex, extensions behind a semicolon, trailers at the end.
        let text = b"4;a=b\r\nWiki\r\nC \r\nin chunks.\r\n\r\n000;x\r\nExpires: never\r\n\r\nNEXT";
        for cut in 0..=text.len() {
            let mut body = Body::new(Framing::Chunked).unwrap();
            let (mut a, mut b) = text.split_at(cut);
            let mut end = body.skip(&mut a);
            if end == Skipped::More {
                end = body.skip(&mut b);
            }
            assert_eq!(end, Skipped::End, "{cut}");
            assert_eq!([a, b].concat(), b"NEXT", "{cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_chunks_are_told() {
        for text in [&b"\x81\x05"[..], b"xyz\r\n", b"\r\n", b"2\r\nabc", b"11112222333344445\r\n"] {
            let mut input = text;
            let mut body = Body::new(Framing::Chunked).unwrap();
            assert_eq!(body.skip(&mut input), Skipped::Broken, "{text:?}");
        }
    }

    #[test]
    fn gap_inside_a_known_length_keeps_step() {
        let mut body = Body::new(Framing::Length(10)).unwrap();
        assert_eq!(body.skip(&mut &b"ab"[..]), Skipped::More);
        assert_eq!(body.gap(3), Bridged::More);
        assert_eq!(body.gap(9), Bridged::Lost(4));
        assert_eq!(body.gap(5), Bridged::End);
        let mut body = Body::new(Framing::Chunked).unwrap();
        assert_eq!(body.gap(1), Bridged::Lost(1));
        assert_eq!(body.skip(&mut &b"5\r\n"[..]), Skipped::More);
        assert_eq!(body.gap(6), Bridged::Lost(6));
        assert_eq!(body.gap(5), Bridged::More);
        assert_eq!(body.skip(&mut &b"\r\n0\r\n\r\n"[..]), Skipped::End);
    }
}
