//! The observers' bus: rumqttd on a listener of its own (loopback by default), for Node-RED, MQTT Explorer and the control
//! room's systems. It carries a **copy** of what units sent and what Buttonwatch concluded. MQTT 3.1.1. Never carries
//! anything to a unit, never reads what observers say, and nothing in the house waits for it.
//!
//! | topic | retained | what |
//! |---|---|---|
//! | `{root}/{unit}/{kind}` | as it came | a copy of what the unit sent: `heartbeat selftest power press status reply` |
//! | `{root}/{unit}/readiness` | yes | the unit's readiness, with its reason |
//! | `{root}/alerts/{unit}/{rule}` | until resolved | one alert; an empty message takes it away |
//! | `{root}/incidents/{kind}/{name}` | until closed | one incident; `name` is percent-encoded |
//! | `{root}/orders/WO-000042` | until closed | one work order |
//!
//! [`Topics`] writes them. Subscribe with QoS 0: with QoS 1, rumqttd 0.20 hands a new subscriber at most 100 retained
//! messages. Observers must set a keep-alive other than 0.
//!
//! **Expendable.** rumqttd 0.20 has faults that an observer can set off: a topic (or last will) that begins with a
//! multibyte character ends its router; a client id with any of `+$#/` that connects twice makes the listener refuse
//! everyone. So a supervisor of our own holds it: when the router's link breaks, the listener ends, or a probing CONNECT
//! goes unanswered twice, everything is thrown away and started anew on the same port, with backoff, and every retained
//! message is published again (from a bounded map of our own). Observers reconnect. The monitor sees a counter move.
//! Messages to observers can get lost: here when the queue is full (oldest first, counted), in rumqttd when an observer
//! reads too slowly (its log of the newest 8 MiB per filter moves on, in silence). Each filter that anybody ever subscribed
//! to has such a log until the next restart, without a limit: who may connect is trusted not to ask for thousands.
//!
//! **Can observers be kept from publishing?** Not by rumqttd 0.20: it has no topic ACL and no hook on PUBLISH; only who
//! connects can be limited (a login, and the loopback address), and how long a packet may be (16 KiB). An observer who
//! publishes fools other observers only: nothing here is ever read back. Should that matter one day, a small proxy in
//! front that drops client PUBLISHes and wills by their first byte would do it, and would take most of the faults
//! above away with it.

#[cfg(panic = "abort")]
compile_error!("rumqttd's router panics on what observers send: with panic = \"abort\" they could end the monitor");

mod backlog;
mod broker;
mod supervisor;
mod topics;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use backlog::Shared;
pub use topics::Topics;

/// To bring the first broker up. It takes milliseconds.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct BusConfig {
    /// Port 0: any free one, the same after every restart; [`Bus::local_addr`] tells it.
    pub listen: SocketAddr,
    /// User name and password for all observers. Required off the loopback address.
    pub login: Option<(String, String)>,
    /// Copies that wait for the broker. Full: the oldest is dropped and counted.
    pub queue: usize,
    /// Topics whose retained message is remembered for a restart. Full: a new topic's message is lost at a restart.
    pub retained: usize,
}

impl BusConfig {
    /// 10,000: a busy second of the largest fleet; observers want what is new.
    pub const QUEUE: usize = 10_000;
    /// Readiness of 50,000 units, and as many open alerts and orders.
    pub const RETAINED: usize = 100_000;

    pub fn new(listen: SocketAddr) -> Self {
        BusConfig { listen, login: None, queue: Self::QUEUE, retained: Self::RETAINED }
    }
}

impl fmt::Debug for BusConfig {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusConfig")
            .field("listen", &self.listen)
            .field("user", &self.login.as_ref().map(|(user, _)| user))
            .field("queue", &self.queue)
            .field("retained", &self.retained)
            .finish()
    }
}

/// The running bus. Dropped: it ends as by [`Bus::stop`], unawaited.
pub struct Bus {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    supervisor: Option<JoinHandle<()>>,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusStats {
    /// Observers can connect.
    pub up: bool,
    pub restarts: u64,
    /// Copies that observers will never see because the queue was full.
    pub dropped: u64,
    /// Copies whose topic was not one of ours.
    pub refused: u64,
    /// Retained messages that a restart would lose: more topics than `BusConfig::retained`.
    pub unremembered: u64,
}

impl Bus {
    /// Returns when observers can connect. Err: the address cannot be listened on, or must not be.
    pub fn start(config: BusConfig) -> Result<Bus, BusError> {
        if !config.listen.ip().is_loopback() && config.login.is_none() {
            return Err(BusError::OpenToNetwork { listen: config.listen });
        }
        // rumqttd neither tells which port it got nor what exactly went wrong: try the address before it does.
        let local_addr = TcpListener::bind(config.listen)
            .and_then(|probe| probe.local_addr())
            .map_err(|source| BusError::from_bind(config.listen, source))?;
        let config = BusConfig { listen: local_addr, ..config };
        let shared = Arc::new(Shared::new(config.queue, config.retained));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::sync_channel(1);
        let supervised = Arc::clone(&shared);
        let supervisor = thread::Builder::new()
            .name("bus".to_owned())
            .spawn(move || supervisor::run(&config, &supervised, stopped, &ready))
            .map_err(|source| BusError::NoThread { source })?;
        let bus = Bus { shared, local_addr, stop: Some(stop), supervisor: Some(supervisor) };
        match is_ready.recv_timeout(STARTS_WITHIN) {
            Ok(Ok(())) => Ok(bus),
            Ok(Err(why)) => Err(BusError::NotStarted { listen: local_addr, why }),
            Err(_) => Err(BusError::NotStarted { listen: local_addr, why: "it did not answer".to_owned() }),
        }
    }

    pub fn handle(&self) -> BusHandle {
        BusHandle { shared: Arc::clone(&self.shared) }
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub fn stats(&self) -> BusStats {
        self.shared.stats()
    }

    /// Closes the listener and every observer's connection, and waits for it (milliseconds; seconds if rumqttd is stuck).
    pub fn stop(mut self) {
        self.end();
        if let Some(supervisor) = self.supervisor.take()
            && supervisor.join().is_err()
        {
            tracing::error!("the observers' bus ended badly");
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Already ended: nothing to stop.
            let _ = stop.send(());
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the house puts its copies.
#[derive(Clone)]
pub struct BusHandle {
    shared: Arc<Shared>,
}

impl BusHandle {
    /// Never waits. An empty payload takes the topic's retained message away.
    /// Full: the oldest waiting copy is dropped and counted. A topic that is not printable ASCII without wildcards is
    /// refused and counted: rumqttd would not survive some of them.
    pub fn publish(&self, topic: &str, payload: Bytes, retain: bool) {
        self.shared.publish(topic, payload, retain);
    }

    pub fn stats(&self) -> BusStats {
        self.shared.stats()
    }

    /// False while it is being restarted.
    pub fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }
}

/// The bus cannot start. The text says who can mend it and how.
#[derive(Debug)]
pub enum BusError {
    PortTaken { listen: SocketAddr },
    CannotListen { listen: SocketAddr, source: io::Error },
    OpenToNetwork { listen: SocketAddr },
    NotStarted { listen: SocketAddr, why: String },
    NoThread { source: io::Error },
}

impl BusError {
    fn from_bind(listen: SocketAddr, source: io::Error) -> BusError {
        match source.kind() {
            io::ErrorKind::AddrInUse => BusError::PortTaken { listen },
            _ => BusError::CannotListen { listen, source },
        }
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusError::PortTaken { listen } => write!(
                f,
                "the observers' bus cannot listen on {listen}: another program has this port; stop it, or give the bus \
                 another port"
            ),
            BusError::CannotListen { listen, source } => write!(
                f,
                "the observers' bus cannot listen on {listen}: {source}; give it an address of this machine and a port \
                 above 1023"
            ),
            BusError::OpenToNetwork { listen } => write!(
                f,
                "the observers' bus would be open to the whole network on {listen}; give it a user name and password, or \
                 let it listen on 127.0.0.1"
            ),
            BusError::NotStarted { listen, why } => {
                write!(f, "the observers' bus does not start on {listen}: {why}; try another port, or start again")
            }
            BusError::NoThread { source } => {
                write!(f, "the observers' bus cannot start a thread: {source}; raise the machine's process limit")
            }
        }
    }
}

impl std::error::Error for BusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BusError::CannotListen { source, .. } | BusError::NoThread { source } => Some(source),
            BusError::PortTaken { .. } | BusError::OpenToNetwork { .. } | BusError::NotStarted { .. } => None,
        }
    }
}
