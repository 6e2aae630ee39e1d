//! Each layer by itself, in the order in which bytes pass through them.

#![allow(
    missing_docs,
    dead_code,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark, not a library"
)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use common::{Count, Profile, Random, compressed, each_packet, frame, frames, json};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use flate2::{Compress, Compression};
use wstap::capture::{
    FileSource, Input, Options, PacketRecord, PacketSource, Secrets, SecretsListener,
};
use wstap::event::{ConnInfo, Cx, DeflateSide, Event, Message, MessageKind, Payload, Sink, Wants};
use wstap::filter::{Filter, FilterSink};
use wstap::flow::{Finish, FlowInfo, Handler, Interest, Side, StreamEvent, Table};
use wstap::http::Http1;
use wstap::limits::Limits;
use wstap::packet::{Decoded, Decoder};
use wstap::pipeline::Pipeline;
use wstap::sink::json::JsonSink;
use wstap::tls::KeyLog;
use wstap::units::{ConnKey, Direction, MessageNo, Origin, PacketNo, StreamNo, Timestamp};
use wstap::ws::deflate::{Inflater, Shared};
use wstap::ws::handshake::judge;
use wstap::ws::session::{Session, Setup};
use wstap::ws::{Out, Scratch, frame as ws_frame, mask};

fn main() {
    divan::main();
}

#[divan::bench(args = [Profile::Chat, Profile::Bulk], sample_count = 20)]
fn file_reader(bencher: Bencher<'_, '_>, profile: Profile) {
    let capture = profile.capture();
    bencher
        .counter(BytesCount::new(capture.len()))
        .with_inputs(|| capture.clone())
        .bench_local_values(|capture| {
            let mut packets = 0_u64;
            each_packet(capture, |_| packets += 1);
            packets
        });
}

/// The packets of a capture, each with bytes of its own.
fn packets(profile: Profile) -> Vec<(PacketRecord<'static>, Vec<u8>)> {
    let mut packets = Vec::new();
    each_packet(profile.capture(), |record| {
        packets.push((PacketRecord { bytes: &[], ..*record }, record.bytes.to_vec()));
    });
    packets
}

#[divan::bench(sample_count = 20)]
fn link_to_tcp(bencher: Bencher<'_, '_>) {
    let packets = packets(Profile::Chat);
    bencher.counter(ItemsCount::new(packets.len())).bench_local(|| {
        let mut decoder = Decoder::new(&Limits::default());
        for (record, bytes) in &packets {
            black_box(decoder.decode(&PacketRecord { bytes, ..*record }));
        }
    });
}

/// Counts what is put in order.
struct Bytes(u64);

impl Handler for Bytes {
    type State = ();

    fn stream(
        &mut self,
        _: &FlowInfo,
        (): &mut (),
        _: Side,
        event: StreamEvent<'_>,
    ) -> ControlFlow<(), Interest> {
        if let StreamEvent::Data { bytes, .. } = event {
            self.0 += bytes.len() as u64;
        }
        ControlFlow::Continue(Interest::Keep)
    }

    fn finish(&mut self, _: &FlowInfo, (): &mut (), _: Finish, _: Origin) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[divan::bench(args = [Profile::Chat, Profile::Bulk, Profile::ManyFlows], sample_count = 20)]
fn reassembly(bencher: Bencher<'_, '_>, profile: Profile) {
    let packets = packets(profile);
    let mut decoder = Decoder::new(&Limits::default());
    let segments: Vec<_> = packets
        .iter()
        .filter_map(|(record, bytes)| {
            let Decoded::Segment(segment) = decoder.decode(&PacketRecord { bytes, ..*record })
            else {
                return None;
            };
            Some((segment.payload.len(), bytes, wstap::packet::Segment { payload: &[], ..segment }))
        })
        .collect();
    bencher.counter(ItemsCount::new(segments.len())).bench_local(|| {
        let mut table = Table::new(Limits::default());
        let mut handler = Bytes(0);
        for (len, bytes, segment) in &segments {
            let payload = bytes.get(bytes.len() - len..).unwrap_or(&[]);
            let _ = table.push(&wstap::packet::Segment { payload, ..*segment }, &mut handler);
        }
        handler.0
    });
}

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The same handshake as a browser asks and a server with compression answers.
const BROWSER: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nConnection: Upgrade\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
    Upgrade: websocket\r\nOrigin: https://example.com\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
const COMPRESSING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// Both heads parsed and judged.
#[divan::bench(args = [("short", REQUEST, ANSWER), ("browser", BROWSER, COMPRESSING)])]
fn handshake((_, request, answer): (&str, &[u8], &[u8])) {
    let limits = Limits::default();
    let origin = Origin::default();
    let mut http = Http1::new();
    let mut input = request;
    let none = http.data(Direction::ToServer, origin, &mut input, &limits);
    assert!(none.is_none());
    let mut input = answer;
    match http.data(Direction::ToClient, origin, &mut input, &limits) {
        Some(wstap::http::Step::Switched(exchange)) => {
            black_box(judge(*exchange, &limits));
        }
        step => panic!("{step:?}"),
    }
}

#[divan::bench]
fn frame_headers(bencher: Bencher<'_, '_>) {
    let bytes = frames(&mut Random(1), Direction::ToServer, 60_000);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let decoder = ws_frame::Decoder::default();
        let mut input: &[u8] = &bytes;
        while let Some(frame) = decoder.whole(&mut input) {
            black_box(frame);
        }
    });
}

#[divan::bench(args = [16, 125, 1448, 65_536])]
fn unmask(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![0x5a; len];
    let mut to = Vec::new();
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        to.clear();
        mask::append(&mut to, black_box(&bytes), Some([1, 2, 3, 4]), 0);
    });
}

/// 1000 messages of one direction.
#[divan::bench(args = [true, false], sample_count = 20)]
fn inflate(bencher: Bencher<'_, '_>, context_takeover: bool) {
    let mut random = Random(7);
    let mut deflate = Compress::new(Compression::fast(), false);
    let mut plain = 0;
    let messages: Vec<Vec<u8>> = std::iter::repeat_with(|| {
        let text = json(&mut random, 200, 900);
        plain += text.len();
        if !context_takeover {
            deflate.reset();
        }
        compressed(&mut deflate, text.as_bytes())
    })
    .take(1000)
    .collect();
    let mut shared = Shared::default();
    bencher.counter(BytesCount::new(plain)).bench_local(|| {
        let mut inflater = Inflater::new(DeflateSide { context_takeover, window_bits: 15 });
        for message in &messages {
            black_box(inflater.message(message, true, 1 << 20, &mut shared));
        }
    });
}

/// Samples of what carries WebSockets besides TCP, through all layers.
#[divan::bench(args = ["wss-tls13.pcapng", "wss-tls12.pcapng", "h2-node.pcap"])]
fn carried(bencher: Bencher<'_, '_>, sample: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(sample);
    let keys = KeyLog::new();
    let known = keys.clone();
    let learn = move |secrets: &Secrets| _ = known.add(&secrets.data, PacketNo(0));
    let options = Options { secrets: Some(SecretsListener(Arc::new(learn))), ..Options::default() };
    let limits = Limits::default();
    let mut source = FileSource::open(&Input::Path(path), &limits, &options).expect("a sample");
    let mut packets = Vec::new();
    while let Some(record) = source.next().expect("a whole sample") {
        packets.push((PacketRecord { bytes: &[], ..record }, record.bytes.to_vec()));
    }
    let bytes: usize = packets.iter().map(|(_, bytes)| bytes.len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let mut pipeline = Pipeline::new(Count { payload: true, messages: 0 }, limits.clone())
            .with_keys(keys.clone());
        for (record, bytes) in &packets {
            let _ = pipeline.push(&PacketRecord { bytes, ..*record });
        }
        pipeline.finish()
    });
}

fn conn() -> ConnInfo {
    let end = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    ConnInfo {
        key: ConnKey::default(),
        stream: StreamNo(0),
        client: end(40_000),
        server: end(80),
        tls: None,
        h2_stream: None,
    }
}

/// 1000 text messages out of their frames: unmasked, checked, counted.
#[divan::bench(args = [Direction::ToServer, Direction::ToClient], sample_count = 20)]
fn messages(bencher: Bencher<'_, '_>, dir: Direction) {
    let mut random = Random(8);
    let segments: Vec<Vec<u8>> = std::iter::repeat_with(|| {
        let text = json(&mut random, 60, 240);
        frame(&mut random, dir, 0x81, text.as_bytes())
    })
    .take(1000)
    .collect();
    let (conn, limits, mut scratch) = (conn(), Limits::default(), Scratch::default());
    let mut sink = Count { payload: true, messages: 0 };
    let wants = sink.wants();
    bencher.counter(ItemsCount::new(segments.len())).bench_local(|| {
        let mut session = Session::new(Setup::default());
        let mut out =
            Out { sink: &mut sink, wants, limits: &limits, conn: &conn, scratch: &mut scratch };
        for bytes in &segments {
            let _ = session.data(dir, Origin::default(), bytes, &mut out);
        }
    });
}

/// A text message as an output sees it.
fn text_message(text: &str, origin: Origin) -> Message<'_> {
    Message {
        dir: Direction::ToServer,
        no: MessageNo(1),
        kind: MessageKind::Text,
        len: text.len() as u64,
        wire_len: text.len() as u64,
        frames: 1,
        compressed: false,
        complete: true,
        begin: origin,
        payload: Payload::Text(text),
        close_code: None,
        close_reason: None,
        notes: &[],
    }
}

/// A display filter asked of one message: of numbers only, and of its text.
#[divan::bench(args = ["len > 100 && dir == s2c", "text contains \"nowhere\""])]
fn filter(bencher: Bencher<'_, '_>, expression: &str) {
    let filter = Filter::parse(expression).expect("a filter");
    let mut sink = FilterSink::new(filter, Count { payload: false, messages: 0 });
    let text = "{\"type\":\"update\",\"price\":123456}".repeat(4);
    let (conn, origin) = (conn(), Origin::default());
    let message = text_message(&text, origin);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let _ = sink.event(&Cx { conn: &conn, origin }, black_box(&Event::Message(&message)));
    });
}

/// A line of NDJSON for a text message, for JSON (a quote every few bytes) and for plain words.
#[divan::bench(args = ["{\"type\":\"update\",\"price\":123456,\"symbol\":\"Zürich\"}", "plain words "])]
fn json_line(bencher: Bencher<'_, '_>, part: &str) {
    let text = part.repeat(4);
    let mut sink = JsonSink::new(std::io::sink(), false);
    let conn = conn();
    let origin = Origin { time: Some(Timestamp(1_700_000_000_123_456_000)), ..Origin::default() };
    let message = text_message(&text, origin);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let _ = sink.event(&Cx { conn: &conn, origin }, black_box(&Event::Message(&message)));
    });
    assert!(sink.wants() == Wants::MESSAGES);
}
