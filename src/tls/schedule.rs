//! Key schedules: from a secret of the key log to the keys of records.
//!
//! Gets: secrets, randoms. Gives: keys and IVs. TLS 1.3: RFC 8446 section 7.3. Before that: the key
//! block (RFC 5246 section 6.3), by the PRF of the version (section 5; RFC 2246 section 5).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::keylog::Secret;
use super::suite::{Hash, Protection, Suite};

/// What a record is opened with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Of the MAC; empty in AEAD ciphers.
    pub(super) mac: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// The nonce's fixed part, or the IV.
    pub(super) iv: Vec<u8>,
}

/// The keys of a TLS 1.3 traffic secret; `None` where it is not as long as the suite's hash.
pub(super) fn traffic_keys(suite: Suite, secret: &Secret) -> Option<Keys> {
    if secret.bytes().len() != suite.hash.len() {
        return None;
    }
    let mut keys = Keys { mac: Vec::new(), key: vec![0; suite.key], iv: vec![0; 12] };
    expand_label(suite.hash, secret, b"key", &mut keys.key)?;
    expand_label(suite.hash, secret, b"iv", &mut keys.iv)?;
    Some(keys)
}

/// The traffic secret behind a KeyUpdate (RFC 8446 section 7.2).
pub(super) fn next_traffic_secret(hash: Hash, secret: &Secret) -> Option<Secret> {
    let mut next = vec![0; hash.len()];
    expand_label(hash, secret, b"traffic upd", &mut next)?;
    Secret::new(&next)
}

/// HKDF-Expand-Label without context (RFC 8446 section 7.1).
fn expand_label(hash: Hash, secret: &Secret, label: &[u8], out: &mut [u8]) -> Option<()> {
    const PREFIX: &[u8] = b"tls13 ";
    let mut info = u16::try_from(out.len()).ok()?.to_be_bytes().to_vec();
    info.push(u8::try_from(PREFIX.len() + label.len()).ok()?);
    info.extend_from_slice(PREFIX);
    info.extend_from_slice(label);
    info.push(0);
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret.bytes()).ok()?.expand(&info, out).ok(),
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret.bytes()).ok()?.expand(&info, out).ok(),
        // No suite of TLS 1.3 has it.
        Hash::Sha1 => None,
    }
}

/// The version of the PRF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prf {
    /// TLS 1.0 and 1.1: MD5 and SHA-1.
    Old,
    /// TLS 1.2.
    New(Hash),
}

/// The keys of both sides, the client's first.
pub(super) fn key_block(
    prf: Prf,
    suite: Suite,
    master: &Secret,
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> [Keys; 2] {
    let (mac, iv) = match (suite.protection, prf) {
        (Protection::Gcm | Protection::Ccm(_), _) => (0, 4),
        (Protection::ChaCha20Poly1305, _) => (0, 12),
        // Of an explicit IV (TLS 1.1 and later) the first block is in the record; here it is not used.
        (Protection::Cbc(mac), _) => (mac.len(), 16),
    };
    let mut block = vec![0; 2 * (mac + suite.key + iv)];
    let seed = [&b"key expansion"[..], server_random, client_random].concat();
    match prf {
        Prf::New(Hash::Sha384) => p_hash::<Hmac<Sha384>>(master.bytes(), &seed, &mut block),
        Prf::New(_) => p_hash::<Hmac<Sha256>>(master.bytes(), &seed, &mut block),
        Prf::Old => {
            // RFC 2246 section 5: halves of the secret, which share a byte if its length is odd.
            let half = master.bytes().len().div_ceil(2);
            let (first, _) = master.bytes().split_at_checked(half).unwrap_or_default();
            let rest = master.bytes().len() - half;
            let (_, second) = master.bytes().split_at_checked(rest).unwrap_or_default();
            p_hash::<Hmac<Md5>>(first, &seed, &mut block);
            p_hash::<Hmac<Sha1>>(second, &seed, &mut block);
        }
    }
    let mut rest = block.as_slice();
    let mut take = |len| {
        let (taken, left) = rest.split_at_checked(len).unwrap_or_default();
        rest = left;
        taken.to_vec()
    };
    let (client_mac, server_mac) = (take(mac), take(mac));
    let (client_key, server_key) = (take(suite.key), take(suite.key));
    let (client_iv, server_iv) = (take(iv), take(iv));
    [
        Keys { mac: client_mac, key: client_key, iv: client_iv },
        Keys { mac: server_mac, key: server_key, iv: server_iv },
    ]
}

/// `P_hash` (RFC 5246 section 5), added to what is there: the old PRF is the sum of two.
fn p_hash<M: Mac + KeyInit>(secret: &[u8], seed: &[u8], out: &mut [u8]) {
    let hmac = |parts: [&[u8]; 2]| {
        // HMAC takes keys of any length.
        let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac.finalize().into_bytes())
    };
    let Some(mut a) = hmac([seed, &[]]) else { return };
    let mut at = 0;
    while at < out.len() {
        let Some(piece) = hmac([&a, seed]) else { return };
        for (out, byte) in out.iter_mut().skip(at).zip(&piece) {
            *out ^= byte;
        }
        at += piece.len();
        let Some(next) = hmac([&a, &[]]) else { return };
        a = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
    }

    #[test]
    fn keys_of_rfc_8448_section_3() {
        let suite = Suite::new(0x1301).unwrap();
        let server = Secret::new(&hex(
            "b6 7b 7d 69 0c c1 6c 4e 75 e5 42 13 cb 2d 37 b4 e9 c9 12 bc de d9 10 5d 42 be fd 59 d3 \
             91 ad 38",
        ));
        let keys = traffic_keys(suite, &server.unwrap()).unwrap();
        assert_eq!(keys.key, hex("3f ce 51 60 09 c2 17 27 d0 f2 e4 e8 6e e4 03 bc"));
        assert_eq!(keys.iv, hex("5d 31 3e b2 67 12 76 ee 13 00 0b 30"));
        let client = Secret::new(&hex(
            "9e 40 64 6c e7 9a 7f 9d c0 5a f8 88 9b ce 65 52 87 5a fa 0b 06 df 00 87 f7 92 eb b7 c1 \
             75 04 a5",
        ));
        let keys = traffic_keys(suite, &client.unwrap()).unwrap();
        assert_eq!(keys.key, hex("17 42 2d da 59 6e d5 d9 ac d8 90 e3 c6 3f 50 51"));
        assert_eq!(keys.iv, hex("5b 78 92 3d ee 08 57 90 33 e5 23 d9"));
    }

    #[test]
    fn a_secret_of_another_hash_has_no_keys() {
        let suite = Suite::new(0x1302).unwrap();
        assert_eq!(traffic_keys(suite, &Secret::new(&[0; 32]).unwrap()), None);
    }

    // The vector that was published with the TLS 1.2 PRF (IETF TLS list, "Test vectors for TLS 1.2 PRF").
    #[test]
    fn the_prf_of_tls_1_2() {
        let secret = hex("9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35");
        let seed = [&b"test label"[..], &hex("a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c")];
        let mut out = [0; 100];
        p_hash::<Hmac<Sha256>>(&secret, &seed.concat(), &mut out);
        let want = "e3 f2 29 ba 72 7b e1 7b 8d 12 26 20 55 7c d4 53 c2 aa b2 1d 07 c3 d4 95 32 9b 52 d4 \
                    e6 1e db 5a 6b 30 17 91 e9 0d 35 c9 c9 a4 6b 4e 14 ba f9 af 0f a0 22 f7 07 7d ef 17 \
                    ab fd 37 97 c0 56 4b ab 4f bc 91 66 6e 9d ef 9b 97 fc e3 4f 79 67 89 ba a4 80 82 d1 \
                    22 ee 42 c5 a7 2e 5a 51 10 ff f7 01 87 34 7b 66";
        assert_eq!(out.to_vec(), hex(want));
    }
}
