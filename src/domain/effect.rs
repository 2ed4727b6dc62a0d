//! All that the engine can decide. Each effect carries the deadline at which it became true and why.

use std::fmt;
use std::str::FromStr;

use super::component::{Component, words};
use super::fleet::GroupKind;
use super::ids::{GroupName, OrderId, RuleId, UnitId};
use super::message::Command;
use super::metric::Metric;
use super::notice::Notice;
use super::order::Order;
use super::readiness::Readiness;
use super::reason::Reason;
use super::severity::Severity;
use super::time::Timestamp;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    pub at: Timestamp,
    pub kind: EffectKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EffectKind {
    Readiness {
        unit: UnitId,
        from: Readiness,
        to: Readiness,
        reason: Reason,
    },
    Alert {
        unit: UnitId,
        rule: RuleId,
        component: Component,
        severity: Severity,
        state: AlertState,
        reason: Reason,
    },
    Incident {
        kind: GroupKind,
        name: GroupName,
        state: IncidentState,
        units: Vec<UnitId>,
        reason: Reason,
    },
    /// The order as it is after the change; the change is the last line of its history.
    Order(Box<Order>),
    /// An order whose evidence or priority grew without a change of state: kept, not told.
    OrderUpdated(Box<Order>),
    /// For the outbox.
    Mail(Box<Notice>),
    /// For the unit.
    Command {
        unit: UnitId,
        command: Command,
    },
    /// Only when asked for (`replay --readings`).
    Reading {
        unit: UnitId,
        metric: Metric,
        value: f64,
    },
    /// An instruction that could not be carried out. Nothing was changed.
    Refused {
        order: Option<OrderId>,
        why: String,
    },
}

words!(
    /// As the timeline says it.
    AlertState {
        Pending = "pending",
        Firing = "firing",
        /// Firing, but an incident holds its order and mail back.
        Inhibited = "inhibited",
        Resolved = "resolved",
    }
);

words!(
    IncidentState {
        Open = "open",
        Closed = "closed",
    }
);
