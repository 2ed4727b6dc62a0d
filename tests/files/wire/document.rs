//! `docs/protocol.md` is true.

use std::fs;

use buttonwatch::domain::{Kind, UnitId};
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::payload;
use buttonwatch::wire::refusal::RefusalKind;
use buttonwatch::wire::signature::{Key, Keys, Signing};

use super::*;

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
