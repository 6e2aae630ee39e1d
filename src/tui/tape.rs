//! What can be captured only once, recorded as pcapng; and connections cut out of a capture.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::{
    self, Input, Interface, InterfaceId, PacketRecord, PacketSource as _, PcapngWriter,
};
use crate::limits::Limits;
use crate::packet::{Decoded, Decoder};
use crate::store::Conn;
use crate::units::PacketNo;

/// A recording. Where it can not go on, it says so and the rest goes on without it.
#[derive(Debug)]
pub struct Tape {
    writer: Option<PcapngWriter<BufWriter<File>>>,
    described: usize,
    held: Option<(PacketRecord<'static>, Vec<u8>)>,
    failed: Arc<Mutex<Option<String>>>,
}

/// A file with a name, kept unless it is told to go: what crashes leave can be found.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    failed: Arc<Mutex<Option<String>>>,
}

impl Recorded {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing is recorded any more.
    pub fn failure(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes the file.
    pub fn remove(&self) {
        // What is gone already needs no removing.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Tape {
    /// A recording in the directory of temporary files that is on disk.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn new() -> io::Result<(Self, Recorded)> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("wstap-").suffix(".pcapng");
        let file = builder.tempfile_in("/var/tmp").or_else(|_| builder.tempfile())?;
        let (file, path) = file.keep().map_err(|error| error.error)?;
        let writer = PcapngWriter::new(BufWriter::with_capacity(1 << 18, file))?;
        let failed = Arc::default();
        let recorded = Recorded { path, failed: Arc::clone(&failed) };
        Ok((Self { writer: Some(writer), described: 0, held: None, failed }, recorded))
    }

    /// Records a packet, or keeps it until its interface can be described.
    pub(super) fn packet(&mut self, record: &PacketRecord<'_>) {
        if record.interface.0 as usize >= self.described {
            self.held = Some((PacketRecord { bytes: &[], ..*record }, record.bytes.to_vec()));
            return;
        }
        self.write(|writer| writer.write(record));
    }

    /// Describes new interfaces, and records the packet that waited for that.
    pub(super) fn catch_up(&mut self, interfaces: impl FnOnce() -> Vec<Interface>) {
        let Some((record, bytes)) = self.held.take() else { return };
        let all = interfaces();
        let described = std::mem::replace(&mut self.described, all.len());
        self.write(|writer| {
            for (place, interface) in all.iter().enumerate().skip(described) {
                writer
                    .interface(InterfaceId(u32::try_from(place).unwrap_or(u32::MAX)), interface)?;
            }
            writer.write(&PacketRecord { bytes: &bytes, ..record })
        });
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&mut self) {
        self.write(PcapngWriter::flush);
    }

    fn write(&mut self, put: impl FnOnce(&mut PcapngWriter<BufWriter<File>>) -> io::Result<()>) {
        let Some(writer) = &mut self.writer else { return };
        if let Err(error) = put(writer) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            self.writer = None;
        }
    }
}

/// Which packets belong to a connection.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    ends: (SocketAddr, SocketAddr),
    packets: (PacketNo, PacketNo),
}

impl Wanted {
    /// The packets of a connection, from its TCP connection's first to the last that is known; while
    /// it is open, whatever still comes.
    pub fn of(conn: &Conn) -> Self {
        let last = if conn.over() { conn.last.packet } else { PacketNo(u64::MAX) };
        Self { ends: (conn.info.client, conn.info.server), packets: (conn.info.key.flow.0, last) }
    }

    fn takes(&self, no: PacketNo, src: SocketAddr, dst: SocketAddr) -> bool {
        let (client, server) = self.ends;
        let (first, last) = self.packets;
        let same = (src, dst) == (client, server) || (src, dst) == (server, client);
        // The acknowledgement of the last FIN comes behind the end.
        same && first <= no && no.0 <= last.0.saturating_add(TAIL)
    }
}

/// Packets behind the end of a connection that may still be its own.
const TAIL: u64 = 64;

/// Writes the packets of connections to a new file; without any, all packets. Gives how many.
///
/// Packets of fragmented IP datagrams are left out, unless all are wanted.
///
/// # Errors
/// One line that says what could not be read or written.
pub fn save(from: &[Input], wanted: &[Wanted], to: &Path, limits: &Limits) -> Result<u64, String> {
    let shown = to.display();
    let cannot = |error: io::Error| format!("cannot write {shown}: {error}");
    let file = File::create_new(to).map_err(cannot)?;
    let mut writer = PcapngWriter::new(BufWriter::new(file)).map_err(cannot)?;
    let options = capture::Options::default();
    let mut source = capture::open(from, limits, &options).map_err(|error| error.to_string())?;
    let mut decoder = Decoder::new(limits);
    let mut described = 0;
    let mut saved: u64 = 0;
    loop {
        let mut held = None;
        match source.next() {
            Ok(Some(record)) => {
                let takes = wanted.is_empty()
                    || match decoder.decode(&record) {
                        Decoded::Segment(segment) => wanted
                            .iter()
                            .any(|wanted| wanted.takes(record.no, segment.src, segment.dst)),
                        Decoded::Other(_) => false,
                    };
                if !takes {
                    continue;
                }
                if (record.interface.0 as usize) < described {
                    writer.write(&record).map_err(cannot)?;
                } else {
                    held = Some((PacketRecord { bytes: &[], ..record }, record.bytes.to_vec()));
                }
                saved += 1;
            }
            // A recording that still grows ends in the middle of a packet; what there is was saved.
            Ok(None) | Err(_) => break,
        }
        if let Some((record, bytes)) = held {
            for (place, interface) in source.summary().interfaces.iter().enumerate().skip(described)
            {
                let id = InterfaceId(u32::try_from(place).unwrap_or(u32::MAX));
                writer.interface(id, interface).map_err(cannot)?;
                described += 1;
            }
            writer.write(&PacketRecord { bytes: &bytes, ..record }).map_err(cannot)?;
        }
    }
    let mut inner = writer.finish(&source.summary().interfaces).map_err(cannot)?;
    inner.flush().map_err(cannot)?;
    Ok(saved)
}
