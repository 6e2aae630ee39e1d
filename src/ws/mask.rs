//! Masking (RFC 6455 section 5.3).
//!
//! Gets: payload bytes and the key. Gives: the bytes unmasked, a machine word at a time (the loops
//! below are what compilers turn into vector instructions). Keeps: nothing.

/// Masks or unmasks in place: the two are the same. `phase` is how many bytes of the payload came
/// before these.
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4], phase: u64) {
    let word = word(key, phase);
    let (words, rest) = bytes.as_chunks_mut::<16>();
    for chunk in words {
        *chunk = (u128::from_ne_bytes(*chunk) ^ u128::from_ne_bytes(word)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word) {
        *byte ^= key;
    }
}

/// Appends `bytes` unmasked to `to`.
pub fn append(to: &mut Vec<u8>, bytes: &[u8], key: Option<[u8; 4]>, phase: u64) {
    let Some(key) = key else { return to.extend_from_slice(bytes) };
    let Some(last) = bytes.last_chunk() else {
        let start = to.len();
        to.extend_from_slice(bytes);
        return apply(to.get_mut(start..).unwrap_or_default(), key, phase);
    };
    to.reserve(bytes.len());
    // Unmasked on their way, they go through the cache once. Each block begins at the same phase: its
    // length is a multiple of the key's.
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        to.extend_from_slice(&unmasked(*block, key, phase));
    }
    // What is left is the end of a last one, whose beginning is there already.
    to.truncate(to.len() - (BLOCK - rest.len()) % BLOCK);
    if !rest.is_empty() {
        let phase = phase.wrapping_add((bytes.len() - BLOCK) as u64);
        to.extend_from_slice(&unmasked(*last, key, phase));
    }
}

/// Bytes unmasked together.
const BLOCK: usize = 64;

#[inline]
fn unmasked(mut block: [u8; BLOCK], key: [u8; 4], phase: u64) -> [u8; BLOCK] {
    apply(&mut block, key, phase);
    block
}

/// The key repeated, so that its first byte is the one for payload byte number `phase`.
fn word(key: [u8; 4], phase: u64) -> [u8; 16] {
    // Octet i of the payload goes with octet i MOD 4 of the key.
    let [a, b, c, d] = key;
    let [a, b, c, d] = match phase % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    };
    [a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 5.3 as it is written there.
    fn naive(bytes: &[u8], key: [u8; 4], phase: u64) -> Vec<u8> {
        (phase..).zip(bytes).map(|(i, b)| b ^ key[(i % 4) as usize]).collect()
    }

    #[test]
    fn hello_of_section_5_7() {
        let mut bytes = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(&mut bytes, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&bytes, b"Hello");
    }

    #[test]
    fn equals_the_naive_loop_at_every_length_and_phase() {
        let data: Vec<u8> = (0..200_u8).map(|i| i.wrapping_mul(37)).collect();
        let key = [0x12, 0x00, 0xfe, 0x99];
        for len in 0..data.len() {
            for phase in 0..9 {
                let mut out = vec![7];
                append(&mut out, &data[..len], Some(key), phase);
                assert_eq!(&out[1..], naive(&data[..len], key, phase), "{len} {phase}");
            }
        }
    }

    #[test]
    fn without_a_key_bytes_stay_as_they_are() {
        let mut out = Vec::new();
        append(&mut out, b"plain", None, 3);
        assert_eq!(out, b"plain");
    }
}
