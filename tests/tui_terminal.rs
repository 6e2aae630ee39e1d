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

use std::process::{Command, Output};
use std::time::{Duration, Instant};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/graphql-ws.pcapng");

/// A tmux server of its own, ended when dropped.
struct Tmux {
    socket: String,
}

impl Tmux {
    /// Starts a shell; `None`, with a message, without tmux.
    fn start(name: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: tmux is not installed, and this test needs a terminal");
            return None;
        }
        let tmux = Self { socket: format!("wstap-{name}-{}", std::process::id()) };
        tmux.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh"]);
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
            assert!(begin.elapsed() < Duration::from_secs(20), "no {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn format(&self, format: &str) -> String {
        let out = self.tmux(&["display-message", "-p", format]).stdout;
        String::from_utf8(out).unwrap().trim().to_owned()
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
    let shell = tmux.format("#{pane_pid}");
    let child = Command::new("pgrep").args(["-P", &shell]).output().unwrap().stdout;
    let child = String::from_utf8(child).unwrap();
    assert!(Command::new("kill").arg(child.trim()).status().unwrap().success());
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
