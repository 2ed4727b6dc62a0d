//! What people may see of the engine's state, as rows. Never changes it.

use std::collections::BTreeMap;

use crate::domain::effect::{AlertState, IncidentState};
use crate::domain::metric::Origin;
use crate::domain::series::SeriesLimit;
use crate::domain::view::{AlertRow, IncidentRow, OrderView, ReadingView, SiblingView, TestView, UnitCard, UnitRow};
use crate::domain::{GroupKind, Metric, Order, OrderId, Reason, SeriesName, Subject, UnitId, UnitIx};

use super::Engine;
use super::sign::growth;
use super::unit_state::{Alert, Phase, Presence};

impl Engine {
    /// In the order of their ids.
    pub fn unit_rows(&self) -> Vec<UnitRow> {
        let open = self.open_orders_by_unit();
        let count = |unit: UnitIx| open.get(&self.fleet.unit(unit).unit).copied().unwrap_or(0);
        self.fleet.units().map(|(ix, _)| self.unit_row(ix, count(ix))).collect()
    }

    pub(super) fn open_orders_by_unit(&self) -> BTreeMap<&UnitId, usize> {
        let mut open = BTreeMap::new();
        for order in self.open_orders() {
            if let Subject::Unit { unit, .. } = &order.subject {
                *open.entry(unit).or_default() += 1;
            }
        }
        open
    }

    pub(super) fn unit_row(&self, unit: UnitIx, open_orders: usize) -> UnitRow {
        let row = self.fleet.unit(unit);
        let s = &self.units[unit.index()];
        let because = self.unit_reason(unit);
        UnitRow {
            unit: row.unit.clone(),
            name: row.name.to_string(),
            site: row.site.clone(),
            site_type: row.site_type.to_string(),
            city: row.city.clone(),
            crew: row.crew.clone(),
            uplink: row.uplink.clone(),
            feeder: row.feeder.clone(),
            model: row.model.to_string(),
            position: row.position,
            readiness: s.readiness,
            reason: because.to_string(),
            because: Some(because),
            since: s.readiness_since,
            last_heard: s.last_heard,
            open_alerts: s.alerts.iter().filter(|a| a.is_active()).count(),
            open_orders,
            readings: BTreeMap::new(),
            texts: BTreeMap::new(),
        }
    }

    pub(super) fn unit_reason(&self, unit: UnitIx) -> Reason {
        match (self.units[unit.index()].presence, self.readiness_reason(unit)) {
            (Presence::Never, Reason::NeverPassed { .. }) => Reason::NeverHeard,
            (_, reason) => reason,
        }
    }

    /// None: not in the fleet.
    pub fn unit_card(&self, id: &UnitId) -> Option<UnitCard> {
        let unit = self.fleet.find(id.as_str())?;
        let row = self.fleet.unit(unit);
        let s = &self.units[unit.index()];
        let mut siblings = Vec::new();
        for kind in [GroupKind::Uplink, GroupKind::Feeder] {
            let members = row.group(kind).and_then(|name| self.fleet.groups().get(&(kind, name)));
            for sibling in members.into_iter().flat_map(|m| m.iter()).filter(|m| **m != unit) {
                siblings.push(SiblingView {
                    unit: self.fleet.unit(*sibling).unit.clone(),
                    shares: kind,
                    readiness: self.units[sibling.index()].readiness,
                });
            }
        }
        let limits = |name: &SeriesName| {
            let mut limits: Vec<f64> =
                SeriesLimit::of(self.rules(), row, name).into_iter().map(|limit| limit.value).collect();
            limits.sort_by(f64::total_cmp);
            limits.dedup();
            limits
        };
        let mut readings: Vec<ReadingView> = s
            .measured
            .readings()
            .map(|r| ReadingView {
                metric: r.metric.name().to_owned(),
                value: r.value,
                text: r.metric.figure(r.value),
                at: r.at,
                limits: limits(&SeriesName::Metric(r.metric)),
            })
            .collect();
        let derived_at = s.last_heard.unwrap_or_default();
        let derived = Metric::ALL
            .iter()
            .copied()
            .filter(|m| m.origin() != Origin::Sent)
            .filter_map(|m| Some((m, self.present_value(derived_at, unit, m)?)));
        // A cut that is not, a charger that works, and mains that came back weeks ago are no news.
        let news = |(m, value): &(Metric, f64)| *m != Metric::FeederLit && (growth(*m).is_none() || *value != 0.0);
        readings.extend(derived.filter(news).map(|(m, value)| ReadingView {
            metric: m.name().to_owned(),
            value,
            text: m.figure(value),
            at: derived_at,
            limits: limits(&SeriesName::Metric(m)),
        }));
        readings.extend(s.seldom().vendor.iter().map(|(name, value, at)| ReadingView {
            metric: format!("x.{name}"),
            value: *value,
            text: crate::domain::metric::plain_number(*value),
            at: *at,
            limits: limits(&SeriesName::Vendor(name.clone())),
        }));
        Some(UnitCard {
            row: self.unit_row(unit, self.open_orders_of(id)),
            address: row.address.to_string(),
            contact: row.contact.to_string(),
            firmware: s.firmware.as_deref().map(str::to_owned),
            hardware: s.hardware.as_deref().map(str::to_owned),
            boot: s.sequence.boot(),
            loss_pct: s.sequence.loss_pct(),
            silent_at: (s.presence == Presence::Present).then(|| self.silent_at(unit)).flatten(),
            readings,
            tests: s
                .measured
                .tests()
                .map(|t| TestView {
                    component: t.component,
                    result: t.result,
                    at: t.at,
                    code: s.code(t.component).map(str::to_owned),
                })
                .collect(),
            // The store has them.
            presses: Vec::new(),
            alerts: s.alerts.iter().map(|a| self.alert_row(unit, a)).collect(),
            orders: self
                .orders
                .values()
                .map(|r| &r.order)
                .filter(|o| matches!(&o.subject, Subject::Unit { unit, .. } if unit == id) || o.units.contains(id))
                .map(OrderView::from)
                .collect(),
            siblings,
        })
    }

    /// Pending, firing and inhibited ones; by unit, then by the rules' order.
    pub fn alert_rows(&self) -> Vec<AlertRow> {
        let mut rows = Vec::new();
        for (unit, _) in self.fleet.units() {
            let mut alerts: Vec<&Alert> = self.units[unit.index()].alerts.iter().collect();
            alerts.sort_by_key(|a| a.rule);
            rows.extend(alerts.into_iter().map(|a| self.alert_row(unit, a)));
        }
        rows
    }

    fn alert_row(&self, unit: UnitIx, alert: &Alert) -> AlertRow {
        let rule = self.rules.rule(alert.rule);
        AlertRow {
            unit: self.fleet.unit(unit).unit.clone(),
            rule: rule.id.clone(),
            component: rule.component,
            severity: rule.severity,
            state: match (alert.phase, alert.held_by) {
                (Phase::Pending, _) => AlertState::Pending,
                (Phase::Firing | Phase::Clearing, Some(_)) => AlertState::Inhibited,
                (Phase::Firing | Phase::Clearing, None) => AlertState::Firing,
            },
            flapping: alert.flapping,
            since: alert.fired_at.unwrap_or(alert.since),
            reason: alert.reason.to_string(),
            because: Some(alert.reason.clone()),
            order: alert.order,
        }
    }

    /// Open ones.
    pub fn incident_rows(&self) -> Vec<IncidentRow> {
        self.groups
            .all()
            .filter_map(|(i, _, g)| {
                let open = g.open.as_ref()?;
                Some(IncidentRow {
                    kind: self.rules.incident(i).group_by,
                    name: g.name.clone(),
                    state: IncidentState::Open,
                    since: open.since,
                    units: self.ids(&open.units),
                    reason: open.reason.to_string(),
                    because: Some(open.reason.clone()),
                    order: open.order,
                })
            })
            .collect()
    }

    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().map(|r| &r.order).filter(|o| o.state.is_open())
    }

    /// None: never opened, or closed too long ago to come back.
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id).map(|r| &r.order)
    }
}
