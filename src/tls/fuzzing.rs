//! Laws of [`Decoder`](super::Decoder) for fuzzing: two ends and a key log, all of them strangers'.

use std::ops::ControlFlow;

use super::half::Half;
use super::keylog::KeyLog;
use super::{Agreed, Decoder, Output, Unopened};
use crate::flow::{Side, StreamEvent};
use crate::units::{Origin, PacketNo};

/// What came out, in order: records of plaintext, and how much is missing between them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken(Vec<(Side, Piece)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Data(PacketNo, Vec<u8>),
    Gap(u64),
    End,
    Unopened,
}

impl Output for Taken {
    fn plain(&mut self, _: &Agreed, side: Side, event: StreamEvent<'_>) -> ControlFlow<()> {
        self.0.push((
            side,
            match event {
                StreamEvent::Data { origin, bytes } => {
                    assert!(!bytes.is_empty(), "nothing is no plaintext");
                    Piece::Data(origin.packet, bytes.to_vec())
                }
                StreamEvent::Gap { len, .. } => {
                    assert!(len > 0, "a gap has bytes");
                    Piece::Gap(len)
                }
                StreamEvent::Conflict { .. } => return ControlFlow::Continue(()),
                StreamEvent::Fin { .. } | StreamEvent::Reset { .. } => Piece::End,
            },
        ));
        ControlFlow::Continue(())
    }

    fn uncertain(&mut self, _: Side, _: Origin) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn unopened(&mut self, side: Side, _: Origin, _: Unopened) {
        self.0.push((side, Piece::Unopened));
    }
}

/// A side, and what comes from it: bytes, or how many are missing.
type Act<'a> = (Side, Result<&'a [u8], u64>);

/// Two bytes of length and a key log; a byte that chooses an act of which nothing comes; then acts: a byte
/// (bit 0: side; bits 1 and 2: 3 is a gap, else data), two bytes of length, data.
///
/// Law of splits: each byte may as well be a segment. Law of loss: where every record was opened, what is
/// missing takes plaintext away, and adds none. (Behind bytes that are no TLS a gap may well add some.)
pub(crate) fn fuzz_tls(data: &[u8]) {
    let Some((&[high, low], rest)) = data.split_first_chunk() else { return };
    let len = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (log, rest) = rest.split_at_checked(len).unwrap_or_default();
    let Some((&lost, mut rest)) = rest.split_first() else { return };
    let keys = KeyLog::new();
    keys.add(log, PacketNo(0));
    let mut acts = Vec::new();
    while let Some(act) = next_act(&mut rest) {
        acts.push(act);
    }
    let (whole, all_opened) = run(&keys, &acts, usize::MAX);
    assert_eq!(whole, run(&keys, &acts, 1).0, "the cutting of the input shows");
    if all_opened
        && let Some((_, act)) = acts.get_mut(usize::from(lost))
        && let Ok(bytes) = act
        && !bytes.is_empty()
    {
        *act = Err(bytes.len() as u64);
        let (less, _) = run(&keys, &acts, usize::MAX);
        for side in [Side::A, Side::B] {
            let mut all = plain(&whole, side);
            let invented = plain(&less, side).find(|piece| !all.any(|known| known == *piece));
            assert_eq!(invented, None, "plaintext that was never sent");
        }
    }
}

fn plain(taken: &Taken, side: Side) -> impl Iterator<Item = &[u8]> {
    taken.0.iter().filter_map(move |(from, piece)| match piece {
        Piece::Data(_, bytes) if *from == side => Some(bytes.as_slice()),
        _ => None,
    })
}

fn next_act<'a>(rest: &mut &'a [u8]) -> Option<Act<'a>> {
    let (&[what, high, low], behind) = rest.split_first_chunk()?;
    let side = if what & 1 == 0 { Side::A } else { Side::B };
    let len = u16::from_be_bytes([high, low]);
    if what >> 1 & 3 == 3 {
        *rest = behind;
        return Some((side, Err(u64::from(len) + 1)));
    }
    let (bytes, behind) = behind.split_at_checked(len.into()).unwrap_or((behind, &[]));
    *rest = behind;
    Some((side, Ok(bytes)))
}

/// What came out, and whether every record was opened.
fn run(keys: &KeyLog, acts: &[Act<'_>], piece: usize) -> (Taken, bool) {
    let (mut decoder, mut taken) = (Decoder::default(), Taken::default());
    let mut packet = PacketNo(0);
    let mut give = |decoder: &mut Decoder, side, event| {
        let flowing = decoder.push(side, event, packet_of(&event), keys, &mut taken);
        assert!(flowing.is_continue(), "it never stops");
    };
    for (side, act) in acts {
        packet.0 += 1;
        let origin = Origin { packet, time: None };
        match act {
            Err(len) => {
                give(&mut decoder, *side, StreamEvent::Gap { origin, len: *len, snapped: false });
            }
            Ok(bytes) => {
                for bytes in bytes.chunks(piece.min(bytes.len()).max(1)) {
                    give(&mut decoder, *side, StreamEvent::Data { origin, bytes });
                }
            }
        }
    }
    let clean = [&decoder.a, &decoder.b].into_iter().all(Half::opened_all);
    for side in [Side::A, Side::B] {
        let origin = Origin { packet: PacketNo(packet.0 + 1), time: None };
        give(&mut decoder, side, StreamEvent::Fin { origin });
    }
    let flowing = decoder.last_chance(PacketNo(u64::MAX), keys, &mut taken);
    assert!(flowing.is_continue(), "it never stops");
    let unopened = |(_, piece): &(Side, Piece)| matches!(piece, Piece::Gap(_) | Piece::Unopened);
    let all_opened = clean && !taken.0.iter().any(unopened);
    (taken, all_opened)
}

const fn packet_of(event: &StreamEvent<'_>) -> PacketNo {
    match event {
        StreamEvent::Data { origin, .. }
        | StreamEvent::Gap { origin, .. }
        | StreamEvent::Conflict { origin, .. }
        | StreamEvent::Fin { origin }
        | StreamEvent::Reset { origin } => origin.packet,
    }
}
