//! The built program capturing live, and what it makes of the capture.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::skip;

/// Whatever takes longer than this has gone wrong: a busy machine takes a hundredth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program that ends with the test.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `wstap print -i lo -w FILE` on some ports.
#[derive(Debug)]
pub(crate) struct Tap {
    wstap: Running,
    events: Receiver<Value>,
    /// Connections by number: the server's port, and whether it is over.
    seen: BTreeMap<u64, (u16, bool)>,
    probe: u16,
    dir: TempDir,
}

/// What `diff --json` said.
#[derive(Debug)]
pub(crate) struct Diff {
    pub(crate) status: i32,
    pub(crate) pairs: Vec<Value>,
    /// Server ports of connections without a partner.
    pub(crate) unpaired: Vec<u16>,
    /// All of it, for the message of a failure.
    pub(crate) text: String,
}

impl Tap {
    /// Captures the ports; `None` when that is not permitted here.
    pub(crate) fn on(ports: &[u16]) -> Option<Self> {
        // A handshake of our own, tried until it is seen, tells that the capture has begun.
        let prober = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = prober.local_addr().unwrap().port();
        let filter: Vec<String> =
            ports.iter().chain([&probe]).map(|port| format!("tcp port {port}")).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut wstap = Command::new(env!("CARGO_BIN_EXE_wstap"))
            .args(["print", "--json", "-i", "lo", "-w"])
            .arg(dir.path().join("legs.pcapng"))
            .arg("-f")
            .arg(filter.join(" or "))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let events = lines(wstap.stdout.take().unwrap());
        let mut tap = Self { wstap: Running(wstap), events, seen: BTreeMap::new(), probe, dir };
        let begun = Instant::now();
        while !tap.seen.values().any(|(port, _)| *port == probe) {
            assert!(begun.elapsed() < PATIENCE, "the capture does not begin");
            refused(&prober);
            tap.listen(Duration::from_millis(50));
            if tap.wstap.0.try_wait().unwrap().is_some() {
                let mut said = String::new();
                tap.wstap.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                let denied = said.contains("ermi");
                assert!(denied, "the capture ended: {said}");
                skip(&format!("no right to capture on lo: {said}"));
                return None;
            }
        }
        Some(tap)
    }

    /// Takes what wstap says, until it is silent for so long.
    fn listen(&mut self, silence: Duration) {
        loop {
            match self.events.recv_timeout(silence) {
                Ok(event) => self.event(&event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn event(&mut self, event: &Value) {
        let no = event["conn"].as_u64().unwrap_or(0);
        match event["event"].as_str().unwrap() {
            "handshake" => {
                let open = ["accepted", "invalid"].map(Value::from).contains(&event["outcome"]);
                self.seen.insert(no, (port(&event["server"]), !open));
            }
            "end" => {
                if let Some((_, over)) = self.seen.get_mut(&no) {
                    *over = true;
                }
            }
            _ => {}
        }
    }

    /// Waits until so many legs have ended, ends the capture, and compares them.
    pub(crate) fn diff(mut self, legs: usize, options: &[&str]) -> Diff {
        let begun = Instant::now();
        let probe = self.probe;
        let over =
            |tap: &Self| tap.seen.values().filter(|(port, over)| *port != probe && *over).count();
        while over(&self) < legs {
            assert!(begun.elapsed() < PATIENCE, "{} legs of {legs}: {:?}", over(&self), self.seen);
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) => self.event(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the capture ended: {:?}", self.seen),
            }
        }
        self.stop();
        let file: PathBuf = self.dir.path().join("legs.pcapng");
        let output = Command::new(env!("CARGO_BIN_EXE_wstap"))
            .args(["diff", "--json"])
            .args(options)
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let of = |event: &str| -> Vec<Value> {
            lines.iter().filter(|line| line["event"] == event).cloned().collect()
        };
        let unpaired = of("unpaired").into_iter().map(|line| port(&line["addr"]["server"]));
        Diff {
            status: output.status.code().unwrap(),
            pairs: of("pair"),
            unpaired: unpaired.filter(|port| *port != probe).collect(),
            text,
        }
    }

    /// As Ctrl-C does: the file must be whole.
    fn stop(&mut self) {
        let pid = self.wstap.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = within("wstap ends", || self.wstap.0.try_wait().unwrap());
        let mut said = String::new();
        self.wstap.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.success(), "{status}: {said}");
    }
}

impl Diff {
    /// The only pair.
    pub(crate) fn pair(&self) -> &Value {
        assert_eq!(self.pairs.len(), 1, "{}", self.text);
        &self.pairs[0]
    }

    /// The client's port on both legs of each pair.
    pub(crate) fn ports(&self) -> BTreeSet<(u16, u16)> {
        let of = |p: &Value| (port(&p["client_addr"]["client"]), port(&p["server_addr"]["client"]));
        self.pairs.iter().map(of).collect()
    }
}

/// `code what` of a pair's alterations that any correct proxy makes, or of those that none makes.
pub(crate) fn altered(pair: &Value, expected: bool) -> BTreeSet<String> {
    let all = pair["alterations"].as_array().unwrap();
    let such = all.iter().filter(|alteration| alteration["expected"] == expected);
    such.map(|a| format!("{} {}", a["code"].as_str().unwrap(), a["what"].as_str().unwrap()))
        .collect()
}

/// Polls until it is so.
pub(crate) fn within<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = is() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nobody listens on, for a program that must be told one.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn port(address: &Value) -> u16 {
    address.as_str().unwrap().parse::<SocketAddr>().unwrap().port()
}

fn lines(from: impl Read + Send + 'static) -> Receiver<Value> {
    let (to, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(serde_json::from_str(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

/// One handshake that is refused, from request to end.
fn refused(listener: &TcpListener) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client
        .write_all(
            b"GET /probe HTTP/1.1\r\nHost: probe\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        .unwrap();
    let mut seen = [0; 32];
    server.read_exact(&mut seen).unwrap();
    server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
    client.read_exact(&mut seen).unwrap();
}
