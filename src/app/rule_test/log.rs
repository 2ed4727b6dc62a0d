//! What the engine answered in one test, in time order, as the verdicts ask for it. Never judges.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::rule_test::StandsAs;
use crate::domain::{
    AlertState, Effect, EffectKind, GroupKind, GroupName, IncidentState, Metric, Order, OrderId, OrderState, Readiness,
    RuleId, Subject, Timestamp, UnitId,
};

#[derive(Debug, Default)]
pub(super) struct Log {
    pub effects: Vec<Effect>,
}

/// One thing's states, one after the other.
#[derive(Debug)]
pub(super) struct Track<S> {
    /// Before the first change.
    pub first: S,
    /// When, to what, why. At most one at a moment: what stood for no time did not stand.
    pub changes: Vec<(Timestamp, S, String)>,
}

impl<S: Copy> Track<S> {
    fn new(first: S) -> Self {
        Track { first, changes: Vec::new() }
    }
    fn push(&mut self, at: Timestamp, state: S, reason: String) {
        match self.changes.last_mut() {
            Some(last) if last.0 == at => *last = (at, state, reason),
            Some(_) | None => self.changes.push((at, state, reason)),
        }
    }
    /// Since when (None: ever), what and why.
    pub fn at(&self, at: Timestamp) -> (Option<Timestamp>, S, &str) {
        let n = self.changes.partition_point(|(t, _, _)| *t <= at);
        match n.checked_sub(1).map(|i| &self.changes[i]) {
            Some((t, state, reason)) => (Some(*t), *state, reason),
            None => (None, self.first, ""),
        }
    }
}

impl Log {
    pub fn take(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
    }

    pub fn alert(&self, unit: &UnitId, rule: &RuleId) -> Track<StandsAs> {
        let mut track = Track::new(StandsAs::Inactive);
        for effect in &self.effects {
            if let EffectKind::Alert { unit: u, rule: r, state, reason, .. } = &effect.kind
                && u == unit
                && r == rule
            {
                let stands = match state {
                    AlertState::Pending => StandsAs::Pending,
                    AlertState::Firing => StandsAs::Firing,
                    AlertState::Inhibited => StandsAs::Inhibited,
                    AlertState::Resolved => StandsAs::Inactive,
                };
                track.push(effect.at, stands, reason.to_string());
            }
        }
        track
    }

    pub fn readiness(&self, unit: &UnitId) -> Track<Readiness> {
        let mut track = Track::new(Readiness::Unproven);
        for effect in &self.effects {
            if let EffectKind::Readiness { unit: u, to, reason, .. } = &effect.kind
                && u == unit
            {
                track.push(effect.at, *to, reason.to_string());
            }
        }
        track
    }

    /// Is one of this kind, and of this name if one is said, open?
    pub fn incident(&self, kind: GroupKind, name: Option<&str>) -> Track<bool> {
        let mut track = Track::new(false);
        let mut open: BTreeSet<&GroupName> = BTreeSet::new();
        for effect in &self.effects {
            if let EffectKind::Incident { kind: k, name: n, state, reason, .. } = &effect.kind
                && *k == kind
                && name.is_none_or(|name| name == n.as_str())
            {
                match state {
                    IncidentState::Open => open.insert(n),
                    IncidentState::Closed => open.remove(n),
                };
                track.push(effect.at, !open.is_empty(), reason.to_string());
            }
        }
        track
    }

    /// Each order as it was at that moment.
    pub fn orders_at(&self, at: Timestamp) -> Vec<&Order> {
        let mut newest: BTreeMap<OrderId, &Order> = BTreeMap::new();
        for effect in self.effects.iter().filter(|e| e.at <= at) {
            if let EffectKind::Order(order) | EffectKind::OrderUpdated(order) = &effect.kind {
                newest.insert(order.id, order);
            }
        }
        newest.into_values().collect()
    }

    pub fn opened_within(&self, from: Timestamp, to: Timestamp) -> Vec<&Order> {
        let within = self.effects.iter().filter(|e| e.at >= from && e.at <= to);
        within
            .filter_map(|e| match &e.kind {
                EffectKind::Order(order) if order.state == OrderState::Opened => Some(&**order),
                _ => None,
            })
            .collect()
    }

    /// The newest before or at that moment.
    pub fn reading(&self, unit: &UnitId, metric: Metric, at: Timestamp) -> Option<(Timestamp, f64)> {
        self.effects.iter().rev().filter(|e| e.at <= at).find_map(|e| match &e.kind {
            EffectKind::Reading { unit: u, metric: m, value } if u == unit && *m == metric => Some((e.at, *value)),
            _ => None,
        })
    }
}

/// The first instruction that could not be carried out.
pub(super) fn refusal(effects: &[Effect]) -> Option<String> {
    effects.iter().find_map(|e| match &e.kind {
        EffectKind::Refused { why, .. } => Some(why.clone()),
        _ => None,
    })
}

/// Is the order about this unit? One on an incident is about none.
pub(super) fn is_about(order: &Order, unit: &UnitId) -> bool {
    match &order.subject {
        Subject::Unit { unit: u, .. } => u == unit || order.units.contains(unit),
        Subject::Incident { .. } => false,
    }
}

/// One line of the timeline for people. None: it is not shown.
pub(super) fn line(effect: &Effect) -> Option<String> {
    match &effect.kind {
        EffectKind::Readiness { unit, from, to, reason } => Some(format!("{unit} is {to} (was {from}): {reason}")),
        EffectKind::Alert { unit, rule, state, reason, .. } => Some(format!("{unit} {rule} {state}: {reason}")),
        EffectKind::Incident { kind, name, state, units, reason } => {
            Some(format!("incident {kind} {name} {state}, {} units: {reason}", units.len()))
        }
        EffectKind::Order(order) => {
            let why = order.history.last().map(|c| c.why.to_string()).unwrap_or_default();
            Some(format!("{}: {why}", order_text(order)))
        }
        EffectKind::Mail(mail) => Some(format!("mail {} to {}", mail.kind, recipient(mail))),
        EffectKind::Reading { unit, metric, value } => Some(format!("{unit} {metric} {}", metric.figure(*value))),
        EffectKind::OrderUpdated(_) | EffectKind::Command { .. } | EffectKind::Refused { .. } => None,
    }
}

fn recipient(mail: &crate::domain::Notice) -> String {
    mail.to.to_string()
}

pub(super) fn order_text(order: &Order) -> String {
    let about = match &order.subject {
        Subject::Unit { unit, component } => format!("{unit} {component}"),
        Subject::Incident { kind, name } => format!("{kind} {name}"),
    };
    format!("{} {about} {} {}", order.id, order.priority, order.state)
}

/// Does the effect belong to this unit's story?
pub(super) fn concerns(effect: &Effect, units: &[UnitId]) -> bool {
    if units.is_empty() {
        return true;
    }
    match &effect.kind {
        EffectKind::Readiness { unit, .. }
        | EffectKind::Alert { unit, .. }
        | EffectKind::Reading { unit, .. }
        | EffectKind::Command { unit, .. } => units.contains(unit),
        EffectKind::Incident { units: members, .. } => units.iter().any(|u| members.contains(u)),
        EffectKind::Order(order) | EffectKind::OrderUpdated(order) => {
            units.iter().any(|u| is_about(order, u) || order.units.contains(u))
        }
        EffectKind::Mail(mail) => mail.orders.iter().any(|o| units.iter().any(|u| is_about(o, u))),
        EffectKind::Refused { .. } => true,
    }
}
