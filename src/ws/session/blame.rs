//! Who is blamed, and who is not.

use super::tests::{C, S, frame, given, kinds, sends};
use super::*;
use crate::event::MessageKind::{Close, Text};
use crate::ws::fuzzing::Step;
use crate::ws::testkit::framed;

fn close(dir: Direction) -> Step {
    Step::Data(dir, frame(dir, 0x88, &[0x03, 0xe9]))
}

/// Code and blame of every note at the end.
fn at_the_end(steps: &[Step]) -> Vec<(&'static str, Blame)> {
    let end = given(Setup::default(), steps).end.unwrap();
    end.notes.iter().map(|note| (note.code.as_str(), note.blame)).collect()
}

#[test]
fn never_masking_is_one_fault_and_no_sign_of_another_protocol() {
    let mut bytes = framed(0xc1, None, b"one");
    for text in ["two", "three", "four"] {
        bytes.extend(framed(0xc1, None, text.as_bytes()));
    }
    bytes.extend(framed(0x89, None, &[b'p'; 126]));
    bytes.extend(framed(0x88, None, &[0x03, 0xe8]));
    let got = sends(C, &bytes);
    assert!(!got.codes.contains(&"not-websocket"), "{:?}", got.texts);
    assert_eq!(kinds(&got).last(), Some(&(Close, &[0x03, 0xe8][..], true)));
}

#[test]
fn doubt_does_not_depend_on_how_frames_lie_in_segments() {
    let key = Some([1, 2, 3, 4]);
    let frames = [
        framed(0x81, key, b"masked"),
        framed(0x81, None, b"not masked"),
        framed(0xc1, key, b"masked, with RSV1"),
        framed(0x03, None, b"begun"),
        framed(0x81, None, b"whole"),
        framed(0x80, None, b"of nothing"),
    ];
    let together = sends(S, &frames.concat());
    let steps: Vec<Step> = frames.concat().iter().map(|byte| Step::Data(S, vec![*byte])).collect();
    let apart = given(Setup::default(), &steps);
    assert_eq!(together.codes, apart.codes);
    assert_eq!(kinds(&together), kinds(&apart));
    let last = together.codes.last();
    assert_eq!(last, Some(&"continuation-unexpected"), "{:?}", together.texts);
}

#[test]
fn page_where_frames_should_be_is_no_close_and_no_ping() {
    for page in ["HTTP/1.1 500 Internal Server Error\r\n\r\n", "Internal Server Error\n"] {
        let page = [page.as_bytes(), &[b'x'; 200]].concat();
        let got = given(Setup::default(), &[Step::Data(S, page), Step::Fin(S)]);
        assert!(got.codes.starts_with(&["not-websocket"]), "{:?}", got.texts);
        assert!(got.messages.is_empty(), "{:?}", got.messages);
        assert!(!got.codes.contains(&"close-unanswered"));
    }
}

#[test]
fn opcodes_and_order_of_an_extension_that_is_not_known_here_are_no_fault() {
    let setup = Setup { other_extension: true, ..Setup::default() };
    let frames = [
        frame(S, 0x03, b"a"),
        frame(S, 0x80, b"b"),
        frame(S, 0x01, b"begun"),
        frame(S, 0x81, b"another"),
        frame(S, 0x80, b"?"),
        frame(S, 0x8b, b""),
    ];
    let got = given(setup, &[Step::Data(S, frames.concat())]);
    assert_eq!(got.codes, [""; 0], "{:?}", got.texts);
}

#[test]
fn continuation_of_what_is_unknown_is_no_second_fault() {
    let bytes = [frame(S, 0x03, b"a"), frame(S, 0x00, b"b"), frame(S, 0x80, b"c")].concat();
    assert_eq!(sends(S, &bytes).codes, ["opcode-reserved"]);
    let more = [&bytes[..], &frame(S, 0x80, b"d")].concat();
    assert_eq!(sends(S, &more).codes, ["opcode-reserved", "continuation-unexpected"]);
}

#[test]
fn who_must_close_because_of_the_masks_is_not_blamed_for_it() {
    let unmasked = Step::Data(C, framed(0x81, None, b"x"));
    let got = given(Setup::default(), &[unmasked.clone(), Step::Fin(S)]);
    assert_eq!(got.codes, ["client-unmasked"], "{:?}", got.texts);
    let cause = got.end.unwrap().cause;
    assert!(cause.contains("after an unmasked frame it has to close"), "{cause}");
    // Who sent it has no such reason.
    assert_eq!(at_the_end(&[unmasked, Step::Fin(C)]), [("no-close-frame", Blame::Client)]);
    let masked = Step::Data(S, framed(0x81, Some([1, 2, 3, 4]), b"x"));
    assert_eq!(at_the_end(&[masked, Step::Fin(C)]), []);
}

#[test]
fn browser_that_got_none_of_its_subprotocols_is_not_blamed_for_leaving() {
    let setup = Setup { failed_opening: Some(FailedOpening::Subprotocol), ..Setup::default() };
    let got = given(setup, &[Step::Fin(C), Step::Fin(S)]);
    assert_eq!(got.codes, [""; 0], "{:?}", got.texts);
    // One that goes on is as any other.
    let got = given(setup, &[Step::Data(C, frame(C, 0x81, b"x")), Step::Fin(C)]);
    assert_eq!(got.codes, ["no-close-frame"]);
}

#[test]
fn client_that_left_before_the_answer_owes_no_close() {
    let setup = Setup { failed_opening: Some(FailedOpening::Left), ..Setup::default() };
    let steps = [Step::Fin(C), Step::Data(S, frame(S, 0x81, b"hello")), Step::Reset(C)];
    let got = given(setup, &steps);
    assert_eq!(got.codes, ["reset"], "{:?}", got.texts);
    let cause = got.end.unwrap().cause;
    assert!(cause.contains("(FIN) in packet 2 without a Close frame: it did not wait"), "{cause}");
}

#[test]
fn frame_whose_end_the_capture_lacks_was_not_cut_by_who_ended_tcp() {
    let close = frame(S, 0x88, b"\x03\xe8bye");
    let lacking = [Step::Data(S, close[..4].to_vec()), Step::Gap(S, 3), Step::Fin(S)];
    let got = given(Setup::default(), &lacking);
    assert!(!got.codes.contains(&"frame-cut"), "{:?}", got.texts);
    let cut = [Step::Data(S, close[..4].to_vec()), Step::Gap(S, 2), Step::Fin(S)];
    let got = given(Setup::default(), &cut);
    assert!(got.codes.contains(&"frame-cut"), "{:?}", got.texts);
}

#[test]
fn masks_of_a_server_are_one_fault() {
    let bytes = framed(0x81, Some([0; 4]), b"x");
    assert_eq!(sends(S, &bytes).codes, ["server-masked"]);
}

#[test]
fn no_pong_is_owed_for_a_ping_behind_its_senders_close() {
    let mut steps = vec![close(C), Step::Data(C, frame(C, 0x89, b"p"))];
    steps.extend((0..2000).map(|_| Step::Data(S, frame(S, 0x81, b"x"))));
    steps.extend([close(S), Step::Fin(S)]);
    let got = given(Setup::default(), &steps);
    assert_eq!(got.codes, ["control-after-close"], "{:?}", got.texts);
}

#[test]
fn what_is_left_unfinished_is_who_ended_its() {
    let begun = Step::Data(C, frame(C, 0x01, b"begun"));
    let of = |steps: &[Step]| {
        let got = given(Setup::default(), steps);
        let at =
            got.codes.iter().position(|code| matches!(*code, "frame-cut" | "message-unfinished"));
        got.texts[at.unwrap()].clone()
    };
    let text = of(&[begun.clone(), Step::Fin(S), Step::Fin(C)]);
    assert!(text.ends_with("the server ended TCP in packet 3"), "{text}");
    let text = of(&[begun.clone(), close(S), Step::Data(C, vec![0x80]), Step::Fin(C)]);
    assert!(text.ends_with("the server sent its Close in packet 3"), "{text}");
    let text = of(&[begun, Step::Fin(C), Step::Fin(S)]);
    assert!(text.ends_with("the client ended TCP in packet 3"), "{text}");
}

#[test]
fn text_that_can_not_become_utf8_is_judged_though_it_was_not_finished() {
    let bad = Step::Data(S, frame(S, 0x01, b"ab\xff\xfe"));
    let got = given(Setup::default(), &[bad, close(C), close(S)]);
    assert!(got.codes.contains(&"utf8-invalid"), "{:?}", got.texts);
    assert_eq!(kinds(&got)[2], (Text, &b"ab\xff\xfe"[..], false));
    let begun = Step::Data(S, frame(S, 0x01, &"ab€".as_bytes()[..4]));
    let got = given(Setup::default(), &[begun, close(C), close(S)]);
    assert_eq!(got.codes, [""; 0], "{:?}", got.texts);
}
