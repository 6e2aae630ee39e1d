//! Network namespaces: a process's or a container's own interfaces.
//!
//! Gets: a process number, a name of `ip netns`, or a path. Gives: work done inside. Keeps: nothing;
//! what was opened inside stays there.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// Of a process.
    Pid(u32),
    /// By the name that `ip netns` gave it.
    Name(String),
    /// By a path.
    Path(PathBuf),
}

impl FromStr for Netns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') || text == "." || text == ".." {
            return Err("name a process by its number, or a namespace of `ip netns`".to_owned());
        }
        if text.contains('/') {
            return Ok(Self::Path(text.into()));
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Pid))
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => pid.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Netns {
    /// Where it is found.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Pid(pid) => format!("/proc/{pid}/ns/net").into(),
            Self::Name(name) => PathBuf::from("/run/netns").join(name),
            Self::Path(path) => path.clone(),
        }
    }

    /// Enters it with the calling thread, for good.
    ///
    /// # Errors
    /// When it is not there, or this user may not.
    #[cfg(target_os = "linux")]
    pub fn enter(&self) -> io::Result<()> {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        use std::os::fd::AsFd;
        let file = std::fs::File::open(self.path())?;
        Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    /// There are none here.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub fn enter(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does something inside, on a thread of its own: this one stays where it is.
    ///
    /// # Errors
    /// When it can not be entered.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| work()));
            inside.join().unwrap_or_else(|_| Err(io::Error::other("the thread inside failed")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_process_and_anything_else_a_name() {
        assert_eq!("1234".parse(), Ok(Netns::Pid(1234)));
        assert_eq!("1234".parse::<Netns>().unwrap().path(), PathBuf::from("/proc/1234/ns/net"));
        assert_eq!("web".parse(), Ok(Netns::Name("web".into())));
        assert_eq!("web".parse::<Netns>().unwrap().path(), PathBuf::from("/run/netns/web"));
        assert_eq!("/run/docker/netns/x".parse(), Ok(Netns::Path("/run/docker/netns/x".into())));
        assert!("".parse::<Netns>().is_err() && "..".parse::<Netns>().is_err());
    }
}
