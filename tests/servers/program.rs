//! A program of this machine that serves a test on loopback: looked for, started, watched until it answers, killed when
//! dropped. Owns its process; what it is told, and how one sees that it is up, is its server's.
//!
//! Used by way of `#[path = "servers/program.rs"] mod program;`, beside the servers that use it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(30);

pub struct Program {
    path: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// None: it is not installed. See [`find`].
    pub fn find(name: &str, packages: &str) -> Option<Program> {
        find(name, packages).map(|path| Program { path, child: None })
    }

    /// Starts it as `tell` says and waits until it `is_up`. False: it ended, as when another program took its port between
    /// our look and its start; or it did not come up in time.
    pub fn run(&mut self, tell: impl FnOnce(&mut Command), is_up: impl Fn() -> bool) -> bool {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        tell(&mut command);
        let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", self.path.display()));
        let child = self.child.insert(child);
        let give_up = Instant::now() + STARTS_WITHIN;
        while Instant::now() < give_up {
            if child.try_wait().expect("its state is known").is_some() {
                return false;
            }
            if is_up() {
                return true;
            }
            // Nothing tells when another process listens.
            sleep(Duration::from_millis(20));
        }
        false
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM: it ends in order.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let asked = Command::new("kill").arg(child.id().to_string()).status();
            if !asked.is_ok_and(|status| status.success()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    /// Stands still, connections open, as behind a dead link. Until [`Program::resume`], or killed.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let status = Command::new("kill").arg(signal).arg(child.id().to_string()).status().expect("kill runs");
        assert!(status.success(), "kill {signal}: {status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a program is. None: it is not installed, and a line says how to get it; with `CI=true` that fails instead.
pub fn find(name: &str, packages: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(usual).map(|folder| folder.join(name)).find(|p| p.is_file());
    found.or_else(|| missing(&format!("{name} is not installed: apt-get install {packages}")))
}

/// A test that cannot run here says why, and returns; with `CI=true` it fails.
pub fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
    println!("skipped: {what}");
    None
}

/// All at once, so that they differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let probes = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    probes.map(|probe| probe.local_addr().expect("bound").port())
}

/// What a program writes, behind what it wrote before.
pub fn log_to(path: &Path) -> Stdio {
    OpenOptions::new().create(true).append(true).open(path).expect("its log").into()
}
