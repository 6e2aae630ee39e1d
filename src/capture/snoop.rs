//! snoop files (RFC 1761).
//!
//! Gets: a [`Window`] at the file header. Gives: one record after the other, and the count of
//! drops that each record carries along.

use super::file::RawRecord;
use super::summary::{Format, Interface, Summary};
use super::window::{Halt, Order, Window};
use super::{Fault, InterfaceId, LinkType};
use crate::limits::Limits;
use crate::units::{PacketNo, Timestamp};

/// Reads the records of a snoop file.
#[derive(Debug)]
pub(super) struct Snoop {
    link: LinkType,
    limit: usize,
}

impl Snoop {
    pub(super) fn begin(
        window: &mut Window,
        summary: &mut Summary,
        limits: &Limits,
    ) -> Result<Self, Halt> {
        if !window.fill(FILE_HEADER) {
            return Err(window.cut(FILE_HEADER as u64));
        }
        let [_, _, version, datalink] = Order::Big.words(window.bytes()).unwrap_or_default();
        if version != 2 {
            return Err(Fault::Version { major: version, minor: 0 }.into());
        }
        let link = LinkType(match datalink {
            // IEEE 802.3 and Ethernet: the same header, a length or a type in its last field.
            0 | 4 => 1,
            2 => 6,
            8 => 10,
            other => return Err(Fault::SnoopLink(other).into()),
        });
        summary.format = Some(Format::Snoop);
        summary.interfaces.push(Interface::new(link));
        window.consume(FILE_HEADER);
        Ok(Self { link, limit: limits.record_bytes })
    }

    #[inline]
    pub(super) fn next(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
    ) -> Result<Option<RawRecord>, Halt> {
        if !window.fill(RECORD_HEADER) {
            return window.end(RECORD_HEADER);
        }
        let [original, captured, whole, drops, seconds, micros] =
            Order::Big.words(window.bytes()).unwrap_or_default();
        let len = whole as usize;
        if len.max(captured as usize) > self.limit.saturating_add(RECORD_HEADER + 3) {
            let len = u64::from(whole.max(captured));
            return Err(Fault::RecordLength { len, limit: self.limit as u64 }.into());
        }
        // RFC 1761: the record length counts its header, the packet and the padding.
        let end = RECORD_HEADER.saturating_add(captured as usize);
        if len < end {
            return Err(Fault::RecordTooShort { len: whole, captured }.into());
        }
        if !window.fill(len) {
            return Err(window.cut(len as u64));
        }
        if let Some(interface) = summary.interfaces.first_mut() {
            interface.dropped = drops.into();
            summary.dropped = drops.into();
        }
        let at = window.at();
        let time = i64::from(seconds) * 1_000_000_000 + i64::from(micros) * 1000;
        Ok(Some(RawRecord {
            no: PacketNo::default(),
            at,
            time: Some(Timestamp(time)),
            link: self.link,
            interface: InterfaceId(0),
            orig_len: original.max(captured),
            bytes: window.take(len, RECORD_HEADER..end),
        }))
    }
}

const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;

#[cfg(test)]
mod tests {
    use super::super::samples::{self, Found, read};
    use super::super::{CaptureError, Fault, LinkType};

    /// RFC 1761: identification, version 2, Ethernet; one packet of 5 bytes, 3 of them captured, a
    /// byte of padding, 9 drops before it, 1 s and 2 us.
    const FILE: [u8; 44] = [
        b's', b'n', b'o', b'o', b'p', 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, //
        0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, //
        0xaa, 0xbb, 0xcc, 0,
    ];

    #[test]
    fn a_record_with_padding_and_drops() {
        let mut source = samples::source(&FILE).unwrap();
        let (records, end) = samples::drain(&mut source);
        let bytes = vec![0xaa, 0xbb, 0xcc];
        let time = Some(1_000_002_000);
        assert_eq!(records, [Found { at: 16, time, link: LinkType(1), orig_len: 5, bytes }]);
        assert!(end.is_none());
        assert_eq!(source.summary().dropped, 9);
    }

    #[test]
    fn a_cut_anywhere_is_truncated() {
        for end in 1..FILE.len() {
            let (records, error) = read(&FILE[..end]);
            assert!(records.is_empty());
            if end != 16 {
                assert!(matches!(error, Some(CaptureError::Truncated { .. })), "{end}: {error:?}");
            }
        }
    }

    #[test]
    fn a_record_that_does_not_hold_its_packet_is_damaged() {
        let mut file = FILE;
        file[27] = 26;
        let error = read(&file).1;
        assert!(matches!(
            error,
            Some(CaptureError::Damaged {
                fault: Fault::RecordTooShort { len: 26, captured: 3 },
                ..
            })
        ));
    }
}
