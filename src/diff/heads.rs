//! The two opening handshakes of a pair, side by side.
//!
//! Gets: the client leg and the server leg. Gives: alterations of request line, status line and header
//! fields, each marked expected or not. Keeps: nothing.
//!
//! The measure of *expected* is RFC 9110 section 7.6: hop-by-hop fields are each hop's own, a proxy may
//! say who and where it is, and a gateway names its own upstream in Host. All else is end to end.

mod known;
mod lines;
mod translated;
mod whole;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::collect::Leg;
use super::{Alteration, Found};
use crate::event::{EndHow, Fields, RequestHead, ResponseHead, header_text};
use crate::note::{Blame, NoteCode};
use crate::units::Direction;
use crate::ws::handshake::accept_for;

use known::Kind;
pub(super) use known::is_gateway;
pub(super) use lines::same_line;
use lines::{Change, besides, change, has_token, joined, lines};
use whole::Cuts;

/// Compares the heads of two legs as far as both were captured.
pub(crate) fn compare(client: &Leg, server: &Leg, found: &mut Found) {
    if let (Some(before), Some(after)) = (client.request(), server.request()) {
        let cuts = Cuts::of(client, server, Direction::ToServer);
        request_line(before, after, cuts, found);
        key(client, server, cuts, found);
        let side = Side {
            dir: Direction::ToServer,
            from: Head::request(before),
            to: Head::request(after),
            cuts,
            client_ip: client.client.ip().to_canonical().to_string(),
            own_answer: false,
        };
        side.fields(&before.fields, &after.fields, found);
        side.translated(found);
    }
    if let (Some(before), Some(after)) = (client.response(), server.response()) {
        let cuts = Cuts::of(client, server, Direction::ToClient);
        let own_answer = status_line(before, after, found);
        accept(client, server, cuts, found);
        let side = Side {
            dir: Direction::ToClient,
            from: Head::response(after),
            to: Head::response(before),
            cuts,
            client_ip: String::new(),
            own_answer,
        };
        side.fields(&before.fields, &after.fields, found);
        side.translated(found);
    }
    one_answer(client, server, found);
}

/// An answer on one leg only: made by the proxy itself, or not passed on. Nothing is said where
/// the capture may lack the other.
fn one_answer(client: &Leg, server: &Leg, found: &mut Found) {
    let (before, after, text) = match (client.response(), server.response()) {
        (Some(r), None) if unanswered(server) => {
            let text =
                format!("The server did not answer: {} is the proxy's own answer.", r.status);
            (json!(r.status), Value::Null, text)
        }
        (None, Some(r)) if unanswered(client) => {
            let text = format!("The server answered {}, the client was told nothing.", r.status);
            (Value::Null, json!(r.status), text)
        }
        _ => return,
    };
    found.push(Alteration {
        numbers: [None; 2],
        code: NoteCode::StatusChanged,
        dir: Direction::ToClient,
        what: "response".to_owned(),
        before,
        after,
        text: text.into(),
        expected: false,
    });
}

/// Does the capture show that a request was never answered?
pub(super) fn unanswered(leg: &Leg) -> bool {
    let lacking = |h: &crate::event::Handshake| h.notes.iter().any(|n| n.blame == Blame::Capture);
    let ended = leg.end.as_ref().is_some_and(|end| end.how != EndHow::CaptureEnd);
    let whole = leg.gaps.to_client.is_empty() && !leg.handshake.as_ref().is_none_or(lacking);
    leg.request().is_some() && leg.response().is_none() && whole && ended
}

/// Does a proxy pass this header on as it is, so that it tells legs of one connection?
pub(super) fn goes_end_to_end(name: &str) -> bool {
    matches!(known::kind(name), Kind::EndToEnd | Kind::Subprotocol | Kind::Extensions)
}

/// The alteration of a request that no server leg carries on.
pub(crate) fn not_forwarded(client: &Leg, found: &mut Found) {
    let before =
        client.request().map_or(Value::Null, |r| json!(format!("{} {}", r.method, r.target)));
    let text = match client.response() {
        Some(r) => format!(
            "The request was not sent on: the proxy answered {} {} itself.",
            r.status,
            clip(&r.reason)
        ),
        None => "The request was not sent on, nor answered.".to_owned(),
    };
    found.push(Alteration {
        numbers: [None; 2],
        code: NoteCode::NotForwarded,
        dir: Direction::ToServer,
        what: "request".to_owned(),
        before,
        after: Value::Null,
        text: text.into(),
        expected: false,
    });
}

fn request_line(before: &RequestHead, after: &RequestHead, cuts: Cuts, found: &mut Found) {
    let translated = is_h2(&before.version) != is_h2(&after.version);
    let same_method = before.method == after.method || translated;
    // Of a head that is not whole the target may be what is missing.
    let unknown = |head: &RequestHead| is_h2(&head.version) && head.fields.first(":path").is_none();
    let unknown = cuts.from && unknown(before) || cuts.to && unknown(after);
    if before.target != after.target && !unknown || !same_method {
        let line = |head: &RequestHead| {
            if same_method {
                json!(head.target)
            } else {
                json!(format!("{} {}", head.method, head.target))
            }
        };
        // RFC 9112 section 3.2.1: a request to the origin has the origin form, whatever a proxy got.
        let origin_form = same_method && origin_form(&before.target) == Some(&after.target);
        let what = if same_method { "target" } else { "method or target" };
        let why = if origin_form { " (absolute form to origin form)" } else { "" };
        found.push(Alteration {
            numbers: [None; 2],
            code: NoteCode::TargetRewritten,
            dir: Direction::ToServer,
            what: "request".to_owned(),
            before: line(before),
            after: line(after),
            text: format!(
                "The request {what} was rewritten{why}: {} became {}.",
                clip(&before.target),
                clip(&after.target)
            )
            .into(),
            expected: origin_form,
        });
    }
    version("request", Direction::ToServer, &before.version, &after.version, found);
}

/// The path and query of an absolute-form target.
fn origin_form(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https", "ws", "wss"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) {
        return None;
    }
    match rest.find('/') {
        Some(at) => rest.get(at..),
        None => Some("/"),
    }
}

fn is_h2(version: &str) -> bool {
    version.starts_with('2') || version.starts_with('3')
}

fn version(what: &str, dir: Direction, before: &str, after: &str, found: &mut Found) {
    if before == after {
        return;
    }
    let (from, to) = match dir {
        Direction::ToServer => (before, after),
        Direction::ToClient => (after, before),
    };
    // RFC 9110 section 2.5: an intermediary sends its own version. One below 1.1 can not upgrade.
    let expected = is_h2(from) || is_h2(to) || to == "1.1";
    found.push(Alteration {
        numbers: [None; 2],
        code: NoteCode::VersionChanged,
        dir,
        what: what.to_owned(),
        before: json!(format!("HTTP/{before}")),
        after: json!(format!("HTTP/{after}")),
        text: if expected {
            format!("The {what} came as HTTP/{from} and went on as HTTP/{to}.").into()
        } else {
            format!(
                "The {what} came as HTTP/{from} and went on as HTTP/{to}, which knows no Upgrade \
                 (RFC 9110 section 7.8)."
            )
            .into()
        },
        expected,
    });
}

/// Status and version. True when the answers differ, so that the proxy's is its own.
fn status_line(before: &ResponseHead, after: &ResponseHead, found: &mut Found) -> bool {
    version("response", Direction::ToClient, &before.version, &after.version, found);
    if before.status == after.status {
        return false;
    }
    // RFC 8441 section 5: what 101 is to an Upgrade, 2xx is to an extended CONNECT.
    let opens =
        |r: &ResponseHead| r.status == 101 || is_h2(&r.version) && (200..300).contains(&r.status);
    let expected = opens(before) && opens(after);
    found.push(Alteration {
        numbers: [None; 2],
        code: NoteCode::StatusChanged,
        dir: Direction::ToClient,
        what: "response".to_owned(),
        before: json!(before.status),
        after: json!(after.status),
        text: if expected {
            format!("{} is HTTP/{}'s word for {}.", before.status, before.version, after.status)
        } else {
            format!(
                "The server answered {} {}, the client was told {} {}.",
                after.status,
                clip(&after.reason),
                before.status,
                clip(&before.reason)
            )
        }
        .into(),
        expected,
    });
    !expected
}

fn key(client: &Leg, server: &Leg, cuts: Cuts, found: &mut Found) {
    let (before, after) = (client.ws_key(), server.ws_key());
    if before == after || before.is_none() && cuts.from || after.is_none() && cuts.to {
        return;
    }
    let wrong_accept = accept_is_right(client) == Some(false);
    let (code, expected, text) = if after.is_none() {
        let h2 = server.request().is_some_and(|r| is_h2(&r.version));
        (NoteCode::HeaderRemoved, h2, "The proxy removed Sec-WebSocket-Key.")
    } else if wrong_accept {
        let text = "The proxy sent a key of its own, and the client an accept that does not fit.";
        (NoteCode::KeyRegenerated, false, text)
    } else {
        let text = "The proxy made its own handshake with the server: a new key.";
        (NoteCode::KeyRegenerated, true, text)
    };
    found.push(Alteration {
        numbers: [None; 2],
        code,
        dir: Direction::ToServer,
        what: "sec-websocket-key".to_owned(),
        before: value(before),
        after: value(after),
        text: text.into(),
        expected,
    });
}

/// Whether a leg's accept fits its key; `None` when there is not both, or no 101.
fn accept_is_right(leg: &Leg) -> Option<bool> {
    let response = leg.response().filter(|r| r.status == 101)?;
    let accept = response.fields.first("sec-websocket-accept")?;
    Some(accept.trim_ascii() == accept_for(leg.ws_key()?).as_bytes())
}

fn accept(client: &Leg, server: &Leg, cuts: Cuts, found: &mut Found) {
    let of = |leg: &'_ Leg| {
        leg.response().and_then(|r| r.fields.first("sec-websocket-accept")).map(<[u8]>::to_vec)
    };
    let (before, after) = (of(client), of(server));
    let forged = accept_is_right(client) == Some(false);
    // A server whose own accept is wrong is no fault of the proxy that passes it on.
    let passed_on = before == after && client.ws_key() == server.ws_key();
    let cut = before.is_none() && cuts.to || after.is_none() && cuts.from && !forged;
    if passed_on || cut || before == after && !forged {
        return;
    }
    let h2 = |leg: &Leg| leg.response().is_some_and(|r| is_h2(&r.version));
    let refused = |leg: &Leg| leg.response().is_some_and(|r| r.status != 101);
    let (code, expected, text): (_, _, Cow<'static, str>) = if before.is_none() {
        let expected = h2(client) || refused(client);
        (NoteCode::HeaderRemoved, expected, "The proxy removed Sec-WebSocket-Accept.".into())
    } else if forged {
        let want = client.ws_key().map(accept_for).unwrap_or_default();
        let text = format!(
            "The client was given an accept that does not fit its key ({want} would): it must fail \
             the connection."
        );
        (NoteCode::AcceptForged, false, text.into())
    } else if after.is_none() {
        let expected = h2(server) || refused(server);
        (NoteCode::HeaderAdded, expected, "The proxy added Sec-WebSocket-Accept.".into())
    } else {
        let text = "The proxy made its own handshake: an accept that fits the client's key.";
        (NoteCode::AcceptRegenerated, true, text.into())
    };
    found.push(Alteration {
        numbers: [None; 2],
        code,
        dir: Direction::ToClient,
        what: "sec-websocket-accept".to_owned(),
        before: value(before.as_deref()),
        after: value(after.as_deref()),
        text,
        expected,
    });
}

/// What of a start line the rules for header fields need.
#[derive(Clone, Copy)]
struct Head<'a> {
    fields: &'a Fields,
    h2: bool,
    /// A 101, or any request: where Upgrade has its meaning.
    upgrades: bool,
}

impl<'a> Head<'a> {
    fn request(head: &'a RequestHead) -> Self {
        Self { fields: &head.fields, h2: is_h2(&head.version), upgrades: true }
    }

    fn response(head: &'a ResponseHead) -> Self {
        Self { fields: &head.fields, h2: is_h2(&head.version), upgrades: head.status == 101 }
    }
}

/// One direction of the handshake, along the way of travel.
struct Side<'a> {
    dir: Direction,
    from: Head<'a>,
    to: Head<'a>,
    cuts: Cuts,
    client_ip: String,
    /// The proxy answered in the server's stead: its own header fields are its own.
    own_answer: bool,
}

impl Side<'_> {
    /// What the proxy had to make, and did not.
    fn translated(&self, found: &mut Found) {
        if self.from.h2 && !self.to.h2 && self.to.upgrades && !self.own_answer && !self.cuts.to {
            translated::lacking(self.dir, self.from.fields, self.to.fields, found);
        }
    }

    fn fields(&self, before: &Fields, after: &Fields, found: &mut Found) {
        for name in names(before, after) {
            self.field(&name, before, after, found);
        }
        self.spelling(before, after, found);
        self.order(before, after, found);
    }

    fn field(&self, name: &str, before: &Fields, after: &Fields, found: &mut Found) {
        let kind = known::kind(name);
        // Done with the leg as a whole, or part of the start line.
        if matches!(kind, Kind::Key | Kind::Accept | Kind::Pseudo) {
            return;
        }
        let field = before.0.iter().chain(&after.0).find(|f| f.is(name));
        let spelled = field.map_or(Cow::Borrowed(name), crate::event::Field::name_text);
        let (before, after) = (lines(before, name), lines(after, name));
        let (from, to) = match self.dir {
            Direction::ToServer => (&before, &after),
            Direction::ToClient => (&after, &before),
        };
        let Some(change) = change(name, kind, from, to) else { return };
        if self.cuts.excuse(from, to) {
            return;
        }
        let (expected, why) = self.judge(name, kind, change, from, to);
        let expected = expected || self.own_answer;
        let code = match (kind, change) {
            (Kind::Subprotocol, Change::Added | Change::Removed | Change::Changed) => {
                NoteCode::SubprotocolChanged
            }
            (Kind::Extensions, Change::Added | Change::Removed | Change::Changed) => {
                NoteCode::ExtensionsChanged
            }
            (_, Change::Added) => NoteCode::HeaderAdded,
            (_, Change::Removed) => NoteCode::HeaderRemoved,
            (_, Change::Changed | Change::Cosmetic) => NoteCode::HeaderChanged,
        };
        let why = if self.own_answer { "part of the proxy's own answer" } else { why };
        let text = sentence(&spelled, change, from, to, why);
        found.push(Alteration {
            numbers: [None; 2],
            code,
            dir: self.dir,
            what: name.to_owned(),
            before: shown(name, &before, &after),
            after: shown(name, &after, &before),
            text: text.into(),
            expected,
        });
    }

    /// Whether any correct proxy may do this, and why.
    fn judge(
        &self,
        name: &str,
        kind: Kind,
        change: Change,
        from: &[&[u8]],
        to: &[&[u8]],
    ) -> (bool, &'static str) {
        if change == Change::Cosmetic {
            return (true, "it means the same");
        }
        match kind {
            // RFC 9110 section 7.2: Host names the target, for a gateway its upstream.
            Kind::Host if change != Change::Removed || self.to.h2 => {
                (true, "a gateway names its upstream")
            }
            Kind::Host => (false, "HTTP/1.1 requires it (RFC 9112 section 3.2)"),
            Kind::Connection => {
                let asked = self.from.upgrades && has_token(from, b"upgrade") || self.from.h2;
                let made = !self.to.upgrades || self.to.h2 || has_token(to, b"upgrade");
                if asked && !made {
                    (false, "without the Upgrade token no WebSocket comes of it")
                } else {
                    (true, "each hop has its own (RFC 9110 section 7.6.1)")
                }
            }
            Kind::Upgrade => match change {
                Change::Added
                    if self.from.h2 && self.to.upgrades && has_token(to, b"websocket") =>
                {
                    (true, "HTTP/2 has no Upgrade")
                }
                Change::Added if self.from.h2 && self.to.upgrades => {
                    (false, "it decides what protocol is spoken")
                }
                _ if !(self.from.upgrades && self.to.upgrades) => {
                    (true, "each hop has its own (RFC 9110 section 7.8)")
                }
                Change::Removed if self.to.h2 => (true, "HTTP/2 has no Upgrade"),
                Change::Removed => (
                    false,
                    "it is hop by hop: a proxy must be told to pass it (RFC 9110 section 7.8)",
                ),
                _ => (false, "it decides what protocol is spoken"),
            },
            Kind::HopByHop => (true, "for one hop only (RFC 9110 section 7.6.1)"),
            Kind::Framing if self.dir == Direction::ToClient && self.to.upgrades => {
                (false, "a 101 has no body (RFC 9110 section 8.6)")
            }
            Kind::Framing => (true, "each hop delimits bodies its own way"),
            Kind::Forwarding => forwarding(change, from, to, &self.client_ip),
            Kind::Trace if change != Change::Removed => {
                (true, "it tells what way the request took")
            }
            Kind::Trace => (false, "what earlier hops said is lost"),
            Kind::Coding if change != Change::Removed => (true, "of no matter to a WebSocket"),
            Kind::Gateway if self.dir == Direction::ToClient => match change {
                Change::Added | Change::Changed => (true, "a gateway may say its own"),
                _ => (false, "it is the server's to say"),
            },
            Kind::Subprotocol if self.dir == Direction::ToServer => {
                (false, "the server chooses from what it is offered")
            }
            Kind::Subprotocol => (false, "client and server now disagree on what they speak"),
            Kind::Extensions if self.dir == Direction::ToServer => {
                (false, "the server can only accept what it is offered")
            }
            Kind::Extensions => (false, "the proxy must then translate every frame"),
            // RFC 9110 section 7.6.1: fields that Connection names go no further.
            Kind::EndToEnd if change == Change::Removed && self.nominated(name) => {
                (true, "Connection named it for one hop only")
            }
            _ if name == "set-cookie" && regrouped(name, from, to) => {
                (false, "lines of it must not be combined (RFC 9110 section 5.3)")
            }
            // RFC 9110 section 7.7: what is for the other end, no hop should touch.
            _ => match change {
                Change::Added => (false, "it is not the proxy's to say"),
                Change::Removed => (false, "it was meant for the other end"),
                _ => (false, "the other end was meant to get it as it was"),
            },
        }
    }

    fn nominated(&self, name: &str) -> bool {
        self.from.fields.has_token("connection", name)
    }

    /// Letter case of names (RFC 9110 section 5.1: it means nothing), in one remark for all.
    fn spelling(&self, before: &Fields, after: &Fields, found: &mut Found) {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for field in &before.0 {
            let twin = after.0.iter().find(|f| f.name.eq_ignore_ascii_case(&field.name));
            let Some(twin) = twin else { continue };
            let spelled = after.0.iter().any(|f| f.name == field.name);
            if !spelled && !pairs.iter().any(|(b, _)| b.as_bytes() == &*field.name) {
                pairs.push((field.name_text(), twin.name_text()));
            }
        }
        if pairs.is_empty() {
            return;
        }
        let list = |pick: fn(&(Cow<'_, str>, Cow<'_, str>)) -> String| {
            pairs.iter().map(pick).collect::<Vec<_>>().join(", ")
        };
        let n = pairs.len();
        found.push(self.whole_head(
            list(|(b, _)| b.to_string()),
            list(|(_, a)| a.to_string()),
            format!(
                "The letter case of {n} header {} in the {} changed; it means nothing.",
                if n == 1 { "name" } else { "names" },
                self.what()
            ),
        ));
    }

    /// Order of fields of different names (RFC 9110 section 5.3: it means nothing).
    fn order(&self, before: &Fields, after: &Fields, found: &mut Found) {
        let in_order = |fields: &Fields, other: &Fields| {
            let mut list: Vec<String> = Vec::new();
            for field in &fields.0 {
                let name = field.name_text().to_ascii_lowercase();
                let common = other.0.iter().any(|f| f.name.eq_ignore_ascii_case(&field.name));
                if common && !name.starts_with(':') && !list.contains(&name) {
                    list.push(name);
                }
            }
            list
        };
        // Names are compared pairwise: a head of a thousand fields is no ordinary one.
        if before.0.len().max(after.0.len()) > ORDERED_FIELDS {
            return;
        }
        let (b, a) = (in_order(before, after), in_order(after, before));
        if a != b {
            let text = format!(
                "The order of the header fields in the {} changed; it means nothing.",
                self.what()
            );
            found.push(self.whole_head(b.join(", "), a.join(", "), text));
        }
    }

    const fn what(&self) -> &'static str {
        match self.dir {
            Direction::ToServer => "request",
            Direction::ToClient => "response",
        }
    }

    fn whole_head(&self, before: String, after: String, text: String) -> Alteration {
        Alteration {
            numbers: [None; 2],
            code: NoteCode::HeaderChanged,
            dir: self.dir,
            what: self.what().to_owned(),
            before: Value::String(before),
            after: Value::String(after),
            text: text.into(),
            expected: true,
        }
    }
}

/// What tells of the client may be added and appended to; a value that is the client's own claim may
/// be replaced by its address, which is what a proxy at the edge should do.
fn forwarding(change: Change, from: &[&[u8]], to: &[&[u8]], ip: &str) -> (bool, &'static str) {
    let (old, new) = (from.join(&b", "[..]), to.join(&b", "[..]));
    match change {
        Change::Added => (true, "it tells the server where the request came from"),
        Change::Changed if new.starts_with(&old) => (true, "a proxy appends what it knows"),
        Change::Changed if new == ip.as_bytes() => {
            (true, "a proxy at the edge does not trust what the client says of itself")
        }
        Change::Changed => (false, "what earlier hops said is lost"),
        _ => (false, "the server no longer knows where the request came from"),
    }
}

/// Names in lower case, in the order they first appear: client leg, then what only the server leg has.
fn names(before: &Fields, after: &Fields) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let all = before.0.iter().chain(&after.0);
    all.map(|f| f.name_text().to_ascii_lowercase()).filter(|n| seen.insert(n.clone())).collect()
}

fn value(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |b| Value::String(header_text(b).into_owned()))
}

/// Do lines differ only in which of them are one?
fn regrouped(name: &str, one: &[&[u8]], other: &[&[u8]]) -> bool {
    one != other && joined(name, one) == joined(name, other)
}

/// Lines as one text; one by one where that alone tells them from the other leg's.
fn shown(name: &str, lines: &[&[u8]], other: &[&[u8]]) -> Value {
    if regrouped(name, lines, other) {
        return lines.iter().map(|line| value(Some(line))).collect();
    }
    joined(name, lines).map_or(Value::Null, Value::String)
}

fn sentence(name: &str, change: Change, from: &[&[u8]], to: &[&[u8]], why: &str) -> String {
    let text = |lines: &[&[u8]]| joined(name, lines).unwrap_or_default();
    let moved = |kept, all| text(&besides(kept, all).unwrap_or_default());
    let spelled = clip(name);
    match change {
        Change::Added => {
            format!("The proxy added {spelled}: {}; {why}.", clip(&moved(from, to)))
        }
        Change::Removed => {
            format!("The proxy removed {spelled}: {}; {why}.", clip(&moved(to, from)))
        }
        Change::Changed | Change::Cosmetic if regrouped(name, from, to) => {
            let list = |lines: &[&[u8]]| {
                let many = if lines.len() == 1 { "line" } else { "lines" };
                let shown: Vec<_> = lines.iter().map(|line| header_text(line)).collect();
                format!("{} {many} ({})", lines.len(), clip(&shown.join(" | ")))
            };
            format!("The proxy changed {spelled} from {} to {}; {why}.", list(from), list(to))
        }
        Change::Changed | Change::Cosmetic => {
            let (old, new) = (text(from), text(to));
            format!("The proxy changed {spelled} from {} to {}; {why}.", clip(&old), clip(&new))
        }
    }
}

/// The beginning of a long value, for a sentence.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(CLIP_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// Characters of a value quoted in a sentence; `before` and `after` hold all of it.
const CLIP_CHARS: usize = 80;
/// Heads with more fields are not compared for order.
const ORDERED_FIELDS: usize = 256;

#[cfg(test)]
mod tests;
