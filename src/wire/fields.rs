//! The fields of each kind of payload, collected by name in one pass. Never checks a value: `decode` does.
//!
//! Of a field sent twice the later counts, as in most JSON readers. Unknown fields are skipped and counted.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::domain::{Component, Metric};

use super::quick::{self, Receiver};
use super::scalar::{Any, Inside, Key, Scalar, Shape};

/// A unit has a handful of figures of its own; whoever sends hundreds fills our memory.
pub(super) const MAX_EXTRA: usize = 32;
pub(super) const MAX_EXTRA_NAME: usize = 48;

/// The fields that one kind has beside the common ones.
pub(super) trait Fields<'a>: Default {
    /// Where the value of a plain field goes. None: not one of its own.
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>>;

    /// Takes the value of a field that holds more than a plain value; says whether it was one.
    fn take<A: MapAccess<'a>>(&mut self, _key: &str, _map: &mut A, _unknown: &mut u32) -> Result<bool, A::Error> {
        Ok(false)
    }
    /// Whether `take` would.
    fn holds_more(_key: &str) -> bool {
        false
    }
}

macro_rules! plain_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> { $(pub $field: Scalar<'a>),+ }

        impl<'a> Fields<'a> for $name<'a> {
            #[inline]
            fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
                match key {
                    $(stringify!($field) => Some(&mut self.$field),)+
                    _ => None,
                }
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
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        match key {
            "id" => Some(&mut self.id),
            "trigger" => Some(&mut self.trigger),
            _ => None,
        }
    }
    fn take<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A, unknown: &mut u32) -> Result<bool, A::Error> {
        if Self::holds_more(key) {
            self.results = map.next_value_seed(Any(Results { unknown }))?;
        }
        Ok(Self::holds_more(key))
    }
    fn holds_more(key: &str) -> bool {
        key == "results"
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
        let mut extra = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            put_extra(&mut extra, &key, map.next_value()?, self.unknown);
        }
        Ok(extra)
    }
}

fn put_extra(extra: &mut ExtraList, key: &str, value: Scalar<'_>, unknown: &mut u32) {
    let number = match value {
        Scalar::Unsigned(n) => Some(n as f64),
        Scalar::Signed(n) => Some(n as f64),
        Scalar::Float(n) => Some(n),
        Scalar::Absent => return,
        Scalar::Bool(_) | Scalar::Text(_) | Scalar::List | Scalar::Object => None,
    };
    let room = extra.len() < MAX_EXTRA;
    let known = extra.iter_mut().find(|(name, _)| **name == *key);
    match (number, known) {
        (Some(number), Some((_, old))) => *old = number,
        (Some(number), None) if room && is_extra_name(key) => extra.push((key.into(), number)),
        (Some(_), None) | (None, _) => *unknown = unknown.saturating_add(1),
    }
}

pub(super) fn is_extra_name(name: &str) -> bool {
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

impl<'a, F: Fields<'a>> Collected<'a, F> {
    #[inline]
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        match key {
            "ts" => Some(&mut self.ts),
            "boot" => Some(&mut self.boot),
            "seq" => Some(&mut self.seq),
            own => self.own.slot(own),
        }
    }

    /// Fills an empty one. Err: not one JSON object, or something stands after it.
    pub fn read(&mut self, json: &'a str) -> Result<(), serde_json::Error> {
        if quick::read_object(json, self).is_none() {
            // The quick way gave up half-way: from the start.
            *self = Self::read_thoroughly(json)?;
        }
        Ok(())
    }

    fn read_thoroughly(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let collected = deserializer.deserialize_map(Collect(PhantomData))?;
        deserializer.end()?;
        Ok(collected)
    }
}

impl<'a, F: Fields<'a>> Receiver<'a> for Collected<'a, F> {
    #[inline]
    fn scalar(&mut self, key: &'a str, value: Scalar<'a>) -> Option<()> {
        match self.slot(key) {
            Some(slot) => *slot = value,
            None if key == "extra" => self.extra = Shape::Scalar(value),
            None if F::holds_more(key) => return None,
            None => self.unknown = self.unknown.saturating_add(1),
        }
        Some(())
    }

    fn object(&mut self, key: &'a str, text: &'a str, at: usize) -> Option<usize> {
        if key != "extra" {
            return None;
        }
        let mut extra = QuickExtra { extra: ExtraList::new(), unknown: &mut self.unknown };
        let end = quick::read_fields(text, at, &mut extra)?;
        self.extra = Shape::Object(extra.extra);
        Some(end)
    }
}

struct QuickExtra<'u> {
    extra: ExtraList,
    unknown: &'u mut u32,
}

impl<'a> Receiver<'a> for QuickExtra<'_> {
    fn scalar(&mut self, key: &'a str, value: Scalar<'a>) -> Option<()> {
        put_extra(&mut self.extra, key, value, self.unknown);
        Some(())
    }
    fn object(&mut self, _key: &'a str, _text: &'a str, _at: usize) -> Option<usize> {
        None
    }
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
            if let Some(slot) = c.slot(&key) {
                *slot = map.next_value()?;
            } else if key == "extra" {
                c.extra = map.next_value_seed(Any(Extra { unknown: &mut c.unknown }))?;
            } else if !c.own.take(&key, &mut map, &mut c.unknown)? {
                map.next_value::<IgnoredAny>()?;
                c.unknown = c.unknown.saturating_add(1);
            }
        }
        Ok(c)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(json: &str) -> Result<bool, TestCaseError> {
        fn both<'a, F: Fields<'a> + fmt::Debug>(json: &'a str) -> Result<bool, TestCaseError> {
            let mut quick = Collected::<F>::default();
            if quick::read_object(json, &mut quick).is_none() {
                return Ok(false);
            }
            let thorough = Collected::<F>::read_thoroughly(json).map_err(|e| e.to_string());
            prop_assert_eq!(Ok(format!("{quick:?}")), thorough.map(|c| format!("{c:?}")), "{}", json);
            Ok(true)
        }
        both::<SelftestFields>(json)?;
        both::<HeartbeatFields>(json)
    }

    #[test]
    fn the_usual_ways_to_write_a_message_are_read_quickly() {
        for json in [
            "{}",
            r#"{"ts":"2026-11-21T09:00:00.000Z","boot":7,"seq":14512,"fw":"2.4.1","temp_c":-34.512345678901234,"tamper":false,"hw":null}"#,
            " {\n\t\"ts\" : 1795251600000 ,\r\n \"extra\" : { \"x\" : 1 } , \"hw\":\"صدر\" }\n",
        ] {
            assert_eq!(check(json).map_err(|e| e.to_string()), Ok(true), "{json}");
        }
    }

    #[test]
    fn what_is_unusual_or_broken_is_left_to_the_thorough_way() {
        for json in [
            "",
            "[]",
            "{",
            "{}x",
            "{,}",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":01}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e3}"#,
            r#"{"a":1.5e3}"#,
            r#"{"a":-0}"#,
            r#"{"a":"\n"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":tru}"#,
            r#"{"a":truex}"#,
            r#"{"a":"b}"#,
            r#"{"extra":{"x":{}}}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":1234567890123456789}"#,
        ] {
            assert_eq!(check(json).map_err(|e| e.to_string()), Ok(false), "{json}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_quick_way_and_the_thorough_way_agree_on_any_object(
            fields in proptest::collection::vec(
                (
                    prop_oneof![
                        proptest::sample::select(vec!["ts", "boot", "temp_c", "fw", "extra", "results", "id"]).prop_map(str::to_owned),
                        "[a-z\u{80}-\u{2ff}]{0,4}",
                    ],
                    prop_oneof![
                        "-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,19})?([eE][+-]?[0-9]{1,2})?",
                        "-?[0-9]{1,3}\\.[0-9]{1,4}",
                        "\"[^\\pC\"\\\\]{0,8}\"",
                        "true|false|null|\\[\\]|\\{\\}|\\{\"x\":[0-9]{1,3}(,\"x\":true)?\\}",
                    ],
                    "[ \n\t]{0,2}",
                ),
                0..6
            )
        ) {
            let fields: Vec<String> = fields.iter().map(|(key, value, space)| format!("{space}\"{key}\"{space}:{value}{space}")).collect();
            check(&format!("{{{}}}", fields.join(",")))?;
        }

        #[test]
        fn the_quick_way_never_takes_what_is_broken(json in "\\{[\"a:,{}\\[\\]0-9.eE+tfn \\\\é-]{0,12}\\}?") {
            check(&json)?;
        }

        #[test]
        fn every_plain_number_is_the_same_both_ways(whole in any::<u64>(), decimals in 0usize..17, cut in 0usize..19, negative: bool) {
            let digits: String = whole.to_string().chars().take(cut + 1).collect();
            let fraction: String = format!("{:016}", whole.rotate_left(17) % 10_000_000_000_000_000).chars().take(decimals).collect();
            let point = if decimals > 0 { "." } else { "" };
            check(&format!("{{\"temp_c\":{}{digits}{point}{fraction}}}", if negative { "-" } else { "" }))?;
        }
    }
}
