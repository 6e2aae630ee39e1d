use super::*;
use crate::units::Timestamp;

const C: Direction = Direction::ToServer;
const S: Direction = Direction::ToClient;

fn at(packet: u64, ms: i64) -> Origin {
    Origin { packet: PacketNo(packet), time: Some(Timestamp(ms * 1_000_000)) }
}

fn close(code: u16, origin: Origin) -> CloseSeen {
    CloseSeen { code: Some(code), reason: None, origin }
}

fn codes(explained: &Explained) -> Vec<&'static str> {
    explained.notes.iter().map(|n| n.code.as_str()).collect()
}

#[test]
fn a_clean_close_names_who_began() {
    let mut facts = Facts { first_close: Some(C), ..Facts::default() };
    facts.closes.to_server = Some(close(1000, at(10, 1000)));
    facts.closes.to_client = Some(close(1000, at(11, 1002)));
    facts.act(C, at(10, 1000), Some(at(9, 900)));
    facts.fins.to_client = Some(at(12, 1003));
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, got.by), (EndHow::Close, Some(C)));
    assert_eq!(
        got.cause,
        "the client closed the connection with code 1000 (normal closure); the server answered \
         2.0 ms later"
    );
    assert_eq!(got.evidence, [9, 10, 11, 12].map(PacketNo));
    assert!(got.notes.is_empty());
}

#[test]
fn a_fin_after_a_minute_of_silence_is_a_timeout_of_somebody() {
    let mut facts = Facts::default();
    facts.fins.to_client = Some(at(12, 61_400));
    facts.act(S, at(12, 61_400), Some(at(9, 1300)));
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, got.by), (EndHow::Fin, Some(S)));
    assert!(got.cause.contains("after 60.1 s of silence, which matches an idle timeout of 60 s"));
    assert!(got.cause.contains("proxy_read_timeout"), "{}", got.cause);
    assert_eq!(codes(&got), ["no-close-frame"]);
}

#[test]
fn other_silences_are_only_told() {
    for ms in [43_000, 59_000, 62_000] {
        let mut facts = Facts::default();
        facts.fins.to_client = Some(at(12, ms));
        facts.act(S, at(12, ms), Some(at(9, 0)));
        let cause = facts.explain(Finish::Tcp).cause;
        assert!(cause.contains("silence") && !cause.contains("timeout"), "{cause}");
    }
}

#[test]
fn an_unanswered_close_is_noted_unless_the_answer_may_be_missing() {
    let mut facts = Facts { first_close: Some(C), ..Facts::default() };
    facts.closes.to_server = Some(close(1000, at(10, 1000)));
    facts.act(C, at(10, 1000), None);
    facts.fins.to_client = Some(at(12, 1003));
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, codes(&got)), (EndHow::HalfClose, vec!["close-unanswered"]));
    facts.blind.to_client = true;
    let got = facts.explain(Finish::Tcp);
    assert!(got.notes.is_empty());
    assert!(got.cause.contains("unknown"), "{}", got.cause);
}

#[test]
fn who_ended_tcp_first_is_told_before_the_close_that_came_after_it() {
    let mut facts = Facts { first_close: Some(C), ..Facts::default() };
    facts.fins.to_client = Some(at(9, 61_000));
    facts.act(S, at(9, 61_000), Some(at(8, 1000)));
    facts.closes.to_server =
        Some(CloseSeen { reason: Some("gone".to_owned()), ..close(1001, at(11, 61_002)) });
    facts.act(C, at(11, 61_002), Some(at(8, 1000)));
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, got.by), (EndHow::HalfClose, Some(S)));
    let want =
        "the server ended TCP (FIN) in packet 9 without a Close frame after 60.0 s of silence";
    assert!(got.cause.starts_with(want), "{}", got.cause);
    let want = "; 2.0 ms later the client sent a Close with code 1001 (going away: a server that \
                shuts down or reloads, or a page that was left), reason \"gone\" (packet 11); on this \
                leg that is the server itself or a proxy in its place";
    assert!(got.cause.ends_with(want), "{}", got.cause);
    assert_eq!(codes(&got), ["close-unanswered"]);
    assert_eq!(got.notes[0].blame, Blame::Server);
    let want = "was not answered by the server, which had ended TCP in packet 9 before";
    assert!(got.notes[0].text.ends_with(want), "{}", got.notes[0].text);
}

#[test]
fn a_side_that_sends_no_frames_is_not_missing_from_the_capture() {
    let mut facts = Facts { first_close: Some(S), ..Facts::default() };
    facts.closes.to_client = Some(close(1002, at(10, 1000)));
    facts.act(S, at(10, 1000), None);
    facts.blind.to_server = true;
    facts.unreadable.to_server = true;
    let cause = facts.explain(Finish::Tcp).cause;
    assert!(cause.ends_with("is unknown: not all that it sent could be read"), "{cause}");

    let mut facts = Facts { blind: facts.blind, unreadable: facts.unreadable, ..Facts::default() };
    facts.fins.to_server = Some(at(12, 3));
    facts.act(C, at(12, 3), None);
    let cause = facts.explain(Finish::Tcp).cause;
    assert!(cause.contains("without a Close frame that could be read;"), "{cause}");
}

#[test]
fn a_client_that_fails_the_opening_handshake_owes_no_close() {
    let mut facts = Facts { failed_opening: Some(FailedOpening::Answer), ..Facts::default() };
    facts.fins.to_server = Some(at(6, 5));
    facts.act(C, at(6, 5), None);
    let got = facts.explain(Finish::Tcp);
    assert_eq!(codes(&got), [""; 0]);
    assert!(got.cause.ends_with("it has to fail the connection"), "{}", got.cause);
    // The server that gave the answer takes it to be open.
    let mut facts = Facts { failed_opening: Some(FailedOpening::Answer), ..Facts::default() };
    facts.fins.to_client = Some(at(6, 5));
    facts.act(S, at(6, 5), None);
    assert_eq!(codes(&facts.explain(Finish::Tcp)), ["no-close-frame"]);
}

#[test]
fn who_resets_behind_its_close_leaves_it_unanswered_itself() {
    let mut facts = Facts { first_close: Some(C), ..Facts::default() };
    facts.closes.to_server = Some(close(1000, at(10, 1000)));
    facts.act(C, at(10, 1000), None);
    facts.reset = Some((C, at(11, 1001)));
    let got = facts.explain(Finish::Tcp);
    let note = got.notes.iter().find(|n| n.code == NoteCode::CloseUnanswered).unwrap();
    assert_eq!(note.blame, Blame::Client);
    assert!(note.text.ends_with("the client reset TCP itself in packet 11"), "{}", note.text);
    // The server had gone before: it is the one that did not answer.
    facts.fins.to_client = Some(at(11, 1001));
    let got = facts.explain(Finish::Tcp);
    let note = got.notes.iter().find(|n| n.code == NoteCode::CloseUnanswered).unwrap();
    assert_eq!(note.blame, Blame::Server);
}

#[test]
fn a_close_at_the_end_of_the_capture_is_not_unanswered() {
    let mut facts = Facts { first_close: Some(C), ..Facts::default() };
    facts.closes.to_server = Some(close(1000, at(10, 1000)));
    facts.act(C, at(10, 1000), None);
    let got = facts.explain(Finish::CaptureEnd);
    assert!(got.notes.is_empty());
    assert!(got.cause.ends_with("the capture ends before an answer"), "{}", got.cause);
}

#[test]
fn a_reset_names_its_sender() {
    let mut facts = Facts { reset: Some((C, at(12, 5))), ..Facts::default() };
    facts.act(C, at(12, 5), Some(at(11, 4)));
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, got.by), (EndHow::Rst, Some(C)));
    assert_eq!(codes(&got), ["reset", "no-close-frame"]);
    assert!(got.cause.starts_with("the client reset TCP (RST) in packet 12"), "{}", got.cause);
}

#[test]
fn a_stream_of_http_2_is_ended_and_reset_by_its_own_means() {
    let mut facts = Facts { goaway: Some((S, at(8, 1), 0xb)), ..Facts::default() };
    facts.fins.to_client = Some(at(9, 2));
    facts.fin_of.to_client = Carrier::Stream(None);
    facts.act(S, at(9, 2), None);
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, got.by), (EndHow::Fin, Some(S)));
    assert!(got.cause.starts_with("the server ended the stream (END_STREAM) in packet 9"));
    assert!(got.cause.contains("(GOAWAY ENHANCE_YOUR_CALM in packet 8)"), "{}", got.cause);
    assert!(got.notes[0].text.starts_with("the server ended the stream in packet 9"));

    let mut facts = Facts { reset: Some((C, at(12, 5))), ..Facts::default() };
    facts.rst_of = Carrier::Stream(Some(8));
    facts.act(C, at(12, 5), None);
    let got = facts.explain(Finish::Tcp);
    assert_eq!((got.how, codes(&got)), (EndHow::Rst, vec!["reset", "no-close-frame"]));
    let want = "the client reset the stream (RST_STREAM CANCEL: the stream is no longer wanted) in";
    assert!(got.cause.starts_with(want), "{}", got.cause);
    assert!(got.notes[1].text.starts_with("the client ended the stream in packet 12"));
}

#[test]
fn an_end_that_was_not_captured_is_unknown() {
    for why in [Finish::CaptureEnd, Finish::Evicted, Finish::Reused] {
        let got = Facts::default().explain(why);
        assert_eq!((got.how, got.by), (EndHow::CaptureEnd, None));
        assert!(got.cause.starts_with("unknown") && got.evidence.is_empty());
    }
}
