//! Live capture on loopback, with a real client and server (tungstenite).
//!
//! Where capturing is not permitted, these tests say so loudly and pass.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by them"
)]

mod common;

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{assert_same_lines, run_wstap, wstap};
use serde_json::Value;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Message, WebSocket, accept_hdr, client};

/// How long something may take that must happen, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A message as both sides know it: its kind and its bytes.
type Said = (&'static str, Vec<u8>);

fn said(message: &Message) -> Said {
    match message {
        Message::Text(text) => ("text", text.as_bytes().to_vec()),
        Message::Binary(bytes) => ("binary", bytes.to_vec()),
        Message::Ping(bytes) => ("ping", bytes.to_vec()),
        Message::Pong(bytes) => ("pong", bytes.to_vec()),
        Message::Close(Some(frame)) => {
            let code = u16::from(frame.code).to_be_bytes();
            ("close", [&code[..], frame.reason.as_bytes()].concat())
        }
        Message::Close(None) => ("close", Vec::new()),
        Message::Frame(frame) => panic!("{frame}"),
    }
}

/// Accepts connections for ever. Texts and binaries come back; on `/count` only their number does,
/// after the last one, which says so.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap()));
        }
    });
    port
}

#[expect(clippy::result_large_err, reason = "tungstenite asks for such a callback")]
fn converse(stream: TcpStream) {
    let mut path = String::new();
    let keep = |request: &tungstenite::handshake::server::Request, response| {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr(stream, keep) else { return };
    let mut count = 0;
    while let Ok(message) = socket.read() {
        let answer = match &message {
            Message::Text(text) if path == "/count" && text.as_str() == "how many" => {
                Message::text(format!("{count}"))
            }
            Message::Text(_) | Message::Binary(_) if path == "/count" => {
                count += 1;
                continue;
            }
            Message::Text(_) | Message::Binary(_) => message,
            _ => continue,
        };
        if socket.send(answer).is_err() {
            return;
        }
    }
}

fn connect(port: u16, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap().0
}

/// Says goodbye, and reads until the server has done so too.
fn close(mut socket: WebSocket<TcpStream>) -> Vec<Said> {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    socket.close(Some(frame)).unwrap();
    let mut heard = Vec::new();
    while let Ok(message) = socket.read() {
        heard.push(said(&message));
    }
    heard
}

/// A running `wstap print -i lo --json`, and the lines it has printed.
struct Tap {
    program: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Tap {
    /// Captures what goes to this port, from now on; `None` where that is not permitted.
    fn start(port: u16, more: &[&str]) -> Option<Self> {
        let mut program = wstap()
            .args(["print", "-i", "lo", "--json", "-B", "64"])
            .args(more)
            .arg(format!("tcp port {port}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(program.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut tap = Self { program, lines, seen: Vec::new() };
        let patience = Instant::now();
        // Connections that do nothing, until one is seen: then the capture has begun.
        while !tap.seen.iter().any(|line| line.contains("\"event\":\"handshake\"")) {
            if let Some(status) = tap.program.try_wait().unwrap() {
                let mut said = String::new();
                let mut err = tap.program.stderr.take().unwrap();
                std::io::Read::read_to_string(&mut err, &mut said).unwrap();
                assert_eq!(status.code(), Some(2), "{said}");
                let refused = said.contains("permi") || said.contains("not allowed");
                assert!(refused, "no capture, and not for want of permission: {said}");
                eprintln!("SKIPPED, NOTHING IS TESTED: capturing on lo is not permitted: {said}");
                return None;
            }
            assert!(patience.elapsed() < PATIENCE, "nothing is captured");
            close(connect(port, "/knock"));
            tap.listen(Duration::from_millis(100));
        }
        Some(tap)
    }

    /// Takes the lines that come until there was none for so long.
    fn listen(&mut self, quiet: Duration) {
        while let Ok(line) = self.lines.recv_timeout(quiet) {
            self.seen.push(line);
        }
    }

    /// Waits until this many connections to `path` have ended, so that nothing is still on its way.
    fn wait_for_end(&mut self, path: &str) {
        let patience = Instant::now();
        loop {
            let conn = conn_of(&self.seen, path);
            let ended = |e: &Value| e["event"] == "end" && Some(e["conn"].clone()) == conn;
            if parsed(&self.seen[self.seen.len().saturating_sub(50)..]).iter().any(ended) {
                return;
            }
            assert!(patience.elapsed() < PATIENCE, "the end of {path} never came");
            self.listen(Duration::from_millis(200));
        }
    }

    /// Ctrl-C. Gives all lines.
    fn interrupt(mut self) -> Vec<String> {
        let pid = self.program.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = self.program.wait().unwrap();
        // Until the thread that reads them has read all.
        self.seen.extend(self.lines.iter());
        assert_eq!(status.code(), Some(0), "{:?}", self.seen.last());
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // After a failed test, or when it has ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn conn_of(lines: &[String], path: &str) -> Option<Value> {
    let line = lines.iter().find(|l| l.contains(&format!("\"target\":\"{path}\"")))?;
    Some(serde_json::from_str::<Value>(line).unwrap()["conn"].clone())
}

/// What was said on the connection to `path`, this way.
fn told(lines: &[String], path: &str, dir: &str) -> Vec<Said> {
    const KINDS: [&str; 5] = ["text", "binary", "ping", "pong", "close"];
    let conn = conn_of(lines, path).unwrap();
    parsed(lines)
        .iter()
        .filter(|e| e["event"] == "message" && e["conn"] == conn && e["dir"] == dir)
        .map(|e| {
            assert_eq!(e["complete"], true, "{e}");
            let bytes = match (&e["text"], &e["data"]) {
                (Value::String(text), _) => text.clone().into_bytes(),
                (_, Value::String(data)) => STANDARD.decode(data).unwrap(),
                _ => panic!("{e}"),
            };
            let kind = KINDS.into_iter().find(|kind| e["kind"] == *kind).unwrap();
            (kind, bytes)
        })
        .collect()
}

fn summary(lines: &[String]) -> Value {
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["event"], "capture", "{last}");
    last
}

fn assert_same_messages(expected: &[Said], got: &[Said], what: &str) {
    for (n, (e, g)) in (1..).zip(expected.iter().zip(got)) {
        assert!(e == g, "{what} {n}: {} of {} B for {} of {} B", g.0, g.1.len(), e.0, e.1.len());
    }
    assert_eq!(expected.len(), got.len(), "{what}: number of messages (expected, got)");
}

#[test]
fn every_message_of_every_size_is_shown_and_saved() {
    let port = serve();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("live.pcapng");
    let file = file.to_str().unwrap();
    let Some(mut tap) = Tap::start(port, &["-w", file]) else { return };

    let mut socket = connect(port, "/sizes");
    let (mut sent, mut heard) = (Vec::new(), Vec::new());
    // Around the borders of the three length forms (RFC 6455 section 5.2), and across segments.
    for size in [0, 1, 2, 124, 125, 126, 127, 1000, 65_535, 65_536, 65_537, 300_000, 1_500_000] {
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let text: String = "Grüße, 世界! ".chars().cycle().take(size).collect();
        for message in [Message::text(text), Message::binary(bytes)] {
            sent.push(said(&message));
            socket.send(message).unwrap();
            heard.push(said(&socket.read().unwrap()));
        }
    }
    for size in [0, 1, 125] {
        let message = Message::Ping(Bytes::from(vec![b'p'; size]));
        sent.push(said(&message));
        socket.send(message).unwrap();
        heard.push(said(&socket.read().unwrap()));
    }
    heard.extend(close(socket));
    sent.push(("close", b"\x03\xe8done".to_vec()));
    tap.wait_for_end("/sizes");
    let lines = tap.interrupt();

    assert_eq!(heard.iter().filter(|m| m.0 == "pong").count(), 3);
    assert_same_messages(&sent, &told(&lines, "/sizes", "c2s"), "client message");
    assert_same_messages(&heard, &told(&lines, "/sizes", "s2c"), "server message");
    assert_eq!(summary(&lines)["dropped"], 0);

    let again = run_wstap(["print", "--json", file]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    let (_, live) = lines.split_last().unwrap();
    let saved: Vec<&str> = again.stdout.lines().collect();
    let (_, saved) = saved.split_last().unwrap();
    assert_same_lines(&live.join("\n"), &saved.join("\n"), "the saved capture");
}

#[test]
fn a_hundred_thousand_small_messages_are_all_shown() {
    const COUNT: usize = 100_000;
    let port = serve();
    let Some(mut tap) = Tap::start(port, &[]) else { return };
    let mut socket = connect(port, "/count");
    for n in 0..COUNT {
        socket.send(Message::text(format!("message {n}"))).unwrap();
    }
    socket.send(Message::text("how many")).unwrap();
    assert_eq!(said(&socket.read().unwrap()), ("text", COUNT.to_string().into_bytes()));
    close(socket);
    tap.wait_for_end("/count");
    let lines = tap.interrupt();

    let told = told(&lines, "/count", "c2s");
    for (n, message) in told.iter().take(COUNT).enumerate() {
        assert_eq!(*message, ("text", format!("message {n}").into_bytes()));
    }
    // And the question, and the Close.
    assert_eq!(told.len(), COUNT + 2);
    assert_eq!(summary(&lines)["dropped"], 0);
}
