//! The one place where the data comes from that the queries are tried on.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dashboards::acted_day;
use crate::dashboards::influxdb::InfluxDb;

pub const DATABASE: &str = "buttonwatch";

/// Milliseconds since 1970, as the server's `now()` has it.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// A day that ends now: the panels ask for `now() - 15m` and the like. Returns its end.
pub fn load_day(influx: &InfluxDb) -> i64 {
    static DAY: OnceLock<(i64, String, String)> = OnceLock::new();
    let (end, raw, events) = DAY.get_or_init(|| {
        let end = now_ms();
        let (raw, events) = acted_day::day(end);
        (end, raw, events)
    });
    for (policy, lines) in [("raw", raw), ("events", events)] {
        influx.write(DATABASE, policy, lines).unwrap_or_else(|e| panic!("a line for {policy} is refused: {e}"));
    }
    // In InfluxDB 2 its own tasks do this (`buttonwatch influx setup`).
    for (from, to) in [("raw", "5m"), ("5m", "1h")] {
        for (measurement, field) in [("unit_status", "available"), ("power", "battery_v"), ("heartbeat", "rssi_dbm")] {
            let copy = format!(
                "SELECT mean(\"{field}\") AS \"{field}\" INTO \"{to}\".\"{measurement}\" FROM \"{from}\".\"{measurement}\" \
                 WHERE time > now() - 2d GROUP BY time({to}), *"
            );
            influx.ask(DATABASE, &copy);
        }
    }
    *end
}
