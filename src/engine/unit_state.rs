//! What the engine remembers of one unit. Small: a million of these are held at once. Never decides.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::domain::message::{CameraMode, Kind};
use crate::domain::rule::OverdueEvent;
use crate::domain::{Component, GroupKind, Metric, OrderId, Readiness, Reason, SharedText, Timestamp};

use super::baseline::Baselines;
use super::clock::Clock;
use super::compiled::{IncidentIx, Leaf, RuleIx};
use super::measured::Measured;
use super::sequence::Sequence;
use super::sign::SignState;
use super::supply::Supply;
use super::trend::Series;

#[derive(Debug)]
pub(super) struct UnitState {
    pub presence: Presence,
    pub readiness: Readiness,
    pub proof_armed: bool,
    /// Changed since the last checkpoint.
    pub dirty: bool,
    /// As the unit last said.
    pub interval: Option<Interval>,
    /// Any sign of life, by our clock.
    pub last_heard: Option<Timestamp>,
    pub first_heard: Option<Timestamp>,
    /// The presence deadline that stands in the queue.
    pub armed: Option<Timestamp>,
    pub sequence: Sequence,
    pub clock: Clock,
    pub measured: Measured,
    pub last_selftest: Option<Timestamp>,
    /// What rates and forecasts are drawn from.
    pub series: ThinVec<(Leaf, Series)>,
    pub baselines: Baselines,
    /// Battery and mains. None: it never spoke of them.
    pub supply: Option<Box<Supply>>,
    pub last_press_test: Option<Timestamp>,
    pub alerts: ThinVec<Alert>,
    pub readiness_since: Option<Timestamp>,
    /// None: ready, or never heard, and that says it.
    pub readiness_reason: Option<Box<Reason>>,
    pub firmware: Option<SharedText>,
    pub hardware: Option<SharedText>,
    /// None: nothing of it.
    pub seldom: Option<Box<Seldom>>,
}

/// What few units have, or need only under some rules.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Only kinds that some silent rule watches, other than heartbeat.
    pub last_of_kind: ThinVec<(Kind, Timestamp)>,
    /// Silence deadlines that stand in the queue, other than the presence rule's.
    pub armed: ThinVec<(Leaf, Timestamp)>,
    /// Vendor metrics that some rule names.
    pub vendor: ThinVec<(Box<str>, f64, Timestamp)>,
    /// What a test said when it did not pass.
    pub codes: ThinVec<(Component, Box<str>)>,
    /// Violations in a row, for rules that ask for more than one.
    pub in_a_row: ThinVec<(Leaf, u32)>,
    /// The newest events of each count rule, at most as many as it asks for.
    pub events: ThinVec<(Leaf, VecDeque<Timestamp>)>,
    /// What combined conditions know of their signs.
    pub signs: ThinVec<SignState>,
    /// When alerts began to fire lately: what flapping is judged by.
    pub firings: ThinVec<(RuleIx, Timestamp)>,
    /// Only kept when some diagnosis looks at it.
    pub last_boot: Option<Timestamp>,
}

impl Seldom {
    pub(super) fn is_empty(&self) -> bool {
        let Seldom { last_of_kind, armed, vendor, codes, in_a_row, events, signs, firings, last_boot } = self;
        last_of_kind.is_empty()
            && armed.is_empty()
            && vendor.is_empty()
            && codes.is_empty()
            && in_a_row.is_empty()
            && events.is_empty()
            && signs.is_empty()
            && firings.is_empty()
            && last_boot.is_none()
    }
}

static NOTHING: LazyLock<Seldom> = LazyLock::new(Seldom::default);

/// How often a unit reports: milliseconds, in four bytes with its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval(NonZeroU32);

impl Interval {
    /// None: not between a millisecond and seven weeks.
    pub(super) fn from_secs(s: f64) -> Option<Interval> {
        // `as` clamps, and makes zero of what is no number.
        NonZeroU32::new((s * 1000.0).round() as u32).map(Interval)
    }
    pub(super) fn span(self) -> Duration {
        Duration::from_millis(u64::from(self.0.get()))
    }
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
            readiness: Readiness::Unproven,
            proof_armed: false,
            dirty: false,
            interval: None,
            last_heard: None,
            first_heard: None,
            armed: None,
            sequence: Sequence::default(),
            clock: Clock::default(),
            measured: Measured::default(),
            last_selftest: None,
            series: ThinVec::new(),
            baselines: Baselines::default(),
            supply: None,
            last_press_test: None,
            alerts: ThinVec::new(),
            readiness_since: None,
            readiness_reason: None,
            firmware: None,
            hardware: None,
            seldom: None,
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
    pub(super) fn seldom(&self) -> &Seldom {
        self.seldom.as_deref().unwrap_or_else(|| &NOTHING)
    }
    pub(super) fn seldom_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }
    pub(super) fn done_at(&self, event: OverdueEvent) -> Option<Timestamp> {
        match event {
            OverdueEvent::Selftest => self.last_selftest,
            OverdueEvent::PressTest => self.last_press_test,
        }
    }
    pub(super) fn baseline(&self, metric: Metric, mode: Option<CameraMode>) -> Option<f64> {
        Some(self.baselines.baseline(metric, mode)?.value)
    }
    /// What the newest test of this component said beside its result.
    pub(super) fn code(&self, component: Component) -> Option<&str> {
        self.seldom().codes.iter().find(|(c, _)| *c == component).map(|(_, code)| &**code)
    }
    pub(super) fn set_code(&mut self, component: Component, code: Option<&str>) {
        if code.is_none() && self.seldom.is_none() {
            return;
        }
        let codes = &mut self.seldom_mut().codes;
        codes.retain(|(c, _)| *c != component);
        codes.extend(code.map(|code| (component, code.into())));
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
        if !hit && self.seldom.is_none() {
            return 0;
        }
        let rows = &mut self.seldom_mut().in_a_row;
        let found = rows.iter().position(|(l, _)| *l == leaf);
        match (found, hit) {
            (Some(i), true) => {
                rows[i].1 = rows[i].1.saturating_add(1);
                rows[i].1
            }
            (None, true) => {
                rows.reserve_exact(1);
                rows.push((leaf, 1));
                1
            }
            (Some(i), false) => {
                rows.swap_remove(i);
                0
            }
            (None, false) => 0,
        }
    }
}
