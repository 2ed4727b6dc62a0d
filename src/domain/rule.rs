//! What `alerts.toml` says, checked. `config` makes these; the engine reads them.

use std::time::Duration;

use super::component::{Component, words};
use super::fleet::{GroupKind, Unit};
use super::ids::{CrewId, DiagnosisId, IncidentRuleId, RuleId};
use super::message::{Kind, Outcome};
use super::metric::Metric;
use super::severity::{Priority, Severity};
use super::time::Timestamp;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Everything of one `alerts.toml`. Rules keep the file's order; their index is their place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    pub rules: Vec<Rule>,
    pub incidents: Vec<IncidentRule>,
    /// In the file's order: the first that fits counts.
    pub diagnoses: Vec<Diagnosis>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    pub component: Component,
    pub severity: Severity,
    pub condition: Condition,
    /// The condition must hold this long before the alert fires.
    pub for_: Duration,
    /// And must be gone this long before the alert is resolved.
    pub clear_for: Duration,
    /// One sentence for people; `{value}`, `{limit}`, `{for}`, `{unit}`, `{name}`, `{site}` are filled in.
    pub summary: String,
    /// None: sends nobody out.
    pub order: Option<OrderPlan>,
    /// What a firing alert does to readiness.
    pub readiness: ReadinessEffect,
    /// Which units it is for.
    pub only: Selection,
    /// Other limits for some units; the first that selects the unit counts.
    pub overrides: Vec<RuleOverride>,
    /// While any of these is so, a reading or a test says nothing to this rule: it neither counts nor clears.
    pub unless: Vec<Limit>,
}

/// One side of one reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub metric: MetricRef,
    pub side: Side,
    pub limit: f64,
}

words!(
    /// How a firing alert lowers readiness.
    ReadinessEffect {
        NotReady = "not-ready",
        Impaired = "impaired",
        Unproven = "unproven",
        /// Says nothing about whether the button can summon help.
        Unchanged = "unchanged",
    }
);

/// One sign of a fault, or several together. The signs (leaves) of a combined condition are numbered from the left.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No message of this kind for `missed` intervals and the slack. For `heartbeat`, any message is a sign of life.
    Silent {
        kind: Kind,
        missed: u32,
        /// None: half an interval.
        slack: Option<Duration>,
    },
    /// A reading beyond a limit, until it is back beyond `clear`; so often in a row.
    Threshold {
        metric: MetricRef,
        side: Side,
        limit: f64,
        /// On the good side of `limit`, or equal to it.
        clear: f64,
        consecutive: u32,
    },
    /// A self-test's figure against the unit's own commissioning value, day and infrared apart.
    Baseline {
        metric: Metric,
        side: Side,
        limit: Distance,
        /// On the good side of `limit`, or equal to it. Of the same kind as `limit`.
        clear: Distance,
        consecutive: u32,
    },
    /// A reading that changes faster than `limit` per `per`, measured over the last `over`.
    Rate {
        metric: MetricRef,
        /// `above`: rises faster; `below`: falls faster, with a negative limit.
        side: Side,
        limit: f64,
        per: Duration,
        over: Duration,
    },
    /// A reading whose trend passes a limit within this time. Noise has no trend.
    /// `watch`: how long the trend must have gone on. [`WEATHER`] unless the file says so.
    Forecast { metric: Metric, side: Side, limit: ForecastLimit, within: Duration, watch: Duration },
    /// A self-test's result, so often in a row. `inconclusive` and `skipped` neither count nor break the row.
    Result { test: Component, is: Outcome, consecutive: u32 },
    /// So many events in a sliding window.
    Count { event: CountedEvent, at_least: u32, within: Duration },
    /// Too long since it last happened.
    Overdue {
        event: OverdueEvent,
        every: Duration,
        /// What counts before it happened for the first time.
        from: OverdueFrom,
    },
    /// Every one of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
}

impl Condition {
    /// The single signs, from the left; of a condition that is not combined, itself.
    pub fn leaves(&self) -> Vec<&Condition> {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Condition::leaves).collect(),
            Condition::Silent { .. }
            | Condition::Threshold { .. }
            | Condition::Baseline { .. }
            | Condition::Rate { .. }
            | Condition::Forecast { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. } => vec![self],
        }
    }
    /// The `n`th leaf. For the hot path: makes no list.
    pub fn leaf(&self, n: usize) -> Option<&Condition> {
        fn walk<'a>(condition: &'a Condition, left: &mut usize) -> Option<&'a Condition> {
            match condition {
                Condition::All(parts) | Condition::Any(parts) => parts.iter().find_map(|part| walk(part, left)),
                Condition::Silent { .. }
                | Condition::Threshold { .. }
                | Condition::Baseline { .. }
                | Condition::Rate { .. }
                | Condition::Forecast { .. }
                | Condition::Result { .. }
                | Condition::Count { .. }
                | Condition::Overdue { .. } => {
                    let found = (*left == 0).then_some(condition);
                    *left = left.wrapping_sub(1);
                    found
                }
            }
        }
        let mut left = n;
        walk(self, &mut left)
    }
    /// The catalogue metric that a single sign reads.
    pub fn known_metric(&self) -> Option<Metric> {
        match self {
            Condition::Threshold { metric: MetricRef::Known(m), .. }
            | Condition::Rate { metric: MetricRef::Known(m), .. }
            | Condition::Baseline { metric: m, .. }
            | Condition::Forecast { metric: m, .. } => Some(*m),
            Condition::Threshold { .. }
            | Condition::Rate { .. }
            | Condition::Silent { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. }
            | Condition::All(_)
            | Condition::Any(_) => None,
        }
    }
    pub fn is_combined(&self) -> bool {
        matches!(self, Condition::All(_) | Condition::Any(_))
    }
    pub fn is_silent(&self) -> bool {
        matches!(self, Condition::Silent { .. })
    }
}

/// Weather lasts two or three days, and a week has one market day: less than five days of falling is weather.
pub const WEATHER: Duration = Duration::from_secs(5 * 86_400);

/// How far from the commissioning value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// `"40%"`: this part of it, 0.4.
    Share(f64),
    /// `"10 dB"`: so much less (below) or more (above) than it, in the metric's unit; not negative.
    Gap(f64),
}

impl Distance {
    /// The limit in the metric's own unit.
    pub fn of(self, baseline: f64, side: Side) -> f64 {
        match (self, side) {
            (Distance::Share(share), _) => baseline * share,
            (Distance::Gap(gap), Side::Below) => baseline - gap,
            (Distance::Gap(gap), Side::Above) => baseline + gap,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ForecastLimit {
    /// In the metric's own unit.
    Fixed(f64),
    Baseline(Distance),
}

words!(
    /// From when a thing that never happened is overdue.
    OverdueFrom {
        /// Since the unit came into service.
        Service = "service",
        /// It must have happened once: what never came is not missing.
        Last = "last",
    }
);

/// A catalogue metric, or a vendor's own (`x.<name>`, kept without the `x.`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricRef {
    Known(Metric),
    Vendor(Box<str>),
}

words!(
    Side {
        Below = "below",
        Above = "above",
    }
);

impl Side {
    /// Is `value` on the bad side of `limit`? The limit itself is still good.
    pub fn beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Side::Below => value < limit,
            Side::Above => value > limit,
        }
    }
    pub fn other(self) -> Side {
        match self {
            Side::Below => Side::Above,
            Side::Above => Side::Below,
        }
    }
}

words!(
    CountedEvent {
        Boot = "boot",
        RealPress = "real-press",
        TestPress = "test-press",
        /// A press that the control room did not answer.
        UnansweredPress = "unanswered-press",
        /// The battery carried the unit in a mains cut until it could no more.
        BatteryEmpty = "battery-empty",
    }
);

words!(
    OverdueEvent {
        /// A test press that the control room answered.
        PressTest = "press-test",
        Selftest = "selftest",
    }
);

/// Empty lists select everything; several keys must all match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    pub unit: Vec<String>,
    pub site: Vec<String>,
    pub site_type: Vec<String>,
    pub city: Vec<String>,
    pub district: Vec<String>,
    pub crew: Vec<String>,
    pub uplink: Vec<String>,
    pub feeder: Vec<String>,
    pub model: Vec<String>,
}

impl Selection {
    pub fn is_everything(&self) -> bool {
        *self == Selection::default()
    }
    pub fn selects(&self, u: &Unit) -> bool {
        let any = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|v| list.iter().any(|l| l == v))
        };
        any(&self.unit, Some(u.unit.as_str()))
            && any(&self.site, Some(u.site.as_str()))
            && any(&self.site_type, Some(&u.site_type))
            && any(&self.city, Some(u.city.as_str()))
            && any(&self.district, u.district.as_ref().map(|d| d.as_str()))
            && any(&self.crew, Some(u.crew.as_str()))
            && any(&self.uplink, u.uplink.as_ref().map(|d| d.as_str()))
            && any(&self.feeder, u.feeder.as_ref().map(|d| d.as_str()))
            && any(&self.model, Some(&u.model))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct RuleOverride {
    pub only: Selection,
    pub condition: Condition,
    pub for_: Duration,
    pub clear_for: Duration,
}

/// What the crew is asked to do when the alert has fired for `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPlan {
    pub priority: Priority,
    /// Long enough for siblings on the same circuit to show the common cause first.
    pub after: Duration,
    /// None: the unit's own crew.
    pub crew: Option<CrewId>,
    pub action: String,
    pub parts: Vec<String>,
    pub suspects: Vec<super::order::Suspect>,
    /// One order for all units of the site that ask for it: one visit.
    pub per_site: bool,
}

/// `[[diagnosis]]`: signs that together point at another component than the last of them does.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    pub id: DiagnosisId,
    /// In the order in which they began.
    pub seen: Vec<Sign>,
    /// Every one of these is true now, too.
    pub when: Vec<Limit>,
    /// From the last moment at which the first was seen to the beginning of the last.
    pub within: Duration,
    /// The surest first; together 100. The order is on the first one's component.
    pub suspects: Vec<super::order::Suspect>,
    /// None: as the order of the rule says.
    pub action: Option<String>,
    /// None: as the order of the rule says.
    pub parts: Option<Vec<String>>,
}

/// What a diagnosis can look at: an alert, or something that the unit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// An alert of this rule fired.
    Rule(RuleId),
    Known(KnownSign),
}

words!(
    /// Signs that need no rule.
    KnownSign {
        /// The unit lives on its battery.
        OnBattery = "on-battery",
        /// It was on battery when last heard, and the battery was nearly empty, or must have become so since.
        BatteryNearlyEmpty = "battery-nearly-empty",
        /// It started anew.
        Boot = "boot",
    }
);

/// `[[incident]]`: one common cause over several units.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRule {
    pub id: IncidentRuleId,
    pub group_by: GroupKind,
    /// The rules whose alerts are counted; a unit counts once.
    pub of: Vec<RuleId>,
    pub at_least: u32,
    /// Of the units that were heard before.
    pub fraction: f64,
    /// Only alerts that began within this span count as "at once". None: any.
    pub within: Option<Duration>,
    /// Alerts of these rules make no order and no mail for its units. Judgement goes on.
    pub inhibits: Vec<RuleId>,
    /// None: only told, not ordered.
    pub order: Option<OrderPlan>,
    /// How long an order of these rules waits for the other units of the group to show the same. None: as long as
    /// silences spread.
    pub wait: Option<Duration>,
    /// While one of these is true of an affected unit, it alone makes the incident.
    pub one_is_enough_if: Vec<Limit>,
    /// Its units' readiness is `unknown`: more likely that we are deaf than that they all died.
    pub doubts_hearing: bool,
}

/// When a unit that is in the fleet file begins to owe us tests.
pub fn in_service_since(unit: &Unit, first_heard: Option<Timestamp>) -> Option<Timestamp> {
    match (unit.commissioned, first_heard) {
        (Some(c), Some(f)) => Some(c.max(f)),
        (c, f) => f.or(c),
    }
}
