//! One life of rumqttd: its router, its listener and our link into it. Never restarts itself.
//!
//! Threads of one life: `router-N` (rumqttd's), `bus-listener` (accepts) and two `bus-observers` (rumqttd's tasks, which
//! block while a connection registers with the router, and for ever if the router dies at that moment: hence a runtime
//! of their own, left behind with them in the worst case, while the listener's port is always given back).

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Connect;
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{Packet, Publish};
use rumqttd::{ConnectionSettings, LinkType, Notification, Router, RouterConfig, Server, ServerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::BusConfig;
use super::backlog::Copy;

/// rumqttd allots about 100 KiB to each; a control room has a handful.
const OBSERVERS: usize = 200;

/// rumqttd's log of one subscribed filter: 4 segments of 2 MiB, some 25,000 usual messages for an observer to catch up.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
const SEGMENTS: usize = 4;

/// Observers send subscriptions and little else.
const OBSERVER_PACKET_BYTES: usize = 16 * 1024;

/// From an observer's TCP connection to its CONNECT.
const CONNECT_WITHIN_MS: u16 = 5_000;

/// Packets that the router has not fetched yet. Above, copies wait in our own queue, which has its bound.
const UNFETCHED: usize = 2_000;

/// To bind the listener; to close it; to end the router. Each takes milliseconds.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);
const CLOSES_WITHIN: Duration = Duration::from_secs(2);
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// From a probing CONNECT to its CONNACK.
const PROBE_PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct Broker {
    link_tx: LinkTx,
    link_rx: LinkRx,
    stop_listening: oneshot::Sender<()>,
    /// Resolves when the listener's port is free again. None: it has.
    not_listening: Option<oneshot::Receiver<String>>,
    probe: Probe,
}

impl Broker {
    /// Blocks for milliseconds. Err: why, in words.
    pub fn open(config: &BusConfig, life: usize) -> Result<Broker, String> {
        let router = Router::new(life, router_config(config)).spawn();
        // Random, because whoever connects with our link's id would throw it out.
        let id = random_id()?;
        // Before the listener: a link that registers while the router dies would wait for ever.
        let (link_tx, link_rx, _) =
            LinkBuilder::new(&id, router.clone()).build().map_err(|e| format!("its router does not answer: {e}"))?;

        let mut server = Server::new(server_settings(config), router, V4);
        let (stop_listening, mut stopped) = oneshot::channel();
        let (ended, not_listening) = oneshot::channel();
        let (bound, is_bound) = mpsc::sync_channel(2);
        let not_bound = bound.clone();
        let mut listen = move || {
            let runtime = match tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("bus-observers")
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(e) => return format!("no threads for observers: {e}"),
            };
            let why = runtime.block_on(async {
                let mut listening = pin!(server.start(LinkType::Remote));
                // Its first step binds: an error shows at once, and what comes after goes on for ever.
                tokio::select! {
                    biased;
                    end = &mut listening => return said(end),
                    () = std::future::ready(()) => {
                        let _ = bound.send(Ok(()));
                    }
                }
                tokio::select! {
                    end = listening => said(end),
                    _ = &mut stopped => "closed".to_owned(),
                }
            });
            runtime.shutdown_background();
            why
        };
        thread::Builder::new()
            .name("bus-listener".to_owned())
            .spawn(move || {
                let why = listen();
                // Nobody waits for the one or the other: it had begun to listen, or the bus itself is gone.
                let _ = not_bound.try_send(Err(why.clone()));
                let _ = ended.send(why);
            })
            .map_err(|e| format!("no thread for its listener: {e}"))?;

        let probe = Probe { address: config.listen, id: format!("{id}-probe"), login: config.login.clone() };
        match is_bound.recv_timeout(LISTENS_WITHIN).unwrap_or_else(|_| Err("its listener does not come up".to_owned()))
        {
            Ok(()) => Ok(Broker { link_tx, link_rx, stop_listening, not_listening: Some(not_listening), probe }),
            Err(why) => {
                end_router(link_tx);
                Err(why)
            }
        }
    }

    /// How it ended. Pending for as long as it lives.
    pub async fn ended(&mut self) -> String {
        loop {
            tokio::select! {
                why = closed(&mut self.not_listening) => return format!("its listener ended: {why}"),
                notification = self.link_rx.next() => match notification {
                    // Only a link that is alive is told so: `ready` on one that is gone would end the router.
                    Ok(Some(Notification::Unschedule)) => {
                        if let Err(e) = self.link_rx.ready() {
                            return format!("its router ended: {e}");
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return "its router ended; an observer may have sent it a topic that it cannot bear".to_owned(),
                },
            }
        }
    }

    /// False: it has not fetched what it was given before.
    pub fn has_room(&self) -> bool {
        self.link_tx.buffer().len() < UNFETCHED
    }

    /// One note to the router for all of them. Err: how it ended.
    pub async fn publish(&mut self, copies: Vec<Copy>) -> Result<(), String> {
        let mut packets: Vec<Packet> = copies
            .into_iter()
            .map(|copy| Packet::Publish(Publish::new(copy.topic, copy.payload, copy.retain), None))
            .collect();
        let Some(last) = packets.pop() else { return Ok(()) };
        self.link_tx.buffer().extend(packets);
        self.link_tx.send(last).await.map(drop).map_err(|e| format!("its router ended: {e}"))
    }

    pub fn probe(&self) -> Probe {
        self.probe.clone()
    }

    /// Gives the port back and ends every thread. False: one is stuck, and left behind.
    pub async fn close(mut self) -> bool {
        let mut ended = true;
        let _ = self.stop_listening.send(());
        if self.not_listening.is_some() && timeout(CLOSES_WITHIN, closed(&mut self.not_listening)).await.is_err() {
            tracing::warn!("the observers' bus: its listener does not close");
            ended = false;
        }
        end_router(self.link_tx);
        let gone = async { while self.link_rx.next().await.is_ok() {} };
        if timeout(ENDS_WITHIN, gone).await.is_err() {
            tracing::warn!("the observers' bus: its router does not end");
            ended = false;
        }
        ended
    }
}

/// Pending once it was told.
async fn closed(not_listening: &mut Option<oneshot::Receiver<String>>) -> String {
    let Some(waiting) = not_listening else { return std::future::pending().await };
    let why = waiting.await.unwrap_or_else(|_| "it panicked".to_owned());
    *not_listening = None;
    why
}

fn said<E: std::fmt::Display>(end: Result<(), E>) -> String {
    match end {
        Ok(()) => "without a reason".to_owned(),
        Err(e) => e.to_string(),
    }
}

fn random_id() -> Result<String, String> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| format!("no random numbers: {e}"))?;
    Ok(format!("buttonwatch-{}", hex::encode(bytes)))
}

fn router_config(config: &BusConfig) -> RouterConfig {
    RouterConfig {
        max_connections: OBSERVERS,
        // Also how many retained messages a new subscriber gets: all of them.
        max_outgoing_packet_count: (config.retained as u64).saturating_add(1_000),
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        ..RouterConfig::default()
    }
}

fn server_settings(config: &BusConfig) -> ServerSettings {
    ServerSettings {
        name: "bus".to_owned(),
        listen: config.listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: CONNECT_WITHIN_MS,
            max_payload_size: OBSERVER_PACKET_BYTES,
            max_inflight_count: 100,
            auth: config.login.clone().map(|login| [login].into()),
            external_auth: None,
            dynamic_filters: false,
        },
    }
}

/// rumqttd 0.20 offers no end to a router: its thread waits for ever on a channel whose other end it holds itself, with
/// all its memory. A payload that unwinds where it is dropped ends it, without a panic message: topics with `$` match no
/// filter, so the router drops it at once.
fn end_router(mut link: LinkTx) {
    let last = Publish::new(Bytes::from_static(b"$end"), Bytes::from_owner(LastWord), false);
    link.buffer().push_back(Packet::Publish(last, None));
    // Anything that makes it look. An error: it has ended already.
    let _ = link.try_publish("$end", "");
}

struct LastWord;

impl AsRef<[u8]> for LastWord {
    fn as_ref(&self) -> &[u8] {
        b"end"
    }
}

impl Drop for LastWord {
    /// Does nothing in any thread but a router's: ours drops it when the router was already gone.
    fn drop(&mut self) {
        if !thread::panicking() && thread::current().name().is_some_and(|name| name.starts_with("router-")) {
            std::panic::resume_unwind(Box::new("the observers' bus was closed"));
        }
    }
}

/// Connects as an observer would: rumqttd can refuse everyone while its router is in good health.
#[derive(Clone)]
pub(super) struct Probe {
    address: SocketAddr,
    id: String,
    login: Option<(String, String)>,
}

impl Probe {
    /// True: an observer can connect. Closes without DISCONNECT, which rumqttd can answer by dropping another observer
    /// that has been given the same connection number meanwhile.
    pub async fn succeeds(self) -> bool {
        timeout(PROBE_PATIENCE, self.connects()).await.unwrap_or(false)
    }

    async fn connects(&self) -> bool {
        let mut connect = Connect::new(&self.id);
        if let Some((user, password)) = &self.login {
            connect.set_login(user, password);
        }
        let mut packet = BytesMut::new();
        if connect.write(&mut packet).is_err() {
            return false;
        }
        let Ok(mut socket) = TcpStream::connect(self.reachable()).await else { return false };
        let mut connack = [0_u8; 4];
        socket.write_all(&packet).await.is_ok()
            && socket.read_exact(&mut connack).await.is_ok()
            && connack == [0x20, 2, 0, 0]
    }

    /// "All addresses" is one to listen on; one connects to this machine.
    fn reachable(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// rumqttd keeps no handle of its router's thread: only the system knows.
    fn routers() -> Option<usize> {
        let tasks = std::fs::read_dir("/proc/self/task").ok()?;
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Some(names.filter(|name| name.starts_with("router-")).count())
    }

    #[test]
    fn a_closed_broker_leaves_no_thread_behind() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for life in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let config = BusConfig::new(port.local_addr().expect("bound"));
            drop(port);
            let broker = Broker::open(&config, life).expect("it opens");
            assert!(runtime.block_on(broker.probe().succeeds()));
            assert!(runtime.block_on(broker.close()));
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while routers().is_some_and(|left| left > 0) {
            assert!(Instant::now() < deadline, "{:?} routers left", routers());
            thread::yield_now();
        }
    }

    #[test]
    fn a_probe_knows_the_login_and_a_stranger_does_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut config = BusConfig::new(port.local_addr().expect("bound"));
        drop(port);
        config.login = Some(("control".to_owned(), "room".to_owned()));
        let broker = Broker::open(&config, 0).expect("it opens");
        assert!(runtime.block_on(broker.probe().succeeds()));
        let stranger = Probe { login: None, ..broker.probe() };
        assert!(!runtime.block_on(stranger.succeeds()));
        runtime.block_on(broker.close());
    }

    #[test]
    fn a_taken_port_is_an_error_and_not_a_broker_without_ears() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let config = BusConfig::new(port.local_addr().expect("bound"));
        match Broker::open(&config, 0) {
            Err(why) => assert!(why.contains("in use"), "{why}"),
            Ok(_) => panic!("it opened on a taken port"),
        }
    }
}
