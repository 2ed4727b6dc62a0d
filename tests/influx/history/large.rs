//! Opt-in: 100,000 units, each a point a minute, with the default settings, on this machine together with Mosquitto and
//! InfluxDB.
//!
//! `cargo test --release --test influx -- --ignored --nocapture hundred_thousand`
//! Needs mosquitto and influxd: `apt-get install mosquitto influxdb`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};

use super::influx_front::Front;
use super::influxdb::InfluxDb;
use super::process::{Service, free_port_pair, millis_now, wait_until};
use super::{metric, mosquitto};

const UNITS: usize = 100_000;
const A_MINUTE: Duration = Duration::from_secs(60);
const MINUTES: u32 = 4;

#[test]
#[ignore = "five minutes; its figures stand in docs/influxdb.md"]
fn a_hundred_thousand_units_with_a_point_a_minute_each() {
    let Some(db) = InfluxDb::start_with("buttonwatch") else { return };
    let Some(broker) = mosquitto::Mosquitto::start(mosquitto::Setup::new().line("max_queued_messages 0")) else {
        return;
    };
    let front = Front::start(Some(db.url()));
    let dir = tempfile::tempdir().expect("a folder");
    let mut fleet = "unit,site,city,crew,uplink,feeder,heartbeat_s\n".to_owned();
    for n in 0..UNITS {
        fleet.push_str(&format!("U{n:06},S{:05},Peshawar,saddar,u{},f{},60\n", n / 4, n / 50, n / 40));
    }
    std::fs::write(dir.path().join("fleet.csv"), fleet).expect("a folder to write in");
    let (_, http) = free_port_pair();
    let settings = format!(
        "fleet = 'fleet.csv'\n[external]\nhost = \"127.0.0.1\"\nport = {}\n[bus]\nlisten = \"off\"\n[http]\nlisten = \"{http}\"\n\
         [influx]\nurl = \"{}\"\n",
        broker.port(),
        front.url()
    );
    std::fs::write(dir.path().join("buttonwatch.toml"), settings).expect("a folder to write in");
    let service = Service::start(dir.path(), &["--config", "buttonwatch.toml"], http);
    wait_until("the broker is heard", || metric(&service, "buttonwatch_hearing") == 1.0);

    let began = Instant::now();
    let publisher = std::thread::spawn({
        let port = broker.port();
        move || publish(port)
    });
    let (mut lag, mut waiting, mut cpu_before) = (0.0f64, 0.0f64, None);
    while !publisher.is_finished() {
        std::thread::park_timeout(Duration::from_secs(2));
        lag = lag.max(metric(&service, "buttonwatch_influx_lag_seconds"));
        waiting = waiting.max(metric(&service, "buttonwatch_influx_spool_points"));
        cpu_before.get_or_insert_with(|| (began.elapsed(), metric(&service, "process_cpu_seconds_total")));
    }
    let sent = publisher.join().expect("no panic");
    let took = began.elapsed();
    let written = metric(&service, "buttonwatch_influx_points_total");
    let (since, before) = cpu_before.expect("it looked at least once");
    let cpu = (metric(&service, "process_cpu_seconds_total") - before) / (took - since).as_secs_f64();
    let quantile = |name: &str| metric(&service, &format!("{name}_sum")) / metric(&service, &format!("{name}_count"));
    println!("{sent} heartbeats in {:.0} s: {:.0} a second", took.as_secs_f64(), sent as f64 / took.as_secs_f64());
    println!("{written:.0} points written, at most {waiting:.0} waited, the oldest at most {lag:.1} s");
    println!(
        "the service took {:.0} % of one core; a batch was acknowledged after {:.1} ms on average",
        cpu * 100.0,
        quantile("buttonwatch_ack_seconds") * 1000.0
    );
    let judged = metric(&service, "buttonwatch_messages_total");
    let there = db.points("buttonwatch", "\"raw\".\"heartbeat\"", "seq");
    println!("{judged:.0} judged, {there} in InfluxDB so far");
    wait_until("all heartbeats are in InfluxDB", || db.points("buttonwatch", "\"raw\".\"heartbeat\"", "seq") >= sent);
    assert_eq!(db.points("buttonwatch", "\"raw\".\"heartbeat\"", "seq"), sent);
    assert!(lag < 60.0, "InfluxDB keeps up");
}

/// Each unit once a minute, evenly. Gives how many were acknowledged by the broker.
fn publish(port: u16) -> u64 {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the broker");
    let mut out = BytesMut::new();
    let mut connect = Connect::new("fleet");
    connect.keep_alive = 600;
    connect.write(&mut out).expect("a small packet");
    socket.write_all(&out).expect("the broker reads");
    let mut reader = socket.try_clone().expect("two ends");
    let total = UNITS as u64 * u64::from(MINUTES);
    let acks = std::thread::spawn(move || {
        let (mut input, mut chunk, mut acked) = (BytesMut::new(), [0u8; 65_536], 0u64);
        while acked < total {
            let n = reader.read(&mut chunk).expect("the broker answers");
            input.extend_from_slice(&chunk[..n]);
            while let Ok(packet) = Packet::read(&mut input, 65_536) {
                acked += u64::from(matches!(packet, Packet::PubAck(_)));
            }
        }
        acked
    });
    let began = Instant::now();
    let mut sent = 0u64;
    while sent < total {
        let due = (began.elapsed().as_secs_f64() / A_MINUTE.as_secs_f64() * UNITS as f64) as u64;
        let mut out = BytesMut::new();
        while sent < due.min(total) {
            let (unit, round) = (sent % UNITS as u64, sent / UNITS as u64 + 1);
            let at = millis_now();
            let json = format!(
                r#"{{"ts":{at},"boot":1,"seq":{round},"interval_s":60,"uptime_s":{},"rssi_dbm":-{},"temp_c":31.5,"fw":"2.4.1"}}"#,
                round * 60,
                60 + unit % 30
            );
            let mut publish = Publish::new(format!("buttonwatch/v1/U{unit:06}/heartbeat"), QoS::AtLeastOnce, json);
            publish.pkid = (sent % 60_000) as u16 + 1;
            publish.write(&mut out).expect("a small packet");
            sent += 1;
        }
        socket.write_all(&out).expect("the broker reads");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    acks.join().expect("no panic")
}
