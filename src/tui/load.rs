//! How far loading is, and what is wished of it: between the thread that loads and the one that draws.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Packets read.
    pub packets: u64,
    /// Packets that were numbered before the first one in the recording.
    pub before: u64,
    /// Times at which all that was read had been written to the recording.
    pub written: u64,
    /// TCP connections in them.
    pub streams: u64,
    /// Part of the input that is read, 0 to 1; `None` where it has no known end.
    pub fraction: Option<f64>,
    /// Packets that the kernel had no room for; `None` where nobody counts.
    pub dropped: Option<u64>,
    /// How long ago the packet was captured that is read now, where that is worth a word.
    pub lag: Option<Duration>,
    /// What happened to the capture, with the time of day: drops, interfaces that go and come.
    pub news: Arc<Vec<String>>,
    /// Nothing more comes.
    pub done: bool,
    /// It ended because somebody wanted it to.
    pub stopped: bool,
    /// Why the rest can not be read; harmless.
    pub error: Option<String>,
    /// Why it ended early, though there was more to be read; harmless.
    pub failed: Option<String>,
    /// What packets without a WebSocket were, most first.
    pub skipped: Vec<(String, u64)>,
    /// TCP connections with TLS that could not be read.
    pub tls: u64,
}

impl Load {
    /// Why there is no more.
    pub fn complaint(&self) -> Option<String> {
        let unread = self.error.as_ref().map(|why| format!("the rest can not be read: {why}"));
        unread.or_else(|| Some(format!("it ended early: {}", self.failed.as_ref()?)))
    }
}

/// What is wished of the loading thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The list begins now; connections that are open stay.
    Clear,
    /// Everything begins now, the recording too.
    Restart,
}

/// Both ends of it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Loading {
    load: Arc<Mutex<Load>>,
    order: Arc<Mutex<Option<Order>>>,
    stop: Arc<AtomicBool>,
    bell: Arc<AtomicBool>,
}

/// How long a recording may take to be written.
const WRITTEN: Duration = Duration::from_secs(10);
/// News remembered.
const NEWS: usize = 1000;

impl Loading {
    /// How far it is now.
    pub fn now(&self) -> Load {
        self.lock().clone()
    }

    /// Tells how far it is.
    pub fn tell(&self, change: impl FnOnce(&mut Load)) {
        change(&mut self.lock());
    }

    /// Waits until what was read when it had been written `times` times is written too. Not for long: a
    /// loading thread that is held up does not keep what there is from being saved.
    pub fn wait_written(&self, times: u64) {
        let begin = Instant::now();
        while begin.elapsed() < WRITTEN {
            let load = self.lock();
            if load.done || load.written != times {
                return;
            }
            drop(load);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells what happened to the capture, with the time of day.
    pub fn news(&self, text: &str) {
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        let line = super::text::clean(&format!("{time} {text}"));
        let mut load = self.lock();
        let news = Arc::make_mut(&mut load.news);
        if news.len() >= NEWS {
            news.remove(0);
        }
        news.push(line);
    }

    /// Ends it soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Is it to end?
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Set when it is to end.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Wishes something; the last wish counts.
    pub fn order(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }

    /// What was wished and not done yet; taken once.
    pub fn take_order(&self) -> Option<Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Somebody is to be called.
    pub fn ring(&self) {
        self.bell.store(true, Ordering::Relaxed);
    }

    /// Was he called? Taken once.
    pub fn take_bell(&self) -> bool {
        self.bell.swap(false, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_saves_waits_for_what_was_read_to_be_written_and_not_for_what_is_over() {
        let loading = Loading::default();
        let writing = loading.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            writing.tell(|load| load.written += 1);
        });
        loading.wait_written(0);
        assert_eq!(loading.now().written, 1);
        thread.join().unwrap();
        loading.tell(|load| load.done = true);
        loading.wait_written(1);
    }
}
