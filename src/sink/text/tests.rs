use super::*;
use crate::event::{ConnInfo, Frame, Handshake};
use crate::packet::Skip;
use crate::pipeline::Totals;
use crate::sink::samples;
use crate::units::{Direction, MessageNo};

fn printed(options: TextOptions, events: &[(u64, i64, Event<'_>)]) -> String {
    let mut sink = TextSink::new(Vec::new(), options);
    samples::feed(&mut sink, events);
    samples::finish(&mut sink);
    String::from_utf8(sink.into_inner()).unwrap()
}

/// The story: a client greets, the server echoes, the client closes.
fn story(options: TextOptions) -> String {
    let (handshake, end) = (samples::handshake(), samples::end());
    let hello = samples::text(b"hello, martian!!!!");
    let echo = Message { dir: Direction::ToClient, ..hello };
    let close = Message { no: MessageNo(2), ..samples::close() };
    let answer = Message { dir: Direction::ToClient, ..close };
    printed(
        options,
        &[
            (6, 412, Event::Handshake(&handshake)),
            (8, 1893, Event::Message(&hello)),
            (10, 2115, Event::Message(&echo)),
            (12, 4001, Event::Message(&close)),
            (13, 4212, Event::Message(&answer)),
            (14, 4800, Event::End(&end)),
        ],
    )
}

#[test]
fn the_story_reads_well_in_80_columns() {
    let text = story(TextOptions::default());
    assert_eq!(
        text,
        "  0.000412 #1   == open       101  GET /chat  accepted
                                   127.0.0.1:40938 > [::1]:8088
                                   subprotocol chat
  0.001893 #1   -> text      18 B  hello, martian!!!!
  0.002115 #1   <- text      18 B  hello, martian!!!!
  0.004001 #1   -> close      5 B  1000 normal closure \"bye\"
  0.004212 #1   <- close      5 B  1000 normal closure \"bye\"
  0.004800 #1   -- end             The client closed with 1000 (normal closure),
                                   and the server answered.

14 packets, 1 WebSocket connection, 4 messages, no notes
"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_head_without_room_is_seen_to_be_cut() {
    let text = story(TextOptions { width: Some(40), ..TextOptions::default() });
    assert!(text.starts_with("  0.000412 #1   == open       101  …  accepted\n"), "{text}");
}

#[test]
fn quiet_leaves_out_payloads_addresses_and_summary() {
    let text = story(TextOptions { verbosity: Verbosity::Quiet, ..TextOptions::default() });
    assert!(!text.contains("martian") && !text.contains("127.0.0.1") && !text.contains("packets"));
    assert!(text.contains("1000 normal closure"));
    assert!(text.lines().all(|line| line.trim_end() == line), "no trailing spaces");
}

#[test]
fn verbose_shows_heads_and_whole_payloads() {
    let verbose = TextOptions { verbosity: Verbosity::Verbose, ..TextOptions::default() };
    assert!(story(verbose).contains("> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
    let long = "x".repeat(300);
    let message = samples::text(long.as_bytes());
    let events = [(8, 1, Event::Message(&message))];
    assert!(printed(verbose, &events).contains(&long));
    let normal = printed(TextOptions::default(), &events);
    let line = normal.lines().next().unwrap();
    assert_eq!(line.chars().count(), 80);
    assert!(line.ends_with("x…"));
}

#[test]
fn colour_does_not_change_the_columns() {
    let strip = |text: String| {
        text.split("\x1b[")
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect::<String>()
    };
    let coloured = story(TextOptions { paint: Paint::Colour, ..TextOptions::default() });
    assert!(coloured.contains("\x1b[36m"));
    assert_eq!(strip(coloured), story(TextOptions::default()));
}

#[test]
fn notes_stand_below_their_event_wrapped() {
    let handshake = samples::rejected();
    let text = printed(TextOptions::default(), &[(6, 412, Event::Handshake(&handshake))]);
    assert!(text.contains("== open       403  GET /chat  rejected\n"), "{text}");
    assert!(
        text.contains("\n           warning status-not-101 (server): the text of status-not-101\n")
    );
    assert!(text.contains("1 warning"));
}

#[test]
fn binary_compressed_and_incomplete_messages_say_so() {
    let message = Message {
        compressed: true,
        wire_len: 12,
        frames: 3,
        complete: false,
        ..samples::binary(b"\x00\x01AB")
    };
    let wide = TextOptions { width: Some(120), ..TextOptions::default() };
    let text = printed(wide, &[(6, 412, Event::Message(&message))]);
    assert!(text.contains("[incomplete, 12 B deflated, 3 frames] 00 01 41 42  ..AB\n"), "{text}");
}

#[test]
fn frames_and_gaps_have_their_lines() {
    let frame = Frame { rsv: 4, fin: false, ..samples::frame(b"Hello") };
    let options = TextOptions { frames: true, ..TextOptions::default() };
    let events = [(6, 412, Event::Frame(&frame)), (7, 500, Event::Gap(samples::gap()))];
    let text = printed(options, &events);
    assert!(text.contains("-> frame      5 B  text ... RSV1 mask 37fa213d\n"), "{text}");
    assert!(text.contains("<- gap     1448 B  missing from the capture\n"), "{text}");
}

#[test]
fn what_is_lost_or_unread_is_said_at_the_end() {
    let mut totals = samples::totals();
    totals.unread.tls = 2;
    totals.skipped = vec![(Skip::TunnelDepth, 7), (Skip::Arp, 3), (Skip::Udp, 1040)];
    let mut sink = TextSink::new(Vec::new(), TextOptions::default());
    let end = Summary { totals: &totals, dropped: Some(1), truncated: Some("cut\x1b") };
    sink.finish(&end).unwrap();
    let text = String::from_utf8(sink.into_inner()).unwrap();
    assert!(text.contains("1 packet dropped by the kernel"));
    assert!(text.contains("not read to its end: cut\\x1b\n"));
    assert!(text.contains("2 TCP connections encrypted with TLS"));
    assert!(text.contains("packets that could not be decoded: 7 tunnel-depth\n"));
    assert!(text.contains("packets that are no TCP: 3 arp, 1,040 udp\n"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn nothing_from_the_network_reaches_the_terminal_raw() {
    // Every byte, and what fools a reader, in every place that the network can fill.
    let mut evil: String = (0..=255_u8).map(char::from).collect();
    evil.push_str("\u{202e}\u{200b}\u{2028}\u{feff}\u{e0041}");
    let mut handshake: Handshake = samples::handshake();
    if let Some(head) = &mut handshake.request {
        head.method = evil.clone().into();
        head.target.clone_from(&evil);
        head.version = evil.clone().into();
        head.fields.0[0].name = evil.as_bytes().into();
        head.fields.0[1].value = (0..=255).collect();
    }
    if let Some(head) = &mut handshake.response {
        head.reason = evil.clone().into();
    }
    handshake.subprotocol = Some(evil.clone());
    handshake.extensions = Some(evil.clone());
    let note = Note { text: evil.clone().into(), ..samples::note("header-invalid") };
    handshake.notes = vec![note.clone()];
    let mut end = samples::end();
    end.cause.clone_from(&evil);
    end.notes = vec![note];
    let close = Message { close_reason: Some(&evil), ..samples::close() };
    let all: Vec<u8> = (0..=255).collect();
    let events = [
        (1, 1, Event::Handshake(&handshake)),
        (2, 2, Event::Message(&samples::text(evil.as_bytes()))),
        (3, 3, Event::Message(&samples::binary(&all))),
        (
            4,
            4,
            Event::Message(&Message {
                kind: MessageKind::Ping,
                ..samples::binary(evil.as_bytes())
            }),
        ),
        (5, 5, Event::Message(&close)),
        (6, 6, Event::End(&end)),
    ];
    for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose] {
        let text = printed(TextOptions { verbosity, ..TextOptions::default() }, &events);
        let raw = text.chars().find(|c| *c != '\n' && escape::is_unsafe(*c));
        assert_eq!(raw, None, "{text}");
    }
}

#[test]
fn numbers_and_times_without_a_packet_time() {
    let info: ConnInfo = samples::conn(1);
    let cx = Cx { conn: &info, origin: crate::units::Origin::default() };
    let mut sink = TextSink::new(Vec::new(), TextOptions::default());
    assert!(sink.event(&cx, &Event::Gap(samples::gap())).is_continue());
    sink.finish(&Summary { totals: &Totals::default(), dropped: None, truncated: None }).unwrap();
    let text = String::from_utf8(sink.into_inner()).unwrap();
    assert!(text.starts_with("         - #1   <- gap"), "{text}");
}
