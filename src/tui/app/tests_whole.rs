//! What there is no room for is shown all the same: whole, below, or where one scrolls to.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Modifier;

use super::tests::{USUAL, act, app, live, play, sample, screen, typed};
use super::*;
use crate::event::{MessageKind, Payload};
use crate::tui::action::{Action as A, Motion as M, Mouse, View};
use crate::tui::theme::Palette;
use crate::units::Direction;

/// What of the line that is typed is underlined.
fn underlined(app: &mut App, width: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
    terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
    let cells = terminal.backend().buffer().content().iter();
    let typed = cells.skip(usize::from(width)).take(usize::from(width));
    let under = typed.filter(|cell| cell.modifier.contains(Modifier::UNDERLINED));
    under.map(ratatui::buffer::Cell::symbol).collect()
}

#[test]
fn a_filter_that_does_not_parse_says_why_and_where_however_long_it_is() {
    let mut app = app(&play());
    act(&mut app, 80, 24, &[A::Filter]);
    let drawn = act(&mut app, 80, 24, &typed("lem > 5"));
    assert!(drawn.lines().nth(1).unwrap().contains("no field `lem`"), "{drawn}");
    assert_eq!(underlined(&mut app, 80), "lem > 5");
    act(&mut app, 80, 24, &[A::Back, A::Filter]);
    let text = r#"kind == text and text contains "abcdefghijklmnopqrst" and lem > 5"#;
    let drawn = act(&mut app, 80, 24, &typed(text));
    assert!(drawn.lines().last().unwrap().contains("no field `lem`"), "{drawn}");
    assert_eq!(underlined(&mut app, 80), "lem > 5");
    for width in [20, 40, 80, 200] {
        let drawn = screen(&mut app, width, 24);
        let words: String = drawn.split_whitespace().collect();
        assert!(words.contains("thereisnofield`lem`"), "{drawn}");
    }
    act(&mut app, 80, 24, &[A::Back, A::Filter]);
    act(&mut app, 80, 24, &typed("len >"));
    assert_eq!(underlined(&mut app, 80), " ", "what is missing is marked where it is missing");
}

#[test]
fn a_note_is_read_whole_with_what_to_do() {
    let mut app = app(&play());
    let note = [A::Show(View::Messages), A::NextNote, A::NextNote, A::NextPane];
    let drawn = act(&mut app, 120, 40, &note);
    assert!(drawn.contains("What to do: "), "{drawn}");
    let at = app.detail.visible().position(|node| node.severity.is_some()).unwrap();
    let down = vec![A::Move(M::Down); at];
    act(&mut app, 80, 24, &down);
    let drawn = act(&mut app, 80, 24, &[A::Enter]);
    assert!(drawn.contains("client frame 1 of 5 bytes is not masked"), "{drawn}");
    assert!(drawn.contains("What was seen"), "{drawn}");
    // Keys that were pressed at the end do not have to be taken back.
    act(&mut app, 80, 24, &vec![A::Move(M::Down); 200]);
    let end = act(&mut app, 80, 24, &[A::Move(M::Bottom)]);
    let up = act(&mut app, 80, 24, &[A::Move(M::Up)]);
    assert!(end.contains("0 more lines") && up.contains("1 more line "), "{up}");
}

#[test]
fn a_field_and_a_value_are_read_whole() {
    let mut play = play();
    let long = "a long value, ".repeat(40);
    play.text(2, Direction::ToServer, &format!(r#"{{"it":"{long}"}}"#));
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Show(View::Messages), A::Move(M::Bottom), A::NextPane]);
    let drawn = act(&mut app, 80, 24, &[A::NextPane, A::Move(M::Down), A::Enter]);
    assert!(drawn.contains("json.it"), "{drawn}");
    let words: String = drawn.chars().filter(|c| c.is_alphabetic()).collect();
    assert_eq!(words.matches("alongvalue").count(), 40, "{drawn}");
    let drawn = act(&mut app, 80, 24, &[A::Back, A::PrevPane, A::Move(M::Down), A::Enter]);
    assert!(drawn.contains("Connection ─") && drawn.contains("│2, 127.0.0.1"), "{drawn}");
}

#[test]
fn top_talkers_are_seen_on_a_small_screen() {
    let (width, height) = USUAL;
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    let drawn = act(&mut app, width, height, &[A::Show(View::Statistics)]);
    assert!(drawn.contains("Top talkers") && drawn.contains("more lines"), "{drawn}");
    let end = act(&mut app, width, height, &vec![A::Move(M::Down); 40]);
    assert!(end.contains("0 more lines"), "{end}");
    assert!(act(&mut app, width, height, &[A::Move(M::Up)]).contains("1 more line "));
    let drawn = act(&mut app, 40, 10, &[A::Move(M::Bottom)]);
    assert!(drawn.contains("→ 127.0.0.1") || drawn.contains("127.0.0.1:"), "{drawn}");
}

#[test]
fn the_outcome_of_a_handshake_is_seen_on_a_small_screen() {
    let drawn = act(&mut app(&play()), 40, 10, &[A::Show(View::Handshake)]);
    assert!(drawn.contains("accepted"), "{drawn}");
}

#[test]
fn bytes_that_were_not_read_again_are_told() {
    let mut play = play();
    let much = vec![0xff; crate::tui::detail::SHOWN + 1];
    play.message(2, Direction::ToServer, MessageKind::Binary, Payload::Data(&much), &[]);
    let mut app = app(&play);
    let drawn = act(&mut app, 120, 40, &[A::Show(View::Messages), A::Move(M::Bottom)]);
    assert!(drawn.contains("Payload, the first 1,048,576 of 1,048,577 bytes"), "{drawn}");
}

#[test]
fn bytes_are_scrolled_by_the_wheel() {
    let mut play = play();
    play.message(2, Direction::ToServer, MessageKind::Binary, Payload::Data(&[7; 4096]), &[]);
    let mut app = app(&play);
    for (width, x) in [(80, 10), (200, 150)] {
        act(&mut app, width, 24, &[A::Show(View::Messages), A::Move(M::Bottom)]);
        let before = app.detail.hex_at.at;
        act(&mut app, width, 24, &[A::Mouse(Mouse::WheelDown(x, 18))]);
        assert!(app.detail.hex_at.at > before, "{width}");
    }
}

#[test]
fn a_list_that_was_cleared_does_not_say_that_there_was_nothing() {
    let (mut play, mut app) = live();
    let mut actions = vec![A::Clear];
    actions.push(A::Show(View::Connections));
    act(&mut app, 80, 24, &actions);
    play.writer.clear(crate::store::Keep::Nothing);
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("begun anew") && !drawn.contains("no WebSocket"), "{drawn}");
}

#[test]
fn that_a_capture_goes_on_is_seen_on_a_small_screen() {
    let (_play, mut app) = live();
    assert!(screen(&mut app, 80, 24).lines().next().unwrap().ends_with("● lo"));
    assert!(screen(&mut app, 120, 24).lines().next().unwrap().ends_with("● live  lo"));
    app.load.done = true;
    assert!(!screen(&mut app, 80, 24).contains('●'));
}

#[test]
fn what_is_wrong_with_a_file_is_read_whole() {
    let mut app = app(&play());
    let error = "/a/long/path/to/some/capture-of-yesterday.pcapng: packet 70, offset 0x135f6: block \
                 length 7 is not a multiple of 4";
    app.load.error = Some(error.to_owned());
    let drawn = screen(&mut app, 80, 24);
    let words: Vec<&str> = drawn.split_whitespace().collect();
    assert!(words.join(" ").contains(error), "{drawn}");
    let small = screen(&mut app, 40, 10);
    assert!(small.lines().last().unwrap().ends_with('…'), "{small}");
}

#[test]
fn what_can_be_answered_is_seen_on_the_smallest_screen() {
    let (_play, mut app) = live();
    let drawn = act(&mut app, 20, 5, &[A::Quit]);
    for answer in ["│S save", "│q quit", "│Esc go on"] {
        assert!(drawn.contains(answer), "{drawn}");
    }
}

#[test]
fn json_is_seen_however_deep_it_is() {
    let mut play = play();
    let deep = 100;
    let text = format!("{}\"the ground\"{}", r#"{"a":"#.repeat(deep), "}".repeat(deep));
    play.text(2, Direction::ToServer, &text);
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Show(View::Messages), A::Move(M::Bottom)]);
    let drawn = act(&mut app, 80, 24, &[A::NextPane, A::NextPane, A::Move(M::Bottom)]);
    assert!(drawn.contains("⋯100   a: \"the ground\""), "{drawn}");
}

#[test]
fn what_came_after_a_save_is_not_saved_by_it() {
    let (_play, mut app) = live();
    assert!(app.loses());
    app.saved = Saved { before: 0, packets: 10 };
    app.update(A::Quit);
    assert_eq!((app.overlay.clone(), app.take_effects()), (None, vec![Effect::Quit]));
    app.load.packets = 12;
    let drawn = act(&mut app, 80, 24, &[A::Capture]);
    assert!(drawn.contains("the first 10 packets"), "{drawn}");
    let drawn = act(&mut app, 80, 24, &[A::Back, A::Quit]);
    assert!(drawn.contains("The last 2 packets captured on lo are saved nowhere"), "{drawn}");
    // What was saved of an earlier recording is not in this one.
    (app.load.before, app.load.packets) = (12, 5);
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("The 5 packets captured on lo are saved nowhere"), "{drawn}");
}

#[test]
fn a_ladder_has_messages_of_its_own_connection_only() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    let drawn = act(&mut app, 80, 24, &[A::Show(View::Sequence), A::Scope]);
    assert!(drawn.contains("7 of 317 rows") && !drawn.contains("/unmasked-client"), "{drawn}");
    assert!(drawn.contains("no other legs"), "{drawn}");
    let mut app = sample("evil-rewrite.pcapng", Palette::Plain);
    act(&mut app, 80, 24, &[A::Show(View::Sequence)]);
    assert!(act(&mut app, 80, 24, &[A::Scope]).contains("12 of 24 rows"));
    assert!(act(&mut app, 80, 24, &[A::Scope]).contains("24 of 24 rows"));
    // Nor when there was none yet as it was shown.
    let mut play = crate::store::testing::Play::new();
    let mut app = App::new(play.reader.clone(), "lo", true, Palette::Plain).unwrap();
    act(&mut app, 80, 24, &[A::Show(View::Sequence)]);
    for conn in 1..=2 {
        play.open(conn, &format!("/room/{conn}"));
    }
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("GET /room/1") && !drawn.contains("GET /room/2"), "{drawn}");
}
