//! Handshakes that a proxy makes of those of another HTTP version.
//!
//! Gets: the heads of a pair. Gives: an alteration for each header field that HTTP/1.1 needs for an
//! Upgrade and that the proxy did not make: over HTTP/2 (RFC 8441 section 5) there is none of them, so
//! that none is missing by comparison.

use serde_json::Value;

use super::lines::lines;
use super::{Alteration, Found};
use crate::event::Fields;
use crate::note::NoteCode;
use crate::units::Direction;

/// Says what a head of HTTP/1.1 lacks that was made from one of HTTP/2, `made_of`.
pub(super) fn lacking(dir: Direction, made_of: &Fields, made: &Fields, found: &mut Found) {
    let (what, own, refuses) = match dir {
        Direction::ToServer => ("request", "Sec-WebSocket-Key", "the server must refuse it"),
        Direction::ToClient => ("answer", "Sec-WebSocket-Accept", "the client must fail it"),
    };
    for name in [own, "Upgrade", "Connection"] {
        let key = name.to_ascii_lowercase();
        // What was there, and is no more, is said by comparing.
        if !lines(made, &key).is_empty() || !lines(made_of, &key).is_empty() {
            continue;
        }
        found.push(Alteration {
            numbers: [None; 2],
            code: NoteCode::HeaderRemoved,
            dir,
            what: key,
            before: Value::Null,
            after: Value::Null,
            text: format!(
                "The proxy made the {what} of HTTP/1.1 without {name}, which HTTP/2 does not need and \
                 HTTP/1.1 does: {refuses} (RFC 6455 section 4)."
            )
            .into(),
            expected: false,
        });
    }
}
