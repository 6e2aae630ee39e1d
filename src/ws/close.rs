//! The body of a Close frame (RFC 6455 sections 5.5.1 and 7.4).
//!
//! Gets: the unmasked payload. Gives: [`CloseBody`], what is wrong with it, and what status codes
//! mean. Keeps: nothing.

/// A Close frame's payload, as far as it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseBody<'a> {
    /// The status code; `None` when there is none.
    pub code: Option<u16>,
    /// The reason as text; `None` when there is no code, or the bytes are not UTF-8.
    pub reason: Option<&'a str>,
    /// Where the reason stops being UTF-8, counted in the whole payload.
    pub not_utf8_at: Option<usize>,
}

impl<'a> CloseBody<'a> {
    /// Reads a payload.
    pub fn read(payload: &'a [u8]) -> Self {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return Self { code: None, reason: None, not_utf8_at: None };
        };
        let text = simdutf8::compat::from_utf8(reason);
        Self {
            code: Some(u16::from_be_bytes(*code)),
            reason: text.ok(),
            not_utf8_at: text.err().map(|e| 2 + e.valid_up_to()),
        }
    }
}

/// What there is to say of a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Code {
    name: Option<&'static str>,
    meaning: &'static str,
    fault: Option<&'static str>,
}

/// Why a status code may not stand in a Close frame; `None` when it may.
pub const fn code_fault(code: u16) -> Option<&'static str> {
    look_up(code).fault
}

/// The name of a status code, nearly as the IANA registry "WebSocket Close Code Number" has it; `None` for
/// one that is not registered.
pub const fn code_name(code: u16) -> Option<&'static str> {
    look_up(code).name
}

/// What a status code says, as the second half of "the server closed it: ...": its name and what that is
/// about, or the range that it is of.
pub const fn code_meaning(code: u16) -> &'static str {
    look_up(code).meaning
}

/// RFC 6455 sections 7.4.1 and 7.4.2, and what was registered with IANA later.
const fn look_up(code: u16) -> Code {
    match code {
        0..=999 => bad("a code without a meaning", "codes below 1000 are not used"),
        1000 => named("normal closure", "normal closure"),
        1001 => named(
            "going away",
            "going away: a server that shuts down or reloads, or a page that was left",
        ),
        1002 => named("protocol error", "protocol error: it could not accept a frame of its peer"),
        1003 => named("unsupported data", "unsupported data: it cannot take this kind of message"),
        1004 => never(
            "reserved",
            "reserved: the code has no meaning",
            "1004 is reserved and has no meaning",
        ),
        1005 => never(
            "no status received",
            "no status received: what a program is told of a Close frame without a code",
            "1005 stands for \"no status code\" and must not be sent",
        ),
        1006 => never(
            "abnormal closure",
            "abnormal closure: what a program is told where there was no Close frame",
            "1006 stands for \"closed without a Close frame\" and must not be sent",
        ),
        1007 => named(
            "invalid payload data",
            "invalid payload data: it does not fit the message's type, such as text that is not UTF-8",
        ),
        1008 => named(
            "policy violation",
            "policy violation: authentication, quota, or a rule of the application",
        ),
        1009 => named(
            "message too big",
            "message too big: its limit on the size of a message was exceeded",
        ),
        1010 => named(
            "mandatory extension",
            "mandatory extension: the server did not agree to one that the client needs",
        ),
        1011 => named("internal error", "internal error: the application behind it failed"),
        1012 => named("service restart", "service restart: reconnect after a while"),
        1013 => named("try again later", "try again later: overload"),
        1014 => named(
            "bad gateway",
            "bad gateway: a proxy had no proper answer from the server behind it",
        ),
        1015 => never(
            "TLS handshake failed",
            "TLS handshake failed: what a program is told where there was no connection",
            "1015 stands for a failed TLS handshake and must not be sent",
        ),
        1016..=2999 => bad(
            "a code without a meaning",
            "1016 to 2999 are reserved for the protocol and not assigned",
        ),
        3000 => named("unauthorized", "unauthorized: who it is was not shown, or not believed"),
        3003 => named("forbidden", "forbidden: it may not do that"),
        3008 => named("timeout", "timeout: it took too long"),
        3001..=3002 | 3004..=3007 | 3009..=3999 => unnamed("a code for libraries and frameworks"),
        4000..=4999 => unnamed("a code of the application's own"),
        5000.. => bad("a code without a meaning", "codes above 4999 are not used"),
    }
}

const fn named(name: &'static str, meaning: &'static str) -> Code {
    Code { name: Some(name), meaning, fault: None }
}

const fn unnamed(meaning: &'static str) -> Code {
    Code { name: None, meaning, fault: None }
}

/// Registered, so that programs can tell it to each other, but never to be sent.
const fn never(name: &'static str, meaning: &'static str, fault: &'static str) -> Code {
    Code { name: Some(name), meaning, fault: Some(fault) }
}

const fn bad(meaning: &'static str, fault: &'static str) -> Code {
    Code { name: None, meaning, fault: Some(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_reason_are_read() {
        let body = CloseBody::read(&[0x03, 0xe8, b'b', b'y', b'e']);
        assert_eq!(body, CloseBody { code: Some(1000), reason: Some("bye"), not_utf8_at: None });
    }

    #[test]
    fn a_payload_of_one_byte_has_no_code() {
        assert_eq!(CloseBody::read(&[0x03]).code, None);
        assert_eq!(CloseBody::read(&[]).code, None);
    }

    #[test]
    fn the_place_where_utf8_ends_counts_from_the_payload() {
        let body = CloseBody::read(&[0x03, 0xe8, b'a', 0xff]);
        assert_eq!((body.reason, body.not_utf8_at), (None, Some(3)));
    }

    #[test]
    fn codes_that_must_not_be_sent() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(code_fault(code).is_some(), "{code}");
        }
        for code in [1000, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999] {
            assert!(code_fault(code).is_none(), "{code}");
        }
    }

    #[test]
    fn the_meaning_of_a_registered_code_is_about_its_name() {
        for code in 0..=u16::MAX {
            if let Some(name) = code_name(code) {
                let meaning = code_meaning(code);
                assert!(meaning.starts_with(name), "{code}: {name}, {meaning}");
            }
        }
        assert_eq!(code_name(3000), Some("unauthorized"));
        assert_eq!(code_name(3001), None);
        assert_eq!(code_meaning(4000), "a code of the application's own");
    }
}
