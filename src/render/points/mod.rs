//! What a time series database is told: one function for each measurement of DESIGN §6 and docs/influxdb.md. Owns the names and
//! kinds of fields. Never decides when something is told (`app::historian`).
//!
//! Design constraints
//! - Same tags and time overwrite: whatever is told twice is told with the same time.
//! - Nothing that grows without end is a tag: no order, no firmware, no text.

mod message;
mod standing;

pub use message::{Place, field_of, message};
pub use standing::{OrderPoint, alert, feeder_week, forecast, incident, order, status};

use crate::domain::Bucket;

use super::line_protocol::Lines;

/// Points on their way to the two buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Points {
    pub raw: Lines,
    pub events: Lines,
}

impl Points {
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty() && self.events.is_empty()
    }
    pub fn of(&mut self, bucket: Bucket) -> &mut Lines {
        match bucket {
            Bucket::Raw => &mut self.raw,
            Bucket::Events => &mut self.events,
        }
    }
}

#[cfg(test)]
mod tests;
