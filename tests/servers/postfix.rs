//! A real Postfix with folders of its own on free loopback ports: STARTTLS and implicit TLS, both with a login that must
//! be right, every mailbox a Maildir. Killed when dropped.
//!
//! Used by way of `#[path = "servers/postfix.rs"] mod postfix;`. Without Postfix, or without the rights of root that it
//! insists on, [`Postfix::start`] prints what is missing and returns None, and the test returns; with `CI=true` it fails.
//!
//! Why not OpenSMTPD: Debian 12's 6.8.0p2 does not get through a TLS handshake with OpenSSL 3 ("missing private key").

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::{find, free_ports, missing};

const PACKAGES: &str = "postfix sasl2-bin libsasl2-modules";
const PATIENCE: Duration = Duration::from_secs(30);
pub const USER: &str = "buttonwatch";
pub const PASSWORD: &str = "a password with spaces";
/// Mailboxes are `NAME@crews.example`.
pub const DOMAIN: &str = "crews.example";
/// Who owns the mailboxes: anyone but root.
const NOBODY: u32 = 65_534;

const MAIN: &str = "\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = localhost
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = texthash:{dir}/boxes
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = localhost
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_reject_unlisted_recipient = yes
default_transport = error:nothing leaves this machine
";

const MASTER: &str = "\
127.0.0.1:{starttls} inet n - n - - smtpd
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

const SASL: &str = "\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: {dir}/logins
";

pub struct Postfix {
    child: Child,
    folder: tempfile::TempDir,
    pub starttls: u16,
    pub implicit: u16,
    /// To be trusted by those who connect to `localhost`.
    pub certificate_pem: Vec<u8>,
}

impl Postfix {
    /// None: it cannot run here, and a line says why.
    pub fn start(boxes: &[&str]) -> Option<Postfix> {
        let (program, saslpasswd) = (find("postfix", PACKAGES)?, find("saslpasswd2", PACKAGES)?);
        if !is_root() {
            return missing("Postfix starts as root only: run these tests as root, as in a container");
        }
        let folder = tempfile::tempdir().expect("a folder for Postfix");
        let dir = folder.path();
        // Its parts run as users of their own.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("our own folder");
        for name in ["conf", "conf/sasl", "queue", "data", "mail"] {
            fs::create_dir(dir.join(name)).expect("our own folder");
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let certificate_pem = made.cert.pem().into_bytes();
        fs::write(dir.join("cert.pem"), &certificate_pem).expect("our own folder");
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).expect("our own folder");
        let each: String = boxes.iter().map(|name| format!("{name}@{DOMAIN} {name}/\n")).collect();
        fs::write(dir.join("boxes"), each).expect("our own folder");
        fs::write(dir.join("conf/sasl/smtpd.conf"), SASL.replace("{dir}", &dir.display().to_string()))
            .expect("our own folder");
        add_login(&saslpasswd, &dir.join("logins"));
        let postfix = user_of("postfix");
        chown(dir.join("data"), Some(postfix), None).expect("root may");
        chown(dir.join("logins"), Some(postfix), None).expect("root may");
        chown(dir.join("mail"), Some(NOBODY), None).expect("root may");
        let mut last_log = String::new();
        // Another program can take a port between our look and Postfix's start.
        for _ in 0..5 {
            let [starttls, implicit] = free_ports();
            write_config(dir, starttls, implicit);
            let mut child = run(&program, dir);
            if is_up(&mut child, [starttls, implicit]) {
                return Some(Postfix { child, folder, starttls, implicit, certificate_pem });
            }
            stop(&program, dir, &mut child);
            last_log = fs::read_to_string(dir.join("log")).unwrap_or_default();
        }
        panic!("Postfix does not start:\n{last_log}");
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The files of a mailbox, once there are as many.
    pub fn mails_of(&self, name: &str, count: usize) -> Vec<PathBuf> {
        let new = self.folder.path().join("mail").join(name).join("new");
        let give_up = Instant::now() + PATIENCE;
        loop {
            let entries = fs::read_dir(&new).into_iter().flatten();
            let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
            if files.len() >= count {
                files.sort();
                return files;
            }
            assert!(Instant::now() < give_up, "{} of {count} mails came to {name}:\n{}", files.len(), self.log());
            // Nothing tells when another process has delivered.
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Some(program) = find("postfix", PACKAGES) {
            stop(&program, self.folder.path(), &mut self.child);
        }
    }
}

fn run(program: &Path, dir: &Path) -> Child {
    Command::new(program)
        .arg("-c")
        .arg(dir.join("conf"))
        .arg("start-fg")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Postfix runs")
}

/// By its own command: its parts are processes of their own, and stop with their master.
fn stop(program: &Path, dir: &Path, child: &mut Child) {
    let _ = Command::new(program)
        .arg("-c")
        .arg(dir.join("conf"))
        .arg("abort")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    let _ = child.wait();
}

fn is_up(child: &mut Child, ports: [u16; 2]) -> bool {
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        if child.try_wait().expect("its state is known").is_some() {
            return false;
        }
        if ports.iter().all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            return true;
        }
        // Nothing tells when another process listens.
        sleep(Duration::from_millis(20));
    }
    false
}

fn write_config(dir: &Path, starttls: u16, implicit: u16) {
    let fill = |text: &str| {
        [
            ("{dir}", dir.display().to_string()),
            ("{daemons}", daemons().display().to_string()),
            ("{domain}", DOMAIN.to_owned()),
            ("{nobody}", NOBODY.to_string()),
            ("{starttls}", starttls.to_string()),
            ("{implicit}", implicit.to_string()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    fs::write(dir.join("conf/main.cf"), fill(MAIN)).expect("our own folder");
    fs::write(dir.join("conf/master.cf"), fill(MASTER)).expect("our own folder");
}

fn daemons() -> PathBuf {
    let places = ["/usr/lib/postfix/sbin", "/usr/libexec/postfix"].map(PathBuf::from);
    places.into_iter().find(|place| place.join("master").is_file()).expect("Postfix has its parts in one of these")
}

fn add_login(saslpasswd: &Path, file: &Path) {
    let mut child = Command::new(saslpasswd)
        .args(["-p", "-c", "-u", "localhost", "-f"])
        .arg(file)
        .arg(USER)
        .stdin(Stdio::piped())
        .spawn()
        .expect("saslpasswd2 runs");
    child.stdin.take().expect("piped").write_all(PASSWORD.as_bytes()).expect("saslpasswd2 reads");
    assert!(child.wait().expect("saslpasswd2 ends").success());
}

fn user_of(name: &str) -> u32 {
    let users = fs::read_to_string("/etc/passwd").expect("every Unix has it");
    let line = users.lines().find(|l| l.split(':').next() == Some(name)).expect("Postfix's package made its user");
    line.split(':').nth(2).and_then(|id| id.parse().ok()).expect("a user's line has a number")
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("every Unix has it");
    output.stdout.trim_ascii() == b"0"
}
