//! What proxies are known to do to header fields.
//!
//! Gets: a header name. Gives: its [`Kind`], by which [`super`] decides what may be done to it.

/// What a header field is to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `Sec-WebSocket-Key`
    Key,
    /// `Sec-WebSocket-Accept`
    Accept,
    /// `Sec-WebSocket-Protocol`
    Subprotocol,
    /// `Sec-WebSocket-Extensions`
    Extensions,
    /// `Host`, or HTTP/2's `:authority`.
    Host,
    /// `Connection`
    Connection,
    /// `Upgrade`
    Upgrade,
    /// For one hop only (RFC 9110 section 7.6.1): each side has its own.
    HopByHop,
    /// Tells the server who the client is: proxies add it or append to it.
    Forwarding,
    /// Tells what way the request took, or names it: proxies add it or make it anew.
    Trace,
    /// Content codings that the proxy can read: of no matter to a WebSocket.
    Coding,
    /// Gateways may add it to a response (RFC 9110 sections 6.6.1, 10.2.4).
    Gateway,
    /// How a body is delimited: each hop chooses (RFC 9112 section 6).
    Framing,
    /// A pseudo-header of HTTP/2: the start line in another form.
    Pseudo,
    /// Anything else goes from end to end as it is.
    EndToEnd,
}

/// The kind of a header by its name in lower case.
pub(super) fn kind(name: &str) -> Kind {
    if name == ":authority" {
        return Kind::Host;
    }
    if name.starts_with(':') {
        return Kind::Pseudo;
    }
    let exact = EXACT.iter().find(|(known, _)| *known == name).map(|&(_, kind)| kind);
    exact
        .or_else(|| PREFIX.iter().find(|(known, _)| name.starts_with(known)).map(|&(_, k)| k))
        .unwrap_or(Kind::EndToEnd)
}

/// Headers whose value is a comma-separated list (RFC 9110 section 5.6.1), in which white space
/// around the commas and the number of header lines mean nothing.
pub(super) fn is_list(name: &str) -> bool {
    !matches!(name, "set-cookie" | "cookie" | "date" | "user-agent" | "server" | "location")
}

/// Does this response header name a program that forwards but speaks no WebSocket itself?
pub(in crate::diff) fn is_gateway(server: &[u8]) -> bool {
    let product = server.split(|&b| b == b'/' || b == b' ').next().unwrap_or_default();
    GATEWAYS.iter().any(|known| product.eq_ignore_ascii_case(known.as_bytes()))
}

const EXACT: &[(&str, Kind)] = &[
    ("sec-websocket-key", Kind::Key),
    ("sec-websocket-accept", Kind::Accept),
    ("sec-websocket-protocol", Kind::Subprotocol),
    ("sec-websocket-extensions", Kind::Extensions),
    ("host", Kind::Host),
    ("connection", Kind::Connection),
    ("upgrade", Kind::Upgrade),
    // RFC 9110 section 7.6.1, and what older software sends besides.
    ("keep-alive", Kind::HopByHop),
    ("proxy-connection", Kind::HopByHop),
    ("proxy-authenticate", Kind::HopByHop),
    ("proxy-authorization", Kind::HopByHop),
    ("proxy-authentication-info", Kind::HopByHop),
    ("te", Kind::HopByHop),
    ("trailer", Kind::HopByHop),
    ("http2-settings", Kind::HopByHop),
    ("max-forwards", Kind::HopByHop),
    ("transfer-encoding", Kind::Framing),
    ("content-length", Kind::Framing),
    // Who the client is.
    ("forwarded", Kind::Forwarding),
    ("x-forwarded", Kind::Forwarding),
    ("x-real-ip", Kind::Forwarding),
    ("x-real-port", Kind::Forwarding),
    ("x-client-ip", Kind::Forwarding),
    ("x-client-port", Kind::Forwarding),
    ("x-cluster-client-ip", Kind::Forwarding),
    ("x-remote-ip", Kind::Forwarding),
    ("true-client-ip", Kind::Forwarding),
    ("client-ip", Kind::Forwarding),
    ("fastly-client-ip", Kind::Forwarding),
    ("x-original-forwarded-for", Kind::Forwarding),
    ("x-original-host", Kind::Forwarding),
    ("x-original-uri", Kind::Forwarding),
    ("x-original-url", Kind::Forwarding),
    ("x-scheme", Kind::Forwarding),
    ("x-url-scheme", Kind::Forwarding),
    ("x-host", Kind::Forwarding),
    ("front-end-https", Kind::Forwarding),
    // What way it took.
    ("via", Kind::Trace),
    ("x-via", Kind::Trace),
    ("cdn-loop", Kind::Trace),
    ("x-request-id", Kind::Trace),
    ("request-id", Kind::Trace),
    ("x-unique-id", Kind::Trace),
    ("x-correlation-id", Kind::Trace),
    ("x-trace-id", Kind::Trace),
    ("x-request-start", Kind::Trace),
    ("traceparent", Kind::Trace),
    ("tracestate", Kind::Trace),
    ("baggage", Kind::Trace),
    ("b3", Kind::Trace),
    ("uber-trace-id", Kind::Trace),
    ("x-cloud-trace-context", Kind::Trace),
    ("x-amzn-trace-id", Kind::Trace),
    ("x-varnish", Kind::Trace),
    ("x-served-by", Kind::Trace),
    ("x-timer", Kind::Trace),
    ("x-cache", Kind::Trace),
    ("x-cache-hits", Kind::Trace),
    ("x-cache-lookup", Kind::Trace),
    ("cache-status", Kind::Trace),
    ("proxy-status", Kind::Trace),
    ("server-timing", Kind::Trace),
    ("surrogate-capability", Kind::Trace),
    ("age", Kind::Trace),
    ("alt-svc", Kind::Trace),
    ("accept-encoding", Kind::Coding),
    ("date", Kind::Gateway),
    ("server", Kind::Gateway),
];

const PREFIX: &[(&str, Kind)] = &[
    ("x-forwarded-", Kind::Forwarding),
    ("cf-", Kind::Forwarding),
    ("cloudfront-", Kind::Forwarding),
    ("x-arr-", Kind::Forwarding),
    ("x-azure-", Kind::Forwarding),
    ("x-appengine-", Kind::Forwarding),
    ("fly-", Kind::Forwarding),
    ("x-envoy-", Kind::Trace),
    ("x-b3-", Kind::Trace),
    ("x-datadog-", Kind::Trace),
];

const GATEWAYS: &[&str] = &[
    "nginx",
    "openresty",
    "tengine",
    "haproxy",
    "envoy",
    "istio-envoy",
    "caddy",
    "traefik",
    "apache",
    "varnish",
    "squid",
    "ats",
    "awselb",
    "cloudfront",
    "cloudflare",
    "akamaighost",
    "gws",
    "mitmproxy",
    "pound",
    "h2o",
    "lighttpd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_exactly_or_by_their_beginning() {
        assert_eq!(kind("x-forwarded-for"), Kind::Forwarding);
        assert_eq!(kind("x-envoy-attempt-count"), Kind::Trace);
        assert_eq!(kind("te"), Kind::HopByHop);
        assert_eq!(kind("tea"), Kind::EndToEnd);
        assert_eq!(kind(":authority"), Kind::Host);
        assert_eq!(kind(":path"), Kind::Pseudo);
    }

    #[test]
    fn gateways_are_told_by_the_product_whatever_its_version() {
        assert!(is_gateway(b"nginx/1.22.1"));
        assert!(is_gateway(b"Apache/2.4.71 (Debian)"));
        assert!(!is_gateway(b"nginx-websocket-server"));
        assert!(!is_gateway(b"uvicorn"));
    }
}
