//! How far loading is, between the thread that loads and the one that draws.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Packets read.
    pub packets: u64,
    /// TCP connections in them.
    pub streams: u64,
    /// Part of the input that is read, 0 to 1; `None` where it has no known end.
    pub fraction: Option<f64>,
    /// Nothing more comes.
    pub done: bool,
    /// It ended because somebody wanted it to.
    pub stopped: bool,
    /// Why the rest can not be read; harmless.
    pub error: Option<String>,
    /// What packets without a WebSocket were, most first.
    pub skipped: Vec<(String, u64)>,
}

/// Both ends of it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Loading {
    load: Arc<Mutex<Load>>,
    stop: Arc<AtomicBool>,
}

impl Loading {
    /// How far it is now.
    pub fn now(&self) -> Load {
        self.lock().clone()
    }

    /// Tells how far it is.
    pub fn tell(&self, change: impl FnOnce(&mut Load)) {
        change(&mut self.lock());
    }

    /// Ends it soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Is it to end?
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
