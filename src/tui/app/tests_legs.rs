//! Whole screens of what is compared: the legs of a proxy, two messages, frames of one message.

use super::tests::{HUGE, LARGE, SMALL, USUAL, act, app, sample, typed};
use super::*;
use crate::store::testing::Play;
use crate::units::Direction::{ToClient, ToServer};

use Action as A;
use Motion as M;

/// Draws a sample after some actions in every size.
macro_rules! screens {
    ($($name:ident: $sample:literal [$($size:expr),*] $actions:expr;)*) => {$(
        #[test]
        fn $name() {
            for (width, height) in [$($size),*] {
                let mut app = sample($sample, Palette::Plain);
                let drawn = act(&mut app, width, height, &$actions);
                insta::assert_snapshot!(format!("{}_{width}x{height}", stringify!($name)), drawn);
            }
        }
    )*};
}

const LEGS: Action = A::Show(View::Legs);
const LADDER: Action = A::Show(View::Sequence);

screens! {
    legs: "story-httpd.pcapng" [SMALL, USUAL, LARGE, HUGE] [LEGS];
    legs_explained: "story-httpd.pcapng" [USUAL, LARGE] [LEGS, A::NextNote, A::NextNote];
    legs_refused: "nginx-bad.pcapng" [USUAL, LARGE] [LEGS, A::NextNote];
    legs_message: "evil-rewrite.pcapng" [SMALL, USUAL, LARGE] [LEGS, A::NextNote];
    legs_message_compared: "evil-rewrite.pcapng" [SMALL, USUAL] [LEGS, A::NextNote, A::Enter];
    legs_alone: "story-direct.pcapng" [SMALL, USUAL] [LEGS];
    legs_chosen: "control-abnormal.pcapng" [USUAL, LARGE] [A::Mark, A::Move(M::Down), A::Mark, LEGS];
    legs_ladder: "evil-rewrite.pcapng" [SMALL, USUAL, LARGE] [LADDER];
    legs_marked: "evil-rewrite.pcapng" [USUAL] [];
    json_compared: "graphql-ws.pcapng" [SMALL, USUAL, LARGE] [vec![A::Command], typed("compare 5 6"), vec![A::Accept]].concat();
    bytes_compared: "graphql-ws.pcapng" [USUAL, LARGE] [vec![A::Command], typed("compare 5 6"), vec![A::Accept, A::Payload, A::Payload]].concat();
}

#[test]
fn an_alteration_is_explained_and_its_messages_are_gone_to() {
    let mut app = sample("evil-rewrite.pcapng", Palette::Plain);
    act(&mut app, 80, 24, &[LEGS, A::NextNote]);
    let (_, alteration) = app.alteration().unwrap();
    assert_eq!(alteration.code.as_str(), "message-changed");
    act(&mut app, 80, 24, &[A::Explain]);
    assert!(
        matches!(&app.overlay, Some(Overlay::Explain(code, _)) if code.as_str() == "message-changed")
    );
    act(&mut app, 80, 24, &[A::Back, A::Side(0)]);
    let row = |app: &App| *app.snapshot.rows.get(app.selected_row().unwrap() as usize).unwrap();
    assert_eq!(app.view, View::Messages);
    assert_eq!((row(&app).conn(), row(&app).dir(), row(&app).no()), (1, ToServer, 2));
    let shown = act(&mut app, 80, 24, &[]);
    assert!(shown.contains("pay alice 100"), "{shown}");
    // Out again to where one came from, on the same line.
    act(&mut app, 80, 24, &[A::Back]);
    assert_eq!(app.view, View::Legs);
    assert_eq!(app.alteration().unwrap().1.code.as_str(), "message-changed");
    let shown = act(&mut app, 80, 24, &[A::Side(1)]);
    assert_eq!((row(&app).conn(), row(&app).no()), (0, 2));
    assert!(shown.contains("pay mallory 100"), "{shown}");
}

#[test]
fn the_engine_says_what_keys_only_guess() {
    // Two connections with one key that have nothing else in common, one long after the other.
    let mut play = Play::new();
    play.open(1, "/a");
    play.text(1, ToServer, "one");
    play.end(1);
    play.open(2, "/b");
    play.text(2, ToServer, "other");
    play.end(2);
    let mut app = app(&play);
    app.load.done = false;
    act(&mut app, 80, 24, &[A::Tick]);
    assert_eq!(app.mark_of(0), Some(crate::tui::legs::Mark::Guess));
    assert_eq!(app.ladder(1), [0, 1]);
    app.load.done = true;
    act(&mut app, 80, 24, &[A::Tick]);
    assert_eq!(app.mark_of(0), None);
    assert_eq!(app.ladder(1), [1]);
    let shown = act(&mut app, 80, 24, &[LEGS]);
    assert!(shown.contains("Connection 1 is not paired"), "{shown}");
}

#[test]
fn what_comes_later_is_compared_too() {
    let mut app = sample("story-httpd.pcapng", Palette::Plain);
    act(&mut app, 80, 24, &[LEGS]);
    let rows = app.legs.found.as_ref().unwrap().rows;
    assert_eq!(rows, app.snapshot.rows.len());
    act(&mut app, 80, 24, &[A::Again]);
    assert_eq!(app.legs.found.as_ref().unwrap().rows, rows);
}

#[test]
fn marked_messages_are_compared_beside_each_other() {
    let mut play = Play::new();
    play.open(1, "/");
    play.text(1, ToServer, "pay alice 100");
    play.text(1, ToClient, "pay mallory 100");
    let mut app = app(&play);
    let to_compare = [A::Enter, A::Move(M::Down), A::Compare];
    let shown = act(&mut app, 80, 24, &to_compare);
    assert!(shown.contains("Space marks two messages"), "{shown}");
    // One marked, the other selected.
    let shown = act(&mut app, 80, 24, &[A::Mark, A::Compare]);
    assert!(shown.contains("! pay alice 100                        │ pay mallory 100"), "{shown}");
    assert!(shown.contains("1 line differs, as text"), "{shown}");
    let shown = act(&mut app, 80, 24, &[A::Payload]);
    assert!(shown.contains("2 rows of bytes differ, as hex"), "{shown}");
    act(&mut app, 80, 24, &[A::Side(1)]);
    assert_eq!(app.selected_row(), Some(2));
    act(&mut app, 80, 24, &[A::Back]);
    assert_eq!(app.view, View::Compare);
    act(&mut app, 80, 24, &[A::Back]);
    assert_eq!(app.view, View::Messages);
}

#[test]
fn frames_are_unfolded_below_their_message() {
    use crate::event::MessageKind;
    let mut play = Play::new();
    play.open(1, "/");
    play.fragments(1, ToClient, &["Hel", "lo ", "\x1b[31m"]);
    play.control(1, ToServer, MessageKind::Ping, b"7");
    play.fragments(1, ToServer, &["a", "b"]);
    let mut app = app(&play);
    act(&mut app, 80, 24, &[A::Enter, A::Move(M::Down)]);
    let unfold = [A::Move(M::Right), A::Move(M::Down), A::Move(M::Down)];
    let drawn = act(&mut app, 80, 24, &unfold);
    insta::assert_snapshot!("frames_80x24", drawn);
    assert_eq!((app.listed(), app.selected_row()), (7, Some(1)));
    // The frame is the one that the tree points at.
    assert!(app.detail.node().unwrap().name.starts_with("Frame 4: continuation"));
    act(&mut app, 80, 24, &[A::Move(M::Bottom), A::Frames, A::Move(M::Bottom)]);
    assert_eq!((app.listed(), app.selected_row()), (9, Some(3)));
    act(&mut app, 80, 24, &[A::Move(M::Top), A::Move(M::Down), A::Frames]);
    assert_eq!((app.listed(), app.list.cursor.at), (6, 1));
    // A filter that leaves a message out leaves its frames out.
    app.apply_filter("kind == ping");
    let shown = act(&mut app, 80, 24, &[A::Tick]);
    assert!(app.listed() == 1 && shown.contains("1 of 4 rows"), "{shown}");
}

#[test]
fn every_comparison_survives_every_size() {
    for width in [1, 2, 3, 5, 9, 14, 20, 40, 60, 79, 100, 160] {
        for height in [1, 2, 3, 4, 5, 6, 8, 13, 18, 24, 40] {
            let mut app = sample("evil-rewrite.pcapng", Palette::Plain);
            let actions = [LEGS, A::NextNote, A::Enter, A::Payload, A::Move(M::PageDown), A::Back];
            act(&mut app, width, height, &actions);
            act(&mut app, width, height, &[LADDER, A::Move(M::Bottom)]);
        }
    }
}
