//! A bar on standard error when a file takes longer than a second.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::Progress;

/// Asked so often that the clock does not count.
const EVERY: u64 = 4096;
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a file is read.
pub(super) struct Bar {
    /// `None`: not to be shown.
    progress: Option<Progress>,
    begun: Instant,
    /// Packets at which it looks again.
    next: u64,
    shown: Option<ProgressBar>,
}

impl Bar {
    /// Shown only where it disturbs nothing: standard error is a terminal, standard output is not (the
    /// lines there are progress enough).
    pub(super) fn new(progress: Option<Progress>) -> Self {
        let quiet = io::stdout().is_terminal() || !io::stderr().is_terminal();
        let progress = progress.filter(|p| !quiet && p.total().is_some());
        Self { progress, begun: Instant::now(), next: EVERY, shown: None }
    }

    /// After each packet, or several.
    pub(super) fn tick(&mut self, packets: u64) {
        let Some(progress) = &self.progress else { return };
        if packets < self.next {
            return;
        }
        self.next = packets.saturating_add(EVERY);
        if self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.shown.get_or_insert_with(|| new_bar(progress.total().unwrap_or(0)));
        bar.set_position(progress.read());
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
