//! The published schemas are those of the types, and the door holds to what they promise.
//! `UPDATE_SCHEMAS=1 cargo test --test files schemas` writes them anew.

use std::fs;
use std::path::PathBuf;

use buttonwatch::domain::{Kind, Metric};
use buttonwatch::wire::decode::{Decoded, Decoder};
use buttonwatch::wire::payload;
use buttonwatch::wire::refusal::{Refusal, RefusalKind};
use buttonwatch::wire::signature::Signing;
use serde_json::{Value, json};

fn all() -> Vec<(&'static str, String)> {
    let mut all: Vec<_> = Kind::ALL.iter().map(|k| (k.as_str(), payload::schema(*k))).collect();
    all.push(("command", payload::command_schema()));
    all
}

fn schema(kind: Kind) -> Value {
    serde_json::from_str(&payload::schema(kind)).expect("a schema is JSON")
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    for (name, text) in all() {
        let path = folder.join(format!("{name}.json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(&folder).expect("docs can be written");
            fs::write(&path, &text).expect("docs can be written");
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published, text,
            "docs/schemas/{name}.json is old: run UPDATE_SCHEMAS=1 cargo test --test files schemas"
        );
    }
}

/// The least that a message of this kind must hold.
fn least(kind: Kind) -> Value {
    let mut message = json!({ "ts": 1_795_251_600_000_i64, "boot": 7, "seq": 1 });
    let own = match kind {
        Kind::Heartbeat | Kind::Power => json!({}),
        Kind::Selftest => json!({ "results": {} }),
        Kind::Press => json!({ "kind": "test" }),
        Kind::Status => json!({ "online": true }),
        Kind::Reply => json!({ "id": "c-1", "ok": true }),
    };
    let fields = message.as_object_mut().expect("an object");
    fields.extend(own.as_object().expect("an object").clone());
    message
}

type Figures = Vec<(Metric, f64)>;
type Dropped = Vec<Refusal>;

/// What the message reads as, and what of it was left out.
fn decode(kind: Kind, message: &Value) -> Result<(Figures, Dropped), Refusal> {
    let decoder = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off);
    let topic = payload::topic(decoder.root(), "PSH-001", kind);
    let Decoded { message, dropped, unknown_fields, .. } = decoder.decode(&topic, message.to_string().as_bytes())?;
    assert_eq!(unknown_fields, 0, "the schema knows a field that the decoder does not");
    let mut readings = Vec::new();
    message.body.readings(|metric, value| readings.push((metric, value)));
    Ok((readings, dropped))
}

#[test]
fn every_field_that_the_schema_requires_is_required() {
    for kind in Kind::ALL {
        assert!(decode(*kind, &least(*kind)).is_ok_and(|(_, dropped)| dropped.is_empty()), "{kind}");
        let schema = schema(*kind);
        let required: Vec<&str> = schema["required"]
            .as_array()
            .expect("every kind requires something")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for field in schema["properties"].as_object().expect("every kind has fields").keys() {
            for absent in [None, Some(Value::Null)] {
                let mut message = least(*kind);
                let fields = message.as_object_mut().expect("an object");
                fields.remove(field);
                fields.extend(absent.map(|null| (field.clone(), null)));
                match decode(*kind, &message) {
                    Ok(_) => assert!(!required.contains(&field.as_str()), "{kind} without {field} was taken"),
                    Err(refusal) => {
                        assert!(required.contains(&field.as_str()), "{kind} without {field}: {}", refusal.why);
                        assert_eq!(refusal.kind, RefusalKind::MissingField);
                        assert!(refusal.why.starts_with(field), "{}", refusal.why);
                    }
                }
            }
        }
    }
}

/// Puts each field's ends, and what lies beyond them, through the decoder.
fn check_ranges(kind: Kind, properties: &Value, place: impl Fn(&str, Value) -> Value) -> usize {
    let mut checked = 0;
    for (field, facts) in properties.as_object().expect("an object") {
        let metric =
            facts.get("x-metric").and_then(Value::as_str).map(|m| m.parse::<Metric>().expect("in the catalogue"));
        let ends = (facts.get("minimum").and_then(Value::as_f64), facts.get("maximum").and_then(Value::as_f64));
        let (good, bad) = match ends {
            (Some(min), Some(max)) => {
                (vec![json!(min), json!(max)], vec![json!(min - 1.0), json!(max + 1.0), json!("1"), json!([])])
            }
            _ if metric.is_some() => (vec![json!(true), json!(false)], vec![json!(1), json!("true")]),
            _ => continue,
        };
        checked += 1;
        for value in good {
            let (readings, dropped) = decode(kind, &place(field, value.clone())).expect("the message is good");
            assert_eq!(dropped, [], "{kind}.{field} = {value}");
            if let Some(metric) = metric {
                let number = value.as_bool().map(f64::from).or(value.as_f64()).expect("a number or a yes");
                assert!(readings.contains(&(metric, number)), "{kind}.{field} is not read as {metric}: {readings:?}");
            }
        }
        for value in bad {
            let dropped = match decode(kind, &place(field, value.clone())) {
                Ok((readings, dropped)) => {
                    assert!(metric.is_none_or(|m| readings.iter().all(|(r, _)| *r != m)));
                    dropped
                }
                Err(refusal) => vec![refusal],
            };
            assert_eq!(dropped.len(), 1, "{kind}.{field} = {value}: {dropped:?}");
            let expected =
                if value.is_number() && ends.0.is_some() { RefusalKind::OutOfRange } else { RefusalKind::WrongType };
            assert_eq!(dropped[0].kind, expected, "{kind}.{field} = {value}: {}", dropped[0].why);
            assert!(dropped[0].why.contains(field.as_str()), "{}", dropped[0].why);
        }
    }
    checked
}

#[test]
fn every_range_of_the_schema_is_the_range_of_the_door() {
    for (kind, at_least) in [(Kind::Heartbeat, 7), (Kind::Power, 7), (Kind::Press, 2), (Kind::Status, 0)] {
        let mut properties = schema(kind)["properties"].clone();
        // The common three have types of their own; other tests have them.
        for common in ["ts", "boot", "seq"] {
            properties.as_object_mut().expect("an object").remove(common);
        }
        let checked = check_ranges(kind, &properties, |field, value| {
            let mut message = least(kind);
            message[field] = value;
            message
        });
        assert!(checked >= at_least, "{kind}: only {checked} ranges were found in the schema");
    }
    let schema = schema(Kind::Selftest);
    let components = schema["properties"]["results"]["properties"].as_object().expect("one entry per component");
    assert_eq!(components.len(), 13);
    let mut checked = 0;
    for (component, entry) in components {
        checked += check_ranges(Kind::Selftest, &entry["properties"], |field, value| {
            let mut message = least(Kind::Selftest);
            message["results"][component] = json!({ "result": "pass", field: value });
            message
        });
    }
    assert_eq!(checked, 15, "DESIGN §4 gives the self-test 15 figures");
}

#[test]
fn every_text_may_be_as_long_as_the_schema_says_and_no_longer() {
    for kind in Kind::ALL {
        for (field, facts) in schema(*kind)["properties"].as_object().expect("an object") {
            let Some(max) = facts.get("maxLength").and_then(Value::as_u64) else { continue };
            for (length, fits) in [(max, true), (max + 1, false)] {
                let mut message = least(*kind);
                message[field] = "ب".repeat(length as usize).into();
                let taken = decode(*kind, &message).is_ok_and(|(_, dropped)| dropped.is_empty());
                assert_eq!(taken, fits, "{kind}.{field} of {length} characters");
            }
        }
    }
}
