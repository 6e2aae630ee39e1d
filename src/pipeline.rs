//! The whole way of a packet: decode, put in order, follow the connection, hand its events to the
//! sink. Here on one thread, in [`shard`] on several.
//!
//! Gets: [`PacketRecord`]s. Gives: events to a [`Sink`], and [`Totals`] at the end.
//!
//! ```
//! use std::ops::ControlFlow;
//! use wstap::capture::{InterfaceId, LinkType, PacketRecord};
//! use wstap::event::{Cx, Event, Sink, Wants};
//! use wstap::limits::Limits;
//! use wstap::pipeline::Pipeline;
//! use wstap::units::{FileOffset, PacketNo};
//!
//! /// Keeps every text message.
//! #[derive(Default)]
//! struct Texts(Vec<String>);
//!
//! impl Sink for Texts {
//!     fn wants(&self) -> Wants {
//!         Wants::MESSAGES
//!     }
//!     fn event(&mut self, _: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
//!         if let Event::Message(message) = event
//!             && let wstap::event::Payload::Text(text) = message.payload
//!         {
//!             self.0.push(text.to_owned());
//!         }
//!         ControlFlow::Continue(())
//!     }
//! }
//!
//! let mut pipeline = Pipeline::new(Texts::default(), Limits::default());
//! let record = PacketRecord {
//!     no: PacketNo(1),
//!     at: FileOffset(0),
//!     time: None,
//!     link: LinkType(1),
//!     interface: InterfaceId::default(),
//!     orig_len: 14,
//!     bytes: &[0; 14],
//! };
//! let _ = pipeline.push(&record);
//! let (texts, totals) = pipeline.finish();
//! assert!(texts.0.is_empty());
//! assert_eq!(totals.packets, 1);
//! ```

mod keys;
pub mod shard;

use std::net::SocketAddr;
use std::ops::ControlFlow;

use crate::capture::PacketRecord;
use crate::conn::{Conns, Sealed, Unread};
use crate::event::Sink;
use crate::flow::Table;
use crate::limits::Limits;
use crate::packet::{Decoded, Decoder, Skip, TcpFlags};
use crate::tls::KeyLog;
use crate::units::{FlowId, Origin, Timestamp};
use keys::KeyWatch;

/// What a run saw in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets read.
    pub packets: u64,
    /// Bytes they had on the wire.
    pub bytes: u64,
    /// Earliest packet time.
    pub first_time: Option<Timestamp>,
    /// Latest packet time.
    pub last_time: Option<Timestamp>,
    /// TCP connections.
    pub tcp_streams: u64,
    /// TCP connections that were seen to carry something else, by what it is.
    pub unread: Unread,
    /// Of these, which servers the ones with TLS were to.
    pub sealed: Sealed,
    /// Packets without a TCP segment, by reason, most harmful first.
    pub skipped: Vec<(Skip, u64)>,
}

impl Totals {
    fn count(&mut self, record: &PacketRecord<'_>) {
        self.packets += 1;
        self.bytes += u64::from(record.orig_len);
        if let Some(time) = record.time {
            self.first_time = Some(self.first_time.map_or(time, |first| first.min(time)));
            self.last_time = self.last_time.max(Some(time));
        }
    }
}

/// Packets in, events out.
#[derive(Debug)]
pub struct Pipeline<S: Sink> {
    decoder: Decoder,
    table: Table<Conns<KeyWatch<S>>>,
    conns: Conns<KeyWatch<S>>,
    totals: Totals,
    last: Origin,
    last_was: LastWas,
    on_open: Option<OnOpen>,
}

/// Is told of a TCP connection when it is opened: who asked, and who was asked.
struct OnOpen(Box<dyn FnMut(SocketAddr, SocketAddr) + Send>);

impl std::fmt::Debug for OnOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnOpen")
    }
}

/// What the packet pushed last was found to be.
#[derive(Debug, Clone, Copy)]
enum LastWas {
    Segment,
    Fragment,
    Other,
}

/// Whose packet it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// That of a TCP connection.
    Flow(FlowId),
    /// A part of an IP datagram whose other parts are still to come: nobody knows yet.
    Fragment,
    /// Nobody's: it has no TCP segment.
    #[default]
    Nobody,
}

impl<S: Sink> Pipeline<S> {
    /// An empty one that leaves its events with `sink`.
    pub fn new(sink: S, limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(&limits),
            table: Table::new(limits.clone()),
            conns: Conns::new(KeyWatch::new(sink, limits.keys), limits),
            totals: Totals::default(),
            last: Origin::default(),
            last_was: LastWas::Other,
            on_open: None,
        }
    }

    /// Reads TLS with the secrets of this key log.
    #[must_use]
    pub fn with_keys(mut self, keys: KeyLog) -> Self {
        self.conns.set_keys(keys);
        self
    }

    /// Calls this for each TCP connection whose opening is seen, before anything is known of what it
    /// will carry: to look up meanwhile what is soon gone.
    pub fn on_open(&mut self, tell: impl FnMut(SocketAddr, SocketAddr) + Send + 'static) {
        self.on_open = Some(OnOpen(Box::new(tell)));
    }

    /// Takes the next packet; `Break` when the sink has seen enough.
    #[inline]
    pub fn push(&mut self, record: &PacketRecord<'_>) -> ControlFlow<()> {
        self.totals.count(record);
        self.last = Origin { packet: record.no, time: record.time };
        if self.on_open.is_none()
            && let Some(segment) = self.decoder.at_a_glance(record)
        {
            self.last_was = LastWas::Segment;
            return self.table.push(&segment, &mut self.conns);
        }
        self.push_any(record)
    }

    /// The same of any packet.
    #[inline(never)]
    fn push_any(&mut self, record: &PacketRecord<'_>) -> ControlFlow<()> {
        match self.decoder.decode(record) {
            Decoded::Segment(segment) => {
                if let Some(OnOpen(tell)) = &mut self.on_open
                    && segment.flags.has(TcpFlags::SYN)
                    && !segment.flags.has(TcpFlags::ACK)
                {
                    tell(segment.src, segment.dst);
                }
                self.last_was = LastWas::Segment;
                self.table.push(&segment, &mut self.conns)
            }
            // Counted by the decoder: a held IP fragment is decoded after all when its datagram is.
            Decoded::Other(skip) => {
                let held = skip == Skip::IpFragment;
                self.last_was = if held { LastWas::Fragment } else { LastWas::Other };
                ControlFlow::Continue(())
            }
        }
    }

    /// No packet is there: where TLS secrets came meanwhile, what waits for them is read.
    pub fn look_again(&mut self) -> ControlFlow<()> {
        let Self { table, conns, last, .. } = self;
        if !conns.has_new_keys() {
            return ControlFlow::Continue(());
        }
        table.visit(|flow, conn| conns.retry_tls(flow, conn, *last))
    }

    /// Whose the packet pushed last was.
    pub fn whose(&self) -> Whose {
        match self.last_was {
            LastWas::Segment => self.table.current().map_or(Whose::Nobody, Whose::Flow),
            LastWas::Fragment => Whose::Fragment,
            LastWas::Other => Whose::Nobody,
        }
    }

    /// Ends every open connection, and gives the sink back.
    pub fn finish(mut self) -> (S, Totals) {
        // A sink that breaks now has what it wants; there is nothing left to stop.
        let _ = self.table.finish(self.last, &mut self.conns);
        let totals = self.totals();
        (self.conns.into_sink().into_sink(), totals)
    }

    /// What was seen so far.
    pub fn totals(&self) -> Totals {
        Totals {
            tcp_streams: self.table.streams(),
            unread: self.conns.unread(),
            sealed: self.conns.sealed().clone(),
            skipped: self.decoder.skipped().collect(),
            ..self.totals.clone()
        }
    }

    /// The sink, to flush or to look at.
    pub const fn sink_mut(&mut self) -> &mut S {
        self.conns.sink_mut().sink_mut()
    }
}
