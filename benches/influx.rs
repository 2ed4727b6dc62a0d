//! What history costs: packing and spooling a point, and how fast a full spool drains into real servers on this machine.
//!
//! Opt-in: `cargo bench --bench influx [-- influxdb|victoria]`. Needs `influxd` (Debian `influxdb`, 1.6, behind the tests' front, which unpacks and
//! hands on) and `victoria-metrics`; the one that is missing is left out.

#[path = "../tests/servers/influx_front.rs"]
mod influx_front;
#[path = "../tests/servers/influxdb.rs"]
mod influxdb;
#[path = "../tests/servers/program.rs"]
mod program;
#[path = "../tests/servers/victoria.rs"]
mod victoria;

use std::path::Path;
use std::time::{Duration, Instant};

use buttonwatch::domain::Bucket;
use buttonwatch::io::influx::{Influx, InfluxConfig};
use tokio::runtime::Runtime;

const UNITS: usize = 100_000;
const ROUNDS: usize = 20;
/// As the service hands over a small batch of messages.
const PUSH: usize = 2_000;

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let asks = |name: &str| {
        let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
        named.is_empty() || named.iter().any(|a| a == name)
    };
    let runtime = Runtime::new().expect("a runtime");
    if asks("influxdb")
        && let Some(server) = influxdb::InfluxDb::start_with("buttonwatch")
    {
        let front = influx_front::Front::start(Some(server.url()));
        measure(&runtime, "InfluxDB 1.6, by way of the front", &front.url());
        let there = server.points("buttonwatch", "\"raw\".\"heartbeat\"", "seq");
        println!("  points found there afterwards: {there}");
    }
    if asks("victoria")
        && let Some(server) = victoria::Victoria::start()
    {
        measure(&runtime, "VictoriaMetrics", &server.url());
        println!("  points found there afterwards: {}", server.points("{__name__=\"heartbeat_seq\"}"));
    }
}

fn measure(runtime: &Runtime, what: &str, url: &str) {
    let spool = tempfile::tempdir().expect("scratch folder");
    println!("{what}: {} points of {UNITS} units, default settings", UNITS * ROUNDS);
    // Nobody listens there: the spool only fills.
    fill(runtime, config("http://127.0.0.1:9", spool.path()));
    drain(runtime, config(url, spool.path()));
}

fn config(url: &str, spool: &Path) -> InfluxConfig {
    InfluxConfig {
        url: url.to_owned(),
        org: "org".to_owned(),
        token: String::new(),
        database: "buttonwatch".to_owned(),
        ca_pem: None,
        timeout: Duration::from_secs(30),
        spool: spool.to_owned(),
        spool_max_bytes: 1 << 30,
        batch_points: 5000,
        batch_every: Duration::from_secs(5),
        retry_after: Duration::from_secs(1),
        retry_at_most: Duration::from_secs(60),
    }
}

fn fill(runtime: &Runtime, config: InfluxConfig) {
    let pushes: Vec<Vec<u8>> = (0..UNITS * ROUNDS / PUSH).map(lines).collect();
    let plain: usize = pushes.iter().map(Vec::len).sum();
    let influx = start(runtime, config);
    let spool = influx.spool();
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    for lines in pushes {
        spool.push(Bucket::Raw, lines, PUSH as u32);
    }
    spool.flush();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let stats = influx.stats();
    let points = (UNITS * ROUNDS) as f64;
    println!(
        "  push, pack, write, sync: {:.2} µs of processor a point, {:.0} points/s; {:.0} bytes a point, packed {:.1}",
        cpu * 1e6 / points,
        points / wall,
        plain as f64 / points,
        stats.waiting_bytes() as f64 / points,
    );
    runtime.block_on(influx.stop());
}

fn drain(runtime: &Runtime, config: InfluxConfig) {
    let influx = start(runtime, config);
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    while influx.stats().waiting_points() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let stats = influx.stats();
    let raw = stats.of(Bucket::Raw);
    println!(
        "  drained in {wall:.1} s: {:.0} points/s; a write took {:.1} ms; {:.2} µs of processor a point in this process",
        stats.written() as f64 / wall,
        raw.write_seconds_sum * 1e3 / raw.write_seconds_count.max(1) as f64,
        cpu * 1e6 / stats.written().max(1) as f64,
    );
    runtime.block_on(influx.stop());
}

fn start(runtime: &Runtime, config: InfluxConfig) -> Influx {
    let _in_runtime = runtime.enter();
    Influx::start(config).expect("the settings are right")
}

/// A minute's heartbeats of some units, with figures that differ as real ones do.
fn lines(push: usize) -> Vec<u8> {
    let mut text = String::with_capacity(PUSH * 160);
    for n in push * PUSH..(push + 1) * PUSH {
        let (unit, round) = (n % UNITS, n / UNITS);
        let noise = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        text.push_str(&format!(
            "heartbeat,unit=PSH-{unit:06},site=site-{:05} rssi_dbm=-{}.0,temp_c={}.{},uptime_s={}.0,loss_pct=0.0,skew_ms={}.0,\
             seq={}i,boot=7i {}\n",
            unit / 3,
            50 + noise % 50,
            20 + noise % 25,
            noise % 10,
            86_400 + round * 60 + unit,
            noise % 400,
            1000 + round,
            1_795_251_600_000u64 + (round * 60_000 + unit % 60_000) as u64,
        ));
    }
    text.into_bytes()
}

/// Of this process, all threads. Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
