//! Names of error codes (RFC 9113 section 7).

use std::borrow::Cow;

/// `CANCEL`; of one without a name the number.
pub fn error_name(code: u32) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0x0 => "NO_ERROR",
        0x1 => "PROTOCOL_ERROR",
        0x2 => "INTERNAL_ERROR",
        0x3 => "FLOW_CONTROL_ERROR",
        0x4 => "SETTINGS_TIMEOUT",
        0x5 => "STREAM_CLOSED",
        0x6 => "FRAME_SIZE_ERROR",
        0x7 => "REFUSED_STREAM",
        0x8 => "CANCEL",
        0x9 => "COMPRESSION_ERROR",
        0xa => "CONNECT_ERROR",
        0xb => "ENHANCE_YOUR_CALM",
        0xc => "INADEQUATE_SECURITY",
        0xd => "HTTP_1_1_REQUIRED",
        other => return Cow::Owned(format!("error {other:#x}")),
    })
}

/// What the code says to who looks for a reason; `None` where the name says it all.
pub fn error_meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        0x1 => "the peer's frames or fields are taken for malformed",
        0x2 => "it failed by itself",
        0x3 => "the peer sent more than the flow control window allowed",
        0x5 => "frames came for a stream that is over",
        0x7 => "nothing was done about the request, which may be made again",
        0x8 => "the stream is no longer wanted",
        0xa => "the connection behind the CONNECT was reset or failed",
        0xb => "the peer's load is excessive",
        0xd => "HTTP/1.1 is wanted instead",
        _ => return None,
    })
}
