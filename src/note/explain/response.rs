//! Notes on the answer to an opening handshake, and on HTTP/2.

use super::{BASE, Explanation, UPGRADE_BY_NODE, UPGRADE_THROUGH_PROXIES, config};
use crate::note::Blame::{Capture, Client, Proxy, Server};

pub(super) const ACCEPT_MISSING: Explanation = Explanation {
    title: "The 101 has no Sec-WebSocket-Accept",
    rule: "The server switched protocols without proving that it read the key.",
    demands: "RFC 6455 §4.1: if the response lacks a |Sec-WebSocket-Accept| header field, the client MUST fail the WebSocket connection.",
    blames: &[Server],
    why: "Every browser closes the connection at once (code 1006), although the server believes it is open.",
    causes: &[
        "a hand-made server",
        "a proxy that removes unknown response headers",
        "a cache or test double that answers 101 to everything",
    ],
    fix: "Answer with base64(SHA-1(key + \"258EAFA5-E914-47DA-95CA-C5AB0DC85B11\")), or let a library do it.",
    configs: UPGRADE_BY_NODE,
    ..BASE
};

pub(super) const ACCEPT_MISMATCH: Explanation = Explanation {
    title: "Sec-WebSocket-Accept does not match the key",
    rule: "The accept of the 101 is not the one that follows from the client's key.",
    demands: "RFC 6455 §4.2.2, item 5.4: the value is the key concatenated with \"258EAFA5-E914-47DA-95CA-C5AB0DC85B11\", hashed with SHA-1 and encoded in base64. §4.1, item 4: a client MUST fail the connection on any other value.",
    blames: &[Server],
    who: "or a proxy that changed one of the two",
    why: "The check proves that the answer belongs to this request. Browsers fail the connection: \"Incorrect 'Sec-WebSocket-Accept' header value\".",
    causes: &[
        "a server that hashes the decoded key instead of its text, encodes the hash as hex, or has a typing error in the GUID",
        "white space around the key hashed with it",
        "a proxy that sent a key of its own upstream and passed the server's accept back unchanged",
        "a cached or replayed 101 of another connection",
    ],
    fix: "Compute the accept from the header's text as received. With a proxy between, compare both legs with wstap diff: either it forwards the key, or it answers its client's key itself.",
    configs: &[
        config(
            "shell",
            &[
                "printf %s \"$KEY\"258EAFA5-E914-47DA-95CA-C5AB0DC85B11 |",
                "  openssl sha1 -binary | base64",
            ],
        ),
        config(
            "Node",
            &[
                "crypto.createHash('sha1')",
                "  .update(req.headers['sec-websocket-key'] +",
                "    '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')",
                "  .digest('base64')",
            ],
        ),
    ],
    ..BASE
};

pub(super) const ACCEPT_DUPLICATE: Explanation = Explanation {
    title: "Sec-WebSocket-Accept stands twice",
    rule: "The response has more than one Sec-WebSocket-Accept header.",
    demands: "RFC 6455 §11.3.3: the |Sec-WebSocket-Accept| header field MUST NOT appear more than once in an HTTP response.",
    blames: &[Server],
    why: "Browsers join the values with a comma and then find that they do not match.",
    causes: &[
        "application and library both answer the upgrade",
        "a proxy that adds its own accept to the server's",
    ],
    fix: "Let one side answer; on a proxy, replace instead of add.",
    ..BASE
};

pub(super) const UPGRADE_MISSING: Explanation = Explanation {
    title: "The 101 does not name \"websocket\" in Upgrade",
    rule: "The response has no Upgrade header, or one without websocket.",
    demands: "RFC 6455 §4.1, item 2: if the response lacks an |Upgrade| header field, or its value is not a case-insensitive match for \"websocket\", the client MUST fail the connection.",
    blames: &[Server, Proxy],
    who: "a proxy where the answer came through one",
    why: "Browsers close at once: \"'Upgrade' header is missing\".",
    causes: &["a proxy that drops hop-by-hop headers from responses", "a hand-made server"],
    fix: "Send \"Upgrade: websocket\" with the 101; let the proxy know about the upgrade.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const CONNECTION_MISSING: Explanation = Explanation {
    title: "The 101 does not name Upgrade in Connection",
    rule: "The response has no Connection header with the token Upgrade.",
    demands: "RFC 6455 §4.1, item 3: if the response lacks a |Connection| header field, or it does not contain the token \"Upgrade\", the client MUST fail the connection.",
    blames: &[Server, Proxy],
    who: "a proxy where the answer came through one",
    why: "Browsers close at once: \"'Connection' header is missing\".",
    causes: &[
        "a proxy that writes \"Connection: close\" or \"keep-alive\" over it",
        "a hand-made server",
    ],
    fix: "Send \"Connection: Upgrade\" with the 101; let the proxy know about the upgrade.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const VERSION: Explanation = Explanation {
    title: "The 101 is below HTTP/1.1",
    rule: "The status line says HTTP/1.0 (or less).",
    demands: "RFC 6455 §4.2.2, item 5.1: the status line is HTTP/1.1 101. RFC 9110 §15.2: a server MUST NOT send a 1xx response to an HTTP/1.0 client, since HTTP/1.0 defined none.",
    blames: &[Server],
    why: "Strict clients refuse it (Chrome: \"Error during WebSocket handshake: Invalid status line\").",
    causes: &["a hand-made server (Python's http.server says HTTP/1.0 by default)"],
    fix: "Answer \"HTTP/1.1 101 Switching Protocols\".",
    configs: &[config(
        "Python",
        &["class Handler(BaseHTTPRequestHandler):", "    protocol_version = 'HTTP/1.1'"],
    )],
    ..BASE
};

pub(super) const BODY: Explanation = Explanation {
    title: "The 101 announces a body",
    rule: "The response to the upgrade has Content-Length or Transfer-Encoding.",
    demands: "RFC 9110 §8.6: a server MUST NOT send Content-Length in a response with a status of 1xx. RFC 9112 §6.1: nor Transfer-Encoding.",
    blames: &[Server],
    why: "Proxies may wait for the body and swallow the first frames as if they were it.",
    causes: &["a web framework that adds Content-Length: 0 or chunked to every response"],
    fix: "Leave both headers out of the 101.",
    ..BASE
};

pub(super) const NOT_HTTP: Explanation = Explanation {
    title: "The answer is not HTTP",
    rule: "What the server sent to the upgrade request does not begin with an HTTP status line; over HTTP/2, its HEADERS have no :status that is one.",
    demands: "RFC 6455 §4.2.2: the server accepts by sending back a valid HTTP response. RFC 9113 §8.3.2: the :status pseudo-header field MUST be included in all responses; otherwise, the response is malformed.",
    blames: &[Server],
    why: "The client can only give up; browsers report no more than a failed connection.",
    causes: &[
        "the wrong port: another protocol listens there (TLS, SSH, a database, MQTT without WebSocket)",
        "plain ws:// to a port that speaks TLS",
        "a server that sends frames without a handshake",
    ],
    fix: "Check address, port and scheme: ws:// for plain, wss:// for TLS.",
    ..BASE
};

pub(super) const SUBPROTOCOL_UNOFFERED: Explanation = Explanation {
    title: "The server chose a subprotocol that was not offered",
    rule: "Sec-WebSocket-Protocol of the response is not among those of the request.",
    demands: "RFC 6455 §4.1, item 6: if the response includes a subprotocol that was not present in the client's handshake, the client MUST fail the connection.",
    blames: &[Server],
    who: "or a proxy that removed the offer",
    why: "Browsers close at once. Without an offer, any answer is one too many.",
    causes: &[
        "a server that always names its protocol",
        "a proxy that removed Sec-WebSocket-Protocol from the request",
        "a difference in letter case: the comparison is exact",
    ],
    fix: "Answer with one of the offered values as written, or leave the header out.",
    configs: &[config(
        "Node",
        &[
            "new WebSocketServer({ port: 8088,",
            "  handleProtocols: (offered) => offered.has('chat') ? 'chat' : false });",
        ],
    )],
    ..BASE
};

pub(super) const SUBPROTOCOL_UNSELECTED: Explanation = Explanation {
    title: "Subprotocols were offered, none was chosen",
    rule: "The request has Sec-WebSocket-Protocol, the 101 has none.",
    demands: "RFC 6455 §4.2.2, item 5.5 allows it: a server that agrees to none of the subprotocols sends no header.",
    blames: &[Server],
    why: "Browsers fail the connection when they offered some and none was chosen: the WHATWG's WebSockets standard demands it of them (Chrome: \"Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received\"). Most libraries go on without.",
    causes: &[
        "a server that was not told about subprotocols",
        "a proxy that removed the header on one of the ways",
    ],
    fix: "Have the server choose one, or do not offer any.",
    configs: &[config(
        "Node",
        &[
            "new WebSocketServer({ port: 8088,",
            "  handleProtocols: (offered) => [...offered][0] });",
        ],
    )],
    ..BASE
};

pub(super) const SUBPROTOCOL_INVALID: Explanation = Explanation {
    title: "A subprotocol is no token, or there are several",
    rule: "Sec-WebSocket-Protocol of the request is empty or names what is no token; that of the response does so, or names more than one.",
    demands: "RFC 6455 §4.1, item 10: the elements of the client's list are non-empty tokens. §11.3.4: the header field MUST NOT appear more than once in a response; §4.2.2: its value is one value derived from the client's list.",
    blames: &[Client, Server],
    who: "who names it",
    why: "Clients compare the whole value with what they offered, find no match, and close. Strict servers answer 400 to such an offer.",
    causes: &[
        "a server that echoes the request's header",
        "application and library both set it",
        "an offer with spaces, slashes or quotes in a name, such as a URL or JSON",
    ],
    fix: "Offer names made of letters, digits and -._ only, and answer with one of them.",
    ..BASE
};

pub(super) const EXTENSION_UNOFFERED: Explanation = Explanation {
    title: "The server accepted an extension that was not offered",
    rule: "Sec-WebSocket-Extensions of the response names something that the request did not.",
    demands: "RFC 6455 §4.1, item 5: if the response indicates an extension that was not present in the client's handshake, the client MUST fail the connection.",
    blames: &[Server],
    who: "or a proxy that removed the offer",
    why: "Clients close at once; a lenient one would then get frames it can not read.",
    causes: &[
        "a proxy that removed the extension from the request only",
        "a server with compression forced on",
    ],
    fix: "Negotiate: accept only what was offered. On a proxy, forward or remove the header in both directions.",
    configs: &[
        config(
            "nginx",
            &[
                "# to go without compression, remove it from the request:",
                "proxy_set_header Sec-WebSocket-Extensions \"\";",
            ],
        ),
        config("Node", &["new WebSocketServer({ port: 8088, perMessageDeflate: false });"]),
    ],
    ..BASE
};

pub(super) const EXTENSION_DUPLICATE: Explanation = Explanation {
    title: "The response accepts the same extension twice",
    rule: "permessage-deflate (or another extension that uses the same bit) stands more than once in the response.",
    demands: "RFC 7692 §5: the server chooses one of the offers. RFC 6455 §9.1: extensions that are listed are all in use; two that claim RSV1 conflict.",
    blames: &[Server],
    why: "Clients fail the connection, since it is not clear how messages are to be read.",
    causes: &[
        "a server that answers every alternative of the offer",
        "server and proxy both add the header",
    ],
    fix: "Accept the first offer that suits, and only that.",
    ..BASE
};

pub(super) const DEFLATE_PARAM_INVALID: Explanation = Explanation {
    title: "A parameter of permessage-deflate is not valid",
    rule: "A parameter is unknown, stands twice, lacks its value, or is out of range.",
    demands: "RFC 7692 §7.1: the parameters are server_no_context_takeover, client_no_context_takeover (without value), server_max_window_bits and client_max_window_bits (8 to 15, no leading zero), each at most once. A peer MUST decline such an offer, or fail the connection on such an answer.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Compression is declined or the connection fails.",
    causes: &[
        "a window size of 7 or 16",
        "a value given to a parameter that takes none",
        "a parameter of another extension",
    ],
    fix: "Use the four parameters as the RFC has them.",
    configs: &[config(
        "Node",
        &["perMessageDeflate: { serverNoContextTakeover: true, serverMaxWindowBits: 12 }"],
    )],
    ..BASE
};

pub(super) const DEFLATE_PARAM_UNOFFERED: Explanation = Explanation {
    title: "The server set client_max_window_bits unasked",
    rule: "The answer limits the client's window (or loosens a limit) although the offer did not allow it.",
    demands: "RFC 7692 §7.1.2.2: if the client's offer does not contain client_max_window_bits, the server MUST NOT include it in its response. §7.1.1.1 and §7.1.2.1: what the client asked of the server must be kept.",
    blames: &[Server],
    why: "The client can not use a smaller window if it said nothing about it, and MUST fail the connection.",
    causes: &["a server with a fixed clientMaxWindowBits", "a proxy that shortened the offer"],
    fix: "Answer with client_max_window_bits only when it was offered, and with a value no larger than the one offered.",
    ..BASE
};

pub(super) const VERSION_NEGOTIATION: Explanation = Explanation {
    title: "The server asks for another protocol version",
    rule: "The answer is 426 (or 400) with Sec-WebSocket-Version: the versions that the server speaks.",
    demands: "RFC 6455 §4.4: a server that does not support the client's version answers with the versions it does, and the client may try again with one of them.",
    blames: &[Client, Server],
    who: "the server only where it names the version that was asked for",
    why: "That is how the protocol finds a common version; what is wrong is the version in the request.",
    causes: &["an old client", "Sec-WebSocket-Version changed or lost on the way"],
    fix: "Send version 13.",
    ..BASE
};

pub(super) const STATUS: Explanation = Explanation {
    title: "The upgrade was answered with something other than 101",
    rule: "A final status other than 101: there is no WebSocket.",
    demands: "RFC 6455 §4.1, item 1: any status other than 101 is handled as HTTP says (authentication, redirects); browsers do neither and fail the connection.",
    blames: &[Server, Proxy, Client],
    who: "by the status, and by who seems to have made the answer",
    why: "The status says why there is no WebSocket.",
    causes: &[
        "200: the server or a proxy did not see an upgrade: Upgrade was lost on the way, or the path is a page's",
        "301, 302, 307, 308: the address moved (http to https, a slash at the end, a login page); browsers do not follow",
        "400: a header of the handshake is missing or wrong, often Upgrade or Connection behind a proxy; also \"Session ID unknown\" of Socket.IO without sticky sessions",
        "401, 403: a token or cookie is missing, or the Origin is not allowed (Rails: config.action_cable.allowed_request_origins)",
        "404: no WebSocket at this path, or the proxy's rule for it does not match",
        "405, 501: the server does not do WebSocket here",
        "426: Upgrade is missing, or the version is not 13",
        "429: too many connections",
        "500: the server's handler failed; its log says why",
        "502: the proxy could not read the server's answer: wrong port or scheme (http for https), server down",
        "503, 504: no server available, or it did not answer in time",
    ],
    fix: "Ask the server itself, without the proxy; if that works, the proxy is the one to fix. wstap diff on a capture of both legs shows what it changed.",
    configs: UPGRADE_THROUGH_PROXIES,
    ..BASE
};

pub(super) const OTHER_PROTOCOL: Explanation = Explanation {
    title: "The server switched to another protocol",
    rule: "A 101 whose Upgrade names something other than websocket.",
    demands: "RFC 9110 §15.2.2: a server may switch only to a protocol that the client offered. RFC 6455 §4.1, item 2: the client MUST fail the connection if it is not websocket.",
    blames: &[Server, Proxy],
    who: "a proxy where the answer came through one",
    why: "What follows are not frames.",
    causes: &["a server that prefers h2c", "two offers in one Upgrade header"],
    fix: "Offer websocket alone, and switch h2c upgrades off for this path.",
    ..BASE
};

pub(super) const PROXY_TRACE: Explanation = Explanation {
    title: "A proxy left its trace",
    rule: "Via, Forwarded or an X-Forwarded-* header: the message went through a proxy.",
    demands: "RFC 9110 §7.6.3: a proxy MUST add Via (a gateway to requests); RFC 7239 defines Forwarded.",
    blames: &[Proxy],
    why: "Good to know when a header or a timeout puzzles: there is a hop between the two ends of this connection.",
    causes: &["a reverse proxy, load balancer or CDN doing its work"],
    fix: "Nothing to fix. Capture on both sides of it and use wstap diff to see what it changes.",
    ..BASE
};

pub(super) const INCOMPLETE: Explanation = Explanation {
    title: "The handshake has no whole answer",
    rule: "A request for an upgrade was seen, but no complete response.",
    demands: "RFC 6455 §4.1: the client waits for the server's response; it may give up after a time of its own choice.",
    blames: &[Capture, Client, Server],
    who: "the capture where it lacks packets or ends first, otherwise who ended the connection",
    why: "The client waits or has given up; the connection never opened as far as the capture tells.",
    causes: &[
        "the capture ended too early or saw only one direction",
        "the server took the connection but never answered: blocked handler, wrong port",
        "a firewall or proxy that cut the connection",
        "the client gave up first",
    ],
    fix: "Look at the end: who closed, and after how long. If packets are missing, capture on the host itself (-i any).",
    ..BASE
};

pub(super) const UNSEEN: Explanation = Explanation {
    title: "The handshake is not in the capture",
    rule: "Frames of a connection that was already open when the capture began (or whose beginning was lost).",
    demands: "RFC 6455 §4: every connection begins with a handshake. It says what was negotiated; without it, that is presumed from the frames.",
    blames: &[Capture],
    why: "Path, subprotocol and compression parameters are unknown, so some rules can not be checked.",
    causes: &["the capture was started after the connection"],
    fix: "Start the capture first, or let the client reconnect.",
    ..BASE
};

pub(super) const CONNECT_NOT_ENABLED: Explanation = Explanation {
    title: "Extended CONNECT without the server's consent",
    rule: "A :protocol pseudo-header although the server did not send SETTINGS_ENABLE_CONNECT_PROTOCOL = 1.",
    demands: "RFC 8441 §3 and §4: a client MUST NOT send :protocol before it has received the setting with the value 1.",
    blames: &[Client, Proxy],
    who: "a proxy where the request came through one",
    why: "The server treats the request as malformed and resets the stream.",
    causes: &[
        "a client that assumes support",
        "a proxy that speaks HTTP/2 to a server without RFC 8441",
    ],
    fix: "Enable the setting on the server, or let clients use HTTP/1.1 for WebSockets.",
    configs: &[
        config("Envoy", &["http2_protocol_options: { allow_connect: true }"]),
        config(
            "HAProxy",
            &[
                "# to keep clients on HTTP/1.1 for WebSockets, in global:",
                "h2-workaround-bogus-websocket-clients",
            ],
        ),
        config(
            "Node",
            &["http2.createSecureServer({ settings: { enableConnectProtocol: true } })"],
        ),
    ],
    ..BASE
};

pub(super) const HOP_BY_HOP: Explanation = Explanation {
    title: "Connection headers of HTTP/1.1 in HTTP/2",
    rule: "Connection, Upgrade, Keep-Alive, Proxy-Connection or Transfer-Encoding in an HTTP/2 message.",
    demands: "RFC 9113 §8.2.2: an endpoint MUST NOT generate them in HTTP/2; a message with them is malformed. RFC 8441 §5: Upgrade and Connection have no place in a WebSocket over HTTP/2.",
    blames: &[Client, Server, Proxy],
    who: "the sender; a proxy where the request came through one",
    why: "The peer resets the stream with PROTOCOL_ERROR.",
    causes: &[
        "a gateway that copies headers between versions",
        "an application that sets Connection itself",
    ],
    fix: "Remove them where HTTP/1.1 becomes HTTP/2.",
    ..BASE
};
