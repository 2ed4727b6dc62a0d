//! The whole fleet in few rows, and each rule with how many units it concerns. Looks at every unit once and writes no
//! sentence but for the rows that are shown. Never changes anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::explain::asks;
use crate::domain::overview::{
    Bounds, CityCount, Counts, IncidentRuleRow, Overview, Part, Place, ROWS_MAX, RuleRow, RulesView, gather, is_overdue,
};
use crate::domain::view::UnitRow;
use crate::domain::{AlertState, City, GroupKind, Readiness, Subject, Timestamp, Unit, UnitIx};

use super::Engine;
use super::unit_state::Phase;

impl Engine {
    pub fn overview(&self, part: &Part, now: Timestamp) -> Overview {
        let mut counts = Counts::default();
        let mut unplaced = Vec::new();
        let (mut broken, mut changed) = (Vec::new(), Vec::new());
        let mut open_alerts = 0;
        for (ix, unit) in self.fleet.units().filter(|(_, unit)| is_in(part, unit)) {
            let state = &self.units[ix.index()];
            counts.add(state.readiness, 1);
            open_alerts += state.alerts.iter().filter(|a| a.is_active()).count();
            if unit.position.is_none() {
                unplaced.push(ix);
            }
            if let Some(rank) = how_broken(state.readiness) {
                broken.push((rank, state.readiness_since.unwrap_or(Timestamp::MAX), ix));
            }
            if let Some(since) = state.readiness_since {
                changed.push((Reverse(since), ix));
            }
        }
        let broken_total = broken.len();
        first(&mut broken);
        first(&mut changed);
        let orders = self.open_orders_by_unit();
        let row =
            |ix: UnitIx| -> UnitRow { self.unit_row(ix, orders.get(&self.fleet.unit(ix).unit).copied().unwrap_or(0)) };
        let mut open_orders = 0;
        let mut overdue_orders = 0;
        for order in self.open_orders() {
            let of = |unit: &crate::domain::UnitId| {
                self.fleet.find(unit.as_str()).is_some_and(|ix| is_in(part, self.fleet.unit(ix)))
            };
            let concerns = match &order.subject {
                Subject::Unit { unit, component: _ } => of(unit),
                Subject::Incident { .. } => order.units.iter().any(of),
            };
            if part.is_everything() || concerns {
                open_orders += 1;
                overdue_orders += usize::from(is_overdue(order.due_at, now));
            }
        }
        let mut crews: Vec<_> = self.fleet.units().map(|(_, u)| &u.crew).collect();
        crews.sort_unstable();
        crews.dedup();
        Overview {
            hearing: self.is_hearing(),
            counts,
            cities: self.cities(),
            crews: crews.into_iter().cloned().collect(),
            places: gather(self.sites(part)),
            unplaced: unplaced.len(),
            unplaced_units: unplaced.into_iter().take(ROWS_MAX).map(row).collect(),
            broken: broken_total,
            broken_units: broken.into_iter().map(|(_, _, ix)| row(ix)).collect(),
            changed_units: changed.into_iter().map(|(_, ix)| row(ix)).collect(),
            open_alerts,
            open_orders,
            overdue_orders,
            open_incidents: self.groups.all().filter(|(_, _, g)| g.open.is_some()).count(),
        }
    }

    fn cities(&self) -> Vec<CityCount> {
        let groups = self.fleet.groups().iter().filter(|((kind, _), _)| *kind == GroupKind::City);
        groups
            .filter_map(|(_, members)| {
                let mut counts = Counts::default();
                for ix in members.iter() {
                    counts.add(self.units[ix.index()].readiness, 1);
                }
                Some(CityCount { city: self.fleet.unit(*members.first()?).city.clone(), counts })
            })
            .collect()
    }

    /// Those of its units that have a position. A name that two cities have is two sites.
    fn sites(&self, part: &Part) -> Vec<Place> {
        let mut sites = Vec::new();
        let groups = self.fleet.groups().iter().filter(|((kind, _), _)| *kind == GroupKind::Site);
        for (_, members) in groups {
            let mut by_city: BTreeMap<&City, Place> = BTreeMap::new();
            for ix in members.iter() {
                let unit = self.fleet.unit(*ix);
                let Some(position) = unit.position.filter(|_| is_in(part, unit)) else { continue };
                let readiness = self.units[ix.index()].readiness;
                match by_city.get_mut(&unit.city) {
                    Some(place) => {
                        let before = place.counts.total() as f64;
                        let middle = |a: f64, b: f64| (a * before + b) / (before + 1.0);
                        place.position = (middle(place.position.0, position.0), middle(place.position.1, position.1));
                        place.bounds = place.bounds.and(Bounds::of(position));
                        place.counts.add(readiness, 1);
                        place.unit = None;
                    }
                    None => {
                        let mut counts = Counts::default();
                        counts.add(readiness, 1);
                        by_city.insert(
                            &unit.city,
                            Place {
                                site: unit.site.to_string(),
                                sites: 1,
                                city: Some(unit.city.clone()),
                                unit: Some(unit.unit.clone()),
                                position,
                                bounds: Bounds::of(position),
                                counts,
                            },
                        );
                    }
                }
            }
            sites.extend(by_city.into_values());
        }
        sites
    }

    /// In the order of the file.
    pub fn rules_view(&self) -> RulesView {
        let set = &self.rules.set;
        let mut rules: Vec<RuleRow> = set
            .rules
            .iter()
            .map(|rule| RuleRow {
                rule: rule.id.clone(),
                component: rule.component,
                severity: rule.severity,
                summary: rule.summary.clone(),
                asks: asks(&rule.condition),
                condition: Some(rule.condition.clone()),
                for_s: rule.for_.as_secs_f64(),
                clear_for_s: rule.clear_for.as_secs_f64(),
                readiness: rule.readiness,
                priority: rule.order.as_ref().map(|o| o.priority),
                action: rule.order.as_ref().map(|o| o.action.clone()),
                is_selective: !rule.only.is_everything(),
                overrides: rule.overrides.len(),
                pending: 0,
                firing: 0,
                inhibited: 0,
            })
            .collect();
        for state in &self.units {
            for alert in &state.alerts {
                let state = match (alert.phase, alert.held_by) {
                    (Phase::Pending, _) => AlertState::Pending,
                    (Phase::Firing | Phase::Clearing, Some(_)) => AlertState::Inhibited,
                    (Phase::Firing | Phase::Clearing, None) => AlertState::Firing,
                };
                // A rule's number is its place in the file.
                if let Some(row) = rules.get_mut(usize::from(alert.rule.0)) {
                    row.count(state);
                }
            }
        }
        let incidents = set.incidents.iter().enumerate().map(|(i, rule)| IncidentRuleRow {
            rule: rule.id.clone(),
            group_by: rule.group_by,
            of: rule.of.clone(),
            inhibits: rule.inhibits.clone(),
            at_least: rule.at_least,
            share_pct: rule.fraction * 100.0,
            priority: rule.order.as_ref().map(|o| o.priority),
            open: self.groups.all().filter(|(at, _, g)| at.0 as usize == i && g.open.is_some()).count(),
        });
        RulesView { incidents: incidents.collect(), rules }
    }
}

fn is_in(part: &Part, unit: &Unit) -> bool {
    part.city.as_ref().is_none_or(|city| unit.city == *city)
        && part.within.is_none_or(|within| unit.position.is_some_and(|at| within.contains(at)))
}

/// Lowest: a press would not summon help. None: nothing is broken that a crew could mend.
fn how_broken(readiness: Readiness) -> Option<u8> {
    match readiness {
        Readiness::NotReady | Readiness::Silent => Some(0),
        Readiness::Impaired => Some(1),
        Readiness::Ready | Readiness::Unknown | Readiness::Unproven | Readiness::Maintenance => None,
    }
}

/// Keeps the first few in their order.
fn first<T: Ord>(rows: &mut Vec<T>) {
    if rows.len() > ROWS_MAX {
        rows.select_nth_unstable(ROWS_MAX);
        rows.truncate(ROWS_MAX);
    }
    rows.sort_unstable();
}
