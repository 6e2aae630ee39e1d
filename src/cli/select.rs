//! The display filter as a question: for outputs that are given every event, and ask.

use std::ops::ControlFlow;

use crate::event::{Cx, Event, Sink, Wants};
use crate::filter::{Filter, FilterSink};
use crate::sink::select::Select;

/// What -Y selects; everything without it.
#[derive(Debug)]
pub(super) struct Chosen(Option<Box<FilterSink<Passed>>>);

/// Remembers that an event came through.
#[derive(Debug, Default)]
struct Passed(bool);

impl Chosen {
    pub(super) fn by(filter: Option<Filter>) -> Self {
        Self(filter.map(|filter| Box::new(FilterSink::new(filter, Passed::default()))))
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
