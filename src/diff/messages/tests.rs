use serde_json::{Value, json};

use super::super::testkit::*;
use super::super::{Alteration, Found};
use super::*;
use crate::event::EndHow;
use crate::event::MessageKind::{self, Binary, Close, Ping, Pong, Text};
use crate::units::Direction::{ToClient, ToServer};
use crate::units::PerDirection;

/// A message of a test: when, which way, kind, payload.
type Sent<'a> = (i64, Direction, MessageKind, &'a [u8]);

struct Compared {
    list: Vec<Alteration>,
    counts: Counts,
    delays: Delays,
}

/// Two legs with these messages; both end properly long after.
fn legs(near: &[Sent<'_>], far: &[Sent<'_>]) -> Compared {
    let mut kit = Kit::new();
    let make = |kit: &mut Kit, port: u16, list: &[Sent<'_>]| {
        kit.at(0);
        let mut open = kit.open(port, 80, KEY, &[]);
        open.answered(kit, 101, &[]);
        for &(at, dir, kind, bytes) in list {
            kit.at(at);
            open.data(kit, dir, kind, bytes);
        }
        kit.at(3600 * 1000 * MS);
        open.end(kit, EndHow::Close, Some(ToServer));
    };
    make(&mut kit, 40001, near);
    make(&mut kit, 50001, far);
    compared(kit)
}

/// The client leg and the server leg of a proxied connection, both open.
fn proxied(kit: &mut Kit) -> (Open, Open) {
    let mut client = kit.open(40001, 80, KEY, &[]);
    let mut server = kit.open(50001, 8088, KEY, &[]);
    server.answered(kit, 101, &[]);
    client.answered(kit, 101, &[]);
    (client, server)
}

fn compared(kit: Kit) -> Compared {
    let collected = kit.collected();
    let find = |port: u16| collected.legs.iter().find(|l| l.client.port() == port).unwrap();
    let mut found = Found::new(100);
    let view = View { offset: 0, last_times: [collected.last_time; 2] };
    let (counts, delays) = compare(find(40001), find(50001), &view, &mut found);
    Compared { list: found.list().to_vec(), counts, delays }
}

/// The same messages on both legs, half a millisecond later on the second, but for those `drop`s.
fn passed(list: &[Sent<'static>], later: i64) -> Vec<Sent<'static>> {
    let shift = |&(at, dir, kind, bytes): &Sent<'static>| {
        (if dir == ToServer { at + later } else { at - later }, dir, kind, bytes)
    };
    list.iter().map(shift).collect()
}

const THREE: [Sent<'static>; 3] = [
    (10 * MS, ToServer, Text, b"one"),
    (20 * MS, ToServer, Text, b"two"),
    (30 * MS, ToServer, Text, b"three"),
];

#[test]
fn equal_messages_say_nothing_and_give_the_delay() {
    let got = legs(&THREE, &passed(&THREE, MS));
    assert_eq!(got.list, []);
    assert_eq!((got.counts.same, got.delays.p50, got.delays.max), (3, Some(MS), Some(MS)));
}

#[test]
fn lost_message_has_its_number_on_the_leg_it_travels_first() {
    let mut far = passed(&THREE, MS);
    far.remove(1);
    let got = legs(&THREE, &far);
    assert_eq!(told(&got.list), [("message-lost", "c2s 2", false)]);
    assert_eq!((&got.list[0].before, &got.list[0].after), (&json!("two"), &Value::Null));
}

#[test]
fn message_lost_on_the_way_back_is_after_and_not_before() {
    let far = [(10 * MS, ToClient, Text, &b"one"[..]), (20 * MS, ToClient, Text, b"two")];
    let got = legs(&[(21 * MS, ToClient, Text, b"two")], &far);
    assert_eq!(told(&got.list), [("message-lost", "s2c 1", false)]);
    assert_eq!((&got.list[0].before, &got.list[0].after), (&Value::Null, &json!("one")));
}

#[test]
fn injected_message_has_its_number_on_the_leg_it_was_put_on() {
    let mut far = passed(&THREE, MS);
    far.insert(2, (25 * MS, ToServer, Text, b"injected"));
    let got = legs(&THREE, &far);
    assert_eq!(told(&got.list), [("message-injected", "c2s 3", false)]);
    assert_eq!((got.counts.same, got.counts.injected), (3, 1));
}

#[test]
fn changed_message_is_one_alteration() {
    let mut far = passed(&THREE, MS);
    far[1].3 = b"twelve";
    let got = legs(&THREE, &far);
    assert_eq!(told(&got.list), [("message-changed", "c2s 2", false)]);
    assert_eq!((&got.list[0].before, &got.list[0].after), (&json!("two"), &json!("twelve")));
}

#[test]
fn unlike_messages_far_apart_are_one_lost_and_one_injected() {
    let mut far = passed(&THREE, MS);
    far[1] = (9000 * MS, ToServer, Text, b"XYZ");
    far[2].0 = 9001 * MS;
    let mut codes: Vec<_> = legs(&THREE, &far).list.iter().map(|a| a.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["message-injected", "message-lost"]);
}

#[test]
fn kind_of_a_message_is_part_of_it() {
    let mut far = passed(&THREE, MS);
    far[0].2 = Binary;
    assert_eq!(told(&legs(&THREE, &far).list), [("message-changed", "c2s 1", false)]);
}

#[test]
fn swapped_messages_are_one_reordered() {
    let far = [
        (31 * MS, ToServer, Text, &b"two"[..]),
        (32 * MS, ToServer, Text, b"one"),
        (33 * MS, ToServer, Text, b"three"),
    ];
    let got = legs(&THREE, &far);
    assert_eq!(told(&got.list).len(), 1);
    assert_eq!(got.list[0].code.as_str(), "message-reordered");
    assert_eq!((got.counts.same, got.counts.changed, got.counts.lost), (2, 1, 0));
}

#[test]
fn of_equal_messages_the_one_that_was_not_passed_on_is_lost() {
    let near = [
        (10 * MS, ToServer, Text, &b"tick"[..]),
        (20 * MS, ToServer, Text, b"tick"),
        (30 * MS, ToServer, Text, b"tick"),
    ];
    let far = [(11 * MS, ToServer, Text, &b"tick"[..]), (31 * MS, ToServer, Text, b"tick")];
    let got = legs(&near, &far);
    assert_eq!(told(&got.list), [("message-lost", "c2s 2", false)]);
    assert_eq!(got.delays.max, Some(MS));
}

#[test]
fn of_equal_messages_each_that_was_not_passed_on_is_lost() {
    let near = [10, 20, 30, 40, 50].map(|ms| (ms * MS, ToServer, Text, &b"tick"[..]));
    let far = [31, 41, 51].map(|ms| (ms * MS, ToServer, Text, &b"tick"[..]));
    let got = legs(&near, &far);
    let lost = [("message-lost", "c2s 1", false), ("message-lost", "c2s 2", false)];
    assert_eq!(told(&got.list), lost);
    assert_eq!(got.delays.max, Some(MS));
}

#[test]
fn of_equal_messages_none_is_lost_where_a_hole_is_among_them() {
    let mut kit = Kit::new();
    let (mut c, mut s) = proxied(&mut kit);
    // In one burst, so that the time does not tell which is in the hole.
    for _ in 0..9 {
        c.data(&mut kit, ToServer, Text, b"tick");
    }
    for at in 0..8 {
        if at == 5 {
            s.gap(&mut kit, ToServer);
        }
        s.data(&mut kit, ToServer, Text, b"tick");
    }
    kit.at(3600 * 1000 * MS);
    s.end(&mut kit, EndHow::Close, Some(ToServer));
    let got = compared(kit);
    assert_eq!(got.list, []);
    assert_eq!((got.counts.same, got.counts.unknown), (8, 1));
}

#[test]
fn of_equal_messages_the_one_that_came_before_it_was_sent_is_injected() {
    let near = passed(&[10, 20, 30].map(|ms| (ms * MS, ToServer, Text, &b"tick"[..])), 0);
    let far = [11, 12, 21, 31].map(|ms| (ms * MS, ToServer, Text, &b"tick"[..]));
    let got = legs(&near, &far);
    assert_eq!(told(&got.list), [("message-injected", "c2s 2", false)]);
    assert_eq!((got.counts.same, got.delays.max), (3, Some(MS)));
}

#[test]
fn fragments_and_compression_of_equal_content_are_expected() {
    let mut kit = Kit::new();
    let (mut c, mut s) = proxied(&mut kit);
    c.shaped(&mut kit, ToServer, Text, b"hello", 1, None);
    s.shaped(&mut kit, ToServer, Text, b"hello", 2, Some(7));
    s.shaped(&mut kit, ToClient, Text, b"hello", 1, Some(7));
    c.shaped(&mut kit, ToClient, Text, b"hello", 1, Some(7));
    let got = compared(kit);
    assert_eq!(told(&got.list), [("refragmented", "c2s 1", true), ("recompressed", "c2s 1", true)]);
    assert_eq!((&got.list[0].before, &got.list[0].after), (&json!(1), &json!(2)));
    assert_eq!(got.list[1].before, json!({"compressed": false, "wire_len": 5}));
}

#[test]
fn close_with_another_code_is_changed_and_an_equal_one_is_not() {
    let near = [(10 * MS, ToServer, Close, &b"\x03\xe8bye"[..])];
    let got = legs(&near, &[(11 * MS, ToServer, Close, b"\x03\xe9")]);
    assert_eq!(told(&got.list), [("close-changed", "c2s 1", false)]);
    assert_eq!(got.list[0].before, json!({"code": 1000, "reason": "bye"}));
    assert_eq!(legs(&near, &passed(&near, MS)).list, []);
}

#[test]
fn close_that_the_proxy_answered_before_the_other_end_did_is_one_that_changed() {
    let near = [
        (20 * MS, ToClient, Close, &b"\x0f\xa1"[..]),
        (30 * MS, ToServer, Close, &b"\x0f\xa1"[..]),
    ];
    let far = [
        (10 * MS, ToClient, Close, &b"\x0f\xa1"[..]),
        (11 * MS, ToServer, Close, &b"\x03\xe8"[..]),
    ];
    let got = legs(&near, &far);
    assert_eq!(told(&got.list), [("close-changed", "c2s 1", false)]);
    let text = "The client closed with 4001; the proxy had sent 1000 of its own on the other leg.";
    assert_eq!(got.list[0].text, text);
    assert_eq!((got.counts.changed, got.counts.lost, got.counts.injected), (1, 0, 0));
    // What was sent before it came took no time.
    assert_eq!((got.delays.p50, got.delays.max), (Some(10 * MS), Some(10 * MS)));
}

#[test]
fn answer_to_a_close_of_the_proxys_own_goes_no_further() {
    let near = [
        (20 * MS, ToClient, Close, &b"\x03\xe9"[..]),
        (21 * MS, ToServer, Close, &b"\x03\xe9"[..]),
    ];
    let got = legs(&near, &[]);
    assert_eq!(
        told(&got.list),
        [("message-lost", "c2s 1", true), ("message-injected", "s2c 1", false)]
    );
    assert!(got.list[0].text.contains("answers a Close of the proxy's own"), "{:?}", got.list[0]);
}

#[test]
fn close_is_not_called_the_proxys_own_where_the_other_legs_may_be_in_a_hole() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    c.answered(&mut kit, 101, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    kit.at(10 * MS);
    c.data(&mut kit, ToClient, Close, b"\x03\xe9");
    kit.at(20 * MS);
    for text in ["a", "b", "c"] {
        s.data(&mut kit, ToClient, Text, text.as_bytes());
    }
    s.gap(&mut kit, ToClient);
    kit.at(30 * MS);
    s.end(&mut kit, EndHow::Fin, Some(ToClient));
    c.end(&mut kit, EndHow::HalfClose, Some(ToClient));
    let got = compared(kit);
    let close: Vec<_> =
        got.list.iter().filter(|a| a.what == "s2c 1" && a.before.is_object()).collect();
    assert_eq!(close, Vec::<&Alteration>::new());
}

#[test]
fn nothing_is_injected_or_lost_where_the_capture_lacks_the_answer_that_opens_a_leg() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    c.gap(&mut kit, ToClient);
    c.answered(&mut kit, 0, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    s.data(&mut kit, ToServer, Text, b"one");
    s.data(&mut kit, ToClient, Text, b"two");
    s.end(&mut kit, EndHow::Fin, Some(ToServer));
    c.end(&mut kit, EndHow::Fin, Some(ToServer));
    let got = compared(kit);
    assert_eq!(got.list, []);
    assert_eq!(got.counts.unknown, 2);
}

#[test]
fn close_of_the_proxys_own_is_injected_and_no_change_of_a_text() {
    let near = [(10 * MS, ToServer, Text, &b"one"[..])];
    let far = [(10 * MS, ToServer, Close, &b"\x03\xe9"[..])];
    let mut codes: Vec<_> = legs(&near, &far).list.iter().map(|a| a.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["message-injected", "message-lost"]);
}

#[test]
fn ping_that_the_proxy_answers_itself_is_lost_and_its_pong_injected() {
    let near = [(10 * MS, ToServer, Ping, &b"p1"[..]), (11 * MS, ToClient, Pong, b"p1")];
    let got = legs(&near, &[]);
    assert_eq!(
        told(&got.list),
        [("message-lost", "c2s 1", false), ("message-injected", "s2c 1", false)]
    );
    assert!(got.list[0].text.contains("answered it itself"), "{}", got.list[0].text);
    assert!(got.list[1].text.contains("own answer"), "{}", got.list[1].text);
}

#[test]
fn ping_overtaking_a_message_is_no_alteration() {
    let near = [(10 * MS, ToServer, Ping, &b"p"[..]), (11 * MS, ToServer, Text, b"long")];
    let far = [(12 * MS, ToServer, Text, &b"long"[..]), (13 * MS, ToServer, Ping, b"p")];
    assert_eq!(legs(&near, &far).list, []);
}

#[test]
fn message_that_is_not_whole_in_the_capture_stays_silent() {
    let mut kit = Kit::new();
    let (mut c, mut s) = proxied(&mut kit);
    c.data(&mut kit, ToServer, Text, b"one");
    c.data(&mut kit, ToServer, Text, b"two");
    s.cut(&mut kit, ToServer);
    s.data(&mut kit, ToServer, Text, b"two");
    let got = compared(kit);
    assert_eq!(got.list, []);
    assert_eq!((got.counts.same, got.counts.unknown), (1, 1));
}

#[test]
fn nothing_is_lost_where_the_capture_has_a_hole() {
    let with = |hole: bool| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        c.data(&mut kit, ToServer, Text, b"one");
        if hole {
            s.gap(&mut kit, ToServer);
        }
        c.data(&mut kit, ToServer, Text, b"two");
        s.data(&mut kit, ToServer, Text, b"two");
        kit.at(3600 * 1000 * MS);
        s.end(&mut kit, EndHow::Close, Some(ToServer));
        compared(kit).list.len()
    };
    assert_eq!((with(true), with(false)), (0, 1));
}

#[test]
fn what_the_capture_missed_on_either_leg_is_no_change_however_alike() {
    // Of a feed, the client leg lacks one message and the server leg another.
    let with = |holes: [bool; 2]| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        let feed = |at: u8| format!("{{\"id\": {at}, \"price\": 101.25}}");
        for at in 0..6 {
            kit.at(i64::from(at) * 10 * MS + 10 * MS);
            match at {
                3 if holes[0] => c.gap(&mut kit, ToServer),
                3 => {}
                _ => c.data(&mut kit, ToServer, Text, feed(at).as_bytes()),
            }
            kit.now += MS;
            match at {
                2 if holes[1] => s.gap(&mut kit, ToServer),
                2 => {}
                _ => s.data(&mut kit, ToServer, Text, feed(at).as_bytes()),
            }
        }
        kit.at(3600 * 1000 * MS);
        s.end(&mut kit, EndHow::Close, Some(ToServer));
        let got = compared(kit);
        (got.counts.same, got.counts.changed, got.counts.unknown)
    };
    assert_eq!(with([true, true]), (4, 0, 1));
    // The proxy had both: it made one of the other.
    assert_eq!(with([false, true]), (4, 1, 0));
    assert_eq!(with([true, false]), (4, 1, 0));
    assert_eq!(with([false, false]), (4, 1, 0));
}

#[test]
fn equal_messages_in_the_holes_of_either_leg_are_not_out_of_order() {
    let with = |holes: bool| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        for (at, text) in [b"a", b"b", b"c", b"a"].into_iter().enumerate() {
            kit.at(i64::try_from(at).unwrap() * 10 * MS + 10 * MS);
            match at {
                3 if holes => c.gap(&mut kit, ToServer),
                3 => {}
                _ => c.data(&mut kit, ToServer, Text, text),
            }
            kit.now += MS;
            match at {
                0 if holes => s.gap(&mut kit, ToServer),
                0 => {}
                _ => s.data(&mut kit, ToServer, Text, text),
            }
        }
        kit.at(3600 * 1000 * MS);
        s.end(&mut kit, EndHow::Close, Some(ToServer));
        let got = compared(kit);
        (got.list.len(), got.counts.unknown)
    };
    assert_eq!((with(true), with(false)), ((0, 1), (1, 0)));
}

#[test]
fn nothing_is_lost_among_messages_that_can_not_be_told_where_there_is_a_hole() {
    let with = |hole: bool| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        // What a lost piece of a compressed stream makes unreadable, and a hole far from the first of it.
        for at in 0..10 {
            kit.at(i64::from(at) * 100 * MS + 10 * MS);
            c.data(&mut kit, ToServer, Text, format!("message {at}").as_bytes());
            kit.now += MS;
            if hole && at == 5 {
                s.gap(&mut kit, ToServer);
            }
            if !(5..8).contains(&at) {
                s.cut(&mut kit, ToServer);
            }
        }
        kit.at(3600 * 1000 * MS);
        s.end(&mut kit, EndHow::Close, Some(ToServer));
        compared(kit).counts
    };
    assert_eq!((with(true).lost, with(true).unknown), (0, 10));
    assert_eq!((with(false).lost, with(false).unknown), (3, 7));
}

#[test]
fn nothing_is_lost_before_what_was_first_read_of_a_leg_without_its_beginning() {
    let with = |joined: bool| {
        let mut kit = Kit::new();
        let mut s = kit.open(50001, 8088, KEY, &[]);
        s.answered(&mut kit, 101, &[]);
        let mut c = kit.open(40001, 80, KEY, &[]);
        if joined {
            c.joined(&mut kit);
        } else {
            c.answered(&mut kit, 101, &[]);
        }
        c.data(&mut kit, ToServer, Text, b"ask");
        s.data(&mut kit, ToServer, Text, b"ask");
        s.data(&mut kit, ToClient, Text, b"one");
        s.data(&mut kit, ToClient, Text, b"two");
        c.data(&mut kit, ToClient, Text, b"two");
        kit.at(3600 * 1000 * MS);
        c.end(&mut kit, EndHow::Close, Some(ToServer));
        compared(kit).counts.lost
    };
    assert_eq!((with(true), with(false)), (0, 1));
}

#[test]
fn close_that_may_have_followed_the_captures_end_is_not_lost() {
    let with = |seen: bool| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        c.data(&mut kit, ToServer, Close, b"\x03\xe8");
        s.data(&mut kit, ToServer, Close, b"\x03\xe8");
        s.data(&mut kit, ToClient, Close, b"\x03\xe8");
        let fin = PerDirection { to_server: false, to_client: seen };
        c.end_seen(&mut kit, EndHow::HalfClose, Some(ToServer), fin);
        compared(kit).counts.lost
    };
    assert_eq!((with(false), with(true)), (0, 1));
}

#[test]
fn message_in_flight_when_the_capture_ends_is_not_lost() {
    let with = |quiet: i64| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        c.data(&mut kit, ToServer, Text, b"one");
        kit.now += quiet;
        s.data(&mut kit, ToClient, Text, b"later");
        c.data(&mut kit, ToClient, Text, b"later");
        told(&compared(kit).list).len()
    };
    assert_eq!((with(MS), with(5000 * MS)), (0, 1));
}

#[test]
fn what_is_sent_to_a_leg_that_its_far_end_has_closed_can_not_be_passed_on() {
    let with = |by: Direction| {
        let mut kit = Kit::new();
        let (mut c, mut s) = proxied(&mut kit);
        s.end(&mut kit, EndHow::Rst, Some(by));
        c.data(&mut kit, ToServer, Text, b"too late");
        kit.at(3600 * 1000 * MS);
        c.end(&mut kit, EndHow::Fin, Some(ToClient));
        compared(kit).list.iter().map(|a| (a.code.as_str(), a.expected)).collect::<Vec<_>>()
    };
    assert_eq!(with(ToClient), [("message-lost", true)]);
    assert_eq!(with(ToServer), [("message-lost", false)]);
}

#[test]
fn first_message_behind_the_101_that_is_dropped_is_explained() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    // The same packet as the answer.
    kit.packet -= 1;
    s.data(&mut kit, ToClient, Text, b"welcome");
    c.answered(&mut kit, 101, &[]);
    kit.at(3600 * 1000 * MS);
    s.end(&mut kit, EndHow::Fin, Some(ToServer));
    c.end(&mut kit, EndHow::Fin, Some(ToServer));
    let got = compared(kit);
    assert_eq!(told(&got.list), [("message-lost", "s2c 1", false)]);
    assert!(got.list[0].text.contains("packet of the 101"), "{}", got.list[0].text);
}

#[test]
fn percentiles_are_nearest_ranks() {
    let delays = summary(None, (1..=100).rev().collect());
    assert_eq!((delays.p50, delays.p99, delays.max), (Some(50), Some(99), Some(100)));
    assert_eq!(summary(None, vec![7]).p50, Some(7));
    assert_eq!(summary(None, Vec::new()).p50, None);
}

#[test]
fn an_alteration_knows_its_message_on_both_legs() {
    let near = [
        (MS, ToServer, Text, b"lost on the way".as_slice()),
        (2 * MS, ToServer, Text, b"pay alice 100"),
        (4 * MS, ToClient, Text, b"injected here"),
        (6 * MS, ToClient, Text, b"paid mallory"),
    ];
    let far = [
        (3 * MS, ToServer, Text, b"pay mallory 100".as_slice()),
        (5 * MS, ToClient, Text, b"paid alice"),
    ];
    let told: Vec<_> = legs(&near, &far)
        .list
        .iter()
        .map(|a| (a.code.as_str(), a.what.clone(), a.numbers.map(|no| no.map(|no| no.0))))
        .collect();
    // The client leg first, whichever way the message goes.
    let want = [
        ("message-lost", "c2s 1", [Some(1), None]),
        ("message-changed", "c2s 2", [Some(2), Some(1)]),
        ("message-injected", "s2c 1", [Some(1), None]),
        ("message-changed", "s2c 1", [Some(2), Some(1)]),
    ];
    assert_eq!(told, want.map(|(code, what, numbers)| (code, what.to_owned(), numbers)));
}
