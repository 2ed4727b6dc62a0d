//! The program as a process. Killed when dropped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Service {
    child: Child,
    pub http: SocketAddr,
    log: PathBuf,
}

#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Service {
    pub fn start(dir: &Path, args: &[&str], http: SocketAddr) -> Service {
        let log = dir.join("log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("log");
        let child = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
            .arg("serve")
            .args(args)
            .args(["--http", &http.to_string()])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        let mut service = Service { child, http, log };
        wait_until("the service answers", || {
            if let Some(status) = service.child.try_wait().expect("child") {
                panic!(
                    "the service ended with {status}: {}",
                    std::fs::read_to_string(&service.log).unwrap_or_default()
                );
            }
            try_get(http, "/healthz").is_some_and(|r| r.starts_with("HTTP/1.1 200"))
        });
        service
    }

    pub fn get(&self, path: &str) -> String {
        try_get(self.http, path).unwrap_or_default()
    }

    /// Null: no JSON came.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let text = self.get(path);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let status = self.child.wait().expect("reaped");
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(&self.log).unwrap_or_default());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn try_get(address: SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The command line against this service.
pub fn cli(service: &Service, args: &[&str]) -> Output {
    let server = format!("http://{}", service.http);
    run(Path::new("."), &[args, &["--server", &server]].concat())
}

pub fn run(dir: &Path, args: &[&str]) -> Output {
    let out = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Output {
        status: out.status,
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub fn millis_now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

pub fn millis(time: &str) -> i64 {
    buttonwatch::domain::Timestamp::parse(time).expect("RFC 3339").as_millis()
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

/// Two at once, so that they differ.
pub fn free_port_pair() -> (SocketAddr, SocketAddr) {
    let (a, b) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let address = |l: std::io::Result<TcpListener>| l.and_then(|l| l.local_addr()).expect("a free port");
    (address(a), address(b))
}
