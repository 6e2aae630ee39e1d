//! Numbers that must not be mixed up, a type each.
//!
//! Gets: nothing. Gives: the words in which every other module counts.

use std::cmp::Ordering;
use std::fmt;

/// Gives an enum without data its names and the list of its values, both of one table: a value that is not
/// in it does not compile.
macro_rules! named {
    ($type:ident { $($variant:ident $name:literal,)+ }) => {
        impl $type {
            /// Every value, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in NDJSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}
pub(crate) use named;

/// Number of a packet in the capture, from 1: Wireshark's `frame.number`.
///
/// Packets that a file has out of order are put in order when they are read ([`crate::capture`]), and
/// keep their numbers. They compare by the order in which they are given, for what was first is asked of
/// them everywhere, but are equal by their number and place.
///
/// ```text
///  63        48 47                    0
///  | place     | number               |     place: how far behind its number it is given, mostly 0
/// ```
///
/// ```
/// use wstap::units::PacketNo;
///
/// // The ninth of the file was captured before the seventh, and is given as the seventh.
/// let (ninth, seventh) = (PacketNo(9).given_as(7), PacketNo(7).given_as(8));
/// assert!(ninth < seventh && PacketNo(6) < ninth && seventh < PacketNo(10));
/// assert_eq!((ninth.number(), ninth.to_string()), (9, "9".to_owned()));
/// assert_eq!(PacketNo(9).given_as(9), PacketNo(9));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PacketNo(pub u64);

impl PacketNo {
    /// Bits of the number: a hundred thousand packets a second for 89 years.
    const BITS: u32 = 48;

    /// Its number as the file has it; the field holds its place too.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0 & ((1 << Self::BITS) - 1)
    }

    /// Its place among the packets as they are given, from 1.
    #[inline]
    pub const fn place(self) -> u64 {
        self.number().saturating_add_signed(self.0.cast_signed() >> Self::BITS)
    }

    /// The packet of this number, given as one of another place; places that are more than 2^15 - 1 from
    /// the number are cut to that.
    #[must_use]
    pub fn given_as(self, place: u64) -> Self {
        let behind = place.cast_signed().saturating_sub(self.number().cast_signed());
        let behind = behind.clamp((i16::MIN + 1).into(), i16::MAX.into());
        Self(self.number() | behind.cast_unsigned() << Self::BITS)
    }
}

impl Ord for PacketNo {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place()).then(self.0.cmp(&other.0))
    }
}

impl PartialOrd for PacketNo {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for PacketNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Byte offset in a capture file as the user has it; in a compressed one, of the decompressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileOffset(pub u64);

/// Byte offset in one direction of a TCP connection, from the first byte after the SYN, or from
/// the first byte seen where the capture starts in mid-connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamOffset(pub u64);

/// TCP sequence number (RFC 9293 section 3.4): compared modulo 2^32, so it has no `Ord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNo(pub u32);

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Identity of a TCP connection: the number of its first packet. The same whatever the number of
/// threads, and unique in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowId(pub PacketNo);

/// Count of TCP connections from 0, in the order of their first packets: Wireshark's `tcp.stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamNo(pub u64);

/// Identity of a WebSocket connection or attempt: its TCP connection, and which upgrade attempt on
/// it (from 0; a refused one may be followed by another).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConnKey {
    /// The TCP connection.
    pub flow: FlowId,
    /// Which attempt on it, from 0.
    pub nth: u32,
}

/// Number of a connection as shown, from 1, in the order of first appearance in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConnNo(pub u64);

/// Number of a frame in its direction, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FrameNo(pub u64);

/// Number of a message in its direction, from 1, over messages of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageNo(pub u64);

/// Which way bytes travel. The client is the side that asked for the upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// Both, client to server first.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// The other one.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// The name in NDJSON: `c2s` or `s2c`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToServer => "c2s",
            Self::ToClient => "s2c",
        }
    }

    /// Who sends this way: `client` or `server`.
    pub const fn sender(self) -> &'static str {
        match self {
            Self::ToServer => "client",
            Self::ToClient => "server",
        }
    }
}

/// A value for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerDirection<T> {
    /// Client to server.
    pub to_server: T,
    /// Server to client.
    pub to_client: T,
}

impl<T> std::ops::Index<Direction> for PerDirection<T> {
    type Output = T;
    fn index(&self, dir: Direction) -> &T {
        match dir {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

impl<T> std::ops::IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, dir: Direction) -> &mut T {
        match dir {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// Where bytes came from: the packet that brought them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Its number.
    pub packet: PacketNo,
    /// Its time; `None` where the capture has none (pcapng simple packet blocks).
    pub time: Option<Timestamp>,
}

macro_rules! display_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_number!(StreamOffset, StreamNo, ConnNo, FrameNo, MessageNo);

/// A number and what it counts: "1 byte", "0 bytes", "7 bytes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

impl fmt::Display for FileOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Timestamp {
    /// Nanoseconds from `earlier` to this; negative when the clock went back.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with nanoseconds: `2026-11-22T16:01:02.000000003Z`.
    pub fn rfc3339(self) -> Rfc3339 {
        let secs = self.0.div_euclid(1_000_000_000);
        let nanos = self.0.rem_euclid(1_000_000_000);
        let (days, second_of_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        // In 32 bits, which divide faster.
        let mut put = |at: usize, width: usize, value: i64| {
            let mut value = u32::try_from(value).unwrap_or(0);
            for slot in text.iter_mut().skip(at).take(width).rev() {
                *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        };
        // An i64 of nanoseconds reaches from 1677 to 2262: four digits always do.
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, second_of_day / 3600);
        put(14, 2, second_of_day / 60 % 60);
        put(17, 2, second_of_day % 60);
        put(20, 9, nanos);
        Rfc3339(text)
    }
}

/// Year, month and day of a number of days since 1970-01-01 (proleptic Gregorian calendar).
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A formatted time, on the stack: no allocation per line of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339([u8; 30]);

impl Rfc3339 {
    /// The text's bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits and separators were ever put in.
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SeqNo {
    /// How far this is ahead of `other`; negative when behind (RFC 9293 section 3.4).
    #[expect(clippy::cast_possible_wrap, reason = "the wrap is the definition of the comparison")]
    pub const fn ahead_of(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// This plus `n`, modulo 2^32.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_jiff_writes_them() {
        for ns in [
            0,
            -1,
            951_782_399_999_999_999,
            951_782_400_000_000_000,
            1_709_251_199_000_000_001,
            4_102_444_800_123_456_789,
            i64::MAX,
            i64::MIN,
        ] {
            let want = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap();
            assert_eq!(Timestamp(ns).rfc3339().as_str(), format!("{want:.9}"), "{ns}");
        }
    }

    #[test]
    fn one_is_counted_in_the_singular() {
        let texts = [0, 1, 2].map(|n| Count(n, "byte").to_string());
        assert_eq!(texts, ["0 bytes", "1 byte", "2 bytes"]);
    }

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        assert_eq!(SeqNo(2).ahead_of(SeqNo(u32::MAX)), 3);
        assert_eq!(SeqNo(u32::MAX).ahead_of(SeqNo(2)), -3);
        assert_eq!(SeqNo(u32::MAX).plus(2), SeqNo(1));
    }
}
