//! The real program in a real terminal: start, filter, resize, quit, kill. The terminal is tmux's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::large_stack_arrays,
    clippy::similar_names,
    reason = "a test may fail loudly, in its helpers too"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/graphql-ws.pcapng");

/// A tmux server of its own, ended when dropped.
struct Tmux {
    socket: String,
    /// Where its shell is.
    folder: tempfile::TempDir,
}

impl Tmux {
    /// Starts a shell; `None`, with a message, without tmux.
    fn start(name: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: tmux is not installed, and this test needs a terminal");
            return None;
        }
        // Not where temporary files may be made anyway.
        let target = std::path::Path::new(env!("CARGO_BIN_EXE_wstap")).parent().unwrap();
        let folder = tempfile::tempdir_in(target).unwrap();
        let tmux = Self { socket: format!("wstap-{name}-{}", std::process::id()), folder };
        let here = tmux.folder.path().to_str().unwrap();
        tmux.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
            "-c",
            here,
            "sh",
        ]);
        tmux.keys(&["PS1='$ '", "Enter", "clear", "Enter"]);
        Some(tmux)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.socket]).args(args).output().unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn run(&self, arguments: &str) {
        self.keys(&[&format!("{} {arguments}", env!("CARGO_BIN_EXE_wstap")), "Enter"]);
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// Waits until the screen is as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "no {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn format(&self, format: &str) -> String {
        let out = self.tmux(&["display-message", "-p", format]).stdout;
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    /// The program that was started last.
    fn program(&self) -> String {
        let shell = self.format("#{pane_pid}");
        let child = Command::new("pgrep").args(["-P", &shell]).output().unwrap().stdout;
        String::from_utf8(child).unwrap().trim().to_owned()
    }

    /// The shell has its terminal back as it was: no alternate screen, echo, a cursor, no mouse.
    fn is_sane(&self) {
        self.wait("prompt", |screen| screen.trim_end().ends_with('$'));
        assert_eq!(self.format("#{alternate_on}#{mouse_any_flag}#{cursor_flag}"), "001");
        self.keys(&["stty -a", "Enter"]);
        self.wait("echo", |screen| screen.contains(" echo ") && screen.contains(" icanon "));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn it_starts_filters_resizes_and_quits() {
    let Some(tmux) = Tmux::start("quit") else { return };
    tmux.run(SAMPLE);
    tmux.wait("connections", |screen| screen.contains("/grap") && screen.contains("F1 Help"));
    tmux.keys(&["2"]);
    tmux.wait("messages", |screen| screen.contains("connection_init"));
    tmux.keys(&["/"]);
    tmux.keys(&["-l", "kind == close"]);
    tmux.keys(&["Enter"]);
    tmux.wait("filtered messages", |screen| {
        screen.contains("/ kind == close") && !screen.contains("connection_init")
    });
    tmux.tmux(&["resize-window", "-x", "20", "-y", "5"]);
    tmux.wait("small screen", |screen| screen.contains("close") && screen.lines().count() <= 5);
    tmux.tmux(&["resize-window", "-x", "200", "-y", "50"]);
    tmux.wait("large screen", |screen| screen.contains("Fields") && screen.contains("Bytes of"));
    tmux.keys(&["q"]);
    tmux.is_sane();
}

#[test]
fn the_legs_of_a_proxy_are_compared() {
    let Some(tmux) = Tmux::start("legs") else { return };
    tmux.run(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/evil-rewrite.pcapng"));
    tmux.wait("marked legs", |screen| screen.contains("≠    2"));
    tmux.keys(&["d"]);
    tmux.wait("legs", |screen| {
        screen.contains("Legs of connections 2 → 1") && screen.contains("9 same, 1 changed")
    });
    tmux.keys(&["]"]);
    tmux.wait("the difference", |screen| screen.contains("! pay alice 100"));
    tmux.keys(&["e"]);
    tmux.wait("its meaning", |screen| screen.contains("What to do") || screen.contains("Who"));
    tmux.keys(&["Escape"]);
    // Together the two keys would be Alt with the second.
    tmux.wait("the difference again", |screen| screen.contains("! pay alice 100"));
    tmux.keys(&[">"]);
    tmux.wait("the message on the server leg", |screen| {
        screen.contains("connection 1, row 6") && screen.contains("pay mallory 100")
    });
    tmux.keys(&[":"]);
    tmux.keys(&["-l", "compare 5 6"]);
    tmux.keys(&["Enter"]);
    tmux.wait("two messages", |screen| screen.contains("1 line differs, as text"));
    tmux.keys(&["q"]);
    tmux.is_sane();
}

#[test]
fn a_kill_leaves_the_terminal_sane() {
    let Some(tmux) = Tmux::start("kill") else { return };
    tmux.run(SAMPLE);
    tmux.wait("connections", |screen| screen.contains("F1 Help"));
    assert!(Command::new("kill").arg(tmux.program()).status().unwrap().success());
    tmux.is_sane();
}

#[test]
fn what_came_from_a_pipe_is_followed_and_asked_for() {
    let Some(tmux) = Tmux::start("pipe") else { return };
    tmux.keys(&[&format!("(cat {SAMPLE}; sleep 60) | {} -", env!("CARGO_BIN_EXE_wstap")), "Enter"]);
    tmux.wait("connections", |screen| screen.contains("3 connections"));
    tmux.keys(&["q"]);
    tmux.wait("question", |screen| screen.contains("saved nowhere"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.pcapng");
    tmux.keys(&["S"]);
    tmux.wait("file name", |screen| screen.contains("Save all packets to"));
    tmux.keys(&["C-u"]);
    tmux.keys(&["-l", path.to_str().unwrap()]);
    tmux.keys(&["Enter"]);
    // The typed path has the word too.
    tmux.wait("saved", |screen| screen.contains(" saved 61 packets to "));
    tmux.keys(&["q"]);
    tmux.wait("prompt", |_| tmux.format("#{alternate_on}") == "0");
    let again = Command::new(env!("CARGO_BIN_EXE_wstap")).arg("print").arg(&path).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stdout).contains("connection_init"));
}

#[test]
fn what_can_not_be_read_is_told_on_the_screen_and_not_written_over_it() {
    let Some(tmux) = Tmux::start("cut") else { return };
    let bytes = std::fs::read(SAMPLE).unwrap();
    std::fs::write(tmux.folder.path().join("cut.pcapng"), &bytes[..bytes.len() - 30]).unwrap();
    tmux.run("cut.pcapng");
    tmux.wait("connections", |screen| screen.contains("3 connections"));
    // Nothing says that nothing comes any more.
    std::thread::sleep(Duration::from_millis(500));
    let screen = tmux.screen();
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with(" wstap  1 Conns"), "{screen}");
    assert!(lines[2].starts_with("╭ Connections"), "{screen}");
    tmux.keys(&["q"]);
    tmux.wait("prompt", |_| tmux.format("#{alternate_on}") == "0");
    // When the screen is gone, as print says it.
    tmux.keys(&["echo status $?", "Enter"]);
    let screen = tmux.wait("status", |screen| screen.contains("status 2"));
    assert!(screen.contains("wstap: cut.pcapng: "), "{screen}");
}

/// A server that answers every text with the same, and a client of it.
struct Peers {
    port: u16,
}

impl Peers {
    /// `None`, with a message, where this user may not capture.
    fn start() -> Option<Self> {
        let listed = Command::new(env!("CARGO_BIN_EXE_wstap"))
            .args(["interfaces", "--json"])
            .output()
            .unwrap()
            .stdout;
        let lo = "\"name\":\"lo\"";
        let listed = String::from_utf8(listed).unwrap();
        if !listed.lines().any(|line| line.contains(lo) && line.contains("\"problem\":null")) {
            println!("skipped: this user may not capture on lo");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let Ok(mut ws) = tungstenite::accept(stream) else { return };
                    while let Ok(message) = ws.read() {
                        if message.is_text() && ws.send(message).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Some(Self { port })
    }

    fn connect(&self) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tungstenite::client(format!("ws://127.0.0.1:{}/live", self.port), stream).unwrap().0
    }
}

fn say(ws: &mut WebSocket<TcpStream>, text: &str) {
    ws.send(Message::text(text)).unwrap();
    assert_eq!(ws.read().unwrap().to_text().unwrap(), text);
}

/// All threads of a process have given up what there was to give up.
fn assert_has_no_privileges(pid: &str) {
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        // One that ends meanwhile has nothing any more.
        let Ok(status) = std::fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        for line in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            let sets = format!("{line}\t0000000000000000\n");
            assert!(status.contains(&sets), "{line} of {status}");
        }
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        threads += 1;
    }
    assert!(threads >= 5, "drawing, loading, capture, and two that look for rows: {threads}");
}

#[test]
fn an_interface_is_chosen_and_shown_live_paused_and_asked_for() {
    let (Some(tmux), Some(peers)) = (Tmux::start("choose"), Peers::start()) else { return };
    tmux.run("");
    tmux.wait("choice", |s| s.contains("Choose what to capture on") && s.contains("up, loopback"));
    tmux.keys(&["/"]);
    tmux.keys(&["-l", &format!("tcp prot {}", peers.port)]);
    tmux.wait("fault in the filter", |screen| screen.contains("can't parse"));
    tmux.keys(&["C-u"]);
    tmux.keys(&["-l", &format!("tcp port {}", peers.port)]);
    tmux.keys(&["Enter"]);
    let filter = format!("Capture filter: tcp port {}", peers.port);
    tmux.wait("filter", |screen| screen.contains(&filter) && screen.contains("Enter Start"));
    tmux.keys(&["Enter"]);
    tmux.wait("capture", |screen| screen.contains("Waiting for an upgrade on lo"));
    let mut ws = peers.connect();
    tmux.wait("connection", |screen| screen.contains("accepted"));
    assert_has_no_privileges(&tmux.program());
    tmux.keys(&["3"]);
    tmux.wait("processes", |s| s.contains("client process") && s.contains("server process"));
    tmux.keys(&["2"]);
    say(&mut ws, "the first");
    tmux.wait("message", |screen| screen.contains("the first") && screen.contains("following"));
    tmux.keys(&["P"]);
    tmux.wait("pause", |screen| screen.contains("PAUSED"));
    say(&mut ws, "the second");
    let held = tmux.wait("held packets", |screen| {
        screen.contains(" held") && !screen.contains("PAUSED, 0 packets held")
    });
    assert!(!held.contains("the second"), "{held}");
    tmux.keys(&["P"]);
    tmux.wait("what was held", |screen| screen.contains("the second"));
    tmux.keys(&["C-l"]);
    tmux.wait("empty list", |screen| !screen.contains("the second"));
    say(&mut ws, "the third");
    tmux.wait("what came since", |s| s.contains("the third") && !s.contains("the first"));
    // Elsewhere than where it was started nothing is written, and it is said where.
    for (name, wanted) in
        [("/etc/wstap-was-here.pcapng", "while capturing only in"), ("here.pcapng", "saved ")]
    {
        tmux.keys(&["S"]);
        tmux.wait("file name", |screen| screen.contains("Save as pcapng to"));
        tmux.keys(&["C-u"]);
        tmux.keys(&["-l", name]);
        tmux.keys(&["Enter"]);
        tmux.wait("answer", |screen| screen.contains(wanted));
    }
    let saved = std::fs::read(tmux.folder.path().join("here.pcapng")).unwrap();
    let saved = String::from_utf8_lossy(&saved);
    assert!(saved.contains("wstap: client process ") && saved.contains("wstap: server process "));
    tmux.keys(&["q"]);
    tmux.wait("question", |screen| screen.contains("saved nowhere"));
    tmux.keys(&["Escape"]);
    tmux.wait("list again", |screen| !screen.contains("saved nowhere"));
    tmux.keys(&["q"]);
    tmux.wait("question again", |screen| screen.contains("saved nowhere"));
    tmux.keys(&["q"]);
    tmux.is_sane();
}

#[test]
fn who_chooses_and_whose_terminal_goes_leaves_nothing_running() {
    let Some(tmux) = Tmux::start("gone") else { return };
    tmux.run("");
    tmux.wait("choice", |screen| screen.contains("Choose what to capture on"));
    let program = tmux.program();
    tmux.tmux(&["kill-server"]);
    let begin = Instant::now();
    let runs = || std::path::Path::new("/proc").join(&program).exists();
    while runs() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{program} still runs");
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn a_live_capture_is_saved_rotated_and_stopped_as_print_does_it() {
    let (Some(tmux), Some(peers)) = (Tmux::start("write"), Peers::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.pcapng");
    let port = peers.port;
    tmux.run(&format!(
        "-i lo -w {} -b packets:5 --stop-on 'text == stop' tcp port {port}",
        path.display()
    ));
    tmux.wait("capture", |screen| screen.contains("Waiting for an upgrade on lo"));
    let mut ws = peers.connect();
    for text in ["one", "two", "stop"] {
        say(&mut ws, text);
    }
    tmux.wait("end", |screen| screen.contains("ended"));
    tmux.keys(&["q"]);
    tmux.is_sane();
    let mut files: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 1, "{files:?}");
    let out = Command::new(env!("CARGO_BIN_EXE_wstap")).arg("print").args(&files).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("one") && text.contains("two") && text.contains("stop"), "{text}");
    assert!(text.contains("client ") && text.contains("server "), "whose sockets: {text}");
}

#[test]
fn what_comes_after_a_save_is_asked_for_too() {
    let (Some(tmux), Some(peers)) = (Tmux::start("again"), Peers::start()) else { return };
    tmux.run(&format!("-i lo tcp port {}", peers.port));
    tmux.wait("capture", |screen| screen.contains("Waiting for an upgrade on lo"));
    let mut ws = peers.connect();
    say(&mut ws, "one");
    tmux.wait("connection", |screen| screen.contains("accepted"));
    tmux.keys(&["q"]);
    tmux.wait("question", |screen| screen.contains("are saved nowhere"));
    tmux.keys(&["S"]);
    tmux.wait("file name", |screen| screen.contains("Save all packets to: wstap.pcapng"));
    tmux.keys(&["Enter"]);
    tmux.wait("saved", |screen| screen.contains("saved ") && screen.contains("to wstap.pcapng"));
    say(&mut ws, "two");
    tmux.keys(&["i"]);
    // How many there are is told now and then.
    tmux.wait("more than what is saved", |screen| {
        let packets = |what: &str| {
            let line = screen.lines().find(|line| line.contains(what))?;
            line.split_whitespace().find_map(|word| word.parse::<u64>().ok())
        };
        packets("Seen ").zip(packets("Saved ")).is_some_and(|(seen, saved)| seen > saved)
    });
    tmux.keys(&["Escape"]);
    tmux.keys(&["q"]);
    tmux.wait("question again", |screen| screen.contains("The last"));
    tmux.keys(&["q"]);
    tmux.is_sane();
}

#[test]
fn a_file_that_grows_is_followed() {
    let Some(tmux) = Tmux::start("follow") else { return };
    let sample = std::fs::read(SAMPLE).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grows.pcapng");
    let (first, rest) = sample.split_at(sample.len() / 3);
    std::fs::write(&path, first).unwrap();
    tmux.run(&format!("-F {}", path.display()));
    tmux.wait("connection", |screen| {
        screen.contains("1 connection") && screen.contains("accepted")
    });
    tmux.keys(&["2"]);
    let screen = tmux.wait("messages", |screen| screen.contains("following"));
    assert!(screen.contains("● grow") && !screen.contains("loading"), "{screen}");
    tmux.keys(&["1"]);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, rest).unwrap();
    tmux.wait("the rest", |screen| screen.contains("3 connections"));
    // It is there without wstap: nothing is asked.
    tmux.keys(&["q"]);
    tmux.is_sane();
}

#[test]
fn killed_it_leaves_its_recording_where_it_said() {
    let (Some(tmux), Some(peers)) = (Tmux::start("kill9"), Peers::start()) else { return };
    tmux.tmux(&["resize-window", "-x", "120", "-y", "30"]);
    tmux.run(&format!("-i lo tcp port {}", peers.port));
    tmux.wait("capture", |screen| screen.contains("Waiting for an upgrade on lo"));
    let mut ws = peers.connect();
    say(&mut ws, "not lost");
    tmux.keys(&["2"]);
    tmux.wait("message", |screen| screen.contains("not lost"));
    tmux.keys(&["i"]);
    let screen = tmux.wait("place", |screen| screen.contains("Recorded"));
    let path = screen.split_whitespace().find(|word| word.ends_with(".pcapng,")).unwrap();
    let path = path.trim_end_matches(',');
    // Written out as soon as nothing comes.
    let begin = Instant::now();
    let print = || {
        let out = Command::new(env!("CARGO_BIN_EXE_wstap")).arg("print").arg(path).output();
        String::from_utf8_lossy(&out.unwrap().stdout).into_owned()
    };
    while !print().contains("not lost") {
        assert!(begin.elapsed() < Duration::from_secs(60), "{}", print());
    }
    assert!(Command::new("kill").args(["-9", &tmux.program()]).status().unwrap().success());
    // The shell never left its own screen for good: what was said before is there.
    tmux.keys(&["printf '\\033[?1049l'; stty sane", "C-j"]);
    tmux.wait("what was said", |screen| screen.contains("recording to"));
    assert!(print().contains("not lost"));
    std::fs::remove_file(path).unwrap();
}
