//! Conversations, each also cut at every byte: the cutting may not show.

mod gaps;
mod kept_alive;
mod upgrades;

use super::*;
use crate::units::{Direction::ToClient, Direction::ToServer, PacketNo};

enum Act<'a> {
    C(&'a [u8]),
    S(&'a [u8]),
    GapC(u64),
    GapS(u64),
    FinC,
    FinS,
    RstC,
    RstS,
}
use Act::{C, FinC, FinS, GapC, GapS, RstC, RstS, S};

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    steps: Vec<Step>,
    /// Input left at the last step.
    rest: Vec<u8>,
    held: Held,
    last: Option<Box<Exchange>>,
}

fn packet(no: usize) -> Origin {
    Origin { packet: PacketNo(no as u64), time: None }
}

/// Plays a conversation; `cut` gives the pieces of each act's bytes. Every act is a packet, from 1.
fn play(acts: &[Act<'_>], limits: &Limits, cut: &dyn Fn(usize, usize) -> bool) -> Outcome {
    let mut http = Http1::new();
    let mut steps = Vec::new();
    for (i, act) in acts.iter().enumerate() {
        let origin = packet(i + 1);
        let (dir, bytes) = match act {
            C(bytes) => (ToServer, *bytes),
            S(bytes) => (ToClient, *bytes),
            GapC(len) => {
                steps.extend(http.gap(ToServer, origin, *len, limits));
                continue;
            }
            GapS(len) => {
                steps.extend(http.gap(ToClient, origin, *len, limits));
                continue;
            }
            FinC => {
                steps.extend(http.closed(CutBy::Fin(ToServer, origin), limits));
                continue;
            }
            FinS => {
                steps.extend(http.closed(CutBy::Fin(ToClient, origin), limits));
                continue;
            }
            RstC => {
                steps.extend(http.closed(CutBy::Reset(ToServer, origin), limits));
                continue;
            }
            RstS => {
                steps.extend(http.closed(CutBy::Reset(ToClient, origin), limits));
                continue;
            }
        };
        let mut from = 0;
        for to in 1..=bytes.len() {
            if to < bytes.len() && !cut(i, to) {
                continue;
            }
            let mut input = &bytes[from..to];
            from = to;
            while let Some(step) = http.data(dir, origin, &mut input, limits) {
                let over = matches!(step, Step::Switched(_) | Step::Tunnel | Step::NotOurs);
                steps.push(step);
                if over {
                    let ours = step_is_ours(steps.last());
                    let rest = if ours { [input, &bytes[to..]].concat() } else { Vec::new() };
                    return Outcome { steps, rest, held: http.take_held(), last: None };
                }
            }
            assert!(input.is_empty(), "no step, and input left");
        }
    }
    let last = http.finish(limits);
    Outcome { steps, rest: Vec::new(), held: http.take_held(), last }
}

/// Where nothing is ours, what is left is nobody's.
fn step_is_ours(step: Option<&Step>) -> bool {
    !matches!(step, Some(Step::NotOurs))
}

/// Plays it whole, and checks that no cut changes anything.
fn lawful_with(acts: &[Act<'_>], limits: &Limits) -> Outcome {
    let whole = play(acts, limits, &|_, _| false);
    assert_eq!(play(acts, limits, &|_, _| true), whole, "byte by byte");
    for (i, act) in acts.iter().enumerate() {
        if let C(bytes) | S(bytes) = act {
            for at in 1..bytes.len().min(1000) {
                let cut = play(acts, limits, &|act, to| (act, to) == (i, at));
                assert_eq!(cut, whole, "cut at {at} of act {i}");
            }
        }
    }
    whole
}

fn lawful(acts: &[Act<'_>]) -> Outcome {
    lawful_with(acts, &Limits::default())
}

/// The one exchange that a conversation of one step gives.
fn only(outcome: &Outcome) -> &Exchange {
    match outcome.steps.as_slice() {
        [Step::Switched(e) | Step::Refused(e) | Step::Unanswered(e)] => e,
        other => panic!("{other:?}"),
    }
}

fn head(exchange: &Exchange) -> &ResponseHead {
    match &exchange.answer {
        Answer::Head(head) | Answer::Partial(head) => head,
        other => panic!("{other:?}"),
    }
}

fn target(exchange: &Exchange) -> &str {
    exchange.request.as_ref().map_or("", |r| r.target.as_str())
}

fn held_bytes(held: &Held) -> Vec<u8> {
    held.pieces()
        .flat_map(|p| match p {
            HeldPiece::Data { bytes, .. } => bytes.to_vec(),
            HeldPiece::Gap { .. } => Vec::new(),
        })
        .collect()
}

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const PLAIN: &[u8] = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n";
const OK2: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// RFC 6455 section 5.7: "Hello", unmasked, and masked.
const HELLO: &[u8] = b"\x81\x05Hello";
const MASKED: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

mod refusals {
    use super::*;

    #[test]
    fn another_attempt_may_follow_a_refused_one() {
        let refuse = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!";
        let got = lawful(&[C(REQUEST), S(refuse), C(REQUEST), S(SWITCH)]);
        let [Step::Refused(a), Step::Switched(b)] = got.steps.as_slice() else { panic!("{got:?}") };
        assert_eq!((head(a).status, head(b).status), (401, 101));
        assert_eq!((&a.early, &b.early), (&None, &None));
    }

    #[test]
    fn requests_held_behind_a_refused_attempt_are_read_then() {
        let refuse = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        let sent = [REQUEST, PLAIN, REQUEST, MASKED].concat();
        let got = lawful(&[C(&sent), S(&[refuse, OK2, SWITCH, HELLO].concat())]);
        let [Step::Refused(a), Step::Switched(b)] = got.steps.as_slice() else { panic!("{got:?}") };
        assert_eq!(a.early, None);
        assert_eq!((head(b).status, b.early), (101, Some((packet(1), 11))));
        assert_eq!(held_bytes(&got.held), MASKED);
        assert_eq!(got.rest, HELLO);
    }

    #[test]
    fn frames_behind_a_refused_attempt_are_no_http() {
        let got = lawful(&[C(&[REQUEST, MASKED].concat()), S(OK2), S(OK2)]);
        let [Step::Refused(e), Step::NotOurs] = got.steps.as_slice() else { panic!("{got:?}") };
        assert_eq!(e.early, Some((packet(1), 11)));
    }

    #[test]
    fn response_to_the_end_of_the_connection_is_a_refusal_at_its_head() {
        let got =
            lawful(&[C(REQUEST), S(b"HTTP/1.1 200 OK\r\n\r\n<html>HTTP/1.1 101 x\r\n\r\n"), FinS]);
        assert!(matches!(got.steps[..], [Step::Refused(_)]), "{got:?}");
        assert_eq!(got.last, None);
    }

    #[test]
    fn answer_before_the_end_of_the_request_answers_what_was_seen() {
        let refuse = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n";
        let cut = REQUEST.len() - 9;
        let got =
            lawful(&[C(&REQUEST[..cut]), S(refuse), C(&REQUEST[cut..]), C(REQUEST), S(SWITCH)]);
        let [Step::Refused(a), Step::Switched(b)] = got.steps.as_slice() else { panic!("{got:?}") };
        assert!(a.request_partial && !b.request_partial);
        assert_eq!((target(a), head(a).status), ("/chat", 431));
    }
}

mod tunnels {
    use super::*;

    const CONNECT: &[u8] = b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n";

    #[test]
    fn accepted_connect_gives_way_to_what_is_inside() {
        let accept = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        let got = lawful(&[C(&[CONNECT, REQUEST].concat()), S(&[accept, HELLO].concat())]);
        assert_eq!(got.steps, [Step::Tunnel]);
        assert_eq!(held_bytes(&got.held), REQUEST);
        assert_eq!(got.rest, HELLO);
    }

    #[test]
    fn refused_connect_leaves_http_going_on() {
        let refuse = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno";
        let got = lawful(&[C(CONNECT), S(refuse), C(CONNECT), S(b"HTTP/1.1 200 OK\r\n\r\n")]);
        assert_eq!(got.steps, [Step::Tunnel]);
        // Pipelined: the attempt behind it was meant for the proxy.
        let got = lawful(&[C(&[CONNECT, REQUEST].concat()), S(&[refuse, SWITCH].concat())]);
        assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    }
}

mod ends {
    use super::*;

    #[test]
    fn end_before_the_answer_is_told_with_what_was_seen() {
        let got = lawful(&[C(REQUEST), FinS]);
        assert_eq!(only(&got).answer, Answer::Cut { seen: 0, by: CutBy::Fin(ToClient, packet(2)) });
        let got = lawful(&[C(REQUEST), S(&SWITCH[..49]), RstS]);
        assert_eq!(
            only(&got).answer,
            Answer::Cut { seen: 49, by: CutBy::Reset(ToClient, packet(3)) }
        );
        let got = lawful(&[C(REQUEST), RstC]);
        assert_eq!(
            only(&got).answer,
            Answer::Cut { seen: 0, by: CutBy::Reset(ToServer, packet(2)) }
        );
        let got = lawful(&[C(REQUEST), S(b"HTTP/1.1 100 Continue\r\n\r\n")]);
        let last = got.last.unwrap();
        assert_eq!(last.answer, Answer::Cut { seen: 0, by: CutBy::CaptureEnd });
        assert_eq!(last.interim, [100]);
    }

    #[test]
    fn server_may_answer_after_the_clients_fin() {
        let got = lawful(&[C(REQUEST), FinC, S(SWITCH)]);
        assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
    }

    #[test]
    fn a_client_that_left_before_any_answer_is_the_one_that_broke_off() {
        let left = CutBy::Fin(ToServer, packet(2));
        let got = lawful(&[C(REQUEST), FinC, FinS]);
        assert_eq!(only(&got).answer, Answer::Cut { seen: 0, by: left });
        let got = lawful(&[C(REQUEST), FinC, RstS]);
        assert_eq!(only(&got).answer, Answer::Cut { seen: 0, by: left });
        let got = lawful(&[C(REQUEST), FinC]);
        assert_eq!(got.last.unwrap().answer, Answer::Cut { seen: 0, by: left });
        // The server was still answering, and stopped.
        let got = lawful(&[C(REQUEST), FinC, S(&SWITCH[..49]), FinS]);
        let by = CutBy::Fin(ToClient, packet(4));
        assert_eq!(only(&got).answer, Answer::Cut { seen: 49, by });
        let got = lawful(&[FinS, C(REQUEST)]);
        let by = CutBy::Fin(ToClient, packet(1));
        assert_eq!(got.last.unwrap().answer, Answer::Cut { seen: 0, by });
    }

    #[test]
    fn request_cut_off_in_its_head_is_an_attempt_where_it_shows() {
        let got = lawful(&[C(&REQUEST[..70]), RstC]);
        let e = only(&got);
        assert!(e.request_partial);
        assert_eq!(target(e), "/chat");
        let got = lawful(&[C(&REQUEST[..60]), RstC]);
        assert_eq!(got.steps, []);
    }

    #[test]
    fn frames_after_a_request_without_any_server_packet_tell_that_its_answer_is_missing() {
        let got = lawful(&[C(REQUEST), C(MASKED), FinC]);
        let last = got.last.unwrap();
        assert_eq!(last.answer, Answer::Missing);
        assert_eq!(held_bytes(&got.held), MASKED);
    }

    #[test]
    fn answer_that_is_no_http_is_shown() {
        let got = lawful(&[C(REQUEST), S(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")]);
        let Step::Unanswered(e) = &got.steps[0] else { panic!("{got:?}") };
        let start = (*b"SSH-2.0-OpenSSH_9.2\r\n").into();
        assert_eq!(e.answer, Answer::NotHttp { start, origin: packet(2) });
        let got = lawful(&[C(REQUEST), S(b"HTTP/9 what\nmore")]);
        let start = (*b"HTTP/9 what\n").into();
        assert_eq!(only(&got).answer, Answer::NotHttp { start, origin: packet(2) });
        let got = lawful(&[C(REQUEST), S(&[b'x'; 100])]);
        assert_eq!(
            only(&got).answer,
            Answer::NotHttp { start: [b'x'; 64].into(), origin: packet(2) }
        );
        for end in [FinS, RstC, GapS(9), C(b"more")] {
            let got = lawful(&[C(REQUEST), S(b"ICY 200 OK"), end]);
            let start = (*b"ICY 200 OK").into();
            assert_eq!(only(&got).answer, Answer::NotHttp { start, origin: packet(2) });
        }
    }
}

mod limits {
    use super::*;

    fn small() -> Limits {
        Limits { head_bytes: 200, ..Limits::default() }
    }

    #[test]
    fn plain_request_over_the_limit_is_not_ours() {
        let head = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 300]].concat();
        assert_eq!(lawful_with(&[C(&head)], &small()).steps, [Step::NotOurs]);
        assert_eq!(lawful_with(&[C(&[b'G'; 300])], &small()).steps, [Step::NotOurs]);
        let line = [b"GET /".to_vec(), vec![b'a'; 300]].concat();
        assert_eq!(lawful_with(&[C(&line)], &small()).steps, [Step::NotOurs]);
    }

    #[test]
    fn attempt_over_the_limit_is_one_with_fields_missing() {
        let mut head = REQUEST[..REQUEST.len() - 2].to_vec();
        head.extend_from_slice(b"Cookie: ");
        head.extend_from_slice(&[b'a'; 300]);
        head.extend_from_slice(b"\r\n\r\n");
        head.extend_from_slice(MASKED);
        let got = lawful_with(&[C(&head), S(SWITCH)], &small());
        assert!(matches!(got.steps[..], [Step::Switched(_)]), "{got:?}");
        assert!(only(&got).request_partial);
        let notes = &only(&got).request.as_ref().unwrap().notes;
        assert!(notes[0].text.contains("more than 200 bytes"), "{notes:?}");
        assert_eq!(held_bytes(&got.held), MASKED);
    }

    #[test]
    fn response_over_the_limit_is_partial() {
        let answer = [SWITCH, &[b'a'; 300]].concat();
        let answer = answer.strip_prefix(SWITCH).unwrap();
        let answer = [&SWITCH[..SWITCH.len() - 2], b"X: ", answer, b"\r\n\r\n"].concat();
        let got = lawful_with(&[C(REQUEST), S(&answer)], &small());
        let e = only(&got);
        assert!(matches!(&e.answer, Answer::Partial(h) if h.fields.0.len() == 3), "{e:?}");
    }

    #[test]
    fn head_in_single_bytes_is_looked_at_once() {
        // 200 KB in pieces of one byte: minutes if each looked at all before it.
        let mut head = REQUEST[..REQUEST.len() - 2].to_vec();
        head.extend_from_slice(b"Cookie: ");
        head.resize(head.len() + 200_000, b'a');
        head.extend_from_slice(b"\r\n\r\n");
        let got = play(&[C(&head), S(SWITCH)], &Limits::default(), &|_, _| true);
        assert!(matches!(got.steps[..], [Step::Switched(_)]));
    }
}

mod dropped {
    use super::*;

    #[test]
    fn request_dropped_by_the_limit_while_held_is_settled_at_the_next_response() {
        // What is held behind the first attempt ends in the middle of the second.
        let limits = Limits { held_bytes: 150, ..Limits::default() };
        let refuse = b"HTTP/1.1 401 no\r\nContent-Length: 2\r\n\r\nno";
        let got =
            lawful_with(&[C(REQUEST), C(REQUEST), S(&[&refuse[..], SWITCH].concat())], &limits);
        let [Step::Refused(a), Step::Switched(b)] = got.steps.as_slice() else { panic!("{got:?}") };
        assert!(!a.request_partial && b.request_partial);
        assert_eq!(target(b), "/chat");
    }
}

mod proxy_protocol {
    use super::*;

    #[test]
    fn version_1_is_skipped_and_recorded() {
        let sent = [b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 80\r\n", REQUEST].concat();
        let got = lawful(&[C(&sent), S(SWITCH)]);
        assert_eq!(only(&got).proxy_protocol, Some(1));
        assert_eq!(target(only(&got)), "/chat");
    }

    #[test]
    fn version_2_is_skipped_by_its_length() {
        // PROXY command over TCP and IPv4: 12 bytes of addresses and ports.
        let header =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x50";
        let got = lawful(&[C(&[header, PLAIN, REQUEST].concat()), S(&[OK2, SWITCH].concat())]);
        assert_eq!(only(&got).proxy_protocol, Some(2));
        // LOCAL command without addresses.
        let header = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        let got = lawful(&[C(&[header, REQUEST].concat()), S(SWITCH)]);
        assert_eq!(only(&got).proxy_protocol, Some(2));
    }

    #[test]
    fn empty_lines_before_the_first_request_are_none() {
        let got = lawful(&[C(&[b"\r\n\r\n\n", REQUEST].concat()), S(SWITCH)]);
        assert_eq!(only(&got).proxy_protocol, None);
        assert_eq!(target(only(&got)), "/chat");
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    fn act(what: u8, bytes: &[u8]) -> Vec<u8> {
        let len = u8::try_from(bytes.len()).unwrap();
        [&[what, len], bytes].concat()
    }

    fn any_act() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            REQUEST,
            SWITCH,
            PLAIN,
            OK2,
            HELLO,
            MASKED,
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 401 no\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"CONNECT a:80 HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\nContent-Length: 4\n\nbody",
            b"PROXY UNKNOWN\r\n",
            b"\r\n",
        ]);
        (known, 0..2u8, any::<(u8, u8, u8)>()).prop_map(|(bytes, dir, (kind, a, b))| {
            let len = bytes.len();
            match kind % 16 {
                0 => vec![dir | 6 << 1, a],
                1 => vec![dir | 7 << 1, a],
                2 => act(dir, &bytes[..usize::from(a) % (len + 1)]),
                3 => act(dir, &bytes[usize::from(a) % (len + 1)..]),
                4 => {
                    let mut changed = bytes.to_vec();
                    changed[usize::from(a) % len] = b;
                    act(dir, &changed)
                }
                _ => act(dir, bytes),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn conversations_obey_the_law_of_splits(acts in prop::collection::vec(any_act(), 0..12)) {
            fuzz_http(&acts.concat());
        }

        #[test]
        fn any_bytes_obey_the_law_of_splits(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            fuzz_http(&bytes);
        }
    }
}
