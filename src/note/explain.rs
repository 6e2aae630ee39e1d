//! What each note means: the rule, what the RFC demands, why it matters, what causes it, what to do.
//!
//! Gets: a [`NoteCode`]. Gives: its [`Explanation`], and the reference page made of all of them. The
//! text is static; the rules themselves stand beside what they judge.

mod alterations;
mod config;
mod connection;
mod frames;
mod reference;
mod request;
mod response;

use super::{Blame, NoteCode};
use config::{IDLE_TIMEOUTS, UPGRADE_BY_NODE, UPGRADE_THROUGH_PROXIES, config};

pub use reference::{GROUPS, Group, reference_page};

/// What a note means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// One line.
    pub title: &'static str,
    /// What was seen.
    pub rule: &'static str,
    /// What the document demands, with its section.
    pub demands: &'static str,
    /// On whom it can be blamed, the likeliest first.
    pub blames: &'static [Blame],
    /// On whom of them when, or who else may be behind it; empty where there is no more to say.
    pub who: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What usually causes it.
    pub causes: &'static [&'static str],
    /// What to do.
    pub fix: &'static str,
    /// Configuration lines that do it.
    pub configs: &'static [Config],
    /// What the usual proxies do, for alterations.
    pub proxies: &'static [(&'static str, &'static str)],
}

/// Configuration lines of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Which product, and which version where that matters.
    pub product: &'static str,
    /// The lines.
    pub lines: &'static [&'static str],
}

/// What fields are where nothing is said.
const BASE: Explanation = Explanation {
    title: "",
    rule: "",
    demands: "",
    blames: &[],
    who: "",
    why: "",
    causes: &[],
    fix: "",
    configs: &[],
    proxies: &[],
};

impl Explanation {
    /// On whom it can be blamed, in words: `client or proxy (most often a proxy in its place)`.
    pub fn whom(&self) -> String {
        let names: Vec<&str> = self.blames.iter().map(|blame| blame.name()).collect();
        let whom = match names.as_slice() {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            names => names.concat(),
        };
        if self.who.is_empty() { whom } else { format!("{whom} ({})", self.who) }
    }
}

impl NoteCode {
    /// What it means.
    pub const fn explanation(self) -> Explanation {
        match self {
            Self::RequestMethod => request::METHOD,
            Self::RequestVersion => request::VERSION,
            Self::HostMissing => request::HOST,
            Self::UpgradeMissing => request::UPGRADE_MISSING,
            Self::UpgradeStripped => request::UPGRADE_STRIPPED,
            Self::ConnectionMissing => request::CONNECTION,
            Self::KeyMissing => request::KEY_MISSING,
            Self::KeyInvalid => request::KEY_INVALID,
            Self::KeyDuplicate => request::KEY_DUPLICATE,
            Self::KeyReused => request::KEY_REUSED,
            Self::VersionMissing => request::VERSION_MISSING,
            Self::VersionUnsupported => request::VERSION_UNSUPPORTED,
            Self::SubprotocolDuplicate => request::SUBPROTOCOL_DUPLICATE,
            Self::HeaderInvalid => request::HEADER_INVALID,
            Self::LineEnding => request::LINE_ENDING,
            Self::TargetInvalid => request::TARGET_INVALID,
            Self::RequestBody => request::BODY,
            Self::EarlyFrames => request::EARLY_FRAMES,
            Self::ExtensionSyntax => request::EXTENSION_SYNTAX,
            Self::ProxyProtocol => request::PROXY_PROTOCOL,
            Self::AcceptMissing => response::ACCEPT_MISSING,
            Self::AcceptMismatch => response::ACCEPT_MISMATCH,
            Self::AcceptDuplicate => response::ACCEPT_DUPLICATE,
            Self::ResponseUpgradeMissing => response::UPGRADE_MISSING,
            Self::ResponseConnectionMissing => response::CONNECTION_MISSING,
            Self::ResponseVersion => response::VERSION,
            Self::ResponseBody => response::BODY,
            Self::ResponseNotHttp => response::NOT_HTTP,
            Self::SubprotocolUnoffered => response::SUBPROTOCOL_UNOFFERED,
            Self::SubprotocolUnselected => response::SUBPROTOCOL_UNSELECTED,
            Self::SubprotocolInvalid => response::SUBPROTOCOL_INVALID,
            Self::ExtensionUnoffered => response::EXTENSION_UNOFFERED,
            Self::ExtensionDuplicate => response::EXTENSION_DUPLICATE,
            Self::DeflateParamInvalid => response::DEFLATE_PARAM_INVALID,
            Self::DeflateParamUnoffered => response::DEFLATE_PARAM_UNOFFERED,
            Self::VersionNegotiation => response::VERSION_NEGOTIATION,
            Self::StatusNot101 => response::STATUS,
            Self::OtherProtocol => response::OTHER_PROTOCOL,
            Self::ProxyTrace => response::PROXY_TRACE,
            Self::HandshakeIncomplete => response::INCOMPLETE,
            Self::HandshakeUnseen => response::UNSEEN,
            Self::ConnectNotEnabled => response::CONNECT_NOT_ENABLED,
            Self::HopByHopInH2 => response::HOP_BY_HOP,
            Self::ClientUnmasked => frames::CLIENT_UNMASKED,
            Self::ServerMasked => frames::SERVER_MASKED,
            Self::MaskZero => frames::MASK_ZERO,
            Self::MaskReused => frames::MASK_REUSED,
            Self::RsvSet => frames::RSV,
            Self::OpcodeReserved => frames::OPCODE,
            Self::ControlFragmented => frames::CONTROL_FRAGMENTED,
            Self::ControlTooLong => frames::CONTROL_LONG,
            Self::ContinuationUnexpected => frames::CONTINUATION,
            Self::MessageInterleaved => frames::INTERLEAVED,
            Self::LengthNotMinimal => frames::LENGTH_NOT_MINIMAL,
            Self::LengthOverflow => frames::LENGTH_OVERFLOW,
            Self::Utf8Invalid => frames::UTF8,
            Self::CloseLength => frames::CLOSE_LENGTH,
            Self::CloseCodeInvalid => frames::CLOSE_CODE,
            Self::CloseReasonUtf8 => frames::CLOSE_REASON,
            Self::DataAfterClose => frames::DATA_AFTER_CLOSE,
            Self::ControlAfterClose => frames::CONTROL_AFTER_CLOSE,
            Self::FrameCut => frames::FRAME_CUT,
            Self::MessageUnfinished => frames::UNFINISHED,
            Self::NotWebsocket => frames::NOT_WEBSOCKET,
            Self::CompressedControl => frames::COMPRESSED_CONTROL,
            Self::CompressedContinuation => frames::COMPRESSED_CONTINUATION,
            Self::InflateFailed => frames::INFLATE,
            Self::WindowExceeded => frames::WINDOW,
            Self::TakeoverViolated => frames::TAKEOVER,
            Self::InflateLimit => frames::INFLATE_LIMIT,
            Self::MessageLimit => frames::MESSAGE_LIMIT,
            Self::PingUnanswered => connection::PING,
            Self::PongUnsolicited => connection::PONG,
            Self::CloseUnanswered => connection::CLOSE_UNANSWERED,
            Self::NoCloseFrame => connection::NO_CLOSE,
            Self::Reset => connection::RESET,
            Self::BytesMissing => connection::BYTES_MISSING,
            Self::Resynchronised => connection::RESYNC,
            Self::OverlapConflict => connection::OVERLAP,
            Self::Snapped => connection::SNAPPED,
            Self::InflateContextLost => connection::CONTEXT_LOST,
            Self::Undecryptable => connection::UNDECRYPTABLE,
            Self::HeaderAdded => alterations::HEADER_ADDED,
            Self::HeaderRemoved => alterations::HEADER_REMOVED,
            Self::HeaderChanged => alterations::HEADER_CHANGED,
            Self::TargetRewritten => alterations::TARGET,
            Self::KeyRegenerated => alterations::KEY,
            Self::AcceptRegenerated => alterations::ACCEPT,
            Self::AcceptForged => alterations::FORGED,
            Self::VersionChanged => alterations::VERSION,
            Self::SubprotocolChanged => alterations::SUBPROTOCOL,
            Self::ExtensionsChanged => alterations::EXTENSIONS,
            Self::StatusChanged => alterations::STATUS,
            Self::NotForwarded => alterations::NOT_FORWARDED,
            Self::MessageLost => alterations::LOST,
            Self::MessageChanged => alterations::CHANGED,
            Self::MessageInjected => alterations::INJECTED,
            Self::MessageReordered => alterations::REORDERED,
            Self::Refragmented => alterations::REFRAGMENTED,
            Self::Recompressed => alterations::RECOMPRESSED,
            Self::CloseChanged => alterations::CLOSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_full() {
        for code in NoteCode::ALL {
            let e = code.explanation();
            for (what, text) in [
                ("title", e.title),
                ("rule", e.rule),
                ("demands", e.demands),
                ("blame", &e.whom()),
                ("why", e.why),
                ("fix", e.fix),
            ] {
                assert!(!text.is_empty(), "{code} has no {what}");
                assert!(text.chars().all(|c| !c.is_control()), "{code}: {what}");
            }
            assert!(!e.causes.is_empty(), "{code} has no causes");
            let mut blames = e.blames.to_vec();
            blames.sort_unstable();
            blames.dedup();
            assert_eq!(blames.len(), e.blames.len(), "{code}: a blame stands twice");
            assert!(
                e.title.chars().count() <= 60,
                "{code}: \"{}\" is too long for a list",
                e.title
            );
            assert!(!e.title.ends_with('.'), "{code}");
            for text in [e.rule, e.demands, e.why, e.fix] {
                assert!(text.ends_with(['.', '"', ')']), "{code}: no sentence: {text}");
            }
        }
    }

    #[test]
    fn whom_a_note_blames_is_told_in_words() {
        assert_eq!(NoteCode::KeyInvalid.explanation().whom(), "client");
        assert_eq!(NoteCode::OpcodeReserved.explanation().whom(), "client or server (the sender)");
        let status = NoteCode::StatusNot101.explanation().whom();
        assert!(status.starts_with("server, proxy or client ("), "{status}");
    }

    #[test]
    fn every_alteration_says_what_the_usual_proxies_do() {
        let alterations = GROUPS.iter().find(|group| group.title == "Alterations").unwrap();
        for code in alterations.codes() {
            assert!(!code.explanation().proxies.is_empty(), "{code}");
        }
    }

    #[test]
    fn no_two_codes_share_a_text() {
        let mut titles: Vec<_> = NoteCode::ALL.iter().map(|c| c.explanation().title).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), NoteCode::ALL.len());
    }

    #[test]
    fn configuration_lines_fit_a_terminal() {
        for code in NoteCode::ALL {
            for config in code.explanation().configs {
                for line in config.lines {
                    assert!(line.chars().count() <= 84, "{code}: {line}");
                }
            }
        }
    }
}
