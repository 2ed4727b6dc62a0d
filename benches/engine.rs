//! Decode and judge, default rules, one core: heartbeats a second. `cargo bench --bench engine`

use std::hint::black_box;

use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::event::Event;
use buttonwatch::domain::{Fleet, Settings, Timestamp};
use buttonwatch::engine::Engine;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const UNITS: usize = 1_000;

fn fleet() -> Fleet {
    let mut csv = "unit,site,city,crew,uplink,feeder,heartbeat_s\n".to_owned();
    for n in 0..UNITS {
        csv.push_str(&format!("U{n:04},S{},Peshawar,saddar,u{},f{},30\n", n / 4, n / 8, n / 6));
    }
    Fleet::new(check_fleet("bench", csv.as_bytes()).expect("a clean fleet"))
}

/// One round: every unit once, 30 s after its last.
fn round(number: u64, start: i64) -> Vec<(Timestamp, String, String)> {
    (0..UNITS)
        .map(|n| {
            let at = start + number as i64 * 30_000 + n as i64 * 30;
            let payload = format!(
                r#"{{"ts":{at},"boot":7,"seq":{number},"uptime_s":{},"interval_s":30,"fw":"2.3.1","hw":"PB-1","rssi_dbm":-83,"temp_c":31.5,"disk_free_pct":61,"mem_free_pct":44,"tamper":false}}"#,
                number * 30
            );
            (Timestamp::from_millis(at), format!("buttonwatch/v1/U{n:04}/heartbeat"), payload)
        })
        .collect()
}

fn heartbeats(c: &mut Criterion) {
    let start = 1_795_000_000_000;
    let decoder = Decoder::new("buttonwatch/v1", Signing::Off);
    let mut engine = Engine::new(default_rules(), fleet(), Settings::default());
    let mut number = 0;
    let mut group = c.benchmark_group("decode and judge");
    group.throughput(Throughput::Elements(UNITS as u64));
    group.bench_function("heartbeat", |b| {
        b.iter_batched_ref(
            || {
                number += 1;
                round(number, start)
            },
            |messages| {
                for (at, topic, payload) in messages.iter() {
                    let decoded = decoder.decode(topic, payload.as_bytes()).expect("a good heartbeat");
                    let unit = engine.fleet().find(decoded.unit).expect("of this fleet");
                    let effects =
                        engine.handle(*at, Event::Message { unit, message: decoded.message, retained: false });
                    black_box(effects);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, heartbeats);
criterion_main!(benches);
