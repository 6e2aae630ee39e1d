//! TCP connections put in order: segments to a stream of bytes and gaps per direction.
//!
//! Gets: [`Segment`](crate::packet::Segment)s. Gives: [`StreamEvent`]s to [`crate::conn`].

use crate::units::Origin;

/// What happens next in one direction of a TCP connection, in stream order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// Bytes, in order, from one segment.
    Data {
        /// The packet that brought them.
        origin: Origin,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that the capture lacks.
    Gap {
        /// The packet at which that became certain.
        origin: Origin,
        /// How many.
        len: u64,
        /// Cut off by the snapshot length, rather than missing as packets.
        snapped: bool,
    },
    /// FIN: no more from this side.
    Fin {
        /// The packet that brought it.
        origin: Origin,
    },
    /// RST from this side: no more from either.
    Reset {
        /// The packet that brought it.
        origin: Origin,
    },
}
