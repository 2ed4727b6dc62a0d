//! The usual way against the general way: the same answer to the same bytes, to the word.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::wire::decode::Decoder;
use crate::wire::signature::Signing;

fn topic(kind: Kind) -> String {
    format!("{}/PSH-001/{kind}", Decoder::DEFAULT_ROOT)
}

/// Whether the usual way took it.
fn check(kind: Kind, payload: &[u8]) -> Result<bool, TestCaseError> {
    let decoder = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off);
    let topic = topic(kind);
    let general = decoder.decode_by(|_, _| None, &topic, payload);
    let answer = decoder.decode(&topic, payload);
    let shown = String::from_utf8_lossy(payload);
    prop_assert_eq!(&answer, &general, "{}", shown);
    // Equal floats can differ: minus zero.
    prop_assert_eq!(format!("{answer:?}"), format!("{general:?}"), "{}", shown);
    Ok(read(kind, payload).is_some())
}

#[track_caller]
fn check_all(taken: bool, kind: Kind, payloads: &[&str]) {
    for payload in payloads {
        assert_eq!(check(kind, payload.as_bytes()).map_err(|e| e.to_string()), Ok(taken), "{payload}");
    }
}

#[test]
fn the_ways_in_which_firmware_writes_a_message_are_taken() {
    check_all(
        true,
        Kind::Heartbeat,
        &[
            r#"{"ts":"2026-11-21T09:00:00.000Z","boot":7,"seq":14512,"uptime_s":86412,"interval_s":30,"fw":"2.4.1","hw":"B3","rssi_dbm":-71,"temp_c":34.5,"disk_free_pct":61.2,"mem_free_pct":44,"tamper":false}"#,
            r#"{"ts":1795251600000,"boot":0,"seq":0}"#,
            r#"{"tamper":true,"seq":1,"temp_c":-0.5,"hw":"B3","fw":"2.4.1-rc1+8f0c22d9-long-enough-to-be-boxed","boot":7,"ts":0}"#,
            r#"{"ts": 0, "boot": 7, "seq": 1, "temp_c": 34.599999999999994, "rssi_dbm": null}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"fan_rpm":1180, "x.y":-0.5},"tamper":false}"#,
            r#"{"ts":0,"boot":7,"seq":1,"new":1,"newer":"a","newest":null,"mains":true,"new":-0.5,"":0}"#,
            " {\r\n\t\"ts\": 0,\n\"boot\": 7,\n\"seq\": 999999999999999999\n}\n",
            r#"{"ts":"2026-02-29T09:00:00+05:00","boot":7,"seq":1}"#.replace("2026-02-29", "2028-02-29").as_str(),
        ],
    );
    check_all(
        true,
        Kind::Power,
        &[
            r#"{"ts":1795251600000,"boot":7,"seq":14513,"mains":true,"mains_v":228.4,"battery_v":13.78,"battery_pct":99,"battery_temp_c":31.5,"charge_a":-0.12,"load_w":7.4}"#,
            r#"{"ts":1795251600000,"boot":7,"seq":14513}"#,
        ],
    );
}

#[test]
fn what_is_unusual_is_left_to_the_general_way() {
    check_all(
        false,
        Kind::Heartbeat,
        &[
            "",
            "{}",
            "[]",
            r#"{"ts":0,"boot":7}"#,
            r#"{"ts":null,"boot":7,"seq":1}"#,
            r#"{"ts":0,"boot":7,"seq":1,}"#,
            r#"{"ts":0,"boot":7,"seq":1"#,
            r#"{"ts":0,"boot":7,"seq":1}}"#,
            r#"{"ts":0,"boot":7,"seq":1} {}"#,
            r#"{"ts":0,"boot":7,"boot":8,"seq":1}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":null,"temp_c":1}"#,
            r#"{"ts":0,"boot":7,"seq":1,"new":[1]}"#,
            r#"{"ts":0,"boot":7,"seq":1,"new":{"x":1}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"new":1e3}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":null}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":null}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":true}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"X":1}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":1,"x":2}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":1},"extra":{"y":1}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":1,}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"extra":{"x":1"#,
            r#"{"ts":0,"boot":7,"seq":1,"fw":"\u0032"}"#,
            r#"{"ts":0,"boot":7,"seq":1,"fw":"صدر"}"#,
            r#"{"ts":0,"boot":7,"seq":1,"fw":""}"#,
            r#"{"ts":0,"boot":7,"seq":1,"fw":2}"#,
            r#"{"ts":0,"boot":7,"seq":1,"fw":"2"#,
            "{\"ts\":0,\"boot\":7,\"seq\":1,\"fw\":\"2\n\"}",
            "{\"ts\":0,\"boot\":7,\"seq\":1,\"fw\":\"2\u{7f}\"}",
            r#"{"ts":0,"boot":7,"seq":1,"f\u0077":"2"}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":4000}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":"34"}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":3e1}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":3.5e1}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":-0}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":034}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":34.}"#,
            r#"{"ts":0,"boot":7,"seq":1,"temp_c":{"value":34}}"#,
            r#"{"ts":0,"boot":7,"seq":1,"tamper":0}"#,
            r#"{"ts":0,"boot":7,"seq":1,"tamper":falsee}"#,
            r#"{"ts":0,"boot":7,"seq":1,"tamper":nullnull}"#,
            r#"{"ts":0,"boot":7.0,"seq":1}"#,
            r#"{"ts":0,"boot":4294967296,"seq":1}"#,
            r#"{"ts":0,"boot":7,"seq":-1}"#,
            r#"{"ts":0,"boot":7,"seq":18446744073709551615}"#,
            r#"{"ts":-1,"boot":7,"seq":1}"#,
            r#"{"ts":253402300800000,"boot":7,"seq":1}"#,
            r#"{"ts":"soon","boot":7,"seq":1}"#,
        ],
    );
    for kind in [Kind::Selftest, Kind::Press, Kind::Status, Kind::Reply] {
        check_all(false, kind, &[r#"{"ts":0,"boot":7,"seq":1,"online":true,"kind":"test","id":"1","ok":true}"#]);
    }
}

const KEYS: &[&str] = &[
    "ts",
    "boot",
    "seq",
    "uptime_s",
    "interval_s",
    "fw",
    "hw",
    "rssi_dbm",
    "temp_c",
    "disk_free_pct",
    "mem_free_pct",
    "tamper",
    "mains",
    "mains_v",
    "battery_v",
    "battery_pct",
    "battery_temp_c",
    "charge_a",
    "load_w",
    "extra",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?[0-9]{1,3}(\\.[0-9]{1,3})?",
        1 => "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        1 => any::<f64>().prop_map(|v| v.to_string()),
        1 => (0.0..100.0f64).prop_map(|v| v.to_string()),
        1 => "\"[ -~]{0,30}\"",
        1 => "\"\\PC{0,9}\"",
        1 => "\"202[0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+05:00)\"",
        1 => "\\{(\"[a-z.X]{0,2}\": ?-?[0-9]{1,3}(\\.[0-9])?,?){0,3}\\}",
        3 => select(vec!["true", "false", "null", "[]", "{}", "{\"x\":1}", "0", "-0", "-0.0", "\"2.4.1\""])
            .prop_map(str::to_owned),
    ]
}

/// A message whose fields come in any order, most of them good.
fn message(own: &'static [&'static str]) -> impl Strategy<Value = String> {
    let good = move |key: &'static str| match key {
        "tamper" | "mains" => any::<bool>().prop_map(|b| b.to_string()).boxed(),
        "fw" | "hw" => "\"[ !#-\\[\\]-~]{1,70}\"".boxed(),
        "uptime_s" | "interval_s" => "[1-9][0-9]{0,5}".boxed(),
        "rssi_dbm" => "-[0-9]{1,2}".boxed(),
        _ => "-?[1-9]?[0-9](\\.[0-9]{1,17})?".boxed(),
    };
    let field = select(own).prop_flat_map(move |key| {
        (Just(key), prop_oneof![12 => good(key), 1 => value(), 1 => Just("null".to_owned())])
    });
    (vec(field, 0..8), "[ \n\t]{0,1}", 0..8usize, any::<u32>(), any::<u64>()).prop_map(
        |(fields, space, cut, boot, seq)| {
            let mut fields: Vec<String> =
                fields.iter().map(|(k, v)| format!("{space}\"{k}\":{space}{v}{space}")).collect();
            for (i, common) in
                [format!("\"seq\":{seq}"), format!("\"boot\":{boot}"), "\"ts\":0".to_owned()].into_iter().enumerate()
            {
                fields.insert((cut * i) % (fields.len() + 1), common);
            }
            format!("{{{}}}", fields.join(","))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn both_ways_agree_on_a_heartbeat_in_any_order(payload in message(&KEYS[3..12])) {
        check(Kind::Heartbeat, payload.as_bytes())?;
    }

    #[test]
    fn both_ways_agree_on_a_power_message_in_any_order(payload in message(&KEYS[12..19])) {
        check(Kind::Power, payload.as_bytes())?;
    }

    #[test]
    fn both_ways_agree_on_any_object_of_known_and_unknown_fields(
        fields in vec((prop_oneof![9 => select(KEYS).prop_map(str::to_owned), 1 => "[a-z_]{0,4}"], value()), 0..9)
    ) {
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        let payload = format!("{{{}}}", fields.join(","));
        for kind in Kind::ALL {
            check(*kind, payload.as_bytes())?;
        }
    }

    #[test]
    fn both_ways_agree_on_a_message_with_bytes_changed_lost_or_added(
        payload in message(&KEYS[3..12]),
        changes in vec((any::<Index>(), 0..3u8, prop_oneof![select(&b"{}\",:.-0123eEtfn\\ \n\xff"[..]), any::<u8>()]), 1..4),
    ) {
        let mut payload = payload.into_bytes();
        for (at, change, byte) in changes {
            if payload.is_empty() {
                break;
            }
            let at = at.index(payload.len());
            match change {
                0 => payload[at] = byte,
                1 => payload.insert(at, byte),
                _ => drop(payload.remove(at)),
            }
        }
        check(Kind::Heartbeat, &payload)?;
    }
}
