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
