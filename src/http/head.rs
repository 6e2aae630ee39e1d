//! Heads of requests and responses, read as a tolerant peer would (RFC 9112 sections 2 to 5).
//!
//! Gets: the bytes of a head, whole or cut. Gives: a borrowed [`Head`], with a note for each fault of
//! the bytes themselves. Keeps: nothing.
//!
//! Fields go through httparse; what that refuses is read again here, by rules under which a real
//! server or client may still have understood the head.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::over::Over;
use crate::event::{Field, FieldBytes, Fields, RequestHead, ResponseHead, Word, header_text};
use crate::limits::Limits;
use crate::note::{self, Blame, Note, NoteCode};
use crate::units::Origin;

/// How much of a head there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// From the start line to the empty line.
    Whole,
    /// Bytes are missing: only whole lines count, and lines that make no sense are left out.
    Cut,
    /// The same for a head that is over the limit.
    Over,
}

/// A head, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head<'a, L> {
    /// Request line or status line.
    pub(super) line: L,
    /// Fields in order.
    pub(super) fields: RawFields<'a>,
    /// Faults of the bytes.
    pub(super) notes: Vec<Note>,
    /// Fields may be missing: the head was cut, or has more than the limit.
    pub(super) partial: bool,
}

/// Fields in the order they were sent.
pub(super) type RawFields<'a> = SmallVec<[RawField<'a>; 16]>;

/// A field: name as sent, value trimmed and unfolded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawField<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Cow<'a, [u8]>,
}

/// `GET /chat HTTP/1.1`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: &'a [u8],
}

/// `HTTP/1.1 101 Switching Protocols`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusLine<'a> {
    pub(super) version: &'a [u8],
    pub(super) status: u16,
    pub(super) reason: &'a [u8],
}

/// Reads a request head; `None` where the request line is none.
pub(super) fn request<'a>(
    bytes: &'a [u8],
    extent: Extent,
    limits: &Limits,
) -> Option<Head<'a, RequestLine<'a>>> {
    let (line, at) = first_line(bytes)?;
    let line = request_line(line)?;
    let mut notes = Notes::new(Blame::Client, limits);
    // RFC 9112 section 3.2: no white space in the target; some servers take it all the same.
    let bad = |&b: &u8| b <= b' ' || b == 0x7f;
    if let Some(place) = line.target.iter().position(bad) {
        let byte = line.target.get(place).copied().unwrap_or_default();
        let at = line.method.len().saturating_add(place).saturating_add(1);
        notes.push(NoteCode::TargetInvalid, || {
            format!("the request target has the byte 0x{byte:02x} at offset {at} of the head")
        });
    }
    Some(finish(line, bytes, at, extent, notes, limits))
}

/// Reads a response head; `None` where the status line is none. Of a cut one, the status is enough.
pub(super) fn response<'a>(
    bytes: &'a [u8],
    extent: Extent,
    limits: &Limits,
) -> Option<Head<'a, StatusLine<'a>>> {
    let (line, at) = match (first_line(bytes), extent) {
        (Some(found), _) => found,
        (None, Extent::Cut | Extent::Over) => (bytes, bytes.len()),
        (None, Extent::Whole) => return None,
    };
    let notes = Notes::new(Blame::Server, limits);
    Some(finish(status_line(line)?, bytes, at, extent, notes, limits))
}

/// Fields and line ends, for both kinds of head; the fields start at `at`.
fn finish<'a, L>(
    line: L,
    bytes: &'a [u8],
    at: usize,
    extent: Extent,
    mut notes: Notes,
    limits: &Limits,
) -> Head<'a, L> {
    bare_line_feeds(bytes, &mut notes);
    let rest = bytes.get(at..).unwrap_or_default();
    // Filled where they stand: they are too large to be moved for nothing.
    let mut fields = RawFields::new();
    let strict = extent == Extent::Whole && strict_fields(rest, limits, &mut fields);
    let over = !strict && lenient_fields(rest, at, extent, &mut notes, limits, &mut fields);
    let over = match extent {
        Extent::Over => Some(Over::Bytes),
        Extent::Whole | Extent::Cut => over.then_some(Over::Fields),
    };
    let whose = if notes.blame == Blame::Client { "request" } else { "answer" };
    let mut notes = notes.list.into_vec();
    notes.extend(over.map(|over| over.note(whose, limits)));
    Head { line, fields, notes, partial: over.is_some() || extent == Extent::Cut }
}

/// The request line, without its line end: any token as method, spaces in the target.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let line = line.trim_ascii_end();
    let (method, rest) = split_at_byte(line, b' ')?;
    let space = memchr::memrchr(b' ', rest)?;
    let (target, version) = rest.split_at_checked(space)?;
    let version = http_version(version.get(1..)?)?;
    let target = trim_ows(target);
    // "PRI * HTTP/2.0" is how HTTP/2 begins, so that no HTTP/1 server takes it for a request.
    let good = is_method(method) && !target.is_empty() && method != b"PRI";
    good.then_some(RequestLine { method, target, version })
}

/// The status line, without its line end. The reason may be cut or missing.
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let (version, rest) = split_at_byte(line, b' ')?;
    let version = http_version(version)?;
    let rest = trim_ows(strip_cr(rest));
    let (code, reason) = rest.split_at_checked(3)?;
    let status = std::str::from_utf8(code).ok().filter(|c| c.bytes().all(|b| b.is_ascii_digit()));
    let status = status?.parse().ok()?;
    let clean = reason.first().is_none_or(|&b| b == b' ' || b == b'\t');
    clean.then(|| StatusLine { version, status, reason: trim_ows(reason) })
}

/// Can a request line start with these bytes. Looks at no more than [`METHOD_MAX`] and one.
pub(super) fn may_start_request(bytes: &[u8]) -> bool {
    let window = bytes.get(..=METHOD_MAX).unwrap_or(bytes);
    match split_at_byte(window, b' ') {
        Some((method, _)) => is_method(method),
        None => bytes.len() <= METHOD_MAX && window.iter().all(|&b| is_token_byte(b)),
    }
}

/// Can a status line start with these bytes.
pub(super) fn may_start_response(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"HTTP/").all(|(a, b)| a == b)
}

/// `1.1` of `HTTP/1.1`.
fn http_version(bytes: &[u8]) -> Option<&[u8]> {
    let number = bytes.strip_prefix(b"HTTP/")?;
    let [major, b'.', minor] = number else { return None };
    (major.is_ascii_digit() && minor.is_ascii_digit()).then_some(number)
}

fn is_method(method: &[u8]) -> bool {
    (1..=METHOD_MAX).contains(&method.len()) && method.iter().all(|&b| is_token_byte(b))
}

/// `tchar` of RFC 9110 section 5.6.2, which a token is made of; RFC 2616 section 2.2 says the same.
pub(crate) const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What a field value may hold: RFC 9110 section 5.5.
const fn is_value_byte(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

/// Fields as httparse reads them; false, and none, where it refuses.
fn strict_fields<'a>(bytes: &'a [u8], limits: &Limits, fields: &mut RawFields<'a>) -> bool {
    // Few heads have more than sixteen, and room for more must be initialised first.
    let mut few = [httparse::EMPTY_HEADER; 16];
    let mut many;
    let headers = match httparse::parse_headers(bytes, &mut few) {
        Ok(httparse::Status::Complete((_, headers))) => headers,
        Err(httparse::Error::TooManyHeaders) => {
            many = [httparse::EMPTY_HEADER; 64];
            match httparse::parse_headers(bytes, &mut many) {
                Ok(httparse::Status::Complete((_, headers))) => headers,
                _ => return false,
            }
        }
        _ => return false,
    };
    if headers.len() > limits.head_fields {
        return false;
    }
    let field = |h: &httparse::Header<'a>| RawField {
        name: h.name.as_bytes(),
        value: Cow::Borrowed(trim_ows(h.value)),
    };
    fields.extend(headers.iter().map(field));
    true
}

/// Fields as somebody tolerant reads them; true when there are more than the limit.
fn lenient_fields<'a>(
    bytes: &'a [u8],
    mut at: usize,
    extent: Extent,
    notes: &mut Notes,
    limits: &Limits,
    fields: &mut RawFields<'a>,
) -> bool {
    let mut rest = bytes;
    while let Some((line, len)) = first_line(rest) {
        rest = rest.get(len..).unwrap_or_default();
        let here = at;
        at = at.saturating_add(len);
        if line.is_empty() {
            break;
        }
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if folded && let Some(last) = fields.last_mut() {
            unfold(last, line, here, notes);
        } else if fields.len() < limits.head_fields {
            fields.extend(field(line, here, extent, notes));
        } else {
            return true;
        }
    }
    false
}

/// A field line. Where nothing is missing it is kept whatever it is, with a note for its faults.
fn field<'a>(line: &'a [u8], at: usize, extent: Extent, notes: &mut Notes) -> Option<RawField<'a>> {
    let (name, value) = split_at_byte(line, b':').unwrap_or((line, b""));
    let bad_name = name.iter().position(|&b| !is_token_byte(b));
    let bare = name.len() == line.len();
    if extent != Extent::Whole && (bare || name.is_empty() || bad_name.is_some()) {
        return None;
    }
    let value_at = line.len().saturating_sub(value.len());
    if bare {
        notes.header(name, || format!("has no colon, at offset {at} of the head"));
    } else if name.is_empty() {
        notes.header(name, || format!("has no name, at offset {at} of the head"));
    } else if let Some((byte, place)) = bad_name.and_then(|p| octet(name, p, at)) {
        notes.header(name, || format!("has {byte} in its name, {place}"));
    }
    if let Some((byte, place)) = value
        .iter()
        .position(|&b| !is_value_byte(b))
        .and_then(|p| octet(value, p, at.saturating_add(value_at)))
    {
        notes.header(name, || format!("has {byte} in its value, {place}"));
    }
    Some(RawField { name: trim_ows(name), value: Cow::Borrowed(trim_ows(value)) })
}

/// RFC 9112 section 5.2: a line that starts with white space continues the field before it; the
/// break counts as a space.
fn unfold(last: &mut RawField<'_>, line: &[u8], at: usize, notes: &mut Notes) {
    notes.header(last.name, || {
        format!(
            "is continued on a further line (obsolete line folding), at offset {at} of the head"
        )
    });
    if let Some((byte, place)) =
        line.iter().position(|&b| !is_value_byte(b)).and_then(|p| octet(line, p, at))
    {
        notes.header(last.name, || format!("has {byte} in its value, {place}"));
    }
    let more = trim_ows(line);
    if !more.is_empty() {
        let value = last.value.to_mut();
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(more);
    }
}

/// A byte and its place in the head, in words.
fn octet(bytes: &[u8], index: usize, at: usize) -> Option<(String, String)> {
    let byte = bytes.get(index)?;
    let place = at.saturating_add(index);
    Some((format!("the byte 0x{byte:02x}"), format!("at offset {place} of the head")))
}

/// RFC 9112 section 2.2: lines end in CR LF; a recipient may take a lone LF all the same.
fn bare_line_feeds(bytes: &[u8], notes: &mut Notes) {
    // Looked for without a branch first: there are hardly ever any.
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    let bare = |(&before, &byte): (&u8, &u8)| byte == b'\n' && before != b'\r';
    if bytes.first() != Some(&b'\n') && !pairs.fold(false, |some, pair| some | bare(pair)) {
        return;
    }
    let bare = |&lf: &usize| lf == 0 || bytes.get(lf.wrapping_sub(1)) != Some(&b'\r');
    let mut found = memchr::memchr_iter(b'\n', bytes).filter(bare);
    if let Some(first) = found.next() {
        let count = found.count().saturating_add(1);
        notes.push(NoteCode::LineEnding, || {
            let lines = if count == 1 { "line ends" } else { "lines end" };
            format!("{count} {lines} in LF without CR, the first at offset {first} of the head")
        });
    }
}

/// Notes of one head: a part of the budget, for what the head says may ask for notes too.
struct Notes {
    blame: Blame,
    room: usize,
    list: note::Notes,
}

impl Notes {
    fn new(blame: Blame, limits: &Limits) -> Self {
        Self { blame, room: limits.notes / 4, list: note::Notes::default() }
    }

    fn push(&mut self, code: NoteCode, text: impl FnOnce() -> String) {
        let blame = self.blame;
        self.list.push_with(self.room, || Note::new(code, blame, text()));
    }

    fn header(&mut self, name: &[u8], what: impl FnOnce() -> String) {
        self.push(NoteCode::HeaderInvalid, || {
            let shown = name.get(..SHOWN_NAME).unwrap_or(name);
            format!("the header \"{}\" {}", header_text(shown).escape_debug(), what())
        });
    }
}

impl Head<'_, RequestLine<'_>> {
    /// Its own copy, for those who come later.
    pub(super) fn to_owned(&self, begin: Origin, origin: Origin) -> RequestHead {
        RequestHead {
            method: word(self.line.method),
            target: header_text(self.line.target).into_owned(),
            version: word(self.line.version),
            fields: owned_fields(&self.fields),
            origin,
            begin,
            notes: self.notes.clone(),
        }
    }

    /// Does it ask for a WebSocket: by its Upgrade, or by what is left where a proxy took that away.
    pub(super) fn is_attempt(&self) -> bool {
        const OTHERS: [&str; 4] = [
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
        ];
        upgrades_to_websocket(&self.fields)
            || OTHERS.iter().any(|name| values(&self.fields, name).next().is_some())
    }
}

impl Head<'_, StatusLine<'_>> {
    /// Its own copy, for those who come later.
    pub(super) fn to_owned(&self, begin: Origin, origin: Origin) -> ResponseHead {
        ResponseHead {
            status: self.line.status,
            reason: word(self.line.reason),
            version: word(self.line.version),
            fields: owned_fields(&self.fields),
            origin,
            begin,
            notes: self.notes.clone(),
        }
    }

    /// Does it name the WebSocket protocol.
    pub(super) fn names_websocket(&self) -> bool {
        upgrades_to_websocket(&self.fields)
            || values(&self.fields, "Sec-WebSocket-Accept").next().is_some()
    }

    /// Is it a switch to HTTP/2 in the clear.
    pub(super) fn names_h2c(&self) -> bool {
        let mut tokens =
            values(&self.fields, "Upgrade").flat_map(|value| value.split(|&b| b == b','));
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"h2c"))
    }

    /// Does what is there of it speak against a WebSocket: an Upgrade to something else.
    pub(super) fn names_other(&self) -> bool {
        !self.names_websocket() && values(&self.fields, "Upgrade").next().is_some()
    }
}

fn word(bytes: &[u8]) -> Word {
    const USUAL: [&str; 4] = ["1.1", "GET", "Switching Protocols", "1.0"];
    match USUAL.into_iter().find(|usual| usual.as_bytes() == bytes) {
        Some(usual) => usual.into(),
        None => header_text(bytes).into_owned().into(),
    }
}

fn owned_fields(fields: &RawFields<'_>) -> Fields {
    // `into` would copy byte by byte.
    let own = |f: &RawField<'_>| Field {
        name: FieldBytes::from_slice(f.name),
        value: FieldBytes::from_slice(&f.value),
    };
    Fields(fields.iter().map(own).collect())
}

/// RFC 9110 section 7.8: `Upgrade` lists protocols, each with or without a version.
fn upgrades_to_websocket(fields: &RawFields<'_>) -> bool {
    tokens(fields, "Upgrade").any(|token| {
        let name = token.split(|&b| b == b'/').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"websocket")
    })
}

/// All values of a header.
pub(super) fn values<'a>(
    fields: &'a [RawField<'_>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    fields
        .iter()
        .filter(move |f| f.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|f| f.value.as_ref())
}

/// The comma-separated members of all values of a header, empty ones left out.
pub(super) fn tokens<'a>(
    fields: &'a [RawField<'_>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    values(fields, name)
        .flat_map(|v| v.split(|&b| b == b','))
        .map(trim_ows)
        .filter(|t| !t.is_empty())
}

/// The first line without its line end, and its length with it.
pub(super) fn first_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let lf = memchr::memchr(b'\n', bytes)?;
    Some((strip_cr(bytes.get(..lf)?), lf.saturating_add(1)))
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Optional white space of RFC 9110 section 5.6.3: spaces and tabs, nothing else.
fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// What stands before and behind the first `byte`.
fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at.saturating_add(1)..)?))
}

/// The longest method believed; the longest one registered has 17 letters.
const METHOD_MAX: usize = 32;
/// Bytes of a header's name shown in a note.
const SHOWN_NAME: usize = 64;

#[cfg(test)]
mod tests;
