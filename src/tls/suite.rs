//! Cipher suites: what a number in a ServerHello stands for.
//!
//! Gets: the number. Gives: the [`Suite`], where records under it can be read.

use std::borrow::Cow;

use tls_parser::{TlsCipherEnc, TlsCipherEncMode, TlsCipherMac, TlsCipherSuite, TlsPRF};

/// A hash function, for the key schedule or a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

impl Hash {
    /// Bytes of its output.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// How records are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    Gcm,
    /// With a tag of so many bytes.
    Ccm(usize),
    ChaCha20Poly1305,
    /// CBC with this MAC.
    Cbc(Hash),
}

/// A cipher suite that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) protection: Protection,
    /// Bytes of the encryption key: 16 or 32.
    pub(super) key: usize,
    /// Of the key schedule (TLS 1.3), of the PRF (TLS 1.2).
    pub(super) hash: Hash,
}

impl Suite {
    /// `None` for what is unknown here, and for ciphers that are read nowhere: RC4, 3DES, Camellia...
    pub(super) fn new(number: u16) -> Option<Self> {
        let suite = TlsCipherSuite::from_id(number)?;
        // RFC 7905 section 2: 256 bits; tls-parser's table has 128 for it.
        let chacha = suite.enc == TlsCipherEnc::Chacha20_Poly1305;
        let key = if chacha { 32 } else { suite.enc_key_size() };
        let protection = match (suite.enc, suite.enc_mode) {
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm) => Protection::Gcm,
            (TlsCipherEnc::Aes, TlsCipherEncMode::Ccm) => {
                // RFC 6655 section 4: the short tag is in the name.
                Protection::Ccm(if suite.name.contains("CCM_8") { 8 } else { 16 })
            }
            (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc) => Protection::Cbc(match suite.mac {
                TlsCipherMac::HmacSha1 => Hash::Sha1,
                TlsCipherMac::HmacSha256 => Hash::Sha256,
                TlsCipherMac::HmacSha384 => Hash::Sha384,
                _ => return None,
            }),
            (TlsCipherEnc::Chacha20_Poly1305, _) => Protection::ChaCha20Poly1305,
            _ => return None,
        };
        // RFC 5246 section 5: SHA-256, unless the suite says otherwise.
        let hash = match suite.prf {
            TlsPRF::Sha384 => Hash::Sha384,
            _ if suite.name.ends_with("SHA384") => Hash::Sha384,
            _ => Hash::Sha256,
        };
        matches!(key, 16 | 32).then_some(Self { protection, key, hash })
    }
}

/// The name in IANA's registry, or the number.
pub(super) fn name(number: u16) -> Cow<'static, str> {
    TlsCipherSuite::from_id(number)
        .map_or_else(|| format!("{number:#06x}").into(), |suite| suite.name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_of_today_and_of_yesterday_are_known() {
        let suite = |protection, key, hash| Some(Suite { protection, key, hash });
        for (number, want, text) in [
            (0x1301, suite(Protection::Gcm, 16, Hash::Sha256), "TLS_AES_128_GCM_SHA256"),
            (0x1302, suite(Protection::Gcm, 32, Hash::Sha384), "TLS_AES_256_GCM_SHA384"),
            (
                0x1303,
                suite(Protection::ChaCha20Poly1305, 32, Hash::Sha256),
                "TLS_CHACHA20_POLY1305_SHA256",
            ),
            (0x1304, suite(Protection::Ccm(16), 16, Hash::Sha256), "TLS_AES_128_CCM_SHA256"),
            (0x1305, suite(Protection::Ccm(8), 16, Hash::Sha256), "TLS_AES_128_CCM_8_SHA256"),
            (
                0x002f,
                suite(Protection::Cbc(Hash::Sha1), 16, Hash::Sha256),
                "TLS_RSA_WITH_AES_128_CBC_SHA",
            ),
            (
                0xc028,
                suite(Protection::Cbc(Hash::Sha384), 32, Hash::Sha384),
                "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
            ),
            (
                0xc0ae,
                suite(Protection::Ccm(8), 16, Hash::Sha256),
                "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
            ),
            (
                0xc030,
                suite(Protection::Gcm, 32, Hash::Sha384),
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            ),
            (
                0xcca9,
                suite(Protection::ChaCha20Poly1305, 32, Hash::Sha256),
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            ),
            (0x0005, None, "TLS_RSA_WITH_RC4_128_SHA"),
            (0xfafa, None, "0xfafa"),
        ] {
            assert_eq!(Suite::new(number), want, "{text}");
            assert_eq!(name(number), text);
        }
    }
}
