//! The door, from the outside: what it takes, what it refuses and in which words, and that nothing breaks it.

use std::fs;

use buttonwatch::domain::component::Component;
use buttonwatch::domain::message::{
    Body, CameraMode, Command, Do, Heartbeat, Message, Outcome, Power, Press, PressKind, Reply, Selftest, Status,
    TestResult, Trigger,
};
use buttonwatch::domain::{
    Action, CrewId, Hearing, Kind, MaintenanceScope, MessageId, Metric, OrderId, OrderMove, SiteId, Timestamp, UnitId,
};
use buttonwatch::wire::decode::{Decoder, MAX_JSON_BYTES};
use buttonwatch::wire::payload;
use buttonwatch::wire::recording::{Line, Reader, What, Writer, parse_line, write_line};
use buttonwatch::wire::refusal::RefusalKind;
use buttonwatch::wire::signature::{Key, Keys, Signing};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn open_door() -> Decoder {
    Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off)
}

fn topic(kind: &str) -> String {
    format!("buttonwatch/v1/PSH-001/{kind}")
}

/// What the door says: `ok`, what was dropped, what is unknown; or the refusal.
fn said(door: &Decoder, topic: &str, payload: &[u8]) -> String {
    match door.decode(topic, payload) {
        Err(refusal) => {
            assert!(payload.starts_with(&refusal.example));
            format!("{}: {}", refusal.kind, refusal.why)
        }
        Ok(decoded) => {
            let mut said = "ok".to_owned();
            if decoded.unknown_fields > 0 {
                said += &format!(", {} unknown", decoded.unknown_fields);
            }
            for refusal in decoded.dropped {
                assert_eq!(refusal.unit.as_deref(), Some(decoded.unit));
                said += &format!("; {}: {}", refusal.kind, refusal.why);
            }
            said
        }
    }
}

#[track_caller]
fn check(kind: &str, payload: &str, expected: &str) {
    assert_eq!(said(&open_door(), &topic(kind), payload.as_bytes()), expected, "{payload}");
}

/// A heartbeat with one more field.
#[track_caller]
fn check_beat(field: &str, expected: &str) {
    check("heartbeat", &format!(r#"{{"ts":0,"boot":7,"seq":1,{field}}}"#), expected);
}

// Topics.

#[test]
fn a_topic_names_one_unit_and_one_kind() {
    let door = open_door();
    for kind in Kind::ALL {
        assert_eq!(door.topic(&topic(kind.as_str())), Ok(("PSH-001", *kind)));
    }
    let cases = [
        (
            "",
            "bad-topic: the topic is not buttonwatch/v1/UNIT/KIND; publish for example on buttonwatch/v1/PSH-001/heartbeat",
        ),
        (
            "é/x",
            "bad-topic: the topic is not buttonwatch/v1/UNIT/KIND; publish for example on buttonwatch/v1/PSH-001/heartbeat",
        ),
        (
            "buttonwatch/v1x/PSH-001/heartbeat",
            "bad-topic: the topic is not buttonwatch/v1/UNIT/KIND; publish for example on buttonwatch/v1/PSH-001/heartbeat",
        ),
        (
            "buttonwatch/v1/é/heartbeat",
            "bad-topic: in the topic, \"é\" is not a unit id: it must start with a letter or digit and hold only letters, \
             digits, _ and -, at most 48",
        ),
        (
            "buttonwatch/v1//heartbeat",
            "bad-topic: in the topic, \"\" is not a unit id: it must start with a letter or digit and hold only letters, \
             digits, _ and -, at most 48",
        ),
        (
            "buttonwatch/v1/PSH-001/heartbeat/now",
            "bad-topic: the topic has too many levels; it must be buttonwatch/v1/PSH-001/KIND",
        ),
        (
            "buttonwatch/v1/PSH-001/command",
            "unknown-kind: a unit does not publish \"command\"; the kinds are heartbeat, selftest, power, press, status, reply",
        ),
    ];
    for (topic, expected) in cases {
        assert_eq!(said(&door, topic, b"{}"), expected);
    }
}

#[test]
fn the_root_is_a_setting() {
    let door = Decoder::new("kp/police/buttons", Signing::Off);
    assert_eq!(door.topic("kp/police/buttons/PSH-001/power"), Ok(("PSH-001", Kind::Power)));
    assert!(door.topic(&topic("power")).is_err());
}

// Refusals, in their words.

#[test]
fn what_is_not_one_json_object_is_refused() {
    check(
        "heartbeat",
        "",
        "not-json: the payload is not one JSON object: EOF while parsing a value at line 1 column 0",
    );
    check(
        "heartbeat",
        "[1]",
        "not-json: the payload is not one JSON object: invalid type: sequence, expected one JSON object at line 1 column 0",
    );
    check(
        "heartbeat",
        r#"{"ts":0,"boot":7,"seq":1} {}"#,
        "not-json: the payload is not one JSON object: trailing characters at line 1 column 27",
    );
    check(
        "heartbeat",
        r#"{"ts":0,"boot":7,"seq":1,}"#,
        "not-json: the payload is not one JSON object: trailing comma at line 1 column 26",
    );
    assert_eq!(
        said(&open_door(), &topic("heartbeat"), b"{\"fw\":\"\xff\"}"),
        "not-json: the payload is not UTF-8 at byte 7"
    );
}

#[test]
fn a_payload_past_16_kib_is_refused_and_one_of_just_16_kib_is_not() {
    let beat = |bytes: usize| {
        let start = r#"{"ts":0,"boot":7,"seq":1,"junk":""#;
        format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
    };
    let door = open_door();
    assert_eq!(said(&door, &topic("heartbeat"), beat(MAX_JSON_BYTES).as_bytes()), "ok, 1 unknown");
    assert_eq!(
        said(&door, &topic("heartbeat"), beat(MAX_JSON_BYTES + 1).as_bytes()),
        "too-large: the payload has 16385 bytes; at most 16384 are allowed"
    );
    assert_eq!(
        said(&door, &topic("heartbeat"), &vec![b'{'; 1 << 20]),
        "too-large: the payload has 1048576 bytes; at most 16384 are allowed"
    );
    let signed = format!("{}\n{}", beat(MAX_JSON_BYTES), "0".repeat(64));
    assert_eq!(said(&door, &topic("heartbeat"), signed.as_bytes()), "ok, 1 unknown");
}

#[test]
fn only_a_last_will_may_lack_the_common_fields() {
    check("heartbeat", "{}", "missing-field: ts is missing; every heartbeat message must carry it");
    check("heartbeat", r#"{"ts":0}"#, "missing-field: boot is missing; every heartbeat message must carry it");
    check("power", r#"{"ts":0,"boot":null}"#, "missing-field: boot is missing; every power message must carry it");
    check("press", r#"{"ts":0,"boot":1}"#, "missing-field: seq is missing; every press message must carry it");
    check("press", r#"{"ts":0,"boot":1,"seq":2}"#, "missing-field: kind is missing; every press message must carry it");
    check("reply", r#"{"ts":0,"boot":1,"seq":2}"#, "missing-field: id is missing; every reply message must carry it");
    check(
        "selftest",
        r#"{"ts":0,"boot":1,"seq":2}"#,
        "missing-field: results is missing; every selftest message must carry it",
    );
    check("status", r#"{"online":false}"#, "ok");
    check("status", "{}", "missing-field: online is missing; every status message must carry it");
    check(
        "status",
        r#"{"online":true,"ts":"soon","boot":-1}"#,
        "ok; wrong-type: ts is the text \"soon\"; send RFC 3339 text like \"2026-11-21T09:00:00.000Z\", or whole \
         milliseconds since 1970; out-of-range: boot is -1; it must be a whole number from 0 to 4294967295",
    );
}

#[test]
fn a_bad_required_field_costs_the_message() {
    check(
        "heartbeat",
        r#"{"ts":"21.11.2026","boot":7,"seq":1}"#,
        "wrong-type: ts is the text \"21.11.2026\"; send RFC 3339 text like \"2026-11-21T09:00:00.000Z\", or whole \
         milliseconds since 1970",
    );
    check(
        "heartbeat",
        r#"{"ts":1e18,"boot":7,"seq":1}"#,
        "out-of-range: ts is 1000000000000000000; it must lie in the years 0001 to 9999",
    );
    check(
        "heartbeat",
        r#"{"ts":0,"boot":"7","seq":1}"#,
        "wrong-type: boot is the text \"7\"; send a whole number without quotes",
    );
    check("heartbeat", r#"{"ts":0,"boot":7.5,"seq":1}"#, "wrong-type: boot is 7.5; send a whole number");
    check(
        "heartbeat",
        r#"{"ts":0,"boot":4294967296,"seq":1}"#,
        "out-of-range: boot is 4294967296; it must be a whole number from 0 to 4294967295",
    );
    check(
        "heartbeat",
        r#"{"ts":0,"boot":7,"seq":-1}"#,
        "out-of-range: seq is -1; it must be a whole number from 0 to 18446744073709551615",
    );
    check(
        "press",
        r#"{"ts":0,"boot":7,"seq":1,"kind":"drill"}"#,
        "out-of-range: kind is \"drill\" is not one of: real, test",
    );
    check("status", r#"{"online":1}"#, "wrong-type: online is 1; send true or false without quotes");
    check(
        "selftest",
        r#"{"ts":0,"boot":7,"seq":1,"results":[]}"#,
        "wrong-type: results is a list; send an object with one entry per component",
    );
}

#[test]
fn a_bad_optional_field_costs_only_itself() {
    check_beat(r#""temp_c":4000"#, "ok; out-of-range: temp_c is 4000 °C; it must be -60 to 150 °C");
    check_beat(
        r#""rssi_dbm":-71,"temp_c":"34""#,
        "ok; wrong-type: temp_c is the text \"34\"; send a number without quotes",
    );
    check_beat(r#""tamper":0"#, "ok; wrong-type: tamper is 0; send true or false without quotes");
    check_beat(r#""fw":2"#, "ok; wrong-type: fw is 2; send a text in quotes");
    check_beat(
        &format!(r#""fw":"{}""#, "x".repeat(65)),
        "ok; out-of-range: fw has 65 characters; at most 64 are allowed",
    );
    check_beat(r#""interval_s":0"#, "ok; out-of-range: interval_s is 0 s; it must be 1 to 86400 s");
    check_beat(r#""extra":[1]"#, "ok; wrong-type: extra is a list; send an object of numbers");
    check_beat(
        r#""temp_c":{"value":34},"disk_free_pct":101"#,
        "ok; wrong-type: temp_c is an object; send a number without quotes; out-of-range: disk_free_pct is 101 %; it must be \
         0 to 100 %",
    );
}

#[test]
fn one_bad_test_leaves_the_other_tests_of_a_selftest_alone() {
    let payload = r#"{"ts":0,"boot":7,"seq":1,"trigger":"cron","results":{
        "camera":{"result":"pass","sharpness":-1,"fps":25,"mode":"dusk","lens":"ok"},
        "microphone":{"result":"broken"},"speaker":"pass","stream":null,"battery":{},"siren":{"result":"pass"},
        "button":{"result":"fail","code":"STUCK","stuck":true,"tone_snr_db":3}}}"#;
    check(
        "selftest",
        payload,
        "ok, 3 unknown; out-of-range: results.camera.sharpness is -1; it must be 0 to 10000000; out-of-range: \
         results.camera.mode is \"dusk\" is not one of: day, ir; out-of-range: results.microphone.result is \"broken\" is \
         not one of: pass, fail, inconclusive, skipped; wrong-type: results.speaker is the text \"pass\"; send an object \
         like {\"result\":\"pass\"}; missing-field: results.battery.result is missing; every selftest message must carry \
         it; out-of-range: trigger is \"cron\" is not one of: schedule, boot, command",
    );
    let decoded =
        open_door().decode("buttonwatch/v1/PSH-001/selftest", payload.as_bytes()).expect("two good tests").message;
    let Body::Selftest(Selftest { trigger: None, results, .. }) = decoded.body else { panic!("a self-test") };
    assert_eq!(
        results,
        [
            TestResult {
                component: Component::Camera,
                result: Outcome::Pass,
                code: None,
                mode: None,
                figures: vec![(Metric::CameraFps, 25.0)],
            },
            TestResult {
                component: Component::Button,
                result: Outcome::Fail,
                code: Some("STUCK".into()),
                mode: None,
                figures: vec![(Metric::ButtonStuck, 1.0)],
            },
        ]
    );
}

// What is taken.

#[test]
fn a_heartbeat_gives_all_its_fields() {
    let payload = r#"{"ts":"2026-11-21T14:00:00+05:00","boot":7.0,"seq":1e2,"uptime_s":86412,"interval_s":30,
        "fw":"2.4.1","hw":"B3 \u0628","rssi_dbm":-71,"temp_c":34.5,"disk_free_pct":61.2,"mem_free_pct":44,"tamper":false,
        "extra":{"fan_rpm":1180,"x":-0.5}}"#;
    let decoded = open_door().decode("buttonwatch/v1/PSH-001/heartbeat", payload.as_bytes()).expect("good");
    assert_eq!((decoded.unit, decoded.unknown_fields, decoded.dropped.len()), ("PSH-001", 0, 0));
    let expected = Message {
        ts: Timestamp::parse("2026-11-21T09:00:00Z"),
        boot: Some(7),
        seq: Some(100),
        body: Body::Heartbeat(Heartbeat {
            uptime_s: Some(86_412.0),
            interval_s: Some(30.0),
            fw: Some("2.4.1".into()),
            hw: Some("B3 ب".into()),
            rssi_dbm: Some(-71.0),
            temp_c: Some(34.5),
            disk_free_pct: Some(61.2),
            mem_free_pct: Some(44.0),
            tamper: Some(false),
        }),
        extra: vec![("fan_rpm".into(), 1180.0), ("x".into(), -0.5)],
    };
    assert_eq!(decoded.message, expected);
}

#[test]
fn null_is_not_there_and_the_later_of_two_counts() {
    check_beat(r#""temp_c":null,"fw":null,"extra":null,"tamper":null"#, "ok");
    check_beat(r#""temp_c":9999,"temp_c":20"#, "ok");
    let decoded = open_door()
        .decode("buttonwatch/v1/PSH-001/heartbeat", br#"{"ts":0,"boot":1,"boot":2,"seq":1,"temp_c":10,"temp_c":null}"#)
        .expect("good");
    assert_eq!(decoded.message.boot, Some(2));
    let Body::Heartbeat(beat) = decoded.message.body else { panic!("a heartbeat") };
    assert_eq!(beat, Heartbeat::default());
}

#[test]
fn unknown_fields_are_counted_however_deep_they_are() {
    check_beat(r#""new":1,"newer":{"a":[{}]},"mains":true"#, "ok, 3 unknown");
    let deep = format!(r#""new":{}{}"#, "[".repeat(8_000), "]".repeat(8_000));
    check_beat(&deep, "ok, 1 unknown");
    let deep = format!(r#""temp_c":{}0{}"#, "{\"a\":".repeat(2_500), "}".repeat(2_500));
    check_beat(&deep, "ok; wrong-type: temp_c is an object; send a number without quotes");
}

#[test]
fn extra_takes_numbers_with_proper_names_up_to_its_bound() {
    check_beat(r#""extra":{"a.b_1":1,"A":1,"":2,"ok":"3","é":4,"t":true,"o":{},"n":null}"#, "ok, 6 unknown");
    check_beat(&format!(r#""extra":{{"{}":1,"{}":1}}"#, "a".repeat(48), "a".repeat(49)), "ok, 1 unknown");
    let many: Vec<String> = (0..40).map(|i| format!("\"x{i}\":{i}")).collect();
    check_beat(&format!(r#""extra":{{{},"x0":9}}"#, many.join(",")), "ok, 8 unknown");
}

#[test]
fn texts_cannot_break_a_list_or_a_mail() {
    let payload = br#"{"online":false,"reason":"line 1\r\nBcc: all\u0000\u0085"}"#;
    let decoded = open_door().decode(&topic("status"), payload).expect("good").message;
    let Body::Status(status) = decoded.body else { panic!("a status") };
    assert_eq!(status.reason.as_deref(), Some("line 1  Bcc: all  "));
    check(
        "reply",
        r#"{"ts":0,"boot":7,"seq":1,"id":"","ok":true}"#,
        "missing-field: id is missing; every reply message must carry it",
    );
}

// Signatures.

fn key() -> Key {
    Key::from_hex("000102030405060708090a0b0c0d0e0f").expect("16 bytes")
}

fn keys() -> Keys {
    Keys::from([(UnitId::parse("PSH-001").expect("valid"), key())])
}

#[test]
fn signatures_are_held_to_the_setting() {
    let json = br#"{"ts":0,"boot":7,"seq":1}"#;
    let (own, other) = (topic("heartbeat"), "buttonwatch/v1/PSH-002/heartbeat".to_owned());
    let good = key().signed(&own, json);
    let mut tampered = good.clone();
    tampered[6] = b'1';
    let replayed_elsewhere = key().signed(&topic("power"), json);
    let mut upper = good.to_ascii_uppercase();
    upper[..json.len()].copy_from_slice(json);
    let mut with_line_end = good.clone();
    with_line_end.extend_from_slice(b"\r\n");
    let short = &good[..good.len() - 1];

    const WRONG: &str = "bad-signature: the signature is wrong: the unit's key differs from the one in the key file, or it did \
                         not sign exactly topic, line feed and JSON";
    const NO_KEY: &str = "bad-signature: this unit has no key in the key file; add a line UNIT:KEY";
    const SHORT: &str = "bad-signature: the signature has 63 hex digits; it must have 64";
    const UNSIGNED: &str =
        "missing-signature: every message must be signed, and this one is not; sign with the unit's key";
    const UNSIGNED_NO_KEY: &str = "missing-signature: every message must be signed, and this one is not; sign, and add the \
                                   unit's key to the key file";
    // payload, topic; then what is said with signatures off, optional, required.
    let cases: [(&[u8], &str, [&str; 3]); 9] = [
        (json, &own, ["ok", "ok", UNSIGNED]),
        (json, &other, ["ok", "ok", UNSIGNED_NO_KEY]),
        (&good, &own, ["ok"; 3]),
        (&upper, &own, ["ok"; 3]),
        (&with_line_end, &own, ["ok"; 3]),
        (&tampered, &own, ["ok", WRONG, WRONG]),
        (&replayed_elsewhere, &own, ["ok", WRONG, WRONG]),
        (&good, &other, ["ok", "ok", NO_KEY]),
        (short, &own, [SHORT; 3]),
    ];
    for (payload, topic, expected) in cases {
        for (signing, expected) in
            [Signing::Off, Signing::Optional(keys()), Signing::Required(keys())].into_iter().zip(expected)
        {
            let shown = String::from_utf8_lossy(payload).into_owned();
            let door = Decoder::new(Decoder::DEFAULT_ROOT, signing);
            assert_eq!(said(&door, topic, payload), expected, "{topic} {shown} {door:?}");
        }
    }
}

// Whatever comes.

fn word() -> impl Strategy<Value = String> {
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
fn any_json() -> impl Strategy<Value = serde_json::Value> {
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

fn with_common(value: serde_json::Value) -> serde_json::Value {
    let mut fields = match value {
        serde_json::Value::Object(fields) => fields,
        other => [("extra".to_owned(), other)].into_iter().collect(),
    };
    for (name, value) in [("ts", 0.into()), ("boot", 1.into()), ("seq", 2.into())] {
        fields.insert(name.to_owned(), value);
    }
    fields.into()
}

fn boxed(pattern: &'static str) -> impl Strategy<Value = Box<str>> {
    pattern.prop_map(Into::into)
}

/// Figures as sensors give them: not every last bit of a float, as JSON readers differ there.
fn figure(metric: Metric) -> impl Strategy<Value = f64> {
    let facts = metric.facts();
    (facts.min..=facts.max).prop_map(move |v| ((v * 1000.0).round() / 1000.0).clamp(facts.min, facts.max))
}

fn maybe(metric: Metric) -> impl Strategy<Value = Option<f64>> {
    option::of(figure(metric))
}

fn any_body() -> impl Strategy<Value = Body> {
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
                fw,
                hw,
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

fn any_time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis)
}

fn any_message() -> impl Strategy<Value = Message> {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_topic_and_no_bytes_break_the_door(topic in any::<String>(), payload in vec(any::<u8>(), 0..300)) {
        let door = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Required(keys()));
        let _ = door.decode(&topic, &payload);
        let _ = door.decode(&format!("buttonwatch/v1/{topic}"), &payload);
        for kind in Kind::ALL {
            let _ = open_door().decode(&payload::topic(Decoder::DEFAULT_ROOT, "PSH-001", *kind), &payload);
        }
    }

    #[test]
    fn whatever_is_taken_is_written_and_read_again_the_same(value in any_json()) {
        for value in [value.clone(), with_common(value)] {
            for kind in Kind::ALL {
                let topic = payload::topic(Decoder::DEFAULT_ROOT, "PSH-001", *kind);
                let Ok(first) = open_door().decode(&topic, value.to_string().as_bytes()) else { continue };
                first.message.body.readings(|metric, value| {
                    let facts = metric.facts();
                    assert!((facts.min..=facts.max).contains(&value), "{metric} {value}");
                });
                let again = payload::encode(&first.message);
                let second = open_door().decode(&topic, &again).expect("what was taken once is taken again");
                prop_assert_eq!(second.message, first.message);
                prop_assert_eq!(second.unknown_fields, 0);
                prop_assert_eq!(second.dropped, vec![]);
            }
        }
    }

    #[test]
    fn a_message_survives_the_wire(message in any_message()) {
        let topic = payload::topic(Decoder::DEFAULT_ROOT, "PSH-001", message.body.kind());
        let json = payload::encode(&message);
        let decoded = open_door().decode(&topic, &json).expect("our own encoding is good");
        prop_assert_eq!(&decoded.message, &message);
        prop_assert_eq!(decoded.unknown_fields, 0);
        prop_assert_eq!(decoded.dropped, vec![]);
        let door = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Required(keys()));
        prop_assert_eq!(door.decode(&topic, &key().signed(&topic, &json)).expect("signed").message, message);
    }

    #[test]
    fn a_changed_byte_never_passes_a_required_signature(message in any_message(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let topic = payload::topic(Decoder::DEFAULT_ROOT, "PSH-001", message.body.kind());
        let mut signed = key().signed(&topic, &payload::encode(&message));
        let at = at.index(signed.len());
        // Hex digits may be written large or small.
        prop_assume!(!signed[at].eq_ignore_ascii_case(&to));
        signed[at] = to;
        let door = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Required(keys()));
        let kind = door.decode(&topic, &signed).expect_err("tampered").kind;
        prop_assert!(matches!(kind, RefusalKind::BadSignature | RefusalKind::MissingSignature), "{}", kind);
    }
}

#[test]
fn a_command_is_what_the_unit_reads() {
    let command = Command {
        id: "c-000017".to_owned(),
        act: Do::Selftest,
        components: vec![Component::Camera, Component::Microphone],
        expires: Timestamp::parse("2026-11-21T10:00:00Z").expect("a time"),
    };
    let bytes = payload::encode_command(&command);
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        r#"{"id":"c-000017","do":"selftest","components":["camera","microphone"],"expires":"2026-11-21T10:00:00.000Z"}"#
    );
    assert_eq!(payload::decode_command(&bytes), Ok(command));
    assert!(payload::decode_command(b"{\"do\":\"dance\"}").is_err());
}

// The document for firmware people.

fn protocol_md() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
    fs::read_to_string(path).expect("docs/protocol.md is in the repository").replace("\r\n", "\n")
}

#[test]
fn every_json_example_of_the_document_is_good() {
    let doc = protocol_md();
    let mut examples = 0;
    let mut seen = Vec::new();
    for (start, _) in doc.match_indices("```json\n") {
        let json = &doc[start + "```json\n".len()..];
        let json = &json[..json.find("```").expect("the block ends")];
        let before = &doc[..start];
        let topic = &before[before.rfind("`buttonwatch/v1/").expect("a topic stands before every example") + 1..];
        let topic = &topic[..topic.find('`').expect("the topic's code ends")];
        examples += 1;
        if topic.ends_with("/command") {
            payload::decode_command(json.as_bytes()).expect(json);
            continue;
        }
        assert_eq!(said(&open_door(), topic, json.as_bytes()), "ok", "{json}");
        seen.push(open_door().topic(topic).expect("good").1);
    }
    assert!(examples >= 9, "only {examples} examples were found");
    assert!(Kind::ALL.iter().all(|kind| seen.contains(kind)), "a kind has no example: {seen:?}");
}

#[test]
fn the_signing_example_of_the_document_is_right() {
    let doc = protocol_md();
    let section = &doc[doc.find("\n## Signed messages").expect("the section")..];
    let cell = |name: &str| {
        let row = section.lines().find(|l| l.starts_with(&format!("| {name} |"))).expect("a row of the example");
        row.split('`').nth(1).expect("code").to_owned()
    };
    let block = &section[section.find("```text\n").expect("the payload") + "```text\n".len()..];
    let signed = &block[..block.find("\n```").expect("the block ends")];
    let (json, _) = signed.split_once('\n').expect("two lines");
    let (topic, key) = (cell("topic"), Key::from_hex(&cell("key, hex")).expect("a key"));
    assert_eq!(String::from_utf8_lossy(&key.signed(&topic, json.as_bytes())), signed);
    let keys = Keys::from([(UnitId::parse("PSH-001").expect("valid"), key)]);
    assert_eq!(said(&Decoder::new(Decoder::DEFAULT_ROOT, Signing::Required(keys)), &topic, signed.as_bytes()), "ok");
}

#[test]
fn the_document_explains_every_refusal() {
    let doc = protocol_md();
    for kind in RefusalKind::ALL {
        assert!(doc.contains(&format!("\n| `{kind}` | ")), "docs/protocol.md does not explain {kind}");
    }
}

#[test]
fn the_tables_of_the_document_are_those_of_the_schemas() {
    let doc = protocol_md();
    for kind in Kind::ALL {
        let schema: serde_json::Value = serde_json::from_str(&payload::schema(*kind)).expect("JSON");
        let title = if *kind == Kind::Reply { "Commands and replies" } else { kind.as_str() };
        let section = &doc[doc.find(&format!("\n## {title}\n")).expect("a section per kind") + 4..];
        let section = &section[..section.find("\n## ").expect("another section follows")];
        let required = |schema: &serde_json::Value, field: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == field))
        };
        let mut rows = 0;
        let mut check_row = |start: String, facts: &serde_json::Value, must: bool| {
            let mut rest = match (facts["minimum"].as_f64(), facts["maximum"].as_f64()) {
                (Some(min), Some(max)) => {
                    format!("| {} | {min} to {max} |", facts["x-unit"].as_str().unwrap_or_default())
                        .replace("|  |", "| |")
                }
                _ => String::new(),
            };
            if let Some(max) = facts["maxLength"].as_u64() {
                rest = format!("| {max} characters |");
            }
            let must = if must { "| **yes** |" } else { "| no |" };
            let found = section.lines().any(|l| l.starts_with(&start) && l.contains(&rest) && l.ends_with(must));
            assert!(found, "docs/protocol.md, {kind}: no row {start} … {rest} … {must}");
            rows += 1;
        };
        for (field, facts) in schema["properties"].as_object().expect("fields") {
            if !["ts", "boot", "seq", "extra"].contains(&field.as_str()) {
                check_row(format!("| `{field}` |"), facts, required(&schema, field));
            }
        }
        if *kind == Kind::Selftest {
            for (component, entry) in schema["properties"]["results"]["properties"].as_object().expect("components") {
                for (field, facts) in entry["properties"].as_object().expect("fields") {
                    let start = match field.as_str() {
                        "result" | "code" => format!("| `{field}` |"),
                        _ => format!("| {component}: `{field}` |"),
                    };
                    check_row(start, facts, required(entry, field));
                }
            }
        }
        assert!(rows >= 2, "{kind}");
    }
}

// Recordings.

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn written(line: &Line) -> String {
    let mut out = Vec::new();
    write_line(line, &mut out);
    String::from_utf8(out).expect("a recording is UTF-8")
}

#[track_caller]
fn check_line(text: &str, what: What) {
    let line = Line { at: at("2026-11-21T09:00:00Z"), what };
    assert_eq!(written(&line), format!("{text}\n"));
    assert_eq!(parse_line(text), Ok(line));
}

fn publish(payload: &[u8]) -> What {
    What::Publish { topic: topic("heartbeat"), payload: Bytes::copy_from_slice(payload), retained: false }
}

#[test]
fn a_recording_has_one_line_for_each_thing_that_happens() {
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/heartbeat","payload":{ "ts":0,"boot":7,"seq":1}}"#,
        publish(br#"{ "ts":0,"boot":7,"seq":1}"#),
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/status","payload":{"online":false},"retained":true}"#,
        What::Publish { topic: topic("status"), payload: Bytes::from_static(b"{\"online\":false}"), retained: true },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/heartbeat","payload_b64":"//4="}"#,
        publish(b"\xff\xfe"),
    );
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","link":"down"}"#, What::Link(Hearing::Down));
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","link":"start"}"#, What::Link(Hearing::Start));
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","advance":true}"#, What::Advance);
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","do":{"order":"WO-000001","set":"en-route","by":"crew","note":"by bike"}}"#,
        What::Do {
            action: Action::SetOrder { order: OrderId::new(1), to: OrderMove::EnRoute, note: "by bike".to_owned() },
            by: "crew".to_owned(),
        },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","do":{"maintenance":{"site":"Jinnah \"Park\"","until":"2026-11-21T12:00:00.000Z"},"by":"ali"}}"#,
        What::Do {
            action: Action::Maintenance {
                scope: MaintenanceScope::Site(SiteId::parse("Jinnah \"Park\"").expect("a name")),
                until: at("2026-11-21T12:00:00Z"),
            },
            by: "ali".to_owned(),
        },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","delivery":{"message_id":"<wo-1@example.org>","delivered":false,"note":"550"}}"#,
        What::Delivery {
            message_id: MessageId::parse("<wo-1@example.org>").expect("an id"),
            delivered: false,
            note: "550".to_owned(),
        },
    );
}

#[test]
fn a_signed_or_oddly_written_payload_is_kept_to_the_byte() {
    let signed = key().signed(&topic("heartbeat"), br#"{"ts":0}"#);
    let odd: [&[u8]; 9] = [
        &signed,
        b"{\n}",
        b" {}",
        b"{} ",
        b"",
        b"null",
        b"\"\xd8\"",
        b"{\"a\":1e999}",
        br#"{"a":"\ud800","b":1,"b":2}"#,
    ];
    for payload in odd {
        let line = Line { at: Timestamp::default(), what: publish(payload) };
        assert_eq!(parse_line(written(&line).trim_end()), Ok(line));
    }
}

#[test]
fn recordings_made_by_hand_or_by_others_are_read() {
    let maintenance = |by: &str| What::Do {
        action: Action::Maintenance {
            scope: MaintenanceScope::Crew(CrewId::parse("north").expect("a name")),
            until: at("2026-11-21T12:00:00Z"),
        },
        by: by.to_owned(),
    };
    let cases = [
        (
            r#"{"at":"2026-11-21T14:00:00+05:00","do":{"maintenance":{"crew":"north","until":"2026-11-21T17:00:00+05:00"}}}"#,
            maintenance("operator"),
        ),
        (
            r#"{"do":{"maintenance":{"by":"ali","crew":"north","until":"2026-11-21T12:00:00Z"}},"at":1795251600000}"#,
            maintenance("ali"),
        ),
        (r#"{"at":"2026-11-21T09:00:00Z","link":"up","comment":"cable back","link_id":3}"#, What::Link(Hearing::Up)),
        (
            r#"{"at":"2026-11-21T09:00:00Z","qos":1,"payload":{},"topic":"buttonwatch\/v1\/PSH-001\/heartbeat","retained":false}"#,
            publish(b"{}"),
        ),
    ];
    for (text, what) in cases {
        assert_eq!(parse_line(text), Ok(Line { at: at("2026-11-21T09:00:00Z"), what }));
    }
}

#[test]
fn a_bad_line_says_what_is_wrong_and_what_to_write() {
    const WHAT: &str = "a line has one of: topic with payload or payload_b64, link, do, advance, delivery";
    let cases = [
        (r#"{"at":"#, "not a line of a recording: EOF while parsing a value at line 1 column 6".to_owned()),
        (r#"{"link":"up"}"#, r#"there is no "at"; start every line with {"at":"2026-11-21T09:00:00.000Z",…"#.to_owned()),
        (
            r#"{"at":"noon","link":"up"}"#,
            "at is the text \"noon\"; send RFC 3339 text like \"2026-11-21T09:00:00.000Z\", or whole milliseconds since 1970"
                .to_owned(),
        ),
        (r#"{"at":0}"#, format!("nothing happens in this line; {WHAT}")),
        (r#"{"at":0,"link":"up","advance":true}"#, format!("two things happen in this line; split it: {WHAT}")),
        (r#"{"at":0,"link":"left"}"#, "link \"left\" is not one of: down, up, start".to_owned()),
        (r#"{"at":0,"advance":false}"#, "advance is false; write \"advance\":true or leave the line out".to_owned()),
        (
            r#"{"at":0,"topic":"t"}"#,
            "there is a topic but no payload; add \"payload\":{…} or \"payload_b64\":\"…\"".to_owned(),
        ),
        (
            r#"{"at":0,"payload":{}}"#,
            "there is a payload but no topic; add \"topic\":\"buttonwatch/v1/UNIT/KIND\"".to_owned(),
        ),
        (
            r#"{"at":0,"topic":"t","payload":{},"payload_b64":""}"#,
            "there are payload and payload_b64; keep one of the two".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"closed","by":"crew"}}"#,
            "do: set \"closed\" is not one of: acknowledged, en-route, repaired, cancelled".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"repaired"}}"#,
            "do: there is no \"by\": say who; write \"do\":{\"order\":\"WO-000001\",\"set\":\"acknowledged\",\"by\":\"crew\"} \
             or \"do\":{\"maintenance\":{\"site\":\"…\",\"until\":\"…\"}}"
                .to_owned(),
        ),
        (
            r#"{"at":0,"do":{"maintenance":{"site":"a","unit":"b","until":"2026-11-21T09:00:00Z"}}}"#,
            "do: maintenance is of one unit, one site or one crew; name exactly one".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"repaired","by":"crew","notte":"x"}}"#,
            "not a line of a recording: unknown field `notte`, expected one of `order`, `set`, `by`, `note`, `maintenance` at \
             line 1 column 62"
                .to_owned(),
        ),
    ];
    for (text, why) in cases {
        assert_eq!(parse_line(text), Err(why), "{text}");
    }
}

#[test]
fn a_reader_goes_on_after_a_bad_line_and_knows_where_it_was() {
    let text = "\u{feff}{\"at\":5000,\"link\":\"down\"}\r\n\r\n  \nnonsense\n{\"at\":4000,\"link\":\"up\"}\n{\"at\":6000,\"advance\":true}";
    let mut reader = Reader::new(text.as_bytes());
    let read: Vec<String> = reader
        .by_ref()
        .map(|line| match line {
            Ok(line) => format!("{} {:?}", line.at.as_millis(), line.what),
            Err(e) => e.to_string(),
        })
        .collect();
    assert_eq!(
        read,
        [
            "5000 Link(Down)",
            "line 4: not a line of a recording: expected ident at line 1 column 2",
            "4000 Link(Up)",
            "6000 Advance"
        ]
    );
    assert_eq!(reader.went_back(), Some(5));
}

#[test]
fn a_reader_is_not_filled_by_a_file_that_is_no_recording() {
    type Text = Reader<&'static [u8]>;
    let mut bytes = vec![b'x'; 3 * Text::MAX_LINE_BYTES];
    bytes.extend_from_slice(b"\n\xff\n{\"at\":1,\"advance\":true}\n");
    let read: Vec<_> = Reader::new(bytes.as_slice()).map(|line| line.map_err(|e| e.to_string())).collect();
    assert_eq!(
        read,
        [
            Err("line 1: longer than 1048576 bytes; is this a recording?".to_owned()),
            Err("line 2: not UTF-8; save the recording as UTF-8".to_owned()),
            Ok(Line { at: Timestamp::from_millis(1), what: What::Advance }),
        ]
    );
}

fn any_what() -> impl Strategy<Value = What> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..200),
        any_json().prop_map(|v| v.to_string().into_bytes()),
        any_json().prop_map(|v| serde_json::to_vec_pretty(&v).expect("JSON")),
        any_message().prop_map(|m| payload::encode(&m)),
    ];
    let name = "[^\\pC\\pZ]{1,40}";
    let scope = prop_oneof![
        "[A-Za-z0-9][A-Za-z0-9_-]{0,47}".prop_map(|s| MaintenanceScope::Unit(UnitId::parse(&s).expect("valid"))),
        name.prop_map(|s| MaintenanceScope::Site(SiteId::parse(&s).expect("valid"))),
        name.prop_map(|s| MaintenanceScope::Crew(CrewId::parse(&s).expect("valid"))),
    ];
    let action = prop_oneof![
        (any::<u32>(), proptest::sample::select(OrderMove::ALL), any::<String>())
            .prop_map(|(n, to, note)| Action::SetOrder { order: OrderId::new(n), to, note }),
        (scope, any_time()).prop_map(|(scope, until)| Action::Maintenance { scope, until }),
    ];
    prop_oneof![
        (any::<String>(), payload, any::<bool>()).prop_map(|(topic, payload, retained)| What::Publish {
            topic,
            payload: payload.into(),
            retained
        }),
        proptest::sample::select(Hearing::ALL).prop_map(What::Link),
        (action, any::<String>()).prop_map(|(action, by)| What::Do { action, by }),
        Just(What::Advance),
        ("<[!-;=?-~]{1,9}@[a-z.]{1,9}>", any::<bool>(), any::<String>()).prop_map(|(id, delivered, note)| {
            What::Delivery { message_id: MessageId::parse(&id).expect("valid"), delivered, note }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_recorded_is_read_back_the_same(lines in vec((any_time(), any_what()), 0..8)) {
        let lines: Vec<Line> = lines.into_iter().map(|(at, what)| Line { at, what }).collect();
        let (mut writer, mut out) = (Writer::default(), Vec::new());
        for line in &lines {
            writer.line(line, &mut out);
        }
        prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), lines.len());
        let read: Result<Vec<Line>, String> = Reader::new(out.as_slice()).map(|l| l.map_err(|e| e.to_string())).collect();
        prop_assert_eq!(read, Ok(lines));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in vec(any::<u8>(), 0..400), value in any_json()) {
        let _ = Reader::new(bytes.as_slice()).count();
        let _ = parse_line(&value.to_string());
    }
}
