//! Why a packet gave no segment.
//!
//! Gets: nothing. Gives: [`Skip`], and how often each occurred.

use etherparse::IpNumber;

macro_rules! skips {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $trouble:literal; )*) => {
        /// Why a packet gave no TCP segment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Skip {
            $( $(#[$doc])* $variant, )*
        }

        impl Skip {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name: `cut-in-headers`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// Is something wrong: bytes lack, a header is broken, or wstap can not read it. `false`
            /// for what is just no TCP.
            pub const fn is_trouble(self) -> bool {
                match self { $( Self::$variant => $trouble, )* }
            }
        }
    };
}

skips! {
    /// Neither IP nor ARP.
    NotIp "not-ip" false;
    /// ARP.
    Arp "arp" false;
    /// UDP, and none of the tunnels that are known.
    Udp "udp" false;
    /// ICMP or `ICMPv6`.
    Icmp "icmp" false;
    /// `IPsec` ESP: whatever is inside is encrypted.
    Esp "esp" false;
    /// Another protocol over IP.
    NotTcp "not-tcp" false;
    /// A copy of a fragment of a datagram already put together.
    IpFragmentCopy "ip-fragment-copy" false;
    /// A fragment that waits for the rest of its datagram. In [`Decoder::skipped`](super::Decoder)
    /// those whose rest never came.
    IpFragment "ip-fragment" true;
    /// A fragment cut by the snapshot length: its datagram can not be completed.
    IpFragmentCut "ip-fragment-cut" true;
    /// A fragment that fits no datagram: its length, or its end against that of others.
    BadIpFragment "bad-ip-fragment" true;
    /// A record without bytes, of a packet without bytes.
    Empty "empty" true;
    /// A Wi-Fi frame that is encrypted.
    WifiEncrypted "wifi-encrypted" true;
    /// A link type that wstap does not know.
    LinkTypeUnknown "link-type-unknown" true;
    /// The snapshot length cut off headers up to TCP's.
    CutInHeaders "cut-in-headers" true;
    /// The packet ends inside of its link layer header.
    BadLinkHeader "bad-link-header" true;
    /// An IP header that is not of its version, or whose lengths contradict the packet.
    BadIpHeader "bad-ip-header" true;
    /// A TCP header shorter than 20 bytes or longer than its packet.
    BadTcpHeader "bad-tcp-header" true;
    /// The packet ends inside of a tunnel's header.
    BadTunnelHeader "bad-tunnel-header" true;
    /// Too many packets inside of each other.
    TunnelDepth "tunnel-depth" true;
}

impl Skip {
    /// A protocol that is not looked into.
    pub(super) const fn of_protocol(protocol: IpNumber) -> Self {
        match protocol {
            IpNumber::UDP => Self::Udp,
            IpNumber::ICMP | IpNumber::IPV6_ICMP => Self::Icmp,
            IpNumber::ENCAPSULATING_SECURITY_PAYLOAD => Self::Esp,
            _ => Self::NotTcp,
        }
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Packets by reason.
#[derive(Debug, Default)]
pub(super) struct Counts([u64; Skip::ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, skip: Skip, packets: u64) {
        if let Some(count) = self.0.get_mut(skip as usize) {
            *count = count.saturating_add(packets);
        }
    }

    pub(super) fn take_back(&mut self, skip: Skip, packets: u64) {
        if let Some(count) = self.0.get_mut(skip as usize) {
            *count = count.saturating_sub(packets);
        }
    }

    /// Those that occurred.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Skip, u64)> + '_ {
        Skip::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}
