//! Effects → the timeline of DESIGN §4, one JSON object a line. The order of the keys and their words are a contract with
//! the programs that read it. Never prints what the contract does not list.

use serde::Serialize;

use crate::domain::{
    AlertState, Component, Effect, EffectKind, GroupKind, GroupName, IncidentState, Metric, NoticeKind, Order, OrderId,
    OrderState, Priority, Readiness, RuleId, Subject, Suspect, Timestamp, UnitId,
};

/// Appends the effect's line with its line feed. False: the timeline has no line for this effect.
pub fn write_effect(effect: &Effect, out: &mut Vec<u8>) -> bool {
    let at = effect.at;
    match &effect.kind {
        EffectKind::Readiness { unit, from, to, reason } => {
            put(&ReadinessLine { at, event: "readiness", unit, from: *from, to: *to, reason: reason.to_string() }, out)
        }
        EffectKind::Alert { unit, rule, component, severity: _, state, reason } => put(
            &AlertLine {
                at,
                event: "alert",
                unit,
                rule,
                component: *component,
                state: *state,
                reason: reason.to_string(),
            },
            out,
        ),
        EffectKind::Incident { kind, name, state, units, reason: _ } => {
            put(&IncidentLine { at, event: "incident", kind: *kind, name, state: *state, units }, out)
        }
        EffectKind::Order(order) => put(&order_line(at, order), out),
        EffectKind::Mail(notice) => put(
            &MailLine {
                at,
                event: "mail",
                kind: notice.kind,
                to: notice.to.to_string(),
                orders: notice.order_ids(),
                message_id: notice.message_id.as_str(),
            },
            out,
        ),
        EffectKind::Reading { unit, metric, value } => {
            put(&ReadingLine { at, event: "reading", unit, metric: *metric, value: *value }, out)
        }
        EffectKind::Command { .. } | EffectKind::Refused { .. } => false,
    }
}

fn put(line: &impl Serialize, out: &mut Vec<u8>) -> bool {
    serde_json::to_writer(&mut *out, line).expect("our own types are JSON, and a Vec takes every write");
    out.push(b'\n');
    true
}

fn order_line(at: Timestamp, order: &Order) -> OrderLine<'_> {
    let (unit, component, incident) = match &order.subject {
        Subject::Unit { unit, component } => (Some(unit), Some(*component), None),
        Subject::Incident { kind, name } => (None, None, Some(IncidentName { kind: *kind, name })),
    };
    OrderLine {
        at,
        event: "order",
        order: order.id,
        unit,
        incident,
        component,
        priority: order.priority,
        state: order.state,
        reason: order.history.last().map(|change| change.why.to_string()).unwrap_or_default(),
        suspects: &order.suspects,
    }
}

#[derive(Serialize)]
struct ReadinessLine<'a> {
    at: Timestamp,
    event: &'static str,
    unit: &'a UnitId,
    from: Readiness,
    to: Readiness,
    reason: String,
}

#[derive(Serialize)]
struct AlertLine<'a> {
    at: Timestamp,
    event: &'static str,
    unit: &'a UnitId,
    rule: &'a RuleId,
    component: Component,
    state: AlertState,
    reason: String,
}

#[derive(Serialize)]
struct IncidentLine<'a> {
    at: Timestamp,
    event: &'static str,
    kind: GroupKind,
    name: &'a GroupName,
    state: IncidentState,
    units: &'a [UnitId],
}

#[derive(Serialize)]
struct OrderLine<'a> {
    at: Timestamp,
    event: &'static str,
    order: OrderId,
    /// Null: the order is on an incident.
    unit: Option<&'a UnitId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<IncidentName<'a>>,
    component: Option<Component>,
    priority: Priority,
    state: OrderState,
    reason: String,
    suspects: &'a [Suspect],
}

#[derive(Serialize)]
struct IncidentName<'a> {
    kind: GroupKind,
    name: &'a GroupName,
}

#[derive(Serialize)]
struct MailLine<'a> {
    at: Timestamp,
    event: &'static str,
    kind: NoticeKind,
    to: String,
    orders: Vec<OrderId>,
    message_id: &'a str,
}

#[derive(Serialize)]
struct ReadingLine<'a> {
    at: Timestamp,
    event: &'static str,
    unit: &'a UnitId,
    metric: Metric,
    value: f64,
}
