//! Whose socket it is: the process at each end of a connection that is local.
//!
//! Gets: connections as they appear; for stored captures the comments that wstap left in them.
//! Gives: [`Owners`], to be asked for by connection. Keeps: the ends of the newest connections,
//! those that are over too.
//!
//! ```text
//!  SYN -----------> Finder.expect --+   pipe    +-- helper: /proc/net/tcp, /proc/*/fd
//!  handshake -----> Finder.ends ----+---------->+   (a process of its own, with the privileges
//!       |               |           <-----------+    that this takes and no traffic to parse)
//!       v               v late answers
//!  Owned (a sink) -> Owners <- asked by: NDJSON, text, display filter, screen, saved file
//! ```
//!
//! The handshake waits for the answer only a little. What is learned after it had gone by is in the
//! line of the connection's end, in the saved file as soon as the connection has another event, and on
//! the screen and in the display filter at once. A server that was just found for one connection is taken
//! to be that of the next one, which may be over before it is looked for.
//!
//! Who parses what strangers send has given up all privileges ([`crate::privilege`]), and a sandboxed
//! process may not look at others. So a helper answers, which is told two addresses and nothing else.

#[cfg(target_os = "linux")]
mod linux;

mod finder;
mod owners;

use std::fmt;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{ConnInfo, Counted, Cx, Event, Later, Sink, Wants};

pub use finder::Finder;
#[cfg(target_os = "linux")]
pub use linux::{Listener, listening_ports, serve};
pub use owners::Owners;

/// A process, as it was when its connection appeared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name, as `ps` has it.
    pub name: String,
    /// Its command line, words joined by spaces; empty where it can not be read.
    pub command: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.pid)
    }
}

/// The processes at both ends of a connection; `None` for one that is not local or not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ends {
    /// The client's.
    pub client: Option<Arc<Process>>,
    /// The server's.
    pub server: Option<Arc<Process>>,
}

impl Ends {
    /// Neither is known.
    pub const fn is_empty(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }

    /// Those that are known, the client's first.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Process)> {
        let client = self.client.iter().map(|p| ("client", &**p));
        client.chain(self.server.iter().map(|p| ("server", &**p)))
    }

    /// The comments that stand for them in a saved capture.
    pub fn comments(&self, conn: &ConnInfo) -> impl Iterator<Item = String> {
        let ConnInfo { client, server, .. } = conn;
        self.iter().map(move |(end, process)| {
            let text =
                format!("{MARK}{end} process {process} ({client} > {server}) {}", process.command);
            // One comment is one line.
            text.replace(|c: char| c.is_control(), " ").trim_end().to_owned()
        })
    }
}

/// Before every comment of ours.
pub const MARK: &str = "wstap: ";

/// Passes events on, after finding out whose the sockets of a new connection are.
#[derive(Debug)]
pub struct Owned<S> {
    sink: S,
    owners: Owners,
    finder: Option<Finder>,
    /// Nobody can tell.
    never: bool,
}

impl<S> Owned<S> {
    /// Before a sink. Live, `finder` is asked; of stored captures the comments tell.
    pub const fn new(sink: S, owners: Owners, finder: Option<Finder>) -> Self {
        Self { sink, owners, finder, never: false }
    }

    /// The same, of a capture that has no comments: then nothing is asked, and nothing remembered.
    #[must_use]
    pub fn unless_silent(self, silent: bool) -> Self {
        Self { never: silent && self.finder.is_none(), ..self }
    }

    /// The sink behind.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The sink behind.
    pub fn into_inner(self) -> S {
        self.sink
    }
}

impl<S: Sink> Sink for Owned<S> {
    fn wants(&self) -> Wants {
        self.sink.wants()
    }

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Handshake(_) if !self.never => self.handshake(cx, event),
            Event::End(_) if !self.never => self.end(cx, event),
            _ => self.sink.event(cx, event),
        }
    }

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        self.sink.counted(cx, counted)
    }

    fn later(&self) -> Later {
        self.sink.later()
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        self.sink.drafted(cx, event, draft)
    }
}

impl<S: Sink> Owned<S> {
    #[inline(never)]
    fn end(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let flow = self.sink.event(cx, event);
        // Live, an answer may still come: its addresses are its own until the next SYN.
        if self.finder.is_none() {
            self.owners.forget_told((cx.conn.client, cx.conn.server));
        }
        flow
    }

    #[inline(never)]
    fn handshake(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let pair = (cx.conn.client, cx.conn.server);
        let ends = match &self.finder {
            Some(finder) => finder.ends(pair),
            None => self.owners.told(cx.conn),
        };
        self.owners.put(cx.conn.key, ends);
        let flow = self.sink.event(cx, event);
        self.owners.wait_for(cx.conn);
        // An answer may have come just before.
        if let Some(finder) = &self.finder {
            self.owners.learn(pair, &finder.known(pair));
        }
        flow
    }
}

/// A question: who has these two addresses. The client's comes first.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    client: SocketAddr,
    server: SocketAddr,
}

/// And its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    client: SocketAddr,
    server: SocketAddr,
    client_process: Option<Process>,
    server_process: Option<Process>,
    certain: bool,
}
