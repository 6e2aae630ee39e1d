//! The proxies that Debian has, with the configuration that people use.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::peers::{Client, Server};
use crate::skip;
use crate::tap::{Diff, Running, Tap, altered, free_port, within};

/// Clients at once, so that pairing has something to tell apart.
const CLIENTS: usize = 4;

/// A proxy of Debian.
#[derive(Clone, Copy)]
struct Kind {
    package: &'static str,
    program: &'static str,
    /// Arguments; the configuration's path stands for `CONF`, its folder for `DIR`.
    arguments: &'static [&'static str],
    /// Around what a test configures: `PORT` and `UPSTREAM` stand for the ports.
    frame: fn(body: &str) -> String,
}

const HTTPD: Kind = Kind {
    package: "apache2",
    program: "/usr/sbin/apache2",
    // One process: with a parent of its own, killing that would leave the children.
    arguments: &["-f", "CONF", "-X"],
    frame: |body| {
        let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel"]
            .iter()
            .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
            .collect::<Vec<_>>()
            .concat();
        format!(
            "ServerRoot \"DIR\"\nServerName localhost\nDefaultRuntimeDir \"DIR\"\n\
             PidFile \"DIR/httpd.pid\"\nListen 127.0.0.1:PORT\n{modules}StartServers 1\n\
             ErrorLog \"DIR/error.log\"\nMutex posixsem\n{body}\n"
        )
    },
};

const NGINX: Kind = Kind {
    package: "nginx",
    program: "/usr/sbin/nginx",
    arguments: &["-c", "CONF", "-p", "DIR", "-e", "DIR/error.log"],
    frame: |body| {
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("{what}_temp_path DIR/{what};\n"))
            .collect::<Vec<_>>()
            .concat();
        format!(
            "daemon off; master_process off; pid DIR/nginx.pid; error_log DIR/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; {temporary}\
             server {{ listen 127.0.0.1:PORT; location / {{ {body} }} }} }}\n"
        )
    },
};

const HAPROXY: Kind = Kind {
    package: "haproxy",
    program: "/usr/sbin/haproxy",
    arguments: &["-db", "-f", "CONF"],
    frame: |body| {
        format!(
            "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 5s\n  \
             timeout client 60s\n  timeout server 60s\n  timeout tunnel 60s\n\
             frontend f\n  bind 127.0.0.1:PORT\n{body}\n  default_backend b\n\
             backend b\n  server s 127.0.0.1:UPSTREAM\n"
        )
    },
};

/// A running proxy.
struct Proxy {
    port: u16,
    _program: Running,
    _dir: TempDir,
}

impl Proxy {
    /// Starts one, and waits until it listens; `None` when it is not installed.
    fn start(kind: Kind, body: &str, upstream: u16) -> Option<Self> {
        if !Path::new(kind.program).exists() {
            skip(&format!("{} is not installed: apt install {}", kind.program, kind.package));
            return None;
        }
        // Another program may take the port between our choice and the proxy's start.
        (0..3).find_map(|_| Self::once(kind, body, upstream)).or_else(|| {
            panic!("{} does not start", kind.package);
        })
    }

    fn once(kind: Kind, body: &str, upstream: u16) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let fill = |text: &str| {
            text.replace("DIR", dir.path().to_str().unwrap())
                .replace("CONF", dir.path().join("conf").to_str().unwrap())
                .replace("PORT", &port.to_string())
                .replace("UPSTREAM", &upstream.to_string())
        };
        std::fs::write(dir.path().join("conf"), fill(&(kind.frame)(body))).unwrap();
        let program = Command::new(kind.program)
            .args(kind.arguments.iter().map(|argument| fill(argument)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Running(program);
        let listens =
            within("the proxy listens", || match TcpStream::connect(("127.0.0.1", port)) {
                Ok(_) => Some(true),
                Err(_) => program.0.try_wait().unwrap().map(|_| false),
            });
        listens.then_some(Self { port, _program: program, _dir: dir })
    }
}

/// Some clients at once through a proxy; and the ports of both legs, as client and server tell them.
fn through(kind: Kind, body: &str, path: &str) -> Option<(Diff, BTreeSet<(u16, u16)>)> {
    let server = Server::start(None);
    let proxy = Proxy::start(kind, body, server.port())?;
    let tap = Tap::on(&[proxy.port, server.port()])?;
    let clients: Vec<Client> =
        (0..CLIENTS).map(|_| Client::open(proxy.port, path).expect("it opens")).collect();
    let ports: Vec<u16> = clients.iter().map(|client| client.port).collect();
    let talks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(n, client)| thread::spawn(move || client.converse(&format!("client {n} here"))))
        .collect();
    for talk in talks {
        talk.join().unwrap();
    }
    let diff = tap.diff(2 * CLIENTS, &[]);
    let far = |n: usize| server.peer(&format!("client {n} here")).expect("the server heard it");
    let truth = ports.iter().enumerate().map(|(n, port)| (*port, far(n))).collect();
    Some((diff, truth))
}

/// Every pair right, every message the same, these alterations and no others unexpected.
fn assert_pairs(found: Option<(Diff, BTreeSet<(u16, u16)>)>, unexpected: &[&str], told: &[&str]) {
    let Some((diff, truth)) = found else { return };
    assert_eq!(diff.ports(), truth, "{}", diff.text);
    assert!(diff.unpaired.is_empty(), "{}", diff.text);
    let unexpected: BTreeSet<String> = unexpected.iter().map(|s| (*s).to_owned()).collect();
    for pair in &diff.pairs {
        assert_eq!(altered(pair, false), unexpected, "{}", diff.text);
        let expected = altered(pair, true);
        assert!(told.iter().all(|told| expected.contains(*told)), "{expected:?}");
        // Five data messages, a ping and a Close; their echoes, a pong and a Close.
        assert_eq!(pair["messages"]["same"], 14, "{}", diff.text);
        assert!(pair["delay_ns"]["p50"].as_i64().is_some_and(|ns| ns > 0), "{}", diff.text);
    }
    assert_eq!(diff.status, i32::from(!unexpected.is_empty()));
}

#[test]
fn httpd_with_mod_proxy_wstunnel_changes_nothing_but_what_it_may() {
    let body = "ProxyPass / ws://127.0.0.1:UPSTREAM/";
    let told = ["header-changed host", "header-added x-forwarded-for"];
    assert_pairs(through(HTTPD, body, "/chat?room=1"), &[], &told);
}

#[test]
fn httpd_with_mod_proxy_http_and_upgrade_rewrites_the_path_it_is_told_to() {
    let body = "ProxyPreserveHost On\n\
                ProxyPass /ws/ http://127.0.0.1:UPSTREAM/ upgrade=websocket";
    let told = ["header-added x-forwarded-for"];
    assert_pairs(through(HTTPD, body, "/ws/chat"), &["target-rewritten request"], &told);
}

#[test]
fn nginx_that_forwards_the_upgrade_changes_nothing_but_what_it_may() {
    let body = "proxy_pass http://127.0.0.1:UPSTREAM; proxy_http_version 1.1; \
                proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; \
                proxy_set_header X-Real-IP $remote_addr;";
    let told = ["header-changed host", "header-added x-real-ip", "header-added server"];
    assert_pairs(through(NGINX, body, "/chat"), &[], &told);
}

#[test]
fn haproxy_changes_nothing_but_what_it_may() {
    let told = ["header-changed request", "header-added x-forwarded-for"];
    assert_pairs(through(HAPROXY, "  option forwardfor", "/chat"), &[], &told);
}

#[test]
fn nginx_that_forwards_no_upgrade_is_told_from_a_server_that_refuses() {
    let server = Server::start(None);
    let body = "proxy_pass http://127.0.0.1:UPSTREAM;";
    let Some(proxy) = Proxy::start(NGINX, body, server.port()) else { return };
    let Some(tap) = Tap::on(&[proxy.port, server.port()]) else { return };
    assert!(Client::open(proxy.port, "/chat").is_none());
    let diff = tap.diff(2, &[]);
    let wrong = altered(diff.pair(), false);
    let want = ["header-changed connection", "header-removed upgrade", "version-changed request"];
    assert_eq!(wrong, want.map(str::to_owned).into(), "{}", diff.text);
    assert_eq!(diff.pair()["client_addr"]["server"], format!("127.0.0.1:{}", proxy.port));
    assert_eq!(diff.pair()["server_addr"]["server"], server.address.to_string());
    assert_eq!(diff.status, 1);
}

#[test]
fn what_is_expected_counts_when_strict() {
    let server = Server::start(None);
    let Some(proxy) = Proxy::start(HAPROXY, "", server.port()) else { return };
    let Some(tap) = Tap::on(&[proxy.port, server.port()]) else { return };
    Client::open(proxy.port, "/").expect("it opens").converse("hello");
    let diff = tap.diff(2, &["--strict"]);
    assert_eq!(altered(diff.pair(), false), BTreeSet::new(), "{}", diff.text);
    assert_eq!(diff.status, 1);
}
