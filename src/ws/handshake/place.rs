//! Which header a note speaks of, so that a view can put it there.

use crate::note::{Note, NoteCode};

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

/// The header that a note speaks of by its code (or [`START_LINE`]), and where it stands; `None` where it
/// speaks of no single one.
pub fn header_of(note: &Note) -> Option<(&'static str, Side)> {
    use NoteCode as N;
    Some(match note.code {
        N::RequestMethod | N::RequestVersion | N::TargetInvalid => (START_LINE, Side::Request),
        N::HostMissing => ("Host", Side::Request),
        N::ConnectNotEnabled => (":protocol", Side::Request),
        N::UpgradeMissing | N::UpgradeStripped => ("Upgrade", Side::Request),
        N::ConnectionMissing => ("Connection", Side::Request),
        N::KeyMissing | N::KeyInvalid | N::KeyDuplicate | N::KeyReused => {
            ("Sec-WebSocket-Key", Side::Request)
        }
        N::VersionMissing | N::VersionUnsupported => ("Sec-WebSocket-Version", Side::Request),
        N::SubprotocolDuplicate => ("Sec-WebSocket-Protocol", Side::Request),
        N::RequestBody => (body_header(&note.text)?, Side::Request),
        N::AcceptMissing | N::AcceptMismatch | N::AcceptDuplicate => {
            ("Sec-WebSocket-Accept", Side::Response)
        }
        N::ResponseUpgradeMissing | N::OtherProtocol => ("Upgrade", Side::Response),
        N::ResponseConnectionMissing => ("Connection", Side::Response),
        N::ResponseVersion | N::StatusNot101 | N::ResponseNotHttp => (START_LINE, Side::Response),
        N::ResponseBody => (body_header(&note.text)?, Side::Response),
        N::VersionNegotiation => ("Sec-WebSocket-Version", Side::Response),
        N::SubprotocolUnoffered | N::SubprotocolUnselected => {
            ("Sec-WebSocket-Protocol", Side::Response)
        }
        N::SubprotocolInvalid => ("Sec-WebSocket-Protocol", Side::Both),
        N::ExtensionUnoffered | N::ExtensionDuplicate | N::DeflateParamUnoffered => {
            ("Sec-WebSocket-Extensions", Side::Response)
        }
        N::ExtensionSyntax | N::DeflateParamInvalid => ("Sec-WebSocket-Extensions", Side::Both),
        _ => return None,
    })
}

/// RFC 9112 section 6: either announces a body, and the note names the one that does. It is named before
/// its value is quoted, so the first of the two is meant.
fn body_header(text: &str) -> Option<&'static str> {
    let named = |name: &'static str| Some((text.find(name)?, name));
    ["Transfer-Encoding", "Content-Length"]
        .into_iter()
        .filter_map(named)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Blame;

    fn place(code: &str, text: &'static str) -> Option<(&'static str, Side)> {
        header_of(&Note::new(code.parse().unwrap(), Blame::Server, text))
    }

    #[test]
    fn a_note_stands_at_the_header_that_it_names() {
        let accept = ("Sec-WebSocket-Accept", Side::Response);
        assert_eq!(place("accept-mismatch", ""), Some(accept));
        assert_eq!(place("key-invalid", ""), Some(("Sec-WebSocket-Key", Side::Request)));
        assert_eq!(place("extension-syntax", ""), Some(("Sec-WebSocket-Extensions", Side::Both)));
        assert_eq!(place("status-not-101", ""), Some((START_LINE, Side::Response)));
        assert_eq!(place("client-unmasked", ""), None);
    }

    #[test]
    fn a_body_stands_at_the_header_that_announces_it() {
        let text = "the 101 has Transfer-Encoding: \"Content-Length\"";
        assert_eq!(place("response-body", text), Some(("Transfer-Encoding", Side::Response)));
        let text = "the request has a body (Content-Length: \"4\")";
        assert_eq!(place("request-body", text), Some(("Content-Length", Side::Request)));
        assert_eq!(place("request-body", "the request has a body (as the bytes show)"), None);
    }
}
