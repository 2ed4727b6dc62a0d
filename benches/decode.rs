//! How long the door takes per message. Opt-in: `cargo bench --bench decode`. DESIGN §7 gives decoding and judging of one
//! heartbeat 1 µs together.

use std::hint::black_box;

use buttonwatch::domain::{Timestamp, UnitId};
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::recording::Writer;
use buttonwatch::wire::signature::{Key, Keys, Signing};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const HEARTBEAT: (&str, &str) = (
    "buttonwatch/v1/PSH-001/heartbeat",
    r#"{"ts":"2026-11-21T09:00:00.000Z","boot":7,"seq":14512,"uptime_s":86412,"interval_s":30,"fw":"2.4.1","hw":"B3","rssi_dbm":-71,"temp_c":34.5,"disk_free_pct":61.2,"mem_free_pct":44,"tamper":false}"#,
);
const POWER: (&str, &str) = (
    "buttonwatch/v1/PSH-001/power",
    r#"{"ts":1795251600000,"boot":7,"seq":14513,"mains":true,"mains_v":228.4,"battery_v":13.78,"battery_pct":99,"battery_temp_c":31.5,"charge_a":0.12,"load_w":7.4}"#,
);
const SELFTEST: (&str, &str) = (
    "buttonwatch/v1/PSH-001/selftest",
    r#"{"ts":"2026-11-21T09:00:00.000Z","boot":7,"seq":14514,"trigger":"schedule","results":{"camera":{"result":"pass","sharpness":412.7,"luma":118,"changed_pct":2.1,"frozen_frames":0,"fps":25,"mode":"day"},"microphone":{"result":"pass","tone_snr_db":24.5,"ambient_dbfs":-48,"clipping_pct":0,"retries":0},"speaker":{"result":"pass","tone_snr_db":27},"button":{"result":"pass","stuck":false,"contact_ohm":0.8},"stream":{"result":"pass","connect_ms":840,"kbps":1450,"loss_pct":0.2}}}"#,
);

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let decoder = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off);
    for (topic, payload) in [HEARTBEAT, POWER, SELFTEST] {
        let name = topic.rsplit('/').next().unwrap_or(topic);
        group.bench_function(name, |b| {
            b.iter(|| decoder.decode(black_box(topic), black_box(payload.as_bytes())).expect("a good message"));
        });
    }
    let key = Key::new(&[7; 32]).expect("32 bytes");
    let (topic, json) = HEARTBEAT;
    let signed = key.signed(topic, json.as_bytes());
    let keys = Keys::from([(UnitId::parse("PSH-001").expect("valid"), key)]);
    let strict = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Required(keys));
    group.bench_function("signed heartbeat", |b| {
        b.iter(|| strict.decode(black_box(topic), black_box(&signed)).expect("a good message"));
    });
    group.bench_function("journal line", |b| {
        let (mut writer, mut out) = (Writer::default(), Vec::new());
        b.iter(|| {
            out.clear();
            writer.publish(
                Timestamp::from_millis(1_795_251_600_000),
                topic,
                black_box(json.as_bytes()),
                false,
                &mut out,
            );
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
