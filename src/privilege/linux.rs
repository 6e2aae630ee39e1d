//! Giving up on Linux: user, capabilities, `no_new_privs`, Landlock.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};
use nix::unistd::{Gid, Uid, User};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Keep, Left, PrivilegeError};

/// Gives up everything but what is named.
///
/// # Errors
/// When a privilege that is there can not be given up.
pub fn give_up(keep: &Keep) -> Result<Left, PrivilegeError> {
    let nobody = keep.write.is_empty() && keep.make.is_empty() && !has_landlock();
    become_user(nobody, CapabilitySet::empty())?;
    let sandbox = enter_sandbox(keep)?;
    Ok(Left { user: Uid::effective().as_raw(), sandbox })
}

/// For who looks at processes ([`crate::process::serve`]): keeps the two capabilities that this
/// takes, if they are there. No sandbox: in one, looking at others is forbidden.
///
/// # Errors
/// When a privilege that is there can not be given up.
pub fn give_up_but_looking() -> Result<Left, PrivilegeError> {
    become_user(true, CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH)?;
    Ok(Left { user: Uid::effective().as_raw(), sandbox: false })
}

/// Gives a file that was just made to the user that this program will be.
///
/// # Errors
/// When that is not allowed.
pub fn hand_over(path: &Path) -> io::Result<()> {
    match Target::find(false) {
        // Not through a link: it could lead anywhere.
        Some(Target { uid, gid, .. }) => {
            std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))
        }
        None => Ok(()),
    }
}

/// User, capabilities, and no way back.
fn become_user(nobody: bool, wanted: CapabilitySet) -> Result<(), PrivilegeError> {
    let capabilities = |error: rustix::io::Errno| PrivilegeError::Capabilities(error.into());
    let has = rustix::thread::capabilities(None).map_err(capabilities)?;
    let left = has.permitted & wanted;
    // They would go with the user.
    rustix::thread::set_keep_capabilities(!left.is_empty()).map_err(capabilities)?;
    if let Some(user) = Target::find(nobody) {
        user.enter().map_err(|error| PrivilegeError::User(error.into()))?;
    }
    // Kernels before 4.3 have none.
    let _ = rustix::thread::clear_ambient_capability_set();
    let sets =
        CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(capabilities)?;
    rustix::thread::set_no_new_privs(true).map_err(capabilities)?;
    let is = rustix::thread::capabilities(None).map_err(capabilities)?;
    if is.permitted != left || is.effective != left {
        return Err(PrivilegeError::Capabilities(io::Error::other("they are still there")));
    }
    Ok(())
}

/// Who the program becomes.
struct Target {
    uid: Uid,
    gid: Gid,
    name: Option<CString>,
}

impl Target {
    /// `None`: the user stays who he is.
    fn find(nobody: bool) -> Option<Self> {
        let (real, effective) = (Uid::current(), Uid::effective());
        if real != effective {
            return Some(Self::of(real, Gid::current()));
        }
        if !effective.is_root() {
            return None;
        }
        let id = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        let caller = id("SUDO_UID").map(|uid| (uid, id("SUDO_GID")));
        let caller = caller.or_else(|| Some((id("PKEXEC_UID")?, None)));
        let caller = caller.or_else(|| {
            let user = User::from_name(&std::env::var("DOAS_USER").ok()?).ok()??;
            Some((user.uid.as_raw(), Some(user.gid.as_raw())))
        });
        match caller {
            // He who was root before sudo is as root himself.
            Some((uid, gid)) if uid != 0 => {
                let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
                let gid = gid.or(known.map(|user| user.gid.as_raw())).unwrap_or(uid);
                Some(Self::of(Uid::from_raw(uid), Gid::from_raw(gid)))
            }
            _ if nobody => Some(Self { uid: NOBODY.into(), gid: NOBODY.into(), name: None }),
            _ => None,
        }
    }

    fn of(uid: Uid, gid: Gid) -> Self {
        let known = User::from_uid(uid).ok().flatten();
        let name = known.and_then(|user| CString::new(user.name).ok());
        Self { uid, gid, name }
    }

    /// Groups first: afterwards it is not allowed any more.
    fn enter(&self) -> nix::Result<()> {
        if Uid::effective().is_root() {
            match &self.name {
                Some(name) => nix::unistd::initgroups(name, self.gid)?,
                None => nix::unistd::setgroups(&[self.gid])?,
            }
        }
        nix::unistd::setresgid(self.gid, self.gid, self.gid)?;
        nix::unistd::setresuid(self.uid, self.uid, self.uid)?;
        // There must be no way back.
        if !self.uid.is_root() && nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(nix::errno::Errno::EPERM);
        }
        Ok(())
    }
}

/// Does the kernel have Landlock, and is it switched on.
fn has_landlock() -> bool {
    let asked = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    asked.is_ok()
}

/// Restricts this thread and those that it starts; false where the kernel has no Landlock.
fn enter_sandbox(keep: &Keep) -> Result<bool, PrivilegeError> {
    let failed = |error: landlock::RulesetError| PrivilegeError::Sandbox(error.to_string());
    let reading = AccessFs::from_read(ABI::V1) & !AccessFs::Execute;
    let all = AccessFs::from_all(ABI::V5);
    let writing = DEVICES.iter().fold(all & !AccessFs::Execute, |sum, &device| sum & !device);
    let mut rules = Ruleset::default()
        .handle_access(all)
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V4)))
        .and_then(Ruleset::create)
        .map_err(failed)?;
    let system = SYSTEM.iter().map(|path| (PathBuf::from(path), reading));
    let talking = reading | AccessFs::WriteFile | AccessFs::IoctlDev;
    let terminal = TERMINAL.iter().map(|path| (PathBuf::from(path), talking));
    let temporary = [(std::env::temp_dir(), writing)];
    let read = keep.read.iter().map(|path| (path.clone(), reading));
    let write = keep.write.iter().map(|path| (folder(path), writing));
    let making = AccessFs::MakeReg | AccessFs::WriteFile | AccessFs::Truncate;
    let make = keep.make.iter().map(|path| (folder(path), making));
    let rest = read.chain(write).chain(make);
    for (path, access) in system.chain(terminal).chain(temporary).chain(rest) {
        // What is not there need not be allowed.
        let Ok(fd) = PathFd::new(&path) else { continue };
        // Of a file only what a file can be asked.
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI::V5) };
        rules = rules.add_rule(PathBeneath::new(fd, access)).map_err(failed)?;
    }
    let status = rules.restrict_self().map_err(failed)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// Devices and sockets: wstap makes none.
const DEVICES: [AccessFs; 5] = [
    AccessFs::MakeChar,
    AccessFs::MakeBlock,
    AccessFs::MakeSock,
    AccessFs::MakeFifo,
    AccessFs::IoctlDev,
];
/// Time zones, service names, users, and what is known of interfaces.
const SYSTEM: [&str; 8] = [
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/services",
    "/etc/passwd",
    "/usr/share/terminfo",
    "/etc/terminfo",
    "/sys/class/net",
];
const TERMINAL: [&str; 3] = ["/dev/tty", "/dev/null", "/dev/pts"];
/// The user of who has nothing, by the Linux Standard Base.
const NOBODY: u32 = 65_534;
