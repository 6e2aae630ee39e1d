//! What names the connections that are open.
//!
//! Gets: events. Gives: a connection's number and request target. Keeps: these, until its last event.

use std::collections::HashMap;

use crate::event::{Cx, Event};
use crate::sink::numbers::is_last;
use crate::units::{ConnKey, ConnNo};

/// Characters kept of a request target.
const PATH: usize = 2048;

/// Names for the open connections. They are numbered as in the output of everything, so that a number
/// means the same whatever was selected.
#[derive(Debug, Default)]
pub(super) struct Known {
    open: HashMap<ConnKey, Name, foldhash::fast::RandomState>,
    given: u64,
}

/// What names a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) no: ConnNo,
    pub(super) path: Option<String>,
}

impl Known {
    /// To be told of every event, before [`Self::name`] is asked.
    pub(super) fn see(&mut self, cx: &Cx<'_>, event: &Event<'_>) {
        if is_last(event) {
            if self.open.remove(&cx.conn.key).is_none() {
                self.given += 1;
            }
            return;
        }
        let Self { open, given } = self;
        let name = open.entry(cx.conn.key).or_insert_with(|| {
            *given += 1;
            Name { no: ConnNo(*given), path: None }
        });
        if let Event::Handshake(handshake) = event
            && let Some(request) = &handshake.request
        {
            name.path = Some(request.target.chars().take(PATH).collect());
        }
    }

    /// The name of an event's connection, until its last event.
    pub(super) fn name(&self, cx: &Cx<'_>) -> Option<&Name> {
        self.open.get(&cx.conn.key)
    }
}
