use super::super::testkit::*;
use super::super::{Options, compare};
use super::*;
use crate::event::{EndHow, MessageKind};
use crate::units::Direction::{ToClient, ToServer};

fn text(kit: Kit, options: &TextOptions) -> String {
    let report = compare(vec![kit.collected()], &Options::default());
    let mut out = Vec::new();
    report.write_text(options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a proxy like httpd does to a handshake, and a message that it changes.
fn httpd() -> Kit {
    let mut kit = Kit::new();
    let mut c = kit.open(37116, 8080, KEY, &[(":path", "/ws/"), ("Host", "127.0.0.1:8080")]);
    let far = [("Host", "127.0.0.1:8088"), ("X-Forwarded-For", "127.0.0.1"), (":path", "/")];
    let mut s = kit.open(37314, 8088, KEY, &far);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    c.data(&mut kit, ToServer, MessageKind::Text, b"pay alice 100");
    s.data(&mut kit, ToServer, MessageKind::Text, b"pay mallory 100");
    s.end(&mut kit, EndHow::Fin, Some(ToServer));
    c.end(&mut kit, EndHow::Fin, Some(ToClient));
    kit
}

#[test]
fn story_of_a_pair_in_eighty_columns() {
    let got = text(httpd(), &TextOptions { width: 80, ..TextOptions::default() });
    insta::assert_snapshot!(got, @r#"
    Pair 1, matched by key
      the same Sec-WebSocket-Key, a forwarding header names the client, one
      handshake within the other
      client 127.0.0.1:37116
        └─> proxy 127.0.0.1:8080              connection 2
          └─> server 127.0.0.1:8088           connection 1, from 127.0.0.1:37314

        Request, client leg                  │ server leg
      ! GET /ws/ HTTP/1.1                    │ GET / HTTP/1.1
      ~ Host: 127.0.0.1:8080                 │ Host: 127.0.0.1:8088
        Upgrade: websocket                   │ Upgrade: websocket
        Connection: Upgrade                  │ Connection: Upgrade
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub │ Sec-WebSocket-Key: dGhlIHNhbXBsZSBub
        25jZQ==                              │ 25jZQ==
        Sec-WebSocket-Version: 13            │ Sec-WebSocket-Version: 13
        User-Agent: tester/1                 │ User-Agent: tester/1
      ~                                      │ X-Forwarded-For: 127.0.0.1

        Response, client leg                 │ server leg
        HTTP/1.1 101                         │ HTTP/1.1 101
        Upgrade: websocket                   │ Upgrade: websocket
        Connection: Upgrade                  │ Connection: Upgrade
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9k │ Sec-WebSocket-Accept: s3pPLMBiTxaQ9k
        YGzzhZRbK+xOo=                       │ YGzzhZRbK+xOo=

      ! target-rewritten    The request target was rewritten: /ws/ became /.
      ~ header-changed      The proxy changed Host from 127.0.0.1:8080 to
                            127.0.0.1:8088; a gateway names its upstream.
      ~ header-added        The proxy added X-Forwarded-For: 127.0.0.1; it tells the
                            server where the request came from.

      Messages: 0 same, 1 changed, 0 lost, 0 injected
      Delay added by the proxy: handshake 2.00 µs, messages p50 1.00 µs, p99 1.00
      µs, max 1.00 µs
      ! message-changed     The proxy changed the text message c2s 1 (13 bytes
                            became 15).
          - pay alice 100
          + pay mallory 100
      The server leg ended first, by FIN without a Close frame: the proxy ended it,
      1.00 µs after the last message; the other leg followed 1.00 µs later.

    1 pair: 2 unexpected and 2 expected alterations.
    ! altered; ~ any correct proxy may do this; c2s 3: the client's third message,
    s2c: the server's
    wstap explain target-rewritten: what it means and what to do
    "#);
}

#[test]
fn heads_may_be_left_out() {
    let got = text(httpd(), &TextOptions { heads: false, ..TextOptions::default() });
    assert!(!got.contains("\u{2502}") && got.contains("\n  ! target-rewritten "), "{got}");
}

#[test]
fn without_a_pair_it_is_said_that_nothing_was_compared() {
    let mut kit = Kit::new();
    let mut alone = kit.open(40001, 8088, KEY, &[]);
    alone.answered(&mut kit, 101, &[]);
    let got = text(kit, &TextOptions::default());
    assert!(got.contains("nothing was compared") && got.contains("CLIENT-SIDE"), "{got}");
    let got = text(Kit::new(), &TextOptions::default());
    assert_eq!(got, "There is no WebSocket connection to compare.\n");
}

#[test]
fn a_proxy_that_alters_nothing_is_said_to() {
    let mut kit = Kit::new();
    let mut c = kit.open(40001, 80, KEY, &[]);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[]);
    c.answered(&mut kit, 101, &[]);
    let got = text(kit, &TextOptions::default());
    assert!(got.ends_with("\n1 pair: nothing was altered.\n"), "{got}");
}

#[test]
fn every_line_fits_its_width() {
    for width in [60, 80, 120, 200] {
        let got = text(httpd(), &TextOptions { width, ..TextOptions::default() });
        for line in got.lines() {
            assert!(style::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn control_characters_of_the_network_do_not_reach_the_terminal() {
    let mut kit = Kit::new();
    let evil = [(":path", "/\x1b[2J"), ("X-Evil", "\x1b]0;owned\x07"), ("X-\x1b[1m", "1")];
    let mut c = kit.open(40001, 80, KEY, &evil);
    let mut s = kit.open(50001, 8088, KEY, &[]);
    s.answered(&mut kit, 101, &[("X-\x1b[31m", "\u{202e}")]);
    c.answered(&mut kit, 101, &[]);
    c.data(&mut kit, ToServer, MessageKind::Text, b"\x1b[31mred");
    c.end(&mut kit, EndHow::Fin, Some(ToServer));
    s.end(&mut kit, EndHow::Fin, Some(ToServer));
    let got = text(kit, &TextOptions::default());
    assert!(!got.contains(|c: char| c.is_control() && c != '\n'), "{got:?}");
    assert!(!got.contains('\u{202e}'));
    assert!(got.contains("\\x1b[31mred"), "{got}");
}

#[test]
fn colours_only_when_asked_for() {
    let with = text(httpd(), &TextOptions { color: true, ..TextOptions::default() });
    assert!(with.contains("\x1b[1;31m! GET /ws/") || with.contains("\x1b[1;31m!"), "{with}");
    assert!(!text(httpd(), &TextOptions::default()).contains('\x1b'));
}

#[test]
fn pairs_that_are_alike_are_told_once() {
    let mut kit = Kit::new();
    for n in 0..50_u16 {
        use base64::Engine as _;
        let mut bytes = [1; 16];
        bytes[0] = u8::try_from(n).unwrap();
        let key = base64::engine::general_purpose::STANDARD.encode(bytes);
        let mut c = kit.open(20000 + n, 80, &key, &[]);
        let mut s = kit.open(30000 + n, 8088, &key, &[("X-Forwarded-For", "127.0.0.1")]);
        s.answered(&mut kit, 101, &[]);
        c.answered(&mut kit, 101, &[]);
    }
    let got = text(kit, &TextOptions::default());
    assert!(got.contains("The same alterations in 49 more pairs"), "{got}");
    assert!(got.lines().count() < 40, "{got}");
}
