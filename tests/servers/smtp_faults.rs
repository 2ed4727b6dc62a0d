//! `smtp_faults.py` as a process: an SMTP server that does what a test tells it, killed when dropped.
//!
//! Used by way of `#[path = "servers/smtp_faults.rs"] mod smtp_faults;`. Without python3 and aiosmtpd, [`Server::start`]
//! prints how to get them and returns None, and the test returns; with `CI=true` it fails instead.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks for what a test needs; says how to get it; in CI its absence is a failure.
pub fn python_has(module: &str) -> bool {
    let found = Command::new("python3")
        .args(["-c", &format!("import {module}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    let how = "python3 -m pip install aiosmtpd";
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "CI needs python3 with {module}: {how}");
    if !found {
        println!("skipped: needs python3 with {module} ({how})");
    }
    found
}

pub struct Server {
    child: Child,
    control: ChildStdin,
    said: Receiver<Value>,
    port: u16,
    arguments: Vec<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// None: this machine cannot run it.
    pub fn start(arguments: &[&str]) -> Option<Server> {
        python_has("aiosmtpd").then(|| Server::run(arguments.iter().map(|a| (*a).to_owned()).collect(), 0))
    }

    fn run(arguments: Vec<String>, port: u16) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/smtp_faults.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args(&arguments)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let control = child.stdin.take().expect("piped");
        let (says, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("the server prints JSON");
                if says.send(value).is_err() {
                    break;
                }
            }
        });
        let mut server = Server { child, control, said, port: 0, arguments };
        let port = server.next("port")["port"].as_u64().expect("a number");
        server.port = u16::try_from(port).expect("a port");
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Another process on the same port, with the arguments of the first start.
    pub fn restart(&mut self) {
        self.kill();
        let (arguments, port) = (self.arguments.clone(), self.port);
        *self = Server::run(arguments, port);
    }

    /// From now on this mode counts; `hold`: the step at which the next mail stands still. Returns when it counts.
    pub fn tell(&mut self, mode: &str, hold: Option<&str>) {
        writeln!(self.control, "{}", json!({"mode": mode, "hold": hold})).expect("the server reads");
        self.control.flush().expect("the server reads");
        self.next("told");
    }

    /// Waits for the next line of this event, passing over others.
    pub fn next(&self, event: &str) -> Value {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let value = self.said.recv_timeout(left).unwrap_or_else(|_| panic!("the server never said {event}"));
            if value["event"] == event {
                return value;
            }
        }
    }
}
