//! Every budget, with its reason.
//!
//! Gets: nothing. Gives: [`Limits`] to every layer that keeps something for a stranger. A budget
//! that is hit leaves a note or a count, and the bytes behind it are skipped by length: never silent,
//! never out of step.

use std::ops::Range;

/// How much may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of out-of-order segments held per direction of a TCP connection. 1 MiB is the receive
    /// window that common kernels open without tuning; what is held beyond a hole cannot be more.
    pub hold_bytes: usize,
    /// Segments held per direction: bounds the cost of a sequence space full of holes.
    pub hold_segments: usize,
    /// Nanoseconds of packet time after which a hole that nothing fills is a gap: longer than
    /// several retransmission timeouts.
    pub hold_ns: i64,
    /// Segments of a connection that may still fill a hole after the receiver acknowledged past it:
    /// packets of several capture queues or interfaces can be a little out of order in the file. The
    /// greater number holds for [`Self::hole_grace_ns`], the lesser one afterwards.
    pub hole_grace_segments: Range<u32>,
    /// Nanoseconds of packet time for which packets are out of order in a capture more than a little.
    pub hole_grace_ns: i64,
    /// Open TCP connections, over all; the longest idle one is dropped first.
    pub flows: usize,
    /// Bytes kept for all connections together: unfinished messages, windows of compressed ones, what
    /// came before its turn, notes. Over it the longest idle connections lose theirs: first what can be
    /// made again, then the rest, with a note or a gap. Enough for 10,000 connections that compress
    /// in both directions with full windows.
    pub kept_bytes: usize,
    /// Nanoseconds of packet time without a packet after which a connection without data (port
    /// scans, SYN floods), or one that is no WebSocket, is forgotten.
    pub idle_ns: i64,
    /// The same for the others: a WebSocket may rightly be silent for hours.
    pub idle_websocket_ns: i64,
    /// Bytes of an HTTP head, start line to empty line. Servers take 8 to 64 KiB.
    pub head_bytes: usize,
    /// Header fields of a head.
    pub head_fields: usize,
    /// Requests on one connection that still lack their answer (pipelining).
    pub pipelined_requests: usize,
    /// WebSockets that are open, or asked for, at once on one HTTP/2 connection. Servers allow 100 to 1000
    /// streams at once; further attempts are told, and what follows on them is stepped over.
    pub h2_streams: usize,
    /// Bytes of a dynamic table of header compression, in each direction. Browsers ask for 64 KiB, most
    /// others for 4; of one that is made larger, the oldest entries are forgotten, and fields that refer to
    /// them are missing.
    pub hpack_bytes: usize,
    /// Client bytes held behind an upgrade request until its answer is seen.
    pub held_bytes: usize,
    /// Bytes of one direction looked at before a connection is given up as not HTTP and not WebSocket.
    pub probe_bytes: usize,
    /// Bytes of a TLS connection held until its secrets are known: clients write them down within the
    /// handshake, and what they send meanwhile is little.
    pub tls_bytes: usize,
    /// The same as long as nobody has any secrets: a pcapng file may still bring some, but hardly ever does.
    pub tls_hope_bytes: usize,
    /// Bytes of one message kept to be shown, on the wire and inflated alike. One that inflates to more is
    /// still read, up to [`Self::inflate_bytes`], for those that refer to it.
    pub message_bytes: usize,
    /// Bytes inflated of one message before it is given up: an inflate bomb makes 50 MB of 48 KiB.
    pub inflate_bytes: usize,
    /// Bytes in which frames are looked for at once after a header was lost.
    pub resync_bytes: usize,
    /// Notes kept with one event; further ones are counted in the last. Of a handshake, each head has a
    /// half, and of that the faults of its bytes a half.
    pub notes: usize,
    /// Pings per direction whose pong is still awaited.
    pub pings: usize,
    /// IP datagrams whose fragments are still incomplete, and the bytes held for them.
    pub ip_fragments: usize,
    /// Bytes held for incomplete IP datagrams.
    pub ip_fragment_bytes: usize,
    /// `Sec-WebSocket-Key` values remembered to recognise a reused one.
    pub keys: usize,
    /// The longest packet record believed. Above any MTU with offload; more is a lying length.
    pub record_bytes: usize,
}

const SECOND: i64 = 1_000_000_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            hold_bytes: 1 << 20,
            hold_segments: 4096,
            hold_ns: 30 * SECOND,
            hole_grace_segments: 3..32,
            hole_grace_ns: SECOND / 100,
            flows: 1 << 18,
            kept_bytes: 768 << 20,
            idle_ns: 600 * SECOND,
            idle_websocket_ns: 24 * 3600 * SECOND,
            head_bytes: 256 << 10,
            head_fields: 1024,
            pipelined_requests: 64,
            h2_streams: 1024,
            hpack_bytes: 256 << 10,
            held_bytes: 1 << 20,
            probe_bytes: 256 << 10,
            tls_bytes: 1 << 20,
            tls_hope_bytes: 64 << 10,
            message_bytes: 64 << 20,
            inflate_bytes: 32 << 20,
            resync_bytes: 1 << 20,
            notes: 64,
            pings: 64,
            ip_fragments: 1024,
            ip_fragment_bytes: 8 << 20,
            keys: 1 << 16,
            record_bytes: 16 << 20,
        }
    }
}
