//! Bodies of the fuzz targets for this layer, and the sink that they and the tests record with.
//!
//! Gets: arbitrary bytes. Gives: nothing; a broken law panics. Keeps: nothing. The same functions
//! run in `cargo test` over what is generated there.

#![allow(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::expect_used,
    reason = "a panic is how a fuzz target tells of a broken law"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;

use flate2::{Decompress, FlushDecompress, Status};

use crate::event::{ConnInfo, Cx, DeflateAgreement, DeflateSide, Event, MessageKind, Sink, Wants};
use crate::limits::Limits;
use crate::units::{
    ConnKey, Direction, FlowId, Origin, PacketNo, PerDirection, StreamNo, Timestamp,
};
use crate::ws::deflate::{Inflated, Inflater, Outcome, Shared};
use crate::ws::frame::{Decoder, Part};
use crate::ws::{Finish, Out, Scratch, Session, Setup};

/// A message as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Which way it went.
    pub dir: Direction,
    /// What it is.
    pub kind: MessageKind,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Whether all of it was there.
    pub complete: bool,
    /// Codes of its notes.
    pub codes: Vec<&'static str>,
}

/// Remembers everything that it is told.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// What it asks for.
    pub wants: Wants,
    /// Every event, written out.
    pub events: Vec<String>,
    /// Every message.
    pub messages: Vec<Recorded>,
    /// Codes of all notes, each time that they were told.
    pub codes: Vec<&'static str>,
    /// Texts of all notes.
    pub texts: Vec<String>,
    /// The last event of a connection.
    pub end: Option<crate::event::End>,
}

impl Recorder {
    /// Asks for this.
    pub const fn new(wants: Wants) -> Self {
        Self {
            wants,
            events: Vec::new(),
            messages: Vec::new(),
            codes: Vec::new(),
            texts: Vec::new(),
            end: None,
        }
    }

    /// The messages that are said to be complete.
    pub fn complete(&self) -> impl Iterator<Item = (Direction, MessageKind, &[u8])> {
        self.messages.iter().filter(|m| m.complete).map(|m| (m.dir, m.kind, m.payload.as_slice()))
    }
}

impl Sink for Recorder {
    fn wants(&self) -> Wants {
        self.wants
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.events.push(format!("{:?} {event:?}", cx.origin));
        let notes = match event {
            Event::Frame(_) => return ControlFlow::Continue(()),
            Event::Message(message) => {
                self.messages.push(Recorded {
                    dir: message.dir,
                    kind: message.kind,
                    payload: message.payload.bytes().to_vec(),
                    complete: message.complete,
                    codes: message.notes.iter().map(|note| note.code.as_str()).collect(),
                });
                message.notes
            }
            Event::End(end) => {
                self.end = Some((*end).clone());
                &end.notes
            }
            _ => &[],
        };
        self.codes.extend(notes.iter().map(|note| note.code.as_str()));
        self.texts.extend(notes.iter().map(|note| note.text.to_string()));
        ControlFlow::Continue(())
    }
}

/// One thing that happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A segment.
    Data(Direction, Vec<u8>),
    /// Bytes that the capture lacks.
    Gap(Direction, u64),
    /// FIN.
    Fin(Direction),
    /// RST.
    Reset(Direction),
    /// All connections together are over their budget: [`Session::shed`].
    Shed(bool),
}

/// Runs a session over these steps, a packet each unless `one_packet`, and ends it.
pub fn run(
    setup: Setup,
    wants: Wants,
    limits: &Limits,
    steps: &[Step],
    one_packet: bool,
) -> Recorder {
    let mut sink = Recorder::new(wants);
    let mut scratch = Scratch::default();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let conn = ConnInfo {
        key: ConnKey { flow: FlowId(PacketNo(1)), nth: 0 },
        stream: StreamNo(0),
        client: address,
        server: address,
        tls: None,
        h2_stream: None,
    };
    let mut out = Out { sink: &mut sink, wants, limits, conn: &conn, scratch: &mut scratch };
    let mut session = Session::new(setup);
    let mut origin = Origin { packet: PacketNo(1), time: Some(Timestamp(0)) };
    let mut ended = false;
    for step in steps {
        if !one_packet {
            origin.packet.0 += 1;
            origin.time = origin.time.map(|t| Timestamp(t.0 + 1_000_000));
        }
        let flow = match step {
            Step::Shed(all) => {
                session.shed(*all);
                ControlFlow::Continue(())
            }
            Step::Data(dir, bytes) => session.data(*dir, origin, bytes, &mut out),
            Step::Gap(dir, len) => session.gap(*dir, origin, *len, false, &mut out),
            Step::Fin(dir) => {
                ended = true;
                session.fin(*dir, origin, &mut out)
            }
            Step::Reset(dir) => {
                ended = true;
                session.reset(*dir, origin, &mut out)
            }
        };
        assert!(flow.is_continue(), "the recorder never stops");
    }
    let why = if ended { Finish::Tcp } else { Finish::CaptureEnd };
    let _ = session.finish(why, origin, &mut out);
    let count = out.sink.events.len();
    let _ = session.finish(why, origin, &mut out);
    assert_eq!(out.sink.events.len(), count, "the end is told once");
    sink
}

/// Frames: any cutting gives the same parts.
pub fn frames(data: &[u8]) {
    fn parts<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<(String, usize)> {
        let mut decoder = Decoder::default();
        let mut out: Vec<(String, usize)> = Vec::new();
        for mut piece in pieces {
            while let Some(part) = decoder.next(&mut piece) {
                match (part, out.last_mut()) {
                    (Part::Payload(bytes), Some(last)) => last.1 += bytes.len(),
                    (part, _) => out.push((format!("{part:?}"), 0)),
                }
            }
            assert!(piece.is_empty(), "all input is taken");
        }
        out
    }
    let whole = parts(std::iter::once(data));
    let step = usize::from(data.first().copied().unwrap_or(0) % 16) + 1;
    assert_eq!(parts(data.chunks(1)), whole);
    assert_eq!(parts(data.chunks(step)), whole);
}

/// Inflating: bounded, what zlib makes of it, and the same again from the same state.
pub fn inflate(data: &[u8]) {
    let (&flags, rest) = data.split_first().unwrap_or((&0, &[]));
    let side = DeflateSide { context_takeover: flags & 1 == 0, window_bits: 8 + flags / 2 % 8 };
    let limit = 1 << 16;
    let mut inflater = Inflater::new(side);
    let mut shared = Shared::default();
    let mut before: Vec<u8> = Vec::new();
    for message in rest.split(|byte| *byte == 0xa5) {
        let got = inflater.message(message, false, limit, &mut shared);
        let plain = inflater.plain(&got, &shared);
        if got.took_over || side.context_takeover {
            compare_with_zlib(&before, message, &got, plain, limit);
        } else {
            compare_with_zlib(&[], message, &got, plain, limit);
        }
        if got.outcome == Outcome::Whole {
            before.extend_from_slice(plain);
        } else if side.context_takeover {
            break;
        }
    }
    let mut runs = [const { Vec::new() }; 2];
    for run in &mut runs {
        let mut inflater = Inflater::new(side);
        let mut shared = Shared::default();
        for message in rest.split(|byte| *byte == 0xa5) {
            let got = inflater.message(message, flags & 0x80 != 0, limit, &mut shared);
            let plain = inflater.plain(&got, &shared).to_vec();
            assert!(got.len <= limit + 1 && plain.len() <= limit + 1, "the limit holds");
            run.push((got, plain));
        }
    }
    let [first, second] = runs;
    assert_eq!(first, second);
}

/// Panics where zlib makes something else of a message behind these bytes.
pub(crate) fn compare_with_zlib(
    before: &[u8],
    message: &[u8],
    got: &Inflated,
    plain: &[u8],
    limit: usize,
) {
    // Nothing at all is an empty message, though no DEFLATE.
    if message.is_empty() {
        assert_eq!((got.outcome, plain), (Outcome::Whole, &[][..]));
        return;
    }
    let Zlib { out, sound, over } = zlib(before, message, limit);
    match got.outcome {
        // Behind a final block zlib reads no further.
        _ if over => assert!(plain.is_empty() || plain.starts_with(&out)),
        // It may need to see more than we do to find a fault, but does whatever follows.
        Outcome::Corrupt if sound => {
            for fill in [0, 0xff] {
                let more = zlib(before, &[message, &[fill; 1000]].concat(), limit);
                assert!(!more.sound, "{message:02x?}, {fill}");
            }
        }
        Outcome::Corrupt => {}
        Outcome::OverLimit => assert!(out.len() > limit),
        Outcome::EndsEarly => assert!(sound && plain == out),
        Outcome::Whole => {
            assert!(sound && plain == out);
            // The four octets that its sender removed (RFC 7692 section 7.2.1) complete it.
            let tailed = zlib(before, &[message, &[0, 0, 0xff, 0xff]].concat(), limit);
            assert!(tailed.sound && tailed.out == out);
        }
        Outcome::ContextLost(_) => panic!("nothing was lost"),
    }
}

/// What zlib makes of a message.
struct Zlib {
    out: Vec<u8>,
    /// It found no fault.
    sound: bool,
    /// It met a final block.
    over: bool,
}

fn zlib(before: &[u8], message: &[u8], limit: usize) -> Zlib {
    let mut z = Decompress::new(false);
    let known = before.get(before.len().saturating_sub(1 << 15)..).unwrap_or(before);
    if !known.is_empty() {
        let _adler = z.set_dictionary(known).expect("raw DEFLATE may begin with any");
    }
    let mut out = vec![0; limit + 1];
    let status = z.decompress(message, &mut out, FlushDecompress::Sync);
    out.truncate(usize::try_from(z.total_out()).unwrap_or(usize::MAX));
    Zlib { out, sound: status.is_ok(), over: status.is_ok_and(|s| s == Status::StreamEnd) }
}

/// A whole session: no panic, numbers that add up, and the law of splits where nothing is lost.
pub fn session(data: &[u8]) {
    let (&flags, rest) = data.split_first().unwrap_or((&0, &[]));
    let deflate = (flags & 1 != 0).then(|| {
        let side = DeflateSide { context_takeover: flags & 2 == 0, window_bits: 9 };
        DeflateAgreement {
            sides: PerDirection { to_server: side, to_client: DeflateSide::default() },
            per_frame: flags & 4 != 0,
            presumed: flags & 8 != 0,
        }
    });
    let synced = flags & 16 == 0;
    let setup = Setup {
        deflate,
        begin: Some(Timestamp(0)),
        synced: PerDirection { to_server: synced, to_client: true },
        handshake_known: flags & 32 == 0,
        other_extension: flags & 64 != 0,
        failed_opening: (flags & 128 != 0).then_some(crate::ws::ending::FailedOpening::Answer),
    };
    let mut steps = Vec::new();
    let mut input = rest;
    while let Some((&[op, len], rest)) = input.split_first_chunk() {
        let dir = if op & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let (bytes, rest) = rest.split_at(usize::from(len).min(rest.len()));
        input = rest;
        steps.push(match op >> 3 {
            0 => Step::Gap(dir, u64::from(len)),
            1 if op & 4 != 0 => Step::Fin(dir),
            1 if op & 2 != 0 => Step::Reset(dir),
            3 => Step::Shed(true),
            _ => Step::Data(dir, bytes.to_vec()),
        });
    }
    let limits = Limits {
        message_bytes: 4096,
        inflate_bytes: 1 << 16,
        resync_bytes: 4096,
        notes: 8,
        pings: 4,
        ..Limits::default()
    };
    let whole = run(setup, Wants::ALL, &limits, &steps, true);
    let end = whole.end.as_ref().map(|end| end.messages).unwrap_or_default();
    assert_eq!(end.to_server + end.to_client, whole.messages.len() as u64, "messages are counted");
    let less = run(setup, Wants { frames: false, payload: false }, &limits, &steps, true);
    assert_eq!(less.messages.len(), whole.messages.len(), "wanting less changes no step");
    let spare: Vec<Step> =
        steps.iter().flat_map(|step| [step.clone(), Step::Shed(false)]).collect();
    assert_eq!(
        run(setup, Wants::ALL, &limits, &spare, true).events,
        whole.events,
        "spare is spare"
    );
    let lossless =
        synced && !steps.iter().any(|step| matches!(step, Step::Gap(..) | Step::Shed(true)));
    if lossless {
        assert_eq!(run(setup, Wants::ALL, &limits, &singles(&steps), true).events, whole.events);
    }
}

/// The same steps, with every byte a segment of its own.
pub fn singles(steps: &[Step]) -> Vec<Step> {
    let mut out = Vec::new();
    for step in steps {
        match step {
            Step::Data(dir, bytes) => {
                out.extend(bytes.iter().map(|byte| Step::Data(*dir, vec![*byte])));
            }
            other => out.push(other.clone()),
        }
    }
    out
}
