//! Record headers (RFC 8446 section 5.1, RFC 5246 section 6.2.1).

/// Bytes of a record's header.
pub(super) const HEADER: usize = 5;

/// The most that a record holds: 2^14 bytes, and what protection may add (RFC 5246 section 6.2.3).
const MOST: u16 = (1 << 14) + 2048;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) version: u16,
    pub(super) len: u16,
}

impl Header {
    /// `None` for what is none, or where bytes are missing.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let &[kind, major, minor, high, low] = bytes.first_chunk::<HEADER>()?;
        let len = u16::from_be_bytes([high, low]);
        let version = u16::from_be_bytes([major, minor]);
        let sound = (CHANGE_CIPHER_SPEC..=24).contains(&kind) && major == 3 && minor <= 4;
        (sound && len <= MOST).then_some(Self { kind, version, len })
    }

    /// As it is in the record.
    pub(super) fn bytes(self) -> [u8; HEADER] {
        let ([major, minor], [high, low]) = (self.version.to_be_bytes(), self.len.to_be_bytes());
        [self.kind, major, minor, high, low]
    }

    /// Bytes of the whole record.
    pub(super) fn whole(self) -> usize {
        HEADER + usize::from(self.len)
    }
}
