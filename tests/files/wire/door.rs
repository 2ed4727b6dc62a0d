//! What the door takes, what it refuses and in which words.

use buttonwatch::domain::component::Component;
use buttonwatch::domain::message::{Body, Command, Do, Heartbeat, Message, Outcome, Selftest, TestResult};
use buttonwatch::domain::{Kind, Metric, Timestamp};
use buttonwatch::wire::decode::{Decoder, MAX_JSON_BYTES};
use buttonwatch::wire::payload;
use buttonwatch::wire::refusal::RefusalKind;
use buttonwatch::wire::signature::Signing;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{any::*, *};

#[track_caller]
fn check(kind: &str, payload: &str, expected: &str) {
    assert_eq!(said(&open_door(), &topic(kind), payload.as_bytes()), expected, "{payload}");
}

/// A heartbeat with one more field.
#[track_caller]
fn check_beat(field: &str, expected: &str) {
    check("heartbeat", &format!(r#"{{"ts":0,"boot":7,"seq":1,{field}}}"#), expected);
}

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
