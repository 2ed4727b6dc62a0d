//! Topic and bytes → a domain message, or a refusal that says why. Owns what a payload may hold; the tables of
//! `docs/protocol.md` say the same. Never asks whether the unit is in the fleet, never judges a reading.
//!
//! Design constraints
//! - The hot path of every heartbeat: one pass over the bytes, no allocation but what the message keeps.
//! - A message proves that its unit lives. So a bad *optional* field is dropped and reported beside the message; only what
//!   makes a message what it is (`boot`, `seq`, `result`s, a press's `kind`…) can cost the whole of it.

use std::str::FromStr;

use crate::domain::component::UnknownWord;
use crate::domain::message::{Body, Heartbeat, Kind, Message, Power, Press, Reply, Selftest, Status, TestResult};
use crate::domain::{Metric, UnitId, Version};

use super::fields::{
    Collected, Fields, Figure, HeartbeatFields, PowerFields, PressFields, ReplyFields, ResultFields, SelftestFields,
    StatusFields,
};
use super::refusal::{Refusal, RefusalKind};
use super::scalar::{Complaint, Range, Scalar, Shape};
use super::signature::{self, SIGNATURE_DIGITS, Signing, Split};
use super::usual;

/// DESIGN §4. A self-test of every component with all its figures is below 2 KiB. The signature is not counted.
pub const MAX_JSON_BYTES: usize = 16 * 1024;

/// A version with its build and commit; more is a text in the wrong field.
pub(super) const VERSION_CHARS: usize = 64;
pub(super) const ID_CHARS: usize = 64;
/// An error code, not a log.
pub(super) const CODE_CHARS: usize = 64;
/// A sentence for people.
pub(super) const SENTENCE_CHARS: usize = 200;
/// A second to a day: what `interval_s` may be.
pub(super) const INTERVAL: Range = Range { min: 1.0, max: 86_400.0, unit: "s" };

/// Line feed, signature, and a line end that a shell adds.
const SIGNATURE_ROOM: usize = 1 + SIGNATURE_DIGITS + 2;
/// `why` can quote the payload: no longer than a line or three on a screen.
const WHY_CHARS: usize = 300;

#[derive(Debug)]
pub struct Decoder {
    root: String,
    signing: Signing,
}

/// A message that was understood.
#[derive(Debug, PartialEq)]
pub struct Decoded<'t> {
    /// A proper unit id, not yet known to be in the fleet.
    pub unit: &'t str,
    pub message: Message,
    /// Fields that this version does not know: skipped.
    pub unknown_fields: u32,
    /// Optional fields that were left out because they were wrong, each with what it should have been. At most one a
    /// field, so the kind bounds their number.
    pub dropped: Vec<Refusal>,
}

impl Decoder {
    pub const DEFAULT_ROOT: &'static str = "buttonwatch/v1";

    /// `root` without a slash at either end; `config` has checked it.
    pub fn new(root: impl Into<String>, signing: Signing) -> Self {
        Decoder { root: root.into(), signing }
    }

    pub fn root(&self) -> &str {
        &self.root
    }

    /// The unit's id and the kind of a topic that a unit may publish on. Err: `bad-topic`, `unknown-kind`.
    pub fn topic<'t>(&self, topic: &'t str) -> Result<(&'t str, Kind), Refusal> {
        let root = &self.root;
        let Some((unit, kind)) = topic
            .strip_prefix(root.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.split_once('/'))
        else {
            return Err(Refusal::new(
                RefusalKind::BadTopic,
                topic,
                format!("the topic is not {root}/UNIT/KIND; publish for example on {root}/PSH-001/heartbeat"),
            ));
        };
        if !UnitId::is_valid(unit) {
            let why = UnitId::parse(unit).map_or_else(|e| e.to_string(), |id| format!("{id} is not a unit id"));
            return Err(Refusal::new(RefusalKind::BadTopic, topic, format!("in the topic, {why}")));
        }
        let Some(known) = Kind::ALL.iter().copied().find(|k| k.as_str() == kind) else {
            return Err(if kind.contains('/') {
                Refusal::new(
                    RefusalKind::BadTopic,
                    topic,
                    format!("the topic has too many levels; it must be {root}/{unit}/KIND"),
                )
            } else {
                let kinds: Vec<&str> = Kind::ALL.iter().map(|k| k.as_str()).collect();
                let kind: String = kind.chars().take(40).collect();
                Refusal::new(
                    RefusalKind::UnknownKind,
                    topic,
                    format!("a unit does not publish {kind:?}; the kinds are {}", kinds.join(", ")),
                )
            }
            .from_unit(unit));
        };
        Ok((unit, known))
    }

    /// Err: the whole message is worth nothing. Its unit is named in the refusal as far as it is known.
    pub fn decode<'t>(&self, topic: &'t str, payload: &[u8]) -> Result<Decoded<'t>, Refusal> {
        self.decode_by(usual::read, topic, payload)
    }

    /// `quick`: tries first, and never says anything but what the general way would.
    #[inline(always)]
    pub(super) fn decode_by<'t>(
        &self,
        quick: impl FnOnce(Kind, &[u8]) -> Option<(Message, u32)>,
        topic: &'t str,
        payload: &[u8],
    ) -> Result<Decoded<'t>, Refusal> {
        let (unit, kind) = self.topic(topic).map_err(|refusal| refusal.example(payload))?;
        let mut door = Door { unit, topic, payload, dropped: Vec::new() };
        let json = self.verified(&door)?;
        if let Some((message, unknown_fields)) = quick(kind, json) {
            return Ok(Decoded { unit, message, unknown_fields, dropped: Vec::new() });
        }
        let json = door.utf8(json)?;
        let (message, unknown_fields) = door.message(kind, json)?;
        Ok(Decoded { unit, message, unknown_fields, dropped: door.dropped })
    }

    /// The JSON, once size and signature are right.
    fn verified<'p>(&self, door: &Door<'p>) -> Result<&'p [u8], Refusal> {
        let too_large = |bytes: usize| {
            door.refusal(
                RefusalKind::TooLarge,
                format!("the payload has {bytes} bytes; at most {MAX_JSON_BYTES} are allowed"),
            )
        };
        if door.payload.len() > MAX_JSON_BYTES + SIGNATURE_ROOM {
            return Err(too_large(door.payload.len()));
        }
        let (json, signature) = match signature::split(door.payload) {
            Split::Unsigned(json) => (json, None),
            Split::Signed(json, signature) => (json, Some(signature)),
            Split::Misshapen { digits } => {
                return Err(door.refusal(
                    RefusalKind::BadSignature,
                    format!("the signature has {digits} hex digits; it must have {SIGNATURE_DIGITS}"),
                ));
            }
        };
        if json.len() > MAX_JSON_BYTES {
            return Err(too_large(json.len()));
        }
        let (keys, required) = match &self.signing {
            Signing::Off => (None, false),
            Signing::Optional(keys) => (Some(keys), false),
            Signing::Required(keys) => (Some(keys), true),
        };
        let key = keys.and_then(|keys| keys.get(door.unit));
        match (key, signature) {
            (Some(key), Some(signature)) if !key.verify(door.topic, json, &signature) => {
                return Err(door.refusal(
                    RefusalKind::BadSignature,
                    "the signature is wrong: the unit's key differs from the one in the key file, or it did not sign \
                     exactly topic, line feed and JSON"
                        .to_owned(),
                ));
            }
            (None, Some(_)) if required => {
                return Err(door.refusal(
                    RefusalKind::BadSignature,
                    "this unit has no key in the key file; add a line UNIT:KEY".to_owned(),
                ));
            }
            (_, None) if required => {
                let remedy = match key {
                    Some(_) => "sign with the unit's key",
                    None => "sign, and add the unit's key to the key file",
                };
                return Err(door.refusal(
                    RefusalKind::MissingSignature,
                    format!("every message must be signed, and this one is not; {remedy}"),
                ));
            }
            (Some(_), Some(_)) | (None, Some(_)) | (_, None) => {}
        }
        Ok(json)
    }
}

/// One payload on its way in: what is said about it, and what was left out of it.
struct Door<'p> {
    unit: &'p str,
    topic: &'p str,
    payload: &'p [u8],
    dropped: Vec<Refusal>,
}

/// Of which message the common fields are asked.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    Required,
    /// A last will was written before the connection broke: it cannot know them.
    Optional,
}

impl Door<'_> {
    #[cold]
    fn refusal(&self, kind: RefusalKind, mut why: String) -> Refusal {
        if let Some((end, _)) = why.char_indices().nth(WHY_CHARS) {
            why.truncate(end);
            why.push('…');
        }
        Refusal::new(kind, self.topic, why).from_unit(self.unit).example(self.payload)
    }

    fn complain(&self, field: &str, complaint: Complaint) -> Refusal {
        self.refusal(complaint.kind, format!("{field} {}", complaint.why))
    }

    /// A field that the message can do without.
    #[inline]
    fn optional<T>(&mut self, field: &str, checked: Result<Option<T>, Complaint>) -> Option<T> {
        match checked {
            Ok(value) => value,
            Err(complaint) => {
                self.drop_field(field, complaint);
                None
            }
        }
    }

    #[cold]
    fn drop_field(&mut self, field: &str, complaint: Complaint) {
        let refusal = self.complain(field, complaint);
        self.dropped.push(refusal);
    }

    /// A field without which the message says nothing.
    fn required<T>(&self, kind: Kind, field: &str, checked: Result<Option<T>, Complaint>) -> Result<T, Refusal> {
        match checked {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self
                .refusal(RefusalKind::MissingField, format!("{field} is missing; every {kind} message must carry it"))),
            Err(complaint) => Err(self.complain(field, complaint)),
        }
    }

    fn figure(&mut self, field: &str, value: &Scalar<'_>, metric: Metric) -> Option<f64> {
        self.optional(field, value.number(metric.into()))
    }

    fn yes_no(&mut self, field: &str, value: &Scalar<'_>) -> Option<bool> {
        self.optional(field, value.yes_no())
    }

    fn text(&mut self, field: &str, value: &Scalar<'_>, max: usize) -> Option<Box<str>> {
        self.optional(field, value.text(max))
    }

    fn version(&mut self, field: &str, value: &Scalar<'_>) -> Option<Version> {
        self.text(field, value, VERSION_CHARS).map(|text| (&*text).into())
    }

    fn word<T: FromStr<Err = UnknownWord>>(&mut self, field: &str, value: &Scalar<'_>) -> Option<T> {
        self.optional(field, value.word())
    }

    fn utf8<'j>(&self, json: &'j [u8]) -> Result<&'j str, Refusal> {
        std::str::from_utf8(json).map_err(|e| {
            self.refusal(RefusalKind::NotJson, format!("the payload is not UTF-8 at byte {}", e.valid_up_to()))
        })
    }

    fn message(&mut self, kind: Kind, json: &str) -> Result<(Message, u32), Refusal> {
        match kind {
            Kind::Heartbeat => self.body(kind, json, Common::Required, |door, f| Ok(door.heartbeat(f))),
            Kind::Power => self.body(kind, json, Common::Required, |door, f| Ok(door.power(f))),
            Kind::Selftest => self.body(kind, json, Common::Required, Door::selftest),
            Kind::Press => self.body(kind, json, Common::Required, |door, f| door.press(f)),
            Kind::Status => self.body(kind, json, Common::Optional, |door, f| door.status(f)),
            Kind::Reply => self.body(kind, json, Common::Required, |door, f| door.reply(f)),
        }
    }

    fn body<'j, F: Fields<'j>>(
        &mut self,
        kind: Kind,
        json: &'j str,
        common: Common,
        read: impl FnOnce(&mut Self, &mut F) -> Result<Body, Refusal>,
    ) -> Result<(Message, u32), Refusal> {
        let mut collected = Collected::<F>::default();
        collected
            .read(json)
            .map_err(|e| self.refusal(RefusalKind::NotJson, format!("the payload is not one JSON object: {e}")))?;
        let Collected { ts, boot, seq, extra, own, unknown } = &mut collected;
        let boot = boot.whole(u32::MAX.into()).map(|n| n.map(|n| n as u32));
        let (ts, boot, seq) = match common {
            Common::Required => (
                Some(self.required(kind, "ts", ts.time())?),
                Some(self.required(kind, "boot", boot)?),
                Some(self.required(kind, "seq", seq.whole(u64::MAX))?),
            ),
            Common::Optional => {
                (self.optional("ts", ts.time()), self.optional("boot", boot), self.optional("seq", seq.whole(u64::MAX)))
            }
        };
        let body = read(self, own)?;
        let extra = match std::mem::take(extra) {
            Shape::Object(extra) => extra,
            Shape::Scalar(Scalar::Absent) => Vec::new(),
            Shape::Scalar(other) => {
                let complaint = other.wrong_type("send an object of numbers");
                self.optional("extra", Err(complaint)).unwrap_or_default()
            }
        };
        Ok((Message { ts, boot, seq, body, extra }, *unknown))
    }

    fn heartbeat(&mut self, f: &HeartbeatFields<'_>) -> Body {
        Body::Heartbeat(Heartbeat {
            uptime_s: self.figure("uptime_s", &f.uptime_s, Metric::ControllerUptime),
            interval_s: self.optional("interval_s", f.interval_s.number(INTERVAL)),
            fw: self.version("fw", &f.fw),
            hw: self.version("hw", &f.hw),
            rssi_dbm: self.figure("rssi_dbm", &f.rssi_dbm, Metric::LinkRssi),
            temp_c: self.figure("temp_c", &f.temp_c, Metric::EnclosureTemperature),
            disk_free_pct: self.figure("disk_free_pct", &f.disk_free_pct, Metric::DiskFree),
            mem_free_pct: self.figure("mem_free_pct", &f.mem_free_pct, Metric::MemoryFree),
            tamper: self.yes_no("tamper", &f.tamper),
        })
    }

    fn power(&mut self, f: &PowerFields<'_>) -> Body {
        Body::Power(Power {
            mains: self.yes_no("mains", &f.mains),
            mains_v: self.figure("mains_v", &f.mains_v, Metric::MainsVoltage),
            battery_v: self.figure("battery_v", &f.battery_v, Metric::BatteryVoltage),
            battery_pct: self.figure("battery_pct", &f.battery_pct, Metric::BatteryCharge),
            battery_temp_c: self.figure("battery_temp_c", &f.battery_temp_c, Metric::BatteryTemperature),
            charge_a: self.figure("charge_a", &f.charge_a, Metric::BatteryCurrent),
            load_w: self.figure("load_w", &f.load_w, Metric::PowerLoad),
        })
    }

    fn selftest(&mut self, f: &mut SelftestFields<'_>) -> Result<Body, Refusal> {
        let given = match std::mem::take(&mut f.results) {
            Shape::Object(results) => Ok(Some(results)),
            Shape::Scalar(Scalar::Absent) => Ok(None),
            Shape::Scalar(other) => Err(other.wrong_type("send an object with one entry per component")),
        };
        let given = self.required(Kind::Selftest, "results", given)?;
        let mut results = Vec::with_capacity(given.len());
        for (component, result) in given {
            let path = |field: &str| format!("results.{component}{field}");
            let fields = match result {
                Shape::Object(fields) => fields,
                Shape::Scalar(Scalar::Absent) => continue,
                Shape::Scalar(other) => {
                    let complaint = other.wrong_type("send an object like {\"result\":\"pass\"}");
                    self.drop_field(&path(""), complaint);
                    continue;
                }
            };
            let ResultFields { result, code, mode, figures } = fields;
            // Without its result the rest of an entry means nothing; the other components' tests still do.
            let result = match self.required(Kind::Selftest, "result", result.word()) {
                Ok(result) => result,
                Err(mut refusal) => {
                    refusal.why.insert_str(0, &path("."));
                    self.dropped.push(refusal);
                    continue;
                }
            };
            let mut kept = Vec::with_capacity(figures.len());
            for (figure, value) in figures {
                let Figure { name, metric } = figure;
                let checked = if figure.is_yes_no() {
                    value.yes_no().map(|yes| yes.map(f64::from))
                } else {
                    value.number(metric.into())
                };
                match checked {
                    Ok(value) => kept.extend(value.map(|v| (metric, v))),
                    Err(complaint) => self.drop_field(&path(&format!(".{name}")), complaint),
                }
            }
            results.push(TestResult {
                component,
                result,
                code: code.text(CODE_CHARS).unwrap_or_else(|c| self.optional(&path(".code"), Err(c))),
                mode: mode.word().unwrap_or_else(|c| self.optional(&path(".mode"), Err(c))),
                figures: kept,
            });
        }
        Ok(Body::Selftest(Selftest {
            id: self.text("id", &f.id, ID_CHARS),
            trigger: self.word("trigger", &f.trigger),
            results,
        }))
    }

    fn press(&mut self, f: &PressFields<'_>) -> Result<Body, Refusal> {
        Ok(Body::Press(Press {
            kind: self.required(Kind::Press, "kind", f.kind.word())?,
            held_ms: self.figure("held_ms", &f.held_ms, Metric::PressHeld),
            ack: self.yes_no("ack", &f.ack),
            ack_ms: self.figure("ack_ms", &f.ack_ms, Metric::PressAck),
        }))
    }

    fn status(&mut self, f: &StatusFields<'_>) -> Result<Body, Refusal> {
        Ok(Body::Status(Status {
            online: self.required(Kind::Status, "online", f.online.yes_no())?,
            reason: self.text("reason", &f.reason, SENTENCE_CHARS),
        }))
    }

    fn reply(&mut self, f: &ReplyFields<'_>) -> Result<Body, Refusal> {
        Ok(Body::Reply(Reply {
            id: self.required(Kind::Reply, "id", f.id.text(ID_CHARS))?,
            ok: self.required(Kind::Reply, "ok", f.ok.yes_no())?,
            error: self.text("error", &f.error, SENTENCE_CHARS),
        }))
    }
}
