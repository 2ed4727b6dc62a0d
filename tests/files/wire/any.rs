//! Whatever may come, for the property tests.

use buttonwatch::domain::component::Component;
use buttonwatch::domain::message::{
    Body, CameraMode, Heartbeat, Message, Outcome, Power, Press, PressKind, Reply, Selftest, Status, TestResult,
    Trigger,
};
use buttonwatch::domain::{Metric, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "ts",
            "boot",
            "seq",
            "extra",
            "results",
            "camera",
            "button",
            "stuck",
            "result",
            "pass",
            "temp_c",
            "fw",
            "id",
            "ok",
            "online",
            "kind",
            "test",
            "mains",
            "2026-11-21T09:00:00.000Z",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

/// Any JSON, with the protocol's own words in it so that the checks behind them are reached.
pub fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        (-200.0..200.0f64).prop_map(Into::into),
        word().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 12, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            vec((word(), inner), 0..12).prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

pub fn with_common(value: serde_json::Value) -> serde_json::Value {
    let mut fields = match value {
        serde_json::Value::Object(fields) => fields,
        other => [("extra".to_owned(), other)].into_iter().collect(),
    };
    for (name, value) in [("ts", 0.into()), ("boot", 1.into()), ("seq", 2.into())] {
        fields.insert(name.to_owned(), value);
    }
    fields.into()
}

pub fn boxed(pattern: &'static str) -> impl Strategy<Value = Box<str>> {
    pattern.prop_map(Into::into)
}

/// Figures as sensors give them: not every last bit of a float, as JSON readers differ there.
pub fn figure(metric: Metric) -> impl Strategy<Value = f64> {
    let facts = metric.facts();
    (facts.min..=facts.max).prop_map(move |v| ((v * 1000.0).round() / 1000.0).clamp(facts.min, facts.max))
}

pub fn maybe(metric: Metric) -> impl Strategy<Value = Option<f64>> {
    option::of(figure(metric))
}

pub fn any_body() -> impl Strategy<Value = Body> {
    use Metric::*;
    let heartbeat = (
        (
            maybe(ControllerUptime),
            option::of(1.0..86_400.0f64),
            option::of(boxed("[^\\pC]{1,64}")),
            option::of(boxed("\\PC{1,9}")),
        ),
        (maybe(LinkRssi), maybe(EnclosureTemperature), maybe(DiskFree), maybe(MemoryFree), any::<Option<bool>>()),
    )
        .prop_map(|((uptime_s, interval_s, fw, hw), (rssi_dbm, temp_c, disk_free_pct, mem_free_pct, tamper))| {
            let interval_s = interval_s.map(f64::round);
            Body::Heartbeat(Heartbeat {
                uptime_s,
                interval_s,
                fw: fw.map(|text| (&*text).into()),
                hw: hw.map(|text| (&*text).into()),
                rssi_dbm,
                temp_c,
                disk_free_pct,
                mem_free_pct,
                tamper,
            })
        });
    let power = (
        (any::<Option<bool>>(), maybe(MainsVoltage), maybe(BatteryVoltage), maybe(BatteryCharge)),
        (maybe(BatteryTemperature), maybe(BatteryCurrent), maybe(PowerLoad)),
    )
        .prop_map(|((mains, mains_v, battery_v, battery_pct), (battery_temp_c, charge_a, load_w))| {
            Body::Power(Power { mains, mains_v, battery_v, battery_pct, battery_temp_c, charge_a, load_w })
        });
    let camera = (figure(CameraSharpness), option::of(proptest::sample::select(CameraMode::ALL)))
        .prop_map(|(v, mode)| (Component::Camera, mode, vec![(CameraSharpness, v)]));
    let button = (any::<bool>(), figure(ButtonContact))
        .prop_map(|(stuck, v)| (Component::Button, None, vec![(ButtonStuck, f64::from(stuck)), (ButtonContact, v)]));
    let stream = (figure(StreamConnect), figure(StreamLoss))
        .prop_map(|(a, b)| (Component::Stream, None, vec![(StreamLoss, b), (StreamConnect, a)]));
    let clock = Just((Component::Clock, None, vec![]));
    let result = (
        prop_oneof![camera, button, stream, clock],
        proptest::sample::select(Outcome::ALL),
        option::of(boxed("[A-Z0-9 \"\\\\]{1,64}")),
    )
        .prop_map(|((component, mode, figures), result, code)| TestResult {
            component,
            result,
            code,
            mode,
            figures,
        });
    let selftest =
        (option::of(boxed("[a-z0-9-]{1,64}")), option::of(proptest::sample::select(Trigger::ALL)), vec(result, 0..6))
            .prop_map(|(id, trigger, mut results)| {
                results.sort_by_key(|r| r.component);
                results.dedup_by_key(|r| r.component);
                Body::Selftest(Selftest { id, trigger, results })
            });
    let press = (proptest::sample::select(PressKind::ALL), maybe(PressHeld), any::<Option<bool>>(), maybe(PressAck))
        .prop_map(|(kind, held_ms, ack, ack_ms)| Body::Press(Press { kind, held_ms, ack, ack_ms }));
    let status = (any::<bool>(), option::of(boxed("[^\\pC]{1,200}")))
        .prop_map(|(online, reason)| Body::Status(Status { online, reason }));
    let reply = (boxed("\\PC{1,64}"), any::<bool>(), option::of(boxed("[^\\pC]{1,200}")))
        .prop_map(|(id, ok, error)| Body::Reply(Reply { id, ok, error }));
    prop_oneof![heartbeat, power, selftest, press, status, reply]
}

pub fn any_time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis)
}

pub fn any_message() -> impl Strategy<Value = Message> {
    (
        any_time(),
        any::<u32>(),
        any::<u64>(),
        any_body(),
        proptest::collection::btree_map("[a-z0-9_.]{1,48}", -1e6..1e6f64, 0..5),
    )
        .prop_map(|(ts, boot, seq, body, extra)| Message {
            ts: Some(ts),
            boot: Some(boot),
            seq: Some(seq),
            body,
            extra: extra.into_iter().map(|(name, v)| (name.into(), (v * 100.0).round() / 100.0)).collect(),
        })
}
