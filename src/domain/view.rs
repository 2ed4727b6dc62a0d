//! What can be asked of a running service, and the shapes of its answers: the JSON API, the CLI's tables and the
//! screens all read these.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::availability::Times;
use super::component::{Component, words};
use super::delivery::AddressOutcome;
use super::effect::{AlertState, IncidentState};
use super::event::{MaintenanceScope, OrderMove};
use super::explain::Explained;
use super::fleet::{GroupKind, Unit};
use super::ids::{City, CrewId, FeederId, GroupName, MessageId, OrderId, RuleId, SiteId, UnitId, UplinkId};
use super::message::{Do, Outcome, PressKind};
use super::on_demand::CommandView;
use super::order::{Change, Evidence, Order, OrderState, Subject, Suspect};
use super::outlook::{Outlook, PressLine};
use super::overview::{Overview, Part, RulesView};
use super::public_report::PublicReport;
use super::query::{AlertField, IncidentField, OrderField, Page, Query, UnitField};
use super::readiness::Readiness;
use super::reason::Reason;
use super::report::{Report, ReportSpan};
use super::series::{SeriesLimit, SeriesName, SeriesPoint};
use super::severity::{Priority, Severity};
use super::time::Timestamp;

#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    Health,
    /// How a part of the fleet stands, in few rows.
    Overview(Part),
    /// The rules in force, and how many units each concerns now.
    Rules,
    Units(Query<UnitField>),
    Unit(UnitId),
    /// How each rule stands for this unit.
    Explain(UnitId),
    /// How ready the unit was. `since` None: for the last days.
    History {
        unit: UnitId,
        since: Option<Timestamp>,
    },
    /// A unit's readings by the hour. `since` None: for the last days.
    Series {
        unit: UnitId,
        metric: SeriesName,
        since: Option<Timestamp>,
    },
    /// For how long each unit was in which state. `since` None: for the last weeks.
    Availability {
        since: Option<Timestamp>,
    },
    /// What was swapped is learned anew. `component` None: all of it.
    Rebaseline {
        unit: UnitId,
        component: Option<Component>,
        by: String,
    },
    /// Something is asked of a unit, on demand.
    Command {
        unit: UnitId,
        act: Do,
        /// Of a self-test; empty: all.
        components: Vec<Component>,
        /// The unit must have begun by then. None: `Do::worth_for`.
        within: Option<Duration>,
        by: String,
    },
    /// How far one of its commands is.
    CommandState {
        unit: UnitId,
        command: String,
    },
    /// What was asked of it lately, newest first.
    Commands(UnitId),
    /// Which tests are due, and what will fail next.
    Outlook,
    /// A period in figures.
    Report(ReportSpan),
    /// The edition for the press office: groups only, and delayed.
    PublicReport,
    /// Pending, firing and inhibited ones.
    Alerts(Query<AlertField>),
    Incidents(Query<IncidentField>),
    Orders {
        closed_too: bool,
        query: Query<OrderField>,
    },
    Order(OrderId),
    SetOrder {
        order: OrderId,
        to: OrderMove,
        by: String,
        note: String,
    },
    Maintenance {
        scope: MaintenanceScope,
        until: Timestamp,
        by: String,
    },
    Quarantine,
    /// Takes a quarantined unit into the fleet: a row of fleet.csv (without header) or just its id with a site and crew.
    Accept {
        unit: UnitId,
        site: SiteId,
        crew: CrewId,
        city: City,
        by: String,
    },
    ImportFleet {
        csv: String,
        dry_run: bool,
        by: String,
    },
    /// All of it, as it was imported.
    Fleet,
    Refusals,
    Outbox,
    /// One mail as it goes out.
    Mail(MessageId),
    /// An unsent mail is tried at once, or never again.
    SetMail {
        mail: MessageId,
        to: MailMove,
        by: String,
    },
    /// All that were refused are tried again.
    RetryMails {
        by: String,
    },
}

words!(
    /// What an operator can do with an unsent mail.
    MailMove {
        Waiting = "waiting",
        Dropped = "dropped",
    }
);

words!(
    /// What became of a link of a crew's mail that somebody used.
    LinkUse {
        Shown = "shown",
        Moved = "moved",
        Altered = "altered",
        Expired = "expired",
        /// A form that was sent twice, or after the order had moved on.
        Replayed = "replayed",
        WrongMethod = "wrong-method",
    }
);

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Health(Health),
    Overview(Box<Overview>),
    Rules(Box<RulesView>),
    Units(Page<UnitRow>),
    Unit(Box<UnitCard>),
    Explained(Box<Explained>),
    History(Box<UnitHistory>),
    Series(Box<SeriesView>),
    Availability(Vec<AvailabilityRow>),
    Outlook(Box<Outlook>),
    Report(Box<Report>),
    PublicReport(Box<PublicReport>),
    Alerts(Page<AlertRow>),
    Incidents(Page<IncidentRow>),
    Orders(Page<OrderView>),
    Order(Box<OrderView>),
    Quarantine(Vec<QuarantineRow>),
    Import(ImportPlan),
    /// In the order of their ids.
    Fleet(Vec<Unit>),
    Refusals(Vec<RefusalRow>),
    Outbox(Vec<OutboxRow>),
    Mail(Box<MailView>),
    Command(Box<CommandView>),
    Commands(Vec<CommandView>),
    Retried(Retried),
    Done,
}

/// Why a question or an instruction was not answered. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    NotFound(String),
    Invalid(Vec<String>),
    Conflict(String),
    /// The service is starting or stopping.
    Unavailable(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotFound(text) | AskError::Conflict(text) | AskError::Unavailable(text) => f.write_str(text),
            AskError::Invalid(problems) => f.write_str(&problems.join("\n")),
        }
    }
}

impl std::error::Error for AskError {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub version: String,
    pub started_at: Timestamp,
    /// False while the broker cannot be heard.
    pub hearing: bool,
    pub units: usize,
    pub open_alerts: usize,
    pub open_orders: usize,
    pub outbox_waiting: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitRow {
    pub unit: UnitId,
    pub name: String,
    pub site: SiteId,
    pub site_type: String,
    pub city: City,
    pub crew: CrewId,
    pub uplink: Option<UplinkId>,
    pub feeder: Option<FeederId>,
    pub model: String,
    /// Latitude, longitude in degrees.
    pub position: Option<(f64, f64)>,
    pub readiness: Readiness,
    pub reason: String,
    /// `reason` in its parts, for a page in another language. None: it came as a sentence.
    #[serde(skip)]
    pub because: Option<Reason>,
    /// When readiness became what it is.
    pub since: Option<Timestamp>,
    pub last_heard: Option<Timestamp>,
    pub open_alerts: usize,
    pub open_orders: usize,
    /// Those that were asked for, as the newest message said it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<String, f64>,
    /// Those of `district`, `address`, `firmware` and `alert` that were asked for and are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
}

/// One unit, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitCard {
    #[serde(flatten)]
    pub row: UnitRow,
    pub address: String,
    pub contact: String,
    pub firmware: Option<String>,
    pub hardware: Option<String>,
    pub boot: Option<u32>,
    /// Percent of the last 128 messages that never came.
    pub loss_pct: Option<f64>,
    /// When it will count as silent if nothing more is heard.
    pub silent_at: Option<Timestamp>,
    pub readings: Vec<ReadingView>,
    pub tests: Vec<TestView>,
    /// The newest first, [`UnitCard::PRESSES_MAX`] at most.
    #[serde(default)]
    pub presses: Vec<PressView>,
    pub alerts: Vec<AlertRow>,
    pub orders: Vec<OrderView>,
    /// Other units on the same uplink and feeder.
    pub siblings: Vec<SiblingView>,
}

impl UnitCard {
    pub const PRESSES_MAX: usize = 10;
}

/// One press of the button.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PressView {
    /// When it was heard.
    pub at: Timestamp,
    pub kind: PressKind,
    /// Did the control room answer. None: the unit could not tell.
    pub answered: Option<bool>,
    /// How long that took.
    pub answer_ms: Option<f64>,
}

impl From<&PressLine> for PressView {
    fn from(line: &PressLine) -> Self {
        let kind = if line.is_test { PressKind::Test } else { PressKind::Real };
        PressView { at: line.at, kind, answered: line.answered, answer_ms: line.answer_ms }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadingView {
    pub metric: String,
    pub value: f64,
    /// With its unit, as people read it.
    pub text: String,
    pub at: Timestamp,
    /// The fixed limits that the rules of now set this unit's reading, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestView {
    pub component: Component,
    pub result: Outcome,
    pub at: Timestamp,
    pub code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiblingView {
    pub unit: UnitId,
    /// `uplink` or `feeder`.
    pub shares: GroupKind,
    pub readiness: Readiness,
}

/// How ready one unit was from `from` to before `to`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitHistory {
    pub unit: UnitId,
    pub from: Timestamp,
    pub to: Timestamp,
    /// None: no time counts (`domain::availability`).
    pub available_pct: Option<f64>,
    pub seconds: Times,
    /// Oldest first, without a hole.
    pub stretches: Vec<StretchRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StretchRow {
    pub unit: UnitId,
    pub from: Timestamp,
    pub until: Timestamp,
    pub readiness: Readiness,
    pub lasted_s: f64,
    pub reason: String,
    /// `reason` in its parts, for a page in another language. None: it was kept as a sentence.
    #[serde(skip)]
    pub because: Option<Reason>,
}

/// One unit's readings of one metric from `from` to `to`, by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesView {
    pub unit: UnitId,
    pub metric: SeriesName,
    /// What its figures are in, `V`; empty: plain numbers.
    pub measured_in: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// What the rules of now call too high or too low, for this unit.
    pub limits: Vec<SeriesLimit>,
    /// Oldest first; no point for an hour without a reading.
    pub points: Vec<SeriesPoint>,
    /// From InfluxDB, oldest first: of up to two days as they were sent, of up to a month the mean of each 5 minutes. Empty:
    /// there is no InfluxDB, or it did not answer, or it is a longer time.
    #[serde(default)]
    pub readings: Vec<FineReading>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FineReading {
    pub at: Timestamp,
    pub value: f64,
}

/// One unit's part in the availability of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AvailabilityRow {
    /// As it stands now.
    #[serde(flatten)]
    pub row: UnitRow,
    pub from: Timestamp,
    pub to: Timestamp,
    pub available_pct: Option<f64>,
    pub seconds: Times,
}

/// Availability of all units that have something in common: the sum of their times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupAvailability {
    /// The name of the city, site type, crew or unit.
    pub name: String,
    pub units: usize,
    pub available_pct: Option<f64>,
    pub seconds: Times,
}

impl GroupAvailability {
    pub fn sum<'a>(name: &str, rows: impl IntoIterator<Item = &'a AvailabilityRow>) -> Self {
        let (mut units, mut seconds) = (0, Times::default());
        for row in rows {
            units += 1;
            seconds += &row.seconds;
        }
        GroupAvailability { name: name.to_owned(), units, available_pct: seconds.availability_pct(), seconds }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertRow {
    pub unit: UnitId,
    pub rule: RuleId,
    pub component: Component,
    pub severity: Severity,
    pub state: AlertState,
    pub flapping: bool,
    pub since: Timestamp,
    pub reason: String,
    /// As in [`UnitRow`].
    #[serde(skip)]
    pub because: Option<Reason>,
    pub order: Option<OrderId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentRow {
    pub kind: GroupKind,
    pub name: GroupName,
    pub state: IncidentState,
    pub since: Timestamp,
    pub units: Vec<UnitId>,
    pub reason: String,
    /// As in [`UnitRow`].
    #[serde(skip)]
    pub because: Option<Reason>,
    pub order: Option<OrderId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineRow {
    pub unit: UnitId,
    pub first_heard: Timestamp,
    pub last_heard: Timestamp,
    pub messages: u64,
    pub last_topic: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, JsonSchema)]
pub struct ImportPlan {
    pub added: Vec<UnitId>,
    pub removed: Vec<UnitId>,
    pub changed: Vec<UnitChange>,
    pub unchanged: usize,
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitChange {
    pub unit: UnitId,
    pub field: String,
    pub from: String,
    pub to: String,
}

/// One kind of refused input, with its newest example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusalRow {
    pub kind: String,
    pub count: u64,
    pub last_at: Timestamp,
    pub unit: Option<String>,
    pub topic: String,
    pub why: String,
    /// The first bytes of the payload, made printable.
    pub example: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxRow {
    pub message_id: String,
    pub kind: String,
    pub to: String,
    pub orders: Vec<OrderId>,
    pub decided_at: Timestamp,
    /// `waiting`, `sent`, `partly-sent`, `refused`, `dropped`.
    pub state: String,
    pub tries: u32,
    pub next_try_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub last_error: Option<String>,
    /// One for each of its addresses. Empty: not tried yet.
    #[serde(default)]
    pub addresses: Vec<AddressOutcome>,
}

/// One mail of the outbox, as it goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailView {
    #[serde(flatten)]
    pub row: OutboxRow,
    /// Why it was decided.
    pub reason: String,
    pub to_address: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    pub retried: usize,
}

/// A work order as programs and people read it: every reason is a sentence, every field is always there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderView {
    pub order: OrderId,
    /// None: the order is on an incident.
    pub unit: Option<UnitId>,
    pub component: Option<Component>,
    /// None: the order is on one unit.
    pub incident: Option<IncidentName>,
    pub priority: Priority,
    pub state: OrderState,
    pub crew: CrewId,
    pub site: Option<SiteId>,
    pub opened_at: Timestamp,
    /// None: at the next visit.
    pub due_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub summary: String,
    pub action: String,
    pub parts: Vec<String>,
    pub suspects: Vec<Suspect>,
    /// Oldest first.
    pub evidence: Vec<String>,
    /// `evidence` in its parts, as in [`UnitRow`]. Empty: it came as sentences.
    #[serde(skip)]
    pub seen: Vec<Evidence>,
    pub rules: Vec<RuleId>,
    /// The units of its incident; empty for an order on one unit.
    pub units: Vec<UnitId>,
    pub relapses: u32,
    pub flapping: bool,
    /// Oldest first.
    pub history: Vec<ChangeView>,
}

/// Which incident: its kind and the name of the circuit or place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentName {
    pub kind: GroupKind,
    pub name: GroupName,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeView {
    pub at: Timestamp,
    pub state: OrderState,
    /// `buttonwatch`, or the person.
    pub by: String,
    pub why: String,
    /// As in [`UnitRow`].
    #[serde(skip)]
    pub because: Option<Reason>,
}

impl From<&Change> for ChangeView {
    fn from(c: &Change) -> Self {
        ChangeView { at: c.at, state: c.state, by: c.by.clone(), why: c.why.to_string(), because: Some(c.why.clone()) }
    }
}

impl From<&Order> for OrderView {
    fn from(o: &Order) -> Self {
        let (unit, component, incident) = match &o.subject {
            Subject::Unit { unit, component } => (Some(unit.clone()), Some(*component), None),
            Subject::Incident { kind, name } => (None, None, Some(IncidentName { kind: *kind, name: name.clone() })),
        };
        OrderView {
            order: o.id,
            unit,
            component,
            incident,
            priority: o.priority,
            state: o.state,
            crew: o.crew.clone(),
            site: o.site.clone(),
            opened_at: o.opened_at,
            due_at: o.due_at,
            closed_at: o.closed_at,
            summary: o.summary.clone(),
            action: o.action.clone(),
            parts: o.parts.clone(),
            suspects: o.suspects.clone(),
            evidence: o.evidence.iter().map(Evidence::to_string).collect(),
            seen: o.evidence.clone(),
            rules: o.rules.clone(),
            units: o.units.clone(),
            relapses: o.relapses,
            flapping: o.flapping,
            history: o.history.iter().map(ChangeView::from).collect(),
        }
    }
}
