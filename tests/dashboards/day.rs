//! The one place where the data comes from that the queries are tried on.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::influxdb::InfluxDb;
use crate::synthetic;

pub const DATABASE: &str = "buttonwatch";

/// Milliseconds since 1970, as the server's `now()` has it.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// A day that ends now: the panels ask for `now() - 15m` and the like. Returns its end.
pub fn load_day(influx: &InfluxDb) -> i64 {
    let end = now_ms();
    let lines = synthetic::day(end);
    let policies = [("raw", lines.raw), ("5m", lines.five_minutes), ("1h", lines.hourly), ("events", lines.events)];
    for (policy, lines) in policies {
        influx.write(DATABASE, policy, &lines).unwrap_or_else(|e| panic!("a line for {policy} is refused: {e}"));
    }
    end
}
