//! Heads that are over a limit of ours: all of them was captured, and not all is kept.

use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode};

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// [`Limits::head_bytes`].
    Bytes,
    /// [`Limits::head_fields`].
    Fields,
}

impl Over {
    /// Says so; `whose` head it is: the request's, the answer's.
    pub(super) fn note(self, whose: &str, limits: &Limits) -> Note {
        let (limit, unit) = match self {
            Self::Bytes => (limits.head_bytes, "bytes"),
            Self::Fields => (limits.head_fields, "header fields"),
        };
        let text = format!(
            "the {whose}'s head has more than {limit} {unit}, which is wstap's limit, so it is judged \
             only in part"
        );
        Note::new(NoteCode::HandshakeIncomplete, Blame::Capture, text)
    }
}
