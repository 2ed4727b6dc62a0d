//! The index of the batches that wait in the spool, and the counters: what the spool's thread and the deliveries share.
//! Never touches a file: it says which are to be written, sent or removed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::batch::BatchFile;
use super::stats::{BucketStats, Delivery, DropReason, InfluxStats};
use super::verdict::{Outcome, Verdict};
use crate::domain::Bucket;

/// What a file costs on disk at least: one block. Many small files fill a disk, too.
const BLOCK_BYTES: u64 = 4096;

#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub file: BatchFile,
    pub bytes: u64,
    pub born: Instant,
    /// Written before this start: it may have been cut short by a power cut.
    pub restored: bool,
}

impl Waiting {
    fn disk_bytes(&self) -> u64 {
        self.bytes.next_multiple_of(BLOCK_BYTES)
    }
}

#[derive(Default)]
struct Queue {
    batches: BTreeMap<u64, Waiting>,
    /// The first of them are being sent: they are not dropped meanwhile, so that nothing is counted twice.
    in_flight: Vec<u64>,
    points: u64,
    bytes: u64,
    disk_bytes: u64,
    stats: BucketStats,
}

impl Queue {
    fn add(&mut self, batch: Waiting) {
        self.points += u64::from(batch.file.points);
        self.bytes += batch.bytes;
        self.disk_bytes += batch.disk_bytes();
        self.batches.insert(batch.file.number, batch);
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let batch = self.batches.remove(&number)?;
        self.points -= u64::from(batch.file.points);
        self.bytes -= batch.bytes;
        self.disk_bytes -= batch.disk_bytes();
        Some(batch)
    }

    fn oldest_free(&self) -> Option<u64> {
        self.batches.keys().copied().find(|n| !self.in_flight.contains(n))
    }
}

pub(super) struct Shared {
    queues: Mutex<BTreeMap<Bucket, Queue>>,
    came: BTreeMap<Bucket, Notify>,
}

impl Shared {
    pub(super) fn new(found: Vec<Waiting>) -> Shared {
        let mut queues: BTreeMap<Bucket, Queue> = Bucket::ALL.iter().map(|b| (*b, Queue::default())).collect();
        for batch in found {
            queues.entry(batch.file.bucket).or_default().add(batch);
        }
        let came = Bucket::ALL.iter().map(|b| (*b, Notify::new())).collect();
        Shared { queues: Mutex::new(queues), came }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<Bucket, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, bucket: Bucket, change: impl FnOnce(&mut Queue) -> T) -> T {
        change(self.queues().entry(bucket).or_default())
    }

    /// A new file is whole.
    pub(super) fn add(&self, batch: Waiting) {
        let bucket = batch.file.bucket;
        self.with(bucket, |q| q.add(batch));
        if let Some(came) = self.came.get(&bucket) {
            came.notify_one();
        }
    }

    /// Makes room for so many bytes: takes the oldest batches of all buckets off the list and counts them. Their files are
    /// the caller's to remove.
    pub(super) fn make_room(&self, bytes: u64, bound: u64) -> Vec<BatchFile> {
        let mut queues = self.queues();
        let mut gone = Vec::new();
        let bytes = bytes.next_multiple_of(BLOCK_BYTES);
        while queues.values().map(|q| q.disk_bytes).sum::<u64>() + bytes > bound {
            let oldest = queues.iter().filter_map(|(b, q)| q.oldest_free().map(|n| (n, *b))).min();
            let Some((number, bucket)) = oldest else { break };
            let queue = queues.entry(bucket).or_default();
            let batch = queue.remove(number).expect("the oldest was just found in it");
            queue.stats.dropped_full += u64::from(batch.file.points);
            gone.push(batch.file);
        }
        gone
    }

    /// The oldest batches that fit into one write: at least one, together at most `points`. Until [`Shared::settle`] or
    /// [`Shared::put_back`] they are not dropped. Empty: none waits.
    pub(super) fn take(&self, bucket: Bucket, points: usize) -> Vec<Waiting> {
        self.with(bucket, |q| {
            let mut sum = 0;
            let fits = |batch: &&Waiting| {
                sum += batch.file.points as usize;
                sum == batch.file.points as usize || sum <= points
            };
            let taken: Vec<Waiting> = q.batches.values().take_while(fits).cloned().collect();
            q.in_flight = taken.iter().map(|b| b.file.number).collect();
            taken
        })
    }

    /// Nothing came of them: they wait on, and may be dropped again.
    pub(super) fn put_back(&self, bucket: Bucket) {
        self.with(bucket, |q| q.in_flight.clear());
    }

    /// What was taken is over: its points are counted, and it no longer waits.
    pub(super) fn settle(&self, bucket: Bucket, tally: &Tally) {
        self.with(bucket, |q| {
            for number in std::mem::take(&mut q.in_flight) {
                q.remove(number);
            }
            q.stats.written += tally.written;
            q.stats.refused += tally.refused;
            q.stats.unprocessable += tally.unprocessable;
            q.stats.dropped_disk += tally.unreadable;
        });
    }

    pub(super) async fn came(&self, bucket: Bucket) {
        match self.came.get(&bucket) {
            Some(came) => came.notified().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn count_drop(&self, bucket: Bucket, why: DropReason, points: u64) {
        self.with(bucket, |q| match why {
            DropReason::Full => q.stats.dropped_full += points,
            DropReason::Disk => q.stats.dropped_disk += points,
        });
    }

    pub(super) fn count_try(&self, bucket: Bucket, verdict: &Verdict, took: Duration) {
        self.with(bucket, |q| {
            *q.stats.tries.entry(verdict.outcome).or_default() += 1;
            match verdict.outcome {
                Outcome::Timeout | Outcome::Unreachable => {}
                Outcome::Written
                | Outcome::Refused
                | Outcome::TooLarge
                | Outcome::Unprocessable
                | Outcome::Held
                | Outcome::Busy => {
                    q.stats.write_seconds_sum += took.as_secs_f64();
                    q.stats.write_seconds_count += 1;
                }
            }
            if verdict.outcome != Outcome::Written {
                q.stats.last_error = Some(verdict.text.clone());
            }
        });
    }

    pub(super) fn tell_error(&self, bucket: Bucket, text: String) {
        self.with(bucket, |q| q.stats.last_error = Some(text));
    }

    /// Returns how it was before.
    pub(super) fn set_delivery(&self, bucket: Bucket, delivery: Delivery) -> Delivery {
        self.with(bucket, |q| std::mem::replace(&mut q.stats.delivery, delivery))
    }

    pub(super) fn waiting_points(&self, bucket: Bucket) -> u64 {
        self.with(bucket, |q| q.points)
    }

    pub(super) fn stats(&self) -> InfluxStats {
        let queues = self.queues();
        let of = |q: &Queue| {
            let mut stats = q.stats.clone();
            stats.waiting_points = q.points;
            stats.waiting_bytes = q.bytes;
            stats.lag = q.batches.values().next().map(|b| b.born.elapsed()).unwrap_or_default();
            for outcome in Outcome::ALL {
                stats.tries.entry(outcome).or_default();
            }
            stats
        };
        InfluxStats { buckets: queues.iter().map(|(bucket, q)| (*bucket, of(q))).collect() }
    }
}

/// What became of the points of one write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub written: u64,
    pub refused: u64,
    pub unprocessable: u64,
    pub unreadable: u64,
}
