//! A sink that lets through what a filter selects.
//!
//! Gets: events. Gives: those that match to the sink within. Keeps: for each open connection its
//! number and one bit for each question about its handshake, at most [`MAX_OPEN`] connections.

use std::ops::ControlFlow;

use foldhash::{HashMap, HashMapExt};

use super::{Facts, Filter, Opening, Subject};
use crate::event::{Cx, Event, Sink, Wants};
use crate::process::{Ends, Owners};
use crate::units::{ConnKey, ConnNo, Timestamp};

/// Forwards the events that a filter selects. Each event passes by its own fields and those of its
/// connection: `text contains "x"` gives only such messages, `conn == 3` all of that connection.
///
/// Connections are numbered here as in an output without filter, in the order of their first events.
#[derive(Debug)]
pub struct FilterSink<S> {
    filter: Filter,
    inner: S,
    open: HashMap<ConnKey, Open>,
    numbered: u64,
    first_time: Option<Timestamp>,
    owners: Option<Owners>,
}

#[derive(Debug)]
struct Open {
    no: ConnNo,
    facts: Facts,
    /// The processes at its ends, where the filter asks for them.
    ends: Option<Ends>,
    /// What they were asked of ([`Owners::version`]).
    version: u64,
}

/// Connections remembered at once, a few dozen bytes each; as many as
/// [`flows`](crate::limits::Limits::flows) has by default. Beyond it the older half is forgotten.
const MAX_OPEN: usize = 1 << 18;

impl<S> FilterSink<S> {
    /// Puts a filter before a sink.
    pub fn new(filter: Filter, inner: S) -> Self {
        Self { filter, inner, open: HashMap::new(), numbered: 0, first_time: None, owners: None }
    }

    /// Asks there for the processes at the ends of connections.
    #[must_use]
    pub fn with_owners(mut self, owners: Owners) -> Self {
        self.owners = Some(owners).filter(|_| self.filter.needs().process);
        self
    }

    /// Time of the capture's first packet, for `time_relative`. Without it, the time at which the
    /// first event began takes its place.
    pub const fn set_first_time(&mut self, time: Timestamp) {
        self.first_time = Some(time);
    }

    /// The number that `conn` means for an open connection.
    pub fn conn_no(&self, key: &ConnKey) -> Option<ConnNo> {
        self.open.get(key).map(|open| open.no)
    }

    /// The filter.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The sink within.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The sink within.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The sink within.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn number(&mut self) -> ConnNo {
        self.numbered = self.numbered.saturating_add(1);
        ConnNo(self.numbered)
    }

    /// Remembers a connection at its first event.
    fn learn(&mut self, cx: &Cx<'_>, event: &Event<'_>) {
        let version = self.owners.as_ref().map_or(0, Owners::version);
        let ends = || self.owners.as_ref().and_then(|owners| owners.of(&cx.conn.key));
        if let Some(open) = self.open.get_mut(&cx.conn.key) {
            if open.version != version {
                // Learned since.
                (open.ends, open.version) = (ends(), version);
            }
            return;
        }
        if self.open.len() >= MAX_OPEN {
            let half = self.numbered.saturating_sub(MAX_OPEN as u64 / 2);
            self.open.retain(|_, open| open.no.0 > half);
        }
        let facts = match event {
            Event::Handshake(handshake) => self.filter.facts(handshake),
            _ => Facts::default(),
        };
        let ends = ends();
        let no = self.number();
        self.open.insert(cx.conn.key, Open { no, facts, ends, version });
    }

    fn selects(&self, cx: &Cx<'_>, event: &Event<'_>) -> bool {
        let open = self.open.get(&cx.conn.key);
        self.filter.matches(&Subject {
            conn: open.map(|open| open.no),
            opening: open.map_or(Opening::Missing, |open| Opening::Facts(&open.facts)),
            first_time: self.first_time,
            process: open.and_then(|open| open.ends.as_ref()),
            ..Subject::new(cx, event)
        })
    }
}

impl<S: Sink> Sink for FilterSink<S> {
    /// What the sink within wants, and payloads when the filter reads them. Frames are not added:
    /// a sink that does not ask for them would not expect them ([`Needs::frames`](super::Needs)).
    fn wants(&self) -> Wants {
        let inner = self.inner.wants();
        Wants { payload: inner.payload || self.filter.needs().payload, ..inner }
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if self.first_time.is_none() {
            self.first_time = begin(event).or(cx.origin.time);
        }
        self.learn(cx, event);
        let flow = if self.selects(cx, event) {
            self.inner.event(cx, event)
        } else {
            ControlFlow::Continue(())
        };
        if is_last(event) {
            self.open.remove(&cx.conn.key);
        }
        flow
    }
}

/// When the event's first byte came.
fn begin(event: &Event<'_>) -> Option<Timestamp> {
    match event {
        Event::Handshake(handshake) => {
            let request = handshake.request.as_ref().map(|head| head.begin);
            let begin = request.or(handshake.response.as_ref().map(|head| head.begin));
            begin.and_then(|origin| origin.time)
        }
        Event::Frame(frame) => frame.begin.time,
        Event::Message(message) => message.begin.time,
        Event::Gap(_) | Event::End(_) => None,
    }
}

/// Nothing of the same connection comes behind it.
const fn is_last(event: &Event<'_>) -> bool {
    match event {
        Event::End(_) => true,
        Event::Handshake(handshake) => handshake.last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Message, MessageKind, Outcome};
    use crate::filter::fixtures::{GAP, conn, cx, data, end, handshake, text};
    use crate::units::Origin;

    /// Writes down what it is given.
    #[derive(Debug)]
    struct Log(Vec<String>, Wants);

    impl Sink for Log {
        fn wants(&self) -> Wants {
            self.1
        }

        fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
            let flow = cx.conn.key.flow.0.0;
            self.0.push(match event {
                Event::Handshake(_) => format!("{flow} handshake"),
                Event::Message(message) => format!("{flow} {}", message.kind.name()),
                Event::Gap(_) => format!("{flow} gap"),
                Event::End(_) => format!("{flow} end"),
                Event::Frame(_) => format!("{flow} frame"),
            });
            if self.0.len() >= 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    fn sink(filter: &str) -> FilterSink<Log> {
        let inner = Log(Vec::new(), Wants { frames: false, payload: false });
        FilterSink::new(Filter::parse(filter).unwrap(), inner)
    }

    #[test]
    fn processes_that_become_known_late_count_from_then_on() {
        let owners = Owners::default();
        let mut sink = crate::process::Owned::new(sink("process == node"), owners.clone(), None);
        sink.inner_mut().owners = Some(owners.clone());
        let (conn, yes) = (conn(1), handshake(Outcome::Accepted));
        let mut event = |event: Event<'_>| sink.event(&cx(&conn), &event);
        assert!(event(Event::Handshake(&yes)).is_continue());
        assert!(event(Event::Message(&text("before"))).is_continue());
        let (client, server) = (conn.client, conn.server);
        owners.read_comment(&format!("wstap: client process node[7] ({client} > {server})"));
        assert!(event(Event::Message(&text("after"))).is_continue());
        assert_eq!(sink.into_inner().into_inner().0, ["1 text"]);
    }

    /// Two connections with a text, a ping and a gap each, and a refused attempt between them.
    fn run(filter: &str) -> Vec<String> {
        let mut sink = sink(filter);
        let hello = text("hello");
        let ping = data(MessageKind::Ping, b"");
        let (yes, no, end) = (handshake(Outcome::Accepted), handshake(Outcome::Rejected), end());
        let (one, two, three) = (conn(10), conn(20), conn(30));
        let mut other = yes.clone();
        if let Some(request) = &mut other.request {
            request.target = "/other".into();
        }
        let events = [
            (&one, Event::Handshake(&yes)),
            (&two, Event::Handshake(&no)),
            (&three, Event::Handshake(&other)),
            (&one, Event::Message(&hello)),
            (&three, Event::Message(&hello)),
            (&one, Event::Message(&ping)),
            (&three, GAP),
            (&one, Event::End(&end)),
            (&three, Event::End(&end)),
        ];
        for (conn, event) in &events {
            let _ = sink.event(&cx(conn), event);
        }
        assert!(sink.open.is_empty(), "nothing is kept behind the end");
        sink.into_inner().0
    }

    #[test]
    fn a_question_about_payloads_selects_messages_alone() {
        assert_eq!(run("text contains \"ell\""), ["10 text", "30 text"]);
        assert_eq!(run("kind == ping"), ["10 ping"]);
    }

    #[test]
    fn a_connection_is_selected_with_all_that_is_of_it() {
        assert_eq!(run("conn == 3"), ["30 handshake", "30 text", "30 gap", "30 end"]);
        assert_eq!(run("conn == 2"), ["20 handshake"]);
    }

    #[test]
    fn the_handshake_selects_what_follows_it() {
        let all = ["10 handshake", "10 text", "10 ping", "10 end"];
        assert_eq!(run("http.request.uri contains \"chat\" and outcome == accepted"), all);
        assert_eq!(run("kind == text and http.request.uri != \"/chat/room?id=1\""), ["30 text"]);
        assert_eq!(run("event == end and not path == \"/other\""), ["10 end"]);
    }

    #[test]
    fn events_of_a_connection_never_introduced_have_no_handshake() {
        let mut sink = sink("text and not outcome");
        let conn = conn(10);
        let _ = sink.event(&cx(&conn), &Event::Message(&text("x")));
        assert_eq!(sink.inner().0, ["10 text"]);
        assert_eq!(sink.conn_no(&conn.key), Some(ConnNo(1)));
    }

    #[test]
    fn payloads_are_wanted_when_the_filter_reads_them() {
        assert_eq!(sink("conn == 1").wants(), Wants { frames: false, payload: false });
        assert_eq!(sink("json.a == 1").wants(), Wants { frames: false, payload: true });
        assert_eq!(sink("fin").wants(), Wants { frames: false, payload: false });
        let mut all = sink("conn == 1");
        all.inner_mut().1 = Wants::ALL;
        assert_eq!(all.wants(), Wants::ALL);
    }

    #[test]
    fn time_is_relative_to_the_first_packet_where_that_is_known() {
        let later = Message { begin: Origin::default(), ..text("x") };
        let conn = conn(10);
        let cx = cx(&conn);
        let mut sink = sink("time_relative == 2");
        sink.set_first_time(Timestamp(cx.origin.time.unwrap().0 - 2_000_000_000));
        let _ = sink.event(&cx, &Event::Message(&later));
        assert_eq!(sink.inner().0.len(), 1);
    }

    #[test]
    fn a_break_of_the_sink_within_comes_back() {
        let mut sink = sink("tcp");
        let conn = conn(10);
        let flows: Vec<_> =
            (0..9).map(|_| sink.event(&cx(&conn), &Event::Message(&text("x")))).collect();
        assert!(flows[..8].iter().all(ControlFlow::is_continue));
        assert!(flows[8].is_break());
    }

    #[test]
    fn connections_without_end_are_forgotten_before_they_fill_memory() {
        let mut sink = sink("tcp");
        for flow in 0..MAX_OPEN as u64 + 10 {
            sink.inner_mut().0.clear();
            let _ = sink.event(&cx(&conn(flow)), &GAP);
        }
        assert!(sink.open.len() <= MAX_OPEN / 2 + 11, "{}", sink.open.len());
        assert!(sink.conn_no(&conn(MAX_OPEN as u64).key).is_some());
    }
}
