//! Decides when several units have one common cause. Holds back their orders and mails, never their judgement.
//!
//! ```text
//!   quiet ──1──▶ settling ──2──▶ open ──4──▶ quiet
//!     ▲             │3             └──5──▶ quiet, taken over by a wider incident
//!     └─────────────┘
//! ```
//! 1 enough of the group's units are affected · 2 still so after the settling time, and no wider incident covers them ·
//! 3 not so · 4 too few are left: those still affected are ordered on their own merits · 5 see `open_incident`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::effect::IncidentState;
use crate::domain::notice::{IncidentFacts, NoticeKind};
use crate::domain::rule::IncidentRule;
use crate::domain::{
    AlertState, EffectKind, Fleet, GroupKind, GroupName, OrderId, Reason, Recipient, Timestamp, UnitId, UnitIx,
};

use super::Engine;
use super::compiled::{Compiled, IncidentIx, RuleIx};
use super::supply::Supply;
use super::timer::Timer;
use super::unit_state::{Alert, GroupKinds, Presence};

/// Heartbeat intervals to wait before a common cause is declared. A dead link shows unit by unit over one interval, and
/// half of one is slack; then the widest cause has shown itself. The orders of single units wait longer still.
const SETTLE_INTERVALS: f64 = 1.5;
/// A unit that reports once a day must not keep its siblings' incident waiting.
const SETTLE_MAX: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Groups {
    /// Per incident rule.
    lists: Vec<Vec<Group>>,
    /// Per incident rule and unit: its group. [`NO_GROUP`]: the unit shares no such thing.
    of_unit: Vec<Vec<u32>>,
    /// How many uplinks the fleet has.
    uplinks: usize,
    feeders: usize,
}

const NO_GROUP: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Group {
    pub name: GroupName,
    pub members: Arc<[UnitIx]>,
    /// Members that were ever heard: the others prove nothing.
    pub heard: u32,
    /// Members whose alert is active.
    pub active: u32,
    /// For rules with `within`: the active ones that began so recently, by when they began.
    #[expect(clippy::box_collection, reason = "of a hundred thousand groups hardly one has any")]
    pub recent: Option<Box<BTreeSet<(Timestamp, UnitIx)>>>,
    pub settles_at: Option<Timestamp>,
    /// Boxed: of a hundred thousand groups hardly one has any.
    pub open: Option<Box<OpenIncident>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenIncident {
    pub since: Timestamp,
    /// Affected at some time during it.
    pub units: BTreeSet<UnitIx>,
    pub order_due: Option<Timestamp>,
    pub order: Option<OrderId>,
    pub reason: Reason,
    pub doubted: (usize, usize),
}

impl Groups {
    pub(super) fn new(rules: &Compiled, fleet: &Fleet) -> Self {
        let mut lists = Vec::new();
        let mut of_unit = Vec::new();
        for incident in &rules.set.incidents {
            let mut of = vec![NO_GROUP; fleet.len()];
            let mut list = Vec::new();
            for ((kind, name), members) in fleet.groups() {
                if *kind != incident.group_by {
                    continue;
                }
                for m in members.iter() {
                    of[m.index()] = list.len() as u32;
                }
                list.push(Group {
                    name: name.clone(),
                    members: members.clone(),
                    heard: 0,
                    active: 0,
                    recent: None,
                    settles_at: None,
                    open: None,
                });
            }
            list.shrink_to_fit();
            lists.push(list);
            of_unit.push(of);
        }
        let circuits = |kind: GroupKind| fleet.groups().keys().filter(|(k, _)| *k == kind).count();
        Groups { lists, of_unit, uplinks: circuits(GroupKind::Uplink), feeders: circuits(GroupKind::Feeder) }
    }

    fn group_of(&self, incident: IncidentIx, unit: UnitIx) -> Option<u32> {
        let group = self.of_unit[incident.0 as usize][unit.index()];
        (group != NO_GROUP).then_some(group)
    }
    /// How many others share this with the unit, and were ever heard.
    pub(super) fn siblings(&self, incident: IncidentIx, unit: UnitIx) -> usize {
        self.group_of(incident, unit).map_or(0, |group| self.get(incident, group).heard.saturating_sub(1) as usize)
    }
    pub(super) fn get(&self, incident: IncidentIx, group: u32) -> &Group {
        &self.lists[incident.0 as usize][group as usize]
    }
    pub(super) fn get_mut(&mut self, incident: IncidentIx, group: u32) -> &mut Group {
        &mut self.lists[incident.0 as usize][group as usize]
    }
    pub(super) fn name(&self, rules: &Compiled, incident: IncidentIx, group: u32) -> (GroupKind, GroupName) {
        (rules.incident(incident).group_by, self.get(incident, group).name.clone())
    }
    pub(super) fn all(&self) -> impl Iterator<Item = (IncidentIx, u32, &Group)> {
        self.lists.iter().enumerate().flat_map(|(i, list)| {
            list.iter().enumerate().map(move |(g, group)| (IncidentIx(i as u16), g as u32, group))
        })
    }
    pub(super) fn find(&self, rules: &Compiled, kind: GroupKind, name: &GroupName) -> Option<(IncidentIx, u32)> {
        self.all()
            .find(|(i, _, g)| rules.incident(*i).group_by == kind && g.name == *name && g.open.is_some())
            .map(|(i, g, _)| (i, g))
    }

    /// The open incident that holds back this rule's orders for this unit; the widest first.
    pub(super) fn holder(
        &self,
        rules: &Compiled,
        unit: UnitIx,
        rule: RuleIx,
        counts: GroupKinds,
    ) -> Option<(IncidentIx, u32)> {
        let id = &rules.rule(rule).id;
        let holds = |i: IncidentIx| {
            let r = rules.incident(i);
            if !speaks_for(r.group_by, counts) {
                return None;
            }
            let group = self.group_of(i, unit)?;
            self.get(i, group).open.as_ref()?;
            r.inhibits.contains(id).then_some((breadth(r.group_by), i, group))
        };
        (0..self.lists.len()).filter_map(|i| holds(IncidentIx(i as u16))).max_by_key(|h| h.0).map(|(_, i, g)| (i, g))
    }

    /// Is it more likely that we are deaf than that this unit is silent? Then: how many of how many fell silent.
    pub(super) fn doubt(&self, rules: &Compiled, unit: UnitIx) -> Option<(usize, usize)> {
        (0..self.lists.len()).find_map(|i| {
            let i = IncidentIx(i as u16);
            if !rules.incident(i).doubts_hearing {
                return None;
            }
            let open = self.get(i, self.group_of(i, unit)?).open.as_ref()?;
            open.units.contains(&unit).then_some(open.doubted)
        })
    }
}

/// A dark feeder explains what its own darkness does; whatever else shares a dead circuit cannot be told from it.
fn speaks_for(kind: GroupKind, counts: GroupKinds) -> bool {
    match kind {
        GroupKind::Feeder => counts.contains(kind),
        GroupKind::Uplink | GroupKind::Site | GroupKind::City | GroupKind::Fleet => true,
    }
}

/// A feeder with mains for so long: its buttons have started again, those that can.
const LIT_FOR: Duration = Duration::from_secs(20 * 60);

/// Which of two causes explains more.
fn breadth(kind: GroupKind) -> u8 {
    match kind {
        GroupKind::Fleet => 4,
        GroupKind::City => 3,
        GroupKind::Uplink => 2,
        GroupKind::Feeder => 1,
        GroupKind::Site => 0,
    }
}

impl Group {
    /// Affected now, and the number they are compared with.
    fn share(&self, within: Option<Duration>) -> (usize, usize) {
        match within {
            None => (self.active as usize, self.heard as usize),
            // Those already silent before can no longer fall silent.
            Some(_) => {
                let recent = self.recent().len();
                let earlier = (self.active as usize).saturating_sub(recent);
                (recent, (self.heard as usize).saturating_sub(earlier))
            }
        }
    }

    fn recent(&self) -> &BTreeSet<(Timestamp, UnitIx)> {
        static NONE: BTreeSet<(Timestamp, UnitIx)> = BTreeSet::new();
        self.recent.as_deref().unwrap_or(&NONE)
    }

    /// Like [`Group::reached`], by the units' number alone.
    fn reached(&self, rule: &IncidentRule) -> bool {
        let (active, of) = self.share(rule.within);
        active >= rule.at_least as usize && active as f64 >= rule.fraction * of as f64
    }

    /// Fewer than half of what opened it: the common cause is gone, what is left is on its own.
    fn is_over(&self, rule: &IncidentRule, still: usize) -> bool {
        // One was enough to open it: it is over with that one.
        if self.open.as_ref().is_some_and(|o| o.units.len() < rule.at_least as usize) {
            return still == 0;
        }
        still < rule.at_least as usize || (still as f64) < rule.fraction * f64::from(self.heard) / 2.0
    }
}

impl Engine {
    fn incident_indices(&self) -> impl Iterator<Item = IncidentIx> + use<> {
        (0..self.rules.set.incidents.len()).map(|i| IncidentIx(i as u16))
    }

    pub(super) fn count_heard(&mut self, unit: UnitIx) {
        for i in self.incident_indices() {
            if let Some(group) = self.groups.group_of(i, unit) {
                self.groups.get_mut(i, group).heard += 1;
            }
        }
    }

    fn forget_old(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        let Some(within) = rule.within else { return };
        let group = self.groups.get_mut(incident, group);
        let Some(recent) = &mut group.recent else { return };
        while recent.first().is_some_and(|(began, _)| at.since(*began) > within) {
            recent.pop_first();
        }
    }

    /// For which kinds of group this alert speaks of a common cause, by what is known of the unit's power now.
    pub(super) fn counts_of(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> GroupKinds {
        let silent = self.rules.rule(rule).condition.is_silent();
        let supply = self.units[unit.index()].supply.as_deref();
        let on_battery = supply.and_then(Supply::on_battery);
        let died = self.died_by(unit).unwrap_or(at);
        let is_empty = supply.is_some_and(|s| s.is_nearly_empty(died));
        let mut counts = GroupKinds::default();
        for kind in GroupKind::ALL {
            let speaks = match kind {
                // A unit with mains does not suffer from its feeder; one that dies with a full battery neither.
                GroupKind::Feeder if silent => on_battery.is_none() || on_battery == Some(true) && is_empty,
                GroupKind::Feeder => on_battery != Some(false),
                // An empty battery explains a silence by itself.
                GroupKind::Uplink | GroupKind::City | GroupKind::Fleet => !(silent && is_empty),
                GroupKind::Site => true,
            };
            if speaks {
                counts.insert(*kind);
            }
        }
        counts
    }

    /// Another alert of the same unit already counts for this incident.
    fn counts_otherwise(&self, incident: IncidentIx, unit: UnitIx, rule: RuleIx) -> bool {
        self.rules.incident(incident).of.len() > 1
            && self.units[unit.index()].alerts.iter().any(|a| a.rule != rule && self.counts(incident, a))
    }

    fn counts(&self, incident: IncidentIx, alert: &Alert) -> bool {
        let r = self.rules.incident(incident);
        alert.is_active() && alert.counts.contains(r.group_by) && r.of.contains(&self.rules.rule(alert.rule).id)
    }

    fn is_affected(&self, incident: IncidentIx, unit: UnitIx) -> bool {
        self.units[unit.index()].alerts.iter().any(|a| self.counts(incident, a))
    }

    /// An alert began.
    pub(super) fn count_firing(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, counts: GroupKinds) {
        let rules = self.rules.clone();
        for incident in rules.incidents_of(rule).iter().copied() {
            let r = rules.incident(incident);
            let Some(group) = self.groups.group_of(incident, unit) else { continue };
            if !counts.contains(r.group_by) || self.counts_otherwise(incident, unit, rule) {
                continue;
            }
            self.forget_old(at, incident, group);
            let g = self.groups.get_mut(incident, group);
            g.active += 1;
            if r.within.is_some() {
                g.recent.get_or_insert_default().insert((at, unit));
            }
            if let Some(open) = &mut g.open {
                open.units.insert(unit);
                self.update_incident_order(at, incident, group);
            } else {
                self.consider_incident(at, incident, group);
            }
        }
    }

    /// An alert that began before the restart.
    pub(super) fn count_restored(&mut self, began: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let now = self.now.unwrap_or(began);
        let Some(counts) = self.units[unit.index()].alert(rule).map(|a| a.counts) else { return };
        for incident in rules.incidents_of(rule).iter().copied() {
            let r = rules.incident(incident);
            let Some(group) = self.groups.group_of(incident, unit) else { continue };
            if !counts.contains(r.group_by) {
                continue;
            }
            // Of several alerts of one unit the first that began counted.
            let began_as = |a: &Alert| (a.fired_at.unwrap_or(a.since), a.rule);
            let earlier = |a: &Alert| a.rule != rule && self.counts(incident, a) && began_as(a) < (began, rule);
            if self.units[unit.index()].alerts.iter().any(earlier) {
                continue;
            }
            let g = self.groups.get_mut(incident, group);
            g.active += 1;
            if r.within.is_some_and(|w| now.since(began) <= w) {
                g.recent.get_or_insert_default().insert((began, unit));
            }
        }
    }

    fn consider_incident(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        let g = self.groups.get(incident, group);
        if g.open.is_some() || g.settles_at.is_some() || !(g.reached(rule) || self.one_is_enough(at, incident, group)) {
            return;
        }
        if rule.group_by == GroupKind::Fleet {
            // Nothing is wider: no need to wait for something that explains more.
            if self.spans_circuits(incident, group) {
                self.open_incident(at, incident, group);
            }
            return;
        }
        let intervals = self.affected(incident, group).into_iter().map(|u| self.heartbeat_interval(u));
        let settle = intervals.max().unwrap_or_default().mul_f64(SETTLE_INTERVALS).min(SETTLE_MAX);
        self.groups.get_mut(incident, group).settles_at = Some(at + settle);
        self.timers.arm(at + settle, Timer::IncidentSettle(incident, group));
    }

    pub(super) fn incident_settled(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        if self.groups.get(incident, group).settles_at != Some(at) {
            return;
        }
        self.groups.get_mut(incident, group).settles_at = None;
        self.forget_old(at, incident, group);
        let g = self.groups.get(incident, group);
        if g.open.is_some() || !(g.reached(rule) || self.one_is_enough(at, incident, group)) {
            return;
        }
        let is_held = |a: &Alert| a.held_by.is_some_and(|h| h != (incident, group));
        let affected = self.affected(incident, group);
        let held =
            |unit: &&UnitIx| self.units[unit.index()].alerts.iter().any(|a| self.counts(incident, a) && is_held(a));
        // One that was silent before, with an order of its own, does not make the rest a cause of their own.
        let covered = affected.iter().filter(held).count() * 2 > affected.len();
        if !covered {
            self.open_incident(at, incident, group);
        }
    }

    /// A cut of this unit's feeder ended.
    pub(super) fn await_lit(&mut self, at: Timestamp, unit: UnitIx) {
        for i in self.incident_indices() {
            if self.rules.incident(i).group_by == GroupKind::Feeder
                && let Some(group) = self.groups.group_of(i, unit)
                && self.groups.get(i, group).open.is_some()
            {
                self.timers.arm(at + LIT_FOR, Timer::FeederLit(i, group));
            }
        }
    }

    /// After a restart.
    pub(super) fn await_lit_again(&mut self) {
        let open: Vec<(IncidentIx, u32, UnitIx)> = self
            .groups
            .all()
            .filter(|(i, _, g)| g.open.is_some() && self.rules.incident(*i).group_by == GroupKind::Feeder)
            .filter_map(|(i, n, g)| Some((i, n, *g.members.first()?)))
            .collect();
        for (incident, group, member) in open {
            if let Some(lit) = self.feeders.of(member).and_then(|f| f.lit_since) {
                self.timers.arm(lit + LIT_FOR, Timer::FeederLit(incident, group));
            }
        }
    }

    pub(super) fn feeder_lit(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let g = self.groups.get(incident, group);
        let lit = g.members.first().and_then(|m| self.feeders.of(*m)).and_then(|f| f.lit_since);
        let Some(open) = g.open.as_ref().filter(|o| lit.is_some_and(|l| l + LIT_FOR == at && l >= o.since)) else {
            return;
        };
        let of = open.units.len();
        let still_silent = open.units.iter().filter(|u| self.is_affected(incident, **u)).count();
        self.close_incident(at, incident, group, Reason::BackTogether { still_silent, of }, true);
    }

    /// Something about an affected unit says by itself that its fault is the group's.
    fn one_is_enough(&self, at: Timestamp, incident: IncidentIx, group: u32) -> bool {
        let rule = self.rules.incident(incident);
        let limits = &rule.one_is_enough_if;
        if limits.is_empty() {
            return false;
        }
        let mut affected = self.affected(incident, group);
        if rule.group_by == GroupKind::Feeder {
            let member = self.groups.get(incident, group).members.first();
            let Some(cut) = member.and_then(|m| self.feeders.of(*m)).and_then(|f| f.cut_since) else { return false };
            // What emptied a battery weeks ago says nothing of this cut.
            affected.retain(|unit| self.is_in_cut(*unit, cut));
        }
        affected.iter().any(|unit| self.is_any_beyond(at, *unit, limits))
    }

    /// An order on this alert is due: does something that became known meanwhile make it the group's?
    pub(super) fn consider_incidents_of(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        for incident in rules.incidents_of(rule).iter().copied() {
            let Some(group) = self.groups.group_of(incident, unit) else { continue };
            let is_quiet = self.groups.get(incident, group).open.is_none();
            if is_quiet && self.one_is_enough(at, incident, group) {
                self.groups.get_mut(incident, group).settles_at = None;
                self.open_incident(at, incident, group);
            }
        }
    }

    /// Batteries that run empty do so one after the other. Units of one uplink that were all last heard within one
    /// heartbeat interval have lost the uplink, whatever their batteries.
    pub(super) fn count_fallen_together(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        if !rules.rule(rule).condition.is_silent() {
            return;
        }
        for incident in rules.incidents_of(rule).iter().copied() {
            let r = rules.incident(incident);
            let Some(group) = self.groups.group_of(incident, unit).filter(|_| r.group_by == GroupKind::Uplink) else {
                continue;
            };
            let g = self.groups.get(incident, group);
            let Some(last) = self.units[unit.index()].last_heard else { continue };
            let interval = self.heartbeat_interval(unit);
            let together = |other: &UnitIx| {
                let state = &self.units[other.index()];
                let near = state.last_heard.is_some_and(|l| l.since(last).max(last.since(l)) <= interval);
                near && state.presence == Presence::Silent && state.alert(rule).is_some_and(Alert::is_active)
            };
            let fallen: Vec<UnitIx> = g.members.iter().copied().filter(together).collect();
            if fallen.len() < r.at_least as usize || (fallen.len() as f64) < r.fraction * f64::from(g.heard) {
                continue;
            }
            let mut only = GroupKinds::default();
            only.insert(GroupKind::Uplink);
            for other in fallen {
                let alert = self.state(other).alert_mut(rule).expect("just seen");
                if !alert.counts.contains(GroupKind::Uplink) {
                    alert.counts.insert(GroupKind::Uplink);
                    self.count_firing(at, other, rule, only);
                }
            }
        }
    }

    /// One dead uplink or feeder that carries half the fleet is that circuit's fault, not our deafness.
    fn spans_circuits(&self, incident: IncidentIx, group: u32) -> bool {
        let affected = self.affected(incident, group);
        let shared = |circuit: fn(&crate::domain::Unit) -> Option<&str>, circuits: usize| {
            let mut names = affected.iter().map(|u| circuit(self.fleet.unit(*u)));
            let first = names.next().flatten();
            circuits >= 2 && first.is_some() && names.all(|name| name == first)
        };
        let cut = affected.iter().all(|u| self.is_on_battery(*u));
        let one_uplink = shared(|u| u.uplink.as_ref().map(|l| l.as_str()), self.groups.uplinks);
        let one_feeder = cut && shared(|u| u.feeder.as_ref().map(|l| l.as_str()), self.groups.feeders);
        !(one_uplink || one_feeder)
    }

    /// The units whose alerts count now.
    fn affected(&self, incident: IncidentIx, group: u32) -> Vec<UnitIx> {
        let g = self.groups.get(incident, group);
        match self.rules.incident(incident).within {
            None => g.members.iter().copied().filter(|u| self.is_affected(incident, *u)).collect(),
            Some(_) => {
                let recent: BTreeSet<UnitIx> = g.recent().iter().map(|(_, u)| *u).collect();
                recent.into_iter().collect()
            }
        }
    }

    fn open_incident(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        let units: BTreeSet<UnitIx> = self.affected(incident, group).into_iter().collect();
        let (active, of) = self.groups.get(incident, group).share(rule.within);
        let reason = Reason::SilentTogether { silent: active, of, group: rule.group_by };
        let (kind, name) = self.groups.name(&rules, incident, group);
        // What this one explains better is taken over.
        let narrower: Vec<(IncidentIx, u32)> = self
            .groups
            .all()
            .filter(|(i, g, other)| {
                (*i, *g) != (incident, group)
                    && breadth(rules.incident(*i).group_by) <= breadth(kind)
                    && other.open.as_ref().is_some_and(|o| o.units.is_subset(&units))
            })
            .map(|(i, g, _)| (i, g))
            .collect();
        for (i, g) in narrower {
            self.close_incident(at, i, g, Reason::IncidentWidened { kind, name: name.clone() }, false);
        }
        let order_due = rule.order.as_ref().map(|plan| at + plan.after);
        self.groups.get_mut(incident, group).open = Some(Box::new(OpenIncident {
            since: at,
            units: units.clone(),
            order_due,
            order: None,
            reason: reason.clone(),
            doubted: (active, of),
        }));
        let state = IncidentState::Open;
        self.emit(
            at,
            EffectKind::Incident { kind, name: name.clone(), state, units: self.ids(&units), reason: reason.clone() },
        );
        self.hold_members(at, incident, group);
        match order_due {
            Some(due) => self.timers.arm(due, Timer::IncidentOrder(incident, group)),
            None => self.tell_operator(at, incident, group, NoticeKind::IncidentOpened, &reason),
        }
        if rule.doubts_hearing {
            for unit in units {
                self.judge_readiness(at, unit, None);
            }
        }
    }

    fn hold_members(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        let (kind, name) = self.groups.name(&rules, incident, group);
        let held: Vec<RuleIx> = rule.inhibits.iter().filter_map(|id| rules.find(id)).collect();
        for unit in self.groups.get(incident, group).members.clone().iter().copied() {
            for r in &held {
                let Some(alert) = self.units[unit.index()].alert(*r) else { continue };
                // An order that is already out stays out: the crew may be on its way.
                let free = !alert.is_active() || alert.held_by.is_some() || alert.order.is_some();
                if free || !speaks_for(rule.group_by, alert.counts) {
                    continue;
                }
                let alert = self.state(unit).alert_mut(*r).expect("just seen");
                alert.held_by = Some((incident, group));
                alert.order_due = None;
                let reason = Reason::InhibitedBy { kind, name: name.clone() };
                self.emit_alert(at, unit, *r, AlertState::Inhibited, reason);
            }
        }
    }

    /// An alert ended.
    pub(super) fn count_resolved(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, alert: &Alert) {
        let rules = self.rules.clone();
        for incident in rules.incidents_of(rule).iter().copied() {
            let Some(group) = self.groups.group_of(incident, unit) else { continue };
            self.forget_old(at, incident, group);
            let r = rules.incident(incident);
            if !alert.counts.contains(r.group_by) || self.counts_otherwise(incident, unit, rule) {
                continue;
            }
            let g = self.groups.get_mut(incident, group);
            g.active = g.active.saturating_sub(1);
            if let (Some(began), Some(recent)) = (alert.fired_at, &mut g.recent)
                && !recent.remove(&(began, unit))
                && r.of.len() > 1
            {
                recent.retain(|(_, u)| *u != unit);
            }
            let Some(open) = &self.groups.get(incident, group).open else { continue };
            let still = open.units.iter().filter(|u| self.is_affected(incident, **u)).count();
            let g = self.groups.get(incident, group);
            if g.is_over(r, still) {
                let of = open.units.len();
                self.close_incident(at, incident, group, Reason::BackTogether { still_silent: still, of }, true);
            }
        }
    }

    fn close_incident(&mut self, at: Timestamp, incident: IncidentIx, group: u32, reason: Reason, hand_over: bool) {
        let rules = self.rules.clone();
        let Some(open) = self.groups.get_mut(incident, group).open.take() else { return };
        let (kind, name) = self.groups.name(&rules, incident, group);
        let state = IncidentState::Closed;
        let units = self.ids(&open.units);
        self.emit(at, EffectKind::Incident { kind, name: name.clone(), state, units, reason: reason.clone() });
        let mut released = BTreeSet::new();
        for unit in self.groups.get(incident, group).members.clone().iter().copied() {
            for slot in 0..self.units[unit.index()].alerts.len() {
                let alert = &self.units[unit.index()].alerts[slot];
                if alert.held_by != Some((incident, group)) {
                    continue;
                }
                let rule = alert.rule;
                let active = alert.is_active();
                let due = self.order_wait(unit, rule, alert.counts).map(|w| at + w);
                let alert = &mut self.state(unit).alerts[slot];
                alert.held_by = None;
                if hand_over && active {
                    alert.order_due = due;
                    let over = Reason::IncidentOver { kind, name: name.clone() };
                    self.emit_alert(at, unit, rule, AlertState::Firing, over);
                    if let Some(due) = due {
                        self.timers.arm(due, Timer::OrderDue(unit, rule));
                    }
                    released.insert(unit);
                }
            }
        }
        match open.order {
            Some(order) => self.incident_cleared(at, order, &reason),
            None if rules.incident(incident).order.is_none() => {
                self.tell_operator_about(at, &open, kind, name, NoticeKind::IncidentClosed, &reason)
            }
            None => {}
        }
        if rules.incident(incident).doubts_hearing {
            for unit in open.units {
                self.judge_readiness(at, unit, None);
            }
        }
        // What is left may have a narrower common cause.
        for unit in released {
            for i in self.incident_indices() {
                if let Some(g) = self.groups.group_of(i, unit) {
                    self.forget_old(at, i, g);
                    self.consider_incident(at, i, g);
                }
            }
        }
    }

    pub(super) fn ids(&self, units: &BTreeSet<UnitIx>) -> Vec<UnitId> {
        units.iter().map(|u| self.fleet.unit(*u).unit.clone()).collect()
    }

    fn tell_operator(&mut self, at: Timestamp, incident: IncidentIx, group: u32, notice: NoticeKind, reason: &Reason) {
        let rules = self.rules.clone();
        let (kind, name) = self.groups.name(&rules, incident, group);
        let Some(open) = self.groups.get(incident, group).open.clone() else { return };
        self.tell_operator_about(at, &open, kind, name, notice, reason);
    }

    fn tell_operator_about(
        &mut self,
        at: Timestamp,
        open: &OpenIncident,
        kind: GroupKind,
        name: GroupName,
        notice: NoticeKind,
        reason: &Reason,
    ) {
        let facts = IncidentFacts { kind, name, opened_at: open.since, units: self.ids(&open.units) };
        self.notify_incident(at, Recipient::Operator, facts, notice, reason);
    }
}
