//! A simulated world as a recording: the JSON lines of DESIGN §4 that `replay` reads. Never judges.

use std::io::{self, Write};

use crate::domain::Timestamp;
use crate::domain::message::Kind;

use super::payload::topic;
use super::world::{What, World};

/// Writes what the broker would hear up to `until`, last wills included. Gives the number of lines.
pub fn write_recording(world: &mut World, root: &str, until: Timestamp, out: &mut impl Write) -> io::Result<u64> {
    let mut lines = 0;
    while let Some(event) = world.next_until(until) {
        let unit = &world.fleet().unit(event.unit).unit;
        let (topic, payload) = match &event.what {
            What::Say { kind, payload, .. } => (topic(root, unit, *kind), payload),
            What::Will { payload } => (topic(root, unit, Kind::Status), payload),
            What::Connect | What::Disconnect(_) | What::FaultBegan(_) | What::FaultEnded(_) => continue,
        };
        let topic = serde_json::Value::String(topic);
        write!(out, r#"{{"at":"{}","topic":{topic},"payload":"#, event.at)?;
        out.write_all(payload)?;
        out.write_all(b"}\n")?;
        lines += 1;
    }
    Ok(lines)
}
