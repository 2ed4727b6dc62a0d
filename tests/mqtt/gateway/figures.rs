//! DESIGN §7's figures of the gateway alone. Ignored: they want a release build and a quiet machine.
//! `cargo test --release --test mqtt figures -- --ignored --nocapture --test-threads=1`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use buttonwatch::io::gateway::Gateway;
use buttonwatch::wire::ingest::Ingest;
use rumqttc::mqttbytes::{QoS, v4};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::gateway::house::*;

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// `per_write` messages in one write, 64 KiB of window: what a fleet of busy units, or one behind a thick link, would do.
async fn rate(connections: usize, each: usize, per_write: usize) {
    let (ingest, mut received) = mpsc::channel(1024);
    let gateway = Gateway::start(open_config(), ingest).await.unwrap();
    let addr = gateway.local_addr();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut batch = Vec::with_capacity(256);
        while received.recv_many(&mut batch, 256).await > 0 {
            for ingest in batch.drain(..) {
                if let Ingest::Publishes(chunk) = ingest {
                    count.fetch_add(chunk.publishes.len(), Ordering::Relaxed);
                    chunk.ack.committed();
                }
            }
        }
    });
    let payload = "{\"ts\":1700000000000,\"boot\":7,\"seq\":123456,\"uptime_s\":86400,\"rssi_dbm\":-71,\"temp_c\":41.5,\"fw\":\"2.1.0\"}";
    let mut clients = tokio::task::JoinSet::new();
    let started = Instant::now();
    for at in 0..connections {
        clients.spawn(async move {
            let id = format!("U-{at}");
            let mut raw = Raw::connected(addr, &id).await;
            let mut bytes = Vec::new();
            for pkid in 1..=per_write {
                bytes.extend(bytes_of(publish(&topic(&id, "heartbeat"), QoS::AtLeastOnce, pkid as u16, payload)));
            }
            let mut acks = vec![0; per_write * 4];
            for _ in 0..each / per_write {
                raw.stream.write_all(&bytes).await.unwrap();
                raw.stream.read_exact(&mut acks).await.unwrap();
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let total = heard.load(Ordering::Relaxed);
    println!(
        "{connections} connections, {per_write} a write: {:.0} messages/s ({total} in {seconds:.2} s)",
        total as f64 / seconds
    );
    assert_eq!(total, connections * (each / per_write) * per_write);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn messages_per_second() {
    rate(500, 4_000, 100).await;
    rate(500, 4_000, 10).await;
    rate(500, 1_000, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; needs 20,000 open files"]
async fn idle_connections() {
    const MANY: usize = 9_900;
    let (ingest, received) = mpsc::channel(1024);
    let gateway = Gateway::start(open_config(), ingest).await.unwrap();
    let _daemon = Daemon::start(received);
    let addr = gateway.local_addr();
    let before = resident_kib();
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for lane in 0..50 {
        clients.spawn(async move {
            let mut mine = Vec::new();
            for at in 0..MANY / 50 {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                let mut connect = hello(&format!("U-{lane}-{at}"));
                connect.set_login(format!("U-{lane}-{at}"), "");
                stream.write_all(&bytes_of(v4::Packet::Connect(connect))).await.unwrap();
                stream.read_exact(&mut [0; 4]).await.unwrap();
                mine.push(stream);
            }
            mine
        });
    }
    let streams = clients.join_all().await;
    let seconds = started.elapsed().as_secs_f64();
    let each = (resident_kib() - before) as f64 / MANY as f64;
    println!("{MANY} connections in {seconds:.2} s; {each:.1} KiB each, both ends in this process");
    assert_eq!(gateway.connected(), MANY);
    drop(streams);
}
