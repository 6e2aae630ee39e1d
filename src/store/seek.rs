//! Finding rows, in the background: what a filter selects, what a search finds.
//!
//! Gets: a [`Query`]. Gives: the numbers of the rows that it selects, in order, as they are found.
//! Keeps: 4 bytes a row found. One thread a [`Seeker`]; a new query ends the one before it at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use memchr::memmem;

use super::record;
use super::replay::with_event;
use super::spool::Window;
use super::{Conn, Reader, Row, RowKind, Shelf, Snapshot};
use crate::event::{Cx, Event};
use crate::filter::{Filter, Opening, Subject, Unknown};
use crate::process::{Ends, Owners};

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Connections by index; `None`: all.
    pub conns: Option<Arc<BTreeSet<u32>>>,
    /// A display filter.
    pub filter: Option<Arc<Filter>>,
    /// No pings, pongs and keep-alives.
    pub no_heartbeats: bool,
    /// Bytes to be found in the payload.
    pub needle: Option<Arc<Needle>>,
    /// Rows before this one only; `None`: those that still come too.
    pub until: Option<usize>,
    /// Where the processes at the ends of connections are known.
    pub owners: Owners,
}

/// What a search looks for.
#[derive(Debug, Clone)]
pub enum Needle {
    /// Bytes.
    Bytes(Box<memmem::Finder<'static>>),
    /// What a pattern matches; letters in either case, for plain text without capitals.
    Pattern(regex::bytes::Regex),
}

impl Needle {
    /// Text as typed: letters in either case unless there are capitals in it.
    ///
    /// # Errors
    /// When it is too long to be a pattern.
    pub fn text(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_uppercase) {
            return Ok(Self::Bytes(Box::new(memmem::Finder::new(text.as_bytes()).into_owned())));
        }
        Self::pattern(&format!("(?i){}", regex::escape(text)))
    }

    /// A regular expression.
    ///
    /// # Errors
    /// When it is none.
    pub fn pattern(text: &str) -> Result<Self, String> {
        // The last line of the error says what is wrong; those above it draw where.
        regex::bytes::Regex::new(text).map(Self::Pattern).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("no regular expression");
            reason.trim_start_matches("error: ").to_owned()
        })
    }

    /// Hexadecimal digits, in pairs, white space between them as one likes.
    ///
    /// # Errors
    /// When there is something else among them.
    pub fn hex(text: &str) -> Result<Self, String> {
        let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b' ' | b':')).collect();
        let (pairs, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() || pairs.is_empty() {
            return Err("hexadecimal digits come in pairs".into());
        }
        let byte = |pair: &[u8; 2]| {
            let text = std::str::from_utf8(pair).ok().filter(|t| !t.contains('+'));
            text.and_then(|text| u8::from_str_radix(text, 16).ok())
        };
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.ok_or("only hexadecimal digits, like 81 05 4a")?;
        Ok(Self::Bytes(Box::new(memmem::Finder::new(&bytes).into_owned())))
    }

    /// Where it is first found.
    pub fn find(&self, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
        match self {
            Self::Bytes(finder) => {
                finder.find(bytes).map(|at| at..at.saturating_add(finder.needle().len()))
            }
            Self::Pattern(regex) => regex.find(bytes).map(|found| found.range()),
        }
    }
}

impl Query {
    /// Selects everything.
    pub const fn is_all(&self) -> bool {
        self.conns.is_none()
            && self.filter.is_none()
            && !self.no_heartbeats
            && self.needle.is_none()
    }

    /// Decided by row and connection alone; `None`: the record must be read.
    fn by_row(&self, row: &Row, conn: &Conn, snapshot: &Snapshot) -> Option<bool> {
        let index = u32::try_from(row.conn()).unwrap_or(u32::MAX);
        if self.conns.as_ref().is_some_and(|set| !set.contains(&index))
            || self.no_heartbeats && row.heartbeat()
        {
            return Some(false);
        }
        let filtered = self.filter.as_ref().map_or(Some(true), |filter| {
            let ends = self.ends(conn, filter);
            with_event(row, conn, None, |cx, event, unknown| {
                let subject = subject(cx, event, conn, snapshot, unknown);
                filter.decide_without_payload(&Subject { process: ends.as_ref(), ..subject })
            })
        });
        match (filtered, &self.needle) {
            (Some(true), Some(_)) if matches!(row.kind(), RowKind::Message(_)) => None,
            (Some(true), Some(_)) => Some(false),
            (decided, _) => decided,
        }
    }

    /// Decided with the record at hand.
    fn by_record(&self, row: &Row, conn: &Conn, snapshot: &Snapshot, bytes: &[u8]) -> bool {
        if let Some(needle) = &self.needle {
            let head = record::Head::read(bytes);
            let end = head.map_or(0, |head| record::HEAD.saturating_add(head.payload));
            if needle.find(bytes.get(record::HEAD..end).unwrap_or(&[])).is_none() {
                return false;
            }
        }
        let Some(filter) = &self.filter else { return true };
        let Some(record) = record::read(bytes, usize::MAX) else { return false };
        let ends = self.ends(conn, filter);
        with_event(row, conn, record.message(), |cx, event, _| {
            let subject = subject(cx, event, conn, snapshot, Unknown::default());
            filter.matches(&Subject { process: ends.as_ref(), ..subject })
        })
    }

    /// The processes at a connection's ends, where the filter asks for them.
    fn ends(&self, conn: &Conn, filter: &Filter) -> Option<Ends> {
        filter.needs().process.then(|| self.owners.of(&conn.info.key)).flatten()
    }

    /// Rows to be looked at, of so many.
    fn of(&self, rows: usize) -> usize {
        self.until.map_or(rows, |until| until.min(rows))
    }
}

fn subject<'a>(
    cx: &'a Cx<'a>,
    event: &'a Event<'a>,
    conn: &'a Conn,
    snapshot: &Snapshot,
    unknown: Unknown,
) -> Subject<'a> {
    Subject {
        conn: Some(conn.no),
        opening: conn.opening.as_deref().map_or(Opening::Missing, Opening::Whole),
        first_time: snapshot.first_time(),
        unknown,
        ..Subject::new(cx, event)
    }
}

/// Rows found so far.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Their numbers, ascending.
    pub rows: Shelf<u32, 16384>,
    /// Rows looked at.
    pub looked_at: usize,
}

/// Looks for rows, on a thread of its own.
#[derive(Debug)]
pub struct Seeker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    reader: Reader,
    state: Mutex<State>,
    wake: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Counts queries: results of an old one are thrown away.
    turn: u64,
    query: Option<Query>,
    found: Found,
}

/// Rows looked at before results are handed over.
const BATCH: usize = 4096;
/// How long to wait for more rows.
const PAUSE: Duration = Duration::from_millis(15);

impl Seeker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(reader: Reader) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            reader,
            state: Mutex::default(),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("seek".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks for something else from now on; `None`: for nothing.
    pub fn ask(&self, query: Option<Query>) {
        let mut state = self.shared.lock();
        state.turn += 1;
        state.query = query;
        state.found = Found::default();
        drop(state);
        self.shared.wake.notify_all();
    }

    /// What was found so far.
    pub fn found(&self) -> Found {
        self.shared.lock().found.clone()
    }
}

impl Drop for Seeker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic over there was shown already; nothing is left to be done about it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut window = Window::default();
        let mut epoch = 0;
        while !self.stop.load(Ordering::Acquire) {
            let (turn, query, from) = {
                let state = self.lock();
                (state.turn, state.query.clone(), state.found.looked_at)
            };
            let snapshot = query.as_ref().map(|_| self.reader.snapshot());
            if let Some(snapshot) = snapshot.as_ref().filter(|snapshot| snapshot.epoch != epoch) {
                // At its places there is something else now.
                (window, epoch) = (Window::default(), snapshot.epoch);
            }
            match (query, snapshot) {
                (Some(query), Some(snapshot)) if query.of(snapshot.rows.len()) > from => {
                    self.look(turn, &query, &snapshot, from, &mut window);
                }
                (query, _) => self.wait(turn, query.is_some()),
            }
        }
    }

    /// Sleeps until there is another query, or there may be more rows.
    fn wait(&self, turn: u64, busy: bool) {
        let state = self.lock();
        if state.turn == turn && !self.stop.load(Ordering::Acquire) {
            let pause = if busy { PAUSE } else { Duration::from_secs(1) };
            drop(self.wake.wait_timeout(state, pause));
        }
    }

    /// Looks at all rows of a snapshot, from one on, until there is another query.
    fn look(
        &self,
        turn: u64,
        query: &Query,
        snapshot: &Snapshot,
        from: usize,
        window: &mut Window,
    ) {
        let mut hits = Vec::new();
        let mut since = std::time::Instant::now();
        let end = query.of(snapshot.rows.len());
        for (at, row) in (from..end).zip(snapshot.rows.iter_from(from)) {
            if let Some(conn) = snapshot.conns.get(row.conn()) {
                let selected = query.by_row(row, conn, snapshot).unwrap_or_else(|| {
                    window
                        .record(self.reader.spool(), row.spool())
                        .is_some_and(|bytes| query.by_record(row, conn, snapshot, bytes))
                });
                if selected {
                    hits.extend(u32::try_from(at));
                }
            }
            let done = at + 1;
            let late = done % 64 == 0 && since.elapsed() > PAUSE;
            if done % BATCH == 0 || late || done == end {
                since = std::time::Instant::now();
                if !self.hand_over(turn, &mut hits, done) {
                    return;
                }
            }
        }
    }

    /// False when nobody asks for it any more.
    fn hand_over(&self, turn: u64, hits: &mut Vec<u32>, looked_at: usize) -> bool {
        let mut state = self.lock();
        if state.turn != turn || self.stop.load(Ordering::Acquire) {
            return false;
        }
        hits.drain(..).for_each(|hit| state.found.rows.push(hit));
        state.found.looked_at = looked_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::MessageKind;
    use crate::store::Keep;
    use crate::store::testing::Play;
    use crate::units::Direction;

    fn found(play: &Play, query: Query) -> Vec<u32> {
        let seeker = Seeker::new(play.reader.clone()).unwrap();
        seeker.ask(Some(query));
        let all = play.reader.size().rows;
        while seeker.found().looked_at < all {
            std::thread::yield_now();
        }
        seeker.found().rows.iter().copied().collect()
    }

    fn filter(text: &str) -> Query {
        Query { filter: Some(Arc::new(Filter::parse(text).unwrap())), ..Query::default() }
    }

    fn play() -> Play {
        let mut play = Play::new();
        play.open(1, "/a"); // row 0
        play.open(2, "/b");
        play.text(1, Direction::ToServer, r#"{"id":7}"#); // row 2
        play.text(2, Direction::ToClient, "Hello"); // row 3
        play.control(2, Direction::ToClient, MessageKind::Ping, b""); // row 4
        play.gap(1, Direction::ToClient, 9);
        play.end(1); // row 6
        play
    }

    #[test]
    fn a_filter_selects_by_row_by_payload_and_by_handshake() {
        let play = play();
        assert_eq!(found(&play, filter("kind == ping")), [4]);
        assert_eq!(found(&play, filter("json.id == 7")), [2]);
        assert_eq!(found(&play, filter("text contains \"ell\"")), [3]);
        assert_eq!(found(&play, filter("event == gap")), [5]);
        assert_eq!(found(&play, filter("conn == 2")), [1, 3, 4]);
        assert_eq!(found(&play, filter("http.request.uri == \"/a\" and len > 7")), [2]);
    }

    #[test]
    fn connections_and_heartbeats_are_left_out() {
        let play = play();
        let of_second = Some(Arc::new(BTreeSet::from([1])));
        let query = Query { conns: of_second, no_heartbeats: true, ..Query::default() };
        assert_eq!(found(&play, query), [1, 3]);
    }

    #[test]
    fn a_search_finds_text_hex_and_patterns() {
        let play = play();
        let search = |needle: Needle| {
            found(&play, Query { needle: Some(Arc::new(needle)), ..Query::default() })
        };
        assert_eq!(search(Needle::text("hello").unwrap()), [3]);
        assert_eq!(search(Needle::text("HELLO").unwrap()), [0_u32; 0]);
        assert_eq!(search(Needle::hex("69 64 22").unwrap()), [2]);
        assert_eq!(search(Needle::pattern("l+o|:7").unwrap()), [2, 3]);
        assert!(Needle::hex("6").is_err());
        assert!(Needle::hex("+f").is_err());
        assert!(Needle::pattern("(").unwrap_err().contains("unclosed"));
    }

    #[test]
    fn a_process_that_becomes_known_is_found() {
        use std::ops::ControlFlow;

        use crate::event::{Sink, Wants};
        use crate::process::Owned;
        use crate::units::Origin;

        struct Deaf;

        impl Sink for Deaf {
            fn wants(&self) -> Wants {
                Wants::ALL
            }

            fn event(&mut self, _: &Cx<'_>, _: &Event<'_>) -> ControlFlow<()> {
                ControlFlow::Continue(())
            }
        }

        let play = play();
        let owners = Owners::default();
        let query = || Query { owners: owners.clone(), ..filter("process == node") };
        // The handshake goes by, then a comment tells.
        let conn = Play::info(2);
        let opening = play.reader.snapshot().conns.get(1).unwrap().opening.clone().unwrap();
        let cx = Cx { conn: &conn, origin: Origin::default() };
        let mut owned = Owned::new(Deaf, owners.clone(), None);
        assert!(owned.event(&cx, &Event::Handshake(&opening)).is_continue());
        assert_eq!(found(&play, query()), [0_u32; 0]);
        let ends = format!("({} > {})", conn.client, conn.server);
        owners.read_comment(&format!("wstap: server process node[7] {ends} node a.js"));
        assert_eq!(found(&play, query()), [1, 3, 4]);
    }

    #[test]
    fn after_everything_was_forgotten_the_new_rows_are_found() {
        let mut play = play();
        let before = play.reader.spool().len();
        assert_eq!(found(&play, filter("text contains \"ell\"")), [3]);
        play.writer.clear(Keep::Open);
        assert!(before > 0 && play.reader.spool().is_empty());
        let snapshot = play.reader.snapshot();
        assert_eq!((snapshot.rows.len(), snapshot.conns.len(), snapshot.epoch), (0, 1, 1));
        let open = snapshot.conns.get(0).unwrap();
        assert_eq!((open.no.0, open.target(), open.messages()), (1, "/b", 0));
        play.text(2, Direction::ToServer, "well");
        assert_eq!(found(&play, filter("text contains \"ell\"")), [0]);
        assert_eq!(play.reader.snapshot().conns.get(0).unwrap().messages(), 1);
        play.writer.clear(Keep::Nothing);
        assert_eq!(play.reader.snapshot().conns.len(), 0);
        play.text(2, Direction::ToServer, "unseen");
        assert!(play.reader.snapshot().conns.get(0).unwrap().opening.is_none());
    }

    #[test]
    fn rows_after_the_last_that_is_wanted_are_left_alone() {
        let mut play = play();
        let query = Query { until: Some(7), ..filter("kind == text") };
        play.text(2, Direction::ToServer, "more");
        let seeker = Seeker::new(play.reader.clone()).unwrap();
        seeker.ask(Some(query));
        while seeker.found().looked_at < 7 {
            std::thread::yield_now();
        }
        assert_eq!(seeker.found().rows.iter().copied().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn rows_that_come_later_are_found_too() {
        let mut play = play();
        let seeker = Seeker::new(play.reader.clone()).unwrap();
        seeker.ask(Some(filter("kind == text")));
        while seeker.found().looked_at < 7 {
            std::thread::yield_now();
        }
        play.text(2, Direction::ToServer, "more");
        while seeker.found().looked_at < 8 {
            std::thread::yield_now();
        }
        assert_eq!(seeker.found().rows.iter().copied().collect::<Vec<_>>(), [2, 3, 7]);
    }
}
