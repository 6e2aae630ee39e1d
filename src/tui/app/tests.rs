//! Whole screens, driven by actions, as a terminal would show them.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::event::{MessageKind, Payload};
use crate::note::{Blame, Note, NoteCode};
use crate::store::testing::Play;
use crate::tui::action::{Copied, Mouse};
use crate::tui::edit::Edit;
use crate::units::Direction::{ToClient, ToServer};

/// A session with a bit of everything.
fn play() -> Play {
    let mut play = Play::new();
    play.open(1, "/chat?room=7");
    play.text(1, ToServer, r#"{"type":"subscribe","channel":"prices","id":12345678901234567890}"#);
    play.text(1, ToClient, r#"{"type":"ack","id":1,"tags":["a","b"],"user":{"name":"Zoë","日本":null}}"#);
    play.fragments(1, ToClient, &["Hello, ", "wide 世界 and ", "\x1b[31mred\x07"]);
    play.control(1, ToServer, MessageKind::Ping, b"7");
    play.control(1, ToClient, MessageKind::Pong, b"7");
    play.open_with_key(2, "/feed", "AQIDBAUGBwgJCgsMDQ4PEC==");
    play.message(2, ToClient, MessageKind::Binary, Payload::Data(&[0x82, 0xa7, 0, 0xc3, 0x28]), &[]);
    play.gap(2, ToClient, 1460);
    let note = Note::new(
        NoteCode::ClientUnmasked,
        Blame::Client,
        "client frame 1 of 5 bytes is not masked",
    );
    play.message(2, ToServer, MessageKind::Text, Payload::Text("naked"), &[note]);
    play.control(1, ToServer, MessageKind::Close, b"\x03\xe8bye");
    play.control(1, ToClient, MessageKind::Close, b"\x03\xe8");
    play.end(1);
    play
}

fn app(play: &Play) -> App {
    let mut app = App::new(play.reader.clone(), "chat.pcapng", false, Palette::Plain).unwrap();
    app.load = Load { packets: 17, streams: 2, done: true, ..Load::default() };
    app
}

/// Draws until nothing moves any more.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    loop {
        app.refresh();
        terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
        if !app.seeking() {
            break;
        }
        std::thread::yield_now();
    }
    // Twice: what a first drawing found out about the size counts for the second.
    app.refresh();
    terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
    for cell in terminal.backend().buffer().content() {
        assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
    }
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}

/// Does the actions, with the screen drawn before each: keys mean what is on it.
fn act(app: &mut App, width: u16, height: u16, actions: &[Action]) -> String {
    for action in actions {
        screen(app, width, height);
        app.update(action.clone());
    }
    screen(app, width, height)
}

fn typed(text: &str) -> Vec<Action> {
    text.chars().map(|c| Action::Edit(Edit::Insert(c))).collect()
}

macro_rules! screens {
    ($($name:ident: [$($size:expr),*] $actions:expr;)*) => {$(
        #[test]
        fn $name() {
            let play = play();
            for (width, height) in [$($size),*] {
                let mut app = app(&play);
                let drawn = act(&mut app, width, height, &$actions);
                insta::assert_snapshot!(format!("{}_{width}x{height}", stringify!($name)), drawn);
            }
        }
    )*};
}

const SMALL: (u16, u16) = (40, 10);
const USUAL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const HUGE: (u16, u16) = (200, 60);

use Action as A;
use Motion as M;

screens! {
    connections: [SMALL, USUAL, LARGE, HUGE] [];
    messages: [SMALL, USUAL, LARGE, HUGE] [A::Enter, A::Move(M::Down)];
    messages_of_all: [USUAL] [A::Show(View::Messages), A::Times, A::Heartbeats];
    fields_of_a_frame: [SMALL, USUAL, LARGE] [A::Enter, A::Move(M::Down), A::NextPane, A::Move(M::PageDown), A::Move(M::Down), A::Move(M::Down)];
    json: [USUAL, LARGE] [A::Enter, A::Move(M::Down), A::Move(M::Down), A::NextPane, A::NextPane, A::Move(M::Down)];
    text_is_harmless: [USUAL] [A::Enter, A::Move(M::Down), A::Move(M::Down), A::Move(M::Down)];
    bytes_of_frames: [USUAL] [A::Enter, A::Move(M::Down), A::Payload, A::Payload, A::NextPane, A::NextPane, A::Move(M::Right)];
    handshake: [SMALL, USUAL, LARGE] [A::Show(View::Handshake)];
    sequence: [SMALL, USUAL, LARGE] [A::Show(View::Sequence), A::Move(M::Down)];
    statistics: [SMALL, USUAL, LARGE] [A::Show(View::Statistics)];
    keys: [SMALL, USUAL] [A::Help];
    what_a_note_means: [USUAL] [A::Show(View::Messages), A::NextNote, A::NextNote, A::Help, A::Back];
}

#[test]
fn zz_print() {
    let play = play();
    for (w, h) in [USUAL, HUGE] {
        for actions in [vec![], vec![A::Enter, A::Move(M::Down)], vec![A::Show(View::Handshake)], vec![A::Show(View::Sequence)], vec![A::Show(View::Statistics)]] {
            let mut app = app(&play);
            println!("{}", act(&mut app, w, h, &actions));
        }
    }
}
