//! Decides when a work order opens, what it asks for, and when it may close. The states stand above
//! `domain::order::OrderState`; the numbers below are theirs. Never sends anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::event::COMMAND_EXPIRES_AFTER;
use crate::domain::message::{Command, Do, Outcome};
use crate::domain::order::{Change, Evidence, Suspect};
use crate::domain::rule::{Condition, IncidentRule, OrderPlan};
use crate::domain::{
    Component, CrewId, EffectKind, GroupKind, GroupName, Order, OrderId, OrderMove, OrderState, Reason, Recipient,
    RuleId, SiteId, Subject, Timestamp, UnitId, UnitIx,
};

use super::clock::Taken;
use super::compiled::{IncidentIx, RuleIx};
use super::dispatch::{News, Told};
use super::incident::OpenIncident;
use super::timer::Timer;
use super::unit_state::{Alert, Phase, Presence};
use super::{Engine, HearingState, diagnosis};

/// Signed under what the engine itself decides.
const ITSELF: &str = "buttonwatch";

/// An order whose fault is explained for the moment is thought over so much later.
const EXCUSED_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Crews say "repaired" while things still settle.
const JUST_REPAIRED: Duration = Duration::from_secs(15 * 60);

/// What has at most one open order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CaseKey {
    Unit(UnitIx, Component),
    /// One visit to a site for all its units that ask for the same.
    Visit(SiteId, Component),
    Incident(GroupKind, GroupName),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderRecord {
    pub order: Order,
    pub case: CaseKey,
    pub life: OrderLife,
}

/// What the engine must remember of an order beside the order itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct OrderLife {
    pub repaired_at: Option<Timestamp>,
    /// Since when none of its alerts is active. None: one is.
    pub quiet_since: Option<Timestamp>,
    /// When the hold was last over and the fault neither gone nor seen again.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    /// It is for all units of the site that ask for the same.
    #[serde(default)]
    pub visit: bool,
    /// Who knows what of it.
    #[serde(default, with = "as_pairs")]
    pub told: BTreeMap<Recipient, Told>,
    /// The supervisor has heard that nobody takes it.
    #[serde(default)]
    pub waited_told: bool,
    /// The supervisor has heard that it is overdue.
    #[serde(default)]
    pub overdue_told: bool,
}

/// A reader is no key of a JSON object.
pub(super) mod as_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, s: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(s)
    }
    pub fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(d)?.into_iter().collect())
    }
}

/// What an order is to be about.
#[derive(Debug)]
struct Finding {
    case: CaseKey,
    component: Component,
    what: Reason,
    suspects: Vec<Suspect>,
    action: String,
    parts: Vec<String>,
}

impl Engine {
    pub(super) fn order_due(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rules = self.rules.clone();
        let Some(plan) = &rules.rule(rule).order else { return };
        let deaf = matches!(self.hearing, HearingState::Down { .. });
        let silent = rules.rule(rule).condition.is_silent();
        let maintenance = self.in_maintenance(unit).is_some();
        let Some(alert) = self.units[unit.index()].alert(rule) else { return };
        if alert.order_due != Some(at) || !alert.is_active() || alert.order.is_some() || alert.held_by.is_some() {
            return;
        }
        if maintenance || (deaf && silent) {
            // `leave_maintenance` and `resume_after_deafness` set it anew.
            self.state(unit).alert_mut(rule).expect("just seen").order_due = None;
            return;
        }
        if self.is_excused(at, unit, rule) {
            // What makes it a fault is explained for now: ask again later.
            let again = at + plan.after.max(EXCUSED_AGAIN);
            self.state(unit).alert_mut(rule).expect("just seen").order_due = Some(again);
            self.timers.arm(again, Timer::OrderDue(unit, rule));
            return;
        }
        if self.owes_nothing_now(unit, rule) {
            // Back on the air it has as long as anyone to do what it owes.
            let again = at + plan.after.max(EXCUSED_AGAIN);
            self.state(unit).alert_mut(rule).expect("just seen").order_due = Some(again);
            self.timers.arm(again, Timer::OrderDue(unit, rule));
            return;
        }
        self.consider_incidents_of(at, unit, rule);
        let Some(alert) = self.units[unit.index()].alert(rule).filter(|a| a.held_by.is_none()) else { return };
        let flapping = alert.flapping;
        if alert.phase == Phase::Clearing && !flapping {
            // It is going by itself; if it comes back, `resume_order` asks again.
            self.state(unit).alert_mut(rule).expect("just seen").order_due = None;
            return;
        }
        let found = self.finding(at, unit, rule, plan);
        let id = match self.cases.get(&found.case).copied().filter(|id| self.orders.contains_key(id)) {
            Some(id) if self.orders[&id].order.state.is_open() => {
                self.join_order(at, id, unit, rule, &found);
                id
            }
            Some(id) if self.may_relapse(at, id) => {
                let units = self.orders[&id].order.units.clone();
                self.reopen_relapsed(at, id, Some(rules.rule(rule).id.clone()), units, found.what, flapping);
                id
            }
            Some(_) | None => self.open_unit_order(at, unit, rule, plan, found),
        };
        self.state(unit).alert_mut(rule).expect("just seen").order = Some(id);
    }

    /// A silent unit can make no test; its silence is what is ordered.
    fn owes_nothing_now(&self, unit: UnitIx, rule: RuleIx) -> bool {
        let overdue = self.rules.rule(rule).condition.leaves().iter().all(|c| matches!(c, Condition::Overdue { .. }));
        overdue && self.units[unit.index()].presence != Presence::Present
    }

    /// What the order on this alert is about.
    fn finding(&self, at: Timestamp, unit: UnitIx, rule: RuleIx, plan: &OrderPlan) -> Finding {
        let r = self.rules.rule(rule);
        let alert = self.units[unit.index()].alert(rule).expect("an order is due on an alert that stands");
        let mut what = alert.reason.clone();
        if alert.flapping {
            let (times, within) = self.flaps(at, unit, rule);
            what = Reason::Flapping { times, within, what: Box::new(what) };
        }
        let diagnosis = self.diagnose(at, unit, rule);
        let (mut suspects, mut action, mut parts) = (plan.suspects.clone(), plan.action.clone(), plan.parts.clone());
        let mut component = r.component;
        if let Some(d) = diagnosis {
            what = Reason::Diagnosed { diagnosis: d.id.clone(), what: Box::new(what) };
            component = diagnosis::prime(&d.suspects).unwrap_or(component);
            suspects.clone_from(&d.suspects);
            action = d.action.clone().unwrap_or(action);
            parts = d.parts.clone().unwrap_or(parts);
        }
        if suspects.is_empty() {
            suspects.push(Suspect { component, certainty: 100 });
        }
        let case = match plan.per_site {
            true => CaseKey::Visit(self.fleet.unit(unit).site.clone(), component),
            false => CaseKey::Unit(unit, component),
        };
        Finding { case, component, what, suspects, action, parts }
    }

    fn may_relapse(&self, at: Timestamp, id: OrderId) -> bool {
        let order = &self.orders[&id].order;
        order.state == OrderState::Closed
            && order.closed_at.is_some_and(|closed| at.since(closed) <= self.settings.relapse_within)
    }

    pub(super) fn record(&mut self, id: OrderId) -> &mut OrderRecord {
        self.orders.get_mut(&id).expect("the id comes from the engine's own index")
    }

    fn open_unit_order(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        rule: RuleIx,
        plan: &OrderPlan,
        found: Finding,
    ) -> OrderId {
        let row = self.fleet.unit(unit).clone();
        let alert = self.units[unit.index()].alert(rule).expect("an order is due on an alert that stands");
        let (fired_at, flapping) = (alert.fired_at.unwrap_or(at), alert.flapping);
        let why = Reason::FiredFor { after: at.since(fired_at), what: Box::new(found.what.clone()) };
        let order = Order {
            site: Some(row.site.clone()),
            summary: self.summary(at, unit, rule),
            action: found.action,
            parts: found.parts,
            suspects: found.suspects,
            evidence: self.evidence(at, unit, rule, &found.what),
            reading: self.reading_that_matters(unit, rule, found.component),
            rules: vec![self.rules.rule(rule).id.clone()],
            flapping,
            ..self.blank_order(
                at,
                Subject::Unit { unit: row.unit.clone(), component: found.component },
                plan,
                row.crew.clone(),
            )
        };
        self.open_order(at, found.case, order, why)
    }

    fn blank_order(&mut self, at: Timestamp, subject: Subject, plan: &OrderPlan, crew: CrewId) -> Order {
        let id = OrderId::new(self.next_order);
        self.next_order += 1;
        Order {
            id,
            subject,
            priority: plan.priority,
            state: OrderState::Opened,
            crew: plan.crew.clone().unwrap_or(crew),
            site: None,
            opened_at: at,
            due_at: self.settings.targets.target(plan.priority).map(|t| at + t),
            closed_at: None,
            summary: String::new(),
            action: plan.action.clone(),
            parts: plan.parts.clone(),
            suspects: Vec::new(),
            evidence: Vec::new(),
            rules: Vec::new(),
            units: Vec::new(),
            relapses: 0,
            reading: None,
            flapping: false,
            history: Vec::new(),
        }
    }

    fn open_order(&mut self, at: Timestamp, case: CaseKey, order: Order, why: Reason) -> OrderId {
        let id = order.id;
        self.forget_old_orders(at);
        self.cases.insert(case.clone(), id);
        let life = OrderLife { visit: matches!(case, CaseKey::Visit(..)), ..OrderLife::default() };
        self.orders.insert(id, OrderRecord { order, case, life });
        self.change(at, id, OrderState::Opened, ITSELF, why);
        self.tell(at, id, News::Opened);
        self.arm_nudge(at, id);
        id
    }

    /// Another alert of the same case: one order, more evidence. The more urgent priority counts.
    fn join_order(&mut self, at: Timestamp, id: OrderId, unit: UnitIx, rule: RuleIx, found: &Finding) {
        let rules = self.rules.clone();
        let r = rules.rule(rule);
        let Some(plan) = &r.order else { return };
        let more = self.evidence(at, unit, rule, &found.what);
        let due = self.settings.targets.target(plan.priority);
        let name = self.fleet.unit(unit).unit.clone();
        let flapping = self.units[unit.index()].alert(rule).is_some_and(|a| a.flapping);
        let record = self.record(id);
        record.life.quiet_since = None;
        let order = &mut record.order;
        order.flapping |= flapping;
        if !order.rules.contains(&r.id) {
            order.rules.push(r.id.clone());
        }
        if let Subject::Unit { unit: first, .. } = &order.subject
            && *first != name
            && !order.units.contains(&name)
        {
            if order.units.is_empty() {
                order.units.push(first.clone());
            }
            order.units.push(name);
        }
        for line in more {
            if !order.evidence.contains(&line) {
                order.evidence.push(line);
            }
        }
        for part in &found.parts {
            if !order.parts.contains(part) {
                order.parts.push(part.clone());
            }
        }
        let was = order.priority;
        if plan.priority < order.priority {
            order.priority = plan.priority;
            order.due_at = due.map(|t| at + t);
        }
        let (order, is_raised) = (order.clone(), order.priority < was);
        self.emit(at, EffectKind::OrderUpdated(Box::new(order)));
        if is_raised {
            self.tell(at, id, News::Raised);
            self.arm_nudge(at, id);
        }
    }

    /// `rule`: whose alert it is this time. `units`: of an incident or a visit.
    fn reopen_relapsed(
        &mut self,
        at: Timestamp,
        id: OrderId,
        rule: Option<RuleId>,
        units: Vec<UnitId>,
        what: Reason,
        flapping: bool,
    ) {
        let target = self.settings.targets.target(self.orders[&id].order.priority);
        let record = self.record(id);
        let after = at.since(record.order.closed_at.expect("a closed order has its time"));
        let told = std::mem::take(&mut record.life.told);
        // To those who were not told that it was over, it is the same fault: once is enough for the supervisor.
        let believed_open = told.values().any(|t| !t.is_over);
        let waited_told = believed_open && record.life.waited_told;
        record.life = OrderLife { visit: record.life.visit, told, waited_told, ..OrderLife::default() };
        let order = &mut record.order;
        order.relapses += 1;
        order.flapping |= flapping;
        order.closed_at = None;
        order.due_at = target.map(|t| at + t);
        order.units = units;
        if let Some(rule) = rule.filter(|rule| !order.rules.contains(rule)) {
            order.rules.push(rule);
        }
        order.evidence.push(Evidence::Seen { at, why: what.clone() });
        self.change(at, id, OrderState::Reopened, ITSELF, Reason::Relapsed { after, what: Box::new(what) });
        self.tell(at, id, News::Relapsed);
        self.arm_nudge(at, id);
    }

    pub(super) fn incident_order_due(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let rules = self.rules.clone();
        let rule = rules.incident(incident);
        let Some(plan) = &rule.order else { return };
        let (kind, name) = self.groups.name(&rules, incident, group);
        let g = self.groups.get(incident, group);
        let Some(open) = g.open.clone().filter(|o| o.order_due == Some(at) && o.order.is_none()) else { return };
        if matches!(self.hearing, HearingState::Down { .. }) {
            // `resume_incident_orders` asks again when we can hear.
            return;
        }
        let case = CaseKey::Incident(kind, name.clone());
        let units = self.ids(&open.units);
        let id = match self.cases.get(&case).copied().filter(|id| self.orders.contains_key(id)) {
            Some(id) if self.orders[&id].order.state.is_open() => id,
            Some(id) if self.may_relapse(at, id) => {
                self.reopen_relapsed(at, id, None, units, open.reason.clone(), false);
                id
            }
            Some(_) | None => self.open_incident_order(at, case, rule, plan, &open),
        };
        if let Some(open) = &mut self.groups.get_mut(incident, group).open {
            open.order = Some(id);
        }
    }

    fn open_incident_order(
        &mut self,
        at: Timestamp,
        case: CaseKey,
        rule: &IncidentRule,
        plan: &OrderPlan,
        open: &OpenIncident,
    ) -> OrderId {
        let CaseKey::Incident(kind, name) = &case else { unreachable!("called with the case of an incident") };
        let (kind, name) = (*kind, name.clone());
        let first = open.units.first().copied().expect("an incident has units");
        let crew = self.fleet.unit(first).crew.clone();
        let why = Reason::IncidentOrdered { kind, name: name.clone(), units: open.units.len() };
        let component = match kind {
            GroupKind::Feeder => Component::Mains,
            GroupKind::Uplink | GroupKind::Site | GroupKind::City | GroupKind::Fleet => Component::Uplink,
        };
        let suspects = match plan.suspects.as_slice() {
            [] => vec![Suspect { component, certainty: 100 }],
            suspects => suspects.to_vec(),
        };
        let silent =
            rule.of.iter().filter_map(|id| self.rules.find(id)).all(|r| self.rules.rule(r).condition.is_silent());
        let happened = if silent { "went silent together" } else { "have the same trouble together" };
        let order = Order {
            summary: format!("{} units on {kind} {name} {happened}", open.units.len()),
            suspects,
            evidence: vec![Evidence::Seen { at: open.since, why: open.reason.clone() }],
            rules: rule.of.clone(),
            units: self.ids(&open.units),
            ..self.blank_order(at, Subject::Incident { kind, name }, plan, crew)
        };
        self.open_order(at, case, order, why)
    }

    pub(super) fn resume_incident_orders(&mut self, at: Timestamp) {
        let rules = self.rules.clone();
        let waiting: Vec<(IncidentIx, u32)> = self
            .groups
            .all()
            .filter(|(_, _, g)| g.open.as_ref().is_some_and(|o| o.order.is_none() && o.order_due.is_some()))
            .map(|(i, g, _)| (i, g))
            .collect();
        for (incident, group) in waiting {
            let Some(plan) = &rules.incident(incident).order else { continue };
            if let Some(open) = &mut self.groups.get_mut(incident, group).open {
                let due = open.order_due.map_or(at, |d| d.max(at + plan.after));
                open.order_due = Some(due);
                self.timers.arm(due, Timer::IncidentOrder(incident, group));
            }
        }
    }

    /// One more unit of an open incident.
    pub(super) fn update_incident_order(&mut self, at: Timestamp, incident: IncidentIx, group: u32) {
        let Some(open) = self.groups.get(incident, group).open.clone() else { return };
        let Some(id) = open.order else { return };
        let units = self.ids(&open.units);
        let record = self.record(id);
        if record.order.units.len() != units.len() && record.order.state.is_open() {
            record.order.units = units;
            let order = record.order.clone();
            self.emit(at, EffectKind::OrderUpdated(Box::new(order)));
        }
    }

    /// An alert was resolved that stood in order `id`.
    pub(super) fn fault_cleared(&mut self, at: Timestamp, id: Option<OrderId>, what: &Reason) {
        let Some(id) = id.filter(|id| self.orders.contains_key(id)) else { return };
        self.join_waiting(at, id);
        if !self.is_fault_present(id) {
            self.cleared(at, id, what);
        }
    }

    /// Another alert of the same case was about to ask for the order that would close now.
    fn join_waiting(&mut self, at: Timestamp, id: OrderId) {
        let CaseKey::Unit(unit, component) = self.orders[&id].case else { return };
        let waits = |a: &&Alert| {
            let due = a.order.is_none() && a.order_due.is_some() && a.held_by.is_none();
            a.phase == Phase::Firing && due && self.rules.rule(a.rule).component == component
        };
        let waiting: Vec<RuleIx> = self.units[unit.index()].alerts.iter().filter(waits).map(|a| a.rule).collect();
        for rule in waiting {
            self.state(unit).alert_mut(rule).expect("just seen").order_due = Some(at);
            self.order_due(at, unit, rule);
        }
    }

    pub(super) fn incident_cleared(&mut self, at: Timestamp, id: OrderId, what: &Reason) {
        self.cleared(at, id, what);
    }

    fn cleared(&mut self, at: Timestamp, id: OrderId, what: &Reason) {
        let hold = self.settings.hold;
        let Some(record) = self.orders.get_mut(&id) else { return };
        match record.order.state {
            OrderState::Opened | OrderState::Reopened => {
                self.close(at, id, Reason::ClearedByItself { what: Box::new(what.clone()) });
            }
            OrderState::Acknowledged | OrderState::EnRoute | OrderState::Repaired => {
                record.life.quiet_since = Some(at);
                self.timers.arm(at + hold, Timer::Hold(id));
            }
            OrderState::Verified | OrderState::Closed | OrderState::Cancelled => {}
        }
    }

    /// The units that an order asks somebody to look at. Empty: an incident's.
    pub(super) fn ordered_units(&self, id: OrderId) -> Vec<UnitIx> {
        let Some(record) = self.orders.get(&id) else { return Vec::new() };
        match &record.case {
            CaseKey::Unit(unit, _) => vec![*unit],
            CaseKey::Visit(..) => {
                let first = match &record.order.subject {
                    Subject::Unit { unit, .. } => Some(unit),
                    Subject::Incident { .. } => None,
                };
                let all: BTreeSet<&UnitId> = record.order.units.iter().chain(first).collect();
                all.into_iter().filter_map(|u| self.fleet.find(u.as_str())).collect()
            }
            CaseKey::Incident(..) => Vec::new(),
        }
    }

    fn is_fault_present(&self, id: OrderId) -> bool {
        let Some(record) = self.orders.get(&id) else { return false };
        let stands = |unit: &UnitIx| {
            let alerts = &self.units[unit.index()].alerts;
            alerts.iter().any(|a| a.is_active() && record.order.rules.contains(&self.rules.rule(a.rule).id))
        };
        self.ordered_units(id).iter().any(stands)
    }

    fn is_case_quiet(&self, id: OrderId) -> bool {
        match &self.orders[&id].case {
            CaseKey::Unit(..) | CaseKey::Visit(..) => !self.is_fault_present(id),
            CaseKey::Incident(kind, name) => self.groups.find(&self.rules, *kind, name).is_none(),
        }
    }

    /// The orders that this unit has a part in.
    fn orders_of(&self, unit: UnitIx) -> Vec<OrderId> {
        let site = self.fleet.unit(unit).site.clone();
        let (first, last) = (Component::ALL[0], Component::ALL[Component::ALL.len() - 1]);
        let own = self.cases.range(CaseKey::Unit(unit, first)..=CaseKey::Unit(unit, last));
        let visits = self.cases.range(CaseKey::Visit(site.clone(), first)..=CaseKey::Visit(site, last));
        own.chain(visits).map(|(_, id)| *id).filter(|id| self.ordered_units(*id).contains(&unit)).collect()
    }

    /// 2, 3, 4, 8: a person says so.
    pub(super) fn set_order(&mut self, at: Timestamp, id: OrderId, to: OrderMove, by: String, note: String) {
        let refuse = |engine: &mut Engine, why: String| {
            engine.emit(at, EffectKind::Refused { order: Some(id), why });
        };
        let Some(record) = self.orders.get(&id) else {
            return refuse(self, format!("there is no open order {id}; `orders list` shows those there are"));
        };
        let from = record.order.state;
        let (state, allowed) = match to {
            OrderMove::Acknowledged => {
                (OrderState::Acknowledged, matches!(from, OrderState::Opened | OrderState::Reopened))
            }
            OrderMove::EnRoute => (
                OrderState::EnRoute,
                matches!(from, OrderState::Opened | OrderState::Reopened | OrderState::Acknowledged),
            ),
            OrderMove::Repaired => (OrderState::Repaired, from.is_open() && from != OrderState::Verified),
            OrderMove::Cancelled => (OrderState::Cancelled, from.is_open()),
        };
        if !allowed {
            return refuse(self, format!("{id} is {from}: it cannot become {state}"));
        }
        let by = if by.trim().is_empty() { "unnamed".to_owned() } else { by };
        if state == OrderState::Cancelled {
            let record = self.record(id);
            record.order.closed_at = Some(at);
            self.change(at, id, state, &by, Reason::Said { note });
            self.tell(at, id, News::Over);
            return;
        }
        if state == OrderState::Repaired {
            let quiet = self.is_case_quiet(id);
            let record = self.record(id);
            record.life.repaired_at = Some(at);
            record.life.quiet_since = quiet.then_some(at);
        }
        self.change(at, id, state, &by, Reason::Said { note });
        if state == OrderState::Repaired {
            self.note_serviced(id);
            self.ask_for_selftest(at, id);
            self.timers.arm(at + self.settings.hold, Timer::Hold(id));
        }
    }

    /// Whoever was sent for the battery may have put in another.
    fn note_serviced(&mut self, id: OrderId) {
        let Subject::Unit { component: Component::Battery, .. } = &self.orders[&id].order.subject else { return };
        for unit in self.ordered_units(id) {
            if let Some(supply) = &mut self.state(unit).supply {
                supply.battery.serviced();
            }
        }
    }

    fn ask_for_selftest(&mut self, at: Timestamp, id: OrderId) {
        let record = &self.orders[&id];
        let Subject::Unit { component, .. } = &record.order.subject else { return };
        let components = if is_tested(*component) { vec![*component] } else { Vec::new() };
        let command =
            Command { id: question(&record.order), act: Do::Selftest, components, expires: at + COMMAND_EXPIRES_AFTER };
        for unit in self.ordered_units(id) {
            let unit = self.fleet.unit(unit).unit.clone();
            self.emit(at, EffectKind::Command { unit, command: command.clone() });
        }
    }

    /// A test after a repair is no older than the repair, though the unit's clock is behind: one that answers what was asked
    /// then, and one that is after it by our clock.
    pub(super) fn after_repair(&self, unit: UnitIx, answers: Option<&str>, taken: Taken) -> Taken {
        let repairs = self.orders_of(unit).into_iter().filter_map(|id| {
            let record = &self.orders[&id];
            let repaired = record.life.repaired_at.filter(|_| record.order.state == OrderState::Repaired)?;
            let is_answer = answers.is_some_and(|answers| question(&record.order) == answers);
            (is_answer || taken.ours >= repaired).then_some(repaired)
        });
        Taken { at: repairs.fold(taken.at, Timestamp::max), ..taken }
    }

    /// 9, or one step towards 5: a test of this component came in. What was tested before the repair says nothing of it.
    pub(super) fn judge_repair(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        component: Component,
        outcome: Outcome,
        code: Option<&str>,
        tested_at: Timestamp,
    ) {
        for id in self.orders_of(unit) {
            let record = &self.orders[&id];
            let order = &record.order;
            if record.life.repaired_at.is_some_and(|repaired| tested_at < repaired) {
                continue;
            }
            let about = matches!(&order.subject, Subject::Unit { component: c, .. } if *c == component);
            if order.state != OrderState::Repaired || !about {
                continue;
            }
            match outcome {
                Outcome::Fail => {
                    let why = Reason::TestFailedAfterRepair { test: component, code: code.map(str::to_owned) };
                    self.reopen_unrepaired(at, id, why);
                }
                Outcome::Pass => self.hold_due(at, id),
                Outcome::Inconclusive | Outcome::Skipped => {}
            }
        }
    }

    /// 9: an alert of the case fired again before the repair was verified.
    pub(super) fn repair_disproved(&mut self, at: Timestamp, unit: UnitIx, rule: RuleIx) {
        let rule_id = self.rules.rule(rule).id.clone();
        for id in self.orders_of(unit) {
            let record = self.record(id);
            if !record.order.state.is_open() || !record.order.rules.contains(&rule_id) {
                continue;
            }
            record.life.quiet_since = None;
            let flapping = self.units[unit.index()].alert(rule).is_some_and(|a| a.flapping);
            if flapping && !self.orders[&id].order.flapping {
                self.record(id).order.flapping = true;
                let order = self.orders[&id].order.clone();
                self.emit(at, EffectKind::OrderUpdated(Box::new(order)));
            }
            self.state(unit).alert_mut(rule).expect("it fired just now").order = Some(id);
            if self.orders[&id].order.state == OrderState::Repaired {
                self.reopen_unrepaired(at, id, Reason::StillFiringAfterRepair { rule: rule_id.clone() });
            }
        }
    }

    fn reopen_unrepaired(&mut self, at: Timestamp, id: OrderId, why: Reason) {
        let record = self.record(id);
        record.life.repaired_at = None;
        record.life.waited_told = false;
        record.order.evidence.push(Evidence::Seen { at, why: why.clone() });
        self.change(at, id, OrderState::Reopened, ITSELF, why);
        self.tell(at, id, News::NotRepaired);
        self.arm_nudge(at, id);
    }

    /// 5 and 6, when all that they ask for is true at `at`.
    pub(super) fn hold_due(&mut self, at: Timestamp, id: OrderId) {
        let hold = self.settings.hold;
        let Some(record) = self.orders.get(&id) else { return };
        if record.order.state != OrderState::Repaired {
            return;
        }
        let (Some(repaired), quiet) = (record.life.repaired_at, record.life.quiet_since) else { return };
        if at < repaired.max(quiet.unwrap_or(repaired)) + hold {
            return;
        }
        if quiet.is_none() {
            match self.still_seen(id, repaired) {
                Some(rule) => self.reopen_unrepaired(at, id, Reason::StillFiringAfterRepair { rule }),
                None => {
                    self.record(id).life.looked_at = Some(at);
                    self.timers.arm(at + hold, Timer::Hold(id));
                }
            }
            return;
        }
        let Some(tests) = self.tests_since(id, repaired) else { return };
        self.change(at, id, OrderState::Verified, ITSELF, Reason::Verified { tests: tests.clone(), held: hold });
        self.close(at, id, Reason::Verified { tests, held: hold });
    }

    /// The rule of an alert that something confirmed well after the repair. An alert that only waits for its next proof is
    /// none.
    fn still_seen(&self, id: OrderId, repaired: Timestamp) -> Option<RuleId> {
        let record = &self.orders[&id];
        if let CaseKey::Incident(kind, name) = &record.case {
            let open = self.groups.find(&self.rules, *kind, name).is_some();
            return record.order.rules.first().filter(|_| open).cloned();
        }
        self.ordered_units(id).into_iter().find_map(|unit| {
            let state = &self.units[unit.index()];
            let seen = |a: &&Alert| {
                let lasts = self.rules.rule(a.rule).condition.is_silent() && state.presence == Presence::Silent;
                a.phase == Phase::Firing && (lasts || a.seen > repaired + JUST_REPAIRED)
            };
            let alert =
                state.alerts.iter().filter(|a| record.order.rules.contains(&self.rules.rule(a.rule).id)).find(seen)?;
            Some(self.rules.rule(alert.rule).id.clone())
        })
    }

    /// The tests that were passed after the repair. None: one that the unit has is still to pass.
    fn tests_since(&self, id: OrderId, repaired: Timestamp) -> Option<Vec<Component>> {
        let Subject::Unit { component, .. } = &self.orders[&id].order.subject else { return Some(Vec::new()) };
        let mut passed = Vec::new();
        for unit in self.ordered_units(id) {
            match self.units[unit.index()].measured.test(*component) {
                None => {}
                Some(t) if t.last_pass.is_some_and(|p| p >= repaired) && t.result == Outcome::Pass => {
                    passed = vec![*component];
                }
                Some(_) => return None,
            }
        }
        Some(passed)
    }

    fn close(&mut self, at: Timestamp, id: OrderId, why: Reason) {
        let units = self.ordered_units(id);
        let record = self.record(id);
        record.order.closed_at = Some(at);
        self.change(at, id, OrderState::Closed, ITSELF, why);
        self.tell(at, id, News::Over);
        for unit in units {
            for alert in &mut self.state(unit).alerts {
                if alert.order == Some(id) {
                    alert.order = None;
                }
            }
        }
    }

    pub(super) fn cancel_orders_of(&mut self, at: Timestamp, unit: UnitIx, why: Reason) {
        let about = |r: &OrderRecord| matches!(r.case, CaseKey::Unit(u, _) if u == unit);
        let open: Vec<OrderId> =
            self.orders.iter().filter(|(_, r)| about(r) && r.order.state.is_open()).map(|(id, _)| *id).collect();
        for id in open {
            self.record(id).order.closed_at = Some(at);
            self.change(at, id, OrderState::Cancelled, ITSELF, why.clone());
            self.tell(at, id, News::Over);
        }
    }

    fn change(&mut self, at: Timestamp, id: OrderId, state: OrderState, by: &str, why: Reason) {
        let order = &mut self.record(id).order;
        order.state = state;
        order.history.push(Change { at, state, by: by.to_owned(), why });
        let order = order.clone();
        self.emit(at, EffectKind::Order(Box::new(order)));
    }

    /// Closed orders that can no longer come back live on in the store only.
    fn forget_old_orders(&mut self, at: Timestamp) {
        let within = self.settings.relapse_within;
        let old: Vec<OrderId> = self
            .orders
            .iter()
            .filter(|(_, r)| !r.order.state.is_open() && r.order.closed_at.is_some_and(|c| at.since(c) > within))
            // Somebody is still to hear that it is over.
            .filter(|(_, r)| r.life.told.values().all(|told| told.is_over))
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            if let Some(record) = self.orders.remove(&id)
                && self.cases.get(&record.case) == Some(&id)
            {
                self.cases.remove(&record.case);
            }
        }
    }

    pub(super) fn open_orders_of(&self, unit: &UnitId) -> usize {
        let about = |o: &Order| matches!(&o.subject, Subject::Unit { unit: u, .. } if u == unit);
        self.orders.values().filter(|r| r.order.state.is_open() && about(&r.order)).count()
    }
}

/// What a self-test can prove. The rest is proved by its alerts staying resolved.
/// The id of the command that asks for a test after the repair: each repair of an order has its own.
fn question(order: &Order) -> String {
    format!("{}-{}", order.id, order.history.len())
}

fn is_tested(component: Component) -> bool {
    Component::TESTED.contains(&component)
}
