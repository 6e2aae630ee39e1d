//! Is an interface up and connected. libpcap goes on over both without a word.
//!
//! Gets: a name. Gives: whether that has changed. Keeps: how it was, and where to ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::interfaces;

/// Tells of an interface whether it is up and connected; `None` where that is not known or does not
/// matter.
pub(super) type Works = Arc<dyn Fn(&str) -> Option<bool> + Send + Sync>;

/// Of this program's own interfaces.
pub(super) fn here() -> Works {
    Arc::new(interfaces::works)
}

/// Of the interfaces of the network namespace in which the calling thread is now, whoever asks: a socket
/// stays where it was made, and takes no privilege to ask.
#[cfg(target_os = "linux")]
pub(super) fn inside() -> Works {
    let socket = socket().map(std::sync::Mutex::new);
    Arc::new(move |name| {
        let socket = socket.as_ref().ok()?.lock().ok()?;
        let flags = flags(&*socket, name)?;
        (flags & LOOPBACK == 0).then_some(flags & UP != 0 && flags & RUNNING != 0)
    })
}

/// There are no network namespaces here.
#[cfg(not(target_os = "linux"))]
pub(super) fn inside() -> Works {
    Arc::new(|_| None)
}

#[cfg(target_os = "linux")]
fn socket() -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // No protocol is the one with the number 0, NETLINK_ROUTE.
    socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)
}

/// The flags of an interface (rtnetlink(7)). The kernel's answer is there when it has taken the question.
#[cfg(target_os = "linux")]
fn flags(socket: impl std::os::fd::AsFd, name: &str) -> Option<u32> {
    use rustix::net::{RecvFlags, SendFlags, recv, send};
    let attribute = name.len() + 5;
    let len = (32 + attribute).next_multiple_of(4);
    let mut question = Vec::with_capacity(len);
    question.extend(u32::try_from(len).ok()?.to_ne_bytes());
    question.extend(GET_LINK.to_ne_bytes());
    question.extend(REQUEST.to_ne_bytes());
    question.extend([0; 8]);
    // Any family, type and index.
    question.extend([0; 16]);
    question.extend(u16::try_from(attribute).ok()?.to_ne_bytes());
    question.extend(NAME.to_ne_bytes());
    question.extend(name.as_bytes());
    question.resize(len, 0);
    send(&socket, &question, SendFlags::empty()).ok()?;
    // What follows the flags is cut off.
    let mut answer = [0; 32];
    let (_, len) = recv(&socket, &mut answer[..], RecvFlags::empty()).ok()?;
    let answer = answer.get(..len)?;
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let flags = u32::from_ne_bytes(*answer.get(24..)?.first_chunk()?);
    (kind == NEW_LINK).then_some(flags)
}

/// What an interface was when it was last looked at.
pub(super) struct LinkState {
    works: Works,
    worked: bool,
    looked: Instant,
}

impl LinkState {
    pub(super) fn of(name: &str, works: &Works) -> Option<Self> {
        let worked = works(name)?;
        Some(Self { works: Arc::clone(works), worked, looked: Instant::now() })
    }

    /// Looks again, when it is time for that: what it is now, if it was not so before.
    pub(super) fn change(&mut self, name: &str) -> Option<bool> {
        if self.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked = Instant::now();
        // Gone altogether: libpcap will say so.
        let works = (self.works)(name)?;
        (std::mem::replace(&mut self.worked, works) != works).then_some(works)
    }
}

/// How often an idle interface is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `RTM_GETLINK`, `RTM_NEWLINK`, `NLM_F_REQUEST`, `IFLA_IFNAME`
#[cfg(target_os = "linux")]
const GET_LINK: u16 = 18;
#[cfg(target_os = "linux")]
const NEW_LINK: u16 = 16;
#[cfg(target_os = "linux")]
const REQUEST: u16 = 1;
#[cfg(target_os = "linux")]
const NAME: u16 = 3;
/// `IFF_UP`, `IFF_LOOPBACK`, `IFF_RUNNING`
#[cfg(target_os = "linux")]
const UP: u32 = 1;
#[cfg(target_os = "linux")]
const LOOPBACK: u32 = 8;
#[cfg(target_os = "linux")]
const RUNNING: u32 = 0x40;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_interfaces_by_name() {
        let socket = socket().unwrap();
        let lo = flags(&socket, "lo").unwrap();
        assert_eq!(lo & LOOPBACK, LOOPBACK);
        assert_eq!(flags(&socket, "no such one"), None);
        assert_eq!(flags(&socket, "lo"), Some(lo), "nothing was left unread");
        let inside = inside();
        let here = here();
        for interface in interfaces().unwrap() {
            let name = &interface.name;
            assert_eq!(inside(name), here(name), "{name}");
        }
    }
}
