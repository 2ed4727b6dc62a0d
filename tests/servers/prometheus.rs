//! A real Prometheus on a free loopback port, with a folder of its own, killed when dropped; and `promtool`.
//!
//! Used by way of `#[path = "servers/prometheus.rs"] mod prometheus;`. Without it on the machine, [`Prometheus::start`] and
//! [`promtool`] print how to get it and return None, and the test returns; with `CI=true` it fails instead.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, find, free_ports, log_to};

pub struct Prometheus {
    _program: Program,
    _folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Prometheus {
    /// With these files in its folder, `prometheus.yml` among them. None: it is not installed, and a line says so.
    pub fn start(files: &[(&str, &str)]) -> Option<Prometheus> {
        let mut program = Program::find("prometheus", "prometheus")?;
        let folder = tempfile::tempdir().expect("a folder for Prometheus");
        let dir = folder.path();
        for (name, text) in files {
            fs::write(dir.join(name), text).expect("our own folder");
        }
        // Another program can take the port between our look and its start.
        for _ in 0..5 {
            let [port] = free_ports();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let tell = |command: &mut Command| {
                command
                    .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
                    .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
                    .arg(format!("--web.listen-address={address}"))
                    .stderr(log_to(&dir.join("log")));
            };
            if program.run(tell, || get(address, "/-/ready").is_some_and(|body| body.contains("Ready"))) {
                return Some(Prometheus { _program: program, _folder: folder, address });
            }
            program.kill();
        }
        panic!("Prometheus does not start:\n{}", fs::read_to_string(dir.join("log")).unwrap_or_default());
    }

    /// `data.result` of a query of now. Err: what it says against the query.
    pub fn query(&self, promql: &str) -> Result<Vec<Value>, String> {
        let query: String = form_urlencoded::byte_serialize(promql.as_bytes()).collect();
        match self.data(&format!("/api/v1/query?query={query}"))?["result"].take() {
            Value::Array(rows) => Ok(rows),
            other => Err(format!("no list of series: {other}")),
        }
    }

    /// `data.result` over the last minute, every second, as a graph asks.
    pub fn graph(&self, promql: &str) -> Result<Vec<Value>, String> {
        let query: String = form_urlencoded::byte_serialize(promql.as_bytes()).collect();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let (start, end) = (since.as_secs() - 60, since.as_secs());
        let path = format!("/api/v1/query_range?query={query}&start={start}&end={end}&step=1");
        match self.data(&path)?["result"].take() {
            Value::Array(rows) => Ok(rows),
            other => Err(format!("no list of series: {other}")),
        }
    }

    /// All rules, as it has read them, each with its `health`, and `lastError` if it has one.
    pub fn rules(&self) -> Vec<Value> {
        let data = self.data("/api/v1/rules").unwrap_or_default();
        let groups = data["groups"].as_array().into_iter().flatten();
        groups.flat_map(|group| group["rules"].as_array().into_iter().flatten()).cloned().collect()
    }

    fn data(&self, path: &str) -> Result<Value, String> {
        let body = get(self.address, path).unwrap_or_default();
        let mut answer: Value = serde_json::from_str(&body).map_err(|e| format!("{e}: {body:?}"))?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        Ok(answer["data"].take())
    }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    // HTTP/1.0: the answer comes in one piece.
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// What promtool says, in a folder and with something on its standard input. None: it is not installed. Panics if it
/// finds a fault.
pub fn promtool(dir: &Path, args: &[&str], input: &str) -> Option<String> {
    let program = find("promtool", "prometheus")?;
    let mut child = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("piped");
    // It may end without reading all of it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {}: {}\n{said}", args.join(" "), output.status);
    Some(said)
}
