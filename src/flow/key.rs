//! Which connection a segment belongs to.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

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
        let (from, to) = ((number(src), src.port()), (number(dst), dst.port()));
        let src_first = from <= to;
        let (first, second) = if src_first { (from, to) } else { (to, from) };
        let addrs = [halves(first.0), halves(second.0)];
        (Self { addrs, ports: [first.1, second.1] }, src_first)
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

fn number(addr: &SocketAddr) -> u128 {
    match addr.ip() {
        IpAddr::V4(v4) => 0xffff_0000_0000 | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "one half after the other")]
const fn halves(addr: u128) -> [u64; 2] {
    [(addr >> 64) as u64, addr as u64]
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
