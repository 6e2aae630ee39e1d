//! To come.

/// TCP connections that were found to carry something that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// TLS.
    pub tls: u64,
    /// HTTP/2.
    pub http2: u64,
    /// Anything else.
    pub other: u64,
}
