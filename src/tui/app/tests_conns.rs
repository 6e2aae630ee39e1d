//! The list of connections: what is selected stays so, and is what keys act on.

use super::tests::{USUAL, act, live, sample, screen, typed};
use super::*;
use crate::tui::action::{Action as A, Motion as M, View};
use crate::tui::theme::Palette;

/// The number of the connection that is highlighted, and of the one that keys act on.
fn selected(app: &App) -> (Option<u32>, Option<u32>) {
    let no = |at: u32| at + 1;
    (app.conns.selected().map(no), app.conn().map(|(at, _)| no(at)))
}

#[test]
fn the_connection_of_the_selected_row_is_the_selected_one() {
    let (width, height) = USUAL;
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    act(&mut app, width, height, &[A::Show(View::Messages), A::Goto]);
    act(&mut app, width, height, &typed("100"));
    let back = [A::Accept, A::Show(View::Connections)];
    act(&mut app, width, height, &back);
    assert_eq!(selected(&app), (Some(15), Some(15)));
    // Moving goes on from there.
    act(&mut app, width, height, &[A::Move(M::Down)]);
    assert_eq!(selected(&app), (Some(16), Some(16)));
}

#[test]
fn a_filter_leaves_the_selected_connection_selected() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    act(&mut app, 80, 24, &vec![A::Move(M::Down); 8]);
    assert_eq!(selected(&app), (Some(9), Some(9)));
    app.apply_filter("conn > 5");
    screen(&mut app, 80, 24);
    assert_eq!(selected(&app), (Some(9), Some(9)));
    app.apply_filter("");
    screen(&mut app, 80, 24);
    assert_eq!(selected(&app), (Some(9), Some(9)));
    // What is not listed any more gives way to the next one.
    app.apply_filter("conn > 11 or conn < 3");
    screen(&mut app, 80, 24);
    assert_eq!(selected(&app), (Some(12), Some(12)));
}

#[test]
fn the_first_packet_is_the_beginning_of_time() {
    for (name, shown) in [("evil-rewrite.pcapng", "0.110367"), ("story-httpd.pcapng", "0.053502")] {
        let mut app = sample(name, Palette::Plain);
        let drawn = act(&mut app, 200, 60, &[A::Show(View::Messages)]);
        assert!(drawn.lines().any(|line| line.contains(shown)), "{drawn}");
        assert!(!drawn.contains(" -0."), "{drawn}");
    }
    // A filter counts from there, too.
    let mut app = sample("story-httpd.pcapng", Palette::Plain);
    app.apply_filter("time_relative < 0.0529");
    screen(&mut app, 80, 24);
    assert_eq!(app.listed(), 0);
}

#[test]
fn a_row_without_a_payload_is_entered_by_its_fields() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    let drawn = act(&mut app, 80, 24, &[A::Show(View::Messages), A::Enter]);
    assert!(drawn.contains("Opening handshake") && drawn.contains("TCP stream"), "{drawn}");
    let drawn = act(&mut app, 80, 24, &[A::Back, A::Back, A::Move(M::Down), A::Enter]);
    assert_eq!(app.pane, Pane::Body, "{drawn}");
}

#[test]
fn what_could_not_be_inflated_says_so_and_why() {
    let mut app = sample("damage-loss-deflate.pcap", Palette::Plain);
    let mut actions = vec![A::Show(View::Messages)];
    actions.extend(vec![A::Move(M::Down); 12]);
    let drawn = act(&mut app, 120, 40, &actions);
    assert!(drawn.contains("Compressed: not inflated, 6 bytes"), "{drawn}");
    assert!(!drawn.contains("0 % saved"), "{drawn}");
    assert!(drawn.lines().any(|line| line.contains(" 13  ") && line.contains("not inflated")));
    let words: Vec<&str> = drawn.split_whitespace().collect();
    assert!(words.join(" ").contains("Not inflated: client message 6 refers to"), "{drawn}");
}

#[test]
fn a_name_that_can_not_be_taken_is_asked_for_again() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    app.taken = |path| path.ends_with("wstap.pcapng") || path.ends_with("wstap-2.pcapng");
    let drawn = act(&mut app, 80, 24, &[A::SaveConnections]);
    assert!(drawn.contains("Save as pcapng to: wstap-3.pcapng"), "{drawn}");
    act(&mut app, 80, 24, &[A::Accept]);
    assert!(app.prompt.is_none());
    app.refuse(Kind::SaveConnections, "none/x", "cannot write none/x: there is no such folder");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("Save as pcapng to: none/x"), "{drawn}");
    assert!(drawn.contains("there is no such folder"), "{drawn}");
    act(&mut app, 80, 24, &typed("y"));
    assert_eq!(app.prompt.as_ref().map(|prompt| prompt.error.is_none()), Some(true));
}

#[test]
fn statistics_say_that_they_are_of_all() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    app.apply_filter("conn == 5");
    for (width, height) in [USUAL, (200, 60)] {
        let drawn = act(&mut app, width, height, &[A::Show(View::Statistics)]);
        assert!(drawn.contains("connections, not filtered"), "{drawn}");
        assert!(drawn.contains("not filtered by / conn == 5"), "{drawn}");
        assert!(!drawn.contains(" of "), "{drawn}");
        assert!(drawn.contains("48 errors, 18 warnings, 2 remarks"), "{drawn}");
        assert!(!drawn.lines().any(|line| line.contains("< ") && line.contains('…')), "{drawn}");
        assert!(!drawn.contains("Time"), "{drawn}");
    }
}

#[test]
fn sorting_goes_from_one_column_that_is_seen_to_the_next() {
    let mut app = sample("frames-bad.pcapng", Palette::Plain);
    for _ in 0..8 {
        let drawn = act(&mut app, 80, 24, &[A::Sort]);
        assert!(drawn.lines().nth(3).unwrap().contains('▾'), "{:?} {drawn}", app.conns.sort);
    }
}

#[test]
fn what_is_captured_and_where_to_is_told() {
    let (_play, mut app) = live();
    app.capture_filter = Some("tcp port 8088".to_owned());
    app.written = Some(PathBuf::from("day.pcapng"));
    let drawn = act(&mut app, 80, 24, &[A::Capture]);
    assert!(drawn.contains("tcp port 8088") && drawn.contains("to day.pcapng"), "{drawn}");
    app.unsaved = false;
    let drawn = act(&mut app, 80, 24, &[A::Back, A::Restart]);
    assert!(drawn.contains("the file of -w keeps everything"), "{drawn}");
    let (_, reader) = crate::store::new().unwrap();
    let mut empty = App::new(reader, "lo", true, Palette::Plain).unwrap();
    empty.capture_filter = app.capture_filter;
    empty.written = app.written;
    let drawn = screen(&mut empty, 80, 24);
    assert!(drawn.contains("tcp port 8088") && drawn.contains("day.pcapng"), "{drawn}");
    empty.load.failed = Some("cannot write day.pcapng: No space left on device".to_owned());
    empty.load.done = true;
    let drawn = act(&mut empty, 80, 24, &[A::Capture]);
    assert!(drawn.contains("it ended early: cannot write day.pcapng"), "{drawn}");
    assert!(drawn.contains("State                    ended early"), "{drawn}");
}
