//! The payloads as they stand on the wire: what a unit writes (the simulator is one), what we write to it, and the JSON
//! Schemas of all of them, generated from these types into `docs/schemas/`. Never reads what a unit sent: `decode` does.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use serde_json::json;

use crate::domain::component::Component;
use crate::domain::message::{self, Body, CameraMode, Do, Kind, Message, Outcome, PressKind, TestResult, Trigger};
use crate::domain::{Metric, Timestamp, Version};

use super::decode::{CODE_CHARS, ID_CHARS, INTERVAL, SENTENCE_CHARS, VERSION_CHARS};
use super::fields::{MAX_EXTRA, MAX_EXTRA_NAME, figures};

/// `{root}/{unit}/{kind}`: what a unit publishes on.
pub fn topic(root: &str, unit: &str, kind: Kind) -> String {
    format!("{root}/{unit}/{kind}")
}

/// `{root}/{unit}/command`: what a unit subscribes to.
pub fn command_topic(root: &str, unit: &str) -> String {
    format!("{root}/{unit}/command")
}

/// A unit's message as JSON, unsigned. [`super::signature::Key::signed`] adds the signature.
pub fn encode(message: &Message) -> Vec<u8> {
    let Message { ts, boot, seq, body, extra } = message;
    let extra = Some(Extra(extra)).filter(|_| !extra.is_empty());
    let common = Common { ts: *ts, boot: *boot, seq: *seq, extra };
    match body {
        Body::Heartbeat(b) => bytes(&Heartbeat {
            common,
            uptime_s: b.uptime_s.map(Number),
            interval_s: b.interval_s.map(Number),
            fw: b.fw.as_ref().map(Version::as_str),
            hw: b.hw.as_ref().map(Version::as_str),
            rssi_dbm: b.rssi_dbm.map(Number),
            temp_c: b.temp_c.map(Number),
            disk_free_pct: b.disk_free_pct.map(Number),
            mem_free_pct: b.mem_free_pct.map(Number),
            tamper: b.tamper,
        }),
        Body::Power(b) => bytes(&Power {
            common,
            mains: b.mains,
            mains_v: b.mains_v.map(Number),
            battery_v: b.battery_v.map(Number),
            battery_pct: b.battery_pct.map(Number),
            battery_temp_c: b.battery_temp_c.map(Number),
            charge_a: b.charge_a.map(Number),
            load_w: b.load_w.map(Number),
        }),
        Body::Selftest(b) => {
            bytes(&Selftest { common, id: b.id.as_deref(), trigger: b.trigger, results: Results(&b.results) })
        }
        Body::Press(b) => bytes(&Press {
            common,
            kind: b.kind,
            held_ms: b.held_ms.map(Number),
            ack: b.ack,
            ack_ms: b.ack_ms.map(Number),
        }),
        Body::Status(b) => bytes(&Status {
            common: OptionalCommon { ts: *ts, boot: *boot, seq: *seq, extra },
            online: b.online,
            reason: b.reason.as_deref(),
        }),
        Body::Reply(b) => bytes(&Reply { common, id: &b.id, ok: b.ok, error: b.error.as_deref() }),
    }
}

/// To the unit, on [`command_topic`].
pub fn encode_command(command: &message::Command) -> Vec<u8> {
    bytes(command)
}

/// What a unit does with a command's payload. Err: what was wrong with it.
pub fn decode_command(payload: &[u8]) -> Result<message::Command, String> {
    serde_json::from_slice(payload).map_err(|e| e.to_string())
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types have text keys and no failing parts")
}

/// The JSON Schema of one kind, as `docs/schemas/{kind}.json` holds it.
pub fn schema(kind: Kind) -> String {
    match kind {
        Kind::Heartbeat => schema_of::<Heartbeat>(kind.as_str()),
        Kind::Power => schema_of::<Power>(kind.as_str()),
        Kind::Selftest => schema_of::<Selftest>(kind.as_str()),
        Kind::Press => schema_of::<Press>(kind.as_str()),
        Kind::Status => schema_of::<Status>(kind.as_str()),
        Kind::Reply => schema_of::<Reply>(kind.as_str()),
    }
}

/// The same for what we send.
pub fn command_schema() -> String {
    schema_of::<Command>("command")
}

/// The fields of every kind.
#[derive(Debug, Serialize, JsonSchema)]
struct Common<'a> {
    /// The unit's own clock: RFC 3339 text, or whole milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TimeShape")]
    ts: Option<Timestamp>,
    /// Grows by one each time the unit starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, range(max = u32::MAX))]
    boot: Option<u32>,
    /// Grows by one with each message of any kind; starts anew with each boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    seq: Option<u64>,
    /// The vendor's own figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Extra<'a>>,
}

/// A last will cannot know them.
#[derive(Debug, Serialize, JsonSchema)]
struct OptionalCommon<'a> {
    /// The unit's own clock: RFC 3339 text, or whole milliseconds since 1970. Not in a last will.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeShape>")]
    ts: Option<Timestamp>,
    /// Grows by one each time the unit starts. Not in a last will.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = u32::MAX))]
    boot: Option<u32>,
    /// Grows by one with each message of any kind; starts anew with each boot. Not in a last will.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The vendor's own figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Extra<'a>>,
}

/// "I am alive": every 30 s, or every `interval_s`.
#[derive(Debug, Serialize, JsonSchema)]
struct Heartbeat<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "controller.uptime"))]
    uptime_s: Option<Number>,
    /// Time between two heartbeats, if it is not the one in the fleet file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = INTERVAL.min, "maximum" = INTERVAL.max, "x-unit" = INTERVAL.unit))]
    interval_s: Option<Number>,
    /// Version of the firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = VERSION_CHARS))]
    fw: Option<&'a str>,
    /// Version of the hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = VERSION_CHARS))]
    hw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "link.rssi"))]
    rssi_dbm: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "enclosure.temperature"))]
    temp_c: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "controller.disk_free"))]
    disk_free_pct: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "controller.memory_free"))]
    mem_free_pct: Option<Number>,
    /// True while the box is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "enclosure.tamper"))]
    tamper: Option<bool>,
}

/// Mains and battery: every few minutes, and at once when mains come or go.
#[derive(Debug, Serialize, JsonSchema)]
struct Power<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    /// True while there is mains.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "mains.present"))]
    mains: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "mains.voltage"))]
    mains_v: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "battery.voltage"))]
    battery_v: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "battery.charge"))]
    battery_pct: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "battery.temperature"))]
    battery_temp_c: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "battery.current"))]
    charge_a: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "power.load"))]
    load_w: Option<Number>,
}

/// What the unit found when it tested its own parts.
#[derive(Debug, Serialize, JsonSchema)]
struct Selftest<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    /// The `id` of the command that asked for the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = ID_CHARS))]
    id: Option<&'a str>,
    /// Why the test ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TriggerShape>")]
    trigger: Option<Trigger>,
    /// One entry per component that was tested.
    results: Results<'a>,
}

/// Someone pressed the button.
#[derive(Debug, Serialize, JsonSchema)]
struct Press<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    /// A call for help, or a drill.
    #[schemars(with = "PressKindShape")]
    kind: PressKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "press.held_ms"))]
    held_ms: Option<Number>,
    /// Did the control room answer?
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-metric" = "press.ack_ms"))]
    ack_ms: Option<Number>,
}

/// Online or not: sent retained after each connect, and given to the broker as the last will.
#[derive(Debug, Serialize, JsonSchema)]
struct Status<'a> {
    #[serde(flatten)]
    common: OptionalCommon<'a>,
    online: bool,
    /// In words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = SENTENCE_CHARS))]
    reason: Option<&'a str>,
}

/// The answer to a command.
#[derive(Debug, Serialize, JsonSchema)]
struct Reply<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    /// The command's `id`.
    #[schemars(length(min = 1, max = ID_CHARS))]
    id: &'a str,
    /// Was it carried out?
    ok: bool,
    /// If not: why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = SENTENCE_CHARS))]
    error: Option<&'a str>,
}

/// What Buttonwatch asks of a unit.
// For the schema only: `domain::message::Command` is written as it stands, and the domain knows no schemas.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Command {
    /// Send it back in the reply, and in the self-test that it asks for.
    id: String,
    #[schemars(rename = "do", with = "DoShape")]
    act: Do,
    /// What to test. Not there, or empty: everything.
    #[schemars(default, with = "Vec<ComponentShape>")]
    components: Vec<Component>,
    /// Later than this, do nothing.
    #[schemars(with = "OurTimeShape")]
    expires: Timestamp,
}

/// Whole numbers without `.0`, as most firmware writes them.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        /// Up to here a float holds every whole number exactly.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT {
            s.serialize_i64(self.0 as i64)
        } else {
            s.serialize_f64(self.0)
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Extra<'a>(&'a [(Box<str>, f64)]);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, value)| (name, Number(*value))))
    }
}

#[derive(Debug)]
struct Results<'a>(&'a [TestResult]);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|r| (r.component, OneResult(r))))
    }
}

struct OneResult<'a>(&'a TestResult);

impl Serialize for OneResult<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let TestResult { component, result, code, mode, figures: given } = self.0;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("result", result)?;
        if let Some(code) = code {
            map.serialize_entry("code", code)?;
        }
        if let Some(mode) = mode {
            map.serialize_entry("mode", mode)?;
        }
        for (metric, value) in given {
            // A figure that is not this component's has no name on the wire.
            let Some(figure) = figures(*component).iter().find(|f| f.metric == *metric) else { continue };
            if figure.is_yes_no() {
                map.serialize_entry(figure.name, &(*value >= 0.5))?;
            } else {
                map.serialize_entry(figure.name, &Number(*value))?;
            }
        }
        map.end()
    }
}

/// The schemas that do not follow from a Rust type alone, each written where it is used.
macro_rules! shapes {
    ($($name:ty = $schema:expr;)+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+};
}

struct TimeShape;
struct OurTimeShape;
struct TriggerShape;
struct PressKindShape;
struct DoShape;
struct ComponentShape;

shapes! {
    Number = json_schema!({ "type": "number" });
    TimeShape = json_schema!({ "anyOf": [
        { "type": "string", "format": "date-time" },
        { "type": "integer", "minimum": Timestamp::MIN.as_millis(), "maximum": Timestamp::MAX.as_millis() },
    ] });
    OurTimeShape = json_schema!({ "type": "string", "format": "date-time" });
    Extra<'_> = json_schema!({
        "type": "object",
        "maxProperties": MAX_EXTRA,
        "propertyNames": { "pattern": format!("^[a-z0-9_.]{{1,{MAX_EXTRA_NAME}}}$") },
        "additionalProperties": { "type": "number" },
    });
    TriggerShape = one_of(Trigger::ALL.iter().map(|w| w.as_str()));
    PressKindShape = one_of(PressKind::ALL.iter().map(|w| w.as_str()));
    DoShape = one_of(Do::ALL.iter().map(|w| w.as_str()));
    ComponentShape = one_of(Component::ALL.iter().map(|w| w.as_str()));
    Results<'_> = results();
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> Schema {
    json_schema!({ "type": "string", "enum": words.collect::<Vec<_>>() })
}

fn results() -> Schema {
    let per_component = Component::ALL.iter().map(|component| {
        let mut fields = serde_json::Map::new();
        fields.insert("result".to_owned(), one_of(Outcome::ALL.iter().map(|w| w.as_str())).to_value());
        let code = json!({
            "description": "The vendor's own code for what was found.",
            "type": ["string", "null"],
            "maxLength": CODE_CHARS,
        });
        fields.insert("code".to_owned(), code);
        if *component == Component::Camera {
            let words: Vec<Option<&str>> = CameraMode::ALL.iter().map(|w| Some(w.as_str())).chain([None]).collect();
            let mode = json!({
                "description": "Day picture, or infrared picture at night.",
                "type": ["string", "null"],
                "enum": words,
            });
            fields.insert("mode".to_owned(), mode);
        }
        for figure in figures(*component) {
            let kind = if figure.is_yes_no() { "boolean" } else { "number" };
            let schema = json!({ "type": [kind, "null"], "x-metric": figure.metric.name() });
            fields.insert(figure.name.to_owned(), schema);
        }
        let entry = json!({ "type": ["object", "null"], "properties": fields, "required": ["result"] });
        (component.as_str().to_owned(), entry)
    });
    json_schema!({ "type": "object", "properties": per_component.collect::<serde_json::Map<_, _>>() })
}

fn schema_of<T: JsonSchema>(name: &str) -> String {
    let mut schema = schemars::schema_for!(T).to_value();
    schema["title"] = name.into();
    fill_in(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// Fills in what the metric catalogue knows, so that no range is written down twice.
fn fill_in(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.values_mut().for_each(fill_in);
            let Some(metric) = map.get("x-metric").and_then(|m| m.as_str()).and_then(|m| m.parse::<Metric>().ok())
            else {
                return;
            };
            let facts = metric.facts();
            map.entry("description").or_insert_with(|| {
                let mut words = facts.meaning.to_owned();
                if let Some(first) = words.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                format!("{words}.").into()
            });
            let is_number = map.get("type").is_some_and(|t| t.to_string().contains("number"));
            if is_number {
                map.insert("minimum".to_owned(), facts.min.into());
                map.insert("maximum".to_owned(), facts.max.into());
                if !facts.unit.is_empty() {
                    map.insert("x-unit".to_owned(), facts.unit.into());
                }
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(fill_in),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
