//! The segments of one part of the connections in one batch, in little room: they go from the cache of
//! one core to that of another.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::packet::{Segment, TcpFlags};
use crate::units::{Origin, PacketNo, SeqNo, Timestamp};

/// Segments and their payloads.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Number of the batch.
    pub(super) batch: u64,
    slim: Vec<Slim>,
    /// Those that do not fit, without their payload.
    wide: VecDeque<Segment<'static>>,
    bytes: Vec<u8>,
    /// The next one to be worked on, and where its payload begins.
    next: usize,
    begin: usize,
}

/// A segment between IPv4 addresses that was captured whole, but for its payload.
#[derive(Debug, Clone, Copy)]
struct Slim {
    packet: PacketNo,
    time: Timestamp,
    src: [u8; 4],
    dst: [u8; 4],
    ports: [u16; 2],
    seq: SeqNo,
    ack: SeqNo,
    len: u32,
    window: u16,
    flags: TcpFlags,
    /// Everything but `len` stands in [`Load::wide`].
    is_wide: bool,
}

impl Slim {
    /// `None` for what does not fit.
    fn new(segment: &Segment<'_>, len: u32) -> Option<Self> {
        let (SocketAddr::V4(src), SocketAddr::V4(dst)) = (segment.src, segment.dst) else {
            return None;
        };
        let time = segment.origin.time.filter(|_| segment.cut == 0)?;
        Some(Self {
            packet: segment.origin.packet,
            time,
            src: src.ip().octets(),
            dst: dst.ip().octets(),
            ports: [src.port(), dst.port()],
            seq: segment.seq,
            ack: segment.ack,
            len,
            window: segment.window,
            flags: segment.flags,
            is_wide: false,
        })
    }

    /// Stands for one that does not fit.
    const fn wide(len: u32) -> Self {
        Self {
            packet: PacketNo(0),
            time: Timestamp(0),
            src: [0; 4],
            dst: [0; 4],
            ports: [0; 2],
            seq: SeqNo(0),
            ack: SeqNo(0),
            len,
            window: 0,
            flags: TcpFlags(0),
            is_wide: true,
        }
    }

    fn segment<'a>(&self, payload: &'a [u8]) -> Segment<'a> {
        let [src_port, dst_port] = self.ports;
        let addr =
            |octets: [u8; 4], port| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port);
        Segment {
            origin: Origin { packet: self.packet, time: Some(self.time) },
            src: addr(self.src, src_port),
            dst: addr(self.dst, dst_port),
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            payload,
            cut: 0,
        }
    }
}

impl Load {
    pub(super) fn push(&mut self, segment: &Segment<'_>) {
        // No packet is longer than that.
        let len = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(segment.payload);
        let slim = Slim::new(segment, len).unwrap_or_else(|| {
            self.wide.push_back(Segment { payload: &[], ..*segment });
            Slim::wide(len)
        });
        self.slim.push(slim);
    }

    /// The next segment.
    pub(super) fn next(&mut self) -> Option<Segment<'_>> {
        let slim = self.slim.get(self.next)?;
        self.next += 1;
        let begin = self.begin;
        self.begin = begin.saturating_add(slim.len as usize);
        let payload = self.bytes.get(begin..self.begin).unwrap_or_default();
        if slim.is_wide {
            return self.wide.pop_front().map(|segment| Segment { payload, ..segment });
        }
        Some(slim.segment(payload))
    }

    /// No segment is left.
    pub(super) fn is_done(&self) -> bool {
        self.next >= self.slim.len()
    }

    /// Empties it, to be used again. Room for much more than usual is given back.
    pub(super) fn clear(&mut self) {
        const KEEP: usize = 256 << 10;
        self.slim.clear();
        self.wide.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.next = 0;
        self.begin = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_out_as_they_went_in() {
        let v4: Segment<'_> = Segment {
            origin: Origin { packet: PacketNo(7), time: Some(Timestamp(8)) },
            src: "10.0.0.1:2".parse().unwrap(),
            dst: "10.0.0.3:4".parse().unwrap(),
            seq: SeqNo(5),
            ack: SeqNo(6),
            flags: TcpFlags::PSH | TcpFlags::ACK,
            window: 9,
            payload: b"hello",
            cut: 0,
        };
        let timeless = Origin { packet: PacketNo(7), time: None };
        let v6 = "[fe80::1%2]:3".parse().or_else(|_| "[fe80::1]:3".parse()).unwrap();
        let all = [
            v4,
            Segment { cut: 10, payload: b"abc", ..v4 },
            Segment { payload: b"", ..v4 },
            Segment { src: v6, ..v4 },
            Segment { origin: timeless, ..v4 },
            Segment { payload: b"last", ..v4 },
        ];
        let mut load = Load::default();
        for _ in 0..2 {
            for segment in &all {
                load.push(segment);
            }
            for segment in all {
                assert!(!load.is_done());
                assert_eq!(load.next(), Some(segment));
            }
            assert!(load.is_done());
            assert_eq!(load.next(), None);
            load.clear();
        }
    }
}
