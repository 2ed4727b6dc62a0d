//! A real Alertmanager on a free loopback port, with a folder of its own, killed when dropped.
//!
//! Used by way of `#[path = "servers/alertmanager.rs"] mod alertmanager;`. Without it on the machine,
//! [`Alertmanager::start`] prints how to get it and returns None, and the test returns; with `CI=true` it fails instead.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::program::{Program, free_ports, log_to};

/// Nobody is paged: the test asks for the alerts itself.
const CONFIG: &str = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

pub struct Alertmanager {
    program: Program,
    folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Alertmanager {
    /// None: it is not installed, and a line says so.
    pub fn start() -> Option<Alertmanager> {
        let program = Program::find("prometheus-alertmanager", "prometheus-alertmanager")?;
        let folder = tempfile::tempdir().expect("a folder for Alertmanager");
        fs::write(folder.path().join("alertmanager.yml"), CONFIG).expect("our own folder");
        let address = free_address();
        let mut server = Alertmanager { program, folder, address };
        // Another program can take the port between our look and its start.
        for _ in 0..5 {
            if server.try_run() {
                return Some(server);
            }
            server.address = free_address();
        }
        panic!("Alertmanager does not start:\n{}", server.log());
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// SIGKILL, as a power cut would. It forgets all alerts.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Stands still, connections open, until it is killed.
    pub fn pause(&self) {
        self.program.pause();
    }

    /// Again, on the same port. Panics if it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "Alertmanager does not start again:\n{}", self.log());
    }

    /// `GET /api/v2/alerts`, those that are not over. Null: it did not answer.
    pub fn alerts(&self) -> serde_json::Value {
        get(self.address, "/api/v2/alerts").and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn try_run(&mut self) -> bool {
        let (dir, address) = (self.folder.path(), self.address);
        let tell = |command: &mut std::process::Command| {
            command
                .arg(format!("--config.file={}", dir.join("alertmanager.yml").display()))
                .arg(format!("--storage.path={}", dir.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--cluster.listen-address=")
                .stderr(log_to(&dir.join("log")));
        };
        self.program.run(tell, || get(address, "/-/ready").is_some())
    }
}

/// The body of a page. None: it does not answer, or not with 200.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    // HTTP/1.0: the answer comes in one piece.
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

fn free_address() -> SocketAddr {
    let [port] = free_ports();
    (Ipv4Addr::LOCALHOST, port).into()
}
