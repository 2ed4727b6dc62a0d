//! A real Prometheus on a free loopback port, with a folder of its own, killed when dropped; and `promtool`.
//!
//! Used by way of `#[path = "servers/prometheus.rs"] mod prometheus;`. Without it on the machine, [`Prometheus::start`] and
//! [`promtool`] print how to get it and return None, and the test returns; with `CI=true` it fails instead.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

const STARTS_WITHIN: Duration = Duration::from_secs(30);

pub struct Prometheus {
    child: Child,
    folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Prometheus {
    /// With these files in its folder, `prometheus.yml` among them. None: it is not installed, and a line says so.
    pub fn start(files: &[(&str, &str)]) -> Option<Prometheus> {
        let program = find("prometheus")?;
        let mut last_log = String::new();
        // Another program can take the port between our look and its start.
        for _ in 0..5 {
            let folder = tempfile::tempdir().expect("a folder for Prometheus");
            let dir = folder.path();
            for (name, text) in files {
                fs::write(dir.join(name), text).expect("our own folder");
            }
            let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
            let log = fs::File::create(dir.join("log")).expect("our own folder");
            let child = Command::new(&program)
                .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("Prometheus runs");
            let mut server = Prometheus { child, folder, address };
            if server.is_up() {
                return Some(server);
            }
            last_log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        }
        panic!("Prometheus does not start:\n{last_log}");
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
        let body = self.get(path).unwrap_or_default();
        let mut answer: Value = serde_json::from_str(&body).map_err(|e| format!("{e}: {body:?}"))?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        Ok(answer["data"].take())
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut socket = TcpStream::connect(self.address).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        // HTTP/1.0: the answer comes in one piece.
        write!(socket, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        Some(text.split_once("\r\n\r\n")?.1.to_owned())
    }

    fn is_up(&mut self) -> bool {
        let give_up = Instant::now() + STARTS_WITHIN;
        while Instant::now() < give_up {
            if self.child.try_wait().expect("its state is known").is_some() {
                return false;
            }
            if self.get("/-/ready").is_some_and(|body| body.contains("Ready")) {
                return true;
            }
            // Nothing tells when another process listens.
            sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What promtool says, in a folder and with something on its standard input. None: it is not installed. Panics if it
/// finds a fault.
pub fn promtool(dir: &Path, args: &[&str], input: &str) -> Option<String> {
    let program = find("promtool")?;
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

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file());
    if found.is_none() {
        let say = format!("{program} is not installed: apt-get install prometheus");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{say}");
        println!("skipped: {say}");
    }
    found
}
