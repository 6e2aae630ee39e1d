//! Filters that look on: they let everything through, and say when something matches.
//!
//! Gets: events. Gives: all of them to the sink within, a line for each match, and the end of the run
//! after the match that was waited for.

use std::fmt;
use std::ops::ControlFlow;

use super::{Filter, FilterSink};
use crate::event::{Counted, Cx, Event, Later, Sink, Wants};
use crate::process::Owners;

/// Passes events on, and looks at them with filters of its own.
pub struct Watched<S> {
    sink: S,
    wants: Wants,
    on_match: Option<FilterSink<Tell>>,
    stop_on: Option<FilterSink<Seen>>,
}

/// Tells of each event that it is given.
struct Tell(Telling, Wants);

type Telling = Box<dyn FnMut(&Cx<'_>, &Event<'_>) + Send>;

/// Notices that it was given an event.
struct Seen(bool, Wants);

impl<S: Sink> Watched<S> {
    /// Looks at nothing yet.
    pub fn new(sink: S) -> Self {
        Self { wants: sink.wants(), sink, on_match: None, stop_on: None }
    }

    /// Calls `tell` for each event that the filter selects.
    #[must_use]
    pub fn on_match(
        mut self,
        filter: Filter,
        owners: &Owners,
        tell: impl FnMut(&Cx<'_>, &Event<'_>) + Send + 'static,
    ) -> Self {
        let wants = needed(&filter);
        let tell = FilterSink::new(filter, Tell(Box::new(tell), wants));
        self.on_match = Some(tell.with_owners(owners.clone()));
        self
    }

    /// Ends the run with the first event that the filter selects.
    #[must_use]
    pub fn stop_on(mut self, filter: Filter, owners: &Owners) -> Self {
        let seen = Seen(false, needed(&filter));
        self.stop_on = Some(FilterSink::new(filter, seen).with_owners(owners.clone()));
        self
    }
}

impl<S> Watched<S> {
    const fn is_watching(&self) -> bool {
        self.on_match.is_some() || self.stop_on.is_some()
    }

    /// The sink within.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The sink within.
    pub fn into_inner(self) -> S {
        self.sink
    }
}

impl<S: Sink> Watched<S> {
    /// Tells who waits for it; gives true where the run ends with this event.
    #[cold]
    fn watch(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<(), bool> {
        let stop = self.stop_on.as_mut().is_some_and(|stop_on| stop_on.event(cx, event).is_break());
        if let Some(on_match) = &mut self.on_match {
            on_match.event(cx, event)?;
        }
        ControlFlow::Continue(stop)
    }
}

fn needed(filter: &Filter) -> Wants {
    Wants { frames: filter.needs().frames, payload: false }
}

impl<S: Sink> Sink for Watched<S> {
    fn wants(&self) -> Wants {
        let watching =
            [self.on_match.as_ref().map(Sink::wants), self.stop_on.as_ref().map(Sink::wants)];
        watching.into_iter().flatten().fold(self.wants, |sum, wants| Wants {
            frames: sum.frames || wants.frames,
            payload: sum.payload || wants.payload,
        })
    }

    #[inline]
    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        let mut stop = false;
        if self.stop_on.is_some() || self.on_match.is_some() {
            stop = self.watch(cx, event)?;
        }
        // Frames that only a filter asked for are no use to the sink.
        if self.wants.frames || !matches!(event, Event::Frame(_)) {
            self.sink.event(cx, event)?;
        }
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline]
    fn counted(&mut self, cx: &Cx<'_>, counted: Counted) -> ControlFlow<()> {
        if self.is_watching() {
            return self.event(cx, &Event::Message(&counted.message(cx.origin)));
        }
        self.sink.counted(cx, counted)
    }

    fn later(&self) -> Later {
        // A filter may ask for anything.
        if self.is_watching() { Later::Whole } else { self.sink.later() }
    }

    fn drafted(&mut self, cx: &Cx<'_>, event: &Event<'_>, draft: &[u8]) -> ControlFlow<()> {
        self.sink.drafted(cx, event, draft)
    }
}

impl Sink for Tell {
    fn wants(&self) -> Wants {
        self.1
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        (self.0)(cx, event);
        ControlFlow::Continue(())
    }
}

impl Sink for Seen {
    fn wants(&self) -> Wants {
        self.1
    }

    fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
        self.0 = true;
        ControlFlow::Break(())
    }
}

impl<S: fmt::Debug> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("sink", &self.sink).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::event::{Message, MessageKind};
    use crate::filter::fixtures::{conn, cx, text};

    struct Count(u32);

    impl Sink for Count {
        fn wants(&self) -> Wants {
            Wants { frames: false, payload: false }
        }
        fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Continue(())
        }
    }

    #[test]
    fn everything_passes_and_the_match_that_ends_the_run_too() {
        let filter = |text| Filter::parse(text).unwrap();
        let told = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&told);
        let owners = Owners::default();
        let mut watched = Watched::new(Count(0))
            .on_match(filter("text contains \"b\""), &owners, move |_, _| {
                counter.fetch_add(1, Ordering::Relaxed);
            })
            .stop_on(filter("text == \"ab\""), &owners);
        assert!(watched.wants().payload, "the filters read it");
        let conn = conn(1);
        let mut ended = Vec::new();
        for payload in ["a", "b", "ab"] {
            let message: Message<'_> = text(payload);
            assert_eq!(message.kind, MessageKind::Text);
            ended.push(watched.event(&cx(&conn), &Event::Message(&message)).is_break());
        }
        assert_eq!(ended, [false, false, true]);
        assert_eq!((watched.into_inner().0, told.load(Ordering::Relaxed)), (3, 2));
    }
}
