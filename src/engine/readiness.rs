//! Can this button summon help right now? Decides it from presence, alerts and tests. Never changes any of them.

use std::time::Duration;

use crate::domain::event::MaintenanceScope;
use crate::domain::rule::ReadinessEffect;
use crate::domain::{Component, EffectKind, GroupKind, Readiness, Reason, Timestamp, UnitIx};

use super::Engine;
use super::compiled::{IncidentIx, RuleIx};
use super::timer::Timer;
use super::unit_state::{GroupKinds, Presence, UnitState};

impl Engine {
    /// `because`: what just happened, when that is the better reason for the change.
    pub(super) fn judge_readiness(&mut self, at: Timestamp, unit: UnitIx, because: Option<Reason>) {
        let (to, why) = self.readiness_now(at, unit);
        let state = &self.units[unit.index()];
        // A million units need not keep what readiness itself says.
        let kept = (why != unsaid(state, to)).then(|| Box::new(why.clone()));
        let from = state.readiness;
        if from == to {
            if state.readiness_reason != kept && state.readiness_since.is_some() {
                self.state(unit).readiness_reason = kept;
            } else if state.readiness_since.is_none() {
                let state = self.state(unit);
                state.readiness_since = Some(at);
                state.readiness_reason = kept;
            }
            return;
        }
        let reason = match (to, because) {
            (Readiness::Silent | Readiness::Unknown, Some(because)) if !self.is_doubted(unit) => because,
            (_, _) => why,
        };
        let state = self.state(unit);
        state.readiness = to;
        state.readiness_since = Some(at);
        state.readiness_reason = kept;
        let unit = self.fleet.unit(unit).unit.clone();
        self.emit(at, EffectKind::Readiness { unit, from, to, reason });
    }

    pub(super) fn note_readiness_reason(&mut self, unit: UnitIx, reason: Reason) {
        self.state(unit).readiness_reason = Some(Box::new(reason));
    }

    /// Why it is as ready as it is.
    pub(super) fn readiness_reason(&self, unit: UnitIx) -> Reason {
        let state = &self.units[unit.index()];
        state.readiness_reason.as_deref().cloned().unwrap_or_else(|| unsaid(state, state.readiness))
    }

    /// Worst first; the first that applies counts.
    fn readiness_now(&self, at: Timestamp, unit: UnitIx) -> (Readiness, Reason) {
        let state = &self.units[unit.index()];
        if let Some(until) = self.in_maintenance(unit) {
            return (Readiness::Maintenance, Reason::MaintenanceUntil { until });
        }
        let last = state.last_heard.unwrap_or(at);
        match state.presence {
            Presence::Never => return (Readiness::Unproven, Reason::NeverPassed { missing: Vec::new() }),
            Presence::Unknown => return (Readiness::Unknown, Reason::DeafAndNotHeardSince { last }),
            Presence::Silent => {
                if let Some((silent, of)) = self.groups.doubt(&self.rules, unit) {
                    return (Readiness::Unknown, Reason::IncidentDoubtsHearing { silent, of });
                }
                let silence = at.since(last);
                let kind = crate::domain::Kind::Heartbeat;
                return (Readiness::Silent, Reason::NothingFor { kind, last, silence });
            }
            Presence::Present => {}
        }
        if let Some(reason) = self.alerts_with(unit, ReadinessEffect::NotReady) {
            return (Readiness::NotReady, reason);
        }
        if let Some(reason) = self.proof_missing(at, unit) {
            return (Readiness::Unproven, reason);
        }
        if let Some(reason) = self.alerts_with(unit, ReadinessEffect::Unproven) {
            return (Readiness::Unproven, reason);
        }
        if let Some(reason) = self.alerts_with(unit, ReadinessEffect::Impaired) {
            return (Readiness::Impaired, reason);
        }
        (Readiness::Ready, proven(state))
    }

    fn is_doubted(&self, unit: UnitIx) -> bool {
        self.groups.doubt(&self.rules, unit).is_some()
    }

    fn alerts_with(&self, unit: UnitIx, effect: ReadinessEffect) -> Option<Reason> {
        let state = &self.units[unit.index()];
        let mut rules: Vec<RuleIx> = state
            .alerts
            .iter()
            .filter(|a| a.is_active() && self.rules.rule(a.rule).readiness == effect)
            .map(|a| a.rule)
            .collect();
        rules.sort_unstable();
        let first = Box::new(state.alert(*rules.first()?)?.reason.clone());
        Some(Reason::AlertsFiring { rules: rules.iter().map(|r| self.rules.rule(*r).id.clone()).collect(), first })
    }

    /// None: every test that the unit has was passed at some time, and the last round is recent enough.
    fn proof_missing(&self, at: Timestamp, unit: UnitIx) -> Option<Reason> {
        let state = &self.units[unit.index()];
        let missing: Vec<Component> =
            state.measured.tests().filter(|t| t.last_pass.is_none()).map(|t| t.component).collect();
        let Some(last) = state.last_selftest.filter(|_| state.measured.tests().next().is_some()) else {
            return Some(Reason::NeverPassed { missing });
        };
        if !missing.is_empty() {
            return Some(Reason::NeverPassed { missing });
        }
        let allowed = self.settings.selftest_valid;
        (last + allowed <= at).then_some(Reason::TestsOverdue { last, allowed })
    }

    pub(super) fn proof_due(&mut self, at: Timestamp, unit: UnitIx) {
        let Some(last) = self.units[unit.index()].last_selftest else { return };
        let expires = last + self.settings.selftest_valid;
        if expires > at {
            self.timers.arm(expires, Timer::Proof(unit));
            return;
        }
        self.state(unit).proof_armed = false;
        self.judge_readiness(at, unit, None);
    }

    /// None: not in maintenance. Else until when, the latest of its windows.
    pub(super) fn in_maintenance(&self, unit: UnitIx) -> Option<Timestamp> {
        if self.maintenance.is_empty() {
            return None;
        }
        let row = self.fleet.unit(unit);
        let scopes = [
            MaintenanceScope::Unit(row.unit.clone()),
            MaintenanceScope::Site(row.site.clone()),
            MaintenanceScope::Crew(row.crew.clone()),
        ];
        scopes.iter().filter_map(|s| self.maintenance.get(s)).max().copied()
    }

    pub(super) fn set_maintenance(&mut self, at: Timestamp, scope: MaintenanceScope, until: Timestamp) {
        if until <= at {
            if self.maintenance.remove(&scope).is_some() {
                self.leave_maintenance(at, &scope);
            }
        } else {
            self.maintenance.insert(scope.clone(), until);
            self.timers.arm(until, Timer::MaintenanceEnd);
            for unit in self.units_in(&scope) {
                self.judge_readiness(at, unit, None);
            }
        }
        // What waited for its end may have less to wait for.
        self.arm_nudges_of(at, &self.units_in(&scope));
    }

    pub(super) fn end_maintenance(&mut self, at: Timestamp) {
        let over: Vec<MaintenanceScope> =
            self.maintenance.iter().filter(|(_, until)| **until <= at).map(|(s, _)| s.clone()).collect();
        for scope in over {
            self.maintenance.remove(&scope);
            self.leave_maintenance(at, &scope);
        }
    }

    /// What is still wrong is ordered now, once.
    fn leave_maintenance(&mut self, at: Timestamp, scope: &MaintenanceScope) {
        for unit in self.units_in(scope) {
            if self.in_maintenance(unit).is_some() {
                continue;
            }
            for slot in 0..self.units[unit.index()].alerts.len() {
                let alert = &self.units[unit.index()].alerts[slot];
                let rule = alert.rule;
                let waits = alert.is_active() && alert.order.is_none() && alert.held_by.is_none();
                if !waits || self.rules.rule(rule).order.is_none() {
                    continue;
                }
                let due = alert.order_due.map_or(at, |due| due.max(at));
                self.state(unit).alerts[slot].order_due = Some(due);
                self.timers.arm(due, Timer::OrderDue(unit, rule));
            }
            self.judge_readiness(at, unit, None);
        }
    }

    fn units_in(&self, scope: &MaintenanceScope) -> Vec<UnitIx> {
        let inside = |u: &crate::domain::Unit| match scope {
            MaintenanceScope::Unit(id) => u.unit == *id,
            MaintenanceScope::Site(id) => u.site == *id,
            MaintenanceScope::Crew(id) => u.crew == *id,
        };
        self.fleet.units().filter(|(_, u)| inside(u)).map(|(ix, _)| ix).collect()
    }

    /// How long an alert must fire before its order. `counts`: for which common causes it speaks.
    /// None: the rule orders nothing.
    pub(super) fn order_wait(&self, unit: UnitIx, rule: RuleIx, counts: GroupKinds) -> Option<Duration> {
        let r = self.rules.rule(rule);
        let after = r.order.as_ref()?.after;
        let wait = |incident: &IncidentIx| {
            let i = self.rules.incident(*incident);
            if !counts.contains(i.group_by) || self.groups.siblings(*incident, unit) == 0 {
                return Duration::ZERO;
            }
            match i.wait {
                // Its feeder's others carry on for much longer: that is known already.
                Some(_) if i.group_by == GroupKind::Feeder && self.is_worse_than_its_feeder(unit) => Duration::ZERO,
                // Of a unit that says nothing of its power we cannot tell whether it shares the cause.
                Some(wait) if i.group_by != GroupKind::Feeder || self.is_on_battery(unit) => wait,
                Some(_) => Duration::ZERO,
                // Longer than a common silence takes to show itself and settle (`incident`): one and a half intervals.
                None if r.condition.is_silent() => self.heartbeat_interval(unit) * 2,
                None => Duration::ZERO,
            }
        };
        let longest = self.rules.incidents_of(rule).iter().map(wait).max().unwrap_or_default();
        Some(after.max(longest))
    }
}

/// Why a unit of which no reason is kept is as ready as it is.
fn unsaid(state: &UnitState, readiness: Readiness) -> Reason {
    match readiness {
        Readiness::Ready => proven(state),
        Readiness::Impaired
        | Readiness::NotReady
        | Readiness::Silent
        | Readiness::Unknown
        | Readiness::Unproven
        | Readiness::Maintenance => Reason::NeverPassed { missing: Vec::new() },
    }
}

fn proven(state: &UnitState) -> Reason {
    Reason::TestsPassed { components: state.measured.tests().map(|t| t.component).collect() }
}
