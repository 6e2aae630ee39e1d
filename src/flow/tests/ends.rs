//! Which of two FINs comes first.

use super::*;

#[test]
fn fin_that_acknowledges_the_other_ones_comes_behind_it() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"bye");
    net.send(false, FIN | ACK, 0, 4, b"");
    net.send(true, FIN | ACK, 3, 0, b"");
    let out = net.end();
    let fins: Vec<&str> =
        out.log.iter().filter_map(|line| line.split_once("Fin")).map(|l| l.0).collect();
    assert_eq!(fins, ["1 A ", "1 B "], "{:#?}", out.log);
    assert_eq!(out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
}

#[test]
fn fin_waits_for_the_next_packet_and_no_longer() {
    let mut net = Net::new();
    net.open(0, 0);
    // It acknowledges one that is not in the capture.
    net.send(false, FIN | ACK, 0, 1, b"");
    assert_eq!(net.out.b.fins, 0);
    net.send(true, ACK, 1, 1, b"");
    assert_eq!(net.out.b.fins, 1);
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, FIN | ACK, 0, 1, b"");
    assert_eq!(net.end().b.fins, 1, "the last packet of all");
}

#[test]
fn fins_that_cross_come_in_the_order_of_the_capture() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, FIN | ACK, 0, 0, b"");
    assert_eq!(net.out.b.fins, 1);
    net.send(true, FIN | ACK, 0, 0, b"");
    assert_eq!((net.out.a.fins, net.out.finished.len()), (1, 1));
}
