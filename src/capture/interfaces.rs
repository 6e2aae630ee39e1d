//! What can be captured on.
//!
//! Gets: the list that libpcap makes of the system. Gives: [`InterfaceInfo`]s, loopback first, each
//! with the reason why it can not be opened, if so.

use std::net::IpAddr;

use super::CaptureError;
use super::live::open as live;

/// An interface of this machine.
#[expect(clippy::struct_excessive_bools, reason = "flags that the system has for an interface")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// The name that `-i` takes.
    pub name: String,
    /// What the system says of it.
    pub description: Option<String>,
    /// Its addresses, with the length of the network prefix where that is known.
    pub addresses: Vec<(IpAddr, Option<u8>)>,
    /// It is switched on.
    pub up: bool,
    /// It is connected.
    pub running: bool,
    /// It is the loopback interface.
    pub loopback: bool,
    /// It is wireless.
    pub wireless: bool,
    /// Why it can not be opened; `None` when it can.
    pub problem: Option<String>,
    /// What to run so that it can.
    pub remedy: Option<String>,
}

/// All interfaces that can carry TCP: loopback first, then those in use, then the others.
///
/// # Errors
/// When the system does not tell.
pub fn interfaces() -> Result<Vec<InterfaceInfo>, CaptureError> {
    let mut found: Vec<_> = devices()?.into_iter().map(inspect).collect();
    found.sort_by_key(|i| (!i.loopback, i.addresses.is_empty(), !i.running, !i.up));
    Ok(found)
}

/// What went over an interface since it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

/// The traffic of each interface by its name, now. Empty where the system does not tell.
pub fn traffic() -> std::collections::HashMap<String, Traffic> {
    #[cfg(target_os = "linux")]
    let counted = procfs::net::dev_status().unwrap_or_default().into_iter().map(|(name, s)| {
        let traffic = Traffic {
            received: s.recv_packets,
            sent: s.sent_packets,
            received_bytes: s.recv_bytes,
            sent_bytes: s.sent_bytes,
        };
        (name, traffic)
    });
    #[cfg(not(target_os = "linux"))]
    let counted = [];
    counted.into_iter().collect()
}

/// Names alone, loopback first: for messages.
pub(super) fn names() -> Vec<String> {
    let mut devices = devices().unwrap_or_default();
    devices.sort_by_key(|d| (!d.flags.is_loopback(), d.addresses.is_empty()));
    devices.into_iter().map(|d| d.name).collect()
}

/// Is this the name of a loopback interface.
pub(super) fn is_loopback(name: &str) -> bool {
    devices().unwrap_or_default().iter().any(|d| d.name == name && d.flags.is_loopback())
}

/// Is this interface up and connected; `None` where that is not known or does not matter.
pub(super) fn works(name: &str) -> Option<bool> {
    let device = devices().ok()?.into_iter().find(|d| d.name == name)?;
    let flags = device.flags;
    (!flags.is_loopback() && name != "any").then(|| flags.is_up() && flags.is_running())
}

fn devices() -> Result<Vec<::pcap::Device>, CaptureError> {
    let list = ::pcap::Device::list().map_err(|error| CaptureError::Interface {
        name: "the list of interfaces".to_owned(),
        message: live::message(&error),
    })?;
    Ok(list.into_iter().filter(|d| !NOT_NETWORKS.iter().any(|p| d.name.starts_with(p))).collect())
}

fn inspect(device: ::pcap::Device) -> InterfaceInfo {
    let addresses = device.addresses.iter().map(|a| (a.addr, a.netmask.map(prefix_len))).collect();
    let flags = &device.flags;
    let problem = live::try_open(&device.name).err();
    InterfaceInfo {
        up: flags.is_up(),
        running: flags.is_running(),
        loopback: flags.is_loopback(),
        wireless: flags.is_wireless(),
        remedy: problem.as_ref().and_then(CaptureError::hint),
        problem: problem.map(|error| error.to_string()),
        description: device.desc,
        addresses,
        name: device.name,
    }
}

fn prefix_len(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

/// What libpcap lists beside network interfaces.
const NOT_NETWORKS: [&str; 6] = ["bluetooth", "usbmon", "dbus-", "nfqueue", "nflog", "rpmsg"];

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn traffic_over_loopback_is_counted() {
        let before = traffic()["lo"];
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        let after = traffic()["lo"];
        assert!(after.sent > before.sent && after.sent_bytes >= before.sent_bytes + 1000);
    }

    #[test]
    fn loopback_comes_first_with_its_addresses() {
        let all = interfaces().unwrap();
        let Some(first) = all.first() else {
            eprintln!("skipped: the system lists no interfaces here");
            return;
        };
        assert!(first.loopback && first.up, "{first:?}");
        assert!(first.addresses.contains(&("127.0.0.1".parse().unwrap(), Some(8))), "{first:?}");
        assert!(all.iter().all(|i| !i.name.starts_with("bluetooth")));
    }
}
