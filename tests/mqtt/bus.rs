//! `io::bus` with real observers: what they get, what they can break, and how fast it is whole again.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use buttonwatch::domain::{Kind, UnitId};
use buttonwatch::io::bus::{Bus, BusConfig, BusError, BusHandle, Topics};
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Far more than anything here takes: only a fault waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn bus() -> Bus {
    Bus::start(BusConfig::new(loopback())).expect("the bus starts")
}

fn topics() -> Topics {
    Topics::new("buttonwatch/v1")
}

fn unit(number: usize) -> UnitId {
    UnitId::parse(&format!("PSH-{number:03}")).expect("an id")
}

/// A well-behaved observer.
struct Observer {
    _client: AsyncClient,
    eventloop: EventLoop,
}

impl Observer {
    /// Returns when subscribed. Err: refused, or the connection broke.
    async fn try_subscribe(options: MqttOptions, filter: &str) -> Result<Observer, String> {
        let (client, mut eventloop) = AsyncClient::new(options, 10);
        client.try_subscribe(filter, QoS::AtMostOnce).expect("room for one");
        loop {
            match timeout(PATIENCE, eventloop.poll()).await.expect("an answer in time") {
                Ok(Event::Incoming(Packet::SubAck(_))) => return Ok(Observer { _client: client, eventloop }),
                Ok(_) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    async fn subscribe(address: SocketAddr, filter: &str) -> Observer {
        Observer::try_subscribe(options(address), filter).await.expect("subscribed")
    }

    /// Tries until it works, as MQTT Explorer does.
    async fn come_back(address: SocketAddr, filter: &str) -> Observer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Observer::try_subscribe(options(address), filter).await {
                Ok(observer) => return observer,
                Err(e) => assert!(Instant::now() < deadline, "the bus does not come back: {e}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn next(&mut self) -> Publish {
        loop {
            match timeout(PATIENCE, self.eventloop.poll()).await.expect("a message in time").expect("connected") {
                Event::Incoming(Packet::Publish(publish)) => return publish,
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
    }
}

fn options(address: SocketAddr) -> MqttOptions {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let id = format!("observer-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
    options.set_max_packet_size(1 << 20, 1 << 20);
    options
}

/// CONNECT with this client id, then these bytes.
async fn raw(address: SocketAddr, client_id: &str, then: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("it listens");
    let length = u8::try_from(client_id.len()).expect("a short id");
    let mut packet = vec![0x10, 12 + length, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, length];
    packet.extend(client_id.as_bytes());
    socket.write_all(&packet).await.expect("sent");
    if !then.is_empty() {
        let mut connack = [0; 4];
        socket.read_exact(&mut connack).await.expect("a CONNACK");
        assert_eq!(connack, [0x20, 2, 0, 0]);
        socket.write_all(then).await.expect("sent");
    }
    socket
}

async fn restarted(handle: &BusHandle, times: u64) {
    let deadline = Instant::now() + PATIENCE;
    while handle.stats().restarts < times || !handle.is_up() {
        assert!(Instant::now() < deadline, "not restarted: {:?}", handle.stats());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn observers_get_copies_and_what_is_retained() {
    let bus = bus();
    let handle = bus.handle();
    handle.publish(&topics().readiness(&unit(1)), "ready".into(), true);
    handle.publish(&topics().readiness(&unit(2)), "silent".into(), true);
    handle.publish(&topics().readiness(&unit(2)), Bytes::new(), true);

    let mut observer = Observer::subscribe(bus.local_addr(), "buttonwatch/v1/#").await;
    let kept = observer.next().await;
    assert_eq!((kept.topic.as_str(), &kept.payload[..]), ("buttonwatch/v1/PSH-001/readiness", &b"ready"[..]));
    assert!(kept.retain);

    handle.publish(&topics().copy(&unit(3), Kind::Heartbeat), "{}".into(), false);
    let copy = observer.next().await;
    assert_eq!((copy.topic.as_str(), &copy.payload[..]), ("buttonwatch/v1/PSH-003/heartbeat", &b"{}"[..]));
    assert!(!copy.retain);
    handle.publish(&topics().readiness(&unit(1)), "silent".into(), true);
    assert_eq!(observer.next().await.payload, "silent");
    bus.stop();
}

#[tokio::test]
async fn a_new_observer_gets_the_readiness_of_the_whole_fleet() {
    const UNITS: usize = 5_000;
    let bus = bus();
    for number in 0..UNITS {
        bus.handle().publish(&topics().readiness(&unit(number)), "ready".into(), true);
    }
    let mut observer = Observer::subscribe(bus.local_addr(), "buttonwatch/v1/+/readiness").await;
    let mut seen = HashMap::new();
    while seen.len() < UNITS {
        let publish = observer.next().await;
        seen.insert(publish.topic, publish.payload);
    }
}

#[tokio::test]
async fn an_observer_who_kills_the_router_is_forgotten_within_seconds() {
    let bus = bus();
    let handle = bus.handle();
    for number in 0..68 {
        handle.publish(&topics().readiness(&unit(number)), format!("ready {number}").into(), true);
    }
    handle.publish(&topics().readiness(&unit(67)), Bytes::new(), true);
    let mut witness = Observer::subscribe(bus.local_addr(), "buttonwatch/v1/#").await;
    witness.next().await;

    // PUBLISH, QoS 0, topic "é/x".
    let begun = Instant::now();
    let killer = raw(bus.local_addr(), "killer", &[0x30, 7, 0, 4, 0xC3, 0xA9, b'/', b'x', b'!']).await;
    restarted(&handle, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(killer);

    let mut observer = Observer::come_back(bus.local_addr(), "buttonwatch/v1/+/readiness").await;
    let mut seen = HashMap::new();
    while seen.len() < 67 {
        let publish = observer.next().await;
        assert!(publish.retain || seen.contains_key(&publish.topic) || !publish.payload.is_empty());
        seen.insert(publish.topic, publish.payload);
    }
    assert_eq!(seen["buttonwatch/v1/PSH-007/readiness"], "ready 7");
    assert!(!seen.contains_key("buttonwatch/v1/PSH-067/readiness"));
    // And it goes on.
    handle.publish("buttonwatch/v1/orders/WO-000001", "opened".into(), false);
    let mut orders = Observer::subscribe(bus.local_addr(), "buttonwatch/v1/orders/+").await;
    handle.publish("buttonwatch/v1/orders/WO-000001", "closed".into(), false);
    while orders.next().await.payload != "closed" {}
    bus.stop();
}

#[tokio::test]
async fn a_last_will_that_kills_the_router_is_survived_too() {
    let bus = bus();
    bus.handle().publish(&topics().readiness(&unit(1)), "ready".into(), true);
    // The router compares topics with filters only when there are any.
    let _witness = Observer::subscribe(bus.local_addr(), "#").await;
    let mut socket = TcpStream::connect(bus.local_addr()).await.expect("it listens");
    // CONNECT with a will on "é".
    let mut packet = vec![0x10, 21, 0, 4, b'M', b'Q', b'T', b'T', 4, 0b110, 0, 60, 0, 2, b'w', b'w'];
    packet.extend([0, 2, 0xC3, 0xA9, 0, 1, b'!']);
    socket.write_all(&packet).await.expect("sent");
    socket.read_exact(&mut [0; 4]).await.expect("a CONNACK");
    drop(socket);
    restarted(&bus.handle(), 1).await;
    let mut observer = Observer::come_back(bus.local_addr(), "buttonwatch/v1/+/readiness").await;
    assert_eq!(observer.next().await.payload, "ready");
}

#[tokio::test]
async fn a_client_id_that_makes_the_listener_refuse_everyone_is_survived() {
    let bus = bus();
    bus.handle().publish(&topics().readiness(&unit(1)), "ready".into(), true);
    for _ in 0..2 {
        let mut socket = raw(bus.local_addr(), "a+b", &[]).await;
        // Refused by closing.
        let _ = socket.read(&mut [0; 4]).await;
    }
    assert!(Observer::try_subscribe(options(bus.local_addr()), "#").await.is_err(), "rumqttd has been mended: rejoice");
    restarted(&bus.handle(), 1).await;
    let mut observer = Observer::come_back(bus.local_addr(), "buttonwatch/v1/+/readiness").await;
    assert_eq!(observer.next().await.payload, "ready");
}

#[tokio::test]
async fn a_bus_that_is_killed_all_the_time_never_holds_up_the_house() {
    let bus = bus();
    let handle = bus.handle();
    for round in 0..3 {
        let mut socket = loop {
            match TcpStream::connect(bus.local_addr()).await {
                Ok(socket) => break socket,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        // CONNECT, SUBSCRIBE "#", PUBLISH "é".
        let mut packet = vec![0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 2, b'k', b'0' + round];
        packet.extend([0x82, 6, 0, 1, 0, 1, b'#', 0]);
        packet.extend([0x30, 5, 0, 2, 0xC3, 0xA9, b'!']);
        let _ = socket.write_all(&packet).await;
        let begun = Instant::now();
        for n in 0..20_000 {
            handle.publish("buttonwatch/v1/PSH-001/heartbeat", n.to_string().into(), false);
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "publishing waited: {:?}", begun.elapsed());
        restarted(&handle, u64::from(round) + 1).await;
    }
    bus.stop();
}

#[tokio::test]
async fn an_observer_who_does_not_read_holds_up_nobody() {
    const COPIES: usize = 50_000;
    let bus = bus();
    let handle = bus.handle();
    // SUBSCRIBE "#", then never read again.
    let slow = raw(bus.local_addr(), "slow", &[0x82, 6, 0, 1, 0, 1, b'#', 0]).await;
    let mut quick = Observer::subscribe(bus.local_addr(), "buttonwatch/v1/#").await;
    let payload = Bytes::from(vec![b'x'; 1_000]);
    let reader = tokio::spawn(async move { while quick.next().await.payload != "the end" {} });
    let begun = Instant::now();
    for _ in 0..COPIES {
        handle.publish("buttonwatch/v1/PSH-001/heartbeat", payload.clone(), false);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "publishing waited: {:?}", begun.elapsed());
    handle.publish("buttonwatch/v1/PSH-001/readiness", "the end".into(), true);
    timeout(PATIENCE, reader).await.expect("the quick one is served").expect("no panic");
    assert_eq!(handle.stats().restarts, 0);
    drop(slow);
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_remedy() {
    let other = TcpListener::bind(loopback()).expect("a free port");
    let config = BusConfig::new(other.local_addr().expect("bound"));
    match Bus::start(config) {
        Err(e @ BusError::PortTaken { .. }) => {
            let text = e.to_string();
            assert!(
                text.contains("another program has this port") && text.contains("give the bus another port"),
                "{text}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started on a taken port"),
    }
}

#[tokio::test]
async fn a_bus_for_the_whole_network_must_ask_for_a_login() {
    let all = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(matches!(Bus::start(BusConfig::new(all)), Err(BusError::OpenToNetwork { .. })));

    let mut config = BusConfig::new(all);
    config.login = Some(("control".to_owned(), "room".to_owned()));
    let bus = Bus::start(config).expect("the bus starts");
    let address = SocketAddr::from(([127, 0, 0, 1], bus.local_addr().port()));
    assert!(Observer::try_subscribe(options(address), "#").await.is_err());
    let mut known = options(address);
    known.set_credentials("control", "room");
    assert!(Observer::try_subscribe(known, "#").await.is_ok());
    bus.stop();
}

#[tokio::test]
async fn a_stopped_bus_gives_its_port_back_at_once() {
    let first = bus();
    let address = first.local_addr();
    let _observer = Observer::subscribe(address, "#").await;
    first.stop();
    for _ in 0..5 {
        let bus = Bus::start(BusConfig::new(address)).expect("the port is free again");
        assert_eq!(bus.local_addr(), address);
        bus.stop();
    }
}

#[tokio::test]
async fn a_topic_that_is_not_ours_never_reaches_the_router() {
    let bus = bus();
    let handle = bus.handle();
    handle.publish("é/x", "1".into(), true);
    handle.publish("a/+/b", "1".into(), true);
    handle.publish("ours", "1".into(), true);
    let mut observer = Observer::subscribe(bus.local_addr(), "#").await;
    assert_eq!(observer.next().await.topic, "ours");
    assert_eq!((handle.stats().refused, handle.stats().restarts), (2, 0));
}
