//! The thread that gathers lines into batches and writes them to files. Never waits for the network.
//!
//! What `push` hands over stands in a bounded queue, then in the packer of its bucket, then, when the batch is full, old
//! enough or flushed, in a file. Up to `flush` a kill loses what is not yet in a file; the caller has its own journal for that.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::batch::{self, BatchFile, Packer};
use super::lines::lines;
use super::stats::{DropReason, InfluxStats};
use super::waiting::{Shared, Waiting};
use crate::domain::Bucket;

/// Pushes that wait for the thread. Full: [`SpoolHandle::push`] waits for the disk. A push is what one small batch of the
/// service came to, so this is several seconds of work.
pub(super) const PUSHES_WAITING: usize = 256;

/// Files that wait for a flush to be made safe. Above, they are without one: the list must not grow for ever.
const UNSYNCED_MAX: usize = 256;

/// Loss is told at once, then once so often with the sum.
const TELL_LOSS_EVERY: Duration = Duration::from_secs(60);

pub(super) enum Message {
    Lines(Bucket, Vec<u8>, u32),
    /// Answered by being dropped, when all that came before is in files.
    Flush(SyncSender<()>),
    /// As `Flush`, and the thread ends.
    End,
}

/// Takes lines from the judge's thread.
#[derive(Clone)]
pub struct SpoolHandle {
    pub(super) to_spool: SyncSender<Message>,
    pub(super) shared: Arc<Shared>,
}

impl SpoolHandle {
    /// Lines with times in ms, each with its line feed; `points`: how many. Never waits for the network; waits for the disk
    /// only when 256 pushes wait already. After the end they are counted as dropped.
    pub fn push(&self, bucket: Bucket, lines: Vec<u8>, points: u32) {
        if points > 0 && self.to_spool.send(Message::Lines(bucket, lines, points)).is_err() {
            self.shared.count_drop(bucket, DropReason::Disk, u64::from(points));
        }
    }

    /// Returns when all that was pushed before is in files, safe against kill -9 and a power cut; what the disk did not take
    /// is counted as dropped.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(0);
        if self.to_spool.send(Message::Flush(done)).is_ok() {
            // An error is the answer: the thread has let go of its end.
            let _ = wait.recv();
        }
    }

    pub fn stats(&self) -> InfluxStats {
        self.shared.stats()
    }
}

pub(super) struct Limits {
    pub spool: PathBuf,
    pub max_bytes: u64,
    pub batch_points: usize,
    pub batch_every: Duration,
}

/// What is being gathered for one bucket.
struct Gathering {
    bucket: Bucket,
    packer: Packer,
    points: u32,
    due: Instant,
}

pub(super) struct Spool {
    limits: Limits,
    shared: Arc<Shared>,
    next: u64,
    gathering: Vec<Gathering>,
    unsynced: Vec<BatchFile>,
    full: Loss,
    disk: Loss,
}

impl Spool {
    pub(super) fn new(limits: Limits, shared: Arc<Shared>, next: u64) -> Spool {
        let (full, disk) = (Loss::default(), Loss::default());
        Spool { limits, shared, next, gathering: Vec::new(), unsynced: Vec::new(), full, disk }
    }

    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        // What was found at the start may be above a bound that was lowered since.
        self.make_room(0);
        loop {
            let due = self.gathering.iter().map(|g| g.due).min();
            let message = match due {
                Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Lines(bucket, lines, points)) => self.gather(bucket, &lines, points),
                Ok(Message::Flush(done)) => {
                    self.flush();
                    drop(done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.flush();
                    return;
                }
            }
            // Also when messages never cease.
            let now = Instant::now();
            while let Some(at) = self.gathering.iter().position(|g| g.due <= now) {
                self.close(at);
            }
        }
    }

    fn gather(&mut self, bucket: Bucket, body: &[u8], points: u32) {
        let most = u32::try_from(self.limits.batch_points).unwrap_or(u32::MAX).max(1);
        let at = self.gathering_of(bucket);
        if self.gathering[at].points.saturating_add(points) <= most {
            self.gathering[at].packer.add(body);
            self.gathering[at].points += points;
            self.close_if_full(at, most);
            return;
        }
        let mut rest = lines(body).peekable();
        while rest.peek().is_some() {
            let at = self.gathering_of(bucket);
            let room = most - self.gathering[at].points;
            let piece: Vec<_> = rest.by_ref().take(room as usize).collect();
            if let (Some(first), Some(last)) = (piece.first(), piece.last()) {
                self.gathering[at].packer.add(&body[first.start..last.end]);
                self.gathering[at].points += piece.len() as u32;
            }
            self.close_if_full(at, most);
        }
    }

    fn gathering_of(&mut self, bucket: Bucket) -> usize {
        if let Some(at) = self.gathering.iter().position(|g| g.bucket == bucket) {
            return at;
        }
        let due = Instant::now() + self.limits.batch_every;
        self.gathering.push(Gathering { bucket, packer: Packer::new(), points: 0, due });
        self.gathering.len() - 1
    }

    fn close_if_full(&mut self, at: usize, most: u32) {
        if self.gathering[at].points >= most {
            self.close(at);
        }
    }

    /// Makes a file of what is gathered there.
    fn close(&mut self, at: usize) {
        let Gathering { bucket, packer, points, due: _ } = self.gathering.swap_remove(at);
        let bytes = packer.finish();
        let file = BatchFile { number: self.next, bucket, points };
        self.make_room(bytes.len() as u64);
        match file.write(&self.limits.spool, &bytes) {
            Ok(()) => {
                self.next += 1;
                self.unsynced.push(file);
                if self.unsynced.len() >= UNSYNCED_MAX {
                    self.sync();
                }
                let born = Instant::now();
                self.shared.add(Waiting { file, bytes: bytes.len() as u64, born, restored: false });
            }
            Err(e) => {
                self.shared.count_drop(bucket, DropReason::Disk, u64::from(points));
                let error = format!("cannot write to {}: {e}", self.limits.spool.display());
                self.shared.tell_error(bucket, error.clone());
                if let Some(lost) = self.disk.tell(u64::from(points)) {
                    tracing::error!(
                        "history: {error}; {lost} points for InfluxDB are lost; free space there, or give the service's user \
                         the right to write"
                    );
                }
            }
        }
    }

    fn make_room(&mut self, bytes: u64) {
        let gone = self.shared.make_room(bytes, self.limits.max_bytes);
        for file in &gone {
            if let Err(e) = file.remove(&self.limits.spool) {
                tracing::warn!("history: cannot remove {}: {e}", file.path(&self.limits.spool).display());
            }
        }
        let points: u64 = gone.iter().map(|f| u64::from(f.points)).sum();
        if points > 0
            && let Some(lost) = self.full.tell(points)
        {
            tracing::warn!(
                "history: the spool {} is full ({} MiB): the oldest {lost} points for InfluxDB are dropped; bring InfluxDB back, \
                 or raise spool_max_mb in [influx]",
                self.limits.spool.display(),
                self.limits.max_bytes >> 20
            );
        }
    }

    fn flush(&mut self) {
        while !self.gathering.is_empty() {
            self.close(0);
        }
        self.sync();
    }

    fn sync(&mut self) {
        if let Err(e) = batch::sync(&self.limits.spool, &mut self.unsynced) {
            tracing::warn!(
                "history: cannot make {} safe against a power cut: {e}; look at that disk",
                self.limits.spool.display()
            );
        }
    }
}

/// Points that were lost and not told yet.
#[derive(Default)]
struct Loss {
    points: u64,
    told: Option<Instant>,
}

impl Loss {
    /// The sum, if it is time to tell it.
    fn tell(&mut self, points: u64) -> Option<u64> {
        self.points += points;
        if self.told.is_some_and(|told| told.elapsed() < TELL_LOSS_EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.points))
    }
}
