//! A real InfluxDB 1 on free loopback ports, with a folder of its own, killed when dropped. It runs every InfluxQL query; its
//! retention policies stand for the buckets of InfluxDB 2.
//!
//! Used by way of `#[path = "servers/influxdb.rs"] mod influxdb;`. Without `influxd` on the machine, [`InfluxDb::start`]
//! prints how to get it and returns None, and the test returns; with `CI=true` it fails instead.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, free_ports, log_to};

/// As `buttonwatch influx setup` makes them, but for ever.
pub const FOR_EVER: &[(&str, &str)] = &[("raw", "INF"), ("5m", "INF"), ("1h", "INF"), ("events", "INF")];

/// As `buttonwatch influx setup` makes them.
pub const AS_SET_UP: &[(&str, &str)] = &[("raw", "30d"), ("5m", "180d"), ("1h", "1095d"), ("events", "730d")];

pub struct InfluxDb {
    program: Program,
    port: u16,
    rpc_port: u16,
    folder: tempfile::TempDir,
    agent: ureq::Agent,
}

impl InfluxDb {
    /// None: it is not installed, and a line says so. There is no database in it yet.
    pub fn start() -> Option<InfluxDb> {
        let program = Program::find("influxd", "influxdb")?;
        let folder = tempfile::tempdir().expect("a folder for InfluxDB");
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(120)));
        let mut server = InfluxDb { program, port: 0, rpc_port: 0, folder, agent: agent.build().into() };
        // Another program can take a port between our look and InfluxDB's start.
        for _ in 0..5 {
            [server.port, server.rpc_port] = free_ports();
            server.write_config();
            if server.try_run() {
                return Some(server);
            }
        }
        panic!("InfluxDB does not start:\n{}", server.log());
    }

    /// [`InfluxDb::start`], with this database and the policies [`FOR_EVER`]; `raw` is its default.
    pub fn start_with(database: &str) -> Option<InfluxDb> {
        let server = InfluxDb::start()?;
        server.create(database, FOR_EVER);
        Some(server)
    }

    /// A database with these retention policies, name and duration; the first is its default.
    pub fn create(&self, database: &str, policies: &[(&str, &str)]) {
        self.ask("", &format!("CREATE DATABASE {}", quoted(database)));
        for (at, (name, duration)) in policies.iter().enumerate() {
            self.create_policy(database, name, duration, at == 0);
        }
    }

    pub fn create_policy(&self, database: &str, name: &str, duration: &str, is_default: bool) {
        let default = if is_default { " DEFAULT" } else { "" };
        let (policy, database) = (quoted(name), quoted(database));
        let create =
            format!("CREATE RETENTION POLICY {policy} ON {database} DURATION {duration} REPLICATION 1{default}");
        self.ask("", &create);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it wrote to its log since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The whole answer to some InfluxQL, times in ms: `["results"][0]["series"][0]["values"]`. Panics on any error.
    pub fn ask(&self, database: &str, influxql: &str) -> Value {
        let answer = self.try_ask(database, influxql);
        let failed = answer["error"].is_string()
            || answer["results"].as_array().is_none_or(|r| r.iter().any(|one| one["error"].is_string()));
        assert!(!failed, "{influxql}: {answer}");
        answer
    }

    /// As [`InfluxDb::ask`]; what is wrong with the query is in the answer.
    pub fn try_ask(&self, database: &str, influxql: &str) -> Value {
        let form = [("db", database), ("epoch", "ms"), ("q", influxql)];
        let mut answer = self.agent.post(&format!("{}/query", self.url())).send_form(form).expect("InfluxDB answers");
        answer.body_mut().with_config().limit(1 << 30).read_json().expect("InfluxDB answers JSON")
    }

    /// The rows of the first series: each begins with its time in ms. Nothing found: none.
    pub fn rows(&self, database: &str, influxql: &str) -> Vec<Vec<Value>> {
        let answer = self.ask(database, influxql);
        let values = answer["results"][0]["series"][0]["values"].as_array().cloned().unwrap_or_default();
        values.into_iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect()
    }

    /// How many values a field has: `points("buttonwatch", "\"raw\".\"power\"", "mains")`.
    pub fn points(&self, database: &str, from: &str, field: &str) -> u64 {
        let rows = self.rows(database, &format!("SELECT count({}) FROM {from}", quoted(field)));
        rows.first().and_then(|row| row[1].as_u64()).unwrap_or(0)
    }

    /// Lines with times in ms. Err: what InfluxDB says.
    pub fn write(&self, database: &str, policy: &str, lines: &str) -> Result<(), String> {
        let url = format!("{}/write", self.url());
        let request = self.agent.post(&url).query("db", database).query("rp", policy).query("precision", "ms");
        let mut answer = request.send(lines).expect("InfluxDB answers");
        if answer.status().as_u16() == 204 {
            return Ok(());
        }
        Err(answer.body_mut().read_to_string().unwrap_or_default())
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// SIGTERM: it ends in order.
    pub fn stop(&mut self) {
        self.program.stop();
    }

    /// Runs it again, on the same ports and folder: what it had is there. Panics if it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "InfluxDB does not start again:\n{}", self.log());
    }

    fn write_config(&self) {
        let dir = self.folder.path().display();
        let config = format!(
            r#"reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"

[meta]
dir = "{dir}/meta"

[data]
dir = "{dir}/data"
wal-dir = "{dir}/wal"
index-version = "tsi1"
max-values-per-tag = 0
max-series-per-database = 0
query-log-enabled = false

[http]
bind-address = "127.0.0.1:{http}"
log-enabled = false
max-body-size = 0

[monitor]
store-enabled = false

[logging]
level = "warn"
"#,
            rpc = self.rpc_port,
            http = self.port,
        );
        fs::write(self.config(), config).expect("influxdb.conf is written");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("influxdb.conf")
    }

    fn try_run(&mut self) -> bool {
        let (config, log) = (self.config(), self.folder.path().join("log"));
        let tell = |command: &mut std::process::Command| {
            command.arg("-config").arg(config).env_remove("INFLUXDB_CONFIG_PATH");
            command.stdout(log_to(&log)).stderr(log_to(&log));
        };
        let url = format!("http://127.0.0.1:{}/ping", self.port);
        let is_up = || self.agent.get(&url).call().is_ok_and(|answer| answer.status().as_u16() == 204);
        self.program.run(tell, is_up)
    }
}

/// A name in InfluxQL: `"5m"` would be a time span without its quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
