//! A key log that is still being written.
//!
//! Gets: its path. Gives: what was added since the last time, in whole lines. Keeps: how far it was read.

use std::fs::{self, File};
use std::io::{Read as _, Seek, SeekFrom};
use std::path::PathBuf;

/// Reads a file on.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    /// Bytes read: whole lines.
    at: u64,
    /// The file's length when it was last looked at.
    len: u64,
    /// Which file it was, where the system tells.
    id: u64,
}

/// Bytes read at a time; a line is shorter.
const PIECE: usize = 1 << 20;

impl Follower {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, at: 0, len: 0, id: 0 }
    }

    /// Gives the lines that were added. A file that is not there, or can not be read, has none: it may
    /// come any time.
    pub(super) fn read(&mut self, mut take: impl FnMut(&[u8])) {
        let Ok(metadata) = fs::metadata(&self.path) else { return };
        let id = identity(&metadata);
        if (metadata.len(), id) == (self.len, self.id) {
            return;
        }
        if id != self.id || metadata.len() < self.at {
            // Another file, or one that was begun anew.
            self.at = 0;
        }
        let Ok(mut file) = File::open(&self.path) else { return };
        (self.len, self.id) = (metadata.len(), id);
        let mut piece = Vec::new();
        while file.seek(SeekFrom::Start(self.at)).is_ok() {
            piece.clear();
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
            let end = piece.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            // So long a line is none.
            let end = end.or((piece.len() == PIECE).then_some(PIECE));
            let (Ok(_), Some(end)) = (read, end) else { return };
            take(piece.get(..end).unwrap_or_default());
            self.at += end as u64;
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(follower: &mut Follower) -> String {
        let mut all = Vec::new();
        follower.read(|text| all.extend_from_slice(text));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn what_is_added_is_read_once_and_in_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        let mut follower = Follower::new(path.clone());
        assert_eq!(lines(&mut follower), "", "not there yet");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(lines(&mut follower), "one\n");
        assert_eq!(lines(&mut follower), "");
        file.write_all(b"o\nthree\n").unwrap();
        assert_eq!(lines(&mut follower), "two\nthree\n");
        fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut follower), "new\n", "begun anew");
        fs::remove_file(&path).unwrap();
        assert_eq!(lines(&mut follower), "");
        fs::write(&path, "another file\n").unwrap();
        assert_eq!(lines(&mut follower), "another file\n");
    }
}
