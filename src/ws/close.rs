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

/// Why a status code may not stand in a Close frame; `None` when it may.
pub const fn code_fault(code: u16) -> Option<&'static str> {
    // RFC 6455 section 7.4.1, 7.4.2; 1012 to 1014 were registered with IANA later.
    match code {
        0..=999 => Some("codes below 1000 are not used"),
        1004 => Some("1004 is reserved and has no meaning"),
        1005 => Some("1005 stands for \"no status code\" and must not be sent"),
        1006 => Some("1006 stands for \"closed without a Close frame\" and must not be sent"),
        1015 => Some("1015 stands for a failed TLS handshake and must not be sent"),
        1016..=2999 => Some("1016 to 2999 are reserved for the protocol and not assigned"),
        5000.. => Some("codes above 4999 are not used"),
        1000..=1003 | 1007..=1014 | 3000..=4999 => None,
    }
}

/// The name of a status code (RFC 6455 section 7.4.1 and the IANA registry "WebSocket Close Code
/// Number"); `None` for one that is not registered.
pub const fn code_name(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1004 => "reserved",
        1005 => "no status received",
        1006 => "abnormal closure",
        1007 => "invalid payload data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "mandatory extension",
        1011 => "internal error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        1015 => "TLS handshake failed",
        3000 => "unauthorized",
        3003 => "forbidden",
        3008 => "timeout",
        _ => return None,
    })
}

/// What a status code says, as the second half of "the server closed it: ...".
pub const fn code_meaning(code: u16) -> &'static str {
    match code {
        1000 => "normal closure",
        1001 => "going away: a server that shuts down or reloads, or a page that was left",
        1002 => "protocol error: it could not accept a frame of its peer",
        1003 => "unsupported data: it cannot take this kind of message",
        1007 => {
            "invalid payload: data that do not fit the message's type, such as text that is not UTF-8"
        }
        1008 => "policy violation: authentication, quota, or a rule of the application",
        1009 => "message too big: its limit on the size of a message was exceeded",
        1010 => "the server did not agree to an extension that the client needs",
        1011 => "internal error: the application behind it failed",
        1012 => "service restart: reconnect after a while",
        1013 => "try again later: overload",
        1014 => "bad gateway: a proxy had no proper answer from the server behind it",
        3000..=3999 => "a code registered for a library or framework",
        4000..=4999 => "a code of the application's own",
        _ => "a code without a meaning",
    }
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
}
