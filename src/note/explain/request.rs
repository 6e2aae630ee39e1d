//! Notes on the request of an opening handshake.

use super::{BASE, Explanation, UPGRADE_THROUGH_PROXIES, config};
use crate::note::Blame::{Client, Proxy, Server};

pub(super) const METHOD: Explanation = Explanation {
    title: "The upgrade request is not a GET",
    rule: "The request asks for a WebSocket, but its method is not GET.",
    demands: "RFC 6455 §4.1, item 2: \"The method of the request MUST be GET, and the HTTP version MUST be at least 1.1.\" (Over HTTP/2 it is CONNECT instead, RFC 8441.)",
    blames: &[Client, Proxy],
    who: "over HTTP/2 a proxy where the request came through one",
    why: "Servers route the upgrade by GET; anything else ends in 400, 404 or 405.",
    causes: &[
        "a hand-made client, or an HTTP library told to POST to the WebSocket's address",
        "a gateway that turned the request into another method",
    ],
    fix: "Send the handshake as GET, without a body. Data for the server goes into the query string, a header, or the first message.",
    ..BASE
};

pub(super) const VERSION: Explanation = Explanation {
    title: "The upgrade request is below HTTP/1.1",
    rule: "The request line says HTTP/1.0 (or less), which knows no Upgrade.",
    demands: "RFC 6455 §4.1, item 2: the HTTP version MUST be at least 1.1. RFC 9110 §7.8: a server MUST ignore an Upgrade field that it receives in an HTTP/1.0 request.",
    blames: &[Client, Proxy],
    who: "most often a proxy in its place",
    why: "The server has to ignore the Upgrade header and answers as to any GET: 200, 400, 404 or 426.",
    causes: &[
        "nginx: proxy_pass speaks HTTP/1.0 upstream by default before version 1.29.7",
        "httpd with SetEnv force-proxy-request-1.0 or proxy-nokeepalive left over from old advice",
        "ApacheBench (ab) and similar tools, which speak HTTP/1.0",
    ],
    fix: "Make the proxy speak HTTP/1.1 to the server, and forward the Upgrade headers.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const HOST: Explanation = Explanation {
    title: "The request has no Host header",
    rule: "An HTTP/1.1 request without Host.",
    demands: "RFC 6455 §4.1, item 4: the request MUST contain a |Host| header field. RFC 9112 §3.2: a server MUST answer 400 to an HTTP/1.1 request that lacks it.",
    blames: &[Client],
    why: "The server can not tell which site is meant, and has to refuse with 400.",
    causes: &["a hand-made client", "a proxy that sets Host from a variable that is empty"],
    fix: "Send Host with the host and, when it is not the default, the port of the URL.",
    configs: &[
        config("nginx", &["proxy_set_header Host $host;"]),
        config("httpd", &["ProxyPreserveHost On"]),
    ],
    ..BASE
};

pub(super) const UPGRADE_MISSING: Explanation = Explanation {
    title: "The request does not name \"websocket\" in Upgrade",
    rule: "The request carries WebSocket headers, but Upgrade does not contain the token websocket.",
    demands: "RFC 6455 §4.1, item 5: \"The request MUST contain an |Upgrade| header field whose value MUST include the 'websocket' keyword.\"",
    blames: &[Client, Proxy],
    who: "a proxy where the request came through one",
    why: "Without it the server sees a plain GET and answers with a page or an error, never with 101.",
    causes: &[
        "a hand-made client or a test with curl that forgot the header",
        "a proxy rule that overwrites Upgrade with something else (h2c, for one)",
    ],
    fix: "Send \"Upgrade: websocket\" together with \"Connection: Upgrade\".",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const UPGRADE_STRIPPED: Explanation = Explanation {
    title: "A proxy dropped the Upgrade header",
    rule: "The request has a Sec-WebSocket-Key but no Upgrade: the client asked for a WebSocket, and something on the way removed the hop-by-hop headers.",
    demands: "RFC 9110 §7.8 and §7.6.1: Upgrade and Connection are for one hop only. A proxy removes them unless it is told to (or knows how to) speak the new protocol itself.",
    blames: &[Proxy],
    why: "The server never learns that a WebSocket was wanted. It answers 400, 404, 426 or with a page, and the browser says only \"connection failed\".",
    causes: &[
        "nginx without proxy_set_header Upgrade and Connection: it sends \"Connection: close\" over HTTP/1.0",
        "httpd with ProxyPass http:// and neither mod_proxy_wstunnel nor upgrade=websocket",
        "Varnish without pipe, Squid without http_upgrade_request_protocols, Envoy without upgrade_configs, a CDN with WebSockets switched off",
        "an application gateway or a company's inspecting proxy",
    ],
    fix: "Tell the proxy in front of this server to forward upgrades for this path. On which hop they get lost shows in a capture on both sides of it: wstap diff.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const CONNECTION: Explanation = Explanation {
    title: "Connection does not contain the token Upgrade",
    rule: "The request has Upgrade: websocket, but its Connection header does not name Upgrade.",
    demands: "RFC 6455 §4.1, item 6: \"The request MUST contain a |Connection| header field whose value MUST include the 'Upgrade' token.\" RFC 9110 §7.8: a sender of Upgrade MUST also send it as a Connection option.",
    blames: &[Client, Proxy],
    who: "most often a proxy in its place",
    why: "Servers treat Upgrade without it as a stray header and do not switch.",
    causes: &[
        "nginx with proxy_set_header Upgrade but without proxy_set_header Connection: it sends \"Connection: close\"",
        "a proxy or load balancer that writes \"Connection: keep-alive\" over it",
    ],
    fix: "Forward both headers. With nginx, set Connection from a map, so that requests without an upgrade are not harmed.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const KEY_MISSING: Explanation = Explanation {
    title: "The request has no Sec-WebSocket-Key",
    rule: "An upgrade to websocket without the key that the server has to answer.",
    demands: "RFC 6455 §4.1, item 7: the request MUST include a |Sec-WebSocket-Key|, a nonce of 16 random bytes in base64. Over HTTP/2 (RFC 8441 §5) it is not used.",
    blames: &[Client, Proxy],
    who: "a proxy where the request came through one",
    why: "The server has nothing to compute Sec-WebSocket-Accept from and has to answer 400.",
    causes: &[
        "a test by hand: curl with Upgrade and Connection, but without the key",
        "a WAF or proxy that removes headers it does not know",
        "a gateway from HTTP/2, where there is no key, that does not make one for HTTP/1.1",
    ],
    fix: "Use a WebSocket library. With curl 7.86 and later, give the URL as ws://; by hand, add the header below. On proxies, allow all Sec-WebSocket-* headers.",
    configs: &[config(
        "curl",
        &[
            "curl -i -N --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \\",
            "  -H 'Sec-WebSocket-Version: 13' \\",
            "  -H \"Sec-WebSocket-Key: $(openssl rand -base64 16)\" http://HOST/PATH",
        ],
    )],
    ..BASE
};

pub(super) const KEY_INVALID: Explanation = Explanation {
    title: "Sec-WebSocket-Key is not 16 bytes in base64",
    rule: "The key does not decode to exactly 16 bytes.",
    demands: "RFC 6455 §4.1, item 7: the value MUST be a nonce of a randomly selected 16-byte value that has been base64-encoded (RFC 4648 §4), which is 24 characters with \"==\" at the end.",
    blames: &[Client],
    why: "Strict servers (ws for Node, Go's libraries, Tomcat) refuse with 400; lenient ones accept, so that it works only in places.",
    causes: &[
        "a key typed by hand in a test (\"Sec-WebSocket-Key: test\")",
        "base64url instead of base64, or padding cut off",
        "hexadecimal, or a 32-byte value",
    ],
    fix: "Use base64 (with + and /, padded) of 16 fresh random bytes for every connection.",
    configs: &[
        config("Node", &["require('crypto').randomBytes(16).toString('base64')"]),
        config("shell", &["openssl rand -base64 16"]),
    ],
    ..BASE
};

pub(super) const KEY_DUPLICATE: Explanation = Explanation {
    title: "Sec-WebSocket-Key stands twice",
    rule: "The request has more than one Sec-WebSocket-Key header.",
    demands: "RFC 6455 §11.3.1: the |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request.",
    blames: &[Client],
    why: "Which key the server answers is left to chance; the client then sees a wrong accept and fails the connection.",
    causes: &[
        "an application that sets the header itself on top of its WebSocket library",
        "a proxy that adds a key of its own without removing the client's",
    ],
    fix: "Leave the header to the library; on the proxy, replace instead of add.",
    ..BASE
};

pub(super) const KEY_REUSED: Explanation = Explanation {
    title: "The same Sec-WebSocket-Key was used before",
    rule: "Another connection in this capture, which is not the other leg of a proxy, had the same key.",
    demands: "RFC 6455 §4.1, item 7: the nonce MUST be selected randomly for each connection.",
    blames: &[Client],
    why: "The key shows the client that a server really answered this handshake and no cache replayed an old one. A fixed key gives that away.",
    causes: &[
        "a key written into the program (often dGhlIHNhbXBsZSBub25jZQ== from the RFC)",
        "a load generator or test tool that sends a recorded handshake",
        "a random generator seeded the same at every start",
    ],
    fix: "Make a new random key for every connection.",
    ..BASE
};

pub(super) const VERSION_MISSING: Explanation = Explanation {
    title: "The request has no Sec-WebSocket-Version",
    rule: "An upgrade to websocket without a protocol version.",
    demands: "RFC 6455 §4.1, item 9: the request MUST include |Sec-WebSocket-Version| with the value 13.",
    blames: &[Client, Proxy],
    who: "a proxy where the request came through one",
    why: "The server can not know which protocol is meant; most answer 400 or 426.",
    causes: &[
        "a test by hand",
        "a client of the drafts before 2010 (hixie-75, hixie-76)",
        "a WAF that removes unknown headers",
    ],
    fix: "Send \"Sec-WebSocket-Version: 13\".",
    ..BASE
};

pub(super) const VERSION_UNSUPPORTED: Explanation = Explanation {
    title: "Sec-WebSocket-Version is not 13",
    rule: "The request asks for a version of the protocol other than 13.",
    demands: "RFC 6455 §4.1, item 9: the value of |Sec-WebSocket-Version| MUST be 13. The values 0 to 8 were drafts, 9 to 12 are not used (§11.6).",
    blames: &[Client],
    why: "Servers answer 426 with the versions they know. Version 8 (hybi-10) still works with some, since it is nearly the same on the wire.",
    causes: &[
        "a client library of 2011",
        "an embedded device never updated",
        "the header sent twice by a library and the application",
    ],
    fix: "Update the client, or set the version to 13.",
    ..BASE
};

pub(super) const SUBPROTOCOL_DUPLICATE: Explanation = Explanation {
    title: "The same subprotocol is offered twice",
    rule: "Sec-WebSocket-Protocol lists a value more than once.",
    demands: "RFC 6455 §4.1, item 10: the elements that comprise this value MUST be non-empty tokens, and \"MUST all be unique strings\".",
    blames: &[Client],
    why: "Browsers throw a SyntaxError before they send it; strict servers answer 400.",
    causes: &[
        "an application that adds a protocol which its library already sends",
        "a reconnect that appends to the same list each time",
    ],
    fix: "Offer each subprotocol once.",
    ..BASE
};

pub(super) const HEADER_INVALID: Explanation = Explanation {
    title: "A header is not as HTTP allows it",
    rule: "A name or value with control characters, white space in front of the colon, or a folded line; Host more than once; over HTTP/2, also upper case letters in a name, or a pseudo-header field that is missing, out of place or wrong.",
    demands: "RFC 9110 §5.5: field values have no CR, LF or NUL; other control characters are invalid too. RFC 9112 §5.1: no white space between name and colon; §5.2: no line folding; §3.2: not more than one Host. RFC 9113 §8.2.1 and §8.3: what makes a message of HTTP/2 malformed. RFC 8441 §4 and §5: an extended CONNECT has :scheme (https or http) and :path.",
    blames: &[Client, Server],
    who: "the sender",
    why: "What one hop reads as one header another reads as two: that is how requests are smuggled past proxies. Strict servers answer 400, strict clients fail the connection.",
    causes: &[
        "a value copied from a file with its line end",
        "a cookie or token with raw bytes",
        "an attempt at header injection",
    ],
    fix: "Remove or encode the bytes at the sender (percent-encoding, base64).",
    ..BASE
};

pub(super) const LINE_ENDING: Explanation = Explanation {
    title: "Lines end in a bare LF",
    rule: "The head uses LF alone where CRLF is the line end.",
    demands: "RFC 9112 §2.2: a sender MUST end lines with CRLF; a recipient MAY accept a lone LF. A bare CR must be treated as invalid.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Many servers forgive it, others never see the end of the head and wait until they time out.",
    causes: &[
        "a client made by hand with \"\\n\" (nc, echo, printf)",
        "a script whose file has Unix line ends",
    ],
    fix: "End every line of the head, and the empty line after it, with \\r\\n.",
    configs: &[config(
        "shell",
        &["printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc HOST PORT"],
    )],
    ..BASE
};

pub(super) const TARGET_INVALID: Explanation = Explanation {
    title: "The request target is not allowed",
    rule: "The target holds a fragment (#...), or bytes that can not stand in a URI, or it is no path (nor, over HTTP/1.1, an http or https address).",
    demands: "RFC 6455 §3: \"Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used on these URIs.\" §4.1, item 3: the target is the resource name of §3, or an absolute URI that matches it. RFC 9113 §8.3.1: over HTTP/2, :path holds the path and query parts alone.",
    blames: &[Client],
    why: "Servers answer 400, or look for a path that does not exist.",
    causes: &[
        "a page address with its #... taken over for the WebSocket",
        "a query string that was not percent-encoded",
    ],
    fix: "Leave the fragment out and percent-encode spaces and other bytes (encodeURIComponent).",
    ..BASE
};

pub(super) const BODY: Explanation = Explanation {
    title: "The upgrade request announces a body",
    rule: "The GET has Content-Length above 0 or Transfer-Encoding.",
    demands: "RFC 9110 §9.3.1: content in a GET has no defined meaning and may lead some implementations to reject the request. RFC 9110 §7.8 lets a server answer 101 only after it has read the whole request.",
    blames: &[Client],
    why: "Server and proxy may disagree where the body ends and the first frame begins; then the first frames are lost or read as garbage.",
    causes: &[
        "a hand-made client",
        "frames sent by the HTTP layer as if they were a body",
        "an attempt at request smuggling",
    ],
    fix: "Send no body with the handshake; send the data as the first message.",
    ..BASE
};

pub(super) const EARLY_FRAMES: Explanation = Explanation {
    title: "The client sent frames before the server had answered",
    rule: "Bytes behind the request left the client before it can have seen the 101.",
    demands: "RFC 6455 §4.1: once the handshake is sent, \"the client MUST wait for a response from the server before sending any further data.\"",
    blames: &[Client],
    why: "If the server refuses, the bytes are read as the next HTTP request. Proxies that read ahead lose them, and then the connection hangs or is out of step from its first frame.",
    causes: &[
        "a client that saves a round trip",
        "a send() that does not wait for the open event",
        "a load generator that writes its script at once",
    ],
    fix: "Send only after the 101 (in a browser: in or after onopen).",
    configs: &[config("Node", &["ws.on('open', () => ws.send('first'));"])],
    ..BASE
};

pub(super) const EXTENSION_SYNTAX: Explanation = Explanation {
    title: "Sec-WebSocket-Extensions can not be parsed",
    rule: "The header does not follow the grammar: name; parameter; parameter=value, next.",
    demands: "RFC 6455 §9.1: extension names and parameters are tokens; a quoted value MUST be a token after unquoting. A value that does not conform MUST fail the connection.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Strict peers fail the handshake; lenient ones silently go without compression.",
    causes: &["a header put together by hand", "a WAF or proxy that rewrote commas or quotes"],
    fix: "Send for instance \"permessage-deflate; client_max_window_bits\", or no header at all.",
    ..BASE
};

pub(super) const PROXY_PROTOCOL: Explanation = Explanation {
    title: "A PROXY protocol header comes first",
    rule: "The connection begins with the PROXY protocol (v1 text or v2 binary), which carries the client's address in front of HTTP.",
    demands: "The PROXY protocol (§2) is not HTTP: sender and receiver must both be configured for it.",
    blames: &[Proxy],
    why: "Good to know: the addresses of this leg are the proxy's. A server that does not expect the header answers 400.",
    causes: &[
        "HAProxy with send-proxy or send-proxy-v2",
        "AWS Network Load Balancer with proxy_protocol_v2",
        "nginx stream with proxy_protocol on",
    ],
    fix: "Nothing, if the server expects it. Otherwise switch it off on the sender, or on at the server.",
    configs: &[
        config(
            "nginx",
            &[
                "listen 80 proxy_protocol;",
                "set_real_ip_from 10.0.0.0/8;",
                "real_ip_header proxy_protocol;",
            ],
        ),
        config(
            "HAProxy",
            &["bind :80 accept-proxy", "server app 127.0.0.1:8088    # no send-proxy"],
        ),
        config("httpd", &["RemoteIPProxyProtocol On"]),
    ],
    ..BASE
};
