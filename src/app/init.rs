//! The first files of a new service: buttonwatch.toml with a word on every line, the rules that the program carries, and a
//! fleet file to fill in. Owns their text, and that they are written all or none. Never asks anybody anything.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use lettre::message::Mailbox;

use crate::config::alerts::DEFAULT_ALERTS;
use crate::config::fleet::COLUMNS;
use crate::config::service::{ServiceConfig, SmtpTls, TlsServer};

pub const SETTINGS_FILE: &str = "buttonwatch.toml";
pub const RULES_FILE: &str = "alerts.toml";
pub const FLEET_FILE: &str = "fleet.csv";
pub const PASSWORDS_FILE: &str = "passwords.txt";
pub const BROKER_PASSWORD_FILE: &str = "broker-password.txt";
pub const MAIL_PASSWORD_FILE: &str = "mail-password.txt";
pub const WEB_TOKEN_FILE: &str = "web-token.txt";
pub const INFLUX_TOKEN_FILE: &str = "influx-token.txt";

/// What a new service is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// The city, or what the fleet is called. Stands in the sender's name.
    pub name: String,
    pub time_zone: Tz,
    /// Where the store is kept. None: in a folder beside the settings.
    pub data: Option<PathBuf>,
    /// Where units connect.
    pub listen: SocketAddr,
    pub tls: Option<TlsServer>,
    /// Units log in.
    pub passwords: bool,
    /// None: units connect to us.
    pub broker: Option<BrokerAnswer>,
    /// None: mails to the operator are written, and reach nobody.
    pub operator: Option<String>,
    /// None: mails are `.eml` files.
    pub smtp: Option<SmtpAnswer>,
    pub influx: Option<InfluxAnswer>,
    pub web: WebAnswer,
    /// One row in the fleet file to begin with.
    pub example: bool,
}

/// The broker that the units talk to already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAnswer {
    pub host: String,
    pub port: u16,
    /// Its certificate is one that the system trusts.
    pub tls: bool,
    pub username: Option<String>,
    pub secret: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpAnswer {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub username: Option<String>,
    pub secret: Secret,
    /// The sender's address, without a name.
    pub from: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxAnswer {
    pub url: String,
    pub org: String,
    pub secret: Secret,
}

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    None,
    /// In a file that is there.
    InFile(PathBuf),
    /// To be written into a file of its own.
    Typed(String),
}

impl std::fmt::Debug for Secret {
    /// Never what was typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::None => f.write_str("None"),
            Secret::InFile(path) => write!(f, "InFile({})", path.display()),
            Secret::Typed(_) => f.write_str("Typed(…)"),
        }
    }
}

/// Who may reach the web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebAnswer {
    /// This machine only.
    Here(SocketAddr),
    /// People come through a proxy with a login; links in mails start with its address.
    Proxy { listen: SocketAddr, public_url: String },
    /// Whoever can reach this address and has the token.
    Network { listen: SocketAddr, token: WebToken },
}

/// The first admin's, new for each service.
#[derive(Clone, PartialEq, Eq)]
pub struct WebToken(pub String);

impl std::fmt::Debug for WebToken {
    /// Never the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebToken(…)")
    }
}

impl Default for Answers {
    /// A service that others cannot reach, to be tried on this machine.
    fn default() -> Self {
        let usual = ServiceConfig::default();
        Answers {
            name: "Peshawar".to_owned(),
            time_zone: usual.time_zone,
            data: None,
            listen: usual.gateway.expect("by default, units connect to us").listen,
            tls: None,
            passwords: false,
            broker: None,
            operator: None,
            smtp: None,
            influx: None,
            web: WebAnswer::Here(usual.http.listen),
            example: false,
        }
    }
}

/// One file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    pub name: &'static str,
    pub text: String,
    /// For its owner's eyes only.
    pub secret: bool,
}

/// Every file that these answers make. `place`: what stands before a file's name in the settings; empty for a service that is
/// started in their folder.
pub fn files(answers: &Answers, place: &Path) -> Vec<NewFile> {
    let open = |name, text: String| NewFile { name, text, secret: false };
    let secret = |name, text: String| NewFile { name, text, secret: true };
    let mut files = vec![
        open(SETTINGS_FILE, settings(answers, place)),
        open(RULES_FILE, DEFAULT_ALERTS.to_owned()),
        open(FLEET_FILE, fleet(answers)),
    ];
    if answers.passwords {
        let text =
            "# The units' passwords, hashed. Add one with: buttonwatch fleet password UNIT --config buttonwatch.toml\n";
        files.push(secret(PASSWORDS_FILE, text.to_owned()));
    }
    if let WebAnswer::Network { token, .. } = &answers.web {
        files.push(secret(WEB_TOKEN_FILE, format!("{}\n", token.0)));
    }
    if let Some(BrokerAnswer { secret: Secret::Typed(password), .. }) = &answers.broker {
        files.push(secret(BROKER_PASSWORD_FILE, format!("{password}\n")));
    }
    if let Some(SmtpAnswer { secret: Secret::Typed(password), .. }) = &answers.smtp {
        files.push(secret(MAIL_PASSWORD_FILE, format!("{password}\n")));
    }
    if let Some(InfluxAnswer { secret: Secret::Typed(token), .. }) = &answers.influx {
        files.push(secret(INFLUX_TOKEN_FILE, format!("{token}\n")));
    }
    files
}

/// As TOML writes a text.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// The text of buttonwatch.toml.
pub fn settings(answers: &Answers, place: &Path) -> String {
    let at = |name: &str| quoted_path(&place.join(name));
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("# {SETTINGS_FILE}: the settings of Buttonwatch for {}.", answers.name));
    line("#");
    line(
        "# A line that starts with # is off: it shows an example, or what holds without it. Every setting is explained in",
    );
    line("# docs/configuration.md. After a change: buttonwatch doctor --config FILE, then start the service again.");
    match place.as_os_str().is_empty() {
        true => line(
            "# Start the service in the folder of this file: names without a / are looked for where it is started.",
        ),
        false => line("# The service may be started in any folder: the names below are whole."),
    }
    line("");
    let data = answers.data.as_deref().map_or_else(|| at("buttonwatch-data"), quoted_path);
    line(&format!("data = {data}  # the store; mails, too, while no mail server is set"));
    line(&format!("rules = {}  # what counts as a fault, and what is ordered then", at(RULES_FILE)));
    if answers.example {
        line(&format!(
            "fleet = {}  # your units; when you change it, it replaces the fleet at the next start",
            at(FLEET_FILE)
        ));
    } else {
        line(
            "# Your units come in with `buttonwatch fleet import fleet.csv`, while the service runs. To have a changed file replace the",
        );
        line("# fleet at the next start instead, take the # off:");
        line(&format!("# fleet = {}", at(FLEET_FILE)));
    }
    line(&format!("time_zone = {}  # of dates and times in mails and reports", quoted(answers.time_zone.name())));
    line("");
    match &answers.broker {
        None => gateway(answers, place, &mut out),
        Some(broker) => external(broker, place, &mut out),
    }
    out.push_str(
        "\n# For other programs, such as Node-RED: a copy of what units send and what was concluded. \"off\" turns it off.\n[bus]\n",
    );
    out.push_str(&bus(answers));
    web(answers, place, &mut out);
    mail(answers, place, &mut out);
    out.push_str(
        "\n# One section for each crew, named as in the column `crew` of fleet.csv. Without one, a crew's mail goes to the crew's\n\
         # name at the domain of `from`.\n\
         # [crew.saddar]\n\
         # mail = [\"gul@example.org\", \"imran@example.org\"]\n\
         # phone = \"+92 91 0000000\"\n",
    );
    influx(answers, place, &mut out);
    out
}

fn gateway(answers: &Answers, place: &Path, out: &mut String) {
    let at = |name: &str| quoted_path(&place.join(name));
    out.push_str("# Units connect here, by MQTT.\n[gateway]\n");
    put(out, format_args!("listen = {}", quoted(&answers.listen.to_string())));
    if answers.listen.ip().is_loopback() {
        put(
            out,
            "# 127.0.0.1 can be reached from this machine only. For units: listen = \"0.0.0.0:8883\", with passwords and tls.",
        );
    }
    match answers.passwords {
        true => {
            put(
                out,
                "# A unit's user name is its id. A new password: buttonwatch fleet password PSH-001 --config buttonwatch.toml",
            );
            put(out, format_args!("passwords = {}", at(PASSWORDS_FILE)));
        }
        false => put(out, format_args!("# passwords = {}", at(PASSWORDS_FILE))),
    }
    match &answers.tls {
        Some(TlsServer { cert, key }) => {
            put(
                out,
                "# PEM files: the certificate with its chain, and its key. After a renewal, start the service again.",
            );
            put(out, format_args!("tls = {{ cert = {}, key = {} }}", quoted_path(cert), quoted_path(key)));
        }
        None => put(out, "# tls = { cert = \"server.pem\", key = \"server-key.pem\" }"),
    }
    out.push_str(
        "# Do your units talk to a broker of yours already? Then put [external] with its host here in place of [gateway]:\n\
         # docs/configuration.md.\n",
    );
}

fn external(broker: &BrokerAnswer, place: &Path, out: &mut String) {
    out.push_str("# The broker that your units talk to. For units that connect to the service itself, put [gateway] in its place.\n");
    put(out, "[external]");
    put(out, format_args!("host = {}", quoted(&broker.host)));
    put(out, format_args!("port = {}", broker.port));
    match broker.tls {
        true => put(out, "tls = true  # an authority of your own: tls = { ca = \"ca.pem\" }"),
        false => put(out, "# tls = true"),
    }
    match &broker.username {
        None => put(out, "# username = \"buttonwatch\"\n# password_file = \"broker-password.txt\""),
        Some(username) => {
            put(out, format_args!("username = {}", quoted(username)));
            let file = secret_file(&broker.secret, &place.join(BROKER_PASSWORD_FILE));
            put(out, format_args!("password_file = {}  # its first line is the password", quoted_path(&file)));
            if !broker.tls {
                put(out, "plain_password = true  # anyone on the way can read it; tls = true is better");
            }
        }
    }
    put(out, "# The broker keeps our place under this name. A second service needs another one.");
    put(out, "# client_id = \"buttonwatch\"");
}

/// On its usual port, unless that is taken by another listener of these answers.
fn bus(answers: &Answers) -> String {
    let usual = ServiceConfig::default().bus.expect("by default, there is a bus");
    let units = answers.listen.port();
    let taken = [if answers.broker.is_none() { units } else { 0 }, answers.web.listen().port()];
    match taken.contains(&usual.port()) {
        true => format!("listen = \"off\"  # its usual port {} is in use above or below\n", usual.port()),
        false => format!("listen = \"{usual}\"\n"),
    }
}

fn web(answers: &Answers, place: &Path, out: &mut String) {
    out.push_str("\n# The web page, the crews' page, the command line and Prometheus ask here.\n[http]\n");
    put(out, format_args!("listen = {}", quoted(&answers.web.listen().to_string())));
    match &answers.web {
        WebAnswer::Here(_) => {
            put(
                out,
                "# Only this machine can ask. From your desk: ssh -L 8680:127.0.0.1:8680 SERVER, then http://127.0.0.1:8680",
            );
            put(
                out,
                "# public_url = \"https://buttons.example.org\"  # where people come in through a proxy: crews get links then",
            );
        }
        WebAnswer::Proxy { public_url, .. } => {
            put(
                out,
                "# A proxy (nginx, Caddy) with a certificate and a login stands before it. Links in mails start with:",
            );
            put(out, format_args!("public_url = {}", quoted(public_url)));
        }
        WebAnswer::Network { .. } => {
            put(out, "# Everyone who reaches the address and has a token. There is no TLS: better is a proxy.");
            put(out, "# The commands of this program take it from BUTTONWATCH_TOKEN.");
            put(out, "[[http.token]]");
            put(out, "name = \"operator\"");
            put(out, "role = \"admin\"  # or \"viewer\", or \"crew\": may move orders and start tests");
            put(out, format_args!("file = {}", quoted_path(&place.join(WEB_TOKEN_FILE))));
        }
    }
}

fn mail(answers: &Answers, place: &Path, out: &mut String) {
    out.push_str("\n[mail]\n");
    if let Some(operator) = &answers.operator {
        put(
            out,
            format_args!("operator = {}  # hears of incidents and of the monitor's own troubles", quoted(operator)),
        );
    } else {
        put(out, "# operator = \"you@example.org\"  # hears of incidents and of the monitor's own troubles");
    }
    let Some(smtp) = &answers.smtp else {
        put(
            out,
            "# Without a mail server, mails are .eml files in the folder mail of the data folder: nobody gets them.",
        );
        put(out, "# from = \"Buttonwatch <buttonwatch@example.org>\"");
        put(
            out,
            "# smtp = { host = \"mail.example.org\", tls = \"starttls\", username = \"buttonwatch\", password_file = \"mail-password.txt\" }",
        );
        return;
    };
    put(out, format_args!("from = {}", quoted(&sender(&answers.name, &smtp.from))));
    put(out, "\n[mail.smtp]");
    put(out, format_args!("host = {}", quoted(&smtp.host)));
    put(out, format_args!("port = {}", smtp.port));
    put(out, format_args!("tls = \"{}\"", tls_word(smtp.tls)));
    if let Some(username) = &smtp.username {
        put(out, format_args!("username = {}", quoted(username)));
        let file = secret_file(&smtp.secret, &place.join(MAIL_PASSWORD_FILE));
        put(out, format_args!("password_file = {}  # its first line is the password", quoted_path(&file)));
    }
    put(out, "# Try it: buttonwatch doctor --config buttonwatch.toml --send-test-mail");
}

fn influx(answers: &Answers, place: &Path, out: &mut String) {
    out.push_str(
        "\n# History in InfluxDB, for Grafana. Without it the store keeps readings by the hour for 90 days.\n",
    );
    let Some(influx) = &answers.influx else {
        put(out, "# [influx]");
        put(out, "# url = \"http://127.0.0.1:8086\"");
        put(out, "# org = \"buttonwatch\"");
        put(out, "# token_file = \"influx-token.txt\"");
        return;
    };
    put(out, "# Make its buckets once: buttonwatch influx setup --config buttonwatch.toml");
    put(out, "[influx]");
    put(out, format_args!("url = {}", quoted(&influx.url)));
    put(out, format_args!("org = {}", quoted(&influx.org)));
    if influx.secret != Secret::None {
        let file = secret_file(&influx.secret, &place.join(INFLUX_TOKEN_FILE));
        put(out, format_args!("token_file = {}  # its first line is the token", quoted_path(&file)));
    }
}

fn put(out: &mut String, line: impl std::fmt::Display) {
    writeln!(out, "{line}").expect("writing to a text does not fail");
}

fn secret_file(secret: &Secret, ours: &Path) -> PathBuf {
    match secret {
        Secret::InFile(path) => path.clone(),
        Secret::None | Secret::Typed(_) => ours.to_owned(),
    }
}

pub fn tls_word(tls: SmtpTls) -> &'static str {
    match tls {
        SmtpTls::StartTls => "starttls",
        SmtpTls::Implicit => "implicit",
        SmtpTls::None => "none",
    }
}

/// `"Buttonwatch Peshawar" <buttonwatch@example.org>`. What is no address stays as it is: the checker says what is wrong.
pub fn sender(name: &str, address: &str) -> String {
    let full = format!("Buttonwatch {}", name.trim());
    match address.parse() {
        Ok(email) => Mailbox::new(Some(full.trim().to_owned()), email).to_string(),
        Err(_) => address.to_owned(),
    }
}

impl WebAnswer {
    pub fn listen(&self) -> SocketAddr {
        match self {
            WebAnswer::Here(listen) | WebAnswer::Network { listen, .. } | WebAnswer::Proxy { listen, .. } => *listen,
        }
    }
}

fn fleet(answers: &Answers) -> String {
    let row = "PSH-001,Kabuli Gate,Qissa Khwani Bazaar,market,Peshawar,Peshawar,\"Qissa Khwani Road, Peshawar\",34.0090,71.5733,\
               saddar,psh-fibre-01,city-1,PB-1,30,2026-01-01,Site office 091-0000-001";
    let begin = if answers.example { "" } else { "# " };
    format!(
        "# One row for each button. Must be there: unit, site, city, crew. Lines that start with # are passed over.\n\
         # Units with one uplink or one feeder share that circuit: if it fails, that is one order, not ten.\n\
         {}\n{begin}{row}\n",
        COLUMNS.join(",")
    )
}

/// Writes all of them into `folder`, or none. Err: which one cannot be, and why.
pub fn write_all(folder: &Path, files: &[NewFile]) -> Result<(), String> {
    let there: Vec<String> = files
        .iter()
        .map(|f| folder.join(f.name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        let are = if there.len() == 1 { "is" } else { "are" };
        return Err(format!(
            "{} {are} there already; nothing was written. Name another folder with --dir, or move what is there away",
            there.join(", ")
        ));
    }
    let made_folder = !folder.exists();
    fs::create_dir_all(folder)
        .map_err(|e| format!("{}: {e}; name a folder that you may write with --dir", folder.display()))?;
    let mut written: Vec<PathBuf> = Vec::new();
    for file in files {
        let path = folder.join(file.name);
        if let Err(e) = write_new(&path, file) {
            for path in written.iter().rev() {
                // What cannot be removed now could be written a moment ago; the error below is the one to tell.
                let _ = fs::remove_file(path);
            }
            if made_folder {
                let _ = fs::remove_dir(folder);
            }
            return Err(format!(
                "{}: {e}; nothing was written. Name a folder that you may write with --dir",
                path.display()
            ));
        }
        written.push(path);
    }
    Ok(())
}

/// Whole or not at all, and never over a file that appeared meanwhile.
fn write_new(path: &Path, file: &NewFile) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    part.write_all(file.text.as_bytes())?;
    let mode = if file.secret { 0o600 } else { 0o644 };
    part.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    part.as_file().sync_all()?;
    part.persist_noclobber(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
