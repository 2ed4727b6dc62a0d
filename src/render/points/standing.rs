//! Points of what was decided and how things stand: readiness, alerts, orders, incidents, forecasts, feeders.

use crate::domain::availability::is_available;
use crate::domain::effect::{AlertState, IncidentState};
use crate::domain::history::{FeederWeek, UnitStatus};
use crate::domain::order::OrderState;
use crate::domain::outlook::ForecastRow;
use crate::domain::report::{just_answered, just_repaired};
use crate::domain::view::{IncidentName, IncidentRow, OrderView};
use crate::domain::{Component, RuleId, Severity, Timestamp, Unit};

use super::Points;

/// How a unit stands at `at`.
pub fn status(status: &UnitStatus, at: Timestamp, out: &mut Points) {
    let row = &status.row;
    let hours_since = |t: Timestamp| at.since(t).as_secs_f64();
    let point = out.raw.point("unit_status").tag("city", row.city.as_str()).tag("site", row.site.as_str());
    point
        .tag("site_type", &row.site_type)
        .tag("unit", row.unit.as_str())
        .text("readiness", row.readiness.as_str())
        .whole("code", i64::from(row.readiness.code()))
        .whole("available", is_available(row.readiness).map(i64::from))
        .float("lat", row.position.map(|p| p.0))
        .float("lon", row.position.map(|p| p.1))
        .whole("open_alerts", row.open_alerts as i64)
        .whole("open_orders", row.open_orders as i64)
        .text("reason", row.reason.as_str())
        .whole("since", row.since.map(Timestamp::as_millis))
        .text("name", row.name.as_str())
        .text("crew", row.crew.as_str())
        .text("model", row.model.as_str())
        .text("feeder", row.feeder.as_ref().map(|f| f.as_str()))
        .text("uplink", row.uplink.as_ref().map(|u| u.as_str()))
        .float("heard_s", row.last_heard.map(hours_since))
        .float("selftest_h", status.selftest_h)
        .float("drill_h", status.drill_h)
        .float("drill_every_h", status.drill_every_h)
        .at(at);
}

/// An alert changed. `from` None: it was not there before.
#[allow(clippy::too_many_arguments, reason = "an alert's change has so many sides")]
pub fn alert(
    unit: &Unit,
    rule: &RuleId,
    component: Component,
    severity: Severity,
    from: Option<AlertState>,
    to: AlertState,
    reason: &str,
    at: Timestamp,
    out: &mut Points,
) {
    let active = match to {
        AlertState::Firing | AlertState::Inhibited => 1,
        AlertState::Pending | AlertState::Resolved => 0,
    };
    let point = out.events.point("alert_event").tag("rule", rule.as_str()).tag("site", unit.site.as_str());
    point
        .tag("unit", unit.unit.as_str())
        .text("from", from.map_or("inactive", AlertState::as_str))
        .text("to", to.as_str())
        .text("severity", severity.as_str())
        .text("reason", reason)
        .text("component", component.as_str())
        .whole("active", active)
        .at(at);
}

/// Whether the order has just changed or only stands as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPoint {
    Changed,
    Stands,
}

/// `unit` None: an order on a common cause, or its unit has left the fleet.
pub fn order(order: &OrderView, unit: Option<&Unit>, what: OrderPoint, at: Timestamp, out: &mut Points) {
    let (answered, repaired) = match what {
        OrderPoint::Changed => (just_answered(order), just_repaired(order)),
        OrderPoint::Stands => (None, None),
    };
    let cause = order.incident.as_ref().map(|IncidentName { kind, name }| format!("{kind} {name}"));
    let open = order.state.is_open();
    let until = order.closed_at.filter(|_| !open).unwrap_or(at);
    let component = order.component.map_or("", Component::as_str);
    let point = out.events.point("work_order").tag("component", component).tag("crew", order.crew.as_str());
    point
        .tag("incident", cause.as_deref().unwrap_or(""))
        .tag("site", order.site.as_ref().map_or("", |s| s.as_str()))
        .tag("unit", order.unit.as_ref().map_or("", |u| u.as_str()))
        .text("order", order.order.to_string().as_str())
        .text("state", order.state.as_str())
        .whole("state_code", state_code(order.state))
        .text("priority", order.priority.as_str())
        .float("age_s", until.since(order.opened_at).as_secs_f64())
        .whole("open", i64::from(open))
        .whole("overdue", i64::from(open && order.due_at.is_some_and(|due| due < at)))
        .whole("relapses", i64::from(order.relapses))
        .whole("due", order.due_at.map(Timestamp::as_millis))
        .text("summary", order.summary.as_str())
        .text("city", unit.map(|u| u.city.as_str()))
        .text("site_type", unit.map(|u| u.site_type.as_ref()))
        .float("ack_s", answered.map(|d| d.as_secs_f64()))
        .float("repair_s", repaired.map(|d| d.as_secs_f64()))
        .at(at);
}

/// Stable: dashboards colour by it.
fn state_code(state: OrderState) -> i64 {
    match state {
        OrderState::Opened => 0,
        OrderState::Acknowledged => 1,
        OrderState::EnRoute => 2,
        OrderState::Repaired => 3,
        OrderState::Verified => 4,
        OrderState::Closed => 5,
        OrderState::Reopened => 6,
        OrderState::Cancelled => 7,
    }
}

pub fn incident(row: &IncidentRow, at: Timestamp, out: &mut Points) {
    let open = match row.state {
        IncidentState::Open => 1,
        IncidentState::Closed => 0,
    };
    let point = out.events.point("incident").tag("kind", row.kind.as_str()).tag("name", row.name.as_str());
    point
        .text("state", row.state.as_str())
        .whole("open", open)
        .whole("units", row.units.len() as i64)
        .text("reason", row.reason.as_str())
        .text("order", row.order.map(|o| o.to_string()).as_deref())
        .float("age_s", at.since(row.since).as_secs_f64())
        .at(at);
}

/// What will pass its limit, as it was foreseen at `at`.
pub fn forecast(row: &ForecastRow, unit: &Unit, at: Timestamp, out: &mut Points) {
    let rule = row.rule.as_ref().map_or("this-cut", RuleId::as_str);
    let point = out.events.point("forecast").tag("component", row.component.as_str()).tag("rule", rule);
    point
        .tag("site", unit.site.as_str())
        .tag("unit", unit.unit.as_str())
        .text("what", row.what.as_str())
        .text("basis", row.from.as_str())
        .text("by", row.order.map(|o| o.to_string()).as_deref())
        .whole("at", row.at.as_millis())
        .whole("earliest", row.earliest.map(Timestamp::as_millis))
        .whole("latest", row.latest.map(Timestamp::as_millis))
        .float("in_days", row.at.since(at).as_secs_f64() / 86_400.0)
        .float("confidence_pct", row.confidence_pct.map(f64::from))
        .at(at);
}

/// `local` tells the day of the week, 1 for Monday, and the hour of a moment, by the operator's clock.
pub fn feeder_week(week: &FeederWeek, at: Timestamp, local: impl Fn(Timestamp) -> (u32, u32), out: &mut Points) {
    for (moment, cut_pct) in &week.hours {
        let (day, hour) = local(*moment);
        let point = out.events.point("feeder_hour").tag("day", &day.to_string()).tag("feeder", week.feeder.as_str());
        point.tag("hour", &format!("{hour:02}")).float("cut_pct", *cut_pct).at(at);
    }
}
