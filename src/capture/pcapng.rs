//! pcapng files (draft-ietf-opsawg-pcapng).
//!
//! Gets: a [`Window`] at a section header. Gives: one packet after the other; descriptions,
//! statistics, comments and secrets go to the [`Summary`]. Keeps: the interfaces of the section.
//!
//! Blocks that come once or seldom are parsed by pcap-parser. Packet blocks are read here: its
//! parser makes a list of options per block, which costs more than all the rest of a packet.
//!
//! ```text
//!  block: type | length | ... | length      everything padded to 4 bytes, in the section's order
//!  EPB 6:   interface | time high | time low | captured | original | packet | options
//!  PB  2:   interface, drops | (the same)
//!  SPB 3:   original | packet
//! ```

use pcap_parser::nom::error::Error as NomError;
use pcap_parser::{
    OptionCode, PcapNGOption, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_interfacestatisticsblock_be,
    parse_interfacestatisticsblock_le, parse_option_be, parse_option_le,
    parse_sectionheaderblock_be, parse_sectionheaderblock_le,
};

use super::SecretsListener;
use super::file::RawRecord;
use super::summary::{Comment, Format, Interface, Secrets, Summary};
use super::window::{Halt, Order, Window};
use super::{Fault, InterfaceId, LinkType, Listener, Options, PacketRecord};
use crate::limits::Limits;
use crate::units::{FileOffset, PacketNo, Timestamp};

/// Reads the blocks of a pcapng file.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    /// Of this section: its packets name them by their place here.
    interfaces: Vec<Described>,
    /// Where the block that is being read starts.
    block_at: FileOffset,
    limit: usize,
    comments: usize,
    pub(super) listener: Option<Listener>,
    /// Bytes of secrets that may still be kept.
    secrets: usize,
    keeper: Option<SecretsListener>,
    /// Sections read.
    sections: u64,
    several: Several,
}

/// Is it to be told that a section has more than one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Several {
    /// It does not matter.
    Ignored,
    Awaited,
    Found,
}

/// What the packets of an interface need to be read.
#[derive(Debug, Clone, Copy)]
struct Described {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    /// Its place in the summary.
    id: InterfaceId,
    /// Losses that its packets told of, where no statistics do.
    drops: u64,
}

impl Pcapng {
    pub(super) fn begin(
        window: &mut Window,
        summary: &mut Summary,
        sorted: bool,
        limits: &Limits,
        options: &Options,
    ) -> Result<Self, Halt> {
        let mut reader = Self {
            order: Order::Little,
            interfaces: Vec::new(),
            block_at: window.at(),
            limit: limits.record_bytes,
            comments: options.comments,
            listener: options.listener.clone(),
            secrets: limits.record_bytes,
            keeper: options.secrets.clone(),
            sections: 0,
            several: if sorted { Several::Awaited } else { Several::Ignored },
        };
        if !window.fill(BLOCK_MIN) {
            return Err(window.cut(BLOCK_MIN as u64));
        }
        reader.section(window, summary)?;
        summary.format = Some(Format::Pcapng);
        Ok(reader)
    }

    /// It stopped, once, where a section has a second interface: from here on packets may be out of order.
    pub(super) fn has_several(&self) -> bool {
        self.several == Several::Found
    }

    /// Which section it reads.
    pub(super) const fn section_no(&self) -> u64 {
        self.sections
    }

    /// How many interfaces the section has.
    pub(super) const fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Where the block starts that was read last: the place of an error.
    pub(super) fn block_at(&self) -> FileOffset {
        self.block_at
    }

    #[inline]
    pub(super) fn next(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
    ) -> Result<Option<RawRecord>, Halt> {
        loop {
            self.block_at = window.at();
            if !window.fill(BLOCK_MIN) {
                return window.end(BLOCK_MIN);
            }
            let [kind, len] = self.order.words(window.bytes()).unwrap_or_default();
            match kind {
                ENHANCED => {
                    return self.packet(window, summary, len, PacketKind::Enhanced).map(Some);
                }
                SIMPLE => return self.simple(window, len).map(Some),
                OBSOLETE => {
                    return self.packet(window, summary, len, PacketKind::Obsolete).map(Some);
                }
                SECTION => self.section(window, summary)?,
                INTERFACE => {
                    self.interface(window, summary, len)?;
                    if self.interfaces.len() > 1 && self.several == Several::Awaited {
                        self.several = Several::Found;
                        return Ok(None);
                    }
                }
                STATISTICS if within(len, SMALL_BLOCK) => self.statistics(window, summary, len)?,
                SECRETS if within(len, self.limit) => self.secrets(window, summary, len)?,
                _ => self.skip(window, len)?,
            }
        }
    }

    /// The packet at the front, when its block is all there, as it should be, and tells of nothing but
    /// the packet; and what follows it.
    #[inline]
    pub(super) fn split<'a>(&self, bytes: &'a [u8]) -> Option<(PacketRecord<'a>, &'a [u8])> {
        let [kind, len, id, high, low, captured, original] = self.order.words(bytes)?;
        if kind != ENHANCED || !len.is_multiple_of(4) || captured as usize > self.limit {
            return None;
        }
        let (block, rest) = bytes.split_at_checked(len as usize)?;
        let (bytes, behind) = block.get(PACKET_HEAD..)?.split_at_checked(captured as usize)?;
        // Padding and the length again, but no options.
        if behind.len() >= 8 || self.order.u32(*behind.last_chunk()?) != len {
            return None;
        }
        let interface = self.interfaces.get(id as usize)?;
        let record = PacketRecord {
            no: PacketNo::default(),
            at: FileOffset::default(),
            time: Some(interface.clock.time(high, low)),
            link: interface.link,
            interface: interface.id,
            orig_len: original.max(captured),
            bytes,
        };
        Some((record, rest))
    }

    /// An Enhanced Packet Block, or the obsolete Packet Block, which differs in its first field.
    #[inline]
    fn packet(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
        len: u32,
        kind: PacketKind,
    ) -> Result<RawRecord, Halt> {
        self.whole(window, len, PACKET_MIN)?;
        let Some(block) = window.bytes().get(..len as usize) else {
            return Err(window.cut(len.into()));
        };
        let [_, _, first, high, low, captured, original] =
            self.order.words(block).unwrap_or_default();
        let (id, drops) = match (kind, self.order) {
            (PacketKind::Enhanced, _) => (first, 0),
            (PacketKind::Obsolete, Order::Little) => (first & 0xffff, first >> 16),
            (PacketKind::Obsolete, Order::Big) => (first >> 16, first & 0xffff),
        };
        // Padding is read generously: some writers leave it out.
        if captured > len - PACKET_MIN {
            return Err(Fault::PacketLength { captured, len }.into());
        }
        self.believe(captured)?;
        let count = self.interfaces.len();
        let Some(interface) = self.interfaces.get(id as usize) else {
            return Err(Fault::NoInterface { id, count }.into());
        };
        let record = RawRecord {
            no: PacketNo::default(),
            at: self.block_at,
            time: Some(interface.clock.time(high, low)),
            link: interface.link,
            interface: interface.id,
            orig_len: original.max(captured),
            bytes: 0..0,
        };
        // Both lengths are below the length of a block that is there, so the sums do not overflow.
        let end = PACKET_HEAD + captured as usize;
        let options = end.next_multiple_of(4)..len as usize - 4;
        let has_options = options.end > options.start;
        if (has_options || drops != 0)
            && let Some(options) = block.get(options).or(Some(&[]))
        {
            self.packet_options(options, id, drops, summary);
        }
        Ok(RawRecord { bytes: window.take(len as usize, PACKET_HEAD..end), ..record })
    }

    /// A Simple Packet Block: of the first interface, cut by its snapshot length, without a time.
    fn simple(&mut self, window: &mut Window, len: u32) -> Result<RawRecord, Halt> {
        self.whole(window, len, SIMPLE_MIN)?;
        let [_, _, original] = self.order.words(window.bytes()).unwrap_or_default();
        let Some(&interface) = self.interfaces.first() else {
            return Err(Fault::NoInterface { id: 0, count: 0 }.into());
        };
        let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        let captured = original.min(snaplen).min(len - SIMPLE_MIN);
        self.believe(captured)?;
        let end = SIMPLE_HEAD + captured as usize;
        Ok(RawRecord {
            no: PacketNo::default(),
            at: self.block_at,
            time: None,
            link: interface.link,
            interface: interface.id,
            orig_len: original,
            bytes: window.take(len as usize, SIMPLE_HEAD..end),
        })
    }

    /// Sees that a packet's block can be one, and is there as a whole.
    #[inline]
    fn whole(&self, window: &mut Window, len: u32, least: u32) -> Result<(), Halt> {
        if len < least || !len.is_multiple_of(4) {
            return Err(Fault::BlockLength { len }.into());
        }
        if len as usize > self.limit.saturating_add(SMALL_BLOCK) {
            let limit = self.limit as u64;
            return Err(Fault::RecordLength { len: u64::from(len - least), limit }.into());
        }
        if !window.fill(len as usize) {
            return Err(window.cut(len.into()));
        }
        self.trailer(window, len)
    }

    /// The length is repeated at the end of a block.
    #[inline]
    fn trailer(&self, window: &Window, len: u32) -> Result<(), Halt> {
        let end = window.bytes().get(..len as usize).and_then(<[u8]>::last_chunk::<4>);
        let trailer = self.order.u32(*end.unwrap_or(&[0; 4]));
        if trailer == len { Ok(()) } else { Err(Fault::BlockTrailer { len, trailer }.into()) }
    }

    #[inline]
    fn believe(&self, captured: u32) -> Result<(), Halt> {
        if captured as usize <= self.limit {
            return Ok(());
        }
        Err(Fault::RecordLength { len: captured.into(), limit: self.limit as u64 }.into())
    }

    /// Comments and losses that come with a packet.
    #[cold]
    fn packet_options(&mut self, mut bytes: &[u8], id: u32, mut drops: u32, summary: &mut Summary) {
        // 0xffff in the obsolete block: not known.
        if drops == 0xffff {
            drops = 0;
        }
        let mut lost = u64::from(drops);
        let no = PacketNo(summary.packets.saturating_add(1));
        let parse = match self.order {
            Order::Little => parse_option_le::<NomError<&[u8]>>,
            Order::Big => parse_option_be::<NomError<&[u8]>>,
        };
        while let Ok((rest, option)) = parse(bytes) {
            bytes = rest;
            match option.code {
                OptionCode::EndOfOpt => break,
                OptionCode::Comment => self.comment(summary, Some(no), &option),
                EPB_DROPCOUNT => lost = lost.saturating_add(self.number(&option).unwrap_or(0)),
                _ => {}
            }
        }
        if let Some(interface) = self.interfaces.get_mut(id as usize).filter(|_| lost > 0) {
            interface.drops = interface.drops.saturating_add(lost);
            let (place, drops) = (interface.id, interface.drops);
            set_drops(summary, place, drops);
        }
    }

    /// A section header: everything after it is in its byte order, with interfaces of its own.
    #[cold]
    fn section(&mut self, window: &mut Window, summary: &mut Summary) -> Result<(), Halt> {
        let magic = window.bytes().get(8..12).and_then(<[u8]>::first_chunk::<4>);
        self.order = match magic {
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
            other => {
                let magic = u32::from_be_bytes(*other.unwrap_or(&[0; 4]));
                return Err(Fault::ByteOrder { magic }.into());
            }
        };
        let [_, len] = self.order.words(window.bytes()).unwrap_or_default();
        self.described(window, len, SECTION_MIN)?;
        self.interfaces.clear();
        let block = window.bytes().get(..len as usize).unwrap_or_default();
        let parsed = match self.order {
            Order::Little => parse_sectionheaderblock_le(block),
            Order::Big => parse_sectionheaderblock_be(block),
        };
        let Ok((_, header)) = parsed else { return Err(Fault::BlockLength { len }.into()) };
        // The draft: a reader that meets another major version cannot go on.
        if header.major_version != 1 {
            let (major, minor) = (header.major_version.into(), header.minor_version.into());
            return Err(Fault::Version { major, minor }.into());
        }
        let set = |slot: &mut Option<String>, code: u16| {
            *slot = slot.take().or_else(|| text(&header.options, code));
        };
        set(&mut summary.hardware, 2);
        set(&mut summary.os, 3);
        set(&mut summary.application, 4);
        for option in header.options.iter().filter(|o| o.code == OptionCode::Comment) {
            self.comment(summary, None, option);
        }
        self.sections += 1;
        window.consume(len as usize);
        Ok(())
    }

    /// An interface description.
    #[cold]
    fn interface(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
        len: u32,
    ) -> Result<(), Halt> {
        self.described(window, len, INTERFACE_MIN)?;
        if self.interfaces.len() >= INTERFACES {
            return Err(Fault::Interfaces { limit: INTERFACES }.into());
        }
        let block = window.bytes().get(..len as usize).unwrap_or_default();
        let parsed = match self.order {
            Order::Little => parse_interfacedescriptionblock_le(block),
            Order::Big => parse_interfacedescriptionblock_be(block),
        };
        let Ok((_, header)) = parsed else { return Err(Fault::BlockLength { len }.into()) };
        let options = &header.options;
        let find = |code| options.iter().find(|o| o.code == OptionCode(code));
        let link = LinkType(u16::try_from(header.linktype.0).unwrap_or_default());
        let offset = find(14).and_then(|o| self.number(o)).map_or(0, u64::cast_signed);
        let resolution = find(9).and_then(|o| o.as_bytes().ok()?.first().copied());
        let described = Interface {
            snaplen: header.snaplen,
            name: text(options, 2),
            description: text(options, 3),
            // One byte tells the filter's kind; 0 is the text that libpcap takes.
            filter: text(options, 11).and_then(|t| Some(t.strip_prefix('\0')?.to_owned())),
            hardware: text(options, 15),
            ..Interface::new(link)
        };
        for option in options.iter().filter(|o| o.code == OptionCode::Comment) {
            self.comment(summary, None, option);
        }
        // A file made of sections without end would grow the summary: the last stands for the rest.
        if summary.interfaces.len() < INTERFACES {
            summary.interfaces.push(described);
        }
        let id = InterfaceId(u32::try_from(summary.interfaces.len() - 1).unwrap_or(u32::MAX));
        let clock = Clock::new(resolution.unwrap_or(6), offset);
        self.interfaces.push(Described { link, snaplen: header.snaplen, clock, id, drops: 0 });
        window.consume(len as usize);
        Ok(())
    }

    /// Interface statistics: the last ones count.
    #[cold]
    fn statistics(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
        len: u32,
    ) -> Result<(), Halt> {
        self.described(window, len, BLOCK_LEAST)?;
        let block = window.bytes().get(..len as usize).unwrap_or_default();
        let parsed = match self.order {
            Order::Little => parse_interfacestatisticsblock_le(block),
            Order::Big => parse_interfacestatisticsblock_be(block),
        };
        // Too short for its own fields, or of an interface that is not there: nothing to learn, and
        // the packets do not depend on it.
        if let Ok((_, header)) = parsed
            && let Some(interface) = self.interfaces.get(header.if_id as usize)
        {
            let find = |code| header.options.iter().find(|o| o.code == OptionCode(code));
            let number = |code| find(code).and_then(|o| self.number(o));
            let drops = number(5).unwrap_or(0).saturating_add(number(7).unwrap_or(0));
            let place = interface.id;
            if let Some(known) = summary.interfaces.get_mut(place.0 as usize) {
                known.received = number(4).or(known.received);
            }
            set_drops(summary, place, drops.max(interface.drops));
            for option in header.options.iter().filter(|o| o.code == OptionCode::Comment) {
                self.comment(summary, None, option);
            }
        }
        window.consume(len as usize);
        Ok(())
    }

    /// Decryption secrets: kept as they are, for whoever decrypts.
    #[cold]
    fn secrets(
        &mut self,
        window: &mut Window,
        summary: &mut Summary,
        len: u32,
    ) -> Result<(), Halt> {
        self.described(window, len, BLOCK_LEAST)?;
        let block = window.bytes().get(..len as usize).unwrap_or_default();
        let [_, _, kind, size] = self.order.words(block).unwrap_or_default();
        let data = block.get(16..).and_then(|rest| rest.get(..size as usize));
        if let Some(data) = data.filter(|data| data.len() <= self.secrets && !data.is_empty()) {
            self.secrets -= data.len();
            let secrets = Secrets { kind, data: data.to_vec() };
            if let Some(keeper) = &self.keeper {
                (keeper.0)(&secrets);
            }
            summary.secrets.push(secrets);
        }
        window.consume(len as usize);
        Ok(())
    }

    /// Any other block is skipped by its length, however long.
    #[cold]
    fn skip(&self, window: &mut Window, len: u32) -> Result<(), Halt> {
        if len < BLOCK_LEAST || !len.is_multiple_of(4) {
            return Err(Fault::BlockLength { len }.into());
        }
        let content = u64::from(len) - 4;
        let cut = |halt| match halt {
            Halt::Cut { has, .. } => Halt::Cut { needs: len.into(), has },
            other => other,
        };
        window.skip(content).map_err(cut)?;
        if !window.fill(4) {
            let has = window.bytes().len() as u64;
            return Err(match window.cut(4) {
                Halt::Cut { .. } => {
                    Halt::Cut { needs: len.into(), has: content.saturating_add(has) }
                }
                other => other,
            });
        }
        let [trailer] = self.order.words(window.bytes()).unwrap_or_default();
        if trailer != len {
            return Err(Fault::BlockTrailer { len, trailer }.into());
        }
        window.consume(4);
        Ok(())
    }

    /// Sees that a block that is parsed as a whole can be what it says, and is there.
    fn described(&self, window: &mut Window, len: u32, least: u32) -> Result<(), Halt> {
        if len < least || !len.is_multiple_of(4) {
            return Err(Fault::BlockLength { len }.into());
        }
        let limit = self.limit.max(SMALL_BLOCK);
        if len as usize > limit {
            return Err(Fault::BlockTooLong { len, limit: limit as u64 }.into());
        }
        if !window.fill(len as usize) {
            return Err(window.cut(len.into()));
        }
        self.trailer(window, len)
    }

    fn comment(&self, summary: &mut Summary, packet: Option<PacketNo>, option: &PcapNGOption<'_>) {
        if summary.comments.len() >= self.comments && self.listener.is_none() {
            return;
        }
        let Ok(bytes) = option.as_bytes() else { return };
        let text = String::from_utf8_lossy(bytes);
        if let Some(listener) = &self.listener {
            (listener.0)(&text);
        }
        if summary.comments.len() < self.comments {
            summary.comments.push(Comment { packet, text: text.into_owned() });
        }
    }

    /// An option of 8 bytes, in the section's order.
    fn number(&self, option: &PcapNGOption<'_>) -> Option<u64> {
        Some(self.order.u64(*option.as_bytes().ok()?.first_chunk()?))
    }
}

#[derive(Debug, Clone, Copy)]
enum PacketKind {
    Enhanced,
    Obsolete,
}

/// From an interface's units to nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    scale: Scale,
    /// Nanoseconds to add (`if_tsoffset`).
    offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// 10^-9 s and coarser.
    Times(u64),
    /// Finer than nanoseconds.
    Over(u64),
    /// 2^-n s.
    Binary(u8),
}

impl Clock {
    /// `if_tsresol`: the exponent, of 2 when the top bit is set, else of 10.
    fn new(resolution: u8, offset: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let scale = match (resolution & 0x80, exponent) {
            (0, 0..=9) => Scale::Times(10_u64.pow(9 - exponent)),
            // Finer than 10^-28 s no 64-bit count reaches a nanosecond.
            (0, _) => Scale::Over(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX)),
            _ => Scale::Binary(resolution & 0x7f),
        };
        Self { scale, offset: offset.saturating_mul(1_000_000_000) }
    }

    #[inline]
    fn time(self, high: u32, low: u32) -> Timestamp {
        let count = u64::from(high) << 32 | u64::from(low);
        let nanos = match self.scale {
            Scale::Times(factor) => count.saturating_mul(factor),
            Scale::Over(divisor) => count / divisor,
            Scale::Binary(bits) => {
                let nanos = (u128::from(count) * 1_000_000_000) >> bits;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        };
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX).saturating_add(self.offset))
    }
}

fn set_drops(summary: &mut Summary, place: InterfaceId, drops: u64) {
    if let Some(interface) = summary.interfaces.get_mut(place.0 as usize) {
        interface.dropped = drops;
    }
    summary.dropped = summary.interfaces.iter().fold(0, |sum, i| sum.saturating_add(i.dropped));
}

/// The first option of this code, as text.
fn text(options: &[PcapNGOption<'_>], code: u16) -> Option<String> {
    let option = options.iter().find(|o| o.code == OptionCode(code))?;
    Some(String::from_utf8_lossy(option.as_bytes().ok()?).into_owned())
}

const fn within(len: u32, limit: usize) -> bool {
    len as usize <= limit
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE: u32 = 2;
const SIMPLE: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED: u32 = 6;
const SECRETS: u32 = 10;

/// `epb_dropcount`
const EPB_DROPCOUNT: OptionCode = OptionCode(4);

/// Type, and the length twice.
const BLOCK_MIN: usize = 12;
const BLOCK_LEAST: u32 = 12;
const SECTION_MIN: u32 = 28;
const INTERFACE_MIN: u32 = 20;
const PACKET_MIN: u32 = 32;
const PACKET_HEAD: usize = 28;
const SIMPLE_MIN: u32 = 16;
const SIMPLE_HEAD: usize = 12;

/// Believed of statistics, and of what stands beside a packet in its block (options of 64 KiB).
const SMALL_BLOCK: usize = 1 << 20;
/// Interfaces believed of one section, and listed of all.
const INTERFACES: usize = 1 << 16;

#[cfg(test)]
mod tests;
