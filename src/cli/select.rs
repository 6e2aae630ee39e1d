//! The display filter as a question: for outputs that are given every event, and ask.

use std::ops::ControlFlow;

use super::options::ReadOptions;
use crate::event::{Cx, Event, Sink, Wants};
use crate::filter::{Filter, FilterSink};
use crate::process::Owners;
use crate::sink::select::Select;

/// What -Y selects; everything without it.
#[derive(Debug)]
pub(super) struct Chosen(Option<Box<FilterSink<Passed>>>);

/// Remembers that an event came through.
#[derive(Debug, Default)]
struct Passed(bool);

impl Chosen {
    /// Takes the filter from the options, so that nothing else stands behind it.
    pub(super) fn by(read: &mut ReadOptions) -> Self {
        Self::of(read.display_filter.take(), &read.owners)
    }

    fn of(filter: Option<Filter>, owners: &Owners) -> Self {
        Self(filter.map(|filter| {
            Box::new(FilterSink::new(filter, Passed::default()).with_owners(owners.clone()))
        }))
    }
}

/// By itself, so that the question without a filter costs nothing.
#[inline(never)]
fn passes(filter: &mut FilterSink<Passed>, cx: &Cx<'_>, event: &Event<'_>) -> bool {
    filter.inner_mut().0 = false;
    // The sink within never breaks.
    let _ = filter.event(cx, event);
    filter.inner().0
}

impl Select for Chosen {
    #[inline]
    fn selects(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> bool {
        self.0.as_mut().is_none_or(|filter| passes(filter, cx, event))
    }

    #[inline]
    fn selects_all(&self) -> bool {
        self.0.is_none()
    }

    fn needs_payload(&self) -> bool {
        self.0.as_ref().is_some_and(|filter| filter.wants().payload)
    }

    fn begin(&mut self, first: Option<crate::units::Timestamp>) {
        if let (Some(filter), Some(first)) = (&mut self.0, first) {
            filter.set_first_time(first);
        }
    }
}

impl Sink for Passed {
    fn wants(&self) -> Wants {
        Wants { frames: false, payload: false }
    }

    fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
        self.0 = true;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Owned;
    use crate::sink::Output;
    use crate::sink::export::csv::{Cells, CsvSink};
    use crate::sink::samples;

    #[test]
    fn processes_are_asked_of_those_who_know_them() {
        let owners = Owners::default();
        let filter = Filter::parse("process == node").unwrap();
        let csv = CsvSink::of(Vec::new(), Cells::Guarded, Chosen::of(Some(filter), &owners));
        let mut sink = Owned::new(csv, owners.clone(), None);
        let conn = samples::conn(1);
        let cx = Cx { conn: &conn, origin: samples::origin(1, 0) };
        assert!(sink.event(&cx, &Event::Handshake(&samples::handshake())).is_continue());
        let (client, server) = (conn.client, conn.server);
        owners.read_comment(&format!("wstap: client process node[7] ({client} > {server})"));
        assert!(sink.event(&cx, &Event::Message(&samples::text(b"x"))).is_continue());
        assert_eq!(sink.into_inner().tally().messages, 1);
    }
}
