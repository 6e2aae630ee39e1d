//! Is a direction HTTP/2, of a connection whose beginning is not in the capture, and whose direction is it?
//!
//! Gets: its bytes. Gives: what its DATA frames hold, and whose its field sections are. Keeps: what a
//! [`Reader`] does.

use super::frame::{Part, Reader};
use super::hpack;
use crate::limits::Limits;
use crate::units::Origin;

/// One direction that may be HTTP/2.
#[derive(Debug)]
pub struct Sight {
    reader: Reader,
    hpack: hpack::Decoder,
    /// Bytes so far.
    at: usize,
    /// So many of them came before the first frame.
    begin: Option<usize>,
}

/// Whose direction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It makes requests.
    Client,
    /// It answers them.
    Server,
}

impl Default for Sight {
    fn default() -> Self {
        let mut hpack = hpack::Decoder::default();
        hpack.lost();
        Self { reader: Reader::mid_connection(), hpack, at: 0, begin: None }
    }
}

impl Sight {
    /// Takes bytes, and gives those of each stream to `data`. Tells whose they are, once something does.
    pub fn push(
        &mut self,
        origin: Origin,
        bytes: &[u8],
        limits: &Limits,
        data: &mut impl FnMut(u32, Origin, &[u8]),
    ) -> Option<Whose> {
        self.at += bytes.len();
        self.read(origin, bytes, limits, data)
    }

    fn read(
        &mut self,
        origin: Origin,
        mut bytes: &[u8],
        limits: &Limits,
        data: &mut impl FnMut(u32, Origin, &[u8]),
    ) -> Option<Whose> {
        let mut whose = None;
        let known = |stream| super::known(&super::BTreeMap::new(), super::LAST, stream);
        while let Some(part) = self.reader.next(origin, &mut bytes, &known, limits) {
            match part {
                Part::Data { stream, bytes } => data(stream, origin, bytes),
                Part::Block(block) => {
                    let bytes = self.reader.take_block();
                    if !block.whole {
                        self.hpack.lost();
                        continue;
                    }
                    let fields = self.hpack.block(&bytes, limits).fields;
                    if block.promise {
                        whose = whose.or(Some(Whose::Server));
                    }
                    // RFC 9113 section 8.3: pseudo-header fields of requests, and the one of answers.
                    let has =
                        |names: &[&str]| names.iter().any(|name| fields.first(name).is_some());
                    let server = has(&[":status"]).then_some(Whose::Server);
                    let client = has(&[":method", ":scheme", ":path", ":authority"]);
                    whose = whose.or(server).or(client.then_some(Whose::Client));
                }
                Part::Doubt => (self.begin, whose) = (None, None),
                Part::Found(replay) => {
                    let end = self.at;
                    let len: usize = replay.pieces().map(|(_, bytes)| bytes.len()).sum();
                    self.at = end.saturating_sub(len);
                    self.begin = Some(self.at);
                    for (origin, bytes) in replay.pieces() {
                        self.at += bytes.len();
                        let of_piece = self.read(origin, bytes, limits, data);
                        whose = whose.or(of_piece);
                    }
                    self.at = end;
                }
                _ => {}
            }
        }
        whose.filter(|_| self.begin.is_some())
    }

    /// How many bytes come before the first frame, where frames were found, and only frames behind them.
    pub const fn begin(&self) -> Option<usize> {
        self.begin
    }

    /// Frames were found, or there is some evidence of them.
    pub fn suspects(&self) -> bool {
        self.begin.is_some() || self.reader.suspects()
    }

    /// Bytes of memory kept, about.
    pub fn weight(&self) -> usize {
        self.reader.weight() + self.hpack.weight()
    }
}
