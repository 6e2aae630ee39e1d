//! Where packets come from, whatever it is.
//!
//! Gets: inputs or interfaces. Gives: packets, one at a time, the moments when there is none, and what
//! is known of the capture beside them.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::error::CliError;
use super::options::{From, ReadOptions};
use crate::capture::{
    self, CaptureError, FollowSource, Input, Interface, Listener, LiveSource, PacketRecord,
    PacketSource, Polled, Progress, SecretsListener, Source,
};

/// How long a live capture may be silent before what else is to be done now and then is done.
const IDLE: Duration = Duration::from_millis(50);

/// An opened source.
pub(super) enum Feed {
    /// Files or standard input.
    Stored {
        source: Source,
        /// Packets come as they happen: a pipe or a FIFO, whose writer may pause at any time.
        streams: bool,
    },
    /// Interfaces.
    Live(Box<LiveSource>),
    /// A file that is still being written.
    Followed(Box<FollowSource>),
    /// A stream that may pause, while somebody watches and wants to do something.
    Stream(Box<FollowSource>),
}

/// What comes next.
pub(super) enum Next<'a> {
    /// A packet.
    Packet(PacketRecord<'a>),
    /// Nothing yet.
    Idle,
    /// The end.
    End,
}

/// Comments of ours tell of processes.
fn learning(options: &ReadOptions) -> Listener {
    let owners = options.owners.clone();
    Listener(Arc::new(move |comment: &str| owners.read_comment(comment)))
}

impl Feed {
    /// Opens what the options name, and tells their key log whether it may bring secrets.
    pub(super) fn open(options: &ReadOptions) -> Result<Self, CliError> {
        Self::listening(options, learning(options), options.keys.listener())
    }

    /// The same, with somebody else to be shown comments.
    pub(super) fn listening(
        options: &ReadOptions,
        listener: Listener,
        secrets: SecretsListener,
    ) -> Result<Self, CliError> {
        let feed = Self::reading(options, listener, secrets)?;
        // Of the formats that are read, the one that has comments has blocks of secrets too.
        if !feed.is_interface() && !feed.is_silent() {
            options.keys.log.expect_more();
        }
        Ok(feed)
    }

    fn reading(
        options: &ReadOptions,
        listener: Listener,
        secrets: SecretsListener,
    ) -> Result<Self, CliError> {
        let (listener, secrets) = (Some(listener), Some(secrets));
        let order = options.order;
        let reading = capture::Options { listener, secrets, order, ..capture::Options::default() };
        let inputs = match &options.from {
            From::Inputs(inputs) => inputs,
            From::Live(live) => return Ok(Self::Live(Box::new(LiveSource::open(live)?))),
            From::Follow(path) => {
                let source = FollowSource::open(path, &options.limits, &reading)?;
                return Ok(Self::Followed(Box::new(source)));
            }
        };
        if inputs.contains(&Input::Stdin) && std::io::stdin().is_terminal() {
            return Err(CliError::usage(
                "standard input is a terminal, not a capture",
                "pipe one in: tcpdump -U -w - | wstap -",
            ));
        }
        let source = capture::open(inputs, &options.limits, &reading)?;
        Ok(Self::Stored { source, streams: inputs.iter().any(streams) })
    }

    /// The same for somebody who watches: waiting for a pipe must not keep him waiting.
    pub(super) fn open_watched(options: &ReadOptions) -> Result<Self, CliError> {
        let From::Inputs(inputs) = &options.from else { return Self::open(options) };
        let [input] = inputs.as_slice() else { return Self::open(options) };
        if !streams(input) || std::io::stdin().is_terminal() && *input == Input::Stdin {
            return Self::open(options);
        }
        let limits = &options.limits;
        let listener = Some(learning(options));
        let secrets = Some(options.keys.listener());
        options.keys.log.expect_more();
        let reading = capture::Options { listener, secrets, ..capture::Options::default() };
        let name = input.to_string();
        let source = match input {
            Input::Stdin => FollowSource::stream(&name, std::io::stdin(), limits, &reading),
            Input::Path(path) => {
                let file = std::fs::File::open(path)
                    .map_err(|source| CaptureError::Open { input: input.clone(), source })?;
                FollowSource::stream(&name, file, limits, &reading)
            }
        };
        Ok(Self::Stream(Box::new(source)))
    }

    /// The next packet. After an error it may be asked again: of several inputs each may have one.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        match self {
            Self::Stored { source, .. } => Ok(source.next()?.map_or(Next::End, Next::Packet)),
            _ => self.next_within(IDLE),
        }
    }

    /// Gives the packets of a file that are at hand, until one is answered with `Break`; for the others
    /// there is [`Self::next`].
    #[inline]
    pub(super) fn at_hand(
        &mut self,
        take: impl FnMut(&PacketRecord<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self {
            Self::Stored { source, .. } => source.at_hand(take),
            _ => ControlFlow::Continue(()),
        }
    }

    /// The next packet of those that come as they happen, if it is at hand or comes within this time.
    #[inline(never)]
    pub(super) fn next_within(&mut self, wait: Duration) -> Result<Next<'_>, CaptureError> {
        Ok(match self {
            Self::Stored { .. } => Next::Idle,
            Self::Live(source) => source.next_timeout(wait)?.into(),
            Self::Followed(source) | Self::Stream(source) => source.next_timeout(wait)?.into(),
        })
    }

    /// Nothing more is wanted: a live capture ends with what it already has, and is asked on; anything
    /// else is left where it is, and true says so.
    pub(super) fn stop(&self) -> bool {
        match self {
            // Whoever writes the stream may never do so again.
            Self::Stored { .. } | Self::Stream(_) => true,
            Self::Live(source) => {
                source.stop_handle().store(true, Ordering::Relaxed);
                false
            }
            Self::Followed(source) => {
                source.stop_handle().store(true, Ordering::Relaxed);
                false
            }
        }
    }

    /// Interfaces known so far.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        match self {
            Self::Stored { source, .. } => source.summary().interfaces,
            Self::Live(source) => source.summary().interfaces,
            Self::Followed(source) | Self::Stream(source) => source.summary().interfaces,
        }
    }

    /// Packets that the kernel had no room for; `None` where nobody counts.
    pub(super) fn dropped(&self) -> Option<u64> {
        match self {
            Self::Stored { .. } | Self::Followed(_) | Self::Stream(_) => None,
            Self::Live(source) => Some(source.dropped()),
        }
    }

    /// When output must be shown although nothing says that more is not at hand.
    pub(super) const fn pace(&self) -> Pace {
        match self {
            Self::Stored { streams: true, .. } => Pace::EachPacket,
            Self::Stored { streams: false, .. } => Pace::Whenever,
            Self::Live(_) | Self::Followed(_) | Self::Stream(_) => Pace::Often,
        }
    }

    /// What happened to the interfaces, a line each.
    pub(super) fn news(&mut self) -> Vec<String> {
        match self {
            Self::Live(source) => source.take_news(),
            Self::Stored { .. } | Self::Followed(_) | Self::Stream(_) => Vec::new(),
        }
    }

    /// Is it watched while it happens.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_) | Self::Followed(_) | Self::Stream(_))
    }

    /// It has no comments, so that nothing is to be learned of it but from its packets.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Stored { source: Source::File(file), .. } => {
                file.summary().format.is_some_and(|format| !format.has_comments())
            }
            _ => false,
        }
    }

    /// Packets come as they happen on this machine.
    pub(super) const fn is_interface(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// All of it can be read again from where it came.
    pub(super) const fn lasts(&self) -> bool {
        matches!(self, Self::Stored { streams: false, .. })
    }

    /// How far the reading is.
    pub(super) fn progress(&self) -> Option<Progress> {
        match self {
            Self::Stored { source, streams: false } => Some(source.progress()),
            _ => None,
        }
    }
}

/// When output is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// When much has gathered: nobody waits for it.
    Whenever,
    /// As soon as no packet is at hand, and several times a second; [`Next::Idle`] says when there is
    /// nothing to do.
    Often,
    /// After each packet: asking for the next one may take for ever.
    EachPacket,
}

impl<'a> std::convert::From<Polled<'a>> for Next<'a> {
    fn from(polled: Polled<'a>) -> Self {
        match polled {
            Polled::Packet(record) => Self::Packet(record),
            Polled::Idle => Self::Idle,
            Polled::End => Self::End,
        }
    }
}

/// Is it something that is written while it is read. What is not there is not.
fn streams(input: &Input) -> bool {
    match input {
        Input::Path(path) => std::fs::metadata(path).is_ok_and(|of| !of.is_file()),
        Input::Stdin => std::fs::metadata("/dev/stdin").map_or(true, |of| !of.is_file()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_file_is_written_while_it_is_read() {
        let path = |path: &str| Input::Path(path.into());
        assert!(streams(&path("/dev/null")));
        assert!(!streams(&path("Cargo.toml")));
        assert!(!streams(&path("no such file")));
    }
}
