//! A real VictoriaMetrics on a free loopback port, with a folder of its own, killed when dropped. It speaks `/api/v2/write`
//! for real, but drops bad lines in silence: never for tests of refusals.
//!
//! Used by way of `#[path = "servers/victoria.rs"] mod victoria;`. Without it on the machine, [`Victoria::start`] prints how
//! to get it and returns None, and the test returns; with `CI=true` it fails instead.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, free_ports, log_to};

pub struct Victoria {
    program: Program,
    port: u16,
    folder: tempfile::TempDir,
    agent: ureq::Agent,
}

impl Victoria {
    /// None: it is not installed, and a line says so.
    pub fn start() -> Option<Victoria> {
        let program = Program::find("victoria-metrics", "victoria-metrics")?;
        let folder = tempfile::tempdir().expect("a folder for VictoriaMetrics");
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
        let agent = agent.build().into();
        let mut server = Victoria { program, port: 0, folder, agent };
        // Another program can take the port between our look and its start.
        for _ in 0..5 {
            [server.port] = free_ports();
            if server.try_run() {
                return Some(server);
            }
        }
        panic!("VictoriaMetrics does not start:\n{}", server.log());
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The series that a selector matches, with all their values: `{__name__="power_battery_v"}`. Times in ms.
    pub fn export(&self, selector: &str) -> Vec<Value> {
        let ask = |path: &str| {
            let url = format!("{}{path}", self.url());
            let mut answer = self.agent.get(&url).query("match[]", selector).call().expect("VictoriaMetrics answers");
            answer.body_mut().with_config().limit(1 << 30).read_to_string().expect("text")
        };
        // What was just written is not yet to be seen without this.
        ask("/internal/force_flush");
        ask("/api/v1/export").lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// How many values the series of a selector have together.
    pub fn points(&self, selector: &str) -> u64 {
        self.export(selector).iter().map(|s| s["values"].as_array().map_or(0, Vec::len) as u64).sum()
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Runs it again, on the same port and folder. Panics if it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "VictoriaMetrics does not start again:\n{}", self.log());
    }

    fn try_run(&mut self) -> bool {
        let dir = self.folder.path();
        let tell = |command: &mut std::process::Command| {
            command
                .arg(format!("-httpListenAddr=127.0.0.1:{}", self.port))
                .arg(format!("-storageDataPath={}", dir.join("data").display()))
                .arg("-retentionPeriod=100y")
                .arg("-search.latencyOffset=0s")
                .stdout(log_to(&dir.join("log")))
                .stderr(log_to(&dir.join("log")));
        };
        let url = format!("http://127.0.0.1:{}/health", self.port);
        let is_up = || self.agent.get(&url).call().is_ok_and(|answer| answer.status().as_u16() == 200);
        self.program.run(tell, is_up)
    }
}
