//! Holds the dashboards of `dashboards/`: their structure, their types by Grafana's own, and that every query of every panel,
//! annotation and variable answers on a real InfluxDB that has a day of data.
//!
//! Every `*.json` in that folder is held to the same. Needs `influxd`, and node with npm: without them a test says so and
//! returns, with `CI=true` it fails. `grafana.rs` is opt-in.

mod acted_day;
mod boards;
mod day;
mod frames;
mod grafana;
use crate::influxdb;
mod needs;
mod prometheus;
mod queries;
mod structure;
mod substitution;
mod types;
