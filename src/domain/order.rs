//! Work orders: what a crew is asked to do, and everything that was said about it since.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::{Component, words};
use super::fleet::GroupKind;
use super::ids::{CrewId, GroupName, OrderId, RuleId, SiteId, UnitId};
use super::metric::Metric;
use super::reason::Reason;
use super::series::SeriesName;
use super::severity::Priority;
use super::time::Timestamp;

words!(
    /// ```text
    ///                    ┌──────────── 8 ────────────┐
    ///            ┌───────┴──────┐                    │
    ///  1 ──▶ opened ──2──▶ acknowledged ──3──▶ en-route ──4──▶ repaired ──5──▶ verified ──6──▶ closed
    ///            │                                              │                              │
    ///            └── 7 cleared before anyone acknowledged ─▶ closed   ◀── 9 test failed ──┘    │
    ///                                       reopened ◀──────────── 10 relapse within 7 days ───┘
    /// ```
    /// 1 the engine decides · 2, 3, 4 a person says so (steps may be skipped forward) · 5 every test of the component
    /// has passed since the repair and its alerts stayed resolved for the hold · 6 at once after 5 · 7 by itself ·
    /// 8 `cancelled`, from any open state, by a person · 9 back to `reopened` when a test of the component fails after
    /// "repaired", or the fault is still seen when the hold is over · 10 the same order again, counted. `reopened` moves on like `opened`.
    OrderState {
        Opened = "opened",
        Acknowledged = "acknowledged",
        EnRoute = "en-route",
        Repaired = "repaired",
        Verified = "verified",
        Closed = "closed",
        Reopened = "reopened",
        Cancelled = "cancelled",
    }
);

impl OrderState {
    pub fn is_open(self) -> bool {
        match self {
            OrderState::Opened
            | OrderState::Acknowledged
            | OrderState::EnRoute
            | OrderState::Repaired
            | OrderState::Verified
            | OrderState::Reopened => true,
            OrderState::Closed | OrderState::Cancelled => false,
        }
    }
}

/// What the order is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Unit { unit: UnitId, component: Component },
    Incident { kind: GroupKind, name: GroupName },
}

/// What may be broken, with how sure we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suspect {
    pub component: Component,
    /// Percent; the suspects of one order add up to 100.
    pub certainty: u8,
}

/// The readings that tell most of a fault: what a mail draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReading {
    pub series: SeriesName,
    /// What they are held against: a label, and the value in the series' own unit.
    pub limits: Vec<(String, f64)>,
}

/// One line of what speaks for an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The alert or the incident that it stands on.
    Seen { at: Timestamp, why: Reason },
    /// Another alert of the unit.
    Also { at: Timestamp, rule: RuleId, why: Reason },
    /// What else was measured. `new`: the commissioning value, if it is known.
    Reading { at: Timestamp, metric: Metric, value: f64, new: Option<f64> },
    /// How those fare that share a circuit with it. `dark`: on a feeder, those without mains.
    Others { at: Timestamp, kind: GroupKind, name: GroupName, of: usize, heard: usize, dark: Option<usize> },
    /// A sentence: so older programs kept it.
    #[serde(untagged)]
    Said(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Seen { at, why } => write!(f, "{at} {why}"),
            Evidence::Also { at, rule, why } => write!(f, "{at} {rule}: {why}"),
            Evidence::Reading { at, metric, value, new } => {
                write!(f, "{at} {metric} {}", metric.figure(*value))?;
                new.map_or(Ok(()), |new| write!(f, "; it was {} when new", metric.figure(new)))
            }
            Evidence::Others { at, kind, name, of, heard, dark } => {
                write!(f, "{at} of the {of} others on {kind} {name} {heard} are heard")?;
                dark.map_or(Ok(()), |dark| write!(f, ", {dark} without mains"))
            }
            Evidence::Said(text) => f.write_str(text),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    pub subject: Subject,
    pub priority: Priority,
    pub state: OrderState,
    pub crew: CrewId,
    /// None: an incident over several sites.
    pub site: Option<SiteId>,
    pub opened_at: Timestamp,
    /// None: at the next visit.
    pub due_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    /// What is wrong, in one sentence.
    pub summary: String,
    pub action: String,
    pub parts: Vec<String>,
    pub suspects: Vec<Suspect>,
    /// Oldest first.
    pub evidence: Vec<Evidence>,
    /// None: of a common cause, or nothing that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<OrderReading>,
    /// The rules whose alerts it stands on.
    pub rules: Vec<RuleId>,
    /// The units of its incident; empty for an order on one unit.
    pub units: Vec<UnitId>,
    /// How often it came back after it was closed.
    pub relapses: u32,
    pub flapping: bool,
    pub history: Vec<Change>,
}

/// One line of an order's history: who, when and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    pub state: OrderState,
    /// `buttonwatch`, or the person.
    pub by: String,
    pub why: Reason,
}
