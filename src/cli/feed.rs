//! Where packets come from, whatever it is.
//!
//! Gets: inputs. Gives: packets, one at a time, and what is known of the capture beside them.

use std::io::IsTerminal;

use super::error::CliError;
use super::options::{From, ReadOptions};
use crate::capture::{
    self, CaptureError, Input, Interface, PacketRecord, PacketSource, Progress, Source,
};

/// An opened source.
pub(super) struct Feed {
    source: Source,
    /// Packets come as they happen: a pipe or a FIFO, whose writer may pause at any time.
    streams: bool,
}

/// What comes next.
pub(super) enum Next<'a> {
    /// A packet.
    Packet(PacketRecord<'a>),
    /// The end.
    End,
}

impl Feed {
    /// Opens what the options name.
    pub(super) fn open(options: &ReadOptions) -> Result<Self, CliError> {
        let From::Inputs(inputs) = &options.from;
        if inputs.contains(&Input::Stdin) && std::io::stdin().is_terminal() {
            return Err(CliError::usage(
                "standard input is a terminal, not a capture",
                "pipe one in: tcpdump -U -w - | wstap -",
            ));
        }
        let source = capture::open(inputs, &options.limits, &capture::Options::default())?;
        Ok(Self { source, streams: inputs.iter().any(streams) })
    }

    /// The next packet. After an error it may be asked again: of several inputs each may have one.
    pub(super) fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        Ok(self.source.next()?.map_or(Next::End, Next::Packet))
    }

    /// Interfaces known so far.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        self.source.summary().interfaces
    }

    /// Must output be shown after each packet, since the next may be long in coming.
    pub(super) const fn streams(&self) -> bool {
        self.streams
    }

    /// How far the reading is.
    pub(super) fn progress(&self) -> Option<Progress> {
        (!self.streams).then(|| self.source.progress())
    }
}

/// Is it something that is written while it is read.
fn streams(input: &Input) -> bool {
    let metadata = match input {
        Input::Path(path) => std::fs::metadata(path),
        Input::Stdin => std::fs::metadata("/dev/stdin"),
    };
    metadata.map_or(true, |metadata| !metadata.is_file())
}
