use super::super::testkit::*;
use super::super::*;
use crate::event::{EndHow, MessageKind};
use crate::units::Direction::{ToClient, ToServer};

mod at_random;

const OTHER_KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEA==";

/// Ports of the client and the server leg of each pair, and how it was matched.
fn pairs_of(captures: Vec<Kit>) -> Vec<(u16, Option<u16>, MatchedBy)> {
    let captures = captures.into_iter().map(Kit::collected).collect();
    let report = compare(captures, &Options::default());
    let port = |at: usize| report.legs[at].client.port();
    report.pairs.iter().map(|p| (port(p.client), p.server.map(port), p.matched_by)).collect()
}

fn key_of(n: usize) -> String {
    use base64::Engine as _;
    let mut bytes = [7_u8; 16];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn key_that_survives_pairs() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[(":path", "/a")]);
    let mut s = kit.open(50001, 8088, KEY, &[(":path", "/b"), ("User-Agent", "proxy")]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), [(40001, Some(50001), MatchedBy::Key)]);
}

#[test]
fn client_that_repeats_its_key_to_one_server_is_no_pair() {
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    let mut two = kit.open(40002, 80, KEY, &[]);
    two.answered(&mut kit, 101, &[]);
    one.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn client_that_repeats_its_key_to_another_server_later_is_no_pair() {
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    one.answered(&mut kit, 101, &[]);
    one.end(&mut kit, EndHow::Fin, Some(ToServer));
    let mut two = kit.open(40002, 81, KEY, &[]);
    two.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn chain_is_a_pair_for_each_proxy_and_never_over_one() {
    let mut kit = Kit::new();
    let mut a = kit.open(40001, 8090, KEY, &[]);
    let mut b = kit.open(50001, 8091, KEY, &[]);
    let mut c = kit.open(60001, 8088, KEY, &[]);
    for leg in [&mut c, &mut b, &mut a] {
        leg.answered(&mut kit, 101, &[]);
    }
    assert_eq!(
        pairs_of(vec![kit]),
        [
            (60001, None, MatchedBy::Key),
            (50001, Some(60001), MatchedBy::Key),
            (40001, Some(50001), MatchedBy::Key),
        ]
        .into_iter()
        .filter(|p| p.1.is_some())
        .collect::<Vec<_>>()
    );
}

#[test]
fn chain_through_a_proxy_that_makes_its_own_key_is_paired_whole() {
    let mut kit = Kit::new();
    let mut a = kit.open(40001, 8090, KEY, &[]);
    let mut b = kit.open(50001, 8091, KEY, &[("X-Forwarded-For", "127.0.0.1")]);
    let more = [("X-Forwarded-For", "127.0.0.1, 127.0.0.1")];
    let mut c = kit.open(60001, 8088, OTHER_KEY, &more);
    for leg in [&mut c, &mut b, &mut a] {
        leg.answered(&mut kit, 101, &[]);
    }
    let mut pairs = pairs_of(vec![kit]);
    pairs.sort_by_key(|p| p.0);
    assert_eq!(
        pairs,
        [(40001, Some(50001), MatchedBy::Key), (50001, Some(60001), MatchedBy::Headers)]
    );
}

#[test]
fn chain_of_proxies_that_all_make_their_own_key_is_told_by_what_each_appends() {
    let mut kit = Kit::new();
    let mut a = kit.open(40001, 8090, &key_of(1), &[]);
    let mut b = kit.open(50001, 8091, &key_of(2), &[("X-Forwarded-For", "127.0.0.1")]);
    let more = [("X-Forwarded-For", "127.0.0.1, 127.0.0.1")];
    let mut c = kit.open(60001, 8088, &key_of(3), &more);
    for leg in [&mut c, &mut b, &mut a] {
        leg.answered(&mut kit, 101, &[]);
    }
    let mut pairs = pairs_of(vec![kit]);
    pairs.sort_by_key(|p| p.0);
    assert_eq!(
        pairs,
        [(40001, Some(50001), MatchedBy::Headers), (50001, Some(60001), MatchedBy::Headers)]
    );
}

#[test]
fn own_handshake_of_the_proxy_is_found_by_its_messages() {
    let mut kit = Kit::new();
    let other = [(":path", "/inner"), ("User-Agent", "-"), ("Host", "inner")];
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, OTHER_KEY, &other);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    for text in ["one", "two", "three"] {
        c.data(&mut kit, ToServer, MessageKind::Text, text.as_bytes());
        s.data(&mut kit, ToServer, MessageKind::Text, text.as_bytes());
        s.data(&mut kit, ToClient, MessageKind::Text, text.as_bytes());
        c.data(&mut kit, ToClient, MessageKind::Text, text.as_bytes());
    }
    assert_eq!(pairs_of(vec![kit]), [(40001, Some(50001), MatchedBy::Payload)]);
}

#[test]
fn one_message_that_happens_to_be_equal_makes_no_pair() {
    let mut kit = Kit::new();
    let other = [(":path", "/other"), ("User-Agent", "-"), ("Host", "other")];
    let mut one = kit.open(40001, 80, KEY, &[]);
    let mut two = kit.open(50001, 8088, OTHER_KEY, &other);
    two.answered(&mut kit, 101, &[]);
    one.answered(&mut kit, 101, &[]);
    one.data(&mut kit, ToServer, MessageKind::Text, b"give me the price");
    two.data(&mut kit, ToServer, MessageKind::Text, b"how is the weather");
    two.data(&mut kit, ToClient, MessageKind::Text, b"101");
    one.data(&mut kit, ToClient, MessageKind::Text, b"101");
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn message_that_the_proxy_sent_twice_is_no_contradiction() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, OTHER_KEY, &[("X-Forwarded-For", "127.0.0.1")]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    for n in 0..4 {
        c.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        s.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        if n == 0 {
            s.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        }
    }
    assert_eq!(pairs_of(vec![kit]), [(40001, Some(50001), MatchedBy::Headers)]);
}

/// Two connections and what each sends or gets: the leg, the way, the text.
fn told_in_turn(kit: &mut Kit, legs: &mut [&mut Open], talk: &[(usize, Direction, &str)]) {
    for &(leg, dir, text) in talk {
        legs[leg].data(kit, dir, MessageKind::Text, text.as_bytes());
    }
}

#[test]
fn two_clients_who_say_the_same_to_two_servers_are_no_pair() {
    // The first one's handshake happens to hold the second's, which is ahead with every message.
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    let mut two = kit.open(40002, 81, OTHER_KEY, &[]);
    two.answered(&mut kit, 101, &[]);
    told_in_turn(&mut kit, &mut [&mut two], &[(0, ToServer, "hello"), (0, ToClient, "hello")]);
    one.answered(&mut kit, 101, &[]);
    let talk = [
        (0, ToServer, "hello"),
        (0, ToClient, "hello"),
        (1, ToServer, "again"),
        (1, ToClient, "again"),
        (0, ToServer, "again"),
        (0, ToClient, "again"),
        (1, ToServer, "bye"),
        (1, ToClient, "bye"),
    ];
    told_in_turn(&mut kit, &mut [&mut one, &mut two], &talk);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn copies_that_come_before_their_originals_are_no_copies_whatever_was_injected_before_them() {
    // A greeting of one server only keeps the two lists from beginning alike.
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    one.answered(&mut kit, 101, &[]);
    told_in_turn(&mut kit, &mut [&mut one], &[(0, ToClient, "welcome")]);
    let mut two = kit.open(40002, 81, OTHER_KEY, &[]);
    two.answered(&mut kit, 101, &[]);
    for text in ["hello", "more", "bye"] {
        let talk =
            [(0, ToServer, text), (0, ToClient, text), (1, ToServer, text), (1, ToClient, text)];
        told_in_turn(&mut kit, &mut [&mut one, &mut two], &talk);
    }
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn two_messages_alike_among_many_that_nobody_sent_are_no_pair() {
    let mut kit = Kit::new();
    let browser = [("User-Agent", "Firefox"), ("Origin", "http://page.example")];
    let mut one = kit.open(40001, 80, KEY, &browser);
    one.answered(&mut kit, 101, &[]);
    let talk = ["hello", "", "a", "b", "c"];
    let both = talk.iter().flat_map(|text| [(0, ToServer, *text), (0, ToClient, *text)]);
    told_in_turn(&mut kit, &mut [&mut one], &both.collect::<Vec<_>>());
    let other = [("User-Agent", "Chromium"), ("Origin", "http://page.example")];
    let mut two = kit.open(40002, 81, OTHER_KEY, &other);
    two.answered(&mut kit, 101, &[]);
    told_in_turn(&mut kit, &mut [&mut two], &[(0, ToServer, "hello"), (0, ToServer, "")]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn legs_that_fit_only_if_messages_were_injected_are_not_paired_for_want_of_others() {
    let tick = |excused: bool| {
        let mut kit = Kit::new();
        let mut c = kit.open(40001, 80, KEY, &[]);
        let mut s = kit.open(50001, 8088, OTHER_KEY, &[("User-Agent", "-"), (":path", "/")]);
        s.answered(&mut kit, 101, &[]);
        c.answered(&mut kit, 101, &[]);
        if excused {
            s.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        }
        c.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        s.data(&mut kit, ToServer, MessageKind::Text, b"tick");
        pairs_of(vec![kit]).len()
    };
    assert_eq!((tick(false), tick(true)), (1, 0));
}

#[test]
fn attempt_that_ended_without_an_answer_is_not_carried_on_later() {
    use crate::note::{Blame, Note, NoteCode};
    let pairs = |note: Option<Note>| {
        let mut kit = Kit::new();
        let mut one = kit.open(40001, 80, KEY, &[]);
        one.notes.extend(note);
        one.answered(&mut kit, 0, &[]);
        let mut two = kit.open(40002, 81, KEY, &[]);
        two.answered(&mut kit, 400, &[]);
        pairs_of(vec![kit]).len()
    };
    let lacking = |blame| Some(Note::new(NoteCode::HandshakeIncomplete, blame, "closed"));
    assert_eq!(pairs(Some(Note::new(NoteCode::ResponseNotHttp, Blame::Server, "no HTTP"))), 0);
    assert_eq!(pairs(lacking(Blame::Server)), 0);
    // What the capture lacks ends nothing.
    assert_eq!((pairs(lacking(Blame::Capture)), pairs(None)), (1, 1));
}

#[test]
fn leg_whose_handshake_was_not_captured_may_be_older_than_what_was_seen_of_it() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, OTHER_KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    told_in_turn(&mut kit, &mut [&mut s], &[(0, ToServer, "one"), (0, ToClient, "ONE")]);
    c.joined(&mut kit);
    let talk = [
        (0, ToClient, "ONE"),
        (0, ToServer, "two"),
        (1, ToServer, "two"),
        (1, ToClient, "TWO"),
        (0, ToClient, "TWO"),
        (0, ToServer, "three"),
        (1, ToServer, "three"),
        (1, ToClient, "THREE"),
        (0, ToClient, "THREE"),
    ];
    told_in_turn(&mut kit, &mut [&mut c, &mut s], &talk);
    assert_eq!(pairs_of(vec![kit]), [(40001, Some(50001), MatchedBy::Payload)]);
}

#[test]
fn legs_of_which_nothing_tells_the_order_are_paired_by_answers_within_answers_only() {
    // What both servers broadcast comes in the one order or in the other.
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    one.answered(&mut kit, 101, &[]);
    let mut two = kit.open(40002, 81, OTHER_KEY, &[]);
    two.joined(&mut kit);
    for n in 0..9 {
        for leg in [&mut one, &mut two] {
            leg.data(&mut kit, ToClient, MessageKind::Text, format!("news {n}").as_bytes());
        }
    }
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn two_connections_of_one_page_to_two_servers_are_no_pair() {
    let mut kit = Kit::new();
    kit.client_ip = "192.0.2.10";
    kit.server_ip = "198.51.100.1";
    let origin = [("Origin", "https://page.example"), (":path", "/")];
    let mut one = kit.open(40001, 443, KEY, &origin);
    kit.server_ip = "198.51.100.2";
    let mut two = kit.open(40002, 443, OTHER_KEY, &origin);
    two.answered(&mut kit, 101, &[]);
    one.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn messages_that_differ_speak_against_like_heads() {
    let mut kit = Kit::new();
    let mut one = kit.open(40001, 80, KEY, &[]);
    let mut two = kit.open(40002, 81, OTHER_KEY, &[]);
    two.answered(&mut kit, 101, &[]);
    one.answered(&mut kit, 101, &[]);
    for n in 0..3 {
        one.data(&mut kit, ToServer, MessageKind::Text, format!("a{n}").as_bytes());
        two.data(&mut kit, ToServer, MessageKind::Text, format!("b{n}").as_bytes());
    }
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn sent_before_the_client_leg_it_can_not_be_its_server_leg() {
    let mut kit = Kit::new();
    let mut s = kit.open(50001, 8088, OTHER_KEY, &[("X-Forwarded-For", "127.0.0.1")]);
    s.answered(&mut kit, 101, &[]);
    let mut c = kit.open(40001, 80, KEY, &[]);
    c.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn alike_and_at_once_is_not_guessed() {
    let mut kit = Kit::new();
    let keys: Vec<String> = (0..4).map(key_of).collect();
    let mut c1 = kit.open(40001, 80, &keys[0], &[]);
    let mut c2 = kit.open(40002, 80, &keys[1], &[]);
    let mut s1 = kit.open(50001, 8088, &keys[2], &[("X-Forwarded-For", "127.0.0.1")]);
    let mut s2 = kit.open(50002, 8088, &keys[3], &[("X-Forwarded-For", "127.0.0.1")]);
    for leg in [&mut s1, &mut s2, &mut c1, &mut c2] {
        leg.answered(&mut kit, 101, &[]);
    }
    let report = compare(vec![kit.collected()], &Options::default());
    assert_eq!(report.pairs.len(), 0);
    assert_eq!(report.unpaired.len(), 4);
    let undecided = |unpaired: &Unpaired| unpaired.why.contains("equally well");
    assert!(report.unpaired.iter().all(undecided), "{:?}", report.unpaired);
}

#[test]
fn requests_at_once_for_different_targets_are_told_apart_by_them() {
    let pairs = |far: [&str; 2]| {
        let mut kit = Kit::new();
        let keys: Vec<String> = (0..4).map(key_of).collect();
        let (b, c) = ([(":path", "/app/b")], [(":path", "/app/c")]);
        let forwarded = ("X-Forwarded-For", "127.0.0.1");
        let mut c1 = kit.open(40001, 80, &keys[0], &b);
        let mut c2 = kit.open(40002, 80, &keys[1], &c);
        let mut s2 = kit.open(50002, 8088, &keys[3], &[forwarded, (":path", far[1])]);
        let mut s1 = kit.open(50001, 8088, &keys[2], &[forwarded, (":path", far[0])]);
        for leg in [&mut s1, &mut s2, &mut c1, &mut c2] {
            leg.answered(&mut kit, 101, &[]);
        }
        pairs_of(vec![kit]).iter().map(|p| (p.0, p.1)).collect::<Vec<_>>()
    };
    let right = [(40001, Some(50001)), (40002, Some(50002))];
    assert_eq!(pairs(["/app/b", "/app/c"]), right);
    assert_eq!(pairs(["/b", "/c"]), right);
    // The proxy rewrites both, one of them to what the other client asked for.
    assert_eq!(pairs(["/app/c", "/app/d"]), []);
}

#[test]
fn handshakes_one_after_the_other_settle_each_other() {
    // Each client is answered before the next asks: the times leave one way only.
    let mut kit = Kit::new();
    for n in 0..20_u16 {
        let (near, far) = (key_of(usize::from(n)), key_of(usize::from(n) + 1000));
        let mut c = kit.open(40000 + n, 80, &near, &[]);
        let mut s = kit.open(50000 + n, 8088, &far, &[("X-Forwarded-For", "127.0.0.1")]);
        s.answered(&mut kit, 101, &[]);
        c.answered(&mut kit, 101, &[]);
    }
    let pairs = pairs_of(vec![kit]);
    assert_eq!(pairs.len(), 20);
    assert!(pairs.iter().all(|p| p.1 == Some(p.0 + 10000)), "{pairs:?}");
}

#[test]
fn five_hundred_at_once_with_equal_heads_and_messages_pair_by_their_keys() {
    let mut kit = Kit::new();
    let mut legs: Vec<_> =
        (0..500_u16).map(|n| (kit.open(20000 + n, 80, &key_of(usize::from(n)), &[]), n)).collect();
    let mut far: Vec<_> = (0..500_u16)
        .rev()
        .map(|n| kit.open(30000 + n, 8088 + n % 3, &key_of(usize::from(n)), &[]))
        .collect();
    for leg in &mut far {
        leg.answered(&mut kit, 101, &[]);
    }
    for (leg, _) in &mut legs {
        leg.answered(&mut kit, 101, &[]);
    }
    for (leg, _) in &mut legs {
        leg.data(&mut kit, ToServer, MessageKind::Text, b"hello");
    }
    for leg in &mut far {
        leg.data(&mut kit, ToServer, MessageKind::Text, b"hello");
    }
    let pairs = pairs_of(vec![kit]);
    assert_eq!(pairs.len(), 500);
    assert!(pairs.iter().all(|p| p.1 == Some(p.0 + 10000)));
}

#[test]
fn retry_at_another_upstream_is_the_one_whose_answer_went_back() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut bad = kit.open(50001, 8088, KEY, &[]);
    bad.answered(&mut kit, 502, &[]);
    let mut good = kit.open(50002, 8089, KEY, &[]);
    good.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]).first(), Some(&(40001, Some(50002), MatchedBy::Key)));
}

#[test]
fn answer_502_without_a_server_leg_is_not_forwarded() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    c.answered(&mut kit, 502, &[]);
    let report = compare(vec![kit.collected()], &Options::default());
    assert_eq!(report.pairs[0].server, None);
    assert_eq!(told(&report.pairs[0].alterations), [("not-forwarded", "request", false)]);
}

#[test]
fn refusal_at_an_address_where_others_were_sent_on_is_not_forwarded() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let mut refused = kit.open(40002, 80, OTHER_KEY, &[]);
    refused.answered(&mut kit, 403, &[]);
    let pairs = pairs_of(vec![kit]);
    assert_eq!(pairs.iter().filter(|p| p.1.is_none()).map(|p| p.0).collect::<Vec<_>>(), [40002]);
}

#[test]
fn refusal_by_who_may_be_the_server_itself_is_no_pair() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    c.answered(&mut kit, 403, &[]);
    assert_eq!(pairs_of(vec![kit]), []);
}

#[test]
fn request_whose_answer_the_capture_lacks_is_not_called_not_forwarded() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let mut other = kit.open(40002, 80, OTHER_KEY, &[]);
    other.answered(&mut kit, 0, &[]);
    other.end(&mut kit, EndHow::CaptureEnd, None);
    let mut silent = kit.open(40003, 80, &key_of(3), &[]);
    silent.answered(&mut kit, 0, &[]);
    silent.end(&mut kit, EndHow::Fin, Some(ToClient));
    let pairs = pairs_of(vec![kit]);
    assert_eq!(pairs.iter().filter(|p| p.1.is_none()).map(|p| p.0).collect::<Vec<_>>(), [40003]);
}

#[test]
fn refusal_in_a_capture_with_holes_is_not_forwarded_only_by_its_own_word() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    s.gap(&mut kit, ToClient);
    for (port, status) in [(40002, 403), (40003, 502)] {
        let mut refused = kit.open(port, 80, &key_of(usize::from(port)), &[]);
        refused.answered(&mut kit, status, &[]);
    }
    let pairs = pairs_of(vec![kit]);
    assert_eq!(pairs.iter().filter(|p| p.1.is_none()).map(|p| p.0).collect::<Vec<_>>(), [40003]);
}

#[test]
fn refusal_is_not_called_not_forwarded_while_a_leg_that_may_carry_it_is_free() {
    let mut kit = Kit::new();
    let keys: Vec<String> = (0..4).map(key_of).collect();
    let mut c1 = kit.open(40001, 80, &keys[0], &[]);
    let mut c2 = kit.open(40002, 80, &keys[1], &[]);
    let mut s1 = kit.open(50001, 8088, &keys[2], &[]);
    let mut s2 = kit.open(50002, 8088, &keys[3], &[]);
    for leg in [&mut s1, &mut s2, &mut c1, &mut c2] {
        leg.answered(&mut kit, 502, &[]);
    }
    assert_eq!(pairs_of(vec![kit]), []);
}

/// A proxy that answers each client at once and asks its upstream then: with its own key, name and
/// white space. The server refuses the last one.
fn hasty(kit: &mut Kit) {
    let near = [("Sec-WebSocket-Protocol", "a, b")];
    let far = [("Sec-WebSocket-Protocol", "a,b"), ("User-Agent", "proxy")];
    for n in 0..3_u16 {
        let mut c = kit.open(40000 + n, 80, &key_of(usize::from(n)), &near);
        c.answered(kit, 101, &[]);
        let mut s = kit.open(50000 + n, 8088, &key_of(usize::from(n) + 100), &far);
        if n == 2 {
            s.answered(kit, 403, &[]);
            s.end(kit, EndHow::Fin, Some(ToClient));
            c.data(kit, ToClient, MessageKind::Close, b"\x03\xf3");
            c.end(kit, EndHow::HalfClose, Some(ToClient));
            continue;
        }
        s.answered(kit, 101, &[]);
        c.data(kit, ToServer, MessageKind::Text, b"one");
        s.data(kit, ToServer, MessageKind::Text, b"one");
        s.data(kit, ToClient, MessageKind::Text, b"two");
        c.data(kit, ToClient, MessageKind::Text, b"two");
        c.end(kit, EndHow::Fin, Some(ToServer));
        s.end(kit, EndHow::Fin, Some(ToServer));
    }
}

#[test]
fn client_taken_on_before_its_upstream_refused_is_a_pair() {
    let mut kit = Kit::new();
    hasty(&mut kit);
    let pairs = pairs_of(vec![kit]);
    assert_eq!(
        pairs,
        [
            (40000, Some(50000), MatchedBy::Payload),
            (40001, Some(50001), MatchedBy::Payload),
            (40002, Some(50002), MatchedBy::Time),
        ]
    );
}

#[test]
fn client_taken_on_before_its_upstream_refused_is_a_pair_in_two_captures() {
    // The clocks agree to two milliseconds only: which answer came first is not to be told.
    let (mut client, mut server) = (Kit::side(0), Kit::side(1));
    for n in 0..2_u16 {
        let start = i64::from(n) * 500 * MS;
        client.at(start);
        let mut c = client.open(40000 + n, 80, &key_of(usize::from(n)), &[]);
        client.at(start + 3 * MS);
        c.answered(&mut client, 101, &[]);
        server.at(start + MS);
        let mut s = server.open(50000 + n, 8088, &key_of(usize::from(n) + 100), &[]);
        server.at(start + 2 * MS);
        s.answered(&mut server, if n == 0 { 101 } else { 403 }, &[]);
        if n == 0 {
            client.at(start + 10 * MS);
            c.data(&mut client, ToServer, MessageKind::Text, b"one");
            server.at(start + 11 * MS);
            s.data(&mut server, ToServer, MessageKind::Text, b"one");
        }
    }
    let pairs = pairs_of(vec![client, server]);
    assert_eq!(
        pairs.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(),
        [(40000, Some(50000)), (40001, Some(50001)),]
    );
}

#[test]
fn handshake_within_another_proves_nothing_where_the_proxy_answers_at_once() {
    // The first is answered before the upstream is asked, the second while it is: its handshake
    // happens to hold that of the first.
    let mut kit = Kit::new();
    let mut c1 = kit.open(40001, 80, &key_of(1), &[]);
    c1.answered(&mut kit, 101, &[]);
    let mut c2 = kit.open(40002, 80, &key_of(2), &[]);
    let mut s1 = kit.open(50001, 8088, &key_of(101), &[]);
    s1.answered(&mut kit, 101, &[]);
    c2.answered(&mut kit, 101, &[]);
    let mut s2 = kit.open(50002, 8088, &key_of(102), &[]);
    s2.answered(&mut kit, 101, &[]);
    for leg in [&mut c1, &mut c2, &mut s1, &mut s2] {
        leg.data(&mut kit, ToServer, MessageKind::Text, b"hi");
    }
    for leg in [&mut s1, &mut s2, &mut c1, &mut c2] {
        leg.data(&mut kit, ToClient, MessageKind::Text, b"ho");
    }
    let pairs = pairs_of(vec![kit]);
    assert!(pairs.iter().all(|p| p.1 == Some(p.0 + 10000)), "{pairs:?}");
}

/// Two captures of one proxied connection; the second clock is a minute ahead.
fn two_sides(near: &[&str], far: &[&str]) -> Vec<Kit> {
    let (mut client, mut server) = (Kit::side(0), Kit::side(1));
    for n in 0..near.len().max(far.len()) {
        let start = i64::try_from(n).unwrap() * 10 * MS;
        if let Some(key) = near.get(n) {
            client.at(start);
            let mut c = client.open(40001 + u16::try_from(n).unwrap(), 80, key, &[]);
            client.at(start + 3 * MS);
            c.answered(&mut client, 101, &[]);
        }
        if let Some(key) = far.get(n) {
            server.at(start + MS + 60_000 * MS);
            let mut s = server.open(50001 + u16::try_from(n).unwrap(), 8088, key, &[]);
            server.at(start + 2 * MS + 60_000 * MS);
            s.answered(&mut server, 101, &[]);
        }
    }
    vec![client, server]
}

#[test]
fn clocks_of_two_captures_are_brought_together() {
    let keys: Vec<String> = (0..3).map(key_of).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let captures = two_sides(&keys, &keys).into_iter().map(Kit::collected).collect();
    let report = compare(captures, &Options::default());
    assert_eq!(report.pairs.len(), 3);
    let clock = report.clock.unwrap();
    assert!((clock.server_ahead_ns - 60_000 * MS).abs() <= clock.uncertainty_ns, "{clock:?}");
    assert_eq!(clock.handshakes, 3);
}

#[test]
fn request_on_the_client_side_only_is_not_forwarded_when_it_was_refused() {
    let (mut client, server) = (Kit::side(0), Kit::side(1));
    let mut c = client.open(40001, 80, KEY, &[]);
    c.answered(&mut client, 400, &[]);
    assert_eq!(pairs_of(vec![client, server]), [(40001, None, MatchedBy::Time)]);
}

#[test]
fn captures_named_in_the_wrong_order_are_noticed() {
    let keys: Vec<String> = (0..3).map(key_of).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let captures = || two_sides(&keys, &keys).into_iter();
    let right = compare(captures().map(Kit::collected).collect(), &Options::default());
    assert_eq!((right.pairs.len(), right.looks_swapped()), (3, false));
    let [mut client, mut server]: [Kit; 2] = [Kit::side(1), Kit::side(0)];
    let mut c = client.open(40001, 80, KEY, &[]);
    client.at(9 * MS);
    c.answered(&mut client, 101, &[]);
    let mut s = server.open(50001, 8088, KEY, &[]);
    server.at(MS);
    s.answered(&mut server, 101, &[]);
    let swapped = compare([server, client].map(Kit::collected).into(), &Options::default());
    assert_eq!((swapped.pairs.len(), swapped.looks_swapped()), (1, true));
    assert!(!compare(vec![], &Options::default()).looks_swapped());
}

#[test]
fn legs_within_one_of_two_captures_keep_the_order_of_their_packets() {
    // The first capture has none of the second's connections: nothing brings the clocks together.
    let (mut other, mut both) = (Kit::side(0), Kit::side(1));
    let mut alone = other.open(30001, 9000, OTHER_KEY, &[(":path", "/elsewhere")]);
    alone.answered(&mut other, 101, &[]);
    let mut c = both.open(40001, 80, KEY, &[]);
    let mut s = both.open(50001, 8088, KEY, &[]);
    s.answered(&mut both, 101, &[]);
    c.answered(&mut both, 101, &[]);
    assert_eq!(pairs_of(vec![other, both]), [(40001, Some(50001), MatchedBy::Key)]);
}

#[test]
fn two_captures_pair_when_the_proxy_makes_its_own_keys() {
    let near: Vec<String> = (0..3).map(key_of).collect();
    let far: Vec<String> = (10..13).map(key_of).collect();
    let near: Vec<&str> = near.iter().map(String::as_str).collect();
    let far: Vec<&str> = far.iter().map(String::as_str).collect();
    let pairs = pairs_of(two_sides(&near, &far));
    assert!(pairs.iter().all(|p| p.1 == Some(p.0 + 10000)), "{pairs:?}");
}

#[test]
fn legs_of_different_address_families_pair() {
    let mut kit = Kit::new();
    kit.client_ip = "[2001:db8::7]";
    kit.server_ip = "[2001:db8::80]";
    let mut c = kit.open(40001, 80, KEY, &[]);
    kit.client_ip = "10.0.0.5";
    kit.server_ip = "10.0.0.9";
    let mut s = kit.open(50001, 8088, OTHER_KEY, &[("X-Forwarded-For", "2001:db8::7")]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    assert_eq!(pairs_of(vec![kit]), [(40001, Some(50001), MatchedBy::Headers)]);
}
