//! What proxies leave in heads.

use crate::event::{Field, Fields, RequestHead};
use crate::note::{Blame, Note, NoteCode};

use super::words::quote;

/// An info for each head that names a hop (RFC 9110 section 7.6.3, RFC 7239).
pub(super) fn judge(request: Option<&Fields>, response: Option<&Fields>) -> Vec<Note> {
    let heads = [("request", request), ("response", response)];
    heads
        .into_iter()
        .filter_map(|(what, fields)| {
            let names = describe(fields?)?;
            let text = format!("the {what} has headers that a proxy adds: {names}");
            Some(Note::new(NoteCode::ProxyTrace, Blame::Proxy, text))
        })
        .collect()
}

/// Who must be blamed for a header that a hop forwards or drops: the proxy where the request has
/// come through one, otherwise the client.
pub(super) fn sender_of(request: &RequestHead) -> Blame {
    if is_stripped(request) || leaves_any(&request.fields) { Blame::Proxy } else { Blame::Client }
}

/// RFC 9110 7.6.1, 7.8: a proxy drops Upgrade, a hop-by-hop header, unless told to pass it on, and
/// passes `Sec-WebSocket-Key`, which is end-to-end. No client sends the one without the other.
pub(super) fn is_stripped(request: &RequestHead) -> bool {
    request.fields.first("Upgrade").is_none() && request.fields.first("Sec-WebSocket-Key").is_some()
}

/// Does any header tell of a hop.
pub(super) fn leaves_any(fields: &Fields) -> bool {
    fields.0.iter().any(is_trace)
}

/// `Via: "1.1 edge", X-Forwarded-For: "10.0.0.1"`; `None` where no header tells of a hop.
pub(super) fn describe(fields: &Fields) -> Option<String> {
    let traces: Vec<String> = fields
        .0
        .iter()
        .filter(|field| is_trace(field))
        .take(SHOWN)
        .map(|field| format!("{}: {}", field.name_text(), quote(&field.value)))
        .collect();
    (!traces.is_empty()).then(|| traces.join(", "))
}

const SHOWN: usize = 8;

fn is_trace(field: &Field) -> bool {
    let starts = |prefix: &str| {
        field.name.get(..prefix.len()).is_some_and(|n| n.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    NAMES.iter().any(|name| field.is(name)) || PREFIXES.iter().any(|prefix| starts(prefix))
}

/// Headers that proxies, balancers and delivery networks add, and no client or server of its own.
const NAMES: &[&str] = &[
    "via",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "cf-ray",
    "cf-connecting-ip",
    "cf-visitor",
    "cdn-loop",
    "x-amzn-trace-id",
    "x-served-by",
    "x-cache",
    "x-varnish",
    "x-squid-error",
    "fastly-client-ip",
];

const PREFIXES: &[&str] = &["x-forwarded-", "x-envoy-", "x-amz-cf-", "x-azure-", "x-akamai-"];
