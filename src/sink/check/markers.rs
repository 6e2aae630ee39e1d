//! Which header a note speaks of.

use crate::note::NoteCode as C;

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
