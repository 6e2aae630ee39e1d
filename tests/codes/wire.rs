//! Captures made packet by packet.

use std::io::Write;

use etherparse::PacketBuilder;
use wstap::capture::{InterfaceId, LinkType, PacketRecord, PcapngWriter};
use wstap::units::{FileOffset, PacketNo, Timestamp};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

pub(crate) use Way::{ToClient, ToServer};

/// A TCP connection on loopback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tcp {
    client: u16,
    server: u16,
    /// The next sequence number of each side.
    next: [u32; 2],
}

impl Tcp {
    pub(crate) const fn new(client: u16, server: u16) -> Self {
        Self { client, server, next: [1000, 5000] }
    }

    /// Bytes that the capture does not hold.
    pub(crate) fn skip(&mut self, way: Way, bytes: u32) {
        self.next[way as usize] += bytes;
    }

    /// The next bytes stand where others stood.
    pub(crate) fn back(&mut self, way: Way, bytes: u32) {
        self.next[way as usize] -= bytes;
    }
}

/// Packets, a millisecond apart.
#[derive(Debug)]
pub(crate) struct Wire {
    writer: PcapngWriter<Vec<u8>>,
    no: u64,
    /// Nanoseconds since 1970.
    now: i64,
}

/// Bytes of a segment: what fits an IPv4 packet with room to spare.
const SEGMENT: usize = 60_000;

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            writer: PcapngWriter::new(Vec::new()).unwrap(),
            no: 0,
            now: 1_700_000_000_000_000_000,
        }
    }

    /// Nothing happens for so many seconds.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += seconds * 1_000_000_000;
    }

    /// The handshake of TCP.
    pub(crate) fn open(&mut self, tcp: &mut Tcp) {
        // A SYN takes a sequence number of its own, before that of the first byte.
        tcp.next[0] -= 1;
        self.packet(tcp, ToServer, "S", b"");
        tcp.next[0] += 1;
        tcp.next[1] -= 1;
        self.packet(tcp, ToClient, "SA", b"");
        tcp.next[1] += 1;
        self.packet(tcp, ToServer, "A", b"");
    }

    /// Bytes, in as many segments as they need, and their acknowledgement.
    pub(crate) fn send(&mut self, tcp: &mut Tcp, way: Way, bytes: &[u8]) {
        for part in bytes.chunks(SEGMENT) {
            self.packet(tcp, way, "PA", part);
            tcp.next[way as usize] += u32::try_from(part.len()).unwrap();
        }
        self.packet(tcp, if way == ToServer { ToClient } else { ToServer }, "A", b"");
    }

    /// Both sides end it, this one first.
    pub(crate) fn close(&mut self, tcp: &mut Tcp, first: Way) {
        let second = if first == ToServer { ToClient } else { ToServer };
        self.fin(tcp, first);
        self.fin(tcp, second);
        self.packet(tcp, first, "A", b"");
    }

    /// One side ends it.
    pub(crate) fn fin(&mut self, tcp: &mut Tcp, way: Way) {
        self.packet(tcp, way, "FA", b"");
        tcp.next[way as usize] += 1;
    }

    fn packet(&mut self, tcp: &Tcp, way: Way, flags: &str, payload: &[u8]) {
        let (from, to) = match way {
            ToServer => (tcp.client, tcp.server),
            ToClient => (tcp.server, tcp.client),
        };
        let (seq, ack) = (tcp.next[way as usize], tcp.next[1 - way as usize]);
        let mut step = PacketBuilder::ethernet2([0; 6], [0; 6])
            .ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64)
            .tcp(from, to, seq, 65535);
        for flag in flags.chars() {
            step = match flag {
                'S' => step.syn(),
                'F' => step.fin(),
                'P' => step.psh(),
                _ => step.ack(ack),
            };
        }
        let mut bytes = Vec::new();
        step.write(&mut bytes, payload).unwrap();
        self.no += 1;
        self.now += 1_000_000;
        let record = PacketRecord {
            no: PacketNo(self.no),
            at: FileOffset(0),
            time: Some(Timestamp(self.now)),
            link: LinkType::ETHERNET,
            interface: InterfaceId(0),
            orig_len: u32::try_from(bytes.len()).unwrap(),
            bytes: &bytes,
        };
        self.writer.write(&record).unwrap();
    }

    /// The capture file.
    pub(crate) fn file(self) -> tempfile::NamedTempFile {
        let bytes = self.writer.finish(&[]).unwrap();
        let mut file = tempfile::Builder::new().suffix(".pcapng").tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }
}

/// RFC 6455 section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request with further header lines.
pub(crate) fn request(more: &str) -> Vec<u8> {
    request_with(KEY, more)
}

pub(crate) fn request_with(key: &str, more: &str) -> Vec<u8> {
    format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A 101 with further header lines.
pub(crate) fn answer(more: &str) -> Vec<u8> {
    answer_with(ACCEPT, more)
}

pub(crate) fn answer_with(accept: &str, more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A frame: its first byte and payload; masked on its way to the server (RFC 6455 section 5.3).
pub(crate) fn frame(way: Way, first: u8, payload: &[u8]) -> Vec<u8> {
    let bit = if way == ToServer { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(bit | u8::try_from(len).unwrap()),
        len @ 126..65536 => {
            bytes.push(bit | 0x7e);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(bit | 0x7f);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if way == ToClient {
        bytes.extend(payload);
        return bytes;
    }
    let mask = [0x37, 0xfa, payload.first().copied().unwrap_or(0x21) | 1, first];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A text message in one frame.
pub(crate) fn text(way: Way, text: &str) -> Vec<u8> {
    frame(way, 0x81, text.as_bytes())
}

/// A Close frame.
pub(crate) fn closing(way: Way, code: u16) -> Vec<u8> {
    frame(way, 0x88, &code.to_be_bytes())
}
