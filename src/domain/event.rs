//! All that can happen to the engine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::{Component, words};
use super::fleet::UnitIx;
use super::ids::{CrewId, MessageId, OrderId, SiteId, UnitId};
use super::message::Message;
use super::time::Timestamp;

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A unit of the fleet said something. Unknown units never get here.
    Message {
        unit: UnitIx,
        message: Message,
        /// The broker kept it for us: true once, but no sign of life now.
        retained: bool,
    },
    /// Our own hearing. Silence while deaf proves nothing.
    Hearing(Hearing),
    /// A person's or a program's instruction. The engine answers with effects, or with `Effect::Refused`.
    Do { action: Action, by: String },
    /// What became of a mail.
    Delivery { message_id: MessageId, delivered: bool, note: String },
}

words!(
    Hearing {
        Down = "down",
        Up = "up",
        /// The monitor (re)started; it was deaf since its last event.
        Start = "start",
    }
);

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    SetOrder {
        order: OrderId,
        to: OrderMove,
        note: String,
    },
    /// Ends at `until`; a time in the past ends it now.
    Maintenance {
        scope: MaintenanceScope,
        until: Timestamp,
    },
    /// What was swapped or moved has new commissioning values: learn them from the next passing self-tests.
    Rebaseline {
        unit: UnitId,
        /// None: every component's, and the battery's.
        component: Option<Component>,
    },
}

words!(
    /// The states that a person can move an order to.
    OrderMove {
        Acknowledged = "acknowledged",
        EnRoute = "en-route",
        Repaired = "repaired",
        Cancelled = "cancelled",
    }
);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaintenanceScope {
    Unit(UnitId),
    Site(SiteId),
    Crew(CrewId),
}

impl fmt::Display for MaintenanceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaintenanceScope::Unit(u) => write!(f, "unit {u}"),
            MaintenanceScope::Site(s) => write!(f, "site {s}"),
            MaintenanceScope::Crew(c) => write!(f, "crew {c}"),
        }
    }
}

/// How long an event is still worth asking a unit about.
pub const COMMAND_EXPIRES_AFTER: Duration = Duration::from_secs(3600);
