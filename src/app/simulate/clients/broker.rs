//! Where the broker is, and who may log in: the broker's address, certificates and the units' passwords.
//! Never connects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{LastWill, MqttOptions, QoS, TlsConfiguration, Transport};
use rustls::{ClientConfig, RootCertStore};

use crate::app::simulate::payload::{self, topic};
use crate::domain::message::Kind;
use crate::domain::{Fleet, UnitId};

use super::SimulateError;

#[derive(Debug, Clone)]
pub(super) struct Broker {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

/// Where Linux distributions keep the certificates that they trust: Debian, Fedora, SUSE, Alpine.
const SYSTEM_CERTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Far above DESIGN §4's 16 KiB; rumqttc's own 10 KiB would loop for ever on a larger message.
const MAX_PACKET: usize = 64 * 1024;

impl Broker {
    pub(super) fn parse(url: &str, ca_file: Option<&Path>) -> Result<Broker, SimulateError> {
        let wrong = |why: &str| SimulateError::BrokerUrl { url: url.to_owned(), why: why.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no mqtt:// or mqtts:// in front"))?;
        let (encrypted, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" | "tcp" => (false, 1883),
            "mqtts" | "ssl" => (true, 8883),
            "ws" | "wss" => return Err(wrong("WebSockets are not supported")),
            "http" | "https" => return Err(wrong("this is a web address, not a broker's")),
            _ => return Err(wrong("unknown protocol")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(wrong("it holds a user name; put the units' passwords into a file of their own"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(wrong("it goes on after the port"));
        }
        let (host, port) = match (rest.rfind(':'), rest.rfind(']')) {
            // `[::1]` without a port.
            (Some(colon), Some(bracket)) if bracket > colon => (rest, None),
            (Some(colon), _) => (&rest[..colon], Some(&rest[colon + 1..])),
            (None, _) => (rest, None),
        };
        let port = match port {
            None => usual_port,
            Some(text) => match text.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("the port must be a number from 1 to 65535")),
            },
        };
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if host.contains(char::is_whitespace) || (host.contains(':') && !host.starts_with('[')) {
            return Err(wrong("the host is not a name or an address; an IPv6 address needs [ ] around it"));
        }
        let tls = if encrypted { Some(Arc::new(trust(ca_file)?)) } else { None };
        Ok(Broker { host: host.to_owned(), port, tls })
    }

    /// One unit's connection: its id as client id and user name, its last will, a clean session.
    ///
    /// A clean session, because the unit keeps its own unacknowledged messages and sends them again: nothing then depends
    /// on how well a broker keeps sessions.
    pub(super) fn options(&self, unit: &UnitId, password: Option<String>, root: &str) -> MqttOptions {
        let mut options = MqttOptions::new(unit.as_str(), self.host.as_str(), self.port);
        options.set_keep_alive(Duration::from_secs(30));
        options.set_clean_session(true);
        options.set_max_packet_size(MAX_PACKET, MAX_PACKET);
        options.set_last_will(LastWill::new(
            topic(root, unit, Kind::Status),
            payload::last_will(),
            QoS::AtLeastOnce,
            true,
        ));
        if let Some(password) = password {
            options.set_credentials(unit.as_str(), password);
        }
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        options
    }
}

fn trust(ca_file: Option<&Path>) -> Result<ClientConfig, SimulateError> {
    let path: PathBuf = match ca_file {
        Some(path) => path.to_owned(),
        None => SYSTEM_CERTS.iter().map(PathBuf::from).find(|p| p.is_file()).ok_or(SimulateError::NoSystemCerts)?,
    };
    let fail = |why: String| SimulateError::CaFile { path: path.clone(), why };
    let pem = std::fs::read(&path).map_err(|e| fail(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for cert in rustls_pemfile::certs(&mut pem.as_slice()) {
        let cert = cert.map_err(|e| fail(e.to_string()))?;
        // A system's list may hold one that ring cannot read; the others still count.
        let _ = roots.add(cert);
    }
    if roots.is_empty() {
        return Err(fail("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fail(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// A line of the password file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPassword {
    pub unit: UnitId,
    pub password: String,
}

/// Lines `unit:password`; empty lines and lines with `#` in front are passed over. Units of other fleets may be in it.
/// Err: every bad line, and every unit of the fleet without a password.
pub fn read_passwords(path: &Path, fleet: &Fleet) -> Result<Vec<UnitPassword>, SimulateError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SimulateError::PasswordFile { path: path.to_owned(), source })?;
    let name = path.display();
    let mut passwords: Vec<UnitPassword> = Vec::new();
    let mut problems = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let number = i + 1;
        match line.split_once(':').map(|(unit, password)| (UnitId::parse(unit.trim()), password)) {
            None => problems.push(format!("{name}:{number}: there is no colon; write unit:password")),
            Some((Err(e), _)) => problems.push(format!("{name}:{number}: {e}; correct the id before the colon")),
            Some((Ok(unit), "")) => problems.push(format!("{name}:{number}: {unit} has an empty password; add it")),
            Some((Ok(unit), _)) if passwords.iter().any(|p| p.unit == unit) => {
                problems.push(format!("{name}:{number}: {unit} stands here a second time; remove one line"));
            }
            Some((Ok(unit), password)) => passwords.push(UnitPassword { unit, password: password.to_owned() }),
        }
    }
    let without: Vec<&str> = fleet
        .units()
        .map(|(_, u)| u.unit.as_str())
        .filter(|id| !passwords.iter().any(|p| p.unit.as_str() == *id))
        .collect();
    if !without.is_empty() && problems.is_empty() {
        let shown = without.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if without.len() > 5 { format!(" and {} more", without.len() - 5) } else { String::new() };
        problems.push(format!("{name}: no password for {shown}{more}; add a line unit:password for each"));
    }
    if problems.is_empty() { Ok(passwords) } else { Err(SimulateError::Passwords { problems }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_bad_ones_name_the_remedy() {
        for (url, host, port) in [
            ("mqtt://127.0.0.1:1884", "127.0.0.1", 1884),
            ("mqtt://broker.example", "broker.example", 1883),
            ("MQTT://broker.example/", "broker.example", 1883),
            ("mqtt://[::1]:1885", "[::1]", 1885),
            ("mqtt://[::1]", "[::1]", 1883),
        ] {
            let broker = Broker::parse(url, None).expect(url);
            assert_eq!((broker.host.as_str(), broker.port), (host, port), "{url}");
        }
        for url in [
            "127.0.0.1:1883",
            "http://x:1883",
            "ws://x",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://x:0",
            "mqtt://x:99999",
            "mqtt://x:port",
            "mqtt://user:secret@x",
            "mqtt://x:1883/path",
            "mqtt://::1:1883",
            "",
        ] {
            let text = Broker::parse(url, None).expect_err(url).to_string();
            assert!(text.contains("write mqtt://HOST:PORT"), "{text}");
        }
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        let error = Broker::parse("mqtts://x", Some(file.path())).expect_err("empty file");
        assert!(error.to_string().contains("holds no certificate"), "{error}");
    }

    #[test]
    fn a_password_file_shows_all_its_mistakes() {
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        std::fs::write(file.path(), "# comment\nA-1:secret:with:colons\n\nB 2:x\nC-3\nD-4:\nA-1:again\n")
            .expect("written");
        let Err(SimulateError::Passwords { problems }) = read_passwords(file.path(), &Fleet::default()) else {
            panic!("mistakes expected");
        };
        assert_eq!(problems.len(), 4, "{problems:?}");
        std::fs::write(file.path(), "A-1:secret:with:colons\r\n").expect("written");
        let read = read_passwords(file.path(), &Fleet::default()).expect("valid");
        assert_eq!(read[0].password, "secret:with:colons");
    }
}
