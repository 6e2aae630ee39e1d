//! Exchanges from literal heads, for tests.

use crate::event::{Field, Fields, Handshake, Outcome, RequestHead, ResponseHead};
use crate::http::{Answer, Exchange};
use crate::limits::Limits;
use crate::note::{Blame, Note, NoteCode, Severity};
use crate::units::{Origin, PacketNo, Timestamp};

/// RFC 6455 section 1.3.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1
Host: server.example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
";

/// Its answer.
pub(crate) const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
";

/// Packet `no`, that many seconds after 1970.
pub(crate) fn packet(no: u64) -> Origin {
    let seconds = i64::try_from(no).unwrap();
    Origin { packet: PacketNo(no), time: Some(Timestamp(seconds * 1_000_000_000)) }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Fields {
    Fields(
        lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a header");
                Field { name: name.as_bytes().into(), value: value.trim().as_bytes().into() }
            })
            .collect(),
    )
}

pub(crate) fn request(head: &str) -> RequestHead {
    let mut lines = head.lines();
    let start: Vec<&str> = lines.next().unwrap().splitn(3, ' ').collect();
    let [method, target, version] = start[..] else { panic!("a request line") };
    RequestHead {
        method: method.to_owned().into(),
        target: target.into(),
        version: version.trim_start_matches("HTTP/").to_owned().into(),
        fields: fields(lines),
        origin: packet(4),
        begin: packet(4),
        notes: Vec::new(),
    }
}

pub(crate) fn response(head: &str) -> ResponseHead {
    let mut lines = head.lines();
    let mut start = lines.next().unwrap().splitn(3, ' ');
    let version = start.next().unwrap().trim_start_matches("HTTP/");
    ResponseHead {
        status: start.next().unwrap().parse().unwrap(),
        reason: start.next().unwrap_or("").to_owned().into(),
        version: version.to_owned().into(),
        fields: fields(lines),
        origin: packet(6),
        begin: packet(6),
        notes: Vec::new(),
    }
}

pub(crate) fn exchange(request_head: &str, answer: Answer) -> Exchange {
    Exchange {
        request: Some(request(request_head)),
        request_partial: false,
        answer,
        interim: Vec::new(),
        request_body: false,
        early: None,
        proxy_protocol: None,
        http2: None,
    }
}

/// What is judged of an exchange within the usual limits.
pub(crate) fn judge(exchange: Exchange) -> Handshake {
    super::judge(exchange, &Limits::default())
}

/// What is judged of two heads.
pub(crate) fn judged(request_head: &str, response_head: &str) -> Judged {
    Judged(judge(exchange(request_head, Answer::Head(response(response_head)))))
}

/// The RFC's request with a line put in place of `old`, or added where `old` is empty.
pub(crate) fn asked(old: &str, new: &str) -> Judged {
    judged(&edited(REQUEST, old, new), RESPONSE)
}

/// The RFC's answer, likewise.
pub(crate) fn answered(old: &str, new: &str) -> Judged {
    judged(REQUEST, &edited(RESPONSE, old, new))
}

/// The head with the line that starts with `old` replaced by `new`; an empty `old` adds, an empty
/// `new` removes.
pub(crate) fn edited(head: &str, old: &str, new: &str) -> String {
    if old.is_empty() {
        return format!("{head}{new}\n");
    }
    assert!(head.lines().any(|line| line.starts_with(old)), "no line {old:?}");
    let lines = head.lines().map(|line| if line.starts_with(old) { new } else { line });
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

pub(crate) struct Judged(pub(crate) Handshake);

impl Judged {
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.0.notes.iter().map(|note| note.code.as_str()).collect()
    }

    /// The notes are these and no others.
    #[track_caller]
    pub(crate) fn has(&self, codes: &[&str]) -> &Self {
        assert_eq!(self.codes(), codes, "{:#?}", self.0.notes);
        self
    }

    /// No note, and a client may go on.
    #[track_caller]
    pub(crate) fn is_clean(&self) -> &Self {
        self.has(&[]).comes_to(Outcome::Accepted)
    }

    #[track_caller]
    pub(crate) fn comes_to(&self, outcome: Outcome) -> &Self {
        assert_eq!(self.0.outcome, outcome, "{:#?}", self.0.notes);
        self
    }

    /// The note of this code says this and blames that one.
    #[track_caller]
    pub(crate) fn says(&self, code: &str, blame: Blame, part: &str) -> &Self {
        let note = self.note(code);
        assert_eq!(note.blame, blame, "{note:#?}");
        assert!(note.text.contains(part), "{note:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn has_severity(&self, code: &str, severity: Severity) -> &Self {
        assert_eq!(self.note(code).severity(), severity);
        self
    }

    #[track_caller]
    fn note(&self, code: &str) -> &Note {
        let code: NoteCode = code.parse().unwrap();
        let found = self.0.notes.iter().find(|note| note.code == code);
        found.unwrap_or_else(|| panic!("no {code} in {:#?}", self.0.notes))
    }
}
