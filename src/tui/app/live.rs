//! A capture that goes on: pause, clear, restart, and what happens to it meanwhile.
//!
//! ```text
//!  packets -> store -> snapshot -> screen      P: the snapshot stays as it is; packets are held
//!          \-> recording                       Ctrl-L: the store is emptied; the recording goes on
//!                                              Ctrl-R: both are emptied
//! ```

use super::{App, Effect, Overlay};
use crate::sink::text::counted;
use crate::tui::load::Order;

impl App {
    /// Takes what the store has now, unless the screen stands still.
    pub(super) fn take_in(&mut self) {
        let size = self.reader.size();
        let forgotten = size.epoch != self.snapshot.epoch;
        if forgotten || self.paused.is_none() && size != self.snapshot.size() {
            self.snapshot = self.reader.snapshot();
        }
        if forgotten {
            self.forget();
        }
        let version = self.owners.version();
        let asks = self.filter.as_ref().is_some_and(|(_, filter)| filter.needs().process);
        if self.owners_seen != version && asks {
            self.requery();
        }
        self.owners_seen = version;
        self.tell_news();
    }

    /// What happened to the capture since somebody was told.
    fn tell_news(&mut self) {
        let news = std::sync::Arc::clone(&self.load.news);
        // Old news go when there are too many: the newest one is still the last.
        if self.told != news.len()
            && let Some(last) = news.last()
        {
            self.told = news.len();
            self.warn(last);
        }
    }

    /// The store was emptied: numbers of rows and connections mean nothing any more.
    fn forget(&mut self) {
        self.paused = None;
        self.current = None;
        self.list.scope = super::Scope::All;
        self.list.cursor = super::Cursor::default();
        self.list.marks.clear();
        self.list.held = 0;
        self.list.anchor = None;
        self.list.awaited = None;
        self.conns.forget();
        self.detail.clear();
        self.screen_at = super::Cursor::default();
        self.stats = super::Stats::default();
        self.previews.borrow_mut().clear();
        self.requery();
    }

    /// The screen stands still; what comes is loaded, recorded and saved all the same.
    pub(super) fn pause(&mut self) {
        if self.paused.take().is_some() {
            // What was looked for meanwhile was looked for in what was shown.
            self.requery();
            return self.say("going on");
        }
        if self.load.done {
            return self.say("nothing more comes");
        }
        self.paused = Some(self.load.packets);
        // Nothing found is beyond what is shown, now and later.
        self.snapshot = self.reader.snapshot();
        if self.seeking() {
            self.requery();
        }
        self.say("paused: what comes is held, and recorded; P goes on");
    }

    /// Packets that came while the screen stands still.
    pub fn held(&self) -> Option<u64> {
        self.paused.map(|then| self.load.packets.saturating_sub(then))
    }

    pub(super) fn clear(&mut self) {
        if self.load.done {
            return self.say("nothing more comes: the list would stay empty");
        }
        self.cleared = true;
        self.effects.push(Effect::Order(Order::Clear));
        self.say("the list begins now");
    }

    pub(super) fn restart(&mut self) {
        if self.load.done {
            self.say("nothing more comes: the list would stay empty");
        } else if self.loses() {
            self.overlay = Some(Overlay::Restart);
        } else {
            self.begin_anew();
        }
    }

    pub(super) fn begin_anew(&mut self) {
        self.overlay = None;
        self.cleared = false;
        self.effects.push(Effect::Order(Order::Restart));
        self.say(if self.written.is_some() {
            "the list begins now; the file of -w keeps everything"
        } else {
            "everything begins now"
        });
    }

    /// What is known of the capture, a line each: what it is, and what there is to say of it.
    pub fn capture(&self) -> Vec<(&'static str, String)> {
        let load = &self.load;
        let mut lines = vec![
            ("Source", self.name.clone()),
            ("Filter", self.capture_filter.clone().unwrap_or_default()),
            ("Seen", counted(load.packets, "packet")),
            ("", counted(load.streams, "TCP connection")),
        ];
        lines.retain(|(_, text)| !text.is_empty());
        if let Some(dropped) = load.dropped {
            lines.push(("Dropped", counted(dropped, "packet")));
        }
        if let Some(lag) = load.lag {
            lines.push(("Behind", format!("{:.1} s", lag.as_secs_f64())));
        }
        if let Some(held) = self.held() {
            lines.push(("Paused", format!("{} held", counted(held, "packet"))));
        }
        if let Some(path) = &self.written {
            lines.push(("Written", format!("to {}", path.display())));
        }
        if let Some(path) = &self.recorded {
            let kept = if self.unsaved {
                "until it is saved or given up"
            } else {
                "to read payloads again; it goes when wstap ends"
            };
            lines.push(("Recorded", format!("in {}, {kept}", path.display())));
        }
        if self.saved() > 0 {
            lines.push(("Saved", format!("the first {}", counted(self.saved(), "packet"))));
        }
        let state = match (load.done, load.stopped) {
            (false, _) => "going on",
            (true, true) => "stopped",
            (true, false) if load.failed.is_some() => "ended early",
            (true, false) => "at its end",
        };
        lines.push(("State", state.to_owned()));
        let errors = load.error.iter().chain(&load.failed);
        lines.extend(errors.map(|error| ("Error", error.clone())));
        let happened = load.news.iter().rev();
        lines.extend(happened.map(|news| ("Happened", news.clone())));
        lines.into_iter().map(|(name, text)| (name, crate::tui::text::clean(&text))).collect()
    }
}
