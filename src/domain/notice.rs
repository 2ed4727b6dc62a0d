//! A mail that the engine decided on: who hears what, and why. Its words are `render`'s.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::words;
use super::fleet::GroupKind;
use super::ids::{CrewId, GroupName, MessageId, OrderId, UnitId};
use super::order::Order;
use super::time::Timestamp;

words!(
    NoticeKind {
        OrderOpened = "order-opened",
        OrderReopened = "order-reopened",
        /// The all-clear: closed or cancelled, with the reason.
        OrderClosed = "order-closed",
        IncidentOpened = "incident-opened",
        IncidentClosed = "incident-closed",
        /// An operator tries whether mails arrive.
        Test = "test",
    }
);

/// A role; `config` knows the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    Crew(CrewId),
    Operator,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipient::Crew(crew) => f.pad(crew.as_str()),
            Recipient::Operator => f.pad("operator"),
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
    pub reason: String,
    /// As they were when the notice was decided.
    pub orders: Vec<Order>,
    /// For notices about an incident.
    pub incident: Option<IncidentFacts>,
}

impl Notice {
    pub fn order_ids(&self) -> Vec<OrderId> {
        self.orders.iter().map(|o| o.id).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    pub kind: GroupKind,
    pub name: GroupName,
    pub opened_at: Timestamp,
    pub units: Vec<UnitId>,
}
