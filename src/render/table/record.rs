//! Rows as named fields: for CSV, and for picking rows by field. Field names and their order are stable (docs/cli.md).

use std::fmt::Display;

use crate::domain::message::Do;
use crate::domain::metric::MetricFacts;
use crate::domain::on_demand::{CommandState, CommandView};
use crate::domain::view::{
    AlertRow, AvailabilityRow, GroupAvailability, ImportPlan, IncidentRow, MailView, OrderView, OutboxRow,
    QuarantineRow, RefusalRow, StretchRow, UnitCard, UnitRow,
};
use crate::domain::{Readiness, SeriesPoint};

use super::command::outcome_text;

pub trait Record {
    const FIELDS: &'static [&'static str];
    /// As many as there are fields. Nothing known: empty. Several values in one: joined by `;`.
    fn values(&self) -> Vec<String>;
    /// The only words a field can hold. None: any text.
    fn words(_field: &str) -> Option<Vec<&'static str>> {
        None
    }
}

/// With a header line, also when there is no row. RFC 4180 with `\n` line ends.
pub fn csv<R: Record>(rows: &[R]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let memory = "writing to memory cannot fail, and every row has every field";
    writer.write_record(R::FIELDS).expect(memory);
    for row in rows {
        writer.write_record(row.values()).expect(memory);
    }
    String::from_utf8(writer.into_inner().expect(memory)).expect("strings went in")
}

/// The same with columns of choice.
pub fn csv_of(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let memory = "writing to memory cannot fail, and every row has every column";
    for row in std::iter::once(columns).chain(rows.iter().map(Vec::as_slice)) {
        writer.write_record(row).expect(memory);
    }
    String::from_utf8(writer.into_inner().expect(memory)).expect("strings went in")
}

macro_rules! all_words {
    ($words:ty) => {
        Some(<$words>::ALL.iter().map(|w| w.as_str()).collect())
    };
}

fn text(value: impl Display) -> String {
    value.to_string()
}
fn maybe<T: Display>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}
fn list<T: Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(";")
}

impl<R: Record> Record for &R {
    const FIELDS: &'static [&'static str] = R::FIELDS;
    fn values(&self) -> Vec<String> {
        (*self).values()
    }
    fn words(field: &str) -> Option<Vec<&'static str>> {
        R::words(field)
    }
}

impl Record for UnitRow {
    const FIELDS: &'static [&'static str] = &[
        "unit",
        "name",
        "site",
        "site_type",
        "city",
        "crew",
        "uplink",
        "feeder",
        "model",
        "lat",
        "lon",
        "readiness",
        "reason",
        "since",
        "last_heard",
        "open_alerts",
        "open_orders",
    ];
    fn values(&self) -> Vec<String> {
        vec![
            text(&self.unit),
            self.name.clone(),
            text(&self.site),
            self.site_type.clone(),
            text(&self.city),
            text(&self.crew),
            maybe(&self.uplink),
            maybe(&self.feeder),
            self.model.clone(),
            maybe(&self.position.map(|(lat, _)| lat)),
            maybe(&self.position.map(|(_, lon)| lon)),
            text(self.readiness),
            self.reason.clone(),
            maybe(&self.since),
            maybe(&self.last_heard),
            text(self.open_alerts),
            text(self.open_orders),
        ]
    }
    fn words(field: &str) -> Option<Vec<&'static str>> {
        match field {
            "readiness" => all_words!(Readiness),
            _ => None,
        }
    }
}

impl Record for CommandView {
    const FIELDS: &'static [&'static str] = &[
        "command",
        "unit",
        "do",
        "components",
        "by",
        "asked_at",
        "expires_at",
        "state",
        "sent_at",
        "replied_at",
        "finished_at",
        "says",
        "error",
        "results",
    ];
    fn values(&self) -> Vec<String> {
        let results: Vec<String> =
            self.results.iter().map(|t| format!("{}={}", t.component, outcome_text(t))).collect();
        vec![
            self.id.clone(),
            text(&self.unit),
            text(self.act),
            list(&self.components),
            self.by.clone(),
            text(self.asked_at),
            text(self.expires_at),
            text(self.state),
            maybe(&self.sent_at),
            maybe(&self.replied_at),
            maybe(&self.finished_at),
            self.says.clone(),
            maybe(&self.error),
            list(&results),
        ]
    }
    fn words(field: &str) -> Option<Vec<&'static str>> {
        match field {
            "state" => all_words!(CommandState),
            "do" => all_words!(Do),
            _ => None,
        }
    }
}

impl Record for UnitCard {
    const FIELDS: &'static [&'static str] = &[
        "unit",
        "name",
        "site",
        "site_type",
        "city",
        "crew",
        "uplink",
        "feeder",
        "model",
        "lat",
        "lon",
        "readiness",
        "reason",
        "since",
        "last_heard",
        "open_alerts",
        "open_orders",
        "address",
        "contact",
        "firmware",
        "hardware",
        "boot",
        "loss_pct",
        "silent_at",
    ];
    fn values(&self) -> Vec<String> {
        let mut values = self.row.values();
        values.extend([
            self.address.clone(),
            self.contact.clone(),
            maybe(&self.firmware),
            maybe(&self.hardware),
            maybe(&self.boot),
            maybe(&self.loss_pct),
            maybe(&self.silent_at),
        ]);
        values
    }
}

impl Record for StretchRow {
    const FIELDS: &'static [&'static str] = &["unit", "from", "until", "readiness", "lasted_s", "reason"];
    fn values(&self) -> Vec<String> {
        vec![
            text(&self.unit),
            text(self.from),
            text(self.until),
            text(self.readiness),
            text(self.lasted_s),
            self.reason.clone(),
        ]
    }
}

/// For picking only: what is printed are the sums.
impl Record for SeriesPoint {
    const FIELDS: &'static [&'static str] = &["hour", "count", "min", "max", "mean", "last"];
    fn values(&self) -> Vec<String> {
        let SeriesPoint { hour, count, min, max, mean, last } = self;
        vec![text(hour), text(count), text(min), text(max), text(mean), text(last)]
    }
}

impl Record for AvailabilityRow {
    const FIELDS: &'static [&'static str] = UnitRow::FIELDS;
    fn values(&self) -> Vec<String> {
        self.row.values()
    }
    fn words(field: &str) -> Option<Vec<&'static str>> {
        UnitRow::words(field)
    }
}

impl Record for GroupAvailability {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "units",
        "available_pct",
        "ready_s",
        "impaired_s",
        "not_ready_s",
        "silent_s",
        "unknown_s",
        "unproven_s",
        "maintenance_s",
    ];
    fn values(&self) -> Vec<String> {
        let mut values = vec![self.name.clone(), text(self.units), maybe(&self.available_pct)];
        values.extend(Readiness::ALL.iter().map(|r| text(self.seconds.of(*r).as_secs_f64())));
        values
    }
}

impl Record for AlertRow {
    const FIELDS: &'static [&'static str] =
        &["unit", "rule", "component", "severity", "state", "flapping", "since", "reason", "order"];
    fn values(&self) -> Vec<String> {
        vec![
            text(&self.unit),
            text(&self.rule),
            text(self.component),
            text(self.severity),
            text(self.state),
            text(self.flapping),
            text(self.since),
            self.reason.clone(),
            maybe(&self.order),
        ]
    }
}

impl Record for IncidentRow {
    const FIELDS: &'static [&'static str] = &["kind", "name", "state", "since", "units", "reason", "order"];
    fn values(&self) -> Vec<String> {
        vec![
            text(self.kind),
            text(&self.name),
            text(self.state),
            text(self.since),
            list(&self.units),
            self.reason.clone(),
            maybe(&self.order),
        ]
    }
}

impl Record for OrderView {
    const FIELDS: &'static [&'static str] = &[
        "order",
        "unit",
        "component",
        "incident_kind",
        "incident_name",
        "priority",
        "state",
        "crew",
        "site",
        "opened_at",
        "due_at",
        "closed_at",
        "summary",
        "action",
        "parts",
        "suspects",
        "evidence",
        "rules",
        "units",
        "relapses",
        "flapping",
    ];
    fn values(&self) -> Vec<String> {
        let suspects: Vec<String> = self.suspects.iter().map(|s| format!("{}:{}", s.component, s.certainty)).collect();
        vec![
            text(self.order),
            maybe(&self.unit),
            maybe(&self.component),
            maybe(&self.incident.as_ref().map(|i| i.kind)),
            maybe(&self.incident.as_ref().map(|i| i.name.clone())),
            text(self.priority),
            text(self.state),
            text(&self.crew),
            maybe(&self.site),
            text(self.opened_at),
            maybe(&self.due_at),
            maybe(&self.closed_at),
            self.summary.clone(),
            self.action.clone(),
            list(&self.parts),
            list(&suspects),
            list(&self.evidence),
            list(&self.rules),
            list(&self.units),
            text(self.relapses),
            text(self.flapping),
        ]
    }
}

impl Record for QuarantineRow {
    const FIELDS: &'static [&'static str] = &["unit", "first_heard", "last_heard", "messages", "last_topic"];
    fn values(&self) -> Vec<String> {
        vec![
            text(&self.unit),
            text(self.first_heard),
            text(self.last_heard),
            text(self.messages),
            self.last_topic.clone(),
        ]
    }
}

impl Record for RefusalRow {
    const FIELDS: &'static [&'static str] = &["kind", "count", "last_at", "unit", "topic", "why", "example"];
    fn values(&self) -> Vec<String> {
        vec![
            self.kind.clone(),
            text(self.count),
            text(self.last_at),
            maybe(&self.unit),
            self.topic.clone(),
            self.why.clone(),
            self.example.clone(),
        ]
    }
}

impl Record for OutboxRow {
    const FIELDS: &'static [&'static str] = &[
        "message_id",
        "kind",
        "to",
        "orders",
        "decided_at",
        "state",
        "tries",
        "next_try_at",
        "sent_at",
        "last_error",
        "addresses",
    ];
    fn values(&self) -> Vec<String> {
        vec![
            self.message_id.clone(),
            self.kind.clone(),
            self.to.clone(),
            list(&self.orders),
            text(self.decided_at),
            self.state.clone(),
            text(self.tries),
            maybe(&self.next_try_at),
            maybe(&self.sent_at),
            maybe(&self.last_error),
            list(&self.addresses),
        ]
    }
}

impl Record for MailView {
    const FIELDS: &'static [&'static str] = &[
        "message_id",
        "kind",
        "to",
        "orders",
        "decided_at",
        "state",
        "tries",
        "next_try_at",
        "sent_at",
        "last_error",
        "addresses",
        "reason",
        "to_address",
        "subject",
        "text",
        "html",
    ];
    fn values(&self) -> Vec<String> {
        let mut values = self.row.values();
        values.extend([&self.reason, &self.to_address, &self.subject, &self.text, &self.html].map(Clone::clone));
        values
    }
}

impl Record for MetricFacts {
    const FIELDS: &'static [&'static str] = &["metric", "unit", "min", "max", "meaning", "kind"];
    fn values(&self) -> Vec<String> {
        vec![text(self.name), text(self.unit), text(self.min), text(self.max), text(self.meaning), text(self.origin())]
    }
}

/// One line of what an import changes.
pub struct PlanLine {
    change: &'static str,
    unit: String,
    field: String,
    from: String,
    to: String,
}

impl PlanLine {
    pub fn of(plan: &ImportPlan) -> Vec<PlanLine> {
        let whole = |change, unit: &crate::domain::UnitId| PlanLine {
            change,
            unit: text(unit),
            field: String::new(),
            from: String::new(),
            to: String::new(),
        };
        let added = plan.added.iter().map(|u| whole("added", u));
        let removed = plan.removed.iter().map(|u| whole("removed", u));
        let changed = plan.changed.iter().map(|c| PlanLine {
            change: "changed",
            unit: text(&c.unit),
            field: c.field.clone(),
            from: c.from.clone(),
            to: c.to.clone(),
        });
        added.chain(removed).chain(changed).collect()
    }
}

impl Record for PlanLine {
    const FIELDS: &'static [&'static str] = &["change", "unit", "field", "from", "to"];
    fn values(&self) -> Vec<String> {
        vec![text(self.change), self.unit.clone(), self.field.clone(), self.from.clone(), self.to.clone()]
    }
}
