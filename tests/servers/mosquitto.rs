//! A real Mosquitto on a free loopback port, with a folder of its own, killed when dropped.
//!
//! Used by way of `#[path = "servers/mosquitto.rs"] mod mosquitto;`. Without Mosquitto on the machine, [`Mosquitto::start`]
//! prints how to get it and returns None, and the test returns; with `CI=true` it fails instead.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Program, find, free_ports};

const PACKAGES: &str = "mosquitto mosquitto-clients";

/// What stands in mosquitto.conf besides the listener.
#[derive(Default)]
pub struct Setup {
    lines: Vec<String>,
    files: Vec<(String, String)>,
    login: bool,
    persistent: bool,
}

impl Setup {
    pub fn new() -> Setup {
        Setup::default()
    }

    /// A line of mosquitto.conf. `{dir}` stands for the broker's folder.
    pub fn line(mut self, line: &str) -> Setup {
        self.lines.push(line.to_owned());
        self
    }

    /// A file in the broker's folder.
    pub fn file(mut self, name: &str, content: &str) -> Setup {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// One user; nobody else may connect.
    pub fn user(mut self, name: &str, password: &str) -> Setup {
        self.login = true;
        self.files.push(("passwords".to_owned(), format!("{name}:{password}\n")));
        self
    }

    /// Logins are checked by something else, such as a plugin.
    pub fn no_anonymous(mut self) -> Setup {
        self.login = true;
        self
    }

    /// Sessions and queued messages are on disk: written at every change, so that even a kill keeps them.
    pub fn persistent(mut self) -> Setup {
        self.persistent = true;
        self
    }
}

pub struct Mosquitto {
    program: Program,
    port: u16,
    folder: tempfile::TempDir,
}

impl Mosquitto {
    /// None: Mosquitto is not installed, and a line says so.
    pub fn start(setup: Setup) -> Option<Mosquitto> {
        let program = Program::find("mosquitto", PACKAGES)?;
        find("mosquitto_pub", PACKAGES)?;
        let folder = tempfile::tempdir().expect("a folder for Mosquitto");
        for (name, content) in &setup.files {
            fs::write(folder.path().join(name), content).expect("a file for Mosquitto");
        }
        if folder.path().join("passwords").exists() {
            let hashed = Command::new(find("mosquitto_passwd", PACKAGES)?)
                .arg("-U")
                .arg(folder.path().join("passwords"))
                .status()
                .expect("mosquitto_passwd runs");
            assert!(hashed.success(), "mosquitto_passwd: {hashed}");
        }
        let mut broker = Mosquitto { program, port: 0, folder };
        // Another program can take the port between our look and Mosquitto's start.
        for _ in 0..5 {
            broker.port = free_port();
            broker.write_config(&setup);
            if broker.try_run() {
                return Some(broker);
            }
        }
        panic!("Mosquitto does not start:\n{}", broker.log());
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to its log since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// SIGTERM: it writes its sessions to disk, if it was told to keep them.
    pub fn stop(&mut self) {
        self.program.stop();
    }

    /// Stands still, connections open, as behind a dead link. Until [`Mosquitto::resume`], or killed.
    pub fn pause(&self) {
        self.program.pause();
    }

    pub fn resume(&self) {
        self.program.resume();
    }

    /// Runs it again, on the same port and folder. Panics if it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "Mosquitto does not start again:\n{}", self.log());
    }

    /// `mosquitto_pub` with these arguments after host and port. Panics if it fails.
    pub fn publish(&self, args: &[&str]) {
        let output = self.client("mosquitto_pub").args(args).output().expect("mosquitto_pub runs");
        assert!(output.status.success(), "mosquitto_pub {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// `mosquitto_pub -l`: one message for each line. Panics if it fails.
    pub fn publish_lines(&self, args: &[&str], lines: impl Iterator<Item = String>) {
        let mut child = self
            .client("mosquitto_pub")
            .arg("-l")
            .args(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub runs");
        let mut input = std::io::BufWriter::new(child.stdin.take().expect("its input is ours"));
        for line in lines {
            writeln!(input, "{line}").expect("mosquitto_pub reads");
        }
        input.flush().expect("mosquitto_pub reads");
        drop(input);
        let status = child.wait().expect("mosquitto_pub ends");
        assert!(status.success(), "mosquitto_pub -l {args:?}: {status}");
    }

    /// `mosquitto_pub` or `mosquitto_sub`, told where this broker is.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(find(program, PACKAGES).expect("it came with Mosquitto's clients"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).stdin(Stdio::null());
        command
    }

    fn write_config(&self, setup: &Setup) {
        let dir = self.folder.path().display().to_string();
        let mut config = format!("listener {} 127.0.0.1\n", self.port);
        config += &format!("log_dest file {dir}/log\nlog_type all\nset_tcp_nodelay true\n");
        // Started by root it would become a user who cannot read this folder.
        config += "user root\n";
        config += if setup.login { "allow_anonymous false\n" } else { "allow_anonymous true\n" };
        if self.folder.path().join("passwords").exists() {
            config += &format!("password_file {dir}/passwords\n");
        }
        if setup.persistent {
            config += &format!("persistence true\npersistence_location {dir}/\n");
            config += "autosave_on_changes true\nautosave_interval 1\n";
        }
        for line in &setup.lines {
            config += &line.replace("{dir}", &dir);
            config += "\n";
        }
        fs::write(self.folder.path().join("mosquitto.conf"), config).expect("mosquitto.conf is written");
    }

    fn try_run(&mut self) -> bool {
        let config = self.folder.path().join("mosquitto.conf");
        let tell = |command: &mut Command| {
            command.arg("-c").arg(config);
        };
        self.program.run(tell, || TcpStream::connect(("127.0.0.1", self.port)).is_ok())
    }
}

pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}
