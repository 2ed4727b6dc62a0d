//! Where a point of history is kept in InfluxDB, and so for how long.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::words;

words!(
    /// Each is a bucket of its own: its name is `<database>/<word>`.
    Bucket {
        /// What units measure and how they stand: many points, 30 days.
        Raw = "raw",
        /// What happened: tests, presses, alerts, orders, incidents. Few points, 2 years.
        Events = "events",
    }
);
