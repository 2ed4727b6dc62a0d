//! Starting: what cannot work says so in one line, and TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use buttonwatch::io::gateway::{Gateway, GatewayConfig, Identity, PasswordFile, TlsFiles};
use buttonwatch::wire::refusal::RefusalKind;
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, TlsConfiguration, Transport};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::gateway::house::*;

async fn error_of(config: GatewayConfig) -> String {
    match Gateway::start(config, mpsc::channel(1).0).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

fn at(listen: &str) -> GatewayConfig {
    GatewayConfig { listen: listen.parse().unwrap(), ..open_config() }
}

#[tokio::test]
async fn without_passwords_it_listens_only_where_no_one_else_can_reach_it() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let listen: SocketAddr = listen.parse().unwrap();
        assert_eq!(
            error_of(GatewayConfig { listen, ..open_config() }).await,
            format!(
                "units would connect to {listen} without a password, and others can reach that address; \
                 listen on 127.0.0.1, or give units passwords (`buttonwatch fleet password`)"
            )
        );
    }
    for listen in ["127.0.0.1:0", "127.9.9.9:0", "[::ffff:127.0.0.1]:0"] {
        Gateway::start(at(listen), mpsc::channel(1).0).await.unwrap().stop().await;
    }
}

#[tokio::test]
async fn a_taken_port_and_a_foreign_address_are_named() {
    let house = House::open().await;
    let taken = house.addr();
    assert_eq!(
        error_of(at(&taken.to_string())).await,
        format!(
            "port {} on 127.0.0.1 is taken by another program (another buttonwatch, or mosquitto?); \
             stop it, or choose another port",
            taken.port()
        )
    );
    let identity = Identity::Passwords(Arc::new(PasswordFile::default()));
    assert_eq!(
        error_of(GatewayConfig { identity, ..at("192.0.2.1:0") }).await,
        "192.0.2.1 is no address of this machine; listen on 127.0.0.1, 0.0.0.0 or one of its own"
    );
    // Once it has stopped, the port is free at once.
    house.gateway.stop().await;
    Gateway::start(at(&taken.to_string()), mpsc::channel(1).0).await.unwrap();
}

struct Certificate {
    folder: tempfile::TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new() -> Certificate {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Certificate { folder, der: made.cert.der().clone() }
    }
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn files(&self) -> TlsFiles {
        TlsFiles { cert_chain: self.file("cert.pem"), key: self.file("key.pem") }
    }
    fn client(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(builder.unwrap().with_root_certificates(roots).with_no_client_auth())
    }
}

async fn tls_error(cert_chain: &Path, key: &Path) -> String {
    let tls = Some(TlsFiles { cert_chain: cert_chain.to_owned(), key: key.to_owned() });
    error_of(GatewayConfig { tls, ..open_config() }).await
}

#[tokio::test]
async fn unusable_tls_files_are_named_with_a_remedy() {
    let (ours, other) = (Certificate::new(), Certificate::new());
    let (cert, key) = (ours.file("cert.pem"), ours.file("key.pem"));
    let missing = ours.file("missing.pem");
    let said = tls_error(&missing, &key).await;
    assert!(said.starts_with(&format!("cannot read {}: ", missing.display())), "{said}");
    assert!(said.ends_with("; check that the file is there and that this user may read it"), "{said}");
    assert_eq!(
        tls_error(&key, &key).await,
        format!("{} holds no certificate; it must be a PEM file with \"BEGIN CERTIFICATE\"", key.display())
    );
    assert_eq!(
        tls_error(&cert, &cert).await,
        format!("{} holds no private key; it must be a PEM file with \"BEGIN PRIVATE KEY\"", cert.display())
    );
    let said = tls_error(&cert, &other.file("key.pem")).await;
    assert!(said.contains("cannot be used") && said.contains("check that they belong together"), "{said}");
    let broken = ours.file("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let said = tls_error(&broken, &key).await;
    assert!(said.contains("cannot be used"), "{said}");
}

#[tokio::test]
async fn units_connect_over_tls_and_a_silent_connection_stalls_no_handshake() {
    let certificate = Certificate::new();
    let config =
        GatewayConfig { tls: Some(certificate.files()), connect_timeout: Duration::from_secs(5), ..open_config() };
    let house = House::with(config).await;
    let silent: Vec<TcpStream> = {
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(house.addr()).await.unwrap());
        }
        silent
    };

    let mut options = MqttOptions::new("PSH-001", "localhost", house.addr().port());
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(certificate.client())));
    let (client, mut events) = AsyncClient::new(options, 8);
    client.publish(topic("PSH-001", "press"), QoS::AtLeastOnce, false, "over TLS").await.unwrap();
    while !matches!(soon("an event", events.poll()).await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    house.daemon.until_messages(&["PSH-001/press over TLS"]).await;

    // Many messages at once, each larger than a TLS record's leftovers.
    let stream = TcpStream::connect(house.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(certificate.client()).connect(name, stream).await.unwrap();
    let mut raw = Raw::over(stream);
    raw.send(v4::Packet::Connect(hello("PSH-002"))).await;
    raw.expect(connack(v4::ConnectReturnCode::Success)).await;
    let payload = "x".repeat(9_000);
    for pkid in 1..=40 {
        raw.send(publish(&topic("PSH-002", "selftest"), QoS::AtLeastOnce, pkid, &payload)).await;
    }
    for pkid in 1..=40 {
        raw.expect(puback(pkid)).await;
    }

    // A unit that was told to use no TLS.
    let mut plain = Raw::tcp(house.addr()).await;
    plain.send(v4::Packet::Connect(hello("PSH-003"))).await;
    while plain.stream.try_read(&mut [0; 64]).map_or(true, |read| read > 0) {
        soon("an answer or the end", plain.stream.readable()).await.unwrap();
    }
    house.daemon.until_refused(RefusalKind::MalformedPacket, 1).await;
    assert!(house.daemon.refusals()[0].why.contains("must use TLS"), "{}", house.daemon.refusals()[0].why);
    drop(silent);
}
