//! The body of the fuzz target of the file readers; also run over samples by the tests.

use std::io::{self, Read};

use super::{Compression, FileSource, Format, Options, PacketSource, Summary};
use crate::limits::Limits;

/// Reads any bytes as a capture, twice: whole, and in small pieces, which must not differ.
///
/// # Panics
/// When a law is broken: that is what it is for.
pub fn fuzz_capture(data: &[u8]) {
    // Small, so that a lying length does not make the fuzzer slow.
    let limits = Limits { record_bytes: 1 << 16, ..Limits::default() };
    let (whole, summary) = digest(data, usize::MAX, &limits);
    let (pieces, again) = digest(data, 1 + data.len() % 7, &limits);
    // Where variants share a magic number, pieces are judged by less than the whole (two of them also
    // share a name); and a decoder that meets damage may have given more or less before it, by how much
    // it was asked for.
    let told = summary.format == again.format && summary.format != Some(Format::PcapModified);
    let packed = Compression::of(data).is_some();
    if told && !packed {
        assert_eq!(whole, pieces, "pieces change what is read");
    }
}

/// What was read: packets, a sum over what they say and hold, the error's text.
type Digest = (u64, u64, Option<String>);

fn digest(data: &[u8], piece: usize, limits: &Limits) -> (Digest, Summary) {
    let reader = Pieces(io::Cursor::new(data.to_vec()), piece);
    let options = Options { buffer_bytes: 1 << 12, ..Options::default() };
    let mut source = match FileSource::from_reader("fuzz", reader, limits, &options) {
        Ok(source) => source,
        Err(error) => return ((0, 0, Some(error.to_string())), Summary::default()),
    };
    let (mut packets, mut sum) = (0_u64, 0_u64);
    let error = loop {
        match source.next() {
            Ok(Some(record)) => {
                packets += 1;
                assert_eq!(record.no.number(), packets);
                assert!(record.bytes.len() <= limits.record_bytes);
                assert!(record.bytes.len() <= record.orig_len as usize);
                let time = record.time.map_or(1, |t| t.0.cast_unsigned());
                let parts = [record.at.0, time, record.link.0.into(), record.orig_len.into()];
                sum = parts.iter().fold(sum, |sum, part| sum.rotate_left(5) ^ part);
                sum = record.bytes.iter().fold(sum, |sum, &b| sum.rotate_left(5) ^ u64::from(b));
                // A compressed bomb has no end that is worth waiting for.
                if packets > 100_000 {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(error.is_none() || matches!(source.next(), Ok(None)), "an error is told once");
    let summary = source.summary().clone();
    assert!(summary.comments.len() <= Options::default().comments);
    ((packets, sum, error), summary)
}

/// Gives at most `.1` bytes at a time.
struct Pieces(io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.1);
        self.0.read(buf.get_mut(..n).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any one byte of a file changed to values that hurt: lengths, counts, types.
    #[test]
    fn one_byte_changed_anywhere_breaks_no_law() {
        let mut writer = super::super::PcapngWriter::new(Vec::new()).unwrap();
        let record = |bytes| super::super::PacketRecord {
            no: crate::units::PacketNo(1),
            at: crate::units::FileOffset(0),
            time: Some(crate::units::Timestamp(1_700_000_000_000_000_000)),
            link: super::super::LinkType(1),
            interface: super::super::InterfaceId(0),
            orig_len: 100,
            bytes,
        };
        writer.write(&record(b"one")).unwrap();
        writer.write_commented(&record(b"second"), &["comment"]).unwrap();
        writer.secrets(&super::super::Secrets { kind: 1, data: b"key".to_vec() }).unwrap();
        let file =
            writer.finish(&[super::super::Interface::new(super::super::LinkType(1))]).unwrap();
        fuzz_capture(&file);
        for at in 0..file.len() {
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] = value;
                fuzz_capture(&changed);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_behind_every_magic_break_no_law() {
        let magics: [&[u8]; 10] = [
            b"",
            b"snoop\0\0\0\0\0\0\x02\0\0\0\x04",
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0",
            b"\xa1\xb2\xc3\xd4\0\x02\0\x04",
            b"\x4d\x3c\xb2\xa1\x02\0\x04\0",
            b"\x34\xcd\xb2\xa1\x02\0\x04\0",
            &super::super::samples::SECTION,
            b"\x1f\x8b\x08\0",
            b"\x28\xb5\x2f\xfd",
            b"\x04\x22\x4d\x18",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..200_usize {
            for magic in magics {
                let noise = (0..round).map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Mostly small numbers: they get further into the readers.
                    if state >> 61 < 5 { 0 } else { state.to_le_bytes()[4] }
                });
                fuzz_capture(&magic.iter().copied().chain(noise).collect::<Vec<_>>());
            }
        }
    }
}
