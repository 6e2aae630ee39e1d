//! Which connection a segment belongs to.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// Both ends of a TCP connection, the same whichever way a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowKey {
    /// The lesser address and the greater one, high half first: a `u128` would make the key a third
    /// larger. IPv4 stands as IPv4-mapped IPv6.
    addrs: [[u64; 2]; 2],
    /// Their ports.
    ports: [u16; 2],
}

impl Hash for FlowKey {
    /// Three words at once; derived, it would be hashed number by number, and each packet asks for it.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [p, q] = self.ports;
        for [high, low] in self.addrs {
            state.write_u128(u128::from(high) << 64 | u128::from(low));
        }
        state.write_u32(u32::from(p) << 16 | u32::from(q));
    }
}

impl FlowKey {
    /// The key of a segment, and whether its sender comes first in it. Both ends may have one
    /// address (loopback): then the ports order them.
    #[inline]
    pub(crate) fn new(src: &SocketAddr, dst: &SocketAddr) -> (Self, bool) {
        let first = match (src, dst) {
            // Address and port in a word: the same order, at less.
            (SocketAddr::V4(src), SocketAddr::V4(dst)) => {
                let word =
                    |a: &SocketAddrV4| u64::from(a.ip().to_bits()) << 16 | u64::from(a.port());
                word(src) <= word(dst)
            }
            _ => (number(src), src.port()) <= (number(dst), dst.port()),
        };
        let (lesser, greater) = if first { (src, dst) } else { (dst, src) };
        let addrs = [number(lesser), number(greater)];
        (Self { addrs, ports: [lesser.port(), greater.port()] }, first)
    }

    /// A number below `n` that depends on nothing but the key.
    #[inline]
    pub(crate) fn spread(&self, n: usize) -> usize {
        let [addr, other] = self.addrs.map(|[high, low]| high ^ low);
        let [port, other_port] = self.ports.map(u64::from);
        let folded = addr ^ other.rotate_left(32) ^ (port << 16) ^ (other_port << 40);
        // Fibonacci hashing: the high bits of the product depend on all bits below.
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (mixed as usize) % n.max(1)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "halves")]
#[inline]
fn number(addr: &SocketAddr) -> [u64; 2] {
    match addr.ip() {
        IpAddr::V4(v4) => [0, 0xffff_0000_0000 | u64::from(v4.to_bits())],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_share_a_key() {
        for (a, b) in [
            ("127.0.0.1:5000", "127.0.0.1:80"),
            ("[::1]:1", "[::1]:2"),
            ("10.0.0.1:1", "9.0.0.1:2"),
        ] {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            let ((there, first), (back, second)) = (FlowKey::new(&a, &b), FlowKey::new(&b, &a));
            assert_eq!(there, back);
            assert_ne!(first, second);
            assert_eq!(there.spread(16), back.spread(16));
        }
    }
}
