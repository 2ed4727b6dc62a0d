//! What a unit's readings were, hour by hour: the words for rollups. Owns how figures are added up. Never decides which
//! reading belongs to which hour.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fleet::Unit;
use super::ids::RuleId;
use super::metric::{Metric, Origin};
use super::rule::{Condition, MetricRef, RuleSet};
use super::time::Timestamp;

pub const HOUR_MS: i64 = 3_600_000;
pub const HOURS_A_DAY: i64 = 24;

/// A unit's own figures in one hour: twice what one message may carry. A unit that invents names without end must not
/// fill the store.
const VENDOR_NAMES_MAX: usize = 64;

/// Whose readings: everything that units send as numbers, and their heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesName {
    /// How many heartbeats the unit sent in the hour: the count is the figure.
    Heartbeats,
    /// Always of [`Origin::Sent`].
    Metric(Metric),
    /// A vendor's own, without the `x.`.
    Vendor(Box<str>),
}

impl SeriesName {
    const HEARTBEATS: &'static str = "heartbeats";
    const VENDOR: &'static str = "x.";
    const VENDOR_CHARS_MAX: usize = 48;

    /// None: the metric is worked out by Buttonwatch, so no message carries it.
    pub fn sent(metric: Metric) -> Option<Self> {
        match metric.origin() {
            Origin::Sent => Some(SeriesName::Metric(metric)),
            Origin::Derived | Origin::Grows => None,
        }
    }

    /// All but the vendors' own, in the order of the catalogue.
    pub fn known() -> impl Iterator<Item = SeriesName> {
        let sent = Metric::ALL.iter().copied().filter_map(SeriesName::sent);
        sent.chain([SeriesName::Heartbeats])
    }

    /// As written after a figure; empty: a plain number.
    pub fn measured_in(&self) -> &'static str {
        match self {
            SeriesName::Heartbeats => "an hour",
            SeriesName::Metric(metric) => metric.facts().unit,
            SeriesName::Vendor(_) => "",
        }
    }

    /// The figure that stands for an hour is how often, not how much.
    pub fn is_count(&self) -> bool {
        match self {
            SeriesName::Heartbeats => true,
            SeriesName::Metric(_) | SeriesName::Vendor(_) => false,
        }
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeriesName::Heartbeats => f.write_str(Self::HEARTBEATS),
            SeriesName::Metric(metric) => f.write_str(metric.name()),
            SeriesName::Vendor(name) => write!(f, "{}{name}", Self::VENDOR),
        }
    }
}

/// Why a text names no series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSeries {
    Unknown,
    /// Buttonwatch works it out by itself.
    NotSent(Metric),
}

impl fmt::Display for NoSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSeries::Unknown => f.write_str("no metric has this name; `rules metrics` lists them"),
            NoSeries::NotSent(metric) => write!(
                f,
                "{metric} is worked out from what units send, and only what they send is kept by the hour; \
                 `rules metrics origin=sent` lists that"
            ),
        }
    }
}

impl std::error::Error for NoSeries {}

impl FromStr for SeriesName {
    type Err = NoSeries;
    fn from_str(text: &str) -> Result<Self, NoSeries> {
        if text == Self::HEARTBEATS {
            return Ok(SeriesName::Heartbeats);
        }
        if let Some(name) = text.strip_prefix(Self::VENDOR) {
            let fits = (1..=Self::VENDOR_CHARS_MAX).contains(&name.len());
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
            return match fits && name.bytes().all(plain) {
                true => Ok(SeriesName::Vendor(name.into())),
                false => Err(NoSeries::Unknown),
            };
        }
        let metric: Metric = text.parse().map_err(|_| NoSeries::Unknown)?;
        SeriesName::sent(metric).ok_or(NoSeries::NotSent(metric))
    }
}

impl schemars::JsonSchema for SeriesName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SeriesName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A reading that units send, `heartbeats`, or `x.NAME`" })
    }
}

impl Serialize for SeriesName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SeriesName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// All readings of one metric in one hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub count: u32,
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    /// The newest.
    pub last: f64,
    /// When that was: seconds since the hour began.
    pub last_s: u16,
}

impl Figures {
    pub fn one(value: f64, second: u16) -> Self {
        Figures { count: 1, min: value, max: value, sum: value, last: value, last_s: second }
    }

    /// In any order, but that of two readings of one second the one added later counts as the newer.
    pub fn add(&mut self, more: &Figures) {
        self.count = self.count.saturating_add(more.count);
        self.min = self.min.min(more.min);
        self.max = self.max.max(more.max);
        self.sum += more.sum;
        if more.last_s >= self.last_s {
            (self.last, self.last_s) = (more.last, more.last_s);
        }
    }

    /// To nine digits: what comes after them is the rounding of binary numbers.
    pub fn mean(&self) -> f64 {
        let mean = self.sum / f64::from(self.count.max(1));
        let mean = format!("{mean:.8e}").parse().unwrap_or(mean);
        // And it must not put the mean outside of what was measured.
        mean.max(self.min).min(self.max)
    }
}

/// All readings of one unit in one hour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rollup(BTreeMap<SeriesName, Figures>);

impl Rollup {
    pub fn add(&mut self, name: SeriesName, figures: &Figures) {
        if let Some(known) = self.0.get_mut(&name) {
            known.add(figures);
            return;
        }
        let vendor = |name: &SeriesName| matches!(name, SeriesName::Vendor(_));
        if vendor(&name) && self.0.keys().filter(|n| vendor(n)).count() >= VENDOR_NAMES_MAX {
            return;
        }
        self.0.insert(name, *figures);
    }

    pub fn merge(&mut self, more: &Rollup) {
        for (name, figures) in &more.0 {
            self.add(name.clone(), figures);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SeriesName, &Figures)> {
        self.0.iter()
    }

    pub fn get(&self, name: &SeriesName) -> Option<&Figures> {
        self.0.get(name)
    }
}

/// Hours since 1970-01-01T00:00:00Z, and seconds into the hour.
pub fn hour_of(at: Timestamp) -> (i64, u16) {
    let ms = at.as_millis();
    (ms.div_euclid(HOUR_MS), (ms.rem_euclid(HOUR_MS) / 1000) as u16)
}

pub fn hour_starts(hour: i64) -> Timestamp {
    Timestamp::from_millis(hour.saturating_mul(HOUR_MS))
}

/// One hour of one series. An hour without a reading has no point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// When the hour began, UTC.
    pub hour: Timestamp,
    pub count: u32,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// The newest reading of the hour.
    pub last: f64,
}

impl SeriesPoint {
    pub fn of(hour: i64, f: &Figures) -> Self {
        let (min, max, mean, last) = (f.min, f.max, f.mean(), f.last);
        SeriesPoint { hour: hour_starts(hour), count: f.count, min, max, mean, last }
    }
}

/// A rule's limit for a series, as of now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesLimit {
    pub rule: RuleId,
    pub value: f64,
}

impl SeriesLimit {
    /// The fixed limits that the rules set this unit's readings, in the order of the file. Those against a commissioning
    /// value are the engine's to know.
    pub fn of(rules: &RuleSet, unit: &Unit, name: &SeriesName) -> Vec<SeriesLimit> {
        let is_asked = |metric: &MetricRef| match (metric, name) {
            (MetricRef::Known(a), SeriesName::Metric(b)) => a == b,
            (MetricRef::Vendor(a), SeriesName::Vendor(b)) => a == b,
            (MetricRef::Known(_), SeriesName::Heartbeats | SeriesName::Vendor(_))
            | (MetricRef::Vendor(_), SeriesName::Heartbeats | SeriesName::Metric(_)) => false,
        };
        let mut limits = Vec::new();
        for rule in rules.rules.iter().filter(|rule| rule.only.selects(unit)) {
            let other = rule.overrides.iter().find(|o| o.only.selects(unit));
            for sign in other.map_or(&rule.condition, |o| &o.condition).leaves() {
                if let Condition::Threshold { metric, limit, .. } = sign
                    && is_asked(metric)
                {
                    limits.push(SeriesLimit { rule: rule.id.clone(), value: *limit });
                }
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_found_by_its_name() {
        for name in SeriesName::known().chain([SeriesName::Vendor("pir.hits".into())]) {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("battery.runtime".parse::<SeriesName>(), Err(NoSeries::NotSent(Metric::BatteryRuntime)));
        for odd in ["", "x.", "x.Ü", "battery.volts", "x.a b"] {
            assert_eq!(odd.parse::<SeriesName>(), Err(NoSeries::Unknown), "{odd}");
        }
    }

    #[test]
    fn parts_add_up_to_the_same_in_any_order() {
        let parts = [Figures::one(12.5, 900), Figures::one(11.25, 30), Figures::one(13.75, 3_599)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut sum = parts[order[0]];
            sum.add(&parts[order[1]]);
            sum.add(&parts[order[2]]);
            let want = Figures { count: 3, min: 11.25, max: 13.75, sum: 37.5, last: 13.75, last_s: 3_599 };
            assert_eq!((sum, sum.mean()), (want, 12.5), "{order:?}");
        }
    }

    #[test]
    fn a_unit_that_invents_names_is_bounded() {
        let mut rollup = Rollup::default();
        for n in 0..1_000 {
            rollup.add(SeriesName::Vendor(format!("n{n}").into()), &Figures::one(1.0, 0));
        }
        rollup.add(SeriesName::Heartbeats, &Figures::one(1.0, 0));
        assert_eq!(rollup.iter().count(), VENDOR_NAMES_MAX + 1);
    }

    #[test]
    fn an_hour_before_1970_is_an_hour_too() {
        assert_eq!(hour_of(Timestamp::from_millis(-1)), (-1, 3_599));
        assert_eq!(hour_starts(-1), Timestamp::from_millis(-HOUR_MS));
    }
}
