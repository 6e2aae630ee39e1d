//! Nothing from the network reaches a terminal raw: every byte, and every family of escape sequences,
//! through everything that is shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::large_stack_arrays,
    clippy::similar_names,
    clippy::items_after_statements,
    clippy::format_collect,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use sha1::Digest as _;
use wstap::capture::{
    self, Input, Interface, InterfaceId, LinkType, PacketRecord, PacketSource as _, PcapngWriter,
};
use wstap::limits::Limits;
use wstap::pipeline::Pipeline;
use wstap::sink::escape::is_unsafe;
use wstap::tui;
use wstap::tui::action::{Action, Motion, View};
use wstap::tui::app::App;
use wstap::tui::load::Load;
use wstap::tui::theme::Palette;
use wstap::units::{FileOffset, PacketNo, Timestamp};

/// What terminals act on, a family each, and what fools the eye.
fn sequences() -> Vec<Vec<u8>> {
    let families: [&[u8]; 30] = [
        b"\x1b[31mCSI: colour\x1b[0m",
        b"\x1b[2J\x1b[HCSI: clear",
        b"\x1b[?1049h\x1b[?25lCSI: private modes",
        b"\x1b[6nCSI: report",
        b"\x1b[200~CSI: bracketed paste\x1b[201~",
        b"\x1b]0;OSC: title\x07",
        b"\x1b]8;;http://example.com\x1b\\OSC: link\x1b]8;;\x1b\\",
        b"\x1b]52;c;b3duZWQ=\x07OSC: clipboard",
        b"\x1b]1337;File=inline=1:AAAA\x07OSC: picture",
        b"\x1bP$q\"p\x1b\\DCS",
        b"\x1bP1;1|17/ab\x9cDCS: keys",
        b"\x1b_APC\x1b\\",
        b"\x1b^PM\x1b\\",
        b"\x1bXSOS\x1b\\",
        b"\x1bcRIS",
        b"\x1b(0charset\x1b(B",
        b"\x1b#8alignment",
        b"\x1bN\x1bO\x1b=\x1b>\x1b7\x1b8",
        b"\x0e\x0fSO, SI",
        b"\x08\x08\x08backspaces\x7f\x7f",
        b"\x9b31mC1 CSI, raw",
        b"\x90\x9c\x9d\x9e\x9fC1 strings, raw",
        b"\xc2\x9b31mC1 CSI, UTF-8",
        b"\xc2\x9d0;C1 OSC, UTF-8\xc2\x9c",
        b"\xe2\x80\xae bidi override \xe2\x80\xac \xe2\x81\xa6 isolate \xe2\x81\xa9",
        b"\xe2\x80\xa8 line \xe2\x80\xa9 paragraph",
        b"\xef\xbb\xbf BOM \xe2\x80\x8b zero width \xe2\x80\x8d joiner",
        b"\xf3\xa0\x81\xa1 tag \xf3\xa0\x80\x81",
        b"a\tb\x0bc\x0cd",
        b"\xff\xfe\xc0\xafnot UTF-8\xed\xa0\x80",
    ];
    let mut all: Vec<Vec<u8>> = families.iter().map(|family| family.to_vec()).collect();
    // Every byte, eight at a time, each behind an ESC too.
    for first in (0..=255_u8).step_by(8) {
        let plain: Vec<u8> = (first..=first + 7).collect();
        let escaped = plain.iter().flat_map(|byte| [0x1b, *byte]).collect();
        all.extend([plain, escaped]);
    }
    // And every control character of C1, as UTF-8.
    all.push((0x80..=0x9f).flat_map(|byte| [0xc2, byte]).collect());
    all
}

/// A capture that is written packet by packet.
struct Net {
    writer: PcapngWriter<Vec<u8>>,
    packet: u64,
}

impl Net {
    fn send(&mut self, port: u16, up: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        let ends = [(Ipv4Addr::new(10, 0, 0, 1), port), (Ipv4Addr::new(10, 0, 0, 2), 80)];
        let [src, dst] = if up { ends } else { [ends[1], ends[0]] };
        let total = u16::try_from(40 + payload.len()).unwrap();
        let mut b = vec![0x45, 0];
        b.extend(total.to_be_bytes());
        b.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        b.extend(src.0.octets());
        b.extend(dst.0.octets());
        b.extend(src.1.to_be_bytes());
        b.extend(dst.1.to_be_bytes());
        b.extend(seq.to_be_bytes());
        b.extend(ack.to_be_bytes());
        b.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        b.extend(payload);
        self.packet += 1;
        let record = PacketRecord {
            no: PacketNo(self.packet),
            at: FileOffset(0),
            time: Some(Timestamp(
                1_700_000_000_000_000_000 + i64::try_from(self.packet).unwrap() * 1_000_000,
            )),
            link: LinkType(101),
            interface: InterfaceId::default(),
            orig_len: total.into(),
            bytes: &b,
        };
        self.writer.write_commented(&record, &["\x1b]0;comment\x07\u{9b}31m"]).unwrap();
    }

    /// A connection in which everything says `evil`; `status` is what the server answers.
    fn connection(&mut self, port: u16, evil: &[u8], status: u16, leg: &[u8]) {
        let inline: Vec<u8> =
            evil.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let dense: Vec<u8> = inline.iter().copied().filter(|byte| *byte != b' ').collect();
        let key = base64::engine::general_purpose::STANDARD
            .encode([u128::from(port).to_be_bytes()].concat());
        let digest = sha1::Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        let accept = base64::engine::general_purpose::STANDARD.encode(digest);
        let request = [
            b"GET /",
            dense.as_slice(),
            b" HTTP/1.1\r\nHost: ",
            &inline,
            leg,
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: ",
            key.as_bytes(),
            b"\r\nSec-WebSocket-Protocol: chat, ",
            &inline,
            leg,
            b"\r\nSec-WebSocket-Extensions: ",
            &inline,
            leg,
            b"\r\nOrigin: ",
            &inline,
            leg,
            b"\r\nVia: ",
            &inline,
            leg,
            b"\r\nX-",
            &dense,
            b": name\r\nUser-Agent: ",
            &inline,
            b"\r\n\r\n",
        ]
        .concat();
        let response = [
            b"HTTP/1.1 ",
            status.to_string().as_bytes(),
            b" ",
            &inline,
            leg,
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
            accept.as_bytes(),
            b"\r\nServer: ",
            &inline,
            leg,
            b"\r\nSec-WebSocket-Protocol: ",
            &inline,
            leg,
            b"\r\nLocation: ",
            &inline,
            b"\r\nContent-Length: 0\r\n\r\n",
        ]
        .concat();
        let reason: Vec<u8> = [b"\x03\xe8", evil, leg].concat().into_iter().take(125).collect();
        let text = [evil, leg].concat();
        let mut frames = Vec::new();
        for (first, payload) in
            [(0x81, text.as_slice()), (0x82, &text), (0x89, &text), (0x8a, &text), (0x88, &reason)]
        {
            frames.push(first);
            frames.push(u8::try_from(payload.len()).unwrap());
            frames.extend(payload);
        }
        self.send(port, true, 2, 0, 0, b"");
        self.send(port, false, 0x12, 0, 1, b"");
        self.send(port, true, 0x18, 1, 1, &request);
        let client = 1 + u32::try_from(request.len()).unwrap();
        self.send(port, false, 0x18, 1, client, &response);
        let server = 1 + u32::try_from(response.len()).unwrap();
        if status == 101 {
            self.send(port, false, 0x18, server, client, &frames);
            let end = server + u32::try_from(frames.len()).unwrap();
            self.send(port, false, 0x11, end, client, b"");
        }
    }
}

/// A capture with all sequences everywhere; what stands in `leg` tells two such captures apart.
fn evil_capture(leg: &[u8]) -> Vec<u8> {
    let mut net = Net { writer: PcapngWriter::new(Vec::new()).unwrap(), packet: 0 };
    let interface = Interface {
        name: Some("\x1b]0;interface\x07\u{202e}".to_owned()),
        ..Interface::new(LinkType(101))
    };
    net.writer.interface(InterfaceId::default(), &interface).unwrap();
    let mut port = 10_000;
    for evil in sequences() {
        for status in [101, 403] {
            port += 1;
            net.connection(port, &evil, status, leg);
        }
    }
    net.writer.finish(&[interface]).unwrap()
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Runs wstap; what it wrote, to both outputs.
fn wstap(args: &[&str], inputs: &[&Path]) -> [String; 2] {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wstap")).args(args).args(inputs).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 3), "{args:?}: {:?}", output.status);
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap_or_else(|e| panic!("{args:?}: {e}")))
}

/// No control character but line ends and, with colour, SGR sequences; nothing that fools the eye.
fn assert_harmless(text: &str, colour: bool, args: &[&str]) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c != '\n' && (is_unsafe(c) || c.is_control())) {
        let sgr = rest[at..].strip_prefix("\x1b[").and_then(|found| found.split_once('m'));
        match sgr {
            Some((codes, behind))
                if colour && codes.bytes().all(|b| b.is_ascii_digit() || b == b';') =>
            {
                rest = behind;
            }
            _ => {
                let from = rest[..at].rfind('\n').map_or(0, |lf| lf + 1);
                let line = rest[from..].lines().next().unwrap_or_default();
                panic!("{args:?}: {:?} in {line:?}", rest[at..].chars().next());
            }
        }
    }
}

#[test]
fn nothing_raw_comes_out_of_any_command() {
    let dir = tempfile::tempdir().unwrap();
    let one = file(dir.path(), "one.pcapng", &evil_capture(b""));
    let two = file(dir.path(), "two.pcapng", &evil_capture(b" \x1b[7mother\xc2\x9b1m"));
    let whole = std::fs::read(&one).unwrap();
    let cut = file(dir.path(), "cut\x1b]0;name\x07\u{202e}.pcapng", &whole[..whole.len() - 7]);
    let text = file(dir.path(), "\u{9b}31mtext.pcap", b"\x1b[31mno capture\x1b[0m\n");
    let runs: [(&[&str], &[&Path]); 19] = [
        (&["print"], &[&one]),
        (&["print", "-v"], &[&one]),
        (&["print", "-q"], &[&one]),
        (&["print", "--frames", "-v"], &[&one]),
        (&["print", "--color", "always", "-v", "--frames"], &[&one]),
        (&["print", "--json", "--frames"], &[&one]),
        (&["print", "-Y", "text contains \"31m\" or data"], &[&one]),
        (&["print"], &[&cut]),
        (&["print"], &[&text]),
        (&["check"], &[&one]),
        (&["check", "-v", "--color", "always"], &[&one]),
        (&["check", "--json"], &[&one]),
        (&["check"], &[&cut]),
        (&["stats"], &[&one]),
        (&["stats", "--json"], &[&one]),
        (&["diff"], &[&one, &two]),
        (&["diff", "-v", "--color", "always"], &[&one, &two]),
        (&["diff", "--json"], &[&one, &two]),
        (&["diff"], &[&one, &cut]),
    ];
    for (args, inputs) in runs {
        let [stdout, stderr] = wstap(args, inputs);
        let colour = args.contains(&"always");
        assert_harmless(&stdout, colour, args);
        assert_harmless(&stderr, colour, args);
        if inputs[0] != text.as_path() {
            assert!(stdout.lines().count() > 20, "{args:?} shows next to nothing: {stdout}");
            let few = args.contains(&"-q") || args[0] == "stats";
            assert!(stdout.contains("31m") || few, "{args:?}: nothing evil in it");
        }
    }
}

#[test]
fn nothing_raw_is_drawn_in_the_terminal_ui() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "ui\x1b]0;name\x07\u{202e}.pcapng", &evil_capture(b""));
    let (limits, inputs) = (Limits::default(), [Input::Path(path.clone())]);
    let mut source = capture::open(&inputs, &limits, &capture::Options::default()).unwrap();
    let (writer, reader) = wstap::store::new().unwrap();
    let mut pipeline = Pipeline::new(writer, limits);
    while let Some(record) = source.next().unwrap() {
        assert!(pipeline.push(&record).is_continue());
    }
    let (_, totals) = pipeline.finish();
    let mut app = App::new(reader, &path.to_string_lossy(), false, Palette::Dark).unwrap();
    app.load = Load { packets: totals.packets, done: true, ..Load::default() };
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let mut evil = false;
    let mut look = |app: &mut App| {
        app.refresh();
        terminal.draw(|frame| tui::view::draw(frame, app)).unwrap();
        let cells = terminal.backend().buffer().content();
        for symbol in cells.iter().map(ratatui::buffer::Cell::symbol) {
            assert!(!symbol.chars().any(|c| is_unsafe(c) || c.is_control()), "{symbol:?}");
        }
        let screen: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        evil |= screen.contains("31m");
    };
    for view in
        [View::Connections, View::Handshake, View::Sequence, View::Statistics, View::Messages]
    {
        app.update(Action::Show(View::Connections));
        app.update(Action::Move(Motion::Top));
        app.update(Action::Show(view));
        look(&mut app);
        for _ in 0..sequences().len() * if view == View::Messages { 5 } else { 1 } {
            // To the next row, or to the next connection and back to what is shown of it.
            if !matches!(view, View::Connections | View::Messages) {
                app.update(Action::Show(View::Connections));
            }
            app.update(Action::Move(Motion::Down));
            app.update(Action::Show(view));
            look(&mut app);
        }
    }
    assert!(evil, "nothing evil was on any screen");
}

#[test]
fn what_could_not_be_done_is_told_without_raw_characters() {
    for args in [
        &["explain", "\x1b[31mno-such-note"][..],
        &["print", "/no/such\x1b]0;title\x07/file"],
        &["print", "-Y", "text == \x1b[31m", "-"],
        &["print", "-Y", "\u{202e}\u{9b}x == 3", "-"],
    ] {
        let [stdout, stderr] = wstap(args, &[]);
        assert_harmless(&stdout, false, args);
        assert_harmless(&stderr, false, args);
        assert!(!stderr.is_empty());
    }
}
