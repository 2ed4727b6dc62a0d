//! A rule set laid out for the engine: which rules a reading, a test or an event touches. Never changes while it lives.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::message::Kind;
use crate::domain::rule::{Condition, CountedEvent, IncidentRule, MetricRef, OverdueEvent, Rule, RuleSet, Selection};
use crate::domain::{Component, Fleet, Metric, RuleId, UnitIx};

/// A rule's place in its `RuleSet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleIx(pub u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IncidentIx(pub u16);

/// The presence rule of units that no silent rule selects: they are still silent some time.
/// 3 missed 30 s beats: one loss is routine on 4G, three is not.
const DEFAULT_MISSED: u32 = 3;

/// What one rule asks of one unit, overrides applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    pub condition: &'a Condition,
    pub for_: Duration,
    pub clear_for: Duration,
}

#[derive(Debug)]
pub(super) struct Compiled {
    pub set: RuleSet,
    by_metric: Vec<Vec<RuleIx>>,
    by_vendor: BTreeMap<Box<str>, Vec<RuleIx>>,
    by_test: BTreeMap<Component, Vec<RuleIx>>,
    by_counted: BTreeMap<CountedEvent, Vec<RuleIx>>,
    by_overdue: BTreeMap<OverdueEvent, Vec<RuleIx>>,
    silences: Vec<RuleIx>,
    /// Per rule, the incidents that count its alerts.
    incidents_of: Vec<Vec<IncidentIx>>,
    /// Per rule: what each unit is asked. None: all units the same.
    choices: Vec<Option<Vec<Choice>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    NotSelected,
    Base,
    Override(u8),
}

impl Compiled {
    pub(super) fn new(set: RuleSet, fleet: &Fleet) -> Self {
        let mut c = Compiled {
            by_metric: vec![Vec::new(); Metric::ALL.len()],
            by_vendor: BTreeMap::new(),
            by_test: BTreeMap::new(),
            by_counted: BTreeMap::new(),
            by_overdue: BTreeMap::new(),
            silences: Vec::new(),
            incidents_of: vec![Vec::new(); set.rules.len()],
            choices: Vec::new(),
            set: RuleSet::default(),
        };
        for (i, rule) in set.rules.iter().enumerate() {
            let ix = RuleIx(i as u16);
            match &rule.condition {
                Condition::Silent { .. } => c.silences.push(ix),
                Condition::Threshold { metric: MetricRef::Known(m), .. } => c.by_metric[*m as usize].push(ix),
                Condition::Threshold { metric: MetricRef::Vendor(name), .. } => {
                    c.by_vendor.entry(name.clone()).or_default().push(ix)
                }
                Condition::Result { test, .. } => c.by_test.entry(*test).or_default().push(ix),
                Condition::Count { event, .. } => c.by_counted.entry(*event).or_default().push(ix),
                Condition::Overdue { event, .. } => c.by_overdue.entry(*event).or_default().push(ix),
            }
            c.choices.push(choices(rule, fleet));
        }
        for (i, incident) in set.incidents.iter().enumerate() {
            if let Some(r) = set.rules.iter().position(|r| r.id == incident.of) {
                c.incidents_of[r].push(IncidentIx(i as u16));
            }
        }
        c.set = set;
        c
    }

    pub(super) fn rule(&self, ix: RuleIx) -> &Rule {
        &self.set.rules[ix.0 as usize]
    }
    pub(super) fn incident(&self, ix: IncidentIx) -> &IncidentRule {
        &self.set.incidents[ix.0 as usize]
    }
    pub(super) fn find(&self, id: &RuleId) -> Option<RuleIx> {
        self.set.rules.iter().position(|r| r.id == *id).map(|i| RuleIx(i as u16))
    }
    pub(super) fn for_metric(&self, metric: Metric) -> &[RuleIx] {
        &self.by_metric[metric as usize]
    }
    pub(super) fn for_vendor(&self, name: &str) -> &[RuleIx] {
        self.by_vendor.get(name).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_test(&self, test: Component) -> &[RuleIx] {
        self.by_test.get(&test).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_counted(&self, event: CountedEvent) -> &[RuleIx] {
        self.by_counted.get(&event).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_overdue(&self, event: OverdueEvent) -> &[RuleIx] {
        self.by_overdue.get(&event).map_or(&[], Vec::as_slice)
    }
    pub(super) fn overdue(&self) -> impl Iterator<Item = (OverdueEvent, RuleIx)> + '_ {
        self.by_overdue.iter().flat_map(|(e, rules)| rules.iter().map(|r| (*e, *r)))
    }
    pub(super) fn silences(&self) -> &[RuleIx] {
        &self.silences
    }
    pub(super) fn incidents_of(&self, ix: RuleIx) -> &[IncidentIx] {
        &self.incidents_of[ix.0 as usize]
    }

    /// None: the rule is not for this unit.
    pub(super) fn demand(&self, ix: RuleIx, unit: UnitIx) -> Option<Demand<'_>> {
        let rule = self.rule(ix);
        let base = Demand { condition: &rule.condition, for_: rule.for_, clear_for: rule.clear_for };
        let Some(choices) = &self.choices[ix.0 as usize] else { return Some(base) };
        match choices[unit.index()] {
            Choice::NotSelected => None,
            Choice::Base => Some(base),
            Choice::Override(n) => {
                let o = &rule.overrides[n as usize];
                Some(Demand { condition: &o.condition, for_: o.for_, clear_for: o.clear_for })
            }
        }
    }

    pub(super) fn demand_condition(&self, ix: RuleIx, unit: UnitIx) -> Option<&Condition> {
        self.set.rules.get(ix.0 as usize)?;
        self.demand(ix, unit).map(|d| d.condition)
    }

    /// The rule whose deadline decides presence: the first heartbeat rule for this unit.
    pub(super) fn presence_rule(&self, unit: UnitIx) -> Option<RuleIx> {
        self.silences.iter().copied().find(|r| {
            matches!(
                self.demand(*r, unit),
                Some(Demand { condition: Condition::Silent { kind: Kind::Heartbeat, .. }, .. })
            )
        })
    }
}

fn choices(rule: &Rule, fleet: &Fleet) -> Option<Vec<Choice>> {
    if rule.only.is_everything() && rule.overrides.is_empty() {
        return None;
    }
    let choose = |(_, unit): (UnitIx, &crate::domain::Unit)| {
        if !rule.only.selects(unit) {
            return Choice::NotSelected;
        }
        let selects = |only: &Selection| only.selects(unit);
        match rule.overrides.iter().position(|o| selects(&o.only)) {
            Some(n) => Choice::Override(n as u8),
            None => Choice::Base,
        }
    };
    Some(fleet.units().map(choose).collect())
}

/// How long a unit may say nothing. Half an interval of slack: jitter of a busy cell, not a lost beat.
pub(super) fn silence_span(condition: Option<&Condition>, interval: Duration) -> Duration {
    match condition {
        Some(Condition::Silent { missed, slack, .. }) => {
            interval.saturating_mul(*missed).saturating_add(slack.unwrap_or(interval / 2))
        }
        Some(
            Condition::Threshold { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. },
        )
        | None => interval.saturating_mul(DEFAULT_MISSED).saturating_add(interval / 2),
    }
}
