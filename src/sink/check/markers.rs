//! Which headers a note speaks of.

use super::gather::{Finding, Place};
use crate::note::NoteCode as C;

/// Does a finding speak of a header: by its code, or by naming it in its text as it was sent.
pub(super) fn speaks_of(finding: &Finding, name: &str) -> bool {
    if let Some(header) = header_of(finding.note.code) {
        return header.eq_ignore_ascii_case(name);
    }
    let handshake = |place: &Place| matches!(place, Place::Handshake(_));
    finding.places.iter().any(handshake) && names(&finding.note.text, name)
}

/// Is the name in the text as a word of its own, in this letter case.
fn names(text: &str, name: &str) -> bool {
    // RFC 9110 section 5.6.2: what a name can go on with.
    let more = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            let after = rest.strip_prefix(name).unwrap_or("");
            !before.ends_with(more) && !after.starts_with(more)
        })
}

/// The row of a note in the handshake's table: a header's name, or [`START`].
pub(super) const fn header_of(code: C) -> Option<&'static str> {
    Some(match code {
        C::RequestMethod
        | C::RequestVersion
        | C::TargetInvalid
        | C::ResponseVersion
        | C::StatusNot101
        | C::ResponseNotHttp => START,
        C::HostMissing => "Host",
        C::UpgradeMissing | C::UpgradeStripped | C::ResponseUpgradeMissing | C::OtherProtocol => {
            "Upgrade"
        }
        C::ConnectionMissing | C::ResponseConnectionMissing => "Connection",
        C::KeyMissing | C::KeyInvalid | C::KeyDuplicate | C::KeyReused => "Sec-WebSocket-Key",
        C::AcceptMissing | C::AcceptMismatch | C::AcceptDuplicate => "Sec-WebSocket-Accept",
        C::VersionMissing | C::VersionUnsupported | C::VersionNegotiation => {
            "Sec-WebSocket-Version"
        }
        C::SubprotocolDuplicate
        | C::SubprotocolUnoffered
        | C::SubprotocolUnselected
        | C::SubprotocolInvalid => "Sec-WebSocket-Protocol",
        C::ExtensionSyntax
        | C::ExtensionUnoffered
        | C::ExtensionDuplicate
        | C::DeflateParamInvalid
        | C::DeflateParamUnoffered => "Sec-WebSocket-Extensions",
        _ => return None,
    })
}

/// The row of request line and status line.
pub(super) const START: &str = "";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_of_its_own_in_its_letter_case() {
        let text = "the request has headers that a proxy adds: X-Forwarded-For: \"::1\", Via";
        assert!(names(text, "X-Forwarded-For") && names(text, "Via"));
        for other in ["For", "X-Forwarded", "Forwarded", "via", "The", ""] {
            assert!(!names(text, other), "{other}");
        }
    }
}
