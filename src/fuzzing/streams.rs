//! Segments to streams: any schedule of a known stream, and any segments at all.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;

use crate::flow::{Finish, FlowInfo, Handler, Interest, Side, StreamEvent, Table};
use crate::limits::Limits;
use crate::packet::{Segment, TcpFlags};
use crate::units::{Origin, PacketNo, SeqNo, Timestamp};

/// What came out of one side of one connection.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Heard {
    /// Bytes, `None` for each missing one.
    bytes: Vec<Option<u8>>,
    /// Bytes that were said to be missing, where they are too many to be listed.
    missing: u64,
    conflicts: u64,
    fin: bool,
    reset: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Listener {
    a: Heard,
    b: Heard,
    /// Without conflicts.
    events: u64,
    finished: u64,
    /// Does not ask for conflicts.
    trusting: bool,
}

/// Longest gap that is written out byte by byte.
const LISTED: u64 = 1 << 16;

impl Handler for Listener {
    type State = bool;

    fn compares(&self) -> bool {
        !self.trusting
    }

    fn stream(
        &mut self,
        flow: &FlowInfo,
        over: &mut bool,
        side: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest> {
        assert!(!*over, "an event behind the end of {flow:?}: {event:?}");
        self.events += u64::from(!matches!(event, StreamEvent::Conflict { .. }));
        // Whoever was seen first: A is the one that does not listen on the server's port.
        let (heard, other) = if flow.addr(side).port() == 80 {
            (&mut self.b, &self.a)
        } else {
            (&mut self.a, &self.b)
        };
        // With several connections in one listener an end says nothing of the others.
        let silent = flow.stream.0 == 0 && (heard.fin || heard.reset || other.reset);
        match event {
            StreamEvent::Data { bytes, .. } => {
                assert!(!bytes.is_empty() && !silent, "{flow:?} {event:?}");
                heard.bytes.extend(bytes.iter().copied().map(Some));
            }
            StreamEvent::Gap { len, .. } => {
                assert!(len > 0 && !silent, "{flow:?} {event:?}");
                heard.missing = heard.missing.saturating_add(len);
                if len <= LISTED {
                    let gap = usize::try_from(len).unwrap_or(0);
                    heard.bytes.extend(std::iter::repeat_n(None, gap));
                }
            }
            StreamEvent::Conflict { len, .. } => {
                assert!(len > 0);
                heard.conflicts = heard.conflicts.saturating_add(len);
            }
            StreamEvent::Fin { .. } => {
                assert!(!silent, "{flow:?} {event:?}");
                heard.fin = flow.stream.0 == 0;
            }
            StreamEvent::Reset { .. } => heard.reset = flow.stream.0 == 0,
        }
        ControlFlow::Continue(Interest::Keep)
    }

    fn finish(&mut self, _: &FlowInfo, over: &mut bool, _: Finish, _: Origin) -> ControlFlow<()> {
        assert!(!*over, "finished twice");
        *over = true;
        self.finished += 1;
        ControlFlow::Continue(())
    }
}

/// The byte at an offset of the stream from A: no two stretches of it are alike for long.
fn byte_at(offset: usize) -> u8 {
    let mixed = (offset as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_be_bytes()[0]
}

/// One connection, A sending a known stream to B.
struct Line {
    table: Table<Listener>,
    listener: Listener,
    isn: SeqNo,
    packet: u64,
}

impl Line {
    fn new(isn: SeqNo, limits: Limits) -> Self {
        Self { table: Table::new(limits), listener: Listener::default(), isn, packet: 0 }
    }

    fn origin(&mut self) -> Origin {
        self.packet += 1;
        // Nothing is decided by the time: a microsecond a packet is far below every limit.
        let time = i64::try_from(self.packet).unwrap_or(0) * 1000;
        Origin { packet: PacketNo(self.packet), time: Some(Timestamp(time)) }
    }

    fn push(
        &mut self,
        from_a: bool,
        flags: TcpFlags,
        seq: SeqNo,
        ack: SeqNo,
        payload: &[u8],
        cut: u32,
    ) {
        let a = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        let b = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        let (src, dst) = if from_a { (a, b) } else { (b, a) };
        let segment = Segment {
            origin: self.origin(),
            src,
            dst,
            seq,
            ack,
            flags,
            window: 1024,
            payload,
            cut,
        };
        let flow = self.table.push(&segment, &mut self.listener);
        assert!(flow.is_continue(), "the listener never stops");
    }

    /// The sequence number of an offset in A's stream.
    fn seq(&self, offset: usize) -> SeqNo {
        self.isn.plus(1).plus(u32::try_from(offset).unwrap_or(0))
    }

    fn syn(&mut self) {
        let isn = self.isn;
        self.push(true, TcpFlags::SYN, isn, SeqNo(0), b"", 0);
    }

    /// B acknowledges so much of A's stream, and goes on with its own.
    fn answer(&mut self, ack: usize, from: usize, len: usize) {
        let bytes: Vec<u8> = (from..from + len).map(byte_at).collect();
        let seq = SeqNo(1).plus(u32::try_from(from).unwrap_or(0));
        self.push(false, TcpFlags::ACK, seq, self.seq(ack), &bytes, 0);
    }

    /// Bytes of the stream from A, the last `cut` of which the snapshot length took.
    fn stretch(&mut self, from: usize, to: usize, cut: usize, flags: TcpFlags) {
        let bytes: Vec<u8> = (from..to - cut).map(byte_at).collect();
        let cut = u32::try_from(cut).unwrap_or(0);
        self.push(true, flags, self.seq(from), SeqNo(1), &bytes, cut);
    }

    fn finish(mut self) -> Listener {
        let origin = self.origin();
        let _ = self.table.finish(origin, &mut self.listener);
        self.listener
    }
}

/// Segments of a known stream in an order made of the bytes: copied, cut, overlapping, missing.
///
/// Where everything is there in the end, the stream must come out as it is; where something is
/// missing, what comes out may lack bytes, but has none wrong.
pub(super) fn schedule(data: &[u8]) {
    let Some((&[flags, i0, i1, i2, i3, size], ops)) = data.split_first_chunk() else { return };
    let mut play = Play {
        line: Line::new(SeqNo(u32::from_be_bytes([i0, i1, i2, i3])), Limits::default()),
        have: vec![false; usize::from(size) * 8 + 1],
        answered: 0,
        lossy: flags & 1 != 0,
        base: None,
        spoke: false,
        lied: false,
    };
    if flags & 2 != 0 {
        play.line.syn();
        play.base = Some(0);
    } else if !play.lossy {
        play.send(0, 1, 0);
    }
    for op in ops.as_chunks().0 {
        play.act(*op);
    }
    play.check();
}

/// A schedule, and what its receiver would have by now.
struct Play {
    line: Line,
    /// Bytes of A's stream that were in some segment.
    have: Vec<bool>,
    /// Bytes that B sent, in order.
    answered: usize,
    /// Bytes may be missing, and be acknowledged all the same.
    lossy: bool,
    /// The offset at which the stream begins for who has not seen its SYN.
    base: Option<usize>,
    /// A sent something.
    spoke: bool,
    /// Copies with other content were sent.
    lied: bool,
}

impl Play {
    /// Bytes without a hole in front.
    fn ready(&self) -> usize {
        self.have.iter().position(|have| !have).unwrap_or(self.have.len())
    }

    fn act(&mut self, [kind, at, len]: [u8; 3]) {
        let size = self.have.len();
        let from = usize::from(at) * size / 256;
        let len = if len < 0xc0 { usize::from(len % 64) } else { usize::from(len & 0x3f) * 16 };
        let to = from.saturating_add(len + 1).min(size);
        match kind % 8 {
            0 => self.send(from, to, 0),
            1 => {
                let ack = if self.lossy { from } else { self.ready() };
                self.base.get_or_insert(ack);
                self.line.answer(ack, self.answered, 0);
            }
            2 => {
                self.send(from, to, 0);
                self.send(from, to, 0);
            }
            3 => self.keep_alive(),
            4 => self.send(from, to, if self.lossy { (to - from) / 2 } else { 0 }),
            5 => {
                let ack = self.ready();
                self.base.get_or_insert(ack);
                self.line.answer(ack, self.answered, to - from);
                self.answered += to - from;
            }
            6 if (from..to).all(|at| self.have.get(at) == Some(&true)) => {
                let lies: Vec<u8> = (from..to).map(|at| !byte_at(at)).collect();
                self.lied = true;
                self.line.push(true, TcpFlags::ACK, self.line.seq(from), SeqNo(1), &lies, 0);
            }
            _ => {
                for at in (from..to).rev() {
                    self.send(at, at + 1, 0);
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, cut: usize) {
        let base = *self.base.get_or_insert(from);
        // What acknowledgements alone told of the beginning is put right by what they were for.
        let keep_alive = from + 1 == base && to - cut - from <= 1;
        let silent = !self.spoke && self.answered == 0 && self.line.listener.a.bytes.is_empty();
        if silent && !keep_alive {
            self.base = Some(base.min(from));
        }
        self.spoke = true;
        self.line.stretch(from, to, cut, TcpFlags::ACK);
        for have in self.have.iter_mut().take(to - cut).skip(from) {
            *have = true;
        }
    }

    /// RFC 9293 section 3.8.4: a byte of any content, below the next one.
    fn keep_alive(&mut self) {
        let ready = self.ready();
        if ready > 0 && !self.lossy {
            let seq = self.line.seq(ready - 1);
            self.line.push(true, TcpFlags::ACK, seq, SeqNo(1), b"\0", 0);
        }
    }

    fn check(mut self) {
        let size = self.have.len();
        if !self.lossy {
            for from in (0..size).step_by(100) {
                self.send(from, (from + 100).min(size), 0);
            }
            self.line.stretch(size, size, 0, TcpFlags::ACK | TcpFlags::FIN);
        }
        let heard = self.line.finish();
        let base = self.base.unwrap_or(0);
        assert!(heard.a.bytes.len() <= size - base, "more came out than there is");
        for (at, byte) in (base..).zip(&heard.a.bytes) {
            assert!(byte.is_none_or(|byte| byte == byte_at(at)), "byte {at} is wrong");
        }
        assert!(self.lied || heard.a.conflicts == 0, "honest copies are no conflict");
        assert_eq!(heard.b.bytes.len(), self.answered, "what B sent was all there");
        assert!(heard.b.bytes.iter().zip(0..).all(|(got, at)| *got == Some(byte_at(at))));
        if !self.lossy {
            assert_eq!(heard.a.missing, 0, "nothing was missing");
            assert_eq!(heard.a.bytes.len(), size - base, "everything came out");
            assert!(heard.a.fin, "its end was seen");
        }
    }
}

/// Any segments, on a few connections, within small limits: twice the same, but for conflicts where nobody
/// asks for them.
pub(super) fn anything(data: &[u8]) {
    let (first, streams) = replay(data, false);
    let (mut again, streams_again) = replay(data, true);
    assert_eq!((first.finished, streams), (streams_again, streams_again), "each is finished once");
    for (heard, again) in [(&first.a, &mut again.a), (&first.b, &mut again.b)] {
        assert!(again.conflicts <= heard.conflicts, "more is told than was asked for");
        again.conflicts = heard.conflicts;
    }
    assert_eq!(first, Listener { trusting: false, ..again }, "the same again is the same");
}

fn replay(mut data: &[u8], trusting: bool) -> (Listener, u64) {
    let limits = Limits {
        hold_bytes: 512,
        hold_segments: 8,
        hold_ns: 1_000_000_000,
        idle_ns: 20_000_000_000,
        idle_websocket_ns: 40_000_000_000,
        flows: 32,
        kept_bytes: 8192,
        ..Limits::default()
    };
    let mut table = Table::new(limits);
    let mut listener = Listener { trusting, ..Listener::default() };
    let (mut packet, mut time) = (0, 0_i64);
    while let Some((&[what, flags, s0, s1, ack, len, cut], rest)) = data.split_first_chunk() {
        let (payload, rest) = rest.split_at_checked(len.into()).unwrap_or((rest, &[]));
        data = rest;
        packet += 1;
        time += i64::from(what >> 5) * 1_500_000_000 - 1_000_000_000;
        let ends = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + u16::from(what >> 1 & 7))),
            SocketAddr::from((Ipv4Addr::LOCALHOST, 80)),
        ];
        let [src, dst] = if what & 1 == 0 { ends } else { [ends[1], ends[0]] };
        // Near each other around the wrap, and now and then far away.
        let far = if s0 >= 0xf0 { u32::from(s0) << 24 } else { u32::from(s0) << 2 };
        let seq = SeqNo(0xffff_ff00).plus(far).plus(u32::from(s1));
        let segment = Segment {
            origin: Origin { packet: PacketNo(packet), time: Some(Timestamp(time)) },
            src,
            dst,
            seq,
            ack: SeqNo(0xffff_ff00).plus(u32::from(ack) << 3),
            flags: TcpFlags(flags & 0x1f),
            window: 0,
            payload,
            cut: cut.saturating_sub(0xe0).into(),
        };
        let flow = table.push(&segment, &mut listener);
        assert!(flow.is_continue(), "the listener never stops");
    }
    let last = Origin { packet: PacketNo(packet), time: Some(Timestamp(time)) };
    let _ = table.finish(last, &mut listener);
    (listener, table.streams())
}
