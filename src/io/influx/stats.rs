//! What became of the points, counted. Never decides anything.

use std::collections::BTreeMap;
use std::time::Duration;

use super::verdict::Outcome;
use crate::domain::Bucket;

/// Why points were given up before they reached InfluxDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The spool had reached its bound; the oldest went.
    Full,
    /// The disk did not take them, or did not give them back.
    Disk,
}

impl DropReason {
    pub const ALL: [DropReason; 2] = [DropReason::Full, DropReason::Disk];

    /// As a label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::Full => "full",
            DropReason::Disk => "disk",
        }
    }
}

/// ```text
///            ┌────1────▶ Up ◀───1────┐
/// Untried ───┼────2────▶ Away ◀──2───┼── each to each, at every try
///            └────3────▶ Held ◀──3───┘
/// 1 the server took a batch, or refused its lines one by one
/// 2 429, 5xx, timeout, no connection: tried again by itself, ever more slowly
/// 3 401, 403, 404: tried again at the slowest pace until a person has mended it
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    #[default]
    Untried,
    Up,
    Away,
    Held,
}

/// Since the start, apart from what waits: that is now.
#[derive(Debug, Clone, Default)]
pub struct BucketStats {
    pub delivery: Delivery,
    pub written: u64,
    pub dropped_full: u64,
    pub dropped_disk: u64,
    /// Set aside in `refused.lp`.
    pub refused: u64,
    /// Outside the bucket's retention, or of another type than before; InfluxDB says so with 422.
    pub unprocessable: u64,
    /// In files; what is still being gathered is not counted.
    pub waiting_points: u64,
    /// As the files' contents are long.
    pub waiting_bytes: u64,
    /// Age of the oldest waiting batch; zero when none waits.
    pub lag: Duration,
    pub tries: BTreeMap<Outcome, u64>,
    /// Of the tries that ended with an answer.
    pub write_seconds_sum: f64,
    pub write_seconds_count: u64,
    /// The last thing that went wrong. It stays after it is mended: see `delivery` for how it is now.
    pub last_error: Option<String>,
}

/// A snapshot.
#[derive(Debug, Clone, Default)]
pub struct InfluxStats {
    pub buckets: BTreeMap<Bucket, BucketStats>,
}

impl InfluxStats {
    pub fn of(&self, bucket: Bucket) -> BucketStats {
        self.buckets.get(&bucket).cloned().unwrap_or_default()
    }

    fn sum(&self, pick: impl Fn(&BucketStats) -> u64) -> u64 {
        self.buckets.values().map(pick).sum()
    }

    pub fn written(&self) -> u64 {
        self.sum(|b| b.written)
    }

    pub fn dropped(&self, why: DropReason) -> u64 {
        match why {
            DropReason::Full => self.sum(|b| b.dropped_full),
            DropReason::Disk => self.sum(|b| b.dropped_disk),
        }
    }

    pub fn refused(&self) -> u64 {
        self.sum(|b| b.refused)
    }

    pub fn unprocessable(&self) -> u64 {
        self.sum(|b| b.unprocessable)
    }

    pub fn waiting_points(&self) -> u64 {
        self.sum(|b| b.waiting_points)
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.sum(|b| b.waiting_bytes)
    }

    pub fn tries(&self, outcome: Outcome) -> u64 {
        self.sum(|b| b.tries.get(&outcome).copied().unwrap_or(0))
    }

    /// Age of the oldest batch that waits in any bucket.
    pub fn lag(&self) -> Duration {
        self.buckets.values().map(|b| b.lag).max().unwrap_or_default()
    }

    /// No bucket is away or held.
    pub fn is_well(&self) -> bool {
        self.buckets.values().all(|b| match b.delivery {
            Delivery::Up | Delivery::Untried => true,
            Delivery::Away | Delivery::Held => false,
        })
    }
}
