//! What can be captured only once, recorded as pcapng; and connections cut out of a capture.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{
    self, FileOrder, Input, InterfaceId, PacketRecord, PacketSource as _, PcapngWriter, Secrets,
    SecretsListener,
};
use crate::limits::Limits;
use crate::packet::{Decoded, Decoder};
use crate::store::Conn;

/// A file with a name, kept unless it is told to go: what crashes leave can be found.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
}

impl Recorded {
    /// An empty one in the directory of temporary files that is on disk.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn new() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("wstap-").suffix(".pcapng");
        let file = builder.tempfile_in(FOLDER).or_else(|_| builder.tempfile())?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file.
    pub fn remove(&self) {
        // What is gone already needs no removing.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where recordings and payloads wait: `/tmp` is often memory, which they are not to fill.
pub const FOLDER: &str = "/var/tmp";

/// A new file, which is written and not read: for more there may be no right.
///
/// # Errors
/// When it exists, or can not be made.
pub fn create_new(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Why a file can not be written; where only some folders can be written to, which.
pub fn cannot_write(path: &Path, error: &io::Error, folders: &[PathBuf]) -> String {
    let shown = path.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        return format!("cannot write {shown}: it exists already");
    }
    if error.kind() == io::ErrorKind::NotFound {
        return format!("cannot write {shown}: there is no such folder");
    }
    if error.kind() != io::ErrorKind::PermissionDenied || folders.is_empty() {
        let reason = error.to_string();
        let reason = reason.split(" (os error ").next().unwrap_or_default();
        return format!("cannot write {shown}: {reason}");
    }
    if path
        .parent()
        .is_some_and(|parent| parent.as_os_str().is_empty() || folders.iter().any(|f| f == parent))
    {
        return format!("cannot write {shown}: the user who called wstap may not write there");
    }
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let folders = folders.join(" and ");
    format!("cannot write {shown}: while capturing only in {folders}")
}

/// Which packets belong to a connection.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    ends: (SocketAddr, SocketAddr),
    places: (u64, u64),
}

impl Wanted {
    /// The packets of a connection, from its TCP connection's first to the last that is known; while
    /// it is open, whatever still comes.
    pub fn of(conn: &Conn) -> Self {
        // The acknowledgement of the last FIN comes behind the end.
        let last =
            if conn.over() { conn.last.packet.place().saturating_add(TAIL) } else { u64::MAX };
        let first = conn.info.key.flow.0.place();
        Self { ends: (conn.info.client, conn.info.server), places: (first, last) }
    }

    fn takes(&self, place: u64, src: SocketAddr, dst: SocketAddr) -> bool {
        let (client, server) = self.ends;
        let (first, last) = self.places;
        let same = (src, dst) == (client, server) || (src, dst) == (server, client);
        same && first <= place && place <= last
    }
}

/// Packets behind the end of a connection that may still be its own.
const TAIL: u64 = 64;

/// Where packets are saved from.
#[derive(Debug, Clone)]
pub struct Tape {
    /// The files.
    pub inputs: Vec<Input>,
    /// The order of their packets when they were numbered.
    pub order: FileOrder,
    /// Packets that were numbered before the first one in them.
    pub before: u64,
    /// The only folders in which a file can be saved; none: anywhere.
    pub folders: Vec<PathBuf>,
    /// The budgets.
    pub limits: Limits,
}

impl Tape {
    /// Writes the packets of connections to a new file, with the comments on them; without any, all
    /// packets. Gives how many; `to` names the file.
    ///
    /// Packets of fragmented IP datagrams are left out, unless all are wanted.
    ///
    /// # Errors
    /// One line that says what could not be read or written.
    pub fn save(&self, wanted: &[Wanted], file: File, to: &Path) -> Result<u64, String> {
        let cannot = |error: io::Error| cannot_write(to, &error, &self.folders);
        let mut writer = PcapngWriter::new(BufWriter::new(file)).map_err(cannot)?;
        let comments = Arc::<Mutex<Vec<String>>>::default();
        let secrets = Arc::<Mutex<Vec<Secrets>>>::default();
        let reading = self.reading(&comments, &secrets);
        let source = capture::open(&self.inputs, &self.limits, &reading);
        let mut source = source.map_err(|error| error.to_string())?;
        let mut decoder = Decoder::new(&self.limits);
        let mut described = 0;
        let mut saved: u64 = 0;
        // A recording that still grows ends in the middle of a packet; what there is was saved.
        while let Ok(Some(record)) = source.next() {
            let comments = std::mem::take(&mut *lock(&comments));
            let takes = wanted.is_empty()
                || match decoder.decode(&record) {
                    Decoded::Segment(segment) => {
                        let place = record.no.place().saturating_add(self.before);
                        wanted.iter().any(|wanted| wanted.takes(place, segment.src, segment.dst))
                    }
                    Decoded::Other(_) => false,
                };
            if !takes {
                continue;
            }
            let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
            for secrets in std::mem::take(&mut *lock(&secrets)) {
                writer.secrets(&secrets).map_err(cannot)?;
            }
            saved += 1;
            if (record.interface.0 as usize) < described {
                writer.write_commented(&record, &comments).map_err(cannot)?;
                continue;
            }
            // What the source lends is given back before it is asked for its interfaces.
            let (record, bytes) = (PacketRecord { bytes: &[], ..record }, record.bytes.to_vec());
            let interfaces = source.summary().interfaces;
            for (id, interface) in (0..).zip(&interfaces).skip(described) {
                writer.interface(InterfaceId(id), interface).map_err(cannot)?;
                described += 1;
            }
            let record = PacketRecord { bytes: &bytes, ..record };
            writer.write_commented(&record, &comments).map_err(cannot)?;
        }
        let mut inner = writer.finish(&source.summary().interfaces).map_err(cannot)?;
        inner.flush().map_err(cannot)?;
        Ok(saved)
    }

    /// Comments are listened to where they come right before their packet: of several inputs each
    /// is read ahead. Of secrets it does not matter how far.
    fn reading(
        &self,
        comments: &Arc<Mutex<Vec<String>>>,
        secrets: &Arc<Mutex<Vec<Secrets>>>,
    ) -> capture::Options {
        let listener = (self.inputs.len() == 1).then(|| {
            let comments = Arc::clone(comments);
            capture::Listener(Arc::new(move |text| lock(&comments).push(text.to_owned())))
        });
        let secrets = Arc::clone(secrets);
        let secrets = Some(SecretsListener(Arc::new(move |block: &Secrets| {
            lock(&secrets).push(block.clone());
        })));
        capture::Options { listener, secrets, order: self.order, ..capture::Options::default() }
    }
}

fn lock<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_file_can_not_be_written_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old"), "").unwrap();
        for (name, why) in [("old", "it exists already"), ("none/x", "there is no such folder")] {
            let path = folder.path().join(name);
            let error = create_new(&path).unwrap_err();
            let told = cannot_write(&path, &error, &[]);
            assert!(told.ends_with(why), "{told}");
        }
        let error = io::Error::from_raw_os_error(28);
        let told = cannot_write(Path::new("x"), &error, &[]);
        assert_eq!(told, "cannot write x: No space left on device");
    }
}
