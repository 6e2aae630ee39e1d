//! What two ends say to each other over TCP, from the first byte: probe, HTTP, WebSocket.

use std::net::{Ipv4Addr, SocketAddr};

use crate::conn::{Conn, Conns};
use crate::event::Wants;
use crate::flow::{Finish, FlowInfo, Handler, Interest, Side, StreamEvent};
use crate::limits::Limits;
use crate::units::{FlowId, Origin, PacketNo, StreamNo, Timestamp};
use crate::ws::fuzzing::Recorder;

/// Something that happens to the connection.
enum Act<'a> {
    Data(&'a [u8]),
    Gap(u64),
    Conflict,
    Fin,
    Reset,
}

/// What a flow can give: each act is a byte (bit 0: side; bits 1 to 3: 4 a gap, 5 a conflict, 6 an end,
/// else data) and a length byte; data is what follows. The first byte of all says what is known of the
/// connection.
///
/// Law of splits: where nothing is lost, each byte may as well be a segment.
pub(super) fn conversation(data: &[u8]) {
    let Some((&setup, acts)) = data.split_first() else { return };
    let opener = (setup & 1 == 0).then_some(Side::A);
    let whole = run(opener, acts, usize::MAX);
    assert_eq!(
        whole.0.events,
        run(opener, acts, usize::MAX).0.events,
        "the same again is the same"
    );
    if whole.1 && opener.is_some() {
        let bytewise = run(opener, acts, 1);
        // Where one finds a stream of HTTP/2 whose request it could not read, the other need not.
        let unseen = |event: &String| event.contains("outcome: Unseen");
        let guessed =
            [&whole, &bytewise].into_iter().filter_map(|run| run.0.events.iter().position(unseen));
        let until = guessed.min().unwrap_or(usize::MAX);
        let sure = |events| until_first(events, until);
        let (whole, bytewise) = (sure(&whole.0.events), sure(&bytewise.0.events));
        let (whole, bytewise) = (certain(whole), certain(bytewise));
        assert_eq!(whole, bytewise, "the cutting of the input shows");
    }
}

fn until_first(events: &[String], until: usize) -> &[String] {
    events.get(..until).unwrap_or(events)
}

/// The events up to a handshake that is not whole, or to what a limit left out: behind it frames have to
/// be looked for, and where segments end is evidence there.
fn certain(events: &[String]) -> &[String] {
    let guessed = events.iter().position(|event| {
        ["outcome: Incomplete", "code: HandshakeIncomplete", "Gap(Gap {"]
            .iter()
            .any(|sign| event.contains(sign))
    });
    guessed.and_then(|at| events.get(..=at)).unwrap_or(events)
}

/// The events, and whether nothing was lost.
fn run(opener: Option<Side>, mut data: &[u8], piece: usize) -> (Recorder, bool) {
    let limits = Limits {
        head_bytes: 1024,
        head_fields: 16,
        pipelined_requests: 4,
        held_bytes: 1024,
        probe_bytes: 1024,
        message_bytes: 1024,
        inflate_bytes: 1 << 14,
        resync_bytes: 1024,
        notes: 8,
        pings: 4,
        ..Limits::default()
    };
    let mut conns = Conns::new(Recorder::new(Wants::ALL), limits);
    let mut conn = Conn::default();
    let end = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let flow = FlowInfo {
        id: FlowId(PacketNo(1)),
        stream: StreamNo(0),
        a: end(40_000),
        b: end(80),
        opener,
        begin: Origin::default(),
    };
    let mut packet = 0;
    let mut lossless = true;
    let mut interest = Interest::Keep;
    // As the flow has it: a side that has ended says nothing more, and behind a reset nobody does.
    let (mut ended, mut reset) = (Vec::new(), false);
    while interest == Interest::Keep
        && !reset
        && let Some((side, act)) = next_act(&mut data)
    {
        if ended.contains(&side) && !matches!(act, Act::Reset) {
            continue;
        }
        packet += 1;
        let time = Timestamp(i64::try_from(packet).unwrap_or(0) * 1_000_000);
        let origin = Origin { packet: PacketNo(packet), time: Some(time) };
        let mut give = |event| match conns.stream(&flow, &mut conn, side, event) {
            std::ops::ControlFlow::Continue(more) => interest = more,
            std::ops::ControlFlow::Break(()) => panic!("the recorder never stops"),
        };
        match act {
            Act::Data(bytes) => {
                for bytes in bytes.chunks(piece.min(bytes.len()).max(1)) {
                    give(StreamEvent::Data { origin, bytes });
                }
            }
            Act::Gap(len) => {
                lossless = false;
                give(StreamEvent::Gap { origin, len, snapped: false });
            }
            Act::Conflict => give(StreamEvent::Conflict { origin, len: 1 }),
            Act::Fin => {
                ended.push(side);
                give(StreamEvent::Fin { origin });
            }
            Act::Reset => {
                reset = true;
                give(StreamEvent::Reset { origin });
            }
        }
    }
    let origin = Origin { packet: PacketNo(packet + 1), time: None };
    let flowing = conns.finish(&flow, &mut conn, Finish::CaptureEnd, origin);
    assert!(flowing.is_continue(), "the recorder never stops");
    (conns.into_sink(), lossless)
}

fn next_act<'a>(data: &mut &'a [u8]) -> Option<(Side, Act<'a>)> {
    let (&[what, len], rest) = data.split_first_chunk()?;
    *data = rest;
    let side = if what & 1 == 0 { Side::A } else { Side::B };
    let act = match what >> 1 & 7 {
        4 => Act::Gap(u64::from(len) + 1),
        5 => Act::Conflict,
        6 if len & 1 == 0 => Act::Fin,
        6 => Act::Reset,
        more => {
            // One bit more of length, for heads.
            let len = usize::from(len) + if more == 7 { 256 } else { 0 };
            let (bytes, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            *data = rest;
            Act::Data(bytes)
        }
    };
    Some((side, act))
}
