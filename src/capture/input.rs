//! Inputs opened and unpacked.
//!
//! Gets: paths and `-`. Gives: a reader of the capture's own bytes, unpacked when the first bytes
//! are those of gzip, zstd or lz4, and a [`Progress`] that counts the bytes of the file.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::CaptureError;

/// Where a capture is read from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file, FIFO or device.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl From<OsString> for Input {
    /// `-` is standard input.
    fn from(arg: OsString) -> Self {
        if arg == "-" { Self::Stdin } else { Self::Path(arg.into()) }
    }
}

impl From<&str> for Input {
    fn from(arg: &str) -> Self {
        OsString::from(arg).into()
    }
}

impl fmt::Display for Input {
    /// The path, control characters escaped: it goes to terminals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path(path) = self else { return f.write_str("standard input") };
        if path.as_os_str().is_empty() {
            return f.write_str("\"\"");
        }
        for c in path.to_string_lossy().chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952), several members too.
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 frames.
    Lz4,
}

impl Compression {
    /// By the first four bytes.
    pub(crate) fn of(magic: &[u8]) -> Option<Self> {
        match *magic.first_chunk::<4>()? {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18] => Some(Self::Lz4),
            [..] => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        })
    }
}

/// How far the reading is, in bytes of the files as they are (compressed ones too). Cheap to clone
/// and to ask, from any thread.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Progress {
    /// Bytes read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes there were when the files were opened; `None` for what has no size, like a pipe.
    pub const fn total(&self) -> Option<u64> {
        self.total
    }

    /// A handle that counts into the same number, over all of several inputs.
    pub(super) fn with_total(&self, total: Option<u64>) -> Self {
        Self { read: Arc::clone(&self.read), total }
    }

    fn count(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back what a file counted that will be read again.
    pub(super) fn uncount(&self, bytes: u64) {
        self.read.fetch_sub(bytes.min(self.read()), Ordering::Relaxed);
    }
}

/// An opened input.
pub(super) struct Opened {
    /// The capture's bytes, unpacked.
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) compression: Option<Compression>,
    /// Its size, when it is a regular file: it can be opened again, and waiting for more of it
    /// costs nothing.
    pub(super) size: Option<u64>,
}

/// Opens a file or standard input, and sees to its compression.
pub(super) fn open(input: &Input, progress: &Progress) -> Result<Opened, CaptureError> {
    let failed = |source| CaptureError::Open { input: input.clone(), source };
    let file = match input {
        Input::Path(path) => File::open(path).map_err(failed)?,
        Input::Stdin => stdin().map_err(failed)?,
    };
    let meta = file.metadata().map_err(failed)?;
    if meta.is_dir() {
        return Err(CaptureError::Directory { input: input.clone() });
    }
    let size = meta.is_file().then_some(meta.len());
    let counted = Counted { inner: file, read: 0, size, progress: progress.clone() };
    let (reader, compression) = unpack(Box::new(counted)).map_err(failed)?;
    Ok(Opened { reader, compression, size })
}

/// Standard input without the standard library's buffer, so that its kind and size can be told.
#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

/// Puts the decoder before a reader whose first bytes ask for one.
pub(super) fn unpack(
    mut reader: Box<dyn Read + Send>,
) -> io::Result<(Box<dyn Read + Send>, Option<Compression>)> {
    let mut magic = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let compression = Compression::of(&magic);
    let whole = Cursor::new(magic).chain(reader);
    let unpacked: Box<dyn Read + Send> = match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => {
            let packed = BufReader::with_capacity(PACKED_BUFFER, whole);
            Box::new(flate2::bufread::MultiGzDecoder::new(packed))
        }
        Some(Compression::Zstd) => Box::new(zstd::Decoder::new(whole)?),
        Some(Compression::Lz4) => {
            let packed = BufReader::with_capacity(PACKED_BUFFER, Probe { inner: whole, zeros: 0 });
            Box::new(Lz4 { inner: Some(lz4_flex::frame::FrameDecoder::new(packed)) })
        }
    };
    Ok((unpacked, compression))
}

/// Counts what is read of a file, and notices when it ends before the size that it had.
struct Counted {
    inner: File,
    read: u64,
    size: Option<u64>,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buf)?;
        if got == 0
            && !buf.is_empty()
            && let Some(size) = self.size
            && self.read < size
        {
            return Err(io::Error::other(Shrank { size, now: self.read }));
        }
        self.read = self.read.saturating_add(got as u64);
        self.progress.count(got as u64);
        Ok(got)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the file shrank while it was read (from {size} to {now} bytes)")]
struct Shrank {
    size: u64,
    now: u64,
}

/// Several LZ4 frames, one after the other.
///
/// The decoder says "end" at the end of each frame, and also where its input ends between two
/// blocks of an unfinished frame. So at the end of the input it is given zeros: between frames it
/// takes them for a wrong magic number, inside one for the mark that ends a frame.
struct Lz4<R: Read> {
    /// A new one for each frame: the decoder sizes its buffers by the first frame alone.
    inner: Option<lz4_flex::frame::FrameDecoder<BufReader<Probe<R>>>>,
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        use io::BufRead;
        while let Some(mut decoder) = self.inner.take_if(|_| !buf.is_empty()) {
            match decoder.read(buf) {
                Ok(0) => {}
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                given => {
                    self.inner = Some(decoder);
                    return given;
                }
            }
            if decoder.get_mut().fill_buf()?.is_empty() {
                decoder.get_mut().get_mut().zeros = 7;
                return match decoder.read(buf) {
                    Err(error) if is_wrong_magic(&error) => Ok(0),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
            self.inner = Some(lz4_flex::frame::FrameDecoder::new(decoder.into_inner()));
        }
        Ok(0)
    }
}

fn is_wrong_magic(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<lz4_flex::frame::Error>());
    matches!(inner, Some(lz4_flex::frame::Error::WrongMagicNumber))
}

/// A reader that gives some zeros after its end.
struct Probe<R> {
    inner: R,
    zeros: usize,
}

impl<R: Read> Read for Probe<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.zeros == 0 {
            return self.inner.read(buf);
        }
        let n = self.zeros.min(buf.len());
        self.zeros -= n;
        buf.iter_mut().take(n).for_each(|b| *b = 0);
        Ok(n)
    }
}

/// Compressed bytes read at a time.
const PACKED_BUFFER: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    type Pack<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

    fn unpacked(bytes: Vec<u8>) -> (Vec<u8>, io::Result<usize>, Option<Compression>) {
        let (mut reader, compression) = unpack(Box::new(Cursor::new(bytes))).unwrap();
        let mut out = Vec::new();
        let result = reader.read_to_end(&mut out);
        (out, result, compression)
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_not_compressed_passes_as_it_is_however_short() {
        for bytes in [&b""[..], b"a", b"abcd", b"abcde"] {
            let (out, result, compression) = unpacked(bytes.to_vec());
            assert_eq!((out.as_slice(), result.unwrap(), compression), (bytes, bytes.len(), None));
        }
    }

    #[test]
    fn frames_and_members_one_after_the_other_are_one_content() {
        let data = b"0123456789".repeat(20_000);
        let zstd = |b: &[u8]| zstd::encode_all(b, 1).unwrap();
        let all: [(Pack<'_>, _); 3] =
            [(&gzip, Compression::Gzip), (&zstd, Compression::Zstd), (&lz4, Compression::Lz4)];
        for (pack, kind) in all {
            let packed = [pack(&data), pack(b"second")].concat();
            let (out, result, compression) = unpacked(packed);
            result.unwrap();
            assert_eq!(compression, Some(kind));
            assert_eq!(out, [&data[..], b"second"].concat(), "{kind}");
        }
    }

    #[test]
    fn a_cut_anywhere_is_unexpected_end_and_the_rest_is_a_prefix() {
        let data: Vec<u8> =
            (0..40_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        for (packed, kind) in [
            (gzip(&data), Compression::Gzip),
            (zstd::encode_all(&data[..], 1).unwrap(), Compression::Zstd),
            (lz4(&data), Compression::Lz4),
        ] {
            // 15 is the header of the first LZ4 block; the rest lie inside blocks and between them.
            let ends = (8..64).chain((64..packed.len()).step_by(4093)).chain([packed.len() - 4]);
            for end in ends {
                let (out, result, _) = unpacked(packed[..end].to_vec());
                let error = result.expect_err("cut");
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kind} at {end}: {error}");
                assert!(data.starts_with(&out), "{kind} at {end}");
            }
        }
    }

    #[test]
    fn names_with_control_characters_are_shown_escaped() {
        assert_eq!(Input::from("a\x1b[2Jb.pcap").to_string(), "a\\u{1b}[2Jb.pcap");
        assert_eq!(Input::from("").to_string(), "\"\"");
        assert_eq!(Input::from("-"), Input::Stdin);
    }
}
