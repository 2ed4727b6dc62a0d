//! The fields of each kind of payload, collected by name in one pass. Never checks a value: `decode` does.
//!
//! Of a field sent twice the later counts, as in most JSON readers. Unknown fields are skipped and counted.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::domain::{Component, Metric};

use super::scalar::{Any, Inside, Key, Scalar, Shape};

/// A unit has a handful of figures of its own; whoever sends hundreds fills our memory.
pub(super) const MAX_EXTRA: usize = 32;
pub(super) const MAX_EXTRA_NAME: usize = 48;

/// The fields that one kind has beside the common ones.
pub(super) trait Fields<'a>: Default {
    /// Takes the value if the key is one of its own; says whether it was.
    fn take<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A, unknown: &mut u32) -> Result<bool, A::Error>;
}

macro_rules! plain_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> { $(pub $field: Scalar<'a>),+ }

        impl<'a> Fields<'a> for $name<'a> {
            fn take<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A, _: &mut u32) -> Result<bool, A::Error> {
                match key {
                    $(stringify!($field) => self.$field = map.next_value()?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    )+};
}

plain_fields! {
    HeartbeatFields { uptime_s, interval_s, fw, hw, rssi_dbm, temp_c, disk_free_pct, mem_free_pct, tamper }
    PowerFields { mains, mains_v, battery_v, battery_pct, battery_temp_c, charge_a, load_w }
    PressFields { kind, held_ms, ack, ack_ms }
    StatusFields { online, reason }
    ReplyFields { id, ok, error }
}

#[derive(Debug, Default)]
pub(super) struct SelftestFields<'a> {
    pub id: Scalar<'a>,
    pub trigger: Scalar<'a>,
    pub results: Shape<'a, ResultList<'a>>,
}

impl<'a> Fields<'a> for SelftestFields<'a> {
    fn take<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A, unknown: &mut u32) -> Result<bool, A::Error> {
        match key {
            "id" => self.id = map.next_value()?,
            "trigger" => self.trigger = map.next_value()?,
            "results" => self.results = map.next_value_seed(Any(Results { unknown }))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// In the order sent, each component at most once.
pub(super) type ResultList<'a> = Vec<(Component, Shape<'a, ResultFields<'a>>)>;

/// What one component's test found.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct ResultFields<'a> {
    pub result: Scalar<'a>,
    pub code: Scalar<'a>,
    pub mode: Scalar<'a>,
    /// In the order sent, each at most once.
    pub figures: Vec<(Figure, Scalar<'a>)>,
}

/// A figure of a self-test: its name on the wire and in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub name: &'static str,
    pub metric: Metric,
}

impl Figure {
    /// Sent as true or false.
    pub fn is_yes_no(self) -> bool {
        let facts = self.metric.facts();
        facts.unit.is_empty() && facts.max == 1.0
    }
}

/// The figures that DESIGN §4 gives each component's test.
pub(super) const fn figures(component: Component) -> &'static [Figure] {
    const fn figure(name: &'static str, metric: Metric) -> Figure {
        Figure { name, metric }
    }
    const CAMERA: &[Figure] = &[
        figure("sharpness", Metric::CameraSharpness),
        figure("luma", Metric::CameraLuma),
        figure("changed_pct", Metric::CameraChanged),
        figure("frozen_frames", Metric::CameraFrozenFrames),
        figure("fps", Metric::CameraFps),
    ];
    const MICROPHONE: &[Figure] = &[
        figure("tone_snr_db", Metric::MicrophoneTone),
        figure("ambient_dbfs", Metric::MicrophoneAmbient),
        figure("clipping_pct", Metric::MicrophoneClipping),
        figure("retries", Metric::MicrophoneRetries),
    ];
    const SPEAKER: &[Figure] = &[figure("tone_snr_db", Metric::SpeakerTone)];
    const BUTTON: &[Figure] = &[figure("stuck", Metric::ButtonStuck), figure("contact_ohm", Metric::ButtonContact)];
    const STREAM: &[Figure] = &[
        figure("connect_ms", Metric::StreamConnect),
        figure("kbps", Metric::StreamRate),
        figure("loss_pct", Metric::StreamLoss),
    ];
    match component {
        Component::Camera => CAMERA,
        Component::Microphone => MICROPHONE,
        Component::Speaker => SPEAKER,
        Component::Button => BUTTON,
        Component::Stream => STREAM,
        Component::Controller
        | Component::Battery
        | Component::Charger
        | Component::Mains
        | Component::Uplink
        | Component::Clock
        | Component::Firmware
        | Component::Enclosure => &[],
    }
}

struct Results<'u> {
    unknown: &'u mut u32,
}

impl<'de> Inside<'de> for Results<'_> {
    type Value = ResultList<'de>;

    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut results: Self::Value = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            // Not `parse`: its error lists every word, too dear for a payload full of strangers.
            let Some(component) = Component::ALL.iter().copied().find(|c| c.as_str() == key) else {
                map.next_value::<IgnoredAny>()?;
                *self.unknown = self.unknown.saturating_add(1);
                continue;
            };
            let result = map.next_value_seed(Any(OneResult { component, unknown: &mut *self.unknown }))?;
            put(&mut results, component, result);
        }
        Ok(results)
    }
}

struct OneResult<'u> {
    component: Component,
    unknown: &'u mut u32,
}

impl<'de> Inside<'de> for OneResult<'_> {
    type Value = ResultFields<'de>;

    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = ResultFields::default();
        while let Some(Key(key)) = map.next_key()? {
            match key.as_ref() {
                "result" => found.result = map.next_value()?,
                "code" => found.code = map.next_value()?,
                "mode" if self.component == Component::Camera => found.mode = map.next_value()?,
                name => match figures(self.component).iter().find(|f| f.name == name) {
                    Some(figure) => put(&mut found.figures, *figure, map.next_value()?),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                        *self.unknown = self.unknown.saturating_add(1);
                    }
                },
            }
        }
        Ok(found)
    }
}

/// The later of two counts.
fn put<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K, value: V) {
    match list.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => list.push((key, value)),
    }
}

/// As the domain keeps them.
pub(super) type ExtraList = Vec<(Box<str>, f64)>;

/// The vendor's own figures. What is no number, has no proper name or is one too many is skipped and counted.
struct Extra<'u> {
    unknown: &'u mut u32,
}

impl<'de> Inside<'de> for Extra<'_> {
    type Value = ExtraList;

    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut extra: Self::Value = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let number = match map.next_value()? {
                Scalar::Unsigned(n) => Some(n as f64),
                Scalar::Signed(n) => Some(n as f64),
                Scalar::Float(n) => Some(n),
                Scalar::Absent => continue,
                Scalar::Bool(_) | Scalar::Text(_) | Scalar::List | Scalar::Object => None,
            };
            let room = extra.len() < MAX_EXTRA;
            let known = extra.iter_mut().find(|(name, _)| **name == *key);
            match (number, known) {
                (Some(number), Some((_, old))) => *old = number,
                (Some(number), None) if room && is_extra_name(&key) => extra.push((key.as_ref().into(), number)),
                (Some(_), None) | (None, _) => *self.unknown = self.unknown.saturating_add(1),
            }
        }
        Ok(extra)
    }
}

fn is_extra_name(name: &str) -> bool {
    (1..=MAX_EXTRA_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'))
}

/// One payload, collected.
#[derive(Debug, Default)]
pub(super) struct Collected<'a, F> {
    pub ts: Scalar<'a>,
    pub boot: Scalar<'a>,
    pub seq: Scalar<'a>,
    pub extra: Shape<'a, ExtraList>,
    pub own: F,
    pub unknown: u32,
}

/// Err: not one JSON object, or something stands after it.
pub(super) fn collect<'a, F: Fields<'a>>(json: &'a str) -> Result<Collected<'a, F>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let collected = deserializer.deserialize_map(Collect(PhantomData))?;
    deserializer.end()?;
    Ok(collected)
}

struct Collect<F>(PhantomData<F>);

impl<'de, F: Fields<'de>> Visitor<'de> for Collect<F> {
    type Value = Collected<'de, F>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut c: Collected<'de, F> = Collected::default();
        while let Some(Key(key)) = map.next_key()? {
            match key.as_ref() {
                "ts" => c.ts = map.next_value()?,
                "boot" => c.boot = map.next_value()?,
                "seq" => c.seq = map.next_value()?,
                "extra" => c.extra = map.next_value_seed(Any(Extra { unknown: &mut c.unknown }))?,
                other => {
                    if !c.own.take(other, &mut map, &mut c.unknown)? {
                        map.next_value::<IgnoredAny>()?;
                        c.unknown = c.unknown.saturating_add(1);
                    }
                }
            }
        }
        Ok(c)
    }
}
