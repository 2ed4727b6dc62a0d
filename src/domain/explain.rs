//! How each rule stands for one unit: what `rules explain` shows. Owns the words for conditions. Never judges.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::words;
use super::fleet::{GroupKind, Unit};
use super::ids::{DiagnosisId, GroupName, OrderId, RuleId, UnitId};
use super::message::{CameraMode, Outcome};
use super::metric::plain_number;
use super::reason::Reason;
use super::rule::{Condition, Distance, ForecastLimit, MetricRef, OverdueFrom, Selection};
use super::severity::Severity;
use super::time::{Timestamp, span_text};
use super::{Component, Readiness};

/// All rules of the file for one unit, as of `at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    pub unit: UnitId,
    /// The latest moment that the engine has seen. None: nothing has happened yet.
    pub at: Option<Timestamp>,
    pub readiness: Readiness,
    pub reason: String,
    /// False: the monitor cannot hear, and silence proves nothing.
    pub hearing: bool,
    /// Its orders and mails are held back until then.
    pub maintenance_until: Option<Timestamp>,
    /// In the order of the file.
    pub rules: Vec<RuleState>,
    /// The `[[diagnosis]]` blocks that fit now.
    pub diagnoses: Vec<DiagnosisId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleState {
    pub rule: RuleId,
    pub component: Component,
    pub severity: Severity,
    pub state: Standing,
    /// Why the rule is not for this unit. None: it is.
    pub not_for: Option<String>,
    /// `not_for` in its parts, for a page in another language. None: it came as a sentence, or it is for the unit.
    #[serde(skip)]
    pub only_for: Option<OnlyFor>,
    /// Its limits are those of an override, counted from 1.
    pub override_no: Option<usize>,
    #[serde(rename = "for_s")]
    pub for_s: f64,
    pub clear_for_s: f64,
    /// Since when it is in this state.
    pub since: Option<Timestamp>,
    pub reason: Option<String>,
    /// `reason` in its parts, for a page in another language. None: it came as a sentence.
    #[serde(skip)]
    pub because: Option<Reason>,
    pub flapping: bool,
    /// The incident that holds its order back: `uplink fibre-a`.
    pub held_by: Option<String>,
    /// `held_by` in its parts.
    #[serde(skip)]
    pub incident: Option<(GroupKind, GroupName)>,
    /// When a pending alert fires or a clearing one is resolved, if nothing changes.
    pub due: Option<Timestamp>,
    /// When its order is written, if nothing changes.
    pub order_due: Option<Timestamp>,
    pub order: Option<OrderId>,
    /// Something explains its bad readings: they do not count, good ones clear (`unless`).
    pub excused: bool,
    /// All signs together must hold, or any one. None: there is one sign.
    pub together: Option<Together>,
    pub signs: Vec<SignView>,
}

words!(
    Standing {
        /// The rule is not for this unit.
        NotSelected = "not-selected",
        Inactive = "inactive",
        Pending = "pending",
        Firing = "firing",
        Clearing = "clearing",
        /// It fires, and an incident holds its order and mail back.
        Held = "held",
    }
);

words!(
    Together {
        All = "all",
        Any = "any",
        /// `all` and `any` inside each other.
        Nested = "nested",
    }
);

words!(
    Says {
        Holds = "holds",
        /// Between the limit and the clear limit.
        Between = "between",
        Not = "not",
        /// Nothing was heard that could tell.
        Unknown = "unknown",
    }
);

/// One sign of a condition with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignView {
    /// `battery.voltage below 11.6 V, clear above 12.6 V`
    pub asks: String,
    /// `asks` in its parts, for a page in another language. None: it came as a sentence.
    #[serde(skip)]
    pub sign: Option<Condition>,
    pub says: Says,
    pub figures: Vec<Figure>,
    /// When it holds, if nothing more is heard and nothing changes.
    pub due: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// `now`, `baseline`, `in a row`, `trend`, …
    pub what: String,
    pub text: String,
    /// `text` in its parts, for a page in another language. None: it came as a text.
    #[serde(skip)]
    pub told: Option<Told>,
}

impl Figure {
    pub fn new(what: &str, told: Told) -> Self {
        Figure { what: what.to_owned(), text: told.to_string(), told: Some(told) }
    }
}

/// What a figure tells. Values have their unit with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// And when it was measured, if it was.
    Value {
        value: String,
        at: Option<Timestamp>,
    },
    /// A commissioning value. Pictures by day and by infrared have one each.
    Learned {
        value: String,
        mode: Option<CameraMode>,
    },
    Change {
        by: String,
        within: Duration,
    },
    Tested {
        result: Outcome,
        code: Option<String>,
        at: Timestamp,
    },
    At(Timestamp),
    Span(Duration),
    OutOf {
        n: u32,
        of: u32,
    },
    /// The day on which the limit is reached.
    Foreseen {
        at: Timestamp,
        earliest: Timestamp,
        latest: Timestamp,
        confidence: u8,
    },
    NoTrend,
    NotLearned,
    NotKnown,
    Never,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Value { value, at: None } | Told::Learned { value, mode: None } => f.write_str(value),
            Told::Value { value, at: Some(at) } => write!(f, "{value}, at {at}"),
            Told::Learned { value, mode: Some(mode) } => write!(f, "{value} ({mode})"),
            Told::Change { by, within } => write!(f, "{by} within {}", span_text(*within)),
            Told::Tested { result, code: None, at } => write!(f, "{result}, at {at}"),
            Told::Tested { result, code: Some(code), at } => write!(f, "{result} ({code}), at {at}"),
            Told::At(at) => write!(f, "{at}"),
            Told::Span(span) => f.write_str(&span_text(*span)),
            Told::OutOf { n, of } => write!(f, "{n} of {of}"),
            Told::Foreseen { at, earliest, latest, confidence } => {
                let day = |t: &Timestamp| t.to_string().chars().take(10).collect::<String>();
                write!(f, "{} (between {} and {}, {confidence} % sure)", day(at), day(earliest), day(latest))
            }
            Told::NoTrend => f.write_str("none that can be trusted"),
            Told::NotLearned => f.write_str("not learned yet"),
            Told::NotKnown => f.write_str("not known"),
            Told::Never => f.write_str("never"),
        }
    }
}

/// A value of the metric as people read it.
pub fn figure_of(metric: &MetricRef, value: f64) -> String {
    match metric {
        MetricRef::Known(m) => m.figure(value),
        MetricRef::Vendor(_) => plain_number(value),
    }
}

pub fn name_of(metric: &MetricRef) -> String {
    match metric {
        MetricRef::Known(m) => m.name().to_owned(),
        MetricRef::Vendor(name) => format!("x.{name}"),
    }
}

/// One sign in words, limits included.
pub fn asks(condition: &Condition) -> String {
    match condition {
        Condition::Silent { kind, missed, slack } => {
            let slack = slack.map(|s| format!(" and {}", span_text(s))).unwrap_or_default();
            format!("no {kind} for {missed} intervals{slack}")
        }
        Condition::Threshold { metric, side, limit, clear, consecutive } => {
            let clear = if clear == limit {
                String::new()
            } else {
                format!(", clear {} {}", side.other(), figure_of(metric, *clear))
            };
            format!("{} {side} {}{}{clear}", name_of(metric), figure_of(metric, *limit), row(*consecutive))
        }
        Condition::Baseline { metric, side, limit, clear, consecutive } => {
            let far = |d: &Distance| distance(d, metric.facts().unit);
            let clear = if clear == limit { String::new() } else { format!(", clear at {}", far(clear)) };
            format!("{metric} {side} {} its commissioning value{}{clear}", far(limit), row(*consecutive))
        }
        Condition::Rate { metric, side, limit, per, over } => format!(
            "{} changes by {side} {} within {}, measured over {}",
            name_of(metric),
            figure_of(metric, *limit),
            span_text(*per),
            span_text(*over)
        ),
        Condition::Forecast { metric, side, limit, within, watch: _ } => {
            let limit = match limit {
                ForecastLimit::Fixed(limit) => metric.figure(*limit),
                ForecastLimit::Baseline(d) => format!("{} its commissioning value", distance(d, metric.facts().unit)),
            };
            format!("{metric} on its way to be {side} {limit} within {}", span_text(*within))
        }
        Condition::Result { test, is, consecutive } => format!("{test} test: {is}{}", row(*consecutive)),
        Condition::Count { event, at_least, within } => {
            let times = if *at_least == 1 { "once".to_owned() } else { format!("{at_least} times") };
            format!("{event} at least {times} within {}", span_text(*within))
        }
        Condition::Overdue { event, every, from } => {
            let from = match from {
                OverdueFrom::Service => "",
                OverdueFrom::Last => ", once there was one",
            };
            format!("no {event} for {}{from}", span_text(*every))
        }
        Condition::All(parts) => parts.iter().map(inner).collect::<Vec<_>>().join(" and "),
        Condition::Any(parts) => parts.iter().map(inner).collect::<Vec<_>>().join(" or "),
    }
}

fn inner(part: &Condition) -> String {
    if part.is_combined() { format!("({})", asks(part)) } else { asks(part) }
}

fn row(consecutive: u32) -> String {
    if consecutive > 1 { format!(", {consecutive} in a row") } else { String::new() }
}

fn distance(distance: &Distance, unit: &str) -> String {
    match distance {
        Distance::Share(share) => format!("{} % of", plain_number(share * 100.0)),
        Distance::Gap(gap) => format!("{} {unit} from", plain_number(*gap)),
    }
}

/// The part of `only` that leaves a unit out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlyFor {
    /// As alerts.toml has it: `unit`, `site_type`, `crew`, …
    pub key: &'static str,
    pub list: Vec<String>,
    /// What the unit has there; empty: nothing.
    pub has: String,
}

impl fmt::Display for OnlyFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only for {} {}; this unit has ", self.key, self.list.join(", "))?;
        if self.has.is_empty() { f.write_str("none") } else { write!(f, "{:?}", self.has) }
    }
}

/// Why `only` leaves this unit out. None: it does not.
pub fn why_not(only: &Selection, unit: &Unit) -> Option<OnlyFor> {
    let of = |o: Option<&str>| o.unwrap_or_default().to_owned();
    let keys: [(&str, &Vec<String>, String); 9] = [
        ("unit", &only.unit, unit.unit.to_string()),
        ("site", &only.site, unit.site.to_string()),
        ("site_type", &only.site_type, unit.site_type.to_string()),
        ("city", &only.city, unit.city.to_string()),
        ("district", &only.district, of(unit.district.as_ref().map(|d| d.as_str()))),
        ("crew", &only.crew, unit.crew.to_string()),
        ("uplink", &only.uplink, of(unit.uplink.as_ref().map(|d| d.as_str()))),
        ("feeder", &only.feeder, of(unit.feeder.as_ref().map(|d| d.as_str()))),
        ("model", &only.model, unit.model.to_string()),
    ];
    let left_out = keys.into_iter().find(|(_, list, has)| !list.is_empty() && !list.contains(has));
    left_out.map(|(key, list, has)| OnlyFor { key, list: list.clone(), has })
}

/// `2 h`, or nothing for zero.
pub fn span_or_nothing(seconds: f64) -> String {
    if seconds > 0.0 { span_text(Duration::from_secs_f64(seconds)) } else { String::new() }
}
