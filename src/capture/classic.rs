//! pcap files (draft-ietf-opsawg-pcap), with the variants that share their magic numbers.
//!
//! Gets: a [`Window`] at the file header. Gives: one record after the other. Keeps: what the file
//! header says. Read by hand, because record headers come in five lengths and a crate for the
//! usual one would still leave four.
//!
//! ```text
//!  16  seconds, fraction, captured length, original length
//!  20  ... and 4 bytes of Nokia's
//!  24  ... and interface, protocol, packet type   (libpcap patched by Kuznetzov, 1999-04-17, 1999-10-29)
//!  28  ... and two processor numbers              (the same, 1999-09-15)
//! ```

use super::file::RawRecord;
use super::summary::{Format, Interface, Summary};
use super::window::{Halt, Order, Window};
use super::{Fault, InterfaceId, LinkType, PacketRecord};
use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// Reads the records of a pcap file.
#[derive(Debug)]
pub(super) struct Classic {
    order: Order,
    link: LinkType,
    /// Nanoseconds in a unit of the fraction.
    unit: i64,
    /// Length of a record header; `None` until the first record is looked at.
    header: Option<usize>,
    /// Header lengths that this magic number may mean.
    candidates: &'static [usize],
    /// Files of versions before 2.3 have the two lengths the other way round.
    lengths: Lengths,
    /// What a length may be to be believed when the variant is told.
    usual: u32,
    /// What a length may be to be read at all.
    limit: usize,
    /// More than the buffer holds may be waited for: it is a file, not a pipe.
    patient: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// Version 2.3: programs disagree, so the smaller is the captured one.
    SmallerIsCaptured,
}

impl Classic {
    pub(super) fn begin(
        window: &mut Window,
        summary: &mut Summary,
        patient: bool,
        limits: &Limits,
    ) -> Result<Self, Halt> {
        if !window.fill(FILE_HEADER) {
            return Err(window.cut(FILE_HEADER as u64));
        }
        let bytes = window.bytes();
        let order = match bytes.first() {
            Some(0xa1) => Order::Big,
            _ => Order::Little,
        };
        let [magic, version, _zone, _accuracy, snaplen, network] =
            order.words(bytes).unwrap_or_default();
        let (format, unit, candidates): (_, _, &[usize]) = match magic {
            0xa1b2_3c4d => (Format::PcapNano, 1, &[16]),
            0xa1b2_cd34 => (Format::PcapModified, 1000, &[24, 28]),
            _ => (Format::Pcap, 1000, &[16, 20, 24]),
        };
        let (major, minor) = match order {
            Order::Little => (version & 0xffff, version >> 16),
            Order::Big => (version >> 16, version & 0xffff),
        };
        // libpcap reads version 2 only; there never was another in the wild.
        if major != 2 {
            return Err(Fault::Version { major, minor }.into());
        }
        // The upper half holds flags (the length of a frame check sequence), not the type.
        let link = LinkType(u16::try_from(network & 0xffff).unwrap_or_default());
        summary.format = Some(format);
        summary.interfaces.push(Interface { snaplen, ..Interface::new(link) });
        window.consume(FILE_HEADER);
        Ok(Self {
            order,
            link,
            unit,
            header: None,
            candidates,
            lengths: match minor {
                0..3 => Lengths::OriginalFirst,
                3 => Lengths::SmallerIsCaptured,
                _ => Lengths::CapturedFirst,
            },
            usual: snaplen.clamp(USUAL_SNAPLEN, 16 << 20),
            limit: limits.record_bytes,
            patient,
        })
    }

    #[inline]
    pub(super) fn next(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
    ) -> Result<Option<RawRecord>, Halt> {
        let header = match self.header {
            Some(header) => header,
            None => self.tell_variant(window, summary),
        };
        if !window.fill(header) {
            return window.end(header);
        }
        let words: [u32; 4] = self.order.words(window.bytes()).unwrap_or_default();
        let (captured, original) = self.lengths(words);
        let len = captured as usize;
        if len > self.limit {
            return Err(self.too_long(captured));
        }
        let whole = header.saturating_add(len);
        if !window.fill(whole) {
            return Err(window.cut(whole as u64));
        }
        let at = window.at();
        let bytes = window.take(whole, header..whole);
        Ok(Some(RawRecord {
            no: PacketNo::default(),
            at,
            time: Some(self.time(words)),
            link: self.link,
            interface: InterfaceId(0),
            orig_len: original.max(captured),
            bytes,
        }))
    }

    /// The record at the front, when it is all there and as it should be; and what follows it.
    #[inline]
    pub(super) fn split<'a>(&self, bytes: &'a [u8]) -> Option<(PacketRecord<'a>, &'a [u8])> {
        let header = self.header?;
        let words: [u32; 4] = self.order.words(bytes)?;
        let (captured, original) = self.lengths(words);
        let len = captured as usize;
        if len > self.limit {
            return None;
        }
        let (_, rest) = bytes.split_at_checked(header)?;
        let (bytes, rest) = rest.split_at_checked(len)?;
        let record = PacketRecord {
            no: PacketNo::default(),
            at: FileOffset::default(),
            time: Some(self.time(words)),
            link: self.link,
            interface: InterfaceId(0),
            orig_len: original.max(captured),
            bytes,
        };
        Some((record, rest))
    }

    #[inline]
    fn time(&self, [seconds, fraction, _, _]: [u32; 4]) -> Timestamp {
        // At most 2^32 seconds and 2^32 microseconds: far below 2^63 nanoseconds.
        Timestamp(i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.unit)
    }

    #[cold]
    fn too_long(&self, captured: u32) -> Halt {
        Fault::RecordLength { len: captured.into(), limit: self.limit as u64 }.into()
    }

    /// Captured and original length.
    #[inline]
    fn lengths(&self, [_, _, first, second]: [u32; 4]) -> (u32, u32) {
        match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::OriginalFirst => (second, first),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
        }
    }

    /// Several variants have one magic number: the header length with which most records in a row
    /// make sense is the right one, as Wireshark decides too. In doubt it is the usual one.
    #[cold]
    fn tell_variant(&mut self, window: &mut Window, summary: &mut Summary) -> usize {
        let usual = self.candidates.first().copied().unwrap_or(16);
        if self.candidates.len() > 1 {
            self.look_ahead(window, usual);
        }
        let mut best = (usual, 0);
        for &header in self.candidates {
            let run = self.run(window.bytes(), header);
            if run > best.1 {
                best = (header, run);
            }
        }
        let (header, _) = best;
        match (summary.format, header) {
            (Some(Format::Pcap), 20) => summary.format = Some(Format::PcapNokia),
            (Some(Format::Pcap), 24) => summary.format = Some(Format::PcapModified),
            _ => {}
        }
        self.header = Some(header);
        header
    }

    /// Brings in what there is to judge by. A pipe is not waited for beyond its first record, or
    /// that would not be shown before the second comes.
    fn look_ahead(&self, window: &mut Window, header: usize) {
        if self.patient {
            window.fill(LOOK_AHEAD);
        } else if window.fill(header) {
            let words = self.order.words(window.bytes()).unwrap_or_default();
            let captured = self.lengths(words).0.min(self.usual);
            window.fill(header.saturating_add(captured as usize));
        }
    }

    /// How many records in a row make sense with this header length.
    fn run(&self, mut bytes: &[u8], header: usize) -> usize {
        let mut count = 0;
        while count < RUN {
            let Some(words) = self.order.words::<4>(bytes) else { break };
            let [_, fraction, _, _] = words;
            let (captured, original) = self.lengths(words);
            let fits = captured <= self.usual && captured <= original && fraction < 1_000_000;
            if !fits || bytes.len() < header {
                break;
            }
            count += 1;
            let whole = header.saturating_add(captured as usize);
            let Some(rest) = bytes.get(whole..) else { break };
            bytes = rest;
        }
        count
    }
}

const FILE_HEADER: usize = 24;
/// Records looked at to tell the variant.
const RUN: usize = 8;
/// Bytes looked at for that.
const LOOK_AHEAD: usize = 64 << 10;
/// What libpcap and Wireshark take for the greatest snapshot length of usual links.
const USUAL_SNAPLEN: u32 = 262_144;

#[cfg(test)]
mod tests {
    use super::super::samples::{self, Found, read, read_slowly};
    use super::super::{CaptureError, Format, LinkType};

    const LITTLE: [u8; 24] =
        [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    /// 1 s and 2 units of the fraction, 3 of 5 bytes captured.
    const RECORD: [u8; 19] = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0xaa, 0xbb, 0xcc];

    fn one(time: i64) -> Vec<Found> {
        vec![Found {
            at: 24,
            time: Some(time),
            link: LinkType(1),
            orig_len: 5,
            bytes: vec![0xaa, 0xbb, 0xcc],
        }]
    }

    #[test]
    fn microseconds_in_little_endian_order() {
        let (records, end) = read(&[&LITTLE[..], &RECORD].concat());
        assert_eq!(records, one(1_000_002_000));
        assert!(end.is_none());
    }

    #[test]
    fn nanoseconds_in_little_endian_order() {
        let mut file = [&LITTLE[..], &RECORD].concat();
        file[..4].copy_from_slice(&[0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(read(&file).0, one(1_000_000_002));
    }

    #[test]
    fn both_resolutions_in_big_endian_order() {
        let mut file = vec![
            0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0,
            1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0xaa, 0xbb, 0xcc,
        ];
        assert_eq!(read(&file).0, one(1_000_002_000));
        file[2..4].copy_from_slice(&[0x3c, 0x4d]);
        assert_eq!(read(&file).0, one(1_000_000_002));
    }

    #[test]
    fn modified_records_have_eight_bytes_more_in_either_order() {
        let mut file = [&LITTLE[..], &RECORD[..16], &[7; 8], &RECORD[16..]].concat();
        file[..4].copy_from_slice(&[0x34, 0xcd, 0xb2, 0xa1]);
        assert_eq!(read(&file).0, one(1_000_002_000));
        let big = [
            0xa1, 0xb2, 0xcd, 0x34, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0,
            1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 7, 7, 7, 7, 7, 7, 7, 7, 0xaa, 0xbb,
            0xcc,
        ];
        assert_eq!(read(&big).0, one(1_000_002_000));
    }

    #[test]
    fn variants_with_the_usual_magic_are_told_by_their_records() {
        for (extra, format) in
            [(0, Format::Pcap), (4, Format::PcapNokia), (8, Format::PcapModified)]
        {
            let record = [&RECORD[..16], &vec![0x20; extra], &RECORD[16..]].concat();
            let file = [&LITTLE[..], &record, &record, &record].concat();
            let mut source = samples::source(&file).unwrap();
            let found = samples::drain(&mut source);
            assert!(found.1.is_none());
            assert_eq!(found.0.len(), 3);
            assert!(found.0.iter().all(|r| r.bytes == [0xaa, 0xbb, 0xcc]), "{format:?}");
            assert_eq!(source.summary().format, Some(format));
        }
    }

    #[test]
    fn a_pipe_gives_its_first_record_before_the_second_comes() {
        let file = [&LITTLE[..], &RECORD].concat();
        let mut source = samples::stuck_after(&file);
        let record = super::super::PacketSource::next(&mut source).unwrap().unwrap();
        assert_eq!(record.bytes, [0xaa, 0xbb, 0xcc]);
    }

    #[test]
    fn a_cut_anywhere_gives_the_whole_records_before_it_and_says_where_it_is() {
        let file = [&LITTLE[..], &RECORD, &RECORD, &RECORD].concat();
        for end in 1..file.len() {
            let (records, error) = read(&file[..end]);
            assert_eq!(records.len(), end.saturating_sub(24) / 19, "cut at {end}");
            if end >= 24 && (end - 24) % 19 == 0 {
                assert!(error.is_none(), "cut at {end}");
                continue;
            }
            let at = if end < 24 { 0 } else { end - (end - 24) % 19 };
            match error {
                Some(CaptureError::Truncated { packet, at: is, has, .. }) => {
                    assert_eq!((is.0, has), (at as u64, (end - at) as u64), "cut at {end}");
                    assert_eq!(packet.0, records.len() as u64 + 1);
                }
                other => panic!("cut at {end}: {other:?}"),
            }
        }
    }

    #[test]
    fn lengths_of_a_version_before_2_3_are_the_other_way_round() {
        let mut file = [&LITTLE[..], &RECORD].concat();
        file[6] = 2;
        file[24 + 8] = 5;
        file[24 + 12] = 3;
        assert_eq!(read(&file).0, one(1_000_002_000));
    }

    #[test]
    fn flags_above_the_link_type_are_no_part_of_it() {
        let mut file = [&LITTLE[..], &RECORD].concat();
        file[23] = 0x24;
        assert_eq!(read(&file).0, one(1_000_002_000));
    }

    #[test]
    fn a_length_of_four_gigabytes_is_an_error_that_says_so() {
        let mut file = [&LITTLE[..], &RECORD, &RECORD].concat();
        file[24 + 19 + 8..24 + 19 + 12].copy_from_slice(&[0xff; 4]);
        let (records, error) = read(&file);
        assert_eq!(records, one(1_000_002_000));
        assert_eq!(
            error.unwrap().to_string(),
            "sample: packet 2, offset 0x2b: record claims 4294967295 bytes, more than the 16777216 \
             that are believed of one packet"
        );
    }

    #[test]
    fn records_at_hand_are_those_that_come_one_by_one() {
        let file = [&LITTLE[..], &RECORD, &RECORD, &RECORD, &RECORD, &RECORD[..7]].concat();
        samples::check_at_hand(&file);
    }

    #[test]
    fn one_byte_at_a_time_gives_the_same() {
        let file = [&LITTLE[..], &RECORD, &RECORD, &RECORD[..7]].concat();
        let (fast, slow) = (read(&file), read_slowly(&file));
        assert_eq!(fast.0, slow.0);
        assert_eq!(fast.1.unwrap().to_string(), slow.1.unwrap().to_string());
    }
}
