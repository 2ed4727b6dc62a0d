//! The engine's whole state as text, and back: a restored engine and one that never stopped decide the same.
//! Never touches a file.
//!
//! JSON with names, not places: rules and fleet may have changed in between, and an operator can read it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::domain::event::MaintenanceScope;
use crate::domain::message::{CameraMode, Kind, Outcome};
use crate::domain::rule::Condition;
use crate::domain::text::Pool;
use crate::domain::{
    AlertState, Component, Effect, Fleet, GroupName, IncidentRuleId, Metric, Order, OrderId, OrderState, Readiness,
    Reason, Recipient, RuleId, RuleSet, Settings, Subject, Timestamp, UnitId, UnitIx,
};

use super::baseline::Baselines;
use super::clock::Clock;
use super::compiled::{IncidentIx, Leaf, RuleIx};
use super::dispatch::Desk;
use super::incident::OpenIncident;
use super::measured::{Measured, Test};
use super::schedule::Schedule;
use super::sequence::Sequence;
use super::sign::{SignState, Verdict};
use super::supply::Supply;
use super::timer::Timer;
use super::trend::Series;
use super::unit_state::{Alert, GroupKinds, Interval, Phase, Presence, Seldom, UnitState};
use super::work_order::{CaseKey, OrderLife, OrderRecord};
use super::{Engine, HearingState};

/// Raised when an older program could not read what this one writes, or this one not what an older wrote.
const VERSION: u32 = 3;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Saved {
    /// Everything that is not of one unit.
    pub global: String,
    /// JSON of each unit.
    pub units: Vec<(UnitId, String)>,
}

/// A saved state that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedError {
    pub part: String,
    pub why: String,
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the saved state of {} cannot be read: {}; restore a backup", self.part, self.why)
    }
}

impl std::error::Error for SavedError {}

#[derive(Serialize, Deserialize)]
struct SavedGlobal {
    version: u32,
    now: Option<Timestamp>,
    hearing: HearingState,
    next_order: u32,
    orders: Vec<SavedOrder>,
    maintenance: Vec<(MaintenanceScope, Timestamp)>,
    groups: Vec<SavedGroup>,
    #[serde(default)]
    feeders: Vec<SavedFeeder>,
    #[serde(default)]
    desks: Vec<(Recipient, Desk)>,
}

/// Of a state that cannot be read: who wrote it?
#[derive(Deserialize)]
struct SavedVersion {
    version: u32,
}

fn check_version(version: u32) -> Result<(), SavedError> {
    let by = match version.cmp(&VERSION) {
        Ordering::Equal => return Ok(()),
        Ordering::Greater => "a newer program",
        Ordering::Less => "a program from before the first release, which this one cannot take over from",
    };
    let why = format!("it was written by {by} (state version {version}, this program's is {VERSION})");
    Err(SavedError { part: "the service".to_owned(), why })
}

#[derive(Serialize, Deserialize)]
struct SavedOrder {
    order: Order,
    life: OrderLife,
}

#[derive(Serialize, Deserialize)]
struct SavedGroup {
    rule: IncidentRuleId,
    name: GroupName,
    settles_at: Option<Timestamp>,
    open: Option<SavedIncident>,
}

#[derive(Serialize, Deserialize)]
struct SavedIncident {
    since: Timestamp,
    units: Vec<UnitId>,
    order_due: Option<Timestamp>,
    order: Option<OrderId>,
    reason: Reason,
    doubted: (usize, usize),
}

/// A rule, and the number of the sign when its condition is combined.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SavedLeaf {
    Whole(RuleId),
    Sign(RuleId, u8),
}

#[derive(Serialize, Deserialize)]
struct SavedFeeder {
    name: GroupName,
    cut_since: Option<Timestamp>,
    #[serde(default)]
    lit_since: Option<Timestamp>,
    sighted: bool,
    schedule: Schedule,
}

#[derive(Serialize, Deserialize)]
struct SavedUnit {
    presence: Presence,
    last_heard: Option<Timestamp>,
    first_heard: Option<Timestamp>,
    last_of_kind: Vec<(Kind, Timestamp)>,
    interval_s: Option<f64>,
    /// Its presence deadline stands.
    armed: bool,
    armed_others: Vec<SavedLeaf>,
    sequence: Sequence,
    clock: Clock,
    readings: Vec<(Metric, f64, Timestamp)>,
    vendor: Vec<(Box<str>, f64, Timestamp)>,
    tests: Vec<SavedTest>,
    last_selftest: Option<Timestamp>,
    proof_armed: bool,
    in_a_row: Vec<(SavedLeaf, u32)>,
    events: Vec<(SavedLeaf, VecDeque<Timestamp>)>,
    #[serde(default)]
    signs: Vec<(SavedLeaf, Verdict, Reason)>,
    #[serde(default)]
    series: Vec<(SavedLeaf, Series)>,
    #[serde(default)]
    baselines: Baselines,
    #[serde(default)]
    supply: Option<Box<Supply>>,
    #[serde(default)]
    last_boot: Option<Timestamp>,
    last_press_test: Option<Timestamp>,
    alerts: Vec<SavedAlert>,
    firings: Vec<(RuleId, Timestamp)>,
    readiness: Readiness,
    readiness_since: Option<Timestamp>,
    readiness_reason: Option<Reason>,
    firmware: Option<Box<str>>,
    hardware: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
struct SavedTest {
    component: Component,
    result: Outcome,
    at: Timestamp,
    code: Option<Box<str>>,
    mode: Option<CameraMode>,
    last_pass: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct SavedAlert {
    rule: RuleId,
    phase: Phase,
    #[serde(default)]
    began: Option<Timestamp>,
    #[serde(default)]
    seen: Option<Timestamp>,
    since: Timestamp,
    fired_at: Option<Timestamp>,
    deadline: Option<Timestamp>,
    order_due: Option<Timestamp>,
    held_by: Option<(IncidentRuleId, GroupName)>,
    flapping: bool,
    #[serde(default)]
    counts: GroupKinds,
    reason: Reason,
    order: Option<OrderId>,
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("saved state has text keys only")
}

impl Engine {
    /// What has changed since the last call, for a checkpoint.
    pub fn save_dirty(&mut self) -> Saved {
        let dirty: BTreeSet<UnitIx> = std::mem::take(&mut self.dirty).into_iter().collect();
        for unit in &dirty {
            self.units[unit.index()].dirty = false;
        }
        Saved { global: self.save_global(), units: dirty.into_iter().map(|u| self.save_unit(u)).collect() }
    }

    /// Everything.
    pub fn save(&self) -> Saved {
        let all = (0..self.units.len()).map(|i| self.save_unit(UnitIx(i as u32)));
        Saved { global: self.save_global(), units: all.collect() }
    }

    fn save_global(&self) -> String {
        let groups = self.groups.all().filter(|(_, _, g)| g.open.is_some() || g.settles_at.is_some());
        let global = SavedGlobal {
            version: VERSION,
            now: self.now,
            hearing: self.hearing,
            next_order: self.next_order,
            orders: self.orders.values().map(|r| SavedOrder { order: r.order.clone(), life: r.life.clone() }).collect(),
            maintenance: self.maintenance.iter().map(|(s, u)| (s.clone(), *u)).collect(),
            desks: self.desks.iter().map(|(reader, desk)| (reader.clone(), desk.clone())).collect(),
            groups: groups
                .map(|(i, _, g)| SavedGroup {
                    rule: self.rules.incident(i).id.clone(),
                    name: g.name.clone(),
                    settles_at: g.settles_at,
                    open: g.open.as_ref().map(|o| SavedIncident {
                        since: o.since,
                        units: self.ids(&o.units),
                        order_due: o.order_due,
                        order: o.order,
                        reason: o.reason.clone(),
                        doubted: o.doubted,
                    }),
                })
                .collect(),
            feeders: self
                .feeders
                .all()
                .iter()
                .filter(|f| f.sighted || f.cut_since.is_some() || f.schedule != Schedule::default())
                .map(|f| SavedFeeder {
                    name: f.name.clone(),
                    cut_since: f.cut_since,
                    lit_since: f.lit_since,
                    sighted: f.sighted,
                    schedule: f.schedule.clone(),
                })
                .collect(),
        };
        json(&global)
    }

    fn save_unit(&self, unit: UnitIx) -> (UnitId, String) {
        let s = &self.units[unit.index()];
        let seldom = s.seldom();
        let id = |rule: RuleIx| self.rules.rule(rule).id.clone();
        let place = |leaf: &Leaf| match leaf.n {
            0 => SavedLeaf::Whole(id(leaf.rule)),
            n => SavedLeaf::Sign(id(leaf.rule), n),
        };
        let saved = SavedUnit {
            presence: s.presence,
            last_heard: s.last_heard,
            first_heard: s.first_heard,
            last_of_kind: seldom.last_of_kind.to_vec(),
            interval_s: s.interval.map(|i| i.span().as_secs_f64()),
            armed: s.armed.is_some(),
            armed_others: seldom.armed.iter().map(|(l, _)| place(l)).collect(),
            sequence: s.sequence.clone(),
            clock: s.clock.clone(),
            readings: s.measured.readings().map(|r| (r.metric, r.value, r.at)).collect(),
            vendor: seldom.vendor.to_vec(),
            tests: s
                .measured
                .tests()
                .map(|t| SavedTest {
                    component: t.component,
                    result: t.result,
                    at: t.at,
                    code: s.code(t.component).map(Into::into),
                    mode: t.mode,
                    last_pass: t.last_pass,
                })
                .collect(),
            last_selftest: s.last_selftest,
            proof_armed: s.proof_armed,
            in_a_row: seldom.in_a_row.iter().map(|(l, n)| (place(l), *n)).collect(),
            events: seldom.events.iter().map(|(l, e)| (place(l), e.clone())).collect(),
            signs: seldom.signs.iter().map(|s| (place(&s.leaf), s.verdict, s.reason.clone())).collect(),
            series: s.series.iter().map(|(l, series)| (place(l), series.clone())).collect(),
            baselines: s.baselines.clone(),
            supply: s.supply.clone(),
            last_boot: seldom.last_boot,
            last_press_test: s.last_press_test,
            alerts: s
                .alerts
                .iter()
                .map(|a| SavedAlert {
                    rule: id(a.rule),
                    phase: a.phase,
                    began: Some(a.began),
                    seen: Some(a.seen),
                    since: a.since,
                    fired_at: a.fired_at,
                    deadline: a.deadline,
                    order_due: a.order_due,
                    counts: a.counts,
                    held_by: a
                        .held_by
                        .map(|(i, g)| (self.rules.incident(i).id.clone(), self.groups.get(i, g).name.clone())),
                    flapping: a.flapping,
                    reason: a.reason.clone(),
                    order: a.order,
                })
                .collect(),
            firings: seldom.firings.iter().map(|(r, t)| (id(*r), *t)).collect(),
            readiness: s.readiness,
            readiness_since: s.readiness_since,
            readiness_reason: s.readiness_reason.as_deref().cloned(),
            firmware: s.firmware.as_deref().map(Into::into),
            hardware: s.hardware.as_deref().map(Into::into),
        };
        (self.fleet.unit(unit).unit.clone(), json(&saved))
    }

    /// As it was. Units that are no longer in the fleet and rules that no longer exist are left out; to end what they
    /// had begun, restore with the old ones and call [`Engine::reload`].
    /// Err: the text is not what `save` wrote.
    pub fn restore(rules: RuleSet, fleet: Fleet, settings: Settings, saved: &Saved) -> Result<Engine, SavedError> {
        let mut engine = Engine::new(rules, fleet, settings);
        let bad = |part: &str, why: serde_json::Error| SavedError { part: part.to_owned(), why: why.to_string() };
        // First, and once: of another program's state not even the shape may be the same.
        let global = match saved.global.as_str() {
            "" => None,
            text => Some(serde_json::from_str::<SavedGlobal>(text).map_err(|e| {
                let version = serde_json::from_str::<SavedVersion>(text).map(|v| check_version(v.version));
                version.unwrap_or(Ok(())).err().unwrap_or_else(|| bad("the service", e))
            })?),
        };
        if let Some(global) = &global {
            check_version(global.version)?;
        }
        for (id, text) in &saved.units {
            let Some(unit) = engine.fleet.find(id.as_str()) else { continue };
            let s: SavedUnit = serde_json::from_str(text).map_err(|e| bad(id.as_str(), e))?;
            engine.restore_unit(unit, s);
        }
        if let Some(global) = global {
            engine.restore_global(global);
        }
        engine.arm_restored();
        Ok(engine)
    }

    fn restore_unit(&mut self, unit: UnitIx, s: SavedUnit) {
        let rules = self.rules.clone();
        let groups: BTreeMap<(IncidentRuleId, GroupName), (IncidentIx, u32)> = if s.alerts.is_empty() {
            BTreeMap::new()
        } else {
            self.groups
                .all()
                .map(|(i, g, group)| ((rules.incident(i).id.clone(), group.name.clone()), (i, g)))
                .collect()
        };
        let find = |id: &RuleId| rules.find(id).filter(|r| rules.demand(*r, unit).is_some());
        let place = |leaf: &SavedLeaf| {
            let (id, n) = match leaf {
                SavedLeaf::Whole(id) => (id, 0),
                SavedLeaf::Sign(id, n) => (id, *n),
            };
            let leaf = Leaf { rule: find(id)?, n };
            // A condition that lost signs in the meantime has no such place.
            rules.sign(leaf, unit).map(|_| leaf)
        };
        let alerts: ThinVec<Alert> = s
            .alerts
            .into_iter()
            .filter_map(|a| {
                Some(Alert {
                    rule: find(&a.rule)?,
                    phase: a.phase,
                    began: a.began.unwrap_or(a.since),
                    seen: a.seen.unwrap_or(a.since),
                    since: a.since,
                    fired_at: a.fired_at,
                    deadline: a.deadline,
                    order_due: a.order_due,
                    counts: a.counts,
                    held_by: a.held_by.and_then(|key| groups.get(&key).copied()),
                    flapping: a.flapping,
                    reason: a.reason,
                    order: a.order,
                })
            })
            .collect();
        let mut measured = Measured::default();
        for (metric, value, at) in s.readings {
            let _ = measured.at(at).store(metric, value);
        }
        let mut codes = ThinVec::new();
        for t in s.tests {
            codes.extend(t.code.map(|code| (t.component, code)));
            let (component, result, at) = (t.component, t.result, t.at);
            measured.keep_test(Test { component, result, at, mode: t.mode, last_pass: t.last_pass });
        }
        let seldom = Seldom {
            last_of_kind: s.last_of_kind.into(),
            // Deadlines are worked out anew by `arm_restored`.
            armed: s.armed_others.iter().filter_map(|leaf| Some((place(leaf)?, Timestamp::MIN))).collect(),
            vendor: s.vendor.into(),
            codes,
            in_a_row: s.in_a_row.into_iter().filter_map(|(l, n)| Some((place(&l)?, n))).collect(),
            events: s.events.into_iter().filter_map(|(l, e)| Some((place(&l)?, e))).collect(),
            signs: s
                .signs
                .into_iter()
                .filter_map(|(l, verdict, reason)| Some(SignState { leaf: place(&l)?, verdict, reason }))
                .collect(),
            firings: s.firings.into_iter().filter_map(|(r, t)| Some((find(&r)?, t))).collect(),
            last_boot: s.last_boot,
        };
        let shared = |text: Option<Box<str>>, versions: &mut Pool| text.map(|text| versions.get(&text));
        self.units[unit.index()] = UnitState {
            presence: s.presence,
            readiness: s.readiness,
            proof_armed: s.proof_armed,
            dirty: false,
            interval: s.interval_s.and_then(Interval::from_secs),
            last_heard: s.last_heard,
            first_heard: s.first_heard,
            armed: s.armed.then_some(Timestamp::MIN),
            sequence: s.sequence,
            clock: s.clock,
            measured,
            last_selftest: s.last_selftest,
            series: s.series.into_iter().filter_map(|(l, series)| Some((place(&l)?, series))).collect(),
            baselines: s.baselines,
            supply: s.supply,
            last_press_test: s.last_press_test,
            alerts,
            readiness_since: s.readiness_since,
            readiness_reason: s.readiness_reason.map(Box::new),
            firmware: shared(s.firmware, &mut self.versions),
            hardware: shared(s.hardware, &mut self.versions),
            seldom: (!seldom.is_empty()).then(|| Box::new(seldom)),
        };
    }

    fn restore_global(&mut self, g: SavedGlobal) {
        self.now = g.now;
        self.hearing = g.hearing;
        self.next_order = g.next_order;
        self.maintenance = g.maintenance.into_iter().collect();
        self.desks = g.desks.into_iter().collect();
        for SavedOrder { order, life } in g.orders {
            let case = match &order.subject {
                Subject::Unit { unit, component } => {
                    let Some(ix) = self.fleet.find(unit.as_str()) else { continue };
                    match life.visit {
                        true => CaseKey::Visit(self.fleet.unit(ix).site.clone(), *component),
                        false => CaseKey::Unit(ix, *component),
                    }
                }
                Subject::Incident { kind, name } => CaseKey::Incident(*kind, name.clone()),
            };
            // In the order of their numbers, so the newest of a case stands.
            self.cases.insert(case.clone(), order.id);
            self.orders.insert(order.id, OrderRecord { order, case, life });
        }
        for saved in g.feeders {
            if let Some(feeder) = self.feeders.find_mut(&saved.name) {
                feeder.cut_since = saved.cut_since;
                feeder.lit_since = saved.lit_since;
                feeder.sighted = saved.sighted;
                feeder.schedule = saved.schedule;
            }
        }
        for saved in g.groups {
            let found = self
                .groups
                .all()
                .find(|(i, _, g)| self.rules.incident(*i).id == saved.rule && g.name == saved.name)
                .map(|(i, g, _)| (i, g));
            let Some((incident, group)) = found else { continue };
            let units = |list: Vec<UnitId>| list.iter().filter_map(|u| self.fleet.find(u.as_str())).collect();
            let open = saved.open.map(|o| OpenIncident {
                since: o.since,
                units: units(o.units),
                order_due: o.order_due,
                order: o.order,
                reason: o.reason,
                doubted: o.doubted,
            });
            let g = self.groups.get_mut(incident, group);
            g.settles_at = saved.settles_at;
            g.open = open.map(Box::new);
        }
    }

    /// Puts every deadline that the state implies into the queue, and counts the groups.
    fn arm_restored(&mut self) {
        self.timers.clear();
        let mut began: Vec<(Timestamp, UnitIx, RuleIx)> = Vec::new();
        for i in 0..self.units.len() {
            let unit = UnitIx(i as u32);
            if self.units[i].first_heard.is_some() {
                self.count_heard(unit);
                let at = self.now.unwrap_or_default();
                self.arm_overdue_rules(at, unit);
            }
            self.arm_growing(unit);
            self.count_feeder_restored(unit);
            self.interval_changed(unit);
            let expires = self.units[i].last_selftest.map(|l| l + self.settings.selftest_valid);
            if let (true, Some(expires)) = (self.units[i].proof_armed, expires) {
                self.timers.arm(expires, Timer::Proof(unit));
            }
            for alert in &self.units[i].alerts {
                if let Some(deadline) = alert.deadline {
                    self.timers.arm(deadline, Timer::Phase(unit, alert.rule));
                }
                if let Some(due) = alert.order_due.filter(|_| alert.order.is_none()) {
                    self.timers.arm(due, Timer::OrderDue(unit, alert.rule));
                }
                if alert.is_active() {
                    began.push((alert.fired_at.unwrap_or(alert.since), unit, alert.rule));
                }
            }
            let rules = self.rules.clone();
            for (leaf, times) in &self.units[i].seldom().events {
                if let (Some(Condition::Count { within, .. }), Some(oldest)) = (rules.sign(*leaf, unit), times.front())
                    && self.units[i].knows(*leaf)
                {
                    self.timers.arm(*oldest + *within, Timer::Count(unit, *leaf));
                }
            }
            self.units[i].dirty = false;
        }
        self.dirty.clear();
        began.sort();
        for (at, unit, rule) in began {
            self.count_restored(at, unit, rule);
        }
        for until in self.maintenance.values() {
            self.timers.arm(*until, Timer::MaintenanceEnd);
        }
        for (id, record) in &self.orders {
            if let (OrderState::Repaired, Some(repaired)) = (record.order.state, record.life.repaired_at) {
                let looked = record.life.looked_at.unwrap_or(repaired);
                let from = repaired.max(record.life.quiet_since.unwrap_or(repaired)).max(looked);
                self.timers.arm(from + self.settings.hold, Timer::Hold(*id));
            }
        }
        self.arm_notices();
        self.await_lit_again();
        let waiting: Vec<(Timestamp, Timer)> = self
            .groups
            .all()
            .flat_map(|(i, g, group)| {
                let settle = group.settles_at.map(|at| (at, Timer::IncidentSettle(i, g)));
                let order = group.open.as_ref().filter(|o| o.order.is_none()).and_then(|o| o.order_due);
                settle.into_iter().chain(order.map(|at| (at, Timer::IncidentOrder(i, g))))
            })
            .collect();
        for (at, timer) in waiting {
            self.timers.arm(at, timer);
        }
    }

    /// New rules or a new fleet from now on. What belonged to a rule or unit that is gone ends, with that reason.
    #[must_use]
    pub fn reload(&mut self, now: Timestamp, rules: RuleSet, fleet: Fleet, settings: Settings) -> Vec<Effect> {
        let now = self.not_before_last(now);
        self.advance_to(now);
        for i in 0..self.units.len() {
            let unit = UnitIx(i as u32);
            let row = self.fleet.unit(unit).clone();
            let stays = fleet.find(row.unit.as_str()).map(|ix| fleet.unit(ix).clone());
            let gone: Vec<(RuleIx, Reason)> = self.units[i]
                .alerts
                .iter()
                .filter_map(|a| {
                    let id = &self.rules.rule(a.rule).id;
                    match &stays {
                        None => Some((a.rule, Reason::UnitGone)),
                        Some(u) if rules.rules.iter().any(|r| r.id == *id && r.only.selects(u)) => None,
                        Some(_) => Some((a.rule, Reason::RuleGone)),
                    }
                })
                .collect();
            for (rule, why) in gone {
                self.end_alert(now, unit, rule, why);
            }
            if stays.is_none() {
                self.cancel_orders_of(now, unit, Reason::UnitGone);
            }
        }
        let effects = std::mem::take(&mut self.out);
        let saved = self.save();
        match Engine::restore(rules, fleet, settings, &saved) {
            Ok(restored) => *self = restored,
            Err(e) => unreachable!("an engine reads what it has just written: {e}"),
        }
        // Everything is written again: places have moved.
        for i in 0..self.units.len() {
            let _ = self.state(UnitIx(i as u32));
        }
        effects
    }

    fn end_alert(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, why: Reason) {
        let state = self.state(unit);
        let Some(slot) = state.alerts.iter().position(|a| a.rule == rule) else { return };
        let alert = state.alerts.remove(slot);
        self.emit_alert(at, unit, rule, AlertState::Resolved, why.clone());
        if alert.is_active() {
            self.count_resolved(at, unit, rule, &alert);
            self.fault_cleared(at, alert.order, &why);
        }
        self.judge_readiness(at, unit, None);
    }
}
