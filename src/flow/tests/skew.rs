//! One direction is captured later than the other one: on another queue, or by another clock.

use super::*;

#[test]
fn direction_that_is_always_late_loses_nothing() {
    let mut net = Net::new();
    net.open(0, 0);
    let segments = 60;
    for nth in 0..segments {
        // Acknowledged are the next ones, too, which are captured 6 packets later, 12 ms.
        net.send(false, ACK, 0, 10 * (nth + 6).min(segments), b"");
        net.send(true, ACK, 10 * nth, 0, b"0123456789");
    }
    assert_eq!(net.end().a.bytes, whole(&b"0123456789".repeat(segments as usize)));
}

#[test]
fn what_is_lost_of_a_late_direction_is_a_gap_soon() {
    let mut net = Net::new();
    net.open(0, 0);
    for nth in 0..20 {
        net.send(false, ACK, 0, 10 * (nth + 6), b"");
        if nth != 1 {
            net.send(true, ACK, 10 * nth, 0, b"0123456789");
        }
    }
    assert_eq!(net.out.a.bytes.get(10..21), Some(&[&[None; 10], &whole(b"0")[..]].concat()[..]));
}

#[test]
fn capture_may_begin_with_the_acknowledgement_of_what_comes_next() {
    let mut net = Net::new();
    net.send(false, ACK, 7, 104, b"");
    net.send(true, ACK, 100, 7, b"ask ");
    net.send(true, ACK, 104, 7, b"it");
    net.send(false, ACK, 7, 106, b"answer");
    let out = net.end();
    assert_eq!((out.b.bytes, out.a.bytes), (whole(b"ask it"), whole(b"answer")), "{:#?}", out.log);
    // With the SYN behind both.
    let mut net = Net::new();
    net.send(false, ACK, 7, 104, b"");
    net.send(true, ACK, 100, 7, b"ask ");
    net.send(true, SYN, 99, 0, b"");
    net.send(true, ACK, 104, 7, b"it");
    assert_eq!(net.end().b.bytes, whole(b"ask it"));
    // A keep-alive is not what comes next.
    let mut net = Net::new();
    net.send(false, ACK, 7, 100, b"");
    net.send(true, ACK, 99, 7, b"\0");
    net.send(true, ACK, 100, 7, b"ask");
    assert_eq!(net.end().b.bytes, whole(b"ask"));
}
