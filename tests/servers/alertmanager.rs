//! A real Alertmanager on a free loopback port, with a folder of its own, killed when dropped.
//!
//! Used by way of `#[path = "servers/alertmanager.rs"] mod alertmanager;`. Without it on the machine,
//! [`Alertmanager::start`] prints how to get it and returns None, and the test returns; with `CI=true` it fails instead.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Nobody is paged: the test asks for the alerts itself.
const CONFIG: &str = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

pub struct Alertmanager {
    child: Option<Child>,
    program: PathBuf,
    folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Alertmanager {
    /// None: it is not installed, and a line says so.
    pub fn start() -> Option<Alertmanager> {
        let program = find("prometheus-alertmanager")?;
        let folder = tempfile::tempdir().expect("a folder for Alertmanager");
        fs::write(folder.path().join("alertmanager.yml"), CONFIG).expect("our own folder");
        let address = free_address();
        let mut server = Alertmanager { child: None, program, folder, address };
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
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stands still, connections open, until it is killed.
    pub fn pause(&self) {
        let child = self.child.as_ref().expect("Alertmanager runs");
        let status = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -STOP: {status}");
    }

    /// Again, on the same port. Panics if it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "Alertmanager does not start again:\n{}", self.log());
    }

    /// `GET /api/v2/alerts`, those that are not over. Null: it did not answer.
    pub fn alerts(&self) -> serde_json::Value {
        self.get("/api/v2/alerts").and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut socket = TcpStream::connect(self.address).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        // HTTP/1.0: the answer comes in one piece.
        write!(socket, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn try_run(&mut self) -> bool {
        let dir = self.folder.path();
        let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("our own folder");
        let child = Command::new(&self.program)
            .arg(format!("--config.file={}", dir.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={}", self.address))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Alertmanager runs");
        self.child = Some(child);
        let give_up = Instant::now() + STARTS_WITHIN;
        while Instant::now() < give_up {
            if self.child.as_mut().is_some_and(|c| c.try_wait().expect("its state is known").is_some()) {
                return false;
            }
            if self.get("/-/ready").is_some() {
                return true;
            }
            // Nothing tells when another process listens.
            sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file());
    if found.is_none() {
        let say = format!("{program} is not installed: apt-get install prometheus-alertmanager");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{say}");
        println!("skipped: {say}");
    }
    found
}
