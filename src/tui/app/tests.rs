//! Whole screens, driven by actions, as a terminal would show them.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::capture::PacketSource as _;
use crate::event::{MessageKind, Payload};
use crate::note::{Blame, Note, NoteCode};
use crate::store::testing::Play;
use crate::tui::action::{Copied, Mouse};
use crate::tui::edit::Edit;
use crate::units::Direction::{ToClient, ToServer};

/// A session with a bit of everything.
pub(super) fn play() -> Play {
    let mut play = Play::new();
    play.open(1, "/chat?room=7");
    play.text(1, ToServer, r#"{"type":"subscribe","channel":"prices","id":12345678901234567890}"#);
    play.text(
        1,
        ToClient,
        r#"{"type":"ack","id":1,"tags":["a","b"],"user":{"name":"Zoë","日本":null}}"#,
    );
    play.fragments(1, ToClient, &["Hello, ", "wide 世界 and ", "\x1b[31mred\x07"]);
    play.control(1, ToServer, MessageKind::Ping, b"7");
    play.control(1, ToClient, MessageKind::Pong, b"7");
    play.open_with_key(2, "/feed", "AQIDBAUGBwgJCgsMDQ4PEC==");
    play.message(
        2,
        ToClient,
        MessageKind::Binary,
        Payload::Data(&[0x82, 0xa7, 0, 0xc3, 0x28]),
        &[],
    );
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

/// What a sample holds.
pub(super) fn sample(name: &str, palette: Palette) -> App {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    let (writer, reader) = crate::store::new().unwrap();
    let limits = crate::limits::Limits::default();
    let inputs = [crate::capture::Input::Path(path)];
    let mut source =
        crate::capture::open(&inputs, &limits, &crate::capture::Options::default()).unwrap();
    let mut pipeline = crate::pipeline::Pipeline::new(writer, limits);
    while let Some(record) = source.next().unwrap() {
        pipeline.sink_mut().begin(record.time);
        assert!(pipeline.push(&record).is_continue());
    }
    let (_, totals) = pipeline.finish();
    let mut app = App::new(reader, name, false, palette).unwrap();
    app.load = Load {
        packets: totals.packets,
        streams: totals.tcp_streams,
        done: true,
        ..Load::default()
    };
    app
}

pub(super) fn app(play: &Play) -> App {
    let mut app = App::new(play.reader.clone(), "chat.pcapng", false, Palette::Plain).unwrap();
    app.load = Load { packets: 17, streams: 2, done: true, ..Load::default() };
    app
}

/// Draws until nothing moves any more.
pub(super) fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    loop {
        app.refresh();
        terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
        if !app.seeking() && app.legs.progress().is_none() {
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
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width)).map(|row| {
        let (mut line, mut covered) = (String::new(), 0);
        for cell in row {
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = unicode_width::UnicodeWidthStr::width(cell.symbol());
            }
            covered = covered.saturating_sub(1);
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Does the actions, with the screen drawn before each: keys mean what is on it.
pub(super) fn act(app: &mut App, width: u16, height: u16, actions: &[Action]) -> String {
    for action in actions {
        screen(app, width, height);
        app.update(action.clone());
    }
    screen(app, width, height)
}

pub(super) fn typed(text: &str) -> Vec<Action> {
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

pub(super) const SMALL: (u16, u16) = (40, 10);
pub(super) const USUAL: (u16, u16) = (80, 24);
pub(super) const LARGE: (u16, u16) = (120, 40);
pub(super) const HUGE: (u16, u16) = (200, 60);

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
    what_a_note_means: [USUAL] [vec![A::Command], typed("explain client-unmasked"), vec![A::Accept]].concat();
}

#[test]
fn every_screen_survives_every_size() {
    let play = play();
    for width in [1, 2, 3, 5, 9, 14, 20, 40, 79, 100, 160] {
        for height in [1, 2, 3, 4, 5, 6, 8, 13, 24, 40] {
            let mut app = app(&play);
            for view in View::ALL {
                act(
                    &mut app,
                    width,
                    height,
                    &[A::Show(view), A::Move(M::Down), A::NextPane, A::Help],
                );
                act(&mut app, width, height, &[A::Back, A::Filter]);
                act(&mut app, width, height, &[A::Back]);
            }
        }
    }
}

#[test]
fn a_filter_is_typed_completed_mended_and_applied() {
    let play = play();
    let mut app = app(&play);
    app.update(A::Show(View::Messages));
    let mut actions = vec![A::Filter];
    actions.extend(typed("kind == te"));
    let shown = act(&mut app, 80, 24, &actions);
    assert!(shown.contains("Filter: kind == te"), "{shown}");
    assert!(shown.contains("Tab completes"), "{shown}");
    act(&mut app, 80, 24, &[A::Complete]);
    assert_eq!(app.prompt.as_ref().unwrap().line.text(), "kind == text ");
    let shown = act(&mut app, 80, 24, &[A::Accept]);
    assert!(shown.contains("4 of 13 rows"), "{shown}");
    act(&mut app, 80, 24, &[A::Filter]);
    act(&mut app, 80, 24, &typed("and"));
    let shown = act(&mut app, 80, 24, &[A::Accept]);
    assert!(app.prompt.is_some(), "what does not parse stays to be mended: {shown}");
    act(&mut app, 80, 24, &[A::Back, A::ClearFilter]);
    assert_eq!(app.listed(), 13);
}

#[test]
fn the_selected_row_stays_selected_when_the_filter_changes() {
    let play = play();
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Show(View::Messages), A::Move(M::PageDown)]);
    let row = app.selected_row();
    app.apply_filter("kind == text");
    screen(&mut app, 80, 24);
    app.apply_filter("");
    screen(&mut app, 80, 24);
    assert!(app.selected_row().unwrap().abs_diff(row.unwrap()) <= 1);
}

#[test]
fn a_search_goes_from_hit_to_hit_and_points_at_the_bytes() {
    let play = play();
    let mut app = app(&play);
    let mut actions = vec![A::Show(View::Messages), A::Search];
    actions.extend(typed("type"));
    actions.push(A::Accept);
    act(&mut app, 80, 24, &actions);
    assert_eq!(app.selected_row(), Some(1));
    assert_eq!(app.detail.highlight.as_ref().map(|(_, range)| range.clone()), Some(2..6));
    act(&mut app, 80, 24, &[A::NextFound]);
    assert_eq!(app.selected_row(), Some(2));
    act(&mut app, 80, 24, &[A::NextFound]);
    assert_eq!(app.selected_row(), Some(1), "from the last it goes on at the first");
    let mut actions = vec![A::Search, A::Complete];
    actions.extend(typed("a7 00"));
    actions.push(A::Accept);
    act(&mut app, 80, 24, &actions);
    assert_eq!(app.snapshot.rows.get(7).unwrap().len(), 5);
    assert_eq!(app.selected_row(), Some(7));
}

#[test]
fn notes_numbers_and_packets_are_gone_to() {
    let play = play();
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Show(View::Messages), A::NextNote]);
    assert_eq!(app.selected_row(), Some(8), "the gap");
    act(&mut app, 80, 24, &[A::NextNote]);
    assert_eq!(app.selected_row(), Some(9));
    let mut actions = vec![A::Goto];
    actions.extend(typed("p7"));
    actions.push(A::Accept);
    act(&mut app, 80, 24, &actions);
    assert_eq!(app.snapshot.rows.get(3).unwrap().packet().0, 7);
    assert_eq!(app.selected_row(), Some(3));
    let mut actions = vec![A::Command];
    actions.extend(typed("9999"));
    actions.push(A::Accept);
    act(&mut app, 80, 24, &actions);
    assert!(app.prompt.as_ref().unwrap().error.is_some());
}

#[test]
fn following_is_held_by_scrolling_up_and_taken_up_at_the_end() {
    let mut play = play();
    let mut app = app(&play);
    app.live = true;
    app.load.done = false;
    app.list.follow = true;
    act(&mut app, 80, 24, &[A::Show(View::Messages)]);
    assert_eq!(app.selected_row(), Some(12));
    act(&mut app, 80, 24, &[A::Move(M::Up)]);
    play.text(2, ToClient, "one");
    play.text(2, ToClient, "two");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("2 new below"), "{shown}");
    assert_eq!(app.selected_row(), Some(11));
    let shown = act(&mut app, 80, 24, &[A::Move(M::Bottom)]);
    assert!(shown.contains("following"), "{shown}");
    play.text(2, ToClient, "three");
    screen(&mut app, 80, 24);
    assert_eq!(app.selected_row(), Some(15));
}

#[test]
fn what_is_selected_is_copied_and_saved() {
    let play = play();
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Enter, A::Move(M::Down), A::Copy(Copied::Payload)]);
    let effects = app.take_effects();
    let want = r#"{"type":"subscribe","channel":"prices","id":12345678901234567890}"#;
    assert_eq!(effects, [Effect::Clipboard(want.to_owned())]);
    act(&mut app, 80, 24, &[A::Copy(Copied::Curl), A::SavePayload, A::Accept]);
    let effects = app.take_effects();
    assert!(matches!(&effects[0], Effect::Clipboard(text) if text.starts_with("curl -i -N")));
    let path = PathBuf::from("conn1-c2s-1.txt");
    assert_eq!(effects[1], Effect::WriteFile(path, want.as_bytes().to_vec()));
    act(&mut app, 80, 24, &[A::Show(View::Connections), A::Move(M::Down), A::Mark]);
    act(&mut app, 80, 24, &[A::SaveConnections, A::Accept]);
    let want = Effect::SaveConnections(PathBuf::from("wstap.pcapng"), vec![1]);
    assert_eq!(app.take_effects(), [want]);
}

#[test]
fn fields_and_json_values_become_filters() {
    let play = play();
    let mut app = app(&play);
    let to_tree = [A::Enter, A::Move(M::Down), A::NextPane];
    act(&mut app, 120, 40, &to_tree);
    act(&mut app, 120, 40, &[A::Move(M::Down), A::FilterField, A::Accept]);
    assert_eq!(app.filter.as_ref().unwrap().0, "conn == 1");
    act(
        &mut app,
        120,
        40,
        &[A::NextPane, A::Move(M::Down), A::Move(M::Down), A::FilterField, A::Accept],
    );
    assert_eq!(app.filter.as_ref().unwrap().0, "json.channel == \"prices\"");
    screen(&mut app, 120, 40);
    assert_eq!(app.listed(), 1);
}

#[test]
fn the_tree_and_the_bytes_point_at_each_other() {
    let play = play();
    let mut app = app(&play);
    act(&mut app, 200, 60, &[A::Enter, A::Move(M::Down), A::NextPane]);
    let key = app.detail.visible().position(|node| node.name == "Masking key").unwrap();
    for _ in 0..key {
        app.update(A::Move(M::Down));
    }
    screen(&mut app, 200, 60);
    assert_eq!(app.detail.highlight, Some((crate::tui::detail::tree::Source::Wire, 2..6)));
    act(&mut app, 200, 60, &[A::NextPane, A::NextPane]);
    assert_eq!(app.pane, Pane::Hex);
    act(&mut app, 200, 60, &[A::Move(M::Top)]);
    assert_eq!(app.detail.node().unwrap().name, "1... .... FIN");
}

#[test]
fn the_mouse_selects_scrolls_and_drags() {
    let play = play();
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Show(View::Messages), A::Mouse(Mouse::Click(10, 6))]);
    assert_eq!(app.selected_row(), Some(2));
    act(&mut app, 80, 24, &[A::Mouse(Mouse::WheelDown(10, 6))]);
    assert_eq!(app.list.cursor.top, 3);
    let border = app.areas.list.bottom() - 1;
    act(
        &mut app,
        80,
        24,
        &[
            A::Mouse(Mouse::Click(10, border)),
            A::Mouse(Mouse::Drag(10, border + 4)),
            A::Mouse(Mouse::Release),
        ],
    );
    assert_eq!(app.areas.list.bottom() - 1, border + 4);
    act(&mut app, 80, 24, &[A::Mouse(Mouse::Click(10, 0))]);
    assert_eq!(app.view, View::Connections);
}

#[test]
fn leaving_asks_when_packets_would_be_lost() {
    let play = play();
    let mut app = app(&play);
    app.unsaved = true;
    let shown = act(&mut app, 80, 24, &[A::Quit]);
    assert!(shown.contains("are saved nowhere"), "{shown}");
    assert!(app.take_effects().is_empty());
    act(&mut app, 80, 24, &[A::SaveConnections, A::Accept]);
    assert_eq!(app.take_effects(), [Effect::SaveAll(PathBuf::from("wstap.pcapng"))]);
    act(&mut app, 80, 24, &[A::Quit, A::Quit]);
    assert_eq!(app.take_effects(), [Effect::Quit]);
}

#[test]
fn an_empty_session_says_what_it_waits_for() {
    let play = Play::new();
    let mut app = App::new(play.reader.clone(), "lo", true, Palette::Plain).unwrap();
    app.load = Load { packets: 1204, streams: 3, ..Load::default() };
    for view in View::ALL {
        let shown = act(&mut app, 80, 24, &[A::Show(view)]);
        assert!(shown.contains("Waiting for an upgrade on lo:"), "{shown}");
        assert!(
            shown.contains("1,204 packets seen, 3 TCP connections, no WebSocket yet."),
            "{shown}"
        );
    }
}

/// A capture that goes on, and what was said on its first connection.
pub(super) fn live() -> (Play, App) {
    let mut play = Play::new();
    play.open(1, "/live");
    play.text(1, ToServer, "before");
    let mut app = App::new(play.reader.clone(), "lo", true, Palette::Plain).unwrap();
    app.load = Load { packets: 10, streams: 1, dropped: Some(0), ..Load::default() };
    app.unsaved = true;
    app.refresh();
    app.update(Action::Show(View::Messages));
    (play, app)
}

#[test]
fn a_screen_that_stands_still_shows_later_what_came_meanwhile() {
    let (mut play, mut app) = live();
    app.update(Action::Pause);
    play.text(1, ToServer, "meanwhile");
    app.load.packets = 13;
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("PAUSED, 3 packets held") && drawn.contains("before"), "{drawn}");
    assert!(!drawn.contains("meanwhile"), "{drawn}");
    // A filter looks at what is shown.
    app.apply_filter("kind == text");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("1 of 2 rows") && !drawn.contains("meanwhile"), "{drawn}");
    app.update(Action::Pause);
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("2 of 3 rows") && drawn.contains("meanwhile"), "{drawn}");
    assert!(!drawn.contains("PAUSED"), "{drawn}");
}

#[test]
fn a_list_that_is_cleared_begins_with_what_comes_next() {
    let (mut play, mut app) = live();
    screen(&mut app, 80, 24);
    app.update(Action::Mark);
    app.update(Action::Clear);
    assert_eq!(app.take_effects(), [Effect::Order(Order::Clear)]);
    play.writer.clear(crate::store::Keep::Open);
    let drawn = screen(&mut app, 80, 24);
    assert!(!drawn.contains("before") && app.list.marks.is_empty(), "{drawn}");
    play.text(1, ToServer, "after");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("after") && !drawn.contains("before"), "{drawn}");
    app.update(Action::Show(View::Connections));
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("/live") && drawn.contains("accepted"), "it is still open: {drawn}");
}

#[test]
fn beginning_anew_asks_before_something_is_lost() {
    let (_play, mut app) = live();
    app.update(Action::Restart);
    assert_eq!(app.overlay, Some(Overlay::Restart));
    app.update(Action::Back);
    assert_eq!((app.overlay.clone(), app.take_effects()), (None, Vec::new()));
    app.update(Action::Restart);
    app.update(Action::Enter);
    assert_eq!(app.take_effects(), [Effect::Order(Order::Restart)]);
    app.unsaved = false;
    app.update(Action::Restart);
    assert_eq!(app.take_effects(), [Effect::Order(Order::Restart)]);
    app.load.done = true;
    app.update(Action::Restart);
    assert_eq!(app.take_effects(), Vec::new());
}

#[test]
fn what_happens_to_a_capture_is_told_and_remembered() {
    let (_play, mut app) = live();
    let loading = crate::tui::load::Loading::default();
    loading.tell(|load| *load = app.load.clone());
    loading.news("eth0: the interface is down");
    loading.tell(|load| load.dropped = Some(1204));
    app.load = loading.now();
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("1,204 dropped") && drawn.contains("eth0: the interface is down"));
    app.update(Action::Capture);
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("Happened") && drawn.contains("Dropped"), "{drawn}");
    app.update(Action::Back);
    assert!(!screen(&mut app, 80, 24).contains("eth0"), "told once");
}

#[test]
fn processes_are_shown_as_soon_as_they_are_known() {
    use crate::event::{ConnInfo, Cx, Event, Sink, Wants};
    use crate::process::Owned;
    use crate::units::Origin;

    struct Deaf;

    impl Sink for Deaf {
        fn wants(&self) -> Wants {
            Wants::ALL
        }

        fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> std::ops::ControlFlow<()> {
            std::ops::ControlFlow::Continue(())
        }
    }

    let (_play, mut app) = live();
    app.apply_filter("process == node");
    app.update(Action::Show(View::Messages));
    assert!(screen(&mut app, 200, 60).contains("0 of 2 rows"));
    // The handshake has gone by before a comment tells.
    let conn: ConnInfo = Play::info(1);
    let opening = app.snapshot.conns.get(0).unwrap().opening.clone().unwrap();
    let cx = Cx { conn: &conn, origin: Origin::default() };
    let mut owned = Owned::new(Deaf, app.owners.clone(), None);
    assert!(owned.event(&cx, &Event::Handshake(&opening)).is_continue());
    let ends = format!("({} > {})", conn.client, conn.server);
    app.owners.read_comment(&format!("wstap: server process node[7] {ends} node a\x1b.js"));
    let drawn = screen(&mut app, 200, 60);
    assert!(drawn.contains("2 of 2 rows"), "{drawn}");
    assert!(drawn.contains(r"Server process: node[7] node a\x1b.js"), "{drawn}");
    app.update(Action::Show(View::Connections));
    let drawn = screen(&mut app, 200, 60);
    assert!(drawn.contains("? > node[7]") && drawn.contains("server process node[7]"), "{drawn}");
}
