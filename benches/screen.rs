//! The terminal UI over 1,000,000 messages of 20 connections: a frame, a key to the screen, a filter's
//! first results; and what a row costs.

#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark, not a library"
)]

use std::cell::RefCell;
use std::net::SocketAddr;

use divan::{Bencher, black_box};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use wstap::event::{ConnInfo, Cx, Event, Frame, Message, MessageKind, Opcode, Payload, Sink};
use wstap::tui::action::{Action, Motion, View};
use wstap::tui::app::App;
use wstap::tui::load::Load;
use wstap::tui::theme::Palette;
use wstap::units::{
    ConnKey, Direction, FlowId, FrameNo, MessageNo, Origin, PacketNo, StreamNo, Timestamp,
};

const MESSAGES: u64 = 1_000_000;
const CONNECTIONS: u64 = 20;

thread_local! {
    /// Loaded once: the benchmarks move in it.
    static APP: RefCell<App> = RefCell::new(app());
}

fn main() {
    let before = resident();
    APP.with(|_| ());
    let grown = resident().saturating_sub(before);
    println!("{MESSAGES} messages: {:.1} bytes of memory each", grown as f64 / MESSAGES as f64);
    divan::main();
}

/// Bytes of memory that this program has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}

fn app() -> App {
    let (mut writer, reader) = wstap::store::new().expect("a temporary file");
    for n in 0..MESSAGES {
        let conn = n % CONNECTIONS + 1;
        let info = ConnInfo {
            key: ConnKey { flow: FlowId(PacketNo(conn)), nth: 0 },
            stream: StreamNo(conn - 1),
            client: SocketAddr::from(([127, 0, 0, 1], 40_000 + conn as u16)),
            server: SocketAddr::from(([127, 0, 0, 1], 8088)),
            tls: None,
            h2_stream: None,
        };
        let time = Timestamp(1_795_363_200_000_000_000 + n as i64 * 40_000);
        let origin = Origin { packet: PacketNo(n + 1), time: Some(time) };
        let dir = Direction::BOTH[(n % 2) as usize];
        let text = format!(r#"{{"type":"quote","seq":{n},"price":{}.25,"venue":"XNYS"}}"#, n % 977);
        let len = text.len() as u64;
        let cx = Cx { conn: &info, origin };
        let frame = Frame {
            dir,
            no: FrameNo(n / CONNECTIONS + 1),
            fin: true,
            rsv: 0,
            opcode: Opcode::Text,
            mask: None,
            len,
            header_len: 2,
            begin: origin,
            payload: text.as_bytes(),
            complete: true,
            notes: &[],
        };
        let message = Message {
            dir,
            no: MessageNo(n / CONNECTIONS + 1),
            kind: MessageKind::Text,
            len,
            wire_len: len,
            frames: 1,
            compressed: false,
            complete: true,
            begin: origin,
            payload: Payload::Text(&text),
            close_code: None,
            close_reason: None,
            notes: &[],
        };
        let _ = writer.event(&cx, &Event::Frame(&frame));
        let _ = writer.event(&cx, &Event::Message(&message));
    }
    let mut app = App::new(reader, "quotes.pcapng", false, Palette::Dark).expect("a thread");
    app.load = Load { packets: MESSAGES, done: true, ..Load::default() };
    app.update(Action::Show(View::Messages));
    app
}

fn terminal() -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(200, 60)).expect("a terminal in memory")
}

fn show(app: &mut App, terminal: &mut Terminal<TestBackend>) {
    app.refresh();
    terminal.draw(|frame| wstap::tui::view::draw(frame, app)).expect("a terminal in memory");
}

/// A frame in which nothing has changed.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn frame(bencher: Bencher<'_, '_>) {
    APP.with_borrow_mut(|app| {
        let mut terminal = terminal();
        bencher.bench_local(|| show(app, &mut terminal));
    });
}

/// A key that moves, of five in turn, until it is on the screen.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn key_to_screen(bencher: Bencher<'_, '_>) {
    const MOTIONS: [Motion; 5] =
        [Motion::Down, Motion::PageDown, Motion::Bottom, Motion::Top, Motion::PageUp];
    let mut motions = MOTIONS.iter().cycle();
    APP.with_borrow_mut(|app| {
        let mut terminal = terminal();
        bencher.bench_local(|| {
            app.update(Action::Move(*motions.next().expect("endless")));
            show(app, &mut terminal);
        });
    });
}

/// From the Enter behind a filter over payloads to its first row on the screen.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn filter_first_results(bencher: Bencher<'_, '_>) {
    APP.with_borrow_mut(|app| {
        let mut terminal = terminal();
        bencher.bench_local(|| {
            app.apply_filter("json.price > 900");
            show(app, &mut terminal);
            while app.listed() == 0 {
                show(app, &mut terminal);
            }
            black_box(app.listed())
        });
        app.apply_filter("");
    });
}
