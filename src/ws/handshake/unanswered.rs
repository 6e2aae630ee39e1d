//! Handshakes whose request or answer is not whole.

use crate::event::{RequestHead, header_text};
use crate::http::h2::{error_meaning, error_name};
use crate::http::{Answer, CutBy, Exchange};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, Origin};
use crate::ws::ending::push_span;

/// Says what is missing, and by whom it was kept back.
pub(super) fn judge(exchange: &Exchange) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut lacks = |text: &'static str| {
        notes.push(Note::new(NoteCode::HandshakeIncomplete, Blame::Capture, text));
    };
    match &exchange.request {
        None => {
            lacks("the request is missing from the capture, so the answer is judged on its own");
        }
        Some(head) if exchange.request_partial && !says_so(&head.notes) => {
            lacks("the request's head is not whole in the capture, so it is judged only in part");
        }
        Some(_) => {}
    }
    match &exchange.answer {
        Answer::Head(_) => {}
        Answer::Partial(head) if says_so(&head.notes) => {}
        Answer::Missing => {
            lacks("the answer is missing from the capture, so only the request can be judged");
        }
        Answer::Partial(_) => {
            lacks("the answer's head is not whole in the capture, so it is judged only in part");
        }
        Answer::Cut { seen, by } => notes.push(cut(exchange, *seen, *by)),
        Answer::NotHttp { start, origin } => {
            let shown = header_text(start.get(..SHOWN_BYTES).unwrap_or(start));
            let shown = shown.escape_debug();
            let what = match exchange.http2 {
                None => format!("is no HTTP: it begins with \"{shown}\""),
                // RFC 9113 8.3.2: every response has one.
                Some(_) if start.is_empty() => {
                    "has no :status, without which it is malformed".to_owned()
                }
                Some(_) => format!("is malformed: its :status is \"{shown}\""),
            };
            let text = format!("the answer in packet {} {what}", origin.packet);
            notes.push(Note::new(NoteCode::ResponseNotHttp, Blame::Server, text));
        }
    }
    notes
}

/// Where the head is over a limit, that was said when it was read.
fn says_so(notes: &[Note]) -> bool {
    notes.iter().any(|note| note.code == NoteCode::HandshakeIncomplete)
}

const SHOWN_BYTES: usize = 32;

fn cut(exchange: &Exchange, seen: u64, by: CutBy) -> Note {
    let request = exchange.request.as_ref();
    let progress = match seen {
        0 => "before any answer".to_owned(),
        1 => "after 1 byte of the answer's head".to_owned(),
        n => format!("after {n} bytes of the answer's head"),
    };
    let (blame, ending) = match by {
        CutBy::CaptureEnd => (Blame::Capture, "the capture ends".to_owned()),
        CutBy::Fin(dir, at) => {
            (dir.into(), closing(request, dir, at, "closed the connection", "FIN", None))
        }
        CutBy::Reset(dir, at) => {
            (dir.into(), closing(request, dir, at, "reset the connection", "RST", None))
        }
        CutBy::StreamEnd(dir, at) => {
            (dir.into(), closing(request, dir, at, "ended the stream", "END_STREAM", None))
        }
        CutBy::StreamReset(dir, at, code) => {
            let name = code.map_or_else(String::new, |code| format!(" {}", error_name(code)));
            let (flag, meaning) = (format!("RST_STREAM{name}"), code.and_then(error_meaning));
            (dir.into(), closing(request, dir, at, "reset the stream", &flag, meaning))
        }
        CutBy::GoAway(dir, at, code) => {
            let flag = format!("GOAWAY {}", error_name(code));
            let did = "ended the connection for streams as new as this one";
            (dir.into(), closing(request, dir, at, did, &flag, error_meaning(code)))
        }
    };
    // RFC 9113 8.6: the server means it, and no client of HTTP/2 may take it for an answer.
    if let Some(switching) = exchange.http2.and_then(|over| over.switching) {
        let text = format!(
            "the server answered 101 (packet {}), which HTTP/2 does not have (RFC 9113 section 8.6: a 2xx \
             accepts), and then {ending} before any other answer",
            switching.packet
        );
        return Note::new(NoteCode::HandshakeIncomplete, Blame::Server, text);
    }
    Note::new(NoteCode::HandshakeIncomplete, blame, format!("{ending} {progress}"))
}

fn closing(
    request: Option<&RequestHead>,
    dir: Direction,
    at: Origin,
    did: &str,
    flag: &str,
    meaning: Option<&str>,
) -> String {
    let waited = request
        .and_then(|head| Some(at.time?.since(head.origin.time?)))
        .map(|ns| {
            let order = if ns < 0 { "before" } else { "after" };
            let mut waited = String::from(", ");
            push_span(&mut waited, ns.saturating_abs());
            waited + " " + order + " the request,"
        })
        .unwrap_or_default();
    let meaning = meaning.map_or_else(String::new, |meaning| format!(": {meaning}"));
    format!("the {} {did} ({flag} in packet {}{meaning}){waited}", dir.sender(), at.packet)
}
