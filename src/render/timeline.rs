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
        EffectKind::OrderUpdated(_) | EffectKind::Command { .. } | EffectKind::Refused { .. } => false,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::message::{Command, Do};
    use crate::domain::order::Change;
    use crate::domain::{CrewId, Kind, MessageId, Notice, NoticeReason, Reason, Recipient, Severity};

    fn at() -> Timestamp {
        Timestamp::parse("2026-11-21T09:01:45Z").expect("a time")
    }

    fn unit(id: &str) -> UnitId {
        UnitId::parse(id).expect("a unit id")
    }

    fn silent() -> Reason {
        Reason::NothingFor {
            kind: Kind::Heartbeat,
            last: at() - Duration::from_secs(105),
            silence: Duration::from_secs(105),
        }
    }

    fn order(subject: Subject, suspects: Vec<Suspect>) -> Order {
        Order {
            id: OrderId::new(42),
            subject,
            priority: Priority::P1,
            state: OrderState::Opened,
            crew: CrewId::parse("north").expect("a name"),
            site: None,
            opened_at: at(),
            due_at: None,
            closed_at: None,
            summary: String::new(),
            action: String::new(),
            parts: Vec::new(),
            suspects,
            evidence: Vec::new(),
            rules: Vec::new(),
            units: Vec::new(),
            relapses: 0,
            reading: None,
            flapping: false,
            history: vec![Change {
                at: at(),
                state: OrderState::Opened,
                by: "buttonwatch".to_owned(),
                why: Reason::FiredFor { after: Duration::from_secs(300), what: Box::new(silent()) },
            }],
        }
    }

    #[track_caller]
    fn check(kind: EffectKind, expected: &str) {
        let mut out = Vec::new();
        let written = write_effect(&Effect { at: at(), kind }, &mut out);
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        assert_eq!(text, expected);
        assert_eq!(written, !expected.is_empty());
    }

    #[test]
    fn readiness_alert_incident_and_reading_lines_are_as_the_contract_prints_them() {
        check(
            EffectKind::Readiness {
                unit: unit("PSH-001"),
                from: Readiness::Ready,
                to: Readiness::NotReady,
                reason: silent(),
            },
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"readiness\",\"unit\":\"PSH-001\",\"from\":\"ready\",\
             \"to\":\"not-ready\",\"reason\":\"no heartbeat for 1 min 45 s, last at 2026-11-21T09:00:00.000Z\"}\n",
        );
        check(
            EffectKind::Alert {
                unit: unit("PSH-001"),
                rule: RuleId::parse("unit-silent").expect("a rule"),
                component: Component::Uplink,
                severity: Severity::Critical,
                state: AlertState::Firing,
                reason: silent(),
            },
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"alert\",\"unit\":\"PSH-001\",\"rule\":\"unit-silent\",\
             \"component\":\"uplink\",\"state\":\"firing\",\
             \"reason\":\"no heartbeat for 1 min 45 s, last at 2026-11-21T09:00:00.000Z\"}\n",
        );
        check(
            EffectKind::Incident {
                kind: GroupKind::Uplink,
                name: GroupName::parse("PTCL \"Saddar\" صدر").expect("a name"),
                state: IncidentState::Open,
                units: vec![unit("PSH-001"), unit("PSH-002")],
                reason: Reason::AllClear,
            },
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"incident\",\"kind\":\"uplink\",\
             \"name\":\"PTCL \\\"Saddar\\\" صدر\",\"state\":\"open\",\"units\":[\"PSH-001\",\"PSH-002\"]}\n",
        );
        check(
            EffectKind::Reading { unit: unit("PSH-001"), metric: Metric::ClockSkew, value: -0.25 },
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"reading\",\"unit\":\"PSH-001\",\"metric\":\"clock.skew\",\
             \"value\":-0.25}\n",
        );
    }

    #[test]
    fn an_order_names_its_unit_or_its_incident() {
        let suspects = vec![
            Suspect { component: Component::Battery, certainty: 80 },
            Suspect { component: Component::Charger, certainty: 20 },
        ];
        let subject = Subject::Unit { unit: unit("PSH-001"), component: Component::Battery };
        check(
            EffectKind::Order(Box::new(order(subject, suspects))),
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"order\",\"order\":\"WO-000042\",\"unit\":\"PSH-001\",\
             \"component\":\"battery\",\"priority\":\"P1\",\"state\":\"opened\",\"reason\":\"no heartbeat for 1 min 45 s, last \
             at 2026-11-21T09:00:00.000Z; alert firing for 5 min\",\"suspects\":[{\"component\":\"battery\",\
             \"certainty\":80},{\"component\":\"charger\",\"certainty\":20}]}\n",
        );
        let subject =
            Subject::Incident { kind: GroupKind::Uplink, name: GroupName::parse("PTCL-Saddar").expect("a name") };
        check(
            EffectKind::Order(Box::new(order(subject, Vec::new()))),
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"order\",\"order\":\"WO-000042\",\"unit\":null,\
             \"incident\":{\"kind\":\"uplink\",\"name\":\"PTCL-Saddar\"},\"component\":null,\"priority\":\"P1\",\
             \"state\":\"opened\",\"reason\":\"no heartbeat for 1 min 45 s, last at 2026-11-21T09:00:00.000Z; alert firing \
             for 5 min\",\"suspects\":[]}\n",
        );
    }

    #[test]
    fn a_mail_line_names_its_orders() {
        let subject = Subject::Unit { unit: unit("PSH-001"), component: Component::Uplink };
        check(
            EffectKind::Mail(Box::new(Notice {
                at: at(),
                kind: NoticeKind::OrderOpened,
                to: Recipient::Crew(CrewId::parse("north").expect("a name")),
                message_id: MessageId::parse("<wo-000042.1@example.org>").expect("an id"),
                in_reply_to: None,
                references: Vec::new(),
                why: NoticeReason::Asked,
                reason: "it fired".to_owned(),
                orders: vec![order(subject, Vec::new())],
                incident: None,
                incidents: Vec::new(),
                report: None,
            })),
            "{\"at\":\"2026-11-21T09:01:45.000Z\",\"event\":\"mail\",\"kind\":\"order-opened\",\"to\":\"north\",\
             \"orders\":[\"WO-000042\"],\"message_id\":\"<wo-000042.1@example.org>\"}\n",
        );
    }

    #[test]
    fn what_the_contract_does_not_list_is_not_printed() {
        let command =
            Command { id: "c-1".to_owned(), act: Do::Selftest, components: Vec::new(), expires: Timestamp::default() };
        check(EffectKind::Command { unit: unit("PSH-001"), command }, "");
        check(EffectKind::Refused { order: None, why: "no such order".to_owned() }, "");
    }
}
