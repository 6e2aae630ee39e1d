//! Notes: remarks on traffic, with stable codes.
//!
//! Gets: nothing. Gives: [`NoteCode`] (one table of code, severity, blame and reference, which feeds
//! JSON, `explain` and the docs) and [`Note`], a remark with the values of the case at hand.

mod bounded;
pub mod explain;
pub mod pages;

pub use bounded::Notes;

use std::borrow::Cow;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// A SHOULD is broken, or harm is likely.
    Warning,
    /// The capture proves that a MUST is broken.
    Error,
}

crate::units::named!(Severity {
    Info "info",
    Warning "warning",
    Error "error",
});

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The side that asked for the upgrade.
    Client,
    /// The side that answered.
    Server,
    /// Something between them.
    Proxy,
    /// Nobody: the capture lacks bytes, or a limit of ours was hit.
    Capture,
}

crate::units::named!(Blame {
    Client "client",
    Server "server",
    Proxy "proxy",
    Capture "capture",
});

impl From<crate::units::Direction> for Blame {
    /// The sender of what travels this way.
    fn from(dir: crate::units::Direction) -> Self {
        match dir {
            crate::units::Direction::ToServer => Self::Client,
            crate::units::Direction::ToClient => Self::Server,
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One remark on a handshake, a frame, a message or a connection's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What rule it is about.
    pub code: NoteCode,
    /// Whose fault, in this case.
    pub blame: Blame,
    /// One sentence with the actual values. May hold characters from the network: escape it before
    /// it reaches a terminal.
    pub text: Cow<'static, str>,
}

impl Note {
    /// A note with the blame given; where nobody is at fault but the capture, say so.
    pub fn new(code: NoteCode, blame: Blame, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, blame, text: text.into() }
    }

    /// The severity of its code; what is blamed on the capture is never an error.
    pub fn severity(&self) -> Severity {
        match (self.blame, self.code.severity()) {
            (Blame::Capture, Severity::Error) => Severity::Warning,
            (_, severity) => severity,
        }
    }
}

macro_rules! codes {
    ($( $(#[$group:meta])* $variant:ident $code:literal $severity:ident $reference:literal; )*) => {
        /// A rule, by its stable code in kebab-case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum NoteCode {
            $( #[doc = concat!("`", $code, "` (", $reference, ").")] $variant, )*
        }

        impl NoteCode {
            /// Every code, in the order of [`explain::GROUPS`]: handshake, HTTP/2, frames,
            /// connection, alterations.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name: `accept-mismatch`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// How bad it is when it is a peer's fault.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// The document and section that it stands on: `RFC 6455 §4.2.2`.
            pub const fn reference(self) -> &'static str {
                match self { $(Self::$variant => $reference),* }
            }
        }

        impl std::str::FromStr for NoteCode {
            type Err = UnknownCode;
            fn from_str(name: &str) -> Result<Self, UnknownCode> {
                match name {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(UnknownCode(name.to_owned())),
                }
            }
        }
    };
}

/// No note has this code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no note code \"{}\"", .0.escape_debug())]
pub struct UnknownCode(pub String);

impl fmt::Display for NoteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

codes! {
    // Handshake, request.
    RequestMethod "request-method" Error "RFC 6455 §4.1";
    RequestVersion "request-version" Error "RFC 6455 §4.1";
    HostMissing "host-missing" Error "RFC 6455 §4.1";
    UpgradeMissing "upgrade-missing" Error "RFC 6455 §4.1";
    UpgradeStripped "upgrade-stripped" Error "RFC 9110 §7.8";
    ConnectionMissing "connection-missing" Error "RFC 6455 §4.1";
    KeyMissing "key-missing" Error "RFC 6455 §4.1";
    KeyInvalid "key-invalid" Error "RFC 6455 §4.1";
    KeyDuplicate "key-duplicate" Error "RFC 6455 §11.3.1";
    KeyReused "key-reused" Warning "RFC 6455 §4.1";
    VersionMissing "version-missing" Error "RFC 6455 §4.1";
    VersionUnsupported "version-unsupported" Error "RFC 6455 §4.1";
    SubprotocolDuplicate "subprotocol-duplicate" Error "RFC 6455 §4.1";
    HeaderInvalid "header-invalid" Error "RFC 9110 §5.5";
    LineEnding "line-ending" Error "RFC 9112 §2.2";
    TargetInvalid "target-invalid" Error "RFC 6455 §3";
    RequestBody "request-body" Warning "RFC 9110 §9.3.1";
    EarlyFrames "early-frames" Error "RFC 6455 §4.1";
    ExtensionSyntax "extension-syntax" Error "RFC 6455 §9.1";
    ProxyProtocol "proxy-protocol" Info "PROXY protocol §2";
    // Handshake, response.
    AcceptMissing "accept-missing" Error "RFC 6455 §4.1";
    AcceptMismatch "accept-mismatch" Error "RFC 6455 §4.2.2";
    AcceptDuplicate "accept-duplicate" Error "RFC 6455 §11.3.3";
    ResponseUpgradeMissing "response-upgrade-missing" Error "RFC 6455 §4.1";
    ResponseConnectionMissing "response-connection-missing" Error "RFC 6455 §4.1";
    ResponseVersion "response-version" Error "RFC 6455 §4.2.2";
    ResponseBody "response-body" Error "RFC 9110 §8.6";
    ResponseNotHttp "response-not-http" Error "RFC 6455 §4.2.2";
    SubprotocolUnoffered "subprotocol-unoffered" Error "RFC 6455 §4.1";
    SubprotocolUnselected "subprotocol-unselected" Info "RFC 6455 §4.2.2";
    SubprotocolInvalid "subprotocol-invalid" Error "RFC 6455 §11.3.4";
    ExtensionUnoffered "extension-unoffered" Error "RFC 6455 §4.1";
    ExtensionDuplicate "extension-duplicate" Error "RFC 7692 §5";
    DeflateParamInvalid "deflate-param-invalid" Error "RFC 7692 §7.1";
    DeflateParamUnoffered "deflate-param-unoffered" Error "RFC 7692 §7.1.2.2";
    VersionNegotiation "version-negotiation" Info "RFC 6455 §4.4";
    StatusNot101 "status-not-101" Warning "RFC 6455 §4.1";
    OtherProtocol "other-protocol" Error "RFC 6455 §4.1";
    ProxyTrace "proxy-trace" Info "RFC 9110 §7.6.3";
    HandshakeIncomplete "handshake-incomplete" Warning "RFC 6455 §4.1";
    HandshakeUnseen "handshake-unseen" Info "RFC 6455 §4";
    // HTTP/2.
    ConnectNotEnabled "connect-not-enabled" Error "RFC 8441 §3";
    HopByHopInH2 "hop-by-hop-in-h2" Error "RFC 9113 §8.2.2";
    // Frames.
    ClientUnmasked "client-unmasked" Error "RFC 6455 §5.1";
    ServerMasked "server-masked" Error "RFC 6455 §5.1";
    MaskZero "mask-zero" Warning "RFC 6455 §5.3";
    MaskReused "mask-reused" Warning "RFC 6455 §5.3";
    RsvSet "rsv-set" Error "RFC 6455 §5.2";
    OpcodeReserved "opcode-reserved" Error "RFC 6455 §5.2";
    ControlFragmented "control-fragmented" Error "RFC 6455 §5.4";
    ControlTooLong "control-too-long" Error "RFC 6455 §5.5";
    ContinuationUnexpected "continuation-unexpected" Error "RFC 6455 §5.4";
    MessageInterleaved "message-interleaved" Error "RFC 6455 §5.4";
    LengthNotMinimal "length-not-minimal" Error "RFC 6455 §5.2";
    LengthOverflow "length-overflow" Error "RFC 6455 §5.2";
    Utf8Invalid "utf8-invalid" Error "RFC 6455 §8.1";
    CloseLength "close-length" Error "RFC 6455 §5.5.1";
    CloseCodeInvalid "close-code-invalid" Error "RFC 6455 §7.4";
    CloseReasonUtf8 "close-reason-utf8" Error "RFC 6455 §5.5.1";
    DataAfterClose "data-after-close" Error "RFC 6455 §5.5.1";
    ControlAfterClose "control-after-close" Warning "RFC 6455 §5.5.1";
    FrameCut "frame-cut" Warning "RFC 6455 §7.1.1";
    MessageUnfinished "message-unfinished" Warning "RFC 6455 §5.4";
    NotWebsocket "not-websocket" Error "RFC 6455 §5.2";
    CompressedControl "compressed-control" Error "RFC 7692 §6.1";
    CompressedContinuation "compressed-continuation" Error "RFC 7692 §6.1";
    InflateFailed "inflate-failed" Error "RFC 7692 §7.2.2";
    WindowExceeded "window-exceeded" Error "RFC 7692 §7.1.2";
    TakeoverViolated "takeover-violated" Error "RFC 7692 §7.1.1";
    InflateLimit "inflate-limit" Warning "RFC 6455 §10.4";
    MessageLimit "message-limit" Warning "RFC 6455 §10.4";
    // Connection.
    PingUnanswered "ping-unanswered" Warning "RFC 6455 §5.5.2";
    PongUnsolicited "pong-unsolicited" Info "RFC 6455 §5.5.3";
    CloseUnanswered "close-unanswered" Warning "RFC 6455 §5.5.1";
    NoCloseFrame "no-close-frame" Warning "RFC 6455 §7.1.2";
    Reset "reset" Warning "RFC 6455 §7.1.1";
    BytesMissing "bytes-missing" Warning "RFC 9293 §3.4";
    Resynchronised "resynchronised" Info "RFC 6455 §5.2";
    OverlapConflict "overlap-conflict" Warning "RFC 9293 §3.10.7.4";
    Snapped "snapped" Warning "pcapng §4.3";
    InflateContextLost "inflate-context-lost" Warning "RFC 7692 §7.1.1";
    Undecryptable "undecryptable" Info "RFC 8446 §5.2";
    // Alterations (`diff`).
    HeaderAdded "header-added" Warning "RFC 9110 §7.7";
    HeaderRemoved "header-removed" Warning "RFC 9110 §7.7";
    HeaderChanged "header-changed" Warning "RFC 9110 §7.7";
    TargetRewritten "target-rewritten" Warning "RFC 9110 §7.7";
    KeyRegenerated "key-regenerated" Info "RFC 6455 §4.1";
    AcceptRegenerated "accept-regenerated" Info "RFC 6455 §4.2.2";
    AcceptForged "accept-forged" Error "RFC 6455 §4.2.2";
    VersionChanged "version-changed" Warning "RFC 9110 §7.8";
    SubprotocolChanged "subprotocol-changed" Error "RFC 6455 §4.1";
    ExtensionsChanged "extensions-changed" Warning "RFC 6455 §9.1";
    StatusChanged "status-changed" Error "RFC 9110 §15";
    NotForwarded "not-forwarded" Warning "RFC 9110 §7.6";
    MessageLost "message-lost" Error "RFC 6455 §5.4";
    MessageChanged "message-changed" Error "RFC 6455 §5.4";
    MessageInjected "message-injected" Error "RFC 6455 §5.4";
    MessageReordered "message-reordered" Error "RFC 6455 §5.4";
    Refragmented "refragmented" Info "RFC 6455 §5.4";
    Recompressed "recompressed" Info "RFC 7692 §6";
    CloseChanged "close-changed" Warning "RFC 6455 §7.1.5";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is never an error, whatever it is blamed on: scripts rely on it.
    const NEVER_ERRORS: &str = "status-not-101 version-negotiation subprotocol-unselected \
        handshake-incomplete proxy-trace proxy-protocol mask-zero mask-reused pong-unsolicited \
        ping-unanswered close-unanswered no-close-frame reset frame-cut message-unfinished \
        overlap-conflict control-after-close key-reused";

    #[test]
    fn names_lead_back_to_their_codes() {
        for code in NoteCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert!("no-such".parse::<NoteCode>().is_err());
    }

    #[test]
    fn codes_that_can_not_be_errors_are_none() {
        for name in NEVER_ERRORS.split_whitespace() {
            assert!(name.parse::<NoteCode>().unwrap().severity() < Severity::Error, "{name}");
        }
    }

    #[test]
    fn nothing_blamed_on_the_capture_is_an_error() {
        for code in NoteCode::ALL {
            assert!(Note::new(*code, Blame::Capture, "").severity() < Severity::Error);
        }
    }
}
