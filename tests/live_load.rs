//! Live capture as it is used: the real program, real interfaces, real peers.
//!
//! Needs the right to capture; without it each test says that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::items_after_statements,
    clippy::large_stack_arrays,
    clippy::similar_names,
    reason = "a test may fail loudly, in its helpers too"
)]
#![cfg(target_os = "linux")]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::{Message, WebSocket};
use wstap::capture::PacketSource;

/// How long something may take that must happen, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, running.
struct Wstap {
    child: Running,
    lines: Receiver<Value>,
    complaints: Complaints,
}

/// It does not go on after a test that failed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended mostly.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl std::ops::Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// What it wrote on standard error so far.
struct Complaints {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Complaints {
    fn of(mut err: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let shared = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = err.read(&mut buffer) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { text, reader }
    }

    fn wait_for(&self, part: &str) {
        let begin = Instant::now();
        while !self.text.lock().unwrap().contains(part) {
            assert!(begin.elapsed() < PATIENCE, "no {part:?} in {}", self.text.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All of it, after its end.
    fn whole(self) -> String {
        self.reader.join().unwrap();
        std::mem::take(&mut *self.text.lock().unwrap())
    }
}

impl Wstap {
    fn start(args: &[&str]) -> Self {
        Self::start_as(args, &[])
    }

    fn start_as(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wstap"))
            .args(args)
            .env_remove("SUDO_UID")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let complaints = Complaints::of(child.stderr.take().unwrap());
        Self { child: Running(child), lines, complaints }
    }

    /// Connects until a handshake is seen: from then on nothing is missed. `None` where the program
    /// may not capture.
    fn wait_until_capturing(&mut self, server: SocketAddr) -> Option<()> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                eprintln!("skipped: this user may not capture");
                return None;
            }
            drop(connect(server));
            if self.lines.recv_timeout(Duration::from_millis(300)).is_ok() {
                return Some(());
            }
        }
        panic!("nothing is captured");
    }

    /// Takes lines until as many are as wanted.
    fn wait_for(&self, count: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        let mut found = 0;
        let begin = Instant::now();
        while found < count {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{what}: {found} of {count}, the last line is {:?}", lines.last());
            };
            found += usize::from(wanted(&line));
            lines.push(line);
        }
        lines
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Ends it with Ctrl-C; gives everything it wrote, exit status, and complaints.
    fn end(mut self) -> (Vec<Value>, i32, String) {
        self.signal("-INT");
        let lines = self.lines.iter().collect();
        let status = self.child.wait().unwrap();
        (lines, status.code().unwrap_or(-1), self.complaints.whole())
    }
}

fn connect(server: SocketAddr) -> (SocketAddr, WebSocket<TcpStream>) {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    let addr = stream.local_addr().unwrap();
    let (ws, _) = tungstenite::client(format!("ws://{server}/live"), stream).unwrap();
    (addr, ws)
}

/// Echoes what each client sends, until it closes.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    addr
}

fn echo(stream: TcpStream) {
    let Ok(mut ws) = tungstenite::accept(stream) else { return };
    while let Ok(message) = ws.read() {
        if message.is_close() || (message.is_text() && ws.send(message).is_err()) {
            break;
        }
    }
}

/// Texts by the client's address and the direction, in order.
type Log = HashMap<(String, &'static str), Vec<String>>;

/// What the program saw.
fn seen(lines: &[Value]) -> Log {
    let mut clients = HashMap::new();
    let mut log = Log::new();
    for line in lines {
        let conn = line["conn"].as_u64();
        match line["event"].as_str().unwrap() {
            "handshake" => {
                clients.insert(conn, line["client"].as_str().unwrap().to_owned());
            }
            "message" if line["kind"] == "text" => {
                let dir = if line["dir"] == "c2s" { "c2s" } else { "s2c" };
                let text = line["text"].as_str().unwrap_or("not whole").to_owned();
                log.entry((clients[&conn].clone(), dir)).or_default().push(text);
            }
            _ => {}
        }
    }
    log
}

fn offline(path: &Path) -> Vec<Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_wstap"))
        .args(["print", "--json"])
        .arg(path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn assert_same(want: &Log, got: &Log, what: &str) {
    let mut missing = 0;
    for (key, texts) in want {
        let found = got.get(key).map_or(&[][..], Vec::as_slice);
        if found != texts.as_slice() {
            eprintln!("{what}: {key:?}: {} of {}", found.len(), texts.len());
            missing += 1;
        }
    }
    assert_eq!(missing, 0, "{what}: connections that differ");
}

fn capture_line(lines: &[Value]) -> &Value {
    lines.iter().rfind(|line| line["event"] == "capture").unwrap()
}

#[test]
fn every_message_of_two_hundred_clients_is_in_the_output_and_in_the_saved_file() {
    let server = echo_server();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("load.pcapng");
    let filter = format!("tcp port {}", server.port());
    let file = path.to_str().unwrap();
    let mut wstap =
        Wstap::start(&["print", "--json", "-i", "lo", "-B", "64", "-w", file, "-f", &filter]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    let log = Arc::new(Mutex::new(Log::new()));
    let clients: Vec<_> = (0..200)
        .map(|client| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                let (addr, mut ws) = connect(server);
                let (mut sent, mut received) = (Vec::new(), Vec::new());
                let begin = Instant::now();
                let mut no = 0;
                while begin.elapsed() < Duration::from_secs(10) {
                    // Every fortieth is large: many segments, and a 64-bit length.
                    let size = if no % 40 == client % 40 { 70_000 } else { no % 200 };
                    let text = format!("{client} {no} {}", "x".repeat(size));
                    ws.send(Message::text(text.as_str())).unwrap();
                    received.push(ws.read().unwrap().to_text().unwrap().to_owned());
                    sent.push(text);
                    no += 1;
                    std::thread::sleep(Duration::from_millis(80));
                }
                ws.close(None).unwrap();
                let mut log = log.lock().unwrap();
                log.insert((addr.to_string(), "c2s"), sent);
                log.insert((addr.to_string(), "s2c"), received);
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    // When their ends are printed, everything before them is. Without messages were only those that
    // waited for the capture to begin.
    let has_ended =
        |line: &Value| line["event"] == "end" && line["messages"]["c2s"].as_u64() > Some(0);
    let mut lines = wstap.wait_for(200, "ends", has_ended);
    let (rest, status, complaints) = wstap.end();
    lines.extend(rest);
    let want = log.lock().unwrap();
    assert_eq!((want.len(), status), (400, 0), "{complaints}");
    let total: usize = want.values().map(Vec::len).sum();
    assert!(total > 5_000, "{total} messages are no load");
    assert_eq!(capture_line(&lines)["dropped"], 0, "{complaints}");
    assert_same(&want, &seen(&lines), "output");
    let saved = offline(&path);
    assert_same(&want, &seen(&saved), "saved file");
    // Whose sockets they are: known live, with the handshake or later, and from the file.
    let clients: HashSet<&str> = want.keys().map(|(client, _)| client.as_str()).collect();
    for (lines, what) in [(&lines, "live"), (&saved, "offline")] {
        for end in ["client", "server"] {
            let known = known_processes(lines, end);
            let known = known.iter().filter(|client| clients.contains(client.as_str())).count();
            assert_eq!(known, 200, "{what}: connections whose {end} is known");
        }
    }
}

/// The clients' addresses of those connections of which this test is known to be that end, from the
/// handshake or from the end.
fn known_processes(lines: &[Value], end: &str) -> HashSet<String> {
    let me = u64::from(std::process::id());
    let mut clients = HashMap::new();
    let mut known = HashSet::new();
    for line in lines {
        if line["event"] == "handshake" {
            clients.insert(line["conn"].as_u64(), line["client"].as_str().unwrap().to_owned());
        }
        if line["process"][end]["pid"] == me {
            known.insert(clients[&line["conn"].as_u64()].clone());
        }
    }
    known
}

/// Sends numbered texts until told to stop; gives when each was sent.
fn sender(server: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<(String, Vec<Instant>)> {
    std::thread::spawn(move || {
        let (addr, mut ws) = connect(server);
        let mut times = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            ws.send(Message::text(times.len().to_string())).unwrap();
            times.push(Instant::now());
            std::thread::sleep(Duration::from_millis(5));
        }
        (addr.to_string(), times)
    })
}

#[test]
fn killed_it_leaves_a_file_that_reads_and_misses_at_most_the_last_second() {
    let server = echo_server();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("killed.pcapng");
    let filter = format!("tcp port {}", server.port());
    let file = path.to_str().unwrap();
    let mut wstap = Wstap::start(&["print", "--json", "-i", "lo", "-w", file, "-f", &filter]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    let stop = Arc::<AtomicBool>::default();
    let sender = sender(server, Arc::clone(&stop));
    // Some have been saved for sure, and a second has passed since.
    wstap.wait_for(100, "messages", |line| line["event"] == "message");
    std::thread::sleep(Duration::from_millis(1500));
    let killed = Instant::now();
    wstap.child.kill().unwrap();
    wstap.child.wait().unwrap();
    stop.store(true, Ordering::Relaxed);
    let (client, times) = sender.join().unwrap();
    let lines = offline(&path);
    assert_eq!(capture_line(&lines)["truncated"], Value::Null);
    let log = seen(&lines);
    let found = &log[&(client, "c2s")];
    let due = times.iter().filter(|&&at| at + Duration::from_secs(1) < killed).count();
    assert!(due >= 50 && found.len() >= due, "{} of {due}", found.len());
    assert!(found.iter().enumerate().all(|(no, text)| *text == no.to_string()));
    match Command::new("tshark").arg("-r").arg(&path).output() {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => eprintln!("skipped: tshark is not installed"),
    }
}

#[test]
fn a_file_that_grows_is_shown_as_it_grows() {
    let sample = std::fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/story-direct.pcapng"),
    )
    .unwrap();
    let whole = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(whole.path(), &sample).unwrap();
    let want = offline(whole.path());
    let grows = tempfile::NamedTempFile::new().unwrap();
    let path = grows.path().to_str().unwrap();
    let wstap = Wstap::start(&["print", "--json", "-F", path]);
    let mut file = std::fs::OpenOptions::new().append(true).open(grows.path()).unwrap();
    for part in sample.chunks(sample.len() / 7 + 1) {
        file.write_all(part).unwrap();
        // So that it reads parts of records, not all at once.
        std::thread::sleep(Duration::from_millis(100));
    }
    // All but the last lines, which come at the end, are there while the file could still grow.
    let mut got = wstap.wait_for(want.len() - 3, "lines", |_| true);
    let (rest, status, complaints) = wstap.end();
    got.extend(rest);
    assert_eq!((status, complaints.as_str()), (0, ""));
    let ids = |lines: &[Value]| -> Vec<String> {
        lines.iter().map(|l| format!("{} {} {}", l["event"], l["packet"], l["text"])).collect()
    };
    assert_eq!(ids(&got), ids(&want));
}

#[test]
fn a_message_is_shown_as_soon_as_nothing_more_is_at_hand() {
    let server = echo_server();
    let filter = format!("tcp port {}", server.port());
    let mut wstap = Wstap::start(&["print", "--json", "-i", "lo", "-f", &filter]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    let (_, mut ws) = connect(server);
    let mut took = Vec::new();
    for round in 0..20 {
        let text = format!("round {round}");
        // Long enough for everything before it to be shown.
        std::thread::sleep(Duration::from_millis(120));
        let begin = Instant::now();
        ws.send(Message::text(text.clone())).unwrap();
        // It and its echo.
        wstap.wait_for(2, "messages", |line| line["text"] == text.as_str());
        took.push(begin.elapsed());
    }
    drop(ws);
    wstap.end();
    // A machine that has much else to do makes some of them late, not all.
    took.sort();
    assert!(took[5] < Duration::from_millis(40), "{took:?}");
}

#[test]
fn one_wish_to_end_that_comes_as_two_signals_ends_it_in_order() {
    let server = echo_server();
    let filter = format!("tcp port {}", server.port());
    let mut wstap = Wstap::start(&["print", "--json", "-i", "lo", "-f", &filter]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    wstap.signal("-HUP");
    wstap.signal("-TERM");
    let lines: Vec<_> = wstap.lines.iter().collect();
    assert!(wstap.child.wait().unwrap().success(), "{}", wstap.complaints.whole());
    assert_eq!(lines.last().unwrap()["event"], "capture");
}

#[test]
fn all_threads_of_a_live_capture_are_the_caller_of_sudo_without_capabilities() {
    let server = echo_server();
    let filter = format!("tcp port {}", server.port());
    let sudo = [("SUDO_UID", "65534"), ("SUDO_GID", "65534")];
    let mut wstap = Wstap::start_as(&["print", "--json", "-i", "lo", "-f", &filter], &sudo);
    if !rustix::process::geteuid().is_root() || wstap.wait_until_capturing(server).is_none() {
        eprintln!("skipped: only root has something to give up");
        return;
    }
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", wstap.child.id())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(':').unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(field("Uid"), "65534 65534 65534 65534");
        assert_eq!(field("Gid"), "65534 65534 65534 65534");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(field("NoNewPrivs"), "1");
        threads += 1;
    }
    assert!(threads >= 3, "reader, capture and signals: {threads}");
    let helpers = helpers_of(wstap.child.id());
    assert_eq!(helpers.len(), 1);
    let (lines, status, complaints) = wstap.end();
    assert_eq!((status, capture_line(&lines)["dropped"].as_u64()), (0, Some(0)), "{complaints}");
    let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    assert!(!helpers.iter().any(is_there), "the helper ends with it");
}

fn helpers_of(parent: u32) -> Vec<u32> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(children).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn after_giving_up_a_root_only_file_can_not_be_read() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root has something to give up");
        return;
    }
    // Twice: as the user who called sudo, and as root himself, whom only the sandbox keeps off.
    for sudo in [Some("65534"), None] {
        let dir = tempfile::tempdir_in("/var/lib").unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "root's own").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "in_a_process_of_its_own", "--ignored", "--nocapture"])
            .env_remove("SUDO_UID")
            .env("WSTAP_TEST_SECRET", &secret);
        if let Some(uid) = sudo {
            command.env("SUDO_UID", uid).env("SUDO_GID", uid);
        }
        let out = command.output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains("1 passed"), "{sudo:?}: {text}");
    }
}

#[test]
#[ignore = "gives up the privileges of its process: run by the test above"]
fn in_a_process_of_its_own() {
    use std::fs::File;
    use wstap::privilege::{Keep, give_up};
    let Some(secret) = std::env::var_os("WSTAP_TEST_SECRET").map(PathBuf::from) else { return };
    let sudo = std::env::var_os("SUDO_UID").is_some();
    assert!(File::open(&secret).is_ok(), "before, root reads it");
    let output = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(output.path(), sudo.then_some(65_534), None).unwrap();
    let mine = tempfile::tempdir_in("/var/lib").unwrap();
    std::os::unix::fs::chown(mine.path(), sudo.then_some(65_534), None).unwrap();
    let keep = Keep {
        write: vec![output.path().to_owned()],
        make: vec![mine.path().to_owned()],
        read: Vec::new(),
    };
    let left = give_up(&keep).unwrap();
    assert_eq!(left.user, if sudo { 65_534 } else { 0 });
    if !left.sandbox && !sudo {
        eprintln!("skipped: the kernel has no Landlock");
        return;
    }
    let denied = |result: std::io::Result<File>| {
        result.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    assert!(denied(File::open(&secret)), "root's file");
    assert!(denied(File::open("/etc/shadow")), "passwords");
    assert!(denied(File::create("/etc/wstap-was-here")), "a file elsewhere");
    if left.sandbox {
        assert!(denied(File::open("/etc/hostname")), "what anybody may read");
        assert!(Command::new("/bin/true").status().is_err(), "another program");
        assert!(
            TcpStream::connect("127.0.0.1:9")
                .is_err_and(|e| { e.kind() == std::io::ErrorKind::PermissionDenied }),
            "the network"
        );
    }
    // What is needed still goes.
    let made = mine.path().join("saved.pcapng");
    File::options().write(true).create_new(true).open(&made).unwrap();
    if left.sandbox {
        assert!(denied(File::open(&made)), "made, and not to be read");
    }
    File::create(output.path().join("cap.pcapng")).unwrap();
    tempfile::tempfile().unwrap();
}

#[test]
fn in_another_network_namespace_its_own_loopback_is_captured() {
    let name = format!("wstap-{}", std::process::id());
    let ip =
        |args: &[&str]| Command::new("ip").args(args).status().is_ok_and(|status| status.success());
    if !ip(&["netns", "add", &name]) {
        eprintln!("skipped: no network namespace can be made");
        return;
    }
    assert!(ip(&["-n", &name, "link", "set", "lo", "up"]));
    let netns = wstap::capture::Netns::Name(name.clone());
    // Sockets stay in the namespace in which they were made.
    let server = netns.within(echo_server).unwrap();
    let mut wstap = Wstap::start(&["print", "--json", "--netns", &name, "-i", "lo"]);
    let mut found = None;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let (_, _open) = netns.within(|| connect(server)).unwrap();
        let mut lines =
            std::iter::from_fn(|| wstap.lines.recv_timeout(Duration::from_millis(300)).ok());
        let known = |line: &Value| line["process"]["server"]["pid"].is_u64();
        // The first one may come before its processes are known: nothing waits long for that.
        found = lines.find(|line| line["event"] == "handshake" && known(line));
        if found.is_some() || wstap.child.try_wait().unwrap().is_some() {
            break;
        }
    }
    let (_, _, complaints) = wstap.end();
    assert!(ip(&["netns", "delete", &name]));
    let handshake = found.expect(&complaints);
    assert_eq!(handshake["server"], server.to_string());
    assert_eq!(handshake["process"]["server"]["pid"], u64::from(std::process::id()));
}

#[test]
fn in_another_network_namespace_too_it_is_told_that_an_interface_goes_down() {
    let name = format!("wstap-l{}", std::process::id());
    let ip =
        |args: &[&str]| Command::new("ip").args(args).status().is_ok_and(|status| status.success());
    if !ip(&["netns", "add", &name]) {
        eprintln!("skipped: no network namespace can be made");
        return;
    }
    let inside = |args: &str| {
        let args: Vec<&str> = ["-n", &name].into_iter().chain(args.split(' ')).collect();
        assert!(ip(&args), "{args:?}");
    };
    inside("link add wa0 type veth peer name wb0");
    inside("link set wa0 up");
    inside("link set wb0 up");
    let wstap = Wstap::start(&["print", "--json", "--netns", &name, "-i", "wa0"]);
    // It has to be seen up before it can be seen to go down: until then it goes down again and again.
    let begin = Instant::now();
    let told = || wstap.complaints.text.lock().unwrap().contains("is down");
    while !told() && begin.elapsed() < PATIENCE {
        inside("link set wb0 up");
        std::thread::sleep(Duration::from_millis(1500));
        inside("link set wb0 down");
        std::thread::sleep(Duration::from_millis(1500));
    }
    inside("link set wb0 up");
    wstap.complaints.wait_for("is up again");
    let (_, status, complaints) = wstap.end();
    assert!(ip(&["netns", "delete", &name]));
    assert!(complaints.contains("wa0: the interface is down"), "{complaints}");
    assert_eq!(status, 0);
}

#[test]
fn what_is_dropped_is_told_on_screen_and_in_the_file() {
    let server = echo_server();
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = sink.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drops.pcapng");
    let filter = format!("tcp port {} or udp port {}", server.port(), udp.port());
    let file = path.to_str().unwrap();
    let mut wstap =
        Wstap::start(&["print", "--json", "-i", "lo", "-B", "1", "-w", file, "-f", &filter]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    wstap.signal("-STOP");
    let large = vec![0; 20_000];
    for _ in 0..2000 {
        sink.send_to(&large, udp).unwrap();
    }
    wstap.signal("-CONT");
    wstap.complaints.wait_for("packets dropped");
    let (lines, _, complaints) = wstap.end();
    let dropped = capture_line(&lines)["dropped"].as_u64().unwrap();
    assert!(dropped > 500, "{dropped} dropped");
    assert!(complaints.contains(" lo: ") && complaints.contains("packets dropped"), "{complaints}");
    let mut source = wstap::capture::open(
        &[wstap::capture::Input::Path(path)],
        &wstap::limits::Limits::default(),
        &wstap::capture::Options::default(),
    )
    .unwrap();
    while source.next().unwrap().is_some() {}
    assert_eq!(source.summary().dropped, dropped);
}

#[test]
fn it_ends_at_a_match_that_was_waited_for_and_says_what_matched() {
    let server = echo_server();
    let filter = format!("tcp port {}", server.port());
    let mut wstap = Wstap::start(&[
        "print",
        "--json",
        "-i",
        "lo",
        "-f",
        &filter,
        "--stop-on",
        "text == stop",
        "--on-match",
        "text contains \"st\" and dir == c2s and process.pid > 0",
    ]);
    if wstap.wait_until_capturing(server).is_none() {
        return;
    }
    let (_, mut ws) = connect(server);
    ws.send(Message::text("go on")).unwrap();
    // Its process is known by the time of some message at the latest: repeated until it matched.
    let begin = Instant::now();
    while !wstap.complaints.text.lock().unwrap().contains("match: text message c2s ") {
        assert!(begin.elapsed() < PATIENCE, "no match");
        ws.send(Message::text("st")).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    ws.send(Message::text("stop")).unwrap();
    let status = wstap.child.wait().unwrap();
    let lines: Vec<_> = wstap.lines.iter().collect();
    let complaints = wstap.complaints.whole();
    assert!(status.success(), "{complaints}");
    assert!(complaints.contains("match: text message c2s "), "{complaints}");
    let last = lines.iter().rfind(|line| line["event"] == "message").unwrap();
    assert_eq!(last["text"], "stop");
}

#[test]
fn an_interface_that_goes_down_comes_up_and_disappears_is_told_and_the_others_go_on() {
    let ip = |args: &str| {
        Command::new("ip").args(args.split(' ')).status().is_ok_and(|status| status.success())
    };
    let (a, b) = (format!("wa{}", std::process::id()), format!("wb{}", std::process::id()));
    if !ip(&format!("link add {a} type veth peer name {b}")) {
        eprintln!("skipped: no interface can be made");
        return;
    }
    assert!(ip(&format!("link set {a} up")) && ip(&format!("link set {b} up")));
    // It has to be seen up before it can be seen to go down.
    let begin = Instant::now();
    let state = || std::fs::read_to_string(format!("/sys/class/net/{a}/operstate"));
    while state().is_ok_and(|state| state.trim() != "up") {
        assert!(begin.elapsed() < PATIENCE, "{a} does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    let server = echo_server();
    let filter = format!("tcp port {}", server.port());
    let mut wstap = Wstap::start(&["print", "--json", "-i", &a, "-i", "lo", "-f", &filter]);
    assert!(wstap.wait_until_capturing(server).is_some());
    assert!(ip(&format!("link set {a} down")));
    wstap.complaints.wait_for("is down");
    assert!(ip(&format!("link set {a} up")));
    wstap.complaints.wait_for("is up again");
    assert!(ip(&format!("link del {a}")));
    wstap.complaints.wait_for("disappeared");
    let (_, mut ws) = connect(server);
    ws.send(Message::text("still here")).unwrap();
    wstap.wait_for(1, "message after that", |line| line["text"] == "still here");
    let (_, status, complaints) = wstap.end();
    for part in ["is down", "is up again", "disappeared"] {
        assert!(complaints.contains(part), "{part} in {complaints}");
    }
    assert_eq!(status, 2, "not all that was asked for was captured");
}
