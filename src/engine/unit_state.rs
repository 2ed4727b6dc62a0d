//! What the engine remembers of one unit. Small: a million of these are held at once. Never decides.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::domain::message::{CameraMode, Kind, Outcome};
use crate::domain::rule::OverdueEvent;
use crate::domain::{Component, GroupKind, Metric, OrderId, Readiness, Reason, Timestamp, Version};

use super::baseline::Baselines;
use super::clock::Clock;
use super::compiled::{IncidentIx, Leaf, RuleIx};
use super::sequence::Sequence;
use super::sign::SignState;
use super::supply::Supply;
use super::trend::Series;

#[derive(Debug)]
pub(super) struct UnitState {
    pub presence: Presence,
    /// Any sign of life, by our clock.
    pub last_heard: Option<Timestamp>,
    pub first_heard: Option<Timestamp>,
    /// Only kinds that some silent rule watches, other than heartbeat.
    pub last_of_kind: ThinVec<(Kind, Timestamp)>,
    /// As the unit last said.
    pub interval: Option<Duration>,
    /// Silence deadlines that stand in the queue.
    pub armed: ThinVec<(Leaf, Timestamp)>,
    pub sequence: Sequence,
    pub clock: Clock,
    /// Sorted by metric.
    pub readings: ThinVec<Reading>,
    /// Vendor metrics that some rule names.
    pub vendor: ThinVec<(Box<str>, f64, Timestamp)>,
    /// In the order first reported.
    pub tests: ThinVec<TestState>,
    pub last_selftest: Option<Timestamp>,
    pub proof_armed: bool,
    /// Violations in a row, for rules that ask for more than one.
    pub in_a_row: ThinVec<(Leaf, u32)>,
    /// The newest events of each count rule, at most as many as it asks for.
    pub events: ThinVec<(Leaf, VecDeque<Timestamp>)>,
    /// What combined conditions know of their signs.
    pub signs: ThinVec<SignState>,
    /// What rates and forecasts are drawn from.
    pub series: ThinVec<(Leaf, Series)>,
    pub baselines: Option<Box<Baselines>>,
    /// Battery and mains. None: it never spoke of them.
    pub supply: Option<Box<Supply>>,
    /// Only kept when some diagnosis looks at it.
    pub last_boot: Option<Timestamp>,
    pub last_done: ThinVec<(OverdueEvent, Timestamp)>,
    pub alerts: ThinVec<Alert>,
    /// When alerts began to fire lately: what flapping is judged by.
    pub firings: ThinVec<(RuleIx, Timestamp)>,
    pub readiness: Readiness,
    pub readiness_since: Option<Timestamp>,
    /// None: ready, and that says it.
    pub readiness_reason: Option<Box<Reason>>,
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

/// 16 bytes: two dozen of them are most of what a unit takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub at: Timestamp,
    value: f32,
    pub metric: Metric,
}

impl Reading {
    pub(super) fn new(metric: Metric, value: f64, at: Timestamp) -> Self {
        Reading { at, value: value as f32, metric }
    }
    /// As it was written: `11.42`, not the 11.420000076 that lies nearest in single precision.
    pub(super) fn value(&self) -> f64 {
        self.value.to_string().parse().expect("Rust reads the floats it writes")
    }
    fn renew(&mut self, value: f64, at: Timestamp) {
        (self.value, self.at) = (value as f32, at);
    }
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
    /// When its condition first held.
    pub began: Timestamp,
    /// When something last said that it holds.
    pub seen: Timestamp,
    /// Since when it is in this phase.
    pub since: Timestamp,
    pub fired_at: Option<Timestamp>,
    /// Of the phase. None: nothing more happens by time alone.
    pub deadline: Option<Timestamp>,
    pub order_due: Option<Timestamp>,
    /// The incident that holds its order and mail back: rule and group.
    pub held_by: Option<(IncidentIx, u32)>,
    pub flapping: bool,
    /// For which kinds of common cause it speaks, decided when it fired.
    pub counts: GroupKinds,
    pub reason: Reason,
    pub order: Option<OrderId>,
}

/// A set of kinds of group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct GroupKinds(u8);

impl GroupKinds {
    pub(super) fn insert(&mut self, kind: GroupKind) {
        self.0 |= 1 << kind as u8;
    }
    pub(super) fn contains(self, kind: GroupKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
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
            last_of_kind: ThinVec::new(),
            interval: None,
            armed: ThinVec::new(),
            sequence: Sequence::default(),
            clock: Clock::default(),
            readings: ThinVec::new(),
            vendor: ThinVec::new(),
            tests: ThinVec::new(),
            last_selftest: None,
            proof_armed: false,
            in_a_row: ThinVec::new(),
            events: ThinVec::new(),
            signs: ThinVec::new(),
            series: ThinVec::new(),
            baselines: None,
            supply: None,
            last_boot: None,
            last_done: ThinVec::new(),
            alerts: ThinVec::new(),
            firings: ThinVec::new(),
            readiness: Readiness::Unproven,
            readiness_since: None,
            readiness_reason: Some(Box::new(Reason::NeverPassed { missing: Vec::new() })),
            firmware: None,
            hardware: None,
            dirty: false,
        }
    }
}

/// Lists that reach their size within a day and keep it: doubling would leave half of it empty, a million times.
pub(super) fn grow_little<T>(list: &mut ThinVec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(2);
    }
}

impl UnitState {
    pub(super) fn alert(&self, rule: RuleIx) -> Option<&Alert> {
        self.alerts.iter().find(|a| a.rule == rule)
    }
    pub(super) fn alert_mut(&mut self, rule: RuleIx) -> Option<&mut Alert> {
        self.alerts.iter_mut().find(|a| a.rule == rule)
    }
    /// False: a newer reading of this metric is known.
    pub(super) fn store_reading(&mut self, metric: Metric, value: f64, at: Timestamp) -> bool {
        match self.readings.binary_search_by_key(&metric, |r| r.metric) {
            Ok(i) => {
                let reading = &mut self.readings[i];
                if at < reading.at {
                    return false;
                }
                reading.renew(value, at);
            }
            Err(i) => {
                grow_little(&mut self.readings);
                self.readings.insert(i, Reading::new(metric, value, at));
            }
        }
        true
    }
    pub(super) fn reading(&self, metric: Metric) -> Option<&Reading> {
        self.readings.binary_search_by_key(&metric, |r| r.metric).ok().map(|i| &self.readings[i])
    }
    pub(super) fn done_at(&self, event: OverdueEvent) -> Option<Timestamp> {
        self.last_done.iter().find(|(e, _)| *e == event).map(|(_, at)| *at)
    }
    pub(super) fn baseline(&self, metric: Metric, mode: Option<CameraMode>) -> Option<f64> {
        Some(self.baselines.as_ref()?.baseline(metric, mode)?.value)
    }
    pub(super) fn series_mut(&mut self, leaf: Leaf, fresh: impl FnOnce() -> Series) -> &mut Series {
        let slot = match self.series.iter().position(|(l, _)| *l == leaf) {
            Some(slot) => slot,
            None => {
                // A series is the largest thing a unit has, and few rules ask for one.
                self.series.reserve_exact(1);
                self.series.push((leaf, fresh()));
                self.series.len() - 1
            }
        };
        &mut self.series[slot].1
    }
    /// Violations in a row after this one; `hit` false ends the row.
    pub(super) fn count_in_a_row(&mut self, leaf: Leaf, hit: bool) -> u32 {
        let found = self.in_a_row.iter().position(|(l, _)| *l == leaf);
        match (found, hit) {
            (Some(i), true) => {
                self.in_a_row[i].1 = self.in_a_row[i].1.saturating_add(1);
                self.in_a_row[i].1
            }
            (None, true) => {
                grow_little(&mut self.in_a_row);
                self.in_a_row.push((leaf, 1));
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
