//! A mail that the engine decided on: who hears what, and why. Its words are `render`'s.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::words;
use super::fleet::GroupKind;
use super::ids::{CrewId, GroupName, MessageId, OrderId, UnitId};
use super::order::Order;
use super::report::Report;
use super::severity::Priority;
use super::time::{Timestamp, span_text};

words!(
    NoticeKind {
        OrderOpened = "order-opened",
        OrderReopened = "order-reopened",
        /// More urgent than its crew was told.
        OrderRaised = "order-raised",
        /// Nobody has taken it.
        OrderReminder = "order-reminder",
        /// To the supervisor: nobody has taken it, or it is overdue.
        OrderEscalated = "order-escalated",
        /// The all-clear: closed or cancelled, with the reason.
        OrderClosed = "order-closed",
        /// All that is open, once a day, in the order of a round trip.
        Digest = "digest",
        /// So much came together that one mail tells it.
        Summary = "summary",
        IncidentOpened = "incident-opened",
        IncidentClosed = "incident-closed",
        /// How available the buttons were, and how the crews kept up.
        Report = "report",
        /// The monitor itself cannot do all that it should.
        MonitorTrouble = "monitor-trouble",
        /// It can again.
        MonitorWell = "monitor-well",
        /// An operator tries whether mails arrive.
        Test = "test",
    }
);

/// A role; `config` knows the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    Crew(CrewId),
    /// Whoever answers for this crew.
    Supervisor(CrewId),
    Operator,
    /// Whoever reads the reports.
    ReportReaders,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipient::Crew(crew) => f.pad(crew.as_str()),
            Recipient::Supervisor(crew) => f.pad(&format!("supervisor of {crew}")),
            Recipient::Operator => f.pad("operator"),
            Recipient::ReportReaders => f.pad("report readers"),
        }
    }
}

/// Why this reader hears of it, and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeReason {
    /// What is as urgent as this is told when it is decided.
    AtOnce {
        priority: Priority,
    },
    /// They are there, and should know before they leave.
    NotRepaired,
    /// The time of the digest.
    Morning,
    AfterTheNight,
    /// More single mails than anyone reads.
    Folded {
        orders: usize,
        singly: usize,
        within: Duration,
    },
    Raised {
        from: Priority,
        to: Priority,
    },
    /// Nobody has taken it since it was told.
    Repeated {
        after: Duration,
    },
    EscalatedAfter {
        told: Duration,
    },
    Overdue {
        due: Timestamp,
    },
    /// Who was told of the fault is told of its end.
    AllClear,
    /// The operator hears of common causes.
    CommonCause,
    /// The operator hears of what the monitor itself cannot do.
    OwnTrouble,
    /// The settings name its day and its readers.
    Scheduled,
    /// Somebody asked for it.
    Asked,
}

impl Default for NoticeReason {
    /// Of mails decided before mails had reasons.
    fn default() -> Self {
        NoticeReason::Asked
    }
}

impl fmt::Display for NoticeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoticeReason::AtOnce { priority } => write!(f, "{priority} orders are told at once"),
            NoticeReason::NotRepaired => f.write_str("you said that it is repaired, and it is not yet"),
            NoticeReason::Morning => f.write_str("this is the daily list of all that is open"),
            NoticeReason::AfterTheNight => f.write_str("it came in the night and could wait for the morning"),
            NoticeReason::Folded { orders, singly, within } => {
                let within = span_text(*within);
                write!(f, "{orders} things changed after {singly} mails within {within}; one mail tells them together")
            }
            NoticeReason::Raised { from, to } => write!(f, "it was {from} and is {to} now"),
            NoticeReason::Repeated { after } => write!(f, "nobody has taken it for {}", span_text(*after)),
            NoticeReason::EscalatedAfter { told } => {
                write!(f, "the crew was told {} ago and nobody has taken it", span_text(*told))
            }
            NoticeReason::Overdue { due } => write!(f, "it was due at {due} and is not repaired"),
            NoticeReason::AllClear => f.write_str("you were told of the fault, so you are told of its end"),
            NoticeReason::CommonCause => f.write_str("the operator hears of common causes"),
            NoticeReason::OwnTrouble => f.write_str("the operator hears of the monitor's own troubles"),
            NoticeReason::Scheduled => f.write_str("the settings of the service name you among those who read reports"),
            NoticeReason::Asked => f.write_str("somebody asked for it"),
        }
    }
}

/// Everything its text is made of: a retry a day later renders the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub at: Timestamp,
    pub kind: NoticeKind,
    pub to: Recipient,
    /// The same decision makes the same id, before and after a crash.
    pub message_id: MessageId,
    /// The first mail of the same thread. None: this is the first.
    pub in_reply_to: Option<MessageId>,
    /// The first mails of other threads whose orders are told here together.
    #[serde(default)]
    pub references: Vec<MessageId>,
    /// Why this reader hears of it now.
    #[serde(default)]
    pub why: NoticeReason,
    /// What happened.
    pub reason: String,
    /// As they were when the notice was decided. A digest's and a summary's: open ones in the order of the round trip, then
    /// those that are over.
    pub orders: Vec<Order>,
    /// For notices about an incident.
    pub incident: Option<IncidentFacts>,
    /// Several common causes in one summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentNews>,
    /// For a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

impl Notice {
    pub fn order_ids(&self) -> Vec<OrderId> {
        self.orders.iter().map(|o| o.id).collect()
    }
}

/// What happened to one common cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentNews {
    pub facts: IncidentFacts,
    pub is_over: bool,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    pub kind: GroupKind,
    pub name: GroupName,
    pub opened_at: Timestamp,
    pub units: Vec<UnitId>,
}
