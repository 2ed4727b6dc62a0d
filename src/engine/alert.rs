//! Decides when an alert is pending, firing, clearing and resolved. Never decides what is done about it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::effect::AlertState;
use crate::domain::message::Outcome;
use crate::domain::rule::{Condition, CountedEvent, MetricRef, OverdueEvent, in_service_since};
use crate::domain::{EffectKind, Reason, Timestamp, UnitIx};

use super::Engine;
use super::HearingState;
use super::compiled::RuleIx;
use super::timer::Timer;
use super::unit_state::{Alert, Phase};

/// Four starts within an hour is a fault that comes and goes, not four faults.
const FLAPS: usize = 4;
const FLAP_WINDOW: Duration = Duration::from_secs(3600);
/// A flapping alert is over when it has been quiet for this long.
const FLAP_QUIET: Duration = Duration::from_secs(1800);

impl Engine {
    pub(super) fn judge_reading(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, value: f64) {
        let rules = self.rules.clone();
        let Some(demand) = rules.demand(rule, unit) else { return };
        let Condition::Threshold { metric, side, limit, clear, consecutive } = demand.condition else {
            unreachable!("rules by metric are threshold rules")
        };
        let beyond = side.beyond(value, *limit);
        let good = !side.beyond(value, *clear);
        let in_a_row =
            if *consecutive > 1 { self.units[unit.index()].count_in_a_row(rule, beyond) } else { u32::from(beyond) };
        let known = self.units[unit.index()].alert(rule).is_some();
        if !beyond && !known {
            return;
        }
        let (name, unit_text) = match metric {
            MetricRef::Known(m) => (m.name().to_owned(), m.facts().unit.to_owned()),
            MetricRef::Vendor(name) => (format!("x.{name}"), String::new()),
        };
        if beyond && (known || in_a_row >= *consecutive) {
            let reason = Reason::Beyond {
                metric: name,
                value,
                unit: unit_text,
                side: *side,
                limit: *limit,
                consecutive: (*consecutive).max(1),
            };
            self.condition_holds(at, unit, rule, reason);
        } else if known {
            let reason = Reason::Within { metric: name, value, unit: unit_text, side: *side, clear: *clear };
            if good {
                self.condition_gone(at, unit, rule, reason);
            } else {
                self.condition_between(at, unit, rule, reason);
            }
        }
    }

    pub(super) fn judge_result(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        rule: RuleIx,
        outcome: Outcome,
        code: Option<&str>,
    ) {
        let rules = self.rules.clone();
        let Some(demand) = rules.demand(rule, unit) else { return };
        let Condition::Result { test, is, consecutive } = demand.condition else {
            unreachable!("rules by test are result rules")
        };
        let says_nothing = match outcome {
            Outcome::Inconclusive | Outcome::Skipped => outcome != *is,
            Outcome::Pass | Outcome::Fail => false,
        };
        if says_nothing {
            return;
        }
        let in_a_row = self.state(unit).count_in_a_row(rule, outcome == *is);
        let reason = Reason::Tested {
            test: *test,
            result: outcome,
            code: code.map(str::to_owned),
            consecutive: in_a_row.max(1),
        };
        if in_a_row >= (*consecutive).max(1) {
            self.condition_holds(at, unit, rule, reason);
        } else if in_a_row == 0 {
            self.condition_gone(at, unit, rule, reason);
        }
    }

    pub(super) fn count_event(&mut self, at: Timestamp, unit: UnitIx, event: CountedEvent) {
        let rules = self.rules.clone();
        for rule in rules.for_counted(event) {
            let Some(demand) = rules.demand(*rule, unit) else { continue };
            let Condition::Count { at_least, within, .. } = demand.condition else {
                unreachable!("rules by counted event are count rules")
            };
            let wanted = (*at_least).max(1) as usize;
            let now = self.now.unwrap_or(at);
            let state = self.state(unit);
            let slot = match state.events.iter().position(|(r, _)| r == rule) {
                Some(slot) => slot,
                None => {
                    state.events.push((*rule, VecDeque::new()));
                    state.events.len() - 1
                }
            };
            let times = &mut state.events[slot].1;
            // Late events come out of order; the window is judged in the order they happened.
            let place = times.partition_point(|t| *t <= at);
            times.insert(place, at);
            while times.len() > wanted {
                times.pop_front();
            }
            let (oldest, newest) = (times[0], times[times.len() - 1]);
            if times.len() == wanted && newest.since(oldest) <= *within && now.since(oldest) <= *within {
                let reason = Reason::Counted { event, count: *at_least, within: *within };
                self.condition_holds(now, unit, *rule, reason);
                self.timers.arm(oldest + *within, Timer::Count(unit, *rule));
            }
        }
    }

    pub(super) fn count_due(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let Some(Condition::Count { event, at_least, within }) = rules.demand(rule, unit).map(|d| d.condition) else {
            return;
        };
        let state = &self.units[unit.index()];
        let Some((_, times)) = state.events.iter().find(|(r, _)| *r == rule) else { return };
        let inside = times.iter().filter(|t| at.since(**t) < *within).count();
        if inside < *at_least as usize && state.alert(rule).is_some() {
            let reason = Reason::CountedFewer { event: *event, count: inside as u32, within: *within };
            self.condition_gone(at, unit, rule, reason);
        }
    }

    /// From the first sign of life on, a unit owes its tests.
    pub(super) fn arm_overdue_rules(&mut self, at: Timestamp, unit: UnitIx) {
        let rules = self.rules.clone();
        for (event, rule) in rules.overdue() {
            self.arm_overdue(at, unit, event, rule);
        }
    }

    fn arm_overdue(&mut self, at: Timestamp, unit: UnitIx, event: OverdueEvent, rule: RuleIx) {
        let rules = self.rules.clone();
        let Some(Condition::Overdue { every, .. }) = rules.demand(rule, unit).map(|d| d.condition) else { return };
        let state = &self.units[unit.index()];
        let since = state.done_at(event).or(in_service_since(self.fleet.unit(unit), state.first_heard));
        let due = since.unwrap_or(at) + *every;
        self.timers.arm(due.max(at), Timer::Overdue(unit, rule));
    }

    pub(super) fn overdue_due(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let Some(Condition::Overdue { event, every }) = rules.demand(rule, unit).map(|d| d.condition) else { return };
        let state = &self.units[unit.index()];
        if state.alert(rule).is_some() {
            return;
        }
        let last = state.done_at(*event);
        let since = last.or(in_service_since(self.fleet.unit(unit), state.first_heard)).unwrap_or(at);
        if since + *every > at {
            self.timers.arm(since + *every, Timer::Overdue(unit, rule));
            return;
        }
        self.condition_holds(at, unit, rule, Reason::Overdue { event: *event, last, every: *every });
    }

    /// It happened at `done_at`, and we know it at `at`.
    pub(super) fn done(&mut self, at: Timestamp, unit: UnitIx, event: OverdueEvent, done_at: Timestamp) {
        let state = self.state(unit);
        match state.last_done.iter_mut().find(|(e, _)| *e == event) {
            Some((_, last)) => *last = done_at.max(*last),
            None => state.last_done.push((event, done_at)),
        }
        let rules = self.rules.clone();
        for rule in rules.for_overdue(event) {
            let Some(Condition::Overdue { every, .. }) = rules.demand(*rule, unit).map(|d| d.condition) else {
                continue;
            };
            if self.units[unit.index()].alert(*rule).is_some() && at.since(done_at) < *every {
                self.condition_gone(at, unit, *rule, Reason::DoneAgain { event });
                self.arm_overdue(at, unit, event, *rule);
            }
        }
    }

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
                since: at,
                fired_at: None,
                deadline: Some(deadline),
                order_due: None,
                held_by: None,
                flapping: false,
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
        match alert.phase {
            Phase::Pending if alert.deadline.is_none() && at >= alert.since + demand.for_ => self.fire(at, unit, rule),
            Phase::Pending | Phase::Firing => {}
            Phase::Clearing => {
                alert.phase = Phase::Firing;
                alert.since = at;
                alert.deadline = None;
            }
        }
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
    fn condition_between(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        let Some(alert) = self.state(unit).alert_mut(rule) else { return };
        match alert.phase {
            Phase::Pending => self.drop_pending(at, unit, rule, reason),
            Phase::Firing => {}
            Phase::Clearing => {
                alert.phase = Phase::Firing;
                alert.since = at;
                alert.deadline = None;
                alert.reason = reason;
            }
        }
    }

    fn drop_pending(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx, reason: Reason) {
        self.state(unit).alerts.retain(|a| a.rule != rule);
        self.emit_alert(at, unit, rule, AlertState::Resolved, Reason::BackBeforeFiring { what: Box::new(reason) });
    }

    pub(super) fn phase_due(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let deaf = matches!(self.hearing, HearingState::Down { .. });
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
            Phase::Pending => self.fire(at, unit, rule),
            Phase::Clearing => self.resolve(at, unit, rule),
            Phase::Firing => {}
        }
    }

    fn fire(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let for_ = rules.demand(rule, unit).map_or(Duration::ZERO, |d| d.for_);
        let held_by = self.groups.holder(&rules, unit, rule);
        let wait = self.order_wait(unit, rule);
        let state = self.state(unit);
        state.firings.retain(|(_, t)| at.since(*t) < FLAP_WINDOW);
        state.firings.push((rule, at));
        let times = state.firings.iter().filter(|(r, _)| *r == rule).count();
        let alert = state.alert_mut(rule).expect("fire is called on an alert that exists");
        alert.phase = Phase::Firing;
        alert.since = at;
        alert.fired_at = Some(at);
        alert.deadline = None;
        alert.flapping = times >= FLAPS;
        alert.held_by = held_by;
        alert.order_due = match held_by {
            Some(_) => None,
            None => wait.map(|w| at + w),
        };
        let mut reason = alert.reason.clone();
        if !for_.is_zero() {
            reason = Reason::HeldFor { span: for_, what: Box::new(reason) };
        }
        if alert.flapping {
            reason = Reason::Flapping { times: times as u32, within: FLAP_WINDOW, what: Box::new(reason) };
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
        self.count_firing(at, unit, rule);
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
        self.fault_cleared(at, unit, rule, &reason);
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
            if let (Condition::Silent { .. }, Some(wait)) = (&rules.rule(rule).condition, self.order_wait(unit, rule)) {
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
