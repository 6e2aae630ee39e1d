//! Addresses written without general formatting, which costs more than all the rest of a short line.
//!
//! Gets: an address with its port. Gives: its text in parts, as [`SocketAddr`] displays it. Keeps: nothing.

use std::net::SocketAddr;

/// Gives the parts of an address's text, in order.
pub(crate) fn spell(address: &SocketAddr, mut part: impl FnMut(&str)) {
    let SocketAddr::V4(v4) = address else { return part(&address.to_string()) };
    let mut digits = itoa::Buffer::new();
    let [a, rest @ ..] = v4.ip().octets();
    part(digits.format(a));
    for octet in rest {
        part(".");
        part(digits.format(octet));
    }
    part(":");
    part(digits.format(v4.port()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelled_as_they_display() {
        for text in
            ["0.0.0.0:0", "10.9.100.255:65535", "[::1]:80", "[fe80::1%3]:9", "[2001:db8::7]:443"]
        {
            let address: SocketAddr = text.parse().unwrap();
            let mut spelled = String::new();
            spell(&address, |part| spelled.push_str(part));
            assert_eq!(spelled, text);
        }
    }
}
