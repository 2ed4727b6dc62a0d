//! What the gateway's tests share: a daemon that commits or withholds, and a client that speaks MQTT byte by byte.

use std::future::Future;
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use buttonwatch::domain::UnitId;
use buttonwatch::io::gateway::{Gateway, GatewayConfig, Identity};
use buttonwatch::wire::ingest::{Acknowledge, Ingest, Publish};
use buttonwatch::wire::refusal::{Refusal, RefusalKind};
use bytes::BytesMut;
use rumqttc::mqttbytes::{Error, QoS, v4};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

/// Generous: the machine may be busy. Nothing waits so long unless it is broken.
pub const SOON: Duration = Duration::from_secs(60);
/// For what must *not* happen. Long enough to catch it nearly always, short enough to wait for.
pub const A_WHILE: Duration = Duration::from_millis(300);

pub async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, happens).await {
        Ok(happened) => happened,
        Err(_) => panic!("did not happen: {what}"),
    }
}

/// Runs to its end, away from the threads that serve connections.
pub async fn output_of(mut command: Command) -> Output {
    soon("the end of a program", tokio::task::spawn_blocking(move || command.output())).await.unwrap().unwrap()
}

/// A running program, killed with its test.
pub struct Program(Child);

impl Program {
    /// And a channel of the lines it prints.
    pub fn start(command: &mut Command) -> (Program, mpsc::UnboundedReceiver<String>) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let printed: ChildStdout = child.stdout.take().unwrap();
        let (lines, received) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(printed)).map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        (Program(child), received)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn unit(id: &str) -> UnitId {
    UnitId::parse(id).unwrap()
}

pub fn topic(unit: &str, kind: &str) -> String {
    format!("buttonwatch/v1/{unit}/{kind}")
}

/// Open, on a free port, and of the fleet only PSH-001 to PSH-003 are known.
pub fn open_config() -> GatewayConfig {
    let known = |name: &str| matches!(name, "PSH-001" | "PSH-002" | "PSH-003");
    GatewayConfig::new("127.0.0.1:0".parse().unwrap(), "buttonwatch/v1", Identity::Open, Arc::new(known))
}

pub struct House {
    pub gateway: Gateway,
    pub daemon: Daemon,
}

impl House {
    pub async fn open() -> House {
        House::with(open_config()).await
    }
    pub async fn with(config: GatewayConfig) -> House {
        let (ingest, received) = mpsc::channel(64);
        let gateway = Gateway::start(config, ingest).await.unwrap();
        House { gateway, daemon: Daemon::start(received) }
    }
    pub fn addr(&self) -> SocketAddr {
        self.gateway.local_addr()
    }
    pub async fn connect(&self, client_id: &str) -> Raw<TcpStream> {
        Raw::connected(self.addr(), client_id).await
    }
}

#[derive(Debug, Clone)]
pub enum Said {
    Publish(Publish),
    Refused(Refusal),
}

/// Plays the daemon: hears everything, commits at once or when told.
#[derive(Clone)]
pub struct Daemon(Arc<Heard>);

struct Heard {
    said: Mutex<Vec<Said>>,
    withheld: Mutex<Vec<Box<dyn Acknowledge>>>,
    withholding: AtomicBool,
    changed: Notify,
}

impl Daemon {
    pub fn start(mut received: mpsc::Receiver<Ingest>) -> Daemon {
        let heard = Arc::new(Heard {
            said: Mutex::default(),
            withheld: Mutex::default(),
            withholding: AtomicBool::new(false),
            changed: Notify::new(),
        });
        let daemon = Daemon(Arc::clone(&heard));
        tokio::spawn(async move {
            while let Some(ingest) = received.recv().await {
                match ingest {
                    Ingest::Publishes(chunk) => {
                        heard.said.lock().unwrap().extend(chunk.publishes.into_iter().map(Said::Publish));
                        if heard.withholding.load(Ordering::SeqCst) {
                            heard.withheld.lock().unwrap().push(chunk.ack);
                        } else {
                            chunk.ack.committed();
                        }
                    }
                    Ingest::Refused(refusal) => heard.said.lock().unwrap().push(Said::Refused(refusal)),
                    Ingest::Hearing(hearing) => panic!("the gateway never says {hearing:?}"),
                }
                heard.changed.notify_waiters();
            }
        });
        daemon
    }

    pub fn withhold(&self) {
        self.0.withholding.store(true, Ordering::SeqCst);
    }
    pub fn withheld(&self) -> Vec<Box<dyn Acknowledge>> {
        std::mem::take(&mut *self.0.withheld.lock().unwrap())
    }
    pub fn commit(&self) {
        self.withheld().into_iter().for_each(|ack| ack.committed());
    }
    pub fn commit_from_now_on(&self) {
        self.0.withholding.store(false, Ordering::SeqCst);
        self.commit();
    }

    pub fn said(&self) -> Vec<Said> {
        self.0.said.lock().unwrap().clone()
    }
    pub fn publishes(&self) -> Vec<Publish> {
        let publish = |said| match said {
            Said::Publish(publish) => Some(publish),
            Said::Refused(_) => None,
        };
        self.said().into_iter().filter_map(publish).collect()
    }
    /// `topic payload` of every message, in order.
    pub fn messages(&self) -> Vec<String> {
        let line = |p: Publish| {
            let kind = p.topic.strip_prefix("buttonwatch/v1/").unwrap_or(&p.topic).to_owned();
            format!("{kind} {}", String::from_utf8_lossy(&p.payload))
        };
        self.publishes().into_iter().map(line).collect()
    }
    pub fn refusals(&self) -> Vec<Refusal> {
        let refused = |said| match said {
            Said::Publish(_) => None,
            Said::Refused(refusal) => Some(refusal),
        };
        self.said().into_iter().filter_map(refused).collect()
    }
    pub fn refused(&self, kind: RefusalKind) -> usize {
        self.refusals().iter().filter(|refusal| refusal.kind == kind).count()
    }

    pub async fn until(&self, what: &str, mut come: impl FnMut(&Daemon) -> bool) {
        let waiting = async {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if come(self) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(SOON, waiting).await.is_err() {
            panic!("{what}: did not come. Heard: {:#?}", self.said());
        }
    }
    pub async fn until_messages(&self, expected: &[&str]) {
        self.until(&format!("{expected:?}"), |daemon| daemon.messages() == expected).await;
    }
    pub async fn until_refused(&self, kind: RefusalKind, times: usize) {
        self.until(&format!("{times} × {kind}"), |daemon| daemon.refused(kind) >= times).await;
        assert_eq!(self.refused(kind), times, "{kind}");
    }
    pub async fn until_withheld(&self, chunks: usize) {
        let withheld = |daemon: &Daemon| daemon.0.withheld.lock().unwrap().len() == chunks;
        self.until(&format!("{chunks} chunks to commit"), withheld).await;
    }
}

/// A client that says exactly what a test wants.
pub struct Raw<S> {
    pub stream: S,
    buffer: BytesMut,
}

pub fn hello(client_id: &str) -> v4::Connect {
    let mut connect = v4::Connect::new(client_id);
    connect.keep_alive = 60;
    connect
}

pub fn bytes_of(packet: v4::Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    bytes.to_vec()
}

pub fn publish(topic: &str, qos: QoS, pkid: u16, payload: &str) -> v4::Packet {
    let mut publish = v4::Publish::new(topic, qos, payload);
    publish.pkid = pkid;
    v4::Packet::Publish(publish)
}

pub fn subscribe(pkid: u16, filters: &[(&str, QoS)]) -> v4::Packet {
    let filters = filters.iter().map(|(path, qos)| v4::SubscribeFilter::new((*path).to_owned(), *qos));
    let mut subscribe = v4::Subscribe::new_many(filters);
    subscribe.pkid = pkid;
    v4::Packet::Subscribe(subscribe)
}

pub fn puback(pkid: u16) -> v4::Packet {
    v4::Packet::PubAck(v4::PubAck::new(pkid))
}

pub fn connack(code: v4::ConnectReturnCode) -> v4::Packet {
    v4::Packet::ConnAck(v4::ConnAck::new(code, false))
}

impl Raw<TcpStream> {
    pub async fn tcp(addr: SocketAddr) -> Raw<TcpStream> {
        Raw::over(soon("a TCP connection", TcpStream::connect(addr)).await.unwrap())
    }
    pub async fn connected(addr: SocketAddr, client_id: &str) -> Raw<TcpStream> {
        Raw::greeted(addr, hello(client_id)).await
    }
    pub async fn greeted(addr: SocketAddr, connect: v4::Connect) -> Raw<TcpStream> {
        let mut raw = Raw::tcp(addr).await;
        raw.send(v4::Packet::Connect(connect)).await;
        raw.expect(connack(v4::ConnectReturnCode::Success)).await;
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn over(stream: S) -> Raw<S> {
        Raw { stream, buffer: BytesMut::new() }
    }
    pub async fn send(&mut self, packet: v4::Packet) {
        self.send_bytes(&bytes_of(packet)).await;
    }
    /// The gateway may have hung up already: that is for the test's next line to find out.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = soon("room to write", self.stream.write_all(bytes)).await;
    }
    /// None: the connection has ended.
    pub async fn next(&mut self) -> Option<v4::Packet> {
        loop {
            match v4::Packet::read(&mut self.buffer, usize::MAX) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the gateway sent nonsense: {error}"),
            }
            match soon("a packet, or the end", self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
    pub async fn expect(&mut self, packet: v4::Packet) {
        assert_eq!(self.next().await, Some(packet));
    }
    pub async fn expect_end(&mut self) {
        assert_eq!(self.next().await, None);
    }
    pub async fn expect_silence(&mut self) {
        if let Ok(packet) = tokio::time::timeout(A_WHILE, self.next()).await {
            panic!("silence was expected, not {packet:?}");
        }
    }
    /// A round trip: everything sent before has been looked at.
    pub async fn ping(&mut self) {
        self.send(v4::Packet::PingReq).await;
        self.expect(v4::Packet::PingResp).await;
    }
    /// Publishes with QoS 1 and sees it acknowledged: the gateway serves us.
    pub async fn is_served(&mut self, unit: &str, pkid: u16) {
        self.send(publish(&topic(unit, "heartbeat"), QoS::AtLeastOnce, pkid, "served")).await;
        self.expect(puback(pkid)).await;
    }
}
