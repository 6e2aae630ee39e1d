//! What the tests of this layer build frames with.
//!
//! Gets: the parts of a frame, sound or not. Gives: its bytes. Keeps: nothing.

use crate::ws::mask;

/// A frame with this first byte, in the shortest form that its length allows (RFC 6455 section 5.2).
pub(in crate::ws) fn framed(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(bit | u8::try_from(n).unwrap()),
        n @ 126..65536 => {
            out.push(bit | 0x7e);
            out.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            out.push(bit | 0x7f);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend(key.into_iter().flatten());
    mask::append(&mut out, payload, key, 0);
    out
}
