//! Which header a note speaks of, so that a view can put it there.

use crate::note::NoteCode;

/// The head that a note stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The request.
    Request,
    /// The response.
    Response,
    /// Either: the note's blame tells which.
    Both,
}

/// Stands for the request line or the status line, where a header's name would be.
pub const START_LINE: &str = ":start-line";

/// The header that a code speaks of, its name in lower case (or [`START_LINE`]); `None` where it
/// speaks of no single one.
pub const fn header_of(code: NoteCode) -> Option<(&'static str, Side)> {
    use NoteCode as N;
    Some(match code {
        N::RequestMethod | N::RequestVersion | N::TargetInvalid => (START_LINE, Side::Request),
        N::HostMissing => ("host", Side::Request),
        N::ConnectNotEnabled => (":protocol", Side::Request),
        N::UpgradeMissing | N::UpgradeStripped => ("upgrade", Side::Request),
        N::ConnectionMissing => ("connection", Side::Request),
        N::KeyMissing | N::KeyInvalid | N::KeyDuplicate | N::KeyReused => {
            ("sec-websocket-key", Side::Request)
        }
        N::VersionMissing | N::VersionUnsupported => ("sec-websocket-version", Side::Request),
        N::SubprotocolDuplicate => ("sec-websocket-protocol", Side::Request),
        N::RequestBody => ("content-length", Side::Request),
        N::AcceptMissing | N::AcceptMismatch | N::AcceptDuplicate => {
            ("sec-websocket-accept", Side::Response)
        }
        N::ResponseUpgradeMissing | N::OtherProtocol => ("upgrade", Side::Response),
        N::ResponseConnectionMissing => ("connection", Side::Response),
        N::ResponseVersion | N::StatusNot101 | N::ResponseNotHttp => (START_LINE, Side::Response),
        N::ResponseBody => ("content-length", Side::Response),
        N::VersionNegotiation => ("sec-websocket-version", Side::Response),
        N::SubprotocolUnoffered | N::SubprotocolUnselected => {
            ("sec-websocket-protocol", Side::Response)
        }
        N::SubprotocolInvalid => ("sec-websocket-protocol", Side::Both),
        N::ExtensionUnoffered | N::ExtensionDuplicate | N::DeflateParamUnoffered => {
            ("sec-websocket-extensions", Side::Response)
        }
        N::ExtensionSyntax | N::DeflateParamInvalid => ("sec-websocket-extensions", Side::Both),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stands_at_the_header_that_it_names() {
        let place = |name: &str| header_of(name.parse().unwrap());
        assert_eq!(place("accept-mismatch"), Some(("sec-websocket-accept", Side::Response)));
        assert_eq!(place("key-invalid"), Some(("sec-websocket-key", Side::Request)));
        assert_eq!(place("extension-syntax"), Some(("sec-websocket-extensions", Side::Both)));
        assert_eq!(place("status-not-101"), Some((START_LINE, Side::Response)));
        assert_eq!(place("client-unmasked"), None);
    }
}
