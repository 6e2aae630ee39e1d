//! Segments of an older connection between the same addresses and ports, or copies of them, that are captured
//! when the next one has begun. Sequence numbers of the next one usually go on a little above the old ones
//! (RFC 6528).

use super::*;

/// A connection that a reset, and the next one as far as its SYN.
fn reset_and_syn() -> Net {
    let mut net = Net::new();
    net.open(1_000, 5_000);
    net.send(true, ACK, 1_000, 5_000, b"old");
    net.send(true, RST, 1_003, 0, b"");
    net.send(true, SYN, 90_999, 0, b"");
    net
}

/// The rest of the next connection, of which all must come out.
fn go_on(mut net: Net) {
    net.send(false, SYN | ACK, 94_999, 91_000, b"");
    net.send(true, ACK, 91_000, 95_000, b"request");
    net.send(false, ACK, 95_000, 91_007, b"answer");
    net.send(true, FIN | ACK, 91_007, 95_006, b"");
    net.send(false, FIN | ACK, 95_006, 91_008, b"");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"oldrequest"), "{:#?}", out.log);
    assert_eq!(out.b.bytes, whole(b"answer"), "{:#?}", out.log);
    assert_eq!((out.resets, out.a.fins, out.b.fins), (1, 1, 1), "{:#?}", out.log);
    assert_eq!(out.finished.len(), 2);
}

#[test]
fn copy_of_a_reset_does_not_reset_the_next_connection() {
    let mut net = reset_and_syn();
    net.send(true, RST, 1_003, 0, b"");
    go_on(net);
}

#[test]
fn reset_that_the_peer_sends_late_does_not_either() {
    let mut net = reset_and_syn();
    net.send(false, RST | ACK, 5_000, 1_003, b"");
    go_on(net);
}

#[test]
fn late_fin_does_not_end_the_next_connection() {
    let mut net = reset_and_syn();
    net.send(true, FIN | ACK, 1_003, 5_000, b"");
    net.send(false, FIN | ACK, 5_000, 1_003, b"");
    go_on(net);
}

#[test]
fn late_acknowledgement_does_not_tell_where_the_next_one_begins() {
    let mut net = reset_and_syn();
    net.send(true, ACK, 1_003, 5_000, b"");
    net.send(false, ACK, 5_000, 1_003, b"late");
    net.send(false, SYN | ACK, 4_999, 1_000, b"");
    go_on(net);
}

#[test]
fn syn_puts_right_what_an_acknowledgement_made_believe() {
    // Numbers of the old connection above those of the next: its acknowledgement can not be told.
    let mut net = Net::new();
    net.send(true, SYN, 999, 0, b"");
    net.send(true, ACK, 1_000, 80_000, b"");
    net.send(false, SYN | ACK, 4_999, 1_000, b"");
    net.send(false, ACK, 5_000, 1_000, b"hello");
    let out = net.end();
    assert_eq!(out.b.bytes, whole(b"hello"), "{:#?}", out.log);
}

#[test]
fn keep_alive_of_a_connection_without_data_acknowledges() {
    let mut net = Net::new();
    net.open(1_000, 5_000);
    // Its number is that of the SYN; what it acknowledges counts.
    net.send(true, ACK, 999, 5_003, b"");
    net.send(false, ACK, 5_003, 1_000, b"def");
    net.send(false, ACK, 5_000, 1_000, b"abc");
    assert_eq!(net.end().b.bytes, whole(b"abcdef"));
}
