//! A line on the terminal that says how far a run has come; nothing anywhere else.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::Progress;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(100);

/// Draws the line until it is dropped.
pub(crate) struct Watch {
    /// Dropped to end the thread.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches counters of bytes and records, `total` bytes being all.
    pub(crate) fn start(what: &'static str, total: u64, progress: Arc<Progress>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Watch { alive: None, thread: None };
        }
        let (alive, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let bar = bar(what, total);
            let start = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
                let bytes = progress.bytes.load(Ordering::Relaxed);
                let records = progress.records.load(Ordering::Relaxed);
                let seconds = start.elapsed().as_secs_f64();
                bar.set_position(bytes.min(total));
                let rate = HumanBytes((bytes as f64 / seconds) as u64);
                let rows = rows_per_second(records as f64 / seconds);
                bar.set_message(format!("{rows}, {rate}/s{}", eta(bytes, total, seconds)));
            }
            bar.finish_and_clear();
        });
        Watch { alive: Some(alive), thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: if it panicked, the run is none the worse.
            let _ = thread.join();
        }
    }
}

/// A bar of `total` units, drawn on a terminal only.
pub(crate) fn bar(what: &'static str, total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3}%  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ");
    ProgressBar::new(total).with_style(style).with_prefix(what)
}

/// What is left to wait, once that can be told.
fn eta(bytes: u64, total: u64, seconds: f64) -> String {
    if bytes == 0 || seconds < 1.0 || bytes >= total {
        return String::new();
    }
    let left = (seconds * (total - bytes) as f64 / bytes as f64).ceil() as u64;
    match left {
        0..60 => format!(", {left} s left"),
        60..3600 => format!(", {} min {} s left", left / 60, left % 60),
        _ => format!(", {} h {} min left", left / 3600, left / 60 % 60),
    }
}

/// A rate such as `1.2 M rows/s`.
pub(crate) fn rows_per_second(rate: f64) -> String {
    match rate {
        1e6.. => format!("{:.1} M rows/s", rate / 1e6),
        1e3.. => format!("{:.0} k rows/s", rate / 1e3),
        _ => format!("{rate:.0} rows/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_short() {
        assert_eq!(rows_per_second(1_234_567.0), "1.2 M rows/s");
        assert_eq!(rows_per_second(45_678.0), "46 k rows/s");
        assert_eq!(rows_per_second(9.0), "9 rows/s");
        assert_eq!(eta(50, 100, 10.0), ", 10 s left");
        assert_eq!(eta(10, 100, 10.0), ", 1 min 30 s left");
        assert_eq!(eta(1, 1001, 10.0), ", 2 h 46 min left");
        assert_eq!(eta(0, 100, 10.0) + &eta(100, 100, 9.0) + &eta(1, 100, 0.1), "");
    }
}
