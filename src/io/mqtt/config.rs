//! Where the external broker is and how to prove who we are. Never connects.

use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// The longest packet that MQTT can write. A smaller limit of our own would drop the connection at a longer message, and
/// the broker would send that message again at once, for ever; the broker's operator sets the real limit.
const LONGEST_PACKET: usize = 268_435_455;

/// rumqttc counts packet ids of its own messages up to this. Commands in flight stay well below (`link::COMMANDS_IN_FLIGHT`).
const INFLIGHT: u16 = 100;

#[derive(Clone)]
pub struct ExternalConfig {
    /// A name or an address. For TLS it is also the name that the broker's certificate must bear.
    pub host: String,
    pub port: u16,
    /// The broker keeps our session under this name: never change it lightly, never let two programs share it.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    pub tls: Option<ExternalTls>,
    /// The first part of every topic, without a slash at its end.
    pub root: String,
    /// A dead broker is noticed within twice this.
    pub keep_alive: Duration,
}

impl ExternalConfig {
    /// 15 s: deafness is known before the first unit's three 30 s heartbeats are missed.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

    /// No login, no TLS, client id `buttonwatch`, root `buttonwatch/v1`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        ExternalConfig {
            host: host.into(),
            port,
            client_id: "buttonwatch".to_owned(),
            credentials: None,
            tls: None,
            root: "buttonwatch/v1".to_owned(),
            keep_alive: Self::KEEP_ALIVE,
        }
    }

    /// `host:port`, as people write it.
    pub(super) fn address(&self) -> String {
        if self.is_ipv6() { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    fn is_ipv6(&self) -> bool {
        self.host.parse::<Ipv6Addr>().is_ok()
    }

    pub(super) fn options(&self) -> Result<MqttOptions, ExternalError> {
        self.check()?;
        // rumqttc joins host and port with a colon: an IPv6 address needs its brackets.
        let host = if self.is_ipv6() { format!("[{}]", self.host) } else { self.host.clone() };
        let mut options = MqttOptions::new(&self.client_id, host, self.port);
        options
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_keep_alive(self.keep_alive)
            .set_max_packet_size(LONGEST_PACKET, LONGEST_PACKET)
            .set_inflight(INFLIGHT);
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password);
        }
        if let Some(tls) = &self.tls {
            let client = tls.client_config()?;
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client))));
        }
        Ok(options)
    }

    fn check(&self) -> Result<(), ExternalError> {
        if self.host.is_empty() || self.host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(ExternalError::BadHost { host: self.host.clone() });
        }
        if self.client_id.is_empty() || self.client_id.len() > 256 || self.client_id.chars().any(char::is_control) {
            return Err(ExternalError::BadClientId { client_id: self.client_id.clone() });
        }
        let root = self.root.as_str();
        let slashed = root.starts_with('/') || root.ends_with('/') || root.contains("//");
        if root.is_empty() || root.len() > 256 || slashed || root.contains(['+', '#', '$', '\0']) {
            return Err(ExternalError::BadRoot { root: self.root.clone() });
        }
        if !(1..=u64::from(u16::MAX)).contains(&self.keep_alive.as_secs()) {
            return Err(ExternalError::BadKeepAlive { keep_alive: self.keep_alive });
        }
        // rumqttc checks the certificate against the text it connects to, and a bracketed address is no name.
        if self.tls.is_some() && (self.is_ipv6() || ServerName::try_from(self.host.as_str()).is_err()) {
            return Err(ExternalError::NoTlsName { host: self.host.clone() });
        }
        Ok(())
    }
}

impl fmt::Debug for ExternalConfig {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalConfig")
            .field("address", &self.address())
            .field("client_id", &self.client_id)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("tls", &self.tls)
            .field("root", &self.root)
            .field("keep_alive", &self.keep_alive)
            .finish()
    }
}

#[derive(Debug, Clone, Default)]
pub struct ExternalTls {
    /// PEM, one or more CA certificates. None: those that the operating system trusts.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, when the broker asks for one.
    pub identity: Option<ExternalIdentity>,
}

#[derive(Debug, Clone)]
pub struct ExternalIdentity {
    /// PEM, our certificate first, then those between it and the CA.
    pub cert_file: PathBuf,
    /// PEM, unencrypted.
    pub key_file: PathBuf,
}

impl ExternalTls {
    fn client_config(&self) -> Result<ClientConfig, ExternalError> {
        let roots = match &self.ca_file {
            Some(path) => roots_from(path)?,
            None => system_roots()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| ExternalError::Tls { why: e.to_string() })?
            .with_root_certificates(roots);
        let Some(identity) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(&identity.cert_file)?;
        let pem = read(&identity.key_file)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| ExternalError::NoKey { path: identity.key_file.clone() })?;
        builder.with_client_auth_cert(chain, key).map_err(|e| ExternalError::BadIdentity {
            cert: identity.cert_file.clone(),
            key: identity.key_file.clone(),
            why: e.to_string(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ExternalError> {
    fs::read(path).map_err(|source| ExternalError::Unreadable { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExternalError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(ExternalError::NoCertificate { path: path.to_owned() }),
    }
}

fn roots_from(path: &Path) -> Result<RootCertStore, ExternalError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|_| ExternalError::NoCertificate { path: path.to_owned() })?;
    }
    Ok(roots)
}

/// A system's store may hold a few certificates that no longer parse: those are passed over.
fn system_roots() -> Result<RootCertStore, ExternalError> {
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(ExternalError::NoSystemRoots) } else { Ok(roots) }
}

/// A configuration that can never work. The text says what to change.
#[derive(Debug)]
pub enum ExternalError {
    BadHost { host: String },
    BadClientId { client_id: String },
    BadRoot { root: String },
    BadKeepAlive { keep_alive: Duration },
    NoTlsName { host: String },
    Unreadable { path: PathBuf, source: io::Error },
    NoCertificate { path: PathBuf },
    NoKey { path: PathBuf },
    BadIdentity { cert: PathBuf, key: PathBuf, why: String },
    NoSystemRoots,
    Tls { why: String },
}

impl fmt::Display for ExternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternalError::BadHost { host } => {
                write!(
                    f,
                    "{host:?} is not the name or address of an MQTT broker; write it like mqtt.example.org or 192.0.2.7"
                )
            }
            ExternalError::BadClientId { client_id } => {
                write!(f, "{client_id:?} is not an MQTT client id; use 1 to 256 characters and no control characters")
            }
            ExternalError::BadRoot { root } => write!(
                f,
                "{root:?} cannot be the first part of topics; write it like buttonwatch/v1, without + # $ and without a \
                 slash at either end"
            ),
            ExternalError::BadKeepAlive { keep_alive } => {
                write!(f, "a keep-alive of {keep_alive:?} is not possible; choose 1 s to 65535 s, for example 15 s")
            }
            ExternalError::NoTlsName { host } => write!(
                f,
                "TLS needs the name that stands in the broker's certificate, and {host:?} is none; give the broker's host name"
            ),
            ExternalError::Unreadable { path, source } => {
                write!(f, "cannot read {}: {source}; correct the path or the file's permissions", path.display())
            }
            ExternalError::NoCertificate { path } => write!(
                f,
                "{} holds no usable certificate; it must be a PEM file with -----BEGIN CERTIFICATE-----",
                path.display()
            ),
            ExternalError::NoKey { path } => write!(
                f,
                "{} holds no usable private key; it must be an unencrypted PEM file with -----BEGIN PRIVATE KEY-----",
                path.display()
            ),
            ExternalError::BadIdentity { cert, key, why } => write!(
                f,
                "certificate {} and key {} do not work together: {why}; check that the key was made for this certificate",
                cert.display(),
                key.display()
            ),
            ExternalError::NoSystemRoots => write!(
                f,
                "this machine trusts no certificate authority; install ca-certificates, or name the broker's CA file"
            ),
            ExternalError::Tls { why } => write!(f, "TLS cannot be set up: {why}; report this as a bug"),
        }
    }
}

impl std::error::Error for ExternalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExternalError::Unreadable { source, .. } => Some(source),
            ExternalError::BadHost { .. }
            | ExternalError::BadClientId { .. }
            | ExternalError::BadRoot { .. }
            | ExternalError::BadKeepAlive { .. }
            | ExternalError::NoTlsName { .. }
            | ExternalError::NoCertificate { .. }
            | ExternalError::NoKey { .. }
            | ExternalError::BadIdentity { .. }
            | ExternalError::NoSystemRoots
            | ExternalError::Tls { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ExternalConfig), says: &str) {
        let mut config = ExternalConfig::new("localhost", 1883);
        change(&mut config);
        match config.options() {
            Ok(_) => assert_eq!(says, "", "{config:?} was taken"),
            Err(e) => assert!(!says.is_empty() && e.to_string().contains(says), "{e}"),
        }
    }

    #[test]
    fn an_unusable_setting_is_named_with_its_remedy() {
        check(|_| {}, "");
        check(|c| c.host = "::1".into(), "");
        check(|c| c.host = "mqtt://x".into(), "is not the name or address");
        check(|c| c.client_id = String::new(), "use 1 to 256 characters");
        check(|c| c.root = "buttonwatch/v1/".into(), "without a slash at either end");
        check(|c| c.root = "a/+/b".into(), "without + # $");
        check(|c| c.keep_alive = Duration::from_millis(900), "choose 1 s to 65535 s");
    }

    #[test]
    fn an_unusable_tls_file_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("empty.pem");
        fs::write(&empty, "not PEM").expect("written");
        let missing = folder.path().join("missing.pem");
        let tls = |ca: &Path| Some(ExternalTls { ca_file: Some(ca.to_owned()), identity: None });
        check(|c| c.tls = tls(&missing), "cannot read");
        check(|c| c.tls = tls(&empty), "holds no usable certificate");
        check(
            |c| {
                c.tls = tls(&empty);
                c.host = "::1".into();
            },
            "give the broker's host name",
        );
    }

    #[test]
    fn the_password_never_stands_in_a_log() {
        let mut config = ExternalConfig::new("localhost", 1883);
        config.credentials = Some(("monitor".into(), "open sesame".into()));
        let text = format!("{config:?}");
        assert!(text.contains("monitor") && !text.contains("sesame"), "{text}");
    }
}
