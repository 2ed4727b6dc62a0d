//! A rule set laid out for the engine: which rules a reading, a test or an event touches. Never changes while it lives.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::message::Kind;
use crate::domain::rule::{
    Condition, CountedEvent, ForecastLimit, IncidentRule, KnownSign, MetricRef, OverdueEvent, Rule, RuleSet, Selection,
    Side, Sign,
};
use crate::domain::{Component, Fleet, Metric, RuleId, UnitIx};

/// A rule's place in its `RuleSet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleIx(pub u16);

/// One sign of a rule's condition: its number from the left. 0 of a condition that is not combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub rule: RuleIx,
    pub n: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IncidentIx(pub u16);

/// The presence rule of units that no silent rule selects: they are still silent some time.
/// 3 missed 30 s beats: one loss is routine on 4G, three is not.
const DEFAULT_MISSED: u32 = 3;

const EVERYTHING: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const NOTHING: (f64, f64) = (f64::NAN, f64::NAN);

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
    by_metric: Vec<Vec<Leaf>>,
    /// Per metric: values between these, both included, are good by every rule for every unit.
    calm: Vec<(f64, f64)>,
    by_vendor: BTreeMap<Box<str>, Vec<Leaf>>,
    by_test: BTreeMap<Component, Vec<Leaf>>,
    by_counted: BTreeMap<CountedEvent, Vec<Leaf>>,
    by_overdue: BTreeMap<OverdueEvent, Vec<Leaf>>,
    silences: Vec<Leaf>,
    /// Metrics whose commissioning value some rule asks for.
    baselined: Vec<bool>,
    /// Per rule, the incidents that count its alerts.
    incidents_of: Vec<Vec<IncidentIx>>,
    /// Per rule: what each unit is asked. None: all units the same.
    choices: Vec<Option<Vec<Choice>>>,
    presence: PresenceRules,
    /// How long the beginnings of alerts are remembered: as far as a diagnosis looks back.
    pub memory: Duration,
    /// Some diagnosis looks at boots.
    pub boots_matter: bool,
}

/// The rule whose deadline decides presence: the first heartbeat rule for the unit.
#[derive(Debug)]
enum PresenceRules {
    Same(Option<RuleIx>),
    PerUnit(Vec<Option<RuleIx>>),
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
            calm: vec![EVERYTHING; Metric::ALL.len()],
            by_vendor: BTreeMap::new(),
            by_test: BTreeMap::new(),
            by_counted: BTreeMap::new(),
            by_overdue: BTreeMap::new(),
            silences: Vec::new(),
            baselined: vec![false; Metric::ALL.len()],
            incidents_of: vec![Vec::new(); set.rules.len()],
            choices: Vec::new(),
            presence: PresenceRules::Same(None),
            memory: set.diagnoses.iter().map(|d| d.within).max().unwrap_or_default(),
            boots_matter: set.diagnoses.iter().any(|d| d.seen.contains(&Sign::Known(KnownSign::Boot))),
            set: RuleSet::default(),
        };
        for (i, rule) in set.rules.iter().enumerate() {
            let rule_ix = RuleIx(i as u16);
            for (n, condition) in rule.condition.leaves().into_iter().enumerate() {
                c.index(Leaf { rule: rule_ix, n: n as u8 }, condition);
            }
            c.choices.push(choices(rule, fleet));
            let asked = rule.overrides.iter().map(|o| &o.condition).chain([&rule.condition]);
            asked.flat_map(Condition::leaves).for_each(|leaf| c.calm_down(leaf));
        }
        for (i, incident) in set.incidents.iter().enumerate() {
            for of in &incident.of {
                if let Some(r) = set.rules.iter().position(|r| r.id == *of) {
                    c.incidents_of[r].push(IncidentIx(i as u16));
                }
            }
        }
        c.set = set;
        c.presence = c.presence_rules(fleet);
        c
    }

    fn index(&mut self, leaf: Leaf, condition: &Condition) {
        let mut read = |metric: &MetricRef| match metric {
            MetricRef::Known(m) => self.by_metric[*m as usize].push(leaf),
            MetricRef::Vendor(name) => self.by_vendor.entry(name.clone()).or_default().push(leaf),
        };
        match condition {
            Condition::Silent { .. } => self.silences.push(leaf),
            Condition::Threshold { metric, .. } | Condition::Rate { metric, .. } => read(metric),
            Condition::Baseline { metric, .. } => {
                read(&MetricRef::Known(*metric));
                self.baselined[*metric as usize] = true;
            }
            Condition::Forecast { metric, limit, .. } => {
                read(&MetricRef::Known(*metric));
                self.baselined[*metric as usize] |= matches!(limit, ForecastLimit::Baseline(_));
            }
            Condition::Result { test, .. } => self.by_test.entry(*test).or_default().push(leaf),
            Condition::Count { event, .. } => self.by_counted.entry(*event).or_default().push(leaf),
            Condition::Overdue { event, .. } => self.by_overdue.entry(*event).or_default().push(leaf),
            Condition::All(_) | Condition::Any(_) => unreachable!("a leaf is not combined"),
        }
    }

    /// What this sign calls bad, or may call bad, is not calm.
    fn calm_down(&mut self, leaf: &Condition) {
        match leaf {
            Condition::Threshold { metric: MetricRef::Known(metric), side, limit, .. } => {
                let (low, high) = &mut self.calm[*metric as usize];
                match side {
                    Side::Below => *low = low.max(*limit),
                    Side::Above => *high = high.min(*limit),
                }
            }
            Condition::Baseline { metric, .. }
            | Condition::Forecast { metric, .. }
            | Condition::Rate { metric: MetricRef::Known(metric), .. } => self.calm[*metric as usize] = NOTHING,
            Condition::Threshold { metric: MetricRef::Vendor(_), .. }
            | Condition::Rate { metric: MetricRef::Vendor(_), .. }
            | Condition::Silent { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. }
            | Condition::All(_)
            | Condition::Any(_) => {}
        }
    }

    /// Good by every rule for every unit: nothing can begin with it.
    #[inline]
    pub(super) fn is_calm(&self, metric: Metric, value: f64) -> bool {
        let (low, high) = self.calm[metric as usize];
        low <= value && value <= high
    }

    fn presence_rules(&self, fleet: &Fleet) -> PresenceRules {
        let first = |unit: UnitIx| {
            self.silences.iter().map(|leaf| leaf.rule).find(|r| {
                matches!(
                    self.demand(*r, unit),
                    Some(Demand { condition: Condition::Silent { kind: Kind::Heartbeat, .. }, .. })
                )
            })
        };
        let selective = self.silences.iter().any(|leaf| self.choices[leaf.rule.0 as usize].is_some());
        if !selective || fleet.is_empty() {
            let some = (!fleet.is_empty()).then_some(UnitIx(0));
            return PresenceRules::Same(some.and_then(first));
        }
        PresenceRules::PerUnit(fleet.units().map(|(unit, _)| first(unit)).collect())
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
    pub(super) fn for_metric(&self, metric: Metric) -> &[Leaf] {
        &self.by_metric[metric as usize]
    }
    pub(super) fn for_vendor(&self, name: &str) -> &[Leaf] {
        self.by_vendor.get(name).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_test(&self, test: Component) -> &[Leaf] {
        self.by_test.get(&test).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_counted(&self, event: CountedEvent) -> &[Leaf] {
        self.by_counted.get(&event).map_or(&[], Vec::as_slice)
    }
    pub(super) fn for_overdue(&self, event: OverdueEvent) -> &[Leaf] {
        self.by_overdue.get(&event).map_or(&[], Vec::as_slice)
    }
    pub(super) fn overdue(&self) -> impl Iterator<Item = (OverdueEvent, Leaf)> + '_ {
        self.by_overdue.iter().flat_map(|(e, leaves)| leaves.iter().map(|l| (*e, *l)))
    }
    pub(super) fn silences(&self) -> &[Leaf] {
        &self.silences
    }
    pub(super) fn is_baselined(&self, metric: Metric) -> bool {
        self.baselined[metric as usize]
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

    /// The sign as it is asked of this unit. None: the rule is not for this unit, or is not in the file any more.
    pub(super) fn sign(&self, leaf: Leaf, unit: UnitIx) -> Option<&Condition> {
        self.set.rules.get(leaf.rule.0 as usize)?;
        self.demand(leaf.rule, unit)?.condition.leaf(usize::from(leaf.n))
    }

    pub(super) fn presence_rule(&self, unit: UnitIx) -> Option<RuleIx> {
        match &self.presence {
            PresenceRules::Same(rule) => *rule,
            PresenceRules::PerUnit(rules) => rules[unit.index()],
        }
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
    let (missed, slack) = match condition {
        Some(Condition::Silent { missed, slack, .. }) => (*missed, *slack),
        Some(_) | None => (DEFAULT_MISSED, None),
    };
    interval.saturating_mul(missed).saturating_add(slack.unwrap_or(interval / 2))
}
