//! kill -9 of the real program under load, ten times, embedded and external: what was acknowledged is in the store, nobody
//! is flagged falsely, no mail is lost and none has two Message-IDs, and every heartbeat is rolled up once.
//!
//! The external half needs Mosquitto: `apt-get install mosquitto`. With `CI=true` it fails without it.

use crate::mosquitto;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use buttonwatch::domain::view::OutboxRow;
use buttonwatch::domain::{AlertState, Timestamp};
use buttonwatch::io::store::{AlertLine, StoreReader};
use buttonwatch::wire::recording::{Reader, What};
use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};

const UNITS: usize = 6;
const KILLS: usize = 10;
/// Acknowledged messages between two kills.
const BETWEEN: u64 = 400;
const PATIENCE: Duration = Duration::from_secs(60);

const FLEET: &str = "unit,site,city,crew,uplink,heartbeat_s\n\
    U0,A,Peshawar,saddar,a,1\nU1,A,Peshawar,saddar,b,1\nU2,A,Peshawar,saddar,c,1\nU3,A,Peshawar,saddar,d,1\n\
    U4,A,Peshawar,saddar,e,1\nU5,A,Peshawar,saddar,f,1\nGONE,A,Peshawar,saddar,g,1\n";

const RULES: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }
order = { priority = "P1", after = "1s", action = "Look at it" }
"#;

struct Service {
    child: Child,
    http: SocketAddr,
}

impl Service {
    fn start(dir: &Path, settings: &str, http: SocketAddr) -> Service {
        let path = |name: &str| dir.join(name);
        std::fs::write(path("fleet.csv"), FLEET).expect("scratch folder");
        std::fs::write(path("alerts.toml"), RULES).expect("scratch folder");
        std::fs::write(path("buttonwatch.toml"), settings).expect("scratch folder");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path("log")).expect("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
            .arg("serve")
            .arg("--config")
            .arg(path("buttonwatch.toml"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        wait_until("the service answers", || {
            if let Some(status) = child.try_wait().expect("child") {
                panic!(
                    "the service ended with {status}: {}",
                    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
                );
            }
            get(http, "/healthz").is_some_and(|r| r.starts_with("HTTP/1.1 200"))
        });
        Service { child, http }
    }

    fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("reaped");
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        assert!(self.child.wait().expect("reaped").success(), "a stopped service ends with status 0");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    Some(text)
}

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn millis_now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

/// A unit that sends heartbeats without pause, resends what was not acknowledged, and remembers what was.
struct Unit {
    name: String,
    broker: SocketAddr,
    acked: Arc<Mutex<BTreeSet<u64>>>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Unit {
    const WINDOW: usize = 40;

    fn run(self) {
        let mut next = 1u64;
        let mut unacked: BTreeMap<u16, u64> = BTreeMap::new();
        let mut is_new = true;
        while !self.stop.load(Ordering::Relaxed) || !unacked.is_empty() {
            match self.connection(&mut next, &mut unacked, &mut is_new) {
                Ok(()) => return,
                // The service is being killed or is starting again.
                Err(_) => std::thread::park_timeout(Duration::from_millis(30)),
            }
        }
    }

    fn publish(&self, pkid: u16, seq: u64, dup: bool, out: &mut BytesMut) {
        let at = millis_now();
        let json = format!(r#"{{"ts":{at},"boot":1,"seq":{seq},"interval_s":1}}"#);
        let mut p = Publish::new(format!("buttonwatch/v1/{}/heartbeat", self.name), QoS::AtLeastOnce, json);
        p.pkid = pkid;
        p.dup = dup;
        p.write(out).expect("a small packet");
    }

    fn connection(&self, next: &mut u64, unacked: &mut BTreeMap<u16, u64>, is_new: &mut bool) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(self.broker)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut connect = Connect::new(self.name.clone());
        connect.clean_session = *is_new;
        connect.keep_alive = 30;
        *is_new = false;
        let mut out = BytesMut::new();
        connect.write(&mut out).expect("a small packet");
        socket.write_all(&out)?;
        let mut input = BytesMut::new();
        let mut chunk = [0u8; 4096];
        let mut welcome = false;
        loop {
            while let Ok(packet) = Packet::read(&mut input, 65_536) {
                match packet {
                    Packet::ConnAck(_) => {
                        welcome = true;
                        let mut out = BytesMut::new();
                        for (pkid, seq) in unacked.iter() {
                            self.publish(*pkid, *seq, true, &mut out);
                        }
                        socket.write_all(&out)?;
                    }
                    Packet::PubAck(ack) => {
                        if let Some(seq) = unacked.remove(&ack.pkid) {
                            self.acked.lock().expect("no panic").insert(seq);
                            self.count.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    _ => {}
                }
            }
            let stopping = self.stop.load(Ordering::Relaxed);
            if stopping && unacked.is_empty() && welcome {
                return Ok(());
            }
            if welcome && !stopping {
                let mut out = BytesMut::new();
                while unacked.len() < Self::WINDOW {
                    let pkid = (*next % 60_000) as u16 + 1;
                    unacked.insert(pkid, *next);
                    self.publish(pkid, *next, false, &mut out);
                    *next += 1;
                }
                if !out.is_empty() {
                    socket.write_all(&out)?;
                }
            }
            match socket.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => input.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// One heartbeat of a unit that is never heard again.
fn say_once(broker: SocketAddr, unit: &str) {
    let acked = Arc::new(Mutex::new(BTreeSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let once = Unit { name: unit.into(), broker, acked: Arc::clone(&acked), count, stop: Arc::clone(&stop) };
    let thread = std::thread::spawn(move || once.run());
    wait_until("its heartbeat is acknowledged", || !acked.lock().expect("no panic").is_empty());
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("no panic");
}

/// `once`: units send again no more than what the window of sequence numbers tells from new.
fn survive(dir: &Path, settings: &str, broker: SocketAddr, http: SocketAddr, once: bool) {
    let mut service = Service::start(dir, settings, http);
    say_once(broker, "GONE");
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let mut acked = Vec::new();
    let mut threads = Vec::new();
    for n in 0..UNITS {
        let mine = Arc::new(Mutex::new(BTreeSet::new()));
        acked.push(Arc::clone(&mine));
        let unit =
            Unit { name: format!("U{n}"), broker, acked: mine, count: Arc::clone(&count), stop: Arc::clone(&stop) };
        threads.push(std::thread::spawn(move || unit.run()));
    }
    for kill in 0..KILLS {
        let goal = count.load(Ordering::Relaxed) + BETWEEN;
        wait_until(&format!("{BETWEEN} more messages are acknowledged, kill {kill}"), || {
            count.load(Ordering::Relaxed) >= goal
        });
        service.kill();
        service = Service::start(dir, settings, http);
    }
    // The unit that went silent is found although the service was killed all the time.
    wait_until("the silent unit's order is mailed", || {
        get(service.http, "/api/v1/outbox").is_some_and(|r| r.contains("\"sent\"") && !r.contains("\"waiting\""))
    });
    // From here on the units really are silent.
    let stopped_at = Timestamp::from_millis(millis_now());
    stop.store(true, Ordering::Relaxed);
    for t in threads {
        t.join().expect("no panic");
    }
    let total: usize = acked.iter().map(|a| a.lock().expect("no panic").len()).sum();
    // In external mode the broker acknowledged; give it time to hand over what it still holds.
    let data = dir.join("data");
    wait_until("everything acknowledged is in the store", || missing(&data, &acked) == 0);
    assert!(total as u64 >= KILLS as u64 * BETWEEN);
    if once {
        let held = held(&data);
        wait_until("every heartbeat is rolled up, and none twice", || {
            (0..UNITS).map(|n| format!("U{n}")).all(|u| rolled_up(http, &u) == Some(held[&u].len() as u64))
        });
    }
    service.stop();
    assert_eq!(missing(&data, &acked), 0);

    let reader = StoreReader::open(&data).expect("the store opens");
    let alerts = reader.alert_history(None, Timestamp::MIN).expect("readable");
    let is_false = |a: &&AlertLine| a.state == AlertState::Firing && a.unit.as_str() != "GONE" && a.at < stopped_at;
    let false_ones: Vec<_> = alerts.iter().filter(is_false).collect();
    assert!(false_ones.is_empty(), "flagged although it was heard: {false_ones:?}");
    let outbox = reader.outbox_all().expect("readable");
    assert!(outbox.iter().filter(|m| m.decided_at < stopped_at).all(|m| m.state == "sent"), "{outbox:?}");
    let opened = |m: &&OutboxRow| m.kind == "order-opened" && m.decided_at < stopped_at;
    assert_eq!(outbox.iter().filter(opened).count(), 1, "{outbox:?}");
    let orders = reader.orders(true).expect("readable");
    assert_eq!(orders.iter().filter(|o| o.opened_at < stopped_at).count(), 1, "{orders:?}");
    let files = std::fs::read_dir(data.join("mail")).expect("mail folder").flatten();
    let ids: Vec<String> = files
        .map(|f| std::fs::read_to_string(f.path()).expect("readable"))
        .filter_map(|mail| mail.lines().find(|l| l.to_lowercase().starts_with("message-id:")).map(str::to_owned))
        .collect();
    let sent = outbox.iter().filter(|m| m.state == "sent").count();
    assert_eq!(ids.len(), sent, "one file per mail, each with its id: {ids:?}");
}

/// How many heartbeats the unit's rollups hold. None: the service does not answer.
fn rolled_up(http: SocketAddr, unit: &str) -> Option<u64> {
    let text = get(http, &format!("/api/v1/units/{unit}/series/heartbeats"))?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let series: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(series["points"].as_array()?.iter().filter_map(|p| p["count"].as_u64()).sum())
}

/// The sequence numbers that the store holds, by unit.
fn held(data: &Path) -> BTreeMap<String, BTreeSet<u64>> {
    let reader = StoreReader::open(data).expect("the store opens");
    let mut held: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut lines = Vec::new();
    reader
        .journal_between(Timestamp::MIN, Timestamp::MAX, |line| {
            lines.extend_from_slice(line);
            std::ops::ControlFlow::Continue(())
        })
        .expect("readable");
    for line in Reader::new(lines.as_slice()) {
        let What::Publish { topic, payload, .. } = line.expect("a recording").what else { continue };
        let unit = topic.split('/').nth(2).expect("a unit's topic").to_owned();
        let json: serde_json::Value = serde_json::from_slice(&payload).expect("a heartbeat");
        held.entry(unit).or_default().insert(json["seq"].as_u64().expect("has seq"));
    }
    held
}

/// How many acknowledged messages the store does not hold.
fn missing(data: &Path, acked: &[Arc<Mutex<BTreeSet<u64>>>]) -> usize {
    let held = held(data);
    let none = BTreeSet::new();
    acked
        .iter()
        .enumerate()
        .map(|(n, acked)| {
            let held = held.get(&format!("U{n}")).unwrap_or(&none);
            acked.lock().expect("no panic").difference(held).count()
        })
        .sum()
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("scratch folder");
    let path = dir.path().to_path_buf();
    (dir, path)
}

#[test]
fn ten_kills_of_the_embedded_gateway_lose_nothing_that_was_acknowledged() {
    let (_keep, dir) = scratch();
    let (gateway, http) = (free_address(), free_address());
    let settings = format!(
        "fleet = \"fleet.csv\"\nrules = \"alerts.toml\"\ndata = \"data\"\n\
         [gateway]\nlisten = \"{gateway}\"\n[bus]\nlisten = \"off\"\n[http]\nlisten = \"{http}\"\n"
    );
    survive(&dir, &settings, gateway, http, true);
}

#[test]
fn ten_kills_beside_an_external_broker_lose_nothing_that_was_acknowledged() {
    let Some(broker) = mosquitto::Mosquitto::start(mosquitto::Setup::new().line("max_queued_messages 0").persistent())
    else {
        return;
    };
    let (_keep, dir) = scratch();
    let http = free_address();
    let address = SocketAddr::from(([127, 0, 0, 1], broker.port()));
    let settings = format!(
        "fleet = \"fleet.csv\"\nrules = \"alerts.toml\"\ndata = \"data\"\n\
         [external]\nhost = \"{}\"\nport = {}\n[bus]\nlisten = \"off\"\n[http]\nlisten = \"{http}\"\n",
        address.ip(),
        address.port()
    );
    survive(&dir, &settings, address, http, false);
}
