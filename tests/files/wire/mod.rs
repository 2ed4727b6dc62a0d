//! The wire, from the outside: what the door takes and refuses, and in which words; that nothing breaks it; that recordings
//! come back as they were; that the document for firmware people is true.

mod any;
mod document;
mod door;
mod recordings;

use buttonwatch::domain::UnitId;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::{Key, Keys, Signing};

pub fn open_door() -> Decoder {
    Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off)
}

pub fn topic(kind: &str) -> String {
    format!("buttonwatch/v1/PSH-001/{kind}")
}

/// What the door says: `ok`, what was dropped, what is unknown; or the refusal.
pub fn said(door: &Decoder, topic: &str, payload: &[u8]) -> String {
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

pub fn key() -> Key {
    Key::from_hex("000102030405060708090a0b0c0d0e0f").expect("16 bytes")
}

pub fn keys() -> Keys {
    Keys::from([(UnitId::parse("PSH-001").expect("valid"), key())])
}
