//! Decides when an alert is pending, firing, clearing and resolved. Never decides what is done about it.

use std::time::Duration;

use crate::domain::effect::AlertState;
use crate::domain::{EffectKind, Reason, Timestamp, UnitIx};

use super::Engine;
use super::HearingState;
use super::compiled::RuleIx;
use super::timer::Timer;
use super::unit_state::{Alert, GroupKinds, Phase};

/// Four starts within an hour is a fault that comes and goes, not four faults.
const FLAPS: u32 = 4;
const FLAP_WINDOW: Duration = Duration::from_secs(3600);
/// A flapping alert is over when it has been quiet for this long.
const FLAP_QUIET: Duration = Duration::from_secs(1800);

impl Engine {
    /// The condition of `rule` is true at `at`.
    pub(super) fn condition_holds(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        let rules = self.rules.clone();
        let Some(demand) = rules.demand(rule, unit) else { return };
        let state = self.state(unit);
        let Some(alert) = state.alert_mut(rule) else {
            let deadline = at + demand.for_;
            state.alerts.push(Alert {
                rule,
                phase: Phase::Pending,
                began: at,
                seen: at,
                since: at,
                fired_at: None,
                deadline: Some(deadline),
                order_due: None,
                held_by: None,
                flapping: false,
                counts: GroupKinds::default(),
                reason: reason.clone(),
                order: None,
            });
            if demand.for_.is_zero() {
                self.fire(at, unit, rule);
            } else {
                self.emit_alert(at, unit, rule, AlertState::Pending, reason);
                self.timers.arm(deadline, Timer::Phase(unit, rule));
            }
            return;
        };
        alert.reason = reason;
        alert.seen = at;
        match alert.phase {
            Phase::Pending if alert.deadline.is_none() && at >= alert.since + demand.for_ => self.fire(at, unit, rule),
            Phase::Pending | Phase::Firing => {}
            Phase::Clearing => {
                alert.phase = Phase::Firing;
                alert.since = at;
                alert.deadline = None;
                self.resume_order(at, unit, rule);
            }
        }
    }

    /// It was going and has come back: its order is due when it would have been.
    fn resume_order(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let Some(alert) = self.units[unit.index()].alert(rule) else { return };
        if alert.order.is_some() || alert.order_due.is_some() || alert.held_by.is_some() {
            return;
        }
        let Some(wait) = self.order_wait(unit, rule, alert.counts) else { return };
        let due = at.max(alert.fired_at.unwrap_or(at) + wait);
        self.state(unit).alert_mut(rule).expect("just seen").order_due = Some(due);
        self.timers.arm(due, Timer::OrderDue(unit, rule));
    }

    /// The condition of `rule` is false at `at`, beyond its hysteresis.
    pub(super) fn condition_gone(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        let rules = self.rules.clone();
        let Some(demand) = rules.demand(rule, unit) else { return };
        let Some(alert) = self.state(unit).alert_mut(rule) else { return };
        match alert.phase {
            Phase::Pending => self.drop_pending(at, unit, rule, reason),
            Phase::Firing => {
                let quiet = if alert.flapping { demand.clear_for.max(FLAP_QUIET) } else { demand.clear_for };
                alert.reason = reason;
                if quiet.is_zero() {
                    self.resolve(at, unit, rule);
                    return;
                }
                let deadline = at + quiet;
                alert.phase = Phase::Clearing;
                alert.since = at;
                alert.deadline = Some(deadline);
                self.timers.arm(deadline, Timer::Phase(unit, rule));
            }
            Phase::Clearing => {
                let quiet = if alert.flapping { demand.clear_for.max(FLAP_QUIET) } else { demand.clear_for };
                if alert.deadline.is_none() && at >= alert.since + quiet {
                    alert.reason = reason;
                    self.resolve(at, unit, rule);
                }
            }
        }
    }

    /// Between the limit and the clear limit: no longer bad enough to begin, not good enough to end.
    pub(super) fn condition_between(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        let Some(alert) = self.state(unit).alert_mut(rule) else { return };
        match alert.phase {
            Phase::Pending => self.drop_pending(at, unit, rule, reason),
            Phase::Firing => {}
            Phase::Clearing => {
                alert.phase = Phase::Firing;
                alert.since = at;
                alert.deadline = None;
                alert.reason = reason;
                self.resume_order(at, unit, rule);
            }
        }
    }

    fn drop_pending(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        self.state(unit).alerts.retain(|a| a.rule != rule);
        self.emit_alert(at, unit, rule, AlertState::Resolved, Reason::BackBeforeFiring { what: Box::new(reason) });
    }

    pub(super) fn phase_due(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let deaf = matches!(self.hearing, HearingState::Down { .. });
        let excused = self.is_excused(at, unit, rule);
        let Some(alert) = self.units[unit.index()].alert_mut(rule) else { return };
        if alert.deadline != Some(at) {
            return;
        }
        if deaf {
            // Nothing was heard that could have ended it: the next reading decides.
            alert.deadline = None;
            self.state(unit);
            return;
        }
        match alert.phase {
            Phase::Pending if excused => {
                // What began it is explained by now: the next reading that is not decides.
                alert.deadline = None;
                self.state(unit);
            }
            Phase::Pending => self.fire(at, unit, rule),
            Phase::Clearing => self.resolve(at, unit, rule),
            Phase::Firing => {}
        }
    }

    /// How often it fired lately, and within how long that is.
    pub(super) fn flaps(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> (u32, Duration) {
        let firings = &self.units[unit.index()].seldom().firings;
        let times = firings.iter().filter(|(r, t)| *r == rule && at.since(*t) < FLAP_WINDOW).count();
        (times as u32, FLAP_WINDOW)
    }

    fn fire(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let for_ = rules.demand(rule, unit).map_or(Duration::ZERO, |d| d.for_);
        let counts = self.counts_of(at, unit, rule);
        let held_by = self.groups.holder(&rules, unit, rule, counts);
        let wait = self.order_wait(unit, rule, counts);
        let keep = FLAP_WINDOW.max(rules.memory);
        let state = self.state(unit);
        let firings = &mut state.seldom_mut().firings;
        firings.retain(|(_, t)| at.since(*t) < keep);
        firings.push((rule, at));
        let (times, _) = self.flaps(at, unit, rule);
        let state = self.state(unit);
        let alert = state.alert_mut(rule).expect("fire is called on an alert that exists");
        alert.phase = Phase::Firing;
        alert.since = at;
        alert.fired_at = Some(at);
        alert.deadline = None;
        alert.flapping = times >= FLAPS;
        alert.held_by = held_by;
        alert.counts = counts;
        alert.order_due = match held_by {
            Some(_) => None,
            None => wait.map(|w| at + w),
        };
        let mut reason = alert.reason.clone();
        if !for_.is_zero() {
            reason = Reason::HeldFor { span: for_, what: Box::new(reason) };
        }
        if alert.flapping {
            reason = Reason::Flapping { times, within: FLAP_WINDOW, what: Box::new(reason) };
        }
        let due = alert.order_due;
        match held_by {
            Some((incident, group)) => {
                let (kind, name) = self.groups.name(&rules, incident, group);
                self.emit_alert(at, unit, rule, AlertState::Inhibited, Reason::InhibitedBy { kind, name });
            }
            None => self.emit_alert(at, unit, rule, AlertState::Firing, reason),
        }
        if let Some(due) = due {
            self.timers.arm(due, Timer::OrderDue(unit, rule));
        }
        self.count_firing(at, unit, rule, counts);
        self.count_fallen_together(at, unit, rule);
        self.repair_disproved(at, unit, rule);
        self.judge_readiness(at, unit, None);
    }

    fn resolve(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let state = self.state(unit);
        let Some(slot) = state.alerts.iter().position(|a| a.rule == rule) else { return };
        let alert = state.alerts.remove(slot);
        let reason = match rules.demand(rule, unit) {
            Some(d) if !d.clear_for.is_zero() => {
                Reason::ClearFor { span: d.clear_for, what: Box::new(alert.reason.clone()) }
            }
            Some(_) | None => alert.reason.clone(),
        };
        self.emit_alert(at, unit, rule, AlertState::Resolved, reason.clone());
        self.count_resolved(at, unit, rule, &alert);
        self.fault_cleared(at, alert.order, &reason);
        self.judge_readiness(at, unit, None);
    }

    /// After deafness: orders that waited for evidence wait anew; conditions are judged by the next reading.
    pub(super) fn resume_after_deafness(&mut self, at: Timestamp, unit: UnitIx) {
        let rules = self.rules.clone();
        for slot in 0..self.units[unit.index()].alerts.len() {
            let alert = &self.units[unit.index()].alerts[slot];
            let rule = alert.rule;
            let waits = alert.is_active() && alert.order.is_none() && alert.order_due.is_none();
            if !waits || alert.held_by.is_some() || self.in_maintenance(unit).is_some() {
                continue;
            }
            let wait = self.order_wait(unit, rule, alert.counts);
            if let (true, Some(wait)) = (rules.rule(rule).condition.is_silent(), wait) {
                self.state(unit).alerts[slot].order_due = Some(at + wait);
                self.timers.arm(at + wait, Timer::OrderDue(unit, rule));
            }
        }
    }

    pub(super) fn emit_alert(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, state: AlertState, reason: Reason) {
        let r = self.rules.rule(rule);
        let kind = EffectKind::Alert {
            unit: self.fleet.unit(unit).unit.clone(),
            rule: r.id.clone(),
            component: r.component,
            severity: r.severity,
            state,
            reason,
        };
        self.emit(at, kind);
    }
}
