//! What a proxy changed between its legs, and what the usual ones do.

use super::{BASE, Explanation, config};
use crate::note::Blame::Proxy;

pub(super) const HEADER_ADDED: Explanation = Explanation {
    title: "The proxy added a header",
    rule: "A header stands on the leg after the proxy that was not on the one before.",
    demands: "RFC 9110 §7.6.3: a proxy MUST add Via; X-Forwarded-* and Forwarded (RFC 7239) are what most add. Others are its configuration's.",
    blames: &[Proxy],
    who: "",
    why: "Expected for the traces of a proxy. Anything else may change what the other side does.",
    causes: &[
        "configured headers: request ids, the client's address, security headers on responses",
    ],
    fix: "Remove the directive that adds it, if it does harm.",
    configs: &[
        config("httpd", &["ProxyAddHeaders Off", "RequestHeader unset X-Request-Id"]),
        config(
            "nginx",
            &["proxy_set_header X-Forwarded-For \"\";", "proxy_hide_header X-Powered-By;"],
        ),
        config("HAProxy", &["# remove: option forwardfor", "http-request del-header x-request-id"]),
        config(
            "Caddy",
            &["reverse_proxy 127.0.0.1:8088 {", "    header_up -X-Forwarded-Host", "}"],
        ),
    ],
    proxies: &[
        (
            "httpd",
            "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server; Via only with ProxyVia On",
        ),
        ("nginx", "to the server only what proxy_set_header says; Server and Date to the client"),
        ("HAProxy", "nothing; X-Forwarded-For with option forwardfor"),
        (
            "Caddy",
            "X-Forwarded-For, -Proto, -Host, and Accept-Encoding: gzip when there is none; Server: Caddy to the client, Via in newer releases",
        ),
        ("Varnish", "X-Forwarded-For, X-Varnish, Via"),
        ("Squid", "Via, X-Forwarded-For, Cache-Control"),
        ("mitmproxy", "nothing"),
        (
            "Envoy",
            "X-Forwarded-Proto, X-Request-Id, X-Envoy-*; X-Forwarded-For with use_remote_address",
        ),
        ("AWS ALB", "X-Forwarded-For, -Proto, -Port, X-Amzn-Trace-Id"),
    ],
};

pub(super) const HEADER_REMOVED: Explanation = Explanation {
    title: "The proxy removed a header",
    rule: "A header of the leg before the proxy does not stand on the one after it.",
    demands: "RFC 9110 §7.6.1: hop-by-hop headers, and those that Connection names, are removed; every other must be forwarded unless the proxy is configured not to.",
    blames: &[Proxy],
    who: "",
    why: "Without Upgrade or Connection there is no WebSocket; without Cookie or Authorization no login; without Origin a server may refuse.",
    causes: &[
        "a proxy not told about upgrades",
        "a rule that removes it",
        "names with an underscore (nginx drops them), values that are empty",
    ],
    fix: "Forward it. For Upgrade and Connection see upgrade-stripped.",
    configs: &[
        config(
            "nginx",
            &[
                "proxy_set_header Upgrade $http_upgrade;",
                "proxy_set_header Connection $connection_upgrade;",
                "underscores_in_headers on;",
            ],
        ),
        config(
            "httpd",
            &[
                "# instead of RequestHeader unset:",
                "ProxyPass \"/ws/\" \"http://127.0.0.1:8088/\" upgrade=websocket",
            ],
        ),
        config("HAProxy", &["# remove: http-request del-header origin"]),
    ],
    proxies: &[
        ("httpd", "Upgrade and Connection, unless mod_proxy_wstunnel or upgrade=websocket is used"),
        (
            "nginx",
            "Upgrade (set it again by proxy_set_header), empty values, names with underscore; of responses Date, Server, X-Pad and X-Accel-*",
        ),
        ("HAProxy", "only what rules say"),
        (
            "Caddy",
            "hop-by-hop headers, put back for an upgrade; Server of the response gives way to its own",
        ),
        ("Varnish", "Upgrade and Connection, unless vcl_pipe copies them"),
        ("Squid", "Upgrade, unless http_upgrade_request_protocols allows it"),
        ("mitmproxy", "nothing for a WebSocket"),
        (
            "Envoy",
            "Upgrade and Connection answered with 403, unless upgrade_configs lists websocket",
        ),
        ("AWS ALB", "with drop_invalid_header_fields: names outside A-Z, a-z, 0-9 and -"),
    ],
};

pub(super) const HEADER_CHANGED: Explanation = Explanation {
    title: "The proxy changed a header",
    rule: "A header stands on both legs with different values; or names have another letter case or order, which means nothing.",
    demands: "RFC 9110 §7.7: a proxy that transforms a message must do so within its configuration; Host, Connection and X-Forwarded-For are usually rewritten by a reverse proxy.",
    blames: &[Proxy],
    who: "",
    why: "A changed Host sends the request to another virtual host and makes the server's Origin check fail; a changed Connection stops the upgrade.",
    causes: &[
        "Host set to the upstream's name",
        "a list to which the proxy adds itself (X-Forwarded-For, Via)",
        "a rule",
    ],
    fix: "Keep Host where the server checks Origin against it.",
    configs: &[
        config("httpd", &["ProxyPreserveHost On"]),
        config("nginx", &["proxy_set_header Host $host;"]),
        config("HAProxy", &["# remove: http-request set-header host ws.internal"]),
        config("Caddy", &["header_up Host {host}"]),
    ],
    proxies: &[
        (
            "httpd",
            "Host becomes the backend's, unless ProxyPreserveHost On; Upgrade and Connection are written anew",
        ),
        ("nginx", "Host becomes $proxy_host and Connection \"close\", unless set"),
        ("HAProxy", "names in lower case; values stay"),
        (
            "Caddy",
            "X-Forwarded-For of clients it does not trust is replaced; names get Go's letter case (Sec-Websocket-Key in older releases)",
        ),
        ("Varnish", "X-Forwarded-For gets an address more"),
        ("Squid", "Via and X-Forwarded-For get an entry more"),
        ("mitmproxy", "Host in reverse mode, unless keep_host_header"),
        ("Envoy", "names in lower case; Host with host_rewrite"),
        ("AWS ALB", "X-Forwarded-For gets an address more; Host stays"),
    ],
};

pub(super) const TARGET: Explanation = Explanation {
    title: "The proxy rewrote the request target",
    rule: "Path or query differ between the legs.",
    demands: "RFC 9110 §7.7: a proxy MUST NOT modify the path and query of a target when forwarding, except as its configuration maps it (a gateway may).",
    blames: &[Proxy],
    who: "",
    why: "Right when a prefix is mapped on purpose; otherwise the server answers 404.",
    causes: &[
        "a mapping (ProxyPass /ws/ to /)",
        "a slash too many or too few at the end",
        "percent-encoding decoded or normalised on the way",
    ],
    fix: "Give both sides of the mapping the same end: both with a slash, or both without.",
    configs: &[
        config("httpd", &["ProxyPass \"/ws/\" \"ws://127.0.0.1:8088/ws/\""]),
        config(
            "nginx",
            &["location /ws/ { proxy_pass http://127.0.0.1:8088; }     # no path: unchanged"],
        ),
        config("HAProxy", &["# remove: http-request replace-path"]),
        config(
            "Caddy",
            &["handle /ws/* { reverse_proxy 127.0.0.1:8088 }   # handle_path would strip /ws"],
        ),
    ],
    proxies: &[
        (
            "httpd",
            "replaces the matched prefix by the URL's path; decodes and encodes again unless nocanon",
        ),
        ("nginx", "replaces the location's prefix when proxy_pass has a path, even a mere slash"),
        ("HAProxy", "leaves it"),
        ("Caddy", "leaves it; handle_path and uri strip a prefix"),
        ("Varnish", "leaves it unless VCL changes req.url"),
        ("Squid", "leaves it"),
        ("mitmproxy", "leaves it; reverse mode with a path puts that in front"),
        ("Envoy", "prefix_rewrite, regex_rewrite; normalize_path removes dots"),
        ("AWS ALB", "leaves it"),
    ],
};

pub(super) const KEY: Explanation = Explanation {
    title: "The proxy made a key of its own",
    rule: "Sec-WebSocket-Key differs between the legs.",
    demands: "RFC 6455 §4.1: each client makes its own key. A proxy that opens its own WebSocket to the server is a client there; it must then also answer its own client's key.",
    blames: &[Proxy],
    why: "Harmless when each accept matches its leg's key. It shows that the proxy speaks WebSocket itself and does not just copy bytes.",
    causes: &[
        "a proxy that ends the WebSocket and opens another (API gateways, inspecting proxies)",
        "a gateway from HTTP/2, where there is no key",
    ],
    fix: "Nothing, if both accepts are right.",
    proxies: &[
        ("httpd", "keeps the key"),
        ("nginx", "keeps the key"),
        ("HAProxy", "keeps the key; makes one when the client speaks HTTP/2"),
        ("Caddy", "keeps the key; newer releases make one when the client speaks HTTP/2"),
        ("Varnish, Squid, mitmproxy", "keep the key"),
        ("Envoy", "keeps the key; makes one when the client speaks HTTP/2 to an HTTP/1.1 server"),
        ("AWS ALB", "keeps the key (API Gateway ends the WebSocket instead)"),
    ],
    ..BASE
};

pub(super) const ACCEPT: Explanation = Explanation {
    title: "The proxy computed its own accept",
    rule: "Sec-WebSocket-Accept differs between the legs, and each is right for its leg's key.",
    demands: "RFC 6455 §4.2.2, item 5.4: the accept follows from the key of its own connection.",
    blames: &[Proxy],
    why: "The right companion of key-regenerated: nothing is wrong.",
    causes: &["a proxy that speaks WebSocket on both sides"],
    fix: "Nothing to fix.",
    proxies: &[("all of the usual ones", "pass the accept on as long as they keep the key")],
    ..BASE
};

pub(super) const FORGED: Explanation = Explanation {
    title: "The proxy sent its client an accept that does not match",
    rule: "The client leg's Sec-WebSocket-Accept does not follow from the client leg's key, although the server leg was right.",
    demands: "RFC 6455 §4.1, item 4: the client MUST fail the connection.",
    blames: &[Proxy],
    who: "",
    why: "Every browser refuses; only clients that do not check get through.",
    causes: &[
        "a proxy that made a key of its own and passed the server's accept on",
        "a proxy that answers from a template or a cache",
        "tampering",
    ],
    fix: "Make the proxy forward the client's key, or compute the accept for it. No usual proxy does this by itself: look for a rule or plugin that touches Sec-WebSocket-*.",
    configs: &[
        config("nginx", &["# remove: proxy_set_header Sec-WebSocket-Key ...;"]),
        config("httpd", &["# remove: RequestHeader set Sec-WebSocket-Key ..."]),
    ],
    proxies: &[("all of the usual ones", "never, unless a rule makes them")],
};

pub(super) const VERSION: Explanation = Explanation {
    title: "The legs speak different HTTP versions",
    rule: "One leg's handshake is HTTP/1.0 or HTTP/2, the other's HTTP/1.1.",
    demands: "RFC 9110 §7.8: a proxy sends its own version. RFC 6455 §4.1 needs HTTP/1.1 at least; RFC 8441 carries WebSockets over HTTP/2.",
    blames: &[Proxy],
    who: "",
    why: "HTTP/1.0 towards the server ends every upgrade. HTTP/2 on one side is fine when the proxy translates.",
    causes: &[
        "nginx before 1.29.7 without proxy_http_version 1.1",
        "a front end with HTTP/2 before a server with HTTP/1.1",
    ],
    fix: "Speak HTTP/1.1 to the server.",
    configs: &[
        config("nginx", &["proxy_http_version 1.1;"]),
        config("httpd", &["# remove: SetEnv force-proxy-request-1.0 1"]),
    ],
    proxies: &[
        ("httpd", "HTTP/1.1 to the server; WebSockets over HTTP/2 need H2WebSockets on (2.4.58)"),
        ("nginx", "HTTP/1.0 to the server before 1.29.7 unless set; no WebSockets over HTTP/2"),
        ("HAProxy", "translates HTTP/2 (RFC 8441) to HTTP/1.1 and back since 2.4"),
        ("Caddy", "HTTP/1.1 to the server; newer releases take WebSockets over HTTP/2"),
        ("Varnish, Squid", "HTTP/1.1"),
        ("mitmproxy", "HTTP/1.1 for WebSockets"),
        ("Envoy", "translates both ways with allow_connect"),
        ("AWS ALB", "HTTP/1.1 for WebSockets"),
    ],
};

pub(super) const SUBPROTOCOL: Explanation = Explanation {
    title: "The proxy changed the subprotocols",
    rule: "Sec-WebSocket-Protocol differs between the legs, in the offer or in the choice.",
    demands: "RFC 6455 §4.1, item 6: the client fails the connection when the choice is not among what it offered. A proxy that does not end the WebSocket has no business with it.",
    blames: &[Proxy],
    who: "",
    why: "The server may choose another protocol than the client believes, or none.",
    causes: &[
        "a rule that sets or removes the header",
        "header rules that keep a list of allowed names",
    ],
    fix: "Forward the header unchanged, both ways.",
    configs: &[
        config("nginx", &["# remove: proxy_set_header Sec-WebSocket-Protocol \"\";"]),
        config("HAProxy", &["# remove: http-request set-header sec-websocket-protocol chat.v2"]),
        config("httpd", &["# remove: RequestHeader unset Sec-WebSocket-Protocol"]),
    ],
    proxies: &[("all of the usual ones", "pass it on, unless a rule says otherwise")],
};

pub(super) const EXTENSIONS: Explanation = Explanation {
    title: "The proxy changed the extensions",
    rule: "Sec-WebSocket-Extensions differs between the legs, in the offer or in the answer.",
    demands: "RFC 6455 §9.1: extensions are agreed between the two ends of one connection. A proxy that changes the offer must be able to translate the messages (RFC 7692 §6), or change both directions so that both ends agree.",
    blames: &[Proxy],
    who: "",
    why: "Removed from both: no compression, more traffic. Changed in one direction only: frames that one end can not read (rsv-set, extension-unoffered).",
    causes: &[
        "compression switched off on purpose",
        "a proxy that inspects messages and can not inflate",
        "a proxy that compresses towards one side only",
    ],
    fix: "Forward the header, or remove it from the request: the server then does not offer it either.",
    configs: &[
        config(
            "nginx",
            &["# off for both ends:", "proxy_set_header Sec-WebSocket-Extensions \"\";"],
        ),
        config("httpd", &["RequestHeader unset Sec-WebSocket-Extensions"]),
        config("HAProxy", &["http-request del-header sec-websocket-extensions"]),
        config("Caddy", &["header_up -Sec-Websocket-Extensions"]),
    ],
    proxies: &[
        ("httpd, nginx, HAProxy, Caddy", "pass it on"),
        ("Varnish, Squid", "pass it on"),
        ("mitmproxy", "passes it on, and inflates and compresses itself"),
        ("Envoy, AWS ALB", "pass it on"),
    ],
};

pub(super) const STATUS: Explanation = Explanation {
    title: "The legs have different status codes",
    rule: "The client got another status than the server sent.",
    demands: "RFC 9110 §15: a proxy forwards the final response; with 5xx of its own it says that it could not.",
    blames: &[Proxy],
    who: "",
    why: "The server believes the WebSocket is open while the client was told otherwise, or the other way round. (200 on HTTP/2 for 101 on HTTP/1.1 is right.)",
    causes: &[
        "502 because the proxy could not make sense of the 101",
        "an error page that replaces the server's answer",
        "authentication done by the proxy",
    ],
    fix: "See the proxy's error log at this time.",
    configs: &[
        config("nginx", &["proxy_intercept_errors off;"]),
        config("httpd", &["ProxyErrorOverride Off"]),
    ],
    proxies: &[
        ("httpd", "ErrorDocument with ProxyErrorOverride On"),
        ("nginx", "error_page with proxy_intercept_errors on"),
        ("HAProxy", "502 for an answer it can not parse; http-response return"),
        ("Caddy", "handle_response"),
        ("Varnish", "503 from vcl_backend_error, and a cached answer where it does not pipe"),
        ("Squid", "502 or 503 with a page of its own"),
        ("mitmproxy", "502 for an answer it can not parse"),
        ("Envoy", "503 with a text of its own"),
        ("AWS ALB", "502, 503, 504; 460 in its log only"),
    ],
};

pub(super) const NOT_FORWARDED: Explanation = Explanation {
    title: "The request never reached the server",
    rule: "The client leg has an upgrade request, and no leg behind the proxy carries it.",
    demands: "RFC 9110 §7.6: a proxy forwards, or answers itself and says why.",
    blames: &[Proxy],
    who: "",
    why: "The answer that the client got is the proxy's own: look there, not at the server.",
    causes: &[
        "no server available (502, 503, 504)",
        "a rule that refuses: authentication, a limit, a WAF (401, 403, 429)",
        "no route for this path (404)",
        "the other leg is not in the capture",
    ],
    fix: "See the status, and the proxy's log.",
    proxies: &[
        (
            "httpd",
            "502 or 503 when the backend is down; then not tried again for 60 s (retry=0 changes that)",
        ),
        ("nginx", "502, 504; 499 in its log when the client gave up"),
        ("HAProxy", "503 with no server up; the two letters in its log say where it ended"),
        ("Caddy", "502"),
        ("Varnish", "503 Backend fetch failed"),
        ("Squid", "503, or 403 by an ACL"),
        ("mitmproxy", "502"),
        ("Envoy", "503 with UH, UF or UO in its log; 403 for an upgrade not enabled"),
        ("AWS ALB", "502, 503, 504"),
    ],
    configs: &[config("httpd", &["ProxyPass \"/ws/\" \"ws://127.0.0.1:8088/\" retry=0"])],
};

pub(super) const LOST: Explanation = Explanation {
    title: "A message was lost in the proxy",
    rule: "A message went into the proxy and did not come out on the other side.",
    demands: "RFC 6455 §5.4: an intermediary may change the fragmentation, not the messages.",
    blames: &[Proxy],
    why: "The receiver never sees it, and nobody is told.",
    causes: &[
        "the last messages before one leg was cut",
        "the first frame behind the 101, swallowed with the handshake",
        "an inspecting proxy that filters, or a size limit",
        "a buffer dropped under load",
    ],
    fix: "See whether it is the first, the last, or a large one: handshake, cut, or limit.",
    proxies: &[
        (
            "httpd, nginx, HAProxy, Caddy, Varnish, Squid, Envoy, AWS ALB",
            "copy bytes: only what is under way when a leg is cut is lost",
        ),
        ("mitmproxy", "drops what an addon drops (message.drop())"),
    ],
    ..BASE
};

pub(super) const CHANGED: Explanation = Explanation {
    title: "A message was changed in the proxy",
    rule: "A message has other content behind the proxy than in front of it.",
    demands: "RFC 6455 §5.4: an intermediary may change the fragmentation, not the messages.",
    blames: &[Proxy],
    why: "The receiver acts on something that was never sent.",
    causes: &[
        "an inspecting proxy or addon that rewrites (masking of data, translation)",
        "substitution filters switched on for the tunnel",
        "tampering",
    ],
    fix: "Find the hop: capture on both sides of each. Use wss:// so that nobody on the way can.",
    proxies: &[
        (
            "httpd, nginx, HAProxy, Caddy, Varnish, Squid, Envoy, AWS ALB",
            "never: they copy bytes once upgraded",
        ),
        ("mitmproxy", "when an addon sets message.content"),
    ],
    ..BASE
};

pub(super) const INJECTED: Explanation = Explanation {
    title: "The proxy sent a message of its own",
    rule: "A message came out of the proxy that never went in.",
    demands: "RFC 6455 §5.4: an intermediary may change the fragmentation, not the messages.",
    blames: &[Proxy],
    why: "The receiver takes it for the other end's.",
    causes: &[
        "an inspecting proxy or gateway that sends keep-alives or notices",
        "an addon",
        "tampering",
    ],
    fix: "Find the hop: capture on both sides of each. Heartbeats belong into pings.",
    proxies: &[
        (
            "httpd, nginx, HAProxy, Caddy, Varnish, Squid, Envoy, AWS ALB",
            "never: they copy bytes once upgraded",
        ),
        ("mitmproxy", "with inject.websocket, and pings of its own"),
    ],
    ..BASE
};

pub(super) const REORDERED: Explanation = Explanation {
    title: "Messages came out in another order",
    rule: "Messages of one direction stand in another order behind the proxy.",
    demands: "RFC 6455 §5.4: message fragments MUST be delivered to the recipient in the order sent by the sender; the same holds for messages on one TCP connection.",
    blames: &[Proxy],
    why: "Most applications rely on the order.",
    causes: &["a gateway that handles messages in parallel (workers, a queue)"],
    fix: "Make the gateway handle the messages of one connection one after the other.",
    proxies: &[("all of the usual ones", "never")],
    ..BASE
};

pub(super) const REFRAGMENTED: Explanation = Explanation {
    title: "The proxy cut messages into other frames",
    rule: "The same message has another number of frames on the other leg.",
    demands: "RFC 6455 §5.4 allows it: an intermediary MAY coalesce or split fragments, unless an extension forbids it or RSV bits are in use that it does not know.",
    blames: &[Proxy],
    why: "The content is the same. It shows that the proxy reads frames and does not just copy bytes.",
    causes: &["a proxy that reads whole messages", "a frame size limit"],
    fix: "Nothing to fix, unless the receiver can not take fragments.",
    proxies: &[
        (
            "httpd, nginx, HAProxy, Caddy, Varnish, Squid, Envoy, AWS ALB",
            "never: they copy bytes once upgraded",
        ),
        ("mitmproxy", "keeps the fragments, unless an addon changed the message"),
    ],
    ..BASE
};

pub(super) const RECOMPRESSED: Explanation = Explanation {
    title: "The proxy compressed messages anew",
    rule: "The same content has other bytes on the wire: compressed on one leg only, or differently.",
    demands: "RFC 7692 §6: compression is between the two ends of one connection. A proxy may change it only when it agreed on each leg to what it does there.",
    blames: &[Proxy],
    why: "The content is the same; it costs the proxy time and memory.",
    causes: &["a proxy that inspects messages", "compression agreed on one leg only"],
    fix: "Nothing to fix, unless its time shows as delay.",
    proxies: &[
        (
            "httpd, nginx, HAProxy, Caddy, Varnish, Squid, Envoy, AWS ALB",
            "never: they copy bytes once upgraded",
        ),
        ("mitmproxy", "always, as it inflates every message"),
    ],
    ..BASE
};

pub(super) const CLOSE: Explanation = Explanation {
    title: "The legs ended differently",
    rule: "The Close frames of the two legs differ in code, reason or order, or one leg has none.",
    demands: "RFC 6455 §7.1.5 and §7.1.6: code and reason are the sender's; 1005 and 1006 are made up by the receiver and are never passed on.",
    blames: &[Proxy],
    who: "",
    why: "One end is told another reason than the other end gave: who closed, and why, can not be seen from there.",
    causes: &[
        "an idle timeout of the proxy: FIN or RST on both legs, no Close on either",
        "a restart or reload of the proxy",
        "a gateway that closes each leg by itself",
    ],
    fix: "See which leg ended first, and how long it had been silent. Raise the timeout, or ping more often.",
    configs: super::IDLE_TIMEOUTS,
    proxies: &[
        ("httpd", "FIN on both legs after Timeout or ProxyTimeout (60 s); no Close"),
        (
            "nginx",
            "FIN after proxy_read_timeout (60 s); no Close. A reload keeps old workers until worker_shutdown_timeout",
        ),
        (
            "HAProxy",
            "FIN after timeout tunnel (or client and server, when it is not set); a reload waits for hard-stop-after",
        ),
        ("Caddy", "no timeout; a reload closes with 1001 unless stream_close_delay is set"),
        ("Varnish", "pipe_timeout (60 s)"),
        ("Squid", "read_timeout (15 min), client_lifetime (1 day)"),
        ("mitmproxy", "passes the Close on, and closes with 1006's stand-in when a leg breaks"),
        ("Envoy", "stream_idle_timeout (5 min), idle_timeout (1 h); no Close"),
        ("AWS ALB", "idle_timeout.timeout_seconds (60 s), then FIN or RST; no Close"),
    ],
};
