//! The whole way: TCP, gateway, decode, judge, SQLite commit, PUBACK. QoS 1, durable, load generator in the same process.
//! `cargo bench --bench pipeline [-- CONNECTIONS SECONDS]`
//!
//! Prints messages acknowledged a second, three runs, and what the same load does against stock rumqttd 0.20 that forwards
//! to one subscriber who throws it away. Only the ratio of one run means anything on a shared machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use buttonwatch::app::daemon::{Parts, UnitsEntry, start};
use buttonwatch::app::fleet_file::FleetFile;
use buttonwatch::config::{ServiceConfig, check_fleet, default_rules};
use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish, Subscribe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// In flight per connection, as common clients have it.
const WINDOW: usize = 100;

async fn client(address: SocketAddr, n: usize, acked: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut out = BytesMut::new();
    let unit = format!("U{n:04}");
    let _ = Connect::new(unit.clone()).write(&mut out);
    socket.write_all(&out).await?;
    let topic = format!("buttonwatch/v1/{unit}/heartbeat");
    let (mut seq, mut in_flight, mut input) = (0u64, 0usize, BytesMut::with_capacity(8192));
    let mut welcome = false;
    while !stop.load(Ordering::Relaxed) {
        while let Ok(packet) = Packet::read(&mut input, 65_536) {
            match packet {
                Packet::ConnAck(_) => welcome = true,
                Packet::PubAck(_) => {
                    in_flight -= 1;
                    acked.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        // Half a window at a time: a read's worth of acks is answered with one write.
        if welcome && in_flight <= WINDOW / 2 {
            out.clear();
            while in_flight < WINDOW {
                seq += 1;
                let json = format!(
                    r#"{{"ts":1795000000000,"boot":1,"seq":{seq},"uptime_s":{seq},"interval_s":30,"rssi_dbm":-83,"temp_c":31.5,"tamper":false}}"#
                );
                let mut p = Publish::new(&topic, QoS::AtLeastOnce, json);
                p.pkid = (seq % 60_000) as u16 + 1;
                let _ = p.write(&mut out);
                in_flight += 1;
            }
            socket.write_all(&out).await?;
        }
        if socket.read_buf(&mut input).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// A subscriber who throws everything away.
async fn sink(address: SocketAddr, got: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    let mut out = BytesMut::new();
    let _ = Connect::new("sink").write(&mut out);
    let mut subscribe = Subscribe::new("#", QoS::AtMostOnce);
    subscribe.pkid = 1;
    let _ = subscribe.write(&mut out);
    socket.write_all(&out).await?;
    let mut input = BytesMut::with_capacity(1 << 20);
    while socket.read_buf(&mut input).await? > 0 {
        while let Ok(packet) = Packet::read(&mut input, 65_536) {
            if let Packet::Publish(_) = packet {
                got.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

async fn load(
    address: SocketAddr,
    connections: usize,
    seconds: u64,
    count: Arc<AtomicU64>,
    acked: Arc<AtomicU64>,
) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    for n in 0..connections {
        tokio::spawn(client(address, n, Arc::clone(&acked), Arc::clone(&stop)));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, began) = (count.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let rate = (count.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(500)).await;
    rate
}

fn stock_rumqttd(port: u16) {
    let config: rumqttd::Config = serde_json::from_value(serde_json::json!({
        "id": 0,
        "router": {"id": 0, "max_connections": 10010, "max_outgoing_packet_count": 200, "max_segment_size": 104857600,
                   "max_segment_count": 10},
        "v4": {"1": {"name": "v4", "listen": format!("127.0.0.1:{port}"), "next_connection_delay_ms": 1,
            "connections": {"connection_timeout_ms": 60000, "max_payload_size": 20480, "max_inflight_count": 500,
                            "dynamic_filters": true}}},
    }))
    .expect("rumqttd's own settings");
    std::thread::spawn(move || {
        let _ = rumqttd::Broker::new(config).start().map_err(Box::new);
    });
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let connections = numbers.first().copied().unwrap_or(500) as usize;
    let seconds = numbers.get(1).copied().unwrap_or(5);
    let mut csv = "unit,site,city,crew,uplink,feeder,heartbeat_s\n".to_owned();
    for n in 0..connections {
        csv.push_str(&format!("U{n:04},S{},Peshawar,saddar,u{},f{},30\n", n / 4, n / 8, n / 6));
    }
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let taken = std::net::TcpListener::bind(free).and_then(|l| l.local_addr()).expect("a free port");
    stock_rumqttd(taken.port());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let forwarded = Arc::new(AtomicU64::new(0));
    let to_sink = Arc::clone(&forwarded);
    tokio::spawn(async move { sink(taken, to_sink).await });
    for run in 1..=3 {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let mut config = ServiceConfig { data: dir.path().to_path_buf(), bus: None, ..ServiceConfig::default() };
        config.gateway.get_or_insert_with(Default::default).listen = free;
        config.http.listen = free;
        let units = check_fleet("bench", csv.as_bytes()).expect("a clean fleet");
        let parts = Parts {
            config,
            rules_toml: buttonwatch::config::alerts::DEFAULT_ALERTS.to_owned(),
            rules: default_rules(),
            rules_file: None,
            fleet: Some(FleetFile::new(units, csv.as_bytes())),
            token: None,
        };
        let running = start(parts).await.expect("the service starts");
        let UnitsEntry::Gateway(address) = running.units else { panic!("this service has a gateway") };
        let acked = Arc::new(AtomicU64::new(0));
        let ours = load(address, connections, seconds, Arc::clone(&acked), Arc::clone(&acked)).await;
        running.stop().await.expect("stopped");
        let theirs = load(taken, connections, seconds, Arc::clone(&forwarded), Arc::default()).await;
        println!(
            "run {run}: {connections} connections, buttonwatch {ours:.0} acknowledged/s (durable), rumqttd {theirs:.0} \
             forwarded/s, ratio {:.2}",
            ours / theirs
        );
    }
}
