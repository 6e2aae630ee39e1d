//! Bytes that the capture lacks: which they are, and when that is certain.

use super::*;

#[test]
fn hole_is_a_gap_once_the_receiver_acknowledged_past_it() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"ab");
    net.send(true, ACK, 6, 0, b"gh");
    for _ in 0..8 {
        net.send(true, ACK, 8, 0, b"");
    }
    assert_eq!(net.out.a.bytes, whole(b"ab"), "nobody has said that the hole was received");
    net.send(false, ACK, 0, 8, b"");
    net.send(false, ACK, 0, 8, b"x");
    net.send(true, ACK, 8, 1, b"");
    net.send(true, ACK, 8, 1, b"");
    let mut want = whole(b"ab");
    want.extend([None; 4]);
    want.extend(whole(b"gh"));
    assert_eq!(net.out.a.bytes, want);
}

#[test]
fn what_a_side_says_that_it_sent_is_missing_at_the_end_and_not_before() {
    let opened = || {
        let mut net = Net::new();
        net.open(0, 0);
        net.send(true, ACK, 0, 0, b"ab");
        net.send(false, ACK, 0, 2, b"x");
        // Nobody in the capture acknowledges the bytes between.
        for _ in 0..20 {
            net.send(true, ACK, 6, 1, b"");
        }
        net
    };
    let mut want = whole(b"ab");
    // It was lost on the network, too.
    let mut net = opened();
    net.send(true, ACK, 2, 1, b"cdef");
    assert_eq!(net.end().a.bytes, whole(b"abcdef"));
    want.extend([None; 4]);
    assert_eq!(opened().end().a.bytes, want);
}

#[test]
fn gap_is_of_the_packet_behind_it_however_late_it_is_given_up() {
    for end in [false, true] {
        let mut net = Net::new();
        net.open(0, 0);
        net.send(true, ACK, 0, 0, b"ab");
        // The fifth packet.
        net.send(true, if end { FIN | ACK } else { ACK }, 6, 0, if end { b"" } else { b"gh" });
        for _ in 0..8 {
            net.send(false, ACK, 0, 8, b"");
        }
        let log = net.end().log;
        let gap = log.iter().find(|line| line.contains("Gap")).unwrap();
        assert!(gap.contains("packet: PacketNo(5)"), "{gap}");
    }
}

#[test]
fn acknowledged_hole_can_still_be_filled_by_the_next_packets() {
    let mut net = Net::new();
    net.open(0, 0);
    // The acknowledgement was captured before the data: two capture queues.
    net.send(false, ACK, 0, 4, b"");
    net.send(true, ACK, 0, 0, b"abcd");
    assert_eq!(net.end().a.bytes, whole(b"abcd"));
}

#[test]
fn answer_comes_after_the_gap_where_its_request_was() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, ACK, 0, 4, b"answer");
    net.send(true, ACK, 4, 6, b"more");
    net.send(false, ACK, 6, 8, b"!");
    net.send(true, ACK, 8, 7, b"");
    let out = net.end();
    assert_eq!(out.a.bytes[..4], [None; 4]);
    assert!(out.log[0].contains("Gap"), "{:?}", out.log);
    assert_eq!(out.b.bytes, whole(b"answer!"));
}

#[test]
fn bytes_that_only_an_acknowledgement_tells_of_are_a_gap() {
    let mut net = Net::new();
    net.open(0, 0);
    for seq in 0..6 {
        net.send(true, ACK, seq, 129, b"x");
    }
    let out = net.end();
    assert_eq!(out.b.bytes, vec![None; 129]);
    assert_eq!(out.a.bytes, whole(b"xxxxxx"));
}

#[test]
fn what_waited_for_a_gap_comes_out_packet_by_packet() {
    let mut net = Net::new();
    net.open(0, 0);
    // The request, 3 bytes, is lost. Everything after it is there.
    net.send(false, ACK, 0, 3, b"answer");
    net.send(true, ACK, 3, 6, b"ping");
    net.send(false, ACK, 6, 7, b"pong");
    net.send(true, ACK, 7, 10, b"more");
    let out = net.end();
    let sides: Vec<&str> = out.log.iter().filter_map(|line| line.get(2..8)).collect();
    assert_eq!(sides, ["A Gap ", "B Data", "A Data", "B Data", "A Data"]);
    assert_eq!(out.b.bytes, whole(b"answerpong"));
}

#[test]
fn a_segment_that_begins_before_the_capture_does_invents_no_gap() {
    let mut net = Net::new();
    // One side says something, and acknowledges up to 100: there the stream of the other, seen second,
    // begins. Then that one repeats from 90 on.
    net.send(false, ACK, 6, 100, b"x");
    net.send(true, ACK | FIN, 90, 7, b"0123456789abcde");
    let out = net.end();
    assert_eq!(out.b.bytes, whole(b"abcde"));
    assert_eq!((out.b.snapped, out.b.fins), (0, 1));
}

#[test]
fn snapped_bytes_are_a_gap_of_their_own_kind() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send_cut(true, ACK, 0, 0, b"abc", 97);
    net.send_cut(true, ACK, 100, 0, b"def", 0);
    let out = net.end();
    assert_eq!((out.a.bytes.len(), out.a.snapped), (103, 97));
}

#[test]
fn hold_is_bounded_and_overflowing_it_makes_a_gap() {
    let limits = Limits { hold_bytes: 1000, ..Limits::default() };
    let mut net = Net::with(limits);
    net.open(0, 0);
    for i in 0..11_u32 {
        net.send(true, ACK, 10 + i * 100, 0, &[7; 100]);
    }
    assert_eq!(net.out.a.bytes.len(), 10 + 1100);
}
