//! `io::mqtt` against a real Mosquitto: promises, losses, refusals, floods and TLS.

use crate::mosquitto;

use std::collections::HashSet;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use buttonwatch::domain::{Hearing, UnitId};
use buttonwatch::io::mqtt::{External, ExternalConfig, ExternalIdentity, ExternalTls};
use buttonwatch::wire::ingest::{Chunk, Ingest};
use buttonwatch::wire::refusal::RefusalKind;
use bytes::Bytes;
use mosquitto::{Mosquitto, Setup, free_port};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Far more than anything here takes: only a fault waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

const HEARTBEAT: &str = "buttonwatch/v1/PSH-001/heartbeat";

/// The daemon's end of the channel.
struct Monitor {
    external: External,
    ingest: mpsc::Receiver<Ingest>,
}

impl Monitor {
    async fn start(config: ExternalConfig) -> Monitor {
        Monitor::with_room(config, 64).await
    }

    async fn with_room(config: ExternalConfig, room: usize) -> Monitor {
        let (tx, ingest) = mpsc::channel(room);
        let external = External::start(config, tx).await.expect("a usable configuration");
        Monitor { external, ingest }
    }

    async fn next(&mut self) -> Ingest {
        timeout(PATIENCE, self.ingest.recv()).await.expect("something is heard in time").expect("the link lives")
    }

    async fn hears(&mut self, expected: Hearing) {
        match self.next().await {
            Ingest::Hearing(hearing) => assert_eq!(hearing, expected, "{:?}", self.external.trouble()),
            Ingest::Publishes(chunk) => panic!("{} messages instead of {expected}", chunk.publishes.len()),
            Ingest::Refused(refusal) => panic!("{refusal:?} instead of {expected}"),
        }
    }

    async fn chunk(&mut self) -> Chunk {
        match self.next().await {
            Ingest::Publishes(chunk) => chunk,
            Ingest::Hearing(hearing) => panic!("{hearing} instead of messages: {:?}", self.external.trouble()),
            Ingest::Refused(refusal) => panic!("{refusal:?} instead of messages"),
        }
    }

    /// The payloads of the next `count` messages, each committed.
    async fn commit(&mut self, count: usize) -> Vec<String> {
        let mut payloads = Vec::new();
        while payloads.len() < count {
            let chunk = self.chunk().await;
            payloads.extend(chunk.publishes.iter().map(|p| String::from_utf8_lossy(&p.payload).into_owned()));
            chunk.ack.committed();
        }
        payloads
    }

    /// The payloads of the next `count` messages, and their chunks, not committed.
    async fn hold(&mut self, count: usize) -> (Vec<String>, Vec<Chunk>) {
        let (mut payloads, mut chunks) = (Vec::new(), Vec::new());
        while payloads.len() < count {
            let chunk = self.chunk().await;
            payloads.extend(chunk.publishes.iter().map(|p| String::from_utf8_lossy(&p.payload).into_owned()));
            chunks.push(chunk);
        }
        (payloads, chunks)
    }
}

fn to(broker: &Mosquitto) -> ExternalConfig {
    ExternalConfig::new("127.0.0.1", broker.port())
}

/// Waits until the broker's log holds `text` at least `times` times.
async fn logged(broker: &Mosquitto, text: &str, times: usize) {
    let deadline = Instant::now() + PATIENCE;
    while broker.log().matches(text).count() < times {
        assert!(Instant::now() < deadline, "not {times} times {text:?} in:\n{}", broker.log());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn messages_of_every_qos_arrive_with_what_the_broker_tells_about_them() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    broker.publish(&["-t", "buttonwatch/v1/PSH-009/status", "-m", "kept", "-r", "-q", "1"]);
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    assert!(monitor.external.connected());
    assert_eq!(monitor.external.trouble(), None);

    let kept = monitor.chunk().await;
    assert_eq!(kept.publishes[0].topic, "buttonwatch/v1/PSH-009/status");
    assert!(kept.publishes[0].retained && kept.publishes[0].sender.is_none());
    kept.ack.committed();

    for qos in ["0", "1", "2"] {
        broker.publish(&["-t", HEARTBEAT, "-m", qos, "-q", qos]);
        let chunk = monitor.chunk().await;
        assert_eq!(chunk.publishes.len(), 1);
        assert_eq!(chunk.publishes[0].payload, Bytes::from(qos));
        assert!(!chunk.publishes[0].retained);
        chunk.ack.committed();
    }
    monitor.external.stop().await;
    // Stopping keeps the promises made: the two of QoS 1 (2 is lowered to it) and the retained one.
    logged(&broker, "Received PUBACK from buttonwatch", 3).await;
    logged(&broker, "Received DISCONNECT from buttonwatch", 1).await;
}

#[tokio::test]
async fn what_was_not_committed_comes_again_and_what_was_does_not() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish_lines(&["-t", HEARTBEAT, "-q", "1"], (1..=3).map(|n| n.to_string()));
    let (first, chunks) = monitor.hold(3).await;
    assert_eq!(first, ["1", "2", "3"]);
    assert!(!broker.log().contains("Received PUBACK from buttonwatch"), "acknowledged before the commit");
    // The process dies here.
    drop(monitor);
    drop(chunks);
    logged(&broker, "Received DISCONNECT from buttonwatch", 1).await;

    // The session remembers: they come before the new SUBACK.
    let mut monitor = Monitor::start(to(&broker)).await;
    let mut again = HashSet::new();
    let mut up = false;
    while again.len() < 3 || !up {
        match monitor.next().await {
            Ingest::Publishes(chunk) => {
                again.extend(chunk.publishes.iter().map(|p| p.payload.clone()));
                chunk.ack.committed();
            }
            Ingest::Hearing(hearing) => {
                assert_eq!(hearing, Hearing::Up);
                up = true;
            }
            Ingest::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
    monitor.external.stop().await;
    logged(&broker, "Received PUBACK from buttonwatch", 3).await;

    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "marker", "-q", "1"]);
    assert_eq!(monitor.commit(1).await, ["marker"]);
}

#[tokio::test]
async fn a_chunk_dropped_uncommitted_is_asked_for_again() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "precious", "-q", "1"]);
    drop(monitor.chunk().await);
    monitor.hears(Hearing::Down).await;
    assert_eq!(monitor.commit(1).await, ["precious"]);
    monitor.hears(Hearing::Up).await;
}

#[tokio::test]
async fn after_a_killed_broker_comes_back_the_units_are_heard_again() {
    let Some(mut broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    for round in 0..3 {
        broker.kill();
        monitor.hears(Hearing::Down).await;
        assert!(!monitor.external.connected());
        assert!(monitor.external.trouble().is_some());
        // It kept nothing on disk: no session, no subscription.
        broker.restart();
        monitor.hears(Hearing::Up).await;
        let text = format!("round {round}");
        broker.publish(&["-t", HEARTBEAT, "-m", &text, "-q", "1"]);
        assert_eq!(monitor.commit(1).await, [text]);
    }
}

#[tokio::test]
async fn an_ack_of_a_former_connection_acknowledges_nothing() {
    let Some(mut broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "before", "-q", "1"]);
    let before = monitor.chunk().await;
    broker.kill();
    monitor.hears(Hearing::Down).await;
    broker.restart();
    monitor.hears(Hearing::Up).await;
    // A new session counts its packet ids from 1 again, as the lost one did.
    broker.publish(&["-t", HEARTBEAT, "-m", "after", "-q", "1"]);
    let after = monitor.chunk().await;
    before.ack.committed();
    monitor.external.stop().await;
    drop(after);
    logged(&broker, "Received DISCONNECT from buttonwatch", 1).await;
    assert!(!broker.log().contains("Received PUBACK from buttonwatch"), "{}", broker.log());

    let mut monitor = Monitor::start(to(&broker)).await;
    assert_eq!(monitor.commit(1).await, ["after"]);
}

#[tokio::test]
async fn what_the_units_said_while_we_were_away_is_kept_over_a_killed_broker() {
    let Some(mut broker) = Mosquitto::start(Setup::new().persistent()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    monitor.external.stop().await;
    broker.publish(&["-t", HEARTBEAT, "-m", "while away", "-q", "1"]);
    broker.stop();
    broker.restart();
    let mut monitor = Monitor::start(to(&broker)).await;
    assert_eq!(monitor.commit(1).await, ["while away"]);
    monitor.hears(Hearing::Up).await;
}

#[tokio::test]
async fn a_huge_message_is_refused_once_and_the_connection_lives() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    let huge = broker.folder().join("huge");
    fs::write(&huge, vec![b'x'; 300 * 1024]).expect("written");
    broker.publish(&["-t", HEARTBEAT, "-f", huge.to_str().expect("UTF-8"), "-q", "1"]);
    match monitor.next().await {
        Ingest::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::TooLarge);
            assert_eq!(refusal.topic, HEARTBEAT);
        }
        Ingest::Publishes(_) | Ingest::Hearing(_) => panic!("not refused"),
    }
    // Its ack goes the way of all acks.
    let chunk = monitor.chunk().await;
    assert!(chunk.publishes.is_empty());
    chunk.ack.committed();
    logged(&broker, "Received PUBACK from buttonwatch", 1).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "next", "-q", "1"]);
    assert_eq!(monitor.commit(1).await, ["next"]);
}

#[tokio::test]
async fn foreign_and_broken_messages_never_use_up_the_window() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    // Mosquitto lets 20 be unacknowledged at once.
    for topic in ["buttonwatch/v1/é+/heartbeat".replace('+', "x"), "buttonwatch/v1/ /power".to_owned()] {
        broker.publish_lines(&["-t", &topic, "-q", "1"], (0..200).map(|n| format!("{{broken {n}")));
    }
    broker.publish(&["-t", HEARTBEAT, "-m", "good", "-q", "1"]);
    let all = monitor.commit(401).await;
    assert_eq!(all.last().map(String::as_str), Some("good"));
}

#[tokio::test]
async fn our_own_commands_do_not_come_back() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish(&["-t", "buttonwatch/v1/PSH-001/command", "-m", "x", "-q", "1"]);
    broker.publish(&["-t", "buttonwatch/v1/PSH-001/else", "-m", "x", "-q", "1"]);
    broker.publish(&["-t", "buttonwatch/v1/PSH-001/reply", "-m", "heard", "-q", "1"]);
    assert_eq!(monitor.commit(1).await, ["heard"]);
}

#[tokio::test]
async fn commands_reach_units_and_wait_for_a_broker_that_is_away() {
    let Some(mut broker) = Mosquitto::start(Setup::new()) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    let commands = monitor.external.commands();
    let unit = UnitId::parse("PSH-001").expect("an id");
    let topic = "buttonwatch/v1/PSH-001/command";

    let heard = subscriber(&broker, topic, 1).await;
    commands.send(&unit, topic, Bytes::from("selftest")).await.expect("queued");
    assert_eq!(output_of(heard).await, "selftest\n");
    assert!(commands.send(&unit, "a/+/b", Bytes::new()).await.is_err());

    broker.kill();
    monitor.hears(Hearing::Down).await;
    // More than may be in flight at once.
    for n in 0..120 {
        commands.send(&unit, topic, Bytes::from(n.to_string())).await.expect("queued");
    }
    broker.restart();
    monitor.hears(Hearing::Up).await;
    logged(&broker, "Received PUBLISH from buttonwatch", 1 + 120).await;
    let heard = subscriber(&broker, topic, 1).await;
    commands.send(&unit, topic, Bytes::from("last")).await.expect("queued");
    assert_eq!(output_of(heard).await, "last\n");
}

async fn subscriber(broker: &Mosquitto, topic: &str, count: usize) -> Child {
    let subscriptions = broker.log().matches("Sending SUBACK to auto-").count();
    let child = broker
        .client("mosquitto_sub")
        .args(["-t", topic, "-q", "1", "-C", &count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("mosquitto_sub runs");
    logged(broker, "Sending SUBACK to auto-", subscriptions + 1).await;
    child
}

async fn output_of(child: Child) -> String {
    let ends = tokio::task::spawn_blocking(move || child.wait_with_output().expect("it ends"));
    let output = timeout(PATIENCE, ends).await.expect("it ends in time").expect("no panic");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_said_once_and_found_when_it_comes() {
    let Some(mut broker) = Mosquitto::start(Setup::new()) else { return };
    broker.kill();
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Down).await;
    let trouble = monitor.external.trouble().expect("a reason");
    assert!(trouble.contains("nothing listens at 127.0.0.1") && trouble.contains("start the MQTT broker"), "{trouble}");
    broker.restart();
    monitor.hears(Hearing::Up).await;
    assert_eq!(monitor.external.trouble(), None);
}

#[tokio::test]
async fn a_wrong_password_is_said_once_with_its_remedy() {
    let Some(broker) = Mosquitto::start(Setup::new().user("monitor", "right")) else { return };
    let mut config = to(&broker);
    config.credentials = Some(("monitor".to_owned(), "wrong".to_owned()));
    let mut monitor = Monitor::start(config.clone()).await;
    monitor.hears(Hearing::Down).await;
    let trouble = monitor.external.trouble().expect("a reason");
    assert!(trouble.contains("refused user \"monitor\"") && trouble.contains("check the user name"), "{trouble}");
    assert!(!trouble.contains("wrong"), "{trouble}");
    // It goes on trying, and says nothing new.
    logged(&broker, "not authorised", 3).await;
    assert!(monitor.ingest.try_recv().is_err());
    monitor.external.stop().await;

    config.credentials = Some(("monitor".to_owned(), "right".to_owned()));
    let mut monitor = Monitor::start(config).await;
    monitor.hears(Hearing::Up).await;
}

#[tokio::test]
async fn a_refused_subscription_is_deafness_with_a_reason() {
    // Mosquitto's acl_file grants every subscription and withholds the messages; its dynamic security refuses.
    let plugin = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"]
        .map(|folder| format!("{folder}/mosquitto_dynamic_security.so"))
        .into_iter()
        .find(|path| fs::exists(path).unwrap_or(false));
    let Some(plugin) = plugin else {
        println!("skipped: no mosquitto_dynamic_security.so: apt-get install mosquitto");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "Mosquitto's dynamic security plugin is missing");
        return;
    };
    let security = r#"{
        "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
        "clients": [], "groups": [{"groupname": "all", "roles": []}], "roles": [], "anonymousGroup": "all"
    }"#;
    let setup = Setup::new()
        .line(&format!("plugin {plugin}"))
        .line("plugin_opt_config_file {dir}/security.json")
        .file("security.json", security);
    let Some(broker) = Mosquitto::start(setup) else { return };
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Down).await;
    assert!(!monitor.external.connected());
    let trouble = monitor.external.trouble().expect("a reason");
    assert!(
        trouble.contains("refused the subscription to buttonwatch/v1/+/heartbeat")
            && trouble.contains("allow our user to read buttonwatch/v1/#"),
        "{trouble}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_arrives_whole_with_its_acks_after_the_commits() {
    const MESSAGES: usize = 50_000;
    let Some(broker) = Mosquitto::start(Setup::new().line("max_queued_messages 0").line("log_type none")) else {
        return;
    };
    let mut monitor = Monitor::with_room(to(&broker), 4).await;
    monitor.hears(Hearing::Up).await;
    let flood = tokio::task::spawn_blocking(move || {
        broker.publish_lines(&["-t", HEARTBEAT, "-q", "1"], (0..MESSAGES).map(|n| n.to_string()));
        broker
    });
    let mut heard = HashSet::new();
    let mut batch = Vec::new();
    while heard.len() < MESSAGES {
        let chunk = monitor.chunk().await;
        heard.extend(chunk.publishes.iter().map(|p| p.payload.clone()));
        batch.push(chunk);
        // As the daemon does: one commit for what is there, then all acks.
        if monitor.ingest.is_empty() {
            batch.drain(..).for_each(|chunk| chunk.ack.committed());
        }
    }
    let broker = flood.await.expect("published");
    monitor.external.stop().await;
    // All acknowledged: the session holds nothing any more.
    let mut monitor = Monitor::start(to(&broker)).await;
    monitor.hears(Hearing::Up).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "marker", "-q", "1"]);
    assert_eq!(monitor.commit(1).await, ["marker"]);
}

#[tokio::test]
async fn a_slow_commit_pushes_back_and_does_not_lose_the_connection() {
    let Some(broker) = Mosquitto::start(Setup::new().line("max_queued_messages 0")) else { return };
    let mut config = to(&broker);
    // The broker gives up after 1.5 s without a packet from us.
    config.keep_alive = Duration::from_secs(1);
    let mut monitor = Monitor::with_room(config, 1).await;
    monitor.hears(Hearing::Up).await;
    // QoS 0 knows no window: only TCP holds it back.
    broker.publish_lines(&["-t", HEARTBEAT, "-q", "0"], (0..20_000).map(|n| n.to_string()));
    broker.publish(&["-t", HEARTBEAT, "-m", "the end", "-q", "1"]);
    let pings = broker.log().matches("Received PINGREQ from buttonwatch").count();
    logged(&broker, "Received PINGREQ from buttonwatch", pings + 8).await;
    assert!(monitor.external.connected());
    // Mosquitto may send QoS 1 past the waiting QoS 0.
    let mut heard = HashSet::new();
    while heard.len() < 20_001 {
        heard.extend(monitor.commit(1).await);
    }
    assert!(heard.contains("the end"));
    assert!(monitor.external.connected());
}

#[tokio::test]
async fn a_broker_that_stands_still_is_noticed() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let mut config = to(&broker);
    config.keep_alive = Duration::from_secs(1);
    let mut monitor = Monitor::start(config).await;
    monitor.hears(Hearing::Up).await;
    let begun = Instant::now();
    broker.pause();
    monitor.hears(Hearing::Down).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    broker.resume();
    monitor.hears(Hearing::Up).await;
}

#[tokio::test]
async fn a_session_that_an_earlier_program_left_with_qos_2_is_heard_out() {
    let Some(broker) = Mosquitto::start(Setup::new()) else { return };
    let left = broker
        .client("mosquitto_sub")
        .args(["-i", "buttonwatch", "-c", "-q", "2", "-E", "-t", "buttonwatch/v1/+/heartbeat"])
        .status()
        .expect("mosquitto_sub runs");
    assert!(left.success());
    broker.publish(&["-t", HEARTBEAT, "-m", "exactly once", "-q", "2"]);
    let mut monitor = Monitor::start(to(&broker)).await;
    assert_eq!(monitor.commit(1).await, ["exactly once"]);
    monitor.hears(Hearing::Up).await;
    logged(&broker, "Received PUBCOMP from buttonwatch", 1).await;
    broker.publish(&["-t", HEARTBEAT, "-m", "next", "-q", "1"]);
    assert_eq!(monitor.commit(1).await, ["next"]);
}

/// No real broker breaks at this point when asked to: this one speaks just enough MQTT.
#[tokio::test]
async fn a_release_of_a_forgotten_message_does_not_make_us_deaf_for_ever() {
    use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubRel, SubAck, SubscribeReasonCode};
    use rumqttc::mqttbytes::{Error, QoS};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let mut released = false;
        loop {
            let (mut socket, _) = listener.accept().await.expect("accepted");
            let mut input = bytes::BytesMut::new();
            loop {
                let mut output = bytes::BytesMut::new();
                match Packet::read(&mut input, 100_000) {
                    Ok(Packet::Connect(_)) => {
                        ConnAck::new(ConnectReturnCode::Success, true).write(&mut output).expect("written");
                        if !released {
                            PubRel::new(7).write(&mut output).expect("written");
                        }
                    }
                    Ok(Packet::PubComp(done)) => released |= done.pkid == 7,
                    Ok(Packet::Subscribe(subscribe)) => {
                        let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
                        SubAck::new(subscribe.pkid, granted).write(&mut output).expect("written");
                    }
                    Ok(_) => {}
                    Err(Error::InsufficientBytes(_)) => match socket.read_buf(&mut input).await {
                        Ok(0) | Err(_) => break,
                        Ok(_) => {}
                    },
                    Err(e) => panic!("{e}"),
                }
                let _ = socket.write_all(&output).await;
            }
        }
    });
    let mut monitor = Monitor::start(ExternalConfig::new("127.0.0.1", port)).await;
    monitor.hears(Hearing::Down).await;
    monitor.hears(Hearing::Up).await;
}

/// A CA, and certificates by it for 127.0.0.1 and for a client, as PEM.
struct Authority {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn authority() -> Authority {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Buttonwatch test CA");
    let ca = params.self_signed(&key).expect("a CA").pem();
    let issuer = Issuer::new(params, key);
    let leaf = |names: &[&str], name: &str| {
        let key = KeyPair::generate().expect("a key");
        let mut params =
            CertificateParams::new(names.iter().map(|n| n.to_string()).collect::<Vec<_>>()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
    };
    Authority { ca, server: leaf(&["127.0.0.1"], "broker"), client: leaf(&[], "monitor") }
}

#[tokio::test]
async fn tls_holds_to_its_ca_in_both_directions() {
    let ours = authority();
    let setup = Setup::new()
        .file("ca.pem", &ours.ca)
        .file("server.pem", &ours.server.0)
        .file("server.key", &ours.server.1)
        .file("client.pem", &ours.client.0)
        .file("client.key", &ours.client.1)
        .file("other.pem", &authority().ca)
        .line("cafile {dir}/ca.pem")
        .line("certfile {dir}/server.pem")
        .line("keyfile {dir}/server.key")
        .line("require_certificate true");
    let Some(broker) = Mosquitto::start(setup) else { return };
    let file = |name: &str| broker.folder().join(name);
    let identity = ExternalIdentity { cert_file: file("client.pem"), key_file: file("client.key") };

    let mut config = to(&broker);
    config.tls = Some(ExternalTls { ca_file: Some(file("ca.pem")), identity: Some(identity.clone()) });
    let mut monitor = Monitor::start(config.clone()).await;
    monitor.hears(Hearing::Up).await;
    monitor.external.stop().await;

    config.tls = Some(ExternalTls { ca_file: Some(file("other.pem")), identity: Some(identity) });
    let mut monitor = Monitor::start(config.clone()).await;
    monitor.hears(Hearing::Down).await;
    let trouble = monitor.external.trouble().expect("a reason");
    assert!(trouble.contains("TLS") && trouble.contains("check the CA file"), "{trouble}");

    config.tls = Some(ExternalTls { ca_file: Some(file("ca.pem")), identity: None });
    let mut monitor = Monitor::start(config).await;
    monitor.hears(Hearing::Down).await;
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_deafness_and_no_harm() {
    let port = free_port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("bound");
    let chatter = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("accepted");
            let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let mut monitor = Monitor::start(ExternalConfig::new("127.0.0.1", port)).await;
    monitor.hears(Hearing::Down).await;
    assert!(!monitor.external.connected());
    monitor.external.stop().await;
    chatter.abort();
}
