//! Records opened: decrypted, and proven to be whole and in their place.
//!
//! Gets: [`Keys`], records with their sequence numbers. Gives: plaintext, or that the record is none of
//! this key and number. Keeps: for TLS 1.0 the last block of ciphertext.

use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{AeadInOut, Nonce, Tag};
use aes_gcm::{AesGcm, KeyInit};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::record::Header;
use super::schedule::Keys;
use super::suite::{Hash, Protection, Suite};

/// How the version frames what is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// TLS 1.0: CBC goes on from record to record.
    Chained,
    /// TLS 1.1 and 1.2.
    Explicit,
    /// The same with Encrypt-then-MAC (RFC 7366), where it is CBC.
    EncryptThenMac,
    /// TLS 1.0 with Encrypt-then-MAC.
    ChainedEncryptThenMac,
    /// TLS 1.3: the content type is inside.
    Inner,
}

/// Opens records of one side under one key.
pub(super) struct Opener {
    cipher: Cipher,
    shape: Shape,
    iv: Vec<u8>,
}

enum Cipher {
    Gcm128(Box<AesGcm<Aes128, U12>>),
    Gcm256(Box<AesGcm<Aes256, U12>>),
    ChaCha20(Box<ChaCha20Poly1305>),
    Ccm128(Box<Ccm<Aes128, U16, U12>>),
    Ccm256(Box<Ccm<Aes256, U16, U12>>),
    Ccm8With128(Box<Ccm<Aes128, U8, U12>>),
    Ccm8With256(Box<Ccm<Aes256, U8, U12>>),
    Cbc { key: Vec<u8>, mac: Hash, mac_key: Vec<u8> },
}

impl Opener {
    /// `None` where the keys do not fit the suite.
    pub(super) fn new(suite: Suite, shape: Shape, keys: Keys) -> Option<Self> {
        let Keys { mac: mac_key, key, iv } = keys;
        let cipher = match (suite.protection, suite.key) {
            (Protection::Gcm, 16) => Cipher::Gcm128(Box::new(AesGcm::new_from_slice(&key).ok()?)),
            (Protection::Gcm, _) => Cipher::Gcm256(Box::new(AesGcm::new_from_slice(&key).ok()?)),
            (Protection::ChaCha20Poly1305, _) => {
                Cipher::ChaCha20(Box::new(ChaCha20Poly1305::new_from_slice(&key).ok()?))
            }
            (Protection::Ccm(8), 16) => {
                Cipher::Ccm8With128(Box::new(Ccm::new_from_slice(&key).ok()?))
            }
            (Protection::Ccm(8), _) => {
                Cipher::Ccm8With256(Box::new(Ccm::new_from_slice(&key).ok()?))
            }
            (Protection::Ccm(_), 16) => Cipher::Ccm128(Box::new(Ccm::new_from_slice(&key).ok()?)),
            (Protection::Ccm(_), _) => Cipher::Ccm256(Box::new(Ccm::new_from_slice(&key).ok()?)),
            (Protection::Cbc(mac), _) => Cipher::Cbc { key, mac, mac_key },
        };
        Some(Self { cipher, shape, iv })
    }

    /// Bytes by which a record's content is longer than its plaintext; `None` where padding makes it
    /// differ from record to record.
    pub(super) const fn overhead(&self) -> Option<usize> {
        let tag = match self.cipher {
            Cipher::Cbc { .. } => return None,
            Cipher::Ccm8With128(_) | Cipher::Ccm8With256(_) => 8,
            _ => 16,
        };
        Some(match (self.shape, &self.cipher) {
            // The content type, without padding.
            (Shape::Inner, _) => tag + 1,
            (_, Cipher::ChaCha20(_)) => tag,
            _ => tag + EXPLICIT_NONCE,
        })
    }

    /// The least that a record's content has.
    pub(super) fn least(&self) -> usize {
        match &self.cipher {
            // A block of padding at least, and what the MAC takes.
            Cipher::Cbc { mac, .. } => mac.len() + 1,
            _ => self.overhead().unwrap_or(1),
        }
    }

    /// Puts the plaintext of a record into `out`, if it is that of this sequence number. Tells the type
    /// of its content.
    pub(super) fn open(
        &self,
        header: Header,
        content: &[u8],
        seq: u64,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        out.clear();
        match &self.cipher {
            Cipher::Gcm128(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Gcm256(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::ChaCha20(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Ccm128(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Ccm256(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Ccm8With128(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Ccm8With256(cipher) => self.open_aead(&**cipher, header, content, seq, out),
            Cipher::Cbc { key, mac, mac_key } => {
                self.open_cbc(key, *mac, mac_key, header, content, seq, out)
            }
        }
    }

    /// What the next record needs of this one, whether it was opened or not.
    pub(super) fn passed(&mut self, content: &[u8]) {
        if matches!(self.shape, Shape::Chained | Shape::ChainedEncryptThenMac)
            && let Cipher::Cbc { mac, .. } = self.cipher
        {
            let mac = if self.shape == Shape::Chained { 0 } else { mac.len() };
            let end = content.len().saturating_sub(mac);
            if let Some(block) = content.get(..end).and_then(<[u8]>::last_chunk::<16>) {
                self.iv = block.to_vec();
            }
        }
    }

    fn open_aead<A: AeadInOut>(
        &self,
        cipher: &A,
        header: Header,
        content: &[u8],
        seq: u64,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        let inner = self.shape == Shape::Inner;
        let chacha = matches!(self.cipher, Cipher::ChaCha20(_));
        let mut nonce = [0; 12];
        let sealed = if inner || chacha {
            // RFC 8446 section 5.3, RFC 7905 section 2.
            nonce.copy_from_slice(self.iv.get(..12)?);
            for (byte, seq) in nonce.iter_mut().skip(4).zip(seq.to_be_bytes()) {
                *byte ^= seq;
            }
            content
        } else {
            // RFC 5288 section 3, RFC 6655 section 3.
            let (explicit, sealed) = content.split_at_checked(EXPLICIT_NONCE)?;
            nonce.get_mut(..4)?.copy_from_slice(self.iv.get(..4)?);
            nonce.get_mut(4..)?.copy_from_slice(explicit);
            sealed
        };
        let tag_len = self.overhead()?
            - match (inner, chacha) {
                (true, _) => 1,
                (false, true) => 0,
                (false, false) => EXPLICIT_NONCE,
            };
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(tag_len)?)?;
        let nonce = Nonce::<A>::try_from(&nonce[..]).ok()?;
        let tag = Tag::<A>::try_from(tag).ok()?;
        out.extend_from_slice(sealed);
        let opened = if inner {
            let header = header.bytes();
            cipher.decrypt_inout_detached(&nonce, &header, out.as_mut_slice().into(), &tag)
        } else {
            let data = additional(seq, header, sealed.len())?;
            cipher.decrypt_inout_detached(&nonce, &data, out.as_mut_slice().into(), &tag)
        };
        opened.ok()?;
        if !inner {
            return Some(header.kind);
        }
        // RFC 8446 section 5.2: the content, its type, then padding of zeros.
        let end = out.iter().rposition(|byte| *byte != 0)?;
        let kind = *out.get(end)?;
        out.truncate(end);
        Some(kind)
    }

    #[expect(clippy::too_many_arguments, reason = "a record, its number, and the parts of one key")]
    fn open_cbc(
        &self,
        key: &[u8],
        mac: Hash,
        mac_key: &[u8],
        header: Header,
        content: &[u8],
        seq: u64,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        let (sealed, etm) = match self.shape {
            Shape::EncryptThenMac | Shape::ChainedEncryptThenMac => {
                let (sealed, tag) =
                    content.split_at_checked(content.len().checked_sub(mac.len())?)?;
                // RFC 7366 section 3: over the ciphertext, with its own length.
                let data = additional(seq, header, sealed.len())?;
                verify(mac, mac_key, [&data, sealed], tag)?;
                (sealed, true)
            }
            _ => (content, false),
        };
        let (iv, blocks) = match self.shape {
            Shape::Chained | Shape::ChainedEncryptThenMac => (self.iv.get(..16)?, sealed),
            _ => sealed.split_at_checked(16)?,
        };
        if blocks.is_empty() || !blocks.len().is_multiple_of(16) {
            return None;
        }
        out.extend_from_slice(blocks);
        match key.len() {
            16 => decrypt::<Aes128>(key, iv, out)?,
            _ => decrypt::<Aes256>(key, iv, out)?,
        }
        // RFC 5246 section 6.2.3.2: the padding's length, repeated as often as that and once more.
        let padding = usize::from(*out.last()?) + 1;
        let end = out.len().checked_sub(padding)?;
        if out.get(end..)?.iter().any(|byte| usize::from(*byte) + 1 != padding) {
            return None;
        }
        out.truncate(end);
        if !etm {
            let end = out.len().checked_sub(mac.len())?;
            let (plain, tag) = out.split_at_checked(end)?;
            let data = additional(seq, header, plain.len())?;
            verify(mac, mac_key, [&data, plain], tag)?;
            out.truncate(end);
        }
        Some(header.kind)
    }
}

impl std::fmt::Debug for Opener {
    // Keys are not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opener({:?})", self.shape)
    }
}

/// RFC 5246 section 6.2.3.3: sequence number, type, version, length of the plaintext.
fn additional(seq: u64, header: Header, len: usize) -> Option<[u8; 13]> {
    let mut data = [0; 13];
    let (number, rest) = data.split_first_chunk_mut::<8>()?;
    *number = seq.to_be_bytes();
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    let [major, minor] = header.version.to_be_bytes();
    rest.copy_from_slice(&[header.kind, major, minor, high, low]);
    Some(data)
}

fn verify(mac: Hash, key: &[u8], parts: [&[u8]; 2], tag: &[u8]) -> Option<()> {
    fn check<M: Mac + KeyInit>(key: &[u8], parts: [&[u8]; 2], tag: &[u8]) -> Option<()> {
        let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
        for part in parts {
            mac.update(part);
        }
        mac.verify_slice(tag).ok()
    }
    match mac {
        Hash::Sha1 => check::<Hmac<Sha1>>(key, parts, tag),
        Hash::Sha256 => check::<Hmac<Sha256>>(key, parts, tag),
        Hash::Sha384 => check::<Hmac<Sha384>>(key, parts, tag),
    }
}

fn decrypt<C>(key: &[u8], iv: &[u8], blocks: &mut [u8]) -> Option<()>
where
    cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt,
    C: cbc::cipher::BlockCipherDecrypt,
{
    let mut cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    for block in blocks.chunks_exact_mut(16) {
        cipher.decrypt_block(block.try_into().ok()?);
    }
    Some(())
}

/// Of AES-GCM and AES-CCM in TLS 1.2.
const EXPLICIT_NONCE: usize = 8;
