//! Blocks of DEFLATE (RFC 1951), as they make up a message (RFC 7692).
//!
//! Gets: a compressed message. Gives: its bytes to a [`Room`], as far as it goes. Keeps: nothing. Says
//! exactly where a message stops: between its blocks, in the midst of one, or at what is no DEFLATE.

use super::bits::Bits;
use super::code::{CodeLengths, Codes};
use super::room::Room;
use super::{Farthest, Stop};

/// How far back a message refers, where that is further than agreed.
#[derive(Debug)]
pub(super) struct Reach {
    /// Bytes back that are fine.
    pub(super) agreed: usize,
    /// The first of the largest distances above that.
    pub(super) farthest: Option<Farthest>,
}

impl Reach {
    #[cold]
    fn note(&mut self, distance: usize, at: usize) {
        let distance = u32::try_from(distance).unwrap_or(u32::MAX);
        if self.farthest.is_none_or(|far| distance > far.distance) {
            self.farthest = Some(Farthest { distance, at: at as u64 });
        }
    }
}

/// Inflates a message. It is whole where the four octets that RFC 7692 section 7.2.2 appends are what
/// completes it: an empty stored block whose header is its end; or where it ends with a final block.
pub(super) fn inflate(
    data: &[u8],
    codes: &mut Codes,
    room: &mut Room<'_>,
    reach: &mut Reach,
) -> Result<(), Stop> {
    let mut bits = Bits::new(data);
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                let rest = bits.align();
                if rest.is_empty() {
                    return Ok(());
                }
                let taken = stored(rest, room)?;
                bits.skip_bytes(taken);
            }
            1 => symbols(&mut bits, Codes::fixed(), room, reach)?,
            2 => {
                dynamic(&mut bits, codes)?;
                symbols(&mut bits, codes, room, reach)?;
            }
            _ => return Err(Stop::Corrupt),
        }
        // Behind a final block the next one starts at a byte, and may still refer to what came before
        // (RFC 7692 section 7.2.3.4).
        if last && bits.align().is_empty() {
            return Ok(());
        }
    }
}

/// RFC 1951 section 3.2.4: gives how many bytes it took.
fn stored(data: &[u8], room: &mut Room<'_>) -> Result<usize, Stop> {
    let Some((&[a, b, c, d], data)) = data.split_first_chunk() else { return Err(Stop::Early) };
    let len = u16::from_le_bytes([a, b]);
    if u16::from_le_bytes([c, d]) != !len {
        return Err(Stop::Corrupt);
    }
    let len = usize::from(len);
    let mut rest = data.get(..len).unwrap_or(data);
    while !rest.is_empty() {
        room.more()?;
        let at = room.at;
        let (bytes, last) = room.bytes();
        let (piece, behind) = rest.split_at(rest.len().min(last + 1 - at));
        if let Some(to) = bytes.get_mut(at..at + piece.len()) {
            to.copy_from_slice(piece);
        }
        room.at += piece.len();
        rest = behind;
    }
    if len <= data.len() { Ok(4 + len) } else { Err(Stop::Early) }
}

/// RFC 1951 section 3.2.5: up to the end of the block.
fn symbols(
    bits: &mut Bits<'_>,
    codes: &Codes,
    room: &mut Room<'_>,
    reach: &mut Reach,
) -> Result<(), Stop> {
    loop {
        room.more()?;
        let (start, floor) = (room.at - room.len(), room.floor());
        // Copies, which stay in registers.
        let (mut at, mut now) = (room.at, *bits);
        let (bytes, last) = room.bytes();
        let stop = loop {
            if at > last {
                break None;
            }
            now.fill();
            let entry = codes.literals.find(now.peek());
            if entry.len() > now.count() {
                break Some(Err(Stop::Early));
            }
            if let Some(byte) = entry.literal() {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
                at += 1;
                now.skip(entry.len());
                continue;
            }
            if entry.is_end() {
                now.skip(entry.len());
                break Some(Ok(()));
            }
            // With up to 15 + 5 bits for the length and 15 + 13 for the distance, there are enough.
            let far = codes.distances.find(now.peek() >> entry.width());
            if entry.is_invalid() {
                break Some(Err(Stop::Corrupt));
            }
            let width = entry.width() + far.width();
            if width > now.count() {
                let known = entry.width() + far.len() <= now.count();
                let stop = if known && far.is_invalid() { Stop::Corrupt } else { Stop::Early };
                break Some(Err(stop));
            }
            let length = entry.number(now.peek());
            let distance = far.number(now.peek() >> entry.width());
            if far.is_invalid() || distance > at - floor {
                break Some(Err(Stop::Corrupt));
            }
            if distance > reach.agreed {
                reach.note(distance, at - start);
            }
            now.skip(width);
            repeat(bytes, at, distance, length);
            at += length;
        };
        (*bits, room.at) = (now, at);
        if let Some(stop) = stop {
            return stop;
        }
    }
}

/// Writes to `at` the `length` bytes that stand `distance` before it: up to 258, behind which there is
/// [`super::room::SLACK`].
#[inline]
fn repeat(bytes: &mut [u8], at: usize, distance: usize, length: usize) {
    const CHUNK: usize = 16;
    // From the source on; what is written begins `distance` into it.
    let Some(bytes) = bytes.get_mut(at - distance..at + length + CHUNK) else { return };
    if distance >= CHUNK {
        let mut from = 0;
        while from < length {
            let chunk = bytes.get(from..).and_then(<[u8]>::first_chunk::<CHUNK>).copied();
            let to = bytes.get_mut(from + distance..).and_then(<[u8]>::first_chunk_mut::<CHUNK>);
            if let (Some(chunk), Some(to)) = (chunk, to) {
                *to = chunk;
            }
            from += CHUNK;
        }
    } else {
        // It refers to what it writes itself (RFC 1951 section 3.2.3): what there is doubles.
        let mut there = distance;
        let mut left = length;
        while left > 0 {
            let piece = there.min(left);
            bytes.copy_within(..piece, there);
            there += piece;
            left -= piece;
        }
    }
}

/// RFC 1951 section 3.2.7.
fn dynamic(bits: &mut Bits<'_>, codes: &mut Codes) -> Result<(), Stop> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let sizes = bits.take(14)? as usize;
    let (literals, distances) = (257 + (sizes & 31), 1 + (sizes >> 5 & 31));
    if literals > 286 || distances > 30 {
        return Err(Stop::Corrupt);
    }
    let mut lengths = [0_u8; 19];
    for &index in ORDER.iter().take(4 + (sizes >> 10)) {
        let length = bits.take(3)?;
        if let (Some(slot), Ok(length)) = (lengths.get_mut(index), u8::try_from(length)) {
            *slot = length;
        }
    }
    let code = CodeLengths::of(&lengths)?;
    let mut all = [0_u8; 320];
    let total = literals + distances;
    let mut n = 0;
    while n < total {
        bits.fill();
        let entry = code.find(bits.peek());
        if entry.len() > bits.count() {
            return Err(Stop::Early);
        }
        bits.skip(entry.len());
        let (value, times) = match entry.number(0) {
            16 => {
                let times = 3 + bits.take(2)?;
                let before = n.checked_sub(1).and_then(|n| all.get(n)).ok_or(Stop::Corrupt)?;
                (*before, times)
            }
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).map_err(|_too_large| Stop::Corrupt)?, 1),
        };
        let end = n + times as usize;
        if end > total {
            return Err(Stop::Corrupt);
        }
        all.get_mut(n..end).ok_or(Stop::Corrupt)?.fill(value);
        n = end;
    }
    let (literals, rest) = all.split_at_checked(literals).ok_or(Stop::Corrupt)?;
    codes.set(literals, rest.get(..distances).ok_or(Stop::Corrupt)?)
}
