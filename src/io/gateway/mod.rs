//! The listener for units: MQTT 3.1.1, identity, own-topic rule, PUBACK after the commit.
//!
//! ```text
//! listener ─▶ connection ── packet ──▶ topics ──▶ Ingest ─▶ the daemon
//!              ▲    │                                          │ commit
//!              │    └ admission (passwords)                    ▼
//!              └───────────────── link ◀── acknowledgements, commands (register)
//! ```
//! Design constraints
//! - *An ack is a promise.* PUBACK and PUBREC leave after the commit of the chunk that held the message, in order.
//! - *Nothing is dropped.* While the daemon is behind, the socket waits; the keep-alive clock stands still with it.
//! - *No unit speaks for another.* A message on a foreign topic is counted, not delivered. It is acknowledged all the same:
//!   MQTT 3.1.1 has no negative answer, and a unit that resent or reconnected for ever would never be heard.
//! - *No stranger stops the others.* Each connection is its own task with caps on time, size and number.
//! - *No session is kept.* CONNACK always says "no session present"; what comes twice has the same (boot, seq), and the
//!   monitor drops it.
//!
//! Version 5 has its place in `packet`; until then its CONNECT is refused with return code 1 and counted.
//!
//! Never decodes a payload, never knows the fleet beyond one question, never calls the engine.

mod admission;
mod connection;
mod link;
mod listener;
mod packet;
pub mod passwords;
mod register;
mod tls;
mod topics;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use crate::domain::UnitId;
use crate::wire::ingest::Ingest;
use crate::wire::refusal::Refusal;

use admission::Admission;
use link::{CommandRefused, HangUp};
use listener::{Seat, Seats};
pub use passwords::PasswordFile;
use register::{Register, Route};
pub use tls::{TlsFiles, check_tls};
use topics::Topics;

/// Does the fleet know a unit of this name? Asked in open mode when a client gives no user name. Must not block.
pub type Known = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How a connection shows which unit it is.
#[derive(Debug, Clone)]
pub enum Identity {
    /// It just says so. Only on a loopback address.
    Open,
    Passwords(Arc<PasswordFile>),
}

#[derive(Clone)]
pub struct GatewayConfig {
    pub listen: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// `buttonwatch/v1`
    pub root: String,
    pub identity: Identity,
    pub known: Known,
    /// Bytes of a whole packet, header and topic included.
    pub max_packet: usize,
    /// Open TCP connections, those that have not said who they are included. More are closed at once.
    pub max_connections: usize,
    /// From the first TCP packet to the last byte of the CONNECT, TLS included.
    pub connect_timeout: Duration,
    /// Messages of one connection that were read but not committed. Full: its socket waits.
    pub max_unacked: usize,
    /// At the stop: how long commits may still bring acknowledgements.
    pub stop_grace: Duration,
}

impl GatewayConfig {
    /// 16 KiB of payload, and room for the header and the longest topic a unit can have.
    pub const MAX_PACKET: usize = 16 * 1024 + 512;
    /// More than the province's units, and no more sockets than the usual limit of open files leaves.
    pub const MAX_CONNECTIONS: usize = 20_000;
    /// GPRS needs 2 s for a round trip on a bad day; TLS and CONNECT take three of them.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
    /// 16 KiB of small messages, several times what common clients keep in flight.
    pub const MAX_UNACKED: usize = 1_000;
    pub const STOP_GRACE: Duration = Duration::from_secs(3);

    pub fn new(listen: SocketAddr, root: impl Into<String>, identity: Identity, known: Known) -> Self {
        GatewayConfig {
            listen,
            tls: None,
            root: root.into(),
            identity,
            known,
            max_packet: Self::MAX_PACKET,
            max_connections: Self::MAX_CONNECTIONS,
            connect_timeout: Self::CONNECT_TIMEOUT,
            max_unacked: Self::MAX_UNACKED,
            stop_grace: Self::STOP_GRACE,
        }
    }
}

/// Why the gateway did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(
        "units would connect to {listen} without a password, and others can reach that address; \
         listen on 127.0.0.1, or give units passwords (`buttonwatch fleet password`)"
    )]
    OpenBeyondLoopback { listen: SocketAddr },
    #[error(
        "port {} on {} is taken by another program (another buttonwatch, or mosquitto?); stop it, or choose another port",
        listen.port(), listen.ip()
    )]
    PortTaken { listen: SocketAddr },
    #[error("this user may not listen on {listen}; choose a port above 1023")]
    NotAllowed { listen: SocketAddr },
    #[error("{} is no address of this machine; listen on 127.0.0.1, 0.0.0.0 or one of its own", listen.ip())]
    NotOurAddress { listen: SocketAddr },
    #[error("cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("cannot read {}: {source}; check that the file is there and that this user may read it", file.display())]
    TlsFile { file: PathBuf, source: io::Error },
    #[error("{} holds no certificate; it must be a PEM file with \"BEGIN CERTIFICATE\"", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{} holds no private key; it must be a PEM file with \"BEGIN PRIVATE KEY\"", file.display())]
    NoKey { file: PathBuf },
    #[error(
        "the certificate {} and the key {} cannot be used: {source}; check that they belong together",
        cert_chain.display(), key.display()
    )]
    TlsUnusable { cert_chain: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("this machine gives no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

/// Why a command did not reach its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    #[error("the unit is not connected; the command can be sent when it is back")]
    Offline,
    #[error("the unit is connected, but has not subscribed to its command topic; its firmware takes no commands")]
    NotSubscribed,
    #[error("the unit has not acknowledged earlier commands; wait for its replies")]
    Busy,
    #[error("the connection ended before the unit acknowledged the command; send it again")]
    Lost,
    #[error("the command is longer than MQTT allows; make it shorter")]
    TooLong,
}

/// A number that others read while connections count it up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Since the start. Refusals are not here: each goes to the daemon, which counts them by kind.
#[derive(Debug, Default)]
pub struct GatewayStats {
    /// Connections that were let in.
    pub connects_total: Counter,
    pub takeovers_total: Counter,
    /// PUBLISH packets, refused ones included.
    pub messages_total: Counter,
    pub wills_total: Counter,
    pub commands_total: Counter,
    /// As MQTT sees them: TLS and TCP come on top.
    pub bytes_in_total: Counter,
    pub bytes_out_total: Counter,
    /// Connections turned away at the door while the daemon had no room to hear of it. Its own counts lack these.
    pub refusals_unreported_total: Counter,
}

/// What all connections share.
struct Shared {
    tls: Option<TlsAcceptor>,
    max_packet: usize,
    max_connections: usize,
    connect_timeout: Duration,
    max_unacked: usize,
    topics: Topics,
    admission: Admission,
    register: Register,
    seats: Seats,
    stats: Arc<GatewayStats>,
    ingest: mpsc::Sender<Ingest>,
    stopping: watch::Sender<bool>,
}

impl Shared {
    async fn report(&self, refusal: Refusal) {
        debug!(kind = %refusal.kind, unit = ?refusal.unit, topic = refusal.topic, why = refusal.why, "refused");
        if self.ingest.send(Ingest::Refused(refusal)).await.is_err() {
            debug!("a refusal found no one to count it");
        }
    }

    /// For the accept loop, which never waits.
    fn report_now(&self, refusal: Refusal) {
        if self.ingest.try_send(Ingest::Refused(refusal)).is_err() {
            self.stats.refusals_unreported_total.add(1);
        }
    }
}

/// Looks at the running gateway and changes its passwords. Cloned freely; outlives the gateway without harm.
#[derive(Clone)]
pub struct GatewayHandle {
    shared: Arc<Shared>,
}

impl GatewayHandle {
    /// Connections that were let in and have not ended.
    pub fn connected(&self) -> usize {
        self.shared.register.connections()
    }

    /// From now on these passwords count. Units whose password changed or went are hung up, without their last will.
    pub fn set_passwords(&self, passwords: PasswordFile) {
        let passwords = Arc::new(passwords);
        let before = self.shared.admission.set_passwords(Arc::clone(&passwords));
        match &*before {
            Identity::Open => self.shared.register.hang_up_all(HangUp::Revoked),
            Identity::Passwords(before) => {
                let changed = |unit: &UnitId| before.get(unit) != passwords.get(unit);
                self.shared.register.hang_up_units(HangUp::Revoked, changed);
            }
        }
    }
}

/// The running listener. Dropped without [`Gateway::stop`], it closes everything at once.
pub struct Gateway {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    stop_grace: Duration,
    accepting: JoinHandle<()>,
}

impl Gateway {
    /// Returns when units can connect. What they say goes into `ingest`; while that is full, their sockets wait.
    pub async fn start(config: GatewayConfig, ingest: mpsc::Sender<Ingest>) -> Result<Gateway, GatewayError> {
        let listen = config.listen;
        match &config.identity {
            Identity::Open if !listen.ip().to_canonical().is_loopback() => {
                return Err(GatewayError::OpenBeyondLoopback { listen });
            }
            Identity::Open | Identity::Passwords(_) => {}
        }
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let topics = Topics::new(&config.root);
        let admission = Admission::new(topics.clone(), config.known, config.identity);
        let shared = Arc::new(Shared {
            tls,
            max_packet: config.max_packet,
            max_connections: config.max_connections,
            connect_timeout: config.connect_timeout,
            max_unacked: config.max_unacked.max(1),
            topics,
            admission: admission.map_err(GatewayError::NoRandomness)?,
            register: Register::default(),
            seats: Seats::default(),
            stats: Arc::default(),
            ingest,
            stopping: watch::Sender::new(false),
        });
        let listener = listener::bind(listen)?;
        let local_addr = listener.local_addr().map_err(|source| GatewayError::Listen { listen, source })?;
        let accepting = tokio::spawn(listener::accept(listener, Arc::clone(&shared)));
        Ok(Gateway { shared, local_addr, stop_grace: config.stop_grace, accepting })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub fn commands(&self) -> CommandSender {
        CommandSender { shared: Arc::clone(&self.shared) }
    }

    pub fn stats(&self) -> Arc<GatewayStats> {
        Arc::clone(&self.shared.stats)
    }

    /// For those who outlive the borrow: metrics, the watcher of the password file.
    pub fn handle(&self) -> GatewayHandle {
        GatewayHandle { shared: Arc::clone(&self.shared) }
    }

    /// Connections that were let in and have not ended.
    pub fn connected(&self) -> usize {
        self.handle().connected()
    }

    pub fn is_connected(&self, unit: &UnitId) -> bool {
        self.shared.register.is_connected(unit)
    }

    /// See [`GatewayHandle::set_passwords`].
    pub fn set_passwords(&self, passwords: PasswordFile) {
        self.handle().set_passwords(passwords);
    }

    /// Takes no more connections and reads no more messages; those that were read get their acknowledgements if they are
    /// committed within the grace, so keep committing meanwhile. Then everything is closed. No last will is spoken: a restart
    /// of the service says nothing about units.
    pub async fn stop(mut self) {
        self.shared.stopping.send_replace(true);
        self.shared.register.stop(HangUp::Stopping);
        // The port is free when the accept loop has ended.
        if let Err(error) = (&mut self.accepting).await
            && error.is_panic()
        {
            tracing::error!("the accept loop of the gateway panicked");
        }
        if timeout(self.stop_grace, self.shared.seats.empty()).await.is_err() {
            self.shared.register.stop(HangUp::Closing);
            // What is left waits for a daemon that no longer takes messages; it ends with the channel.
            let _ = timeout(Duration::from_secs(1), self.shared.seats.empty()).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.stopping.send_replace(true);
        self.shared.register.stop(HangUp::Closing);
    }
}

/// Sends commands to connected units. Cloned freely; outlives the gateway without harm.
#[derive(Clone)]
pub struct CommandSender {
    shared: Arc<Shared>,
}

impl CommandSender {
    /// On `{root}/{unit}/command`, QoS 1 (0 if the unit subscribed so). Ok: the unit has acknowledged it. Waits as long as the
    /// unit stays connected without doing so: give it a timeout.
    pub async fn send(&self, unit: &UnitId, payload: Bytes) -> Result<(), Undelivered> {
        let (link, qos) = match self.shared.register.route(unit) {
            Route::Offline => return Err(Undelivered::Offline),
            Route::NotSubscribed => return Err(Undelivered::NotSubscribed),
            Route::To(link, qos) => (link, qos),
        };
        let taken =
            link.command(&self.shared.topics.command_of(unit), payload, qos).map_err(|refused| match refused {
                CommandRefused::Busy => Undelivered::Busy,
                CommandRefused::TooLong => Undelivered::TooLong,
            })?;
        drop(link);
        self.shared.stats.commands_total.add(1);
        taken.await.map_err(|_| Undelivered::Lost)
    }

    pub fn is_connected(&self, unit: &UnitId) -> bool {
        self.shared.register.is_connected(unit)
    }
}
