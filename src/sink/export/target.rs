//! The file of an export.
//!
//! Gets: a path. Gives: a writer, and a file that is there whole or not at all: it is written under
//! another name beside its place, and gets its own when it is done.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Where an export goes.
#[derive(Debug)]
pub struct Target(Inner);

#[derive(Debug)]
enum Inner {
    Stdout(io::Stdout),
    /// A device or a FIFO: written as it is.
    Direct(File),
    File {
        temporary: NamedTempFile,
        path: PathBuf,
        replace: bool,
    },
}

impl Target {
    /// Standard output.
    pub fn stdout() -> Self {
        Self(Inner::Stdout(io::stdout()))
    }

    /// A file; one that is there is replaced only when asked for.
    ///
    /// # Errors
    /// When there is one and it is not to be replaced ([`io::ErrorKind::AlreadyExists`]), or it can not
    /// be made.
    pub fn file(path: &Path, replace: bool) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                let file = File::options().write(true).open(path)?;
                return Ok(Self(Inner::Direct(file)));
            }
            Ok(_) if !replace => return Err(io::ErrorKind::AlreadyExists.into()),
            _ => {}
        }
        // A link keeps pointing where it points: what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".wstap-");
        // As any new file: the umask takes away what the user does not give to others.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(nameless)?;
        Ok(Self(Inner::File { temporary, path, replace }))
    }

    /// Everything was written: the file gets its name.
    ///
    /// # Errors
    /// When it can not, or when a file of that name came up meanwhile.
    pub fn keep(mut self) -> io::Result<()> {
        self.flush()?;
        match self.0 {
            Inner::Stdout(_) | Inner::Direct(_) => Ok(()),
            Inner::File { temporary, path, replace: true } => {
                temporary.persist(path).map(drop).map_err(|error| error.error)
            }
            Inner::File { temporary, path, replace: false } => {
                temporary.persist_noclobber(path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Stdout(out) => out.write(bytes),
            Inner::Direct(file) => file.write(bytes),
            Inner::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Stdout(out) => out.flush(),
            Inner::Direct(file) => file.flush(),
            Inner::File { temporary, .. } => temporary.flush(),
        }
    }
}

/// The reason without the name of the temporary file: the user named another one.
fn nameless(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_told_without_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Target::file(&folder.path().join("none/a.har"), false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert!(!refused.to_string().contains(".wstap-"), "{refused}");
    }

    #[test]
    fn a_file_is_there_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.har");
        let mut target = Target::file(&path, false).unwrap();
        target.write_all(b"half").unwrap();
        drop(target);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut target = Target::file(&path, false).unwrap();
        target.write_all(b"whole").unwrap();
        target.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_is_replaced_only_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.har");
        fs::write(&path, b"old").unwrap();
        let refused = Target::file(&path, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        Target::file(&path, true).unwrap().keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert!(Target::file(folder.path(), true).is_err());
    }

    #[test]
    fn one_that_came_up_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.har");
        let target = Target::file(&path, false).unwrap();
        fs::write(&path, b"other").unwrap();
        assert!(target.keep().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"other");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_as_they_are() {
        let mut target = Target::file(Path::new("/dev/null"), false).unwrap();
        target.write_all(b"x").unwrap();
        target.keep().unwrap();
    }
}
