//! What the hellos say (RFC 8446 section 4.1, RFC 5246 section 7.4.1), by tls-parser.
//!
//! Gets: bodies of handshake messages. Gives: what decryption and [`TlsInfo`](crate::event::TlsInfo) need.

use tls_parser::{
    TlsExtension, parse_tls_extension_alpn_content, parse_tls_extension_sni_content,
    parse_tls_handshake_client_hello, parse_tls_handshake_server_hello,
};

use super::keylog::Random;

/// A ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: Random,
    pub(super) sni: Option<String>,
    /// The client sends data before it has its answer (RFC 8446 section 4.2.10).
    pub(super) early_data: bool,
    /// It names a session to be resumed: by its identifier, or by a ticket (RFC 5077).
    pub(super) resumes: bool,
    /// HTTP/2 is among the application protocols that it offers.
    pub(super) offers_h2: bool,
}

/// A ServerHello; one that asks for another ClientHello says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: Random,
    pub(super) version: u16,
    pub(super) cipher: u16,
    /// Compressed records are not read; nobody has sent any for years (CRIME).
    pub(super) compressed: bool,
    pub(super) encrypt_then_mac: bool,
    pub(super) alpn: Option<String>,
    pub(super) retry: bool,
}

/// RFC 8446 section 4.1.3: the random of a HelloRetryRequest, SHA-256 of these words.
const RETRY: Random = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl ClientHello {
    pub(super) fn new(body: &[u8]) -> Option<Self> {
        let (_, hello) = parse_tls_handshake_client_hello(body).ok()?;
        let mut this = Self {
            random: hello.random.try_into().ok()?,
            sni: None,
            early_data: false,
            resumes: hello.session_id.is_some_and(|id| !id.is_empty()),
            offers_h2: false,
        };
        for (kind, content) in extensions(hello.ext.unwrap_or_default()) {
            match kind {
                SERVER_NAME => this.sni = server_name(content),
                EARLY_DATA => this.early_data = true,
                SESSION_TICKET => this.resumes |= !content.is_empty(),
                ALPN => this.offers_h2 = protocols(content).contains(&&b"h2"[..]),
                _ => {}
            }
        }
        Some(this)
    }
}

impl ServerHello {
    pub(super) fn new(body: &[u8]) -> Option<Self> {
        let (_, hello) = parse_tls_handshake_server_hello(body).ok()?;
        let random = hello.random.try_into().ok()?;
        let mut this = Self {
            random,
            version: hello.version.0,
            cipher: hello.cipher.0,
            compressed: hello.compression.0 != 0,
            encrypt_then_mac: false,
            alpn: None,
            retry: random == RETRY,
        };
        for (kind, content) in extensions(hello.ext.unwrap_or_default()) {
            match (kind, content) {
                (SUPPORTED_VERSIONS, &[high, low]) => {
                    this.version = u16::from_be_bytes([high, low]);
                }
                (ENCRYPT_THEN_MAC, _) => this.encrypt_then_mac = true,
                (ALPN, _) => this.alpn = protocol(content),
                _ => {}
            }
        }
        Some(this)
    }
}

/// EncryptedExtensions (RFC 8446 section 4.3.1): the selected protocol, and whether early data was taken.
pub(super) fn encrypted_extensions(body: &[u8]) -> (Option<String>, bool) {
    let (mut alpn, mut early_data) = (None, false);
    for (kind, content) in extensions(body.get(2..).unwrap_or_default()) {
        match kind {
            ALPN => alpn = protocol(content),
            EARLY_DATA => early_data = true,
            _ => {}
        }
    }
    (alpn, early_data)
}

/// Types and contents of extensions. Taken apart here: of those that nobody asks for none should keep
/// the others from being read.
fn extensions(mut list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (&[high, low, long, short], rest) = list.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([long, short]));
        let (content, rest) = rest.split_at_checked(len)?;
        list = rest;
        Some((u16::from_be_bytes([high, low]), content))
    })
}

fn server_name(content: &[u8]) -> Option<String> {
    let (_, TlsExtension::SNI(names)) = parse_tls_extension_sni_content(content).ok()? else {
        return None;
    };
    // RFC 6066 section 3: type 0 is a host name.
    let (_, name) = names.into_iter().find(|(kind, _)| kind.0 == 0)?;
    text(name)
}

fn protocol(content: &[u8]) -> Option<String> {
    text(protocols(content).first()?)
}

fn protocols(content: &[u8]) -> Vec<&[u8]> {
    match parse_tls_extension_alpn_content(content) {
        Ok((_, TlsExtension::ALPN(names))) => names,
        _ => Vec::new(),
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const SESSION_TICKET: u16 = 35;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
