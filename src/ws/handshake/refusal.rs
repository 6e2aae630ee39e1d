//! Answers other than 101 (over HTTP/2, 2xx): what they usually mean for a WebSocket, and who most likely made them.

use std::fmt::Write as _;

use super::trace;
use super::words::{joined, quote};
use crate::event::{RequestHead, ResponseHead};
use crate::note::{Blame, Note, NoteCode, Severity};

/// The notes on a refusal. `request_notes` are those that the request has earned already: a fault
/// of its own is the likeliest reason.
pub(super) fn judge(
    request: Option<&RequestHead>,
    head: &ResponseHead,
    request_notes: &[Note],
) -> Vec<Note> {
    let mut notes = head.notes.clone();
    notes.push(status(request, head, request_notes));
    notes.extend(version_negotiation(request, head));
    notes
}

/// RFC 6455 4.1: any other status is dealt with as HTTP says.
fn status(request: Option<&RequestHead>, head: &ResponseHead, request_notes: &[Note]) -> Note {
    let maker = maker(head);
    let mut text = format!("the answer is {}", head.status);
    if !head.reason.is_empty() {
        let _ = write!(text, " {}", quote(&*head.reason));
    }
    let over_h2 = request.is_some_and(|request| request.version == "2");
    if over_h2 && (200..300).contains(&head.status) {
        let _ = write!(text, ": {}", ordinary(request_notes));
    } else {
        let wanted = if over_h2 { "200" } else { "101" };
        let _ = write!(text, " instead of {wanted}: {}", meaning(request, head));
    }
    let faults: Vec<&Note> =
        request_notes.iter().filter(|note| note.severity() == Severity::Error).collect();
    if !faults.is_empty() {
        let mut codes: Vec<&str> = Vec::new();
        for code in faults.iter().map(|note| note.code.as_str()) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        let _ = write!(text, "; the request is at fault itself ({})", codes.join(", "));
    }
    let _ = write!(text, "; {}", maker.how);
    let blame = faults.first().map_or_else(|| blame(head.status, maker.by), |fault| fault.blame);
    Note::new(NoteCode::StatusNot101, blame, text)
}

/// RFC 8441 5: over HTTP/2 a 2xx accepts an extended CONNECT, and says nothing of the kind to any other
/// request.
fn ordinary(request_notes: &[Note]) -> &'static str {
    if request_notes.iter().any(|note| note.code == NoteCode::RequestMethod) {
        "the request was no extended CONNECT, so that is an ordinary answer and opens no WebSocket"
    } else {
        "nothing in the capture shows that the request was an extended CONNECT, so that may be an \
         ordinary answer, which opens no WebSocket"
    }
}

/// What the status asks for is the client's to mend in some cases, in the others the maker's.
fn blame(status: u16, maker: Blame) -> Blame {
    match status {
        401 | 403 | 407 | 413 | 414 | 417 | 429 | 431 => Blame::Client,
        502 | 504 => Blame::Proxy,
        _ => maker,
    }
}

/// What the status usually means where a WebSocket was asked for, with the header that says more.
fn meaning(request: Option<&RequestHead>, head: &ResponseHead) -> String {
    let target = || request.map_or_else(|| "the target".to_owned(), |r| quote(&r.target));
    let with = |text: &str, name: &str| match joined(&head.fields, name) {
        Some(value) => format!("{text} ({name}: {})", quote(value)),
        None => text.to_owned(),
    };
    match head.status {
        200..=299 => format!(
            "{} was answered as a plain HTTP resource, so either a proxy did not pass the upgrade \
             on or no WebSocket is served there",
            target()
        ),
        304 => format!(
            "{} has not changed, a cache or the server says, as of a plain HTTP resource",
            target()
        ),
        300..=399 => redirect(head),
        400 => "the request was found faulty, as it arrived there".to_owned(),
        401 => unauthorized(request, &with("authentication is wanted", "WWW-Authenticate")),
        402 => "the service wants to be paid".to_owned(),
        403 => forbidden(request),
        404 => format!(
            "nothing is served at {}: the path is wrong, or a proxy sent it to the wrong server",
            target()
        ),
        405 => {
            let method = request.map_or("GET", |request| &*request.method);
            let text =
                format!("{method} is not allowed there, so no WebSocket is served at the target");
            with(&text, "Allow")
        }
        407 => with("the proxy wants authentication", "Proxy-Authenticate"),
        408 => "the request did not arrive in time".to_owned(),
        410 => format!("{} is gone for good", target()),
        411 => "a length was wanted, so the upgrade was taken for a request with a body".to_owned(),
        413 | 414 | 431 => format!("the request is too big ({})", size(request)),
        421 => "the server is not responsible for this Host".to_owned(),
        426 if request.is_some_and(|request| wants_what_was_asked(request, head)) => {
            "it asks for the upgrade that the request has: a proxy on the way to who answered lost it, or \
             the server is mistaken"
                .to_owned()
        }
        426 => with("another protocol or version is wanted", "Upgrade"),
        429 => with("too many requests or connections were made", "Retry-After"),
        500 => "the server failed while it dealt with the upgrade".to_owned(),
        501 => "the server does not know how to do this".to_owned(),
        502 => "a gateway got no proper answer from the server behind it: refused, cut off, or no \
                HTTP"
            .to_owned(),
        503 => with(
            "no server was there to take it: overload, maintenance, or none found healthy",
            "Retry-After",
        ),
        504 => "a gateway waited for the server behind it in vain".to_owned(),
        505 => "the HTTP version is not supported".to_owned(),
        520..=527 => {
            "the delivery network got no usable answer from the server behind it".to_owned()
        }
        _ if head.status / 100 == 4 => "the request was refused".to_owned(),
        _ if head.status / 100 == 5 => "the server failed".to_owned(),
        _ => "the status has no meaning in HTTP".to_owned(),
    }
}

/// RFC 9110 15.5.22: a 426 names the protocol that is wanted; RFC 6455 4.4: and the versions, if it is for one.
fn wants_what_was_asked(request: &RequestHead, head: &ResponseHead) -> bool {
    const VERSION: &str = "Sec-WebSocket-Version";
    let asked = request.fields.first(VERSION);
    let speaks = head.fields.first(VERSION).is_none()
        || head.fields.tokens(VERSION).any(|version| Some(version) == asked);
    head.fields.has_token("Upgrade", "websocket")
        && request.fields.has_token("Upgrade", "websocket")
        && request.fields.has_token("Connection", "upgrade")
        && asked == Some(b"13")
        && speaks
}

/// RFC 6455 4.1: a client may follow a redirect; browsers do not.
fn redirect(head: &ResponseHead) -> String {
    let Some(location) = head.fields.first("Location") else {
        return "the target is elsewhere, but no Location says where".to_owned();
    };
    let tls = [&b"https:"[..], b"wss:"].iter().any(|scheme| {
        location.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let hint = if tls { ", over TLS (wss)" } else { "" };
    format!(
        "the target is elsewhere (Location: {}), and browsers do not follow that for a WebSocket: \
         it must be addressed there at once{hint}",
        quote(location)
    )
}

fn unauthorized(request: Option<&RequestHead>, wanted: &str) -> String {
    match request.map(|r| r.fields.first("Authorization").is_some()) {
        Some(true) => format!("{wanted}, and the Authorization sent was not accepted"),
        Some(false) => format!("{wanted}, and the request has no Authorization"),
        None => wanted.to_owned(),
    }
}

/// RFC 6455 4.2.2: 403 is what a server answers to an Origin that it does not accept.
fn forbidden(request: Option<&RequestHead>) -> String {
    let origin = request.map(|r| r.fields.first("Origin"));
    match origin {
        Some(Some(origin)) => format!(
            "access is refused, for a WebSocket most often because of where its page is from \
             (Origin: {})",
            quote(origin)
        ),
        Some(None) => {
            "access is refused (the request has no Origin, which some servers want)".to_owned()
        }
        None => "access is refused".to_owned(),
    }
}

fn size(request: Option<&RequestHead>) -> String {
    let Some(head) = request else { return "which the capture lacks".to_owned() };
    let length = |f: &crate::event::Field| f.name.len().saturating_add(f.value.len());
    let Some(longest) = head.fields.0.iter().max_by_key(|field| length(field)) else {
        return format!("a target of {} bytes", head.target.len());
    };
    let all = head.fields.0.iter().map(length).fold(head.target.len(), usize::saturating_add);
    format!("{all} bytes, {} of them in {}", length(longest), quote(&longest.name))
}

/// RFC 6455 4.2.2, 4.4: a server that does not speak the version asked for names those it does.
fn version_negotiation(request: Option<&RequestHead>, head: &ResponseHead) -> Option<Note> {
    const NAME: &str = "Sec-WebSocket-Version";
    let versions = joined(&head.fields, NAME)?;
    let asked = request.and_then(|r| joined(&r.fields, NAME));
    let mut text = format!("the server names the versions that it speaks: {}", quote(&versions));
    let supported = asked
        .as_deref()
        .is_some_and(|asked| head.fields.tokens(NAME).any(|version| version == asked));
    match asked {
        Some(asked) if supported => {
            let _ = write!(text, "; {} was asked for, so that was not the reason", quote(asked));
        }
        Some(asked) => {
            let _ = write!(text, "; {} was asked for", quote(asked));
        }
        None => {}
    }
    let blame = if supported { Blame::Server } else { Blame::Client };
    Some(Note::new(NoteCode::VersionNegotiation, blame, text))
}

/// Who most likely made an answer, and how one tells.
struct Maker {
    by: Blame,
    how: String,
}

fn maker(head: &ResponseHead) -> Maker {
    let proxy = |how| Maker { by: Blame::Proxy, how };
    let server = head.fields.first("Server");
    if let Some(name) = server.filter(|name| is_proxy_software(name)) {
        let how = format!("a proxy most likely made or passed it on (Server: {})", quote(name));
        return proxy(how);
    }
    if matches!(head.status, 407 | 502 | 504 | 520..=527) {
        return proxy("only a proxy answers with this status".to_owned());
    }
    if let Some(names) = trace::describe(&head.fields) {
        return proxy(format!("it came through a proxy ({names}), which may have made it"));
    }
    if looks_like_haproxy(head) {
        let how =
            "it has the look of HAProxy's own error page (no Date, no Server, not to be cached)";
        return proxy(how.to_owned());
    }
    let how = match server {
        Some(name) => format!("most likely the server gave it itself (Server: {})", quote(name)),
        None => "nothing in the answer names a proxy, so most likely the server gave it".to_owned(),
    };
    Maker { by: Blame::Server, how }
}

/// Names in a Server header that mostly stand in front of something else.
fn is_proxy_software(server: &[u8]) -> bool {
    const NAMES: &[&str] = &[
        "nginx",
        "openresty",
        "tengine",
        "cloudflare",
        "cloudfront",
        "awselb",
        "envoy",
        "istio",
        "haproxy",
        "traefik",
        "caddy",
        "varnish",
        "squid",
        "akamai",
        "google frontend",
        "gws",
        "kong",
        "apisix",
        "ats",
        "apachetrafficserver",
        "litespeed",
        "bunnycdn",
        "fly/",
        "vercel",
        "microsoft-azure-application-gateway",
        "big-ip",
        "bigip",
        "netscaler",
        "pingora",
        "skipper",
    ];
    let server = server.to_ascii_lowercase();
    NAMES.iter().any(|name| server.starts_with(name.as_bytes()))
}

/// HAProxy answers by itself without Date and Server, and forbids caching.
fn looks_like_haproxy(head: &ResponseHead) -> bool {
    let fields = &head.fields;
    fields.first("Date").is_none()
        && fields.first("Server").is_none()
        && fields.has_token("Cache-Control", "no-cache")
        && fields.first("Content-Type").is_some_and(|value| value.starts_with(b"text/html"))
}
