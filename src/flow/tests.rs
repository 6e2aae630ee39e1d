//! Streams out of segments: what RFC 9293 lets happen, and the laws.

mod ends;
mod gaps;
mod late;
mod skew;

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::packet::{Segment, TcpFlags};
use crate::units::{PacketNo, SeqNo, Timestamp};

/// What came out of one side: bytes, `None` for each missing one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Stream {
    bytes: Vec<Option<u8>>,
    fins: u32,
    conflicts: u64,
    snapped: u64,
}

#[derive(Debug, Default)]
struct Recorder {
    a: Stream,
    b: Stream,
    log: Vec<String>,
    finished: Vec<(FlowId, Finish)>,
    resets: u32,
    drop_all: bool,
    /// Does not ask for conflicts.
    trusting: bool,
}

impl Handler for Recorder {
    type State = ();

    fn compares(&self) -> bool {
        !self.trusting
    }

    fn stream(
        &mut self,
        flow: &FlowInfo,
        (): &mut (),
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest> {
        self.log.push(format!("{} {side:?} {event:?}", flow.id.0));
        let stream = match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        };
        match event {
            StreamEvent::Data { bytes, .. } => {
                assert!(!bytes.is_empty());
                stream.bytes.extend(bytes.iter().map(|&b| Some(b)));
            }
            StreamEvent::Gap { len, snapped, .. } => {
                assert!(len > 0);
                stream.bytes.extend(std::iter::repeat_n(None, usize::try_from(len).unwrap()));
                stream.snapped += if snapped { len } else { 0 };
            }
            StreamEvent::Conflict { len, .. } => stream.conflicts += len,
            StreamEvent::Fin { .. } => stream.fins += 1,
            StreamEvent::Reset { .. } => self.resets += 1,
        }
        ControlFlow::Continue(if self.drop_all { Interest::Drop } else { Interest::Keep })
    }

    fn finish(&mut self, flow: &FlowInfo, (): &mut (), why: Finish, _: Origin) -> ControlFlow<()> {
        self.finished.push((flow.id, why));
        ControlFlow::Continue(())
    }
}

/// A little network: segments from a to b and back, numbered as they are captured.
struct Net {
    table: Table<Recorder>,
    out: Recorder,
    packet: u64,
    time: i64,
}

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;

impl Net {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self { table: Table::new(limits), out: Recorder::default(), packet: 0, time: 0 }
    }

    fn send(&mut self, from_a: bool, flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) {
        self.send_cut(from_a, flags, seq, ack, payload, 0);
    }

    fn send_cut(
        &mut self,
        from_a: bool,
        flags: TcpFlags,
        seq: u32,
        ack: u32,
        payload: &[u8],
        cut: u32,
    ) {
        let a = "127.0.0.1:40000".parse().unwrap();
        let b = "127.0.0.1:8088".parse().unwrap();
        self.packet += 1;
        self.time += 1_000_000;
        let segment = Segment {
            origin: Origin { packet: PacketNo(self.packet), time: Some(Timestamp(self.time)) },
            src: if from_a { a } else { b },
            dst: if from_a { b } else { a },
            seq: SeqNo(seq),
            ack: SeqNo(ack),
            flags,
            window: 65535,
            payload,
            cut,
        };
        assert!(self.table.push(&segment, &mut self.out).is_continue());
    }

    /// The three-way handshake: a's bytes start at `a`, b's at `b`.
    fn open(&mut self, a: u32, b: u32) {
        self.send(true, SYN, a.wrapping_sub(1), 0, b"");
        self.send(false, SYN | ACK, b.wrapping_sub(1), a, b"");
        self.send(true, ACK, a, b, b"");
    }

    fn end(mut self) -> Recorder {
        let origin = Origin { packet: PacketNo(self.packet), time: Some(Timestamp(self.time)) };
        assert!(self.table.finish(origin, &mut self.out).is_continue());
        self.out
    }
}

fn whole(bytes: &[u8]) -> Vec<Option<u8>> {
    bytes.iter().map(|&b| Some(b)).collect()
}

#[test]
fn bytes_come_out_in_order_whatever_the_order_of_segments() {
    let mut net = Net::new();
    net.open(1000, 5000);
    net.send(true, ACK, 1005, 5000, b"world");
    net.send(true, ACK, 1000, 5000, b"hello");
    net.send(true, ACK, 1010, 5000, b"!");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"helloworld!"));
    assert_eq!(out.a.conflicts, 0);
}

#[test]
fn sequence_numbers_wrap_around() {
    let mut net = Net::new();
    net.open(u32::MAX - 1, 7);
    net.send(true, ACK, u32::MAX - 1, 7, b"ab");
    net.send(true, ACK, 3, 7, b"fg");
    net.send(true, ACK, 0, 7, b"cde");
    assert_eq!(net.end().a.bytes, whole(b"abcdefg"));
}

#[test]
fn retransmission_with_other_boundaries_repeats_nothing() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"abc");
    net.send(true, ACK, 3, 0, b"def");
    net.send(true, ACK, 1, 0, b"bcdefgh");
    net.send(true, ACK, 0, 0, b"abcdefgh");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"abcdefgh"));
    assert_eq!(out.a.conflicts, 0);
}

#[test]
fn first_bytes_win_and_a_conflict_is_told() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"first");
    net.send(true, ACK, 0, 0, b"other");
    assert_eq!(net.out.a.conflicts, 5);
    // Held behind a hole, the first copy wins too.
    net.send(true, ACK, 8, 0, b"xyz");
    net.send(true, ACK, 7, 0, b"wXYZ!");
    net.send(true, ACK, 5, 0, b"uv");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"firstuvwxyz!"));
    assert_eq!(out.a.conflicts, 8);
}

#[test]
fn nothing_is_remembered_for_who_does_not_ask_for_conflicts() {
    let mut net = Net::new();
    net.out.trusting = true;
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"first");
    net.send(true, ACK, 0, 0, b"other");
    net.send(true, ACK, 3, 0, b"ER bytes");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"first bytes"));
    assert_eq!(out.a.conflicts, 0);
}

#[test]
fn keep_alive_bytes_are_no_data_and_no_conflict() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"abc");
    net.send(true, ACK, 2, 0, b"\0");
    net.send(true, ACK, 2, 0, b"");
    net.send(true, ACK, 3, 0, b"def");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"abcdef"));
    assert_eq!(out.a.conflicts, 0);
}

#[test]
fn syn_may_bring_data() {
    let mut net = Net::new();
    net.send(true, SYN, 99, 0, b"early");
    net.send(false, SYN | ACK, 499, 105, b"");
    net.send(true, ACK, 105, 500, b"late");
    assert_eq!(net.end().a.bytes, whole(b"earlylate"));
}

#[test]
fn what_was_acknowledged_just_now_is_not_given_up_with_an_older_hole() {
    let mut net = Net::new();
    net.open(0, 0);
    // "abcd" is lost; when that is certain, the acknowledgement of "efgh" overtakes it.
    net.send(false, ACK, 0, 4, b"");
    for _ in 0..3 {
        net.send(false, ACK, 0, 4, b"");
    }
    net.send(false, ACK, 0, 8, b"");
    net.send(true, ACK, 4, 0, b"efgh");
    let mut want = vec![None; 4];
    want.extend(whole(b"efgh"));
    assert_eq!(net.end().a.bytes, want);
}

#[test]
fn patience_with_a_hole_begins_anew_with_each() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 2, 0, b"cd");
    net.send(true, ACK, 0, 0, b"ab");
    // Long after, with nothing waiting in between, FIN overtakes the last bytes.
    net.time += 1_000_000_000;
    net.send(false, ACK, 0, 6, b"");
    net.send(true, FIN | ACK, 6, 0, b"");
    net.send(false, FIN | ACK, 0, 7, b"");
    net.send(true, ACK, 7, 1, b"");
    net.send(true, ACK, 4, 0, b"ef");
    assert_eq!(net.out.a.bytes, whole(b"abcdef"));
}

#[test]
fn closed_connection_with_a_hole_is_not_open_for_long() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, FIN | ACK, 4, 0, b"");
    net.send(false, FIN | ACK, 0, 5, b"");
    assert_eq!(net.out.finished, []);
    net.time += 60_000_000_000;
    net.send(true, ACK, 5, 1, b"");
    assert_eq!(net.out.finished.len(), 1);
    assert_eq!(net.out.finished[0].1, Finish::Tcp);
}

#[test]
fn answer_waits_for_the_request_that_it_acknowledges() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, ACK, 0, 4, b"answer");
    assert_eq!(net.out.b.bytes, [], "its request is not there yet");
    net.send(true, ACK, 0, 0, b"ask!");
    let order: Vec<bool> = net.out.log.iter().map(|line| line.contains(" A ")).collect();
    assert_eq!(order, [true, false]);
    assert_eq!(net.end().b.bytes, whole(b"answer"));
}

#[test]
fn of_two_segments_the_wrong_way_round_only_the_later_one_waits() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"ask!");
    // What answers the frame comes before the answer to the request, and before the frame itself.
    net.send(false, ACK, 6, 9, b"echo");
    net.send(false, ACK, 0, 4, b"answer");
    net.send(true, ACK, 4, 6, b"frame");
    let order: Vec<&str> = net.out.log.iter().map(|line| &line[..4]).collect();
    assert_eq!(net.out.a.bytes, whole(b"ask!frame"), "{order:?}");
    assert_eq!(net.out.b.bytes, whole(b"answerecho"));
    let from_a: Vec<bool> = net.out.log.iter().map(|line| line.contains(" A ")).collect();
    assert_eq!(from_a, [true, false, true, false]);
}

#[test]
fn segments_that_each_heard_the_other_come_out_all_the_same() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 1, b"a");
    net.send(false, ACK, 0, 1, b"b");
    assert_eq!((net.out.a.bytes, net.out.b.bytes), (whole(b"a"), whole(b"b")));
}

#[test]
fn fin_that_was_not_captured_is_no_missing_byte() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, ACK, 0, 0, b"bye");
    for _ in 0..6 {
        net.send(true, ACK, 0, 4, b"");
    }
    assert_eq!(net.end().b.bytes, whole(b"bye"));
}

#[test]
fn fin_waits_for_the_bytes_before_it_and_half_close_lets_the_other_side_go_on() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, FIN | ACK, 2, 0, b"cd");
    assert_eq!(net.out.a.fins, 0);
    net.send(true, ACK, 0, 0, b"ab");
    assert_eq!(net.out.a.fins, 1);
    net.send(false, ACK, 0, 5, b"answer");
    net.send(false, FIN | ACK, 6, 5, b"");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"abcd"));
    assert_eq!(out.b.bytes, whole(b"answer"));
    assert_eq!(out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
}

#[test]
fn reset_flushes_what_is_held_and_ends_both_sides() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 2, 0, b"cd");
    net.send(false, RST | ACK, 0, 0, b"");
    net.send(true, ACK, 0, 0, b"ab");
    let out = net.end();
    assert_eq!(out.a.bytes, [None, None, Some(b'c'), Some(b'd')]);
    assert_eq!(out.resets, 1);
    assert_eq!(out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
}

#[test]
fn reset_takes_effect_at_its_place_in_the_sequence() {
    let mut net = Net::new();
    net.open(0, 0);
    // The other side's last bytes, and the sender's own, stand behind the RST in the capture.
    net.send(true, RST | ACK, 2, 3, b"");
    net.send(false, ACK, 0, 0, b"xyz");
    assert_eq!(net.out.resets, 0);
    net.send(true, ACK, 0, 3, b"ab");
    assert_eq!(net.out.resets, 1);
    net.send(true, ACK, 2, 3, b"cd");
    let out = net.end();
    assert_eq!((&out.a.bytes, &out.b.bytes), (&whole(b"ab"), &whole(b"xyz")));
    assert_eq!(out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
}

#[test]
fn reset_behind_bytes_that_never_come_still_ends_the_connection() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, RST, 2, 0, b"");
    let out = net.end();
    assert_eq!(out.a.bytes, [None, None]);
    assert_eq!(out.resets, 1);
    assert_eq!(out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
}

#[test]
fn reset_with_a_number_far_off_is_not_believed() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(false, RST, 0x7000_0000, 0, b"");
    net.send(true, ACK, 0, 0, b"still here");
    assert_eq!(net.end().a.bytes, whole(b"still here"));
}

#[test]
fn port_reuse_begins_a_new_connection() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"one");
    net.open(90_000, 70_000);
    net.send(true, ACK, 90_000, 70_000, b"two");
    net.send(true, SYN, 89_999, 0, b"");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"onetwo"));
    assert_eq!(
        out.finished,
        [(FlowId(PacketNo(1)), Finish::Reused), (FlowId(PacketNo(5)), Finish::CaptureEnd)]
    );
}

#[test]
fn closed_connection_takes_what_is_late_and_gives_way_to_another_syn() {
    let mut net = Net::new();
    net.open(100, 500);
    net.send(true, FIN | ACK, 100, 500, b"");
    net.send(false, FIN | ACK, 500, 101, b"");
    assert_eq!(net.out.finished, [(FlowId(PacketNo(1)), Finish::Tcp)]);
    assert_eq!(net.table.current(), Some(FlowId(PacketNo(1))), "its packet, although it is over");
    // Its last acknowledgement, a retransmission, its own SYNs once more: nothing new.
    net.send(true, ACK, 101, 501, b"");
    net.send(true, ACK, 90, 501, b"late bytes");
    net.send(true, SYN, 99, 0, b"");
    net.send(false, SYN | ACK, 499, 100, b"");
    assert_eq!((net.table.streams(), net.table.current()), (1, Some(FlowId(PacketNo(1)))));
    // An answer to a SYN that was not captured.
    net.send(false, SYN | ACK, 7000, 9001, b"");
    assert_eq!((net.table.streams(), net.table.current()), (2, Some(FlowId(PacketNo(10)))));
    net.send(true, ACK, 9001, 7001, b"new");
    let out = net.end();
    // The server's packet came first, so it is the one that is called a.
    assert_eq!(out.b.bytes, whole(b"new"));
    assert_eq!(out.finished.len(), 2);
}

#[test]
fn connection_whose_end_alone_was_captured_gives_way_to_the_next() {
    // The server's FIN, or both SYN-ACKs, are all that there is of one direction.
    let mut net = Net::new();
    net.send(false, ACK | FIN, 50, 9, b"");
    net.send(true, SYN, 999, 0, b"");
    net.send(true, ACK, 1000, 500, b"new");
    assert_eq!(net.end().a.bytes, whole(b"new"));
    let mut net = Net::new();
    net.send(false, SYN | ACK, 99, 10, b"");
    net.send(false, ACK | FIN, 100, 10, b"one");
    net.send(false, SYN | ACK, 4_999, 3_010, b"");
    net.send(false, ACK, 5_000, 3_010, b"two");
    let out = net.end();
    assert_eq!(out.b.bytes.len(), 0, "{:?}", out.log);
    assert_eq!(out.a.bytes, whole(b"onetwo"));
    assert_eq!(out.finished.len(), 2);
}

#[test]
fn capture_that_starts_in_mid_connection_starts_at_the_first_segment() {
    let mut net = Net::new();
    net.send(true, ACK, 777, 888, b"abc");
    // What b sends next is known from a's acknowledgement: 2 bytes of it are missing.
    net.send(false, ACK, 890, 780, b"xyz");
    for _ in 0..4 {
        net.send(true, ACK, 780, 893, b"");
    }
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"abc"));
    assert_eq!(out.b.bytes, [None, None, Some(b'x'), Some(b'y'), Some(b'z')]);
}

#[test]
fn stray_segment_far_away_is_ignored_but_a_stream_that_went_on_is_followed() {
    let mut net = Net::new();
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"ab");
    net.send(true, ACK, 0x4000_0000, 0, b"noise");
    net.send(true, ACK, 2, 0, b"cd");
    assert_eq!(net.out.a.bytes, whole(b"abcd"));
    // 64 KiB segments, one after the other: the capture missed more than the window.
    for i in 0..4 {
        net.send(true, ACK, 0x1000_0000 + i, 0, b"z");
    }
    let zs = net.out.a.bytes.iter().filter(|b| **b == Some(b'z')).count();
    assert_eq!(zs, 2, "from the third on");
}

#[test]
fn sequence_space_full_of_holes_is_bounded_by_segments() {
    let limits = Limits { hold_segments: 10, ..Limits::default() };
    let mut net = Net::with(limits);
    net.open(0, 0);
    for i in 0..100_u32 {
        net.send(true, ACK, 1 + i * 2, 0, b"x");
    }
    assert_eq!(net.out.a.bytes.len(), 180);
}

#[test]
fn dropped_connection_costs_its_handler_nothing_more() {
    let mut net = Net::new();
    net.out.drop_all = true;
    net.open(0, 0);
    net.send(true, ACK, 0, 0, b"a");
    net.send(true, ACK, 1, 0, b"b");
    let out = net.end();
    assert_eq!(out.a.bytes, whole(b"a"));
    assert_eq!(out.finished, []);
}

#[test]
fn crowd_of_connections_is_thinned_by_idleness() {
    let limits = Limits { flows: 160, ..Limits::default() };
    let mut table: Table<Recorder> = Table::new(limits);
    let mut out = Recorder::default();
    for i in 0..10_000_u32 {
        let segment = Segment {
            origin: Origin {
                packet: PacketNo(u64::from(i) + 1),
                time: Some(Timestamp(i64::from(i))),
            },
            src: SocketAddr::from((i.to_be_bytes(), 1234)),
            dst: "10.0.0.1:80".parse().unwrap(),
            seq: SeqNo(0),
            ack: SeqNo(0),
            flags: SYN,
            window: 0,
            payload: b"",
            cut: 0,
        };
        assert!(table.push(&segment, &mut out).is_continue());
    }
    assert_eq!(table.streams(), 10_000);
    assert!(table.finish(Origin::default(), &mut out).is_continue());
    let evicted = out.finished.iter().filter(|(_, why)| *why == Finish::Evicted).count();
    assert_eq!(out.finished.len(), 10_000);
    assert!(evicted >= 10_000 - 160 - 16, "{evicted}");
}

proptest! {
    /// Cut anyhow, sent in any order, in part twice: the stream is the same.
    #[test]
    fn any_order_and_any_cut_give_the_same_stream(
        bytes in proptest::collection::vec(any::<u8>(), 1..400),
        cuts in proptest::collection::vec((0usize..400, 1usize..60), 1..60),
        isn in any::<u32>(),
    ) {
        let mut net = Net::new();
        net.open(isn, 0);
        let send = |net: &mut Net, from: usize, to: usize| {
            let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
            if from < to {
                let seq = isn.wrapping_add(u32::try_from(from).unwrap());
                net.send(true, ACK, seq, 0, &bytes[from..to]);
            }
        };
        for (from, len) in cuts {
            send(&mut net, from, from + len);
        }
        // What the random pieces left out, in order.
        for from in (0..bytes.len()).step_by(7) {
            send(&mut net, from, from + 7);
        }
        let out = net.end();
        prop_assert_eq!(out.a.bytes, whole(&bytes));
        prop_assert_eq!(out.a.conflicts, 0);
    }

    /// Against a bitmap: what was never sent is missing, everything else is there, in its place.
    #[test]
    fn lost_pieces_are_gaps_of_their_exact_length(
        kept in proptest::collection::vec(any::<bool>(), 1..60),
        isn in any::<u32>(),
    ) {
        let mut net = Net::new();
        net.open(isn, 0);
        let mut want: Vec<Option<u8>> = Vec::new();
        for (i, keep) in (0u8..).zip(&kept) {
            if *keep {
                net.send(true, ACK, isn.wrapping_add(u32::from(i) * 3), 0, &[i, i, i]);
            }
            want.extend([keep.then_some(i); 3]);
        }
        while want.last() == Some(&None) {
            want.pop();
        }
        prop_assert_eq!(net.end().a.bytes, want);
    }
}

/// Weighs 1000 bytes a connection once it has data, of which 400 are spare.
#[derive(Debug, Default)]
struct Heavy {
    shed: Vec<(u64, Shed)>,
}

impl Handler for Heavy {
    type State = usize;

    fn stream(
        &mut self,
        _: &FlowInfo,
        weight: &mut usize,
        _: Side,
        _: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest> {
        *weight = 1000;
        ControlFlow::Continue(Interest::Keep)
    }

    fn weight(&self, weight: &usize) -> usize {
        *weight
    }

    fn shed(
        &mut self,
        flow: &FlowInfo,
        weight: &mut usize,
        what: Shed,
        _: Origin,
    ) -> ControlFlow<()> {
        *weight = if what == Shed::All { 0 } else { 600 };
        self.shed.push((flow.id.0.0, what));
        ControlFlow::Continue(())
    }

    fn finish(&mut self, _: &FlowInfo, _: &mut usize, _: Finish, _: Origin) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[test]
fn over_the_budget_the_longest_idle_lose_first_what_is_spare_and_then_the_rest() {
    // 10,000 bytes for each of 16 parts.
    let mut table = Table::new(Limits { kept_bytes: 160_000, ..Limits::default() });
    let mut heavy = Heavy::default();
    let mut packet = 0;
    let mut send = |heavy: &mut Heavy, port: u16| {
        packet += 1;
        let segment = Segment {
            origin: Origin { packet: PacketNo(packet), time: None },
            src: (std::net::Ipv4Addr::LOCALHOST, port).into(),
            dst: (std::net::Ipv4Addr::LOCALHOST, 80).into(),
            seq: SeqNo(1),
            ack: SeqNo(0),
            flags: ACK,
            window: 0,
            payload: b"x",
            cut: 0,
        };
        assert!(table.push(&segment, heavy).is_continue());
    };
    // Of one part: the key alone tells which.
    let part = |port: u16| {
        let (a, b) = ((std::net::Ipv4Addr::LOCALHOST, port), (std::net::Ipv4Addr::LOCALHOST, 80));
        FlowKey::new(&a.into(), &b.into()).0.spread(16)
    };
    let mut ports = (10_000..).filter(|port| part(*port) == part(10_000));
    let mut next = || ports.next().unwrap();
    for _ in 0..11 {
        send(&mut heavy, next());
    }
    assert!(heavy.shed.is_empty(), "the connection at hand does not count");
    send(&mut heavy, next());
    // 11,000 bytes beside it; 7,500 are enough: nine give 400 each.
    let spare: Vec<(u64, Shed)> = (1..=9).map(|no| (no, Shed::Spare)).collect();
    assert_eq!(heavy.shed, spare);
    heavy.shed.clear();
    // Nine of 600 and three of 1000 are beside the next one, then four.
    for _ in 0..2 {
        send(&mut heavy, next());
    }
    assert_eq!(heavy.shed, [], "8,400 and 9,400 are not over it");
    for _ in 0..30 {
        send(&mut heavy, next());
    }
    assert!(heavy.shed.contains(&(1, Shed::All)), "{:?}", heavy.shed);
    let all: Vec<u64> =
        heavy.shed.iter().filter(|(_, what)| *what == Shed::All).map(|(no, _)| *no).collect();
    assert!(all.is_sorted(), "the longest idle first: {all:?}");
}
