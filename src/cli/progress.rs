//! How far long work has come, with the time that is left: on standard error, and only while a person looks on. Piped or
//! logged, nothing is written at all. Never writes to standard output, and never delays or fails the work.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter work needs no bar: it would only flicker.
const SHOWN_AFTER: Duration = Duration::from_millis(400);
/// Smooth for the eye, nothing for a terminal over a thin link.
const DRAWN_PER_SECOND: u8 = 5;
const TICK: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    began: Instant,
    /// None: it is on the screen, or never will be.
    shown_after: std::cell::Cell<Option<Duration>>,
}

impl Progress {
    /// What is counted has no unit that people know: shares of the whole.
    pub fn of(what: &'static str, total: u64) -> Self {
        let style = "{prefix} [{bar:30}] {percent:>3} %  {msg}  {eta} left ";
        Progress::new(what, Some(total), style, is_watched())
    }

    /// As [`Progress::of`], of work whose result may go to standard output, piece by piece: two writers on one terminal would
    /// mix.
    pub fn of_output(what: &'static str, total: u64, prints: bool) -> Self {
        let progress = Progress::of(what, total);
        if prints && io::stdout().is_terminal() {
            progress.shown_after.set(None);
        }
        progress
    }

    /// Of a file that is read. `total` None: it is not known, as of what comes through a pipe.
    pub fn bytes(what: &'static str, total: Option<u64>) -> Self {
        Progress::reading(what, total, is_watched())
    }

    /// As [`Progress::bytes`], of work that prints as it goes.
    pub fn bytes_beside_output(what: &'static str, total: Option<u64>) -> Self {
        Progress::reading(what, total, is_watched() && !io::stdout().is_terminal())
    }

    fn reading(what: &'static str, total: Option<u64>, watched: bool) -> Self {
        let style = match total {
            Some(_) => "{prefix} [{bar:30}] {percent:>3} %  {msg}  {eta} left ",
            None => "{prefix}: {binary_bytes}, {elapsed}  {msg} ",
        };
        Progress::new(what, total, style, watched)
    }

    fn new(what: &'static str, total: Option<u64>, style: &str, watched: bool) -> Self {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(style).expect("our own templates are whole");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(what);
        let shown_after = std::cell::Cell::new(watched.then_some(SHOWN_AFTER));
        Progress { bar, began: Instant::now(), shown_after }
    }

    /// So much is done.
    pub fn at(&self, done: u64) {
        if self.shown_after.get().is_some_and(|after| self.began.elapsed() >= after) {
            self.shown_after.set(None);
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND));
        }
        self.bar.set_position(done);
    }

    /// The total became known, or better known.
    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// A few words beside the bar.
    pub fn say(&self, words: impl Into<std::borrow::Cow<'static, str>>) {
        self.bar.set_message(words);
    }

    /// Counts what is read through it.
    pub fn watch<R: Read>(&self, inner: R) -> Watched<'_, R> {
        Watched { inner, read: 0, progress: self }
    }
}

impl Drop for Progress {
    /// The line goes: what comes after it begins at the left.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

pub struct Watched<'a, R> {
    inner: R,
    read: u64,
    progress: &'a Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.read += read as u64;
        self.progress.at(self.read);
        Ok(read)
    }
}

/// While somebody else works, such as the service: that it goes on, and for how long already.
pub struct Waiting {
    /// Dropped: the work is over.
    over: Option<mpsc::Sender<()>>,
    painter: Option<JoinHandle<()>>,
}

impl Waiting {
    pub fn on(what: &'static str) -> Self {
        if !is_watched() {
            return Waiting { over: None, painter: None };
        }
        let (over, is_over) = mpsc::channel::<()>();
        let painter = std::thread::spawn(move || {
            if is_over.recv_timeout(SHOWN_AFTER) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND));
            let style =
                ProgressStyle::with_template("{spinner} {prefix}: {elapsed} ").expect("our own template is whole");
            bar.set_style(style.tick_chars("|/-\\ "));
            bar.set_prefix(what);
            while is_over.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        });
        Waiting { over: Some(over), painter: Some(painter) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.over = None;
        if let Some(painter) = self.painter.take() {
            // It only paints: if it failed, there is nothing to tell.
            let _ = painter.join();
        }
    }
}

/// Somebody sees standard error, and the terminal can move its cursor.
fn is_watched() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}
