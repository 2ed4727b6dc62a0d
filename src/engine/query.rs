//! What units, alerts, incidents and orders say in the fields that lists can be picked and ordered by. Looks at one unit at
//! a time: a row is made only of what is on the page. Never changes anything.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::position::distance_m;
use crate::domain::query::{
    AlertField, Field, Fields, IncidentField, OrderField, Page, Query, UnitColumn, UnitField, Value,
};
use crate::domain::view::{AlertRow, IncidentRow, OrderView, UnitRow};
use crate::domain::{Timestamp, Unit, UnitId, UnitIx};

use super::Engine;
use super::unit_state::UnitState;

impl Engine {
    pub fn unit_page(&self, now: Timestamp, query: &Query<UnitField>) -> Page<UnitRow> {
        let open = self.open_orders_by_unit();
        let units = self.fleet.units().map(|(ix, unit)| UnitLens { engine: self, ix, unit, now, open: &open });
        query.pick(units, now).map(|lens| {
            let mut row = self.unit_row(lens.ix, lens.open_orders());
            for field in &query.also {
                let name = || field.name().into_owned();
                match lens.value(field) {
                    Value::Number(value) => drop(row.readings.insert(name(), value)),
                    Value::Text(text) => drop(row.texts.insert(name(), text.into_owned())),
                    Value::Texts(texts) => drop(row.texts.insert(name(), texts.join(";"))),
                    Value::Nothing | Value::Flag(_) | Value::Time(_) | Value::Span(_) | Value::Forever => {}
                }
            }
            row
        })
    }

    pub fn alert_page(&self, now: Timestamp, query: &Query<AlertField>) -> Page<AlertRow> {
        let rows = self.alert_rows().into_iter();
        query.pick(rows.map(|row| AlertLens { unit: self.unit_of(Some(&row.unit)), row }), now).map(|lens| lens.row)
    }

    pub fn incident_page(&self, now: Timestamp, query: &Query<IncidentField>) -> Page<IncidentRow> {
        query.pick(self.incident_rows().into_iter(), now)
    }

    /// Of these orders.
    pub fn order_page(
        &self,
        now: Timestamp,
        orders: impl Iterator<Item = OrderView>,
        query: &Query<OrderField>,
    ) -> Page<OrderView> {
        let lenses = orders.map(|order| OrderLens { unit: self.unit_of(order.unit.as_ref()), order, now });
        query.pick(lenses, now).map(|lens| lens.order)
    }

    fn unit_of(&self, id: Option<&UnitId>) -> Option<&Unit> {
        id.and_then(|id| self.fleet.find(id.as_str())).map(|ix| self.fleet.unit(ix))
    }
}

struct UnitLens<'e> {
    engine: &'e Engine,
    ix: UnitIx,
    unit: &'e Unit,
    now: Timestamp,
    open: &'e BTreeMap<&'e UnitId, usize>,
}

impl UnitLens<'_> {
    fn state(&self) -> &UnitState {
        &self.engine.units[self.ix.index()]
    }
    fn open_orders(&self) -> usize {
        self.open.get(&self.unit.unit).copied().unwrap_or(0)
    }

    fn column(&self, column: UnitColumn) -> Value<'_> {
        let (unit, s) = (self.unit, self.state());
        match column {
            UnitColumn::Unit => Value::text(unit.unit.as_str()),
            UnitColumn::Name => Value::text(&unit.name),
            UnitColumn::Site => Value::text(unit.site.as_str()),
            UnitColumn::SiteType => Value::text(unit.site_type.as_str()),
            UnitColumn::City => Value::text(unit.city.as_str()),
            UnitColumn::District => Value::maybe(unit.district.as_ref().map(|d| d.as_str())),
            UnitColumn::Address => Value::text(&unit.address),
            UnitColumn::Crew => Value::text(unit.crew.as_str()),
            UnitColumn::Uplink => Value::maybe(unit.uplink.as_ref().map(|u| u.as_str())),
            UnitColumn::Feeder => Value::maybe(unit.feeder.as_ref().map(|f| f.as_str())),
            UnitColumn::Model => Value::text(unit.model.as_str()),
            UnitColumn::Firmware => Value::maybe(s.firmware.as_deref()),
            UnitColumn::Lat => Value::number(unit.position.map(|(lat, _)| lat)),
            UnitColumn::Lon => Value::number(unit.position.map(|(_, lon)| lon)),
            UnitColumn::Readiness => Value::text(s.readiness.as_str()),
            UnitColumn::Reason => Value::Text(Cow::Owned(self.engine.unit_reason(self.ix).to_string())),
            UnitColumn::Since => Value::time(s.readiness_since),
            UnitColumn::Silent => match s.last_heard {
                Some(at) => Value::Span(self.now.as_millis() - at.as_millis()),
                None => Value::Forever,
            },
            UnitColumn::LastHeard => Value::time(s.last_heard),
            UnitColumn::Alert => {
                let active = s.alerts.iter().filter(|a| a.is_active());
                Value::list(active.map(|a| Cow::Borrowed(self.engine.rules.rule(a.rule).id.as_str())))
            }
            UnitColumn::OpenAlerts => Value::count(s.alerts.iter().filter(|a| a.is_active()).count()),
            UnitColumn::OpenOrders => Value::count(self.open_orders()),
        }
    }
}

impl Fields<UnitField> for UnitLens<'_> {
    fn value(&self, field: &UnitField) -> Value<'_> {
        match field {
            UnitField::Column(column) => self.column(*column),
            UnitField::Reading(metric) => {
                let at = self.state().last_heard.unwrap_or_default();
                Value::number(self.engine.present_value(at, self.ix, *metric))
            }
            UnitField::Vendor(name) => {
                let mut own = self.state().seldom().vendor.iter();
                Value::number(own.find(|(n, _, _)| n == name).map(|(_, value, _)| *value))
            }
            UnitField::Distance { from } => Value::number(self.unit.position.map(|there| distance_m(*from, there))),
        }
    }
    fn key(&self) -> String {
        self.unit.unit.as_str().to_owned()
    }
}

struct AlertLens<'e> {
    unit: Option<&'e Unit>,
    row: AlertRow,
}

impl Fields<AlertField> for AlertLens<'_> {
    fn value(&self, field: &AlertField) -> Value<'_> {
        let row = &self.row;
        match field {
            AlertField::Unit => Value::text(row.unit.as_str()),
            AlertField::Name => Value::maybe(self.unit.map(|u| &*u.name)),
            AlertField::Site => Value::maybe(self.unit.map(|u| u.site.as_str())),
            AlertField::City => Value::maybe(self.unit.map(|u| u.city.as_str())),
            AlertField::Crew => Value::maybe(self.unit.map(|u| u.crew.as_str())),
            AlertField::Rule => Value::text(row.rule.as_str()),
            AlertField::Component => Value::text(row.component.as_str()),
            AlertField::Severity => Value::text(row.severity.as_str()),
            AlertField::State => Value::text(row.state.as_str()),
            AlertField::Flapping => Value::Flag(row.flapping),
            AlertField::Since => Value::Time(row.since),
            AlertField::Reason => Value::text(&row.reason),
            AlertField::Order => Value::list(row.order.map(|o| Cow::Owned(o.to_string()))),
        }
    }
    fn key(&self) -> String {
        format!("{}\u{1}{}", self.row.unit, self.row.rule)
    }
}

impl Fields<IncidentField> for IncidentRow {
    fn value(&self, field: &IncidentField) -> Value<'_> {
        match field {
            IncidentField::Kind => Value::text(self.kind.as_str()),
            IncidentField::Name => Value::text(self.name.as_str()),
            IncidentField::State => Value::text(self.state.as_str()),
            IncidentField::Since => Value::Time(self.since),
            IncidentField::Units => Value::list(self.units.iter().map(|u| Cow::Borrowed(u.as_str()))),
            IncidentField::Size => Value::count(self.units.len()),
            IncidentField::Reason => Value::text(&self.reason),
            IncidentField::Order => Value::list(self.order.map(|o| Cow::Owned(o.to_string()))),
        }
    }
    fn key(&self) -> String {
        format!("{}\u{1}{}", self.kind, self.name)
    }
}

struct OrderLens<'e> {
    unit: Option<&'e Unit>,
    order: OrderView,
    now: Timestamp,
}

impl Fields<OrderField> for OrderLens<'_> {
    fn value(&self, field: &OrderField) -> Value<'_> {
        let o = &self.order;
        let words = |texts: &'_ [String]| Value::list(texts.iter().map(|t| Cow::Owned(t.clone())));
        // What is closed is due no more.
        let left = o.due_at.filter(|_| o.state.is_open()).map(|due| due.as_millis() - self.now.as_millis());
        match field {
            OrderField::Order => Value::Text(Cow::Owned(o.order.to_string())),
            OrderField::Unit => Value::maybe(o.unit.as_ref().map(|u| u.as_str())),
            OrderField::Component => Value::maybe(o.component.map(|c| c.as_str())),
            OrderField::IncidentKind => Value::maybe(o.incident.as_ref().map(|i| i.kind.as_str())),
            OrderField::IncidentName => Value::maybe(o.incident.as_ref().map(|i| i.name.as_str())),
            OrderField::Priority => Value::text(o.priority.as_str()),
            OrderField::State => Value::text(o.state.as_str()),
            OrderField::Crew => Value::text(o.crew.as_str()),
            OrderField::Site => Value::maybe(o.site.as_ref().map(|s| s.as_str())),
            OrderField::City => Value::maybe(self.unit.map(|u| u.city.as_str())),
            OrderField::OpenedAt => Value::Time(o.opened_at),
            OrderField::DueAt => Value::time(o.due_at),
            OrderField::Left => left.map_or(Value::Nothing, Value::Span),
            OrderField::Overdue => Value::Flag(left.is_some_and(|left| left < 0)),
            OrderField::ClosedAt => Value::time(o.closed_at),
            OrderField::Summary => Value::text(&o.summary),
            OrderField::Action => Value::text(&o.action),
            OrderField::Parts => words(&o.parts),
            OrderField::Suspects => Value::list(o.suspects.iter().map(|s| Cow::Borrowed(s.component.as_str()))),
            OrderField::Evidence => words(&o.evidence),
            OrderField::Rules => Value::list(o.rules.iter().map(|r| Cow::Borrowed(r.as_str()))),
            OrderField::Units => Value::list(o.units.iter().map(|u| Cow::Borrowed(u.as_str()))),
            OrderField::Relapses => Value::Number(f64::from(o.relapses)),
            OrderField::Flapping => Value::Flag(o.flapping),
        }
    }
    /// Order ids grow: as text they must be equally long.
    fn key(&self) -> String {
        format!("{:010}", self.order.order.number())
    }
}
