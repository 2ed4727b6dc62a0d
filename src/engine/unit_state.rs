//! What the engine remembers of one unit. Small: a million of these are held at once. Never decides.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::message::{CameraMode, Kind, Outcome};
use crate::domain::rule::OverdueEvent;
use crate::domain::{Component, Metric, OrderId, Readiness, Reason, Timestamp, Version};

use super::clock::Clock;
use super::compiled::{IncidentIx, RuleIx};
use super::sequence::Sequence;

#[derive(Debug)]
pub(super) struct UnitState {
    pub presence: Presence,
    /// Any sign of life, by our clock.
    pub last_heard: Option<Timestamp>,
    pub first_heard: Option<Timestamp>,
    /// Only kinds that some silent rule watches, other than heartbeat.
    pub last_of_kind: Vec<(Kind, Timestamp)>,
    /// As the unit last said.
    pub interval: Option<Duration>,
    /// Silence deadlines that stand in the queue.
    pub armed: Vec<(RuleIx, Timestamp)>,
    pub sequence: Sequence,
    pub clock: Clock,
    /// Sorted by metric.
    pub readings: Vec<Reading>,
    /// Vendor metrics that some rule names.
    pub vendor: Vec<(Box<str>, f64, Timestamp)>,
    /// In the order first reported.
    pub tests: Vec<TestState>,
    pub last_selftest: Option<Timestamp>,
    pub proof_armed: bool,
    /// Violations in a row, for rules that ask for more than one.
    pub in_a_row: Vec<(RuleIx, u32)>,
    /// The newest events of each count rule, at most as many as it asks for.
    pub events: Vec<(RuleIx, VecDeque<Timestamp>)>,
    pub last_done: Vec<(OverdueEvent, Timestamp)>,
    pub alerts: Vec<Alert>,
    /// When alerts began to fire lately: what flapping is judged by.
    pub firings: Vec<(RuleIx, Timestamp)>,
    pub readiness: Readiness,
    pub readiness_since: Option<Timestamp>,
    pub readiness_reason: Reason,
    pub firmware: Option<Version>,
    pub hardware: Option<Version>,
    /// Changed since the last checkpoint.
    pub dirty: bool,
}

/// ```text
///   Never ──1──▶ Present ──2──▶ Silent ──1──▶ Present
///                   └────3────▶ Unknown ──1──▶ Present
///                                  └────4────▶ Silent
/// ```
/// 1 heard · 2 its deadline passed while we could hear · 3 its deadline passed while we were deaf · 4 we have heard
/// again for as long as the unit may be silent, and it was not among what we heard
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Presence {
    Never,
    Present,
    Silent,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub metric: Metric,
    pub value: f64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TestState {
    pub component: Component,
    pub result: Outcome,
    pub at: Timestamp,
    pub code: Option<Box<str>>,
    pub mode: Option<CameraMode>,
    pub last_pass: Option<Timestamp>,
}

/// ```text
///   (none) ──1──▶ Pending ──2──▶ Firing ◀──5── Clearing ──4──▶ (none: resolved)
///                    └──3──▶ (none)  └────6────▶ Clearing
/// ```
/// 1 the condition holds · 2 it held for `for` · 3 it did not last · 4 it was gone for `clear_for`, longer when the
/// alert flaps · 5 it holds again · 6 it is gone
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    pub rule: RuleIx,
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Timestamp,
    pub fired_at: Option<Timestamp>,
    /// Of the phase. None: nothing more happens by time alone.
    pub deadline: Option<Timestamp>,
    pub order_due: Option<Timestamp>,
    /// The incident that holds its order and mail back: rule and group.
    pub held_by: Option<(IncidentIx, u32)>,
    pub flapping: bool,
    pub reason: Reason,
    pub order: Option<OrderId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Pending,
    Firing,
    Clearing,
}

impl Alert {
    /// Its condition was held true long enough and not yet cleared.
    pub(super) fn is_active(&self) -> bool {
        match self.phase {
            Phase::Pending => false,
            Phase::Firing | Phase::Clearing => true,
        }
    }
}

impl Default for UnitState {
    fn default() -> Self {
        UnitState {
            presence: Presence::Never,
            last_heard: None,
            first_heard: None,
            last_of_kind: Vec::new(),
            interval: None,
            armed: Vec::new(),
            sequence: Sequence::default(),
            clock: Clock::default(),
            readings: Vec::new(),
            vendor: Vec::new(),
            tests: Vec::new(),
            last_selftest: None,
            proof_armed: false,
            in_a_row: Vec::new(),
            events: Vec::new(),
            last_done: Vec::new(),
            alerts: Vec::new(),
            firings: Vec::new(),
            readiness: Readiness::Unproven,
            readiness_since: None,
            readiness_reason: Reason::NeverPassed { missing: Vec::new() },
            firmware: None,
            hardware: None,
            dirty: false,
        }
    }
}

impl UnitState {
    pub(super) fn alert(&self, rule: RuleIx) -> Option<&Alert> {
        self.alerts.iter().find(|a| a.rule == rule)
    }
    pub(super) fn alert_mut(&mut self, rule: RuleIx) -> Option<&mut Alert> {
        self.alerts.iter_mut().find(|a| a.rule == rule)
    }
    pub(super) fn is_active(&self, rule: RuleIx) -> bool {
        self.alert(rule).is_some_and(Alert::is_active)
    }
    /// False: a newer reading of this metric is known.
    pub(super) fn store_reading(&mut self, metric: Metric, value: f64, at: Timestamp) -> bool {
        match self.readings.binary_search_by_key(&metric, |r| r.metric) {
            Ok(i) => {
                let reading = &mut self.readings[i];
                if at < reading.at {
                    return false;
                }
                reading.value = value;
                reading.at = at;
            }
            Err(i) => self.readings.insert(i, Reading { metric, value, at }),
        }
        true
    }
    pub(super) fn reading(&self, metric: Metric) -> Option<&Reading> {
        self.readings.binary_search_by_key(&metric, |r| r.metric).ok().map(|i| &self.readings[i])
    }
    pub(super) fn done_at(&self, event: OverdueEvent) -> Option<Timestamp> {
        self.last_done.iter().find(|(e, _)| *e == event).map(|(_, at)| *at)
    }
    /// Violations in a row after this one; `hit` false ends the row.
    pub(super) fn count_in_a_row(&mut self, rule: RuleIx, hit: bool) -> u32 {
        let found = self.in_a_row.iter().position(|(r, _)| *r == rule);
        match (found, hit) {
            (Some(i), true) => {
                self.in_a_row[i].1 = self.in_a_row[i].1.saturating_add(1);
                self.in_a_row[i].1
            }
            (None, true) => {
                self.in_a_row.push((rule, 1));
                1
            }
            (Some(i), false) => {
                self.in_a_row.swap_remove(i);
                0
            }
            (None, false) => 0,
        }
    }
}
