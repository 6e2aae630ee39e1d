//! Configuration lines that several notes share.

use super::Config;

/// One product's lines.
pub(super) const fn config(product: &'static str, lines: &'static [&'static str]) -> Config {
    Config { product, lines }
}

/// How each proxy is told to forward an upgrade.
pub(super) const UPGRADE_THROUGH_PROXIES: &[Config] = &[
    config(
        "httpd, mod_proxy_wstunnel (2.4.5 and later)",
        &[
            "LoadModule proxy_wstunnel_module modules/mod_proxy_wstunnel.so",
            "ProxyPass \"/ws/\" \"ws://127.0.0.1:8088/ws/\"",
        ],
    ),
    config(
        "httpd, mod_proxy_http (2.4.47 and later)",
        &["ProxyPass \"/ws/\" \"http://127.0.0.1:8088/ws/\" upgrade=websocket"],
    ),
    config(
        "nginx",
        &[
            "map $http_upgrade $connection_upgrade { default upgrade; '' close; }",
            "location /ws/ {",
            "    proxy_pass http://127.0.0.1:8088;",
            "    proxy_http_version 1.1;",
            "    proxy_set_header Upgrade $http_upgrade;",
            "    proxy_set_header Connection $connection_upgrade;",
            "    proxy_set_header Host $host;",
            "}",
        ],
    ),
    config(
        "HAProxy",
        &["mode http              # forwards upgrades by itself", "timeout tunnel 1h"],
    ),
    config("Caddy", &["reverse_proxy /ws/* 127.0.0.1:8088      # forwards upgrades by itself"]),
    config(
        "Varnish",
        &[
            "sub vcl_recv { if (req.http.Upgrade ~ \"(?i)websocket\") { return (pipe); } }",
            "sub vcl_pipe {",
            "    if (req.http.Upgrade) {",
            "        set bereq.http.Upgrade = req.http.Upgrade;",
            "        set bereq.http.Connection = req.http.Connection;",
            "    }",
            "}",
        ],
    ),
    config(
        "Squid (5 and later; the name's letter case counts)",
        &[
            "http_upgrade_request_protocols websocket allow all",
            "http_upgrade_request_protocols WebSocket allow all",
        ],
    ),
    config("Envoy", &["upgrade_configs: [{ upgrade_type: websocket }]"]),
    config(
        "Node, http-proxy",
        &[
            "const proxy = httpProxy.createProxyServer({ target, ws: true });",
            "server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head));",
        ],
    ),
];

/// How a server of Node answers upgrades.
pub(super) const UPGRADE_BY_NODE: &[Config] = &[config(
    "Node, ws",
    &[
        "const wss = new WebSocketServer({ noServer: true });",
        "server.on('upgrade', (req, socket, head) =>",
        "  wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req)));",
    ],
)];

/// How long a silent connection may live, and how to keep it from being silent.
pub(super) const IDLE_TIMEOUTS: &[Config] = &[
    config(
        "httpd (default 60 s)",
        &["ProxyPass \"/ws/\" \"ws://127.0.0.1:8088/ws/\" timeout=3600"],
    ),
    config("nginx (default 60 s)", &["proxy_read_timeout 1h;", "proxy_send_timeout 1h;"]),
    config("HAProxy", &["timeout tunnel 1h"]),
    config("Varnish (default 60 s)", &["varnishd -p pipe_timeout=3600"]),
    config("Envoy (default 5 min)", &["route: { idle_timeout: 3600s }"]),
    config("AWS ALB (default 60 s)", &["idle_timeout.timeout_seconds = 3600"]),
    config(
        "Node, ws: a heartbeat",
        &["setInterval(() => wss.clients.forEach((ws) => ws.ping()), 30000);"],
    ),
];
